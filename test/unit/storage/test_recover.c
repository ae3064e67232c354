/*
 * Starting a store again, on real files with LMDB: after kill -9, without its index, with a damaged
 * one; the offline check agrees.
 */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "storage/store_values.h"
#include "storage/store_walk.h"
#include "test/unit/storage/store_case.h"
#include "test/unit/suite.h"

/* ---- a rebuilt index is the old one ---- */

#define SOME 12

static struct fx_chunk some[SOME];

static int
varied_work(struct ctx *c)
{
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	for (size_t i = 0; i < SOME; i++) {
		struct shard_writer *given_up;
		struct lease l;

		ck_assert_int_eq(fx_put(c->store, &some[i], 0, 1, 3), ERR_OK);
		ck_assert_int_eq(fx_put(c->store, &some[i], 1, 1, 3), ERR_OK);
		ck_assert_int_eq(shard_begin(c->store, &some[i].layout, 2, &given_up), ERR_OK);
		shard_abort(given_up);
		fx_lease(&l, i % 3, &some[i].id, 2 + i);
		ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
		ck_assert_int_eq(
		    store_set_siblings(c->store, &some[i].id, i + 1, bytes_of("siblings", 8)),
		    ERR_OK);
		ck_assert_int_eq(store_set_value(c->store, STORE_QUOTA, &some[i % 4].id,
				     bytes_of(&i, sizeof(i))),
		    ERR_OK);
		if (i % 4 == 3) {
			ck_assert_int_eq(store_drop(c->store, &some[i].id, 0), ERR_OK);
			ck_assert_int_eq(store_drop(c->store, &some[i - 1].id, 0), ERR_OK);
			ck_assert_int_eq(fx_put(c->store, &some[i - 1], 0, 99, 3), ERR_OK);
			ck_assert_int_eq(store_drop(c->store, &some[i - 2].id, 0), ERR_OK);
			ck_assert_int_eq(store_drop(c->store, &some[i - 2].id, 1), ERR_OK);
			ck_assert_int_eq(store_forget(c->store, &some[i - 2].id), ERR_OK);
		}
	}
	store_close(c->store);
	return ERR_OK;
}

/* Reads everything once, so that nothing is unproven. */
static int
prove_all(struct ctx *c)
{
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	for (size_t i = 0; i < SOME; i++) {
		uint8_t indices[4];
		size_t count;

		ck_assert_int_eq(store_find(c->store, &some[i].id, indices, 4, &count), ERR_OK);
		for (size_t j = 0; j < count; j++)
			ck_assert_int_eq(fx_check(c->store, &some[i], indices[j]), ERR_OK);
	}
	store_close(c->store);
	return ERR_OK;
}

static void
make_some(void)
{
	for (size_t i = 0; i < SOME; i++)
		fx_chunk_init(&some[i], i, 2, 3, 1000 + i * 50000);
}

static void
free_some(void)
{
	for (size_t i = 0; i < SOME; i++)
		fx_chunk_fini(&some[i]);
}

START_TEST(rebuilt_index_is_the_old_one)
{
	struct dump before, after;
	struct ctx c;

	ctx_init(&c);
	make_some();
	ck_assert_int_eq(tell(&c, varied_work), ERR_OK);
	ck_assert_int_eq(tell(&c, check_story), ERR_OK);
	ck_assert_uint_eq(findings, 0);
	before = dump_index(&c);
	fx_remove_index(c.dir);
	ck_assert_int_eq(tell(&c, prove_all), ERR_OK);
	ck_assert_ptr_nonnull(strstr(c.logged, "rebuilt"));
	after = dump_index(&c);
	ck_assert_uint_eq(before.count, after.count);
	ck_assert_mem_eq(&before.entries, &after.entries, sizeof(before.entries));
	ck_assert_uint_eq(before.meta.shards, after.meta.shards);
	ck_assert_uint_eq(before.meta.chunks, after.meta.chunks);
	ck_assert_uint_eq(before.meta.shard_bytes, after.meta.shard_bytes);
	ck_assert_uint_eq(before.meta.record_bytes, after.meta.record_bytes);
	ck_assert_mem_eq(&before.meta.store, &after.meta.store, sizeof(before.meta.store));
	ck_assert_uint_gt(after.meta.shards, 10);
	ck_assert_int_eq(tell(&c, check_story), ERR_OK);
	ck_assert_uint_eq(findings, 0);
	ck_assert_uint_eq(checked.shards, after.meta.shards);
	free_some();
	ctx_fini(&c);
}
END_TEST

