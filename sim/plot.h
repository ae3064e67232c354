/*
 * Plots as SVG: lines or stacked areas, linear or logarithmic, with axes, legend and the spans of
 * faults. Text keeps its size whatever the width, so a plot is read on a phone, too. Colours are
 * CSS; the style is the page's (report_style.c). Output only; a plot without values is a sentence.
 */
#ifndef SIM_PLOT_H
#define SIM_PLOT_H

#include "sim/html.h"
#include "sim/result.h"

#define PLOT_SERIES_MAX 24 /* alive − k of a chunk has 20 */

/* How numbers at an axis are written. */
enum plot_unit {
	PLOT_COUNT,   /* 2, 1.5k, 3M */
	PLOT_MS,      /* values in ms: 20 ms, 5 s */
	PLOT_HOURS,   /* values in hours: 10 min, 6 h, 3 d */
	PLOT_PERCENT, /* 0.5 % */
	PLOT_BYTES,   /* 200 B, 1.5 kB */
};

struct plot_axis {
	enum plot_unit unit;
	bool log;        /* values not above 0 are gaps */
	double from, to; /* both 0: as the values need, from 0 where linear */
};

struct plot_series {
	const char *name, *color; /* color: of CSS */
	const double *x, *y;      /* count of them, x ascending; a NAN in y is a gap */
	size_t count;
	bool dashed;
};

struct plot {
	const char *title, *note; /* note: what is at the axes, one sentence */
	const char *none;         /* markup: where no value is above 0; NULL: zeros are drawn */
	const struct plot_series *series;
	size_t series_count; /* stacked: of equal x and count, without gaps */
	bool stacked, wide;  /* wide: takes both columns */
	struct plot_axis x, y;
	const struct result_mark *marks; /* x is hours */
	size_t marks_count;
};

void plot_put(const struct plot *p, struct html *h);

#endif
