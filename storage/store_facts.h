/*
 * Everything that a store knows of one chunk, from one look at its index: what tours over all
 * chunks ask for (keeper.h). Part of store.h's calls, kept apart because the struct is large.
 */
#ifndef STORAGE_STORE_FACTS_H
#define STORAGE_STORE_FACTS_H

#include "overlay/agreed_time.h"
#include "storage/admission.h"
#include "storage/messages.h"
#include "storage/store.h"
#include "storage/store_walk.h"

struct chunk_facts {
	struct hash chunk;
	uint8_t k, n; /* 0: no shard is here, only leases */
	uint64_t chunk_bytes;
	uint64_t stored_unix_s; /* when the newest shard came */
	bool unproven;          /* some shard was found by recovery and never read since */
	uint8_t count;          /* of indices: the shards that are here */
	uint8_t indices[SHARDS_MAX];
	size_t leases_count; /* those with the highest keys are left out beyond the maximum */
	bool leases_more;    /* or some have rotted: what they say is not known */
	struct lease leases[LEASES_KNOWN_MAX];
	uint64_t sequence; /* of the siblings; 0: none were told */
	struct siblings siblings;
};

/* The smallest chunk ≥ from that has a shard here. ERR_NOT_FOUND at the end. */
SUSPENDS int store_next_facts(struct store *s, const struct hash *from, struct chunk_facts *out);
/* The smallest chunk ≥ from that has a lease, with or without a shard here. */
SUSPENDS int store_next_leased_facts(
    struct store *s, const struct hash *from, struct chunk_facts *out);
/* Of this chunk. ERR_NOT_FOUND: neither shard nor lease is here. */
SUSPENDS int store_facts(struct store *s, const struct hash *chunk, struct chunk_facts *out);

/* Of a chunk that has a shard here, each of which is whole: else ERR_NOT_FOUND. */
SUSPENDS int store_held_facts(struct store *s, const struct hash *chunk, struct chunk_facts *out);

/*
 * Calls lost when a shard goes because it was read and is not whole: dropped by compaction, or
 * found by recovery and not proven, whoever read it. What a verify finds in others is its caller's
 * to drop. lost does not suspend; NULL: nobody is told any more.
 */
void store_on_lost(
    struct store *s, void (*lost)(void *arg, const struct hash *chunk, uint8_t index), void *arg);

/*
 * Whether a lease may be kept beside those that are: strangers who know a chunk's name shall not
 * crowd its owner out. ERR_FULL: of a key not known here, and LEASES_KNOWN_MAX others are;
 * ERR_NOT_FOUND: a deletion by a key that never asked for anything here. The chunk may not be here
 * yet.
 */
SUSPENDS int store_lease_room(struct store *s, const struct lease *l);
/*
 * The same, and whether l, which came with its grant or without, may be kept of a chunk that is
 * here at all: by whose it is, for which what is known of its key counts, too, and by its dates.
 * It gets the note that goes with it. A deletion is admitted whoever signed it. Whoever brings a
 * lease, its owner or a sibling: the same rules.
 */
int facts_accept(const struct chunk_facts *f, const struct admission *a, struct lease *l,
    uint64_t group, const struct agreed_time *now);

/*
 * A fingerprint of the leases: equal where the same generations are known. 0: none. What it covers
 * is ordered by key, so the sequence of their arrival does not matter.
 */
uint32_t facts_lease_sum(const struct chunk_facts *f);
/* Whether that shard is here. */
static inline bool
facts_has(const struct chunk_facts *f, uint8_t index)
{
	return memchr(f->indices, index, f->count) != NULL;
}
/* The latest date that a lease asks for (unix seconds); 0: all are deleted, or none is there. */
uint64_t facts_until(const struct chunk_facts *f);
/* The lease with the latest date; NULL: none that is not deleted. Lent from f. */
const struct lease *facts_lease(const struct chunk_facts *f);

#endif
