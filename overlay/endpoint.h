/*
 * One end of the overlay: an identity with its UDP socket (sealed datagrams,
 * sealed.h), its TCP listener and pooled sessions (Noise XX, session.c), the RPC on
 * both, and the book of peers it has dealt with. Everything above speaks to
 * other nodes through this header only.
 *
 * Datagram RPC: small (request and reply each fit one datagram), idempotent,
 * for lookups. Session streams: shards, leases, registers; ordered bytes both
 * ways, a head and a tail message, credit per stream, authenticated both ways.
 *
 * Method numbers: overlay 1–31, dht 32–63, storage 64–127; see doc/protocol.md.
 */
#ifndef OVERLAY_ENDPOINT_H
#define OVERLAY_ENDPOINT_H

#include "overlay/agreed_time.h"
#include "overlay/base/buf.h"
#include "overlay/base/task.h"
#include "overlay/contact.h"
#include "overlay/identity.h"

/* ---- limits (doc/protocol.md has the reasons in full) ---- */
#define DATAGRAM_BYTES_MAX    1200 /* under every path's MTU in practice */
/* What an RPC body may hold in a datagram: 1200 less header, tag and envelope. */
#define RPC_DATAGRAM_BODY_MAX 1024
#define RPC_HEAD_BYTES_MAX    KIB(16) /* head, tail and any message inside a session */
#define FRAME_PAYLOAD_MAX     KIB(32) /* a leaf is two frames */
#define SESSIONS_MAX          4096
#define SESSIONS_PER_IP       32
#define HANDSHAKES_MAX        256 /* half-open, incoming */
#define HANDSHAKE_TIMEOUT     SECONDS(5)
#define SESSION_IDLE_TIMEOUT  SECONDS(120)
#define STREAMS_PER_SESSION   256
#define STREAM_CREDIT         KIB(512)   /* unread bytes a peer may have in flight per stream */
#define AGREEMENTS_PER_S      500        /* X25519 for unknown keys without a cookie */
#define RPC_TIMEOUT           SECONDS(3) /* hard failure of a datagram request */

struct endpoint;
struct stream;

/* A request as a handler sees it; all lent for the call. */
struct rpc_request {
	struct contact from; /* key proven; address as seen */
	bool from_server;    /* the sender says it is a server (unverified) */
	bool session;        /* came through a session */
	bool proven;         /* the sender receives at from.addr: it showed a token of ours */
	uint16_t method;
	struct bytes body;
};

/*
 * A method that answers at once. Runs on the loop, must not suspend. Appends
 * its answer to reply (bounded by reply->max: RPC_DATAGRAM_BODY_MAX, or less while the
 * asker's address is unproven) and returns ERR_OK, or an error that the asker's
 * rpc_call() returns. Serves datagrams and sessions alike unless session_only.
 */
struct rpc_method {
	uint16_t number;
	bool session_only;
	int (*answer)(void *arg, const struct rpc_request *req, struct buf *reply);
	void *arg;
};

/*
 * A method that works on a stream: runs as a task of its own; head is lent until
 * it returns. The stream is closed for it afterwards: with stream_finish having been
 * called the peer sees that status, else the returned error.
 */
struct stream_method {
	uint16_t number;
	int (*serve)(void *arg, struct stream *s, const struct rpc_request *req);
	void *arg;
};

struct endpoint_opts {
	struct env *env;
	const struct identity *identity; /* copied */
	struct network_id net;
	struct addr bind;  /* port 0: one free for both UDP and TCP is chosen */
	bool client_only;  /* no listener; says "client" */
	uint8_t pow_bits;  /* asked of servers */
	bool loopback_net; /* a test network on one machine: /24 rules and martian filter off */
	bool first_node;   /* knows of no other: alone, its own clock is the agreed time */
	size_t
	    peers_max; /* of the peer book; 0: PEERS_MAX of peers.h. Large simulations take less */
};

int endpoint_new(const struct endpoint_opts *opts, struct endpoint **out); /* gives */
/* Refuses new work and cancels streams, then calls done on the loop; endpoint_free after that. */
void endpoint_shutdown(struct endpoint *ep, void (*done)(void *arg), void *arg);
void endpoint_free(struct endpoint *ep);

struct env *endpoint_env(const struct endpoint *ep);
const struct identity *endpoint_identity(const struct endpoint *ep);
struct network_id endpoint_net(const struct endpoint *ep);
uint8_t endpoint_pow_bits(const struct endpoint *ep);
bool endpoint_loopback_net(const struct endpoint *ep);
void endpoint_local(const struct endpoint *ep, struct addr *out); /* as bound */
/* What we tell others: set once reachability is known; starts false. */
void endpoint_set_server(struct endpoint *ep, bool server);
bool endpoint_is_server(const struct endpoint *ep);
bool endpoint_is_client_only(const struct endpoint *ep);

void endpoint_add_method(struct endpoint *ep, const struct rpc_method *m);           /* copied */
void endpoint_add_stream_method(struct endpoint *ep, const struct stream_method *m); /* copied */

/*
 * Called on the loop for every authenticated datagram or session from a peer that
 * calls itself a server (the DHT considers it as a candidate contact), and for every request of
 * ours that was answered (rtt > 0) or hard-failed (rtt 0, err set).
 */
struct endpoint_observer {
	void (*heard)(void *arg, const struct contact *from, bool server);
	void (*answered)(void *arg, const struct contact *to, uint64_t rtt);
	void (*failed)(void *arg, const struct contact *to, int err);
	void *arg;
};
void endpoint_set_observer(struct endpoint *ep, const struct endpoint_observer *o);

