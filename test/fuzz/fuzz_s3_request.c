/* What strangers send first: targets, signatures, bodies in chunks, forms. Nothing may break, and
 * what was taken apart must be what was put in. */
#include <stdlib.h>

#include "gateway/chunked.h"
#include "gateway/errors.h"
#include "gateway/form.h"
#include "gateway/post_policy.h"
#include "gateway/sigv4.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *
text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

static void
as_request(const char *text)
{
	static const char *const domains[] = { "localhost", "" };
	struct web_header headers[] = { { "host", text }, { "authorization", text },
		{ "x-amz-date", "20130524T000000Z" },
		{ "x-amz-content-sha256", "UNSIGNED-PAYLOAD" } };
	struct target t;
	struct sigv4_request r = { .method = "GET",
		.target = &t,
		.headers = headers,
		.headers_count = ARRAY_LEN(headers) };
	struct sigv4 s;
	struct key key;

	if (target_parse(text, text, domains, &t) == ERR_OK) {
		must(strlen(t.key) <= TARGET_KEY_MAX);
		must(target_set_key(&t, "index", ".html") == ERR_OK);
		if (sigv4_parse(&r, 1369353600000, &s) == ERR_OK && !s.anonymous) {
			sigv4_key(&key, "secret", s.scope);
			(void)sigv4_verify(&r, &s, &key);
		}
	}
	target_fini(&t);
}

static void
as_chunks(const uint8_t *data, size_t size, size_t step)
{
	struct chunked *c = chunked_new(PAYLOAD_UNSIGNED_TRAILER, NULL, UINT64_MAX);
	uint64_t out = 0;
	int err = ERR_OK;

	must(c != NULL);
	for (size_t at = 0; at < size && err == ERR_OK; at += step) {
		struct bytes in = bytes_of(data + at, MIN(step, size - at)), payload;

		while (in.len > 0 && err == ERR_OK) {
			err = chunked_take(c, &in, &payload);
			out += payload.len;
		}
	}
	must(out <= size);
	(void)chunked_done(c);
	chunked_free(c);
}

static void
as_form(const uint8_t *data, size_t size, size_t step)
{
	struct form *f;
	struct bytes file;
	uint64_t out = 0;
	struct post_limits limits = { 0 };
	const char *why;
	int err = form_new("multipart/form-data; boundary=b", &f);

	must(err == ERR_OK);
	for (size_t at = 0; at < size && err == ERR_OK; at += step) {
		err = form_take(f, bytes_of(data + at, MIN(step, size - at)), &file);
		out += file.len;
	}
	must(out <= size);
	if (form_value(f, "policy") != NULL)
		(void)post_policy_check(
		    bytes_of(form_value(f, "policy"), strlen(form_value(f, "policy"))), 0, f,
		    "bucket", "key", &limits, &why);
	form_free(f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	must(crypto_init() == ERR_OK);
	if (size > KIB(64))
		return 0;
	text = text_of(data, size);
	as_request(text);
	free(text);
	for (size_t step = 1; step <= 64; step *= 8) {
		as_chunks(data, size, step);
		as_form(data, size, step);
	}
	return 0;
}
