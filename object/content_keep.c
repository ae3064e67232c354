/*
 * Two tasks: one goes through all that is named in small batches, the other through the trash. What
 * fails is logged and comes up again; only the state itself being out of reach ends a pass.
 */
#include "object/content_keep_private.h"

#include <stdlib.h>

#include "overlay/base/pack.h"
#include "storage/renew.h"

/* Of leases, by asking their holders: 5 million chunks in a tour. */
#define LOOK_INTERVAL MILLISECONDS(250)
/* Entries of one view: their contents stay what they were while they are looked at. */
#define BATCH_ENTRIES 64
#define TOUR_PAUSE    MINUTES(10)
/* What a restart costs at most is done again. */
#define SAVE_INTERVAL MINUTES(5)
#define TOUR_VERSION  1

uint64_t
keeper_now_ms(const struct content_keeper *k)
{
	struct agreed_time now;

	endpoint_agreed_time(chunks_endpoint(k->opts.files->opts.chunks), &now);
	return now.unix_ms;
}

/* ---- where the tour is ---- */

static const uint8_t tour_key[] = { CONTENT_TABLE_KEEPING, 't' };

static int
tour_unpack(struct bytes in, struct tour *t)
{
	struct unpacker u = unpacker_on(in);
	uint8_t version = unpack_u8(&u), over;
	uint64_t started = unpack_u64(&u);
	struct bytes place;

	over = unpack_u8(&u);
	place = unpack_lend(&u, unpack_left(&u));
	if (u.failed || over > 1 || place.len > BUCKET_PLACE_MAX)
		return ERR_CORRUPT;
	if (version != TOUR_VERSION)
		return ERR_VERSION;
	t->started_ms = started;
	t->over = over == 1;
	t->place_len = place.len;
	if (place.len > 0)
		memcpy(t->place, place.data, place.len);
	return ERR_OK;
}

static int
tour_load(void *arg, struct kv *kv)
{
	struct content_keeper *k = arg;
	struct buf value;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = kv_get(kv, bytes_of(tour_key, sizeof(tour_key)), &value);
	if (err == ERR_OK)
		err = tour_unpack(buf_bytes(&value), &k->tour);
	buf_fini(&value);
	/* Never begun, or by a later version of us, whose cursor means something else. */
	if (err == ERR_NOT_FOUND || err == ERR_VERSION) {
		memset(&k->tour, 0, sizeof(k->tour));
		err = ERR_OK;
	}
	return err;
}

static int
tour_save(void *arg, struct kv *txn)
{
	const struct content_keeper *k = arg;
	uint8_t value[1 + 8 + 1 + BUCKET_PLACE_MAX];
	struct packer p = packer_on(value, sizeof(value));

	pack_u8(&p, TOUR_VERSION);
	pack_u64(&p, k->tour.started_ms);
	pack_u8(&p, k->tour.over);
	pack_raw(&p, k->tour.place, k->tour.place_len);
	must(pack_ok(&p));
	return kv_put(txn, bytes_of(tour_key, sizeof(tour_key)), bytes_of(value, p.len));
}

static SUSPENDS int
save(struct content_keeper *k, bool now)
{
	if (!now && env_now(k->env) - k->saved_at < SAVE_INTERVAL)
		return ERR_OK;
	k->saved_at = env_now(k->env);
	return k->opts.state.update(k->opts.state.arg, tour_save, k);
}

/* ---- one chunk ---- */

/* With a lock at least as long: what one of a pack's members asks for is the pack's. */
static bool
looked_before(struct content_keeper *k, const struct hash *chunk)
{
	for (size_t i = 0; i < ARRAY_LEN(k->recent); i++) {
		struct looked_at *l = &k->recent[i];

		if (!hash_equal(&l->chunk, chunk))
			continue;
		if (l->lock_until_ms >= k->lock_until_ms)
			return true;
		l->lock_until_ms = k->lock_until_ms;
		return false;
	}
	k->recent[k->recent_next++ % ARRAY_LEN(k->recent)] =
	    (struct looked_at){ *chunk, k->lock_until_ms };
	return false;
}