/* ---- datagram RPC ---- */

/* Embedded in its owner, who keeps it until done was called or rpc_abandon. */
struct rpc_call {
	/* The answer: err ERR_OK with reply lent for the call, the peer's error, or ERR_TIMEOUT. */
	void (*done)(struct rpc_call *c, int err, struct bytes reply);
	/* Once, after min(600 ms, 1.6·SRTT + 30 ms) without an answer; a late one still counts. May
	 * be NULL. */
	void (*slow)(struct rpc_call *c);
	void *arg;
	struct rpc_call_state *state; /* private */
};

/* to needs its id and pub; an address of our own or ADDR_NONE is ERR_INVALID. timeout 0:
 * RPC_TIMEOUT. */
int rpc_start(struct endpoint *ep, struct rpc_call *c, const struct contact *to, uint16_t method,
    struct bytes body, uint64_t timeout);
void rpc_abandon(struct rpc_call *c); /* done will not be called; no-op when finished */

enum rpc_transport { RPC_DATAGRAM, RPC_SESSION };
struct rpc_opts {
	enum rpc_transport transport;
	uint64_t timeout; /* 0: RPC_TIMEOUT, for sessions 15 s */
};
/* One request, one answer; opts NULL: datagram. reply is reset and filled. */
SUSPENDS int rpc_call(struct endpoint *ep, const struct contact *to, uint16_t method,
    struct bytes body, const struct rpc_opts *opts, struct buf *reply);

/* ---- streams ---- */

/*
 * Opens a stream on a pooled session (connecting if there is none). gives *out.
 * The remote static key must be to->pub: ERR_AUTH otherwise.
 */
SUSPENDS int stream_open(struct endpoint *ep, const struct contact *to, uint16_t method,
    struct bytes head, struct stream **out);
const struct contact *stream_peer(const struct stream *s);
/* Waits for credit and the socket; data is in use only until it returns. */
SUSPENDS int stream_write(struct stream *s, struct bytes data);
/* Ends our direction: a status (ERR_OK or an error) and a tail of ≤ RPC_HEAD_BYTES_MAX. */
SUSPENDS int stream_finish(struct stream *s, int status, struct bytes tail);
/* Exactly len bytes; ERR_END when the peer finished with ERR_OK before them, else its status. */
SUSPENDS int stream_read(struct stream *s, void *dst, size_t len);
/* Waits for the peer's end, which must come next (ERR_INVALID when bytes come instead): its status;
 * tail reset and filled. */
SUSPENDS int stream_read_tail(struct stream *s, struct buf *tail);
/* Frees; resets the stream when either direction is unfinished. NULL is accepted. */
void stream_close(struct stream *s);

/* ---- peers: what is known of others ---- */

struct peer_info {
	struct contact contact;
	uint64_t srtt;       /* ns; 0: unknown */
	uint32_t strikes;    /* hard failures since the last answer */
	uint64_t last_heard; /* env_now scale; 0: never */
	uint64_t bytes_in, bytes_out;
	int64_t clock_offset_ms; /* its wall clock minus ours */
	uint32_t blames;         /* wrong bytes and broken promises */
	uint16_t version;        /* protocol version it speaks; 0: unknown */
	bool server, session;
};
bool endpoint_peer(const struct endpoint *ep, const struct pubkey *pub, struct peer_info *out);
/* At most cap, newest heard first; returns how many. */
size_t endpoint_peers(const struct endpoint *ep, struct peer_info *out, size_t cap);
/* Evidence of a lie (wrong bytes, forged receipt): logged, counted, weighs in choosing. reason is a
 * literal. */
void endpoint_blame(struct endpoint *ep, const struct contact *who, const char *reason);

/* ---- agreed time ([5] Agreed time) ---- */
void endpoint_agreed_time(struct endpoint *ep, struct agreed_time *out);
/* What was saved before a restart (once trusted, any value): guards against going back. */
void endpoint_agreed_time_restore(struct endpoint *ep, uint64_t unix_ms);

/* ---- counters: every refusal is counted under its reason ---- */
/* clang-format off */
#define ENDPOINT_COUNTERS(X)                                                                       \
	X(datagrams_in) X(datagrams_out) X(datagram_bytes_in) X(datagram_bytes_out)                \
	X(drop_malformed) X(drop_network) X(drop_version) X(drop_auth) X(drop_own) X(drop_replay)  \
	X(drop_rate) X(drop_agreement) X(cookies_sent) X(cookies_good) X(cookies_bad)              \
	X(tokens_stale) X(requests_in) X(requests_unknown) X(requests_busy)                        \
	X(calls) X(calls_answered) X(calls_timeout)                                                \
	X(sessions_opened) X(sessions_accepted) X(sessions_refused_ip) X(sessions_refused_full)    \
	X(handshakes_failed) X(handshakes_timeout) X(frames_bad) X(streams_refused)                \
	X(session_bytes_in) X(session_bytes_out) X(sessions_idle_closed) X(blames)
/* clang-format on */
struct endpoint_counters {
#define X(name) uint64_t name;
	ENDPOINT_COUNTERS(X)
#undef X
};
const struct endpoint_counters *endpoint_counters(const struct endpoint *ep); /* lends */
/* For status and tests: what is held right now. */
struct endpoint_load {
	size_t sessions, handshakes, streams, calls, peers, tasks;
	size_t bytes; /* of memory, roughly */
};
void endpoint_load(const struct endpoint *ep, struct endpoint_load *out);

#endif
