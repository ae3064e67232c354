/*
 * The register that a map moves (map_register.h), in the network: storage/head_client.h.
 */
#ifndef OBJECT_MAP_HEAD_H
#define OBJECT_MAP_HEAD_H

#include "object/map_register.h"
#include "storage/head_client.h"

/* Longer than a few rounds with one anchor of three dead: then nobody waits for a quorum any more.
 */
#define MAP_READ_TIMEOUT   SECONDS(8)
/* With other writers in the way, and their proposals to be ended first. */
#define MAP_COMMIT_TIMEOUT SECONDS(15)

struct map_head_register {
	struct map_register reg; /* what a map is given */
	struct head_client *client;
	struct map_head head;
	const struct map_decide *decide; /* of the commit that goes on */
};

/* The client is lent. writes: it was made with a writer's identity. */
void map_head_init(struct map_head_register *r, struct head_client *client, bool writes);

#endif
