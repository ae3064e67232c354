/*
 * What must hold in any simulated network, whatever happened to it, apart from scenarios.
 * The first finding stays. Each says what was seen and where; what they do not look at: the
 * speed of anything, records that nodes forgot by restarting (soft state), privacy of sizes.
 */
#ifndef SIM_CHECKS_H
#define SIM_CHECKS_H

#include "sim/census.h"
#include "sim/workload.h"

#define CHECKS_TEXT_MAX 240

struct checks { /* embedded; zeroed, then fleet is set */
	struct fleet *fleet;
	bool failed;
	char checker[24]; /* which found something */
	char text[CHECKS_TEXT_MAX];
	uint64_t looked; /* single facts that were looked at: zero means that a checker slept */
};

void checks_fail(struct checks *c, const char *checker, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* At any moment: queues, tables, sessions, tasks, disks within their limits ([16] of the design).
 */
void checks_limits(struct checks *c);
/* After healing, runs the world: every acknowledged object has k shards and gives its bytes. */
void checks_objects(struct checks *c, struct workload *w, struct census *census);
/* After healing: a put and a get succeed. */
void checks_alive(struct checks *c, struct user *u);
/* After healing: tables know whom they should, lookups find the closest. */
void checks_tables(struct checks *c);
/*
 * When nothing was asked for a while, runs the world: within some looks everybody is seen without a
 * hand-shake or shard under way, and with few tasks. At a single one upkeep may be at work.
 */
void checks_pending(struct checks *c);
/* Below object/ nobody has plaintext, an object's key or an account's seed: every disk. */
void checks_secrets(struct checks *c, struct workload *w);
/* A member that has stopped: its store is sound. Runs the world. */
void checks_store(struct checks *c, struct member *m);

#endif
