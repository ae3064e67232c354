/* Headers to an entry, and back. */
#include "gateway/attributes.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/acl_text.h"
#include "gateway/encode.h"
#include "gateway/sum.h"
#include "gateway/times.h"

#define REDIRECT_BYTES_MAX 2048 /* S3's limit */

static const char *const text_headers[TEXT_COUNT] = {
	[TEXT_CONTENT_TYPE] = "Content-Type",
	[TEXT_CONTENT_ENCODING] = "Content-Encoding",
	[TEXT_CONTENT_LANGUAGE] = "Content-Language",
	[TEXT_CONTENT_DISPOSITION] = "Content-Disposition",
	[TEXT_CACHE_CONTROL] = "Cache-Control",
	[TEXT_EXPIRES] = "Expires",
	[TEXT_REDIRECT] = "x-amz-website-redirect-location",
};

/* ---- sources ---- */

static const char *
header_get(void *arg, const char *name)
{
	return request_header(arg, name);
}

static struct web_header
header_at(void *arg, size_t i)
{
	size_t count;
	const struct web_header *h = web_headers(((struct request *)arg)->web, &count);

	return i < count ? h[i] : (struct web_header){ NULL, NULL };
}

struct attribute_source
attributes_of_request(struct request *r)
{
	return (struct attribute_source){ header_get, header_at, r };
}

/* ---- reading ---- */

/* "aws-chunked" is how it came, not what it is. */
static int
read_encoding(const char *text, struct buf *out)
{
	int err = ERR_OK;

	while (text != NULL && *text != '\0' && err == ERR_OK) {
		size_t gap = strspn(text, " ,"), len;

		text += gap;
		len = strcspn(text, ",");
		if (len > 0 && !(len == 11 && strncasecmp(text, "aws-chunked", 11) == 0)) {
			if (out->len > 0) /* as it was written */
				err = buf_append(out, text - gap, gap);
			if (err == ERR_OK)
				err = buf_append(out, text, len);
		}
		text += len;
	}
	return err;
}

static bool
redirect_valid(struct bytes to)
{
	static const char *const starts[] = { "/", "http://", "https://" };

	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		size_t len = strlen(starts[i]);

		if (to.len >= len && memcmp(to.data, starts[i], len) == 0)
			return to.len <= REDIRECT_BYTES_MAX;
	}
	return to.len == 0;
}

static int
read_texts(const struct attribute_source *src, struct attributes *a)
{
	size_t sum = 0;
	int err;

	for (int i = 0; i < TEXT_COUNT; i++) {
		const char *text = src->get(src->arg, text_headers[i]);

		a->entry.text[i] = text_bytes(text);
	}
	err = read_encoding(src->get(src->arg, "Content-Encoding"), &a->encoding);
	if (err != ERR_OK)
		return err;
	a->entry.text[TEXT_CONTENT_ENCODING] = buf_bytes(&a->encoding);
	if (a->entry.text[TEXT_CONTENT_TYPE].len == 0)
		a->entry.text[TEXT_CONTENT_TYPE] = text_bytes("binary/octet-stream");
	if (!redirect_valid(a->entry.text[TEXT_REDIRECT]))
		return S3_InvalidRedirectLocation;
	for (int i = 0; i < TEXT_COUNT; i++)
		sum += a->entry.text[i].len;
	return sum > ENTRY_TEXTS_BYTES_MAX ? S3_MetadataTooLarge : ERR_OK;
}

