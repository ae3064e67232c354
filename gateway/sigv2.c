/* Parse, check times, build what is signed, compare. */
#include "gateway/sigv2.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/errors.h"
#include "gateway/times.h"

#define CANONICAL_MAX KIB(160)
#define PREFIX        "AWS "
#define SHA1_BYTES    20

/* ---- parsing ---- */

static bool
keep(char *to, size_t room, const char *text, size_t len)
{
	if (len == 0 || len >= room)
		return false;
	memcpy(to, text, len);
	to[len] = '\0';
	return true;
}

/* "AWS AKID:signature" */
static int
parse_header(const struct sigv4_request *r, const char *header, uint64_t now_ms, struct sigv4 *out)
{
	const char *text = header + strlen(PREFIX), *colon = strchr(text, ':');
	const char *date = sigv4_header(r, "x-amz-date");
	char amz[TIMES_TEXT_MAX];
	uint64_t at = 0;

	if (colon == NULL ||
	    !keep(out->access_key, sizeof(out->access_key), text, (size_t)(colon - text)) ||
	    !keep(out->signature, sizeof(out->signature), colon + 1, strlen(colon + 1)))
		return S3_InvalidArgument;
	if (date == NULL)
		date = sigv4_header(r, "date");
	if (date == NULL ||
	    (times_parse_http(date, &at) != ERR_OK && times_parse_amz(date, &at) != ERR_OK))
		return S3_AccessDenied;
	(void)snprintf(out->amz_date, sizeof(out->amz_date), "%s", times_amz(at, amz));
	return at > now_ms + SIGV4_SKEW_MS || now_ms > at + SIGV4_SKEW_MS ? S3_RequestTimeTooSkewed
									  : ERR_OK;
}

static int
parse_query(const struct target *t, uint64_t now_ms, struct sigv4 *out)
{
	const char *access = target_query(t, "AWSAccessKeyId");
	const char *signature = target_query(t, "Signature");
	const char *expires = target_query(t, "Expires");

	out->presigned = true;
	if (access == NULL || signature == NULL || expires == NULL ||
	    !keep(out->access_key, sizeof(out->access_key), access, strlen(access)) ||
	    !keep(out->signature, sizeof(out->signature), signature, strlen(signature)))
		return S3_AccessDenied;
	/* Seconds since 1970. */
	if (!decimal_parse(expires, UINT64_MAX / 1000, &out->expires_s) ||
	    now_ms >= out->expires_s * 1000)
		return S3_AccessDenied;
	return ERR_OK;
}

int
sigv2_parse(const struct sigv4_request *r, const char *header, uint64_t now_ms, struct sigv4 *out)
{
	out->v2 = true;
	return header != NULL ? parse_header(r, header, now_ms, out)
			      : parse_query(r->target, now_ms, out);
}

/* ---- what is signed ---- */

static int
by_name(const void *a, const void *b)
{
	const struct web_header *x = *(const struct web_header *const *)a;
	const struct web_header *y = *(const struct web_header *const *)b;
	int n = strcasecmp(x->name, y->name);

	/* Those of one name stay as they came. */
	return n != 0 ? n : (x > y) - (x < y);
}

static int
append_lower(struct buf *out, const char *name)
{
	int err = ERR_OK;

	for (; *name != '\0' && err == ERR_OK; name++) {
		char c = (char)tolower((unsigned char)*name);

		err = buf_append(out, &c, 1);
	}
	return err;
}

static int
append_value(struct buf *out, const char *value)
{
	size_t len;

	value += strspn(value, " \t");
	len = strlen(value);
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	return buf_append(out, value, len);
}

/* "x-amz-name:value,value\n" of each, sorted. */
static int
amz_headers(const struct sigv4_request *r, struct buf *out)
{
	const struct web_header **found = calloc(r->headers_count + 1, sizeof(*found));
	size_t count = 0;
	int err = found == NULL ? ERR_NOMEM : ERR_OK;

	for (size_t i = 0; i < r->headers_count && err == ERR_OK; i++) {
		if (strncasecmp(r->headers[i].name, "x-amz-", 6) == 0)
			found[count++] = &r->headers[i];
	}
	if (count > 0)
		qsort(found, count, sizeof(*found), by_name);
	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		bool again = i > 0 && strcasecmp(found[i]->name, found[i - 1]->name) == 0;
		bool last = i + 1 == count || strcasecmp(found[i]->name, found[i + 1]->name) != 0;

		if (again)
			err = buf_append(out, ",", 1);
		else
			err = append_lower(out, found[i]->name);
		if (err == ERR_OK && !again)
			err = buf_append(out, ":", 1);
		if (err == ERR_OK)
			err = append_value(out, found[i]->value);
		if (err == ERR_OK && last)
			err = buf_append(out, "\n", 1);
	}
	free(found);
	return err;
}

/* The only parts of the query that are signed; sorted. */
static const char *const subresources[] = { "accelerate", "acl", "analytics", "cors",
	"defaultObjectAcl", "delete", "inventory", "lifecycle", "location", "logging", "metrics",
	"notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
	"response-cache-control", "response-content-disposition", "response-content-encoding",
	"response-content-language", "response-content-type", "response-expires", "restore",
	"select", "select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads",
	"versionId", "versioning", "versions", "website" };

