/* Settings that are documents: read, checked, kept as they came. */
#include "gateway/ops.h"

#include <stdlib.h>

#include "gateway/document.h"
#include "gateway/policy.h"

#define DOCUMENT_MAX KIB(64) /* S3's limit of its longest, CORS */

struct kind {
	const char *subresource, *root;
	int missing;
	int (*check)(const struct xml_node *root);
	unsigned status; /* of PUT */
};

static const struct kind kinds[] = {
	{ "cors", "CORSConfiguration", S3_NoSuchCORSConfiguration, cors_check, 200 },
	{ "website", "WebsiteConfiguration", S3_NoSuchWebsiteConfiguration, website_check, 200 },
	{ "encryption", "ServerSideEncryptionConfiguration",
	    S3_ServerSideEncryptionConfigurationNotFoundError, encryption_check, 200 },
	{ "policy", NULL, S3_NoSuchBucketPolicy, NULL, 204 },
};

static const struct kind *
kind_of(const struct request *r)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].subresource, r->op->subresource) == 0)
			return &kinds[i];
	}
	return NULL;
}

/* ---- parsing, for all who read such documents ---- */

struct parsing {
	struct bytes text;
	struct xml_doc *doc;
};

static int
parse(void *arg)
{
	struct parsing *p = arg;

	return xml_read(p->text, &p->doc);
}

SUSPENDS int
document_parse(struct request *r, struct bytes text, struct xml_doc **out)
{
	struct parsing p = { .text = text };
	/* Never on a task's stack, however short. */
	int err = env_offload(r->env, WORK_CPU, parse, &p, MAX(text.len, WORK_INLINE_MAX));

	if (err == ERR_OK)
		*out = p.doc;
	return err == ERR_INVALID || err == ERR_TOO_BIG ? S3_MalformedXML : err;
}

SUSPENDS int
document_xml(struct request *r, const char *name, struct xml_doc **out)
{
	struct buf text;
	int err = request_view(r);

	if (err != ERR_OK)
		return err;
	buf_init(&text, DOCUMENT_MAX);
	err = setting_get(r->view, name, &text);
	if (err == ERR_OK)
		err = document_parse(r, buf_bytes(&text), out);
	buf_fini(&text);
	return err;
}

/* ---- the calls ---- */

SUSPENDS int
op_get_config(struct request *r)
{
	const struct kind *k = kind_of(r);
	struct buf text;
	int err;

	must(k != NULL);
	buf_init(&text, DOCUMENT_MAX);
	err = setting_get(r->view, k->subresource, &text);
	if (err == ERR_OK)
		err = reply_body(r, 200, k->root == NULL ? "application/json" : "application/xml",
		    buf_bytes(&text));
	buf_fini(&text);
	return err == REFUSAL_NO_SETTING ? k->missing : err;
}

struct changing {
	const struct kind *kind;
	struct buf text;
	bool remove;
};

static SUSPENDS int
change_txn(void *arg, struct kv *txn)
{
	const struct changing *c = arg;

	return c->remove ? setting_del(txn, c->kind->subresource)
			 : setting_put(txn, c->kind->subresource, buf_bytes(&c->text));
}

static SUSPENDS int
check_policy(struct request *r, struct bytes text)
{
	enum policy_keys keys;
	struct policy *policy;
	const char *why;
	int err = policy_parse(text, r->bucket->name, &policy, &why);

	if (err == ERR_INVALID) {
		r->message = why;
		return S3_MalformedPolicy;
	}
	if (err != ERR_OK)
		return err;
	keys = policy_keys(policy);
	if (keys == POLICY_KEYS_STRANGE) {
		r->message = "Policy has an invalid condition key";
		err = S3_MalformedPolicy;
	} else if (keys == POLICY_KEYS_UNSUPPORTED) {
		err = S3_NotImplemented;
	} else if ((r->settings.public_block & BLOCK_PUBLIC_POLICY) && policy_public(policy)) {
		err = S3_AccessDenied;
	}
	policy_free(policy);
	return err;
}

static SUSPENDS int
check(struct request *r, const struct kind *k, struct bytes text)
{
	struct xml_doc *doc;
	int err;

	if (k->root == NULL)
		return check_policy(r, text);
	if (text.len == 0)
		return S3_MissingRequestBodyError;
	err = document_parse(r, text, &doc);
	if (err != ERR_OK)
		return err;
	err = xml_is(xml_root(doc), k->root) ? k->check(xml_root(doc)) : S3_MalformedXML;
	xml_free(doc);
	return err;
}

SUSPENDS int
op_put_config(struct request *r)
{
	struct changing c = { .kind = kind_of(r) };
	int err;

	must(c.kind != NULL);
	buf_init(&c.text, DOCUMENT_MAX);
	err = request_body(r, DOCUMENT_MAX, &c.text);
	if (err == ERR_OK)
		err = check(r, c.kind, buf_bytes(&c.text));
	if (err == ERR_OK)
		err = request_update(r, change_txn, &c, NULL);
	buf_fini(&c.text);
	return err == ERR_OK ? reply_empty(r, c.kind->status) : err;
}

SUSPENDS int
op_delete_config(struct request *r)
{
	struct changing c = { .kind = kind_of(r), .remove = true };
	int err;

	must(c.kind != NULL);
	err = request_update(r, change_txn, &c, NULL);
	return err == ERR_OK ? reply_empty(r, 204) : err;
}

