/* The chunks of a map's state, in and out; unpacked pages in memory. Behind map.h. */
#ifndef OBJECT_MAP_CHUNKS_H
#define OBJECT_MAP_CHUNKS_H

#include "object/map_private.h"

/* ---- map_cache.c ---- */
/* Pins page number i of the list; give it back. ERR_STALE: gone, and there are newer snapshots. */
SUSPENDS int map_cache_get(
    struct map *m, const struct map_list *l, size_t i, struct cached_page **out);
bool map_cache_has(struct map *m, const struct map_list *l, size_t i); /* or it is on its way */
void map_cache_return(struct map *m, struct cached_page *p);           /* NULL: nothing */
const struct map_page *map_cached(const struct cached_page *p);
void map_cache_fini(struct map *m);

/* ---- map_blobs.c ---- */
struct map_blob {
	enum sealing_kind kind;
	struct bytes plain;
	bool publish;
};
/* Sealed in a worker. *bytes grows by the sealed length. */
SUSPENDS int map_blob_put(
    struct map *m, const struct map_blob *b, struct blob_ref *out, uint64_t *bytes);
/* Appended to plain, whose room is the limit. */
SUSPENDS int map_blob_get(
    struct map *m, enum sealing_kind kind, const struct chunk_ref *ref, struct buf *plain);
SUSPENDS int map_segment_seal_work(
    struct map *m, uint64_t seq, struct bytes records, struct buf *out);
SUSPENDS int map_segment_open_work(struct map *m, struct bytes segment, struct buf *records);

#endif
