/*
 * Picking. Due chunks lie in the ledger; the most endangered comes first (alive − k, then who waits
 * longest). The first in rank begins at once, each next one after one more CLAIM_TIME without a
 * sign of progress. While many have vanished at once only those near their end are touched. Few
 * chunks at a time, paced by a token bucket.
 */
#include "storage/repair.h"

#include <stdlib.h>

/* A sibling that claims again and again does not hold the others up longer than so many times. */
#define CLAIMS_HONOURED 6
/* Longer than any repair takes; its end says when it may be tried again. */
#define REPAIR_PATIENCE HOURS(1)

/* ---- pacing ---- */

/* The bytes are taken from both buckets; how long to wait until they may move. */
uint64_t
repair_wait(struct keeper *k, uint64_t up, uint64_t down)
{
	uint64_t now = env_now(k->env);
	uint64_t own = byte_rate_take(&k->repair_rate, now, up + down);
	uint64_t line = bandwidth_take(k->opts.bandwidth, now, up, down);

	return MAX(own, line);
}

/* ---- picking ---- */

/* Whoever has nobody before him begins then. */
static uint64_t
rank_at(const struct keeper *k, const struct held *h)
{
	return MAX(h->turn_from, k->resumed_at) + h->rank * keeper_claim_time(k);
}

/* When we may begin; UINT64_MAX: not before something changes. */
static uint64_t
turn_at(const struct keeper *k, const struct held *h)
{
	uint64_t claim = keeper_claim_time(k), turn = rank_at(k, h);

	/* Nothing can be made of fewer than k; who comes back is counted again. */
	if (!h->due || h->index == INDEX_NONE || h->alive < h->k)
		return UINT64_MAX;
	if (keeper_paused(k) && !h->urgent)
		return UINT64_MAX;
	/* Those before us have their time, counted from the last sign of progress. */
	if (h->progress_at != 0)
		turn = MIN(MAX(turn, h->progress_at + claim), turn + CLAIMS_HONOURED * claim);
	return MAX(turn, h->retry_at);
}

bool
repair_our_turn(const struct keeper *k, const struct held *h, uint64_t now)
{
	return now >= turn_at(k, h);
}

int
repair_goes_on(const struct keeper *k, const struct hash *chunk, uint64_t began_at)
{
	const struct held *h = ledger_any(k->ledger, chunk->b);
	uint64_t now = env_now(k->env), claim = keeper_claim_time(k);

	if (h == NULL || !hash_equal(&h->chunk, chunk))
		return ERR_OK;
	if (!h->due)
		return ERR_EXISTS;
	/* Later he must have known of us, and we are far. */
	if (!h->outranked || h->progress_at < began_at || now >= began_at + claim / 2)
		return ERR_OK;
	return now < rank_at(k, h) + CLAIMS_HONOURED * claim ? ERR_BUSY : ERR_OK;
}

void
keeper_repair_note(struct keeper *k, const struct held *h)
{
	k->repair_due = MIN(k->repair_due, turn_at(k, h));
}

uint64_t
keeper_repair_at(struct keeper *k)
{
	const struct held *h;
	size_t cursor = 0;

	k->repair_due = UINT64_MAX;
	while ((h = ledger_next(k->ledger, &cursor)) != NULL)
		keeper_repair_note(k, h);
	return k->repair_due;
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
		h->retry_at = err == ERR_CORRUPT ? UINT64_MAX : now + (claim << h->failures);
		h->failures = err == ERR_OK ? 0 : MIN(h->failures + 1, RETRY_DOUBLINGS_MAX);
		h->progress_at = now;
		h->begun = false;
		if (err == ERR_OK)
			h->due = false; /* until the next look */
		if (err == ERR_OK && h->unwatched_at != 0)
			h->unwatched_at = now; /* they were asked themselves */
		keeper_repair_note(k, h);
	}
}

/* Nobody else here takes it up meanwhile. */
static void
note_begun(struct keeper *k, const struct hash *chunk)
{
	uint64_t now = env_now(k->env);
	size_t cursor = 0;
	struct held *h;

	while ((h = ledger_next_of(k->ledger, chunk, &cursor)) != NULL) {
		h->retry_at = now + REPAIR_PATIENCE;
		h->begun = true;
	}
	if (k->repair_told != NULL)
		k->repair_told(k->repair_arg, chunk);
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

/* What repair may move a second, by its own rate and by the line's; 0: no limit. */
static uint64_t
rate_of(const struct keeper *k)
{
	const struct byte_rate *rates[] = { &k->repair_rate, &k->opts.bandwidth->up,
		&k->opts.bandwidth->down };
	uint64_t least = 0;

	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		if (byte_rate_limits(rates[i]) && (least == 0 || rates[i]->bytes_s < least))
			least = rates[i]->bytes_s;
	}
	return least;
}

void
keeper_repair_soon(struct keeper *k)
{
	uint8_t most;

	/* Asked behind each word about a chunk: the ledger is not gone through for nothing. */
	if (env_now(k->env) < k->repair_due)
		return;
	most = patience_repairs(rate_of(k), keeper_claim_time(k));
	/* Those that find nothing left end at once. */
	while (k->repairing < most && pick(k) != NULL) {
		if (task_spawn(&k->group, "repair", repair_task, k) != ERR_OK)
			return;
		k->repairing++;
	}
	if (k->repairing < most)
		keeper_repair_at(k);
}
