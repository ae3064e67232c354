/* Every field must be met by a condition, every condition by a field. */
#include "gateway/post_policy.h"

#include <stdlib.h>
#include <strings.h>

#include "gateway/encode.h"
#include "gateway/errors.h"
#include "gateway/js.h"
#include "gateway/sigv2.h"
#include "gateway/times.h"

struct checking {
	const struct form *f;
	const char *bucket, *key;
	bool met[FORM_FIELDS_MAX], bucket_met;
	struct post_limits *limits;
};

/* Fields that are not part of what the policy decides on. */
static bool
is_free(const char *name)
{
	static const char *const names[] = { "policy", "x-amz-signature", "signature",
		"AWSAccessKeyId", "file", "submit" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(names[i], name) == 0)
			return true;
	}
	/* A checksum lets nothing in that would be refused without it. */
	return strncasecmp(name, "x-ignore-", 9) == 0 ||
	       strncasecmp(name, "x-amz-checksum-", 15) == 0;
}

static const char *
field(struct checking *c, const char *name)
{
	if (strcasecmp(name, "bucket") == 0) {
		c->bucket_met = true;
		return c->bucket;
	}
	for (size_t i = 0; i < form_count(c->f); i++) {
		if (strcasecmp(form_at(c->f, i).name, name) == 0)
			c->met[i] = true;
	}
	if (strcasecmp(name, "key") == 0)
		return c->key;
	return form_value(c->f, name);
}

static int
one(struct checking *c, const char *name, const char *wanted, bool begins)
{
	const char *value = field(c, name);

	if (value == NULL)
		return begins && *wanted == '\0' ? ERR_OK : S3_AccessDenied;
	if (begins)
		return strncmp(value, wanted, strlen(wanted)) == 0 ? ERR_OK : S3_AccessDenied;
	return strcmp(value, wanted) == 0 ? ERR_OK : S3_AccessDenied;
}

static bool
number(const struct js *v, uint64_t *out)
{
	char scratch[32];
	const char *text = js_scalar(v, scratch);

	return text != NULL && decimal_parse(text, UINT64_MAX, out);
}

/* ["starts-with", "$key", "user/"], ["eq", …], ["content-length-range", 1, 10] */
static int
listed(struct checking *c, const struct js *v)
{
	const char *op = js_text(js_at(v, 0)), *name = js_text(js_at(v, 1));
	const char *wanted = js_text(js_at(v, 2));

	if (op == NULL || js_count(v) != 3)
		return S3_InvalidPolicyDocument;
	if (strcasecmp(op, "content-length-range") == 0)
		return number(js_at(v, 1), &c->limits->least) &&
			       number(js_at(v, 2), &c->limits->most)
			   ? ERR_OK
			   : S3_InvalidPolicyDocument;
	if (name == NULL || wanted == NULL || name[0] != '$')
		return S3_InvalidPolicyDocument;
	if (strcasecmp(op, "eq") == 0)
		return one(c, name + 1, wanted, false);
	return strcasecmp(op, "starts-with") == 0 ? one(c, name + 1, wanted, true)
						  : S3_InvalidPolicyDocument;
}

static int
condition(struct checking *c, const struct js *v)
{
	const struct js *wanted;
	const char *name;
	int err = ERR_OK;

	if (js_is_array(v))
		return listed(c, v);
	if (!js_is_object(v) || js_count(v) == 0)
		return S3_InvalidPolicyDocument;
	for (size_t i = 0; err == ERR_OK && (wanted = js_named(v, i, &name)) != NULL; i++)
		err = js_text(wanted) == NULL ? S3_InvalidPolicyDocument
					      : one(c, name, js_text(wanted), false);
	return err;
}

