/*
 * Choosing holders. One pass per shard: of the candidates that the rules allow, those that spread
 * best (fewest shards under the same operator, in the same network, country, region), of those
 * two at random, of the two the better one. So load follows free space without everybody
 * running to the emptiest node, and one owner or country comes in again last.
 */
#include "storage/placement.h"

#include <stdio.h>
#include <stdlib.h>

#include "storage/parties.h"

void
candidate_init(struct candidate *c, const struct contact *who, const struct peer_record *record)
{
	*c = (struct candidate){ .contact = *who,
		.operator_key = record->operator_key,
		.network = addr_group(&who->addr) };
	memcpy(c->country, record->country, sizeof(c->country));
	memcpy(c->region, record->region, sizeof(c->region));
}

/* How many of the taken candidates share a trait with one. */
struct shared {
	uint32_t country, operators, network, region;
};

static bool
same_country(const struct candidate *a, const struct candidate *b)
{
	return a->country[0] != '\0' && memcmp(a->country, b->country, 2) == 0;
}

static struct shared
count_shared(const struct candidate *c, const size_t *taken, size_t count, size_t of)
{
	struct shared s = { 0 };

	for (size_t i = 0; i < count; i++) {
		const struct candidate *t = &c[taken[i]];

		s.country += same_country(t, &c[of]);
		s.operators += pubkey_equal(&t->operator_key, &c[of].operator_key);
		s.network += t->network == c[of].network;
		s.region += strcmp(t->region, c[of].region) == 0;
	}
	return s;
}

/* The taken ones but for one of them; how many. */
static size_t
list_taken(const struct candidate *c, size_t candidates, size_t except, size_t *out)
{
	size_t count = 0;

	must(candidates <= PLACED_MAX);
	for (size_t i = 0; i < candidates; i++) {
		if (c[i].taken && i != except)
			out[count++] = i;
	}
	return count;
}

static bool
country_listed(const struct constraints *rules, const char country[2])
{
	for (size_t i = 0; i < rules->countries_count; i++) {
		if (memcmp(rules->countries[i], country, 2) == 0)
			return true;
	}
	return false;
}

/* NULL when the rules allow one more shard here. An unknown country is never an allowed one. */
static const char *
refusal(const struct candidate *c, const struct constraints *rules, const struct shared *s)
{
	if (rules->countries_count > 0 &&
	    country_listed(rules, c->country) == rules->countries_forbidden)
		return "country not allowed";
	if (rules->countries_forbidden && c->country[0] == '\0')
		return "country unknown";
	if (rules->per_country_max > 0 &&
	    (c->country[0] == '\0' || s->country >= rules->per_country_max))
		return "too many shards in one country";
	if (rules->per_operator_max > 0 && s->operators >= rules->per_operator_max)
		return "too many shards under one operator";
	if (rules->per_network_max > 0 && s->network >= rules->per_network_max)
		return "too many shards in one network";
	return NULL;
}

bool
placement_ruled(const struct constraints *rules)
{
	return rules->per_country_max != 0 || rules->per_operator_max != 0 ||
	       rules->per_network_max != 0 || rules->countries_count != 0;
}

static uint32_t
regions_taken(const struct candidate *c, const size_t *taken, size_t count)
{
	uint32_t regions = 0;

	for (size_t i = 0; i < count; i++) {
		struct shared before = count_shared(c, taken, i, taken[i]);

		regions += c[taken[i]].region[0] != '\0' && before.region == 0;
	}
	return regions;
}

/* Lower is better spread. Operators and networks fail together more often than countries do. */
static uint32_t
crowding(const struct shared *s)
{
	return s->operators * 64 + s->network * 16 + s->country * 4 + s->region;
}

/* The better of two: no blames, then clearly more room, then nearer. */
static size_t
better_of(const struct candidate *c, size_t a, size_t b)
{
	if (c[a].blames != c[b].blames)
		return c[a].blames < c[b].blames ? a : b;
	if (c[a].free_bytes / 2 > c[b].free_bytes)
		return a;
	if (c[b].free_bytes / 2 > c[a].free_bytes)
		return b;
	/* An unknown round trip counts as a slow one. */
	uint64_t ra = c[a].srtt == 0 ? UINT64_MAX : c[a].srtt;
	uint64_t rb = c[b].srtt == 0 ? UINT64_MAX : c[b].srtt;

	return rb < ra ? b : a;
}

struct choice {
	const struct candidate *c;
	size_t candidates;
	const struct constraints *rules;
	uint64_t shard_bytes;
	const struct placement_random *random;
	bool used[PLACED_MAX];
	size_t taken[PLACED_MAX]; /* the used ones, as a list */
	size_t taken_count;
};

