/* Bucket policies: who, what, where, when; and wildcards against a slow and plain matcher. */
#include "gateway/policy.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/js.h"
#include "test/unit/suite.h"

struct facts {
	const char *name, *value;
};

static const char *
value(void *arg, const char *name, size_t i, char scratch[POLICY_VALUE_MAX])
{
	(void)scratch;
	for (const struct facts *f = arg; f != NULL && f->name != NULL; f++) {
		if (strcmp(f->name, name) == 0)
			return i == 0 ? f->value : NULL;
	}
	return NULL;
}

#define STATEMENT(effect, principal, action, resource, rest)                                       \
	"{\"Effect\":\"" effect "\",\"Principal\":" principal ",\"Action\":" action                \
	",\"Resource\":" resource rest "}"
#define POLICY(statements) "{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}"
#define ALL_OBJECTS        "\"arn:aws:s3:::bucket/*\""

static enum policy_verdict
judge(
    const char *text, const char *account, const char *action, const char *key, struct facts *facts)
{
	struct policy_question q = { .account = account,
		.action = action,
		.bucket = "bucket",
		.key = key,
		.value = value,
		.arg = facts };
	enum policy_verdict verdict;
	struct policy *p;
	const char *why = NULL;

	ck_assert_msg(policy_parse(bytes_of(text, strlen(text)), "bucket", &p, &why) == ERR_OK,
	    "%s: %s", why, text);
	verdict = policy_judge(p, &q);
	policy_free(p);
	return verdict;
}

START_TEST(deny_wins_and_silence_is_nothing)
{
	const char *p = POLICY(STATEMENT("Allow", "\"*\"", "\"s3:GetObject\"", ALL_OBJECTS,
	    "") "," STATEMENT("Deny", "{\"AWS\":\"mallory\"}", "\"s3:*\"", ALL_OBJECTS, ""));

	ck_assert_int_eq(judge(p, "", "s3:GetObject", "k", NULL), POLICY_ALLOW);
	ck_assert_int_eq(judge(p, "bob", "s3:GetObject", "a/b", NULL), POLICY_ALLOW);
	ck_assert_int_eq(judge(p, "mallory", "s3:GetObject", "k", NULL), POLICY_DENY);
	ck_assert_int_eq(judge(p, "bob", "s3:PutObject", "k", NULL), POLICY_SILENT);
	ck_assert_int_eq(judge(p, "bob", "s3:GetObject", "", NULL), POLICY_SILENT);
	ck_assert_int_eq(judge(p, "bob", "S3:getobject", "k", NULL), POLICY_ALLOW);
}
END_TEST

START_TEST(principals)
{
	static const char *const forms[] = { "{\"AWS\":\"bob\"}", "{\"AWS\":[\"x\",\"bob\"]}",
		"{\"AWS\":\"arn:aws:iam::bob:root\"}", "{\"AWS\":\"arn:aws:iam:::user/bob\"}",
		"{\"CanonicalUser\":\"bob\"}" };
	char text[600];

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		(void)snprintf(text, sizeof(text),
		    "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":%s,\"Action\":\"s3:*\","
		    "\"Resource\":" ALL_OBJECTS "}}",
		    forms[i]);
		ck_assert_msg(
		    judge(text, "bob", "s3:GetObject", "k", NULL) == POLICY_ALLOW, "%s", forms[i]);
		ck_assert_int_eq(judge(text, "bobby", "s3:GetObject", "k", NULL), POLICY_SILENT);
		ck_assert_int_eq(judge(text, "", "s3:GetObject", "k", NULL), POLICY_SILENT);
	}
}
END_TEST

