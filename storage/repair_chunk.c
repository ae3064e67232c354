/*
 * One chunk's repair, from its name to new holders that know all that the old ones know. What the
 * ledger believes is asked anew first: a node that others think gone may have come back, and a node
 * that lives may have lost its shard. Sources are tried again without those that failed.
 */
#include <stdlib.h>

#include "storage/chunks_private.h"
#include "storage/rebuild.h"
#include "storage/auditor.h"
#include "storage/repair.h"

#define HAVE_TIMEOUT   SECONDS(6)
#define TRIES          4 /* one of them may end with a result that is wrong, and nobody known to blame */
/* Holders asked at once what they hold. */
#define ASKS_IN_FLIGHT 16

struct job {
	struct keeper *k;
	struct repair_job listed;
	uint8_t moved; /* the index of ours that is given away */
	struct chunks *chunks;
	struct chunk_facts facts;
	struct descriptor descriptor;
	struct rebuild rebuild;
	struct candidate candidates[PLACED_MAX];
	bool alive[SHARDS_MAX];
	uint8_t alive_count;
	size_t next; /* sibling to be asked */
	uint64_t began_at;
	struct timer claims;
};

/* ---- who holds it ---- */

static void
add_source(struct job *j, uint8_t index, bool own, const struct contact *holder)
{
	struct rebuild *r = &j->rebuild;
	struct rebuild_shard shard = { .index = index, .own = own };

	if (index >= j->facts.n || j->alive[index])
		return;
	if (!own)
		shard.holder = *holder;
	j->alive[index] = true;
	j->alive_count++;
	r->sources[r->sources_count++] = shard;
}

/*
 * Whether a sibling is to be asked, and as far as is known where. Who found no place among those
 * who are watched is, too: nothing is rebuilt only because nobody could look after it.
 */
static bool
worth_asking(const struct job *j, const struct pubkey *node, struct contact *who)
{
	const struct keeper *k = j->k;
	const struct neighbour *one = neighbours_find(k->neighbours, node);

	if (keeper_is_self(k, node))
		return false;
	if (one == NULL) {
		contact_init(who, node, NULL);
		return !auditor_out(k->auditor, node);
	}
	*who = one->contact;
	return who->addr.family != ADDR_NONE && !neighbour_away(one, env_now(k->env)) &&
	       keeper_counts_on(k, one, keeper_short_grace(k));
}

static int
survey_task(void *arg)
{
	struct job *j = arg;
	struct keeper *k = j->k;
	struct chunk_have *have = malloc(sizeof(*have));

	if (have == NULL)
		return ERR_NOMEM;
	while (j->next < j->facts.siblings.count) {
		const struct sibling *s = &j->facts.siblings.at[j->next++];
		struct contact who;
		uint64_t old;
		int err = ERR_OK;

		if (!worth_asking(j, &s->node, &who))
			continue;
		old = task_deadline(k->env, env_now(k->env) + HAVE_TIMEOUT);
		if (who.addr.family == ADDR_NONE)
			err = keeper_locate(k, &who, true);
		if (err == ERR_OK)
			err = storage_ask_have(j->chunks, &who, &j->facts.chunk, have);
		task_deadline_restore(k->env, old);
		if (err == ERR_CANCELED)
			break;
		for (size_t i = 0; err == ERR_OK && i < have->count; i++)
			add_source(j, have->indices[i], false, &who);
	}
	free(have);
	return ERR_OK;
}

static SUSPENDS int
survey(struct job *j)
{
	int err;

	for (size_t i = 0; i < j->facts.count; i++)
		add_source(j, j->facts.indices[i], true, NULL);
	err = task_together(j->k->env, "repair survey", survey_task, j,
	    MIN(j->facts.siblings.count, ASKS_IN_FLIGHT));
	j->listed.alive = j->alive_count;
	return err;
}

static int
by_distance(const void *a, const void *b)
{
	const struct rebuild_shard *x = a, *y = b;

	return x->own != y->own ? (x->own ? -1 : 1) : (int)x->index - (int)y->index;
}

