/*
 * A plot is an <svg> without a view box, as wide as the page lets it: text and grid are placed in
 * percent and pixels. The curves are in an inner one of 1000 × 1000 that is stretched, with
 * strokes that are not.
 */
#include "sim/plot.h"

#include <math.h>
#include <stdio.h>

#include "sim/plot_private.h"

#define SIDE 1000.0

struct frame { /* a plot with its axes settled */
	const struct plot *p;
	struct html *h;
	struct plot_axis x, y;
};

/* ---- what there is ---- */

static bool
shown(const struct frame *f, double v)
{
	return isfinite(v) && (!f->y.log || v > 0);
}

/* What series 0 … s − 1 add up to at i. */
static double
below(const struct plot *p, size_t s, size_t i)
{
	double sum = 0;

	for (size_t j = 0; j < s; j++)
		sum += p->series[j].y[i];
	return sum;
}

static double
value(const struct plot *p, size_t s, size_t i)
{
	return p->stacked ? below(p, s + 1, i) : p->series[s].y[i];
}

struct range {
	double low, high;
	size_t count;
};

static void
stretch(struct range *r, double v)
{
	r->low = r->count == 0 ? v : MIN(r->low, v);
	r->high = r->count == 0 ? v : MAX(r->high, v);
	r->count++;
}

static void
measure(const struct frame *f, struct range *x, struct range *y)
{
	for (size_t s = 0; s < f->p->series_count; s++) {
		const struct plot_series *e = &f->p->series[s];

		for (size_t i = 0; i < e->count; i++) {
			double v = value(f->p, s, i);

			if (!shown(f, v) || !isfinite(e->x[i]) || (f->x.log && e->x[i] <= 0))
				continue;
			stretch(x, e->x[i]);
			stretch(y, v);
		}
	}
}

/* Settles the axes; false: there is nothing to draw. */
static bool
settle(struct frame *f)
{
	struct range x = { 0 }, y = { 0 };

	measure(f, &x, &y);
	if (x.count < 2 || (x.low == x.high && !f->x.log) || (y.high <= 0 && f->p->none != NULL))
		return false;
	if (f->x.to == 0)
		f->x = (struct plot_axis){ f->x.unit, f->x.log, f->x.log ? x.low : 0, x.high };
	if (f->y.to == 0)
		f->y = (struct plot_axis){ f->y.unit, f->y.log, f->y.log ? y.low : 0, y.high };
	plot_axis_round(&f->x);
	plot_axis_round(&f->y);
	return true;
}

/* ---- axes ---- */

static void
put_y(const struct frame *f)
{
	struct plot_ticks t;

	plot_axis_ticks(&f->y, &t);
	for (size_t i = 0; i < t.count; i++) {
		double y = 100 - 100 * plot_scale(&f->y, t.at[i]);

		html_put(f->h,
		    "<line class=\"%s\" x1=\"0\" x2=\"100%%\" y1=\"%.2f%%\" y2=\"%.2f%%\"/>"
		    "<text class=\"y\" x=\"-8\" y=\"%.2f%%\" dy=\".33em\">%s</text>",
		    i == 0 ? "base" : "grid", y, y, y, t.text[i]);
	}
}

static void
put_x(const struct frame *f)
{
	struct plot_ticks t;

	plot_axis_ticks(&f->x, &t);
	for (size_t i = 0; i < t.count; i++) {
		double x = 100 * plot_scale(&f->x, t.at[i]);

		html_put(f->h,
		    "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"%s\" y2=\"100%%\"/>"
		    "<text class=\"x\" x=\"%.2f%%\" y=\"100%%\" dy=\"1.6em\">%s</text>",
		    f->x.log ? "grid" : "tick", x, x, f->x.log ? "0" : "98%", x, t.text[i]);
	}
}

/* ---- curves ---- */

static void
put_point(const struct frame *f, char command, double x, double y)
{
	double at_x = SIDE * plot_scale(&f->x, x), at_y = SIDE - SIDE * plot_scale(&f->y, y);

	html_put(f->h, "%c%.1f %.1f", command, at_x, MAX(-SIDE, MIN(at_y, 2 * SIDE)));
}

