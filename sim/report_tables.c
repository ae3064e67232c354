/* Tables: what no plot shows, or not to the last digit. */
#include <inttypes.h>

#include "sim/report_private.h"

#define P50 500000
#define P95 950000
#define P99 990000

void
report_table_begin(struct html *h, const char *cls, const char *title, const char *note)
{
	html_put(h,
	    "<figure%s><figcaption><h3>%s</h3><p>%s</p></figcaption><div class=\"scroll\"><table>",
	    cls, title, note);
}

void
report_table_end(struct html *h)
{
	html_raw(h, "</table></div></figure>\n");
}

static void
none(struct html *h, const char *title, const char *sentence)
{
	html_put(h,
	    "<figure class=\"wide\"><figcaption><h3>%s</h3></figcaption><p "
	    "class=\"none\">%s</p></figure>\n",
	    title, sentence);
}

/* ---- lookups by paths ---- */

void
report_table_paths(const struct result *r, struct html *h)
{
	static const char title[] = "Lookups by number of paths";
	char share[HTML_NUMBER_MAX], rpcs[HTML_NUMBER_MAX], more[HTML_NUMBER_MAX],
	    count[HTML_NUMBER_MAX];
	bool any = false;

	for (size_t i = 0; i < RESULT_PATHS; i++)
		any |= r->paths[i].lookups > 0;
	if (!any) {
		none(h, title, "Lookups were not compared by their number of paths in this run.");
		return;
	}
	report_table_begin(h, " class=\"wide\"", title,
	    "Found: the closest live honest peer, in spite of those that lie");
	html_raw(h, "<tr><th>lookups by paths</th><th>found</th><th>requests, p50</th><th>p95</th>"
		    "<th>lookups</th></tr>");
	for (size_t i = 0; i < RESULT_PATHS; i++) {
		const struct result_paths *p = &r->paths[i];

		if (p->lookups > 0)
			html_put(h,
			    "<tr><td>%u</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>",
			    p->paths, html_share(p->succeeded, p->lookups, share),
			    html_count(histogram_percentile(&p->rpcs, P50), rpcs),
			    html_count(histogram_percentile(&p->rpcs, P95), more),
			    html_count(p->lookups, count));
	}
	report_table_end(h);
}

/* ---- times and requests ---- */

/* A value as its column shows it: html_ms, html_count. */
typedef const char *shown(uint64_t v, char out[HTML_NUMBER_MAX]);

static void
row(struct html *h, const char *what, const struct histogram *t, shown *show)
{
	char a[HTML_NUMBER_MAX], b[HTML_NUMBER_MAX], c[HTML_NUMBER_MAX], d[HTML_NUMBER_MAX];

	if (t->count > 0)
		html_put(h, "<tr><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>",
		    what, show(histogram_percentile(t, P50), a),
		    show(histogram_percentile(t, P95), b), show(histogram_percentile(t, P99), c),
		    html_count(t->count, d));
}

static void
table_percentiles(const struct result *r, struct html *h)
{
	if (r->lookup_first.count + r->lookup_done.count + r->put.count + r->record_get.count +
		r->object_put.count + r->object_get.count + r->lookup_rpcs.count +
		r->put_rpcs.count ==
	    0) {
		none(h, "Percentiles", "Nothing was timed, and no requests were counted.");
		return;
	}
	report_table_begin(h, " class=\"wide\"", "Percentiles", "Of all operations of the run");
	html_raw(h, "<tr><th>milliseconds of simulated time</th><th>p50</th><th>p95</th>"
		    "<th>p99</th><th>count</th></tr>");
	row(h, "lookup, first", &r->lookup_first, html_ms);
	row(h, "lookup, done", &r->lookup_done, html_ms);
	row(h, "record put, done", &r->put, html_ms);
	row(h, "record get", &r->record_get, html_ms);
	row(h, "object put", &r->object_put, html_ms);
	row(h, "object get", &r->object_get, html_ms);
	html_raw(h, "<tr class=\"head\"><th>requests sent</th><th></th><th></th><th></th>"
		    "<th></th></tr>");
	row(h, "lookup", &r->lookup_rpcs, html_count);
	row(h, "record put", &r->put_rpcs, html_count);
	report_table_end(h);
}

/* ---- what was done ---- */

static void
row_done(struct html *h, const char *what, uint64_t done, uint64_t failed)
{
	char a[HTML_NUMBER_MAX], b[HTML_NUMBER_MAX];

	html_put(h, "<tr><td>%s</td><td>%s</td><td>%s</td></tr>", what, html_count(done, a),
	    html_count(failed, b));
}

