/*
 * One chunk's facts, judged: who of its holders lives, whether it is to be repaired, by whom first,
 * and what its siblings are to be asked and told.
 *
 * A node adds itself to the siblings that it was told when it is not among them, and tells all: so
 * a shard that repair has placed makes itself known, and one that comes back does. A sibling that
 * is long gone is struck out, and only when somebody else has its index; until then it may return.
 */
#include <stdlib.h>

#include "storage/auditor.h"

/* ---- siblings ---- */

/* Words about one chunk come one after the other; more at once are a storm, and told again. */
#define EDIT_TRIES 4

static SUSPENDS int
write_siblings(struct keeper *k, const struct chunk_facts *f, const struct siblings *s)
{
	uint8_t *packed = malloc(SHARDS_MAX * SIBLING_BYTES);
	uint64_t sequence = MAX(f->sequence + 1, keeper_now_unix_s(k, NULL) * 1000);
	int err;

	if (packed == NULL)
		return ERR_NOMEM;
	err = store_set_siblings(
	    k->opts.store, &f->chunk, sequence, bytes_of(packed, siblings_pack(s, packed)));
	free(packed);
	/* What the DHT says of it is to be said anew. */
	if (err == ERR_OK && k->siblings_told != NULL)
		k->siblings_told(k->siblings_arg, &f->chunk);
	return err;
}

static SUSPENDS int
edit_siblings(struct keeper *k, const struct chunk_facts *f, uint8_t index,
    const struct pubkey *node, bool holds, bool *news)
{
	struct siblings *s = malloc(sizeof(*s));
	int err = ERR_OK;

	if (s == NULL)
		return ERR_NOMEM;
	*s = f->siblings;
	*news = siblings_edit(s, index, node, holds);
	if (*news)
		err = write_siblings(k, f, s);
	free(s);
	return err;
}

int
keeper_set_sibling(struct keeper *k, const struct chunk_facts *f, uint8_t index,
    const struct pubkey *node, bool holds, bool *news)
{
	struct chunk_facts *now;
	int err = edit_siblings(k, f, index, node, holds, news);

	if (err != ERR_STALE)
		return err;
	/* Somebody else's word came in between: this one is added to it. */
	now = malloc(sizeof(*now));
	if (now == NULL)
		return ERR_NOMEM;
	for (int tries = 0; tries < EDIT_TRIES && err == ERR_STALE; tries++) {
		err = store_facts(k->opts.store, &f->chunk, now);
		if (err == ERR_OK)
			err = edit_siblings(k, now, index, node, holds, news);
	}
	free(now);
	return err;
}

/* ---- who lives ---- */

bool
keeper_counts_on(const struct keeper *k, const struct neighbour *one, uint64_t grace)
{
	return !neighbour_silent_for(one, env_now(k->env), grace) &&
	       !auditor_out(k->auditor, &one->contact.pub);
}

bool
keeper_waits_for(const struct keeper *k, const struct neighbour *one)
{
	return neighbour_away(one, env_now(k->env)) && !auditor_out(k->auditor, &one->contact.pub);
}

/* A look at one chunk; large, on the heap. */
struct view {
	bool known[SHARDS_MAX]; /* somebody has been told of */
	bool alive[SHARDS_MAX];
	bool watched[SHARDS_MAX]; /* alive, and not only with somebody who has no place */
	uint8_t known_count, alive_count, watched_count;
	bool patient;  /* who said that he would be away is not counted as gone */
	bool edited;   /* f->siblings is not what the store has */
	bool unplaced; /* somebody has no place among those who are watched */
	bool unheard;  /* somebody has not answered yet */
	bool missed;   /* … and that for so long that somebody has to look */
	/* Of each of f->siblings, NULL: ourselves, or no place. Found once, as a tour does little
	 * else; valid until something suspends. */
	struct neighbour *of[SHARDS_MAX];
};

static bool
gone(const struct keeper *k, const struct view *v, const struct neighbour *one, uint64_t grace)
{
	if (v->patient && !neighbour_gone(one, env_now(k->env), grace))
		return auditor_out(k->auditor, &one->contact.pub);
	return !keeper_counts_on(k, one, grace);
}

static void
count_alive(struct view *v, uint8_t index, bool watched)
{
	v->alive_count += !v->alive[index];
	v->alive[index] = true;
	v->watched_count += watched && !v->watched[index];
	v->watched[index] |= watched;
	v->known_count += !v->known[index];
	v->known[index] = true;
}

/*
 * Who answers for what the chunk's list names: an owner, or the network that a stranger came from.
 * Of several the one who has used least: whoever adds a lease shall not take its siblings' places.
 */
