/*
 * What a gateway is given instead of the seed ([12] *Account*): for each of some buckets what is
 * needed to read it, a writer key of its own where it may write, and the owner's signed word for
 * both; an access key of S3; and a date on which it ends. Anchors accept the writer key while the
 * bucket's configuration, which the owner signs, names it. Nothing here leads to the seed, to other
 * buckets, or to the owner keys. Pure; layout: doc/disk.md.
 */
#ifndef OBJECT_DELEGATION_H
#define OBJECT_DELEGATION_H

#include "object/access_key.h"
#include "object/bucket_record.h"
#include "overlay/base/buf.h"
#include "storage/grant.h"

#define DELEGATED_BUCKETS_MAX ACCESS_GRANTS_MAX
#define DELEGATION_NAME_MAX   64

struct delegated_bucket {
	char name[BUCKET_NAME_MAX + 1];
	uint8_t rights;     /* of enum access_right; as the key's grant for it */
	struct key writer;  /* seed of its writer key; unused without ACCESS_WRITE */
	struct grant grant; /* the account vouches for the bucket's lease key */
	struct sig word;    /* the owner's, for all that is here */
	struct bucket_record record;
};

struct delegation {                       /* 25 KB; secret: delegation_wipe */
	char number[ACCOUNT_NUMBER_TEXT]; /* of the account (bucket_keys.h) */
	char account[DELEGATION_NAME_MAX + 1];
	uint64_t expires_ms; /* Unix time, not 0 */
	struct access_key key;
	size_t count;
	struct delegated_bucket buckets[DELEGATED_BUCKETS_MAX];
};

/* The writer key; pub all zero where it may not write. */
void delegation_writer(const struct delegated_bucket *b, struct identity *out);
/* By the owner of bucket number i, when all but the words is set: sets its word. */
int delegation_sign(
    struct delegation *d, struct network_id net, size_t i, const struct identity *owner);

#define DELEGATION_BYTES_MAX KIB(64)
int delegation_pack(
    const struct delegation *d, struct network_id net, struct buf *out); /* appends */
/* ERR_VERSION, ERR_WRONG_NETWORK, ERR_CORRUPT, ERR_AUTH: not the owners' words. */
int delegation_unpack(struct bytes in, struct network_id net, struct delegation *out);
void delegation_wipe(struct delegation *d);

#endif
