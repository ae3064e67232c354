/*
 * What meets in a commit: transactions that see each other, more than fits, callers who do not wait
 * that long, a tail that is full while checkpoints go on; what stays in the air; pages that join;
 * another epoch.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/object/map_fixture.h"
#include "test/unit/suite.h"

#define TEXT(s) bytes_of(s, strlen(s))

/* ---- writers of chosen weight ---- */

struct writer {
	struct gateway *g;
	unsigned number, times;
	size_t bytes;
	uint64_t pause;
	int err;
};

static int
write_fn(void *arg, struct kv *txn)
{
	struct writer *x = arg;
	uint8_t *value = malloc(x->bytes);
	char key[32];
	int err;

	for (size_t i = 0; i < x->bytes; i++)
		value[i] = (uint8_t)mem_draw(x->g->w, 256);
	snprintf(key, sizeof(key), "w%02u-%03u", x->number, x->times);
	err = kv_put(txn, TEXT(key), bytes_of(value, x->bytes));
	free(value);
	return err;
}

static int
write_task(void *arg)
{
	struct writer *x = arg;

	while (x->err == ERR_OK && x->times > 0) {
		x->err = map_update(x->g->map, write_fn, x);
		x->times--;
		if (x->err == ERR_OK && x->pause > 0)
			x->err = task_sleep(x->g->w->env, x->pause);
	}
	return x->err;
}

struct crowd {
	struct writer *x;
	size_t count;
};

static int
crowd_task(void *arg)
{
	struct crowd *c = arg;
	struct task_group group;

	task_group_init(&group, c->x[0].g->w->env);
	for (size_t i = 0; i < c->count; i++)
		ck_assert_int_eq(task_spawn(&group, "write", write_task, &c->x[i]), ERR_OK);
	ck_assert_int_eq(task_group_wait(&group, 0), ERR_OK);
	task_group_fini(&group);
	return ERR_OK;
}

static int
count_keys(void *arg)
{
	struct gateway *g = arg;
	struct map_view *v;
	struct buf key;
	int count = 0, err;

	ck_assert_int_eq(map_view(g->map, MAP_CURRENT, &v), ERR_OK);
	buf_init(&key, KV_KEY_MAX + 1);
	for (err = kv_seek(map_view_kv(v), TEXT(""), &key, NULL); err == ERR_OK;
	     err = kv_next(map_view_kv(v), &key, NULL))
		count++;
	ck_assert_int_eq(err, ERR_NOT_FOUND);
	buf_fini(&key);
	map_view_release(v);
	return count;
}

/* More than a commit holds, more than a tail holds, while checkpoints come and go. */
START_TEST(heavy_writers_wait_for_each_other)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct mem_world *w = mem_world_new(seed);
		struct map_opts opts = { .checkpoint_after = SECONDS(1),
			.page_bytes = KIB(64),
			.overlay_bytes = seed % 2 == 0 ? KIB(600) : 0 };
		struct gateway *g[2] = { gateway_open(w, &opts), gateway_open(w, &opts) };
		struct writer x[8];
		struct map_sight sight[2];

		for (unsigned i = 0; i < ARRAY_LEN(x); i++)
			x[i] = (struct writer){ g[seed > 2 ? i % 2 : 0], i, 12,
				KIB(2 + 9 * (i % 7)), 0, ERR_OK };
		ck_assert_int_eq(
		    mem_run(w, crowd_task, &(struct crowd){ x, ARRAY_LEN(x) }), ERR_OK);
		for (unsigned i = 0; i < ARRAY_LEN(x); i++)
			ck_assert_int_eq(x[i].err, ERR_OK);
		ck_assert_int_eq(mem_run(w, count_keys, g[1]), 8 * 12);
		map_sight(g[0]->map, &sight[0]);
		map_sight(g[1]->map, &sight[1]);
		ck_assert_uint_gt(sight[0].own_checkpoints + sight[1].own_checkpoints, 0);
		gateway_close(g[0]);
		gateway_close(g[1]);
		g[0] = gateway_open(w, NULL);
		ck_assert_int_eq(mem_run(w, count_keys, g[0]), 8 * 12);
		gateway_close(g[0]);
		mem_world_free(w);
	}
}
END_TEST

