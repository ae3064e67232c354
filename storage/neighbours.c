/*
 * A chained hash table of separately allocated neighbours: their addresses must not move, calls
 * under way point to them.
 */
#include "storage/neighbours.h"

#include <stdlib.h>

#define SLOTS_MIN 16
#define ALWAYS_OK 2  /* so many may vanish at once in the smallest neighbourhood */
#define TOO_MANY  10 /* … and one in so many in a large one */
#define ALARMING  20 /* so many silent make us look at all of them: half of what is too many */

struct link {
	struct neighbour one;
	struct link *next;
};

struct neighbours {
	struct seeded seed;
	struct link **slots;
	size_t cap, count;
};

struct neighbours *
neighbours_new(const struct seeded *seed)
{
	struct neighbours *n = calloc(1, sizeof(*n));

	if (n != NULL)
		n->seed = *seed;
	return n;
}

static void
link_free(struct link *l)
{
	must(!l->one.asking);
	free(l->one.batch);
	free(l->one.asked);
	free(l);
}

void
neighbours_free(struct neighbours *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->cap; i++) {
		while (n->slots[i] != NULL) {
			struct link *next = n->slots[i]->next;

			link_free(n->slots[i]);
			n->slots[i] = next;
		}
	}
	free(n->slots);
	free(n);
}

size_t
neighbours_count(const struct neighbours *n)
{
	return n->count;
}

static struct link **
slot_of(const struct neighbours *n, const struct pubkey *pub)
{
	return &n->slots[seeded_hash(&n->seed, pub->b) & (n->cap - 1)];
}

struct neighbour *
neighbours_find(const struct neighbours *n, const struct pubkey *pub)
{
	if (n->cap == 0)
		return NULL;
	for (struct link *l = *slot_of(n, pub); l != NULL; l = l->next) {
		if (pubkey_equal(&l->one.contact.pub, pub))
			return &l->one;
	}
	return NULL;
}

static bool
grow(struct neighbours *n)
{
	struct neighbours old = *n;

	if (n->count < n->cap)
		return true;
	n->cap = old.cap == 0 ? SLOTS_MIN : old.cap * 2;
	n->slots = calloc(n->cap, sizeof(struct link *));
	if (n->slots == NULL) {
		*n = old;
		return false;
	}
	for (size_t i = 0; i < old.cap; i++) {
		while (old.slots[i] != NULL) {
			struct link *l = old.slots[i], **to = slot_of(n, &l->one.contact.pub);

			old.slots[i] = l->next;
			l->next = *to;
			*to = l;
		}
	}
	free(old.slots);
	return true;
}

struct neighbour *
neighbours_get(struct neighbours *n, const struct pubkey *pub, uint64_t now)
{
	struct neighbour *there = neighbours_find(n, pub);
	struct link *l, **to;

	if (there != NULL)
		return there;
	l = n->count < NEIGHBOURS_MAX && grow(n) ? calloc(1, sizeof(*l)) : NULL;
	if (l == NULL)
		return NULL;
	contact_init(&l->one.contact, pub, NULL);
	l->one.since = now;
	l->one.traits.operator_key = *pub;
	to = slot_of(n, pub);
	l->next = *to;
	*to = l;
	n->count++;
	return &l->one;
}

void
neighbours_remove(struct neighbours *n, struct neighbour *one)
{
	struct link **at = slot_of(n, &one->contact.pub);

	while (&(*at)->one != one)
		at = &(*at)->next;

	struct link *l = *at;

	*at = l->next;
	n->count--;
	link_free(l);
}

/* The cursor counts slot · 2^16 + place in its chain, which is short. */
struct neighbour *
neighbours_next(const struct neighbours *n, size_t *cursor)
{
	size_t slot = *cursor >> 16, skip = *cursor & 0xffff;

	for (; slot < n->cap; slot++, skip = 0) {
		struct link *l = n->slots[slot];

		for (size_t i = 0; i < skip && l != NULL; i++)
			l = l->next;
		if (l != NULL) {
			*cursor = slot << 16 | (skip + 1);
			return &l->one;
		}
	}
	return NULL;
}

bool
neighbours_vanished(
    const struct neighbours *n, uint64_t now, uint64_t grace, uint64_t window, uint64_t age)
{
	size_t old = 0, vanished = 0, cursor = 0;
	const struct neighbour *one;

	while ((one = neighbours_next(n, &cursor)) != NULL) {
		/* Whom we never knew alive has not vanished. */
		if ((one->silent_at == 0 ? now : one->silent_at) - one->since <= age)
			continue;
		/* Those gone for long are no part of what could have vanished now. */
		if (neighbour_gone(one, now, grace + window))
			continue;
		old++;
		vanished += neighbour_gone(one, now, grace);
	}
	return vanished > MAX(ALWAYS_OK, old / TOO_MANY);
}

bool
neighbours_fell_silent(const struct neighbours *n, uint64_t now, uint64_t window)
{
	size_t cursor = 0, silent = 0;
	const struct neighbour *one;

	while ((one = neighbours_next(n, &cursor)) != NULL)
		silent += one->silent_at != 0 && now - one->silent_at <= window;
	return silent > MAX(ALWAYS_OK, n->count / ALARMING);
}

/* Those to be told lie in front: how many. */
static size_t
told_count(const struct holds *batch)
{
	size_t told = 0;

	while (told < batch->count && batch->at[told].tell)
		told++;
	return told;
}

void
neighbour_meet(struct neighbour *one, uint32_t tour, uint64_t every)
{
	one->every = one->tour == tour ? MIN(one->every, every) : every;
	if (one->tour != tour && one->batch != NULL) {
		one->batch->count = told_count(one->batch);
		one->offered = 0;
	}
	one->tour = tour;
}

void
neighbour_unheard(struct neighbour *one, uint32_t tour)
{
	one->tell_all = true;
	one->unheard = tour;
}

void
neighbour_toured(struct neighbour *one, uint32_t tour)
{
	if (one->silent_at == 0 && one->unheard != tour)
		one->tell_all = false;
}

bool
neighbour_offer(struct neighbour *one, const struct hold *h,
    uint64_t (*below)(void *arg, uint64_t bound), void *arg)
{
	struct holds *b = one->batch;
	size_t told, at;

	if (b == NULL) {
		b = one->batch = calloc(1, sizeof(*b));
		if (b == NULL)
			return false;
		one->offered = 0;
	}
	told = told_count(b);
	if (h->tell) {
		if (told == HOLDS_MAX)
			return false;
		if (told < b->count && b->count < HOLDS_MAX)
			b->at[b->count] = b->at[told];
		b->count = MIN(b->count + 1, (size_t)HOLDS_MAX);
		b->at[told] = *h;
		return true;
	}
	one->offered++;
	if (b->count < HOLDS_MAX) {
		b->at[b->count++] = *h;
	} else if (told < HOLDS_MAX) {
		at = (size_t)below(arg, one->offered);
		if (at < HOLDS_MAX - told)
			b->at[told + at] = *h;
	}
	return true;
}
