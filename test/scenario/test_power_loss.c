/*
 * The shard store (store_life.h) on a disk that loses what was not synced. The machine is cut at
 * every single write, sync and change of a name, in work and in compaction, and any subset of
 * unsynced sectors survives.
 *
 * Also: the process dies and the machine only later; the second crash comes during recovery. And
 * the test of the test: with a disk that only says it has synced, the loss must be noticed. A
 * failure prints the point and the seed.
 */
#include <stdio.h>

#include "storage/store_compact.h"
#include "test/scenario/store_life.h"
#include "test/unit/suite.h"

/* ---- the cuts ---- */

enum cut_kind {
	CUT_POWER,       /* at the point */
	CUT_KILL,        /* the process dies there; the machine after it was put in order */
	CUT_TWICE,       /* power fails again while recovering */
	CUT_NEVER_SYNCS, /* as the first, on a lying disk */
	CUT_KINDS
};

static void
cut(struct run *r, enum cut_kind kind, uint64_t point)
{
	struct sim_disk_fault fault = { .at = point, .crash = true };

	sim_disk_ignore_sync(r->disk, kind == CUT_NEVER_SYNCS);
	sim_disk_arm(r->disk, &fault);
	node_up(r);
	live(r, work_task);
	node_down(r);
	if (kind == CUT_KILL) {
		sim_disk_restart(r->disk);
		life_after(r, check_task);
		life_after(r, writable_task);
		sim_disk_crash(r->disk);
	}
	sim_disk_power_loss(r->disk, point * 7 + 1);
	if (kind == CUT_TWICE) {
		fault.at = sim_disk_points(r->disk) + 1 + point % 9;
		sim_disk_arm(r->disk, &fault);
		node_up(r);
		live(r, check_task);
		node_down(r);
		sim_disk_crash(r->disk);
		r->model.wrong[0] = '\0'; /* a dead disk answers nothing: no judgement yet */
		sim_disk_power_loss(r->disk, point * 5 + 2);
	}
	life_after(r, check_task);
	life_after(r, writable_task);
	sim_disk_crash(r->disk);
	sim_disk_power_loss(r->disk, point * 3 + 2);
	life_after(r, check_task);
}

/* Every point from first on in steps; gives the number of cuts with a broken promise. */
static uint64_t
cut_everywhere(enum cut_kind kind, uint64_t step)
{
	uint64_t points = count_points(), broken = 0;

	for (uint64_t point = 1; point <= points; point += step * stride()) {
		struct run r;

		run_init(&r, 1);
		cut(&r, kind, point);
		if (r.model.wrong[0] != '\0') {
			broken++;
			if (kind != CUT_NEVER_SYNCS)
				fprintf(stderr, "cut %d at point %llu of %llu: %s\n", kind,
				    (unsigned long long)point, (unsigned long long)points,
				    r.model.wrong);
		}
		run_fini(&r);
	}
	return broken;
}

/* ---- compaction ---- */

static int
compactor_main(void *arg)
{
	struct run *r = arg;
	uint64_t gained = 1;

	while (gained > 0 && store_compact(r->store, &gained) == ERR_OK)
		r->gained += gained;
	return ERR_OK;
}

/* Most of what there is goes, then its space, while somebody puts and sets. */
static int
compact_task(void *arg)
{
	struct run *r = arg;
	struct task_group group;

	for (size_t w = 0; w < WRITERS - 1; w++) {
		for (size_t i = 1; i < CHUNKS; i++) {
			life_drop(r, w, i, 0);
			life_drop(r, w, i, 1);
		}
	}
	task_group_init(&group, r->env);
	must(task_spawn(&group, "compactor", compactor_main, r) == ERR_OK);
	for (size_t i = 0; i < CHUNKS; i++) {
		life_put(r, WRITERS - 1, i, 1);
		life_drop(r, WRITERS - 1, i, 0);
		life_renew(r, WRITERS - 1);
		life_set_value(r, i % WRITERS);
		life_set_siblings(r, i % WRITERS);
	}
	task_group_wait(&group, 0);
	task_group_fini(&group);
	return ERR_OK;
}

/* A first life that fills segments, then one that compacts them, which is cut at point (0: not). */
static void
cut_compaction(struct run *r, bool kill, uint64_t point, uint64_t *before)
{
	struct sim_disk_fault fault = { .at = point, .crash = true };

	node_up(r);
	live(r, work_task);
	node_down(r);
	*before = sim_disk_points(r->disk);
	if (point > 0)
		sim_disk_arm(r->disk, &fault);
	node_up(r);
	live(r, compact_task);
	node_down(r);
	if (kill) {
		sim_disk_restart(r->disk);
		life_after(r, check_task);
		sim_disk_crash(r->disk);
	}
	sim_disk_power_loss(r->disk, point * 7 + 1);
	life_after(r, check_task);
	life_after(r, compact_task);
	life_after(r, check_task);
	life_after(r, writable_task);
}

/* The last point of a compaction that nothing disturbs. */
static uint64_t
count_compaction(void)
{
	struct run r;
	uint64_t last;

	run_init(&r, 1);
	node_up(&r);
	live(&r, work_task);
	live(&r, compact_task);
	last = sim_disk_points(r.disk);
	node_down(&r);
	run_fini(&r);
	return last;
}

