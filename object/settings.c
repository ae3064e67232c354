/* The record of what is set for a bucket, and documents by name, cut into pieces that fit. */
#include "object/settings.h"

#include "object/tables.h"
#include "overlay/base/pack.h"

#define SETTINGS_VERSION 1
/* Beyond a hundred years S3 refuses, too; and nothing overflows. */
#define LOCK_YEARS_MAX   100
#define LOCK_DAYS_MAX    36500
#define DAY_MS           UINT64_C(86400000)

enum settings_flag {
	SETTINGS_LOCK = 1,
	SETTINGS_YEARS = 2,
	SETTINGS_OWNERSHIP = 4,
	SETTINGS_PUBLIC_BLOCK = 8,
	SETTINGS_FLAGS = 15,
};

static const uint8_t block_all =
    BLOCK_PUBLIC_ACLS | IGNORE_PUBLIC_ACLS | BLOCK_PUBLIC_POLICY | RESTRICT_PUBLIC_BUCKETS;

static bool
valid(const struct settings *s)
{
	bool has_default = s->default_mode != LOCK_NONE;

	return s->versioning <= VERSIONING_SUSPENDED && s->ownership <= OWNERSHIP_WRITER &&
	       s->public_block <= block_all && s->default_mode <= LOCK_COMPLIANCE &&
	       has_default == (s->default_count > 0) && (has_default || !s->default_in_years) &&
	       (s->lock ? s->versioning == VERSIONING_ENABLED : !has_default) &&
	       s->default_count <= (s->default_in_years ? LOCK_YEARS_MAX : LOCK_DAYS_MAX) &&
	       s->region.len <= SETTINGS_REGION_MAX;
}

static int
unpack(struct bytes in, struct settings *out)
{
	struct unpacker u = unpacker_on(in);
	uint8_t version = unpack_u8(&u), flags = unpack_u8(&u);
	struct settings s = { .lock = (flags & SETTINGS_LOCK) != 0,
		.default_in_years = (flags & SETTINGS_YEARS) != 0,
		.ownership_set = (flags & SETTINGS_OWNERSHIP) != 0,
		.public_block_set = (flags & SETTINGS_PUBLIC_BLOCK) != 0 };
	struct bytes owner;

	if (u.failed)
		return ERR_CORRUPT;
	if (version != SETTINGS_VERSION)
		return ERR_VERSION;
	s.versioning = unpack_u8(&u);
	s.ownership = unpack_u8(&u);
	s.public_block = unpack_u8(&u);
	s.default_mode = unpack_u8(&u);
	s.default_count = unpack_u32(&u);
	s.created_ms = unpack_u64(&u);
	owner = unpack_lend(&u, unpack_u8(&u));
	s.region = unpack_lend(&u, unpack_u8(&u));
	if (!unpack_done(&u) || (flags & ~SETTINGS_FLAGS) != 0 || owner.len > ACCOUNT_ID_MAX ||
	    (owner.len > 0 && memchr(owner.data, 0, owner.len) != NULL) || !valid(&s))
		return ERR_CORRUPT;
	if (owner.len > 0)
		memcpy(s.owner.text, owner.data, owner.len);
	*out = s;
	return ERR_OK;
}

int
settings_get(struct kv *kv, struct buf *value, struct settings *out)
{
	struct table_key k = table_start(TABLE_SETTINGS);
	int err = kv_get(kv, table_key_bytes(&k), value);

	if (err == ERR_NOT_FOUND) {
		*out = (struct settings){ .public_block = block_all };
		return ERR_OK;
	}
	return err != ERR_OK ? err : unpack(buf_bytes(value), out);
}

int
settings_put(struct kv *txn, const struct settings *s)
{
	struct table_key k = table_start(TABLE_SETTINGS);
	uint8_t text[SETTINGS_BYTES_MAX];
	struct packer p = packer_on(text, sizeof(text));

	if (!valid(s))
		return ERR_INVALID;
	pack_u8(&p, SETTINGS_VERSION);
	pack_u8(&p,
	    (uint8_t)((s->lock ? SETTINGS_LOCK : 0) | (s->default_in_years ? SETTINGS_YEARS : 0) |
		      (s->ownership_set ? SETTINGS_OWNERSHIP : 0) |
		      (s->public_block_set ? SETTINGS_PUBLIC_BLOCK : 0)));
	pack_u8(&p, s->versioning);
	pack_u8(&p, s->ownership);
	pack_u8(&p, s->public_block);
	pack_u8(&p, s->default_mode);
	pack_u32(&p, s->default_count);
	pack_u64(&p, s->created_ms);
	pack_text(&p, s->owner.text);
	pack_u8(&p, (uint8_t)s->region.len);
	pack_raw(&p, s->region.data, s->region.len);
	must(pack_ok(&p));
	return kv_put(txn, table_key_bytes(&k), bytes_of(text, p.len));
}

