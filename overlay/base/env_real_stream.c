/*
 * Byte streams. A listener takes what waits, at most ACCEPT_TURN_MAX per
 * wake-up; when descriptors run out it stands still for ACCEPT_PAUSE instead
 * of spinning. A connection is a descriptor, a watch and its owner's handler;
 * bytes move only when the owner asks, straight between socket and his buffers.
 * A failed connect is remembered, and every read or write gives it.
 */
#include "overlay/base/env_real_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#define ACCEPT_TURN_MAX 64                /* a flood of strangers must not starve the rest */
#define ACCEPT_PAUSE    MILLISECONDS(200) /* connections end within that; clients retry later */
#define LISTEN_BACKLOG  512               /* twice the half-open handshakes that we allow */
#define WRITE_PARTS_MAX 64                /* more wait for the next call */

struct conn {
	struct env_handle handle; /* first */
	int fd;
	struct watch watch;
	struct conn_handler handler;
	bool connecting;
	bool want_read, want_write;
	int error; /* of connecting */
};

struct listener {
	struct env_handle handle; /* first */
	int fd;
	struct watch watch;
	struct timer resume;
	void (*accepted)(void *arg, struct conn *conn, const struct addr *from);
	void *arg;
	struct local_path local;
	bool *closed; /* set while a turn runs: tells it that the listener has gone */
};

/* ---- connections ---- */

/* The handshake of a connect has ended, one way or the other. */
static void
connect_ended(struct conn *c)
{
	socklen_t len = sizeof(int);
	int n = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &n, &len) != 0)
		n = errno;
	c->connecting = false;
	c->error = err_from_errno(n);
	if (n == 0)
		env_real_unpace_local(c->fd);
	watch_want(&c->watch, c->want_read, c->want_write);
}

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct conn *c = arg;

	must(c->handler.ready != NULL);
	if (c->connecting) {
		connect_ended(c);
		writable = true;
	}
	c->handler.ready(c->handler.arg, readable, writable); /* may close */
}

/* takes fd, and closes it on failure. */
static int
conn_new(struct env *env, int fd, struct conn **out)
{
	struct conn *c = calloc(1, sizeof(*c));
	int err = ERR_NOMEM;

	if (c == NULL)
		goto fail_fd;
	c->handle.env = env;
	c->fd = fd;
	err = watch_open(&c->watch, real_of(env), fd, on_ready, c);
	if (err != ERR_OK)
		goto fail_memory;
	real_of(env)->handles++;
	*out = c;
	return ERR_OK;
fail_memory:
	free(c);
fail_fd:
	(void)close(fd);
	return err;
}

/* Frames are written whole, so waiting for more only costs time. No use for local sockets. */
static void
no_delay(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static bool
is_loopback(const struct sockaddr_storage *sa)
{
	const struct sockaddr_in *in4 = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;

	if (sa->ss_family == AF_INET)
		return ntohl(in4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return sa->ss_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

void
env_real_unpace_local(int fd)
{
	static const char reno[] = "reno"; /* in every kernel, and always allowed */
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getpeername(fd, (struct sockaddr *)&sa, &len) == 0 && is_loopback(&sa))
		(void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, reno, sizeof(reno) - 1);
}

/* Only the address is taken: the port is chosen with the peer's in view, so that one may serve
 * many peers. */
static int
bind_source(int fd, const struct addr *from)
{
	struct addr any_port = *from;
	struct sockaddr_storage sa;
	socklen_t len;
	int one = 1, err;

	any_port.port = 0;
	err = addr_to_sockaddr(&any_port, &sa, &len);
	if (err != ERR_OK)
		return err;
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) != 0 ||
	    bind(fd, (struct sockaddr *)&sa, len) != 0)
		return err_from_errno(errno);
	return ERR_OK;
}

/* takes fd. */
static int
connect_begin(struct env *env, int fd, const struct sockaddr *sa, socklen_t len, struct conn **out)
{
	struct conn *c;
	int n = connect(fd, sa, len), err;

	/* An interrupted connect goes on by itself. */
	if (n != 0 && errno != EINPROGRESS && errno != EINTR) {
		err = err_from_errno(errno);
		(void)close(fd);
		return err;
	}
	err = conn_new(env, fd, &c);
	if (err != ERR_OK)
		return err;
	c->connecting = true; /* even when it is through: ready follows on the loop */
	watch_want(&c->watch, false, true);
	*out = c;
	return ERR_OK;
}

/* from and path may be NULL. */
static int
connect_any(struct env *env, const struct addr *from, const struct addr *to, const char *path,
    struct conn **out)
{
	struct sockaddr_storage sa;
	socklen_t len;
	int fd, err;

	err = path != NULL ? local_sockaddr(path, &sa, &len) : addr_to_sockaddr(to, &sa, &len);
	if (err != ERR_OK)
		return err;
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_from_errno(errno);
	if (path == NULL)
		no_delay(fd);
	if (from != NULL && (err = bind_source(fd, from)) != ERR_OK) {
		(void)close(fd);
		return err;
	}
	return connect_begin(env, fd, (struct sockaddr *)&sa, len, out);
}

int
real_connect(struct env *env, const struct addr *to, const char *path, struct conn **out)
{
	return connect_any(env, NULL, to, path, out);
}

