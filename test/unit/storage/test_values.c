/*
 * Values of a store against a table: random changes, alone and many at once, among leases that
 * bring the index up to date; read and walked; found again after a close, after a kill, and without
 * the index. And what the store saves by not telling its index each time.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "overlay/base/env_real.h"
#include "storage/store_values.h"
#include "storage/store_walk.h"
#include "storage/young.h"
#include "test/unit/storage/store_fixture.h"
#include "test/unit/suite.h"

#define KEYS    40
#define SPACES  2
#define AT_ONCE 12
#define STEPS   120

static const enum store_space spaces[SPACES] = { STORE_REGISTER, STORE_NODE };

/* What is promised. Shared with the child that is killed. */
struct model {
	struct {
		uint32_t len; /* 0: none */
		uint8_t bytes[STORE_VALUE_MAX];
	} at[SPACES][KEYS];
	uint64_t seed;
};

struct ctx {
	struct env *env;
	struct store_opts opts;
	struct store *store;
	struct model *m;
	struct fx_chunk chunk;
	uint64_t generation;
	bool closes;
	char dir[64];
};

static struct hash
key_at(size_t i)
{
	struct hash h = { { 0 } };

	/* In order, and many of them in one slot. */
	h.b[0] = (uint8_t)(i / 8);
	h.b[31] = (uint8_t)(i + 1);
	return h;
}

