/*
 * The table is set-associative: a network's bucket is in one of SET_WAYS slots. A slot
 * whose bucket is full again is free. When all slots of a set are in use the table doubles
 * up to its maximum; then the bucket nearest to full is forgotten, which forgives its
 * owner little. Fails only for lack of memory, and then refuses.
 */
#include "overlay/limits.h"

#include <assert.h>
#include <stdlib.h>

#include "overlay/base/err.h"

#define SET_WAYS  4
#define SETS_MIN  4 /* 512 bytes: what a quiet node holds */
#define KEY_BYTES 20

struct limits_slot {
	uint64_t full_at; /* 0: never used */
	uint8_t key[KEY_BYTES];
};

static_assert(sizeof(struct limits_slot) == 32, "stated in limits.h");

bool
rate_take(uint64_t *full_at, const struct rate *r, uint64_t now)
{
	uint64_t base = MAX(*full_at, now);

	must(r->interval > 0 && r->burst > 0);
	if (base - now > (uint64_t)(r->burst - 1) * r->interval)
		return false;
	*full_at = base + r->interval;
	return true;
}

static void
network_key(const struct addr *a, bool exact, uint8_t key[KEY_BYTES])
{
	struct packer p = packer_on(key, KEY_BYTES);

	memset(key, 0, KEY_BYTES);
	if (exact)
		addr_pack(&p, a);
	else
		pack_u64(&p, addr_group(a));
	must(pack_ok(&p));
}

void
limits_init(struct limits *l, const struct rate *r, const struct seeded *seed, bool exact)
{
	*l = (struct limits){ .rate = *r, .seed = *seed, .exact = exact };
}

void
limits_fini(struct limits *l)
{
	free(l->slots);
	l->slots = NULL;
	l->sets = 0;
}

static struct limits_slot *
set_of(const struct limits *l, const uint8_t key[KEY_BYTES])
{
	uint8_t wide[SEEDED_KEY_BYTES] = { 0 };

	memcpy(wide, key, KEY_BYTES);
	return l->slots + (seeded_hash(&l->seed, wide) & (l->sets - 1)) * SET_WAYS;
}

/* The slot of key; else a free one; else, with force, the one nearest to full. */
static struct limits_slot *
slot_for(const struct limits *l, const uint8_t key[KEY_BYTES], uint64_t now, bool force)
{
	struct limits_slot *set = set_of(l, key), *fullest = set;

	for (size_t i = 0; i < SET_WAYS; i++)
		if (set[i].full_at > 0 && memcmp(set[i].key, key, KEY_BYTES) == 0)
			return &set[i];
	for (size_t i = 1; i < SET_WAYS; i++)
		if (set[i].full_at < fullest->full_at)
			fullest = &set[i];
	if (fullest->full_at > now && !force)
		return NULL;
	fullest->full_at = 0;
	memcpy(fullest->key, key, KEY_BYTES);
	return fullest;
}

static bool
grow(struct limits *l, uint64_t now)
{
	struct limits bigger = *l;

	bigger.sets = l->sets == 0 ? SETS_MIN : 2 * l->sets;
	bigger.slots = calloc(bigger.sets * SET_WAYS, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return false;
	for (size_t i = 0; i < l->sets * SET_WAYS; i++) {
		if (l->slots[i].full_at <= now)
			continue;
		/* A set splits in two, so its members always fit. */
		struct limits_slot *s = slot_for(&bigger, l->slots[i].key, now, true);

		s->full_at = l->slots[i].full_at;
	}
	free(l->slots);
	*l = bigger;
	return true;
}

bool
limits_take(struct limits *l, const struct addr *from, uint64_t now)
{
	uint8_t key[KEY_BYTES];
	struct limits_slot *s;

	network_key(from, l->exact, key);
	if (l->sets == 0 && !grow(l, now))
		return false;
	for (;;) {
		bool last = l->sets * SET_WAYS >= LIMITS_NETWORKS_MAX;

		s = slot_for(l, key, now, last);
		if (s != NULL)
			break;
		if (!grow(l, now))
			return false;
	}
	return rate_take(&s->full_at, &l->rate, now);
}

size_t
limits_bytes(const struct limits *l)
{
	return l->sets * SET_WAYS * sizeof(*l->slots);
}
