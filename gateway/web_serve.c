/*
 * What libmicrohttpd asks of a request, step by step; web.c tells how the steps follow one another.
 */
#include <stdlib.h>

#include "gateway/web_private.h"

static void
suspend(struct web_request *r)
{
	must(!r->suspended);
	r->suspended = true;
	MHD_suspend_connection(r->connection);
}

static void
wake(struct web_request *r, int err)
{
	if (r->waiting != NULL)
		wait_wake(r->waiting, err);
}

/* ---- buffers of bodies ---- */

static bool
buffer_need(struct web_request *r, struct web_buffer *b)
{
	struct web_server *s = r->server;
	size_t cap = s->buffered > WEB_BODY_BUDGET ? WEB_BODY_BUFFER_SMALL : WEB_BODY_BUFFER;

	if (b->data != NULL)
		return true;
	if (r->body_length != UINT64_MAX)
		cap = MIN(cap, r->body_length);
	b->data = malloc(MAX(cap, 1));
	if (b->data == NULL)
		return false;
	b->cap = cap;
	b->len = 0;
	s->buffered += cap;
	return true;
}

static void
buffer_free(struct web_request *r, struct web_buffer *b)
{
	if (b->data != NULL)
		r->server->buffered -= b->cap;
	free(b->data);
	*b = (struct web_buffer){ NULL };
}

/* ---- life of a request ---- */

static struct web_connection *
place_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info == NULL ? NULL : info->socket_context;
}

static void
request_free(struct web_request *r)
{
	struct web_server *s = r->server;

	buffer_free(r, &r->filling);
	buffer_free(r, &r->reading);
	if (r->response != NULL)
		MHD_destroy_response(r->response);
	free(r->arena);
	free(r);
	s->requests--;
	if (s->requests == 0 && s->empty != NULL)
		wait_wake(s->empty, ERR_OK);
}

void *
web_on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
	struct web_server *s = arg;
	struct web_connection *place = place_of(connection);
	size_t len = strnlen(target, WEB_HEADERS_MAX);
	struct web_request *r;

	if (place == NULL)
		return NULL;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->arena = malloc(WEB_HEADERS_MAX + 1);
	if (r->arena == NULL) {
		free(r);
		return NULL;
	}
	r->server = s;
	r->place = place;
	place->request = r;
	memcpy(r->arena, target, len);
	r->arena[len] = '\0';
	r->target = r->arena;
	s->requests++;
	return r;
}

void
web_on_completed(void *arg, struct MHD_Connection *connection, void **con_cls,
    enum MHD_RequestTerminationCode why)
{
	struct web_request *r = *con_cls;

	(void)arg;
	(void)connection;
	(void)why;
	if (r == NULL)
		return;
	r->place->since = env_now(r->server->opts.env);
	r->place->request = NULL;
	*con_cls = NULL;
	r->connection = NULL;
	wake(r, ERR_CLOSED);
	if (!r->task_live)
		request_free(r);
}

static int
task_main(void *arg)
{
	struct web_request *r = arg;
	struct web_server *s = r->server;

	s->opts.serve(s->opts.arg, r);
	if (!web_replied(r))
		(void)web_reply(
		    r, &(struct web_reply){ .status = 500, .close = true }, bytes_of(NULL, 0));
	else if (!r->body_done)
		web_reply_end(r, false);
	r->task_live = false;
	if (r->connection == NULL)
		request_free(r);
	return ERR_OK;
}

/* False: the connection ends at once. */
static bool
begin(struct web_request *r, struct MHD_Connection *connection, const char *method)
{
	r->connection = connection;
	web_headers_read(r, method);
	if (task_spawn(&r->server->group, "request", task_main, r) != ERR_OK)
		return false;
	r->task_live = true;
	return true;
}

/* ---- steps ---- */

static enum MHD_Result
queue_answer(struct web_request *r)
{
	r->stage = STAGE_QUEUED;
	return MHD_queue_response(r->connection, r->status, r->response);
}

/* The headers are there, and the task has said something or not yet. */
static enum MHD_Result
at_headers(struct web_request *r)
{
	if (r->body_length == 0 || r->wants_body) {
		r->stage = STAGE_BODY; /* the library goes on, and asks for a body's end, too */
		return MHD_YES;
	}
	if (r->response != NULL) {
		bool drop = !r->expects && r->problem == NULL && r->body_length <= WEB_DISCARD_MAX;

		if (!drop)
			return queue_answer(r);
		r->discarding = true;
		r->stage = STAGE_BODY;
		return MHD_YES;
	}
	suspend(r);
	return MHD_YES;
}

static enum MHD_Result
take_body(struct web_request *r, const char *data, size_t *len)
{
	struct web_buffer *b = &r->filling;
	size_t n;

	if (r->response != NULL)
		r->discarding = true;
	if (r->discarding) {
		r->body_seen += *len;
		*len = 0;
		return r->body_seen <= WEB_DISCARD_MAX ? MHD_YES : MHD_NO;
	}
	if (!buffer_need(r, b))
		return MHD_NO;
	n = MIN(*len, b->cap - b->len);
	memcpy(b->data + b->len, data, n);
	b->len += n;
	*len -= n;
	/* Whole buffers: a client that dawdles holds one, and nothing of what stands behind. */
	if (r->wants_body && b->len == b->cap)
		wake(r, ERR_OK);
	/* Full: until the task has taken it. */
	if (*len > 0 || b->len == b->cap)
		suspend(r);
	return MHD_YES;
}

static enum MHD_Result
at_end(struct web_request *r)
{
	if (r->stage == STAGE_BODY) {
		r->stage = STAGE_ENDED;
		if (r->wants_body)
			wake(r, ERR_OK);
	}
	if (r->response != NULL)
		return queue_answer(r);
	suspend(r);
	return MHD_YES;
}

enum MHD_Result
web_on_access(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_len, void **con_cls)
{
	struct web_request *r = *con_cls;

	(void)arg;
	(void)url;
	(void)version;
	if (r == NULL || r->server->stopping)
		return MHD_NO;
	if (r->stage == STAGE_TARGET) {
		r->place->since = 0;
		r->stage = STAGE_HEADERS;
		if (!begin(r, connection, method))
			return MHD_NO;
	}
	if (r->stage == STAGE_HEADERS)
		return at_headers(r);
	if (*upload_len > 0)
		return take_body(r, upload, upload_len);
	return at_end(r);
}

/* The library pulls some of an answer's body. */
ssize_t
web_on_pull(void *arg, uint64_t pos, char *out, size_t max)
{
	struct web_request *r = arg;
	size_t n = MIN(max, r->offer.len);

	(void)pos;
	if (n > 0) {
		memcpy(out, r->offer.data, n);
		r->offer = bytes_of(r->offer.data + n, r->offer.len - n);
		if (r->offer.len == 0)
			wake(r, ERR_OK);
		return (ssize_t)n;
	}
	if (r->body_broken || r->server->stopping)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (r->body_done)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!r->suspended)
		suspend(r);
	return 0;
}
