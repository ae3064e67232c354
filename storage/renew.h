/*
 * Leases of chunks that are in the network already, prolonged or ended by their owner. The owner's
 * side of [8] *Leases*; chunk_raise() is its use at the end of an upload.
 */
#ifndef STORAGE_RENEW_H
#define STORAGE_RENEW_H

#include "storage/chunks.h"

/*
 * Raises the lease to until (unix seconds) with the next generation and tells the holders their
 * siblings; ERR_OK when ≥ need holders have it durably (need = s), else ERR_UNREACHABLE.
 */
struct chunk_raise_opts {
	struct lease_signer signer;
	const struct constraints *constraints;
	uint64_t until, lock_until;
	uint8_t need;
};
SUSPENDS int chunk_raise(
    struct chunks *c, const struct chunk_put_result *r, const struct chunk_raise_opts *opts);

/*
 * Ends our lease of a chunk whose put came to nothing, with the holders in it: a deletion, which is
 * final, and outranks a raise that is still on its way. Only for a chunk that no other put makes
 * (its bytes are sealed under fresh keys) and whose name nobody has. Who does not hear it keeps its
 * shard until the lease ends. ERR_OK also then.
 */
SUSPENDS int chunk_withdraw(
    struct chunks *c, const struct chunk_put_result *r, const struct lease_signer *signer);

struct chunk_renewed {
	uint8_t live, told; /* holders that live, and those of them that took it */
	uint8_t unlocked;   /* those that do not grant so long a lock */
	uint64_t locked_until;
};
/* Unix seconds. until 0: a deletion, which is final. lock_until 0: the lock stays as it is. */
struct chunk_renew_opts {
	struct lease_signer signer;
	uint64_t until, lock_until;
};
/*
 * Prolongs our lease, or ends it. Constraints stay as they are. ERR_OK when anybody was told: see
 * told; ERR_UNREACHABLE: no holder lives; ERR_NOT_FOUND: none of them knows a lease by this signer;
 * ERR_STALE: deleted before; ERR_LOCKED: a lock that is not over forbids it, see locked_until;
 * ERR_UNSUPPORTED: holders live and none of them grants so long a lock.
 */
SUSPENDS int chunk_renew(struct chunks *c, const struct chunk_ref *ref,
    const struct chunk_renew_opts *opts, struct chunk_renewed *out);

#endif
