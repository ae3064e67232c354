/*
 * An account's buckets and keys, with registers in memory: two machines of one account, creations
 * that are broken off at any moment, anchors that are lost, deletion beside writers.
 */
#include "object/cloud.h"

#include <stdio.h>
#include <stdlib.h>

#include "test/unit/object/ground_fixture.h"
#include "test/unit/suite.h"

static const struct account account = { { { 1, 2, 3 } } };

/* ---- a machine: a cloud, and calls on it as tasks ---- */

struct machine {
	struct mem_ground *ground;
	struct cloud *cloud;
	/* Of the call. */
	const char *name, *location;
	enum cloud_start how;
	struct access_key *key;
	char listed[256];
	int (*call)(struct machine *m);
	int err;
	bool first_failed;
};

static int
call_task(void *arg)
{
	struct machine *m = arg;

	m->err = m->call(m);
	return ERR_OK;
}

static int
run(struct machine *m, int (*call)(struct machine *m), const char *name)
{
	m->call = call;
	m->name = name;
	m->err = ERR_OK;
	ck_assert_int_eq(mem_ground_run(m->ground, call_task, m), ERR_OK);
	return m->err;
}

static void
machine_with_cache(struct machine *m, struct mem_ground *g, const char *cache)
{
	memset(m, 0, sizeof(*m));
	m->ground = g;
	ck_assert_int_eq(cloud_new(
			     &(struct cloud_opts){
				 .env = g->env,
				 .account = &account,
				 .ground = &g->ground,
				 .cache_dir = cache,
				 .checkpoint_after = UINT64_MAX,
			     },
			     &m->cloud),
	    ERR_OK);
}

static void
machine_on(struct machine *m, struct mem_ground *g)
{
	machine_with_cache(m, g, NULL);
}

static int
call_free(struct machine *m)
{
	cloud_free(m->cloud);
	return ERR_OK;
}

static void
machine_off(struct machine *m)
{
	(void)run(m, call_free, NULL);
}

static int
call_start(struct machine *m)
{
	return cloud_start(m->cloud, m->how);
}

static int
start(struct machine *m, enum cloud_start how)
{
	m->how = how;
	return run(m, call_start, NULL);
}

/* Two machines of the account, which the one has founded. */
static void
both_on(struct machine *a, struct machine *b, struct mem_ground *g)
{
	machine_on(a, g);
	machine_on(b, g);
	ck_assert_int_eq(start(a, CLOUD_FOUND), ERR_OK);
	ck_assert_int_eq(start(b, CLOUD_FIND), ERR_OK);
}

/* The first transaction of every bucket: it may be run again on what it wrote. */
static int
first(void *arg, struct kv *txn)
{
	(void)arg;
	return kv_put(txn, bytes_of("b", 1), bytes_of("settings", 8));
}

static int
call_create(struct machine *m)
{
	return cloud_bucket_create(m->cloud,
	    &(struct cloud_create){ .name = m->name, .location = m->location, .first = first });
}

static int
create(struct machine *m, const char *name)
{
	return run(m, call_create, name);
}

static int
list_one(void *arg, const struct cloud_facts *f)
{
	struct machine *m = arg;
	size_t len = strlen(m->listed);

	(void)snprintf(m->listed + len, sizeof(m->listed) - len, "%s ", f->name);
	return ERR_OK;
}

static int
call_list(struct machine *m)
{
	m->listed[0] = '\0';
	return cloud_buckets(m->cloud, NULL, list_one, m);
}

static const char *
list(struct machine *m)
{
	ck_assert_int_eq(run(m, call_list, NULL), ERR_OK);
	return m->listed;
}

static int
is_empty(struct kv *txn)
{
	int err = kv_get(txn, bytes_of("v", 1), NULL);

	return err == ERR_NOT_FOUND ? ERR_OK : err == ERR_OK ? ERR_STATE : err;
}

static int
call_delete(struct machine *m)
{
	return cloud_bucket_delete(m->cloud, m->name, is_empty);
}

static int
put_v(void *arg, struct kv *txn)
{
	(void)arg;
	return kv_put(txn, bytes_of("v", 1), bytes_of("x", 1));
}

