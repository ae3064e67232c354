/*
 * Noise_XX_25519_ChaChaPoly_SHA256, revision 34. From the bottom: the cipher
 * state (§5.1), the symmetric state (§5.2), then the three messages of XX
 * (§7.5) as lists of tokens, walked alike by writer and reader.
 *
 * Failures: sizes, which leave a writer unharmed; a tag that does not match or
 * a low-order point, which only a reader meets, and after which the state refuses everything. A
 * reader's output is only written with bytes that were authenticated, except the payload of message
 * 1, where there is no key yet.
 */
#include "overlay/noise.h"

#include <assert.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

/* Exactly as long as a hash, so it is the first h without being hashed (§5.2). */
static const char protocol_name[] = "Noise_XX_25519_ChaChaPoly_SHA256";
static_assert(sizeof(protocol_name) - 1 == sizeof(struct hash), "name");

/* ---- cipher state ---- */

/* 32 zero bits, then the counter little-endian (§12.3). */
static void
nonce_of(uint64_t n, uint8_t nonce[CRYPTO_NONCE_BYTES])
{
	memset(nonce, 0, 4);
	for (unsigned i = 0; i < 8; i++)
		nonce[4 + i] = (uint8_t)(n >> (8 * i));
}

int
noise_cipher_next(struct noise_cipher *c, uint8_t nonce[CRYPTO_NONCE_BYTES])
{
	if (c->n == UINT64_MAX) /* reserved by the specification */
		return ERR_STATE;
	nonce_of(c->n++, nonce);
	return ERR_OK;
}

static int
cipher_seal(struct noise_cipher *c, struct aead *a, struct bytes ad, uint8_t *out,
    const uint8_t *in, size_t len)
{
	uint8_t nonce[CRYPTO_NONCE_BYTES];

	if (len > NOISE_MESSAGE_MAX - NOISE_TAG_BYTES)
		return ERR_TOO_BIG;

	int err = noise_cipher_next(c, nonce);

	return err != ERR_OK ? err : aead_seal(a, out, &c->k, nonce, ad, in, len);
}

/* The counter moves only when the tag was right (§5.1). */
static int
cipher_open(struct noise_cipher *c, struct aead *a, struct bytes ad, uint8_t *out,
    const uint8_t *in, size_t len)
{
	uint8_t nonce[CRYPTO_NONCE_BYTES];

	if (len > NOISE_MESSAGE_MAX)
		return ERR_TOO_BIG;
	if (c->n == UINT64_MAX)
		return ERR_STATE;
	nonce_of(c->n, nonce);

	int err = aead_open(a, out, &c->k, nonce, ad, in, len);

	if (err == ERR_OK)
		c->n++;
	return err;
}

int
noise_seal(struct noise_cipher *c, struct aead *a, uint8_t *out, const uint8_t *in, size_t len)
{
	return cipher_seal(c, a, bytes_of(NULL, 0), out, in, len);
}

int
noise_open(struct noise_cipher *c, struct aead *a, uint8_t *out, const uint8_t *in, size_t len)
{
	return cipher_open(c, a, bytes_of(NULL, 0), out, in, len);
}

void
noise_cipher_wipe(struct noise_cipher *c)
{
	crypto_wipe(c, sizeof(*c));
}

/* ---- symmetric state ---- */

/* HKDF with two outputs (§4.3). */
static void
hkdf(const struct hash *ck, struct bytes ikm, struct hash *out1, struct hash *out2)
{
	struct hash temp;
	uint8_t block[sizeof(struct hash) + 1];

	crypto_hmac(&temp, ck->b, sizeof(ck->b), ikm.data, ikm.len);
	crypto_hmac(out1, temp.b, sizeof(temp.b), "\x01", 1);
	memcpy(block, out1->b, sizeof(out1->b));
	block[sizeof(out1->b)] = 2;
	crypto_hmac(out2, temp.b, sizeof(temp.b), block, sizeof(block));
	crypto_wipe(&temp, sizeof(temp));
	crypto_wipe(block, sizeof(block));
}

static void
mix_hash(struct noise *n, const void *data, size_t len)
{
	struct bytes parts[] = { bytes_of(n->h.b, sizeof(n->h.b)), bytes_of(data, len) };
	struct hash h;

	crypto_sha256_parts(&h, parts, ARRAY_LEN(parts));
	n->h = h;
}

