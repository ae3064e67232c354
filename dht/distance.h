/*
 * The XOR metric (Kademlia, 2002, §2.1) over 256-bit ids. Most decisions need only the
 * first 64 bits of a distance: two ids that agree further than that would take 2^64
 * key generations to make.
 */
#ifndef DHT_DISTANCE_H
#define DHT_DISTANCE_H

#include "overlay/base/types.h"

#define ID_BITS 256

/* The first 64 bits of the distance. */
static inline uint64_t
id_distance_top(const struct id *a, const struct id *b)
{
	return id_top(a) ^ id_top(b);
}

/* How many leading bits two tops share, 0..64. */
static inline unsigned
top_shared_bits(uint64_t a, uint64_t b)
{
	return a == b ? 64 : (unsigned)__builtin_clzll(a ^ b);
}

/* < 0 when a is closer to target than b, 0 when they are the same id. */
static inline int
id_compare_distance(const struct id *target, const struct id *a, const struct id *b)
{
	for (size_t i = 0; i < sizeof(a->b); i++) {
		uint8_t da = a->b[i] ^ target->b[i];
		uint8_t db = b->b[i] ^ target->b[i];

		if (da != db)
			return da < db ? -1 : 1;
	}
	return 0;
}

static inline int
id_compare(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

/* Whether the first bits bits (0..256) agree. */
static inline bool
id_has_prefix(const struct id *a, const struct id *prefix, unsigned bits)
{
	unsigned whole = bits / 8;
	uint8_t rest = bits % 8 == 0 ? 0 : (uint8_t)(0xff << (8 - bits % 8));

	if (memcmp(a->b, prefix->b, whole) != 0)
		return false;
	return rest == 0 || ((a->b[whole] ^ prefix->b[whole]) & rest) == 0;
}

/* out = the first bits bits of prefix, then those of fill. out may be fill. */
static inline void
id_with_prefix(struct id *out, const struct id *prefix, unsigned bits, const struct id *fill)
{
	for (unsigned i = 0; i < sizeof(out->b); i++) {
		unsigned have = bits > 8 * i ? bits - 8 * i : 0;
		uint8_t mask = have >= 8 ? 0xff : (uint8_t)(0xff << (8 - have));

		out->b[i] = (uint8_t)((prefix->b[i] & mask) | (fill->b[i] & (uint8_t)~mask));
	}
}

#endif
