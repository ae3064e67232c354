/* Scenario files: what they may say, what is refused and how, and that those shipped are right. */
#include "test/unit/suite.h"

#include <stdio.h>

#include "overlay/base/err.h"
#include "sim/liar.h"
#include "sim/scenario.h"
#include "sim/story.h"

static char error[SCENARIO_ERROR_MAX];

static void
good(struct scenario *s, const char *section, const char *key, const char *value)
{
	ck_assert_msg(scenario_set(s, section, key, value, error) == ERR_OK, "%s.%s = %s: %s",
	    section, key, value, error);
}

static void
bad(const char *section, const char *key, const char *value, const char *says)
{
	struct scenario s;

	scenario_init(&s);
	ck_assert_int_eq(scenario_set(&s, section, key, value, error), ERR_INVALID);
	ck_assert_msg(strstr(error, says) != NULL, "\"%s\" does not say \"%s\"", error, says);
}

START_TEST(values_reach_their_fields)
{
	struct scenario s;

	scenario_init(&s);
	good(&s, "scenario", "name", "test");
	good(&s, "network", "loss", "2.5%");
	good(&s, "network", "regions", "no");
	good(&s, "nodes", "code", "4/6/8");
	good(&s, "nodes", "clock-skew", "3s");
	good(&s, "churn", "session", "exponential median 2h");
	good(&s, "workload", "object-most", "4M");
	good(&s, "fault a", "kind", "kill");
	good(&s, "fault b", "kind", "clock");
	good(&s, "fault b", "jump", "-30m");
	good(&s, "fault a", "at", "25%");
	good(&s, "fault a", "for", "10m");
	ck_assert_uint_eq(s.loss_ppm, 25000);
	ck_assert(!s.regions && s.churn);
	ck_assert_uint_eq(s.code.r, 6);
	ck_assert_uint_eq(s.clock_skew_ms, 3000);
	ck_assert_int_ne(s.session.kind, LIFETIME_NONE);
	ck_assert_uint_eq(s.object_most, MIB(4));
	ck_assert_uint_eq(s.faults_count, 2);
	ck_assert_int_eq(s.faults[0].kind, FAULT_KILL);
	ck_assert_int_eq(s.faults[1].jump_ms, -1800000);
	ck_assert_int_eq(scenario_check(&s, error), ERR_OK);
	ck_assert_int_eq(scenario_set_text(&s, "network.loss=1%", error), ERR_OK);
	ck_assert_uint_eq(s.loss_ppm, 10000);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
	struct scenario s;

	bad("weather", "rain", "1", "there is no section [weather]");
	bad("network", "los", "1%", "has no \"los\"");
	bad("network", "los", "1%", "loss");
	bad("network", "loss", "much", "15%");
	bad("nodes", "code", "8/4/6", "4/6/8");
	bad("nodes", "code", "-4294967292/6/8", "4/6/8");
	bad("nodes", "code", "4/6/256", "4/6/8");
	bad("nodes", "code", "4/ 6/+8", "4/6/8");
	bad("nodes", "code", "4/6/8/", "4/6/8");
	bad("nodes", "code", "0/6/8", "4/6/8");
	bad("nodes", "code", "4/8/8", "4/6/8"); /* no put takes it */
	bad("churn", "session", "sometimes", "");
	bad("fault x", "kind", "earthquake", "partition");
	bad("fault x", "where", "region atlantis", "us-east");
	bad("fault x", "where", "country XX", "right would be DE FR");
	bad("fault x", "where", "country de", "nobody is in country");
	bad("fault x", "where", "as 3x", "as 0");
	bad("fault x", "where", "as 12", "to as 11");
	bad("fault x", "where", "as", "as 0");
	bad("fault x", "where", "net24 ", "net24");
	bad("fault ", "kind", "kill", "name");
	scenario_init(&s);
	ck_assert_int_eq(scenario_set_text(&s, "loss=1%", error), ERR_INVALID);
	ck_assert_int_eq(scenario_set_text(&s, "network.loss", error), ERR_INVALID);
	good(&s, "fault x", "share", "10%");
	ck_assert_int_eq(scenario_check(&s, error), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error, "has no kind"));
}
END_TEST

