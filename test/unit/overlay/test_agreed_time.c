/* The median against a naive one; when it is trusted; jumps, patience and restarts. */
#include "test/unit/suite.h"

#include "overlay/agreed_time.h"

#define T0     UINT64_C(1800000000000)
#define HOUR   (INT64_C(3600) * 1000)
#define MIN_MS (INT64_C(60) * 1000)

static struct agreed_time
read_at(struct agreed_clock *c, uint64_t now, uint64_t own_ms, const int64_t *offsets, size_t n,
    bool all)
{
	int64_t copy[AGREED_CLOCKS_MAX];
	struct agreed_time out;

	if (n > 0)
		memcpy(copy, offsets, n * sizeof(*copy));
	agreed_clock_read(c,
	    &(struct agreed_input){
		.now = now, .own_ms = own_ms, .offsets = copy, .offsets_count = n, .all = all },
	    &out);
	return out;
}

START_TEST(median_is_the_middle_one)
{
	uint64_t rnd = 1;

	for (int round = 0; round < 2000; round++) {
		struct agreed_clock c = { 0 };
		int64_t off[AGREED_CLOCKS_MAX] = { 0 }, want = 0;
		size_t n = (size_t)(round % (AGREED_CLOCKS_MAX + 1)), below, same;
		struct agreed_time t;

		for (size_t i = 0; i < n; i++) {
			rnd = rnd * UINT64_C(6364136223846793005) + 1442695040888963407u;
			off[i] = (int64_t)(rnd >> 44) % 1000 - 500;
		}
		t = read_at(&c, SECONDS(1), T0, off, n, true);
		want = (int64_t)(t.unix_ms - T0);
		below = want > 0;
		same = want == 0;
		for (size_t i = 0; i < n; i++) {
			below += off[i] < want;
			same += off[i] == want;
		}
		/* The n/2-th in order lies among its equals. */
		ck_assert(same > 0 && below <= n / 2 && n / 2 < below + same);
		ck_assert(t.trusted);
		ck_assert_uint_eq(t.peers, n);
	}
}
END_TEST

START_TEST(two_liars_of_five_move_nothing)
{
	struct agreed_clock c = { 0 };
	int64_t off[5] = { 10, -900 * HOUR, -5, -900 * HOUR, 3 };
	struct agreed_time t = read_at(&c, SECONDS(1), T0, off, 5, false);

	ck_assert(t.trusted);
	ck_assert_uint_eq(t.unix_ms, T0 - 5);
}
END_TEST

START_TEST(too_few_clocks_are_not_trusted)
{
	struct agreed_clock c = { 0 };
	int64_t off[4] = { 1, 2, 3, 4 };

	ck_assert(!read_at(&c, SECONDS(1), T0, off, 4, false).trusted);
	ck_assert(!read_at(&c, SECONDS(1), T0, NULL, 0, false).trusted);
	ck_assert(read_at(&c, SECONDS(1), T0, off, 4, true).trusted);
	ck_assert(read_at(&c, SECONDS(1), T0, NULL, 0, true).trusted);
}
END_TEST

START_TEST(own_clock_off_is_not_trusted)
{
	int64_t off[5];

	for (int sign = -1; sign <= 1; sign += 2) {
		struct agreed_clock c = { 0 };

		for (int i = 0; i < 5; i++)
			off[i] = sign * 15 * MIN_MS;
		ck_assert(read_at(&c, SECONDS(1), T0, off, 5, false).trusted);
		for (int i = 0; i < 5; i++)
			off[i] = sign * (15 * MIN_MS + 1);
		ck_assert(!read_at(&c, SECONDS(2), T0, off, 5, false).trusted);
	}
}
END_TEST

START_TEST(jump_is_refused_then_believed)
{
	int64_t off[5] = { 0 };

	for (int sign = -1; sign <= 1; sign += 2) {
		struct agreed_clock c = { 0 };
		uint64_t now = SECONDS(5), wall = T0, step = (uint64_t)HOUR + 1;
		struct agreed_time t;

		ck_assert(read_at(&c, now, wall, off, 5, false).trusted);
		now += HOURS(1);
		wall += (uint64_t)HOUR;
		t = read_at(&c, now, sign > 0 ? wall + step : wall - step, off, 5, false);
		ck_assert(!t.trusted);
		ck_assert_uint_eq(t.unix_ms, wall);
		/* An hour is no jump, and ends the doubt. */
		t = read_at(&c, now, sign > 0 ? wall + step - 1 : wall - step + 1, off, 5, false);
		ck_assert(t.trusted);
		wall = t.unix_ms + (uint64_t)(sign > 0 ? 2 * HOUR : 0) -
		       (uint64_t)(sign > 0 ? 0 : 2 * HOUR);
		for (int h = 0; h < 24; h++)
			ck_assert(
			    !read_at(&c, now + HOURS(h), wall + (uint64_t)(h * HOUR), off, 5, false)
				 .trusted);
		t = read_at(&c, now + HOURS(24), wall + (uint64_t)(24 * HOUR), off, 5, false);
		ck_assert(t.trusted);
		ck_assert_uint_eq(t.unix_ms, wall + (uint64_t)(24 * HOUR));
	}
}
END_TEST

START_TEST(patience_starts_over_when_agreement_ends)
{
	struct agreed_clock c = { 0 };
	int64_t off[5] = { 0 };
	uint64_t wall = T0 + (uint64_t)(3 * HOUR);

	ck_assert(read_at(&c, SECONDS(1), T0, off, 5, false).trusted);
	ck_assert(!read_at(&c, SECONDS(2), wall, off, 5, false).trusted);
	/* 23 hours later too few clocks are left to tell. */
	ck_assert(!read_at(&c, HOURS(23), wall + (uint64_t)(23 * HOUR), off, 3, false).trusted);
	ck_assert(!read_at(&c, HOURS(25), wall + (uint64_t)(25 * HOUR), off, 5, false).trusted);
	ck_assert(read_at(&c, HOURS(49), wall + (uint64_t)(49 * HOUR), off, 5, false).trusted);
}
END_TEST

START_TEST(restored_time_is_a_floor)
{
	struct agreed_clock c = { 0 };
	int64_t off[5] = { 0 };
	struct agreed_time t;

	agreed_clock_restore(&c, T0, SECONDS(1));
	t = read_at(&c, SECONDS(2), T0 - (uint64_t)(2 * HOUR), off, 5, false);
	ck_assert(!t.trusted);
	ck_assert_uint_eq(t.unix_ms, T0 + 1000);
	/* A month switched off is no jump. */
	t = read_at(&c, SECONDS(3), T0 + (uint64_t)(720 * HOUR), off, 5, false);
	ck_assert(t.trusted);
	/* From then on both directions are. */
	ck_assert(!read_at(&c, SECONDS(4), T0 + (uint64_t)(722 * HOUR), off, 5, false).trusted);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/agreed_time");

	suite_add(s, "median", 0, median_is_the_middle_one, two_liars_of_five_move_nothing, NULL);
	suite_add(
	    s, "trust", 0, too_few_clocks_are_not_trusted, own_clock_off_is_not_trusted, NULL);
	suite_add(s, "jumps", 0, jump_is_refused_then_believed,
	    patience_starts_over_when_agreement_ends, restored_time_is_a_floor, NULL);
	return suite_main(s);
}
