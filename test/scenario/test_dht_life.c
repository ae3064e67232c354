/*
 * The life of a DHT in small: networks of one to some dozen nodes that start, stop, come back,
 * announce and forget.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dht/distance.h"
#include "sim/net.h"
#include "test/scenario/dht_net.h"
#include "test/unit/suite.h"

#define JOIN_WITHIN SECONDS(2)

/* Starts and joins nodes [first, count) through node 0. */
static void
join_all(struct net *n, size_t first, size_t count)
{
	for (size_t i = first; i < count; i++) {
		struct net_start how = { .bootstraps = &n->nodes[0].contact,
			.bootstraps_count = 1 }; /* node 0 leaves itself out */
		uint64_t took;

		net_start(n, i, &how);
		ck_assert_int_eq(net_join(n, i, SECONDS(10), &took), ERR_OK);
		ck_assert_uint_lt(took, JOIN_WITHIN);
	}
}

START_TEST(small_networks_work_at_once)
{
	static const size_t sizes[] = { 1, 2, 3, 8 };
	size_t count = sizes[_i];
	struct net *n = net_new(
	    &(struct net_opts){ .seed = 300 + (uint64_t)_i, .nodes = count, .regions = true });

	join_all(n, 0, count);
	for (size_t i = 0; i < count; i++) {
		struct dht_put_result put;
		struct record r, back;
		uint64_t took;

		net_signed(n, i, &r);
		ck_assert_int_eq(net_put(n, i, &r, &put), ERR_OK);
		ck_assert_uint_eq(put.stored, count);
		ck_assert_uint_lt(put.done_after, SECONDS(2));
		for (size_t j = 0; j < count; j++) {
			ck_assert(net_keeps(n, j, &r.key, RECORD_SIGNED));
			ck_assert_int_eq(
			    net_get(n, j, &r.key, RECORD_SIGNED, &back, &took), ERR_OK);
		}
		ck_assert_uint_le(dht_size_estimate(n->nodes[i].dht), count);
		net_signed(n, 1000 + i, &r);
		ck_assert_int_eq(net_get(n, i, &r.key, RECORD_SIGNED, &back, &took), ERR_NOT_FOUND);
		ck_assert_uint_lt(took, SECONDS(3));
	}
	/* A minute later all know all. */
	sim_run_for(n->world, MINUTES(1));
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(dht_contacts(n->nodes[i].dht, NULL, 0), count - 1);
		ck_assert_uint_eq(dht_size_estimate(n->nodes[i].dht), count);
	}
	net_free(n);
}
END_TEST

START_TEST(a_seed_replays)
{
	uint64_t hash[2], events[2];

	for (size_t run = 0; run < 2; run++) {
		struct net *n = net_new(&(struct net_opts){
		    .seed = 320, .nodes = 9, .regions = true, .loss_ppm = 50000 });
		struct record r;

		join_all(n, 0, 9);
		net_signed(n, 1, &r);
		ck_assert_int_eq(net_put(n, 4, &r, NULL), ERR_OK);
		sim_run_for(n->world, MINUTES(15));
		hash[run] = sim_event_hash(n->world);
		events[run] = sim_events(n->world);
		net_free(n);
	}
	ck_assert_uint_eq(hash[0], hash[1]);
	ck_assert_uint_eq(events[0], events[1]);
}
END_TEST

START_TEST(the_first_bootstrap_may_be_dead)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 310, .nodes = 4, .regions = true });
	struct contact doors[2] = { n->nodes[3].contact, n->nodes[0].contact };
	struct net_start how = { .bootstraps = doors, .bootstraps_count = 2 };
	uint64_t took;

	join_all(n, 0, 2);
	net_start(n, 2, &how);
	ck_assert_int_eq(net_join(n, 2, SECONDS(10), &took), ERR_OK);
	ck_assert_uint_lt(took, JOIN_WITHIN);
	ck_assert_uint_eq(dht_contacts(n->nodes[2].dht, NULL, 0), 2);
	net_free(n);
}
END_TEST

