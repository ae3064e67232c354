/* What upload.c and upload_complete.c share. */
#ifndef OBJECT_UPLOAD_PRIVATE_H
#define OBJECT_UPLOAD_PRIVATE_H

#include "object/tables.h"
#include "object/upload.h"

typedef int part_fn(void *arg, const struct part *p);

/* Parts of an upload that is no more, which are to be swept. */
struct doom {
	/* Parts of the object: their contents are the object's now. With keep_used their records
	 * stay, but name none any more. All others go, and their contents with them. */
	uint8_t used[PART_BITS_BYTES];
	bool keep_used;
	uint16_t next; /* all below have been seen */
};
bool doom_uses(const struct doom *d, uint16_t number);
SUSPENDS int doom_get(
    struct kv *kv, const struct version *id, struct doom *out); /* ERR_NOT_FOUND */
int doom_put(struct kv *txn, const struct version *id, const struct doom *d);

/* How often the parts of an upload have changed. */
SUSPENDS int tally_get(struct kv *kv, const struct version *id, uint64_t *changes);
int tally_del(struct kv *txn, const struct version *id);

/* The first part with this number or a higher one. ERR_NOT_FOUND. Lends from r. */
SUSPENDS int parts_next(struct kv *kv, const struct version *id, uint32_t from,
    struct table_record *r, struct part *out);
/* doom not NULL: only those that are used. */
SUSPENDS int parts_list(struct kv *kv, const struct version *id, const struct doom *doom,
    uint16_t after, uint32_t max, part_fn *each, void *arg, bool *truncated);

/* Forgets results that nobody may ask for again. */
SUSPENDS int repeats_sweep(struct bucket_txn *t, bool *more);

#endif
