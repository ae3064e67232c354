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
 * For simulations of peers that lie: m's handler takes the place of the one that is there for its
 * number, which is given back in *m to be called through. A handler of datagrams that returns
 * ERR_CANCELED says nothing at all.
 */
void endpoint_swap_method(struct endpoint *ep, struct rpc_method *m);
void endpoint_swap_stream_method(struct endpoint *ep, struct stream_method *m);

/*
 * Called on the loop for every authenticated datagram or session from a peer that
 * calls itself a server (the DHT considers it as a candidate contact; not proven: somebody else may
 * have sent this, then or from there), and for every request of
 * ours that was answered (rtt > 0) or hard-failed (rtt 0, err set).
 */
struct endpoint_observer {
	void (*heard)(void *arg, const struct contact *from, bool proven);
	void (*answered)(void *arg, const struct contact *to, uint64_t rtt);
	void (*failed)(void *arg, const struct contact *to, int err);
	/* A hint, as dgram_events.expect. */
	void (*expect)(void *arg, uint64_t id_top, unsigned step);
	void *arg;
};
void endpoint_set_observer(struct endpoint *ep, const struct endpoint_observer *o);

#include "overlay/rpc.h"
#include "overlay/sight.h"

#endif
