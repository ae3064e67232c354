/*
 * Counts and trash as records of the bucket's state. Nothing here asks the network: what is done
 * about the trash is content_keep.c's.
 */
#include "object/content_refs.h"

#include <stdlib.h>

#include "object/content_private.h"
#include "object/kv.h"
#include "object/manifest_private.h"

#define REFS_VERSION    1
#define REFS_BYTES      (1 + 1 + 4)
#define REFS_PACK_BYTES (REFS_BYTES + 8 + 8 + 8)
#define REFS_KEY_BYTES  (1 + 32)
#define TRASH_VERSION   1
#define TRASH_FIXED     (1 + 1)
/* Chunks of one record: as a content has in its entry. */
#define TRASH_BYTES_MAX (CONTENT_LIST_MAX + KIB(1))

enum trash_kind { TRASH_CHUNKS, TRASH_LISTED, TRASH_PACK };

/* ---- counts ---- */

struct refs {
	bool known; /* there is a record */
	bool pack;
	uint32_t count;
	uint64_t live, bytes; /* packs: of members as they are named; of all */
	uint64_t trashed_ms;  /* packs: in the trash since; 0: not */
};

static void
refs_key(const struct hash *chunk, uint8_t key[REFS_KEY_BYTES])
{
	key[0] = CONTENT_TABLE_REFS;
	memcpy(key + 1, chunk->b, sizeof(chunk->b));
}

static int
refs_unpack(struct bytes in, struct refs *r)
{
	struct unpacker u = unpacker_on(in);
	uint8_t version = unpack_u8(&u), pack = unpack_u8(&u);

	*r = (struct refs){ .known = true, .pack = pack == 1, .count = unpack_u32(&u) };
	if (u.failed || pack > 1)
		return ERR_CORRUPT;
	if (version != REFS_VERSION)
		return ERR_VERSION;
	if (r->pack) {
		r->live = unpack_u64(&u);
		r->bytes = unpack_u64(&u);
		r->trashed_ms = unpack_u64(&u);
	}
	return unpack_done(&u) ? ERR_OK : ERR_CORRUPT;
}

/* No record: one reference, and no pack. */
static SUSPENDS int
refs_get(struct kv *kv, const struct hash *chunk, struct refs *r)
{
	uint8_t key[REFS_KEY_BYTES];
	struct buf value;
	int err;

	refs_key(chunk, key);
	buf_init(&value, KV_VALUE_MAX);
	err = kv_get(kv, bytes_of(key, sizeof(key)), &value);
	if (err == ERR_OK)
		err = refs_unpack(buf_bytes(&value), r);
	else if (err == ERR_NOT_FOUND) {
		*r = (struct refs){ .count = 1 };
		err = ERR_OK;
	}
	buf_fini(&value);
	return err;
}

static int
refs_put(struct kv *txn, const struct hash *chunk, const struct refs *r)
{
	uint8_t key[REFS_KEY_BYTES], value[REFS_PACK_BYTES];
	struct packer p = packer_on(value, sizeof(value));

	refs_key(chunk, key);
	pack_u8(&p, REFS_VERSION);
	pack_u8(&p, r->pack);
	pack_u32(&p, r->count);
	if (r->pack) {
		pack_u64(&p, r->live);
		pack_u64(&p, r->bytes);
		pack_u64(&p, r->trashed_ms);
	}
	must(pack_ok(&p));
	return kv_put(txn, bytes_of(key, sizeof(key)), bytes_of(value, p.len));
}

static int
refs_del(struct kv *txn, const struct hash *chunk)
{
	uint8_t key[REFS_KEY_BYTES];

	refs_key(chunk, key);
	return kv_del(txn, bytes_of(key, sizeof(key)));
}

/* ---- trash records ---- */

static void
trash_key(uint64_t since_ms, const struct hash *first, uint8_t key[TRASH_KEY_BYTES])
{
	struct packer p = packer_on(key, TRASH_KEY_BYTES);

	pack_u8(&p, CONTENT_TABLE_TRASH);
	pack_u64(&p, since_ms);
	pack_raw(&p, first->b, TRASH_KEY_BYTES - 1 - 8);
	must(pack_ok(&p));
}

