/*
 * Lookups and fan-outs in action: many requests, one task. Decides nothing itself
 * (lookup.h); everything that answers or fails is seen by the routing table through the
 * endpoint's observer.
 */
#ifndef DHT_WALK_H
#define DHT_WALK_H

#include "dht/dht_private.h"
#include "dht/distance.h"

struct walk_opts {
	struct id target;
	size_t want;
	unsigned paths;
	unsigned alpha; /* of each path; 0: DHT_ALPHA of one, DHT_ALPHA_EACH of several */
	bool first_only, exact, hasty; /* see lookup.h */
	uint64_t timeout;
	uint16_t method; /* DHT_FIND_NODE, or DHT_GET for kind */
	enum record_kind kind;
	/* GET: sees each answer that holds records; true ends the walk. */
	bool (*got)(void *arg, const struct contact *from, const struct get_reply *reply);
	void *arg;
};

struct walk {
	struct dht *dht;
	struct walk_opts opts;
	struct lookup_state state;
	struct ask asks[LOOKUP_CANDIDATES_MAX]; /* by slot */
	struct buf body;
	struct wait wake;
	bool stopped;
	uint32_t sent; /* requests */
	/* An answer being read; too large for the stack and only one at a time. */
	union {
		struct nodes_reply nodes;
		struct get_reply get;
	} reply;
};

/*
 * Runs a lookup from the table. gives *out (walk_free), also when nobody answered:
 * ERR_UNREACHABLE then; ERR_NO_NETWORK when there was nobody to ask.
 */
SUSPENDS int walk_run(struct dht *d, const struct walk_opts *opts, struct walk **out);
void walk_free(struct walk *w);

/* ---- one request to each of many ---- */
struct fan {
	struct dht *dht;
	const struct contact *to; /* count of them, lent */
	size_t count;
	uint16_t method;
	struct bytes body;                            /* the same for all … */
	struct bytes (*body_of)(void *arg, size_t i); /* … or one each, lent until answered */
	uint64_t timeout;                             /* of each; 0: RPC_TIMEOUT */
	uint64_t (*timeout_of)(void *arg, size_t i);  /* where it differs; or NULL */
	/* The answer of to[i]; true: enough, the rest is abandoned. */
	bool (*answer)(void *arg, size_t i, int err, struct bytes reply);
	void *arg;
	uint32_t *sent; /* counts requests; may be NULL */
};
#define FAN_MAX    REGION_NODES_MAX
/* Requests in flight of one fan-out: all of a region at once, as each is one datagram. */
#define FAN_FLIGHT 64
SUSPENDS int fan_run(const struct fan *f);

#endif
