/*
 * May they? In this order: what the access key itself may; the bucket policy (Deny ends it, Allow
 * lets in); who owns the bucket or object; the ACL. A policy of the bucket cannot lock its owner
 * out of the policy itself, not even one that cannot be read, which denies all else.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/attributes.h"
#include "gateway/gateway_private.h"
#include "gateway/ops.h"
#include "gateway/policy.h"
#include "gateway/times.h"

struct asking {
	struct request *r;
	struct realm_bucket *b;
	struct kv *view;
	const struct settings *settings;
	const struct access_question *q;
	char action[64]; /* with "Version" where one is named */
	bool unreadable; /* the policy that is kept */
};

/* ---- what the key may ---- */

static bool
starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static enum access_right
right_of(const char *action)
{
	static const char *const writes[] = { "s3:PutObject", "s3:DeleteObject",
		"s3:AbortMultipart", "s3:BypassGovernance", "s3:ReplicateObject" };

	for (size_t i = 0; i < ARRAY_LEN(writes); i++) {
		if (starts(action, writes[i]))
			return ACCESS_WRITE;
	}
	return starts(action, "s3:Get") || starts(action, "s3:List") ? ACCESS_READ : ACCESS_ADMIN;
}

static bool
key_allows(const struct asking *a)
{
	const char *key = a->q->key, *bucket = a->b == NULL ? a->r->target.bucket : a->b->name;

	if (request_anonymous(a->r))
		return true; /* what nobody has signed has no key that could say no */
	if (starts(a->q->action, "s3:ListBucket")) {
		key = request_query(a->r, "prefix");
		key = key == NULL ? "" : key;
	}
	/* One that is to be made has a name, too. */
	return access_allows(&a->r->caller.key, a->r->now_ms, *bucket == '\0' ? NULL : bucket,
	    *key == '\0' ? bytes_of(NULL, 0) : bytes_of(key, strlen(key)), right_of(a->q->action));
}

/* ---- what the policy says ---- */

static const char *
tag_value(struct bytes tags, const char *name, char scratch[POLICY_VALUE_MAX])
{
	struct bytes value;

	if (!pairs_find(tags, bytes_of(name, strlen(name)), &value) ||
	    value.len >= POLICY_VALUE_MAX)
		return NULL;
	memcpy(scratch, value.data, value.len);
	scratch[value.len] = '\0';
	return scratch;
}

static const char *
peer_text(const struct request *r, char scratch[POLICY_VALUE_MAX])
{
	struct addr a;

	web_peer(r->web, &a);
	if (a.family == ADDR_IPV4) {
		(void)snprintf(
		    scratch, POLICY_VALUE_MAX, "%u.%u.%u.%u", a.ip[0], a.ip[1], a.ip[2], a.ip[3]);
		return scratch;
	}
	scratch[0] = '\0';
	for (int i = 0; i < 16 && a.family == ADDR_IPV6; i += 2) {
		size_t len = strlen(scratch);

		(void)snprintf(scratch + len, POLICY_VALUE_MAX - len, "%s%x", i == 0 ? "" : ":",
		    (unsigned)a.ip[i] << 8 | a.ip[i + 1]);
	}
	return scratch[0] == '\0' ? NULL : scratch;
}

/* A tag of x-amz-tagging, "a=b&c=d". */
static const char *
request_tag(const struct request *r, const char *name, char scratch[POLICY_VALUE_MAX])
{
	const char *text = request_header(r, "x-amz-tagging");
	struct buf out;
	const char *found = NULL;

	buf_init(&out, POLICY_VALUE_MAX - 1);
	while (text != NULL && *text != '\0' && found == NULL) {
		size_t len = strcspn(text, "&"), n = strcspn(text, "=&");

		buf_reset(&out);
		if (decode_percent(&out, bytes_of(text, n), true) == ERR_OK &&
		    strcmp(buf_str(&out), name) == 0 && n < len) {
			buf_reset(&out);
			if (decode_percent(&out, bytes_of(text + n + 1, len - n - 1), true) ==
			    ERR_OK) {
				strcpy(scratch, buf_str(&out));
				found = scratch;
			}
		}
		text += len + (text[len] == '&');
	}
	buf_fini(&out);
	return found;
}

