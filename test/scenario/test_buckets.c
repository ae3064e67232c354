/*
 * An account's buckets on a simulated network: found again from the seed alone by a process that
 * knows one peer, with nodes dead, and what a deleted bucket had let go of.
 */
#include <stdlib.h>

#include "object/duties.h"
#include "object/ground_net.h"
#include "test/scenario/world.h"
#include "test/unit/suite.h"

static const struct account account = { { { 4, 5, 6 } } };

/* A machine that has nothing but the seed: its own chunks, files, ground, cloud. */
struct machine {
	struct world *w;
	struct chunks *chunks;
	struct files *files;
	struct ground_net *ground;
	struct cloud *cloud;
	int (*story)(struct machine *m);
	enum cloud_start how;
};

static int
up(struct machine *m)
{
	struct env *env = world_client_env(m->w);
	struct dht *dht = node_dht(world_client(m->w));
	struct endpoint *ep = node_endpoint(world_client(m->w));
	struct network_id net = endpoint_net(ep);

	ck_assert_int_eq(
	    chunks_new(&(struct chunks_opts){ .endpoint = ep, .dht = dht }, &m->chunks), ERR_OK);
	ck_assert_int_eq(files_new(
			     &(struct files_opts){
				 .env = env,
				 .chunks = m->chunks,
				 .dht = dht,
				 .net = net,
				 .account = &account,
			     },
			     &m->files),
	    ERR_OK);
	ck_assert_int_eq(ground_net_new(
			     &(struct ground_net_opts){
				 .env = env,
				 .net = net,
				 .files = m->files,
				 .chunks = m->chunks,
				 .dht = dht,
			     },
			     &m->ground),
	    ERR_OK);
	ck_assert_int_eq(cloud_new(
			     &(struct cloud_opts){
				 .env = env,
				 .net = net,
				 .account = &account,
				 .ground = ground_net_base(m->ground),
				 .files = m->files,
			     },
			     &m->cloud),
	    ERR_OK);
	return cloud_start(m->cloud, m->how);
}

static int
run_story(void *arg)
{
	struct machine *m = arg;
	int err = up(m);

	if (err == ERR_OK)
		err = m->story(m);
	cloud_free(m->cloud);
	ground_net_free(m->ground);
	files_free(m->files);
	chunks_free(m->chunks);
	return err;
}

/* A fresh process with the seed does that. */
static int
machine(struct world *w, enum cloud_start how, int (*story)(struct machine *m))
{
	struct machine m = { .w = w, .how = how, .story = story };

	world_new_client(w);
	return world_run(w, run_story, &m);
}

static struct world *
small_world(uint64_t seed)
{
	return world_new(&(struct world_opts){ .seed = seed, .nodes = 6, .code = { 3, 5, 6 } });
}

/* ---- words ---- */

static int
put_v(void *arg, struct kv *txn)
{
	const char *text = arg;

	return kv_put(txn, bytes_of("v", 1), bytes_of(text, strlen(text)));
}

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

static int
write_in(struct machine *m, const char *name, map_fn *fn, const char *text, bool checkpoint)
{
	struct cloud_bucket *b;
	char copy[32] = "";
	int err = cloud_bucket_open(m->cloud, name, &b);

	if (err != ERR_OK)
		return err;
	memcpy(copy, text, strlen(text) + 1);
	err = cloud_bucket_update(b, fn, copy, NULL);
	if (err == ERR_OK && checkpoint)
		err = map_checkpoint(cloud_bucket_map(b));
	cloud_bucket_close(b);
	return err;
}

static bool
holds(struct machine *m, const char *name, const char *text)
{
	struct cloud_bucket *b;
	struct map_view *v;
	struct buf value;
	bool same;

	ck_assert_int_eq(cloud_bucket_open(m->cloud, name, &b), ERR_OK);
	ck_assert_int_eq(cloud_bucket_view(b, MAP_CURRENT, &v), ERR_OK);
	buf_init(&value, KV_VALUE_MAX);
	ck_assert_int_eq(kv_get(map_view_kv(v), bytes_of("v", 1), &value), ERR_OK);
	same = bytes_equal(buf_bytes(&value), bytes_of(text, strlen(text)));
	buf_fini(&value);
	map_view_release(v);
	cloud_bucket_close(b);
	return same;
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

int
main(void)
{
	Suite *s = suite_create("scenario/buckets");

	suite_add(s, "account", 60, the_seed_and_one_peer_bring_all_back, two_dead_of_six, NULL);
	suite_add(s, "deleted", 60, deleted_buckets_are_let_go_of, NULL);
	return suite_main(s);
}