/* Chunks from..to of m in one record. */
static int
trash_put(struct kv *txn, enum trash_kind kind, const struct content *listed,
    const struct manifest *m, size_t from, size_t to, uint64_t since_ms)
{
	uint8_t key[TRASH_KEY_BYTES];
	uint8_t *value = malloc(TRASH_BYTES_MAX);
	struct packer p = packer_on(value, TRASH_BYTES_MAX);
	int err;

	if (value == NULL)
		return ERR_NOMEM;
	trash_key(since_ms, &m->chunks[from].id, key);
	pack_u8(&p, TRASH_VERSION);
	pack_u8(&p, (uint8_t)kind);
	if (kind == TRASH_LISTED) {
		pack_u64(&p, listed->bytes);
		pack_raw(&p, listed->key.b, sizeof(listed->key.b));
	}
	for (size_t i = from; i < to; i++)
		manifest_pack_chunk(&p, &m->chunks[i]);
	must(pack_ok(&p));
	err = kv_put(txn, bytes_of(key, sizeof(key)), bytes_of(value, p.len));
	crypto_wipe(value, TRASH_BYTES_MAX);
	free(value);
	return err;
}

int
content_trash_chunks(struct kv *txn, const struct manifest *chunks, uint64_t now_ms)
{
	int err = ERR_OK;

	for (size_t from = 0, to; err == ERR_OK && from < chunks->chunks_count; from = to) {
		size_t bytes = TRASH_FIXED;

		for (to = from; to < chunks->chunks_count; to++) {
			bytes += manifest_chunk_bytes(&chunks->chunks[to]);
			if (bytes > TRASH_BYTES_MAX)
				break;
		}
		err = trash_put(txn, TRASH_CHUNKS, NULL, chunks, from, to, now_ms);
	}
	return err;
}

static int
untrash(struct kv *txn, uint64_t since_ms, const struct hash *first)
{
	uint8_t key[TRASH_KEY_BYTES];

	trash_key(since_ms, first, key);
	return kv_del(txn, bytes_of(key, sizeof(key)));
}

/* ---- naming ---- */

static SUSPENDS int
pack_named(struct kv *txn, const struct content *c)
{
	const struct manifest_chunk *chunk = &c->list.chunks[0];
	struct refs r;
	int err = refs_get(txn, &chunk->id, &r);

	if (err != ERR_OK)
		return err;
	if (!r.known)
		r = (struct refs){ .pack = true, .bytes = chunk->bytes };
	if (!r.pack)
		return ERR_CORRUPT;
	if (r.count == UINT32_MAX)
		return ERR_TOO_BIG;
	if (r.trashed_ms != 0) /* others of it were named and forgotten before us */
		err = untrash(txn, r.trashed_ms, &chunk->id);
	r.trashed_ms = 0;
	r.count++;
	r.live += content_sealed_bytes(c);
	return err == ERR_OK ? refs_put(txn, &chunk->id, &r) : err;
}

int
content_named(struct kv *txn, const struct content *c, uint64_t written_ms, uint64_t now_ms)
{
	if (c->kind == CONTENT_EMPTY || c->kind == CONTENT_INLINE)
		return ERR_OK;
	if (now_ms > written_ms && now_ms - written_ms > CONTENT_NAMED_WITHIN_S * UINT64_C(1000))
		return ERR_STALE;
	return c->kind == CONTENT_PACKED ? pack_named(txn, c) : ERR_OK;
}

static SUSPENDS int
chunk_ref_one(struct kv *txn, const struct hash *chunk)
{
	struct refs r;
	int err = refs_get(txn, chunk, &r);

	if (err == ERR_OK && r.pack)
		err = ERR_CORRUPT;
	if (err == ERR_OK && r.count == UINT32_MAX)
		err = ERR_TOO_BIG;
	r.count++;
	return err == ERR_OK ? refs_put(txn, chunk, &r) : err;
}

int
content_ref(struct kv *txn, const struct content *c)
{
	int err = ERR_OK;

	if (c->kind == CONTENT_PACKED)
		return pack_named(txn, c);
	/* Of a listed one the top chunk stands for all: they are shared with it only. */
	for (size_t i = 0; err == ERR_OK && i < c->list.chunks_count; i++)
		err = chunk_ref_one(txn, &c->list.chunks[i].id);
	return err;
}

/* ---- forgetting ---- */

static int
pack_to_trash(struct kv *txn, const struct content *c, struct refs *r, uint64_t now_ms)
{
	int err = trash_put(txn, TRASH_PACK, NULL, &c->list, 0, 1, now_ms);

	r->trashed_ms = now_ms;
	return err == ERR_OK ? refs_put(txn, &c->list.chunks[0].id, r) : err;
}

