/*
 * PostObject: a browser's form. The fields come first and decide all; then the file is stored as it
 * arrives. Who signed the form's policy is who asks.
 */
#include "gateway/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/attributes.h"
#include "gateway/document.h"
#include "gateway/form.h"
#include "gateway/gateway_private.h"
#include "gateway/post_policy.h"
#include "gateway/stored.h"

#define FILE_BYTES_MAX GIB(5)

struct posting {
	struct request *r;
	struct form *form;
	struct body *body;
	struct bytes file; /* the first bytes of it, which came with the fields */
	uint64_t seen;
	struct buf key, tags;
	struct post_limits limits;
	enum sum_algo algo; /* of a checksum field */
	uint8_t sum[SUM_BYTES_MAX];
	struct attributes attributes;
	struct stored stored;
};

/* ---- the fields ---- */

/* Until the file begins. */
static SUSPENDS int
read_fields(struct posting *p)
{
	struct bytes piece;
	int err = ERR_OK;

	while (err == ERR_OK && !form_at_file(p->form)) {
		err = body_next(p->body, &piece);
		if (err == ERR_OK)
			err = form_take(p->form, piece, &p->file);
		else if (err == ERR_END)
			return S3_InvalidArgument; /* there is no file */
	}
	if (err == ERR_TOO_BIG)
		return S3_MaxPostPreDataLengthExceededError;
	return err == ERR_INVALID ? S3_MalformedPOSTRequest : err;
}

static bool
field_begins(const char *name, const char *with)
{
	return strncasecmp(name, with, strlen(with)) == 0;
}

static bool
field_again(const struct form *f, size_t at)
{
	const char *name = form_at(f, at).name;

	for (size_t i = 0; i < at; i++) {
		if (strcasecmp(form_at(f, i).name, name) == 0)
			return true;
	}
	return false;
}

/* Each but those that nobody looks at comes once: a policy judges the first of a name, and all of a
 * name would be stored. What is kept with the object must be one that a header can say. */
static int
check_names(struct posting *p)
{
	for (size_t i = 0; i < form_count(p->form); i++) {
		const char *name = form_at(p->form, i).name;

		if (field_begins(name, "x-amz-meta-") && !web_header_name_valid(name, strlen(name)))
			p->r->message = "The name of a metadata field is no token.";
		else if (!field_begins(name, "x-ignore-") && field_again(p->form, i))
			p->r->message = "POST requires at most one field of each name.";
		else
			continue;
		return S3_InvalidArgument;
	}
	return ERR_OK;
}

/* "${filename}" stands for the file's own name. */
static int
make_key(struct posting *p)
{
	static const char mark[] = "${filename}";
	const char *key = form_value(p->form, "key"), *at;
	int err;

	if (key == NULL || *key == '\0')
		return S3_InvalidArgument;
	at = strstr(key, mark);
	if (at == NULL)
		err = buf_appendf(&p->key, "%s", key);
	else
		err = buf_appendf(&p->key, "%.*s%s%s", (int)(at - key), key,
		    form_file_name(p->form), at + sizeof(mark) - 1);
	if (err != ERR_OK)
		return S3_KeyTooLongError;
	/* From here on the request is one for this key. */
	err = target_set_key(&p->r->target, buf_str(&p->key), "");
	return err == ERR_OK ? object_key_check(request_key(p->r)) : err;
}

static SUSPENDS int
authenticate(struct posting *p)
{
	struct request *r = p->r;
	struct post_signature s;
	struct buf policy;
	bool given;
	int err = post_signature_read(p->form, &s, &given);

	if (err != ERR_OK || !given)
		return err;
	err = r->realm->ops->key(r->realm, s.access, &r->caller);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? S3_InvalidAccessKeyId : err;
	err = post_signature_verify(&s, r->caller.key.secret);
	crypto_wipe(r->caller.key.secret, sizeof(r->caller.key.secret));
	if (err != ERR_OK)
		return err;
	buf_init(&policy, FORM_FIELDS_BYTES);
	err = decode_base64_any(&policy, bytes_of(s.policy, strlen(s.policy)));
	if (err == ERR_OK)
		err = post_policy_check(buf_bytes(&policy), r->now_ms, p->form, r->bucket->name,
		    r->target.key, &p->limits, &r->message);
	else
		err = S3_InvalidPolicyDocument;
	buf_fini(&policy);
	if (err == ERR_OK)
		r->message = NULL;
	return err;
}

