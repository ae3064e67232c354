/*
 * Whole runs of scenarios: they replay, they measure, the page of them is whole. That each shipped
 * file runs is the business of test/e2e/sim.
 */
#include <stdlib.h>

#include "overlay/base/crypto_stand_in.h"
#include "sim/liar.h"
#include "sim/report.h"
#include "test/scenario/scenario_run.h"
#include "test/unit/suite.h"

#define PAGE_MAX MIB(4)

static void
a_day(struct scenario *s)
{
	scenario_init(s);
	s->storing = 12;
	s->code = (struct code_params){ .k = 2, .r = 3, .n = 4 };
	s->lookups_per_hour = 600;
	s->record_puts_per_hour = 120;
	s->record_gets_per_hour = 240;
	s->object_puts_per_hour = 60;
	s->object_gets_per_hour = 60;
	s->object_most = KIB(64);
	s->churn = true;
	ck_assert_int_eq(lifetime_parse("exponential mean 1h", &s->session, NULL), ERR_OK);
	ck_assert_int_eq(lifetime_parse("exponential mean 2m", &s->absence, NULL), ERR_OK);
	s->faults[s->faults_count++] = (struct fault){ .name = "<cut & back>",
		.kind = FAULT_PARTITION,
		.at_ppm = 400000,
		.span_ppm = 200000,
		.share_ppm = 300000 };
}

static struct result *
run(const struct scenario *s, uint64_t seed)
{
	return scenario_run(
	    (struct run_opts){
		.scenario = s, .nodes = 50, .seed = seed, .span = MINUTES(30), .lookups = 20 },
	    ERR_OK);
}

START_TEST(a_run_replays_and_measures)
{
	struct scenario s;
	struct result *a, *b, *c;

	a_day(&s);
	a = run(&s, 1);
	b = run(&s, 1);
	c = run(&s, 2);
	ck_assert_uint_eq(a->event_hash, b->event_hash);
	ck_assert_uint_eq(a->events, b->events);
	ck_assert_uint_ne(a->event_hash, c->event_hash);
	ck_assert_uint_eq(a->samples_count, RESULT_SAMPLES + 1);
	ck_assert_uint_gt(a->lookup_first.count, 100);
	ck_assert_uint_gt(a->put.count, 10);
	ck_assert_uint_gt(a->objects_put, 5);
	ck_assert_uint_gt(a->joins, 5);
	ck_assert_uint_eq(a->objects_lost + a->objects_unread + a->objects_wrong, 0);
	ck_assert_uint_ge(a->objects_read, a->objects_put);
	ck_assert_uint_eq(a->objects_read, a->objects_kept);
	ck_assert_uint_gt(a->recall_found * 100, a->recall_true * 80);
	scenario_done(a);
	scenario_done(b);
	scenario_done(c);
}
END_TEST

struct stopping {
	const char *phase;
	unsigned looks; /* since the phase began */
};

static void
see_phase(void *arg, const struct run_progress *p)
{
	struct stopping *s = arg;

	s->looks = strcmp(p->phase, s->phase) == 0 ? s->looks + 1 : 0;
}

static bool
is_enough(void *arg)
{
	return ((struct stopping *)arg)->looks >= 3;
}

/* What would never end: it must be asked within a phase, whatever that is at. gives. */
static struct result *
run_until_stopped(const struct scenario *s, uint64_t span, const char *phase)
{
	struct stopping stopping = { .phase = phase };
	struct result *r = scenario_run(
	    (struct run_opts){ .scenario = s,
		.nodes = 50,
		.seed = 1,
		.span = span,
		.lookups = UINT64_MAX,
		.host = { .progress = see_phase, .stop = is_enough, .arg = &stopping } },
	    ERR_CANCELED);

	ck_assert(r->interrupted);
	return r;
}

START_TEST(a_run_can_be_stopped)
{
	struct scenario s;
	struct result *r;

	a_day(&s);
	r = run_until_stopped(&s, MINUTES(10), "looking up");
	ck_assert_uint_eq(r->ran, r->span);
	ck_assert_uint_gt(r->objects_kept, 0); /* counted, though none was read back */
	ck_assert_uint_eq(r->objects_kept + r->objects_lost + r->objects_unseen, r->objects_put);
	scenario_done(r);
	r = run_until_stopped(&s, HOURS(10000), "running");
	ck_assert_uint_gt(r->ran, 0);
	ck_assert_uint_lt(r->ran, HOURS(10000));
	/* The warm-up counts, too; nothing that was not run does. */
	ck_assert_uint_le(r->node_ms, 50 * (r->ran + s.warmup) / MILLISECONDS(1));
	scenario_done(r);
	s.lookups_per_hour = 10000000;
	s.warmup = DAYS(400);
	r = run_until_stopped(&s, MINUTES(10), "warm-up");
	ck_assert_uint_eq(r->ran, 0);
	scenario_done(r);
}
END_TEST

