/* x-amz-expiration: when a rule of the bucket's lifecycle will end an object, and which. */
#ifndef GATEWAY_EXPIRATION_H
#define GATEWAY_EXPIRATION_H

#include "gateway/request.h"
#include "object/lifecycle.h"

struct expiration {
	bool there;
	uint64_t at_ms;
	char rule[LIFECYCLE_ID_MAX + 1];
};

/* Of the request's key, whose latest version is e; kv: a view or the transaction that writes it. */
SUSPENDS int expiration_find(
    struct request *r, struct kv *kv, const struct entry *e, struct expiration *out);
/* The header, if there is one. */
int expiration_reply(struct request *r, const struct expiration *x);

#endif
