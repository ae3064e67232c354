/*
 * The replicated map against a sorted array: random histories with lost races, failed and unknown
 * proposals; rolling, checkpoints, views that stay, gateways that are opened anew.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/object/map_words.h"
#include "test/unit/suite.h"

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

/* ---- a history ---- */

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
	if (err == ERR_UNKNOWN) {
		mem_settle(w, mem_draw(w, 2) == 0);
		err = marker_is_there(s, c->marker) ? ERR_OK : ERR_UNREACHABLE;
	}
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
		w->fail_late = seed % 2 == 0 ? 20 : 300;
		w->refused = 60;
		w->unseen = seed % 2 == 0 ? 300 : 900;
	}
	model_init(&s.model);
	for (size_t i = 0; i < ARRAY_LEN(s.g); i++)
		s.g[i] = gateway_open(w, &opts);
	while (s.steps < steps)
		step(&s);
	w->fail = w->unknown = w->unreachable = w->put_fails = 0;
	w->fail_late = w->refused = w->unseen = 0;
	mem_settle(w, mem_draw(w, 2) == 0);
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
	Suite *s = suite_create("object/map_model");

	suite_add(s, "histories", 3000, random_histories, random_histories_with_faults, NULL);
	return suite_main(s);
}
