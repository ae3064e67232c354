/*
 * The page of a run: every section is there, tags are balanced, nothing is loaded from elsewhere,
 * text from outside cannot become markup, and results that are empty or odd give whole pages.
 */
#include "test/unit/suite.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "overlay/base/err.h"
#include "sim/html.h"
#include "sim/random.h"
#include "sim/report.h"

#define DEPTH_MAX 32
#define PAGE_MAX  MIB(4)

static struct result r;
static struct buf page;

static void
add(struct histogram *h, uint64_t count, uint64_t ms)
{
	for (uint64_t i = 0; i < count; i++)
		histogram_add(h, MILLISECONDS(ms) + MICROSECONDS(700) * i);
}

static void
fill_sample(struct result_sample *s, size_t i)
{
	s->at = MINUTES(15) * i;
	s->up = 950;
	s->offline = 50;
	s->contacts_mean = 120;
	s->stale_ppm = 60000 + (uint32_t)i;
	s->lookups = i % 3 == 0 ? 0 : 100; /* intervals without any are gaps */
	s->lookups_failed = i == 40 ? 3 : 0;
	s->first_p50 = MILLISECONDS(120);
	s->first_p95 = MILLISECONDS(400);
	s->done_p50 = MILLISECONDS(700);
	s->done_p95 = SECONDS(2);
	s->recall_ppm = 985000;
	for (size_t c = 0; c < TRAFFIC_CLASSES; c++)
		s->sent_bytes[c] = i == 0 ? 0 : 1000000 * (c + 1);
	s->objects = i;
	s->chunks[1] = i / 4;
	s->chunks[5] = i;
}

static void
measured(void)
{
	result_init(&r);
	(void)snprintf(r.scenario, sizeof(r.scenario), "usual");
	r.nodes = 1000;
	r.seed = 77;
	r.span = HOURS(24);
	r.k = 4;
	r.r = 6;
	r.n = 8;
	r.events = 12345678;
	r.event_hash = 0xfeed;
	r.events_by_kind[SIM_EVENT_DATAGRAM] = 12345678;
	r.cpu_ms = 20000;
	r.node_ms = 950ULL * 24 * 3600 * 1000;
	r.resident_peak_bytes = MIB(50);
	r.lookups = 9600;
	r.lookups_failed = 3;
	add(&r.lookup_first, 500, 90);
	add(&r.lookup_done, 500, 400);
	add(&r.put, 300, 600);
	add(&r.object_get, 20, 1500);
	for (uint64_t i = 0; i < 100; i++)
		histogram_add(&r.lookup_rpcs, 30 + i % 9);
	r.paths[1].lookups = 100;
	r.paths[1].succeeded = 98;
	r.recall_true = 2000;
	r.recall_found = 1970;
	r.objects_put = r.objects_kept = r.objects_read = 96;
	r.samples_count = RESULT_SAMPLES + 1;
	for (size_t i = 0; i < r.samples_count; i++)
		fill_sample(&r.samples[i], i);
	r.marks_count = 1;
	r.marks[0] = (struct result_mark){ HOURS(3), HOURS(5), "region" };
}

static const char *
rendered(void)
{
	buf_fini(&page);
	buf_init(&page, PAGE_MAX);
	ck_assert_int_eq(report_html(&r, &page), ERR_OK);
	return buf_str(&page);
}

static void
finish(void)
{
	buf_fini(&page);
	result_fini(&r);
}

/* ---- a small reader of tags ---- */

struct tags {
	char open[DEPTH_MAX][16];
	size_t depth, seen;
};

