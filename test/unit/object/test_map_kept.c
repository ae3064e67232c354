/*
 * Without a quorum: what was committed and seen here is told, with the time of it, by a map that
 * knows it and by one that finds it in the cache directory; nothing else is, and nothing of it once
 * a quorum answers again.
 */
#include <stdio.h>

#include "test/unit/object/map_words.h"
#include "test/unit/suite.h"

static const char kept_path[] = "cache/head";

static const struct map_opts with_cache = {
	.page_bytes = 2000, .checkpoint_after = UINT64_MAX, .cache_dir = "cache"
};

struct recall {
	struct get_text get;
	struct env *env;
	uint64_t took, sleep;
};

static struct recall
recall_of(struct gateway *g, uint64_t pause)
{
	return (struct recall){
		.get = { .map = g->map, .fresh = MAP_RECALL, .key = "x" },
		.env = g->w->env,
		.sleep = pause,
	};
}

static int
recall_task(void *arg)
{
	struct recall *t = arg;
	uint64_t began;
	int err = t->sleep == 0 ? ERR_OK : task_sleep(t->env, t->sleep);

	began = env_now(t->env);
	if (err == ERR_OK)
		err = get_text_task(&t->get);
	t->took = env_now(t->env) - began;
	return err;
}

/* After a pause. want: what x is. stale: whether the answer says that it is old. */
static void
check_recall(struct gateway *g, uint64_t pause, const char *want, bool stale)
{
	struct recall t = recall_of(g, pause);

	ck_assert_int_eq(mem_run(g->w, recall_task, &t), ERR_OK);
	ck_assert_str_eq(t.get.value, want);
	ck_assert_int_eq(t.get.stale_ms != 0, stale);
}

START_TEST(what_is_known_is_told_as_old)
{
	struct mem_world *w = mem_world_new(1);
	struct gateway *a = gateway_open(w, NULL), *b = gateway_open(w, NULL);
	struct recall t = recall_of(a, 0);
	uint64_t before, after;

	/* Nothing is known: nothing is told. */
	w->unreachable = 1000;
	ck_assert_int_eq(mem_run(w, recall_task, &t), ERR_UNREACHABLE);
	w->unreachable = 0;
	before = env_wall_ms(w->env);
	ck_assert_int_eq(put_text(a, "x", "1"), ERR_OK);
	after = env_wall_ms(w->env);
	check_recall(a, SECONDS(20), "1", false);
	check_recall(b, 0, "1", false);
	ck_assert_int_eq(put_text(a, "x", "2"), ERR_OK);
	w->unreachable = w->fail = 1000;
	/* Each tells its own last state, and since when it may be old; nobody writes. */
	check_recall(b, SECONDS(60), "1", true);
	check_recall(a, 0, "2", true);
	t.sleep = SECONDS(5);
	ck_assert_int_eq(mem_run(w, recall_task, &t), ERR_OK);
	ck_assert_uint_ge(t.get.stale_ms, before + 20000);
	ck_assert_uint_le(t.get.stale_ms, after + 30000);
	ck_assert_int_eq(put_text(a, "x", "3"), ERR_UNREACHABLE);
	ck_assert_int_eq(get_text(a, MAP_CURRENT, "x", "2"), ERR_UNREACHABLE);
	/* Back: who comes first may be told the old, while it is asked beside; then no one. */
	w->unreachable = w->fail = 0;
	t.get.map = b->map;
	t.sleep = SECONDS(2);
	ck_assert_int_eq(mem_run(w, recall_task, &t), ERR_OK);
	check_recall(b, SECONDS(1), "2", false);
	ck_assert_int_eq(put_text(a, "x", "4"), ERR_OK);
	check_recall(b, 0, "4", false);
	gateway_close(a);
	gateway_close(b);
	mem_world_free(w);
}
END_TEST

/* While it is known to be away nobody waits for it. */
START_TEST(only_the_first_waits)
{
	struct mem_world *w = mem_world_new(2);
	struct gateway *a = gateway_open(w, NULL);
	struct recall t = recall_of(a, 0);

	ck_assert_int_eq(put_text(a, "x", "1"), ERR_OK);
	w->unreachable = 1000;
	w->head_latency = SECONDS(8);
	ck_assert_int_eq(mem_run(w, recall_task, &t), ERR_OK);
	ck_assert_uint_gt(t.took, 0);
	for (int i = 0; i < 20; i++) {
		t.sleep = SECONDS(2);
		ck_assert_int_eq(mem_run(w, recall_task, &t), ERR_OK);
		ck_assert_uint_eq(t.took, 0);
		ck_assert_uint_ne(t.get.stale_ms, 0);
	}
	gateway_close(a);
	mem_world_free(w);
}
END_TEST