/* Each of these has ended a run by a broken promise, an overflow or never. */
START_TEST(numbers_have_bounds)
{
	static const struct {
		const char *key, *beyond, *within, *says;
	} all[] = {
		{ "network.up", "256T", "1T", "1K to 1T" },
		{ "network.up", "1", "1K", "1K to 1T" },
		{ "network.down", "1", "0", "1K to 1T" },
		{ "nodes.pace", "1000000000000", "1000", "1 to 1000" },
		{ "nodes.pace", "0", "1", "1 to 1000" },
		{ "nodes.repair-pace", "1000000000000", "0", "1000" },
		{ "nodes.calm", "1000000000000", "1000", "1000" },
		{ "nodes.book", "1000000000000", "48", "65535" },
		{ "nodes.clock-skew", "100000d", "365d", "365d" },
		{ "nodes.grace", "200000d", "400d", "400d" },
		{ "workload.lookups-per-hour", "1000000000000", "10000000", "10000000" },
		{ "nodes.capacity", "1025T", "1024T", "1024T" },
		{ "fault s.count", "1000000000000", "256", "256" },
		{ "workload.users", "65", "64", "64" },
		{ "fault c.jump", "-366d", "-365d", "365d" },
	};
	char text[80];

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct scenario s;

		scenario_init(&s);
		if (strncmp(all[i].key, "fault c", 7) == 0)
			good(&s, "fault c", "kind", "clock");
		if (strncmp(all[i].key, "fault s", 7) == 0) {
			good(&s, "fault s", "kind", "sybils");
			good(&s, "fault s", "lies", "drop");
			good(&s, "fault s", "for", "50%");
		}
		(void)snprintf(text, sizeof(text), "%s=%s", all[i].key, all[i].beyond);
		ck_assert_int_eq(scenario_set_text(&s, text, error), ERR_OK);
		ck_assert_msg(scenario_check(&s, error) == ERR_INVALID, "%s is accepted", text);
		ck_assert_msg(strstr(error, all[i].says) != NULL, "%s: %s", text, error);
		(void)snprintf(text, sizeof(text), "%s=%s", all[i].key, all[i].within);
		ck_assert_int_eq(scenario_set_text(&s, text, error), ERR_OK);
		ck_assert_msg(scenario_check(&s, error) == ERR_OK, "%s: %s", text, error);
	}
}
END_TEST

START_TEST(sybils_are_counted_over_all_faults)
{
	struct scenario s;

	scenario_init(&s);
	good(&s, "fault a", "kind", "sybils");
	good(&s, "fault a", "lies", "drop");
	good(&s, "fault a", "for", "50%");
	good(&s, "fault a", "count", "1000000000000");
	ck_assert_int_eq(scenario_check(&s, error), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error, "at most 256"));
	good(&s, "fault a", "count", "200");
	ck_assert_int_eq(scenario_check(&s, error), ERR_OK);
	good(&s, "fault b", "kind", "sybils");
	good(&s, "fault b", "lies", "drop");
	good(&s, "fault b", "for", "50%");
	good(&s, "fault b", "count", "57");
	ck_assert_int_eq(scenario_check(&s, error), ERR_INVALID);
	good(&s, "fault b", "count", "56");
	ck_assert_int_eq(scenario_check(&s, error), ERR_OK);
}
END_TEST

START_TEST(spans_follow_the_length_of_the_run)
{
	struct fault f = { .at_ppm = 500000, .span_ppm = UINT32_MAX, .span = HOURS(2) };
	uint64_t from, to;

	scenario_fault_span(&f, HOURS(10), &from, &to);
	ck_assert_uint_eq(from, HOURS(5));
	ck_assert_uint_eq(to, HOURS(7));
	scenario_fault_span(&f, HOURS(1), &from, &to); /* ends with the run */
	ck_assert_uint_eq(from, MINUTES(30));
	ck_assert_uint_eq(to, HOURS(1));
}
END_TEST

START_TEST(faults_last_and_begin_in_time)
{
	struct scenario s;

	scenario_init(&s);
	good(&s, "fault x", "kind", "kill");
	ck_assert_int_eq(scenario_check(&s, error), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error, "does not last"));
	good(&s, "fault x", "for", "0%");
	ck_assert_int_eq(scenario_check(&s, error), ERR_INVALID);
	good(&s, "fault x", "for", "10%");
	ck_assert_int_eq(scenario_check(&s, error), ERR_OK);
	good(&s, "fault y", "kind", "gone"); /* what stays */
	ck_assert_int_eq(scenario_check(&s, error), ERR_OK);
	good(&s, "fault y", "at", "2h");
	ck_assert_int_eq(scenario_fits(&s, HOURS(2) + 1, error), ERR_OK);
	ck_assert_int_eq(scenario_fits(&s, HOURS(2), error), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error, "fault y"));
	good(&s, "fault y", "at", "100%");
	ck_assert_int_eq(scenario_fits(&s, HOURS(2), error), ERR_INVALID);
}
END_TEST

