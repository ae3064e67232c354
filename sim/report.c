/*
 * The page from top to bottom: what was run and its verdict, the figures that matter, the faults,
 * plots by subject, tables, terms. Fails only for want of room.
 */
#include "sim/report.h"

#include <inttypes.h>
#include <stdio.h>

#include "sim/report_private.h"

#define P50 500000
#define P95 950000
#define P99 990000

/* ---- the head ---- */

static void
put_facts(const struct result *r, struct html *h)
{
	char v[HTML_NUMBER_MAX];

	html_put(h, "<ul class=\"facts\"><li><b>%s</b> nodes</li>", html_count(r->nodes, v));
	html_put(h, "<li><b>%.*f</b> simulated hours</li>", r->span % HOURS(1) == 0 ? 0 : 2,
	    (double)r->span / (double)HOURS(1));
	if (r->interrupted)
		html_put(
		    h, "<li>interrupted after <b>%.2f</b></li>", (double)r->ran / (double)HOURS(1));
	html_put(h, "<li>seed <b>%" PRIu64 "</b></li>", r->seed);
	if (r->n > 0)
		html_put(h, "<li>code k/r/n <b>%u/%u/%u</b></li>", r->k, r->r, r->n);
	else if (r->codes_count > 1)
		html_put(h, "<li><b>%zu</b> codes</li>", r->codes_count);
	html_put(h, "<li><b>%s</b> cryptography</li>", r->stand_in ? "stand-in" : "real");
	if (r->liars_ppm > 0)
		html_put(h, "<li><b>%.1f %%</b> liars</li>", r->liars_ppm / 1e4);
	html_raw(h, "</ul>");
}

static void
put_unread(const struct result *r, struct html *h)
{
	char v[HTML_NUMBER_MAX];

	html_put(h,
	    "None of the %s acknowledged objects was seen to be lost, but none was read back",
	    html_count(r->objects_put, v));
	if (r->objects_unseen > 0)
		html_put(h, ", and of %s not even the chunks are known",
		    html_count(r->objects_unseen, v));
	html_raw(h, ".");
}

/* Green only by what was seen: where nothing was read back, nobody knows. */
static void
put_objects(const struct result *r, struct html *h)
{
	char v[HTML_NUMBER_MAX], read[HTML_NUMBER_MAX];

	if (r->objects_put == 0)
		html_raw(h, "No objects were stored in this run.");
	else if (r->objects_read == 0)
		put_unread(r, h);
	else if (r->objects_read < r->objects_kept)
		html_put(h,
		    "None of the %s acknowledged objects is lost; %s were read back, all whole.",
		    html_count(r->objects_put, v), html_count(r->objects_read, read));
	else if (r->objects_put == 1)
		html_raw(h, "The one acknowledged object is still there.");
	else
		html_put(h, "All %s acknowledged objects are still there.",
		    html_count(r->objects_put, v));
}

/* One sentence, red when something was lost that nobody may lose. */
static void
put_verdict(const struct result *r, struct html *h)
{
	/* What nobody new could find may be there after all where nothing was read back. */
	uint64_t unread = r->objects_unread + (r->objects_read > 0 ? r->objects_unseen : 0);
	bool bad = r->objects_lost + unread + r->objects_wrong > 0;
	bool good = r->objects_put > 0 && r->objects_read > 0;
	char v[HTML_NUMBER_MAX], share[HTML_NUMBER_MAX];

	html_put(h, "<p class=\"verdict %s\">", bad ? "bad" : good ? "good" : "");
	if (bad && r->objects_read == 0)
		html_put(h,
		    "Not everything is there: %" PRIu64 " objects lost, %" PRIu64
		    " with wrong bytes; none was read back.",
		    r->objects_lost, r->objects_wrong);
	else if (bad)
		html_put(h,
		    "Not everything came back: %" PRIu64 " objects lost, %" PRIu64
		    " unreadable, %" PRIu64 " with wrong bytes.",
		    r->objects_lost, unread, r->objects_wrong);
	else
		put_objects(r, h);
	if (r->lookups == 0)
		html_raw(h, "<small>No lookups were made.</small></p>");
	else
		html_put(h, "<small>%s of %s lookups failed.</small></p>",
		    html_share(r->lookups_failed, r->lookups, share), html_count(r->lookups, v));
}

