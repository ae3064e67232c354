/*
 * Rate limits, pure: token buckets, and a bounded table of them by network; and the rule by which
 * networks share places.
 *
 * A bucket is one number, the time at which it will be full again (the generic
 * cell rate algorithm, ITU-T I.371), so an idle one needs no upkeep. The table
 * counts by addr_group(), /24 or /64, because one stranger owns at least that; on a
 * test network of one machine, by address and port. Give it proven addresses
 * only: who can forge a sender could otherwise lock the real one out.
 */
#ifndef OVERLAY_LIMITS_H
#define OVERLAY_LIMITS_H

#include "overlay/addr.h"
#include "overlay/seeded.h"

struct rate {
	uint64_t interval; /* ns per token */
	uint32_t burst;    /* ≥ 1: tokens of a full bucket */
};

/* Takes a token; false when there is none. *full_at starts at 0. */
bool rate_take(uint64_t *full_at, const struct rate *r, uint64_t now);

/*
 * Networks that may be over their idle rate at one time. 4,096 × 32 bytes is
 * little, and an owner of more networks than that needs no forgiveness from us.
 */
#define LIMITS_NETWORKS_MAX 4096

struct limits_slot;
struct limits {
	struct rate rate; /* private from here */
	struct seeded seed;
	bool exact;
	size_t sets; /* power of two, 0: nothing allocated yet */
	struct limits_slot *slots;
};

/* exact: count by address and port. Allocates nothing until the first take. */
void limits_init(struct limits *l, const struct rate *r, const struct seeded *seed, bool exact);
void limits_fini(struct limits *l);
/*
 * Takes a token of from's network; false when there is none (or no memory: a limit that
 * cannot count must refuse). When LIMITS_NETWORKS_MAX are all in use, the fullest
 * bucket of the slots concerned is forgotten.
 */
bool limits_take(struct limits *l, const struct addr *from, uint64_t now);
size_t limits_bytes(const struct limits *l); /* memory held */

/*
 * Places that networks share: one that has own of the live ones, of max, may have one more while it
 * has fewer than are free. So k greedy ones leave 1/(k+1) of all to who comes next.
 */
static inline bool
limits_share(size_t own, size_t live, size_t max)
{
	return live < max && own < max - live;
}

#endif
