/*
 * The replicated map against a sorted array: random histories with lost races, failed and unknown
 * proposals; several gateways at once; rolling, checkpoints, views that stay, death at any moment.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/object/map_fixture.h"
#include "test/unit/suite.h"

#define TEXT(s) bytes_of(s, strlen(s))

/* ---- small words ---- */

struct put_text {
	struct map *map;
	const char *key, *value; /* value NULL: deleted */
	int result;              /* of the function itself */
	int err;
};

static int
put_text_fn(void *arg, struct kv *txn)
{
	struct put_text *p = arg;
	int err = p->value == NULL ? kv_del(txn, TEXT(p->key))
				   : kv_put(txn, TEXT(p->key), TEXT(p->value));

	return err != ERR_OK ? err : p->result;
}

static int
put_text_task(void *arg)
{
	struct put_text *p = arg;

	p->err = map_update(p->map, put_text_fn, p);
	return p->err;
}

static int
put_text(struct gateway *g, const char *key, const char *value)
{
	struct put_text p = { g->map, key, value, ERR_OK, ERR_OK };

	return mem_run(g->w, put_text_task, &p);
}

struct get_text {
	struct map *map;
	enum map_fresh fresh;
	const char *key;
	char value[64];
};

static int
get_text_task(void *arg)
{
	struct get_text *t = arg;
	struct map_view *v;
	struct buf value;
	int err = map_view(t->map, t->fresh, &v);

	if (err != ERR_OK)
		return err;
	buf_init(&value, KV_VALUE_MAX);
	err = kv_get(map_view_kv(v), TEXT(t->key), &value);
	if (err == ERR_OK)
		snprintf(t->value, sizeof(t->value), "%s", buf_str(&value));
	buf_fini(&value);
	map_view_release(v);
	return err;
}

static int
get_text(struct gateway *g, enum map_fresh fresh, const char *key, const char *want)
{
	struct get_text t = { .map = g->map, .fresh = fresh, .key = key };
	int err = mem_run(g->w, get_text_task, &t);

	if (err == ERR_OK)
		ck_assert_str_eq(t.value, want);
	return err;
}

static int
checkpoint_task(void *arg)
{
	return map_checkpoint(arg);
}

static int
checkpoint(struct gateway *g)
{
	return mem_run(g->w, checkpoint_task, g->map);
}

struct checking {
	struct gateway *g;
	const struct model *model;
	struct map_view *view;
};

static int
check_task(void *arg)
{
	struct checking *c = arg;
	struct map_view *v = c->view;
	int err = ERR_OK;

	/* Faults may keep it from the head; not for ever. */
	while (v == NULL) {
		err = map_view(c->g->map, MAP_CURRENT, &v);
		ck_assert(err == ERR_OK || err == ERR_UNREACHABLE);
	}
	model_check(c->model, map_view_kv(v));
	if (c->view == NULL)
		map_view_release(v);
	return ERR_OK;
}

static void
check(struct gateway *g, const struct model *m)
{
	struct checking c = { .g = g, .model = m };

	ck_assert_int_eq(mem_run(g->w, check_task, &c), ERR_OK);
}

/* ---- simple stories ---- */

