/*
 * The real environment on loopback: time, timers, workers, signals, datagrams, names. Tests run as
 * tasks; callbacks wake their waits.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "test/unit/overlay/base/real_env.h"
#include "test/unit/suite.h"

/* ---- time, entropy ---- */

static void
note_time(void *arg)
{
	*(uint64_t *)arg = env_now(env);
}

static int
time_body(void *arg)
{
	uint64_t start = env_now(env), wall = env_wall_ms(env), fired = 0, never = 0;
	struct timer a, b;

	(void)arg;
	ck_assert_uint_ne(start, 0);
	ck_assert_uint_gt(wall, UINT64_C(1600000000000));
	timer_init(&a, env, note_time, &fired);
	timer_init(&b, env, note_time, &never);
	timer_start(&a, MILLISECONDS(15));
	timer_start(&b, MILLISECONDS(5));
	timer_stop(&b);
	timer_stop(&b);
	ck_assert_int_eq(task_sleep(env, MILLISECONDS(30)), ERR_OK);
	ck_assert_uint_ge(env_now(env), start + MILLISECONDS(30));
	ck_assert_uint_lt(env_now(env), start + PATIENCE);
	ck_assert_uint_ge(fired, start + MILLISECONDS(15));
	ck_assert_uint_le(fired, env_now(env));
	ck_assert_uint_eq(never, 0);
	ck_assert_uint_ge(env_wall_ms(env), wall);
	return ERR_OK;
}

START_TEST(timers_fire_in_time)
{
	in_task(time_body);
}
END_TEST

struct restarts {
	struct timer timer;
	int left;
	struct wait done;
};

static void
restart(void *arg)
{
	struct restarts *r = arg;

	if (--r->left > 0)
		timer_start(&r->timer, 0);
	else
		wait_wake(&r->done, ERR_OK);
}

/* A timer that always restarts itself at once must not keep the loop from its other work. */
static int
restart_body(void *arg)
{
	struct restarts r = { .left = 1000 };

	(void)arg;
	wait_init(&r.done);
	timer_init(&r.timer, env, restart, &r);
	timer_start(&r.timer, 0);
	ck_assert_int_eq(task_yield(env), ERR_OK);
	ck_assert_int_gt(r.left, 990);
	return wait_for(env, &r.done, PATIENCE);
}

START_TEST(timers_do_not_starve_tasks)
{
	in_task(restart_body);
}
END_TEST