START_TEST(nobody_there_is_said_and_tried_again)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 311, .nodes = 2 });
	struct net_start how = { .bootstraps = &n->nodes[0].contact, .bootstraps_count = 1 };
	uint64_t took;

	net_start(n, 1, &how);
	ck_assert_int_eq(net_join(n, 1, SECONDS(10), &took), ERR_NO_NETWORK);
	ck_assert_uint_le(took, SECONDS(11));
	/* The bootstrap comes up later: upkeep finds it. */
	net_start(n, 0, NULL);
	ck_assert_int_eq(net_join(n, 0, SECONDS(10), NULL), ERR_OK);
	sim_run_for(n->world, MINUTES(2));
	ck_assert_uint_eq(dht_contacts(n->nodes[1].dht, NULL, 0), 1);
	net_free(n);
}
END_TEST

/* A machine without a line for hours: neither its timers nor its datagrams go on as at first. */
START_TEST(who_is_alone_asks_ever_rarer)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 313, .nodes = 9 });
	struct contact doors[8];
	struct net_start how = { .bootstraps = doors, .bootstraps_count = ARRAY_LEN(doors) };
	uint64_t before[SIM_EVENT_KINDS], after[SIM_EVENT_KINDS], sent;
	struct sim_traffic stats;

	for (size_t i = 0; i < ARRAY_LEN(doors); i++)
		doors[i] = n->nodes[i].contact;
	net_start(n, 8, &how);
	ck_assert_int_eq(net_join(n, 8, SECONDS(10), NULL), ERR_NO_NETWORK);
	sim_run_for(n->world, MINUTES(10));
	sim_events_by_kind(n->world, before);
	sim_traffic(n->world, &stats);
	sent = stats.datagrams_sent;
	sim_run_for(n->world, HOURS(1));
	sim_events_by_kind(n->world, after);
	sim_traffic(n->world, &stats);
	sent = stats.datagrams_sent - sent;
	after[SIM_EVENT_TIMER] -= before[SIM_EVENT_TIMER];
	printf("alone for an hour: %llu timers, %llu datagrams\n",
	    (unsigned long long)after[SIM_EVENT_TIMER], (unsigned long long)sent);
	/* Each door twice in two minutes at most. */
	ck_assert_uint_le(sent, 40 * 2 * ARRAY_LEN(doors));
	ck_assert_uint_le(after[SIM_EVENT_TIMER], 2000);
	/* One that comes up is found within that time. */
	net_start(n, 0, NULL);
	ck_assert_int_eq(net_join(n, 0, SECONDS(10), NULL), ERR_OK);
	sim_run_for(n->world, MINUTES(3));
	ck_assert_uint_eq(dht_contacts(n->nodes[8].dht, NULL, 0), 1);
	net_free(n);
}
END_TEST

static void
say_self(struct net_node *node, uint64_t roles)
{
	struct peer_record r = { .pub = node->identity.pub, .addrs_count = 1, .version_min = 1 };

	r.version_max = 1;
	r.roles = (uint8_t)roles;
	r.addrs[0] = node->contact.addr;
	r.operator_key = r.pub;
	endpoint_set_server(node->ep, roles != 0);
	dht_set_self(node->dht, &r);
}

START_TEST(who_is_no_server_wakes_to_publish_when_it_is)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 321, .nodes = 2 });
	struct net_node *node = &n->nodes[1];
	struct net_start how = {
		.bootstraps = &n->nodes[0].contact, .bootstraps_count = 1, .client = true
	};

	join_all(n, 0, 1);
	net_start(n, 1, &how);
	say_self(node, 0);
	ck_assert_int_eq(net_join(n, 1, SECONDS(10), NULL), ERR_OK);
	sim_run_for(n->world, MINUTES(1));
	ck_assert(!timer_armed(&node->dht->announce));
	say_self(node, PEER_SERVER);
	sim_run_for(n->world, SECONDS(10));
	ck_assert(net_keeps(n, 0, &node->identity.id, RECORD_PEER));
	ck_assert(timer_armed(&node->dht->announce));
	net_free(n);
}
END_TEST

