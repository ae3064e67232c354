/*
 * Reading: GET and HEAD of an object, whole, a range, or a part; and its attributes. Bytes go from
 * the reader (which fetches ahead) straight to the connection.
 */
#include "gateway/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/attributes.h"
#include "gateway/conditions_text.h"
#include "gateway/expiration.h"
#include "gateway/gateway_private.h"
#include "gateway/stored.h"
#include "gateway/times.h"
#include "object/upload.h"

struct getting {
	struct request *r;
	uint64_t from, len;
	bool partial;
	unsigned parts;           /* of an object that was put in parts, where one is asked for */
	struct checksum checksum; /* of that part */
	struct key customer;
	bool has_customer;
};

/* Whoever makes a link to somebody else's object must not say what a browser takes it for. */
static int
check_overrides(struct request *r)
{
	static const char prefix[] = "response-";

	for (size_t i = 0; i < r->target.query_count; i++) {
		if (!request_anonymous(r) ||
		    strncmp(r->target.query[i].name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		r->message = "Request specific response headers cannot be used for anonymous GET "
			     "requests.";
		return S3_InvalidRequest;
	}
	return ERR_OK;
}

/* ---- which version ---- */

/* A delete marker has its own answers: 404 with a header, or 405. */
static int
refuse_marker(struct request *r, int err)
{
	char text[VERSION_TEXT_MAX], date[TIMES_TEXT_MAX];

	(void)reply_header(r, "x-amz-delete-marker", "true");
	(void)reply_header(
	    r, "x-amz-version-id", version_text(r->entry.null, &r->entry.version, text));
	if (err == REFUSAL_MARKER) {
		(void)reply_header(r, "Last-Modified", times_http(r->entry.modified_ms, date));
		(void)reply_header(r, "Allow", "DELETE");
	}
	return err;
}

static SUSPENDS int
find(struct getting *g)
{
	struct request *r = g->r;
	struct attribute_source src = attributes_of_request(r);
	int err = request_entry(r);

	if (err != ERR_OK)
		return err;
	err = bucket_readable(&r->entry, &r->which);
	if (err != ERR_OK)
		return refuse_marker(r, err);
	if (request_header(r, "x-amz-server-side-encryption") != NULL) {
		r->message = "x-amz-server-side-encryption header is not supported for this "
			     "operation.";
		return S3_InvalidArgument;
	}
	err = customer_key(r, &src, "x-amz-", &g->customer, &g->has_customer);
	if (err == ERR_OK)
		err = sse_check(
		    r->entry.sse, &r->entry.customer, g->has_customer ? &g->customer : NULL);
	if (err == REFUSAL_SSE_MISSING)
		r->message =
		    "The object was stored using a form of Server Side Encryption. The correct "
		    "parameters must be provided to retrieve the object.";
	return err;
}

static int
check_conditions(struct getting *g)
{
	struct conditions c;
	struct request *r = g->r;
	char etag[ETAG_TEXT_MAX], date[TIMES_TEXT_MAX];
	int err;

	conditions_of_headers(r, "", &c);
	err = conditions_read(&c, &r->entry);
	if (err == REFUSAL_NOT_MODIFIED) {
		(void)reply_headerf(r, "ETag", "\"%s\"", etag_text(&r->entry.etag, etag));
		(void)reply_header(r, "Last-Modified", times_http(r->entry.modified_ms, date));
	}
	return err;
}

/* ---- which bytes ---- */

static SUSPENDS int
choose_part(struct getting *g, const char *text)
{
	struct request *r = g->r;
	uint64_t number, offset;
	struct part part;
	int err;

	if (!decimal_parse(text, PART_NUMBER_MAX, &number) || number == 0)
		return S3_InvalidArgument;
	if (request_header(r, "range") != NULL) {
		r->message = "Cannot specify both Range header and partNumber query parameter";
		return S3_InvalidRequest;
	}
	err = upload_object_part(r->view, &r->entry, (uint16_t)number, &offset, &part);
	if (err == ERR_OK) {
		g->from = offset;
		g->len = part.size;
		g->partial = part.size > 0; /* a range of no bytes cannot be told */
		g->parts = r->entry.etag.parts;
		g->checksum = part.checksum;
	}
	return err;
}

static SUSPENDS int
choose(struct getting *g)
{
	struct request *r = g->r;
	const char *part = request_query(r, "partNumber"), *range = request_header(r, "range");
	int err;

	if (part != NULL)
		return choose_part(g, part);
	if (!range_applies(request_header(r, "if-range"), &r->entry))
		range = NULL;
	err = range_parse(range, r->entry.size, &g->from, &g->len, &g->partial);
	if (err == S3_InvalidRange)
		(void)reply_headerf(
		    r, "Content-Range", "bytes */%llu", (unsigned long long)r->entry.size);
	return err;
}

/* ---- the answer ---- */

static int
reply_asked_checksum(struct request *r, const struct checksum *c, unsigned parts)
{
	const char *mode = request_header(r, "x-amz-checksum-mode");
	int err;

	if (mode == NULL || c->algorithm == CHECKSUM_NONE)
		return ERR_OK;
	err = reply_checksum(r, c, parts);
	if (err == ERR_OK)
		err = reply_header(
		    r, "x-amz-checksum-type", sum_type_name((enum sum_type)r->entry.checksum.type));
	return err;
}

static SUSPENDS int
reply_headers(struct getting *g)
{
	struct request *r = g->r;
	struct expiration expiration = { .there = false };
	int err = reply_entry(r, &r->entry);

	if (err == ERR_OK)
		err = reply_header(r, "Accept-Ranges", "bytes");
	if (err == ERR_OK)
		err = reply_version(r);
	if (err == ERR_OK && g->partial)
		err = reply_headerf(r, "Content-Range", "bytes %llu-%llu/%llu",
		    (unsigned long long)g->from, (unsigned long long)(g->from + g->len - 1),
		    (unsigned long long)r->entry.size);
	if (err == ERR_OK && g->parts > 0)
		err = reply_headerf(r, "x-amz-mp-parts-count", "%u", g->parts);
	if (err == ERR_OK && !g->partial && g->parts == 0)
		err = reply_asked_checksum(r, &r->entry.checksum, r->entry.etag.parts);
	else if (err == ERR_OK)
		err = reply_asked_checksum(r, &g->checksum, 0);
	if (err == ERR_OK && r->which.which == VERSION_LATEST)
		err = expiration_find(r, r->view, &r->entry, &expiration);
	return err == ERR_OK ? expiration_reply(r, &expiration) : err;
}

/* The first piece is at hand before the head goes out: what cannot be read is an error, not a cut.
 */
static SUSPENDS int
send_bytes(struct getting *g)
{
	struct request *r = g->r;
	const struct realm_bucket_ops *ops = r->bucket->ops;
	struct realm_reader *reader;
	struct bytes piece;
	int err = ops->reader_new(r->bucket, r->entry.content, g->from, g->len,
	    g->has_customer ? &g->customer : NULL, &reader);

	if (err != ERR_OK)
		return err;
	err = ops->read(reader, &piece);
	if (err == ERR_OK)
		err = reply_start(r, g->partial ? 206 : 200, g->len);
	if (err != ERR_OK) {
		ops->reader_free(reader);
		return err == ERR_END ? ERR_CORRUPT : err;
	}
	do {
		err = web_reply_write(r->web, piece);
		if (err == ERR_OK)
			err = ops->read(reader, &piece);
	} while (err == ERR_OK);
	web_reply_end(r->web, err == ERR_END);
	ops->reader_free(reader);
	if (err != ERR_END && err != ERR_CLOSED)
		log_warn(r->env, "request %s: reading broke off: %s", r->id, err_text(err));
	return ERR_OK;
}

SUSPENDS int
op_get_torrent(struct request *r)
{
	r->message = "No torrent is kept of this object.";
	return S3_NoSuchKey;
}

SUSPENDS int
op_get_object(struct request *r)
{
	struct getting g = { .r = r };
	bool head = strcmp(web_method(r->web), "HEAD") == 0;
	int err = check_overrides(r);

	if (err == ERR_OK)
		err = find(&g);
	if (err == ERR_OK)
		err = check_conditions(&g);
	if (err == ERR_OK)
		err = choose(&g);
	if (err == ERR_OK)
		err = reply_headers(&g);
	if (err == ERR_OK) {
		if (head) {
			err = reply_start(r, g.partial ? 206 : 200, g.len);
			if (err == ERR_OK)
				web_reply_end(r->web, true);
		} else if (g.len == 0) {
			err = reply_body(r, g.partial ? 206 : 200, NULL, bytes_of("", 0));
		} else {
			err = send_bytes(&g);
		}
	}
	crypto_wipe(&g.customer, sizeof(g.customer));
	return err;
}

/* ---- GetObjectAttributes ---- */

static bool
wants(const struct request *r, const char *name)
{
	size_t count, len = strlen(name);
	const struct web_header *h = web_headers(r->web, &count);

	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(h[i].name, "x-amz-object-attributes") != 0)
			continue;
		for (const char *p = h[i].value; *p != '\0';) {
			size_t n;

			p += strspn(p, " ,");
			n = strcspn(p, " ,");
			if (n == len && strncmp(p, name, n) == 0)
				return true;
			p += n;
		}
	}
	return false;
}

