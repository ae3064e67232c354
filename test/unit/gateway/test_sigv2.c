/* The older signature against the examples that AWS publishes ("Signing and authenticating REST
 * requests", S3 developer guide), and what is refused. */
#include "gateway/sigv2.h"

#include "gateway/errors.h"
#include "test/unit/suite.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define SIGNED "AWS AKIAIOSFODNN7EXAMPLE:"
#define NOW    UINT64_C(1175024202000)       /* 27 Mar 2007 19:36:42 */
#define LATER  (NOW + 100 * UINT64_C(60000)) /* 21:16:42 */

/* name: asked for, when all is well, in *covers; NULL. */
static int
check_name(const char *method, const char *raw, const struct web_header *headers, size_t count,
    uint64_t now, struct sigv4 *s, const char *name, bool *covers)
{
	static const char *const domains[] = { "s3.amazonaws.com", "" };
	struct target t;
	struct sigv4_request r = {
		.method = method, .target = &t, .headers = headers, .headers_count = count
	};
	int err = target_parse(raw, headers[0].value, domains, &t);

	ck_assert_int_eq(err, ERR_OK);
	err = sigv4_parse(&r, now, s);
	if (err == ERR_OK) {
		ck_assert(s->v2);
		ck_assert_str_eq(s->access_key, "AKIAIOSFODNN7EXAMPLE");
		err = sigv2_verify(&r, s, SECRET);
	}
	if (err == ERR_OK && name != NULL)
		*covers = sigv2_covers(s, name);
	target_fini(&t);
	return err;
}

static int
check(const char *method, const char *raw, const struct web_header *headers, size_t count,
    uint64_t now, struct sigv4 *s)
{
	return check_name(method, raw, headers, count, now, s, NULL, NULL);
}

START_TEST(published_header_signatures)
{
	struct web_header get[] = { { "Host", "johnsmith.s3.amazonaws.com" },
		{ "Date", "Tue, 27 Mar 2007 19:36:42 +0000" },
		{ "Authorization", SIGNED "bWq2s1WEIj+Ydj0vQ697zp+IXMU=" } };
	struct web_header acl[] = { { "Host", "johnsmith.s3.amazonaws.com" },
		{ "Date", "Tue, 27 Mar 2007 19:44:46 +0000" },
		{ "Authorization", SIGNED "c2WLPFtWHVgbEmeEG93a4cG37dM=" } };
	struct web_header put[] = { { "Host", "johnsmith.s3.amazonaws.com" },
		{ "Content-Type", "image/jpeg" }, { "Date", "Tue, 27 Mar 2007 21:15:45 +0000" },
		{ "Authorization", SIGNED "MyyxeRY7whkBe+bq8fHCL/2kKUg=" } };
	/* In the path, and with a date of its own. */
	struct web_header delete[] = { { "Host", "s3.amazonaws.com" },
		{ "Date", "Tue, 27 Mar 2007 21:20:27 +0000" },
		{ "X-Amz-Date", " Tue, 27 Mar 2007 21:20:26 +0000" },
		{ "Authorization", SIGNED "R4dJ53KECjStyBO5iTBJZ4XVOaI=" } };
	struct sigv4 s;

	ck_assert_int_eq(check("GET", "/photos/puppy.jpg", get, 3, NOW, &s), ERR_OK);
	ck_assert(!s.presigned);
	ck_assert_int_eq(s.payload, PAYLOAD_UNSIGNED);
	ck_assert_int_eq(
	    check("GET", "/photos/kitten.jpg", get, 3, NOW, &s), S3_SignatureDoesNotMatch);
	ck_assert_int_eq(check("GET", "/?acl", acl, 3, NOW, &s), ERR_OK);
	ck_assert_int_eq(check("GET", "/", acl, 3, NOW, &s), S3_SignatureDoesNotMatch);
	/* What is not a part of the resource is not signed. */
	ck_assert_int_eq(check("GET", "/?acl&prefix=x", acl, 3, NOW, &s), ERR_OK);
	ck_assert_int_eq(check("PUT", "/photos/puppy.jpg", put, 4, LATER, &s), ERR_OK);
	ck_assert_int_eq(
	    check("DELETE", "/johnsmith/photos/puppy.jpg", delete, 4, LATER, &s), ERR_OK);
}
END_TEST

/* Signed as "/johnsmith/", sent without the slash. */
START_TEST(slash_of_a_bucket)
{
	struct web_header h[] = { { "Host", "s3.amazonaws.com" },
		{ "Date", "Tue, 27 Mar 2007 19:44:46 +0000" },
		{ "Authorization", SIGNED "c2WLPFtWHVgbEmeEG93a4cG37dM=" } };
	struct sigv4 s;

	ck_assert_int_eq(check("GET", "/johnsmith/?acl", h, 3, NOW, &s), ERR_OK);
	ck_assert_int_eq(check("GET", "/johnsmith?acl", h, 3, NOW, &s), ERR_OK);
	ck_assert_int_eq(check("GET", "/johnsmit?acl", h, 3, NOW, &s), S3_SignatureDoesNotMatch);
}
END_TEST

