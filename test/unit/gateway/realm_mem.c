/* The realm: access keys, accounts, and which buckets there are. */
#include "test/unit/gateway/realm_mem_private.h"

#include <stdlib.h>
#include <strings.h>

static struct realm_mem *
mem_of(struct realm *r)
{
	return container_of(r, struct realm_mem, realm);
}

static size_t
find_bucket(const struct realm_mem *m, const char *name)
{
	size_t i = 0;

	while (i < m->buckets_count && strcmp(m->buckets[i]->bucket.name, name) < 0)
		i++;
	return i;
}

static bool
is_there(const struct realm_mem *m, size_t at, const char *name)
{
	return at < m->buckets_count && strcmp(m->buckets[at]->bucket.name, name) == 0;
}

static SUSPENDS int
mem_bucket(struct realm *realm, const char *name, struct realm_bucket **out)
{
	struct realm_mem *m = mem_of(realm);
	size_t at = find_bucket(m, name);

	if (!is_there(m, at, name))
		return ERR_NOT_FOUND;
	m->buckets[at]->held++;
	*out = &m->buckets[at]->bucket;
	return ERR_OK;
}

static SUSPENDS int
mem_create(struct realm *realm, const struct realm_account *owner, const char *name,
    const char *region, int (*fn)(void *arg, struct kv *txn), void *arg, struct realm_bucket **out)
{
	struct realm_mem *m = mem_of(realm);
	size_t at = find_bucket(m, name);
	struct mem_bucket *b;
	int err;

	if (is_there(m, at, name))
		return ERR_EXISTS;
	must(m->buckets_count < MEM_BUCKETS_MAX);
	b = mem_bucket_new(m, owner, name, region);
	memmove(
	    m->buckets + at + 1, m->buckets + at, (m->buckets_count - at) * sizeof(*m->buckets));
	m->buckets[at] = b;
	m->buckets_count++;
	b->held = 1;
	err = b->bucket.ops->update(&b->bucket, fn, arg, NULL);
	*out = &b->bucket;
	return err;
}

static SUSPENDS int
mem_remove(struct realm *realm, struct realm_bucket *bucket)
{
	struct realm_mem *m = mem_of(realm);
	size_t at = find_bucket(m, bucket->name);
	int err = bucket_empty(&mem_bucket_of(bucket)->kv);

	if (err != ERR_OK || !is_there(m, at, bucket->name))
		return err;
	m->buckets_count--;
	memmove(
	    m->buckets + at, m->buckets + at + 1, (m->buckets_count - at) * sizeof(*m->buckets));
	mem_bucket_of(bucket)->removed = true;
	return ERR_OK;
}

static SUSPENDS int
mem_list(struct realm *realm, const struct account_id *owner, uint64_t *stale_ms,
    int (*each)(void *arg, const struct realm_listed *b), void *arg)
{
	struct realm_mem *m = mem_of(realm);
	int err = ERR_OK;

	if (stale_ms != NULL)
		*stale_ms = 0;
	for (size_t i = 0; i < m->buckets_count && err == ERR_OK; i++) {
		struct mem_bucket *b = m->buckets[i];
		struct realm_listed l = { b->bucket.name, b->region, b->bucket.created_ms };

		if (owner == NULL || strcmp(b->bucket.owner.id.text, owner->text) == 0)
			err = each(arg, &l);
	}
	return err;
}

static bool
mem_region_known(struct realm *realm, const char *region)
{
	(void)realm;
	return strcmp(region, "eu") == 0 || strcmp(region, "us-west-2") == 0;
}

static SUSPENDS int
mem_key(struct realm *realm, const char *access, struct realm_key *out)
{
	struct realm_mem *m = mem_of(realm);

	for (size_t i = 0; i < MEM_KEYS; i++) {
		if (strcmp(m->keys[i].key.id, access) == 0) {
			*out = m->keys[i];
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

static SUSPENDS int
mem_account(struct realm *realm, const char *id, struct realm_account *out)
{
	struct realm_mem *m = mem_of(realm);

	for (size_t i = 0; i < MEM_ACCOUNTS; i++) {
		if (strcmp(m->keys[i].account.id.text, id) == 0) {
			*out = m->keys[i].account;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

static SUSPENDS int
mem_account_named(struct realm *realm, const char *name, struct realm_account *out)
{
	struct realm_mem *m = mem_of(realm);

	for (size_t i = 0; i < MEM_ACCOUNTS; i++) {
		if (strcmp(m->keys[i].account.name, name) == 0) {
			*out = m->keys[i].account;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

static const struct realm_ops mem_ops = {
	.key = mem_key,
	.account = mem_account,
	.account_named = mem_account_named,
	.bucket = mem_bucket,
	.create = mem_create,
	.remove = mem_remove,
	.list = mem_list,
	.region_known = mem_region_known,
};

struct realm_mem *
realm_mem_new(struct env *env)
{
	static const char *const names[MEM_ACCOUNTS] = { "alice", "bob" };
	struct realm_mem *m = calloc(1, sizeof(*m));

	must(m != NULL);
	m->env = env;
	m->realm.ops = &mem_ops;
	for (size_t i = 0; i < MEM_ACCOUNTS; i++) {
		struct realm_key *k = &m->keys[i];
		uint8_t id[32] = { (uint8_t)(i + 1), 2, 3 };

		hex_encode(k->account.id.text, id, sizeof(id));
		strcpy(k->account.name, names[i]);
		strcpy(k->key.id, i == 0 ? "AKIAALICE" : "AKIABOB");
		strcpy(k->key.secret, i == 0 ? "alice-secret" : "bob-secret");
		k->key.grants_count = 1;
		k->key.grants[0].rights = ACCESS_ALL;
	}
	m->keys[MEM_ACCOUNTS] = m->keys[0];
	strcpy(m->keys[MEM_ACCOUNTS].key.id, "AKIANARROW");
	strcpy(m->keys[MEM_ACCOUNTS].key.secret, "narrow-secret");
	strcpy(m->keys[MEM_ACCOUNTS].key.grants[0].bucket, REALM_MEM_NARROW);
	return m;
}

void
realm_mem_free(struct realm_mem *m)
{
	for (size_t i = 0; i < m->buckets_count; i++)
		mem_bucket_free(m->buckets[i]);
	for (size_t i = 0; i < m->blobs_count; i++)
		free(m->blobs[i].data);
	free(m->blobs);
	free(m);
}

struct realm *
realm_mem_realm(struct realm_mem *m)
{
	return &m->realm;
}

const struct realm_key *
realm_mem_key(const struct realm_mem *m, size_t i)
{
	return &m->keys[i];
}

size_t
realm_mem_contents(const struct realm_mem *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->blobs_count; i++)
		n += m->blobs[i].refs > 0;
	return n;
}
