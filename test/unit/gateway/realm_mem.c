#include "test/unit/gateway/realm_mem.h"

#include <stdlib.h>
#include <strings.h>

#include "overlay/base/task.h"

#define BUCKETS_MAX 2048
#define ACCOUNTS    2
#define READ_PIECE  KIB(200)
#define FORM_BYTES  9

struct mem_pair {
	struct bytes key, value;
};

/* What a transaction changed: the pair as it was, to be put back. */
struct undo {
	struct mem_pair before; /* .key.data NULL: there was none */
	struct bytes key;
};

struct blob {
	uint8_t *data;
	size_t len;
	int refs;
};

struct mem_bucket {
	struct realm_bucket bucket;
	struct realm_mem *m;
	struct kv kv;
	struct mem_pair *pairs;
	size_t count, cap;
	struct undo *undo;
	size_t undo_count, undo_cap;
	bool in_txn, removed;
	unsigned held;
	struct buf *result;
	struct content_refs refs;
	char region[64];
};

struct realm_mem {
	struct realm realm;
	struct env *env;
	struct realm_key keys[ACCOUNTS];
	struct mem_bucket *buckets[BUCKETS_MAX];
	size_t buckets_count;
	struct blob *blobs;
	size_t blobs_count, blobs_cap;
};

struct realm_writer {
	struct mem_bucket *b;
	struct buf data;
	struct key customer;
	bool has_customer;
};

struct realm_reader {
	struct buf data;
	size_t at;
};

static struct mem_bucket *
bucket_of(struct realm_bucket *b)
{
	return container_of(b, struct mem_bucket, bucket);
}

/* ---- the map ---- */

static size_t
lower(const struct mem_bucket *b, struct bytes key)
{
	size_t low = 0, high = b->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (kv_compare(b->pairs[middle].key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
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
	struct mem_bucket *b = container_of(kv, struct mem_bucket, kv);
	size_t at = lower(b, key);

	if (at == b->count || kv_compare(b->pairs[at].key, key) != 0)
		return ERR_NOT_FOUND;
	return copy_out(value, b->pairs[at].value);
}

static int
mem_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	struct mem_bucket *b = container_of(kv, struct mem_bucket, kv);
	size_t at = lower(b, from);
	int err;

	if (at == b->count)
		return ERR_NOT_FOUND;
	err = copy_out(key, b->pairs[at].key);
	return err == ERR_OK ? copy_out(value, b->pairs[at].value) : err;
}

static struct bytes
duplicate(struct bytes from)
{
	uint8_t *data = malloc(from.len + 1);

	must(data != NULL);
	if (from.len > 0)
		memcpy(data, from.data, from.len);
	return bytes_of(data, from.len);
}

static void
pair_free(struct mem_pair *p)
{
	free((void *)(uintptr_t)p->key.data);
	free((void *)(uintptr_t)p->value.data);
}

static void
raw_del(struct mem_bucket *b, size_t at)
{
	memmove(b->pairs + at, b->pairs + at + 1, (b->count - at - 1) * sizeof(*b->pairs));
	b->count--;
}

static void
raw_put(struct mem_bucket *b, struct mem_pair p)
{
	size_t at = lower(b, p.key);

	if (b->count == b->cap) {
		b->cap = b->cap * 2 + 64;
		b->pairs = realloc(b->pairs, b->cap * sizeof(*b->pairs));
		must(b->pairs != NULL);
	}
	memmove(b->pairs + at + 1, b->pairs + at, (b->count - at) * sizeof(*b->pairs));
	b->pairs[at] = p;
	b->count++;
}

/* Takes what is there under key away, and remembers it. */
static void
displace(struct mem_bucket *b, struct bytes key)
{
	size_t at = lower(b, key);
	struct undo u = { .key = duplicate(key) };

	if (at < b->count && kv_compare(b->pairs[at].key, key) == 0) {
		u.before = b->pairs[at];
		raw_del(b, at);
	}
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
	struct mem_pair p;

	if (!b->in_txn)
		return ERR_STATE;
	if (key.len == 0 || key.len > KV_KEY_MAX || value.len > KV_VALUE_MAX)
		return ERR_TOO_BIG;
	p = (struct mem_pair){ duplicate(key), duplicate(value) };
	displace(b, key);
	raw_put(b, p);
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
		size_t at = lower(b, u->key);

		if (at < b->count && kv_compare(b->pairs[at].key, u->key) == 0) {
			pair_free(&b->pairs[at]);
			raw_del(b, at);
		}
		if (u->before.key.data != NULL)
			raw_put(b, u->before);
		free((void *)(uintptr_t)u->key.data);
	}
}

