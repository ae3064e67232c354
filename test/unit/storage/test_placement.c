/* Placement: hard rules always hold, spread where it can, with random networks. */
#include "storage/placement.h"

#include "test/unit/suite.h"

static uint64_t
next(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t
below(void *arg, uint64_t bound)
{
	return next(arg) % bound;
}

static const char countries[][3] = { "DE", "FR", "US", "JP", "BR" };

static void
make_candidates(struct candidate *c, size_t count, uint64_t *seed)
{
	memset(c, 0, count * sizeof(*c));
	for (size_t i = 0; i < count; i++) {
		size_t country = next(seed) % ARRAY_LEN(countries);

		c[i].contact.id.b[0] = (uint8_t)i;
		c[i].operator_key.b[0] = (uint8_t)(next(seed) % (count / 2 + 1));
		memcpy(c[i].country, countries[country], 2);
		strcpy(c[i].region, country < 2 ? "eu" : country == 2 ? "us" : "other");
		c[i].network = next(seed) % count;
		c[i].free_bytes = next(seed) % 1000;
		c[i].srtt = next(seed) % 100;
	}
}

static void
check_rules(const struct candidate *c, size_t count, const struct constraints *r)
{
	for (size_t i = 0; i < count; i++) {
		const char *why = "";

		if (c[i].taken)
			ck_assert_msg(placement_allows(c, count, i, r, &why), "%s", why);
	}
}

START_TEST(rules_hold_in_random_networks)
{
	struct candidate c[60];
	uint64_t seed = 5;
	struct placement_random rnd = { below, &seed };

	for (int round = 0; round < 400; round++) {
		size_t count = 1 + next(&seed) % ARRAY_LEN(c), chosen[ARRAY_LEN(c)], got = 0;
		size_t want = 1 + next(&seed) % 20;
		struct constraints r = {
			.repair_at = 1,
			.regions_min = (uint8_t)(next(&seed) % 4),
			.per_country_max = (uint8_t)(next(&seed) % 4),
			.per_operator_max = (uint8_t)(next(&seed) % 3),
			.per_network_max = (uint8_t)(next(&seed) % 3),
		};
		struct placement_report report;

		make_candidates(c, count, &seed);
		if (placement_choose(c, count, &r, 100, want, &rnd, chosen, &got) != ERR_OK)
			continue;
		ck_assert_uint_le(got, want);
		for (size_t i = 0; i < got; i++) {
			ck_assert_uint_lt(chosen[i], count);
			ck_assert(!c[chosen[i]].taken); /* no node twice */
			ck_assert_uint_ge(c[chosen[i]].free_bytes, 100);
			c[chosen[i]].taken = true;
		}
		check_rules(c, count, &r);
		placement_report(c, count, &report);
		ck_assert_uint_eq(report.shards, got);
		ck_assert_uint_ge(report.regions, r.regions_min);
		if (r.per_country_max > 0)
			ck_assert_uint_le(report.most_in_country, r.per_country_max);
	}
}
END_TEST

/* A whole sample of candidates, none of which is among the many who hold a shard already. */
START_TEST(as_many_as_there_may_be)
{
	struct candidate *c = calloc(PLACED_MAX, sizeof(*c));
	uint64_t seed = 6;
	struct placement_random rnd = { below, &seed };
	struct constraints r = { .repair_at = 1, .per_country_max = SHARDS_MAX };
	struct placement_report report;
	size_t chosen, got;

	ck_assert_ptr_nonnull(c);
	for (size_t i = 0; i < PLACED_MAX; i++) {
		c[i].taken = i >= CANDIDATES_MAX;
		c[i].free_bytes = 1000;
		memcpy(c[i].country, "DE", 2);
	}
	ck_assert_int_eq(
	    placement_choose(c, PLACED_MAX, &r, 100, 1, &rnd, &chosen, &got), ERR_PLACEMENT);
	/* One of them elsewhere leaves one place. */
	memcpy(c[PLACED_MAX - 1].country, "FR", 2);
	ck_assert_int_eq(placement_choose(c, PLACED_MAX, &r, 100, 1, &rnd, &chosen, &got), ERR_OK);
	ck_assert_uint_lt(chosen, CANDIDATES_MAX);
	ck_assert(placement_allows(c, PLACED_MAX, chosen, &r, NULL));
	c[chosen].taken = true;
	placement_report(c, PLACED_MAX, &report);
	ck_assert_uint_eq(report.shards, SHARDS_MAX + 1);
	ck_assert_uint_eq(report.most_in_country, SHARDS_MAX);
	free(c);
}
END_TEST

START_TEST(spreads_without_rules)
{
	struct candidate c[16];
	size_t chosen[8], got;
	uint64_t seed = 9;
	struct placement_random rnd = { below, &seed };
	struct placement_report report;

	memset(c, 0, sizeof(c));
	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		c[i].operator_key.b[0] = (uint8_t)(i / 2); /* eight operators with two nodes each */
		memcpy(c[i].country, countries[i % 4], 2);
		c[i].network = i;
		c[i].free_bytes = 1000;
	}
	ck_assert_int_eq(placement_choose(c, 16, &(struct constraints){ .repair_at = 1 }, 1, 8,
			     &rnd, chosen, &got),
	    ERR_OK);
	ck_assert_uint_eq(got, 8);
	for (size_t i = 0; i < got; i++)
		c[chosen[i]].taken = true;
	placement_report(c, 16, &report);
	ck_assert_uint_eq(report.operators, 8);
	ck_assert_uint_eq(report.countries, 4);
}
END_TEST

