/* Inside of plots: scales, ticks, and the lanes for names of marks. */
#ifndef SIM_PLOT_PRIVATE_H
#define SIM_PLOT_PRIVATE_H

#include "sim/plot.h"

#define PLOT_TICKS_MAX 16
#define PLOT_TICK_TEXT 24

struct plot_ticks {
	double at[PLOT_TICKS_MAX];
	char text[PLOT_TICKS_MAX][PLOT_TICK_TEXT];
	size_t count;
};

/* Where v lies between the axis' ends: 0 … 1, or beyond. */
double plot_scale(const struct plot_axis *a, double v);
/* Rounds the ends outwards to numbers that people like; to > from afterwards. */
void plot_axis_round(struct plot_axis *a);
void plot_axis_ticks(const struct plot_axis *a, struct plot_ticks *out);

/* The spans of faults behind a plot, names above it; h NULL: only counted. Lanes used: 0 … 2. */
size_t plot_marks_put(const struct plot *p, const struct plot_axis *x, struct html *h);

#endif
