/*
 * Audits: who does not keep what it should is found out, its shards are made anew elsewhere, and
 * what was found can be judged by whom it may concern; who merely has a bad line is left alone.
 */
#include <stdlib.h>

#include "sim/liar.h"
#include "storage/evidence.h"
#include "storage/store_values.h"
#include "test/scenario/world.h"
#include "test/unit/suite.h"

#define NODES 12

static struct world *
network(uint64_t seed)
{
	return world_new(&(struct world_opts){
	    .seed = seed, .nodes = NODES, .code = { .k = 4, .r = 7, .n = 8 } });
}

static struct liar *
make_liar(struct world *w, size_t node, unsigned kinds)
{
	struct liar *l;

	ck_assert_int_eq(liar_new(&(struct liar_opts){ .world = world_sim(w),
				      .node = world_peer(w, node),
				      .kinds = kinds,
				      .rate_ppm = 1000000,
				      .seed = 7,
				      .store_dir = "/node/store" },
			     &l),
	    ERR_OK);
	return l;
}

/* How many of the others have it out; *all: how many of anybody. */
static size_t
outs(struct world *w, size_t node, size_t *all)
{
	struct contact who = world_contact(w, node);
	struct node_standing s;
	size_t count = 0;

	*all = 0;
	for (size_t i = 0; i < NODES; i++) {
		for (size_t j = 0; keeper_standing(world_keeper(w, i), j, &s); j++) {
			*all += s.out;
			count += s.out && pubkey_equal(&s.node.pub, &who.pub);
		}
	}
	return count;
}

struct look {
	struct keeper *k;
	struct pubkey node;
	struct buf kept;
};

static int
look_task(void *arg)
{
	struct look *l = arg;

	return keeper_evidence(l->k, &l->node, &l->kept);
}

/* What one keeps against another, judged by who has nothing but the file; FOUND_HELD: nothing. */
static enum evidence_finding
finding_of(struct world *w, size_t keeps, size_t node)
{
	struct contact who = world_contact(w, node);
	struct look l = { .k = world_keeper(w, keeps), .node = who.pub };
	struct evidence *e = malloc(sizeof(*e));
	enum evidence_finding f = FOUND_HELD;

	ck_assert_ptr_nonnull(e);
	buf_init(&l.kept, STORE_VALUE_MAX);
	if (sim_run_task(world_sim(w), world_env(w, keeps), look_task, &l) == ERR_OK) {
		ck_assert_int_eq(evidence_unpack(buf_bytes(&l.kept), e), ERR_OK);
		ck_assert(pubkey_equal(&e->challenge.node, &who.pub));
		ck_assert_int_eq(evidence_judge(e, &f), ERR_OK);
	}
	buf_fini(&l.kept);
	free(e);
	return f;
}

/* The strongest thing that anybody keeps against it. */
static enum evidence_finding
best_finding(struct world *w, size_t node)
{
	enum evidence_finding best = FOUND_HELD;

	for (size_t i = 0; i < NODES; i++) {
		enum evidence_finding f = finding_of(w, i, node);

		if (evidence_strength(f) > evidence_strength(best))
			best = f;
	}
	return best;
}

/* In that time so many have it out; what anybody keeps against it never gets weaker meanwhile. */
static bool
scored_out(struct world *w, size_t node, size_t by, uint64_t time)
{
	uint64_t end = sim_now(world_sim(w)) + time;
	int kept[NODES] = { 0 };
	size_t all;

	while (sim_now(world_sim(w)) < end) {
		sim_run_for(world_sim(w), MINUTES(1));
		for (size_t i = 0; i < NODES; i++) {
			int now = evidence_strength(finding_of(w, i, node));

			ck_assert_int_ge(now, kept[i]);
			kept[i] = now;
		}
		if (outs(w, node, &all) >= by)
			return true;
	}
	return false;
}

/* All n indices of every chunk at nodes that tell the truth. */
static void
whole_without(struct world *w, const char *name, size_t liar)
{
	struct file_info info;
	int least;

	world_kill(w, liar);
	ck_assert_int_eq(world_survey(w, name, &info, &least), ERR_OK);
	ck_assert_int_eq(least, 4);
	ck_assert_int_eq(world_get(w, name, NULL), ERR_OK);
}

/* A holder of a photo begins to lie; in that time so many others have it out. */
static size_t
caught(struct world *w, unsigned kinds, size_t by, uint64_t time, struct liar **l)
{
	size_t liar;

	world_put_ok(w, "photo", 900000);
	liar = world_holder(w, "photo", 0, 3);
	*l = make_liar(w, liar, kinds);
	ck_assert(scored_out(w, liar, by, time));
	return liar;
}

/* Nobody else is out, and so much can be shown. */
static void
convicted(struct world *w, size_t liar, enum evidence_finding finding)
{
	size_t all;

	ck_assert_uint_eq(outs(w, liar, &all), all);
	ck_assert_int_eq(best_finding(w, liar), finding);
}

