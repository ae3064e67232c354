/* Figures as they are; what was not measured is null. Times in ms, of simulated time. */
#include "cmd/sim_json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cmd/program.h"
#include "config.h"

static const char *const class_names[TRAFFIC_CLASSES] = { "upkeep", "lookups", "records", "other",
	"streams" };
static const char *const kind_names[SIM_EVENT_KINDS] = { "timer", "datagram", "stream", "work",
	"turn" };

static double
node_hours(const struct result *r)
{
	return (double)r->node_ms / 3600000.0;
}

/* part / whole, null of nothing. */
static void
put_ratio(struct json_value *o, const char *name, double part, double whole)
{
	if (whole > 0)
		json_put_real(o, name, part / whole);
	else
		json_put_null(o, name);
}

/* So many of the whole, null of nothing. */
static void
put_count_of(struct json_value *o, const char *name, uint64_t part, uint64_t whole)
{
	if (whole > 0)
		json_put_number(o, name, part);
	else
		json_put_null(o, name);
}

static void
put_percentiles(struct json_value *o, const char *name, const struct histogram *h, double unit)
{
	struct json_value *v;

	if (h->count == 0) {
		json_put_null(o, name);
		return;
	}
	v = json_make_object();
	json_put_real(v, "p50", (double)histogram_percentile(h, 500000) / unit);
	json_put_real(v, "p95", (double)histogram_percentile(h, 950000) / unit);
	json_put_real(v, "p99", (double)histogram_percentile(h, 990000) / unit);
	json_put_number(v, "count", h->count);
	json_put_value(o, name, v);
}

static void
put_events(struct json_value *o, const struct result *r)
{
	struct json_value *kinds = json_make_object(), *hours = json_make_object();
	double span = node_hours(r);

	for (size_t i = 0; i < SIM_EVENT_KINDS; i++) {
		json_put_number(kinds, kind_names[i], r->events_by_kind[i]);
		put_ratio(hours, kind_names[i], (double)r->events_by_kind[i], span);
	}
	put_ratio(hours, "total", (double)r->events, span);
	json_put_value(o, "events_by_kind", kinds);
	json_put_value(o, "events_per_node_hour", hours);
}

static void
put_paths(struct json_value *o, const struct result *r)
{
	struct json_value *list = json_make_array();

	for (size_t i = 0; i < RESULT_PATHS; i++) {
		const struct result_paths *p = &r->paths[i];
		struct json_value *v;

		if (p->lookups == 0)
			continue;
		v = json_make_object();
		json_put_number(v, "paths", p->paths);
		json_put_number(v, "lookups", p->lookups);
		put_ratio(v, "success", (double)p->succeeded, (double)p->lookups);
		put_percentiles(v, "rpcs", &p->rpcs, 1);
		json_add_value(list, v);
	}
	json_put_value(o, "paths", list);
}

/* Bytes by class, of one member in one second that it was up. */
static void
put_traffic(struct json_value *o, const struct result *r)
{
	struct json_value *v = json_make_object();
	double seconds = (double)result_sampled_node_ms(r) / 1000.0, all = 0;

	for (size_t c = 0; c < TRAFFIC_CLASSES; c++) {
		double sum = (double)result_sent_bytes(r, (enum traffic_class)c);

		put_ratio(v, class_names[c], sum, seconds);
		all += sum;
	}
	put_ratio(v, "total", all, seconds);
	json_put_value(o, "traffic", v);
}

static void
put_counts(struct json_value *o, const struct result *r)
{
	json_put_number(o, "lookups", r->lookups);
	json_put_number(o, "lookups_failed", r->lookups_failed);
	json_put_number(o, "record_puts", r->record_puts);
	json_put_number(o, "record_puts_failed", r->record_puts_failed);
	json_put_number(o, "record_gets", r->record_gets);
	json_put_number(o, "record_gets_failed", r->record_gets_failed);
	json_put_number(o, "attacked_puts", r->attacked_puts);
	json_put_number(o, "attacked_puts_failed", r->attacked_puts_failed);
	json_put_number(o, "attacked_gets", r->attacked_gets);
	json_put_number(o, "attacked_gets_failed", r->attacked_gets_failed);
	json_put_number(o, "objects_put", r->objects_put);
	json_put_number(o, "objects_refused", r->objects_refused);
	json_put_number(o, "objects_got", r->objects_got);
	json_put_number(o, "objects_get_failed", r->objects_get_failed);
	json_put_number(o, "objects_lost", r->objects_lost);
	json_put_number(o, "objects_unseen", r->objects_unseen);
	json_put_number(o, "objects_kept", r->objects_kept);
	json_put_number(o, "objects_read", r->objects_read);
	put_count_of(o, "objects_unread", r->objects_unread, r->objects_read);
	put_count_of(o, "objects_wrong", r->objects_wrong, r->objects_read + r->objects_got);
	json_put_number(o, "repair_bytes", r->keeping.moved_bytes);
	json_put_number(o, "repair_expected_bytes", r->repair_expected_bytes);
	json_put_number(o, "joins", r->joins);
	json_put_number(o, "leaves", r->leaves);
	json_put_number(o, "deaths", r->deaths);
	json_put_number(o, "datagrams", r->datagrams_sent);
	json_put_number(o, "datagram_bytes", r->datagram_bytes);
	json_put_number(o, "stream_bytes", r->stream_bytes);
}

