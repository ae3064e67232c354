/*
 * Repair as an operator looks at it: what waits, most endangered first, and what runs. For status
 * and tests; keeper.h has the sums.
 */
#ifndef STORAGE_KEEPER_SIGHT_H
#define STORAGE_KEEPER_SIGHT_H

#include "storage/keeper.h"

/* Why a chunk that is due is not being repaired by this node. */
enum due_state {
	DUE_RUNNING, /* it is */
	DUE_OURS,    /* nothing: as soon as a repair has ended */
	DUE_RANK,    /* somebody else's turn comes first */
	DUE_RETRY,   /* tried: nobody fits, or too few answer; again later */
	DUE_PAUSED,  /* many vanished at once */
};
struct keeper_due {
	struct hash chunk;
	uint8_t alive, k, r, n;
	enum due_state state;
	uint64_t waits; /* ns since it is due */
};
/* At most cap, most endangered first (alive − k, then who waits longest); how many are there. */
size_t keeper_due_list(const struct keeper *k, struct keeper_due *out, size_t cap);

/* Those of repair and those of a leave together. */
#define KEEPER_JOBS_MAX 16
struct keeper_job {
	struct hash chunk;
	uint8_t alive, k, n;
	bool moving;            /* given to another, because this node leaves */
	uint64_t runs;          /* ns */
	uint64_t fetched, sent; /* bytes so far */
};
/* What runs; how many (may exceed cap). */
size_t keeper_jobs(const struct keeper *k, struct keeper_job *out, size_t cap);

/* One of our shards after the other, as the ledger has them: *cursor starts at 0. false: the end.
 */
struct keeper_held {
	struct hash chunk;
	uint8_t index;
	uint8_t alive, k;
	bool due, begun;      /* to be repaired; by us, now */
	bool claimed, failed; /* somebody has begun it; we tried, and wait */
	uint8_t rank;         /* how many others come before us */
	uint64_t due_at;
};
/* Whether a tour has been made: before, shards are missing here that the store has. */
bool keeper_knows_all(const struct keeper *k);
bool keeper_next_held(const struct keeper *k, size_t *cursor, struct keeper_held *out);
/* told: on the loop, whenever a repair begins here. */
void keeper_on_repair(
    struct keeper *k, void (*told)(void *arg, const struct hash *chunk), void *arg);

#endif
