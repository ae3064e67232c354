/*
 * The index in memory: entries in one sorted array of pointers. Inserting moves pointers
 * (8 bytes each), which for the up to some ten thousand entries of a simulated node is cheaper than
 * a tree's cache misses.
 *
 * An update collects its changes in a second such table (a deletion is an entry without value);
 * only when its function has succeeded and memory for all is there they are merged, which cannot
 * fail. Readers hold the lock for reading meanwhile.
 */
#include "storage/index.h"

#include <pthread.h>
#include <stdlib.h>

struct entry {
	uint32_t key_len, value_len;
	bool deleted;   /* in the changes of an update only */
	uint8_t text[]; /* key, value */
};

struct table {
	struct entry **entries;
	size_t count, cap;
};

struct index_mem {
	struct index base;
	pthread_rwlock_t lock; /* of table */
	pthread_mutex_t writer;
	struct table table;
};

struct mem_txn {
	struct index_txn base;
	const struct table *table;
	struct table changes;
	bool writes;
};

static const struct index_ops mem_ops;

/* ---- tables ---- */

static struct bytes
entry_key(const struct entry *e)
{
	return bytes_of(e->text, e->key_len);
}

static struct bytes
entry_value(const struct entry *e)
{
	return bytes_of(e->text + e->key_len, e->value_len);
}

