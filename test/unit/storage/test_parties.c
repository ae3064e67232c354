/* Who could stop what, against counting it the slow way; and rates of the last minute. */
#include "storage/parties.h"

#include <stdlib.h>

#include "storage/meter.h"
#include "test/unit/suite.h"

#define OPERATORS 5
#define NETWORKS  4
#define COUNTRIES 4 /* the first is none */
#define HOLDERS   12

static uint64_t seed;

static uint32_t
random_below(uint32_t bound)
{
	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % bound;
}

/* A party's number within its kind; 0 of countries and networks: not known. */
static uint32_t
number(enum party_kind kind, const struct traits *t)
{
	switch (kind) {
	case PARTY_OPERATOR:
		return t->operator_key.b[0];
	case PARTY_NETWORK:
		return (uint32_t)t->network;
	default:
		return t->country[0] == '\0' ? 0 : (uint32_t)(t->country[0] - 'A') + 1;
	}
}

/* Takes the party's holders away and counts which shards are left. */
static bool
stops(enum party_kind kind, uint32_t who, const struct holding *h, size_t count, uint8_t k)
{
	uint32_t all = 0, left = 0;

	for (uint32_t index = 0; index < 256; index++) {
		bool live = false, elsewhere = false;

		for (size_t i = 0; i < count; i++) {
			live |= h[i].index == index;
			elsewhere |= h[i].index == index && number(kind, &h[i].who) != who;
		}
		all += live;
		left += elsewhere;
	}
	return all >= k && left < k;
}

START_TEST(as_the_slow_way_counts)
{
	for (int round = 0; round < 200; round++) {
		uint64_t stopped[PARTY_KINDS] = { 0 }, by_party[PARTY_KINDS][8] = { { 0 } };
		struct parties *p = parties_new();
		struct parties_sum sum;

		ck_assert_ptr_nonnull(p);
		seed = (uint64_t)round + 1;
		for (int chunk = 0; chunk < 10; chunk++) {
			struct holding h[HOLDERS];
			size_t count = 1 + random_below(HOLDERS);
			uint8_t k = (uint8_t)(1 + random_below(6));

			memset(h, 0, sizeof(h));
			for (size_t i = 0; i < count; i++) {
				uint32_t country = random_below(COUNTRIES);

				h[i].index = (uint8_t)random_below(10); /* some twice */
				h[i].who.operator_key.b[0] = (uint8_t)random_below(OPERATORS);
				h[i].who.network = random_below(NETWORKS);
				if (country > 0)
					h[i].who.country[0] = h[i].who.country[1] =
					    (char)('A' + country - 1);
			}
			parties_add(p, h, count, k);
			for (enum party_kind kind = 0; kind < PARTY_KINDS; kind++) {
				bool any = false;

				for (uint32_t who = kind == PARTY_OPERATOR ? 0 : 1; who < 8;
				     who++) {
					bool one = stops(kind, who, h, count, k);

					by_party[kind][who] += one;
					any |= one;
				}
				stopped[kind] += any;
			}
		}
		parties_sum(p, &sum);
		ck_assert_uint_eq(sum.chunks, 10);
		for (enum party_kind kind = 0; kind < PARTY_KINDS; kind++) {
			uint64_t most = 0;

			for (size_t who = 0; who < 8; who++)
				most = MAX(most, by_party[kind][who]);
			ck_assert_uint_eq(sum.stopped[kind], stopped[kind]);
			ck_assert_uint_eq(sum.worst_stops[kind], most);
			if (most > 0)
				ck_assert_uint_eq(
				    by_party[kind][number(kind, &sum.worst[kind].who)], most);
		}
		parties_clear(p);
		parties_sum(p, &sum);
		ck_assert_uint_eq(sum.chunks + sum.stopped[0] + sum.worst_stops[0], 0);
		parties_free(p);
	}
}
END_TEST

/* More parties than are named: all chunks are counted, nobody is named who was not there. */
START_TEST(more_parties_than_names)
{
	struct parties *p = parties_new();
	struct holding h = { .index = 0 };
	struct parties_sum sum;

	for (int i = 0; i < 1000; i++) {
		h.who.operator_key.b[0] = (uint8_t)i;
		h.who.operator_key.b[1] = (uint8_t)(i >> 8);
		parties_add(p, &h, 1, 1);
	}
	parties_sum(p, &sum);
	ck_assert_uint_eq(sum.stopped[PARTY_OPERATOR], 1000);
	ck_assert_uint_eq(sum.stopped[PARTY_COUNTRY], 0);
	ck_assert_uint_eq(sum.worst_stops[PARTY_OPERATOR], 1);
	parties_free(p);
}
END_TEST

START_TEST(who_holds_enough)
{
	ck_assert(!party_stops(4, 8, 4));
	ck_assert(party_stops(5, 8, 4));
	ck_assert(party_stops(1, 4, 4));
	ck_assert(!party_stops(0, 4, 4));
	ck_assert(!party_stops(3, 3, 4)); /* nobody reads it anyway */
}
END_TEST

START_TEST(a_rate_forgets)
{
	uint64_t second = UINT64_C(1000000000), now = 1000 * second;
	struct meter m = { 0 };

	ck_assert_uint_eq(meter_rate(&m, now), 0);
	for (int i = 0; i < 600; i++, now += second / 10)
		meter_add(&m, now, 50);
	ck_assert_uint_ge(meter_rate(&m, now), 455); /* of 500; the oldest slot is gone */
	ck_assert_uint_le(meter_rate(&m, now), 500);
	ck_assert_uint_le(meter_rate(&m, now + 30 * second), 260);
	ck_assert_uint_eq(meter_rate(&m, now + 70 * second), 0);
	/* A very long pause, and a look does not change it. */
	meter_add(&m, now + 100000 * second, 6000);
	ck_assert_uint_eq(meter_rate(&m, now + 100000 * second), 100);
	ck_assert_uint_eq(meter_rate(&m, now + 100000 * second), 100);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/parties");

	suite_add(s, "parties", 20, as_the_slow_way_counts, more_parties_than_names,
	    who_holds_enough, a_rate_forgets, NULL);
	return suite_main(s);
}
