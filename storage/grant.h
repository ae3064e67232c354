/*
 * A grant: an owner vouches for a lease key, so that nodes which accept the owner accept what is
 * leased by it. Lease keys are unlinkable, and stay so: the owner's signature is sealed under a key
 * that follows from the owner's public key, which only they know to whom the owner has given it. To
 * everybody else a grant is random bytes; it may travel with its lease everywhere. Pure.
 *
 * What it is not: a right of who shows it. It names a lease key, and only leases signed by that key
 * go with it, so one that is replayed by others is of no use to them.
 */
#ifndef STORAGE_GRANT_H
#define STORAGE_GRANT_H

#include "overlay/base/crypto.h"

#define GRANT_NONCE_BYTES CRYPTO_XNONCE_BYTES
#define GRANT_BYTES       (GRANT_NONCE_BYTES + 64 + CRYPTO_TAG_BYTES)

struct grant {
	uint8_t b[GRANT_BYTES];
};

/* nonce: random. */
void grant_make(struct grant *out, struct network_id net, const struct sign_key *owner_key,
    const struct pubkey *owner, const struct pubkey *lease_key,
    const uint8_t nonce[GRANT_NONCE_BYTES]);
/* Whether this owner vouches for the lease key. */
bool grant_opens(const struct grant *g, struct network_id net, const struct pubkey *owner,
    const struct pubkey *lease_key);

#endif
