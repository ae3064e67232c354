/*
 * Faults of the timeline against the rest of a scenario: churn does not lift them, nor does the end
 * of another fault. What a run measures is the witness.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dht/record.h"
#include "overlay/base/crypto_stand_in.h"
#include "sim/timeline.h"
#include "test/scenario/scenario_run.h"
#include "test/unit/suite.h"

#define NODES 50
#define HOUR  UINT64_C(3600000) /* of a node, in ms */

static void
still(struct scenario *s)
{
	scenario_init(s);
	s->storing = 0;
	s->users = 0;
	s->stale_ppm = 0;
	s->warmup = MINUTES(1);
}

/* at and span in percent of an hour. */
static struct fault *
add(struct scenario *s, enum fault_kind kind, uint32_t at, uint32_t span, uint32_t share)
{
	struct fault *f = &s->faults[s->faults_count];

	*f = (struct fault){ .kind = kind,
		.at_ppm = at * 10000,
		.span_ppm = span * 10000,
		.share_ppm = share * 10000 };
	(void)snprintf(f->name, sizeof(f->name), "fault-%zu", s->faults_count++);
	return f;
}

static struct result *
run(const struct scenario *s)
{
	char error[SCENARIO_ERROR_MAX];

	ck_assert_msg(scenario_check(s, error) == ERR_OK, "%s", error);
	return scenario_run(
	    (struct run_opts){ .scenario = s, .nodes = NODES, .seed = 1, .span = HOURS(1) },
	    ERR_OK);
}

static uint64_t
node_ms(const struct scenario *s)
{
	struct result *r = run(s);
	uint64_t ms = r->node_ms;

	scenario_done(r);
	return ms;
}

/* 25 of 50 are away for 48 minutes: 30 node-hours are left, and the seconds of coming back. */
static void
keeps_half_down(const struct scenario *s)
{
	uint64_t ms = node_ms(s);

	ck_assert_uint_ge(ms, 29 * HOUR);
	ck_assert_uint_le(ms, 32 * HOUR);
}

START_TEST(churn_starts_nobody_whom_a_fault_holds)
{
	static const enum fault_kind kinds[] = { FAULT_KILL, FAULT_POWER, FAULT_GONE };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct scenario s;

		still(&s);
		add(&s, kinds[i], 10, 80, 50);
		keeps_half_down(&s);
		s.churn = true; /* nobody's session ends, but who stops is churn's */
		keeps_half_down(&s);
		ck_assert_int_eq(lifetime_parse("fixed 2m", &s.absence, NULL), ERR_OK);
		keeps_half_down(&s);
	}
}
END_TEST

START_TEST(churn_starts_no_machine_whose_disk_crashed)
{
	struct scenario s;
	uint64_t still_ms, churn_ms;

	still(&s);
	s.storing = NODES;
	s.users = 1;
	s.code = (struct code_params){ .k = 2, .r = 3, .n = 4 };
	s.object_puts_per_hour = 600;
	s.object_most = KIB(32);
	add(&s, FAULT_DISK_CRASH, 10, 80, 30);
	still_ms = node_ms(&s);
	s.churn = true;
	churn_ms = node_ms(&s);
	ck_assert_uint_le(still_ms, 46 * HOUR); /* most of the fifteen did crash */
	ck_assert_uint_le(churn_ms, 46 * HOUR);
}
END_TEST

/* An absence that began before the fault lasts as long as it would have without it. */
START_TEST(a_fault_gives_back_only_what_it_took)
{
	struct scenario s;
	uint64_t without, with;

	still(&s);
	s.churn = true;
	ck_assert_int_eq(lifetime_parse("exponential mean 30m", &s.session, NULL), ERR_OK);
	ck_assert_int_eq(lifetime_parse("fixed 5h", &s.absence, NULL), ERR_OK);
	without = node_ms(&s);
	add(&s, FAULT_KILL, 50, 1, 100);
	with = node_ms(&s);
	ck_assert_uint_le(without, 40 * HOUR);
	ck_assert_uint_le(with, without + 3 * HOUR);
}
END_TEST

/* ---- two at once ---- */

static struct result *
with_lookups(struct scenario *s)
{
	s->lookups_per_hour = 400;
	return run(s);
}

