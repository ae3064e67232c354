/*
 * Versions of objects: found, written, removed.
 *
 * Of each key at most one version is the null version. While it is the latest of its key nothing
 * more is kept of that; when another comes above it, TABLE_NULLS says where it is. So buckets
 * that never had versioning pay nothing, and no key's versions are ever searched.
 */
#include "object/bucket.h"

#include "object/bucket_private.h"
#include "object/settings.h"
#include "overlay/base/pack.h"

/* ---- finding ---- */

void
bucket_found_init(struct bucket_found *f)
{
	f->there = false;
	table_record_init(&f->record);
}

void
bucket_found_fini(struct bucket_found *f)
{
	table_record_fini(&f->record);
}

int
bucket_seek(struct kv *kv, const struct table_key *from, struct bucket_found *f,
    uint8_t key[OBJECT_KEY_MAX], size_t *key_len)
{
	struct table_key table = table_start(TABLE_VERSIONS);
	struct version id;
	int err;

	f->there = false;
	err = table_seek(kv, from, &table, &f->record);
	if (err != ERR_OK)
		return err;
	err = table_split(buf_bytes(&f->record.key), TABLE_VERSIONS, key, key_len, &id);
	if (err == ERR_OK)
		err = entry_unpack(buf_bytes(&f->record.value), &f->entry);
	if (err != ERR_OK)
		return err;
	f->entry.version = id;
	f->there = true;
	return ERR_OK;
}

static int
find_latest(struct kv *kv, struct bytes key, struct bucket_found *f)
{
	struct table_key from = table_key(TABLE_VERSIONS, key, NULL);
	uint8_t other[OBJECT_KEY_MAX];
	size_t len;
	int err = bucket_seek(kv, &from, f, other, &len);

	if (err == ERR_OK && !bytes_equal(bytes_of(other, len), key))
		f->there = false;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
find_id(struct kv *kv, struct bytes key, const struct version *id, struct bucket_found *f)
{
	struct table_key k = table_key(TABLE_VERSIONS, key, id);
	int err = kv_get(kv, table_key_bytes(&k), &f->record.value);

	f->there = false;
	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err == ERR_OK)
		err = entry_unpack(buf_bytes(&f->record.value), &f->entry);
	if (err != ERR_OK)
		return err;
	f->entry.version = *id;
	f->there = true;
	return ERR_OK;
}

static int
find_null(struct kv *kv, struct bytes key, struct bucket_found *f)
{
	struct table_key k = table_key(TABLE_NULLS, key, NULL);
	struct version id;
	int err = find_latest(kv, key, f);

	if (err != ERR_OK || !f->there || f->entry.null)
		return err;
	f->there = false;
	err = kv_get(kv, table_key_bytes(&k), &f->record.value);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	if (f->record.value.len != sizeof(id.b))
		return ERR_CORRUPT;
	memcpy(id.b, f->record.value.data, sizeof(id.b));
	err = find_id(kv, key, &id, f);
	return err == ERR_OK && (!f->there || !f->entry.null) ? ERR_CORRUPT : err;
}

int
bucket_find(
    struct kv *kv, struct bytes key, const struct version_ref *which, struct bucket_found *f)
{
	switch (which->which) {
	case VERSION_LATEST:
		return find_latest(kv, key, f);
	case VERSION_NULL:
		return find_null(kv, key, f);
	default:
		return find_id(kv, key, &which->id, f);
	}
}

int
bucket_get(struct kv *kv, struct bytes key, const struct version_ref *which, struct buf *value,
    struct entry *out)
{
	struct bucket_found f;
	int err = object_key_check(key);

