/*
 * What the segments say, merged in the index: which shard lies where, leases, siblings, values.
 * Pure rules over index transactions: no segment is read or written here.
 *
 * Everything durable carries an `order`, a number that only grows over the life of a store.
 * The rules depend on orders and generations, not on the sequence in which things are told,
 * so replaying segments in any sequence and twice gives the same catalog:
 *
 *	shard, drop   by (chunk, index): the highest order wins
 *	lease         by (chunk, lease key): the longest lock, then the highest generation, then
 *	              the highest order
 *	siblings      by chunk: the highest sequence, then the highest order
 *	value         by (space, key): the highest order wins
 *
 * What is dropped, removed or forgotten leaves a tombstone with its order and generation.
 *
 * A shard found by recovery was perhaps never synced as a whole: it is SHARD_UNPROVEN
 * until somebody has read it and checked its hashes, and counts as there only then.
 */
#ifndef STORAGE_CATALOG_H
#define STORAGE_CATALOG_H

#include "storage/index.h"
#include "storage/segment.h"

#define CATALOG_VERSION 2

/* ---- about the whole ---- */
struct catalog_meta {
	struct store_id store;
	struct place position; /* all before it is in the index */
	uint64_t order;        /* above every order used */
	/* Kept by the rules below, never set from outside. */
	uint64_t chunks; /* with a shard here */
	uint64_t shards, shard_bytes, record_bytes;
};
/* ERR_NOT_FOUND: an empty index; ERR_VERSION: rebuild. */
int catalog_meta(struct index_txn *txn, struct catalog_meta *out);
/* Sets store, position and order. An empty index needs it before anything is added. */
int catalog_set_meta(struct index_txn *txn, const struct catalog_meta *meta);

/* ---- sums of one segment ---- */
struct segment_sums {
	uint64_t shards, shard_bytes; /* live shards, whole extents */
	uint64_t records, record_bytes;
	uint64_t end; /* no extent that the index knows lies behind */
	uint64_t records_end;
};
int catalog_sums(struct index_txn *txn, uint64_t segment, struct segment_sums *out); /* zeros too */
/* Forgets a segment's sums. ERR_STATE: shards are still there. */
int catalog_retire(struct index_txn *txn, uint64_t segment);
/* The first segment with sums whose id is ≥ *segment; ERR_NOT_FOUND at the end. */
int catalog_next_sums(struct index_txn *txn, uint64_t *segment, struct segment_sums *out);
/* A walk from that offset on met what the disk refused: the next start walks again. 0: none is due.
 */
int catalog_set_unread(struct index_txn *txn, uint64_t segment, uint64_t from);
int catalog_unread(struct index_txn *txn, uint64_t segment, uint64_t *from);

/* ---- shards ---- */
/* A shard is moved by compaction once in months, and its old segment goes. */
#define COPIES_MAX 4
enum shard_state { SHARD_LIVE = 1, SHARD_UNPROVEN = 2, SHARD_DROPPED = 3 };

struct shard_entry {
	enum shard_state state;
	uint64_t order;
	uint8_t index, k, n;
	struct place place;
	uint64_t chunk_bytes;
	uint64_t stored_unix_s;
	/* Segments that hold an extent of it, whole or dead: while one is there a drop is
	 * remembered. More than fit: for ever, which takes that many moves within a day. */
	uint8_t copies_count;
	bool copies_more;
	uint64_t copies[COPIES_MAX];
};
int catalog_shard(struct index_txn *txn, const struct hash *chunk, uint8_t index,
    struct shard_entry *out); /* ERR_NOT_FOUND; dropped ones are found */
/* The shard of the chunk, live or unproven, with the smallest index ≥ index. ERR_NOT_FOUND. */
int catalog_next_shard(
    struct index_txn *txn, const struct hash *chunk, unsigned index, struct shard_entry *out);
/* The smallest chunk ≥ from with a shard, live or unproven. ERR_NOT_FOUND. */
int catalog_next_chunk(struct index_txn *txn, const struct hash *from, struct hash *chunk);
/* The next name in order, for walking; false after the last one. */
bool catalog_hash_next(struct hash *h);
int catalog_add_shard(struct index_txn *txn, const struct hash *chunk, const struct shard_entry *e);
/* The shard of this order that lay at from lies at e's place now. ERR_STALE: it does not. */
int catalog_move_shard(struct index_txn *txn, const struct hash *chunk, const struct shard_entry *e,
    struct place from);
/* Somebody has checked an unproven shard of this order: it is live, or as good as dropped. */
int catalog_prove(
    struct index_txn *txn, const struct hash *chunk, uint8_t index, uint64_t order, bool good);

/* ---- forgetting (catalog_sweep.c) ---- */
/* What nothing depends on any more goes. In steps; each begins where the last one ended. */
struct catalog_sweep {
	uint64_t now_unix_s;
	const uint64_t *segments; /* that are there, ascending; newer ones than the last are, too */
	size_t segments_count;
	size_t most; /* entries of one step */
	/* Where it is; zeros to begin. */
	uint8_t from[INDEX_KEY_MAX];
	size_t from_len;
	bool ended;
	/* Over all steps: looked at; gone; leases that stay of chunks without a shard. */
	uint64_t seen, gone, bare;
};
int catalog_sweep_step(
    struct index_txn *txn, const struct catalog_sweep *at, struct catalog_sweep *next);

/* ---- small records ---- */
/* ERR_STALE when a newer one is known (nothing changes). */
int catalog_add_record(struct index_txn *txn, const struct record *r);
/* Under this lease key so late a date was promised. */
int catalog_promise(
    struct index_txn *txn, const struct hash *chunk, const struct pubkey *key, uint64_t promised);
/* Whether this very record is what counts now: ERR_OK; ERR_NOT_FOUND: a newer one does. */
int catalog_is_current(struct index_txn *txn, const struct record *r);
/* A group of records lies there: for the sums; told twice counts once. */
int catalog_add_group(struct index_txn *txn, struct place place, uint64_t bytes);

/* What they give is lent by the transaction. All: ERR_NOT_FOUND. */
struct lease_entry {
	struct pubkey key;
	struct lease_rank rank;
	uint64_t order;
	struct bytes packed; /* as lease_keep() has it; empty: forgotten */
};
int catalog_lease(struct index_txn *txn, const struct hash *chunk, const struct pubkey *key,
    struct lease_entry *out);
/* The smallest lease key > after; NULL: the first one. */
int catalog_next_lease(struct index_txn *txn, const struct hash *chunk, const struct pubkey *after,
    struct lease_entry *out);
/* The smallest chunk ≥ from with a lease that is not forgotten, with or without a shard here. */
int catalog_next_leased(struct index_txn *txn, const struct hash *from, struct hash *chunk);
int catalog_siblings(
    struct index_txn *txn, const struct hash *chunk, uint64_t *sequence, struct bytes *value);
int catalog_value(
    struct index_txn *txn, uint8_t space, const struct hash *key, struct bytes *value);
/* The smallest key ≥ from of the space. */
int catalog_next_value(struct index_txn *txn, uint8_t space, const struct hash *from,
    struct hash *key, struct bytes *value);

#endif
