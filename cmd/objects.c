/*
 * A piece is read and hashed in a worker while the writer places what came before; the object is
 * named in one transaction at the end. What was written for nothing goes to the trash, unless
 * nobody knows whether it is named.
 */
#include "cmd/objects.h"

#include <stdlib.h>

#define PIECE_BYTES MIB(1) /* a worker's wake-up is nothing beside it */

/* ---- put ---- */

struct putting {
	struct bytes lent; /* of what comes by next() */
	struct env *env;
	struct realm_bucket *b;
	struct bytes key;
	const struct object_put *p;
	struct realm_writer *writer;
	struct md5 *md5;
	uint8_t *piece;
	uint64_t at;
	size_t got;
	struct buf form;
	struct entry entry;
};

/* In a worker. Short reads go on: only nothing is the end. */
static int
read_piece(void *arg)
{
	struct putting *u = arg;
	const struct file_source *s = &u->p->source;
	uint64_t want = s->length_known ? MIN(PIECE_BYTES, s->length - u->at) : PIECE_BYTES;
	int err = ERR_OK;

	for (u->got = 0; err == ERR_OK && u->got < want;) {
		size_t got = 0;

		err = s->read(s->arg, u->at + u->got, u->piece + u->got, want - u->got, &got);
		if (got == 0)
			break;
		u->got += got;
	}
	if (err == ERR_OK && s->length_known && u->got < want)
		err = ERR_INVALID; /* it became shorter */
	if (err == ERR_OK)
		md5_update(u->md5, u->piece, u->got);
	return err;
}

static int
hash_lent(void *arg)
{
	struct putting *u = arg;

	md5_update(u->md5, u->lent.data, u->lent.len);
	return ERR_OK;
}

/* The next bytes, hashed; none at the end. */
static SUSPENDS int
next_bytes(struct putting *u)
{
	int err;

	if (u->p->next == NULL) {
		err = env_offload(u->env, WORK_DISK, read_piece, u, PIECE_BYTES);
		u->lent = bytes_of(u->piece, u->got);
		return err == ERR_OK && task_canceled(u->env) ? ERR_CANCELED : err;
	}
	err = u->p->next(u->p->arg, &u->lent);
	if (err == ERR_END) {
		u->lent.len = 0;
		return ERR_OK;
	}
	return err == ERR_OK ? env_offload(u->env, WORK_CPU, hash_lent, u, u->lent.len) : err;
}

static SUSPENDS int
write_all(struct putting *u)
{
	for (;;) {
		int err = next_bytes(u);

		if (err != ERR_OK || u->lent.len == 0)
			return err;
		err = u->b->ops->write(u->writer, u->lent);
		if (err != ERR_OK)
			return err;
		u->at += u->lent.len;
		if (u->p->progress != NULL)
			u->p->progress(u->p->arg, u->lent.len);
	}
}

static struct bucket_txn
make_txn(struct env *env, struct realm_bucket *b, struct kv *txn)
{
	struct bucket_txn t = { .kv = txn, .refs = b->refs, .now_ms = env_wall_ms(env) };

	env_random(env, t.random, sizeof(t.random));
	return t;
}

static SUSPENDS int
name_it(void *arg, struct kv *txn)
{
	struct putting *u = arg;
	struct bucket_txn t = make_txn(u->env, u->b, txn);
	static const struct conditions none;
	struct entry e = u->entry;
	struct bucket_done done;

	return bucket_put(&t, u->key, &none, &e, &done);
}

static SUSPENDS int
put_content(struct putting *u)
{
	struct realm_write w = { .bytes = u->p->next != NULL          ? u->p->length
					  : u->p->source.length_known ? u->p->source.length
								      : UINT64_MAX };
	int err = u->b->ops->writer_new(u->b, &w, &u->writer);

	if (err != ERR_OK)
		return err;
	err = write_all(u);
	if (err == ERR_OK)
		err = u->b->ops->finish(u->writer, &u->form);
	u->b->ops->writer_free(u->writer);
	return err;
}

