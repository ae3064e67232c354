/*
 * Every cryptographic primitive, in one place: libsodium for keys,
 * signatures, agreement, passwords and small messages, libcrypto for bulk
 * (crypto_bulk.c). Tests check that both agree bit for bit. Nothing here
 * draws randomness: the caller passes what env_random() gave, so that a
 * simulation replays. Except where noted functions cannot fail.
 */
#ifndef OVERLAY_BASE_CRYPTO_H
#define OVERLAY_BASE_CRYPTO_H

#include "overlay/base/types.h"

/* Once per process, before anything else (libsodium's own set-up). */
int crypto_init(void);

void crypto_wipe(void *secret, size_t len);
bool crypto_equal(const void *a, const void *b, size_t len); /* constant time */

/* ---- SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104) ---- */
void crypto_sha256(struct hash *out, const void *data, size_t len);
void crypto_sha256_parts(struct hash *out, const struct bytes *parts, size_t count);
struct sha256;                   /* streaming, heap object */
struct sha256 *sha256_new(void); /* NULL when out of memory */
void sha256_update(struct sha256 *s, const void *data, size_t len);
void sha256_final(struct sha256 *s, struct hash *out); /* ready for reuse afterwards */
void sha256_free(struct sha256 *s);
/* MD5 (RFC 1321), only because an S3 ETag is one; streaming, like struct sha256. */
struct md5;
struct md5 *md5_new(void);
void md5_update(struct md5 *m, const void *data, size_t len);
void md5_final(struct md5 *m, uint8_t out[16]); /* ready for reuse afterwards */
void md5_free(struct md5 *m);
/* SHA-1 (FIPS 180-4), only because S3 knows it as a checksum and signed forms with it once. */
struct sha1;
struct sha1 *sha1_new(void);
void sha1_update(struct sha1 *s, const void *data, size_t len);
void sha1_final(struct sha1 *s, uint8_t out[20]); /* ready for reuse afterwards */
void sha1_free(struct sha1 *s);
void crypto_hmac(struct hash *out, const void *key, size_t key_len, const void *data, size_t len);

/* child = HMAC-SHA256(parent, label ‖ 0x00 ‖ 32-byte id); id NULL means zeros. */
void crypto_derive(
    struct key *out, const struct key *parent, const char *label, const uint8_t id[32]);

/* ---- Ed25519 (RFC 8032). libsodium owns the names crypto_sign and crypto_sign_keypair. ---- */
struct sign_key { /* secret */
	uint8_t seed[32];
	uint8_t expanded[64]; /* libsodium's secret key */
};
void crypto_sign_key_from_seed(const struct key *seed, struct sign_key *out, struct pubkey *pub);
void crypto_sign_data(struct sig *out, const struct sign_key *k, const void *data, size_t len);
bool crypto_verify(const struct sig *s, const struct pubkey *pub, const void *data, size_t len);

/* ---- X25519 (RFC 7748) ---- */
void crypto_x25519_base(uint8_t pub[32], const struct key *secret);
/* ERR_AUTH for a low-order point. */
int crypto_x25519(struct key *shared, const struct key *secret, const uint8_t peer_pub[32]);
/* Statics from the signing identity (crypto_sign_ed25519_*_to_curve25519). */
void crypto_sign_key_to_x25519(struct key *out, const struct sign_key *k);
int crypto_pubkey_to_x25519(
    uint8_t out[32], const struct pubkey *pub); /* ERR_AUTH: low order or no point */

/* ---- ChaCha20-Poly1305 (RFC 8439), 12-byte nonce; tag of 16 bytes behind the text ---- */
#define CRYPTO_TAG_BYTES    16
#define CRYPTO_NONCE_BYTES  12
#define CRYPTO_XNONCE_BYTES 24
/* out has len + 16 bytes; out may be in. Bulk (libcrypto), fit for workers. */
struct aead; /* a reusable context, one per thread of use */
struct aead *aead_new(void);
void aead_free(struct aead *a);
int aead_seal(struct aead *a, uint8_t *out, const struct key *k, const uint8_t nonce[12],
    struct bytes ad, const uint8_t *in, size_t len);
/* in has len bytes including the tag; ERR_AUTH leaves out undefined but never unauthenticated data
 * in use. */
int aead_open(struct aead *a, uint8_t *out, const struct key *k, const uint8_t nonce[12],
    struct bytes ad, const uint8_t *in, size_t len);
/* Small messages with random nonces: XChaCha20-Poly1305 (libsodium). */
void crypto_xseal(uint8_t *out, const struct key *k, const uint8_t nonce[24], struct bytes ad,
    const uint8_t *in, size_t len);
int crypto_xopen(uint8_t *out, const struct key *k, const uint8_t nonce[24], struct bytes ad,
    const uint8_t *in, size_t len);

/* ---- passwords: Argon2id, libsodium's "moderate" limits; salt 16 bytes. ERR_NOMEM. ---- */
int crypto_password_key(struct key *out, const char *password, const uint8_t salt[16]);

/* ---- text ---- */
/* Lower-case hex; out has 2*len+1 bytes. */
void hex_encode(char *out, const void *data, size_t len);
int hex_decode(void *out, size_t len, const char *text,
    size_t text_len); /* exactly len bytes, else ERR_INVALID */
/* RFC 4648 base64url without padding; cap includes the NUL. */
int base64url_encode(char *out, size_t cap, const void *data, size_t len);
int base64url_decode(void *out, size_t cap, size_t *out_len, const char *text, size_t text_len);

/* Names and versions of the libraries, for --version. */
const char *crypto_versions(char *out, size_t cap);

#endif