START_TEST(a_restart_finds_the_saved_table)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 312, .nodes = 30, .regions = true });
	struct net_start saved = {
		.bootstraps = &n->nodes[0].contact, .bootstraps_count = 1, .table_path = "contacts"
	};
	uint64_t took;
	size_t before;

	join_all(n, 0, 29);
	net_start(n, 29, &saved);
	ck_assert_int_eq(net_join(n, 29, SECONDS(10), NULL), ERR_OK);
	sim_run_for(n->world, MINUTES(1));
	before = dht_contacts(n->nodes[29].dht, NULL, 0);
	ck_assert_uint_ge(before, 20);
	net_stop(n, 29);

	/* Its bootstrap is gone for good, and a third of the others, too. */
	for (size_t i = 0; i < 10; i++)
		net_kill(n, i);
	saved.bootstraps_count = 0;
	net_start(n, 29, &saved);
	ck_assert_int_eq(net_join(n, 29, SECONDS(20), &took), ERR_OK);
	printf("back after %llu ms\n", (unsigned long long)(took / MILLISECONDS(1)));
	ck_assert_uint_lt(took, SECONDS(5));
	sim_run_for(n->world, SECONDS(10));
	/* Verified again: of the dead nobody is told on. */
	for (size_t i = 0; i < 10; i++) {
		struct contact near;

		ck_assert_uint_eq(
		    dht_closest(n->nodes[29].dht, &n->nodes[i].identity.id, &near, 1), 1);
		ck_assert(!id_equal(&near.id, &n->nodes[i].identity.id));
	}
	ck_assert_uint_ge(dht_contacts(n->nodes[29].dht, NULL, 0), 15);
	net_free(n);
}
END_TEST

/* Long enough to forget each other; a bootstrap is a door that stays known. */
START_TEST(halves_that_were_cut_for_long_find_each_other)
{
	struct net *n =
	    net_new(&(struct net_opts){ .seed = 320, .nodes = 12, .regions = true, .pace = 20 });

	join_all(n, 0, 12);
	sim_run_for(n->world, MINUTES(2));
	for (size_t i = 6; i < 12; i++)
		sim_node_island(n->nodes[i].env, 1);
	sim_cut_off(n->world, 1);
	sim_run_for(n->world, MINUTES(15));
	ck_assert_uint_le(dht_contacts(n->nodes[11].dht, NULL, 0), 5);
	sim_heal(n->world);
	sim_run_for(n->world, MINUTES(15));
	for (size_t i = 0; i < 12; i++)
		ck_assert_uint_eq(dht_contacts(n->nodes[i].dht, NULL, 0), 11);
	net_free(n);
}
END_TEST

START_TEST(the_dead_are_forgotten)
{
	struct net *n =
	    net_new(&(struct net_opts){ .seed = 313, .nodes = 12, .regions = true, .pace = 20 });
	struct contact got;

	join_all(n, 0, 12);
	sim_run_for(n->world, MINUTES(1));
	net_kill(n, 5);
	sim_run_for(n->world, MINUTES(10));
	for (size_t i = 0; i < 12; i++) {
		if (i == 5)
			continue;
		dht_closest(n->nodes[i].dht, &n->nodes[5].identity.id, &got, 1);
		ck_assert(!id_equal(&got.id, &n->nodes[5].identity.id));
	}
	net_free(n);
}
END_TEST

struct sampling {
	struct dht *dht;
	struct env *env;
	size_t count;
	uint64_t took;
};

static int
sample(void *arg)
{
	struct sampling *s = arg;
	struct contact *out = calloc(64, sizeof(*out));
	uint64_t began = env_now(s->env);
	int err = dht_sample(s->dht, out, 64, &s->count);

	s->took = env_now(s->env) - began;
	free(out);
	return err;
}

/* Everybody is asked by each of its lookups, also who is dead and not forgotten yet: 1.8 s before.
 */
START_TEST(a_sample_does_not_wait_for_the_dead)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 317, .nodes = 12 });
	struct sampling s;

	join_all(n, 0, 12);
	sim_run_for(n->world, MINUTES(1));
	net_kill(n, 5);
	s = (struct sampling){ .dht = n->nodes[0].dht, .env = n->nodes[0].env };
	ck_assert_int_eq(sim_run_task(n->world, s.env, sample, &s), ERR_OK);
	ck_assert_uint_ge(s.count, 10);
	ck_assert_uint_lt(s.took, MILLISECONDS(500));
	net_free(n);
}
END_TEST

struct in_vain {
	struct endpoint *ep;
	struct contact nobody;
};

