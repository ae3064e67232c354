/*
 * An open hash table by the chunk's prefix, linear probing: entries of one chunk lie in one run. A
 * removal moves the rest of its run up, so that no marks of removed ones pile up.
 */
#include "storage/ledger.h"

#include <stdlib.h>

#include "overlay/base/err.h"

#define SLOTS_MIN 64

struct ledger {
	struct seeded seed;
	struct held *slots;
	bool *used;
	size_t cap, count; /* cap: a power of two, or 0 */
};

struct ledger *
ledger_new(const struct seeded *seed)
{
	struct ledger *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->seed = *seed;
	return l;
}

void
ledger_free(struct ledger *l)
{
	if (l == NULL)
		return;
	free(l->slots);
	free(l->used);
	free(l);
}

size_t
ledger_count(const struct ledger *l)
{
	return l->count;
}

static size_t
home_of(const struct ledger *l, const uint8_t prefix[CHUNK_PREFIX_BYTES])
{
	uint8_t key[SEEDED_KEY_BYTES] = { 0 };

	memcpy(key, prefix, CHUNK_PREFIX_BYTES);
	return seeded_hash(&l->seed, key) & (l->cap - 1);
}

/* The cursor counts the slots of the chunk's run. */
struct held *
ledger_next_of(const struct ledger *l, const struct hash *chunk, size_t *cursor)
{
	size_t home, i;

	if (l->cap == 0)
		return NULL;
	home = home_of(l, chunk->b);
	while (l->used[i = (home + *cursor) & (l->cap - 1)]) {
		(*cursor)++;
		if (memcmp(&l->slots[i].chunk, chunk, sizeof(*chunk)) == 0)
			return &l->slots[i];
	}
	return NULL;
}

struct held *
ledger_find(const struct ledger *l, const struct hash *chunk, uint8_t index)
{
	size_t cursor = 0;
	struct held *h;

	while ((h = ledger_next_of(l, chunk, &cursor)) != NULL) {
		if (h->index == index)
			return h;
	}
	return NULL;
}

struct held *
ledger_any(const struct ledger *l, const uint8_t prefix[CHUNK_PREFIX_BYTES])
{
	struct held *found = NULL;

	if (l->cap == 0)
		return NULL;
	for (size_t i = home_of(l, prefix); l->used[i]; i = (i + 1) & (l->cap - 1)) {
		struct held *h = &l->slots[i];

		if (memcmp(&h->chunk, prefix, CHUNK_PREFIX_BYTES) != 0)
			continue;
		if (h->index != INDEX_NONE)
			return h;
		found = h;
	}
	return found;
}

static void
place(struct ledger *l, const struct held *h)
{
	size_t i = home_of(l, h->chunk.b);

	while (l->used[i])
		i = (i + 1) & (l->cap - 1);
	l->slots[i] = *h;
	l->used[i] = true;
}

/* Three quarters full at most: runs stay short. */
static bool
grow(struct ledger *l)
{
	struct ledger old = *l;

	if (l->count < l->cap / 4 * 3)
		return true;
	l->cap = old.cap == 0 ? SLOTS_MIN : old.cap * 2;
	l->slots = calloc(l->cap, sizeof(*l->slots));
	l->used = calloc(l->cap, sizeof(*l->used));
	if (l->slots == NULL || l->used == NULL) {
		free(l->slots);
		free(l->used);
		*l = old;
		return false;
	}
	for (size_t i = 0; i < old.cap; i++) {
		if (old.used[i])
			place(l, &old.slots[i]);
	}
	free(old.slots);
	free(old.used);
	return true;
}

struct held *
ledger_add(struct ledger *l, const struct hash *chunk, uint8_t index)
{
	struct held *there = ledger_find(l, chunk, index);
	struct held fresh = { .chunk = *chunk, .index = index };

	if (there != NULL)
		return there;
	if (!grow(l))
		return NULL;
	place(l, &fresh);
	l->count++;
	return ledger_find(l, chunk, index);
}

void
ledger_remove(struct ledger *l, struct held *h)
{
	size_t gap = (size_t)(h - l->slots);

	must(gap < l->cap && l->used[gap]);
	l->used[gap] = false;
	l->count--;
	for (size_t i = (gap + 1) & (l->cap - 1); l->used[i]; i = (i + 1) & (l->cap - 1)) {
		size_t home = home_of(l, l->slots[i].chunk.b);

		/* It stays where its way from home does not lead over the gap. */
		if (((i - home) & (l->cap - 1)) < ((i - gap) & (l->cap - 1)))
			continue;
		l->slots[gap] = l->slots[i];
		l->used[gap] = true;
		l->used[i] = false;
		gap = i;
	}
}

struct held *
ledger_next(const struct ledger *l, size_t *cursor)
{
	while (*cursor < l->cap) {
		size_t i = (*cursor)++;

		if (l->used[i])
			return &l->slots[i];
	}
	return NULL;
}
