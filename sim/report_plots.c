/* Columns of numbers are taken out of the samples, one plot after the other. */
#include <math.h>
#include <stdlib.h>

#include "sim/plot.h"
#include "sim/report_private.h"

#define COLUMNS    PLOT_SERIES_MAX
#define MOMENTS    (RESULT_SAMPLES + 1)
#define CDF_POINTS 401 /* steps of a quarter of a percent: one per pixel of a phone */
#define CDF_CURVES 6
#define CDF_LEAST  1.0 /* ms; what needs nobody else takes no time, and a log axis has no 0 */

struct report_plots {
	const struct result *r;
	double span; /* hours, the x axis of all */
	double hours[MOMENTS];
	double columns[COLUMNS][MOMENTS];
	double cdf_x[CDF_CURVES][CDF_POINTS], cdf_y[CDF_POINTS];
};

/* ---- what all plots share ---- */

struct report_plots *
report_plots_new(const struct result *r)
{
	struct report_plots *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	must(r->samples_count <= MOMENTS);
	p->r = r;
	p->span = (double)r->span / (double)HOURS(1);
	for (size_t i = 0; i < r->samples_count; i++) {
		p->hours[i] = (double)r->samples[i].at / (double)HOURS(1);
		p->span = MAX(p->span, p->hours[i]);
	}
	for (size_t i = 0; i < CDF_POINTS; i++)
		p->cdf_y[i] = 100.0 * (double)i / (CDF_POINTS - 1);
	return p;
}

void
report_plots_free(struct report_plots *p)
{
	free(p);
}

/* Fills column c with an expression of a sample s, of index i. */
#define COLUMN(p, c, expression)                                                                   \
	for (size_t i = 0; i < (p)->r->samples_count; i++) {                                       \
		const struct result_sample *s = &(p)->r->samples[i];                               \
                                                                                                   \
		(void)s;                                                                           \
		(p)->columns[c][i] = (double)(expression);                                         \
	}

static struct plot_series
curve(const struct report_plots *p, size_t column, const char *name, const char *color)
{
	return (struct plot_series){ .name = name,
		.color = color,
		.x = p->hours,
		.y = p->columns[column],
		.count = p->r->samples_count };
}

static struct plot_series
dashed(const struct report_plots *p, size_t column, const char *name, const char *color)
{
	struct plot_series s = curve(p, column, name, color);

	s.dashed = true;
	return s;
}

/* A plot over time: its x axis is the span, the timeline's faults are behind it. */
static void
over_time(const struct report_plots *p, struct plot plot, struct html *h)
{
	plot.x = (struct plot_axis){ .unit = PLOT_HOURS, .to = p->span };
	plot.marks = p->r->marks;
	plot.marks_count = p->r->marks_count;
	plot_put(&plot, h);
}

/*
 * What a sample says of the time since the one before, by second; the first has none before it
 * and takes the next one's, so that a curve begins where the run does.
 */
static double
per_second(const struct report_plots *p, size_t i, double amount_here, double amount_next)
{
	const struct result_sample *s = p->r->samples;
	size_t at = i == 0 ? 1 : i;
	double seconds;

	if (p->r->samples_count < 2)
		return 0;
	seconds = (double)(s[at].at - s[at - 1].at) / 1e9;
	return seconds > 0 ? (i == 0 ? amount_next : amount_here) / seconds : 0;
}

/* ---- members ---- */

void
report_plot_members(struct report_plots *p, struct html *h)
{
	const struct plot_series series[] = { curve(p, 0, "up", "var(--teal)"),
		curve(p, 1, "offline", "var(--amber)"),
		dashed(p, 2, "gone for good, so far", "var(--red)") };

	COLUMN(p, 0, s->up)
	COLUMN(p, 1, s->offline)
	COLUMN(p, 2, s->gone)
	over_time(p,
	    (struct plot){ .title = "Members",
		.note = "Peers, by what they are at the moment",
		.none = "No peer was ever up.",
		.series = series,
		.series_count = ARRAY_LEN(series) },
	    h);
}

/* ---- lookups ---- */

static void
plot_times(struct report_plots *p, struct html *h)
{
	const struct plot_series series[] = { curve(p, 0, "first, p50", "var(--blue)"),
		dashed(p, 1, "first, p95", "var(--blue)"),
		curve(p, 2, "done, p50", "var(--violet)"),
		dashed(p, 3, "done, p95", "var(--violet)") };

	COLUMN(p, 0, s->lookups == 0 ? NAN : (double)s->first_p50 / 1e6)
	COLUMN(p, 1, s->lookups == 0 ? NAN : (double)s->first_p95 / 1e6)
	COLUMN(p, 2, s->lookups == 0 ? NAN : (double)s->done_p50 / 1e6)
	COLUMN(p, 3, s->lookups == 0 ? NAN : (double)s->done_p95 / 1e6)
	over_time(p,
	    (struct plot){ .title = "How long lookups take",
		.note = "Simulated time, logarithmic; of the lookups ended in an interval",
		.none = "No lookup ended between two samples.",
		.series = series,
		.series_count = ARRAY_LEN(series),
		.y = { .unit = PLOT_MS, .log = true } },
	    h);
}

