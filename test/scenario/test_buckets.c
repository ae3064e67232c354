/*
 * An account's buckets on a simulated network: found again from the seed alone by a process that
 * knows one peer, with nodes dead, and what a deleted bucket had let go of; recovered when the
 * quorum of its anchors is gone for good.
 */
#include <stdio.h>
#include <stdlib.h>

#include "object/cloud_recover.h"
#include "object/duties.h"
#include "test/scenario/machine.h"
#include "test/unit/suite.h"

static struct world *
small_world(uint64_t seed)
{
	return world_new(&(struct world_opts){ .seed = seed, .nodes = 6, .code = { 3, 5, 6 } });
}

/* ---- words ---- */

static int
del_v(void *arg, struct kv *txn)
{
	(void)arg;
	return kv_del(txn, bytes_of("v", 1));
}

static int
is_empty(struct kv *txn)
{
	int err = kv_get(txn, bytes_of("v", 1), NULL);

	return err == ERR_NOT_FOUND ? ERR_OK : err == ERR_OK ? ERR_STATE : err;
}

/* ---- stories ---- */

static int
nothing(struct machine *m)
{
	(void)m;
	return ERR_OK;
}

static int
fill(struct machine *m)
{
	ck_assert_int_eq(
	    cloud_bucket_create(m->cloud, &(struct cloud_create){ .name = "photos" }), ERR_OK);
	ck_assert_int_eq(
	    cloud_bucket_create(m->cloud, &(struct cloud_create){ .name = "backup" }), ERR_OK);
	ck_assert_int_eq(write_in(m, "photos", put_v, "in pages", true), ERR_OK);
	return write_in(m, "backup", put_v, "in the tail", false);
}

static int
read_back(struct machine *m)
{
	ck_assert(holds(m, "photos", "in pages"));
	ck_assert(holds(m, "backup", "in the tail"));
	return ERR_OK;
}

static int
change(struct machine *m)
{
	return write_in(m, "photos", put_v, "changed", false);
}

static int
read_changed(struct machine *m)
{
	ck_assert(holds(m, "photos", "changed"));
	return ERR_OK;
}

START_TEST(the_seed_and_one_peer_bring_all_back)
{
	struct world *w = small_world(31);

	ck_assert_int_eq(machine(w, CLOUD_FIND, nothing), ERR_NOT_FOUND);
	ck_assert_int_eq(machine(w, CLOUD_FOUND, fill), ERR_OK);
	ck_assert_int_eq(machine(w, CLOUD_FIND, read_back), ERR_OK);
	/* A network that was restarted as a whole has no finder records any more. */
	for (size_t i = 0; i < 6; i++)
		world_kill(w, i);
	for (size_t i = 0; i < 6; i++)
		world_restart(w, i);
	sim_run_for(world_sim(w), SECONDS(30));
	ck_assert_int_eq(machine(w, CLOUD_FIND, read_back), ERR_OK);
	world_free(w);
}
END_TEST

START_TEST(two_dead_of_six)
{
	struct world *w = small_world(32);

	ck_assert_int_eq(machine(w, CLOUD_FOUND, fill), ERR_OK);
	world_kill(w, 2);
	world_kill(w, 4);
	ck_assert_int_eq(machine(w, CLOUD_FIND, change), ERR_OK);
	ck_assert_int_eq(machine(w, CLOUD_FIND, read_changed), ERR_OK);
	world_free(w);
}
END_TEST

#define WAIT_S 60

