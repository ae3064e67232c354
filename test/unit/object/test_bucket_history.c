/*
 * Buckets over the replicated map: three gateways, two clients at each, lost races, proposals of
 * unknown fate, a register and chunks that do not answer. What the clients were told must be
 * explained by one sequence. SKERRY_BUCKET_HISTORIES says how many; the register is the one in
 * memory (the network's has histories of its own), bodies are not stored.
 */
#include <stdlib.h>

#include "test/unit/object/bucket_clients.h"
#include "test/unit/object/map_fixture.h"
#include "test/unit/suite.h"

#define GATEWAYS 3
#define CLIENTS  2 /* at each */
#define CALLS    8 /* of each client */

struct tale {
	struct mem_world *w;
	struct gateway *g[GATEWAYS];
	struct bucket_client clients[GATEWAYS * CLIENTS];
	struct bucket_story s;
};

static uint32_t
draw(void *arg, uint32_t bound)
{
	return mem_draw(arg, bound);
}

static int
tale_task(void *arg)
{
	struct tale *t = arg;
	struct task_group g;

	static_assert(GATEWAYS * CLIENTS * CALLS <= HISTORY_CALLS_MAX, "each has its bit");
	if (mem_draw(t->w, 2) == 0)
		while (map_update(t->g[0]->map, bucket_client_begin, NULL) != ERR_OK)
			;
	task_group_init(&g, t->w->env);
	for (size_t i = 0; i < ARRAY_LEN(t->clients); i++) {
		t->clients[i] = (struct bucket_client){
			.s = &t->s, .env = t->w->env, .map = t->g[i % GATEWAYS]->map
		};
		ck_assert_int_eq(
		    task_spawn(&g, "client", bucket_client_task, &t->clients[i]), ERR_OK);
	}
	ck_assert_int_eq(task_group_wait(&g, 0), ERR_OK);
	task_group_fini(&g);
	return ERR_OK;
}

static bool
tell(uint64_t seed, enum map_fresh fresh)
{
	struct tale *t = calloc(1, sizeof(*t));
	bool explained;

	ck_assert_ptr_nonnull(t);
	t->w = mem_world_new(seed);
	t->s =
	    (struct bucket_story){ .draw = draw, .arg = t->w, .fresh = fresh, .calls_each = CALLS };
	for (size_t i = 0; i < GATEWAYS; i++)
		t->g[i] = gateway_open(t->w, NULL);
	t->w->fail = 30;
	t->w->unknown = 300;
	t->w->unreachable = 30;
	t->w->put_fails = 50;
	ck_assert_int_eq(mem_run(t->w, tale_task, t), ERR_OK);
	explained = history_explained(t->s.calls, t->s.count);
	for (size_t i = 0; i < GATEWAYS; i++)
		gateway_close(t->g[i]);
	mem_world_free(t->w);
	free(t);
	return explained;
}

START_TEST(every_history_is_explained)
{
	const char *more = getenv("SKERRY_BUCKET_HISTORIES");
	uint64_t histories = more == NULL ? 60 : strtoull(more, NULL, 10);

	for (uint64_t seed = 1; seed <= histories; seed++)
		ck_assert_msg(tell(seed, MAP_CURRENT), "seed %llu", (unsigned long long)seed);
}
END_TEST

/* Reads that do not ask whether what they know is current are found out. */
START_TEST(stale_reads_are_noticed)
{
	int noticed = 0;

	for (uint64_t seed = 1; seed <= 20; seed++)
		noticed += !tell(seed, MAP_ANY);
	ck_assert_int_ge(noticed, 10);
}
END_TEST

/* ---- the checker itself ---- */

START_TEST(what_is_explained_and_what_not)
{
	static const struct {
		struct history_call calls[4];
		uint32_t count;
		bool explained;
	} cases[] = {
		/* One after the other. */
		{ { { HISTORY_PUT, .from = 1, .to = 2, .value = 7 },
		      { HISTORY_GET, .from = 3, .to = 4, .got = 7 } },
		    2, true },
		{ { { HISTORY_PUT, .from = 1, .to = 2, .value = 7 },
		      { HISTORY_GET, .from = 3, .to = 4 } },
		    2, false },
		/* At the same time either order will do, but one for all. */
		{ { { HISTORY_PUT, .from = 1, .to = 4, .value = 7 },
		      { HISTORY_GET, .from = 2, .to = 3 } },
		    2, true },
		{ { { HISTORY_PUT, .from = 1, .to = 9, .value = 7 },
		      { HISTORY_GET, .from = 2, .to = 3, .got = 7 },
		      { HISTORY_GET, .from = 4, .to = 5 } },
		    3, false },
		/* Two cannot both be the first. */
		{ { { HISTORY_PUT_NEW, .from = 1, .to = 3, .value = 7 },
		      { HISTORY_PUT_NEW, .from = 2, .to = 4, .value = 8 } },
		    2, false },
		{ { { HISTORY_PUT_NEW, .from = 1, .to = 3, .value = 7 },
		      { HISTORY_PUT_NEW, HISTORY_REFUSED, 2, 4, .value = 8 } },
		    2, true },
		{ { { HISTORY_PUT_NEW, HISTORY_REFUSED, 2, 4, .value = 8 } }, 1, false },
		{ { { HISTORY_PUT_OVER, HISTORY_ABSENT, 1, 2, .value = 8, .expected = 3 } }, 1,
		    true },
		{ { { HISTORY_PUT_OVER, HISTORY_REFUSED, 1, 2, .value = 8, .expected = 3 } }, 1,
		    false },
		/* Unknown: whenever it suits, once, or never; but it must have been possible. */
		{ { { HISTORY_PUT, HISTORY_UNKNOWN, 1, HISTORY_NEVER, .value = 7 },
		      { HISTORY_GET, .from = 2, .to = 3 },
		      { HISTORY_GET, .from = 4, .to = 5, .got = 7 },
		      { HISTORY_GET, .from = 6, .to = 7, .got = 7 } },
		    4, true },
		{ { { HISTORY_PUT, HISTORY_UNKNOWN, 1, HISTORY_NEVER, .value = 7 },
		      { HISTORY_GET, .from = 2, .to = 3, .got = 7 },
		      { HISTORY_GET, .from = 4, .to = 5 } },
		    3, false },
		{ { { HISTORY_PUT, .from = 1, .to = 2, .value = 1 },
		      { HISTORY_PUT_NEW, HISTORY_UNKNOWN, 3, HISTORY_NEVER, .value = 7 },
		      { HISTORY_GET, .from = 4, .to = 5, .got = 7 } },
		    3, false },
		/* A list shows all keys at one moment. */
		{ { { HISTORY_PUT, .from = 1, .to = 9, .value = 7 },
		      { HISTORY_PUT, .from = 1, .to = 9, .key = 1, .value = 8 },
		      { HISTORY_LIST, .from = 2, .to = 3, .list = { 7, 0 } },
		      { HISTORY_LIST, .from = 2, .to = 3, .list = { 0, 8 } } },
		    4, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_msg(
		    history_explained(cases[i].calls, cases[i].count) == cases[i].explained,
		    "case %zu", i);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/bucket over object/map");

	suite_add(s, "checker", 0, what_is_explained_and_what_not, NULL);
	suite_add(s, "histories", getenv("SKERRY_BUCKET_HISTORIES") != NULL ? 36000 : 60,
	    every_history_is_explained, stale_reads_are_noticed, NULL);
	return suite_main(s);
}