START_TEST(who_forges_is_scored_out)
{
	struct world *w = network(1);
	struct liar *l;
	size_t liar = caught(w, LIAR_FORGE, 3, HOURS(12), &l);

	convicted(w, liar, FOUND_FORGED);
	sim_run_for(world_sim(w), MINUTES(20));
	liar_free(l);
	whole_without(w, "photo", liar);
	world_free(w);
}
END_TEST

/* Everybody who has to do with it asks it by hand so often, as fast as it answers one. */
static void
ask_often(struct world *w, size_t node, int times)
{
	struct contact who = world_contact(w, node);
	struct audit_wish wish = { .id = bytes_of(who.id.b, sizeof(who.id.b)) };
	uint64_t ticket;

	for (int i = 0; i < times; i++) {
		for (size_t by = 0; by < NODES; by++) {
			/* Not himself; not who shares no chunk with it. */
			int err = keeper_audit(world_keeper(w, by), &wish, &ticket);

			ck_assert(err == ERR_OK || err == ERR_NOT_FOUND);
		}
		sim_run_for(world_sim(w), SECONDS(200));
	}
}

/* It signs that it keeps what it has dropped, and tells its siblings that it has it. */
START_TEST(who_drops_what_it_signed_for_is_scored_out)
{
	struct world *w = network(2);
	char film[] = "film 0";
	size_t liar, all;
	uint64_t before;
	struct liar *l;

	world_put_ok(w, "photo", 3000000);
	liar = world_holder(w, "photo", 0, 3);
	sim_run_for(world_sim(w), MINUTES(2));
	/* So it has signed to most of them that it has most of its shards. */
	ask_often(w, liar, 14);
	ck_assert_uint_eq(outs(w, liar, &all), 0);
	ck_assert_uint_eq(all, 0);
	l = make_liar(w, liar, LIAR_RECEIPTS);
	/* The first shard that it takes of a film makes it drop what it has. */
	before = world_shards(w, liar);
	do {
		film[5]++;
		world_put_ok(w, film, 900000);
	} while (world_shards(w, liar) >= before / 2);
	ck_assert(scored_out(w, liar, 2, HOURS(24)));
	convicted(w, liar, FOUND_BROKEN);
	sim_run_for(world_sim(w), HOURS(2));
	liar_free(l);
	whole_without(w, "film 1", liar);
	world_free(w);
}
END_TEST

static void
useless_one(uint64_t seed, unsigned kind, enum evidence_finding finding)
{
	struct world *w = network(seed);
	struct liar *l;
	/* When one has given it up its shards come to others, who ask it no more. */
	size_t liar = caught(w, kind, 1, HOURS(24), &l);

	convicted(w, liar, finding);
	sim_run_for(world_sim(w), MINUTES(20));
	ck_assert_uint_gt(world_rebuilt(w), 0);
	ck_assert_int_eq(world_get(w, "photo", NULL), ERR_OK);
	liar_free(l);
	world_free(w);
}

START_TEST(who_answers_late_is_scored_out)
{
	useless_one(3, LIAR_LATE, FOUND_WORD);
}
END_TEST

START_TEST(who_does_not_answer_audits_is_scored_out)
{
	useless_one(4, LIAR_MUTE, FOUND_WORD);
}
END_TEST

/* One in twenty packets of everybody is lost. */
START_TEST(a_bad_line_is_no_lie)
{
	struct world *w = world_new(&(struct world_opts){ .seed = 5,
	    .nodes = NODES,
	    .code = { .k = 4, .r = 7, .n = 8 },
	    .regions = true,
	    .faults = { .loss_ppm = 50000 } });
	struct keeper_status s;
	uint64_t audits = 0;
	size_t all;

	world_put_ok(w, "photo", 900000);
	sim_run_for(world_sim(w), HOURS(3));
	for (size_t i = 0; i < NODES; i++) {
		s = world_keeper_status(w, i);
		audits += s.audits;
		ck_assert_uint_eq(s.audits_failed, 0);
	}
	ck_assert_uint_gt(audits, 60);
	ck_assert_uint_eq(outs(w, 0, &all), 0);
	ck_assert_uint_eq(all, 0);
	world_free(w);
}
END_TEST

/* What was learnt of a node outlives a restart. */
START_TEST(a_standing_is_kept)
{
	struct world *w = network(6);
	struct liar *l;
	size_t liar = caught(w, LIAR_FORGE, 3, HOURS(12), &l), all;
	size_t before = outs(w, liar, &all);

	liar_free(l);
	for (size_t i = 0; i < NODES; i++) {
		if (i != liar)
			world_restart(w, i);
	}
	sim_run_for(world_sim(w), MINUTES(1));
	ck_assert_uint_ge(outs(w, liar, &all), before);
	world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/audit");

	suite_add(s, "audit", 120, who_forges_is_scored_out,
	    who_drops_what_it_signed_for_is_scored_out, who_answers_late_is_scored_out,
	    who_does_not_answer_audits_is_scored_out, a_bad_line_is_no_lie, a_standing_is_kept,
	    NULL);
	return suite_main(s);
}
