/*
 * Listings: objects (both versions of the call), versions, uploads. One walk for all
 * (object/listing.h); here are the parameters and the XML. S3 puts common prefixes behind all else.
 */
#include "gateway/ops.h"

#include <stdlib.h>

#include "gateway/stored.h"
#include "object/listing.h"
#include "object/upload.h"

struct listing {
	struct request *r;
	struct list_query q;
	struct xml x;
	struct buf prefixes;
	struct xml px; /* on prefixes */
	bool url, v2, owners;
	const char *prefix, *delimiter, *after, *after_id;
	struct buf token;           /* what a continuation token says */
	struct realm_account owner; /* the last one that was looked up */
};

/* ---- XML ---- */

static void
put_name(struct listing *l, struct xml *x, const char *element, struct bytes name)
{
	struct buf encoded;

	if (!l->url) {
		xml_put_bytes(x, element, name);
		return;
	}
	buf_init(&encoded, KIB(8));
	if (x->err == ERR_OK)
		x->err = encode_percent(&encoded, name, true);
	xml_put_bytes(x, element, buf_bytes(&encoded));
	buf_fini(&encoded);
}

static SUSPENDS int
put_owner(struct listing *l, const char *element, struct bytes id)
{
	char text[ACCOUNT_ID_MAX + 1];
	int err = ERR_OK;

	if (id.len > ACCOUNT_ID_MAX)
		return ERR_CORRUPT;
	memcpy(text, id.data, id.len);
	text[id.len] = '\0';
	if (strcmp(text, l->owner.id.text) != 0)
		err = request_account(l->r, text, &l->owner);
	xml_put_owner(&l->x, element, &l->owner);
	return err;
}

static SUSPENDS int
put_object(struct listing *l, const struct list_item *item)
{
	const struct entry *e = item->entry;
	int err = ERR_OK;

	xml_open(&l->x, "Contents");
	put_name(l, &l->x, "Key", item->key);
	xml_put_time(&l->x, "LastModified", e->modified_ms);
	xml_put_etag(&l->x, &e->etag);
	xml_put_checksum_kind(&l->x, &e->checksum);
	xml_put_number(&l->x, "Size", e->size);
	if (l->owners)
		err = put_owner(l, "Owner", e->owner);
	xml_put(&l->x, "StorageClass", storage_class_name(e->storage_class));
	xml_close(&l->x, "Contents");
	return err != ERR_OK ? err : l->x.err;
}

static SUSPENDS int
put_version(struct listing *l, const struct list_item *item)
{
	const struct entry *e = item->entry;
	const char *element = e->marker ? "DeleteMarker" : "Version";
	char text[VERSION_TEXT_MAX];
	int err;

	xml_open(&l->x, element);
	put_name(l, &l->x, "Key", item->key);
	xml_put(&l->x, "VersionId", version_text(e->null, &e->version, text));
	xml_put_bool(&l->x, "IsLatest", item->latest);
	xml_put_time(&l->x, "LastModified", e->modified_ms);
	if (!e->marker) {
		xml_put_etag(&l->x, &e->etag);
		xml_put_checksum_kind(&l->x, &e->checksum);
		xml_put_number(&l->x, "Size", e->size);
		xml_put(&l->x, "StorageClass", storage_class_name(e->storage_class));
	}
	err = put_owner(l, "Owner", e->owner);
	xml_close(&l->x, element);
	return err != ERR_OK ? err : l->x.err;
}

static SUSPENDS int
put_upload(struct listing *l, const struct list_item *item)
{
	char text[VERSION_TEXT_MAX];
	int err;

	xml_open(&l->x, "Upload");
	put_name(l, &l->x, "Key", item->key);
	xml_put(&l->x, "UploadId", version_text(false, &item->upload->id, text));
	err = put_owner(l, "Initiator", text_bytes(item->upload->initiator.text));
	if (err == ERR_OK)
		err = put_owner(l, "Owner", item->entry->owner);
	xml_put(&l->x, "StorageClass", storage_class_name(item->entry->storage_class));
	xml_put_time(&l->x, "Initiated", item->upload->created_ms);
	xml_put_checksum_kind(&l->x, &item->entry->checksum);
	xml_close(&l->x, "Upload");
	return err != ERR_OK ? err : l->x.err;
}

static SUSPENDS int
each_item(void *arg, const struct list_item *item)
{
	struct listing *l = arg;

	if (item->kind == LIST_PREFIX) {
		xml_open(&l->px, "CommonPrefixes");
		put_name(l, &l->px, "Prefix", item->key);
		xml_close(&l->px, "CommonPrefixes");
		return l->px.err;
	}
	switch (l->q.what) {
	case LIST_OBJECTS:
		return put_object(l, item);
	case LIST_VERSIONS:
		return put_version(l, item);
	default:
		return put_upload(l, item);
	}
}