static SUSPENDS int
renew(struct content_keeper *k, const struct chunk_ref *ref, uint64_t now_s)
{
	struct chunk_renewed told;
	/* A hold has no end: the lock goes along with the tours. */
	uint64_t lock = MIN(k->lock_until_ms / 1000, now_s + LEASE_TERM_S);
	struct chunk_renew_opts opts = { .signer = k->opts.signer, .until = now_s + LEASE_TERM_S };
	int err;

	if (k->lock_until_ms == UINT64_MAX)
		lock = now_s + 2 * k->opts.tour_s;
	opts.lock_until = lock > now_s ? lock : 0;
	err = chunk_renew(k->opts.files->opts.chunks, ref, &opts, &told);
	if (err == ERR_UNSUPPORTED) { /* nobody grants it: kept all the same */
		k->sight.unlocked++;
		opts.lock_until = 0;
		err = chunk_renew(k->opts.files->opts.chunks, ref, &opts, &told);
	} else if (err == ERR_OK && opts.lock_until > 0) {
		k->sight.locked++;
	}
	k->sight.renewed += err == ERR_OK;
	k->sight.unreached += err == ERR_UNREACHABLE;
	if (err != ERR_OK && err != ERR_CANCELED)
		log_warn(k->env, "a lease of the bucket is not prolonged: %s", err_text(err));
	return err == ERR_CANCELED ? err : ERR_OK;
}

/* Members of a pack come one after the other: it is looked at once. */
static int
look(void *arg, const struct chunk_ref *ref)
{
	struct content_keeper *k = arg;
	struct shard_state *shards;
	uint64_t now_s = keeper_now_ms(k) / 1000, until = UINT64_MAX;
	uint8_t live = 0;
	int err;

	if (looked_before(k, &ref->id))
		return ERR_OK;
	shards = calloc(SHARDS_MAX, sizeof(*shards));
	if (shards == NULL)
		return ERR_NOMEM;
	err = chunk_survey(k->opts.files->opts.chunks, ref, shards, &live);
	for (uint8_t i = 0; err == ERR_OK && i < ref->code.n; i++) {
		if (shards[i].live && shards[i].lease_until != 0)
			until = MIN(until, shards[i].lease_until);
	}
	free(shards);
	k->sight.looked++;
	if (err == ERR_OK && live == 0)
		k->sight.unreached++;
	else if (err == ERR_OK &&
		 (until < now_s + LEASE_RENEW_BELOW_S || k->lock_until_ms > now_s * 1000))
		err = renew(k, ref, now_s);
	if (err == ERR_OK && !k->hurry)
		err = task_sleep(k->env, LOOK_INTERVAL);
	return err == ERR_UNREACHABLE ? ERR_OK : err;
}

/* ---- a batch ---- */

static int
fill_batch(void *arg, struct kv *kv)
{
	struct keep_batch *b = arg;
	const struct tour *t = &b->keeper->tour;
	int err;

	keep_batch_reset(b);
	buf_reset(&b->place);
	b->view = kv;
	err = buf_append(&b->place, t->place, t->place_len);
	if (err == ERR_OK)
		err = bucket_contents(kv, &b->place, BATCH_ENTRIES, keep_batch_add, b);
	b->last = err == ERR_END;
	return err == ERR_END ? ERR_OK : err;
}

static SUSPENDS int
look_at(struct content_keeper *k, const struct keep_entry *e)
{
	struct content_each each = { look, k };
	int err;

	k->lock_until_ms = e->locked_until_ms;
	err = content_each_chunk(k->opts.files, &e->content, &each);
	k->lock_until_ms = 0;
	if (err == ERR_OK || err == ERR_CANCELED || err == ERR_NOMEM)
		return err;
	log_warn(k->env, "the chunks of an object are not known: %s", err_text(err));
	return ERR_OK;
}

/* The tour goes on when all of the batch was looked at. */
static SUSPENDS int
run_batch(struct content_keeper *k, struct keep_batch *b)
{
	int err = k->opts.state.view(k->opts.state.arg, fill_batch, b);

	for (size_t i = 0; err == ERR_OK && i < b->count; i++)
		err = look_at(k, &b->entries[i]);
	if (err == ERR_OK)
		err = keep_batch_move(b);
	if (err != ERR_OK)
		return err;
	k->tour.place_len = b->place.len;
	if (b->place.len > 0)
		memcpy(k->tour.place, b->place.data, b->place.len);
	return save(k, false);
}

