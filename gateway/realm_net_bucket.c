/*
 * A bucket of the network for one request: views and transactions by object/cloud.h, contents by
 * object/content_*.h. Small contents go into packs, of which each open bucket has its own.
 */
#include <stdlib.h>

#include "gateway/realm_net_private.h"
#include "object/bucket_refs.h"
#include "object/content_map.h"
#include "object/content_read.h"
#include "object/content_refs.h"
#include "object/content_write.h"
#include "object/packs.h"

/* A view that is held: the map gives it, we lend its kv. */
struct held_view {
	struct held_view *next;
	struct map_view *view;
};

struct net_bucket {
	struct realm_bucket bucket;
	struct net_bucket_opts opts;
	struct held_view *views;
};

struct realm_writer {
	struct content_writer *writer;
};

struct realm_reader {
	struct content content;
	struct content_reader *reader;
};

struct realm_spare {
	struct manifest chunks;
};

static struct net_bucket *
net_of(struct realm_bucket *b)
{
	return container_of(b, struct net_bucket, bucket);
}

/* ---- state ---- */

static SUSPENDS int
net_view(struct realm_bucket *bucket, enum realm_fresh fresh, struct kv **out)
{
	struct net_bucket *b = net_of(bucket);
	struct held_view *h = calloc(1, sizeof(*h));
	enum map_fresh as = fresh == REALM_KNOWN ? MAP_RECENT
			    : bucket->recalls    ? MAP_RECALL
						 : MAP_CURRENT;
	int err = h == NULL ? ERR_NOMEM : cloud_bucket_view(b->opts.bucket, as, &h->view);

	if (err != ERR_OK) {
		free(h);
		return err;
	}
	bucket->stale_ms = realm_staler(bucket->stale_ms, map_view_stale_ms(h->view));
	h->next = b->views;
	b->views = h;
	*out = map_view_kv(h->view);
	return ERR_OK;
}

static void
net_view_release(struct realm_bucket *bucket, struct kv *view)
{
	struct held_view **at = &net_of(bucket)->views, *h;

	while (*at != NULL && map_view_kv((*at)->view) != view)
		at = &(*at)->next;
	h = *at;
	must(h != NULL);
	*at = h->next;
	map_view_release(h->view);
	free(h);
}

static SUSPENDS int
net_update(struct realm_bucket *bucket, int (*fn)(void *arg, struct kv *txn), void *arg,
    struct buf *result)
{
	return cloud_bucket_update(net_of(bucket)->opts.bucket, fn, arg, result);
}

/* ---- writing ---- */

static void
placing_of(struct net_bucket *b, struct placing_opts *out)
{
	const struct cloud_facts *f = cloud_bucket_of(b->opts.bucket);

	*out = (struct placing_opts){ .code = f->location.code,
		.constraints = f->location.constraints,
		.signer = cloud_bucket_signer(b->opts.bucket) };
}

/* What belongs to the open bucket, not to a request. */
struct net_extra {
	struct packs *packs;
	struct content_map map;
	struct content_keeper *keeper;
};

static SUSPENDS void
free_extra(void *data)
{
	struct net_extra *x = data;

	content_keeper_free(x->keeper);
	packs_free(x->packs);
	free(x);
}

static bool
leads(void *arg)
{
	return map_leads(arg);
}

static int
make_extra(struct net_bucket *b, struct net_extra *x)
{
	struct map *map = cloud_bucket_map(b->opts.bucket);
	struct packs_opts packs = { .files = b->opts.files, .memory = b->opts.writing };
	struct content_keeper_opts keeper = { .files = b->opts.files,
		.memory = b->opts.reading,
		.signer = cloud_bucket_signer(b->opts.bucket),
		.mine = leads,
		.arg = map };
	int err;

	placing_of(b, &packs.placing);
	err = packs_new(&packs, &x->packs);
	if (err != ERR_OK)
		return err;
	x->map = (struct content_map){ .map = map, .files = b->opts.files };
	keeper.packs = x->packs;
	keeper.state = content_map_state(&x->map);
	return content_keeper_new(&keeper, &x->keeper);
}

/* Made when the bucket is opened first: its packs, and who prolongs its leases and empties its
 * trash, if this gateway is the one that looks after it. */