/* ---- parameters ---- */

static int
read_common(struct listing *l, const char *max_name)
{
	const char *max = request_query(l->r, max_name);
	const char *encoding = request_query(l->r, "encoding-type");
	uint64_t n = LIST_MAX;

	l->prefix = request_query(l->r, "prefix");
	l->delimiter = request_query(l->r, "delimiter");
	if (max != NULL && *max != '\0' && !decimal_parse(max, INT32_MAX, &n))
		return S3_InvalidArgument;
	if (encoding != NULL && *encoding != '\0' && strcmp(encoding, "url") != 0)
		return S3_InvalidArgument;
	l->url = encoding != NULL && *encoding != '\0';
	l->q.max = (uint32_t)MIN(n, LIST_MAX);
	l->q.prefix = text_bytes(l->prefix);
	l->q.delimiter = text_bytes(l->delimiter);
	return ERR_OK;
}

/* Ours are base64 of the last name of the answer before. */
static int
read_token(struct listing *l, const char *token)
{
	if (*token == '\0')
		return ERR_OK; /* from the start */
	if (decode_base64_any(&l->token, text_bytes(token)) != ERR_OK) {
		l->r->message = "The continuation token provided is incorrect";
		return S3_InvalidArgument;
	}
	l->q.after = buf_bytes(&l->token);
	return ERR_OK;
}

static void
put_token(struct listing *l, const struct list_result *result)
{
	struct buf text;

	buf_init(&text, KIB(4));
	if (l->x.err == ERR_OK)
		l->x.err = encode_base64(&text, buf_bytes(&result->next));
	xml_put_bytes(&l->x, "NextContinuationToken", buf_bytes(&text));
	buf_fini(&text);
}

/* ---- the calls ---- */

static void
listing_init(
    struct listing *l, struct request *r, enum list_what what, struct buf *body, const char *root)
{
	*l = (struct listing){ .r = r };
	l->q.what = what;
	buf_init(&l->prefixes, REPLY_BODY_MAX);
	buf_init(&l->token, KIB(4));
	l->x = xml_begin(body, root, S3_XMLNS);
	l->px.out = &l->prefixes;
	xml_put(&l->x, what == LIST_UPLOADS ? "Bucket" : "Name", r->bucket->name);
}

static void
listing_fini(struct listing *l)
{
	buf_fini(&l->prefixes);
	buf_fini(&l->token);
}

/* Common prefixes, and the end of the document. */
static int
listing_end(struct listing *l, const char *root)
{
	if (l->x.err == ERR_OK)
		l->x.err = l->px.err;
	if (l->x.err == ERR_OK)
		l->x.err = buf_append(l->x.out, l->prefixes.data, l->prefixes.len);
	return xml_end(&l->x, root);
}

/* Some clients that ask for encoded names decode the prefix, too, and some do not: as it came,
 * where that is the same for both and fits into XML. */
static void
put_prefix(struct listing *l, const char *prefix)
{
	bool plain = strpbrk(prefix, "%+") == NULL;

	for (const char *p = prefix; *p != '\0' && plain; p++)
		plain = (unsigned char)*p >= ' ' || *p == '\n' || *p == '\t';
	if (plain)
		xml_put(&l->x, "Prefix", prefix);
	else
		put_name(l, &l->x, "Prefix", text_bytes(prefix));
}

static void
put_parameters(struct listing *l, const char *max_name)
{
	put_prefix(l, l->prefix == NULL ? "" : l->prefix);
	if (l->delimiter != NULL && *l->delimiter != '\0')
		put_name(l, &l->x, "Delimiter", text_bytes(l->delimiter));
	xml_put_number(&l->x, max_name, l->q.max);
	if (l->url)
		xml_put(&l->x, "EncodingType", "url");
}

