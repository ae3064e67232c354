/* A table by position in a list; ids are random, so their first bytes are the hash. */
#include "object/map_ids.h"

#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

#define SLOTS_MIN   64
#define ENTRY_BYTES (MAP_ID_BYTES + 8 + 2)

void
map_ids_init(struct map_ids *t)
{
	memset(t, 0, sizeof(*t));
}

void
map_ids_fini(struct map_ids *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->at[i].result);
	free(t->at);
	free(t->slots);
	map_ids_init(t);
}

static size_t
slot_of(const struct map_ids *t, const struct map_txn_id *id)
{
	uint64_t x;
	size_t i;

	memcpy(&x, id->b, sizeof(x));
	i = (size_t)x & (t->slots_count - 1);
	while (t->slots[i] != 0 && memcmp(t->at[t->slots[i] - 1].id.b, id->b, sizeof(id->b)) != 0)
		i = (i + 1) & (t->slots_count - 1);
	return i;
}

static void
fill_slots(struct map_ids *t)
{
	memset(t->slots, 0, t->slots_count * sizeof(*t->slots));
	for (size_t i = 0; i < t->count; i++)
		t->slots[slot_of(t, &t->at[i].id)] = (uint32_t)i + 1;
}

static int
make_room(struct map_ids *t)
{
	if (t->count == MAP_IDS_MAX)
		return ERR_FULL;
	if (t->count == t->cap) {
		size_t cap = t->cap == 0 ? SLOTS_MIN / 2 : t->cap * 2;
		struct map_ids_entry *more = realloc(t->at, cap * sizeof(*more));

		if (more == NULL)
			return ERR_NOMEM;
		t->at = more;
		t->cap = cap;
	}
	if (2 * (t->count + 1) > t->slots_count) {
		size_t count = t->slots_count == 0 ? SLOTS_MIN : t->slots_count * 2;
		uint32_t *slots = malloc(count * sizeof(*slots));

		if (slots == NULL)
			return ERR_NOMEM;
		free(t->slots);
		t->slots = slots;
		t->slots_count = count;
		fill_slots(t);
	}
	return ERR_OK;
}

int
map_ids_add(struct map_ids *t, const struct map_txn_id *id, uint64_t seq, struct bytes result)
{
	struct map_ids_entry e = { *id, seq, (uint16_t)result.len, NULL };
	int err = make_room(t);
	size_t slot;

	if (err != ERR_OK)
		return err;
	must(t->count == 0 || t->at[t->count - 1].seq <= seq);
	slot = slot_of(t, id);
	if (t->slots[slot] != 0)
		return ERR_OK;
	if (result.len > 0) {
		e.result = malloc(result.len);
		if (e.result == NULL)
			return ERR_NOMEM;
		memcpy(e.result, result.data, result.len);
	}
	t->at[t->count++] = e;
	t->slots[slot] = (uint32_t)t->count;
	t->bytes += sizeof(e) + result.len;
	return ERR_OK;
}

const struct map_ids_entry *
map_ids_find(const struct map_ids *t, const struct map_txn_id *id)
{
	uint32_t at = t->count == 0 ? 0 : t->slots[slot_of(t, id)];

	return at == 0 ? NULL : &t->at[at - 1];
}

void
map_ids_forget(struct map_ids *t, uint64_t until)
{
	size_t gone = 0;

	while (gone < t->count && t->at[gone].seq <= until) {
		t->bytes -= sizeof(t->at[gone]) + t->at[gone].len;
		free(t->at[gone++].result);
	}
	if (gone == 0)
		return;
	t->count -= gone;
	memmove(t->at, t->at + gone, t->count * sizeof(*t->at));
	fill_slots(t);
}

int
map_ids_pack(const struct map_ids *t, uint64_t from, uint64_t until, struct buf *out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct map_ids_entry *e = &t->at[i];
		uint8_t head[ENTRY_BYTES];
		struct packer p = packer_on(head, sizeof(head));
		int err;

		if (e->seq <= from || e->seq > until)
			continue;
		pack_raw(&p, e->id.b, sizeof(e->id.b));
		pack_u64(&p, e->seq);
		pack_u16(&p, e->len);
		err = buf_append(out, head, sizeof(head));
		if (err == ERR_OK && e->len > 0)
			err = buf_append(out, e->result, e->len);
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

int
map_ids_look(struct bytes packed, const struct map_txn_id *id, struct bytes *result)
{
	struct unpacker u = unpacker_on(packed);
	struct bytes found = { NULL, 0 };
	bool is_there = false;

	while (unpack_left(&u) > 0) {
		struct bytes one = unpack_lend(&u, MAP_ID_BYTES), value;

		unpack_u64(&u);
		value = unpack_lend(&u, unpack_u16(&u));
		if (u.failed || value.len > MAP_RESULT_MAX)
			return ERR_INVALID;
		if (memcmp(one.data, id->b, MAP_ID_BYTES) != 0)
			continue;
		found = value;
		is_there = true;
	}
	if (!is_there)
		return ERR_NOT_FOUND;
	*result = found;
	return ERR_OK;
}
