/*
 * Contents kept: leases prolonged, what lives in half-dead packs moved, trash carried out a day
 * later and no earlier, locks respected. The bucket's state is a map in memory, each transaction of
 * which runs twice.
 */
#include <stdio.h>
#include <stdlib.h>

#include "object/bucket_refs.h"
#include "object/blob_net.h"
#include "object/content_keep_private.h"
#include "object/content_map.h"
#include "object/leases.h"
#include "object/settings.h"
#include "test/scenario/contents.h"
#include "test/unit/object/kv_mem.h"
#include "test/unit/object/map_fixture.h"
#include "test/unit/suite.h"

#define DAY_S (24 * 3600)

struct bucket {
	struct content_client *c;
	struct kv_mem *state;
	struct content_keeper *keeper;
	size_t walks, updates; /* walks: of the state's own chunks */
	void (*before_update)(struct bucket *b);
};

/* ---- the state ---- */

static int
view(void *arg, int (*fn)(void *fn_arg, struct kv *kv), void *fn_arg)
{
	struct bucket *b = arg;

	return fn(fn_arg, &b->state->kv);
}

static int
update(void *arg, int (*fn)(void *fn_arg, struct kv *txn), void *fn_arg)
{
	struct bucket *b = arg;
	int err;

	if (b->before_update != NULL)
		b->before_update(b);
	/* Once for nothing, as where another gateway was first. */
	kv_mem_begin(b->state);
	err = fn(fn_arg, &b->state->kv);
	(void)kv_mem_end(b->state, ERR_STALE);
	if (err != ERR_OK)
		return err;
	kv_mem_begin(b->state);
	return kv_mem_end(b->state, fn(fn_arg, &b->state->kv));
}

static int
own_chunks(void *arg, int (*each)(void *each_arg, const struct chunk_ref *ref), void *each_arg)
{
	struct bucket *b = arg;

	(void)each;
	(void)each_arg;
	b->walks++;
	return ERR_OK;
}

static int
start_task(void *arg)
{
	struct bucket *b = arg;
	struct content_keeper_opts opts = {
		.files = b->c->w->files,
		.memory = &b->c->down,
		.packs = b->c->packs,
		.signer = lease_signing_signer(&b->c->signing),
		.state = { view, update, own_chunks, b },
	};

	return content_keeper_new(&opts, &b->keeper);
}

static int
stop_task(void *arg)
{
	struct bucket *b = arg;

	content_keeper_free(b->keeper);
	return ERR_OK;
}

static struct bucket *
bucket_new(const struct world_opts *opts)
{
	struct bucket *b = calloc(1, sizeof(*b));

	must(b != NULL);
	b->c = content_client_new(opts);
	b->state = kv_mem_new();
	ck_assert_int_eq(world_run(b->c->w, start_task, b), ERR_OK);
	return b;
}

static void
bucket_free(struct bucket *b)
{
	ck_assert_int_eq(world_run(b->c->w, stop_task, b), ERR_OK);
	kv_mem_free(b->state);
	content_client_free(b->c);
	free(b);
}

static struct bucket *
small_bucket(uint64_t seed)
{
	return bucket_new(&(struct world_opts){
	    .seed = seed, .nodes = 8, .code = { 4, 6, 8 }, .lock_max_s = 400 * 24 * 3600 });
}

static uint64_t
now_ms(struct bucket *b)
{
	return world_unix_s(world_client(b->c->w)) * 1000;
}

static struct bucket_txn
txn(struct bucket *b)
{
	return (struct bucket_txn){
		.kv = &b->state->kv, .refs = &bucket_refs, .now_ms = now_ms(b), .random = { 1 }
	};
}

static struct bytes
key_of(size_t object, char key[8])
{
	snprintf(key, 8, "o%05zu", object);
	return bytes_of(key, 6);
}

