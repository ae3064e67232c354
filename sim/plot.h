/*
 * Plots as SVG: lines or stacked areas over simulated hours, with axes, legend and the spans of
 * faults. Output only; a plot without values is a sentence.
 */
#ifndef SIM_PLOT_H
#define SIM_PLOT_H

#include "overlay/base/buf.h"
#include "sim/result.h"

#define PLOT_SERIES_MAX 24

struct plot_series {
	const char *name;
	const char *color;    /* of CSS */
	const double *values; /* count of them */
};

struct plot {
	const char *title, *unit;
	const char *none;    /* the sentence where all values are 0; NULL: zeros are worth a plot */
	const double *hours; /* count of them, ascending */
	size_t count;
	const struct plot_series *series;
	size_t series_count;
	bool stacked;
	const struct result_mark *marks;
	size_t marks_count;
};

int plot_svg(const struct plot *p, struct buf *out);

/* Text with &, <, > and quotes escaped. */
int html_text(struct buf *out, const char *text);
int html_print(struct buf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
