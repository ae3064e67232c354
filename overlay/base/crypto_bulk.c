/*
 * libcrypto's side of crypto.h: hashing and sealing of long data, three to
 * five times faster than libsodium where the processor has SHA and vector
 * instructions. Algorithms are fetched once per context, never per call.
 *
 * Failures: no memory when a context is made; a tag that does not match. Once
 * a context exists, libcrypto can fail only when it is misused: must().
 */
/* libcrypto has a type of this name; here it is an error code of err.h. */
#define ERR_STATE openssl_err_state
#include <openssl/crypto.h>
#include <openssl/evp.h>
#undef ERR_STATE

#include "overlay/base/crypto_bulk.h"

#include <limits.h>
#include <stdlib.h>

#include "overlay/base/crypto_stand_in.h"
#include "overlay/base/err.h"

/* ---- digests: one context, used again and again ---- */

struct digest {
	EVP_MD *md;
	EVP_MD_CTX *ctx;
};

static void
digest_fini(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
	EVP_MD_free(d->md);
}

static bool
digest_init(struct digest *d, const char *name)
{
	d->md = EVP_MD_fetch(NULL, name, NULL);
	d->ctx = EVP_MD_CTX_new();
	if (d->md == NULL || d->ctx == NULL || EVP_DigestInit_ex2(d->ctx, d->md, NULL) != 1) {
		digest_fini(d);
		return false;
	}
	return true;
}

static void
digest_update(struct digest *d, const void *data, size_t len)
{
	must(EVP_DigestUpdate(d->ctx, data, len) == 1);
}

static void
digest_final(struct digest *d, uint8_t *out, unsigned out_len)
{
	unsigned len = 0;

	must(EVP_DigestFinal_ex(d->ctx, out, &len) == 1 && len == out_len);
	must(EVP_DigestInit_ex2(d->ctx, NULL, NULL) == 1);
}

struct sha256 {
	struct digest digest; /* unused by the stand-in */
	struct stand_in_hash stand_in;
};

struct sha256 *
sha256_new(void)
{
	struct sha256 *s = calloc(1, sizeof(*s));

	if (s != NULL && crypto_is_stand_in())
		stand_in_hash_init(&s->stand_in);
	else if (s != NULL && !digest_init(&s->digest, "SHA256")) {
		free(s);
		return NULL;
	}
	return s;
}

void
sha256_update(struct sha256 *s, const void *data, size_t len)
{
	if (crypto_is_stand_in())
		stand_in_hash_update(&s->stand_in, data, len);
	else
		digest_update(&s->digest, data, len);
}

void
sha256_final(struct sha256 *s, struct hash *out)
{
	if (crypto_is_stand_in())
		stand_in_hash_final(&s->stand_in, out);
	else
		digest_final(&s->digest, out->b, sizeof(out->b));
}

void
sha256_free(struct sha256 *s)
{
	if (s == NULL)
		return;
	digest_fini(&s->digest);
	free(s);
}

struct md5 {
	struct digest digest;
};

struct md5 *
md5_new(void)
{
	struct md5 *m = malloc(sizeof(*m));

	if (m != NULL && !digest_init(&m->digest, "MD5")) {
		free(m);
		return NULL;
	}
	return m;
}

void
md5_update(struct md5 *m, const void *data, size_t len)
{
	digest_update(&m->digest, data, len);
}

void
md5_final(struct md5 *m, uint8_t out[16])
{
	digest_final(&m->digest, out, 16);
}

void
md5_free(struct md5 *m)
{
	if (m == NULL)
		return;
	digest_fini(&m->digest);
	free(m);
}

struct sha1 {
	struct digest digest;
};

struct sha1 *
sha1_new(void)
{
	struct sha1 *s = malloc(sizeof(*s));

	if (s != NULL && !digest_init(&s->digest, "SHA1")) {
		free(s);
		return NULL;
	}
	return s;
}

void
sha1_update(struct sha1 *s, const void *data, size_t len)
{
	digest_update(&s->digest, data, len);
}

void
sha1_final(struct sha1 *s, uint8_t out[20])
{
	digest_final(&s->digest, out, 20);
}

void
sha1_free(struct sha1 *s)
{
	if (s == NULL)
		return;
	digest_fini(&s->digest);
	free(s);
}