/* An object begins to name it. */
static void
name_as(struct bucket *b, size_t object, const struct content *c)
{
	struct entry e = { .size = c->bytes };
	struct bucket_txn t = txn(b);
	struct bucket_done done;
	struct buf form;
	char key[8];

	buf_init(&form, CONTENT_FORM_MAX);
	ck_assert_int_eq(content_pack(c, &form), ERR_OK);
	e.content = buf_bytes(&form);
	ck_assert_int_eq(bucket_put(&t, key_of(object, key), NULL, &e, &done), ERR_OK);
	buf_fini(&form);
}

static void
name(struct bucket *b, size_t object)
{
	name_as(b, object, &b->c->objects[object]);
}

/* What the object says now. */
static void
reload(struct bucket *b, size_t object)
{
	struct version_ref latest = { .which = VERSION_LATEST };
	struct content *c = &b->c->objects[object];
	struct buf value;
	struct entry e;
	char key[8];

	buf_init(&value, KV_VALUE_MAX);
	ck_assert_int_eq(
	    bucket_get(&b->state->kv, key_of(object, key), &latest, &value, &e), ERR_OK);
	content_fini(c);
	content_init(c);
	ck_assert_int_eq(content_unpack(e.content, c), ERR_OK);
	buf_fini(&value);
}

static void
forget(struct bucket *b, size_t object)
{
	struct bucket_delete d = { .bypass_governance = false };
	struct bucket_txn t = txn(b);
	struct bucket_done done;
	char key[8];

	ck_assert_int_eq(bucket_delete(&t, key_of(object, key), &d, &done), ERR_OK);
}

static size_t
records(struct bucket *b, char table)
{
	size_t count = 0;

	for (size_t i = 0; i < b->state->pairs.count; i++)
		count += b->state->pairs.at[i].key.data[0] == (uint8_t)table;
	return count;
}

static int
tour_task(void *arg)
{
	struct bucket *b = arg;

	return content_keeper_tour(b->keeper);
}

static int
trash_task(void *arg)
{
	struct bucket *b = arg;

	return content_keeper_trash(b->keeper);
}

static struct content_keeper_sight
tour(struct bucket *b)
{
	struct content_keeper_sight sight;

	ck_assert_int_eq(world_run(b->c->w, tour_task, b), ERR_OK);
	content_keeper_sight(b->keeper, &sight);
	return sight;
}

static struct content_keeper_sight
empty_trash(struct bucket *b)
{
	struct content_keeper_sight sight;

	ck_assert_int_eq(world_run(b->c->w, trash_task, b), ERR_OK);
	content_keeper_sight(b->keeper, &sight);
	return sight;
}

/* ---- the stories ---- */

START_TEST(leases_are_prolonged_in_time)
{
	struct bucket *b = small_bucket(1);
	struct content_keeper_sight sight;

	ck_assert_int_eq(
	    content_put(b->c, (struct content_writing){ .bytes = 600000, .term_s = 300 * DAY_S }),
	    ERR_OK);
	ck_assert_int_eq(
	    content_put(b->c, (struct content_writing){ .object = 1, .bytes = 100000 }), ERR_OK);
	ck_assert_int_eq(
	    content_put(
		b->c, (struct content_writing){ .object = 2, .bytes = 100, .may_inline = true }),
	    ERR_OK);
	name(b, 0);
	name(b, 1);
	for (size_t i = 2; i < 200; i++) /* more than one batch */
		name_as(b, i, &b->c->objects[2]);
	sight = tour(b);
	ck_assert_uint_eq(sight.tours, 1);
	ck_assert_uint_eq(sight.looked, 4);
	ck_assert_uint_eq(sight.renewed, 3);
	ck_assert_uint_eq(b->walks, 1);
	sight = tour(b);
	ck_assert_uint_eq(sight.tours, 2);
	ck_assert_uint_eq(sight.looked, 8);
	ck_assert_uint_eq(sight.renewed, 3);
	ck_assert_uint_gt(content_longest_lease(b->c), LEASE_TERM_S - 3600);
	bucket_free(b);
}
END_TEST

