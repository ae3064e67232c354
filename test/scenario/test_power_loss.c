/*
 * The shard store on a disk that loses what was not synced. Four writers put shards, renew leases,
 * drop, put again, set values and siblings; the machine is cut at every single write, sync and
 * change of a name, and any subset of unsynced sectors survives. After recovery everything
 * confirmed must be there byte for byte, nothing else may be served than what was put, and the
 * store must take and keep new shards.
 *
 * Also: the process dies and the machine only later; the second crash comes during recovery; every
 * operation fails once, or from then on, with EIO or ENOSPC. And the test of the test: with a disk
 * that only says it has synced, the loss must be noticed.
 *
 * A failure prints the point and the seed. Not checked here: rot (test_recover), LMDB, which
 * lives on real files only.
 */
#include <stdio.h>

#include "overlay/base/buf.h"
#include "sim/sim.h"
#include "storage/store_compact.h"
#include "test/unit/storage/store_fixture.h"
#include "test/unit/suite.h"

#define WRITERS 4
#define CHUNKS  5 /* per writer */
#define STORE   "store"

/* ---- what the store has told, and what was asked ---- */

struct shard_model {
	bool asked_put, asked_drop; /* since the last confirmation */
	enum { NOTHING, THERE, GONE } confirmed;
};
struct number_model { /* lease generations, values, sequences: they only grow */
	uint64_t confirmed, asked;
};
struct model {
	struct shard_model shards[WRITERS][CHUNKS][2];
	struct number_model leases[WRITERS], values[WRITERS], siblings[WRITERS];
	char wrong[200]; /* the first broken promise; empty: none */
};

static struct fx_chunk chunks[WRITERS][CHUNKS + 1]; /* the last one is for after the recovery */

struct run {
	struct sim_world *world;
	struct env *env;
	struct sim_disk *disk;
	struct store *store;
	struct model model;
	uint64_t failures; /* operations that failed, for the fault runs */
	uint64_t gained;   /* bytes that compaction brought back */
};

struct writer {
	struct run *run;
	size_t number;
};

static void
make_chunks(void)
{
	static const uint64_t sizes[] = { 300, 9000, 140000, 64, 260000, 40000 };

	for (size_t w = 0; w < WRITERS; w++) {
		for (size_t i = 0; i <= CHUNKS; i++)
			fx_chunk_init(&chunks[w][i], w * 10 + i, 2, 3, sizes[(w + i) % 6]);
	}
}

static void
free_chunks(void)
{
	for (size_t w = 0; w < WRITERS; w++) {
		for (size_t i = 0; i <= CHUNKS; i++)
			fx_chunk_fini(&chunks[w][i]);
	}
}

__attribute__((format(printf, 2, 3))) static void
wrong(struct model *m, const char *fmt, ...)
{
	va_list ap;

	if (m->wrong[0] != '\0')
		return;
	va_start(ap, fmt);
	vsnprintf(m->wrong, sizeof(m->wrong), fmt, ap);
	va_end(ap);
}

/* ---- operations that keep the model ---- */

static SUSPENDS void
put(struct run *r, size_t w, size_t i, uint8_t index)
{
	struct shard_model *m = &r->model.shards[w][i][index];
	uint64_t generation = ++r->model.leases[w].asked;

	m->asked_put = true;
	if (fx_put(r->store, &chunks[w][i], index, generation, 2) != ERR_OK) {
		r->failures++;
		return;
	}
	*m = (struct shard_model){ .confirmed = THERE };
}

static SUSPENDS void
drop(struct run *r, size_t w, size_t i, uint8_t index)
{
	struct shard_model *m = &r->model.shards[w][i][index];
	int err;

	m->asked_drop = true;
	err = store_drop(r->store, &chunks[w][i].id, index);
	if (err != ERR_OK && err != ERR_NOT_FOUND) {
		r->failures++;
		return;
	}
	*m = (struct shard_model){ .confirmed = GONE };
}

/* Leases of the writer's own owner on its first chunk. */
static SUSPENDS void
renew(struct run *r, size_t w)
{
	struct number_model *m = &r->model.leases[w];
	struct lease l;

	fx_lease(&l, 100 + w, &chunks[w][0].id, ++m->asked);
	if (store_lease(r->store, &l) == ERR_OK)
		m->confirmed = l.generation;
	else
		r->failures++;
}

static SUSPENDS void
set_value(struct run *r, size_t w)
{
	struct number_model *m = &r->model.values[w];
	struct hash key = { { (uint8_t)w } };
	uint64_t v = ++m->asked;

	if (store_set_value(r->store, STORE_REGISTER, &key, bytes_of(&v, sizeof(v))) == ERR_OK)
		m->confirmed = v;
	else
		r->failures++;
}

static SUSPENDS void
set_siblings(struct run *r, size_t w)
{
	uint8_t text[300];
	uint64_t sequence = ++r->model.siblings[w].asked;

	fx_fill(sequence, text, sizeof(text));
	store_set_siblings(r->store, &chunks[w][0].id, sequence, bytes_of(text, sizeof(text)));
}

