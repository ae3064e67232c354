/*
 * An ordered map in memory for tests of what stands on object/kv.h: a sorted array, with all or
 * nothing for a transaction, and a counter of references to contents beside it.
 */
#ifndef TEST_UNIT_OBJECT_KV_MEM_H
#define TEST_UNIT_OBJECT_KV_MEM_H

#include <check.h>
#include <stdlib.h>

#include "object/bucket.h"

struct kv_mem_pair {
	struct bytes key, value; /* one piece of memory, key first */
};

struct kv_mem {
	struct kv kv;
	struct kv_mem_pair *pairs;
	size_t count, cap;
	/* What a transaction that fails goes back to. */
	struct kv_mem_pair *before;
	size_t before_count;
	size_t seeks;   /* so far */
	int fail_after; /* reads until one fails with ERR_UNREACHABLE; 0: never */
	/* Contents are texts "c<number>"; how many entries name each. */
	struct content_refs refs;
	int named[4096], named_before[4096];
};

static inline struct kv_mem *
kv_mem_of(struct kv *kv)
{
	return container_of(kv, struct kv_mem, kv);
}

/* The index of the first pair that is not below key. */
static inline size_t
kv_mem_at(const struct kv_mem *m, struct bytes key)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (kv_compare(m->pairs[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static inline int
kv_mem_read(struct kv_mem *m)
{
	return m->fail_after > 0 && --m->fail_after == 0 ? ERR_UNREACHABLE : ERR_OK;
}

static inline int
kv_mem_copy(struct buf *to, struct bytes from)
{
	if (to == NULL)
		return ERR_OK;
	buf_reset(to);
	return buf_append(to, from.data, from.len);
}

static inline int
kv_mem_get(struct kv *kv, struct bytes key, struct buf *value)
{
	struct kv_mem *m = kv_mem_of(kv);
	size_t at = kv_mem_at(m, key);

	if (kv_mem_read(m) != ERR_OK)
		return ERR_UNREACHABLE;
	if (at == m->count || kv_compare(m->pairs[at].key, key) != 0)
		return ERR_NOT_FOUND;
	return kv_mem_copy(value, m->pairs[at].value);
}

static inline int
kv_mem_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	struct kv_mem *m = kv_mem_of(kv);
	size_t at = kv_mem_at(m, from);
	int err = kv_mem_read(m);

	m->seeks++;
	if (err != ERR_OK)
		return err;
	if (at == m->count)
		return ERR_NOT_FOUND;
	ck_assert_uint_ge(key->max, KV_KEY_MAX + 1);
	err = kv_mem_copy(key, m->pairs[at].key);
	return err != ERR_OK ? err : kv_mem_copy(value, m->pairs[at].value);
}

static inline struct kv_mem_pair
kv_mem_pair_new(struct bytes key, struct bytes value)
{
	uint8_t *data = malloc(key.len + value.len + 1);

	ck_assert_ptr_nonnull(data);
	memcpy(data, key.data, key.len);
	if (value.len > 0)
		memcpy(data + key.len, value.data, value.len);
	return (struct kv_mem_pair){ .key = bytes_of(data, key.len),
		.value = bytes_of(data + key.len, value.len) };
}

static inline int
kv_mem_del(struct kv *kv, struct bytes key)
{
	struct kv_mem *m = kv_mem_of(kv);
	size_t at = kv_mem_at(m, key);

	if (at == m->count || kv_compare(m->pairs[at].key, key) != 0)
		return ERR_OK;
	free((void *)m->pairs[at].key.data);
	memmove(m->pairs + at, m->pairs + at + 1, (m->count - at - 1) * sizeof(*m->pairs));
	m->count--;
	return ERR_OK;
}

static inline int
kv_mem_put(struct kv *kv, struct bytes key, struct bytes value)
{
	struct kv_mem *m = kv_mem_of(kv);
	struct kv_mem_pair pair = kv_mem_pair_new(key, value);
	size_t at;

	kv_mem_del(kv, pair.key);
	at = kv_mem_at(m, pair.key);
	if (m->count == m->cap) {
		m->cap = m->cap * 2 + 64;
		m->pairs = realloc(m->pairs, m->cap * sizeof(*m->pairs));
		ck_assert_ptr_nonnull(m->pairs);
	}
	memmove(m->pairs + at + 1, m->pairs + at, (m->count - at) * sizeof(*m->pairs));
	m->pairs[at] = pair;
	m->count++;
	return ERR_OK;
}

static inline int
kv_mem_count(struct kv_mem *m, struct bytes content, int by)
{
	unsigned long n;
	char text[16] = "";

	ck_assert_uint_lt(content.len, sizeof(text));
	memcpy(text, content.data, content.len);
	ck_assert_int_eq(text[0], 'c');
	n = strtoul(text + 1, NULL, 10);
	ck_assert_uint_lt(n, ARRAY_LEN(m->named));
	m->named[n] += by;
	ck_assert_int_ge(m->named[n], 0);
	return ERR_OK;
}

static inline int
kv_mem_name(void *arg, struct kv *txn, struct bytes content, uint64_t written_ms, uint64_t now_ms)
{
	(void)txn;
	ck_assert_uint_eq(written_ms, now_ms);
	return kv_mem_count(arg, content, 1);
}

static inline int
kv_mem_ref(void *arg, struct kv *txn, struct bytes content)
{
	(void)txn;
	/* What nobody names any more is gone: a reference can only be added to others. */
	kv_mem_count(arg, content, -1);
	return kv_mem_count(arg, content, 2);
}

static inline int
kv_mem_unref(void *arg, struct kv *txn, struct bytes content, uint64_t now_ms)
{
	(void)txn;
	(void)now_ms;
	return kv_mem_count(arg, content, -1);
}

static inline struct kv_mem *
kv_mem_new(void)
{
	static const struct kv_ops ops = {
		.get = kv_mem_get, .seek = kv_mem_seek, .put = kv_mem_put, .del = kv_mem_del
	};
	struct kv_mem *m = calloc(1, sizeof(*m));

	ck_assert_ptr_nonnull(m);
	m->kv.ops = &ops;
	m->refs = (struct content_refs){
		.named = kv_mem_name, .ref = kv_mem_ref, .unref = kv_mem_unref, .arg = m
	};
	return m;
}

static inline void
kv_mem_drop(struct kv_mem_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((void *)pairs[i].key.data);
	free(pairs);
}

static inline void
kv_mem_free(struct kv_mem *m)
{
	kv_mem_drop(m->pairs, m->count);
	free(m);
}

static inline void
kv_mem_begin(struct kv_mem *m)
{
	m->before = calloc(m->count + 1, sizeof(*m->before));
	ck_assert_ptr_nonnull(m->before);
	for (size_t i = 0; i < m->count; i++)
		m->before[i] = kv_mem_pair_new(m->pairs[i].key, m->pairs[i].value);
	m->before_count = m->count;
	memcpy(m->named_before, m->named, sizeof(m->named));
}

/* Back to where it began unless err is ERR_OK; gives err. */
static inline int
kv_mem_end(struct kv_mem *m, int err)
{
	if (err == ERR_OK) {
		kv_mem_drop(m->before, m->before_count);
	} else {
		kv_mem_drop(m->pairs, m->count);
		m->pairs = m->before;
		m->count = m->before_count;
		m->cap = m->count;
		memcpy(m->named, m->named_before, sizeof(m->named));
	}
	m->before = NULL;
	return err;
}

static inline struct bytes
text(const char *s)
{
	return bytes_of(s, strlen(s));
}

#endif
