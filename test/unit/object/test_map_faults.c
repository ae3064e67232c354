/*
 * What may go wrong around a map: its gateway dies at any operation, a proposal's fate is unknown
 * while others go on, chunks are gone, the cache is spoilt, full, too small. And a large one
 * (SKERRY_MAP_BIG: so many entries; prints what it costs).
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "test/unit/object/map_fixture.h"
#include "test/unit/suite.h"

#define TEXT(s) bytes_of(s, strlen(s))

struct putting {
	struct map *map;
	char key[32], value[32];
	struct buf result;
};

static int
put_fn(void *arg, struct kv *txn)
{
	struct putting *p = arg;
	int err = map_txn_result(txn, TEXT(p->value));

	return err != ERR_OK ? err : kv_put(txn, TEXT(p->key), TEXT(p->value));
}

static int
put_task(void *arg)
{
	struct putting *p = arg;

	return map_update_result(p->map, put_fn, p, &p->result);
}

static int
put(struct gateway *g, const char *key, unsigned value)
{
	struct putting p = { .map = g->map };
	int err;

	snprintf(p.key, sizeof(p.key), "%s", key);
	snprintf(p.value, sizeof(p.value), "%u", value);
	buf_init(&p.result, MAP_RESULT_MAX);
	err = mem_run(g->w, put_task, &p);
	if (err == ERR_OK)
		ck_assert(bytes_equal(buf_bytes(&p.result), TEXT(p.value)));
	buf_fini(&p.result);
	return err;
}

struct getting {
	struct map *map;
	struct map_view *view; /* NULL: the current one */
	const char *key;
	char value[32];
};

static int
get_task(void *arg)
{
	struct getting *t = arg;
	struct map_view *v = t->view;
	struct buf value;
	int err = ERR_OK;

	if (v == NULL)
		err = map_view(t->map, MAP_CURRENT, &v);
	if (err != ERR_OK)
		return err;
	buf_init(&value, KV_VALUE_MAX);
	err = kv_get(map_view_kv(v), TEXT(t->key), &value);
	snprintf(t->value, sizeof(t->value), "%s", buf_str(&value));
	buf_fini(&value);
	if (t->view == NULL)
		map_view_release(v);
	return err;
}

