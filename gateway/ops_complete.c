/*
 * CompleteMultipartUpload: the parts that the request names are looked at in a view, their contents
 * joined (no byte moves) and their checksums combined; then one transaction makes the object,
 * unless a part has changed meanwhile: then all of it again.
 */
#include "gateway/ops.h"

#include <stdlib.h>

#include "gateway/attributes.h"
#include "gateway/conditions_text.h"
#include "gateway/expiration.h"
#include "gateway/stored.h"
#include "gateway/upload_request.h"

#define PLANS_MAX 5 /* a client that overwrites parts while it completes gets what it asks for */

struct completing {
	struct request *r;
	struct upload_request u;
	struct conditions conditions;
	struct xml_doc *doc;
	struct upload_part_named *named;
	size_t named_count;
	struct upload_plan *plan;
	/* of the plan */
	struct bytes *forms;
	struct buf forms_text;
	size_t *offsets;
	size_t count;
	struct checksum checksum;
	struct sum *composite;
	struct buf form;
	struct realm_spare *spare;
	struct expiration expiration;
	uint64_t said_size;
	bool said_checksum;
	struct checksum wanted;
};

/* ---- the request ---- */

static int
read_part(struct completing *c, const struct xml_node *n, struct upload_part_named *out)
{
	const char *number = xml_text(n, "PartNumber"), *etag = xml_text(n, "ETag");
	uint64_t v;

	(void)c;
	if (number == NULL || etag == NULL || !decimal_parse(number, INT32_MAX, &v))
		return S3_MalformedXML;
	if (v == 0 || v > PART_NUMBER_MAX)
		return S3_InvalidPart;
	out->number = (uint16_t)v;
	out->etag = bytes_of(etag, strlen(etag));
	for (int algo = SUM_CRC32; algo < SUM_ALGOS; algo++) {
		const char *text = xml_text(n, sum_element((enum sum_algo)algo));

		if (text == NULL)
			continue;
		out->checksum.algorithm = (uint8_t)algo;
		if (sum_parse((enum sum_algo)algo, text, out->checksum.value) != ERR_OK)
			return S3_InvalidPart;
	}
	return ERR_OK;
}

static int
read_parts(struct completing *c)
{
	const struct xml_node *root = xml_root(c->doc);
	int err = ERR_OK;

	c->named = calloc(PART_NUMBER_MAX, sizeof(*c->named));
	c->plan = calloc(1, sizeof(*c->plan));
	c->forms = calloc(PART_NUMBER_MAX, sizeof(*c->forms));
	c->offsets = calloc(PART_NUMBER_MAX, sizeof(*c->offsets));
	if (c->named == NULL || c->plan == NULL || c->forms == NULL || c->offsets == NULL)
		return ERR_NOMEM;
	for (const struct xml_node *n = root->child; n != NULL && err == ERR_OK; n = n->next) {
		if (!xml_is(n, "Part"))
			continue;
		if (c->named_count == PART_NUMBER_MAX)
			return S3_MalformedXML;
		err = read_part(c, n, &c->named[c->named_count]);
		/* Of one part twice running, sent again meanwhile, the later counts. */
		if (err == ERR_OK && c->named_count > 0 &&
		    c->named[c->named_count - 1].number == c->named[c->named_count].number)
			c->named[c->named_count - 1] = c->named[c->named_count];
		else
			c->named_count++;
	}
	return err == ERR_OK && c->named_count == 0 ? S3_MalformedXML : err;
}

