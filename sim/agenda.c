/*
 * A timer's due time tells where it is: not after the open slot, in run or late; within reach of
 * the lists, in one of them; else in far. Lists and heaps keep its place in slot_plus1; in run it
 * is found by its time, so that others can move without being touched. A list becomes
 * run when it opens, so nothing is copied, and its memory is freed behind it: nearly all that is
 * armed comes to a list shortly before that, and 4096 kept for the next time are 25 MB.
 */
#include "sim/agenda.h"

#include <stdlib.h>

#define LIST_FIRST    8    /* entries: what a slot of a small world has */
#define INSERTION_MAX 128  /* entries: one of 10,000 nodes has about 60 */
#define RUN_MOST      4096 /* entries: among more nobody finds a place by moving them */

static uint64_t
slot_of(uint64_t due)
{
	return due >> AGENDA_SLOT_BITS;
}

static struct agenda_list *
list_of(struct agenda *a, uint64_t slot)
{
	return &a->slots[slot % AGENDA_SLOTS];
}

void
agenda_init(struct agenda *a)
{
	*a = (struct agenda){ .next_seq = 1 };
	timer_heap_init(&a->late);
	timer_heap_init(&a->far);
	a->slots = calloc(AGENDA_SLOTS, sizeof(*a->slots));
	must(a->slots != NULL);
}

void
agenda_fini(struct agenda *a)
{
	must(a->count == 0);
	for (size_t i = 0; i < AGENDA_SLOTS; i++)
		free(a->slots[i].at);
	free(a->slots);
	free(a->run.at);
	timer_heap_fini(&a->late);
	timer_heap_fini(&a->far);
}

size_t
agenda_count(const struct agenda *a)
{
	return a->count;
}

/* ---- lists ---- */

static void
list_room(struct agenda_list *l, size_t more)
{
	if (l->count + more <= l->cap)
		return;
	l->cap = MAX(2 * l->cap, (uint32_t)MAX(l->count + more, LIST_FIRST));
	l->at = realloc(l->at, l->cap * sizeof(*l->at));
	must(l->at != NULL);
}

static void
list_add(struct agenda *a, struct timer *t)
{
	uint64_t slot = slot_of(t->due);
	struct agenda_list *l = list_of(a, slot);

	list_room(l, 1);
	l->at[l->count++] = (struct timer_heap_entry){ t->due, t->seq, t };
	t->slot_plus1 = l->count;
	a->taken[slot % AGENDA_SLOTS / 64] |= UINT64_C(1) << slot % 64;
}

static void
list_remove(struct agenda *a, struct timer *t)
{
	uint64_t slot = slot_of(t->due);
	struct agenda_list *l = list_of(a, slot);
	size_t at = t->slot_plus1 - 1;

	must(at < l->count && l->at[at].timer == t);
	l->at[at] = l->at[--l->count];
	if (at < l->count)
		l->at[at].timer->slot_plus1 = at + 1;
	else if (l->count == 0)
		a->taken[slot % AGENDA_SLOTS / 64] &= ~(UINT64_C(1) << slot % 64);
}

/* ---- the open slot ---- */

static int
in_order(const void *x, const void *y)
{
	return timer_heap_before(x, y) ? -1 : 1; /* no two are equal */
}

/* By insertion what is few: the usual slot, and no call for each comparison. */
static void
sort(struct timer_heap_entry *at, size_t count)
{
	if (count > INSERTION_MAX) {
		qsort(at, count, sizeof(*at), in_order);
		return;
	}
	for (size_t i = 1; i < count; i++) {
		struct timer_heap_entry e = at[i];
		size_t j = i;

		for (; j > 0 && timer_heap_before(&e, &at[j - 1]); j--)
			at[j] = at[j - 1];
		at[j] = e;
	}
}

/* What the lists reach now comes to them. */
static void
reach(struct agenda *a)
{
	for (;;) {
		struct timer *t = timer_heap_first(&a->far);

		if (t == NULL || slot_of(t->due) >= a->open + AGENDA_SLOTS)
			return;
		timer_heap_remove(&a->far, t);
		list_add(a, t);
	}
}

/* What is left of the run goes before what the slot has. */
static void
open_slot(struct agenda *a, uint64_t slot)
{
	struct agenda_list *l = list_of(a, slot);
	size_t left = a->run.count - a->next;

	sort(l->at, l->count);
	if (left > 0) {
		list_room(l, left);
		memmove(l->at + left, l->at, l->count * sizeof(*l->at));
		memcpy(l->at, a->run.at + a->next, left * sizeof(*l->at));
		l->count += left;
	}
	a->open = slot;
	free(a->run.at);
	a->run = *l;
	a->next = 0;
	*l = (struct agenda_list){ .at = NULL };
	a->taken[slot % AGENDA_SLOTS / 64] &= ~(UINT64_C(1) << slot % 64);
	reach(a);
}

