/*
 * The policy of a browser's form: what the one who made the form lets others send with it ("POST
 * Policy", S3 API reference). Pure.
 */
#ifndef GATEWAY_POST_POLICY_H
#define GATEWAY_POST_POLICY_H

#include "gateway/form.h"
#include "gateway/sigv4.h"

struct post_limits { /* of the file, as the policy has it */
	uint64_t least, most;
};
/*
 * text: the policy, out of its base64. bucket, key: where the file goes. S3_InvalidPolicyDocument,
 * S3_AccessDenied (expired, a condition does not hold, a field that none allows); *why (static).
 */
int post_policy_check(struct bytes text, uint64_t now_ms, const struct form *f, const char *bucket,
    const char *key, struct post_limits *out, const char **why);

/* Whose signature the form has. */
struct post_signature {
	bool v4;
	const char *access; /* lent by the form, or by room */
	char room[SIGV4_ACCESS_MAX + 1];
	char scope[SIGV4_SCOPE_MAX];
	const char *signature, *policy;
};
/* S3_InvalidArgument: something is missing; *given false: nothing is there. */
int post_signature_read(const struct form *f, struct post_signature *out, bool *given);
/* S3_SignatureDoesNotMatch. The older form is signed by HMAC-SHA-1. */
int post_signature_verify(const struct post_signature *s, const char *secret);

#endif
