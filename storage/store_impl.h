/*
 * What the files of the store share; nobody else includes this. All state belongs to the
 * loop thread. Workers get the log and the index, which are safe for threads, and structs on the
 * stack of a task that waits for them.
 */
#ifndef STORAGE_STORE_IMPL_H
#define STORAGE_STORE_IMPL_H

#include "storage/catalog.h"
#include "storage/seglog.h"
#include "storage/store_commit.h"
#include "storage/segwalk.h"
#include "storage/young.h"

#define STORE_PATH_MAX 1024
/* Siblings that wait for a ride with the next sync; beyond, they are synced at once. */
#define LAZY_MAX       256
/* They wait no longer than this. */
#define LAZY_DELAY     SECONDS(2)
/* After a failed recovery, so that a dead disk is not hammered by every request. */
#define RESUME_DELAY   SECONDS(1)
/* Buffers kept for reuse: as many as disk workers. */
#define SPARE_BUFFERS  4
/* Writers kept for reuse, 100 KiB each. */
#define SPARE_WRITERS  32

/* ---- writers ---- */
struct begin;
struct shard_writer {
	struct store *store;
	struct shard_writer *prev, *next; /* in store->writers: ascending places */
	bool listed;                      /* the extent is not resolved: positions stay before it */
	bool in_batch;                    /* its commit is being made durable */
	bool busy;                        /* a call is running */
	bool lost;                        /* the store has recovered since: nothing of it counts */
	bool moves;                       /* compaction: capacity and reserve do not hold it up */
	int failed;                       /* first error of a write */
	struct layout layout;
	uint8_t index;
	struct extent extent;
	uint64_t extent_bytes;
	uint32_t done; /* leaves written */
	/* Of a running commit. */
	struct shard_writer *committing_next;
	bool committing;
	struct hash chunk;
	struct gate_waiter *conflicts; /* commits of the same shard that wait for this one */
	struct hash *leaves;           /* LEAVES_MAX */
	uint8_t *scratch;              /* aligned, LEAF_BYTES: unaligned leaves, then the trailer */
};

/* While a trailer is packed at the front of the scratch, its parts lie behind it. */
#define SCRATCH_DESCRIPTOR KIB(48)
#define SCRATCH_LEASE      KIB(60)
static_assert(TRAILER_BYTES_MAX + SEGMENT_BLOCK <= SCRATCH_DESCRIPTOR, "parts of the scratch");
static_assert(SCRATCH_DESCRIPTOR + DESCRIPTOR_BYTES_MAX <= SCRATCH_LEASE, "parts of the scratch");
static_assert(SCRATCH_LEASE + LEASE_BYTES_MAX <= LEAF_BYTES, "parts of the scratch");

#define SPARED_MAX 8
struct spared {
	uint64_t segment, until; /* env_now scale */
};

struct store {
	struct env *env;
	struct network_id net;
	uint64_t capacity, reserve, segment_bytes;
	bool read_only, index_in_memory;
	struct file *lock;
	struct seglog *log;
	struct index *index;
	struct catalog_meta meta; /* as of the last commit */
	uint64_t order;           /* the next to give out */
	struct place head; /* all extents before it are in writers, in a batch, or resolved */

	int failed; /* ERR_OK, or why nothing is acknowledged now */
	uint64_t resume_at;
	struct carried carried;

	struct gate gate; /* of the log's head */
	struct shard_writer *writers, *writers_tail;
	size_t writers_count;
	struct shard_writer *committing;
	struct begin *begins, *begins_tail;
	bool beginning;
	uint64_t begin_bytes; /* asked for, not reserved yet */

	struct commit *commits, *commits_tail;
	bool batch_running;
	struct commit *batch; /* what the running batch has taken */
	struct young young;
	struct commit *lazy, *lazy_tail;
	size_t lazy_count;
	struct timer lazy_timer;
	struct task_group tasks;

	struct shard_writer *spare_writers;
	size_t spare_writers_count;
	/* Compaction. */
	bool compacting;
	struct spared spared[SPARED_MAX]; /* segments that are mostly alive */
	size_t spared_next;
	unsigned epoch;    /* counts retired segments */
	size_t readers[2]; /* works on shards that began in an even, an odd epoch */

	uint8_t *spare_buffers[SPARE_BUFFERS];
	size_t spare_buffers_count;

	/* Or NULL: store_on_lost. */
	void (*lost)(void *arg, const struct hash *chunk, uint8_t index);
	void *lost_arg;

	struct store_status status; /* counters; the rest is filled in when asked */
	uint64_t disk_free;
	bool disk_low;
	char dir[STORE_PATH_MAX];
};

/* Draws what a new segment may need. */
struct seglog_fresh store_fresh(struct store *s);
/* Aligned, SHARD_CHECK_BYTES; NULL: no memory. */
uint8_t *store_buffer_get(struct store *s);
void store_buffer_put(struct store *s, uint8_t *buffer);

/* A shard has gone because it was not whole. */
void store_lost(struct store *s, const struct hash *chunk, uint8_t index);

/* store_write.c */
void store_writers_fini(struct store *s);
void writer_unlist(struct shard_writer *w);

/* For compaction: may exceed the capacity and use the reserve, which is what they are for. */
SUSPENDS int shard_begin_moving(
    struct store *s, const struct layout *layout, uint8_t index, struct shard_writer **out);
/* As shard_commit, for a copy of from, whose order and date it keeps. ERR_STALE: from is not there
 * any more; ERR_CORRUPT: the leaves are not what the descriptor promises. */
SUSPENDS int shard_commit_moved(struct shard_writer *w, const struct descriptor *d,
    const struct lease *lease, const struct shard_entry *from);

/* store_read.c: what a reader looks up in the index stays readable until it ends. Drain waits for
 * all that read now; who begins later sees the newest index. */
unsigned store_reader_begin(struct store *s);
void store_reader_end(struct store *s, unsigned which);
SUSPENDS void store_readers_drain(struct store *s);
/* Reads the trailer of an entry into buffer (SHARD_CHECK_BYTES), which it lends. In a worker. */
int shard_trailer(struct seglog *log, const struct shard_entry *e, uint8_t *buffer,
    struct extent_header *h, struct trailer *out);
/*
 * Header, trailer and all leaves of an entry, and that they belong to this chunk: ERR_CORRUPT.
 * frame, buffer: aligned, SHARD_CHECK_BYTES. In a worker.
 */
int shard_check_entry(struct seglog *log, const struct hash *chunk, const struct shard_entry *e,
    uint8_t *frame, uint8_t *buffer);
/*
 * Reads an unproven shard and settles what it is: ERR_OK, it is whole and live now; ERR_NOT_FOUND,
 * it never was (or has rotted) and counts as dropped; other errors decide nothing.
 */
SUSPENDS int store_prove(struct store *s, const struct hash *chunk, const struct shard_entry *e);

#endif