static struct json_value *
code_of(uint8_t k, uint8_t r, uint8_t n)
{
	struct json_value *code = json_make_object();

	json_put_number(code, "k", k);
	json_put_number(code, "r", r);
	json_put_number(code, "n", n);
	return code;
}

static void
put_codes(struct json_value *o, const struct result *r)
{
	struct json_value *list = json_make_array();

	if (r->n > 0)
		json_put_value(o, "code", code_of(r->k, r->r, r->n));
	else /* no chunk was stored, or not all have the same */
		json_put_null(o, "code");
	for (size_t i = 0; i < r->codes_count; i++) {
		const struct result_code *c = &r->codes[i];
		struct json_value *v = code_of(c->k, c->r, c->n);

		json_put_number(v, "chunks", c->chunks);
		json_add_value(list, v);
	}
	json_put_value(o, "codes", list);
}

static void
put_run(struct json_value *o, const struct result *r)
{
	json_put_text(o, "scenario", r->scenario);
	json_put_text(o, "version", PACKAGE_VERSION);
	if (program_commit() != NULL)
		json_put_text(o, "commit", program_commit());
	else
		json_put_null(o, "commit");
	json_put_number(o, "nodes", r->nodes);
	json_put_real(o, "hours", (double)r->span / (double)HOURS(1));
	json_put_real(o, "hours_run", (double)r->ran / (double)HOURS(1));
	json_put_flag(o, "interrupted", r->interrupted);
	json_put_number(o, "seed", r->seed);
	json_put_text(o, "crypto", r->stand_in ? "stand-in" : "real");
	json_put_real(o, "liars", r->liars_ppm / 1e6);
	put_codes(o, r);
}

static void
put_cost(struct json_value *o, const struct result *r)
{
	json_put_number(o, "events", r->events);
	put_ratio(o, "events_per_second", (double)r->events, (double)r->cpu_ms / 1000.0);
	if (r->nodes == 0)
		json_put_null(o, "bytes_per_node");
	else
		json_put_number(o, "bytes_per_node", r->resident_peak_bytes / r->nodes);
	json_put_number(o, "resident_peak_bytes", r->resident_peak_bytes);
	json_put_real(o, "cpu_s", (double)r->cpu_ms / 1000.0);
	json_put_real(o, "wall_s", (double)r->wall_ms / 1000.0);
	json_put_real(o, "setup_cpu_s", (double)r->setup_cpu_ms / 1000.0);
}

static void
put_times(struct json_value *o, const struct result *r)
{
	put_percentiles(o, "lookup_first_ms", &r->lookup_first, 1e6);
	put_percentiles(o, "lookup_done_ms", &r->lookup_done, 1e6);
	put_percentiles(o, "put_ms", &r->put, 1e6);
	put_percentiles(o, "record_get_ms", &r->record_get, 1e6);
	put_percentiles(o, "object_put_ms", &r->object_put, 1e6);
	put_percentiles(o, "object_get_ms", &r->object_get, 1e6);
	if (r->lookup_rpcs.count == 0)
		json_put_null(o, "rpcs");
	else
		json_put_number(o, "rpcs", histogram_percentile(&r->lookup_rpcs, 500000));
	put_percentiles(o, "rpcs_per_lookup", &r->lookup_rpcs, 1);
	put_percentiles(o, "rpcs_per_put", &r->put_rpcs, 1);
	json_put_number(o, "rpcs_total", r->rpcs_total);
	put_ratio(o, "recall", (double)r->recall_found, (double)r->recall_true);
}

static const char *const risk_names[RESULT_RISKS] = { "r", "k+1", "k" };

/* Chunks by how long they had few shards: [up to so many seconds, chunks]; the last has no end. */
static struct json_value *
risks(const struct result_keeping *k)
{
	struct json_value *o = json_make_object();

	for (size_t i = 0; i < RESULT_RISKS; i++) {
		struct json_value *list = json_make_array();

		for (size_t bin = 0; bin < RESULT_RISK_BINS; bin++) {
			struct json_value *v = json_make_object();

			if (bin + 1 < RESULT_RISK_BINS)
				json_put_real(v, "up_to_s", (double)result_risk_end(bin) / 1e9);
			else
				json_put_null(v, "up_to_s");
			json_put_number(v, "chunks", k->at_risk[i][bin]);
			json_add_value(list, v);
		}
		json_put_value(o, risk_names[i], list);
	}
	return o;
}

