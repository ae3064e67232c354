/*
 * A bucket of an account (object/cloud.h), or the account's own, without the quorum of its anchors:
 * what is left of it, and how it goes on from there.
 */
#ifndef OBJECT_CLOUD_RECOVER_H
#define OBJECT_CLOUD_RECOVER_H

#include "object/cloud.h"

/*
 * The last resort, when the quorum of a bucket's anchors is gone for good: an epoch begins with new
 * ones, from the newest head that is to be found. Nobody can say whether later changes had been
 * committed: those are lost then. ERR_EXISTS: a quorum answers, there is nothing to recover;
 * ERR_NOT_FOUND: no such bucket; ERR_UNREACHABLE: no head is to be found, or the new anchors do not
 * answer; ERR_BUSY: its anchors are changing, or another recovery runs; ERR_PLACEMENT.
 */
struct cloud_recovered {
	uint64_t epoch;               /* that has begun */
	uint8_t anchors, answered;    /* of the old one */
	bool recorded;                /* its head comes from the DHT's record, not from an anchor */
	uint64_t found_seq, safe_seq; /* of that head; changes up to this are there, at least */
	uint64_t seq;                 /* of now */
};
SUSPENDS int cloud_bucket_recover(struct cloud *c, const char *name, struct cloud_recovered *out);
/*
 * The same for the account's own bucket, before or after cloud_start, which goes on with the new
 * epoch. Nobody remembers its charter: ERR_UNREACHABLE also when no finder record is left.
 */
SUSPENDS int cloud_recover(struct cloud *c, struct cloud_recovered *out);
/* What a recovery would begin from; changes nothing. Also of a bucket that cannot be opened. */
struct cloud_remains {
	struct configuration now; /* its anchors, as far as anybody tells */
	uint64_t epoch;
	uint8_t answered;
	uint64_t found_seq; /* of the newest head; 0: none is to be found */
};
SUSPENDS int cloud_bucket_remains(struct cloud *c, const char *name, struct cloud_remains *out);

#endif
