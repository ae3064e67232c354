/*
 *   create  draw keys → commit the note → each bucket's next configuration has the writer key
 *   revoke  each bucket's next configuration is without it → the note goes
 */
#include "object/cloud_delegate.h"

#include <stdlib.h>

#include "object/cloud_private.h"
#include "object/lease_signing.h"

static const char domain[] = "skerry/delegate-note/1";

#define NOTE_BYTES_MAX                                                                             \
	(24 + ACCESS_ID_TEXT + 1 + ACCESS_LABEL_MAX + 16 + 1 +                                     \
	    DELEGATED_BUCKETS_MAX * (1 + BUCKET_NAME_MAX + 1 + 32 + 32))

/* ---- notes ---- */

static struct cloud_key_text
note_key(const char *id)
{
	return cloud_table_key(TABLE_DELEGATES, id, strlen(id));
}

static size_t
note_pack(const struct cloud_delegate *d, uint8_t out[NOTE_BYTES_MAX])
{
	struct packer p = packer_on(out, NOTE_BYTES_MAX);

	pack_domain(&p, domain, NULL);
	pack_text(&p, d->id);
	pack_text(&p, d->label);
	pack_u64(&p, d->created_ms);
	pack_u64(&p, d->expires_ms);
	pack_u8(&p, (uint8_t)d->count);
	for (size_t i = 0; i < d->count; i++) {
		pack_text(&p, d->buckets[i].name);
		pack_u8(&p, d->buckets[i].rights);
		pack_raw(&p, d->buckets[i].bucket.b, sizeof(d->buckets[i].bucket.b));
		pack_raw(&p, d->buckets[i].writer.b, sizeof(d->buckets[i].writer.b));
	}
	must(pack_ok(&p));
	return p.len;
}

static int
note_unpack(struct bytes in, struct cloud_delegate *out)
{
	struct unpacker u = unpacker_on(in);
	int err = unpack_domain(&u, domain, NULL);

	if (err != ERR_OK)
		return err == ERR_VERSION ? err : ERR_CORRUPT;
	memset(out, 0, sizeof(*out));
	unpack_text(&u, out->id, sizeof(out->id));
	unpack_text(&u, out->label, sizeof(out->label));
	out->created_ms = unpack_u64(&u);
	out->expires_ms = unpack_u64(&u);
	out->count = unpack_u8(&u);
	if (out->count > DELEGATED_BUCKETS_MAX)
		return ERR_CORRUPT;
	for (size_t i = 0; i < out->count; i++) {
		unpack_text(&u, out->buckets[i].name, sizeof(out->buckets[i].name));
		out->buckets[i].rights = unpack_u8(&u);
		unpack_raw(&u, out->buckets[i].bucket.b, sizeof(out->buckets[i].bucket.b));
		unpack_raw(&u, out->buckets[i].writer.b, sizeof(out->buckets[i].writer.b));
	}
	return unpack_done(&u) ? ERR_OK : ERR_CORRUPT;
}

static SUSPENDS int
put_note(void *arg, struct kv *txn)
{
	const struct cloud_delegate *d = arg;
	struct cloud_key_text key = note_key(d->id);
	uint8_t form[NOTE_BYTES_MAX];
	int err = cloud_table_room(txn, TABLE_DELEGATES, CLOUD_DELEGATES_MAX);

	return err != ERR_OK
		   ? err
		   : kv_put(txn, cloud_key_bytes(&key), bytes_of(form, note_pack(d, form)));
}

static SUSPENDS int
del_note(void *arg, struct kv *txn)
{
	struct cloud_key_text key = note_key(arg);

	return kv_del(txn, cloud_key_bytes(&key));
}

/* ---- writers ---- */

static bool
no_key(const struct pubkey *k)
{
	static const struct pubkey none;

	return pubkey_equal(k, &none);
}

