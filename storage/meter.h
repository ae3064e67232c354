/*
 * How much of something happened lately: sums over slots of a sliding minute. For rates that people
 * look at; nothing is decided by it. Pure.
 */
#ifndef STORAGE_METER_H
#define STORAGE_METER_H

#include "overlay/base/types.h"

#define METER_SLOTS   12
#define METER_SLOT_NS (UINT64_C(5) * 1000000000)

struct meter {         /* zeros: nothing yet */
	uint64_t slot; /* the newest one's number: time in slots */
	uint64_t sums[METER_SLOTS];
};

/* Slots between the last call and this one are empty; a clock that stood still adds to the newest.
 */
static inline void
meter_turn(struct meter *m, uint64_t now)
{
	uint64_t slot = now / METER_SLOT_NS;

	for (uint64_t i = 0; i < METER_SLOTS && m->slot < slot; i++)
		m->sums[++m->slot % METER_SLOTS] = 0;
	if (m->slot < slot)
		m->slot = slot; /* all were emptied on the way */
}

static inline void
meter_add(struct meter *m, uint64_t now, uint64_t amount)
{
	meter_turn(m, now);
	m->sums[m->slot % METER_SLOTS] += amount;
}

/* A second, over the last minute. */
static inline uint64_t
meter_rate(const struct meter *m, uint64_t now)
{
	struct meter turned = *m;
	uint64_t sum = 0;

	meter_turn(&turned, now);
	for (size_t i = 0; i < METER_SLOTS; i++)
		sum += turned.sums[i];
	return sum / (METER_SLOTS * METER_SLOT_NS / 1000000000);
}

#endif
