/*
 * The account's own bucket: started once, then seen through views that are believed for a while.
 * While its anchors do not answer, what is known goes on to be believed: buckets are served by
 * their own anchors.
 */
#include "object/cloud.h"

#include <stdlib.h>

#include "object/cloud_private.h"

/* After a failure: so often the anchors are asked again at most, whoever wants to know. */
#define ASK_AGAIN SECONDS(1)

static const char name_key[] = "name";
static const char name_default[] = "skerry";

static void
begin_account(struct cloud *c, const struct account *account)
{
	struct identity owner;

	c->account = *account;
	account_number(&c->account, c->number);
	bucket_seed_of_account(&c->account, &c->seed);
	bucket_owner(&c->account, &c->seed, &owner);
	bucket_id(&owner.pub, c->seed.salt, &c->bucket);
	identity_wipe(&owner);
}

int
cloud_new(const struct cloud_opts *opts, struct cloud **out)
{
	struct cloud *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ERR_NOMEM;
	c->opts = *opts;
	c->opts.cache_dir = NULL;
	c->opts.account = NULL;
	c->opts.delegation = NULL;
	c->env = opts->env;
	if (opts->cache_dir != NULL) {
		c->cache_dir = strdup(opts->cache_dir);
		if (c->cache_dir == NULL) {
			free(c);
			return ERR_NOMEM;
		}
	}
	if (opts->delegation != NULL) {
		c->delegation = malloc(sizeof(*c->delegation));
		if (c->delegation == NULL) {
			free(c->cache_dir);
			free(c);
			return ERR_NOMEM;
		}
		*c->delegation = *opts->delegation;
		memcpy(c->number, c->delegation->number, sizeof(c->number));
	} else {
		begin_account(c, opts->account);
	}
	semaphore_init(&c->starting, 1);
	cloud_open_start(c);
	*out = c;
	return ERR_OK;
}

SUSPENDS void
cloud_free(struct cloud *c)
{
	if (c == NULL)
		return;
	cloud_open_stop(c);
	cloud_store_close(c, &c->own);
	for (size_t i = 0; i < c->retired_count; i++)
		cloud_store_close(c, &c->retired[i]);
	free(c->retired);
	account_wipe(&c->account);
	record_memory_wipe(&c->records);
	if (c->delegation != NULL)
		delegation_wipe(c->delegation);
	free(c->delegation);
	crypto_wipe(&c->seed, sizeof(c->seed));
	free(c->cache_dir);
	free(c);
}

const char *
cloud_number(const struct cloud *c)
{
	return c->number;
}

const struct delegated_bucket *
cloud_delegated(const struct cloud *c, const struct hash *bucket)
{
	const struct delegation *d = c->delegation;

	for (size_t i = 0; d != NULL && i < d->count; i++) {
		if (hash_equal(&d->buckets[i].record.charter.bucket, bucket))
			return &d->buckets[i];
	}
	return NULL;
}

bool
cloud_expired(const struct cloud *c)
{
	return c->delegation != NULL && env_wall_ms(c->env) >= c->delegation->expires_ms;
}

/* ---- start ---- */

/*
 * Only after nobody knew of one. Of two machines that begin at once one founding is refused by the
 * anchors that both have chosen; where they have none in common, the finder decides which of the
 * two is found from then on, so it is asked before anything is written.
 */
static SUSPENDS int
found_own(struct cloud *c)
{
	struct charter *charter = calloc(1, sizeof(*charter));
	int err;

	if (charter == NULL)
		return ERR_NOMEM;
	err = cloud_store_draft(c, &c->seed, NULL, charter);
	if (err == ERR_OK)
		err = c->opts.ground->found(c->opts.ground, &c->account, &c->seed, charter);
	free(charter);
	return err;
}

static SUSPENDS int
start(struct cloud *c, enum cloud_start how)
{
	struct cloud_store_wish w = { .seed = &c->seed };
	uint64_t now = env_now(c->env);
	int err = cloud_store_open(c, &w, &c->own);

	if (err == ERR_NOT_FOUND && how == CLOUD_FOUND) {
		/* Perhaps only this side of a broken network does not know of it: a second one
		 * would hide the first. */
		err = cloud_store_seen(c, &c->bucket) ? ERR_UNREACHABLE : found_own(c);
		if (err == ERR_OK)
			err = cloud_store_open(c, &w, &c->own);
	}
	if (err == ERR_OK) {
		struct map_sight s;

		map_sight(c->own.map, &s);
		c->away = s.stale;
		c->believed_until = c->away ? env_now(c->env) + ASK_AGAIN : now + CLOUD_BELIEVED;
	}
	return err;
}

