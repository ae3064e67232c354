/*
 * The store on the real environment and a real directory, with both indexes: putting, reading,
 * drops, refusals. Leases: test_store_leases.c.
 */
#include "overlay/base/buf.h"
#include "storage/store_compact.h"
#include "test/unit/storage/store_story.h"

/* ---- stories ---- */

static int
put_and_read(void *arg)
{
	static const uint64_t sizes[] = { 1, 64, 4096, 4097, 65536, 65536 * 2, 200000, 1000003,
		3 * 65536 * 4 };
	struct ctx *c = arg;
	struct store_status st;

	open_store(c);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct descriptor *d = calloc(1, sizeof(*d));
		struct hash leaves[LEAVES_MAX];
		struct fx_chunk chunk;
		uint8_t indices[8];
		uint32_t leaves_count;
		size_t count;

		fx_chunk_init(&chunk, i, 2, 3, sizes[i]);
		ck_assert_int_eq(fx_put(c->store, &chunk, 1, 1, 1 + (uint32_t)i % 3), ERR_OK);
		ck_assert_int_eq(fx_put(c->store, &chunk, 2, 1, 16), ERR_OK);
		ck_assert_int_eq(fx_check(c->store, &chunk, 1), ERR_OK);
		ck_assert_int_eq(fx_check(c->store, &chunk, 2), ERR_OK);
		ck_assert_int_eq(fx_check(c->store, &chunk, 0), ERR_NOT_FOUND);
		ck_assert_int_eq(store_verify(c->store, &chunk.id, 2), ERR_OK);
		ck_assert_int_eq(store_find(c->store, &chunk.id, indices, 8, &count), ERR_OK);
		ck_assert_uint_eq(count, 2);
		ck_assert_uint_eq(indices[0] + indices[1], 3);
		ck_assert_int_eq(store_descriptor(c->store, &chunk.id, d), ERR_OK);
		ck_assert_mem_eq(d, chunk.descriptor, sizeof(*d));
		ck_assert_int_eq(
		    store_leaf_hashes(c->store, &chunk.id, 1, leaves, &leaves_count), ERR_OK);
		ck_assert_uint_eq(leaves_count, chunk.layout.rows);
		fx_chunk_fini(&chunk);
		free(d);
	}
	store_status(c->store, &st);
	ck_assert_uint_eq(st.shards, 2 * ARRAY_LEN(sizes));
	ck_assert_uint_eq(st.chunks, ARRAY_LEN(sizes));
	ck_assert_uint_eq(st.bytes_dead, 0);
	store_close(c->store);
	return ERR_OK;
}

static int
ranges_and_unaligned(void *arg)
{
	struct ctx *c = arg;
	struct fx_chunk chunk;
	struct shard_writer *w;
	struct lease lease;
	uint8_t *dst = aligned_alloc(4096, MIB(1)), *odd = malloc(MIB(1) + 1);
	size_t len;

	open_store(c);
	fx_chunk_init(&chunk, 5, 1, 1, 5 * 65536 + 777);
	memcpy(odd + 1, chunk.shards[0], chunk.layout.shard_bytes);
	ck_assert_int_eq(shard_begin(c->store, &chunk.layout, 0, &w), ERR_OK);
	ck_assert_int_eq(shard_append(w, odd + 1, 2), ERR_OK);
	ck_assert_int_eq(shard_append(w, odd + 1 + 2 * 65536, 4), ERR_OK);
	fx_lease(&lease, 0, &chunk.id, 1);
	ck_assert_int_eq(shard_commit(w, chunk.descriptor, &lease), ERR_OK);
	ck_assert_int_eq(fx_check(c->store, &chunk, 0), ERR_OK);
	ck_assert_int_eq(store_read(c->store, &chunk.id, 0, 4, 2, dst, &len), ERR_OK);
	ck_assert_uint_eq(len, 65536 + layout_leaf_bytes(&chunk.layout, 5));
	ck_assert_mem_eq(dst, chunk.shards[0] + 4 * 65536, len);
	ck_assert_int_eq(store_read(c->store, &chunk.id, 0, 5, 2, dst, &len), ERR_INVALID);
	ck_assert_int_eq(store_read(c->store, &chunk.id, 0, 6, 1, dst, &len), ERR_INVALID);
	ck_assert_int_eq(store_read(c->store, &chunk.id, 0, 0, 0, dst, &len), ERR_INVALID);
	fx_chunk_fini(&chunk);
	store_close(c->store);
	free(dst);
	free(odd);
	return ERR_OK;
}

