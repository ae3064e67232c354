/*
 * The real environment on loopback: time, timers, workers, signals, datagrams,
 * streams and local sockets. Tests run as tasks; callbacks wake their waits.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "overlay/base/env_real.h"
#include "overlay/base/task.h"
#include "test/unit/suite.h"

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
	ck_assert_int_eq(env_real_run(env, udp_body, (void *)(uintptr_t)&any_port4), ERR_OK);
}
END_TEST

/* ---- streams ---- */

/* A connection as a task sees it. */
struct stream {
	struct conn *conn;
	struct wait ready;
};

static void
on_stream(void *arg, bool readable, bool writable)
{
	struct stream *s = arg;

	ck_assert(readable || writable);
	conn_want(s->conn, false, false);
	wait_wake(&s->ready, ERR_OK);
}

static void
stream_on(struct stream *s, struct conn *conn)
{
	s->conn = conn;
	wait_init(&s->ready);
	conn_set_handler(conn, &(struct conn_handler){ .ready = on_stream, .arg = s });
}

SUSPENDS static int64_t
stream_read(struct stream *s, void *dst, size_t len)
{
	for (;;) {
		int64_t n = conn_read(s->conn, dst, len);
		int err;

		if (n != 0)
			return n;
		wait_init(&s->ready);
		conn_want(s->conn, true, false);
		err = wait_for(env, &s->ready, PATIENCE);
		if (err != ERR_OK)
			return err;
	}
}

