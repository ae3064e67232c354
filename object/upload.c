/*
 * Uploads and their parts: created, filled, listed, given up; what is to be swept behind them.
 *
 * Parts lie by upload id and number. While an upload goes on, each part's content is referenced
 * by its record. Completed, the contents of the parts that were used belong to the object, and
 * the records only say where parts end. TABLE_DOOMED says which parts are to go and how.
 */
#include "object/upload.h"

#include "object/bucket_private.h"
#include "object/upload_private.h"
#include "overlay/base/crypto.h"
#include "overlay/base/pack.h"

#define UPLOAD_VERSION 1
#define PART_VERSION   1
#define DOOM_VERSION   1

/* ---- kept forms ---- */

int
upload_pack(const struct upload *u, struct buf *out)
{
	uint8_t text[1 + 8 + 1 + ACCOUNT_ID_MAX];
	struct packer p = packer_on(text, sizeof(text));
	int err;

	pack_u8(&p, UPLOAD_VERSION);
	pack_u64(&p, u->created_ms);
	pack_text(&p, u->initiator.text);
	must(pack_ok(&p));
	err = buf_append(out, text, p.len);
	return err != ERR_OK ? err : entry_pack(&u->entry, out);
}

int
upload_unpack(struct bytes in, struct upload *out)
{
	struct unpacker u = unpacker_on(in);
	uint8_t version = unpack_u8(&u);
	struct upload up = { .created_ms = unpack_u64(&u) };
	int err;

	unpack_text(&u, up.initiator.text, sizeof(up.initiator.text));
	if (u.failed)
		return ERR_CORRUPT;
	if (version != UPLOAD_VERSION)
		return ERR_VERSION;
	err = entry_unpack(bytes_of(in.data + u.pos, in.len - u.pos), &up.entry);
	if (err == ERR_OK && (up.entry.marker || up.entry.content.len > 0))
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		*out = up;
	return err;
}

int
part_pack(const struct part *part, struct buf *out)
{
	uint8_t text[1 + 8 + 8 + 16 + 2 + CHECKSUM_BYTES_MAX];
	struct packer p = packer_on(text, sizeof(text));
	int err;

	if (part->size > PART_BYTES_MAX || part->content.len > ENTRY_CONTENT_BYTES_MAX ||
	    part->checksum.algorithm > CHECKSUM_SHA256)
		return ERR_INVALID;
	pack_u8(&p, PART_VERSION);
	pack_u64(&p, part->size);
	pack_u64(&p, part->modified_ms);
	pack_raw(&p, part->etag.md5, sizeof(part->etag.md5));
	pack_u8(&p, part->checksum.algorithm);
	pack_raw(&p, part->checksum.value, checksum_bytes(part->checksum.algorithm));
	must(pack_ok(&p));
	err = buf_append(out, text, p.len);
	return err != ERR_OK ? err : buf_append(out, part->content.data, part->content.len);
}

int
part_unpack(struct bytes in, struct part *out)
{
	struct unpacker u = unpacker_on(in);
	uint8_t version = unpack_u8(&u);
	struct part p = { .size = unpack_u64(&u) };

	if (version != PART_VERSION && !u.failed)
		return ERR_VERSION;
	p.modified_ms = unpack_u64(&u);
	unpack_raw(&u, p.etag.md5, sizeof(p.etag.md5));
	p.checksum.algorithm = unpack_u8(&u);
	unpack_raw(&u, p.checksum.value, checksum_bytes(p.checksum.algorithm));
	p.content = unpack_lend(&u, unpack_left(&u));
	if (u.failed || p.size > PART_BYTES_MAX || p.content.len > ENTRY_CONTENT_BYTES_MAX ||
	    p.checksum.algorithm > CHECKSUM_SHA256)
		return ERR_CORRUPT;
	*out = p;
	return ERR_OK;
}

/* ---- uploads ---- */