static int
wrong_commits_are_refused(void *arg)
{
	struct ctx *c = arg;
	struct store_status st;
	struct fx_chunk a, b;
	struct shard_writer *w;
	struct lease lease;

	open_store(c);
	fx_chunk_init(&a, 1, 2, 3, 100000);
	fx_chunk_init(&b, 2, 2, 3, 100000);
	/* the leaves of another shard */
	ck_assert_int_eq(shard_begin(c->store, &a.layout, 0, &w), ERR_OK);
	ck_assert_int_eq(shard_append(w, a.shards[1], 1), ERR_OK);
	fx_lease(&lease, 0, &a.id, 1);
	ck_assert_int_eq(shard_commit(w, a.descriptor, &lease), ERR_CORRUPT);
	/* the lease of another chunk */
	ck_assert_int_eq(shard_begin(c->store, &a.layout, 0, &w), ERR_OK);
	ck_assert_int_eq(shard_append(w, a.shards[0], 1), ERR_OK);
	fx_lease(&lease, 0, &b.id, 1);
	ck_assert_int_eq(shard_commit(w, a.descriptor, &lease), ERR_INVALID);
	/* leaves are missing */
	ck_assert_int_eq(shard_begin(c->store, &a.layout, 0, &w), ERR_OK);
	fx_lease(&lease, 0, &a.id, 1);
	ck_assert_int_eq(shard_commit(w, a.descriptor, &lease), ERR_INVALID);
	/* given up */
	ck_assert_int_eq(shard_begin(c->store, &a.layout, 0, &w), ERR_OK);
	shard_abort(w);
	shard_abort(NULL);
	ck_assert_int_eq(fx_check(c->store, &a, 0), ERR_NOT_FOUND);
	store_status(c->store, &st);
	ck_assert_uint_eq(st.shards, 0);
	ck_assert_uint_eq(st.writers, 0);
	ck_assert_uint_gt(st.bytes_dead, 0);
	fx_chunk_fini(&a);
	fx_chunk_fini(&b);
	store_close(c->store);
	return ERR_OK;
}

static int
same_shard_twice(void *arg)
{
	struct ctx *c = arg;
	struct store_status st;
	struct fx_chunk a;

	open_store(c);
	fx_chunk_init(&a, 1, 2, 3, 100000);
	ck_assert_int_eq(fx_put(c->store, &a, 0, 3, 1), ERR_OK);
	ck_assert_int_eq(fx_put(c->store, &a, 0, 3, 1), ERR_OK);
	ck_assert_int_eq(fx_put(c->store, &a, 0, 5, 1), ERR_OK);
	ck_assert_uint_eq(fx_generation(c->store, &a.id, 0), 5);
	ck_assert_int_eq(fx_put(c->store, &a, 0, 4, 1), ERR_STALE);
	store_status(c->store, &st);
	ck_assert_uint_eq(st.shards, 1);
	ck_assert_int_eq(store_drop(c->store, &a.id, 0), ERR_OK);
	ck_assert_int_eq(store_drop(c->store, &a.id, 0), ERR_NOT_FOUND);
	ck_assert_int_eq(fx_check(c->store, &a, 0), ERR_NOT_FOUND);
	/* the lease outlives the shard, so an older one stays refused */
	ck_assert_int_eq(fx_put(c->store, &a, 0, 4, 1), ERR_STALE);
	ck_assert_int_eq(fx_put(c->store, &a, 0, 6, 1), ERR_OK);
	ck_assert_int_eq(fx_check(c->store, &a, 0), ERR_OK);
	fx_chunk_fini(&a);
	store_close(c->store);
	return ERR_OK;
}

