/* Timers as a flat list that is searched: what every faster way to keep them is held against. */
#ifndef TEST_UNIT_OVERLAY_BASE_TIMER_MODEL_H
#define TEST_UNIT_OVERLAY_BASE_TIMER_MODEL_H

#include "overlay/base/types.h"

struct timer_model {
	bool armed;
	uint64_t due, order;
};

/* Which of them fires next; count: none is armed. */
static inline size_t
timer_model_first(const struct timer_model *m, size_t count)
{
	size_t best = count;

	for (size_t i = 0; i < count; i++) {
		if (!m[i].armed)
			continue;
		if (best == count || m[i].due < m[best].due ||
		    (m[i].due == m[best].due && m[i].order < m[best].order))
			best = i;
	}
	return best;
}

#endif
