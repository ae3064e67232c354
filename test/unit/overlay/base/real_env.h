/*
 * A real environment for each test of a case: a checked fixture, and bodies that run as its main
 * task. Included once by a test program.
 */
#ifndef TEST_UNIT_OVERLAY_BASE_REAL_ENV_H
#define TEST_UNIT_OVERLAY_BASE_REAL_ENV_H

#include <check.h>

#include "overlay/base/env_real.h"
#include "overlay/base/task.h"

#define PATIENCE SECONDS(20) /* for what takes microseconds, on a machine under valgrind */

static struct env *env;

static void
setup(void)
{
	ck_assert_int_eq(env_real_new(&(struct env_real_opts){ .cpu_threads = 2 }, &env), ERR_OK);
}

static void
teardown(void)
{
	env_real_free(env);
}

/* Runs a test's body as the main task. */
static void
in_task(int (*body)(void *arg))
{
	ck_assert_int_eq(env_real_run(env, body, NULL), ERR_OK);
}

static const struct addr any_port4 = { .family = ADDR_IPV4, .ip = { 127, 0, 0, 1 } };
static const struct addr any_port6 = { .family = ADDR_IPV6, .ip = { [15] = 1 } };

/* The same with an address for the body; of IPv6 only where the machine has it and ::1 can be
 * bound. */
static void
in_task_at(int (*body)(void *arg), const struct addr *at)
{
	struct listener *listener;
	struct addr local = *at;
	int err = env_listen(env, &(struct listen_opts){ .bind = local }, &listener);

	if (at->family == ADDR_IPV6 && (err == ERR_UNSUPPORTED || err == ERR_IO))
		return;
	ck_assert_int_eq(err, ERR_OK);
	listener_close(listener);
	ck_assert_int_eq(env_real_run(env, body, &local), ERR_OK);
}

#endif