/* The first slot behind the open one that has any; only when there is one. */
static uint64_t
next_taken(const struct agenda *a)
{
	for (uint64_t slot = a->open + 1;; slot = (slot / 64 + 1) * 64) {
		uint64_t bits = a->taken[slot % AGENDA_SLOTS / 64] >> slot % 64;

		if (bits != 0)
			return slot + (unsigned)__builtin_ctzll(bits);
	}
}

static bool
open_next(struct agenda *a)
{
	struct timer *t = timer_heap_first(&a->far);

	if (a->count == 0)
		return false;
	/* All that are armed are in lists, unless all are beyond their reach. */
	if (timer_heap_count(&a->far) == a->count) {
		a->open = slot_of(t->due) - 1;
		reach(a);
	}
	open_slot(a, next_taken(a));
	return true;
}

/* The first of the open slot; NULL when it is over. */
static struct timer *
first_open(struct agenda *a)
{
	struct timer *late = timer_heap_first(&a->late);
	const struct timer_heap_entry *e;

	while (a->next < a->run.count && a->run.at[a->next].timer == NULL)
		a->next++;
	if (a->next == a->run.count)
		return late;
	e = &a->run.at[a->next];
	return late != NULL && timer_heap_before(&a->late.entries[0], e) ? late : e->timer;
}

/* Where the first is that does not come before e. */
static size_t
run_at(const struct agenda *a, const struct timer_heap_entry *e)
{
	size_t from = a->next, to = a->run.count;

	while (from < to) {
		size_t middle = (from + to) / 2;

		if (timer_heap_before(&a->run.at[middle], e))
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

/* What has fired leaves room at the front, so the shorter side moves. */
static void
run_add(struct agenda *a, struct timer *t)
{
	struct timer_heap_entry e = { t->due, t->seq, t }, *at;
	size_t i = run_at(a, &e), before = i - a->next, behind = a->run.count - i;

	if (a->next > 0 && before <= behind) {
		at = a->run.at + --a->next;
		memmove(at, at + 1, before * sizeof(*at));
		at[before] = e;
	} else {
		list_room(&a->run, 1);
		at = a->run.at + i;
		memmove(at + 1, at, behind * sizeof(*at));
		*at = e;
		a->run.count++;
	}
	t->slot_plus1 = 1; /* armed; its place is found by its time */
}

/* ---- in and out ---- */

void
agenda_add(struct agenda *a, struct timer *t, uint64_t due)
{
	agenda_remove(a, t);
	t->due = due;
	t->seq = a->next_seq++;
	a->count++;
	if (slot_of(due) <= a->open && a->run.count - a->next < RUN_MOST)
		run_add(a, t);
	else if (slot_of(due) <= a->open)
		must(timer_heap_insert(&a->late, t, due, t->seq) == ERR_OK);
	else if (slot_of(due) < a->open + AGENDA_SLOTS)
		list_add(a, t);
	else
		must(timer_heap_insert(&a->far, t, due, t->seq) == ERR_OK);
}

static void
leave_open(struct agenda *a, struct timer *t)
{
	struct timer_heap_entry e = { t->due, t->seq, t };
	bool first = a->next < a->run.count && a->run.at[a->next].timer == t;
	size_t at = first ? a->next : run_at(a, &e);

	if (at == a->run.count || a->run.at[at].timer != t) {
		timer_heap_remove(&a->late, t);
		return;
	}
	a->run.at[at].timer = NULL;
	a->next += at == a->next;
}

void
agenda_remove(struct agenda *a, struct timer *t)
{
	if (t->slot_plus1 == 0)
		return;
	if (slot_of(t->due) <= a->open)
		leave_open(a, t);
	else if (slot_of(t->due) < a->open + AGENDA_SLOTS)
		list_remove(a, t);
	else
		timer_heap_remove(&a->far, t);
	t->slot_plus1 = 0;
	a->count--;
}

/* While the next slot has any: else what is armed meanwhile would come to the heap. */
static void
look_ahead(struct agenda *a)
{
	uint64_t slot = a->open + 1;

	if (a->run.count - a->next <= AGENDA_AHEAD &&
	    (a->taken[slot % AGENDA_SLOTS / 64] >> slot % 64 & 1) != 0)
		open_slot(a, slot);
}

struct timer *
agenda_pop(struct agenda *a, uint64_t now)
{
	struct timer *t;

	look_ahead(a);
	t = first_open(a);
	while (t == NULL) {
		if (!open_next(a))
			return NULL;
		t = first_open(a);
	}
	if (t->due > now)
		return NULL;
	agenda_remove(a, t);
	return t;
}

struct timer *
agenda_ahead(const struct agenda *a, size_t n)
{
	return n < a->run.count - a->next ? a->run.at[a->next + n].timer : NULL;
}
