/*
 * What a node keeps, in memory: one entry for each of its shards, and one for each chunk of which
 * only leases are left (a tombstone outlives its shard). Answers at once what siblings ask, and
 * holds what the last tour found out about each chunk. About 60 bytes an entry; derived from the
 * store, rebuilt at every start. Pure.
 */
#ifndef STORAGE_LEDGER_H
#define STORAGE_LEDGER_H

#include "overlay/base/types.h"
#include "overlay/seeded.h"

/* Chunks are spoken of by so many bytes of their ids: enough that nobody finds two alike. */
#define CHUNK_PREFIX_BYTES 16
#define INDEX_NONE         0xff /* no shard, only leases; SHARDS_MAX is 255 */

struct held {
	struct hash chunk;
	uint8_t index; /* INDEX_NONE */
	uint8_t k, r, n;
	uint8_t alive;          /* distinct indices on live holders, ours included */
	uint8_t rank;           /* among the live holders: who repairs first, second … */
	bool tell;              /* siblings are to be told that we hold it */
	bool due;               /* fewer are alive than should be, and its lease runs */
	bool urgent;            /* alive ≤ k + 1 */
	bool begun;             /* we repair it now */
	uint8_t failures;       /* of our repairs, one after the other */
	uint32_t lease_sum;     /* facts_lease_sum() */
	uint32_t tour;          /* in which it was last seen */
	uint64_t due_at;        /* since when; env_now scale, as the others */
	uint64_t turn_from;     /* the first in rank may begin, the others count from here */
	uint64_t progress_at;   /* last sign of a repair by whomever; 0: none */
	bool outranked;         /* the last who gave one comes before us */
	uint64_t retry_at;      /* not by us before */
	uint64_t unwatched_at;  /* since when a sibling has no place (neighbours.h); 0: all have */
	uint64_t moved_at;      /* last tried to give it away */
	uint64_t introduced_at; /* two others that hold the same shard were told of each other */
	bool twinned;           /* somebody else who lives holds the same shard */
	uint64_t twin_at;       /* since when one of lower hash does, who is to keep it; 0: not */
	struct pubkey twin;     /* who; where twin_at */
};

struct ledger;

struct ledger *ledger_new(const struct seeded *seed); /* gives; NULL: no memory */
void ledger_free(struct ledger *l);                   /* NULL accepted */
size_t ledger_count(const struct ledger *l);

/* All pointers are lent until the next ledger_add() or ledger_remove(). NULL: not there. */
struct held *ledger_find(const struct ledger *l, const struct hash *chunk, uint8_t index);
/* Any entry of the chunk, one with a shard before one without. */
struct held *ledger_any(const struct ledger *l, const uint8_t prefix[CHUNK_PREFIX_BYTES]);
/* All entries of a chunk: *cursor starts at 0; NULL at the end. Nothing may be added meanwhile. */
struct held *ledger_next_of(const struct ledger *l, const struct hash *chunk, size_t *cursor);
/* The one that is there, or a new one (zeros but for its name). NULL: no memory. */
struct held *ledger_add(struct ledger *l, const struct hash *chunk, uint8_t index);
void ledger_remove(struct ledger *l, struct held *h);
/* All entries: *cursor starts at 0; NULL at the end. Nothing may be added meanwhile. */
struct held *ledger_next(const struct ledger *l, size_t *cursor);

#endif
