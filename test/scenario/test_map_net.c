/*
 * A bucket's map on real (simulated) nodes: the register at its anchors, pages and logs in chunks.
 * Two gateways, each a process of its own, write and die; what was acknowledged is there.
 */
#include <stdio.h>
#include <stdlib.h>

#include "object/blob_net.h"
#include "object/lease_signing.h"
#include "object/map.h"
#include "object/map_head.h"
#include "test/scenario/register_world.h"
#include "test/scenario/world_private.h"
#include "test/unit/suite.h"

#define TEXT(s) bytes_of(s, strlen(s))

static const struct key secret = { { 0x5e } };

/* What a gateway is made of, beside its node. */
struct gateway {
	struct bucket *b;
	size_t writer;
	struct chunks *chunks;
	struct files *files;
	struct lease_signing signing;
	struct blob_net blobs;
	struct map_head_register head;
	struct map *map;
};

static int
open_task(void *arg)
{
	struct gateway *g = arg;
	struct bucket_writer *x = &g->b->writers[g->writer];
	struct map_opts opts = {
		.env = x->env,
		.reg = &g->head.reg,
		.blobs = &g->blobs.store,
		.net = g->b->w->net,
		.bucket = g->b->charter.bucket,
		.secret = &secret,
		.cache_dir = "cache",
		.page_bytes = 2000,
		.checkpoint_after = UINT64_MAX,
	};

	map_head_init(&g->head, x->hc, true);
	lease_signing_bucket(&g->signing, x->env, g->b->w->net, &secret, &g->b->w->account, NULL);
	blob_net_init(&g->blobs, g->files,
	    &(struct placing_opts){
		.code = g->b->w->opts.code, .signer = lease_signing_signer(&g->signing) });
	return map_open(&opts, &g->map);
}

static void
gateway_start(struct gateway *g, struct bucket *b, size_t writer)
{
	struct node *n = b->writers[writer].node;

	*g = (struct gateway){ .b = b, .writer = writer };
	must(chunks_new(&(struct chunks_opts){ .endpoint = node_endpoint(n), .dht = node_dht(n) },
		 &g->chunks) == ERR_OK);
	must(files_new(&(struct files_opts){ .env = b->writers[writer].env,
			   .chunks = g->chunks,
			   .dht = node_dht(n),
			   .net = b->w->net,
			   .account = &b->w->account },
		 &g->files) == ERR_OK);
	ck_assert_int_eq(sim_run_task(b->w->sim, b->writers[writer].env, open_task, g), ERR_OK);
}

static int
close_task(void *arg)
{
	struct gateway *g = arg;

	map_close(g->map);
	task_group_fini(&g->b->writers[g->writer].group);
	head_client_free(g->b->writers[g->writer].hc);
	return ERR_OK;
}

/* The process ends without farewell, in the middle of what it does; or has done so before. */
static void
gateway_kill(struct gateway *g)
{
	struct bucket_writer *x = &g->b->writers[g->writer];

	if (!sim_node_dead(x->env))
		sim_node_kill(x->env, SIM_SILENT);
	sim_run_task(g->b->w->sim, x->env, close_task, g);
	files_free(g->files);
	chunks_free(g->chunks);
	world_client_stop(g->b->w, x->env, x->node);
	x->env = NULL;
	x->node = NULL;
	x->hc = NULL;
}

static void
gateway_again(struct gateway *g)
{
	struct bucket *b = g->b;
	size_t writer = g->writer;

	gateway_kill(g);
	bucket_writer_start(b, writer);
	gateway_start(g, b, writer);
}

/* ---- words ---- */

struct putting {
	struct gateway *g;
	unsigned from, to, acknowledged;
	bool checkpoint;
	size_t at; /* the number of the last one begun */
};

static int
put_fn(void *arg, struct kv *txn)
{
	struct putting *p = arg;
	char key[32], value[400];

	snprintf(key, sizeof(key), "key-%04zu", p->at);
	memset(value, (int)p->at, sizeof(value));
	return kv_put(txn, TEXT(key), bytes_of(value, sizeof(value)));
}

static int
put_task(void *arg)
{
	struct putting *p = arg;

	for (p->at = p->from; p->at < p->to; p->at++) {
		int err = map_update(p->g->map, put_fn, p);

		if (err != ERR_OK)
			return err;
		p->acknowledged++;
	}
	return p->checkpoint ? map_checkpoint(p->g->map) : ERR_OK;
}

static void
put(struct gateway *g, unsigned from, unsigned to, bool checkpoint)
{
	struct putting p = { g, from, to, 0, checkpoint, 0 };

	ck_assert_int_eq(
	    sim_run_task(g->b->w->sim, g->b->writers[g->writer].env, put_task, &p), ERR_OK);
}