struct ending {
	struct bucket *b;
	struct file_lease_result told;
};

static int
end_lease(void *arg)
{
	struct ending *e = arg;
	struct leases_opts opts = { .files = e->b->c->w->files,
		.signer = lease_signing_signer(&e->b->c->signing) };

	return content_set_lease(&opts, &e->b->c->objects[0], &e->told);
}

/* Retention of an object becomes a lock of its chunks with the next tour, if not before. */
START_TEST(what_is_retained_is_locked)
{
	struct bucket *b = small_bucket(8);
	uint64_t until_ms = now_ms(b) + UINT64_C(10000) * DAY_S;
	struct content_keeper_sight sight;
	struct bucket_txn t = txn(b);
	struct bucket_done done;
	struct ending ending = { .b = b };
	char key[8];

	ck_assert_int_eq(content_put(b->c, (struct content_writing){ .bytes = 300000 }), ERR_OK);
	ck_assert_int_eq(settings_set_versioning(&b->state->kv, VERSIONING_ENABLED), ERR_OK);
	ck_assert_int_eq(settings_set_lock(&b->state->kv, LOCK_NONE, false, 0), ERR_OK);
	name(b, 0);
	/* Another of the same content, met later: its lock counts, too. */
	name_as(b, 1, &b->c->objects[0]);
	sight = tour(b);
	ck_assert_uint_eq(sight.renewed, 0);
	ck_assert_int_eq(bucket_set_retention(&t, key_of(1, key),
			     &(struct version_ref){ .which = VERSION_LATEST }, LOCK_COMPLIANCE,
			     until_ms, false, &done),
	    ERR_OK);
	sight = tour(b);
	ck_assert_uint_eq(sight.locked, 2);
	ck_assert_uint_eq(sight.unlocked, 0);
	ck_assert_int_eq(world_run(b->c->w, end_lease, &ending), ERR_LOCKED);
	ck_assert_uint_eq(ending.told.locked_until, until_ms / 1000);
	ck_assert_int_eq(content_get(b->c, 0), ERR_OK);
	bucket_free(b);
}
END_TEST

/* By itself, when its time has come, and from where another process left off. */
START_TEST(a_tour_comes_by_itself)
{
	struct bucket *b = small_bucket(2);
	struct content_keeper_sight sight;

	ck_assert_int_eq(
	    content_put(b->c, (struct content_writing){ .bytes = 300000, .term_s = 300 * DAY_S }),
	    ERR_OK);
	name(b, 0);
	sim_run_for(world_sim(b->c->w), MINUTES(12));
	content_keeper_sight(b->keeper, &sight);
	ck_assert_uint_eq(sight.tours, 1);
	ck_assert_uint_eq(sight.renewed, 2);
	ck_assert_int_eq(world_run(b->c->w, stop_task, b), ERR_OK);
	ck_assert_int_eq(world_run(b->c->w, start_task, b), ERR_OK);
	sim_run_for(world_sim(b->c->w), MINUTES(12)); /* half a month later, not now */
	content_keeper_sight(b->keeper, &sight);
	ck_assert_uint_eq(sight.tours, 0);
	bucket_free(b);
}
END_TEST

START_TEST(trash_is_carried_out_in_time)
{
	struct bucket *b = small_bucket(3);
	struct content_keeper_sight sight;

	ck_assert_int_eq(content_put(b->c, (struct content_writing){ .bytes = 600000 }), ERR_OK);
	name(b, 0);
	forget(b, 0);
	sight = empty_trash(b);
	ck_assert_uint_eq(sight.trashed, 0);
	ck_assert_int_eq(content_get(b->c, 0), ERR_OK); /* slow readers still can */
	ck_assert_uint_gt(content_longest_lease(b->c), LEASE_TERM_S - 3600);
	b->keeper->opts.trash_wait_s = 1800; /* instead of a day */
	sim_run_for(world_sim(b->c->w), MINUTES(20));
	ck_assert_uint_gt(content_longest_lease(b->c), LEASE_TERM_S - DAY_S);
	sim_run_for(world_sim(b->c->w), MINUTES(25));
	content_keeper_sight(b->keeper, &sight);
	ck_assert_uint_eq(sight.trashed, 1);
	ck_assert_uint_eq(records(b, 't'), 0);
	ck_assert_uint_eq(content_longest_lease(b->c), 0);
	bucket_free(b);
}
END_TEST