static int
full_and_too_big(void *arg)
{
	struct ctx *c = arg;
	struct store_status st;
	struct fx_chunk a, big;
	struct shard_writer *w;
	struct lease l;
	uint8_t i = 0;
	int err;

	open_store(c);
	fx_chunk_init(&a, 1, 1, 40, 300000);
	fx_chunk_init(&big, 1, 1, 1, MIB(4));
	ck_assert_int_eq(shard_begin(c->store, &big.layout, 0, &w), ERR_TOO_BIG);
	while ((err = fx_put(c->store, &a, i, 1, 16)) == ERR_OK)
		i++;
	ck_assert_int_eq(err, ERR_FULL);
	ck_assert_uint_gt(i, 10);
	/* small records still go through, and what is there can be read */
	fx_lease(&l, 1, &a.id, 1);
	ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
	for (uint8_t j = 0; j < i; j++)
		ck_assert_int_eq(fx_check(c->store, &a, j), ERR_OK);
	store_status(c->store, &st);
	ck_assert_uint_le(st.bytes_used, st.capacity);
	ck_assert_uint_eq(st.shards, i);
	fx_chunk_fini(&a);
	fx_chunk_fini(&big);
	store_close(c->store);
	return ERR_OK;
}

static int
one_process_one_directory(void *arg)
{
	struct ctx *c = arg;
	struct store *second;
	struct store_opts other = c->opts;

	open_store(c);
	ck_assert_int_eq(store_open(&c->opts, &second), ERR_BUSY);
	other.read_only = true;
	ck_assert_int_eq(store_open(&other, &second), ERR_BUSY);
	store_close(c->store);
	open_store(c);
	store_close(c->store);
	return ERR_OK;
}

/* ---- many at once ---- */

struct put_task {
	struct ctx *c;
	struct fx_chunk *chunk;
	uint8_t index;
	int result;
};

static int
put_one(void *arg)
{
	struct put_task *t = arg;

	t->result = fx_put(t->c->store, t->chunk, t->index, 1, 2);
	return ERR_OK;
}

static int
writers_at_once(void *arg)
{
	struct ctx *c = arg;
	struct put_task tasks[48];
	struct fx_chunk chunks[8];
	struct task_group group;
	struct store_status st;

	open_store(c);
	task_group_init(&group, c->env);
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++)
		fx_chunk_init(&chunks[i], i, 2, 3, 50000 + 60000 * i);
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++) {
		/* every shard twice: the copies of one race */
		tasks[i] = (struct put_task){
			.c = c, .chunk = &chunks[i % 8], .index = (uint8_t)(i / 8 % 3)
		};
		ck_assert_int_eq(task_spawn(&group, "put", put_one, &tasks[i]), ERR_OK);
	}
	ck_assert_int_eq(task_group_wait(&group, 0), ERR_OK);
	task_group_fini(&group);
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++) {
		ck_assert_int_eq(tasks[i].result, ERR_OK);
		ck_assert_int_eq(fx_check(c->store, tasks[i].chunk, tasks[i].index), ERR_OK);
	}
	store_status(c->store, &st);
	ck_assert_uint_eq(st.shards, 24);
	ck_assert_uint_eq(st.chunks, 8);
	ck_assert_uint_eq(st.writers, 0);
	for (size_t i = 0; i < ARRAY_LEN(chunks); i++)
		fx_chunk_fini(&chunks[i]);
	store_close(c->store);
	return ERR_OK;
}

