/* The source of a copy: found, permitted, its conditions met. */
#ifndef GATEWAY_COPY_SOURCE_H
#define GATEWAY_COPY_SOURCE_H

#include "gateway/attributes.h"

struct copy_source {
	struct realm_bucket *bucket; /* the request's own, or opened for this */
	bool same;                   /* … it is the request's own */
	struct buf key;
	const char *version; /* as it was said; NULL */
	struct version_ref which;
	struct entry entry;
	struct buf value; /* what entry lends from */
	struct settings settings;
	struct buf settings_value;
	struct key customer;
	bool has_customer;
};
/*
 * By x-amz-copy-source and x-amz-copy-source-if-*. S3_InvalidArgument, S3_NoSuchBucket,
 * S3_AccessDenied, REFUSAL_NO_SUCH_KEY, REFUSAL_PRECONDITION … *out is to be fini'ed in any case.
 */
SUSPENDS int copy_source_open(struct request *r, struct copy_source *out);
SUSPENDS void copy_source_fini(struct request *r, struct copy_source *s);
/* x-amz-copy-source-version-id. */
int reply_copy_source(struct request *r, const struct copy_source *s);
struct bytes copy_source_key(const struct copy_source *s);

#endif