START_TEST(damaged_index_is_rebuilt)
{
	char path[100];
	struct ctx c;

	ctx_init(&c);
	make_some();
	ck_assert_int_eq(tell(&c, varied_work), ERR_OK);
	snprintf(path, sizeof(path), "%s/index/data.mdb", c.dir);
	ck_assert_int_eq(truncate(path, 5 * 4096), 0);
	ck_assert_int_eq(tell(&c, prove_all), ERR_OK);
	ck_assert_ptr_nonnull(strstr(c.logged, "rebuilt"));
	free_some();
	ctx_fini(&c);
}
END_TEST

/* ---- kill -9 ---- */

#define SMALL 300

static struct fx_chunk small[SMALL];

struct killed_put {
	struct ctx *c;
	size_t from, step;
	int pipe;
};

static int
put_and_tell(void *arg)
{
	struct killed_put *p = arg;

	for (size_t i = p->from; i < SMALL; i += p->step) {
		uint32_t n = (uint32_t)i;

		if (fx_put(p->c->store, &small[i], 1, 1, 4) != ERR_OK)
			return ERR_IO;
		if (write(p->pipe, &n, sizeof(n)) != sizeof(n))
			return ERR_IO;
	}
	return ERR_OK;
}

static int kill_pipe;

static int
put_until_killed(struct ctx *c)
{
	struct killed_put puts[4];
	struct task_group group;

	if (store_open(&c->opts, &c->store) != ERR_OK)
		return ERR_IO;
	task_group_init(&group, c->env);
	for (size_t i = 0; i < ARRAY_LEN(puts); i++) {
		puts[i] = (struct killed_put){ c, i, ARRAY_LEN(puts), kill_pipe };
		must(task_spawn(&group, "put", put_and_tell, &puts[i]) == ERR_OK);
	}
	task_group_wait(&group, 0);
	task_group_fini(&group);
	store_close(c->store);
	return ERR_OK;
}

static bool confirmed[SMALL];

static int
check_confirmed(struct ctx *c)
{
	struct store_status st;

	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	for (size_t i = 0; i < SMALL; i++) {
		int err = fx_check(c->store, &small[i], 1);

		if (confirmed[i])
			ck_assert_int_eq(err, ERR_OK);
		else
			ck_assert(err == ERR_OK || err == ERR_NOT_FOUND);
	}
	store_status(c->store, &st);
	ck_assert_uint_eq(st.rot, 0);
	store_close(c->store);
	return ERR_OK;
}

START_TEST(killed_at_random)
{
	uint64_t state = (uint64_t)getpid();
	size_t total = 0;
	struct ctx c;

	ctx_init(&c);
	for (size_t i = 0; i < SMALL; i++)
		fx_chunk_init(&small[i], i, 1, 2, 500 + i * 400);
	for (size_t round = 0; round < 6; round++) {
		struct timespec nap = { 0, (long)(fx_random(&state) % 40 * 1000000) };
		int fds[2], status;
		uint32_t n;
		pid_t child;

		ck_assert_int_eq(pipe(fds), 0);
		child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0) {
			close(fds[0]);
			kill_pipe = fds[1];
			_exit(tell(&c, put_until_killed) == ERR_OK ? 0 : 1);
		}
		close(fds[1]);
		/* some confirmations, then a moment, then the end */
		for (size_t i = 0; i < 5 && read(fds[0], &n, sizeof(n)) == sizeof(n); i++)
			confirmed[n] = true;
		nanosleep(&nap, NULL);
		kill(child, SIGKILL);
		while (read(fds[0], &n, sizeof(n)) == sizeof(n))
			confirmed[n] = true;
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
		close(fds[0]);
		ck_assert_int_eq(tell(&c, check_confirmed), ERR_OK);
		ck_assert_int_eq(tell(&c, check_story), ERR_OK);
		ck_assert_uint_eq(findings, 0);
	}
	for (size_t i = 0; i < SMALL; i++)
		total += confirmed[i];
	ck_assert_uint_gt(total, 5);
	fx_remove_index(c.dir);
	ck_assert_int_eq(tell(&c, check_confirmed), ERR_OK);
	for (size_t i = 0; i < SMALL; i++)
		fx_chunk_fini(&small[i]);
	ctx_fini(&c);
}
END_TEST

/* ---- a thousand small shards ---- */

#define THOUSAND 1000

struct bulk {
	struct ctx *c;
	struct fx_chunk *chunk;
	uint8_t from;
};

