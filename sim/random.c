/* Seeded streams of numbers, and the mix that hashes the run of events. Nothing here can fail. */
#include "sim/random.h"

#include <endian.h>

#include "overlay/base/err.h"

#define LANES_FROM 64 /* below, one lane is as fast */

/* Finaliser of SplitMix64: a bijection in which every input bit reaches every output bit. */
static uint64_t
finalise(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t
rotate_left(uint64_t x, unsigned bits)
{
	return (x << bits) | (x >> (64 - bits));
}

void
sim_random_init(struct sim_random *r, uint64_t seed, uint64_t stream)
{
	uint64_t z = sim_mix(finalise(seed), stream);

	for (size_t i = 0; i < ARRAY_LEN(r->s); i++) {
		z += UINT64_C(0x9e3779b97f4a7c15);
		r->s[i] = finalise(z);
	}
}

uint64_t
sim_random_u64(struct sim_random *r)
{
	uint64_t *s = r->s;
	uint64_t out = rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return out;
}

uint64_t
sim_random_below(struct sim_random *r, uint64_t bound)
{
	must(bound > 0);
	/* High half of the product (Lemire); its bias of bound/2^64 is nothing to a simulation. */
	return (uint64_t)(((unsigned __int128)sim_random_u64(r) * bound) >> 64);
}

bool
sim_random_chance(struct sim_random *r, uint32_t ppm)
{
	/* No draw for the impossible, so that switching a fault off leaves the stream alone. */
	return ppm != 0 && sim_random_below(r, SIM_PPM) < ppm;
}

void
sim_random_bytes(struct sim_random *r, void *out, size_t len)
{
	uint8_t *to = out;
	uint64_t v;

	/* Little-endian, so that either byte order draws the same. */
	for (; len >= sizeof(v); to += sizeof(v), len -= sizeof(v)) {
		v = htole64(sim_random_u64(r));
		memcpy(to, &v, sizeof(v));
	}
	if (len > 0) {
		v = htole64(sim_random_u64(r));
		memcpy(to, &v, len);
	}
}

uint64_t
sim_mix(uint64_t hash, uint64_t v)
{
	return finalise((rotate_left(hash, 5) ^ v) + UINT64_C(0x9e3779b97f4a7c15));
}

/* Little-endian, so that either byte order gives the same. */
static uint64_t
word_at(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

/* One lane: for what is short, and for the rest of what is not. */
static uint64_t
mix_words(uint64_t hash, const uint8_t *at, size_t len)
{
	for (; len >= 8; at += 8, len -= 8)
		hash = (rotate_left(hash, 5) ^ word_at(at)) * UINT64_C(0x9e3779b97f4a7c15);
	for (; len > 0; at++, len--)
		hash = (rotate_left(hash, 5) ^ *at) * UINT64_C(0x9e3779b97f4a7c15);
	return hash;
}

uint64_t
sim_mix_bytes(uint64_t hash, struct bytes data)
{
	uint64_t lanes[4] = { hash, hash + 1, hash + 2, hash + 3 };
	size_t i = 0;

	/* Four lanes side by side: one multiplication need not wait for the one before. */
	for (; data.len >= LANES_FROM && i + 32 <= data.len; i += 32) {
		for (size_t j = 0; j < 4; j++)
			lanes[j] = (rotate_left(lanes[j], 5) ^ word_at(data.data + i + 8 * j)) *
				   UINT64_C(0x9e3779b97f4a7c15);
	}
	for (size_t j = 1; i > 0 && j < 4; j++)
		lanes[0] = (rotate_left(lanes[0], 23) ^ lanes[j]) * UINT64_C(0x9e3779b97f4a7c15);
	return sim_mix(mix_words(lanes[0], data.data + i, data.len - i), data.len);
}