static SUSPENDS int
list_objects(struct listing *l, struct list_result *result)
{
	const char *marker = request_query(l->r, "marker");
	const char *start = request_query(l->r, "start-after");
	const char *token = request_query(l->r, "continuation-token");
	const char *owners = request_query(l->r, "fetch-owner");
	const char *unordered = request_query(l->r, "allow-unordered");
	int err = read_common(l, "max-keys");

	/* Others may list in any order; then names with one prefix are not beside each other. */
	if (err == ERR_OK && unordered != NULL && strcmp(unordered, "true") == 0 &&
	    l->q.delimiter.len > 0)
		return S3_InvalidArgument;
	l->owners = !l->v2 || (owners != NULL && strcmp(owners, "true") == 0);
	l->q.after = text_bytes(l->v2 ? start : marker);
	if (err == ERR_OK && l->v2 && token != NULL)
		err = read_token(l, token);
	if (err == ERR_OK)
		err = list_run(l->r->view, &l->q, each_item, l, result);
	if (err != ERR_OK)
		return err;
	put_parameters(l, "MaxKeys");
	xml_put_bool(&l->x, "IsTruncated", result->truncated);
	if (!l->v2) {
		put_name(l, &l->x, "Marker", text_bytes(marker == NULL ? "" : marker));
		/* Without a delimiter clients go on from the last key. */
		if (result->truncated && l->q.delimiter.len > 0)
			put_name(l, &l->x, "NextMarker", buf_bytes(&result->next));
	} else {
		xml_put_number(&l->x, "KeyCount", result->count);
		if (token != NULL)
			xml_put(&l->x, "ContinuationToken", token);
		if (start != NULL)
			put_name(l, &l->x, "StartAfter", text_bytes(start));
		if (result->truncated)
			put_token(l, result);
	}
	return listing_end(l, "ListBucketResult");
}

SUSPENDS int
op_list_objects(struct request *r)
{
	const char *type = request_query(r, "list-type");
	struct listing *l = calloc(1, sizeof(*l));
	struct list_result result;
	struct buf body;
	int err;

	if (l == NULL)
		return ERR_NOMEM;
	buf_init(&body, REPLY_BODY_MAX);
	list_result_init(&result);
	listing_init(l, r, LIST_OBJECTS, &body, "ListBucketResult");
	l->v2 = type != NULL && strcmp(type, "2") == 0;
	err = list_objects(l, &result);
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	listing_fini(l);
	list_result_fini(&result);
	buf_fini(&body);
	free(l);
	return err;
}

/* Versions and uploads: two markers each. */
struct marker_names {
	const char *root, *max, *key, *id, *next_key, *next_id, *max_element, *query_key, *query_id;
};

static SUSPENDS int
list_marked(struct listing *l, const struct marker_names *n, struct list_result *result)
{
	int err = read_common(l, n->max);

	l->after = request_query(l->r, n->query_key);
	l->after_id = request_query(l->r, n->query_id);
	/* An empty one is none. */
	l->after_id = l->after_id != NULL && *l->after_id == '\0' ? NULL : l->after_id;
	l->q.after = text_bytes(l->after);
	l->q.after_id = text_bytes(l->after_id);
	if (err == ERR_OK)
		err = list_run(l->r->view, &l->q, each_item, l, result);
	if (err != ERR_OK)
		return err;
	put_parameters(l, n->max_element);
	xml_put_bool(&l->x, "IsTruncated", result->truncated);
	put_name(l, &l->x, n->key, text_bytes(l->after == NULL ? "" : l->after));
	xml_put(&l->x, n->id, l->after_id == NULL ? "" : l->after_id);
	if (result->truncated) {
		put_name(l, &l->x, n->next_key, buf_bytes(&result->next));
		if (result->next_has_id)
			xml_put(&l->x, n->next_id, result->next_id);
	}
	return listing_end(l, n->root);
}

static SUSPENDS int
run_marked(struct request *r, enum list_what what, const struct marker_names *n)
{
	struct listing *l = calloc(1, sizeof(*l));
	struct list_result result;
	struct buf body;
	int err;

	if (l == NULL)
		return ERR_NOMEM;
	buf_init(&body, REPLY_BODY_MAX);
	list_result_init(&result);
	listing_init(l, r, what, &body, n->root);
	err = list_marked(l, n, &result);
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	listing_fini(l);
	list_result_fini(&result);
	buf_fini(&body);
	free(l);
	return err;
}

SUSPENDS int
op_list_versions(struct request *r)
{
	static const struct marker_names names = { "ListVersionsResult", "max-keys", "KeyMarker",
		"VersionIdMarker", "NextKeyMarker", "NextVersionIdMarker", "MaxKeys", "key-marker",
		"version-id-marker" };

	return run_marked(r, LIST_VERSIONS, &names);
}

SUSPENDS int
op_list_uploads(struct request *r)
{
	static const struct marker_names names = { "ListMultipartUploadsResult", "max-uploads",
		"KeyMarker", "UploadIdMarker", "NextKeyMarker", "NextUploadIdMarker", "MaxUploads",
		"key-marker", "upload-id-marker" };

	return run_marked(r, LIST_UPLOADS, &names);
}
