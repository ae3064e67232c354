/*
 * libsodium's side of crypto.h: keys, signatures, agreement, passwords, small
 * messages, text. Long inputs to SHA-256 are handed to libcrypto, which uses
 * the processor's SHA instructions.
 *
 * Failures: a peer's bad point, tag or text is an ERR_*; libsodium calls that
 * fail only when they are misused are must()s.
 */
#include "overlay/base/crypto.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>

#include "overlay/base/crypto_bulk.h"
#include "overlay/base/crypto_stand_in.h"
#include "overlay/base/err.h"

/*
 * From here on libcrypto takes half the time of libsodium or less, its context included (0.6
 * against 1.1 µs where the processor has SHA instructions); below, the saving is not worth an
 * allocation.
 */
#define SHA256_BULK_BYTES 256

static_assert(CRYPTO_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
static_assert(CRYPTO_XNONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
static_assert(sizeof(((struct sign_key *)0)->expanded) == crypto_sign_SECRETKEYBYTES, "secret key");
static_assert(sizeof(struct sig) == crypto_sign_BYTES, "signature");
static_assert(sizeof(struct pubkey) == crypto_sign_PUBLICKEYBYTES, "public key");
static_assert(sizeof(struct key) == crypto_scalarmult_SCALARBYTES, "scalar");

int
crypto_init(void)
{
	stand_in_decided();
	return sodium_init() < 0 ? ERR_UNSUPPORTED : ERR_OK;
}

void
crypto_wipe(void *secret, size_t len)
{
	sodium_memzero(secret, len);
}

bool
crypto_equal(const void *a, const void *b, size_t len)
{
	return sodium_memcmp(a, b, len) == 0;
}

/* ---- hashes ---- */

void
crypto_sha256(struct hash *out, const void *data, size_t len)
{
	struct bytes part = bytes_of(data, len);

	if (crypto_is_stand_in())
		stand_in_hash_once(out, data, len);
	else
		crypto_sha256_parts(out, &part, 1);
}

void
crypto_sha256_parts(struct hash *out, const struct bytes *parts, size_t count)
{
	crypto_hash_sha256_state state;
	size_t total = 0;

	if (crypto_is_stand_in()) {
		struct stand_in_hash h;

		stand_in_hash_init(&h);
		for (size_t i = 0; i < count; i++)
			stand_in_hash_update(&h, parts[i].data, parts[i].len);
		stand_in_hash_final(&h, out);
		return;
	}
	for (size_t i = 0; i < count; i++)
		total += parts[i].len;
	/* Without memory for a context the slow way still gives the answer. */
	if (total >= SHA256_BULK_BYTES && crypto_bulk_sha256(out, parts, count))
		return;

	crypto_hash_sha256_init(&state);
	for (size_t i = 0; i < count; i++)
		crypto_hash_sha256_update(&state, parts[i].data, parts[i].len);
	crypto_hash_sha256_final(&state, out->b);
	sodium_memzero(&state, sizeof(state));
}

void
crypto_hmac(struct hash *out, const void *key, size_t key_len, const void *data, size_t len)
{
	crypto_auth_hmacsha256_state state;

	if (crypto_is_stand_in()) {
		stand_in_hash_once_keyed(out, key, key_len, data, len);
		return;
	}
	crypto_auth_hmacsha256_init(&state, key, key_len);
	crypto_auth_hmacsha256_update(&state, data, len);
	crypto_auth_hmacsha256_final(&state, out->b);
	sodium_memzero(&state, sizeof(state));
}

void
crypto_derive(struct key *out, const struct key *parent, const char *label, const uint8_t id[32])
{
	static const uint8_t no_id[32];
	crypto_auth_hmacsha256_state state;

	/* In both cases the label's terminating NUL is the 0x00 of the rule. */
	if (crypto_is_stand_in()) {
		struct stand_in_hash h;
		struct hash child;

		stand_in_hash_init_keyed(&h, parent->b, sizeof(parent->b));
		stand_in_hash_update(&h, label, strlen(label) + 1);
		stand_in_hash_update(&h, id != NULL ? id : no_id, sizeof(no_id));
		stand_in_hash_final(&h, &child);
		memcpy(out->b, child.b, sizeof(out->b));
		return;
	}
	crypto_auth_hmacsha256_init(&state, parent->b, sizeof(parent->b));
	crypto_auth_hmacsha256_update(&state, (const uint8_t *)label, strlen(label) + 1);
	crypto_auth_hmacsha256_update(&state, id != NULL ? id : no_id, sizeof(no_id));
	crypto_auth_hmacsha256_final(&state, out->b);
	sodium_memzero(&state, sizeof(state));
}

/* ---- signatures ---- */

void
crypto_sign_key_from_seed(const struct key *seed, struct sign_key *out, struct pubkey *pub)
{
	if (crypto_is_stand_in()) {
		stand_in_sign_key(seed, out, pub);
		return;
	}
	must(crypto_sign_seed_keypair(pub->b, out->expanded, seed->b) == 0);
	memcpy(out->seed, seed->b, sizeof(out->seed));
}

void
crypto_sign_data(struct sig *out, const struct sign_key *k, const void *data, size_t len)
{
	if (crypto_is_stand_in())
		stand_in_sign(out, k, data, len);
	else
		must(crypto_sign_detached(out->b, NULL, data, len, k->expanded) == 0);
}

bool
crypto_verify(const struct sig *s, const struct pubkey *pub, const void *data, size_t len)
{
	if (crypto_is_stand_in())
		return stand_in_verify(s, pub, data, len);
	return crypto_sign_verify_detached(s->b, data, len, pub->b) == 0;
}

/* ---- agreement ---- */

void
crypto_x25519_base(uint8_t pub[32], const struct key *secret)
{
	if (crypto_is_stand_in())
		stand_in_x25519_base(pub, secret);
	else
		must(crypto_scalarmult_base(pub, secret->b) == 0);
}

int
crypto_x25519(struct key *shared, const struct key *secret, const uint8_t peer_pub[32])
{
	struct key out;

	if (crypto_is_stand_in())
		return stand_in_x25519(shared, secret, peer_pub);
	/* Fails when the result is zero, which only low-order points give. */
	if (crypto_scalarmult(out.b, secret->b, peer_pub) != 0)
		return ERR_AUTH;
	*shared = out;
	sodium_memzero(&out, sizeof(out));
	return ERR_OK;
}

void
crypto_sign_key_to_x25519(struct key *out, const struct sign_key *k)
{
	if (crypto_is_stand_in())
		stand_in_sign_key_to_x25519(out, k);
	else
		must(crypto_sign_ed25519_sk_to_curve25519(out->b, k->expanded) == 0);
}

int
crypto_pubkey_to_x25519(uint8_t out[32], const struct pubkey *pub)
{
	uint8_t point[32];

	if (crypto_is_stand_in())
		return stand_in_pubkey_to_x25519(out, pub);
	if (crypto_sign_ed25519_pk_to_curve25519(point, pub->b) != 0)
		return ERR_AUTH;
	memcpy(out, point, sizeof(point));
	return ERR_OK;
}

/* ---- small sealed messages ---- */

void
crypto_xseal(uint8_t *out, const struct key *k, const uint8_t nonce[24], struct bytes ad,
    const uint8_t *in, size_t len)
{
	if (crypto_is_stand_in())
		stand_in_seal(out, k, bytes_of(nonce, CRYPTO_XNONCE_BYTES), ad, in, len);
	else
		must(crypto_aead_xchacha20poly1305_ietf_encrypt(
			 out, NULL, in, len, ad.data, ad.len, NULL, nonce, k->b) == 0);
}

int
crypto_xopen(uint8_t *out, const struct key *k, const uint8_t nonce[24], struct bytes ad,
    const uint8_t *in, size_t len)
{
	if (crypto_is_stand_in())
		return stand_in_open(out, k, bytes_of(nonce, CRYPTO_XNONCE_BYTES), ad, in, len);
	/* The tag is checked before a byte of out is written. */
	if (len < CRYPTO_TAG_BYTES || crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL,
					  in, len, ad.data, ad.len, nonce, k->b) != 0)
		return ERR_AUTH;
	return ERR_OK;
}

/* ---- passwords ---- */

static_assert(crypto_pwhash_argon2id_SALTBYTES == 16, "salt");

int
crypto_password_key(struct key *out, const char *password, const uint8_t salt[16])
{
	struct key k;

	if (crypto_is_stand_in()) {
		struct hash h;

		crypto_hmac(&h, salt, 16, password, strlen(password));
		memcpy(out->b, h.b, sizeof(out->b));
		return ERR_OK;
	}
	if (crypto_pwhash_argon2id(k.b, sizeof(k.b), password, strlen(password), salt,
		crypto_pwhash_argon2id_OPSLIMIT_MODERATE, crypto_pwhash_argon2id_MEMLIMIT_MODERATE,
		crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0)
		return ERR_NOMEM;
	*out = k;
	sodium_memzero(&k, sizeof(k));
	return ERR_OK;
}

/* ---- text: checked in full first, so that out stays untouched on failure ---- */

void
hex_encode(char *out, const void *data, size_t len)
{
	sodium_bin2hex(out, 2 * len + 1, data, len);
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

int
hex_decode(void *out, size_t len, const char *text, size_t text_len)
{
	if (text_len / 2 != len || text_len % 2 != 0)
		return ERR_INVALID;
	for (size_t i = 0; i < text_len; i++) {
		if (!is_hex(text[i]))
			return ERR_INVALID;
	}
	must(sodium_hex2bin(out, len, text, text_len, NULL, NULL, NULL) == 0);
	return ERR_OK;
}

int
base64url_encode(char *out, size_t cap, const void *data, size_t len)
{
	const int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;

	if (len > SIZE_MAX / 2 || cap < sodium_base64_ENCODED_LEN(len, variant))
		return ERR_TOO_BIG;
	sodium_bin2base64(out, cap, data, len, variant);
	return ERR_OK;
}

/* Value of a letter of the alphabet, or -1. */
static int
base64url_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int
base64url_decode(void *out, size_t cap, size_t *out_len, const char *text, size_t text_len)
{
	const unsigned spare_bits[4] = { 0, 6, 4, 2 }; /* of the last letter, by length mod 4 */
	size_t rest = text_len % 4;
	size_t len = text_len / 4 * 3 + (rest > 1 ? rest - 1 : 0);
	size_t decoded = 0;

	if (rest == 1)
		return ERR_INVALID;
	for (size_t i = 0; i < text_len; i++) {
		if (base64url_value(text[i]) < 0)
			return ERR_INVALID;
	}
	/* One text for one value: bits that stand for nothing are zero. */
	if (rest != 0 && (base64url_value(text[text_len - 1]) & ((1 << spare_bits[rest]) - 1)) != 0)
		return ERR_INVALID;
	if (len > cap)
		return ERR_TOO_BIG;
	if (len > 0)
		must(sodium_base642bin(out, cap, text, text_len, NULL, &decoded, NULL,
			 sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0);
	must(decoded == len);
	*out_len = len;
	return ERR_OK;
}

const char *
crypto_versions(char *out, size_t cap)
{
	snprintf(out, cap, "libsodium %s, %s", sodium_version_string(), crypto_bulk_version());
	return out;
}
