/*
 * The way of a request: its target, its signature and whose it is, its operation, its bucket,
 * whether the caller may, the operation. The first that fails is the answer.
 */
#include "gateway/gateway.h"

#include <stdlib.h>

#include "gateway/gateway_private.h"
#include "gateway/ops.h"
#include "gateway/sigv2.h"
#include "gateway/sum.h"

/* ---- who asks ---- */

static SUSPENDS int
authenticate(struct request *r)
{
	struct sigv4_request signed_request = { .method = web_method(r->web),
		.target = &r->target };
	int err;

	/* A browser asks before without saying who it is; a signature in the address is that of the
	 * request to come. */
	if (strcmp(web_method(r->web), "OPTIONS") == 0) {
		r->sig = (struct sigv4){ .anonymous = true, .payload_text = "" };
		return ERR_OK;
	}
	signed_request.headers = web_headers(r->web, &signed_request.headers_count);
	err = sigv4_parse(&signed_request, r->now_ms, &r->sig);
	if (err != ERR_OK || r->sig.anonymous)
		return err; /* a browser's form signs itself */
	err = r->realm->ops->key(r->realm, r->sig.access_key, &r->caller);
	if (err == ERR_NOT_FOUND)
		return S3_InvalidAccessKeyId;
	if (err != ERR_OK)
		return err;
	if (r->sig.v2) {
		err = sigv2_verify(&signed_request, &r->sig, r->caller.key.secret);
	} else {
		sigv4_key(&r->signing_key, r->caller.key.secret, r->sig.scope);
		err = sigv4_verify(&signed_request, &r->sig, &r->signing_key);
	}
	crypto_wipe(r->caller.key.secret, sizeof(r->caller.key.secret));
	if (err != ERR_OK)
		memset(&r->caller, 0, sizeof(r->caller)); /* it was somebody else */
	return err;
}

/* ---- the steps ---- */

/* What was signed as one thing must not become another by a word that was not. */
static int
find_operation(struct request *r)
{
	r->op = ops_find(&r->target, web_method(r->web));
	if (r->op == NULL)
		return S3_MethodNotAllowed;
	if (!r->sig.v2 || r->op->subresource == NULL || sigv2_covers(&r->sig, r->op->subresource))
		return ERR_OK;
	r->message = "Signature version 2 does not cover the operation that the query names. Sign "
		     "the request with AWS4-HMAC-SHA256.";
	return S3_SignatureDoesNotMatch;
}

static SUSPENDS int
open_bucket(struct request *r)
{
	const char *expected = request_header(r, "x-amz-expected-bucket-owner");
	int err;

	if (r->target.bucket[0] == '\0' || r->op->no_bucket)
		return ERR_OK;
	if (strlen(r->target.bucket) >= REALM_BUCKET_MAX)
		return S3_NoSuchBucket;
	err = r->realm->ops->bucket(r->realm, r->target.bucket, &r->bucket);
	if (err == ERR_NOT_FOUND)
		return S3_NoSuchBucket;
	if (err != ERR_OK)
		return err;
	if (expected != NULL && strcmp(expected, r->bucket->owner.id.text) != 0)
		return S3_AccessDenied;
	/* A copy looks at its source, too. */
	r->known = r->op->decides_late && request_header(r, "x-amz-copy-source") == NULL;
	return request_view(r);
}

/* Refused by what may be old: asked again by what is current. */
static SUSPENDS int
check_access(struct request *r)
{
	int err = access_check(r);

	if (err != S3_AccessDenied || !r->known)
		return err;
	err = request_view_current(r);
	r->message = NULL;
	return err == ERR_OK ? access_check(r) : err;
}

/*
 * Headers that make another thing of an operation, or ask for a promise that would not be kept: an
 * append is no overwriting, a checksum that nobody computes checks nothing.
 */
static bool
header_unsupported(const char *name)
{
	static const char *const names[] = { "x-amz-write-offset-bytes",
		"x-amz-object-lock-event-hold", "x-amz-object-lock-event-hold-duration-days",
		"x-amz-object-lock-event-hold-duration-years", "x-amz-if-match-initiated-time" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcasecmp(name, names[i]) == 0)
			return true;
	}
	return sum_header_unknown(name);
}

static int
check_headers(struct request *r)
{
	const char *space = request_header(r, "x-amz-bucket-namespace");
	bool refused = space != NULL && strcmp(space, "global") != 0;
	size_t count;
	const struct web_header *h = web_headers(r->web, &count);

	for (size_t i = 0; i < count; i++)
		refused = refused || header_unsupported(h[i].name);
	if (request_header(r, "x-amz-copy-source") != NULL &&
	    strcmp(web_method(r->web), "PUT") != 0) {
		r->message = "You can only specify a copy source header for copy requests.";
		return S3_InvalidArgument;
	}
	if (!refused)
		return ERR_OK;
	r->message = "A header you provided implies functionality that is not implemented.";
	return S3_NotImplemented;
}