static void
table_operations(const struct result *r, struct html *h)
{
	report_table_begin(
	    h, "", "Operations", "How many were asked for, and how many did not succeed");
	html_raw(h, "<tr><th></th><th>made</th><th>failed</th></tr>");
	row_done(h, "lookups", r->lookups, r->lookups_failed);
	row_done(h, "record puts", r->record_puts, r->record_puts_failed);
	row_done(h, "record gets", r->record_gets, r->record_gets_failed);
	if (r->attacked_puts > 0) {
		row_done(h, "puts beside Sybils", r->attacked_puts, r->attacked_puts_failed);
		row_done(h, "gets beside Sybils", r->attacked_gets, r->attacked_gets_failed);
	}
	row_done(h, "object puts", r->objects_put + r->objects_refused, r->objects_refused);
	row_done(h, "object gets", r->objects_got, r->objects_get_failed);
	report_table_end(h);
}

static void
row_objects(struct html *h, const char *what, uint64_t count, bool bad)
{
	char v[HTML_NUMBER_MAX];

	html_put(h, "<tr><td>%s</td><td%s>%s</td></tr>", what,
	    bad && count > 0 ? " class=\"bad\"" : "", html_count(count, v));
}

/* Bad ones, of so many that were looked at. */
static void
row_of(struct html *h, const char *what, uint64_t count, uint64_t whole)
{
	if (whole > 0)
		row_objects(h, what, count, true);
	else
		html_put(h, "<tr><td>%s</td><td>not measured</td></tr>", what);
}

static void
table_objects(const struct result *r, struct html *h)
{
	report_table_begin(h, "", "Objects and members", "In the end, when everybody was back");
	row_objects(h, "objects acknowledged", r->objects_put, false);
	row_objects(h, "lost", r->objects_lost, true);
	row_objects(h, "chunks never seen", r->objects_unseen, true);
	row_objects(h, "read back in the end", r->objects_read, false);
	row_of(h, "of these unreadable", r->objects_unread, r->objects_read);
	row_of(h, "read with wrong bytes", r->objects_wrong, r->objects_read + r->objects_got);
	row_objects(h, "members that came (back)", r->joins, false);
	row_objects(h, "went offline", r->leaves, false);
	row_objects(h, "gone for good", r->deaths, false);
	report_table_end(h);
}

/* ---- cost ---- */

static void
row_events(struct html *h, const char *what, uint64_t count, const struct result *r, bool sum)
{
	double hours = (double)r->node_ms / 3600000.0;
	char a[HTML_NUMBER_MAX], b[HTML_NUMBER_MAX];

	html_put(h, "<tr%s><td>%s</td><td>%s</td><td>%s</td>", sum ? " class=\"sum\"" : "", what,
	    html_count(count, a), html_share(count, r->events, b));
	if (hours > 0)
		html_put(h, "<td>%.1f</td></tr>", (double)count / hours);
	else
		html_raw(h, "<td>&#8211;</td></tr>");
}

static void
table_events(const struct result *r, struct html *h)
{
	static const char *const kinds[] = { "timers", "datagrams", "streams", "work", "turns" };

	static_assert(ARRAY_LEN(kinds) == SIM_EVENT_KINDS, "every kind has a name");
	report_table_begin(h, "", "Events", "What the simulator spent its time on");
	html_raw(h, "<tr><th></th><th>events</th><th>share</th><th>per node-hour</th></tr>");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		row_events(h, kinds[i], r->events_by_kind[i], r, false);
	row_events(h, "all", r->events, r, true);
	report_table_end(h);
}

static void
table_traffic(const struct result *r, struct html *h)
{
	static const char *const classes[] = { "pings", "lookups", "records", "other datagrams",
		"sessions" };
	double seconds = (double)result_sampled_node_ms(r) / 1000.0;
	uint64_t sums[TRAFFIC_CLASSES], all = 0;
	char a[HTML_NUMBER_MAX], b[HTML_NUMBER_MAX];

	static_assert(ARRAY_LEN(classes) == TRAFFIC_CLASSES, "every class has a name");
	for (size_t c = 0; c < TRAFFIC_CLASSES; c++) {
		sums[c] = result_sent_bytes(r, (enum traffic_class)c);
		all += sums[c];
	}
	report_table_begin(h, "", "Traffic", "Sent by all members");
	html_raw(h, "<tr><th></th><th>bytes</th><th>share</th><th>per node and second</th></tr>");
	for (size_t c = 0; c <= TRAFFIC_CLASSES; c++) {
		bool sum = c == TRAFFIC_CLASSES;
		uint64_t v = sum ? all : sums[c];

		html_put(h, "<tr%s><td>%s</td><td>%s</td><td>%s</td>", sum ? " class=\"sum\"" : "",
		    sum ? "all" : classes[c], html_bytes((double)v, a), html_share(v, all, b));
		if (seconds > 0)
			html_put(h, "<td>%.2f B</td></tr>", (double)v / seconds);
		else
			html_raw(h, "<td>&#8211;</td></tr>");
	}
	report_table_end(h);
}

void
report_tables(const struct result *r, struct html *h)
{
	table_percentiles(r, h);
	table_operations(r, h);
	table_objects(r, h);
	table_events(r, h);
	table_traffic(r, h);
}