static int
del_v(void *arg, struct kv *txn)
{
	(void)arg;
	return kv_del(txn, bytes_of("v", 1));
}

static int
update(struct machine *m, map_fn *fn)
{
	struct cloud_bucket *b;
	int err = cloud_bucket_open(m->cloud, m->name, &b);

	if (err == ERR_OK) {
		err = cloud_bucket_update(b, fn, NULL, NULL);
		cloud_bucket_close(b);
	}
	return err;
}

static int
call_put(struct machine *m)
{
	return update(m, put_v);
}

static int
call_del(struct machine *m)
{
	return update(m, del_v);
}

/* Opens, and the first transaction's word is there. */
static int
call_open(struct machine *m)
{
	struct cloud_bucket *b;
	struct map_view *v;
	int err = cloud_bucket_open(m->cloud, m->name, &b);

	if (err != ERR_OK)
		return err;
	ck_assert_str_eq(cloud_bucket_of(b)->name, m->name);
	err = cloud_bucket_view(b, MAP_CURRENT, &v);
	if (err == ERR_OK) {
		err = kv_get(map_view_kv(v), bytes_of("b", 1), NULL);
		ck_assert_int_eq(err, ERR_OK);
		map_view_release(v);
	}
	cloud_bucket_close(b);
	return err;
}

/* ---- stories ---- */

START_TEST(begins_once)
{
	struct mem_ground *g = mem_ground_new(1);
	struct machine a, b;

	machine_on(&a, g);
	machine_on(&b, g);
	ck_assert_int_eq(start(&a, CLOUD_FIND), ERR_NOT_FOUND);
	ck_assert_int_eq(run(&a, call_list, NULL), ERR_STATE);
	g->unreachable = true;
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_UNREACHABLE);
	ck_assert_uint_eq(g->count, 0); /* nothing begins while nobody can say */
	g->unreachable = false;
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
	ck_assert_int_eq(start(&b, CLOUD_FOUND), ERR_OK);
	ck_assert_uint_eq(g->foundings, 1);
	ck_assert_str_eq(cloud_number(a.cloud), cloud_number(b.cloud));
	machine_off(&a);
	machine_off(&b);
	mem_ground_free(g);
}
END_TEST

START_TEST(two_machines_see_the_same)
{
	struct mem_ground *g = mem_ground_new(2);
	struct machine a, b;

	both_on(&a, &b, g);
	ck_assert_int_eq(create(&a, "photos"), ERR_OK);
	ck_assert_int_eq(create(&b, "backup"), ERR_OK);
	ck_assert_int_eq(create(&b, "photos"), ERR_EXISTS);
	ck_assert_int_eq(create(&a, "Photos"), ERR_INVALID);
	a.location = "mars";
	ck_assert_int_eq(create(&a, "music"), ERR_INVALID);
	a.location = NULL;
	ck_assert_str_eq(list(&a), "backup photos ");
	ck_assert_str_eq(list(&b), "backup photos ");
	ck_assert_int_eq(run(&a, call_open, "backup"), ERR_OK);
	ck_assert_int_eq(run(&b, call_open, "photos"), ERR_OK);
	ck_assert_int_eq(run(&b, call_open, "music"), ERR_NOT_FOUND);
	machine_off(&a);
	machine_off(&b);
	mem_ground_free(g);
}
END_TEST

START_TEST(deletion_shuts_writers_out)
{
	struct mem_ground *g = mem_ground_new(3);
	struct machine a, b;

	both_on(&a, &b, g);
	ck_assert_int_eq(create(&a, "photos"), ERR_OK);
	ck_assert_int_eq(run(&b, call_put, "photos"), ERR_OK);
	ck_assert_int_eq(run(&a, call_delete, "photos"), ERR_STATE); /* not empty */
	ck_assert_int_eq(run(&a, call_del, "photos"), ERR_OK);
	ck_assert_int_eq(run(&a, call_delete, "photos"), ERR_OK);
	/* b still believes that it is there; the transaction knows better. */
	ck_assert_int_eq(run(&b, call_put, "photos"), ERR_NOT_FOUND);
	ck_assert_int_eq(run(&b, call_delete, "photos"), ERR_NOT_FOUND);
	ck_assert_str_eq(list(&b), "");
	/* The name is free, and what comes is another bucket. */
	ck_assert_int_eq(create(&b, "photos"), ERR_OK);
	ck_assert_int_eq(run(&a, call_put, "photos"), ERR_OK);
	ck_assert_int_eq(run(&b, call_delete, "photos"), ERR_STATE);
	machine_off(&a);
	machine_off(&b);
	mem_ground_free(g);
}
END_TEST

