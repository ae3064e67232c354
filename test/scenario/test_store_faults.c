/*
 * The shard store (store_life.h) on a disk of which every operation fails once, or from then on,
 * with EIO or ENOSPC, and is well afterwards: the store must have told of every failure, lose
 * nothing that it confirmed, and take up work again. A failure prints the point.
 */
#include <stdio.h>

#include "storage/store_compact.h"
#include "storage/store_values.h"
#include "test/scenario/ground.h"
#include "test/scenario/store_life.h"
#include "test/unit/storage/store_fixture.h"
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

/* ---- rot under compaction ---- */

/* ---- a shard that cannot be read, in a segment worth compacting ---- */

#define BAD_SMALL 14 /* shards with forty leases each, of which one stays: records are alive */

static int
bad_sector_task(void *arg)
{
	struct run *r = arg;
	struct fx_chunk small[BAD_SMALL], large[3];
	struct ground *g = calloc(1, sizeof(*g));
	struct store_status before = { .segments = 0 }, after;
	uint64_t gained;
	unsigned failures = 0;
	size_t at = 0;

	for (size_t i = 0; i < BAD_SMALL; i++) {
		fx_chunk_init(&small[i], 500 + (int)i, 1, 1, 60000);
		ck_assert_int_eq(fx_put(r->store, &small[i], 0, 1, 1), ERR_OK);
		if (i == 0) {
			g->disk = r->disk;
			g->live[g->live_count++] = small[0].id;
			ground_survey(g, "store");
			while (at < g->count && !(g->at[at].live && g->at[at].region == R_PAYLOAD))
				at++;
			ck_assert_uint_lt(at, g->count);
		}
		for (int owner = 0; owner < 40; owner++) {
			struct lease l;

			fx_lease(&l, 1000 + owner, &small[i].id, 1);
			ck_assert_int_eq(store_lease(r->store, &l), ERR_OK);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(large); i++) {
		fx_chunk_init(&large[i], 900 + (int)i, 1, 1, 700000);
		ck_assert_int_eq(fx_put(r->store, &large[i], 0, 1, 1), ERR_OK);
	}
	for (size_t i = 1; i < BAD_SMALL; i++)
		ck_assert_int_eq(store_drop(r->store, &small[i].id, 0), ERR_OK);
	ck_assert_int_eq(store_drop(r->store, &large[1].id, 0), ERR_OK);
	ck_assert_int_eq(sim_disk_bad_sector(r->disk, g->at[at].path, g->at[at].from), ERR_OK);

	/* The others are compacted, and then it is at rest but for a try an hour. */
	for (int i = 0; i < 40; i++) {
		int err = store_compact(r->store, &gained);

		ck_assert(err == ERR_OK || err == ERR_IO);
		failures += err == ERR_IO;
		if (failures == 1 && before.segments == 0)
			store_status(r->store, &before);
		task_sleep(r->env, SECONDS(1));
	}
	ck_assert_uint_eq(failures, 1);
	ck_assert_uint_eq(gained, 0);
	store_status(r->store, &after);
	ck_assert_uint_le(after.bytes_used, before.bytes_used);

	for (size_t i = 0; i < BAD_SMALL; i++)
		fx_chunk_fini(&small[i]);
	for (size_t i = 0; i < ARRAY_LEN(large); i++)
		fx_chunk_fini(&large[i]);
	free(g);
	return ERR_OK;
}

START_TEST(a_shard_that_cannot_be_read_costs_no_space)
{
	struct run r;

	run_init(&r, 1);
	node_up(&r);
	ck_assert(live(&r, bad_sector_task));
	node_down(&r);
	ck_assert_str_eq(r.model.wrong, "");
	run_fini(&r);
}
END_TEST

static int
compact_task(void *arg)
{
	struct run *r = arg;
	uint64_t gained = 1;
	unsigned times = 0;

	while (gained > 0 && store_compact(r->store, &gained) == ERR_OK)
		times++;
	/* As many as there are segments, and then it is at rest. */
	if (gained > 0 || times > 12)
		wrong(&r->model, "compaction does not come to rest after %u", times);
	return ERR_OK;
}

static int
drop_task(void *arg)
{
	struct run *r = arg;

	for (size_t w = 0; w < WRITERS - 1; w++) {
		for (size_t i = 1; i < CHUNKS; i++) {
			life_drop(r, w, i, 0);
			life_drop(r, w, i, 1);
		}
	}
	return ERR_OK;
}

static int
rot_life(void *arg)
{
	struct run *r = arg;
	struct ground *g = calloc(1, sizeof(*g));
	struct store_status before, now;
	const struct stretch *at = NULL;

	must(g != NULL);
	g->disk = r->disk;
	drop_task(r);
	ground_survey(g, "store");
	for (size_t i = 0, nth = r->nth; i < g->count && at == NULL; i++) {
		bool frame = g->at[i].region == R_HEADER || g->at[i].region == R_TRAILER;

		if (frame && nth-- == 0)
			at = &g->at[i];
	}
	if (at != NULL) {
		ck_assert_int_eq(sim_disk_flip(r->disk, at->path, at->from + 20, 1), ERR_OK);
		store_status(r->store, &before);
		for (int i = 0; i < 3; i++)
			compact_task(r);
		store_status(r->store, &now);
		if (now.bytes_used >= before.bytes_used || now.segments > before.segments)
			wrong(&r->model, "%llu bytes before, %llu behind it",
			    (unsigned long long)before.bytes_used,
			    (unsigned long long)now.bytes_used);
	}
	r->nth = at == NULL ? UINT64_MAX : r->nth + 1;
	free(g);
	return ERR_OK;
}

/* One frame of a shard has gone bad: the rest moves, the segment goes, and nothing is done twice.
 */
START_TEST(rot_does_not_hold_up_compaction)
{
	uint64_t frames = 0;

	make_chunks();
	for (uint64_t nth = 0; nth != UINT64_MAX; frames++) {
		struct run r;

		run_init(&r, 1);
		node_up(&r);
		live(&r, work_task);
		r.nth = nth;
		ck_assert(live(&r, rot_life));
		if (r.model.wrong[0] != '\0')
			fprintf(stderr, "frame %llu: %s\n", (unsigned long long)nth, r.model.wrong);
		ck_assert_str_eq(r.model.wrong, "");
		nth = r.nth;
		run_fini(&r);
	}
	ck_assert_uint_gt(frames, 20);
	free_chunks();
}
END_TEST

/* ---- values that belong together ---- */

/* More than two groups of records take. */
#define TOGETHER 60

static int
together_task(void *arg)
{
	static const uint8_t bytes[STORE_VALUE_MAX];
	struct run *r = arg;
	struct store_value at[TOGETHER];
	bool before = true;
	struct buf got;

	for (size_t i = 0; i < TOGETHER; i++)
		at[i] =
		    (struct store_value){ { { 'T', (uint8_t)i } }, bytes_of(bytes, sizeof(bytes)) };
	sim_disk_arm(r->disk,
	    &(struct sim_disk_fault){
		.skip = r->nth, .ops = SIM_DISK_CREATE | SIM_DISK_ALLOCATE, .err = ERR_NO_SPACE });
	if (store_set_values(r->store, STORE_REGISTER, at, TOGETHER) != ERR_OK)
		r->failures++;
	r->nth = sim_disk_strikes(r->disk) == 0 ? UINT64_MAX : r->nth + 1;
	sim_disk_arm(r->disk, NULL);
	buf_init(&got, STORE_VALUE_MAX);
	for (size_t i = 0; i < TOGETHER; i++) {
		bool there = store_value(r->store, STORE_REGISTER, &at[i].key, &got) == ERR_OK;

		if (there && !before)
			wrong(&r->model, "value %zu is there, and the one before is not", i);
		before = there;
	}
	buf_fini(&got);
	return ERR_OK;
}

/* A segment that cannot be made fails one batch: what comes in the next one does not go on alone.
 */
START_TEST(of_many_values_none_is_there_without_those_before)
{
	uint64_t nth = 0, failures = 0;

	while (nth != UINT64_MAX) {
		struct run r;

		run_init(&r, 1);
		node_up(&r);
		r.nth = nth;
		ck_assert(live(&r, together_task));
		ck_assert_str_eq(r.model.wrong, "");
		nth = r.nth;
		failures += r.failures;
		run_fini(&r);
	}
	ck_assert_uint_gt(failures, 1);
}
END_TEST

/* ---- headers that cannot be read for a while ---- */

static int
put_task(void *arg)
{
	struct run *r = arg;

	life_put(r, 0, r->nth, 0);
	return ERR_OK;
}

/* The only segment is one of this store, whether or not the disk says so today. */
START_TEST(who_cannot_read_a_header_begins_no_other_store)
{
	struct run r;
	unsigned opened = 0;

	make_chunks();
	run_init(&r, 1);
	life_after(&r, put_task);
	for (int i = 0; i < 60; i++) {
		r.nth = 1 + (uint64_t)i % 3;
		sim_disk_error_rate(r.disk, SIM_DISK_READ, 700000);
		node_up(&r);
		opened += live(&r, put_task);
		node_down(&r);
		sim_disk_error_rate(r.disk, SIM_DISK_READ, 0);
		life_after(&r, check_task);
	}
	ck_assert_uint_gt(opened, 0);
	ck_assert_str_eq(r.model.wrong, "");
	run_fini(&r);
	free_chunks();
}
END_TEST

/* ---- a put that a drop overtakes ---- */

struct slow_put {
	struct run *r;
	struct shard_writer *w;
	const struct fx_chunk *chunk;
	int result;
};

static int
slow_commit(void *arg)
{
	struct slow_put *p = arg;
	struct lease lease;

	fx_lease(&lease, 0, &p->chunk->id, 2);
	p->result = shard_commit(p->w, p->chunk->descriptor, &lease);
	return ERR_OK;
}

static int
overtaken_task(void *arg)
{
	struct run *r = arg;
	struct fx_chunk a;
	struct slow_put put = { .r = r, .chunk = &a };
	struct task_group group;

	fx_chunk_init(&a, 1, 1, 1, 4000);
	ck_assert_int_eq(fx_put(r->store, &a, 0, 1, 1), ERR_OK);
	ck_assert_int_eq(shard_begin(r->store, &a.layout, 0, &put.w), ERR_OK);
	ck_assert_int_eq(shard_append(put.w, a.shards[0], a.layout.rows), ERR_OK);
	/* Its worker sleeps from where it has its order to where it looks what is there. */
	sim_node_work_time(r->env, WORK_DISK, SECONDS(1));
	task_group_init(&group, r->env);
	ck_assert_int_eq(task_spawn(&group, "put", slow_commit, &put), ERR_OK);
	ck_assert_int_eq(task_sleep(r->env, 1), ERR_OK);
	sim_node_work_time(r->env, WORK_DISK, 0);
	ck_assert_int_eq(store_drop(r->store, &a.id, 0), ERR_OK);
	ck_assert_int_eq(fx_check(r->store, &a, 0), ERR_NOT_FOUND);
	ck_assert_int_eq(task_group_wait(&group, 0), ERR_OK);
	task_group_fini(&group);
	ck_assert_int_eq(put.result, ERR_OK);
	ck_assert_int_eq(fx_check(r->store, &a, 0), ERR_OK);
	fx_chunk_fini(&a);
	return ERR_OK;
}

START_TEST(a_put_that_a_drop_overtakes_is_there)
{
	struct run r;

	run_init(&r, 1);
	node_up(&r);
	ck_assert(live(&r, overtaken_task));
	node_down(&r);
	ck_assert_str_eq(r.model.wrong, "");
	run_fini(&r);
}
END_TEST

/* ---- what a start could not read ---- */

static int
fill_task(void *arg)
{
	for (size_t w = 0; w < WRITERS; w++)
		for (size_t i = 0; i < CHUNKS; i++)
			life_put(arg, w, i, 0);
	return ERR_OK;
}

/* Mostly dead: worth compacting as soon as there is something behind it. */
static int
thin_task(void *arg)
{
	for (size_t w = 0; w < WRITERS - 1; w++)
		for (size_t i = 0; i < CHUNKS; i++)
			life_drop(arg, w, i, 0);
	return ERR_OK;
}

static int
well_again_task(void *arg)
{
	struct run *r = arg;

	sim_disk_error_rate(r->disk, SIM_DISK_READ, 0);
	life_set_value(r, 0);
	return compact_task(r);
}

/* Shards of which the index has not heard are not dead. */
START_TEST(what_a_start_could_not_read_is_not_compacted)
{
	unsigned opened = 0;

	make_chunks();
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct run r;

		run_init(&r, seed);
		life_after(&r, fill_task);
		life_after(&r, thin_task);
		sim_disk_error_rate(r.disk, SIM_DISK_READ, 20000 * seed);
		node_up(&r);
		opened += live(&r, well_again_task);
		sim_disk_error_rate(r.disk, SIM_DISK_READ, 0);
		node_down(&r);
		life_after(&r, check_task);
		ck_assert_str_eq(r.model.wrong, "");
		run_fini(&r);
	}
	ck_assert_uint_gt(opened, 5);
	free_chunks();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/store_faults");

	must(crypto_init() == ERR_OK);
	suite_add(s, "faults", 120, every_operation_fails_once,
	    a_shard_that_cannot_be_read_costs_no_space, a_put_that_a_drop_overtakes_is_there,
	    who_cannot_read_a_header_begins_no_other_store,
	    what_a_start_could_not_read_is_not_compacted, every_operation_fails_for_want_of_space,
	    disk_fails_for_a_while, rot_does_not_hold_up_compaction,
	    of_many_values_none_is_there_without_those_before, NULL);
	return suite_main(s);
}