/* One tag, s after its '<': its name is pushed, or the same one is popped. */
static void
tag(struct tags *t, const char *s, const char *end)
{
	bool closes = *s == '/', alone = end[-1] == '/';
	char name[16] = "";
	size_t len = 0;

	for (s += closes; s < end && isalnum((unsigned char)*s) && len < sizeof(name) - 1; s++)
		name[len++] = *s;
	t->seen++;
	if (len == 0 || t->depth == DEPTH_MAX)
		ck_abort_msg("%.40s", s);
	if (!alone && !closes)
		memcpy(t->open[t->depth++], name, sizeof(name));
	else if (closes && (t->depth == 0 || strcmp(t->open[--t->depth], name) != 0))
		ck_abort_msg("</%s> closes another", name);
}

/* The '>' that ends the tag at s; NULL: a quote is open, or another tag begins in it. */
static const char *
tag_end(const char *s)
{
	bool quoted = false;

	for (s++; *s != '>' || quoted; s++) {
		if (*s == '\0' || (*s == '<' && !quoted))
			return NULL;
		quoted ^= *s == '"';
	}
	return s;
}

/* Tags close what was opened last, attributes are quoted, & begins an entity. */
static size_t
balanced(const char *html)
{
	struct tags t = { 0 };
	const char *s = html + 15;

	ck_assert_int_eq(strncmp(html, "<!doctype html>", 15), 0);
	while (*(s += strcspn(s, "<>&")) != '\0') {
		const char *end = *s == '<' ? tag_end(s) : s;

		if (*s == '>' || end == NULL || (*s == '&' && s[strcspn(s, "; <")] != ';'))
			ck_abort_msg("%.40s", s);
		if (*s == '<')
			tag(&t, s + 1, end);
		s = end + 1;
	}
	ck_assert_uint_eq(t.depth, 0);
	return t.seen;
}

/* Of the page without its style, where words such as "min-width" are innocent. */
static void
without(const char *html, const char *word)
{
	const char *body = strstr(html, "</style>");

	ck_assert_ptr_nonnull(body);
	ck_assert_msg(strcasestr(body, word) == NULL, "%s: %.60s", word, strcasestr(body, word));
}

static void
whole(const char *html)
{
	ck_assert_uint_gt(balanced(html), 100);
	without(html, "nan");
	without(html, ">inf");
	without(html, " inf");
	without(html, "-inf");
	without(html, "(null)");
	ck_assert_ptr_null(strstr(html, "<script"));
	ck_assert_ptr_null(strstr(html, "http"));
	ck_assert_ptr_null(strstr(html, "url("));
	ck_assert_ptr_null(strstr(html, "@import"));
	ck_assert_ptr_null(strstr(html, "src="));
}

static size_t
count(const char *html, const char *what)
{
	size_t n = 0;

	for (const char *s = html; (s = strstr(s, what)) != NULL; s++)
		n++;
	return n;
}

/* ---- pages ---- */

START_TEST(a_page_has_every_section)
{
	static const char *const parts[] = { "<h1>usual</h1>", "<b>1,000</b> nodes",
		"<b>24</b> simulated hours", "<b>4/6/8</b>", "<b>real</b> cryptography",
		"--nodes 1000 --hours 24 --seed 77 --crypto real", "000000000000feed",
		"All 96 acknowledged objects", "Objects lost", "Lookups failed",
		"Lookup, first answer", "Record put, done", "Events a second", "<b>617,283</b>",
		"Memory a node", "51.2 KiB", "Faults of the timeline", "<h3>Members</h3>",
		"How long lookups take", "Lookups that failed", "Recall of the closest",
		"Done within a time", "number of paths", "98.00 %", "Sent by a node",
		"Stale contacts", "Chunks by shards alive", "Durability", "Repair traffic",
		"Nothing was repaired", "Percentiles", "Operations", "<h3>Events</h3>",
		"<h3>Traffic</h3>", "Terms" };
	const char *html;

	measured();
	html = rendered();
	whole(html);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++)
		ck_assert_msg(strstr(html, parts[i]) != NULL, "%s", parts[i]);
	ck_assert_uint_eq(count(html, "class=\"chart"), 10);
	ck_assert_uint_eq(count(html, "<rect class=\"mark\""), 9); /* not of the distribution */
	finish();
}
END_TEST