/* Whether what s3:PutObject allows makes an object, rather than a part of one. */
static bool
makes_object(const struct request *r)
{
	return !target_has(&r->target, "uploads") &&
	       (!target_has(&r->target, "uploadId") || strcmp(web_method(r->web), "POST") == 0);
}

/* What else the query says of a version is said of no key, or of another one. */
static const char *
version_named(const struct asking *a)
{
	const struct request *r = a->r;

	return a->q->key == r->target.key && r->op->level == OP_OBJECT
		   ? request_query(r, "versionId")
		   : a->q->version;
}

static const char *
known_value(const struct asking *a, const char *name, char scratch[POLICY_VALUE_MAX])
{
	static const struct {
		const char *name, *query, *header;
	} plain[] = {
		{ "s3:prefix", "prefix", NULL },
		{ "s3:delimiter", "delimiter", NULL },
		{ "s3:max-keys", "max-keys", NULL },
		{ "aws:useragent", NULL, "user-agent" },
		{ "aws:referer", NULL, "referer" },
		{ "s3:if-match", NULL, "if-match" },
		{ "s3:if-none-match", NULL, "if-none-match" },
		{ "s3:locationconstraint", NULL, NULL },
	};
	const struct request *r = a->r;

	/* Whether somebody may hear that an object is missing is whether they may list it alone. */
	if (strcmp(name, "s3:prefix") == 0 && r->target.key[0] != '\0' &&
	    strcmp(a->q->action, "s3:ListBucket") == 0)
		return r->target.key;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		if (strcmp(name, plain[i].name) == 0)
			return plain[i].query != NULL    ? request_query(r, plain[i].query)
			       : plain[i].header != NULL ? request_header(r, plain[i].header)
							 : NULL;
	}
	if (strcmp(name, "s3:versionid") == 0)
		return version_named(a);
	if (strcmp(name, "aws:sourceip") == 0)
		return peer_text(r, scratch);
	if (strcmp(name, "aws:securetransport") == 0)
		return web_encrypted(r->web) ? "true" : "false";
	if (strcmp(name, "aws:currenttime") == 0)
		return times_iso(r->now_ms, scratch);
	if (strcmp(name, "aws:epochtime") == 0) {
		(void)snprintf(
		    scratch, POLICY_VALUE_MAX, "%llu", (unsigned long long)r->now_ms / 1000);
		return scratch;
	}
	if (strcmp(name, "aws:principaltype") == 0)
		return request_anonymous(r) ? "Anonymous" : "Account";
	if (strcmp(name, "aws:principalarn") == 0 && !request_anonymous(r)) {
		(void)snprintf(
		    scratch, POLICY_VALUE_MAX, "arn:aws:iam::%s:root", r->caller.account.id.text);
		return scratch;
	}
	if (strcmp(name, "aws:userid") == 0 || strcmp(name, "aws:principalaccount") == 0)
		return r->caller.account.id.text[0] == '\0' ? NULL : r->caller.account.id.text;
	if (strcmp(name, "aws:username") == 0)
		return r->caller.account.name[0] == '\0' ? NULL : r->caller.account.name;
	if (strcmp(name, "s3:authtype") == 0)
		return r->sig.anonymous   ? NULL
		       : r->sig.presigned ? "REST-QUERY-STRING"
					  : "REST-HEADER";
	if (strcmp(name, "s3:objectcreationoperation") == 0)
		return strcmp(a->q->action, "s3:PutObject") != 0 ? NULL
		       : makes_object(r)                         ? "true"
								 : "false";
	if (strcmp(name, "s3:signatureversion") == 0)
		return r->sig.anonymous ? NULL : r->sig.v2 ? "AWS" : "AWS4-HMAC-SHA256";
	/* s3:x-amz-acl, s3:x-amz-server-side-encryption, s3:x-amz-grant-read … are headers. */
	return starts(name, "s3:x-amz-") ? request_header(r, name + 3) : NULL;
}

