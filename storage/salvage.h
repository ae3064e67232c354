/*
 * The last resort of a head register whose quorum is gone for good: its newest head also lies in a
 * signed record of the DHT, beside the finder's, put there whenever the root has moved; and what is
 * left of the anchors is asked for what they have accepted. What is found proves itself (a writer
 * has signed it); that nothing newer was committed, nobody can say.
 */
#ifndef STORAGE_SALVAGE_H
#define STORAGE_SALVAGE_H

#include "overlay/base/buf.h"
#include "storage/register_talk.h"

/* The record of a head under the bucket's finder key; the charter's salt. */
SUSPENDS int last_head_publish(struct endpoint *ep, struct dht *dht, const struct identity *finder,
    const uint8_t salt[16], const struct head *h);
/* The newest that anybody shows of that bucket. ERR_NOT_FOUND. */
SUSPENDS int last_head_find(struct endpoint *ep, struct dht *dht, const struct pubkey *finder,
    const uint8_t salt[16], const struct hash *bucket, struct head *out);

/* What is left. */
struct salvage {
	uint8_t anchors, quorum, answered; /* of the members of now, as such */
	bool moved;                        /* an anchor knows of later members or a later epoch */
	bool found;                        /* the rest is set */
	bool recorded;                     /* by the record, not by an anchor */
	struct head head;
	bool whole; /* its records are here, in tail */
	struct tail_part tail;
	struct ballot ballot; /* an anchor had accepted it under; counter 0: the record's */
	struct buf answer;    /* tail lends from it */
};
void salvage_init(struct salvage *s);
void salvage_fini(struct salvage *s);
/* How far the state goes that can be had from it, at least: commits up to this seq. */
uint64_t salvage_reach(const struct salvage *s);
/*
 * Asks the chain's members, and looks for the record. ERR_OK: see s->found. An anchor that does not
 * answer is no error.
 */
SUSPENDS int salvage_look(struct endpoint *ep, struct dht *dht, const struct pubkey *finder,
    const struct register_chain *chain, struct salvage *s);

#endif