static int
check(struct checking *c, const struct js *root, uint64_t now_ms, const char **why)
{
	const char *expiration = js_text(js_member(root, "expiration"));
	const struct js *conditions = js_member(root, "conditions");
	uint64_t until;
	int err = ERR_OK;

	*why = "Invalid Policy: it has no valid expiration and list of conditions.";
	if (expiration == NULL || times_parse_iso(expiration, &until) != ERR_OK ||
	    !js_is_array(conditions) || js_count(conditions) == 0)
		return S3_InvalidPolicyDocument;
	*why = "Invalid according to Policy: Policy expired.";
	if (now_ms > until)
		return S3_AccessDenied;
	*why = "Invalid according to Policy: Policy Condition failed";
	for (size_t i = 0; i < js_count(conditions) && err == ERR_OK; i++)
		err = condition(c, js_at(conditions, i));
	if (err != ERR_OK)
		return err;
	if (!c->bucket_met) /* no field, but not anybody's choice either */
		return S3_AccessDenied;
	*why = "Invalid according to Policy: Extra input fields";
	for (size_t i = 0; i < form_count(c->f); i++) {
		if (!c->met[i] && !is_free(form_at(c->f, i).name))
			return S3_AccessDenied;
	}
	return ERR_OK;
}

int
post_policy_check(struct bytes text, uint64_t now_ms, const struct form *f, const char *bucket,
    const char *key, struct post_limits *out, const char **why)
{
	struct checking c = { .f = f, .bucket = bucket, .key = key, .limits = out };
	struct js *root;
	int err;

	err = js_parse(text, &root);
	*why = err == ERR_TOO_BIG ? "Invalid Policy: It is nested too deep."
				  : "Invalid Policy: Invalid JSON.";
	if (err != ERR_OK)
		return S3_InvalidPolicyDocument;
	err = check(&c, root, now_ms, why);
	js_free(root);
	return err;
}

/* ---- signatures ---- */

static int
read_v4(const struct form *f, struct post_signature *out)
{
	const char *algorithm = form_value(f, "x-amz-algorithm");
	const char *credential = form_value(f, "x-amz-credential"), *slash;

	out->v4 = true;
	out->signature = form_value(f, "x-amz-signature");
	if (algorithm == NULL || strcmp(algorithm, "AWS4-HMAC-SHA256") != 0 || credential == NULL ||
	    out->signature == NULL || form_value(f, "x-amz-date") == NULL)
		return S3_InvalidArgument;
	slash = strchr(credential, '/');
	if (slash == NULL || (size_t)(slash - credential) > SIGV4_ACCESS_MAX ||
	    strlen(slash + 1) >= sizeof(out->scope))
		return S3_InvalidArgument;
	memcpy(out->room, credential, (size_t)(slash - credential));
	out->room[slash - credential] = '\0';
	out->access = out->room;
	strcpy(out->scope, slash + 1);
	return ERR_OK;
}

int
post_signature_read(const struct form *f, struct post_signature *out, bool *given)
{
	*out = (struct post_signature){ .v4 = false };
	out->policy = form_value(f, "policy");
	out->access = form_value(f, "AWSAccessKeyId");
	out->signature = form_value(f, "signature");
	*given = out->policy != NULL || out->access != NULL || out->signature != NULL ||
		 form_value(f, "x-amz-signature") != NULL;
	if (!*given)
		return ERR_OK;
	if (out->policy == NULL)
		return S3_InvalidArgument;
	if (form_value(f, "x-amz-signature") != NULL || form_value(f, "x-amz-credential") != NULL)
		return read_v4(f, out);
	return out->access != NULL && out->signature != NULL ? ERR_OK : S3_InvalidArgument;
}

int
post_signature_verify(const struct post_signature *s, const char *secret)
{
	struct key key;
	int err;

	if (!s->v4)
		return sigv2_verify_text(
		    secret, bytes_of(s->policy, strlen(s->policy)), s->signature);
	sigv4_key(&key, secret, s->scope);
	err = sigv4_verify_text(&key, s->policy, s->signature);
	crypto_wipe(&key, sizeof(key));
	return err;
}