START_TEST(an_empty_result_is_sentences)
{
	const char *html;

	result_init(&r);
	html = rendered();
	whole(html);
	ck_assert_uint_eq(count(html, "class=\"chart"), 0);
	ck_assert_ptr_nonnull(strstr(html, "No objects were stored in this run."));
	ck_assert_ptr_nonnull(strstr(html, "No lookups were made."));
	ck_assert_ptr_nonnull(strstr(html, "The scenario plans no faults."));
	finish();
}
END_TEST

/* A run that was interrupted at once, or had only one of all that plots count. */
START_TEST(short_runs_are_whole_pages)
{
	for (size_t samples = 0; samples <= 3; samples++) {
		const char *html;

		measured();
		r.samples_count = samples;
		r.span = samples == 2 ? 0 : r.span;
		r.samples[2].at = samples == 3 ? r.samples[1].at : r.samples[2].at;
		r.interrupted = samples > 0;
		r.ran = MINUTES(90);
		html = rendered();
		whole(html);
		ck_assert((strstr(html, "interrupted after <b>1.50</b>") != NULL) == r.interrupted);
		finish();
	}
}
END_TEST

START_TEST(names_cannot_become_markup)
{
	const char *html;

	measured();
	(void)snprintf(
	    r.scenario, sizeof(r.scenario), "</title><script>x('&\"')\x01\xff\xe2\x80\xae");
	(void)snprintf(r.marks[0].text, sizeof(r.marks[0].text), "<b a=\"%%n\">&amp;");
	html = rendered();
	whole(html);
	ck_assert_ptr_nonnull(
	    strstr(html, "<h1>&lt;/title&gt;&lt;script&gt;x(&#39;&amp;&quot;&#39;)"
			 "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"));
	ck_assert_ptr_nonnull(strstr(html, "&lt;b a=&quot;%n&quot;&gt;&amp;amp;"));
	ck_assert_ptr_null(strstr(html, "<b a="));
	finish();
}
END_TEST

START_TEST(losses_are_said)
{
	const char *html;

	measured();
	r.objects_lost = 2;
	r.objects_wrong = 1;
	html = rendered();
	whole(html);
	ck_assert_ptr_nonnull(strstr(html, "2 objects lost, 0 unreadable, 1 with wrong bytes"));
	ck_assert_ptr_nonnull(strstr(html, "class=\"verdict bad\""));
	ck_assert_ptr_null(strstr(html, "are still there"));
	finish();
}
END_TEST

START_TEST(what_was_not_read_is_not_good)
{
	const char *html;

	measured();
	r.objects_read = 0;
	html = rendered();
	whole(html);
	ck_assert_ptr_nonnull(strstr(html, "but none was read back."));
	ck_assert_ptr_null(strstr(html, "class=\"verdict good\""));
	ck_assert_ptr_null(strstr(html, "still there"));
	finish();
	measured();
	r.objects_kept = 2 * r.objects_read;
	html = rendered();
	ck_assert_ptr_nonnull(strstr(html, "were read back, all whole"));
	ck_assert_ptr_nonnull(strstr(html, "class=\"verdict good\""));
	ck_assert_ptr_null(strstr(html, "still there"));
	finish();
}
END_TEST

/* It is neither kept nor lost; where others were read, it could not be. */
START_TEST(what_was_never_seen_is_not_good)
{
	const char *html;

	measured();
	r.objects_kept = r.objects_read = 94;
	r.objects_unseen = 2;
	html = rendered();
	whole(html);
	ck_assert_ptr_nonnull(strstr(html, "0 objects lost, 2 unreadable, 0 with wrong bytes"));
	ck_assert_ptr_nonnull(strstr(html, "<td>chunks never seen</td><td class=\"bad\">2</td>"));
	ck_assert_ptr_nonnull(strstr(html, "class=\"verdict bad\""));
	finish();
	measured();
	r.objects_read = 0;
	r.objects_unseen = 2;
	html = rendered();
	whole(html);
	ck_assert_ptr_nonnull(strstr(html, "read back, and of 2 not even the chunks are known."));
	ck_assert_ptr_null(strstr(html, "class=\"verdict good\""));
	ck_assert_ptr_null(strstr(html, "class=\"verdict bad\""));
	finish();
}
END_TEST

