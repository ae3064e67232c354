/*
 * Who could stop the chunks that are kept here: tours count it, from the holders that live and what
 * their records say of them. Records are asked of the holders themselves, once a day, some at a
 * time behind each tour; until one has come its node counts as its own operator, of no country.
 */
#include <stdlib.h>

#include "storage/keeper_private.h"

/* A record changes when its node moves or its operator does. */
#define DESCRIBE_EVERY     HOURS(24)
/* One datagram each; the siblings of a full node are described within an hour of eager tours. */
#define DESCRIBED_PER_TOUR 64
#define DESCRIBES_AT_ONCE  8

/* ---- what neighbours are ---- */

struct describing {
	struct keeper *k;
	struct pubkey nodes[DESCRIBED_PER_TOUR];
	size_t count, next, learned;
};

static int
describe_task(void *arg)
{
	struct describing *d = arg;
	struct peer_record *r = malloc(sizeof(*r));
	int err = r == NULL ? ERR_NOMEM : ERR_OK;

	while (err != ERR_NOMEM && err != ERR_CANCELED && d->next < d->count) {
		struct neighbour *one = neighbours_find(d->k->neighbours, &d->nodes[d->next++]);
		struct contact who;

		if (one == NULL)
			continue;
		who = one->contact;
		one->described_at = env_now(d->k->env);
		err = dht_peer_record(d->k->opts.dht, &who, r);
		one = neighbours_find(d->k->neighbours, &who.pub);
		if (err != ERR_OK || one == NULL)
			continue;
		d->learned += !one->described;
		one->described = true;
		one->traits.operator_key = r->operator_key;
		memcpy(one->traits.country, r->country, sizeof(one->traits.country));
	}
	free(r);
	return err == ERR_CANCELED ? err : ERR_OK;
}

static bool
to_be_described(const struct keeper *k, const struct neighbour *one)
{
	uint64_t age = env_now(k->env) - one->described_at;

	if (one->contact.addr.family == ADDR_NONE || one->silent_at != 0)
		return false;
	if (one->described_at == 0)
		return true;
	return age >= keeper_time(k, one->described ? DESCRIBE_EVERY : TOUR_LAZY);
}

int
keeper_describe(struct keeper *k)
{
	struct describing *d = calloc(1, sizeof(*d));
	const struct neighbour *one;
	size_t cursor = 0;
	int err;

	if (d == NULL)
		return ERR_NOMEM;
	d->k = k;
	while (d->count < DESCRIBED_PER_TOUR &&
	       (one = neighbours_next(k->neighbours, &cursor)) != NULL) {
		if (to_be_described(k, one))
			d->nodes[d->count++] = one->contact.pub;
	}
	err = task_together(
	    k->env, "describe siblings", describe_task, d, MIN(d->count, DESCRIBES_AT_ONCE));
	/* After a start nobody shall wait a lazy tour's time for an answer. */
	if (err == ERR_OK && d->learned > 0 && k->status.tours == 1)
		keeper_tour_soon(k);
	free(d);
	return err;
}

/* ---- what they hold ---- */

uint64_t
keeper_network_of(const struct keeper *k, const struct addr *addr)
{
	/* On one machine all are one network, and to say so tells nothing. */
	return endpoint_loopback_net(k->opts.endpoint) || addr->family == ADDR_NONE
		   ? 0
		   : addr_group(addr);
}

static void
own_traits(const struct keeper *k, struct traits *out)
{
	const struct peer_record *self = dht_self(k->opts.dht);

	*out = (struct traits){ .operator_key = endpoint_identity(k->opts.endpoint)->pub };
	if (self == NULL)
		return;
	out->operator_key = self->operator_key;
	memcpy(out->country, self->country, sizeof(out->country));
	if (self->addrs_count > 0)
		out->network = keeper_network_of(k, &self->addrs[0]);
}

void
keeper_tally(struct keeper *k, const struct chunk_facts *f)
{
	struct holding *h = f->count == 0 ? NULL : malloc(2 * SHARDS_MAX * sizeof(*h));
	size_t count = 0;

	if (h == NULL)
		return;
	for (size_t i = 0; i < f->count; i++) {
		h[count].index = f->indices[i];
		own_traits(k, &h[count++].who);
	}
	for (size_t i = 0; i < f->siblings.count; i++) {
		const struct sibling *s = &f->siblings.at[i];
		const struct neighbour *one = neighbours_find(k->neighbours, &s->node);

		if (keeper_is_self(k, &s->node) || one == NULL || s->index >= f->n ||
		    (!keeper_counts_on(k, one, keeper_short_grace(k)) && !keeper_waits_for(k, one)))
			continue;
		h[count] = (struct holding){ s->index, one->traits };
		h[count++].who.network = keeper_network_of(k, &one->contact.addr);
	}
	parties_add(k->parties_touring, h, count, f->k);
	free(h);
}

void
keeper_tallied(struct keeper *k)
{
	struct parties *last = k->parties;

	k->parties = k->parties_touring;
	k->parties_touring = last;
	k->status.leases = k->leases_touring;
}
