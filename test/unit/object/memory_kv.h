/* An ordered map in memory, for tests of what stands on object/kv.h. */
#ifndef TEST_UNIT_OBJECT_MEMORY_KV_H
#define TEST_UNIT_OBJECT_MEMORY_KV_H

#include <stdlib.h>

#include "object/kv.h"
#include "overlay/base/err.h"

#define PAIRS_MAX 2000 /* linear search is quick enough */

struct pair {
	struct buf key, value;
};

struct memory {
	struct kv kv;
	struct pair at[PAIRS_MAX];
	size_t count;
};

static inline size_t
memory_place(const struct memory *m, struct bytes key)
{
	size_t i = 0;

	while (i < m->count && kv_compare(buf_bytes(&m->at[i].key), key) < 0)
		i++;
	return i;
}

static inline int
memory_set(struct buf *to, struct bytes from)
{
	buf_reset(to);
	return buf_append(to, from.data, from.len);
}

static inline bool
memory_is_at(const struct memory *m, size_t i, struct bytes key)
{
	return i < m->count && kv_compare(buf_bytes(&m->at[i].key), key) == 0;
}

static inline int
mem_get(struct kv *kv, struct bytes key, struct buf *value)
{
	struct memory *m = container_of(kv, struct memory, kv);
	size_t i = memory_place(m, key);

	return memory_is_at(m, i, key) ? memory_set(value, buf_bytes(&m->at[i].value))
				       : ERR_NOT_FOUND;
}

static inline int
mem_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	struct memory *m = container_of(kv, struct memory, kv);
	size_t i = memory_place(m, from);

	if (i == m->count)
		return ERR_NOT_FOUND;
	must(memory_set(key, buf_bytes(&m->at[i].key)) == ERR_OK);
	return memory_set(value, buf_bytes(&m->at[i].value));
}

static inline int
mem_del(struct kv *kv, struct bytes key)
{
	struct memory *m = container_of(kv, struct memory, kv);
	size_t i = memory_place(m, key);

	if (!memory_is_at(m, i, key))
		return ERR_OK;
	buf_fini(&m->at[i].key);
	buf_fini(&m->at[i].value);
	memmove(&m->at[i], &m->at[i + 1], (--m->count - i) * sizeof(m->at[0]));
	return ERR_OK;
}

static inline int
mem_put(struct kv *kv, struct bytes key, struct bytes value)
{
	struct memory *m = container_of(kv, struct memory, kv);
	size_t i;

	mem_del(kv, key);
	must(m->count < PAIRS_MAX);
	i = memory_place(m, key);
	memmove(&m->at[i + 1], &m->at[i], (m->count++ - i) * sizeof(m->at[0]));
	buf_init(&m->at[i].key, KV_KEY_MAX);
	buf_init(&m->at[i].value, KV_VALUE_MAX);
	must(memory_set(&m->at[i].key, key) == ERR_OK);
	return memory_set(&m->at[i].value, value);
}

static inline struct memory *
memory_new(void)
{
	static const struct kv_ops ops = { mem_get, mem_seek, mem_put, mem_del };
	struct memory *m = calloc(1, sizeof(*m));

	must(m != NULL);
	m->kv.ops = &ops;
	return m;
}

static inline void
memory_free(struct memory *m)
{
	while (m->count > 0)
		mem_del(&m->kv, buf_bytes(&m->at[0].key));
	free(m);
}

/* For a transaction that is run and thrown away. */
static inline struct memory *
memory_copy(const struct memory *m)
{
	struct memory *copy = memory_new();

	for (size_t i = 0; i < m->count; i++)
		must(mem_put(&copy->kv, buf_bytes(&m->at[i].key), buf_bytes(&m->at[i].value)) ==
		     ERR_OK);
	return copy;
}

#endif
