/*
 * The inside of a chunk's put, shared by put.c (the flow) and put_lane.c (one holder's
 * stream). Groups of rows are coded into a ring of buffers; every lane sends its
 * leaves of each group in order; a buffer is used again when all live lanes are past it.
 */
#ifndef STORAGE_PUT_PRIVATE_H
#define STORAGE_PUT_PRIVATE_H

#include "storage/chunks_private.h"

/* One worker job and one write per lane and group: long enough to hide wake-ups (70 µs). */
#define GROUP_DATA_BYTES MIB(1)
#define RING_GROUPS      4 /* being coded, ready, and being sent by fast and slow lanes */
#define CODERS           2 /* groups being coded at once */

struct put;

struct waiter {
	struct wait wait;
	bool waiting;
};

enum lane_state { LANE_OPENING, LANE_OPEN, LANE_PLACED, LANE_FAILED };

struct lane {
	struct put *put;
	struct task_group group; /* of the one task, so that it can be cancelled alone */
	struct waiter waiter;
	enum lane_state state;
	uint8_t index;
	size_t candidate; /* of put->candidates, when opened */
	uint32_t groups_sent;
	uint64_t moved_at; /* last progress */
	struct stream *stream;
};

struct coding_task {
	struct put *put;
	struct waiter waiter;
};

struct put {
	struct chunks *c;
	struct env *env;
	const struct chunk_put_opts *opts;
	struct chunk_put_result *result;
	const struct coder *coder;
	struct layout layout;
	struct constraints constraints;

	struct candidate *candidates;
	size_t candidates_count;

	struct lane *lanes;
	size_t lanes_count;
	bool closed; /* opening is over: lanes that are not open stay out */

	uint32_t group_rows, groups; /* rows per group, groups of the chunk */
	size_t group_bytes;          /* of one ring buffer */
	uint8_t *ring[RING_GROUPS];
	uint32_t next_group; /* to be coded */
	uint32_t coded;      /* groups that are ready: all below this */
	bool ready[RING_GROUPS];
	struct hash *hashes; /* [shard][row] */
	struct coding_task coding[CODERS];

	struct buf commit; /* u32 length and packed commit, once all is hashed */
	struct lease lease;
	bool commit_ready;
	int err; /* of coding: ends the put */

	struct waiter main;
	uint64_t sent; /* steps of all lanes: any change is progress */
};

/* Wakes whoever waits for something to change in the put. */
void put_wake(struct put *p);
SUSPENDS int put_wait(struct put *p, struct waiter *w, uint64_t timeout);
/* The same, but that the time is over is no error; the task's own deadline is one. */
SUSPENDS int put_wait_tick(struct put *p, struct waiter *w, uint64_t timeout);
/* Chooses one more candidate for a lane; marks it taken. ERR_PLACEMENT. */
int put_choose(struct put *p, size_t *candidate);
/* Bytes and place of a lane's leaves in group g. */
struct bytes put_leaves(const struct put *p, uint32_t g, uint8_t index);
/* The task of a lane (arg: struct lane). */
int put_lane_task(void *arg);

#endif