/* What is dropped comes back as space; what is kept, and what is known to be gone, stays so. */
static int
space_comes_back(void *arg)
{
	enum { CHUNKS = 12 };
	struct ctx *c = arg;
	struct fx_chunk chunks[CHUNKS];
	struct store_status before, after;
	uint64_t gained = 1, sum = 0;

	open_store(c);
	for (size_t i = 0; i < CHUNKS; i++) {
		fx_chunk_init(&chunks[i], i, 2, 3, 1500000);
		ck_assert_int_eq(fx_put(c->store, &chunks[i], 1, 1, 16), ERR_OK);
	}
	for (size_t i = 0; i < CHUNKS; i++) {
		if (i % 4 != 0)
			ck_assert_int_eq(store_drop(c->store, &chunks[i].id, 1), ERR_OK);
	}
	store_status(c->store, &before);
	while (gained > 0) {
		ck_assert_int_eq(store_compact(c->store, &gained), ERR_OK);
		sum += gained;
	}
	store_status(c->store, &after);
	ck_assert_uint_gt(sum, 0);
	ck_assert_uint_lt(after.bytes_used, before.bytes_used - sum / 2);
	ck_assert_uint_lt(after.bytes_dead, before.bytes_dead);
	/* Once as it is, once opened again. */
	for (int again = 0; again < 2; again++) {
		for (size_t i = 0; i < CHUNKS; i++) {
			ck_assert_int_eq(
			    fx_check(c->store, &chunks[i], 1), i % 4 == 0 ? ERR_OK : ERR_NOT_FOUND);
			ck_assert_uint_eq(fx_generation(c->store, &chunks[i].id, 0), 1);
		}
		store_status(c->store, &after);
		ck_assert_uint_eq(after.shards, CHUNKS / 4);
		store_close(c->store);
		if (again == 0)
			open_store(c);
	}
	for (size_t i = 0; i < CHUNKS; i++)
		fx_chunk_fini(&chunks[i]);
	return ERR_OK;
}

/* A mark is known as long as there is something that it holds off, and no longer. */
static int
marks_are_forgotten_in_time(void *arg)
{
	const uint64_t late = 3000000000;
	struct ctx *c = arg;
	struct store_swept swept;
	struct fx_chunk chunk, other;
	uint64_t gained = 1;

	c->opts.segment_bytes = MIB(1);
	open_store(c);
	fx_chunk_init(&chunk, 1, 1, 1, 700000);
	fx_chunk_init(&other, 2, 1, 1, 700000);
	ck_assert_int_eq(fx_put(c->store, &chunk, 0, 1, 1), ERR_OK);
	ck_assert_int_eq(fx_put(c->store, &other, 0, 1, 1), ERR_OK);
	ck_assert_int_eq(store_drop(c->store, &chunk.id, 0), ERR_OK);
	/* Its lease is not over; its extent is there. */
	ck_assert_int_eq(store_sweep(c->store, 1, &swept), ERR_OK);
	ck_assert_uint_eq(swept.gone, 0);
	ck_assert_uint_eq(swept.bare, 1);
	/* The lease is; a chunk that is here keeps its own, or it would look as if nobody had
	 * asked. */
	ck_assert_int_eq(store_sweep(c->store, late, &swept), ERR_OK);
	ck_assert_uint_eq(swept.gone, 1);
	ck_assert_uint_eq(fx_generation(c->store, &chunk.id, 0), 0);
	ck_assert_uint_eq(fx_generation(c->store, &other.id, 0), 1);
	while (gained > 0)
		ck_assert_int_eq(store_compact(c->store, &gained), ERR_OK);
	ck_assert_int_eq(store_sweep(c->store, late, &swept), ERR_OK);
	ck_assert_uint_eq(swept.gone, 1);
	/* It may come again as if it had never been here. */
	ck_assert_int_eq(fx_put(c->store, &chunk, 0, 1, 1), ERR_OK);
	ck_assert_int_eq(fx_check(c->store, &chunk, 0), ERR_OK);
	fx_chunk_fini(&chunk);
	fx_chunk_fini(&other);
	store_close(c->store);
	return ERR_OK;
}

/* A day's puts and deletions for a year: what is known is what the last months brought, not more.
 */
