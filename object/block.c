/* Blocks of a segment: nonce = block number, associated data = {version, last-block flag}. */
#include "object/block.h"

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

#define BLOCK_VERSION 1

uint64_t
block_count(uint64_t plain_bytes)
{
	return (plain_bytes + BLOCK_PLAIN - 1) / BLOCK_PLAIN;
}

uint64_t
block_sealed_bytes(uint64_t plain_bytes)
{
	return plain_bytes + block_count(plain_bytes) * CRYPTO_TAG_BYTES;
}

/* What belongs to one block: its length, its nonce, and whether it ends the segment. */
struct block {
	uint8_t nonce[CRYPTO_NONCE_BYTES];
	uint8_t ad[2];
	size_t plain;
};

static struct block
block_of(uint64_t plain_bytes, uint64_t number)
{
	struct block b = { .ad = { BLOCK_VERSION } };
	struct packer p = packer_on(b.nonce, sizeof(b.nonce));
	uint64_t at = number * BLOCK_PLAIN;

	must(at < plain_bytes);
	pack_u32(&p, 0);
	pack_u64(&p, number);
	b.plain = (size_t)MIN(plain_bytes - at, BLOCK_PLAIN);
	b.ad[1] = plain_bytes - at <= BLOCK_PLAIN;
	return b;
}

int
block_seal(struct aead *a, const struct key *k, uint64_t plain_bytes, uint64_t first,
    uint64_t count, const uint8_t *in, uint8_t *out)
{
	for (uint64_t i = first; i < first + count; i++) {
		struct block b = block_of(plain_bytes, i);
		int err = aead_seal(a, out, k, b.nonce, bytes_of(b.ad, sizeof(b.ad)), in, b.plain);

		if (err != ERR_OK)
			return err;
		in += b.plain;
		out += b.plain + CRYPTO_TAG_BYTES;
	}
	return ERR_OK;
}

int
block_open(struct aead *a, const struct key *k, uint64_t plain_bytes, uint64_t first,
    uint64_t count, const uint8_t *in, uint8_t *out)
{
	for (uint64_t i = first; i < first + count; i++) {
		struct block b = block_of(plain_bytes, i);
		int err = aead_open(a, out, k, b.nonce, bytes_of(b.ad, sizeof(b.ad)), in,
		    b.plain + CRYPTO_TAG_BYTES);

		if (err != ERR_OK)
			return err;
		in += b.plain + CRYPTO_TAG_BYTES;
		out += b.plain;
	}
	return ERR_OK;
}

int
block_same(struct block_seen *s, uint8_t *sealed, size_t sealed_bytes)
{
	const uint8_t *tag = sealed + sealed_bytes - CRYPTO_TAG_BYTES;

	if (s->sealed && !crypto_equal(s->tag, tag, sizeof(s->tag))) {
		crypto_wipe(sealed, sealed_bytes);
		return ERR_INVALID;
	}
	memcpy(s->tag, tag, sizeof(s->tag));
	s->sealed = true;
	return ERR_OK;
}
