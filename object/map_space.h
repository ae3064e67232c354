/* What of the tail a commit may take. */
#ifndef OBJECT_MAP_SPACE_H
#define OBJECT_MAP_SPACE_H

#include "object/map_private.h"

struct map_space {
	bool
	    rooted; /* the pending root follows that of now: it covers so many segments, and left */
	uint16_t covered, segments, segments_max; /* are so many, of how many at most */
	uint32_t bytes, bytes_max;
};
struct map_space map_space_of(const struct map *m);
bool map_beside_others(const struct map *m); /* another one has written lately */
/* It is to be rolled: by who has filled it so far. */
bool map_tail_due(const struct map_head *h);
/* Bytes of records of one commit. */
size_t map_space_records(const struct map_space *s);

#endif
