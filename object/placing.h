/*
 * The chunks that one write places: each is put, and put again elsewhere where holders were lost on
 * the way; all are remembered, so that their leases are raised to the full term once nothing is
 * missing any more. After an error they are withdrawn: holders that hear it drop their shards, with
 * others the leases end by themselves. Shared by whoever writes: files (file_put.c), contents
 * (content_write.h), packs (packs.h).
 */
#ifndef OBJECT_PLACING_H
#define OBJECT_PLACING_H

#include "object/files.h"
#include "object/manifest.h"

struct placing_opts {
	struct code_params code;        /* k = 0: by the size of the network */
	struct constraints constraints; /* repair_at is set from the code */
	uint64_t term_s;                /* lease term; 0: LEASE_TERM_S */
	uint64_t lock_s; /* nobody can delete it so long, its owner included; ≤ term; 0: no lock */
	bool wait_s;     /* on at s receipts, without waiting for all n */
	struct lease_signer signer;
};

/* How it went, for the caller: placed_min may be < n, which is no error from s on. */
struct placing_told {
	uint64_t chunks;
	struct code_params code;        /* of the last */
	uint8_t placed_min;             /* over all chunks: shards with receipts of the worst one */
	struct placement_report report; /* of the worst chunk */
	struct put_refusals refusals;   /* of all chunks that were not placed as wanted */
};

/* A chunk that was put, as little of it as its leases need. */
struct placed_chunk {
	struct chunk_ref ref;
	uint8_t placed;
	struct contact *holders; /* code.n, by index; pub zero: none */
};

struct placing {
	struct files *f;
	struct placing_opts opts;
	struct placing_told told;
	struct placed_chunk *placed;
	size_t placed_count, placed_cap;
	uint64_t servers;    /* in the network, when the code follows from it */
	uint64_t until;      /* of the full-term leases, unix seconds */
	uint64_t lock_until; /* the same; 0: no lock */
};

/* ERR_INVALID: a lock that is longer than the term. To be ended in any case. */
SUSPENDS int placing_init(struct placing *p, struct files *f, const struct placing_opts *opts);
/*
 * Frees. err: how the write went; other than ERR_OK nothing came of it, and nobody has been told a
 * name: the leases of all chunks end, as far as holders answer in some seconds, but where the task
 * was cancelled. A chunk that could not be put is withdrawn by placing_put itself.
 */
SUSPENDS void placing_end(struct placing *p, int err);
/* By the network's size, unless the caller said; small chunks may have another default. */
struct code_params placing_code(const struct placing *p, uint64_t bytes);
/*
 * Puts one chunk of bytes from source and, unless the caller waits for s only, completes it to n.
 * The chunk's place in p->placed is *slot (given in order of ending). progress as chunk_put's.
 * Several at once.
 */
SUSPENDS int placing_put(struct placing *p, uint64_t bytes, const struct chunk_source *source,
    void (*progress)(void *arg, uint64_t bytes), void *arg, size_t *slot);
/* The same of bytes that are there, and stay where they are so long. */
SUSPENDS int placing_put_bytes(struct placing *p, struct bytes bytes, size_t *slot);
/* Raises all chunks from slot `from` on to the full term. */
SUSPENDS int placing_raise(struct placing *p, size_t from);
/* What another one has placed is this write's from now on. ERR_NOMEM: it stays that one's. */
int placing_take(struct placing *p, struct placing *from);
/*
 * Says in the DHT where a placed chunk lies, which must be found by its id alone; its holders do,
 * too, a little later.
 */
SUSPENDS int placing_publish(struct placing *p, const struct placed_chunk *c);
/* What was placed elsewhere for the same end is told with the rest. */
void placing_tell(struct placing *p, const struct placing_told *more);
/* Adds a placed chunk to a manifest. */
int manifest_add_placed(struct manifest *m, const struct placed_chunk *c);

/* Seals block number block of a segment of length bytes; in may be dst; in a worker. */
int placing_seal_block(struct files *f, const struct key *k, uint64_t length, uint64_t block,
    const uint8_t *in, uint8_t *dst);

#endif