static void
put_replay(const struct result *r, struct html *h)
{
	char v[HTML_NUMBER_MAX];

	html_put(h,
	    "<div class=\"replay\">The same again, event by event:<code>skerry sim run FILE "
	    "--nodes %" PRIu64 " --hours %s --seed %" PRIu64 " --crypto %s</code>",
	    r->nodes, html_hours(r->span, v), r->seed, r->stand_in ? "stand-in" : "real");
	html_put(h,
	    "with the scenario&#8217;s file, and the same <span>--set</span> and "
	    "<span>--lookups</span> if there were any. "
	    "Event hash <span>%016" PRIx64 "</span>.</div></header>\n",
	    r->event_hash);
}

static void
put_head(const struct result *r, struct html *h)
{
	html_raw(h, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>"
		    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>"
		    "<title>");
	html_text(h, r->scenario);
	html_raw(h, " &#183; skerry sim</title><style>");
	html_raw(h, report_style);
	html_raw(h, "</style></head>\n<body><header><p class=\"kicker\">Skerry, simulated</p><h1>");
	html_text(h, r->scenario);
	html_raw(h, "</h1>");
	put_facts(r, h);
	put_verdict(r, h);
	put_replay(r, h);
}

/* ---- the verdict in figures ---- */

static void
put_tile(struct html *h, bool bad, const char *what, const char *value, const char *more)
{
	html_put(h, "<div%s><dt>%s</dt><dd><b>%s</b><span>%s</span></dd></div>",
	    bad ? " class=\"bad\"" : "", what, value, more);
}

static void
put_times(struct html *h, const char *what, const struct histogram *times)
{
	char p50[HTML_NUMBER_MAX], p95[HTML_NUMBER_MAX], p99[HTML_NUMBER_MAX], more[160];

	if (times->count == 0) {
		put_tile(h, false, what, "&#8211;", "not measured");
		return;
	}
	(void)snprintf(more, sizeof(more), "<i>p95 %s &#183;</i> <i>p99 %s</i>",
	    html_time(histogram_percentile(times, P95), p95),
	    html_time(histogram_percentile(times, P99), p99));
	put_tile(h, false, what, html_time(histogram_percentile(times, P50), p50), more);
}

static void
put_tiles_of_data(const struct result *r, struct html *h)
{
	char v[HTML_NUMBER_MAX], a[HTML_NUMBER_MAX], more[160];

	(void)snprintf(more, sizeof(more), "of %s acknowledged", html_count(r->objects_put, a));
	put_tile(h, r->objects_lost > 0, "Objects lost", html_count(r->objects_lost, v), more);
	(void)snprintf(more, sizeof(more), "%s of %s", html_count(r->lookups_failed, v),
	    html_count(r->lookups, a));
	put_tile(h, false, "Lookups failed", html_share(r->lookups_failed, r->lookups, v), more);
	if (r->recall_true == 0)
		put_tile(h, false, "Recall", "&#8211;", "not measured");
	else
		put_tile(h, false, "Recall", html_share(r->recall_found, r->recall_true, v),
		    "of the true closest, found");
}

static void
put_requests(const struct result *r, struct html *h)
{
	char v[HTML_NUMBER_MAX], a[HTML_NUMBER_MAX], more[160];

	(void)snprintf(more, sizeof(more), "%s in all", html_count(r->rpcs_total, a));
	if (r->lookup_rpcs.count == 0)
		put_tile(h, false, "Requests of a lookup, median", "&#8211;", more);
	else
		put_tile(h, false, "Requests of a lookup, median",
		    html_count(histogram_percentile(&r->lookup_rpcs, P50), v), more);
}

static void
put_cost(const struct result *r, struct html *h)
{
	char v[HTML_NUMBER_MAX], a[HTML_NUMBER_MAX], more[160];

	(void)snprintf(more, sizeof(more), "%s in %.0f s of processor", html_count(r->events, a),
	    (double)r->cpu_ms / 1e3);
	if (r->cpu_ms == 0)
		put_tile(h, false, "Events a second", "&#8211;", more);
	else
		put_tile(h, false, "Events a second",
		    html_count((uint64_t)((unsigned __int128)r->events * 1000 / r->cpu_ms), v),
		    more);
	(void)snprintf(
	    more, sizeof(more), "%s in all", html_bytes((double)r->resident_peak_bytes, a));
	if (r->nodes == 0)
		put_tile(h, false, "Memory a node", "&#8211;", more);
	else
		put_tile(h, false, "Memory a node",
		    html_bytes((double)(r->resident_peak_bytes / r->nodes), v), more);
}

