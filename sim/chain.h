/*
 * What arithmetic says of a code k/r/n whose holders live exponentially long: what repair costs,
 * and how many chunks are lost. A chunk is a chain over its live shards: n, n − 1 … each goes at
 * rate j/life; at r alive a repair begins that ends a while later, whatever else goes meanwhile,
 * and finds n again; below k it is lost. How long a repair takes is a list of times, each as likely
 * as the others: as measured, or one that is fixed. Plain figures for reports, so floating point;
 * nothing that a simulation decides depends on them. doc/simulation.md has the derivation. Pure.
 */
#ifndef SIM_CHAIN_H
#define SIM_CHAIN_H

#include "overlay/base/types.h"

struct chain {
	unsigned k, r, n;       /* k ≤ r < n */
	double life;            /* ns, mean */
	const uint64_t *repair; /* ns from r alive to n again, ascending; lent */
	size_t repair_count;    /* 0: no time */
};

/* Mean time from n alive to r, ns: (H_n − H_r)·life. */
double chain_cycle(const struct chain *c);
/* B = (k + n − r)/(k·(H_n − H_r)·life): bytes read and written a ns for each byte stored. */
double chain_rate(const struct chain *c);
/* The same with repairs that take their time: rarer, and more is missing at their end. */
double chain_rate_slow(const struct chain *c);
/* Mean time until a chunk is lost, ns; INFINITY: never. */
double chain_loss_time(const struct chain *c);

/*
 * From n alive at time 0, at steps of `step` ns: the chance to have been lost by then, and bytes
 * that repairs have read and written for each byte stored. gives; count > 0.
 */
struct chain_course {
	double step;
	size_t count;
	double *lost, *moved;
};
/* false: no memory. */
bool chain_course(const struct chain *c, double until, struct chain_course *out);
void chain_course_fini(struct chain_course *c);
/* At a time; the last step's beyond the end. */
double chain_course_at(const struct chain_course *c, const double *values, double ns);

/* Between what means this count or fewer, and this count or more, come to pass once in forty times:
 * the exact 95 % interval of a Poisson count. */
void chain_interval(uint64_t count, double *low, double *high);
/*
 * How much wider counts scatter than Poisson's do: the variance over the mean (Pearson's sum over
 * its degrees of freedom), at least 1. expected: one for each of n spans, in any unit; spans with
 * nothing expected do not count, and with fewer than two of them it is 1.
 */
double chain_dispersion(const uint64_t *seen, const double *expected, size_t n);

#endif
