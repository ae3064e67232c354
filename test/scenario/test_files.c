/* Files put, holders lost, files got: the promise of the whole, on a simulated network. */
#include <stdio.h>

#include "storage/messages.h"
#include "test/scenario/world.h"
#include "test/unit/suite.h"

static struct world *
small_world(uint64_t seed)
{
	return world_new(&(struct world_opts){ .seed = seed, .nodes = 8, .code = { 4, 6, 8 } });
}

static void
put_ok(struct world *w, const char *name, uint64_t bytes, bool stream)
{
	struct file_put_result r;

	ck_assert_int_eq(
	    world_put(
		w, &(struct world_put_opts){ .name = name, .bytes = bytes, .stream = stream }, &r),
	    ERR_OK);
	ck_assert_uint_eq(r.placed_min, r.code.n);
}

/* The holder of that shard of "photo" gives wrong bytes from now on, to a client that is new. */
static size_t
spoil_holder(struct world *w, uint64_t chunk, uint8_t index)
{
	size_t liar = world_holder(w, "photo", chunk, index);

	ck_assert_uint_lt(liar, 8);
	world_spoil(w, liar);
	world_spoil(w, liar); /* what rots again is not sound again */
	world_new_client(w);
	return liar;
}

static void
only_is_blamed(struct world *w, size_t liar)
{
	ck_assert_uint_gt(world_blames(w, liar), 0);
	for (size_t i = 0; i < 8; i++)
		ck_assert(i == liar || world_blames(w, i) == 0);
}

/* Sizes around every border: inline, block, leaf row, chunk. */
START_TEST(all_sizes_come_back)
{
	static const uint64_t sizes[] = { 0, 1, 4096, 4097, 65519, 65520, 65521, 262080, 262081,
		300000, 1000000 };
	struct world *w = small_world(1);
	char name[32];

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		snprintf(name, sizeof(name), "known-%zu", i);
		put_ok(w, name, sizes[i], false);
		ck_assert_int_eq(world_get(w, name, NULL), ERR_OK);
		snprintf(name, sizeof(name), "stream-%zu", i);
		put_ok(w, name, sizes[i], true);
		ck_assert_int_eq(world_get_ordered(w, name), ERR_OK);
	}
	world_free(w);
}
END_TEST

START_TEST(a_new_client_needs_only_the_link)
{
	struct world *w = small_world(2);
	struct file_info info;
	int least;

	put_ok(w, "photo", 700000, false);
	world_new_client(w);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	ck_assert_int_eq(world_survey(w, "photo", &info, &least), ERR_OK);
	ck_assert_int_eq(least, 4);
	ck_assert(!info.readable); /* a verify link */
	ck_assert_uint_eq(info.parts, 3);
	ck_assert_uint_eq(info.chunks, 4);
	world_free(w);
}
END_TEST

START_TEST(any_four_of_eight_may_die_and_the_fifth_is_told)
{
	struct world *w = small_world(3);
	struct file_missing missing;

	put_ok(w, "photo", 900000, false);
	for (size_t i = 0; i < 4; i++)
		world_kill(w, i * 2 % 8 + i / 4);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_new_client(w); /* one that never met the dead ones */
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_kill(w, 1);

	uint64_t before = sim_now(world_sim(w));

	ck_assert_int_eq(world_get(w, "photo", &missing), ERR_UNREACHABLE);
	ck_assert_uint_lt(sim_now(world_sim(w)) - before, SECONDS(30));
	ck_assert_uint_eq(missing.holders.answered, 3);
	ck_assert_uint_eq(missing.holders.needed, 4);
	world_restart(w, 1);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_free(w);
}
END_TEST

START_TEST(ranges)
{
	struct world *w = small_world(4);

	put_ok(w, "film", 1000000, false);
	ck_assert_int_eq(world_get_range(w, "film", 0, 0), ERR_OK);
	ck_assert_int_eq(world_get_range(w, "film", 999999, 999999), ERR_OK);
	ck_assert_int_eq(world_get_range(w, "film", 65519, 65521), ERR_OK);
	ck_assert_int_eq(world_get_range(w, "film", 200000, 800000), ERR_OK);
	ck_assert_int_eq(world_get_range(w, "film", 999990, UINT64_MAX), ERR_OK);
	ck_assert_int_eq(world_get_range(w, "film", 1000000, 1000001), ERR_INVALID);
	world_free(w);
}
END_TEST

