/* The walk over everything that names a content. A place is the key of what was given last. */
#include "object/bucket_contents.h"

#include "object/bucket_private.h"
#include "object/upload.h"
#include "object/upload_private.h"

typedef int content_fn(void *arg, const struct bucket_content *c);

struct walk {
	struct kv *view;
	struct buf *place;
	struct table_record record;
	size_t left;
	content_fn *each;
	void *arg;
};

static int
give(struct walk *w, struct bytes content, struct bytes key, uint64_t locked_until_ms)
{
	struct bucket_content c = {
		.content = content, .key = key, .locked_until_ms = locked_until_ms
	};

	w->left--;
	return content.len > 0 ? w->each(w->arg, &c) : ERR_OK;
}

static int
set_place(struct walk *w, struct bytes key, uint16_t number)
{
	uint8_t be[2] = { (uint8_t)(number >> 8), (uint8_t)number };
	int err;

	buf_reset(w->place);
	err = buf_append(w->place, key.data, key.len);
	return err != ERR_OK ? err : buf_append(w->place, be, sizeof(be));
}

/* The first record of the table behind the place's key, or with `from_there` at it. */
static int
next_record(struct walk *w, enum table t, bool from_there)
{
	struct table_key from = table_start(t), table = from;

	if (w->place->len > 2 && w->place->data[0] == (uint8_t)t) {
		from.len = MIN(w->place->len - 2, KV_KEY_MAX - 1);
		memcpy(from.b, w->place->data, from.len);
		if (!from_there)
			from.b[from.len++] = 0;
	}
	return table_seek(w->view, &from, &table, &w->record);
}

static int
walk_versions(struct walk *w)
{
	struct entry e;
	int err = ERR_OK;

	while (w->left > 0 && err == ERR_OK) {
		err = next_record(w, TABLE_VERSIONS, false);
		if (err == ERR_OK)
			err = entry_unpack(buf_bytes(&w->record.value), &e);
		if (err == ERR_OK)
			err = give(w, e.content, buf_bytes(&w->record.key), entry_locked_until(&e));
		if (err == ERR_OK)
			err = set_place(w, buf_bytes(&w->record.key), 0);
	}
	return err;
}

/* The parts of one upload, whose key is in the record, from a number on. */
static int
walk_parts(struct walk *w, uint32_t from)
{
	struct version id;
	struct table_record r;
	struct part p;
	int err = ERR_OK;

	memcpy(id.b, w->record.key.data + w->record.key.len - sizeof(id.b), sizeof(id.b));
	table_record_init(&r);
	while (w->left > 0 && err == ERR_OK) {
		err = parts_next(w->view, &id, from, &r, &p);
		if (err == ERR_OK)
			err = give(w, p.content, bytes_of(NULL, 0), 0);
		if (err == ERR_OK)
			err = set_place(w, buf_bytes(&w->record.key), p.number);
		from = (uint32_t)p.number + 1;
	}
	table_record_fini(&r);
	return err;
}

static int
walk_uploads(struct walk *w)
{
	bool within = w->place->len > 2 && w->place->data[0] == (uint8_t)TABLE_UPLOADS;
	uint8_t key[OBJECT_KEY_MAX];
	struct version id;
	size_t len;
	int err = ERR_OK;

	while (w->left > 0 && err == ERR_OK) {
		const uint8_t *end;
		uint32_t from = 1;

		err = next_record(w, TABLE_UPLOADS, within);
		if (err == ERR_OK)
			err = table_split(buf_bytes(&w->record.key), TABLE_UPLOADS, key, &len, &id);
		if (err != ERR_OK)
			break;
		end = w->place->data + w->place->len;
		if (within && bytes_equal(bytes_of(w->place->data, w->place->len - 2),
				  buf_bytes(&w->record.key)))
			from = (uint32_t)(end[-2] << 8 | end[-1]) + 1;
		err = walk_parts(w, from);
		if (err != ERR_NOT_FOUND)
			break;
		err = set_place(w, buf_bytes(&w->record.key), PART_NUMBER_MAX);
		within = false;
	}
	return err;
}

int
bucket_contents(struct kv *view, struct buf *place, size_t max,
    int (*each)(void *arg, const struct bucket_content *c), void *arg)
{
	struct walk w = { .view = view, .place = place, .left = max, .each = each, .arg = arg };
	int err = ERR_NOT_FOUND;

	must(place->max >= BUCKET_PLACE_MAX);
	table_record_init(&w.record);
	if (place->len == 0 || place->data[0] == (uint8_t)TABLE_VERSIONS)
		err = walk_versions(&w);
	if (err == ERR_NOT_FOUND)
		err = walk_uploads(&w);
	table_record_fini(&w.record);
	return err == ERR_NOT_FOUND ? ERR_END : err;
}

static int
put_moved(struct kv *txn, struct bytes key, struct entry *e, struct bytes to)
{
	struct buf value;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	e->content = to;
	err = entry_pack(e, &value);
	if (err == ERR_OK)
		err = kv_put(txn, key, buf_bytes(&value));
	buf_wipe(&value);
	return err;
}

int
bucket_content_move(struct kv *txn, struct bytes key, struct bytes from, struct bytes to)
{
	struct buf value;
	struct entry e;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = kv_get(txn, key, &value);
	if (err == ERR_OK)
		err = entry_unpack(buf_bytes(&value), &e);
	if (err == ERR_NOT_FOUND || (err == ERR_OK && !bytes_equal(e.content, from)))
		err = ERR_STALE;
	if (err == ERR_OK)
		err = put_moved(txn, key, &e, to);
	buf_wipe(&value);
	return err;
}
