/* ACLs of buckets and objects; object ownership; the block of public access. */
#include "gateway/ops.h"

#include <stdlib.h>

#include "gateway/acl_text.h"
#include "gateway/gateway_private.h"

struct setting_acl {
	struct request *r;
	struct version_ref which;
	struct buf acl;
};

static bool
of_object(const struct request *r)
{
	return r->target.key[0] != '\0';
}

/* What is kept, or what nothing kept means: all to the owner. */
static SUSPENDS int
current(struct request *r, struct acl *out)
{
	struct account_id owner = r->bucket->owner.id;
	struct bytes packed = bytes_of(NULL, 0);
	struct buf document;
	int err;

	buf_init(&document, ACL_BYTES_MAX);
	if (of_object(r)) {
		err = request_entry(r);
		if (err == ERR_OK)
			err = bucket_readable(&r->entry, &r->which);
		if (err == ERR_OK) {
			memset(&owner, 0, sizeof(owner));
			memcpy(owner.text, r->entry.owner.data,
			    MIN(r->entry.owner.len, ACCOUNT_ID_MAX));
			packed = r->entry.acl;
		}
	} else {
		err = setting_get(r->view, "acl", &document);
		packed = buf_bytes(&document);
		err = err == REFUSAL_NO_SETTING ? ERR_OK : err;
	}
	if (err == ERR_OK && packed.len > 0) {
		err = acl_unpack(packed, out);
	} else if (err == ERR_OK) {
		memset(out, 0, sizeof(*out));
		err = acl_canned(out, "private", &owner, &r->bucket->owner.id);
	}
	buf_fini(&document);
	return err;
}

SUSPENDS int
op_get_acl(struct request *r)
{
	struct acl *acl = malloc(sizeof(*acl));
	struct buf body;
	int err = acl == NULL ? ERR_NOMEM : current(r, acl);

	buf_init(&body, REPLY_BODY_MAX);
	if (err == ERR_OK)
		err = acl_to_xml(r, acl, &body);
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	free(acl);
	return err;
}

static SUSPENDS int
acl_txn(void *arg, struct kv *txn)
{
	struct setting_acl *s = arg;
	struct bucket_txn t = request_txn(s->r, txn);
	struct bucket_done done = { .versioned = false };
	int err;

	if (!of_object(s->r))
		return setting_put(txn, "acl", buf_bytes(&s->acl));
	err = bucket_set_acl(&t, request_key(s->r), &s->which, buf_bytes(&s->acl), &done);
	return request_done(s->r, txn, err, &done);
}

/* From headers or, when they say nothing, from the body. */
static SUSPENDS int
read_acl(struct request *r, const struct acl *old, struct acl *out)
{
	struct attribute_source src = attributes_of_request(r);
	struct xml_doc *doc;
	bool given;
	int err = acl_of_headers(r, &src, &old->owner, &r->bucket->owner.id, out, &given);

	if (err != ERR_OK || given)
		return err;
	err = request_xml(r, "AccessControlPolicy", &doc);
	if (err == S3_MissingRequestBodyError)
		return S3_MissingSecurityHeader;
	if (err != ERR_OK)
		return err == S3_MalformedXML ? S3_MalformedACLError : err;
	err = acl_of_xml(r, xml_root(doc), out);
	xml_free(doc);
	/* Nobody gives an object away. */
	if (err == ERR_OK && strcmp(out->owner.text, old->owner.text) != 0)
		err = S3_AccessDenied;
	return err;
}

