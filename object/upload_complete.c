/*
 * Completing an upload, in two steps (object/upload.h), and the parts of the object that it makes.
 * The result is kept for a day: a client that did not get the answer asks again, and S3 answers
 * the same.
 */
#include "object/bucket_private.h"
#include "object/upload.h"
#include "object/upload_private.h"
#include "overlay/base/crypto.h"
#include "overlay/base/pack.h"

#define REPEAT_VERSION 1
#define REPEAT_BYTES   (1 + 32 + BUCKET_DONE_BYTES + 16 + 2 + 8 + 2 + CHECKSUM_BYTES_MAX)

/* ---- results that may be asked for again ---- */

/* Of the request as it was meant: numbers and ETags, not how they were quoted; and for which key.
 */
static void
hash_request(struct sha256 *h, struct bytes key, const struct upload_part_named *named,
    size_t count, struct hash *out)
{
	sha256_update(h, key.data, key.len);
	for (size_t i = 0; i < count; i++) {
		uint8_t number[3] = { 0, (uint8_t)(named[i].number >> 8),
			(uint8_t)named[i].number };
		struct etag etag = { .parts = 0 };

		(void)etag_parse(named[i].etag, &etag); /* one that is none is refused as a part */
		sha256_update(h, number, sizeof(number));
		sha256_update(h, etag.md5, sizeof(etag.md5));
	}
	sha256_final(h, out);
}

static int
repeat_get(struct kv *kv, const struct version *id, struct upload_plan *plan)
{
	struct table_key k = table_id(TABLE_REPEATS, id, UINT32_MAX);
	struct hash request;
	struct unpacker u;
	struct buf value;
	uint8_t version;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = kv_get(kv, table_key_bytes(&k), &value);
	if (err == ERR_OK) {
		u = unpacker_on(buf_bytes(&value));
		version = unpack_u8(&u);
		unpack_raw(&u, request.b, sizeof(request.b));
		err = bucket_done_unpack(unpack_lend(&u, BUCKET_DONE_BYTES), &plan->done);
		unpack_raw(&u, plan->etag.md5, sizeof(plan->etag.md5));
		plan->etag.parts = unpack_u16(&u);
		plan->size = unpack_u64(&u);
		plan->checksum.algorithm = unpack_u8(&u);
		plan->checksum.type = unpack_u8(&u);
		unpack_raw(&u, plan->checksum.value, checksum_bytes(plan->checksum.algorithm));
		if (err != ERR_OK || !unpack_done(&u) || plan->checksum.algorithm > CHECKSUM_SHA256)
			err = ERR_CORRUPT;
		else if (version != REPEAT_VERSION)
			err = ERR_VERSION;
		else if (!hash_equal(&request, &plan->request))
			err = ERR_NOT_FOUND;
	}
	buf_fini(&value);
	return err == ERR_NOT_FOUND ? REFUSAL_NO_SUCH_UPLOAD : err;
}

static struct table_key
repeat_due_key(uint64_t at_ms, const struct version *id)
{
	struct table_key k = table_start(TABLE_REPEATS_DUE);
	struct packer p = packer_on(k.b + 1, sizeof(k.b) - 1);

	pack_u64(&p, at_ms);
	if (id != NULL)
		pack_raw(&p, id->b, sizeof(id->b));
	k.len = 1 + p.len;
	return k;
}

static int
repeat_put(struct bucket_txn *t, const struct version *id, const struct upload_plan *plan,
    const struct checksum *checksum, const struct bucket_done *done)
{
	struct table_key k = table_id(TABLE_REPEATS, id, UINT32_MAX);
	struct table_key due = repeat_due_key(t->now_ms + UPLOAD_REPEAT_MS, id);
	uint8_t text[REPEAT_BYTES], packed[BUCKET_DONE_BYTES];
	struct packer p = packer_on(text, sizeof(text));
	int err;

	bucket_done_pack(done, packed);
	pack_u8(&p, REPEAT_VERSION);
	pack_raw(&p, plan->request.b, sizeof(plan->request.b));
	pack_raw(&p, packed, sizeof(packed));
	pack_raw(&p, plan->etag.md5, sizeof(plan->etag.md5));
	pack_u16(&p, plan->etag.parts);
	pack_u64(&p, plan->size);
	pack_u8(&p, checksum->algorithm);
	pack_u8(&p, checksum->type);
	pack_raw(&p, checksum->value, checksum_bytes(checksum->algorithm));
	must(pack_ok(&p));
	err = kv_put(t->kv, table_key_bytes(&k), bytes_of(text, p.len));
	return err != ERR_OK ? err : kv_put(t->kv, table_key_bytes(&due), bytes_of(text, 0));
}

