/* What is changed of a version in its place: tags, grants, retention, legal hold. */
#include "object/bucket_private.h"
#include "object/settings.h"

/* A change of a found entry; what it sets may lend from arg. */
typedef int change_fn(const struct bucket_txn *t, const void *arg, struct entry *e);

static int
change(struct bucket_txn *t, struct bytes key, const struct version_ref *which, change_fn *fn,
    const void *arg, struct bucket_done *done)
{
	struct settings s = { .versioning = VERSIONING_NEVER };
	struct bucket_found f;
	struct table_key k;
	struct buf packed;
	int err = object_key_check(key);

	bucket_found_init(&f);
	buf_init(&packed, KV_VALUE_MAX);
	if (err == ERR_OK)
		err = settings_get(t->kv, &packed, &s);
	if (err == ERR_OK)
		err = bucket_find(t->kv, key, which, &f);
	if (err == ERR_OK && !f.there)
		err =
		    which->which == VERSION_LATEST ? REFUSAL_NO_SUCH_KEY : REFUSAL_NO_SUCH_VERSION;
	if (err == ERR_OK)
		err = f.entry.marker ? REFUSAL_MARKER : fn(t, arg, &f.entry);
	buf_reset(&packed);
	if (err == ERR_OK)
		err = entry_pack(&f.entry, &packed);
	if (err == ERR_OK) {
		k = table_key(TABLE_VERSIONS, key, &f.entry.version);
		err = kv_put(t->kv, table_key_bytes(&k), buf_bytes(&packed));
	}
	if (err == ERR_OK)
		*done = (struct bucket_done){ .versioned = s.versioning != VERSIONING_NEVER,
			.null = f.entry.null,
			.version = f.entry.version,
			.existed = true };
	buf_fini(&packed);
	bucket_found_fini(&f);
	return err;
}

static int
change_tags(const struct bucket_txn *t, const void *arg, struct entry *e)
{
	(void)t;
	e->tags = *(const struct bytes *)arg;
	if (!pairs_valid(e->tags))
		return ERR_INVALID;
	return pairs_check_tags(e->tags, TAGS_MAX);
}

int
bucket_set_tags(struct bucket_txn *t, struct bytes key, const struct version_ref *which,
    struct bytes tags, struct bucket_done *done)
{
	return change(t, key, which, change_tags, &tags, done);
}

static int
change_acl(const struct bucket_txn *t, const void *arg, struct entry *e)
{
	(void)t;
	e->acl = *(const struct bytes *)arg;
	return ERR_OK;
}

int
bucket_set_acl(struct bucket_txn *t, struct bytes key, const struct version_ref *which,
    struct bytes acl, struct bucket_done *done)
{
	return change(t, key, which, change_acl, &acl, done);
}

/* ---- locks ---- */

static int
needs_lock(struct kv *kv)
{
	struct settings s;
	struct buf value;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = settings_get(kv, &value, &s);
	if (err == ERR_OK && !s.lock)
		err = REFUSAL_NO_LOCK;
	buf_fini(&value);
	return err;
}

struct retention {
	enum lock_mode mode;
	uint64_t until_ms;
	bool bypass;
};

/* Longer in the same mode anybody may make it who may set it at all. */
static int
change_retention(const struct bucket_txn *t, const void *arg, struct entry *e)
{
	const struct retention *r = arg;
	bool active = e->lock_mode != LOCK_NONE && e->lock_until_ms > t->now_ms;
	bool tighter = r->mode == e->lock_mode && r->until_ms >= e->lock_until_ms;

	if (active && !tighter && !(e->lock_mode == LOCK_GOVERNANCE && r->bypass))
		return REFUSAL_LOCKED;
	e->lock_mode = (uint8_t)r->mode;
	e->lock_until_ms = r->mode == LOCK_NONE ? 0 : r->until_ms;
	return ERR_OK;
}

int
bucket_set_retention(struct bucket_txn *t, struct bytes key, const struct version_ref *which,
    enum lock_mode mode, uint64_t until_ms, bool bypass, struct bucket_done *done)
{
	struct retention r = { .mode = mode, .until_ms = until_ms, .bypass = bypass };
	int err = needs_lock(t->kv);

	if (err == ERR_OK && mode != LOCK_NONE && until_ms <= t->now_ms)
		err = REFUSAL_PAST;
	return err != ERR_OK ? err : change(t, key, which, change_retention, &r, done);
}

static int
change_hold(const struct bucket_txn *t, const void *arg, struct entry *e)
{
	(void)t;
	e->hold = *(const bool *)arg;
	return ERR_OK;
}

int
bucket_set_hold(struct bucket_txn *t, struct bytes key, const struct version_ref *which, bool hold,
    struct bucket_done *done)
{
	int err = needs_lock(t->kv);

	return err != ERR_OK ? err : change(t, key, which, change_hold, &hold, done);
}
