/*
 * All contents that a bucket names, for whoever keeps their leases: of versions, then of the parts
 * of uploads that go on. Parts of completed uploads name none of their own any more.
 */
#ifndef OBJECT_BUCKET_CONTENTS_H
#define OBJECT_BUCKET_CONTENTS_H

#include "object/bucket.h"

/* The map's longest key and a part's number. */
#define BUCKET_PLACE_MAX (KV_KEY_MAX + 2)

struct bucket_content {
	struct bytes content; /* lent for the call, as is key */
	struct bytes key;     /* of a version's record, for bucket_content_move; parts have none */
	uint64_t locked_until_ms; /* retention; UINT64_MAX: legal hold; 0: not locked */
};
/*
 * Looks at max versions or parts behind place, and gives their contents. place is empty in the
 * beginning, has room for BUCKET_PLACE_MAX and goes along; it holds for later views, too. ERR_END:
 * that was all. An error of each ends it, and place is before what was given then.
 */
SUSPENDS int bucket_contents(struct kv *view, struct buf *place, size_t max,
    int (*each)(void *arg, const struct bucket_content *c), void *arg);

/*
 * The bytes of a version have moved: it names `to`, if it still is there and names `from`; else
 * ERR_STALE. References are the caller's. key: as bucket_contents() gave it.
 */
SUSPENDS int bucket_content_move(
    struct kv *txn, struct bytes key, struct bytes from, struct bytes to);

#endif