/* Nothing comes or goes: upkeep is as much in each part of the first two hours. */
START_TEST(a_run_begins_in_the_middle)
{
	uint64_t pings[4] = { 0 }, lookups[4] = { 0 };
	struct result *r;
	struct scenario s;

	scenario_init(&s);
	s.storing = 0;
	s.users = 0;
	s.stale_ppm = 0;
	r = scenario_run(
	    (struct run_opts){ .scenario = &s, .nodes = 100, .seed = 1, .span = HOURS(2) }, ERR_OK);
	for (size_t i = 0; i < RESULT_SAMPLES; i++) {
		const uint64_t *sent = r->samples[i + 1].sent_bytes;

		pings[i * 4 / RESULT_SAMPLES] += sent[TRAFFIC_UPKEEP];
		lookups[i * 4 / RESULT_SAMPLES] += sent[TRAFFIC_LOOKUP];
	}
	/* The first are padded: nobody has a token yet. */
	for (size_t i = 0; i < 4; i++) {
		ck_assert_uint_le(pings[i], 2 * pings[3]);
		ck_assert_uint_ge(pings[i], pings[3] / 2);
		ck_assert_uint_le(lookups[i], 2 * lookups[3]);
		ck_assert_uint_ge(lookups[i], lookups[3] / 2);
	}
	scenario_done(r);
}
END_TEST

static struct result *
run_churn(const char *session, const char *absence, struct scenario *s)
{
	a_day(s);
	s->faults_count = 0;
	ck_assert_int_eq(lifetime_parse(session, &s->session, NULL), ERR_OK);
	ck_assert_int_eq(lifetime_parse(absence, &s->absence, NULL), ERR_OK);
	return scenario_run(
	    (struct run_opts){ .scenario = s, .nodes = 120, .seed = 1, .span = MINUTES(90) },
	    ERR_OK);
}

/* As many are up in the beginning as later: two thirds of 120, give or take three sigmas. */
START_TEST(some_are_away_when_a_run_begins)
{
	uint64_t parts[3] = { 0 };
	struct scenario s;
	struct result *r = run_churn("exponential mean 1h", "exponential mean 30m", &s);

	for (size_t i = 0; i < RESULT_SAMPLES; i++)
		parts[i * 3 / RESULT_SAMPLES] += r->samples[i].up;
	ck_assert_uint_ge(r->samples[0].up, 64);
	ck_assert_uint_le(r->samples[0].up, 96);
	for (size_t i = 0; i < 3; i++) {
		ck_assert_uint_ge(parts[i] / (RESULT_SAMPLES / 3), 68);
		ck_assert_uint_le(parts[i] / (RESULT_SAMPLES / 3), 92);
	}
	ck_assert_uint_gt(r->joins, 80);
	ck_assert_uint_gt(r->objects_put, 20);
	ck_assert_uint_eq(r->objects_kept, r->objects_put);
	scenario_done(r);
}
END_TEST

/* Nearly nobody is up for long: a chunk has its four peers all the same when users come. */
START_TEST(whom_a_run_needs_is_there)
{
	struct scenario s;
	struct result *r = run_churn("exponential mean 3m", "exponential mean 20h", &s);

	ck_assert_uint_ge(r->samples[0].up, s.code.n);
	ck_assert_uint_le(r->samples[0].up, 12);
	ck_assert_uint_ge(r->objects_put, 1);
	scenario_done(r);
}
END_TEST

/* Most of those who store give wrong bytes: what is acknowledged cannot even be looked up. */
START_TEST(what_was_never_seen_is_not_kept)
{
	struct scenario s;
	struct result *r;

	a_day(&s);
	s.churn = false;
	s.faults_count = 0;
	s.storing = 50;
	s.liars_ppm = 900000;
	ck_assert(liar_kinds_parse("wrong", &s.lies));
	r = scenario_run(
	    (struct run_opts){ .scenario = &s, .nodes = 50, .seed = 1, .span = MINUTES(20) },
	    ERR_OK);
	ck_assert_uint_gt(r->objects_put, 5);
	ck_assert_uint_gt(r->objects_unseen, 0);
	ck_assert_uint_lt(r->objects_kept, r->objects_put);
	ck_assert_uint_eq(r->objects_kept + r->objects_lost + r->objects_unseen, r->objects_put);
	ck_assert_uint_le(r->objects_read, r->objects_kept);
	scenario_done(r);
}
END_TEST

