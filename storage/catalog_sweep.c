/*
 * What may be forgotten, decided entry by entry:
 *
 *	drop       when no segment is left that holds an extent of its shard: nothing could bring
 *	           it back
 *	lease      a tombstone, too: when all that was ever promised under it is over, a courtesy
 *	           and the clocks' slack later; of a chunk that is here only beside a lease that
 *	           runs
 *	siblings   of a chunk that is not here
 *
 * Only the index forgets here. Records in segments follow, since compaction copies what is current;
 * an index that is built anew from older segments learns them again, and forgets them again.
 */
#include "storage/catalog_private.h"

#define KEEP_BEYOND_S (LEASE_COURTESY_S + LEASE_CLOCK_SLACK_S)

struct visit {
	struct index_txn *txn;
	const struct catalog_sweep *sweep;
	struct bytes key;
	uint64_t gone, bare;
};

static bool
segment_is_there(const struct catalog_sweep *w, uint64_t segment)
{
	size_t low = 0, high = w->segments_count;

	if (high == 0 || segment > w->segments[high - 1])
		return true; /* made since */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->segments[middle] == segment)
			return true;
		if (w->segments[middle] < segment)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static int
forget(struct visit *v)
{
	v->gone++;
	return index_del(v->txn, v->key);
}

static int
chunk_is_here(struct index_txn *txn, const struct hash *chunk, bool *out)
{
	struct shard_entry e;
	int err = catalog_next_shard(txn, chunk, 0, &e);

	*out = err == ERR_OK;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
visit_shard(struct visit *v, const struct hash *chunk)
{
	struct shard_entry e;
	uint8_t before;
	int err = catalog_shard(v->txn, chunk, v->key.data[33], &e);

	if (err != ERR_OK)
		return err;
	before = e.copies_count;
	e.copies_count = 0;
	for (size_t i = 0; i < before; i++) {
		if (segment_is_there(v->sweep, e.copies[i]))
			e.copies[e.copies_count++] = e.copies[i];
	}
	if (e.state == SHARD_DROPPED && e.copies_count == 0 && !e.copies_more)
		return forget(v);
	return e.copies_count == before ? ERR_OK : catalog_put_shard(v->txn, chunk, &e);
}

/* Whether another lease than the one of key keeps the chunk. */
static int
another_runs(struct visit *v, const struct hash *chunk, const struct pubkey *key, bool *out)
{
	struct lease_entry e;
	struct pubkey after;
	bool first = true;
	int err;

	*out = false;
	while ((err = catalog_next_lease(v->txn, chunk, first ? NULL : &after, &e)) == ERR_OK) {
		first = false;
		after = e.key;
		if (!pubkey_equal(&e.key, key) && lease_kept_until(e.packed) > v->sweep->now_unix_s)
			*out = true;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Of an older version: nobody knows what was promised, but nobody promises for longer than this. */
static int
date_tombstone(struct visit *v, const struct hash *chunk, const struct pubkey *key)
{
	return catalog_promise(v->txn, chunk, key, v->sweep->now_unix_s + LEASE_AHEAD_MAX_S);
}

static int
visit_lease(struct visit *v, const struct hash *chunk)
{
	struct lease_entry e;
	struct pubkey key;
	uint64_t promised;
	bool here, runs = true;
	int err;

	memcpy(key.b, v->key.data + 33, sizeof(key.b));
	err = chunk_is_here(v->txn, chunk, &here);
	/* Last: the next look would end what it lends. */
	if (err == ERR_OK)
		err = catalog_lease(v->txn, chunk, &key, &e);
	if (err != ERR_OK)
		return err;
	promised = lease_kept_promised(e.packed);
	if (promised == 0 && e.packed.len > 0)
		return date_tombstone(v, chunk, &key);
	if (promised + KEEP_BEYOND_S >= v->sweep->now_unix_s) {
		v->bare += !here;
		return ERR_OK;
	}
	if (here)
		err = another_runs(v, chunk, &key, &runs);
	return err == ERR_OK && runs ? forget(v) : err;
}

static int
visit_siblings(struct visit *v, const struct hash *chunk)
{
	bool here;
	int err = chunk_is_here(v->txn, chunk, &here);

	return err == ERR_OK && !here ? forget(v) : err;
}

static int
visit_one(struct visit *v)
{
	struct hash chunk;

	if (v->key.len < 1 + sizeof(chunk.b))
		return ERR_OK;
	memcpy(chunk.b, v->key.data + 1, sizeof(chunk.b));
	switch (v->key.data[0]) {
	case 'S':
		return v->key.len == 1 + 32 + 1 ? visit_shard(v, &chunk) : ERR_CORRUPT;
	case 'L':
		return v->key.len == 1 + 32 + 32 ? visit_lease(v, &chunk) : ERR_CORRUPT;
	case 'B':
		return visit_siblings(v, &chunk);
	default:
		return ERR_OK;
	}
}

int
catalog_sweep_step(
    struct index_txn *txn, const struct catalog_sweep *at, struct catalog_sweep *next)
{
	struct catalog_sweep w = *at;
	int err = ERR_OK;

	if (w.from_len == 0)
		w.from[w.from_len++] = 'B'; /* the first of the letters */

	for (size_t i = 0; i < w.most && err == ERR_OK; i++) {
		struct bytes key, value;
		uint8_t text[INDEX_KEY_MAX];
		struct visit v = { .txn = txn, .sweep = &w };

		err = index_seek(txn, bytes_of(w.from, w.from_len), &key, &value);
		if (err != ERR_OK)
			break;
		must(key.len < sizeof(text));
		memcpy(text, key.data, key.len);
		v.key = bytes_of(text, key.len);
		err = visit_one(&v);
		w.seen++;
		w.gone += v.gone;
		w.bare += v.bare;
		memcpy(w.from, text, key.len);
		w.from[key.len] = 0; /* the smallest key behind this one */
		w.from_len = key.len + 1;
	}
	w.ended = err == ERR_NOT_FOUND;
	if (err == ERR_OK || err == ERR_NOT_FOUND)
		*next = w;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}