/* What would be passed over without a word is refused. */
START_TEST(keys_that_a_kind_does_not_heed_are_refused)
{
	static const struct {
		const char *kind, *key, *value;
		bool right;
	} all[] = {
		{ "loss", "where", "region eu", false },
		{ "loss", "share", "5%", false },
		{ "loss", "count", "3", false },
		{ "outage", "share", "5%", false },
		{ "outage", "one-way", "yes", false },
		{ "kill", "rate", "5%", false },
		{ "kill", "jump", "1h", false },
		{ "kill", "lies", "drop", false },
		{ "kill", "where", "net24", true },
		{ "lie", "rate", "50%", false }, /* liars.rate is everybody's */
		{ "sybils", "where", "region eu", false },
		{ "sybils", "share", "5%", false },
		{ "partition", "one-way", "yes", true },
		{ "partition", "where", "region eu", true },
		{ "gone", "for", "1m", true },
		{ "gone", "share", "0%", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct scenario s;

		scenario_init(&s);
		good(&s, "fault x", "for", "10%");
		s.faults[0].rate_ppm = 1;
		s.faults[0].count = strcmp(all[i].kind, "sybils") == 0;
		s.faults[0].lies = 1;
		strcpy(s.faults[0].where, "net24");
		good(&s, "fault x", all[i].key, all[i].value);
		good(&s, "fault x", "kind", all[i].kind);
		ck_assert_msg((scenario_check(&s, error) == ERR_OK) == all[i].right, "%s: %s = %s",
		    all[i].kind, all[i].key, all[i].value);
		if (!all[i].right)
			ck_assert_msg(strstr(error, all[i].key) != NULL, "%s", error);
	}
}
END_TEST

START_TEST(every_key_has_a_meaning)
{
	for (size_t i = 0; i < scenario_keys(); i++) {
		const char *section, *key, *right;

		scenario_key(i, &section, &key, &right);
		ck_assert(section[0] != '\0' && key[0] != '\0' && right[0] != '\0');
	}
}
END_TEST

/* Gets without puts ran, and got nothing. */
START_TEST(what_is_got_is_put)
{
	struct scenario s;

	scenario_init(&s);
	good(&s, "workload", "record-gets-per-hour", "1");
	ck_assert_int_eq(scenario_check(&s, error), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error, "workload.record-gets-per-hour"));
	ck_assert_ptr_nonnull(strstr(error, "right would be a record-puts-per-hour over 0"));
	good(&s, "workload", "record-puts-per-hour", "1");
	ck_assert_int_eq(scenario_check(&s, error), ERR_OK);
	good(&s, "workload", "object-gets-per-hour", "1");
	ck_assert_int_eq(scenario_check(&s, error), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(error, "workload.object-gets-per-hour"));
	ck_assert_ptr_nonnull(strstr(error, "right would be object-puts-per-hour"));
	good(&s, "workload", "object-puts-per-hour", "1");
	ck_assert_int_eq(scenario_check(&s, error), ERR_OK);
	good(&s, "workload", "objects-max", "0");
	ck_assert_int_eq(scenario_check(&s, error), ERR_INVALID);
	good(&s, "workload", "object-gets-per-hour", "0");
	ck_assert_int_eq(scenario_check(&s, error), ERR_OK);
}
END_TEST

START_TEST(every_lie_is_named)
{
	for (size_t i = 0; i < scenario_keys(); i++) {
		const char *section, *key, *right;
		char name[64];

		scenario_key(i, &section, &key, &right);
		for (size_t j = 0; strcmp(key, "lies") == 0 && j < LIAR_KINDS; j++) {
			liar_kinds_text(1u << j, name, sizeof(name));
			ck_assert_msg(strstr(right, name) != NULL, "%s is not named", name);
		}
	}
}
END_TEST

static unsigned
scope_bit(const char *where)
{
	static const char *const scopes[] = { "region ", "country ", "as ", "net24" };

	for (unsigned i = 0; i < ARRAY_LEN(scopes); i++) {
		if (strncmp(where, scopes[i], strlen(scopes[i])) == 0)
			return 1u << i;
	}
	return 16;
}

/* All but what only generated scenarios leave unsaid: what a file gave, and moments below 1 ms. */
static void
same_fault(const struct fault *a, const struct fault *b)
{
	ck_assert_str_eq(a->name, b->name);
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_uint_eq(a->at / MILLISECONDS(1), b->at / MILLISECONDS(1));
	ck_assert_uint_eq(a->span / MILLISECONDS(1), b->span / MILLISECONDS(1));
	ck_assert_str_eq(a->where, b->where);
	ck_assert_uint_eq(a->lies, b->lies);
	if (a->kind == FAULT_CLOCK)
		ck_assert_int_eq(a->jump_ms, b->jump_ms);
	if (a->kind == FAULT_PARTITION)
		ck_assert(a->one_way == b->one_way);
	if (a->kind == FAULT_LOSS || a->kind == FAULT_DISK_EIO)
		ck_assert_uint_eq(a->rate_ppm, b->rate_ppm);
	if (a->kind != FAULT_LOSS && a->kind != FAULT_OUTAGE)
		ck_assert_uint_eq(a->count, b->count);
}

