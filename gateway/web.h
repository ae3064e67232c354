/*
 * An HTTP/1.1 server on the real environment's loop: each request is a task that reads its body and
 * writes its answer as it goes, with bounded memory both ways. Knows nothing of S3. By
 * libmicrohttpd; nothing else of ours sees it. Needs an environment of env_real.h.
 *
 *   headers → serve(), a task → web_body_read()… → web_reply() or web_reply_start(), _write()…
 *
 * A client that asks to be told (Expect: 100-continue) sends its body once web_body_read() is
 * called, and not at all when the answer came first. What would let two servers read one request
 * differently (both lengths, some headers twice) comes to serve() with a problem: it is to be
 * refused.
 */
#ifndef GATEWAY_WEB_H
#define GATEWAY_WEB_H

#include "overlay/base/task.h"

#define WEB_CONNECTION_MEMORY  KIB(64) /* measured: larger ones are slower */
#define WEB_HEADERS_MAX        KIB(32) /* target and headers of one request together */
#define WEB_HEADERS_COUNT_MAX  256     /* S3's own names and 2 KiB of users' are far fewer */
#define WEB_CONNECTIONS_MAX    2048    /* 128 MiB of connection memory */
/* From one address, so that one machine alone cannot take all. */
#define WEB_CONNECTIONS_PER_IP 1536
#define WEB_IDLE_TIMEOUT       SECONDS(30) /* nothing moved, while something should */
#define WEB_HEADER_TIMEOUT     SECONDS(30) /* from the first moment to a whole header */
/* For one buffer of a body to fill: 2 KiB a second, less is an attack or of no use. */
#define WEB_BODY_PATIENCE      SECONDS(120)
/* Two for each body under way: one is hashed while the other fills. */
#define WEB_BODY_BUFFER        KIB(256)
/* Of all bodies together: beyond, buffers are WEB_BODY_BUFFER_SMALL. */
#define WEB_BODY_BUDGET        MIB(64)
#define WEB_BODY_BUFFER_SMALL  KIB(16)
/* Of a body that nobody wants any more: beyond, the connection is cut. */
#define WEB_DISCARD_MAX        MIB(8)
/* As many as a request may have brought, to be kept with an object, and ours. */
#define WEB_REPLY_HEADERS_MAX  (WEB_HEADERS_COUNT_MAX + 64)

struct web_server;
struct web_request;

struct web_opts {
	struct env *env;  /* a real one */
	struct addr addr; /* port 0: any */
	/* In a task of its own, for each request; must have answered when it returns. */
	SUSPENDS void (*serve)(void *arg, struct web_request *r);
	void *arg;
	const char *tls_certificate, *tls_key; /* PEM, lent for the server's life; NULL: plain */
	unsigned connections_max, connections_per_ip; /* 0: as above */
	uint64_t header_timeout;                      /* 0: as above; shorter in tests */
};
/* Listens from here on. ERR_EXISTS: the port is taken; ERR_PERMISSION; ERR_INVALID: certificate.
 * gives */
int web_open(const struct web_opts *opts, struct web_server **out);
void web_local(const struct web_server *s, struct addr *out);
size_t web_requests(const struct web_server *s); /* under way */
/*
 * No new connection; requests under way may take that long, then they see ERR_CANCELED and
 * ERR_CLOSED. Returns when all have ended, and frees. NULL is accepted.
 */
SUSPENDS void web_close(struct web_server *s, uint64_t patience);

/* ---- the request: all lent until serve() returns ---- */
struct web_header {
	const char *name, *value;
};
const char *web_method(const struct web_request *r);
const char *web_target(const struct web_request *r); /* as sent: undecoded, with the query */
const char *web_header(const struct web_request *r, const char *name); /* the first; NULL: none */
const struct web_header *web_headers(const struct web_request *r, size_t *count);
bool web_header_name_valid(const char *name, size_t len);
void web_peer(const struct web_request *r, struct addr *out);
bool web_encrypted(const struct web_request *r);
/* What is wrong with the request as HTTP, in words; NULL: nothing. */
const char *web_problem(const struct web_request *r);
/* UINT64_MAX: not said (chunked). 0: there is none. */
uint64_t web_body_length(const struct web_request *r);
/*
 * The next bytes of the body, a whole buffer unless they are the last, lent until the next call.
 * ERR_END: that was all of it. ERR_CLOSED: the client has gone, or sent less than it said;
 * ERR_TIMEOUT: it dawdles.
 */
SUSPENDS int web_body_read(struct web_request *r, struct bytes *lent);

/* ---- the answer: once for each request ---- */
struct web_reply {
	unsigned status;
	const struct web_header *headers; /* copied */
	size_t headers_count;
	uint64_t length; /* of the body; UINT64_MAX: unknown */
	bool close;      /* the connection ends with it */
};
/*
 * The head of an answer; its body follows by web_reply_write() and ends with web_reply_end(). HEAD
 * gets the head alone: what is written is dropped.
 */
int web_reply_start(struct web_request *r, const struct web_reply *reply);
/* Returns when the bytes have been taken. ERR_CLOSED: the client has gone. */
SUSPENDS int web_reply_write(struct web_request *r, struct bytes lent);
/* ok false: the body broke off, and the connection with it, so that nobody takes it for whole. */
void web_reply_end(struct web_request *r, bool ok);
/* Head and body at once; length is the body's, but for HEAD, where it is what reply says. */
int web_reply(struct web_request *r, const struct web_reply *reply, struct bytes body);
bool web_replied(const struct web_request *r);

/* Version of the library, for --version. */
const char *web_version(void);

#endif