/* x-amz-checksum-*: of the whole object; "…-N" for a composite. */
static int
read_wanted(struct completing *c)
{
	const char *size = request_header(c->r, "x-amz-mp-object-size");
	const char *type = request_header(c->r, "x-amz-checksum-type");
	const struct checksum *sum = &c->u.upload.entry.checksum;

	if (type != NULL && sum->algorithm != CHECKSUM_NONE &&
	    strcmp(type, sum_type_name((enum sum_type)sum->type)) != 0) {
		c->r->message = "The upload was created with another checksum type. The complete "
				"request must use the same.";
		return S3_BadDigest;
	}
	c->said_size = UINT64_MAX;
	if (size != NULL && !decimal_parse(size, OBJECT_BYTES_MAX, &c->said_size))
		return S3_InvalidRequest;
	for (int algo = SUM_CRC32; algo < SUM_ALGOS; algo++) {
		const char *text = request_header(c->r, sum_header((enum sum_algo)algo));
		char plain[SUM_TEXT_MAX];
		size_t len = text == NULL ? 0 : strcspn(text, "-");

		if (text == NULL)
			continue;
		if (len >= sizeof(plain))
			return S3_BadDigest;
		memcpy(plain, text, len);
		plain[len] = '\0';
		c->said_checksum = true;
		c->wanted.algorithm = (uint8_t)algo;
		if (sum_parse((enum sum_algo)algo, plain, c->wanted.value) != ERR_OK)
			return S3_BadDigest;
	}
	return ERR_OK;
}

/* ---- the plan ---- */

static int
each_part(void *arg, const struct part *p)
{
	struct completing *c = arg;
	struct checksum *whole = &c->checksum;
	enum sum_algo algo = (enum sum_algo)whole->algorithm;

	c->offsets[c->count] = c->forms_text.len;
	c->forms[c->count].len = p->content.len;
	if (algo != SUM_NONE && p->checksum.algorithm == whole->algorithm) {
		if (whole->type == CHECKSUM_COMPOSITE)
			sum_update(c->composite, p->checksum.value, sum_bytes(algo));
		else if (c->count == 0)
			memcpy(whole->value, p->checksum.value, sizeof(whole->value));
		else
			sum_combine(algo, whole->value, whole->value, p->checksum.value, p->size);
	}
	c->count++;
	return buf_append(&c->forms_text, p->content.data, p->content.len);
}

static SUSPENDS int
make_plan(struct completing *c)
{
	struct request *r = c->r;
	enum sum_algo algo;
	int err;

	c->count = 0;
	buf_reset(&c->forms_text);
	c->checksum = c->u.upload.entry.checksum;
	algo = (enum sum_algo)c->checksum.algorithm;
	sum_free(c->composite);
	c->composite = NULL;
	if (algo != SUM_NONE && c->checksum.type == CHECKSUM_COMPOSITE) {
		c->composite = sum_new(algo);
		if (c->composite == NULL)
			return ERR_NOMEM;
	}
	err = request_view(r);
	if (err == ERR_OK)
		err = upload_plan(r->view, request_key(r), &c->u.id, c->named, c->named_count,
		    each_part, c, c->plan);
	if (err != ERR_OK)
		return err;
	if (c->composite != NULL)
		sum_final(c->composite, c->checksum.value);
	for (size_t i = 0; i < c->count; i++)
		c->forms[i].data = c->forms_text.data + c->offsets[i];
	if (c->said_size != UINT64_MAX && c->said_size != c->plan->size && !c->plan->repeated)
		return S3_InvalidRequest;
	if (c->said_checksum && !c->plan->repeated &&
	    (c->wanted.algorithm != c->checksum.algorithm ||
		memcmp(c->wanted.value, c->checksum.value, SUM_BYTES_MAX) != 0))
		return S3_BadDigest;
	return ERR_OK;
}

static SUSPENDS int
find_expiration(struct completing *c, struct kv *txn, uint64_t now_ms)
{
	struct entry e = c->u.upload.entry;

	e.size = c->plan->size;
	e.modified_ms = now_ms;
	return expiration_find(c->r, txn, &e, &c->expiration);
}

static SUSPENDS int
complete_txn(void *arg, struct kv *txn)
{
	struct completing *c = arg;
	struct bucket_txn t = request_txn(c->r, txn);
	struct bucket_done done = { .versioned = false };
	int err = upload_complete(&t, request_key(c->r), &c->u.id, &c->conditions, c->plan,
	    buf_bytes(&c->form), &c->checksum, &done);

	if (err == ERR_OK)
		err = find_expiration(c, txn, t.now_ms);
	if (err == ERR_OK && c->spare != NULL)
		err = c->r->bucket->ops->joined(c->spare, txn, t.now_ms);
	return request_done(c->r, txn, err, &done);
}

