/*
 * evhttp parses and writes; what it has no limits for is counted here. It asks us for the stream
 * of each new connection (bufferevent), of which we keep a reference. When evhttp has let go of a
 * stream, its callbacks are gone: a timer that runs while there are connections finds those, and
 * cuts off those whose time is over. While all places are taken the listener stands still.
 */
#include "overlay/base/env_real_http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "overlay/base/env_real_private.h"
#include "overlay/base/err.h"

#define LISTEN_BACKLOG 16
#define SWEEP_INTERVAL MILLISECONDS(200)

struct place {
	struct bufferevent *stream; /* NULL: free */
	uint64_t since;
};

struct http_server {
	struct http_opts opts;
	struct real_env *real;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct addr local;
	struct timer sweep;
	struct place places[HTTP_CONNECTIONS_MAX];
	size_t taken;
};

/* ---- connections ---- */

/* evhttp has done with it. */
static bool
let_go(const struct place *p)
{
	bufferevent_event_cb on_event = NULL;

	bufferevent_getcb(p->stream, NULL, NULL, &on_event, NULL);
	return on_event == NULL;
}

static void
give_back(struct http_server *s, struct place *p)
{
	(void)bufferevent_decref(p->stream); /* the last one: closes the descriptor */
	p->stream = NULL;
	s->taken--;
	(void)evconnlistener_enable(s->listener);
}

static void
sweep_fire(void *arg)
{
	struct http_server *s = arg;
	uint64_t now = env_now(s->opts.env);

	for (size_t i = 0; i < ARRAY_LEN(s->places); i++) {
		struct place *p = &s->places[i];

		if (p->stream == NULL)
			continue;
		if (let_go(p))
			give_back(s, p);
		else if (now - p->since >= s->opts.patience)
			(void)shutdown(
			    bufferevent_getfd(p->stream), SHUT_RDWR); /* seen as its end */
	}
	if (s->taken > 0)
		timer_start(&s->sweep, SWEEP_INTERVAL);
}

/* Of a connection that was just accepted. NULL: evhttp makes one itself, which has its time-out. */
static struct bufferevent *
stream_for(struct event_base *base, void *arg)
{
	struct http_server *s = arg;
	struct place *p = s->places;

	real_refresh_time(s->real);
	while (p < s->places + ARRAY_LEN(s->places) && p->stream != NULL)
		p++;
	must(p < s->places + ARRAY_LEN(s->places)); /* the listener stood still */
	p->stream = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (p->stream == NULL)
		return NULL;
	bufferevent_incref(p->stream);
	p->since = env_now(s->opts.env);
	s->taken++;
	if (s->taken == ARRAY_LEN(s->places))
		(void)evconnlistener_disable(s->listener);
	if (!timer_armed(&s->sweep))
		timer_start(&s->sweep, SWEEP_INTERVAL);
	return p->stream;
}

/* ---- requests ---- */

static void
header(struct evhttp_request *r, const char *name, const char *value)
{
	/* A header that finds no memory is left out; the answer is one without it. */
	(void)evhttp_add_header(evhttp_request_get_output_headers(r), name, value);
}

static void
refuse(struct evhttp_request *r, int status)
{
	/* Not evhttp_send_error(), which drops the headers. */
	header(r, "Connection", "close");
	if (status == HTTP_BADMETHOD)
		header(r, "Allow", "GET, HEAD");
	evhttp_send_reply(r, status, NULL, NULL);
}

static int
ask(struct http_server *s, struct evhttp_request *r, struct buf *body)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r);
	const char *raw = uri == NULL ? NULL : evhttp_uri_get_path(uri);
	const char *host = evhttp_request_get_host(r);
	char *path = raw == NULL ? NULL : evhttp_uridecode(raw, 0, NULL);
	struct http_request req = { .path = path, .host = host == NULL ? "" : host };
	int status = path == NULL ? HTTP_BADREQUEST : s->opts.get(s->opts.arg, &req, body);

	free(path);
	return status;
}