START_TEST(conditions)
{
	static const struct {
		const char *condition, *value;
		bool holds;
	} cases[] = {
		{ "\"StringEquals\":{\"s3:prefix\":[\"a\",\"b\"]}", "b", true },
		{ "\"StringEquals\":{\"s3:prefix\":\"a\"}", "b", false },
		{ "\"StringEquals\":{\"s3:prefix\":\"a\"}", NULL, false },
		{ "\"StringNotEquals\":{\"s3:prefix\":\"a\"}", NULL, true },
		{ "\"StringEqualsIfExists\":{\"s3:prefix\":\"a\"}", NULL, true },
		{ "\"StringEqualsIfExists\":{\"s3:prefix\":\"a\"}", "b", false },
		{ "\"StringLike\":{\"S3:Prefix\":\"a*z\"}", "abcz", true },
		{ "\"StringEqualsIgnoreCase\":{\"s3:prefix\":\"ABC\"}", "abc", true },
		{ "\"NumericLessThan\":{\"s3:prefix\":10}", "9", true },
		{ "\"NumericLessThan\":{\"s3:prefix\":\"10\"}", "10", false },
		{ "\"NumericGreaterThanEquals\":{\"s3:prefix\":\"10\"}", "x", false },
		{ "\"DateLessThan\":{\"s3:prefix\":\"2030-01-01T00:00:00Z\"}",
		    "2020-01-01T00:00:00Z", true },
		{ "\"Bool\":{\"s3:prefix\":true}", "true", true },
		{ "\"Bool\":{\"s3:prefix\":\"false\"}", "true", false },
		{ "\"Null\":{\"s3:prefix\":\"true\"}", NULL, true },
		{ "\"Null\":{\"s3:prefix\":\"false\"}", NULL, false },
		{ "\"IpAddress\":{\"s3:prefix\":\"192.0.2.0/24\"}", "192.0.2.77", true },
		{ "\"IpAddress\":{\"s3:prefix\":\"192.0.2.0/24\"}", "192.0.3.77", false },
		{ "\"NotIpAddress\":{\"s3:prefix\":\"192.0.2.0/24\"}", "192.0.3.77", true },
		{ "\"IpAddress\":{\"s3:prefix\":\"2001:db8::/32\"}", "2001:db8::1", true },
		{ "\"ForAllValues:StringEquals\":{\"s3:prefix\":\"a\"}", NULL, true },
		{ "\"ForAnyValue:StringEquals\":{\"s3:prefix\":\"a\"}", NULL, false },
	};
	char text[600];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct facts facts[] = { { cases[i].value == NULL ? "none" : "s3:prefix",
					     cases[i].value },
			{ NULL, NULL } };

		(void)snprintf(text, sizeof(text),
		    "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\","
		    "\"Resource\":\"arn:aws:s3:::bucket\",\"Condition\":{%s}}]}",
		    cases[i].condition);
		ck_assert_msg(judge(text, "a", "s3:ListBucket", "", facts) ==
				  (cases[i].holds ? POLICY_ALLOW : POLICY_SILENT),
		    "%s", cases[i].condition);
	}
}
END_TEST

START_TEST(what_is_no_policy)
{
	static const char *const wrong[] = { "", "x", "[]", "{}", "{\"Statement\":[1]}",
		POLICY(STATEMENT("Maybe", "\"*\"", "\"s3:*\"", ALL_OBJECTS, "")),
		POLICY(STATEMENT("Allow", "\"bob\"", "\"s3:*\"", ALL_OBJECTS, "")),
		POLICY(STATEMENT("Allow", "{}", "\"s3:*\"", ALL_OBJECTS, "")),
		POLICY("{\"Effect\":\"Allow\",\"NotPrincipal\":\"*\",\"Action\":\"s3:*\","
		       "\"Resource\":" ALL_OBJECTS "}"),
		POLICY(STATEMENT("Allow", "\"*\"", "\"ec2:*\"", ALL_OBJECTS, "")),
		POLICY(STATEMENT("Allow", "\"*\"", "[]", ALL_OBJECTS, "")),
		POLICY(STATEMENT("Allow", "\"*\"", "\"s3:*\"", "\"arn:aws:s3:::other/*\"", "")),
		POLICY(STATEMENT("Allow", "\"*\"", "\"s3:*\"", ALL_OBJECTS,
		    ",\"Condition\":{\"StringAlmost\":{\"a\":\"b\"}}")),
		POLICY(STATEMENT(
		    "Allow", "\"*\"", "\"s3:*\"", ALL_OBJECTS, ",\"NotAction\":\"s3:*\"")) };
	struct policy *p;
	const char *why;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_assert_msg(policy_parse(bytes_of(wrong[i], strlen(wrong[i])), "bucket", &p,
				  &why) == ERR_INVALID,
		    "%s", wrong[i]);
		ck_assert_ptr_nonnull(why);
	}
}
END_TEST

START_TEST(keys_that_are_looked_at)
{
	static const struct {
		const char *key;
		enum policy_keys is;
	} cases[] = {
		{ "s3:prefix", POLICY_KEYS_KNOWN },
		{ "S3:Max-Keys", POLICY_KEYS_KNOWN },
		{ "s3:x-amz-acl", POLICY_KEYS_KNOWN },
		{ "s3:ExistingObjectTag/a", POLICY_KEYS_KNOWN },
		{ "aws:SourceVpce", POLICY_KEYS_KNOWN },
		{ "s3:TlsVersion", POLICY_KEYS_UNSUPPORTED },
		{ "s3:object-lock-remaining-retention-days", POLICY_KEYS_UNSUPPORTED },
		{ "s3:RequestObjectTagKeys", POLICY_KEYS_UNSUPPORTED },
		{ "s3:prefixes", POLICY_KEYS_STRANGE },
		{ "s3:", POLICY_KEYS_STRANGE },
	};
	char text[400];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy *p;
		const char *why;

		(void)snprintf(text, sizeof(text),
		    "{\"Statement\":[{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\","
		    "\"Resource\":\"arn:aws:s3:::bucket\",\"Condition\":{\"StringEquals\":{"
		    "\"aws:UserAgent\":\"a\",\"%s\":\"b\"}}}]}",
		    cases[i].key);
		ck_assert_int_eq(
		    policy_parse(bytes_of(text, strlen(text)), "bucket", &p, &why), ERR_OK);
		ck_assert_msg(policy_keys(p) == cases[i].is, "%s", cases[i].key);
		policy_free(p);
	}
}
END_TEST

