/*
 * Commits: how the parts of the store ask for something to be made durable. Private to the
 * store. Loop thread only.
 */
#ifndef STORAGE_STORE_COMMIT_H
#define STORAGE_STORE_COMMIT_H

#include "storage/catalog.h"
#include "storage/seglog.h"
#include "storage/store.h"

struct shard_writer;

/* One holder at a time, first come, first served; entering cannot be cancelled. */
struct gate_waiter {
	struct wait wait;
	struct gate_waiter *next;
};
struct gate {
	bool busy;
	struct gate_waiter *head, *tail;
};
SUSPENDS void gate_enter(struct env *env, struct gate *g);
void gate_leave(struct gate *g);

enum commit_kind {
	COMMIT_SHARD,  /* its trailer is written: sync, index */
	COMMIT_RECORD, /* write, sync, index */
	COMMIT_PROOF,  /* index only */
	COMMIT_RETIRE, /* index only: a segment in which nothing counts any more */
	COMMIT_SWEEP,  /* index only: forgets what nothing depends on */
	COMMIT_FLUSH,  /* nothing of its own: takes the lazy ones along, or resumes */
	COMMIT_SETTLE, /* index only: the young values */
};
struct commit {
	enum commit_kind kind;
	struct wait wait;
	struct commit *next;
	int result;
	bool settled; /* result is known, nothing is left to do */
	/* COMMIT_SHARD */
	struct shard_writer *writer;
	struct shard_entry shard; /* and COMMIT_PROOF */
	/* Of a shard its lease; COMMIT_RECORD. value: lent by the waiting task, or own when lazy.
	 */
	struct record record;
	uint8_t *kept; /* of a lease: LEASE_KEPT_MAX, lent; what goes to the disk with its note */
	bool needs_chunk; /* ERR_NOT_FOUND unless the chunk is here */
	bool forgets;     /* ERR_STATE while it is; the value is empty */
	bool ended;       /* of a drop: ERR_STATE when a lease asks for the chunk beyond until */
	uint64_t until;
	/* COMMIT_PROOF */
	bool good;
	/* Compaction: of a shard the place it moves from; a record as it was, if it still counts.
	 */
	bool moves, copies;
	struct place from;
	uint64_t segment;                     /* COMMIT_RETIRE */
	const struct catalog_sweep *sweep_at; /* COMMIT_SWEEP; lent, as the next */
	struct catalog_sweep *sweep_next;
	bool lazy;                 /* nobody waits: freed after its batch */
	struct young_value *young; /* own: a copy of a value that is to be young */
	/* Not without that one, which was queued before and is lent until this one is settled; or
	 * NULL. */
	const struct commit *after;
};

static inline void
commit_settle(struct commit *c, int result)
{
	c->result = result;
	c->settled = true;
}

/* The result of a wait that hands over the lead of a queue. */
#define LEAD      1
/* Commits of one batch: bounds its memory and how long the first waits for the last. */
#define BATCH_MAX 1024

/* Marks whose fate is unknown after a failed batch: repeated before anything else. */
struct carried {
	struct record *marks;
	size_t count;
};

/* store_commit.c: runs c through a batch and gives its result. Not cancellable. */
SUSPENDS int store_commit(struct store *s, struct commit *c);
/* The same for many, which then share batches; the first error. */
SUSPENDS int store_commit_all(struct store *s, struct commit *c, size_t count);
/* store_records.c: fn with the index, in a worker; damage of the index says nothing about what is
 * kept: ERR_IO. */
SUSPENDS int store_look_up(struct store *s, index_fn *fn, void *arg);
/* ERR_OK, or why not; tries to come back when it is time. */
SUSPENDS int store_ready(struct store *s);

/* store_news.c: settles a record of a batch (its first commit) that need not be written. */
int commit_news(struct index_txn *txn, const struct commit *batch, struct commit *c);

/* store_resume.c: by the leader of the commits only. */
SUSPENDS int store_resume(struct store *s);
void store_lose_writers(struct store *s);
/* Finishes the header of a group of len bytes in text (aligned, whole blocks) and writes it. */
int store_write_group(struct seglog *log, uint8_t *text, size_t len, const struct extent *at);

/* store_lazy.c: queues a copy of r to ride with the next batch. ERR_NOMEM. */
int store_commit_lazy(struct store *s, const struct record *r);
/* The one that waits, lent until the next suspension; NULL. */
const struct record *store_lazy(
    const struct store *s, enum record_kind kind, const struct hash *chunk);
SUSPENDS int store_lazy_flush(struct store *s);
void store_lazy_init(struct store *s);
void store_lazy_fini(struct store *s);

#endif
