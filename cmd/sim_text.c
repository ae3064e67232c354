/* The same for people, in aligned columns, at most 25 lines; what was not measured has no line. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/say.h"
#include "cmd/sim_json.h"

#define MS(ns) ((double)(ns) / 1e6)
#define P50    500000
#define P95    950000
#define P99    990000

/* ---- what it cost ---- */

static void
print_events(const struct result *r)
{
	static const char *const kinds[] = { "timers", "datagrams", "streams", "work", "turns" };
	double hours = (double)r->node_ms / 3600000.0;

	static_assert(ARRAY_LEN(kinds) == SIM_EVENT_KINDS, "every kind has a name");
	printf("%-12s %016" PRIx64 "\n", "event hash", r->event_hash);
	printf("%-12s %" PRIu64 " in %.1f s of processor", "events", r->events,
	    (double)r->cpu_ms / 1000.0);
	if (r->cpu_ms > 0)
		printf(": %.0f a second", (double)r->events * 1000.0 / (double)r->cpu_ms);
	printf("\n");
	if (hours <= 0)
		return;
	printf("%-12s %.0f a node:", "each hour", (double)r->events / hours);
	for (size_t i = 0; i < SIM_EVENT_KINDS; i++)
		printf(
		    "%s %s %.0f", i > 0 ? "," : "", kinds[i], (double)r->events_by_kind[i] / hours);
	printf("\n");
}

static void
print_memory(const struct result *r)
{
	if (r->nodes > 0)
		printf("%-12s %.1f KiB a node at the peak\n", "memory",
		    (double)r->resident_peak_bytes / 1024.0 / (double)r->nodes);
}

static void
print_traffic(const struct result *r)
{
	static const char *const classes[] = { "pings", "lookups", "records", "other", "sessions" };
	double seconds = (double)result_sampled_node_ms(r) / 1000.0, sums[TRAFFIC_CLASSES], all = 0;

	static_assert(ARRAY_LEN(classes) == TRAFFIC_CLASSES, "every class has a name");
	for (size_t c = 0; c < TRAFFIC_CLASSES; c++) {
		sums[c] = (double)result_sent_bytes(r, (enum traffic_class)c);
		all += sums[c];
	}
	if (seconds <= 0 || all <= 0)
		return;
	printf("%-12s %.0f bytes a second:", "a node sent", all / seconds);
	for (size_t c = 0; c < TRAFFIC_CLASSES; c++)
		printf("%s %s %.0f", c > 0 ? "," : "", classes[c], sums[c] / seconds);
	printf("\n");
}

/* ---- what it gave ---- */

static void
print_times(const char *what, const struct histogram *h)
{
	if (h->count > 0)
		printf("%-28s %9.0f %9.0f %9.0f %10" PRIu64 "\n", what,
		    MS(histogram_percentile(h, P50)), MS(histogram_percentile(h, P95)),
		    MS(histogram_percentile(h, P99)), h->count);
}

static void
print_counts(const char *what, const struct histogram *h)
{
	if (h->count > 0)
		printf("%-28s %9" PRIu64 " %9" PRIu64 " %9" PRIu64 " %10" PRIu64 "\n", what,
		    histogram_percentile(h, P50), histogram_percentile(h, P95),
		    histogram_percentile(h, P99), h->count);
}

static void
print_percentiles(const struct result *r)
{
	const struct {
		const char *what;
		const struct histogram *h;
	} times[] = { { "lookup, first, ms", &r->lookup_first },
		{ "lookup, done, ms", &r->lookup_done }, { "record put, done, ms", &r->put },
		{ "record get, ms", &r->record_get }, { "object put, ms", &r->object_put },
		{ "object get, ms", &r->object_get } };
	uint64_t any = r->lookup_rpcs.count + r->put_rpcs.count;

	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		any += times[i].h->count;
	if (any > 0)
		printf("%-28s %9s %9s %9s %10s\n", "", "p50", "p95", "p99", "count");
	for (size_t i = 0; i < ARRAY_LEN(times); i++)
		print_times(times[i].what, times[i].h);
	print_counts("requests of a lookup", &r->lookup_rpcs);
	print_counts("requests of a record put", &r->put_rpcs);
}

