/* Figures as they are; what was not measured is null. Times in ms, of simulated time. */
#include "cmd/sim_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "config.h"

#define MS(ns) ((double)(ns) / 1e6)

static const char *const class_names[TRAFFIC_CLASSES] = { "upkeep", "lookups", "records", "other",
	"streams" };
static const char *const kind_names[SIM_EVENT_KINDS] = { "timer", "datagram", "stream", "work",
	"turn" };

static double
node_hours(const struct result *r)
{
	return (double)r->node_ms / 3600000.0;
}

static double
per_second(const struct result *r)
{
	return r->cpu_ms == 0 ? 0 : (double)r->events * 1000.0 / (double)r->cpu_ms;
}

static double
recall(const struct result *r)
{
	return r->recall_true == 0 ? 0 : (double)r->recall_found / (double)r->recall_true;
}

/* ---- for machines ---- */

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
		json_put_real(
		    hours, kind_names[i], span > 0 ? (double)r->events_by_kind[i] / span : 0);
	}
	json_put_real(hours, "total", span > 0 ? (double)r->events / span : 0);
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
		json_put_real(v, "success", (double)p->succeeded / (double)p->lookups);
		put_percentiles(v, "rpcs", &p->rpcs, 1);
		json_add_value(list, v);
	}
	json_put_value(o, "paths", list);
}

static void
put_traffic(struct json_value *o, const struct result *r)
{
	struct json_value *v = json_make_object();
	double seconds = node_hours(r) * 3600;

	for (size_t c = 0; c < TRAFFIC_CLASSES; c++) {
		uint64_t sum = 0;

		for (size_t i = 0; i < r->samples_count; i++)
			sum += r->samples[i].sent_bytes[c];
		json_put_real(v, class_names[c], seconds > 0 ? (double)sum / seconds : 0);
	}
	json_put_value(o, "traffic_bytes_per_node_second", v);
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
	json_put_number(o, "joins", r->joins);
	json_put_number(o, "leaves", r->leaves);
	json_put_number(o, "deaths", r->deaths);
	json_put_number(o, "datagrams", r->datagrams_sent);
	json_put_number(o, "datagram_bytes", r->datagram_bytes);
	json_put_number(o, "stream_bytes", r->stream_bytes);
}

struct json_value *
sim_json(const struct result *r)
{
	struct json_value *o = json_make_object();
	char hash[17];

	(void)snprintf(hash, sizeof(hash), "%016" PRIx64, r->event_hash);
	json_put_text(o, "scenario", r->scenario);
	json_put_text(o, "version", PACKAGE_VERSION);
	json_put_number(o, "nodes", r->nodes);
	json_put_real(o, "hours", (double)r->span / (double)HOURS(1));
	json_put_number(o, "seed", r->seed);
	json_put_text(o, "crypto", r->stand_in ? "stand-in" : "real");
	json_put_text(o, "event_hash", hash);
	json_put_number(o, "events", r->events);
	json_put_real(o, "events_per_second", per_second(r));
	json_put_number(o, "bytes_per_node", r->nodes == 0 ? 0 : r->resident_peak_bytes / r->nodes);
	json_put_number(o, "resident_peak_bytes", r->resident_peak_bytes);
	json_put_real(o, "cpu_s", (double)r->cpu_ms / 1000.0);
	json_put_real(o, "wall_s", (double)r->wall_ms / 1000.0);
	json_put_real(o, "setup_cpu_s", (double)r->setup_cpu_ms / 1000.0);
	put_percentiles(o, "lookup_first_ms", &r->lookup_first, 1e6);
	put_percentiles(o, "lookup_done_ms", &r->lookup_done, 1e6);
	put_percentiles(o, "put_ms", &r->put, 1e6);
	put_percentiles(o, "record_get_ms", &r->record_get, 1e6);
	put_percentiles(o, "object_put_ms", &r->object_put, 1e6);
	put_percentiles(o, "object_get_ms", &r->object_get, 1e6);
	json_put_number(o, "rpcs", histogram_percentile(&r->lookup_rpcs, 500000));
	put_percentiles(o, "rpcs_per_lookup", &r->lookup_rpcs, 1);
	put_percentiles(o, "rpcs_per_put", &r->put_rpcs, 1);
	json_put_number(o, "rpcs_total", r->rpcs_total);
	json_put_real(o, "recall", recall(r));
	put_counts(o, r);
	put_events(o, r);
	put_traffic(o, r);
	put_paths(o, r);
	return o;
}

