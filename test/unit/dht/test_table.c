/*
 * The routing table against a naive model: a plain list of everybody it ever took, with
 * the rules stated one by one, under random operations.
 */
#include "dht/table.h"

#include <stdio.h>

#include "dht/distance.h"
#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "test/unit/dht/nodes.h"
#include "test/unit/suite.h"

#define POOL  3000
#define STEPS 12000
#define VIEWS (TABLE_BUCKETS_MAX * TABLE_BUCKET_WIDE)

struct naive {
	struct contact pool[POOL];
	struct table_view views[VIEWS];
	bool live[POOL]; /* as of the last look */
	unsigned strikes[POOL];
	uint64_t checked_s[POOL]; /* heard, or failed */
	bool died[POOL];          /* reached TABLE_STRIKES_DEAD since the last look */
};

static struct naive naive; /* 400 KB: too large for a stack, one test at a time */

static struct table *
fresh_table(struct dice *d, struct contact *self, bool ip_limits)
{
	struct table *t;

	*self = node_random(d);
	t = table_new(&(struct table_opts){ .self = self->id, .ip_limits = ip_limits });
	ck_assert_ptr_nonnull(t);
	return t;
}

static size_t
dump(const struct table *t)
{
	struct id zero = { { 0 } };
	size_t n = table_near(t, &zero, UINT8_MAX, naive.views, VIEWS);

	ck_assert_uint_eq(n, table_count(t));
	return n;
}

static size_t
pool_index(const struct pubkey *pub)
{
	for (size_t i = 0; i < POOL; i++)
		if (pubkey_equal(&naive.pool[i].pub, pub))
			return i;
	ck_abort_msg("a contact nobody offered");
	return 0;
}

/* Order and completeness of table_near against a plain sort of everything. */
static void
check_near(const struct table *t, struct dice *d, size_t all)
{
	struct table_view near[25];
	struct id target;
	size_t n, better = 0;
	uint64_t worst;

	dice_bytes(d, target.b, sizeof(target.b));
	n = table_near(t, &target, UINT8_MAX, near, ARRAY_LEN(near));
	ck_assert_uint_eq(n, MIN(all, ARRAY_LEN(near)));
	for (size_t i = 1; i < n; i++)
		ck_assert((near[i - 1].top ^ id_top(&target)) < (near[i].top ^ id_top(&target)));
	worst = n == 0 ? 0 : near[n - 1].top ^ id_top(&target);
	for (size_t i = 0; i < all; i++)
		better += (naive.views[i].top ^ id_top(&target)) <= worst;
	if (n > 0)
		ck_assert_uint_eq(better, n);
}

static void
check_range(const struct table *t, struct dice *d, size_t all)
{
	struct table_view got[30];
	struct id prefix, after;
	unsigned bits = (unsigned)dice_below(d, 6);
	size_t expect = 0, n;

	dice_bytes(d, prefix.b, sizeof(prefix.b));
	dice_bytes(d, after.b, sizeof(after.b));
	for (size_t i = 0; i < all; i++) {
		struct contact c;

		table_contact(&naive.views[i], &c);
		expect += naive.views[i].strikes < TABLE_STRIKES_SILENT &&
			  id_has_prefix(&c.id, &prefix, bits) && id_compare(&c.id, &after) > 0;
	}
	n = table_range(t, &prefix, bits, &after, got, ARRAY_LEN(got));
	ck_assert_uint_eq(n, expect);
	for (size_t i = 1; i < MIN(n, ARRAY_LEN(got)); i++)
		ck_assert(got[i - 1].top < got[i].top);
}

static void
check_buckets(const struct contact *self, size_t all, bool ip_limits)
{
	size_t networks[POOL] = { 0 };
	size_t depth_count[65] = { 0 };

	for (size_t i = 0; i < all; i++)
		depth_count[top_shared_bits(naive.views[i].top, id_top(&self->id))]++;
	for (size_t i = 0; i < 65; i++)
		ck_assert_uint_le(depth_count[i], TABLE_BUCKET_WIDE);
	if (!ip_limits)
		return;
	for (size_t i = 0; i < all; i++)
		for (size_t j = 0; j < all; j++)
			networks[i] +=
			    addr_group(&naive.views[i].addr) == addr_group(&naive.views[j].addr);
	for (size_t i = 0; i < all; i++)
		ck_assert_uint_le(networks[i], TABLE_PER_NETWORK);
}

