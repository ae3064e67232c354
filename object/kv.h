/*
 * An ordered map of byte strings as its user sees it: a consistent view of a bucket's state, or a
 * transaction on it. Implemented by object/map.h (the replicated map), and in memory for tests.
 * Order: memcmp, and of two strings of which one begins the other the shorter first.
 *
 * A transaction sees its own writes and those of the ones before it; seeking sees them, too.
 */
#ifndef OBJECT_KV_H
#define OBJECT_KV_H

#include "overlay/base/buf.h"
#include "overlay/base/task.h"

#define KV_KEY_MAX   1152 /* an S3 key of 1,024 bytes, escaped, a table byte, a version */
#define KV_VALUE_MAX KIB(64)

struct kv_ops;
struct kv {
	const struct kv_ops *ops;
};
struct kv_ops {
	SUSPENDS int (*get)(struct kv *kv, struct bytes key, struct buf *value);
	SUSPENDS int (*seek)(struct kv *kv, struct bytes from, struct buf *key, struct buf *value);
	int (*put)(struct kv *kv, struct bytes key, struct bytes value);
	int (*del)(struct kv *kv, struct bytes key);
};

/*
 * Buffers are replaced, not appended to; they must have room for KV_KEY_MAX + 1 and KV_VALUE_MAX
 * (else ERR_TOO_BIG), and be no secret of `from` or `key`. value NULL: not wanted.
 * ERR_UNREACHABLE and the like: a part of the state could not be fetched; ERR_STALE: a view so old
 * that a part of it is gone: take another one.
 */
/* ERR_NOT_FOUND: no such key. */
SUSPENDS int kv_get(struct kv *kv, struct bytes key, struct buf *value);
/* The smallest key ≥ from. ERR_NOT_FOUND: there is none. */
SUSPENDS int kv_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value);
/* The smallest key > *key, which it replaces. */
SUSPENDS int kv_next(struct kv *kv, struct buf *key, struct buf *value);
/* Transactions only, ERR_STATE on a view. ERR_INVALID: an empty key; ERR_TOO_BIG: key or value, or
 * all writes of the transaction together. */
int kv_put(struct kv *kv, struct bytes key, struct bytes value);
/* ERR_OK also when there is no such key. */
int kv_del(struct kv *kv, struct bytes key);

/* < 0, 0, > 0 */
int kv_compare(struct bytes a, struct bytes b);

#endif
