/*
 * The course is walked in small steps. Who reaches r in a step is followed for as long as repairs
 * take: what is lost meanwhile, and what comes back whole, is a kernel that is laid over all steps.
 */
#include "sim/chain.h"

#include <math.h>
#include <stdlib.h>

#include "overlay/base/err.h"

#define STEPS_A_REPAIR 100    /* a repair's mean time has so many steps: errors below 1 % of it */
#define STEPS_A_CYCLE  2000   /* where repairs take no time */
#define STEPS_MAX      400000 /* of a course: 10 MB */
#define SHARDS         256
#define BISECTIONS     80

/* ---- a repair's time ---- */

/* The share of repairs that take between two times. */
static double
share(const struct chain *c, double from, double to)
{
	size_t count = 0;

	if (c->repair_count == 0)
		return from <= 0 ? 1 : 0;
	for (size_t i = 0; i < c->repair_count && (double)c->repair[i] < to; i++)
		count += (double)c->repair[i] >= from;
	return (double)count / (double)c->repair_count;
}

static double
repair_mean(const struct chain *c)
{
	double sum = 0;

	for (size_t i = 0; i < c->repair_count; i++)
		sum += (double)c->repair[i];
	return c->repair_count == 0 ? 0 : sum / (double)c->repair_count;
}

static double
repair_most(const struct chain *c)
{
	return c->repair_count == 0 ? 0 : (double)c->repair[c->repair_count - 1];
}

/* Of r alive, j are so after a time: each by itself. */
static double
alive_after(const struct chain *c, unsigned j, double time)
{
	double live = exp(-time / c->life), log_ways;

	if (time <= 0)
		return j == c->r ? 1 : 0;
	log_ways = lgamma(c->r + 1.0) - lgamma(j + 1.0) - lgamma(c->r - j + 1.0);
	return exp(log_ways + j * log(live) + (c->r - j) * log1p(-live));
}

static double
lost_after(const struct chain *c, double time)
{
	double sum = 0;

	for (unsigned j = 0; j < c->k; j++)
		sum += alive_after(c, j, time);
	return MIN(sum, 1.0);
}

/* Shards that a repair moves that ends after a time, and is no loss: k in, the missing out. */
static double
moved_after(const struct chain *c, double time)
{
	double sum = 0;

	for (unsigned j = c->k; j <= c->r; j++)
		sum += alive_after(c, j, time) * (c->k + c->n - j);
	return sum;
}

/* ---- without time ---- */

double
chain_cycle(const struct chain *c)
{
	double sum = 0;

	for (unsigned i = c->r + 1; i <= c->n; i++)
		sum += c->life / i;
	return sum;
}

double
chain_rate(const struct chain *c)
{
	return (c->k + c->n - c->r) / (c->k * chain_cycle(c));
}

/* ---- over repair times ---- */

static double
mean_over(const struct chain *c, double (*f)(const struct chain *c, double time))
{
	double sum = 0;

	for (size_t i = 0; i < c->repair_count; i++)
		sum += f(c, (double)c->repair[i]);
	return c->repair_count == 0 ? f(c, 0) : sum / (double)c->repair_count;
}

double
chain_rate_slow(const struct chain *c)
{
	return mean_over(c, moved_after) / (c->k * (chain_cycle(c) + repair_mean(c)));
}

double
chain_loss_time(const struct chain *c)
{
	double lost = mean_over(c, lost_after);

	return lost > 0 ? (chain_cycle(c) + repair_mean(c)) / lost : INFINITY;
}

/* ---- the course ---- */

struct kernel {        /* of those who reached r: after i steps … */
	double *lost;  /* … lost in that step */
	double *whole; /* … n again */
	double *moved; /* … bytes moved, for each stored */
	size_t count;
};

static void
fill_kernel(const struct chain *c, double step, struct kernel *k)
{
	double under_way = 1;

	for (size_t i = 0; i < k->count; i++) {
		double now = (double)i * step, ends = share(c, now, now + step);

		if (i > 0)
			k->lost[i] = under_way * (lost_after(c, now) - lost_after(c, now - step));
		k->whole[i] = ends * (1 - lost_after(c, now));
		k->moved[i] = ends * moved_after(c, now) / c->k;
		under_way -= ends;
	}
}