/* Nobody leaves but by failing; nobody is live with a strike count of its own. */
static void
check_members(size_t all)
{
	bool now[POOL] = { false };

	for (size_t i = 0; i < all; i++) {
		size_t at = pool_index(naive.views[i].pub);

		ck_assert(!now[at]);
		now[at] = true;
		ck_assert_uint_eq(naive.views[i].strikes, naive.strikes[at]);
	}
	for (size_t i = 0; i < POOL; i++) {
		ck_assert(now[i] || !naive.live[i] || naive.died[i]);
		naive.died[i] = naive.strikes[i] >= TABLE_STRIKES_DEAD;
		naive.live[i] = now[i];
	}
}

/* Who is due first, and when the second, by a look at all. */
static void
check_stalest(struct table *t, size_t all)
{
	uint64_t first_s = UINT64_MAX, second_s = UINT64_MAX, due = 0, next = 0;
	struct contact got;

	for (size_t i = 0; i < all; i++) {
		size_t at = pool_index(naive.views[i].pub);
		uint64_t due_s = naive.checked_s[at] + (naive.strikes[at] > 0 ? 30 : 600);

		second_s = MIN(second_s, MAX(first_s, due_s));
		first_s = MIN(first_s, due_s);
	}
	ck_assert(table_stalest(t, MINUTES(10), SECONDS(30), &got, &due, &next) == (all > 0));
	ck_assert(all == 0 || (due == SECONDS(first_s) && table_has(t, &got)));
	ck_assert(all < 2 || next == SECONDS(second_s));
}

static void
run_random(uint64_t seed, bool ip_limits)
{
	struct dice d = { seed };
	struct contact self;
	struct table *t = fresh_table(&d, &self, ip_limits);
	uint64_t now = SECONDS(100);

	printf("seed %llu\n", (unsigned long long)seed);
	memset(&naive, 0, sizeof(naive));
	for (size_t i = 0; i < POOL; i++) {
		naive.pool[i] = node_random(&d);
		if (ip_limits) /* few networks, so that the limits are met */
			naive.pool[i].addr.ip[0] = naive.pool[i].addr.ip[1] = 10,
			naive.pool[i].addr.ip[2] &= 0x3f;
	}
	for (size_t step = 0; step < STEPS; step++) {
		size_t i = dice_below(&d, MIN(POOL, step / 8 + 1));
		const struct contact *c = &naive.pool[i];
		bool had = table_has(t, c);
		enum table_source source = dice_below(&d, 3) == 0 ? TABLE_INBOUND : TABLE_OUTBOUND;
		bool wanted = table_wants(t, c, source);
		enum table_result r;

		now += MILLISECONDS(dice_below(&d, 2000));
		switch (dice_below(&d, 5)) {
		case 0:
		case 1:
			r = table_offer(t, c, MILLISECONDS(dice_below(&d, 300)), source, now);
			ck_assert(!had || r == TABLE_KNOWN);
			/* Not wanted, but once verified it may still be a better spare. */
			ck_assert(had || wanted || r != TABLE_ADDED);
			ck_assert_int_eq(table_has(t, c), r != TABLE_REFUSED);
			if (r != TABLE_REFUSED) {
				naive.strikes[i] = 0;
				naive.checked_s[i] = now / SECONDS(1);
			}
			break;
		case 2:
			table_failed(t, c, now);
			if (had &&
			    (naive.strikes[i] == 0 ||
				now / SECONDS(1) - naive.checked_s[i] >= TABLE_STRIKE_GAP_S)) {
				naive.strikes[i]++;
				naive.checked_s[i] = now / SECONDS(1);
			}
			naive.died[i] |= naive.strikes[i] >= TABLE_STRIKES_DEAD;
			break;
		case 3:
			table_answered(t, c, MILLISECONDS(20), now);
			naive.strikes[i] = 0;
			naive.checked_s[i] = now / SECONDS(1);
			break;
		case 4:
			table_heard(t, c, now);
			if (naive.strikes[i] == 0)
				naive.checked_s[i] = now / SECONDS(1);
			break;
		}
		if (step % 32 == 0) {
			size_t all = dump(t);

			check_stalest(t, all);

			check_members(all);
			check_near(t, &d, all);
			check_range(t, &d, all);
			check_buckets(&self, all, ip_limits);
		}
	}
	ck_assert_uint_gt(table_count(t), 40);
	table_free(t);
}

