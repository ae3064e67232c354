/*
 * Locks: what an owner has locked nobody deletes before the lock is over, neither he nor who has
 * stolen his key, by no way: not by a request, not by what siblings tell each other.
 */
#include <stdlib.h>

#include "storage/holds.h"
#include "storage/messages.h"
#include "storage/renew.h"
#include "test/scenario/world.h"
#include "test/unit/suite.h"

#define DAY_S ((uint64_t)86400)

static struct world *
network(uint64_t seed, size_t nodes, uint64_t lock_max_s)
{
	return world_new(&(struct world_opts){
	    .seed = seed, .nodes = nodes, .code = { 2, 3, 4 }, .lock_max_s = lock_max_s });
}

/* ---- files ---- */

START_TEST(a_locked_file_outlives_its_deletion)
{
	struct world *w = network(1, 4, 30 * DAY_S);
	struct file_lease_result r;
	struct file_put_result put;
	uint64_t now = world_unix_s(world_client(w)), before;

	ck_assert_int_eq(
	    world_put(w,
		&(struct world_put_opts){ .name = "deed", .bytes = 300000, .lock_s = 7200 }, &put),
	    ERR_OK);
	before = world_shards_of_all(w);
	ck_assert_int_eq(world_keep(w, "deed", 0, 0, &r), ERR_LOCKED);
	ck_assert_uint_ge(r.locked_until, now + 7200);
	ck_assert_uint_le(r.locked_until, now + 7300);
	/* Raised, and never lowered: neither by asking for less nor by a shorter term. */
	ck_assert_int_eq(world_keep(w, "deed", now + 9 * DAY_S, now + 9000, &r), ERR_OK);
	ck_assert_uint_eq(r.told, r.live);
	ck_assert_int_eq(world_keep(w, "deed", now + 9 * DAY_S, now + 60, &r), ERR_OK);
	ck_assert_uint_eq(r.locked_until, now + 9000);
	ck_assert_int_eq(world_keep(w, "deed", now + 60, 0, &r), ERR_LOCKED);
	sim_run_for(world_sim(w), SECONDS(7300));
	ck_assert_int_eq(world_keep(w, "deed", 0, 0, &r), ERR_LOCKED);
	ck_assert_uint_eq(world_shards_of_all(w), before);
	sim_run_for(world_sim(w), SECONDS(1800));
	ck_assert_int_eq(world_delete(w, "deed"), ERR_OK);
	sim_run_for(world_sim(w), MINUTES(10));
	ck_assert_uint_eq(world_shards_of_all(w), 0);
	world_free(w);
}
END_TEST

/* The nodes say how long a lock they grant, and the put goes elsewhere, or says so. */
START_TEST(no_longer_lock_than_a_node_grants)
{
	struct world *w = network(2, 4, 3600);
	struct file_lease_result r;
	struct file_put_result put;
	uint64_t now = world_unix_s(world_client(w));
	struct world_put_opts opts = { .name = "deed", .bytes = 1000, .lock_s = 7200 };

	ck_assert_int_eq(world_put(w, &opts, &put), ERR_PLACEMENT);
	ck_assert_uint_gt(put.refusals.lock, 0);
	ck_assert_uint_eq(put.refusals.lock_max_s, 3600);
	ck_assert_uint_eq(world_shards_of_all(w), 0);
	opts.lock_s = 3600;
	ck_assert_int_eq(world_put(w, &opts, &put), ERR_OK);
	ck_assert_int_eq(world_keep(w, "deed", now + 9 * DAY_S, now + 9000, &r), ERR_UNSUPPORTED);
	ck_assert_uint_gt(r.unlocked, 0);
	world_free(w);
}
END_TEST

/* ---- a chunk by hand, and a thief who has its lease key ---- */

struct owner {
	struct world *w;
	struct sign_key key;
	struct pubkey pub;
	struct chunk_put_result put;
	struct lease lease; /* to send */
	size_t node;
	uint64_t lock_until;
	uint8_t per_country_max;
	bool claims; /* a rule that those who were chosen break */
};

static void
sign(void *arg, struct lease *l)
{
	struct owner *o = arg;

	if (o->per_country_max > 0)
		l->constraints.per_country_max = o->per_country_max;
	if (o->claims) {
		l->constraints.countries_count = 1;
		memcpy(l->constraints.countries, "FR", 2);
	}

	lease_sign(l, endpoint_net(node_endpoint(world_client(o->w))), &o->key, &o->pub);
}

