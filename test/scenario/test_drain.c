/* Planned maintenance: who says that he will be away is waited for, but not for ever and not where
 * little is left. */
#include <stdlib.h>

#include "storage/keeper_private.h"
#include "test/scenario/world.h"
#include "test/unit/suite.h"

#define NODES 12

/* Repaired at the first loss; two may be away at once before a chunk is near its end. */
static const struct code_params eager = { 4, 7, 8 };

static struct world *
network(uint64_t seed)
{
	struct world *w =
	    world_new(&(struct world_opts){ .seed = seed, .nodes = NODES, .code = eager });

	world_put_ok(w, "photo", 900000);
	sim_run_for(world_sim(w), MINUTES(2));
	return w;
}

/* Until all its siblings that live know. */
static void
drain(struct world *w, size_t node, uint64_t seconds)
{
	struct keeper *k = world_keeper(w, node);

	ck_assert_int_eq(keeper_drain(k, world_unix_s(world_peer(w, node)) + seconds), ERR_OK);
	sim_run_for(world_sim(w), SECONDS(2));
	ck_assert_uint_gt(world_keeper_status(w, node).neighbours, 0);
	ck_assert_uint_eq(world_keeper_status(w, node).drain_untold, 0);
}

/* It takes nothing, others do; it gives what it has; after a restart it is still so; then not. */
START_TEST(takes_nothing_and_serves)
{
	struct world *w = network(31);
	size_t node = world_holder(w, "photo", 0, 2);
	uint64_t shards = world_shards(w, node), until;

	drain(w, node, 1800);
	until = world_keeper_status(w, node).drain_until;
	ck_assert_uint_gt(until, 0);
	world_put_ok(w, "second", 900000);
	ck_assert_uint_eq(world_shards(w, node), shards);
	world_restart(w, node);
	/* From the first moment on. */
	ck_assert(!keeper_takes_shards(world_keeper(w, node)));
	ck_assert_uint_eq(world_keeper_status(w, node).drain_until, until);
	sim_run_for(world_sim(w), SECONDS(10));
	world_put_ok(w, "third", 900000);
	ck_assert_uint_eq(world_shards(w, node), shards);
	ck_assert_int_eq(world_margin(w, "photo"), 4);
	/* Its own pieces are read: of eight, all but it and three others are away. */
	for (uint8_t i = 0, killed = 0; killed < 3; i++) {
		size_t other = world_holder(w, "photo", 0, i);

		if (other == node)
			continue;
		world_kill(w, other);
		killed++;
	}
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	sim_run_for(world_sim(w), MINUTES(31));
	ck_assert_uint_eq(world_keeper_status(w, node).drain_until, 0);
	ck_assert(keeper_takes_shards(world_keeper(w, node)));
	world_free(w);
}
END_TEST

/* An hour away, twenty times longer than what else counts as gone: nothing is rebuilt; it is back.
 */
START_TEST(is_waited_for)
{
	struct world *w = network(32);
	size_t node = world_holder(w, "photo", 0, 5);
	struct keeper_status s;

	drain(w, node, 3600);
	world_kill(w, node);
	sim_run_for(world_sim(w), MINUTES(58));
	ck_assert_uint_eq(world_rebuilt(w), 0);
	s = world_keeper_status(w, world_holder(w, "photo", 0, 0));
	ck_assert_uint_eq(s.away, 1);
	ck_assert_uint_eq(s.silent, 1);
	ck_assert_uint_eq(s.gone, 0);
	ck_assert_uint_eq(s.due, 0);
	world_restart(w, node);
	sim_run_for(world_sim(w), MINUTES(30));
	ck_assert_uint_eq(world_rebuilt(w), 0);
	ck_assert_int_eq(world_margin(w, "photo"), 4);
	world_free(w);
}
END_TEST

/* After its time it is as gone as anybody. */
START_TEST(is_not_waited_for_longer)
{
	struct world *w = network(33);
	size_t node = world_holder(w, "photo", 0, 5);

	drain(w, node, 1200);
	world_kill(w, node);
	sim_run_for(world_sim(w), MINUTES(19));
	ck_assert_uint_eq(world_rebuilt(w), 0);
	ck_assert(world_reaches(w, "photo", 4, MINUTES(5)));
	world_free(w);
}
END_TEST

/* Taken back: everybody knows, and a loss is a loss again. */
START_TEST(can_be_taken_back)
{
	struct world *w = network(34);
	size_t node = world_holder(w, "photo", 0, 5);
	struct keeper *k = world_keeper(w, node);

	drain(w, node, 20000);
	ck_assert(!keeper_takes_shards(k));
	ck_assert_int_eq(keeper_drain_cancel(k), ERR_OK);
	ck_assert(keeper_takes_shards(k));
	sim_run_for(world_sim(w), SECONDS(2));
	ck_assert_uint_eq(world_keeper_status(w, node).drain_untold, 0);
	world_kill(w, node);
	ck_assert(world_reaches(w, "photo", 4, MINUTES(5)));
	world_free(w);
}
END_TEST