START_TEST(random_operations_keep_the_rules)
{
	run_random(1 + (uint64_t)_i, _i % 2 == 1);
}
END_TEST

START_TEST(inbound_fills_half_a_bucket_at_most)
{
	struct dice d = { 11 };
	struct contact self;
	struct table *t = fresh_table(&d, &self, false);
	size_t inbound = 0;

	for (size_t i = 0; i < 5000; i++) {
		struct contact c = node_random(&d);

		if ((c.id.b[0] ^ self.id.b[0]) & 0x80)
			inbound += table_offer(t, &c, 0, TABLE_INBOUND, SECONDS(5)) == TABLE_ADDED;
	}
	ck_assert_uint_eq(inbound, TABLE_BUCKET / TABLE_INBOUND_SHARE);
	ck_assert_uint_eq(table_count(t), TABLE_BUCKET / TABLE_INBOUND_SHARE);
	/* Those that others told us about still find room. */
	for (size_t i = 0; i < 200; i++) {
		struct contact c = node_random(&d);

		table_offer(t, &c, 0, TABLE_OUTBOUND, SECONDS(6));
	}
	ck_assert_uint_gt(table_count(t), 2 * TABLE_BUCKET);
	table_free(t);
}
END_TEST

START_TEST(dead_are_replaced_with_spread)
{
	struct dice d = { 12 };
	struct contact self, added[TABLE_BUCKET];
	struct table *t = fresh_table(&d, &self, false);
	size_t n = 0, near = 0;

	/* A full first bucket whose contacts all lie in slots 0 to 3. */
	while (n < TABLE_BUCKET || table_spares(t) < 2) {
		struct contact c = node_random(&d);
		bool far = (c.id.b[0] ^ self.id.b[0]) & 0x80;
		bool low = (c.id.b[0] & 0x40) == 0;

		if (!far) { /* the own half splits the bucket, and holds enough to keep it narrow */
			if (near < 2 * TABLE_BUCKET &&
			    table_offer(t, &c, 0, TABLE_OUTBOUND, SECONDS(5)) == TABLE_ADDED)
				near++;
			continue;
		}
		if (near < 2 * TABLE_BUCKET)
			continue;
		if (n < TABLE_BUCKET && low) {
			if (table_offer(t, &c, 0, TABLE_OUTBOUND, SECONDS(5)) == TABLE_ADDED)
				added[n++] = c;
		} else if (n == TABLE_BUCKET && (table_spares(t) == 0) == low) {
			/* one fast spare in a crowded slot, one slow in an empty one */
			table_offer(t, &c, MILLISECONDS(low ? 1 : 290), TABLE_OUTBOUND, SECONDS(5));
		}
	}
	ck_assert(!table_holds_all(t));
	for (unsigned strike = 1; strike <= TABLE_STRIKES_DEAD; strike++) {
		struct table_view v[VIEWS];
		size_t live = table_near(t, &added[0].id, TABLE_STRIKES_SILENT, v, VIEWS);

		ck_assert(table_has(t, &added[0]));
		/* That it can be heard does not end its strikes. */
		ck_assert(strike == 1 || table_heard(t, &added[0], SECONDS(4 + 3 * strike)));
		ck_assert(pubkey_equal(v[0].pub, &added[0].pub) == (strike <= 2));
		ck_assert_uint_gt(live, 0);
		table_failed(t, &added[0], SECONDS(6 + 3 * strike));
	}
	ck_assert(!table_has(t, &added[0]) && !table_heard(t, &added[0], SECONDS(20)));
	ck_assert_uint_eq(table_spares(t), 1);
	{
		struct id high = self.id;
		struct table_view v[1];

		high.b[0] = (uint8_t)((high.b[0] ^ 0x80) | 0x40);
		ck_assert_uint_eq(table_near(t, &high, UINT8_MAX, v, 1), 1);
		ck_assert_uint_eq(v[0].rtt, MILLISECONDS(290));
	}
	table_free(t);
}
END_TEST