/* Bytes of shards that the living have given. */
static uint64_t
bytes_given(struct world *w, size_t nodes)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < nodes; i++) {
		if (world_alive(w, i))
			sum += service_counters(node_service(world_peer(w, i)))->get_bytes;
	}
	return sum;
}

/* The leaf that has it and, when its holder is gone, what rebuilds it; of no other row. */
START_TEST(a_small_range_reads_little)
{
	struct world *w = world_new(&(struct world_opts){
	    .seed = 16, .nodes = 8, .code = { 4, 6, 8 }, .chunk_bytes = MIB(1) });
	const uint64_t manifest = 4000; /* its shards together, read for each get */
	uint64_t before;
	size_t holder;

	put_ok(w, "film", 1000000, false);
	before = bytes_given(w, 8);
	ck_assert_int_eq(world_get_range(w, "film", 300000, 300010), ERR_OK);
	ck_assert_uint_le(bytes_given(w, 8) - before, KIB(64) + manifest);
	before = bytes_given(w, 8);
	ck_assert_int_eq(world_get_range(w, "film", 300000, 360000), ERR_OK); /* two leaves */
	ck_assert_uint_le(bytes_given(w, 8) - before, KIB(128) + manifest);
	before = bytes_given(w, 8);
	ck_assert_int_eq(world_get_range(w, "film", 999990, 999999), ERR_OK);
	ck_assert_uint_le(bytes_given(w, 8) - before, KIB(128) + manifest);
	holder = world_holder(w, "film", 0, 0);
	ck_assert_uint_lt(holder, 8);
	world_kill(w, holder);
	before = bytes_given(w, 8);
	ck_assert_int_eq(world_get_range(w, "film", 270000, 270010), ERR_OK);
	ck_assert_uint_le(bytes_given(w, 8) - before, 5 * KIB(64) + manifest);
	world_free(w);
}
END_TEST

/* The one whose leaf is wanted gives wrong bytes: the row comes from others. */
START_TEST(a_small_range_of_a_liar)
{
	struct world *w = small_world(17);
	size_t liar;

	put_ok(w, "photo", 900000, false);
	liar = spoil_holder(w, 1, 1);
	ck_assert_int_eq(world_get_range(w, "photo", 262080 + 70000, 262080 + 70010), ERR_OK);
	only_is_blamed(w, liar);
	world_free(w);
}
END_TEST

/* One that never met the dead, whom nobody can resolve: the search has an end, too. */
START_TEST(a_new_client_is_refused_in_time)
{
	struct world *w = small_world(12);
	struct file_missing missing;
	uint64_t before;

	put_ok(w, "photo", 900000, false);
	for (size_t i = 0; i < 5; i++)
		world_kill(w, i);
	world_new_client(w);
	before = sim_now(world_sim(w));
	ck_assert_int_eq(world_get(w, "photo", &missing), ERR_UNREACHABLE);
	ck_assert_uint_lt(sim_now(world_sim(w)) - before, SECONDS(40));
	ck_assert_uint_eq(missing.holders.needed, 4);
	for (size_t i = 0; i < 5; i++)
		world_restart(w, i);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_free(w);
}
END_TEST