/* Pages, log and tail: all is there again, from the directory and the peers' chunks. */
START_TEST(a_new_process_recalls_what_was_kept)
{
	struct mem_world *w = mem_world_new(3);
	struct gateway *a = gateway_open(w, &with_cache);
	struct recall t = recall_of(a, 0);
	char key[16];

	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(put_text(a, key, "v"), ERR_OK);
		if (i == 25)
			ck_assert_int_eq(checkpoint(a), ERR_OK);
	}
	ck_assert_int_eq(put_text(a, "x", "1"), ERR_OK);
	gateway_close(a);
	w->unreachable = w->fail = 1000;
	a = gateway_open(w, &with_cache);
	check_recall(a, SECONDS(100), "1", true);
	ck_assert_int_eq(get_text(a, MAP_ANY, "k0", "v"), ERR_OK);
	ck_assert_int_eq(get_text(a, MAP_ANY, "k49", "v"), ERR_OK);
	t.get.map = a->map;
	ck_assert_int_eq(mem_run(w, recall_task, &t), ERR_OK);
	ck_assert_uint_ge(env_wall_ms(w->env), t.get.stale_ms + 100000);
	/* It goes on from there when they answer. */
	w->unreachable = w->fail = 0;
	ck_assert_int_eq(put_text(a, "x", "2"), ERR_OK);
	check_recall(a, 0, "2", false);
	gateway_close(a);
	/* Of another bucket, or spoilt: nothing. */
	w->unreachable = w->fail = 1000;
	a = gateway_open(w, NULL);
	t.get.map = a->map;
	ck_assert_int_eq(mem_run(w, recall_task, &t), ERR_UNREACHABLE);
	gateway_close(a);
	mem_world_free(w);
}
END_TEST

static void
flip(struct disk *d, uint64_t at)
{
	struct file *f;
	uint8_t b;
	size_t got;

	ck_assert_int_eq(disk_open(d, kept_path, FILE_READ | FILE_WRITE, &f), ERR_OK);
	ck_assert_int_eq(file_read(f, at, &b, 1, &got), ERR_OK);
	ck_assert_uint_eq(got, 1);
	b ^= 1;
	ck_assert_int_eq(file_write(f, at, &b, 1), ERR_OK);
	file_close(f);
}

/* Whatever bit of it is wrong, it tells nothing; and it tells nobody who has not the secret. */
START_TEST(what_was_kept_is_sealed)
{
	struct mem_world *w = mem_world_new(4);
	struct gateway *a = gateway_open(w, &with_cache);
	struct recall t = recall_of(a, 0);
	struct file *f;
	uint64_t bytes;
	struct buf all;

	ck_assert_int_eq(put_text(a, "x", "SecretNameOfAnObject"), ERR_OK);
	gateway_close(a);
	ck_assert_int_eq(disk_open(w->env->disk, kept_path, FILE_READ, &f), ERR_OK);
	ck_assert_int_eq(file_size(f, &bytes), ERR_OK);
	file_close(f);
	buf_init(&all, MIB(1));
	ck_assert_int_eq(disk_read_file(w->env->disk, kept_path, &all), ERR_OK);
	ck_assert_ptr_null(memmem(all.data, all.len, "SecretName", 10));
	buf_fini(&all);
	w->unreachable = 1000;
	for (uint64_t at = 0; at < bytes; at++) {
		flip(w->env->disk, at);
		a = gateway_open(w, &with_cache);
		t.get.map = a->map;
		ck_assert_int_eq(mem_run(w, recall_task, &t), ERR_UNREACHABLE);
		gateway_close(a);
		flip(w->env->disk, at);
	}
	a = gateway_open(w, &with_cache);
	check_recall(a, 0, "SecretNameOfAnObject", true);
	gateway_close(a);
	mem_world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/map_kept");

	suite_add(s, "recall", 20, what_is_known_is_told_as_old, only_the_first_waits,
	    a_new_process_recalls_what_was_kept, what_was_kept_is_sealed, NULL);
	return suite_main(s);
}
