/*
 * The records behind heads that one client of a register has to do with: of the head that is
 * committed, of what it proposes, of what others have proposed. A few whole tails, which share the
 * segments that they have in common; looked up by their hash. Pure.
 */
#ifndef STORAGE_SHELF_H
#define STORAGE_SHELF_H

#include "storage/tail.h"

/* Committed, pending, and what two other writers are about; 256 KiB each at most. */
#define SHELF_TAILS_MAX 6

struct shelf_segment; /* private: counted, shared */
struct shelf_tail {
	struct tail tail;
	struct bytes records[TAIL_SEGMENTS_MAX];
	struct shelf_segment *segments[TAIL_SEGMENTS_MAX]; /* private */
	uint64_t used_at;
	bool there;
};
struct shelf {
	struct shelf_tail at[SHELF_TAILS_MAX];
	uint64_t uses;
	/* Hashes of tails that must not make room for others; zeros: none. */
	struct hash pinned[2];
};

void shelf_init(struct shelf *s);
void shelf_fini(struct shelf *s);
/* The tail of that hash; NULL: not here. Lent until the next shelf_put(). */
const struct shelf_tail *shelf_find(struct shelf *s, const struct hash *tail);
/* The one that has a tail of that hash as its beginning (or whole); NULL. */
const struct shelf_tail *shelf_with(struct shelf *s, const struct hash *tail);
/*
 * The tail of h from a part and what is here; records are copied. ERR_NOT_FOUND: what the part
 * extends is not here; ERR_INVALID: it is not h's; ERR_NOMEM.
 */
int shelf_put(struct shelf *s, const struct tail_part *part, const struct head *h);
/*
 * What is behind `extends` in the tail of that hash, as a part; all of it where that is none of its
 * beginnings. Records are lent until the next shelf_put(). ERR_NOT_FOUND.
 */
int shelf_part(
    struct shelf *s, const struct hash *tail, const struct hash *extends, struct tail_part *out);

#endif
