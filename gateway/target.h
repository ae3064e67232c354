/*
 * What a request names: bucket, key and query, from the raw request target and the Host header. The
 * only source for routing and for signatures: nothing was decoded before. Pure.
 *
 *   path style     /bucket/key?query
 *   virtual host   Host: bucket.DOMAIN; /key?query
 *   website        Host: bucket.s3-website.DOMAIN; /key
 */
#ifndef GATEWAY_TARGET_H
#define GATEWAY_TARGET_H

#include "gateway/encode.h"

#define TARGET_KEY_MAX   1024 /* S3's limit, in bytes of UTF-8 */
#define TARGET_QUERY_MAX 96   /* a presigned upload with all its headers has some 40 */
#define TARGET_BYTES_MAX KIB(32)

struct query_item { /* decoded; value "" where there is no '=' */
	const char *name, *value;
};

struct target {
	struct buf arena;   /* private: what the rest points into */
	const char *path;   /* decoded, NUL-free, as signed */
	const char *bucket; /* "": none, it is the service */
	const char *key;    /* "": none, it is the bucket */
	bool hosted;        /* the host names the bucket, not the path */
	bool website;
	struct query_item query[TARGET_QUERY_MAX];
	size_t query_count;
};

/*
 * host without its port decides on style; domains: "" at the end, without a leading dot; may be
 * NULL. S3_InvalidURI: bad escapes, NUL, no UTF-8, too long; S3_KeyTooLongError.
 * *out is to be fini'ed in any case.
 */
int target_parse(const char *raw, const char *host, const char *const *domains, struct target *out);
void target_fini(struct target *t);
/* Another key, of two parts: an index document, a form's key. S3_KeyTooLongError. At most twice. */
int target_set_key(struct target *t, const char *key, const char *suffix);

/* The first with this name; NULL: none. */
const char *target_query(const struct target *t, const char *name);
bool target_has(const struct target *t, const char *name);

#endif