/* Said in the bucket, and then the machine was gone: the next creation or deletion ends it. */
START_TEST(deletion_broken_off_is_ended)
{
	struct mem_ground *g = mem_ground_new(4);
	struct machine a;

	machine_on(&a, g);
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
	for (int by_delete = 0; by_delete < 2; by_delete++) {
		struct task_group group;
		uint64_t after;

		for (after = MILLISECONDS(1);; after += MILLISECONDS(7)) {
			ck_assert_int_ne(create(&a, "photos"), ERR_STATE);
			a.call = call_delete;
			a.name = "photos";
			task_group_init(&group, g->env);
			ck_assert_int_eq(task_spawn(&group, "delete", call_task, &a), ERR_OK);
			sim_run_for(g->sim, after);
			task_group_cancel(&group);
			sim_run_for(g->sim, SECONDS(5));
			ck_assert_uint_eq(task_group_live(&group), 0);
			if (a.err == ERR_OK)
				break;
			if (by_delete)
				ck_assert(run(&a, call_delete, "photos") <= ERR_OK);
			else
				ck_assert(create(&a, "photos") <= ERR_OK);
			/* Now it is there and open, or is not there at all. */
			if (by_delete)
				ck_assert_int_eq(run(&a, call_open, "photos"), ERR_NOT_FOUND);
			else
				ck_assert_int_eq(run(&a, call_open, "photos"), ERR_OK);
		}
		ck_assert_uint_gt(after, MILLISECONDS(15));
	}
	machine_off(&a);
	mem_ground_free(g);
}
END_TEST

/* Creation broken off at every moment: another machine goes on, and there is one bucket. */
START_TEST(creation_broken_off_is_ended)
{
	unsigned broken = 0;

	for (uint64_t after = MILLISECONDS(2);; after += MILLISECONDS(9)) {
		struct mem_ground *g = mem_ground_new(after);
		struct task_group group;
		struct machine a, b;
		bool done;

		machine_on(&a, g);
		ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
		a.call = call_create;
		a.name = "photos";
		a.err = ERR_BUSY;
		task_group_init(&group, g->env);
		ck_assert_int_eq(task_spawn(&group, "create", call_task, &a), ERR_OK);
		sim_run_for(g->sim, after);
		task_group_cancel(&group);
		sim_run_for(g->sim, SECONDS(5));
		ck_assert_uint_eq(task_group_live(&group), 0);
		done = a.err == ERR_OK;
		machine_off(&a);
		machine_on(&b, g);
		ck_assert_int_eq(start(&b, CLOUD_FIND), ERR_OK);
		if (done) {
			ck_assert_int_eq(create(&b, "photos"), ERR_EXISTS);
		} else {
			int err = create(&b, "photos");

			ck_assert(err == ERR_OK || err == ERR_EXISTS);
			broken++;
		}
		ck_assert_str_eq(list(&b), "photos ");
		ck_assert_int_eq(run(&b, call_open, "photos"), ERR_OK);
		machine_off(&b);
		mem_ground_free(g);
		if (done)
			break;
	}
	ck_assert_uint_gt(broken, 5);
}
END_TEST

/* Some anchors were told and one is gone for good: a new one is made in its place. */
START_TEST(lost_founding_is_replaced)
{
	struct mem_ground *g = mem_ground_new(5);
	struct machine a;

	machine_on(&a, g);
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
	g->told_most = 2;
	ck_assert_int_eq(create(&a, "photos"), ERR_UNREACHABLE);
	ck_assert_str_eq(list(&a), "");
	ck_assert_int_eq(run(&a, call_open, "photos"), ERR_NOT_FOUND);
	ck_assert_uint_eq(g->count, 2);
	g->told_most = 0;
	g->at[1].lost = true;
	ck_assert_int_eq(create(&a, "photos"), ERR_OK);
	ck_assert_uint_eq(g->count, 3);
	/* Another place than the one that was begun: a new one as well. */
	g->told_most = 1;
	ck_assert_int_eq(create(&a, "music"), ERR_UNREACHABLE);
	g->told_most = 0;
	a.location = "de";
	ck_assert_int_eq(create(&a, "music"), ERR_OK);
	ck_assert_uint_eq(g->count, 5);
	ck_assert_str_eq(list(&a), "music photos ");
	machine_off(&a);
	mem_ground_free(g);
}
END_TEST