struct listing {
	struct gateway *g;
	bool seen[1000];
	unsigned count;
};

static int
list_task(void *arg)
{
	struct listing *l = arg;
	struct map_view *v;
	struct buf key, value;
	int err = map_view(l->g->map, MAP_CURRENT, &v);

	if (err != ERR_OK)
		return err;
	buf_init(&key, KV_KEY_MAX + 1);
	buf_init(&value, KV_VALUE_MAX);
	for (err = kv_seek(map_view_kv(v), TEXT(""), &key, &value); err == ERR_OK;
	     err = kv_next(map_view_kv(v), &key, &value)) {
		unsigned number = (unsigned)strtoul(buf_str(&key) + 4, NULL, 10);

		ck_assert_uint_lt(number, ARRAY_LEN(l->seen));
		ck_assert_uint_eq(value.len, 400);
		ck_assert_uint_eq(value.data[7], number & 0xff);
		l->seen[number] = true;
		l->count++;
	}
	buf_fini(&key);
	buf_fini(&value);
	map_view_release(v);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static struct listing *
list(struct gateway *g)
{
	struct listing *l = calloc(1, sizeof(*l));

	l->g = g;
	ck_assert_int_eq(
	    sim_run_task(g->b->w->sim, g->b->writers[g->writer].env, list_task, l), ERR_OK);
	return l;
}

static void
expect(struct gateway *g, unsigned from, unsigned to)
{
	struct listing *l = list(g);

	for (unsigned i = from; i < to; i++)
		ck_assert_msg(l->seen[i], "%u is missing", i);
	free(l);
}

static void
begin(struct bucket *b, struct gateway g[2], uint64_t seed)
{
	struct world *w =
	    world_new(&(struct world_opts){ .seed = seed, .nodes = 6, .code = { 2, 3, 4 } });

	bucket_new(b, w, 5, 2);
	gateway_start(&g[0], b, 0);
	gateway_start(&g[1], b, 1);
}

static void
end(struct bucket *b, struct gateway g[2])
{
	struct world *w = b->w;

	for (size_t i = 0; i < 2; i++)
		gateway_kill(&g[i]);
	world_free(w);
}

/* ---- stories ---- */

START_TEST(two_gateways_share_a_bucket)
{
	struct bucket b;
	struct gateway g[2];
	struct map_sight sight;

	begin(&b, g, 1);
	put(&g[0], 0, 30, true);
	put(&g[1], 30, 60, false);
	expect(&g[0], 0, 60);
	put(&g[0], 60, 70, true);
	put(&g[1], 70, 80, true);
	expect(&g[0], 0, 80);
	map_sight(g[1].map, &sight);
	ck_assert_uint_eq(sight.checkpoints, 3);
	ck_assert_uint_eq(sight.tail_segments, 0);
	/* Two processes that know nothing but the finder key and the secret. */
	gateway_again(&g[0]);
	gateway_again(&g[1]);
	expect(&g[0], 0, 80);
	put(&g[1], 80, 85, false);
	expect(&g[0], 0, 85);
	end(&b, g);
}
END_TEST

START_TEST(a_tail_is_rolled_into_chunks)
{
	struct bucket b;
	struct gateway g[2];
	struct map_sight sight;

	begin(&b, g, 2);
	put(&g[0], 0, 150, false);
	map_sight(g[0].map, &sight);
	ck_assert_uint_ge(sight.rolls, 2);
	ck_assert_uint_eq(sight.checkpoints, 0);
	expect(&g[1], 0, 150);
	put(&g[1], 150, 151, true);
	gateway_again(&g[0]);
	expect(&g[0], 0, 151);
	end(&b, g);
}
END_TEST

static bool
has_put(void *arg)
{
	const struct putting *p = arg;

	return p->acknowledged >= 20;
}

struct running {
	struct putting p;
	struct task_group group;
};

/* One is killed in the middle of its puts, at different moments; the other one goes on. */
START_TEST(a_gateway_dies_in_the_middle)
{
	struct bucket b;
	struct gateway g[2];

	for (uint64_t seed = 3; seed < 6; seed++) {
		struct running r;

		begin(&b, g, seed);
		r.p = (struct putting){ &g[0], 0, 100, 0, true, 0 };
		task_group_init(&r.group, b.writers[0].env);
		ck_assert_int_eq(task_spawn(&r.group, "put", put_task, &r.p), ERR_OK);
		ck_assert(sim_run_until(world_sim(b.w), has_put, &r.p, MINUTES(2)));
		sim_run_for(world_sim(b.w), MILLISECONDS(seed * 7));
		put(&g[1], 500, 510, seed % 2 == 0);
		/* Its callers go first: a map has none when it is closed. */
		sim_node_kill(b.writers[0].env, SIM_SILENT);
		while (task_group_live(&r.group) > 0)
			sim_run_for(world_sim(b.w), SECONDS(5));
		gateway_again(&g[0]);
		expect(&g[0], 0, r.p.acknowledged);
		expect(&g[1], 500, 510);
		put(&g[0], 600, 605, true);
		expect(&g[1], 600, 605);
		end(&b, g);
	}
}
END_TEST

START_TEST(a_minority_of_all_may_be_gone)
{
	struct bucket b;
	struct gateway g[2];

	begin(&b, g, 7);
	put(&g[0], 0, 40, true);
	put(&g[0], 40, 50, false);
	world_kill(b.w, bucket_anchor(&b, 0, 0));
	world_kill(b.w, bucket_anchor(&b, 0, 3));
	gateway_again(&g[1]);
	expect(&g[1], 0, 50);
	put(&g[1], 50, 55, false);
	expect(&g[0], 0, 55);
	end(&b, g);
}
END_TEST

/* ---- at once ---- */

enum { ACTORS = 8, VALUE_BYTES = 4000 };

struct actor {
	struct gateway *g;
	unsigned number, done;
	uint64_t longest;
	bool stop;
};

/* Small contents lie in the map itself, so the tail is full after some dozens of them. */
static int
large_fn(void *arg, struct kv *txn)
{
	struct actor *a = arg;
	char key[32];
	uint8_t value[VALUE_BYTES];

	snprintf(key, sizeof(key), "key-%zu-%u-%u", a->g->writer, a->number, a->done % 16);
	env_random(a->g->b->writers[a->g->writer].env, value, sizeof(value));
	return kv_put(txn, TEXT(key), bytes_of(value, sizeof(value)));
}

static int
actor_task(void *arg)
{
	struct actor *a = arg;
	struct env *env = a->g->b->writers[a->g->writer].env;

	while (!a->stop) {
		uint64_t began = env_now(env);
		int err = map_update(a->g->map, large_fn, a);

		/* Nobody is refused because others write, too. */
		ck_assert_msg(err == ERR_OK, "writer %zu: %s", a->g->writer, err_text(err));
		a->longest = MAX(a->longest, env_now(env) - began);
		a->done++;
	}
	return ERR_OK;
}

struct count {
	unsigned together, least;
	uint64_t longest;
};

static struct count
write_at_once(unsigned gateways, uint64_t seed)
{
	struct actor actors[2][ACTORS];
	struct task_group groups[2];
	struct count c = { .least = UINT32_MAX };
	struct bucket b;
	struct gateway g[2];

	begin(&b, g, seed);
	for (unsigned i = 0; i < gateways; i++) {
		task_group_init(&groups[i], b.writers[i].env);
		for (unsigned j = 0; j < ACTORS; j++) {
			actors[i][j] = (struct actor){ .g = &g[i], .number = j };
			must(task_spawn(&groups[i], "actor", actor_task, &actors[i][j]) == ERR_OK);
		}
	}
	sim_run_for(world_sim(b.w), SECONDS(5));
	for (unsigned i = 0; i < gateways; i++) {
		struct map_sight sight;
		unsigned done = 0;
		uint64_t longest = 0;

		for (unsigned j = 0; j < ACTORS; j++) {
			done += actors[i][j].done;
			longest = MAX(longest, actors[i][j].longest);
			actors[i][j].stop = true;
		}
		map_sight(g[i].map, &sight);
		printf("%u of %u: %u updates in %u commits, %u rolls, longest %u ms\n", i + 1,
		    gateways, done, (unsigned)sight.commits, (unsigned)sight.rolls,
		    (unsigned)(longest / 1000000));
		c.together += done;
		c.least = MIN(c.least, done);
		c.longest = MAX(c.longest, longest);
	}
	for (unsigned i = 0; i < gateways; i++) {
		while (task_group_live(&groups[i]) > 0)
			sim_run_for(world_sim(b.w), SECONDS(1));
	}
	end(&b, g);
	return c;
}

START_TEST(two_gateways_write_at_once)
{
	struct count alone = write_at_once(1, 8), two = write_at_once(2, 9);

	ck_assert_uint_ge(two.together, alone.together / 3);
	/* Time is shared; who rolls the tail has room for more in its own. */
	ck_assert_uint_ge(two.least, two.together / 10);
	ck_assert_uint_le(two.longest, SECONDS(3));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("map on nodes");

	suite_add(s, "map", 300, two_gateways_share_a_bucket, a_tail_is_rolled_into_chunks,
	    a_gateway_dies_in_the_middle, a_minority_of_all_may_be_gone, two_gateways_write_at_once,
	    NULL);
	suite_add(s, "at once", 300, two_gateways_write_at_once, NULL);
	return suite_main(s);
}
