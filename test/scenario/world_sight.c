/* What nodes say of themselves, without the network between. */
#include <stdlib.h>

#include "storage/store_facts.h"
#include "test/scenario/world_private.h"

struct keeper *
world_keeper(struct world *w, size_t i)
{
	return node_keeper(w->nodes[i].node);
}

struct keeper_status
world_keeper_status(struct world *w, size_t i)
{
	struct keeper_status s;

	keeper_status(world_keeper(w, i), &s);
	return s;
}

struct store_status
world_store_status(struct world *w, size_t i)
{
	struct store_status s;

	store_status(node_store(w->nodes[i].node), &s);
	return s;
}

uint64_t
world_shards(struct world *w, size_t i)
{
	return world_store_status(w, i).shards;
}

uint64_t
world_shards_of_all(struct world *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->opts.nodes; i++)
		sum += world_alive(w, i) ? world_shards(w, i) : 0;
	return sum;
}

uint64_t
world_rebuilt(struct world *w)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < w->opts.nodes; i++)
		sum += world_alive(w, i) ? world_keeper_status(w, i).shards_rebuilt : 0;
	return sum;
}

uint64_t
world_unix_s(struct node *peer)
{
	struct agreed_time t;

	endpoint_agreed_time(node_endpoint(peer), &t);
	return t.unix_ms / 1000;
}

uint32_t
world_blames(struct world *w, size_t i)
{
	struct peer_info info;

	return endpoint_peer(node_endpoint(w->client), &w->nodes[i].identity.pub, &info)
		   ? info.blames
		   : 0;
}

struct sibling_run {
	struct store *store;
	const struct hash *chunk;
	struct chunk_facts *facts;
};

static int
sibling_task(void *arg)
{
	struct sibling_run *r = arg;

	return store_facts(r->store, r->chunk, r->facts);
}

bool
world_sibling(struct world *w, size_t node, const struct hash *chunk, const struct pubkey *other)
{
	struct sibling_run r = {
		.store = node_store(world_peer(w, node)),
		.chunk = chunk,
		.facts = calloc(1, sizeof(*r.facts)),
	};
	bool found = false;

	must(r.facts != NULL);
	(void)sim_run_task(w->sim, w->nodes[node].env, sibling_task, &r); /* none: no sibling */
	for (size_t i = 0; i < r.facts->siblings.count; i++)
		found |= pubkey_equal(&r.facts->siblings.at[i].node, other);
	free(r.facts);
	return found;
}
