/*
 * Whether a node that says it has got a shard may have it, by the rules in the chunk's lease. The
 * same function that chose it (placement.h) is asked by those who were not there: a repairer that
 * forgets the owner's rules, or a node that takes what it may not have, finds no sibling that
 * counts on it, and the shard is rebuilt elsewhere.
 */
#include <stdlib.h>

#include "storage/keeper_private.h"

/* A neighbour that was described; of which region it is nobody asks here. */
static struct candidate
of_neighbour(const struct neighbour *one)
{
	struct candidate c = { .contact = one->contact,
		.operator_key = one->traits.operator_key,
		.network = addr_group(&one->contact.addr) };

	memcpy(c.country, one->traits.country, sizeof(c.country));
	return c;
}

bool
keeper_self_candidate(const struct keeper *k, struct candidate *out)
{
	const struct peer_record *self = dht_self(k->opts.dht);
	struct contact us = { .pub = endpoint_identity(k->opts.endpoint)->pub };

	if (self == NULL)
		return false;
	if (self->addrs_count > 0)
		us.addr = self->addrs[0];
	candidate_init(out, &us, self);
	out->taken = true;
	return true;
}

/* Ours counts like any other; 1 when there is one. */
static size_t
list_self(const struct keeper *k, const struct chunk_facts *f, uint8_t index, struct candidate *out)
{
	if (f->count == 0 || (f->count == 1 && f->indices[0] == index))
		return 0;
	return keeper_self_candidate(k, out);
}

/* Who lives, holds another shard, and has said what it is. */
static size_t
list_others(struct keeper *k, const struct chunk_facts *f, uint8_t index, const struct pubkey *node,
    struct candidate *out)
{
	size_t count = 0;

	for (size_t i = 0; i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];
		const struct neighbour *one = neighbours_find(k->neighbours, &s->node);

		if (s->index == index || pubkey_equal(&s->node, node) || one == NULL ||
		    !one->described || !keeper_counts_on(k, one, keeper_short_grace(k)))
			continue;
		out[count] = of_neighbour(one);
		out[count++].taken = true;
	}
	count += list_self(k, f, index, &out[count]);
	return count;
}

/* What the node says of itself; asked for when nobody has yet. */
static SUSPENDS int
describe(struct keeper *k, const struct pubkey *node, struct candidate *out)
{
	const struct neighbour *one = neighbours_find(k->neighbours, node);
	struct peer_info info;
	struct peer_record *r;
	int err;

	if (one != NULL && one->described) {
		*out = of_neighbour(one);
		return ERR_OK;
	}
	if (!endpoint_peer(k->opts.endpoint, node, &info))
		return ERR_NOT_FOUND;
	r = malloc(sizeof(*r));
	if (r == NULL)
		return ERR_NOMEM;
	err = dht_peer_record(k->opts.dht, &info.contact, r);
	/* It answers, and says nothing: no place for what has rules. */
	if (err == ERR_NOT_FOUND || err == ERR_REFUSED)
		err = ERR_PLACEMENT;
	if (err == ERR_OK)
		candidate_init(out, &info.contact, r);
	free(r);
	return err;
}

int
keeper_may_hold(
    struct keeper *k, const struct chunk_facts *f, uint8_t index, const struct pubkey *node)
{
	const struct lease *lease = facts_lease(f);
	struct candidate *c;
	const char *why = "";
	size_t count;
	int err;

	if (lease == NULL || !placement_ruled(&lease->constraints))
		return ERR_OK;
	c = calloc(SHARDS_MAX + 2, sizeof(*c));
	if (c == NULL)
		return ERR_NOMEM;
	/* First itself: asking may take a while, and what is listed must be of now. */
	err = describe(k, node, &c[0]);
	if (err == ERR_OK) {
		count = 1 + list_others(k, f, index, node, &c[1]);
		if (!placement_allows(c, count, 0, &lease->constraints, &why)) {
			log_info(k->env, "a holder of a shard is not accepted: %s", why);
			err = ERR_PLACEMENT;
		}
	}
	free(c);
	return err;
}
