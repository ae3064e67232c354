/* Draws against their analytic medians and quartiles; text; fixed point against libm. */
#include "test/unit/suite.h"

#include <math.h>
#include <stdlib.h>

#include "overlay/base/err.h"
#include "sim/lifetime.h"
#include "sim/units.h"

#define DRAWS 20001
#define RESTS 5000

static char error[LIFETIME_TEXT_MAX];

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Quartiles in hours within 4 %. */
static void
quartiles(const char *text, double low, double middle, double high)
{
	static uint64_t v[DRAWS];
	const double right[3] = { low, middle, high };
	struct lifetime l;
	struct sim_random r;

	sim_random_init(&r, 5, 0);
	ck_assert_int_eq(lifetime_parse(text, &l, error), ERR_OK);
	for (size_t i = 0; i < DRAWS; i++)
		v[i] = lifetime_draw(&l, &r, 0, 0);
	qsort(v, DRAWS, sizeof(*v), compare);
	for (size_t i = 0; i < 3; i++) {
		double is = (double)v[DRAWS * (i + 1) / 4] / (double)HOURS(1);

		ck_assert_msg(is > right[i] * 0.96 && is < right[i] * 1.04,
		    "%s: quartile %zu is %.3f h, right would be %.3f h", text, i + 1, is, right[i]);
	}
}

START_TEST(draws_have_their_quartiles)
{
	quartiles("exponential median 2h", 2 * log(4.0 / 3) / log(2), 2, 4);
	quartiles("exponential mean 3h", 3 * log(4.0 / 3), 3 * log(2), 3 * log(4));
	quartiles("weibull scale 3h shape 0.6", 3 * pow(log(4.0 / 3), 1 / 0.6),
	    3 * pow(log(2), 1 / 0.6), 3 * pow(log(4), 1 / 0.6));
	quartiles(
	    "lognormal median 2h sigma 1.2", 2 * exp(-0.6745 * 1.2), 2, 2 * exp(0.6745 * 1.2));
	quartiles("fixed 5h", 5, 5, 5);
	/* The same, said otherwise. */
	quartiles("weibull median 3h shape 0.6", 3 * pow(log(4.0 / 3) / log(2), 1 / 0.6), 3,
	    3 * pow(log(4) / log(2), 1 / 0.6));
	quartiles("lognormal mean 4h sigma 1.2", 4 * exp(-1.2 * 1.2 / 2 - 0.6745 * 1.2),
	    4 * exp(-1.2 * 1.2 / 2), 4 * exp(-1.2 * 1.2 / 2 + 0.6745 * 1.2));
}
END_TEST

/* The mean of what is left is E[X²] / 2 E[X]; in hours, within 10 %. */
static void
rest(const char *text, double right)
{
	struct lifetime l;
	struct sim_random r;
	double sum = 0;

	sim_random_init(&r, 6, 0);
	ck_assert_int_eq(lifetime_parse(text, &l, error), ERR_OK);
	for (size_t i = 0; i < RESTS; i++)
		sum += (double)lifetime_rest(&l, &r, 0, 0) / (double)HOURS(1);
	ck_assert_msg(sum / RESTS > right * 0.9 && sum / RESTS < right * 1.1,
	    "%s: the mean rest is %.3f h, right would be %.3f h", text, sum / RESTS, right);
}

START_TEST(long_ones_are_met_more_often)
{
	rest("exponential mean 3h", 3);
	rest("fixed 5h", 2.5);
	rest("weibull scale 3h shape 0.6", 3 * tgamma(1 + 2 / 0.6) / tgamma(1 + 1 / 0.6) / 2);
	rest("lognormal median 2h sigma 0.8", 2 * exp(1.5 * 0.8 * 0.8) / 2);
}
END_TEST