static void
forget_undo(struct mem_bucket *b)
{
	while (b->undo_count > 0) {
		struct undo *u = &b->undo[--b->undo_count];

		pair_free(&u->before);
		free((void *)(uintptr_t)u->key.data);
	}
}

static SUSPENDS int
mem_update(struct realm_bucket *bucket, int (*fn)(void *arg, struct kv *txn), void *arg,
    struct buf *result)
{
	struct mem_bucket *b = bucket_of(bucket);
	int err = task_yield(b->m->env);

	if (err != ERR_OK)
		return err;
	must(!b->in_txn);
	b->in_txn = true;
	b->result = result;
	err = fn(arg, &b->kv);
	b->in_txn = false;
	b->result = NULL;
	if (err != ERR_OK)
		roll_back(b);
	else
		forget_undo(b);
	return err;
}

static int
mem_txn_result(struct kv *txn, struct bytes result)
{
	struct mem_bucket *b = container_of(txn, struct mem_bucket, kv);

	return b->result == NULL ? ERR_OK : copy_out(b->result, result);
}

static SUSPENDS int
mem_view(struct realm_bucket *bucket, struct kv **out)
{
	struct mem_bucket *b = bucket_of(bucket);

	*out = &b->kv;
	return task_yield(b->m->env);
}

static void
mem_view_release(struct realm_bucket *b, struct kv *view)
{
	(void)b;
	(void)view;
}

/* ---- contents: a form is 'b' and the number of a blob, or nothing ---- */

static struct blob *
blob_of(struct realm_mem *m, struct bytes form)
{
	uint64_t n;

	must(form.len == FORM_BYTES && form.data[0] == 'b');
	memcpy(&n, form.data + 1, sizeof(n));
	must(n < m->blobs_count);
	return &m->blobs[n];
}

static int
add_blob(struct realm_mem *m, struct bytes data, struct buf *form)
{
	uint64_t n = m->blobs_count;
	uint8_t text[FORM_BYTES] = "b";

	if (data.len == 0)
		return ERR_OK;
	if (m->blobs_count == m->blobs_cap) {
		m->blobs_cap = m->blobs_cap * 2 + 64;
		m->blobs = realloc(m->blobs, m->blobs_cap * sizeof(*m->blobs));
		must(m->blobs != NULL);
	}
	m->blobs[m->blobs_count++] =
	    (struct blob){ .data = (uint8_t *)(uintptr_t)duplicate(data).data, .len = data.len };
	memcpy(text + 1, &n, sizeof(n));
	return buf_append(form, text, sizeof(text));
}

static int
count_refs(void *arg, struct bytes content, int by)
{
	struct mem_bucket *b = arg;

	if (content.len > 0)
		blob_of(b->m, content)->refs += by;
	return ERR_OK;
}

static int
mem_named(void *arg, struct kv *txn, struct bytes content, uint64_t written_ms, uint64_t now_ms)
{
	(void)txn;
	(void)written_ms;
	(void)now_ms;
	return count_refs(arg, content, 1);
}

static int
mem_ref(void *arg, struct kv *txn, struct bytes content)
{
	(void)txn;
	return count_refs(arg, content, 1);
}

