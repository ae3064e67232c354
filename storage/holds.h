/*
 * HOLDS, the small talk of siblings: "of these chunks I hold that shard; do you still hold yours?"
 * One datagram, at most HOLDS_MAX chunks, an answer that is smaller than the question. It tells at
 * once that a node lives, that it still has what it should have, whether both know the same leases,
 * and until when either may be away (drain.h). Pure; fuzzed with the other messages.
 */
#ifndef STORAGE_HOLDS_H
#define STORAGE_HOLDS_H

#include "overlay/base/buf.h"
#include "storage/drain.h"
#include "storage/ledger.h"

/* Of 23 bytes each, in a body of RPC_DATAGRAM_BODY_MAX. */
#define HOLDS_MAX 43

struct hold {
	uint8_t chunk[CHUNK_PREFIX_BYTES];
	uint8_t mine;       /* index of the asker's shard; INDEX_NONE: it has none */
	uint8_t yours;      /* index that the asked should hold */
	bool tell;          /* the asked may not know of mine yet */
	bool lost;          /* … and what it may not know is that mine is gone */
	uint32_t lease_sum; /* of the leases that the asker knows */
};
struct holds {
	size_t count; /* none: only to say the rest, or to hear it */
	struct hold at[HOLDS_MAX];
	struct drain drain; /* the asker's; issued_ms 0: it says nothing */
};
int holds_pack(const struct holds *h, struct buf *out);
int holds_unpack(struct bytes in, struct holds *out); /* ERR_INVALID: lengths, flags, indices */

enum hold_answer {
	HOLD_YES = 1,    /* the shard is here */
	HOLD_LEASES = 2, /* other leases are known here than there */
};
/* One byte for each hold, in the order of the question. */
struct holds_reply {
	size_t count;
	uint8_t at[HOLDS_MAX];
	struct drain drain; /* the answerer's */
};
int holds_reply_pack(const struct holds_reply *r, struct buf *out);
int holds_reply_unpack(struct bytes in, struct holds_reply *out);

#endif