static int
delete_and_let_go(struct machine *m)
{
	struct env *env = world_client_env(m->w);
	struct duties_sight sight;
	struct duties *d;

	ck_assert_int_eq(
	    duties_new(
		&(struct duties_opts){ .files = m->files, .cloud = m->cloud, .wait_s = WAIT_S },
		&d),
	    ERR_OK);
	ck_assert_int_eq(cloud_bucket_delete(m->cloud, "photos", is_empty), ERR_STATE);
	ck_assert_int_eq(write_in(m, "photos", del_v, "", true), ERR_OK);
	ck_assert_int_eq(cloud_bucket_delete(m->cloud, "photos", is_empty), ERR_OK);
	ck_assert_int_eq(duties_now(d, &sight), ERR_OK);
	ck_assert_uint_eq(sight.waiting, 1); /* slow readers still see what they saw */
	ck_assert_uint_eq(sight.let_go, 0);
	ck_assert_int_eq(task_sleep(env, SECONDS(WAIT_S + 2)), ERR_OK);
	ck_assert_int_eq(duties_now(d, &sight), ERR_OK);
	ck_assert_uint_eq(sight.waiting, 0);
	ck_assert_uint_eq(sight.let_go, 1);
	ck_assert_uint_gt(sight.chunks, 2); /* a page, a list, a root, of two checkpoints */
	ck_assert_int_eq(duties_now(d, &sight), ERR_OK);
	ck_assert_uint_eq(sight.waiting + sight.let_go, 0);
	duties_free(d);
	return ERR_OK;
}

START_TEST(deleted_buckets_are_let_go_of)
{
	struct world *w = small_world(33);

	ck_assert_int_eq(machine(w, CLOUD_FOUND, fill), ERR_OK);
	ck_assert_int_eq(machine(w, CLOUD_FIND, delete_and_let_go), ERR_OK);
	world_free(w);
}
END_TEST

/* ---- looked after every hour ---- */

#define HOURS_LOOKED 24

static uint64_t
puts_of(struct machine *m)
{
	struct dht_status status;

	dht_status(node_dht(world_client(m->w)), &status);
	return status.puts;
}

static int
begin_looking(void *arg)
{
	struct machine *m = arg;
	int err = machine_up(m);

	return err == ERR_OK ? fill(m) : err;
}

static int
end_looking(void *arg)
{
	machine_down(arg);
	return ERR_OK;
}

static int
look(void *arg)
{
	return read_back(arg);
}

static int
change_again(void *arg)
{
	return write_in(arg, "photos", put_v, "again", true);
}

/* The record says what the register does. */
static int
recorded(void *arg)
{
	struct machine *m = arg;
	struct node *client = world_client(m->w);
	struct cloud_bucket *b;
	struct identity finder;
	struct head_view v;
	struct head head;

	ck_assert_int_eq(cloud_bucket_open(m->cloud, "photos", &b), ERR_OK);
	bucket_finder(&b->seed, &finder);
	ck_assert_int_eq(last_head_find(node_endpoint(client), node_dht(client), &finder.pub,
			     b->seed.salt, &b->facts.id, &head),
	    ERR_OK);
	head_client_view(ground_net_client(cloud_bucket_ground(b)), &v);
	ck_assert(hash_equal(&head.root, &v.head->root));
	cloud_bucket_close(b);
	return ERR_OK;
}

/* As a gateway's upkeep; none is open an hour later. */
static void
look_for_hours(struct machine *m, int hours)
{
	for (int i = 0; i < hours; i++) {
		ck_assert_int_eq(world_run(m->w, look, m), ERR_OK);
		sim_run_for(world_sim(m->w), HOURS(1));
		ck_assert_ptr_null(m->cloud->open);
	}
}

START_TEST(who_looks_every_hour_publishes_twice_a_day)
{
	struct world *w = small_world(38);
	struct machine m = { .w = w, .how = CLOUD_FOUND };
	uint64_t before, puts;

	world_new_client(w);
	ck_assert_int_eq(world_run(w, begin_looking, &m), ERR_OK);
	look_for_hours(&m, 1);
	before = puts_of(&m);
	look_for_hours(&m, HOURS_LOOKED);
	puts = puts_of(&m) - before;
	printf("%llu records put in %d hours\n", (unsigned long long)puts, HOURS_LOOKED);
	/* Of each bucket and of the account: the anchors, and the head where there is a root. */
	ck_assert_uint_ge(puts, 2 * 1 * (HOURS_LOOKED / 24));
	ck_assert_uint_le(puts, 3 * 2 * (HOURS_LOOKED / 12));
	/* What is new is put at once, by a bucket that was closed as well. */
	ck_assert_int_eq(world_run(w, change_again, &m), ERR_OK);
	sim_run_for(world_sim(w), SECONDS(30));
	ck_assert_int_eq(world_run(w, recorded, &m), ERR_OK);
	ck_assert_int_eq(world_run(w, end_looking, &m), ERR_OK);
	world_free(w);
}
END_TEST

