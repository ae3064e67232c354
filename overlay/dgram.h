/*
 * Sealed datagrams of one endpoint: the UDP socket, keys, cookies and address tokens. What
 * comes out is authenticated; what it asks for is the business of endpoint.c (requests)
 * and calls.c (answers).
 *
 * Bad input is counted under its reason and dropped. A sender whose key is not in the book
 * costs an agreement: AGREEMENTS_PER_S of them are made for anybody; beyond that the sender
 * must first show with a cookie that it receives at its address, and those that do are
 * limited by network, so that a flood from forged addresses locks nobody out.
 */
#ifndef OVERLAY_DGRAM_H
#define OVERLAY_DGRAM_H

#include "overlay/endpoint.h"
#include "overlay/envelope.h"
#include "overlay/limits.h"
#include "overlay/peers.h"

/* Agreements with senders that showed a cookie, per network: 50 µs each, 1 % of a core. */
#define AGREEMENTS_PER_S_NETWORK 200
/*
 * Tokens prove an address for one to two of these. An hour spans the time between two pings of a
 * contact (dht/upkeep.c), so most requests need no padding; who once had an address could have as
 * long that answers are sent there which are up to five times what it asks.
 */
#define TOKEN_EPOCH              MINUTES(60)
/* Senders stop showing a token that may have ended: a second less than its shortest life. */
#define TOKEN_AGE_MAX            (TOKEN_EPOCH - SECONDS(1))

struct dgram;

/* What arrived; lent for the call. */
struct dgram_in {
	struct contact from; /* key proven; address as seen */
	struct peer *peer;   /* of from, in the book */
	bool proven;         /* by cookie or token: it receives at from.addr */
	bool server;         /* says that it is one, and has the proof of work */
	size_t wire_bytes;
	struct envelope envelope;
};

struct dgram_events {
	void (*request)(void *arg, const struct dgram_in *in);
	/* Response or retry. */
	void (*response)(void *arg, const struct dgram_in *in);
	/* A hint, as udp_opts.expect, of who says to send it; one step less. */
	void (*expect)(void *arg, uint64_t id_top, unsigned step);
	/* Not authenticated: counts only if nonce is that of a request in flight to from. */
	void (*challenge)(void *arg, const struct pubkey *from,
	    const uint8_t nonce[CRYPTO_XNONCE_BYTES], const uint8_t cookie[SEALED_COOKIE_BYTES]);
	void *arg;
};

struct dgram_opts {
	struct env *env;
	const struct identity *identity; /* lent for the life */
	struct network_id net;
	struct peers *peers;                /* lent for the life */
	struct endpoint_counters *counters; /* lent for the life */
	struct dgram_events events;
	uint8_t pow_bits;
	bool loopback_net;
	struct seeded seed;
};

struct dgram *dgram_new(const struct dgram_opts *opts); /* gives; NULL: out of memory */
int dgram_open(struct dgram *d, const struct addr *bind, struct addr *bound);
void dgram_close(struct dgram *d);         /* no-op when not open */
void dgram_free(struct dgram *d);          /* closes; NULL accepted */
void dgram_hot(const struct dgram *d);     /* tells env_hot() what each datagram reads */
size_t dgram_bytes(const struct dgram *d); /* memory held beyond the object itself */

/* The peer of the book with keys to it, made where needed. ERR_AUTH: no usable key; ERR_NOMEM. */
int dgram_peer(struct dgram *d, const struct contact *to, struct peer **out);

struct dgram_out {
	const struct addr *to;
	struct peer *peer; /* with keys */
	const struct envelope *envelope;
	const uint8_t *cookie; /* to show, or NULL */
	size_t pad_to;         /* of the envelope, 0: none; while the address is not proven there */
	size_t wire_bytes_max; /* 0: SEALED_DATAGRAM_MAX. Longer: not sent, ERR_TOO_BIG */
	uint8_t *nonce;        /* out: CRYPTO_XNONCE_BYTES; may be NULL */
};
/* ERR_BUSY: the socket's queue was full and the datagram is lost. */
int dgram_send(struct dgram *d, const struct dgram_out *o);

/* The token that proves addr of pub to us later. */
void dgram_token(const struct dgram *d, const struct addr *addr, const struct pubkey *pub,
    uint8_t out[ENVELOPE_TOKEN_BYTES]);

#endif
