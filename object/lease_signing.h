/*
 * Who signs the leases of what is stored: a key that is derived and unlinkable, and the account's
 * word for it, so that nodes which accept the account accept what is leased by the key. Holds a
 * secret: wiped by its owner.
 */
#ifndef OBJECT_LEASE_SIGNING_H
#define OBJECT_LEASE_SIGNING_H

#include "object/account.h"
#include "overlay/base/env.h"
#include "storage/chunks.h"

struct lease_signing {
	struct network_id net;
	struct sign_key key;
	struct pubkey pub;
	bool granted; /* else nodes that accept listed owners only refuse it */
	struct grant grant;
};

/* The key of one file, by the account. */
void lease_signing_init(struct lease_signing *s, struct env *env, struct network_id net,
    const struct account *account, const uint8_t file_id[32]);
/*
 * The key of a bucket, which follows from the bucket's secret: whoever can read the bucket can
 * prolong and end its leases. account: vouches for it; NULL where there is no seed: then the grant
 * that the owner has left for this key is shown, if it is not NULL.
 */
void lease_signing_bucket(struct lease_signing *s, struct env *env, struct network_id net,
    const struct key *secret, const struct account *account, const struct grant *grant);

/* What takes part in chunk_put() and the like; lends s. */
struct lease_signer lease_signing_signer(struct lease_signing *s);

#endif
