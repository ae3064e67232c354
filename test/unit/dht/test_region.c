/*
 * Regions on made-up networks of known size, with ids ground beside the key.
 */
#include "dht/region.h"

#include <stdio.h>
#include <stdlib.h>

#include "dht/distance.h"
#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "test/unit/dht/nodes.h"
#include "test/unit/suite.h"

#define K 20

START_TEST(regions_hold_the_expected)
{
	struct dice d = { 22 };
	struct region r;
	struct id key;
	size_t inside = 0;

	dice_bytes(&d, key.b, sizeof(key.b));
	region_of(&key, 15, K, &r);
	ck_assert_uint_eq(r.radius, UINT64_MAX);
	ck_assert_uint_eq(r.bits, 0);
	region_of(&key, 10000, K, &r);
	for (size_t i = 0; i < 10000; i++) {
		struct contact c = node_random(&d);

		if (!region_holds(&r, &c.id))
			continue;
		inside++;
		ck_assert(id_has_prefix(&c.id, &key, r.bits));
	}
	ck_assert_uint_ge(inside, 8);
	ck_assert_uint_le(inside, 36);
	ck_assert_uint_eq(r.bits, 8); /* 20/10000 lies between 2^-9 and 2^-8 */
}
END_TEST

static int
by_distance(const void *a, const void *b, void *key)
{
	const struct contact *x = a, *y = b;

	return id_compare_distance(key, &x->id, &y->id);
}

START_TEST(ground_ids_push_nobody_out)
{
	static struct contact nodes[REGION_NODES_MAX];
	struct dice d = { 23 };
	struct region r;
	struct id key;
	uint16_t chosen[60];
	size_t n, honest = 0;

	dice_bytes(&d, key.b, sizeof(key.b));
	region_of(&key, 1000, K, &r);
	for (size_t i = 0; i < 100; i++) {
		nodes[i] = node_random(&d);
		/* 70 right beside the key from one network, 30 anywhere in the region */
		id_with_prefix(&nodes[i].id, &key, i < 70 ? 40 : r.bits + 1, &nodes[i].id);
		if (i < 70)
			memset(nodes[i].addr.ip, 9, 3);
	}
	qsort_r(nodes, 100, sizeof(*nodes), by_distance, &key);
	n = region_choose(&r, nodes, 100, 20, ARRAY_LEN(chosen), chosen);
	ck_assert_uint_eq(n, 60);
	for (size_t i = 0; i < n; i++) {
		ck_assert(i == 0 || chosen[i - 1] < chosen[i]);
		honest += !id_has_prefix(&nodes[chosen[i]].id, &key, 40);
	}
	printf("%zu of 30 honest chosen\n", honest);
	ck_assert_uint_ge(honest, 25);
	/* All that fit are taken. */
	n = region_choose(&r, nodes, 50, 20, ARRAY_LEN(chosen), chosen);
	ck_assert_uint_eq(n, 50);
	ck_assert_uint_eq(region_choose(&r, nodes, 0, 20, ARRAY_LEN(chosen), chosen), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht/region");

	must(crypto_init() == ERR_OK);
	suite_add(s, "region", 20, regions_hold_the_expected, ground_ids_push_nobody_out, NULL);
	return suite_main(s);
}