static void
shorten_trash(struct bucket *b)
{
	b->keeper->opts.trash_wait_s = 1;
	sim_run_for(world_sim(b->c->w), SECONDS(2));
}

START_TEST(what_is_locked_waits)
{
	struct bucket *b = small_bucket(4);
	struct content_keeper_sight sight;

	ck_assert_int_eq(
	    content_put(b->c, (struct content_writing){ .bytes = 200000, .lock_s = 3600 }), ERR_OK);
	name(b, 0);
	forget(b, 0);
	shorten_trash(b);
	sight = empty_trash(b);
	ck_assert_uint_eq(sight.deferred, 1);
	ck_assert_uint_eq(sight.trashed, 0);
	sight = empty_trash(b);
	ck_assert_uint_eq(sight.deferred, 1);
	sim_run_for(world_sim(b->c->w), MINUTES(62));
	sight = empty_trash(b);
	ck_assert_uint_eq(sight.trashed, 1);
	ck_assert_uint_eq(content_longest_lease(b->c), 0);
	bucket_free(b);
}
END_TEST

/* Holders that are away hear of it when they are back; while none lives it waits. */
START_TEST(trash_out_of_reach_waits)
{
	struct bucket *b = small_bucket(5);
	struct content_keeper_sight sight;

	ck_assert_int_eq(content_put(b->c, (struct content_writing){ .bytes = 200000 }), ERR_OK);
	name(b, 0);
	forget(b, 0);
	shorten_trash(b);
	for (size_t i = 0; i < 8; i++)
		world_kill(b->c->w, i);
	sight = empty_trash(b);
	ck_assert_uint_eq(sight.trashed, 0);
	ck_assert_uint_eq(records(b, 't'), 1);
	for (size_t i = 0; i < 8; i++)
		world_restart(b->c->w, i);
	sim_run_for(world_sim(b->c->w), MINUTES(1));
	sight = empty_trash(b);
	ck_assert_uint_eq(sight.trashed, 1);
	ck_assert_uint_eq(sight.given_up, 0);
	ck_assert_uint_eq(records(b, 't'), 0);
	bucket_free(b);
}
END_TEST

/* Ten members, all in one pack: the second and third of the adding, since the first goes alone. */
static void
ten_in_a_pack(struct bucket *b)
{
	struct content_writing each[12];

	for (size_t i = 0; i < 12; i++)
		each[i] = (struct content_writing){
			.object = i, .bytes = 10000 + 1000 * i, .packed = true
		};
	content_put_together(b->c, each, 12);
	for (size_t i = 0; i < 12; i++) {
		ck_assert_int_eq(b->c->objects[i].kind, CONTENT_PACKED);
		name(b, i);
	}
	ck_assert_uint_eq(records(b, 'r'), 1);
}

/* A user writes it over in the moment in which it moves. */
static void
overwrite(struct bucket *b)
{
	/* The first one says that a tour has begun. */
	if (++b->updates == 2)
		forget(b, 4);
}