/* ---- callers with little time ---- */

struct hurried {
	struct writer x;
	uint64_t time, took;
};

static int
hurried_task(void *arg)
{
	struct hurried *h = arg;
	struct env *env = h->x.g->w->env;
	uint64_t began = env_now(env);

	task_deadline(env, began + h->time);
	h->x.err = map_update(h->x.g->map, write_fn, &h->x);
	h->took = env_now(env) - began;
	return ERR_OK;
}

static int
hurry_task(void *arg)
{
	struct hurried *h = arg;
	struct env *env = h[0].x.g->w->env;
	struct task_group group;

	task_group_init(&group, env);
	/* The first two are taken by a commit, the third one comes while it goes on. */
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(task_spawn(&group, "write", hurried_task, &h[i]), ERR_OK);
		if (i == 1)
			ck_assert_int_eq(task_sleep(env, MILLISECONDS(20)), ERR_OK);
	}
	ck_assert_int_eq(task_group_wait(&group, 0), ERR_OK);
	task_group_fini(&group);
	return ERR_OK;
}

START_TEST(who_leaves_the_queue_has_written_nothing)
{
	struct mem_world *w = mem_world_new(5);
	struct gateway *g = gateway_open(w, NULL);
	struct hurried h[3];

	w->head_latency = SECONDS(1);
	for (unsigned i = 0; i < 3; i++)
		h[i] = (struct hurried){ { g, i, 1, 100, 0, ERR_OK },
			i == 0 ? MINUTES(1) : MILLISECONDS(40), 0 };
	ck_assert_int_eq(mem_run(w, hurry_task, h), ERR_OK);
	ck_assert_int_eq(h[0].x.err, ERR_OK);
	/* In the middle of a commit it is waited for: the answer is true, though late. */
	ck_assert_int_eq(h[1].x.err, ERR_OK);
	ck_assert_uint_gt(h[1].took, MILLISECONDS(50));
	ck_assert_int_eq(h[2].x.err, ERR_TIMEOUT);
	ck_assert_uint_lt(h[2].took, MILLISECONDS(50));
	ck_assert_int_eq(mem_run(w, count_keys, g), 2);
	/* Its deadline was not the committer's. */
	h[0].x.times = 2;
	ck_assert_int_eq(mem_run(w, write_task, &h[0].x), ERR_OK);
	ck_assert_int_eq(mem_run(w, count_keys, g), 3);
	gateway_close(g);
	mem_world_free(w);
}
END_TEST

/* ---- transactions that see each other ---- */

struct deed {
	struct gateway *g;
	const char *put, *del; /* NULL: not */
	const char *want;      /* all keys that it then sees, each followed by a blank */
	size_t puts, dels;     /* numbered ones */
};

static int
deed_fn(void *arg, struct kv *txn)
{
	struct deed *d = arg;
	char text[256] = "", name[32];
	struct buf key;
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < d->puts; i++) {
		snprintf(name, sizeof(name), "n%04zu", i);
		err = kv_put(txn, TEXT(name), TEXT("v"));
	}
	for (size_t i = 0; err == ERR_OK && i < d->dels; i++) {
		snprintf(name, sizeof(name), "n%04zu", i);
		err = kv_del(txn, TEXT(name));
	}
	if (err == ERR_OK && d->put != NULL)
		err = kv_put(txn, TEXT(d->put), TEXT("v"));
	if (err == ERR_OK && d->del != NULL)
		err = kv_del(txn, TEXT(d->del));
	if (err != ERR_OK || d->want == NULL)
		return err;
	buf_init(&key, KV_KEY_MAX + 1);
	for (err = kv_seek(txn, TEXT(""), &key, NULL); err == ERR_OK;
	     err = kv_next(txn, &key, NULL)) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, "%s ", buf_str(&key));
	}
	buf_fini(&key);
	ck_assert_str_eq(text, d->want);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
