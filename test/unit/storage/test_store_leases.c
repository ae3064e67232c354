/*
 * What the store keeps of a chunk besides its shards: leases, siblings, values; and drops that go
 * by them.
 */
#include "overlay/base/buf.h"
#include "storage/store_facts.h"
#include "storage/store_values.h"
#include "test/unit/storage/store_story.h"

/* Of the first chunk that has a lease. */
static SUSPENDS int
next_leased(struct store *s)
{
	struct chunk_facts *f = malloc(sizeof(*f));
	int err;

	must(f != NULL);
	err = store_next_leased_facts(s, &(struct hash){ { 0 } }, f);
	free(f);
	return err;
}

static int
leases_siblings_values(void *arg)
{
	struct ctx *c = arg;
	struct fx_chunk a;
	struct lease l;
	struct hash key = { { 9 } }, found;
	struct buf buf;
	uint64_t sequence;
	struct shard_name names[SHARDS_MAX];
	size_t count;

	buf_init(&buf, 20000);
	open_store(c);
	fx_chunk_init(&a, 1, 2, 3, 1000);
	fx_lease(&l, 7, &a.id, 4);
	ck_assert_int_eq(store_lease(c->store, &l), ERR_NOT_FOUND);
	ck_assert_int_eq(store_set_siblings(c->store, &a.id, 1, bytes_of("x", 1)), ERR_NOT_FOUND);
	ck_assert_int_eq(fx_put(c->store, &a, 0, 1, 1), ERR_OK);
	ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
	ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
	fx_lease(&l, 7, &a.id, 3);
	ck_assert_int_eq(store_lease(c->store, &l), ERR_STALE);
	ck_assert_uint_eq(fx_generation(c->store, &a.id, 7), 4);
	ck_assert_uint_eq(fx_generation(c->store, &a.id, 0), 1);

	ck_assert_int_eq(store_siblings(c->store, &a.id, &sequence, &buf), ERR_NOT_FOUND);
	ck_assert_int_eq(store_set_siblings(c->store, &a.id, 5, bytes_of("five", 4)), ERR_OK);
	ck_assert_int_eq(store_set_siblings(c->store, &a.id, 4, bytes_of("four", 4)), ERR_STALE);
	ck_assert_int_eq(store_set_siblings(c->store, &a.id, 5, bytes_of("five", 4)), ERR_OK);
	ck_assert_int_eq(store_set_siblings(c->store, &a.id, 5, bytes_of("FIVE", 4)), ERR_STALE);
	ck_assert_int_eq(store_siblings(c->store, &a.id, &sequence, &buf), ERR_OK);
	ck_assert_uint_eq(sequence, 5);
	ck_assert_str_eq(buf_str(&buf), "five");

	ck_assert_int_eq(
	    store_set_value(c->store, STORE_REGISTER, &key, bytes_of("v1", 2)), ERR_OK);
	ck_assert_int_eq(
	    store_set_value(c->store, STORE_REGISTER, &key, bytes_of("v2", 2)), ERR_OK);
	ck_assert_int_eq(store_value(c->store, STORE_QUOTA, &key, &buf), ERR_NOT_FOUND);

	store_close(c->store);
	open_store(c);
	ck_assert_int_eq(store_siblings(c->store, &a.id, &sequence, &buf), ERR_OK);
	ck_assert_str_eq(buf_str(&buf), "five");
	ck_assert_int_eq(store_value(c->store, STORE_REGISTER, &key, &buf), ERR_OK);
	ck_assert_str_eq(buf_str(&buf), "v2");
	ck_assert_int_eq(
	    store_next_value(c->store, STORE_REGISTER, &(struct hash){ { 0 } }, &found), ERR_OK);
	ck_assert(hash_equal(&found, &key));
	ck_assert_int_eq(
	    store_set_value(c->store, STORE_REGISTER, &key, bytes_of(NULL, 0)), ERR_OK);
	ck_assert_int_eq(store_value(c->store, STORE_REGISTER, &key, &buf), ERR_NOT_FOUND);

	ck_assert_int_eq(store_forget(c->store, &a.id), ERR_STATE);
	ck_assert_int_eq(store_drop(c->store, &a.id, 0), ERR_OK);
	ck_assert_uint_eq(fx_generation(c->store, &a.id, 7), 4);
	ck_assert_int_eq(store_list(c->store, &(struct shard_walk){ .ended = false }, names,
			     ARRAY_LEN(names), &count),
	    ERR_OK);
	ck_assert_uint_eq(count, 0);
	ck_assert_int_eq(next_leased(c->store), ERR_OK);
	ck_assert_int_eq(store_forget(c->store, &a.id), ERR_OK);
	ck_assert_uint_eq(fx_generation(c->store, &a.id, 7), 0);
	ck_assert_int_eq(next_leased(c->store), ERR_NOT_FOUND);
	fx_chunk_fini(&a);
	store_close(c->store);
	buf_fini(&buf);
	return ERR_OK;
}

