/*
 * The faults of a scenario by time: each begins and ends by a timer of the director and strikes
 * members chosen from its own stream. What a fault took away it gives back at its end: stopped
 * members come back, disks get room, lines are free. Who is gone is replaced.
 */
#ifndef SIM_TIMELINE_H
#define SIM_TIMELINE_H

#include "sim/fleet.h"
#include "sim/result.h"

/* How many faults of a kind go on, and how many have begun so far. */
struct fault_clock {
	uint32_t active[FAULT_KINDS], begun[FAULT_KINDS];
};

struct timeline;

/* gives; from now on, for `span`. Marks go into r->marks. */
struct timeline *timeline_new(struct fleet *f, uint64_t span, struct result *r);
void timeline_free(struct timeline *t); /* NULL accepted */
/* To be called from the fleet's `changed`: a member that came back late is struck, too. */
void timeline_changed(struct timeline *t, struct member *m);
/*
 * The owner (a seed) of the signed record, salt 0, that the Sybils of the scenario's i-th fault
 * surround now. false: it is of another kind, or does not go on.
 */
bool timeline_attacked(const struct timeline *t, size_t i, struct key *owner);
const struct fault_clock *timeline_clock(const struct timeline *t); /* lends */
/*
 * Whether a member's store may hold shards that are not whole: it rotted or lied, or lost
 * what was not synced. The latter were never acknowledged, but without the index, which is in
 * memory here, nobody can tell them from those that were.
 */
bool timeline_torn(const struct timeline *t, uint32_t index);
/* Ends everything that goes on, and what was to come does not. */
void timeline_end(struct timeline *t);

#endif
