/*
 * Conditions: {operator: {key: value or values}}. All operators and keys must hold; of several
 * values one must. A key that the request does not have fails its operator, but for the negated
 * ones, IfExists and Null ("IAM JSON policy elements: Condition operators").
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/encode.h"
#include "gateway/policy_private.h"
#include "gateway/times.h"

enum kind { TEXT, TEXT_IGNORE_CASE, TEXT_LIKE, NUMBER, DATE, BOOL, ADDRESS, IS_NULL };
enum order { EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };

struct operator
{
	const char *name;
	enum kind kind;
	bool negated;
	enum order order;
};

static const struct operator operators[] = {
	{ "StringEquals", TEXT, false, EQUAL },
	{ "StringNotEquals", TEXT, true, EQUAL },
	{ "StringEqualsIgnoreCase", TEXT_IGNORE_CASE, false, EQUAL },
	{ "StringNotEqualsIgnoreCase", TEXT_IGNORE_CASE, true, EQUAL },
	{ "StringLike", TEXT_LIKE, false, EQUAL },
	{ "StringNotLike", TEXT_LIKE, true, EQUAL },
	{ "ArnEquals", TEXT_LIKE, false, EQUAL },
	{ "ArnLike", TEXT_LIKE, false, EQUAL },
	{ "ArnNotEquals", TEXT_LIKE, true, EQUAL },
	{ "ArnNotLike", TEXT_LIKE, true, EQUAL },
	{ "NumericEquals", NUMBER, false, EQUAL },
	{ "NumericNotEquals", NUMBER, true, EQUAL },
	{ "NumericLessThan", NUMBER, false, LESS },
	{ "NumericLessThanEquals", NUMBER, false, LESS_EQUAL },
	{ "NumericGreaterThan", NUMBER, false, GREATER },
	{ "NumericGreaterThanEquals", NUMBER, false, GREATER_EQUAL },
	{ "DateEquals", DATE, false, EQUAL },
	{ "DateNotEquals", DATE, true, EQUAL },
	{ "DateLessThan", DATE, false, LESS },
	{ "DateLessThanEquals", DATE, false, LESS_EQUAL },
	{ "DateGreaterThan", DATE, false, GREATER },
	{ "DateGreaterThanEquals", DATE, false, GREATER_EQUAL },
	{ "Bool", BOOL, false, EQUAL },
	{ "IpAddress", ADDRESS, false, EQUAL },
	{ "NotIpAddress", ADDRESS, true, EQUAL },
	{ "Null", IS_NULL, false, EQUAL },
};

struct named { /* an operator with its prefix and suffix taken off */
	const struct operator* op;
	bool if_exists, for_all, for_any;
};

static bool
find(const char *name, struct named *out)
{
	static const char suffix[] = "IfExists";
	size_t len = strlen(name);

	*out = (struct named){ .op = NULL };
	if (strncmp(name, "ForAllValues:", 13) == 0) {
		out->for_all = true;
		name += 13;
		len -= 13;
	} else if (strncmp(name, "ForAnyValue:", 12) == 0) {
		out->for_any = true;
		name += 12;
		len -= 12;
	}
	if (len > sizeof(suffix) - 1 && strcmp(name + len - (sizeof(suffix) - 1), suffix) == 0) {
		out->if_exists = true;
		len -= sizeof(suffix) - 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
		if (strlen(operators[i].name) == len && strncmp(operators[i].name, name, len) == 0)
			out->op = &operators[i];
	}
	return out->op != NULL;
}

/* ---- one value against one ---- */

static bool
ordered(enum order order, uint64_t a, uint64_t b)
{
	switch (order) {
	case LESS:
		return a < b;
	case LESS_EQUAL:
		return a <= b;
	case GREATER:
		return a > b;
	case GREATER_EQUAL:
		return a >= b;
	default:
		return a == b;
	}
}

static bool
date_of(const char *text, uint64_t *out)
{
	uint64_t seconds;

	if (times_parse_iso(text, out) == ERR_OK)
		return true;
	if (!decimal_parse(text, UINT64_MAX / 1000, &seconds))
		return false;
	*out = seconds * 1000;
	return true;
}

