/*
 * Parse, check times, build the canonical request, compare. Header names in the signature are lower
 * case; values are trimmed, and runs of spaces become one.
 */
#include "gateway/sigv4.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/errors.h"
#include "gateway/sigv2.h"
#include "gateway/times.h"

#define CANONICAL_MAX KIB(160) /* a target of 32 KiB, each byte three, and as many headers */
#define EMPTY_HASH    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ALGORITHM     "AWS4-HMAC-SHA256"
#define TO_SIGN_MAX   512 /* an algorithm, a date, a scope, and two or three hashes */

const char *
sigv4_header(const struct sigv4_request *r, const char *name)
{
	for (size_t i = 0; i < r->headers_count; i++) {
		if (strcasecmp(r->headers[i].name, name) == 0)
			return r->headers[i].value;
	}
	return NULL;
}

/* ---- parsing ---- */

/* "AKID/20130524/us-east-1/s3/aws4_request" */
static bool
parse_credential(const char *text, size_t len, struct sigv4 *out)
{
	const char *slash = memchr(text, '/', len);
	size_t key_len = slash == NULL ? 0 : (size_t)(slash - text), scope_len;
	unsigned parts = 1;
	const char *region;

	if (key_len == 0 || key_len > SIGV4_ACCESS_MAX)
		return false;
	scope_len = len - key_len - 1;
	if (scope_len >= SIGV4_SCOPE_MAX)
		return false;
	memcpy(out->access_key, text, key_len);
	out->access_key[key_len] = '\0';
	memcpy(out->scope, slash + 1, scope_len);
	out->scope[scope_len] = '\0';
	for (const char *p = out->scope; *p != '\0'; p++)
		parts += *p == '/';
	if (parts != 4 || strspn(out->scope, "0123456789") != 8 || out->scope[8] != '/')
		return false;
	region = out->scope + 9;
	if (strcspn(region, "/") >= sizeof(out->region))
		return false;
	memcpy(out->region, region, strcspn(region, "/"));
	out->region[strcspn(region, "/")] = '\0';
	return strcmp(region + strlen(out->region), "/s3/aws4_request") == 0;
}

/* One of another form is one that does not match: "" then. */
static bool
parse_signature(const char *text, size_t len, struct sigv4 *out)
{
	bool possible = len == 64;

	for (size_t i = 0; i < len && possible; i++)
		possible = isxdigit((unsigned char)text[i]) && !isupper((unsigned char)text[i]);
	if (possible)
		memcpy(out->signature, text, 64);
	out->signature[possible ? 64 : 0] = '\0';
	return len > 0;
}

/* "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…" */
static int
parse_header(const char *text, struct sigv4 *out)
{
	bool credential = false, signature = false;

	if (strncmp(text, ALGORITHM, strlen(ALGORITHM)) != 0)
		return S3_InvalidArgument;
	text += strlen(ALGORITHM);
	if (*text != ' ' && *text != ',')
		return S3_InvalidArgument;
	while (*text != '\0') {
		size_t len;

		text += strspn(text, " ,");
		len = strcspn(text, ",");
		while (len > 0 && text[len - 1] == ' ')
			len--;
		if (strncmp(text, "Credential=", 11) == 0)
			credential = parse_credential(text + 11, len - 11, out);
		else if (strncmp(text, "SignedHeaders=", 14) == 0)
			out->signed_headers = text + 14;
		else if (strncmp(text, "Signature=", 10) == 0)
			signature = parse_signature(text + 10, len - 10, out);
		text += strcspn(text, ",");
	}
	return credential && signature && out->signed_headers != NULL
		   ? ERR_OK
		   : S3_AuthorizationHeaderMalformed;
}

static int
parse_query(const struct target *t, struct sigv4 *out)
{
	const char *algorithm = target_query(t, "X-Amz-Algorithm");
	const char *credential = target_query(t, "X-Amz-Credential");
	const char *date = target_query(t, "X-Amz-Date");
	const char *expires = target_query(t, "X-Amz-Expires");
	const char *signature = target_query(t, "X-Amz-Signature");

	out->presigned = true;
	out->signed_headers = target_query(t, "X-Amz-SignedHeaders");
	if (algorithm == NULL || strcmp(algorithm, ALGORITHM) != 0 || credential == NULL ||
	    !parse_credential(credential, strlen(credential), out) || date == NULL ||
	    strlen(date) >= sizeof(out->amz_date) || signature == NULL ||
	    !parse_signature(signature, strlen(signature), out) || out->signed_headers == NULL ||
	    expires == NULL)
		return S3_AuthorizationQueryParametersError;
	/* For no time, or longer than a signature may hold: it does not hold. */
	if (!decimal_parse(expires, SIGV4_EXPIRES_MAX, &out->expires_s) || out->expires_s == 0)
		return S3_AccessDenied;
	strcpy(out->amz_date, date);
	return ERR_OK;
}