static SUSPENDS int
run(struct request *r)
{
	struct gateway *g = r->g;
	int err;

	if (web_problem(r->web) != NULL) {
		r->message = web_problem(r->web);
		return S3_InvalidRequest;
	}
	err = target_parse(
	    web_target(r->web), request_header(r, "host"), g->opts.domains, &r->target);
	if (err == ERR_OK)
		err = authenticate(r);
	if (err == ERR_OK)
		err = find_operation(r);
	if (err == ERR_OK)
		err = open_bucket(r);
	if (err != ERR_OK)
		return err;
	if (!r->target.website)
		err = r->op->run == NULL ? S3_NotImplemented : check_access(r);
	/* After access, which refuses by what is current: a script is to be able to read why. */
	if (r->view != NULL)
		cors_headers(r);
	if (r->target.website)
		return website_serve(r);
	if (err == ERR_OK)
		err = check_headers(r);
	return err == ERR_OK ? r->op->run(r) : err;
}

static void
count(struct gateway *g, int err)
{
	unsigned status = err == ERR_OK ? 200 : s3_error_info(err)->status;

	g->sight.requests++;
	g->sight.errors_client += status >= 400 && status < 500;
	g->sight.errors_server += status >= 500;
}

static SUSPENDS void
serve(void *arg, struct web_request *web)
{
	struct gateway *g = arg;
	struct request *r = calloc(1, sizeof(*r));
	uint8_t random[8];
	int err;

	if (r == NULL)
		return; /* the server answers 500 */
	r->g = g;
	r->env = g->opts.env;
	r->realm = g->opts.realm;
	r->web = web;
	r->now_ms = env_wall_ms(r->env);
	env_random(r->env, random, sizeof(random));
	hex_encode(r->id, random, sizeof(random));
	buf_init(&r->text, REPLY_TEXT_MAX);
	buf_init(&r->settings_value, KV_VALUE_MAX);
	buf_init(&r->entry_value, KV_VALUE_MAX);
	err = buf_reserve(&r->text, REPLY_TEXT_MAX);
	if (err == ERR_OK)
		err = reply_header(r, "x-amz-request-id", r->id);
	if (err == ERR_OK)
		err = reply_header(r, "x-amz-id-2", r->id);
	if (err == ERR_OK)
		err = reply_header(r, "Server", "Skerry");
	if (err == ERR_OK)
		err = run(r);
	if (err != ERR_OK) {
		if (s3_error_info(err)->status >= 500 && err != S3_NotImplemented)
			log_warn(r->env, "request %s: %s %s: %s", r->id, web_method(web),
			    s3_error_info(err)->code, err_text(err));
		reply_error(r, err);
	}
	count(g, err);
	request_view_drop(r);
	if (r->bucket != NULL)
		r->bucket->ops->release(r->bucket);
	request_release(r);
	target_fini(&r->target);
	buf_fini(&r->text);
	buf_fini(&r->settings_value);
	buf_fini(&r->entry_value);
	crypto_wipe(&r->signing_key, sizeof(r->signing_key));
	access_key_wipe(&r->caller.key);
	free(r);
}

/* ---- life ---- */

int
gateway_open(const struct gateway_opts *opts, struct gateway **out)
{
	struct gateway *g = calloc(1, sizeof(*g));
	struct web_opts web = { .env = opts->env,
		.addr = opts->addr,
		.serve = serve,
		.arg = g,
		.tls_certificate = opts->tls_certificate,
		.tls_key = opts->tls_key };
	int err;

	if (g == NULL)
		return ERR_NOMEM;
	g->opts = *opts;
	if (g->opts.region == NULL)
		g->opts.region = GATEWAY_REGION;
	xml_init();
	err = web_open(&web, &g->web);
	if (err != ERR_OK) {
		free(g);
		return err;
	}
	task_group_init(&g->duties, opts->env);
	err = task_spawn(&g->duties, "upkeep", upkeep_task, g);
	if (err != ERR_OK) /* requests are served all the same */
		log_warn(opts->env, "buckets are not looked after: %s", err_text(err));
	*out = g;
	return ERR_OK;
}

void
gateway_local(const struct gateway *g, struct addr *out)
{
	web_local(g->web, out);
}

SUSPENDS void
gateway_close(struct gateway *g, uint64_t patience)
{
	if (g == NULL)
		return;
	web_close(g->web, patience);
	task_group_fini(&g->duties);
	free(g);
}

void
gateway_sight(const struct gateway *g, struct gateway_sight *out)
{
	*out = g->sight;
	out->under_way = web_requests(g->web);
}