static int
key_compare(struct bytes a, struct bytes b)
{
	int c = memcmp(a.data, b.data, MIN(a.len, b.len));

	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

/* Position of the smallest key ≥ key. */
static size_t
table_lower(const struct table *t, struct bytes key)
{
	size_t lo = 0, hi = t->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (key_compare(entry_key(t->entries[mid]), key) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct entry *
table_find(const struct table *t, struct bytes key)
{
	size_t at = table_lower(t, key);

	if (at == t->count || key_compare(entry_key(t->entries[at]), key) != 0)
		return NULL;
	return t->entries[at];
}

static int
table_reserve(struct table *t, size_t extra)
{
	size_t need = t->count + extra, cap = t->cap == 0 ? 16 : t->cap;

	if (need <= t->cap)
		return ERR_OK;
	while (cap < need)
		cap *= 2;

	struct entry **grown = realloc(t->entries, cap * sizeof(struct entry *));

	if (grown == NULL)
		return ERR_NOMEM;
	t->entries = grown;
	t->cap = cap;
	return ERR_OK;
}

/* Takes e in place of one with the same key; there is room. */
static void
table_set(struct table *t, struct entry *e)
{
	size_t at = table_lower(t, entry_key(e));

	if (at < t->count && key_compare(entry_key(t->entries[at]), entry_key(e)) == 0) {
		free(t->entries[at]);
		t->entries[at] = e;
		return;
	}
	memmove(t->entries + at + 1, t->entries + at, (t->count - at) * sizeof(struct entry *));
	t->entries[at] = e;
	t->count++;
}

static void
table_remove(struct table *t, struct bytes key)
{
	size_t at = table_lower(t, key);

	if (at == t->count || key_compare(entry_key(t->entries[at]), key) != 0)
		return;
	free(t->entries[at]);
	t->count--;
	memmove(t->entries + at, t->entries + at + 1, (t->count - at) * sizeof(struct entry *));
}

static void
table_fini(struct table *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->entries[i]);
	free(t->entries);
}

/* ---- inside a transaction ---- */

static int
mem_get(struct index_txn *txn, struct bytes key, struct bytes *value)
{
	struct mem_txn *m = (struct mem_txn *)txn;
	const struct entry *e = table_find(&m->changes, key);

	if (e == NULL)
		e = table_find(m->table, key);
	if (e == NULL || e->deleted)
		return ERR_NOT_FOUND;
	*value = entry_value(e);
	return ERR_OK;
}

/* The smaller of the two tables' next entries, that of the changes where both have the key. */
static int
mem_seek(struct index_txn *txn, struct bytes from, struct bytes *key, struct bytes *value)
{
	struct mem_txn *m = (struct mem_txn *)txn;
	const struct table *base = m->table, *over = &m->changes;
	size_t b = table_lower(base, from), o = table_lower(over, from);

	for (;;) {
		int c = 0; /* < 0: base is first */

		if (b == base->count && o == over->count)
			return ERR_NOT_FOUND;
		if (b == base->count)
			c = 1;
		else if (o == over->count)
			c = -1;
		else
			c = key_compare(entry_key(base->entries[b]), entry_key(over->entries[o]));

		const struct entry *e = c < 0 ? base->entries[b] : over->entries[o];

		if (c <= 0)
			b++;
		if (c >= 0)
			o++;
		if (e->deleted)
			continue;
		*key = entry_key(e);
		*value = entry_value(e);
		return ERR_OK;
	}
}

static int
add_change(struct index_txn *txn, struct bytes key, struct bytes value, bool deleted)
{
	struct mem_txn *m = (struct mem_txn *)txn;

	must(m->writes);
	if (table_reserve(&m->changes, 1) != ERR_OK)
		return ERR_NOMEM;

	struct entry *e = malloc(sizeof(*e) + key.len + value.len);

	if (e == NULL)
		return ERR_NOMEM;
	e->key_len = (uint32_t)key.len;
	e->value_len = (uint32_t)value.len;
	e->deleted = deleted;
	memcpy(e->text, key.data, key.len);
	if (value.len > 0)
		memcpy(e->text + key.len, value.data, value.len);
	table_set(&m->changes, e);
	return ERR_OK;
}

static int
mem_put(struct index_txn *txn, struct bytes key, struct bytes value)
{
	return add_change(txn, key, value, false);
}

static int
mem_del(struct index_txn *txn, struct bytes key)
{
	return add_change(txn, key, bytes_of(NULL, 0), true);
}

/* ---- transactions ---- */

static int
mem_read(struct index *ix, index_fn *fn, void *arg)
{
	struct index_mem *m = (struct index_mem *)ix;
	struct mem_txn txn = { .base.ops = &mem_ops, .table = &m->table };

	must(pthread_rwlock_rdlock(&m->lock) == 0);

	int err = fn(arg, &txn.base);

	must(pthread_rwlock_unlock(&m->lock) == 0);
	return err;
}

/* Moves the changes over; the room was reserved. */
static void
merge(struct table *t, struct table *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		struct entry *e = changes->entries[i];

		if (e->deleted) {
			table_remove(t, entry_key(e));
			free(e);
		} else {
			table_set(t, e);
		}
	}
	changes->count = 0;
}

static int
mem_update(struct index *ix, index_fn *fn, void *arg)
{
	struct index_mem *m = (struct index_mem *)ix;
	struct mem_txn txn = { .base.ops = &mem_ops, .table = &m->table, .writes = true };

	/* Only this thread changes the table, so fn may read it beside the readers. */
	must(pthread_mutex_lock(&m->writer) == 0);

	int err = fn(arg, &txn.base);

	if (err == ERR_OK) {
		must(pthread_rwlock_wrlock(&m->lock) == 0);
		err = table_reserve(&m->table, txn.changes.count);
		if (err == ERR_OK)
			merge(&m->table, &txn.changes);
		must(pthread_rwlock_unlock(&m->lock) == 0);
	}
	must(pthread_mutex_unlock(&m->writer) == 0);
	table_fini(&txn.changes);
	return err;
}

static int
mem_reopen(struct index *ix)
{
	(void)ix; /* memory assumes nothing about files */
	return ERR_OK;
}

static void
mem_close(struct index *ix)
{
	struct index_mem *m = (struct index_mem *)ix;

	table_fini(&m->table);
	must(pthread_rwlock_destroy(&m->lock) == 0);
	must(pthread_mutex_destroy(&m->writer) == 0);
	free(m);
}

static const struct index_ops mem_ops = {
	.read = mem_read,
	.update = mem_update,
	.reopen = mem_reopen,
	.close = mem_close,
	.get = mem_get,
	.seek = mem_seek,
	.put = mem_put,
	.del = mem_del,
};

int
index_mem_new(struct index **out)
{
	struct index_mem *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return ERR_NOMEM;
	m->base.ops = &mem_ops;
	index_lock_init(&m->lock);
	must(pthread_mutex_init(&m->writer, NULL) == 0);
	*out = &m->base;
	return ERR_OK;
}
