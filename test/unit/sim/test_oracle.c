/* The true closest against a sort of everybody. */
#include "test/unit/suite.h"

#include <stdlib.h>

#include "dht/distance.h"
#include "sim/oracle.h"
#include "sim/random.h"

#define MEMBERS 500
#define K       20

static struct id target;

static int
by_distance(const void *a, const void *b)
{
	return id_compare_distance(
	    &target, &((const struct oracle_entry *)a)->id, &((const struct oracle_entry *)b)->id);
}

static void
draw(struct sim_random *r, struct oracle_entry *e, uint32_t member)
{
	sim_random_bytes(r, e->id.b, sizeof(e->id.b));
	if (member % 4 == 0) /* some lie close together, as ground ids do */
		memset(e->id.b, 0x5a, 3);
	e->member = member;
}

static void
compare(struct oracle *o, const struct oracle_entry *all, size_t count, uint32_t except)
{
	struct oracle_entry found[K], sorted[MEMBERS];
	size_t n = oracle_closest(o, &target, except, found, K), j = 0;

	memcpy(sorted, all, count * sizeof(*all));
	qsort(sorted, count, sizeof(*sorted), by_distance);
	for (size_t i = 0; i < n; i++, j++) {
		if (sorted[j].member == except)
			j++;
		ck_assert_uint_eq(found[i].member, sorted[j].member);
	}
	ck_assert_uint_eq(n, MIN((size_t)K, count - (except != UINT32_MAX && count > 0)));
}

START_TEST(closest_are_those_of_a_full_sort)
{
	struct oracle_entry all[MEMBERS];
	struct oracle o = { 0 };
	struct sim_random r;

	sim_random_init(&r, 3, 0);
	for (uint32_t i = 0; i < MEMBERS; i++) {
		draw(&r, &all[i], i);
		oracle_add(&o, &all[i].id, i);
		sim_random_bytes(&r, target.b, sizeof(target.b));
		if (i % 3 == 0)
			memset(target.b, 0x5a, 3);
		compare(&o, all, i + 1, i % 2 == 0 ? UINT32_MAX : i / 2);
	}
	for (uint32_t i = MEMBERS - 1; i > 10; i--) {
		oracle_remove(&o, &all[i].id);
		oracle_remove(&o, &all[i].id); /* is not there any more */
		compare(&o, all, i, UINT32_MAX);
	}
	oracle_fini(&o);
}
END_TEST

START_TEST(ranges_hold_those_that_part_at_a_bit)
{
	struct oracle_entry all[MEMBERS];
	struct oracle o = { 0 };
	struct sim_random r;

	sim_random_init(&r, 4, 0);
	for (uint32_t i = 0; i < MEMBERS; i++)
		draw(&r, &all[i], i);
	oracle_fill(&o, all, MEMBERS);
	for (unsigned bits = 0; bits < 40; bits++) {
		size_t from, to, count = 0;

		oracle_range(&o, &all[8].id, bits, &from, &to);
		for (size_t i = 0; i < MEMBERS; i++)
			count += top_shared_bits(id_top(&all[8].id), id_top(&all[i].id)) == bits;
		ck_assert_uint_eq(to - from, count);
		for (size_t i = from; i < to; i++)
			ck_assert_uint_eq(
			    top_shared_bits(id_top(&all[8].id), id_top(&o.at[i].id)), bits);
	}
	oracle_fini(&o);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/oracle");

	suite_add(s, "oracle", 10, closest_are_those_of_a_full_sort,
	    ranges_hold_those_that_part_at_a_bit, NULL);
	return suite_main(s);
}
