/*
 * Tasks on the manual environment: spawning, waits, deadlines, cancellation, groups, semaphores.
 */
#include <stdlib.h>

#include "test/unit/overlay/base/task_case.h"
#include "test/unit/suite.h"

/* ---- spawning ---- */

START_TEST(spawn_runs_later_and_once)
{
	int count = 0;

	ck_assert_int_eq(task_spawn(&group, "count", count_up, &count), ERR_OK);
	ck_assert_int_eq(count, 0);
	ck_assert_uint_eq(tasks_live(env->tasks), 1);
	manual_env_run(m);
	ck_assert_int_eq(count, 1);
	ck_assert(!task_inside(env));
}
END_TEST

START_TEST(spawn_beyond_the_cap_is_busy)
{
	int count = 0;

	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(task_spawn(&group, "count", count_up, &count), ERR_OK);
	ck_assert_int_eq(task_spawn(&group, "count", count_up, &count), ERR_BUSY);
	ck_assert_uint_eq(m->kicks, 1);
	manual_env_run(m);
	ck_assert_int_eq(count, 64);
	ck_assert_int_eq(task_spawn(&group, "count", count_up, &count), ERR_OK);
	manual_env_run(m);
}
END_TEST

struct sum {
	struct wait *go;
	unsigned expect;
	unsigned got;
};

/* Keeps its state on its own stack across suspensions. */
static int
sum_after_go(void *arg)
{
	struct sum *s = arg;
	volatile unsigned local[64];

	for (unsigned i = 0; i < 64; i++)
		local[i] = s->expect + i;
	ck_assert_int_eq(task_yield(env), ERR_OK);
	ck_assert_int_eq(task_sleep(env, MILLISECONDS(s->expect % 7)), ERR_OK);
	for (unsigned i = 0; i < 64; i++)
		s->got += local[i];
	return ERR_OK;
}

START_TEST(thousands_of_tasks_keep_their_stacks)
{
	enum { COUNT = 3000 };
	static struct sum sums[COUNT];
	struct manual_env *big = manual_env_new(COUNT, _i == 0, 4);
	struct task_group g;

	env = &big->env; /* for sum_after_go */
	task_group_init(&g, env);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < COUNT; i++) {
			sums[i] = (struct sum){ .expect = i };
			ck_assert_int_eq(task_spawn(&g, "sum", sum_after_go, &sums[i]), ERR_OK);
		}
		ck_assert_int_eq(task_spawn(&g, "sum", sum_after_go, &sums[0]), ERR_BUSY);
		manual_env_run(big);
		for (unsigned i = 0; i < COUNT; i++)
			ck_assert_uint_eq(sums[i].got, 64 * i + 63 * 32);
	}
	env = &m->env;
	manual_env_free(big);
}
END_TEST

/* ---- waits ---- */

struct waiting {
	struct wait w;
	uint64_t timeout;
	int result;
	uint64_t ended;
};

static int
wait_once(void *arg)
{
	struct waiting *w = arg;

	w->result = wait_for(env, &w->w, w->timeout);
	w->ended = env_now(env);
	return w->result;
}

START_TEST(wait_gets_the_first_result)
{
	struct waiting w = { .result = 1 };

	wait_init(&w.w);
	ck_assert_int_eq(task_spawn(&group, "wait", wait_once, &w), ERR_OK);
	manual_env_run(m);
	ck_assert_int_eq(w.result, 1);
	wait_wake(&w.w, ERR_CORRUPT);
	wait_wake(&w.w, ERR_OK);
	manual_env_run(m);
	ck_assert_int_eq(w.result, ERR_CORRUPT);
}
END_TEST

START_TEST(wait_woken_before_does_not_suspend)
{
	struct waiting w = { .result = 1 };

	wait_init(&w.w);
	wait_wake(&w.w, ERR_FULL);
	run(wait_once, &w);
	ck_assert_int_eq(w.result, ERR_FULL);
}
END_TEST

START_TEST(wait_times_out)
{
	struct waiting w = { .timeout = MILLISECONDS(20) };
	uint64_t start = m->now;

	wait_init(&w.w);
	run(wait_once, &w);
	ck_assert_int_eq(w.result, ERR_TIMEOUT);
	ck_assert_uint_eq(w.ended, start + MILLISECONDS(20));
	wait_wake(&w.w, ERR_OK); /* late: nobody is there */
}
END_TEST