/* Their events are counted, so their time is. */
START_TEST(lookups_in_the_end_take_time)
{
	struct result *r;
	struct scenario s;

	scenario_init(&s);
	s.storing = 0;
	s.users = 0;
	s.warmup = 0;
	r = scenario_run(
	    (struct run_opts){
		.scenario = &s, .nodes = 50, .seed = 1, .span = MINUTES(10), .lookups = 2000 },
	    ERR_OK);
	/* 64 at a time, and none ends within a tenth of a second. */
	ck_assert_uint_gt(r->node_ms, UINT64_C(50) * (600000 + 2000 / 64 * 100));
	ck_assert(!r->interrupted);
	ck_assert_uint_eq(r->ran, r->span);
	scenario_done(r);
}
END_TEST

/* Lines so thin that never nothing is under way. */
START_TEST(lookups_do_not_wait_for_other_work)
{
	struct result *r;
	struct scenario s;

	a_day(&s);
	s.churn = false;
	s.lookups_per_hour = 0;
	s.up_bytes_s = s.down_bytes_s = KIB(3);
	s.object_puts_per_hour = 1800;
	s.object_gets_per_hour = 0;
	s.objects_max = 10000;
	s.object_least = KIB(64);
	r = scenario_run(
	    (struct run_opts){
		.scenario = &s, .nodes = 50, .seed = 1, .span = MINUTES(10), .lookups = 1 },
	    ERR_OK);
	ck_assert_uint_eq(r->lookups, 1);
	scenario_done(r);
}
END_TEST

/* Every element that is opened is closed, in order; void elements stand alone. */
static void
balanced(char *page)
{
	static const char *const voids[] = { "meta", "!doctype", "rect/", "line/" };
	char names[64][16];
	size_t depth = 0;

	for (char *at = strchr(page, '<'); at != NULL; at = strchr(at + 1, '<')) {
		size_t len = strcspn(at + 1 + (at[1] == '/'), " >/");
		const char *end = strchr(at, '>');
		char name[16];
		bool alone = false;

		ck_assert_ptr_nonnull(end);
		ck_assert_uint_lt(len, sizeof(name));
		memcpy(name, at + 1 + (at[1] == '/'), len);
		name[len] = '\0';
		for (size_t i = 0; i < ARRAY_LEN(voids); i++)
			alone |= strcmp(name, voids[i]) == 0;
		if (alone || end[-1] == '/')
			continue;
		if (at[1] != '/') {
			ck_assert_uint_lt(depth, ARRAY_LEN(names));
			strcpy(names[depth++], name);
			continue;
		}
		ck_assert_uint_gt(depth, 0);
		ck_assert_str_eq(names[--depth], name);
	}
	ck_assert_uint_eq(depth, 0);
}

START_TEST(the_page_is_whole)
{
	static const char *const must_have[] = { "Members", "Lookups", "Sent by a node",
		"Chunks by shards", "Objects", "Repair traffic", "lookups by paths",
		"prefers-color-scheme", "&lt;cut &amp; back&gt;" };
	struct scenario s;
	struct result *r;
	struct buf page;

	a_day(&s);
	r = run(&s, 3);
	buf_init(&page, PAGE_MAX);
	ck_assert_int_eq(report_html(r, &page), ERR_OK);
	ck_assert_int_eq(buf_append(&page, "", 1), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(must_have); i++)
		ck_assert_msg(strstr((char *)page.data, must_have[i]) != NULL, "%s", must_have[i]);
	ck_assert_ptr_null(strstr((char *)page.data, "nan"));
	ck_assert_ptr_null(strstr((char *)page.data, "<cut"));
	ck_assert_ptr_null(strstr((char *)page.data, "http"));
	balanced((char *)page.data);
	buf_fini(&page);
	scenario_done(r);
}
END_TEST

START_TEST(a_page_of_nothing_is_a_page)
{
	struct result *r = calloc(1, sizeof(*r));
	struct buf page;

	ck_assert_ptr_nonnull(r);
	result_init(r);
	buf_init(&page, PAGE_MAX);
	ck_assert_int_eq(report_html(r, &page), ERR_OK);
	ck_assert_int_eq(buf_append(&page, "", 1), ERR_OK);
	ck_assert_ptr_null(strstr((char *)page.data, "nan"));
	balanced((char *)page.data);
	buf_fini(&page);
	scenario_done(r);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("run");

	crypto_use_stand_in();
	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "runs", 120, a_run_replays_and_measures, the_page_is_whole,
	    a_run_can_be_stopped, what_was_never_seen_is_not_kept, a_run_begins_in_the_middle,
	    some_are_away_when_a_run_begins, whom_a_run_needs_is_there,
	    lookups_do_not_wait_for_other_work, lookups_in_the_end_take_time, NULL);
	suite_add(s, "page", 0, a_page_of_nothing_is_a_page, NULL);
	return suite_main(s);
}
