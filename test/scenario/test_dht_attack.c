/*
 * The DHT against nodes that lie: ids ground beside a key, false contacts, floods of strangers.
 * What is not tried here: an attacker with more addresses than honest nodes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dht/distance.h"
#include "test/scenario/dht_net.h"
#include "test/unit/suite.h"

#define HONEST 500
#define SYBILS 20
#define GETS   30
#define TRIES  1000000

/* ---- liars: endpoints with methods of their own ---- */

struct liars {
	struct net *net;
	struct contacts told; /* whatever is asked, this is the answer */
	bool invent;          /* or nodes that do not exist, near what is asked */
	uint64_t puts, asked;
};

static int
lie_nothing(void *arg, const struct rpc_request *req, struct buf *reply)
{
	(void)arg;
	(void)req;
	return ping_pack(reply);
}

static void
invent(struct liars *l, struct contacts *out)
{
	out->count = DHT_K;
	for (size_t i = 0; i < out->count; i++) {
		struct addr addr =
		    sim_addr((uint32_t)(5000 + sim_random_below(&l->net->dice, 5000)), NET_PORT);
		struct pubkey pub;

		sim_random_bytes(&l->net->dice, pub.b, sizeof(pub.b));
		contact_init(&out->at[i], &pub, &addr);
	}
}

static int
lie_nodes(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct liars *l = arg;
	struct nodes_reply out = { .contacts = l->told };

	(void)req;
	l->asked++;
	if (l->invent)
		invent(l, &out.contacts);
	return nodes_reply_pack(&out, reply);
}

static int
lie_get(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct liars *l = arg;
	struct get_reply out = { .contacts = l->told };

	(void)req;
	l->asked++;
	if (l->invent)
		invent(l, &out.contacts);
	return get_reply_pack(&out, reply);
}

static int
lie_put(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct liars *l = arg;
	struct put_reply out = { .count = 0 };
	struct raw_records in;
	int err = put_unpack(req->body, &in);

	if (err != ERR_OK)
		return err;
	l->puts++;
	out.count = in.count; /* all ERR_OK, nothing kept */
	return put_reply_pack(&out, reply);
}

static void
start_liar(struct net *n, size_t i, struct liars *l)
{
	struct net_node *node = net_start(n, i, &(struct net_start){ .no_dht = true });
	struct rpc_method methods[] = { { .number = DHT_PING, .answer = lie_nothing, .arg = l },
		{ .number = DHT_FIND_NODE, .answer = lie_nodes, .arg = l },
		{ .number = DHT_FIND_REGION, .answer = lie_nodes, .arg = l },
		{ .number = DHT_GET, .answer = lie_get, .arg = l },
		{ .number = DHT_PUT, .answer = lie_put, .arg = l } };

	for (size_t j = 0; j < ARRAY_LEN(methods); j++)
		endpoint_add_method(node->ep, &methods[j]);
}

/* ---- ids ground beside a key ---- */

/* A record whose key has no honest node in the nearest 1/200 of the space. */
static void
lonely_record(struct net *n, struct record *out)
{
	for (uint64_t number = 0; number < TRIES; number++) {
		size_t nearest;
		uint64_t distance;

		net_signed(n, number, out);
		net_closest(n, &out->key, SIZE_MAX, &nearest, 1);
		distance = id_distance_top(&out->key, &n->nodes[nearest].identity.id);
		if (distance > UINT64_MAX / 200)
			return;
	}
	ck_abort_msg("no lonely key");
}

/* An identity nearer to the key than any honest node. */
static void
grind(struct net *n, size_t i, const struct id *key)
{
	struct net_node *node = &n->nodes[i];
	struct addr addr = node->contact.addr;

	for (size_t tries = 0; tries < TRIES; tries++) {
		struct sign_key secret;
		struct pubkey pub;
		struct key seed;
		struct id id;

		sim_random_bytes(&n->dice, seed.b, sizeof(seed.b));
		crypto_sign_key_from_seed(&seed, &secret, &pub);
		id_of_pubkey(&pub, &id);
		if (id_distance_top(&id, key) > UINT64_MAX / 200)
			continue;
		identity_from_seed(&seed, &node->identity);
		contact_init(&node->contact, &pub, &addr);
		return;
	}
	ck_abort_msg("no id beside the key");
}