int
tally_get(struct kv *kv, const struct version *id, uint64_t *changes)
{
	struct table_key k = table_id(TABLE_TALLIES, id, UINT32_MAX);
	struct unpacker u;
	struct buf value;
	int err;

	*changes = 0;
	buf_init(&value, KV_VALUE_MAX);
	err = kv_get(kv, table_key_bytes(&k), &value);
	if (err == ERR_OK) {
		u = unpacker_on(buf_bytes(&value));
		*changes = unpack_u64(&u);
		err = unpack_done(&u) ? ERR_OK : ERR_CORRUPT;
	}
	buf_fini(&value);
	return err == ERR_NOT_FOUND ? ERR_OK : err; /* no part yet */
}

static int
tally_count(struct kv *txn, const struct version *id)
{
	struct table_key k = table_id(TABLE_TALLIES, id, UINT32_MAX);
	uint8_t text[8];
	struct packer p = packer_on(text, sizeof(text));
	uint64_t changes;
	int err = tally_get(txn, id, &changes);

	if (err != ERR_OK)
		return err;
	pack_u64(&p, changes + 1);
	must(pack_ok(&p));
	return kv_put(txn, table_key_bytes(&k), bytes_of(text, p.len));
}

int
tally_del(struct kv *txn, const struct version *id)
{
	struct table_key k = table_id(TABLE_TALLIES, id, UINT32_MAX);

	return kv_del(txn, table_key_bytes(&k));
}

int
upload_id_parse(struct bytes text, struct version *out)
{
	struct version v;

	if (hex_decode(v.b, sizeof(v.b), (const char *)text.data, text.len) != ERR_OK)
		return ERR_INVALID;
	*out = v;
	return ERR_OK;
}

int
upload_create(struct bucket_txn *t, struct bytes key, struct upload *u)
{
	struct upload up = *u;
	struct packer p = packer_on(up.id.b, sizeof(up.id.b));
	struct table_key k;
	struct buf packed;
	int err;

	must(!up.entry.marker && up.entry.content.len == 0 && !up.entry.in_parts);
	buf_init(&packed, KV_VALUE_MAX);
	/* The older first, as S3 lists uploads of one key. */
	pack_u64(&p, t->now_ms);
	pack_raw(&p, t->random, sizeof(t->random));
	up.created_ms = t->now_ms;
	err = bucket_check(t, key, &up.entry);
	/* A default retention counts from when the object is there. */
	up.entry.lock_mode = u->entry.lock_mode;
	up.entry.lock_until_ms = u->entry.lock_until_ms;
	if (err == ERR_OK)
		err = upload_pack(&up, &packed);
	k = table_key(TABLE_UPLOADS, key, &up.id);
	if (err == ERR_OK)
		err = kv_put(t->kv, table_key_bytes(&k), buf_bytes(&packed));
	if (err == ERR_OK)
		*u = up;
	buf_fini(&packed);
	return err;
}

int
upload_get(struct kv *kv, struct bytes key, const struct version *id, struct buf *value,
    struct upload *out)
{
	struct table_key k;
	int err = object_key_check(key);

	if (err != ERR_OK)
		return err;
	k = table_key(TABLE_UPLOADS, key, id);
	err = kv_get(kv, table_key_bytes(&k), value);
	if (err == ERR_NOT_FOUND)
		return REFUSAL_NO_SUCH_UPLOAD;
	if (err == ERR_OK)
		err = upload_unpack(buf_bytes(value), out);
	if (err == ERR_OK)
		out->id = *id;
	return err;
}