/* Shards of few chunks: signing and hashing are not what is timed. */
static int
put_bulk(void *arg)
{
	struct bulk *b = arg;

	for (unsigned i = b->from; i < 250; i += 10)
		ck_assert_int_eq(fx_put(b->c->store, b->chunk, (uint8_t)i, 1, 1), ERR_OK);
	return ERR_OK;
}

static struct fx_chunk wide[4];

static int
put_thousand(struct ctx *c)
{
	struct bulk bulks[40];
	struct task_group group;

	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	task_group_init(&group, c->env);
	for (size_t i = 0; i < 40; i++) {
		bulks[i] = (struct bulk){ c, &wide[i / 10], (uint8_t)(i % 10) };
		ck_assert_int_eq(task_spawn(&group, "bulk", put_bulk, &bulks[i]), ERR_OK);
	}
	task_group_wait(&group, 0);
	task_group_fini(&group);
	store_close(c->store);
	return ERR_OK;
}

/* Under tools that slow everything down the runner says by how much. */
static double
slowness(void)
{
	const char *text = getenv("CK_TIMEOUT_MULTIPLIER");

	return text != NULL ? atof(text) : 1.0;
}

static int
timed_open(struct ctx *c)
{
	struct timespec from, to;
	struct store_status st;
	double took;

	clock_gettime(CLOCK_MONOTONIC, &from);
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	clock_gettime(CLOCK_MONOTONIC, &to);
	took = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
	store_status(c->store, &st);
	ck_assert_uint_eq(st.shards, THOUSAND);
	ck_assert_uint_eq(st.chunks, 4);
	ck_assert(took < 1.0 * slowness());
	store_close(c->store);
	return ERR_OK;
}

/* Whole chunks of 250 shards each, in order, as many as fit; unproven: as all should say. */
static void
list_all(struct ctx *c, size_t cap, size_t chunks_at_once, bool unproven)
{
	struct shard_name *names = calloc(cap, sizeof(*names)), last = { .index = 0 };
	struct shard_walk walk = { .ended = false };
	size_t count, all = 0;

	ck_assert_ptr_nonnull(names);
	for (;;) {
		ck_assert_int_eq(store_list(c->store, &walk, names, cap, &count), ERR_OK);
		if (count == 0)
			break;
		ck_assert_uint_eq(count, MIN(chunks_at_once * 250, THOUSAND - all));
		for (size_t i = 0; i < count; i++) {
			int order = memcmp(names[i].chunk.b, last.chunk.b, sizeof(last.chunk.b));

			ck_assert(all + i == 0 || order > 0 ||
				  (order == 0 && names[i].index > last.index));
			ck_assert(names[i].unproven == unproven);
			last = names[i];
		}
		all += count;
	}
	ck_assert_uint_eq(all, THOUSAND);
	free(names);
}

static int
list_proven(struct ctx *c)
{
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	list_all(c, SHARDS_MAX, 1, false);
	list_all(c, 600, 2, false);
	list_all(c, 2 * THOUSAND, 4, false);
	store_close(c->store);
	return ERR_OK;
}

static int
list_recovered(struct ctx *c)
{
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	list_all(c, SHARDS_MAX, 1, true);
	store_close(c->store);
	return ERR_OK;
}

/* A thousand are put; then the one story with the index, the other without. */
static void
tell_of_thousand(int (*with)(struct ctx *c), int (*rebuilt)(struct ctx *c))
{
	struct ctx c;

	ctx_init(&c);
	c.opts.segment_bytes = MIB(32);
	for (size_t i = 0; i < 4; i++)
		fx_chunk_init(&wide[i], i, 1, 250, 3000);
	ck_assert_int_eq(tell(&c, put_thousand), ERR_OK);
	ck_assert_int_eq(tell(&c, with), ERR_OK);
	fx_remove_index(c.dir);
	ck_assert_int_eq(tell(&c, rebuilt), ERR_OK);
	for (size_t i = 0; i < 4; i++)
		fx_chunk_fini(&wide[i]);
	ctx_fini(&c);
}

START_TEST(names_are_listed_by_whole_chunks)
{
	tell_of_thousand(list_proven, list_recovered);
}
END_TEST

START_TEST(thousand_shards_start_in_a_second)
{
	tell_of_thousand(timed_open, timed_open);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/recover");

	must(crypto_init() == ERR_OK);
	suite_add(s, "index", 30, rebuilt_index_is_the_old_one, damaged_index_is_rebuilt,
	    thousand_shards_start_in_a_second, names_are_listed_by_whole_chunks, NULL);
	suite_add(s, "kill", 60, killed_at_random, NULL);
	return suite_main(s);
}