static const char *
policy_value(void *arg, const char *name, size_t i, char scratch[POLICY_VALUE_MAX])
{
	struct asking *a = arg;

	if (strncasecmp(name, "s3:existingobjecttag/", 21) == 0)
		return i > 0 || a->q->entry == NULL
			   ? NULL
			   : tag_value(a->q->entry->tags, name + 21, scratch);
	if (strncasecmp(name, "s3:requestobjecttag/", 20) == 0)
		return i > 0 ? NULL : request_tag(a->r, name + 20, scratch);
	return i > 0 ? NULL : known_value(a, name, scratch);
}

/* Whether a policy would count that lets everybody in. */
static SUSPENDS int
ask_policy(struct asking *a, enum policy_verdict *out)
{
	struct policy_question q = { .account = a->r->caller.account.id.text,
		.action = a->action,
		.bucket = a->b->name,
		.key = a->q->key,
		.value = policy_value,
		.arg = a };
	struct policy *policy;
	const char *why;
	struct buf text;
	int err;

	*out = POLICY_SILENT;
	buf_init(&text, POLICY_BYTES_MAX);
	err = setting_get(a->view, "policy", &text);
	if (err == ERR_OK) {
		err = policy_parse(buf_bytes(&text), a->b->name, &policy, &why);
		if (err == ERR_OK) {
			*out = policy_judge(policy, &q);
			if (*out == POLICY_ALLOW &&
			    (a->settings->public_block & RESTRICT_PUBLIC_BUCKETS) &&
			    policy_public(policy))
				*out = POLICY_SILENT;
			policy_free(policy);
		} else if (err == ERR_INVALID) {
			a->unreadable = true;
			*out = POLICY_DENY; /* nobody knows what it would have denied */
			err = ERR_OK;
		}
	} else if (err == REFUSAL_NO_SETTING) {
		err = ERR_OK;
	}
	buf_fini(&text);
	return err;
}

/* ---- what owners and ACLs say ---- */

static bool
is_account(const struct request *r, struct bytes id)
{
	const char *mine = r->caller.account.id.text;

	return mine[0] != '\0' && bytes_equal(bytes_of(mine, strlen(mine)), id);
}

static bool
is_bucket_owner(const struct asking *a)
{
	const char *owner = a->b->owner.id.text;

	return is_account(a->r, bytes_of(owner, strlen(owner)));
}

static bool
owner_allows(const struct asking *a)
{
	const struct entry *e = a->q->entry;

	if (e == NULL || a->q->acl == 0 || a->settings->ownership == OWNERSHIP_ENFORCED)
		return is_bucket_owner(a);
	if (e->owner.len == 0)
		return is_bucket_owner(a);
	return is_account(a->r, e->owner);
}

static bool
grants(const struct asking *a, struct bytes packed)
{
	struct acl *acl;
	bool ok = false;

	if (packed.len == 0 || a->settings->ownership == OWNERSHIP_ENFORCED)
		return false;
	acl = malloc(sizeof(*acl));
	if (acl != NULL && acl_unpack(packed, acl) == ERR_OK &&
	    !((a->settings->public_block & IGNORE_PUBLIC_ACLS) && acl_public(acl)))
		ok = (acl_allows(acl, request_anonymous(a->r) ? NULL : &a->r->caller.account.id) &
			 a->q->acl) == a->q->acl;
	free(acl);
	return ok;
}

static SUSPENDS int
ask_acl(const struct asking *a, bool *out)
{
	struct buf text;
	int err;

	*out = false;
	if (a->q->acl == 0)
		return ERR_OK;
	if (a->q->entry != NULL) {
		*out = grants(a, a->q->entry->acl);
		return ERR_OK;
	}
	buf_init(&text, ACL_BYTES_MAX);
	err = setting_get(a->view, "acl", &text);
	if (err == ERR_OK)
		*out = grants(a, buf_bytes(&text));
	buf_fini(&text);
	return err == REFUSAL_NO_SETTING ? ERR_OK : err;
}

