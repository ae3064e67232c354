/*
 * Faults of the timeline against the rest of a scenario: churn does not lift them, nor does the end
 * of another fault. What a run measures is the witness.
 */
#include <stdio.h>
#include <stdlib.h>

#include "overlay/base/crypto_stand_in.h"
#include "sim/run.h"
#include "test/unit/suite.h"

#define NODES 50
#define HOUR  UINT64_C(3600000) /* of a node, in ms */

static uint64_t
nothing(void *arg)
{
	(void)arg;
	return 0;
}

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
	struct result *r = calloc(1, sizeof(*r));
	char error[SCENARIO_ERROR_MAX];

	ck_assert_ptr_nonnull(r);
	ck_assert_msg(scenario_check(s, error) == ERR_OK, "%s", error);
	result_init(r);
	ck_assert_int_eq(run_scenario(&(struct run_opts){ .scenario = s,
					  .nodes = NODES,
					  .seed = 1,
					  .span = HOURS(1),
					  .stand_in = true,
					  .host = { nothing, nothing, nothing, NULL, NULL, NULL } },
			     r),
	    ERR_OK);
	return r;
}

static void
done(struct result *r)
{
	result_fini(r);
	free(r);
}

static uint64_t
node_ms(const struct scenario *s)
{
	struct result *r = run(s);
	uint64_t ms = r->node_ms;

	done(r);
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

int
main(void)
{
	Suite *s = suite_create("scenario/faults");

	crypto_use_stand_in();
	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "churn", 300, churn_starts_nobody_whom_a_fault_holds,
	    churn_starts_no_machine_whose_disk_crashed, a_fault_gives_back_only_what_it_took, NULL);
	return suite_main(s);
}