static void
ctx_init(struct ctx *c)
{
	memset(c, 0, sizeof(*c));
	strcpy(c->dir, "/tmp/skerry-values-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(c->dir));
	ck_assert_int_eq(crypto_init(), ERR_OK);
	c->m = mmap(NULL, sizeof(*c->m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(c->m != MAP_FAILED);
	c->m->seed = 1;
	c->opts = (struct store_opts){ .dir = c->dir,
		.net = fx_net,
		.capacity_bytes = GIB(1),
		.segment_bytes = MIB(2),
		.reserve_bytes = MIB(1) };
	fx_chunk_init(&c->chunk, 1, 2, 3, 1000);
}

static void
ctx_fini(struct ctx *c)
{
	ck_assert_int_eq(fx_remove_store(c->dir), 0);
	fx_chunk_fini(&c->chunk);
	munmap(c->m, sizeof(*c->m));
}

/* ---- changes ---- */

static size_t
length_of(uint64_t random)
{
	if (random % 4 == 0)
		return 0;
	return random % 4 == 1 ? STORE_VALUE_MAX : 1 + random / 4 % 300;
}

static void
change(struct ctx *c)
{
	static uint8_t bytes[AT_ONCE][STORE_VALUE_MAX];
	uint64_t random = fx_random(&c->m->seed);
	size_t space = random % SPACES, count = 1 + random / SPACES % AT_ONCE;
	struct store_value at[AT_ONCE];
	size_t which[AT_ONCE];

	for (size_t i = 0; i < count; i++) {
		size_t len = length_of(fx_random(&c->m->seed));

		which[i] = fx_random(&c->m->seed) % KEYS; /* the last of one key counts */
		fx_fill(c->m->seed, bytes[i], len);
		at[i] = (struct store_value){ key_at(which[i]), bytes_of(bytes[i], len) };
	}
	if (count == 1)
		ck_assert_int_eq(
		    store_set_value(c->store, spaces[space], &at[0].key, at[0].value), ERR_OK);
	else
		ck_assert_int_eq(store_set_values(c->store, spaces[space], at, count), ERR_OK);
	for (size_t i = 0; i < count; i++) {
		c->m->at[space][which[i]].len = (uint32_t)at[i].value.len;
		memcpy(c->m->at[space][which[i]].bytes, bytes[i], at[i].value.len);
	}
}

/* The index learns of it, and of all before. */
static void
put_lease(struct ctx *c)
{
	struct lease l;

	fx_lease(&l, 7, &c->chunk.id, ++c->generation);
	ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
}

/* ---- looking ---- */

static void
compare_reads(struct ctx *c)
{
	struct buf got;

	buf_init(&got, STORE_VALUE_MAX);
	for (size_t s = 0; s < SPACES; s++) {
		for (size_t i = 0; i < KEYS; i++) {
			struct hash key = key_at(i);
			int err = store_value(c->store, spaces[s], &key, &got);
			uint32_t len = c->m->at[s][i].len;

			ck_assert_int_eq(err, len == 0 ? ERR_NOT_FOUND : ERR_OK);
			if (len == 0)
				continue;
			ck_assert_uint_eq(got.len, len);
			ck_assert_mem_eq(got.data, c->m->at[s][i].bytes, len);
		}
	}
	buf_fini(&got);
}

static void
compare_walks(struct ctx *c)
{
	for (size_t s = 0; s < SPACES; s++) {
		struct hash at = { { 0 } };

		for (size_t i = 0; i < KEYS; i++) {
			struct hash key = key_at(i);

			if (c->m->at[s][i].len == 0)
				continue;
			ck_assert_int_eq(store_next_value(c->store, spaces[s], &at, &at), ERR_OK);
			ck_assert(hash_equal(&at, &key));
			ck_assert(store_name_after(&at));
		}
		ck_assert_int_eq(store_next_value(c->store, spaces[s], &at, &at), ERR_NOT_FOUND);
	}
}

/* ---- stories ---- */

static int
work(void *arg)
{
	struct ctx *c = arg;

	c->opts.env = c->env;
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	compare_reads(c);
	ck_assert_int_eq(fx_put(c->store, &c->chunk, 0, 1, 1), ERR_OK);
	c->generation = fx_generation(c->store, &c->chunk.id, 7);
	for (size_t i = 0; i < STEPS; i++) {
		uint64_t random = fx_random(&c->m->seed) % 16;

		change(c);
		if (random == 0)
			put_lease(c);
		else if (random == 1)
			compare_walks(c);
		else if (random < 5)
			compare_reads(c);
	}
	compare_reads(c);
	if (c->closes)
		store_close(c->store);
	else
		raise(SIGKILL);
	return ERR_OK;
}

static int
look(void *arg)
{
	struct ctx *c = arg;

	c->opts.env = c->env;
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	compare_reads(c);
	compare_walks(c);
	store_close(c->store);
	return ERR_OK;
}

static void
tell(struct ctx *c, int (*story)(void *arg))
{
	ck_assert_int_eq(env_real_new(&(struct env_real_opts){ 0 }, &c->env), ERR_OK);
	ck_assert_int_eq(env_real_run(c->env, story, c), ERR_OK);
	env_real_free(c->env);
}

START_TEST(values_are_those_of_a_table)
{
	struct ctx c;

	ctx_init(&c);
	c.closes = true;
	for (int i = 0; i < 3; i++) {
		tell(&c, work);
		if (i == 1)
			fx_remove_index(c.dir);
		tell(&c, look);
	}
	ctx_fini(&c);
}
END_TEST

START_TEST(values_outlive_a_kill)
{
	struct ctx c;

	ctx_init(&c);
	for (int i = 0; i < 3; i++) {
		pid_t child = fork();
		int status;

		ck_assert_int_ge(child, 0);
		if (child == 0)
			tell(&c, work);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		if (i == 1)
			fx_remove_index(c.dir);
		tell(&c, look);
	}
	ctx_fini(&c);
}
END_TEST

/* ---- what it costs ---- */

static int
count_syncs(void *arg)
{
	struct ctx *c = arg;
	struct store_status before, after;
	struct store_value many[AT_ONCE];
	struct hash key = key_at(1);

	c->opts.env = c->env;
	ck_assert_int_eq(store_open(&c->opts, &c->store), ERR_OK);
	for (size_t i = 0; i < AT_ONCE; i++)
		many[i] = (struct store_value){ key_at(i), bytes_of("some bytes", 10) };
	store_status(c->store, &before);
	ck_assert_int_eq(store_set_values(c->store, STORE_REGISTER, many, AT_ONCE), ERR_OK);
	store_status(c->store, &after);
	ck_assert_uint_eq(after.syncs - before.syncs, 1);
	/* More groups than may be young: the index is told in between, and nobody notices. */
	for (size_t i = 0; i < YOUNG_GROUPS_MAX + 10; i++)
		ck_assert_int_eq(store_set_value(c->store, STORE_REGISTER, &key,
				     bytes_of((const uint8_t *)&i, sizeof(i))),
		    ERR_OK);
	ck_assert_int_eq(store_set_values(c->store, STORE_REGISTER, many, 0), ERR_OK);
	many[3].value.len = STORE_VALUE_MAX + 1;
	ck_assert_int_eq(store_set_values(c->store, STORE_REGISTER, many, AT_ONCE), ERR_TOO_BIG);
	store_close(c->store);
	return ERR_OK;
}

START_TEST(many_take_one_sync)
{
	struct ctx c;

	ctx_init(&c);
	tell(&c, count_syncs);
	ctx_fini(&c);
}
END_TEST

/* ---- the table of young ones by itself ---- */

START_TEST(young_has_limits)
{
	uint8_t bytes[100] = { 1 };
	struct record r = { .kind = RECORD_VALUE, .index = 1, .value = bytes_of(bytes, 100) };
	struct bytes found;
	struct young y;

	young_init(&y);
	ck_assert(!young_find(&y, 1, &r.chunk, &found));
	ck_assert(young_fits(&y, YOUNG_VALUES_MAX, YOUNG_BYTES_MAX));
	ck_assert(!young_fits(&y, YOUNG_VALUES_MAX + 1, 0));
	ck_assert(!young_fits(&y, 1, YOUNG_BYTES_MAX + 1));
	ck_assert_int_eq(young_prepare(&y), ERR_OK);
	for (uint64_t i = 0; i < 3; i++) {
		r.order = i;
		r.value.len = 100 - i;
		young_put(&y, young_value_new(&r));
	}
	ck_assert_uint_eq(y.count, 1);
	ck_assert_uint_eq(y.bytes, 98);
	ck_assert(young_find(&y, 1, &r.chunk, &found));
	ck_assert_uint_eq(found.len, 98);
	ck_assert(!young_find(&y, 2, &r.chunk, &found));
	ck_assert(young_fits(&y, YOUNG_VALUES_MAX - 1, YOUNG_BYTES_MAX - 98));
	ck_assert(!young_fits(&y, YOUNG_VALUES_MAX, 0));
	for (size_t i = 0; i < YOUNG_GROUPS_MAX; i++) {
		ck_assert(young_fits(&y, 1, 1));
		young_add_group(&y, (struct place){ 1, i }, 1);
	}
	ck_assert(!young_fits(&y, 1, 1));
	young_clear(&y);
	ck_assert(!young_find(&y, 1, &r.chunk, &found));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/values");

	suite_add(s, "store", 60, values_are_those_of_a_table, values_outlive_a_kill,
	    many_take_one_sync, NULL);
	suite_add(s, "young", 0, young_has_limits, NULL);
	return suite_main(s);
}