static struct json_value *
order(const struct result_keeping *k)
{
	struct json_value *list = json_make_array();

	for (size_t i = 0; i < RESULT_SPARE; i++) {
		struct json_value *v;

		if (k->by_spare[i].begun == 0)
			continue;
		v = json_make_object();
		json_put_number(v, "spare", i);
		json_put_number(v, "begun", k->by_spare[i].begun);
		json_put_real(v, "waited_mean_s",
		    (double)k->by_spare[i].waited_ms / 1e3 / (double)k->by_spare[i].begun);
		json_add_value(list, v);
	}
	return list;
}

/* By arithmetic; rates a byte and month of the documented pace. */
static void
put_arithmetic(struct json_value *o, const struct result_keeping *k)
{
	double month = SIM_MONTH_NS / (double)MAX(k->pace, UINT64_C(1));

	json_put_real(o, "rate_formula", k->rate * month);
	json_put_real(o, "rate_with_repair_time", k->rate_slow * month);
	put_ratio(o, "rate_measured", (double)k->steady_bytes * month, k->steady_byte_ns);
	put_ratio(
	    o, "rate_measured_own_disks", (double)k->steady_own_bytes * month, k->steady_byte_ns);
	put_ratio(o, "measured_to_formula", (double)k->steady_bytes, k->steady_byte_ns * k->rate);
	put_ratio(o, "measured_to_formula_with_repair_time", (double)k->steady_bytes,
	    k->steady_byte_ns * k->rate_slow);
	put_ratio(o, "grace_share", k->rate_slow - k->rate, k->rate);
	json_put_real(o, "steady_hours", (double)k->steady_ns / (double)HOURS(1));
	json_put_real(o, "cycle_hours", k->cycle_ns / (double)HOURS(1));
	json_put_real(o, "expected_bytes", k->course_bytes);
	json_put_real(o, "lost_by_chain", k->lost_expected);
	if (isfinite(k->loss_time_ns))
		json_put_real(o, "loss_time_months", k->loss_time_ns / month);
	else
		json_put_null(o, "loss_time_months");
}

static void
put_keeping(struct json_value *o, const struct result *r)
{
	const struct result_keeping *k = &r->keeping;
	double month = SIM_MONTH_NS / (double)MAX(k->pace, UINT64_C(1));
	struct json_value *v;

	if (k->chunks == 0) {
		json_put_null(o, "keeping");
		return;
	}
	v = json_make_object();
	json_put_number(v, "pace", k->pace);
	json_put_number(v, "chunks", k->chunks);
	json_put_real(v, "chunk_months", (double)k->watched_ms * 1e6 / month);
	json_put_number(v, "stored_bytes", k->stored_bytes);
	json_put_number(v, "moved_bytes", k->moved_bytes);
	json_put_number(v, "own_bytes", k->own_bytes);
	put_ratio(v, "moved_to_stored", (double)k->moved_bytes, (double)k->stored_bytes);
	json_put_number(v, "lost", k->lost);
	json_put_real(v, "lost_low", k->lost_low);
	json_put_real(v, "lost_high", k->lost_high);
	json_put_real(v, "lost_dispersion", k->lost_dispersion);
	json_put_number(v, "repairs", k->repairs);
	if (k->times_count > 0) {
		double sum = 0;

		for (size_t i = 0; i < k->times_count; i++)
			sum += (double)k->times[i] / 1e9;
		json_put_real(v, "repair_mean_s", sum / (double)k->times_count);
		json_put_real(v, "repair_p50_s", (double)k->times[k->times_count / 2] / 1e9);
		json_put_real(v, "repair_p95_s", (double)k->times[k->times_count * 95 / 100] / 1e9);
	}
	if (k->rate > 0)
		put_arithmetic(v, k);
	json_put_value(v, "at_risk", risks(k));
	json_put_number(v, "repairs_begun", k->begun);
	json_put_number(v, "overtakes", k->overtakes);
	json_put_value(v, "by_spare", order(k));
	json_put_value(o, "keeping", v);
}

static void
put_faults(struct json_value *o, const struct result *r)
{
	struct json_value *list = json_make_array();

	for (size_t i = 0; i < r->marks_count; i++) {
		const struct result_mark *m = &r->marks[i];
		struct json_value *v = json_make_object();

		json_put_text(v, "name", m->text);
		json_put_text(v, "kind", m->kind);
		json_put_real(v, "from_s", (double)m->from / 1e9);
		json_put_real(v, "to_s", (double)m->to / 1e9);
		json_put_number(v, "struck", m->struck);
		json_add_value(list, v);
	}
	json_put_value(o, "faults", list);
}

struct json_value *
sim_json(const struct result *r)
{
	struct json_value *o = json_make_object();
	char hash[17];

	(void)snprintf(hash, sizeof(hash), "%016" PRIx64, r->event_hash);
	put_run(o, r);
	json_put_text(o, "event_hash", hash);
	put_cost(o, r);
	put_times(o, r);
	put_counts(o, r);
	put_events(o, r);
	put_traffic(o, r);
	put_paths(o, r);
	put_keeping(o, r);
	put_faults(o, r);
	json_put_number(o, "samples", r->samples_count);
	return o;
}
