/*
 * What buckets stand on: where head registers are, and a bucket's own stores, as object/cloud.h
 * uses them. In the network (object/ground_net.h), or in memory for tests.
 */
#ifndef OBJECT_GROUND_H
#define OBJECT_GROUND_H

#include "object/blob_store.h"
#include "object/bucket_keys.h"
#include "object/map_register.h"
#include "storage/register_talk.h"
#include "storage/salvage.h"

/* What an open bucket needs of the world. */
struct ground_bucket {
	struct map_register *reg;
	struct blob_store *blobs;
	struct lease_signer signer;
};

struct ground_open {
	const struct account *account; /* vouches for leases; lent for the call; NULL: there is … */
	const struct grant *grant;     /* … its word for the lease key */
	const struct bucket_seed *seed;
	const struct identity *writer; /* NULL: only reads */
	/* Where the register was or is known to be; as found, or as a record says. */
	const struct charter *charter;
	const struct handover *handover; /* NULL: as founded */
	const struct constraints *constraints;
	struct code_params code; /* of what the map stores; k 0: by the size of the network */
};

struct ground {
	/*
	 * The charter and where it leads, by the finder record, or by asking whoever is known.
	 * ERR_NOT_FOUND: nobody who could know of it does; ERR_UNREACHABLE: that cannot be said.
	 */
	SUSPENDS int (*find)(struct ground *g, const struct bucket_seed *seed,
	    const struct hash *bucket, struct register_chain *out);
	/* As anchors_choose: owner, salt and rules are set. */
	SUSPENDS int (*choose)(struct ground *g, const struct account *account, struct charter *c);
	/* As anchors_found, and the finder record is made. Again with the same one: the same. */
	SUSPENDS int (*found)(struct ground *g, const struct account *account,
	    const struct bucket_seed *seed, const struct charter *c);
	/* As salvage_look: of the members that the chain leads to. */
	SUSPENDS int (*salvage)(struct ground *g, const struct bucket_seed *seed,
	    const struct register_chain *chain, struct salvage *out);
	/*
	 * Tells the anchors of a later epoch, and puts what was salvaged as its first head: only
	 * then the finder record names it. Both records hold from then on. ERR_BUSY: another one
	 * has put something there.
	 */
	SUSPENDS int (*refound)(struct ground *g, const struct ground_open *o,
	    const struct salvage *from, uint64_t *seq);
	/*
	 * Whether this key may write: a configuration with the same anchors, which the owner signs.
	 * ERR_OK also when it is so already; ERR_FULL: WRITERS_MAX. Of a bucket that writes.
	 */
	SUSPENDS int (*writers)(struct ground *g, struct ground_bucket *b,
	    const struct identity *owner, const struct pubkey *writer, bool may);
	/* Asks nobody. */
	int (*open)(struct ground *g, const struct ground_open *o, struct ground_bucket **out);
	SUSPENDS void (*close)(struct ground *g, struct ground_bucket *b);
};

#endif
