/*
 * Statements one after the other: does it apply to who asks, to the action, to the resource, and do
 * its conditions hold? Conditions are in policy_condition.c.
 */
#include "gateway/policy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/policy_private.h"

#define STATEMENTS_MAX 200 /* 20 KiB hold some hundred sensible ones */
#define ARN            "arn:aws:s3:::"

struct policy {
	struct js *root;
	char bucket[64];
};

/* Greedy with one point to come back to: linear in both, for each '*'. */
bool
policy_matches(const char *p, const char *t, bool ignore_case)
{
	const char *star = NULL, *back = NULL;

	while (*t != '\0') {
		bool same = ignore_case ? tolower((unsigned char)*p) == tolower((unsigned char)*t)
					: *p == *t;

		if (*p == '*') {
			star = p++;
			back = t;
		} else if (*p != '\0' && (*p == '?' || same)) {
			p++;
			t++;
		} else if (star != NULL) {
			p = star + 1;
			t = ++back;
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return *p == '\0';
}

/* A string, or an array of them: value number i; NULL behind the last. */
const struct js *
policy_item(const struct js *v, size_t i)
{
	if (js_is_array(v))
		return js_at(v, i);
	return i == 0 ? v : NULL;
}

/* ---- parsing ---- */

static bool
texts(const struct js *v)
{
	const struct js *item;

	if (v == NULL || (js_is_array(v) && js_count(v) == 0))
		return false;
	for (size_t i = 0; (item = policy_item(v, i)) != NULL; i++) {
		if (js_text(item) == NULL)
			return false;
	}
	return true;
}

/* Of this bucket, or its objects. */
static bool
resources_ours(const struct js *v, const char *bucket)
{
	const struct js *item;

	for (size_t i = 0; (item = policy_item(v, i)) != NULL; i++) {
		const char *text = js_text(item);
		size_t len = strlen(bucket);

		if (strcmp(text, "*") == 0)
			continue;
		if (strncmp(text, ARN, strlen(ARN)) != 0)
			return false;
		text += strlen(ARN);
		if (strncmp(text, bucket, len) == 0 && (text[len] == '\0' || text[len] == '/'))
			continue;
		if (strpbrk(text, "*?") == NULL || strcspn(text, "*?") > len ||
		    strncmp(text, bucket, strcspn(text, "*?")) != 0)
			return false;
	}
	return true;
}

static bool
actions_known(const struct js *v)
{
	const struct js *item;

	for (size_t i = 0; (item = policy_item(v, i)) != NULL; i++) {
		const char *text = js_text(item);

		if (strcmp(text, "*") != 0 && strncasecmp(text, "s3:", 3) != 0)
			return false;
	}
	return true;
}

static bool
principal_valid(const struct js *v)
{
	const struct js *member;
	const char *name;

	if (js_text(v) != NULL)
		return strcmp(js_text(v), "*") == 0;
	if (!js_is_object(v) || js_count(v) == 0)
		return false;
	for (size_t i = 0; (member = js_named(v, i, &name)) != NULL; i++) {
		if (!texts(member))
			return false;
	}
	return true;
}

static const char *
wrong_statement(const struct js *s, const char *bucket)
{
	const struct js *action = js_member(s, "Action"), *not_action = js_member(s, "NotAction");
	const struct js *resource = js_member(s, "Resource");
	const struct js *not_resource = js_member(s, "NotResource");
	const struct js *principal = js_member(s, "Principal");
	const struct js *not_principal = js_member(s, "NotPrincipal");
	const char *effect = js_text(js_member(s, "Effect"));

	if (effect == NULL || (strcmp(effect, "Allow") != 0 && strcmp(effect, "Deny") != 0))
		return "Invalid effect";
	if ((principal == NULL) == (not_principal == NULL) ||
	    !principal_valid(principal != NULL ? principal : not_principal))
		return "Invalid principal in policy";
	if (not_principal != NULL && strcmp(effect, "Allow") == 0) /* all the world but one */
		return "Allow with NotPrincipal is not allowed.";
	if ((action == NULL) == (not_action == NULL) ||
	    !texts(action != NULL ? action : not_action) ||
	    !actions_known(action != NULL ? action : not_action))
		return "Policy has invalid action";
	if ((resource == NULL) == (not_resource == NULL) ||
	    !texts(resource != NULL ? resource : not_resource) ||
	    !resources_ours(resource != NULL ? resource : not_resource, bucket))
		return "Policy has invalid resource";
	return policy_condition_wrong(js_member(s, "Condition"));
}

static const struct js *
statement(const struct policy *p, size_t i)
{
	const struct js *s = js_member(p->root, "Statement");

	return js_is_object(s) ? (i == 0 ? s : NULL) : js_at(s, i);
}

int
policy_parse(struct bytes json, const char *bucket, struct policy **out, const char **why)
{
	struct policy *p = calloc(1, sizeof(*p));
	const struct js *s;
	int err = ERR_INVALID;
	size_t i;

	if (p == NULL)
		return ERR_NOMEM;
	(void)snprintf(p->bucket, sizeof(p->bucket), "%s", bucket);
	if (json.len > 0 && json.len <= POLICY_BYTES_MAX && json.data[0] == '{')
		err = js_parse(json, &p->root);
	if (err != ERR_OK) {
		*why = err == ERR_TOO_BIG
			   ? "Policies must not be nested so deep"
			   : "Policies must be valid JSON and the first byte must be '{'";
		policy_free(p);
		return ERR_INVALID;
	}
	*why = "Missing required field Statement";
	for (i = 0; (s = statement(p, i)) != NULL && i < STATEMENTS_MAX; i++) {
		*why = js_is_object(s) ? wrong_statement(s, bucket) : "Invalid statement";
		if (*why != NULL)
			break;
	}
	if (*why != NULL) {
		policy_free(p);
		return ERR_INVALID;
	}
	*out = p;
	return ERR_OK;
}

void
policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	js_free(p->root);
	free(p);
}

enum policy_keys
policy_keys(const struct policy *p)
{
	enum policy_keys worst = POLICY_KEYS_KNOWN;
	const struct js *s;

	for (size_t i = 0; (s = statement(p, i)) != NULL; i++) {
		enum policy_keys keys = policy_condition_keys(js_member(s, "Condition"));

		worst = MAX(worst, keys);
	}
	return worst;
}

/* ---- judging ---- */

/* "arn:aws:iam::ID:root", "arn:aws:iam::ID:user/NAME", "ID" or "*"; also as CanonicalUser. */
static bool
is_principal(const char *text, const char *account)
{
	static const char iam[] = "arn:aws:iam::";
	size_t len = strlen(account);

	if (strcmp(text, "*") == 0)
		return true;
	if (len == 0)
		return false;
	if (strncmp(text, iam, sizeof(iam) - 1) == 0) {
		text += sizeof(iam) - 1;
		if (text[0] == ':') { /* no tenant: the account's id is the user's name */
			text++;
			if (strncmp(text, "user/", 5) == 0)
				text += 5;
			return strcmp(text, account) == 0;
		}
		return strncmp(text, account, len) == 0 && text[len] == ':';
	}
	return strcmp(text, account) == 0;
}

static bool
principal_in(const struct js *v, const char *account)
{
	const struct js *member, *item;
	const char *name;

	if (js_text(v) != NULL)
		return is_principal(js_text(v), account);
	for (size_t i = 0; (member = js_named(v, i, &name)) != NULL; i++) {
		if (strcmp(name, "AWS") != 0 && strcmp(name, "CanonicalUser") != 0 &&
		    strcmp(name, "*") != 0)
			continue;
		for (size_t k = 0; (item = policy_item(member, k)) != NULL; k++) {
			if (is_principal(js_text(item), account))
				return true;
		}
	}
	return false;
}

static bool
any_matches(const struct js *v, const char *text, bool ignore_case)
{
	const struct js *item;

	for (size_t i = 0; (item = policy_item(v, i)) != NULL; i++) {
		if (policy_matches(js_text(item), text, ignore_case))
			return true;
	}
	return false;
}

/* What stands for a list of names, and for its complement. */
static bool
listed(
    const struct js *s, const char *name, const char *not_name, const char *text, bool ignore_case)
{
	const struct js *v = js_member(s, name);

	return v != NULL ? any_matches(v, text, ignore_case)
			 : !any_matches(js_member(s, not_name), text, ignore_case);
}

static bool
applies(const struct js *s, const struct policy_question *q, const char *resource)
{
	const struct js *principal = js_member(s, "Principal");

	if (principal != NULL ? !principal_in(principal, q->account)
			      : principal_in(js_member(s, "NotPrincipal"), q->account))
		return false;
	return listed(s, "Action", "NotAction", q->action, true) &&
	       listed(s, "Resource", "NotResource", resource, false) &&
	       policy_condition_holds(js_member(s, "Condition"), q);
}

enum policy_verdict
policy_judge(const struct policy *p, const struct policy_question *q)
{
	enum policy_verdict verdict = POLICY_SILENT;
	size_t cap = strlen(ARN) + strlen(q->bucket) + strlen(q->key) + 2;
	char *resource = malloc(cap);
	const struct js *s;

	if (resource == NULL)
		return POLICY_DENY; /* nothing is let in that cannot be looked at */
	(void)snprintf(
	    resource, cap, ARN "%s%s%s", q->bucket, q->key[0] != '\0' ? "/" : "", q->key);
	for (size_t i = 0; (s = statement(p, i)) != NULL; i++) {
		if (!applies(s, q, resource))
			continue;
		if (strcmp(js_text(js_member(s, "Effect")), "Deny") == 0) {
			verdict = POLICY_DENY;
			break;
		}
		verdict = POLICY_ALLOW;
	}
	free(resource);
	return verdict;
}

bool
policy_public(const struct policy *p)
{
	const struct js *s;

	for (size_t i = 0; (s = statement(p, i)) != NULL; i++) {
		const struct js *principal = js_member(s, "Principal");

		if (strcmp(js_text(js_member(s, "Effect")), "Allow") == 0 &&
		    (principal == NULL || principal_in(principal, "")) &&
		    !policy_condition_narrows(js_member(s, "Condition")))
			return true;
	}
	return false;
}
