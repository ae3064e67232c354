/* Split at '?', decode each part once, copy into one arena. */
#include "gateway/target.h"

#include <stdlib.h>
#include <strings.h>

#include "gateway/errors.h"

#define LATER_KEYS (2 * (TARGET_KEY_MAX + 1)) /* for target_set_key() */

/* Decodes into the arena; its offset there. The arena was reserved: pointers into it stay. */
static int
decode(struct target *t, struct bytes text, bool plus_is_space, const char **out)
{
	size_t from = t->arena.len;
	int err = decode_percent(&t->arena, text, plus_is_space);

	if (err == ERR_OK && memchr(t->arena.data + from, '\0', t->arena.len - from) != NULL)
		err = ERR_INVALID; /* no text of XML could name it */
	if (err == ERR_OK && !utf8_valid(bytes_of(t->arena.data + from, t->arena.len - from)))
		err = ERR_INVALID;
	if (err == ERR_OK)
		err = buf_append(&t->arena, "", 1);
	if (err != ERR_OK)
		return err == ERR_NOMEM ? err : S3_InvalidURI;
	*out = (const char *)t->arena.data + from;
	return ERR_OK;
}

static int
parse_query(struct target *t, const char *text)
{
	while (*text != '\0') {
		size_t len = strcspn(text, "&");
		const char *equals = memchr(text, '=', len);
		size_t name_len = equals == NULL ? len : (size_t)(equals - text);
		struct query_item *q = &t->query[t->query_count];
		int err;

		if (len > 0) {
			if (t->query_count == TARGET_QUERY_MAX)
				return S3_InvalidURI;
			err = decode(t, bytes_of(text, name_len), true, &q->name);
			if (err == ERR_OK)
				err = decode(t,
				    equals == NULL ? bytes_of(text, 0)
						   : bytes_of(equals + 1, len - name_len - 1),
				    true, &q->value);
			if (err != ERR_OK)
				return err;
			t->query_count++;
		}
		text += len;
		text += *text == '&';
	}
	return ERR_OK;
}

/* What stands before ".DOMAIN" in host; 0: nothing does. */
static size_t
before_domain(const char *host, size_t len, const char *domain)
{
	size_t domain_len = strlen(domain);

	if (len <= domain_len + 1 || host[len - domain_len - 1] != '.' ||
	    strncasecmp(host + len - domain_len, domain, domain_len) != 0)
		return 0;
	return len - domain_len - 1;
}

/* The bucket that the host names. */
static int
parse_host(struct target *t, const char *host, const char *const *domains)
{
	static const char website[] = ".s3-website";
	size_t len = host == NULL ? 0 : strcspn(host, ":"), n = 0;

	if (domains == NULL || len == 0 || host[0] == '[')
		return ERR_OK;
	for (; **domains != '\0' && n == 0; domains++) {
		if (len == strlen(*domains) && strncasecmp(host, *domains, len) == 0)
			return ERR_OK;
		n = before_domain(host, len, *domains);
	}
	if (n == 0)
		return ERR_OK;
	if (n > sizeof(website) - 1 &&
	    strncasecmp(host + n - (sizeof(website) - 1), website, sizeof(website) - 1) == 0) {
		t->website = true;
		n -= sizeof(website) - 1;
	}
	t->hosted = true;
	return decode(t, bytes_of(host, n), false, &t->bucket);
}

int
target_parse(const char *raw, const char *host, const char *const *domains, struct target *out)
{
	size_t len = strlen(raw), path_len = strcspn(raw, "?");
	const char *rest;
	int err;

	*out = (struct target){ .path = "", .bucket = "", .key = "" };
	buf_init(&out->arena, 2 * TARGET_BYTES_MAX + KIB(2));
	if (len > TARGET_BYTES_MAX || raw[0] != '/' || (host != NULL && strlen(host) > 300))
		return S3_InvalidURI;
	/* Decoded bytes, a NUL for each part, and the bucket a second time. */
	err = buf_reserve(&out->arena, len + 2 * TARGET_QUERY_MAX + 400 + path_len + LATER_KEYS);
	if (err == ERR_OK)
		err = decode(out, bytes_of(raw, path_len), false, &out->path);
	if (err == ERR_OK)
		err = parse_query(out, raw + path_len + (raw[path_len] == '?'));
	if (err == ERR_OK)
		err = parse_host(out, host, domains);
	if (err != ERR_OK)
		return err;
	rest = out->path + 1;
	if (out->bucket[0] == '\0') {
		size_t n = strcspn(rest, "/");
		size_t from = out->arena.len;

		err = buf_append(&out->arena, rest, n);
		if (err == ERR_OK)
			err = buf_append(&out->arena, "", 1);
		if (err != ERR_OK)
			return err;
		out->bucket = (const char *)out->arena.data + from;
		rest += n;
		rest += *rest == '/';
	}
	out->key = rest;
	return strlen(rest) > TARGET_KEY_MAX ? S3_KeyTooLongError : ERR_OK;
}

int
target_set_key(struct target *t, const char *key, const char *suffix)
{
	size_t from = t->arena.len, len = strlen(key) + strlen(suffix);

	if (len > TARGET_KEY_MAX)
		return S3_KeyTooLongError;
	must(t->arena.cap - t->arena.len > len); /* it does not move: others point into it */
	if (buf_append(&t->arena, key, strlen(key)) != ERR_OK ||
	    buf_append(&t->arena, suffix, strlen(suffix) + 1) != ERR_OK)
		return ERR_NOMEM;
	t->key = (const char *)t->arena.data + from;
	return ERR_OK;
}

void
target_fini(struct target *t)
{
	buf_fini(&t->arena);
}

const char *
target_query(const struct target *t, const char *name)
{
	for (size_t i = 0; i < t->query_count; i++) {
		if (strcmp(t->query[i].name, name) == 0)
			return t->query[i].value;
	}
	return NULL;
}

bool
target_has(const struct target *t, const char *name)
{
	return target_query(t, name) != NULL;
}