static void
put_tiles(const struct result *r, struct html *h)
{
	html_raw(h, "<dl class=\"tiles\">");
	put_tiles_of_data(r, h);
	put_requests(r, h);
	put_times(h, "Lookup, first answer", &r->lookup_first);
	put_times(h, "Record put, done", &r->put);
	put_cost(r, h);
	html_raw(h, "</dl>\n");
}

/* ---- faults of the timeline ---- */

static void
put_fault(const struct result *r, size_t i, struct html *h)
{
	const struct result_mark *m = &r->marks[i];
	double hour = (double)HOURS(1);
	uint64_t span = MAX(r->span, (uint64_t)1);
	double left = 100.0 * (double)MIN(m->from, span) / (double)span;
	double right = 100.0 * (double)MIN(MAX(m->to, m->from), span) / (double)span;

	html_put(h, "<li><b>%zu</b><em>", i + 1);
	html_text(h, m->text);
	html_put(h, "</em><span>%.2f", (double)m->from / hour);
	if (m->to > m->from)
		html_put(h, " &#8211; %.2f", (double)m->to / hour);
	html_put(h,
	    " h</span><u><i style=\"left:min(%.2f%%,100%% - 4px);width:%.2f%%\"></i></u></li>",
	    left, right - left);
}

static void
put_faults(const struct result *r, struct html *h)
{
	html_raw(h, "<figure class=\"wide\"><figcaption><h3>Faults of the timeline</h3>");
	if (r->marks_count == 0) {
		html_raw(h, "</figcaption><p class=\"none\">The scenario plans no faults.</p>"
			    "</figure>\n");
		return;
	}
	html_raw(h, "<p>Shaded, with these numbers, in every plot over time</p></figcaption>"
		    "<ul class=\"faults\">");
	for (size_t i = 0; i < r->marks_count; i++)
		put_fault(r, i, h);
	html_raw(h, "</ul></figure>\n");
}

/* ---- the page ---- */

static void
section(struct html *h, const char *title, const char *about)
{
	html_put(h, "<h2>%s</h2><p>%s</p><div class=\"grid2\">\n", title, about);
}

static void
put_plots(const struct result *r, struct report_plots *p, struct html *h)
{
	section(h, "What happened", "Who was there, and what went wrong by plan.");
	put_faults(r, h);
	report_plot_members(p, h);
	report_plot_traffic(p, h);
	html_raw(h, "</div>");
	section(h, "Lookups",
	    "<i>First</i>: one of the true closest answered. <i>Done</i>: all that live did.");
	report_plot_lookups(p, h);
	report_table_paths(r, h);
	html_raw(h, "</div>");
	section(h, "What is stored", "A chunk is read from any k of its n shards; fewer is loss.");
	report_plot_data(p, h);
	report_keeping(r, h);
	html_raw(h, "</div>");
}

static void
put_terms(struct html *h)
{
	html_raw(h,
	    "<h2>Terms</h2><dl class=\"terms\"><dt>First</dt><dd>the first of the true k closest "
	    "peers answered.</dd><dt>Done</dt><dd>all live ones of them answered.</dd>"
	    "<dt>Request</dt><dd>one sent to a peer, second tries "
	    "included.</dd><dt>Event</dt><dd>one item "
	    "taken from the simulator&#8217;s heap.</dd><dt>Up, offline, gone</dt><dd>answers; "
	    "will be back with its disk; will not.</dd><dt>Lost</dt><dd>acknowledged, and a chunk "
	    "of it has fewer than k shards on any disk that exists.</dd><dt>Unreadable</dt><dd>k "
	    "exist, everybody is back, and still it cannot be read.</dd><dt>Times</dt><dd>are of "
	    "the simulated network, unless they are of the processor.</dd></dl></body></html>\n");
}

int
report_html(const struct result *r, struct buf *out)
{
	struct report_plots *p = report_plots_new(r);
	struct html h = { .out = out, .err = ERR_OK };

	if (p == NULL)
		return ERR_NOMEM;
	put_head(r, &h);
	put_tiles(r, &h);
	put_plots(r, p, &h);
	section(&h, "Figures", "Percentiles are at most a thirty-second below the true ones.");
	report_tables(r, &h);
	html_raw(&h, "</div>");
	put_terms(&h);
	report_plots_free(p);
	return h.err;
}
