/*
 * The adapter of libmicrohttpd ("the library" below). Its epoll descriptor is watched by the loop,
 * and its next time-out is a timer; both lead to run(), the only place where it works.
 *
 * A request goes through these steps. on_target(): the raw target, the first sign of it.
 * on_access() with the headers: they are copied (a task may outlive its connection), checked, a
 * task is spawned, and the connection is suspended. Whenever the task needs something of the
 * connection it resumes it, the library calls on_access() again, and that does what is next: lets
 * the body in, takes some of it, queues the answer; then it suspends the connection again, until
 * the task says more. The body of an answer is pulled by on_pull() from what web_reply_write()
 * lends. on_completed() comes in any case; a request is freed when both its task and the library
 * have let go of it.
 *
 * An answer to a body that has not been read: when the client waits for our word it never sends it;
 * else up to WEB_DISCARD_MAX are read and dropped, because a connection that is closed on unread
 * bytes is reset, and the client would not see the answer.
 */
#include "gateway/web.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/web_private.h"
#include "overlay/base/env_real.h"

#define SWEEP_INTERVAL SECONDS(1)

/* ---- the library's turn ---- */

static void
run(void *arg)
{
	struct web_server *s = arg;
	MHD_UNSIGNED_LONG_LONG ms;

	(void)MHD_run(s->daemon); /* its own errors are of single connections, and told there */
	if (MHD_get_timeout(s->daemon, &ms) == MHD_YES)
		timer_start(&s->timer, MILLISECONDS(ms));
	else
		timer_stop(&s->timer);
}

void
web_run_soon(struct web_server *s)
{
	timer_start(&s->timer, 0);
}

/* ---- connections ---- */

static void
on_connection(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;
	struct web_server *s = arg;
	struct web_connection *c = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			return; /* this one has the library's time-out alone */
		*c = (struct web_connection){ .next = s->connections,
			.connection = connection,
			.since = env_now(s->opts.env) };
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info != NULL)
			env_real_unpace_local(info->connect_fd);
		if (c->next != NULL)
			c->next->prev = c;
		s->connections = c;
		*context = c;
		if (!timer_armed(&s->sweep))
			timer_start(&s->sweep, SWEEP_INTERVAL);
	} else if (c != NULL) {
		if (c->prev != NULL)
			c->prev->next = c->next;
		else
			s->connections = c->next;
		if (c->next != NULL)
			c->next->prev = c->prev;
		free(c);
		*context = NULL;
	}
}

/* The library's time-out is renewed by each byte: who sends one a second would stay for ever. */
static void
sweep(void *arg)
{
	struct web_server *s = arg;
	uint64_t now = env_now(s->opts.env);

	for (struct web_connection *c = s->connections; c != NULL; c = c->next) {
		const union MHD_ConnectionInfo *info;

		if (c->since == 0 || now - c->since < s->opts.header_timeout)
			continue;
		info = MHD_get_connection_info(c->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info != NULL)
			(void)shutdown(info->connect_fd, SHUT_RDWR); /* seen as its end */
	}
	if (s->connections != NULL)
		timer_start(&s->sweep, SWEEP_INTERVAL);
}

/* ---- open and close ---- */

static void __attribute__((format(printf, 2, 0))) on_log(void *arg, const char *format, va_list ap)
{
	struct web_server *s = arg;
	char line[256];

	(void)vsnprintf(line, sizeof(line), format, ap);
	line[strcspn(line, "\r\n")] = '\0';
	log_debug(s->opts.env, "http: %s", line);
}

static void
to_sockaddr(const struct addr *a, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (a->family == ADDR_IPV6) {
		struct sockaddr_in6 *in = (void *)out;

		in->sin6_family = AF_INET6;
		memcpy(&in->sin6_addr, a->ip, 16);
		in->sin6_port = htons(a->port);
	} else {
		struct sockaddr_in *in = (void *)out;

		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, a->ip, 4);
		in->sin_port = htons(a->port);
	}
}