/* "192.0.2.0/24", "2001:db8::/32", or an address alone. */
static bool
in_network(const char *network, const char *address)
{
	char text[64];
	uint8_t net[16], a[16];
	size_t len = strcspn(network, "/");
	int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
	uint64_t bits = family == AF_INET6 ? 128 : 32;

	if (len >= sizeof(text))
		return false;
	memcpy(text, network, len);
	text[len] = '\0';
	if (network[len] == '/' && !decimal_parse(network + len + 1, bits, &bits))
		return false;
	if (inet_pton(family, text, net) != 1 || inet_pton(family, address, a) != 1)
		return false;
	for (uint64_t i = 0; i < bits; i++) {
		uint8_t mask = (uint8_t)(0x80 >> (i & 7));

		if ((net[i / 8] & mask) != (a[i / 8] & mask))
			return false;
	}
	return true;
}

static bool
agrees(const struct operator* op, const char *wanted, const char *is)
{
	uint64_t a, b;

	switch (op->kind) {
	case TEXT:
		return strcmp(wanted, is) == 0;
	case TEXT_IGNORE_CASE:
	case BOOL:
		return strcasecmp(wanted, is) == 0;
	case TEXT_LIKE:
		return policy_matches(wanted, is, false);
	case NUMBER:
		return decimal_parse(is, UINT64_MAX, &a) && decimal_parse(wanted, UINT64_MAX, &b) &&
		       ordered(op->order, a, b);
	case DATE:
		return date_of(is, &a) && date_of(wanted, &b) && ordered(op->order, a, b);
	case ADDRESS:
		return in_network(wanted, is);
	default:
		return false;
	}
}

/* One value of the request against all that the policy names. */
static bool
value_holds(const struct operator* op, const struct js *wanted, const char *is)
{
	const struct js *item;
	char scratch[32];
	bool any = false;

	for (size_t i = 0; (item = policy_item(wanted, i)) != NULL && !any; i++) {
		const char *text = js_scalar(item, scratch);

		any = text != NULL && agrees(op, text, is);
	}
	return any != op->negated;
}

/* ---- one key ---- */

static bool
null_holds(const struct js *wanted, bool missing)
{
	char scratch[32];
	const char *text = js_scalar(policy_item(wanted, 0), scratch);

	return text != NULL && (strcasecmp(text, "true") == 0) == missing;
}

static bool
key_holds(const struct named *n, const char *key, const struct js *wanted,
    const struct policy_question *q, char *scratch)
{
	char lower[300];
	const char *value;
	size_t i, good = 0;

	for (i = 0; key[i] != '\0' && i + 1 < sizeof(lower); i++) {
		/* The names of tags keep their case. */
		bool tag = i >= 20 && strchr(key, '/') != NULL && key + i > strchr(key, '/');

		lower[i] = tag ? key[i] : (char)tolower((unsigned char)key[i]);
	}
	lower[i] = '\0';
	value = q->value(q->arg, lower, 0, scratch);
	if (n->op->kind == IS_NULL)
		return null_holds(wanted, value == NULL);
	if (value == NULL)
		return n->if_exists || n->for_all || (n->op->negated && !n->for_any);
	for (i = 0; i < POLICY_VALUES_MAX && value != NULL; i++) {
		good += value_holds(n->op, wanted, value);
		value = q->value(q->arg, lower, i + 1, scratch);
	}
	return n->for_any ? good > 0 : good == i;
}

bool
policy_condition_holds(const struct js *condition, const struct policy_question *q)
{
	const struct js *keys, *wanted;
	const char *name, *key;
	char *scratch;
	bool holds = true;

	if (condition == NULL)
		return true;
	scratch = malloc(POLICY_VALUE_MAX);
	if (scratch == NULL)
		return false;
	for (size_t i = 0; holds && (keys = js_named(condition, i, &name)) != NULL; i++) {
		struct named n;

		holds = find(name, &n);
		for (size_t k = 0; holds && (wanted = js_named(keys, k, &key)) != NULL; k++)
			holds = key_holds(&n, key, wanted, q, scratch);
	}
	free(scratch);
	return holds;
}

/* ---- of the policy as such ---- */