static int
get(struct gateway *g, struct map_view *v, const char *key, unsigned want)
{
	struct getting t = { .map = g->map, .view = v, .key = key };
	char text[16];
	int err = mem_run(g->w, get_task, &t);

	snprintf(text, sizeof(text), "%u", want);
	if (err == ERR_OK)
		ck_assert_str_eq(t.value, text);
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

struct viewing {
	struct map *map;
	struct map_view *view;
};

static int
view_task(void *arg)
{
	struct viewing *v = arg;

	return map_view(v->map, MAP_CURRENT, &v->view);
}

static struct map_view *
view(struct gateway *g)
{
	struct viewing v = { .map = g->map };

	ck_assert_int_eq(mem_run(g->w, view_task, &v), ERR_OK);
	return v.view;
}

/* ---- death ---- */

#define PUTS 60

/* Puts, checkpoints in between; how many were acknowledged before it died. */
static unsigned
live(struct gateway *g, bool *finished)
{
	char key[16];

	*finished = false;
	for (unsigned i = 0; i < PUTS; i++) {
		snprintf(key, sizeof(key), "k%u", i * 7 % PUTS);
		if (put(g, key, i) != ERR_OK)
			return i;
		if ((i == 15 || i == 40) && checkpoint(g) != ERR_OK)
			return i + 1;
	}
	*finished = checkpoint(g) == ERR_OK;
	return PUTS;
}

static void
all_there(struct gateway *g, unsigned acknowledged)
{
	char key[16];

	for (unsigned i = 0; i < acknowledged; i++) {
		snprintf(key, sizeof(key), "k%u", i * 7 % PUTS);
		ck_assert_int_eq(get(g, NULL, key, i), ERR_OK);
	}
}

START_TEST(what_was_acknowledged_outlives_its_gateway)
{
	uint64_t at = 1;
	bool finished;

	do {
		struct mem_world *w = mem_world_new(at);
		struct map_opts opts = { .page_bytes = 200, .checkpoint_after = UINT64_MAX };
		struct gateway *g = gateway_open(w, &opts);
		unsigned acknowledged;

		g->dies_at = at++;
		acknowledged = live(g, &finished);
		gateway_close(g);
		g = gateway_open(w, NULL);
		all_there(g, acknowledged);
		ck_assert_int_eq(put(g, "after", 1), ERR_OK);
		ck_assert_int_eq(checkpoint(g), ERR_OK);
		ck_assert_int_eq(put(g, "after", 2), ERR_OK);
		gateway_close(g);
		g = gateway_open(w, NULL);
		all_there(g, acknowledged);
		ck_assert_int_eq(get(g, NULL, "after", 2), ERR_OK);
		gateway_close(g);
		mem_world_free(w);
	} while (!finished);
	ck_assert_uint_gt(at, 2 * PUTS / 2);
}
END_TEST

/* ---- unknown fate ---- */

struct meanwhile {
	struct gateway *other;
	unsigned checkpoints;
	bool done;
};

/* The proposal was chosen; and before its writer looks again, another one makes checkpoints. */
static void
others_go_on(void *arg)
{
	struct meanwhile *h = arg;
	struct putting p = { .map = h->other->map };

	if (h->done)
		return;
	h->done = true;
	h->other->w->unknown = 0;
	mem_settle(h->other->w, true);
	buf_init(&p.result, MAP_RESULT_MAX);
	for (unsigned i = 0; i < h->checkpoints; i++) {
		snprintf(p.key, sizeof(p.key), "other%u", i);
		snprintf(p.value, sizeof(p.value), "1");
		ck_assert_int_eq(put_task(&p), ERR_OK);
		ck_assert_int_eq(map_checkpoint(h->other->map), ERR_OK);
	}
	buf_fini(&p.result);
}

START_TEST(it_is_found_in_the_last_two_snapshots)
{
	for (unsigned checkpoints = 0; checkpoints < 5; checkpoints++) {
		struct mem_world *w = mem_world_new(checkpoints);
		struct gateway *a = gateway_open(w, NULL), *b = gateway_open(w, NULL);
		struct meanwhile h = { b, checkpoints, false };

		ck_assert_int_eq(put(a, "first", 1), ERR_OK);
		w->on_unknown = others_go_on;
		w->on_unknown_arg = &h;
		w->unknown = 1000;
		ck_assert_int_eq(put(a, "x", 7), checkpoints <= 2 ? ERR_OK : ERR_UNKNOWN);
		ck_assert(h.done);
		ck_assert_int_eq(get(b, NULL, "x", 7), ERR_OK);
		gateway_close(a);
		gateway_close(b);
		mem_world_free(w);
	}
}
END_TEST

/* ---- chunks that are gone ---- */

/* Whatever is stored now goes; what is put later stays. */
static void
lose_all(struct mem_world *w)
{
	for (struct mem_chunk *c = w->chunks; c != NULL; c = c->next)
		c->ref.id.b[0] ^= 0xff;
}

START_TEST(a_view_goes_on_where_a_newer_snapshot_serves)
{
	struct mem_world *w = mem_world_new(8);
	struct map_opts opts = { .memory_bytes = 1, .checkpoint_after = UINT64_MAX };
	struct gateway *a = gateway_open(w, &opts), *b = gateway_open(w, NULL);
	struct map_view *before, *after;

	ck_assert_int_eq(put(b, "x", 1), ERR_OK);
	ck_assert_int_eq(put(b, "y", 2), ERR_OK);
	ck_assert_int_eq(checkpoint(b), ERR_OK);
	before = view(a);
	ck_assert_int_eq(get(a, before, "x", 1), ERR_OK);
	ck_assert_int_eq(put(b, "x", 3), ERR_OK);
	after = view(a);
	/* All that the first snapshot had goes, when the second has replaced it. */
	ck_assert_int_eq(get(b, NULL, "x", 3), ERR_OK);
	ck_assert_int_eq(get(b, NULL, "y", 2), ERR_OK);
	lose_all(w);
	ck_assert_int_eq(checkpoint(b), ERR_OK);
	/* The page that it read last is still pinned. */
	ck_assert_int_eq(get(a, before, "x", 1), ERR_OK);
	map_view_release(before);
	ck_assert_int_eq(get(a, after, "y", 2), ERR_OK);
	ck_assert_int_eq(get(a, after, "x", 3), ERR_OK);
	map_view_release(after);
	before = view(a);
	ck_assert_int_eq(put(b, "y", 4), ERR_OK);
	ck_assert_int_eq(get(b, NULL, "x", 3), ERR_OK);
	lose_all(w);
	ck_assert_int_eq(checkpoint(b), ERR_OK);
	ck_assert_int_eq(get(a, before, "y", 2), ERR_STALE);
	map_view_release(before);
	ck_assert_int_eq(get(a, NULL, "y", 4), ERR_OK);
	lose_all(w);
	gateway_close(a);
	a = gateway_open(w, &opts);
	ck_assert_int_eq(get(a, NULL, "y", 4), ERR_UNREACHABLE);
	gateway_close(a);
	gateway_close(b);
	mem_world_free(w);
}
END_TEST

static int
forget(void *arg, const struct chunk_ref *refs, size_t count)
{
	struct mem_world *w = arg;

	for (size_t i = 0; i < count; i++) {
		struct mem_chunk *c = mem_chunk_find(w, &refs[i].id);

		ck_assert_ptr_nonnull(c);
		c->discarded = true;
		buf_fini(&c->data);
	}
	return ERR_OK;
}

static size_t
discarded(struct mem_world *w)
{
	size_t count = 0;

	for (struct mem_chunk *c = w->chunks; c != NULL; c = c->next)
		count += c->discarded;
	return count;
}

/* Its pages stay for three more checkpoints; then they are let go, and all that went with them. */
START_TEST(an_old_view_finds_its_pages)
{
	struct mem_world *w = mem_world_new(12);
	struct map_opts opts = {
		.memory_bytes = 1, .checkpoint_after = UINT64_MAX, .discard = { forget, w }
	};
	struct gateway *a = gateway_open(w, &opts), *b = gateway_open(w, &opts);
	struct map_view *old;

	w->strict = true;
	ck_assert_int_eq(put(b, "x", 1), ERR_OK);
	ck_assert_int_eq(checkpoint(b), ERR_OK);
	old = view(a);
	for (unsigned i = 2; i < 5; i++) {
		ck_assert_int_eq(put(b, "x", i), ERR_OK);
		ck_assert_int_eq(checkpoint(b), ERR_OK);
		ck_assert_uint_eq(discarded(w), 0);
	}
	ck_assert_int_eq(get(a, old, "x", 1), ERR_OK);
	map_view_release(old);
	ck_assert_int_eq(put(b, "x", 5), ERR_OK);
	ck_assert_int_eq(checkpoint(b), ERR_OK);
	/* Of the first snapshot page, list, root. */
	ck_assert_uint_eq(discarded(w), 3);
	ck_assert_int_eq(put(b, "x", 6), ERR_OK);
	ck_assert_int_eq(checkpoint(b), ERR_OK);
	ck_assert_uint_eq(discarded(w), 7); /* … and ids, which two snapshots name */
	gateway_close(a);
	a = gateway_open(w, &opts);
	ck_assert_int_eq(get(a, NULL, "x", 6), ERR_OK);
	gateway_close(a);
	gateway_close(b);
	mem_world_free(w);
}
END_TEST

/* ---- the cache ---- */

static int
count_name(void *arg, const char *name)
{
	/* Beside the chunks lies the head (map_kept.h). */
	*(size_t *)arg += strlen(name) == 64;
	return ERR_OK;
}

static size_t
cached_files(struct mem_world *w)
{
	size_t count = 0;

	ck_assert_int_eq(disk_list(w->env->disk, "cache", count_name, &count), ERR_OK);
	return count;
}

static int
spoil(void *arg, const char *name)
{
	struct mem_world *w = arg;
	char path[128];
	struct file *f;

	snprintf(path, sizeof(path), "cache/%s", name);
	ck_assert_int_eq(disk_open(w->env->disk, path, FILE_WRITE, &f), ERR_OK);
	if (mem_draw(w, 2) == 0)
		ck_assert_int_eq(file_truncate(f, 30), ERR_OK);
	else
		ck_assert_int_eq(file_write(f, 50, "spoilt", 6), ERR_OK);
	file_close(f);
	return ERR_OK;
}

static void
fill(struct gateway *g, unsigned count)
{
	char key[16];

	for (unsigned i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "key-%05u", i);
		ck_assert_int_eq(put(g, key, i), ERR_OK);
	}
	ck_assert_int_eq(checkpoint(g), ERR_OK);
}

