/*
 * Bucket records that were read before. Every request of a gateway begins with one, and its
 * signature takes longer than all the rest of looking it up: bytes that were believed once are
 * believed again.
 */
#ifndef OBJECT_RECORD_MEMORY_H
#define OBJECT_RECORD_MEMORY_H

#include "object/bucket_record.h"

#define RECORD_MEMORY_SLOTS 16 /* the buckets in use; some 50 KiB */

struct record_slot;

struct record_memory { /* all zero: empty */
	struct record_slot *slots;
	size_t next; /* to be given up */
};

/* As bucket_record_unpack(). Without memory every record is checked anew. */
int record_memory_unpack(
    struct record_memory *m, struct bytes in, struct network_id net, struct bucket_record *out);
void record_memory_wipe(struct record_memory *m); /* frees, too */

#endif
