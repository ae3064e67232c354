/*
 * The repair loop of one node: picks the most endangered chunk whose turn is ours, looks once more
 * who really holds it, rebuilds what is missing (rebuild.h) and hands the new holders leases and
 * siblings. Nothing is configured between nodes; see keeper.h for whose turn it is.
 */
#ifndef STORAGE_REPAIR_H
#define STORAGE_REPAIR_H

#include "storage/keeper_private.h"

/* Whether this node is to repair it now: its rank and what others do decide. */
bool repair_our_turn(const struct keeper *k, const struct held *h, uint64_t now);

/*
 * Whether work that began then is to go on. ERR_EXISTS: the chunk is whole, somebody else was
 * faster; ERR_BUSY: one who comes before us began at the same time, and his word is honoured.
 */
int repair_goes_on(const struct keeper *k, const struct hash *chunk, uint64_t began_at);

/* How long so many bytes more, to send and to read, have to wait for their turn, which they take.
 */
uint64_t repair_wait(struct keeper *k, uint64_t up, uint64_t down);

/*
 * Repairs one chunk now. ERR_OK: it is whole, or as whole as it is to be; ERR_PLACEMENT: nobody
 * takes what is missing; ERR_UNREACHABLE: fewer than k holders answer; ERR_CORRUPT: malformed.
 */
SUSPENDS int repair_chunk(struct keeper *k, const struct hash *chunk);
/* Gives our shard to somebody else; it is there and made known before ours goes. Errors as above.
 */
SUSPENDS int repair_move(struct keeper *k, const struct hash *chunk, uint8_t index);

#endif