/* ---- the quorum is gone ---- */

#define RECOVER_NODES 11 /* so that registers have five anchors */

static int
put_w(void *arg, struct kv *txn)
{
	(void)arg;
	return kv_put(txn, bytes_of("w", 1), bytes_of("refused", 7));
}

/* Writes are refused, what is known can be read and is marked. */
static void
check_stale(struct cloud_bucket *b)
{
	struct map_sight sight;
	struct map_view *v;
	int err = cloud_bucket_update(b, put_w, NULL, NULL);

	ck_assert(err == ERR_UNREACHABLE || err == ERR_UNKNOWN);
	ck_assert_int_eq(cloud_bucket_view(b, MAP_CURRENT, &v), ERR_UNREACHABLE);
	ck_assert_int_eq(cloud_bucket_view(b, MAP_RECALL, &v), ERR_OK);
	ck_assert_int_eq(kv_get(map_view_kv(v), bytes_of("v", 1), NULL), ERR_OK);
	ck_assert_uint_ne(map_view_stale_ms(v), 0);
	map_view_release(v);
	map_sight(cloud_bucket_map(b), &sight);
	ck_assert(sight.stale);
}

static char lost_name[16];

static void
lose_and_recover(struct machine *m, uint8_t lost, struct cloud_recovered *out)
{
	struct env *env = world_client_env(m->w);
	struct cloud_remains remains;
	struct map_view *v;
	struct cloud_bucket *b = bucket_to_lose(m, lost, lost_name);

	ck_assert_int_eq(write_in(m, lost_name, put_v, "in pages", true), ERR_OK);
	/* The head's record goes out beside the work. */
	ck_assert_int_eq(task_sleep(env, SECONDS(90)), ERR_OK);
	ck_assert_int_eq(write_in(m, lost_name, put_v, "in the tail", false), ERR_OK);
	ck_assert_int_eq(cloud_bucket_recover(m->cloud, lost_name, out), ERR_EXISTS);
	lose_anchors(m, cloud_bucket_ground(b), lost);
	check_stale(b);
	ck_assert_int_eq(cloud_bucket_recover(m->cloud, "other", out), ERR_NOT_FOUND);
	ck_assert_int_eq(cloud_bucket_remains(m->cloud, lost_name, &remains), ERR_OK);
	ck_assert_uint_eq(remains.epoch, 1);
	ck_assert_uint_eq(remains.answered, 5 - lost);
	ck_assert_uint_eq(remains.now.anchors_count, 5);
	ck_assert_int_eq(cloud_bucket_recover(m->cloud, lost_name, out), ERR_OK);
	ck_assert_uint_eq(out->epoch, 2);
	ck_assert_uint_eq(out->anchors, 5);
	ck_assert_uint_eq(out->answered, 5 - lost);
	ck_assert_uint_eq(out->seq, out->found_seq + 1);
	ck_assert_uint_eq(out->found_seq, remains.found_seq);
	/* Who had it open goes on with it nowhere. */
	ck_assert_int_ne(cloud_bucket_view(b, MAP_CURRENT, &v), ERR_OK);
	ck_assert_int_ne(cloud_bucket_update(b, put_w, NULL, NULL), ERR_OK);
	cloud_bucket_close(b);
}

static int
lose_three(struct machine *m)
{
	struct cloud_recovered found;

	lose_and_recover(m, 3, &found);
	ck_assert(!found.recorded);
	ck_assert_uint_eq(found.safe_seq, found.found_seq);
	ck_assert(holds(m, lost_name, "in the tail"));
	ck_assert_int_eq(write_in(m, lost_name, put_v, "after", true), ERR_OK);
	ck_assert_int_eq(cloud_bucket_recover(m->cloud, lost_name, &found), ERR_EXISTS);
	return ERR_OK;
}

static int
lose_all(struct machine *m)
{
	struct cloud_recovered found;

	lose_and_recover(m, 5, &found);
	ck_assert(found.recorded);
	ck_assert(holds(m, lost_name, "in pages"));
	return write_in(m, lost_name, put_v, "after", false);
}

