/* Log-linear counting. A value's bucket follows from its highest bit and the five below it. */
#include "sim/histogram.h"

#define EXACT      64 /* values below have a bucket each */
#define EXACT_BITS 6
#define SUB_BITS   5

static_assert(HISTOGRAM_SUB == 1 << SUB_BITS && EXACT == 1 << EXACT_BITS, "bits");

static size_t
bucket_of(uint64_t v)
{
	unsigned top;
	size_t i;

	if (v < EXACT)
		return (size_t)v;
	top = 63 - (unsigned)__builtin_clzll(v);
	i = EXACT + (size_t)(top - EXACT_BITS) * HISTOGRAM_SUB +
	    ((v >> (top - SUB_BITS)) & (HISTOGRAM_SUB - 1));
	return MIN(i, (size_t)HISTOGRAM_BUCKETS - 1);
}

/* The smallest value of a bucket. */
static uint64_t
bucket_low(size_t i)
{
	unsigned top;

	if (i < EXACT)
		return i;
	top = EXACT_BITS + (unsigned)((i - EXACT) / HISTOGRAM_SUB);
	return (UINT64_C(1) << top) | ((uint64_t)((i - EXACT) % HISTOGRAM_SUB) << (top - SUB_BITS));
}

void
histogram_add(struct histogram *h, uint64_t v)
{
	h->count++;
	h->sum += v;
	h->max = MAX(h->max, v);
	h->buckets[bucket_of(v)]++;
}

void
histogram_merge(struct histogram *h, const struct histogram *other)
{
	h->count += other->count;
	h->sum += other->sum;
	h->max = MAX(h->max, other->max);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->buckets[i] += other->buckets[i];
}

uint64_t
histogram_percentile(const struct histogram *h, uint32_t ppm)
{
	/* The rank is rounded up, so that 100 % is the largest. */
	uint64_t rank = (uint64_t)(((unsigned __int128)h->count * ppm + 999999) / 1000000),
		 seen = 0;

	if (h->count == 0)
		return 0;
	rank = MAX(rank, 1);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->buckets[i];
		if (seen >= rank)
			return MIN(bucket_low(i), h->max);
	}
	return h->max;
}

uint64_t
histogram_mean(const struct histogram *h)
{
	return h->count == 0 ? 0 : h->sum / h->count;
}

uint64_t
histogram_between(const struct histogram *h, uint64_t from, uint64_t to)
{
	uint64_t sum = 0;

	for (size_t i = bucket_of(from); i < HISTOGRAM_BUCKETS && bucket_low(i) < to; i++)
		sum += bucket_low(i) >= from ? h->buckets[i] : 0;
	return sum;
}

void
histogram_reset(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}
