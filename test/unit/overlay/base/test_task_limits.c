/*
 * Where tasks meet a limit: work that is offloaded to full queues, no memory, and what a stack
 * overflow and a broken promise meet.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "overlay/base/task_stack.h"
#include "test/unit/overlay/base/task_case.h"
#include "test/unit/suite.h"

/* ---- offloaded work ---- */

struct job {
	size_t bytes;
	enum work_pool pool;
	int *order;
	int rank;
	int result;
};

static int
job_run(void *arg)
{
	struct job *j = arg;

	j->rank = (*j->order)++;
	return ERR_FULL;
}

static int
job_task(void *arg)
{
	struct job *j = arg;

	j->result = env_offload(env, j->pool, job_run, j, j->bytes);
	return ERR_OK;
}

START_TEST(small_work_runs_inline)
{
	int order = 0;
	struct job j = { .bytes = WORK_INLINE_MAX - 1, .pool = WORK_CPU, .order = &order };

	m->queue_max = 0; /* any submission would hang */
	run(job_task, &j);
	ck_assert_int_eq(j.result, ERR_FULL);
	ck_assert_int_eq(order, 1);
}
END_TEST

START_TEST(full_queue_makes_a_line)
{
	struct job j[20];
	int order = 0;

	for (int i = 0; i < 20; i++) {
		j[i] = (struct job){ .pool = WORK_DISK, .order = &order, .result = 1 };
		ck_assert_int_eq(task_spawn(&group, "job", job_task, &j[i]), ERR_OK);
	}
	ck_assert(manual_env_turn(m));
	ck_assert_uint_eq(m->queued, 4);
	task_group_cancel(&group); /* changes nothing: the answer is always fn's own */
	manual_env_run(m);
	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(j[i].rank, i);
		ck_assert_int_eq(j[i].result, ERR_FULL);
	}
}
END_TEST

START_TEST(queue_full_of_foreign_work_is_asked_again)
{
	int order = 0;
	struct job j = { .bytes = MIB(1), .pool = WORK_CPU, .order = &order };
	uint64_t start = m->now;

	m->queue_max = 0;
	ck_assert_int_eq(task_spawn(&group, "job", job_task, &j), ERR_OK);
	for (int i = 0; i < 5; i++)
		ck_assert(manual_env_turn(m));
	ck_assert_int_eq(order, 0);
	ck_assert_uint_gt(m->now, start);
	m->queue_max = 1;
	manual_env_run(m);
	ck_assert_int_eq(j.result, ERR_FULL);
}
END_TEST

/* ---- no memory ---- */

/* Spawning fails cleanly when no address space is left for stacks, and works again after. */
START_TEST(no_stack_is_no_memory)
{
	struct manual_env *big = manual_env_new(TASKS_MAX, true, 4);
	struct rlimit old, tight;
	struct task_group g;
	int count = 0, spawned = 0, err = ERR_OK;

	env = &big->env;
	task_group_init(&g, env);
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &old), 0);
	tight = old;
	tight.rlim_cur = MIB(256); /* less than the stacks of all would take */
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &tight), 0);
	while (spawned < TASKS_MAX && err == ERR_OK) {
		err = task_spawn(&g, "count", count_up, &count);
		spawned += err == ERR_OK ? 1 : 0;
	}
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &old), 0);
	ck_assert_int_eq(err, ERR_NOMEM);
	ck_assert_uint_eq(task_group_live(&g), (size_t)spawned);
	manual_env_run(big);
	ck_assert_int_eq(count, spawned);
	ck_assert_int_eq(task_spawn(&g, "count", count_up, &count), ERR_OK);
	manual_env_run(big);
	env = &m->env;
	manual_env_free(big);
}
END_TEST

/* ---- broken promises ---- */

START_TEST(suspending_outside_a_task_aborts)
{
	(void)task_sleep(env, 1);
}
END_TEST

/* Writes where the canary of an unguarded stack lies, as an overflow would. */
static int
overrun(void *arg)
{
	uint64_t *bottom = *(uint64_t **)arg;

	*bottom = 0;
	return ERR_OK;
}

START_TEST(canary_finds_an_overrun)
{
	struct task_stacks *stacks = task_stacks_new(false);
	struct fiber *f = task_stacks_get(stacks);

	task_stacks_put(stacks, f);
	env->tasks = tasks_new_shared(env, 1, stacks);
	ck_assert_int_eq(task_spawn(&group, "overrun", overrun, &f->stack), ERR_OK);
	tasks_run(env->tasks);
}
END_TEST

START_TEST(guard_page_stops_an_overrun)
{
	struct task_stacks *stacks = task_stacks_new(true);
	struct fiber *f = task_stacks_get(stacks);

	*((volatile uint8_t *)f->stack) = 1; /* the last byte that may be used */
	*((volatile uint8_t *)f->stack - 1) = 1;
}
END_TEST

START_TEST(schedulers_share_stacks)
{
	struct task_stacks *stacks = task_stacks_new(false);
	struct tasks *own = env->tasks;
	struct sleeper s = { .delay = 1, .result = 1 };

	ck_assert_ptr_nonnull(stacks);
	for (int i = 0; i < 3; i++) {
		env->tasks = tasks_new_shared(env, 2, stacks);
		ck_assert_ptr_nonnull(env->tasks);
		run(sleep_child, &s);
		ck_assert_int_eq(s.result, ERR_OK);
		tasks_free(env->tasks);
	}
	env->tasks = own;
	task_stacks_free(stacks);
}
END_TEST

static void
add_promises(Suite *s)
{
	TCase *tc = tcase_create("promises");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test_raise_signal(tc, suspending_outside_a_task_aborts, SIGABRT);
	tcase_add_test_raise_signal(tc, canary_finds_an_overrun, SIGABRT);
	if (TASK_STACK_BYTES == KIB(128)) { /* AddressSanitizer reports traps, maps terabytes */
		tcase_add_test_raise_signal(tc, guard_page_stops_an_overrun, SIGSEGV);
		tcase_add_test(tc, no_stack_is_no_memory);
	}
	suite_add_tcase(s, tc);
}

int
main(void)
{
	const char *fork_mode = getenv("CK_FORK");
	Suite *s = suite_create("overlay/base/task_limits");
	TCase *tc = tcase_create("limits");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, small_work_runs_inline);
	tcase_add_test(tc, full_queue_makes_a_line);
	tcase_add_test(tc, queue_full_of_foreign_work_is_asked_again);
	tcase_add_test(tc, schedulers_share_stacks);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	if (fork_mode == NULL || strcmp(fork_mode, "no") != 0)
		add_promises(s);
	return suite_main(s);
}