deed_task(void *arg)
{
	struct deed *d = arg;

	return map_update(d->g->map, deed_fn, d);
}

static int
deeds_task(void *arg)
{
	struct deed *d = arg;
	struct task_group group;

	task_group_init(&group, d[0].g->w->env);
	for (; d->g != NULL; d++)
		ck_assert_int_eq(task_spawn(&group, "deed", deed_task, d), ERR_OK);
	ck_assert_int_eq(task_group_wait(&group, 0), ERR_OK);
	task_group_fini(&group);
	return ERR_OK;
}

START_TEST(transactions_of_one_commit_see_each_other)
{
	struct mem_world *w = mem_world_new(6);
	struct gateway *g = gateway_open(w, NULL);
	struct map_sight sight;
	struct deed first = { .g = g, .put = "b" };
	struct deed d[] = {
		{ .g = g, .put = "a", .want = "a b " },
		{ .g = g, .del = "b", .want = "a " },
		{ .g = g, .put = "c", .del = "a", .want = "c " },
		{ .g = g, .want = "c " },
		{ .g = NULL },
	};

	ck_assert_int_eq(mem_run(w, deed_task, &first), ERR_OK);
	ck_assert_int_eq(mem_run(w, deeds_task, d), ERR_OK);
	map_sight(g->map, &sight);
	ck_assert_uint_eq(sight.commits, 2);
	ck_assert_int_eq(mem_run(w, count_keys, g), 1);
	/* A result is bounded, and no view has one. */
	first.want = "b c ";
	ck_assert_int_eq(mem_run(w, deed_task, &first), ERR_OK);
	gateway_close(g);
	mem_world_free(w);
}
END_TEST

/* ---- what stays in the air ---- */

struct attempt {
	struct gateway *g, *other; /* other: commits as soon as the first proposal is in the air */
	unsigned runs;
	bool refused; /* the first proposal, and the commit goes on; else it ends unknown */
	int second;   /* what its second run ends with, having written nothing */
	size_t heavy; /* written from the second run on, beside the key */
	unsigned fail, fail_late; /* of commits after the first */
	const char *key;
	int err;
};

static int
attempt_fn(void *arg, struct kv *txn)
{
	struct attempt *a = arg;
	uint8_t *value;
	int err;

	a->runs++;
	if (a->runs == 2 && a->refused) {
		a->g->w->unknown = 1000; /* nobody takes the head again under the next ballot */
		a->g->w->refused = 0;
		a->g->w->fail = a->fail;
	}
	if (a->runs == 2 && a->second != ERR_OK)
		return a->second;
	err = kv_put(txn, TEXT(a->key), TEXT("v"));
	if (a->runs == 1 || a->heavy == 0)
		return err;
	value = malloc(a->heavy);
	for (size_t i = 0; i < a->heavy; i++)
		value[i] = (uint8_t)mem_draw(a->g->w, 256);
	for (size_t i = 0; err == ERR_OK && i < a->heavy; i += KV_VALUE_MAX) {
		char key[32];

		snprintf(key, sizeof(key), "heavy%04zu", i / KV_VALUE_MAX);
		err = kv_put(
		    txn, TEXT(key), bytes_of(value + i, MIN(a->heavy - i, (size_t)KV_VALUE_MAX)));
	}
	free(value);
	return err;
}

static int
attempt_task(void *arg)
{
	struct attempt *a = arg;

	a->err = map_update(a->g->map, attempt_fn, a);
	return ERR_OK;
}

static void
in_the_air(void *arg)
{
	struct attempt *a = arg;
	struct mem_world *w = a->g->w;

	w->unknown = 0;
	w->on_unknown = NULL;
	if (a->other != NULL) {
		struct deed d = { .g = a->other, .put = "other" };

		ck_assert_int_eq(deed_task(&d), ERR_OK);
	}
	w->fail = a->fail;
	w->fail_late = a->fail_late;
}