	if (err != ERR_OK)
		return err;
	bucket_found_init(&f);
	err = bucket_find(kv, key, which, &f);
	if (err == ERR_OK && !f.there)
		err =
		    which->which == VERSION_LATEST ? REFUSAL_NO_SUCH_KEY : REFUSAL_NO_SUCH_VERSION;
	if (err == ERR_OK) {
		buf_reset(value);
		err = buf_append(value, f.record.value.data, f.record.value.len);
	}
	if (err == ERR_OK)
		err = entry_unpack(buf_bytes(value), out);
	if (err == ERR_OK)
		out->version = f.entry.version;
	bucket_found_fini(&f);
	return err;
}

int
bucket_readable(const struct entry *e, const struct version_ref *which)
{
	if (!e->marker)
		return ERR_OK;
	return which->which == VERSION_LATEST ? REFUSAL_NO_SUCH_KEY : REFUSAL_MARKER;
}

int
bucket_empty(struct kv *kv)
{
	struct table_key table = table_start(TABLE_VERSIONS);
	struct table_record r;
	int err;

	table_record_init(&r);
	err = table_seek(kv, &table, &table, &r);
	table_record_fini(&r);
	return err == ERR_OK ? REFUSAL_NOT_EMPTY : err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* ---- removing ---- */

int
bucket_remove(struct bucket_txn *t, struct bytes key, const struct entry *e)
{
	struct table_key k = table_key(TABLE_VERSIONS, key, &e->version);
	struct table_key null = table_key(TABLE_NULLS, key, NULL);
	int err = ERR_OK;

	if (e->content.len > 0)
		err = t->refs->unref(t->refs->arg, t->kv, e->content, t->now_ms);
	if (err == ERR_OK && e->in_parts)
		err = upload_forget(t, &e->parts);
	if (err == ERR_OK)
		err = kv_del(t->kv, table_key_bytes(&k));
	if (err != ERR_OK || !e->null)
		return err;
	/* Mostly there is none, and a deletion is written, too. */
	err = kv_get(t->kv, table_key_bytes(&null), NULL);
	if (err == ERR_OK)
		err = kv_del(t->kv, table_key_bytes(&null));
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
remove_null(struct bucket_txn *t, struct bytes key)
{
	struct bucket_found f;
	int err;

	bucket_found_init(&f);
	err = find_null(t->kv, key, &f);
	if (err == ERR_OK && f.there)
		err = bucket_remove(t, key, &f.entry);
	bucket_found_fini(&f);
	return err;
}

/* ---- writing ---- */

static int
load_settings(struct kv *kv, struct settings *out)
{
	struct buf value;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = settings_get(kv, &value, out);
	out->region = bytes_of(NULL, 0); /* what it lends goes */
	buf_fini(&value);
	return err;
}

static int
check_lock(const struct settings *s, uint64_t now_ms, struct entry *e)
{
	bool locks = e->lock_mode != LOCK_NONE || e->hold;

	if (locks && !s->lock)
		return REFUSAL_NO_LOCK;
	if (e->lock_mode != LOCK_NONE && e->lock_until_ms <= now_ms)
		return REFUSAL_PAST;
	if (e->lock_mode == LOCK_NONE && s->lock && s->default_mode != LOCK_NONE) {
		e->lock_mode = s->default_mode;
		e->lock_until_ms = settings_default_until_ms(s, now_ms);
	}
	return ERR_OK;
}

static int
check_entry(struct bytes key, const struct entry *e)
{
	int err = object_key_check(key);

	if (err == ERR_OK && (!pairs_valid(e->meta) || !pairs_valid(e->tags)))
		err = ERR_INVALID;
	if (err == ERR_OK)
		err = pairs_check_meta(e->meta);
	if (err == ERR_OK)
		err = pairs_check_tags(e->tags, TAGS_MAX);
	return err;
}

int
bucket_check(struct bucket_txn *t, struct bytes key, struct entry *e)
{
	struct settings s;
	int err = check_entry(key, e);

	if (err == ERR_OK)
		err = load_settings(t->kv, &s);
	return err != ERR_OK ? err : check_lock(&s, t->now_ms, e);
}

/*
 * Room for a new latest version above `latest`: the null version goes, or what is to be known of
 * it is kept.
 */
static int
make_room(struct bucket_txn *t, struct bytes key, const struct bucket_found *latest, bool null)
{
	struct table_key k = table_key(TABLE_NULLS, key, NULL);

	if (!latest->there)
		return ERR_OK;
	if (null)
		return latest->entry.null ? bucket_remove(t, key, &latest->entry)
					  : remove_null(t, key);
	if (!latest->entry.null)
		return ERR_OK;
	return kv_put(t->kv, table_key_bytes(&k),
	    bytes_of(latest->entry.version.b, sizeof(latest->entry.version.b)));
}

/* Puts e above latest, whose record is spoiled. */
static int
put_latest(struct bucket_txn *t, struct bytes key, struct bucket_found *latest, struct entry *e,
    const struct settings *s, struct bucket_done *done)
{
	struct table_key k;
	int err;

	e->null = s->versioning != VERSIONING_ENABLED;
	e->modified_ms = t->now_ms;
	e->version =
	    version_next(latest->there ? &latest->entry.version : NULL, t->now_ms, t->random);
	err = make_room(t, key, latest, e->null);
	if (err != ERR_OK)
		return err;
	buf_reset(&latest->record.value);
	err = entry_pack(e, &latest->record.value);
	k = table_key(TABLE_VERSIONS, key, &e->version);
	if (err == ERR_OK)
		err = kv_put(t->kv, table_key_bytes(&k), buf_bytes(&latest->record.value));
	if (err == ERR_OK)
		*done = (struct bucket_done){ .versioned = s->versioning != VERSIONING_NEVER,
			.null = e->null,
			.marker = e->marker,
			.version = e->version,
			.existed = latest->there };
	return err;
}

int
bucket_name(struct bucket_txn *t, struct bytes content, enum bucket_naming how)
{
	const struct content_refs *refs = t->refs;
	uint64_t written_ms = t->written_ms != 0 ? t->written_ms : t->now_ms;

	if (content.len == 0 || how == BUCKET_MOVED || (how == BUCKET_NEW && refs->named == NULL))
		return ERR_OK;
	if (how == BUCKET_NEW)
		return refs->named(refs->arg, t->kv, content, written_ms, t->now_ms);
	return refs->ref(refs->arg, t->kv, content);
}

int
bucket_write(struct bucket_txn *t, struct bytes key, const struct conditions *c, struct entry *e,
    enum bucket_naming how, struct bucket_done *done)
{
	struct entry entry = *e;
	struct bucket_found latest;
	struct settings s;
	int err = check_entry(key, e);

	bucket_found_init(&latest);
	if (err == ERR_OK)
		err = load_settings(t->kv, &s);
	if (err == ERR_OK)
		err = find_latest(t->kv, key, &latest);
	if (err == ERR_OK && c != NULL)
		err = conditions_write(c, latest.there ? &latest.entry : NULL);
	if (err == ERR_OK)
		err = check_lock(&s, t->now_ms, &entry);
	/* Before anything is let go: the old version may be what is copied. */
	if (err == ERR_OK)
		err = bucket_name(t, e->content, how);
	if (err == ERR_OK)
		err = put_latest(t, key, &latest, &entry, &s, done);
	if (err == ERR_OK)
		*e = entry;
	bucket_found_fini(&latest);
	return err;
}

int
bucket_put(struct bucket_txn *t, struct bytes key, const struct conditions *c, struct entry *e,
    struct bucket_done *done)
{
	must(!e->marker && !e->in_parts);
	return bucket_write(t, key, c, e, BUCKET_NEW, done);
}

int
bucket_put_shared(struct bucket_txn *t, struct bytes key, const struct conditions *c,
    struct entry *e, struct bucket_done *done)
{
	must(!e->marker && !e->in_parts);
	return bucket_write(t, key, c, e, BUCKET_SHARED, done);
}

/* ---- deleting ---- */

/* A version that was named goes for good. */
static int
delete_version(struct bucket_txn *t, struct bytes key, const struct bucket_delete *d,
    struct bucket_found *f, struct bucket_done *done)
{
	uint64_t until;
	bool bypass;
	int err = conditions_delete(&d->conditions, f->there ? &f->entry : NULL);

	if (err != ERR_OK)
		return err;
	if (!f->there) {
		done->null = d->which.which == VERSION_NULL;
		done->version = d->which.id;
		return ERR_OK;
	}
	until = entry_locked_until(&f->entry);
	bypass = d->bypass_governance && !f->entry.hold && f->entry.lock_mode == LOCK_GOVERNANCE;
	if (until > t->now_ms && !bypass)
		return REFUSAL_LOCKED;
	done->null = f->entry.null;
	done->version = f->entry.version;
	done->marker = f->entry.marker;
	done->existed = true;
	return bucket_remove(t, key, &f->entry);
}

static int
delete_latest(struct bucket_txn *t, struct bytes key, const struct bucket_delete *d,
    const struct settings *s, struct bucket_found *latest, struct bucket_done *done)
{
	struct entry marker = { .marker = true, .owner = d->owner };
	int err = conditions_delete(&d->conditions, latest->there ? &latest->entry : NULL);

	if (err != ERR_OK)
		return err;
	if (s->versioning == VERSIONING_NEVER) {
		done->null = true;
		done->existed = latest->there;
		return make_room(t, key, latest, true);
	}
	if (marker.owner.len == 0)
		marker.owner = bytes_of(s->owner.text, strlen(s->owner.text));
	return put_latest(t, key, latest, &marker, s, done);
}

int
bucket_delete(
    struct bucket_txn *t, struct bytes key, const struct bucket_delete *d, struct bucket_done *done)
{
	struct bucket_done did = { .versioned = false };
	struct bucket_found f;
	struct settings s;
	int err = object_key_check(key);

	bucket_found_init(&f);
	if (err == ERR_OK)
		err = load_settings(t->kv, &s);
	if (err == ERR_OK)
		err = bucket_find(t->kv, key, &d->which, &f);
	if (err == ERR_OK)
		did.versioned = s.versioning != VERSIONING_NEVER;
	if (err == ERR_OK)
		err = d->which.which == VERSION_LATEST ? delete_latest(t, key, d, &s, &f, &did)
						       : delete_version(t, key, d, &f, &did);
	if (err == ERR_OK)
		*done = did;
	bucket_found_fini(&f);
	return err;
}

/* ---- what was done, in few bytes ---- */

enum done_flag {
	DONE_VERSIONED = 1,
	DONE_NULL = 2,
	DONE_MARKER = 4,
	DONE_EXISTED = 8,
	DONE_ALL = 15
};

void
bucket_done_pack(const struct bucket_done *d, uint8_t out[BUCKET_DONE_BYTES])
{
	struct packer p = packer_on(out, BUCKET_DONE_BYTES);

	pack_u8(&p, (uint8_t)((d->versioned ? DONE_VERSIONED : 0) | (d->null ? DONE_NULL : 0) |
			      (d->marker ? DONE_MARKER : 0) | (d->existed ? DONE_EXISTED : 0)));
	pack_raw(&p, d->version.b, sizeof(d->version.b));
	must(pack_ok(&p));
}

int
bucket_done_unpack(struct bytes in, struct bucket_done *out)
{
	struct unpacker u = unpacker_on(in);
	uint8_t flags = unpack_u8(&u);
	struct bucket_done d = { .versioned = (flags & DONE_VERSIONED) != 0,
		.null = (flags & DONE_NULL) != 0,
		.marker = (flags & DONE_MARKER) != 0,
		.existed = (flags & DONE_EXISTED) != 0 };

	unpack_raw(&u, d.version.b, sizeof(d.version.b));
	if (!unpack_done(&u) || flags > DONE_ALL)
		return ERR_CORRUPT;
	*out = d;
	return ERR_OK;
}