/* The wait's own time, or the deadline of the task that waits. */
static int
wait_by_deadline(void *arg)
{
	uint64_t start = env_now(env), own = start + MILLISECONDS(20), old;
	struct wait w;
	int err;

	wait_init(&w);
	err = wait_for(env, &w, own - start);
	ck_assert(wait_time_came(env, err, own));
	old = task_deadline(env, own + MILLISECONDS(10));
	own += MILLISECONDS(30);
	err = wait_for(env, &w, own - env_now(env));
	ck_assert_int_eq(err, ERR_TIMEOUT);
	ck_assert(!wait_time_came(env, err, own));
	task_deadline_restore(env, old);
	wait_wake(&w, ERR_CORRUPT);
	err = wait_for(env, &w, 1);
	ck_assert(!wait_time_came(env, err, start));
	++*(int *)arg;
	return ERR_OK;
}

START_TEST(whose_time_came)
{
	int done = 0;

	run(wait_by_deadline, &done);
	ck_assert_int_eq(done, 1);
}
END_TEST

START_TEST(cancel_ends_a_wait)
{
	struct waiting w = { .timeout = MILLISECONDS(20) };
	uint64_t start = m->now;

	wait_init(&w.w);
	ck_assert_int_eq(task_spawn(&group, "wait", wait_once, &w), ERR_OK);
	ck_assert(manual_env_turn(m));
	task_group_cancel(&group);
	manual_env_run(m);
	ck_assert_int_eq(w.result, ERR_CANCELED);
	ck_assert_uint_eq(w.ended, start);
	ck_assert_int_eq(task_spawn(&group, "wait", wait_once, &w), ERR_CANCELED);
}
END_TEST

START_TEST(result_wins_over_cancel)
{
	struct waiting w = { .timeout = 0 };

	wait_init(&w.w);
	ck_assert_int_eq(task_spawn(&group, "wait", wait_once, &w), ERR_OK);
	ck_assert(manual_env_turn(m));
	wait_wake(&w.w, ERR_END);
	task_group_cancel(&group);
	manual_env_run(m);
	ck_assert_int_eq(w.result, ERR_END);
}
END_TEST

/* The other order: the cancellation is under way when the result comes. */
START_TEST(late_result_still_wins)
{
	struct waiting w = { .timeout = 0 };

	wait_init(&w.w);
	ck_assert_int_eq(task_spawn(&group, "wait", wait_once, &w), ERR_OK);
	ck_assert(manual_env_turn(m));
	task_group_cancel(&group);
	wait_wake(&w.w, ERR_END);
	manual_env_run(m);
	ck_assert_int_eq(w.result, ERR_END);
}
END_TEST

static int
everything_canceled(void *arg)
{
	struct semaphore s;
	struct wait w;

	wait_init(&w);
	semaphore_init(&s, 1);
	ck_assert_int_eq(wait_for(env, &w, 0), ERR_CANCELED);
	ck_assert(task_canceled(env));
	ck_assert_int_eq(wait_for(env, &w, SECONDS(1)), ERR_CANCELED);
	ck_assert_int_eq(task_yield(env), ERR_CANCELED);
	ck_assert_int_eq(task_sleep(env, 1), ERR_CANCELED);
	ck_assert_int_eq(semaphore_acquire(env, &s), ERR_CANCELED);
	++*(int *)arg;
	return ERR_CANCELED;
}

START_TEST(cancel_is_sticky)
{
	int done = 0;

	ck_assert_int_eq(task_spawn(&group, "canceled", everything_canceled, &done), ERR_OK);
	ck_assert(manual_env_turn(m));
	task_group_cancel(&group);
	manual_env_run(m);
	ck_assert_int_eq(done, 1);
}
END_TEST

START_TEST(cancel_before_the_first_run)
{
	int done = 0;

	ck_assert_int_eq(task_spawn(&group, "canceled", everything_canceled, &done), ERR_OK);
	task_group_cancel(&group);
	manual_env_run(m);
	ck_assert_int_eq(done, 1);
}
END_TEST

static int
wait_uncancelable(void *arg)
{
	struct waiting *w = arg;

	w->result = wait_always(env, &w->w);
	ck_assert(task_canceled(env));
	return ERR_OK;
}

START_TEST(wait_always_ignores_cancel)
{
	struct waiting w = { .result = 1 };

	wait_init(&w.w);
	ck_assert_int_eq(task_spawn(&group, "always", wait_uncancelable, &w), ERR_OK);
	ck_assert(manual_env_turn(m));
	task_group_cancel(&group);
	manual_env_run(m);
	ck_assert_int_eq(w.result, 1);
	wait_wake(&w.w, ERR_STALE);
	manual_env_run(m);
	ck_assert_int_eq(w.result, ERR_STALE);
}
END_TEST

/* ---- deadlines ---- */

static int
child_of_deadline(void *arg)
{
	struct waiting *w = arg;

	return wait_once(w);
}

