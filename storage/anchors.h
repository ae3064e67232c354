/*
 * Founding and finding head registers, from outside: who is willing to be an anchor, telling all of
 * them the charter, and the way back to them from a bucket's finder key: a signed record of the DHT
 * names the anchors of now, or of not long ago; any of them has the charter and the handovers
 * since, which prove themselves (the bucket's id is a hash of its owner's key and salt).
 */
#ifndef STORAGE_ANCHORS_H
#define STORAGE_ANCHORS_H

#include "storage/chunks.h"
#include "storage/register_talk.h"

/* How many for a network of so many nodes that store: 3 up to 4, 5 up to 11, 7 above. */
uint8_t anchors_count_for(uint64_t nodes);

/* What the rules of candidates ask of a choice. */
struct constraints anchors_limits(const struct candidate_rules *rules);
/*
 * Chooses one of the candidates and asks it: ERR_OK, it is taken and would be an anchor;
 * ERR_REFUSED, it would not, or does not answer, and is left out of them: another may;
 * ERR_PLACEMENT, none fits. c: owner; grant may be NULL.
 */
SUSPENDS int anchors_try(struct endpoint *ep, const struct charter *c, const struct grant *grant,
    const struct constraints *limits, struct candidate *of, size_t *count, struct anchor *out);

struct anchors_wish {
	struct chunks *chunks; /* lent: knows the candidates */
	struct dht *dht;       /* lent */
	uint8_t count;         /* 3, 5, 7; 0: by the size of the network */
	const struct grant
	    *grant; /* by which nodes know whose it is (for charter->owner); may be NULL */
};
/*
 * Chooses nodes that are willing and fit the charter's candidate rules, spread as shards are, and
 * sets the founding anchors and quorum; owner, salt and rules are set before, writers and signature
 * are the caller's. ERR_PLACEMENT: fewer are there than a register needs.
 */
SUSPENDS int anchors_choose(const struct anchors_wish *wish, struct charter *c);
/*
 * Tells all founding members. ERR_OK when each (all, so that a register never begins with less than
 * it promises) has it durably; else the first error: the same charter may be told again.
 */
SUSPENDS int anchors_found(struct endpoint *ep, struct dht *dht, const struct charter *c,
    const struct grant *grant, uint64_t timeout);

/*
 * From the finder key to the newest charter and handovers that any listed anchor shows; without a
 * record that leads anywhere the nodes around are asked. ERR_NOT_FOUND: no record, and nobody knows
 * the bucket; ERR_UNREACHABLE: none of those listed answers with the charter.
 */
SUSPENDS int anchors_find(struct endpoint *ep, struct dht *dht, const struct pubkey *finder,
    const uint8_t salt[16], const struct hash *bucket, struct register_chain *out);
/* The finder record: {epoch, configuration, its anchors}; whoever can read may renew it. */
SUSPENDS int anchors_publish(struct endpoint *ep, struct dht *dht, const struct identity *finder,
    const uint8_t salt[16], uint64_t epoch, const struct configuration *c);

#endif
