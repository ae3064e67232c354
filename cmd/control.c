/*
 * Server: each connection reads until a newline, is answered once and closed when the answer is
 * out, its time is over, or it breaks. Client: the same from the other side, as a task.
 *
 * A socket's name has 107 characters at most, so in a directory with a longer one it is reached
 * through a descriptor of that directory.
 */
#include "cmd/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "cmd/dirs.h"

/* The socket's name as the kernel takes it. */
struct socket_path {
	char text[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int dir; /* -1: not needed */
};

/* The environment puts ".lock" behind the name, which may be longer. */
static int
path_open(const char *dir, struct socket_path *out)
{
	int n = snprintf(out->text, sizeof(out->text), "%s/%s", dir, DIRS_SOCKET);

	out->dir = -1;
	if (n >= 0 && (size_t)n < sizeof(out->text))
		return ERR_OK;
	out->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->dir < 0)
		return err_from_errno(errno);
	(void)snprintf(out->text, sizeof(out->text), "/proc/self/fd/%d/%s", out->dir, DIRS_SOCKET);
	return ERR_OK;
}

static void
path_close(struct socket_path *p)
{
	if (p->dir >= 0)
		(void)close(p->dir);
	p->dir = -1;
}

/* ---- server ---- */

struct connection {
	struct control *control; /* NULL: free */
	struct conn *conn;
	struct timer timer;
	struct buf request, reply;
	size_t sent;
};

struct control {
	struct env *env;
	struct listener *listener;
	struct socket_path path;
	struct json_value *(*answer)(
	    void *arg, const char *command, const struct json_value *request);
	void *arg;
	struct connection connections[CONTROL_CONNECTIONS_MAX];
};

static void
connection_end(struct connection *c)
{
	timer_stop(&c->timer);
	conn_close(c->conn);
	buf_fini(&c->request);
	buf_fini(&c->reply);
	c->control = NULL;
}

static void
on_timeout(void *arg)
{
	connection_end(arg);
}

/* What was asked, answered into c->reply. */
static int
answer(struct connection *c, size_t line_bytes)
{
	struct json_value *request = NULL, *reply = NULL;
	const char *command = NULL;
	int err = json_parse((const char *)c->request.data, line_bytes, &request);

	if (err == ERR_OK)
		command = json_text(request, "command");
	if (command != NULL)
		reply = c->control->answer(c->control->arg, command, request);
	if (reply == NULL) {
		reply = json_make_object();
		json_put_text(
		    reply, "error", command == NULL ? "malformed request" : "unknown command");
	}
	err = json_print(reply, &c->reply);
	if (err == ERR_OK)
		err = buf_append(&c->reply, "\n", 1);
	json_free(reply);
	json_free(request);
	return err;
}

static int
receive(struct connection *c)
{
	uint8_t in[256];
	int64_t n = conn_read(c->conn, in, sizeof(in));
	const uint8_t *end;
	int err;

	if (n <= 0)
		return (int)n;
	err = buf_append(&c->request, in, (size_t)n);
	if (err != ERR_OK)
		return err;
	end = memchr(c->request.data, '\n', c->request.len);
	return end == NULL ? ERR_OK : answer(c, (size_t)(end - c->request.data));
}

static void
on_ready(void *arg, bool readable, bool writable)
{
	struct connection *c = arg;
	int err = ERR_OK;

	(void)writable;
	if (readable && c->reply.len == 0)
		err = receive(c);
	if (err == ERR_OK && c->sent < c->reply.len) {
		struct bytes rest = bytes_of(c->reply.data + c->sent, c->reply.len - c->sent);
		int64_t n = conn_write(c->conn, &rest, 1);

		if (n < 0)
			err = (int)n;
		else
			c->sent += (size_t)n;
	}
	if (err != ERR_OK || (c->reply.len > 0 && c->sent == c->reply.len)) {
		connection_end(c);
		return;
	}
	conn_want(c->conn, c->reply.len == 0, c->reply.len > 0);
}