START_TEST(repair_is_drawn_against_its_formula)
{
	const char *html;

	measured();
	for (size_t i = 0; i < r.samples_count; i++)
		r.samples[i].repair_bytes = 5000;
	html = rendered();
	ck_assert_ptr_null(strstr(html, "by the formula"));
	ck_assert_ptr_null(strstr(html, "Nothing was repaired"));
	r.repair_expected_bytes = 600000;
	html = rendered();
	whole(html);
	ck_assert_ptr_nonnull(strstr(html, "by the formula"));
	ck_assert_ptr_nonnull(strstr(html, ">600 kB</text>"));
	finish();
}
END_TEST

START_TEST(all_marks_and_the_largest_numbers)
{
	measured();
	r.marks_count = RESULT_MARKS;
	for (size_t i = 0; i < RESULT_MARKS; i++) {
		r.marks[i].from = MINUTES(37) * ((i * 29) % RESULT_MARKS);
		r.marks[i].to = i % 5 == 0 ? UINT64_MAX : r.marks[i].from;
		memset(r.marks[i].text, '"', RESULT_NAME - 1);
	}
	memset(r.scenario, '&', RESULT_NAME - 1);
	r.nodes = r.seed = r.events = r.event_hash = r.lookups = UINT64_MAX;
	r.objects_put = r.objects_lost = r.resident_peak_bytes = UINT64_MAX;
	r.rpcs_total = r.lookups_failed = r.joins = UINT64_MAX;
	for (size_t i = 0; i < SIM_EVENT_KINDS; i++)
		r.events_by_kind[i] = UINT64_MAX;
	r.samples[7].sent_bytes[0] = r.samples[9].chunks[19] = UINT64_MAX;
	r.samples[7].up = UINT32_MAX;
	histogram_add(&r.lookup_first, UINT64_MAX);
	histogram_add(&r.lookup_rpcs, UINT64_MAX);
	whole(rendered());
	finish();
}
END_TEST

START_TEST(random_results_are_whole_pages)
{
	struct sim_random random;

	sim_random_init(&random, 4, 0);
	for (int round = 0; round < 40; round++) {
		measured();
		r.samples_count = (size_t)sim_random_below(&random, RESULT_SAMPLES + 2);
		r.marks_count = (size_t)sim_random_below(&random, RESULT_MARKS + 1);
		r.k = (uint8_t)sim_random_below(&random, 256);
		r.n = (uint8_t)sim_random_below(&random, 256);
		for (size_t i = 0; i < r.samples_count; i++) {
			struct result_sample *s = &r.samples[i];

			s->first_p50 = sim_random_u64(&random) >> sim_random_below(&random, 64);
			s->recall_ppm = (uint32_t)sim_random_below(&random, 1000001);
			s->up = (uint32_t)sim_random_below(&random, 3);
			s->chunks[i % RESULT_ALIVE] = sim_random_below(&random, 4);
			s->stale_ppm = sim_random_below(&random, 2) ? 0 : s->stale_ppm;
		}
		for (size_t i = 0; i < r.marks_count; i++) {
			r.marks[i].from = sim_random_below(&random, HOURS(30));
			r.marks[i].to = sim_random_below(&random, HOURS(30));
		}
		whole(rendered());
		finish();
	}
}
END_TEST