static int
parse_payload(const struct sigv4_request *r, struct sigv4 *out)
{
	static const struct {
		const char *text;
		enum sigv4_payload kind;
	} words[] = {
		{ "UNSIGNED-PAYLOAD", PAYLOAD_UNSIGNED },
		{ "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", PAYLOAD_CHUNKED },
		{ "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", PAYLOAD_CHUNKED_TRAILER },
		{ "STREAMING-UNSIGNED-PAYLOAD-TRAILER", PAYLOAD_UNSIGNED_TRAILER },
	};
	const char *text = sigv4_header(r, "x-amz-content-sha256");

	if (text == NULL && out->presigned)
		text = target_query(r->target, "X-Amz-Content-Sha256");
	if (text == NULL) {
		out->payload = PAYLOAD_UNSIGNED;
		out->payload_text = "UNSIGNED-PAYLOAD";
		return out->presigned || out->anonymous || out->v2 ? ERR_OK : S3_InvalidRequest;
	}
	out->payload_text = text;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		out->payload = words[i].kind;
		if (strcmp(text, words[i].text) ==
		    0) /* chunks go on from a signature like theirs */
			return out->v2 && (out->payload == PAYLOAD_CHUNKED ||
					      out->payload == PAYLOAD_CHUNKED_TRAILER)
				   ? S3_InvalidRequest
				   : ERR_OK;
	}
	out->payload = PAYLOAD_HASH;
	return hex_decode(out->payload_hash.b, 32, text, strlen(text)) == ERR_OK
		   ? ERR_OK
		   : S3_InvalidArgument;
}

/* "X-Amz-Date", or else "Date", in either form. */
static int
parse_date(const struct sigv4_request *r, struct sigv4 *out)
{
	const char *text = sigv4_header(r, "x-amz-date");
	char amz[TIMES_TEXT_MAX];
	uint64_t ms;

	if (text == NULL)
		text = sigv4_header(r, "date");
	if (text == NULL || strlen(text) >= TIMES_TEXT_MAX)
		return S3_AccessDenied;
	if (times_parse_amz(text, &ms) != ERR_OK && times_parse_http(text, &ms) != ERR_OK)
		return S3_AccessDenied;
	strcpy(out->amz_date, times_amz(ms, amz));
	return ERR_OK;
}

static int
check_time(const struct sigv4 *s, uint64_t now_ms)
{
	uint64_t at;

	if (times_parse_amz(s->amz_date, &at) != ERR_OK)
		return s->presigned ? S3_AuthorizationQueryParametersError : S3_AccessDenied;
	if (at > now_ms + SIGV4_SKEW_MS)
		return s->presigned ? S3_AccessDenied : S3_RequestTimeTooSkewed;
	if (s->presigned && now_ms > at + s->expires_s * 1000)
		return S3_AccessDenied;
	if (!s->presigned && now_ms > at + SIGV4_SKEW_MS)
		return S3_RequestTimeTooSkewed;
	if (strncmp(s->scope, s->amz_date, 8) != 0)
		return s->presigned ? S3_AuthorizationQueryParametersError
				    : S3_SignatureDoesNotMatch;
	return ERR_OK;
}

static bool
is_signed(const struct sigv4 *s, const char *name, size_t len)
{
	const char *p = s->signed_headers;

	while (*p != '\0' && *p != ',' && *p != ' ') {
		size_t n = strcspn(p, ";, ");

		if (n == len && strncasecmp(p, name, len) == 0)
			return true;
		p += n;
		p += *p == ';';
	}
	return false;
}

/* Host and every x-amz- header: else whoever sees the request could change what it does. */
static int
check_signed(const struct sigv4_request *r, const struct sigv4 *s)
{
	if (!is_signed(s, "host", 4))
		return S3_AccessDenied;
	for (size_t i = 0; i < r->headers_count; i++) {
		const char *name = r->headers[i].name;

		if (strncasecmp(name, "x-amz-", 6) == 0 && !is_signed(s, name, strlen(name)) &&
		    strcasecmp(name, "x-amz-content-sha256") != 0)
			return S3_AccessDenied;
	}
	return ERR_OK;
}

