/*
 * A bucket's settings, for commands: the first transaction of a bucket that one makes, and what
 * they are. Apart from them since a node's settings have the same name.
 */
#ifndef CMD_BUCKET_MAKE_H
#define CMD_BUCKET_MAKE_H

#include "object/bucket.h"

struct bucket_make {
	struct account_id owner;
	const char *location; /* "": anywhere */
	uint64_t now_ms;
	bool versioning, lock;
};
SUSPENDS int bucket_make(void *arg, struct kv *txn); /* arg: a struct bucket_make */

struct bucket_words {
	const char *versioning; /* "never", "enabled", "suspended" */
	bool lock;
};
SUSPENDS int bucket_words(struct kv *view, struct bucket_words *out);

#endif
