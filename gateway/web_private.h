/*
 * What the files of the HTTP server know of each other: web.c has the daemon and its connections,
 * web_serve.c what the library asks of a request, web_request.c what a request's task asks,
 * web_headers.c what is checked before. Nobody else includes this.
 */
#ifndef GATEWAY_WEB_PRIVATE_H
#define GATEWAY_WEB_PRIVATE_H

#include <microhttpd.h>

#include "gateway/web.h"

enum stage {
	STAGE_TARGET,  /* no headers yet */
	STAGE_HEADERS, /* the task runs, the body is not let in */
	STAGE_BODY,    /* … is let in */
	STAGE_ENDED,   /* … has been read */
	STAGE_QUEUED,  /* the answer is the library's */
};

struct web_buffer {
	uint8_t *data;
	size_t len, cap;
};

struct web_connection { /* since when a header is awaited; 0: a request is under way */
	struct web_connection *prev, *next;
	struct MHD_Connection *connection;
	struct web_request *request; /* under way; NULL */
	uint64_t since;
};

struct web_request {
	struct web_server *server;
	struct web_connection *place;
	struct MHD_Connection *connection; /* NULL: the library has let go */
	enum stage stage;
	bool suspended, task_live, discarding;
	bool wants_body; /* the task waits for some, or for its end */
	char *arena;     /* target, method, headers */
	const char *target, *method, *problem;
	struct web_header headers[WEB_HEADERS_COUNT_MAX];
	size_t headers_count;
	uint64_t body_length, body_seen;
	bool expects;
	struct addr peer;
	struct web_buffer filling, reading; /* the library's, the task's */
	struct wait *waiting;               /* the task, for the connection */
	struct MHD_Response *response;
	unsigned status;
	struct bytes offer; /* what web_reply_write() lends, less what was taken */
	bool head_only, body_done, body_broken;
};

struct web_server {
	struct web_opts opts;
	struct MHD_Daemon *daemon;
	struct env_real_watch *watch;
	struct timer timer; /* the library's next time-out, or "run it soon" */
	struct timer sweep;
	struct task_group group;
	struct web_connection *connections;
	struct addr local;
	size_t requests;
	uint64_t buffered; /* bytes in body buffers */
	bool stopping;
	struct wait *empty;
};

/* ---- web.c ---- */
void web_run_soon(struct web_server *s);

/* ---- web_headers.c ---- */
/* Copies and checks the headers; what is wrong goes to r->problem. */
void web_headers_read(struct web_request *r, const char *method);

/* ---- web_serve.c: what the library calls ---- */
void *web_on_target(void *arg, const char *target, struct MHD_Connection *connection);
enum MHD_Result web_on_access(void *arg, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *upload, size_t *upload_len,
    void **con_cls);
void web_on_completed(void *arg, struct MHD_Connection *connection, void **con_cls,
    enum MHD_RequestTerminationCode why);
ssize_t web_on_pull(void *arg, uint64_t pos, char *out, size_t max);

/* ---- web_request.c ---- */
/* Has the library ask again, soon. */
void web_resume(struct web_request *r);

#endif
