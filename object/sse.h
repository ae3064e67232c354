/*
 * Server-side encryption with a key that the customer gives with every request (SSE-C).
 *
 * Everything is encrypted anyway; whoever holds the bucket's secret reads every entry and with it
 * the keys of the contents. With SSE-C that is not enough: the entry keeps for each segment a
 * random key as always, but what seals the bytes is HMAC-SHA256(customer's key, "sse-c/data" ‖ 0 ‖
 * that random key). The customer's key is kept nowhere; a salted hash tells whether the same one
 * comes again. Contents of SSE-C are never inline: entries are read by who lists.
 */
#ifndef OBJECT_SSE_H
#define OBJECT_SSE_H

#include "overlay/base/crypto.h"

enum sse { SSE_DEFAULT, SSE_AES256, SSE_CUSTOMER };

struct sse_customer {
	uint8_t salt[16]; /* random, per object or upload */
	uint8_t check[32];
};

void sse_customer_set(struct sse_customer *out, const struct key *customer, const uint8_t salt[16]);
bool sse_customer_is(const struct sse_customer *s, const struct key *customer);
/* What seals a segment that says `segment` is its key. */
void sse_data_key(struct key *out, const struct key *customer, const struct key *segment);
/*
 * Whether a request may read or copy: ERR_OK, REFUSAL_SSE_MISSING (a key is needed and not given,
 * or the other way round), REFUSAL_SSE_WRONG. customer NULL: none was given.
 */
int sse_check(enum sse kind, const struct sse_customer *s, const struct key *customer);

#endif
