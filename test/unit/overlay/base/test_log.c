/* Lines: levels, names, the limit per format, escaping, and both forms on stderr. */
#include "test/unit/suite.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "overlay/base/err.h"
#include "overlay/base/log.h"

#define LINES_MAX 256

struct sink {
	size_t count;
	enum log_level level[LINES_MAX];
	char line[LINES_MAX][4 * LOG_LINE_BYTES_MAX + 100];
};

static void
sink_write(void *arg, enum log_level level, const char *line)
{
	struct sink *s = arg;

	ck_assert_uint_lt(s->count, LINES_MAX);
	s->level[s->count] = level;
	snprintf(s->line[s->count++], sizeof(s->line[0]), "%s", line);
}

static struct log *
log_into(struct sink **sink, enum log_level level, const char *name)
{
	*sink = calloc(1, sizeof(**sink));
	ck_assert_ptr_nonnull(*sink);

	struct log *l = log_new(
	    &(struct log_opts){ .level = level, .write = sink_write, .arg = *sink, .name = name });

	ck_assert_ptr_nonnull(l);
	return l;
}

START_TEST(levels_and_names)
{
	struct sink *s;
	struct log *l = log_into(&s, LOG_WARN, "node");
	enum log_level level = LOG_ERROR;

	log_write(l, LOG_ERROR, 1, "broken %d", 7);
	log_write(l, LOG_INFO, 1, "chatter");
	ck_assert_uint_eq(s->count, 1);
	ck_assert_str_eq(s->line[0], "node: broken 7");
	ck_assert_int_eq(log_level_parse("debug", &level), ERR_OK);
	log_set_level(l, level);
	log_write(l, LOG_DEBUG, 1, "%s", "detail");
	ck_assert_str_eq(s->line[1], "node: detail");
	ck_assert_int_eq(s->level[1], LOG_DEBUG);
	ck_assert_int_eq(log_level_parse("loud", &level), ERR_INVALID);
	ck_assert_int_eq(level, LOG_DEBUG);
	log_write(NULL, LOG_ERROR, 1, "nowhere");
	log_free(l);
	log_free(NULL);
	free(s);
}
END_TEST

START_TEST(repetition_is_summed_up)
{
	static const char *const noisy = "peer %d lies", *const rare = "rare %d";
	struct sink *s;
	struct log *l = log_into(&s, LOG_INFO, NULL);
	uint64_t now = SECONDS(5);

	for (int i = 0; i < 1000; i++)
		log_write(l, LOG_WARN, now + (uint64_t)i, noisy, i);
	ck_assert_uint_eq(s->count, LOG_BURST);
	log_write(l, LOG_INFO, now + SECONDS(1), rare, 1);
	ck_assert_str_eq(s->line[LOG_BURST], "rare 1");

	/* The window's end is told by whatever is logged next. */
	log_write(l, LOG_INFO, now + SECONDS(LOG_WINDOW_S), rare, 2);
	ck_assert_uint_eq(s->count, LOG_BURST + 3);
	ck_assert_str_eq(s->line[LOG_BURST + 1], "990 more like: peer %d lies");
	ck_assert_int_eq(s->level[LOG_BURST + 1], LOG_WARN);
	log_write(l, LOG_WARN, now + SECONDS(LOG_WINDOW_S), noisy, 5);
	ck_assert_str_eq(s->line[LOG_BURST + 3], "peer 5 lies");
	for (int i = 0; i < LOG_BURST + 1; i++)
		log_write(l, LOG_WARN, now + SECONDS(LOG_WINDOW_S), noisy, 6);
	log_free(l);
	ck_assert_str_eq(s->line[s->count - 1], "2 more like: peer %d lies");
	free(s);
}
END_TEST

START_TEST(the_table_of_formats_is_bounded)
{
	static char formats[LOG_FORMATS_MAX + 2][8]; /* as many addresses */
	/* Without the format attribute: these formats are made up here. */
	void (*const write_made_up)(struct log *, enum log_level, uint64_t, const char *, ...) =
	    log_write;
	struct sink *s;
	struct log *l = log_into(&s, LOG_INFO, NULL);

	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		snprintf(formats[i], sizeof(formats[i]), "f%zu %%d", i);
		for (int n = 0; n < (i == 0 ? LOG_BURST + 3 : 1); n++)
			write_made_up(l, LOG_INFO, 100 + i, formats[i], n);
	}
	/* Every format came through, and the one that had to go was summed up. */
	ck_assert_uint_eq(s->count, ARRAY_LEN(formats) + LOG_BURST - 1 + 1);
	ck_assert_str_eq(s->line[LOG_BURST + LOG_FORMATS_MAX - 1], "3 more like: f0 %d");
	log_free(l);
	free(s);
}
END_TEST

