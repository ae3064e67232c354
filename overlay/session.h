/*
 * Authenticated sessions and the streams on them: the inside of endpoint.h's
 * stream_* functions. `struct sessions` holds one end's TCP listener, its
 * half-open handshakes and its pool of live sessions, keyed by public key; an
 * incoming session serves outgoing streams as well. endpoint.c is the only user
 * (tests aside): it hands down callbacks and asks nothing of the wire.
 *
 * Wire: Noise_XX_25519_ChaChaPoly_SHA256 (noise.h), then frames (frame.h), one
 * Noise message each; doc/protocol.md has the tables. What a peer gets for bad
 * input: its session closed, frames_bad counted, blame() called, one log line.
 *
 * stream_write, stream_read, stream_finish, stream_read_tail, stream_peer and
 * stream_close of endpoint.h are implemented here (stream.c); stream_open is
 * sessions_open() below with the endpoint looked through.
 */
#ifndef OVERLAY_SESSION_H
#define OVERLAY_SESSION_H

#include "overlay/endpoint.h"

/* Nothing heard for this long while streams are open: a ping is sent. */
#define SESSION_PING_AFTER SECONDS(15)
/* Nothing heard for this long while streams are open: dead (two lost pings' time). */
#define SESSION_DEAD_AFTER SECONDS(30)

struct sessions;

/* What a peer says of itself in the handshake, its key proven. */
struct session_hello {
	uint16_t version;     /* the protocol version both speak */
	bool server;          /* it calls itself a server */
	uint64_t wall_ms;     /* its clock when it sent this */
	uint16_t listen_port; /* 0: it does not listen */
};

/* All called on the loop's or a task's stack; must not suspend; what they get is lent. */
struct sessions_events {
	/*
	 * A handshake succeeded. peer: key proven; the address is the one dialled, or the
	 * one seen with the port that it listens on. rtt: ns, 0 when it was the peer that dialled.
	 */
	void (*heard)(
	    void *arg, const struct contact *peer, const struct session_hello *hello, uint64_t rtt);
	/* A dial or handshake of ours failed (not for sessions_probe). */
	void (*failed)(void *arg, const struct contact *to, int err);
	/* A session ended; bytes on the wire each way over its life. */
	void (*closed)(
	    void *arg, const struct contact *peer, uint64_t bytes_in, uint64_t bytes_out);
	/* An authenticated peer broke the protocol; reason is a literal. */
	void (*blame)(void *arg, const struct contact *peer, const char *reason);
	/*
	 * An incoming request; req.body is its head. Calls one of session_answer() (at once) or
	 * session_serve() before it returns; with neither the peer gets ERR_UNSUPPORTED.
	 */
	void (*request)(void *arg, struct stream *s, const struct rpc_request *req);
	void *arg;
};

struct sessions_opts {
	struct env *env;
	const struct identity *identity; /* copied */
	struct network_id net;
	bool loopback_net; /* a test network on one machine: by address and port, not /24 */
	struct endpoint_counters *counters;   /* lent for the life of the sessions */
	const struct sessions_events *events; /* copied; every callback is set */
};

int sessions_new(const struct sessions_opts *opts, struct sessions **out); /* gives */

/*
 * Accepts from now on, on bind; *bound is what it became. A port in use gives the error of
 * env_listen (the caller tries another port for UDP and TCP together). Without it: client only.
 */
int sessions_listen(struct sessions *ss, const struct addr *bind, struct addr *bound);

/* What later handshakes say of us; starts false. */
void sessions_set_server(struct sessions *ss, bool server);

/*
 * Refuses new work with ERR_CANCELED, cancels serving tasks, closes listener and sessions (so
 * that everything suspended on a stream gets ERR_CANCELED), then calls done on the loop once no
 * task of ours runs, nobody is inside a call and every stream was closed. Once.
 */
void sessions_shutdown(struct sessions *ss, void (*done)(void *arg), void *arg);
void sessions_free(struct sessions *ss); /* after done, or before the first use; NULL accepted */

/* For status: what is held right now. */
struct sessions_load {
	size_t sessions;   /* authenticated and open */
	size_t handshakes; /* half-open, incoming */
	size_t dials;      /* half-open, ours */
	size_t streams;    /* open on all sessions, both directions */
	size_t tasks;      /* serving */
	size_t bytes_held; /* buffers of all sessions and streams; session_limits.h bounds them */
};
void sessions_load(const struct sessions *ss, struct sessions_load *out);

/* True when a live session to pub is pooled; then its bytes so far (either may be NULL). */
bool sessions_live(
    const struct sessions *ss, const struct pubkey *pub, uint64_t *bytes_in, uint64_t *bytes_out);

/*
 * stream_open() of endpoint.h. Opens on the pooled session of to->pub, else connects; opens to
 * one peer at the same time share one attempt. to->pub and to->addr must be set. ERR_TOO_BIG for a
 * head over RPC_HEAD_BYTES_MAX; ERR_AUTH: another key answered; ERR_WRONG_NETWORK cannot be told
 * from ERR_AUTH (the handshake just fails); ERR_BUSY: STREAMS_PER_SESSION are open.
 * gives *out, to be ended by stream_close().
 */
SUSPENDS int sessions_open(struct sessions *ss, const struct contact *to, uint16_t method,
    struct bytes head, struct stream **out);

/*
 * A fresh connection and full handshake with to, closed again: whether it can be reached and
 * holds its key (dial-back check). Nothing is pooled, no event is called. timeout in ns.
 */
SUSPENDS int sessions_probe(struct sessions *ss, const struct contact *to, uint64_t timeout);

/* ---- answering, inside events.request only ---- */

/*
 * Ends the request with a status and a tail (≤ RPC_HEAD_BYTES_MAX, copied), whatever the peer may
 * still send on the stream. Cheap, never suspends; the stream is gone afterwards.
 */
void session_answer(struct stream *s, int status, struct bytes tail);

/*
 * Runs serve(arg, s, req) as a task; req and head are copied for it. When it returns without
 * stream_finish, the peer gets its result as the status; the stream is closed for it.
 * ERR_BUSY over the task cap or ERR_CANCELED in shutdown: the peer has been told, s is gone.
 */
int session_serve(struct stream *s,
    int (*serve)(void *arg, struct stream *s, const struct rpc_request *req), void *arg);

#endif
