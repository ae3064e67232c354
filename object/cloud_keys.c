/* Access keys: records by their id. One that was revoked is gone; one that expired stays until it
 * is revoked, and opens nothing. */
#include <stdlib.h>

#include "object/cloud_private.h"

static struct cloud_key_text
key_of(const char *id)
{
	return cloud_table_key(TABLE_KEYS, id, strlen(id));
}

static SUSPENDS int
put_key(void *arg, struct kv *txn)
{
	const struct access_key *k = arg;
	struct cloud_key_text key = key_of(k->id);
	struct buf form;
	int err = cloud_table_room(txn, TABLE_KEYS, CLOUD_KEYS_MAX);

	if (err != ERR_OK)
		return err;
	buf_init_secret(&form, ACCESS_KEY_BYTES_MAX);
	err = access_key_pack(k, &form);
	if (err == ERR_OK)
		err = kv_put(txn, cloud_key_bytes(&key), buf_bytes(&form));
	buf_wipe(&form);
	return err;
}

SUSPENDS int
cloud_key_create(struct cloud *c, struct access_key *io)
{
	uint8_t random[ACCESS_RANDOM];

	if (io->grants_count == 0 || io->grants_count > ACCESS_GRANTS_MAX)
		return ERR_INVALID;
	env_random(c->env, random, sizeof(random));
	access_key_draw(io, random);
	crypto_wipe(random, sizeof(random));
	io->created_ms = env_wall_ms(c->env);
	return cloud_update(c, put_key, io);
}

static SUSPENDS int
find_in(struct cloud *c, enum map_fresh fresh, const char *id, struct access_key *out)
{
	struct cloud_key_text key = key_of(id);
	struct buf value;
	int err;

	buf_init_secret(&value, KV_VALUE_MAX);
	err = cloud_get(c, fresh, &key, &value);
	if (err == ERR_OK)
		err = access_key_unpack(buf_bytes(&value), out);
	buf_wipe(&value);
	return err;
}

SUSPENDS int
cloud_key_find(struct cloud *c, const char *id, struct access_key *out)
{
	int err;

	/* Whoever knocks with made-up ids of the right form costs the anchors a question each, one
	 * at a time: reads that wait together share a round. */
	if (!access_id_valid(id, strlen(id)))
		return ERR_NOT_FOUND;
	if (c->delegation != NULL) {
		err = strcmp(id, c->delegation->key.id) == 0 ? ERR_OK : ERR_NOT_FOUND;
		if (err == ERR_OK)
			*out = c->delegation->key;
	} else {
		err = find_in(c, MAP_ANY, id, out);
		if (err == ERR_NOT_FOUND)
			err = find_in(c, MAP_CURRENT, id, out);
	}
	if (err == ERR_OK && out->expires_ms != 0 && env_wall_ms(c->env) >= out->expires_ms) {
		access_key_wipe(out);
		err = ERR_NOT_FOUND;
	}
	return err;
}

static SUSPENDS int
del_key(void *arg, struct kv *txn)
{
	const struct cloud_key_text *key = arg;
	int err = kv_get(txn, cloud_key_bytes(key), NULL);

	return err == ERR_OK ? kv_del(txn, cloud_key_bytes(key)) : err;
}

SUSPENDS int
cloud_key_revoke(struct cloud *c, const char *id)
{
	struct cloud_key_text key;

	if (!access_id_valid(id, strlen(id)))
		return ERR_NOT_FOUND;
	key = key_of(id);
	return cloud_update(c, del_key, &key);
}

struct list {
	int (*each)(void *arg, const struct access_key *key);
	void *arg;
};

static int
list_one(void *arg, struct bytes name, struct bytes value)
{
	struct list *l = arg;
	struct access_key k;
	int err = access_key_unpack(value, &k);

	(void)name;
	if (err == ERR_OK)
		err = l->each(l->arg, &k);
	access_key_wipe(&k);
	return err;
}

SUSPENDS int
cloud_keys(struct cloud *c, uint64_t *stale_ms,
    int (*each)(void *arg, const struct access_key *key), void *arg)
{
	struct list l = { each, arg };

	return cloud_table_list(c, TABLE_KEYS, stale_ms, list_one, &l);
}
