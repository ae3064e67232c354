/*
 * A stand-in for cryptography, for simulations too large for the real one: every result has
 * the size, and every check the outcome, that honest parties and plain forgers would see, at a
 * hundredth of the cost. Whoever knows this file can forge everything: NEVER for data or
 * networks that exist. Only the simulator and tests may call crypto_use_stand_in
 * (test/lint checks it); without that call nothing here is ever used.
 *
 * What holds: hashes are 32 uniform bytes, and the same in one piece, in parts or streamed.
 * A public key follows from its seed; a signature fits one key and one message. Two
 * parties agree on the same X25519 key, which no third public key gives; all-zero points
 * are refused. Sealed text is not readable, and opens only with its key, nonce and
 * associated data, unchanged. What does not: secrecy and unforgeability against this file, and
 * refusal of points that are not on the curve. MD5 stays real.
 */
#ifndef OVERLAY_BASE_CRYPTO_STAND_IN_H
#define OVERLAY_BASE_CRYPTO_STAND_IN_H

#include "overlay/base/crypto.h"

/*
 * For the whole process, before crypto_init(), which ends the choice: later calls are a broken
 * promise, except that choosing the same again is allowed.
 */
void crypto_use_stand_in(void);

/* ---- from here on for crypto.c and crypto_bulk.c ---- */
bool crypto_is_stand_in(void);
void stand_in_decided(void); /* by crypto_init */

struct stand_in_hash {
	uint64_t lanes[4];
	uint64_t len;
	uint8_t block[32];
};
void stand_in_hash_init(struct stand_in_hash *h);
void stand_in_hash_init_keyed(struct stand_in_hash *h, const void *key, size_t key_len);
void stand_in_hash_update(struct stand_in_hash *h, const void *data, size_t len);
void stand_in_hash_final(struct stand_in_hash *h, struct hash *out); /* ready for reuse, unkeyed */
/* The same in one piece: most are of a public key, for the id of a contact just heard of. */
void stand_in_hash_once(struct hash *out, const void *data, size_t len);
void stand_in_hash_once_keyed(
    struct hash *out, const void *key, size_t key_len, const void *data, size_t len);

void stand_in_sign_key(const struct key *seed, struct sign_key *out, struct pubkey *pub);
void stand_in_sign(struct sig *out, const struct sign_key *k, const void *data, size_t len);
bool stand_in_verify(const struct sig *s, const struct pubkey *pub, const void *data, size_t len);

void stand_in_x25519_base(uint8_t pub[32], const struct key *secret);
int stand_in_x25519(struct key *shared, const struct key *secret, const uint8_t peer_pub[32]);
void stand_in_sign_key_to_x25519(struct key *out, const struct sign_key *k);
int stand_in_pubkey_to_x25519(uint8_t out[32], const struct pubkey *pub);

/* As aead_seal and crypto_xseal, whose nonces differ in length. */
void stand_in_seal(uint8_t *out, const struct key *k, struct bytes nonce, struct bytes ad,
    const uint8_t *in, size_t len);
int stand_in_open(uint8_t *out, const struct key *k, struct bytes nonce, struct bytes ad,
    const uint8_t *in, size_t len);

#endif
