/* The chain's arithmetic against throwing dice, and against closed forms where there are some. */
#include "test/unit/suite.h"

#include <math.h>

#include "sim/chain.h"
#include "sim/lifetime.h"

#define CHUNKS 20000

static const uint64_t half_a_day[] = { HOURS(12) };

/* One chunk from whole on, shard by shard, until a time. */
struct fate {
	bool lost;
	uint64_t moved; /* shards */
};

static struct fate
live(struct sim_random *r, const struct chain *c, uint64_t until, uint64_t repair)
{
	struct lifetime life = { .kind = LIFETIME_EXPONENTIAL, .scale = (uint64_t)c->life };
	uint64_t dies[256], now = 0, ends = UINT64_MAX;
	struct fate f = { false, 0 };

	for (unsigned i = 0; i < c->n; i++)
		dies[i] = lifetime_draw(&life, r, 0, 0);
	for (;;) {
		unsigned alive = 0, first = 0;
		uint64_t next;

		for (unsigned i = 0; i < c->n; i++) {
			alive += dies[i] > now;
			if (dies[i] > now && (dies[first] <= now || dies[i] < dies[first]))
				first = i;
		}
		if (alive < c->k) {
			f.lost = true;
			return f;
		}
		if (alive <= c->r && ends == UINT64_MAX)
			ends = now + repair;
		next = MIN(dies[first], ends);
		if (next > until)
			return f;
		now = next;
		if (now != ends)
			continue;
		f.moved += c->k;
		for (unsigned i = 0; i < c->n; i++) {
			if (dies[i] <= now) {
				dies[i] = now + lifetime_draw(&life, r, 0, 0);
				f.moved++;
			}
		}
		ends = UINT64_MAX;
	}
}

START_TEST(the_course_is_what_dice_say)
{
	struct chain c = { .k = 4,
		.r = 6,
		.n = 8,
		.life = (double)DAYS(5),
		.repair = half_a_day,
		.repair_count = 1 };
	uint64_t until = DAYS(40), lost = 0, moved = 0;
	struct chain_course course;
	struct sim_random random;

	sim_random_init(&random, 7, 0);
	for (size_t i = 0; i < CHUNKS; i++) {
		struct fate f = live(&random, &c, until, half_a_day[0]);

		lost += f.lost;
		moved += f.moved;
	}
	ck_assert(chain_course(&c, (double)until, &course));
	/* Three standard deviations of what is counted, and half a percent for steps. */
	ck_assert_double_eq_tol(chain_course_at(&course, course.lost, (double)until),
	    (double)lost / CHUNKS, 3.5 * sqrt((double)lost) / CHUNKS);
	ck_assert_double_eq_tol(chain_course_at(&course, course.moved, (double)until),
	    (double)moved / CHUNKS / c.k, 0.01 * (double)moved / CHUNKS / c.k);
	chain_course_fini(&course);
}
END_TEST

START_TEST(without_time_it_is_the_formula)
{
	struct chain c = { .k = 10, .r = 16, .n = 24, .life = (double)DAYS(90) };
	struct chain_course course;
	double cycle = 0, until, late;

	for (int i = 17; i <= 24; i++)
		cycle += (double)DAYS(90) / i;
	ck_assert_double_eq_tol(chain_cycle(&c), cycle, 1e-6 * cycle);
	ck_assert_double_eq_tol(chain_rate(&c) * cycle, 1.8, 1e-9);
	ck_assert_double_eq_tol(chain_rate_slow(&c) / chain_rate(&c), 1, 1e-9);
	ck_assert(isinf(chain_loss_time(&c)));
	/* A network that begins whole repairs nothing for a while, then as the formula says. */
	until = 10 * cycle;
	ck_assert(chain_course(&c, until, &course));
	ck_assert_double_lt(chain_course_at(&course, course.moved, cycle / 4), 0.01);
	late = chain_course_at(&course, course.moved, until) -
	       chain_course_at(&course, course.moved, 5 * cycle);
	ck_assert_double_eq_tol(late / (5 * cycle) / chain_rate(&c), 1, 0.01);
	ck_assert_double_eq_tol(chain_course_at(&course, course.lost, until), 0, 1e-12);
	chain_course_fini(&course);
}
END_TEST

START_TEST(slow_repairs_are_rarer_and_lose)
{
	struct chain c = { .k = 4,
		.r = 6,
		.n = 8,
		.life = (double)DAYS(5),
		.repair = half_a_day,
		.repair_count = 1 };
	double dead = -expm1(-0.1), lost = 0;

	/* Of six, three or more die in half a day. */
	for (int i = 3; i <= 6; i++)
		lost += exp(lgamma(7) - lgamma(i + 1) - lgamma(7 - i)) * pow(dead, i) *
			pow(1 - dead, 6 - i);
	ck_assert_double_eq_tol(chain_loss_time(&c),
	    (chain_cycle(&c) + (double)half_a_day[0]) / lost, 1e-6 * chain_loss_time(&c));
	ck_assert_double_lt(chain_rate_slow(&c), chain_rate(&c));
}
END_TEST

START_TEST(counts_scatter_as_poisson_or_wider)
{
	static const double even[] = { 1, 1, 1, 1 }, rising[] = { 0, 10, 20, 30 };

	/* Mean 20, squares 2 · 100: 200/20 over three. */
	ck_assert_double_eq_tol(
	    chain_dispersion((uint64_t[]){ 10, 20, 20, 30 }, even, 4), 10.0 / 3, 1e-9);
	/* As expected, though half of it: no wider. */
	ck_assert_double_eq(chain_dispersion((uint64_t[]){ 0, 5, 10, 15 }, rising, 4), 1);
	/* (100/10 + 0 + 100/30)/2; what comes where nothing is expected does not count. */
	ck_assert_double_eq_tol(
	    chain_dispersion((uint64_t[]){ 7, 20, 20, 20 }, rising, 4), 20.0 / 3, 1e-9);
	ck_assert_double_eq(chain_dispersion((uint64_t[]){ 9 }, even, 1), 1);
	ck_assert_double_eq(chain_dispersion((uint64_t[]){ 0, 0 }, even, 2), 1);
}
END_TEST

/* Tables of the exact interval: Garwood 1936. */
START_TEST(intervals_are_those_of_the_tables)
{
	static const struct {
		uint64_t count;
		double low, high;
	} right[] = { { 0, 0, 3.689 }, { 1, 0.0253, 5.572 }, { 10, 4.795, 18.390 },
		{ 100, 81.36, 121.63 }, { 10000, 9804.96, 10197.9 } };

	for (size_t i = 0; i < ARRAY_LEN(right); i++) {
		double low, high;

		chain_interval(right[i].count, &low, &high);
		ck_assert_double_eq_tol(low, right[i].low, 0.0005 * right[i].low + 1e-4);
		ck_assert_double_eq_tol(high, right[i].high, 0.0005 * right[i].high);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sim/chain");

	suite_add(s, "chain", 60, the_course_is_what_dice_say, without_time_it_is_the_formula,
	    slow_repairs_are_rarer_and_lose, intervals_are_those_of_the_tables,
	    counts_scatter_as_poisson_or_wider, NULL);
	return suite_main(s);
}