/* A good policy with a member that nobody looks at, so that the whole is so deep. */
static int
parse_deep(size_t levels, const char **why)
{
	static const char head[] =
	    "{\"Statement\":" STATEMENT("Allow", "\"*\"", "\"s3:*\"", ALL_OBJECTS, "") ",\"Note\":";
	char text[POLICY_BYTES_MAX];
	size_t len = strlen(head), inner = levels - 1;
	struct policy *p;
	int err;

	must(len + 2 * inner + 1 <= sizeof(text));
	memcpy(text, head, len);
	memset(text + len, '[', inner);
	memset(text + len + inner, ']', inner);
	text[len + 2 * inner] = '}';
	err = policy_parse(bytes_of(text, len + 2 * inner + 1), "bucket", &p, why);
	if (err == ERR_OK)
		policy_free(p);
	return err;
}

/* Each level is one of the parser's, on the stack of the task that serves a request. */
START_TEST(depth_is_bounded)
{
	const char *why;

	ck_assert_int_eq(parse_deep(JS_DEPTH_MAX, &why), ERR_OK);
	for (size_t levels = JS_DEPTH_MAX + 1; levels < 10000; levels *= 2) {
		ck_assert_int_eq(parse_deep(levels, &why), ERR_INVALID);
		ck_assert_str_eq(why, "Policies must not be nested so deep");
	}
	/* Brackets in text do not count. */
	ck_assert_int_eq(judge(POLICY(STATEMENT("Allow", "\"*\"", "\"s3:*\"", ALL_OBJECTS,
				   ",\"Condition\":{\"StringLike\":{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[["
				   "[[[[[[[[[[[[[[[[[\\\"{{\"}}")),
			     "", "s3:GetObject", "k", NULL),
	    POLICY_SILENT);
}
END_TEST

static bool
is_public(const char *text)
{
	struct policy *p;
	const char *why;
	bool public;

	ck_assert_int_eq(policy_parse(bytes_of(text, strlen(text)), "bucket", &p, &why), ERR_OK);
	public = policy_public(p);
	policy_free(p);
	return public;
}

START_TEST(what_is_public)
{
	ck_assert(is_public(POLICY(STATEMENT("Allow", "\"*\"", "\"s3:*\"", ALL_OBJECTS, ""))));
	ck_assert(!is_public(POLICY(STATEMENT("Deny", "\"*\"", "\"s3:*\"", ALL_OBJECTS, ""))));
	ck_assert(!is_public(
	    POLICY(STATEMENT("Allow", "{\"AWS\":\"bob\"}", "\"s3:*\"", ALL_OBJECTS, ""))));
	ck_assert(!is_public(POLICY(STATEMENT("Allow", "\"*\"", "\"s3:*\"", ALL_OBJECTS,
	    ",\"Condition\":{\"IpAddress\":{\"aws:SourceIp\":\"10.0.0.0/8\"}}"))));
	ck_assert(is_public(POLICY(STATEMENT("Allow", "\"*\"", "\"s3:*\"", ALL_OBJECTS,
	    ",\"Condition\":{\"StringLike\":{\"aws:UserAgent\":\"x\"}}"))));
}
END_TEST

static bool
plain_match(const char *p, const char *t)
{
	if (*p == '\0')
		return *t == '\0';
	if (*p == '*')
		return plain_match(p + 1, t) || (*t != '\0' && plain_match(p, t + 1));
	return *t != '\0' && (*p == '?' || *p == *t) && plain_match(p + 1, t + 1);
}

START_TEST(wildcards_against_a_plain_matcher)
{
	unsigned seed = 5;
	char p[9], t[11];

	for (int i = 0; i < 200000; i++) {
		size_t lp = (seed >> 8) % 8, lt = (seed >> 16) % 10;

		for (size_t k = 0; k < lp; k++) {
			seed = seed * 1103515245 + 12345;
			p[k] = "ab*?"[seed >> 20 & 3];
		}
		for (size_t k = 0; k < lt; k++) {
			seed = seed * 1103515245 + 12345;
			t[k] = "ab"[seed >> 20 & 1];
		}
		p[lp] = t[lt] = '\0';
		seed = seed * 1103515245 + 12345;
		ck_assert_msg(policy_matches(p, t, false) == plain_match(p, t), "%s %s", p, t);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gateway/policy");

	suite_add(s, "policy", 0, deny_wins_and_silence_is_nothing, principals, conditions,
	    what_is_no_policy, keys_that_are_looked_at, depth_is_bounded, what_is_public,
	    wildcards_against_a_plain_matcher, NULL);
	return suite_main(s);
}
