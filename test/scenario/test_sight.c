/* What operators see: who could stop what, what is due and what runs. */
#include <stdlib.h>

#include "storage/keeper_sight.h"
#include "test/scenario/world.h"
#include "test/unit/suite.h"

#define NODES 8

static const struct code_params code = { 4, 7, 8 };

static struct world *
network(uint64_t seed)
{
	struct world *w =
	    world_new(&(struct world_opts){ .seed = seed, .nodes = NODES, .code = code });

	world_put_ok(w, "photo", 900000);
	return w;
}

static const char *
country_of(struct world *w, size_t node)
{
	return dht_self(node_dht(world_peer(w, node)))->country;
}

/* Chunks of the file that country alone could stop, from who really lives: every node holds one
 * shard of each. */
static bool
could_stop(struct world *w, const char country[2])
{
	size_t live = 0, its = 0;

	for (size_t i = 0; i < NODES; i++) {
		if (!world_alive(w, i))
			continue;
		live++;
		its += memcmp(country_of(w, i), country, 2) == 0;
	}
	return live >= code.k && live - its < code.k;
}

static void
compare_countries(struct world *w, const struct keeper_status *s)
{
	bool any = false, named = false;

	for (size_t i = 0; i < NODES; i++) {
		bool one = world_alive(w, i) && could_stop(w, country_of(w, i));

		any |= one;
		named |= one && memcmp(country_of(w, i),
				    s->parties.worst[PARTY_COUNTRY].who.country, 2) == 0;
	}
	ck_assert_uint_eq(s->parties.chunks, s->chunks);
	ck_assert_uint_eq(s->parties.stopped[PARTY_COUNTRY], any ? s->chunks : 0);
	ck_assert_uint_eq(s->parties.worst_stops[PARTY_COUNTRY], any ? s->chunks : 0);
	ck_assert(named == any);
	ck_assert_uint_eq(s->parties.stopped[PARTY_OPERATOR], 0); /* each its own, and two may go */
}

START_TEST(who_could_stop_what)
{
	struct world *w = network(21);
	struct keeper_status s;

	sim_run_for(world_sim(w), MINUTES(5));
	s = world_keeper_status(w, 0);
	ck_assert_uint_gt(s.chunks, 3);
	ck_assert_uint_eq(s.leases, s.chunks);
	ck_assert_uint_eq(s.described, NODES - 1);
	compare_countries(w, &s);
	ck_assert_uint_eq(s.parties.stopped[PARTY_COUNTRY], 0);
	/* Nobody is there to take what is missing: they stay so few. */
	for (size_t i = NODES - 3; i < NODES; i++)
		world_kill(w, i);
	sim_run_for(world_sim(w), MINUTES(10));
	s = world_keeper_status(w, 0);
	compare_countries(w, &s);
	ck_assert_uint_gt(s.parties.stopped[PARTY_COUNTRY], 0);
	world_free(w);
}
END_TEST

/* All that is due is listed, in order, with its reason; when somebody can take it, it runs. */
START_TEST(the_queue_and_what_runs)
{
	struct world *w = network(22);
	struct keeper_due due[64], few[2];
	struct keeper_job jobs[KEEPER_JOBS_MAX];
	struct keeper_status s;
	size_t count, ran = 0, moved = 0;
	uint64_t before[NODES] = { 0 };

	ck_assert_uint_eq(keeper_due_list(world_keeper(w, 0), due, 64), 0);
	world_kill(w, NODES - 1);
	sim_run_for(world_sim(w), MINUTES(5));
	s = world_keeper_status(w, 0);
	count = keeper_due_list(world_keeper(w, 0), due, 64);
	ck_assert_uint_eq(count, s.due);
	ck_assert_uint_eq(count, s.chunks);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(due[i].alive, 7);
		ck_assert(due[i].state != DUE_RUNNING && due[i].state != DUE_PAUSED);
		ck_assert(i == 0 || due[i].waits <= due[i - 1].waits);
	}
	/* The shorter list is the head of the longer one. */
	ck_assert_uint_eq(keeper_due_list(world_keeper(w, 0), few, 2), count);
	ck_assert(
	    hash_equal(&few[0].chunk, &due[0].chunk) && hash_equal(&few[1].chunk, &due[1].chunk));
	ck_assert_uint_eq(keeper_jobs(world_keeper(w, 0), jobs, 0), 0);
	world_add(w);
	for (int i = 0; i < 40000 && moved == 0; i++) {
		sim_run_for(world_sim(w), MILLISECONDS(10));
		for (size_t node = 0; node < NODES - 1; node++) {
			struct keeper *k = world_keeper(w, node);

			count = keeper_jobs(k, jobs, ARRAY_LEN(jobs));
			ran += count;
			for (size_t j = 0; j < count; j++) {
				ck_assert_uint_le(jobs[j].alive, 7);
				ck_assert(!jobs[j].moving);
				moved += jobs[j].fetched;
			}
			s = world_keeper_status(w, node);
			ck_assert_uint_ge(s.running, count);
			/* What is under way counts, and no number falls when it ends. */
			ck_assert_uint_ge(s.bytes_fetched, before[node]);
			before[node] = s.bytes_fetched;
			for (size_t j = 0; j < count; j++)
				ck_assert_uint_ge(s.bytes_fetched, jobs[j].fetched);
		}
	}
	ck_assert_uint_gt(ran, 0);
	ck_assert_uint_gt(moved, 0);
	sim_run_for(world_sim(w), SECONDS(1));
	count = 0;
	for (size_t node = 0; node < NODES - 1; node++)
		count += world_keeper_status(w, node).repair_rate;
	ck_assert_uint_gt(count, 0);
	sim_run_for(world_sim(w), MINUTES(10));
	for (size_t node = 0; node < NODES - 1; node++) {
		ck_assert_uint_eq(keeper_jobs(world_keeper(w, node), jobs, 16), 0);
		ck_assert_uint_eq(world_keeper_status(w, node).repair_rate, 0);
		ck_assert_uint_eq(world_keeper_status(w, node).due, 0);
	}
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/sight");

	suite_add(s, "sight", 120, who_could_stop_what, the_queue_and_what_runs, NULL);
	return suite_main(s);
}
