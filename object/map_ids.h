/*
 * Which transactions the log since the last two snapshots has, with their results: so one whose
 * fate was unknown is found again ([12] *Conflict*). In the order of the log; and as a checkpoint
 * keeps them (layout: doc/disk.md). Pure.
 */
#ifndef OBJECT_MAP_IDS_H
#define OBJECT_MAP_IDS_H

#include "object/map_log.h"

/* A checkpoint is due before a log has more; 64 MiB of memory. */
#define MAP_IDS_MAX       1048576
/* As a chunk keeps them: the most of them, a twentieth with results of the largest size. */
#define MAP_IDS_BYTES_MAX MIB(48)

struct map_ids_entry {
	struct map_txn_id id;
	uint64_t seq;
	uint16_t len;
	uint8_t *result; /* owned; NULL when len is 0 */
};
struct map_ids {
	struct map_ids_entry *at; /* seqs ascend */
	size_t count, cap;
	uint32_t *slots; /* position + 1; 0: free. A power of two, at most half full. */
	size_t slots_count;
	size_t bytes;
};

void map_ids_init(struct map_ids *t);
void map_ids_fini(struct map_ids *t);
/* Seqs ascend. One that is there already stays as it is. ERR_NOMEM; ERR_FULL. */
int map_ids_add(struct map_ids *t, const struct map_txn_id *id, uint64_t seq, struct bytes result);
const struct map_ids_entry *map_ids_find(const struct map_ids *t, const struct map_txn_id *id);
/* Those with a seq ≤ until go. */
void map_ids_forget(struct map_ids *t, uint64_t until);

/* Those with from < seq ≤ until. ERR_TOO_BIG. */
int map_ids_pack(const struct map_ids *t, uint64_t from, uint64_t until, struct buf *out);
/* Looks through the packed form. ERR_NOT_FOUND; ERR_INVALID: not such a form. Result is lent. */
int map_ids_look(struct bytes packed, const struct map_txn_id *id, struct bytes *result);

#endif
