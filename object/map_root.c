/* Counts are bounded before anything is taken for them: each thing has its least length. */
#include "object/map_root.h"

#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

/* ---- parts of both ---- */

static int
put_number(struct buf *out, uint64_t v, size_t bytes)
{
	uint8_t be[8];
	struct packer p = packer_on(be, sizeof(be));

	pack_u64(&p, v);
	return buf_append(out, be + 8 - bytes, bytes);
}

/* Room for one more of a growing list. */
static int
grow(void *list, size_t *cap, size_t count, size_t size)
{
	void **at = list;
	size_t more = *cap == 0 ? 8 : *cap * 2;
	void *grown;

	if (count < *cap)
		return ERR_OK;
	grown = realloc(*at, more * size);
	if (grown == NULL)
		return ERR_NOMEM;
	*at = grown;
	*cap = more;
	return ERR_OK;
}

/* How many there can be: no more than fit what is left. */
static int
read_count(struct unpacker *u, size_t max, size_t least_bytes, size_t *out)
{
	size_t count = unpack_u32(u);

	if (u->failed || count > max || count > unpack_left(u) / least_bytes)
		return ERR_INVALID;
	*out = count;
	return ERR_OK;
}

static void
free_retired(struct map_retired *at, size_t count)
{
	for (size_t i = 0; i < count; i++)
		blob_ref_fini(&at[i].ref);
	free(at);
}

static int
pack_retired(const struct map_retired *at, size_t count, struct buf *out)
{
	int err = put_number(out, count, 4);

	for (size_t i = 0; err == ERR_OK && i < count; i++) {
		err = put_number(out, at[i].checkpoint, 8);
		if (err == ERR_OK)
			err = blob_ref_pack(&at[i].ref, out);
	}
	return err;
}

static int
read_retired(struct unpacker *u, size_t max, struct map_retired **at, size_t *count)
{
	size_t want;
	int err = read_count(u, max, 8 + BLOB_REF_BYTES(1), &want);

	if (err != ERR_OK || want == 0)
		return err;
	*at = calloc(want, sizeof(**at));
	if (*at == NULL)
		return ERR_NOMEM;
	while (err == ERR_OK && *count < want) {
		(*at)[*count].checkpoint = unpack_u64(u);
		err = blob_ref_unpack(u, &(*at)[*count].ref);
		if (err == ERR_OK)
			++*count;
	}
	return err;
}

static int
pack_span(const struct map_span *s, struct buf *out)
{
	int err = put_number(out, s->from, 8);

	if (err == ERR_OK)
		err = put_number(out, s->to, 8);
	return err != ERR_OK ? err : blob_ref_pack(&s->ref, out);
}

static int
read_span(struct unpacker *u, struct map_span *out)
{
	uint64_t from = unpack_u64(u), to = unpack_u64(u);

	if (u->failed || from > to)
		return ERR_INVALID;
	out->from = from;
	out->to = to;
	return blob_ref_unpack(u, &out->ref);
}

/* ---- the root ---- */

void
map_root_init(struct map_root *r)
{
	memset(r, 0, sizeof(*r));
}

void
map_root_fini(struct map_root *r)
{
	blob_ref_fini(&r->list);
	for (size_t i = 0; i < r->ids_count; i++)
		blob_ref_fini(&r->ids[i].ref);
	for (size_t i = 0; i < r->logs_count; i++)
		blob_ref_fini(&r->logs[i].ref);
	free(r->logs);
	free_retired(r->retired, r->retired_count);
	map_root_init(r);
}

static int
copy_span(struct map_span *to, const struct map_span *from)
{
	to->from = from->from;
	to->to = from->to;
	return blob_ref_copy(&to->ref, &from->ref);
}

int
map_root_add_log(struct map_root *r, const struct blob_ref *ref, uint64_t from, uint64_t to)
{
	struct map_span *more;
	int err;

	if (r->logs_count == MAP_LOGS_MAX)
		return ERR_FULL;
	more = realloc(r->logs, (r->logs_count + 1) * sizeof(*more));
	if (more == NULL)
		return ERR_NOMEM;
	r->logs = more;
	more += r->logs_count;
	more->from = from;
	more->to = to;
	err = blob_ref_copy(&more->ref, ref);
	if (err == ERR_OK)
		r->logs_count++;
	return err;
}

int
map_root_retire(struct map_root *r, uint64_t checkpoint, const struct blob_ref *ref)
{
	struct map_retired *more;
	int err;

	if (r->retired_count == MAP_RETIRED_MAX)
		return ERR_FULL;
	more = realloc(r->retired, (r->retired_count + 1) * sizeof(*more));
	if (more == NULL)
		return ERR_NOMEM;
	r->retired = more;
	more[r->retired_count].checkpoint = checkpoint;
	err = blob_ref_copy(&more[r->retired_count].ref, ref);
	if (err == ERR_OK)
		r->retired_count++;
	return err;
}

