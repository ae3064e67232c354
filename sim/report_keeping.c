/*
 * How well chunks were kept: time at risk, the cost of repair and the loss against their
 * formulas, and in which order repairs began. Times are of the simulated network; where
 * repair-pace makes keeping faster, months are of the documented pace.
 */
#include <inttypes.h>
#include <math.h>

#include "sim/report_private.h"

/* ---- time at risk ---- */

static void
risk_label(struct html *h, size_t bin)
{
	char v[HTML_NUMBER_MAX];
	uint64_t to = result_risk_end(bin);

	if (bin == 0)
		html_raw(h, "never");
	else if (to == UINT64_MAX)
		html_put(h, "over %s", html_span(result_risk_end(bin - 1), v));
	else
		html_put(h, "up to %s", html_span(to, v));
}

static bool
bin_used(const struct result_keeping *k, size_t bin)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < RESULT_RISKS; i++)
		sum += k->at_risk[i][bin];
	return sum > 0;
}

/* A bar as wide as the share, and the number beside it. */
static void
bar(struct html *h, uint64_t count, uint64_t whole, const char *color)
{
	char v[HTML_NUMBER_MAX];

	html_put(h,
	    "<td class=\"bar\"><u><i style=\"width:%.2f%%;background:%s\"></i></u><span>%s</span>"
	    "</td>",
	    100.0 * (double)count / (double)whole, color, html_count(count, v));
}

static void
put_risk(const struct result *r, struct html *h)
{
	static const char *const colors[RESULT_RISKS] = { "var(--teal)", "var(--amber)",
		"var(--red)" };
	const struct result_keeping *k = &r->keeping;
	size_t from = 0, to = RESULT_RISK_BINS;

	while (from < to && !bin_used(k, from))
		from++;
	while (to > from && !bin_used(k, to - 1))
		to--;
	report_table_begin(h, " class=\"wide\"", "Time at risk",
	    "Chunks, by how long they had so few shards on peers that are up, all times together");
	if (r->n > 0)
		html_put(h,
		    "<tr><th>for</th><th>at most r = %u</th><th>at most k + 1 = %u</th>"
		    "<th>at most k = %u</th></tr>",
		    r->r, r->k + 1u, r->k);
	else /* each chunk has its own */
		html_raw(h, "<tr><th>for</th><th>at most r</th><th>at most k + 1</th>"
			    "<th>at most k</th></tr>");
	for (size_t bin = from; bin < to; bin++) {
		html_raw(h, "<tr><td>");
		risk_label(h, bin);
		html_raw(h, "</td>");
		for (size_t i = 0; i < RESULT_RISKS; i++)
			bar(h, k->at_risk[i][bin], k->chunks, colors[i]);
		html_raw(h, "</tr>");
	}
	report_table_end(h);
}

/* ---- what repair costs ---- */

static double
months(const struct result *r, double ns)
{
	return ns * (double)r->keeping.pace / SIM_MONTH_NS;
}

/* Bytes a byte and month, of an amount over byte-nanoseconds. */
static void
row_rate(const struct result *r, struct html *h, const char *what, double rate, double formula)
{
	html_put(h, "<tr><td>%s</td><td>%.4f</td>", what, rate / months(r, 1));
	if (formula > 0)
		html_put(h, "<td>%.1f %%</td></tr>", 100 * rate / formula);
	else
		html_raw(h, "<td>&#8211;</td></tr>");
}

static void
put_cost(const struct result *r, struct html *h)
{
	const struct result_keeping *k = &r->keeping;

	report_table_begin(h, "", "What repair costs",
	    "Bytes read and written for each byte stored, a month at the documented pace; only "
	    "after two of the formula&#8217;s cycles");
	html_raw(h, "<tr><th></th><th>bytes</th><th>of B</th></tr>");
	row_rate(r, h, "B = &#955;(k+n&#8722;r)/(k(H<sub>n</sub>&#8722;H<sub>r</sub>))", k->rate,
	    k->rate);
	row_rate(r, h, "what the time of repairs adds (grace)", k->rate_slow - k->rate, k->rate);
	if (k->steady_byte_ns > 0) {
		row_rate(r, h, "measured", (double)k->steady_bytes / k->steady_byte_ns, k->rate);
		row_rate(r, h, "of it read from own disks",
		    (double)k->steady_own_bytes / k->steady_byte_ns, k->rate);
	}
	html_raw(h, "<tr class=\"head\"><th>whole run</th><th>MiB</th><th>of what was "
		    "expected</th></tr>");
	html_put(h, "<tr><td>expected from whole chunks on</td><td>%.2f</td><td>100 %%</td></tr>",
	    k->course_bytes / (double)MIB(1));
	html_put(h, "<tr><td>measured</td><td>%.2f</td><td>",
	    (double)(k->moved_bytes + k->own_bytes) / (double)MIB(1));
	if (k->course_bytes > 0)
		html_put(h, "%.1f %%",
		    100.0 * (double)(k->moved_bytes + k->own_bytes) / k->course_bytes);
	html_raw(h, "</td></tr>");
	report_table_end(h);
}

