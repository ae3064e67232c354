/* See kv_pairs.h. */
#include "test/unit/object/kv_pairs.h"

#include <stdlib.h>

#include "overlay/base/err.h"

struct kv_pair
kv_pair_new(struct bytes key, struct bytes value)
{
	uint8_t *data = malloc(key.len + value.len + 1);

	must(data != NULL);
	if (key.len > 0)
		memcpy(data, key.data, key.len);
	if (value.len > 0)
		memcpy(data + key.len, value.data, value.len);
	return (struct kv_pair){ .key = bytes_of(data, key.len),
		.value = bytes_of(data + key.len, value.len) };
}

void
kv_pair_free(const struct kv_pair *p)
{
	free((void *)(uintptr_t)p->key.data);
}

/* The index of the first pair that is not below key. */
static size_t
place_of(const struct kv_pairs *p, struct bytes key)
{
	size_t low = 0, high = p->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (kv_compare(p->at[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool
is_at(const struct kv_pairs *p, size_t at, struct bytes key)
{
	return at < p->count && kv_compare(p->at[at].key, key) == 0;
}

int
kv_copy_out(struct buf *to, struct bytes from)
{
	if (to == NULL)
		return ERR_OK;
	buf_reset(to);
	return buf_append(to, from.data, from.len);
}

int
kv_pairs_get(const struct kv_pairs *p, struct bytes key, struct buf *value)
{
	size_t at = place_of(p, key);

	return is_at(p, at, key) ? kv_copy_out(value, p->at[at].value) : ERR_NOT_FOUND;
}

int
kv_pairs_seek(const struct kv_pairs *p, struct bytes from, struct buf *key, struct buf *value)
{
	size_t at = place_of(p, from);
	int err;

	if (at == p->count)
		return ERR_NOT_FOUND;
	err = kv_copy_out(key, p->at[at].key);
	return err == ERR_OK ? kv_copy_out(value, p->at[at].value) : err;
}

void
kv_pairs_add(struct kv_pairs *p, struct kv_pair pair)
{
	size_t at = place_of(p, pair.key);

	must(!is_at(p, at, pair.key));
	if (p->count == p->cap) {
		p->cap = p->cap * 2 + 64;
		p->at = realloc(p->at, p->cap * sizeof(*p->at));
		must(p->at != NULL);
	}
	memmove(p->at + at + 1, p->at + at, (p->count - at) * sizeof(*p->at));
	p->at[at] = pair;
	p->count++;
}

struct kv_pair
kv_pairs_take(struct kv_pairs *p, struct bytes key)
{
	size_t at = place_of(p, key);
	struct kv_pair taken;

	if (!is_at(p, at, key))
		return (struct kv_pair){ .key = bytes_of(NULL, 0) };
	taken = p->at[at];
	p->count--;
	memmove(p->at + at, p->at + at + 1, (p->count - at) * sizeof(*p->at));
	return taken;
}

struct kv_pairs
kv_pairs_copy(const struct kv_pairs *p)
{
	struct kv_pairs copy = { .at = calloc(p->count + 1, sizeof(*p->at)), .cap = p->count + 1 };

	must(copy.at != NULL);
	for (; copy.count < p->count; copy.count++)
		copy.at[copy.count] = kv_pair_new(p->at[copy.count].key, p->at[copy.count].value);
	return copy;
}

void
kv_pairs_fini(struct kv_pairs *p)
{
	for (size_t i = 0; i < p->count; i++)
		kv_pair_free(&p->at[i]);
	free(p->at);
	*p = (struct kv_pairs){ NULL };
}