/* ---- who may take it ---- */

static bool
ruled(const struct constraints *c)
{
	return c->regions_min != 0 || placement_ruled(c);
}

/* A holder that the sample of candidates does not contain counts for the rules all the same. */
static SUSPENDS int
add_holder(struct job *j, size_t *count, const struct contact *holder)
{
	struct candidate *c;
	struct peer_record *r;
	int err = ERR_OK;

	for (size_t i = 0; i < *count; i++) {
		if (pubkey_equal(&j->candidates[i].contact.pub, &holder->pub)) {
			j->candidates[i].taken = true;
			return ERR_OK;
		}
	}
	if (*count == ARRAY_LEN(j->candidates) || !ruled(&j->rebuild.lease->constraints))
		return ERR_OK;
	r = malloc(sizeof(*r));
	if (r == NULL)
		return ERR_NOMEM;
	err = dht_peer_record(j->k->opts.dht, holder, r);
	if (err == ERR_OK) {
		c = &j->candidates[(*count)++];
		candidate_init(c, holder, r);
		c->taken = true;
	}
	free(r);
	/* Whom nobody can ask now is not counted. */
	return err == ERR_CANCELED ? err : ERR_OK;
}

/* What stays with us counts as well, or the rules would be broken by one. */
static int
add_self(struct job *j, size_t *count)
{
	const struct rebuild *r = &j->rebuild;
	bool stays = false;

	for (size_t i = 0; i < r->sources_count; i++)
		stays |=
		    r->sources[i].own && !(j->listed.moving && r->sources[i].index == j->moved);
	if (!stays)
		return ERR_OK;
	must(*count < ARRAY_LEN(j->candidates));
	if (keeper_self_candidate(j->k, &j->candidates[*count]))
		++*count;
	else if (ruled(&r->lease->constraints))
		return ERR_BUSY; /* only just started */
	return ERR_OK;
}

/* Also not who has fallen silent: his record may still be known, and each try would wait for him.
 */
static bool
may_take(const struct keeper *k, const struct pubkey *node)
{
	const struct neighbour *one = neighbours_find(k->neighbours, node);

	return !keeper_is_self(k, node) && !auditor_out(k->auditor, node) &&
	       (one == NULL || one->silent_at == 0);
}

static SUSPENDS int
find_candidates(struct job *j)
{
	struct rebuild *r = &j->rebuild;
	size_t count = 0, kept = 0;
	int err;

	err = chunks_candidates(
	    j->chunks, r->targets_count + 1, j->candidates, CANDIDATES_MAX, &count);
	if (err != ERR_OK)
		return err;
	for (size_t i = 0; i < count; i++) {
		if (may_take(j->k, &j->candidates[i].contact.pub))
			j->candidates[kept++] = j->candidates[i];
	}
	count = kept;
	err = add_self(j, &count);
	for (size_t i = 0; err == ERR_OK && i < r->sources_count; i++) {
		if (!r->sources[i].own)
			err = add_holder(j, &count, &r->sources[i].holder);
	}
	r->candidates = j->candidates;
	r->candidates_count = count;
	return err;
}

/* ---- before and after ---- */

/* So that the others wait; lost ones do no harm. */
static void
claim(struct job *j)
{
	struct keeper *k = j->k;

	for (size_t i = 0; i < j->facts.siblings.count; i++) {
		const struct pubkey *node = &j->facts.siblings.at[i].node;
		const struct neighbour *one = neighbours_find(k->neighbours, node);

		if (one != NULL && one->silent_at == 0 && !keeper_is_self(k, node) &&
		    one->contact.addr.family != ADDR_NONE)
			keeper_claim(k, &one->contact, &j->facts.chunk);
	}
}

static int
goes_on(const struct job *j)
{
	return j->listed.moving ? ERR_OK : repair_goes_on(j->k, &j->facts.chunk, j->began_at);
}

/* As long as the repair lasts, whatever it waits for: peers that are looked for, bytes, receipts.
 */
