/*
 * A node that says it will be away until a time (planned maintenance): what it says, and what
 * others make of it. Nobody repairs what it keeps before that time, unless the chunk is near its
 * end; after it everything is as if nothing had been said. Pure; who acts is keeper_drain.c and
 * those who judge.
 */
#ifndef STORAGE_DRAIN_H
#define STORAGE_DRAIN_H

#include "overlay/base/types.h"

/*
 * Longest time to be away. Siblings wait so long with what the code has to spare, and a peer may
 * say it and vanish: a day delays a repair that would else begin after two hours, and leaves time
 * for any maintenance that a person does. Who needs longer leaves (leave.c).
 */
#define DRAIN_MAX_S ((uint64_t)24 * 3600)

/* What a node says. Numbered by when it was said, so that an old datagram sent again, or one that
 * came late, changes nothing. */
struct drain {
	uint64_t issued_ms; /* agreed unix time; 0: nothing was said */
	uint64_t until_s;   /* agreed unix time; 0: not away, or no longer */
};

static inline bool
drain_runs(const struct drain *d, uint64_t now_s)
{
	return d->until_s > now_s;
}

/* Whether it is to be told still: while it runs, and after an end before its time until nobody can
 * believe the earlier word any more. */
bool drain_tells(const struct drain *d, uint64_t now_s);
/* The next thing said, after last. until_s 0: it ends now. ERR_INVALID: over already, or longer
 * than DRAIN_MAX_S. */
int drain_say(const struct drain *last, uint64_t until_s, uint64_t now_ms, struct drain *out);
/*
 * Takes what another says over what is known of it; false, and nothing changes: it is no news, or
 * could not be of now (too long; numbered by a clock of tomorrow, which would shut out true ones).
 */
bool drain_hear(struct drain *known, const struct drain *said, uint64_t now_s);
/* How long it still may be away, seconds, at most DRAIN_MAX_S. */
uint64_t drain_left_s(const struct drain *d, uint64_t now_s);

#endif
