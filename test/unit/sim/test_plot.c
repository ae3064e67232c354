/* Axes against what they promise, for random spans; gaps, dots, and names that do not collide. */
#include "test/unit/suite.h"

#include <math.h>
#include <stdio.h>

#include "overlay/base/err.h"
#include "sim/plot_private.h"
#include "sim/random.h"

#define ROUNDS 3000

static struct buf out;

/* A number of any size: 1 … 2^48 − 1, over ten to the decimals. */
static double
any(struct sim_random *random)
{
	uint64_t v = (sim_random_u64(random) >> (16 + sim_random_below(random, 47))) + 1;

	return (double)v / pow(10, (double)sim_random_below(random, 5));
}

static void
ticks_are_right(const struct plot_axis *a)
{
	struct plot_ticks t;

	plot_axis_ticks(a, &t);
	ck_assert_uint_ge(t.count, a->unit == PLOT_HOURS ? 1 : 2);
	ck_assert_uint_le(t.count, a->log ? 13 : 8);
	for (size_t i = 0; i < t.count; i++) {
		double at = plot_scale(a, t.at[i]);

		ck_assert(at > -1e-6 && at < 1 + 1e-6);
		ck_assert(i == 0 || t.at[i] > t.at[i - 1]);
		ck_assert_msg(strlen(t.text[i]) > 0 && strlen(t.text[i]) <= 11, "%s", t.text[i]);
		if (i > 0)
			ck_assert_msg(strcmp(t.text[i], t.text[i - 1]) != 0,
			    "%s twice between %g and %g", t.text[i], a->from, a->to);
	}
}

START_TEST(axes_hold_their_values)
{
	struct sim_random random;

	sim_random_init(&random, 9, 0);
	for (int i = 0; i < ROUNDS; i++) {
		double low = any(&random), high = any(&random);
		struct plot_axis a = { .unit = (enum plot_unit)sim_random_below(&random, 5),
			.log = sim_random_below(&random, 2) == 0 };

		if (a.unit == PLOT_HOURS)
			a.log = false;
		if (a.unit == PLOT_PERCENT || a.unit == PLOT_MS || a.unit == PLOT_HOURS) {
			/* A histogram's last, in ms; the longest run, in hours. */
			double most = a.unit == PLOT_MS ? 3e8 : a.unit == PLOT_HOURS ? 1e5 : 100;

			low = fmod(low, most) + 0.001;
			high = fmod(high, most) + 0.001;
		}
		a.from = a.log ? MIN(low, high) : 0;
		a.to = MAX(low, high);
		plot_axis_round(&a);
		ck_assert(a.to > a.from);
		ck_assert(plot_scale(&a, a.to) > 1 - 1e-9);
		ck_assert(fabs(plot_scale(&a, a.from)) < 1e-9);
		ck_assert(plot_scale(&a, MAX(low, high)) <= 1 + 1e-9);
		ticks_are_right(&a);
	}
}
END_TEST

static void
texts(struct plot_axis a, const char *want)
{
	struct plot_ticks t;
	char got[256] = "";
	size_t len = 0;

	plot_axis_round(&a);
	plot_axis_ticks(&a, &t);
	for (size_t i = 0; i < t.count; i++)
		len += (size_t)snprintf(
		    got + len, sizeof(got) - len, "%s%s", i > 0 ? "|" : "", t.text[i]);
	ck_assert_str_eq(got, want);
}

