/*
 * Checking a store whose node is stopped, without changing anything.
 */
#ifndef STORAGE_STORE_CHECK_H
#define STORAGE_STORE_CHECK_H

#include "storage/store.h"

/*
 * Offline check of a stopped node's segments and index, read-only: every record's CRC, every
 * leaf against its hash, every root against its descriptor, index against segments. report is
 * called on the loop with each finding.
 */
struct store_check_result {
	uint64_t segments, shards, bytes, leases, dead_extents;
	uint64_t bad_records, bad_shards, index_missing, index_stray;
};
SUSPENDS int store_check(const struct store_opts *opts, void (*report)(void *arg, const char *line),
    void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
    struct store_check_result *out);

#endif
