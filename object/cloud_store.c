/*
 * From a bucket's seed to its map: the register is where the record's charter or the finder says,
 * else it is looked for; then map and stores on top. What turns out to have moved on to a later
 * epoch, or whose founding members are all gone, is looked for once more.
 */
#include <stdio.h>
#include <stdlib.h>

#include "object/cloud_private.h"
#include "object/map_kept.h"

/* By the epoch's first configuration: who holds the seed writes. */
static void
founding_of(struct cloud *c, const struct hash *bucket, struct configuration *out)
{
	struct identity writer;

	bucket_writer(&c->account, bucket, &writer);
	out->writers_count = 1;
	out->writers[0] = writer.pub;
	identity_wipe(&writer);
}

SUSPENDS int
cloud_store_draft(struct cloud *c, const struct bucket_seed *seed,
    const struct bucket_location *location, struct charter *out)
{
	struct cloud_store_wish w = { .seed = seed, .location = location };

	return cloud_store_draft_after(c, &w, 1, NULL, out);
}

SUSPENDS int
cloud_store_draft_after(struct cloud *c, const struct cloud_store_wish *w, uint64_t epoch,
    const struct head *base, struct charter *out)
{
	const struct bucket_seed *seed = w->seed;
	const struct bucket_location *location = w->location;
	struct charter *draft = calloc(1, sizeof(*draft));
	struct identity owner;
	int err;

	if (draft == NULL)
		return ERR_NOMEM;
	bucket_owner(&c->account, seed, &owner);
	draft->owner = owner.pub;
	memcpy(draft->salt, seed->salt, sizeof(draft->salt));
	bucket_id(&draft->owner, draft->salt, &draft->bucket);
	draft->epoch = epoch;
	if (base != NULL) {
		draft->base_seq = base->seq;
		draft->base = base->id;
	}
	draft->rules.silent_s = SILENT_S_DEFAULT;
	/* What is asked of holders is asked of anchors as far as their rules can say it. More
	 * regions than the fewest anchors would leave a small network without any. */
	if (location != NULL)
		draft->rules.regions_min = MIN(location->constraints.regions_min, 3);
	err = c->opts.ground->choose(c->opts.ground, &c->account, draft);
	if (err == ERR_OK) {
		founding_of(c, &draft->bucket, &draft->founding);
		charter_sign(draft, c->opts.net, &owner.sign, &owner.pub);
		*out = *draft;
	}
	identity_wipe(&owner);
	free(draft);
	return err;
}

/* DIR/<first half of the bucket's id>; NULL when there is no directory, or no memory: no cache. */
static char *
cache_of(const struct cloud *c, const struct hash *bucket)
{
	char name[2 * 16 + 1], *path;
	size_t len;

	if (c->cache_dir == NULL)
		return NULL;
	hex_encode(name, bucket->b, 16);
	len = strlen(c->cache_dir) + 1 + sizeof(name);
	path = malloc(len);
	if (path != NULL)
		(void)snprintf(path, len, "%s/%s", c->cache_dir, name);
	return path;
}

SUSPENDS bool
cloud_store_seen(struct cloud *c, const struct hash *bucket)
{
	char *cache = cache_of(c, bucket);
	bool seen = cache != NULL && map_kept_in(c->env, cache);

	free(cache);
	return seen;
}

static SUSPENDS int
open_map(struct cloud *c, const struct cloud_store_wish *w, const struct hash *bucket,
    struct cloud_store *s)
{
	char *cache = cache_of(c, bucket);
	int err;

	if (c->opts.files != NULL) {
		s->contents = calloc(1, sizeof(*s->contents));
		if (s->contents == NULL) {
			free(cache);
			return ERR_NOMEM;
		}
		s->contents->files = c->opts.files;
	}
	err = map_open(
	    &(struct map_opts){
		.env = c->env,
		.reg = s->ground->reg,
		.blobs = s->ground->blobs,
		.net = c->opts.net,
		.bucket = *bucket,
		.secret = &w->seed->secret,
		.discard = s->contents != NULL ? content_map_discard(s->contents)
					       : (struct map_discard){ NULL, NULL },
		.cache_dir = cache,
		.cache_bytes = c->opts.cache_bytes,
		.memory_bytes = c->opts.memory_bytes,
		.checkpoint_after = c->opts.checkpoint_after,
	    },
	    &s->map);

	free(cache);
	if (err == ERR_OK && s->contents != NULL)
		s->contents->map = s->map;
	return err;
}

/* The key by which this machine writes; false: it only reads. */
static bool
writer_of(const struct cloud *c, const struct hash *bucket, struct identity *out)
{
	const struct delegated_bucket *given = cloud_delegated(c, bucket);

	memset(out, 0, sizeof(*out));
	if (c->delegation == NULL)
		bucket_writer(&c->account, bucket, out);
	else if (given != NULL)
		delegation_writer(given, out);
	return c->delegation == NULL || (given != NULL && (given->rights & ACCESS_WRITE) != 0);
}

