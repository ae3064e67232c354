/*
 * Who is concerned by a key, gathered from the network: a lookup, then the region around the key
 * enumerated with FIND_REGION by members of all its parts, so that ids ground beside the key
 * cannot answer for the others.
 */
#ifndef DHT_PLACE_H
#define DHT_PLACE_H

#include "dht/walk.h"

#define PLACE_ASKS    8 /* members asked for the region, of different parts */
#define PLACE_ANSWERS 3 /* fewer answers than this: others are asked */
#define PLACE_PAGES   3 /* pages one member may fill: 78 contacts, more than a region */

struct place {
	struct dht *dht;
	struct region region;
	size_t want;   /* k of the region */
	uint32_t sent; /* requests */
	size_t count;
	struct contact nodes[REGION_NODES_MAX]; /* nearest to the key first */
	bool answered[REGION_NODES_MAX];        /* itself, not only told about */
};

struct place_opts {
	struct id key;
	size_t k;                /* nodes expected inside */
	bool block;              /* the whole block of ids around key, see region_widen() */
	const struct walk *walk; /* one of key that was done already, or NULL: one is made */
};
/* ERR_OK when anybody was found. */
SUSPENDS int place_gather(struct place *p, struct dht *d, const struct place_opts *opts);
/* Those to address: at most max of p->nodes, the k nearest in any case; how many. */
size_t place_choose(const struct place *p, size_t max, uint16_t *out);

#endif
