/*
 * Losses larger than a shard: a disk that comes back empty or comes back late, and networks that
 * were cut in two and repaired on both sides. In the end every index is there, once, and what was
 * deleted anywhere is gone everywhere.
 */
#include <stdlib.h>

#include "overlay/base/crypto_stand_in.h"
#include "sim/random.h"
#include "test/scenario/world.h"
#include "test/unit/suite.h"

/* Same key, empty store: it lives and answers, so only the answers tell that its shards are gone.
 */
START_TEST(an_empty_disk_is_noticed)
{
	struct world *w = world_new(&(struct world_opts){
	    .seed = 21, .nodes = 10, .code = (struct code_params){ 4, 7, 8 } });
	size_t victim;
	uint64_t before;

	world_put_ok(w, "photo", 900000);
	world_put_ok(w, "note", 9000);
	before = world_shards_of_all(w);
	victim = world_holder(w, "photo", 0, 3);
	ck_assert_uint_gt(world_shards(w, victim), 0);
	world_lose_disk(w, victim);
	ck_assert_uint_eq(world_shards(w, victim), 0);
	/* A tour, a question, a denial, a repair. */
	ck_assert(world_reaches(w, "photo", 4, MINUTES(3)));
	ck_assert(world_reaches(w, "note", 4, MINUTES(3)));
	sim_run_for(world_sim(w), MINUTES(90));
	ck_assert_uint_eq(world_shards_of_all(w), before);
	world_new_client(w);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	ck_assert_int_eq(world_get(w, "note", NULL), ERR_OK);
	world_free(w);
}
END_TEST

/* Everybody's disk in turn, each time as soon as all is whole again. */
START_TEST(every_disk_is_lost_once)
{
	enum { SEVEN = 7 };
	struct world *w = world_new(&(struct world_opts){
	    .seed = 22, .nodes = SEVEN, .code = (struct code_params){ 2, 4, 5 } });

	world_put_ok(w, "photo", 600000);
	for (size_t i = 0; i < SEVEN; i++) {
		world_lose_disk(w, i);
		ck_assert_msg(world_reaches(w, "photo", 3, MINUTES(10)), "after %zu disks", i + 1);
	}
	world_new_client(w);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_free(w);
}
END_TEST

/* The disk is found again a day later, with all that was on it, also what was deleted since. */
START_TEST(a_disk_that_is_back_late)
{
	struct world *w = world_new(&(struct world_opts){
	    .seed = 23, .nodes = 10, .code = (struct code_params){ 4, 7, 8 } });
	uint64_t with_both, kept;
	struct sim_disk *old;
	size_t victim;

	world_put_ok(w, "photo", 900000);
	kept = world_shards_of_all(w);
	world_put_ok(w, "goes", 700000);
	with_both = world_shards_of_all(w);
	victim = world_holder(w, "goes", 0, 3);
	old = world_swap_disk(w, victim, NULL);
	ck_assert(world_reaches(w, "photo", 4, MINUTES(5)));
	ck_assert(world_reaches(w, "goes", 4, MINUTES(5)));
	ck_assert_uint_ge(world_shards_of_all(w), with_both);
	ck_assert_int_eq(world_delete(w, "goes"), ERR_OK);
	sim_run_for(world_sim(w), HOURS(2));
	old = world_swap_disk(w, victim, old);
	ck_assert_uint_gt(world_shards(w, victim), 0);
	/* Duplicates go after a day, at this pace after 72 minutes. */
	sim_run_for(world_sim(w), HOURS(3));
	ck_assert_uint_eq(world_shards_of_all(w), kept);
	ck_assert_int_eq(world_margin(w, "photo"), 4);
	world_new_client(w);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	sim_disk_free(old);
	world_free(w);
}
END_TEST

/* ---- nobody watches ---- */

static bool
first_chunk_is_whole(struct world *w)
{
	bool whole = true;

	for (uint8_t i = 0; i < 8; i++)
		whole &= world_holder(w, "photo", 0, i) != SIZE_MAX;
	return whole;
}

/*
 * Each node has a place for two of the seven others that hold the same chunks. All are there: that
 * most are not watched moves nothing. Three go, of whom nobody watches more than two, which alone
 * would be no reason to repair: that is noticed.
 */