static uint64_t
sponsor_of(const struct keeper *k, const struct chunk_facts *f)
{
	uint64_t least = 0;

	for (size_t i = 0; i < f->leases_count; i++) {
		const struct lease_note *note = &f->leases[i].note;
		uint64_t one;

		memcpy(&one, note->owner.b, sizeof(one));
		if (one == 0)
			one = note->group;
		if (i == 0 ||
		    neighbours_share(k->neighbours, one) < neighbours_share(k->neighbours, least))
			least = one;
	}
	return least;
}

static void
find_siblings(struct keeper *k, const struct chunk_facts *f, struct view *v)
{
	struct newcomer who = { .now = env_now(k->env), .tour = k->tour };
	bool others[SHARDS_MAX], news = false;

	/* First those who are there: no newcomer of this chunk takes their place. */
	neighbours_look(k->neighbours);
	for (size_t i = 0; i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];

		others[i] = s->index < f->n && !keeper_is_self(k, &s->node);
		if (others[i])
			v->of[i] = neighbours_hold(k->neighbours, &s->node);
		news |= others[i] && v->of[i] == NULL;
		v->unheard |= v->of[i] != NULL && !v->of[i]->heard;
	}
	if (!news)
		return;
	who.sponsor = sponsor_of(k, f);
	for (size_t i = 0; i < f->siblings.count; i++) {
		if (!others[i] || v->of[i] != NULL)
			continue;
		who.pub = &f->siblings.at[i].node;
		v->of[i] = neighbours_get(k->neighbours, &who);
		v->unplaced |= v->of[i] == NULL;
		v->unheard = true;
	}
}

/*
 * A tour or two may find them a place; then a repair asks them itself before it does anything. One
 * that has lost its place before it could answer begins no new time when it gets another.
 */
static void
note_unplaced(const struct keeper *k, struct held *h, struct view *v, uint64_t grace)
{
	uint64_t now = env_now(k->env);

	if (!v->unplaced && !v->unheard)
		h->unwatched_at = 0;
	else if (v->unplaced && h->unwatched_at == 0)
		h->unwatched_at = now;
	v->missed = v->unplaced && now - h->unwatched_at > grace;
}

static void
see(struct keeper *k, const struct chunk_facts *f, struct view *v, uint64_t grace)
{
	memset(v->alive, 0, sizeof(v->alive));
	memset(v->watched, 0, sizeof(v->watched));
	memset(v->known, 0, sizeof(v->known));
	v->alive_count = v->watched_count = v->known_count = 0;
	for (size_t i = 0; i < f->count; i++)
		count_alive(v, f->indices[i], true);
	for (size_t i = 0; i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];
		const struct neighbour *one = v->of[i];

		if (s->index >= f->n || (one == NULL && keeper_is_self(k, &s->node)))
			continue;
		/* Nobody is taken for gone because he found no place; see is_due(). */
		if (one == NULL || !gone(k, v, one, grace))
			count_alive(v, s->index, one != NULL);
		else
			v->known_count += !v->known[s->index];
		v->known[s->index] = true;
	}
}

/* Those that are long gone and replaced are struck out; we are put in. */
static void
mend_siblings(struct keeper *k, struct chunk_facts *f, struct view *v, uint64_t grace)
{
	const struct pubkey *self = &endpoint_identity(k->opts.endpoint)->pub;
	uint64_t now = env_now(k->env), forget = MAX(keeper_time(k, FORGET_AFTER), grace);

	for (size_t i = 0; i < f->siblings.count;) {
		const struct sibling *s = &f->siblings.at[i];
		const struct neighbour *one = v->of[i];
		bool untrue = one == NULL && keeper_is_self(k, &s->node) && !facts_has(f, s->index);
		bool replaced = one != NULL && v->watched[s->index] && gone(k, v, one, grace);

		/* Who is only silent may be the other half of a network. */
		if (replaced && one->silent_at != 0)
			replaced = neighbour_gone(one, now, forget);
		if (replaced || untrue || s->index >= f->n) {
			f->siblings.at[i] = f->siblings.at[--f->siblings.count];
			v->of[i] = v->of[f->siblings.count];
			v->edited = true;
		} else {
			i++;
		}
	}
	for (size_t i = 0; i < f->count; i++) {
		struct held *h = ledger_find(k->ledger, &f->chunk, f->indices[i]);

		if (siblings_edit(&f->siblings, f->indices[i], self, true)) {
			v->edited = true;
			if (h != NULL)
				h->tell = true;
		}
	}
}

