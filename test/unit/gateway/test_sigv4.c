/* Signatures against the examples that AWS publishes ("Signature Calculations for the Authorization
 * Header", "Authenticating Requests: Using Query Parameters"), and what is refused. */
#include "gateway/sigv4.h"

#include <stdio.h>

#include "gateway/errors.h"
#include "test/unit/suite.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EMPTY  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define NOW    UINT64_C(1369353600000)
#define AUTH(headers, signature)                                                                   \
	"AWS4-HMAC-SHA256 "                                                                        \
	"Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/"                                   \
	"aws4_request,SignedHeaders=" headers ",Signature=" signature

static int
check_at(const char *method, const char *raw, const struct web_header *headers, size_t count,
    uint64_t now, struct sigv4 *s)
{
	struct target t;
	struct sigv4_request r = {
		.method = method, .target = &t, .headers = headers, .headers_count = count
	};
	struct key key;
	int err = target_parse(raw, NULL, NULL, &t);

	ck_assert_int_eq(err, ERR_OK);
	err = sigv4_parse(&r, now, s);
	if (err == ERR_OK && !s->anonymous) {
		sigv4_key(&key, SECRET, s->scope);
		err = sigv4_verify(&r, s, &key);
	}
	target_fini(&t);
	return err;
}

static int
check(const char *method, const char *raw, const struct web_header *headers, size_t count)
{
	struct sigv4 s;
	int err = check_at(method, raw, headers, count, NOW, &s);

	if (err == ERR_OK) {
		ck_assert_str_eq(s.access_key, "AKIAIOSFODNN7EXAMPLE");
		ck_assert_str_eq(s.region, "us-east-1");
	}
	return err;
}

