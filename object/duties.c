/*
 * Deleted buckets are listed, then each is opened once more, by its record: nobody else can, since
 * no name leads there. The chunks of its state go last, and together: after the first of them it
 * cannot be opened any more, so a pass that breaks off there leaves the rest to their leases.
 */
#include "object/duties.h"

#include <stdlib.h>

#include "object/bucket_contents.h"
#include "object/cloud_delegate.h"
#include "object/cloud_private.h"
#include "object/files_private.h"
#include "object/leases.h"
#include "storage/renew.h"

#define CONTENTS_AT_ONCE 64

struct duties {
	struct duties_opts opts;
	struct cloud *cloud;
	struct env *env;
	struct content_keeper *own;
	struct timer turn;
	struct task_group group;
};

static bool
leads(void *arg)
{
	const struct duties *d = arg;

	return map_leads(d->cloud->own.map);
}

/* ---- the chunks of a deleted bucket ---- */

struct letting_go {
	struct duties *d;
	struct cloud_store store;
	struct lease_signer signer;
	struct chunk_ref *refs; /* of its state */
	size_t count, cap;
	uint64_t chunks;
};

/* A part of an upload that nobody completed. */
static SUSPENDS int
end_content(void *arg, const struct bucket_content *c)
{
	struct letting_go *l = arg;
	struct leases_opts o = { .files = l->d->opts.files, .signer = l->signer };
	struct file_lease_result told = { 0 };
	struct content content;
	int err;

	content_init(&content);
	err = content_unpack(c->content, &content);
	if (err == ERR_OK)
		err = content_set_lease(&o, &content, &told);
	content_fini(&content);
	l->chunks += told.chunks;
	/* Ended before, by a pass that broke off. */
	return err == ERR_STALE || err == ERR_NOT_FOUND ? ERR_OK : err;
}

static SUSPENDS int
end_contents(struct letting_go *l)
{
	struct map_view *v;
	struct buf place;
	int err = map_view(l->store.map, MAP_ANY, &v);

	if (err != ERR_OK)
		return err;
	buf_init(&place, BUCKET_PLACE_MAX);
	do
		err = bucket_contents(map_view_kv(v), &place, CONTENTS_AT_ONCE, end_content, l);
	while (err == ERR_OK);
	buf_fini(&place);
	map_view_release(v);
	return err == ERR_END ? ERR_OK : err;
}

static int
trash_left(void *arg, struct kv *kv)
{
	struct trash_item t;
	int err;

	(void)arg;
	trash_item_init(&t);
	err = content_trash_next(kv, bytes_of("t", 1), &t);
	trash_item_fini(&t);
	return err == ERR_NOT_FOUND ? ERR_OK : err == ERR_OK ? ERR_LOCKED : err;
}

/* All of it is due: nothing was written since the deletion. */
static SUSPENDS int
end_trash(struct letting_go *l)
{
	struct content_state state = content_map_state(l->store.contents);
	struct content_keeper *k;
	int err = content_keeper_new(
	    &(struct content_keeper_opts){
		.files = l->d->opts.files,
		.signer = l->signer,
		.state = state,
		.trash_wait_s = l->d->opts.wait_s,
	    },
	    &k);

	if (err != ERR_OK)
		return err;
	err = content_keeper_trash(k);
	content_keeper_free(k);
	return err == ERR_OK ? state.view(state.arg, trash_left, NULL) : err;
}

static int
note_chunk(void *arg, const struct chunk_ref *ref)
{
	struct letting_go *l = arg;

	if (l->count == l->cap) {
		size_t cap = l->cap == 0 ? 16 : 2 * l->cap;
		struct chunk_ref *refs = realloc(l->refs, cap * sizeof(*refs));

		if (refs == NULL)
			return ERR_NOMEM;
		l->refs = refs;
		l->cap = cap;
	}
	l->refs[l->count++] = *ref;
	return ERR_OK;
}

static SUSPENDS int
end_state(struct letting_go *l)
{
	int err = map_each_chunk(l->store.map, note_chunk, l);

	for (size_t i = 0; i < l->count && err == ERR_OK; i++) {
		struct chunk_renew_opts o = { .signer = l->signer };
		struct chunk_renewed told;

		err = chunk_renew(l->d->opts.files->opts.chunks, &l->refs[i], &o, &told);
		if (err == ERR_NOT_FOUND || err == ERR_STALE)
			err = ERR_OK;
		l->chunks += err == ERR_OK;
	}
	return err;
}

static SUSPENDS int
let_go(struct duties *d, const struct bucket_record *r, uint64_t *chunks)
{
	struct letting_go l = { .d = d };
	struct cloud_store_wish w = {
		.seed = &r->seed, .location = &r->location, .charter = &r->charter
	};
	int err = cloud_store_open(d->cloud, &w, &l.store);

	if (err != ERR_OK)
		return err;
	l.signer = l.store.ground->signer;
	err = end_contents(&l);
	if (err == ERR_OK)
		err = end_trash(&l);
	if (err == ERR_OK)
		err = end_state(&l);
	cloud_store_close(d->cloud, &l.store);
	free(l.refs);
	*chunks += l.chunks;
	return err;
}