static int
read_meta(const struct attribute_source *src, struct attributes *a)
{
	static const char prefix[] = "x-amz-meta-";
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK; i++) {
		struct web_header h = src->at(src->arg, i);
		char name[256];
		size_t len;

		if (h.name == NULL)
			break;
		if (strncasecmp(h.name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		len = strlen(h.name + sizeof(prefix) - 1);
		if (len >= sizeof(name))
			return REFUSAL_METADATA;
		for (size_t k = 0; k < len; k++) {
			char c = h.name[sizeof(prefix) - 1 + k];

			name[k] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
		}
		err = pairs_add(&a->meta, bytes_of(name, len), text_bytes(h.value));
	}
	a->entry.meta = buf_bytes(&a->meta);
	if (err == ERR_OK)
		err = pairs_check_meta(a->entry.meta);
	return err == ERR_TOO_BIG ? REFUSAL_METADATA : err;
}

int
tags_parse(const char *text, struct buf *out)
{
	struct buf name, value;
	int err = ERR_OK;

	buf_init(&name, KIB(4));
	buf_init(&value, KIB(4));
	while (text != NULL && *text != '\0' && err == ERR_OK) {
		size_t len = strcspn(text, "&"), n = strcspn(text, "=&");

		buf_reset(&name);
		buf_reset(&value);
		if (len == 0) {
			text++;
			continue;
		}
		err = decode_percent(&name, bytes_of(text, n), true);
		if (err == ERR_OK && n < len)
			err = decode_percent(&value, bytes_of(text + n + 1, len - n - 1), true);
		if (err == ERR_OK)
			err = pairs_add(out, buf_bytes(&name), buf_bytes(&value));
		text += len + (text[len] == '&');
	}
	buf_fini(&name);
	buf_fini(&value);
	if (err == ERR_OK)
		err = pairs_check_tags(buf_bytes(out), TAGS_MAX);
	if (err == ERR_OK)
		err = pairs_sort_tags(out);
	return err == ERR_TOO_BIG || err == ERR_INVALID ? REFUSAL_TAG : err;
}

const char *
lock_mode_name(uint8_t mode)
{
	return mode == LOCK_GOVERNANCE ? "GOVERNANCE" : "COMPLIANCE";
}

bool
lock_mode_parse(const char *text, uint8_t *out)
{
	if (strcmp(text, "GOVERNANCE") != 0 && strcmp(text, "COMPLIANCE") != 0)
		return false;
	*out = text[0] == 'G' ? LOCK_GOVERNANCE : LOCK_COMPLIANCE;
	return true;
}

static int
read_lock(struct request *r, const struct attribute_source *src, struct attributes *a)
{
	struct entry *e = &a->entry;
	const char *mode = src->get(src->arg, "x-amz-object-lock-mode");
	const char *until = src->get(src->arg, "x-amz-object-lock-retain-until-date");
	const char *hold = src->get(src->arg, "x-amz-object-lock-legal-hold");

	if ((mode == NULL) != (until == NULL)) {
		r->message =
		    "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both "
		    "be supplied";
		return S3_InvalidArgument;
	}
	if (mode != NULL) {
		if (!lock_mode_parse(mode, &e->lock_mode)) {
			r->message = "Unknown wormMode directive.";
			return S3_InvalidArgument;
		}
		if (times_parse_iso(until, &e->lock_until_ms) != ERR_OK)
			return S3_InvalidArgument;
		a->sets |= SETS_RETENTION;
	}
	if (hold != NULL) {
		if (strcmp(hold, "ON") != 0 && strcmp(hold, "OFF") != 0) {
			r->message = "Legal Hold must be either of 'ON' or 'OFF'";
			return S3_InvalidArgument;
		}
		e->hold = strcmp(hold, "ON") == 0;
		a->sets |= SETS_HOLD;
	}
	return ERR_OK;
}

int
customer_key(struct request *r, const struct attribute_source *src, const char *prefix,
    struct key *out, bool *given)
{
	char name[96];
	const char *algorithm, *key, *md5_text;
	uint8_t digest[16], said[16];
	struct md5 *md5;

	(void)snprintf(name, sizeof(name), "%sserver-side-encryption-customer-algorithm", prefix);
	algorithm = src->get(src->arg, name);
	(void)snprintf(name, sizeof(name), "%sserver-side-encryption-customer-key", prefix);
	key = src->get(src->arg, name);
	(void)snprintf(name, sizeof(name), "%sserver-side-encryption-customer-key-MD5", prefix);
	md5_text = src->get(src->arg, name);
	*given = algorithm != NULL || key != NULL || md5_text != NULL;
	if (!*given)
		return ERR_OK;
	r->message = "Requests specifying Server Side Encryption with Customer provided keys must "
		     "provide a valid encryption algorithm, key and the key's MD5.";
	if (algorithm == NULL || key == NULL || md5_text == NULL)
		return S3_InvalidArgument;
	if (strcmp(algorithm, "AES256") != 0)
		return S3_InvalidEncryptionAlgorithmError;
	if (decode_base64(out->b, sizeof(out->b), key) != ERR_OK ||
	    decode_base64(said, sizeof(said), md5_text) != ERR_OK)
		return S3_InvalidArgument;
	md5 = md5_new();
	if (md5 == NULL)
		return ERR_NOMEM;
	md5_update(md5, out->b, sizeof(out->b));
	md5_final(md5, digest);
	md5_free(md5);
	if (memcmp(digest, said, sizeof(said)) != 0)
		return S3_InvalidArgument;
	r->message = NULL;
	return ERR_OK;
}

static int
read_sse(struct request *r, const struct attribute_source *src, struct attributes *a)
{
	const char *sse = src->get(src->arg, "x-amz-server-side-encryption");
	bool kms_key = src->get(src->arg, "x-amz-server-side-encryption-aws-kms-key-id") != NULL;
	bool kms = sse != NULL && strncmp(sse, "aws:kms", 7) == 0;
	uint8_t salt[16];
	int err = customer_key(r, src, "x-amz-", &a->customer, &a->has_customer);

	if (err != ERR_OK)
		return err;
	a->entry.sse = SSE_AES256;
	if ((sse != NULL && a->has_customer) || (kms_key && !kms)) {
		r->message = "Server Side Encryption was asked for in two ways that exclude each "
			     "other.";
		return S3_InvalidArgument;
	}
	if (kms)
		return S3_NotImplemented;
	if (sse != NULL && strcmp(sse, "AES256") != 0) {
		r->message = "The encryption method specified is not supported";
		return S3_InvalidArgument;
	}
	if (a->has_customer) {
		a->entry.sse = SSE_CUSTOMER;
		env_random(r->env, salt, sizeof(salt));
		sse_customer_set(&a->entry.customer, &a->customer, salt);
	}
	return ERR_OK;
}

static int
read_class(const struct attribute_source *src, struct entry *e)
{
	const char *name = src->get(src->arg, "x-amz-storage-class");

	e->storage_class = CLASS_STANDARD;
	if (name == NULL)
		return ERR_OK;
	return storage_class_parse(text_bytes(name), &e->storage_class) == ERR_OK
		   ? ERR_OK
		   : S3_InvalidStorageClass;
}

int
attributes_read(struct request *r, const struct attribute_source *src, struct attributes *out)
{
	const char *tags = src->get(src->arg, "x-amz-tagging");
	bool acl_given = false;
	int err;

	*out = (struct attributes){ .has_customer = false };
	buf_init(&out->meta, ENTRY_META_BYTES_MAX);
	buf_init(&out->tags, PAIRS_BYTES_MAX);
	buf_init(&out->acl, ACL_BYTES_MAX);
	buf_init(&out->encoding, ENTRY_TEXTS_BYTES_MAX);
	err = read_texts(src, out);
	if (err == ERR_OK)
		err = read_meta(src, out);
	if (err == ERR_OK)
		err = tags_parse(tags, &out->tags);
	if (err == ERR_OK)
		err = read_lock(r, src, out);
	if (err == ERR_OK)
		err = read_sse(r, src, out);
	if (err == ERR_OK)
		err = read_class(src, &out->entry);
	if (err == ERR_OK)
		err = acl_for_object(r, src, &out->acl, &out->entry.owner, &acl_given);
	out->sets |= (tags != NULL ? SETS_TAGS : 0) | (acl_given ? SETS_ACL : 0);
	out->entry.tags = buf_bytes(&out->tags);
	out->entry.acl = buf_bytes(&out->acl);
	return err;
}

void
attributes_fini(struct attributes *a)
{
	buf_fini(&a->meta);
	buf_fini(&a->tags);
	buf_fini(&a->acl);
	buf_fini(&a->encoding);
	crypto_wipe(&a->customer, sizeof(a->customer));
}

void
attributes_take_headers(struct attributes *a, const struct entry *from)
{
	struct bytes redirect = a->entry.text[TEXT_REDIRECT];

	memcpy(a->entry.text, from->text, sizeof(a->entry.text));
	a->entry.text[TEXT_REDIRECT] = redirect; /* S3 never copies it */
	a->entry.meta = from->meta;
}

void
attributes_take_tags(struct attributes *a, const struct entry *from)
{
	a->entry.tags = from->tags;
	a->sets &= ~(unsigned)SETS_TAGS;
	if (from->tags.len > 0)
		a->sets |= SETS_TAGS;
}

/* ---- and back ---- */

static int
reply_lock(struct request *r, const struct entry *e)
{
	char text[TIMES_TEXT_MAX];
	int err = ERR_OK;

	if (e->lock_mode != LOCK_NONE) {
		err = reply_header(r, "x-amz-object-lock-mode", lock_mode_name(e->lock_mode));
		if (err == ERR_OK)
			err = reply_header(r, "x-amz-object-lock-retain-until-date",
			    times_iso(e->lock_until_ms, text));
	}
	if (err == ERR_OK && e->hold)
		err = reply_header(r, "x-amz-object-lock-legal-hold", "ON");
	return err;
}

static int
reply_meta(struct request *r, struct bytes meta)
{
	struct pair p;
	char name[300];
	int err = ERR_OK;

	while (err == ERR_OK && pairs_next(&meta, &p)) {
		if (p.name.len > 255)
			continue;
		(void)snprintf(name, sizeof(name), "x-amz-meta-%.*s", (int)p.name.len,
		    (const char *)p.name.data);
		err = reply_header_bytes(r, name, p.value);
	}
	return err;
}

int
reply_sse(struct request *r, uint8_t sse)
{
	const char *md5 = request_header(r, "x-amz-server-side-encryption-customer-key-MD5");
	int err;

	if (sse != SSE_CUSTOMER)
		return reply_header(r, "x-amz-server-side-encryption", "AES256");
	err = reply_header(r, "x-amz-server-side-encryption-customer-algorithm", "AES256");
	if (err == ERR_OK && md5 != NULL)
		err = reply_header(r, "x-amz-server-side-encryption-customer-key-MD5", md5);
	return err;
}

int
reply_entry(struct request *r, const struct entry *e)
{
	char text[TIMES_TEXT_MAX], etag[ETAG_TEXT_MAX];
	size_t tags = pairs_count(e->tags);
	int err = reply_headerf(r, "ETag", "\"%s\"", etag_text(&e->etag, etag));

	if (err == ERR_OK)
		err = reply_header(r, "Last-Modified", times_http(e->modified_ms, text));
	for (int i = 0; i < TEXT_COUNT && err == ERR_OK; i++) {
		static const char *const overrides[TEXT_COUNT] = { "response-content-type",
			"response-content-encoding", "response-content-language",
			"response-content-disposition", "response-cache-control",
			"response-expires", "" };
		const char *other = request_query(r, overrides[i]);

		if (other != NULL)
			err = reply_header(r, text_headers[i], other);
		else if (e->text[i].len > 0)
			err = reply_header_bytes(r, text_headers[i], e->text[i]);
	}
	if (err == ERR_OK)
		err = reply_meta(r, e->meta);
	if (err == ERR_OK && tags > 0)
		err = reply_headerf(r, "x-amz-tagging-count", "%zu", tags);
	if (err == ERR_OK && e->storage_class != CLASS_STANDARD)
		err = reply_header(r, "x-amz-storage-class", storage_class_name(e->storage_class));
	if (err == ERR_OK)
		err = reply_lock(r, e);
	return err != ERR_OK ? err : reply_sse(r, e->sse);
}
