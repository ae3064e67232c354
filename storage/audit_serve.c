/*
 * Answering challenges. What is shown is read from the disk and hashed again, so rot is found here
 * as well as by scrub; then the shard is dropped and the answer says so. The budget is kept as a
 * time at which all of it will be there again, one for siblings and one for strangers, so that
 * those cannot use up what those need who watch us.
 */
#include <stdlib.h>

#include "storage/auditor.h"

/* Half a megabyte each. */
#define AT_ONCE_MAX 4
/* Who asked lately; older ones are forgotten, the budget still holds for them. */
#define RECENT_MAX  256

struct audit_desk {
	struct keeper *k;
	uint64_t spent[2]; /* siblings, strangers: when their whole budget is there again */
	uint8_t running;
	size_t recent_count, recent_cap, recent_next;
	struct recent {
		struct pubkey auditor;
		uint64_t at;
	} * recent; /* grows to RECENT_MAX: most nodes are asked by few */
};

/* ---- budgets ---- */

static struct recent *
find_recent(struct audit_desk *d, const struct pubkey *auditor)
{
	for (size_t i = 0; i < d->recent_count; i++) {
		if (pubkey_equal(&d->recent[i].auditor, auditor))
			return &d->recent[i];
	}
	return NULL;
}

static struct recent *
add_recent(struct audit_desk *d, const struct pubkey *auditor)
{
	if (d->recent_count == d->recent_cap && d->recent_cap < RECENT_MAX) {
		size_t cap = MAX(d->recent_cap * 2, (size_t)8);
		struct recent *more = realloc(d->recent, cap * sizeof(*more));

		if (more == NULL)
			return NULL;
		d->recent = more;
		d->recent_cap = cap;
	}

	struct recent *r = &d->recent[d->recent_next];

	d->recent_next = (d->recent_next + 1) % RECENT_MAX;
	d->recent_count = MIN(d->recent_count + 1, (size_t)RECENT_MAX);
	*r = (struct recent){ .auditor = *auditor };
	return r;
}

/* Takes the leaves out of the budget. ERR_BUSY: not now. */
static int
spend(struct audit_desk *d, const struct audit_challenge *c)
{
	struct keeper *k = d->k;
	bool stranger = neighbours_find(k->neighbours, &c->auditor) == NULL;
	uint64_t day = keeper_time(k, HOURS(24)), now = env_now(k->env);
	uint64_t leaves =
	    stranger ? AUDIT_LEAVES_STRANGER : AUDIT_LEAVES_A_DAY - AUDIT_LEAVES_STRANGER;
	uint64_t from = MAX(d->spent[stranger], now), cost = day / leaves * c->leaves;
	struct recent *r = find_recent(d, &c->auditor);

	if (d->running >= AT_ONCE_MAX || from + cost > now + day)
		return ERR_BUSY;
	if (r != NULL && now - r->at < keeper_time(k, AUDIT_PER_AUDITOR))
		return ERR_BUSY;
	if (r == NULL)
		r = add_recent(d, &c->auditor);
	if (r == NULL)
		return ERR_BUSY;
	r->at = now;
	d->spent[stranger] = from + cost;
	return ERR_OK;
}

/* ---- what is shown ---- */

struct showing {
	struct keeper *k;
	struct audit_challenge challenge;
	struct layout layout;
	struct hash hashes[LEAVES_MAX];
	struct audit_proofs proofs;
	uint8_t *leaves; /* of LEAF_BYTES each, aligned for the disk */
};

/* ERR_CORRUPT: the disk gives other bytes than were kept. */
static SUSPENDS int
read_leaf(struct showing *s, uint8_t i)
{
	const struct audit_challenge *c = &s->challenge;
	uint32_t row = audit_row(c, i, s->layout.rows);
	struct audit_proof *p = &s->proofs.at[i];
	uint8_t *to = s->leaves + (size_t)i * LEAF_BYTES;
	size_t len;
	int err = store_read(s->k->opts.store, &c->chunk, c->index, row, 1, to, &len);

	if (err != ERR_OK)
		return err;
	merkle_leaf(&p->leaf, to, len);
	if (!hash_equal(&p->leaf, &s->hashes[row]))
		return ERR_CORRUPT;
	return merkle_prove(&p->path, s->hashes, s->layout.rows, row);
}

