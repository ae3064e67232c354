/* DIR/skerry.conf: what is written is read again, and a wrong line is named. */
#include "cmd/settings.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/json.h"
#include "overlay/contact.h"
#include "test/unit/suite.h"

static char dir[64], path[128], error[SETTINGS_ERROR_MAX];
static struct settings s;

static void
set_up(void)
{
	strcpy(dir, "/tmp/skerry-test.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/%s", dir, SETTINGS_FILE);
	settings_default(&s);
}

static void
tear_down(void)
{
	(void)unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static int
load(const char *text)
{
	FILE *f = fopen(path, "we");

	ck_assert_ptr_nonnull(f);
	ck_assert(fputs(text, f) >= 0);
	ck_assert_int_eq(fclose(f), 0);
	error[0] = '\0';
	settings_default(&s);
	return settings_load(dir, &s, error);
}

START_TEST(absent)
{
	ck_assert_int_eq(settings_load(dir, &s, error), ERR_NOT_FOUND);
}
END_TEST

START_TEST(round_trip)
{
	static struct settings back;
	char contact[CONTACT_NAME_MAX];
	struct stat st;

	memset(contact, 'b', 64);
	strcpy(contact + 64, "@[2001:db8::1]:7");
	strcpy(s.network, "another");
	s.pow_bits = 3;
	s.test_network = s.assume_reachable = true;
	s.port_mapping = false;
	s.code = (struct code_params){ 4, 6, 8 };
	s.capacity = GIB(1024) + 1;
	memcpy(s.country, "DE", 2);
	strcpy(s.region, "eu");
	strcpy(s.operator_file, "/key");
	strcpy(s.user, "me");
	s.log_level = LOG_DEBUG;
	s.listen.port = 99;
	for (int i = 0; i < 3; i++)
		ck_assert(set_contacts(&s.bootstraps, contact));
	ck_assert_int_eq(settings_save(dir, &s), ERR_OK);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	settings_default(&back);
	ck_assert_msg(settings_load(dir, &back, error) == ERR_OK, "%s", error);
	for (const struct option *o = settings_options; o->name != NULL; o++) {
		char a[VALUE_TEXT_MAX], b[VALUE_TEXT_MAX];

		for (size_t i = 0; i < 4; i++) {
			bool x = o->get((char *)&s + o->offset, i, a, sizeof(a));
			bool y = o->get((char *)&back + o->offset, i, b, sizeof(b));

			ck_assert_msg(x == y, "%s", o->name);
			if (x)
				ck_assert_str_eq(a, b);
		}
	}
}
END_TEST

START_TEST(defaults_are_comments)
{
	char line[512];
	FILE *f;

	ck_assert_int_eq(settings_save(dir, &s), ERR_OK);
	f = fopen(path, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) != NULL)
		ck_assert_msg(line[0] == ';' || line[0] == '\n', "%s", line);
	(void)fclose(f);
}
END_TEST

START_TEST(wrong_lines_are_named)
{
	char line[512], expected[160];
	static const char *const bad[] = { "capacity = 5X", "colour = red", "no equals",
		"[section]", "  [section]", "listen = 1.2.3.4", "country =", "port-mapping = 1",
		"capacity: 5X" };

	(void)snprintf(expected, sizeof(expected), "%s:3: ", path);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void)snprintf(line, sizeof(line), "; a\n\n%s\ncapacity = 1G\n", bad[i]);
		ck_assert_msg(load(line) == ERR_INVALID, "%s", bad[i]);
		ck_assert_msg(strncmp(error, expected, strlen(expected)) == 0, "%s", error);
		ck_assert_uint_eq(s.capacity, SETTINGS_CAPACITY); /* nothing half-taken */
	}
	ck_assert_int_eq(load("capacity = 1G\ncapacity = 2G\n"), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error, ":2: "));
}
END_TEST

START_TEST(long_lines_are_not_cut)
{
	char line[600];
	int n = snprintf(line, sizeof(line), "; ");

	memset(line + n, 'x', 300);
	strcpy(line + n + 300, "\ncapacity = 1G\n");
	ck_assert_int_eq(load(line), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error, ":1: "));
	/* 198 letters and a newline are the most; without a newline at the end of the file as well.
	 */
	memset(line, 'x', 198);
	line[0] = ';';
	strcpy(line + 198, "\ncapacity = 1G");
	ck_assert_msg(load(line) == ERR_OK, "%s", error);
	ck_assert_uint_eq(s.capacity, GIB(1));
}
END_TEST

START_TEST(unreadable_again_is_refused)
{
	memset(s.operator_file, 'x', 250);
	ck_assert_int_eq(settings_save(dir, &s), ERR_TOO_BIG);
}
END_TEST

START_TEST(paths_are_seen_from_the_file)
{
	char expected[128];

	ck_assert_int_eq(load("operator = op.key\n"), ERR_OK);
	(void)snprintf(expected, sizeof(expected), "%s/op.key", dir);
	ck_assert_str_eq(s.operator_file, expected);
	ck_assert_int_eq(load("operator = /op.key\n"), ERR_OK);
	ck_assert_str_eq(s.operator_file, "/op.key");
}
END_TEST

START_TEST(json_both_ways)
{
	struct json_value *o = json_make_object(), *list = json_make_array(), *back;
	struct buf b;

	json_put_text(o, "name", "bad \xff utf-8");
	json_put_number(o, "big", (uint64_t)1 << 53);
	json_put_signed(o, "minus", -5);
	json_put_flag(o, "yes", true);
	json_add_text(list, "one");
	json_put_value(o, "list", list);
	buf_init(&b, 4096);
	ck_assert_int_eq(json_print(o, &b), ERR_OK);
	ck_assert_int_eq(json_parse((char *)b.data, b.len, &back), ERR_OK);
	ck_assert_str_eq(json_text(back, "name"), "bad ? utf-8");
	ck_assert_uint_eq(json_number(back, "big"), (uint64_t)1 << 53);
	ck_assert_int_eq(json_signed(back, "minus"), -5);
	ck_assert_uint_eq(json_number(back, "minus"), 0);
	ck_assert(json_flag(back, "yes"));
	ck_assert_uint_eq(json_count(json_child(back, "list")), 1);
	ck_assert_ptr_null(json_text(back, "none"));
	ck_assert_uint_eq(json_count(json_child(back, "none")), 0);
	json_free(back);
	json_free(o);
	buf_fini(&b);
	buf_init(&b, 4);
	o = json_make_object();
	json_put_text(o, "longer", "than four");
	ck_assert_int_eq(json_print(o, &b), ERR_TOO_BIG);
	ck_assert_int_eq(json_print(NULL, &b), ERR_NOMEM);
	json_free(o);
	buf_fini(&b);
	ck_assert_int_eq(json_parse("[1]", 3, &back), ERR_INVALID);
	ck_assert_int_eq(json_parse("{}x", 3, &back), ERR_INVALID);
	ck_assert_int_eq(json_parse("{\"a\":1,\"a\":2}", 13, &back), ERR_INVALID);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("cmd/settings");
	TCase *tc = tcase_create("file");

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_test(tc, absent);
	tcase_add_test(tc, round_trip);
	tcase_add_test(tc, defaults_are_comments);
	tcase_add_test(tc, wrong_lines_are_named);
	tcase_add_test(tc, long_lines_are_not_cut);
	tcase_add_test(tc, unreadable_again_is_refused);
	tcase_add_test(tc, paths_are_seen_from_the_file);
	suite_add_tcase(suite, tc);
	suite_add(suite, "json", 0, json_both_ways, NULL);
	return suite_main(suite);
}
