/*
 * One run of a scenario, from the first node to the verdict:
 *
 *	everybody starts with a table → warm-up → measured span, with faults and churn → heal:
 *	all faults end, who is away comes back → every object is read once more
 *
 * The same options give the same event hash and the same result but for what is the host's (time,
 * memory). Runs on the caller's thread until it is over.
 */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include "overlay/base/log.h"
#include "sim/result.h"
#include "sim/scenario.h"

#define RUN_NODES_MIN 50
#define RUN_NODES_MAX 200000
#define RUN_HOURS_MAX 10000

struct run_progress {
	uint64_t done, span; /* simulated ns */
	uint32_t up;
	uint64_t events, objects, objects_lost, lookups;
	const char *phase; /* as "starting", "running", "healing" */
};

struct run_host {                      /* what only the host knows */
	uint64_t (*cpu_ms)(void *arg); /* of this process so far */
	uint64_t (*wall_ms)(void *arg);
	uint64_t (*resident_peak)(void *arg);                      /* bytes */
	void (*progress)(void *arg, const struct run_progress *p); /* now and then; may be NULL */
	bool (*stop)(void *arg); /* asked now and then: true ends the span early; may be NULL */
	void *arg;
};

struct run_opts {
	const struct scenario *scenario; /* lent */
	uint64_t nodes, seed;
	uint64_t span;    /* simulated ns, measured */
	uint64_t lookups; /* besides, so many at once at the end of the span; 0: none */
	bool stand_in;    /* said in the result; chosen by the caller before crypto_init() */
	struct log *log;  /* lent; may be NULL */
	struct run_host host;
};

/* ERR_CANCELED: stopped early; out holds what was measured until then. */
int run_scenario(const struct run_opts *opts, struct result *out);

#endif
