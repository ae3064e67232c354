/*
 * Chunks come in any order from the survey and are put in order at the end. A list that cannot
 * grow fails the whole, because a table with a piece missing would be a lie.
 */
#include "cmd/survey.h"

#include <stdlib.h>

/* Requests for records under way at once: they are small, and all to different peers. */
#define RECORDS_IN_FLIGHT 32

void
survey_init(struct survey *s, struct client *c)
{
	*s = (struct survey){ .c = c };
}

void
survey_fini(struct survey *s)
{
	for (size_t i = 0; i < s->chunks_count; i++)
		free(s->chunks[i].pieces);
	free(s->chunks);
	free(s->peers);
	link_wipe(&s->info.verify);
}

/* Room for one more; false: out of memory. */
static bool
grow(void **list, size_t count, size_t *cap, size_t item_bytes)
{
	size_t more = *cap == 0 ? 16 : *cap * 2;
	void *bigger;

	if (count < *cap)
		return true;
	bigger = reallocarray(*list, more, item_bytes);
	if (bigger == NULL)
		return false;
	*list = bigger;
	*cap = more;
	return true;
}

/* The peer's place in the list; SURVEY_NOBODY: unknown to all, or too many. */
static uint32_t
peer_index(struct survey *s, const struct contact *c)
{
	static const struct pubkey nobody;

	if (pubkey_equal(&c->pub, &nobody))
		return SURVEY_NOBODY;
	for (size_t i = 0; i < s->peers_count; i++) {
		if (pubkey_equal(&s->peers[i].contact.pub, &c->pub))
			return (uint32_t)i;
	}
	if (s->peers_count == SURVEY_PEERS_MAX)
		return SURVEY_NOBODY;
	if (!grow((void **)&s->peers, s->peers_count, &s->peers_cap, sizeof(*s->peers))) {
		s->lost_memory = true;
		return SURVEY_NOBODY;
	}
	s->peers[s->peers_count] = (struct survey_peer){ .contact = *c };
	return (uint32_t)s->peers_count++;
}

static void
on_chunk(void *arg, const struct file_chunk_state *state)
{
	struct survey *s = arg;
	struct survey_chunk c = {
		.number = state->number,
		.code = state->ref->code,
		.live = state->live,
		.pieces = calloc(state->ref->code.n, sizeof(*c.pieces)),
	};

	if (c.pieces == NULL ||
	    !grow((void **)&s->chunks, s->chunks_count, &s->chunks_cap, sizeof(*s->chunks))) {
		free(c.pieces);
		s->lost_memory = true;
		return;
	}
	for (size_t i = 0; i < c.code.n; i++) {
		const struct shard_state *shard = &state->shards[i];
		uint32_t peer = peer_index(s, &shard->holder);

		c.pieces[i] = (struct survey_piece){ peer, shard->live };
		if (shard->live && shard->lease_until != 0 &&
		    (c.lease_until == 0 || shard->lease_until < c.lease_until))
			c.lease_until = shard->lease_until;
		if (peer != SURVEY_NOBODY) {
			s->peers[peer].pieces++;
			s->peers[peer].live += shard->live;
		}
	}
	s->chunks[s->chunks_count++] = c;
}

/* The manifest, which has the highest number, first. */
static int
by_number(const void *a, const void *b)
{
	uint64_t x = ((const struct survey_chunk *)a)->number + 1;
	uint64_t y = ((const struct survey_chunk *)b)->number + 1;

	return x < y ? -1 : x > y;
}

struct record_request {
	struct dht *dht;
	struct survey_peer *peer;
};

/* A peer that does not tell stays unknown. */
static SUSPENDS int
record_task(void *arg)
{
	struct record_request *r = arg;
	int err = dht_peer_record(r->dht, &r->peer->contact, &r->peer->record);

	r->peer->known = err == ERR_OK;
	return err;
}

static SUSPENDS int
ask_records(struct survey *s)
{
	struct record_request *all = calloc(MAX(s->peers_count, 1), sizeof(*all));
	struct task_group group;
	int err = all == NULL ? ERR_NOMEM : ERR_OK;

	task_group_init(&group, s->c->env);
	for (size_t i = 0; i < s->peers_count && err == ERR_OK; i++) {
		if (s->peers[i].live == 0)
			continue;
		all[i] = (struct record_request){ node_dht(s->c->node), &s->peers[i] };
		err = task_spawn(&group, "peer record", record_task, &all[i]);
		if (err == ERR_OK)
			err = task_group_wait(&group, RECORDS_IN_FLIGHT - 1);
	}
	if (err == ERR_OK)
		err = task_group_wait(&group, 0);
	task_group_fini(&group);
	free(all);
	return err;
}

SUSPENDS int
survey_run(struct survey *s, const struct link *link, bool peers, struct file_missing *missing)
{
	int err = file_survey(s->c->files, link, &s->info, on_chunk, s, &s->least, missing);

	if (err == ERR_OK && s->lost_memory)
		err = ERR_NOMEM;
	if (err != ERR_OK)
		return err;
	qsort(s->chunks, s->chunks_count, sizeof(*s->chunks), by_number);
	return peers ? ask_records(s) : ERR_OK;
}

/* ---- sums ---- */

static void
report_chunk(const struct survey *s, const struct survey_chunk *c, struct candidate *room,
    struct placement_report *out)
{
	size_t count = 0;

	for (size_t i = 0; i < c->code.n; i++) {
		const struct survey_peer *p;
		struct candidate *to = &room[count];

		if (!c->pieces[i].live || c->pieces[i].peer == SURVEY_NOBODY)
			continue;
		p = &s->peers[c->pieces[i].peer];
		*to = (struct candidate){ .contact = p->contact, .taken = true };
		to->operator_key = p->known ? p->record.operator_key : p->contact.pub;
		to->network = addr_group(&p->contact.addr);
		if (p->known) {
			memcpy(to->country, p->record.country, sizeof(to->country));
			memcpy(to->region, p->record.region, sizeof(to->region));
		}
		count++;
	}
	placement_report(room, count, out);
}

void
survey_report(const struct survey *s, struct placement_report *out)
{
	struct candidate *room = calloc(SHARDS_MAX, sizeof(*room));
	struct placement_report one;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < s->chunks_count && room != NULL; i++) {
		report_chunk(s, &s->chunks[i], room, &one);
		if (i == 0 || one.most_in_country > out->most_in_country ||
		    (one.most_in_country == out->most_in_country &&
			one.most_in_operator > out->most_in_operator))
			*out = one;
	}
	free(room);
}

void
survey_count(const struct survey *s, size_t *not_whole, size_t *lost)
{
	*not_whole = *lost = 0;
	for (size_t i = 0; i < s->chunks_count; i++) {
		*not_whole += s->chunks[i].live < s->chunks[i].code.n;
		*lost += s->chunks[i].live < s->chunks[i].code.k;
	}
}

uint64_t
survey_until(const struct survey *s)
{
	uint64_t until = 0;

	for (size_t i = 0; i < s->chunks_count; i++) {
		uint64_t one = s->chunks[i].lease_until;

		if (one != 0 && (until == 0 || one < until))
			until = one;
	}
	return until;
}