/* Whether the bucket's ACL lets everybody in. */
static SUSPENDS int
public_acl(struct request *r, bool *out)
{
	struct acl *acl = malloc(sizeof(*acl));
	struct buf packed;
	int err = acl == NULL ? ERR_NOMEM : ERR_OK;

	*out = false;
	buf_init(&packed, ACL_BYTES_MAX);
	if (err == ERR_OK)
		err = setting_get(r->view, "acl", &packed);
	if (err == ERR_OK)
		err = acl_unpack(buf_bytes(&packed), acl);
	if (err == ERR_OK)
		*out = acl_public(acl) && !(r->settings.public_block & IGNORE_PUBLIC_ACLS);
	buf_fini(&packed);
	free(acl);
	return err == REFUSAL_NO_SETTING ? ERR_OK : err;
}

static SUSPENDS int
public_policy(struct request *r, bool *out)
{
	struct policy *policy;
	const char *why;
	struct buf text;
	int err;

	*out = false;
	buf_init(&text, DOCUMENT_MAX);
	err = setting_get(r->view, "policy", &text);
	if (err == ERR_OK)
		err = policy_parse(buf_bytes(&text), r->bucket->name, &policy, &why);
	if (err == ERR_OK) {
		*out = policy_public(policy);
		policy_free(policy);
	}
	buf_fini(&text);
	/* One that cannot be read lets nobody in. */
	return err == REFUSAL_NO_SETTING || err == ERR_INVALID ? ERR_OK : err;
}

SUSPENDS int
op_get_policy_status(struct request *r)
{
	bool by_policy = false, by_acl = false;
	struct buf body;
	struct xml x;
	int err = public_policy(r, &by_policy);

	if (err == ERR_OK)
		err = public_acl(r, &by_acl);
	if (err != ERR_OK)
		return err;
	buf_init(&body, KIB(4));
	x = xml_begin(&body, "PolicyStatus", S3_XMLNS);
	xml_put_bool(&x, "IsPublic", by_policy || by_acl);
	err = xml_end(&x, "PolicyStatus");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

/* ---- what is never set here: it can be read, and set to what it is ---- */

enum never { NEVER_LOGGING, NEVER_NOTIFICATION, NEVER_ACCELERATE, NEVER_PAYMENT, NEVERS };

static const char *const nevers[NEVERS][2] = {
	[NEVER_LOGGING] = { "logging", "BucketLoggingStatus" },
	[NEVER_NOTIFICATION] = { "notification", "NotificationConfiguration" },
	[NEVER_ACCELERATE] = { "accelerate", "AccelerateConfiguration" },
	[NEVER_PAYMENT] = { "requestPayment", "RequestPaymentConfiguration" },
};

static enum never
never_of(const struct request *r)
{
	enum never n = NEVER_LOGGING;

	while (strcmp(nevers[n][0], r->op->subresource) != 0)
		must(++n < NEVERS); /* the table of operations says which these are */
	return n;
}

SUSPENDS int
op_get_replication(struct request *r)
{
	(void)r;
	return S3_ReplicationConfigurationNotFoundError;
}

SUSPENDS int
op_get_empty(struct request *r)
{
	enum never n = never_of(r);
	const char *root = nevers[n][1];
	struct buf body;
	struct xml x;
	int err;

	buf_init(&body, KIB(4));
	x = xml_begin(&body, root, S3_XMLNS);
	if (n == NEVER_PAYMENT)
		xml_put(&x, "Payer", "BucketOwner");
	err = xml_end(&x, root);
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

static bool
is_so(enum never n, const struct xml_node *root)
{
	const char *text;

	switch (n) {
	case NEVER_LOGGING:
		return xml_child(root, "LoggingEnabled") == NULL;
	case NEVER_ACCELERATE:
		text = xml_text(root, "Status");
		return text != NULL && strcmp(text, "Suspended") == 0;
	case NEVER_PAYMENT:
		text = xml_text(root, "Payer");
		return text != NULL && strcmp(text, "BucketOwner") == 0;
	default:
		return root->child == NULL;
	}
}

SUSPENDS int
op_put_empty(struct request *r)
{
	enum never n = never_of(r);
	struct xml_doc *doc;
	int err = request_xml(r, nevers[n][1], &doc);

	if (err != ERR_OK)
		return err;
	err = is_so(n, xml_root(doc)) ? ERR_OK : S3_NotImplemented;
	xml_free(doc);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

/* ---- encryption: always on; what can be set is what is so anyway ---- */

static int
encryption_rule_check(const struct xml_node *rule)
{
	const char *algorithm =
	    xml_text(xml_child(rule, "ApplyServerSideEncryptionByDefault"), "SSEAlgorithm");
	const struct xml_node *blocked = xml_child(rule, "BlockedEncryptionTypes");

	if (algorithm == NULL)
		return S3_MalformedXML;
	if (strncmp(algorithm, "aws:kms", 7) == 0)
		return S3_NotImplemented;
	/* Nobody's key is refused: a rule that says so would not be kept. */
	for (const struct xml_node *n = blocked == NULL ? NULL : blocked->child; n != NULL;
	     n = n->next) {
		if (xml_is(n, "EncryptionType") && strcmp(n->text, "NONE") != 0)
			return S3_NotImplemented;
	}
	return strcmp(algorithm, "AES256") == 0 ? ERR_OK : S3_MalformedXML;
}

int
encryption_check(const struct xml_node *root)
{
	int err = xml_child(root, "Rule") == NULL ? S3_MalformedXML : ERR_OK;

	for (const struct xml_node *n = root->child; n != NULL && err == ERR_OK; n = n->next)
		err = xml_is(n, "Rule") ? encryption_rule_check(n) : S3_MalformedXML;
	return err;
}
