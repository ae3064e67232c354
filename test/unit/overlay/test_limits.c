/* Token buckets against a naive one; the table: bounds, growth, what is forgotten. */
#include "test/unit/suite.h"

#include "overlay/limits.h"

static uint64_t
next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static struct seeded
seed_of(uint64_t n)
{
	struct seeded s;

	for (size_t i = 0; i < ARRAY_LEN(s.k); i++)
		s.k[i] = next(&n);
	return s;
}

/* A bucket as one would write it first: a level that is refilled before each use. */
struct naive {
	uint64_t level; /* in ns of refill: interval is one token */
	uint64_t at;
};

static bool
naive_take(struct naive *n, const struct rate *r, uint64_t now)
{
	uint64_t full = r->interval * r->burst;

	n->level = MIN(full, n->level + (now - n->at));
	n->at = now;
	if (n->level < r->interval)
		return false;
	n->level -= r->interval;
	return true;
}

START_TEST(rate_is_the_naive_bucket)
{
	uint64_t rnd = 7;

	for (int round = 0; round < 200; round++) {
		struct rate r = { .interval = 1 + next(&rnd) % 1000,
			.burst = 1 + (uint32_t)(next(&rnd) % 20) };
		struct naive n = { .level = r.interval * r.burst };
		uint64_t full_at = 0, now = 1;

		n.at = now;
		for (int i = 0; i < 500; i++) {
			now += next(&rnd) % (2 * r.interval);
			if (next(&rnd) % 50 == 0)
				now += 30 * r.interval;
			ck_assert_int_eq(rate_take(&full_at, &r, now), naive_take(&n, &r, now));
		}
	}
}
END_TEST

static struct addr
ipv4(uint32_t ip, uint16_t port)
{
	struct addr a = { .family = ADDR_IPV4, .port = port };

	for (int i = 0; i < 4; i++)
		a.ip[i] = (uint8_t)(ip >> (24 - 8 * i));
	return a;
}

START_TEST(table_counts_by_network)
{
	struct rate r = { .interval = SECONDS(1), .burst = 2 };
	struct seeded seed = seed_of(3);
	struct limits l;
	struct addr a = ipv4(0x0a000001, 1), b = ipv4(0x0a0000ff, 2), c = ipv4(0x0a000101, 1);
	struct addr six = { .family = ADDR_IPV6, .ip = { 0x20, 1, 2, 3, 4, 5, 6, 7, 8 } };
	struct addr six_near = six, six_far = six;

	six_near.ip[8] = 99;
	six_far.ip[7] = 99;
	limits_init(&l, &r, &seed, false);
	ck_assert_uint_eq(limits_bytes(&l), 0);
	ck_assert(limits_take(&l, &a, 1000));
	ck_assert(limits_take(&l, &b, 1000));
	ck_assert(!limits_take(&l, &a, 1000));
	ck_assert(limits_take(&l, &c, 1000));
	ck_assert(limits_take(&l, &a, 1000 + SECONDS(1)));
	ck_assert(limits_take(&l, &six, 1000));
	ck_assert(limits_take(&l, &six_near, 1000));
	ck_assert(!limits_take(&l, &six, 1000));
	ck_assert(limits_take(&l, &six_far, 1000));
	limits_fini(&l);

	limits_init(&l, &r, &seed, true);
	ck_assert(limits_take(&l, &a, 1000) && limits_take(&l, &a, 1000));
	ck_assert(!limits_take(&l, &a, 1000));
	ck_assert(limits_take(&l, &b, 1000));
	limits_fini(&l);
}
END_TEST

#define NETWORKS 300

/* As long as there is room, the table says what one naive bucket per network says. */
START_TEST(table_is_the_naive_model_while_it_fits)
{
	struct rate r = { .interval = MILLISECONDS(10), .burst = 5 };
	struct seeded seed = seed_of(11);
	struct naive naive[NETWORKS];
	struct limits l;
	uint64_t rnd = 99, now = SECONDS(1);

	for (size_t i = 0; i < NETWORKS; i++)
		naive[i] = (struct naive){ .level = r.interval * r.burst, .at = now };
	limits_init(&l, &r, &seed, false);
	for (int i = 0; i < 100000; i++) {
		uint32_t net = (uint32_t)(next(&rnd) % NETWORKS);
		struct addr a = ipv4(net << 8 | (uint32_t)(next(&rnd) % 256), 1);

		now += next(&rnd) % MICROSECONDS(100);
		ck_assert_int_eq(limits_take(&l, &a, now), naive_take(&naive[net], &r, now));
	}
	ck_assert_uint_le(limits_bytes(&l), LIMITS_NETWORKS_MAX * 32);
	limits_fini(&l);
}
END_TEST

START_TEST(table_stays_bounded)
{
	struct rate r = { .interval = HOURS(1), .burst = 1 };
	struct seeded seed = seed_of(5);
	struct limits l;

	limits_init(&l, &r, &seed, false);
	for (uint32_t i = 0; i < 100000; i++) {
		struct addr a = ipv4(i << 8, 1);

		ck_assert(limits_take(&l, &a, SECONDS(1)));
	}
	ck_assert_uint_eq(limits_bytes(&l), LIMITS_NETWORKS_MAX * 32);
	limits_fini(&l);
}
END_TEST

START_TEST(idle_table_stays_small)
{
	struct rate r = { .interval = 1, .burst = 1 };
	struct seeded seed = seed_of(6);
	struct limits l;

	limits_init(&l, &r, &seed, false);
	for (uint32_t i = 0; i < 10000; i++) {
		struct addr a = ipv4(i << 8, 1);

		ck_assert(limits_take(&l, &a, SECONDS(1 + i)));
	}
	ck_assert_uint_le(limits_bytes(&l), 512);
	limits_fini(&l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/limits");

	suite_add(s, "rate", 0, rate_is_the_naive_bucket, NULL);
	suite_add(s, "table", 0, table_counts_by_network, table_is_the_naive_model_while_it_fits,
	    table_stays_bounded, idle_table_stays_small, NULL);
	return suite_main(s);
}