static void
mix_key(struct noise *n, const struct key *shared)
{
	struct hash ck, k;

	hkdf(&n->ck, bytes_of(shared->b, sizeof(shared->b)), &ck, &k);
	n->ck = ck;
	memcpy(n->cipher.k.b, k.b, sizeof(k.b));
	n->cipher.n = 0;
	n->keyed = true;
	crypto_wipe(&ck, sizeof(ck));
	crypto_wipe(&k, sizeof(k));
}

/* MixKey(DH(secret, point)) */
static int
mix_dh(struct noise *n, const struct key *secret, const uint8_t point[NOISE_DH_BYTES])
{
	struct key shared;

	if (crypto_x25519(&shared, secret, point) != ERR_OK)
		return ERR_AUTH;
	mix_key(n, &shared);
	crypto_wipe(&shared, sizeof(shared));
	return ERR_OK;
}

/* EncryptAndHash; *len grows by what was written at out + *len. */
static int
seal_and_hash(struct noise *n, uint8_t *out, size_t *len, const uint8_t *in, size_t in_len)
{
	uint8_t *at = out + *len;
	size_t at_len = in_len + (n->keyed ? NOISE_TAG_BYTES : 0);

	if (n->keyed) {
		int err = cipher_seal(
		    &n->cipher, n->aead, bytes_of(n->h.b, sizeof(n->h.b)), at, in, in_len);

		if (err != ERR_OK)
			return err;
	} else if (in_len > 0) {
		memmove(at, in, in_len);
	}
	mix_hash(n, at, at_len);
	*len += at_len;
	return ERR_OK;
}

/* DecryptAndHash */
static int
open_and_hash(struct noise *n, uint8_t *out, struct bytes in)
{
	struct hash ad = n->h;

	/* The ciphertext is what is hashed, and out may not be kept if the tag is wrong. */
	mix_hash(n, in.data, in.len);
	if (n->keyed)
		return cipher_open(
		    &n->cipher, n->aead, bytes_of(ad.b, sizeof(ad.b)), out, in.data, in.len);
	if (in.len > 0)
		memcpy(out, in.data, in.len);
	return ERR_OK;
}

/* ---- handshake: XX ---- */

enum token { TOKEN_END, TOKEN_E, TOKEN_S, TOKEN_EE, TOKEN_ES, TOKEN_SE };

static const enum token xx[3][5] = {
	{ TOKEN_E },
	{ TOKEN_E, TOKEN_EE, TOKEN_S, TOKEN_ES },
	{ TOKEN_S, TOKEN_SE },
};
static const size_t overhead[3] = { NOISE_OVERHEAD_1, NOISE_OVERHEAD_2, NOISE_OVERHEAD_3 };

/* es and se are named from the initiator's side: its ephemeral with the other's static, and so on.
 */
static int
mix_token(struct noise *n, enum token t)
{
	switch (t) {
	case TOKEN_EE:
		return mix_dh(n, &n->e, n->re);
	case TOKEN_ES:
		if (n->initiator)
			return mix_dh(n, &n->e, n->rs);
		mix_key(n, &n->es);
		return ERR_OK;
	default:
		must(t == TOKEN_SE);
		return n->initiator ? mix_dh(n, &n->s, n->re) : mix_dh(n, &n->e, n->rs);
	}
}

void
noise_prologue(const struct network_id *net, uint8_t out[NOISE_PROLOGUE_BYTES])
{
	struct packer p = packer_on(out, NOISE_PROLOGUE_BYTES);

	pack_domain(&p, "skerry/session/1", net);
	must(pack_ok(&p) && p.len == NOISE_PROLOGUE_BYTES);
}

void
noise_init(struct noise *n, const struct noise_opts *opts)
{
	*n = (struct noise){ .aead = opts->aead, .initiator = opts->initiator };
	n->s = *opts->static_secret;
	memcpy(n->s_public, opts->static_public, sizeof(n->s_public));
	memcpy(n->h.b, protocol_name, sizeof(n->h.b));
	n->ck = n->h;
	mix_hash(n, opts->prologue.data, opts->prologue.len);
}

void
noise_wipe(struct noise *n)
{
	crypto_wipe(n, sizeof(*n));
	n->failed = true; /* a wiped state answers ERR_STATE, not with zeros for keys */
}

bool
noise_must_write(const struct noise *n)
{
	return !n->failed && n->step < 3 && (n->step % 2 == 0) == n->initiator;
}

bool
noise_must_read(const struct noise *n)
{
	return !n->failed && n->step < 3 && (n->step % 2 == 0) != n->initiator;
}