SUSPENDS int
cloud_start(struct cloud *c, enum cloud_start how)
{
	int err;

	if (c->delegation != NULL)
		return cloud_expired(c) ? ERR_PERMISSION : ERR_OK;
	err = semaphore_acquire(c->env, &c->starting);
	if (err != ERR_OK)
		return err;
	if (c->own.map == NULL)
		err = start(c, how);
	semaphore_release(&c->starting);
	return err;
}

/* ---- its state ---- */

/* In place of one whose epoch has ended; old_map: the one that said so. */
static SUSPENDS int
take_later(struct cloud *c, const struct map *old_map)
{
	struct cloud_store_wish w = { .seed = &c->seed };
	struct cloud_store later, *more;
	int err;

	if (c->own.map != old_map)
		return ERR_OK; /* somebody did so meanwhile */
	more = reallocarray(c->retired, c->retired_count + 1, sizeof(*more));
	if (more == NULL)
		return ERR_NOMEM;
	c->retired = more;
	err = cloud_store_open(c, &w, &later);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_UNREACHABLE : err;
	c->retired[c->retired_count++] = c->own;
	c->own = later;
	return ERR_OK;
}

/* The owner recovered the account's bucket elsewhere: it goes on where that is now. */
static SUSPENDS int
follow_epoch(struct cloud *c, const struct map *old_map)
{
	int err = semaphore_acquire(c->env, &c->starting);

	if (err != ERR_OK)
		return err;
	err = take_later(c, old_map);
	semaphore_release(&c->starting);
	return err;
}

static SUSPENDS int
view_own(struct cloud *c, enum map_fresh fresh, struct map_view **out)
{
	struct map *map = c->own.map;
	int err = map_view(map, fresh, out);

	if (err != ERR_STALE)
		return err;
	err = follow_epoch(c, map);
	return err == ERR_OK ? map_view(c->own.map, fresh, out) : err;
}

/* Asks the anchors and remembers how it went. */
static SUSPENDS int
view_current(struct cloud *c, struct map_view **out)
{
	uint64_t asked = env_now(c->env);
	int err = view_own(c, MAP_CURRENT, out);

	c->away = err == ERR_UNREACHABLE;
	if (err == ERR_OK)
		c->believed_until = MAX(c->believed_until, asked + CLOUD_BELIEVED);
	else
		c->believed_until = env_now(c->env) + ASK_AGAIN;
	return err;
}

static SUSPENDS int
refresh(void *arg)
{
	struct cloud *c = arg;
	struct map_view *v;
	int err = view_current(c, &v);

	if (err == ERR_OK)
		map_view_release(v);
	c->refreshing = false;
	return err;
}

SUSPENDS int
cloud_view(struct cloud *c, enum map_fresh fresh, struct map_view **out)
{
	int err;

	if (c->delegation != NULL)
		return ERR_PERMISSION;
	if (c->own.map == NULL)
		return ERR_STATE;
	if (fresh == MAP_CURRENT)
		return view_current(c, out);
	if (fresh == MAP_RECALL)
		return view_own(c, fresh, out);
	if (env_now(c->env) >= c->believed_until && !c->away) {
		err = view_current(c, out);
		if (err != ERR_UNREACHABLE)
			return err;
	}
	/* Nobody waits for anchors that were away when they were asked last. */
	if (env_now(c->env) >= c->believed_until && !c->refreshing)
		c->refreshing = task_spawn(&c->background, "cloud refresh", refresh, c) == ERR_OK;
	return map_view(c->own.map, MAP_ANY, out);
}

SUSPENDS int
cloud_update(struct cloud *c, map_fn *fn, void *arg)
{
	struct map *map = c->own.map;
	int err;

	if (c->delegation != NULL)
		return ERR_PERMISSION;
	if (map == NULL)
		return ERR_STATE;
	err = map_update(map, fn, arg);
	if (err != ERR_STALE) /* nothing was written then */
		return err;
	err = follow_epoch(c, map);
	return err == ERR_OK ? map_update(c->own.map, fn, arg) : err;
}