START_TEST(ticks_are_what_people_like)
{
	texts((struct plot_axis){ .unit = PLOT_HOURS, .to = 24 }, "0|4 h|8 h|12 h|16 h|20 h|24 h");
	texts((struct plot_axis){ .unit = PLOT_HOURS, .to = 1 },
	    "0|10 min|20 min|30 min|40 min|50 min|60 min");
	texts((struct plot_axis){ .unit = PLOT_HOURS, .to = 2 }, "0|0.5 h|1.0 h|1.5 h|2.0 h");
	texts((struct plot_axis){ .unit = PLOT_HOURS, .to = 240 }, "0|2 d|4 d|6 d|8 d|10 d");
	texts((struct plot_axis){ .unit = PLOT_COUNT, .to = 9400 }, "0|2k|4k|6k|8k|10k");
	texts((struct plot_axis){ .unit = PLOT_COUNT, .to = 4 }, "0|1|2|3|4");
	texts((struct plot_axis){ .unit = PLOT_PERCENT, .to = 0.9 },
	    "0.0 %|0.2 %|0.4 %|0.6 %|0.8 %|1.0 %");
	texts((struct plot_axis){ .unit = PLOT_PERCENT, .from = 90, .to = 100 },
	    "90 %|92 %|94 %|96 %|98 %|100 %");
	texts((struct plot_axis){ .unit = PLOT_BYTES, .to = 2300 },
	    "0|500 B|1.0 kB|1.5 kB|2.0 kB|2.5 kB");
	texts((struct plot_axis){ .unit = PLOT_MS, .log = true, .from = 12, .to = 33000 },
	    "10 ms|100 ms|1 s|10 s");
	texts((struct plot_axis){ .unit = PLOT_MS, .log = true, .from = 130, .to = 4100 },
	    "100 ms|200 ms|500 ms|1 s|2 s|5 s");
	texts((struct plot_axis){ .unit = PLOT_MS, .log = true, .from = 0.3, .to = 0.3 },
	    "0.2 ms|0.5 ms");
}
END_TEST

/* ---- curves ---- */

static const char *
drawn(const struct plot *p)
{
	struct html h = { .out = &out };

	buf_fini(&out);
	buf_init(&out, KIB(256));
	plot_put(p, &h);
	ck_assert_int_eq(h.err, ERR_OK);
	return buf_str(&out);
}

START_TEST(gaps_are_not_bridged)
{
	const double x[] = { 0, 1, 2, 3, 4, 5 }, y[] = { 1, 2, NAN, 1, NAN, 2 };
	const struct plot_series s = { .name = "a", .color = "red", .x = x, .y = y, .count = 6 };
	const char *svg = drawn(&(struct plot){
	    .title = "t", .note = "n", .series = &s, .series_count = 1, .y = { .to = 2 } });

	ck_assert_ptr_nonnull(strstr(svg, "d=\"M0.0 500.0L200.0 0.0M600.0 500.0h0M1000.0 0.0h0\""));
	buf_fini(&out);
}
END_TEST

START_TEST(areas_stand_on_each_other)
{
	const double x[] = { 0, 1 }, a[] = { 1, 1 }, b[] = { 1, 3 }, zero[] = { 0, 0 };
	const struct plot_series s[] = { { "a", "red", x, a, 2, false },
		{ "none", "blue", x, zero, 2, false }, { "b", "green", x, b, 2, false } };
	const char *svg = drawn(&(struct plot){ .title = "t",
	    .note = "n",
	    .series = s,
	    .series_count = 3,
	    .stacked = true,
	    .y = { .to = 4 } });

	ck_assert_ptr_nonnull(
	    strstr(svg, "d=\"M0.0 750.0L1000.0 750.0L1000.0 1000.0L0.0 1000.0Z\""));
	ck_assert_ptr_nonnull(strstr(svg, "d=\"M0.0 500.0L1000.0 0.0L1000.0 750.0L0.0 750.0Z\""));
	ck_assert_ptr_null(strstr(svg, "style=\"color:blue\" d"));
	buf_fini(&out);
}
END_TEST

START_TEST(nothing_is_a_sentence)
{
	const double x[] = { 0, 1 }, zero[] = { 0, 0 }, nan[] = { NAN, NAN };
	struct plot_series s = { .name = "a", .color = "red", .x = x, .y = zero, .count = 2 };
	struct plot p = { .title = "t", .note = "n", .series = &s, .series_count = 1 };

	ck_assert_ptr_nonnull(strstr(drawn(&p), "<svg"));
	p.none = "Nothing.";
	ck_assert_ptr_nonnull(strstr(drawn(&p), "Nothing."));
	ck_assert_ptr_null(strstr(drawn(&p), "<svg"));
	p.none = NULL;
	s.y = nan;
	ck_assert_ptr_null(strstr(drawn(&p), "<svg"));
	s.y = zero;
	s.count = 1;
	ck_assert_ptr_null(strstr(drawn(&p), "<svg"));
	s.count = 2;
	p.y.log = true; /* has no place for a zero */
	ck_assert_ptr_null(strstr(drawn(&p), "<svg"));
	buf_fini(&out);
}
END_TEST

