/* Multipart uploads: begun, filled part by part, given up, listed. Completing is in ops_complete.c.
 */
#include "gateway/ops.h"

#include <stdlib.h>
#include <strings.h>

#include "gateway/attributes.h"
#include "gateway/conditions_text.h"
#include "gateway/copy_source.h"
#include "gateway/gateway_private.h"
#include "gateway/stored.h"
#include "gateway/times.h"
#include "gateway/upload_request.h"
#include "object/lifecycle.h"

/* ---- begin ---- */

struct beginning {
	struct request *r;
	struct attributes attributes;
	struct upload upload;
	uint8_t id[VERSION_BYTES];
};

static SUSPENDS int
begin_txn(void *arg, struct kv *txn)
{
	struct beginning *b = arg;
	struct bucket_txn t = request_txn(b->r, txn);
	struct bucket_done done = { .versioned = true };
	int err;

	b->upload.entry = b->attributes.entry;
	err = upload_create(&t, request_key(b->r), &b->upload);
	done.version = b->upload.id;
	return request_done(b->r, txn, err, &done);
}

/* Which checksum the object is to have. */
static int
read_algorithm(struct beginning *b)
{
	struct request *r = b->r;
	const char *name = request_header(r, "x-amz-checksum-algorithm");
	const char *type = request_header(r, "x-amz-checksum-type");
	struct checksum *c = &b->attributes.entry.checksum;
	enum sum_algo algo;

	if (name == NULL)
		return type == NULL ? ERR_OK : S3_InvalidRequest;
	algo = sum_by_name(name);
	if (algo == SUM_NONE) {
		r->message =
		    "Checksum algorithm provided is unsupported. Please try again with any of "
		    "the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]";
		return S3_InvalidRequest;
	}
	c->algorithm = (uint8_t)algo;
	c->type = algo == SUM_CRC64NVME ? CHECKSUM_FULL_OBJECT : CHECKSUM_COMPOSITE;
	if (type != NULL && strcasecmp(type, "COMPOSITE") != 0 &&
	    strcasecmp(type, "FULL_OBJECT") != 0)
		return S3_InvalidRequest;
	if (type != NULL)
		c->type =
		    strcasecmp(type, "COMPOSITE") == 0 ? CHECKSUM_COMPOSITE : CHECKSUM_FULL_OBJECT;
	if (!sum_can(algo, (enum sum_type)c->type)) {
		r->message = "The checksum type cannot be used with the checksum algorithm.";
		return S3_InvalidRequest;
	}
	return ERR_OK;
}

