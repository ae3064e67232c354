/*
 * How many nodes the network has, as far as one node can tell: pure. Each finished
 * lookup of an own random target is a sample: the k-th closest of N uniform ids lies at about
 * k/N of the key space. Targets that others choose (keys, own id) are never samples, for
 * ids can be ground beside those. The median of recent samples counts, and it moves at
 * most ×2 a day, so that a burst of made-up nodes cannot shrink the regions of puts.
 */
#ifndef DHT_SIZE_H
#define DHT_SIZE_H

#include "overlay/base/types.h"

/* The median of so many is 3 % low, 7 % off where each is of DHT_K nodes; 7 and 9 where of ten. */
#define SIZE_SAMPLES     16
#define SIZE_SAMPLES_MIN 4  /* fewer say less than the table's buckets do */
#define SIZE_CLAMP_AFTER 16 /* before that many samples there is nothing to hold on to */
#define SIZE_CLAMP_SPAN  DAYS(1)

struct size {
	uint64_t samples[SIZE_SAMPLES]; /* ring */
	uint32_t taken;                 /* ever; saturates */
	uint64_t anchor;                /* the estimate one span ago; 0: none yet */
	uint64_t anchored_at;
	uint64_t span; /* SIZE_CLAMP_SPAN, shorter on test networks */
};

/* pace divides the span of the clamp; 0 or 1: a day. */
void size_init(struct size *s, uint64_t pace);
/*
 * A lookup of a random target ended with count live nodes; wanted were asked for. The
 * farthest of them is at distance top (first 64 bits). count < wanted: that was everybody.
 */
void size_sample(struct size *s, size_t count, size_t wanted, uint64_t farthest_top, uint64_t now);
/* Nodes without ourselves; 0 while nothing is known. */
uint64_t size_estimate(const struct size *s, uint64_t now);
/* One sample's estimate. */
uint64_t size_from_distance(size_t count, uint64_t farthest_top);

#endif