/* Moves everybody on by a step; how many reached r. */
static double
decay(const struct chain *c, double step, double at[SHARDS])
{
	double reached = 0;

	for (unsigned j = c->r + 1; j <= c->n; j++) {
		double gone = at[j] * MIN(j * step / c->life, 1.0);

		at[j] -= gone;
		if (j == c->r + 1)
			reached = gone;
		else
			at[j - 1] += gone;
	}
	return reached;
}

static void
walk(const struct chain *c, const struct kernel *k, struct chain_course *out, double *whole)
{
	double at[SHARDS] = { 0 };

	at[c->n] = 1;
	for (size_t i = 0; i < out->count; i++) {
		double reached = decay(c, out->step, at);

		for (size_t d = 0; d < k->count && i + d < out->count; d++) {
			out->lost[i + d] += reached * k->lost[d];
			out->moved[i + d] += reached * k->moved[d];
			whole[i + d] += reached * k->whole[d];
		}
		at[c->n] += whole[i];
		if (i > 0) {
			out->lost[i] += out->lost[i - 1];
			out->moved[i] += out->moved[i - 1];
		}
	}
}

bool
chain_course(const struct chain *c, double until, struct chain_course *out)
{
	double mean = repair_mean(c);
	struct kernel k = { .count = 1 };
	double *whole, *room;

	must(c->k > 0 && c->k <= c->r && c->r < c->n && c->n < SHARDS && c->life > 0);
	out->step = mean > 0 ? mean / STEPS_A_REPAIR : chain_cycle(c) / STEPS_A_CYCLE;
	out->step = MAX(MAX(out->step, until / STEPS_MAX), 1.0);
	out->count = (size_t)(until / out->step) + 1;
	k.count = (size_t)(repair_most(c) / out->step) + 2;
	out->lost = calloc(out->count, 2 * sizeof(double));
	whole = calloc(out->count, sizeof(double));
	room = calloc(k.count, 3 * sizeof(double));
	if (out->lost != NULL && whole != NULL && room != NULL) {
		out->moved = out->lost + out->count;
		k.lost = room;
		k.whole = room + k.count;
		k.moved = room + 2 * k.count;
		fill_kernel(c, out->step, &k);
		walk(c, &k, out, whole);
	} else {
		chain_course_fini(out);
	}
	free(whole);
	free(room);
	return out->lost != NULL;
}

void
chain_course_fini(struct chain_course *c)
{
	free(c->lost);
	*c = (struct chain_course){ .lost = NULL };
}

double
chain_course_at(const struct chain_course *c, const double *values, double ns)
{
	size_t i = ns <= 0 ? 0 : (size_t)MIN(ns / c->step, (double)(c->count - 1));

	return values[i];
}

/* ---- a count's interval ---- */

/* P(X ≤ count) of a Poisson number of this mean. */
static double
at_most(uint64_t count, double mean)
{
	double sum = 0;

	if (mean <= 0)
		return 1;
	for (uint64_t i = 0; i <= count; i++)
		sum += exp((double)i * log(mean) - mean - lgamma((double)i + 1));
	return MIN(sum, 1.0);
}

void
chain_interval(uint64_t count, double *low, double *high)
{
	double spread = 6 * sqrt((double)count + 1) + 6;
	double a = MAX((double)count - spread, 0.0), b = (double)count;
	double c = (double)count, d = (double)count + spread;

	for (int i = 0; i < BISECTIONS; i++) {
		double x = (a + b) / 2, y = (c + d) / 2;

		*(count > 0 && 1 - at_most(count - 1, x) < 0.025 ? &a : &b) = x;
		*(at_most(count, y) > 0.025 ? &c : &d) = y;
	}
	*low = count == 0 ? 0 : (a + b) / 2;
	*high = (c + d) / 2;
}

double
chain_dispersion(const uint64_t *seen, const double *expected, size_t n)
{
	double count = 0, sum = 0, squares = 0, spans = 0;

	for (size_t i = 0; i < n; i++) {
		count += expected[i] > 0 ? (double)seen[i] : 0;
		sum += MAX(expected[i], 0.0);
	}
	for (size_t i = 0; i < n; i++) {
		/* Scaled, so that a chain that is wrong does not widen the interval. */
		double mean = expected[i] > 0 ? expected[i] * count / sum : 0;

		if (mean > 0) {
			squares += ((double)seen[i] - mean) * ((double)seen[i] - mean) / mean;
			spans++;
		}
	}
	return spans < 2 ? 1 : MAX(squares / (spans - 1), 1.0);
}