SUSPENDS static int
stream_write(struct stream *s, const uint8_t *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t half = (len - done) / 2;
		struct bytes parts[3] = { bytes_of(data + done, half), bytes_of(NULL, 0),
			bytes_of(data + done + half, len - done - half) };
		int64_t n = conn_write(s->conn, parts, 3);
		int err;

		if (n < 0)
			return (int)n;
		done += (size_t)n;
		if (n > 0)
			continue;
		wait_init(&s->ready);
		conn_want(s->conn, false, true);
		err = wait_for(env, &s->ready, PATIENCE);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

/* A server that sends everything back, a task for each connection. */
struct server {
	struct listener *listener;
	struct addr at;
	struct task_group group;
	size_t accepted;
	struct wait first;
	bool close_conn, close_listener;
};

static int
echo_task(void *arg)
{
	static const size_t chunk = 64 * 1024;
	uint8_t *data = malloc(chunk);
	struct stream s;
	int64_t n;

	ck_assert_ptr_nonnull(data);
	stream_on(&s, arg);
	while ((n = stream_read(&s, data, chunk)) > 0) {
		if (stream_write(&s, data, (size_t)n) != ERR_OK)
			break;
	}
	ck_assert_int_eq(n, ERR_CLOSED);
	conn_close(s.conn);
	free(data);
	return ERR_OK;
}

static void
on_accept(void *arg, struct conn *conn, const struct addr *from)
{
	struct server *s = arg;

	ck_assert_int_eq(from->family, s->at.family);
	s->accepted++;
	wait_wake(&s->first, ERR_OK);
	if (s->close_listener) {
		listener_close(s->listener);
		s->listener = NULL;
	}
	if (s->close_conn || task_spawn(&s->group, "echo", echo_task, conn) != ERR_OK) {
		conn_close(conn);
		return;
	}
	/* the task sets its own before anything can come */
	conn_set_handler(conn, &(struct conn_handler){ .ready = on_stream });
}

static int
serve(struct server *s, const struct addr *at, const char *path)
{
	struct listen_opts opts = { .path = path, .accepted = on_accept, .arg = s };
	int err;

	*s = (struct server){ .listener = NULL };
	if (at != NULL)
		opts.bind = *at;
	wait_init(&s->first);
	task_group_init(&s->group, env);
	err = env_listen(env, &opts, &s->listener);
	if (err == ERR_OK)
		listener_local(s->listener, &s->at);
	return err;
}

/* 3 MB there and back, written and read at once. */
#define ECHO_BYTES 3000001

static uint8_t
pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

static void
pour(struct stream *s, const uint8_t *data)
{
	uint8_t *back = malloc(ECHO_BYTES);
	size_t sent = 0, got = 0;

	ck_assert_ptr_nonnull(back);
	while (got < ECHO_BYTES) {
		struct bytes rest = bytes_of(data + sent, ECHO_BYTES - sent);
		int64_t out = rest.len > 0 ? conn_write(s->conn, &rest, 1) : 0;
		int64_t in = conn_read(s->conn, back + got, ECHO_BYTES - got);

		ck_assert(out >= 0 && in >= 0);
		sent += (size_t)out;
		got += (size_t)in;
		if (out > 0 || in > 0)
			continue;
		wait_init(&s->ready);
		conn_want(s->conn, true, sent < ECHO_BYTES);
		ck_assert_int_eq(wait_for(env, &s->ready, PATIENCE), ERR_OK);
	}
	ck_assert_mem_eq(back, data, ECHO_BYTES);
	free(back);
}

static void
echo_once(const struct addr *at, const char *path)
{
	uint8_t *data = malloc(ECHO_BYTES);
	struct stream s;
	struct conn *conn;

	ck_assert_ptr_nonnull(data);
	for (size_t i = 0; i < ECHO_BYTES; i++)
		data[i] = pattern(i);
	ck_assert_int_eq(env_connect(env, at, path, &conn), ERR_OK);
	stream_on(&s, conn);
	ck_assert_int_eq(wait_for(env, &s.ready, PATIENCE), ERR_OK);
	pour(&s, data);
	conn_close(conn);
	free(data);
}

static int
echo_body(void *arg)
{
	struct server s;
	struct addr local;
	struct conn *conn;
	int err = serve(&s, arg, NULL);

	if (err != ERR_OK)
		return err;
	echo_once(&s.at, NULL);
	echo_once(&s.at, NULL);
	ck_assert_int_eq(env_connect(env, &s.at, NULL, &conn), ERR_OK);
	conn_local(conn, &local);
	ck_assert_int_eq(local.family, s.at.family);
	ck_assert_uint_ne(local.port, s.at.port);
	conn_close(conn);
	listener_close(s.listener);
	ck_assert_int_eq(task_group_wait(&s.group, 0), ERR_OK);
	task_group_fini(&s.group);
	return ERR_OK;
}

START_TEST(echo_over_ipv4)
{
	ck_assert_int_eq(env_real_run(env, echo_body, (void *)(uintptr_t)&any_port4), ERR_OK);
}
END_TEST

START_TEST(both_over_ipv6)
{
	int err = env_real_run(env, echo_body, (void *)(uintptr_t)&any_port6);

	/* a machine without IPv6 cannot bind ::1 */
	if (err == ERR_UNSUPPORTED || err == ERR_IO)
		return;
	ck_assert_int_eq(err, ERR_OK);
	ck_assert_int_eq(env_real_run(env, udp_body, (void *)(uintptr_t)&any_port6), ERR_OK);
}
END_TEST

static int
refused_body(void *arg)
{
	struct server s;
	struct stream out;
	struct conn *conn;
	char byte;

	(void)arg;
	ck_assert_int_eq(serve(&s, &any_port4, NULL), ERR_OK);
	listener_close(s.listener);
	ck_assert_int_eq(env_connect(env, &s.at, NULL, &conn), ERR_OK);
	stream_on(&out, conn);
	ck_assert_int_eq(conn_read(conn, &byte, 1), 0);
	ck_assert_int_eq(wait_for(env, &out.ready, PATIENCE), ERR_OK);
	ck_assert_int_eq(conn_read(conn, &byte, 1), ERR_REFUSED);
	ck_assert_int_eq(
	    conn_write(conn, &(struct bytes){ (const uint8_t *)"x", 1 }, 1), ERR_REFUSED);
	conn_close(conn);
	return ERR_OK;
}

START_TEST(refused_is_told_by_read_and_write)
{
	in_task(refused_body);
}
END_TEST

/* The server closes connection and listener in the callback that brought them. */
static int
closing_body(void *arg)
{
	struct server s;
	struct stream out;
	struct conn *conn;
	uint8_t byte;

	(void)arg;
	ck_assert_int_eq(serve(&s, &any_port4, NULL), ERR_OK);
	s.close_conn = s.close_listener = true;
	ck_assert_int_eq(env_connect(env, &s.at, NULL, &conn), ERR_OK);
	stream_on(&out, conn);
	ck_assert_int_eq(wait_for(env, &out.ready, PATIENCE), ERR_OK);
	ck_assert_int_eq(stream_read(&out, &byte, 1), ERR_CLOSED);
	ck_assert_uint_eq(s.accepted, 1);
	ck_assert_ptr_null(s.listener);
	for (int i = 0; i < 100; i++) { /* no SIGPIPE, sooner or later an error */
		int err = stream_write(&out, (const uint8_t *)"x", 1);

		if (err == ERR_OK)
			ck_assert_int_eq(task_sleep(env, MILLISECONDS(1)), ERR_OK);
		else
			i = 100;
		ck_assert(err == ERR_OK || err == ERR_CLOSED);
	}
	conn_close(conn);
	return ERR_OK;
}

START_TEST(closing_inside_callbacks)
{
	in_task(closing_body);
}
END_TEST

/* Without descriptors accepting pauses, does not spin, and goes on when there are some. */
static int
descriptors_body(void *arg)
{
	struct rlimit old, few;
	struct server s;
	struct conn *conn, *second;
	struct stream out, other;
	uint64_t cpu;
	int top;

	(void)arg;
	ck_assert_int_eq(serve(&s, &any_port4, NULL), ERR_OK);
	s.close_conn = true;
	ck_assert_int_eq(env_connect(env, &s.at, NULL, &conn), ERR_OK);
	stream_on(&out, conn);
	top = dup(0);
	ck_assert_int_ge(top, 0);
	close(top);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = (rlim_t)top;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	cpu = (uint64_t)clock();
	ck_assert_int_eq(wait_for(env, &s.first, MILLISECONDS(150)), ERR_TIMEOUT);
	ck_assert_uint_lt((uint64_t)clock() - cpu, CLOCKS_PER_SEC / 10);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	/* one more, since valgrind takes the first from the queue before it says no */
	ck_assert_int_eq(env_connect(env, &s.at, NULL, &second), ERR_OK);
	stream_on(&other, second);
	ck_assert_int_eq(wait_for(env, &s.first, PATIENCE), ERR_OK);
	conn_close(second);
	conn_close(conn);
	listener_close(s.listener);
	return ERR_OK;
}

START_TEST(no_descriptors_pause_accepting)
{
	in_task(descriptors_body);
}
END_TEST

/* The limit that leaves this many descriptors (at most 8) free. */
static struct rlimit
room_for(size_t count)
{
	struct rlimit limit;
	int fds[8], last = 0;

	for (size_t i = 0; i < count; i++) {
		fds[i] = dup(0);
		ck_assert_int_ge(fds[i], 0);
		last = MAX(last, fds[i]);
	}
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = (rlim_t)last + 1;
	return limit;
}

/*
 * A new env gives everything back when one part is missing. The first three descriptors are
 * those of libevent, which ends the process itself when it cannot have them.
 */
START_TEST(no_descriptors_no_env)
{
	struct rlimit old, few, before = room_for(1), after;
	struct env *other = NULL;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = room_for(3);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
	ck_assert_int_eq(
	    env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &other), ERR_FULL);
	ck_assert_ptr_null(other);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
	ck_assert_int_eq(env_real_new(&(struct env_real_opts){ .cpu_threads = 1 }, &other), ERR_OK);
	env_real_free(other);
	after = room_for(1);
	ck_assert_uint_eq(before.rlim_cur, after.rlim_cur);
}
END_TEST