START_TEST(days_follow_the_place)
{
	struct lifetime l;
	struct sim_random r;

	sim_random_init(&r, 5, 0);
	ck_assert_int_eq(lifetime_parse("diurnal from 8h for 10h", &l, error), ERR_OK);
	ck_assert_uint_eq(lifetime_draw(&l, &r, HOURS(12), 0), HOURS(6));
	ck_assert_uint_eq(lifetime_draw(&l, &r, HOURS(12), 120), HOURS(4));
	ck_assert_uint_eq(lifetime_draw(&l, &r, HOURS(12), -300), HOURS(11));
	ck_assert_uint_eq(lifetime_draw(&l, &r, HOURS(20), 0), HOURS(22)); /* tomorrow */
	/* Over midnight. */
	ck_assert_int_eq(lifetime_parse("diurnal from 20h for 10h", &l, error), ERR_OK);
	ck_assert_uint_eq(lifetime_draw(&l, &r, HOURS(22), 0), HOURS(8));
	ck_assert_uint_eq(lifetime_draw(&l, &r, HOURS(2), 0), HOURS(4));
	ck_assert_uint_eq(lifetime_draw(&l, &r, HOURS(10), 0), HOURS(20));
}
END_TEST

/* Who is met at the beginning: nobody whose day is over, or has not begun. */
START_TEST(at_night_nobody_is_met)
{
	struct lifetime l;
	struct sim_random r;

	sim_random_init(&r, 5, 0);
	ck_assert_int_eq(lifetime_parse("diurnal from 8h for 10h", &l, error), ERR_OK);
	ck_assert_uint_eq(lifetime_rest(&l, &r, HOURS(12), 0), HOURS(6));
	ck_assert_uint_eq(lifetime_rest(&l, &r, HOURS(20), 0), SECONDS(1));
	ck_assert_uint_eq(lifetime_rest(&l, &r, HOURS(7), 0), SECONDS(1));
	ck_assert_uint_eq(lifetime_rest(&l, &r, HOURS(7), 120), HOURS(9));
	ck_assert_int_eq(lifetime_parse("diurnal from 20h for 10h", &l, error), ERR_OK);
	ck_assert_uint_eq(lifetime_rest(&l, &r, HOURS(2), 0), HOURS(4)); /* over midnight */
	ck_assert_uint_eq(lifetime_rest(&l, &r, HOURS(12), 0), SECONDS(1));
	ck_assert_int_eq(lifetime_parse("diurnal from 8h for 10h jitter 2h", &l, error), ERR_OK);
	for (int i = 0; i < 1000; i++) /* some ended an hour ago, none goes on to tomorrow */
		ck_assert_uint_le(lifetime_rest(&l, &r, HOURS(17), 0), HOURS(3));
}
END_TEST

/* Met in a session as often as sessions take of the time, in thousandths, within 30. */
static void
met(const char *up, const char *away, uint64_t now, int zone, unsigned right)
{
	struct lifetime session, absence;
	struct sim_random r;
	unsigned n = 0;

	sim_random_init(&r, 8, 0);
	ck_assert_int_eq(lifetime_parse(up, &session, error), ERR_OK);
	ck_assert_int_eq(lifetime_parse(away, &absence, error), ERR_OK);
	for (size_t i = 0; i < RESTS; i++)
		n += lifetime_met(&session, &absence, &r, now, zone);
	ck_assert_msg(n * 1000 / RESTS + 30 >= right && n * 1000 / RESTS <= right + 30,
	    "%s, %s: %u of %d are met, right would be %u in a thousand", up, away, n, RESTS, right);
}

START_TEST(who_is_met_is_as_likely_as_its_sessions_are_long)
{
	met("none", "fixed 5h", 0, 0, 1000);
	met("fixed 5h", "none", 0, 0, 1000);
	met("fixed 3h", "fixed 1h", 0, 0, 750);
	met("exponential mean 3h", "exponential mean 1h", 0, 0, 750);
	met("exponential median 2h", "exponential median 10m", 0, 0, 923);
	met("weibull scale 3h shape 0.6", "fixed 3h", 0, 0, 601); /* 3 h times Γ(1 + 1/0.6) */
	met("fixed 1h", "lognormal mean 4h sigma 0.8", 0, 0, 200);
	met("diurnal from 8h for 10h", "fixed 14h", HOURS(12), 0, 1000);
	met("diurnal from 8h for 10h", "fixed 14h", HOURS(20), 0, 0);
	met("diurnal from 8h for 10h", "fixed 14h", HOURS(20), -300, 1000);
	/* Two hours after all came, the shorter sessions are over. */
	met("exponential mean 2h", "diurnal from 18h for 14h", HOURS(10), 0, 368);
	met("fixed 1h", "diurnal from 18h for 14h", HOURS(7), 120, 0);
}
END_TEST