/* One request that nobody answers. */
static int
ask_in_vain(void *arg)
{
	const struct in_vain *v = arg;
	struct rpc_opts opts = { .timeout = MILLISECONDS(10) };
	struct buf reply;
	int err;

	buf_init(&reply, RPC_DATAGRAM_BODY_MAX);
	err = rpc_call(v->ep, &v->nobody, DHT_FIND_REGION, bytes_of(NULL, 0), &opts, &reply);
	buf_fini(&reply);
	return err;
}

START_TEST(failures_do_not_put_pings_off)
{
	struct net *n =
	    net_new(&(struct net_opts){ .seed = 319, .nodes = 12, .regions = true, .pace = 20 });
	struct net_node *node = &n->nodes[0];
	struct in_vain v = { 0 };
	struct addr addr = sim_addr(4000, NET_PORT);
	struct identity who;
	uint64_t before;

	join_all(n, 0, 12);
	identity_from_seed(&(struct key){ { 7 } }, &who);
	contact_init(&v.nobody, &who.pub, &addr);
	v.ep = node->ep;
	sim_run_for(n->world, MINUTES(2));
	before = endpoint_counters(node->ep)->sent_by_method[DHT_PING];
	/* A lookup finds one gone, whom upkeep then pings every 1.5 s, at pace 20. */
	net_kill(n, 5);
	for (size_t i = 0; i < 3000; i++) {
		ck_assert_int_eq(sim_run_task(n->world, node->env, ask_in_vain, &v), ERR_TIMEOUT);
		sim_run_for(n->world, MILLISECONDS(100));
	}
	/*
	 * As many as show that it is dead, and of the ten others half, who do not call by
	 * themselves in that time; a ping is 130 bytes or more.
	 */
	ck_assert_uint_ge(endpoint_counters(node->ep)->sent_by_method[DHT_PING],
	    before + (uint64_t)(TABLE_STRIKES_DEAD + 5) * 130);
	net_free(n);
}
END_TEST

START_TEST(records_expire_and_stores_fill)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 314, .nodes = 3 });
	struct dht_put_result put;
	struct record r, back;
	struct dht_status status;
	size_t full = 0;

	for (size_t i = 0; i < 3; i++) {
		struct net_start how = { .bootstraps = &n->nodes[0].contact,
			.bootstraps_count = 1,
			.records_bytes_max = KIB(20) };

		net_start(n, i, &how);
		ck_assert_int_eq(net_join(n, i, SECONDS(10), NULL), ERR_OK);
	}
	net_signed(n, 1, &r);
	ck_assert_int_eq(net_put(n, 0, &r, NULL), ERR_OK);
	ck_assert_int_eq(net_get(n, 1, &r.key, RECORD_SIGNED, &back, NULL), ERR_OK);
	sim_run_for(n->world, RECORD_SIGNED_TTL + MINUTES(6));
	ck_assert_int_eq(net_get(n, 1, &r.key, RECORD_SIGNED, &back, NULL), ERR_NOT_FOUND);
	dht_status(n->nodes[0].dht, &status);
	ck_assert_uint_eq(status.records, 0);
	ck_assert_uint_eq(status.records_bytes, 0);

	for (uint64_t i = 0; i < 150; i++) {
		int err;

		net_signed(n, 100 + i, &r);
		err = net_put(n, 2, &r, &put);
		ck_assert(err == ERR_OK || err == ERR_FULL);
		full += err == ERR_FULL || put.full > 0;
	}
	ck_assert_uint_gt(full, 20);
	dht_status(n->nodes[0].dht, &status);
	ck_assert_uint_le(status.records_bytes, KIB(20));
	ck_assert_uint_gt(status.records, 20);
	net_free(n);
}
END_TEST

/* ---- announcing ---- */

#define CHUNKS 300

struct shelf {
	struct network_id net;
	const struct identity *who;
	struct hash chunk[CHUNKS];
	struct id key[CHUNKS]; /* ascending, chunk[i] belongs to it */
	struct sim_world *world;
};

static int
shelf_next(void *arg, const struct id *from, struct id *key)
{
	const struct shelf *s = arg;

	for (size_t i = 0; i < CHUNKS; i++)
		if (id_compare(&s->key[i], from) >= 0) {
			*key = s->key[i];
			return ERR_OK;
		}
	return ERR_NOT_FOUND;
}

