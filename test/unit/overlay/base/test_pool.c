/* Buffers on the manual environment: alignment, the limit, waiting in line, reuse. */
#include <check.h>
#include <stdlib.h>

#include "overlay/base/pool.h"
#include "test/unit/overlay/base/manual_env.h"
#include "test/unit/suite.h"

static struct manual_env *m;
static struct pool *pool;
static struct task_group group;

static void
setup(void)
{
	m = manual_env_new(64, true, 4);
	pool = pool_new(&m->env, 5000, 2);
	ck_assert_ptr_nonnull(pool);
	task_group_init(&group, &m->env);
}

static void
teardown(void)
{
	pool_free(pool);
	manual_env_free(m);
}

START_TEST(buffers_are_aligned_reused_and_limited)
{
	uint8_t *a = pool_try_get(pool), *b = pool_try_get(pool);

	ck_assert_uint_eq(pool_buffer_bytes(pool), 5000);
	ck_assert(a != NULL && b != NULL && a != b);
	ck_assert_uint_eq((uintptr_t)a % DISK_ALIGN, 0);
	ck_assert_uint_eq((uintptr_t)b % DISK_ALIGN, 0);
	memset(a, 1, 5000);
	memset(b, 2, 5000);
	ck_assert_ptr_null(pool_try_get(pool));
	ck_assert_uint_eq(pool_in_use(pool), 2);
	pool_put(pool, b);
	ck_assert_ptr_eq(pool_try_get(pool), b);
	pool_put(pool, a);
	pool_put(pool, b);
	pool_put(pool, NULL);
	ck_assert_uint_eq(pool_in_use(pool), 0);
	pool_free(NULL);
}
END_TEST

struct user {
	char **log;
	char letter;
	int result;
};

static int
use(void *arg)
{
	struct user *u = arg;
	uint8_t *buffer;

	u->result = pool_get(pool, &buffer);
	if (u->result != ERR_OK)
		return u->result;
	memset(buffer, u->letter, 5000);
	*(*u->log)++ = u->letter;
	ck_assert_int_eq(task_sleep(&m->env, MILLISECONDS(1)), ERR_OK);
	for (size_t i = 0; i < 5000; i++)
		ck_assert_int_eq(buffer[i], u->letter);
	pool_put(pool, buffer);
	return ERR_OK;
}

START_TEST(tasks_wait_in_line)
{
	char log[16] = "", *end = log;
	struct user users[6];
	struct task_group given_up;

	task_group_init(&given_up, &m->env);
	for (size_t i = 0; i < 6; i++) {
		users[i] = (struct user){ .log = &end, .letter = (char)('a' + i), .result = 1 };
		ck_assert_int_eq(
		    task_spawn(i == 3 ? &given_up : &group, "use", use, &users[i]), ERR_OK);
	}
	ck_assert(manual_env_turn(m));
	ck_assert_uint_eq(pool_in_use(pool), 2);
	task_group_cancel(&given_up);
	manual_env_run(m);
	ck_assert_str_eq(log, "abcef");
	ck_assert_int_eq(users[3].result, ERR_CANCELED);
	ck_assert_uint_eq(pool_in_use(pool), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/pool");
	TCase *tc = tcase_create("pool");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, buffers_are_aligned_reused_and_limited);
	tcase_add_test(tc, tasks_wait_in_line);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
