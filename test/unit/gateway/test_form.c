/* Forms in every way of cutting them; what a policy lets through. */
#include "gateway/form.h"

#include <stdio.h>

#include "gateway/errors.h"
#include "gateway/post_policy.h"
#include "test/unit/suite.h"

#define PART(name, value)                                                                          \
	"--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_PART(value)                                                                           \
	"--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"C:\\dir\\up.txt\"\r\n"   \
	"Content-Type: text/plain\r\n\r\n" value "\r\n--b--\r\n"

static int
feed(struct form *f, const char *text, size_t step, struct buf *file)
{
	size_t len = strlen(text);
	struct bytes piece;
	int err = ERR_OK;

	for (size_t at = 0; at < len && err == ERR_OK; at += step) {
		err = form_take(f, bytes_of(text + at, MIN(step, len - at)), &piece);
		if (err == ERR_OK)
			err = buf_append(file, piece.data, piece.len);
	}
	return err;
}

START_TEST(a_form_in_pieces)
{
	static const char text[] = PART("key", "k/${filename}") PART("Empty", "") FILE_PART(
	    "one\r\n--not the end\r\n--bb is not it, but no:\r\n-") PART("late", "ignored");
	struct form *f;
	struct buf file;

	/* "\r\n--b" inside ends the file: what follows it is not part of it. */
	for (size_t step = 1; step < sizeof(text); step += 1 + step / 3) {
		buf_init(&file, 1000);
		ck_assert_int_eq(form_new("multipart/form-data; boundary=b", &f), ERR_OK);
		ck_assert_int_eq(feed(f, text, step, &file), ERR_OK);
		ck_assert(form_at_file(f) && form_ended(f));
		ck_assert_uint_eq(form_count(f), 2);
		ck_assert_str_eq(form_value(f, "KEY"), "k/${filename}");
		ck_assert_str_eq(form_value(f, "empty"), "");
		ck_assert_ptr_null(form_value(f, "late"));
		ck_assert_str_eq(form_file_name(f), "up.txt");
		ck_assert_str_eq(form_file_type(f), "text/plain");
		ck_assert_str_eq(buf_str(&file), "one\r\n--not the end");
		form_free(f);
		buf_fini(&file);
	}
}
END_TEST

START_TEST(bad_forms)
{
	static const char *const types[] = { NULL, "", "text/plain", "multipart/form-data",
		"multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"" };
	static const char *const bodies[] = { "x--b\r\n", "--c\r\nContent-Disposition: x\r\n\r\n",
		"--b\r\nContent-Type: a\r\n\r\nx" };
	char big[FORM_FIELDS_BYTES + 200] =
	    "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
	struct form *f;
	struct buf file;

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		ck_assert_int_eq(form_new(types[i], &f), ERR_INVALID);
	buf_init(&file, 1000);
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		ck_assert_int_eq(form_new("multipart/form-data; boundary=\"b\"", &f), ERR_OK);
		ck_assert_msg(feed(f, bodies[i], 3, &file) == ERR_INVALID, "%zu", i);
		form_free(f);
	}
	memset(big + strlen(big), 'x', FORM_FIELDS_BYTES + 1);
	ck_assert_int_eq(form_new("multipart/form-data; boundary=b", &f), ERR_OK);
	ck_assert_int_eq(feed(f, big, 1000, &file), ERR_TOO_BIG);
	form_free(f);
	buf_fini(&file);
}
END_TEST

static int
check(const char *policy, uint64_t now_ms, struct post_limits *limits)
{
	struct form *f;
	struct buf file;
	const char *why;
	int err;

	buf_init(&file, 1000);
	ck_assert_int_eq(form_new("multipart/form-data; boundary=b", &f), ERR_OK);
	ck_assert_int_eq(feed(f,
			     PART("key", "u/x") PART("acl", "private") PART("x-ignore-a", "b")
				 PART("policy", "p") FILE_PART("f"),
			     50, &file),
	    ERR_OK);
	err = post_policy_check(
	    bytes_of(policy, strlen(policy)), now_ms, f, "bucket", "u/x", limits, &why);
	form_free(f);
	buf_fini(&file);
	return err;
}

#define POLICY(conditions)                                                                         \
	"{\"expiration\":\"1970-01-01T00:00:10Z\",\"conditions\":[" conditions "]}"

START_TEST(policies_of_forms)
{
	static const struct {
		const char *policy;
		int want;
	} cases[] = {
		{ POLICY("{\"bucket\":\"bucket\"},[\"starts-with\",\"$key\",\"u/"
			 "\"],{\"ACL\":\"private\"}"),
		    ERR_OK },
		{ POLICY("{\"bucket\":\"bucket\"},[\"eq\",\"$Key\",\"u/"
			 "x\"],[\"starts-with\",\"$acl\",\"\"]"),
		    ERR_OK },
		{ POLICY("{\"bucket\":\"other\"},[\"starts-with\",\"$key\",\"u/"
			 "\"],{\"acl\":\"private\"}"),
		    S3_AccessDenied },
		{ POLICY("[\"starts-with\",\"$key\",\"u/\"],{\"acl\":\"private\"}"),
		    S3_AccessDenied },
		{ POLICY("{\"bucket\":\"bucket\"},[\"starts-with\",\"$key\",\"u/\"]"),
		    S3_AccessDenied },
		{ POLICY("{\"bucket\":\"bucket\"},[\"starts-with\",\"$key\",\"v/"
			 "\"],{\"acl\":\"private\"}"),
		    S3_AccessDenied },
		{ POLICY("{\"bucket\":\"bucket\"},[\"starts-with\",\"key\",\"u/\"]"),
		    S3_InvalidPolicyDocument },
		{ POLICY("[\"content-length-range\",-1,5]"), S3_InvalidPolicyDocument },
		{ POLICY("{}"), S3_InvalidPolicyDocument },
		{ POLICY(""), S3_InvalidPolicyDocument },
		{ "{\"conditions\":[{\"bucket\":\"bucket\"}]}", S3_InvalidPolicyDocument },
		{ "{\"expiration\":\"1970-01-01T00:00:10Z\"}", S3_InvalidPolicyDocument },
		{ "x", S3_InvalidPolicyDocument },
	};
	struct post_limits limits = { .most = 9 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_msg(
		    check(cases[i].policy, 10000, &limits) == cases[i].want, "%s", cases[i].policy);
	ck_assert_int_eq(check(cases[0].policy, 10001, &limits), S3_AccessDenied);
	ck_assert_uint_eq(limits.most, 9);
	ck_assert_int_eq(
	    check(
		POLICY(
		    "{\"bucket\":\"bucket\"},[\"starts-with\",\"$key\",\"\"],{\"acl\":\"private\"},"
		    "[\"content-length-range\",\"2\",5]"),
		0, &limits),
	    ERR_OK);
	ck_assert(limits.least == 2 && limits.most == 5);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gateway/form");

	suite_add(s, "form", 0, a_form_in_pieces, bad_forms, policies_of_forms, NULL);
	return suite_main(s);
}
