/*
 * Why nodes took no shard: counted by who puts, told to people. Pure.
 */
#ifndef STORAGE_REFUSALS_H
#define STORAGE_REFUSALS_H

#include "storage/messages.h"

struct put_refusals {
	uint32_t silent, full, term, lock, other;
	/* The most that was offered by those that promise too little. */
	uint64_t term_max_s, lock_max_s;
};
/* What an attempt to open ended with. */
void refusals_note(struct put_refusals *r, int err);
/* Whether a node promises a term and a lock; counted when not: ERR_REFUSED, ERR_UNSUPPORTED. */
int refusals_check(
    struct put_refusals *r, const struct shard_go *go, uint64_t term_s, uint64_t lock_s);

#endif