START_TEST(the_same_result_is_the_same_page)
{
	struct buf again;

	measured();
	(void)rendered();
	buf_init(&again, PAGE_MAX);
	ck_assert_int_eq(report_html(&r, &again), ERR_OK);
	ck_assert_uint_eq(again.len, page.len);
	ck_assert_mem_eq(again.data, page.data, page.len);
	buf_fini(&again);
	finish();
}
END_TEST

START_TEST(too_little_room_is_an_error)
{
	struct buf small;

	measured();
	for (size_t max = 0; max < 40000; max += 4999) {
		buf_init(&small, max);
		ck_assert_int_eq(report_html(&r, &small), ERR_TOO_BIG);
		buf_fini(&small);
	}
	result_fini(&r);
}
END_TEST

/* ---- numbers and text ---- */

START_TEST(numbers_for_people)
{
	char v[HTML_NUMBER_MAX];

	ck_assert_str_eq(html_count(0, v), "0");
	ck_assert_str_eq(html_count(999, v), "999");
	ck_assert_str_eq(html_count(1000, v), "1,000");
	ck_assert_str_eq(html_count(UINT64_MAX, v), "18,446,744,073,709,551,615");
	ck_assert_str_eq(html_time(MICROSECONDS(8300), v), "8.3 ms");
	ck_assert_str_eq(html_time(MILLISECONDS(212), v), "212 ms");
	ck_assert_str_eq(html_time(MILLISECONDS(2420), v), "2.42 s");
	ck_assert_str_eq(html_ms(MICROSECONDS(8340), v), "8.3");
	ck_assert_str_eq(html_ms(MICROSECONDS(2416500), v), "2,417");
	ck_assert_str_eq(html_hours(HOURS(24), v), "24");
	ck_assert_str_eq(html_hours(MINUTES(90), v), "90m");
	ck_assert_str_eq(html_hours(SECONDS(601), v), "601s");
	ck_assert_str_eq(html_hours(MILLISECONDS(601500), v), "601500ms");
	ck_assert_str_eq(html_share(1, 3, v), "33.33 %");
	ck_assert_str_eq(html_share(0, 3, v), "0 %");
	ck_assert_str_eq(html_share(3, 3, v), "100 %");
	ck_assert_str_eq(html_share(1, 1000000, v), "&lt; 0.01 %");
	ck_assert_str_eq(html_share(999999, 1000000, v), "&gt; 99.99 %");
	ck_assert_str_eq(html_bytes(31.2 * 1024, v), "31.2 KiB");
	ck_assert_str_eq(html_bytes(17, v), "17 B");
}
END_TEST

START_TEST(text_is_escaped_character_by_character)
{
	static const struct {
		const char *text, *escaped;
	} all[] = { { "a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;" },
		{ "λ 木 \xf0\x9f\x8c\x8d", "λ 木 \xf0\x9f\x8c\x8d" },
		{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd" },
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
		{ "x\xe6\x9c", "x\xef\xbf\xbd\xef\xbf\xbd" }, { "\x1b[1m", "\xef\xbf\xbd[1m" },
		{ "\xe2\x80\xae", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, { "", "" } };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct html h = { .out = &page };

		buf_init(&page, KIB(1));
		html_text(&h, all[i].text);
		ck_assert_int_eq(h.err, ERR_OK);
		ck_assert_str_eq(buf_str(&page), all[i].escaped);
		buf_fini(&page);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/report");

	suite_add(s, "page", 0, a_page_has_every_section, an_empty_result_is_sentences,
	    short_runs_are_whole_pages, names_cannot_become_markup, losses_are_said,
	    what_was_not_read_is_not_good, what_was_never_seen_is_not_good,
	    repair_is_drawn_against_its_formula, all_marks_and_the_largest_numbers,
	    random_results_are_whole_pages, the_same_result_is_the_same_page,
	    too_little_room_is_an_error, NULL);
	suite_add(s, "parts", 0, numbers_for_people, text_is_escaped_character_by_character, NULL);
	return suite_main(s);
}
