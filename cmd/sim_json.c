/* Figures as they are; what was not measured is null. Times in ms, of simulated time. */
#include "cmd/sim_json.h"

#include <inttypes.h>
#include <stdio.h>

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
	json_put_number(o, "objects_put", r->objects_put);
	json_put_number(o, "objects_refused", r->objects_refused);
	json_put_number(o, "objects_got", r->objects_got);
	json_put_number(o, "objects_get_failed", r->objects_get_failed);
	json_put_number(o, "objects_lost", r->objects_lost);
	json_put_number(o, "objects_unread", r->objects_unread);
	json_put_number(o, "objects_wrong", r->objects_wrong);
	json_put_number(o, "repair_bytes", r->repair_bytes);
	json_put_number(o, "repair_expected_bytes", r->repair_expected_bytes);
	json_put_number(o, "joins", r->joins);
	json_put_number(o, "leaves", r->leaves);
	json_put_number(o, "deaths", r->deaths);
	json_put_number(o, "datagrams", r->datagrams_sent);
	json_put_number(o, "datagram_bytes", r->datagram_bytes);
	json_put_number(o, "stream_bytes", r->stream_bytes);
}

static void
put_run(struct json_value *o, const struct result *r)
{
	struct json_value *code;

	json_put_text(o, "scenario", r->scenario);
	json_put_text(o, "version", PACKAGE_VERSION);
	json_put_number(o, "nodes", r->nodes);
	json_put_real(o, "hours", (double)r->span / (double)HOURS(1));
	json_put_number(o, "seed", r->seed);
	json_put_text(o, "crypto", r->stand_in ? "stand-in" : "real");
	json_put_real(o, "liars", r->liars_ppm / 1e6);
	if (r->n == 0) { /* it stores no objects */
		json_put_null(o, "code");
		return;
	}
	code = json_make_object();
	json_put_number(code, "k", r->k);
	json_put_number(code, "r", r->r);
	json_put_number(code, "n", r->n);
	json_put_value(o, "code", code);
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
	json_put_number(o, "samples", r->samples_count);
	return o;
}