static SUSPENDS int
open_extra(struct net_bucket *b)
{
	struct cloud_bucket_extra *extra = cloud_bucket_extra(b->opts.bucket);
	struct net_extra *x;
	int err;

	if (extra->data != NULL)
		return ERR_OK;
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return ERR_NOMEM;
	err = make_extra(b, x);
	if (err != ERR_OK) {
		free_extra(x);
		return err;
	}
	extra->data = x;
	extra->free = free_extra;
	return ERR_OK;
}

static SUSPENDS int
net_writer_new(struct realm_bucket *bucket, const struct realm_write *w, struct realm_writer **out)
{
	struct net_bucket *b = net_of(bucket);
	struct content_write_opts opts = { .files = b->opts.files,
		.memory = b->opts.writing,
		.may_inline = !w->part,
		.bytes = w->bytes,
		.customer = w->customer };
	struct realm_writer *writer;
	int err;

	placing_of(b, &opts.placing);
	if (!w->part && !w->locked && w->customer == NULL)
		opts.packs = ((struct net_extra *)cloud_bucket_extra(b->opts.bucket)->data)->packs;
	writer = calloc(1, sizeof(*writer));
	if (writer == NULL)
		return ERR_NOMEM;
	err = content_writer_new(&opts, &writer->writer);
	if (err != ERR_OK) {
		free(writer);
		return err;
	}
	*out = writer;
	return ERR_OK;
}

static SUSPENDS int
net_write(struct realm_writer *w, struct bytes data)
{
	return content_write(w->writer, data);
}

static SUSPENDS int
net_finish(struct realm_writer *w, struct buf *form)
{
	struct content c;
	int err;

	content_init(&c);
	err = content_finish(w->writer, &c);
	if (err == ERR_OK && c.kind != CONTENT_EMPTY)
		err = content_pack(&c, form);
	content_fini(&c);
	return err;
}

static SUSPENDS void
net_writer_free(struct realm_writer *w)
{
	content_writer_free(w->writer);
	free(w);
}

struct dropping {
	struct net_bucket *b;
	struct content content;
};

static SUSPENDS int
drop_txn(void *arg, struct kv *txn)
{
	struct dropping *d = arg;

	return content_dropped(txn, &d->content, env_wall_ms(d->b->opts.env));
}

static SUSPENDS void
net_drop(struct realm_bucket *bucket, struct bytes form)
{
	struct dropping d = { .b = net_of(bucket) };
	int err;

	content_init(&d.content);
	err = content_unpack(form, &d.content);
	if (err == ERR_OK && d.content.kind != CONTENT_INLINE)
		err = net_update(bucket, drop_txn, &d, NULL);
	/* Its leases end by themselves, only later. */
	if (err != ERR_OK)
		log_info(d.b->opts.env, "bucket %s: what was written for nothing stays a while: %s",
		    bucket->name, err_text(err));
	content_fini(&d.content);
}

/* ---- joining ---- */

struct joining {
	struct content *parts;
	const struct content **list;
	size_t count;
};

static int
unpack_parts(struct joining *j, const struct bytes *forms, size_t count)
{
	int err = ERR_OK;

	j->parts = calloc(count, sizeof(*j->parts));
	j->list = calloc(count, sizeof(*j->list));
	if (j->parts == NULL || j->list == NULL)
		return ERR_NOMEM;
	for (; j->count < count && err == ERR_OK; j->count++) {
		content_init(&j->parts[j->count]);
		j->list[j->count] = &j->parts[j->count];
		if (forms[j->count].len > 0)
			err = content_unpack(forms[j->count], &j->parts[j->count]);
	}
	return err;
}

static SUSPENDS int
join(struct net_bucket *b, const struct joining *j, struct buf *form, struct realm_spare *spare)
{
	struct content_join_opts opts = {
		.files = b->opts.files, .parts = j->list, .count = j->count
	};
	struct content all;
	int err;

	placing_of(b, &opts.placing);
	content_init(&all);
	err = content_join(&opts, &all, &spare->chunks);
	if (err == ERR_OK && all.kind != CONTENT_EMPTY)
		err = content_pack(&all, form);
	content_fini(&all);
	return err;
}

