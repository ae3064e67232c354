/*
 * Sealed datagrams: each is authenticated and secret by itself, from the first
 * one on, under a static key for each direction. No forward secrecy: what
 * needs that goes through a session. Replays are for the layer above.
 *
 *	"SK", version u8, type u8, network id 4, sender's key 32, nonce 24	header
 *	cookie 16								type 3 only
 *	XChaCha20-Poly1305 of the body, header and cookie as associated data
 *
 * A challenge (type 2) is a header and a cookie in clear, 80 bytes: never longer than what it
 * answers. It carries the nonce of that datagram, so only who saw it can forge one.
 * Pure: nonces are drawn by the caller (env_random), times are env_now().
 */
#ifndef OVERLAY_SEALED_H
#define OVERLAY_SEALED_H

#include "overlay/addr.h"
#include "overlay/identity.h"

#define SEALED_DATAGRAM_MAX    1200 /* under every path's MTU in practice (IPv6 minimum 1280) */
#define SEALED_VERSION         1
#define SEALED_HEADER_BYTES    64
#define SEALED_COOKIE_BYTES    16
#define SEALED_OVERHEAD        (SEALED_HEADER_BYTES + CRYPTO_TAG_BYTES)
#define SEALED_CHALLENGE_BYTES (SEALED_HEADER_BYTES + SEALED_COOKIE_BYTES)
/* With a cookie; the same without, so that a body which fits always fits. */
#define SEALED_BODY_MAX        (SEALED_DATAGRAM_MAX - SEALED_OVERHEAD - SEALED_COOKIE_BYTES)
/* A cookie lives two to four minutes: longer than any handshake, too short to be collected. */
#define SEALED_COOKIE_EPOCH    MINUTES(2)

enum sealed_type {
	SEALED_PLAIN = 1,     /* without cookie */
	SEALED_CHALLENGE = 2, /* "say it again with this cookie" */
	SEALED_COOKIE = 3,    /* with cookie */
};

/* Keys between one's own identity and one peer. Secret: wipe. */
struct sealed_keys {
	struct key tx;
	struct key rx;
};

struct sealed_header {
	enum sealed_type type;
	struct network_id net;
	struct pubkey sender;
	uint8_t nonce[CRYPTO_XNONCE_BYTES];
	uint8_t cookie[SEALED_COOKIE_BYTES]; /* zeros in SEALED_PLAIN */
};

/*
 * key of a direction = HMAC-SHA256(X25519(own, peer), "skerry/dgram/1" ‖ network id ‖ sender's
 * key ‖ receiver's key). 90 µs of work. ERR_AUTH: peer is no point, or of low
 * order.
 */
int sealed_keys_derive(const struct identity *self, const struct pubkey *peer,
    const struct network_id *net, struct sealed_keys *out);

/*
 * Seals body under h (type SEALED_PLAIN or SEALED_COOKIE) into out. A nonce is used once per key:
 * 24 fresh random bytes. ERR_TOO_BIG: body over SEALED_BODY_MAX.
 */
int sealed_pack(const struct sealed_header *h, const struct key *tx, struct bytes body,
    uint8_t out[SEALED_DATAGRAM_MAX], size_t *out_len);

/* The answer to a datagram whose header was received: says its nonce again. */
void sealed_challenge(const struct sealed_header *received, const struct pubkey *self,
    const uint8_t cookie[SEALED_COOKIE_BYTES], uint8_t out[SEALED_CHALLENGE_BYTES]);

/*
 * The header, of any type; nothing is authenticated yet. ERR_INVALID: not one of ours, an unknown
 * type, a wrong size; ERR_VERSION; ERR_WRONG_NETWORK.
 */
int sealed_peek(struct bytes in, const struct network_id *net, struct sealed_header *out);

/* Whom it says to be from, inside in, unread otherwise; NULL: shorter than a header. */
const struct pubkey *sealed_sender(struct bytes in);

/*
 * Opens the datagram whose header h sealed_peek gave; out may not overlap in. ERR_AUTH;
 * ERR_INVALID for a challenge.
 */
int sealed_open(struct bytes in, const struct sealed_header *h, const struct key *rx,
    uint8_t out[SEALED_DATAGRAM_MAX], size_t *out_len);

/* ---- cookies: that the sender gets what is sent to its address ---- */

/* secret: 32 random bytes, for the life of the process. now: env_now(). */
void sealed_cookie_make(const struct key *secret, uint64_t now, const struct addr *addr,
    const struct pubkey *sender, uint8_t out[SEALED_COOKIE_BYTES]);
/* True for cookies of this epoch and the one before. */
bool sealed_cookie_check(const struct key *secret, uint64_t now, const struct addr *addr,
    const struct pubkey *sender, const uint8_t cookie[SEALED_COOKIE_BYTES]);

#endif
