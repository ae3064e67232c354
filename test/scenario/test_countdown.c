/*
 * What is stored stays, whatever one node's disk does meanwhile: every operation that changes a
 * store, with a fault at each of its operations on the disk (countdown.h).
 */
#include "overlay/base/crypto_stand_in.h"
#include "test/scenario/countdown.h"
#include "test/unit/suite.h"

#define NODES 4 /* as many as shards: everybody holds one of each chunk */

static void
put(struct scene *s, const char *name, uint64_t bytes)
{
	struct file_put_result result;
	size_t i = 0;
	int err =
	    world_put(s->w, &(struct world_put_opts){ .name = name, .bytes = bytes }, &result);

	if (err != ERR_OK) {
		scene_wrong(s, "put of %s: %s", name, err_text(err));
		return;
	}
	while (s->kept[i] != NULL)
		i++;
	s->kept[i] = name;
}

static uint64_t
now(const struct scene *s)
{
	return sim_now(world_sim(s->w));
}

static void
run_for(struct scene *s, uint64_t time)
{
	sim_run_for(world_sim(s->w), time);
}

/* ---- put ---- */

static void
put_prepare(struct scene *s)
{
	put(s, "old", 100000);
	run_for(s, SECONDS(30));
	s->victim = 1;
}

/* Three receipts of four are enough, so one disk stops nobody. */
static void
put_act(struct scene *s)
{
	put(s, "new", 300000);
	run_for(s, SECONDS(5));
}

static const struct story put_story = {
	.name = "put",
	.nodes = NODES,
	.prepare = put_prepare,
	.act = put_act,
	.puts = true,
	.points_least = { 10, 0 },
};

/* ---- collection and compaction ---- */

/* So that two segments lie behind the head, and both have what stays and what goes. */
static void
fill(struct scene *s)
{
	put(s, "stays", 100000);
	s->shards_expected = world_shards_of_all(s->w);
	world_put_ok(s->w, "goes", 1500000);
	s->shards_expected = 0 - world_shards_of_all(s->w) + s->shards_expected;
	put(s, "stays too", 100000);
	s->shards_expected += world_shards_of_all(s->w);
	world_put_ok(s->w, "goes too", 1500000);
	s->victim = 2;
	run_for(s, SECONDS(30));
}

static void delete (struct scene *s)
{
	int err = world_delete(s->w, "goes"), err2 = world_delete(s->w, "goes too");

	if (err != ERR_OK || err2 != ERR_OK)
		scene_wrong(s, "delete: %s, %s", err_text(err), err_text(err2));
}

/* Marks and drops; the space comes later. */
static void
collect_act(struct scene *s)
{
	delete (s);
	run_for(s, SECONDS(3));
}

static const struct story collect_story = {
	.name = "collect",
	.nodes = NODES,
	.prepare = fill,
	.act = collect_act,
	.points_least = { 10, 0 },
};

static void
compact_prepare(struct scene *s)
{
	uint64_t end = now(s) + SECONDS(10);

	fill(s);
	delete (s);
	while (world_shards_of_all(s->w) != s->shards_expected && now(s) < end)
		run_for(s, MILLISECONDS(10));
	ck_assert_uint_eq(world_store_status(s->w, s->victim).compactions, 0);
}

static void
compact_act(struct scene *s)
{
	run_for(s, SECONDS(25)); /* two ticks */
}

static const struct story compact_story = {
	.name = "compact",
	.nodes = NODES,
	.prepare = compact_prepare,
	.act = compact_act,
	.points_least = { 20, 10 },
};

/* ---- repair ---- */

static void
repair_prepare(struct scene *s)
{
	bool holds[WORLD_NODES_MAX] = { false };

	put(s, "photo", 300000);
	run_for(s, SECONDS(30));
	s->dead = world_holder(s->w, "photo", 0, 0);
	for (uint8_t i = 0; i < 4; i++)
		holds[world_holder(s->w, "photo", 0, i)] = true;
	for (size_t i = 0; i < s->nodes; i++)
		s->victim = holds[i] ? s->victim : i;
}

