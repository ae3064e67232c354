/*
 * What is going to happen, in the order of time, and of arming within one instant: as
 * timer_heap.h, for millions of timers that lie all over memory. A heap of them writes to a timer
 * at each of its levels; here arming and stopping touch the timer itself and one other.
 *
 * Three places. The *open* slot, a span of SIM time, is sorted, with what is left of those before
 * it; what is armed for these finds its place there, or goes to a heap beside them where they are
 * thousands. The next AGENDA_SLOTS slots are unsorted lists. What is due later waits in a heap and
 * comes to its list when that is in reach.
 *
 * Lends its timers: an armed one must not move. Short of memory it aborts, like all of sim.
 */
#ifndef SIM_AGENDA_H
#define SIM_AGENDA_H

#include "overlay/base/timer_heap.h"

/* A slot is 17 ms, less than most trips, so that few are armed for the open one. */
#define AGENDA_SLOT_BITS 24
/* 69 s: longer than what requests and pings wait. Power of two, a multiple of 64. */
#define AGENDA_SLOTS     4096
#define AGENDA_AHEAD     24 /* so many are sorted before they come, where there are so many */

struct agenda_list {
	struct timer_heap_entry *at;
	uint32_t count, cap;
};

struct agenda {        /* private; embedded */
	uint64_t open; /* the number of the open slot */
	struct agenda_list run;
	size_t next; /* of run */
	struct timer_heap late, far;
	struct agenda_list *slots;
	uint64_t taken[AGENDA_SLOTS / 64]; /* a bit for each slot that has any */
	size_t count;
	uint64_t next_seq;
};

void agenda_init(struct agenda *a);
void agenda_fini(struct agenda *a); /* must be empty */
/* Arms t for the absolute time due and numbers it; an armed one is moved and numbered anew. */
void agenda_add(struct agenda *a, struct timer *t, uint64_t due);
void agenda_remove(struct agenda *a, struct timer *t); /* no-op when not armed */
/* Disarms and returns the first when it is due at now; else NULL. */
struct timer *agenda_pop(struct agenda *a, uint64_t now);
/* The n-th behind the first, roughly, for n < AGENDA_AHEAD; NULL: not known, or stopped. */
struct timer *agenda_ahead(const struct agenda *a, size_t n);
size_t agenda_count(const struct agenda *a);

#endif
