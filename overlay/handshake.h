/*
 * The three messages that make a session: Noise XX around what both ends say of
 * themselves, and the proof that the X25519 key of Noise belongs to an Ed25519
 * identity. Pure: messages in, messages out, no clock, no entropy, no I/O.
 *
 * Messages 2 and 3 carry, sealed: u16 lowest version, u16 highest version, u8 flags (1: server),
 * u64 wall clock in ms, u16 listening port (0: none), Ed25519 key (32), signature (64). What
 * comes behind belongs to later versions and is ignored. The signature covers
 * "skerry/session-key/1", the network id, u8 role (0 initiator, 1 responder), the own X25519 key
 * and the hash of the messages before this one.
 */
#ifndef OVERLAY_HANDSHAKE_H
#define OVERLAY_HANDSHAKE_H

#include "overlay/identity.h"
#include "overlay/noise.h"
#include "overlay/session.h"

/* Versions of the session protocol that this program speaks. */
#define SESSION_VERSION_MIN 1
#define SESSION_VERSION_MAX 1

/* 2 + 2 + 1 + 8 + 2 + 32 + 64 */
#define HANDSHAKE_HELLO_BYTES 111
/* Three times what version 1 needs: room for later versions, nothing to fill memory with. */
#define HANDSHAKE_MESSAGE_MAX 640

struct handshake_opts {
	bool initiator;
	const struct identity *identity; /* lent for the life of the handshake */
	struct network_id net;
	struct aead *aead;           /* lent likewise */
	const struct pubkey *expect; /* initiator: who must answer; copied */
};

struct handshake { /* secret; embedded, private but for the results */
	struct noise noise;
	const struct identity *identity;
	struct network_id net;
	bool initiator;
	struct hash transcript;
	/* Results: responder after message 3, initiator after message 2. */
	struct pubkey peer;
	struct session_hello hello;
};

void handshake_init(struct handshake *h, const struct handshake_opts *opts);
void handshake_wipe(struct handshake *h);

bool handshake_must_write(const struct handshake *h);
bool handshake_done(const struct handshake *h);

/*
 * The next message into out (HANDSHAKE_MESSAGE_MAX bytes). self.version is not used. ephemeral: 32
 * fresh random bytes (not used by the initiator's second message). ERR_AUTH: the peer gave
 * a low-order point, which shows only when one's own key meets it.
 */
int handshake_write(struct handshake *h, const struct session_hello *self,
    const struct key *ephemeral, uint8_t *out, size_t *out_len);

/*
 * The peer's next message. ERR_AUTH: forged, another network, or another peer than expected;
 * ERR_VERSION: no version in common; ERR_INVALID, ERR_TOO_BIG. All are final: wipe and close.
 */
int handshake_read(struct handshake *h, struct bytes message);

/* After handshake_done: the ciphers of both directions; wipes the rest but the results. */
void handshake_finish(struct handshake *h, struct noise_cipher *send, struct noise_cipher *receive);

#endif