static int
fill(void *arg, uint64_t offset, uint8_t *dst, size_t len)
{
	(void)arg;
	memset(dst, (int)(offset / LEAF_BYTES) + 1, len);
	return ERR_OK;
}

static int
put_task(void *arg)
{
	struct owner *o = arg;
	struct node *client = world_client(o->w);
	struct chunks *c;
	int err = chunks_new(&(struct chunks_opts){ node_endpoint(client), node_dht(client) }, &c);

	must(err == ERR_OK);
	err = chunk_put(c,
	    &(struct chunk_put_opts){ .code = { 2, 3, 4 },
		.bytes = 200000,
		.source = { fill, NULL },
		.signer = { sign, o },
		.constraints = { .per_country_max = o->per_country_max } },
	    &o->put);
	if (err == ERR_OK)
		err = chunk_raise(c, &o->put,
		    &(struct chunk_raise_opts){ .signer = { sign, o },
			.constraints = &(struct constraints){ .repair_at = 3 },
			.until = world_unix_s(world_client(o->w)) + 20 * DAY_S,
			.lock_until = o->lock_until,
			.need = 3 });
	chunks_free(c);
	return err;
}

static int
send_task(void *arg)
{
	struct owner *o = arg;
	struct lease_update *u = calloc(1, sizeof(*u));
	int err;

	must(u != NULL);
	u->lease = o->lease;
	err = world_send_lease(o->w, o->node, u);
	free(u);
	return err;
}

/* What a node says to a lease that the thief signs. */
static int
send(struct owner *o, size_t node, uint64_t generation, uint64_t until, uint64_t lock_until)
{
	o->node = node;
	o->lease = (struct lease){ .chunk = o->put.ref.id,
		.generation = generation,
		.until = until,
		.lock_until = lock_until,
		.constraints = { .repair_at = 3 } };
	sign(o, &o->lease);
	return world_run(o->w, send_task, o);
}

static struct owner *
owner_new(struct world *w, uint64_t lock_s)
{
	struct owner *o = calloc(1, sizeof(*o));

	must(o != NULL);
	o->w = w;
	o->lock_until = lock_s == 0 ? 0 : world_unix_s(world_client(w)) + lock_s;
	crypto_sign_key_from_seed(&(struct key){ { 7 } }, &o->key, &o->pub);
	ck_assert_int_eq(world_run(w, put_task, o), ERR_OK);
	ck_assert_uint_eq(o->put.placed, 4);
	return o;
}

START_TEST(a_thief_cannot_delete_or_lower)
{
	struct world *w = network(3, 4, 30 * DAY_S);
	struct owner *o = owner_new(w, 7200);
	uint64_t now = world_unix_s(world_client(w)), lock = o->lock_until;

	for (size_t i = 0; i < 4; i++) {
		/* Without a word of the lock, with it, and with one that is over. */
		ck_assert_int_eq(send(o, i, 1000, 0, 0), ERR_LOCKED);
		ck_assert_int_eq(send(o, i, 1000, 0, lock), ERR_LOCKED);
		ck_assert_int_eq(send(o, i, 1000, 0, now - 1), ERR_LOCKED);
		ck_assert_int_eq(send(o, i, 1000, now + 20 * DAY_S, lock - 1), ERR_LOCKED);
		ck_assert_int_eq(send(o, i, 1000, lock - 1, lock), ERR_INVALID);
		ck_assert_int_eq(send(o, i, 1, now + 20 * DAY_S, lock - 1), ERR_STALE);
	}
	sim_run_for(world_sim(w), MINUTES(10));
	ck_assert_uint_eq(world_shards_of_all(w), 4);
	/* The owner raises it. */
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(send(o, i, 3, now + 20 * DAY_S, lock + 3600), ERR_OK);
	/* And when it is over, a deletion that knows of it counts. */
	sim_run_for(world_sim(w), SECONDS(10900));
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(send(o, i, 1000, 0, lock + 3600), ERR_OK);
	sim_run_for(world_sim(w), MINUTES(10));
	ck_assert_uint_eq(world_shards_of_all(w), 0);
	free(o);
	world_free(w);
}
END_TEST