/* Owners can take away from themselves what the bucket's ACL grants; they can always give it back,
 * for who reads and writes the ACL is not up to it. */
static SUSPENDS int
owner_gave_up(const struct asking *a, bool *out)
{
	struct buf text;
	struct acl *acl;
	int err;

	*out = false;
	if (a->q->entry != NULL || (a->q->acl & (ACL_READ | ACL_WRITE)) == 0 ||
	    a->settings->ownership == OWNERSHIP_ENFORCED)
		return ERR_OK;
	acl = malloc(sizeof(*acl));
	buf_init(&text, ACL_BYTES_MAX);
	err = acl == NULL ? ERR_NOMEM : setting_get(a->view, "acl", &text);
	if (err == ERR_OK && text.len > 0)
		err = acl_unpack(buf_bytes(&text), acl);
	if (err == ERR_OK && text.len > 0)
		*out = (acl_allows(acl, &a->r->caller.account.id) & a->q->acl) != a->q->acl;
	buf_fini(&text);
	free(acl);
	return err == REFUSAL_NO_SETTING ? ERR_OK : err;
}

/* ---- the verdict ---- */

/* "s3:GetObjectAcl" is "s3:GetObjectVersionAcl" where a version is named. */
static void
name_action(struct asking *a)
{
	static const char *const stems[] = { "s3:GetObject", "s3:PutObject", "s3:DeleteObject" };
	static const char *const rests[] = { "", "Acl", "Tagging", "Attributes" };
	const char *action = a->q->action;

	(void)snprintf(a->action, sizeof(a->action), "%s", action);
	if (a->q->new_object || a->q->key[0] == '\0' || version_named(a) == NULL ||
	    strcmp(action, "s3:PutObject") == 0)
		return;
	for (size_t i = 0; i < ARRAY_LEN(stems); i++) {
		size_t len = strlen(stems[i]);

		for (size_t k = 0; k < ARRAY_LEN(rests) && starts(action, stems[i]); k++) {
			if (strcmp(action + len, rests[k]) == 0)
				(void)snprintf(a->action, sizeof(a->action), "%sVersion%s",
				    stems[i], rests[k]);
		}
	}
}

SUSPENDS int
access_ask_in(struct request *r, struct realm_bucket *b, struct kv *view,
    const struct settings *settings, const struct access_question *q)
{
	struct asking a = { .r = r, .b = b, .view = view, .settings = settings, .q = q };
	enum policy_verdict verdict;
	bool granted;
	int err;

	name_action(&a);
	if (!key_allows(&a))
		return S3_AccessDenied;
	err = ask_policy(&a, &verdict);
	if (err != ERR_OK)
		return err;
	if (is_bucket_owner(&a) && strstr(q->action, "BucketPolicy") != NULL)
		return ERR_OK;
	if (a.unreadable && is_bucket_owner(&a))
		r->message = "The bucket's policy cannot be read: delete it, or put another one.";
	if (verdict == POLICY_DENY)
		return S3_AccessDenied;
	if (verdict == POLICY_ALLOW)
		return ERR_OK;
	if (owner_allows(&a)) {
		bool gave_up;

		err = owner_gave_up(&a, &gave_up);
		return err != ERR_OK ? err : gave_up ? S3_AccessDenied : ERR_OK;
	}
	err = ask_acl(&a, &granted);
	if (err != ERR_OK)
		return err;
	return granted ? ERR_OK : S3_AccessDenied;
}

SUSPENDS int
access_ask(struct request *r, const struct access_question *q)
{
	int err = request_view(r);

	return err != ERR_OK ? err : access_ask_in(r, r->bucket, r->view, &r->settings, q);
}

/* Who may write in the bucket may put and delete objects: the bucket's ACL decides. */
static bool
by_bucket_acl(const struct operation *op)
{
	return strcmp(op->action, "s3:PutObject") == 0 ||
	       strcmp(op->action, "s3:DeleteObject") == 0 ||
	       strcmp(op->action, "s3:AbortMultipartUpload") == 0 ||
	       strcmp(op->action, "s3:ListMultipartUploadParts") == 0;
}

