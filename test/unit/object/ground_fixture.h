/*
 * What buckets stand on, in memory: a set of registers by bucket, each with its stores, as
 * map_fixture.h has them, on one simulated clock. Founding may stop halfway, registers may be out
 * of reach.
 */
#ifndef TEST_UNIT_OBJECT_GROUND_FIXTURE_H
#define TEST_UNIT_OBJECT_GROUND_FIXTURE_H

#include "object/ground.h"
#include "test/unit/object/map_fixture.h"

#define MEM_REGISTERS 64

struct mem_register {
	struct charter charter;
	uint8_t told; /* anchors that know; it can be used when all do */
	bool lost;    /* its anchors are gone */
	struct mem_world *world;
};

struct mem_ground {
	struct ground ground;
	struct sim_world *sim;
	struct env *env;
	struct mem_register at[MEM_REGISTERS];
	size_t count;
	uint64_t calls, foundings;
	size_t open;       /* grounds that were opened and not closed */
	uint64_t latency;  /* ns, of each anchor that is told */
	uint8_t told_most; /* so many anchors are told, then it fails; 0: all */
	bool unreachable;  /* finding says that it cannot be said */
	bool hidden;       /* no finder record is to be had: nobody knows of anything */
};

struct mem_ground *mem_ground_new(uint64_t seed);
void mem_ground_free(struct mem_ground *g);
struct mem_register *mem_ground_find(struct mem_ground *g, const struct hash *bucket);
int mem_ground_run(struct mem_ground *g, int (*fn)(void *arg), void *arg);

#endif
