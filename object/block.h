/*
 * Sealing of an object's bytes. One fresh random key per write attempt (a key never
 * seals two plaintexts), blocks of BLOCK_PLAIN plaintext become BLOCK_SEALED ciphertext; the
 * 96-bit nonce is the block's number, the associated data {version, last-block flag}. So a
 * block can be neither moved, nor cut off, nor appended to. An empty segment has no blocks.
 * Pure; fit for workers (one aead context per call site and thread).
 */
#ifndef OBJECT_BLOCK_H
#define OBJECT_BLOCK_H

#include "overlay/base/crypto.h"
#include "overlay/base/types.h"

#define BLOCK_SEALED KIB(64) /* = LEAF_BYTES: a full leaf opens on its own */
#define BLOCK_PLAIN  (BLOCK_SEALED - CRYPTO_TAG_BYTES)

uint64_t block_sealed_bytes(uint64_t plain_bytes); /* of a whole segment */
uint64_t block_count(uint64_t plain_bytes);
/* Seals blocks first … first+count−1 of a segment of plain_bytes; in has their plaintext. */
int block_seal(struct aead *a, const struct key *k, uint64_t plain_bytes, uint64_t first,
    uint64_t count, const uint8_t *in, uint8_t *out);
/* The reverse; out may be in. ERR_AUTH when any block was altered, moved or cut. */
int block_open(struct aead *a, const struct key *k, uint64_t plain_bytes, uint64_t first,
    uint64_t count, const uint8_t *in, uint8_t *out);

/*
 * A source that is read and sealed a second time may have changed meanwhile, and a key never seals
 * two plaintexts: what left this process of both would tell their difference. Remembers the first
 * sealing of a block, and says ERR_INVALID to another one, whose bytes it wipes. Starts zeroed.
 */
struct block_seen {
	bool sealed;
	uint8_t tag[CRYPTO_TAG_BYTES];
};
int block_same(struct block_seen *s, uint8_t *sealed, size_t sealed_bytes);

#endif