START_TEST(own_outage_empties_nothing)
{
	struct dice d = { 13 };
	struct contact self, c;
	struct table *t = fresh_table(&d, &self, false);

	c = node_random(&d);
	table_offer(t, &c, 0, TABLE_OUTBOUND, SECONDS(5));
	for (unsigned i = 0; i < 3 * TABLE_STRIKES_GONE; i++)
		table_failed(t, &c, SECONDS(5) + TABLE_ONLINE_WITHIN + SECONDS(2 + 3 * i));
	ck_assert(table_has(t, &c));
	ck_assert(!table_answers(t)); /* who asks for others has to ask elsewhere */
	/* Somebody else answers: the line is fine, so it is that contact that is gone. */
	table_answered(t, &self, 0, HOURS(1));
	table_failed(t, &c, HOURS(1));
	ck_assert(!table_has(t, &c));
	table_free(t);

	/* In a network whose pings come twenty times as often all are asked that much sooner. */
	t = table_new(&(struct table_opts){ .self = self.id, .pace = 20 });
	table_offer(t, &c, 0, TABLE_OUTBOUND, SECONDS(5));
	ck_assert(table_answers(t));
	for (unsigned i = 0; i < 2 * TABLE_STRIKES_GONE; i++)
		table_failed(t, &c, SECONDS(5) + TABLE_ONLINE_WITHIN / 20 + SECONDS(1 + 2 * i));
	ck_assert(table_has(t, &c));
	table_free(t);
}
END_TEST

/* Who answered a while ago does not make it longer ago that anybody did. */
START_TEST(an_old_answer_is_no_outage)
{
	struct dice d = { 19 };
	struct contact self, c, old;
	struct table *t = fresh_table(&d, &self, false);
	struct contact stalest;
	uint64_t due, next;

	c = node_random(&d);
	old = node_random(&d);
	table_offer(t, &c, 0, TABLE_OUTBOUND, HOURS(2));
	table_offer(t, &old, 0, TABLE_OUTBOUND, HOURS(1) + MINUTES(30));
	ck_assert(table_stalest(t, HOURS(1), SECONDS(30), &stalest, &due, &next));
	ck_assert(id_equal(&stalest.id, &old.id));
	ck_assert_uint_eq(due, HOURS(2) + MINUTES(30));
	ck_assert_uint_eq(next, HOURS(3));
	for (unsigned i = 0; i < TABLE_STRIKES_GONE; i++)
		table_failed(t, &old, HOURS(2) + SECONDS(2 + 2 * i));
	ck_assert(!table_has(t, &old));
	table_free(t);
}
END_TEST

START_TEST(the_nearest_are_all_known_in_a_lopsided_tree)
{
	struct dice d = { 17 };
	struct contact self, c;
	struct table *t = fresh_table(&d, &self, false);

	/* Eight share our first bit, thirty do not: twelve of those are among our nearest twenty.
	 */
	for (size_t near = 0, far = 0; near < 8 || far < 30;) {
		bool other = ((c = node_random(&d)).id.b[0] ^ self.id.b[0]) & 0x80;
		size_t *n = other ? &far : &near;

		if (*n == (other ? 30 : 8))
			continue;
		++*n;
		ck_assert(table_wants(t, &c, TABLE_OUTBOUND));
		ck_assert_int_eq(table_offer(t, &c, 0, TABLE_OUTBOUND, SECONDS(5)), TABLE_ADDED);
	}
	ck_assert_uint_eq(table_count(t), 38);
	ck_assert(table_holds_all(t));
	table_free(t);
}
END_TEST