START_TEST(traces_are_drawn_from)
{
	static const char *const bad[] = { "60 soon", " \n", "", "-18446744073709551556", "60 -5",
		"+60", "60,120", "3.5", "12h", "4294967296", "99999999999999999999999" };
	struct lifetime l;
	struct sim_random r;

	sim_random_init(&r, 5, 0);
	ck_assert_int_eq(lifetime_parse("trace up.txt", &l, error), ERR_OK);
	ck_assert_str_eq(l.trace_name, "up.txt");
	ck_assert_int_eq(lifetime_trace_parse("60 120\n 180\n", &l, error), ERR_OK);
	ck_assert_uint_eq(l.trace_count, 3);
	for (int i = 0; i < 100; i++)
		ck_assert_uint_eq(lifetime_draw(&l, &r, 0, 0) % SECONDS(60), 0);
	lifetime_fini(&l);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(
		    lifetime_trace_parse(bad[i], &l, error) == ERR_INVALID, "\"%s\"", bad[i]);
}
END_TEST

START_TEST(wrong_text_is_refused)
{
	static const char *const bad[] = { "", "sometimes", "fixed", "fixed 2", "none 2h",
		"exponential 2h", "exponential mean", "exponential mean 2h shape 1",
		"weibull scale 2h", "weibull scale 2h shape 0", "weibull scale 2h shape 1x.5",
		"weibull scale 2h shape 1..5", "lognormal median 2h sigma x",
		"diurnal from 25h for 2h", "trace", "exponential mean 0", "exponential scale 2h",
		"weibull mean 3h shape 0.6", "weibull scale 3h sigma 0.6",
		"lognormal scale 2h sigma 1.2", "exponential from 8h mean 2h",
		"exponential mean 2h median 2h", "exponential mean 2h mean 3h", "diurnal from 8h",
		"diurnal for 8h", "diurnal from 8h for 25h",
		"diurnal from 8h for 10h jitter 1h mean 2h", "lognormal mean 1h sigma 50" };
	struct lifetime l;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(lifetime_parse(bad[i], &l, error) == ERR_INVALID, "%s", bad[i]);
		ck_assert_ptr_nonnull(strstr(error, "right would be"));
	}
}
END_TEST

START_TEST(fixed_point_agrees_with_libm)
{
	struct sim_random r;

	sim_random_init(&r, 9, 0);
	for (int i = 0; i < 2000; i++) {
		uint64_t v = (sim_random_u64(&r) >> (1 + sim_random_below(&r, 62))) | 1;
		double log = (double)fixed_log2(v) / (double)FIXED_ONE, back;

		ck_assert_double_eq_tol(log, log2((double)v), 1e-8);
		back = (double)fixed_exp2(fixed_log2(v));
		ck_assert_double_eq_tol(back / (double)v, 1.0, v < 1000 ? 0.5 : 1e-3);
	}
	ck_assert_uint_eq(fixed_exp2(INT64_C(63) << 32), UINT64_MAX);
	ck_assert_uint_eq(fixed_exp2(-(INT64_C(5) << 32)), 0);
}
END_TEST

START_TEST(units_are_read_exactly)
{
	uint64_t v;
	uint32_t ppm;

	ck_assert(units_duration("1.5h", &v) && v == MINUTES(90));
	ck_assert(units_duration("20m", &v) && v == MINUTES(20));
	ck_assert(units_duration("0", &v) && v == 0);
	ck_assert(!units_duration("20", &v) && !units_duration("1.h", &v) &&
		  !units_duration("-1s", &v) && !units_duration("1 h", &v));
	ck_assert(units_size("64K", &v) && v == KIB(64));
	ck_assert(units_size("100", &v) && v == 100);
	ck_assert(!units_size("64k", &v) && !units_size("", &v));
	ck_assert(units_percent("0.1%", &ppm) && ppm == 1000);
	ck_assert(units_percent("500ppm", &ppm) && ppm == 500);
	ck_assert(!units_percent("101%", &ppm) && !units_percent("15", &ppm));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/lifetime");

	suite_add(s, "draws", 0, draws_have_their_quartiles, long_ones_are_met_more_often,
	    days_follow_the_place, at_night_nobody_is_met,
	    who_is_met_is_as_likely_as_its_sessions_are_long, traces_are_drawn_from, NULL);
	suite_add(s, "text", 0, wrong_text_is_refused, fixed_point_agrees_with_libm,
	    units_are_read_exactly, NULL);
	return suite_main(s);
}