int
map_root_copy(struct map_root *r, const struct map_root *from)
{
	int err = ERR_OK;

	map_root_init(r);
	r->checkpoint = from->checkpoint;
	r->snapshot_seq = from->snapshot_seq;
	if (from->checkpoint > 0)
		err = blob_ref_copy(&r->list, &from->list);
	for (size_t i = 0; err == ERR_OK && i < from->ids_count; i++) {
		err = copy_span(&r->ids[i], &from->ids[i]);
		if (err == ERR_OK)
			r->ids_count++;
	}
	for (size_t i = 0; err == ERR_OK && i < from->logs_count; i++)
		err = map_root_add_log(r, &from->logs[i].ref, from->logs[i].from, from->logs[i].to);
	for (size_t i = 0; err == ERR_OK && i < from->retired_count; i++)
		err = map_root_retire(r, from->retired[i].checkpoint, &from->retired[i].ref);
	if (err != ERR_OK)
		map_root_fini(r);
	return err;
}

int
map_root_pack(const struct map_root *r, struct buf *out)
{
	int err = put_number(out, r->checkpoint, 8);

	if (err == ERR_OK)
		err = put_number(out, r->snapshot_seq, 8);
	if (err == ERR_OK && r->checkpoint > 0)
		err = blob_ref_pack(&r->list, out);
	if (err == ERR_OK)
		err = put_number(out, r->ids_count, 1);
	for (size_t i = 0; err == ERR_OK && i < r->ids_count; i++)
		err = pack_span(&r->ids[i], out);
	if (err == ERR_OK)
		err = put_number(out, r->logs_count, 4);
	for (size_t i = 0; err == ERR_OK && i < r->logs_count; i++)
		err = pack_span(&r->logs[i], out);
	return err != ERR_OK ? err : pack_retired(r->retired, r->retired_count, out);
}

static int
read_ids(struct unpacker *u, struct map_root *r)
{
	uint8_t count = unpack_u8(u);
	int err = u->failed || count > MAP_IDS_SNAPSHOTS ? ERR_INVALID : ERR_OK;

	while (err == ERR_OK && r->ids_count < count) {
		err = read_span(u, &r->ids[r->ids_count]);
		if (err == ERR_OK)
			r->ids_count++;
	}
	return err;
}

static int
read_logs(struct unpacker *u, struct map_root *r)
{
	uint64_t last = 0;
	size_t count;
	int err = read_count(u, MAP_LOGS_MAX, 16 + BLOB_REF_BYTES(1), &count);

	if (err != ERR_OK || count == 0)
		return err;
	r->logs = calloc(count, sizeof(*r->logs));
	if (r->logs == NULL)
		return ERR_NOMEM;
	while (err == ERR_OK && r->logs_count < count) {
		struct map_span *s = &r->logs[r->logs_count];

		err = read_span(u, s);
		if (err != ERR_OK)
			break;
		r->logs_count++;
		if (s->from <= last)
			err = ERR_INVALID;
		last = s->to;
	}
	return err;
}

int
map_root_unpack(struct bytes in, struct map_root *out)
{
	struct unpacker u = unpacker_on(in);
	struct map_root r;
	int err = ERR_OK;

	map_root_init(&r);
	r.checkpoint = unpack_u64(&u);
	r.snapshot_seq = unpack_u64(&u);
	if (r.checkpoint > 0)
		err = blob_ref_unpack(&u, &r.list);
	else if (r.snapshot_seq != 0)
		err = ERR_INVALID;
	if (err == ERR_OK)
		err = read_ids(&u, &r);
	if (err == ERR_OK)
		err = read_logs(&u, &r);
	if (err == ERR_OK)
		err = read_retired(&u, MAP_RETIRED_MAX, &r.retired, &r.retired_count);
	if (err == ERR_OK && !unpack_done(&u))
		err = ERR_INVALID;
	if (err == ERR_OK)
		*out = r;
	else
		map_root_fini(&r);
	return err;
}

/* ---- the list of pages ---- */

void
map_list_init(struct map_list *l)
{
	memset(l, 0, sizeof(*l));
}

void
map_list_page_fini(struct map_list_page *p)
{
	free(p->from);
	p->from = NULL;
	blob_ref_fini(&p->ref);
}

void
map_list_fini(struct map_list *l)
{
	for (size_t i = 0; i < l->pages_count; i++)
		map_list_page_fini(&l->pages[i]);
	free(l->pages);
	free_retired(l->retired, l->retired_count);
	map_list_init(l);
}

