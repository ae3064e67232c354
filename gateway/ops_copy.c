/*
 * Copies. Inside a bucket the new entry shares its source's content, whatever the size; between
 * buckets, under another customer key, and for a checksum that the source does not have, the bytes
 * are read and written anew.
 */
#include "gateway/ops.h"

#include <stdlib.h>
#include <strings.h>

#include "gateway/attributes.h"
#include "gateway/conditions_text.h"
#include "gateway/expiration.h"
#include "gateway/copy_source.h"
#include "gateway/gateway_private.h"
#include "gateway/stored.h"
#include "object/upload.h"

#define COPY_BYTES_MAX GIB(5) /* S3's limit of one copy */

struct copying {
	struct request *r;
	struct copy_source source;
	struct attributes attributes;
	struct conditions conditions;
	enum sum_algo algo;
	bool replace, shared;
	struct stored stored;
	struct expiration expiration;
	uint64_t modified_ms;
};

static bool
is_word(const char *text, const char *word)
{
	return text != NULL && strcasecmp(text, word) == 0;
}

/* ---- what is asked ---- */

static int
read_directives(struct copying *c)
{
	struct request *r = c->r;
	const char *meta = request_header(r, "x-amz-metadata-directive");
	const char *tags = request_header(r, "x-amz-tagging-directive");
	const char *algo = request_header(r, "x-amz-checksum-algorithm");

	if ((meta != NULL && !is_word(meta, "COPY") && !is_word(meta, "REPLACE")) ||
	    (tags != NULL && !is_word(tags, "COPY") && !is_word(tags, "REPLACE"))) {
		r->message = "Unknown metadata directive.";
		return S3_InvalidArgument;
	}
	c->replace = is_word(meta, "REPLACE");
	if (!c->replace)
		attributes_take_headers(&c->attributes, &c->source.entry);
	if (!is_word(tags, "REPLACE"))
		attributes_take_tags(&c->attributes, &c->source.entry);
	c->algo = (enum sum_algo)c->source.entry.checksum.algorithm;
	if (algo != NULL) {
		c->algo = sum_by_name(algo);
		if (c->algo == SUM_NONE)
			return S3_InvalidRequest;
	}
	return ERR_OK;
}

/* An object onto itself must change something. */
static int
check_self(struct copying *c)
{
	struct request *r = c->r;

	if (!c->source.same || !bytes_equal(copy_source_key(&c->source), request_key(r)) ||
	    c->replace || c->source.which.which != VERSION_LATEST ||
	    request_header(r, "x-amz-storage-class") != NULL ||
	    request_header(r, "x-amz-website-redirect-location") != NULL ||
	    request_header(r, "x-amz-server-side-encryption") != NULL ||
	    request_header(r, "x-amz-checksum-algorithm") != NULL || c->attributes.has_customer ||
	    c->source.has_customer)
		return ERR_OK;
	r->message =
	    "This copy request is illegal because it is trying to copy an object to itself "
	    "without changing the object's metadata, storage class, website redirect "
	    "location or encryption attributes.";
	return S3_InvalidRequest;
}

static SUSPENDS int
prepare(struct copying *c)
{
	struct request *r = c->r;
	struct attribute_source src = attributes_of_request(r);
	int err = attributes_read(r, &src, &c->attributes);

	if (err == ERR_OK)
		err = copy_source_open(r, &c->source);
	if (err == ERR_OK)
		err = read_directives(c);
	if (err == ERR_OK)
		err = access_ask_sets(r, c->attributes.sets);
	if (err == ERR_OK)
		err = check_self(c);
	if (err == ERR_OK && c->source.entry.size > COPY_BYTES_MAX) {
		r->message =
		    "The specified copy source is larger than the maximum allowable size for "
		    "a copy source: 5368709120";
		err = S3_InvalidRequest;
	}
	conditions_of_headers(r, "", &c->conditions);
	return err;
}

/* ---- doing it ---- */

/* The source's content, still the one that was looked at. */
static SUSPENDS int
share(struct copying *c, struct bucket_txn *t, struct entry *e, struct bucket_done *done)
{
	struct entry now;
	struct buf value;
	struct version_ref which = c->source.which;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = bucket_get(t->kv, copy_source_key(&c->source), &which, &value, &now);
	if (err == ERR_OK)
		err = bucket_readable(&now, &which);
	if (err == ERR_OK && (!bytes_equal(now.content, c->source.entry.content) ||
				 now.modified_ms != c->source.entry.modified_ms))
		err = S3_ConditionalRequestConflict; /* replaced meanwhile: the client retries */
	if (err == ERR_OK) {
		e->content = now.content;
		err = bucket_put_shared(t, request_key(c->r), &c->conditions, e, done);
	}
	buf_fini(&value);
	return err;
}

