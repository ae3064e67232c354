#include "test/unit/object/ground_fixture.h"

#include <stdlib.h>

#include "test/unit/suite.h"

#define ANCHORS 3

struct mem_opened {
	struct ground_bucket base;
	struct mem_ground *ground;
	struct gateway *gateway;
};

struct mem_register *
mem_ground_find(struct mem_ground *g, const struct hash *bucket)
{
	for (size_t i = 0; i < g->count; i++) {
		if (hash_equal(&g->at[i].charter.bucket, bucket))
			return &g->at[i];
	}
	return NULL;
}

static int
ground_find(struct ground *base, const struct bucket_seed *seed, const struct hash *bucket,
    struct register_chain *out)
{
	struct mem_ground *g = container_of(base, struct mem_ground, ground);
	struct mem_register *r;

	(void)seed;
	g->calls++;
	(void)task_sleep(g->env, g->latency);
	if (g->unreachable)
		return ERR_UNREACHABLE;
	r = mem_ground_find(g, bucket);
	if (r == NULL || r->told == 0 || g->hidden)
		return ERR_NOT_FOUND;
	memset(out, 0, sizeof(*out));
	out->known = true;
	out->charter = r->charter;
	out->now = r->charter.founding;
	return ERR_OK;
}

static int
ground_choose(struct ground *base, const struct account *account, struct charter *c)
{
	struct mem_ground *g = container_of(base, struct mem_ground, ground);

	(void)account;
	g->calls++;
	(void)task_sleep(g->env, g->latency);
	c->founding.anchors_count = ANCHORS;
	c->founding.quorum = quorum_of(ANCHORS);
	for (uint8_t i = 0; i < ANCHORS; i++)
		env_random(g->env, &c->founding.anchors[i], sizeof(c->founding.anchors[i]));
	return ERR_OK;
}

static int
ground_found(struct ground *base, const struct account *account, const struct bucket_seed *seed,
    const struct charter *c)
{
	struct mem_ground *g = container_of(base, struct mem_ground, ground);
	struct mem_register *r = mem_ground_find(g, &c->bucket);
	int err = ERR_OK;

	(void)account;
	ck_assert_mem_eq(seed->salt, c->salt, sizeof(c->salt));
	g->calls++;
	if (r == NULL) {
		ck_assert_uint_lt(g->count, MEM_REGISTERS);
		r = &g->at[g->count++];
		r->charter = *c;
		r->world = mem_world_on(g->sim, g->env, g->count);
	}
	/* Who knows of one refuses another for the same bucket. */
	if (!hash_equal(&r->charter.id, &c->id))
		return ERR_EXISTS;
	if (r->lost)
		return ERR_UNREACHABLE;
	for (uint8_t i = 0; err == ERR_OK && i < ANCHORS; i++) {
		err = task_sleep(g->env, g->latency);
		if (err == ERR_OK && g->told_most > 0 && i >= g->told_most)
			err = ERR_UNREACHABLE;
		if (err == ERR_OK)
			r->told = (uint8_t)MAX(r->told, i + 1);
	}
	g->foundings += err == ERR_OK;
	return err;
}

static int
ground_open(struct ground *base, const struct ground_open *o, struct ground_bucket **out)
{
	struct mem_ground *g = container_of(base, struct mem_ground, ground);
	struct mem_register *r = mem_ground_find(g, &o->charter->bucket);
	struct mem_opened *b = calloc(1, sizeof(*b));

	ck_assert_ptr_nonnull(b);
	g->calls++;
	ck_assert(configuration_writer(&o->charter->founding, &o->writer->pub));
	b->ground = g;
	if (r == NULL || r->told < ANCHORS || r->lost) {
		/* Nobody answers: as a register does that has no quorum. */
		free(b);
		return ERR_UNREACHABLE;
	}
	ck_assert(hash_equal(&r->charter.id, &o->charter->id));
	b->gateway = gateway_attach(r->world);
	b->base.reg = &b->gateway->reg;
	b->base.blobs = &b->gateway->blobs;
	g->open++;
	*out = &b->base;
	return ERR_OK;
}

static void
ground_close(struct ground *base, struct ground_bucket *opened)
{
	struct mem_ground *g = container_of(base, struct mem_ground, ground);
	struct mem_opened *b = container_of(opened, struct mem_opened, base);

	gateway_detach(b->gateway);
	free(b);
	g->open--;
}

struct mem_ground *
mem_ground_new(uint64_t seed)
{
	struct mem_ground *g = calloc(1, sizeof(*g));

	ck_assert_ptr_nonnull(g);
	must(crypto_init() == ERR_OK);
	g->sim = sim_new(&(struct sim_opts){ .seed = seed });
	g->env = sim_node_add(
	    g->sim, &(struct sim_node_opts){
			.ip = { .family = ADDR_IPV4, .ip = { 10, 0, 0, 1 } }, .region = -1 });
	g->latency = MILLISECONDS(10);
	g->ground = (struct ground){ .find = ground_find,
		.choose = ground_choose,
		.found = ground_found,
		.open = ground_open,
		.close = ground_close };
	return g;
}

void
mem_ground_free(struct mem_ground *g)
{
	ck_assert_uint_eq(g->open, 0);
	for (size_t i = 0; i < g->count; i++)
		mem_world_free(g->at[i].world);
	sim_node_remove(g->env);
	sim_free(g->sim);
	free(g);
}

int
mem_ground_run(struct mem_ground *g, int (*fn)(void *arg), void *arg)
{
	return sim_run_task(g->sim, g->env, fn, arg);
}