/* Fields as the headers of a PUT: "acl" is x-amz-acl there. */
static const char *
field_get(void *arg, const char *name)
{
	struct posting *p = arg;

	if (strcasecmp(name, "x-amz-acl") == 0)
		return form_value(p->form, "acl");
	if (strcasecmp(name, "x-amz-tagging") == 0)
		return NULL; /* a form has them as XML */
	return form_value(p->form, name);
}

static struct web_header
field_at(void *arg, size_t i)
{
	struct posting *p = arg;
	struct form_field f;

	if (i >= form_count(p->form))
		return (struct web_header){ NULL, NULL };
	f = form_at(p->form, i);
	return (struct web_header){ f.name, f.value };
}

static SUSPENDS int
read_tags(struct posting *p)
{
	const char *text = form_value(p->form, "tagging");
	struct xml_doc *doc;
	int err;

	if (text == NULL)
		return ERR_OK;
	err = document_parse(p->r, bytes_of(text, strlen(text)), &doc);
	if (err != ERR_OK)
		return err;
	err = tags_of_xml(xml_child(xml_root(doc), "TagSet"), &p->tags, TAGS_MAX);
	xml_free(doc);
	p->attributes.entry.tags = buf_bytes(&p->tags);
	p->attributes.sets |= SETS_TAGS;
	return err;
}

/* x-amz-checksum-*: what the file must have. */
static int
read_sum(struct posting *p)
{
	for (int algo = SUM_CRC32; algo < SUM_ALGOS; algo++) {
		const char *text = form_value(p->form, sum_header((enum sum_algo)algo));

		if (text == NULL)
			continue;
		p->algo = (enum sum_algo)algo;
		if (sum_parse(p->algo, text, p->sum) != ERR_OK)
			return S3_InvalidRequest;
	}
	for (size_t i = 0; i < form_count(p->form); i++) {
		if (sum_header_unknown(form_at(p->form, i).name))
			return S3_NotImplemented;
	}
	return ERR_OK;
}

static SUSPENDS int
prepare(struct posting *p)
{
	struct attribute_source src = { field_get, field_at, p };
	struct access_question q = { .action = "s3:PutObject", .acl = ACL_WRITE };
	int err = read_fields(p);

	p->limits = (struct post_limits){ .most = FILE_BYTES_MAX };
	if (err == ERR_OK)
		err = check_names(p);
	if (err == ERR_OK)
		err = make_key(p);
	if (err == ERR_OK)
		err = authenticate(p);
	q.key = p->r->target.key;
	if (err == ERR_OK)
		err = access_ask(p->r, &q);
	if (err == ERR_OK)
		err = attributes_read(p->r, &src, &p->attributes);
	if (err == ERR_OK)
		err = read_sum(p);
	if (err == ERR_OK)
		err = read_tags(p);
	return err == ERR_OK ? access_ask_sets(p->r, p->attributes.sets) : err;
}

/* ---- the file ---- */

static SUSPENDS int
next_piece(void *arg, struct bytes *lent)
{
	struct posting *p = arg;
	struct bytes piece;
	int err = ERR_OK;

	*lent = p->file;
	p->file.len = 0;
	while (lent->len == 0 && err == ERR_OK) {
		if (form_ended(p->form))
			return p->seen < p->limits.least ? S3_EntityTooSmall : ERR_END;
		err = body_next(p->body, &piece);
		if (err == ERR_OK)
			err = form_take(p->form, piece, lent);
	}
	if (err == ERR_END)
		return S3_IncompleteBody;
	p->seen += lent->len;
	return err == ERR_OK && p->seen > p->limits.most ? S3_EntityTooLarge : err;
}

static SUSPENDS int
post_txn(void *arg, struct kv *txn)
{
	struct posting *p = arg;
	struct bucket_txn t = request_txn(p->r, txn);
	struct conditions none = { .has_size = false };
	struct entry e = p->attributes.entry;
	struct bucket_done done = { .versioned = false };
	int err;

	e.size = p->stored.size;
	e.etag = p->stored.etag;
	e.checksum = p->stored.checksum;
	e.content = buf_bytes(&p->stored.form);
	err = bucket_put(&t, request_key(p->r), &none, &e, &done);
	return request_done(p->r, txn, err, &done);
}

