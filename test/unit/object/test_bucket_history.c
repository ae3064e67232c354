/*
 * Buckets over the replicated map: three gateways, two clients at each, lost races, proposals of
 * unknown fate, a register and chunks that do not answer. What the clients were told must be
 * explained by one sequence. SKERRY_BUCKET_HISTORIES says how many; the register is the one in
 * memory (the network's has histories of its own), bodies are not stored.
 */
#include "test/unit/object/bucket_history.h"

#include <stdio.h>
#include <stdlib.h>

#include "object/listing.h"
#include "object/settings.h"
#include "test/unit/object/map_fixture.h"
#include "test/unit/suite.h"

#define GATEWAYS 3
#define CLIENTS  2 /* at each */
#define CALLS    8 /* of each client */

static const char *const keys[HISTORY_KEYS] = { "a", "a/b", "b", "c" };

struct story {
	struct mem_world *w;
	struct gateway *g[GATEWAYS];
	enum map_fresh fresh; /* of reads */
	struct history_call calls[HISTORY_CALLS_MAX];
	uint32_t count;
	uint64_t clock; /* every beginning and end has its own time */
	uint16_t values;
	uint16_t last[HISTORY_KEYS]; /* the last that somebody saw: what to expect */
};

struct client {
	struct story *s;
	struct gateway *g;
	struct history_call *call;
	uint8_t random[8];
};

static int
no_unref(void *arg, struct kv *txn, struct bytes content, uint64_t now_ms)
{
	(void)arg;
	(void)txn;
	(void)content;
	(void)now_ms;
	return ERR_OK;
}

static const struct content_refs refs = { .unref = no_unref };

static struct bytes
key_of(const struct history_call *c)
{
	return bytes_of(keys[c->key], strlen(keys[c->key]));
}

static struct etag
etag_of(uint16_t value)
{
	return (struct etag){ .md5 = { (uint8_t)(value >> 8), (uint8_t)value } };
}

static uint16_t
value_of(const struct entry *e)
{
	return (uint16_t)(e->etag.md5[0] << 8 | e->etag.md5[1]);
}

/* ---- the calls ---- */

static int
write_fn(void *arg, struct kv *txn)
{
	struct client *cl = arg;
	struct history_call *c = cl->call;
	struct bucket_txn t = { .kv = txn, .refs = &refs, .now_ms = env_wall_ms(cl->s->w->env) };
	struct bucket_delete d = { .bypass_governance = false };
	struct conditions conditions = { .has_size = false };
	struct entry e = { .etag = etag_of(c->value) };
	struct etag expected = etag_of(c->expected);
	char word[ETAG_TEXT_MAX];
	struct bucket_done done;

	memcpy(t.random, cl->random, sizeof(t.random));
	if (c->what == HISTORY_DELETE)
		return bucket_delete(&t, key_of(c), &d, &done);
	if (c->what == HISTORY_PUT_NEW)
		conditions.if_none_match = bytes_of("*", 1);
	if (c->what == HISTORY_PUT_OVER)
		conditions.if_match = bytes_of(etag_text(&expected, word), 32);
	return bucket_put(&t, key_of(c), &conditions, &e, &done);
}

static int
note_item(void *arg, const struct list_item *item)
{
	struct history_call *c = arg;

	for (size_t i = 0; i < HISTORY_KEYS; i++)
		if (bytes_equal(item->key, bytes_of(keys[i], strlen(keys[i]))))
			c->list[i] = value_of(item->entry);
	return ERR_OK;
}

static int
read_in(struct kv *view, struct history_call *c)
{
	struct version_ref latest = { .which = VERSION_LATEST };
	struct list_query q = { .max = LIST_MAX };
	struct list_result r;
	struct buf value;
	struct entry e;
	int err;

	if (c->what == HISTORY_LIST) {
		list_result_init(&r);
		err = list_run(view, &q, note_item, c, &r);
		list_result_fini(&r);
		return err;
	}
	buf_init(&value, KV_VALUE_MAX);
	err = bucket_get(view, key_of(c), &latest, &value, &e);
	if (err == ERR_OK)
		err = bucket_readable(&e, &latest);
	if (err == ERR_OK)
		c->got = value_of(&e);
	buf_fini(&value);
	return err == REFUSAL_NO_SUCH_KEY ? ERR_OK : err;
}