START_TEST(twenty_ids_beside_a_key_hide_nothing)
{
	struct net *n = net_new(&(struct net_opts){
	    .seed = 400, .nodes = HONEST + SYBILS, .regions = true, .loss_ppm = 10000 });
	struct contact *all = calloc(n->count, sizeof(*all));
	struct liars liars = { .net = n, .told.count = SYBILS };
	struct dht_put_result put;
	struct record r, back;
	size_t closest[DHT_K], kept = 0;

	ck_assert_ptr_nonnull(all);
	for (size_t i = 0; i < HONEST; i++)
		net_start(n, i, NULL);
	lonely_record(n, &r);
	for (size_t i = HONEST; i < n->count; i++) {
		grind(n, i, &r.key);
		start_liar(n, i, &liars);
		liars.told.at[i - HONEST] = n->nodes[i].contact;
	}
	for (size_t i = 0; i < n->count; i++)
		all[i] = n->nodes[i].contact;
	net_seed_tables(n, all, n->count);

	ck_assert_int_eq(net_put(n, 1, &r, &put), ERR_OK);
	net_closest(n, &r.key, SIZE_MAX, closest, DHT_K);
	for (size_t i = 0; i < DHT_K; i++)
		kept += net_keeps(n, closest[i], &r.key, RECORD_SIGNED);
	printf("put: region %u, %llu to liars, on %zu of the 20 closest honest ones\n", put.region,
	    (unsigned long long)liars.puts, kept);
	ck_assert_uint_ge(liars.puts, SYBILS); /* or the attack was none */
	ck_assert_uint_ge(kept, 10);
	for (size_t i = 0; i < GETS; i++) {
		size_t from = (size_t)sim_random_below(&n->dice, HONEST);

		ck_assert_int_eq(net_get(n, from, &r.key, RECORD_SIGNED, &back, NULL), ERR_OK);
	}
	free(all);
	net_free(n);
}
END_TEST

/* ---- false contacts ---- */

static bool
exists(const struct net *n, const struct pubkey *pub)
{
	for (size_t i = 0; i < n->count; i++)
		if (pubkey_equal(&n->nodes[i].identity.pub, pub))
			return true;
	return false;
}

START_TEST(false_contacts_mislead_few)
{
	struct net *n = net_new(
	    &(struct net_opts){ .seed = 401, .nodes = HONEST, .regions = true, .loss_ppm = 10000 });
	struct contact *all = calloc(n->count, sizeof(*all));
	struct lookup_result *result = calloc(1, sizeof(*result));
	struct liars liars = { .net = n, .invent = true };
	size_t good = 0, found = 0;

	ck_assert_ptr_nonnull(all);
	ck_assert_ptr_nonnull(result);
	for (size_t i = 0; i < n->count; i++) {
		all[i] = n->nodes[i].contact;
		if (i % 10 == 0)
			start_liar(n, i, &liars);
		else
			net_start(n, i, NULL);
	}
	net_seed_tables(n, all, n->count);
	for (size_t i = 0; i < 60; i++) {
		size_t from = 10 * (size_t)sim_random_below(&n->dice, n->count / 10) + 3,
		       truth[DHT_K];
		struct record r, back;
		struct id target;
		size_t hits = 0;

		sim_random_bytes(&n->dice, target.b, sizeof(target.b));
		ck_assert_int_eq(net_lookup(n, from, &target, result), ERR_OK);
		/* Honest ones only: liars answer, and are in the result as well. */
		net_closest(n, &target, from, truth, DHT_K);
		for (size_t j = 0; j < 15; j++)
			for (size_t k = 0; k < result->count; k++)
				hits += id_equal(
				    &n->nodes[truth[j]].identity.id, &result->closest[k].id);
		good += hits >= 14;
		net_signed(n, i, &r);
		ck_assert_int_eq(net_put(n, from, &r, NULL), ERR_OK);
		found += net_get(n, 1, &r.key, RECORD_SIGNED, &back, NULL) == ERR_OK;
	}
	printf("%zu of 60 lookups complete, %zu of 60 records found, %llu lies\n", good, found,
	    (unsigned long long)liars.asked);
	ck_assert_uint_ge(good, 57);
	ck_assert_uint_eq(found, 60);
	/* Nothing invented got into a table. */
	for (size_t i = 0; i < n->count; i++) {
		struct contact near[DHT_REGION_MAX];
		size_t count = 0;

		if (n->nodes[i].dht != NULL)
			count = dht_closest(
			    n->nodes[i].dht, &n->nodes[i].identity.id, near, ARRAY_LEN(near));
		for (size_t j = 0; j < count; j++)
			ck_assert(exists(n, &near[j].pub));
	}
	free(result);
	free(all);
	net_free(n);
}
END_TEST

/* ---- strangers ---- */

struct caller {
	struct endpoint *ep;
	struct contact to;
	uint16_t method;
	struct buf body, reply;
	size_t times;
	int last;
};