START_TEST(what_lives_leaves_a_pack_that_is_mostly_dead)
{
	struct bucket *b = small_bucket(6);
	struct content_keeper_sight sight;
	struct hash old;

	ten_in_a_pack(b);
	old = b->c->objects[0].list.chunks[0].id;
	for (size_t i = 5; i < 9; i++)
		forget(b, i);
	sight = tour(b);
	ck_assert_uint_eq(sight.moved, 0); /* half of it lives */
	for (size_t i = 9; i < 12; i++)
		forget(b, i);
	ck_assert_uint_eq(records(b, 't'), 0);
	b->before_update = overwrite;
	sight = tour(b);
	ck_assert_uint_eq(sight.moved, 5);
	ck_assert_uint_eq(records(b, 't'), 1);
	ck_assert_uint_eq(records(b, 'v'), 4);
	for (size_t i = 0; i < 4; i++) {
		reload(b, i);
		ck_assert(!hash_equal(&b->c->objects[i].list.chunks[0].id, &old));
		ck_assert_int_eq(content_get(b->c, i), ERR_OK);
	}
	shorten_trash(b);
	sight = empty_trash(b);
	ck_assert_uint_eq(sight.trashed, 1);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(content_get(b->c, i), ERR_OK);
	for (size_t i = 0; i < 4; i++)
		forget(b, i);
	shorten_trash(b);
	(void)empty_trash(b);
	ck_assert_uint_eq(content_longest_lease(b->c), 0);
	ck_assert_uint_eq(records(b, 'r'), 0);
	bucket_free(b);
}
END_TEST

START_TEST(a_listed_one_goes_with_its_list)
{
	struct bucket *b = bucket_new(&(struct world_opts){
	    .seed = 7, .nodes = 3, .code = { 1, 2, 3 }, .chunk_bytes = KIB(64) });

	ck_assert_int_eq(content_put(b->c, (struct content_writing){ .bytes = 17500000 }), ERR_OK);
	ck_assert_int_eq(b->c->objects[0].kind, CONTENT_LISTED);
	name(b, 0);
	forget(b, 0);
	shorten_trash(b);
	ck_assert_uint_eq(empty_trash(b).trashed, 1);
	ck_assert_uint_eq(content_longest_lease(b->c), 0);
	bucket_free(b);
}
END_TEST

/* ---- on a map whose chunks are in the network, its head in memory ---- */

struct on_map {
	struct bucket *b;
	struct mem_world *heads;
	struct gateway *gateway; /* its register only */
	struct blob_net blobs;
	struct content_map map;
	struct content_keeper_sight sight;
	size_t trash;
};

static int
put_in_map(void *arg, struct kv *kv)
{
	struct on_map *o = arg;
	struct bucket_txn t = txn(o->b);
	struct entry e = { .size = o->b->c->objects[0].bytes };
	struct bucket_done done;
	struct buf form;
	char key[8];
	int err;

	t.kv = kv;
	buf_init(&form, CONTENT_FORM_MAX);
	err = content_pack(&o->b->c->objects[0], &form);
	e.content = buf_bytes(&form);
	if (err == ERR_OK)
		err = bucket_put(&t, key_of(0, key), NULL, &e, &done);
	buf_fini(&form);
	return err;
}

static int
delete_in_map(void *arg, struct kv *kv)
{
	struct on_map *o = arg;
	struct bucket_delete d = { .bypass_governance = false };
	struct bucket_txn t = txn(o->b);
	struct bucket_done done;
	char key[8];

	t.kv = kv;
	return bucket_delete(&t, key_of(0, key), &d, &done);
}

static int
scribble(void *arg, struct kv *kv)
{
	struct on_map *o = arg;

	return kv_put(kv, text("zz"), bytes_of(&o->trash, sizeof(o->trash)));
}

/* Chunks that wait in the trash. */
static int
count_trash(void *arg, struct kv *kv)
{
	struct on_map *o = arg;
	struct trash_item t;
	struct buf from;

	o->trash = 0;
	trash_item_init(&t);
	buf_init(&from, KV_KEY_MAX);
	while (content_trash_next(kv, buf_bytes(&from), &t) == ERR_OK) {
		o->trash += t.content.list.chunks_count;
		buf_reset(&from);
		must(buf_append(&from, t.key, sizeof(t.key)) == ERR_OK);
		must(buf_append(&from, "", 1) == ERR_OK);
	}
	buf_fini(&from);
	trash_item_fini(&t);
	return ERR_OK;
}

