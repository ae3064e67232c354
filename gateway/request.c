/* The request's context: views and transactions of its bucket, and the parts of its answer. */
#include "gateway/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/gateway_private.h"
#include "gateway/ops.h"
#include "gateway/times.h"

struct bytes
request_key(const struct request *r)
{
	return bytes_of(r->target.key, strlen(r->target.key));
}

bool
request_anonymous(const struct request *r)
{
	return r->caller.account.id.text[0] == '\0';
}

int
request_url(const struct request *r, struct buf *out)
{
	const char *host = request_header(r, "host");
	bool hosted = r->target.hosted;
	int err = buf_appendf(out, "%s://%s/%s%s", web_encrypted(r->web) ? "https" : "http",
	    host == NULL ? "" : host, hosted ? "" : r->target.bucket, hosted ? "" : "/");

	return err == ERR_OK ? encode_percent(out, request_key(r), true) : err;
}

bool
request_recalls(const struct request *r)
{
	const char *method = web_method(r->web);

	return !r->g->opts.current_only &&
	       (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
		   strcmp(method, "OPTIONS") == 0);
}

SUSPENDS int
request_account(struct request *r, const char *id, struct realm_account *out)
{
	int err = r->realm->ops->account(r->realm, id, out);

	if (err != ERR_OK) {
		memset(out, 0, sizeof(*out));
		(void)strncpy(out->id.text, id, ACCOUNT_ID_MAX);
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

struct bucket_txn
request_txn(struct request *r, struct kv *txn)
{
	struct bucket_txn t = { .kv = txn, .refs = r->bucket->refs, .now_ms = env_wall_ms(r->env) };

	env_random(r->env, t.random, sizeof(t.random));
	return t;
}

SUSPENDS int
request_view(struct request *r)
{
	int err;

	if (r->view != NULL)
		return ERR_OK;
	r->bucket->recalls = request_recalls(r);
	err = r->bucket->ops->view(r->bucket, r->known ? REALM_KNOWN : REALM_CURRENT, &r->view);
	if (err != ERR_OK) {
		r->view = NULL;
		return err;
	}
	/* Before anything is made of it: refusals and 304 are no newer. */
	err = reply_stale(r, r->bucket->stale_ms);
	if (err == ERR_OK)
		err = settings_get(r->view, &r->settings_value, &r->settings);
	if (err != ERR_OK)
		request_view_drop(r);
	return err;
}

void
request_view_drop(struct request *r)
{
	if (r->view != NULL)
		r->bucket->ops->view_release(r->bucket, r->view);
	r->view = NULL;
}

SUSPENDS int
request_view_current(struct request *r)
{
	request_view_drop(r);
	r->known = false;
	return request_view(r);
}

int
request_version(const struct request *r, struct version_ref *out)
{
	return version_parse(text_bytes(request_query(r, "versionId")), out);
}

SUSPENDS int
request_entry(struct request *r)
{
	if (r->entry_looked)
		return r->entry_err;
	r->entry_looked = true;
	r->entry_err = request_version(r, &r->which);
	if (r->entry_err == ERR_OK)
		r->entry_err = request_view(r);
	if (r->entry_err == ERR_OK)
		r->entry_err =
		    bucket_get(r->view, request_key(r), &r->which, &r->entry_value, &r->entry);
	return r->entry_err;
}

SUSPENDS int
request_update(
    struct request *r, int (*fn)(void *arg, struct kv *txn), void *arg, struct bucket_done *done)
{
	struct buf result;
	int err;

	request_view_drop(r);
	buf_init(&result, BUCKET_DONE_BYTES);
	err = r->bucket->ops->update(r->bucket, fn, arg, &result);
	if (err == ERR_OK && done != NULL && result.len > 0)
		err = bucket_done_unpack(buf_bytes(&result), done);
	buf_fini(&result);
	return err;
}

int
request_done(struct request *r, struct kv *txn, int err, const struct bucket_done *done)
{
	uint8_t packed[BUCKET_DONE_BYTES];

	if (err != ERR_OK)
		return err;
	bucket_done_pack(done, packed);
	return r->bucket->ops->txn_result(txn, bytes_of(packed, sizeof(packed)));
}

/* ---- memory ---- */

int
request_hold(struct request *r, size_t bytes)
{
	struct gateway *g = r->g;
	bool stranger = request_anonymous(r);
	size_t most = stranger ? HELD_STRANGERS_MAX : HELD_SIGNED_MAX;
	size_t *all = stranger ? &g->held_strangers : &g->held_signed;

	if (bytes > most - *all)
		return S3_SlowDown;
	*all += bytes;
	*(stranger ? &r->held_strangers : &r->held_signed) += bytes;
	return ERR_OK;
}

void
request_release(struct request *r)
{
	r->g->held_signed -= r->held_signed;
	r->g->held_strangers -= r->held_strangers;
	r->held_signed = r->held_strangers = 0;
}

/* ---- headers ---- */

int
reply_header_bytes(struct request *r, const char *name, struct bytes value)
{
	size_t name_len = strlen(name), from = r->text.len;
	struct web_header *h = &r->headers[r->headers_count];
	int err;

	if (r->headers_count == WEB_REPLY_HEADERS_MAX)
		return ERR_TOO_BIG;
	/* Text of users must not become a header of its own, nor keep the rest from going out. */
	if (!web_header_name_valid(name, name_len) || memchr(value.data, '\r', value.len) != NULL ||
	    memchr(value.data, '\n', value.len) != NULL ||
	    memchr(value.data, '\0', value.len) != NULL)
		return ERR_OK;
	/* The arena does not move: it was reserved whole. */
	if (name_len + value.len + 2 > REPLY_TEXT_MAX - r->text.len)
		return ERR_TOO_BIG;
	err = buf_append(&r->text, name, name_len + 1);
	if (err == ERR_OK)
		err = buf_append(&r->text, value.data, value.len);
	if (err == ERR_OK)
		err = buf_append(&r->text, "", 1);
	if (err != ERR_OK)
		return err;
	h->name = (const char *)r->text.data + from;
	h->value = h->name + name_len + 1;
	r->headers_count++;
	return ERR_OK;
}

int
reply_header(struct request *r, const char *name, const char *value)
{
	return reply_header_bytes(r, name, bytes_of(value, strlen(value)));
}

int
reply_headerf(struct request *r, const char *name, const char *fmt, ...)
{
	char value[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(value))
		return ERR_TOO_BIG;
	return reply_header(r, name, value);
}

int
reply_stale(struct request *r, uint64_t stale_ms)
{
	if (stale_ms == 0 || r->marked)
		return ERR_OK;
	r->marked = true;
	return reply_headerf(r, "x-skerry-stale", "%llu",
	    (unsigned long long)realm_stale_seconds(stale_ms, env_wall_ms(r->env)));
}

int
reply_done(struct request *r, const struct bucket_done *done)
{
	char text[VERSION_TEXT_MAX];
	int err = ERR_OK;

	if (done->versioned)
		err = reply_header(
		    r, "x-amz-version-id", version_text(done->null, &done->version, text));
	if (err == ERR_OK && done->marker)
		err = reply_header(r, "x-amz-delete-marker", "true");
	return err;
}

int
reply_written(struct request *r, const struct bucket_done *done)
{
	return done->null ? ERR_OK : reply_done(r, done);
}

int
reply_version(struct request *r)
{
	char text[VERSION_TEXT_MAX];

	if (r->settings.versioning == VERSIONING_NEVER)
		return ERR_OK;
	return reply_header(
	    r, "x-amz-version-id", version_text(r->entry.null, &r->entry.version, text));
}

/* ---- answers ---- */

int
reply_body(struct request *r, unsigned status, const char *type, struct bytes body)
{
	struct web_reply reply = { .status = status, .length = body.len };
	int err = type == NULL ? ERR_OK : reply_header(r, "Content-Type", type);

	if (err != ERR_OK)
		return err;
	reply.headers = r->headers;
	reply.headers_count = r->headers_count;
	request_view_drop(r);
	return web_reply(r->web, &reply, body);
}

int
reply_empty(struct request *r, unsigned status)
{
	return reply_body(r, status, NULL, bytes_of("", 0));
}

int
reply_xml(struct request *r, unsigned status, const struct buf *body)
{
	return reply_body(r, status, "application/xml", buf_bytes(body));
}

int
reply_start(struct request *r, unsigned status, uint64_t length)
{
	struct web_reply reply = { .status = status,
		.length = length,
		.headers = r->headers,
		.headers_count = r->headers_count };

	request_view_drop(r);
	return web_reply_start(r->web, &reply);
}

static void
error_details(struct request *r, int err, struct xml *x)
{
	char text[32];

	if (r->target.bucket != NULL && r->target.bucket[0] != '\0')
		xml_put(x, "BucketName", r->target.bucket);
	if (r->target.key != NULL && r->target.key[0] != '\0')
		xml_put(x, "Key", r->target.key);
	if (err == S3_SignatureDoesNotMatch && r->sig.signed_headers != NULL) {
		xml_put(x, "AWSAccessKeyId", r->sig.access_key);
		xml_put(x, "SignatureProvided", r->sig.signature);
	} else if (err == S3_RequestTimeTooSkewed) {
		(void)snprintf(text, sizeof(text), "%d", SIGV4_SKEW_MS);
		xml_put(x, "RequestTime", r->sig.amz_date);
		xml_put_time(x, "ServerTime", r->now_ms);
		xml_put(x, "MaxAllowedSkewMilliseconds", text);
	}
}

/* What is the matter with the network, where S3's own words would not tell. */
static const char *
network_message(const struct request *r, int err)
{
	const char *method = web_method(r->web);
	bool reads = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;

	if (err == ERR_UNREACHABLE && reads)
		return "Too few peers answer: no quorum of anchors with the bucket's state, or not "
		       "enough holders of the data.";
	if (err == ERR_UNREACHABLE)
		return "No quorum of the bucket's anchors answers, or too few peers do: nothing "
		       "was "
		       "changed. Try again later.";
	if (err == ERR_PERMISSION)
		return "This gateway may not do that: its right was not given, or has been taken "
		       "back.";
	if (err == ERR_UNKNOWN)
		return "The anchors were lost while this was being committed: it may have happened "
		       "or not. Look, then try again.";
	return NULL;
}

void
reply_error(struct request *r, int err)
{
	const struct s3_error_info *info = s3_error_info(err);
	struct buf body;
	struct xml x;

	if (web_replied(r->web))
		return;
	if (info->status == 503)
		(void)reply_header(r, "Retry-After", "1");
	if (r->message == NULL)
		r->message = network_message(r, err);
	if (info->status == 304) {
		(void)reply_empty(r, 304);
		return;
	}
	buf_init(&body, REPLY_BODY_MAX);
	x = xml_begin(&body, "Error", NULL);
	xml_put(&x, "Code", info->code);
	xml_put(&x, "Message", r->message != NULL ? r->message : info->message);
	error_details(r, err, &x);
	xml_put(&x, "Resource", r->target.path == NULL ? "" : r->target.path);
	xml_put(&x, "RequestId", r->id);
	xml_put(&x, "HostId", r->id);
	if (xml_end(&x, "Error") != ERR_OK)
		buf_reset(&body);
	(void)reply_xml(r, info->status, &body);
	buf_fini(&body);
}

void
xml_put_error(struct xml *x, int err)
{
	const struct s3_error_info *info = s3_error_info(err);

	xml_put(x, "Code", info->code);
	xml_put(x, "Message", info->message);
}

void
xml_put_time(struct xml *x, const char *name, uint64_t unix_ms)
{
	char text[TIMES_TEXT_MAX];

	xml_put(x, name, times_iso(unix_ms, text));
}

void
xml_put_etag(struct xml *x, const struct etag *e)
{
	char text[ETAG_TEXT_MAX], quoted[ETAG_TEXT_MAX + 2];

	(void)snprintf(quoted, sizeof(quoted), "\"%s\"", etag_text(e, text));
	xml_put(x, "ETag", quoted);
}

void
xml_put_owner(struct xml *x, const char *name, const struct realm_account *a)
{
	xml_open(x, name);
	xml_put(x, "ID", a->id.text);
	xml_put(x, "DisplayName", a->name);
	xml_close(x, name);
}