struct listing_parts {
	struct xml *x;
	uint16_t last;
};

static int
each_part(void *arg, const struct part *p)
{
	struct listing_parts *l = arg;

	l->last = p->number;
	xml_open(l->x, "Part");
	xml_put_number(l->x, "PartNumber", p->number);
	xml_put_number(l->x, "Size", p->size);
	xml_put_checksum(l->x, &p->checksum, 0);
	xml_close(l->x, "Part");
	return l->x->err;
}

static SUSPENDS int
put_parts(struct request *r, struct xml *x)
{
	const char *max_text = request_header(r, "x-amz-max-parts");
	const char *marker_text = request_header(r, "x-amz-part-number-marker");
	uint64_t max = 1000, marker = 0;
	struct listing_parts l = { .x = x };
	bool truncated;
	int err;

	if ((max_text != NULL && !decimal_parse(max_text, INT32_MAX, &max)) ||
	    (marker_text != NULL && !decimal_parse(marker_text, PART_NUMBER_MAX, &marker)))
		return S3_InvalidArgument;
	max = MIN(max, 1000);
	l.last = (uint16_t)marker;
	xml_open(x, "ObjectParts");
	xml_put_number(x, "PartsCount", r->entry.etag.parts);
	xml_put_number(x, "PartNumberMarker", marker);
	xml_put_number(x, "MaxParts", max);
	err = upload_object_parts(
	    r->view, &r->entry, (uint16_t)marker, (uint32_t)max, each_part, &l, &truncated);
	if (err != ERR_OK)
		return err;
	xml_put_number(x, "NextPartNumberMarker", l.last);
	xml_put_bool(x, "IsTruncated", truncated);
	xml_close(x, "ObjectParts");
	return x->err;
}

