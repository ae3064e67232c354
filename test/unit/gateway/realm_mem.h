/*
 * A realm in memory, for tests of the gateway without a network: two accounts, buckets as sorted
 * arrays, contents as pieces of memory. Transactions are all or nothing; views are of the present,
 * those of what is known lack the last transaction (single keys; what is walked is of the present),
 * as if another gateway had made it.
 * It does not show what the network can do to a request: that is for test/e2e.
 */
#ifndef TEST_UNIT_GATEWAY_REALM_MEM_H
#define TEST_UNIT_GATEWAY_REALM_MEM_H

#include "gateway/realm.h"

struct realm_mem;

struct realm_mem *realm_mem_new(struct env *env);
void realm_mem_free(struct realm_mem *m);
struct realm *realm_mem_realm(struct realm_mem *m);
/* The access keys of both accounts; lent. Behind them a third, of the first account, for the bucket
 * REALM_MEM_NARROW alone. */
#define REALM_MEM_NARROW "narrow-bucket"
const struct realm_key *realm_mem_key(const struct realm_mem *m, size_t i);
/* Contents that something names, less those that nothing does: 0 when all was let go. */
size_t realm_mem_contents(const struct realm_mem *m);

#endif