static SUSPENDS int
copy_txn(void *arg, struct kv *txn)
{
	struct copying *c = arg;
	struct bucket_txn t = request_txn(c->r, txn);
	struct entry e = c->attributes.entry;
	struct bucket_done done = { .versioned = false };
	int err;

	e.size = c->stored.size;
	e.etag = c->stored.etag;
	e.checksum = c->stored.checksum;
	if (c->shared) {
		err = share(c, &t, &e, &done);
	} else {
		e.content = buf_bytes(&c->stored.form);
		err = bucket_put(&t, request_key(c->r), &c->conditions, &e, &done);
	}
	if (err == ERR_OK)
		err = expiration_find(c->r, txn, &e, &c->expiration);
	c->modified_ms = e.modified_ms;
	return request_done(c->r, txn, err, &done);
}

static bool
may_share(const struct copying *c)
{
	const struct entry *e = &c->source.entry;

	return c->source.same && !c->attributes.has_customer && !c->source.has_customer &&
	       (c->algo == SUM_NONE || ((int)c->algo == e->checksum.algorithm &&
					   e->checksum.type == CHECKSUM_FULL_OBJECT));
}

static SUSPENDS int
write_anew(struct copying *c)
{
	struct request *r = c->r;
	const struct entry *e = &c->source.entry;
	struct stored_copy copy = { .source = c->source.bucket,
		.form = e->content,
		.len = e->size,
		.customer = c->source.has_customer ? &c->source.customer : NULL,
		.algo = c->algo };
	struct realm_write write = { .locked = r->settings.lock,
		.customer = c->attributes.has_customer ? &c->attributes.customer : NULL };

	return stored_copy(r, &copy, &write, &c->stored);
}

static int
reply_copied(struct copying *c, const struct bucket_done *done)
{
	struct request *r = c->r;
	struct buf body;
	struct xml x;
	int err = reply_written(r, done);

	if (err == ERR_OK)
		err = reply_copy_source(r, &c->source);
	if (err == ERR_OK)
		err = reply_sse(r, c->attributes.entry.sse);
	if (err == ERR_OK)
		err = expiration_reply(r, &c->expiration);
	if (err != ERR_OK)
		return err;
	buf_init(&body, KIB(8));
	x = xml_begin(&body, "CopyObjectResult", S3_XMLNS);
	xml_put_time(&x, "LastModified", c->modified_ms);
	xml_put_etag(&x, &c->stored.etag);
	xml_put_checksum(&x, &c->stored.checksum, 0);
	if (c->stored.checksum.algorithm != CHECKSUM_NONE)
		xml_put(&x, "ChecksumType", "FULL_OBJECT");
	err = xml_end(&x, "CopyObjectResult");
	if (err == ERR_OK)
		err = reply_xml(r, 200, &body);
	buf_fini(&body);
	return err;
}

static SUSPENDS int
copy(struct copying *c)
{
	struct request *r = c->r;
	struct bucket_done done = { .versioned = false };
	int err = ERR_OK;

	c->shared = may_share(c);
	request_view_drop(r);
	if (c->shared) {
		c->stored.size = c->source.entry.size;
		c->stored.etag = c->source.entry.etag;
		c->stored.checksum = c->source.entry.checksum;
		if (c->algo == SUM_NONE)
			c->stored.checksum.algorithm = CHECKSUM_NONE;
	} else {
		err = write_anew(c);
	}
	if (err != ERR_OK)
		return err;
	err = request_update(r, copy_txn, c, &done);
	if (err == ERR_OK)
		return reply_copied(c, &done);
	if (err != ERR_UNKNOWN)
		stored_drop(r, &c->stored);
	return err;
}

SUSPENDS int
op_copy_object(struct request *r)
{
	struct copying *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return ERR_NOMEM;
	c->r = r;
	stored_init(&c->stored);
	err = prepare(c);
	if (err == ERR_OK)
		err = copy(c);
	attributes_fini(&c->attributes);
	copy_source_fini(r, &c->source);
	stored_fini(&c->stored);
	free(c);
	return err;
}
