/*
 * The replicated map: what is put is there, at every gateway; several gateways at once, a steady
 * writer, many updates in few commits. Random histories: test_map_model.c.
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/object/map_words.h"
#include "test/unit/suite.h"

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

static int
sleep_task(void *arg)
{
	return task_sleep(((struct mem_world *)arg)->env, MAP_RECENT_AGE + SECONDS(1));
}

START_TEST(what_is_recent_is_believed_for_a_while)
{
	struct mem_world *w = mem_world_new(1);
	struct gateway *a = gateway_open(w, NULL), *b = gateway_open(w, NULL);

	ck_assert_int_eq(put_text(a, "x", "1"), ERR_OK);
	ck_assert_int_eq(get_text(b, MAP_RECENT, "x", "1"), ERR_OK);
	ck_assert_int_eq(put_text(a, "x", "2"), ERR_OK);
	ck_assert_int_eq(get_text(b, MAP_RECENT, "x", "1"), ERR_OK);
	ck_assert_int_eq(mem_run(w, sleep_task, w), ERR_OK);
	ck_assert_int_eq(get_text(b, MAP_ANY, "x", "1"), ERR_OK);
	ck_assert_int_eq(get_text(b, MAP_RECENT, "x", "2"), ERR_OK);
	/* A commit says as well that what it stood on was current. */
	ck_assert_int_eq(put_text(a, "x", "3"), ERR_OK);
	ck_assert_int_eq(put_text(b, "y", "1"), ERR_OK);
	ck_assert_int_eq(get_text(b, MAP_RECENT, "x", "3"), ERR_OK);
	/* Who cannot ask believes nothing. */
	w->unreachable = 1000;
	ck_assert_int_eq(get_text(b, MAP_CURRENT, "x", "3"), ERR_UNREACHABLE);
	ck_assert_int_eq(get_text(b, MAP_RECENT, "x", "3"), ERR_UNREACHABLE);
	ck_assert_int_eq(get_text(b, MAP_ANY, "x", "3"), ERR_OK);
	gateway_close(a);
	gateway_close(b);
	mem_world_free(w);
}
END_TEST

