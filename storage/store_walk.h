/*
 * Walking over the shards of a store: a look at its index for many names. Part of store.h's calls,
 * for those few who want all.
 */
#ifndef STORAGE_STORE_WALK_H
#define STORAGE_STORE_WALK_H

#include "storage/store.h"

struct shard_name {
	struct hash chunk;
	uint8_t index;
	bool unproven; /* found by recovery and never read since: perhaps not whole */
};
struct shard_walk { /* {0}: from the first one on */
	struct hash from;
	bool ended;
};
/*
 * The next shards of a walk in order of chunk and index: whole chunks, as many as fit;
 * cap ≥ SHARDS_MAX. *count 0: the end.
 */
SUSPENDS int store_list(
    struct store *s, struct shard_walk *walk, struct shard_name *out, size_t cap, size_t *count);

/* For the next step of a walk: the name behind h. False: there is none. */
bool store_name_after(struct hash *h);

#endif