static int
deadlines(void *arg)
{
	struct waiting child = { .timeout = SECONDS(9) };
	uint64_t start = env_now(env), old;
	struct task_group g;

	wait_init(&child.w);
	task_group_init(&g, env);
	ck_assert_uint_eq(task_deadline(env, start + MILLISECONDS(50)), 0);
	ck_assert_uint_eq(task_deadline(env, start + SECONDS(5)), start + MILLISECONDS(50));
	ck_assert_int_eq(task_spawn(&g, "child", child_of_deadline, &child), ERR_OK);

	/* tighter for a while */
	old = task_deadline(env, start + MILLISECONDS(10));
	ck_assert_int_eq(task_sleep(env, MILLISECONDS(10)), ERR_OK); /* both at once: slept */
	ck_assert_uint_eq(env_now(env), start + MILLISECONDS(10));
	ck_assert_int_eq(task_sleep(env, MILLISECONDS(1)), ERR_TIMEOUT);
	ck_assert_int_eq(task_yield(env), ERR_TIMEOUT);
	task_deadline_restore(env, old);
	ck_assert_int_eq(task_yield(env), ERR_OK);

	(void)task_group_wait(&g, 0); /* OK or TIMEOUT: both end at once */
	ck_assert_uint_eq(env_now(env), start + MILLISECONDS(50));
	task_group_fini(&g);
	ck_assert_int_eq(child.result, ERR_TIMEOUT); /* inherited, not its own nine seconds */
	ck_assert_uint_eq(child.ended, start + MILLISECONDS(50));
	ck_assert_int_eq(task_sleep(env, MILLISECONDS(1)), ERR_TIMEOUT);
	++*(int *)arg;
	return ERR_OK;
}

START_TEST(deadline_tightens_inherits_and_restores)
{
	int done = 0;

	run(deadlines, &done);
	ck_assert_int_eq(done, 1);
}
END_TEST

/* ---- groups ---- */

static int
first_two_of_five(void *arg)
{
	struct sleeper s[5];
	uint64_t start = env_now(env);
	struct task_group g;

	task_group_init(&g, env);
	for (size_t i = 0; i < 5; i++) {
		s[i] = (struct sleeper){ .delay = MILLISECONDS(10 * (i + 1)), .result = 1 };
		ck_assert_int_eq(task_spawn(&g, "sleeper", sleep_child, &s[i]), ERR_OK);
	}
	ck_assert_int_eq(task_group_wait(&g, 3), ERR_OK);
	ck_assert_uint_eq(env_now(env), start + MILLISECONDS(20));
	ck_assert_int_eq(s[1].result, ERR_OK);
	ck_assert_int_eq(s[2].result, 1);
	task_group_fini(&g);
	ck_assert_uint_eq(env_now(env), start + MILLISECONDS(20));
	for (size_t i = 2; i < 5; i++)
		ck_assert_int_eq(s[i].result, ERR_CANCELED);
	++*(int *)arg;
	return ERR_OK;
}

START_TEST(group_waits_for_the_first_n)
{
	int done = 0;

	run(first_two_of_five, &done);
	ck_assert_int_eq(done, 1);
}
END_TEST

/* A child that needs time for its cleanup after the cancellation. */
static int
slow_to_die(void *arg)
{
	struct waiting *w = arg;

	ck_assert_int_eq(task_sleep(env, SECONDS(100)), ERR_CANCELED);
	ck_assert_int_eq(wait_always(env, &w->w), ERR_OK);
	w->ended = env_now(env);
	return ERR_CANCELED;
}

static void
wake_it(void *arg)
{
	wait_wake(arg, ERR_OK);
}

static int
parent_canceled(void *arg)
{
	struct waiting *w = arg;
	struct task_group g;

	task_group_init(&g, env);
	ck_assert_int_eq(task_spawn(&g, "slow", slow_to_die, w), ERR_OK);
	ck_assert_int_eq(task_group_wait(&g, 0), ERR_CANCELED);
	task_group_fini(&g); /* waits although this task is cancelled too */
	ck_assert_uint_ne(w->ended, 0);
	w->result = ERR_OK;
	return ERR_OK;
}

START_TEST(fini_waits_for_cleanup)
{
	struct waiting w = { .result = 1 };
	struct timer t;

	wait_init(&w.w);
	timer_init(&t, env, wake_it, &w.w);
	timer_start(&t, SECONDS(1));
	ck_assert_int_eq(task_spawn(&group, "parent", parent_canceled, &w), ERR_OK);
	ck_assert(manual_env_turn(m));
	ck_assert(manual_env_turn(m));
	task_group_cancel(&group);
	manual_env_run(m);
	ck_assert_int_eq(w.result, ERR_OK);
}
END_TEST

static void
note_empty(void *arg)
{
	ck_assert(!task_inside(env));
	++*(int *)arg;
}

