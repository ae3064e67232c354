/* Buckets: made, looked at, removed. */
#include "gateway/ops.h"

#include <stdlib.h>

#include "gateway/acl_text.h"
#include "gateway/document.h"
#include "gateway/gateway_private.h"
#include "object/bucket_record.h"

#define S3_FIRST_REGION "us-east-1" /* is nowhere named, and forgives */

struct creating {
	struct request *r;
	struct settings settings;
	struct buf acl, tags; /* object/acl.h, object/pairs.h; empty: none */
	char region[SETTINGS_REGION_MAX + 1];
	const char *location; /* "": the region is only what the gateway itself is called */
};

/* The first transaction of a bucket. */
static SUSPENDS int
first_state(void *arg, struct kv *txn)
{
	struct creating *c = arg;
	int err = settings_put(txn, &c->settings);

	if (err == ERR_OK && c->acl.len > 0)
		err = setting_put(txn, "acl", buf_bytes(&c->acl));
	if (err == ERR_OK && c->tags.len > 0)
		err = setting_put(txn, TAGS_DOCUMENT, buf_bytes(&c->tags));
	return err;
}

static int
read_region(struct creating *c, const struct xml_node *root)
{
	struct request *r = c->r;
	const char *region = xml_text(root, "LocationConstraint");

	if (region == NULL || *region == '\0')
		return ERR_OK;
	if (strlen(region) > SETTINGS_REGION_MAX)
		return S3_InvalidLocationConstraint;
	if (r->realm->ops->region_known(r->realm, region))
		c->location = c->region;
	else if (strcmp(region, r->g->opts.region) != 0)
		return S3_InvalidLocationConstraint;
	strcpy(c->region, region);
	return ERR_OK;
}

/* A body is allowed, and often there is none. */
static SUSPENDS int
read_body(struct creating *c)
{
	const struct xml_node *tags;
	struct xml_doc *doc;
	int err = request_xml(c->r, "CreateBucketConfiguration", &doc);

	if (err == S3_MissingRequestBodyError)
		return ERR_OK;
	if (err != ERR_OK)
		return err;
	tags = xml_child(xml_root(doc), "Tags");
	if (xml_child(xml_root(doc), "Bucket") != NULL)
		err = S3_NotImplemented; /* a directory bucket */
	if (err == ERR_OK)
		err = read_region(c, xml_root(doc));
	if (err == ERR_OK && tags != NULL)
		err = tags_of_xml(tags, &c->tags, TAGS_BUCKET_MAX);
	xml_free(doc);
	return err;
}

static int
read_ownership(struct creating *c)
{
	static const char *const names[] = { "BucketOwnerEnforced", "BucketOwnerPreferred",
		"ObjectWriter" };
	const char *name = request_header(c->r, "x-amz-object-ownership");

	c->settings.ownership =
	    c->r->g->opts.buckets_closed ? OWNERSHIP_ENFORCED : OWNERSHIP_WRITER;
	/* Also when it blocks nothing: none is set only after it was deleted. */
	c->settings.public_block_set = true;
	if (c->r->g->opts.buckets_closed)
		c->settings.public_block = BLOCK_PUBLIC_ACLS | IGNORE_PUBLIC_ACLS |
					   BLOCK_PUBLIC_POLICY | RESTRICT_PUBLIC_BUCKETS;
	if (name == NULL)
		return ERR_OK;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(name, names[i]) == 0) {
			c->settings.ownership = (uint8_t)i;
			c->settings.ownership_set = true;
			return ERR_OK;
		}
	}
	return S3_InvalidArgument;
}

static SUSPENDS int
read_acl(struct creating *c)
{
	struct attribute_source src = attributes_of_request(c->r);
	const struct account_id *owner = &c->r->caller.account.id;
	struct acl *acl = malloc(sizeof(*acl));
	bool given;
	int err = acl == NULL ? ERR_NOMEM : acl_of_headers(c->r, &src, owner, owner, acl, &given);

	if (err == ERR_OK && given) {
		if (c->settings.ownership == OWNERSHIP_ENFORCED &&
		    (acl->count != 1 || acl_public(acl)))
			err = S3_InvalidBucketAclWithObjectOwnership;
		else
			err = acl_pack(acl, &c->acl);
	}
	free(acl);
	return err;
}