static int
call_task(void *arg)
{
	struct caller *c = arg;

	for (size_t i = 0; i < c->times; i++)
		c->last = rpc_call(c->ep, &c->to, c->method, buf_bytes(&c->body), NULL, &c->reply);
	return c->last;
}

static int
call(struct net *n, size_t from, struct caller *c)
{
	c->ep = n->nodes[from].ep;
	buf_init(&c->reply, RPC_DATAGRAM_BODY_MAX);
	sim_run_task(n->world, n->nodes[from].env, call_task, c);
	buf_fini(&c->reply);
	return c->last;
}

START_TEST(strangers_do_not_take_a_table_over)
{
	size_t nodes = 70;
	struct net *n = net_new(&(struct net_opts){ .seed = 402, .nodes = nodes });
	struct caller c = { .method = DHT_PING, .times = 30 };
	struct liars liars = { .net = n };
	struct lookup_result *result = calloc(1, sizeof(*result));

	ck_assert_ptr_nonnull(result);
	for (size_t i = 0; i < 10; i++) {
		net_start(n, i,
		    &(struct net_start){
			.bootstraps = &n->nodes[0].contact, .bootstraps_count = 1 });
		ck_assert_int_eq(net_join(n, i, SECONDS(10), NULL), ERR_OK);
	}
	c.to = n->nodes[3].contact;
	buf_init(&c.body, RPC_DATAGRAM_BODY_MAX);
	ck_assert_int_eq(ping_pack(&c.body), ERR_OK);
	/* Thirty servers and thirty clients call one node over and over. */
	for (size_t i = 10; i < nodes; i++) {
		if (i % 2 == 0)
			start_liar(n, i, &liars);
		else
			net_start(n, i, &(struct net_start){ .no_dht = true, .client = true });
		ck_assert_int_eq(call(n, i, &c), ERR_OK);
		sim_run_for(n->world, SECONDS(1));
	}
	/* Clients are in no table, and strangers are at most half of each bucket. */
	for (size_t i = 11; i < nodes; i += 2) {
		struct contact near;

		dht_closest(n->nodes[3].dht, &n->nodes[i].identity.id, &near, 1);
		ck_assert(!id_equal(&near.id, &n->nodes[i].identity.id));
	}
	for (size_t i = 0; i < 10; i++) {
		if (i == 3)
			continue;
		ck_assert_int_eq(net_lookup(n, 3, &n->nodes[i].identity.id, result), ERR_OK);
		ck_assert(id_equal(&result->closest[0].id, &n->nodes[i].identity.id));
	}
	/* Nonsense gets an error and nothing else. */
	for (uint16_t m = DHT_FIND_NODE; m < DHT_SELF; m++) {
		c.method = m;
		c.times = 1;
		ck_assert_int_eq(call(n, 10, &c), ERR_INVALID);
	}
	buf_fini(&c.body);
	free(result);
	net_free(n);
}
END_TEST

/*
 * Callers that fall silent wait in the places of strangers: forged senders from everywhere, or
 * those of one network with tokens. A newcomer that calls twice is met all the same.
 */
START_TEST(silent_callers_leave_a_place)
{
	bool forged = _i == 0;
	struct net *n = net_new(&(struct net_opts){ .seed = 404, .nodes = DHT_VERIFY_MAX + 2 });
	struct caller c = { .method = DHT_PING, .times = forged ? 1 : 2 };
	struct liars liars = { .net = n };
	size_t newcomer = DHT_VERIFY_MAX + 1;
	struct contact near;

	net_start(n, 0, &(struct net_start){ .ip_limits = true });
	ck_assert_int_eq(net_join(n, 0, SECONDS(5), NULL), ERR_OK);
	c.to = n->nodes[0].contact;
	buf_init(&c.body, RPC_DATAGRAM_BODY_MAX);
	ck_assert_int_eq(ping_pack(&c.body), ERR_OK);
	start_liar(n, newcomer, &liars);
	for (size_t i = 1; i < newcomer; i++) {
		if (!forged)
			n->nodes[i].contact.addr = sim_addr_in(77, (uint8_t)i, NET_PORT);
		net_start(n, i, &(struct net_start){ .no_dht = true });
		ck_assert_int_eq(call(n, i, &c), ERR_OK);
		net_kill(n, i);
	}
	c.times = 2;
	ck_assert_int_eq(call(n, newcomer, &c), ERR_OK);
	sim_run_for(n->world, MILLISECONDS(300));
	ck_assert_uint_eq(dht_closest(n->nodes[0].dht, &c.to.id, &near, 1), 1);
	ck_assert(contact_equal(&near, &n->nodes[newcomer].contact));
	buf_fini(&c.body);
	net_free(n);
}
END_TEST

