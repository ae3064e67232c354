/* Command lines: every form of an option, and every way to get it wrong. */
#include "cmd/options.h"

#include "cmd/settings.h"
#include "test/unit/suite.h"

struct target {
	const char *dir;
	bool json, quick;
	uint64_t size;
	bool secrets;
	struct country_list countries;
};

static const struct option table[] = {
	{ "dir", 'd', "DIR", "help", "a directory", set_text, NULL, offsetof(struct target, dir) },
	{ "json", 0, NULL, "help", RIGHT_SWITCH, set_switch, NULL, offsetof(struct target, json) },
	{ "quick", 'q', NULL, "help", RIGHT_SWITCH, set_switch, NULL,
	    offsetof(struct target, quick) },
	{ "country", 0, "CC", "help", "countries", set_countries, NULL,
	    offsetof(struct target, countries), .list = true },
	{ NULL },
};
static const struct option second[] = {
	{ "size", 's', "SIZE", "help", RIGHT_SIZE, set_size, NULL, offsetof(struct target, size) },
	{ "secrets", 'S', NULL, "help", RIGHT_SWITCH, set_switch, NULL,
	    offsetof(struct target, secrets), .with = "list or sk://" },
	{ NULL },
};

static struct target t;
static struct operands operands;
static char error[OPTIONS_ERROR_MAX];

/* Parses the words of a line, blanks between them. */
static int
parse(const char *line)
{
	static char copy[512];
	struct option_group groups[] = { { table, &t }, { second, &t } };
	char *argv[16];
	int argc = 0;

	t = (struct target){ 0 };
	error[0] = '\0';
	ck_assert(strlen(line) < sizeof(copy));
	strcpy(copy, line);
	for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " "))
		argv[argc++] = word;
	return options_parse(groups, 2, argc, argv, &operands, error);
}

START_TEST(every_form)
{
	ck_assert_int_eq(parse("--dir a file --json -q --size=4K"), ERR_OK);
	ck_assert_str_eq(t.dir, "a");
	ck_assert(t.json && t.quick && t.size == 4096);
	ck_assert_uint_eq(operands.count, 1);
	ck_assert_str_eq(operands.text[0], "file");
	ck_assert_int_eq(parse("-da -s 5"), ERR_OK);
	ck_assert_str_eq(t.dir, "a");
	ck_assert_uint_eq(t.size, 5);
	ck_assert_int_eq(parse("- -- --json -q"), ERR_OK);
	ck_assert_uint_eq(operands.count, 3);
	ck_assert_str_eq(operands.text[0], "-");
	ck_assert_str_eq(operands.text[1], "--json");
	ck_assert(!t.json);
	ck_assert_int_eq(parse("--no-json --dir=--json"), ERR_OK);
	ck_assert(!t.json);
	ck_assert_str_eq(t.dir, "--json");
	ck_assert_int_eq(parse(""), ERR_OK);
}
END_TEST

START_TEST(lists_gather)
{
	ck_assert_int_eq(parse("--country DE --country FR,US"), ERR_OK);
	ck_assert_uint_eq(t.countries.count, 3);
}
END_TEST

START_TEST(lists_start_anew)
{
	struct option_group group = { table, &t };
	char *argv[] = { (char[]){ "--country" }, (char[]){ "JP" } };

	t = (struct target){ 0 };
	ck_assert(set_countries(&t.countries, "DE,FR"));
	ck_assert_int_eq(options_parse(&group, 1, 2, argv, &operands, error), ERR_OK);
	ck_assert_uint_eq(t.countries.count, 1);
	ck_assert_mem_eq(t.countries.code, "JP", 2);
}
END_TEST

START_TEST(wrong_lines)
{
	static const char *const bad[] = { "--colour red", "-x", "--dir", "-d", "--dir a --dir b",
		"--json=yes", "--json --json", "-qd", "--size 5X", "--country Germany", "--no-dir",
		"--no-json=x", "a b c d e", "--", "---json" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (strcmp(bad[i], "--") == 0)
			continue;
		ck_assert_msg(parse(bad[i]) == ERR_INVALID, "%s", bad[i]);
		ck_assert_msg(error[0] != '\0', "%s", bad[i]);
	}
	(void)parse("--size 5X");
	ck_assert_ptr_nonnull(strstr(error, "500G")); /* what would be right */
}
END_TEST

/* With another word the option would be passed over. What the word is may be a secret. */
START_TEST(options_of_a_word)
{
	static const char *const good[] = { "list --secrets", "-S sk://b/k", "--secrets list new",
		"new", "--no-secrets list" };
	static const char *const bad[] = { "new --secrets", "-S lis", "--secrets lists",
		"--secrets", "--no-secrets sk:/", "-S new list" };

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(parse(good[i]) == ERR_OK, "%s: %s", good[i], error);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(parse(bad[i]) == ERR_INVALID, "%s", bad[i]);
		ck_assert_str_eq(error, "--secrets goes with list or sk:// only");
	}
	ck_assert_int_eq(parse("new --secrets --help"), ERR_END);
}
END_TEST

START_TEST(help_is_asked)
{
	ck_assert_int_eq(parse("--help"), ERR_END);
	ck_assert_int_eq(parse("file -h"), ERR_END);
	ck_assert_int_eq(parse("-- --help"), ERR_OK);
}
END_TEST

/* What --help, the file and the man page rely on. */
START_TEST(settings_table)
{
	for (const struct option *o = settings_options; o->name != NULL; o++) {
		ck_assert_ptr_nonnull(o->set);
		ck_assert_ptr_nonnull(o->get);
		ck_assert_msg(o->help[strlen(o->help) - 1] == '.', "%s", o->name);
		ck_assert_ptr_eq(options_find(settings_options, o->name), o);
	}
	ck_assert_ptr_null(options_find(settings_options, "colour"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd/options");

	suite_add(s, "right", 0, every_form, lists_gather, lists_start_anew, help_is_asked, NULL);
	suite_add(s, "wrong", 0, wrong_lines, options_of_a_word, NULL);
	suite_add(s, "tables", 0, settings_table, NULL);
	return suite_main(s);
}
