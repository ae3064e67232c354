/*
 * Nodes for the tests of pure DHT parts: contacts from a seeded generator, so that a failure
 * replays. Ids are hashes of the keys, as everywhere.
 */
#ifndef TEST_UNIT_DHT_NODES_H
#define TEST_UNIT_DHT_NODES_H

#include "overlay/base/types.h"
#include "overlay/contact.h"

struct dice { /* splitmix64 (Steele, Lea, Flood, 2014) */
	uint64_t state;
};

static inline uint64_t
dice_roll(struct dice *d)
{
	uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline uint64_t
dice_below(struct dice *d, uint64_t bound)
{
	return dice_roll(d) % bound;
}

static inline void
dice_bytes(struct dice *d, void *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)dice_roll(d);
}

static inline struct contact
node_random(struct dice *d)
{
	struct contact c;
	struct pubkey pub;
	struct addr a = { .family = ADDR_IPV4, .port = (uint16_t)(1024 + dice_below(d, 60000)) };

	dice_bytes(d, pub.b, sizeof(pub.b));
	dice_bytes(d, a.ip, 4);
	contact_init(&c, &pub, &a);
	return c;
}

#endif
