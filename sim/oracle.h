/*
 * Who is really closest: all servers that are up, sorted by id. What lookups are measured
 * against; no node sees it. Pure bookkeeping; adding and removing moves the array (10 µs at
 * 10,000), asking costs a binary search and a sort of some dozens.
 */
#ifndef SIM_ORACLE_H
#define SIM_ORACLE_H

#include "overlay/base/types.h"

struct oracle_entry {
	struct id id;
	uint32_t member;
};

struct oracle { /* embedded; zero is empty */
	struct oracle_entry *at;
	size_t count, cap;
};

void oracle_fini(struct oracle *o);
void oracle_add(struct oracle *o, const struct id *id, uint32_t member); /* not there yet */
void oracle_remove(struct oracle *o, const struct id *id);               /* no-op when not there */
/* UINT32_MAX: not there. */
uint32_t oracle_find(const struct oracle *o, const struct id *id);
/* All at once, for a beginning with many: entries are copied and sorted. */
void oracle_fill(struct oracle *o, const struct oracle_entry *entries, size_t count);
/* The k closest to target without `except` (UINT32_MAX: nobody), nearest first; how many. */
size_t oracle_closest(const struct oracle *o, const struct id *target, uint32_t except,
    struct oracle_entry *out, size_t k);
/* Entries whose id shares exactly `bits` leading bits with id: [*from, *to). */
void oracle_range(
    const struct oracle *o, const struct id *id, unsigned bits, size_t *from, size_t *to);

#endif