/* Of the bucket with this id; where the name is another one's by now, there is nothing to do. */
static SUSPENDS int
change_writer(struct cloud *c, const struct cloud_delegate_bucket *d, bool may)
{
	struct cloud_bucket *b;
	struct identity owner;
	int err;

	if (no_key(&d->writer))
		return ERR_OK;
	err = cloud_bucket_open(c, d->name, &b);
	if (err == ERR_NOT_FOUND && !may)
		return ERR_OK;
	if (err != ERR_OK)
		return err;
	if (hash_equal(&b->facts.id, &d->bucket)) {
		bucket_owner(&c->account, &b->seed, &owner);
		err = c->opts.ground->writers(
		    c->opts.ground, b->store.ground, &owner, &d->writer, may);
		identity_wipe(&owner);
	} else if (may) {
		err = ERR_BUSY;
	}
	cloud_bucket_close(b);
	return err;
}

/* ---- create ---- */

/* The place of this bucket; a new one when it is named first. */
static struct delegated_bucket *
place_of(struct delegation *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++) {
		if (strcmp(d->buckets[i].name, name) == 0)
			return &d->buckets[i];
	}
	return &d->buckets[d->count++];
}

static SUSPENDS int
fill_in(struct cloud *c, const struct access_grant *g, struct delegation *d)
{
	struct delegated_bucket *b;
	int err;

	if (g->bucket[0] == '\0' || strlen(g->bucket) > BUCKET_NAME_MAX)
		return ERR_INVALID;
	b = place_of(d, g->bucket);
	b->rights |= g->rights;
	if (b->name[0] != '\0')
		return ERR_OK;
	err = cloud_record_find(c, g->bucket, &b->record);
	if (err != ERR_OK)
		return err;
	memcpy(b->name, g->bucket, strlen(g->bucket) + 1);
	env_random(c->env, b->writer.b, sizeof(b->writer.b));
	return ERR_OK;
}

/* The word for the account's holders. */
static void
vouch(struct cloud *c, struct delegated_bucket *b)
{
	struct lease_signing leases;

	lease_signing_bucket(
	    &leases, c->env, c->opts.net, &b->record.seed.secret, &c->account, NULL);
	b->grant = leases.grant;
	crypto_wipe(&leases, sizeof(leases));
}

/* The words for whoever is given the file. */
static int
sign(struct cloud *c, struct delegation *d)
{
	int err = ERR_OK;

	for (size_t i = 0; i < d->count && err == ERR_OK; i++) {
		struct identity owner;

		bucket_owner(&c->account, &d->buckets[i].record.seed, &owner);
		err = delegation_sign(d, c->opts.net, i, &owner);
		identity_wipe(&owner);
	}
	return err;
}

static void
note_of(const struct delegation *d, struct cloud_delegate *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->id, d->key.id, sizeof(out->id));
	memcpy(out->label, d->key.label, sizeof(out->label));
	out->created_ms = d->key.created_ms;
	out->expires_ms = d->expires_ms;
	out->count = d->count;
	for (size_t i = 0; i < d->count; i++) {
		struct identity writer;

		delegation_writer(&d->buckets[i], &writer);
		memcpy(out->buckets[i].name, d->buckets[i].name, sizeof(out->buckets[i].name));
		out->buckets[i].rights = d->buckets[i].rights;
		out->buckets[i].bucket = d->buckets[i].record.charter.bucket;
		out->buckets[i].writer = writer.pub;
		identity_wipe(&writer);
	}
}

SUSPENDS int
cloud_delegate_create(struct cloud *c, struct delegation *io)
{
	uint8_t random[ACCESS_RANDOM];
	struct cloud_delegate note;
	int err = ERR_OK;

	if (c->delegation != NULL)
		return ERR_PERMISSION;
	if (io->expires_ms == 0 || io->key.grants_count == 0)
		return ERR_INVALID;
	memset(io->buckets, 0, sizeof(io->buckets));
	io->count = 0;
	for (size_t i = 0; i < io->key.grants_count && err == ERR_OK; i++)
		err = fill_in(c, &io->key.grants[i], io);
	if (err == ERR_OK)
		err = cloud_name(c, io->account);
	if (err != ERR_OK)
		return err;
	memcpy(io->number, c->number, sizeof(io->number));
	for (size_t i = 0; i < io->count; i++)
		vouch(c, &io->buckets[i]);
	env_random(c->env, random, sizeof(random));
	access_key_draw(&io->key, random);
	crypto_wipe(random, sizeof(random));
	io->key.created_ms = env_wall_ms(c->env);
	io->key.expires_ms = io->expires_ms;
	note_of(io, &note);
	err = sign(c, io);
	if (err == ERR_OK)
		err = cloud_update(c, put_note, &note);
	for (size_t i = 0; i < note.count && err == ERR_OK; i++)
		err = change_writer(c, &note.buckets[i], true);
	return err;
}