static int
mem_unref(void *arg, struct kv *txn, struct bytes content, uint64_t now_ms)
{
	(void)txn;
	(void)now_ms;
	return count_refs(arg, content, -1);
}

static SUSPENDS int
mem_writer_new(struct realm_bucket *b, const struct realm_write *w, struct realm_writer **out)
{
	*out = calloc(1, sizeof(**out));
	must(*out != NULL);
	(*out)->b = bucket_of(b);
	(*out)->has_customer = w->customer != NULL;
	if (w->customer != NULL)
		(*out)->customer = *w->customer;
	buf_init(&(*out)->data, GIB(2));
	return ERR_OK;
}

static SUSPENDS int
mem_write(struct realm_writer *w, struct bytes data)
{
	int err = task_yield(w->b->m->env);

	return err == ERR_OK ? buf_append(&w->data, data.data, data.len) : err;
}

/* One byte for all, so that parts may be read as they were joined, wherever each begins. */
static void
mask(uint8_t *data, size_t len, const struct key *customer)
{
	uint8_t all = 0;

	for (size_t i = 0; i < sizeof(customer->b); i++)
		all = (uint8_t)(all * 31 + customer->b[i]);
	for (size_t i = 0; i < len; i++)
		data[i] ^= all;
}

static SUSPENDS int
mem_finish(struct realm_writer *w, struct buf *form)
{
	if (w->has_customer)
		mask(w->data.data, w->data.len, &w->customer);
	return add_blob(w->b->m, buf_bytes(&w->data), form);
}

static SUSPENDS void
mem_writer_free(struct realm_writer *w)
{
	buf_fini(&w->data);
	free(w);
}

static SUSPENDS void
mem_drop(struct realm_bucket *b, struct bytes form)
{
	(void)b;
	(void)form;
}

static SUSPENDS int
mem_join(struct realm_bucket *b, const struct bytes *forms, size_t count, struct buf *form,
    struct realm_spare **spare)
{
	struct realm_mem *m = bucket_of(b)->m;
	struct buf all;
	int err = ERR_OK;

	*spare = NULL;
	buf_init(&all, GIB(2));
	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		if (forms[i].len > 0)
			err =
			    buf_append(&all, blob_of(m, forms[i])->data, blob_of(m, forms[i])->len);
	}
	if (err == ERR_OK)
		err = add_blob(m, buf_bytes(&all), form);
	buf_fini(&all);
	return err;
}

static SUSPENDS int
mem_joined(struct realm_spare *spare, struct kv *txn, uint64_t now_ms)
{
	(void)spare;
	(void)txn;
	(void)now_ms;
	return ERR_OK;
}

static void
mem_spare_free(struct realm_spare *spare)
{
	must(spare == NULL);
}

static SUSPENDS int
mem_reader_new(struct realm_bucket *b, struct bytes form, uint64_t from, uint64_t len,
    const struct key *customer, struct realm_reader **out)
{
	struct realm_reader *r = calloc(1, sizeof(*r));

	must(r != NULL);
	buf_init(&r->data, GIB(2));
	if (len > 0) {
		struct blob *blob = blob_of(bucket_of(b)->m, form);

		must(from + len <= blob->len);
		must(buf_append(&r->data, blob->data, from + len) == ERR_OK);
		if (customer != NULL)
			mask(r->data.data, r->data.len, customer);
		buf_drop_front(&r->data, from);
	}
	*out = r;
	return ERR_OK;
}

static SUSPENDS int
mem_read(struct realm_reader *r, struct bytes *lent)
{
	if (r->at == r->data.len)
		return ERR_END;
	*lent = bytes_of(r->data.data + r->at, MIN(READ_PIECE, r->data.len - r->at));
	r->at += lent->len;
	return ERR_OK;
}

static SUSPENDS void
mem_reader_free(struct realm_reader *r)
{
	buf_fini(&r->data);
	free(r);
}