bool
noise_done(const struct noise *n)
{
	return !n->failed && n->step == 3;
}

static int
write_token(struct noise *n, enum token t, const struct key *ephemeral, uint8_t *out, size_t *len)
{
	if (t == TOKEN_S)
		return seal_and_hash(n, out, len, n->s_public, sizeof(n->s_public));
	if (t != TOKEN_E)
		return mix_token(n, t);
	n->e = *ephemeral;
	crypto_x25519_base(n->e_public, &n->e);
	memcpy(out + *len, n->e_public, sizeof(n->e_public));
	mix_hash(n, n->e_public, sizeof(n->e_public));
	*len += sizeof(n->e_public);
	return ERR_OK;
}

int
noise_write_message(struct noise *n, const struct key *ephemeral, struct bytes payload,
    uint8_t *out, size_t cap, size_t *out_len)
{
	size_t len = 0;
	int err = ERR_OK;

	if (!noise_must_write(n))
		return ERR_STATE;
	if (payload.len > NOISE_MESSAGE_MAX - overhead[n->step] ||
	    payload.len + overhead[n->step] > cap)
		return ERR_TOO_BIG;
	must((ephemeral != NULL) == (xx[n->step][0] == TOKEN_E));
	for (const enum token *t = xx[n->step]; *t != TOKEN_END && err == ERR_OK; t++)
		err = write_token(n, *t, ephemeral, out, &len);
	if (err == ERR_OK)
		err = seal_and_hash(n, out, &len, payload.data, payload.len);
	if (err != ERR_OK) {
		n->failed = true;
		return err;
	}
	must(len == payload.len + overhead[n->step]);
	n->step++;
	*out_len = len;
	return ERR_OK;
}

static int
read_token(struct noise *n, enum token t, struct unpacker *u)
{
	if (t == TOKEN_S) {
		struct bytes sealed = unpack_lend(u, sizeof(n->rs) + NOISE_TAG_BYTES);

		return sealed.data == NULL ? ERR_INVALID : open_and_hash(n, n->rs, sealed);
	}
	if (t != TOKEN_E)
		return mix_token(n, t);
	unpack_raw(u, n->re, sizeof(n->re));
	if (u->failed)
		return ERR_INVALID;
	mix_hash(n, n->re, sizeof(n->re));
	/*
	 * The responder would see a low-order point only when it answers. It needs es for that
	 * anyway: agreed here, a peer's bad point is the reader's error, and writing cannot fail
	 * because of a peer.
	 */
	return n->initiator ? ERR_OK : crypto_x25519(&n->es, &n->s, n->re);
}

int
noise_read_message(struct noise *n, struct bytes in, uint8_t *out, size_t cap, size_t *out_len)
{
	struct unpacker u = unpacker_on(in);
	int err = ERR_OK;

	if (!noise_must_read(n))
		return ERR_STATE;
	if (in.len > NOISE_MESSAGE_MAX || in.len < overhead[n->step])
		err = ERR_INVALID;
	else if (in.len - overhead[n->step] > cap)
		err = ERR_TOO_BIG;
	for (const enum token *t = xx[n->step]; err == ERR_OK && *t != TOKEN_END; t++)
		err = read_token(n, *t, &u);
	if (err == ERR_OK)
		err = open_and_hash(n, out, unpack_lend(&u, unpack_left(&u)));
	if (err != ERR_OK) {
		n->failed = true;
		return err;
	}
	*out_len = in.len - overhead[n->step];
	n->step++;
	return ERR_OK;
}

const uint8_t *
noise_remote_static(const struct noise *n)
{
	return !n->failed && n->step >= (n->initiator ? 2 : 3) ? n->rs : NULL;
}

const struct hash *
noise_handshake_hash(const struct noise *n)
{
	must(noise_done(n));
	return &n->h;
}

void
noise_split(struct noise *n, struct noise_cipher *send, struct noise_cipher *receive)
{
	struct hash k1, k2;

	must(noise_done(n));
	hkdf(&n->ck, bytes_of(NULL, 0), &k1, &k2);
	memcpy(send->k.b, n->initiator ? k1.b : k2.b, sizeof(send->k.b));
	memcpy(receive->k.b, n->initiator ? k2.b : k1.b, sizeof(receive->k.b));
	send->n = receive->n = 0;
	crypto_wipe(&k1, sizeof(k1));
	crypto_wipe(&k2, sizeof(k2));
}