static SUSPENDS int
same_acl(struct realm_bucket *there, const struct creating *c, bool *out)
{
	struct acl *private = calloc(1, sizeof(*private));
	struct buf is, plain;
	struct kv *view;
	int err = private == NULL ? ERR_NOMEM : there->ops->view(there, REALM_CURRENT, &view);

	if (err != ERR_OK) {
		free(private);
		return err;
	}
	buf_init(&is, ACL_BYTES_MAX);
	buf_init(&plain, ACL_BYTES_MAX);
	err = setting_get(view, "acl", &is);
	there->ops->view_release(there, view);
	if (err == ERR_OK || err == REFUSAL_NO_SETTING)
		err = acl_canned(private, "private", &there->owner.id, &there->owner.id);
	if (err == ERR_OK)
		err = acl_pack(private, &plain);
	*out = bytes_equal(is.len > 0 ? buf_bytes(&is) : buf_bytes(&plain),
	    c->acl.len > 0 ? buf_bytes(&c->acl) : buf_bytes(&plain));
	buf_fini(&is);
	buf_fini(&plain);
	free(private);
	return err;
}

/*
 * Whose is the name? One's own again, with the ACL that it has, is what was asked for: S3's first
 * region says 200, the others that it is there.
 */
static SUSPENDS int
taken(const struct creating *c)
{
	struct request *r = c->r;
	struct realm_bucket *there;
	bool same;
	int err = r->realm->ops->bucket(r->realm, r->target.bucket, &there);

	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? S3_OperationAborted
					    : err; /* it came or went just now */
	if (strcmp(there->owner.id.text, r->caller.account.id.text) != 0)
		err = S3_BucketAlreadyExists;
	else
		err = same_acl(there, c, &same);
	there->ops->release(there);
	if (err != ERR_OK)
		return err;
	if (!same)
		return S3_BucketAlreadyExists;
	return strcmp(r->g->opts.region, S3_FIRST_REGION) == 0 ? ERR_OK
							       : S3_BucketAlreadyOwnedByYou;
}

SUSPENDS int
op_create_bucket(struct request *r)
{
	struct creating *c = calloc(1, sizeof(*c));
	const char *lock = request_header(r, "x-amz-bucket-object-lock-enabled");
	bool valid = bucket_name_valid(r->target.bucket, strlen(r->target.bucket));
	int err = valid ? ERR_OK : S3_InvalidBucketName;

	if (c == NULL)
		return ERR_NOMEM;
	c->r = r;
	c->location = "";
	buf_init(&c->acl, ACL_BYTES_MAX);
	buf_init(&c->tags, SETTING_BYTES_MAX);
	if (err == ERR_OK)
		err = read_body(c);
	if (err == ERR_OK)
		err = read_ownership(c);
	if (err == ERR_OK)
		err = read_acl(c);
	if (err == ERR_OK) {
		c->settings.created_ms = r->now_ms;
		c->settings.owner = r->caller.account.id;
		c->settings.region = bytes_of(c->region, strlen(c->region));
		if (lock != NULL && strcasecmp(lock, "true") == 0) {
			c->settings.lock = true;
			c->settings.versioning = VERSIONING_ENABLED;
		}
		err = r->realm->ops->create(r->realm, &r->caller.account, r->target.bucket,
		    c->location, first_state, c, &r->bucket);
		if (err == ERR_EXISTS)
			err = taken(c);
	}
	buf_fini(&c->acl);
	buf_fini(&c->tags);
	free(c);
	if (err == ERR_OK)
		err = reply_headerf(r, "Location", "/%s", r->target.bucket);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

static const char *
region_of(const struct request *r, char out[SETTINGS_REGION_MAX + 1])
{
	struct bytes region = r->settings.region;

	if (region.len == 0)
		return r->g->opts.region;
	memcpy(out, region.data, region.len);
	out[region.len] = '\0';
	return out;
}

SUSPENDS int
op_head_bucket(struct request *r)
{
	char region[SETTINGS_REGION_MAX + 1];
	int err = reply_header(r, "x-amz-bucket-region", region_of(r, region));

	return err == ERR_OK ? reply_body(r, 200, "application/xml", bytes_of("", 0)) : err;
}

SUSPENDS int
op_get_location(struct request *r)
{
	char region[SETTINGS_REGION_MAX + 1];
	struct buf body;
	struct xml x;
	int err;

	buf_init(&body, KIB(4));
	x = xml_begin(&body, "LocationConstraint", S3_XMLNS);
	if (r->settings.region.len > 0 && strcmp(region_of(r, region), S3_FIRST_REGION) != 0)
		xml_raw(&x, region); /* checked when it was set: a known name */
	err = xml_end(&x, "LocationConstraint");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

SUSPENDS int
op_delete_bucket(struct request *r)
{
	int err = bucket_empty(r->view);

	if (err != ERR_OK)
		return err;
	request_view_drop(r);
	err = r->realm->ops->remove(r->realm, r->bucket);
	return err == ERR_OK ? reply_empty(r, 204) : err;
}
