/* Inside of the fleet, shared by fleet.c (life) and fleet_seed.c (a network that is years old). */
#ifndef SIM_FLEET_PRIVATE_H
#define SIM_FLEET_PRIVATE_H

#include "sim/fleet.h"

/* Slots beyond the members, for liars placed near a key. */
#define FLEET_SYBILS_MAX    SCENARIO_SYBILS_MAX
/* Of all machines when a run begins: more than the longest interval of upkeep at `calm = 1000`. */
#define FLEET_UPTIME        DAYS(100)
/* Addresses: members from 1 on, then those that exist in tables only, then machines of ours. */
#define FLEET_ADDR_USERS    4000000
#define FLEET_ADDR_DIRECTOR 4100000

struct fleet {
	struct fleet_opts opts;
	const struct scenario *scenario;
	struct sim_world *world;
	struct env *director;
	struct sim_random dice; /* choices of the scenario, apart from the world's trips */
	struct network_id net;
	size_t count; /* slots in use */
	struct member *members;
	struct oracle oracle;
	uint32_t up, retired;
	uint64_t gone, joined, left;
	bool seeding;                   /* nodes start as if they had joined long ago */
	uint64_t sent[TRAFFIC_CLASSES]; /* by nodes that have stopped */
	struct fleet_repaired repaired; /* the same */
};

/* The contact that a slot has in its generation. */
void fleet_identity(
    const struct fleet *f, uint32_t slot, uint32_t generation, struct identity *out);

/* fleet_sight.c: what a node has sent, before it goes. */
void fleet_count_traffic(const struct member *m, uint64_t out[TRAFFIC_CLASSES]);
void fleet_count_repair(const struct member *m, struct fleet_repaired *sum);

#endif