/* Of lives as long as the run half are over in its half, not all at one moment. */
START_TEST(lives_are_found_in_their_middle)
{
	struct scenario s;
	struct result *r;
	uint32_t half;

	still(&s);
	s.churn = true;
	ck_assert_int_eq(lifetime_parse("fixed 1h", &s.life, NULL), ERR_OK);
	r = run(&s);
	half = r->samples[r->samples_count / 2].gone;
	ck_assert_msg(half > NODES / 4 && half < NODES * 3 / 4, "%u are gone by then", half);
	ck_assert_uint_eq(r->deaths, NODES);
	scenario_done(r);
}
END_TEST

/* Nobody comes or goes by himself. */
START_TEST(whom_faults_stop_went_and_came)
{
	struct scenario s;
	struct result *r;

	still(&s);
	add(&s, FAULT_KILL, 10, 20, 50);
	add(&s, FAULT_POWER, 20, 20, 100); /* half of them are away */
	add(&s, FAULT_GONE, 60, 5, 10);
	r = run(&s);
	ck_assert_uint_eq(r->leaves, NODES);
	ck_assert_uint_eq(r->deaths, NODES / 10);
	ck_assert_uint_eq(r->joins, r->leaves + r->deaths);
	scenario_done(r);
}
END_TEST

START_TEST(the_end_of_one_kill_lifts_no_other)
{
	struct scenario s;

	still(&s);
	add(&s, FAULT_KILL, 10, 80, 50);
	add(&s, FAULT_KILL, 20, 1, 100);
	keeps_half_down(&s);
}
END_TEST

START_TEST(the_worst_loss_counts)
{
	struct scenario s;
	struct result *r;

	still(&s);
	add(&s, FAULT_LOSS, 10, 80, 0)->rate_ppm = 1000000;
	add(&s, FAULT_LOSS, 20, 1, 0)->rate_ppm = 10000;
	r = with_lookups(&s);
	ck_assert_uint_gt(r->lookups_failed * 10, r->lookups * 7);
	scenario_done(r);
}
END_TEST

START_TEST(the_end_of_one_partition_heals_no_other)
{
	struct scenario s;
	struct result *one, *both;

	still(&s);
	add(&s, FAULT_PARTITION, 10, 85, 50);
	one = with_lookups(&s);
	add(&s, FAULT_PARTITION, 12, 2, 100);
	both = with_lookups(&s);
	ck_assert_uint_lt(one->recall_found * 100, one->recall_true * 70);
	ck_assert_uint_lt(both->recall_found * 100, both->recall_true * 70);
	scenario_done(one);
	scenario_done(both);
}
END_TEST

/* A fleet whose timeline is looked at while it goes on. */
struct stage {
	struct fleet *fleet;
	struct timeline *timeline;
	struct result *result;
};

static void
changed(void *arg, struct member *m)
{
	struct stage *g = arg;

	if (g->timeline != NULL)
		timeline_changed(g->timeline, m);
}

static void
stage_init(struct stage *g, const struct scenario *s)
{
	memset(g, 0, sizeof(*g));
	g->result = calloc(1, sizeof(*g->result));
	ck_assert_ptr_nonnull(g->result);
	result_init(g->result);
	g->fleet = fleet_new(&(struct fleet_opts){
	    .seed = 1, .members = NODES, .scenario = s, .changed = changed, .arg = g });
	fleet_start_all(g->fleet);
	g->timeline = timeline_new(g->fleet, HOURS(1), g->result);
}

static void
stage_fini(struct stage *g)
{
	timeline_free(g->timeline);
	g->timeline = NULL;
	fleet_free(g->fleet);
	scenario_done(g->result);
}

static size_t
liars(const struct stage *g, unsigned lies)
{
	size_t count = 0;

	for (size_t i = 0; i < fleet_count(g->fleet); i++)
		count += fleet_member(g->fleet, i)->lies == lies;
	return count;
}

