/*
 * Scrub: every shard is read and verified within SCRUB_TOUR, one at a time, in the order of the
 * chunks' names. A bad one is dropped, and its siblings are told so ([8]): they count it as lost
 * and repair it as any other. So are they when the store meets one before us. The place reached is
 * kept, so that a node that restarts often comes round all the same.
 */
#include <stdlib.h>

#include "overlay/base/pack.h"
#include "storage/keeper_private.h"
#include "storage/store_values.h"

#define SCRUB_TOUR     ((uint64_t)30 * HOURS(24))
/* Between two shards at most: a node with few of them does not sleep over a month. */
#define SCRUB_STEP_MAX HOURS(6)
#define SCRUB_SAVE     HOURS(1)
/* So often in a row the disk refuses a shard before that counts as rot: a cable may be loose. */
#define SCRUB_TRIES    3

static const struct hash place_key = { "scrub/1" };

static uint64_t
step(const struct keeper *k)
{
	uint64_t shards = MAX(k->status.scrub_shards, (uint64_t)1);

	return keeper_time(k, MIN(SCRUB_TOUR / shards, SCRUB_STEP_MAX));
}

static SUSPENDS void
load_place(struct keeper *k)
{
	struct buf value;

	buf_init(&value, STORE_VALUE_MAX);
	if (store_value(k->opts.store, STORE_NODE, &place_key, &value) == ERR_OK &&
	    value.len == sizeof(k->scrub_at))
		memcpy(&k->scrub_at, value.data, value.len);
	buf_fini(&value);
	k->scrub_loaded = true;
}

static SUSPENDS void
save_place(struct keeper *k)
{
	uint64_t now = env_now(k->env);
	int err;

	if (now - k->scrub_saved_at < keeper_time(k, SCRUB_SAVE))
		return;
	k->scrub_saved_at = now;
	err = store_set_value(
	    k->opts.store, STORE_NODE, &place_key, bytes_of(k->scrub_at.b, sizeof(k->scrub_at.b)));
	if (err != ERR_OK)
		log_debug(k->env, "the scrub's place is not kept: %s", err_text(err));
}

/* For all that live; who is away asks us when he is back. */
static void
confess(struct keeper *k, const struct chunk_facts *f, uint8_t index)
{
	struct hold h = { .mine = index, .tell = true, .lost = true };

	memcpy(h.chunk, f->chunk.b, sizeof(h.chunk));
	h.lease_sum = facts_lease_sum(f);
	for (size_t i = 0; i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];
		struct neighbour *one = neighbours_find(k->neighbours, &s->node);

		h.yours = s->index;
		if (one != NULL && one->silent_at == 0 && !keeper_is_self(k, &s->node))
			(void)keeper_offer(k, one, &h);
	}
}

int
keeper_let_go(struct keeper *k, const struct chunk_facts *f, uint8_t index)
{
	int err = keeper_drop(k, &f->chunk, index);

	if (err != ERR_OK)
		return err;
	keeper_changed(k, &f->chunk);
	confess(k, f, index);
	return keeper_ask_told(k);
}

static void
note_rot(struct keeper *k, uint8_t index)
{
	k->status.scrub_rot++;
	log_error(
	    k->env, "shard %u of a chunk has gone bad on the disk: dropped, to be rebuilt", index);
}

int
keeper_rotted(struct keeper *k, const struct chunk_facts *f, uint8_t index)
{
	note_rot(k, index);
	return keeper_let_go(k, f, index);
}

int
keeper_lost(struct keeper *k, const struct hash *chunk, uint8_t index, struct chunk_facts *room)
{
	int err = store_facts(k->opts.store, chunk, room);
	struct held *h = ledger_find(k->ledger, chunk, index);

	/* Not taken for ours yet, or told already; or made anew meanwhile. */
	if (h == NULL || (err == ERR_OK && facts_has(room, index)))
		return ERR_OK;
	ledger_remove(k->ledger, h);
	note_rot(k, index);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	keeper_changed(k, chunk);
	confess(k, room, index);
	return ERR_OK;
}

