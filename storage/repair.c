/*
 * Picking. Due chunks lie in the ledger; the most endangered comes first (alive − k, then who waits
 * longest). The first in rank begins at once, each next one after one more CLAIM_TIME without a
 * sign of progress. While many have vanished at once only those near their end are touched. One
 * chunk at a time, paced by a token bucket.
 */
#include "storage/repair.h"

#include <stdlib.h>

/* A sibling that claims again and again does not hold the others up longer than so many times. */
#define CLAIMS_HONOURED 3
/* So many chunks at a time: one alone waits for its disks and lines most of the time. */
#define REPAIRS_AT_ONCE 3
/* Longer than any repair takes; its end says when it may be tried again. */
#define REPAIR_PATIENCE HOURS(1)

/* ---- pacing ---- */

/* Waits until repair may move so many bytes more. */
int
repair_pace(void *arg, uint64_t up, uint64_t down)
{
	struct keeper *k = arg;
	uint64_t now = env_now(k->env);
	uint64_t own = byte_rate_take(&k->repair_rate, now, up + down);
	uint64_t line = bandwidth_take(k->opts.bandwidth, now, up, down);

	return MAX(own, line) == 0 ? ERR_OK : task_sleep(k->env, MAX(own, line));
}

/* ---- picking ---- */

bool
repair_our_turn(const struct keeper *k, const struct held *h, uint64_t now)
{
	uint64_t claim = keeper_claim_time(k);

	if (!h->due || h->index == INDEX_NONE || now < h->retry_at)
		return false;
	if (keeper_paused(k) && !h->urgent)
		return false;
	/* Those before us have their time, counted from the last sign of progress. */
	if (h->progress_at != 0 && now < h->due_at + (h->rank + CLAIMS_HONOURED) * claim)
		return now >= MAX(h->progress_at + claim, h->due_at + h->rank * claim);
	return now >= h->due_at + h->rank * claim;
}

static bool
more_urgent(const struct held *a, const struct held *b)
{
	int a_margin = (int)a->alive - a->k, b_margin = (int)b->alive - b->k;

	return a_margin != b_margin ? a_margin < b_margin : a->due_at < b->due_at;
}

static const struct held *
pick(const struct keeper *k)
{
	uint64_t now = env_now(k->env);
	const struct held *best = NULL, *h;
	size_t cursor = 0;

	while ((h = ledger_next(k->ledger, &cursor)) != NULL) {
		if (repair_our_turn(k, h, now) && (best == NULL || more_urgent(h, best)))
			best = h;
	}
	return best;
}

/* What is known of the chunk after a try. */
static void
note_result(struct keeper *k, const struct hash *chunk, int err)
{
	uint64_t now = env_now(k->env), claim = keeper_claim_time(k);
	size_t cursor = 0;
	struct held *h;

	if (err == ERR_OK)
		k->status.repairs++;
	else
		k->status.repairs_failed++;
	while ((h = ledger_next_of(k->ledger, chunk, &cursor)) != NULL) {
		/* A malformed chunk stays as it is; its shards are not its holders' fault. */
		h->retry_at = err == ERR_CORRUPT ? UINT64_MAX : now + claim;
		h->progress_at = now;
		if (err == ERR_OK)
			h->due = false; /* until the next look */
	}
}

/* Nobody else here takes it up meanwhile. */
static void
note_begun(struct keeper *k, const struct hash *chunk)
{
	uint64_t now = env_now(k->env);
	size_t cursor = 0;
	struct held *h;

	while ((h = ledger_next_of(k->ledger, chunk, &cursor)) != NULL)
		h->retry_at = now + REPAIR_PATIENCE;
}

static int
repair_task(void *arg)
{
	struct keeper *k = arg;
	const struct held *h;
	int err = ERR_OK;

	while (err != ERR_CANCELED && (h = pick(k)) != NULL) {
		struct hash chunk = h->chunk;

		note_begun(k, &chunk);
		err = repair_chunk(k, &chunk);
		if (err == ERR_CANCELED)
			break;
		if (err != ERR_OK)
			log_info(k->env, "a chunk waits for its repair: %s", err_text(err));
		note_result(k, &chunk, err);
		keeper_changed(k, &chunk);
	}
	k->repairing--;
	return err;
}

void
keeper_repair_soon(struct keeper *k)
{
	/* Those that find nothing left end at once. */
	while (k->repairing < REPAIRS_AT_ONCE && pick(k) != NULL) {
		if (task_spawn(&k->group, "repair", repair_task, k) != ERR_OK)
			break;
		k->repairing++;
	}
}
