/*
 * All ids that share a longer prefix with a target are closer to it than any that do not. So the
 * closest k lie in the shortest range of one prefix that holds k of them; only that range is
 * sorted. Short of memory it aborts, like all of sim.
 */
#include "sim/oracle.h"

#include <stdlib.h>

#include "dht/distance.h"
#include "overlay/base/err.h"

#define ID_BITS 256

static int
compare(const void *a, const void *b)
{
	const struct oracle_entry *x = a, *y = b;

	return memcmp(x->id.b, y->id.b, sizeof(x->id.b));
}

/* The first entry whose id is ≥ id. */
static size_t
lower_bound(const struct oracle *o, const struct id *id)
{
	size_t from = 0, to = o->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (id_compare(&o->at[middle].id, id) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static void
room(struct oracle *o, size_t count)
{
	if (count <= o->cap)
		return;
	o->cap = MAX(MAX(count, (size_t)64), 2 * o->cap);
	o->at = realloc(o->at, o->cap * sizeof(*o->at));
	must(o->at != NULL);
}

void
oracle_fini(struct oracle *o)
{
	free(o->at);
	memset(o, 0, sizeof(*o));
}

void
oracle_add(struct oracle *o, const struct id *id, uint32_t member)
{
	size_t i = lower_bound(o, id);

	must(i == o->count || !id_equal(&o->at[i].id, id));
	room(o, o->count + 1);
	memmove(&o->at[i + 1], &o->at[i], (o->count - i) * sizeof(*o->at));
	o->at[i] = (struct oracle_entry){ .id = *id, .member = member };
	o->count++;
}

void
oracle_remove(struct oracle *o, const struct id *id)
{
	size_t i = lower_bound(o, id);

	if (i == o->count || !id_equal(&o->at[i].id, id))
		return;
	o->count--;
	memmove(&o->at[i], &o->at[i + 1], (o->count - i) * sizeof(*o->at));
}

uint32_t
oracle_find(const struct oracle *o, const struct id *id)
{
	size_t i = lower_bound(o, id);

	return i < o->count && id_equal(&o->at[i].id, id) ? o->at[i].member : UINT32_MAX;
}

void
oracle_fill(struct oracle *o, const struct oracle_entry *entries, size_t count)
{
	room(o, count);
	if (count > 0)
		memcpy(o->at, entries, count * sizeof(*entries));
	o->count = count;
	qsort(o->at, count, sizeof(*o->at), compare);
}

/* Sets bit and all behind it to the given value. */
static void
fill_from(struct id *id, unsigned bit, bool ones)
{
	for (unsigned i = bit / 8; i < sizeof(id->b); i++) {
		uint8_t mask = i == bit / 8 ? (uint8_t)(0xff >> (bit % 8)) : 0xff;

		id->b[i] = ones ? (uint8_t)(id->b[i] | mask) : (uint8_t)(id->b[i] & ~mask);
	}
}

/* Entries that share at least `bits` leading bits with id. */
static void
range_of_prefix(
    const struct oracle *o, const struct id *id, unsigned bits, size_t *from, size_t *to)
{
	struct id low = *id, high = *id;

	if (bits < ID_BITS) {
		fill_from(&low, bits, false);
		fill_from(&high, bits, true);
	}
	*from = lower_bound(o, &low);
	*to = lower_bound(o, &high);
	if (*to < o->count && id_equal(&o->at[*to].id, &high))
		++*to;
}

void
oracle_range(const struct oracle *o, const struct id *id, unsigned bits, size_t *from, size_t *to)
{
	struct id other = *id;

	must(bits < ID_BITS);
	other.b[bits / 8] ^= (uint8_t)(0x80 >> (bits % 8));
	range_of_prefix(o, &other, bits + 1, from, to);
}

size_t
oracle_closest(const struct oracle *o, const struct id *target, uint32_t except,
    struct oracle_entry *out, size_t k)
{
	size_t from = 0, to = o->count, count = 0;

	for (unsigned bits = 1; bits <= ID_BITS && to - from > k; bits++) {
		size_t f, t;

		range_of_prefix(o, target, bits, &f, &t);
		/* One more than k, because `except` may be among them. */
		if (t - f <= k)
			break;
		from = f;
		to = t;
	}
	for (size_t i = from; i < to; i++) {
		size_t at = count;

		if (o->at[i].member == except)
			continue;
		while (at > 0 && id_compare_distance(target, &o->at[i].id, &out[at - 1].id) < 0)
			at--;
		if (at == k)
			continue;
		count = MIN(count + 1, k);
		memmove(&out[at + 1], &out[at], (count - at - 1) * sizeof(*out));
		out[at] = o->at[i];
	}
	return count;
}
