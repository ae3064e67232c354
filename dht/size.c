/*
 * Samples go into a ring; the estimate is their median, held within a factor of two of the
 * anchor, which moves once a span. Integers only, so that simulations replay.
 */
#include "dht/size.h"

#include <stdlib.h>

#include "overlay/base/err.h"

void
size_init(struct size *s, uint64_t pace)
{
	memset(s, 0, sizeof(*s));
	s->span = SIZE_CLAMP_SPAN / MAX(pace, 1);
}

uint64_t
size_from_distance(size_t count, uint64_t farthest_top)
{
	unsigned __int128 space = (unsigned __int128)1 << 64;

	if (count == 0)
		return 0;
	/* E[1/d_k] = N/(k-1): k-1 makes the estimate unbiased. One node tells nothing more. */
	if (count == 1)
		return 1;
	space *= count - 1;
	return (uint64_t)MIN(space / ((unsigned __int128)farthest_top + 1), UINT64_MAX / 4);
}

static int
compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t
median(const struct size *s)
{
	uint64_t sorted[SIZE_SAMPLES];
	size_t n = MIN(s->taken, SIZE_SAMPLES);

	if (n == 0)
		return 0;
	memcpy(sorted, s->samples, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare_u64);
	return n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

uint64_t
size_estimate(const struct size *s, uint64_t now)
{
	uint64_t m = median(s);
	uint64_t spans =
	    s->anchor == 0 || now < s->anchored_at ? 0 : (now - s->anchored_at) / s->span;
	unsigned doublings = (unsigned)MIN(spans + 1, 32);

	if (s->anchor == 0)
		return m;
	return MIN(MAX(m, s->anchor >> doublings), s->anchor << doublings);
}

void
size_sample(struct size *s, size_t count, size_t wanted, uint64_t farthest_top, uint64_t now)
{
	uint64_t before = size_estimate(s, now);

	must(wanted > 0 && count <= wanted);
	s->samples[s->taken % SIZE_SAMPLES] =
	    count < wanted ? count : MAX(size_from_distance(count, farthest_top), count);
	/* Saturates in step with the ring. */
	s->taken = s->taken == UINT32_MAX ? UINT32_MAX - SIZE_SAMPLES + 1 : s->taken + 1;
	if (s->taken < SIZE_CLAMP_AFTER)
		return;
	if (s->anchor == 0) {
		s->anchor = MAX(median(s), 1);
		s->anchored_at = now;
	} else if (now - s->anchored_at >= s->span) {
		s->anchor = MIN(MAX(before, 1), UINT64_MAX / 4 >> 32);
		s->anchored_at = now;
	}
}