bool
crypto_bulk_sha256(struct hash *out, const struct bytes *parts, size_t count)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	/* EVP_sha256() is resolved from the library's own cache, without a look-up by name. */
	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		return false;
	}
	for (size_t i = 0; i < count; i++)
		must(EVP_DigestUpdate(ctx, parts[i].data, parts[i].len) == 1);
	must(EVP_DigestFinal_ex(ctx, out->b, NULL) == 1);
	EVP_MD_CTX_free(ctx);
	return true;
}

/* ---- ChaCha20-Poly1305 ---- */

struct aead {
	EVP_CIPHER *cipher; /* both NULL with the stand-in */
	EVP_CIPHER_CTX *ctx;
};

struct aead *
aead_new(void)
{
	struct aead *a = calloc(1, sizeof(*a));

	if (a == NULL || crypto_is_stand_in())
		return a;
	a->cipher = EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	a->ctx = EVP_CIPHER_CTX_new();
	if (a->cipher == NULL || a->ctx == NULL ||
	    EVP_CipherInit_ex2(a->ctx, a->cipher, NULL, NULL, 1, NULL) != 1) {
		aead_free(a);
		return NULL;
	}
	return a;
}

void
aead_free(struct aead *a)
{
	if (a == NULL)
		return;
	EVP_CIPHER_CTX_free(a->ctx); /* wipes the key schedule */
	EVP_CIPHER_free(a->cipher);
	free(a);
}

/* Key, nonce and associated data, in either direction (seal: 1, open: 0). */
static void
aead_start(struct aead *a, const struct key *k, const uint8_t nonce[12], struct bytes ad, int seal)
{
	int n;

	must(EVP_CipherInit_ex2(a->ctx, NULL, k->b, nonce, seal, NULL) == 1);
	if (ad.len > 0)
		must(EVP_CipherUpdate(a->ctx, NULL, &n, ad.data, (int)ad.len) == 1);
}

/* Lengths are ints in libcrypto. */
static bool
aead_fits(struct bytes ad, size_t len)
{
	return ad.len <= INT_MAX && len <= INT_MAX - CRYPTO_TAG_BYTES;
}

int
aead_seal(struct aead *a, uint8_t *out, const struct key *k, const uint8_t nonce[12],
    struct bytes ad, const uint8_t *in, size_t len)
{
	int n = 0;

	if (!aead_fits(ad, len))
		return ERR_TOO_BIG;
	if (crypto_is_stand_in()) {
		stand_in_seal(out, k, bytes_of(nonce, CRYPTO_NONCE_BYTES), ad, in, len);
		return ERR_OK;
	}
	aead_start(a, k, nonce, ad, 1);
	if (len > 0)
		must(EVP_CipherUpdate(a->ctx, out, &n, in, (int)len) == 1 && (size_t)n == len);
	must(EVP_CipherFinal_ex(a->ctx, out + len, &n) == 1 && n == 0);
	must(EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_GET_TAG, CRYPTO_TAG_BYTES, out + len) == 1);
	return ERR_OK;
}

int
aead_open(struct aead *a, uint8_t *out, const struct key *k, const uint8_t nonce[12],
    struct bytes ad, const uint8_t *in, size_t len)
{
	uint8_t tag[CRYPTO_TAG_BYTES], none[1];
	int n = 0;

	if (len < CRYPTO_TAG_BYTES)
		return ERR_AUTH;
	len -= CRYPTO_TAG_BYTES;
	if (!aead_fits(ad, len))
		return ERR_TOO_BIG;
	if (crypto_is_stand_in())
		return stand_in_open(
		    out, k, bytes_of(nonce, CRYPTO_NONCE_BYTES), ad, in, len + CRYPTO_TAG_BYTES);
	memcpy(tag, in + len, sizeof(tag));
	aead_start(a, k, nonce, ad, 0);
	must(EVP_CIPHER_CTX_ctrl(a->ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1);
	if (len > 0)
		must(EVP_CipherUpdate(a->ctx, out, &n, in, (int)len) == 1 && (size_t)n == len);
	if (EVP_CipherFinal_ex(a->ctx, len > 0 ? out + len : none, &n) != 1) {
		/* libcrypto deciphers before it has seen the tag: take it back. */
		if (len > 0)
			OPENSSL_cleanse(out, len);
		return ERR_AUTH;
	}
	return ERR_OK;
}

const char *
crypto_bulk_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
