/*
 * What no lease asks for is let go ([8]). A chunk that its owners have deleted goes at once: their
 * signed tombstones stay, so that neither repair nor an old lease brings it back. One whose leases
 * have merely run out stays COURTESY longer while there is room, and of those no more than a share
 * goes in a day: a clock that has gone wrong everywhere shall not empty a node overnight. Without
 * agreed time nothing is collected. What is let go comes back as space when its segment is
 * compacted (store_compact.h).
 *
 * An owner may renew between the look and the drop: the store, through which both go, holds the
 * drop against what was seen.
 */
#include "storage/keeper_private.h"
#include "storage/store_compact.h"

#define DAY         HOURS(24)
/* Of the shards here, a day; at least so many where there are few. */
#define DAILY_SHARE 50 /* one in fifty: 2 % */
#define DAILY_MIN   16

static bool
crowded(const struct keeper *k)
{
	struct store_status s;

	store_status(k->opts.store, &s);
	return s.refusing || s.crowded;
}

/* Whether one more expired shard may go today; counts it. */
static bool
within_day(struct keeper *k)
{
	uint64_t now = env_now(k->env);
	size_t most = MAX(ledger_count(k->ledger) / DAILY_SHARE, (size_t)DAILY_MIN);

	if (k->day_at == 0 || now - k->day_at >= keeper_time(k, DAY)) {
		k->day_at = now;
		k->collected_today = 0;
	}
	if (k->collected_today >= most)
		return false;
	k->collected_today++;
	return true;
}

enum lease_end { LEASES_RUN, LEASES_EXPIRED, LEASES_DELETED };

static enum lease_end
leases_end(const struct keeper *k, const struct chunk_facts *f, uint64_t now_s)
{
	uint64_t until = facts_until(f),
		 courtesy = LEASE_COURTESY_S / MAX(k->opts.pace, (uint64_t)1);

	/* No lease at all is no deletion: the shard's own may have rotted. */
	if (f->leases_more || f->leases_count == 0)
		return LEASES_RUN;
	if (until == 0)
		return LEASES_DELETED;
	if (until + LEASE_CLOCK_SLACK_S > now_s || (until + courtesy > now_s && !crowded(k)))
		return LEASES_RUN;
	return LEASES_EXPIRED;
}

/* The store has dropped it, or not. */
static int
dropped(struct keeper *k, const struct hash *chunk, uint8_t index, int err)
{
	struct held *h;

	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	h = ledger_find(k->ledger, chunk, index);
	if (h != NULL)
		ledger_remove(k->ledger, h);
	return ERR_OK;
}

int
keeper_drop(struct keeper *k, const struct hash *chunk, uint8_t index)
{
	return dropped(k, chunk, index, store_drop(k->opts.store, chunk, index));
}

int
keeper_collect(struct keeper *k, struct chunk_facts *f)
{
	bool trusted;
	enum lease_end end = leases_end(k, f, keeper_now_unix_s(k, &trusted));
	uint64_t until = facts_until(f);

	if (!trusted || end == LEASES_RUN || (end == LEASES_EXPIRED && !within_day(k)))
		return ERR_OK;
	for (size_t i = 0; i < f->count;) {
		uint8_t index = f->indices[i];
		int err = dropped(
		    k, &f->chunk, index, store_drop_ended(k->opts.store, &f->chunk, index, until));

		/* Renewed meanwhile: what follows is about what is here now. */
		if (err == ERR_STATE)
			return store_facts(k->opts.store, &f->chunk, f);
		if (err != ERR_OK) {
			log_warn(k->env, "a shard that has ended stays: %s", err_text(err));
			i++;
			continue;
		}
		f->count--;
		memmove(&f->indices[i], &f->indices[i + 1], f->count - i);
		if (end == LEASES_DELETED)
			k->status.collected_deleted++;
		else
			k->status.collected_expired++;
	}
	return ERR_OK;
}

/* ---- space ---- */

/* Once a day what nothing depends on any more is forgotten, here as in the store. */
static SUSPENDS int
sweep(struct keeper *k)
{
	bool trusted;
	uint64_t now = env_now(k->env), now_s = keeper_now_unix_s(k, &trusted);
	struct store_swept swept;
	int err;

	if (!trusted || (k->swept_at != 0 && now - k->swept_at < keeper_time(k, DAY)))
		return ERR_OK;
	err = store_sweep(k->opts.store, now_s, &swept);
	if (err != ERR_OK)
		return err;
	k->swept_at = now;
	k->leased_due |= swept.gone > 0;
	return ERR_OK;
}

static int
compact_task(void *arg)
{
	struct keeper *k = arg;
	uint64_t gained = 1;
	int err = ERR_OK, swept;

	/* One after the other, as long as it is worth it. */
	while (err == ERR_OK && gained > 0)
		err = store_compact(k->opts.store, &gained);
	swept = err == ERR_CANCELED ? err : sweep(k);
	if (err == ERR_OK)
		err = swept;
	k->compacting = false;
	if (err != ERR_OK && err != ERR_CANCELED)
		log_warn(k->env, "space does not come back: %s", err_text(err));
	return err;
}

void
keeper_compact_soon(struct keeper *k)
{
	uint64_t now = env_now(k->env);

	if (k->compacting || now < k->compact_at)
		return;
	k->compact_at = now + keeper_time(k, COMPACT_EVERY);
	k->compacting = task_spawn(&k->group, "compact", compact_task, k) == ERR_OK;
}
