/*
 * References and trash as another gateway may have written them: the input is the record of every
 * chunk, or of the trash. Whatever it says, naming and forgetting end, and what is read again after
 * it was put off is the same.
 */
#include "object/content_refs.h"
#include "object/kv.h"
#include "overlay/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct one_record {
	struct kv kv;
	struct bytes record;
	uint8_t table;  /* that the record is of */
	struct buf put; /* the value that was put last into that table */
};

static struct one_record *
of(struct kv *kv)
{
	return container_of(kv, struct one_record, kv);
}

static int
get(struct kv *kv, struct bytes key, struct buf *value)
{
	if (key.data[0] != of(kv)->table)
		return ERR_NOT_FOUND;
	buf_reset(value);
	return buf_append(value, of(kv)->record.data, of(kv)->record.len);
}

static int
seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	static const uint8_t found[TRASH_KEY_BYTES] = { CONTENT_TABLE_TRASH, 1 };

	(void)from;
	if (of(kv)->table != CONTENT_TABLE_TRASH)
		return ERR_NOT_FOUND;
	buf_reset(key);
	must(buf_append(key, found, sizeof(found)) == ERR_OK);
	return get(kv, buf_bytes(key), value);
}

static int
put(struct kv *kv, struct bytes key, struct bytes value)
{
	if (key.data[0] != of(kv)->table)
		return ERR_OK;
	buf_reset(&of(kv)->put);
	return buf_append(&of(kv)->put, value.data, value.len);
}

static int
del(struct kv *kv, struct bytes key)
{
	(void)kv;
	(void)key;
	return ERR_OK;
}

static void
as_refs(struct one_record *o, bool packed)
{
	static const uint8_t hints[3][8] = { { 1 } };
	const struct code_params code = { 1, 2, 3 };
	struct hash id = { { 5 } };
	struct pack_room room;
	struct content c;
	uint64_t count;

	o->table = CONTENT_TABLE_REFS;
	content_init(&c);
	c.kind = packed ? CONTENT_PACKED : CONTENT_CHUNKS;
	c.bytes = 1000;
	must(manifest_add_chunk(&c.list, &id, &code, 5000, hints) == ERR_OK);
	if (content_references(&o->kv, &c, &count) == ERR_OK) {
		(void)content_pack_room(&o->kv, &id, &room);
		(void)content_named(&o->kv, &c, 1, 2);
		(void)content_ref(&o->kv, &c);
		(void)content_unref(&o->kv, &c, 3);
		(void)content_dropped(&o->kv, &c, 4);
	}
	content_fini(&c);
}

static void
as_trash(struct one_record *o)
{
	struct trash_item t;

	o->table = CONTENT_TABLE_TRASH;
	trash_item_init(&t);
	if (content_trash_next(&o->kv, bytes_of(NULL, 0), &t) == ERR_OK) {
		must(t.content.list.chunks_count > 0);
		must(t.content.kind != CONTENT_LISTED || t.content.list.chunks_count == 1);
		/* Of a pack the record of its members is missing here. */
		if (!t.pack) {
			must(content_trash_defer(&o->kv, &t, 99) == ERR_OK);
			must(o->put.len == o->record.len &&
			     memcmp(o->put.data, o->record.data, o->put.len) == 0);
		}
		(void)content_trash_done(&o->kv, &t);
	}
	trash_item_fini(&t);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct kv_ops ops = { get, seek, put, del };
	struct one_record o = { .kv.ops = &ops, .record = bytes_of(data, size) };

	if (size > KV_VALUE_MAX)
		return 0;
	buf_init(&o.put, 2 * KV_VALUE_MAX);
	as_refs(&o, false);
	as_refs(&o, true);
	as_trash(&o);
	buf_fini(&o.put);
	return 0;
}