static void
put_line(const struct frame *f, const struct plot_series *s)
{
	bool open = false;

	html_put(f->h, "<path class=\"line%s\" style=\"color:%s\" d=\"", s->dashed ? " dashed" : "",
	    s->color);
	for (size_t i = 0; i < s->count; i++) {
		bool there = shown(f, s->y[i]) && (!f->x.log || s->x[i] > 0);
		bool alone = there && !open && (i + 1 == s->count || !shown(f, s->y[i + 1]));

		if (there)
			put_point(f, open ? 'L' : 'M', s->x[i], s->y[i]);
		if (alone) /* a round dot */
			html_raw(f->h, "h0");
		open = there;
	}
	html_raw(f->h, "\"/>");
}

static bool
any(const struct plot_series *s)
{
	for (size_t i = 0; i < s->count; i++) {
		if (isfinite(s->y[i]) && s->y[i] != 0)
			return true;
	}
	return false;
}

static void
put_area(const struct frame *f, size_t s)
{
	const struct plot_series *e = &f->p->series[s];

	if (!any(e))
		return;
	html_put(f->h, "<path class=\"area\" style=\"color:%s\" d=\"", e->color);
	for (size_t i = 0; i < e->count; i++)
		put_point(f, i == 0 ? 'M' : 'L', e->x[i], below(f->p, s + 1, i));
	for (size_t i = e->count; i-- > 0;)
		put_point(f, 'L', e->x[i], below(f->p, s, i));
	html_raw(f->h, "Z\"/>");
}

static void
put_curves(const struct frame *f)
{
	html_put(f->h, "<svg viewBox=\"0 0 %.0f %.0f\" preserveAspectRatio=\"none\">", SIDE, SIDE);
	for (size_t s = 0; s < f->p->series_count; s++) {
		if (f->p->stacked)
			put_area(f, s);
		else
			put_line(f, &f->p->series[s]);
	}
	html_raw(f->h, "</svg>");
}

static void
put_legend(const struct frame *f)
{
	bool many = f->p->series_count > 6; /* then only those that are seen */

	if (f->p->series_count < 2)
		return;
	html_raw(f->h, "<ul class=\"legend\">");
	for (size_t s = 0; s < f->p->series_count; s++) {
		const struct plot_series *e = &f->p->series[s];

		if (many && !any(e))
			continue;
		html_put(f->h, "<li><i class=\"%s\" style=\"color:%s\"></i>%s</li>",
		    f->p->stacked ? "area"
		    : e->dashed   ? "line dashed"
				  : "line",
		    e->color, e->name);
	}
	html_raw(f->h, "</ul>");
}

/* ---- the whole ---- */

void
plot_put(const struct plot *p, struct html *h)
{
	struct frame f = { .p = p, .h = h, .x = p->x, .y = p->y };

	must(p->series_count <= PLOT_SERIES_MAX);
	html_put(
	    h, "<figure%s><figcaption><h3>%s</h3>", p->wide ? " class=\"wide\"" : "", p->title);
	if (!settle(&f)) {
		html_raw(h, "</figcaption><p class=\"none\">");
		html_raw(h, p->none != NULL ? p->none : "Too few values for a plot.");
		html_raw(h, "</p></figure>\n");
		return;
	}
	html_put(h, "<p>%s</p></figcaption>", p->note);
	put_legend(&f);
	html_put(h, "<svg class=\"chart lanes%zu%s\" role=\"img\" aria-label=\"%s\">",
	    plot_marks_put(p, &f.x, NULL), p->stacked ? " stacked" : "", p->title);
	(void)plot_marks_put(p, &f.x, h);
	if (!p->stacked)
		put_y(&f);
	put_curves(&f);
	if (p->stacked) /* the grid is seen through areas, not hidden by them */
		put_y(&f);
	put_x(&f);
	html_raw(h, "</svg></figure>\n");
}