struct cloud_key_text
cloud_table_key(enum cloud_table t, const void *text, size_t len)
{
	struct cloud_key_text k = { .b = { (uint8_t)t }, .len = 1 + len };

	must(k.len <= sizeof(k.b));
	memcpy(k.b + 1, text, len);
	return k;
}

struct bytes
cloud_key_bytes(const struct cloud_key_text *k)
{
	return bytes_of(k->b, k->len);
}

SUSPENDS int
cloud_table_each(struct kv *kv, enum cloud_table t,
    int (*each)(void *arg, struct bytes name, struct bytes value), void *arg)
{
	uint8_t letter = (uint8_t)t;
	struct buf key, value;
	int err;

	buf_init(&key, KV_KEY_MAX + 1);
	buf_init_secret(&value, KV_VALUE_MAX);
	err = kv_seek(kv, bytes_of(&letter, 1), &key, &value);
	while (err == ERR_OK && key.len > 0 && key.data[0] == letter) {
		err = each(arg, bytes_of(key.data + 1, key.len - 1), buf_bytes(&value));
		if (err == ERR_OK)
			err = kv_next(kv, &key, &value);
	}
	buf_fini(&key);
	buf_wipe(&value);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
count_one(void *arg, struct bytes name, struct bytes value)
{
	(void)name;
	(void)value;
	++*(size_t *)arg;
	return ERR_OK;
}

SUSPENDS int
cloud_table_room(struct kv *kv, enum cloud_table t, size_t most)
{
	size_t count = 0;
	int err = cloud_table_each(kv, t, count_one, &count);

	return err == ERR_OK && count >= most ? ERR_FULL : err;
}

SUSPENDS int
cloud_table_list(struct cloud *c, enum cloud_table t, uint64_t *stale_ms,
    int (*each)(void *arg, struct bytes name, struct bytes value), void *arg)
{
	struct map_view *v;
	int err = cloud_view(c, stale_ms != NULL ? MAP_RECALL : MAP_CURRENT, &v);

	if (err != ERR_OK)
		return err;
	if (stale_ms != NULL)
		*stale_ms = map_view_stale_ms(v);
	err = cloud_table_each(map_view_kv(v), t, each, arg);
	map_view_release(v);
	return err;
}

SUSPENDS int
cloud_get(
    struct cloud *c, enum map_fresh fresh, const struct cloud_key_text *key, struct buf *value)
{
	struct map_view *v;
	int err = cloud_view(c, fresh, &v);

	if (err != ERR_OK)
		return err;
	err = kv_get(map_view_kv(v), cloud_key_bytes(key), value);
	map_view_release(v);
	return err;
}

/* ---- its name ---- */

SUSPENDS int
cloud_name(struct cloud *c, char out[CLOUD_NAME_MAX + 1])
{
	struct cloud_key_text key = cloud_table_key(TABLE_ACCOUNT, name_key, strlen(name_key));
	struct buf value;
	int err;

	if (c->delegation != NULL) {
		static_assert(CLOUD_NAME_MAX == DELEGATION_NAME_MAX, "one is the other");
		memcpy(out, c->delegation->account, CLOUD_NAME_MAX + 1);
		return ERR_OK;
	}
	buf_init(&value, KV_VALUE_MAX);
	err = cloud_get(c, MAP_ANY, &key, &value);
	if (err == ERR_NOT_FOUND) {
		memcpy(out, name_default, sizeof(name_default));
		err = ERR_OK;
	} else if (err == ERR_OK && value.len > CLOUD_NAME_MAX) {
		err = ERR_CORRUPT;
	} else if (err == ERR_OK) {
		memcpy(out, buf_str(&value), value.len + 1);
	}
	buf_fini(&value);
	return err;
}

static SUSPENDS int
set_name(void *arg, struct kv *txn)
{
	const char *name = arg;
	struct cloud_key_text key = cloud_table_key(TABLE_ACCOUNT, name_key, strlen(name_key));

	return kv_put(txn, cloud_key_bytes(&key), bytes_of(name, strlen(name)));
}

SUSPENDS int
cloud_set_name(struct cloud *c, const char *name)
{
	char copy[CLOUD_NAME_MAX + 1];
	size_t len = strlen(name);

	if (len == 0 || len > CLOUD_NAME_MAX)
		return ERR_INVALID;
	memcpy(copy, name, len + 1);
	return cloud_update(c, set_name, copy);
}
