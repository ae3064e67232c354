/* Bodies in chunks, against AWS's published example and in every way of cutting them. */
#include "gateway/chunked.h"

#include <stdio.h>

#include "gateway/errors.h"
#include "test/unit/suite.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define SEED   "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
#define SEED_T "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
#define PLAIN  66560

static struct sigv4_chain
chain_from(const char *seed)
{
	struct sigv4_chain c = { .scope = "20130524/us-east-1/s3/aws4_request",
		.amz_date = "20130524T000000Z" };

	sigv4_key(&c.key, SECRET, c.scope);
	strcpy(c.previous, seed);
	return c;
}

/* Feeds pieces of step bytes; the sum of what came out, or the error. */
static int
feed(struct chunked *c, const struct buf *body, size_t step, size_t *out)
{
	int err = ERR_OK;

	*out = 0;
	for (size_t at = 0; at < body->len && err == ERR_OK; at += step) {
		struct bytes in = bytes_of(body->data + at, MIN(step, body->len - at)), payload;

		while (in.len > 0 && err == ERR_OK) {
			err = chunked_take(c, &in, &payload);
			for (size_t i = 0; i < payload.len && err == ERR_OK; i++)
				ck_assert_uint_eq(payload.data[i], 'a');
			*out += payload.len;
		}
	}
	return err == ERR_OK ? chunked_done(c) : err;
}

static void
put_a(struct buf *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)buf_append(b, "a", 1);
}

