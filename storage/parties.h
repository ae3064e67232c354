/*
 * Who alone could make a chunk unreadable: parties that hold so many of its shards that fewer than
 * k would be left without them ([9] of the design). A party is an operator, a network (/24 or /64)
 * or a country; only networks are facts, the rest is what peers claim. One function decides it for
 * the uploader's warning (placement.h) and for what a node tells of all that it keeps. Pure.
 */
#ifndef STORAGE_PARTIES_H
#define STORAGE_PARTIES_H

#include "overlay/base/types.h"

/* Whether whoever holds so many of the live shards can stop it. Where fewer than k live nobody can:
 * it is stopped. */
static inline bool
party_stops(uint32_t held, uint32_t live, uint8_t k)
{
	return live >= k && held > live - k;
}

/* The more certain first: operators and networks fail together more often than countries do. */
enum party_kind { PARTY_OPERATOR, PARTY_NETWORK, PARTY_COUNTRY, PARTY_KINDS };

/* Of a holder. */
struct traits {
	struct pubkey operator_key; /* the node's own key: nobody else is known */
	uint64_t network;           /* addr_group(); 0: not known, or no network of its own */
	char country[2];            /* "\0\0": not known */
};
/* Somebody who lives and holds a shard; several may hold the same one. */
struct holding {
	uint8_t index;
	struct traits who;
};

struct party {
	enum party_kind kind;
	struct traits who; /* only what the kind is about */
};

/* How many chunks each party could stop; of a bounded number of parties. */
struct parties;
struct parties_sum {
	uint64_t chunks;               /* counted */
	uint64_t stopped[PARTY_KINDS]; /* of these, that some party of the kind alone could stop */
	struct party worst[PARTY_KINDS];
	uint64_t worst_stops[PARTY_KINDS]; /* how many that one could; 0: there is none */
};

struct parties *parties_new(void);    /* gives; NULL: no memory */
void parties_free(struct parties *p); /* NULL accepted */
void parties_clear(struct parties *p);
/* One chunk and all who hold live shards of it. */
void parties_add(struct parties *p, const struct holding *h, size_t count, uint8_t k);
void parties_sum(const struct parties *p, struct parties_sum *out);

#endif