static SUSPENDS int
put_object(struct putting *u)
{
	struct entry *e = &u->entry;
	const char *owner = u->b->owner.id.text;
	int err = put_content(u);

	if (err != ERR_OK)
		return err;
	if (u->p->like != NULL) {
		memcpy(e->text, u->p->like->text, sizeof(e->text));
		e->meta = u->p->like->meta;
		e->tags = u->p->like->tags;
		e->storage_class = u->p->like->storage_class;
	}
	md5_final(u->md5, e->etag.md5);
	e->size = u->at;
	e->owner = bytes_of(owner, strlen(owner));
	e->content = buf_bytes(&u->form);
	if (u->p->type != NULL)
		e->text[TEXT_CONTENT_TYPE] = bytes_of(u->p->type, strlen(u->p->type));
	err = u->b->ops->update(u->b, name_it, u, NULL);
	if (err != ERR_OK && err != ERR_UNKNOWN)
		u->b->ops->drop(u->b, buf_bytes(&u->form));
	return err;
}

SUSPENDS int
object_put(struct env *env, struct realm_bucket *b, struct bytes key, const struct object_put *p)
{
	struct putting *u = calloc(1, sizeof(*u));
	int err = ERR_NOMEM;

	if (u == NULL)
		return err;
	*u = (struct putting){ .env = env, .b = b, .key = key, .p = p };
	buf_init(&u->form, REALM_FORM_MAX);
	u->md5 = md5_new();
	u->piece = malloc(PIECE_BYTES);
	if (u->md5 != NULL && u->piece != NULL)
		err = object_key_check(key);
	if (err == ERR_OK)
		err = put_object(u);
	md5_free(u->md5);
	free(u->piece);
	buf_fini(&u->form);
	free(u);
	return err;
}

/* ---- get ---- */

struct getting {
	struct env *env;
	struct realm_bucket *b;
	const struct object_get *g;
	struct buf form;
	struct object_facts facts;
	struct bytes piece;
	uint64_t at;
};

static void
facts_of(const struct entry *e, struct object_facts *out)
{
	const struct bytes *type = &e->text[TEXT_CONTENT_TYPE];

	memset(out, 0, sizeof(*out));
	out->bytes = e->size;
	out->modified_ms = e->modified_ms;
	out->etag = e->etag;
	out->marker = e->marker;
	out->null = e->null;
	out->version = e->version;
	if (type->len > 0)
		memcpy(out->type, type->data, MIN(type->len, sizeof(out->type) - 1));
}

/* form NULL: only the facts are wanted. */
static SUSPENDS int
look_up(struct realm_bucket *b, struct bytes key, const struct version_ref *which,
    struct object_facts *facts, struct buf *form)
{
	struct entry *e = calloc(1, sizeof(*e));
	struct buf value;
	struct kv *view;
	int err = e == NULL ? ERR_NOMEM : b->ops->view(b, REALM_CURRENT, &view);

	if (err != ERR_OK) {
		free(e);
		return err;
	}
	buf_init(&value, KV_VALUE_MAX);
	err = bucket_get(view, key, which, &value, e);
	if (err == ERR_OK)
		err = bucket_readable(e, which);
	if (err == ERR_OK && form != NULL && e->sse == SSE_CUSTOMER)
		err = REFUSAL_SSE_MISSING;
	if (err == ERR_OK && form != NULL && e->content.len > 0)
		err = buf_append(form, e->content.data, e->content.len);
	if (err == ERR_OK)
		facts_of(e, facts);
	buf_fini(&value);
	b->ops->view_release(b, view);
	free(e);
	return err;
}

SUSPENDS int
object_facts(struct realm_bucket *b, struct bytes key, const struct version_ref *which,
    struct object_facts *out)
{
	return look_up(b, key, which, out, NULL);
}

/* In a worker. */
static int
write_piece(void *arg)
{
	const struct getting *t = arg;

	return t->g->target.write(t->g->target.arg, t->at, t->piece.data, t->piece.len);
}

static SUSPENDS int
read_all(struct getting *t)
{
	struct realm_reader *r;
	int err = t->b->ops->reader_new(t->b, buf_bytes(&t->form), 0, t->facts.bytes, NULL, &r);

	if (err != ERR_OK)
		return err;
	while ((err = t->b->ops->read(r, &t->piece)) == ERR_OK) {
		err = env_offload(t->env, WORK_DISK, write_piece, t, WORK_INLINE_MAX);
		if (err != ERR_OK)
			break;
		t->at += t->piece.len;
		if (t->g->progress != NULL)
			t->g->progress(t->g->arg, t->piece.len);
	}
	t->b->ops->reader_free(r);
	if (err == ERR_END)
		err = t->at == t->facts.bytes ? ERR_OK : ERR_CORRUPT;
	return err;
}