static void
claim_fire(void *arg)
{
	struct job *j = arg;

	claim(j);
	timer_start(&j->claims, keeper_claim_time(j->k) / 2);
}

/* Between two groups of leaves. */
static SUSPENDS int
go_on(void *arg, uint64_t up, uint64_t down)
{
	struct job *j = arg;
	int err = goes_on(j);
	uint64_t wait;

	if (err != ERR_OK)
		return err;
	wait = repair_wait(j->k, up, down);
	err = wait == 0 ? ERR_OK : task_sleep(j->k->env, wait);
	if (err == ERR_OK)
		meter_add(&j->k->moved, env_now(j->k->env), up + down);
	return err;
}

/* Whoever finds himself missing among them makes himself known to all: so he is never named to
 * himself, or he would take it for known. */
static void
list_siblings(const struct chunk_facts *f, const struct pubkey *to, struct siblings *out)
{
	out->count = 0;
	for (size_t i = 0; i < f->siblings.count; i++) {
		if (!pubkey_equal(&f->siblings.at[i].node, to))
			out->at[out->count++] = f->siblings.at[i];
	}
}

/* All leases, and the siblings without the new ones: those make themselves known. */
int
keeper_hand_over(struct keeper *k, const struct chunk_facts *f, const struct contact *to)
{
	struct lease_update *m = calloc(1, sizeof(*m));
	struct buf head, reply;
	struct chunks *chunks;
	int err = m == NULL ? ERR_NOMEM : keeper_chunks(k, &chunks);

	buf_init(&head, RPC_HEAD_BYTES_MAX);
	buf_init(&reply, RPC_HEAD_BYTES_MAX);
	for (size_t i = 0; err == ERR_OK && i < f->leases_count; i++) {
		m->lease = f->leases[i];
		m->note.sequence = keeper_now_unix_s(k, NULL) * 1000;
		list_siblings(f, &to->pub, &m->note.siblings);
		buf_reset(&head);
		err = lease_update_pack(m, k->net, &head);
		if (err == ERR_OK)
			err = storage_ask(chunks, to, METHOD_LEASE, buf_bytes(&head), &reply);
	}
	buf_fini(&head);
	buf_fini(&reply);
	free(m);
	return err;
}

static SUSPENDS int
announce(struct job *j)
{
	struct rebuild *r = &j->rebuild;
	bool news;
	int err = ERR_OK;

	for (size_t i = 0; i < r->targets_count && err != ERR_CANCELED; i++) {
		struct rebuild_shard *t = &r->targets[i];

		if (!t->placed)
			continue;
		j->k->status.shards_rebuilt++;
		err = keeper_hand_over(j->k, &j->facts, &t->holder);
		if (err != ERR_OK)
			log_info(j->k->env, "a new holder does not know its siblings yet: %s",
			    err_text(err));
		/* We know of it whatever it does: the next question to it will tell. */
		err = store_facts(j->k->opts.store, &j->facts.chunk, &j->facts);
		if (err == ERR_OK)
			err = keeper_set_sibling(
			    j->k, &j->facts, t->index, &t->holder.pub, true, &news);
		if (err == ERR_OK)
			err = store_facts(j->k->opts.store, &j->facts.chunk, &j->facts);
	}
	return err;
}

static void
list_missing(struct job *j)
{
	struct rebuild *r = &j->rebuild;

	r->targets_count = 0;
	for (uint8_t i = 0; i < j->facts.n; i++) {
		if (!j->alive[i])
			r->targets[r->targets_count++] = (struct rebuild_shard){ .index = i };
	}
}

/* What a repair has read counts as an audit: it asks for more than any audit does. */
static SUSPENDS void
note_sources(struct job *j)
{
	int err = ERR_OK;

	for (size_t i = 0; i < j->rebuild.sources_count && err != ERR_CANCELED; i++) {
		const struct rebuild_shard *s = &j->rebuild.sources[i];

		if (!s->own && (s->lied || s->gave))
			err = auditor_note_read(j->k->auditor, &s->holder.pub, !s->lied);
	}
	if (err != ERR_OK && err != ERR_CANCELED)
		log_debug(j->k->env, "what was read is not noted: %s", err_text(err));
}

