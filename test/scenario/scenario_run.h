/* Runs of scenarios for tests: without clocks of the host, with the stand-in. */
#ifndef TEST_SCENARIO_SCENARIO_RUN_H
#define TEST_SCENARIO_SCENARIO_RUN_H

#include <check.h>
#include <stdlib.h>

#include "sim/run.h"

static inline uint64_t
no_clock(void *arg)
{
	(void)arg;
	return 0;
}

/* What opts says, as far as host and crypto are left out of it; it must end so. gives */
static inline struct result *
scenario_run(struct run_opts opts, int end)
{
	struct result *r = calloc(1, sizeof(*r));

	ck_assert_ptr_nonnull(r);
	result_init(r);
	opts.stand_in = true;
	opts.host.cpu_ms = opts.host.wall_ms = opts.host.resident_peak = no_clock;
	ck_assert_int_eq(run_scenario(&opts, r), end);
	return r;
}

static inline void
scenario_done(struct result *r)
{
	result_fini(r);
	free(r);
}

#endif