/* A caller's deadline ends waits that otherwise go on by themselves. */
START_TEST(deadlines_are_kept)
{
	struct world *w = small_world(13);
	struct file_put_result r;
	uint64_t before;

	put_ok(w, "photo", 900000, false);
	/* Four answer, slowly: nothing fails, nothing comes. */
	for (size_t i = 0; i < 8; i++)
		sim_node_bandwidth(world_env(w, i), KIB(1), KIB(1));
	world_hurry(w, SECONDS(4));
	before = sim_now(world_sim(w));
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_TIMEOUT);
	ck_assert_uint_lt(sim_now(world_sim(w)) - before, SECONDS(5));
	before = sim_now(world_sim(w));
	ck_assert_int_eq(
	    world_put(w, &(struct world_put_opts){ .name = "late", .bytes = 900000 }, &r),
	    ERR_TIMEOUT);
	ck_assert_uint_lt(sim_now(world_sim(w)) - before, SECONDS(5));
	world_hurry(w, 0);
	for (size_t i = 0; i < 8; i++)
		sim_node_bandwidth(world_env(w, i), 0, 0);
	/* What the slow lines had taken already keeps its pace: up to 256 KiB at 1 KiB/s. */
	sim_run_for(world_sim(w), MINUTES(5));
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_free(w);
}
END_TEST

/* Far longer than GET_REFUSE_TIMEOUT, but never silent for as long. */
START_TEST(a_slow_line_is_not_a_dead_one)
{
	struct world *w = world_new(&(struct world_opts){
	    .seed = 14, .nodes = 8, .code = { 4, 6, 8 }, .chunk_bytes = MIB(4) });

	put_ok(w, "film", MIB(8), false);
	sim_node_bandwidth(world_client_env(w), KIB(256), KIB(256));
	ck_assert_int_eq(world_get(w, "film", NULL), ERR_OK);
	world_free(w);
}
END_TEST

/* A pipe gets each byte once, even when wrong ones come to light in the middle of a row. */
START_TEST(a_pipe_gets_no_byte_twice)
{
	struct world *w = small_world(15);
	size_t liar;

	put_ok(w, "photo", 900000, false);
	put_ok(w, "short", 200000, false); /* leaves shorter than a block */
	liar = spoil_holder(w, 0, 2);
	ck_assert_int_eq(world_get_ordered(w, "photo"), ERR_OK);
	ck_assert_int_eq(world_get_ordered(w, "short"), ERR_OK);
	ck_assert_uint_gt(world_blames(w, liar), 0);
	world_free(w);
}
END_TEST

/* Every bit of a holder's disk turned: whatever it gives is wrong, and nobody gets to see it. */
START_TEST(a_lying_holder_is_found_and_worked_around)
{
	struct world *w = small_world(5);
	size_t liar;

	put_ok(w, "photo", 900000, false);
	liar = spoil_holder(w, 0, 0);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	only_is_blamed(w, liar);
	/* And with all the losses that the code allows beside it. */
	for (size_t i = 0, killed = 0; i < 8 && killed < 3; i++) {
		if (i != liar) {
			world_kill(w, i);
			killed++;
		}
	}
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_free(w);
}
END_TEST

static int
answer_canceled(void *arg, struct stream *s, const struct rpc_request *req)
{
	size_t *asked = arg;

	(void)s;
	(void)req;
	++*asked;
	return ERR_CANCELED;
}

/* The node ends these streams with what we say to ourselves when we give up. */
static void
pretend_canceled(struct world *w, size_t node, uint16_t method, size_t *asked)
{
	struct stream_method m = { method, answer_canceled, asked };

	*asked = 0;
	endpoint_swap_stream_method(node_endpoint(world_peer(w, node)), &m);
}

/* It is one that fails, like others: soon it is asked no more, and the rest is enough. */
START_TEST(a_holder_that_pretends_we_gave_up)
{
	struct world *w = small_world(21);
	size_t liar, asked;

	put_ok(w, "photo", 900000, false);
	liar = world_holder(w, "photo", 0, 0);
	pretend_canceled(w, liar, METHOD_SHARD_GET, &asked);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	ck_assert_uint_gt(asked, 0);
	ck_assert_uint_lt(asked, 20);
	world_new_client(w);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	ck_assert_uint_lt(asked, 40);
	world_free(w);
}
END_TEST

/* Wrong bytes, and the question for their hashes is answered so: it hides, and is left out. */
START_TEST(a_liar_that_pretends_we_gave_up)
{
	struct world *w = small_world(22);
	size_t liar, asked;

	put_ok(w, "photo", 900000, false);
	liar = spoil_holder(w, 0, 0);
	pretend_canceled(w, liar, METHOD_SHARD_HASHES, &asked);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	ck_assert_uint_gt(asked, 0);
	ck_assert_uint_lt(asked, 20);
	world_free(w);
}
END_TEST

