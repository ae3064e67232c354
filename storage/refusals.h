/*
 * Why nodes took no shard: counted by who puts, told to people. Pure.
 */
#ifndef STORAGE_REFUSALS_H
#define STORAGE_REFUSALS_H

#include "storage/messages.h"

struct put_refusals {
	uint32_t silent, full, stranger, quota, term, lock, other;
	uint32_t busy; /* or about to be away, or to leave */
	/* The most that was offered by those that promise too little. */
	uint64_t term_max_s, lock_max_s;
};
/* Whether a node said no at once: asking the next one costs nothing. */
bool refusal_quick(int err);
/* What an attempt to open ended with. */
void refusals_note(struct put_refusals *r, int err);
void refusals_add(struct put_refusals *to, const struct put_refusals *more);
/* Whether a node promises a term and a lock; counted when not: ERR_REFUSED, ERR_UNSUPPORTED. */
int refusals_check(
    struct put_refusals *r, const struct shard_go *go, uint64_t term_s, uint64_t lock_s);

#endif