#define DRAFTS_MAX 100

/* The next epoch's, with so many anchors of this one that each quorum of them knows of it. */
static void
draft_next(struct machine *m, const struct bucket_record *r, struct charter *next)
{
	struct cloud_store_wish wish = { .seed = &r->seed };
	struct head base = { .seq = 2, .id = { { 1 } } };
	unsigned both = 0;

	for (int tries = 0; both < 3; tries++) {
		const struct configuration *c = &next->founding;

		ck_assert_int_lt(tries, DRAFTS_MAX);
		ck_assert_int_eq(cloud_store_draft_after(m->cloud, &wish, 2, &base, next), ERR_OK);
		both = 0;
		for (uint8_t i = 0; i < c->anchors_count; i++)
			both += configuration_anchor(&r->charter.founding, &c->anchors[i].key) >= 0;
	}
}

/* An epoch is founded, and nothing put there: that is no empty bucket. */
static int
break_off(struct machine *m)
{
	struct ground *g = ground_net_base(m->ground);
	struct cloud_recovered found;
	struct bucket_record r;
	struct cloud_bucket *b;
	struct charter next;

	(void)snprintf(lost_name, sizeof(lost_name), "photos");
	ck_assert_int_eq(
	    cloud_bucket_create(m->cloud, &(struct cloud_create){ .name = lost_name }), ERR_OK);
	ck_assert_int_eq(write_in(m, lost_name, put_v, "in pages", true), ERR_OK);
	ck_assert_int_eq(cloud_bucket_open(m->cloud, lost_name, &b), ERR_OK);
	ck_assert_int_eq(task_sleep(world_client_env(m->w), SECONDS(90)), ERR_OK);
	cloud_bucket_close(b);
	ck_assert_int_eq(cloud_record_find(m->cloud, lost_name, &r), ERR_OK);
	draft_next(m, &r, &next);
	ck_assert_int_eq(g->found(g, &machine_account, &r.seed, &next), ERR_OK);
	cloud_open_outdate(m->cloud, &r.charter.bucket);
	bucket_record_wipe(&r);
	ck_assert_int_eq(task_sleep(world_client_env(m->w), SECONDS(5)), ERR_OK);
	ck_assert_int_eq(cloud_bucket_open(m->cloud, lost_name, &b), ERR_UNREACHABLE);
	ck_assert_int_eq(cloud_bucket_recover(m->cloud, lost_name, &found), ERR_OK);
	ck_assert_uint_eq(found.epoch, 3);
	ck_assert(holds(m, lost_name, "in pages"));
	return write_in(m, lost_name, put_v, "after", false);
}

/* ---- the account's own ---- */

#define FOLLOW_TRIES 20

/* Who has the account open goes on in the new epoch, once he has looked for it. */
static void
set_name_at_last(struct machine *m, const char *name)
{
	int err = cloud_set_name(m->cloud, name);

	for (int tries = 0; err != ERR_OK && tries < FOLLOW_TRIES; tries++) {
		ck_assert(err == ERR_UNREACHABLE || err == ERR_UNKNOWN);
		ck_assert_int_eq(task_sleep(world_client_env(m->w), SECONDS(10)), ERR_OK);
		err = cloud_set_name(m->cloud, name);
	}
	ck_assert_int_eq(err, ERR_OK);
}

static int
count_bucket(void *arg, const struct cloud_facts *f)
{
	(void)f;
	++*(size_t *)arg;
	return ERR_OK;
}

/* So does who only lists, and is told the old meanwhile. */
static void
list_at_last(struct machine *m)
{
	uint64_t stale_ms = 1;

	for (int tries = 0; stale_ms != 0; tries++) {
		size_t count = 0;

		ck_assert_int_lt(tries, FOLLOW_TRIES);
		ck_assert_int_eq(cloud_buckets(m->cloud, &stale_ms, count_bucket, &count), ERR_OK);
		ck_assert_uint_eq(count, 1);
		ck_assert_int_eq(task_sleep(world_client_env(m->w), SECONDS(10)), ERR_OK);
	}
}

