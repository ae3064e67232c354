/* "/bucket/key?versionId=…", percent-encoded, with or without its first slash. */
#include "gateway/copy_source.h"

#include <stdlib.h>

#include "gateway/conditions_text.h"
#include "gateway/gateway_private.h"

struct bytes
copy_source_key(const struct copy_source *s)
{
	return buf_bytes(&s->key);
}

/* Splits and decodes; bucket into name. */
static int
parse(struct request *r, struct copy_source *s, char name[REALM_BUCKET_MAX])
{
	const char *text = request_header(r, "x-amz-copy-source");
	const char *version = strstr(text, "?versionId="), *slash;
	size_t len = version == NULL ? strlen(text) : (size_t)(version - text);
	struct buf path;
	int err;

	r->message = "Copy Source must mention the source bucket and key: sourcebucket/sourcekey";
	buf_init(&path, TARGET_BYTES_MAX);
	err = decode_percent(&path, bytes_of(text, len), false);
	if (err == ERR_OK && path.len > 0 && path.data[0] == '/')
		buf_drop_front(&path, 1);
	slash = err == ERR_OK && path.len > 0 ? memchr(path.data, '/', path.len) : NULL;
	if (slash == NULL || slash + 1 == (const char *)path.data + path.len ||
	    (size_t)(slash - (const char *)path.data) >= REALM_BUCKET_MAX) {
		buf_fini(&path);
		return S3_InvalidArgument;
	}
	len = (size_t)(slash - (const char *)path.data);
	memcpy(name, path.data, len);
	name[len] = '\0';
	err = buf_append(&s->key, slash + 1, path.len - len - 1);
	buf_fini(&path);
	if (err != ERR_OK || s->key.len > TARGET_KEY_MAX || !utf8_valid(buf_bytes(&s->key)))
		return S3_InvalidArgument;
	r->message = NULL;
	s->version = version == NULL ? NULL : version + strlen("?versionId=");
	return version_parse(text_bytes(s->version), &s->which);
}

static SUSPENDS int
find(struct request *r, struct copy_source *s, struct kv *view)
{
	struct access_question q = { .action = "s3:GetObject",
		.key = buf_str(&s->key),
		.version = s->version,
		.acl = ACL_READ };
	int err = bucket_get(view, buf_bytes(&s->key), &s->which, &s->value, &s->entry);
	int denied;

	if (err == ERR_OK)
		q.entry = &s->entry;
	denied = access_ask_in(r, s->bucket, view, &s->settings, &q);
	if (denied != ERR_OK)
		return denied;
	if (err == ERR_OK)
		err = bucket_readable(&s->entry, &s->which);
	if (err == REFUSAL_MARKER) {
		r->message = "The source of a copy request may not specifically refer to a delete "
			     "marker by version id.";
		return S3_InvalidRequest;
	}
	return err;
}

static SUSPENDS int
check(struct request *r, struct copy_source *s)
{
	struct attribute_source src = attributes_of_request(r);
	struct conditions c;
	int err;

	conditions_of_headers(r, "x-amz-copy-source-", &c);
	err = conditions_copy(&c, &s->entry);
	if (err == ERR_OK)
		err = customer_key(r, &src, "x-amz-copy-source-", &s->customer, &s->has_customer);
	if (err == ERR_OK)
		err = sse_check(
		    s->entry.sse, &s->entry.customer, s->has_customer ? &s->customer : NULL);
	return err;
}

SUSPENDS int
copy_source_open(struct request *r, struct copy_source *s)
{
	const char *expected = request_header(r, "x-amz-source-expected-bucket-owner");
	uint64_t body = web_body_length(r->web);
	char name[REALM_BUCKET_MAX];
	struct kv *view;
	int err;

	*s = (struct copy_source){ .bucket = NULL };
	buf_init(&s->key, TARGET_BYTES_MAX);
	buf_init(&s->value, KV_VALUE_MAX);
	buf_init(&s->settings_value, KV_VALUE_MAX);
	if (body != 0 && body != UINT64_MAX) {
		r->message = "The request included a body. Requests of this type must not include "
			     "a non-empty body.";
		return S3_InvalidRequest;
	}
	err = parse(r, s, name);
	if (err != ERR_OK)
		return err;
	s->same = strcmp(name, r->bucket->name) == 0;
	if (s->same)
		s->bucket = r->bucket;
	else
		err = r->realm->ops->bucket(r->realm, name, &s->bucket);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? S3_NoSuchBucket : err;
	if (expected != NULL && strcmp(expected, s->bucket->owner.id.text) != 0)
		return S3_AccessDenied;
	err = s->bucket->ops->view(s->bucket, REALM_CURRENT, &view);
	if (err != ERR_OK)
		return err;
	err = settings_get(view, &s->settings_value, &s->settings);
	if (err == ERR_OK)
		err = find(r, s, view);
	s->bucket->ops->view_release(s->bucket, view);
	return err == ERR_OK ? check(r, s) : err;
}

SUSPENDS void
copy_source_fini(struct request *r, struct copy_source *s)
{
	(void)r;
	if (s->bucket != NULL && !s->same)
		s->bucket->ops->release(s->bucket);
	buf_fini(&s->key);
	buf_fini(&s->value);
	buf_fini(&s->settings_value);
	crypto_wipe(&s->customer, sizeof(s->customer));
}

int
reply_copy_source(struct request *r, const struct copy_source *s)
{
	char text[VERSION_TEXT_MAX];

	if (s->settings.versioning == VERSIONING_NEVER)
		return ERR_OK;
	return reply_header(r, "x-amz-copy-source-version-id",
	    version_text(s->entry.null, &s->entry.version, text));
}
