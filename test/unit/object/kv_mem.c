/*
 * A sorted array, searched by halves. A transaction keeps a copy of all pairs, which are few.
 */
#include "test/unit/object/kv_mem.h"

#include "overlay/base/err.h"

static struct kv_mem *
mem_of(struct kv *kv)
{
	return container_of(kv, struct kv_mem, kv);
}

/* The index of the first pair that is not below key. */
static size_t
place_of(const struct kv_mem *m, struct bytes key)
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

static int
read_once(struct kv_mem *m)
{
	return m->fail_after > 0 && --m->fail_after == 0 ? ERR_UNREACHABLE : ERR_OK;
}

static int
copy_out(struct buf *to, struct bytes from)
{
	if (to == NULL)
		return ERR_OK;
	buf_reset(to);
	return buf_append(to, from.data, from.len);
}

static int
mem_get(struct kv *kv, struct bytes key, struct buf *value)
{
	struct kv_mem *m = mem_of(kv);
	size_t at = place_of(m, key);

	if (read_once(m) != ERR_OK)
		return ERR_UNREACHABLE;
	if (at == m->count || kv_compare(m->pairs[at].key, key) != 0)
		return ERR_NOT_FOUND;
	return copy_out(value, m->pairs[at].value);
}

static int
mem_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	struct kv_mem *m = mem_of(kv);
	size_t at = place_of(m, from);
	int err = read_once(m);

	m->seeks++;
	if (err != ERR_OK)
		return err;
	if (at == m->count)
		return ERR_NOT_FOUND;
	ck_assert_uint_ge(key->max, KV_KEY_MAX + 1);
	err = copy_out(key, m->pairs[at].key);
	return err != ERR_OK ? err : copy_out(value, m->pairs[at].value);
}

static struct kv_mem_pair
pair_new(struct bytes key, struct bytes value)
{
	uint8_t *data = malloc(key.len + value.len + 1);

	ck_assert_ptr_nonnull(data);
	memcpy(data, key.data, key.len);
	if (value.len > 0)
		memcpy(data + key.len, value.data, value.len);
	return (struct kv_mem_pair){ .key = bytes_of(data, key.len),
		.value = bytes_of(data + key.len, value.len) };
}

static int
mem_del(struct kv *kv, struct bytes key)
{
	struct kv_mem *m = mem_of(kv);
	size_t at = place_of(m, key);

	if (at == m->count || kv_compare(m->pairs[at].key, key) != 0)
		return ERR_OK;
	free((void *)m->pairs[at].key.data);
	memmove(m->pairs + at, m->pairs + at + 1, (m->count - at - 1) * sizeof(*m->pairs));
	m->count--;
	return ERR_OK;
}

static int
mem_put(struct kv *kv, struct bytes key, struct bytes value)
{
	struct kv_mem *m = mem_of(kv);
	struct kv_mem_pair pair = pair_new(key, value);
	size_t at;

	mem_del(kv, pair.key);
	at = place_of(m, pair.key);
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

static void
drop(struct kv_mem_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((void *)pairs[i].key.data);
	free(pairs);
}

void
kv_mem_free(struct kv_mem *m)
{
	drop(m->pairs, m->count);
	free(m);
}

void
kv_mem_begin(struct kv_mem *m)
{
	m->before = calloc(m->count + 1, sizeof(*m->before));
	ck_assert_ptr_nonnull(m->before);
	for (size_t i = 0; i < m->count; i++)
		m->before[i] = pair_new(m->pairs[i].key, m->pairs[i].value);
	m->before_count = m->count;
	content_counts_begin(&m->counts);
}

int
kv_mem_end(struct kv_mem *m, int err)
{
	if (err == ERR_OK) {
		drop(m->before, m->before_count);
	} else {
		drop(m->pairs, m->count);
		m->pairs = m->before;
		m->count = m->before_count;
		m->cap = m->count;
		content_counts_back(&m->counts);
	}
	m->before = NULL;
	return err;
}