static SUSPENDS int
run_tour(struct content_keeper *k)
{
	struct keep_batch *b = keep_batch_new(k);
	int err = b == NULL ? ERR_NOMEM : ERR_OK;

	while (err == ERR_OK && !b->last)
		err = run_batch(k, b);
	keep_batch_free(b);
	if (err == ERR_OK && k->opts.state.own_chunks != NULL)
		err = k->opts.state.own_chunks(k->opts.state.arg, look, k);
	if (err == ERR_OK) {
		k->sight.tours++;
		k->tour.over = true;
		err = save(k, true);
	}
	return err;
}

/* Goes on with the one that was begun, or begins one whose time has come. ERR_END: it has not. */
static SUSPENDS int
begin_tour(struct content_keeper *k, bool now)
{
	int err = k->opts.state.view(k->opts.state.arg, tour_load, k);
	uint64_t now_ms = keeper_now_ms(k);

	if (err != ERR_OK)
		return err;
	if (k->tour.started_ms != 0 && !k->tour.over)
		return ERR_OK;
	if (!now && k->tour.started_ms != 0 && now_ms < k->tour.started_ms + k->opts.tour_s * 1000)
		return ERR_END;
	k->tour = (struct tour){ .started_ms = now_ms };
	memset(k->recent, 0, sizeof(k->recent));
	return save(k, true);
}

int
content_keeper_tour(struct content_keeper *k)
{
	int err = semaphore_acquire(k->env, &k->touring);

	if (err != ERR_OK)
		return err;
	k->hurry = true;
	err = begin_tour(k, true);
	if (err == ERR_OK)
		err = run_tour(k);
	k->hurry = false;
	semaphore_release(&k->touring);
	return err;
}

/* ---- all the time ---- */

static bool
mine(const struct content_keeper *k)
{
	return k->opts.mine == NULL || k->opts.mine(k->opts.arg);
}

static int
tour_task(void *arg)
{
	struct content_keeper *k = arg;
	int err;

	while ((err = task_sleep(k->env, TOUR_PAUSE)) == ERR_OK) {
		if (!mine(k) || !semaphore_try(&k->touring))
			continue;
		err = begin_tour(k, false);
		if (err == ERR_OK)
			err = run_tour(k);
		semaphore_release(&k->touring);
		if (err != ERR_OK && err != ERR_END && err != ERR_CANCELED)
			log_warn(k->env, "the tour of a bucket is broken off: %s", err_text(err));
	}
	return err;
}

static int
trash_task(void *arg)
{
	struct content_keeper *k = arg;
	/* So that with the usual day nothing waits noticeably longer. */
	uint64_t pause = MIN(TOUR_PAUSE, MAX(SECONDS(k->opts.trash_wait_s) / 4, SECONDS(1)));
	int err;

	while ((err = task_sleep(k->env, pause)) == ERR_OK) {
		if (!mine(k))
			continue;
		err = content_keeper_trash(k);
		if (err != ERR_OK && err != ERR_CANCELED)
			log_warn(k->env, "the trash of a bucket waits: %s", err_text(err));
	}
	return err;
}

int
content_keeper_new(const struct content_keeper_opts *opts, struct content_keeper **out)
{
	struct content_keeper *k = calloc(1, sizeof(*k));
	int err;

	if (k == NULL)
		return ERR_NOMEM;
	k->opts = *opts;
	if (k->opts.tour_s == 0)
		k->opts.tour_s = CONTENT_TOUR_S;
	if (k->opts.trash_wait_s == 0)
		k->opts.trash_wait_s = CONTENT_TRASH_WAIT_S;
	k->env = opts->files->env;
	semaphore_init(&k->touring, 1);
	semaphore_init(&k->emptying, 1);
	task_group_init(&k->tasks, k->env);
	err = task_spawn(&k->tasks, "tour of a bucket", tour_task, k);
	if (err == ERR_OK)
		err = task_spawn(&k->tasks, "trash of a bucket", trash_task, k);
	if (err != ERR_OK)
		content_keeper_free(k);
	else
		*out = k;
	return err;
}

void
content_keeper_free(struct content_keeper *k)
{
	if (k == NULL)
		return;
	task_group_fini(&k->tasks);
	free(k);
}

void
content_keeper_sight(const struct content_keeper *k, struct content_keeper_sight *out)
{
	*out = k->sight;
}
