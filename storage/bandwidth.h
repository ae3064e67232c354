/*
 * Token buckets for bytes: what may be moved a second, with a second's worth saved at most. Pure
 * but for their own state; who asks waits as long as he is told.
 */
#ifndef STORAGE_BANDWIDTH_H
#define STORAGE_BANDWIDTH_H

#include "overlay/base/types.h"

/* A bucket holds so much of its rate: what is moved in pieces is not cut by it. */
#define RATE_SAVED_NS UINT64_C(1000000000)
/* Faster than any line, and far from overflow. */
#define RATE_MAX      ((uint64_t)1 << 40)

struct byte_rate {
	uint64_t bytes_s; /* 0, or more than RATE_MAX: no limit */
	uint64_t full_at; /* when the bucket is full again */
};
bool byte_rate_limits(const struct byte_rate *r);
/* Takes so many bytes; nanoseconds to wait before they are moved. */
uint64_t byte_rate_take(struct byte_rate *r, uint64_t now, uint64_t bytes);

/* A node's line, shared by all that moves bulk over it. */
struct bandwidth {
	struct byte_rate up, down;
};
/* The same for both directions at once: the longer wait. */
uint64_t bandwidth_take(struct bandwidth *b, uint64_t now, uint64_t up, uint64_t down);

#endif
