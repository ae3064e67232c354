/*
 * A small HTTP server on the real environment's loop, for what machines on this host read at their
 * own pace (metrics): GET and HEAD, answered at once, one answer for each connection. Not for
 * users' data and not for strangers. By libevent's evhttp; nothing else of ours sees it.
 *
 * Limits: a request of HTTP_REQUEST_MAX and a body of HTTP_BODY_MAX that nobody reads,
 * HTTP_CONNECTIONS_MAX at a time (more wait in the kernel's queue), HTTP_PATIENCE for one from
 * beginning to end.
 */
#ifndef OVERLAY_BASE_ENV_REAL_HTTP_H
#define OVERLAY_BASE_ENV_REAL_HTTP_H

#include "overlay/base/buf.h"
#include "overlay/base/env.h"

#define HTTP_REQUEST_MAX KIB(4) /* a scraper's headers are some hundred bytes */
#define HTTP_BODY_MAX                                                                              \
	KIB(1) /* of requests that are wrong anyway: read, so that they are told why */
#define HTTP_REPLY_MAX       MIB(1)
#define HTTP_CONNECTIONS_MAX 16 /* two scrapers and some people */
#define HTTP_PATIENCE        SECONDS(10)

struct http_server;

struct http_request {
	const char *path; /* decoded, without what follows '?' */
	const char *host; /* of the Host header, without the port; "": there was none */
};
struct http_opts {
	struct env *env;  /* a real one */
	struct addr addr; /* port 0: any */
	const char *content_type;
	uint64_t patience; /* 0: HTTP_PATIENCE; shorter in tests */
	/* On the loop: fills body and gives 200, or a status such as 404 with nothing. */
	int (*get)(void *arg, const struct http_request *req, struct buf *body);
	void *arg;
};
/* Listens from here on; answers as soon as the loop runs. ERR_EXISTS: the port is taken;
 * ERR_PERMISSION. gives */
int http_open(const struct http_opts *opts, struct http_server **out);
void http_local(const struct http_server *s, struct addr *out);
void http_close(struct http_server *s); /* not from get(). NULL is accepted */

#endif
