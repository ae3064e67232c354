/* The first transaction of a bucket that a command makes. */
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

#endif