static void
look(struct gateway *g, unsigned count)
{
	char key[16];

	for (unsigned i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "key-%05u", i);
		ck_assert_int_eq(get(g, NULL, key, i), ERR_OK);
	}
}

static struct map_opts
with_cache(uint64_t bytes)
{
	return (struct map_opts){ .page_bytes = 300,
		.checkpoint_after = UINT64_MAX,
		.cache_dir = "cache",
		.cache_bytes = bytes,
		.memory_bytes = 1 };
}

START_TEST(the_cache_is_no_more_than_that)
{
	struct mem_world *w = mem_world_new(9);
	struct map_opts opts = with_cache(MIB(1));
	struct gateway *g = gateway_open(w, &opts);
	struct map_sight sight;

	fill(g, 100);
	look(g, 100);
	ck_assert_uint_gt(cached_files(w), 8);
	gateway_close(g);
	/* All from the directory. */
	g = gateway_open(w, &opts);
	look(g, 100);
	map_sight(g->map, &sight);
	ck_assert_uint_eq(sight.fetched_bytes, 0);
	gateway_close(g);
	/* Cut or altered files are fetched again. */
	ck_assert_int_eq(disk_list(w->env->disk, "cache", spoil, w), ERR_OK);
	g = gateway_open(w, &opts);
	look(g, 100);
	map_sight(g->map, &sight);
	ck_assert_uint_gt(sight.fetched_bytes, 0);
	/* A full disk, or one that fails, is nobody's concern. */
	sim_disk_arm(sim_node_disk(w->env), &(struct sim_disk_fault){ .at = 1,
						.ops = SIM_DISK_WRITE | SIM_DISK_CREATE,
						.forever = true,
						.err = ERR_NO_SPACE });
	fill(g, 100);
	look(g, 100);
	gateway_close(g);
	g = gateway_open(w, &opts);
	look(g, 100);
	sim_disk_arm(sim_node_disk(w->env), NULL);
	gateway_close(g);
	/* It does not grow beyond its bound. */
	opts = with_cache(1500);
	g = gateway_open(w, &opts);
	fill(g, 100);
	look(g, 100);
	map_sight(g->map, &sight);
	ck_assert_uint_le(sight.cached_files, 8);
	ck_assert_uint_eq(sight.cached_files, cached_files(w));
	gateway_close(g);
	mem_world_free(w);
}
END_TEST

