/* Each runs to its end, whatever is suspended meanwhile. */
#include "test/unit/object/map_words.h"

#include <stdio.h>

#include "test/unit/suite.h"

static int
put_text_fn(void *arg, struct kv *txn)
{
	struct put_text *p = arg;
	int err = p->value == NULL ? kv_del(txn, TEXT(p->key))
				   : kv_put(txn, TEXT(p->key), TEXT(p->value));

	return err != ERR_OK ? err : p->result;
}

int
put_text_task(void *arg)
{
	struct put_text *p = arg;

	p->err = map_update(p->map, put_text_fn, p);
	return p->err;
}

int
put_text(struct gateway *g, const char *key, const char *value)
{
	struct put_text p = { g->map, key, value, ERR_OK, ERR_OK };

	return mem_run(g->w, put_text_task, &p);
}

int
get_text_task(void *arg)
{
	struct get_text *t = arg;
	struct map_view *v;
	struct buf value;
	int err = map_view(t->map, t->fresh, &v);

	if (err != ERR_OK)
		return err;
	t->stale_ms = map_view_stale_ms(v);
	buf_init(&value, KV_VALUE_MAX);
	err = kv_get(map_view_kv(v), TEXT(t->key), &value);
	if (err == ERR_OK)
		snprintf(t->value, sizeof(t->value), "%s", buf_str(&value));
	buf_fini(&value);
	map_view_release(v);
	return err;
}

int
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

int
checkpoint(struct gateway *g)
{
	return mem_run(g->w, checkpoint_task, g->map);
}