/* ---- local sockets ---- */

static char dir[64];

/* A socket that a crashed process left behind. */
static void
leave_dead_socket(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_uint_lt(strlen(path), sizeof(un.sun_path));
	strcpy(un.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&un, sizeof(un)), 0);
	close(fd);
	ck_assert_int_eq(access(path, F_OK), 0);
}

static int
local_body(void *arg)
{
	char path[128], lock[160], longer[200];
	struct server s, other;
	struct conn *conn;
	struct stat st;

	(void)arg;
	snprintf(path, sizeof(path), "%s/admin", dir);
	snprintf(lock, sizeof(lock), "%s.lock", path);
	leave_dead_socket(path);
	ck_assert_int_eq(serve(&s, NULL, path), ERR_OK);
	ck_assert_int_eq(s.at.family, ADDR_NONE);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	echo_once(NULL, path);
	ck_assert_int_eq(serve(&other, NULL, path), ERR_BUSY);
	ck_assert_int_eq(unlink(lock), 0); /* without it, too, a living one is found */
	ck_assert_int_eq(serve(&other, NULL, path), ERR_BUSY);
	echo_once(NULL, path);
	listener_close(s.listener);
	ck_assert_int_eq(task_group_wait(&s.group, 0), ERR_OK);
	task_group_fini(&s.group);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(env_connect(env, NULL, path, &conn), ERR_NOT_FOUND);

	/* somebody's file is left alone */
	close(open(path, O_CREAT | O_WRONLY, 0600));
	ck_assert_int_eq(serve(&s, NULL, path), ERR_EXISTS);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(unlink(lock), 0);
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	ck_assert_int_eq(serve(&s, NULL, longer), ERR_TOO_BIG);
	return ERR_OK;
}

START_TEST(local_sockets_are_private_and_survive_a_crash)
{
	snprintf(dir, sizeof(dir), "/tmp/skerry-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	in_task(local_body);
	ck_assert_int_eq(rmdir(dir), 0);
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
END_TEST

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
	tcase_add_test(tc, echo_over_ipv4);
	tcase_add_test(tc, both_over_ipv6);
	tcase_add_test(tc, refused_is_told_by_read_and_write);
	tcase_add_test(tc, closing_inside_callbacks);
	tcase_add_test(tc, no_descriptors_pause_accepting);
	tcase_add_test(tc, no_descriptors_no_env);
	tcase_add_test(tc, local_sockets_are_private_and_survive_a_crash);
	tcase_add_test(tc, names_become_addresses);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
