/*
 * Ends and ticks of axes. Steps are 1, 2 or 5 times a power of ten; of time what clocks and
 * calendars have. At most eight ticks, for a phone has room for no more.
 */
#include <math.h>
#include <stdio.h>

#include "sim/plot_private.h"

#define STEPS_LINEAR 5
#define STEPS_TIME   6
#define STEPS_LOG    6 /* above, the 2 and 5 between powers of ten go without */
#define DECADES_MAX  12
#define NEARLY       1e-9 /* so that a tick at the very end is not lost to rounding */

/* ---- steps ---- */

static double
step_of_ten(double span, int count)
{
	double power = pow(10, floor(log10(span / count)));

	for (int i = 0; i < 3; i++) {
		double step = power * (double[]){ 1, 2, 5 }[i];

		if (step * count >= span * (1 - NEARLY))
			return step;
	}
	return power * 10;
}

static double
step_of_time(double hours, int count)
{
	static const int minutes[] = { 1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720, 1440, 2880,
		7200, 10080 };

	for (size_t i = 0; i < ARRAY_LEN(minutes); i++) {
		if (minutes[i] * count >= hours * 60 * (1 - NEARLY))
			return minutes[i] / 60.0;
	}
	return 24 * step_of_ten(hours / 24, count);
}

static double
step_of(const struct plot_axis *a)
{
	return a->unit == PLOT_HOURS ? step_of_time(a->to - a->from, STEPS_TIME)
				     : step_of_ten(a->to - a->from, STEPS_LINEAR);
}

/* The next of … 1, 2, 5, 10, 20 … at or above (up) or at or below v. */
static double
round_log(double v, bool up)
{
	double power = pow(10, floor(log10(v) + NEARLY));
	double digit = v / power;

	if (up)
		return power * (digit <= 1 + NEARLY      ? 1
				   : digit <= 2 + NEARLY ? 2
				   : digit <= 5 + NEARLY ? 5
							 : 10);
	return power * (digit >= 5 - NEARLY ? 5 : digit >= 2 - NEARLY ? 2 : 1);
}

/* ---- text ---- */

/* As many decimals as the step needs. */
static int
decimals(double step)
{
	int count = 0;

	while (count < 6 && fabs(step - round(step)) > 1e-6 * step) {
		step *= 10;
		count++;
	}
	return count;
}

static void
text_scaled(char *out, double v, double step, const char *const units[4])
{
	double high = MAX(fabs(v), step);
	size_t u = high >= 1e9 ? 3 : high >= 1e6 ? 2 : high >= 1e3 ? 1 : 0;
	double scale = (double[]){ 1, 1e3, 1e6, 1e9 }[u];

	(void)snprintf(out, PLOT_TICK_TEXT, "%.*f%s", decimals(step / scale), v / scale,
	    v == 0 ? "" : units[u]);
}

static void
text_time(char *out, double hours, double step)
{
	if (hours == 0)
		(void)snprintf(out, PLOT_TICK_TEXT, "0");
	else if (step < 0.5)
		(void)snprintf(out, PLOT_TICK_TEXT, "%.0f min", hours * 60);
	else if (step < 24)
		(void)snprintf(out, PLOT_TICK_TEXT, "%.*f h", decimals(step), hours);
	else
		(void)snprintf(out, PLOT_TICK_TEXT, "%.0f d", hours / 24);
}

static void
text_ms(char *out, double ms, double step)
{
	bool seconds = ms >= 1000;
	double scale = seconds ? 1000 : 1;

	(void)snprintf(out, PLOT_TICK_TEXT, "%.*f%s", decimals(step / scale), ms / scale,
	    ms == 0   ? ""
	    : seconds ? " s"
		      : " ms");
}

static void
text_of(char *out, enum plot_unit unit, double v, double step)
{
	switch (unit) {
	case PLOT_MS:
		text_ms(out, v, step);
		break;
	case PLOT_HOURS:
		text_time(out, v, step);
		break;
	case PLOT_PERCENT:
		(void)snprintf(out, PLOT_TICK_TEXT, "%.*f %%", decimals(step), v);
		break;
	case PLOT_BYTES:
		text_scaled(out, v, step, (const char *const[]){ " B", " kB", " MB", " GB" });
		break;
	case PLOT_COUNT:
		text_scaled(out, v, step, (const char *const[]){ "", "k", "M", "G" });
		break;
	}
}

/* ---- axes ---- */

double
plot_scale(const struct plot_axis *a, double v)
{
	if (a->log)
		return log(v / a->from) / log(a->to / a->from);
	return (v - a->from) / (a->to - a->from);
}

void
plot_axis_round(struct plot_axis *a)
{
	double step;

	if (a->log) {
		a->from = round_log(a->from > 0 ? a->from : 1, false);
		a->to = round_log(MAX(a->to, a->from), true);
		if (a->to < a->from * 2 * (1 - NEARLY))
			a->to = a->from * 10;
		if (a->to > a->from * pow(10, DECADES_MAX))
			a->from = a->to / pow(10, DECADES_MAX);
		return;
	}
	if (a->to <= a->from)
		a->to = a->from + 1;
	if (a->unit == PLOT_HOURS) /* time ends where it ends */
		return;
	step = step_of(a);
	a->from = floor(a->from / step + NEARLY) * step;
	a->to = ceil(a->to / step - NEARLY) * step;
}

static void
tick(struct plot_ticks *t, const struct plot_axis *a, double v, double step)
{
	if (t->count == PLOT_TICKS_MAX)
		return;
	t->at[t->count] = v;
	text_of(t->text[t->count], a->unit, v, step);
	t->count++;
}

static void
ticks_log(const struct plot_axis *a, struct plot_ticks *out)
{
	static const double digits[] = { 1, 2, 5 };
	double decades = log10(a->to / a->from);
	bool all = 3 * decades <= STEPS_LOG;

	for (double power = pow(10, floor(log10(a->from) + NEARLY)); power <= a->to * (1 + NEARLY);
	     power *= 10) {
		for (size_t i = 0; i < (all ? ARRAY_LEN(digits) : 1); i++) {
			double v = power * digits[i];

			if (v >= a->from * (1 - NEARLY) && v <= a->to * (1 + NEARLY))
				tick(out, a, v, v);
		}
	}
}

void
plot_axis_ticks(const struct plot_axis *a, struct plot_ticks *out)
{
	double step;

	out->count = 0;
	if (a->log) {
		ticks_log(a, out);
		return;
	}
	step = step_of(a);
	for (int i = 0; i <= PLOT_TICKS_MAX; i++) {
		double v = (ceil(a->from / step - NEARLY) + i) * step;

		if (v > a->to + step * NEARLY)
			break;
		tick(out, a, v, step);
	}
}
