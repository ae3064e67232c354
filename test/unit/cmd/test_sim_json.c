/* The figures of a simulation as JSON and as text: names, kinds, and null for the unmeasured. */
#include "test/unit/suite.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/sim_json.h"
#include "overlay/base/err.h"

static struct result r;
static struct buf out;

static void
measured(void)
{
	result_init(&r);
	(void)snprintf(r.scenario, sizeof(r.scenario), "\"us\"ual\x1b[1m");
	r.nodes = 200;
	r.seed = 7;
	r.span = HOURS(2);
	r.ran = HOURS(1);
	r.interrupted = true;
	r.stand_in = true;
	r.k = 4;
	r.r = 6;
	r.n = 8;
	r.codes_count = 2;
	r.codes[1] = (struct result_code){ .k = 10, .r = 16, .n = 24, .chunks = 3 };
	r.events = 9000;
	r.event_hash = 0xabc;
	r.events_by_kind[SIM_EVENT_TIMER] = 4500;
	r.cpu_ms = 500;
	r.wall_ms = 750;
	r.node_ms = 200ULL * 2 * 3600 * 1000;
	r.resident_peak_bytes = 200 * 1000 + 199;
	for (uint64_t i = 1; i <= 50; i++) {
		histogram_add(&r.lookup_first, MILLISECONDS(1) / 2);
		histogram_add(&r.lookup_done, 60);
		histogram_add(&r.put, 60);
		histogram_add(&r.record_get, 60);
		histogram_add(&r.object_put, 60);
		histogram_add(&r.object_get, 60);
		histogram_add(&r.lookup_rpcs, i);
		histogram_add(&r.put_rpcs, i);
		histogram_add(&r.paths[1].rpcs, i);
	}
	r.paths[0].lookups = r.paths[1].lookups = r.paths[2].lookups = 50;
	r.paths[1].succeeded = 49;
	r.lookups = 50;
	r.recall_true = 1000;
	r.recall_found = 750;
	r.objects_put = 20;
	r.objects_lost = 3;
	r.objects_unseen = 1;
	r.objects_kept = 16;
	r.objects_read = 9;
	r.objects_unread = 2;
	r.samples_count = 2;
	r.samples[0].up = 150;
	r.samples[1].up = 250;
	r.samples[1].at = HOURS(2);
	r.samples[1].sent_bytes[TRAFFIC_UPKEEP] = 200ULL * 2 * 3600 * 5;
}

/* The printed JSON: reals are read in it, as a tool would. */
static const char *
printed(struct json_value *v)
{
	buf_init(&out, KIB(64));
	ck_assert_int_eq(json_print(v, &out), ERR_OK);
	json_free(v);
	return buf_str(&out);
}

static void
finish(void)
{
	buf_fini(&out);
	result_fini(&r);
}

/* The number after "name": of the first such member; NAN: null or not there. */
static double
real(const char *json, const char *name)
{
	char key[64];
	const char *at;
	char *end;
	double v;

	(void)snprintf(key, sizeof(key), "\"%s\":", name);
	at = strstr(json, key);
	ck_assert_msg(at != NULL, "%s", name);
	at += strlen(key);
	v = strtod(at, &end);
	return end == at || *at == 'n' ? NAN : v;
}

START_TEST(tools_find_their_figures)
{
	const struct json_value *times;
	struct json_value *v;

	measured();
	v = sim_json(&r);
	ck_assert_str_eq(json_text(v, "event_hash"), "0000000000000abc");
	ck_assert_str_eq(json_text(v, "crypto"), "stand-in");
	ck_assert(json_flag(v, "interrupted"));
	ck_assert_ptr_nonnull(json_text(v, "version"));
	ck_assert_uint_eq(json_number(v, "bytes_per_node"), 1000);
	ck_assert_uint_eq(json_number(v, "nodes"), 200);
	ck_assert_uint_eq(json_number(v, "seed"), 7);
	ck_assert_uint_eq(json_number(v, "samples"), 2);
	ck_assert_uint_eq(json_number(v, "objects_lost"), 3);
	ck_assert_uint_eq(json_number(v, "objects_unseen"), 1);
	ck_assert_uint_eq(json_number(v, "objects_kept"), 16);
	ck_assert_uint_eq(json_number(v, "objects_read"), 9);
	ck_assert_uint_eq(json_number(v, "objects_unread"), 2);
	ck_assert_uint_eq(json_number(v, "objects_put"), 20);
	ck_assert_uint_eq(json_number(v, "rpcs"), 25);
	ck_assert_uint_eq(json_number(json_child(v, "code"), "r"), 6);
	ck_assert_uint_eq(json_count(json_child(v, "codes")), 2);
	ck_assert_uint_eq(json_number(json_at(json_child(v, "codes"), 1), "r"), 16);
	ck_assert_uint_eq(json_number(json_at(json_child(v, "codes"), 1), "chunks"), 3);
	ck_assert_uint_eq(json_number(json_child(v, "events_by_kind"), "timer"), 4500);
	ck_assert_uint_eq(json_count(json_child(v, "paths")), 3);
	ck_assert_uint_eq(json_number(json_at(json_child(v, "paths"), 2), "paths"), 4);
	times = json_child(v, "lookup_first_ms");
	ck_assert_uint_eq(json_number(times, "count"), 50);
	json_free(v);
	result_fini(&r);
}
END_TEST

