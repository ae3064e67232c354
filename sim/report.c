/*
 * Columns of numbers are taken out of the samples, one plot after the other, between a head with
 * the verdict and a foot that says how to replay it. Fails only for want of room.
 */
#include "sim/report.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/plot.h"

#define COLUMNS PLOT_SERIES_MAX

struct page {
	const struct result *r;
	struct buf *out;
	double hours[RESULT_SAMPLES + 1];
	double values[COLUMNS][RESULT_SAMPLES + 1];
	int err;
};

static const char style[] =
    "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
    "<style>:root{--fg:#1d2733;--dim:#66727f;--bg:#fbfaf7;--card:#fff;--line:#e3e1da;"
    "--mark:#d9822b}@media(prefers-color-scheme:dark){:root{--fg:#e4e7ea;--dim:#98a3ae;"
    "--bg:#14181d;--card:#1b2128;--line:#303943;--mark:#e0a050}}"
    "body{margin:0 auto;max-width:1060px;padding:28px 18px;color:var(--fg);background:var(--bg);"
    "font:15px/1.5 system-ui,sans-serif}h1{font-size:26px;margin:0}"
    "h1 small,figcaption small{color:var(--dim);font-weight:400;font-size:14px}"
    "code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}"
    ".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px;"
    "margin:18px 0}.cards div,figure,table{background:var(--card);border:1px solid var(--line);"
    "border-radius:8px}.cards div{padding:10px 12px}.cards b{display:block;font-size:21px}"
    ".cards span{color:var(--dim);font-size:13px}.bad b{color:#c0392b}"
    ".grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,480px),1fr));"
    "gap:14px}figure{margin:0;padding:12px 12px 6px}figcaption{font-weight:600}"
    "svg{width:100%;height:auto;display:block}svg text{fill:var(--dim);font-size:12px}"
    "svg .y{text-anchor:end}svg .x{text-anchor:middle}svg .grid{stroke:var(--line)}"
    ".mark{fill:var(--mark);opacity:.16}svg .flag{fill:var(--mark);font-size:10px}"
    ".legend{margin:2px 0 4px;color:var(--dim);font-size:13px}.legend span{margin-right:12px}"
    ".legend i{display:inline-block;width:10px;height:10px;border-radius:2px;"
    "margin-right:5px}.none{color:var(--dim);padding:8px 0}"
    "table{border-collapse:separate;border-spacing:0;padding:8px 12px;margin:14px 0;width:100%}"
    "td,th{text-align:right;padding:2px 8px}td:first-child,th:first-child{text-align:left}"
    "th{color:var(--dim);font-weight:500}</style><title>";

#define P(p, ...)                                                                                  \
	do {                                                                                       \
		if ((p)->err == ERR_OK)                                                            \
			(p)->err = html_print((p)->out, __VA_ARGS__);                              \
	} while (0)

static void
text(struct page *p, const char *s)
{
	if (p->err == ERR_OK)
		p->err = html_text(p->out, s);
}

static double
ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

/* ---- the verdict ---- */

static void
card(struct page *p, bool bad, const char *value, const char *what)
{
	P(p, "<div%s><b>%s</b><span>%s</span></div>", bad ? " class=\"bad\"" : "", value, what);
}

