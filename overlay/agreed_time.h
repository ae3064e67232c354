/*
 * The time that a node and its peers agree on, pure: leases and expiry go by it,
 * never by one machine's clock. See doc/design.md, "Agreed time".
 *
 * The median of the peers' clocks and the own one. It is followed only while it runs
 * with the monotonic clock; a jump is refused, and believed after a day in which
 * peers and own clock kept saying the same.
 */
#ifndef OVERLAY_AGREED_TIME_H
#define OVERLAY_AGREED_TIME_H

#include <stddef.h>

#include "overlay/base/types.h"

#define AGREED_CLOCKS_MIN     5  /* three of five must lie to move the median at will */
#define AGREED_CLOCKS_MAX     64 /* the median of 64 is as good as that of thousands */
#define AGREED_JUMP_MS_MAX    (INT64_C(3600) * 1000)
#define AGREED_OWN_OFF_MS_MAX (INT64_C(15) * 60 * 1000)
#define AGREED_JUMP_PATIENCE  HOURS(24)

struct agreed_clock { /* {0} is a clock that knows nothing yet */
	bool known;
	uint64_t value_ms;   /* Unix time last agreed on ... */
	uint64_t at;         /* ... at this monotonic time */
	bool floor_only;     /* value_ms is from a former life: time cannot be before it */
	uint64_t jump_since; /* since when the median is refused; 0: it is not */
};

struct agreed_input {
	uint64_t now;         /* monotonic ns */
	uint64_t own_ms;      /* own wall clock */
	int64_t *offsets;     /* ms, peer's clock less ours; reordered by the call */
	size_t offsets_count; /* ≤ AGREED_CLOCKS_MAX */
	bool all; /* these are the clocks of all peers there are: fewer than the minimum will do */
};

struct agreed_time {
	uint64_t unix_ms; /* median of the peers' clocks, ours included */
	uint32_t peers;   /* how many clocks went in, without ours */
	bool trusted;     /* enough peers, own clock within 15 min, no jump */
};

/* What was saved before a restart: the agreed time cannot be more than an hour before it. */
void agreed_clock_restore(struct agreed_clock *c, uint64_t unix_ms, uint64_t now);
void agreed_clock_read(
    struct agreed_clock *c, const struct agreed_input *in, struct agreed_time *out);

#endif