START_TEST(upkeep_finds_the_stalest_and_the_idle)
{
	struct dice d = { 14 };
	struct contact self, c, got, other, fresh[20];
	struct table *t = fresh_table(&d, &self, false);
	struct id random, target;
	uint64_t now = HOURS(3), due = 0, next = 0;

	ck_assert(!table_stalest(t, 0, 0, &got, &due, &next));
	c = node_random(&d);
	table_offer(t, &c, 0, TABLE_OUTBOUND, now - MINUTES(6));
	ck_assert(table_stalest(t, MINUTES(10), SECONDS(30), &got, &due, &next));
	ck_assert(contact_equal(&got, &c));
	ck_assert_uint_eq(next, UINT64_MAX);
	for (size_t i = 0; i < 400; i++) {
		c = node_random(&d);
		if (i % 7 == 0 && i / 7 < ARRAY_LEN(fresh))
			fresh[i / 7] = c;
		table_offer(t, &c, 0, TABLE_OUTBOUND, now - MINUTES(i % 7));
	}
	ck_assert(table_stalest(t, MINUTES(10), SECONDS(30), &got, &due, &next));
	ck_assert(table_has(t, &got));
	ck_assert_uint_eq(due, now + MINUTES(4));
	/* One that failed comes first, but not at once. */
	c = got;
	table_failed(t, &c, now);
	ck_assert(table_stalest(t, MINUTES(10), SECONDS(30), &got, &due, &next));
	ck_assert(contact_equal(&got, &c));
	ck_assert_uint_eq(due, now + SECONDS(30));
	ck_assert_uint_eq(next, now + MINUTES(4));
	/* Another one, of a bucket that had nobody to look for. */
	other = c;
	for (size_t i = 0; i < ARRAY_LEN(fresh); i++) {
		if (table_has(t, &fresh[i]) &&
		    top_shared_bits(id_top(&fresh[i].id), id_top(&self.id)) !=
			top_shared_bits(id_top(&c.id), id_top(&self.id)))
			other = fresh[i];
	}
	ck_assert(!contact_equal(&other, &c));
	table_failed(t, &other, now + SECONDS(5));
	ck_assert(table_stalest(t, MINUTES(10), SECONDS(30), &got, &due, &next));
	ck_assert(contact_equal(&got, &c));
	ck_assert_uint_eq(next, now + SECONDS(35));
	for (size_t i = 0; i < table_buckets(t); i++) {
		dice_bytes(&d, random.b, sizeof(random.b));
		ck_assert(table_idle_bucket(t, HOURS(1), false, now, &random, &target));
		ck_assert_uint_ge(top_shared_bits(id_top(&target), id_top(&self.id)), i);
		table_touch(t, &target, now);
	}
	ck_assert(!table_idle_bucket(t, HOURS(1), false, now, &random, &target));
	table_free(t);
}
END_TEST

START_TEST(ten_thousand_nodes_fit_in_24_kib)
{
	struct dice d = { 15 };
	struct contact self;
	struct table *t = fresh_table(&d, &self, false);

	for (size_t i = 0; i < 10000; i++) {
		struct contact c = node_random(&d);

		table_offer(t, &c, MILLISECONDS(50), TABLE_OUTBOUND, SECONDS(1));
	}
	printf("%zu contacts, %zu spares, %zu buckets: %zu bytes\n", table_count(t),
	    table_spares(t), table_buckets(t), table_bytes(t));
	ck_assert_uint_lt(table_bytes(t), KIB(24));
	ck_assert_uint_ge(table_count(t), 8 * TABLE_BUCKET);
	table_free(t);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht/table");
	TCase *tc = tcase_create("model");

	must(crypto_init() == ERR_OK);
	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, random_operations_keep_the_rules, 0, 4);
	suite_add_tcase(s, tc);
	suite_add(s, "rules", 0, inbound_fills_half_a_bucket_at_most, dead_are_replaced_with_spread,
	    own_outage_empties_nothing, an_old_answer_is_no_outage,
	    the_nearest_are_all_known_in_a_lopsided_tree, upkeep_finds_the_stalest_and_the_idle,
	    ten_thousand_nodes_fit_in_24_kib, NULL);
	return suite_main(s);
}
