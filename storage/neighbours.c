/*
 * A chained hash table of separately allocated neighbours: their addresses must not move, calls
 * under way point to them. Nothing else does while its task gives way, so who is not being asked
 * may be displaced at any time, as a tour forgets him.
 */
#include "storage/neighbours.h"

#include <stdlib.h>

#define SLOTS_MIN 16
#define ALWAYS_OK 2  /* so many may vanish at once in the smallest neighbourhood */
#define TOO_MANY  10 /* … and one in so many in a large one */
#define ALARMING  20 /* so many silent make us look at all of them: half of what is too many */

/* Counters of shares; sponsors that meet in one are one. */
#define SHARES        1024
/* What a newcomer may cost: entries looked at for a place; the next one looks behind them. */
#define LOOKED        32
/* Of one sponsor so many asked in vain make room in a tour: each place costs a lookup. */
#define RENEWED_MAX   256
/* Of the places, for those of one network who have answered. */
#define NETWORK_SHARE 16

struct link {
	struct neighbour one;
	struct link *next;
};

struct neighbours {
	struct seeded seed;
	struct link **slots;
	size_t cap, count, most;
	uint16_t shares[SHARES];
	size_t hand;      /* the slot where a place is looked for next */
	uint32_t look;    /* the running one */
	uint32_t tour;    /* the last newcomer's */
	uint32_t renewed; /* in it */
};
static_assert(NEIGHBOURS_MAX <= UINT16_MAX, "a share is counted");

struct neighbours *
neighbours_new(const struct seeded *seed, size_t most)
{
	struct neighbours *n = calloc(1, sizeof(*n));

	if (n != NULL) {
		n->seed = *seed;
		n->most = MIN(most, (size_t)NEIGHBOURS_MAX);
	}
	return n;
}

static void
link_free(struct link *l)
{
	must(!l->one.asking);
	free(l->one.batch);
	free(l->one.asked);
	free(l);
}

void
neighbours_free(struct neighbours *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->cap; i++) {
		while (n->slots[i] != NULL) {
			struct link *next = n->slots[i]->next;

			link_free(n->slots[i]);
			n->slots[i] = next;
		}
	}
	free(n->slots);
	free(n);
}

size_t
neighbours_count(const struct neighbours *n)
{
	return n->count;
}

static struct link **
slot_of(const struct neighbours *n, const struct pubkey *pub)
{
	return &n->slots[seeded_hash(&n->seed, pub->b) & (n->cap - 1)];
}

struct neighbour *
neighbours_find(const struct neighbours *n, const struct pubkey *pub)
{
	if (n->cap == 0)
		return NULL;
	for (struct link *l = *slot_of(n, pub); l != NULL; l = l->next) {
		if (pubkey_equal(&l->one.contact.pub, pub))
			return &l->one;
	}
	return NULL;
}

static bool
grow(struct neighbours *n)
{
	struct neighbours old = *n;

	if (n->count < n->cap)
		return true;
	n->cap = old.cap == 0 ? SLOTS_MIN : old.cap * 2;
	n->slots = calloc(n->cap, sizeof(struct link *));
	if (n->slots == NULL) {
		*n = old;
		return false;
	}
	for (size_t i = 0; i < old.cap; i++) {
		while (old.slots[i] != NULL) {
			struct link *l = old.slots[i], **to = slot_of(n, &l->one.contact.pub);

			old.slots[i] = l->next;
			l->next = *to;
			*to = l;
		}
	}
	free(old.slots);
	return true;
}

static void
unlink_at(struct neighbours *n, struct link **at)
{
	struct link *l = *at;

	*at = l->next;
	n->count--;
	n->shares[l->one.share]--;
	link_free(l);
}

void
neighbours_remove(struct neighbours *n, struct neighbour *one)
{
	struct link **at = slot_of(n, &one->contact.pub);

	while (&(*at)->one != one)
		at = &(*at)->next;
	unlink_at(n, at);
}

/* ---- places ---- */

enum share_of { OF_SPONSOR, OF_NETWORK };