/* ---- marks ---- */

/* Where the numbers above a plot stand: percent and pixels. */
static size_t
flags(const char *svg, double x[RESULT_MARKS], double y[RESULT_MARKS], bool named[RESULT_MARKS])
{
	size_t count = 0;

	for (const char *s = svg; (s = strstr(s, "class=\"flag\" x=\"")) != NULL; count++) {
		char *end;

		s += strlen("class=\"flag\" x=\"");
		x[count] = strtod(s, &end);
		y[count] = strtod(end + strlen("%\" y=\""), &end);
		named[count] = strncmp(strchr(end, '<'), "<tspan>", 7) == 0;
	}
	return count;
}

START_TEST(names_of_marks_do_not_collide)
{
	struct sim_random random;

	sim_random_init(&random, 3, 0);
	for (int round = 0; round < 300; round++) {
		struct result_mark marks[RESULT_MARKS];
		const struct plot_axis axis = { .unit = PLOT_HOURS, .to = 24 };
		struct plot p = { .marks = marks };
		double x[RESULT_MARKS], y[RESULT_MARKS];
		bool named[RESULT_MARKS];
		struct html h = { .out = &out };
		size_t n;

		p.marks_count = (size_t)sim_random_below(&random, 20) + 1;
		for (size_t i = 0; i < p.marks_count; i++) {
			marks[i].from = sim_random_below(&random, HOURS(24));
			marks[i].to = marks[i].from + sim_random_below(&random, HOURS(3));
			(void)snprintf(marks[i].text, RESULT_NAME, "ten letters");
		}
		buf_init(&out, KIB(64));
		ck_assert_uint_ge(plot_marks_put(&p, &axis, &h), 1);
		n = flags(buf_str(&out), x, y, named);
		ck_assert_uint_ge(n, 1);
		for (size_t i = 0; i < n; i++) {
			for (size_t j = i + 1; j < n; j++)
				ck_assert(y[i] != y[j] || x[j] - x[i] >= (named[i] ? 19.0 : 6.0));
		}
		buf_fini(&out);
	}
}
END_TEST

START_TEST(few_marks_take_one_lane)
{
	struct result_mark marks[] = { { HOURS(12), HOURS(13), "two" },
		{ HOURS(2), HOURS(3), "one" }, { HOURS(30), HOURS(31), "never seen" } };
	const struct plot_axis axis = { .unit = PLOT_HOURS, .to = 24 };
	struct plot p = { .marks = marks, .marks_count = 3 };
	struct html h = { .out = &out };
	const char *svg;

	buf_init(&out, KIB(8));
	ck_assert_uint_eq(plot_marks_put(&p, &axis, &h), 1);
	svg = buf_str(&out);
	ck_assert_ptr_nonnull(strstr(svg, "<tspan> one</tspan>"));
	ck_assert_ptr_nonnull(strstr(svg, "<tspan> two</tspan>"));
	ck_assert_ptr_null(strstr(svg, "never"));
	p.marks_count = 0;
	ck_assert_uint_eq(plot_marks_put(&p, &axis, NULL), 0);
	buf_fini(&out);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/plot");

	suite_add(s, "axis", 0, axes_hold_their_values, ticks_are_what_people_like, NULL);
	suite_add(s, "curve", 0, gaps_are_not_bridged, areas_stand_on_each_other,
	    nothing_is_a_sentence, NULL);
	suite_add(s, "mark", 0, names_of_marks_do_not_collide, few_marks_take_one_lane, NULL);
	return suite_main(s);
}
