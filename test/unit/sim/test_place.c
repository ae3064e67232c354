/* Places and addresses: stable by network, skewed as the world is, selectable. */
#include "test/unit/suite.h"

#include "sim/sim.h"

START_TEST(addresses_share_a_network_or_not)
{
	struct addr a = sim_addr(7, 1), b = sim_addr_in(7, 1, 1), c = sim_addr_in(7, 254, 1);
	struct addr d = sim_addr(8, 1), v6 = { .family = ADDR_IPV6 }, near6 = v6, far6 = v6;

	ck_assert_mem_eq(a.ip, b.ip, sizeof(a.ip));
	ck_assert_mem_ne(a.ip, c.ip, sizeof(a.ip));
	ck_assert(sim_addr_same_net(&a, &c));
	ck_assert(!sim_addr_same_net(&a, &d));
	near6.ip[6] = 1;
	far6.ip[5] = 1;
	ck_assert(sim_addr_same_net(&v6, &near6));
	ck_assert(!sim_addr_same_net(&v6, &far6));
	ck_assert(!sim_addr_same_net(&v6, &a));
}
END_TEST

START_TEST(places_follow_from_seed_and_network)
{
	unsigned regions[SIM_REGIONS] = { 0 }, de = 0, largest = 0, smallest = 0, differ = 0;

	for (uint32_t i = 0; i < 20000; i++) {
		struct sim_place a = { 0 }, b = { 0 }, other = { 0 };
		struct addr ip = sim_addr(i, 0), neighbour = sim_addr_in(i, 9, 0);

		sim_place_draw(&a, true, 3, &ip);
		sim_place_draw(&b, true, 3, &neighbour);
		sim_place_draw(&other, true, 4, &ip);
		ck_assert_uint_eq(a.region, b.region);
		ck_assert_str_eq(a.country, b.country);
		ck_assert_uint_eq(a.as_number, b.as_number);
		differ += a.as_number != other.as_number;
		regions[a.region]++;
		if (strcmp(a.country, "DE") != 0)
			continue;
		de++;
		largest += a.as_number == sim_as_number("DE", 0);
		smallest += a.as_number == sim_as_number("DE", SIM_AS_PER_COUNTRY - 1);
	}
	ck_assert_uint_gt(differ, 18000);
	for (unsigned i = 0; i < SIM_REGIONS; i++)
		ck_assert_uint_gt(regions[i], 20000 / 25);
	/* 38 % · 25 %; of them 33 % and 2.2 % */
	ck_assert_uint_ge(de, 1900 - 150);
	ck_assert_uint_le(de, 1900 + 150);
	ck_assert_uint_ge(largest * 100, de * 29);
	ck_assert_uint_le(largest * 100, de * 37);
	ck_assert_uint_ge(smallest, 15);
	ck_assert_uint_le(smallest, 80);
}
END_TEST

START_TEST(given_parts_stay_and_the_rest_fits)
{
	struct addr ip = sim_addr(1, 0);
	struct sim_place p = { .region = 5 };

	sim_place_draw(&p, false, 1, &ip);
	ck_assert_uint_eq(p.region, 5);
	ck_assert(strcmp(p.country, "AU") == 0 || strcmp(p.country, "NZ") == 0);
	ck_assert_int_eq(sim_place_zone(&p), strcmp(p.country, "AU") == 0 ? 600 : 720);
	p = (struct sim_place){ .region = 2, .country = "US" };
	sim_place_draw(&p, false, 1, &ip);
	ck_assert_uint_ge(p.as_number, sim_as_number("US", 0));
	ck_assert_uint_le(p.as_number, sim_as_number("US", SIM_AS_PER_COUNTRY - 1));
	ck_assert_int_eq(sim_place_zone(&p), -480);
	p.region = 1;
	ck_assert_int_eq(sim_place_zone(&p), -300);
	p = (struct sim_place){ .region = 0, .country = "CH", .as_number = 559 };
	sim_place_draw(&p, false, 1, &ip);
	ck_assert_str_eq(p.country, "CH");
	ck_assert_uint_eq(p.as_number, 559);
	ck_assert_int_eq(sim_place_zone(&p), 60);
}
END_TEST

START_TEST(scopes_hold_what_they_name)
{
	struct addr ip = sim_addr(1, 0);
	struct sim_place p = { .region = 4, .country = "JP", .as_number = 77 };
	struct sim_scope net = { SIM_SCOPE_NET, .net = sim_addr_in(1, 50, 0) };
	struct sim_scope as = { SIM_SCOPE_AS, .as_number = 77 };
	struct sim_scope country = { SIM_SCOPE_COUNTRY, .country = "JP" };
	struct sim_scope region = { SIM_SCOPE_REGION, .region = 4 };

	ck_assert(sim_scope_holds(&net, &ip, &p));
	ck_assert(sim_scope_holds(&as, &ip, &p));
	ck_assert(sim_scope_holds(&country, &ip, &p));
	ck_assert(sim_scope_holds(&region, &ip, &p));
	ip = sim_addr(2, 0);
	p = (struct sim_place){ .region = 3, .country = "JO", .as_number = 78 };
	ck_assert(!sim_scope_holds(&net, &ip, &p));
	ck_assert(!sim_scope_holds(&as, &ip, &p));
	ck_assert(!sim_scope_holds(&country, &ip, &p));
	ck_assert(!sim_scope_holds(&region, &ip, &p));
}
END_TEST

START_TEST(a_node_that_comes_back_has_its_place)
{
	struct sim_world *w = sim_new(&(struct sim_opts){ .seed = 3, .regions = true });
	struct sim_place first[30];

	for (int round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < ARRAY_LEN(first); i++) {
			struct env *env = sim_node_add(
			    w, &(struct sim_node_opts){ .ip = sim_addr(i, 0), .region = -1 });
			const struct sim_place *p = sim_node_place(env);

			if (round == 0)
				first[i] = *p;
			ck_assert_uint_eq(p->access_ns, first[i].access_ns);
			ck_assert_uint_eq(p->region, first[i].region);
			ck_assert_uint_eq(p->as_number, first[i].as_number);
			sim_node_remove(env);
		}
	}
	sim_free(w);
}
END_TEST

START_TEST(bandwidths_are_spread)
{
	unsigned fast_up = 0;
	struct sim_random r;

	sim_random_init(&r, 1, 1);
	for (int i = 0; i < 4000; i++) {
		uint64_t up, down;

		sim_draw_bandwidth(&r, &up, &down);
		ck_assert_uint_ge(up, 125000);
		ck_assert_uint_le(up, down);
		ck_assert_uint_le(down, 125000000);
		fast_up += up >= 12500000;
	}
	/* 6 of 16 subscriptions send 100 Mbit/s or more. */
	ck_assert_uint_ge(fast_up, 1400);
	ck_assert_uint_le(fast_up, 1600);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/place");

	suite_add(s, "place", 0, addresses_share_a_network_or_not,
	    places_follow_from_seed_and_network, given_parts_stay_and_the_rest_fits,
	    scopes_hold_what_they_name, a_node_that_comes_back_has_its_place, bandwidths_are_spread,
	    NULL);
	return suite_main(s);
}
