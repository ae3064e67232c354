/*
 * Armed timers ordered by (due, seq): a binary heap that both environments
 * share. Timers due at the same instant fire in the order they were armed, so
 * that a simulation replays. Pure: it neither reads a clock nor calls fire.
 *
 * The heap lends its timers: an armed one must not be moved or freed. It fills
 * the private fields of struct timer (env.h) and reads nothing else of it.
 */
#ifndef OVERLAY_BASE_TIMER_HEAP_H
#define OVERLAY_BASE_TIMER_HEAP_H

#include "overlay/base/env.h"

struct timer_heap_entry { /* the order lies beside the pointer: sifting stays in cache */
	uint64_t due;
	uint64_t seq;
	struct timer *timer;
};

/* The order of all that keep timers: by time, then by number. */
static inline bool
timer_heap_before(const struct timer_heap_entry *a, const struct timer_heap_entry *b)
{
	return a->due < b->due || (a->due == b->due && a->seq < b->seq);
}

struct timer_heap { /* private; embedded */
	struct timer_heap_entry *entries;
	size_t count;
	size_t cap;
	uint64_t next_seq;
};

void timer_heap_init(struct timer_heap *h);
void timer_heap_fini(struct timer_heap *h); /* frees; timers still armed become unarmed */

/* Room for count timers in all, so that adding up to there cannot fail; ERR_NOMEM. */
int timer_heap_reserve(struct timer_heap *h, size_t count);

/*
 * Arms t for the absolute time due and numbers it; an armed one is moved and numbered anew.
 * ERR_NOMEM (24 bytes per timer) leaves t as it was; never when t is armed already.
 */
int timer_heap_add(struct timer_heap *h, struct timer *t, uint64_t due);
/* The same with a number of the caller's own, for whoever keeps timers in more places than one. */
int timer_heap_insert(struct timer_heap *h, struct timer *t, uint64_t due, uint64_t seq);
void timer_heap_remove(struct timer_heap *h, struct timer *t); /* no-op when not armed */

struct timer *timer_heap_first(const struct timer_heap *h); /* NULL: empty */
/* Disarms and returns the first timer when it is due at now; else NULL. */
struct timer *timer_heap_pop(struct timer_heap *h, uint64_t now);
size_t timer_heap_count(const struct timer_heap *h);

#endif
