/*
 * One datagram request with one answer: sent a second time when the first is slow, since
 * in a large fan-out some datagram is always lost. Either answer counts. The peer handles
 * requests idempotently, so two of them do no harm. A peer that first wants our address proven
 * (ERR_AUTH) is asked again with the token it gave. Callback style: many run inside one task.
 */
#ifndef DHT_ASK_H
#define DHT_ASK_H

#include "overlay/endpoint.h"

struct ask { /* embedded in its owner; zeroed before the first start */
	/* Once: ERR_OK with the reply lent for the call, the peer's error, or ERR_TIMEOUT. */
	void (*done)(struct ask *a, int err, struct bytes reply);
	void (*slow)(struct ask *a); /* may be NULL */
	void *arg;
	uint32_t *sent;      /* counts requests that went out, second tries included; may be NULL */
	struct endpoint *ep; /* private from here */
	const struct contact *to;
	uint16_t method;
	struct bytes body;
	uint64_t ends_at;
	struct rpc_call calls[2];
	unsigned pending; /* bit per call in flight */
	bool proved;      /* asked again with a token, see PUT */
	bool once;
};

/* What is asked; to and body are lent until the end. */
struct ask_what {
	struct endpoint *ep;
	const struct contact *to;
	uint16_t method;
	struct bytes body;
	uint64_t timeout; /* 0: RPC_TIMEOUT */
	bool once;        /* not sent a second time, unless slow() calls ask_again() */
};
/* done, slow and arg are set by the owner before. On an error done is not called. */
int ask_start(struct ask *a, const struct ask_what *what);
void ask_again(struct ask *a);   /* from slow() of one that is asked once */
void ask_abandon(struct ask *a); /* done will not be called; no-op when finished */
bool ask_pending(const struct ask *a);

#endif