static SUSPENDS void
open_map(struct on_map *o)
{
	static const struct key secret = { { 3 } };
	struct placing_opts placing = content_client_placing(o->b->c);
	struct files *files = o->b->c->w->files;
	struct map_opts opts = { .env = world_client_env(o->b->c->w),
		.reg = &o->gateway->reg,
		.blobs = &o->blobs.store,
		.net = o->b->c->w->net,
		.secret = &secret,
		.discard = content_map_discard(&o->map),
		.checkpoint_after = UINT64_MAX };

	blob_net_init(&o->blobs, files, &placing);
	o->map.files = files;
	ck_assert_int_eq(map_open(&opts, &o->map.map), ERR_OK);
}

static int
live_on_map(void *arg)
{
	struct on_map *o = arg;
	struct content_keeper_opts opts = o->b->keeper->opts;
	struct content_keeper *k;

	open_map(o);
	opts.state = content_map_state(&o->map);
	ck_assert_int_eq(content_keeper_new(&opts, &k), ERR_OK);
	ck_assert_int_eq(map_update(o->map.map, put_in_map, o), ERR_OK);
	ck_assert_int_eq(map_checkpoint(o->map.map), ERR_OK);
	ck_assert_int_eq(content_keeper_tour(k), ERR_OK);
	content_keeper_sight(k, &o->sight);
	ck_assert_uint_ge(o->sight.looked, 2 + 3); /* root, list, page */
	ck_assert_uint_eq(o->sight.unreached, 0);
	/* What three checkpoints have replaced goes to the trash, the object's own chunks with it.
	 */
	ck_assert_int_eq(map_update(o->map.map, delete_in_map, o), ERR_OK);
	for (size_t i = 0; i < 5; i++) {
		ck_assert_int_eq(map_update(o->map.map, scribble, o), ERR_OK);
		ck_assert_int_eq(map_checkpoint(o->map.map), ERR_OK);
	}
	ck_assert_int_eq(opts.state.view(opts.state.arg, count_trash, o), ERR_OK);
	ck_assert_uint_gt(o->trash, 2);
	k->opts.trash_wait_s = 1;
	(void)task_sleep(k->env, SECONDS(3));
	ck_assert_int_eq(content_keeper_trash(k), ERR_OK);
	ck_assert_int_eq(opts.state.view(opts.state.arg, count_trash, o), ERR_OK);
	ck_assert_uint_eq(o->trash, 0);
	content_keeper_free(k);
	map_close(o->map.map);
	return ERR_OK;
}

START_TEST(a_map_is_kept_with_its_contents)
{
	struct on_map o = { .b = small_bucket(9), .heads = mem_world_new(1) };
	struct sim_world *sim = o.heads->sim;
	struct env *env = o.heads->env;

	ck_assert_int_eq(content_put(o.b->c, (struct content_writing){ .bytes = 300000 }), ERR_OK);
	o.heads->sim = world_sim(o.b->c->w);
	o.heads->env = world_client_env(o.b->c->w);
	o.gateway = gateway_open(o.heads, NULL);
	ck_assert_int_eq(world_run(o.b->c->w, live_on_map, &o), ERR_OK);
	gateway_close(o.gateway);
	o.heads->sim = sim;
	o.heads->env = env;
	mem_world_free(o.heads);
	bucket_free(o.b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/content_keep");

	suite_add(s, "tour", 60, leases_are_prolonged_in_time, a_tour_comes_by_itself,
	    what_is_retained_is_locked, NULL);
	suite_add(s, "trash", 60, trash_is_carried_out_in_time, what_is_locked_waits,
	    trash_out_of_reach_waits, a_listed_one_goes_with_its_list, NULL);
	suite_add(s, "map", 60, a_map_is_kept_with_its_contents, NULL);
	suite_add(s, "packs", 60, what_lives_leaves_a_pack_that_is_mostly_dead, NULL);
	return suite_main(s);
}
