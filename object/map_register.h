/*
 * A bucket's head register as the map uses it: object/map_head.h makes one of the register in the
 * network (storage/head_client.h), tests have one in memory.
 */
#ifndef OBJECT_MAP_REGISTER_H
#define OBJECT_MAP_REGISTER_H

#include "overlay/base/task.h"
#include "storage/proposer.h"

/* What is known to be committed. */
struct map_head {
	bool present; /* false: nothing was ever committed; the rest but epoch and seq is zero */
	uint64_t epoch, seq;
	struct hash id, root;
	uint16_t segments; /* of the tail */
	uint32_t tail_bytes;
};

/* What becomes of the head. */
struct map_proposal {
	enum proposer_reply reply;
	struct hash root; /* the head's, or another one that stands for … */
	uint16_t covered; /* … so many leading segments of the tail, too; 0 with the same root */
	struct bytes
	    records; /* a segment behind what stays; empty: none; lent until the next call */
};
/* May suspend; an error of it ends the commit: nothing was written. */
typedef int map_decide_fn(void *arg, struct map_proposal *out);
/*
 * May suspend. Called while other writers have their turn, with what they have committed at hand:
 * whether all that is to be proposed is among that.
 */
typedef bool map_watch_fn(void *arg);

struct map_decide {
	map_decide_fn *decide;
	map_watch_fn *watch; /* NULL: nothing is to be done meanwhile */
	void *arg;
};

struct map_register {
	/*
	 * Learns the head, current at some moment after the call. ERR_UNREACHABLE: no quorum
	 * answers, what is known stays; ERR_CORRUPT: it forked.
	 */
	SUSPENDS int (*read)(struct map_register *r);
	/* Lent until the next suspension, like the records of segment i of its tail. */
	const struct map_head *(*head)(struct map_register *r);
	struct bytes (*segment)(struct map_register *r, uint16_t i);
	/*
	 * Moves the head. decide is called with the committed one at hand, again whenever that
	 * changed; its last answer counts. ERR_OK: *outcome tells (proposer.h). An error: nothing
	 * of this commit was written; but for ERR_CANCELED, which tells nothing. NULL: read only.
	 */
	SUSPENDS int (*commit)(struct map_register *r, const struct map_decide *decide,
	    enum proposer_outcome *outcome);
};

#endif
