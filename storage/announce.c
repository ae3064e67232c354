/*
 * A sorted array of (location key, chunk id) of everything stored, read from the store at the
 * start and now and then after (what was dropped goes then), added to as chunks arrive. The sweep
 * asks for the next key and for its record; the record is made from the siblings that the uploader
 * or repairer told. Chunks without siblings (uploads in progress) are not announced.
 */
#include "storage/announce.h"

#include <stdlib.h>

#include "storage/siblings.h"
#include "storage/store_walk.h"

/* The store is read anew so often: arrivals are added as they come, only drops wait for it. */
#define REREAD_INTERVAL HOURS(12)
#define PUBLISHERS      2
#define NAMES_AT_ONCE   1024

struct entry {
	struct id key;
	struct hash chunk;
};

struct announce {
	struct announce_opts opts;
	struct env *env;
	struct network_id net;
	struct entry *entries; /* by key */
	size_t count, cap;
	struct task_group group;
	struct timer reread;
	bool reading;
};

/* First entry with a key ≥ key. */
static size_t
find(const struct announce *a, const struct id *key)
{
	size_t low = 0, high = a->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (memcmp(a->entries[mid].key.b, key->b, sizeof(key->b)) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool
known(const struct announce *a, const struct id *key)
{
	size_t at = find(a, key);

	return at < a->count && id_equal(&a->entries[at].key, key);
}

static bool
grow(struct entry **entries, size_t *cap, size_t count)
{
	if (count < *cap)
		return true;

	size_t cap_new = *cap == 0 ? 64 : *cap * 2;
	struct entry *e = realloc(*entries, cap_new * sizeof(*e));

	if (e == NULL)
		return false;
	*entries = e;
	*cap = cap_new;
	return true;
}

/* Out of memory costs an announcement until the next reading of the store, nothing more. */
static bool
insert(struct announce *a, const struct entry *e)
{
	size_t at = find(a, &e->key);

	if (known(a, &e->key))
		return true;
	if (!grow(&a->entries, &a->cap, a->count))
		return false;
	memmove(&a->entries[at + 1], &a->entries[at], (a->count - at) * sizeof(*e));
	a->entries[at] = *e;
	a->count++;
	return true;
}

void
announce_chunk(struct announce *a, const struct hash *chunk)
{
	struct entry e = { .chunk = *chunk };

	location_key(a->net, chunk, &e.key);
	if (!insert(a, &e))
		log_warn(a->env, "no memory to announce a chunk now");
	dht_announce_soon(a->opts.dht, &e.key);
}

/* ---- reading the store ---- */

static int
by_key(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	return memcmp(a->key.b, b->key.b, sizeof(a->key.b));
}

struct derive_job {
	struct network_id net;
	struct entry *entries;
	size_t count;
};

/* In a worker: a location key costs a key pair each. */
static int
derive_keys(void *arg)
{
	struct derive_job *j = arg;

	/* qsort wants an array, even for nothing. */
	if (j->count == 0)
		return ERR_OK;
	for (size_t i = 0; i < j->count; i++)
		location_key(j->net, &j->entries[i].chunk, &j->entries[i].key);
	qsort(j->entries, j->count, sizeof(*j->entries), by_key);
	return ERR_OK;
}

/* The chunks of the store, each once. */
static int
read_names(struct announce *a, struct shard_name *names, struct entry **entries, size_t *count)
{
	struct shard_walk walk = { .ended = false };
	size_t cap = 0, read;
	int err;

	do {
		err = store_list(a->opts.store, &walk, names, NAMES_AT_ONCE, &read);
		for (size_t i = 0; err == ERR_OK && i < read; i++) {
			if (i > 0 && hash_equal(&names[i].chunk, &names[i - 1].chunk))
				continue;
			if (!grow(entries, &cap, *count))
				err = ERR_NOMEM;
			else
				(*entries)[(*count)++].chunk = names[i].chunk;
		}
	} while (err == ERR_OK && read > 0);
	return err;
}

static int
read_store(struct announce *a, struct entry **out, size_t *out_count)
{
	struct shard_name *names = malloc(NAMES_AT_ONCE * sizeof(*names));
	struct entry *entries = NULL;
	size_t count = 0;
	int err = names == NULL ? ERR_NOMEM : read_names(a, names, &entries, &count);

	free(names);
	if (err == ERR_OK) {
		struct derive_job job = { a->net, entries, count };

		err = env_offload(a->env, WORK_CPU, derive_keys, &job, count * WORK_INLINE_MAX);
	}
	if (err != ERR_OK) {
		free(entries);
		return err;
	}
	*out = entries;
	*out_count = count;
	return ERR_OK;
}

static int
reread_task(void *arg)
{
	struct announce *a = arg;
	struct entry *fresh, *old;
	size_t count, old_count;
	int err = read_store(a, &fresh, &count);

	a->reading = false;
	if (err == ERR_CANCELED)
		return err; /* shutting down: no timer any more */
	timer_start(&a->reread, REREAD_INTERVAL / MAX(a->opts.pace, 1));
	if (err != ERR_OK) {
		log_warn(a->env, "reading the store to announce it failed: %s", err_text(err));
		return err;
	}
	/* What arrived while we read may be missing in fresh: insert puts it there. */
	old = a->entries;
	old_count = a->count;
	a->entries = fresh;
	a->count = a->cap = count;
	for (size_t i = 0; i < old_count; i++) {
		uint8_t index;
		size_t there;

		if (!known(a, &old[i].key) &&
		    store_find(a->opts.store, &old[i].chunk, &index, 1, &there) == ERR_OK &&
		    there > 0)
			insert(a, &old[i]);
	}
	free(old);
	return ERR_OK;
}

static void
reread_fire(void *arg)
{
	struct announce *a = arg;

	if (a->reading)
		return;
	a->reading = task_spawn(&a->group, "announce reread", reread_task, a) == ERR_OK;
	if (!a->reading)
		timer_start(&a->reread, SECONDS(10));
}

/* ---- what the sweep asks ---- */

static int
next_key(void *arg, const struct id *from, struct id *key)
{
	struct announce *a = arg;
	size_t at = find(a, from);

	if (at == a->count)
		return ERR_NOT_FOUND;
	*key = a->entries[at].key;
	return ERR_OK;
}

/* Never met is no sign of death in a large network, strikes are. */
static bool
seems_dead(const struct announce *a, const struct pubkey *node)
{
	struct peer_info info;

	return endpoint_peer(a->opts.endpoint, node, &info) && info.strikes >= 2;
}

/*
 * One that is gone stays a sibling for days; readers need not knock at its door when another one
 * has the same shard. Else it is named all the same: it may have come back since we last tried.
 */
static bool
is_elsewhere(const struct announce *a, const struct siblings *s, size_t of)
{
	for (size_t i = 0; i < s->count; i++) {
		if (i != of && s->at[i].index == s->at[of].index && !seems_dead(a, &s->at[i].node))
			return true;
	}
	return false;
}

/* Whether we are among the PUBLISHERS lowest of those siblings that seem alive, ourselves included.
 */
static bool
our_turn(const struct announce *a, const struct hash *chunk, const struct siblings *s)
{
	const struct identity *self = endpoint_identity(a->opts.endpoint);
	struct hash ours;
	size_t before = 0;

	holder_rank(chunk, &self->pub, &ours);
	for (size_t i = 0; i < s->count; i++) {
		if (pubkey_equal(&s->at[i].node, &self->pub) || seems_dead(a, &s->at[i].node))
			continue;
		before += holder_before(chunk, &s->at[i].node, &ours);
	}
	return before < PUBLISHERS;
}

static int
make_location(
    struct announce *a, const struct hash *chunk, const struct siblings *s, struct record *out)
{
	struct agreed_time now;
	struct location l = { 0 };

	endpoint_agreed_time(a->opts.endpoint, &now);
	l.sequence = now.unix_ms;
	for (size_t i = 0; i < s->count && l.count < RECORD_HOLDERS_MAX; i++) {
		struct id id;

		if (seems_dead(a, &s->at[i].node) && is_elsewhere(a, s, i))
			continue;
		id_of_pubkey(&s->at[i].node, &id);
		l.holders[l.count].index = s->at[i].index;
		memcpy(l.holders[l.count].prefix, id.b, sizeof(l.holders[l.count].prefix));
		l.count++;
	}
	return location_make(a->net, chunk, &l, endpoint_identity(a->opts.endpoint), out);
}

/* Called on the sweep's task: reads the siblings from the store. */
static int
make_record(void *arg, const struct id *key, struct record *out)
{
	struct announce *a = arg;
	size_t at = find(a, key);

	if (at == a->count || !id_equal(&a->entries[at].key, key))
		return ERR_NOT_FOUND;

	struct hash chunk = a->entries[at].chunk; /* entries may move while we read */
	struct siblings *s = malloc(sizeof(*s));
	struct buf packed;
	uint64_t sequence;
	int err = s == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&packed, SHARDS_MAX * SIBLING_BYTES);
	if (err == ERR_OK)
		err = store_siblings(a->opts.store, &chunk, &sequence, &packed);
	if (err == ERR_OK)
		err = siblings_unpack(buf_bytes(&packed), SHARDS_MAX, s);
	if (err == ERR_OK && !our_turn(a, &chunk, s))
		err = ERR_NOT_FOUND;
	if (err == ERR_OK)
		err = make_location(a, &chunk, s, out);
	buf_fini(&packed);
	free(s);
	return err;
}

/* ---- assembly ---- */

int
announce_new(const struct announce_opts *opts, struct announce **out)
{
	struct announce *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return ERR_NOMEM;
	a->opts = *opts;
	a->env = endpoint_env(opts->endpoint);
	a->net = endpoint_net(opts->endpoint);
	task_group_init(&a->group, a->env);
	timer_init(&a->reread, a->env, reread_fire, a);
	reread_fire(a);
	dht_set_announcer(
	    opts->dht, &(struct announcer){ .next = next_key, .make = make_record, .arg = a });
	*out = a;
	return ERR_OK;
}

void
announce_shutdown(struct announce *a, void (*done)(void *arg), void *arg)
{
	timer_stop(&a->reread);
	task_group_shutdown(&a->group, done, arg);
}

void
announce_free(struct announce *a)
{
	if (a == NULL)
		return;
	timer_stop(&a->reread);
	free(a->entries);
	free(a);
}

size_t
announce_count(const struct announce *a)
{
	return a->count;
}
