/*
 * For each chunk and kind: of every party among its holders, how many shards live only with it.
 * Those that could stop the chunk are looked up in a table of counts, in the order in which they
 * were first met, so that the same chunks always name the same worst one.
 */
#include "storage/parties.h"

#include <stdlib.h>
#include <string.h>

#include "storage/layout.h"

/* A node shares chunks with some hundred others; whoever stops something beyond so many parties is
 * counted with his kind, but not by name. */
#define NAMED_MAX 256

struct count {
	struct party party;
	uint64_t chunks;
};

struct parties {
	uint64_t chunks, stopped[PARTY_KINDS];
	struct count named[NAMED_MAX];
	size_t named_count;
};

struct parties *
parties_new(void)
{
	return calloc(1, sizeof(struct parties));
}

void
parties_free(struct parties *p)
{
	free(p);
}

void
parties_clear(struct parties *p)
{
	memset(p, 0, sizeof(*p));
}

static bool
known(enum party_kind kind, const struct traits *t)
{
	switch (kind) {
	case PARTY_NETWORK:
		return t->network != 0;
	case PARTY_COUNTRY:
		return t->country[0] != '\0';
	default:
		return true;
	}
}

static bool
same(enum party_kind kind, const struct traits *a, const struct traits *b)
{
	switch (kind) {
	case PARTY_NETWORK:
		return a->network == b->network;
	case PARTY_COUNTRY:
		return memcmp(a->country, b->country, sizeof(a->country)) == 0;
	default:
		return pubkey_equal(&a->operator_key, &b->operator_key);
	}
}

/* Shards that nobody but the party of h[of] holds: of two holders of one shard both must be its. */
static uint32_t
held_alone(enum party_kind kind, const struct holding *h, size_t count, size_t of, uint32_t live)
{
	bool elsewhere[SHARDS_MAX + 1] = { false };
	uint32_t left = 0;

	for (size_t i = 0; i < count; i++) {
		if (elsewhere[h[i].index] || same(kind, &h[i].who, &h[of].who))
			continue;
		elsewhere[h[i].index] = true;
		left++;
	}
	return live - left;
}

static bool
first_of_its_party(enum party_kind kind, const struct holding *h, size_t of)
{
	for (size_t i = 0; i < of; i++) {
		if (same(kind, &h[i].who, &h[of].who))
			return false;
	}
	return true;
}

static void
count_one(struct parties *p, enum party_kind kind, const struct traits *who)
{
	struct count *c = p->named;
	size_t i = 0;

	while (i < p->named_count && (c[i].party.kind != kind || !same(kind, &c[i].party.who, who)))
		i++;
	if (i == NAMED_MAX)
		return;
	if (i == p->named_count) {
		c[i] = (struct count){ .party = { kind, *who } };
		p->named_count++;
	}
	c[i].chunks++;
}

static uint32_t
distinct(const struct holding *h, size_t count)
{
	bool there[SHARDS_MAX + 1] = { false };
	uint32_t live = 0;

	for (size_t i = 0; i < count; i++) {
		live += !there[h[i].index];
		there[h[i].index] = true;
	}
	return live;
}

void
parties_add(struct parties *p, const struct holding *h, size_t count, uint8_t k)
{
	uint32_t live = distinct(h, count);

	p->chunks++;
	for (enum party_kind kind = 0; kind < PARTY_KINDS; kind++) {
		bool any = false;

		for (size_t i = 0; i < count; i++) {
			if (!known(kind, &h[i].who) || !first_of_its_party(kind, h, i) ||
			    !party_stops(held_alone(kind, h, count, i, live), live, k))
				continue;
			any = true;
			count_one(p, kind, &h[i].who);
		}
		p->stopped[kind] += any;
	}
}

void
parties_sum(const struct parties *p, struct parties_sum *out)
{
	*out = (struct parties_sum){ .chunks = p->chunks };
	memcpy(out->stopped, p->stopped, sizeof(out->stopped));
	for (size_t i = 0; i < p->named_count; i++) {
		const struct count *c = &p->named[i];

		if (c->chunks > out->worst_stops[c->party.kind]) {
			out->worst_stops[c->party.kind] = c->chunks;
			out->worst[c->party.kind] = c->party;
		}
	}
}