START_TEST(what_is_put_is_there)
{
	struct mem_world *w = mem_world_new(1);
	struct gateway *a = gateway_open(w, NULL), *b = gateway_open(w, NULL);
	struct map_sight sight;

	ck_assert_int_eq(get_text(a, MAP_CURRENT, "x", NULL), ERR_NOT_FOUND);
	ck_assert_int_eq(put_text(a, "x", "1"), ERR_OK);
	ck_assert_int_eq(get_text(a, MAP_ANY, "x", "1"), ERR_OK);
	ck_assert_int_eq(get_text(b, MAP_CURRENT, "x", "1"), ERR_OK);
	ck_assert(map_leads(a->map) && !map_leads(b->map));
	ck_assert_int_eq(put_text(b, "x", "2"), ERR_OK);
	ck_assert_int_eq(get_text(a, MAP_ANY, "x", "1"), ERR_OK);
	ck_assert_int_eq(get_text(a, MAP_CURRENT, "x", "2"), ERR_OK);
	ck_assert(!map_leads(a->map) && map_leads(b->map));
	ck_assert_int_eq(checkpoint(a), ERR_OK);
	ck_assert_int_eq(checkpoint(b), ERR_OK);
	map_sight(a->map, &sight);
	ck_assert_uint_eq(sight.checkpoints, 1);
	ck_assert_uint_eq(sight.pages, 1);
	ck_assert_uint_eq(sight.overlay_entries, 0);
	ck_assert_uint_eq(sight.tail_segments, 0);
	ck_assert_int_eq(put_text(a, "x", NULL), ERR_OK);
	ck_assert_int_eq(get_text(b, MAP_CURRENT, "x", NULL), ERR_NOT_FOUND);
	gateway_close(a);
	gateway_close(b);
	a = gateway_open(w, NULL);
	ck_assert_int_eq(get_text(a, MAP_CURRENT, "x", NULL), ERR_NOT_FOUND);
	gateway_close(a);
	mem_world_free(w);
}
END_TEST

START_TEST(a_function_that_declines_writes_nothing)
{
	struct mem_world *w = mem_world_new(2);
	struct gateway *a = gateway_open(w, NULL);
	struct put_text p = { a->map, "x", "1", ERR_EXISTS, ERR_OK };
	struct map_sight sight;

	ck_assert_int_eq(mem_run(w, put_text_task, &p), ERR_EXISTS);
	ck_assert_int_eq(get_text(a, MAP_CURRENT, "x", NULL), ERR_NOT_FOUND);
	map_sight(a->map, &sight);
	ck_assert_uint_eq(sight.seq, 0);
	/* Without a quorum what it saw may not be current. */
	w->fail = 1000;
	ck_assert_int_eq(mem_run(w, put_text_task, &p), ERR_UNREACHABLE);
	p.result = ERR_OK;
	ck_assert_int_eq(mem_run(w, put_text_task, &p), ERR_UNREACHABLE);
	w->fail = 0;
	w->unknown = 1000; /* the second try finds it, or ends unknown as well */
	for (int i = 0, unknown = 0; unknown == 0; i++) {
		int err = mem_run(w, put_text_task, &p);

		ck_assert(err == ERR_OK || err == ERR_UNKNOWN);
		ck_assert_int_lt(i, 30);
		unknown += err == ERR_UNKNOWN;
	}
	gateway_close(a);
	mem_world_free(w);
}
END_TEST

START_TEST(a_fork_ends_writing)
{
	struct mem_world *w = mem_world_new(3);
	struct gateway *a = gateway_open(w, NULL);
	struct map_sight sight;

	ck_assert_int_eq(put_text(a, "x", "1"), ERR_OK);
	w->forked = true;
	ck_assert_int_ne(put_text(a, "x", "2"), ERR_OK);
	map_sight(a->map, &sight);
	ck_assert(sight.forked);
	w->forked = false;
	ck_assert_int_eq(put_text(a, "x", "2"), ERR_CORRUPT);
	ck_assert_int_eq(checkpoint(a), ERR_CORRUPT);
	ck_assert_int_eq(get_text(a, MAP_ANY, "x", "1"), ERR_OK);
	gateway_close(a);
	mem_world_free(w);
}
END_TEST

struct big_put {
	struct map *map;
	size_t values, bytes;
	bool random;
	struct mem_world *w;
};

