/*
 * The walk over a bucket: looks in a view for keys with something due, acts on one key in a
 * transaction, where it looks again. The place is a key, so a walk that was broken off goes on.
 */
#include "object/bucket_private.h"
#include "object/lifecycle.h"
#include "object/settings.h"
#include "object/upload.h"

/* Deeds in one transaction: each is a few hundred bytes of the log. */
#define LIFECYCLE_DEEDS_MAX 64

void
lifecycle_walk_init(struct lifecycle_walk *w, uint64_t day_ms)
{
	memset(w, 0, sizeof(*w));
	buf_init(&w->after, OBJECT_KEY_MAX);
	w->day_ms = day_ms;
}

void
lifecycle_walk_fini(struct lifecycle_walk *w)
{
	buf_fini(&w->after);
}

/* The versions of one key after another, newest first. */
struct versions {
	struct kv *kv;
	struct table_key from;
	struct bucket_found found;
	uint8_t key[OBJECT_KEY_MAX];
	size_t key_len;
	struct lifecycle_subject subject;
	uint64_t newer_ms; /* when the version before came */
	bool first;
};

static void
versions_start(struct versions *v, struct kv *kv, struct table_key from)
{
	v->kv = kv;
	v->from = from;
	v->key_len = 0;
	v->first = true;
	bucket_found_init(&v->found);
}

