/*
 * Tests of two sessions' ends on the real environment: what a body does between a and b, or to b
 * beside a, an honest peer is served behind it. Included once by a test program.
 */
#ifndef TEST_UNIT_OVERLAY_SESSION_PAIR_H
#define TEST_UNIT_OVERLAY_SESSION_PAIR_H

#include <check.h>

#include "overlay/base/env_real.h"
#include "test/unit/overlay/session_end.h"

static struct env *env;
static struct end a, b;

static const struct addr ip_b = { .family = ADDR_IPV4, .ip = { 127, 0, 2, 2 } };

static int
pair_run(void *arg)
{
	void (*body)(void) = *(void (**)(void))arg;

	end_start(&a, env, 1, NULL);
	end_start(&b, env, 2, &ip_b);
	body();
	/* Whatever happened: an honest peer is served. */
	ck_assert_int_eq(end_send(&a, &b.contact, METHOD_SINK, KIB(100)), ERR_OK);
	end_stop(&a);
	end_stop(&b);
	return ERR_OK;
}

static void
with_pair(void (*body)(void))
{
	ck_assert_int_eq(env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &env), ERR_OK);
	ck_assert_int_eq(env_real_run(env, pair_run, &body), ERR_OK);
	env_real_free(env);
}

#define PAIR_TEST(name)                                                                            \
	static void name##_body(void);                                                             \
	START_TEST(name)                                                                           \
	{                                                                                          \
		with_pair(name##_body);                                                            \
	}                                                                                          \
	END_TEST                                                                                   \
	static void name##_body(void)

#endif
