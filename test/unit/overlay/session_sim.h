/*
 * Tests of two sessions' ends, a and b, on simulated time and network; both listen. Included once
 * by a test program.
 */
#ifndef TEST_UNIT_OVERLAY_SESSION_SIM_H
#define TEST_UNIT_OVERLAY_SESSION_SIM_H

#include <check.h>

#include "sim/sim.h"
#include "test/unit/overlay/session_end.h"

static struct sim_world *w;
static struct end a, b;

static struct env *
node(struct addr ip)
{
	return sim_node_add(w, &(struct sim_node_opts){ .ip = ip, .region = -1 });
}

static void
listen_at(struct end *e, uint32_t number, uint32_t seed, uint16_t port)
{
	struct addr at = sim_addr(number, port);

	end_start(e, node(sim_addr(number, 0)), seed, &at);
}

static void
setup(void)
{
	w = sim_new(&(struct sim_opts){ .seed = 5 });
	listen_at(&a, 1, 1, 0);
	listen_at(&b, 2, 2, 4000);
}

static int
stop_run(void *arg)
{
	end_stop(arg);
	return ERR_OK;
}

static void
stop(struct end *e)
{
	struct env *env = e->env;

	ck_assert_int_eq(sim_run_task(w, env, stop_run, e), ERR_OK);
	sim_node_remove(env);
}

static void
teardown(void)
{
	stop(&a);
	stop(&b);
	sim_free(w);
}

#endif
