/*
 * Packs: small contents that come at the same time go together into one chunk, each sealed under a
 * key of its own. Who adds one waits until its pack is placed and leased; while some packs are on
 * their way the others gather, so that nobody waits for the sake of company. One of these per
 * bucket (one lease key) and process. When most of a pack is dead, what lives in it is written
 * anew elsewhere (content_compact.h).
 */
#ifndef OBJECT_PACKS_H
#define OBJECT_PACKS_H

#include "object/content.h"
#include "object/placing.h"

/*
 * Rows of a pack are read whole, so it is short; and in networks of thousands what is so short has
 * a code of fewer shards (layout.h).
 */
#define PACK_BYTES_MAX  MIB(1)
/* On their way while others gather; and when those that wait would fill one more each. */
#define PACKS_USUAL     2
#define PACKS_IN_FLIGHT 8

struct packs;

struct memory_budget;

struct packs_opts {
	struct files *files;          /* lent */
	struct memory_budget *memory; /* lent: a pack on its way takes of the large kind */
	struct placing_opts placing;  /* no lock: it would hold what the others leave */
};
int packs_new(const struct packs_opts *opts, struct packs **out);
SUSPENDS void packs_free(struct packs *p); /* nobody is adding */

/* 1 … CONTENT_PACKED_MAX bytes, lent until it returns. told: how it went, may be NULL. */
SUSPENDS int packs_add(
    struct packs *p, struct bytes data, struct content *out, struct placing_told *told);

#endif