static SUSPENDS int
rebuild(struct job *j)
{
	struct rebuild *r = &j->rebuild;
	int err = ERR_UNREACHABLE;

	for (int tries = 0; tries < TRIES && err == ERR_UNREACHABLE; tries++) {
		size_t well = 0;

		for (size_t i = 0; i < r->sources_count; i++)
			well += !r->sources[i].failed;
		if (well < j->facts.k)
			break;
		list_missing(j);
		err = find_candidates(j);
		if (err == ERR_OK)
			err = rebuild_run(r);
		if (err == ERR_UNREACHABLE || err == ERR_PLACEMENT)
			chunks_candidates_stale(j->chunks);
	}
	note_sources(j);
	j->k->status.bytes_own += r->own;
	if (err == ERR_CORRUPT && r->malformed)
		log_warn(j->k->env, "a chunk's shards do not fit its descriptor: whoever made it "
				    "made it so, it cannot be repaired");
	return err;
}

/* What lies with those who said that they would be away is not missing, as long as there is more
 * than little without it. */
static void
spare_the_away(struct job *j)
{
	if (j->alive_count <= j->facts.k + 1)
		return;
	for (size_t i = 0; i < j->facts.siblings.count; i++) {
		const struct sibling *s = &j->facts.siblings.at[i];
		const struct neighbour *one = neighbours_find(j->k->neighbours, &s->node);

		if (one == NULL || !keeper_waits_for(j->k, one) || s->index >= j->facts.n ||
		    j->alive[s->index])
			continue;
		j->alive[s->index] = true;
		j->alive_count++;
	}
}

/* More may live than we thought; a fresh one whose indices nobody ever had is completed. */
static bool
still_due(const struct job *j)
{
	const struct held *h = ledger_any(j->k->ledger, j->facts.chunk.b);
	bool known[SHARDS_MAX] = { false };
	size_t count = 0;

	if (j->alive_count >= j->facts.n)
		return false;
	for (size_t i = 0; i < j->facts.siblings.count; i++) {
		count += !known[j->facts.siblings.at[i].index];
		known[j->facts.siblings.at[i].index] = true;
	}
	return h == NULL || j->alive_count <= h->r || count < j->facts.n;
}

/* One of ours that did not give what it should is looked at, and goes when it has rotted. */
static SUSPENDS void
look_at_own(struct job *j)
{
	for (size_t i = 0; i < j->rebuild.sources_count; i++) {
		const struct rebuild_shard *s = &j->rebuild.sources[i];

		if (s->own && s->failed &&
		    store_verify(j->k->opts.store, &j->facts.chunk, s->index) == ERR_CORRUPT)
			(void)keeper_rotted(j->k, &j->facts, s->index);
	}
}

static SUSPENDS int
run(struct job *j)
{
	struct rebuild *r = &j->rebuild;
	int err;

	err = survey(j);
	if (err != ERR_OK)
		return err;
	spare_the_away(j);
	if (!still_due(j))
		return ERR_OK;
	err = goes_on(j);
	if (err != ERR_OK)
		return err;
	if (j->alive_count < j->facts.k)
		return ERR_UNREACHABLE;
	qsort(r->sources, r->sources_count, sizeof(*r->sources), by_distance);
	err = rebuild(j);
	if (err == ERR_OK)
		err = announce(j);
	if (err != ERR_CANCELED)
		look_at_own(j);
	return err;
}

static SUSPENDS int
run_claimed(struct job *j)
{
	int err;

	j->began_at = env_now(j->k->env);
	timer_init(&j->claims, j->k->env, claim_fire, j);
	claim_fire(j);
	err = run(j);
	timer_stop(&j->claims);
	if (err == ERR_EXISTS)
		return ERR_OK;
	/* The new holders need a moment to make themselves known. */
	if (err == ERR_OK && j->rebuild.placed > 0)
		claim(j);
	return err;
}

