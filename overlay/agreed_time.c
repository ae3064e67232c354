/*
 * Clocks in, one time and a verdict out. Nothing can fail; what is doubtful is not trusted.
 */
#include "overlay/agreed_time.h"

#include <stdlib.h>

#include "overlay/base/err.h"

#define NS_PER_MS UINT64_C(1000000)

static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* The lower median of the offsets and our own, which is 0 by definition. */
static int64_t
median_with_own(int64_t *offsets, size_t count)
{
	int64_t all[AGREED_CLOCKS_MAX + 1];

	must(count <= AGREED_CLOCKS_MAX);
	if (count > 0)
		memcpy(all, offsets, count * sizeof(*all));
	all[count] = 0;
	qsort(all, count + 1, sizeof(*all), by_value);
	return all[count / 2];
}

static uint64_t
shifted(uint64_t ms, int64_t by)
{
	if (by < 0)
		return ms > (uint64_t)-by ? ms - (uint64_t)-by : 0;
	return ms + (uint64_t)by;
}

/* Where the clock should stand by the monotonic one. */
static uint64_t
expected(const struct agreed_clock *c, uint64_t now)
{
	return c->value_ms + (now - c->at) / NS_PER_MS;
}

static bool
jumped(const struct agreed_clock *c, uint64_t now, uint64_t median)
{
	uint64_t want;

	if (!c->known)
		return false;
	want = expected(c, now);
	if (median + AGREED_JUMP_MS_MAX < want)
		return true;
	return !c->floor_only && median > want + AGREED_JUMP_MS_MAX;
}

void
agreed_clock_restore(struct agreed_clock *c, uint64_t unix_ms, uint64_t now)
{
	*c = (struct agreed_clock){
		.known = true, .value_ms = unix_ms, .at = now, .floor_only = true
	};
}

void
agreed_clock_read(struct agreed_clock *c, const struct agreed_input *in, struct agreed_time *out)
{
	int64_t off = median_with_own(in->offsets, in->offsets_count);
	uint64_t median = shifted(in->own_ms, off);
	bool enough = in->all || in->offsets_count >= AGREED_CLOCKS_MIN;
	bool own_fits = off <= AGREED_OWN_OFF_MS_MAX && off >= -AGREED_OWN_OFF_MS_MAX;
	bool believed = enough && own_fits;

	*out = (struct agreed_time){ .unix_ms = median, .peers = (uint32_t)in->offsets_count };
	if (!jumped(c, in->now, median)) {
		c->jump_since = 0;
	} else if (!believed) {
		/* Patience counts only while peers and own clock agree. */
		c->jump_since = 0;
		out->unix_ms = expected(c, in->now);
		return;
	} else {
		if (c->jump_since == 0)
			c->jump_since = in->now;
		if (in->now - c->jump_since < AGREED_JUMP_PATIENCE) {
			out->unix_ms = expected(c, in->now);
			return;
		}
	}
	if (!believed)
		return;
	out->trusted = true;
	*c = (struct agreed_clock){ .known = true, .value_ms = median, .at = in->now };
}