int
upload_put_part(struct bucket_txn *t, struct bytes key, const struct version *id, struct part *p)
{
	struct table_key k = table_id(TABLE_PARTS, id, p->number);
	struct part old, part = *p;
	struct upload u;
	struct buf value;
	int err;

	if (p->number == 0 || p->number > PART_NUMBER_MAX)
		return REFUSAL_ARGUMENT;
	if (p->size > PART_BYTES_MAX)
		return REFUSAL_TOO_LARGE;
	buf_init(&value, KV_VALUE_MAX);
	part.modified_ms = t->now_ms;
	err = upload_get(t->kv, key, id, &value, &u);
	if (err == ERR_OK && u.entry.checksum.algorithm != CHECKSUM_NONE &&
	    p->checksum.algorithm != u.entry.checksum.algorithm)
		err = REFUSAL_PART_CHECKSUM;
	if (err == ERR_OK) {
		err = kv_get(t->kv, table_key_bytes(&k), &value);
		if (err == ERR_OK)
			err = part_unpack(buf_bytes(&value), &old);
		if (err == ERR_OK && old.content.len > 0)
			err = t->refs->unref(t->refs->arg, t->kv, old.content, t->now_ms);
		if (err == ERR_NOT_FOUND)
			err = ERR_OK;
	}
	buf_reset(&value);
	if (err == ERR_OK)
		err = bucket_name(t, part.content, BUCKET_NEW);
	if (err == ERR_OK)
		err = part_pack(&part, &value);
	if (err == ERR_OK)
		err = kv_put(t->kv, table_key_bytes(&k), buf_bytes(&value));
	if (err == ERR_OK)
		err = tally_count(t->kv, id);
	if (err == ERR_OK)
		p->modified_ms = part.modified_ms;
	buf_fini(&value);
	return err;
}

/* ---- walks over parts ---- */

int
parts_next(struct kv *kv, const struct version *id, uint32_t from, struct table_record *r,
    struct part *out)
{
	struct table_key first = table_id(TABLE_PARTS, id, MIN(from, UINT16_MAX));
	struct table_key within = table_id(TABLE_PARTS, id, UINT32_MAX);
	int err = table_seek(kv, &first, &within, r);

	if (err != ERR_OK)
		return err;
	if (r->key.len != within.len + 2)
		return ERR_CORRUPT;
	err = part_unpack(buf_bytes(&r->value), out);
	if (err == ERR_OK)
		out->number =
		    (uint16_t)(r->key.data[within.len] << 8 | r->key.data[within.len + 1]);
	return err == ERR_OK && out->number > PART_NUMBER_MAX ? ERR_CORRUPT : err;
}

int
parts_list(struct kv *kv, const struct version *id, const struct doom *doom, uint16_t after,
    uint32_t max, part_fn *each, void *arg, bool *truncated)
{
	struct table_record r;
	uint32_t from = (uint32_t)after + 1, given = 0;
	struct part p;
	int err = ERR_OK;
	bool more = false;

	table_record_init(&r);
	while (err == ERR_OK && max > 0 && !more) {
		err = parts_next(kv, id, from, &r, &p);
		if (err != ERR_OK)
			break;
		from = (uint32_t)p.number + 1;
		if (doom != NULL && !doom_uses(doom, p.number))
			continue;
		more = given == max;
		if (!more)
			err = each(arg, &p);
		given++;
	}
	table_record_fini(&r);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	*truncated = more;
	return ERR_OK;
}

int
upload_parts(struct kv *kv, struct bytes key, const struct version *id, uint16_t after,
    uint32_t max, int (*each)(void *arg, const struct part *p), void *arg, bool *truncated)
{
	struct upload u;
	struct buf value;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = upload_get(kv, key, id, &value, &u);
	if (err == ERR_OK)
		err = parts_list(kv, id, NULL, after, max, each, arg, truncated);
	buf_fini(&value);
	return err;
}

/* ---- what is to go ---- */

bool
doom_uses(const struct doom *d, uint16_t number)
{
	return (d->used[number / 8] & 1U << number % 8) != 0;
}

int
doom_get(struct kv *kv, const struct version *id, struct doom *out)
{
	struct table_key k = table_id(TABLE_DOOMED, id, UINT32_MAX);
	struct unpacker u;
	struct buf value;
	uint8_t version, keep;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = kv_get(kv, table_key_bytes(&k), &value);
	if (err == ERR_OK) {
		u = unpacker_on(buf_bytes(&value));
		version = unpack_u8(&u);
		keep = unpack_u8(&u);
		out->next = unpack_u16(&u);
		unpack_raw(&u, out->used, sizeof(out->used));
		out->keep_used = keep == 1;
		err = version != DOOM_VERSION        ? ERR_VERSION
		      : keep > 1 || !unpack_done(&u) ? ERR_CORRUPT
						     : ERR_OK;
	}
	buf_fini(&value);
	return err;
}