static SUSPENDS int
begin(struct job *j, struct keeper *k, const struct hash *chunk, struct lease *lease)
{
	int err = keeper_chunks(k, &j->chunks);

	j->k = k;
	if (err == ERR_OK)
		err = store_facts(k->opts.store, chunk, &j->facts);
	if (err == ERR_OK && (j->facts.count == 0 || facts_lease(&j->facts) == NULL))
		err = ERR_NOT_FOUND;
	if (err == ERR_OK)
		err = store_descriptor(k->opts.store, chunk, &j->descriptor);
	if (err != ERR_OK)
		return err;
	*lease = *facts_lease(&j->facts); /* the facts are read anew meanwhile */
	j->rebuild.lease = lease;
	j->rebuild.chunks = j->chunks;
	j->rebuild.store = k->opts.store;
	j->rebuild.descriptor = &j->descriptor;
	j->rebuild.chunk = &j->facts.chunk;
	j->listed = (struct repair_job){
		.chunk = &j->facts.chunk,
		.fetched = &j->rebuild.fetched,
		.sent = &j->rebuild.sent,
		.k = j->facts.k,
		.n = j->facts.n,
		.since = env_now(k->env),
	};
	j->rebuild.pace = go_on;
	j->rebuild.arg = j;
	return ERR_OK;
}

/* So that an operator sees it while it lasts. */
static SUSPENDS int
listed(struct job *j, bool moving, int (*work)(struct job *j))
{
	int err;

	j->listed.moving = moving;
	LIST_INSERT_HEAD(&j->k->jobs, &j->listed, link);
	err = work(j);
	/* Counted as of the running ones until here (keeper_sight.c), and for good from here. */
	LIST_REMOVE(&j->listed, link);
	j->k->status.bytes_fetched += j->rebuild.fetched;
	j->k->status.bytes_sent += j->rebuild.sent;
	return err;
}

int
repair_chunk(struct keeper *k, const struct hash *chunk)
{
	struct job *j = calloc(1, sizeof(*j));
	struct lease lease;
	int err = j == NULL ? ERR_NOMEM : begin(j, k, chunk, &lease);

	if (err == ERR_OK)
		err = listed(j, false, run_claimed);
	free(j);
	return err;
}

/* Who holds another one counts for the rules; then our own is the only source. */
static SUSPENDS int
move(struct job *j)
{
	struct rebuild *r = &j->rebuild;
	uint8_t index = j->moved;
	int err;

	r->targets_count = 1;
	r->targets[0] = (struct rebuild_shard){ .index = index };
	err = survey(j);
	if (err == ERR_OK)
		err = find_candidates(j);
	if (err != ERR_OK)
		return err;
	r->copy = true;
	r->sources_count = 1;
	r->sources[0] = (struct rebuild_shard){ .index = index, .own = true };
	err = rebuild_run(r);
	if (err == ERR_UNREACHABLE)
		look_at_own(j);
	if (err == ERR_OK)
		err = announce(j);
	return err == ERR_OK ? keeper_let_go(j->k, &j->facts, index) : err;
}

int
repair_move(struct keeper *k, const struct hash *chunk, uint8_t index)
{
	struct job *j = calloc(1, sizeof(*j));
	struct lease lease;
	bool trusted;
	int err = j == NULL ? ERR_NOMEM : begin(j, k, chunk, &lease);

	if (j != NULL)
		j->moved = index;
	/* What nobody asks for any more nobody would take. */
	if (err == ERR_NOT_FOUND && j->facts.count > 0)
		err = keeper_let_go(k, &j->facts, index);
	else if (err == ERR_OK && lease.until <= keeper_now_unix_s(k, &trusted) && trusted)
		err = keeper_let_go(k, &j->facts, index);
	else if (err == ERR_OK)
		err = listed(j, true, move);
	free(j);
	return err;
}
