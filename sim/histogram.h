/*
 * A histogram of times or counts: exact below 64, then 32 buckets for each power of two, so a
 * percentile is off by at most 1/32. Fixed size, embedded, mergeable; integers only.
 */
#ifndef SIM_HISTOGRAM_H
#define SIM_HISTOGRAM_H

#include "overlay/base/types.h"

#define HISTOGRAM_SUB     32                        /* buckets per power of two: 3 % */
#define HISTOGRAM_BUCKETS (64 + HISTOGRAM_SUB * 42) /* up to 2^48: three days in ns */

struct histogram {
	uint64_t count, sum, max;
	uint32_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t v);
void histogram_merge(struct histogram *h, const struct histogram *other);
/* The value below which this share (0 … 1,000,000 ppm) lies; 0 of none. */
uint64_t histogram_percentile(const struct histogram *h, uint32_t ppm);
uint64_t histogram_mean(const struct histogram *h);
/* Values between the two bounds, for plots: [from, to). */
uint64_t histogram_between(const struct histogram *h, uint64_t from, uint64_t to);
void histogram_reset(struct histogram *h);

#endif