static int
big_put_fn(void *arg, struct kv *txn)
{
	struct big_put *p = arg;
	uint8_t *value = calloc(1, p->bytes);
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < p->values; i++) {
		char key[32];

		for (size_t j = 0; p->random && j < p->bytes; j++)
			value[j] = (uint8_t)mem_draw(p->w, 256);
		snprintf(key, sizeof(key), "big-%06zu", i);
		err = kv_put(txn, TEXT(key), bytes_of(value, p->bytes));
	}
	free(value);
	return err;
}

static int
big_put_task(void *arg)
{
	struct big_put *p = arg;

	return map_update(p->map, big_put_fn, p);
}

/* Ten thousand small records fit when they compress; what cannot fit is refused, others go on. */
START_TEST(transactions_have_a_largest_size)
{
	struct mem_world *w = mem_world_new(4);
	struct gateway *a = gateway_open(w, NULL);
	struct big_put p = { a->map, 10000, 20, false, w };

	ck_assert_int_eq(mem_run(w, big_put_task, &p), ERR_OK);
	p = (struct big_put){ a->map, 4, KIB(64), true, w };
	ck_assert_int_eq(mem_run(w, big_put_task, &p), ERR_TOO_BIG);
	p = (struct big_put){ a->map, 17, KIB(64), false, w };
	ck_assert_int_eq(mem_run(w, big_put_task, &p), ERR_TOO_BIG);
	p = (struct big_put){ a->map, 1, KIB(64) + 1, false, w };
	ck_assert_int_eq(mem_run(w, big_put_task, &p), ERR_TOO_BIG);
	ck_assert_int_eq(put_text(a, "x", "1"), ERR_OK);
	p = (struct big_put){ a->map, 1, KIB(64), true, w };
	for (int i = 0; i < 12; i++)
		ck_assert_int_eq(mem_run(w, big_put_task, &p), ERR_OK);
	ck_assert_int_eq(get_text(a, MAP_CURRENT, "x", "1"), ERR_OK);
	gateway_close(a);
	mem_world_free(w);
}
END_TEST

/* ---- many at once ---- */

struct counting {
	struct gateway *g;
	int times, done;
	uint64_t seen_max;
	uint8_t *seen; /* each value was given out once */
	int committed, unknown, refused;
	uint64_t slowest;
};

static int
count_fn(void *arg, struct kv *txn)
{
	uint64_t *value = arg;
	struct buf b;
	int err;

	buf_init(&b, KV_VALUE_MAX);
	*value = 0;
	err = kv_get(txn, TEXT("counter"), &b);
	if (err == ERR_OK)
		memcpy(value, b.data, sizeof(*value));
	buf_fini(&b);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	++*value;
	(void)map_txn_result(txn, bytes_of(value, sizeof(*value)));
	return kv_put(txn, TEXT("counter"), bytes_of(value, sizeof(*value)));
}

static int
count_task(void *arg)
{
	struct counting *c = arg;

	while (c->done < c->times) {
		uint64_t value, began = env_now(c->g->w->env);
		struct buf result;
		int err;

		c->done++;
		buf_init(&result, MAP_RESULT_MAX);
		err = map_update_result(c->g->map, count_fn, &value, &result);
		c->slowest = MAX(c->slowest, env_now(c->g->w->env) - began);
		if (err == ERR_OK) {
			ck_assert_uint_eq(result.len, sizeof(value));
			memcpy(&value, result.data, sizeof(value));
			ck_assert_uint_lt(value, c->seen_max);
			ck_assert_uint_eq(c->seen[value]++, 0);
			c->committed++;
		} else if (err == ERR_UNKNOWN) {
			c->unknown++;
		} else {
			ck_assert(err == ERR_UNREACHABLE || err == ERR_BUSY);
			c->refused++;
		}
		buf_fini(&result);
	}
	return ERR_OK;
}

struct many {
	struct counting *c;
	size_t gateways, tasks;
};

