/*
 * Open buckets: found in a list by name, opened by the first who asks while others who ask for the
 * same one wait, closed when nobody has used them for a while. One that turns out to be gone, or to
 * be elsewhere, leaves the list as soon as its last user gives it back.
 */
#include <stdlib.h>

#include "object/cloud_private.h"

static const uint8_t closed_key[] = { CLOUD_TABLE_CLOSED };

/* ---- the list ---- */

static bool
is_open(const struct cloud_bucket *b)
{
	return b->store.map != NULL;
}

/* The bucket of this very record; a name may have been given to another one meanwhile. */
static struct cloud_bucket *
look_up(struct cloud *c, const char *name, const struct hash *id)
{
	for (struct cloud_bucket *b = c->open; b != NULL; b = b->next) {
		if (!b->outdated && strcmp(b->facts.name, name) == 0 &&
		    hash_equal(&b->facts.id, id))
			return b;
	}
	return NULL;
}

static void
take_out(struct cloud *c, const struct cloud_bucket *b)
{
	struct cloud_bucket **at = &c->open;

	while (*at != b)
		at = &(*at)->next;
	*at = b->next;
	c->open_count--;
}

/* It is in no list any more. */
static SUSPENDS void
end(struct cloud_bucket *b)
{
	if (b->extra.free != NULL)
		b->extra.free(b->extra.data);
	cloud_store_close(b->cloud, &b->store);
	crypto_wipe(&b->seed, sizeof(b->seed));
	free(b);
}

/* One that nobody uses, is outdated or unused for so long; the longest unused first. */
static struct cloud_bucket *
oldest(struct cloud *c, uint64_t unused)
{
	struct cloud_bucket *found = NULL;

	for (struct cloud_bucket *b = c->open; b != NULL; b = b->next) {
		if (b->users > 0 || (!b->outdated && env_now(c->env) - b->used_at < unused))
			continue;
		if (found == NULL || b->used_at < found->used_at)
			found = b;
	}
	return found;
}

static SUSPENDS int
close_unused(void *arg)
{
	struct cloud *c = arg;
	struct cloud_bucket *b;

	while ((b = oldest(c, CLOUD_OPEN_UNUSED)) != NULL) {
		take_out(c, b);
		end(b);
	}
	return ERR_OK;
}

static void
on_unused(void *arg)
{
	struct cloud *c = arg;

	/* Busy now: they are closed at the next turn. */
	(void)task_spawn(&c->background, "cloud close", close_unused, c);
	timer_start(&c->unused, CLOUD_OPEN_UNUSED / 2);
}

void
cloud_open_start(struct cloud *c)
{
	task_group_init(&c->background, c->env);
	timer_init(&c->unused, c->env, on_unused, c);
	timer_start(&c->unused, CLOUD_OPEN_UNUSED / 2);
}

SUSPENDS void
cloud_open_stop(struct cloud *c)
{
	struct cloud_bucket *b;

	timer_stop(&c->unused);
	task_group_fini(&c->background);
	while ((b = c->open) != NULL) {
		must(b->users == 0);
		take_out(c, b);
		end(b);
	}
}

void
cloud_open_outdate(struct cloud *c, const struct hash *bucket)
{
	for (struct cloud_bucket *b = c->open; b != NULL; b = b->next)
		b->outdated |= hash_equal(&b->facts.id, bucket);
	timer_start(&c->unused, 0);
}

/* ---- open and close ---- */

static struct cloud_bucket *
put_in(struct cloud *c, const char *name, const struct bucket_record *r)
{
	struct cloud_bucket *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return NULL;
	b->cloud = c;
	b->seed = r->seed;
	b->charter = r->charter;
	cloud_facts_of(name, r, &b->facts);
	semaphore_init(&b->opening, 1);
	b->next = c->open;
	c->open = b;
	c->open_count++;
	return b;
}

/* The first who gets here opens it, the others find it open, or try themselves. */
static SUSPENDS int
open_once(struct cloud_bucket *b)
{
	struct cloud *c = b->cloud;
	int err = semaphore_acquire(c->env, &b->opening);

	if (err != ERR_OK)
		return err;
	if (!is_open(b)) {
		struct cloud_store_wish w = {
			.seed = &b->seed,
			.location = &b->facts.location,
			.charter = &b->charter,
		};

		err = cloud_store_open(c, &w, &b->store);
	}
	semaphore_release(&b->opening);
	return err;
}

/* Makes room for one more, if there is somebody to close. */
static SUSPENDS void
make_room(struct cloud *c)
{
	struct cloud_bucket *b;

	if (c->open_count < CLOUD_OPEN_MAX)
		return;
	b = oldest(c, 0);
	if (b == NULL)
		return;
	take_out(c, b);
	end(b);
}