/* The account's own founding, broken off: the same charter is told again by whoever comes. */
START_TEST(half_an_account_is_completed)
{
	struct mem_ground *g = mem_ground_new(6);
	struct machine a, b;

	machine_on(&a, g);
	machine_on(&b, g);
	g->told_most = 1;
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_UNREACHABLE);
	g->told_most = 0;
	ck_assert_int_eq(start(&b, CLOUD_FIND), ERR_OK);
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
	ck_assert_uint_eq(g->count, 1);
	ck_assert_int_eq(create(&a, "photos"), ERR_OK);
	ck_assert_str_eq(list(&b), "photos ");
	machine_off(&a);
	machine_off(&b);
	mem_ground_free(g);
}
END_TEST

/* A network that was broken in two: on this side nobody knows of the account, but this machine
 * does.
 */
START_TEST(what_was_seen_is_not_begun_again)
{
	struct mem_ground *g = mem_ground_new(61);
	struct machine a, other;

	ck_assert_int_eq(disk_mkdir(g->env->disk, "cache"), ERR_OK);
	machine_with_cache(&a, g, "cache");
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
	ck_assert_int_eq(create(&a, "photos"), ERR_OK);
	machine_off(&a);
	ck_assert_uint_eq(g->count, 2);
	g->hidden = true;
	machine_with_cache(&a, g, "cache");
	ck_assert_int_eq(start(&a, CLOUD_FIND), ERR_NOT_FOUND);
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_UNREACHABLE);
	ck_assert_uint_eq(g->count, 2);
	g->hidden = false;
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
	ck_assert_str_eq(list(&a), "photos ");
	machine_off(&a);
	/* Another cache knows of nothing. */
	machine_with_cache(&other, g, "elsewhere");
	ck_assert_int_eq(start(&other, CLOUD_FOUND), ERR_OK);
	ck_assert_str_eq(list(&other), "photos ");
	machine_off(&other);
	mem_ground_free(g);
}
END_TEST

/* ---- access keys ---- */

static int
call_key_create(struct machine *m)
{
	return cloud_key_create(m->cloud, m->key);
}

static int
call_key_find(struct machine *m)
{
	return cloud_key_find(m->cloud, m->name, m->key);
}

static int
call_key_revoke(struct machine *m)
{
	return cloud_key_revoke(m->cloud, m->name);
}

START_TEST(keys_come_and_go)
{
	struct mem_ground *g = mem_ground_new(7);
	struct access_key k = { .label = "tool" }, found = { .label = "" };
	struct machine a, b;

	both_on(&a, &b, g);
	a.key = &k;
	b.key = &found;
	ck_assert_int_eq(run(&a, call_key_create, NULL), ERR_INVALID); /* it could nothing */
	ck_assert_int_eq(access_grant_parse("*", ACCESS_ALL, &k.grants[k.grants_count++]), ERR_OK);
	ck_assert_int_eq(run(&a, call_key_create, NULL), ERR_OK);
	ck_assert_int_eq(run(&b, call_key_find, k.id), ERR_OK); /* at once */
	ck_assert_mem_eq(&found, &k, sizeof(k));
	ck_assert_int_eq(run(&b, call_key_find, "SKAAAAAAAAAAAAAAAAAA"), ERR_NOT_FOUND);
	ck_assert_int_eq(run(&b, call_key_find, "nonsense"), ERR_NOT_FOUND);
	ck_assert_int_eq(run(&a, call_key_revoke, k.id), ERR_OK);
	ck_assert_int_eq(run(&a, call_key_revoke, k.id), ERR_NOT_FOUND);
	ck_assert_int_eq(run(&a, call_key_find, k.id), ERR_NOT_FOUND);
	sim_run_for(g->sim, CLOUD_BELIEVED);
	ck_assert_int_eq(run(&b, call_key_find, k.id), ERR_NOT_FOUND);
	machine_off(&a);
	machine_off(&b);
	mem_ground_free(g);
}
END_TEST