int
map_list_add(struct map_list *l, struct map_list_page *p)
{
	int err = l->pages_count == MAP_PAGES_MAX ? ERR_FULL : ERR_OK;

	if (err == ERR_OK)
		err = grow(&l->pages, &l->pages_cap, l->pages_count, sizeof(*l->pages));
	if (err == ERR_OK)
		l->pages[l->pages_count++] = *p;
	else
		map_list_page_fini(p);
	return err;
}

static int
copy_from(struct map_list_page *p, struct bytes from)
{
	p->from = malloc(MAX(from.len, 1));
	if (p->from == NULL)
		return ERR_NOMEM;
	if (from.len > 0)
		memcpy(p->from, from.data, from.len);
	p->from_len = (uint16_t)from.len;
	return ERR_OK;
}

int
map_list_copy_page(struct map_list *l, const struct map_list_page *from)
{
	struct map_list_page p = { .plain_bytes = from->plain_bytes, .entries = from->entries };
	int err = copy_from(&p, bytes_of(from->from, from->from_len));

	if (err == ERR_OK)
		err = blob_ref_copy(&p.ref, &from->ref);
	if (err != ERR_OK) {
		map_list_page_fini(&p);
		return err;
	}
	return map_list_add(l, &p);
}

int
map_list_retire(struct map_list *l, uint64_t checkpoint, const struct blob_ref *ref)
{
	int err = grow(&l->retired, &l->retired_cap, l->retired_count, sizeof(*l->retired));

	if (err == ERR_OK)
		err = blob_ref_copy(&l->retired[l->retired_count].ref, ref);
	if (err == ERR_OK)
		l->retired[l->retired_count++].checkpoint = checkpoint;
	return err;
}

struct bytes
map_list_from(const struct map_list *l, size_t page)
{
	return bytes_of(l->pages[page].from, l->pages[page].from_len);
}

size_t
map_list_find(const struct map_list *l, struct bytes key)
{
	size_t low = 0, high = l->pages_count;

	/* The last that begins at key or before; the first one begins before everything. */
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (kv_compare(map_list_from(l, mid), key) <= 0)
			low = mid;
		else
			high = mid;
	}
	return low;
}

int
map_list_pack(const struct map_list *l, struct buf *out)
{
	int err = put_number(out, l->checkpoint, 8);

	if (err == ERR_OK)
		err = put_number(out, l->seq, 8);
	if (err == ERR_OK)
		err = put_number(out, l->pages_count, 4);
	for (size_t i = 0; err == ERR_OK && i < l->pages_count; i++) {
		const struct map_list_page *p = &l->pages[i];

		err = put_number(out, p->from_len, 2);
		if (err == ERR_OK)
			err = buf_append(out, p->from, p->from_len);
		if (err == ERR_OK)
			err = put_number(out, p->plain_bytes, 4);
		if (err == ERR_OK)
			err = put_number(out, p->entries, 4);
		if (err == ERR_OK)
			err = blob_ref_pack(&p->ref, out);
	}
	return err != ERR_OK ? err : pack_retired(l->retired, l->retired_count, out);
}

/* Pages begin in order, the first one before everything. */
static int
read_page(struct unpacker *u, struct map_list *l)
{
	struct bytes from = unpack_lend(u, unpack_u16(u));
	struct map_list_page p = { .plain_bytes = unpack_u32(u) };
	size_t at = l->pages_count;
	int err;

	p.entries = unpack_u32(u);
	if (u->failed || from.len > KV_KEY_MAX || (at == 0) != (from.len == 0))
		return ERR_INVALID;
	if (at > 0 && kv_compare(map_list_from(l, at - 1), from) >= 0)
		return ERR_INVALID;
	err = copy_from(&p, from);
	if (err == ERR_OK)
		err = blob_ref_unpack(u, &p.ref);
	if (err != ERR_OK) {
		map_list_page_fini(&p);
		return err;
	}
	return map_list_add(l, &p);
}

int
map_list_unpack(struct bytes in, struct map_list *out)
{
	struct unpacker u = unpacker_on(in);
	struct map_list l;
	size_t count = 0;
	int err;

	map_list_init(&l);
	l.checkpoint = unpack_u64(&u);
	l.seq = unpack_u64(&u);
	err = read_count(&u, MAP_PAGES_MAX, 10 + BLOB_REF_BYTES(1), &count);
	while (err == ERR_OK && l.pages_count < count)
		err = read_page(&u, &l);
	if (err == ERR_OK)
		err = read_retired(&u, SIZE_MAX, &l.retired, &l.retired_count);
	if (err == ERR_OK && !unpack_done(&u))
		err = ERR_INVALID;
	l.retired_cap = l.retired_count;
	if (err == ERR_OK)
		*out = l;
	else
		map_list_fini(&l);
	return err;
}
