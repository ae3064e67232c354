/*
 * Bytes as one chunk each, with its lease for the full term, and back by what names it: where
 * a bucket's pages, logs and roots lie. The bytes are sealed already (object/sealing.h). In the
 * network (blob_net.h), or in memory for tests.
 */
#ifndef OBJECT_BLOB_STORE_H
#define OBJECT_BLOB_STORE_H

#include "overlay/base/buf.h"
#include "overlay/base/task.h"
#include "storage/chunks.h"

struct blob_store {
	/*
	 * ERR_OK: it is placed as an acknowledged chunk is, leased for the full term, and found
	 * from its id alone if publish. Else nothing is named; what was placed ends within 48 h.
	 */
	SUSPENDS int (*put)(
	    struct blob_store *s, struct bytes blob, bool publish, struct chunk_ref *out);
	/* Appended to out, checked against the id. ERR_UNREACHABLE, ERR_TOO_BIG. */
	SUSPENDS int (*get)(struct blob_store *s, const struct chunk_ref *ref, struct buf *out);
	/* The rest of a published one's ref. */
	SUSPENDS int (*find)(struct blob_store *s, const struct hash *id, struct chunk_ref *out);
};

#endif