static int
many_task(void *arg)
{
	struct many *m = arg;
	struct task_group g;

	task_group_init(&g, m->c[0].g->w->env);
	for (size_t i = 0; i < m->gateways * m->tasks; i++)
		ck_assert_int_eq(
		    task_spawn(&g, "count", count_task, &m->c[i % m->gateways]), ERR_OK);
	ck_assert_int_eq(task_group_wait(&g, 0), ERR_OK);
	task_group_fini(&g);
	return ERR_OK;
}

static uint64_t
counter_of(struct gateway *g)
{
	struct get_text t = { .map = g->map, .fresh = MAP_CURRENT, .key = "counter" };
	uint64_t value;
	int err;

	do {
		err = mem_run(g->w, get_text_task, &t);
	} while (err == ERR_UNREACHABLE);
	ck_assert_int_eq(err, ERR_OK);
	memcpy(&value, t.value, sizeof(value));
	return value;
}

/* Counts in many tasks at two gateways; no step is lost or given out twice. */
static void
count(struct mem_world *w, int times, size_t tasks, struct counting out[2])
{
	struct gateway *g[2] = { gateway_open(w, NULL), gateway_open(w, NULL) };
	uint8_t *seen = calloc((size_t)times * 2 + 2, 1);
	struct many m = { out, 2, tasks };
	uint64_t total;

	for (size_t i = 0; i < 2; i++)
		out[i] = (struct counting){
			.g = g[i], .times = times, .seen_max = (uint64_t)times * 2 + 2, .seen = seen
		};
	ck_assert_int_eq(mem_run(w, many_task, &m), ERR_OK);
	w->fail = w->unknown = w->unreachable = w->put_fails = 0;
	total = counter_of(g[0]);
	ck_assert_uint_eq(total, counter_of(g[1]));
	ck_assert_uint_ge(total, (uint64_t)(out[0].committed + out[1].committed));
	ck_assert_uint_le(total,
	    (uint64_t)(out[0].committed + out[1].committed + out[0].unknown + out[1].unknown));
	for (size_t i = 0; i < 2; i++)
		gateway_close(g[i]);
	free(seen);
}

START_TEST(two_gateways_count_together)
{
	struct mem_world *w = mem_world_new(5);
	struct counting c[2];

	count(w, 300, 3, c);
	ck_assert_int_eq(c[0].committed, 300);
	ck_assert_int_eq(c[1].committed, 300);
	mem_world_free(w);
}
END_TEST

START_TEST(counting_survives_faults)
{
	for (uint64_t seed = 10; seed < 16; seed++) {
		struct mem_world *w = mem_world_new(seed);
		struct counting c[2];

		w->fail = 30;
		w->unknown = 100;
		w->unreachable = 30;
		w->put_fails = 100;
		count(w, 150, 4, c);
		ck_assert_int_gt(c[0].committed, 50);
		mem_world_free(w);
	}
}
END_TEST

/* A steady writer: hundreds of commits, rolled meanwhile, none waits for a roll. */
START_TEST(a_steady_writer_does_not_wait)
{
	struct mem_world *w = mem_world_new(6);
	struct gateway *g = gateway_open(w, NULL);
	uint8_t *seen = calloc(2000, 1);
	struct counting c = { .g = g, .times = 1000, .seen_max = 2000, .seen = seen };
	struct many m = { &c, 1, 1 };
	struct map_sight sight;

	ck_assert_int_eq(mem_run(w, many_task, &m), ERR_OK);
	map_sight(g->map, &sight);
	ck_assert_uint_ge(sight.rolls, 10);
	ck_assert_uint_eq(sight.log_chunks, sight.rolls);
	ck_assert_uint_le(sight.commits, 1000 + sight.rolls);
	/* Twice the latency of the register, gathering, and the workers. */
	ck_assert_uint_lt(c.slowest, 2 * w->head_latency + MILLISECONDS(10));
	gateway_close(g);
	g = gateway_open(w, NULL);
	ck_assert_uint_eq(counter_of(g), 1000);
	gateway_close(g);
	free(seen);
	mem_world_free(w);
}
END_TEST