/* Whether what comes next belongs to another key. */
static int
alone(struct versions *v, bool *out)
{
	struct table_key past =
	    table_past(TABLE_VERSIONS, bytes_of(v->key, v->key_len), &v->found.entry.version);
	struct table_key own = table_key(TABLE_VERSIONS, bytes_of(v->key, v->key_len), NULL);
	struct table_record r;
	int err;

	table_record_init(&r);
	err = table_seek(v->kv, &past, &own, &r);
	table_record_fini(&r);
	*out = err == ERR_NOT_FOUND;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* ERR_NOT_FOUND: the end of the table. subject lends from the found entry. */
static int
versions_next(struct versions *v)
{
	struct lifecycle_subject *s = &v->subject;
	uint8_t before[OBJECT_KEY_MAX];
	size_t before_len = v->key_len;
	struct entry *e = &v->found.entry;
	int err;

	memcpy(before, v->key, before_len);
	err = bucket_seek(v->kv, &v->from, &v->found, v->key, &v->key_len);
	if (err != ERR_OK)
		return err;
	v->from = table_past(TABLE_VERSIONS, bytes_of(v->key, v->key_len), &e->version);
	if (v->first || !bytes_equal(bytes_of(before, before_len), bytes_of(v->key, v->key_len))) {
		*s = (struct lifecycle_subject){ .latest = true };
	} else {
		s->newer_noncurrent += s->latest ? 0 : 1;
		s->latest = false;
		s->noncurrent_ms = v->newer_ms;
	}
	v->first = false;
	v->newer_ms = e->modified_ms;
	s->key = bytes_of(v->key, v->key_len);
	s->tags = e->tags;
	s->size = e->size;
	s->modified_ms = e->modified_ms;
	s->marker = e->marker;
	s->only = false;
	return s->latest && s->marker ? alone(v, &s->only) : ERR_OK;
}

/* ---- looking ---- */

/* An expired marker or a noncurrent version under lock is not due before it is free. */
static bool
due_version(const struct lifecycle_walk *w, struct bytes rules, const struct versions *v,
    uint64_t now_ms, enum lifecycle_action *out)
{
	*out = lifecycle_judge(rules, &v->subject, now_ms, w->day_ms);
	if (*out == LIFECYCLE_REMOVE && entry_locked_until(&v->found.entry) > now_ms)
		return false;
	return *out != LIFECYCLE_KEEP;
}

static int
step_objects(
    struct lifecycle_walk *w, struct kv *view, struct bytes rules, uint64_t now_ms, bool *due)
{
	struct table_key from = w->after.len == 0
				    ? table_start(TABLE_VERSIONS)
				    : table_past_key(TABLE_VERSIONS, buf_bytes(&w->after));
	enum lifecycle_action action;
	struct versions v;
	int err = ERR_OK;

	versions_start(&v, view, from);
	for (size_t i = 0; err == ERR_OK && !*due; i++) {
		err = versions_next(&v);
		if (err != ERR_OK)
			break;
		/* Only between keys may it give way: a place is a key. */
		if (i >= LIFECYCLE_STEP_KEYS && v.subject.latest)
			break;
		*due = due_version(w, rules, &v, now_ms, &action);
		buf_reset(&w->after);
		err = buf_append(&w->after, v.key, v.key_len);
	}
	if (err == ERR_NOT_FOUND) {
		w->uploads = true;
		buf_reset(&w->after);
		err = ERR_OK;
	}
	bucket_found_fini(&v.found);
	return err;
}

static int
step_uploads(
    struct lifecycle_walk *w, struct kv *view, struct bytes rules, uint64_t now_ms, bool *due)
{
	struct table_key table = table_start(TABLE_UPLOADS);
	struct table_key from =
	    w->after.len == 0 ? table : table_past_key(TABLE_UPLOADS, buf_bytes(&w->after));
	uint8_t key[OBJECT_KEY_MAX];
	struct table_record r;
	struct upload u;
	struct version id;
	struct bytes rule;
	uint64_t at;
	size_t len;
	int err = ERR_OK;

	table_record_init(&r);
	for (size_t i = 0; err == ERR_OK && !*due && i < LIFECYCLE_STEP_KEYS; i++) {
		err = table_seek(view, &from, &table, &r);
		if (err == ERR_OK)
			err = table_split(buf_bytes(&r.key), TABLE_UPLOADS, key, &len, &id);
		if (err == ERR_OK)
			err = upload_unpack(buf_bytes(&r.value), &u);
		if (err != ERR_OK)
			break;
		/* The oldest of a key comes first, so it is enough to look at one. */
		*due = lifecycle_aborts(
			   rules, bytes_of(key, len), u.created_ms, w->day_ms, &at, &rule) &&
		       at <= now_ms;
		from = table_past_key(TABLE_UPLOADS, bytes_of(key, len));
		buf_reset(&w->after);
		err = buf_append(&w->after, key, len);
	}
	table_record_fini(&r);
	return err == ERR_NOT_FOUND ? ERR_END : err;
}

int
lifecycle_step(struct lifecycle_walk *w, struct kv *view, struct bytes rules, uint64_t now_ms,
    struct buf *key, bool *due)
{
	int err;

	*due = false;
	err = w->uploads ? step_uploads(w, view, rules, now_ms, due)
			 : step_objects(w, view, rules, now_ms, due);
	if (err == ERR_OK && *due) {
		buf_reset(key);
		err = buf_append(key, w->after.data, w->after.len);
	}
	return err;
}

/* ---- doing ---- */

/* As a client who names no version: a marker comes above, or without versioning it goes. */
static int
expire(struct lifecycle_walk *w, struct bucket_txn *t, struct bytes key)
{
	struct bucket_delete d = { .which.which = VERSION_LATEST };
	struct bucket_done done;
	int err = bucket_delete(t, key, &d, &done);

	if (err == ERR_OK)
		w->expired++;
	return err;
}

static int
do_object(struct lifecycle_walk *w, struct bucket_txn *t, struct bytes rules, struct bytes key,
    bool *more)
{
	enum lifecycle_action action;
	bool expires = false;
	int deeds = 0, err = ERR_OK;
	struct versions v;

	versions_start(&v, t->kv, table_key(TABLE_VERSIONS, key, NULL));
	while (deeds < LIFECYCLE_DEEDS_MAX) {
		err = versions_next(&v);
		if (err != ERR_OK || !bytes_equal(v.subject.key, key))
			break;
		if (!due_version(w, rules, &v, t->now_ms, &action))
			continue;
		deeds++;
		/* Last, or the versions behind would be counted from a marker that is new. */
		expires |= action == LIFECYCLE_EXPIRE;
		if (action == LIFECYCLE_EXPIRE)
			continue;
		err = bucket_remove(t, key, &v.found.entry);
		if (err != ERR_OK)
			break;
		w->removed++;
	}
	bucket_found_fini(&v.found);
	if (err == ERR_NOT_FOUND)
		err = ERR_OK;
	if (err == ERR_OK && expires)
		err = expire(w, t, key);
	*more = deeds == LIFECYCLE_DEEDS_MAX;
	return err;
}

static int
do_upload(struct lifecycle_walk *w, struct bucket_txn *t, struct bytes rules, struct bytes key,
    bool *more)
{
	struct table_key from = table_key(TABLE_UPLOADS, key, NULL), within = from;
	uint8_t other[OBJECT_KEY_MAX];
	struct table_record r;
	struct version id;
	struct upload u;
	struct bytes rule;
	uint64_t at;
	size_t len;
	int deeds = 0, err = ERR_OK;

	table_record_init(&r);
	for (; deeds < LIFECYCLE_DEEDS_MAX; deeds++) {
		err = table_seek(t->kv, &from, &within, &r);
		if (err == ERR_OK)
			err = table_split(buf_bytes(&r.key), TABLE_UPLOADS, other, &len, &id);
		if (err == ERR_OK)
			err = upload_unpack(buf_bytes(&r.value), &u);
		if (err != ERR_OK ||
		    !lifecycle_aborts(rules, key, u.created_ms, w->day_ms, &at, &rule) ||
		    at > t->now_ms)
			break;
		err = upload_abort(t, key, &id);
		if (err != ERR_OK)
			break;
		w->aborted++;
	}
	table_record_fini(&r);
	*more = deeds == LIFECYCLE_DEEDS_MAX;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
lifecycle_do(struct lifecycle_walk *w, struct bucket_txn *t, bool upload, struct bytes rules,
    struct bytes key, bool *more)
{
	return upload ? do_upload(w, t, rules, key, more) : do_object(w, t, rules, key, more);
}
