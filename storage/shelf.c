/* Whole tails, the least recently used of which makes room. */
#include "storage/shelf.h"

#include <stdlib.h>

struct shelf_segment {
	uint32_t users;
	uint32_t bytes;
	uint8_t data[];
};

static struct shelf_segment *
segment_new(struct bytes records)
{
	struct shelf_segment *s = malloc(sizeof(*s) + records.len);

	if (s == NULL)
		return NULL;
	s->users = 1;
	s->bytes = (uint32_t)records.len;
	memcpy(s->data, records.data, records.len);
	return s;
}

static void
clear(struct shelf_tail *t)
{
	for (uint16_t i = 0; i < TAIL_SEGMENTS_MAX && t->segments[i] != NULL; i++) {
		if (--t->segments[i]->users == 0)
			free(t->segments[i]);
		t->segments[i] = NULL;
	}
	t->there = false;
}

void
shelf_init(struct shelf *s)
{
	memset(s, 0, sizeof(*s));
}

void
shelf_fini(struct shelf *s)
{
	for (size_t i = 0; i < ARRAY_LEN(s->at); i++)
		clear(&s->at[i]);
}

static struct shelf_tail *
find(struct shelf *s, const struct hash *tail, bool whole)
{
	for (size_t i = 0; i < ARRAY_LEN(s->at); i++) {
		struct shelf_tail *t = &s->at[i];
		int n = t->there ? tail_find(&t->tail, tail) : -1;

		if (n >= 0 && (!whole || n == t->tail.count)) {
			t->used_at = ++s->uses;
			return t;
		}
	}
	return NULL;
}

const struct shelf_tail *
shelf_find(struct shelf *s, const struct hash *tail)
{
	return find(s, tail, true);
}

const struct shelf_tail *
shelf_with(struct shelf *s, const struct hash *tail)
{
	return find(s, tail, false);
}

static bool
pinned(const struct shelf *s, const struct shelf_tail *t)
{
	struct hash h = tail_hash(&t->tail);

	for (size_t i = 0; i < ARRAY_LEN(s->pinned); i++)
		if (hash_equal(&s->pinned[i], &h))
			return true;
	return false;
}

/* A place for one more, which is not the one it is made from. */
static struct shelf_tail *
place(struct shelf *s, const struct shelf_tail *from)
{
	struct shelf_tail *oldest = NULL;

	for (size_t i = 0; i < ARRAY_LEN(s->at); i++) {
		struct shelf_tail *t = &s->at[i];

		if (!t->there)
			return t;
		if (t != from && !pinned(s, t) && (oldest == NULL || t->used_at < oldest->used_at))
			oldest = t;
	}
	static_assert(SHELF_TAILS_MAX > 3, "room beside what is pinned and used");
	clear(oldest);
	return oldest;
}

int
shelf_put(struct shelf *s, const struct tail_part *part, const struct head *h)
{
	static const struct tail none;
	struct shelf_tail *from = find(s, &part->extends, false), *to;
	struct tail made;
	uint16_t kept;
	int err;

	if (find(s, &h->tail, true) != NULL)
		return ERR_OK;
	err = tail_extend(from == NULL ? &none : &from->tail, part, h, &made);
	if (err != ERR_OK)
		return err;
	/* Where the whole came from what is here, or there is nothing: no records to copy. */
	kept = from == NULL ? 0 : tail_shared(&from->tail, &made);
	if (made.count > kept && (part->count > made.count || made.count - part->count > kept))
		return ERR_INVALID;
	to = place(s, from);
	for (uint16_t i = 0; i < made.count; i++) {
		if (i < kept) {
			to->segments[i] = from->segments[i];
			to->segments[i]->users++;
		} else {
			to->segments[i] =
			    segment_new(part->at[i - (made.count - part->count)].records);
		}
		if (to->segments[i] == NULL) {
			clear(to);
			return ERR_NOMEM;
		}
		to->records[i] = bytes_of(to->segments[i]->data, to->segments[i]->bytes);
	}
	to->tail = made;
	to->used_at = ++s->uses;
	to->there = true;
	return ERR_OK;
}

int
shelf_part(
    struct shelf *s, const struct hash *tail, const struct hash *extends, struct tail_part *out)
{
	const struct shelf_tail *t = find(s, tail, true);
	int from;

	if (t == NULL)
		return ERR_NOT_FOUND;
	from = tail_find(&t->tail, extends);
	if (from < 0)
		from = 0;
	out->extends = from == 0 ? t->tail.empty : t->tail.at[from - 1].hash;
	out->count = 0;
	for (uint16_t i = (uint16_t)from; i < t->tail.count; i++) {
		out->at[out->count].records = t->records[i];
		out->count++;
	}
	return ERR_OK;
}
