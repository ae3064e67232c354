/*
 * Keeping the contents of a bucket, by whoever runs a gateway for it and holds its head's ballot:
 *
 *   tour   all that the bucket names (bucket_contents.h), a few chunks a second, once in half a
 *          month: leases with less than LEASE_RENEW_BELOW_S left are prolonged, those of what is
 *          locked are locked as far as holders grant it; what lives in a pack that is mostly dead
 *          moves to another one. Then the chunks of the state itself.
 *   trash  what nothing has named for a day is un-leased, and forgotten
 *
 * Where the tour is, is kept in the state ('h'), so that another process goes on from there. The
 * trash is read from a current view: what is there was committed, so no proposal of unknown fate
 * that names it can be chosen any more.
 */
#ifndef OBJECT_CONTENT_KEEP_H
#define OBJECT_CONTENT_KEEP_H

#include "object/budget.h"
#include "object/content_refs.h"
#include "object/kv.h"
#include "object/packs.h"

#define CONTENT_TABLE_KEEPING 'h'
/* A lease is prolonged when a month of it is over: two looks in that time, should one fail. */
#define CONTENT_TOUR_S        (15 * 24 * 3600)

/* The bucket's state: object/map.h in the product. */
struct content_state {
	/* Runs fn on a current view. */
	SUSPENDS int (*view)(void *arg, int (*fn)(void *fn_arg, struct kv *kv), void *fn_arg);
	/* Runs fn in a transaction, perhaps several times: as map_update. */
	SUSPENDS int (*update)(void *arg, int (*fn)(void *fn_arg, struct kv *txn), void *fn_arg);
	/* The chunks of the state itself; may be NULL. */
	SUSPENDS int (*own_chunks)(
	    void *arg, int (*each)(void *each_arg, const struct chunk_ref *ref), void *each_arg);
	void *arg;
};

struct content_keeper_opts {
	struct files *files;          /* lent */
	struct memory_budget *memory; /* lent: of readers */
	struct packs *packs;          /* lent; NULL: nothing moves */
	struct lease_signer signer;   /* the bucket's */
	struct content_state state;
	bool (*mine)(void *arg); /* holds the ballot; NULL: always */
	void *arg;
	uint64_t tour_s;       /* 0: CONTENT_TOUR_S */
	uint64_t trash_wait_s; /* 0: CONTENT_TRASH_WAIT_S; shorter for debugging only */
};

struct content_keeper;

/* Starts keeping. */
SUSPENDS int content_keeper_new(
    const struct content_keeper_opts *opts, struct content_keeper **out);
SUSPENDS void content_keeper_free(struct content_keeper *k);
/* Without waiting: a whole tour (or the rest of one), all trash that is due. By nobody else now. */
SUSPENDS int content_keeper_tour(struct content_keeper *k);
SUSPENDS int content_keeper_trash(struct content_keeper *k);

struct content_keeper_sight {                       /* since it was started */
	uint64_t tours, looked, renewed, unreached; /* chunks */
	uint64_t locked, unlocked;                  /* holders of these do not grant it */
	uint64_t moved, moved_bytes;                /* members of packs */
	uint64_t trashed, deferred, given_up;       /* records of the trash */
};
void content_keeper_sight(const struct content_keeper *k, struct content_keeper_sight *out);

#endif
