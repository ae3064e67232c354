/* One bucket: pairs, and transactions on them that are undone or stay. */
#include "test/unit/gateway/realm_mem_private.h"

#include <stdlib.h>

#include "overlay/base/task.h"

/* What a transaction changed: the pair as it was, to be put back. */
struct undo {
	struct kv_pair before; /* .key.data NULL: there was none */
	struct bytes key;
};

static int
mem_get(struct kv *kv, struct bytes key, struct buf *value)
{
	return kv_pairs_get(&container_of(kv, struct mem_bucket, kv)->pairs, key, value);
}

static int
mem_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	return kv_pairs_seek(&container_of(kv, struct mem_bucket, kv)->pairs, from, key, value);
}

struct bytes
mem_duplicate(struct bytes from)
{
	uint8_t *data = malloc(from.len + 1);

	must(data != NULL);
	if (from.len > 0)
		memcpy(data, from.data, from.len);
	return bytes_of(data, from.len);
}

/* Takes what is there under key away, and remembers it. */
static void
displace(struct mem_bucket *b, struct bytes key)
{
	struct undo u = { .before = kv_pairs_take(&b->pairs, key), .key = mem_duplicate(key) };

	if (b->undo_count == b->undo_cap) {
		b->undo_cap = b->undo_cap * 2 + 64;
		b->undo = realloc(b->undo, b->undo_cap * sizeof(*b->undo));
		must(b->undo != NULL);
	}
	b->undo[b->undo_count++] = u;
}

static int
mem_put(struct kv *kv, struct bytes key, struct bytes value)
{
	struct mem_bucket *b = container_of(kv, struct mem_bucket, kv);
	struct kv_pair p;

	if (!b->in_txn)
		return ERR_STATE;
	if (key.len == 0 || key.len > KV_KEY_MAX || value.len > KV_VALUE_MAX)
		return ERR_TOO_BIG;
	p = kv_pair_new(key, value);
	displace(b, p.key);
	kv_pairs_add(&b->pairs, p);
	return ERR_OK;
}

static int
mem_del(struct kv *kv, struct bytes key)
{
	struct mem_bucket *b = container_of(kv, struct mem_bucket, kv);

	if (!b->in_txn)
		return ERR_STATE;
	displace(b, key);
	return ERR_OK;
}

static const struct kv_ops mem_kv_ops = {
	.get = mem_get, .seek = mem_seek, .put = mem_put, .del = mem_del
};

static void
roll_back(struct mem_bucket *b)
{
	while (b->undo_count > 0) {
		struct undo *u = &b->undo[--b->undo_count];
		struct kv_pair undone = kv_pairs_take(&b->pairs, u->key);

		kv_pair_free(&undone);
		if (u->before.key.data != NULL)
			kv_pairs_add(&b->pairs, u->before);
		free((void *)(uintptr_t)u->key.data);
	}
}

static void
forget_undo(struct mem_bucket *b)
{
	while (b->undo_count > 0) {
		struct undo *u = &b->undo[--b->undo_count];

		kv_pair_free(&u->before);
		free((void *)(uintptr_t)u->key.data);
	}
}

static SUSPENDS int
mem_update(struct realm_bucket *bucket, int (*fn)(void *arg, struct kv *txn), void *arg,
    struct buf *result)
{
	struct mem_bucket *b = mem_bucket_of(bucket);
	int err = task_yield(b->m->env);

	if (err != ERR_OK)
		return err;
	must(!b->in_txn);
	forget_undo(b);
	b->in_txn = true;
	b->result = result;
	err = fn(arg, &b->kv);
	b->in_txn = false;
	b->result = NULL;
	if (err != ERR_OK)
		roll_back(b);
	return err;
}

static int
mem_txn_result(struct kv *txn, struct bytes result)
{
	struct mem_bucket *b = container_of(txn, struct mem_bucket, kv);

	return b->result == NULL ? ERR_OK : kv_copy_out(b->result, result);
}

/* What was there before the last transaction. */
static int
known_get(struct kv *kv, struct bytes key, struct buf *value)
{
	struct mem_bucket *b = container_of(kv, struct mem_bucket, known);

	for (size_t i = 0; i < b->undo_count; i++) {
		const struct undo *u = &b->undo[i];

		if (kv_compare(u->key, key) != 0)
			continue;
		if (u->before.key.data == NULL)
			return ERR_NOT_FOUND;
		return kv_copy_out(value, u->before.value);
	}
	return mem_get(&b->kv, key, value);
}

static int
known_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	return mem_seek(&container_of(kv, struct mem_bucket, known)->kv, from, key, value);
}

static const struct kv_ops known_kv_ops = { .get = known_get, .seek = known_seek };

static SUSPENDS int
mem_view(struct realm_bucket *bucket, enum realm_fresh fresh, struct kv **out)
{
	struct mem_bucket *b = mem_bucket_of(bucket);

	*out = fresh == REALM_KNOWN ? &b->known : &b->kv;
	return task_yield(b->m->env);
}

static void
mem_view_release(struct realm_bucket *b, struct kv *view)
{
	(void)b;
	(void)view;
}

/* ---- its life ---- */

void
mem_bucket_free(struct mem_bucket *b)
{
	kv_pairs_fini(&b->pairs);
	forget_undo(b);
	free(b->undo);
	free(b);
}

static void
mem_release(struct realm_bucket *bucket)
{
	struct mem_bucket *b = mem_bucket_of(bucket);

	must(b->held > 0);
	b->held--;
	if (b->removed && b->held == 0)
		mem_bucket_free(b);
}

static const struct realm_bucket_ops mem_bucket_ops = {
	.view = mem_view,
	.view_release = mem_view_release,
	.update = mem_update,
	.txn_result = mem_txn_result,
	.writer_new = mem_writer_new,
	.write = mem_write,
	.finish = mem_finish,
	.writer_free = mem_writer_free,
	.drop = mem_drop,
	.join = mem_join,
	.joined = mem_joined,
	.spare_free = mem_spare_free,
	.reader_new = mem_reader_new,
	.read = mem_read,
	.reader_free = mem_reader_free,
	.release = mem_release,
};

struct mem_bucket *
mem_bucket_new(
    struct realm_mem *m, const struct realm_account *owner, const char *name, const char *region)
{
	struct mem_bucket *b = calloc(1, sizeof(*b));

	must(b != NULL);
	b->m = m;
	b->kv.ops = &mem_kv_ops;
	b->known.ops = &known_kv_ops;
	b->bucket = (struct realm_bucket){ .ops = &mem_bucket_ops,
		.owner = *owner,
		.created_ms = env_wall_ms(m->env),
		.refs = &b->refs };
	b->refs = mem_refs(b);
	(void)strncpy(b->bucket.name, name, sizeof(b->bucket.name) - 1);
	(void)strncpy(b->region, region, sizeof(b->region) - 1);
	return b;
}