START_TEST(shares_and_rates_are_right)
{
	const char *json;

	measured();
	json = printed(sim_json(&r));
	ck_assert_double_eq_tol(real(json, "events_per_second"), 18000, 1);
	ck_assert_double_eq_tol(real(json, "recall"), 0.75, 1e-6);
	ck_assert_double_eq_tol(real(json, "hours"), 2, 1e-6);
	ck_assert_double_eq_tol(real(json, "hours_run"), 1, 1e-6);
	ck_assert_double_eq_tol(real(json, "cpu_s"), 0.5, 1e-6);
	ck_assert_double_eq_tol(real(json, "wall_s"), 0.75, 1e-6);
	/* A bucket of the histogram is 3 % wide. */
	ck_assert_double_eq_tol(real(strstr(json, "\"lookup_first_ms\""), "p50"), 0.5, 0.016);
	ck_assert_double_eq_tol(real(strstr(json, "\"rpcs_per_lookup\""), "p95"), 48, 1e-6);
	ck_assert_double_eq_tol(
	    real(strstr(json, "\"events_per_node_hour\""), "timer"), 4500 / 400.0, 1e-3);
	ck_assert_double_eq_tol(
	    real(strstr(json, "\"events_per_node_hour\""), "total"), 9000 / 400.0, 1e-3);
	ck_assert_double_eq_tol(real(strstr(json, "\"traffic\""), "upkeep"), 5, 1e-6);
	ck_assert_double_eq_tol(real(strstr(json, "\"traffic\""), "total"), 5, 1e-6);
	finish();
}
END_TEST

START_TEST(what_was_not_measured_is_null)
{
	static const char *const names[] = { "lookup_first_ms", "lookup_done_ms", "put_ms",
		"record_get_ms", "object_put_ms", "object_get_ms", "rpcs", "rpcs_per_lookup",
		"rpcs_per_put", "recall", "events_per_second", "bytes_per_node", "code",
		"objects_unread", "objects_wrong" };
	const char *json;

	result_init(&r);
	json = printed(sim_json(&r));
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char null[64];

		(void)snprintf(null, sizeof(null), "\"%s\":null", names[i]);
		ck_assert_msg(strstr(json, null) != NULL, "%s in %s", null, json);
	}
	ck_assert_ptr_nonnull(strstr(json, "\"paths\":[]"));
	ck_assert_ptr_nonnull(strstr(json, "\"objects_lost\":0"));
	ck_assert_ptr_null(strstr(json, "nan"));
	ck_assert_ptr_null(strstr(json, "inf"));
	finish();
}
END_TEST

/* ---- for people ---- */

/* What sim_text() prints; the tests are processes of their own, so stdout may be turned. */
static size_t
text(char *got, size_t size)
{
	FILE *f = tmpfile();
	size_t len;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fflush(stdout), 0);
	ck_assert_int_ge(dup2(fileno(f), fileno(stdout)), 0);
	sim_text(&r);
	ck_assert_int_eq(fflush(stdout), 0);
	rewind(f);
	len = fread(got, 1, size - 1, f);
	got[len] = '\0';
	(void)fclose(f);
	return len;
}

static size_t
lines(const char *s, size_t *longest)
{
	size_t count = 0;

	*longest = 0;
	for (const char *end; (end = strchr(s, '\n')) != NULL; s = end + 1) {
		*longest = MAX(*longest, (size_t)(end - s));
		count++;
	}
	return count;
}

START_TEST(text_is_short_and_clean)
{
	char got[8192];
	size_t longest;

	measured();
	(void)text(got, sizeof(got));
	ck_assert_uint_le(lines(got, &longest), 25);
	ck_assert_uint_le(longest, 100);
	ck_assert_ptr_null(strchr(got, '\x1b'));
	ck_assert_ptr_nonnull(strstr(got, "0000000000000abc"));
	ck_assert_ptr_nonnull(strstr(got, "18000 a second"));
	ck_assert_ptr_nonnull(strstr(got, "2 paths"));
	ck_assert_ptr_nonnull(
	    strstr(got, "1 never seen, 16 kept; 9 of them read back, 2 unreadable"));
	result_fini(&r);
}
END_TEST

START_TEST(text_of_nothing)
{
	char got[8192];
	size_t longest;

	result_init(&r);
	(void)text(got, sizeof(got));
	ck_assert_uint_ge(lines(got, &longest), 2);
	ck_assert_ptr_null(strstr(got, "nan"));
	ck_assert_ptr_null(strstr(got, "inf"));
	ck_assert_ptr_null(strstr(got, "p50"));
	ck_assert_ptr_nonnull(strstr(got, "none was read back"));
	ck_assert_ptr_null(strstr(got, "unreadable"));
	result_fini(&r);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd/sim_json");

	suite_add(s, "json", 0, tools_find_their_figures, shares_and_rates_are_right,
	    what_was_not_measured_is_null, NULL);
	suite_add(s, "text", 0, text_is_short_and_clean, text_of_nothing, NULL);
	return suite_main(s);
}
