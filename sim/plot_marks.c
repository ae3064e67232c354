/*
 * Faults of the timeline behind a plot: a shaded span each, with its number above, and its name
 * where there is room on a wide page. Names stand in two lanes; what finds no place is left to
 * the list of faults.
 */
#include <stdio.h>

#include "sim/plot_private.h"

#define LANES       2
#define LANE_HEIGHT 13  /* of the font's 11 px */
#define NUMBER_WIDE 6.5 /* percent of a phone's plot that a number of two digits takes */
#define LETTER_WIDE 1.4 /* percent of a laptop's plot that a letter takes */
#define MARGIN_WIDE 4   /* percent of it that are free to its right */
#define LEAST_WIDE  0.3 /* percent: a moment is seen, too */

struct label {
	const struct result_mark *mark;
	size_t number; /* in the list of faults, from 1 */
	double from, to;
	int lane; /* −1: none */
	bool named;
};

static double
percent(const struct plot_axis *x, uint64_t ns)
{
	double at = 100 * plot_scale(x, (double)ns / (double)HOURS(1));

	return MAX(0.0, MIN(at, 100.0));
}

/* Of what is seen, by its beginning. */
static size_t
collect(const struct plot *p, const struct plot_axis *x, struct label *labels)
{
	size_t count = 0;

	for (size_t i = 0; i < p->marks_count; i++) {
		struct label l = { .mark = &p->marks[i], .number = i + 1, .lane = -1 };
		size_t at;

		l.from = percent(x, l.mark->from);
		l.to = percent(x, l.mark->to);
		if ((double)l.mark->from / (double)HOURS(1) > x->to)
			continue;
		for (at = count++; at > 0 && labels[at - 1].from > l.from; at--)
			labels[at] = labels[at - 1];
		labels[at] = l;
	}
	return count;
}

/*
 * Numbers go to the lane whose last one is farthest away, so that names get the most room; then
 * names take what is left to the right of their number. True: all have a place and their name.
 */
static bool
place(struct label *labels, size_t count, int lanes)
{
	double free_from[LANES] = { 0 }, free_to[LANES];
	bool all = true;

	for (size_t i = 0; i < count; i++) {
		struct label *l = &labels[i];
		int lane = lanes > 1 && free_from[1] < free_from[0] ? 1 : 0;

		l->lane = free_from[lane] <= l->from ? lane : -1;
		if (l->lane >= 0)
			free_from[lane] = l->from + NUMBER_WIDE;
	}
	for (int lane = 0; lane < LANES; lane++)
		free_to[lane] = 100 + MARGIN_WIDE;
	for (size_t i = count; i-- > 0;) {
		struct label *l = &labels[i];
		double wide = ((double)strlen(l->mark->text) + 3) * LETTER_WIDE;

		l->named = l->lane >= 0 && l->from + wide <= free_to[l->lane];
		all = all && l->named;
		if (l->lane >= 0)
			free_to[l->lane] = l->from;
	}
	return all;
}

static void
put(const struct label *l, struct html *h)
{
	double wide = MAX(l->to - l->from, LEAST_WIDE);

	html_put(h,
	    "<rect class=\"mark\" x=\"%.2f%%\" y=\"0\" width=\"%.2f%%\" height=\"100%%\"><title>"
	    "%zu: ",
	    MIN(l->from, 100 - wide), wide, l->number);
	html_text(h, l->mark->text);
	html_raw(h, "</title></rect>");
	if (l->lane < 0)
		return;
	html_put(h, "<text class=\"flag\" x=\"%.2f%%\" y=\"%d\">%zu", l->from,
	    -5 - LANE_HEIGHT * l->lane, l->number);
	if (l->named) {
		html_raw(h, "<tspan> ");
		html_text(h, l->mark->text);
		html_raw(h, "</tspan>");
	}
	html_raw(h, "</text>");
}

size_t
plot_marks_put(const struct plot *p, const struct plot_axis *x, struct html *h)
{
	struct label labels[RESULT_MARKS];
	size_t count, lanes;

	must(p->marks_count <= RESULT_MARKS);
	count = collect(p, x, labels);
	if (count == 0)
		return 0;
	for (lanes = 1; !place(labels, count, (int)lanes) && lanes < LANES;)
		lanes++;
	for (size_t i = 0; h != NULL && i < count; i++)
		put(&labels[i], h);
	return lanes;
}