static uint64_t
cut_compaction_everywhere(bool kill)
{
	uint64_t broken = 0, first, last = count_compaction();
	struct run r;

	run_init(&r, 1);
	cut_compaction(&r, false, 0, &first);
	ck_assert_str_eq(r.model.wrong, "");
	ck_assert_uint_gt(r.gained, 0);
	run_fini(&r);
	for (uint64_t point = first + 1; point <= last; point += stride()) {
		uint64_t unused;

		run_init(&r, 1);
		cut_compaction(&r, kill, point, &unused);
		if (r.model.wrong[0] != '\0') {
			broken++;
			fprintf(stderr, "cut of compaction at point %llu of %llu … %llu: %s\n",
			    (unsigned long long)point, (unsigned long long)first,
			    (unsigned long long)last, r.model.wrong);
		}
		run_fini(&r);
	}
	return broken;
}

/* Most goes; nothing else happens. */
static int
drop_task(void *arg)
{
	struct run *r = arg;

	for (size_t w = 0; w < WRITERS; w++) {
		for (size_t i = w == WRITERS - 1; i < CHUNKS; i++) {
			if (i == 2 && w == 0)
				continue;
			life_drop(r, w, i, 0);
			life_drop(r, w, i, 1);
		}
	}
	return ERR_OK;
}

static int
compact_some_task(void *arg)
{
	struct run *r = arg;
	uint64_t gained;
	int err = ERR_OK;

	for (unsigned i = 0; err == ERR_OK && i < r->times; i++)
		err = store_compact(r->store, &gained);
	return err;
}

/*
 * Copies that the first cut has torn, trailers whole, still lie there when their originals have
 * been moved once more and are gone: the index is made anew from both.
 */
static void
cut_twice(struct run *r, uint64_t after, uint64_t seed, uint64_t *points)
{
	struct sim_disk_fault fault = { .skip = after, .ops = SIM_DISK_SYNC, .crash = true };

	node_up(r);
	live(r, work_task);
	live(r, drop_task);
	sim_disk_arm(r->disk, &fault);
	live(r, compactor_main);
	*points = sim_disk_matched(r->disk);
	node_down(r);
	sim_disk_power_loss(r->disk, seed);
	r->times = 1 + (unsigned)seed % 3;
	life_after(r, compact_some_task);
	sim_disk_crash(r->disk);
	sim_disk_power_loss(r->disk, seed + 1);
	life_after(r, check_task);
}

START_TEST(torn_copies_are_not_preferred)
{
	uint64_t broken = 0, points;
	struct run undisturbed;

	make_chunks();
	run_init(&undisturbed, 1);
	cut_twice(&undisturbed, UINT64_MAX, 1, &points);
	run_fini(&undisturbed);
	for (uint64_t at = 0; at < points; at++) {
		for (uint64_t seed = 1; seed <= 30; seed++) {
			struct run r;
			uint64_t unused;

			run_init(&r, 1);
			cut_twice(&r, at, seed, &unused);
			if (r.model.wrong[0] != '\0') {
				broken++;
				fprintf(stderr, "second cut behind sync %llu, seed %llu: %s\n",
				    (unsigned long long)at, (unsigned long long)seed,
				    r.model.wrong);
			}
			run_fini(&r);
		}
	}
	ck_assert_uint_gt(points, 3);
	ck_assert_uint_eq(broken, 0);
	free_chunks();
}
END_TEST

START_TEST(power_fails_while_compacting)
{
	make_chunks();
	ck_assert_uint_eq(cut_compaction_everywhere(false), 0);
	free_chunks();
}
END_TEST

START_TEST(process_dies_while_compacting)
{
	make_chunks();
	ck_assert_uint_eq(cut_compaction_everywhere(true), 0);
	free_chunks();
}
END_TEST

START_TEST(power_fails_at_every_point)
{
	make_chunks();
	ck_assert_uint_eq(cut_everywhere(CUT_POWER, 1), 0);
	free_chunks();
}
END_TEST

START_TEST(process_dies_then_power_fails)
{
	make_chunks();
	ck_assert_uint_eq(cut_everywhere(CUT_KILL, 3), 0);
	free_chunks();
}
END_TEST

START_TEST(power_fails_again_in_recovery)
{
	make_chunks();
	ck_assert_uint_eq(cut_everywhere(CUT_TWICE, 3), 0);
	free_chunks();
}
END_TEST

/* The test of the test: a disk that does not sync must be found out. */
START_TEST(lying_disk_is_noticed)
{
	make_chunks();
	ck_assert_uint_gt(cut_everywhere(CUT_NEVER_SYNCS, 7), 20 / stride());
	free_chunks();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/power_loss");

	must(crypto_init() == ERR_OK);
	suite_add(s, "cuts", 120, power_fails_at_every_point, process_dies_then_power_fails,
	    power_fails_again_in_recovery, lying_disk_is_noticed, NULL);
	suite_add(s, "compaction", 120, power_fails_while_compacting, process_dies_while_compacting,
	    torn_copies_are_not_preferred, NULL);
	return suite_main(s);
}