static int
writer_main(void *arg)
{
	struct writer *me = arg;
	struct run *r = me->run;
	size_t w = me->number;

	for (size_t i = 0; i < CHUNKS; i++) {
		put(r, w, i, 0);
		if (i == 0)
			put(r, w, i, 1); /* stays, so that leases have something to hold on to */
		renew(r, w);
		if (i % 2 == 1) {
			put(r, w, i, 1);
			drop(r, w, i - 1, 0);
			set_siblings(r, w);
		}
		if (i == 3)
			put(r, w, 0, 0);
		set_value(r, w);
	}
	return ERR_OK;
}

/* ---- checks ---- */

static SUSPENDS void
check_shard(struct run *r, size_t w, size_t i, uint8_t index)
{
	const struct shard_model *m = &r->model.shards[w][i][index];
	int err = fx_check(r->store, &chunks[w][i], index);
	bool must_be = m->confirmed == THERE && !m->asked_drop;
	bool must_not =
	    (m->confirmed == GONE && !m->asked_put) || (m->confirmed == NOTHING && !m->asked_put);

	if (err != ERR_OK && err != ERR_NOT_FOUND)
		wrong(&r->model, "shard %zu.%zu.%u: %s", w, i, index, err_text(err));
	else if (must_be && err != ERR_OK)
		wrong(&r->model, "shard %zu.%zu.%u was confirmed and is gone", w, i, index);
	else if (must_not && err == ERR_OK)
		wrong(&r->model, "shard %zu.%zu.%u was dropped and is back", w, i, index);
}

static SUSPENDS void
check_numbers(struct run *r, size_t w)
{
	struct hash key = { { (uint8_t)w } };
	struct model *m = &r->model;
	uint64_t lease = fx_generation(r->store, &chunks[w][0].id, 100 + w);
	uint64_t value = 0, sequence = 0;
	uint8_t text[300];
	struct buf buf;

	buf_init(&buf, 20000);
	if (store_value(r->store, STORE_REGISTER, &key, &buf) == ERR_OK)
		memcpy(&value, buf.data, sizeof(value));
	if (lease < m->leases[w].confirmed || lease > m->leases[w].asked)
		wrong(m, "lease %zu: generation %llu, %llu was confirmed", w,
		    (unsigned long long)lease, (unsigned long long)m->leases[w].confirmed);
	if (value < m->values[w].confirmed || value > m->values[w].asked)
		wrong(m, "value %zu: %llu, %llu was confirmed", w, (unsigned long long)value,
		    (unsigned long long)m->values[w].confirmed);
	if (store_siblings(r->store, &chunks[w][0].id, &sequence, &buf) == ERR_OK) {
		fx_fill(sequence, text, sizeof(text));
		if (buf.len != sizeof(text) || memcmp(buf.data, text, buf.len) != 0 ||
		    sequence > m->siblings[w].asked)
			wrong(m, "siblings %zu are not what was set", w);
	}
	buf_fini(&buf);
}

static SUSPENDS void
check_all(struct run *r)
{
	for (size_t w = 0; w < WRITERS; w++) {
		for (size_t i = 0; i < CHUNKS; i++) {
			check_shard(r, w, i, 0);
			check_shard(r, w, i, 1);
		}
		check_numbers(r, w);
	}
}

/* The store must take new shards, and what was cut off can be put again. */
static SUSPENDS void
check_writable(struct run *r)
{
	for (size_t w = 0; w < WRITERS; w++) {
		int err = fx_put(r->store, &chunks[w][CHUNKS], 2, 1, 1);

		if (err != ERR_OK || fx_check(r->store, &chunks[w][CHUNKS], 2) != ERR_OK)
			wrong(&r->model, "not writable after recovery: %s", err_text(err));
		for (size_t i = 0; i < CHUNKS; i++)
			put(r, w, i, 0);
		renew(r, w);
	}
}

/* ---- lives of the node ---- */

static void
node_up(struct run *r)
{
	struct sim_node_opts opts = { .ip = sim_addr(1, 0), .region = -1, .disk = r->disk };

	r->env = sim_node_add(r->world, &opts);
	must(r->env != NULL);
}

static int
open_task(void *arg)
{
	struct run *r = arg;
	struct store_opts opts = { .env = r->env,
		.dir = STORE,
		.net = fx_net,
		.capacity_bytes = MIB(200),
		.segment_bytes = MIB(1),
		.reserve_bytes = MIB(1),
		.index_in_memory = true };

	return store_open(&opts, &r->store);
}

static int
close_task(void *arg)
{
	struct run *r = arg;

	store_close(r->store);
	r->store = NULL;
	return ERR_OK;
}