START_TEST(who_lied_before_lies_on)
{
	unsigned drop, stale;
	struct scenario s;
	struct stage g;
	size_t own;

	ck_assert(liar_kinds_parse("drop", &drop) && liar_kinds_parse("stale", &stale));
	still(&s);
	s.liars_ppm = 300000;
	s.lies = drop;
	add(&s, FAULT_LIE, 10, 50, 100)->lies = stale;
	add(&s, FAULT_LIE, 20, 10, 100)->lies = stale;
	stage_init(&g, &s);
	own = liars(&g, drop);
	ck_assert_uint_ge(own, 5);
	sim_run_for(fleet_world(g.fleet), MINUTES(45 * 60 / 100));
	ck_assert_uint_eq(liars(&g, drop | stale), own);
	ck_assert_uint_eq(liars(&g, stale), NODES - own);
	sim_run_for(fleet_world(g.fleet), MINUTES(30));
	ck_assert_uint_eq(liars(&g, drop), own);
	ck_assert_uint_eq(liars(&g, 0), NODES - own);
	stage_fini(&g);
}
END_TEST

/* How wrong the clock of member i is, ms; 0 while it is away. */
static int64_t
wrong_by(const struct stage *g, size_t i)
{
	const struct member *m = fleet_member(g->fleet, i);

	if (m->env == NULL)
		return 0;
	return (int64_t)(env_wall_ms(m->env) - SIM_EPOCH_MS) -
	       (int64_t)(sim_now(fleet_world(g->fleet)) / MILLISECONDS(1));
}

/* Each by what it says, from wherever the clock was; away or not, and for good. */
START_TEST(clocks_jump_and_stay)
{
	int64_t before[NODES];
	struct scenario s;
	struct stage g;

	still(&s);
	s.clock_skew_ms = 60000;
	add(&s, FAULT_KILL, 10, 20, 50);
	add(&s, FAULT_CLOCK, 20, 1, 100)->jump_ms = 3600000;
	add(&s, FAULT_CLOCK, 40, 1, 100)->jump_ms = -600000;
	add(&s, FAULT_KILL, 50, 10, 50);
	add(&s, FAULT_GONE, 70, 10, 2)->count = 1;
	stage_init(&g, &s);
	for (size_t i = 0; i < NODES; i++)
		before[i] = wrong_by(&g, i);
	sim_run_for(fleet_world(g.fleet), MINUTES(65 * 60 / 100));
	for (size_t i = 0; i < NODES; i++)
		ck_assert_int_eq(wrong_by(&g, i), before[i] + 3000000);
	sim_run_for(fleet_world(g.fleet), MINUTES(25 * 60 / 100));
	for (size_t i = 0; i < NODES; i++) { /* an heir has a machine of its own */
		bool heir = fleet_member(g.fleet, i)->generation > 0;

		ck_assert_int_eq(wrong_by(&g, i), before[i] + (heir ? 0 : 3000000));
	}
	stage_fini(&g);
}
END_TEST

/* ---- places ---- */

static size_t
most_of_a_provider(struct fleet *f)
{
	size_t most = 0;

	for (size_t i = 0; i < NODES; i++) {
		size_t same = 0;

		for (size_t j = 0; j < NODES; j++)
			same += fleet_member(f, i)->place.as_number ==
				fleet_member(f, j)->place.as_number;
		most = MAX(most, same);
	}
	return most;
}

START_TEST(places_fall_silent_as_a_whole)
{
	static const char *const where[] = { "as 0", "as 11", "net24", "country NZ", "region eu" };
	struct scenario s;
	struct stage g;
	size_t silent = 0;

	still(&s);
	s.per_net24 = 5;
	for (size_t i = 0; i < ARRAY_LEN(where); i++)
		strcpy(add(&s, FAULT_OUTAGE, 10 + 10 * (uint32_t)i, 5, 0)->where, where[i]);
	stage_init(&g, &s);
	sim_run_for(fleet_world(g.fleet), MINUTES(8));
	for (size_t i = 0; i < NODES; i++)
		silent += sim_node_in_outage(fleet_member(g.fleet, i)->env);
	ck_assert_uint_eq(silent, most_of_a_provider(g.fleet));
	ck_assert_uint_eq(g.result->marks[0].struck, silent);
	sim_run_for(fleet_world(g.fleet), MINUTES(50));
	ck_assert_uint_eq(g.result->marks[1].struck, 0); /* ten networks, fewer than 12 providers */
	ck_assert_uint_eq(g.result->marks[2].struck, 5);
	ck_assert_uint_gt(g.result->marks[4].struck, g.result->marks[2].struck);
	ck_assert_str_eq(g.result->marks[4].kind, "outage");
	stage_fini(&g);
}
END_TEST