/* One more holder, or candidates when none fits. new_region: only from a region not used yet. */
static size_t
pick(const struct choice *ch, bool new_region)
{
	uint32_t best = UINT32_MAX, ties = 0;
	size_t first = ch->candidates, second = ch->candidates;

	for (size_t i = 0; i < ch->candidates; i++) {
		if (ch->used[i] || ch->c[i].free_bytes < ch->shard_bytes)
			continue;

		struct shared s = count_shared(ch->c, ch->taken, ch->taken_count, i);

		if (refusal(&ch->c[i], ch->rules, &s) != NULL)
			continue;
		if (new_region && (s.region > 0 || ch->c[i].region[0] == '\0'))
			continue;
		if (crowding(&s) > best)
			continue;
		if (crowding(&s) < best) {
			best = crowding(&s);
			ties = 0;
		}
		/* Two uniform draws without keeping the list: reservoirs of one each. */
		ties++;
		if (ch->random->below(ch->random->arg, ties) == 0)
			first = i;
		if (ties == 1 || ch->random->below(ch->random->arg, ties) == 0)
			second = i;
	}
	return first == ch->candidates ? first : better_of(ch->c, first, second);
}

int
placement_choose(const struct candidate *c, size_t candidates, const struct constraints *rules,
    uint64_t shard_bytes, size_t want, const struct placement_random *random, size_t *chosen,
    size_t *count)
{
	struct choice ch = { .c = c,
		.candidates = candidates,
		.rules = rules,
		.shard_bytes = shard_bytes,
		.random = random };
	size_t found = 0;

	ch.taken_count = list_taken(c, candidates, SIZE_MAX, ch.taken);
	for (size_t i = 0; i < candidates; i++)
		ch.used[i] = c[i].taken;
	while (found < want) {
		uint32_t regions = regions_taken(c, ch.taken, ch.taken_count);
		/* The last shards must bring the regions that are still missing. */
		bool new_region =
		    regions < rules->regions_min && rules->regions_min - regions >= want - found;
		size_t i = pick(&ch, new_region);

		if (i == candidates)
			break;
		ch.used[i] = true;
		ch.taken[ch.taken_count++] = i;
		chosen[found++] = i;
	}
	if (found == 0 || regions_taken(c, ch.taken, ch.taken_count) < rules->regions_min)
		return ERR_PLACEMENT;
	*count = found;
	return ERR_OK;
}

bool
placement_allows(const struct candidate *c, size_t candidates, size_t candidate,
    const struct constraints *rules, const char **why)
{
	size_t taken[PLACED_MAX];
	size_t count = list_taken(c, candidates, candidate, taken);
	struct shared s = count_shared(c, taken, count, candidate);
	const char *refused = refusal(&c[candidate], rules, &s);

	if (refused != NULL && why != NULL)
		*why = refused;
	return refused == NULL;
}

void
placement_report(const struct candidate *c, size_t candidates, struct placement_report *out)
{
	struct placement_report r = { 0 };
	size_t taken[PLACED_MAX];
	size_t count = list_taken(c, candidates, SIZE_MAX, taken);

	for (size_t i = 0; i < count; i++) {
		const struct candidate *t = &c[taken[i]];
		/* Among those before it: zero means that it is the first of its kind. */
		struct shared before = count_shared(c, taken, i, taken[i]);
		struct shared all = count_shared(c, taken, count, taken[i]);

		r.shards++;
		r.countries += t->country[0] != '\0' && before.country == 0;
		r.regions += t->region[0] != '\0' && before.region == 0;
		r.operators += before.operators == 0;
		r.networks += before.network == 0;
		if (all.country > r.most_in_country) {
			r.most_in_country = all.country;
			memcpy(r.country, t->country, 2);
		}
		r.most_in_operator = MAX(r.most_in_operator, all.operators);
		r.most_in_network = MAX(r.most_in_network, all.network);
	}
	*out = r;
}

const char *
placement_warning(const struct placement_report *r, uint8_t k, uint8_t n, char *out, size_t cap)
{
	out[0] = '\0';
	if (party_stops(r->most_in_operator, r->shards, k))
		snprintf(out, cap, "one operator can stop this file (holds %u of %u shards)",
		    r->most_in_operator, n);
	else if (party_stops(r->most_in_network, r->shards, k))
		snprintf(out, cap, "one network can stop this file (holds %u of %u shards)",
		    r->most_in_network, n);
	else if (party_stops(r->most_in_country, r->shards, k))
		snprintf(out, cap, "one country can stop this file (%.2s holds %u of %u shards)",
		    r->country, r->most_in_country, n);
	return out;
}
