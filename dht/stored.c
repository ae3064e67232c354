/* Lists of records in order, see the header. Only stored_new and stored_room can fail. */
#include "dht/stored.h"

#include <stdlib.h>

#include "dht/distance.h"
#include "overlay/base/err.h"

/* First size of a list: most networks bring few records. */
#define LIST_MIN 2

struct stored *
stored_new(const struct record *r)
{
	struct stored *st = malloc(sizeof(*st) + r->len);

	if (st == NULL)
		return NULL;
	*st = (struct stored){ .key = r->key,
		.publisher = r->publisher,
		.sequence = r->sequence,
		.len = r->len,
		.kind = (uint8_t)r->kind };
	memcpy(st->bytes, r->bytes, r->len);
	return st;
}

uint64_t
stored_cost(size_t len)
{
	return sizeof(struct stored) + len + 2 * sizeof(struct stored *) + STORED_SHARE_BYTES;
}

int
stored_compare(const struct stored_list *l, const struct stored *a, const struct id *key,
    unsigned kind, const struct pubkey *publisher)
{
	int order = id_compare_distance(l->self, &a->key, key);

	if (order != 0)
		return order;
	if (a->kind != kind)
		return a->kind < kind ? -1 : 1;
	return publisher == NULL ? 1 : memcmp(a->publisher.b, publisher->b, sizeof(publisher->b));
}

size_t
stored_place(const struct stored_list *l, const struct id *key, unsigned kind,
    const struct pubkey *publisher)
{
	size_t low = 0, high = l->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (stored_compare(l, l->at[mid], key, kind, publisher) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int
stored_room(struct stored_list *l)
{
	size_t cap = l->cap == 0 ? LIST_MIN : l->cap + l->cap / 2;
	struct stored **at;

	if (l->count < l->cap)
		return ERR_OK;
	at = realloc(l->at, cap * sizeof(*at));
	if (at == NULL)
		return ERR_NOMEM;
	l->at = at;
	l->cap = cap;
	return ERR_OK;
}

void
stored_insert(struct stored_list *l, struct stored *st)
{
	size_t i = stored_place(l, &st->key, st->kind, &st->publisher);

	must(l->count < l->cap);
	memmove(&l->at[i + 1], &l->at[i], (l->count - i) * sizeof(struct stored *));
	l->at[i] = st;
	l->count++;
}

void
stored_remove(struct stored_list *l, const struct stored *st)
{
	size_t i = stored_place(l, &st->key, st->kind, &st->publisher);

	must(i < l->count && l->at[i] == st);
	l->count--;
	memmove(&l->at[i], &l->at[i + 1], (l->count - i) * sizeof(struct stored *));
}
