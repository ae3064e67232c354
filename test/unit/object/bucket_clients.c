#include "test/unit/object/bucket_clients.h"

#include <check.h>

#include "object/listing.h"
#include "object/settings.h"

static const char *const keys[HISTORY_KEYS] = { "a", "a/b", "b", "c" };

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
	struct bucket_client *cl = arg;
	struct history_call *c = cl->call;
	struct bucket_txn t = { .kv = txn, .refs = &refs, .now_ms = env_wall_ms(cl->env) };
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
perform(struct bucket_client *cl)
{
	struct map_view *v;
	int err;

	if (cl->call->what != HISTORY_GET && cl->call->what != HISTORY_LIST)
		return map_update(cl->map, write_fn, cl);
	err = map_view(cl->map, cl->s->fresh, &v);
	if (err != ERR_OK)
		return err;
	err = read_in(map_view_kv(v), cl->call);
	map_view_release(v);
	return err;
}

static struct history_call
draw_call(struct bucket_story *s)
{
	static const enum history_what often[] = { HISTORY_PUT, HISTORY_PUT_NEW, HISTORY_PUT_NEW,
		HISTORY_PUT_OVER, HISTORY_PUT_OVER, HISTORY_DELETE, HISTORY_GET, HISTORY_GET,
		HISTORY_LIST };
	struct history_call c = { .what = often[s->draw(s->arg, ARRAY_LEN(often))] };

	c.key = (uint8_t)s->draw(s->arg, HISTORY_KEYS);
	c.expected = s->last[c.key];
	c.value = ++s->values;
	return c;
}

/* What the client is told. false: nothing has happened, there is nothing to explain. */
static bool
conclude(struct bucket_story *s, struct history_call *c, int err)
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
	case ERR_CANCELED: /* the gateway dies meanwhile */
		if (c->what >= HISTORY_GET)
			return false;
		__attribute__((fallthrough));
	case ERR_UNKNOWN:
		c->answer = HISTORY_UNKNOWN;
		c->to = HISTORY_NEVER;
		return true;
	default: /* of reads also a view whose chunks have gone meanwhile */
		ck_assert(err == ERR_UNREACHABLE || err == ERR_BUSY ||
			  (err == ERR_STALE && c->what >= HISTORY_GET));
		return false;
	}
}

int
bucket_client_task(void *arg)
{
	struct bucket_client *cl = arg;
	struct bucket_story *s = cl->s;
	int err;

	for (int i = 0; i < (int)s->calls_each; i++) {
		struct history_call c = draw_call(s);

		cl->call = &c;
		for (size_t k = 0; k < sizeof(cl->random); k++)
			cl->random[k] = (uint8_t)s->draw(s->arg, 256);
		c.from = ++s->clock;
		err = perform(cl);
		if (conclude(s, &c, err))
			s->calls[s->count++] = c;
		if (err == ERR_CANCELED)
			break;
		if (s->draw(s->arg, 3) == 0)
			(void)task_sleep(cl->env, MILLISECONDS(s->draw(s->arg, 100)));
	}
	cl->over = true;
	return ERR_OK;
}

int
bucket_client_begin(void *arg, struct kv *txn)
{
	(void)arg;
	return settings_set_versioning(txn, VERSIONING_ENABLED);
}
