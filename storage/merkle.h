/*
 * Merkle trees over a shard's leaves, with the domain separation of RFC 6962:
 * leaf = H(0x00‖data), node = H(0x01‖left‖right), an odd node moves up unchanged,
 * root = H(0x02‖u64 shard length‖top). Pure.
 */
#ifndef STORAGE_MERKLE_H
#define STORAGE_MERKLE_H

#include "overlay/base/err.h"
#include "storage/layout.h"

#define MERKLE_PATH_MAX 16 /* depth for LEAVES_MAX leaves is 10 */

struct merkle_proof {
	uint32_t leaf;
	uint8_t count;
	struct hash
	    path[MERKLE_PATH_MAX]; /* siblings from the leaf up; levels without one are skipped */
};

void merkle_leaf(struct hash *out, const void *data, size_t len);
/* count ≥ 1. ERR_NOMEM. */
int merkle_root(struct hash *out, const struct hash *leaves, uint32_t count, uint64_t shard_bytes);
/* ERR_OK, or ERR_CORRUPT when all leaves together do not lead to root. ERR_NOMEM. */
int merkle_check(
    const struct hash *root, const struct hash *leaves, uint32_t count, uint64_t shard_bytes);
int merkle_prove(
    struct merkle_proof *out, const struct hash *leaves, uint32_t count, uint32_t leaf);
/* ERR_OK, or ERR_CORRUPT when leaf and proof do not lead to root. */
int merkle_verify(const struct hash *root, const struct merkle_proof *p, const struct hash *leaf,
    uint32_t count, uint64_t shard_bytes);

#endif
