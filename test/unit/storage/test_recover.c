/*
 * Starting a store again, on real files with LMDB: after kill -9, without its index, with damaged
 * and foreign files; the offline check finds what was flipped.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "overlay/base/env_real.h"
#include "storage/catalog.h"
#include "storage/store.h"
#include "storage/store_check.h"
#include "storage/store_values.h"
#include "test/unit/storage/store_fixture.h"
#include "test/unit/suite.h"

struct ctx {
	struct env *env;
	struct log *log;
	struct store_opts opts;
	struct store *store;
	int (*story)(struct ctx *c);
	char dir[64];
	char logged[4096];
};

static void
keep_line(void *arg, enum log_level level, const char *line)
{
	struct ctx *c = arg;
	size_t len = strlen(c->logged);

	(void)level;
	snprintf(c->logged + len, sizeof(c->logged) - len, "%s\n", line);
}

static void
ctx_init(struct ctx *c)
{
	struct log_opts log = { .level = LOG_INFO, .write = keep_line, .arg = c };

	memset(c, 0, sizeof(*c));
	strcpy(c->dir, "/tmp/skerry-recover-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(c->dir));
	c->log = log_new(&log);
	c->opts = (struct store_opts){ .dir = c->dir,
		.net = fx_net,
		.capacity_bytes = GIB(1),
		.segment_bytes = MIB(2),
		.reserve_bytes = MIB(1) };
}

static void
ctx_fini(struct ctx *c)
{
	ck_assert_int_eq(fx_remove_store(c->dir), 0);
	log_free(c->log);
}

static int
run_story(void *arg)
{
	struct ctx *c = arg;

	return c->story(c);
}

/* Runs a story as a task of an environment of its own. */
static int
tell(struct ctx *c, int (*story)(struct ctx *c))
{
	struct env_real_opts opts = { .log = c->log };
	int err;

	c->story = story;
	ck_assert_int_eq(env_real_new(&opts, &c->env), ERR_OK);
	c->opts.env = c->env;
	err = env_real_run(c->env, run_story, c);
	env_real_free(c->env);
	return err;
}

static int
open_only(struct ctx *c)
{
	int err = store_open(&c->opts, &c->store);

	if (err == ERR_OK)
		store_close(c->store);
	return err;
}

static void
flip(const char *dir, const char *name, uint64_t offset, unsigned bit)
{
	char path[200];
	uint8_t byte;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, &byte, 1, (off_t)offset), 1);
	byte ^= (uint8_t)(1u << bit);
	ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)offset), 1);
	close(fd);
}

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

struct dump {
	struct hash entries;
	struct catalog_meta meta;
	size_t count;
};

static int
dump_txn(void *arg, struct index_txn *txn)
{
	struct dump *d = arg;
	struct sha256 *h = sha256_new();
	struct bytes key, value;
	uint8_t from[INDEX_KEY_MAX] = { 0 };
	size_t len = 1;

	while (index_seek(txn, bytes_of(from, len), &key, &value) == ERR_OK) {
		if (key.data[0] != 'M') {
			sha256_update(h, key.data, key.len);
			sha256_update(h, value.data, value.len);
			d->count++;
		}
		memcpy(from, key.data, key.len);
		from[key.len] = 0;
		len = key.len + 1;
	}
	sha256_final(h, &d->entries);
	sha256_free(h);
	return catalog_meta(txn, &d->meta);
}

