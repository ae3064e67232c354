/*
 * Simulated workers: work takes a modelled time and runs on the simulation's
 * thread when that has passed, then its owner hears of it. A pool starts a work
 * every (time / threads), so that a burst queues as it would on real threads.
 */
#include "overlay/base/env_real.h"
#include "sim/world.h"

#include <stdlib.h>

#define POOL_THREADS 4 /* like WORK_DISK_THREADS; a common number of cores */

struct work_event {
	struct timer event;
	struct sim_node *node;
	enum work_pool pool;
	struct work *work;
};

static void
work_done(void *arg)
{
	struct work_event e = *(struct work_event *)arg;

	free(arg);
	e.node->works[e.pool]--;
	e.work->done(e.work);
}

/* What it asked of the disk takes the device's time, in which the pool does nothing else. */
static void
charge(struct work_event *e)
{
	struct sim_world *w = e->node->world;
	uint64_t cost = e->pool == WORK_DISK ? sim_disk_take_cost(e->node->disk) : 0;

	e->node->work_start[e->pool] = MAX(e->node->work_start[e->pool], w->now) + cost;
	if (cost == 0) {
		work_done(e);
		return;
	}
	event_init(&e->event, work_done, e);
	world_at(w, &e->event, w->now + cost);
}

static void
work_fire(void *arg)
{
	struct work_event *e = arg;

	world_note(e->node->world, e->node->number);
	e->node->world->events_of[SIM_EVENT_WORK]++;
	e->work->run(e->work);
	charge(e);
}

int
sim_work_submit(struct env *env, enum work_pool pool, struct work *work)
{
	struct sim_node *n = node_of(env);
	struct sim_world *w = n->world;
	uint64_t start = MAX(w->now, n->work_start[pool]);
	struct work_event *e;

	if (n->works[pool] >= WORK_QUEUE_MAX)
		return ERR_BUSY;
	e = malloc(sizeof(*e));
	must(e != NULL);
	e->node = n;
	e->pool = pool;
	e->work = work;
	n->works[pool]++;
	n->work_start[pool] = start + n->work_ns[pool] / POOL_THREADS;
	event_init(&e->event, work_fire, e);
	world_at(w, &e->event, start + n->work_ns[pool]);
	return ERR_OK;
}