/*
 * One holder was away while the file was locked, and the thief is the first who speaks to it when
 * it is back: it believes him, but nobody believes it.
 */
START_TEST(a_tombstone_of_a_sibling_is_refused)
{
	struct world *w = network(4, 6, 30 * DAY_S);
	struct owner *o = owner_new(w, 0);
	uint64_t now = world_unix_s(world_client(w)), lock = now + 10 * DAY_S;
	size_t away = SIZE_MAX, holders = 0;

	for (size_t i = 0; i < 6; i++)
		away = world_shards(w, i) > 0 ? i : away;
	world_kill(w, away);
	for (size_t i = 0; i < 6; i++) {
		if (i == away || world_shards(w, i) == 0)
			continue;
		ck_assert_int_eq(send(o, i, 3, now + 20 * DAY_S, lock), ERR_OK);
		holders++;
	}
	ck_assert_uint_eq(holders, 3);
	world_restart(w, away);
	ck_assert_int_eq(send(o, away, 1000, 0, 0), ERR_OK);
	sim_run_for(world_sim(w), MINUTES(30));
	/* Four hold it, all know the lock: also the one that was deceived, or who took its place.
	 */
	ck_assert_uint_ge(world_shards_of_all(w), 4);
	for (size_t i = 0; i < 6; i++) {
		if (world_shards(w, i) > 0)
			ck_assert_int_eq(send(o, i, 2000, 0, 0), ERR_LOCKED);
	}
	free(o);
	world_free(w);
}
END_TEST

/* ---- whose data ---- */

static struct world *
choosy(uint64_t seed, const struct world_opts *how)
{
	struct world_opts opts = *how;
	struct world *w;

	opts.seed = seed;
	opts.code = (struct code_params){ 2, 3, 4 };
	w = world_new(&opts);
	/* The first tours: before them nobody knows what is there. */
	sim_run_for(world_sim(w), SECONDS(30));
	return w;
}

/* Four of ten do not know the account: the put finds the others, and so does every repair. */
START_TEST(only_who_knows_the_owner_keeps_it)
{
	struct world *w = choosy(
	    5, &(struct world_opts){ .nodes = 10, .accept = ACCEPT_OWNERS, .unknown_to = 4 });
	struct file_put_result put;

	ck_assert_int_eq(
	    world_put(w, &(struct world_put_opts){ .name = "deed", .bytes = 600000 }, &put),
	    ERR_OK);
	ck_assert_uint_eq(put.placed_min, 4);
	world_kill(w, world_holder(w, "deed", 0, 1));
	ck_assert(world_reaches(w, "deed", 2, MINUTES(30)));
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(world_shards(w, i), 0);
	/* By siblings' talk, too, it stays the owner's: he may prolong, lock nothing, delete. */
	ck_assert_int_eq(world_delete(w, "deed"), ERR_OK);
	world_free(w);
}
END_TEST

START_TEST(nobody_knows_the_owner)
{
	struct world *w =
	    choosy(6, &(struct world_opts){ .nodes = 6, .accept = ACCEPT_OWNERS, .unknown_to = 6 });
	struct file_put_result put;

	ck_assert_int_eq(
	    world_put(w, &(struct world_put_opts){ .name = "deed", .bytes = 1000 }, &put),
	    ERR_PLACEMENT);
	ck_assert_uint_ge(put.refusals.stranger, 6);
	ck_assert_uint_eq(world_shards_of_all(w), 0);
	world_free(w);
}
END_TEST

START_TEST(an_owner_has_a_quota)
{
	struct world *w = choosy(
	    7, &(struct world_opts){ .nodes = 4, .accept = ACCEPT_OWNERS, .quota_bytes = 200000 });
	struct file_put_result put;

	world_put_ok(w, "one", 250000);
	ck_assert_int_eq(
	    world_put(w, &(struct world_put_opts){ .name = "two", .bytes = 250000 }, &put),
	    ERR_PLACEMENT);
	ck_assert_uint_gt(put.refusals.quota, 0);
	/* Space that he gives back is his again, after a restart as well. */
	ck_assert_int_eq(world_delete(w, "one"), ERR_OK);
	for (size_t i = 0; i < 4; i++)
		world_restart(w, i);
	sim_run_for(world_sim(w), MINUTES(6));
	world_put_ok(w, "three", 250000);
	world_free(w);
}
END_TEST