/* ---- what follows ---- */

/* How many of the live holders come before us. */
static uint8_t
our_rank(const struct keeper *k, const struct chunk_facts *f, uint64_t grace)
{
	const struct pubkey *self = &endpoint_identity(k->opts.endpoint)->pub;
	struct hash ours;
	uint8_t before = 0;

	holder_rank(&f->chunk, self, &ours);
	for (size_t i = 0; i < f->siblings.count; i++) {
		const struct pubkey *node = &f->siblings.at[i].node;
		const struct neighbour *one = neighbours_find(k->neighbours, node);

		if (one == NULL || keeper_is_self(k, node) ||
		    neighbour_away(one, env_now(k->env)) || !keeper_counts_on(k, one, grace))
			continue;
		before += holder_before(&f->chunk, node, &ours);
	}
	return before;
}

/*
 * n are to be there again: too few live, or a fresh one was never whole. Who has not been watched
 * for long does not live by that: repair, which asks him before it does anything, is to look. But
 * it makes nothing urgent, or whoever fills our table would say what is repaired first.
 */
static bool
is_due(
    const struct keeper *k, const struct chunk_facts *f, const struct held *h, const struct view *v)
{
	uint64_t now_s = env_wall_ms(k->env) / 1000, age_s = now_s - MIN(now_s, f->stored_unix_s);
	bool fresh = age_s * SECONDS(1) < keeper_time(k, FRESH_FOR);
	uint8_t alive = v->missed ? v->watched_count : v->alive_count;
	bool late = age_s * SECONDS(1) >= MAX(keeper_time(k, COMPLETE_AFTER), CLAIM_FLOOR);

	if (f->sequence == 0 || alive >= f->n || facts_until(f) <= keeper_now_unix_s(k, NULL))
		return false;
	return alive <= h->r || (fresh && late && v->known_count < f->n);
}

static void
note_due(struct keeper *k, const struct chunk_facts *f, struct held *h, const struct view *v,
    uint64_t grace)
{
	bool due = is_due(k, f, h, v);

	h->alive = v->alive_count;
	/* What a pause has held up is not everybody's turn at once when it ends for this chunk. */
	if (due && v->alive_count <= f->k + 1 && !h->urgent)
		h->turn_from = env_now(k->env);
	h->urgent = v->alive_count <= f->k + 1;
	if (due && !h->due) {
		h->due_at = h->turn_from = env_now(k->env);
		keeper_tick_soon(k); /* it knows when our turn is */
	}
	if (!due)
		h->retry_at = h->failures = 0;
	/* Somebody may have seen before us that it is due. */
	if (!due && env_now(k->env) - h->progress_at >= keeper_claim_time(k))
		h->progress_at = 0;
	h->due = due;
	if (due)
		h->rank = our_rank(k, f, grace);
	keeper_repair_note(k, h);
}

/* Somebody else who lives and holds one of ours: the lower hash keeps it, the other's clock runs.
 */
static void
note_twin(struct keeper *k, const struct chunk_facts *f, struct held *h)
{
	const struct pubkey *self = &endpoint_identity(k->opts.endpoint)->pub;
	uint64_t now = env_now(k->env), since = h->twin_at;
	bool knew = h->twinned;
	struct hash ours;

	h->twin_at = 0;
	h->twinned = false;
	for (size_t i = 0; i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];
		const struct neighbour *one;

		if (s->index != h->index || keeper_is_self(k, &s->node))
			continue;
		one = neighbours_find(k->neighbours, &s->node);
		if (one == NULL || one->silent_at != 0 || one->asked_at == 0 ||
		    auditor_out(k->auditor, &s->node))
			continue;
		/* It may still believe that we are gone. */
		h->twinned = true;
		h->tell |= !knew;
		holder_rank(&f->chunk, self, &ours);
		if (!holder_before(&f->chunk, &s->node, &ours))
			continue;
		h->twin_at = since != 0 && pubkey_equal(&h->twin, &s->node) ? since : now;
		h->twin = s->node;
		return;
	}
}