const char *
policy_condition_wrong(const struct js *condition)
{
	const struct js *keys, *wanted, *item;
	const char *name, *key;
	char scratch[32];
	struct named n;

	if (condition == NULL)
		return NULL;
	if (!js_is_object(condition))
		return "Invalid condition";
	for (size_t i = 0; (keys = js_named(condition, i, &name)) != NULL; i++) {
		if (!find(name, &n) || !js_is_object(keys))
			return "Invalid Condition type";
		for (size_t k = 0; (wanted = js_named(keys, k, &key)) != NULL; k++) {
			if (strlen(key) > 250)
				return "Invalid condition key";
			for (size_t m = 0; (item = policy_item(wanted, m)) != NULL; m++) {
				if (js_scalar(item, scratch) == NULL)
					return "Invalid condition value";
			}
		}
	}
	return NULL;
}

/* ---- which of S3's keys are looked at (gateway/access.c), and which Amazon has besides ---- */

static bool
listed(const char *key, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len = strlen(list[i]);

		if (list[i][len - 1] == '/' || list[i][len - 1] == '-'
			? strncasecmp(key, list[i], len) == 0
			: strcasecmp(key, list[i]) == 0)
			return true;
	}
	return false;
}

static enum policy_keys
key_known(const char *key)
{
	static const char *const known[] = { "s3:prefix", "s3:delimiter", "s3:max-keys",
		"s3:versionid", "s3:if-match", "s3:if-none-match", "s3:authType",
		"s3:ObjectCreationOperation", "s3:signatureversion", "s3:locationconstraint",
		"s3:ExistingObjectTag/", "s3:RequestObjectTag/", "s3:x-amz-" };
	static const char *const others[] = { "s3:AccessGrantsInstanceArn",
		"s3:AccessPointNetworkOrigin", "s3:AccessPointTag/", "s3:BucketTag/",
		"s3:DataAccessPointAccount", "s3:DataAccessPointArn", "s3:DestinationRegion",
		"s3:InventoryAccessibleOptionalFields", "s3:isReplicationPauseRequest",
		"s3:JobSuspendedCause", "s3:object-lock-", "s3:RequestJobOperation",
		"s3:RequestJobPriority", "s3:RequestObjectTagKeys", "s3:ResourceAccount",
		"s3:signatureAge", "s3:TlsVersion" };

	if (strncasecmp(key, "s3:", 3) != 0 || listed(key, known, ARRAY_LEN(known)))
		return POLICY_KEYS_KNOWN; /* others' keys no request has: as with Amazon's S3 */
	return listed(key, others, ARRAY_LEN(others)) ? POLICY_KEYS_UNSUPPORTED
						      : POLICY_KEYS_STRANGE;
}

enum policy_keys
policy_condition_keys(const struct js *condition)
{
	enum policy_keys worst = POLICY_KEYS_KNOWN;
	const struct js *keys;
	const char *name, *key;

	for (size_t i = 0; (keys = js_named(condition, i, &name)) != NULL; i++) {
		for (size_t k = 0; js_named(keys, k, &key) != NULL; k++)
			worst = MAX(worst, key_known(key));
	}
	return worst;
}

bool
policy_condition_narrows(const struct js *condition)
{
	static const char *const narrowing[] = { "aws:sourceip", "aws:sourcearn", "aws:sourcevpc",
		"aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount", "aws:userid",
		"aws:principalorgid", "aws:principalarn", "aws:principalaccount",
		"s3:dataaccesspointarn", "s3:dataaccesspointaccount",
		"s3:x-amz-server-side-encryption-aws-kms-key-id" };
	const struct js *keys, *wanted;
	const char *name, *key;
	char scratch[32];
	struct named n;

	for (size_t i = 0; (keys = js_named(condition, i, &name)) != NULL; i++) {
		for (size_t k = 0; (wanted = js_named(keys, k, &key)) != NULL; k++) {
			const char *first = js_scalar(policy_item(wanted, 0), scratch);

			if (!find(name, &n) || n.op->negated || n.op->kind == IS_NULL ||
			    n.if_exists || first == NULL || strchr(first, '*') != NULL ||
			    strstr(first, "/0") != NULL)
				continue;
			for (size_t m = 0; m < ARRAY_LEN(narrowing); m++) {
				if (strcasecmp(key, narrowing[m]) == 0)
					return true;
			}
		}
	}
	return false;
}
