/*
 * The last committed head that this machine has seen, kept in the cache directory, so that what it
 * names can still be read, as old, when no quorum of anchors answers. Behind map.h; layout:
 * doc/disk.md.
 */
#ifndef OBJECT_MAP_KEPT_H
#define OBJECT_MAP_KEPT_H

#include "object/map_private.h"

/* If there is something newer than what was written; errors only tell less later. */
SUSPENDS void map_kept_write(struct map *m);
/* After the state has moved: the same a little later. */
void map_kept_arm(struct map *m);
void map_kept_fire(void *map); /* the timer's */
int map_keeper(void *map);
/*
 * What was kept becomes the state, while nothing is known. ERR_NOT_FOUND: nothing was kept;
 * ERR_AUTH, ERR_CORRUPT; ERR_UNREACHABLE: what it names is not to be had.
 */
SUSPENDS int map_kept_read(struct map *m);
/* Whether something was kept in that cache directory, whatever it is worth. Errors: nothing was. */
SUSPENDS bool map_kept_in(struct env *env, const char *cache_dir);

#endif