static struct dump
dump_index(const struct ctx *c)
{
	char path[100];
	struct index_lmdb_opts opts = { .disk = disk_real(), .dir = path, .read_only = true };
	struct dump d = { .count = 0 };
	struct index *ix;

	snprintf(path, sizeof(path), "%s/index", c->dir);
	ck_assert_int_eq(index_lmdb_open(&opts, &ix), ERR_OK);
	ck_assert_int_eq(index_read(ix, dump_txn, &d), ERR_OK);
	index_close(ix);
	return d;
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

static struct store_check_result checked;
static size_t findings;

static void
count_finding(void *arg, const char *line)
{
	(void)arg;
	(void)line;
	findings++;
}

static int
check_story(struct ctx *c)
{
	findings = 0;
	return store_check(&c->opts, count_finding, NULL, NULL, &checked);
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

START_TEST(thousand_shards_start_in_a_second)
{
	struct ctx c;

	ctx_init(&c);
	c.opts.segment_bytes = MIB(32);
	for (size_t i = 0; i < 4; i++)
		fx_chunk_init(&wide[i], i, 1, 250, 3000);
	ck_assert_int_eq(tell(&c, put_thousand), ERR_OK);
	ck_assert_int_eq(tell(&c, timed_open), ERR_OK);
	fx_remove_index(c.dir);
	ck_assert_int_eq(tell(&c, timed_open), ERR_OK);
	for (size_t i = 0; i < 4; i++)
		fx_chunk_fini(&wide[i]);
	ctx_fini(&c);
}
END_TEST

/* ---- rot ---- */

#define FIRST_SEGMENT "segment-0000000000000001"

static struct fx_chunk three[3];
/* Of a shard of 70,000 bytes: header, leaves, trailer. */
static const uint64_t extent_bytes = 4096 + 73728 + 4096;

static int
put_three(struct ctx *c)
{
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(fx_put(c->store, &three[i], 0, 1, 1), ERR_OK);
	store_close(c->store);
	return ERR_OK;
}

/* Which of the three are whole when everything is read. */
static unsigned whole;

static int
verify_three(struct ctx *c)
{
	whole = 0;
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	for (size_t i = 0; i < 3; i++) {
		int err = store_verify(c->store, &three[i].id, 0);

		if (err == ERR_OK)
			whole |= 1u << i;
		else
			ck_assert(err == ERR_CORRUPT || err == ERR_NOT_FOUND);
	}
	store_close(c->store);
	return ERR_OK;
}

static void
three_init(struct ctx *c)
{
	ctx_init(c);
	for (size_t i = 0; i < 3; i++)
		fx_chunk_init(&three[i], i, 1, 1, 70000);
	ck_assert_int_eq(tell(c, put_three), ERR_OK);
}

static void
three_fini(struct ctx *c)
{
	for (size_t i = 0; i < 3; i++)
		fx_chunk_fini(&three[i]);
	ctx_fini(c);
}

START_TEST(flipped_bits_are_found)
{
	/* in the second shard: header, leaves of both rows, trailer (magic, leaf hash, CRC) */
	static const uint64_t offsets[] = { 0, 40, 75, 4096, 4096 + 65535, 4096 + 65536,
		4096 + 69999, 4096 + 73728, 4096 + 73728 + 200 };

	for (size_t i = 0; i < ARRAY_LEN(offsets); i++) {
		uint64_t at = 8192 + extent_bytes + offsets[i];
		struct ctx c;

		three_init(&c);
		flip(c.dir, FIRST_SEGMENT, at, (unsigned)i % 8);
		ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
		ck_assert_uint_eq(whole, 5);
		ck_assert_int_eq(tell(&c, check_story), ERR_OK);
		ck_assert_uint_gt(findings, 0);
		ck_assert_uint_gt(checked.bad_shards + checked.index_stray, 0);
		ck_assert_uint_eq(checked.shards, 2);
		/* without the index the others are found all the same */
		fx_remove_index(c.dir);
		ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
		ck_assert_uint_eq(whole, 5);
		/* back again: whole */
		flip(c.dir, FIRST_SEGMENT, at, (unsigned)i % 8);
		fx_remove_index(c.dir);
		ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
		ck_assert_uint_eq(whole, 7);
		three_fini(&c);
	}
}
END_TEST

START_TEST(segment_header_is_there_twice)
{
	struct ctx c;

	three_init(&c);
	flip(c.dir, FIRST_SEGMENT, 20, 1);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 7);
	flip(c.dir, FIRST_SEGMENT, 4096 + 20, 1);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 0);
	ck_assert_ptr_nonnull(strstr(c.logged, "1 segments without a header"));
	/* nothing was removed, so a repaired header brings all back */
	flip(c.dir, FIRST_SEGMENT, 20, 1);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 7);
	three_fini(&c);
}
END_TEST

START_TEST(missing_segment_is_told)
{
	char path[200];
	struct ctx c;

	three_init(&c);
	snprintf(path, sizeof(path), "%s/%s", c.dir, FIRST_SEGMENT);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 0);
	ck_assert_ptr_nonnull(strstr(c.logged, "3 in missing segments"));
	ck_assert_int_eq(tell(&c, put_three), ERR_OK);
	three_fini(&c);
}
END_TEST

/* A writer stays open, so the index's position lies before the shard that rots. */
static int
rot_behind_a_writer(struct ctx *c)
{
	struct shard_writer *w;

	if (store_open(&c->opts, &c->store) != ERR_OK ||
	    shard_begin(c->store, &three[2].layout, 0, &w) != ERR_OK ||
	    fx_put(c->store, &three[0], 0, 1, 1) != ERR_OK ||
	    fx_put(c->store, &three[1], 0, 1, 1) != ERR_OK)
		return ERR_IO;
	kill(getpid(), SIGKILL);
	return ERR_IO;
}