START_TEST(what_peers_send_stays_on_one_line)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "a\nb\r\t\x1b[31m\x7f", "a\\x0ab\\x0d\\x09\\x1b[31m\\x7f" },
		{ "sk\xc3\xa4r \xe2\x82\xac \xf0\x9f\x8c\x8a",
		    "sk\xc3\xa4r \xe2\x82\xac \xf0\x9f\x8c\x8a" },
		{ "\xc3", "\\xc3" }, { "\xe2\x82", "\\xe2\\x82" }, { "\xff\xfe", "\\xff\\xfe" },
		{ "\xc0\xaf", "\\xc0\\xaf" },                   /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* beyond U+10FFFF */
		{ "\xc2\x9b", "\\xc2\\x9b" },                   /* C1 control */
		{ "\xe2\x80\xae", "\\xe2\\x80\\xae" },          /* right-to-left override */
		{ "\xe2\x80\xa8", "\\xe2\\x80\\xa8" },          /* line separator */
	};
	struct sink *s;
	struct log *l = log_into(&s, LOG_INFO, NULL);

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		log_write(l, LOG_INFO, 1 + i * SECONDS(LOG_WINDOW_S), "%s", cases[i].in);
		ck_assert_str_eq(s->line[i], cases[i].out);
	}
	log_free(l);
	free(s);
}
END_TEST

START_TEST(long_lines_are_cut)
{
	struct sink *s;
	struct log *l = log_into(&s, LOG_INFO,
	    "a name that is much longer than any name of a log "
	    "should ever be, so it is cut");
	char *text = malloc(3 * LOG_LINE_BYTES_MAX);

	ck_assert_ptr_nonnull(text);
	memset(text, '\n', 3 * LOG_LINE_BYTES_MAX - 1);
	text[3 * LOG_LINE_BYTES_MAX - 1] = '\0';
	log_write(l, LOG_INFO, 1, "%s", text);

	size_t len = strlen(s->line[0]);

	ck_assert_uint_ge(len, 4 * (LOG_LINE_BYTES_MAX - 4) + 3);
	ck_assert_str_eq(s->line[0] + len - 7, "\\x0a...");
	log_free(l);
	free(text);
	free(s);
}
END_TEST

/* What a logger of this process writes to a stderr that is a file. */
static void
stderr_line(char *out, size_t cap, bool journal)
{
	char stream[64];
	struct stat st;
	FILE *f = tmpfile();

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
	    (unsigned long long)st.st_ino + (journal ? 0 : 1));
	ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);

	int saved = dup(STDERR_FILENO);

	ck_assert_int_ge(saved, 0);
	ck_assert_int_ge(dup2(fileno(f), STDERR_FILENO), 0);

	struct log *l = log_new(&(struct log_opts){ .level = LOG_INFO, .name = "node" });

	log_write(l, LOG_WARN, 1, "careful");
	log_free(l);
	ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
	close(saved);
	rewind(f);
	ck_assert_ptr_nonnull(fgets(out, (int)cap, f));
	fclose(f);
}

START_TEST(journald_gets_priorities_and_people_the_time)
{
	char line[256];
	int year, end = 0;

	stderr_line(line, sizeof(line), true);
	ck_assert_str_eq(line, "<4>node: careful\n");
	stderr_line(line, sizeof(line), false);
	ck_assert_int_eq(sscanf(line, "%4d-%*2d-%*2dT%*2d:%*2d:%*2dZ%n", &year, &end), 1);
	ck_assert_int_gt(end, 0);
	ck_assert_str_eq(line + end, " warn  node: careful\n");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/log");

	suite_add(s, "log", 0, levels_and_names, repetition_is_summed_up,
	    the_table_of_formats_is_bounded, what_peers_send_stays_on_one_line, long_lines_are_cut,
	    journald_gets_priorities_and_people_the_time, NULL);
	return suite_main(s);
}