START_TEST(unproven_senders_store_nothing)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 403, .nodes = 2 });
	struct caller c = { .method = DHT_PUT, .times = 1 };
	struct record r;
	struct raw_records raw = { .count = 1 };

	net_start(n, 0, NULL);
	ck_assert_int_eq(net_join(n, 0, SECONDS(5), NULL), ERR_OK);
	net_start(n, 1, &(struct net_start){ .no_dht = true });
	net_signed(n, 1, &r);
	raw.at[0] = bytes_of(r.bytes, r.len);
	buf_init(&c.body, RPC_DATAGRAM_BODY_MAX);
	ck_assert_int_eq(put_pack(&raw, &c.body), ERR_OK);
	c.to = n->nodes[0].contact;
	ck_assert_int_eq(call(n, 1, &c), ERR_AUTH);
	ck_assert(!net_keeps(n, 0, &r.key, RECORD_SIGNED));
	/* The answer has brought a token. */
	ck_assert_int_eq(call(n, 1, &c), ERR_OK);
	ck_assert(net_keeps(n, 0, &r.key, RECORD_SIGNED));
	buf_fini(&c.body);
	net_free(n);
}
END_TEST

#define PUBLISHERS 8
#define PUBLISHED  80  /* by them together: the store is full */
#define FLOOD      100 /* more than it holds */

/* The next record of the half of the space where node 0 is, or of the other half. */
static void
next_signed(struct net *n, bool near, uint64_t *number, struct record *out)
{
	do
		net_signed(n, ++*number, out);
	while (id_distance_top(&out->key, &n->nodes[0].identity.id) >> 63 == near);
}

static int
bring(struct net *n, size_t from, const struct record *r)
{
	struct caller c = { .method = DHT_PUT, .times = 2, .to = n->nodes[0].contact };
	struct raw_records raw = { .count = 1, .at = { bytes_of(r->bytes, r->len) } };
	int err;

	buf_init(&c.body, RPC_DATAGRAM_BODY_MAX);
	ck_assert_int_eq(put_pack(&raw, &c.body), ERR_OK);
	err = call(n, from, &c);
	buf_fini(&c.body);
	return err;
}

/* One stranger with records beside a node's id, more than its store holds, has a share of it. */
START_TEST(one_stranger_flushes_no_store)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 410, .nodes = PUBLISHERS + 2 });
	struct record *far = calloc(PUBLISHED, sizeof(*far)), near;
	struct dht_status status;
	uint64_t number = 0;
	size_t left = 0;

	ck_assert_ptr_nonnull(far);
	net_start(n, 0, &(struct net_start){ .ip_limits = true, .records_bytes_max = KIB(54) });
	ck_assert_int_eq(net_join(n, 0, SECONDS(5), NULL), ERR_OK);
	for (size_t i = 1; i < n->count; i++)
		net_start(n, i, &(struct net_start){ .no_dht = true });
	for (size_t i = 0; i < PUBLISHED; i++) {
		next_signed(n, false, &number, &far[i]);
		ck_assert_int_eq(bring(n, 1 + i % PUBLISHERS, &far[i]), ERR_OK);
	}
	dht_status(n->nodes[0].dht, &status);
	ck_assert_uint_eq(status.records, PUBLISHED);
	for (size_t i = 0; i < FLOOD; i++) {
		next_signed(n, true, &number, &near);
		ck_assert_int_eq(bring(n, PUBLISHERS + 1, &near), ERR_OK);
	}
	dht_status(n->nodes[0].dht, &status);
	ck_assert_uint_ge(status.records, PUBLISHED);
	for (size_t i = 0; i < PUBLISHED; i++)
		left += net_keeps(n, 0, &far[i].key, RECORD_SIGNED);
	/* 10 KiB are a share in so small a store. */
	ck_assert_uint_ge(left, PUBLISHED * 3 / 4);
	free(far);
	net_free(n);
}
END_TEST

static int
put_canceled(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct put_reply out = { .count = 1, .err = { ERR_CANCELED } };

	(void)req;
	++*(size_t *)arg;
	return put_reply_pack(&out, reply);
}