static void
cards(struct page *p)
{
	const struct result *r = p->r;
	char v[64];

	P(p, "<div class=\"cards\">");
	(void)snprintf(v, sizeof(v), "%llu", (unsigned long long)r->objects_lost);
	card(p, r->objects_lost > 0, v, "objects lost");
	(void)snprintf(v, sizeof(v), "%llu", (unsigned long long)r->objects_unread);
	card(p, r->objects_unread > 0, v, "there, and unreadable");
	(void)snprintf(v, sizeof(v), "%.2f %%",
	    r->lookups == 0 ? 0 : 100.0 * (double)r->lookups_failed / (double)r->lookups);
	card(p, false, v, "of lookups failed");
	(void)snprintf(v, sizeof(v), "%.4f",
	    r->recall_true == 0 ? 0 : (double)r->recall_found / (double)r->recall_true);
	card(p, false, v, "recall of the closest 20");
	(void)snprintf(v, sizeof(v), "%.0f ms", ms(histogram_percentile(&r->lookup_first, 500000)));
	card(p, false, v, "first answer, median");
	(void)snprintf(v, sizeof(v), "%.0f ms", ms(histogram_percentile(&r->put, 950000)));
	card(p, false, v, "record put, 95 %");
	(void)snprintf(v, sizeof(v), "%.0f",
	    r->cpu_ms == 0 ? 0 : (double)r->events * 1000 / (double)r->cpu_ms);
	card(p, false, v, "events a second");
	(void)snprintf(v, sizeof(v), "%.1f KiB",
	    r->nodes == 0 ? 0 : (double)r->resident_peak_bytes / 1024 / (double)r->nodes);
	card(p, false, v, "memory a node");
	P(p, "</div>");
}

static void
row(struct page *p, const char *what, const struct histogram *h, double unit)
{
	if (h->count == 0)
		return;
	P(p, "<tr><td>%s</td><td>%.0f</td><td>%.0f</td><td>%.0f</td><td>%llu</td></tr>", what,
	    (double)histogram_percentile(h, 500000) / unit,
	    (double)histogram_percentile(h, 950000) / unit,
	    (double)histogram_percentile(h, 990000) / unit, (unsigned long long)h->count);
}

static void
tables(struct page *p)
{
	static const char *const kinds[SIM_EVENT_KINDS] = { "timers", "datagrams", "streams",
		"work", "turns of tasks" };
	const struct result *r = p->r;
	double hours = (double)r->node_ms / 3600000.0;

	P(p, "<table><tr><th>ms of simulated time</th><th>p50</th><th>p95</th><th>p99</th>"
	     "<th>count</th></tr>");
	row(p, "lookup: first of the closest answered", &r->lookup_first, 1e6);
	row(p, "lookup: all live closest answered", &r->lookup_done, 1e6);
	row(p, "record put: all live closest answered", &r->put, 1e6);
	row(p, "record get", &r->record_get, 1e6);
	row(p, "object put", &r->object_put, 1e6);
	row(p, "object get", &r->object_get, 1e6);
	row(p, "requests of a lookup", &r->lookup_rpcs, 1);
	row(p, "requests of a record put", &r->put_rpcs, 1);
	P(p, "</table><table><tr><th>lookups by paths</th><th>found the closest</th>"
	     "<th>requests, p50</th><th>count</th></tr>");
	for (size_t i = 0; i < RESULT_PATHS; i++) {
		const struct result_paths *s = &r->paths[i];

		if (s->lookups > 0)
			P(p, "<tr><td>%u</td><td>%.2f %%</td><td>%llu</td><td>%llu</td></tr>",
			    s->paths, 100.0 * (double)s->succeeded / (double)s->lookups,
			    (unsigned long long)histogram_percentile(&s->rpcs, 500000),
			    (unsigned long long)s->lookups);
	}
	P(p, "</table><table><tr><th>events per node and hour</th>");
	for (size_t i = 0; i < SIM_EVENT_KINDS; i++)
		P(p, "<th>%s</th>", kinds[i]);
	P(p, "</tr><tr><td>%.0f</td>", hours > 0 ? (double)r->events / hours : 0);
	for (size_t i = 0; i < SIM_EVENT_KINDS; i++)
		P(p, "<td>%.0f</td>", hours > 0 ? (double)r->events_by_kind[i] / hours : 0);
	P(p, "</tr></table>");
}

/* ---- plots ---- */

static void
draw(struct page *p, const char *title, const char *unit, const char *none, bool stacked,
    const struct plot_series *series, size_t count)
{
	const struct plot plot = { .title = title,
		.unit = unit,
		.none = none,
		.hours = p->hours,
		.count = p->r->samples_count,
		.series = series,
		.series_count = count,
		.stacked = stacked,
		.marks = p->r->marks,
		.marks_count = p->r->marks_count };

	if (p->err == ERR_OK)
		p->err = plot_svg(&plot, p->out);
}