/* Those that wait together are committed together. */
START_TEST(many_updates_are_few_commits)
{
	struct mem_world *w = mem_world_new(7);
	struct gateway *g = gateway_open(w, NULL);
	uint8_t *seen = calloc(2002, 1);
	struct counting c = { .g = g, .times = 2000, .seen_max = 2002, .seen = seen };
	struct many m = { &c, 1, 200 };
	struct map_sight sight;

	ck_assert_int_eq(mem_run(w, many_task, &m), ERR_OK);
	map_sight(g->map, &sight);
	ck_assert_uint_eq(sight.transactions, 2000);
	ck_assert_uint_le(sight.commits, 30);
	gateway_close(g);
	free(seen);
	mem_world_free(w);
}
END_TEST

/* ---- random histories ---- */

#define KEYS_MAX 400
#define HELD_MAX 3

struct story {
	struct mem_world *w;
	struct gateway *g[3];
	struct model model;
	struct {
		struct gateway *g;
		struct map_view *view;
		struct model model;
	} held[HELD_MAX];
	uint64_t steps;
};

static size_t
random_key(struct mem_world *w, char *out)
{
	uint32_t x = mem_draw(w, KEYS_MAX);
	size_t len;

	/* Some begin others; some are as long as can be. */
	len = (size_t)snprintf(out, 64, "k%0*u", 1 + (int)(x % 4), x / 3);
	if (x % 50 == 0) {
		memset(out + len, 'y', KV_KEY_MAX - len);
		len = KV_KEY_MAX;
	}
	return len;
}

struct change {
	struct story *s;
	struct map *map;
	size_t count;
	struct {
		char key[KV_KEY_MAX];
		size_t key_len, value_len;
		uint8_t value[600];
		bool deleted;
	} at[8];
	char marker[32];
};

static int
change_fn(void *arg, struct kv *txn)
{
	struct change *c = arg;
	struct buf value;
	int err = ERR_OK;

	buf_init(&value, KV_VALUE_MAX);
	for (size_t i = 0; err == ERR_OK && i < c->count; i++) {
		struct bytes key = bytes_of(c->at[i].key, c->at[i].key_len);
		const struct model_entry *e = model_get(&c->s->model, key);

		/* It sees the newest state. */
		if (i == 0) {
			err = kv_get(txn, key, &value);
			if (err == ERR_NOT_FOUND) {
				ck_assert_ptr_null(e);
				err = ERR_OK;
			} else if (err == ERR_OK) {
				ck_assert_ptr_nonnull(e);
				ck_assert(bytes_equal(buf_bytes(&value), buf_bytes(&e->value)));
			}
		}
		if (err != ERR_OK)
			break;
		err = c->at[i].deleted
			  ? kv_del(txn, key)
			  : kv_put(txn, key, bytes_of(c->at[i].value, c->at[i].value_len));
		/* And what it has written. */
		ck_assert_int_eq(kv_get(txn, key, NULL), c->at[i].deleted ? ERR_NOT_FOUND : ERR_OK);
	}
	buf_fini(&value);
	if (err == ERR_OK)
		err = kv_put(txn, TEXT(c->marker), TEXT("m"));
	return err;
}

static int
change_task(void *arg)
{
	struct change *c = arg;

	return map_update(c->map, change_fn, c);
}

static bool
marker_is_there(struct story *s, const char *marker)
{
	int err;

	do {
		err = get_text(s->g[0], MAP_CURRENT, marker, "m");
		ck_assert(err == ERR_OK || err == ERR_NOT_FOUND || err == ERR_UNREACHABLE);
	} while (err == ERR_UNREACHABLE);
	return err == ERR_OK;
}

