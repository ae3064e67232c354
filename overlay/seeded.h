/*
 * A seeded hash for tables whose keys a stranger may choose: without the seed
 * nobody can aim keys at one slot (pair-multiply-shift, Dietzfelbinger 1996: any two
 * keys collide with probability 2^-32 over the seeds). Not a cryptographic hash;
 * never let its values leave the process.
 */
#ifndef OVERLAY_SEEDED_H
#define OVERLAY_SEEDED_H

#include "overlay/base/types.h"

#define SEEDED_KEY_BYTES 32

struct seeded { /* all random: env_random() fills it */
	uint64_t k[9];
};

static inline uint32_t
seeded_hash(const struct seeded *s, const uint8_t key[SEEDED_KEY_BYTES])
{
	uint32_t w[8];
	uint64_t h = s->k[8];

	memcpy(w, key, sizeof(w));
	for (size_t i = 0; i < 8; i += 2)
		h += (s->k[i] + w[i]) * (s->k[i + 1] + w[i + 1]);
	return (uint32_t)(h >> 32);
}

#endif
