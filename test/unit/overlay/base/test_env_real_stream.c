/*
 * Streams and local sockets of the real environment, on loopback. Tests run as tasks; callbacks
 * wake their waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "test/unit/overlay/base/real_env.h"
#include "test/unit/suite.h"

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

/* Connected TCP sockets of this process that are not paced, whatever the machine's default. */
static size_t
unpaced(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 64; fd++) {
		struct sockaddr_storage peer;
		char name[16] = "";
		socklen_t len = sizeof(name) - 1, peer_len = sizeof(peer);

		n += getpeername(fd, (struct sockaddr *)&peer, &peer_len) == 0 &&
		     getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &len) == 0 &&
		     strcmp(name, "reno") == 0;
	}
	return n;
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
	ck_assert_uint_eq(unpaced(), path == NULL ? 2 : 0); /* both ends */
	conn_close(conn);
	free(data);
}

static int
echo_body(void *arg)
{
	struct server s;
	struct addr local;
	struct conn *conn;

	ck_assert_int_eq(serve(&s, arg, NULL), ERR_OK);
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
	in_task_at(echo_body, &any_port4);
}
END_TEST

START_TEST(echo_over_ipv6)
{
	in_task_at(echo_body, &any_port6);
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

int
main(void)
{
	Suite *s = suite_create("overlay/base/env_real_stream");
	TCase *tc = tcase_create("streams");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, echo_over_ipv4);
	tcase_add_test(tc, echo_over_ipv6);
	tcase_add_test(tc, refused_is_told_by_read_and_write);
	tcase_add_test(tc, closing_inside_callbacks);
	tcase_add_test(tc, no_descriptors_pause_accepting);
	tcase_add_test(tc, no_descriptors_no_env);
	tcase_add_test(tc, local_sockets_are_private_and_survive_a_crash);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
