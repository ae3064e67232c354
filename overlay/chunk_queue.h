/*
 * Bytes on their way: a queue of blocks that come from a store and go back to
 * it as they empty, so that bulk flows through warm memory and an idle queue holds
 * none. What may be queued at most is the business of who queues.
 */
#ifndef OVERLAY_CHUNK_QUEUE_H
#define OVERLAY_CHUNK_QUEUE_H

#include "overlay/base/types.h"

/* Small: control frames and short messages. Large: four full frames, one mapping of pages. */
#define QUEUE_BLOCK_SMALL 4064
#define QUEUE_BLOCK_LARGE (4 * (KIB(32) + 24))
/* Large blocks kept for reuse: 2 MiB, what eight busy streams turn over. */
#define QUEUE_STORE_MAX   16

struct queue_block;

struct queue_store { /* embedded; zero is empty */
	struct queue_block *spare;
	size_t spare_count;
	size_t bytes_held; /* of all blocks in use */
	bool used;         /* since the last queue_store_trim() */
};

struct chunk_queue { /* embedded; zero is empty */
	struct queue_block *head, *tail;
	size_t len;
	size_t held;  /* of its blocks */
	bool thrifty; /* settable: long messages get blocks of their own length, not large ones */
};

/* Frees the spare blocks when none was asked for since the last call; true: nothing is left. */
bool queue_store_trim(struct queue_store *store);
void queue_store_fini(struct queue_store *store); /* all queues are empty */

/* Lends room for len ≤ QUEUE_BLOCK_LARGE contiguous bytes at the end, to be filled before
 * anything else happens to q; they count as queued at once. NULL: no memory. */
uint8_t *chunk_queue_room(struct chunk_queue *q, struct queue_store *store, size_t len);
/* ERR_NOMEM: nothing was added. */
int chunk_queue_append(struct chunk_queue *q, struct queue_store *store, struct bytes data);
/* Lends the first pieces, at most cap; returns how many. */
size_t chunk_queue_parts(const struct chunk_queue *q, struct bytes *parts, size_t cap);
void chunk_queue_drop(struct chunk_queue *q, struct queue_store *store, size_t len);
/* Moves len ≤ q->len bytes out. */
void chunk_queue_take(struct chunk_queue *q, struct queue_store *store, uint8_t *dst, size_t len);

#endif