static int
perform(struct client *cl)
{
	struct map_view *v;
	int err;

	if (cl->call->what != HISTORY_GET && cl->call->what != HISTORY_LIST)
		return map_update(cl->g->map, write_fn, cl);
	err = map_view(cl->g->map, cl->s->fresh, &v);
	if (err != ERR_OK)
		return err;
	err = read_in(map_view_kv(v), cl->call);
	map_view_release(v);
	return err;
}

static struct history_call
draw_call(struct story *s)
{
	static const enum history_what often[] = { HISTORY_PUT, HISTORY_PUT_NEW, HISTORY_PUT_NEW,
		HISTORY_PUT_OVER, HISTORY_PUT_OVER, HISTORY_DELETE, HISTORY_GET, HISTORY_GET,
		HISTORY_LIST };
	struct history_call c = { .what = often[mem_draw(s->w, ARRAY_LEN(often))] };

	c.key = (uint8_t)mem_draw(s->w, HISTORY_KEYS);
	c.expected = s->last[c.key];
	c.value = ++s->values;
	return c;
}

/* What the client is told. false: nothing has happened, there is nothing to explain. */
static bool
conclude(struct story *s, struct history_call *c, int err)
{
	c->to = ++s->clock;
	switch (err) {
	case ERR_OK:
		c->answer = HISTORY_OK;
		if (c->what <= HISTORY_PUT_OVER)
			s->last[c->key] = c->value;
		return true;
	case REFUSAL_PRECONDITION:
		c->answer = HISTORY_REFUSED;
		return true;
	case REFUSAL_NO_SUCH_KEY:
		c->answer = HISTORY_ABSENT;
		return true;
	case ERR_UNKNOWN:
		c->answer = HISTORY_UNKNOWN;
		c->to = HISTORY_NEVER;
		return true;
	default:
		ck_assert(err == ERR_UNREACHABLE || err == ERR_BUSY);
		return false;
	}
}

static int
client_task(void *arg)
{
	struct client *cl = arg;
	struct story *s = cl->s;

	for (int i = 0; i < CALLS; i++) {
		struct history_call c = draw_call(s);

		cl->call = &c;
		for (size_t k = 0; k < sizeof(cl->random); k++)
			cl->random[k] = (uint8_t)mem_draw(s->w, 256);
		c.from = ++s->clock;
		if (conclude(s, &c, perform(cl)))
			s->calls[s->count++] = c;
		if (mem_draw(s->w, 3) == 0)
			(void)task_sleep(s->w->env, MILLISECONDS(mem_draw(s->w, 100)));
	}
	return ERR_OK;
}

static int
begin_fn(void *arg, struct kv *txn)
{
	(void)arg;
	return settings_set_versioning(txn, VERSIONING_ENABLED);
}

static int
story_task(void *arg)
{
	struct story *s = arg;
	struct client clients[GATEWAYS * CLIENTS];
	struct task_group g;

	static_assert(GATEWAYS * CLIENTS * CALLS <= HISTORY_CALLS_MAX, "each has its bit");
	if (mem_draw(s->w, 2) == 0)
		while (map_update(s->g[0]->map, begin_fn, NULL) != ERR_OK)
			;
	task_group_init(&g, s->w->env);
	for (size_t i = 0; i < ARRAY_LEN(clients); i++) {
		clients[i] = (struct client){ .s = s, .g = s->g[i % GATEWAYS] };
		ck_assert_int_eq(task_spawn(&g, "client", client_task, &clients[i]), ERR_OK);
	}
	ck_assert_int_eq(task_group_wait(&g, 0), ERR_OK);
	task_group_fini(&g);
	return ERR_OK;
}

static bool
tell(uint64_t seed, enum map_fresh fresh)
{
	struct story *s = calloc(1, sizeof(*s));
	bool explained;

	ck_assert_ptr_nonnull(s);
	s->w = mem_world_new(seed);
	s->fresh = fresh;
	for (size_t i = 0; i < GATEWAYS; i++)
		s->g[i] = gateway_open(s->w, NULL);
	s->w->fail = 30;
	s->w->unknown = 300;
	s->w->unreachable = 30;
	s->w->put_fails = 50;
	ck_assert_int_eq(mem_run(s->w, story_task, s), ERR_OK);
	explained = history_explained(s->calls, s->count);
	for (size_t i = 0; i < GATEWAYS; i++)
		gateway_close(s->g[i]);
	mem_world_free(s->w);
	free(s);
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