#define COLUMN(p, c, expression)                                                                   \
	for (size_t i = 0; i < (p)->r->samples_count; i++) {                                       \
		const struct result_sample *s = &(p)->r->samples[i];                               \
                                                                                                   \
		(p)->values[c][i] = (double)(expression);                                          \
	}

static void
plot_members(struct page *p)
{
	const struct plot_series series[] = { { "up", "#2a9d8f", p->values[0] },
		{ "offline", "#e9a03b", p->values[1] } };

	COLUMN(p, 0, s->up)
	COLUMN(p, 1, s->offline)
	draw(p, "Members", "", NULL, false, series, ARRAY_LEN(series));
}

static void
plot_lookups(struct page *p)
{
	const char *none = "No lookups were made.";
	const struct plot_series times[] = { { "first p50", "#3a86c8", p->values[0] },
		{ "first p95", "#8ab8dd", p->values[1] }, { "done p50", "#7a5195", p->values[2] },
		{ "done p95", "#bc9fcd", p->values[3] } };
	const struct plot_series ends[] = { { "recall", "#2a9d8f", p->values[4] },
		{ "failed", "#c0392b", p->values[5] } };

	COLUMN(p, 0, ms(s->first_p50))
	COLUMN(p, 1, ms(s->first_p95))
	COLUMN(p, 2, ms(s->done_p50))
	COLUMN(p, 3, ms(s->done_p95))
	COLUMN(p, 4, s->recall_ppm / 1e4)
	COLUMN(p, 5, s->lookups == 0 ? 0 : 100.0 * (double)s->lookups_failed / (double)s->lookups)
	draw(p, "Lookups", "ms", none, false, times, ARRAY_LEN(times));
	draw(p, "Lookups: recall and failures", "%", none, false, ends, ARRAY_LEN(ends));
}

static void
plot_traffic(struct page *p)
{
	const struct plot_series series[] = { { "pings", "#9aa5b1", p->values[0] },
		{ "lookups", "#3a86c8", p->values[1] }, { "records", "#2a9d8f", p->values[2] },
		{ "other datagrams", "#c9b458", p->values[3] },
		{ "sessions", "#7a5195", p->values[4] } };
	const struct plot_series stale[] = { { "stale contacts", "#c0392b", p->values[5] } };
	const struct plot_series size[] = { { "contacts in a table", "#3a86c8", p->values[6] } };
	double step = p->r->samples_count > 1 ? (double)p->r->samples[1].at / 1e9 : 1;

	for (size_t c = 0; c < TRAFFIC_CLASSES; c++)
		COLUMN(p, c, i == 0 || s->up == 0 ? 0 : (double)s->sent_bytes[c] / step / s->up)
	COLUMN(p, 5, s->stale_ppm / 1e4)
	COLUMN(p, 6, s->contacts_mean)
	draw(p, "Sent by a node", "bytes a second", "Nothing was sent.", true, series,
	    ARRAY_LEN(series));
	draw(p, "Tables: contacts that are not up", "%", NULL, false, stale, ARRAY_LEN(stale));
	draw(p, "Tables: contacts, mean", "", NULL, false, size, ARRAY_LEN(size));
}

