/*
 * The realm of the product: accounts in the network (object/cloud.h), one or several, whose buckets
 * share one name space here. Whoever runs it gives the accounts; each is found or begun when it is
 * added.
 */
#ifndef GATEWAY_REALM_NET_H
#define GATEWAY_REALM_NET_H

#include "gateway/realm.h"
#include "object/cloud.h"
#include "object/files.h"

#define REALM_ACCOUNTS_MAX 16 /* each bucket's name is asked of all of them */

struct realm_net;

struct realm_net_opts {
	struct env *env;
	struct files *files;                /* lent */
	uint64_t write_memory, read_memory; /* of all uploads, of all downloads; 0: the default */
};
int realm_net_new(const struct realm_net_opts *opts, struct realm_net **out); /* gives */
/* No request is under way; the accounts are the caller's. NULL is accepted. */
void realm_net_free(struct realm_net *n);
/* Lends the account, which is started (cloud_start). ERR_FULL. */
SUSPENDS int realm_net_add(struct realm_net *n, struct cloud *account);
struct realm *realm_net_realm(struct realm_net *n);

#endif