struct lease_task {
	struct ctx *c;
	const struct hash *chunk;
	uint64_t owner;
	int result;
};

static int
lease_one(void *arg)
{
	struct lease_task *t = arg;
	struct lease l;

	fx_lease(&l, t->owner, t->chunk, 1);
	t->result = store_lease(t->c->store, &l);
	return ERR_OK;
}

static int
leases_share_a_sync(void *arg)
{
	struct ctx *c = arg;
	struct lease_task tasks[64];
	struct store_status before, after;
	struct task_group group;
	struct fx_chunk a;

	open_store(c);
	fx_chunk_init(&a, 1, 2, 3, 1000);
	ck_assert_int_eq(fx_put(c->store, &a, 0, 1, 1), ERR_OK);
	store_status(c->store, &before);
	task_group_init(&group, c->env);
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++) {
		tasks[i] = (struct lease_task){ .c = c, .chunk = &a.id, .owner = 100 + i };
		ck_assert_int_eq(task_spawn(&group, "lease", lease_one, &tasks[i]), ERR_OK);
	}
	ck_assert_int_eq(task_group_wait(&group, 0), ERR_OK);
	task_group_fini(&group);
	for (size_t i = 0; i < ARRAY_LEN(tasks); i++)
		ck_assert_int_eq(tasks[i].result, ERR_OK);
	store_status(c->store, &after);
	/* the first one runs alone, the others gather meanwhile */
	ck_assert_uint_le(after.syncs - before.syncs, 3);
	ck_assert_uint_eq(fx_generation(c->store, &a.id, 163), 1);
	fx_chunk_fini(&a);
	store_close(c->store);
	return ERR_OK;
}

/* Whoever knows a chunk's name may ask for it, too, but not crowd its owner out. */
static int
strangers_leases(void *arg)
{
	struct ctx *c = arg;
	struct fx_chunk chunk;
	struct lease l;

	open_store(c);
	fx_chunk_init(&chunk, 1, 2, 3, 5000);
	ck_assert_int_eq(fx_put(c->store, &chunk, 1, 1, 16), ERR_OK);
	fx_lease(&l, 1, &chunk.id, 1);
	l.until = 0;
	ck_assert_int_eq(store_lease_room(c->store, &l), ERR_NOT_FOUND);
	for (uint64_t owner = 1; owner < LEASES_KNOWN_MAX; owner++) {
		fx_lease(&l, owner, &chunk.id, 1);
		ck_assert_int_eq(store_lease_room(c->store, &l), ERR_OK);
		ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
	}
	fx_lease(&l, LEASES_KNOWN_MAX, &chunk.id, 1);
	ck_assert_int_eq(store_lease_room(c->store, &l), ERR_FULL);
	fx_lease(&l, 0, &chunk.id, 2);
	ck_assert_int_eq(store_lease_room(c->store, &l), ERR_OK);
	fx_chunk_fini(&chunk);
	store_close(c->store);
	return ERR_OK;
}

/* The leases of a chunk are looked at, one is renewed, the drop comes. */
static int
renewed_between_look_and_drop(void *arg)
{
	struct ctx *c = arg;
	struct fx_chunk a;
	struct lease l;

	open_store(c);
	fx_chunk_init(&a, 1, 2, 3, 1000);
	ck_assert_int_eq(fx_put_until(c->store, &a, 0, 1, 1, 1000), ERR_OK);
	fx_lease_until(&l, 0, &a.id, 2, 2000);
	ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
	ck_assert_int_eq(store_drop_ended(c->store, &a.id, 0, 1000), ERR_STATE);
	ck_assert_int_eq(fx_check(c->store, &a, 0), ERR_OK);
	/* Deleted, as the look says, and somebody else asks for it. */
	fx_lease_until(&l, 0, &a.id, 3, 0);
	ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
	fx_lease_until(&l, 7, &a.id, 1, 500);
	ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
	ck_assert_int_eq(store_drop_ended(c->store, &a.id, 0, 0), ERR_STATE);
	ck_assert_int_eq(fx_check(c->store, &a, 0), ERR_OK);
	/* What asks for no longer than was seen holds nothing up. */
	fx_lease_until(&l, 8, &a.id, 1, 400);
	ck_assert_int_eq(store_lease(c->store, &l), ERR_OK);
	ck_assert_int_eq(store_drop_ended(c->store, &a.id, 0, 500), ERR_OK);
	ck_assert_int_eq(store_drop_ended(c->store, &a.id, 0, 500), ERR_NOT_FOUND);
	fx_chunk_fini(&a);
	store_close(c->store);
	return ERR_OK;
}