static void
random_change(struct story *s)
{
	struct mem_world *w = s->w;
	struct change *c = calloc(1, sizeof(*c));
	int err;

	c->s = s;
	c->map = s->g[mem_draw(w, ARRAY_LEN(s->g))]->map;
	c->count = 1 + mem_draw(w, ARRAY_LEN(c->at));
	snprintf(c->marker, sizeof(c->marker), "m%04u", (unsigned)(s->steps % 100));
	for (size_t i = 0; i < c->count; i++) {
		c->at[i].key_len = random_key(w, c->at[i].key);
		c->at[i].value_len = mem_draw(w, mem_draw(w, 8) == 0 ? 600 : 60);
		for (size_t j = 0; j < c->at[i].value_len; j++)
			c->at[i].value[j] = (uint8_t)mem_draw(w, 256);
		c->at[i].deleted = mem_draw(w, 3) == 0;
	}
	if (model_get(&s->model, TEXT(c->marker)) != NULL) {
		/* The marker of an earlier one goes first. */
		struct put_text p = { c->map, c->marker, NULL, ERR_OK, ERR_OK };

		do {
			err = mem_run(w, put_text_task, &p);
		} while (err != ERR_OK);
		model_del(&s->model, TEXT(c->marker));
	}
	err = mem_run(w, change_task, c);
	if (err == ERR_UNKNOWN)
		err = marker_is_there(s, c->marker) ? ERR_OK : ERR_UNREACHABLE;
	if (err == ERR_OK) {
		for (size_t i = 0; i < c->count; i++) {
			struct bytes key = bytes_of(c->at[i].key, c->at[i].key_len);

			if (c->at[i].deleted)
				model_del(&s->model, key);
			else
				model_put(
				    &s->model, key, bytes_of(c->at[i].value, c->at[i].value_len));
		}
		model_put(&s->model, TEXT(c->marker), TEXT("m"));
	} else {
		ck_assert(err == ERR_UNREACHABLE || err == ERR_BUSY);
	}
	free(c);
}

static int
hold_task(void *arg)
{
	struct checking *c = arg;
	int err;

	do {
		err = map_view(c->g->map, MAP_CURRENT, &c->view);
	} while (err == ERR_UNREACHABLE);
	return err;
}

static void
release(struct story *s, size_t i)
{
	struct checking c = {
		.g = s->held[i].g, .model = &s->held[i].model, .view = s->held[i].view
	};

	if (c.view == NULL)
		return;
	ck_assert_int_eq(mem_run(s->w, check_task, &c), ERR_OK);
	map_view_release(s->held[i].view);
	model_fini(&s->held[i].model);
	s->held[i].view = NULL;
}

static void
hold(struct story *s, size_t i)
{
	struct checking c = { .g = s->g[mem_draw(s->w, ARRAY_LEN(s->g))] };

	release(s, i);
	ck_assert_int_eq(mem_run(s->w, hold_task, &c), ERR_OK);
	s->held[i].g = c.g;
	s->held[i].view = c.view;
	model_copy(&s->held[i].model, &s->model);
}

static void
reopen(struct story *s, size_t i)
{
	struct map_opts opts = s->g[i]->opts;

	for (size_t j = 0; j < HELD_MAX; j++) {
		if (s->held[j].g == s->g[i])
			release(s, j);
	}
	gateway_close(s->g[i]);
	s->g[i] = gateway_open(s->w, &opts);
}

static void
step(struct story *s)
{
	struct mem_world *w = s->w;
	uint32_t x = mem_draw(w, 100);
	int err;

	s->steps++;
	if (x < 75) {
		random_change(s);
	} else if (x < 80) {
		check(s->g[mem_draw(w, ARRAY_LEN(s->g))], &s->model);
	} else if (x < 86) {
		hold(s, mem_draw(w, HELD_MAX));
	} else if (x < 90) {
		release(s, mem_draw(w, HELD_MAX));
	} else if (x < 96) {
		err = checkpoint(s->g[mem_draw(w, ARRAY_LEN(s->g))]);
		ck_assert(err == ERR_OK || err == ERR_UNREACHABLE || err == ERR_TIMEOUT);
	} else {
		reopen(s, mem_draw(w, ARRAY_LEN(s->g)));
	}
}