/* ---- for people ---- */

static void
print_times(const char *what, const struct histogram *h)
{
	if (h->count == 0)
		return;
	printf("  %-26s %9.0f %9.0f %9.0f   %" PRIu64 "\n", what,
	    MS(histogram_percentile(h, 500000)), MS(histogram_percentile(h, 950000)),
	    MS(histogram_percentile(h, 990000)), h->count);
}

static void
print_counts(const char *what, const struct histogram *h)
{
	if (h->count == 0)
		return;
	printf("  %-26s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "   %" PRIu64 "\n", what,
	    histogram_percentile(h, 500000), histogram_percentile(h, 950000),
	    histogram_percentile(h, 990000), h->count);
}

static void
print_paths(const struct result *r)
{
	for (size_t i = 0; i < RESULT_PATHS; i++) {
		const struct result_paths *p = &r->paths[i];

		if (p->lookups > 0)
			printf("lookups by %u path%s: %.2f %% of %" PRIu64
			       " found the closest, %" PRIu64 " requests (median)\n",
			    p->paths, p->paths == 1 ? "" : "s",
			    100.0 * (double)p->succeeded / (double)p->lookups, p->lookups,
			    histogram_percentile(&p->rpcs, 500000));
	}
}

static void
print_events(const struct result *r)
{
	double hours = node_hours(r);

	printf("events %" PRIu64 " in %.1f s of processor: %.0f a second; hash %016" PRIx64 "\n",
	    r->events, (double)r->cpu_ms / 1000.0, per_second(r), r->event_hash);
	if (hours <= 0)
		return;
	printf("per node and hour %.0f:", (double)r->events / hours);
	for (size_t i = 0; i < SIM_EVENT_KINDS; i++)
		printf(" %s %.0f%s", kind_names[i], (double)r->events_by_kind[i] / hours,
		    i + 1 < SIM_EVENT_KINDS ? "," : "\n");
}

void
sim_text(const struct result *r)
{
	printf("%s: %" PRIu64 " nodes, %.2f hours, seed %" PRIu64 ", %s cryptography\n",
	    r->scenario, r->nodes, (double)r->span / (double)HOURS(1), r->seed,
	    r->stand_in ? "stand-in" : "real");
	print_events(r);
	printf("peak memory %.1f KiB a node\n",
	    r->nodes == 0 ? 0 : (double)r->resident_peak_bytes / 1024.0 / (double)r->nodes);
	printf("  %-26s %9s %9s %9s   count\n", "ms", "p50", "p95", "p99");
	print_times("lookup, first", &r->lookup_first);
	print_times("lookup, done", &r->lookup_done);
	print_times("record put, done", &r->put);
	print_times("record get", &r->record_get);
	print_times("object put", &r->object_put);
	print_times("object get", &r->object_get);
	print_counts("requests of a lookup", &r->lookup_rpcs);
	print_counts("requests of a record put", &r->put_rpcs);
	print_paths(r);
	if (r->recall_true > 0)
		printf("recall of the closest 20: %.4f; %" PRIu64 " of %" PRIu64
		       " lookups failed\n",
		    recall(r), r->lookups_failed, r->lookups);
	if (r->objects_put + r->objects_refused > 0)
		printf("objects: %" PRIu64 " acknowledged, %" PRIu64 " refused, %" PRIu64
		       " read, %" PRIu64 " reads failed under way\n",
		    r->objects_put, r->objects_refused, r->objects_got, r->objects_get_failed);
	printf("objects lost %" PRIu64 ", there and unreadable %" PRIu64
	       ", with wrong bytes %" PRIu64 "\n",
	    r->objects_lost, r->objects_unread, r->objects_wrong);
}