START_TEST(who_is_not_watched_does_not_live_for_ever)
{
	struct world *w = world_new(&(struct world_opts){ .seed = 25,
	    .nodes = 12,
	    .code = (struct code_params){ 4, 5, 8 },
	    .neighbours_max = 2 });
	uint64_t kept;

	world_put_ok(w, "photo", 900000);
	kept = world_shards_of_all(w);
	sim_run_for(world_sim(w), HOURS(5));
	ck_assert_uint_eq(world_rebuilt(w), 0);
	ck_assert_uint_eq(world_shards_of_all(w), kept);
	for (uint8_t i = 1; i < 4; i++)
		world_kill(w, world_holder(w, "photo", 0, i));
	ck_assert(!first_chunk_is_whole(w));
	for (int i = 0; i < 60 && !first_chunk_is_whole(w); i++)
		sim_run_for(world_sim(w), MINUTES(2));
	ck_assert(first_chunk_is_whole(w));
	world_new_client(w);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_free(w);
}
END_TEST

/* ---- cut in two ---- */

enum { NODES = 16, K = 2, N = 6 };

/* Which nodes hold a chunk, as bits. */
static unsigned
holders(struct world *w, const char *name, uint64_t chunk)
{
	unsigned set = 0;

	for (uint8_t i = 0; i < N; i++)
		set |= 1u << world_holder(w, name, chunk, i);
	return set;
}

static bool
enough(unsigned set, unsigned half)
{
	return __builtin_popcount(set & half) >= K && __builtin_popcount(set & ~half) >= K;
}

/* Half of the nodes, so that both halves can rebuild each chunk. */
static unsigned
choose_half(const unsigned *sets, size_t count)
{
	struct sim_random r;

	sim_random_init(&r, 1, 2);
	for (;;) {
		unsigned half = (unsigned)sim_random_below(&r, 1u << NODES);
		bool fits = __builtin_popcount(half) == NODES / 2;

		for (size_t i = 0; i < count && fits; i++)
			fits = enough(sets[i], half);
		if (fits)
			return half;
	}
}

/* Those in half and the others hear nothing of each other; the client is with the others. */
static void
cut(struct world *w, unsigned half)
{
	for (size_t i = 0; i < NODES; i++)
		sim_node_island(world_env(w, i), half >> i & 1);
	sim_cut(world_sim(w), 0, 1);
	sim_cut(world_sim(w), 1, 0);
}

/*
 * Both halves have k and more, and both rebuild what they miss; one deletes a file. When the cut is
 * over every index is there once more than it needs to be, and then once.
 */
START_TEST(two_halves_that_both_repair)
{
	struct world *w = world_new(&(struct world_opts){
	    .seed = 24, .nodes = NODES, .code = (struct code_params){ K, N - 1, N } });
	unsigned sets[4];
	uint64_t kept, during;

	world_put_ok(w, "photo", 200000);
	kept = world_shards_of_all(w);
	world_put_ok(w, "goes", 200000);
	sim_run_for(world_sim(w), MINUTES(2));
	sets[0] = holders(w, "photo", 0);
	sets[1] = holders(w, "photo", UINT64_MAX);
	sets[2] = holders(w, "goes", 0);
	sets[3] = holders(w, "goes", UINT64_MAX);
	cut(w, choose_half(sets, ARRAY_LEN(sets)));
	ck_assert(world_reaches(w, "photo", 4, MINUTES(60)));
	ck_assert(world_reaches(w, "goes", 4, MINUTES(60)));
	/* The other half needs its time, too; nobody asks it anything. */
	sim_run_for(world_sim(w), MINUTES(30));
	during = world_shards_of_all(w);
	ck_assert_uint_gt(during, kept);
	ck_assert_int_eq(world_delete(w, "goes"), ERR_OK);
	sim_run_for(world_sim(w), MINUTES(5));
	sim_heal(world_sim(w));
	/* They find each other, tell, learn of the deletion; duplicates wait for 72 minutes. */
	sim_run_for(world_sim(w), HOURS(6));
	ck_assert_uint_eq(world_shards_of_all(w), kept);
	ck_assert_int_eq(world_margin(w, "photo"), 4);
	world_new_client(w);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/losses");

	crypto_use_stand_in(); /* networks of hours; what is sealed is not the question */

	suite_add(s, "disks", 120, an_empty_disk_is_noticed, every_disk_is_lost_once,
	    a_disk_that_is_back_late, NULL);
	suite_add(s, "places", 120, who_is_not_watched_does_not_live_for_ever, NULL);
	suite_add(s, "cuts", 120, two_halves_that_both_repair, NULL);
	return suite_main(s);
}
