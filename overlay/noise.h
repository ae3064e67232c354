/*
 * Noise_XX_25519_ChaChaPoly_SHA256 (noiseprotocol.org, revision 34): the
 * handshake as a pure state machine, and the two ciphers that follow from it.
 * No I/O, no randomness: ephemeral keys are handed in.
 *
 *	-> e                     initiator writes 1, 32 bytes and payload
 *	<- e, ee, s, es          responder writes 2, 96 bytes and payload
 *	-> s, se                 initiator writes 3, 64 bytes and payload
 *
 * Both sides then split. The payload of message 1 is not secret, that of 2 goes to somebody not
 * yet proven. A state that has failed stays failed (ERR_STATE). Wipe it in every case.
 */
#ifndef OVERLAY_NOISE_H
#define OVERLAY_NOISE_H

#include "overlay/base/crypto.h"
#include "overlay/base/types.h"

#define NOISE_MESSAGE_MAX    65535 /* of the specification, tag included */
#define NOISE_TAG_BYTES      CRYPTO_TAG_BYTES
#define NOISE_DH_BYTES       32
/* What each handshake message adds to its payload. */
#define NOISE_OVERHEAD_1     32
#define NOISE_OVERHEAD_2     96
#define NOISE_OVERHEAD_3     64
/* "skerry/session/1" and the network id */
#define NOISE_PROLOGUE_BYTES 20

/* One direction of a session. Secret; may be copied and moved (a copy must not seal too). */
struct noise_cipher {
	struct key k;
	uint64_t n; /* next nonce */
};

struct noise_opts {
	bool initiator;
	const struct key *static_secret; /* X25519: identity.x25519_secret; copied */
	const uint8_t *static_public;    /* 32 bytes that belong to it; copied */
	struct bytes prologue;           /* both must give the same; lent for the call */
	struct aead *aead;               /* lent for the life of the state */
};

struct noise { /* private; embedded */
	struct aead *aead;
	bool initiator;
	bool failed;
	bool keyed;   /* cipher has a key */
	uint8_t step; /* messages done: 0 to 3 */
	struct hash h;
	struct hash ck;
	struct noise_cipher cipher;
	struct key s, e;
	struct key es; /* responder: DH(s, re) */
	uint8_t s_public[NOISE_DH_BYTES], e_public[NOISE_DH_BYTES];
	uint8_t rs[NOISE_DH_BYTES], re[NOISE_DH_BYTES];
};

/* The prologue of a session in this network. */
void noise_prologue(const struct network_id *net, uint8_t out[NOISE_PROLOGUE_BYTES]);

void noise_init(struct noise *n, const struct noise_opts *opts);
void noise_wipe(struct noise *n);

/* Whose turn it is: to write, to read, or (both false) to split. */
bool noise_must_write(const struct noise *n);
bool noise_must_read(const struct noise *n);
bool noise_done(const struct noise *n);

/*
 * The next message into out. ephemeral: 32 fresh random bytes for one's first message, NULL for
 * the initiator's second. ERR_TOO_BIG: over cap or NOISE_MESSAGE_MAX (the state is unharmed);
 * ERR_STATE: not its turn. Nothing that the peer sent makes it fail.
 */
int noise_write_message(struct noise *n, const struct key *ephemeral, struct bytes payload,
    uint8_t *out, size_t cap, size_t *out_len);

/*
 * The peer's next message; its payload into out, which must not overlap in. ERR_AUTH: forged,
 * another prologue, or a low-order point; ERR_INVALID: too short or long; ERR_TOO_BIG: cap.
 */
int noise_read_message(struct noise *n, struct bytes in, uint8_t *out, size_t cap, size_t *out_len);

/* The peer's static key once read (initiator: message 2, responder: 3), 32 bytes, lent; else NULL.
 */
const uint8_t *noise_remote_static(const struct noise *n);
/* Names this session alone ("channel binding"); after noise_done. Lent. */
const struct hash *noise_handshake_hash(const struct noise *n);

/* After noise_done. The state has nothing left to do then: wipe it. */
void noise_split(struct noise *n, struct noise_cipher *send, struct noise_cipher *receive);

/*
 * Takes the next nonce, for sealing elsewhere (in a worker) with aead_seal(c->k, nonce, no ad).
 * ERR_STATE when all 2^64-1 are used up: the session is over.
 */
int noise_cipher_next(struct noise_cipher *c, uint8_t nonce[CRYPTO_NONCE_BYTES]);
/* out has len + 16 bytes and may be in. ERR_TOO_BIG, ERR_STATE. */
int noise_seal(struct noise_cipher *c, struct aead *a, uint8_t *out, const uint8_t *in, size_t len);
/* len with tag; out has len - 16 bytes and may be in. ERR_AUTH: end the session. */
int noise_open(struct noise_cipher *c, struct aead *a, uint8_t *out, const uint8_t *in, size_t len);
void noise_cipher_wipe(struct noise_cipher *c);

#endif
