/*
 * The root, which the head names, and the list of pages, which the root names (layouts:
 * doc/disk.md). The root is small, since it is written whenever the tail is rolled; what only
 * changes with a checkpoint is in the list. Pure.
 *
 * Chunks that are named no more are *retired*, with the number of the checkpoint from which on
 * they are not needed: first in the root, from the next checkpoint on in the list.
 */
#ifndef OBJECT_MAP_ROOT_H
#define OBJECT_MAP_ROOT_H

#include "object/blob_ref.h"
#include "object/kv.h"

/* More than a checkpoint lets come together; the writer stops before. */
#define MAP_LOGS_MAX      4096
#define MAP_ROOT_BYTES    MIB(16) /* unpacked: so many of the widest code, and as many retired */
#define MAP_RETIRED_MAX   8192    /* in a root */
#define MAP_PAGES_MAX     262144
#define MAP_LIST_BYTES    MIB(128)
#define MAP_IDS_SNAPSHOTS 2

/* Chunks of log or of ids, and which seqs. */
struct map_span {
	struct blob_ref ref;
	uint64_t from, to; /* from ≤ to */
};

struct map_retired {
	uint64_t checkpoint;
	struct blob_ref ref;
};

struct map_root {
	uint64_t checkpoint;   /* number of the snapshot; 0: there is none yet */
	uint64_t snapshot_seq; /* it has everything up to here */
	struct blob_ref list;  /* if checkpoint > 0 */
	uint8_t ids_count;     /* newest first: of the log that went into the last snapshots */
	struct map_span ids[MAP_IDS_SNAPSHOTS];
	size_t logs_count, retired_count;
	struct map_span *logs; /* ascending: what was written since, as far as it is not the tail */
	struct map_retired *retired;
};

void map_root_init(struct map_root *r); /* of a register that has none: empty */
void map_root_fini(struct map_root *r);
int map_root_copy(struct map_root *r, const struct map_root *from); /* r is fini'ed or new */
/* Copies ref. ERR_FULL. */
int map_root_add_log(struct map_root *r, const struct blob_ref *ref, uint64_t from, uint64_t to);
int map_root_retire(struct map_root *r, uint64_t checkpoint, const struct blob_ref *ref);
int map_root_pack(const struct map_root *r, struct buf *out);
/* Into a new one; nothing to free on failure. ERR_INVALID, ERR_NOMEM. */
int map_root_unpack(struct bytes in, struct map_root *out);

struct map_list_page {
	uint8_t *from; /* the smallest key that belongs here, owned; the first page's is empty */
	uint16_t from_len;
	uint32_t plain_bytes, entries;
	struct blob_ref ref;
};
struct map_list {
	uint64_t checkpoint, seq;
	size_t pages_count, pages_cap, retired_count, retired_cap;
	struct map_list_page *pages;
	struct map_retired *retired;
};

void map_list_init(struct map_list *l);
void map_list_fini(struct map_list *l);
/* Takes p's memory, also when it fails. ERR_FULL. */
int map_list_add(struct map_list *l, struct map_list_page *p);
int map_list_copy_page(struct map_list *l, const struct map_list_page *from);
void map_list_page_fini(struct map_list_page *p);
int map_list_retire(struct map_list *l, uint64_t checkpoint, const struct blob_ref *ref);
/* Which page a key belongs to; there is at least one. */
size_t map_list_find(const struct map_list *l, struct bytes key);
struct bytes map_list_from(const struct map_list *l, size_t page);
int map_list_pack(const struct map_list *l, struct buf *out);
int map_list_unpack(struct bytes in, struct map_list *out);

#endif
