/*
 * What really lies on the members' disks: every shard, by asking each store in its own process, as
 * no peer could. Shards of members that are offline are remembered from when they were up. Taking a
 * census runs the world for a moment.
 */
#ifndef SIM_CENSUS_H
#define SIM_CENSUS_H

#include "sim/fleet.h"

struct census;

struct census *census_new(struct fleet *f); /* gives; empty */
void census_free(struct census *c);         /* NULL accepted */
void census_take(struct census *c);
/* Distinct shards of a chunk: on members that are up, and on these and offline ones. */
void census_chunk(const struct census *c, const struct hash *chunk, unsigned *up, unsigned *kept);
/* Shards in all, on members that are up. */
uint64_t census_shards(const struct census *c);

#endif