/* They get a month, no lock, and a fifth of the space; and the put says why not more. */
START_TEST(strangers_get_little)
{
	struct world *w = choosy(8, &(struct world_opts){ .nodes = 4,
					.accept = ACCEPT_ANYONE,
					.unknown_to = 4,
					.lock_max_s = 30 * DAY_S,
					.capacity_bytes = MIB(64) });
	struct file_put_result put;
	struct world_put_opts opts = { .name = "leaf", .bytes = 30000 };

	ck_assert_int_eq(world_put(w, &opts, &put), ERR_PLACEMENT);
	ck_assert_uint_gt(put.refusals.term, 0);
	ck_assert_uint_eq(put.refusals.term_max_s, STRANGERS_TERM_S);
	opts.term_s = 20 * DAY_S;
	opts.lock_s = 3600;
	ck_assert_int_eq(world_put(w, &opts, &put), ERR_PLACEMENT);
	ck_assert_uint_eq(put.refusals.lock_max_s, 0);
	opts.lock_s = 0;
	ck_assert_int_eq(world_put(w, &opts, &put), ERR_OK);
	/* An eighth of a fifth of 64 MiB for the network of the client: 1.6 MiB. */
	opts.name = "log";
	opts.bytes = MIB(4);
	ck_assert_int_ne(world_put(w, &opts, &put), ERR_OK);
	ck_assert_uint_gt(put.refusals.quota, 0);
	world_free(w);
}
END_TEST

/* ---- places ---- */

/* What a rebuild by somebody who forgets the rules would come to: a shard put where it may not be.
 */
START_TEST(a_country_that_is_forbidden_takes_nothing)
{
	struct world *w = network(10, 8, 0);
	struct owner *o = calloc(1, sizeof(*o));
	struct file_put_result put;
	struct world_put_opts opts = { .name = "deed", .bytes = 30000 };

	/* Nodes 0 and 4 stand in DE, 1 and 5 in FR, 2 and 6 in US, 3 and 7 in JP. */
	opts.constraints = (struct constraints){ .countries_count = 2 };
	memcpy(opts.constraints.countries, "DEFR", 4);
	ck_assert_int_eq(world_put(w, &opts, &put), ERR_OK);
	for (size_t i = 0; i < 8; i++)
		ck_assert(i % 4 < 2 || world_shards(w, i) == 0);
	must(o != NULL);
	o->w = w;
	o->claims = true;
	crypto_sign_key_from_seed(&(struct key){ { 7 } }, &o->key, &o->pub);
	/* Chosen as if there were no rule, but with the rule in the lease. */
	ck_assert_int_ne(world_run(w, put_task, o), ERR_OK);
	for (size_t i = 0; i < 8; i++)
		ck_assert(i % 4 < 2 || world_shards(w, i) == 0);
	free(o);
	world_free(w);
}
END_TEST

/* Tells a node that we hold a shard, as the new holder of a repaired one would. */
static int
tell_task(void *arg)
{
	struct owner *o = arg;
	struct endpoint *ep = node_endpoint(world_client(o->w));
	struct contact to = world_contact(o->w, o->node);
	struct holds asked = { .count = 1 };
	struct buf body, reply;
	int err;

	memcpy(asked.at[0].chunk, o->put.ref.id.b, sizeof(asked.at[0].chunk));
	asked.at[0].tell = true;
	asked.at[0].mine = 0;
	buf_init(&body, RPC_DATAGRAM_BODY_MAX);
	buf_init(&reply, RPC_DATAGRAM_BODY_MAX);
	must(holds_pack(&asked, &body) == ERR_OK);
	err = rpc_call(ep, &to, METHOD_HOLDS, buf_bytes(&body), NULL, &reply);
	buf_fini(&body);
	buf_fini(&reply);
	return err;
}

/* How many nodes count the client among the holders of the chunk. */
static size_t
believed_by(struct owner *o)
{
	const struct pubkey *us = &endpoint_identity(node_endpoint(world_client(o->w)))->pub;
	size_t believers = 0;

	sim_run_for(world_sim(o->w), MINUTES(1)); /* until they know what they have */
	for (o->node = 0; o->node < 8; o->node++) {
		if (world_shards(o->w, o->node) > 0)
			ck_assert_int_eq(world_run(o->w, tell_task, o), ERR_OK);
	}
	sim_run_for(world_sim(o->w), SECONDS(3));
	for (size_t i = 0; i < 8; i++)
		believers += world_sibling(o->w, i, &o->put.ref.id, us);
	return believers;
}