/* What the browser is told, or where it is sent. */
static int
reply_posted(struct posting *p)
{
	struct request *r = p->r;
	const char *to = form_value(p->form, "success_action_redirect");
	const char *status = form_value(p->form, "success_action_status");
	char etag[ETAG_TEXT_MAX];
	struct buf text, url;
	struct xml x;
	int err = reply_headerf(r, "ETag", "\"%s\"", etag_text(&p->stored.etag, etag));

	buf_init(&text, KIB(16));
	buf_init(&url, KIB(8));
	if (to == NULL)
		to = form_value(p->form, "redirect");
	if (err == ERR_OK && to != NULL && *to != '\0') {
		err = buf_appendf(
		    &text, "%s%cbucket=%s&key=", to, strchr(to, '?') ? '&' : '?', r->bucket->name);
		if (err == ERR_OK)
			err = encode_percent(&text, request_key(r), true);
		if (err == ERR_OK)
			err = buf_appendf(&text, "&etag=%%22%s%%22", etag);
		if (err == ERR_OK)
			err = reply_header(r, "Location", buf_str(&text));
		if (err == ERR_OK)
			err = reply_empty(r, 303);
	} else if (err == ERR_OK && status != NULL && strcmp(status, "201") == 0) {
		err = request_url(r, &url);
		x = xml_begin(&text, "PostResponse", NULL);
		xml_put(&x, "Location", buf_str(&url));
		xml_put(&x, "Bucket", r->bucket->name);
		xml_put(&x, "Key", r->target.key);
		xml_put_etag(&x, &p->stored.etag);
		if (err == ERR_OK)
			err = xml_end(&x, "PostResponse");
		if (err == ERR_OK)
			err = reply_xml(r, 201, &text);
	} else if (err == ERR_OK) {
		err = reply_empty(r, status != NULL && strcmp(status, "200") == 0 ? 200 : 204);
	}
	buf_fini(&text);
	buf_fini(&url);
	return err;
}

static SUSPENDS int
post(struct posting *p)
{
	struct request *r = p->r;
	struct stored_source source = {
		.next = next_piece, .arg = p, .length = UINT64_MAX, .algo = p->algo
	};
	struct realm_write write = { .locked = r->settings.lock,
		.customer = p->attributes.has_customer ? &p->attributes.customer : NULL };
	struct bucket_done done = { .versioned = false };
	int err;

	request_view_drop(r);
	err = stored_from(r, &source, &write, &p->stored);
	if (err == ERR_OK && p->algo != SUM_NONE &&
	    memcmp(p->sum, p->stored.checksum.value, SUM_BYTES_MAX) != 0)
		err = S3_BadDigest;
	if (err == ERR_OK)
		err = request_update(r, post_txn, p, &done);
	if (err == ERR_OK)
		err = reply_written(r, &done);
	if (err == ERR_OK)
		return reply_posted(p);
	if (err != ERR_UNKNOWN)
		stored_drop(r, &p->stored);
	return err;
}

SUSPENDS int
op_post_object(struct request *r)
{
	struct body_opts opts = { .bytes_max = FILE_BYTES_MAX + MIB(1) };
	struct posting *p = calloc(1, sizeof(*p));
	int err;

	if (p == NULL)
		return ERR_NOMEM;
	p->r = r;
	buf_init(&p->key, KIB(4));
	buf_init(&p->tags, PAIRS_BYTES_MAX);
	stored_init(&p->stored);
	err = form_new(request_header(r, "content-type"), &p->form);
	if (err == ERR_INVALID)
		err = S3_MalformedPOSTRequest;
	if (err == ERR_OK)
		err = body_open(r, &opts, &p->body);
	if (err == ERR_OK)
		err = prepare(p);
	if (err == ERR_OK)
		err = post(p);
	body_free(p->body);
	form_free(p->form);
	attributes_fini(&p->attributes);
	stored_fini(&p->stored);
	buf_fini(&p->key);
	buf_fini(&p->tags);
	free(p);
	return err;
}