/* Questions to one sibling, and what it may not know yet. ask: what they have in common. */
static SUSPENDS int
talk_to(struct keeper *k, const struct chunk_facts *f, const struct sibling *s,
    const struct hold *ask, uint64_t every)
{
	struct neighbour *one = neighbours_find(k->neighbours, &s->node);
	struct hold h = *ask;

	if (one == NULL)
		return ERR_OK;
	neighbour_meet(one, k->tour, every);
	h.yours = s->index;
	/* Who is silent hears it when he is back. */
	if (ask->tell && one->silent_at != 0)
		neighbour_unheard(one, k->tour);
	h.tell = (ask->tell || one->tell_all) && one->silent_at == 0;
	for (size_t i = 0; i < (h.tell ? f->count : 1u); i++) {
		h.mine = f->indices[i];
		if (!keeper_offer(k, one, &h)) {
			int err = keeper_ask(k, one);

			if (err != ERR_OK)
				return err;
			one = neighbours_find(k->neighbours, &s->node);
			if (one == NULL || !keeper_offer(k, one, &h))
				return ERR_OK;
		}
	}
	return ERR_OK;
}

static SUSPENDS int
talk(struct keeper *k, const struct chunk_facts *f, bool tell, uint64_t every)
{
	struct hold ask = { .tell = tell, .lease_sum = facts_lease_sum(f) };
	int err = ERR_OK;

	memcpy(ask.chunk, f->chunk.b, sizeof(ask.chunk));
	for (size_t i = 0; err == ERR_OK && i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];

		if (keeper_is_self(k, &s->node))
			continue;
		err = talk_to(k, f, s, &ask, every);
	}
	return err;
}

/* Into the ledger, as far as facts alone say. False: no memory. */
static bool
enter(struct keeper *k, const struct chunk_facts *f)
{
	const struct lease *best = facts_lease(f);
	uint8_t r = best == NULL ? f->k : MIN(MAX(best->constraints.repair_at, f->k), f->n);
	struct held *bare = ledger_find(k->ledger, &f->chunk, INDEX_NONE);

	if (f->count > 0 && bare != NULL)
		ledger_remove(k->ledger, bare);
	for (size_t i = 0; i < MAX(f->count, 1u); i++) {
		uint8_t index = f->count == 0 ? INDEX_NONE : f->indices[i];
		struct held *h = ledger_find(k->ledger, &f->chunk, index);

		if (h == NULL) {
			h = ledger_add(k->ledger, &f->chunk, index);
			if (h == NULL)
				return false;
			/* After a start: others may have forgotten us meanwhile. */
			h->tell = !k->booted && f->count > 0;
		}
		h->k = f->k;
		h->r = r;
		h->n = f->n;
		h->lease_sum = facts_lease_sum(f);
		h->tour = k->tour;
	}
	return true;
}

/* With a shard here. */
static SUSPENDS int
judge_held(struct keeper *k, struct chunk_facts *f, struct view *v)
{
	struct held *h = ledger_find(k->ledger, &f->chunk, f->indices[0]);
	uint64_t grace = h->r + 1 >= h->n ? keeper_short_grace(k) : keeper_long_grace(k);
	bool tell = false;
	uint64_t every;
	int err = ERR_OK;

	/* The nearer the end, the less patience, and none because of what somebody said. */
	find_siblings(k, f, v);
	note_unplaced(k, h, v, grace);
	see(k, f, v, keeper_short_grace(k));
	if (v->alive_count > f->k + 1) {
		v->patient = true;
		see(k, f, v, grace);
	} else {
		grace = keeper_short_grace(k);
	}
	every = patience_between(v->alive_count, h->r, h->n, k->opts.grace);
	keeper_tour_within(k, every);
	if (f->sequence != 0)
		mend_siblings(k, f, v, grace);
	for (size_t i = 0; i < f->count; i++) {
		h = ledger_find(k->ledger, &f->chunk, f->indices[i]);
		if (h == NULL)
			continue;
		note_due(k, f, h, v, grace);
		note_twin(k, f, h);
		tell |= h->tell;
		h->tell = false;
	}
	if (v->edited)
		err = write_siblings(k, f, &f->siblings);
	/* Somebody's newer word came in between: that is looked at by itself. */
	if (err == ERR_STALE || err == ERR_NOT_FOUND)
		err = ERR_OK;
	if (err == ERR_OK)
		err = talk(k, f, tell, every);
	for (size_t i = 0; err == ERR_OK && i < f->count; i++)
		err = keeper_settle_twin(k, f, f->indices[i]);
	return err == ERR_OK ? keeper_introduce_again(k, f) : err;
}

int
keeper_judge(struct keeper *k, struct chunk_facts *f)
{
	int err = f->count > 0 ? keeper_collect(k, f) : ERR_OK;
	struct view *v;

	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err != ERR_OK)
		return err;
	if (!enter(k, f))
		return ERR_NOMEM;
	if (f->count == 0)
		return ERR_OK;
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return ERR_NOMEM;
	err = judge_held(k, f, v);
	free(v);
	return err;
}