static SUSPENDS int
read_all(struct showing *s)
{
	const struct audit_challenge *c = &s->challenge;
	struct store *store = s->k->opts.store;
	struct shard_info info;
	uint32_t count;
	int err = store_shard(store, &c->chunk, c->index, &info);

	if (err == ERR_OK) {
		s->layout = info.layout;
		err = store_leaf_hashes(store, &c->chunk, c->index, s->hashes, &count);
	}
	if (err == ERR_OK && count != s->layout.rows)
		err = ERR_CORRUPT;
	for (uint8_t i = 0; err == ERR_OK && i < c->leaves; i++)
		err = read_leaf(s, i);
	if (err == ERR_OK)
		s->proofs.count = c->leaves;
	return err;
}

/* What there is to say, whether good or bad for us. */
static SUSPENDS int
find_out(struct showing *s, struct audit_answer *a)
{
	struct keeper *k = s->k;
	struct chunk_facts *f = malloc(sizeof(*f));
	int err = f == NULL ? ERR_NOMEM : store_facts(k->opts.store, &s->challenge.chunk, f);

	a->verdict = AUDIT_LOST;
	if (err == ERR_OK) {
		a->until = facts_until(f);
		err = read_all(s);
		if (err == ERR_OK)
			a->verdict = AUDIT_HELD;
		else if (err == ERR_CORRUPT)
			err = keeper_rotted(k, f, s->challenge.index);
	}
	free(f);
	if (err == ERR_NOT_FOUND)
		err = ERR_OK;
	a->issued = keeper_now_unix_s(k, NULL);
	audit_challenge_id(&s->challenge, k->net, &a->challenge);
	if (a->verdict == AUDIT_HELD)
		audit_proofs_sum(&s->proofs, &a->proofs);
	return err;
}

static SUSPENDS int
show(struct showing *s, struct stream *st)
{
	uint8_t packed[AUDIT_ANSWER_BYTES], path[AUDIT_PATH_BYTES_MAX];
	struct audit_answer a = { .until = 0 };
	int err = find_out(s, &a);

	if (err != ERR_OK)
		return err;
	audit_answer_sign(&a, s->k->net, endpoint_identity(s->k->opts.endpoint));
	err = stream_write(st, bytes_of(packed, audit_answer_pack(&a, s->k->net, packed)));
	for (uint8_t i = 0; err == ERR_OK && i < s->proofs.count; i++) {
		const struct merkle_proof *p = &s->proofs.at[i].path;

		err = stream_write(st, bytes_of(s->leaves + (size_t)i * LEAF_BYTES,
					   layout_leaf_bytes(&s->layout, p->leaf)));
		if (err == ERR_OK)
			err = stream_write(st, bytes_of(path, audit_path_pack(p, path)));
	}
	if (err == ERR_OK)
		err = stream_finish(st, ERR_OK, bytes_of(NULL, 0));
	return err;
}

static SUSPENDS int
show_in_time(struct audit_desk *d, struct stream *st, const struct audit_challenge *c)
{
	struct keeper *k = d->k;
	struct showing *s = calloc(1, sizeof(*s));
	uint64_t old;
	int err = ERR_NOMEM;

	if (s == NULL)
		return err;
	s->k = k;
	s->challenge = *c;
	s->leaves = aligned_alloc(DISK_ALIGN, (size_t)c->leaves * LEAF_BYTES);
	if (s->leaves != NULL) {
		d->running++;
		old = task_deadline(k->env, env_now(k->env) + AUDIT_TIMEOUT);
		err = show(s, st);
		task_deadline_restore(k->env, old);
		d->running--;
	}
	free(s->leaves);
	free(s);
	return err;
}

static int
serve_audit(void *arg, struct stream *st, const struct rpc_request *req)
{
	struct audit_desk *d = arg;
	struct keeper *k = d->k;
	struct audit_challenge c;
	int err = audit_challenge_unpack(req->body, k->net, &c);

	if (err != ERR_OK)
		return err;
	if (!pubkey_equal(&c.auditor, &req->from.pub) || !keeper_is_self(k, &c.node))
		return ERR_AUTH;
	/* Before the first tour we do not know what we have, and deny nothing. */
	err = k->booted && !k->stopped ? spend(d, &c) : ERR_BUSY;
	if (err == ERR_OK)
		err = show_in_time(d, st, &c);
	k->status.audits_answered += err == ERR_OK;
	k->status.audits_busy += err == ERR_BUSY;
	return err;
}

int
audit_desk_new(struct keeper *k, struct audit_desk **out)
{
	struct audit_desk *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return ERR_NOMEM;
	d->k = k;
	endpoint_add_stream_method(
	    k->opts.endpoint, &(struct stream_method){ METHOD_AUDIT, serve_audit, d });
	*out = d;
	return ERR_OK;
}

void
audit_desk_free(struct audit_desk *d)
{
	if (d == NULL)
		return;
	free(d->recent);
	free(d);
}