/* How clients write the resource that they sign. */
enum form {
	FORM_PLAIN,
	FORM_SLASH, /* "/bucket/", and send "/bucket" */
	/* botocore 1.29: "/bucket?acl?acl", "/bucket?list-type=2": what names the operation stays
	 * in the path, and comes again where it is one of the above */
	FORM_OPERATION,
	FORMS
};

/* It is the first of the query: of letters, digits and "-", so that nothing else reads like it. */
static const struct query_item *
operation_item(const struct target *t)
{
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789";
	const struct query_item *q = &t->query[0];

	return t->query_count > 0 && q->name[strspn(q->name, plain)] == '\0' &&
		       q->value[strspn(q->value, plain)] == '\0'
		   ? q
		   : NULL;
}

static bool
form_fits(const struct target *t, enum form form)
{
	return form == FORM_PLAIN || (form == FORM_SLASH && t->key[0] == '\0') ||
	       (form == FORM_OPERATION && operation_item(t) != NULL);
}

static int
append_item(struct buf *out, char mark, const struct query_item *q)
{
	return buf_appendf(out, "%c%s%s%s", mark, q->name, *q->value == '\0' ? "" : "=", q->value);
}

static int
resource(const struct target *t, enum form form, struct buf *out)
{
	/* In the host instead of the path, the bucket is signed all the same. */
	int err = t->hosted ? buf_appendf(out, "/%s", t->bucket) : ERR_OK;
	char mark = '?';

	if (err == ERR_OK)
		err = encode_percent(out, bytes_of(t->path, strlen(t->path)), true);
	if (err == ERR_OK && form == FORM_SLASH)
		err = buf_append(out, "/", 1);
	if (err == ERR_OK && form == FORM_OPERATION)
		err = append_item(out, '?', operation_item(t));
	for (size_t i = 0; i < ARRAY_LEN(subresources) && err == ERR_OK; i++) {
		struct query_item q = { subresources[i], target_query(t, subresources[i]) };

		if (q.value == NULL)
			continue;
		err = append_item(out, mark, &q);
		mark = '&';
	}
	return err;
}

static int
canonical(const struct sigv4_request *r, const struct sigv4 *s, enum form form, struct buf *out)
{
	const char *md5 = sigv4_header(r, "content-md5"), *type = sigv4_header(r, "content-type");
	const char *date = sigv4_header(r, "date");
	int err;

	if (s->presigned)
		date = target_query(r->target, "Expires");
	else if (sigv4_header(r, "x-amz-date") != NULL)
		date = "";
	err = buf_appendf(out, "%s\n%s\n%s\n%s\n", r->method, md5 == NULL ? "" : md5,
	    type == NULL ? "" : type, date == NULL ? "" : date);
	if (err == ERR_OK)
		err = amz_headers(r, out);
	return err == ERR_OK ? resource(r->target, form, out) : err;
}

/* ---- signatures ---- */

/* RFC 2104 with SHA-1; false: no memory. */
static bool
hmac(uint8_t out[SHA1_BYTES], const char *secret, struct bytes text)
{
	uint8_t pad[64] = { 0 };
	struct sha1 *s = sha1_new();
	size_t len = MIN(strlen(secret), sizeof(pad)); /* secrets are shorter */

	if (s == NULL)
		return false;
	memcpy(pad, secret, len);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	sha1_update(s, pad, sizeof(pad));
	sha1_update(s, text.data, text.len);
	sha1_final(s, out);
	for (size_t i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5c;
	sha1_update(s, pad, sizeof(pad));
	sha1_update(s, out, SHA1_BYTES);
	sha1_final(s, out);
	sha1_free(s);
	crypto_wipe(pad, sizeof(pad));
	return true;
}

int
sigv2_verify_text(const char *secret, struct bytes text, const char *signature)
{
	uint8_t mine[SHA1_BYTES], theirs[SHA1_BYTES];

	if (!hmac(mine, secret, text))
		return ERR_NOMEM;
	return decode_base64(theirs, sizeof(theirs), signature) == ERR_OK &&
		       crypto_equal(mine, theirs, sizeof(mine))
		   ? ERR_OK
		   : S3_SignatureDoesNotMatch;
}

static int
compare(const struct sigv4_request *r, const struct sigv4 *s, const char *secret, enum form form)
{
	struct buf text;
	int err;

	buf_init(&text, CANONICAL_MAX);
	err = canonical(r, s, form, &text);
	if (err == ERR_OK)
		err = sigv2_verify_text(secret, buf_bytes(&text), s->signature);
	buf_fini(&text);
	return err == ERR_TOO_BIG ? S3_SignatureDoesNotMatch : err;
}

int
sigv2_verify(const struct sigv4_request *r, struct sigv4 *s, const char *secret)
{
	int err = S3_SignatureDoesNotMatch;

	for (int form = FORM_PLAIN; form < FORMS && err == S3_SignatureDoesNotMatch; form++) {
		if (!form_fits(r->target, (enum form)form))
			continue;
		err = compare(r, s, secret, (enum form)form);
		if (err == ERR_OK && form == FORM_OPERATION)
			s->operation = operation_item(r->target)->name;
	}
	return err;
}

bool
sigv2_covers(const struct sigv4 *s, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(subresources); i++) {
		if (strcmp(subresources[i], name) == 0)
			return true;
	}
	return s->operation != NULL && strcmp(s->operation, name) == 0;
}
