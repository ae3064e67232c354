/*
 * The DHT among a thousand nodes around the world: lookups, puts and gets with loss and stale
 * tables, and against nodes that lie.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dht/distance.h"
#include "test/scenario/dht_net.h"
#include "test/unit/suite.h"

#define NODES   1000
#define DEAD    111 /* a tenth of all contacts */
#define SEEDS   3
#define LOOKUPS 150
#define PUTS    40
#define MS(ns)  ((unsigned long long)((ns) / MILLISECONDS(1)))

/* A thousand live nodes whose tables also hold contacts that never answer. */
static struct net *
world_wide(uint64_t seed, size_t nodes)
{
	struct net *n = net_new(
	    &(struct net_opts){ .seed = seed, .nodes = nodes, .regions = true, .loss_ppm = 10000 });
	struct contact *all = calloc(nodes + DEAD, sizeof(*all));
	size_t count = 0;

	ck_assert_ptr_nonnull(all);
	for (size_t i = 0; i < nodes; i++)
		all[count++] = n->nodes[i].contact;
	for (size_t i = 0; i < DEAD; i++) {
		struct addr addr = sim_addr((uint32_t)(nodes + i), NET_PORT);
		struct identity who;
		struct key key;

		sim_random_bytes(&n->dice, key.b, sizeof(key.b));
		identity_from_seed(&key, &who); /* a key one can seal to, and nobody there */
		contact_init(&all[count++], &who.pub, &addr);
	}
	for (size_t i = 0; i < nodes; i++)
		net_start(n, i, NULL);
	net_seed_tables(n, all, count);
	free(all);
	return n;
}

struct tally {
	size_t count, recall_min, recall_sum;
	uint64_t first[LOOKUPS], done[LOOKUPS], rpcs[LOOKUPS];
};

static void
one_lookup(struct net *n, struct tally *t, struct lookup_result *result)
{
	size_t from = (size_t)sim_random_below(&n->dice, n->count), truth[DHT_K], hits = 0;
	struct id target;

	sim_random_bytes(&n->dice, target.b, sizeof(target.b));
	ck_assert_int_eq(net_lookup(n, from, &target, result), ERR_OK);
	ck_assert_uint_eq(net_closest(n, &target, from, truth, DHT_K), DHT_K);
	for (size_t i = 0; i < DHT_K; i++)
		for (size_t j = 0; j < result->count; j++)
			hits += id_equal(&n->nodes[truth[i]].identity.id, &result->closest[j].id);
	ck_assert(id_equal(&result->closest[0].id, &n->nodes[truth[0]].identity.id));
	t->recall_min = MIN(t->recall_min, hits);
	t->recall_sum += hits;
	t->first[t->count] = result->first_after;
	t->done[t->count] = result->done_after;
	t->rpcs[t->count++] = result->rpcs;
}

/* What an idle node's DHT holds; its records are apart, and bounded by their own limit. */
static void
check_memory(const struct net *n)
{
	size_t most = 0;

	for (size_t i = 0; i < n->count; i++)
		most = MAX(most, sizeof(struct dht) + table_bytes(n->nodes[i].dht->table));
	printf("at most %zu bytes per idle node\n", most);
	ck_assert_uint_lt(most, KIB(24));
}

START_TEST(lookups_puts_and_gets_of_a_thousand)
{
	struct net *n = world_wide(20260101 + (uint64_t)_i, NODES);
	struct lookup_result *result = calloc(1, sizeof(*result));
	struct tally t = { .recall_min = DHT_K };
	uint64_t took[PUTS], got[PUTS], reached = 0, region = 0;

	for (size_t i = 0; i < LOOKUPS; i++)
		one_lookup(n, &t, result);
	printf("lookup: first %llu / %llu ms (p50 / p95), done %llu / %llu ms, rpcs %llu / %llu, "
	       "recall min %zu, mean %.2f of 20\n",
	    MS(net_percentile(t.first, t.count, 50)), MS(net_percentile(t.first, t.count, 95)),
	    MS(net_percentile(t.done, t.count, 50)), MS(net_percentile(t.done, t.count, 95)),
	    (unsigned long long)net_percentile(t.rpcs, t.count, 50),
	    (unsigned long long)net_percentile(t.rpcs, t.count, 95), t.recall_min,
	    (double)t.recall_sum / (double)t.count);
	ck_assert_uint_lt(net_percentile(t.first, t.count, 50), MILLISECONDS(250));
	ck_assert_uint_ge(t.recall_min, DHT_K - 1);

	for (size_t i = 0; i < PUTS; i++) {
		size_t from = (size_t)sim_random_below(&n->dice, NODES), truth[DHT_K], has = 0;
		struct dht_put_result put;
		struct record r, back;

		net_signed(n, i, &r);
		ck_assert_int_eq(net_put(n, from, &r, &put), ERR_OK);
		net_closest(n, &r.key, SIZE_MAX, truth, DHT_K);
		for (size_t j = 0; j < DHT_K; j++)
			has += net_keeps(n, truth[j], &r.key, RECORD_SIGNED);
		ck_assert_uint_ge(has, DHT_K - 1);
		reached += has;
		region += put.region;
		took[i] = put.done_after;
		from = (size_t)sim_random_below(&n->dice, NODES);
		ck_assert_int_eq(net_get(n, from, &r.key, RECORD_SIGNED, &back, &got[i]), ERR_OK);
		ck_assert_mem_eq(back.bytes, r.bytes, r.len);
	}
	printf("put: %llu / %llu ms, region %llu, on %.2f of the 20 closest; get: %llu / %llu ms\n",
	    MS(net_percentile(took, PUTS, 50)), MS(net_percentile(took, PUTS, 95)),
	    (unsigned long long)(region / PUTS), (double)reached / PUTS,
	    MS(net_percentile(got, PUTS, 50)), MS(net_percentile(got, PUTS, 95)));
	ck_assert_uint_lt(net_percentile(took, PUTS, 95), SECONDS(3));
	free(result);
	check_memory(n);
	printf("%llu events, hash %016llx\n", (unsigned long long)sim_events(n->world),
	    (unsigned long long)sim_event_hash(n->world));
	net_free(n);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht");
	TCase *tc = tcase_create("thousand");

	must(crypto_init() == ERR_OK);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, lookups_puts_and_gets_of_a_thousand, 0, SEEDS);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
