/*
 * Random stories of small networks, for the hunt for lost data: a seed gives a network, what its
 * users do, and faults that strike at any moment. Two phases: while faults strike, nothing may be
 * wrong (bytes, limits); then all is healed, and everything acknowledged must be there, tables
 * true, nothing left over.
 *
 * Faults are limited to what must be survivable: with s receipts a chunk may lose s − k shards
 * for good; so many members may be lost, rot or lie, all kinds together, and every other
 * fault ends. A plan is edited by leaving faults out, so that a failure can be made small.
 */
#ifndef SIM_STORY_H
#define SIM_STORY_H

#include "sim/checks.h"
#include "sim/scenario.h"

/* Upkeep of hours in minutes: stories are short. */
#define STORY_PACE 20

struct story {
	uint64_t seed, nodes, span;
	struct scenario scenario;
	unsigned spoils; /* how many members it may spoil for good */
};

/* What is left out of a plan. */
struct story_edit {
	uint32_t faults; /* bit i: fault i */
	bool weather;    /* loss, doubles, reordering */
	bool churn;
	bool records; /* lookups and records */
};

struct story_outcome {
	bool failed;
	char checker[24], text[CHECKS_TEXT_MAX];
	uint64_t event_hash, events, looked;
	uint64_t simulated; /* ns */
	uint64_t objects, gets, gets_failed, puts_refused;
	struct coverage coverage;
	uint64_t leaked_bytes; /* heap in use afterwards that was not before */
};

void story_plan(uint64_t seed, struct story *out);
void story_edit(struct story *s, const struct story_edit *edit);
/* Runs it to its end; ends the process by must() where the product breaks its own promise. */
void story_run(const struct story *s, struct log *log, struct story_outcome *out);
/* The plan as a scenario file's text; gives back out. */
#define STORY_TEXT_MAX 8192
const char *story_text(const struct story *s, char out[STORY_TEXT_MAX]);

#endif
