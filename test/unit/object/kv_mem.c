/* A transaction keeps a copy of all pairs, which are few. */
#include "test/unit/object/kv_mem.h"

#include "overlay/base/err.h"

static struct kv_mem *
mem_of(struct kv *kv)
{
	return container_of(kv, struct kv_mem, kv);
}

static int
read_once(struct kv_mem *m)
{
	return m->fail_after > 0 && --m->fail_after == 0 ? ERR_UNREACHABLE : ERR_OK;
}

static int
mem_get(struct kv *kv, struct bytes key, struct buf *value)
{
	struct kv_mem *m = mem_of(kv);
	int err = read_once(m);

	return err != ERR_OK ? err : kv_pairs_get(&m->pairs, key, value);
}

static int
mem_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	struct kv_mem *m = mem_of(kv);
	int err = read_once(m);

	m->seeks++;
	if (err != ERR_OK)
		return err;
	ck_assert_uint_ge(key->max, KV_KEY_MAX + 1);
	return kv_pairs_seek(&m->pairs, from, key, value);
}

static int
mem_del(struct kv *kv, struct bytes key)
{
	struct kv_pair gone = kv_pairs_take(&mem_of(kv)->pairs, key);

	kv_pair_free(&gone);
	return ERR_OK;
}

static int
mem_put(struct kv *kv, struct bytes key, struct bytes value)
{
	struct kv_pair pair = kv_pair_new(key, value);

	mem_del(kv, pair.key);
	kv_pairs_add(&mem_of(kv)->pairs, pair);
	return ERR_OK;
}

struct kv_mem *
kv_mem_new(void)
{
	static const struct kv_ops ops = {
		.get = mem_get, .seek = mem_seek, .put = mem_put, .del = mem_del
	};
	struct kv_mem *m = calloc(1, sizeof(*m));

	ck_assert_ptr_nonnull(m);
	m->kv.ops = &ops;
	content_counts_init(&m->counts);
	return m;
}

void
kv_mem_free(struct kv_mem *m)
{
	kv_pairs_fini(&m->pairs);
	free(m);
}

void
kv_mem_begin(struct kv_mem *m)
{
	m->before = kv_pairs_copy(&m->pairs);
	content_counts_begin(&m->counts);
}

int
kv_mem_end(struct kv_mem *m, int err)
{
	if (err == ERR_OK) {
		kv_pairs_fini(&m->before);
	} else {
		kv_pairs_fini(&m->pairs);
		m->pairs = m->before;
		m->before = (struct kv_pairs){ NULL };
		content_counts_back(&m->counts);
	}
	return err;
}
