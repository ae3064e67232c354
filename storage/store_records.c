/*
 * Leases, siblings and deletion marks: small records through the group commit, and looking them up.
 * Look-ups run in workers on one view of the index.
 */
#include <stdlib.h>

#include "overlay/base/buf.h"
#include "storage/store_impl.h"
#include "storage/store_walk.h"

static_assert(SIBLINGS_BYTES_MAX <= RECORD_VALUE_MAX, "siblings are a value");

struct lookup {
	struct index *index;
	index_fn *fn;
	void *arg;
};

static int
lookup_run(void *arg)
{
	struct lookup *l = arg;
	int err = index_read(l->index, l->fn, l->arg);

	return err == ERR_CORRUPT ? ERR_IO : err;
}

int
store_look_up(struct store *s, index_fn *fn, void *arg)
{
	struct lookup l = { s->index, fn, arg };

	return env_offload(s->env, WORK_DISK, lookup_run, &l, 0);
}

static SUSPENDS int
commit_record(struct store *s, const struct record *r, bool needs_chunk)
{
	struct commit c = { .kind = COMMIT_RECORD, .record = *r, .needs_chunk = needs_chunk };

	must(!s->read_only);
	return store_commit(s, &c);
}

int
store_drop(struct store *s, const struct hash *chunk, uint8_t index)
{
	struct record r = { .kind = RECORD_DROP, .chunk = *chunk, .index = index };

	return commit_record(s, &r, false);
}

int
store_drop_ended(struct store *s, const struct hash *chunk, uint8_t index, uint64_t until_unix_s)
{
	struct commit c = { .kind = COMMIT_RECORD,
		.record = { .kind = RECORD_DROP, .chunk = *chunk, .index = index },
		.ended = true,
		.until = until_unix_s };

	must(!s->read_only);
	return store_commit(s, &c);
}

/* ---- leases ---- */

int
store_lease(struct store *s, const struct lease *l)
{
	uint8_t text[LEASE_KEPT_MAX], kept[LEASE_KEPT_MAX];
	struct commit c = { .kind = COMMIT_RECORD, .needs_chunk = true, .kept = kept };

	must(!s->read_only);
	c.record = (struct record){ .kind = RECORD_LEASE,
		.chunk = l->chunk,
		.lease_key = l->key,
		.generation = l->generation,
		.value = bytes_of(text, lease_keep(l, s->net, text)) };
	return store_commit(s, &c);
}

struct leases_query {
	struct store *store;
	const struct hash *chunk;
	struct lease *out;
	size_t cap, count, bad;
};

