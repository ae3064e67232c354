/*
 * A request as its task sees it: what it asks for, its body, its answer.
 */
#include <stdlib.h>
#include <strings.h>

#include "gateway/web_private.h"

/* What the library asks of an answer's body at a time, has memory for, and sends at once. Large
 * ones spare a tenth of the CPU time of many reads at once (measured), and are for so many
 * requests. */
#define PULL_LARGE          KIB(256)
#define PULL_LARGE_REQUESTS 128
#define PULL_SMALL          KIB(64)

void
web_resume(struct web_request *r)
{
	if (!r->suspended || r->connection == NULL)
		return;
	r->suspended = false;
	MHD_resume_connection(r->connection);
	web_run_soon(r->server);
}

/* The task waits for what web_serve.c will say. */
static SUSPENDS int
await(struct web_request *r, uint64_t timeout)
{
	struct wait w;
	int err;

	if (r->connection == NULL)
		return ERR_CLOSED;
	wait_init(&w);
	r->waiting = &w;
	web_resume(r);
	err = wait_for(r->server->opts.env, &w, timeout);
	r->waiting = NULL;
	return err;
}

/* ---- the request, for its task ---- */

const char *
web_method(const struct web_request *r)
{
	return r->method;
}

const char *
web_target(const struct web_request *r)
{
	return r->target;
}

const char *
web_header(const struct web_request *r, const char *name)
{
	for (size_t i = 0; i < r->headers_count; i++) {
		if (strcasecmp(r->headers[i].name, name) == 0)
			return r->headers[i].value;
	}
	return NULL;
}

const struct web_header *
web_headers(const struct web_request *r, size_t *count)
{
	*count = r->headers_count;
	return r->headers;
}

void
web_peer(const struct web_request *r, struct addr *out)
{
	*out = r->peer;
}

bool
web_encrypted(const struct web_request *r)
{
	return r->server->opts.tls_certificate != NULL;
}

const char *
web_problem(const struct web_request *r)
{
	return r->problem;
}

uint64_t
web_body_length(const struct web_request *r)
{
	return r->body_length;
}

SUSPENDS int
web_body_read(struct web_request *r, struct bytes *lent)
{
	while (
	    r->filling.len == 0 || (r->filling.len < r->filling.cap && r->stage != STAGE_ENDED)) {
		int err;

		if (r->body_length == 0 || r->stage == STAGE_ENDED)
			return ERR_END;
		r->wants_body = true;
		err = await(r, WEB_BODY_PATIENCE);
		if (err != ERR_OK)
			return err;
	}
	/* Each has the other's buffer from here on. */
	struct web_buffer full = r->filling;

	r->filling = r->reading;
	r->filling.len = 0;
	r->reading = full;
	*lent = bytes_of(full.data, full.len);
	web_resume(r);
	return ERR_OK;
}

/* ---- the answer ---- */

bool
web_replied(const struct web_request *r)
{
	return r->response != NULL || r->connection == NULL;
}

static int
answer(struct web_request *r, const struct web_reply *reply, struct MHD_Response *response)
{
	bool close = reply->close || r->problem != NULL;
	bool ok = response != NULL;

	must(r->response == NULL);
	for (size_t i = 0; ok && i < reply->headers_count; i++) {
		const struct web_header *h = &reply->headers[i];

		/* The library refuses an empty value; readers take a space off. */
		ok = MHD_add_response_header(
			 response, h->name, h->value[0] == '\0' ? " " : h->value) == MHD_YES;
	}
	if (ok && close)
		ok = MHD_add_response_header(response, "Connection", "close") == MHD_YES;
	if (!ok) {
		if (response != NULL)
			MHD_destroy_response(response);
		return ERR_NOMEM;
	}
	r->response = response;
	r->status = reply->status;
	r->wants_body = false;
	web_resume(r);
	return ERR_OK;
}

static struct MHD_Response *
pulled(struct web_request *r, uint64_t length)
{
	size_t most = r->server->requests > PULL_LARGE_REQUESTS ? PULL_SMALL : PULL_LARGE;

	return MHD_create_response_from_callback(length == UINT64_MAX ? MHD_SIZE_UNKNOWN : length,
	    r->head_only ? 1 : MIN(MAX(length, 1), most), web_on_pull, r, NULL);
}

int
web_reply_start(struct web_request *r, const struct web_reply *reply)
{
	if (r->connection == NULL)
		return ERR_CLOSED;
	return answer(r, reply, pulled(r, reply->length));
}

SUSPENDS int
web_reply_write(struct web_request *r, struct bytes lent)
{
	if (r->head_only || lent.len == 0)
		return ERR_OK;
	r->offer = lent;
	while (r->offer.len > 0) {
		int err = await(r, 0);

		if (err != ERR_OK) {
			r->offer.len = 0;
			return err;
		}
	}
	return ERR_OK;
}

void
web_reply_end(struct web_request *r, bool ok)
{
	r->body_done = true;
	r->body_broken = !ok;
	web_resume(r);
}

int
web_reply(struct web_request *r, const struct web_reply *reply, struct bytes body)
{
	int err;

	if (r->connection == NULL)
		return ERR_CLOSED;
	r->body_done = true;
	if (r->head_only)
		return answer(r, reply, pulled(r, reply->length));
	err = answer(r, reply,
	    MHD_create_response_from_buffer(
		body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY));
	return err;
}
