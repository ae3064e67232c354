/*
 * The claims of repair in small: what it costs, what is lost, what an outage does, beside what
 * arithmetic expects. Each run replays from its seed; sim/scenarios/ has the large ones.
 */
#include <math.h>
#include <stdlib.h>

#include "test/scenario/scenario_run.h"
#include "test/unit/suite.h"

static struct result *
run(const struct scenario *s, uint64_t nodes, uint64_t span)
{
	return scenario_run(
	    (struct run_opts){ .scenario = s, .nodes = nodes, .seed = 5, .span = span }, ERR_OK);
}

static void
keepers(struct scenario *s, uint8_t k, uint8_t r, uint8_t n)
{
	scenario_init(s);
	s->storing = 1000;
	s->code = (struct code_params){ .k = k, .r = r, .n = n };
	s->repair_pace = 30;
	s->calm = 6;
	s->warmup = MINUTES(1);
	s->object_puts_per_hour = 1200;
	s->object_least = s->object_most = KIB(32);
	s->objects_max = 12;
	s->users = 1;
}

START_TEST(repair_costs_and_loses_as_the_chain_says)
{
	const struct result_keeping *k;
	struct scenario s;
	struct result *r;
	double stored; /* bytes × ns */

	keepers(&s, 4, 6, 8);
	s.grace = HOURS(10);
	s.announce = false;
	s.replace_lost = true;
	s.churn = true;
	ck_assert_int_eq(lifetime_parse("exponential mean 4h", &s.life, NULL), ERR_OK);
	r = run(&s, 50, HOURS(6));
	k = &r->keeping;
	ck_assert_uint_ge(k->repairs, 60);
	ck_assert_double_le(k->lost_low, k->lost_expected);
	ck_assert_double_ge(k->lost_high, k->lost_expected);
	/* Some hundred repairs: within a fifth. */
	ck_assert_double_eq_tol((double)(k->moved_bytes + k->own_bytes) / k->course_bytes, 1, 0.2);
	/* B of it but for one shard of the six that a repair takes, which is at hand. */
	stored =
	    (double)k->stored_bytes / (double)(k->chunks - k->lost) * (double)k->watched_ms * 1e6;
	ck_assert_double_eq_tol(
	    (double)r->repair_expected_bytes / (k->rate * stored), 5.0 / 6, 0.05);
	/* Half of all repairs begin within 12 h and a little (24 minutes here). */
	ck_assert_uint_le(k->times[k->times_count / 2], MINUTES(26));
	ck_assert_uint_ge(k->times[k->times_count / 2], MINUTES(20));
	ck_assert_uint_eq(r->objects_wrong, 0);
	/* Nobody new could find them, so none was read. */
	ck_assert_uint_eq(r->objects_read, 0);
	scenario_done(r);
}
END_TEST

/* A fifth is away for five hours, ten minutes here. */
START_TEST(an_outage_that_ends_moves_nothing)
{
	struct scenario s;
	struct result *r;

	keepers(&s, 10, 20, 24); /* four gone make it due, not urgent */
	s.faults[s.faults_count++] = (struct fault){ .name = "away",
		.kind = FAULT_KILL,
		.at_ppm = 400000,
		.span = MINUTES(10),
		.span_ppm = UINT32_MAX,
		.share_ppm = 200000 };
	r = run(&s, 60, MINUTES(45));
	ck_assert_uint_ge(r->keeping.chunks, 20);
	ck_assert_uint_eq(r->keeping.lost, 0);
	ck_assert_uint_eq(r->keeping.moved_bytes, 0);
	ck_assert_uint_eq(r->objects_unread, 0);
	scenario_done(r);
}
END_TEST

/* Those that are gone are replaced, and who has least to spare waits least. */
START_TEST(a_loss_is_mended_most_endangered_first)
{
	const struct result_keeping *k;
	struct scenario s;
	struct result *r;
	uint64_t mended = 0;

	keepers(&s, 8, 14, 16);
	s.repair_bytes_s = KIB(32);
	s.object_least = s.object_most = KIB(256);
	s.objects_max = 24;
	s.faults[s.faults_count++] = (struct fault){ .name = "gone",
		.kind = FAULT_GONE,
		.at_ppm = 300000,
		.span = MINUTES(1),
		.span_ppm = UINT32_MAX,
		.share_ppm = 200000 };
	r = run(&s, 60, MINUTES(60));
	k = &r->keeping;
	ck_assert_uint_eq(k->lost, 0);
	ck_assert_uint_eq(k->overtakes, 0);
	for (size_t i = 0; i < RESULT_SPARE; i++)
		mended += k->by_spare[i].begun;
	ck_assert_uint_ge(mended, 20);
	/* All were below r for a while, none is in the end. */
	ck_assert_uint_ge(k->repairs, mended * 9 / 10);
	ck_assert_uint_eq(r->objects_unread, 0);
	ck_assert_uint_eq(r->deaths, 12);
	scenario_done(r);
}
END_TEST

/* The network chooses the code, so r is its chunks': two fifths away are often below r, seldom
 * below k. */
START_TEST(a_chosen_code_is_known)
{
	const struct result_keeping *k;
	struct scenario s;
	struct result *r;

	keepers(&s, 0, 0, 0);
	s.faults[s.faults_count++] = (struct fault){ .name = "away",
		.kind = FAULT_KILL,
		.at_ppm = 500000,
		.span = MINUTES(5),
		.span_ppm = UINT32_MAX,
		.share_ppm = 400000 };
	r = run(&s, 60, MINUTES(30));
	k = &r->keeping;
	ck_assert_uint_gt(k->chunks, 0);
	ck_assert_uint_eq(r->codes_count, 1);
	ck_assert_uint_eq(r->k, r->codes[0].k);
	ck_assert_uint_gt(r->r, r->k);
	ck_assert_uint_gt(r->n, r->r);
	ck_assert_uint_lt(k->at_risk[0][0], k->at_risk[2][0]);
	scenario_done(r);
}
END_TEST

/* Months are of the pace of repair, which is that of all else only where none is said. */
START_TEST(months_follow_the_pace_of_repair)
{
	static const uint64_t paces[][3] = { { 10, 1, 1 }, { 2, 30, 30 }, { 5, 0, 5 } };

	for (size_t i = 0; i < ARRAY_LEN(paces); i++) {
		struct scenario s;
		struct result *r;

		keepers(&s, 2, 3, 4);
		s.pace = paces[i][0];
		s.repair_pace = paces[i][1];
		r = run(&s, 50, MINUTES(10));
		ck_assert_uint_gt(r->keeping.chunks, 0);
		ck_assert_uint_eq(r->keeping.pace, paces[i][2]);
		scenario_done(r);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/keeping");

	suite_add(s, "keeping", 300, repair_costs_and_loses_as_the_chain_says,
	    an_outage_that_ends_moves_nothing, a_loss_is_mended_most_endangered_first,
	    a_chosen_code_is_known, months_follow_the_pace_of_repair, NULL);
	return suite_main(s);
}