struct killer {
	struct world *w;
	size_t node;
	uint64_t at;
};

static void
kill_at(void *arg, uint64_t done, uint64_t total)
{
	struct killer *k = arg;

	(void)total;
	if (done >= k->at && world_peer(k->w, k->node) != NULL &&
	    !sim_node_dead(world_env(k->w, k->node)))
		sim_node_kill(world_env(k->w, k->node), SIM_KILLED);
}

/* Ten nodes for eight shards: one dies in the middle, its shard goes to another. */
START_TEST(a_holder_that_dies_during_put_is_replaced)
{
	for (uint64_t at = 0; at < 900000; at += 250000) {
		struct world *w = world_new(
		    &(struct world_opts){ .seed = 60 + at, .nodes = 10, .code = { 4, 6, 8 } });
		struct killer k = { w, 3, at };

		world_during_put(w, kill_at, &k);
		put_ok(w, "photo", 900000, false);
		world_during_put(w, NULL, NULL);
		ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
		world_free(w);
	}
}
END_TEST

/* The client knows it and has forgotten what it said of itself: neither the search for servers nor
 * the question waits until it is certain that no answer comes: it took 5.1 s before. */
START_TEST(who_has_just_died_delays_no_put)
{
	struct world *w =
	    world_new(&(struct world_opts){ .seed = 69, .nodes = 10, .code = { 4, 6, 8 } });
	uint64_t began;

	put_ok(w, "photo", 100000, false);
	sim_run_for(world_sim(w), MINUTES(2));
	sim_node_kill(world_env(w, 3), SIM_SILENT);
	began = env_now(world_client_env(w));
	put_ok(w, "film", 100000, false);
	ck_assert_uint_lt(env_now(world_client_env(w)) - began, MILLISECONDS(1500));
	world_free(w);
}
END_TEST

static void
kill_five(void *arg, uint64_t done, uint64_t total)
{
	struct killer *k = arg;

	(void)total;
	if (done < k->at)
		return;
	for (size_t i = 0; i < 5; i++) {
		if (world_alive(k->w, i))
			sim_node_kill(world_env(k->w, i), k->node == 0 ? SIM_KILLED : SIM_SILENT);
	}
}

/* So many that s receipts cannot come: the chunk goes on with those that are left. */
START_TEST(a_put_goes_on_with_other_holders)
{
	for (uint64_t seed = 160; seed < 168; seed++) {
		struct world *w = world_new(&(struct world_opts){
		    .seed = seed, .nodes = 13, .code = { 4, 6, 8 }, .chunk_bytes = MIB(4) });
		struct killer k = { w, seed % 2, seed % 3 * KIB(700) + 1 };
		struct world_put_opts opts = { .name = "film", .bytes = 4000000 };
		struct file_put_result r;

		world_during_put(w, kill_five, &k);
		ck_assert_int_eq(world_put(w, &opts, &r), ERR_OK);
		world_during_put(w, NULL, NULL);
		ck_assert_uint_ge(r.placed_min, 6);
		world_new_client(w);
		ck_assert_int_eq(world_get(w, "film", NULL), ERR_OK);
		world_free(w);
	}
}
END_TEST

/* Bytes of shards that the living have taken. */
static uint64_t
bytes_taken(struct world *w, size_t nodes)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < nodes; i++) {
		if (world_alive(w, i))
			sum += service_counters(node_service(world_peer(w, i)))->put_bytes;
	}
	return sum;
}