static SUSPENDS int
pack_unref(struct kv *txn, const struct content *c, uint64_t now_ms)
{
	struct refs r;
	int err = refs_get(txn, &c->list.chunks[0].id, &r);

	if (err == ERR_OK && (!r.pack || r.count == 0))
		err = ERR_CORRUPT;
	if (err != ERR_OK)
		return err;
	r.count--;
	r.live -= MIN(r.live, content_sealed_bytes(c));
	return r.count == 0 ? pack_to_trash(txn, c, &r, now_ms)
			    : refs_put(txn, &c->list.chunks[0].id, &r);
}

/* *last: it was the last reference. */
static SUSPENDS int
chunk_unref_one(struct kv *txn, const struct hash *chunk, bool *last)
{
	struct refs r;
	int err = refs_get(txn, chunk, &r);

	if (err == ERR_OK && (r.pack || r.count == 0))
		err = ERR_CORRUPT;
	*last = r.count == 1;
	if (err != ERR_OK || !r.known)
		return err;
	r.count--;
	return r.count <= 1 ? refs_del(txn, chunk) : refs_put(txn, chunk, &r);
}

int
content_unref(struct kv *txn, const struct content *c, uint64_t now_ms)
{
	struct manifest gone;
	int err = ERR_OK;

	if (c->kind == CONTENT_PACKED)
		return pack_unref(txn, c, now_ms);
	manifest_init(&gone);
	for (size_t i = 0; err == ERR_OK && i < c->list.chunks_count; i++) {
		const struct manifest_chunk *m = &c->list.chunks[i];
		bool last;

		err = chunk_unref_one(txn, &m->id, &last);
		if (err == ERR_OK && last)
			err = manifest_add_chunk(
			    &gone, &m->id, &m->code, m->bytes, (const uint8_t(*)[8])m->hints);
	}
	if (err == ERR_OK && gone.chunks_count > 0)
		err = c->kind == CONTENT_LISTED
			  ? trash_put(txn, TRASH_LISTED, c, &gone, 0, 1, now_ms)
			  : content_trash_chunks(txn, &gone, now_ms);
	manifest_fini(&gone);
	return err;
}

int
content_dropped(struct kv *txn, const struct content *c, uint64_t now_ms)
{
	struct refs r;
	int err;

	if (c->kind != CONTENT_PACKED)
		return content_unref(txn, c, now_ms);
	err = refs_get(txn, &c->list.chunks[0].id, &r);
	/* Known: others named it, or dropped it before us, and their count decides. */
	if (err != ERR_OK || r.known)
		return err;
	r = (struct refs){ .pack = true, .bytes = c->list.chunks[0].bytes };
	return pack_to_trash(txn, c, &r, now_ms);
}

int
content_references(struct kv *kv, const struct content *c, uint64_t *count)
{
	uint64_t most = 0;
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < c->list.chunks_count; i++) {
		struct refs r;

		err = refs_get(kv, &c->list.chunks[i].id, &r);
		if (err == ERR_OK)
			most = MAX(most, r.count);
	}
	if (err == ERR_OK)
		*count = most;
	return err;
}

int
content_form_named(
    void *arg, struct kv *txn, struct bytes form, uint64_t written_ms, uint64_t now_ms)
{
	struct content c;
	int err;

	(void)arg;
	content_init(&c);
	err = content_unpack(form, &c);
	if (err == ERR_OK)
		err = content_named(txn, &c, written_ms, now_ms);
	content_fini(&c);
	return err;
}

int
content_form_ref(void *arg, struct kv *txn, struct bytes form)
{
	struct content c;
	int err;

	(void)arg;
	content_init(&c);
	err = content_unpack(form, &c);
	if (err == ERR_OK)
		err = content_ref(txn, &c);
	content_fini(&c);
	return err;
}

int
content_form_unref(void *arg, struct kv *txn, struct bytes form, uint64_t now_ms)
{
	struct content c;
	int err;

	(void)arg;
	content_init(&c);
	err = content_unpack(form, &c);
	if (err == ERR_OK)
		err = content_unref(txn, &c, now_ms);
	content_fini(&c);
	return err;
}

int
content_pack_room(struct kv *kv, const struct hash *chunk, struct pack_room *out)
{
	struct refs r;
	int err = refs_get(kv, chunk, &r);

	if (err == ERR_OK && !r.pack)
		err = ERR_NOT_FOUND;
	if (err == ERR_OK)
		*out = (struct pack_room){ r.count, r.live, r.bytes };
	return err;
}