START_TEST(shutdown_tells_once)
{
	struct sleeper s = { .delay = SECONDS(1) };
	struct task_group *g = malloc(sizeof(*g));
	int empty = 0;

	ck_assert_ptr_nonnull(g);
	task_group_init(g, env);
	ck_assert_int_eq(task_spawn(g, "sleeper", sleep_child, &s), ERR_OK);
	ck_assert(manual_env_turn(m));
	task_group_shutdown(g, note_empty, &empty);
	ck_assert_int_eq(empty, 0);
	manual_env_run(m);
	ck_assert_int_eq(empty, 1);
	ck_assert_int_eq(s.result, ERR_CANCELED);

	task_group_init(g, env);
	task_group_shutdown(g, note_empty, &empty);
	ck_assert_int_eq(empty, 2);
	free(g);
}
END_TEST

/* Frees the group from inside on_empty: nothing may touch it afterwards. */
START_TEST(shutdown_may_free_the_group)
{
	struct sleeper s = { .delay = SECONDS(1) };
	struct task_group *g = malloc(sizeof(*g));

	ck_assert_ptr_nonnull(g);
	task_group_init(g, env);
	ck_assert_int_eq(task_spawn(g, "sleeper", sleep_child, &s), ERR_OK);
	task_group_shutdown(g, free, g);
	manual_env_run(m);
	ck_assert_int_eq(s.result, ERR_CANCELED);
}
END_TEST

/* ---- semaphores ---- */

struct queued {
	struct semaphore *s;
	char *log;
	char name;
	int result;
};

static int
hold_a_while(void *arg)
{
	struct queued *q = arg;
	size_t len = 0;

	q->result = semaphore_acquire(env, q->s);
	if (q->result != ERR_OK)
		return q->result;
	len = strlen(q->log);
	q->log[len] = q->name;
	q->log[len + 1] = '\0';
	(void)task_sleep(env, MILLISECONDS(1));
	semaphore_release(q->s);
	return ERR_OK;
}

START_TEST(semaphore_is_first_come_first_served)
{
	struct queued q[5];
	struct semaphore s;
	struct task_group impatient;
	char log[16] = "";

	semaphore_init(&s, 2);
	task_group_init(&impatient, env);
	for (size_t i = 0; i < 5; i++) {
		q[i] = (struct queued){ .s = &s, .log = log, .name = (char)('a' + i), .result = 1 };
		ck_assert_int_eq(
		    task_spawn(i == 3 ? &impatient : &group, "hold", hold_a_while, &q[i]), ERR_OK);
	}
	ck_assert(manual_env_turn(m));
	ck_assert_str_eq(log, "ab");
	task_group_cancel(&impatient); /* leaves from the middle of the line */
	manual_env_run(m);
	ck_assert_str_eq(log, "abce");
	ck_assert_int_eq(q[3].result, ERR_CANCELED);
	ck_assert_uint_eq(s.free, 2);
	ck_assert_ptr_null(s.head);
	ck_assert_ptr_null(s.tail);
}
END_TEST

/* Handed over and cancelled before it ran: it holds the semaphore and gives it back. */
START_TEST(semaphore_is_not_lost_to_a_cancel)
{
	struct queued q;
	struct semaphore s;
	char log[16] = "";

	semaphore_init(&s, 0);
	q = (struct queued){ .s = &s, .log = log, .name = 'x', .result = 1 };
	ck_assert_int_eq(task_spawn(&group, "hold", hold_a_while, &q), ERR_OK);
	ck_assert(manual_env_turn(m));
	semaphore_release(&s);
	task_group_cancel(&group);
	manual_env_run(m);
	ck_assert_int_eq(q.result, ERR_OK);
	ck_assert_uint_eq(s.free, 1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/task");
	TCase *tc = tcase_create("task");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, spawn_runs_later_and_once);
	tcase_add_test(tc, spawn_beyond_the_cap_is_busy);
	tcase_add_loop_test(tc, thousands_of_tasks_keep_their_stacks, 0, 2);
	tcase_add_test(tc, wait_gets_the_first_result);
	tcase_add_test(tc, wait_woken_before_does_not_suspend);
	tcase_add_test(tc, wait_times_out);
	tcase_add_test(tc, whose_time_came);
	tcase_add_test(tc, cancel_ends_a_wait);
	tcase_add_test(tc, result_wins_over_cancel);
	tcase_add_test(tc, late_result_still_wins);
	tcase_add_test(tc, cancel_is_sticky);
	tcase_add_test(tc, cancel_before_the_first_run);
	tcase_add_test(tc, wait_always_ignores_cancel);
	tcase_add_test(tc, deadline_tightens_inherits_and_restores);
	tcase_add_test(tc, group_waits_for_the_first_n);
	tcase_add_test(tc, fini_waits_for_cleanup);
	tcase_add_test(tc, shutdown_tells_once);
	tcase_add_test(tc, shutdown_may_free_the_group);
	tcase_add_test(tc, semaphore_is_first_come_first_served);
	tcase_add_test(tc, semaphore_is_not_lost_to_a_cancel);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