SUSPENDS int
object_get(struct env *env, struct realm_bucket *b, struct bytes key, const struct object_get *g)
{
	struct getting *t = calloc(1, sizeof(*t));
	int err;

	if (t == NULL)
		return ERR_NOMEM;
	*t = (struct getting){ .env = env, .b = b, .g = g };
	buf_init(&t->form, REALM_FORM_MAX);
	err = look_up(b, key, &g->which, &t->facts, &t->form);
	if (err == ERR_OK && g->started != NULL)
		err = g->started(g->arg, &t->facts);
	if (err == ERR_OK && t->facts.bytes > 0)
		err = read_all(t);
	buf_fini(&t->form);
	free(t);
	return err;
}

/* ---- delete, copy ---- */

static const struct version_ref latest = { .which = VERSION_LATEST };

struct change {
	struct env *env;
	struct realm_bucket *b;
	struct bytes key, to;
	const struct version_ref *which;
	const struct object_facts *read;
	struct object_facts copied;
	bool existed;
};

static SUSPENDS int
delete_txn(void *arg, struct kv *txn)
{
	struct change *d = arg;
	struct bucket_txn t = make_txn(d->env, d->b, txn);
	struct bucket_delete how = { .which = *d->which };
	struct bucket_done done = { .existed = false };
	int err = bucket_delete(&t, d->key, &how, &done);

	d->existed = done.existed;
	return err;
}

SUSPENDS int
object_delete(struct env *env, struct realm_bucket *b, struct bytes key,
    const struct version_ref *which, bool *existed)
{
	struct change d = { .env = env, .b = b, .key = key, .which = which };
	int err = b->ops->update(b, delete_txn, &d, NULL);

	if (err == ERR_OK && existed != NULL)
		*existed = d.existed;
	return err;
}

static SUSPENDS int
delete_if_read(struct change *d, struct kv *txn, struct buf *value, struct entry *e)
{
	int err = bucket_get(txn, d->key, &latest, value, e);

	if (err == ERR_OK)
		err = bucket_readable(e, &latest);
	if (err == REFUSAL_NO_SUCH_KEY)
		return ERR_OK;
	if (err != ERR_OK)
		return err;
	return version_equal(&e->version, &d->read->version) ? delete_txn(d, txn)
							     : REFUSAL_PRECONDITION;
}

/* An entry is no small thing for a task's stack. */
static SUSPENDS int
with_entry(struct change *d, struct kv *txn,
    int (*fn)(struct change *d, struct kv *txn, struct buf *value, struct entry *e))
{
	struct entry *e = calloc(1, sizeof(*e));
	struct buf value;
	int err;

	if (e == NULL)
		return ERR_NOMEM;
	buf_init(&value, KV_VALUE_MAX);
	err = fn(d, txn, &value, e);
	buf_fini(&value);
	free(e);
	return err;
}

static SUSPENDS int
delete_read_txn(void *arg, struct kv *txn)
{
	return with_entry(arg, txn, delete_if_read);
}

/* The version's id, which never comes again, and not its ETag: equal bytes may be put anew. */
SUSPENDS int
object_delete_read(
    struct env *env, struct realm_bucket *b, struct bytes key, const struct object_facts *read)
{
	struct change d = { .env = env, .b = b, .key = key, .which = &latest, .read = read };

	return b->ops->update(b, delete_read_txn, &d, NULL);
}

struct carrying {
	struct realm_bucket *source;
	struct realm_reader *reader;
	struct buf value;
	struct entry entry; /* lends from value */
};

static SUSPENDS int
copy_found(struct change *d, struct kv *txn, struct buf *value, struct entry *e)
{
	static const struct conditions none;
	struct bucket_txn t = make_txn(d->env, d->b, txn);
	struct bucket_done done;
	int err = bucket_get(txn, d->key, &latest, value, e);

	if (err == ERR_OK)
		err = bucket_readable(e, &latest);
	if (err != ERR_OK)
		return err;
	facts_of(e, &d->copied);
	/* A copy is locked by what the bucket says, not by what its source was. */
	e->in_parts = false;
	e->hold = false;
	e->lock_mode = LOCK_NONE;
	e->lock_until_ms = 0;
	return bucket_put_shared(&t, d->to, &none, e, &done);
}