static int
a_year_of_puts_and_deletions(void *arg)
{
	enum { DAYS = 365, KEPT = 5, TERM = 10, GAP = 7 };
	const uint64_t day_s = 86400, begin = 1800000000;
	struct ctx *c = arg;
	struct fx_chunk chunk, still[KEPT];
	struct store_swept swept = { 0 };
	struct store_status s;
	uint64_t most = 0;
	struct lease l;

	c->opts.segment_bytes = MIB(1);
	open_store(c);
	for (uint64_t day = 0; day < DAYS; day++) {
		uint64_t now = begin + day * day_s, gained = 1;

		fx_chunk_init(&chunk, day, 1, 1, 60000);
		ck_assert_int_eq(fx_put_until(c->store, &chunk, 0, 1, 1, now + 2 * day_s), ERR_OK);
		fx_lease_until(&l, 0, &chunk.id, 2, now + TERM * day_s);
		ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
		ck_assert_int_eq(
		    store_set_siblings(c->store, &chunk.id, 1, bytes_of("x", 1)), ERR_OK);
		fx_chunk_fini(&chunk);
		if (day >= KEPT) {
			fx_chunk_init(&chunk, day - KEPT, 1, 1, 60000);
			fx_lease_until(&l, 0, &chunk.id, 3, 0);
			ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
			ck_assert_int_eq(store_drop(c->store, &chunk.id, 0), ERR_OK);
			fx_chunk_fini(&chunk);
		}
		while (day % GAP == 0 && gained > 0)
			ck_assert_int_eq(store_compact(c->store, &gained), ERR_OK);
		ck_assert_int_eq(store_sweep(c->store, now, &swept), ERR_OK);
		if (day > 60)
			most = MAX(most, swept.seen - swept.gone);
		/* Not before its time: a sibling that was away may still bring the old lease. */
		if (day == 60) {
			fx_chunk_init(&chunk, day - TERM - 25, 1, 1, 60000);
			ck_assert_uint_eq(fx_generation(c->store, &chunk.id, 0), 3);
			fx_chunk_fini(&chunk);
		}
	}
	store_status(c->store, &s);
	ck_assert_uint_eq(s.shards, KEPT);
	/* Ten days of promise and thirty of courtesy, three entries a day at most; and the segments
	 * that hold what is alive, and a few that wait for their turn. */
	ck_assert_uint_le(most, 3 * (TERM + 30 + 3 * GAP));
	ck_assert_uint_le(s.bytes_used, MIB(6));
	/* Built anew from the segments it knows the same, and nothing is back. */
	store_close(c->store);
	fx_remove_index(c->dir);
	open_store(c);
	store_status(c->store, &s);
	ck_assert_uint_eq(s.shards, KEPT);
	for (size_t i = 0; i < KEPT; i++) {
		fx_chunk_init(&still[i], DAYS - 1 - i, 1, 1, 60000);
		ck_assert_int_eq(fx_check(c->store, &still[i], 0), ERR_OK);
		fx_chunk_fini(&still[i]);
	}
	fx_chunk_init(&chunk, DAYS - 1 - KEPT, 1, 1, 60000);
	ck_assert_int_eq(fx_check(c->store, &chunk, 0), ERR_NOT_FOUND);
	ck_assert_uint_eq(fx_generation(c->store, &chunk.id, 0), 3);
	fx_chunk_fini(&chunk);
	store_close(c->store);
	return ERR_OK;
}

STORY(put_and_read, GIB(1))
STORY(ranges_and_unaligned, GIB(1))
STORY(wrong_commits_are_refused, GIB(1))
STORY(same_shard_twice, GIB(1))
STORY(full_and_too_big, MIB(6))
STORY(one_process_one_directory, GIB(1))
STORY(writers_at_once, GIB(1))
STORY(space_comes_back, GIB(1))
STORY(marks_are_forgotten_in_time, GIB(1))
STORY(a_year_of_puts_and_deletions, GIB(1))

int
main(void)
{
	Suite *s = suite_create("storage/store");

	suite_add(s, "lmdb", 120, put_and_read_with_lmdb, ranges_and_unaligned_with_lmdb,
	    wrong_commits_are_refused_with_lmdb, same_shard_twice_with_lmdb,
	    full_and_too_big_with_lmdb, one_process_one_directory_with_lmdb,
	    writers_at_once_with_lmdb, space_comes_back_with_lmdb,
	    marks_are_forgotten_in_time_with_lmdb, a_year_of_puts_and_deletions_with_lmdb, NULL);
	suite_add(s, "memory", 120, put_and_read_in_memory, ranges_and_unaligned_in_memory,
	    wrong_commits_are_refused_in_memory, same_shard_twice_in_memory,
	    full_and_too_big_in_memory, one_process_one_directory_in_memory,
	    writers_at_once_in_memory, space_comes_back_in_memory,
	    marks_are_forgotten_in_time_in_memory, a_year_of_puts_and_deletions_in_memory, NULL);
	return suite_main(s);
}