/* ---- a large one ---- */

struct large {
	struct gateway *g;
	uint64_t entries, per_txn, at;
	bool scattered;
	uint64_t listed, first_ns, got;
};

static uint64_t
place_of(const struct large *l, uint64_t i)
{
	/* Odd, so that every place is taken once where the number of places is a power of two. */
	return l->scattered ? i * UINT64_C(0x9e3779b97f4a7c15) >> 20 : i;
}

static void
large_entry(const struct large *l, uint64_t i, char key[64], uint8_t value[300])
{
	uint64_t x = i * UINT64_C(0x9e3779b97f4a7c15) + 1;

	snprintf(key, 64, "v/bucket/%011llu", (unsigned long long)place_of(l, i));
	/* As an entry: some names and zeros, half of it keys and hashes. */
	memset(value, 0, 300);
	snprintf(
	    (char *)value, 100, "application/octet-stream\"size\":%llu", (unsigned long long)i);
	for (size_t b = 100; b < 250; b++) {
		x = x * UINT64_C(6364136223846793005) + 1442695040888963407;
		value[b] = (uint8_t)(x >> 56);
	}
}

static int
large_fn(void *arg, struct kv *txn)
{
	struct large *l = arg;
	uint8_t value[300];
	char key[64];
	int err = ERR_OK;

	for (uint64_t i = l->at; err == ERR_OK && i < MIN(l->at + l->per_txn, l->entries); i++) {
		large_entry(l, i, key, value);
		err = kv_put(txn, TEXT(key), bytes_of(value, sizeof(value)));
	}
	return err;
}