static SUSPENDS int
complete(struct completing *c, struct bucket_done *done)
{
	struct request *r = c->r;
	int err = ERR_STALE;

	for (int i = 0; i < PLANS_MAX && err == ERR_STALE; i++) {
		err = make_plan(c);
		if (err != ERR_OK)
			return err;
		if (c->plan->repeated) {
			*done = c->plan->done;
			c->checksum = c->plan->checksum;
			return ERR_OK;
		}
		request_view_drop(r);
		buf_reset(&c->form);
		r->bucket->ops->spare_free(c->spare);
		c->spare = NULL;
		err = r->bucket->ops->join(r->bucket, c->forms, c->count, &c->form, &c->spare);
		if (err == ERR_OK)
			err = request_update(r, complete_txn, c, done);
	}
	return err;
}

/* ---- the answer ---- */

static int
reply_completed(struct completing *c, const struct bucket_done *done)
{
	struct request *r = c->r;
	struct buf body, location;
	struct xml x;
	int err = reply_written(r, done);

	if (err == ERR_OK)
		err = reply_sse(r, c->u.upload.entry.sse);
	if (err == ERR_OK)
		err = expiration_reply(r, &c->expiration);
	if (err != ERR_OK)
		return err;
	buf_init(&body, KIB(16));
	buf_init(&location, KIB(8));
	err = request_url(r, &location);
	x = xml_begin(&body, "CompleteMultipartUploadResult", S3_XMLNS);
	xml_put(&x, "Location", buf_str(&location));
	xml_put(&x, "Bucket", r->bucket->name);
	xml_put(&x, "Key", r->target.key);
	xml_put_etag(&x, &c->plan->etag);
	xml_put_checksum(&x, &c->checksum, c->plan->etag.parts); /* known of a repeated one, too */
	if (c->checksum.algorithm != CHECKSUM_NONE)
		xml_put(&x, "ChecksumType", sum_type_name((enum sum_type)c->checksum.type));
	if (err == ERR_OK)
		err = xml_end(&x, "CompleteMultipartUploadResult");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	buf_fini(&location);
	return err;
}

static SUSPENDS int
run(struct completing *c)
{
	struct bucket_done done = { .versioned = false };
	int err = request_xml(c->r, "CompleteMultipartUpload", &c->doc);

	if (err == S3_MissingRequestBodyError)
		err = S3_MalformedXML;
	if (err == ERR_OK)
		err = read_parts(c);
	if (err == ERR_OK)
		err = read_wanted(c);
	if (err == ERR_OK)
		err = complete(c, &done);
	if (err == ERR_OK)
		err = reply_completed(c, &done);
	if (err == ERR_OK && !c->plan->repeated)
		upload_request_sweep(c->r);
	return err;
}

SUSPENDS int
op_complete_upload(struct request *r)
{
	struct completing *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return ERR_NOMEM;
	c->r = r;
	buf_init(&c->forms_text, (size_t)PART_NUMBER_MAX * REALM_FORM_MAX);
	buf_init(&c->form, REALM_FORM_MAX);
	conditions_of_headers(r, "", &c->conditions);
	err = upload_request_open(r, &c->u);
	if (err == REFUSAL_NO_SUCH_UPLOAD)
		err = ERR_OK; /* completed before, perhaps: the plan knows */
	if (err == ERR_OK)
		err = run(c);
	upload_request_fini(&c->u);
	sum_free(c->composite);
	buf_fini(&c->forms_text);
	buf_fini(&c->form);
	r->bucket->ops->spare_free(c->spare);
	free(c->named);
	free(c->plan);
	free(c->forms);
	free(c->offsets);
	xml_free(c->doc);
	free(c);
	return err;
}