static uint16_t
share_slot(const struct neighbours *n, enum share_of of, uint64_t whose)
{
	uint8_t key[SEEDED_KEY_BYTES] = { (uint8_t)of };

	memcpy(key + 8, &whose, sizeof(whose));
	return (uint16_t)(seeded_hash(&n->seed, key) % SHARES);
}

size_t
neighbours_share(const struct neighbours *n, uint64_t sponsor)
{
	return n->shares[share_slot(n, OF_SPONSOR, sponsor)];
}

/* Another one in each tour: no order of names or chunks is always the last. */
static uint32_t
draw_luck(const struct neighbours *n, const struct newcomer *who)
{
	uint8_t key[SEEDED_KEY_BYTES];

	memcpy(key, who->pub->b, sizeof(key));
	for (size_t i = 0; i < sizeof(who->tour); i++)
		key[i] ^= (uint8_t)(who->tour >> (8 * i));
	return seeded_hash(&n->seed, key);
}

void
neighbours_look(struct neighbours *n)
{
	n->look++;
}

struct neighbour *
neighbours_hold(struct neighbours *n, const struct pubkey *pub)
{
	struct neighbour *one = neighbours_find(n, pub);

	if (one != NULL)
		one->look = n->look;
	return one;
}

void
neighbours_heard(struct neighbours *n, struct neighbour *one, uint64_t network)
{
	if (one->heard)
		return;
	/* Then each is one of its own. */
	if (network == 0)
		memcpy(&network, one->contact.pub.b, sizeof(network));
	one->heard = true;
	n->shares[one->share]--;
	one->share = share_slot(n, OF_NETWORK, network);
	n->shares[one->share]++;
}

/* Whether one makes room for somebody with that share and luck. */
static bool
makes_room(const struct neighbours *n, const struct neighbour *one, uint16_t share, uint32_t luck)
{
	if (one->asking || one->look == n->look)
		return false;
	if (one->heard)
		return n->shares[one->share] > n->most / NETWORK_SHARE;
	/* More by one would change places for ever. */
	if (one->share != share)
		return n->shares[one->share] > n->shares[share] + 1;
	if (one->silent_at != 0)
		return n->renewed < RENEWED_MAX;
	return luck < one->luck;
}

static bool
rather(const struct neighbours *n, const struct neighbour *a, const struct neighbour *b)
{
	if (a->heard != b->heard)
		return !a->heard;
	if (n->shares[a->share] != n->shares[b->share])
		return n->shares[a->share] > n->shares[b->share];
	if ((a->silent_at != 0) != (b->silent_at != 0))
		return a->silent_at != 0;
	return a->luck > b->luck;
}

static bool
make_room(struct neighbours *n, uint16_t share, uint32_t luck)
{
	struct link **best = NULL;
	size_t looked = 0;

	for (size_t i = 0; i < n->cap && looked < LOOKED; i++) {
		struct link **at = &n->slots[n->hand++ & (n->cap - 1)];

		for (; *at != NULL; at = &(*at)->next, looked++) {
			if (makes_room(n, &(*at)->one, share, luck) &&
			    (best == NULL || rather(n, &(*at)->one, &(*best)->one)))
				best = at;
		}
	}
	if (best == NULL)
		return false;
	n->renewed += (*best)->one.share == share && (*best)->one.silent_at != 0;
	unlink_at(n, best);
	return true;
}

struct neighbour *
neighbours_get(struct neighbours *n, const struct newcomer *who)
{
	struct neighbour *there = neighbours_hold(n, who->pub);
	uint16_t share = share_slot(n, OF_SPONSOR, who->sponsor);
	uint32_t luck = draw_luck(n, who);
	struct link *l, **to;

	if (there != NULL)
		return there;
	if (n->tour != who->tour)
		n->renewed = 0;
	n->tour = who->tour;
	if (n->count >= n->most && !make_room(n, share, luck))
		return NULL;
	l = grow(n) ? calloc(1, sizeof(*l)) : NULL;
	if (l == NULL)
		return NULL;
	contact_init(&l->one.contact, who->pub, NULL);
	l->one.since = who->now;
	l->one.traits.operator_key = *who->pub;
	l->one.share = share;
	l->one.luck = luck;
	l->one.look = n->look;
	n->shares[share]++;
	to = slot_of(n, who->pub);
	l->next = *to;
	*to = l;
	n->count++;
	return &l->one;
}

