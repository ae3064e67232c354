/*
 * Histories of a bucket in the network: three gateways over five anchors, two clients at each,
 * while anchors are killed and come back, a gateway dies, the network is cut, messages are lost and
 * late. What the clients were told must be explained by one sequence. SKERRY_HISTORIES=N runs so
 * many, from seed SKERRY_HISTORY (default 1) on. The register's own histories:
 * test_register_histories.
 */
#include <stdlib.h>

#include "object/blob_net.h"
#include "object/lease_signing.h"
#include "object/map_head.h"
#include "test/scenario/register_world.h"
#include "test/scenario/world_private.h"
#include "test/unit/object/bucket_clients.h"
#include "test/unit/suite.h"

enum { GATEWAYS = 3, CLIENTS = 2, CALLS = 8, NODES = 7, ANCHORS = 5 };

static const struct key secret = { { 0x5e } };

struct gateway {
	struct chunks *chunks;
	struct files *files;
	struct lease_signing signing;
	struct blob_net blobs;
	struct map_head_register head;
	struct map *map;
	struct task_group group; /* of its clients */
};
struct tale {
	struct world *w;
	struct bucket b;
	struct gateway g[GATEWAYS];
	struct bucket_client clients[GATEWAYS * CLIENTS];
	struct bucket_story s;
	uint64_t random;
	size_t dead;         /* a node; SIZE_MAX: none */
	bool gateway_killed; /* one in a tale */
};
struct opening {
	struct tale *t;
	size_t i;
};

static uint32_t
draw(void *arg, uint32_t bound)
{
	struct tale *t = arg;

	t->random = t->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(t->random >> 33) % bound;
}

static int
open_task(void *arg)
{
	struct opening *o = arg;
	struct gateway *g = &o->t->g[o->i];
	struct bucket *b = &o->t->b;
	struct bucket_writer *x = &b->writers[o->i];
	struct map_opts opts = { .env = x->env,
		.reg = &g->head.reg,
		.blobs = &g->blobs.store,
		.net = b->w->net,
		.bucket = b->charter.bucket,
		.secret = &secret,
		.page_bytes = 2000,
		.checkpoint_after = SECONDS(3) };

	map_head_init(&g->head, x->hc, true);
	lease_signing_bucket(&g->signing, x->env, b->w->net, &secret, &b->w->account, NULL);
	blob_net_init(&g->blobs, g->files,
	    &(struct placing_opts){
		.code = b->w->opts.code, .signer = lease_signing_signer(&g->signing) });
	return map_open(&opts, &g->map);
}

static void
gateway_start(struct tale *t, size_t i)
{
	struct bucket_writer *x = &t->b.writers[i];
	struct gateway *g = &t->g[i];
	struct opening o = { t, i };

	must(chunks_new(&(struct chunks_opts){ .endpoint = node_endpoint(x->node),
			    .dht = node_dht(x->node) },
		 &g->chunks) == ERR_OK);
	must(files_new(&(struct files_opts){ .env = x->env,
			   .chunks = g->chunks,
			   .dht = node_dht(x->node),
			   .net = t->w->net,
			   .account = &t->w->account },
		 &g->files) == ERR_OK);
	ck_assert_int_eq(sim_run_task(t->w->sim, x->env, open_task, &o), ERR_OK);
	task_group_init(&g->group, x->env);
}

static int
close_task(void *arg)
{
	struct opening *o = arg;
	struct bucket_writer *x = &o->t->b.writers[o->i];

	task_group_fini(&o->t->g[o->i].group);
	map_close(o->t->g[o->i].map);
	task_group_fini(&x->group);
	head_client_free(x->hc);
	return ERR_OK;
}

static void
gateway_stop(struct tale *t, size_t i)
{
	struct bucket_writer *x = &t->b.writers[i];
	struct opening o = { t, i };

	sim_run_task(t->w->sim, x->env, close_task, &o);
	files_free(t->g[i].files);
	chunks_free(t->g[i].chunks);
	world_client_stop(t->w, x->env, x->node);
	x->env = NULL;
}

static int
begin_task(void *arg)
{
	struct tale *t = arg;

	return map_update(t->g[0].map, bucket_client_begin, NULL);
}

