/*
 * What a request's headers say of an object that is to be written: system headers, user metadata,
 * tags, ACL, storage class, lock, encryption. For PutObject, CopyObject, CreateMultipartUpload and
 * forms.
 */
#ifndef GATEWAY_ATTRIBUTES_H
#define GATEWAY_ATTRIBUTES_H

#include "gateway/request.h"

/* What making an object does not allow by itself: access_ask_sets() asks for each. */
enum attribute_set { SETS_ACL = 1, SETS_TAGS = 2, SETS_RETENTION = 4, SETS_HOLD = 8 };

struct attributes {
	unsigned sets;      /* of enum attribute_set: the request says something of it */
	struct entry entry; /* lends from what follows, and from the request */
	struct buf meta, tags, acl, encoding;
	struct key customer; /* with has_customer */
	bool has_customer;
};

/* A name to its value, NULL: none; a request's headers, or a form's fields. */
struct attribute_source {
	const char *(*get)(void *arg, const char *name);
	/* Number i of all; NULL name: the end. */
	struct web_header (*at)(void *arg, size_t i);
	void *arg;
};
struct attribute_source attributes_of_request(struct request *r);

/*
 * Reads all. S3_InvalidArgument, S3_InvalidStorageClass, REFUSAL_METADATA, REFUSAL_TAG …,
 * AccessDenied and AccessControlListNotSupported for ACLs that the bucket does not take.
 */
SUSPENDS int attributes_read(
    struct request *r, const struct attribute_source *src, struct attributes *out);
void attributes_fini(struct attributes *a);

/* The parts of it that a copy takes from its source unless told otherwise. */
void attributes_take_headers(struct attributes *a, const struct entry *from);
void attributes_take_tags(struct attributes *a, const struct entry *from);

/* "GOVERNANCE", "COMPLIANCE": how headers and documents name enum lock_mode; false: neither. */
const char *lock_mode_name(uint8_t mode);
bool lock_mode_parse(const char *text, uint8_t *out);
/* "a=b&c=d" as x-amz-tagging has it, appended as pairs. REFUSAL_TAG, REFUSAL_TAGS_MANY. */
int tags_parse(const char *text, struct buf *out);
/*
 * The customer key of SSE-C in headers "x-amz-…server-side-encryption-customer-*" behind prefix
 * ("x-amz-" or "x-amz-copy-source-"). S3_InvalidArgument; *given false: there is none.
 */
int customer_key(struct request *r, const struct attribute_source *src, const char *prefix,
    struct key *out, bool *given);

/* Answers' headers of an object: metadata, type, ETag … */
int reply_entry(struct request *r, const struct entry *e);
/* x-amz-server-side-encryption or the customer's, of what was written or read. */
int reply_sse(struct request *r, uint8_t sse);

#endif
