/* Histograms against sorted arrays of the same values. */
#include "test/unit/suite.h"

#include <stdlib.h>

#include "sim/histogram.h"
#include "sim/random.h"

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

START_TEST(percentiles_are_off_by_a_bucket_at_most)
{
	static uint64_t values[5000];
	struct histogram *h = calloc(1, sizeof(*h));
	struct sim_random random;

	ck_assert_ptr_nonnull(h);
	sim_random_init(&random, 11, 0);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		values[i] = sim_random_u64(&random) >> (16 + sim_random_below(&random, 48));
		histogram_add(h, values[i]);
	}
	qsort(values, ARRAY_LEN(values), sizeof(*values), compare);
	for (uint32_t percent = 1; percent <= 100; percent++) {
		uint64_t right = values[ARRAY_LEN(values) * percent / 100 - 1];
		uint64_t said = histogram_percentile(h, percent * 10000);

		ck_assert_uint_le(said, right);
		ck_assert_uint_ge(said, right - right / 32);
	}
	ck_assert_uint_eq(h->max, values[ARRAY_LEN(values) - 1]);
	ck_assert_uint_eq(histogram_between(h, 0, UINT64_MAX), ARRAY_LEN(values));
	free(h);
}
END_TEST

START_TEST(small_counts_are_exact_and_sums_merge)
{
	struct histogram *a = calloc(1, sizeof(*a)), *b = calloc(1, sizeof(*b));

	ck_assert(a != NULL && b != NULL);
	ck_assert_uint_eq(histogram_percentile(a, 500000), 0);
	for (uint64_t i = 1; i <= 50; i++)
		histogram_add(i % 2 == 0 ? a : b, i);
	histogram_merge(a, b);
	ck_assert_uint_eq(a->count, 50);
	ck_assert_uint_eq(histogram_percentile(a, 500000), 25);
	ck_assert_uint_eq(histogram_percentile(a, 1000000), 50);
	ck_assert_uint_eq(histogram_mean(a), 25);
	ck_assert_uint_eq(histogram_between(a, 10, 20), 10);
	histogram_add(a, UINT64_MAX); /* beyond the last bucket: kept in it */
	ck_assert_uint_eq(a->max, UINT64_MAX);
	free(a);
	free(b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/histogram");

	suite_add(s, "histogram", 0, percentiles_are_off_by_a_bucket_at_most,
	    small_counts_are_exact_and_sums_merge, NULL);
	return suite_main(s);
}