/* Whether the disk gives another shard, whole or not. */
static SUSPENDS bool
disk_reads(struct keeper *k, const struct hash *but)
{
	struct chunk_facts *other = malloc(sizeof(*other));
	struct hash from = *but;
	int err = ERR_NOMEM;

	if (other != NULL)
		err = store_name_after(&from) ? store_next_facts(k->opts.store, &from, other)
					      : ERR_NOT_FOUND;
	if (err == ERR_NOT_FOUND) {
		memset(&from, 0, sizeof(from));
		err = store_next_facts(k->opts.store, &from, other);
	}
	if (err == ERR_OK && hash_equal(&other->chunk, but))
		err = ERR_NOT_FOUND;
	if (err == ERR_OK)
		err = store_verify(k->opts.store, &other->chunk, other->indices[0]);
	free(other);
	return err == ERR_OK || err == ERR_CORRUPT;
}

/*
 * The disk gave an error. It may be the disk, and pass; it may be a sector that nobody will ever
 * read again, and then the shard is lost like any that has rotted.
 */
static SUSPENDS int
judge_unread(struct keeper *k, const struct chunk_facts *f, int err)
{
	if (++k->scrub_unread < SCRUB_TRIES)
		return err; /* the same one again at the next step */
	k->scrub_unread = 0;
	return disk_reads(k, &f->chunk) ? ERR_CORRUPT : ERR_NOT_FOUND;
}

static SUSPENDS int
scrub_shard(struct keeper *k, const struct chunk_facts *f, uint8_t index)
{
	int err = store_verify(k->opts.store, &f->chunk, index);

	/* ERR_NOT_FOUND: dropped meanwhile, or not proven, of which the store tells keeper_lost. */
	if (err == ERR_IO)
		err = judge_unread(k, f, err);
	else
		k->scrub_unread = 0;
	if (err == ERR_OK || err == ERR_CORRUPT) {
		k->status.scrubbed++;
		k->status.scrubbed_at_ms = env_wall_ms(k->env);
	}
	if (err != ERR_CORRUPT)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	return keeper_rotted(k, f, index);
}

/* The next chunk's shards. */
static SUSPENDS int
scrub_next(struct keeper *k, struct chunk_facts *f)
{
	int err = store_next_facts(k->opts.store, &k->scrub_at, f);

	if (err == ERR_NOT_FOUND) {
		memset(&k->scrub_at, 0, sizeof(k->scrub_at));
		k->status.scrub_tours += k->status.scrubbed > 0;
		k->status.scrub_ended_ms = env_wall_ms(k->env);
		return ERR_OK;
	}
	for (size_t i = 0; err == ERR_OK && i < f->count; i++)
		err = scrub_shard(k, f, f->indices[i]);
	if (err == ERR_OK) {
		k->scrub_at = f->chunk;
		(void)store_name_after(&k->scrub_at);
	}
	return err;
}

static int
scrub_task(void *arg)
{
	struct keeper *k = arg;
	struct chunk_facts *f = malloc(sizeof(*f));
	struct store_status now;
	int err = ERR_NOMEM;

	if (!k->scrub_loaded)
		load_place(k);
	if (f != NULL)
		err = scrub_next(k, f);
	free(f);
	if (err == ERR_CANCELED)
		return err;
	if (err != ERR_OK)
		log_warn(k->env, "a shard was not verified: %s", err_text(err));
	save_place(k);
	store_status(k->opts.store, &now);
	k->status.scrub_shards = now.shards;
	timer_start(&k->scrub, step(k));
	return err;
}

void
keeper_scrub_fire(void *arg)
{
	struct keeper *k = arg;

	/* Started again by the next tour that finds something. */
	if (ledger_count(k->ledger) == 0)
		return;
	if (task_spawn(&k->group, "scrub", scrub_task, k) != ERR_OK)
		timer_start(&k->scrub, keeper_time(k, SCRUB_STEP_MAX));
}
