/* Token buckets: never more than the rate and a second's worth, whatever is asked for. */
#include "storage/bandwidth.h"

#include <stdlib.h>

#include "test/unit/suite.h"

#define SECOND UINT64_C(1000000000)

/* Moves pieces one after the other, as told; bytes moved after so many seconds. */
static uint64_t
moved(uint64_t bytes_s, uint64_t piece, uint64_t seconds)
{
	struct byte_rate r = { .bytes_s = bytes_s };
	uint64_t now = 5 * SECOND, end = now + seconds * SECOND, bytes = 0;

	for (;;) {
		now += byte_rate_take(&r, now, piece);
		if (now >= end)
			return bytes;
		bytes += piece;
	}
}

START_TEST(rates_hold)
{
	static const uint64_t rates[] = { 1000, 65536, 500000, 25000000, 3000000000 };
	static const uint64_t pieces[] = { 64, 65536, 1000000 };

	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		for (size_t j = 0; j < ARRAY_LEN(pieces); j++) {
			uint64_t got;

			/* So small ones take no time that a clock of microseconds sees. */
			if (rates[i] / pieces[j] > 20000)
				continue;
			got = moved(rates[i], pieces[j], 60);
			ck_assert_uint_le(got, 62 * rates[i] + 2 * pieces[j]);
			ck_assert_uint_ge(got + 2 * pieces[j], 59 * rates[i]);
		}
	}
}
END_TEST

START_TEST(rest_saves_a_second)
{
	struct byte_rate r = { .bytes_s = 1000 };

	ck_assert_uint_eq(byte_rate_take(&r, 100 * SECOND, 1000), 0);
	ck_assert_uint_eq(byte_rate_take(&r, 100 * SECOND, 1000), SECOND);
	ck_assert_uint_eq(byte_rate_take(&r, 1000 * SECOND, 1000), 0);
	ck_assert_uint_eq(byte_rate_take(&r, 1000 * SECOND, 500), SECOND / 2);
	r.bytes_s = 0;
	ck_assert_uint_eq(byte_rate_take(&r, 1000 * SECOND, UINT64_MAX), 0);
	r.bytes_s = UINT64_MAX;
	ck_assert_uint_eq(byte_rate_take(&r, 1000 * SECOND, UINT64_MAX), 0);
}
END_TEST

START_TEST(two_directions)
{
	struct bandwidth b = { { 1000, 0 }, { 100, 0 } };

	ck_assert_uint_eq(bandwidth_take(&b, SECOND, 1000, 100), 0);
	ck_assert_uint_eq(bandwidth_take(&b, SECOND, 1000, 200), 2 * SECOND);
	ck_assert_uint_eq(bandwidth_take(&b, SECOND, 3000, 0), 4 * SECOND);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/bandwidth");

	suite_add(s, "rate", 0, rates_hold, rest_saves_a_second, two_directions, NULL);
	return suite_main(s);
}
