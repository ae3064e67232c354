/*
 * Values through the group commit, and looking them up: the young ones (young.h), then the index.
 */
#include "storage/store_values.h"

#include <stdlib.h>

#include "storage/store_impl.h"

static_assert(STORE_VALUE_MAX == RECORD_VALUE_MAX, "one limit");

int
store_set_values(
    struct store *s, enum store_space space, const struct store_value *at, size_t count)
{
	struct commit *c;
	int err;

	must(!s->read_only);
	for (size_t i = 0; i < count; i++) {
		if (at[i].value.len > STORE_VALUE_MAX)
			return ERR_TOO_BIG;
	}
	c = calloc(MAX(count, (size_t)1), sizeof(*c));
	if (c == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < count; i++) {
		c[i].kind = COMMIT_RECORD;
		c[i].record = (struct record){ .kind = RECORD_VALUE,
			.chunk = at[i].key,
			.index = (uint8_t)space,
			.value = at[i].value };
		c[i].after = i > 0 ? &c[i - 1] : NULL;
	}
	err = store_commit_all(s, c, count);
	free(c);
	return err;
}

int
store_set_value(struct store *s, enum store_space space, const struct hash *key, struct bytes value)
{
	return store_set_values(s, space, &(struct store_value){ *key, value }, 1);
}

/* ---- looking up ---- */

struct value_query {
	enum store_space space;
	const struct hash *key;
	struct buf *out;
	struct hash found;
};

static int
get_value(void *arg, struct index_txn *txn)
{
	struct value_query *q = arg;
	struct bytes value;
	int err = catalog_value(txn, (uint8_t)q->space, q->key, &value);

	if (err != ERR_OK)
		return err;
	buf_reset(q->out);
	return buf_append(q->out, value.data, value.len);
}

int
store_value(struct store *s, enum store_space space, const struct hash *key, struct buf *out)
{
	struct value_query q = { .space = space, .key = key, .out = out };
	struct bytes young;

	if (!young_find(&s->young, (uint8_t)space, key, &young))
		return store_look_up(s, get_value, &q);
	if (young.len == 0)
		return ERR_NOT_FOUND;
	buf_reset(out);
	return buf_append(out, young.data, young.len);
}

static int
next_value(void *arg, struct index_txn *txn)
{
	struct value_query *q = arg;
	struct bytes value;

	return catalog_next_value(txn, (uint8_t)q->space, q->key, &q->found, &value);
}

int
store_next_value(struct store *s, enum store_space space, const struct hash *from, struct hash *key)
{
	struct value_query q = { .space = space, .key = from };
	struct commit settle = { .kind = COMMIT_SETTLE };
	/* Who walks does so at a start, or rarely: simpler than two orders in one. */
	int err = s->young.count > 0 ? store_commit(s, &settle) : ERR_OK;

	if (err == ERR_OK)
		err = store_look_up(s, next_value, &q);
	if (err == ERR_OK)
		*key = q.found;
	return err;
}
