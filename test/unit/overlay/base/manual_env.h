/*
 * The smallest environment that tasks can run on, for their unit tests: a
 * clock that moves only from timer to timer, a kick flag, and worker pools of
 * a chosen size that run one work per turn. No network, no disk.
 */
#ifndef TEST_UNIT_OVERLAY_BASE_MANUAL_ENV_H
#define TEST_UNIT_OVERLAY_BASE_MANUAL_ENV_H

#include "overlay/base/env_ops.h"
#include "overlay/base/timer_heap.h"

struct manual_env {
	struct env env;
	struct env_ops ops;
	struct timer_heap timers;
	uint64_t now;
	bool kicked;
	size_t kicks;
	struct work *queue_head, *queue_tail;
	size_t queued, queue_max;
};

/* Aborts when out of memory. */
struct manual_env *manual_env_new(size_t live_max, bool guard_pages, size_t queue_max);
void manual_env_free(struct manual_env *m);

/* Until nothing is ready, armed or queued. */
void manual_env_run(struct manual_env *m);
/* One turn: tasks, else one work, else the next timer; false when there was nothing to do. */
bool manual_env_turn(struct manual_env *m);

#endif