static void
plot_failures(struct report_plots *p, struct html *h)
{
	const struct plot_series series[] = { curve(p, 0, "failed", "var(--red)") };

	COLUMN(p, 0, s->lookups == 0 ? NAN : 100.0 * (double)s->lookups_failed / (double)s->lookups)
	over_time(p,
	    (struct plot){ .title = "Lookups that failed",
		.note = "Share of the lookups ended in an interval",
		.none = p->r->lookups == 0 ? "No lookups were made."
			: p->r->lookups_failed == 0
			    ? "No lookup failed."
			    : "Lookups failed only outside the sampled intervals.",
		.series = series,
		.series_count = ARRAY_LEN(series),
		.y = { .unit = PLOT_PERCENT } },
	    h);
}

/* The axis begins at a round share below all values: near 100 % a hundredth counts. */
static double
recall_least(const struct report_plots *p, size_t column)
{
	static const double rounds[] = { 99, 98, 95, 90, 80, 50 };
	double least = 100;

	for (size_t i = 0; i < p->r->samples_count; i++) {
		if (isfinite(p->columns[column][i]))
			least = MIN(least, p->columns[column][i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(rounds); i++) {
		if (least > rounds[i])
			return rounds[i];
	}
	return 0;
}

static void
plot_recall(struct report_plots *p, struct html *h)
{
	const struct plot_series series[] = { curve(p, 0, "recall", "var(--teal)") };

	COLUMN(p, 0, s->lookups == 0 ? NAN : s->recall_ppm / 1e4)
	over_time(p,
	    (struct plot){ .title = "Recall of the closest",
		.note = "Of the true closest live peers, those found; mind where the axis begins",
		.none = "Recall was not measured.",
		.series = series,
		.series_count = ARRAY_LEN(series),
		.y = { .unit = PLOT_PERCENT, .from = recall_least(p, 0), .to = 100 } },
	    h);
}

static void
plot_distribution(struct report_plots *p, struct html *h)
{
	const struct {
		const struct histogram *h;
		const char *name, *color;
	} all[CDF_CURVES] = { { &p->r->lookup_first, "lookup, first", "var(--blue)" },
		{ &p->r->lookup_done, "lookup, done", "var(--violet)" },
		{ &p->r->put, "record put", "var(--teal)" },
		{ &p->r->record_get, "record get", "var(--grey)" },
		{ &p->r->object_put, "object put", "var(--amber)" },
		{ &p->r->object_get, "object get", "var(--red)" } };
	struct plot_series series[CDF_CURVES];
	size_t count = 0;

	for (size_t c = 0; c < CDF_CURVES; c++) {
		if (all[c].h->count == 0)
			continue;
		for (size_t i = 0; i < CDF_POINTS; i++) {
			uint64_t ns = histogram_percentile(
			    all[c].h, (uint32_t)(i * (1000000 / (CDF_POINTS - 1))));

			p->cdf_x[count][i] = MAX((double)ns / 1e6, CDF_LEAST);
		}
		series[count] = (struct plot_series){ .name = all[c].name,
			.color = all[c].color,
			.x = p->cdf_x[count],
			.y = p->cdf_y,
			.count = CDF_POINTS,
			.dashed = c >= 4 };
		count++;
	}
	plot_put(&(struct plot){ .title = "Done within a time",
		     .note = "Share of operations, over simulated time (logarithmic)",
		     .none = "Nothing was timed.",
		     .series = series,
		     .series_count = count,
		     .x = { .unit = PLOT_MS, .log = true },
		     .y = { .unit = PLOT_PERCENT, .to = 100 } },
	    h);
}

void
report_plot_lookups(struct report_plots *p, struct html *h)
{
	plot_times(p, h);
	plot_distribution(p, h);
	plot_failures(p, h);
	plot_recall(p, h);
}

/* ---- what is stored ---- */

/* From red, where nothing may be lost any more, to green, where all n are alive. */
static const char *
color_alive(const struct result *r, size_t c)
{
	static const char *const ramp[] = { "#d8473a", "#ea6c3f", "#f19447", "#f2b64f", "#e6c957",
		"#c6cb5d", "#a3c462", "#80b966", "#5fac68", "#429d67", "#2c8d64", "#1c7d60" };
	size_t full = r->n > r->k ? (size_t)(r->n - r->k) : RESULT_ALIVE - 2;

	if (c == 0)
		return "#9c1c20"; /* not to be read at the moment */
	return ramp[MIN((c - 1) * (ARRAY_LEN(ramp) - 1) / full, ARRAY_LEN(ramp) - 1)];
}

static void
plot_chunks(struct report_plots *p, struct html *h)
{
	static const char *const names[RESULT_ALIVE] = { "fewer than k", "k", "k+1", "k+2", "k+3",
		"k+4", "k+5", "k+6", "k+7", "k+8", "k+9", "k+10", "k+11", "k+12", "k+13", "k+14",
		"k+15", "k+16", "k+17", "k+18 or more" };
	struct plot_series series[RESULT_ALIVE];

	for (size_t c = 0; c < RESULT_ALIVE; c++) {
		series[c] = curve(p, c, names[c], color_alive(p->r, c));
		COLUMN(p, c, s->chunks[c])
	}
	over_time(p,
	    (struct plot){ .title = "Chunks by shards alive",
		.wide = true,
		.note = "Chunks stored, by how many of their shards are on peers that are up",
		.none = "No chunk was stored, so none could be counted.",
		.series = series,
		.series_count = ARRAY_LEN(series),
		.stacked = true },
	    h);
}

static void
plot_objects(struct report_plots *p, struct html *h)
{
	const struct plot_series series[] = { curve(p, 0, "acknowledged, so far", "var(--teal)"),
		curve(p, 1, "of them lost", "var(--red)") };

	COLUMN(p, 0, s->objects)
	COLUMN(p, 1, s->objects_lost)
	over_time(p,
	    (struct plot){ .title = "Durability",
		.note = "Objects; lost: a chunk has fewer than k shards on any disk there is",
		.none = "No object was stored, so none could be lost.",
		.series = series,
		.series_count = ARRAY_LEN(series) },
	    h);
}

/* The formula's line rises evenly: it speaks of a steady state. */
static void
plot_repair(struct report_plots *p, struct html *h)
{
	const struct plot_series series[] = { curve(p, 0, "repaired, so far", "var(--violet)"),
		dashed(p, 1, "by the formula", "var(--grey)") };
	uint64_t sum = 0;

	COLUMN(p, 0, sum += s->repair_bytes)
	COLUMN(p, 1, p->span > 0 ? (double)p->r->repair_expected_bytes * p->hours[i] / p->span : 0)
	over_time(p,
	    (struct plot){ .title = "Repair traffic",
		.note = "Bytes over the network since the beginning, against B = "
			"&#955;(k+n&#8722;r)/(k&#183;(H<sub>n</sub>&#8722;H<sub>r</sub>)) without "
			"the shard that coordinators have",
		.none = "Nothing was repaired in this run, and with lives that are not exponential "
			"there is no formula to compare with.",
		.series = series,
		.series_count = p->r->repair_expected_bytes > 0 ? 2 : 1,
		.y = { .unit = PLOT_BYTES } },
	    h);
}

void
report_plot_data(struct report_plots *p, struct html *h)
{
	plot_chunks(p, h);
	plot_objects(p, h);
	plot_repair(p, h);
}

/* ---- traffic and tables ---- */

/* Bytes that one member sent in a second of the interval before moment i. */
static double
sent(const struct report_plots *p, size_t i, enum traffic_class class)
{
	const struct result_sample *s = p->r->samples;
	size_t next = p->r->samples_count > 1 ? 1 : 0, at = i == 0 ? next : i;
	double up = at == 0 ? 0 : ((double)s[at].up + s[at - 1].up) / 2;
	double all =
	    per_second(p, i, (double)s[i].sent_bytes[class], (double)s[next].sent_bytes[class]);

	return up > 0 ? all / up : 0;
}

static void
plot_sent(struct report_plots *p, struct html *h)
{
	const struct plot_series series[] = { curve(p, 0, "pings", "var(--grey)"),
		curve(p, 1, "lookups", "var(--blue)"), curve(p, 2, "records", "var(--teal)"),
		curve(p, 3, "other datagrams", "var(--amber)"),
		curve(p, 4, "sessions", "var(--violet)") };

	static_assert(ARRAY_LEN(series) == TRAFFIC_CLASSES, "every class has a colour");
	for (size_t c = 0; c < TRAFFIC_CLASSES; c++)
		COLUMN(p, c, sent(p, i, (enum traffic_class)c))
	over_time(p,
	    (struct plot){ .title = "Sent by a node",
		.note = "Bytes a second and node that is up, by purpose",
		.none = "Nothing was sent.",
		.series = series,
		.series_count = ARRAY_LEN(series),
		.stacked = true,
		.y = { .unit = PLOT_BYTES } },
	    h);
}

static void
plot_stale(struct report_plots *p, struct html *h)
{
	const struct plot_series series[] = { curve(p, 0, "stale", "var(--red)") };

	COLUMN(p, 0, s->stale_ppm / 1e4)
	over_time(p,
	    (struct plot){ .title = "Stale contacts",
		.note = "Share of the contacts in routing tables that are not up",
		.none = "No table named a peer that was not up.",
		.series = series,
		.series_count = ARRAY_LEN(series),
		.y = { .unit = PLOT_PERCENT } },
	    h);
}

static void
plot_contacts(struct report_plots *p, struct html *h)
{
	const struct plot_series series[] = { curve(p, 0, "contacts", "var(--blue)") };

	COLUMN(p, 0, s->contacts_mean)
	over_time(p,
	    (struct plot){ .title = "Contacts in a table",
		.note = "Mean over the peers that are up",
		.none = "Tables were empty.",
		.series = series,
		.series_count = ARRAY_LEN(series) },
	    h);
}

void
report_plot_traffic(struct report_plots *p, struct html *h)
{
	plot_sent(p, h);
	plot_stale(p, h);
	plot_contacts(p, h);
}
