/*
 * The shard store (store_life.h) on a disk of which every operation fails once, or from then on,
 * with EIO or ENOSPC, and is well afterwards: the store must have told of every failure, lose
 * nothing that it confirmed, and take up work again. A failure prints the point.
 */
#include <stdio.h>

#include "test/scenario/store_life.h"
#include "test/unit/suite.h"

static int
pause_task(void *arg)
{
	struct run *r = arg;

	return task_sleep(r->env, SECONDS(3));
}

static int
fault_life(void *arg)
{
	struct run *r = arg;

	work_task(r);
	sim_disk_arm(r->disk, NULL);
	pause_task(r); /* longer than the store waits before it tries again */
	check_task(r);
	writable_task(r);
	check_task(r);
	return ERR_OK;
}

/* Operations of these kinds fail from the point on; then the disk is well again. */
static void
fault_at(const struct sim_disk_fault *fault, uint64_t *failures)
{
	struct run r;

	run_init(&r, 1);
	sim_disk_arm(r.disk, fault);
	node_up(&r);
	if (!live(&r, fault_life)) { /* it struck while opening */
		sim_disk_arm(r.disk, NULL);
		if (!live(&r, fault_life))
			wrong(&r.model, "cannot be opened after a fault");
	}
	node_down(&r);
	life_after(&r, check_task);
	sim_disk_crash(r.disk);
	sim_disk_power_loss(r.disk, fault->at);
	life_after(&r, check_task);
	life_after(&r, writable_task);
	if (r.model.wrong[0] != '\0')
		fprintf(stderr, "%s %d of kinds %u at point %llu: %s\n",
		    fault->forever ? "lasting" : "single", fault->err, fault->ops,
		    (unsigned long long)fault->at, r.model.wrong);
	ck_assert_str_eq(r.model.wrong, "");
	*failures += r.failures;
	run_fini(&r);
}

static void
faults_everywhere(unsigned ops, int err, bool forever, uint64_t step)
{
	uint64_t points, failures = 0;

	make_chunks();
	points = count_points();
	for (uint64_t at = 1; at <= points; at += step * stride()) {
		struct sim_disk_fault fault = {
			.at = at, .ops = ops, .err = err, .forever = forever
		};

		fault_at(&fault, &failures);
	}
	ck_assert_uint_gt(failures, 0); /* somebody was told */
	free_chunks();
}

START_TEST(every_operation_fails_once)
{
	faults_everywhere(0, ERR_IO, false, 1);
}
END_TEST

START_TEST(every_operation_fails_for_want_of_space)
{
	faults_everywhere(0, ERR_NO_SPACE, false, 3);
}
END_TEST

START_TEST(disk_fails_for_a_while)
{
	faults_everywhere(0, ERR_IO, true, 3);
	faults_everywhere(SIM_DISK_ALLOCATE | SIM_DISK_CREATE, ERR_NO_SPACE, true, 5);
	faults_everywhere(SIM_DISK_SYNC, ERR_IO, true, 5);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/store_faults");

	must(crypto_init() == ERR_OK);
	suite_add(s, "faults", 120, every_operation_fails_once,
	    every_operation_fails_for_want_of_space, disk_fails_for_a_while, NULL);
	return suite_main(s);
}
