/*
 * The kept form of an entry. One form for each entry: what unpacks packs again to the same bytes,
 * so flags and lengths that say nothing are refused.
 */
#include "object/entry.h"

#include "object/acl.h"
#include "object/kv.h"
#include "object/refusal.h"
#include "overlay/base/err.h"
#include "overlay/base/pack.h"

#define ENTRY_VERSION 1

enum entry_flag {
	ENTRY_NULL = 1,
	ENTRY_MARKER = 2,
	ENTRY_HOLD = 4,
	ENTRY_PARTS = 8,
	ENTRY_FLAGS = 15,
};

/* All but what has a bound of its own. */
#define ENTRY_FIXED_MAX                                                                            \
	(1 + 1 + 8 + 8 + 16 + 2 + 2 + CHECKSUM_BYTES_MAX + 1 + 1 + 8 + 1 + 48 + 16 + 1 +           \
	    2 * TEXT_COUNT + 2 + 2 + 2 + 1 + 2)
static_assert(ENTRY_ACL_BYTES_MAX >= ACL_BYTES_MAX, "every list of grants fits");
static_assert(ENTRY_FIXED_MAX + ENTRY_TEXTS_BYTES_MAX + ENTRY_META_BYTES_MAX + PAIRS_BYTES_MAX +
		      ENTRY_ACL_BYTES_MAX + ENTRY_OWNER_BYTES_MAX + ENTRY_CONTENT_BYTES_MAX +
		      KIB(1) <=
		  KV_VALUE_MAX,
    "every entry fits a value, with room for what an upload says beside it");

static bool
valid(const struct entry *e)
{
	size_t texts = 0;

	for (size_t i = 0; i < TEXT_COUNT; i++)
		texts += e->text[i].len;
	if (e->owner.len > ENTRY_OWNER_BYTES_MAX ||
	    (e->owner.len > 0 && memchr(e->owner.data, 0, e->owner.len) != NULL))
		return false;
	if (e->marker)
		return !e->hold && !e->in_parts;
	return texts <= ENTRY_TEXTS_BYTES_MAX && e->meta.len <= ENTRY_META_BYTES_MAX &&
	       pairs_valid(e->meta) && e->tags.len <= PAIRS_BYTES_MAX && pairs_valid(e->tags) &&
	       e->acl.len <= ENTRY_ACL_BYTES_MAX && e->content.len <= ENTRY_CONTENT_BYTES_MAX &&
	       e->size <= OBJECT_BYTES_MAX && e->storage_class < CLASS_COUNT &&
	       e->lock_mode <= LOCK_COMPLIANCE && e->sse <= SSE_CUSTOMER &&
	       e->checksum.algorithm <= CHECKSUM_SHA256 && e->checksum.type <= CHECKSUM_COMPOSITE &&
	       (e->checksum.algorithm != CHECKSUM_NONE || e->checksum.type == 0);
}

static void
pack_long(struct packer *p, struct bytes b)
{
	pack_u16(p, (uint16_t)b.len);
	pack_raw(p, b.data, b.len);
}

static void
pack_object(struct packer *p, const struct entry *e)
{
	uint8_t texts = 0;

	pack_u64(p, e->size);
	pack_raw(p, e->etag.md5, sizeof(e->etag.md5));
	pack_u16(p, e->etag.parts);
	pack_u8(p, e->checksum.algorithm);
	if (e->checksum.algorithm != CHECKSUM_NONE)
		pack_u8(p, e->checksum.type);
	pack_raw(p, e->checksum.value, checksum_bytes(e->checksum.algorithm));
	pack_u8(p, e->storage_class);
	pack_u8(p, e->lock_mode);
	if (e->lock_mode != LOCK_NONE)
		pack_u64(p, e->lock_until_ms);
	pack_u8(p, e->sse);
	if (e->sse == SSE_CUSTOMER) {
		pack_raw(p, e->customer.salt, sizeof(e->customer.salt));
		pack_raw(p, e->customer.check, sizeof(e->customer.check));
	}
	if (e->in_parts)
		pack_raw(p, e->parts.b, sizeof(e->parts.b));
	for (size_t i = 0; i < TEXT_COUNT; i++)
		texts |= (uint8_t)(e->text[i].len > 0 ? 1U << i : 0);
	pack_u8(p, texts);
	for (size_t i = 0; i < TEXT_COUNT; i++)
		if (e->text[i].len > 0)
			pack_long(p, e->text[i]);
	pack_long(p, e->meta);
	pack_long(p, e->tags);
	pack_long(p, e->acl);
	pack_long(p, e->content);
}