int
settings_set_versioning(struct kv *txn, enum versioning v)
{
	struct settings s;
	struct buf value;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = settings_get(txn, &value, &s);
	if (err == ERR_OK && v == VERSIONING_NEVER)
		err = ERR_INVALID;
	if (err == ERR_OK && s.lock && v != VERSIONING_ENABLED)
		err = REFUSAL_STATE;
	if (err == ERR_OK) {
		s.versioning = (uint8_t)v;
		err = settings_put(txn, &s);
	}
	buf_fini(&value);
	return err;
}

int
settings_set_lock(struct kv *txn, enum lock_mode mode, bool in_years, uint32_t count)
{
	struct settings s;
	struct buf value;
	int err;

	if ((mode == LOCK_NONE) != (count == 0) ||
	    count > (in_years ? LOCK_YEARS_MAX : LOCK_DAYS_MAX))
		return REFUSAL_ARGUMENT;
	buf_init(&value, KV_VALUE_MAX);
	err = settings_get(txn, &value, &s);
	if (err == ERR_OK && s.versioning != VERSIONING_ENABLED)
		err = REFUSAL_STATE;
	if (err == ERR_OK) {
		s.lock = true;
		s.default_mode = (uint8_t)mode;
		s.default_in_years = mode != LOCK_NONE && in_years;
		s.default_count = count;
		err = settings_put(txn, &s);
	}
	buf_fini(&value);
	return err;
}

uint64_t
settings_default_until_ms(const struct settings *s, uint64_t now_ms)
{
	uint64_t days = (uint64_t)s->default_count * (s->default_in_years ? 365 : 1);

	return now_ms + days * DAY_MS;
}

/* ---- documents ---- */

#define PIECE_BYTES KIB(48)
#define PIECES_MAX  (SETTING_BYTES_MAX / PIECE_BYTES + 1)

/* A piece that is not full, perhaps empty, is the last. */
static int
piece_key(const char *name, size_t piece, struct table_key *out)
{
	size_t len = strlen(name);

	if (len == 0 || len > SETTING_NAME_MAX)
		return ERR_INVALID;
	*out = table_start(TABLE_DOCUMENTS);
	memcpy(out->b + 1, name, len + 1);
	out->b[len + 2] = (uint8_t)piece;
	out->len = len + 3;
	return ERR_OK;
}

int
setting_get(struct kv *kv, const char *name, struct buf *out)
{
	size_t was = out->len;
	struct table_key k;
	struct buf value;
	int err = ERR_OK;
	bool last = false;

	buf_init(&value, KV_VALUE_MAX);
	for (size_t i = 0; err == ERR_OK && !last; i++) {
		err = i == PIECES_MAX ? ERR_CORRUPT : piece_key(name, i, &k);
		if (err == ERR_OK)
			err = kv_get(kv, table_key_bytes(&k), &value);
		if (err == ERR_NOT_FOUND)
			err = i == 0 ? REFUSAL_NO_SETTING : ERR_CORRUPT;
		if (err == ERR_OK)
			err = buf_append(out, value.data, value.len);
		last = value.len < PIECE_BYTES;
	}
	if (err != ERR_OK)
		out->len = was;
	buf_fini(&value);
	return err;
}

/* Those that are there from this one on: a deletion of nothing would be written, too. */
static int
drop_pieces(struct kv *txn, const char *name, size_t from)
{
	struct table_key k;
	int err = ERR_OK;

	for (size_t i = from; err == ERR_OK && i < PIECES_MAX; i++) {
		err = piece_key(name, i, &k);
		if (err == ERR_OK)
			err = kv_get(txn, table_key_bytes(&k), NULL);
		if (err == ERR_OK)
			err = kv_del(txn, table_key_bytes(&k));
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
setting_put(struct kv *txn, const char *name, struct bytes document)
{
	size_t done = 0, len = PIECE_BYTES, pieces = 0;
	struct table_key k;
	int err = document.len > SETTING_BYTES_MAX ? ERR_TOO_BIG : ERR_OK;

	for (; err == ERR_OK && len == PIECE_BYTES; done += len) {
		len = MIN(document.len - done, PIECE_BYTES);
		err = piece_key(name, pieces++, &k);
		if (err == ERR_OK)
			err = kv_put(txn, table_key_bytes(&k),
			    len == 0 ? bytes_of(k.b, 0) : bytes_of(document.data + done, len));
	}
	return err != ERR_OK ? err : drop_pieces(txn, name, pieces);
}

int
setting_del(struct kv *txn, const char *name)
{
	return drop_pieces(txn, name, 0);
}