static int
large_write(void *arg)
{
	struct large *l = arg;
	int err = ERR_OK;

	for (; err == ERR_OK && l->at < l->entries; l->at += l->per_txn)
		err = map_update(l->g->map, large_fn, l);
	return err != ERR_OK ? err : map_checkpoint(l->g->map);
}

static int
large_list(void *arg)
{
	struct large *l = arg;
	uint64_t began = env_now(l->g->w->env);
	struct map_view *v;
	struct buf key, value;
	int err = map_view(l->g->map, MAP_CURRENT, &v);

	ck_assert_int_eq(err, ERR_OK);
	buf_init(&key, KV_KEY_MAX + 1);
	buf_init(&value, KV_VALUE_MAX);
	for (err = kv_seek(map_view_kv(v), TEXT(""), &key, &value); err == ERR_OK;
	     err = kv_next(map_view_kv(v), &key, &value)) {
		if (l->listed++ == 0)
			l->first_ns = env_now(l->g->w->env) - began;
	}
	ck_assert_int_eq(err, ERR_NOT_FOUND);
	buf_fini(&key);
	buf_fini(&value);
	map_view_release(v);
	return ERR_OK;
}

static int
large_get(void *arg)
{
	struct large *l = arg;
	struct map_view *v;
	struct buf found;
	uint8_t value[300];
	char key[64];

	ck_assert_int_eq(map_view(l->g->map, MAP_ANY, &v), ERR_OK);
	buf_init(&found, KV_VALUE_MAX);
	for (; l->got < 1000; l->got++) {
		large_entry(l, l->got * 7919 % l->entries, key, value);
		ck_assert_int_eq(kv_get(map_view_kv(v), TEXT(key), &found), ERR_OK);
		ck_assert(bytes_equal(buf_bytes(&found), bytes_of(value, sizeof(value))));
	}
	buf_fini(&found);
	map_view_release(v);
	return ERR_OK;
}

static void
tell(const struct large *l, const struct map_sight *s, uint64_t plain)
{
	double of = 100.0 / (double)plain;

	if (getenv("SKERRY_MAP_BIG") == NULL)
		return;
	printf("%llu entries, %s: %.1f MB written by users, %llu commits, %llu checkpoints\n",
	    (unsigned long long)l->entries, l->scattered ? "scattered" : "in order",
	    (double)plain / 1e6, (unsigned long long)s->commits,
	    (unsigned long long)s->own_checkpoints);
	printf("  sealed, in %% of that: records %.0f, logs %.0f, roots %.0f, pages %.0f, "
	       "lists %.1f\n",
	    (double)s->written_records * of, (double)s->written_logs * of,
	    (double)s->written_roots * of, (double)s->written_pages * of,
	    (double)s->written_lists * of);
	printf("  snapshot: %llu pages, %.1f MB, %.1f MB sealed; %llu retired\n",
	    (unsigned long long)s->pages, (double)s->page_plain_bytes / 1e6,
	    (double)s->page_bytes / 1e6, (unsigned long long)s->retired);
}

