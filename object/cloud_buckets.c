/*
 * Records of buckets: made before there is anything to remember, so that a creation which breaks
 * off anywhere is found and finished by the next one; taken away after the bucket has said of
 * itself that it is closed.
 *
 *   create  find → draft a charter → commit "founding" → tell the anchors → first transaction
 *           → commit "live"
 *   delete  commit "closed" in the bucket → commit: the record moves to the deleted ones
 */
#include <stdlib.h>

#include "object/cloud_private.h"

/* Somebody else creates and deletes the same name at the same time: then it is his turn. */
#define CREATE_TRIES 4

/* ---- records ---- */

static struct cloud_key_text
bucket_key(const char *name)
{
	return cloud_table_key(TABLE_BUCKETS, name, strlen(name));
}

SUSPENDS int
cloud_record_get(struct cloud *c, struct kv *kv, const char *name, struct bucket_record *out)
{
	struct cloud_key_text key = bucket_key(name);
	struct buf value;
	int err;

	buf_init_secret(&value, KV_VALUE_MAX);
	err = kv_get(kv, cloud_key_bytes(&key), &value);
	if (err == ERR_OK)
		err = record_memory_unpack(&c->records, buf_bytes(&value), c->opts.net, out);
	buf_wipe(&value);
	return err;
}

int
cloud_record_put(struct cloud *c, struct kv *txn, const char *name, const struct bucket_record *r)
{
	struct cloud_key_text key = bucket_key(name);
	uint8_t form[BUCKET_RECORD_BYTES_MAX];
	size_t len = bucket_record_pack(r, c->opts.net, form);
	int err = kv_put(txn, cloud_key_bytes(&key), bytes_of(form, len));

	crypto_wipe(form, sizeof(form));
	return err;
}

void
cloud_facts_of(const char *name, const struct bucket_record *r, struct cloud_facts *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->name, name, strlen(name)); /* it is valid */
	out->id = r->charter.bucket;
	out->created_ms = r->created_ms;
	out->location = r->location;
}

static SUSPENDS int
find_in(struct cloud *c, enum map_fresh fresh, const char *name, struct bucket_record *out)
{
	struct map_view *v;
	int err = cloud_view(c, fresh, &v);

	if (err != ERR_OK)
		return err;
	err = cloud_record_get(c, map_view_kv(v), name, out);
	map_view_release(v);
	if (err == ERR_OK && out->state != BUCKET_LIVE) {
		bucket_record_wipe(out);
		err = ERR_NOT_FOUND;
	}
	return err;
}

