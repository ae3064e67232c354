/*
 * What lies where in the segment files of a simulated disk: stretches of bytes by their kind, for
 * tests that turn bits. Apart from them because the formats and the nodes have names in common.
 */
#ifndef TEST_SCENARIO_GROUND_H
#define TEST_SCENARIO_GROUND_H

#include "sim/disk.h"
#include "sim/random.h"

#define STRETCHES_MAX 512
#define LIVE_MAX      32

/* R_FILL: zeros up to a block, which no sum covers. */
enum region { R_SEGMENT, R_HEADER, R_PAYLOAD, R_TRAILER, R_RECORDS, R_FILL, REGIONS };

/* A stretch of bytes of one kind. */
struct stretch {
	char path[80];
	enum region region;
	bool live; /* of a shard that counts */
	uint64_t from, bytes;
};

struct ground {
	struct sim_disk *disk;
	const char *dir;
	struct hash live[LIVE_MAX]; /* chunks with a shard here */
	size_t live_count;
	bool adding_live;
	struct stretch at[STRETCHES_MAX];
	size_t count;
};

/* Lists all stretches of the segments in dir; live and live_count say which shards count. */
void ground_survey(struct ground *g, const char *dir);
/* Kinds in turn by number, so that each is met often; then any stretch of the kind. */
const struct stretch *ground_choose(const struct ground *g, struct sim_random *r, uint64_t number);

#endif