/* With those that are left it cannot be done: they do not keep in vain what they took. */
START_TEST(a_put_that_fails_leaves_nothing)
{
	for (uint64_t seed = 190; seed < 194; seed++) {
		struct world *w = world_new(&(struct world_opts){
		    .seed = seed, .nodes = 9, .code = { 4, 6, 8 }, .chunk_bytes = MIB(1) });
		struct killer k = { w, 1, seed % 2 == 0 ? KIB(700) : KIB(2500) };
		struct world_put_opts opts = { .name = "film", .bytes = 4000000 };
		struct file_put_result r;

		world_during_put(w, kill_five, &k);
		ck_assert_int_ne(world_put(w, &opts, &r), ERR_OK);
		world_during_put(w, NULL, NULL);
		sim_run_for(world_sim(w), MINUTES(10));
		ck_assert_uint_gt(bytes_taken(w, 9), 0);
		ck_assert_uint_eq(world_shards_of_all(w), 0);
		world_free(w);
	}
}
END_TEST

struct late_killer {
	struct killer killer;
	struct timer timer;
	uint64_t raises;
};

/* As soon as so many leases are raised. */
static void
look_for_raises(void *arg)
{
	struct late_killer *k = arg;
	uint64_t sum = 0;

	for (size_t i = 0; i < 9; i++)
		sum += service_counters(node_service(world_peer(k->killer.w, i)))->leases;
	if (sum >= k->raises)
		kill_five(&k->killer, k->killer.at, 0);
	else
		timer_start(&k->timer, MILLISECONDS(1));
}

static void
begin_to_look(void *arg, uint64_t done, uint64_t total)
{
	struct late_killer *k = arg;

	(void)total;
	if (done >= k->killer.at && !timer_armed(&k->timer))
		timer_start(&k->timer, MILLISECONDS(1));
}

/* Nor of a pipe, all of whose chunks are there for good when its manifest finds no place. */
START_TEST(a_pipe_whose_manifest_fails_leaves_nothing)
{
	struct world *w = world_new(&(struct world_opts){
	    .seed = 194, .nodes = 9, .code = { 4, 6, 8 }, .chunk_bytes = MIB(1) });
	struct late_killer k = { .killer = { w, 1, 4000000 }, .raises = 4 * 8 };
	struct world_put_opts opts = { .name = "film", .bytes = 4000000, .stream = true };
	struct file_put_result r;

	timer_init(&k.timer, world_client_env(w), look_for_raises, &k);
	world_during_put(w, begin_to_look, &k);
	ck_assert_int_ne(world_put(w, &opts, &r), ERR_OK);
	world_during_put(w, NULL, NULL);
	ck_assert(!world_alive(w, 0));
	sim_run_for(world_sim(w), MINUTES(10));
	ck_assert_uint_eq(world_shards_of_all(w), 0);
	world_free(w);
}
END_TEST

/* One key and nonce never seal two texts: of a file that changed nothing is sent a second time. */
START_TEST(a_source_that_changed_is_not_sent_again)
{
	struct world_put_opts opts = { .name = "film", .bytes = 200000, .changes = true };
	const uint64_t shard = 50000, slack = 20000; /* the manifest's shards are small */
	size_t incomplete = 0;

	for (uint64_t seed = 170; seed < 180; seed++) {
		struct world *w = world_new(
		    &(struct world_opts){ .seed = seed, .nodes = 10, .code = { 4, 6, 8 } });
		struct killer k = { w, 3, 0 };
		struct file_put_result r;

		world_during_put(w, kill_at, &k);
		ck_assert_int_eq(world_put(w, &opts, &r), ERR_OK);
		world_during_put(w, NULL, NULL);
		ck_assert_uint_lt(bytes_taken(w, 10), r.placed_min * shard + slack);
		incomplete += r.placed_min < 8;
		ck_assert_int_eq(world_get(w, "film", NULL), ERR_OK);
		world_free(w);
	}
	ck_assert_uint_gt(incomplete, 0);
}
END_TEST

START_TEST(too_few_nodes_are_refused)
{
	struct world *w =
	    world_new(&(struct world_opts){ .seed = 7, .nodes = 4, .code = { 4, 6, 8 } });
	struct file_put_result r;

	ck_assert_int_eq(
	    world_put(w, &(struct world_put_opts){ .name = "photo", .bytes = 100000 }, &r),
	    ERR_PLACEMENT);
	world_free(w);
}
END_TEST

