/*
 * From files to a store that knows what it holds. Private to the store; blocks: in a worker only.
 */
#ifndef STORAGE_RECOVER_H
#define STORAGE_RECOVER_H

#include "storage/store_impl.h"

/* Fills lock, log, index, meta and order of the store from the disk. */
struct recovery {
	struct store *store;
	struct store_id fresh_id; /* of a new store */
	/* out */
	uint16_t version; /* of a segment that is too new */
	uint64_t records; /* extents behind the index's position */
	uint64_t dead, rot, bad_ranges, read_errors, damaged, missing;
	bool rebuilt; /* the index was no use */
};
int store_recover(struct recovery *r);
/* Walks the rest of a segment into the index, in steps of one transaction each. */
struct replay {
	struct seglog *log;
	struct index *index;
	struct catalog_meta meta; /* updated */
	uint64_t segment, from, at;
	uint64_t extents, dead, bad_ranges, read_errors;
	uint64_t first_dead; /* offset of the first dead extent; UINT64_MAX: none */
	uint64_t end;
	bool finished;
};
int replay_segment(struct replay *r);
/*
 * Enters a shard that a walk has found, and the lease in its trailer; one that is known better
 * changes nothing. The offline check makes its comparison by the same words.
 */
int recover_add_shard(
    struct index_txn *txn, const struct hash *chunk, const struct found *f, enum shard_state state);

#endif