/* The account's anchors are away: what is known is believed, what must be current is not. */
START_TEST(anchors_away)
{
	struct mem_ground *g = mem_ground_new(8);
	struct access_key k = { .label = "tool" };
	struct machine a;

	machine_on(&a, g);
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
	ck_assert_int_eq(create(&a, "photos"), ERR_OK);
	a.key = &k;
	ck_assert_int_eq(access_grant_parse("*", ACCESS_ALL, &k.grants[k.grants_count++]), ERR_OK);
	ck_assert_int_eq(run(&a, call_key_create, NULL), ERR_OK);
	g->at[0].world->unreachable = 1000;
	sim_run_for(g->sim, MINUTES(1));
	ck_assert_int_eq(run(&a, call_key_find, k.id), ERR_OK);
	ck_assert_int_eq(run(&a, call_put, "photos"), ERR_OK);
	ck_assert_int_eq(run(&a, call_list, NULL), ERR_UNREACHABLE);
	ck_assert_int_eq(run(&a, call_open, "music"), ERR_UNREACHABLE);
	machine_off(&a);
	mem_ground_free(g);
}
END_TEST

/* Unused buckets are closed, and open again. */
START_TEST(unused_buckets_are_closed)
{
	struct mem_ground *g = mem_ground_new(9);
	struct machine a;

	machine_on(&a, g);
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
	ck_assert_int_eq(create(&a, "photos"), ERR_OK);
	ck_assert_int_eq(run(&a, call_open, "photos"), ERR_OK);
	ck_assert_uint_eq(g->open, 2);
	sim_run_for(g->sim, CLOUD_OPEN_UNUSED / 2);
	ck_assert_uint_eq(g->open, 2);
	sim_run_for(g->sim, CLOUD_OPEN_UNUSED + SECONDS(1));
	ck_assert_uint_eq(g->open, 1);
	ck_assert_int_eq(run(&a, call_open, "photos"), ERR_OK);
	ck_assert_uint_eq(g->open, 2);
	machine_off(&a);
	mem_ground_free(g);
}
END_TEST

static int
part_has_changed(void *arg, struct kv *txn)
{
	(void)arg;
	(void)txn;
	return ERR_STALE;
}

static int
call_plan(struct machine *m)
{
	return update(m, part_has_changed);
}

/* A transaction's word that it must be planned again is its caller's, and closes nothing. */
START_TEST(stale_plans_are_no_later_epoch)
{
	struct mem_ground *g = mem_ground_new(10);
	struct machine a;

	machine_on(&a, g);
	ck_assert_int_eq(start(&a, CLOUD_FOUND), ERR_OK);
	ck_assert_int_eq(create(&a, "photos"), ERR_OK);
	ck_assert_int_eq(run(&a, call_put, "photos"), ERR_OK);
	ck_assert_int_eq(run(&a, call_plan, "photos"), ERR_STALE);
	sim_run_for(g->sim, SECONDS(1));
	ck_assert_uint_eq(g->open, 2);
	g->at[1].world->superseded = true;
	ck_assert_int_eq(run(&a, call_put, "photos"), ERR_BUSY);
	sim_run_for(g->sim, SECONDS(1));
	ck_assert_uint_eq(g->open, 1);
	g->at[1].world->superseded = false;
	ck_assert_int_eq(run(&a, call_put, "photos"), ERR_OK);
	machine_off(&a);
	mem_ground_free(g);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/cloud");

	suite_add(s, "account", 30, begins_once, half_an_account_is_completed,
	    what_was_seen_is_not_begun_again, NULL);
	suite_add(s, "buckets", 60, two_machines_see_the_same, deletion_shuts_writers_out,
	    deletion_broken_off_is_ended, creation_broken_off_is_ended, lost_founding_is_replaced,
	    unused_buckets_are_closed, stale_plans_are_no_later_epoch, NULL);
	suite_add(s, "keys", 30, keys_come_and_go, anchors_away, NULL);
	return suite_main(s);
}