/* ---- what is lost ---- */

static void
put_loss(const struct result *r, struct html *h)
{
	const struct result_keeping *k = &r->keeping;
	double watched = months(r, (double)k->watched_ms * 1e6);
	char a[HTML_NUMBER_MAX], b[HTML_NUMBER_MAX];

	report_table_begin(h, "", "Loss against the Markov chain",
	    "A chain over live shards: j of them fail at rate j&#955;, and at r a repair begins "
	    "that takes as long as was measured");
	html_put(h, "<tr><td>chunks watched</td><td>%s</td></tr>", html_count(k->chunks, a));
	html_put(h, "<tr><td>chunk-months</td><td>%.0f</td></tr>", watched);
	if (k->times_count > 0)
		html_put(h, "<tr><td>a repair takes, median</td><td>%s</td></tr>",
		    html_span(k->times[k->times_count / 2] * k->pace, a));
	html_put(h, "<tr><td>lost, measured</td><td>%s</td></tr>", html_count(k->lost, a));
	html_put(h, "<tr><td>its 95 %% interval</td><td>%.1f &#8211; %.1f</td></tr>", k->lost_low,
	    k->lost_high);
	html_put(
	    h, "<tr><td>variance over Poisson&#8217;s</td><td>%.2f</td></tr>", k->lost_dispersion);
	if (k->rate > 0) {
		html_put(h, "<tr><td>lost, by the chain</td><td>%.1f</td></tr>", k->lost_expected);
		if (isfinite(k->loss_time_ns))
			html_put(h,
			    "<tr><td>a chunk lives, by the chain</td><td>%s months</td></tr>",
			    html_count((uint64_t)MIN(months(r, k->loss_time_ns), 1e18), b));
	}
	report_table_end(h);
}

/* ---- order ---- */

static void
put_order(const struct result *r, struct html *h)
{
	const struct result_keeping *k = &r->keeping;
	char a[HTML_NUMBER_MAX], b[HTML_NUMBER_MAX];

	report_table_begin(h, " class=\"wide\"", "Repairs by urgency",
	    "Alive &#8722; k when a repair began, and how long the chunk had had r alive or fewer");
	html_raw(h, "<tr><th>to spare</th><th>begun</th><th>waited, mean</th></tr>");
	for (size_t i = 0; i < RESULT_SPARE; i++) {
		uint64_t n = k->by_spare[i].begun;

		if (n > 0)
			html_put(h, "<tr><td>%zu</td><td>%s</td><td>%s</td></tr>", i,
			    html_count(n, a),
			    html_span(k->by_spare[i].waited_ms / n * MILLISECONDS(1), b));
	}
	html_put(h,
	    "<tr class=\"sum\"><td>begun although one with less to spare waited for the same "
	    "node</td><td>%s</td><td></td></tr>",
	    html_count(k->overtakes, a));
	html_put(h,
	    "<tr><td>moved by all repairs, for each byte stored</td><td>%.3f B</td><td></td></tr>",
	    (double)k->moved_bytes / (double)MAX(k->stored_bytes, UINT64_C(1)));
	report_table_end(h);
}

void
report_keeping(const struct result *r, struct html *h)
{
	const struct result_keeping *k = &r->keeping;

	if (k->chunks == 0)
		return;
	put_risk(r, h);
	if (k->rate > 0) {
		put_cost(r, h);
		put_loss(r, h);
	}
	put_order(r, h);
}
