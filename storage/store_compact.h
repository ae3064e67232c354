/*
 * Compaction: what still counts in a segment is written anew at the head, then the segment goes.
 *The only way in which space comes back. Called by who keeps the store (keeper.h), never by itself.
 *
 *	choose → count what lives → copy records → move shards → retire its sums → readers gone →
 *unlink
 *
 * What is copied keeps its order (catalog.h), so a copy next to its original says the same thing
 * twice, and a deletion mark copied forward still is above every older copy of its shard. A crash
 * at any step leaves both or only the copy.
 */
#ifndef STORAGE_STORE_COMPACT_H
#define STORAGE_STORE_COMPACT_H

#include "storage/store.h"

/*
 * Compacts the segment with most to gain: at least half of it, or a fifth when the store is nearly
 * full. *gained: bytes that came back; 0: none was worth it. ERR_BUSY: one is running. Other errors
 * leave the segment as it was; what has been copied of it is dead space or found there again.
 */
SUSPENDS int store_compact(struct store *s, uint64_t *gained);

struct store_swept {
	uint64_t seen, gone; /* entries of the index */
	uint64_t bare;       /* leases and tombstones that stay of chunks that are not here */
};
/*
 * Forgets what nothing depends on any more: marks of shards of which no copy lies in any segment,
 * tombstones and leases of which all that was promised is over. Once a day is enough. ERR_BUSY: a
 * segment is being compacted.
 */
SUSPENDS int store_sweep(struct store *s, uint64_t now_unix_s, struct store_swept *out);

#endif