static int
find_delegated(const struct cloud *c, const char *name, struct bucket_record *out)
{
	const struct delegation *d = c->delegation;

	for (size_t i = 0; i < d->count && !cloud_expired(c); i++) {
		if (strcmp(d->buckets[i].name, name) == 0) {
			*out = d->buckets[i].record;
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

SUSPENDS int
cloud_record_find(struct cloud *c, const char *name, struct bucket_record *out)
{
	int err;

	if (!bucket_name_valid(name, strlen(name)))
		return ERR_NOT_FOUND;
	if (c->delegation != NULL)
		return find_delegated(c, name, out);
	err = find_in(c, MAP_ANY, name, out);
	return err == ERR_NOT_FOUND ? find_in(c, MAP_CURRENT, name, out) : err;
}

SUSPENDS int
cloud_bucket_facts(struct cloud *c, const char *name, struct cloud_facts *out)
{
	struct bucket_record r;
	int err = cloud_record_find(c, name, &r);

	if (err != ERR_OK)
		return err;
	cloud_facts_of(name, &r, out);
	bucket_record_wipe(&r);
	return ERR_OK;
}

/* ---- list ---- */

struct list {
	struct cloud *c;
	int (*each)(void *arg, const struct cloud_facts *facts);
	void *arg;
};

static int
list_one(void *arg, struct bytes name, struct bytes value)
{
	struct list *l = arg;
	struct bucket_record r;
	struct cloud_facts facts;
	char text[BUCKET_NAME_MAX + 1] = "";
	int err = bucket_record_unpack(value, l->c->opts.net, &r);

	if (err != ERR_OK)
		return err;
	if (r.state == BUCKET_LIVE && name.len <= BUCKET_NAME_MAX) {
		memcpy(text, name.data, name.len);
		cloud_facts_of(text, &r, &facts);
		err = l->each(l->arg, &facts);
	}
	bucket_record_wipe(&r);
	return err;
}

/* In the order in which they were given. */
static int
list_delegated(const struct list *l, uint64_t *stale_ms)
{
	const struct delegation *d = l->c->delegation;
	int err = ERR_OK;

	if (stale_ms != NULL)
		*stale_ms = 0;
	for (size_t i = 0; i < d->count && err == ERR_OK && !cloud_expired(l->c); i++) {
		struct cloud_facts facts;

		cloud_facts_of(d->buckets[i].name, &d->buckets[i].record, &facts);
		err = l->each(l->arg, &facts);
	}
	return err;
}

SUSPENDS int
cloud_buckets(struct cloud *c, uint64_t *stale_ms,
    int (*each)(void *arg, const struct cloud_facts *facts), void *arg)
{
	struct list l = { c, each, arg };

	return c->delegation != NULL ? list_delegated(&l, stale_ms)
				     : cloud_table_list(c, TABLE_BUCKETS, stale_ms, list_one, &l);
}

/* ---- create ---- */

struct creation {
	struct cloud *c;
	const struct cloud_create *w;
	struct bucket_location location;
	struct bucket_record record; /* that is worked on */
	/* In a transaction: the record that may be replaced, if it still is there; zeros: none. */
	struct hash instead;
};

/* Puts n->record, unless somebody was faster: then ERR_BUSY. */
static SUSPENDS int
put_draft(void *arg, struct kv *txn)
{
	struct creation *n = arg;
	const struct hash nobody = { { 0 } };
	struct bucket_record there;
	int err = cloud_record_get(n->c, txn, n->w->name, &there);

	if (err == ERR_OK) {
		bool same = there.state == BUCKET_FOUNDING &&
			    hash_equal(&there.charter.bucket, &n->instead);

		bucket_record_wipe(&there);
		return same ? cloud_record_put(n->c, txn, n->w->name, &n->record) : ERR_BUSY;
	}
	if (err != ERR_NOT_FOUND)
		return err;
	if (!hash_equal(&n->instead, &nobody))
		return ERR_BUSY;
	err = cloud_table_room(txn, TABLE_BUCKETS, CLOUD_BUCKETS_MAX);
	return err == ERR_OK ? cloud_record_put(n->c, txn, n->w->name, &n->record) : err;
}

/* A new bucket's record, committed; instead: of a founding that is given up. */
static SUSPENDS int
draft(struct creation *n, const struct hash *instead)
{
	struct bucket_record *r = &n->record;
	int err;

	memset(r, 0, sizeof(*r));
	r->state = BUCKET_FOUNDING;
	r->created_ms = env_wall_ms(n->c->env);
	r->location = n->location;
	env_random(n->c->env, r->seed.salt, sizeof(r->seed.salt));
	env_random(n->c->env, r->seed.secret.b, sizeof(r->seed.secret.b));
	n->instead = instead != NULL ? *instead : (struct hash){ { 0 } };
	err = cloud_store_draft(n->c, &r->seed, &r->location, &r->charter);
	return err == ERR_OK ? cloud_update(n->c, put_draft, n) : err;
}

/* The record says live, if it still is the one that was worked on. */
static SUSPENDS int
put_live(void *arg, struct kv *txn)
{
	struct creation *n = arg;
	struct bucket_record there;
	int err = cloud_record_get(n->c, txn, n->w->name, &there);

	if (err == ERR_NOT_FOUND)
		return ERR_BUSY;
	if (err != ERR_OK)
		return err;
	if (!hash_equal(&there.charter.bucket, &n->record.charter.bucket)) {
		err = ERR_BUSY;
	} else if (there.state == BUCKET_FOUNDING) {
		there.state = BUCKET_LIVE;
		err = cloud_record_put(n->c, txn, n->w->name, &there);
	}
	bucket_record_wipe(&there);
	return err;
}

static SUSPENDS int
first_transaction(struct creation *n)
{
	struct cloud_store_wish w = {
		.seed = &n->record.seed,
		.location = &n->record.location,
		.charter = &n->record.charter,
	};
	struct cloud_store s;
	int err;

	if (n->w->first == NULL)
		return ERR_OK;
	err = cloud_store_open(n->c, &w, &s);
	if (err != ERR_OK)
		return err;
	err = map_update(s.map, n->w->first, n->w->arg);
	cloud_store_close(n->c, &s);
	return err;
}

/* From a committed record to a bucket. *told: its anchors know of it. */
static SUSPENDS int
raise_up(struct creation *n, bool *told)
{
	struct cloud *c = n->c;
	const struct bucket_record *r = &n->record;
	int err = c->opts.ground->found(c->opts.ground, &c->account, &r->seed, &r->charter);

	*told = err == ERR_OK;
	if (err == ERR_OK)
		err = first_transaction(n);
	return err == ERR_OK ? cloud_update(c, put_live, n) : err;
}

/*
 * Somebody began and did not end, or is at it. If its anchors cannot be told any more, or it was
 * to lie elsewhere, it is replaced by a new one: nobody has written into it.
 */
static SUSPENDS int
go_on(struct creation *n)
{
	struct hash begun = n->record.charter.bucket;
	bool told = false;
	int err = ERR_STATE;

	if (strcmp(n->record.location.text, n->location.text) == 0)
		err = raise_up(n, &told);
	if (err == ERR_OK || told || err == ERR_CANCELED || err == ERR_TIMEOUT)
		return err;
	err = draft(n, &begun);
	return err == ERR_OK ? raise_up(n, &told) : err;
}

/* Whether what is listed was closed by a deletion that did not end; then it is ended. */
static SUSPENDS int
clear_closed(struct creation *n)
{
	struct cloud_bucket *b;
	struct map_view *v;
	int err = cloud_bucket_open(n->c, n->w->name, &b);

	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err != ERR_OK)
		return ERR_EXISTS; /* it is there, whatever it is */
	err = cloud_bucket_view(b, MAP_CURRENT, &v);
	if (err == ERR_OK)
		map_view_release(v);
	if (err == ERR_NOT_FOUND)
		err = cloud_bucket_forget(n->c, cloud_bucket_of(b));
	else
		err = ERR_EXISTS;
	cloud_bucket_close(b);
	return err;
}

static SUSPENDS int
create_once(struct creation *n)
{
	struct map_view *v;
	bool told;
	int err = cloud_view(n->c, MAP_CURRENT, &v);

	if (err != ERR_OK)
		return err;
	err = cloud_record_get(n->c, map_view_kv(v), n->w->name, &n->record);
	map_view_release(v);
	if (err == ERR_OK && n->record.state != BUCKET_FOUNDING) {
		err = clear_closed(n);
		return err == ERR_OK ? ERR_BUSY : err;
	}
	if (err == ERR_OK)
		return go_on(n);
	if (err != ERR_NOT_FOUND)
		return err;
	err = draft(n, NULL);
	return err == ERR_OK ? raise_up(n, &told) : err;
}

SUSPENDS int
cloud_bucket_create(struct cloud *c, const struct cloud_create *w)
{
	struct creation *n = calloc(1, sizeof(*n));
	int err = ERR_INVALID;

	if (n == NULL)
		return ERR_NOMEM;
	if (c->delegation != NULL) {
		free(n);
		return ERR_PERMISSION;
	}
	n->c = c;
	n->w = w;
	if (bucket_name_valid(w->name, strlen(w->name)))
		err = bucket_location_parse(w->location != NULL ? w->location : "", &n->location);
	if (err == ERR_OK) {
		for (size_t i = 0; i < CREATE_TRIES; i++) {
			err = create_once(n);
			if (err != ERR_BUSY)
				break;
		}
	}
	bucket_record_wipe(&n->record);
	free(n);
	return err;
}

/* ---- delete ---- */

struct deletion {
	struct cloud *c;
	const struct cloud_facts *facts;
	uint64_t now_ms;
};

static SUSPENDS int
move_record(void *arg, struct kv *txn)
{
	const struct deletion *d = arg;
	struct cloud_key_text from = bucket_key(d->facts->name), to;
	uint8_t form[BUCKET_RECORD_BYTES_MAX];
	struct bucket_record there;
	int err = cloud_record_get(d->c, txn, d->facts->name, &there);

	/* Somebody else was faster, and the name may be another bucket's by now. */
	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err != ERR_OK)
		return err;
	if (hash_equal(&there.charter.bucket, &d->facts->id)) {
		there.state = BUCKET_GONE;
		there.created_ms = d->now_ms;
		to = cloud_table_key(TABLE_DELETED, d->facts->id.b, sizeof(d->facts->id.b));
		err = kv_put(txn, cloud_key_bytes(&to),
		    bytes_of(form, bucket_record_pack(&there, d->c->opts.net, form)));
		if (err == ERR_OK)
			err = kv_del(txn, cloud_key_bytes(&from));
		crypto_wipe(form, sizeof(form));
	}
	bucket_record_wipe(&there);
	return err;
}

SUSPENDS int
cloud_bucket_forget(struct cloud *c, const struct cloud_facts *facts)
{
	struct deletion d = { c, facts, env_wall_ms(c->env) };

	return cloud_update(c, move_record, &d);
}

SUSPENDS int
cloud_bucket_delete(struct cloud *c, const char *name, int (*empty)(struct kv *txn))
{
	struct cloud_bucket *b;
	int ended, err = ERR_PERMISSION;

	if (c->delegation == NULL)
		err = cloud_bucket_open(c, name, &b);
	if (err != ERR_OK)
		return err;
	ended = cloud_bucket_end(b, empty);
	err = ended;
	if (ended == ERR_OK || ended == ERR_NOT_FOUND)
		err = cloud_bucket_forget(c, cloud_bucket_of(b));
	cloud_bucket_close(b);
	return err == ERR_OK ? ended : err;
}
