/*
 * Leases of chunks that are in the network already, prolonged or ended by their owner. The owner's
 * side of [8] *Leases*; chunk_raise (chunks.h) is its use at the end of an upload.
 */
#ifndef STORAGE_RENEW_H
#define STORAGE_RENEW_H

#include "storage/chunks.h"

struct chunk_renewed {
	uint8_t live, told; /* holders that live, and those of them that took it */
};
/*
 * Prolongs our lease, or ends it (until 0: a deletion, which is final). Constraints stay as they
 * are. ERR_OK when anybody was told: see told; ERR_UNREACHABLE: no holder lives; ERR_NOT_FOUND:
 * none of them knows a lease by this signer; ERR_STALE: deleted before.
 */
SUSPENDS int chunk_renew(struct chunks *c, const struct chunk_ref *ref,
    const struct lease_signer *signer, uint64_t until, struct chunk_renewed *out);

#endif
