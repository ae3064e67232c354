/* Coordinates are points of a 760 × 250 view box that scales with the page. */
#include "sim/plot.h"

#include <stdarg.h>
#include <stdio.h>

#define WIDTH  760.0
#define HEIGHT 250.0
#define LEFT   58.0
#define RIGHT  746.0
#define TOP    14.0
#define BOTTOM 214.0
#define TICKS  5

int
html_print(struct buf *out, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	must(len >= 0 && (size_t)len < sizeof(text));
	return buf_append(out, text, (size_t)len);
}

int
html_text(struct buf *out, const char *text)
{
	int err = ERR_OK;

	for (; err == ERR_OK && *text != '\0'; text++) {
		switch (*text) {
		case '&':
			err = buf_append(out, "&amp;", 5);
			break;
		case '<':
			err = buf_append(out, "&lt;", 4);
			break;
		case '>':
			err = buf_append(out, "&gt;", 4);
			break;
		case '"':
			err = buf_append(out, "&quot;", 6);
			break;
		default:
			err = buf_append(out, text, 1);
		}
	}
	return err;
}

/* The highest point, of a stack or of any line. */
static double
highest(const struct plot *p)
{
	double top = 0;

	for (size_t i = 0; i < p->count; i++) {
		double sum = 0;

		for (size_t s = 0; s < p->series_count; s++) {
			double v = p->series[s].values[i];

			sum = p->stacked ? sum + v : MAX(sum, v);
		}
		top = MAX(top, sum);
	}
	return top;
}

/* A step of 1, 2 or 5 times a power of ten that gives about TICKS of them. */
static double
step_for(double span)
{
	double step = 1;

	while (step * TICKS < span)
		step *= 10;
	while (step * TICKS >= span * 10)
		step /= 10;
	if (step / 5 * TICKS >= span)
		return step / 5;
	return step / 2 * TICKS >= span ? step / 2 : step;
}

static double
x_at(const struct plot *p, double hours)
{
	double last = p->count > 0 ? p->hours[p->count - 1] : 0;

	return LEFT + (last > 0 ? hours / last : 0) * (RIGHT - LEFT);
}

static double
y_at(double v, double top)
{
	return BOTTOM - (top > 0 ? v / top : 0) * (BOTTOM - TOP);
}

static int
put_marks(const struct plot *p, struct buf *out)
{
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < p->marks_count; i++) {
		const struct result_mark *m = &p->marks[i];
		double from = x_at(p, (double)m->from / (double)HOURS(1));
		double to = MAX(x_at(p, (double)m->to / (double)HOURS(1)), from + 1);

		err = html_print(out,
		    "<rect class=\"mark\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" "
		    "height=\"%.1f\"><title>",
		    from, TOP, MIN(to, RIGHT) - from, BOTTOM - TOP);
		if (err == ERR_OK)
			err = html_text(out, m->text);
		if (err == ERR_OK)
			err = html_print(out,
			    "</title></rect><text class=\"flag\" x=\"%.1f\" y=\"%.1f\">%zu</text>",
			    from + 2, TOP + 9, i + 1);
	}
	return err;
}

static int
put_axes(const struct plot *p, double top, double step, struct buf *out)
{
	double last = p->hours[p->count - 1], hour_step = step_for(last);
	int err = ERR_OK;

	for (double v = 0; err == ERR_OK && v <= top * 1.0001; v += step)
		err = html_print(out,
		    "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>"
		    "<text class=\"y\" x=\"%.1f\" y=\"%.1f\">%.6g</text>",
		    LEFT, RIGHT, y_at(v, top), y_at(v, top), LEFT - 6, y_at(v, top) + 3.5, v);
	for (double h = 0; err == ERR_OK && h <= last * 1.0001; h += hour_step)
		err = html_print(out, "<text class=\"x\" x=\"%.1f\" y=\"%.1f\">%.4g h</text>",
		    x_at(p, h), BOTTOM + 16, h);
	return err;
}

static int
put_line(const struct plot *p, size_t s, double top, struct buf *out)
{
	int err =
	    html_print(out, "<polyline fill=\"none\" stroke-width=\"1.8\" stroke=\"%s\" points=\"",
		p->series[s].color);

	for (size_t i = 0; err == ERR_OK && i < p->count; i++)
		err = html_print(
		    out, "%.1f,%.1f ", x_at(p, p->hours[i]), y_at(p->series[s].values[i], top));
	return err == ERR_OK ? html_print(out, "\"/>") : err;
}

/* What series 0 … s − 1 add up to at i. */
static double
below(const struct plot *p, size_t s, size_t i)
{
	double sum = 0;

	for (size_t j = 0; j < s; j++)
		sum += p->series[j].values[i];
	return sum;
}

static int
put_area(const struct plot *p, size_t s, double top, struct buf *out)
{
	int err = html_print(out, "<polygon fill=\"%s\" points=\"", p->series[s].color);

	for (size_t i = 0; err == ERR_OK && i < p->count; i++)
		err = html_print(
		    out, "%.1f,%.1f ", x_at(p, p->hours[i]), y_at(below(p, s + 1, i), top));
	for (size_t i = p->count; err == ERR_OK && i-- > 0;)
		err =
		    html_print(out, "%.1f,%.1f ", x_at(p, p->hours[i]), y_at(below(p, s, i), top));
	return err == ERR_OK ? html_print(out, "\"/>") : err;
}

static int
put_legend(const struct plot *p, struct buf *out)
{
	int err = html_print(out, "<p class=\"legend\">");

	for (size_t s = 0; err == ERR_OK && s < p->series_count; s++) {
		bool any = false;

		for (size_t i = 0; i < p->count; i++)
			any |= p->series[s].values[i] != 0;
		if (!any && p->series_count > 4)
			continue; /* of many only those that are seen */
		err = html_print(out, "<span><i style=\"background:%s\"></i>%s</span> ",
		    p->series[s].color, p->series[s].name);
	}
	return err == ERR_OK ? html_print(out, "</p></figure>\n") : err;
}

int
plot_svg(const struct plot *p, struct buf *out)
{
	double top = highest(p), step;
	int err = html_print(
	    out, "<figure><figcaption>%s <small>%s</small></figcaption>", p->title, p->unit);

	if (err != ERR_OK)
		return err;
	if (p->count < 2 || (top == 0 && p->none != NULL))
		return html_print(out, "<p class=\"none\">%s</p></figure>\n",
		    p->none != NULL ? p->none : "Too short a run for a plot.");
	step = step_for(top > 0 ? top : 1);
	top = MAX(top, step);
	err = html_print(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\">", WIDTH, HEIGHT - 14);
	if (err == ERR_OK)
		err = put_marks(p, out);
	for (size_t s = 0; err == ERR_OK && s < p->series_count; s++)
		err = p->stacked ? put_area(p, s, top, out) : ERR_OK;
	if (err == ERR_OK)
		err = put_axes(p, top, step, out);
	for (size_t s = 0; err == ERR_OK && s < p->series_count; s++)
		err = p->stacked ? ERR_OK : put_line(p, s, top, out);
	if (err == ERR_OK)
		err = html_print(out, "</svg>");
	return err == ERR_OK ? put_legend(p, out) : err;
}
