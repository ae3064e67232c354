/* See the header. Contents of chunks follow from seeds (store_fixture.h). */
#include "test/scenario/store_life.h"

#include <stdio.h>

#include "storage/store_values.h"
#include "test/unit/storage/store_fixture.h"
#include "test/unit/suite.h"

#define STORE "store"

static struct fx_chunk chunks[WRITERS][CHUNKS + 1]; /* the last one is for after the recovery */

struct writer {
	struct run *run;
	size_t number;
};

void
make_chunks(void)
{
	static const uint64_t sizes[] = { 300, 9000, 140000, 64, 260000, 40000 };

	for (size_t w = 0; w < WRITERS; w++) {
		for (size_t i = 0; i <= CHUNKS; i++)
			fx_chunk_init(&chunks[w][i], w * 10 + i, 2, 3, sizes[(w + i) % 6]);
	}
}

void
free_chunks(void)
{
	for (size_t w = 0; w < WRITERS; w++) {
		for (size_t i = 0; i <= CHUNKS; i++)
			fx_chunk_fini(&chunks[w][i]);
	}
}

__attribute__((format(printf, 2, 3))) void
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

SUSPENDS void
life_put(struct run *r, size_t w, size_t i, uint8_t index)
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

SUSPENDS void
life_drop(struct run *r, size_t w, size_t i, uint8_t index)
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

SUSPENDS void
life_renew(struct run *r, size_t w)
{
	struct number_model *m = &r->model.leases[w];
	struct lease l;

	fx_lease(&l, 100 + w, &chunks[w][0].id, ++m->asked);
	if (store_lease(r->store, &l) == ERR_OK)
		m->confirmed = l.generation;
	else
		r->failures++;
}

SUSPENDS void
life_set_value(struct run *r, size_t w)
{
	struct number_model *m = &r->model.values[w];
	struct hash key = { { (uint8_t)w } };
	uint64_t v = ++m->asked;

	if (store_set_value(r->store, STORE_REGISTER, &key, bytes_of(&v, sizeof(v))) == ERR_OK)
		m->confirmed = v;
	else
		r->failures++;
}

SUSPENDS void
life_set_siblings(struct run *r, size_t w)
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
		life_put(r, w, i, 0);
		if (i == 0)
			life_put(
			    r, w, i, 1); /* stays, so that leases have something to hold on to */
		life_renew(r, w);
		if (i % 2 == 1) {
			life_put(r, w, i, 1);
			life_drop(r, w, i - 1, 0);
			life_set_siblings(r, w);
		}
		if (i == 3)
			life_put(r, w, 0, 0);
		life_set_value(r, w);
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
			life_put(r, w, i, 0);
		life_renew(r, w);
	}
}

/* ---- lives of the node ---- */

void
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

int
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

int
check_task(void *arg)
{
	check_all(arg);
	return ERR_OK;
}

int
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

bool
live(struct run *r, int (*fn)(void *arg))
{
	int err = sim_run_task(r->world, r->env, open_task, r);

	if (err != ERR_OK)
		return false;
	run_task(r, fn);
	run_task(r, close_task);
	return true;
}

void
node_down(struct run *r)
{
	sim_node_remove(r->env);
	r->env = NULL;
}

void
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

void
run_fini(struct run *r)
{
	if (r->env != NULL)
		node_down(r);
	sim_free(r->world);
	sim_disk_free(r->disk);
}

uint64_t
stride(void)
{
	return getenv("CK_TIMEOUT_MULTIPLIER") != NULL ? 7 : 1;
}

uint64_t
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

void
life_after(struct run *r, int (*fn)(void *arg))
{
	node_up(r);
	if (!live(r, fn))
		wrong(&r->model, "the store cannot be opened after a cut");
	node_down(r);
}