static int
reply_begun(struct beginning *b, const struct version *id)
{
	struct request *r = b->r;
	const struct checksum *c = &b->attributes.entry.checksum;
	char text[VERSION_TEXT_MAX];
	struct buf body;
	struct xml x;
	int err = reply_sse(r, b->attributes.entry.sse);

	if (err == ERR_OK && c->algorithm != CHECKSUM_NONE) {
		err = reply_header(
		    r, "x-amz-checksum-algorithm", sum_name((enum sum_algo)c->algorithm));
		if (err == ERR_OK)
			err = reply_header(
			    r, "x-amz-checksum-type", sum_type_name((enum sum_type)c->type));
	}
	if (err != ERR_OK)
		return err;
	buf_init(&body, KIB(16));
	x = xml_begin(&body, "InitiateMultipartUploadResult", S3_XMLNS);
	xml_put(&x, "Bucket", r->bucket->name);
	xml_put(&x, "Key", r->target.key);
	xml_put(&x, "UploadId", version_text(false, id, text));
	err = xml_end(&x, "InitiateMultipartUploadResult");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

SUSPENDS int
op_create_upload(struct request *r)
{
	struct attribute_source src = attributes_of_request(r);
	struct beginning *b = calloc(1, sizeof(*b));
	struct bucket_done done = { .versioned = false };
	int err;

	if (b == NULL)
		return ERR_NOMEM;
	b->r = r;
	err = attributes_read(r, &src, &b->attributes);
	if (err == ERR_OK)
		err = access_ask_sets(r, b->attributes.sets);
	if (err == ERR_OK)
		err = object_key_check(request_key(r));
	if (err == ERR_OK)
		err = read_algorithm(b);
	if (err == ERR_OK) {
		b->upload.initiator = r->caller.account.id;
		err = request_update(r, begin_txn, b, &done);
	}
	if (err == ERR_OK)
		err = reply_begun(b, &done.version);
	attributes_fini(&b->attributes);
	free(b);
	return err;
}

/* ---- the upload that a request names ---- */

SUSPENDS int
upload_request_open(struct request *r, struct upload_request *u)
{
	const char *id = request_query(r, "uploadId");
	int err = upload_id_parse(bytes_of(id, strlen(id)), &u->id);

	buf_init(&u->value, KV_VALUE_MAX);
	if (err != ERR_OK)
		return S3_NoSuchUpload;
	err = request_view(r);
	if (err == ERR_OK)
		err = upload_get(r->view, request_key(r), &u->id, &u->value, &u->upload);
	return err;
}

void
upload_request_fini(struct upload_request *u)
{
	buf_fini(&u->value);
	crypto_wipe(&u->customer, sizeof(u->customer));
}

SUSPENDS int
upload_request_customer(struct request *r, struct upload_request *u)
{
	struct attribute_source src = attributes_of_request(r);
	int err = customer_key(r, &src, "x-amz-", &u->customer, &u->has_customer);

	return err != ERR_OK ? err
			     : sse_check(u->upload.entry.sse, &u->upload.entry.customer,
				   u->has_customer ? &u->customer : NULL);
}

/* ---- parts ---- */

struct filling {
	struct request *r;
	struct upload_request u;
	struct copy_source source; /* of a copied part */
	uint16_t number;
	struct stored stored;
	uint64_t modified_ms;
};

static SUSPENDS int
part_txn(void *arg, struct kv *txn)
{
	struct filling *f = arg;
	struct bucket_txn t = request_txn(f->r, txn);
	struct bucket_done done = { .versioned = false };
	struct part p = { .number = f->number,
		.size = f->stored.size,
		.etag = f->stored.etag,
		.checksum = f->stored.checksum,
		.content = buf_bytes(&f->stored.form) };
	int err = upload_put_part(&t, request_key(f->r), &f->u.id, &p);

	f->modified_ms = p.modified_ms;
	return request_done(f->r, txn, err, &done);
}

static SUSPENDS int
filling_open(struct filling *f)
{
	struct request *r = f->r;
	const char *text = request_query(r, "partNumber");
	uint64_t number;
	int err;

	stored_init(&f->stored);
	err = upload_request_open(r, &f->u);
	if (err != ERR_OK)
		return err;
	if (text == NULL || !decimal_parse(text, PART_NUMBER_MAX, &number) || number == 0) {
		r->message = "Part number must be an integer between 1 and 10000, inclusive";
		return S3_InvalidArgument;
	}
	f->number = (uint16_t)number;
	return upload_request_customer(r, &f->u);
}

static SUSPENDS int
filling_commit(struct filling *f)
{
	int err = request_update(f->r, part_txn, f, NULL);

	if (err != ERR_OK && err != ERR_UNKNOWN)
		stored_drop(f->r, &f->stored);
	return err;
}

static void
filling_free(struct filling *f)
{
	upload_request_fini(&f->u);
	stored_fini(&f->stored);
	free(f);
}

static SUSPENDS int
put_part(struct filling *f)
{
	struct request *r = f->r;
	uint8_t wanted = f->u.upload.entry.checksum.algorithm;
	struct body_opts opts = { .bytes_max = PART_BYTES_MAX,
		.length_needed = true,
		.etag = true,
		.sum = (enum sum_algo)wanted };
	struct realm_write write = { .part = true,
		.locked = r->settings.lock,
		.customer = f->u.has_customer ? &f->u.customer : NULL };
	char text[ETAG_TEXT_MAX];
	int err;

	request_view_drop(r);
	err = stored_body(r, &opts, &write, &f->stored);
	if (err == ERR_OK)
		err = filling_commit(f);
	if (err == ERR_OK)
		err = reply_headerf(r, "ETag", "\"%s\"", etag_text(&f->stored.etag, text));
	if (err == ERR_OK)
		err = reply_checksum(r, &f->stored.checksum, 0);
	if (err == ERR_OK)
		err = reply_sse(r, f->u.upload.entry.sse);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

SUSPENDS int
op_put_part(struct request *r)
{
	struct filling *f;
	int err;

	if (request_header(r, "x-amz-copy-source") != NULL)
		return op_copy_part(r);
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return ERR_NOMEM;
	f->r = r;
	err = filling_open(f);
	if (err == ERR_OK)
		err = put_part(f);
	filling_free(f);
	return err;
}

static int
reply_copied_part(struct filling *f)
{
	struct request *r = f->r;
	struct buf body;
	struct xml x;
	int err = reply_copy_source(r, &f->source);

	if (err == ERR_OK)
		err = reply_sse(r, f->u.upload.entry.sse);
	if (err != ERR_OK)
		return err;
	buf_init(&body, KIB(8));
	x = xml_begin(&body, "CopyPartResult", S3_XMLNS);
	xml_put_time(&x, "LastModified", f->modified_ms);
	xml_put_etag(&x, &f->stored.etag);
	xml_put_checksum(&x, &f->stored.checksum, 0);
	err = xml_end(&x, "CopyPartResult");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

static SUSPENDS int
copy_part(struct filling *f)
{
	struct request *r = f->r;
	const char *range = request_header(r, "x-amz-copy-source-range");
	struct realm_write write = { .part = true,
		.locked = r->settings.lock,
		.customer = f->u.has_customer ? &f->u.customer : NULL };
	struct stored_copy copy;
	int err = copy_source_open(r, &f->source);

	if (err != ERR_OK)
		return err;
	copy = (struct stored_copy){ .source = f->source.bucket,
		.form = f->source.entry.content,
		.len = f->source.entry.size,
		.customer = f->source.has_customer ? &f->source.customer : NULL,
		.algo = (enum sum_algo)f->u.upload.entry.checksum.algorithm };
	if (range != NULL)
		err = range_parse_copy(range, f->source.entry.size, &copy.from, &copy.len);
	if (err == ERR_OK && copy.len > PART_BYTES_MAX)
		err = S3_EntityTooLarge;
	request_view_drop(r);
	if (err == ERR_OK)
		err = stored_copy(r, &copy, &write, &f->stored);
	if (err == ERR_OK)
		err = filling_commit(f);
	return err == ERR_OK ? reply_copied_part(f) : err;
}

SUSPENDS int
op_copy_part(struct request *r)
{
	struct filling *f = calloc(1, sizeof(*f));
	int err;

	if (f == NULL)
		return ERR_NOMEM;
	f->r = r;
	err = filling_open(f);
	if (err == ERR_OK)
		err = copy_part(f);
	copy_source_fini(r, &f->source);
	filling_free(f);
	return err;
}

/* ---- giving up ---- */

static SUSPENDS int
abort_txn(void *arg, struct kv *txn)
{
	struct filling *f = arg;
	struct bucket_txn t = request_txn(f->r, txn);

	return upload_abort(&t, request_key(f->r), &f->u.id);
}

struct sweeping {
	struct request *r;
	bool more;
};

static SUSPENDS int
sweep_txn(void *arg, struct kv *txn)
{
	struct sweeping *s = arg;
	struct bucket_txn t = request_txn(s->r, txn);

	return upload_sweep(&t, &s->more);
}

SUSPENDS void
upload_request_sweep(struct request *r)
{
	struct sweeping s = { .r = r, .more = true };

	/* What is left over is swept with the next upload: nobody is told of a failure here. */
	while (s.more && request_update(r, sweep_txn, &s, NULL) == ERR_OK)
		;
}

SUSPENDS int
op_abort_upload(struct request *r)
{
	struct filling *f = calloc(1, sizeof(*f));
	int err;

	if (f == NULL)
		return ERR_NOMEM;
	f->r = r;
	stored_init(&f->stored);
	err = upload_request_open(r, &f->u);
	if (err == ERR_OK)
		err = request_update(r, abort_txn, f, NULL);
	if (err == ERR_OK)
		err = reply_empty(r, 204);
	if (err == ERR_OK)
		upload_request_sweep(r);
	filling_free(f);
	return err;
}

/* ---- listing ---- */

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
	xml_put_time(l->x, "LastModified", p->modified_ms);
	xml_put_etag(l->x, &p->etag);
	xml_put_number(l->x, "Size", p->size);
	xml_put_checksum(l->x, &p->checksum, 0);
	xml_close(l->x, "Part");
	return l->x->err;
}

static SUSPENDS void
put_people(struct request *r, struct xml *x, const struct upload *u)
{
	struct realm_account who;
	char owner[ACCOUNT_ID_MAX + 1] = "";

	/* An answer that knows no display name is better than none. */
	(void)request_account(r, u->initiator.text, &who);
	xml_put_owner(x, "Initiator", &who);
	memcpy(owner, u->entry.owner.data, MIN(u->entry.owner.len, ACCOUNT_ID_MAX));
	(void)request_account(r, owner, &who);
	xml_put_owner(x, "Owner", &who);
}

static SUSPENDS int
parts_xml(struct request *r, const struct upload_request *u, struct buf *body)
{
	const char *max_text = request_query(r, "max-parts");
	const char *marker_text = request_query(r, "part-number-marker");
	struct xml x = xml_begin(body, "ListPartsResult", S3_XMLNS);
	struct listing_parts l = { .x = &x };
	uint64_t max = 1000, marker = 0;
	char text[VERSION_TEXT_MAX];
	bool truncated;
	int err;

	if ((max_text != NULL && !decimal_parse(max_text, INT32_MAX, &max)) ||
	    (marker_text != NULL && !decimal_parse(marker_text, INT32_MAX, &marker)))
		return S3_InvalidArgument;
	max = MIN(max, 1000);
	marker = MIN(marker, PART_NUMBER_MAX);
	xml_put(&x, "Bucket", r->bucket->name);
	xml_put(&x, "Key", r->target.key);
	xml_put(&x, "UploadId", version_text(false, &u->id, text));
	put_people(r, &x, &u->upload);
	xml_put(&x, "StorageClass", storage_class_name(u->upload.entry.storage_class));
	xml_put_number(&x, "PartNumberMarker", marker);
	l.last = 0;
	err = upload_parts(r->view, request_key(r), &u->id, (uint16_t)marker, (uint32_t)max,
	    each_part, &l, &truncated);
	if (err != ERR_OK)
		return err;
	xml_put_number(&x, "NextPartNumberMarker", l.last);
	xml_put_number(&x, "MaxParts", max);
	xml_put_bool(&x, "IsTruncated", truncated);
	xml_put_checksum_kind(&x, &u->upload.entry.checksum);
	return xml_end(&x, "ListPartsResult");
}

SUSPENDS int
op_list_parts(struct request *r)
{
	struct upload_request *u = calloc(1, sizeof(*u));
	struct buf body;
	int err;

	if (u == NULL)
		return ERR_NOMEM;
	buf_init(&body, REPLY_BODY_MAX);
	err = upload_request_open(r, u);
	if (err == ERR_OK)
		err = parts_xml(r, u, &body);
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	upload_request_fini(u);
	free(u);
	return err;
}
