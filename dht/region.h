/*
 * Which nodes a record concerns: pure. Not "the 20 closest", whom anyone can be for the
 * price of 20·N key generations, but all nodes within the distance where the k-th
 * closest is expected from the size of the network. Ids ground beside a key make the region
 * fuller, they push nobody out; above DHT_REGION_MAX nodes the choice is by spread.
 */
#ifndef DHT_REGION_H
#define DHT_REGION_H

#include "overlay/contact.h"

/* Sub-prefixes that are served in turn when a region overflows: sixteen. */
#define REGION_SPREAD_BITS 4

/* More are not gathered: twice what may be addressed, so that there is a choice. */
#define REGION_NODES_MAX 128

struct region {
	struct id key;
	uint64_t radius; /* of first 64 bits: inside when distance ≤ radius */
	unsigned bits;   /* all inside share this many bits with key */
};

/* size: estimated nodes of the network; k: how many are expected inside. */
void region_of(const struct id *key, uint64_t size, size_t k, struct region *out);
/* The whole block of ids that share r->bits with the key: what neighbouring keys share, too. */
void region_widen(struct region *r);
/* Which of the 2^REGION_SPREAD_BITS parts of the block an id lies in. */
unsigned region_part(const struct region *r, const struct id *id);
bool region_holds(const struct region *r, const struct id *id);

/*
 * From nodes (distinct, nearest to r->key first; count of them) chooses at most max: the keep
 * nearest in any case, then those inside the region, served by sub-prefix in turn and network by
 * network. out gets indices into nodes, ascending; returns how many.
 */
size_t region_choose(const struct region *r, const struct contact *nodes, size_t count, size_t keep,
    size_t max, uint16_t *out);

#endif