static SUSPENDS int
copy_txn(void *arg, struct kv *txn)
{
	return with_entry(arg, txn, copy_found);
}

/* ---- into another bucket ---- */

static SUSPENDS int
next_read(void *arg, struct bytes *lent)
{
	struct carrying *c = arg;

	return c->source->ops->read(c->reader, lent);
}

static SUSPENDS int
carry(struct env *env, struct carrying *c, struct realm_bucket *target, struct bytes to)
{
	struct object_put put = {
		.next = next_read, .length = c->entry.size, .like = &c->entry, .arg = c
	};
	int err = c->source->ops->reader_new(
	    c->source, c->entry.content, 0, c->entry.size, NULL, &c->reader);

	if (err != ERR_OK)
		return err;
	err = object_put(env, target, to, &put);
	c->source->ops->reader_free(c->reader);
	return err;
}

/* The view is given back before the bytes move: the value is ours. */
static SUSPENDS int
copy_across(struct env *env, struct carrying *c, struct bytes from, struct realm_bucket *target,
    struct bytes to)
{
	struct kv *view;
	int err = c->source->ops->view(c->source, REALM_CURRENT, &view);

	if (err != ERR_OK)
		return err;
	err = bucket_get(view, from, &latest, &c->value, &c->entry);
	c->source->ops->view_release(c->source, view);
	if (err == ERR_OK)
		err = bucket_readable(&c->entry, &latest);
	if (err == ERR_OK && c->entry.sse == SSE_CUSTOMER)
		err = REFUSAL_SSE_MISSING;
	return err == ERR_OK ? carry(env, c, target, to) : err;
}

SUSPENDS int
object_copy(struct env *env, const struct object_copy *what, struct object_facts *read)
{
	struct realm_bucket *source = what->source;
	struct change d = { .env = env, .b = source, .key = what->from, .to = what->to };
	struct carrying *c;
	int err;

	if (strcmp(source->name, what->target->name) == 0) {
		err = source->ops->update(source, copy_txn, &d, NULL);
		if (err == ERR_OK)
			*read = d.copied;
		return err;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return ERR_NOMEM;
	c->source = source;
	buf_init(&c->value, KV_VALUE_MAX);
	err = copy_across(env, c, what->from, what->target, what->to);
	if (err == ERR_OK)
		facts_of(&c->entry, read);
	buf_fini(&c->value);
	free(c);
	return err;
}

/* ---- list ---- */

/* A view for each page: a long listing keeps no old state alive. */
static SUSPENDS int
list_page(struct realm_bucket *b, const struct list_query *q,
    int (*each)(void *arg, const struct list_item *item), void *arg, struct list_result *r)
{
	struct kv *view;
	int err = b->ops->view(b, REALM_CURRENT, &view);

	if (err != ERR_OK)
		return err;
	err = list_run(view, q, each, arg, r);
	b->ops->view_release(b, view);
	return err;
}

SUSPENDS int
objects_list(struct realm_bucket *b, const struct list_query *q,
    int (*each)(void *arg, const struct list_item *item), void *arg)
{
	struct list_query page = *q;
	struct list_result r;
	struct buf after;
	char id[VERSION_TEXT_MAX];
	int err;

	list_result_init(&r);
	buf_init(&after, OBJECT_KEY_MAX + 1);
	page.max = LIST_MAX;
	for (;;) {
		err = list_page(b, &page, each, arg, &r);
		if (err != ERR_OK || !r.truncated)
			break;
		buf_reset(&after);
		err = buf_append(&after, r.next.data, r.next.len);
		if (err != ERR_OK)
			break;
		page.after = buf_bytes(&after);
		page.after_id = bytes_of(NULL, 0);
		if (r.next_has_id) {
			memcpy(id, r.next_id, sizeof(id));
			page.after_id = bytes_of(id, strlen(id));
		}
	}
	buf_fini(&after);
	list_result_fini(&r);
	return err;
}