int
real_connect_from(
    struct env *env, const struct addr *from, const struct addr *to, struct conn **out)
{
	return connect_any(env, from, to, NULL, out);
}

void
real_conn_set_handler(struct conn *c, const struct conn_handler *h)
{
	c->handler = *h;
}

void
real_conn_want(struct conn *c, bool read, bool write)
{
	c->want_read = read;
	c->want_write = write;
	if (!c->connecting)
		watch_want(&c->watch, read, write);
}

/* Result of a call that failed with errno n. */
static int64_t
stream_error(int n)
{
	if (n == EAGAIN || n == EINTR)
		return 0;
	return err_from_errno(n);
}

int64_t
real_conn_read(struct conn *c, void *dst, size_t len)
{
	ssize_t n;

	must(len > 0);
	if (c->connecting || c->error != ERR_OK)
		return c->error;
	do
		n = recv(c->fd, dst, len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return stream_error(errno);
	return n == 0 ? ERR_CLOSED : n;
}

int64_t
real_conn_write(struct conn *c, const struct bytes *parts, size_t count)
{
	struct iovec iov[WRITE_PARTS_MAX];
	struct msghdr m = { .msg_iov = iov };
	ssize_t n;

	if (c->connecting || c->error != ERR_OK)
		return c->error;
	for (size_t i = 0; i < count && m.msg_iovlen < WRITE_PARTS_MAX; i++) {
		if (parts[i].len == 0)
			continue;
		iov[m.msg_iovlen].iov_base = (void *)(uintptr_t)parts[i].data;
		iov[m.msg_iovlen++].iov_len = parts[i].len;
	}
	must(m.msg_iovlen > 0); /* nothing to write would look like a full socket */
	do
		n = sendmsg(c->fd, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? stream_error(errno) : n;
}

void
real_conn_local(const struct conn *c, struct addr *out)
{
	addr_of_socket(c->fd, out);
}

void
real_conn_close(struct conn *c)
{
	real_of(c->handle.env)->handles--;
	watch_close(&c->watch);
	(void)close(c->fd);
	free(c);
}

/* ---- listeners ---- */

static void
resume(void *arg)
{
	struct listener *l = arg;

	watch_want(&l->watch, true, false);
}

/* No descriptor or memory for one more: level-triggered, it would be reported for ever. */
static void
pause_accepting(struct listener *l, const char *reason)
{
	log_warn(l->handle.env, "accepting connections pauses: %s", reason);
	watch_want(&l->watch, false, false);
	timer_start(&l->resume, ACCEPT_PAUSE);
}

static void
hand_over(struct listener *l, int fd, const struct sockaddr_storage *sa)
{
	struct conn *c;
	struct addr from;
	int err;

	if (l->local.path == NULL) {
		no_delay(fd);
		env_real_unpace_local(fd);
	}
	err = conn_new(l->handle.env, fd, &c);
	if (err != ERR_OK) {
		pause_accepting(l, err_text(err));
		return;
	}
	addr_from_sockaddr(&from, sa);
	l->accepted(l->arg, c, &from);
}

/* Takes one connection; false when no more wait or accepting pauses. */
static bool
accept_one(struct listener *l)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(sa);
	int fd = accept4(l->fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0) {
		hand_over(l, fd, &sa);
		return true;
	}
	switch (errno) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		pause_accepting(l, strerror(errno));
		return false;
	default:
		return true; /* an error of that one connection (accept(2)): it is gone */
	}
}

static void
on_incoming(void *arg, bool readable, bool writable)
{
	struct listener *l = arg;
	bool closed = false;

	(void)readable;
	(void)writable;
	l->closed = &closed;
	for (size_t i = 0; i < ACCEPT_TURN_MAX; i++) {
		bool more = accept_one(l);

		if (closed)
			return;
		if (!more || timer_armed(&l->resume))
			break;
	}
	l->closed = NULL;
}

int
real_listen(struct env *env, const struct listen_opts *opts, struct listener **out)
{
	struct listener *l = calloc(1, sizeof(*l));
	int err;

	if (l == NULL)
		return ERR_NOMEM;
	l->handle.env = env;
	l->accepted = opts->accepted;
	l->arg = opts->arg;
	timer_init(&l->resume, env, resume, l);
	if (opts->path != NULL)
		err = local_bind(opts->path, &l->local, &l->fd);
	else
		err = addr_bind(&opts->bind, SOCK_STREAM, &l->fd);
	if (err != ERR_OK)
		goto fail_memory;
	if (listen(l->fd, LISTEN_BACKLOG) != 0) {
		err = err_from_errno(errno);
		goto fail_socket;
	}
	err = watch_open(&l->watch, real_of(env), l->fd, on_incoming, l);
	if (err != ERR_OK)
		goto fail_socket;
	watch_want(&l->watch, true, false);
	real_of(env)->handles++;
	*out = l;
	return ERR_OK;
fail_socket:
	(void)close(l->fd);
	local_unbind(&l->local);
fail_memory:
	free(l);
	return err;
}

void
real_listener_local(const struct listener *l, struct addr *out)
{
	addr_of_socket(l->fd, out);
}

void
real_listener_close(struct listener *l)
{
	if (l->closed != NULL)
		*l->closed = true;
	real_of(l->handle.env)->handles--;
	timer_stop(&l->resume);
	watch_close(&l->watch);
	(void)close(l->fd);
	local_unbind(&l->local);
	free(l);
}