/* ---- buckets ---- */

static void
bucket_free(struct mem_bucket *b)
{
	for (size_t i = 0; i < b->count; i++)
		pair_free(&b->pairs[i]);
	free(b->pairs);
	free(b->undo);
	free(b);
}

static void
mem_release(struct realm_bucket *bucket)
{
	struct mem_bucket *b = bucket_of(bucket);

	must(b->held > 0);
	b->held--;
	if (b->removed && b->held == 0)
		bucket_free(b);
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
	must(m->buckets_count < BUCKETS_MAX);
	b = calloc(1, sizeof(*b));
	must(b != NULL);
	b->m = m;
	b->kv.ops = &mem_kv_ops;
	b->bucket = (struct realm_bucket){ .ops = &mem_bucket_ops,
		.owner = *owner,
		.created_ms = env_wall_ms(m->env),
		.refs = &b->refs };
	b->refs = (struct content_refs){
		.named = mem_named, .ref = mem_ref, .unref = mem_unref, .arg = b
	};
	(void)strncpy(b->bucket.name, name, sizeof(b->bucket.name) - 1);
	(void)strncpy(b->region, region, sizeof(b->region) - 1);
	memmove(
	    m->buckets + at + 1, m->buckets + at, (m->buckets_count - at) * sizeof(*m->buckets));
	m->buckets[at] = b;
	m->buckets_count++;
	b->held = 1;
	err = mem_update(&b->bucket, fn, arg, NULL);
	*out = &b->bucket;
	return err;
}

static SUSPENDS int
mem_remove(struct realm *realm, struct realm_bucket *bucket)
{
	struct realm_mem *m = mem_of(realm);
	size_t at = find_bucket(m, bucket->name);
	int err = bucket_empty(&bucket_of(bucket)->kv);

	if (err != ERR_OK || !is_there(m, at, bucket->name))
		return err;
	m->buckets_count--;
	memmove(
	    m->buckets + at, m->buckets + at + 1, (m->buckets_count - at) * sizeof(*m->buckets));
	bucket_of(bucket)->removed = true;
	return ERR_OK;
}

static SUSPENDS int
mem_list(struct realm *realm, const struct account_id *owner,
    int (*each)(void *arg, const struct realm_listed *b), void *arg)
{
	struct realm_mem *m = mem_of(realm);
	int err = ERR_OK;

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

	for (size_t i = 0; i < ACCOUNTS; i++) {
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

	for (size_t i = 0; i < ACCOUNTS; i++) {
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

	for (size_t i = 0; i < ACCOUNTS; i++) {
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
	static const char *const names[ACCOUNTS] = { "alice", "bob" };
	struct realm_mem *m = calloc(1, sizeof(*m));

	must(m != NULL);
	m->env = env;
	m->realm.ops = &mem_ops;
	for (size_t i = 0; i < ACCOUNTS; i++) {
		struct realm_key *k = &m->keys[i];
		uint8_t id[32] = { (uint8_t)(i + 1), 2, 3 };

		hex_encode(k->account.id.text, id, sizeof(id));
		strcpy(k->account.name, names[i]);
		strcpy(k->key.id, i == 0 ? "AKIAALICE" : "AKIABOB");
		strcpy(k->key.secret, i == 0 ? "alice-secret" : "bob-secret");
		k->key.grants_count = 1;
		k->key.grants[0].rights = ACCESS_ALL;
	}
	return m;
}

void
realm_mem_free(struct realm_mem *m)
{
	for (size_t i = 0; i < m->buckets_count; i++)
		bucket_free(m->buckets[i]);
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
realm_mem_key(const struct realm_mem *m, size_t account)
{
	return &m->keys[account];
}

size_t
realm_mem_contents(const struct realm_mem *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->blobs_count; i++)
		n += m->blobs[i].refs > 0;
	return n;
}
