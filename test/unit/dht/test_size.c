/*
 * The size estimate on made-up networks of known size.
 */
#include "dht/size.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/unit/dht/nodes.h"
#include "test/unit/suite.h"

#define K 20

static int
compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The distance of the k-th closest of n random ids to a random target. */
static uint64_t
kth(struct dice *d, uint64_t *scratch, size_t n, size_t k)
{
	uint64_t target = dice_roll(d);

	for (size_t i = 0; i < n; i++)
		scratch[i] = dice_roll(d) ^ target;
	qsort(scratch, n, sizeof(*scratch), compare_u64);
	return scratch[k - 1];
}

START_TEST(median_is_near_the_truth)
{
	static const size_t sizes[] = { 40, 300, 5000 }, wants[] = { K, K / 2 };
	static uint64_t scratch[5000];
	struct dice d = { 21 };

	for (size_t i = 0; i < ARRAY_LEN(sizes) * ARRAY_LEN(wants); i++) {
		size_t nodes = sizes[i / 2], want = wants[i % 2];
		struct size s;
		uint64_t e;

		size_init(&s, 1);
		ck_assert_uint_eq(size_estimate(&s, SECONDS(1)), 0);
		for (size_t j = 0; j < SIZE_SAMPLES; j++)
			size_sample(&s, want, want, kth(&d, scratch, nodes, want), SECONDS(j));
		e = size_estimate(&s, SECONDS(60));
		printf("%zu nodes by %zu: estimate %llu\n", nodes, want, (unsigned long long)e);
		ck_assert_uint_ge(e, nodes * 7 / 10);
		ck_assert_uint_le(e, nodes * 14 / 10);
	}
}
END_TEST

START_TEST(small_networks_are_counted)
{
	struct size s;

	size_init(&s, 1);
	for (size_t i = 0; i < 5; i++)
		size_sample(&s, 7, K, UINT64_MAX / 2, SECONDS(i));
	ck_assert_uint_eq(size_estimate(&s, SECONDS(9)), 7);
	ck_assert_uint_eq(size_from_distance(0, 0), 0);
	ck_assert_uint_eq(size_from_distance(1, 5), 1);
	ck_assert_uint_gt(size_from_distance(K, 0), UINT64_C(1) << 61);
}
END_TEST

START_TEST(a_burst_moves_it_twofold_a_day)
{
	struct size s;
	uint64_t one = UINT64_MAX / 1000 * (K - 1); /* as of 1000 nodes */

	size_init(&s, 1);
	for (size_t i = 0; i < SIZE_SAMPLES; i++)
		size_sample(&s, K, K, one, SECONDS(i));
	ck_assert_uint_eq(size_estimate(&s, HOURS(1)), 1000);
	for (size_t i = 0; i < SIZE_SAMPLES; i++)
		size_sample(&s, K, K, one / 100, HOURS(1) + SECONDS(i));
	ck_assert_uint_eq(size_estimate(&s, HOURS(2)), 2000);
	/* What is really there shows in the end. */
	for (size_t day = 1; day < 12; day++)
		for (size_t i = 0; i < SIZE_SAMPLES; i++)
			size_sample(&s, K, K, one / 100, DAYS(day) + HOURS(2) + SECONDS(i));
	ck_assert_uint_ge(size_estimate(&s, DAYS(12)), 99000);
	ck_assert_uint_le(size_estimate(&s, DAYS(12)), 101000);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht/size");

	suite_add(s, "size", 20, median_is_near_the_truth, small_networks_are_counted,
	    a_burst_moves_it_twofold_a_day, NULL);
	return suite_main(s);
}