/* Siblings do not count on who says that he has a shard which the rules do not let him have. */
START_TEST(siblings_check_the_place)
{
	struct world *w = network(11, 8, 0);
	struct owner *free_one = owner_new(w, 0), *ruled;

	ck_assert_uint_gt(believed_by(free_one), 0);
	free(free_one);
	world_free(w);
	w = network(11, 8, 0);
	ruled = calloc(1, sizeof(*ruled));
	must(ruled != NULL);
	ruled->w = w;
	ruled->per_country_max = 1;
	crypto_sign_key_from_seed(&(struct key){ { 7 } }, &ruled->key, &ruled->pub);
	ck_assert_int_eq(world_run(w, put_task, ruled), ERR_OK);
	ck_assert_uint_eq(believed_by(ruled), 0);
	free(ruled);
	world_free(w);
}
END_TEST

/* And the rules do not stop a repair that obeys them: the other node of the country takes it,
 * whichever was lost and whoever of the others repairs. */
START_TEST(repairs_obey_the_rules)
{
	struct world *w = network(12 + (uint64_t)_i, 8, 0);
	struct world_put_opts opts = { .name = "deed", .bytes = 30000 };
	struct file_put_result put;
	uint8_t lost = (uint8_t)((_i + 1) % 4);
	size_t dead, in_country[4] = { 0 };

	opts.constraints.per_country_max = 1;
	ck_assert_int_eq(world_put(w, &opts, &put), ERR_OK);
	ck_assert_uint_eq(put.placed_min, 4);
	dead = world_holder(w, "deed", UINT64_MAX, lost);
	world_kill(w, dead);
	ck_assert(world_reaches(w, "deed", 2, MINUTES(40)));
	ck_assert_uint_eq(world_holder(w, "deed", UINT64_MAX, lost), (dead + 4) % 8);
	for (uint8_t i = 0; i < 4; i++)
		in_country[world_holder(w, "deed", UINT64_MAX, i) % 4]++;
	for (size_t i = 0; i < 4; i++)
		ck_assert_uint_eq(in_country[i], 1);
	world_free(w);
}
END_TEST

/* ---- the line ---- */

START_TEST(a_node_gives_its_line_in_measure)
{
	struct world *w = world_new(&(struct world_opts){ .seed = 9,
	    .nodes = 1,
	    .code = { 1, 1, 1 },
	    .upload_bytes_s = KIB(100),
	    .download_bytes_s = KIB(200) });
	uint64_t at = sim_now(world_sim(w)), time;

	world_put_ok(w, "film", KIB(1500));
	time = sim_now(world_sim(w)) - at;
	/* A second is saved up, and another may be when a chunk ends. */
	ck_assert_uint_ge(time, SECONDS(5));
	ck_assert_uint_le(time, SECONDS(12));
	at = sim_now(world_sim(w));
	ck_assert_int_eq(world_get(w, "film", NULL), ERR_OK);
	time = sim_now(world_sim(w)) - at;
	ck_assert_uint_ge(time, SECONDS(12));
	ck_assert_uint_le(time, SECONDS(25));
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("leases");
	TCase *repairs = tcase_create("repairs");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "locks", 300, a_locked_file_outlives_its_deletion,
	    no_longer_lock_than_a_node_grants, a_thief_cannot_delete_or_lower,
	    a_tombstone_of_a_sibling_is_refused, NULL);
	suite_add(s, "admission", 300, only_who_knows_the_owner_keeps_it, nobody_knows_the_owner,
	    an_owner_has_a_quota, strangers_get_little, NULL);
	suite_add(s, "places", 300, a_country_that_is_forbidden_takes_nothing,
	    siblings_check_the_place, NULL);
	tcase_set_timeout(repairs, 300);
	tcase_add_loop_test(repairs, repairs_obey_the_rules, 0, 8);
	suite_add_tcase(s, repairs);
	suite_add(s, "line", 300, a_node_gives_its_line_in_measure, NULL);
	return suite_main(s);
}