SUSPENDS int
cloud_bucket_open(struct cloud *c, const char *name, struct cloud_bucket **out)
{
	struct bucket_record *r = calloc(1, sizeof(*r));
	struct cloud_bucket *b = NULL;
	int err = r == NULL ? ERR_NOMEM : cloud_record_find(c, name, r);

	if (err == ERR_OK) {
		make_room(c);
		b = look_up(c, name, &r->charter.bucket);
		if (b == NULL)
			b = put_in(c, name, r);
		if (b == NULL)
			err = ERR_NOMEM;
	}
	if (r != NULL)
		bucket_record_wipe(r);
	free(r);
	if (err != ERR_OK)
		return err;
	b->users++;
	b->used_at = env_now(c->env);
	err = is_open(b) ? ERR_OK : open_once(b);
	if (err != ERR_OK) {
		/* Whoever waits for the same one tries again; the last one takes it away. */
		if (!is_open(b))
			b->outdated = b->users == 1;
		cloud_bucket_close(b);
		return err;
	}
	*out = b;
	return ERR_OK;
}

void
cloud_bucket_close(struct cloud_bucket *b)
{
	struct cloud *c;

	if (b == NULL)
		return;
	c = b->cloud;
	must(b->users > 0);
	b->used_at = env_now(c->env);
	b->users--;
	if (b->users == 0 && b->outdated)
		timer_start(&c->unused, 0);
}

/* ---- what it is ---- */

const struct cloud_facts *
cloud_bucket_of(const struct cloud_bucket *b)
{
	return &b->facts;
}

struct map *
cloud_bucket_map(struct cloud_bucket *b)
{
	return b->store.map;
}

struct ground_bucket *
cloud_bucket_ground(struct cloud_bucket *b)
{
	return b->store.ground;
}

struct lease_signer
cloud_bucket_signer(struct cloud_bucket *b)
{
	return b->store.ground->signer;
}

struct cloud_bucket_extra *
cloud_bucket_extra(struct cloud_bucket *b)
{
	return &b->extra;
}

/* ---- views and transactions ---- */

/* A later epoch has begun elsewhere: who opens it next finds it. */
static int
note_stale(struct cloud_bucket *b, int err)
{
	if (err == ERR_STALE) {
		b->outdated = true;
		return ERR_BUSY;
	}
	return err;
}

/* Whether it was deleted; asked once for each state that is seen. */
static SUSPENDS int
check_live(struct kv *kv)
{
	int err = kv_get(kv, bytes_of(closed_key, sizeof(closed_key)), NULL);

	return err == ERR_NOT_FOUND ? ERR_OK : err == ERR_OK ? ERR_NOT_FOUND : err;
}

SUSPENDS int
cloud_bucket_view(struct cloud_bucket *b, enum map_fresh fresh, struct map_view **out)
{
	struct map_view *v;
	int err = note_stale(b, map_view(b->store.map, fresh, &v));

	if (err != ERR_OK)
		return err;
	if (!b->live || b->live_seq != map_view_seq(v)) {
		err = check_live(map_view_kv(v));
		if (err == ERR_OK) {
			b->live = true;
			b->live_seq = map_view_seq(v);
		} else if (err == ERR_NOT_FOUND) {
			b->outdated = true;
		}
	}
	if (err != ERR_OK) {
		map_view_release(v);
		return err;
	}
	*out = v;
	return ERR_OK;
}

struct update {
	struct cloud_bucket *b;
	map_fn *fn;
	void *arg;
	bool stale; /* fn's own word, in its last run: no other epoch's */
};

static SUSPENDS int
guarded(void *arg, struct kv *txn)
{
	struct update *u = arg;
	int err = check_live(txn);

	u->stale = false;
	if (err == ERR_NOT_FOUND)
		u->b->outdated = true;
	if (err != ERR_OK)
		return err;
	err = u->fn(u->arg, txn);
	u->stale = err == ERR_STALE;
	return err;
}

SUSPENDS int
cloud_bucket_update(struct cloud_bucket *b, map_fn *fn, void *arg, struct buf *result)
{
	struct update u = { b, fn, arg, false };
	int err = map_update_result(b->store.map, guarded, &u, result);

	return u.stale ? err : note_stale(b, err);
}

/* ---- deletion ---- */

static SUSPENDS int
mark_closed(void *arg, struct kv *txn)
{
	int (*empty)(struct kv *) = *(int (**)(struct kv *))arg;
	int err = empty(txn);

	return err == ERR_OK
		   ? kv_put(txn, bytes_of(closed_key, sizeof(closed_key)), bytes_of(closed_key, 0))
		   : err;
}

SUSPENDS int
cloud_bucket_end(struct cloud_bucket *b, int (*empty)(struct kv *txn))
{
	int err = cloud_bucket_update(b, mark_closed, &empty, NULL);

	if (err == ERR_OK || err == ERR_NOT_FOUND)
		b->outdated = true;
	return err;
}