static void
same_network(const struct scenario *a, const struct scenario *b)
{
	ck_assert_str_eq(a->name, b->name);
	ck_assert(a->regions == b->regions && a->churn == b->churn);
	ck_assert_uint_eq(a->loss_ppm, b->loss_ppm);
	ck_assert_uint_eq(a->duplicate_ppm, b->duplicate_ppm);
	ck_assert_uint_eq(a->reorder_ppm, b->reorder_ppm);
	ck_assert_uint_eq(a->up_bytes_s, b->up_bytes_s);
	ck_assert_uint_eq(a->down_bytes_s, b->down_bytes_s);
	ck_assert_uint_eq(a->storing, b->storing);
	ck_assert_uint_eq(a->capacity_bytes, b->capacity_bytes);
	ck_assert_uint_eq(a->stale_ppm, b->stale_ppm);
	ck_assert_uint_eq(a->code.k, b->code.k);
	ck_assert_uint_eq(a->code.r, b->code.r);
	ck_assert_uint_eq(a->code.n, b->code.n);
	ck_assert_uint_eq(a->clock_skew_ms, b->clock_skew_ms);
	ck_assert_uint_eq(a->warmup, b->warmup);
	ck_assert_uint_eq(a->pace, b->pace);
	ck_assert_uint_eq(a->session.scale, b->session.scale);
	ck_assert_uint_eq(a->absence.scale, b->absence.scale);
}

static void
same_work(const struct scenario *a, const struct scenario *b)
{
	ck_assert_uint_eq(a->lookups_per_hour, b->lookups_per_hour);
	ck_assert_uint_eq(a->record_puts_per_hour, b->record_puts_per_hour);
	ck_assert_uint_eq(a->record_gets_per_hour, b->record_gets_per_hour);
	ck_assert_uint_eq(a->object_puts_per_hour, b->object_puts_per_hour);
	ck_assert_uint_eq(a->object_gets_per_hour, b->object_gets_per_hour);
	ck_assert_uint_eq(a->object_least, b->object_least);
	ck_assert_uint_eq(a->object_most, b->object_most);
	ck_assert_uint_eq(a->objects_max, b->objects_max);
	ck_assert_uint_eq(a->users, b->users);
	ck_assert(a->all_paths == b->all_paths);
}

/* A story's text is a scenario: each of its lines is understood, and gives the same plan. */
START_TEST(stories_are_scenarios)
{
	struct story *s = calloc(1, sizeof(*s));
	char *text = malloc(STORY_TEXT_MAX), section[64] = "", key[64], value[160];
	unsigned scopes = 0;

	ck_assert(s != NULL && text != NULL);
	for (uint64_t seed = 1; seed < 200; seed++) {
		struct scenario again;

		story_plan(seed, s);
		ck_assert_msg(scenario_check(&s->scenario, error) == ERR_OK, "seed %llu: %s",
		    (unsigned long long)seed, error);
		scenario_init(&again);
		story_text(s, text);
		for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
			if (sscanf(line, "[%63[^]]]", section) == 1 || line[0] == ';')
				continue;
			ck_assert_int_eq(sscanf(line, "%63[^ =] = %159[^\n]", key, value), 2);
			good(&again, section, key, value);
		}
		ck_assert_msg(scenario_check(&again, error) == ERR_OK, "seed %llu: %s",
		    (unsigned long long)seed, error);
		ck_assert_uint_eq(again.faults_count, s->scenario.faults_count);
		same_network(&again, &s->scenario);
		same_work(&again, &s->scenario);
		for (size_t i = 0; i < again.faults_count; i++) {
			scopes |= scope_bit(s->scenario.faults[i].where);
			same_fault(&again.faults[i], &s->scenario.faults[i]);
		}
	}
	ck_assert_uint_eq(scopes, 31); /* and anywhere */
	free(s);
	free(text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/scenario");

	suite_add(s, "lines", 0, values_reach_their_fields, what_is_wrong_is_said,
	    numbers_have_bounds, sybils_are_counted_over_all_faults,
	    spans_follow_the_length_of_the_run, faults_last_and_begin_in_time,
	    keys_that_a_kind_does_not_heed_are_refused, every_key_has_a_meaning, every_lie_is_named,
	    what_is_got_is_put, NULL);
	suite_add(s, "stories", 10, stories_are_scenarios, NULL);
	return suite_main(s);
}