static SUSPENDS int
attributes_xml(struct request *r, struct buf *body)
{
	struct xml x = xml_begin(body, "GetObjectAttributesResponse", S3_XMLNS);
	const struct entry *e = &r->entry;
	char text[ETAG_TEXT_MAX];
	int err = ERR_OK;

	if (wants(r, "ETag"))
		xml_put(&x, "ETag", etag_text(&e->etag, text));
	if (wants(r, "Checksum") && e->checksum.algorithm != CHECKSUM_NONE) {
		xml_open(&x, "Checksum");
		xml_put_checksum(&x, &e->checksum, e->etag.parts);
		xml_put(&x, "ChecksumType", sum_type_name((enum sum_type)e->checksum.type));
		xml_close(&x, "Checksum");
	}
	if (wants(r, "ObjectParts") && e->in_parts)
		err = put_parts(r, &x);
	if (wants(r, "StorageClass"))
		xml_put(&x, "StorageClass", storage_class_name(e->storage_class));
	if (wants(r, "ObjectSize"))
		xml_put_number(&x, "ObjectSize", e->size);
	return err != ERR_OK ? err : xml_end(&x, "GetObjectAttributesResponse");
}

SUSPENDS int
op_get_attributes(struct request *r)
{
	static const char *const names[] = { "ETag", "Checksum", "ObjectParts", "StorageClass",
		"ObjectSize" };
	struct getting g = { .r = r };
	char date[TIMES_TEXT_MAX];
	struct buf body;
	bool any = false;
	int err = find(&g);

	crypto_wipe(&g.customer, sizeof(g.customer));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		any |= wants(r, names[i]);
	if (err == ERR_OK && !any)
		err = S3_InvalidArgument;
	if (err == ERR_OK)
		err = check_conditions(&g);
	if (err != ERR_OK)
		return err;
	buf_init(&body, REPLY_BODY_MAX);
	err = attributes_xml(r, &body);
	if (err == ERR_OK)
		err = reply_header(r, "Last-Modified", times_http(r->entry.modified_ms, date));
	if (err == ERR_OK)
		err = reply_version(r);
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}