static int
list_leases(void *arg, struct index_txn *txn)
{
	struct leases_query *q = arg;
	struct lease_entry e;
	struct pubkey after;
	bool first = true;
	int err = ERR_OK;

	q->count = q->bad = 0;
	while (q->count < q->cap) {
		err = catalog_next_lease(txn, q->chunk, first ? NULL : &after, &e);
		if (err != ERR_OK)
			break;
		first = false;
		after = e.key;
		if (e.packed.len == 0)
			continue; /* forgotten */
		/* Checked when it came: one that does not unpack now has rotted, the others count.
		 */
		if (lease_read(e.packed, q->store->net, &q->out[q->count]) == ERR_OK)
			q->count++;
		else
			q->bad++;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
store_leases(
    struct store *s, const struct hash *chunk, struct lease *out, size_t cap, size_t *count)
{
	struct leases_query q = { .store = s, .chunk = chunk, .out = out, .cap = cap };
	int err = store_look_up(s, list_leases, &q);

	if (err != ERR_OK)
		return err;
	if (q.bad > 0) {
		s->status.rot += q.bad;
		log_error(s->env, "store %s: %zu leases of a chunk are damaged", s->dir, q.bad);
	}
	*count = q.count;
	return ERR_OK;
}

/* ---- siblings ---- */

struct siblings_query {
	const struct hash *chunk;
	bool chunk_is_here;
	int found; /* ERR_OK or ERR_NOT_FOUND */
	uint64_t sequence;
	struct buf *out; /* NULL: the sequence is enough */
};

static int
get_siblings(void *arg, struct index_txn *txn)
{
	struct siblings_query *q = arg;
	struct shard_entry any;
	struct bytes value;
	int err = catalog_next_shard(txn, q->chunk, 0, &any);

	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	q->chunk_is_here = err == ERR_OK;
	q->found = catalog_siblings(txn, q->chunk, &q->sequence, &value);
	if (q->found != ERR_OK && q->found != ERR_NOT_FOUND)
		return q->found;
	if (q->found == ERR_NOT_FOUND || q->out == NULL)
		return ERR_OK;
	buf_reset(q->out);
	return buf_append(q->out, value.data, value.len);
}

/* What is there, also what waits for the next sync. */
static SUSPENDS int
look_for_siblings(struct store *s, struct siblings_query *q)
{
	const struct record *waiting;
	int err = store_look_up(s, get_siblings, q);

	if (err != ERR_OK)
		return err;
	waiting = store_lazy(s, RECORD_SIBLINGS, q->chunk);
	if (waiting != NULL && (q->found != ERR_OK || waiting->generation > q->sequence)) {
		buf_reset(q->out);
		err = buf_append(q->out, waiting->value.data, waiting->value.len);
		q->found = ERR_OK;
		q->sequence = waiting->generation;
	}
	return err;
}

/* Of two lists under one number the second is no newer: whoever made it did not know the first. */
static int
compare_siblings(const struct siblings_query *q, uint64_t sequence, struct bytes siblings)
{
	bool same = q->out->len == siblings.len &&
		    (siblings.len == 0 || memcmp(q->out->data, siblings.data, siblings.len) == 0);

	return q->sequence == sequence && same ? ERR_OK : ERR_STALE;
}

int
store_set_siblings(
    struct store *s, const struct hash *chunk, uint64_t sequence, struct bytes siblings)
{
	struct record r = {
		.kind = RECORD_SIBLINGS, .chunk = *chunk, .generation = sequence, .value = siblings
	};
	struct siblings_query q = { .chunk = chunk };
	struct buf there;
	int err;

	must(!s->read_only);
	if (siblings.len > SIBLINGS_BYTES_MAX)
		return ERR_TOO_BIG;
	buf_init(&there, SIBLINGS_BYTES_MAX);
	q.out = &there;
	err = look_for_siblings(s, &q);
	if (err == ERR_OK && !q.chunk_is_here)
		err = ERR_NOT_FOUND;
	if (err == ERR_OK && q.found == ERR_OK && q.sequence >= sequence)
		err = compare_siblings(&q, sequence, siblings);
	else if (err == ERR_OK && s->lazy_count >= LAZY_MAX)
		err = commit_record(s, &r, true);
	else if (err == ERR_OK)
		err = store_commit_lazy(s, &r);
	buf_fini(&there);
	return err;
}

int
store_siblings(struct store *s, const struct hash *chunk, uint64_t *sequence, struct buf *out)
{
	struct siblings_query q = { .chunk = chunk, .out = out };
	int err = look_for_siblings(s, &q);

	if (err != ERR_OK)
		return err;
	if (q.found == ERR_OK)
		*sequence = q.sequence;
	return q.found;
}

/* ---- forgetting ---- */

#define FORGET_STEP 16 /* leases of one chunk per look: more than one owner is rare */

struct forget_query {
	const struct hash *chunk;
	struct record marks[FORGET_STEP + 1];
	size_t count;
};

/* What is kept of the chunk, as marks that take it away. */
static int
list_kept(void *arg, struct index_txn *txn)
{
	struct forget_query *q = arg;
	struct lease_entry e;
	struct pubkey after;
	struct bytes value;
	uint64_t sequence;
	bool first = true;
	int err = catalog_siblings(txn, q->chunk, &sequence, &value);

	q->count = 0;
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	if (err == ERR_OK)
		q->marks[q->count++] = (struct record){
			.kind = RECORD_SIBLINGS, .chunk = *q->chunk, .generation = sequence
		};
	while (q->count < FORGET_STEP) {
		err = catalog_next_lease(txn, q->chunk, first ? NULL : &after, &e);
		if (err != ERR_OK)
			break;
		first = false;
		after = e.key;
		if (e.packed.len > 0)
			q->marks[q->count++] = (struct record){ .kind = RECORD_LEASE,
				.chunk = *q->chunk,
				.lease_key = e.key,
				.generation = e.rank.generation };
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
store_forget(struct store *s, const struct hash *chunk)
{
	struct forget_query *q = malloc(sizeof(*q));
	int err = ERR_OK;

	must(!s->read_only);
	if (q == NULL)
		return ERR_NOMEM;
	q->chunk = chunk;
	do {
		err = store_look_up(s, list_kept, q);
		for (size_t i = 0; err == ERR_OK && i < q->count; i++) {
			struct commit c = {
				.kind = COMMIT_RECORD, .record = q->marks[i], .forgets = true
			};

			err = store_commit(s, &c);
			if (err == ERR_STALE)
				err = ERR_OK; /* a newer one came: the next look sees it */
		}
	} while (err == ERR_OK && q->count > 0);
	free(q);
	return err;
}

/* ---- walking ---- */

struct list_query {
	const struct hash *from;
	struct shard_name *out;
	size_t cap, count;
};

/* All shards of a chunk, or none where they do not fit any more: ERR_FULL. */
static int
list_chunk(struct list_query *q, struct index_txn *txn, const struct hash *chunk)
{
	size_t before = q->count;
	unsigned next = 0;
	struct shard_entry e;
	int err;

	while ((err = catalog_next_shard(txn, chunk, next, &e)) == ERR_OK) {
		if (q->count == q->cap) {
			q->count = before;
			return ERR_FULL;
		}
		q->out[q->count++] = (struct shard_name){
			.chunk = *chunk, .index = e.index, .unproven = e.state == SHARD_UNPROVEN
		};
		next = e.index + 1u;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
list_chunks(void *arg, struct index_txn *txn)
{
	struct list_query *q = arg;
	struct hash from = *q->from, chunk;
	int err;

	q->count = 0;
	while ((err = catalog_next_chunk(txn, &from, &chunk)) == ERR_OK) {
		err = list_chunk(q, txn, &chunk);
		from = chunk;
		if (err != ERR_OK || !catalog_hash_next(&from))
			break;
	}
	return err == ERR_FULL || err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
store_list(
    struct store *s, struct shard_walk *walk, struct shard_name *out, size_t cap, size_t *count)
{
	struct list_query q = { .from = &walk->from, .out = out, .cap = cap };
	int err;

	must(cap >= SHARDS_MAX);
	err = walk->ended ? ERR_OK : store_look_up(s, list_chunks, &q);
	if (err != ERR_OK)
		return err;
	*count = q.count;
	if (q.count > 0) {
		walk->from = out[q.count - 1].chunk;
		walk->ended = !store_name_after(&walk->from);
	}
	return ERR_OK;
}