static void
net_spare_free(struct realm_spare *s)
{
	if (s == NULL)
		return;
	manifest_fini(&s->chunks);
	free(s);
}

static SUSPENDS int
net_join(struct realm_bucket *bucket, const struct bytes *forms, size_t count, struct buf *form,
    struct realm_spare **spare)
{
	struct joining j = { .count = 0 };
	struct realm_spare *s = calloc(1, sizeof(*s));
	int err;

	if (s == NULL)
		return ERR_NOMEM;
	manifest_init(&s->chunks);
	err = unpack_parts(&j, forms, count);
	if (err == ERR_OK)
		err = join(net_of(bucket), &j, form, s);
	for (size_t i = 0; i < j.count; i++)
		content_fini(&j.parts[i]);
	free(j.parts);
	free(j.list);
	if (err != ERR_OK) {
		net_spare_free(s);
		return err;
	}
	*spare = s;
	return ERR_OK;
}

static SUSPENDS int
net_joined(struct realm_spare *s, struct kv *txn, uint64_t now_ms)
{
	return s->chunks.chunks_count == 0 ? ERR_OK : content_trash_chunks(txn, &s->chunks, now_ms);
}

/* ---- reading ---- */

static SUSPENDS void
net_reader_free(struct realm_reader *r)
{
	content_reader_free(r->reader);
	content_fini(&r->content);
	free(r);
}

static SUSPENDS int
net_reader_new(struct realm_bucket *bucket, struct bytes form, uint64_t from, uint64_t len,
    const struct key *customer, struct realm_reader **out)
{
	struct net_bucket *b = net_of(bucket);
	struct content_read_opts opts = { .files = b->opts.files,
		.memory = b->opts.reading,
		.customer = customer,
		.from = from,
		.len = len };
	struct realm_reader *r;
	int err = ERR_OK;

	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return ERR_NOMEM;
	content_init(&r->content);
	if (form.len > 0)
		err = content_unpack(form, &r->content);
	opts.content = &r->content;
	if (err == ERR_OK)
		err = content_reader_new(&opts, &r->reader);
	if (err != ERR_OK) {
		content_fini(&r->content);
		free(r);
		return err;
	}
	*out = r;
	return ERR_OK;
}

static SUSPENDS int
net_read(struct realm_reader *r, struct bytes *lent)
{
	return content_read(r->reader, lent);
}

/* ---- life ---- */

static bool
net_leads(struct realm_bucket *bucket)
{
	return map_leads(cloud_bucket_map(net_of(bucket)->opts.bucket));
}

static void
net_release(struct realm_bucket *bucket)
{
	struct net_bucket *b = net_of(bucket);

	must(b->views == NULL);
	cloud_bucket_close(b->opts.bucket);
	free(b);
}

static const struct realm_bucket_ops bucket_ops = {
	.view = net_view,
	.view_release = net_view_release,
	.update = net_update,
	.txn_result = map_txn_result,
	.writer_new = net_writer_new,
	.write = net_write,
	.finish = net_finish,
	.writer_free = net_writer_free,
	.drop = net_drop,
	.join = net_join,
	.joined = net_joined,
	.spare_free = net_spare_free,
	.reader_new = net_reader_new,
	.read = net_read,
	.reader_free = net_reader_free,
	.leads = net_leads,
	.release = net_release,
};

SUSPENDS int
net_bucket_new(const struct net_bucket_opts *opts, struct realm_bucket **out)
{
	const struct cloud_facts *f = cloud_bucket_of(opts->bucket);
	struct net_bucket *b = calloc(1, sizeof(*b));
	int err;

	if (b == NULL) {
		cloud_bucket_close(opts->bucket);
		return ERR_NOMEM;
	}
	b->opts = *opts;
	b->bucket = (struct realm_bucket){ .ops = &bucket_ops,
		.owner = opts->owner,
		.created_ms = f->created_ms,
		.refs = &bucket_refs };
	static_assert(REALM_BUCKET_MAX > BUCKET_NAME_MAX, "every name of a bucket fits");
	strcpy(b->bucket.name, f->name);
	err = open_extra(b);
	if (err != ERR_OK) {
		net_release(&b->bucket);
		return err;
	}
	*out = &b->bucket;
	return ERR_OK;
}
