/*
 * One mixing function serves everything: four lanes of 64 bits take in 32 bytes per step, and
 * at the end each output word depends on all lanes. Signatures and tags are keyed hashes; the
 * key stream is four counters. Nothing can fail but the checks themselves.
 */
#include "overlay/base/crypto_stand_in.h"

#include "overlay/base/err.h"

/* Odd constants with well spread bits: those of xxHash64 and of SplitMix64. */
#define PRIME_1 UINT64_C(0x9e3779b185ebca87)
#define PRIME_2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define PRIME_3 UINT64_C(0x165667b19e3779f9)
#define GOLDEN  UINT64_C(0x9e3779b97f4a7c15)

/*
 * Like libsodium's own set-up this belongs to the process, for keys and ids of both kinds
 * must never meet.
 */
static bool chosen, decided;

void
crypto_use_stand_in(void)
{
	must(!decided || chosen);
	chosen = true;
}

bool
crypto_is_stand_in(void)
{
	return chosen;
}

void
stand_in_decided(void)
{
	decided = true;
}

/* ---- hashing ---- */

static uint64_t
rotate(uint64_t v, unsigned bits)
{
	return v << bits | v >> (-bits & 63); /* also by none */
}

/* SplitMix64's finaliser: a permutation in which every bit reaches every other. */
static uint64_t
mix(uint64_t v)
{
	v = (v ^ v >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	v = (v ^ v >> 27) * UINT64_C(0x94d049bb133111eb);
	return v ^ v >> 31;
}

static const uint64_t lanes_first[4] = { PRIME_1 + PRIME_2, PRIME_2, PRIME_3, GOLDEN };

static inline void
take_block(uint64_t lanes[4], const uint8_t block[32])
{
	uint64_t words[4];

	memcpy(words, block, sizeof(words));
	lanes[0] = rotate(lanes[0] + words[0] * PRIME_2, 31) * PRIME_1;
	lanes[1] = rotate(lanes[1] + words[1] * PRIME_2, 31) * PRIME_1;
	lanes[2] = rotate(lanes[2] + words[2] * PRIME_2, 31) * PRIME_1;
	lanes[3] = rotate(lanes[3] + words[3] * PRIME_2, 31) * PRIME_1;
}

/* Whole blocks, then what is left, which zeros fill up. */
static void
absorb(uint64_t lanes[4], const void *data, size_t len)
{
	const uint8_t *at = data;
	uint8_t last[32] = { 0 };

	for (; len >= sizeof(last); at += sizeof(last), len -= sizeof(last))
		take_block(lanes, at);
	if (len > 0) {
		memcpy(last, at, len);
		take_block(lanes, last);
	}
}

void
stand_in_hash_init(struct stand_in_hash *h)
{
	memcpy(h->lanes, lanes_first, sizeof(h->lanes));
	h->len = 0;
}

static void
lanes_of_key(uint64_t lanes[4], const void *key, size_t key_len)
{
	struct hash digest;
	uint64_t words[4];

	if (key_len == sizeof(words)) { /* nearly all */
		memcpy(words, key, sizeof(words));
	} else {
		stand_in_hash_once(&digest, key, key_len);
		memcpy(words, digest.b, sizeof(words));
	}
	for (int i = 0; i < 4; i++)
		lanes[i] = lanes_first[i] ^ words[i] * PRIME_3;
}

void
stand_in_hash_init_keyed(struct stand_in_hash *h, const void *key, size_t key_len)
{
	lanes_of_key(h->lanes, key, key_len);
	h->len = 0;
}

void
stand_in_hash_update(struct stand_in_hash *h, const void *data, size_t len)
{
	const uint8_t *at = data;
	size_t have = h->len % sizeof(h->block);

	h->len += len;
	if (have > 0) {
		size_t n = MIN(len, sizeof(h->block) - have);

		if (n > 0)
			memcpy(h->block + have, at, n);
		if (have + n < sizeof(h->block))
			return;
		take_block(h->lanes, h->block);
		at += n;
		len -= n;
	}
	for (; len >= sizeof(h->block); at += sizeof(h->block), len -= sizeof(h->block))
		take_block(h->lanes, at);
	if (len > 0)
		memcpy(h->block, at, len);
}

static void
finish(const uint64_t lanes[4], uint64_t len, struct hash *out)
{
	uint64_t all = mix(len * PRIME_3 + lanes[0] + rotate(lanes[1], 17) * PRIME_1 +
			   rotate(lanes[2], 31) * PRIME_2 + rotate(lanes[3], 47) * GOLDEN);
	uint64_t words[4] = {
		(lanes[0] + all) * GOLDEN,
		(lanes[1] + rotate(all, 16)) * GOLDEN,
		(lanes[2] + rotate(all, 32)) * GOLDEN,
		(lanes[3] + rotate(all, 48)) * GOLDEN,
	};

	/* All bits of every lane are in all of them already. */
	words[0] ^= words[0] >> 32;
	words[1] ^= words[1] >> 32;
	words[2] ^= words[2] >> 32;
	words[3] ^= words[3] >> 32;
	memcpy(out->b, words, sizeof(out->b));
}

void
stand_in_hash_final(struct stand_in_hash *h, struct hash *out)
{
	absorb(h->lanes, h->block, h->len % sizeof(h->block));
	finish(h->lanes, h->len, out);
	stand_in_hash_init(h);
}

void
stand_in_hash_once(struct hash *out, const void *data, size_t len)
{
	uint64_t lanes[4];

	memcpy(lanes, lanes_first, sizeof(lanes));
	absorb(lanes, data, len);
	finish(lanes, len, out);
}

void
stand_in_hash_once_keyed(
    struct hash *out, const void *key, size_t key_len, const void *data, size_t len)
{
	uint64_t lanes[4];

	lanes_of_key(lanes, key, key_len);
	absorb(lanes, data, len);
	finish(lanes, len, out);
}

/*
 * Of a key or point and what follows it; a hash of its own for each purpose, whose name is at
 * most 8 characters.
 */
static inline void
hash_for(const char *name, const uint8_t first[32], const void *more, size_t len, struct hash *out)
{
	uint64_t lanes[4], purpose = 0;

	memcpy(&purpose, name, MIN(strlen(name), sizeof(purpose)));
	memcpy(lanes, lanes_first, sizeof(lanes));
	lanes[0] ^= purpose * PRIME_3;
	lanes[1] ^= 33 * PRIME_3; /* none of the plain hashes */
	take_block(lanes, first);
	absorb(lanes, more, len);
	finish(lanes, 32 + len, out);
}

/* ---- signatures: a hash of public key and message, which all can compute and check ---- */

void
stand_in_sign_key(const struct key *seed, struct sign_key *out, struct pubkey *pub)
{
	struct hash h;

	hash_for("public", seed->b, "", 0, &h);
	memcpy(pub->b, h.b, sizeof(pub->b));
	memcpy(out->seed, seed->b, sizeof(out->seed));
	/* The layout of the real one: seed, then public key. */
	memcpy(out->expanded, seed->b, sizeof(seed->b));
	memcpy(out->expanded + sizeof(seed->b), pub->b, sizeof(pub->b));
}

static void
signature(const uint8_t pub[32], const void *data, size_t len, struct sig *out)
{
	struct hash h;

	hash_for("sign", pub, data, len, &h);
	memcpy(out->b, h.b, sizeof(h.b));
	hash_for("sign 2", h.b, "", 0, &h);
	memcpy(out->b + sizeof(h.b), h.b, sizeof(h.b));
}

void
stand_in_sign(struct sig *out, const struct sign_key *k, const void *data, size_t len)
{
	signature(k->expanded + sizeof(k->seed), data, len, out);
}

bool
stand_in_verify(const struct sig *s, const struct pubkey *pub, const void *data, size_t len)
{
	struct sig good;

	signature(pub->b, data, len, &good);
	return memcmp(good.b, s->b, sizeof(good.b)) == 0;
}

/* ---- agreement: a hash of the sum of both public keys ---- */

static bool
is_zero(const uint8_t point[32])
{
	static const uint8_t zero[32];

	return memcmp(point, zero, sizeof(zero)) == 0;
}

/* A permutation of each word: as good as a hash where nothing is secret, and for each peer new. */
void
stand_in_x25519_base(uint8_t pub[32], const struct key *secret)
{
	uint64_t words[4];

	memcpy(words, secret->b, sizeof(words));
	for (int i = 0; i < 4; i++)
		words[i] = rotate(words[i] * PRIME_1 + lanes_first[i], 32) * PRIME_2;
	memcpy(pub, words, sizeof(words));
}

int
stand_in_x25519(struct key *shared, const struct key *secret, const uint8_t peer_pub[32])
{
	uint64_t own[4], peer[4];
	struct hash h, sum;

	if (is_zero(peer_pub))
		return ERR_AUTH;
	stand_in_x25519_base(h.b, secret);
	memcpy(own, h.b, sizeof(own));
	memcpy(peer, peer_pub, sizeof(peer));
	for (int i = 0; i < 4; i++)
		own[i] += peer[i];
	memcpy(sum.b, own, sizeof(sum.b));
	hash_for("shared", sum.b, "", 0, &h);
	memcpy(shared->b, h.b, sizeof(shared->b));
	return ERR_OK;
}

/* The public key stands for the secret scalar, so that others find its point without the seed. */
void
stand_in_sign_key_to_x25519(struct key *out, const struct sign_key *k)
{
	memcpy(out->b, k->expanded + sizeof(k->seed), sizeof(out->b));
}

int
stand_in_pubkey_to_x25519(uint8_t out[32], const struct pubkey *pub)
{
	struct key scalar;

	if (is_zero(pub->b))
		return ERR_AUTH;
	memcpy(scalar.b, pub->b, sizeof(scalar.b));
	stand_in_x25519_base(out, &scalar);
	return ERR_OK;
}

/* ---- sealing ---- */

/* Two words side by side; baseline x86-64 and ARM64 have registers for them. */
typedef uint64_t pair __attribute__((vector_size(16)));

/* Of key and nonce. What each lane of the key stream begins with, and the tag. */
struct start {
	uint64_t lanes[4];
};

/* By lane, of the sealed words; the second depends on their order (Fletcher's checksum). */
struct sums {
	uint64_t plain[4], ordered[4];
};

/* All lanes depend on every bit of key and nonce. */
static void
seal_start(const struct key *k, struct bytes nonce, struct start *start)
{
	uint64_t words[4], drawn[4] = { 0 }, all;

	must(nonce.len <= sizeof(drawn));
	memcpy(words, k->b, sizeof(words));
	memcpy(drawn, nonce.data, nonce.len);
	words[0] = rotate(words[0] * PRIME_1 + drawn[0] * PRIME_2, 31) * PRIME_3;
	words[1] = rotate(words[1] * PRIME_1 + drawn[1] * PRIME_2, 31) * PRIME_3;
	words[2] = rotate(words[2] * PRIME_1 + drawn[2] * PRIME_2, 31) * PRIME_3;
	words[3] = rotate(words[3] * PRIME_1 + drawn[3] * PRIME_2, 31) * PRIME_3;
	all = mix(nonce.len + words[0] + rotate(words[1], 17) + rotate(words[2], 31) +
		  rotate(words[3], 47));
	*start = (struct start){ { words[0] ^ all, words[1] + rotate(all, 16),
	    words[2] ^ rotate(all, 32), words[3] + rotate(all, 48) } };
}

/* What is left behind the last whole block, as one that zeros fill up: on either side the same. */
static void
sweep_rest(const uint64_t stream[4], struct sums *s, uint8_t *out, const uint8_t *in, size_t len,
    bool opening)
{
	uint64_t came[4] = { 0 }, turned[4];
	const uint64_t *sealed = opening ? came : turned;

	memcpy(came, in, len);
	for (int i = 0; i < 4; i++)
		turned[i] = came[i] ^ stream[i];
	memcpy(out, turned, len);
	memset((uint8_t *)turned + len, 0, sizeof(turned) - len);
	for (int i = 0; i < 4; i++) {
		s->plain[i] += sealed[i];
		s->ordered[i] += s->plain[i];
	}
}

/*
 * The key stream over in, and the sums of what is sealed, in one pass. Four lanes, none of which
 * waits for another. The stream only counts, in odd steps of 64 bits: nobody but a checker that
 * searches for text reads it.
 */
static inline __attribute__((always_inline)) void
sweep(const struct start *start, struct sums *s, uint8_t *out, const uint8_t *in, size_t len,
    bool opening)
{
	const pair step[2] = { { GOLDEN, PRIME_1 }, { PRIME_2, PRIME_3 } };
	pair plain_a = { 0 }, plain_b = { 0 }, ordered_a = { 0 }, ordered_b = { 0 };
	pair a, b, turned_a, turned_b, stream_a, stream_b;
	uint64_t stream[4];

	memcpy(&stream_a, start->lanes, sizeof(pair));
	memcpy(&stream_b, start->lanes + 2, sizeof(pair));
	for (; len >= 2 * sizeof(pair); len -= 2 * sizeof(pair)) {
		memcpy(&a, in, sizeof(pair));
		memcpy(&b, in + sizeof(pair), sizeof(pair));
		turned_a = a ^ stream_a;
		turned_b = b ^ stream_b;
		memcpy(out, &turned_a, sizeof(pair));
		memcpy(out + sizeof(pair), &turned_b, sizeof(pair));
		stream_a += step[0];
		stream_b += step[1];
		plain_a += opening ? a : turned_a;
		plain_b += opening ? b : turned_b;
		ordered_a += plain_a;
		ordered_b += plain_b;
		in += 2 * sizeof(pair);
		out += 2 * sizeof(pair);
	}
	memcpy(stream, &stream_a, sizeof(pair));
	memcpy(stream + 2, &stream_b, sizeof(pair));
	memcpy(s->plain, &plain_a, sizeof(pair));
	memcpy(s->plain + 2, &plain_b, sizeof(pair));
	memcpy(s->ordered, &ordered_a, sizeof(pair));
	memcpy(s->ordered + 2, &ordered_b, sizeof(pair));
	if (len > 0)
		sweep_rest(stream, s, out, in, len, opening);
}

static void
tag_of(const struct start *start, struct bytes ad, const struct sums *sums, size_t len,
    uint8_t tag[CRYPTO_TAG_BYTES])
{
	uint64_t lanes[4];
	struct hash full;

	for (int i = 0; i < 4; i++)
		lanes[i] = (start->lanes[i] + sums->plain[i] * PRIME_1) ^
			   rotate(sums->ordered[i] * PRIME_2, 31);
	lanes[2] += len * PRIME_3;
	absorb(lanes, ad.data, ad.len);
	finish(lanes, ad.len, &full);
	memcpy(tag, full.b, CRYPTO_TAG_BYTES);
}

void
stand_in_seal(uint8_t *out, const struct key *k, struct bytes nonce, struct bytes ad,
    const uint8_t *in, size_t len)
{
	struct start start;
	struct sums sums;

	seal_start(k, nonce, &start);
	sweep(&start, &sums, out, in, len, false);
	tag_of(&start, ad, &sums, len, out + len);
}

int
stand_in_open(uint8_t *out, const struct key *k, struct bytes nonce, struct bytes ad,
    const uint8_t *in, size_t len)
{
	uint8_t tag[CRYPTO_TAG_BYTES], came[CRYPTO_TAG_BYTES];
	struct start start;
	struct sums sums;

	if (len < CRYPTO_TAG_BYTES)
		return ERR_AUTH;
	len -= CRYPTO_TAG_BYTES;
	memcpy(came, in + len, sizeof(came)); /* out may lie over in */
	seal_start(k, nonce, &start);
	sweep(&start, &sums, out, in, len, true);
	tag_of(&start, ad, &sums, len, tag);
	return memcmp(tag, came, sizeof(tag)) == 0 ? ERR_OK : ERR_AUTH;
}
