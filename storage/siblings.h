/*
 * Lists of who holds which shard of a chunk, and the order among its holders. Pure: what the wire
 * carries is in messages.h, what is kept in store.h.
 */
#ifndef STORAGE_SIBLINGS_H
#define STORAGE_SIBLINGS_H

#include "storage/messages.h"

/*
 * Another holder of an index, or one less. Whether the list has changed: false also when it is
 * full.
 */
bool siblings_edit(struct siblings *s, uint8_t index, const struct pubkey *node, bool holds);
/* Adds what more has and to has not; whether there was anything. */
bool siblings_join(struct siblings *to, const struct siblings *more);

/* H(chunk, node): who is first to announce and to repair, who keeps a duplicate. */
void holder_rank(const struct hash *chunk, const struct pubkey *node, struct hash *out);
/* Whether node comes before whoever has that rank. */
bool holder_before(const struct hash *chunk, const struct pubkey *node, const struct hash *rank);

#endif