static int
daemon_open(struct web_server *s)
{
	const struct web_opts *o = &s->opts;
	struct sockaddr_storage sa;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)o->tls_certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->tls_key },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;

	to_sockaddr(&o->addr, &sa);
	if (o->addr.family == ADDR_IPV6)
		flags |= MHD_USE_IPv6;
	if (o->tls_certificate != NULL)
		flags |= MHD_USE_TLS;
	else
		tls[0].option = MHD_OPTION_END;
	errno = 0;
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, web_on_access, s,
	    MHD_OPTION_EXTERNAL_LOGGER, on_log, s, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&sa,
	    MHD_OPTION_URI_LOG_CALLBACK, web_on_target, s, MHD_OPTION_NOTIFY_COMPLETED,
	    web_on_completed, s, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)WEB_CONNECTION_MEMORY,
	    MHD_OPTION_CONNECTION_LIMIT, o->connections_max, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
	    o->connections_per_ip, MHD_OPTION_CONNECTION_TIMEOUT,
	    (unsigned)(WEB_IDLE_TIMEOUT / SECONDS(1)), MHD_OPTION_STRICT_FOR_CLIENT, 1,
	    MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	if (s->daemon != NULL)
		return ERR_OK;
	if (errno == EADDRINUSE)
		return ERR_EXISTS;
	return errno != 0 ? err_from_errno(errno) : ERR_INVALID;
}

int
web_open(const struct web_opts *opts, struct web_server **out)
{
	struct web_server *s = calloc(1, sizeof(*s));
	const union MHD_DaemonInfo *info;
	int err;

	if (s == NULL)
		return ERR_NOMEM;
	s->opts = *opts;
	if (s->opts.connections_max == 0)
		s->opts.connections_max = WEB_CONNECTIONS_MAX;
	if (s->opts.connections_per_ip == 0)
		s->opts.connections_per_ip = WEB_CONNECTIONS_PER_IP;
	if (s->opts.header_timeout == 0)
		s->opts.header_timeout = WEB_HEADER_TIMEOUT;
	timer_init(&s->timer, opts->env, run, s);
	timer_init(&s->sweep, opts->env, sweep, s);
	task_group_init(&s->group, opts->env);
	err = daemon_open(s);
	if (err != ERR_OK) {
		free(s);
		return err;
	}
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	err = info == NULL ? ERR_IO : env_real_watch(opts->env, info->listen_fd, run, s, &s->watch);
	if (err != ERR_OK) {
		MHD_stop_daemon(s->daemon);
		free(s);
		return err;
	}
	s->local = opts->addr;
	info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
	if (info != NULL)
		s->local.port = info->port;
	*out = s;
	return ERR_OK;
}

void
web_local(const struct web_server *s, struct addr *out)
{
	*out = s->local;
}

size_t
web_requests(const struct web_server *s)
{
	return s->requests;
}

SUSPENDS void
web_close(struct web_server *s, uint64_t patience)
{
	struct wait empty;
	MHD_socket listening;

	if (s == NULL)
		return;
	listening = MHD_quiesce_daemon(s->daemon);
	if (listening != MHD_INVALID_SOCKET)
		(void)close(listening);
	wait_init(&empty);
	s->empty = &empty;
	if (s->requests > 0)
		(void)wait_for(s->opts.env, &empty, patience);
	s->empty = NULL;
	task_group_fini(&s->group);
	/* The library must not be stopped while it holds connections for us. */
	s->stopping = true;
	for (struct web_connection *c = s->connections; c != NULL; c = c->next) {
		if (c->request != NULL)
			web_resume(c->request);
	}
	(void)MHD_run(s->daemon);
	env_real_unwatch(s->watch);
	MHD_stop_daemon(s->daemon);
	timer_stop(&s->timer);
	timer_stop(&s->sweep);
	must(s->requests == 0);
	free(s);
}

const char *
web_version(void)
{
	return MHD_get_version();
}