/* The head was read, but what it names is not to be had: what is known is no newer for that. */
START_TEST(what_could_not_be_followed_is_not_recent)
{
	struct mem_world *w = mem_world_new(1);
	struct gateway *a = gateway_open(w, NULL), *b = gateway_open(w, NULL);
	struct mem_chunk *chunks;

	ck_assert_int_eq(put_text(a, "x", "1"), ERR_OK);
	ck_assert_int_eq(get_text(b, MAP_CURRENT, "x", "1"), ERR_OK);
	ck_assert_int_eq(put_text(a, "x", "2"), ERR_OK);
	ck_assert_int_eq(checkpoint(a), ERR_OK);
	ck_assert_int_eq(mem_run(w, sleep_task, w), ERR_OK);
	chunks = w->chunks;
	w->chunks = NULL;
	ck_assert_int_eq(get_text(b, MAP_CURRENT, "x", "2"), ERR_UNREACHABLE);
	ck_assert_int_eq(get_text(b, MAP_RECENT, "x", "2"), ERR_UNREACHABLE);
	ck_assert_int_eq(get_text(b, MAP_ANY, "x", "1"), ERR_OK);
	w->chunks = chunks;
	ck_assert_int_eq(get_text(b, MAP_RECENT, "x", "2"), ERR_OK);
	gateway_close(a);
	gateway_close(b);
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

/* One gateway alone, in so many tasks; the sight is of the moment after them. */
static struct counting
count_alone(struct mem_world *w, int times, size_t tasks, struct map_sight *sight)
{
	struct gateway *g = gateway_open(w, NULL);
	uint8_t *seen = calloc((size_t)times + 2, 1);
	struct counting c = {
		.g = g, .times = times, .seen_max = (uint64_t)times + 2, .seen = seen
	};
	struct many m = { &c, 1, tasks };

	ck_assert_int_eq(mem_run(w, many_task, &m), ERR_OK);
	map_sight(g->map, sight);
	gateway_close(g);
	free(seen);
	return c;
}

/* A steady writer: hundreds of commits, rolled meanwhile, none waits for a roll. */
START_TEST(a_checkpoint_that_fails_is_tried_ever_rarer)
{
	struct mem_world *w = mem_world_new(7);
	struct map_opts opts = { .checkpoint_after = MINUTES(10) };
	struct gateway *g = gateway_open(w, &opts);
	struct map_sight sight;

	ck_assert_int_eq(put_text(g, "x", "1"), ERR_OK);
	w->put_fails = 1000;
	sim_run_for(w->sim, HOURS(6));
	map_sight(g->map, &sight);
	/* After 1, 2, 4, 8, 16 minutes, then each half an hour, a quarter less at most. */
	printf("%llu tries\n", (unsigned long long)sight.failed_checkpoints);
	ck_assert_uint_ge(sight.failed_checkpoints, 14);
	ck_assert_uint_le(sight.failed_checkpoints, 20);
	w->put_fails = 0;
	sim_run_for(w->sim, MINUTES(31));
	map_sight(g->map, &sight);
	ck_assert_uint_eq(sight.own_checkpoints, 1);
	/* The next one that fails is tried again soon. */
	w->put_fails = 1000;
	ck_assert_int_eq(put_text(g, "x", "2"), ERR_OK);
	sim_run_for(w->sim, MINUTES(12));
	w->put_fails = 0;
	sim_run_for(w->sim, MINUTES(9));
	map_sight(g->map, &sight);
	ck_assert_uint_eq(sight.own_checkpoints, 2);
	gateway_close(g);
	mem_world_free(w);
}
END_TEST

#define FULL_OVERLAY KIB(8)

static uint64_t
failed_of(const struct gateway *g)
{
	struct map_sight sight;

	map_sight(g->map, &sight);
	return sight.failed_checkpoints;
}

static uint64_t
memory_of(const struct gateway *g)
{
	struct map_sight sight;

	map_sight(g->map, &sight);
	return sight.overlay_bytes;
}

/* One each second, until the log takes so much memory or one is refused. How many. */
static unsigned
fill_log(struct gateway *g, uint64_t upto, int *err)
{
	char value[400];
	unsigned n = 0;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (*err = ERR_OK; *err == ERR_OK && memory_of(g) < upto; n++) {
		*err = put_text(g, "x", value);
		sim_run_for(g->w->sim, SECONDS(1));
	}
	return n;
}

/* Each try leaves chunks behind; and writers have to wait only where there is no room. */
START_TEST(a_checkpoint_of_a_full_log_fails_ever_rarer)
{
	struct mem_world *w = mem_world_new(8);
	struct map_opts opts = { .overlay_bytes = FULL_OVERLAY };
	struct gateway *g = gateway_open(w, &opts);
	uint64_t before;
	unsigned writes;
	int err;

	w->put_fails = 1000;
	writes = fill_log(g, 4 * FULL_OVERLAY, &err);
	ck_assert_int_eq(err, ERR_OK);
	printf("%llu tries at %u writes\n", (unsigned long long)failed_of(g), writes);
	ck_assert_uint_ge(writes, 20);
	ck_assert_uint_ge(failed_of(g), 1);
	ck_assert_uint_le(failed_of(g), 3);
	/* Refused, but one is tried each minute, as long as somebody wants to write. */
	before = failed_of(g);
	for (int i = 0; i < 600; i++) {
		ck_assert_int_eq(put_text(g, "x", "1"), ERR_BUSY);
		sim_run_for(w->sim, SECONDS(1));
	}
	printf("%llu tries in ten minutes\n", (unsigned long long)(failed_of(g) - before));
	ck_assert_uint_ge(failed_of(g) - before, 9);
	ck_assert_uint_le(failed_of(g) - before, 14);
	w->put_fails = 0;
	err = ERR_BUSY;
	for (int i = 0; i < 61 && err != ERR_OK; i++) {
		sim_run_for(w->sim, SECONDS(1));
		err = put_text(g, "x", "2");
	}
	ck_assert_int_eq(err, ERR_OK);
	ck_assert_uint_lt(memory_of(g), FULL_OVERLAY);
	gateway_close(g);
	mem_world_free(w);
}
END_TEST

START_TEST(a_steady_writer_does_not_wait)
{
	struct mem_world *w = mem_world_new(6);
	struct map_sight sight;
	struct counting c = count_alone(w, 1000, 1, &sight);
	struct gateway *g;

	ck_assert_uint_ge(sight.rolls, 10);
	ck_assert_uint_eq(sight.log_chunks, sight.rolls);
	/* The new roots go along with what it writes. */
	ck_assert_uint_le(sight.commits, 1000 + 2);
	/* Twice the latency of the register, gathering, and the workers. */
	ck_assert_uint_lt(c.slowest, 2 * w->head_latency + MILLISECONDS(10));
	g = gateway_open(w, NULL);
	ck_assert_uint_eq(counter_of(g), 1000);
	gateway_close(g);
	mem_world_free(w);
}
END_TEST

/* Those that wait together are committed together. */
START_TEST(many_updates_are_few_commits)
{
	struct mem_world *w = mem_world_new(7);
	struct map_sight sight;

	(void)count_alone(w, 2000, 200, &sight);
	ck_assert_uint_eq(sight.transactions, 2000);
	ck_assert_uint_le(sight.commits, 30);
	mem_world_free(w);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/map");

	suite_add(s, "simple", 20, what_is_put_is_there, what_is_recent_is_believed_for_a_while,
	    what_could_not_be_followed_is_not_recent, a_function_that_declines_writes_nothing,
	    a_fork_ends_writing, transactions_have_a_largest_size, NULL);
	suite_add(s, "many", 30, two_gateways_count_together, counting_survives_faults,
	    a_steady_writer_does_not_wait, a_checkpoint_that_fails_is_tried_ever_rarer,
	    a_checkpoint_of_a_full_log_fails_ever_rarer, many_updates_are_few_commits, NULL);
	return suite_main(s);
}
