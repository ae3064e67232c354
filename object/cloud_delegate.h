/*
 * Gateways that hold no seed: the owner makes a delegation (delegation.h) for one, which the
 * account remembers by the id of its access key, and takes it back by the configuration of each
 * bucket's register, which anchors enforce.
 */
#ifndef OBJECT_CLOUD_DELEGATE_H
#define OBJECT_CLOUD_DELEGATE_H

#include "object/cloud.h"
#include "object/delegation.h"

#define CLOUD_DELEGATES_MAX 100

/* What is remembered of one. */
struct cloud_delegate {
	char id[ACCESS_ID_TEXT]; /* of its access key */
	char label[ACCESS_LABEL_MAX + 1];
	uint64_t created_ms, expires_ms;
	size_t count;
	struct cloud_delegate_bucket {
		char name[BUCKET_NAME_MAX + 1];
		uint8_t rights;
		struct hash bucket;
		struct pubkey writer; /* zeros: none */
	} buckets[DELEGATED_BUCKETS_MAX];
};

/*
 * The label and the grants of io->key, and io->expires_ms, are set; the rest is filled in. Noted
 * first, then the writer keys are told to the anchors: whatever breaks off can be revoked. A grant
 * names a bucket that exists: ERR_NOT_FOUND; ERR_INVALID: one of all buckets, or no date; ERR_FULL:
 * too many delegates, or writers of a bucket (WRITERS_MAX); else as cloud_bucket_update.
 */
SUSPENDS int cloud_delegate_create(struct cloud *c, struct delegation *io);
/* In the order of ids; as cloud_keys. */
SUSPENDS int cloud_delegates(
    struct cloud *c, int (*each)(void *arg, const struct cloud_delegate *d), void *arg);
/*
 * When this says ERR_OK, a quorum of each bucket's anchors takes nothing from the delegate's writer
 * key any more. What it could read it can read until the bucket is no more: its secret is known.
 * ERR_NOT_FOUND: no such delegate.
 */
SUSPENDS int cloud_delegate_revoke(struct cloud *c, const char *id);
/* Their keys in the bucket's configuration, where they are not: a recovery begins without them. */
SUSPENDS int cloud_delegates_readmit(struct cloud *c, const struct hash *bucket);
/* Revokes all whose date has come; *count tells how many. */
SUSPENDS int cloud_delegates_expire(struct cloud *c, size_t *count);

#endif
