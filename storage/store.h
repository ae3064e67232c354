/*
 * The shard store of one node: preallocated segment files in one directory that hold
 * everything durable (shards, leases, siblings, marks), and a derived index that can be
 * deleted and rebuilt (index.h: LMDB, or memory for tests and simulation). doc/disk.md
 * has the formats and what a crash may leave behind.
 *
 * An acknowledgement (ERR_OK of shard_commit, store_lease) means durable: one
 * sync covers all that wait. After a failed sync the store stops acknowledging, reopens and
 * recovers by itself; it never retries the sync. Loop thread only; all blocking
 * work goes through env_offload to the disk workers.
 */
#ifndef STORAGE_STORE_H
#define STORAGE_STORE_H

#include "overlay/base/task.h"
#include "storage/descriptor.h"
#include "storage/lease.h"
#include "storage/merkle.h"

#define SEGMENT_BYTES         MIB(256)
/* Below this much free space on the disk, or above the capacity, shards are refused. */
#define STORE_RESERVE_BYTES   GIB(1)
/* Extents being written at once: bounds what a crash leaves as dead space. */
#define STORE_WRITERS_MAX     256
/* From here on room is made. */
#define STORE_CROWDED_PERCENT 90
#define SIBLINGS_BYTES_MAX    (40 * SHARDS_MAX)

struct store;
struct shard_writer;

struct store_opts {
	struct env *env; /* its disk is used */
	const char *dir; /* exists; the store makes its files inside and locks it */
	struct network_id net;
	uint64_t capacity_bytes;
	uint64_t segment_bytes; /* 0: SEGMENT_BYTES; smaller in tests, ≥ 1 MiB */
	uint64_t reserve_bytes; /* free disk to leave; UINT64_MAX: STORE_RESERVE_BYTES */
	bool index_in_memory;   /* else LMDB in dir/index */
	bool read_only;         /* check of a stopped node: changes nothing */
};
/* Recovers; ERR_BUSY when another process has it open, ERR_VERSION for a newer store (logged with
 * both). */
SUSPENDS int store_open(const struct store_opts *opts, struct store **out); /* gives */
/*
 * For a store that refuses: looks whether its reason is over (room on the disk, a disk that failed)
 * and takes up work again. Nothing else would: who is refused does not come again.
 */
SUSPENDS int store_probe(struct store *s);
/* Syncs, closes; all writers are gone. */
SUSPENDS void store_close(struct store *s);

/* ---- writing a shard: begin, append leaves in order, commit ---- */
/*
 * Reserves an extent for shard index of a chunk of this layout. ERR_FULL (capacity, reserve),
 * ERR_BUSY (STORE_WRITERS_MAX). The chunk's id is not known yet.
 */
SUSPENDS int shard_begin(struct store *s, const struct layout *layout, uint8_t index,
    struct shard_writer **out); /* gives */
/*
 * Hashes and writes whole leaves, in order: count leaves lying one behind the other at data, lent
 * until it returns. data should be DISK_ALIGN aligned (pool.h) for O_DIRECT; any other works,
 * slower.
 */
SUSPENDS int shard_append(struct shard_writer *w, const uint8_t *data, uint32_t count);
/*
 * All leaves are there: checks that their root is roots[index] of the descriptor (ERR_CORRUPT) and
 * that the lease names this chunk, writes the trailer, makes all durable, indexes. When the shard
 * is there already (same chunk and index) the extent is given back, the lease is taken over and
 * ERR_OK returned. ERR_STALE or ERR_LOCKED as store_lease(), and nothing is kept.
 * ERR_BUSY: the shard was being dropped, try again. Frees the writer whatever happens.
 */
SUSPENDS int shard_commit(
    struct shard_writer *w, const struct descriptor *d, const struct lease *lease);
/* Gives the extent back and frees; NULL is accepted. Never suspends. */
void shard_abort(struct shard_writer *w);

