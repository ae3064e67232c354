/*
 * The parts of an endpoint, for the files that put it together: endpoint.c (life,
 * calls), endpoint_serve.c (what others ask), endpoint_sight.c (what is known).
 * reach.c takes endpoint_sessions() from here. Nobody else includes it.
 */
#ifndef OVERLAY_ENDPOINT_PRIVATE_H
#define OVERLAY_ENDPOINT_PRIVATE_H

#include "overlay/calls.h"
#include "overlay/dgram.h"
#include "overlay/session.h"

/* Of one network (/24, /64): more than any lookup or sweep needs, 0.5 % of a core to refuse. */
#define REQUESTS_PER_S_NETWORK  500
/* Of one key from addresses not proven: the first round trip of a new acquaintance. */
#define REQUESTS_PER_S_UNPROVEN 20
/* A clock seen this long ago is still good to a second; quartz drifts 0.1 s an hour at worst. */
#define CLOCK_AGE_MAX           HOURS(6)
/* Numbers up to 127 exist. */
#define METHODS_MAX             128

struct method {
	uint16_t number;
	bool session_only;
	int (*answer)(void *arg, const struct rpc_request *req, struct buf *reply);
	int (*serve)(void *arg, struct stream *s, const struct rpc_request *req);
	void *arg;
};

struct endpoint { /* first what each datagram reads, see endpoint_hot() */
	struct env *env;
	struct peers *peers;
	struct dgram *dgram;
	struct calls *calls;
	struct method *methods; /* as they came */
	size_t methods_count;
	uint8_t method_at[METHODS_MAX]; /* 1 + where the one of that number is; 0: nowhere */
	struct endpoint_observer observer;
	struct network_id net;
	uint8_t pow_bits;
	bool loopback_net, first_node, client_only, server, closing;
	struct endpoint_counters counters;
	struct addr local;
	struct identity identity;
	struct agreed_clock clock;
	struct agreed_time time; /* as last read: every record that comes asks */
	uint64_t time_at, time_own_ms;
	size_t time_met;
	struct limits requests;
	struct sessions *sessions;
	struct timer closed; /* so that done comes on the loop, never inside shutdown */
	void (*done)(void *arg);
	void *done_arg;
};

/* endpoint_serve.c */
void endpoint_datagram_request(void *arg, const struct dgram_in *in);
void endpoint_session_request(void *arg, struct stream *s, const struct rpc_request *req);
/* endpoint_sight.c */
void endpoint_session_heard(
    void *arg, const struct contact *peer, const struct session_hello *hello, uint64_t rtt);
void endpoint_session_failed(void *arg, const struct contact *to, int err);
void endpoint_session_closed(
    void *arg, const struct contact *peer, uint64_t bytes_in, uint64_t bytes_out);
void endpoint_session_blame(void *arg, const struct contact *peer, const char *reason);

struct sessions *endpoint_sessions(struct endpoint *ep);

#endif