int
entry_pack(const struct entry *e, struct buf *out)
{
	size_t variable = e->meta.len + e->tags.len + e->acl.len + e->owner.len + e->content.len;
	struct packer p;
	int err;

	if (!valid(e))
		return ERR_INVALID;
	for (size_t i = 0; i < TEXT_COUNT; i++)
		variable += e->text[i].len;
	err = buf_reserve(out, ENTRY_FIXED_MAX + variable);
	if (err != ERR_OK)
		return err;
	p = packer_on(out->data + out->len, ENTRY_FIXED_MAX + variable);
	pack_u8(&p, ENTRY_VERSION);
	pack_u8(&p, (uint8_t)((e->null ? ENTRY_NULL : 0) | (e->marker ? ENTRY_MARKER : 0) |
			      (e->hold ? ENTRY_HOLD : 0) | (e->in_parts ? ENTRY_PARTS : 0)));
	pack_u64(&p, e->modified_ms);
	pack_u8(&p, (uint8_t)e->owner.len);
	pack_raw(&p, e->owner.data, e->owner.len);
	if (!e->marker)
		pack_object(&p, e);
	must(pack_ok(&p));
	out->len += p.len;
	return ERR_OK;
}

static struct bytes
unpack_long(struct unpacker *u)
{
	return unpack_lend(u, unpack_u16(u));
}

static void
unpack_object(struct unpacker *u, struct entry *e)
{
	uint8_t texts;

	e->size = unpack_u64(u);
	unpack_raw(u, e->etag.md5, sizeof(e->etag.md5));
	e->etag.parts = unpack_u16(u);
	e->checksum.algorithm = unpack_u8(u);
	if (e->checksum.algorithm != CHECKSUM_NONE)
		e->checksum.type = unpack_u8(u);
	unpack_raw(u, e->checksum.value, checksum_bytes(e->checksum.algorithm));
	e->storage_class = unpack_u8(u);
	e->lock_mode = unpack_u8(u);
	if (e->lock_mode != LOCK_NONE)
		e->lock_until_ms = unpack_u64(u);
	e->sse = unpack_u8(u);
	if (e->sse == SSE_CUSTOMER) {
		unpack_raw(u, e->customer.salt, sizeof(e->customer.salt));
		unpack_raw(u, e->customer.check, sizeof(e->customer.check));
	}
	if (e->in_parts)
		unpack_raw(u, e->parts.b, sizeof(e->parts.b));
	texts = unpack_u8(u);
	if (texts >> TEXT_COUNT != 0)
		u->failed = true;
	for (size_t i = 0; i < TEXT_COUNT; i++) {
		if ((texts & 1U << i) == 0)
			continue;
		e->text[i] = unpack_long(u);
		if (e->text[i].len == 0)
			u->failed = true;
	}
	e->meta = unpack_long(u);
	e->tags = unpack_long(u);
	e->acl = unpack_long(u);
	e->content = unpack_long(u);
}

int
entry_unpack(struct bytes in, struct entry *out)
{
	struct unpacker u = unpacker_on(in);
	uint8_t version = unpack_u8(&u), flags = unpack_u8(&u);
	struct entry e = { .null = (flags & ENTRY_NULL) != 0,
		.marker = (flags & ENTRY_MARKER) != 0,
		.hold = (flags & ENTRY_HOLD) != 0,
		.in_parts = (flags & ENTRY_PARTS) != 0 };

	if (u.failed)
		return ERR_CORRUPT;
	if (version != ENTRY_VERSION)
		return ERR_VERSION;
	e.modified_ms = unpack_u64(&u);
	e.owner = unpack_lend(&u, unpack_u8(&u));
	if (!e.marker && !u.failed)
		unpack_object(&u, &e);
	if (!unpack_done(&u) || (flags & ~ENTRY_FLAGS) != 0 || !valid(&e))
		return ERR_CORRUPT;
	*out = e;
	return ERR_OK;
}

uint64_t
entry_locked_until(const struct entry *e)
{
	if (e->hold)
		return UINT64_MAX;
	return e->lock_mode != LOCK_NONE ? e->lock_until_ms : 0;
}

/* ---- keys ---- */

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. 0: malformed. */
static size_t
character(struct bytes text)
{
	const uint8_t *c = text.data;
	size_t len = c[0] < 0x80 ? 1 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : 4;

	if ((c[0] >= 0x80 && c[0] < 0xc2) || c[0] > 0xf4 || len > text.len)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return len;
}

int
object_key_check(struct bytes key)
{
	size_t len;

	if (key.len > OBJECT_KEY_MAX)
		return REFUSAL_KEY_LONG;
	if (key.len == 0)
		return REFUSAL_KEY;
	for (; key.len > 0; key = bytes_of(key.data + len, key.len - len)) {
		len = character(key);
		if (len == 0)
			return REFUSAL_KEY;
	}
	return ERR_OK;
}