/* ---- reading ---- */
struct shard_info {
	struct hash chunk;
	uint8_t index;
	struct layout layout;
	uint64_t stored_unix_s;
};
/* All shards of a chunk that are here (at most SHARDS_MAX; commonly one): their indices. */
SUSPENDS int store_find(
    struct store *s, const struct hash *chunk, uint8_t *indices, size_t cap, size_t *count);
/* What the index says of one shard. ERR_NOT_FOUND. */
SUSPENDS int store_shard(
    struct store *s, const struct hash *chunk, uint8_t index, struct shard_info *out);
/* The descriptor of a chunk that has a shard here. */
SUSPENDS int store_descriptor(struct store *s, const struct hash *chunk, struct descriptor *out);
/*
 * Reads count leaves of a shard from leaf first on into dst (DISK_ALIGN aligned, room for
 * count · LEAF_BYTES rounded up to DISK_ALIGN). Does not verify hashes. ERR_NOT_FOUND, ERR_INVALID
 * (range).
 */
SUSPENDS int store_read(struct store *s, const struct hash *chunk, uint8_t index, uint32_t first,
    uint32_t count, uint8_t *dst, size_t *len);
/* The hashes of all leaves, for proofs; out has room for LEAVES_MAX. */
SUSPENDS int store_leaf_hashes(
    struct store *s, const struct hash *chunk, uint8_t index, struct hash *out, uint32_t *count);
/* Reads a whole shard and checks every leaf and the root: ERR_CORRUPT. */
SUSPENDS int store_verify(struct store *s, const struct hash *chunk, uint8_t index);
/* Drops a shard (durably, with a deletion mark), whatever leases say. */
SUSPENDS int store_drop(struct store *s, const struct hash *chunk, uint8_t index);
/*
 * Drops one whose leases are over: until is the latest date that they asked for when that was
 * decided (unix seconds; 0: all were deleted). ERR_STATE, and it stays: one asks for longer now.
 */
SUSPENDS int store_drop_ended(
    struct store *s, const struct hash *chunk, uint8_t index, uint64_t until_unix_s);

/* ---- leases and siblings: small durable records ---- */
/*
 * Keeps a lease for a chunk that is here: ERR_NOT_FOUND otherwise, ERR_STALE when one is known that
 * supersedes it, ERR_LOCKED when it would lower a lock, ERR_OK again for the same one. Durable when
 * it returns.
 */
SUSPENDS int store_lease(struct store *s, const struct lease *l);
SUSPENDS int store_leases(
    struct store *s, const struct hash *chunk, struct lease *out, size_t cap, size_t *count);
/*
 * Forgets leases and siblings of a chunk that has no shard here any more (ERR_STATE otherwise),
 * durably. A drop keeps them: a deleted chunk's tombstone outlives its shard. What stays are
 * the generations, so that an old lease cannot come back.
 */
SUSPENDS int store_forget(struct store *s, const struct hash *chunk);
/* Who else holds the chunk: opaque bytes (siblings.h), the newest sequence wins; not synced on its
 * own. */
SUSPENDS int store_set_siblings(
    struct store *s, const struct hash *chunk, uint64_t sequence, struct bytes siblings);
SUSPENDS int store_siblings(
    struct store *s, const struct hash *chunk, uint64_t *sequence, struct buf *out);

/* Walking over all shards: store_walk.h. Values, small durable state of other parts of the node:
 * store_values.h. */

/* ---- sight ---- */
struct store_status {
	uint64_t shards, chunks, bytes_used, bytes_dead, capacity, reserve, disk_free;
	uint64_t segments, writers, commits, syncs, sync_failures, rot;
	uint64_t compactions, compacted_bytes;
	uint64_t recovered_records; /* by the last open, behind the index's position */
	bool refusing;              /* full or failed */
	bool crowded;               /* more than STORE_CROWDED_PERCENT of the capacity is used */
};
void store_status(const struct store *s, struct store_status *out);

#endif
