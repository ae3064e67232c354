/* A sorted array: a few hundred entries, looked up often and added to rarely. */
#include "storage/standing.h"

#include <stdlib.h>

#include "overlay/base/pack.h"

/* Lies are proven one by one; so many make the node out as long as they are a fortieth or more. */
#define LIES_OUT       (2 * STANDING_UNIT - STANDING_UNIT / 10)
#define INTEGRITY_OUT  950u
/* A line may fail for an evening; who mostly does not answer, or not in time, is of no use. */
#define FAILURES_OUT   (3 * STANDING_UNIT - STANDING_UNIT / 10)
#define USEFULNESS_OUT 500u

struct standings {
	struct standing *at;
	size_t count, cap;
};

struct standings *
standings_new(void)
{
	return calloc(1, sizeof(struct standings));
}

void
standings_free(struct standings *s)
{
	if (s == NULL)
		return;
	free(s->at);
	free(s);
}

size_t
standings_count(const struct standings *s)
{
	return s->count;
}

/* Where it is or belongs. */
static size_t
place_of(const struct standings *s, const struct pubkey *node)
{
	size_t from = 0, to = s->count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (memcmp(s->at[middle].node.b, node->b, sizeof(node->b)) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct standing *
standings_find(const struct standings *s, const struct pubkey *node)
{
	size_t i = place_of(s, node);

	return i < s->count && pubkey_equal(&s->at[i].node, node) ? &s->at[i] : NULL;
}

static uint64_t
said(const struct standing *one)
{
	uint64_t sum = 0;

	/* What speaks against somebody is the last to be forgotten. */
	for (int t = 0; t < STANDING_TRAITS; t++)
		sum += one->of[t].good + 1000 * (uint64_t)one->of[t].bad;
	return sum;
}

static void
make_room(struct standings *s)
{
	size_t least = 0;

	for (size_t i = 1; i < s->count; i++) {
		if (said(&s->at[i]) < said(&s->at[least]))
			least = i;
	}
	s->count--;
	memmove(&s->at[least], &s->at[least + 1], (s->count - least) * sizeof(*s->at));
}

struct standing *
standings_get(struct standings *s, const struct pubkey *node)
{
	struct standing *there = standings_find(s, node);
	size_t i;

	if (there != NULL)
		return there;
	if (s->count == STANDINGS_MAX)
		make_room(s);
	if (s->count == s->cap) {
		size_t cap = MAX(s->cap * 2, (size_t)8);
		struct standing *more = realloc(s->at, cap * sizeof(*more));

		if (more == NULL)
			return NULL;
		s->at = more;
		s->cap = cap;
	}
	i = place_of(s, node);
	memmove(&s->at[i + 1], &s->at[i], (s->count - i) * sizeof(*s->at));
	s->count++;
	s->at[i] = (struct standing){ .node = *node };
	return &s->at[i];
}

struct standing *
standings_at(const struct standings *s, size_t i)
{
	return i < s->count ? &s->at[i] : NULL;
}

/* ---- one ---- */

void
standing_note(struct standing *one, enum standing_trait trait, bool good)
{
	uint32_t *g = &one->of[trait].good, *b = &one->of[trait].bad;

	*g -= *g / STANDING_FORGET;
	*b -= *b / STANDING_FORGET;
	*(good ? g : b) += STANDING_UNIT;
}

uint32_t
standing_score(const struct standing *one, enum standing_trait trait)
{
	uint64_t good = one->of[trait].good + STANDING_UNIT;

	return (uint32_t)(good * 1000 / (good + one->of[trait].bad));
}

bool
standing_doubted(const struct standing *one)
{
	for (int t = 0; t < STANDING_TRAITS; t++) {
		if (one->of[t].bad > 0)
			return true;
	}
	return false;
}

static bool
useless(const struct standing *one, enum standing_trait trait)
{
	return one->of[trait].bad >= FAILURES_OUT && standing_score(one, trait) < USEFULNESS_OUT;
}

bool
standing_out(const struct standing *one)
{
	return (one->of[STANDING_INTEGRITY].bad >= LIES_OUT &&
		   standing_score(one, STANDING_INTEGRITY) < INTEGRITY_OUT) ||
	       useless(one, STANDING_AVAILABILITY) || useless(one, STANDING_LATENCY);
}

void
standing_pack(const struct standing *one, uint8_t out[STANDING_BYTES])
{
	struct packer p = packer_on(out, STANDING_BYTES);

	for (int t = 0; t < STANDING_TRAITS; t++) {
		pack_u32(&p, one->of[t].good);
		pack_u32(&p, one->of[t].bad);
	}
	must(pack_ok(&p));
}

int
standing_unpack(struct bytes in, struct standing *out)
{
	struct unpacker u = unpacker_on(in);
	struct standing one = *out;

	for (int t = 0; t < STANDING_TRAITS; t++) {
		one.of[t].good = unpack_u32(&u);
		one.of[t].bad = unpack_u32(&u);
		/* Forgetting bounds them. */
		if (one.of[t].good > STANDING_FORGET * STANDING_UNIT * 2 ||
		    one.of[t].bad > STANDING_FORGET * STANDING_UNIT * 2)
			return ERR_INVALID;
	}
	if (!unpack_done(&u))
		return ERR_INVALID;
	*out = one;
	return ERR_OK;
}
