/*
 * The head registers that one node is an anchor of ([12]): answers the messages of clients by the
 * rules of acceptor.h, each change durable before its answer leaves; takes new ones (founding,
 * joining); shows charter and handovers; and with the other anchors puts new ones in the place of
 * those that are silent, or in its own when the node leaves.
 *
 *	message → entry → acceptor_step → pieces of the tail, state, what goes (one sync) →
 *answer look    each other anchor is asked now and then → silent for the charter's time → replaced
 *
 * A member is (key, incarnation): the incarnation is a random number that is made with the store
 *and lost with it, so that a node with an empty directory is no member any more. What this does not
 * notice: doc/design.md D55.
 */
#ifndef STORAGE_REGISTERS_H
#define STORAGE_REGISTERS_H

#include "dht/dht.h"
#include "storage/admission.h"
#include "storage/keeper.h"
#include "storage/register_talk.h"
#include "storage/store.h"

/* Each takes 13 KB of memory and up to 300 KB of the disk: a node of 1 GB can bear that many. */
#define REGISTERS_MAX       1024
/* Of those whom nobody vouches for, as of the capacity (admission.h). */
#define REGISTERS_STRANGERS (REGISTERS_MAX * STRANGERS_PERCENT / 100)
/* Messages being answered; each has a buffer of half a megabyte while it is there. */
#define REGISTER_PLACES     32

struct registers;

struct registers_opts {
	struct endpoint *endpoint; /* lent, as the others */
	struct dht *dht;
	struct store *store;
	struct keeper *keeper;       /* takes shards? leaves?; NULL in tests: always, never */
	struct admission *admission; /* NULL: everybody's are taken */
	uint64_t pace;               /* divides its times on test networks; 0 or 1: as documented */
};
/* Serves from here on; what is asked before registers_load() is answered ERR_BUSY. gives */
int registers_new(const struct registers_opts *opts, struct registers **out);
/*
 * Reads what the store has, sweeps what a crash left. What cannot be read is tried again by itself,
 * until then nothing is served.
 */
SUSPENDS void registers_load(struct registers *r);
void registers_shutdown(struct registers *r, void (*done)(void *arg), void *arg);
/* After the endpoint's shutdown, whose methods point here. NULL accepted. */
void registers_free(struct registers *r);

/*
 * What METHOD_REGISTER does: message packed, the answer into reply. ERR_REFUSED: the message is
 * foreign, forged or senseless; ERR_BUSY; errors of the store: nothing was promised.
 */
SUSPENDS int registers_answer(struct registers *r, struct bytes message, struct buf *reply);

uint64_t registers_incarnation(const struct registers *r); /* 0: never asked for */
/* Registers that it is a member of: a node that leaves waits until there are none. */
size_t registers_anchored(const struct registers *r);

struct registers_status {
	bool loaded;
	size_t anchored;                     /* a member of */
	size_t moved;                        /* was a member of; kept to say where they went */
	size_t silent;                       /* other anchors that were silent at the last look */
	uint64_t tail_bytes;                 /* of all anchored */
	uint64_t answered, refused, changed; /* messages; of these, that had to be synced */
	uint64_t founded, joined, replaced; /* since the start; replaced: by us in others' places */
	uint64_t swept, damaged;            /* values of no register; registers that do not read */
};
void registers_status(const struct registers *r, struct registers_status *out);
/* The state of one, for tests and sight. ERR_NOT_FOUND. */
struct acceptor;
int registers_state(
    const struct registers *r, const struct hash *bucket, const struct acceptor **out); /* lends */

#endif