int
sigv4_parse(const struct sigv4_request *r, uint64_t now_ms, struct sigv4 *out)
{
	const char *header = sigv4_header(r, "authorization");
	int err = ERR_OK;

	*out = (struct sigv4){ .payload_text = "" };
	if (target_has(r->target, "X-Amz-Algorithm") || target_has(r->target, "X-Amz-Signature") ||
	    target_has(r->target, "X-Amz-Credential")) {
		if (header != NULL)
			return S3_InvalidArgument; /* AWS: only one way at a time */
		err = parse_query(r->target, out);
	} else if (header != NULL && *header == '\0') {
		return S3_AccessDenied; /* neither signed nor openly unsigned */
	} else if (header != NULL && strncmp(header, "AWS ", 4) == 0) {
		err = sigv2_parse(r, header, now_ms, out);
	} else if (header != NULL) {
		err = parse_header(header, out);
		if (err == ERR_OK)
			err = parse_date(r, out);
	} else if (target_has(r->target, "Signature") && target_has(r->target, "AWSAccessKeyId")) {
		err = sigv2_parse(r, NULL, now_ms, out);
	} else {
		out->anonymous = true;
		return parse_payload(r, out);
	}
	if (err == ERR_OK && !out->v2)
		err = check_time(out, now_ms);
	if (err == ERR_OK)
		err = parse_payload(r, out);
	if (err == ERR_OK && !out->v2)
		err = check_signed(r, out);
	return err;
}

/* ---- the canonical request ---- */

/* "name=value" of each item but the signature, sorted. Names and values are encoded first. */
static int
by_text(const void *a, const void *b)
{
	const struct query_item *x = a, *y = b;
	int n = strcmp(x->name, y->name);

	return n != 0 ? n : strcmp(x->value, y->value);
}

static int
canonical_query(const struct sigv4_request *r, const struct sigv4 *s, struct buf *out)
{
	struct query_item *items = calloc(TARGET_QUERY_MAX, sizeof(*items));
	size_t count = 0;
	struct buf text;
	int err = items == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&text, CANONICAL_MAX);
	/* So much room that the texts do not move. */
	if (err == ERR_OK)
		err = buf_reserve(&text, 3 * r->target->arena.len + 2 * TARGET_QUERY_MAX);
	for (size_t i = 0; i < r->target->query_count && err == ERR_OK; i++) {
		const struct query_item *q = &r->target->query[i];

		if (s->presigned && strcmp(q->name, "X-Amz-Signature") == 0)
			continue;
		items[count].name = (const char *)text.data + text.len;
		err = encode_percent(&text, bytes_of(q->name, strlen(q->name)), false);
		if (err == ERR_OK)
			err = buf_append(&text, "", 1);
		items[count].value = (const char *)text.data + text.len;
		if (err == ERR_OK)
			err = encode_percent(&text, bytes_of(q->value, strlen(q->value)), false);
		if (err == ERR_OK)
			err = buf_append(&text, "", 1);
		count++;
	}
	if (err == ERR_OK && count > 0)
		qsort(items, count, sizeof(*items), by_text);
	for (size_t i = 0; i < count && err == ERR_OK; i++)
		err = buf_appendf(out, "%s%s=%s", i == 0 ? "" : "&", items[i].name, items[i].value);
	buf_fini(&text);
	free(items);
	return err;
}

/* Trimmed, runs of spaces as one. */
static int
append_trimmed(struct buf *out, const char *value)
{
	size_t len = strlen(value);
	int err = buf_reserve(out, len);

	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	for (size_t i = strspn(value, " \t"); i < len && err == ERR_OK; i++) {
		if (value[i] != ' ' || value[i - 1] != ' ')
			err = buf_append(out, value + i, 1);
	}
	return err;
}

/* One line of a signed header: all its values, joined by commas. */
static int
canonical_header(const struct sigv4_request *r, const char *name, size_t len, struct buf *out)
{
	bool first = true;
	int err = buf_append(out, name, len);

	if (err == ERR_OK)
		err = buf_append(out, ":", 1);
	for (size_t i = 0; i < r->headers_count && err == ERR_OK; i++) {
		const struct web_header *h = &r->headers[i];

		if (strlen(h->name) != len || strncasecmp(h->name, name, len) != 0)
			continue;
		if (!first)
			err = buf_append(out, ",", 1);
		if (err == ERR_OK)
			err = append_trimmed(out, h->value);
		first = false;
	}
	return err == ERR_OK ? buf_append(out, "\n", 1) : err;
}

int
sigv4_canonical(const struct sigv4_request *r, const struct sigv4 *s, struct buf *out)
{
	const char *names = s->signed_headers;
	size_t names_len = strcspn(names, ", ");
	int err = buf_appendf(out, "%s\n", r->method);

	if (err == ERR_OK)
		err = encode_percent(out, bytes_of(r->target->path, strlen(r->target->path)), true);
	if (err == ERR_OK)
		err = buf_append(out, "\n", 1);
	if (err == ERR_OK)
		err = canonical_query(r, s, out);
	if (err == ERR_OK)
		err = buf_append(out, "\n", 1);
	for (size_t i = 0; i < names_len && err == ERR_OK;) {
		size_t n = strcspn(names + i, ";, ");

		err = canonical_header(r, names + i, n, out);
		i += n + 1;
	}
	if (err == ERR_OK)
		err = buf_appendf(out, "\n%.*s\n%s", (int)names_len, names, s->payload_text);
	return err;
}