/* A task, and the CPU that it took. */
static double
cpu_of(struct mem_world *w, int (*fn)(void *arg), void *arg)
{
	clock_t began = clock();

	ck_assert_int_eq(sim_run_task(w->sim, w->env, fn, arg), ERR_OK);
	return (double)(clock() - began) / CLOCKS_PER_SEC;
}

static void
large(uint64_t entries, bool scattered, const struct map_opts *base)
{
	struct mem_world *w = mem_world_new(11);
	struct map_opts opts = *base;
	struct large l = { .entries = entries, .per_txn = 200, .scattered = scattered };
	struct map_sight sight;
	double writing, listing, getting;
	uint64_t listed_ns;

	opts.discard.fn = forget;
	opts.discard.arg = w;
	w->chunk_latency = MILLISECONDS(50);
	l.g = gateway_open(w, &opts);
	writing = cpu_of(w, large_write, &l);
	map_sight(l.g->map, &sight);
	tell(&l, &sight, entries * (sizeof("v/bucket/00000000000") + 299));
	gateway_close(l.g);
	/* Another one, with nothing: the first entry is there long before all pages are. */
	w->strict = true;
	l.g = gateway_open(w, &opts);
	listed_ns = sim_now(w->sim);
	listing = cpu_of(w, large_list, &l);
	listed_ns = sim_now(w->sim) - listed_ns;
	ck_assert_uint_eq(l.listed, entries);
	/* Pages are fetched ahead: much faster than one after the other. */
	map_sight(l.g->map, &sight);
	ck_assert_uint_lt(listed_ns, sight.pages * w->chunk_latency / 4 + MILLISECONDS(300));
	ck_assert_uint_lt(l.first_ns, 8 * w->chunk_latency);
	getting = cpu_of(w, large_get, &l);
	map_sight(l.g->map, &sight);
	ck_assert_uint_le(sight.cached_bytes, opts.memory_bytes);
	if (getenv("SKERRY_MAP_BIG") != NULL)
		printf("  CPU: %.1f us an entry written, %.2f listed from nothing, %.0f us a "
		       "random get "
		       "with 16 MiB of pages in memory\n",
		    writing * 1e6 / (double)entries, listing * 1e6 / (double)entries,
		    getting * 1e6 / 1000);
	gateway_close(l.g);
	mem_world_free(w);
}

START_TEST(large_ones)
{
	const char *text = getenv("SKERRY_MAP_BIG");
	uint64_t entries = text == NULL ? 20000 : strtoull(text, NULL, 10);
	struct map_opts opts = { .checkpoint_after = UINT64_MAX, .memory_bytes = MIB(16) };

	if (text == NULL) {
		opts.overlay_bytes = MIB(2);
		opts.page_bytes = KIB(64);
		opts.memory_bytes = MIB(1);
	}
	large(entries, false, &opts);
	large(entries, true, &opts);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/map faults");

	suite_add(s, "death", 60, what_was_acknowledged_outlives_its_gateway, NULL);
	suite_add(s, "unknown", 20, it_is_found_in_the_last_two_snapshots, NULL);
	suite_add(s, "chunks", 20, a_view_goes_on_where_a_newer_snapshot_serves,
	    an_old_view_finds_its_pages, NULL);
	suite_add(s, "cache", 20, the_cache_is_no_more_than_that, NULL);
	suite_add(s, "large", 1800, large_ones, NULL);
	return suite_main(s);
}
