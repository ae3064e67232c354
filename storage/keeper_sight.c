/*
 * Sums over the ledger and the neighbours, and the most endangered of what is due. A walk over the
 * ledger takes 3 ms for 60,000 shards and 50 ms for a million: who asks often keeps the answer for
 * a second.
 */
#include "storage/keeper_sight.h"

#include "storage/auditor.h"
#include "storage/repair.h"

static void
sum_up(const struct keeper *k, struct keeper_status *s)
{
	size_t cursor = 0;
	const struct held *h;

	while ((h = ledger_next(k->ledger, &cursor)) != NULL) {
		if (h->index == INDEX_NONE)
			continue;
		s->chunks++;
		s->unreadable += h->alive < h->k;
		s->by_margin[MIN(h->alive - MIN(h->alive, h->k), KEEPER_MARGINS - 1)]++;
		s->due += h->due;
		s->waiting += h->due && h->retry_at > env_now(k->env);
	}
}

void
keeper_status(const struct keeper *k, struct keeper_status *out)
{
	uint64_t now = env_now(k->env), grace = keeper_short_grace(k);
	const struct repair_job *job;
	const struct neighbour *one;
	size_t cursor = 0;

	*out = k->status;
	sum_up(k, out);
	parties_sum(k->parties, &out->parties);
	out->neighbours = neighbours_count(k->neighbours);
	while ((one = neighbours_next(k->neighbours, &cursor)) != NULL) {
		out->silent += one->silent_at != 0;
		out->gone += neighbour_gone(one, now, grace);
		out->away += neighbour_away(one, now);
		out->drain_untold += keeper_drain_unheard(k, one);
		out->described += one->described;
	}
	auditor_sum_up(k->auditor, out);
	LIST_FOREACH(job, &k->jobs, link)
	{
		out->bytes_fetched += *job->fetched;
		out->bytes_sent += *job->sent;
	}
	out->paused = keeper_paused(k);
	out->repair_rate = meter_rate(&k->moved, now);
	out->running = k->repairing;
	out->drain_until = keeper_drains(k) ? k->drain.until_s : 0;
	out->leaving = k->leaving;
	out->leave_total = k->leave_total;
	out->leave_left = k->leaving ? keeper_leave_left(k) : 0;
}

/* ---- what a simulation looks at ---- */

void
keeper_on_repair(struct keeper *k, void (*told)(void *arg, const struct hash *chunk), void *arg)
{
	k->repair_told = told;
	k->repair_arg = arg;
}

bool
keeper_knows_all(const struct keeper *k)
{
	return k->booted;
}

bool
keeper_next_held(const struct keeper *k, size_t *cursor, struct keeper_held *out)
{
	const struct held *h;

	while ((h = ledger_next(k->ledger, cursor)) != NULL && h->index == INDEX_NONE)
		;
	if (h == NULL)
		return false;
	*out = (struct keeper_held){ .chunk = h->chunk,
		.index = h->index,
		.alive = h->alive,
		.k = h->k,
		.due = h->due,
		.begun = h->begun,
		.claimed = h->progress_at != 0,
		.failed = h->retry_at > env_now(k->env) && !h->begun,
		.rank = h->rank,
		.due_at = h->due_at };
	return true;
}

/* ---- the queue ---- */

static bool
runs(const struct keeper *k, const struct hash *chunk)
{
	const struct repair_job *j;

	LIST_FOREACH(j, &k->jobs, link)
	{
		if (hash_equal(j->chunk, chunk))
			return true;
	}
	return false;
}

static enum due_state
state_of(const struct keeper *k, const struct held *h, uint64_t now)
{
	if (runs(k, &h->chunk))
		return DUE_RUNNING;
	if (now < h->retry_at)
		return DUE_RETRY;
	if (keeper_paused(k) && !h->urgent)
		return DUE_PAUSED;
	return repair_our_turn(k, h, now) ? DUE_OURS : DUE_RANK;
}

static bool
before(const struct keeper_due *a, const struct keeper_due *b)
{
	int a_margin = (int)a->alive - a->k, b_margin = (int)b->alive - b->k;

	if (a_margin != b_margin)
		return a_margin < b_margin;
	if (a->waits != b->waits)
		return a->waits > b->waits;
	return memcmp(&a->chunk, &b->chunk, sizeof(a->chunk)) < 0;
}

size_t
keeper_due_list(const struct keeper *k, struct keeper_due *out, size_t cap)
{
	uint64_t now = env_now(k->env);
	size_t cursor = 0, count = 0, all = 0;
	const struct held *h;

	while ((h = ledger_next(k->ledger, &cursor)) != NULL) {
		struct keeper_due d = { .chunk = h->chunk,
			.alive = h->alive,
			.k = h->k,
			.r = h->r,
			.n = h->n,
			.waits = now - MIN(h->due_at, now) };
		size_t at;

		if (!h->due || h->index == INDEX_NONE)
			continue;
		all++;
		for (at = count; at > 0 && before(&d, &out[at - 1]); at--) {
			if (at < cap)
				out[at] = out[at - 1];
		}
		if (at < cap) {
			d.state = state_of(k, h, now);
			out[at] = d;
			count = MIN(count + 1, cap);
		}
	}
	return all;
}

size_t
keeper_jobs(const struct keeper *k, struct keeper_job *out, size_t cap)
{
	uint64_t now = env_now(k->env);
	const struct repair_job *j;
	size_t count = 0;

	LIST_FOREACH(j, &k->jobs, link)
	{
		if (count < cap)
			out[count] = (struct keeper_job){ .chunk = *j->chunk,
				.alive = j->alive,
				.k = j->k,
				.n = j->n,
				.moving = j->moving,
				.runs = now - j->since,
				.fetched = *j->fetched,
				.sent = *j->sent };
		count++;
	}
	return count;
}
