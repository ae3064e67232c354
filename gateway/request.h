/*
 * One S3 request on its way through the gateway: what it names, who asks, and the answer as it is
 * put together. Operations (ops.h) get one, and return ERR_OK when they have answered, or an error
 * (S3_*, REFUSAL_*, ERR_*) that is answered for them.
 */
#ifndef GATEWAY_REQUEST_H
#define GATEWAY_REQUEST_H

#include "gateway/realm.h"
#include "gateway/errors.h"
#include "gateway/sigv4.h"
#include "gateway/target.h"
#include "gateway/web.h"
#include "gateway/xml.h"
#include "object/settings.h"

#define REPLY_TEXT_MAX                                                                             \
	KIB(48) /* names and values of an answer's headers: ENTRY_TEXTS and 2 KiB more */
#define REPLY_BODY_MAX MIB(16) /* 1,000 keys of 1,024 bytes, each byte three, with their owners */
#define REQUEST_ID_MAX 17

struct gateway;
struct operation;

struct request {
	struct gateway *g;
	struct env *env;
	struct realm *realm;
	struct web_request *web;
	struct target target;
	struct sigv4 sig;
	struct key signing_key;  /* of who has signed */
	struct realm_key caller; /* account.id "": nobody has signed */
	const struct operation *op;
	struct realm_bucket *bucket; /* of the target; NULL: it names none */
	struct kv *view; /* of the bucket, as of the request's beginning; see request_view() */
	bool known;      /* … or as it is known: the operation decides again in its transaction */
	struct buf settings_value;
	struct settings settings; /* the bucket's, with the view */
	/* The object version that the target names, as of the view; see request_entry(). */
	bool entry_looked;
	int entry_err;
	struct version_ref which;
	struct entry entry;
	struct buf entry_value;
	size_t held_signed, held_strangers; /* of the gateway's; see request_hold() */
	uint64_t now_ms;
	char id[REQUEST_ID_MAX];
	/* the answer's headers */
	struct buf text;
	struct web_header headers[WEB_REPLY_HEADERS_MAX];
	size_t headers_count;
	bool marked;         /* x-skerry-stale is among them */
	const char *message; /* instead of the error's own; NULL */
};

static inline const char *
request_header(const struct request *r, const char *name)
{
	return web_header(r->web, name);
}

static inline const char *
request_query(const struct request *r, const char *name)
{
	return target_query(&r->target, name);
}

struct bytes request_key(const struct request *r);
bool request_anonymous(const struct request *r);
/* Appends the address of the key, as whoever asks writes it. */
int request_url(const struct request *r, struct buf *out);
/* It only reads, and may be answered from an older state, which is marked, where there is no other.
 */
bool request_recalls(const struct request *r);
/* Whom answers name by this id: of an account that is gone, or cannot be asked for, only the id is
 * known, and that is in out also with an error; ERR_OK where it is gone. */
SUSPENDS int request_account(struct request *r, const char *id, struct realm_account *out);
/* Fresh random bytes, time and references for a transaction of the request's bucket. */
struct bucket_txn request_txn(struct request *r, struct kv *txn);
/* The bucket's state and settings; the same again until request_view_drop(). */
SUSPENDS int request_view(struct request *r);
void request_view_drop(struct request *r);
/* Where it was one of what is known: a current one from here on, whose settings are r's. */
SUSPENDS int request_view_current(struct request *r);
/* The version that the target names (key and versionId), a delete marker too. REFUSAL_NO_SUCH_KEY
 * &c.
 */
SUSPENDS int request_entry(struct request *r);
/* versionId of the target. REFUSAL_BAD_VERSION. */
int request_version(const struct request *r, struct version_ref *out);
/* One transaction on the bucket; the view is dropped before. done: what fn stored by
 * request_done(); may be NULL. */
SUSPENDS int request_update(
    struct request *r, int (*fn)(void *arg, struct kv *txn), void *arg, struct bucket_done *done);
/* The end of fn: what bucket_*() said, kept as the transaction's result. */
int request_done(struct request *r, struct kv *txn, int err, const struct bucket_done *done);

/* ---- memory, of which the gateway has some for all requests ---- */
/* Counts what the client has us keep, until the request ends. S3_SlowDown: too much is kept. */
int request_hold(struct request *r, size_t bytes);
void request_release(struct request *r);

/* ---- the whole body, of at most max bytes; checked against Content-MD5 and checksums ---- */
SUSPENDS int request_body(struct request *r, size_t max, struct buf *out);
/* The same as XML with this root. S3_MalformedXML, S3_MissingRequestBodyError. gives */
SUSPENDS int request_xml(struct request *r, const char *root, struct xml_doc **out);

/* ---- the answer ---- */
/* A header: copied. What does not fit fails the answer, not the process. */
int reply_header(struct request *r, const char *name, const char *value);
int reply_header_bytes(struct request *r, const char *name, struct bytes value);
int reply_headerf(struct request *r, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* x-skerry-stale: seconds since the state was current, as stale_ms says; once. 0: nothing. */
int reply_stale(struct request *r, uint64_t stale_ms);
/* x-amz-version-id, x-amz-delete-marker, as `done` says. */
int reply_done(struct request *r, const struct bucket_done *done);
/* The same of what was written anew. That it is the null version S3 does not say to the writer,
 * only to who reads, lists, changes or deletes it. */
int reply_written(struct request *r, const struct bucket_done *done);
/* x-amz-version-id of the request's entry, where the bucket has versions. */
int reply_version(struct request *r);
int reply_empty(struct request *r, unsigned status);
int reply_xml(struct request *r, unsigned status, const struct buf *body);
int reply_body(struct request *r, unsigned status, const char *type, struct bytes body);
/* Head of a body of length bytes that follows by web_reply_write(). */
int reply_start(struct request *r, unsigned status, uint64_t length);
/* The error as S3 tells it. */
void reply_error(struct request *r, int err);
/* XML of an error, as it stands in a list of results. */
void xml_put_error(struct xml *x, int err);
void xml_put_time(struct xml *x, const char *name, uint64_t unix_ms);
void xml_put_etag(struct xml *x, const struct etag *e);
void xml_put_owner(struct xml *x, const char *name, const struct realm_account *a);

#endif
