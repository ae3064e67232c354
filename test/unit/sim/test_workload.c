/* What the workload draws: sizes of objects. What it does is the business of test/scenario. */
#include "test/unit/suite.h"

#include "sim/workload.h"

#define DRAWS 60000

/* How many of the draws are in [from, to]. */
static unsigned
count(uint64_t least, uint64_t most, uint64_t from, uint64_t to)
{
	struct scenario s;
	struct sim_random r;
	unsigned n = 0;

	scenario_init(&s);
	s.object_least = least;
	s.object_most = most;
	sim_random_init(&r, 7, 0);
	for (int i = 0; i < DRAWS; i++) {
		uint64_t bytes = workload_draw_bytes(&s, &r);

		ck_assert_uint_ge(bytes, least);
		ck_assert_uint_le(bytes, most);
		n += bytes >= from && bytes <= to;
	}
	return n;
}

START_TEST(every_factor_of_two_is_as_likely)
{
	for (uint64_t low = KIB(16); low < MIB(1); low *= 2) {
		unsigned n = count(KIB(16), MIB(1), low, 2 * low - 1);

		ck_assert_uint_ge(n, DRAWS / 6 * 95 / 100);
		ck_assert_uint_le(n, DRAWS / 6 * 105 / 100);
	}
	/* Also where the most is no power of two of the least: 2^(5/3), the first octave is 0.6. */
	ck_assert_uint_ge(count(KIB(64), 208064, KIB(64), KIB(128) - 1), DRAWS * 58 / 100);
	ck_assert_uint_le(count(KIB(64), 208064, KIB(64), KIB(128) - 1), DRAWS * 62 / 100);
}
END_TEST

/* One size in sixty is a hundredth from an end, none stands at it. */
START_TEST(no_size_stands_out)
{
	ck_assert_uint_le(count(KIB(16), MIB(1), MIB(1), MIB(1)), 2);
	ck_assert_uint_le(count(KIB(16), MIB(1), KIB(16), KIB(16)), 5);
	ck_assert_uint_le(count(KIB(100), KIB(150), KIB(150), KIB(150)), 8);
	ck_assert_uint_ge(count(KIB(16), MIB(1), MIB(1) - KIB(10), MIB(1)), 50);
	ck_assert_uint_ge(count(KIB(16), MIB(1), KIB(16), KIB(16) + 160), 50);
}
END_TEST

START_TEST(bounds_may_be_close)
{
	ck_assert_uint_eq(count(MIB(4), MIB(4), MIB(4), MIB(4)), DRAWS);
	ck_assert_uint_eq(count(1, 1, 1, 1), DRAWS);
	ck_assert_uint_ge(count(1, 2, 2, 2), DRAWS / 4); /* log 3/2 of log 3 */
	ck_assert_uint_ge(count(MIB(64) - 1, MIB(64), MIB(64), MIB(64)), DRAWS / 3);
	ck_assert_uint_ge(count(MIB(64) - 1, MIB(64), MIB(64) - 1, MIB(64) - 1), DRAWS / 3);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/workload");

	suite_add(s, "sizes", 0, every_factor_of_two_is_as_likely, no_size_stands_out,
	    bounds_may_be_close, NULL);
	return suite_main(s);
}
