/* A table by key, open to many of a slot, and a list of groups; both are made when first needed. */
#include "storage/young.h"

#include <stdlib.h>

/* Keys are hashes, or as good: of YOUNG_VALUES_MAX two are to be looked at. */
#define SLOTS 256

struct young_value {
	struct young_value *next;
	uint64_t order;
	struct hash key;
	uint8_t space;
	size_t len;
	uint8_t bytes[];
};

void
young_init(struct young *y)
{
	*y = (struct young){ NULL };
}

void
young_clear(struct young *y)
{
	for (size_t i = 0; y->slots != NULL && i < SLOTS; i++) {
		while (y->slots[i] != NULL) {
			struct young_value *v = y->slots[i];

			y->slots[i] = v->next;
			young_value_free(v);
		}
	}
	free(y->slots);
	free(y->groups);
	young_init(y);
}

bool
young_fits(const struct young *y, size_t values, size_t bytes)
{
	return y->groups_count < YOUNG_GROUPS_MAX && values <= YOUNG_VALUES_MAX - y->count &&
	       bytes <= YOUNG_BYTES_MAX - y->bytes;
}

int
young_prepare(struct young *y)
{
	if (y->slots == NULL)
		y->slots = calloc(SLOTS, sizeof(struct young_value *));
	if (y->groups == NULL)
		y->groups = malloc(YOUNG_GROUPS_MAX * sizeof(struct young_group));
	return y->slots != NULL && y->groups != NULL ? ERR_OK : ERR_NOMEM;
}

struct young_value *
young_value_new(const struct record *r)
{
	struct young_value *v = malloc(sizeof(*v) + r->value.len);

	must(r->kind == RECORD_VALUE);
	if (v == NULL)
		return NULL;
	*v = (struct young_value){
		.order = r->order, .key = r->chunk, .space = r->index, .len = r->value.len
	};
	if (v->len > 0)
		memcpy(v->bytes, r->value.data, v->len);
	return v;
}

void
young_value_free(struct young_value *v)
{
	free(v);
}

/* Where the value of the key is, or would be. */
static struct young_value **
place_of(const struct young *y, uint8_t space, const struct hash *key)
{
	struct young_value **at = &y->slots[key->b[0] % SLOTS];

	while (*at != NULL && ((*at)->space != space || !hash_equal(&(*at)->key, key)))
		at = &(*at)->next;
	return at;
}

void
young_put(struct young *y, struct young_value *v)
{
	struct young_value **at = place_of(y, v->space, &v->key), *old = *at;

	v->next = NULL;
	if (old != NULL) {
		must(old->order < v->order);
		v->next = old->next;
		y->count--;
		y->bytes -= old->len;
		young_value_free(old);
	}
	*at = v;
	y->count++;
	y->bytes += v->len;
}

void
young_add_group(struct young *y, struct place place, uint64_t bytes)
{
	must(y->groups_count < YOUNG_GROUPS_MAX);
	y->groups[y->groups_count++] = (struct young_group){ place, bytes };
}

bool
young_find(const struct young *y, uint8_t space, const struct hash *key, struct bytes *value)
{
	const struct young_value *v = y->slots == NULL ? NULL : *place_of(y, space, key);

	if (v == NULL)
		return false;
	*value = bytes_of(v->bytes, v->len);
	return true;
}

int
young_apply(const struct young *y, struct index_txn *txn)
{
	int err = ERR_OK;

	for (size_t i = 0; y->slots != NULL && i < SLOTS; i++) {
		for (const struct young_value *v = y->slots[i]; v != NULL && err == ERR_OK;
		     v = v->next)
			err = catalog_add_record(txn, &(struct record){ .kind = RECORD_VALUE,
							  .order = v->order,
							  .chunk = v->key,
							  .index = v->space,
							  .value = bytes_of(v->bytes, v->len) });
	}
	/* In the order of their places, as catalog_add_group wants it. */
	for (size_t i = 0; i < y->groups_count && err == ERR_OK; i++)
		err = catalog_add_group(txn, y->groups[i].place, y->groups[i].bytes);
	return err;
}
