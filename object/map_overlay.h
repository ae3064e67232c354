/*
 * What was written, in memory: an ordered map of keys to versions, newest first, so that who reads
 * at an older seq sees what was there then. A skip list. Pure; heights come from a seed.
 */
#ifndef OBJECT_MAP_OVERLAY_H
#define OBJECT_MAP_OVERLAY_H

#include "object/kv.h"

#define OVERLAY_HEIGHT_MAX 12 /* of a quarter each: 16 million keys */

struct overlay_version {
	uint64_t seq;
	struct overlay_version *older;
	bool deleted;
	uint32_t len;
	uint8_t value[];
};
struct overlay_item {
	struct overlay_version *newest; /* there is one */
	uint16_t key_len;
	uint8_t height;
	struct overlay_item *next[]; /* height of them, then the key */
};

struct overlay {
	struct overlay_item *heads[OVERLAY_HEIGHT_MAX];
	uint64_t chance; /* state of the generator of heights */
	size_t items;
	size_t bytes;     /* memory of all */
	size_t old_bytes; /* of it: of versions that are not the newest */
};

void overlay_init(struct overlay *o, uint64_t seed);
void overlay_fini(struct overlay *o);

/* Seqs of a key ascend; with the same seq again it replaces. ERR_NOMEM. */
int overlay_put(struct overlay *o, uint64_t seq, struct bytes key, struct bytes value);
int overlay_del(struct overlay *o, uint64_t seq, struct bytes key);
/* Takes back what was written with that seq, the newest. */
void overlay_take_back(struct overlay *o, uint64_t seq);

/* The first item whose key is ≥ from, or NULL. */
const struct overlay_item *overlay_seek(const struct overlay *o, struct bytes from);
const struct overlay_item *overlay_next(const struct overlay_item *i);
struct bytes overlay_key(const struct overlay_item *i);
/* The newest version with after < seq ≤ until, or NULL. */
const struct overlay_version *overlay_at(
    const struct overlay_item *i, uint64_t after, uint64_t until);
struct bytes overlay_value(const struct overlay_version *v);

/*
 * Forgets what nobody needs: versions with a seq ≤ floor, which every snapshot in use has in its
 * pages; and of the others those that are the newest at none of `seqs` (ascending) and not at all.
 */
struct overlay_needs {
	uint64_t floor;
	const uint64_t *seqs; /* at which somebody reads */
	size_t count;
};
void overlay_prune(struct overlay *o, const struct overlay_needs *needs);

#endif
