/* Texts of S3: percent and base64, dates, request targets; what is not exactly right is refused. */
#include "gateway/encode.h"

#include <stdio.h>

#include "gateway/errors.h"
#include "gateway/target.h"
#include "gateway/times.h"
#include "test/unit/suite.h"

#define TEXT(s) bytes_of(s, strlen(s))

START_TEST(percent_both_ways)
{
	struct buf b;

	buf_init(&b, 100);
	ck_assert_int_eq(encode_percent(&b, TEXT("a b/~_.-+\xc3\xa4"), false), ERR_OK);
	ck_assert_str_eq(buf_str(&b), "a%20b%2F~_.-%2B%C3%A4");
	buf_reset(&b);
	ck_assert_int_eq(encode_percent(&b, TEXT("a/b"), true), ERR_OK);
	ck_assert_str_eq(buf_str(&b), "a/b");
	buf_reset(&b);
	ck_assert_int_eq(decode_percent(&b, TEXT("a%2fb+%41"), false), ERR_OK);
	ck_assert_str_eq(buf_str(&b), "a/b+A");
	buf_reset(&b);
	ck_assert_int_eq(decode_percent(&b, TEXT("a+b"), true), ERR_OK);
	ck_assert_str_eq(buf_str(&b), "a b");
	ck_assert_int_eq(decode_percent(&b, TEXT("%4"), false), ERR_INVALID);
	ck_assert_int_eq(decode_percent(&b, TEXT("%"), false), ERR_INVALID);
	ck_assert_int_eq(decode_percent(&b, TEXT("%4g"), false), ERR_INVALID);
	buf_fini(&b);
}
END_TEST

START_TEST(base64_of_rfc_4648)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		{ "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" } };
	static const char *const wrong[] = { "Zg",
		"Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm 9", "Zm9v\n" };
	char out[8];
	struct buf b;

	buf_init(&b, 100);
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		buf_reset(&b);
		ck_assert_int_eq(encode_base64(&b, TEXT(pairs[i][0])), ERR_OK);
		ck_assert_str_eq(buf_str(&b), pairs[i][1]);
		ck_assert_int_eq(decode_base64(out, strlen(pairs[i][0]), pairs[i][1]), ERR_OK);
		ck_assert_int_eq(memcmp(out, pairs[i][0], strlen(pairs[i][0])), 0);
		ck_assert_int_eq(decode_base64(out, 7, pairs[i][1]), ERR_INVALID);
	}
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		buf_reset(&b);
		ck_assert_msg(decode_base64_any(&b, TEXT(wrong[i])) == ERR_INVALID, "%s", wrong[i]);
	}
	buf_fini(&b);
}
END_TEST