/* Three are away at once: five of eight, with four needed, are too few to wait. */
START_TEST(what_is_near_its_end_does_not_wait)
{
	struct world *w = network(35);
	size_t away[3];

	for (uint8_t i = 0; i < 3; i++) {
		away[i] = world_holder(w, "photo", 0, i);
		drain(w, away[i], 7200);
	}
	for (int i = 0; i < 2; i++)
		world_kill(w, away[i]);
	sim_run_for(world_sim(w), MINUTES(20));
	ck_assert_uint_eq(world_rebuilt(w), 0);
	ck_assert_int_ge(world_margin(w, "photo"), 2);
	world_kill(w, away[2]);
	ck_assert_int_eq(world_margin(w, "photo"), 1);
	/* Other chunks are short of one or two only, and wait. */
	ck_assert(world_reaches(w, "photo", 2, MINUTES(20)));
	ck_assert_uint_gt(world_rebuilt(w), 0);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	world_free(w);
}
END_TEST

static bool
twice_there(struct world *w, size_t node)
{
	const struct held *h;
	size_t cursor = 0;

	while ((h = ledger_next(world_keeper(w, node)->ledger, &cursor)) != NULL) {
		for (size_t i = 0; i < NODES; i++) {
			if (i != node && world_alive(w, i) && h->index != INDEX_NONE &&
			    ledger_find(world_keeper(w, i)->ledger, &h->chunk, h->index) != NULL)
				return true;
		}
	}
	return false;
}

/* One is away and two die: their pieces of what all three hold are rebuilt, and not the first
 * one's.
 */
START_TEST(a_loss_meanwhile_is_repaired_alone)
{
	struct world *w =
	    world_new(&(struct world_opts){ .seed = 36, .nodes = NODES, .code = { 2, 6, 8 } });
	size_t away, dead[2];

	world_put_ok(w, "photo", 900000);
	sim_run_for(world_sim(w), MINUTES(2));
	away = world_holder(w, "photo", 0, 1);
	dead[0] = world_holder(w, "photo", 0, 6);
	dead[1] = world_holder(w, "photo", 0, 3);
	drain(w, away, 7200);
	world_kill(w, away);
	sim_run_for(world_sim(w), MINUTES(20));
	ck_assert_uint_eq(world_rebuilt(w), 0);
	world_kill(w, dead[0]);
	world_kill(w, dead[1]);
	sim_run_for(world_sim(w), MINUTES(40));
	ck_assert_uint_ne(world_holder(w, "photo", 0, 6), SIZE_MAX);
	ck_assert_uint_ne(world_holder(w, "photo", 0, 3), SIZE_MAX);
	ck_assert_uint_eq(world_holder(w, "photo", 0, 1), SIZE_MAX);
	/* Others are short of one of the dead, and perhaps of who is away: they wait. */
	ck_assert_int_ge(world_margin(w, "photo"), 4);
	world_restart(w, away);
	sim_run_for(world_sim(w), MINUTES(2));
	ck_assert(!twice_there(w, away));
	world_free(w);
}
END_TEST

/* Who asks it in the minute before its record says so is refused, told why, and finds another. */
START_TEST(says_why_it_refuses)
{
	struct world *w =
	    world_new(&(struct world_opts){ .seed = 38, .nodes = NODES, .code = { 4, 11, 12 } });
	struct file_put_result r;

	world_put_ok(w, "photo", 900000);
	ck_assert_int_eq(
	    keeper_drain(world_keeper(w, 3), world_unix_s(world_peer(w, 3)) + 3600), ERR_OK);
	ck_assert_int_eq(
	    world_put(w, &(struct world_put_opts){ .name = "more", .bytes = 900000 }, &r), ERR_OK);
	ck_assert_uint_gt(r.refusals.busy, 0);
	ck_assert_uint_eq(r.refusals.full + r.refusals.other, 0);
	ck_assert_int_eq(world_get(w, "more", NULL), ERR_OK);
	world_free(w);
}
END_TEST

START_TEST(no_longer_than_a_day)
{
	struct world *w = network(37);
	struct keeper *k = world_keeper(w, 0);
	uint64_t now = world_unix_s(world_peer(w, 0));

	ck_assert_int_eq(keeper_drain(k, now), ERR_INVALID);
	ck_assert_int_eq(keeper_drain(k, now + 24 * 3600 + 1), ERR_INVALID);
	ck_assert(keeper_takes_shards(k));
	ck_assert_int_eq(keeper_drain_cancel(k), ERR_OK);
	ck_assert_int_eq(keeper_drain(k, now + 24 * 3600), ERR_OK);
	ck_assert(!keeper_takes_shards(k));
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/drain");

	suite_add(s, "drain", 120, takes_nothing_and_serves, is_waited_for,
	    is_not_waited_for_longer, can_be_taken_back, what_is_near_its_end_does_not_wait,
	    a_loss_meanwhile_is_repaired_alone, says_why_it_refuses, no_longer_than_a_day, NULL);
	return suite_main(s);
}