int
doom_put(struct kv *txn, const struct version *id, const struct doom *d)
{
	struct table_key k = table_id(TABLE_DOOMED, id, UINT32_MAX);
	uint8_t text[1 + 1 + 2 + sizeof(d->used)];
	struct packer p = packer_on(text, sizeof(text));

	pack_u8(&p, DOOM_VERSION);
	pack_u8(&p, d->keep_used);
	pack_u16(&p, d->next);
	pack_raw(&p, d->used, sizeof(d->used));
	must(pack_ok(&p));
	return kv_put(txn, table_key_bytes(&k), bytes_of(text, p.len));
}

int
upload_abort(struct bucket_txn *t, struct bytes key, const struct version *id)
{
	struct table_key k = table_key(TABLE_UPLOADS, key, id);
	struct doom none = { .keep_used = false };
	struct upload u;
	struct buf value;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = upload_get(t->kv, key, id, &value, &u);
	if (err == ERR_OK)
		err = kv_del(t->kv, table_key_bytes(&k));
	if (err == ERR_OK)
		err = tally_del(t->kv, id);
	if (err == ERR_OK)
		err = doom_put(t->kv, id, &none);
	buf_fini(&value);
	return err;
}

int
upload_forget(struct bucket_txn *t, const struct version *id)
{
	struct doom d;
	int err = doom_get(t->kv, id, &d);

	if (err == ERR_NOT_FOUND) { /* only parts that were used are left */
		memset(d.used, 0xff, sizeof(d.used));
		err = ERR_OK;
	}
	d.keep_used = false;
	d.next = 0;
	return err != ERR_OK ? err : doom_put(t->kv, id, &d);
}

/* The record says where the part ends and what its checksum is; its chunks the object names. */
static int
strip_part(struct kv *txn, struct table_record *r, struct part p)
{
	struct buf packed;
	int err;

	if (p.content.len == 0)
		return ERR_OK;
	p.content = bytes_of(NULL, 0);
	buf_init(&packed, KV_VALUE_MAX);
	err = part_pack(&p, &packed);
	if (err == ERR_OK)
		err = kv_put(txn, buf_bytes(&r->key), buf_bytes(&packed));
	buf_fini(&packed);
	return err;
}

/* One record's parts, from where the last transaction ended. */
static int
sweep_parts(struct bucket_txn *t, const struct version *id, struct doom *d)
{
	struct table_key k = table_id(TABLE_DOOMED, id, UINT32_MAX);
	struct table_record r;
	struct part p;
	int err = ERR_OK, left = SWEEP_PARTS_MAX;

	table_record_init(&r);
	for (; err == ERR_OK && left > 0; left--) {
		err = parts_next(t->kv, id, d->next, &r, &p);
		if (err != ERR_OK)
			break;
		d->next = (uint16_t)(p.number + 1);
		if (doom_uses(d, p.number) && d->keep_used) {
			err = strip_part(t->kv, &r, p);
			continue;
		}
		if (!doom_uses(d, p.number) && p.content.len > 0)
			err = t->refs->unref(t->refs->arg, t->kv, p.content, t->now_ms);
		if (err == ERR_OK)
			err = kv_del(t->kv, buf_bytes(&r.key));
	}
	table_record_fini(&r);
	if (err == ERR_NOT_FOUND)
		return kv_del(t->kv, table_key_bytes(&k));
	return err != ERR_OK ? err : doom_put(t->kv, id, d);
}

int
upload_sweep(struct bucket_txn *t, bool *more)
{
	struct table_key table = table_start(TABLE_DOOMED);
	struct table_record r;
	struct version id;
	struct doom d;
	int err;

	table_record_init(&r);
	err = table_seek(t->kv, &table, &table, &r);
	if (err == ERR_OK && r.key.len != 1 + sizeof(id.b))
		err = ERR_CORRUPT;
	if (err == ERR_OK) {
		memcpy(id.b, r.key.data + 1, sizeof(id.b));
		err = doom_get(t->kv, &id, &d);
	}
	if (err == ERR_OK)
		err = sweep_parts(t, &id, &d);
	table_record_fini(&r);
	if (err == ERR_NOT_FOUND)
		return repeats_sweep(t, more);
	if (err == ERR_OK)
		*more = true;
	return err;
}