static void
plot_chunks(struct page *p)
{
	static const char *const names[RESULT_ALIVE] = { "fewer than k", "k", "k+1", "k+2", "k+3",
		"k+4", "k+5", "k+6", "k+7", "k+8", "k+9", "k+10", "k+11", "k+12", "k+13", "k+14",
		"k+15", "k+16", "k+17", "more" };
	static const char *const colors[RESULT_ALIVE] = { "#8e1b13", "#d1495b", "#ea8c55",
		"#edc95a", "#b7c96b", "#84b86c", "#5aa66d", "#3d946e", "#2a826d", "#1f716a",
		"#1a6066", "#17515f", "#154357", "#13364d", "#112b43", "#0f2239", "#0d1a2f",
		"#0b1326", "#0a0e1e", "#080a17" };
	const char *none = "No objects were stored.";
	struct plot_series series[RESULT_ALIVE];
	const struct plot_series kept[] = { { "acknowledged", "#2a9d8f", p->values[20] },
		{ "lost", "#c0392b", p->values[21] } };

	for (size_t c = 0; c < RESULT_ALIVE; c++) {
		series[c] = (struct plot_series){ names[c], colors[c], p->values[c] };
		COLUMN(p, c, s->chunks[c])
	}
	COLUMN(p, 20, s->objects)
	COLUMN(p, 21, s->objects_lost)
	draw(p, "Chunks by shards on members that are up", "", none, true, series, RESULT_ALIVE);
	draw(p, "Objects", "", none, false, kept, ARRAY_LEN(kept));
}

static void
plot_repair(struct page *p)
{
	const struct plot_series series[] = { { "repair", "#7a5195", p->values[0] },
		{ "expected by the formula", "#9aa5b1", p->values[1] } };
	double each = p->r->samples_count == 0
			  ? 0
			  : (double)p->r->repair_expected_bytes / (double)p->r->samples_count;

	COLUMN(p, 0, s->repair_bytes)
	COLUMN(p, 1, each + 0 * (double)s->at)
	draw(p, "Repair traffic", "bytes an interval",
	    "Nothing was repaired: peers do not repair by themselves yet, so there is nothing to "
	    "compare with B = "
	    "&lambda;(k+n&minus;r)/(k&middot;(H<sub>n</sub>&minus;H<sub>r</sub>)).",
	    false, series, ARRAY_LEN(series));
}

/* ---- the page ---- */

static void
head(struct page *p)
{
	const struct result *r = p->r;

	if (p->err == ERR_OK)
		p->err = buf_append(p->out, style, sizeof(style) - 1);
	text(p, r->scenario);
	P(p, " &middot; skerry sim</title></head><body><h1>");
	text(p, r->scenario);
	P(p,
	    " <small>%llu nodes, %.4g hours, seed %llu, %s cryptography</small></h1>"
	    "<p>event hash <code>%016llx</code>, %llu events; replay: "
	    "<code>skerry sim run FILE --nodes %llu --hours %.4g --seed %llu</code></p>",
	    (unsigned long long)r->nodes, (double)r->span / (double)HOURS(1),
	    (unsigned long long)r->seed, r->stand_in ? "stand-in" : "real",
	    (unsigned long long)r->event_hash, (unsigned long long)r->events,
	    (unsigned long long)r->nodes, (double)r->span / (double)HOURS(1),
	    (unsigned long long)r->seed);
}

static void
foot(struct page *p)
{
	const struct result *r = p->r;

	if (r->marks_count > 0)
		P(p, "<p class=\"legend\">Shaded: ");
	for (size_t i = 0; i < r->marks_count; i++) {
		P(p, "%s%zu ", i > 0 ? ", " : "", i + 1);
		text(p, r->marks[i].text);
	}
	P(p, "%s</body></html>\n", r->marks_count > 0 ? ".</p>" : "");
}

int
report_html(const struct result *r, struct buf *out)
{
	struct page *p = calloc(1, sizeof(*p));
	int err;

	if (p == NULL)
		return ERR_NOMEM;
	p->r = r;
	p->out = out;
	for (size_t i = 0; i < r->samples_count; i++)
		p->hours[i] = (double)r->samples[i].at / (double)HOURS(1);
	head(p);
	cards(p);
	P(p, "<div class=\"grid2\">");
	plot_members(p);
	plot_lookups(p);
	plot_traffic(p);
	plot_chunks(p);
	plot_repair(p);
	P(p, "</div>");
	tables(p);
	foot(p);
	err = p->err;
	free(p);
	return err;
}