/* What botocore 1.29 signs: what names the operation stays in the path. */
START_TEST(operation_in_the_path)
{
	static const struct {
		const char *raw, *signature;
	} cases[] = {
		{ "/johnsmith?acl", SIGNED "YNHlm8t0DV0DPeo/ecislzoO4hY=" },
		{ "/johnsmith?list-type=2&prefix=p", SIGNED "RcLV8tPAaDH8VMs4wO91B9EcOvM=" },
		{ "/johnsmith?acl&versionId=1", SIGNED "WLwtZ8GO84s/rn/hRypH3PWCHGU=" },
	};
	struct web_header h[] = { { "Host", "s3.amazonaws.com" },
		{ "Date", "Tue, 27 Mar 2007 19:36:42 +0000" },
		{ "Authorization", SIGNED "ogGg8M6LkMqfjYa+k5WGYbTNuCM=" } };
	struct sigv4 s;

	/* "/johnsmith/k?x/y?acl": only what cannot be taken for anything else. */
	ck_assert_int_eq(
	    check("GET", "/johnsmith/k?x/y&acl", h, 3, NOW, &s), S3_SignatureDoesNotMatch);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		h[2].value = cases[i].signature;
		for (size_t k = 0; k < ARRAY_LEN(cases); k++)
			ck_assert_int_eq(check("GET", cases[k].raw, h, 3, NOW, &s),
			    i == k ? ERR_OK : S3_SignatureDoesNotMatch);
	}
}
END_TEST

/* Of operations that the list of what is signed does not have, the name must be in the path. */
START_TEST(operation_that_is_not_covered)
{
	static const struct {
		const char *signature, *name;
		bool covers;
	} cases[] = {
		{ SIGNED "vVrX38bQlFdISln32y4ChGRYy6g=", "retention", false },
		{ SIGNED "vVrX38bQlFdISln32y4ChGRYy6g=", "legal-hold", false },
		{ SIGNED "vVrX38bQlFdISln32y4ChGRYy6g=", "acl", true },
		{ SIGNED "LjG4s6FLDCh90ImpQuQGACWDexI=", "retention", true },
		{ SIGNED "LjG4s6FLDCh90ImpQuQGACWDexI=", "legal-hold", false },
	};
	struct web_header h[] = { { "Host", "s3.amazonaws.com" },
		{ "Date", "Tue, 27 Mar 2007 19:36:42 +0000" }, { "Authorization", NULL } };
	struct sigv4 s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		bool covers = !cases[i].covers;

		h[2].value = cases[i].signature;
		ck_assert_int_eq(check_name("GET", "/johnsmith/k?retention", h, 3, NOW, &s,
				     cases[i].name, &covers),
		    ERR_OK);
		ck_assert_msg(covers == cases[i].covers, "%zu", i);
	}
}
END_TEST

START_TEST(published_presigned_url)
{
	struct web_header h[] = { { "Host", "johnsmith.s3.amazonaws.com" },
		{ "Authorization", SIGNED "x" } };
	const char *url = "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE"
			  "&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620";
	const uint64_t end = UINT64_C(1175139620000);
	struct sigv4 s;

	ck_assert_int_eq(check("GET", url, h, 1, NOW, &s), ERR_OK);
	ck_assert(s.presigned);
	ck_assert_int_eq(check("GET", url, h, 1, end - 1, &s), ERR_OK);
	ck_assert_int_eq(check("GET", url, h, 1, end, &s), S3_AccessDenied);
	ck_assert_int_eq(check("PUT", url, h, 1, NOW, &s), S3_SignatureDoesNotMatch);
}
END_TEST

START_TEST(what_is_refused)
{
	static const struct {
		const char *date, *auth;
		int want;
	} cases[] = {
		{ "Tue, 27 Mar 2007 19:36:42 GMT", "AWS HAHAHA", S3_InvalidArgument },
		{ "Tue, 27 Mar 2007 19:36:42 GMT", "AWS :HAHA", S3_InvalidArgument },
		{ "Tue, 27 Mar 2007 19:36:42 GMT", SIGNED "?", S3_SignatureDoesNotMatch },
		{ "", SIGNED "x", S3_AccessDenied },
		{ "Bad Date", SIGNED "x", S3_AccessDenied },
		{ "Tue, 27 Mar 1950 19:36:42 GMT", SIGNED "x", S3_AccessDenied },
		{ "Tue, 27 Mar 2007 18:36:42 GMT", SIGNED "x", S3_RequestTimeTooSkewed },
		{ "Tue, 27 Mar 9999 18:36:42 GMT", SIGNED "x", S3_RequestTimeTooSkewed },
	};
	struct web_header h[] = { { "Host", "h" }, { "x-amz-date", NULL },
		{ "Authorization", NULL },
		{ "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" } };
	struct sigv4 s;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		h[1].value = cases[i].date;
		h[2].value = cases[i].auth;
		ck_assert_msg(check("GET", "/", h, 3, NOW, &s) == cases[i].want, "%zu", i);
	}
	/* Chunks that would have to go on from a signature of the other kind. */
	h[1].value = cases[2].date;
	h[2].value = cases[2].auth;
	ck_assert_int_eq(check("PUT", "/b/k", h, 4, NOW, &s), S3_InvalidRequest);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gateway/sigv2");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "sigv2", 0, published_header_signatures, slash_of_a_bucket,
	    operation_in_the_path, operation_that_is_not_covered, published_presigned_url,
	    what_is_refused, NULL);
	return suite_main(s);
}