static int
lose_the_account(struct machine *m)
{
	struct machine other = { .w = m->w, .how = CLOUD_FIND };
	struct machine reader = { .w = m->w, .how = CLOUD_FIND };
	struct cloud_recovered found;
	char name[CLOUD_NAME_MAX + 1];

	ck_assert_int_eq(
	    cloud_bucket_create(m->cloud, &(struct cloud_create){ .name = "photos" }), ERR_OK);
	ck_assert_int_eq(cloud_set_name(m->cloud, "before"), ERR_OK);
	ck_assert_int_eq(cloud_recover(m->cloud, &found), ERR_EXISTS);
	ck_assert_int_eq(machine_up(&reader), ERR_OK);
	lose_anchors(m, m->cloud->own.ground, 3);
	ck_assert_int_ne(cloud_set_name(m->cloud, "unknown"), ERR_OK);
	/* Another machine, which cannot even begin. */
	ck_assert_int_eq(machine_up(&other), ERR_UNREACHABLE);
	ck_assert_int_eq(cloud_recover(other.cloud, &found), ERR_OK);
	ck_assert_uint_eq(found.epoch, 2);
	ck_assert_uint_eq(found.answered, 2);
	ck_assert_int_eq(cloud_start(other.cloud, CLOUD_FIND), ERR_OK);
	ck_assert_int_eq(cloud_recover(other.cloud, &found), ERR_EXISTS);
	ck_assert_int_eq(cloud_name(other.cloud, name), ERR_OK);
	/* Those who are left had accepted the change that no quorum answered for. */
	ck_assert(strcmp(name, "before") == 0 || strcmp(name, "unknown") == 0);
	ck_assert_int_eq(cloud_set_name(other.cloud, "recovered"), ERR_OK);
	list_at_last(&reader);
	set_name_at_last(m, "followed");
	machine_down(&reader);
	machine_down(&other);
	return ERR_OK;
}

static int
account_is_back(struct machine *m)
{
	struct cloud_facts facts;
	char name[CLOUD_NAME_MAX + 1];

	ck_assert_int_eq(cloud_name(m->cloud, name), ERR_OK);
	ck_assert_str_eq(name, "followed");
	return cloud_bucket_facts(m->cloud, "photos", &facts);
}

START_TEST(three_anchors_of_the_account_are_gone)
{
	struct world *w = world_new(
	    &(struct world_opts){ .seed = 37, .nodes = RECOVER_NODES, .code = { 2, 6, 8 } });

	ck_assert_int_eq(machine(w, CLOUD_FOUND, lose_the_account), ERR_OK);
	ck_assert_int_eq(machine(w, CLOUD_FIND, account_is_back), ERR_OK);
	world_free(w);
}
END_TEST

static int
read_after(struct machine *m)
{
	ck_assert(holds(m, lost_name, "after"));
	return write_in(m, lost_name, put_v, "later", false);
}

static void
recover_after(uint64_t seed, int (*story)(struct machine *m))
{
	struct world *w = world_new(
	    &(struct world_opts){ .seed = seed, .nodes = RECOVER_NODES, .code = { 2, 6, 8 } });

	ck_assert_int_eq(machine(w, CLOUD_FOUND, story), ERR_OK);
	ck_assert_int_eq(machine(w, CLOUD_FIND, read_after), ERR_OK);
	world_free(w);
}

START_TEST(three_anchors_of_five_are_gone)
{
	recover_after(34, lose_three);
}
END_TEST

START_TEST(all_anchors_are_gone)
{
	recover_after(35, lose_all);
}
END_TEST

START_TEST(a_recovery_was_broken_off)
{
	recover_after(36, break_off);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("scenario/buckets");

	suite_add(s, "account", 60, the_seed_and_one_peer_bring_all_back, two_dead_of_six, NULL);
	suite_add(s, "deleted", 60, deleted_buckets_are_let_go_of, NULL);
	suite_add(s, "hourly", 240, who_looks_every_hour_publishes_twice_a_day, NULL);
	suite_add(s, "recovered", 120, three_anchors_of_five_are_gone, all_anchors_are_gone,
	    a_recovery_was_broken_off, three_anchors_of_the_account_are_gone, NULL);
	return suite_main(s);
}
