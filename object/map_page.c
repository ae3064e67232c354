/* Entries follow each other without gaps: u16 and u32 lengths, key, value. */
#include "object/map_page.h"

#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

struct entry {
	struct bytes key, value;
};

static bool
next_entry(struct unpacker *u, struct entry *out)
{
	uint16_t key_len = unpack_u16(u);
	uint32_t value_len = unpack_u32(u);

	out->key = unpack_lend(u, key_len);
	out->value = unpack_lend(u, value_len);
	return !u->failed && key_len > 0 && key_len <= KV_KEY_MAX && value_len <= KV_VALUE_MAX;
}

/* Entries that are known to be well-formed. */
static struct entry
entry_at(struct bytes plain, size_t at)
{
	struct unpacker u = unpacker_on(bytes_of(plain.data + at, plain.len - at));
	struct entry e;

	must(next_entry(&u, &e));
	return e;
}

static size_t
entry_bytes(const struct entry *e)
{
	return MAP_PAGE_ENTRY_BYTES + e->key.len + e->value.len;
}

static int
check(struct bytes plain, uint32_t *count)
{
	struct unpacker u = unpacker_on(plain);
	struct entry e, last = { .key = { NULL, 0 } };

	*count = 0;
	while (unpack_left(&u) > 0) {
		if (!next_entry(&u, &e) || kv_compare(last.key, e.key) >= 0)
			return ERR_INVALID;
		last = e;
		++*count;
	}
	return ERR_OK;
}

int
map_page_parse(struct buf *plain, struct map_page *out)
{
	struct map_page p = { .plain = *plain };
	struct bytes all = buf_bytes(plain);
	int err = all.len > UINT32_MAX ? ERR_TOO_BIG : check(all, &p.count);
	size_t at = 0;

	buf_init(plain, plain->max);
	if (err == ERR_OK) {
		p.at = malloc(MAX(p.count, 1) * sizeof(*p.at));
		err = p.at == NULL ? ERR_NOMEM : ERR_OK;
	}
	if (err != ERR_OK) {
		buf_fini(&p.plain);
		return err;
	}
	for (uint32_t i = 0; i < p.count; i++) {
		struct entry e = entry_at(all, at);

		p.at[i] = (uint32_t)at;
		at += entry_bytes(&e);
	}
	*out = p;
	return ERR_OK;
}

void
map_page_fini(struct map_page *p)
{
	buf_fini(&p->plain);
	free(p->at);
	p->at = NULL;
	p->count = 0;
}

struct bytes
map_page_key(const struct map_page *p, uint32_t i)
{
	return entry_at(buf_bytes(&p->plain), p->at[i]).key;
}

struct bytes
map_page_value(const struct map_page *p, uint32_t i)
{
	return entry_at(buf_bytes(&p->plain), p->at[i]).value;
}

uint32_t
map_page_seek(const struct map_page *p, struct bytes key)
{
	uint32_t low = 0, high = p->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (kv_compare(map_page_key(p, mid), key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

size_t
map_page_memory(const struct map_page *p)
{
	return p->plain.cap + p->count * sizeof(*p->at);
}

int
map_page_append(struct buf *out, struct bytes key, struct bytes value)
{
	uint8_t head[MAP_PAGE_ENTRY_BYTES];
	struct packer p = packer_on(head, sizeof(head));
	int err = buf_reserve(out, sizeof(head) + key.len + value.len);

	pack_u16(&p, (uint16_t)key.len);
	pack_u32(&p, (uint32_t)value.len);
	if (err != ERR_OK)
		return err;
	must(buf_append(out, head, sizeof(head)) == ERR_OK);
	must(buf_append(out, key.data, key.len) == ERR_OK);
	must(buf_append(out, value.data, value.len) == ERR_OK);
	return ERR_OK;
}

size_t
map_page_cut(struct bytes plain, size_t target)
{
	size_t at = 0, before = 0;

	while (at < plain.len && (at == 0 || at < target)) {
		struct entry e = entry_at(plain, at);

		before = at;
		at += entry_bytes(&e);
	}
	return at < plain.len ? at : before;
}

uint32_t
map_page_count(struct bytes plain)
{
	uint32_t count = 0;

	for (size_t at = 0; at < plain.len; count++) {
		struct entry e = entry_at(plain, at);

		at += entry_bytes(&e);
	}
	return count;
}

struct bytes
map_page_first_key(struct bytes plain)
{
	return entry_at(plain, 0).key;
}

struct bytes
map_page_last_key(struct bytes plain)
{
	struct entry e = { .key = { NULL, 0 } };

	for (size_t at = 0; at < plain.len; at += entry_bytes(&e))
		e = entry_at(plain, at);
	return e.key;
}

size_t
map_page_separator(struct bytes a, struct bytes b)
{
	size_t i = 0;

	must(kv_compare(a, b) < 0);
	while (i < a.len && a.data[i] == b.data[i])
		i++;
	return i + 1;
}