static void
print_paths(const struct result *r)
{
	for (size_t i = 0; i < RESULT_PATHS; i++) {
		const struct result_paths *p = &r->paths[i];

		if (p->lookups > 0)
			printf("%u path%-6s %.2f %% of %" PRIu64
			       " lookups found the closest, %" PRIu64 " requests (median)\n",
			    p->paths, p->paths == 1 ? "" : "s",
			    100.0 * (double)p->succeeded / (double)p->lookups, p->lookups,
			    histogram_percentile(&p->rpcs, P50));
	}
}

static void
print_keeping(const struct result *r)
{
	const struct result_keeping *k = &r->keeping;
	double month = SIM_MONTH_NS / (double)MAX(k->pace, UINT64_C(1));

	if (k->chunks == 0)
		return;
	printf("%-12s %" PRIu64 " watched for %.0f months in all, lost %" PRIu64
	       " (95 %%: %.1f to %.1f)",
	    "chunks", k->chunks, (double)k->watched_ms * 1e6 / month, k->lost, k->lost_low,
	    k->lost_high);
	if (k->rate > 0)
		printf("; by the chain %.1f", k->lost_expected);
	printf("\n%-12s %" PRIu64 " bytes moved for %" PRIu64 " stored (%.3f of them)", "repair",
	    k->moved_bytes, k->stored_bytes,
	    (double)k->moved_bytes / (double)MAX(k->stored_bytes, UINT64_C(1)));
	if (k->rate > 0 && k->steady_byte_ns > 0)
		printf("; steady %.4f a byte and month, %.1f %% of B (%.1f %% of B with the time "
		       "of repairs)",
		    (double)k->steady_bytes / k->steady_byte_ns * month,
		    100 * (double)k->steady_bytes / k->steady_byte_ns / k->rate,
		    100 * (double)k->steady_bytes / k->steady_byte_ns / k->rate_slow);
	printf("\n%-12s %" PRIu64 " begun, %" PRIu64 " of them before one with less to spare\n", "",
	    k->begun, k->overtakes);
}

static void
print_verdict(const struct result *r)
{
	if (r->lookups > 0)
		printf("%-12s %" PRIu64 ", failed %" PRIu64 "\n", "lookups", r->lookups,
		    r->lookups_failed);
	if (r->recall_true > 0)
		printf("%-12s %.4f of the closest\n", "recall",
		    (double)r->recall_found / (double)r->recall_true);
	if (r->objects_put + r->objects_refused > 0)
		printf("%-12s %" PRIu64 " acknowledged, %" PRIu64 " refused; %" PRIu64
		       " gets, %" PRIu64 " failed under way\n",
		    "objects", r->objects_put, r->objects_refused, r->objects_got,
		    r->objects_get_failed);
	printf("%-12s %" PRIu64 " lost, ", "in the end", r->objects_lost);
	if (r->objects_unseen > 0)
		printf("%" PRIu64 " never seen, ", r->objects_unseen);
	printf("%" PRIu64 " kept", r->objects_kept);
	if (r->objects_read > 0)
		printf("; %" PRIu64 " of them read back, %" PRIu64 " unreadable", r->objects_read,
		    r->objects_unread);
	else
		printf("; none was read back");
	if (r->objects_read + r->objects_got > 0)
		printf(", %" PRIu64 " with wrong bytes", r->objects_wrong);
	printf("\n");
}

void
sim_text(const struct result *r)
{
	char name[RESULT_NAME * 4]; /* each byte may become \xNN */

	printf("%s: %" PRIu64 " nodes, ", say_clean(r->scenario, name, sizeof(name)), r->nodes);
	if (r->interrupted)
		printf("%.2f of ", (double)r->ran / (double)HOURS(1));
	printf("%.2f hours, seed %" PRIu64 ", ", (double)r->span / (double)HOURS(1), r->seed);
	if (r->n > 0)
		printf("code %u/%u/%u, ", r->k, r->r, r->n);
	else if (r->codes_count > 1)
		printf("%zu codes, ", r->codes_count);
	printf("%s cryptography\n", r->stand_in ? "stand-in" : "real");
	print_events(r);
	print_memory(r);
	print_traffic(r);
	print_percentiles(r);
	print_paths(r);
	print_keeping(r);
	print_verdict(r);
}
