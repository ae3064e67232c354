/*
 * Leaving in order: each shard is given to somebody else before ours goes, with leases and
 * siblings, so that nothing is ever at risk. That a node leaves is kept in its store: after a
 * restart it goes on. What finds no taker is tried again; until then it is served as before.
 */
#include <stdlib.h>

#include "storage/repair.h"
#include "storage/store_values.h"

static const struct hash leaving_key = { "leaving/1" };

#define AGAIN         SECONDS(10)
#define MOVES_AT_ONCE 4

uint64_t
keeper_leave_left(const struct keeper *k)
{
	struct store_status s;

	store_status(k->opts.store, &s);
	return s.shards + (k->leave_left == NULL ? 0 : k->leave_left(k->leave_left_arg));
}

bool
keeper_leaves(const struct keeper *k)
{
	return k->leaving;
}

void
keeper_on_leave(struct keeper *k, size_t (*left)(void *arg), void *arg)
{
	k->leave_left = left;
	k->leave_left_arg = arg;
}

/* Several at a time, as repair does. */
struct round {
	struct keeper *k;
	uint64_t at;
	size_t cursor; /* of the ledger; what goes moves others behind it, so it comes round once */
};

/* The next one that was not tried in this round. */
static struct held *
next_to_go(struct round *r)
{
	for (int turn = 0; turn < 2; turn++) {
		struct held *h;

		while ((h = ledger_next(r->k->ledger, &r->cursor)) != NULL) {
			if (h->index != INDEX_NONE && h->moved_at < r->at)
				return h;
		}
		r->cursor = 0;
	}
	return NULL;
}

static int
round_task(void *arg)
{
	struct round *r = arg;
	struct keeper *k = r->k;
	struct held *h;
	int err = ERR_OK;

	while (err != ERR_CANCELED && (h = next_to_go(r)) != NULL) {
		struct hash chunk = h->chunk;
		uint8_t index = h->index;

		h->moved_at = r->at;
		err = repair_move(k, &chunk, index);
		if (err != ERR_OK && err != ERR_CANCELED)
			log_info(k->env, "a shard finds no taker: %s", err_text(err));
	}
	return err == ERR_CANCELED ? err : ERR_OK;
}

static SUSPENDS int
one_round(struct keeper *k)
{
	struct round r = { .k = k, .at = env_now(k->env) };

	return task_together(k->env, "leave", round_task, &r, MOVES_AT_ONCE);
}

static int
leave_task(void *arg)
{
	struct keeper *k = arg;
	int err = ERR_OK;

	while (err == ERR_OK && keeper_leave_left(k) > 0) {
		err = one_round(k);
		if (err == ERR_OK && keeper_leave_left(k) > 0)
			err = task_sleep(k->env, AGAIN);
	}
	if (err == ERR_OK)
		log_info(k->env, "nothing is left here: the node can be stopped");
	k->leave_runs = false;
	return err;
}

/* Not before the ledger is complete: what it does not know would seem to be gone. */
void
keeper_leave_resume(struct keeper *k)
{
	if (k->leaving && k->booted && !k->leave_runs)
		k->leave_runs = task_spawn(&k->group, "leave", leave_task, k) == ERR_OK;
}

static int
remember_task(void *arg)
{
	struct keeper *k = arg;
	static const uint8_t yes = 1;
	int err = store_set_value(k->opts.store, STORE_NODE, &leaving_key, bytes_of(&yes, 1));

	if (err != ERR_OK)
		log_warn(k->env, "that the node leaves is not kept: %s", err_text(err));
	keeper_leave_resume(k);
	return err;
}

int
keeper_leave(struct keeper *k)
{
	if (k->leaving)
		return ERR_OK;
	k->leaving = true;
	k->leave_total = keeper_leave_left(k);
	keeper_turned(k);
	return task_spawn(&k->group, "leaving", remember_task, k);
}

void
keeper_load(struct keeper *k)
{
	struct buf value;
	int err;

	keeper_drain_load(k);
	buf_init(&value, STORE_VALUE_MAX);
	err = store_value(k->opts.store, STORE_NODE, &leaving_key, &value);
	buf_fini(&value);
	if (err == ERR_OK) {
		k->leaving = true;
		k->leave_total = keeper_leave_left(k);
	} else if (err != ERR_NOT_FOUND && err != ERR_CANCELED) {
		log_warn(k->env, "whether the node leaves is not readable: %s", err_text(err));
	}
}