START_TEST(random_is_in_bounds)
{
	uint8_t a[32], b[32];
	unsigned seen = 0;

	env_random(env, a, sizeof(a));
	env_random(env, b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
	for (int i = 0; i < 1000; i++) {
		uint64_t v = env_random_below(env, 5);

		ck_assert_uint_lt(v, 5);
		seen |= 1u << v;
	}
	ck_assert_uint_eq(seen, 0x1f);
	ck_assert_uint_eq(env_random_below(env, 1), 0);
}
END_TEST

/* ---- workers ---- */

struct job {
	pthread_t loop;
	bool elsewhere;
	int result;
};

static int
job_run(void *arg)
{
	struct job *j = arg;
	sigset_t mask;

	j->elsewhere = pthread_equal(pthread_self(), j->loop) == 0;
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	return sigismember(&mask, SIGTERM) ? ERR_END : ERR_OK;
}

static int
job_task(void *arg)
{
	struct job *j = arg;

	j->result = env_offload(env, WORK_DISK, job_run, j, 0);
	return j->result;
}

/* Four times as many as the queue takes. */
static int
offload_body(void *arg)
{
	enum { COUNT = 4 * WORK_QUEUE_MAX - 1 };
	struct job *jobs = calloc(COUNT, sizeof(*jobs));
	struct task_group g;

	(void)arg;
	ck_assert_ptr_nonnull(jobs);
	task_group_init(&g, env);
	for (size_t i = 0; i < COUNT; i++) {
		jobs[i].loop = pthread_self();
		ck_assert_int_eq(task_spawn(&g, "job", job_task, &jobs[i]), ERR_OK);
	}
	ck_assert_int_eq(task_group_wait(&g, 0), ERR_OK);
	for (size_t i = 0; i < COUNT; i++) {
		ck_assert(jobs[i].elsewhere);
		ck_assert_int_eq(jobs[i].result, ERR_END);
	}
	free(jobs);
	return ERR_OK;
}

START_TEST(workers_take_more_than_their_queue)
{
	in_task(offload_body);
}
END_TEST

struct gate {
	struct work work;
	int fd; /* the worker waits until it can read a byte */
	size_t *done;
};

static void
gate_run(struct work *w)
{
	struct gate *g = container_of(w, struct gate, work);
	char byte;

	while (g->fd >= 0 && read(g->fd, &byte, 1) < 0)
		ck_assert_int_eq(errno, EINTR);
}

static void
gate_done(struct work *w)
{
	++*container_of(w, struct gate, work)->done;
}

START_TEST(full_queue_is_busy_and_free_waits_for_all)
{
	size_t count = 0, done = 0;
	struct gate *gates = calloc(WORK_QUEUE_MAX + 3, sizeof(*gates));
	int fds[2], err = ERR_OK;

	ck_assert_ptr_nonnull(gates);
	ck_assert_int_eq(pipe(fds), 0);
	while (err == ERR_OK) {
		ck_assert_uint_lt(count, WORK_QUEUE_MAX + 3);
		gates[count] = (struct gate){ .work = { .run = gate_run, .done = gate_done },
			.fd = count < 2 ? fds[0] : -1,
			.done = &done };
		err = env_work_submit(env, WORK_CPU, &gates[count].work);
		count += err == ERR_OK ? 1 : 0;
	}
	ck_assert_int_eq(err, ERR_BUSY);
	ck_assert_uint_ge(count, WORK_QUEUE_MAX);
	ck_assert_int_eq(write(fds[1], "ab", 2), 2);
	env_real_free(env); /* what was accepted is run and told */
	ck_assert_uint_eq(done, count);
	close(fds[0]);
	close(fds[1]);
	free(gates);
	setup();
}
END_TEST

/* ---- signals ---- */

struct signaled {
	struct wait wait;
	int signo;
};

static void
on_signal(void *arg, int signo)
{
	struct signaled *s = arg;

	s->signo = signo;
	wait_wake(&s->wait, ERR_OK);
}

static int
signal_body(void *arg)
{
	static struct signaled s; /* outlives the body, as the registration does */

	(void)arg;
	for (int i = 0; i < 2; i++) {
		wait_init(&s.wait);
		s.signo = 0;
		if (i == 0)
			ck_assert_int_eq(env_real_on_signal(env, SIGUSR1, on_signal, &s), ERR_OK);
		ck_assert_int_eq(raise(SIGUSR1), 0);
		ck_assert_int_eq(wait_for(env, &s.wait, PATIENCE), ERR_OK);
		ck_assert_int_eq(s.signo, SIGUSR1);
	}
	for (int i = 1; i < 8; i++)
		ck_assert_int_eq(env_real_on_signal(env, SIGRTMIN + i, on_signal, &s), ERR_OK);
	ck_assert_int_eq(env_real_on_signal(env, SIGUSR2, on_signal, &s), ERR_FULL);
	return ERR_OK;
}

START_TEST(signals_come_on_the_loop)
{
	in_task(signal_body);
}
END_TEST

/* ---- datagrams ---- */

struct inbox {
	struct udp *udp;
	struct wait got;
	size_t count, want;
	uint8_t last[2048];
	size_t last_len;
	struct addr from;
	bool close;
};

static void
on_datagram(void *arg, const struct addr *from, struct bytes data)
{
	struct inbox *in = arg;

	ck_assert(!task_inside(env));
	memcpy(in->last, data.data, data.len);
	in->last_len = data.len;
	in->from = *from;
	if (in->close) {
		udp_close(in->udp);
		in->udp = NULL;
	}
	if (++in->count == in->want)
		wait_wake(&in->got, ERR_OK);
}

static void
open_inbox(struct inbox *in, const struct addr *at, struct addr *local)
{
	struct udp_opts opts = { .bind = *at, .receive = on_datagram, .arg = in };

	*in = (struct inbox){ .want = 1 };
	wait_init(&in->got);
	ck_assert_int_eq(env_udp_open(env, &opts, &in->udp), ERR_OK);
	udp_local(in->udp, local);
	ck_assert_int_eq(local->family, at->family);
	ck_assert_uint_ne(local->port, 0);
}

static int
udp_body(void *arg)
{
	const struct addr *at = arg;
	static uint8_t data[3000] = { 1, 2, 3 };
	struct addr local_a, local_b;
	struct inbox a, b;

	open_inbox(&a, at, &local_a);
	open_inbox(&b, at, &local_b);
	b.want = 101;
	/* more than fits one turn; one too long for anything of ours */
	ck_assert_int_eq(udp_send(a.udp, &local_b, bytes_of(data, sizeof(data))), ERR_OK);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(udp_send(a.udp, &local_b, bytes_of(data, 1200)), ERR_OK);
	ck_assert_int_eq(udp_send(a.udp, &local_b, bytes_of("hello", 5)), ERR_OK);
	ck_assert_int_eq(wait_for(env, &b.got, PATIENCE), ERR_OK);
	ck_assert_uint_eq(b.last_len, 5);
	ck_assert_mem_eq(b.last, "hello", 5);
	ck_assert(addr_equal(&b.from, &local_a));

	/* back, and closed by its receiver with more waiting */
	a.close = true;
	ck_assert_int_eq(udp_send(b.udp, &b.from, bytes_of("1", 1)), ERR_OK);
	ck_assert_int_eq(udp_send(b.udp, &b.from, bytes_of("2", 1)), ERR_OK);
	ck_assert_int_eq(wait_for(env, &a.got, PATIENCE), ERR_OK);
	ck_assert_int_eq(a.last[0], '1');
	ck_assert_ptr_null(a.udp);

	local_a.family = at->family == ADDR_IPV4 ? ADDR_IPV6 : ADDR_IPV4;
	ck_assert_int_eq(udp_send(b.udp, &local_a, bytes_of("3", 1)), ERR_INVALID);
	ck_assert_int_eq(
	    env_udp_open(env,
		&(struct udp_opts){ .bind = local_b, .receive = on_datagram, .arg = &a }, &a.udp),
	    ERR_EXISTS);
	udp_close(b.udp);
	return ERR_OK;
}

START_TEST(datagrams_of_ipv4)
{
	in_task_at(udp_body, &any_port4);
}
END_TEST

START_TEST(datagrams_of_ipv6)
{
	in_task_at(udp_body, &any_port6);
}
END_TEST

/* ---- names and addresses ---- */

START_TEST(names_become_addresses)
{
	struct addr out[8];
	size_t count = 0;

	ck_assert_int_eq(env_resolve(env, "127.0.0.1", 80, out, 8, &count), ERR_OK);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(out[0].family, ADDR_IPV4);
	ck_assert_mem_eq(out[0].ip, any_port4.ip, 16);
	ck_assert_uint_eq(out[0].port, 80);
	ck_assert_int_eq(env_resolve(env, "::1", 81, out, 8, &count), ERR_OK);
	ck_assert_int_eq(out[0].family, ADDR_IPV6);
	ck_assert_mem_eq(out[0].ip, any_port6.ip, 16);
	ck_assert_int_eq(env_resolve(env, "127.0.0.1", 80, out, 0, &count), ERR_NOT_FOUND);
	ck_assert_int_eq(env_local_addrs(env, out, 8, &count), ERR_OK);
	ck_assert_uint_le(count, 8);
	for (size_t i = 0; i < count; i++) {
		ck_assert(out[i].family == ADDR_IPV4 || out[i].family == ADDR_IPV6);
		ck_assert(out[i].family != ADDR_IPV4 || out[i].ip[0] != 127);
		ck_assert_mem_ne(out[i].ip, any_port6.ip, 16);
	}
}

int
main(void)
{
	Suite *s = suite_create("overlay/base/env_real");
	TCase *tc = tcase_create("env");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, timers_fire_in_time);
	tcase_add_test(tc, timers_do_not_starve_tasks);
	tcase_add_test(tc, random_is_in_bounds);
	tcase_add_test(tc, workers_take_more_than_their_queue);
	tcase_add_test(tc, full_queue_is_busy_and_free_waits_for_all);
	tcase_add_test(tc, signals_come_on_the_loop);
	tcase_add_test(tc, datagrams_of_ipv4);
	tcase_add_test(tc, datagrams_of_ipv6);
	tcase_add_test(tc, names_become_addresses);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