static int
work_task(void *arg)
{
	struct run *r = arg;
	struct writer writers[WRITERS];
	struct task_group group;

	task_group_init(&group, r->env);
	for (size_t w = 0; w < WRITERS; w++) {
		writers[w] = (struct writer){ .run = r, .number = w };
		must(task_spawn(&group, "writer", writer_main, &writers[w]) == ERR_OK);
	}
	task_group_wait(&group, 0);
	task_group_fini(&group);
	return ERR_OK;
}

static int
check_task(void *arg)
{
	check_all(arg);
	return ERR_OK;
}

static int
writable_task(void *arg)
{
	check_writable(arg);
	return ERR_OK;
}

static void
run_task(struct run *r, int (*fn)(void *arg))
{
	int err = sim_run_task(r->world, r->env, fn, r);

	if (err != ERR_OK)
		wrong(&r->model, "a task ended with %s", err_text(err));
}

/* One life: opens, works, closes; the disk may die on the way. True when it was opened. */
static bool
live(struct run *r, int (*fn)(void *arg))
{
	int err = sim_run_task(r->world, r->env, open_task, r);

	if (err != ERR_OK)
		return false;
	run_task(r, fn);
	run_task(r, close_task);
	return true;
}

static void
node_down(struct run *r)
{
	sim_node_remove(r->env);
	r->env = NULL;
}

static void
run_init(struct run *r, uint64_t seed)
{
	struct sim_opts world = { .seed = seed };
	struct sim_disk_opts disk = { .seed = seed };

	memset(r, 0, sizeof(*r));
	r->world = sim_new(&world);
	r->disk = sim_disk_new(&disk);
	must(r->world != NULL && r->disk != NULL);
	must(disk_mkdir(sim_disk_base(r->disk), STORE) == ERR_OK);
	must(disk_sync_dir(sim_disk_base(r->disk), ".") == ERR_OK);
}

static void
run_fini(struct run *r)
{
	if (r->env != NULL)
		node_down(r);
	sim_free(r->world);
	sim_disk_free(r->disk);
}

/* ---- the cuts ---- */

enum cut_kind {
	CUT_POWER,       /* at the point */
	CUT_KILL,        /* the process dies there; the machine after it was put in order */
	CUT_TWICE,       /* power fails again while recovering */
	CUT_NEVER_SYNCS, /* as the first, on a lying disk */
	CUT_KINDS
};

/* Under tools that slow everything down every seventh point must do. */
static uint64_t
stride(void)
{
	return getenv("CK_TIMEOUT_MULTIPLIER") != NULL ? 7 : 1;
}

/* How many points the work has when nothing happens. */
static uint64_t
count_points(void)
{
	uint64_t points;
	struct run r;

	run_init(&r, 1);
	node_up(&r);
	ck_assert(live(&r, work_task));
	ck_assert_uint_eq(r.failures, 0);
	ck_assert(live(&r, check_task));
	ck_assert_str_eq(r.model.wrong, "");
	points = sim_disk_points(r.disk);
	run_fini(&r);
	return points;
}

/* Opens after a cut; a store that cannot be opened is a loss. */
static void
life_after(struct run *r, int (*fn)(void *arg))
{
	node_up(r);
	if (!live(r, fn))
		wrong(&r->model, "the store cannot be opened after a cut");
	node_down(r);
}

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
			drop(r, w, i, 0);
			drop(r, w, i, 1);
		}
	}
	task_group_init(&group, r->env);
	must(task_spawn(&group, "compactor", compactor_main, r) == ERR_OK);
	for (size_t i = 0; i < CHUNKS; i++) {
		put(r, WRITERS - 1, i, 1);
		drop(r, WRITERS - 1, i, 0);
		renew(r, WRITERS - 1);
		set_value(r, i % WRITERS);
		set_siblings(r, i % WRITERS);
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

static uint64_t
cut_compaction_everywhere(bool kill)
{
	uint64_t broken = 0, first, last;
	struct run r;

	run_init(&r, 1);
	cut_compaction(&r, false, 0, &first);
	ck_assert_str_eq(r.model.wrong, "");
	ck_assert_uint_gt(r.gained, 0);
	run_fini(&r);
	run_init(&r, 1);
	node_up(&r);
	live(&r, work_task);
	live(&r, compact_task);
	last = sim_disk_points(r.disk);
	node_down(&r);
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

/* ---- faults ---- */

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
	check_all(r);
	check_writable(r);
	check_all(r);
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
	Suite *s = suite_create("storage/power_loss");

	must(crypto_init() == ERR_OK);
	suite_add(s, "cuts", 120, power_fails_at_every_point, process_dies_then_power_fails,
	    power_fails_again_in_recovery, lying_disk_is_noticed, NULL);
	suite_add(s, "compaction", 120, power_fails_while_compacting, process_dies_while_compacting,
	    NULL);
	suite_add(s, "faults", 120, every_operation_fails_once,
	    every_operation_fails_for_want_of_space, disk_fails_for_a_while, NULL);
	return suite_main(s);
}
