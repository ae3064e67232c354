/*
 * What is said to anchors, one question at a time: a message to a register and its answer; whether
 * a node would be an anchor; founding; the charter and the handovers since. doc/protocol.md has the
 * layouts. Every answer is checked here as far as it proves itself.
 */
#ifndef STORAGE_REGISTER_TALK_H
#define STORAGE_REGISTER_TALK_H

#include "dht/dht.h"
#include "storage/grant.h"
#include "storage/register.h"

enum register_method {
	METHOD_REGISTER = 74,         /* → u32 length, message; ← u32 length, answer */
	METHOD_ANCHOR_OFFER = 75,     /* owner, grant → tail: incarnation, would it */
	METHOD_REGISTER_FOUND = 76,   /* charter, grant → nothing: it is durable */
	METHOD_REGISTER_CHARTER = 77, /* bucket, what is known → charter, grant, handovers since */
};

/* A node on the other side of the world syncs twice: then it is asked again anyway. */
#define REGISTER_TIMEOUT SECONDS(10)
/* Handovers of one epoch: a change of members each day for eleven years. */
#define CHAIN_MAX        4096

/* Where a node is: from the book of peers, else by a lookup. */
SUSPENDS int register_resolve(
    struct endpoint *ep, struct dht *dht, const struct pubkey *who, struct contact *out);

/* On the stream a message, and so its answer, stands behind its length. */
SUSPENDS int register_write(struct stream *st, struct bytes message);
SUSPENDS int register_read_length(struct stream *st, size_t *len); /* ≤ REGISTER_BYTES_MAX */

/* message: packed; reply (max: REGISTER_BYTES_MAX): the packed answer. */
SUSPENDS int register_ask(
    struct endpoint *ep, const struct contact *to, struct bytes message, struct buf *reply);
/*
 * What an anchor shows of a register, whatever kind of answer that is. m: bucket, epoch,
 * configuration and the tail that is known; the rest is filled in. reply as above, a's tail lends
 * from it. ERR_AUTH: it answers another question.
 */
SUSPENDS int register_ask_state(struct endpoint *ep, struct dht *dht, const struct pubkey *who,
    struct register_message *m, struct buf *reply, struct register_answer *a);

struct anchor_offer {
	uint64_t incarnation; /* of the node's directory */
	bool leaving;         /* gives all away */
	int refusal;          /* ERR_OK: it would take one more of this owner's */
};
SUSPENDS int anchor_ask_offer(struct endpoint *ep, const struct contact *to,
    const struct pubkey *owner, const struct grant *grant, struct anchor_offer *out);
/* Both sides' layouts. */
#define OFFER_ASK_BYTES (1 + 32 + 1 + GRANT_BYTES)
#define OFFER_BYTES     (1 + 8 + 1 + 1)
size_t offer_ask_pack(
    const struct pubkey *owner, const struct grant *grant, uint8_t out[OFFER_ASK_BYTES]);
int offer_ask_unpack(struct bytes in, struct pubkey *owner, bool *granted, struct grant *grant);
void offer_pack(const struct anchor_offer *o, uint8_t out[OFFER_BYTES]);
int offer_unpack(struct bytes in, struct anchor_offer *out);

SUSPENDS int register_ask_found(struct endpoint *ep, const struct contact *to,
    const struct charter *c, const struct grant *grant);
#define FOUND_BYTES_MAX (1 + 1 + GRANT_BYTES + CHARTER_BYTES_MAX)
size_t found_pack(const struct charter *c, const struct grant *grant, struct network_id net,
    uint8_t out[FOUND_BYTES_MAX]);
int found_unpack(
    struct bytes in, struct network_id net, struct charter *c, bool *granted, struct grant *grant);

/* A charter and where its handovers lead. */
struct register_chain {
	bool known; /* else all the rest is undefined */
	struct charter charter;
	bool granted;
	struct grant grant;
	struct configuration now;
	bool handed;
	struct handover last;        /* led to now */
	struct configuration before; /* which that ended */
};
/* Goes on with l. ERR_AUTH: it does not end what holds now. */
int register_chain_add(struct register_chain *io, const struct handover *l);
#define CHAIN_ASK_BYTES (1 + 32 + 8 + 4)
/*
 * Asks for what is behind io (not known: everything) of a bucket, and adds it to io. each (may be
 * NULL, may suspend) gets every handover that was followed; its error ends it. ERR_NOT_FOUND: it is
 * no anchor of that bucket. On errors io holds what was proven until then.
 */
SUSPENDS int register_ask_chain(struct endpoint *ep, const struct contact *to,
    const struct hash *bucket, struct register_chain *io,
    int (*each)(void *arg, const struct register_chain *now), void *arg);
size_t chain_ask_pack(
    const struct hash *bucket, const struct register_chain *known, uint8_t out[CHAIN_ASK_BYTES]);
int chain_ask_unpack(struct bytes in, struct hash *bucket, uint64_t *epoch, uint32_t *number);

#endif