/* ---- all deleted buckets ---- */

struct deleted {
	struct duties *d;
	struct bucket_record *at; /* secrets: wiped */
	size_t count, cap;
};

static int
note_deleted(void *arg, struct bytes name, struct bytes value)
{
	struct deleted *all = arg;

	(void)name;
	if (all->count == all->cap) {
		size_t cap = all->cap == 0 ? 8 : 2 * all->cap;
		/* No realloc: it would leave a copy of secrets behind. */
		struct bucket_record *at = calloc(cap, sizeof(*at));

		if (at == NULL)
			return ERR_NOMEM;
		if (all->count > 0)
			memcpy(at, all->at, all->count * sizeof(*at));
		crypto_wipe(all->at, all->count * sizeof(*at));
		free(all->at);
		all->at = at;
		all->cap = cap;
	}
	return bucket_record_unpack(value, all->d->cloud->opts.net, &all->at[all->count++]);
}

static SUSPENDS int
forget_record(void *arg, struct kv *txn)
{
	const struct hash *bucket = arg;
	struct cloud_key_text key = cloud_table_key(TABLE_DELETED, bucket->b, sizeof(bucket->b));

	return kv_del(txn, cloud_key_bytes(&key));
}

static SUSPENDS int
one_deleted(struct duties *d, struct bucket_record *r, struct duties_sight *sight)
{
	uint64_t wait_s = d->opts.wait_s != 0 ? d->opts.wait_s : CONTENT_TRASH_WAIT_S;
	uint64_t now_ms = env_wall_ms(d->env);
	uint64_t age_s = now_ms > r->created_ms ? (now_ms - r->created_ms) / 1000 : 0;
	int err = ERR_BUSY;

	if (age_s > wait_s)
		err = let_go(d, r, &sight->chunks);
	if (err == ERR_CANCELED || err == ERR_TIMEOUT)
		return err;
	if (err != ERR_OK && age_s < DUTIES_GIVE_UP_S) {
		if (age_s > wait_s)
			log_info(
			    d->env, "a deleted bucket waits to be let go of: %s", err_text(err));
		sight->waiting++;
		return ERR_OK;
	}
	sight->let_go += err == ERR_OK;
	sight->forgotten += err != ERR_OK;
	return cloud_update(d->cloud, forget_record, &r->charter.bucket);
}

SUSPENDS int
duties_now(struct duties *d, struct duties_sight *out)
{
	struct deleted all = { .d = d };
	struct duties_sight sight = { 0 };
	int err = cloud_table_list(d->cloud, TABLE_DELETED, NULL, note_deleted, &all);

	for (size_t i = 0; i < all.count && err == ERR_OK; i++)
		err = one_deleted(d, &all.at[i], &sight);
	crypto_wipe(all.at, all.count * sizeof(*all.at));
	free(all.at);
	if (err == ERR_OK)
		*out = sight;
	return err;
}

/* ---- its own task ---- */

static SUSPENDS int
turn(void *arg)
{
	struct duties *d = arg;
	struct duties_sight sight;
	size_t expired;
	int err = leads(d) ? duties_now(d, &sight) : ERR_OK;

	if (err == ERR_OK && leads(d))
		err = cloud_delegates_expire(d->cloud, &expired);
	if (err != ERR_OK && err != ERR_CANCELED)
		log_info(d->env, "deleted buckets and ended delegates are looked at later: %s",
		    err_text(err));
	return err;
}

static void
on_turn(void *arg)
{
	struct duties *d = arg;

	if (task_group_live(&d->group) == 0)
		(void)task_spawn(&d->group, "duties", turn, d);
	timer_start(&d->turn, DUTIES_TURN);
}

int
duties_new(const struct duties_opts *opts, struct duties **out)
{
	struct duties *d = calloc(1, sizeof(*d));
	struct cloud_store *own = &opts->cloud->own;
	int err;

	if (d == NULL)
		return ERR_NOMEM;
	must(own->map != NULL && own->contents != NULL);
	d->opts = *opts;
	d->cloud = opts->cloud;
	d->env = opts->cloud->env;
	err = content_keeper_new(
	    &(struct content_keeper_opts){
		.files = opts->files,
		.signer = own->ground->signer,
		.state = content_map_state(own->contents),
		.mine = leads,
		.arg = d,
	    },
	    &d->own);
	if (err != ERR_OK) {
		free(d);
		return err;
	}
	task_group_init(&d->group, d->env);
	timer_init(&d->turn, d->env, on_turn, d);
	timer_start(&d->turn, DUTIES_TURN);
	*out = d;
	return ERR_OK;
}

SUSPENDS void
duties_free(struct duties *d)
{
	if (d == NULL)
		return;
	timer_stop(&d->turn);
	task_group_fini(&d->group);
	content_keeper_free(d->own);
	free(d);
}
