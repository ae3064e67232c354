/* Times are the agreed ones: LEASE_CLOCK_SLACK_S is what two nodes' may differ by. */
#include "storage/drain.h"

#include "overlay/base/err.h"
#include "storage/lease.h"

bool
drain_tells(const struct drain *d, uint64_t now_s)
{
	if (d->issued_ms == 0)
		return false;
	return drain_runs(d, now_s) ||
	       (d->until_s == 0 && now_s < d->issued_ms / 1000 + DRAIN_MAX_S);
}

int
drain_say(const struct drain *last, uint64_t until_s, uint64_t now_ms, struct drain *out)
{
	uint64_t now_s = now_ms / 1000;

	if (until_s != 0 && (until_s <= now_s || until_s - now_s > DRAIN_MAX_S))
		return ERR_INVALID;
	*out = (struct drain){ MAX(last->issued_ms + 1, now_ms), until_s };
	return ERR_OK;
}

bool
drain_hear(struct drain *known, const struct drain *said, uint64_t now_s)
{
	if (said->issued_ms <= known->issued_ms)
		return false;
	if (said->issued_ms / 1000 > now_s + LEASE_CLOCK_SLACK_S ||
	    said->until_s > now_s + DRAIN_MAX_S + LEASE_CLOCK_SLACK_S)
		return false;
	*known = *said;
	return true;
}

uint64_t
drain_left_s(const struct drain *d, uint64_t now_s)
{
	return drain_runs(d, now_s) ? MIN(d->until_s - now_s, DRAIN_MAX_S) : 0;
}