static int
rot_is_counted(struct ctx *c)
{
	struct store_status st;

	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	store_status(c->store, &st);
	ck_assert_uint_eq(st.rot, 1);
	ck_assert_int_eq(fx_check(c->store, &three[1], 0), ERR_OK);
	ck_assert_int_eq(store_verify(c->store, &three[0].id, 0), ERR_CORRUPT);
	store_close(c->store);
	return ERR_OK;
}

START_TEST(dead_extent_of_the_index_is_rot)
{
	struct ctx c;
	int status;
	pid_t child;

	ctx_init(&c);
	for (size_t i = 0; i < 3; i++)
		fx_chunk_init(&three[i], i, 1, 1, 70000);
	child = fork();
	if (child == 0)
		_exit(tell(&c, rot_behind_a_writer) == ERR_OK ? 1 : 2);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
	flip(c.dir, FIRST_SEGMENT, 8192 + extent_bytes + 4096 + 73728 + 50, 3);
	ck_assert_int_eq(tell(&c, rot_is_counted), ERR_OK);
	three_fini(&c);
}
END_TEST

/* ---- foreign and unfinished files ---- */

START_TEST(newer_store_is_refused)
{
	struct ctx c;

	three_init(&c);
	flip(c.dir, FIRST_SEGMENT, 9, 3); /* its version, 2, becomes 10 */
	flip(c.dir, FIRST_SEGMENT, 4096 + 9, 3);
	ck_assert_int_eq(tell(&c, open_only), ERR_VERSION);
	ck_assert_ptr_nonnull(strstr(c.logged, "version 10"));
	ck_assert_ptr_nonnull(strstr(c.logged, "knows 2"));
	three_fini(&c);
}
END_TEST

START_TEST(other_network_is_refused)
{
	struct ctx c;

	three_init(&c);
	c.opts.net.b[0] ^= 1;
	ck_assert_int_eq(tell(&c, open_only), ERR_WRONG_NETWORK);
	c.opts.net.b[0] ^= 1;
	ck_assert_int_eq(tell(&c, open_only), ERR_OK);
	three_fini(&c);
}
END_TEST

START_TEST(unfinished_segment_goes)
{
	char path[200];
	struct ctx c;
	FILE *f;

	three_init(&c);
	snprintf(path, sizeof(path), "%s/segment-0000000000000002", c.dir);
	f = fopen(path, "w");
	fclose(f);
	ck_assert_int_eq(truncate(path, 100000), 0);
	ck_assert_int_eq(tell(&c, verify_three), ERR_OK);
	ck_assert_uint_eq(whole, 7);
	ck_assert_int_ne(access(path, F_OK), 0);
	three_fini(&c);
}
END_TEST

static int
read_only_story(struct ctx *c)
{
	struct store_opts opts = c->opts;

	opts.read_only = true;
	ck_assert_int_eq(store_open(&opts, &c->store), ERR_OK);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(store_verify(c->store, &three[i].id, 0), ERR_OK);
	store_close(c->store);
	return ERR_OK;
}

START_TEST(read_only_changes_nothing)
{
	struct dump before, after;
	char path[200];
	struct stat a, b;
	struct ctx c;

	three_init(&c);
	snprintf(path, sizeof(path), "%s/%s", c.dir, FIRST_SEGMENT);
	before = dump_index(&c);
	ck_assert_int_eq(stat(path, &a), 0);
	ck_assert_int_eq(tell(&c, read_only_story), ERR_OK);
	ck_assert_int_eq(stat(path, &b), 0);
	after = dump_index(&c);
	ck_assert_mem_eq(&before.entries, &after.entries, sizeof(before.entries));
	ck_assert_int_eq(a.st_size, b.st_size);
	ck_assert_int_eq(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	three_fini(&c);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/recover");

	must(crypto_init() == ERR_OK);
	suite_add(s, "index", 30, rebuilt_index_is_the_old_one, damaged_index_is_rebuilt,
	    thousand_shards_start_in_a_second, NULL);
	suite_add(s, "kill", 60, killed_at_random, NULL);
	suite_add(s, "rot", 60, flipped_bits_are_found, segment_header_is_there_twice,
	    missing_segment_is_told, dead_extent_of_the_index_is_rot, NULL);
	suite_add(s, "files", 30, newer_store_is_refused, other_network_is_refused,
	    unfinished_segment_goes, read_only_changes_nothing, NULL);
	return suite_main(s);
}
