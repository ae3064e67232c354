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
	const uint64_t *k = s->k;

	memcpy(w, key, sizeof(w));
	/* One by one: compilers leave the loop, and each datagram comes by here five times. */
	return (uint32_t)((k[8] + (k[0] + w[0]) * (k[1] + w[1]) + (k[2] + w[2]) * (k[3] + w[3]) +
			      (k[4] + w[4]) * (k[5] + w[5]) + (k[6] + w[6]) * (k[7] + w[7])) >>
			  32);
}

#endif
