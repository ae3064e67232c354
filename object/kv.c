/* What every ordered map checks before it is asked. */
#include "object/kv.h"

int
kv_compare(struct bytes a, struct bytes b)
{
	size_t len = MIN(a.len, b.len);
	int order = len == 0 ? 0 : memcmp(a.data, b.data, len);

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

int
kv_get(struct kv *kv, struct bytes key, struct buf *value)
{
	/* A key that nobody can put is not there. */
	if (key.len == 0 || key.len > KV_KEY_MAX)
		return ERR_NOT_FOUND;
	return kv->ops->get(kv, key, value);
}

int
kv_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	/* One longer: the successor of the longest key. */
	if (from.len > KV_KEY_MAX + 1)
		return ERR_TOO_BIG;
	return kv->ops->seek(kv, from, key, value);
}

int
kv_next(struct kv *kv, struct buf *key, struct buf *value)
{
	uint8_t from[KV_KEY_MAX + 1];

	if (key->len > KV_KEY_MAX)
		return ERR_TOO_BIG;
	if (key->len > 0)
		memcpy(from, key->data, key->len);
	from[key->len] = 0;
	return kv->ops->seek(kv, bytes_of(from, key->len + 1), key, value);
}

int
kv_put(struct kv *kv, struct bytes key, struct bytes value)
{
	if (kv->ops->put == NULL)
		return ERR_STATE;
	if (key.len == 0)
		return ERR_INVALID;
	if (key.len > KV_KEY_MAX || value.len > KV_VALUE_MAX)
		return ERR_TOO_BIG;
	return kv->ops->put(kv, key, value);
}

int
kv_del(struct kv *kv, struct bytes key)
{
	if (kv->ops->del == NULL)
		return ERR_STATE;
	if (key.len == 0)
		return ERR_INVALID;
	if (key.len > KV_KEY_MAX)
		return ERR_TOO_BIG;
	return kv->ops->del(kv, key);
}