/* Operations on an object that is there: its ACL and tags decide. */
static bool
on_entry(const struct operation *op)
{
	return op->level == OP_OBJECT && !by_bucket_acl(op);
}

SUSPENDS int
access_check(struct request *r)
{
	const struct operation *op = r->op;
	struct access_question q = { .action = op->action, .key = r->target.key, .acl = op->acl };

	if (op->action == NULL)
		return ERR_OK; /* the operation asks for itself */
	if (r->bucket == NULL) {
		struct asking a = { .r = r, .q = &q };

		/* Nobody has no buckets, and may be told so; but makes none. */
		if (request_anonymous(r))
			return op->level == OP_SERVICE ? ERR_OK : S3_AccessDenied;
		return key_allows(&a) ? ERR_OK : S3_AccessDenied;
	}
	if (on_entry(op)) {
		int err = request_entry(r);

		if (err == ERR_OK)
			q.entry = &r->entry;
		else if (refusal_is(err))
			return access_missing(r, err);
		else
			return err;
	} else if (op->level == OP_OBJECT) {
		q.acl = ACL_WRITE;
	}
	return access_ask(r, &q);
}

/* An ACL names no actions. Whom the bucket's lets write owns what they make, and may share and tag
 * it; but a lock binds the bucket's owner, too. */
static SUSPENDS int
ask_sets_in(struct request *r, struct kv *view, const struct settings *settings, unsigned sets)
{
	static const struct {
		unsigned set;
		const char *action;
		uint8_t acl;
	} asked[] = {
		{ SETS_ACL, "s3:PutObjectAcl", ACL_WRITE },
		{ SETS_TAGS, "s3:PutObjectTagging", ACL_WRITE },
		{ SETS_RETENTION, "s3:PutObjectRetention", 0 },
		{ SETS_HOLD, "s3:PutObjectLegalHold", 0 },
	};
	int err = ERR_OK;

	for (size_t i = 0; i < ARRAY_LEN(asked) && err == ERR_OK; i++) {
		struct access_question q = { .action = asked[i].action,
			.key = r->target.key,
			.acl = asked[i].acl,
			.new_object = true };

		if ((sets & asked[i].set) != 0)
			err = access_ask_in(r, r->bucket, view, settings, &q);
	}
	return err;
}

SUSPENDS int
access_ask_sets(struct request *r, unsigned sets)
{
	int err = request_view(r);

	return err != ERR_OK ? err : ask_sets_in(r, r->view, &r->settings, sets);
}

SUSPENDS int
access_check_late(struct request *r, struct kv *txn, const struct settings *settings, unsigned sets)
{
	struct access_question q = {
		.action = r->op->action, .key = r->target.key, .acl = ACL_WRITE
	};
	int err;

	must(by_bucket_acl(r->op));
	err = access_ask_in(r, r->bucket, txn, settings, &q);
	return err != ERR_OK ? err : ask_sets_in(r, txn, settings, sets);
}

SUSPENDS int
access_check_stranger(struct request *r)
{
	struct access_question q = { .action = "s3:DeleteObject", .key = "", .acl = ACL_WRITE };
	struct buf text;
	int err;

	if (!request_anonymous(r))
		return ERR_OK;
	buf_init(&text, POLICY_BYTES_MAX);
	err = request_view(r);
	if (err == ERR_OK)
		err = setting_get(r->view, "policy", &text);
	buf_fini(&text);
	/* A policy may say one thing of one key and another of the next. */
	return err == REFUSAL_NO_SETTING ? access_ask(r, &q) : err;
}

SUSPENDS int
access_missing(struct request *r, int err)
{
	struct access_question q = { .action = "s3:ListBucket", .key = "", .acl = ACL_READ };
	int denied = access_ask(r, &q);

	if (denied == ERR_OK && err == REFUSAL_NO_SUCH_KEY)
		(void)reply_header(r, "x-amz-delete-marker", "false"); /* told apart from one */
	return denied != ERR_OK ? denied : err;
}
