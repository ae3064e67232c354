/*
 * The store of a bucket's chunks (blob_store.h) that is the network: each is placed, completed and
 * leased as an acknowledged chunk of a file is (placing.h).
 */
#ifndef OBJECT_BLOB_NET_H
#define OBJECT_BLOB_NET_H

#include "object/blob_store.h"
#include "object/placing.h"

struct blob_net {
	struct blob_store store; /* what a map is given */
	struct files *files;
	struct placing_opts placing;
};

/* files and what the signer of placing stands on are lent. */
void blob_net_init(struct blob_net *b, struct files *files, const struct placing_opts *placing);

#endif