/* path: with the virtual host of the examples it is the path alone. */
START_TEST(published_header_signatures)
{
	struct web_header get[] = {
		{ "Host", "examplebucket.s3.amazonaws.com" },
		{ "Authorization",
		    AUTH("host;range;x-amz-content-sha256;x-amz-date",
			"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41") },
		{ "Range", "bytes=0-9" },
		{ "x-amz-content-sha256", EMPTY },
		{ "x-amz-date", "20130524T000000Z" },
	};
	struct web_header put[] = {
		{ "Date", "Fri, 24 May 2013 00:00:00 GMT" },
		{ "Host", "examplebucket.s3.amazonaws.com" },
		{ "Authorization",
		    AUTH("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
			"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd") },
		{ "X-Amz-Date", "20130524T000000Z" },
		{ "x-amz-storage-class", "REDUCED_REDUNDANCY" },
		{ "x-amz-content-sha256",
		    "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072" },
	};
	struct web_header list[] = {
		{ "Host", "examplebucket.s3.amazonaws.com" },
		{ "Authorization",
		    AUTH("host;x-amz-content-sha256;x-amz-date",
			"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7") },
		{ "x-amz-content-sha256", EMPTY },
		{ "x-amz-date", "20130524T000000Z" },
	};

	ck_assert_int_eq(check("GET", "/test.txt", get, ARRAY_LEN(get)), ERR_OK);
	ck_assert_int_eq(check("PUT", "/test%24file.text", put, ARRAY_LEN(put)), ERR_OK);
	ck_assert_int_eq(check("PUT", "/test$file.text", put, ARRAY_LEN(put)), ERR_OK);
	ck_assert_int_eq(check("GET", "/?max-keys=2&prefix=J", list, ARRAY_LEN(list)), ERR_OK);
	ck_assert_int_eq(check("GET", "/?prefix=J&max-keys=2", list, ARRAY_LEN(list)), ERR_OK);
	list[1].value = AUTH("host;x-amz-content-sha256;x-amz-date",
	    "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
	ck_assert_int_eq(check("GET", "/?lifecycle", list, ARRAY_LEN(list)), ERR_OK);
	/* Anything else than what was signed. */
	ck_assert_int_eq(
	    check("GET", "/?lifecycle=x", list, ARRAY_LEN(list)), S3_SignatureDoesNotMatch);
	ck_assert_int_eq(
	    check("PUT", "/?lifecycle", list, ARRAY_LEN(list)), S3_SignatureDoesNotMatch);
	ck_assert_int_eq(
	    check("GET", "/x?lifecycle", list, ARRAY_LEN(list)), S3_SignatureDoesNotMatch);
	list[0].value = "other.s3.amazonaws.com";
	ck_assert_int_eq(
	    check("GET", "/?lifecycle", list, ARRAY_LEN(list)), S3_SignatureDoesNotMatch);
	get[2].value = "bytes=0-10";
	ck_assert_int_eq(check("GET", "/test.txt", get, ARRAY_LEN(get)), S3_SignatureDoesNotMatch);
}
END_TEST

/* A client's own signature is the published one, and nothing else of it counts. */
START_TEST(signs_as_published)
{
	struct web_header get[] = {
		{ "Host", "examplebucket.s3.amazonaws.com" },
		{ "Range", "bytes=0-9" },
		{ "x-amz-content-sha256", EMPTY },
		{ "x-amz-date", "20130524T000000Z" },
	};
	struct sigv4 s = { .scope = "20130524/us-east-1/s3/aws4_request",
		.amz_date = "20130524T000000Z",
		.signed_headers = "host;range;x-amz-content-sha256;x-amz-date",
		.payload_text = EMPTY };
	struct target t;
	struct sigv4_request r = {
		.method = "GET", .target = &t, .headers = get, .headers_count = ARRAY_LEN(get)
	};
	struct key key;
	char signature[65];

	ck_assert_int_eq(target_parse("/test.txt", NULL, NULL, &t), ERR_OK);
	sigv4_key(&key, SECRET, s.scope);
	ck_assert_int_eq(sigv4_sign(&r, &s, &key, signature), ERR_OK);
	ck_assert_str_eq(
	    signature, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
	target_fini(&t);
}
END_TEST

#define PRESIGNED                                                                                  \
	"/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F"      \
	"20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires="

START_TEST(published_presigned_url)
{
	struct web_header h[] = { { "Host", "examplebucket.s3.amazonaws.com" } };
	const char *url =
	    PRESIGNED "86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
		      "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
	struct sigv4 s;

	ck_assert_int_eq(check_at("GET", url, h, 1, NOW, &s), ERR_OK);
	ck_assert(s.presigned);
	ck_assert_int_eq(s.payload, PAYLOAD_UNSIGNED);
	ck_assert_int_eq(check_at("GET", url, h, 1, NOW + 86400000, &s), ERR_OK);
	ck_assert_int_eq(check_at("GET", url, h, 1, NOW + 86400001, &s), S3_AccessDenied);
	ck_assert_int_eq(check_at("PUT", url, h, 1, NOW, &s), S3_SignatureDoesNotMatch);
	ck_assert_int_eq(
	    check_at("GET",
		PRESIGNED "604801&X-Amz-SignedHeaders=host&X-Amz-Signature="
			  "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
		h, 1, NOW, &s),
	    S3_AccessDenied);
	ck_assert_int_eq(
	    check_at("GET", PRESIGNED "10", h, 1, NOW, &s), S3_AuthorizationQueryParametersError);
}
END_TEST

START_TEST(what_is_refused)
{
	struct web_header h[] = {
		{ "Host", "h" },
		{ "x-amz-content-sha256", EMPTY },
		{ "x-amz-date", "20130524T000000Z" },
		{ "Authorization", NULL },
		{ "x-amz-acl", "public-read" },
	};
	static const struct {
		const char *auth;
		int want;
	} cases[] = {
		{ AUTH("host;x-amz-date;x-amz-acl", EMPTY), S3_SignatureDoesNotMatch },
		{ AUTH("x-amz-date;x-amz-acl", EMPTY), S3_AccessDenied },
		{ AUTH("host;x-amz-date", EMPTY), S3_AccessDenied }, /* the ACL is not signed */
		{ "AWS AKID:", S3_InvalidArgument },
		{ "Basic eDp5", S3_InvalidArgument },
		{ "AWS4-HMAC-SHA256 Credential=a/b/c, SignedHeaders=host, Signature=" EMPTY,
		    S3_AuthorizationHeaderMalformed },
		{ "AWS4-HMAC-SHA256 Credential=A/20130524/us-east-1/s3/aws4_request, "
		  "SignedHeaders=host;x-amz-date;x-amz-acl, Signature=12",
		    S3_SignatureDoesNotMatch },
		{ "AWS4-HMAC-SHA256 Credential=A/20130525/us-east-1/s3/aws4_request, "
		  "SignedHeaders=host, Signature=" EMPTY,
		    S3_SignatureDoesNotMatch },
		{ "AWS4-HMAC-SHA256", S3_InvalidArgument },
		{ "AWS4-HMAC-SHA256 ", S3_AuthorizationHeaderMalformed },
	};
	struct sigv4 s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		h[3].value = cases[i].auth;
		ck_assert_msg(
		    check_at("GET", "/", h, ARRAY_LEN(h), NOW, &s) == cases[i].want, "%zu", i);
	}
	h[3].value = cases[0].auth;
	ck_assert_int_eq(
	    check_at("GET", "/", h, 5, NOW + SIGV4_SKEW_MS + 1, &s), S3_RequestTimeTooSkewed);
	ck_assert_int_eq(
	    check_at("GET", "/", h, 5, NOW - SIGV4_SKEW_MS - 1, &s), S3_RequestTimeTooSkewed);
	h[1].value = "abc";
	ck_assert_int_eq(check_at("GET", "/", h, 5, NOW, &s), S3_InvalidArgument);
	ck_assert_int_eq(check_at("GET", "/", h, 1, NOW, &s), ERR_OK);
	ck_assert(s.anonymous);
}
END_TEST

START_TEST(any_bytes_end_well)
{
	unsigned seed = 7;
	char text[300];

	for (int i = 0; i < 20000; i++) {
		static const char letters[] = "AWS4-HMAC-SHA256 Credential=/,Signature=;0f:\t\x80";
		struct web_header h[] = { { "host", "h" }, { "authorization", text } };
		size_t len = 0;
		struct sigv4 s;

		if (i % 2 == 0)
			len = (size_t)snprintf(text, sizeof(text), "AWS4-HMAC-SHA256 ");
		while (len < 200) {
			seed = seed * 1103515245 + 12345;
			text[len++] = letters[seed >> 16 & 31];
		}
		text[len] = '\0';
		(void)check_at("GET", "/", h, 2, NOW, &s);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gateway/sigv4");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "sigv4", 0, published_header_signatures, signs_as_published,
	    published_presigned_url, what_is_refused, any_bytes_end_well, NULL);
	return suite_main(s);
}
