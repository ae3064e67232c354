/*
 * Whether others can reach this node, and where. A node is a server (in tables, storing) once
 * min(3, servers known) others have dialled it back on a fresh connection, each from
 * another network where the /24 rule is on; a first node and one told to assume it are so
 * at once. Everybody else is a client. Checked again as the network grows, now and then, and when
 * the router's mapping changes. Sets endpoint_set_server().
 *
 * Also answers others: METHOD_PING says what address was seen, METHOD_DIALBACK dials back.
 * TCP is what is tried; UDP shares the port number and, at a router, the mapping.
 */
#ifndef OVERLAY_REACH_H
#define OVERLAY_REACH_H

#include "overlay/endpoint.h"
#include "overlay/portmap.h"

enum overlay_method {
	METHOD_PING = 1,     /* datagram or session; empty → {1: address seen, packed} */
	METHOD_DIALBACK = 2, /* stream; {1: port} → {1: error of the dial, 2: address seen} */
};

#define REACH_CONFIRMS      3 /* so that one liar or one odd network does not decide */
#define REACH_TRIES         8 /* peers asked in one check: some are gone, some busy */
/* Dialling takes at most this; the asker waits a little longer. */
#define REACH_DIAL_TIMEOUT  SECONDS(5)
#define REACH_ASK_TIMEOUT   SECONDS(10)
/* Divided by opts.pace. */
#define REACH_SOON          SECONDS(2) /* until a server is known; twice as long after each look */
#define REACH_SOON_MAX      MINUTES(1)
/* While not confirmed by REACH_CONFIRMS: twice as long after each check, for behind some routers
 * nobody ever is. */
#define REACH_RETRY         MINUTES(2)
#define REACH_RETRY_MAX     MINUTES(30)
/* After that, half an hour sooner or later; answers show a new address before. */
#define REACH_AGAIN         HOURS(2)
/* Dial-backs made for others: at once, and per network (one each 10 s after the first few). */
#define REACH_DIALS_MAX     8
#define REACH_DIAL_INTERVAL SECONDS(10)
#define REACH_DIAL_BURST    4

struct reach;
struct reach_opts {
	struct endpoint *endpoint; /* lent for the life */
	bool first_node;           /* no other was named to it */
	bool assume_reachable;
	bool seeded;                   /* simulation: reachable ones are between two checks */
	bool portmap;                  /* ask the router; never done on a network of one machine */
	const struct portmap_ops *ops; /* NULL: the libraries */
	uint64_t pace;                 /* divides the intervals on test networks; 0 or 1: none */
	/* May be NULL: called on the loop when reachable or external changed. */
	void (*changed)(void *arg);
	void *arg;
};

enum reach_why {
	REACH_UNTRIED,    /* no server is known yet that could dial back */
	REACH_CLIENT,     /* wished: no listener */
	REACH_FIRST,      /* yes: nobody else is there to ask */
	REACH_ASSUMED,    /* yes: the owner says so */
	REACH_CONFIRMED,  /* yes: dialled back */
	REACH_FAILED,     /* peers dialled back and could not connect */
	REACH_UNANSWERED, /* too few of those asked gave an answer */
};

struct reach_status {
	bool reachable;
	enum reach_why why;
	uint32_t wanted, confirmed;        /* of the last check */
	struct contact by[REACH_CONFIRMS]; /* who confirmed */
	struct contact failed_by;          /* who could not connect last ... */
	int failed_err;                    /* ... and why; ERR_OK: nobody */
	struct addr external;              /* as others see us; ADDR_NONE: unknown */
	struct portmap_result mapping;
	uint64_t checked_at; /* env_now scale; 0: never */
};

int reach_new(const struct reach_opts *opts, struct reach **out); /* gives */
void reach_status(const struct reach *r, struct reach_status *out);
/* A check as soon as the running one is over, and retries as if it were the first: after joining,
 * on a change of address. */
void reach_check_soon(struct reach *r);
/* One sentence for people: reachable or not, by whom, why not, what to do. */
#define REACH_TEXT_MAX 512
const char *reach_text(const struct reach_status *s, char out[REACH_TEXT_MAX]);

/*
 * Ends the check, takes the mapping back, then calls done on the loop. The object must stay until
 * the endpoint was shut down too, because the endpoint's methods use it.
 */
void reach_shutdown(struct reach *r, void (*done)(void *arg), void *arg);
void reach_free(struct reach *r);

/* Asks a peer at which address it sees us; out may be NULL. */
SUSPENDS int reach_ping(struct endpoint *ep, const struct contact *to, struct addr *out);

#endif