int
repeats_sweep(struct bucket_txn *t, bool *more)
{
	struct table_key table = table_start(TABLE_REPEATS_DUE);
	struct table_key until = repeat_due_key(t->now_ms, NULL), k;
	struct table_record r;
	struct version id;
	int err = ERR_OK, left = SWEEP_PARTS_MAX;

	table_record_init(&r);
	for (; err == ERR_OK && left > 0; left--) {
		err = table_seek(t->kv, &table, &table, &r);
		if (err == ERR_OK && r.key.len != until.len + sizeof(id.b))
			err = ERR_CORRUPT;
		if (err == ERR_OK && memcmp(r.key.data, until.b, until.len) > 0)
			err = ERR_NOT_FOUND;
		if (err != ERR_OK)
			break;
		memcpy(id.b, r.key.data + until.len, sizeof(id.b));
		k = table_id(TABLE_REPEATS, &id, UINT32_MAX);
		err = kv_del(t->kv, table_key_bytes(&k));
		if (err == ERR_OK)
			err = kv_del(t->kv, buf_bytes(&r.key));
	}
	table_record_fini(&r);
	if (err == ERR_OK || err == ERR_NOT_FOUND)
		*more = err == ERR_OK;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* ---- the plan ---- */

/* What goes on while a request is held against the parts that there are. */
struct planning {
	struct kv *kv;
	const struct upload *upload;
	struct md5 *md5;
	struct table_record record;
	struct upload_plan *plan;
	bool small, last_small;
};

static int
check_part(const struct upload *u, const struct upload_part_named *n, const struct part *p)
{
	const struct checksum *wanted = &u->entry.checksum;
	struct etag etag;

	if (etag_parse(n->etag, &etag) != ERR_OK || !etag_equal(&etag, &p->etag))
		return REFUSAL_PART;
	if (n->checksum.algorithm == CHECKSUM_NONE)
		return ERR_OK; /* the ETag says which one is meant */
	if (wanted->algorithm != CHECKSUM_NONE && n->checksum.algorithm != wanted->algorithm)
		return REFUSAL_PART_CHECKSUM;
	/* Where the upload wants none, a part may have been put with none or another: then there is
	 * nothing to compare with. */
	if (n->checksum.algorithm == p->checksum.algorithm &&
	    !checksum_equal(&n->checksum, &p->checksum))
		return REFUSAL_PART;
	return ERR_OK;
}

static int
plan_part(struct planning *g, const struct upload_part_named *n, part_fn *each, void *arg)
{
	struct upload_plan *plan = g->plan;
	struct part p;
	int err = parts_next(g->kv, &g->upload->id, n->number, &g->record, &p);

	if (err == ERR_NOT_FOUND || (err == ERR_OK && p.number != n->number))
		return REFUSAL_PART;
	if (err == ERR_OK)
		err = check_part(g->upload, n, &p);
	if (err != ERR_OK)
		return err;
	g->small |= g->last_small;
	g->last_small = p.size < PART_BYTES_MIN;
	plan->size += p.size;
	plan->parts_count++;
	plan->used[p.number / 8] |= (uint8_t)(1U << p.number % 8);
	if (plan->size > OBJECT_BYTES_MAX)
		return REFUSAL_TOO_LARGE;
	md5_update(g->md5, p.etag.md5, sizeof(p.etag.md5));
	return each == NULL ? ERR_OK : each(arg, &p);
}

static int
check_order(const struct upload_part_named *named, size_t count)
{
	if (count == 0 || count > PART_NUMBER_MAX)
		return ERR_INVALID;
	for (size_t i = 1; i < count; i++)
		if (named[i].number <= named[i - 1].number)
			return REFUSAL_PART_ORDER;
	return named[0].number == 0 || named[count - 1].number > PART_NUMBER_MAX ? REFUSAL_PART
										 : ERR_OK;
}

static int
plan_all(struct planning *g, const struct upload_part_named *named, size_t count, part_fn *each,
    void *arg)
{
	uint64_t changes = 0;
	int err = check_order(named, count);

	if (err == ERR_OK)
		err = tally_get(g->kv, &g->upload->id, &changes);
	for (size_t i = 0; i < count && err == ERR_OK; i++)
		err = plan_part(g, &named[i], each, arg);
	if (err == ERR_OK && g->small)
		err = REFUSAL_PART_SMALL;
	if (err != ERR_OK)
		return err;
	g->plan->etag.parts = (uint16_t)count;
	md5_final(g->md5, g->plan->etag.md5);
	g->plan->changes = changes;
	return ERR_OK;
}

int
upload_plan(struct kv *kv, struct bytes key, const struct version *id,
    const struct upload_part_named *named, size_t named_count,
    int (*each)(void *arg, const struct part *p), void *arg, struct upload_plan *out)
{
	struct planning g = { .kv = kv, .md5 = md5_new(), .plan = out };
	struct sha256 *h = sha256_new();
	struct upload u;
	struct buf value;
	int err = h == NULL || g.md5 == NULL ? ERR_NOMEM : ERR_OK;

	memset(out, 0, sizeof(*out));
	buf_init(&value, KV_VALUE_MAX);
	table_record_init(&g.record);
	if (err == ERR_OK) {
		hash_request(h, key, named, named_count, &out->request);
		err = upload_get(kv, key, id, &value, &u);
		g.upload = &u;
	}
	if (err == REFUSAL_NO_SUCH_UPLOAD) {
		err = repeat_get(kv, id, out);
		out->repeated = err == ERR_OK;
	} else if (err == ERR_OK) {
		err = plan_all(&g, named, named_count, each, arg);
	}
	table_record_fini(&g.record);
	buf_fini(&value);
	sha256_free(h);
	md5_free(g.md5);
	return err;
}

/* ---- the deed ---- */

static int
finish(struct bucket_txn *t, struct bytes key, const struct version *id,
    const struct upload_plan *plan, const struct checksum *checksum, const struct bucket_done *done)
{
	struct table_key k = table_key(TABLE_UPLOADS, key, id);
	struct doom d = { .keep_used = true };
	int err = kv_del(t->kv, table_key_bytes(&k));

	memcpy(d.used, plan->used, sizeof(d.used));
	if (err == ERR_OK)
		err = tally_del(t->kv, id);
	if (err == ERR_OK)
		err = doom_put(t->kv, id, &d);
	return err != ERR_OK ? err : repeat_put(t, id, plan, checksum, done);
}

int
upload_complete(struct bucket_txn *t, struct bytes key, const struct version *id,
    const struct conditions *c, const struct upload_plan *plan, struct bytes content,
    const struct checksum *checksum, struct bucket_done *done)
{
	struct bucket_done did;
	struct upload u;
	struct buf value;
	uint64_t changes = 0;
	int err;

	must(!plan->repeated && plan->parts_count > 0);
	buf_init(&value, KV_VALUE_MAX);
	err = upload_get(t->kv, key, id, &value, &u);
	if (err == REFUSAL_NO_SUCH_UPLOAD)
		err = ERR_STALE; /* completed or aborted since: another plan will say which */
	if (err == ERR_OK)
		err = tally_get(t->kv, id, &changes);
	if (err == ERR_OK && changes != plan->changes)
		err = ERR_STALE;
	if (err == ERR_OK) {
		u.entry.content = content;
		u.entry.size = plan->size;
		u.entry.etag = plan->etag;
		u.entry.checksum = *checksum;
		u.entry.in_parts = true;
		u.entry.parts = *id;
		err = bucket_write(t, key, c, &u.entry, BUCKET_MOVED, &did);
	}
	if (err == ERR_OK)
		err = finish(t, key, id, plan, checksum, &did);
	if (err == ERR_OK)
		*done = did;
	buf_fini(&value);
	return err;
}

/* ---- the parts of an object ---- */

struct sought {
	uint16_t number;
	uint64_t offset;
	bool found;
	struct part part;
};

static int
seek_part(void *arg, const struct part *p)
{
	struct sought *s = arg;

	if (p->number == s->number) {
		s->part = *p;
		s->part.content = bytes_of(NULL, 0); /* the object's own says where its bytes are */
		s->found = true;
		return ERR_END;
	}
	s->offset += p->size;
	return ERR_OK;
}

/* The doom of the parts that were not used, if there still is one. */
static int
object_parts(struct kv *kv, const struct entry *e, uint16_t after, uint32_t max, part_fn *each,
    void *arg, bool *truncated)
{
	struct doom d;
	int err = doom_get(kv, &e->parts, &d);

	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	return parts_list(
	    kv, &e->parts, err == ERR_OK ? &d : NULL, after, max, each, arg, truncated);
}

static struct part
whole(const struct entry *e)
{
	return (struct part){ .number = 1,
		.size = e->size,
		.modified_ms = e->modified_ms,
		.etag = e->etag,
		.checksum = e->checksum };
}

int
upload_object_part(
    struct kv *kv, const struct entry *e, uint16_t number, uint64_t *offset, struct part *out)
{
	struct sought s = { .number = number };
	bool truncated;
	int err;

	if (!e->in_parts) {
		if (number != 1)
			return REFUSAL_PART_NUMBER;
		*offset = 0;
		*out = whole(e);
		return ERR_OK;
	}
	err = object_parts(kv, e, 0, PART_NUMBER_MAX, seek_part, &s, &truncated);
	if (err != ERR_OK && err != ERR_END)
		return err;
	if (!s.found)
		return REFUSAL_PART_NUMBER;
	*offset = s.offset;
	*out = s.part;
	return ERR_OK;
}

int
upload_object_parts(struct kv *kv, const struct entry *e, uint16_t after, uint32_t max,
    int (*each)(void *arg, const struct part *p), void *arg, bool *truncated)
{
	if (!e->in_parts) {
		*truncated = false;
		return ERR_OK;
	}
	return object_parts(kv, e, after, max, each, arg, truncated);
}