static void
answer(struct evhttp_request *r, struct buf *body, const char *content_type, bool head)
{
	struct evbuffer *out = evbuffer_new();
	char length[24];

	if (out == NULL || (!head && evbuffer_add(out, body->data, body->len) != 0)) {
		refuse(r, HTTP_INTERNAL);
	} else {
		(void)snprintf(length, sizeof(length), "%zu", body->len);
		header(r, "Content-Type", content_type);
		header(r, "Content-Length", length);
		header(r, "Cache-Control", "no-store");
		header(r, "Connection", "close");
		evhttp_send_reply(r, HTTP_OK, "OK", out);
	}
	if (out != NULL)
		evbuffer_free(out);
}

static void
on_request(struct evhttp_request *r, void *arg)
{
	struct http_server *s = arg;
	enum evhttp_cmd_type command = evhttp_request_get_command(r);
	struct buf body;
	int status;

	real_refresh_time(s->real);
	if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD) {
		refuse(r, HTTP_BADMETHOD);
		return;
	}
	buf_init(&body, HTTP_REPLY_MAX);
	status = ask(s, r, &body);
	if (status == HTTP_OK)
		answer(r, &body, s->opts.content_type, command == EVHTTP_REQ_HEAD);
	else
		refuse(r, status);
	buf_fini(&body);
}

/* ---- assembly ---- */

static int
listen_on(struct http_server *s)
{
	int fd, err = addr_bind(&s->opts.addr, SOCK_STREAM, &fd);

	if (err != ERR_OK)
		return err;
	if (listen(fd, LISTEN_BACKLOG) != 0) {
		err = err_from_errno(errno);
		(void)close(fd);
		return err;
	}
	addr_of_socket(fd, &s->local);
	s->listener = evconnlistener_new(
	    s->real->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (s->listener == NULL) {
		(void)close(fd);
		return ERR_NOMEM;
	}
	/* evhttp owns the listener from here on, and frees it. */
	if (evhttp_bind_listener(s->http, s->listener) == NULL) {
		evconnlistener_free(s->listener);
		return ERR_NOMEM;
	}
	return ERR_OK;
}

int
http_open(const struct http_opts *opts, struct http_server **out)
{
	struct http_server *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL)
		return ERR_NOMEM;
	s->opts = *opts;
	if (s->opts.patience == 0)
		s->opts.patience = HTTP_PATIENCE;
	s->real = real_of(opts->env);
	timer_init(&s->sweep, opts->env, sweep_fire, s);
	s->http = evhttp_new(s->real->base);
	if (s->http == NULL) {
		free(s);
		return ERR_NOMEM;
	}
	evhttp_set_max_headers_size(s->http, HTTP_REQUEST_MAX);
	evhttp_set_max_body_size(s->http, HTTP_BODY_MAX);
	evhttp_set_timeout(s->http, HTTP_PATIENCE / SECONDS(1));
	/* All that it knows are let through, so that the wrong ones are told what is right. */
	evhttp_set_allowed_methods(s->http, UINT16_MAX);
	evhttp_set_gencb(s->http, on_request, s);
	evhttp_set_bevcb(s->http, stream_for, s);
	err = listen_on(s);
	if (err != ERR_OK) {
		evhttp_free(s->http);
		free(s);
		return err;
	}
	s->real->handles++;
	*out = s;
	return ERR_OK;
}

void
http_local(const struct http_server *s, struct addr *out)
{
	*out = s->local;
}

void
http_close(struct http_server *s)
{
	if (s == NULL)
		return;
	timer_stop(&s->sweep);
	evhttp_free(s->http);
	for (size_t i = 0; i < ARRAY_LEN(s->places); i++) {
		if (s->places[i].stream != NULL)
			(void)bufferevent_decref(s->places[i].stream);
	}
	s->real->handles--;
	free(s);
}
