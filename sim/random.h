/*
 * Streams of numbers that replay from a seed: xoshiro256** seeded through
 * SplitMix64 (Blackman and Vigna, "Scrambled linear pseudorandom number
 * generators", 2018). For simulation only: nobody may keep a secret with it.
 * Embedded plain state, nothing to free.
 */
#ifndef SIM_RANDOM_H
#define SIM_RANDOM_H

#include "overlay/base/types.h"

#define SIM_PPM 1000000 /* probabilities are parts per million: no floating point decides */

struct sim_random {
	uint64_t s[4];
};

/* Streams of one seed with different numbers are unrelated. */
void sim_random_init(struct sim_random *r, uint64_t seed, uint64_t stream);
uint64_t sim_random_u64(struct sim_random *r);
uint64_t sim_random_below(struct sim_random *r, uint64_t bound); /* [0, bound), bound > 0 */
bool sim_random_chance(struct sim_random *r, uint32_t ppm);
void sim_random_bytes(struct sim_random *r, void *out, size_t len);

/* One step of a 64-bit mix: spreads every bit of v over the result. Not cryptographic. */
uint64_t sim_mix(uint64_t hash, uint64_t v);
uint64_t sim_mix_bytes(uint64_t hash, struct bytes data);

#endif