static int
shelf_make(void *arg, const struct id *key, struct record *out)
{
	struct shelf *s = arg;
	struct location l = { .sequence = SIM_EPOCH_MS + sim_now(s->world) / MILLISECONDS(1),
		.count = 2,
		.holders = { { .index = 1 } } };

	for (size_t i = 0; i < CHUNKS; i++)
		if (id_equal(&s->key[i], key))
			return location_make(s->net, &s->chunk[i], &l, s->who, out);
	return ERR_NOT_FOUND;
}

static void
shelf_fill(struct shelf *s, struct net *n)
{
	for (size_t i = 0; i < CHUNKS; i++) {
		struct hash chunk;
		struct id key;
		size_t j = i;

		sim_random_bytes(&n->dice, chunk.b, sizeof(chunk.b));
		location_key(s->net, &chunk, &key);
		for (; j > 0 && id_compare(&s->key[j - 1], &key) > 0; j--) {
			s->key[j] = s->key[j - 1];
			s->chunk[j] = s->chunk[j - 1];
		}
		s->key[j] = key;
		s->chunk[j] = chunk;
	}
}

static size_t
copies_of(struct net *n, const struct id *key)
{
	size_t copies = 0;

	for (size_t i = 0; i < n->count; i++)
		copies += net_keeps(n, i, key, RECORD_LOCATION);
	return copies;
}

START_TEST(a_sweep_announces_everything)
{
	struct net *n = net_new(
	    &(struct net_opts){ .seed = 315, .nodes = 60, .regions = true, .loss_ppm = 10000 });
	struct shelf *s = calloc(1, sizeof(*s));
	struct dht_status status;
	uint64_t copies = 0;
	struct record back;

	ck_assert_ptr_nonnull(s);
	join_all(n, 0, 60);
	sim_run_for(n->world, MINUTES(5));
	s->net = n->id;
	s->world = n->world;
	s->who = &n->nodes[7].identity;
	shelf_fill(s, n);
	dht_set_announcer(n->nodes[7].dht,
	    &(struct announcer){ .next = shelf_next, .make = shelf_make, .arg = s });
	/* Brought forward: there within seconds. */
	dht_announce_soon(n->nodes[7].dht, &s->key[11]);
	dht_announce_soon(n->nodes[7].dht, &s->key[12]);
	sim_run_for(n->world, SECONDS(15));
	ck_assert_uint_ge(copies_of(n, &s->key[11]), 7);
	ck_assert_uint_ge(copies_of(n, &s->key[12]), 7);

	/* The sweep that was due at the join. */
	sim_run_for(n->world, MINUTES(5));
	dht_status(n->nodes[7].dht, &status);
	printf("%llu sweeps, %llu keys\n", (unsigned long long)status.sweeps,
	    (unsigned long long)status.sweep_keys);
	ck_assert_uint_ge(status.sweeps, 1);
	for (size_t i = 0; i < CHUNKS; i++) {
		ck_assert_uint_ge(copies_of(n, &s->key[i]), 4);
		copies += copies_of(n, &s->key[i]);
	}
	printf("%.1f copies of each\n", (double)copies / CHUNKS);
	ck_assert_uint_ge(copies, CHUNKS * 7);
	ck_assert_int_eq(net_get(n, 3, &s->key[250], RECORD_LOCATION, &back, NULL), ERR_OK);
	free(s);
	net_free(n);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht life");
	TCase *tc = tcase_create("small");

	must(crypto_init() == ERR_OK);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, small_networks_work_at_once, 0, 4);
	suite_add_tcase(s, tc);
	suite_add(s, "life", 60, a_seed_replays, the_first_bootstrap_may_be_dead,
	    nobody_there_is_said_and_tried_again, who_is_alone_asks_ever_rarer,
	    who_is_no_server_wakes_to_publish_when_it_is, a_restart_finds_the_saved_table,
	    the_dead_are_forgotten, a_sample_does_not_wait_for_the_dead,
	    halves_that_were_cut_for_long_find_each_other, failures_do_not_put_pings_off,
	    records_expire_and_stores_fill, a_sweep_announces_everything, NULL);
	return suite_main(s);
}