enum { ENDED_DROP, ENDED_LEASE, ENDED_PUT };
struct ended_task {
	struct ctx *c;
	struct fx_chunk *chunk;
	int what;
	int result;
};

static int
ended_one(void *arg)
{
	struct ended_task *t = arg;
	struct lease l;

	fx_lease_until(&l, 0, &t->chunk->id, 2, 2000);
	if (t->what == ENDED_LEASE)
		t->result = store_lease(t->c->store, &l);
	else if (t->what == ENDED_PUT)
		t->result = fx_put_until(t->c->store, t->chunk, 1, 2, 1, 2000);
	else
		t->result = store_drop_ended(t->c->store, &t->chunk->id, 0, 1000);
	return ERR_OK;
}

/* Both wait for the same batch, whichever came first: who is told that his lease is kept keeps the
 * shard, too. */
static int
renewed_in_the_batch_of_the_drop(void *arg)
{
	static const int orders[][2] = { { ENDED_DROP, ENDED_LEASE }, { ENDED_LEASE, ENDED_DROP },
		{ ENDED_DROP, ENDED_PUT }, { ENDED_PUT, ENDED_DROP } };
	struct ctx *c = arg;

	open_store(c);
	for (size_t o = 0; o < ARRAY_LEN(orders); o++) {
		struct fx_chunk first, a;
		struct lease_task before = { .c = c, .chunk = &first.id, .owner = 9 };
		struct ended_task two[2];
		struct task_group group;

		fx_chunk_init(&first, 2 * o, 2, 3, 1000);
		fx_chunk_init(&a, 2 * o + 1, 2, 3, 1000);
		ck_assert_int_eq(fx_put(c->store, &first, 0, 1, 1), ERR_OK);
		ck_assert_int_eq(fx_put_until(c->store, &a, 0, 1, 1, 1000), ERR_OK);
		task_group_init(&group, c->env);
		ck_assert_int_eq(task_spawn(&group, "lease", lease_one, &before), ERR_OK);
		for (size_t i = 0; i < 2; i++) {
			two[i] = (struct ended_task){ c, &a, orders[o][i], ERR_IO };
			ck_assert_int_eq(task_spawn(&group, "both", ended_one, &two[i]), ERR_OK);
		}
		ck_assert_int_eq(task_group_wait(&group, 0), ERR_OK);
		task_group_fini(&group);
		for (size_t i = 0; i < 2; i++) {
			/* A put has its way to the disk before it: the drop may be done by then. */
			if (two[i].what != ENDED_DROP)
				ck_assert_int_eq(two[i].result, ERR_OK);
			else if (two[1 - i].what == ENDED_LEASE || two[i].result != ERR_OK)
				ck_assert_int_eq(two[i].result, ERR_STATE);
			if (two[i].result == ERR_STATE)
				ck_assert_int_eq(fx_check(c->store, &a, 0), ERR_OK);
		}
		ck_assert_uint_eq(fx_generation(c->store, &a.id, 0), 2);
		fx_chunk_fini(&first);
		fx_chunk_fini(&a);
	}
	store_close(c->store);
	return ERR_OK;
}

STORY(leases_siblings_values, GIB(1))
STORY(leases_share_a_sync, GIB(1))
STORY(strangers_leases, GIB(1))
STORY(renewed_between_look_and_drop, GIB(1))
STORY(renewed_in_the_batch_of_the_drop, GIB(1))

int
main(void)
{
	Suite *s = suite_create("storage/store_leases");

	suite_add(s, "lmdb", 120, leases_siblings_values_with_lmdb, leases_share_a_sync_with_lmdb,
	    strangers_leases_with_lmdb, renewed_between_look_and_drop_with_lmdb,
	    renewed_in_the_batch_of_the_drop_with_lmdb, NULL);
	suite_add(s, "memory", 120, leases_siblings_values_in_memory, leases_share_a_sync_in_memory,
	    strangers_leases_in_memory, renewed_between_look_and_drop_in_memory,
	    renewed_in_the_batch_of_the_drop_in_memory, NULL);
	return suite_main(s);
}
