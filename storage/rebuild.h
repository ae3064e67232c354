/*
 * Rebuilding the missing shards of one chunk, row by row, without a key: leaves of k sources are
 * checked against their shards' hashes, decoded, and sent on to new holders as they come. Memory is
 * bounded whatever the chunk's length. Below repair.h, which decides what is rebuilt and when.
 *
 *	k sources ─ read ─→ slot ─ worker: check, decode ─→ slot ─ write ─→ new holders ─→ receipts
 */
#ifndef STORAGE_REBUILD_H
#define STORAGE_REBUILD_H

#include "storage/chunks_private.h"
#include "storage/store.h"

/* Both slots of all sources and targets together. */
#define REBUILD_BYTES_MAX MIB(8)

struct rebuild_shard {
	uint8_t index;
	bool own;              /* a source in our own store */
	struct contact holder; /* of a source; of a target once it is open */
	bool failed; /* a source that did not give what it should, a target that broke off */
	bool placed; /* a target with a receipt */
	bool lied;   /* a source whose bytes are not the shard's: why it failed */
	bool gave;   /* a source all of whose bytes were read and were right */
};

/* Large: on its owner's heap. */
struct rebuild {
	struct chunks *chunks; /* lent, as the others */
	struct store *store;
	const struct descriptor *descriptor;
	const struct hash *chunk;
	const struct lease *lease; /* under which the new holders keep it */
	/* At least k, best first; the others take the place of those that fail to open. */
	struct rebuild_shard sources[SHARDS_MAX];
	size_t sources_count;
	/* What is missing. */
	struct rebuild_shard targets[SHARDS_MAX];
	size_t targets_count;
	bool copy; /* one source, one target, the same shard: nothing is decoded */
	/* Who may take them; taken: those that hold a shard, they count for the rules. */
	struct candidate *candidates;
	size_t candidates_count;
	/* Called before bytes are moved; may wait. NULL: no limit. */
	SUSPENDS int (*pace)(void *arg, uint64_t sent, uint64_t fetched);
	void *arg;
	/*
	 * Each leaf read is hashed before it is used, which tells who lied; else only what is built
	 * is, for half the work of hashing. Set by a run whose result was wrong (ERR_UNREACHABLE).
	 */
	bool careful;
	/* Results. */
	uint64_t fetched, sent, own; /* own: read from our store */
	size_t placed;
	bool
	    malformed; /* k shards that verify rebuild to others than the descriptor's: no repair */
};

/*
 * ERR_OK when at least one target was placed; ERR_PLACEMENT: nobody takes a shard; ERR_UNREACHABLE:
 * fewer than k sources give theirs, those that failed are marked; ERR_CORRUPT with malformed.
 */
SUSPENDS int rebuild_run(struct rebuild *r);

#endif