/*
 * By a charter, and the handover that led on from it; asks the register once. ERR_UNREACHABLE
 * leaves it open: perhaps there is no better.
 */
static SUSPENDS int
open_at(struct cloud *c, const struct cloud_store_wish *w, const struct charter *charter,
    const struct handover *handover, struct cloud_store *out)
{
	static const struct constraints anywhere;
	const struct delegated_bucket *given = cloud_delegated(c, &charter->bucket);
	struct cloud_store s = { 0 };
	struct map_view *v;
	struct identity writer;
	bool writes;
	int err;

	writes = writer_of(c, &charter->bucket, &writer);
	err = c->opts.ground->open(c->opts.ground,
	    &(struct ground_open){
		.account = c->delegation == NULL ? &c->account : NULL,
		.grant = given != NULL ? &given->grant : NULL,
		.seed = w->seed,
		.writer = writes ? &writer : NULL,
		.charter = charter,
		.handover = handover,
		.constraints = w->location != NULL ? &w->location->constraints : &anywhere,
		.code = w->location != NULL ? w->location->code : (struct code_params){ 0 },
	    },
	    &s.ground);
	identity_wipe(&writer);
	if (err == ERR_OK)
		err = open_map(c, w, &charter->bucket, &s);
	if (err == ERR_OK)
		err = map_view(s.map, MAP_CURRENT, &v);
	if (err == ERR_OK)
		map_view_release(v);
	else if (err != ERR_UNREACHABLE)
		cloud_store_close(c, &s);
	*out = s;
	return err;
}

/* Whether it was seen before, and can be read without its anchors. */
static SUSPENDS bool
can_recall(struct cloud_store *s)
{
	struct map_view *v;

	if (s->map == NULL || map_view(s->map, MAP_RECALL, &v) != ERR_OK)
		return false;
	map_view_release(v);
	return true;
}

/* A founding that was broken off may have left too few who know of it. */
static SUSPENDS int
tell_again(struct cloud *c, const struct cloud_store_wish *w, const struct charter *charter,
    struct cloud_store *out)
{
	int err = c->opts.ground->found(c->opts.ground, &c->account, w->seed, charter);

	if (err == ERR_OK)
		err = open_at(c, w, charter, NULL, out);
	if (err != ERR_OK)
		cloud_store_close(c, out);
	return err == ERR_OK ? ERR_OK : ERR_UNREACHABLE;
}

/* *at: opened by w->charter, and no quorum answered there; or nothing. Closed, or given to *out. */
static SUSPENDS int
open_found(struct cloud *c, const struct cloud_store_wish *w, struct cloud_store *at,
    struct cloud_store *out)
{
	struct register_chain *chain = calloc(1, sizeof(*chain));
	const struct hash *bucket = w->charter != NULL ? &w->charter->bucket : &c->bucket;
	int err;

	if (chain == NULL)
		return ERR_NOMEM;
	err = c->opts.ground->find(c->opts.ground, w->seed, bucket, chain);
	if (err == ERR_OK && at->map != NULL && !chain->handed &&
	    hash_equal(&chain->charter.id, &w->charter->id)) {
		err = ERR_UNREACHABLE; /* there it was asked */
	} else if (err == ERR_OK) {
		cloud_store_close(c, at);
		err = open_at(c, w, &chain->charter, chain->handed ? &chain->last : NULL, at);
	} else if (err == ERR_NOT_FOUND && at->map != NULL) {
		err = ERR_UNREACHABLE; /* that nobody knows of another place is no news */
	}
	if (err == ERR_OK || (err == ERR_UNREACHABLE && can_recall(at))) {
		*out = *at;
		*at = (struct cloud_store){ 0 };
		err = ERR_OK;
	} else if (err == ERR_UNREACHABLE && chain->known && !chain->handed &&
		   c->delegation == NULL) {
		err = tell_again(c, w, &chain->charter, out);
	}
	cloud_store_close(c, at);
	free(chain);
	return err;
}

SUSPENDS int
cloud_store_open(struct cloud *c, const struct cloud_store_wish *w, struct cloud_store *out)
{
	struct cloud_store at = { 0 };
	int err;

	*out = (struct cloud_store){ 0 };
	if (w->charter == NULL)
		return open_found(c, w, &at, out);
	err = open_at(c, w, w->charter, NULL, &at);
	if (err == ERR_OK)
		*out = at;
	if (err != ERR_UNREACHABLE && err != ERR_STALE)
		return err;
	err = open_found(c, w, &at, out);
	return err == ERR_NOT_FOUND ? ERR_UNREACHABLE : err;
}

SUSPENDS void
cloud_store_close(struct cloud *c, struct cloud_store *s)
{
	if (s->map != NULL)
		map_close(s->map);
	if (s->ground != NULL)
		c->opts.ground->close(c->opts.ground, s->ground);
	free(s->contents);
	*s = (struct cloud_store){ 0 };
}
