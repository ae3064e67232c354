/* What realm_net.c and realm_net_bucket.c share. Nobody else includes this. */
#ifndef GATEWAY_REALM_NET_PRIVATE_H
#define GATEWAY_REALM_NET_PRIVATE_H

#include "gateway/realm_net.h"
#include "object/budget.h"

struct net_bucket_opts {
	struct env *env;
	struct files *files;
	struct memory_budget *writing, *reading;
	struct cloud_bucket *bucket; /* taken: also when it fails */
	struct realm_account owner;
};
SUSPENDS int net_bucket_new(
    const struct net_bucket_opts *opts, struct realm_bucket **out); /* gives */

#endif
