/* New roots on their way to the head, and rolling. Behind map.h. */
#ifndef OBJECT_MAP_ROOTS_H
#define OBJECT_MAP_ROOTS_H

#include "object/map_private.h"

/* ---- map_roots.c ---- */
/*
 * root follows the one known now, which it retires: puts it, and waits until it is the head's.
 * Takes root and snapshot, also when it fails. ERR_STALE: another one came first. Inside
 * m->rooting.
 */
SUSPENDS int map_root_move(
    struct map *m, struct map_root *root, struct map_snapshot *snapshot, uint64_t covers);
bool map_pending_is(const struct map *m, const struct hash *id);
void map_pending_done(struct map *m, int err); /* nothing, when none is pending */
/* Was put and is not named: the next root retires it, unless the state names it after all. */
void map_orphan(struct map *m, const struct blob_ref *ref);
void map_orphans_named(struct map *m); /* those that the state names now are none */
void map_orphans_fini(struct map *m);
void map_roll_if_due(struct map *m);
int map_roller(void *map);
/* Until a root is pending, by whomever, or w has ended: how it did. */
SUSPENDS int map_wait_root(struct map *m, enum map_work w);
void map_wake_waiters(struct map *m);

/* ---- map_checkpoint.c ---- */
/* For room in the log's memory, as long as a checkpoint may make some. ERR_BUSY: there is none. */
SUSPENDS int map_wait_memory(struct map *m);

#endif
