/* From what is known to the register's head. Behind map.h. */
#ifndef OBJECT_MAP_FOLLOW_H
#define OBJECT_MAP_FOLLOW_H

#include "object/map_private.h"

/* A head, and what of its tail is not known yet, as a log chunk. */
struct map_target {
	struct map_head head;
	struct buf records;
};
/* Of the register's head, what is newer than seq; the caller frees records, also after errors. */
int map_target_take(struct map *m, uint64_t seq, struct map_target *t);
SUSPENDS int map_follow(struct map *m);
/* What is known has been followed to what a quorum had after then (the loop's and wall clock). */
void map_was_current(struct map *m, uint64_t at, uint64_t at_ms);
SUSPENDS int map_follow_to(struct map *m, const struct map_target *t);
int map_asker(void *map);                  /* map_read_head in the background */
SUSPENDS int map_read_head(struct map *m); /* asks the register, then follows */
/*
 * A transaction of which a run at seq `since` was proposed: ERR_OK, with its result appended, or
 * ERR_NOT_FOUND: it is in no log; ERR_UNKNOWN: that cannot be told any more.
 */
SUSPENDS int map_find_txn(
    struct map *m, const struct map_txn_id *id, uint64_t since, struct buf *result);

#endif
