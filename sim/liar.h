/*
 * Peers that lie: a running node of which some answers are replaced. It has joined like
 * everybody and keeps its table and store; only what it says is wrong, now and then or always.
 * Which lie strikes is drawn for each request from the liar's own stream.
 */
#ifndef SIM_LIAR_H
#define SIM_LIAR_H

#include "sim/sim.h"
#include "storage/node.h"

enum liar_kind {
	LIAR_DROP = 1,       /* does not answer */
	LIAR_DELAY = 2,      /* answers 0.2 to 2.5 s late */
	LIAR_STALE = 4,      /* names whom it knew when it began to lie, whatever is asked */
	LIAR_CONTACTS = 8,   /* invents nodes */
	LIAR_ECLIPSE = 16,   /* names other liars only */
	LIAR_WRONG = 32,     /* gives wrong bytes of the shards that it has */
	LIAR_RECEIPTS = 64,  /* signs for shards, drops them, and tells siblings that it has them */
	LIAR_RECORDS = 128,  /* alters records */
	LIAR_WITHHOLD = 256, /* says that it has neither records nor shards */
	LIAR_FLOOD = 512,    /* asks others all the time */
	LIAR_EQUIVOCATE = 1024, /* tells every other asker something else */
	LIAR_FORGE = 2048, /* shows auditors leaves that are not the shard's, and signs for them */
	LIAR_LATE = 4096,  /* answers audits as if it had to fetch the shard from elsewhere */
	LIAR_MUTE = 8192,  /* does not answer audits */
};
#define LIAR_KINDS       14
/* Requests of a flood: far over what upkeep needs, within what one line carries. */
#define LIAR_FLOOD_PER_S 20

struct liar;
struct stream;
struct stream_method;
struct liar_opts {
	struct sim_world *world;
	struct node *node; /* lent; up */
	unsigned kinds;    /* of enum liar_kind */
	uint32_t rate_ppm; /* of the requests that are answered with a lie */
	uint64_t seed;
	const char *store_dir; /* lent: where its segments lie */
	/* Up to cap other liars; how many. May be NULL: it knows of none. */
	size_t (*others)(void *arg, struct contact *out, size_t cap);
	void *arg;
};
int liar_new(const struct liar_opts *opts, struct liar **out); /* gives; lies from now on */
/* Honest again, but for what it has spoilt. Before the node stops. NULL accepted. */
void liar_free(struct liar *l);
uint64_t liar_lies(const struct liar *l); /* told so far */

/* liar_audit.c: what such a liar answers a challenge; honest: what it would have done else. */
SUSPENDS int liar_audit(struct node *node, unsigned kinds, const struct stream_method *honest,
    struct stream *s, const struct rpc_request *req);

/* "drop, stale": false: a name is unknown, or there is none. */
bool liar_kinds_parse(const char *text, unsigned *out);
const char *liar_kinds_text(unsigned kinds, char *out, size_t cap); /* gives back out */

#endif
