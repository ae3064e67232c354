/*
 * Tests of tasks: each has a manual environment with room for 64 tasks and four works, and a group.
 * Included once by a test program.
 */
#ifndef TEST_UNIT_OVERLAY_BASE_TASK_CASE_H
#define TEST_UNIT_OVERLAY_BASE_TASK_CASE_H

#include <check.h>

#include "overlay/base/task.h"
#include "test/unit/overlay/base/manual_env.h"

static struct manual_env *m;
static struct env *env;
static struct task_group group;

static void
setup(void)
{
	m = manual_env_new(64, true, 4);
	env = &m->env;
	task_group_init(&group, env);
}

static void
teardown(void)
{
	ck_assert_uint_eq(tasks_live(env->tasks), 0);
	manual_env_free(m);
}

/* Spawns fn(arg) as the only task, and runs to the end. */
static void
run(int (*fn)(void *arg), void *arg)
{
	ck_assert_int_eq(task_spawn(&group, "test", fn, arg), ERR_OK);
	manual_env_run(m);
	ck_assert_uint_eq(task_group_live(&group), 0);
}

static int
count_up(void *arg)
{
	ck_assert(task_inside(env));
	++*(int *)arg;
	return ERR_OK;
}

struct sleeper {
	uint64_t delay;
	int result;
};

static int
sleep_child(void *arg)
{
	struct sleeper *s = arg;

	s->result = task_sleep(env, s->delay);
	return s->result;
}

#endif
