/*
 * Asking others: datagram calls with a callback, calls from tasks on either transport, and
 * streams. The second part of endpoint.h, which includes it; include that.
 */
#ifndef OVERLAY_RPC_H
#define OVERLAY_RPC_H

#include "overlay/endpoint.h"

/* ---- datagram RPC ---- */

/* Embedded in its owner, who keeps it until done was called or rpc_abandon. */
struct rpc_call {
	/* The answer: err ERR_OK with reply lent for the call, the peer's error, or ERR_TIMEOUT. */
	void (*done)(struct rpc_call *c, int err, struct bytes reply);
	/* Once, after min(600 ms, 1.6·SRTT + 30 ms) without an answer; a late one still counts. May
	 * be NULL. */
	void (*slow)(struct rpc_call *c);
	void *arg;
	/* Bytes of body that an answer may have; 0: RPC_DATAGRAM_BODY_MAX. While our address is not
	 * proven there, a request is padded so far, and no longer answer is sent. */
	uint16_t answer_max;
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
/* False: reset by the peer, or its session is gone. For tasks that wait for something else. */
bool stream_lives(const struct stream *s);
/* Waits for credit and the socket; data is in use only until it returns. */
SUSPENDS int stream_write(struct stream *s, struct bytes data);
/* Ends our direction: a status (ERR_OK or an error) and a tail of ≤ RPC_HEAD_BYTES_MAX. */
SUSPENDS int stream_finish(struct stream *s, int status, struct bytes tail);
/* Exactly len bytes; ERR_END when the peer finished with ERR_OK before them, else its status. */
SUSPENDS int stream_read(struct stream *s, void *dst, size_t len);
/* As stream_read, but for at most span: *got bytes came, fewer than len only when it is over. Then
 * one may go on. Large reads take each byte where it belongs, without a queue between. */
SUSPENDS int stream_read_for(struct stream *s, void *dst, size_t len, uint64_t span, size_t *got);
/* Waits for the peer's end, which must come next (ERR_INVALID when bytes come instead): its status;
 * tail reset and filled. */
SUSPENDS int stream_read_tail(struct stream *s, struct buf *tail);
/* Frees; resets the stream when either direction is unfinished. NULL is accepted. */
void stream_close(struct stream *s);

#endif