/* Its first proposal is left with one whom nobody asks. */
static int
attempt(struct attempt *a)
{
	struct mem_world *w = a->g->w;

	w->unseen = 1000;
	if (a->refused) {
		w->refused = 1000;
	} else {
		w->unknown = 1000;
		w->on_unknown = in_the_air;
		w->on_unknown_arg = a;
	}
	ck_assert_int_eq(mem_run(w, attempt_task, a), ERR_OK);
	w->fail = w->fail_late = w->unknown = w->unseen = 0;
	return a->err;
}

/* In the end somebody finds the proposal and brings it to its end, or nobody can any more. */
static bool
comes_after_all(struct gateway *g, const char *key)
{
	struct deed d = { .g = g };
	char want[32];
	bool floated = g->w->floats;

	mem_settle(g->w, true);
	snprintf(want, sizeof(want), "%s ", key);
	d.want = floated ? want : "";
	ck_assert_int_eq(mem_run(g->w, deed_task, &d), ERR_OK);
	return floated;
}

/* Another try that ends without a word on it does not end it. */
START_TEST(what_is_in_the_air_is_unknown)
{
	struct attempt how[] = {
		{ .fail = 1000 },
		{ .fail_late = 1000 },
		{ .second = ERR_UNREACHABLE, .fail_late = 1000 },
		{ .heavy = MAP_TXN_BYTES_MAX / 2, .fail_late = 1000 },
		{ .refused = true, .second = ERR_EXISTS, .fail = 1000 },
	};

	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		struct mem_world *w = mem_world_new(20 + i);

		how[i].g = gateway_open(w, NULL);
		how[i].key = "x";
		ck_assert_int_eq(attempt(&how[i]), ERR_UNKNOWN);
		ck_assert(comes_after_all(how[i].g, "x"));
		gateway_close(how[i].g);
		mem_world_free(w);
	}
}
END_TEST

/* Told that nothing was written: so it stays. */
START_TEST(what_is_declined_never_comes)
{
	struct mem_world *w = mem_world_new(31);
	struct attempt a = { .g = gateway_open(w, NULL), .key = "x", .second = ERR_EXISTS };

	ck_assert_int_eq(attempt(&a), ERR_EXISTS);
	ck_assert_uint_eq(a.runs, 2);
	ck_assert(!comes_after_all(a.g, "x"));
	gateway_close(a.g);
	mem_world_free(w);
}
END_TEST

/* Another head at its place: it never comes, and no more is unknown. */
START_TEST(what_was_overtaken_has_failed)
{
	struct mem_world *w = mem_world_new(32);
	struct attempt a = { .g = gateway_open(w, NULL), .key = "x", .fail_late = 1000 };

	a.other = gateway_open(w, NULL);
	ck_assert_int_eq(attempt(&a), ERR_UNREACHABLE);
	mem_settle(w, true);
	ck_assert_int_eq(mem_run(w, count_keys, a.g), 1);
	gateway_close(a.other);
	gateway_close(a.g);
	mem_world_free(w);
}
END_TEST

static int
checkpoint_task(void *arg)
{
	return map_checkpoint(arg);
}