/* ---- Sybils ---- */

static void
besieged(struct scenario *s, uint64_t count, const char *lies)
{
	struct fault *f;

	still(s);
	f = add(s, FAULT_SYBILS, 10, 50, 0);
	f->count = count;
	ck_assert(liar_kinds_parse(lies, &f->lies));
}

/* Two a minute, and they are real: they fail in a network that is down. */
START_TEST(what_sybils_surround_is_put_and_got)
{
	struct scenario s;
	struct result *fair, *down;

	besieged(&s, 20, "drop, withhold");
	fair = run(&s);
	ck_assert_uint_eq(fair->marks[0].struck, 20);
	ck_assert_uint_ge(fair->attacked_puts, 55);
	ck_assert_uint_le(fair->attacked_puts, 60);
	ck_assert_uint_ge(fair->attacked_gets, 55);
	/* The region is put to and asked as a whole, honest peers in it are enough. */
	ck_assert_uint_eq(fair->attacked_puts_failed + fair->attacked_gets_failed, 0);
	ck_assert_uint_eq(fair->record_puts + fair->record_gets, 0);
	add(&s, FAULT_LOSS, 30, 10, 0)->rate_ppm = 1000000;
	down = run(&s);
	ck_assert_uint_ge(down->attacked_puts_failed, 8);
	ck_assert_uint_ge(down->attacked_gets_failed, 5);
	scenario_done(fair);
	scenario_done(down);
}
END_TEST

/* Those closest to the record that is asked for are Sybils. */
static void
is_surrounded(const struct stage *g, const struct key *seed)
{
	const uint8_t salt[16] = { 0 };
	struct oracle_entry near[5];
	struct sign_key secret;
	struct pubkey owner;
	struct id key;

	crypto_sign_key_from_seed(seed, &secret, &owner);
	signed_key(&owner, salt, &key);
	ck_assert_uint_eq(oracle_closest(fleet_oracle(g->fleet), &key, UINT32_MAX, near, 5), 5);
	for (size_t i = 0; i < 5; i++)
		ck_assert_ptr_nonnull(fleet_member(g->fleet, near[i].member)->ground);
}

START_TEST(sybils_end_with_their_fault)
{
	struct scenario s;
	struct stage g;
	struct key owner;

	besieged(&s, 5, "drop");
	stage_init(&g, &s);
	sim_run_for(fleet_world(g.fleet), MINUTES(20));
	ck_assert_uint_eq(fleet_up(g.fleet), NODES + 5);
	ck_assert(timeline_attacked(g.timeline, 0, &owner));
	is_surrounded(&g, &owner);
	sim_run_for(fleet_world(g.fleet), MINUTES(20));
	ck_assert(!timeline_attacked(g.timeline, 0, &owner));
	ck_assert_uint_eq(fleet_offline(g.fleet), 0);
	ck_assert_uint_eq(fleet_up(g.fleet), NODES);
	fleet_wake_all(g.fleet);
	sim_run_for(fleet_world(g.fleet), MINUTES(5));
	ck_assert_uint_eq(fleet_up(g.fleet), NODES);
	stage_fini(&g);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/faults");

	crypto_use_stand_in();
	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "churn", 300, churn_starts_nobody_whom_a_fault_holds,
	    churn_starts_no_machine_whose_disk_crashed, a_fault_gives_back_only_what_it_took,
	    lives_are_found_in_their_middle, whom_faults_stop_went_and_came, NULL);
	suite_add(s, "two at once", 300, the_end_of_one_kill_lifts_no_other, the_worst_loss_counts,
	    the_end_of_one_partition_heals_no_other, who_lied_before_lies_on, NULL);
	suite_add(s, "clocks", 60, clocks_jump_and_stay, NULL);
	suite_add(s, "places", 60, places_fall_silent_as_a_whole, NULL);
	suite_add(s, "sybils", 300, what_sybils_surround_is_put_and_got,
	    sybils_end_with_their_fault, NULL);
	return suite_main(s);
}
