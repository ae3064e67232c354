/*
 * Who may move bulk now: a fixed number of places, each with one buffer, shared fairly
 * between the networks (addr_group) that ask. A network may take one more place while it holds
 * fewer than are free, so k greedy ones leave 1/(k+1) of all to who comes next, and none
 * ever has to be thrown out. Who must wait does so before any of its bytes are asked for.
 */
#ifndef STORAGE_TRANSFERS_H
#define STORAGE_TRANSFERS_H

#include <sys/queue.h>

#include "overlay/base/pool.h"
#include "overlay/endpoint.h"

/* Longer than a place is commonly held, shorter than clients wait for a node. */
#define TRANSFER_WAIT          SECONDS(10)
/* Who waits looks so often whether its asker is still there: the dead hold no task for long. */
#define TRANSFER_LOOK          MILLISECONDS(250)
/* Without a leaf of progress (64 KiB) the other side is taken for gone: 1 KB/s. */
#define TRANSFER_STALL         SECONDS(60)
/* The same while more than half of the places are taken: 4 KB/s, and no slow one stays long. */
#define TRANSFER_STALL_CROWDED SECONDS(15)

struct transfers;

struct transfer { /* embedded in its task; private but for the buffer */
	LIST_ENTRY(transfer) link;
	uint64_t group;
	uint8_t *buffer;
};

struct transfers *transfers_new(
    struct env *env, size_t buffer_bytes, size_t max); /* gives; NULL: no memory */
void transfers_free(struct transfers *t);              /* all have ended; NULL accepted */

/*
 * A place for what st's peer asks. ERR_BUSY: none within TRANSFER_WAIT; ERR_CLOSED: st has
 * ended meanwhile; ERR_NOMEM.
 */
SUSPENDS int transfer_begin(struct transfers *t, const struct stream *st, struct transfer *out);
void transfer_end(struct transfers *t, struct transfer *x);

/* How long one step of a transfer that is under way may take. */
uint64_t transfers_patience(const struct transfers *t);
size_t transfers_live(const struct transfers *t);

#endif