/* s of n suffice: the put returns, and says how many. */
START_TEST(six_nodes_for_eight_shards_warn)
{
	struct world *w =
	    world_new(&(struct world_opts){ .seed = 8, .nodes = 6, .code = { 4, 6, 8 } });
	struct file_put_result r;

	ck_assert_int_eq(
	    world_put(w, &(struct world_put_opts){ .name = "photo", .bytes = 100000 }, &r), ERR_OK);
	ck_assert_uint_eq(r.placed_min, 6);
	world_kill(w, 0);
	world_kill(w, 5);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_free(w);
}
END_TEST

START_TEST(a_full_stop_of_all_loses_nothing)
{
	struct world *w = small_world(9);

	put_ok(w, "photo", 500000, false);
	put_ok(w, "note", 10, false);
	for (size_t i = 0; i < 8; i++)
		world_kill(w, i);
	for (size_t i = 0; i < 8; i++)
		world_restart(w, i);
	world_new_client(w);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	ck_assert_int_eq(world_get(w, "note", NULL), ERR_OK);
	world_free(w);
}
END_TEST

/* Acknowledged is on disk, names of directories included: all lose power at once. */
START_TEST(a_blackout_loses_nothing)
{
	for (uint64_t seed = 90; seed < 95; seed++) {
		struct world *w = small_world(seed);

		put_ok(w, "photo", 500000, false);
		for (size_t i = 0; i < 8; i++)
			sim_node_kill(world_env(w, i), SIM_SILENT);
		for (size_t i = 0; i < 8; i++)
			world_power_loss(w, i, seed + i);
		world_new_client(w);
		ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
		world_free(w);
	}
}
END_TEST

/* Chunks of 64 KiB: a list of chunks that does not fit one chunk itself. */
START_TEST(a_manifest_longer_than_a_chunk)
{
	struct world *w = world_new(&(struct world_opts){
	    .seed = 10, .nodes = 8, .code = { 4, 6, 8 }, .chunk_bytes = KIB(64) });
	struct file_info info;
	int least;

	put_ok(w, "big", MIB(132), false);
	ck_assert_int_eq(world_get(w, "big", NULL), ERR_OK);
	ck_assert_int_eq(world_get_range(w, "big", MIB(131), MIB(131) + 10), ERR_OK);
	ck_assert_int_eq(world_survey(w, "big", &info, &least), ERR_OK);
	ck_assert_int_eq(least, 4);
	ck_assert_uint_eq(info.parts, 2113);
	ck_assert_uint_gt(info.chunks, info.parts + 2); /* cut in two, and the list of these */
	world_free(w);
}
END_TEST

START_TEST(far_nodes_and_lost_datagrams)
{
	struct world *w = world_new(&(struct world_opts){ .seed = 11,
	    .nodes = 12,
	    .code = { 4, 6, 8 },
	    .regions = true,
	    .faults = { .loss_ppm = 20000 } });

	put_ok(w, "photo", 900000, false);
	world_new_client(w);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/files");

	suite_add(s, "files", 120, all_sizes_come_back, a_new_client_needs_only_the_link,
	    any_four_of_eight_may_die_and_the_fifth_is_told, ranges, a_small_range_reads_little,
	    a_small_range_of_a_liar, a_new_client_is_refused_in_time, deadlines_are_kept,
	    a_slow_line_is_not_a_dead_one, a_pipe_gets_no_byte_twice,
	    a_lying_holder_is_found_and_worked_around, a_holder_that_pretends_we_gave_up,
	    a_liar_that_pretends_we_gave_up, a_holder_that_dies_during_put_is_replaced,
	    a_put_goes_on_with_other_holders, a_put_that_fails_leaves_nothing,
	    a_source_that_changed_is_not_sent_again, too_few_nodes_are_refused,
	    six_nodes_for_eight_shards_warn, a_full_stop_of_all_loses_nothing,
	    a_blackout_loses_nothing, a_manifest_longer_than_a_chunk, far_nodes_and_lost_datagrams,
	    NULL);
	suite_add(s, "late", 30, a_pipe_whose_manifest_fails_leaves_nothing, NULL);
	suite_add(s, "hurry", 30, who_has_just_died_delays_no_put, NULL);
	return suite_main(s);
}
