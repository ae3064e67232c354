/*
 * What buckets stand on (ground.h) in the network: registers at their anchors, chunks on the
 * storing nodes.
 */
#ifndef OBJECT_GROUND_NET_H
#define OBJECT_GROUND_NET_H

#include "object/files.h"
#include "object/ground.h"
#include "storage/head_client.h"

struct ground_net;

struct ground_net_opts {
	struct env *env;
	struct network_id net;
	struct files *files; /* lent, as the others */
	struct chunks *chunks;
	struct dht *dht;
	struct registers *registers; /* of the very node that this runs in; else NULL */
};
int ground_net_new(const struct ground_net_opts *opts, struct ground_net **out); /* gives */
/* All that was opened is closed. NULL accepted. */
void ground_net_free(struct ground_net *g);
struct ground *ground_net_base(struct ground_net *g); /* lends */

/* The register of an open bucket, for sight and for changes of its members. */
struct head_client *ground_net_client(struct ground_bucket *b);

#endif