static bool
all_over(void *arg)
{
	struct tale *t = arg;

	for (size_t i = 0; i < ARRAY_LEN(t->clients); i++)
		if (!t->clients[i].over)
			return false;
	return true;
}

/* The process ends in the middle of what it does: nobody learns what has become of that. */
static void
kill_gateway(struct tale *t, size_t i)
{
	t->gateway_killed = true;
	sim_node_kill(t->b.writers[i].env, SIM_SILENT);
	while (task_group_live(&t->g[i].group) > 0)
		sim_run_for(world_sim(t->w), MILLISECONDS(100));
}

/* One anchor at a time, so that a quorum is left: what is asked here is what is told, not whether.
 */
static void
disturb(struct tale *t)
{
	struct sim_world *sim = world_sim(t->w);

	if (t->dead != SIZE_MAX) {
		world_power_loss(t->w, t->dead, draw(t, UINT32_MAX));
		t->dead = SIZE_MAX;
	}
	sim_heal(sim);
	switch (draw(t, 5)) {
	case 0:
		t->dead = bucket_anchor(&t->b, 0, (uint8_t)draw(t, ANCHORS));
		if (t->dead != SIZE_MAX)
			world_kill(t->w, t->dead);
		break;
	case 1: /* a gateway by itself */
		sim_node_island(t->b.writers[draw(t, GATEWAYS)].env, 1);
		sim_cut_off(sim, 1);
		break;
	case 2:
		if (!t->gateway_killed)
			kill_gateway(t, draw(t, GATEWAYS));
		break;
	default:
		break;
	}
}

static void
tell(uint64_t seed)
{
	static const struct sim_faults faults = {
		.loss_ppm = 20000, .duplicate_ppm = 10000, .reorder_ppm = 50000
	};
	static const struct sim_faults none = { 0 };
	struct tale *t = calloc(1, sizeof(*t));

	ck_assert_ptr_nonnull(t);
	t->w = world_new(&(struct world_opts){ .seed = seed, .nodes = NODES, .code = { 2, 3, 4 } });
	t->random = seed;
	t->dead = SIZE_MAX;
	bucket_new(&t->b, t->w, ANCHORS, GATEWAYS);
	for (size_t i = 0; i < GATEWAYS; i++)
		gateway_start(t, i);
	t->s = (struct bucket_story){
		.draw = draw, .arg = t, .fresh = MAP_CURRENT, .calls_each = CALLS
	};
	if (draw(t, 2) == 0)
		ck_assert_int_eq(
		    sim_run_task(t->w->sim, t->b.writers[0].env, begin_task, t), ERR_OK);
	sim_set_faults(world_sim(t->w), &faults);
	for (size_t i = 0; i < ARRAY_LEN(t->clients); i++) {
		size_t at = i % GATEWAYS;

		t->clients[i] = (struct bucket_client){
			.s = &t->s, .env = t->b.writers[at].env, .map = t->g[at].map
		};
		ck_assert_int_eq(
		    task_spawn(&t->g[at].group, "client", bucket_client_task, &t->clients[i]),
		    ERR_OK);
	}
	for (int i = 0; i < 200 && !all_over(t); i++) {
		disturb(t);
		(void)sim_run_until(
		    world_sim(t->w), all_over, t, MILLISECONDS(500 + draw(t, 3000)));
	}
	ck_assert(all_over(t));
	ck_assert_msg(
	    history_explained(t->s.calls, t->s.count), "seed %llu", (unsigned long long)seed);
	ck_assert_uint_ge(t->s.count, 10);
	sim_heal(world_sim(t->w));
	sim_set_faults(world_sim(t->w), &none);
	for (size_t i = 0; i < GATEWAYS; i++)
		gateway_stop(t, i);
	world_free(t->w);
	free(t);
}

static uint64_t
from_env(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text == NULL ? usual : strtoull(text, NULL, 10);
}

START_TEST(every_history_is_explained)
{
	uint64_t first = from_env("SKERRY_HISTORY", 1), count = from_env("SKERRY_HISTORIES", 8);

	for (uint64_t seed = first; seed < first + count; seed++)
		tell(seed);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("buckets in the network");

	suite_add(s, "histories", getenv("SKERRY_HISTORIES") != NULL ? 36000 : 300,
	    every_history_is_explained, NULL);
	return suite_main(s);
}
