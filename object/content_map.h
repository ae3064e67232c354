/*
 * A bucket's map (object/map.h) as those who keep its contents see it, and its trash as the map
 * sees it.
 */
#ifndef OBJECT_CONTENT_MAP_H
#define OBJECT_CONTENT_MAP_H

#include "object/content_keep.h"
#include "object/map.h"

struct content_map {
	struct map *map;     /* lent; set when it is open: what it discards comes later */
	struct files *files; /* lent */
};

/* Both lend m. */
struct content_state content_map_state(struct content_map *m);
/* For map_opts: what the map lets go ends as what its entries have let go. */
struct map_discard content_map_discard(struct content_map *m);

#endif
