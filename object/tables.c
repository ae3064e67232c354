/* Keys of a bucket's tables, put together and taken apart. */
#include "object/tables.h"

#include "overlay/base/err.h"

struct bytes
table_key_bytes(const struct table_key *k)
{
	return bytes_of(k->b, k->len);
}

struct table_key
table_start(enum table t)
{
	struct table_key k = { .len = 1 };

	k.b[0] = (uint8_t)t;
	return k;
}

static void
add(struct table_key *k, const void *data, size_t len)
{
	must(len <= sizeof(k->b) - k->len);
	memcpy(k->b + k->len, data, len);
	k->len += len;
}

struct table_key
table_prefix(enum table t, struct bytes prefix)
{
	struct table_key k = table_start(t);
	/* No key is that long, so what lies behind a longer text lies behind its beginning. */
	size_t len = MIN(prefix.len, OBJECT_KEY_MAX + 1);

	for (size_t i = 0; i < len; i++) /* 0xff is in no key: behind all others as well */
		k.b[k.len++] = prefix.data[i] == 0xff ? 0xff : (uint8_t)(prefix.data[i] + 1);
	return k;
}

struct table_key
table_past_prefix(enum table t, struct bytes prefix)
{
	struct table_key k = table_prefix(t, prefix);

	add(&k, "\xff", 1);
	return k;
}

struct table_key
table_key(enum table t, struct bytes key, const struct version *id)
{
	struct table_key k = table_prefix(t, key);

	add(&k, "", 1);
	if (id != NULL)
		add(&k, id->b, sizeof(id->b));
	return k;
}

struct table_key
table_past_key(enum table t, struct bytes key)
{
	struct table_key k = table_prefix(t, key);

	add(&k, "\x01", 1);
	return k;
}

struct table_key
table_past(enum table t, struct bytes key, const struct version *id)
{
	struct table_key k = table_key(t, key, id);

	add(&k, "", 1);
	return k;
}

struct table_key
table_id(enum table t, const struct version *id, uint32_t number)
{
	struct table_key k = table_start(t);
	uint8_t be[2] = { (uint8_t)(number >> 8), (uint8_t)number };

	add(&k, id->b, sizeof(id->b));
	if (number != UINT32_MAX)
		add(&k, be, sizeof(be));
	return k;
}

int
table_split(struct bytes kv_key, enum table t, uint8_t *out, size_t *out_len, struct version *id)
{
	size_t len;

	if (kv_key.len == 0 || kv_key.data[0] != (uint8_t)t)
		return ERR_NOT_FOUND;
	if (kv_key.len < 1 + 1 + 1 + VERSION_BYTES ||
	    kv_key.len > 1 + OBJECT_KEY_MAX + 1 + VERSION_BYTES)
		return ERR_CORRUPT;
	len = kv_key.len - 2 - VERSION_BYTES;
	if (kv_key.data[1 + len] != 0)
		return ERR_CORRUPT;
	for (size_t i = 0; i < len; i++) {
		if (kv_key.data[1 + i] == 0)
			return ERR_CORRUPT;
		out[i] = (uint8_t)(kv_key.data[1 + i] - 1);
	}
	*out_len = len;
	memcpy(id->b, kv_key.data + 2 + len, VERSION_BYTES);
	return ERR_OK;
}

void
table_record_init(struct table_record *r)
{
	buf_init(&r->key, KV_KEY_MAX + 1);
	buf_init(&r->value, KV_VALUE_MAX);
}

void
table_record_fini(struct table_record *r)
{
	buf_fini(&r->key);
	buf_fini(&r->value);
}

int
table_seek(struct kv *kv, const struct table_key *from, const struct table_key *within,
    struct table_record *r)
{
	int err = kv_seek(kv, table_key_bytes(from), &r->key, &r->value);

	if (err != ERR_OK)
		return err;
	if (r->key.len < within->len || memcmp(r->key.data, within->b, within->len) != 0)
		return ERR_NOT_FOUND;
	return ERR_OK;
}
