/*
 * What somebody must do for a bucket now and then, and one gateway does (the one that holds the
 * head's ballot): sweep the parts of uploads that are no more, and carry out lifecycle rules.
 * One pass looks at the whole bucket; deeds are small transactions of some keys, which look
 * again, with the rules that hold then. A pass that was broken off leaves nothing half done, and
 * the next one finds what is left.
 */
#ifndef OBJECT_CHORES_H
#define OBJECT_CHORES_H

#include "object/lifecycle.h"

/* The bucket's state and the world, as a pass needs them. */
struct chores_io {
	SUSPENDS int (*view)(void *arg, struct kv **out); /* released soon: a view keeps memory */
	void (*release)(void *arg, struct kv *view);
	/* As map_update(): fn may run several times, the last run counts. */
	SUSPENDS int (*update)(void *arg, int (*fn)(void *fn_arg, struct kv *txn), void *fn_arg);
	uint64_t (*now_ms)(void *arg);
	void (*random)(void *arg, uint8_t out[8]);
	/* After each step: users come first. Its error ends the pass, as when another gateway has
	 * taken over. */
	SUSPENDS int (*pause)(void *arg);
	void *arg;
};

struct chores_sight { /* added to */
	uint64_t expired, removed, aborted, sweeps;
};

/* day_ms: LIFECYCLE_DAY_MS, shorter in tests. What io's functions fail with. */
SUSPENDS int chores_pass(const struct chores_io *io, const struct content_refs *refs,
    uint64_t day_ms, struct chores_sight *sight);

#endif