static void
on_accepted(void *arg, struct conn *conn, const struct addr *from)
{
	struct connection *c = NULL;
	struct control *control = arg;

	(void)from;
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX && c == NULL; i++) {
		if (control->connections[i].control == NULL)
			c = &control->connections[i];
	}
	if (c == NULL) {
		conn_close(conn);
		return;
	}
	*c = (struct connection){ .control = control, .conn = conn };
	buf_init(&c->request, CONTROL_REQUEST_MAX);
	buf_init(&c->reply, CONTROL_REPLY_MAX);
	timer_init(&c->timer, control->env, on_timeout, c);
	timer_start(&c->timer, CONTROL_TIMEOUT);
	conn_set_handler(conn, &(struct conn_handler){ on_ready, c });
	conn_want(conn, true, false);
}

int
control_open(const struct control_opts *opts, struct control **out)
{
	struct control *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return ERR_NOMEM;
	c->env = opts->env;
	c->answer = opts->answer;
	c->arg = opts->arg;
	err = path_open(opts->dir, &c->path);
	if (err == ERR_OK) {
		struct listen_opts listen = {
			.path = c->path.text, .accepted = on_accepted, .arg = c
		};

		err = env_listen(opts->env, &listen, &c->listener);
	}
	if (err != ERR_OK) {
		path_close(&c->path);
		free(c);
		return err;
	}
	*out = c;
	return ERR_OK;
}

void
control_close(struct control *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < CONTROL_CONNECTIONS_MAX; i++) {
		if (c->connections[i].control != NULL)
			connection_end(&c->connections[i]);
	}
	listener_close(c->listener);
	path_close(&c->path);
	free(c);
}

/* ---- client ---- */

struct call {
	struct conn *conn;
	struct wait wait;
	struct bytes request; /* what is still to be sent */
	struct buf reply;
};

static void
on_call_ready(void *arg, bool readable, bool writable)
{
	struct call *c = arg;
	uint8_t in[4096];
	int64_t n = 0;

	(void)readable;
	(void)writable;
	if (c->request.len > 0) {
		n = conn_write(c->conn, &c->request, 1);
		if (n > 0) {
			c->request.data += n;
			c->request.len -= (size_t)n;
		}
	} else {
		n = conn_read(c->conn, in, sizeof(in));
		if (n > 0)
			n = buf_append(&c->reply, in, (size_t)n);
	}
	if (n < 0) {
		conn_want(c->conn, false, false);
		wait_wake(&c->wait, n == ERR_CLOSED && c->request.len == 0 ? ERR_OK : (int)n);
		return;
	}
	conn_want(c->conn, c->request.len == 0, c->request.len > 0);
}

/* A socket that is not there, or that nobody serves any more. */
static int
absent(int err)
{
	return err == ERR_REFUSED || err == ERR_CLOSED ? ERR_NOT_FOUND : err;
}

static SUSPENDS int
exchange(struct env *env, const char *dir, struct call *c)
{
	struct socket_path path;
	int err = path_open(dir, &path);

	if (err != ERR_OK)
		return err;
	err = env_connect(env, NULL, path.text, &c->conn);
	path_close(&path);
	if (err != ERR_OK)
		return absent(err);
	conn_set_handler(c->conn, &(struct conn_handler){ on_call_ready, c });
	conn_want(c->conn, false, true);
	err = absent(wait_for(env, &c->wait, CONTROL_TIMEOUT));
	conn_close(c->conn);
	return err;
}

SUSPENDS int
control_call(struct env *env, const char *dir, const char *command, struct json_value *with,
    struct json_value **reply)
{
	struct json_value *v = NULL;
	struct call c = { 0 };
	struct buf line;
	int err;

	if (with == NULL)
		with = json_make_object();
	json_put_text(with, "command", command);
	buf_init(&line, CONTROL_REQUEST_MAX);
	buf_init(&c.reply, CONTROL_REPLY_MAX);
	wait_init(&c.wait);
	err = json_print(with, &line);
	json_free(with);
	if (err == ERR_OK)
		err = buf_append(&line, "\n", 1);
	c.request = buf_bytes(&line);
	if (err == ERR_OK)
		err = exchange(env, dir, &c);
	if (err == ERR_OK)
		err = json_parse((const char *)c.reply.data, c.reply.len, &v);
	buf_fini(&c.reply);
	buf_fini(&line);
	if (err != ERR_OK)
		return err;
	if (json_text(v, "error") != NULL) {
		json_free(v);
		return ERR_INVALID;
	}
	*reply = v;
	return ERR_OK;
}
