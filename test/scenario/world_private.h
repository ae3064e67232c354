/* The inside of the world, shared by world.c (nodes, the client), world_files.c (what the client
 * stores) and world_sight.c (what nodes are asked directly). */
#ifndef TEST_SCENARIO_WORLD_PRIVATE_H
#define TEST_SCENARIO_WORLD_PRIVATE_H

#include "test/scenario/world.h"

struct world_node {
	struct identity identity;
	struct sim_disk *disk;
	struct env *env; /* NULL: dead */
	struct node *node;
	struct contact contact;
};

struct world_file {
	char name[32];
	uint64_t bytes, seed;
	struct link link;
};

struct world {
	struct world_opts opts;
	struct sim_world *sim;
	struct log *log;
	struct network_id net;
	struct world_node nodes[WORLD_NODES_MAX];
	struct contact bootstraps[WORLD_NODES_MAX];
	size_t bootstraps_count;
	struct env *client_env;
	uint32_t clients;
	struct node *client;
	struct chunks *chunks;
	struct files *files;
	struct account account;
	struct world_file kept[WORLD_FILES_MAX];
	size_t kept_count;
	void (*during)(void *arg, uint64_t done, uint64_t total);
	void *during_arg;
	uint64_t hurry; /* ns for each put and get; 0: any */
};

#endif
