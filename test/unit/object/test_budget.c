/* Memory that many share: in turn, none beyond the budget, small needs apart from large ones. */
#include "object/budget.h"

#include <stdlib.h>

#include "overlay/base/crypto.h"
#include "sim/sim.h"
#include "test/unit/suite.h"

#define TAKERS 200

static struct sim_world *sim;
static struct env *env;
static struct memory_budget budget;

static void
setup(void)
{
	sim = sim_new(&(struct sim_opts){ .seed = 3 });
	env = sim_node_add(sim, &(struct sim_node_opts){ .ip = sim_addr(1, 1000), .region = -1 });
	budget_init(&budget, env, MIB(32));
}

static void
teardown(void)
{
	budget_fini(&budget);
	sim_node_remove(env);
	sim_free(sim);
}

struct taker {
	size_t data;
	uint64_t beside, hold;
	size_t served; /* the how manieth it was */
	int err;
};

static size_t served;

static int
take_task(void *arg)
{
	struct taker *t = arg;
	struct budget_share share = { 0 };

	t->err = budget_take(
	    &budget, &(struct budget_need){ .data_bytes = t->data, .beside = t->beside }, &share);
	if (t->err != ERR_OK)
		return t->err;
	t->served = ++served;
	ck_assert_uint_ge(share.data_bytes, t->data);
	memset(share.data, 0x55, t->data);
	/* All that is taken, and what is kept for later, is no more than there is. */
	ck_assert_uint_le(budget.small.free, budget.small.bytes);
	ck_assert_uint_le(budget.large.free, budget.large.bytes);
	ck_assert_uint_le(budget.spare_bytes, budget.small.free + budget.large.free);
	(void)task_sleep(env, t->hold);
	budget_lower(&share);
	(void)task_sleep(env, t->hold / 2);
	budget_give(&share);
	return ERR_OK;
}

struct all {
	struct taker *each;
	size_t count;
};

static int
all_task(void *arg)
{
	struct all *a = arg;
	struct task_group group;
	int err = ERR_OK;

	task_group_init(&group, env);
	for (size_t i = 0; err == ERR_OK && i < a->count; i++)
		err = task_spawn(&group, "take", take_task, &a->each[i]);
	if (err == ERR_OK)
		err = task_group_wait(&group, 0);
	task_group_fini(&group);
	return err;
}

START_TEST(all_come_through)
{
	struct taker *t = calloc(TAKERS, sizeof(*t));
	struct all all = { t, TAKERS };

	ck_assert_ptr_nonnull(t);
	for (size_t i = 0; i < TAKERS; i++)
		t[i] = (struct taker){ .data = (size_t)KIB(1 + i * 37 % 9000),
			.beside = MIB(i % 5),
			.hold = MILLISECONDS(1 + i * 13 % 50) };
	ck_assert_int_eq(sim_run_task(sim, env, all_task, &all), ERR_OK);
	for (size_t i = 0; i < TAKERS; i++)
		ck_assert_int_eq(t[i].err, ERR_OK);
	ck_assert_uint_eq(budget.small.free + budget.large.free, MIB(32));
	free(t);
}
END_TEST

/* Of one kind nobody is passed over, though a later need would fit; the other kind has its own. */
START_TEST(in_turn)
{
	struct taker t[] = { { .data = MIB(20), .hold = SECONDS(1) },
		{ .data = MIB(12), .hold = SECONDS(1) }, { .data = MIB(5), .hold = SECONDS(1) },
		{ .data = MIB(1), .hold = SECONDS(1) }, { .data = MIB(100), .hold = SECONDS(1) } };
	struct all all = { t, ARRAY_LEN(t) };

	served = 0;
	ck_assert_int_eq(sim_run_task(sim, env, all_task, &all), ERR_OK);
	ck_assert_uint_eq(t[0].served, 1);
	ck_assert_uint_eq(t[3].served, 2);
	ck_assert_uint_eq(t[1].served, 3);
	ck_assert_uint_eq(t[2].served, 4);
	ck_assert_uint_eq(t[4].served, 5); /* more than there is: when it has all for itself */
}
END_TEST

static int
impatient_task(void *arg)
{
	struct taker *t = arg;
	struct budget_share share = { 0 };

	(void)task_deadline(env, env_now(env) + MILLISECONDS(100));
	t->err = budget_take(&budget, &(struct budget_need){ .data_bytes = t->data }, &share);
	ck_assert_ptr_null(share.data);
	return ERR_OK;
}

static int
give_up_task(void *arg)
{
	struct taker *t = arg;
	struct task_group group;
	struct budget_share share = { 0 };
	struct budget_need much = { .data_bytes = MIB(20) };
	int err = budget_take(&budget, &much, &share);

	task_group_init(&group, env);
	if (err == ERR_OK)
		err = task_spawn(&group, "impatient", impatient_task, &t[0]);
	if (err == ERR_OK)
		err = task_spawn(&group, "behind", take_task, &t[1]);
	if (err == ERR_OK)
		err = task_group_wait(&group, 0); /* the second one fits when the first is gone */
	ck_assert(!budget_try(&budget, &much, &share));
	budget_give(&share);
	task_group_fini(&group);
	return err;
}

START_TEST(who_gives_up_lets_the_next_one_on)
{
	struct taker t[] = { { .data = MIB(15) }, { .data = MIB(6), .hold = SECONDS(1) } };

	ck_assert_int_eq(sim_run_task(sim, env, give_up_task, t), ERR_OK);
	ck_assert_int_eq(t[0].err, ERR_TIMEOUT);
	ck_assert_int_eq(t[1].err, ERR_OK);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/budget");
	TCase *tc = tcase_create("budget");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, all_come_through);
	tcase_add_test(tc, in_turn);
	tcase_add_test(tc, who_gives_up_lets_the_next_one_on);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