START_TEST(utf8_and_numbers)
{
	uint64_t n;

	ck_assert(utf8_valid(TEXT("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80")));
	ck_assert(!utf8_valid(TEXT("\xc0\xaf")));
	ck_assert(!utf8_valid(TEXT("\xed\xa0\x80")));
	ck_assert(!utf8_valid(TEXT("\xf4\x90\x80\x80")));
	ck_assert(!utf8_valid(TEXT("\xe2\x82")));
	ck_assert(decimal_parse("1000", 1000, &n) && n == 1000);
	ck_assert(!decimal_parse("1001", 1000, &n));
	ck_assert(!decimal_parse("", 1000, &n));
	ck_assert(!decimal_parse("-1", 1000, &n));
	ck_assert(!decimal_parse("1 ", 1000, &n));
	ck_assert(decimal_parse("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
	ck_assert(!decimal_parse("18446744073709551616", UINT64_MAX, &n));
	ck_assert(!decimal_parse("99999999999999999999", UINT64_MAX, &n));
	ck_assert(!decimal_parse("9", 5, &n));
}
END_TEST

START_TEST(dates_both_ways)
{
	char text[TIMES_TEXT_MAX];
	uint64_t ms;

	ck_assert_str_eq(times_iso(1369353600123, text), "2013-05-24T00:00:00.123Z");
	ck_assert_str_eq(times_amz(1369353600000, text), "20130524T000000Z");
	ck_assert_str_eq(times_http(1369353600000, text), "Fri, 24 May 2013 00:00:00 GMT");
	ck_assert_str_eq(times_http(784111777000, text), "Sun, 06 Nov 1994 08:49:37 GMT");
	ck_assert_str_eq(times_http(0, text), "Thu, 01 Jan 1970 00:00:00 GMT");
	ck_assert_str_eq(times_iso(951782400000, text), "2000-02-29T00:00:00.000Z");
	ck_assert_str_eq(times_iso(UINT64_MAX, text), "9999-12-31T23:59:59.999Z");
	for (uint64_t at = 0; at < UINT64_C(4102444800000); at += 86400000 * 3 + 7777777) {
		ck_assert_int_eq(times_parse_iso(times_iso(at, text), &ms), ERR_OK);
		ck_assert_uint_eq(ms, at);
		ck_assert_int_eq(times_parse_http(times_http(at, text), &ms), ERR_OK);
		ck_assert_uint_eq(ms, at / 1000 * 1000);
		ck_assert_int_eq(times_parse_amz(times_amz(at, text), &ms), ERR_OK);
		ck_assert_uint_eq(ms, at / 1000 * 1000);
	}
	ck_assert_int_eq(times_parse_http("Sunday, 06-Nov-94 08:49:37 GMT", &ms), ERR_OK);
	ck_assert_uint_eq(ms, 784111777000);
	ck_assert_int_eq(times_parse_http("Sun Nov  6 08:49:37 1994", &ms), ERR_OK);
	ck_assert_uint_eq(ms, 784111777000);
	ck_assert_int_eq(times_parse_iso("2013-05-24", &ms), ERR_OK);
	ck_assert_uint_eq(ms, 1369353600000);
	ck_assert_int_eq(times_parse_iso("2013-05-24T02:00:00+02:00", &ms), ERR_OK);
	ck_assert_uint_eq(ms, 1369353600000);
	ck_assert_int_eq(times_parse_iso("2013-05-24T00:00:00.5Z", &ms), ERR_OK);
	ck_assert_uint_eq(ms, 1369353600500);
	ck_assert_int_eq(times_parse_iso("2013-02-29", &ms), ERR_INVALID);
	ck_assert_int_eq(times_parse_iso("2013-05-24T25:00:00Z", &ms), ERR_INVALID);
	ck_assert_int_eq(times_parse_iso("1969-12-31T00:00:00Z", &ms), ERR_INVALID);
	ck_assert_int_eq(times_parse_amz("20130524T000000", &ms), ERR_INVALID);
	ck_assert_int_eq(times_parse_http("", &ms), ERR_INVALID);
	ck_assert_int_eq(times_parse_http("Su", &ms), ERR_INVALID);
	ck_assert_int_eq(times_parse_http("Sun, 06 Nox 1994 08:49:37 GMT", &ms), ERR_INVALID);
}
END_TEST

static const char *const domains[] = { "s3.example.org", "localhost", "" };

static void
target_is(const char *raw, const char *host, const char *bucket, const char *key)
{
	struct target t;

	ck_assert_int_eq(target_parse(raw, host, domains, &t), ERR_OK);
	ck_assert_str_eq(t.bucket, bucket);
	ck_assert_str_eq(t.key, key);
	target_fini(&t);
}

START_TEST(targets)
{
	struct target t;
	char raw[5000] = "/b/";

	target_is("/", "h", "", "");
	target_is("/b", "h", "b", "");
	target_is("/b/", "h", "b", "");
	target_is("/b/k", "h", "b", "k");
	target_is("/b//k/../%2e%2e/x%2Fy+z", NULL, "b", "/k/../../x/y+z");
	target_is("/k/l", "b.s3.example.org", "b", "k/l");
	target_is("/k", "b.c.S3.example.org:8000", "b.c", "k");
	target_is("/b/k", "s3.example.org", "b", "k");
	target_is("/b/k", "127.0.0.1:80", "b", "k");
	target_is("/b/k", "[::1]:80", "b", "k");
	target_is("/", "b.localhost", "b", "");
	target_is("/b/k?versionId=%2B&uploads&x=1=2&&", "h", "b", "k");
	ck_assert_int_eq(target_parse("/b?a=%2B+&uploads&x=1=2", "h", domains, &t), ERR_OK);
	ck_assert_str_eq(target_query(&t, "a"), "+ ");
	ck_assert_str_eq(target_query(&t, "uploads"), "");
	ck_assert_str_eq(target_query(&t, "x"), "1=2");
	ck_assert(!target_has(&t, "y"));
	target_fini(&t);
	ck_assert_int_eq(target_parse("/i", "b.s3-website.localhost", domains, &t), ERR_OK);
	ck_assert(t.website);
	ck_assert_str_eq(t.bucket, "b");
	target_fini(&t);
	static const char *const wrong[] = { "", "b", "/b/%", "/b/%zz", "/b/a%00b", "/b/%ff",
		"/b?%00", "http://h/b" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		ck_assert_int_eq(target_parse(wrong[i], "h", domains, &t), S3_InvalidURI);
		target_fini(&t);
	}
	memset(raw + 3, 'k', 1024);
	ck_assert_int_eq(target_parse(raw, "h", domains, &t), ERR_OK);
	target_fini(&t);
	raw[3 + 1024] = 'k';
	ck_assert_int_eq(target_parse(raw, "h", domains, &t), S3_KeyTooLongError);
	target_fini(&t);
	raw[0] = '\0';
	strcat(raw, "/b?");
	for (int i = 0; i < TARGET_QUERY_MAX + 1; i++)
		strcat(raw, "a=b&");
	ck_assert_int_eq(target_parse(raw, "h", domains, &t), S3_InvalidURI);
	target_fini(&t);
}
END_TEST

START_TEST(errors_have_their_status)
{
	ck_assert_str_eq(s3_error_info(S3_NoSuchKey)->code, "NoSuchKey");
	ck_assert_uint_eq(s3_error_info(S3_NoSuchKey)->status, 404);
	ck_assert_str_eq(
	    s3_error_info(S3_XAmzContentSHA256Mismatch)->code, "XAmzContentSHA256Mismatch");
	ck_assert_uint_eq(s3_error_info(ERR_UNREACHABLE)->status, 503);
	ck_assert_uint_eq(s3_error_info(ERR_CORRUPT)->status, 500);
	ck_assert(s3_error_is(S3_AccessDenied) && !s3_error_is(ERR_IO));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gateway/encode");

	suite_add(s, "text", 0, percent_both_ways, base64_of_rfc_4648, utf8_and_numbers,
	    dates_both_ways, NULL);
	suite_add(s, "names", 0, targets, errors_have_their_status, NULL);
	return suite_main(s);
}