/* ---- list and revoke ---- */

struct listing {
	int (*each)(void *arg, const struct cloud_delegate *d);
	void *arg;
};

static int
list_one(void *arg, struct bytes name, struct bytes value)
{
	const struct listing *l = arg;
	struct cloud_delegate d;
	int err = note_unpack(value, &d);

	(void)name;
	return err != ERR_OK ? err : l->each(l->arg, &d);
}

SUSPENDS int
cloud_delegates(struct cloud *c, int (*each)(void *arg, const struct cloud_delegate *d), void *arg)
{
	struct listing l = { each, arg };

	return cloud_table_list(c, TABLE_DELEGATES, NULL, list_one, &l);
}

static SUSPENDS int
take_back(struct cloud *c, struct cloud_delegate *d)
{
	int err = ERR_OK;

	for (size_t i = 0; i < d->count && err == ERR_OK; i++)
		err = change_writer(c, &d->buckets[i], false);
	return err == ERR_OK ? cloud_update(c, del_note, d->id) : err;
}

SUSPENDS int
cloud_delegate_revoke(struct cloud *c, const char *id)
{
	struct cloud_key_text key;
	struct cloud_delegate d;
	struct buf value;
	int err;

	if (!access_id_valid(id, strlen(id)))
		return ERR_NOT_FOUND;
	key = note_key(id);
	buf_init(&value, KV_VALUE_MAX);
	err = cloud_get(c, MAP_CURRENT, &key, &value);
	if (err == ERR_OK)
		err = note_unpack(buf_bytes(&value), &d);
	buf_fini(&value);
	return err == ERR_OK ? take_back(c, &d) : err;
}

/* Notes of one bucket's delegates: taken down first, since a walk must not suspend. */
struct readmission {
	struct hash bucket;
	struct cloud_delegate_bucket at[WRITERS_MAX];
	size_t count;
};

static int
note_writer(void *arg, const struct cloud_delegate *d)
{
	struct readmission *r = arg;

	for (size_t i = 0; i < d->count; i++) {
		const struct cloud_delegate_bucket *b = &d->buckets[i];

		if (hash_equal(&b->bucket, &r->bucket) && !no_key(&b->writer) &&
		    r->count < WRITERS_MAX)
			r->at[r->count++] = *b;
	}
	return ERR_OK;
}

SUSPENDS int
cloud_delegates_readmit(struct cloud *c, const struct hash *bucket)
{
	struct readmission r = { .bucket = *bucket };
	int err = cloud_delegates(c, note_writer, &r);

	for (size_t i = 0; i < r.count && err == ERR_OK; i++)
		err = change_writer(c, &r.at[i], true);
	return err;
}

struct expiring {
	uint64_t now_ms;
	struct cloud_delegate first;
	bool found;
};

static int
find_expired(void *arg, const struct cloud_delegate *d)
{
	struct expiring *e = arg;

	if (d->expires_ms <= e->now_ms && !e->found) {
		e->first = *d;
		e->found = true;
	}
	return ERR_OK;
}

SUSPENDS int
cloud_delegates_expire(struct cloud *c, size_t *count)
{
	int err;

	for (*count = 0;; ++*count) {
		struct expiring e = { .now_ms = env_wall_ms(c->env) };

		err = cloud_delegates(c, find_expired, &e);
		if (err != ERR_OK || !e.found)
			return err;
		err = take_back(c, &e.first);
		if (err != ERR_OK)
			return err;
	}
}
