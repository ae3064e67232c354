/*
 * Pairs of bytes in an array sorted by key, searched by halves: what the maps in memory of tests
 * stand on (kv_mem.h, gateway/realm_mem.h). No memory ends the test.
 */
#ifndef TEST_UNIT_OBJECT_KV_PAIRS_H
#define TEST_UNIT_OBJECT_KV_PAIRS_H

#include "object/kv.h"

struct kv_pair {
	struct bytes key, value; /* one piece of memory, key first; key.data NULL: none */
};

struct kv_pairs { /* all zero: empty */
	struct kv_pair *at;
	size_t count, cap;
};

struct kv_pair kv_pair_new(struct bytes key, struct bytes value); /* gives */
void kv_pair_free(const struct kv_pair *p);

/* The value into to, which may be NULL: nobody asks. */
int kv_copy_out(struct buf *to, struct bytes from);
int kv_pairs_get(const struct kv_pairs *p, struct bytes key, struct buf *value); /* ERR_NOT_FOUND */
/* The first that is not below from. ERR_NOT_FOUND. */
int kv_pairs_seek(const struct kv_pairs *p, struct bytes from, struct buf *key, struct buf *value);
void kv_pairs_add(struct kv_pairs *p, struct kv_pair pair); /* takes; none of its key is there */
/* Out of the array; none where there is none. gives */
struct kv_pair kv_pairs_take(struct kv_pairs *p, struct bytes key);
struct kv_pairs kv_pairs_copy(const struct kv_pairs *p); /* gives */
void kv_pairs_fini(struct kv_pairs *p);

#endif
