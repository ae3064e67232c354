/* What the parts of the gateway know of it. Nobody else includes this. */
#ifndef GATEWAY_GATEWAY_PRIVATE_H
#define GATEWAY_GATEWAY_PRIVATE_H

#include "gateway/gateway.h"
#include "gateway/request.h"

/*
 * Memory for what requests under way have sent and is read whole: small documents, but up to
 * XML_BYTES_MAX and many times that when parsed. Whoever has not signed has a part of its own, so
 * that strangers keep nobody else from being served.
 */
#define HELD_SIGNED_MAX    MIB(128) /* two of the largest that there can be, or thousands */
#define HELD_STRANGERS_MAX MIB(16)  /* three times 1,000 of the longest keys to delete */

struct gateway {
	struct gateway_opts opts;
	struct web_server *web;
	struct task_group duties; /* upkeep.c */
	struct gateway_sight sight;
	size_t held_signed, held_strangers; /* bytes, see request_hold() */
};

/* ---- upkeep.c ---- */
/* Until it is cancelled; arg: the gateway. */
SUSPENDS int upkeep_task(void *arg);

/* ---- access.c ---- */
/* Whether the caller may do what the request's operation says: ERR_OK or S3_AccessDenied. */
SUSPENDS int access_check(struct request *r);
struct access_question {
	const char *action; /* "s3:DeleteObject" */
	const char *key;    /* "": on the bucket */
	/* Of a key that is not the target's: the version that is named; NULL: none is. Of the
	 * target's own it is versionId. */
	const char *version;
	uint8_t acl; /* what an ACL must grant; 0: no ACL helps */
	/* Of an object: its owner and ACL decide; NULL: the bucket's do. */
	const struct entry *entry;
	bool new_object; /* which has no version yet, whatever the request names */
};
/* The same for what an operation asks besides. */
SUSPENDS int access_ask(struct request *r, const struct access_question *q);
/* In a bucket other than the request's; settings: its own. */
SUSPENDS int access_ask_in(struct request *r, struct realm_bucket *b, struct kv *view,
    const struct settings *settings, const struct access_question *q);
/* Whether who makes an object may set that of it, too: sets, of enum attribute_set. */
SUSPENDS int access_ask_sets(struct request *r, unsigned sets);
/* What access_check() and access_ask_sets() asked of an operation that decides late, in its
 * transaction. */
SUSPENDS int access_check_late(
    struct request *r, struct kv *txn, const struct settings *settings, unsigned sets);
/* S3_AccessDenied where nobody has signed and no ACL or policy could let such a one delete
 * anything: asked before it is read what. */
SUSPENDS int access_check_stranger(struct request *r);
/* err, or S3_AccessDenied where the caller may not list: nobody else is told what is missing. */
SUSPENDS int access_missing(struct request *r, int err);

/* ---- cors.c ---- */
/* Adds what a browser needs to see an answer across origins. */
SUSPENDS void cors_headers(struct request *r);

/* ---- website.c ---- */
SUSPENDS int website_serve(struct request *r);

#endif