/* ---- the trash, read ---- */

void
trash_item_init(struct trash_item *t)
{
	memset(t, 0, sizeof(*t));
	content_init(&t->content);
}

void
trash_item_fini(struct trash_item *t)
{
	content_fini(&t->content);
}

static int
trash_unpack(struct bytes in, struct trash_item *t)
{
	struct unpacker u = unpacker_on(in);
	uint8_t version = unpack_u8(&u), kind = unpack_u8(&u);
	struct content *c = &t->content;
	int err = ERR_OK;

	/* Longer than anybody writes one: it could not be put off. */
	if (u.failed || kind > TRASH_PACK || in.len > TRASH_BYTES_MAX)
		return ERR_CORRUPT;
	if (version != TRASH_VERSION)
		return ERR_VERSION;
	if (kind == TRASH_LISTED) {
		c->bytes = unpack_u64(&u);
		unpack_raw(&u, c->key.b, sizeof(c->key.b));
	}
	c->kind = kind == TRASH_LISTED ? CONTENT_LISTED : CONTENT_CHUNKS;
	t->pack = kind == TRASH_PACK;
	do {
		err = manifest_read_chunk(&u, &c->list);
	} while (err == ERR_OK && unpack_left(&u) > 0);
	if (err == ERR_OK &&
	    (!unpack_done(&u) || (kind != TRASH_CHUNKS && c->list.chunks_count > 1)))
		err = ERR_CORRUPT;
	return err == ERR_INVALID ? ERR_CORRUPT : err;
}

int
content_trash_next(struct kv *kv, struct bytes from, struct trash_item *out)
{
	static const uint8_t table = CONTENT_TABLE_TRASH;
	struct buf key, value;
	int err;

	buf_init(&key, KV_KEY_MAX + 1);
	buf_init(&value, KV_VALUE_MAX);
	err = kv_seek(kv, from.len == 0 ? bytes_of(&table, 1) : from, &key, &value);
	if (err == ERR_OK && (key.len == 0 || key.data[0] != CONTENT_TABLE_TRASH))
		err = ERR_NOT_FOUND;
	if (err == ERR_OK && key.len != TRASH_KEY_BYTES)
		err = ERR_CORRUPT;
	if (err == ERR_OK) {
		struct unpacker u = unpacker_on(bytes_of(key.data + 1, 8));

		trash_item_fini(out);
		trash_item_init(out);
		memcpy(out->key, key.data, key.len);
		out->since_ms = unpack_u64(&u);
		err = trash_unpack(buf_bytes(&value), out);
	}
	buf_fini(&key);
	buf_wipe(&value);
	return err;
}

/* It is still there, with the pack's record when it is one. */
static SUSPENDS int
trash_find(struct kv *txn, const struct trash_item *t, struct refs *r)
{
	struct buf value;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = kv_get(txn, bytes_of(t->key, sizeof(t->key)), &value);
	if (err == ERR_OK && t->pack) {
		err = refs_get(txn, &t->content.list.chunks[0].id, r);
		if (err == ERR_OK && (!r->pack || r->trashed_ms != t->since_ms))
			err = ERR_CORRUPT;
	}
	buf_wipe(&value);
	return err;
}

int
content_trash_done(struct kv *txn, const struct trash_item *t)
{
	struct refs r;
	int err = trash_find(txn, t, &r);

	if (err == ERR_OK && t->pack)
		err = refs_del(txn, &t->content.list.chunks[0].id);
	return err == ERR_OK ? kv_del(txn, bytes_of(t->key, sizeof(t->key))) : err;
}

int
content_trash_defer(struct kv *txn, const struct trash_item *t, uint64_t since_ms)
{
	const struct manifest *m = &t->content.list;
	enum trash_kind kind = t->pack                             ? TRASH_PACK
			       : t->content.kind == CONTENT_LISTED ? TRASH_LISTED
								   : TRASH_CHUNKS;
	struct refs r;
	int err = trash_find(txn, t, &r);

	if (err == ERR_OK)
		err = kv_del(txn, bytes_of(t->key, sizeof(t->key)));
	if (err == ERR_OK)
		err = trash_put(txn, kind, &t->content, m, 0, m->chunks_count, since_ms);
	if (err == ERR_OK && t->pack) {
		r.trashed_ms = since_ms;
		err = refs_put(txn, &m->chunks[0].id, &r);
	}
	return err;
}
