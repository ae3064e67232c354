/*
 * Our datagram requests in flight: ids, timers, answers. Behind rpc_start() and
 * rpc_abandon() of endpoint.h. Nothing is sent again by itself, except when the peer asks for
 * it: once with a cookie, once with a fresh token. Who wants retries makes another call.
 */
#ifndef OVERLAY_CALLS_H
#define OVERLAY_CALLS_H

#include "overlay/dgram.h"

/* In flight at once: a lookup has tens; a thousand answers of a full datagram are 1.2 MB. */
#define CALLS_MAX         1024
/* slow after min(SLOW_MAX, 1.6·SRTT + SLOW_SLACK); SLOW_UNKNOWN without an SRTT. See doc/design.md.
 */
#define CALL_SLOW_MAX     MILLISECONDS(600)
#define CALL_SLOW_SLACK   MILLISECONDS(30)
#define CALL_SLOW_UNKNOWN MILLISECONDS(400)
/* Beyond it a peer's book entry says nothing new. */
#define CALL_STRIKES_MAX  1000

struct calls;

struct calls_opts {
	struct env *env;
	struct dgram *dgram; /* lent for the life */
	struct peers *peers;
	struct endpoint_counters *counters;
	const struct endpoint_observer *observer; /* lent for the life; its callbacks may be NULL */
	const bool *server;                       /* what we say of ourselves */
	bool loopback_net;
};

struct calls *calls_new(const struct calls_opts *opts); /* gives; NULL: out of memory */
void calls_free(struct calls *cs);                      /* none in flight; NULL accepted */
void calls_hot(const struct calls *cs);                 /* tells env_hot() what each call reads */
size_t calls_count(const struct calls *cs);
size_t calls_bytes(const struct calls *cs); /* memory held */

int calls_start(struct calls *cs, struct rpc_call *c, const struct contact *to, uint16_t method,
    struct bytes body, uint64_t timeout);
void calls_abandon(struct rpc_call *c);
/* Every call in flight ends with err, and no other is started. */
void calls_close(struct calls *cs, int err);

/* What dgram.h's events bring. */
void calls_response(struct calls *cs, const struct dgram_in *in);
void calls_challenge(struct calls *cs, const struct pubkey *from,
    const uint8_t nonce[CRYPTO_XNONCE_BYTES], const uint8_t cookie[SEALED_COOKIE_BYTES]);

#endif