/* Deleted keys are passed over, in overlay and pages; what is left of pages joins. */
START_TEST(what_is_left_of_pages_joins)
{
	struct mem_world *w = mem_world_new(7);
	struct gateway *g = gateway_open(w, NULL);
	struct deed fill = { .g = g, .puts = 1000, .put = "z" }, clear = { .g = g, .dels = 990 };
	struct map_sight sight;

	ck_assert_int_eq(mem_run(w, deed_task, &fill), ERR_OK);
	ck_assert_int_eq(mem_run(w, checkpoint_task, g->map), ERR_OK);
	map_sight(g->map, &sight);
	ck_assert_uint_ge(sight.pages, 5);
	ck_assert_int_eq(mem_run(w, deed_task, &clear), ERR_OK);
	ck_assert_int_eq(mem_run(w, count_keys, g), 11);
	ck_assert_int_eq(mem_run(w, checkpoint_task, g->map), ERR_OK);
	map_sight(g->map, &sight);
	ck_assert_uint_eq(sight.pages, 1);
	ck_assert_int_eq(mem_run(w, count_keys, g), 11);
	/* The end goes: what is left of the last page joins the one before. */
	ck_assert_int_eq(mem_run(w, deed_task, &fill), ERR_OK);
	ck_assert_int_eq(mem_run(w, checkpoint_task, g->map), ERR_OK);
	clear = (struct deed){ .g = g, .put = "zz" };
	for (int i = 999; i > 850; i--) {
		char name[16];

		snprintf(name, sizeof(name), "n%04d", i);
		clear.del = name;
		ck_assert_int_eq(mem_run(w, deed_task, &clear), ERR_OK);
		clear.put = NULL;
		if (i % 10 == 0)
			ck_assert_int_eq(mem_run(w, checkpoint_task, g->map), ERR_OK);
	}
	ck_assert_int_eq(mem_run(w, count_keys, g), 853);
	gateway_close(g);
	g = gateway_open(w, NULL);
	ck_assert_int_eq(mem_run(w, count_keys, g), 853);
	gateway_close(g);
	mem_world_free(w);
}
END_TEST

/* ---- recovery ---- */

static int
view_task(void *arg)
{
	struct gateway *g = ((void **)arg)[0];

	return map_view(g->map, MAP_CURRENT, &((struct map_view **)arg)[1]);
}

/* The owner begins another epoch from the last checkpoint: commits behind it are lost. */
START_TEST(another_epoch_begins_from_a_root)
{
	struct mem_world *w = mem_world_new(8);
	struct gateway *g = gateway_open(w, NULL);
	struct deed d = { .g = g, .puts = 5 };
	void *view[2] = { g, NULL };

	ck_assert_int_eq(mem_run(w, deed_task, &d), ERR_OK);
	ck_assert_int_eq(mem_run(w, checkpoint_task, g->map), ERR_OK);
	d = (struct deed){ .g = g, .put = "lost" };
	ck_assert_int_eq(mem_run(w, deed_task, &d), ERR_OK);
	ck_assert_int_eq(mem_run(w, view_task, view), ERR_OK);
	ck_assert_int_eq(mem_run(w, count_keys, g), 6);
	w->now.head.epoch++;
	w->now.head.id.b[0] ^= 1;
	w->now.head.segments = 0;
	w->now.head.tail_bytes = 0;
	ck_assert_int_eq(mem_run(w, count_keys, g), 5);
	ck_assert_int_eq(kv_get(map_view_kv(view[1]), TEXT("lost"), NULL), ERR_OK);
	d.put = "new";
	ck_assert_int_eq(mem_run(w, deed_task, &d), ERR_OK);
	ck_assert_int_eq(mem_run(w, count_keys, g), 6);
	ck_assert_int_eq(kv_get(map_view_kv(view[1]), TEXT("lost"), NULL), ERR_OK);
	map_view_release(view[1]);
	ck_assert_int_eq(mem_run(w, checkpoint_task, g->map), ERR_OK);
	ck_assert_int_eq(mem_run(w, count_keys, g), 6);
	gateway_close(g);
	mem_world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/map commits");

	suite_add(s, "commits", 30, heavy_writers_wait_for_each_other,
	    who_leaves_the_queue_has_written_nothing, transactions_of_one_commit_see_each_other,
	    NULL);
	suite_add(s, "in the air", 20, what_is_in_the_air_is_unknown, what_is_declined_never_comes,
	    what_was_overtaken_has_failed, NULL);
	suite_add(
	    s, "state", 20, what_is_left_of_pages_joins, another_epoch_begins_from_a_root, NULL);
	return suite_main(s);
}
