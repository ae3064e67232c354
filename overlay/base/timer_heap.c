/*
 * Timers flow in by add, and out by pop (due) or remove (stopped). Each knows
 * its slot, so removal costs log n. Only growth of the array can fail.
 *
 * Four children each: half as many levels as with two, and at each the slot of a timer somewhere
 * in memory is written, which costs more than the comparisons.
 */
#include "overlay/base/timer_heap.h"

#include <stdlib.h>

#define CAP_FIRST 64 /* an idle node's duties fit without growing */
#define CHILDREN  4

void
timer_heap_init(struct timer_heap *h)
{
	*h = (struct timer_heap){ .next_seq = 1 };
}

void
timer_heap_fini(struct timer_heap *h)
{
	for (size_t i = 0; i < h->count; i++)
		h->entries[i].timer->slot_plus1 = 0;
	free(h->entries);
	timer_heap_init(h);
}

int
timer_heap_reserve(struct timer_heap *h, size_t count)
{
	size_t cap = h->cap == 0 ? CAP_FIRST : h->cap;
	struct timer_heap_entry *entries;

	if (count <= h->cap)
		return ERR_OK;
	if (count > SIZE_MAX / 2 / sizeof(*entries))
		return ERR_NOMEM;
	while (cap < count)
		cap *= 2;
	entries = realloc(h->entries, cap * sizeof(*entries));
	if (entries == NULL)
		return ERR_NOMEM;
	h->entries = entries;
	h->cap = cap;
	return ERR_OK;
}

static void
put(struct timer_heap *h, size_t slot, const struct timer_heap_entry *e)
{
	h->entries[slot] = *e;
	e->timer->slot_plus1 = slot + 1;
}

/* Moves e from a hole at slot up to where it belongs, or down. */
static void
sift_up(struct timer_heap *h, size_t slot, const struct timer_heap_entry *e)
{
	while (slot > 0) {
		size_t parent = (slot - 1) / CHILDREN;

		if (!timer_heap_before(e, &h->entries[parent]))
			break;
		put(h, slot, &h->entries[parent]);
		slot = parent;
	}
	put(h, slot, e);
}

static void
sift_down(struct timer_heap *h, size_t slot, const struct timer_heap_entry *e)
{
	for (;;) {
		size_t child = CHILDREN * slot + 1, end = MIN(child + CHILDREN, h->count);

		if (child >= h->count)
			break;
		for (size_t i = child + 1; i < end; i++)
			if (timer_heap_before(&h->entries[i], &h->entries[child]))
				child = i;
		if (!timer_heap_before(&h->entries[child], e))
			break;
		put(h, slot, &h->entries[child]);
		slot = child;
	}
	put(h, slot, e);
}

static void
settle(struct timer_heap *h, size_t slot, const struct timer_heap_entry *e)
{
	if (slot > 0 && timer_heap_before(e, &h->entries[(slot - 1) / CHILDREN]))
		sift_up(h, slot, e);
	else
		sift_down(h, slot, e);
}

int
timer_heap_add(struct timer_heap *h, struct timer *t, uint64_t due)
{
	int err = timer_heap_insert(h, t, due, h->next_seq);

	if (err == ERR_OK)
		h->next_seq++;
	return err;
}

int
timer_heap_insert(struct timer_heap *h, struct timer *t, uint64_t due, uint64_t seq)
{
	struct timer_heap_entry e = { .due = due, .seq = seq, .timer = t };

	if (t->slot_plus1 == 0) {
		int err = timer_heap_reserve(h, h->count + 1);

		if (err != ERR_OK)
			return err;
	}
	t->due = e.due;
	t->seq = e.seq;
	if (t->slot_plus1 == 0) {
		h->count++;
		sift_up(h, h->count - 1, &e);
	} else {
		settle(h, t->slot_plus1 - 1, &e);
	}
	return ERR_OK;
}

void
timer_heap_remove(struct timer_heap *h, struct timer *t)
{
	size_t slot = t->slot_plus1 - 1;
	struct timer_heap_entry last;

	if (t->slot_plus1 == 0)
		return;
	must(slot < h->count && h->entries[slot].timer == t);
	t->slot_plus1 = 0;
	last = h->entries[--h->count];
	if (slot < h->count)
		settle(h, slot, &last);
}

struct timer *
timer_heap_first(const struct timer_heap *h)
{
	return h->count == 0 ? NULL : h->entries[0].timer;
}

struct timer *
timer_heap_pop(struct timer_heap *h, uint64_t now)
{
	struct timer *t = timer_heap_first(h);

	if (t == NULL || t->due > now)
		return NULL;
	timer_heap_remove(h, t);
	return t;
}

size_t
timer_heap_count(const struct timer_heap *h)
{
	return h->count;
}
