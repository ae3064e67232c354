/*
 * PutObject: what can be refused before the body is, so that a client that waits for our word does
 * not send it; then the body goes into chunks as it comes, and one transaction names it.
 */
#include "gateway/ops.h"

#include <stdlib.h>

#include "gateway/attributes.h"
#include "gateway/conditions_text.h"
#include "gateway/expiration.h"
#include "gateway/gateway_private.h"
#include "gateway/stored.h"

#define PUT_BYTES_MAX GIB(5) /* S3's limit of one PUT */

struct putting {
	struct request *r;
	struct attributes attributes;
	struct conditions conditions;
	struct stored stored;
	struct expiration expiration;
	bool outdated; /* the settings are others by now: what they decided was for nothing */
};

/* What was decided by what is known holds in this transaction, too. */
static SUSPENDS int
check_late(struct putting *p, struct kv *txn)
{
	struct request *r = p->r;
	struct settings settings;
	struct buf text;
	int err;

	p->outdated = false;
	if (!r->known)
		return ERR_OK;
	buf_init(&text, KV_VALUE_MAX);
	err = settings_get(txn, &text, &settings);
	if (err == ERR_OK && !bytes_equal(buf_bytes(&text), buf_bytes(&r->settings_value))) {
		p->outdated = true;
		err = ERR_STATE;
	}
	if (err == ERR_OK)
		err = access_check_late(r, txn, &settings, p->attributes.sets);
	buf_fini(&text);
	return err;
}

static SUSPENDS int
put_txn(void *arg, struct kv *txn)
{
	struct putting *p = arg;
	struct bucket_txn t = request_txn(p->r, txn);
	struct entry e = p->attributes.entry;
	struct bucket_done done = { .versioned = false };
	int err = check_late(p, txn);

	if (err != ERR_OK)
		return err;
	e.size = p->stored.size;
	e.etag = p->stored.etag;
	e.checksum = p->stored.checksum;
	e.content = buf_bytes(&p->stored.form);
	err = bucket_put(&t, request_key(p->r), &p->conditions, &e, &done);
	if (err == ERR_OK)
		err = expiration_find(p->r, txn, &e, &p->expiration);
	return request_done(p->r, txn, err, &done);
}

/* A condition that fails now spares the body; whether it holds is decided in the transaction. */
static SUSPENDS int
check_early(struct putting *p)
{
	const struct version_ref latest = { .which = VERSION_LATEST };
	struct request *r = p->r;
	int err;

	if (p->conditions.if_match.data == NULL && p->conditions.if_none_match.data == NULL)
		return ERR_OK;
	err = bucket_get(r->view, request_key(r), &latest, &r->entry_value, &r->entry);
	if (err != ERR_OK && err != REFUSAL_NO_SUCH_KEY)
		return err;
	return conditions_write(&p->conditions, err == ERR_OK ? &r->entry : NULL);
}

static SUSPENDS int
prepare_once(struct putting *p)
{
	struct request *r = p->r;
	struct attribute_source src = attributes_of_request(r);
	int err;

	conditions_of_headers(r, "", &p->conditions);
	err = attributes_read(r, &src, &p->attributes);
	if (err == ERR_OK)
		err = access_ask_sets(r, p->attributes.sets);
	if (err == ERR_OK)
		err = object_key_check(request_key(r));
	if (err == ERR_OK && !r->settings.lock &&
	    (p->attributes.entry.hold || p->attributes.entry.lock_mode != LOCK_NONE))
		err = REFUSAL_NO_LOCK;
	if (err == REFUSAL_NO_LOCK)
		r->message = "Bucket is missing Object Lock Configuration";
	return err == ERR_OK ? check_early(p) : err;
}

/* By what is current, after all. */
static SUSPENDS int
prepare_again(struct putting *p)
{
	struct request *r = p->r;
	int err = request_view_current(r);

	attributes_fini(&p->attributes);
	memset(&p->attributes, 0, sizeof(p->attributes));
	r->message = NULL;
	if (err == ERR_OK)
		err = access_check(r);
	return err == ERR_OK ? prepare_once(p) : err;
}

static SUSPENDS int
prepare(struct putting *p)
{
	int err = prepare_once(p);

	return err != ERR_OK && p->r->known ? prepare_again(p) : err;
}

static SUSPENDS int
name_it(struct putting *p, struct bucket_done *done)
{
	int err = request_update(p->r, put_txn, p, done);

	if (err == ERR_OK || !p->outdated)
		return err;
	err = prepare_again(p);
	return err == ERR_OK ? request_update(p->r, put_txn, p, done) : err;
}

static int
reply_put(struct putting *p, const struct bucket_done *done)
{
	struct request *r = p->r;
	char text[ETAG_TEXT_MAX];
	int err = reply_headerf(r, "ETag", "\"%s\"", etag_text(&p->stored.etag, text));

	if (err == ERR_OK)
		err = reply_written(r, done);
	if (err == ERR_OK)
		err = reply_stored_checksum(r, &p->stored.checksum);
	if (err == ERR_OK)
		err = reply_sse(r, p->attributes.entry.sse);
	if (err == ERR_OK)
		err = expiration_reply(r, &p->expiration);
	return err == ERR_OK ? reply_empty(r, 200) : err;
}

static SUSPENDS int
put(struct putting *p)
{
	struct request *r = p->r;
	struct body_opts opts = { .bytes_max = PUT_BYTES_MAX, .length_needed = true, .etag = true };
	struct realm_write write = { .locked = r->settings.lock,
		.customer = p->attributes.has_customer ? &p->attributes.customer : NULL };
	struct bucket_done done = { .versioned = false };
	int err;

	request_view_drop(r); /* the body may take long */
	err = stored_body(r, &opts, &write, &p->stored);
	if (err != ERR_OK)
		return err;
	err = name_it(p, &done);
	if (err == ERR_OK)
		return reply_put(p, &done);
	if (err != ERR_UNKNOWN) /* it may be named */
		stored_drop(r, &p->stored);
	return err;
}

SUSPENDS int
op_put_object(struct request *r)
{
	struct putting *p;
	int err;

	if (target_has(&r->target, "versionId")) {
		r->message = "This operation does not accept a version-id.";
		return S3_InvalidArgument;
	}
	if (target_has(&r->target, "partNumber")) { /* it would overwrite the whole object */
		r->message = "This operation does not accept partNumber without uploadId";
		return S3_InvalidArgument;
	}
	if (request_header(r, "x-amz-copy-source") != NULL)
		return op_copy_object(r);
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ERR_NOMEM;
	p->r = r;
	stored_init(&p->stored);
	err = prepare(p);
	if (err == ERR_OK)
		err = put(p);
	attributes_fini(&p->attributes);
	stored_fini(&p->stored);
	free(p);
	return err;
}