START_TEST(unknown_country_is_never_allowed)
{
	struct candidate c[1] = { { .free_bytes = 10 } };
	size_t chosen[1], got;
	uint64_t seed = 1;
	struct placement_random rnd = { below, &seed };
	struct constraints allow = { .repair_at = 1, .countries_count = 1, .countries = { "DE" } };
	struct constraints forbid = allow;

	forbid.countries_forbidden = true;
	ck_assert_int_eq(placement_choose(c, 1, &allow, 1, 1, &rnd, chosen, &got), ERR_PLACEMENT);
	ck_assert_int_eq(placement_choose(c, 1, &forbid, 1, 1, &rnd, chosen, &got), ERR_PLACEMENT);
	memcpy(c[0].country, "FR", 2);
	ck_assert_int_eq(placement_choose(c, 1, &forbid, 1, 1, &rnd, chosen, &got), ERR_OK);
	ck_assert_int_eq(placement_choose(c, 1, &allow, 1, 1, &rnd, chosen, &got), ERR_PLACEMENT);
}
END_TEST

START_TEST(prefers_room_and_avoids_blamed)
{
	struct candidate c[2] = { { .free_bytes = 100, .blames = 1 }, { .free_bytes = 100 } };
	size_t chosen[2], got, hits = 0;
	uint64_t seed = 3;
	struct placement_random rnd = { below, &seed };

	c[1].contact.id.b[0] = 1;
	c[1].operator_key.b[0] = 1;
	c[1].network = 1;
	for (int i = 0; i < 200; i++) {
		ck_assert_int_eq(placement_choose(c, 2, &(struct constraints){ .repair_at = 1 }, 1,
				     1, &rnd, chosen, &got),
		    ERR_OK);
		hits += chosen[0] == 1;
	}
	/* Both draws fall on the blamed one in a quarter of the rounds. */
	ck_assert_uint_gt(hits, 120);
}
END_TEST

START_TEST(warns_of_who_can_stop_it)
{
	struct placement_report r = { .shards = 8,
		.most_in_country = 5,
		.country = "DE",
		.most_in_operator = 1,
		.most_in_network = 1 };
	char text[128];

	ck_assert_str_eq(placement_warning(&r, 4, 8, text, sizeof(text)),
	    "one country can stop this file (DE holds 5 of 8 shards)");
	r.most_in_country = 4;
	ck_assert_str_eq(placement_warning(&r, 4, 8, text, sizeof(text)), "");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/placement");

	suite_add(s, "placement", 20, rules_hold_in_random_networks, as_many_as_there_may_be,
	    spreads_without_rules, unknown_country_is_never_allowed, prefers_room_and_avoids_blamed,
	    warns_of_who_can_stop_it, NULL);
	return suite_main(s);
}