static SUSPENDS int
put_acl(struct request *r, struct acl *old, struct acl *new)
{
	struct setting_acl s = { .r = r };
	struct bucket_done done = { .versioned = false };
	int err = current(r, old);

	if (err == ERR_OK && r->settings.ownership == OWNERSHIP_ENFORCED)
		err = S3_AccessControlListNotSupported;
	if (err == ERR_OK)
		err = read_acl(r, old, new);
	if (err == ERR_OK && (r->settings.public_block & BLOCK_PUBLIC_ACLS) && acl_public(new))
		err = S3_AccessDenied;
	if (err != ERR_OK)
		return err;
	s.which = r->which;
	buf_init(&s.acl, ACL_BYTES_MAX);
	err = acl_pack(new, &s.acl);
	if (err == ERR_OK)
		err = request_update(r, acl_txn, &s, &done);
	if (err == ERR_OK)
		err = reply_done(r, &done);
	buf_fini(&s.acl);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

SUSPENDS int
op_put_acl(struct request *r)
{
	struct acl *old = malloc(sizeof(*old)), *new = malloc(sizeof(*new));
	int err = old == NULL || new == NULL ? ERR_NOMEM : put_acl(r, old, new);

	free(old);
	free(new);
	return err;
}

/* ---- ownership ---- */

static const char *const ownership_names[] = { "BucketOwnerEnforced", "BucketOwnerPreferred",
	"ObjectWriter" };

struct changing {
	uint8_t ownership, public_block;
	bool ownership_set, public_block_set, of_block;
};

/* Reads the settings as they are now, and changes one thing of them. */
static SUSPENDS int
change_txn(void *arg, struct kv *txn)
{
	const struct changing *c = arg;
	struct settings s;
	struct buf value;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = settings_get(txn, &value, &s);
	if (err == ERR_OK && c->of_block) {
		s.public_block = c->public_block;
		s.public_block_set = c->public_block_set;
	} else if (err == ERR_OK) {
		s.ownership = c->ownership;
		s.ownership_set = c->ownership_set;
	}
	if (err == ERR_OK)
		err = settings_put(txn, &s);
	buf_fini(&value);
	return err;
}

SUSPENDS int
op_get_ownership(struct request *r)
{
	struct buf body;
	struct xml x;
	int err;

	if (!r->settings.ownership_set)
		return S3_OwnershipControlsNotFoundError;
	buf_init(&body, KIB(4));
	x = xml_begin(&body, "OwnershipControls", S3_XMLNS);
	xml_open(&x, "Rule");
	xml_put(&x, "ObjectOwnership", ownership_names[r->settings.ownership]);
	xml_close(&x, "Rule");
	err = xml_end(&x, "OwnershipControls");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

/* Without ACLs nobody but the owner may have been granted anything by one. */
static SUSPENDS int
check_enforced(struct request *r)
{
	struct acl *acl = malloc(sizeof(*acl));
	int err = acl == NULL ? ERR_NOMEM : current(r, acl);

	for (size_t i = 0; err == ERR_OK && i < acl->count; i++) {
		if (acl->grants[i].grantee != ACL_ACCOUNT ||
		    strcmp(acl->grants[i].account.text, r->bucket->owner.id.text) != 0)
			err = S3_InvalidBucketAclWithObjectOwnership;
	}
	free(acl);
	return err;
}

SUSPENDS int
op_put_ownership(struct request *r)
{
	struct changing c = { .ownership_set = true };
	struct xml_doc *doc;
	const char *name;
	int err = request_xml(r, "OwnershipControls", &doc);

	if (err != ERR_OK)
		return err;
	name = xml_text(xml_child(xml_root(doc), "Rule"), "ObjectOwnership");
	err = S3_MalformedXML;
	for (uint8_t i = 0; i < ARRAY_LEN(ownership_names) && name != NULL; i++) {
		if (strcmp(name, ownership_names[i]) == 0) {
			c.ownership = i;
			err = ERR_OK;
		}
	}
	xml_free(doc);
	if (err == ERR_OK && c.ownership == OWNERSHIP_ENFORCED)
		err = check_enforced(r);
	if (err == ERR_OK)
		err = request_update(r, change_txn, &c, NULL);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

SUSPENDS int
op_delete_ownership(struct request *r)
{
	/* Without controls ACLs count and writers own, as before there were any. */
	struct changing c = { .ownership = OWNERSHIP_WRITER };
	int err = request_update(r, change_txn, &c, NULL);

	return err == ERR_OK ? reply_empty(r, 204) : err;
}

/* ---- public access ---- */

static const struct {
	const char *name;
	uint8_t bit;
} blocks[] = {
	{ "BlockPublicAcls", BLOCK_PUBLIC_ACLS },
	{ "IgnorePublicAcls", IGNORE_PUBLIC_ACLS },
	{ "BlockPublicPolicy", BLOCK_PUBLIC_POLICY },
	{ "RestrictPublicBuckets", RESTRICT_PUBLIC_BUCKETS },
};

SUSPENDS int
op_get_public_block(struct request *r)
{
	struct buf body;
	struct xml x;
	int err;

	if (!r->settings.public_block_set && r->settings.public_block == 0)
		return S3_NoSuchPublicAccessBlockConfiguration;
	buf_init(&body, KIB(4));
	x = xml_begin(&body, "PublicAccessBlockConfiguration", S3_XMLNS);
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++)
		xml_put_bool(&x, blocks[i].name, (r->settings.public_block & blocks[i].bit) != 0);
	err = xml_end(&x, "PublicAccessBlockConfiguration");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

SUSPENDS int
op_put_public_block(struct request *r)
{
	struct changing c = { .of_block = true, .public_block_set = true };
	struct xml_doc *doc;
	int err = request_xml(r, "PublicAccessBlockConfiguration", &doc);

	if (err != ERR_OK)
		return err;
	for (size_t i = 0; i < ARRAY_LEN(blocks); i++) {
		const char *text = xml_text(xml_root(doc), blocks[i].name);

		if (text != NULL && (strcmp(text, "true") == 0 || strcmp(text, "TRUE") == 0))
			c.public_block |= blocks[i].bit;
	}
	xml_free(doc);
	err = request_update(r, change_txn, &c, NULL);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

SUSPENDS int
op_delete_public_block(struct request *r)
{
	struct changing c = { .of_block = true };
	int err = request_update(r, change_txn, &c, NULL);

	return err == ERR_OK ? reply_empty(r, 204) : err;
}