static void
published(struct buf *b)
{
	(void)buf_appendf(b, "10000;chunk-signature=%s\r\n",
	    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
	put_a(b, 65536);
	(void)buf_appendf(b, "\r\n400;chunk-signature=%s\r\n",
	    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
	put_a(b, 1024);
	(void)buf_appendf(b, "\r\n0;chunk-signature=%s\r\n\r\n",
	    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
}

static void
published_trailer(struct buf *b, const char *line_end)
{
	(void)buf_appendf(b, "10000;chunk-signature=%s\r\n",
	    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
	put_a(b, 65536);
	(void)buf_appendf(b, "\r\n400;chunk-signature=%s\r\n",
	    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
	put_a(b, 1024);
	(void)buf_appendf(b,
	    "\r\n0;chunk-signature=%s\r\nx-amz-checksum-crc32c:sOO8/Q==%s"
	    "x-amz-trailer-signature:%s\r\n\r\n",
	    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992", line_end,
	    "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
}

static int
run(enum sigv4_payload kind, const char *seed, const struct buf *body, size_t step, uint64_t length,
    size_t *out)
{
	struct sigv4_chain chain = chain_from(seed);
	struct chunked *c = chunked_new(kind, &chain, length);
	int err = feed(c, body, step, out);

	if (err == ERR_OK && kind != PAYLOAD_CHUNKED) {
		size_t n;
		const struct chunked_trailer *t = chunked_trailers(c, &n);

		ck_assert_uint_eq(n, 1);
		ck_assert_str_eq(t->name, "x-amz-checksum-crc32c");
		ck_assert_str_eq(t->value, "sOO8/Q==");
	}
	chunked_free(c);
	return err;
}

START_TEST(published_examples_in_pieces)
{
	struct buf b, t, lf;
	size_t n;

	buf_init(&b, KIB(80));
	buf_init(&t, KIB(80));
	buf_init(&lf, KIB(80));
	published(&b);
	published_trailer(&t, "\r\n");
	published_trailer(&lf, "\n\r\n");
	ck_assert_uint_eq(b.len, 66824); /* as AWS says */
	for (size_t step = 1; step <= b.len; step = step * 3 + 1) {
		ck_assert_int_eq(run(PAYLOAD_CHUNKED, SEED, &b, step, PLAIN, &n), ERR_OK);
		ck_assert_uint_eq(n, PLAIN);
		ck_assert_int_eq(run(PAYLOAD_CHUNKED_TRAILER, SEED_T, &t, step, PLAIN, &n), ERR_OK);
		ck_assert_uint_eq(n, PLAIN);
		ck_assert_int_eq(
		    run(PAYLOAD_CHUNKED_TRAILER, SEED_T, &lf, step, PLAIN, &n), ERR_OK);
	}
	ck_assert_int_eq(run(PAYLOAD_CHUNKED, SEED, &b, 1000, PLAIN + 1, &n), S3_IncompleteBody);
	ck_assert_int_eq(run(PAYLOAD_CHUNKED, SEED, &b, 1000, PLAIN - 1, &n), S3_IncompleteBody);
	ck_assert_int_eq(
	    run(PAYLOAD_CHUNKED, SEED_T, &b, 1000, PLAIN, &n), S3_SignatureDoesNotMatch);
	b.len--;
	ck_assert_int_eq(run(PAYLOAD_CHUNKED, SEED, &b, 1000, PLAIN, &n), S3_IncompleteBody);
	b.data[1000] = 'b';
	b.len++;
	struct sigv4_chain chain = chain_from(SEED);
	struct chunked *c = chunked_new(PAYLOAD_CHUNKED, &chain, PLAIN);
	struct bytes in = buf_bytes(&b), payload;
	int err = ERR_OK;

	while (in.len > 0 && err == ERR_OK)
		err = chunked_take(c, &in, &payload);
	ck_assert_int_eq(err, S3_SignatureDoesNotMatch);
	chunked_free(c);
	/* A trailer changed, or its signature left out. */
	t.data[t.len - 120] ^= 1;
	ck_assert_int_ne(run(PAYLOAD_CHUNKED_TRAILER, SEED_T, &t, 1000, PLAIN, &n), ERR_OK);
	buf_fini(&b);
	buf_fini(&t);
	buf_fini(&lf);
}
END_TEST

START_TEST(unsigned_chunks_and_bad_forms)
{
	static const struct {
		const char *body;
		int want;
	} cases[] = {
		{ "3\r\naaa\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n\r\n", ERR_OK },
		{ "1\r\na\r\n2\r\naa\r\n0\r\nx-amz-checksum-crc32c: sOO8/Q== \r\n\r\n", ERR_OK },
		{ "3\r\naaa\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\n\r\n\r\n", ERR_OK },
		{ "3\r\naaa\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\n\r\n", S3_IncompleteBody },
		{ "3\r\naaa\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\n\r\n\r\n\r\n",
		    S3_InvalidRequest },
		{ "3\r\naaa\r\n0\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n", S3_IncompleteBody },
		{ "3\r\naaa\r\n", S3_IncompleteBody },
		{ "", S3_IncompleteBody },
		{ "2\r\naa\r\n0\r\n\r\n", S3_IncompleteBody },
		{ "4\r\naaaa\r\n0\r\n\r\n", S3_IncompleteBody },
		{ "3\naaa\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "3;x=1\r\naaa\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "g\r\naaa\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "\r\naaa\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "-1\r\naaa\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "fffffffffffff\r\na", S3_InvalidRequest },
		{ "ffffffffffff\r\na", S3_IncompleteBody },
		{ "3\r\naaaa\r\n0\r\n\r\n", S3_InvalidRequest },
		{ "3\r\naaa\r\n0\r\nno colon\r\n\r\n", S3_InvalidRequest },
		{ "3\r\naaa\r\n0\r\n\r\nmore", S3_InvalidRequest },
		{ "3\r\naaa\r\n0\r\na:1\r\nb:2\r\nc:3\r\nd:4\r\ne:5\r\n\r\n", S3_InvalidRequest },
	};
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step < 40; step += 7) {
			struct buf b;

			buf_init(&b, 1000);
			(void)buf_appendf(&b, "%s", cases[i].body);
			ck_assert_msg(
			    run(PAYLOAD_UNSIGNED_TRAILER, SEED, &b, step, 3, &n) == cases[i].want,
			    "%zu", i);
			buf_fini(&b);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gateway/chunked");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(
	    s, "chunked", 20, published_examples_in_pieces, unsigned_chunks_and_bad_forms, NULL);
	return suite_main(s);
}