/* ---- all of them ---- */

/* The cursor counts slot · 2^16 + place in its chain, which is short. */
struct neighbour *
neighbours_next(const struct neighbours *n, size_t *cursor)
{
	size_t slot = *cursor >> 16, skip = *cursor & 0xffff;

	for (; slot < n->cap; slot++, skip = 0) {
		struct link *l = n->slots[slot];

		for (size_t i = 0; i < skip && l != NULL; i++)
			l = l->next;
		if (l != NULL) {
			*cursor = slot << 16 | (skip + 1);
			return &l->one;
		}
	}
	return NULL;
}

bool
neighbours_vanished(
    const struct neighbours *n, uint64_t now, uint64_t grace, uint64_t window, uint64_t age)
{
	size_t old = 0, vanished = 0, cursor = 0;
	const struct neighbour *one;

	while ((one = neighbours_next(n, &cursor)) != NULL) {
		/* Whom we never knew alive has not vanished. */
		if ((one->silent_at == 0 ? now : one->silent_at) - one->since <= age)
			continue;
		/* Those gone for long are no part of what could have vanished now. */
		if (neighbour_gone(one, now, grace + window))
			continue;
		old++;
		vanished += neighbour_gone(one, now, grace);
	}
	return vanished > MAX(ALWAYS_OK, old / TOO_MANY);
}

bool
neighbours_fell_silent(const struct neighbours *n, uint64_t now, uint64_t window)
{
	size_t cursor = 0, silent = 0;
	const struct neighbour *one;

	while ((one = neighbours_next(n, &cursor)) != NULL)
		silent += one->silent_at != 0 && now - one->silent_at <= window;
	return silent > MAX(ALWAYS_OK, n->count / ALARMING);
}

/* Those to be told lie in front: how many. */
static size_t
told_count(const struct holds *batch)
{
	size_t told = 0;

	while (told < batch->count && batch->at[told].tell)
		told++;
	return told;
}

void
neighbour_meet(struct neighbour *one, uint32_t tour, uint64_t every)
{
	one->every = one->tour == tour ? MIN(one->every, every) : every;
	if (one->tour != tour && one->batch != NULL) {
		one->batch->count = told_count(one->batch);
		one->offered = 0;
	}
	one->tour = tour;
}

void
neighbour_unheard(struct neighbour *one, uint32_t tour)
{
	one->tell_all = true;
	one->unheard = tour;
}

void
neighbour_toured(struct neighbour *one, uint32_t tour)
{
	if (one->silent_at == 0 && one->unheard != tour)
		one->tell_all = false;
}

bool
neighbour_offer(struct neighbour *one, const struct hold *h,
    uint64_t (*below)(void *arg, uint64_t bound), void *arg)
{
	struct holds *b = one->batch;
	size_t told, at;

	if (b == NULL) {
		b = one->batch = calloc(1, sizeof(*b));
		if (b == NULL)
			return false;
		one->offered = 0;
	}
	told = told_count(b);
	if (h->tell) {
		if (told == HOLDS_MAX)
			return false;
		if (told < b->count && b->count < HOLDS_MAX)
			b->at[b->count] = b->at[told];
		b->count = MIN(b->count + 1, (size_t)HOLDS_MAX);
		b->at[told] = *h;
		return true;
	}
	one->offered++;
	if (b->count < HOLDS_MAX) {
		b->at[b->count++] = *h;
	} else if (told < HOLDS_MAX) {
		at = (size_t)below(arg, one->offered);
		if (at < HOLDS_MAX - told)
			b->at[told + at] = *h;
	}
	return true;
}