START_TEST(no_refusal_passes_for_our_own_end)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 409, .nodes = 2 });
	size_t puts = 0;
	struct rpc_method m = { .number = DHT_PUT, .answer = put_canceled, .arg = &puts };
	struct record r;

	net_start(n, 0, NULL);
	ck_assert_int_eq(net_join(n, 0, SECONDS(5), NULL), ERR_OK);
	/* A client keeps nothing itself. */
	net_start(n, 1,
	    &(struct net_start){
		.bootstraps = &n->nodes[0].contact, .bootstraps_count = 1, .client = true });
	ck_assert_int_eq(net_join(n, 1, SECONDS(20), NULL), ERR_OK);
	endpoint_swap_method(n->nodes[0].ep, &m);
	net_signed(n, 1, &r);
	ck_assert_int_eq(net_put(n, 1, &r, NULL), ERR_BUSY);
	ck_assert_uint_gt(puts, 0);
	net_free(n);
}
END_TEST

#define ENDED        16 /* as many as a get gives to its caller */
#define RECORDS_TOLD 3  /* so many fit an answer */

struct ended {
	struct record at[ENDED];
	size_t told;
};

static int
tell_ended(void *arg, const struct rpc_request *req, struct buf *reply)
{
	struct ended *e = arg;
	struct get_reply out = { .total = ENDED };
	struct get in;
	int err = get_unpack(req->body, &in);

	if (err != ERR_OK)
		return err;
	for (size_t i = in.skip; i < ENDED && out.records.count < RECORDS_TOLD; i++)
		out.records.at[out.records.count++] = bytes_of(e->at[i].bytes, e->at[i].len);
	e->told++;
	return get_reply_pack(&out, reply);
}

static void
locate(struct net *n, uint64_t sequence, size_t publisher, struct record *out)
{
	struct hash chunk = { { 7 } };
	struct location l = { .sequence = sequence, .count = 1 };

	ck_assert_int_eq(
	    location_make(n->id, &chunk, &l, &n->nodes[publisher].identity, out), ERR_OK);
}

struct reading {
	struct dht *dht;
	const struct record *good;
	size_t good_ones, others;
};

static bool
read_one(void *arg, const struct record *r)
{
	struct reading *g = arg;

	if (r->sequence == g->good->sequence)
		g->good_ones++;
	else
		g->others++;
	return false;
}

static int
read_task(void *arg)
{
	struct reading *g = arg;

	return dht_get(g->dht, &g->good->key, RECORD_LOCATION, read_one, g);
}

/* A replay of what was true once: properly signed, and told to every reader. */
START_TEST(ended_records_reach_no_reader)
{
	struct net *n = net_new(&(struct net_opts){ .seed = 408, .nodes = 6 });
	struct record good;
	struct reading reading = { .good = &good };
	struct dht *reader;
	struct ended e = { .told = 0 };
	struct rpc_method m = { .number = DHT_GET, .answer = tell_ended, .arg = &e };
	struct agreed_time time;

	for (size_t i = 0; i < 5; i++) {
		net_start(n, i,
		    &(struct net_start){
			.bootstraps = &n->nodes[0].contact, .bootstraps_count = i > 0 });
		ck_assert_int_eq(net_join(n, i, SECONDS(20), NULL), ERR_OK);
	}
	sim_run_for(n->world, MINUTES(2));
	reading.dht = reader = n->nodes[3].dht;
	endpoint_agreed_time(n->nodes[3].ep, &time);
	ck_assert(time.trusted);
	for (size_t i = 0; i < ENDED; i++)
		locate(n, time.unix_ms - (i + 100) * 86400000, 5, &e.at[i]);
	locate(n, time.unix_ms, 4, &good);
	ck_assert_int_eq(net_put(n, 1, &good, NULL), ERR_OK);
	endpoint_swap_method(n->nodes[2].ep, &m);
	/* It has to ask: what it keeps itself is gone. */
	records_free(reader->records);
	reader->records = records_new(
	    &(struct records_opts){ .self = n->nodes[3].identity.id, .bytes_max = MIB(1) });
	for (int i = 0; i < 10; i++) {
		ck_assert_int_eq(
		    sim_run_task(n->world, n->nodes[3].env, read_task, &reading), ERR_OK);
		ck_assert_uint_eq(reading.others, 0);
	}
	ck_assert_uint_eq(reading.good_ones, 10);
	ck_assert_uint_gt(e.told, 0);
	net_free(n);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht attack");
	TCase *tc;

	must(crypto_init() == ERR_OK);
	suite_add(s, "attack", 120, twenty_ids_beside_a_key_hide_nothing,
	    false_contacts_mislead_few, strangers_do_not_take_a_table_over,
	    unproven_senders_store_nothing, one_stranger_flushes_no_store,
	    ended_records_reach_no_reader, no_refusal_passes_for_our_own_end, NULL);
	tc = tcase_create("places");
	tcase_add_loop_test(tc, silent_callers_leave_a_place, 0, 2);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
