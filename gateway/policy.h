/*
 * Bucket policies: JSON in, a verdict out, as AWS evaluates them ("Policy evaluation logic",
 * "Actions, resources, and condition keys for Amazon S3"): an explicit Deny wins, then an Allow,
 * else nothing is said. Supported: Principal and NotPrincipal, Action and NotAction, Resource and
 * NotResource, with wildcards; Condition with the operators for strings, numbers, dates, Bool, IP
 * addresses, ARNs and Null, with IfExists, ForAnyValue and ForAllValues. Pure.
 */
#ifndef GATEWAY_POLICY_H
#define GATEWAY_POLICY_H

#include "overlay/base/err.h"
#include "overlay/base/types.h"

#define POLICY_BYTES_MAX  KIB(20) /* AWS's limit */
#define POLICY_VALUE_MAX  1100    /* of a condition key: an object's key is the longest */
#define POLICY_VALUES_MAX 16      /* of one that has several */

enum policy_verdict { POLICY_SILENT, POLICY_ALLOW, POLICY_DENY };

struct policy_question {
	const char *account;      /* id of who asks; "": nobody has signed */
	const char *action;       /* "s3:GetObject" */
	const char *bucket, *key; /* key "": the bucket itself */
	/* Value number i of a condition key, in lower case ("s3:prefix"); NULL: it has no more. */
	const char *(*value)(void *arg, const char *name, size_t i, char scratch[POLICY_VALUE_MAX]);
	void *arg;
};

struct policy;
/* Parses and checks that it is one for this bucket. ERR_INVALID: *why (static) says what is wrong.
 * gives
 */
int policy_parse(struct bytes json, const char *bucket, struct policy **out, const char **why);
void policy_free(struct policy *p);
/*
 * Whether all condition keys of S3's own are looked at here: a Deny by one that nobody looks at
 * would deny nothing. POLICY_KEYS_STRANGE: one is not even Amazon's. To be asked of what is to be
 * kept.
 */
enum policy_keys { POLICY_KEYS_KNOWN, POLICY_KEYS_UNSUPPORTED, POLICY_KEYS_STRANGE };
enum policy_keys policy_keys(const struct policy *p);
enum policy_verdict policy_judge(const struct policy *p, const struct policy_question *q);
/* Whether it lets in anybody without a condition that narrows who ("Blocking public access"). */
bool policy_public(const struct policy *p);

/* '*' any text, '?' any one byte. */
bool policy_matches(const char *pattern, const char *text, bool ignore_case);

#endif