static int
is_stored(void *arg, const struct chunk_ref *ref)
{
	ck_assert_ptr_nonnull(mem_chunk_find(arg, &ref->id));
	return ERR_OK;
}

static int
each_chunk_task(void *arg)
{
	struct gateway *g = arg;

	return map_each_chunk(g->map, is_stored, g->w);
}

static int
discard(void *arg, const struct chunk_ref *refs, size_t count)
{
	struct mem_world *w = arg;

	if (mem_draw(w, 10) == 0)
		return ERR_BUSY;
	for (size_t i = 0; i < count; i++) {
		struct mem_chunk *c = mem_chunk_find(w, &refs[i].id);

		ck_assert_ptr_nonnull(c);
		c->discarded = true;
	}
	return ERR_OK;
}

static void
tell_story(uint64_t seed, uint64_t steps, bool faults)
{
	struct mem_world *w = mem_world_new(seed);
	struct story s = { .w = w };
	struct map_opts opts = { .page_bytes = 1500,
		.checkpoint_after = seed % 2 == 0 ? UINT64_MAX : SECONDS(20),
		.overlay_bytes = seed % 3 == 0 ? 40000 : 0,
		.memory_bytes = seed % 3 == 1 ? 5000 : 0,
		.discard = { discard, w } };

	if (faults) {
		w->fail = 20;
		w->unknown = 60;
		w->unreachable = 20;
		w->put_fails = 20;
	}
	model_init(&s.model);
	for (size_t i = 0; i < ARRAY_LEN(s.g); i++)
		s.g[i] = gateway_open(w, &opts);
	while (s.steps < steps)
		step(&s);
	w->fail = w->unknown = w->unreachable = w->put_fails = 0;
	for (size_t i = 0; i < HELD_MAX; i++)
		release(&s, i);
	for (size_t i = 0; i < ARRAY_LEN(s.g); i++)
		check(s.g[i], &s.model);
	/* A new one has to fetch everything: nothing of it was discarded. */
	w->strict = true;
	reopen(&s, 0);
	check(s.g[0], &s.model);
	ck_assert_int_eq(mem_run(w, each_chunk_task, s.g[0]), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(s.g); i++)
		gateway_close(s.g[i]);
	model_fini(&s.model);
	mem_world_free(w);
}

static uint64_t
from_env(const char *name, uint64_t usual)
{
	const char *text = getenv(name);

	return text == NULL ? usual : strtoull(text, NULL, 10);
}

/* So many from seed `first` on, or from the one that is to be told again. */
static void
tell_stories(uint64_t first, bool faults)
{
	uint64_t stories = from_env("SKERRY_MAP_STORIES", 6);

	first = from_env("SKERRY_MAP_SEED", first);
	for (uint64_t seed = first; seed < first + stories; seed++) {
		fprintf(stderr, "SKERRY_MAP_SEED=%llu%s\n", (unsigned long long)seed,
		    faults ? " with faults" : "");
		tell_story(seed, 250, faults);
	}
}

START_TEST(random_histories)
{
	tell_stories(1, false);
}
END_TEST

START_TEST(random_histories_with_faults)
{
	tell_stories(1000001, true);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/map");

	suite_add(s, "simple", 20, what_is_put_is_there, a_function_that_declines_writes_nothing,
	    a_fork_ends_writing, transactions_have_a_largest_size, NULL);
	suite_add(s, "many", 30, two_gateways_count_together, counting_survives_faults,
	    a_steady_writer_does_not_wait, many_updates_are_few_commits, NULL);
	suite_add(s, "histories", 3000, random_histories, random_histories_with_faults, NULL);
	return suite_main(s);
}