/* Who holds others of the chunk: reads, rebuilds, writes down the new sibling. */
static void
rebuild_prepare(struct scene *s)
{
	repair_prepare(s);
	s->victim = world_holder(s->w, "photo", 0, 2);
}

static void
repair_act(struct scene *s)
{
	world_kill(s->w, s->dead);
	run_for(s, SECONDS(120));
}

static const struct story repair_story = {
	.name = "repair",
	.nodes = NODES + 1,
	.prepare = repair_prepare,
	.act = repair_act,
	.points_least = { 8, 0 },
};

static const struct story rebuild_story = {
	.name = "rebuild",
	.nodes = NODES + 1,
	.prepare = rebuild_prepare,
	.act = repair_act,
	.points_least = { 2, 2 },
};

/* ---- leave ---- */

static void
leave_prepare(struct scene *s)
{
	repair_prepare(s);
	s->victim = s->dead;
	s->dead = SIZE_MAX;
	s->leaves = true;
}

static void
leave_act(struct scene *s)
{
	ck_assert_int_eq(keeper_leave(node_keeper(world_peer(s->w, s->victim))), ERR_OK);
	run_for(s, SECONDS(60));
}

/* Who died before it was written down is told once more; who did not has not forgotten it. */
static bool
leave_done(struct scene *s)
{
	struct keeper *k = node_keeper(world_peer(s->w, s->victim));
	struct keeper_status status;

	keeper_status(k, &status);
	if (!status.leaving)
		ck_assert_int_eq(keeper_leave(k), ERR_OK);
	return world_shards(s->w, s->victim) == 0;
}

static const struct story leave_story = {
	.name = "leave",
	.nodes = NODES + 2,
	.prepare = leave_prepare,
	.act = leave_act,
	.done = leave_done,
	.points_least = { 4, 4 },
};

/* ---- scrub ---- */

static void
scrub_prepare(struct scene *s)
{
	put(s, "photo", 300000);
	run_for(s, SECONDS(30));
	s->victim = world_holder(s->w, "photo", 0, 0);
	world_spoil(s->w, s->victim);
	s->spoilt = true;
}

static void
scrub_act(struct scene *s)
{
	struct keeper_status status = { 0 };
	uint64_t end = now(s) + HOURS(3), bad = world_shards(s->w, s->victim);

	while (world_alive(s->w, s->victim) && status.scrub_rot < bad && now(s) < end) {
		run_for(s, SECONDS(60));
		status = world_keeper_status(s->w, s->victim);
	}
	run_for(s, SECONDS(60));
}

static const struct story scrub_story = {
	.name = "scrub",
	.nodes = NODES + 1,
	.prepare = scrub_prepare,
	.act = scrub_act,
	.done = scene_sound,
	.points_least = { 2, 2 },
};

START_TEST(put_with_a_fault)
{
	countdown_walk(&put_story);
}
END_TEST

START_TEST(collection_with_a_fault)
{
	countdown_walk(&collect_story);
}
END_TEST

START_TEST(compaction_with_a_fault)
{
	countdown_walk(&compact_story);
}
END_TEST

START_TEST(repair_with_a_fault_where_it_is_placed)
{
	countdown_walk(&repair_story);
}
END_TEST

START_TEST(repair_with_a_fault_at_a_sibling)
{
	countdown_walk(&rebuild_story);
}
END_TEST

START_TEST(leave_with_a_fault)
{
	countdown_walk(&leave_story);
}
END_TEST

START_TEST(scrub_with_a_fault)
{
	countdown_walk(&scrub_story);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/countdown");

	crypto_use_stand_in(); /* it is the disk that is looked at */

	suite_add(s, "countdown", getenv("SKERRY_FAULTS") != NULL ? 3600 : 120, put_with_a_fault,
	    collection_with_a_fault, compaction_with_a_fault,
	    repair_with_a_fault_where_it_is_placed, repair_with_a_fault_at_a_sibling,
	    leave_with_a_fault, scrub_with_a_fault, NULL);
	return suite_main(s);
}