/* ---- signatures ---- */

static void
hmac_text(struct key *out, const struct key *key, const char *text, size_t len)
{
	struct hash h;

	crypto_hmac(&h, key->b, sizeof(key->b), text, len);
	memcpy(out->b, h.b, sizeof(out->b));
}

void
sigv4_key(struct key *out, const char *secret, const char *scope)
{
	char first[4 + SIGV4_SECRET_MAX + 1];
	struct hash h;
	const char *part = scope;

	(void)snprintf(first, sizeof(first), "AWS4%s", secret);
	crypto_hmac(&h, first, strlen(first), part, strcspn(part, "/"));
	memcpy(out->b, h.b, sizeof(out->b));
	crypto_wipe(first, sizeof(first));
	/* region, service, "aws4_request" */
	for (part += strcspn(part, "/"); *part == '/'; part += strcspn(part, "/")) {
		part++;
		hmac_text(out, out, part, strcspn(part, "/"));
	}
}

static void
sign(const struct key *key, const char *text, char out[65])
{
	struct hash h;

	crypto_hmac(&h, key->b, sizeof(key->b), text, strlen(text));
	hex_encode(out, h.b, sizeof(h.b));
}

int
sigv4_verify_text(const struct key *key, const char *text, const char *signature)
{
	char mine[65];

	sign(key, text, mine);
	return strlen(signature) == 64 && crypto_equal(mine, signature, 64)
		   ? ERR_OK
		   : S3_SignatureDoesNotMatch;
}

/* The text whose signature is a request's: it names the canonical request by its hash. */
static int
to_sign(const struct sigv4_request *r, const struct sigv4 *s, char out[TO_SIGN_MAX])
{
	char hex[65];
	struct buf canonical;
	struct hash h;
	int err;

	buf_init(&canonical, CANONICAL_MAX);
	err = sigv4_canonical(r, s, &canonical);
	if (err == ERR_OK) {
		crypto_sha256(&h, canonical.data, canonical.len);
		hex_encode(hex, h.b, sizeof(h.b));
		(void)snprintf(
		    out, TO_SIGN_MAX, ALGORITHM "\n%s\n%s\n%s", s->amz_date, s->scope, hex);
	}
	buf_fini(&canonical);
	return err;
}

int
sigv4_sign(
    const struct sigv4_request *r, const struct sigv4 *s, const struct key *key, char out[65])
{
	char text[TO_SIGN_MAX];
	int err = to_sign(r, s, text);

	if (err == ERR_OK)
		sign(key, text, out);
	return err;
}

int
sigv4_verify(const struct sigv4_request *r, const struct sigv4 *s, const struct key *key)
{
	char text[TO_SIGN_MAX];
	int err = to_sign(r, s, text);

	if (err == ERR_OK)
		err = sigv4_verify_text(key, text, s->signature);
	return err == ERR_TOO_BIG ? S3_SignatureDoesNotMatch : err;
}

/* ---- chunks ---- */

void
sigv4_chain_init(struct sigv4_chain *c, const struct sigv4 *s, const struct key *key)
{
	c->key = *key;
	memcpy(c->scope, s->scope, sizeof(c->scope));
	memcpy(c->amz_date, s->amz_date, sizeof(c->amz_date));
	memcpy(c->previous, s->signature, sizeof(c->previous));
}

static int
chain_next(struct sigv4_chain *c, const char *text, const char *signature)
{
	int err = sigv4_verify_text(&c->key, text, signature);

	if (err == ERR_OK)
		memcpy(c->previous, signature, sizeof(c->previous));
	return err;
}

int
sigv4_chain_chunk(struct sigv4_chain *c, const struct hash *hash, const char *signature)
{
	char text[TO_SIGN_MAX], hex[65];

	hex_encode(hex, hash->b, sizeof(hash->b));
	(void)snprintf(text, sizeof(text), ALGORITHM "-PAYLOAD\n%s\n%s\n%s\n" EMPTY_HASH "\n%s",
	    c->amz_date, c->scope, c->previous, hex);
	return chain_next(c, text, signature);
}

int
sigv4_chain_trailer(struct sigv4_chain *c, const struct hash *hash, const char *signature)
{
	char text[TO_SIGN_MAX], hex[65];

	hex_encode(hex, hash->b, sizeof(hash->b));
	(void)snprintf(text, sizeof(text), ALGORITHM "-TRAILER\n%s\n%s\n%s\n%s", c->amz_date,
	    c->scope, c->previous, hex);
	return chain_next(c, text, signature);
}

void
sigv4_chain_wipe(struct sigv4_chain *c)
{
	crypto_wipe(c, sizeof(*c));
}
