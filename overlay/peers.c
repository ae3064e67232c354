/*
 * A hash table that doubles as it fills, and two lists in order of use. The only failure is lack
 * of memory.
 *
 * Most look-ups are for peers that are not there (who are the contacts of an answer?), so a slot
 * has the hash beside the pointer: a miss reads a cache line or two and no peer, a hit one and the
 * peer.
 */
#include "overlay/peers.h"

#include <assert.h>
#include <stdlib.h>

#include "overlay/base/crypto.h"
#include "overlay/base/err.h"

#define SLOTS_MIN    16
#define TAG_SET      UINT32_C(0x80000000) /* in every tag; an empty slot has 0 */
#define NO_SLOT      SIZE_MAX
#define PINNED_SKIPS 16 /* per eviction, so that a crowd of sessions costs no scan */

struct list {
	struct peer *newest, *oldest;
	size_t count;
};

struct slot {
	uint32_t tag; /* the hash; its low bits are where the search begins, slot after slot */
	struct peer *peer;
};

struct peers {
	size_t max;
	struct seeded seed;
	size_t slots_count; /* power of two, half of them free: a miss ends soon */
	struct slot *slots;
	struct list met, seen;
};

static void
list_add(struct list *l, struct peer *p)
{
	p->newer = NULL;
	p->older = l->newest;
	if (l->newest != NULL)
		l->newest->newer = p;
	else
		l->oldest = p;
	l->newest = p;
	l->count++;
}

static void
list_remove(struct list *l, struct peer *p)
{
	if (p->newer != NULL)
		p->newer->older = p->older;
	else
		l->newest = p->older;
	if (p->older != NULL)
		p->older->newer = p->newer;
	else
		l->oldest = p->newer;
	l->count--;
}

static struct list *
list_of(struct peers *p, const struct peer *peer)
{
	return peer->met ? &p->met : &p->seen;
}

struct peers *
peers_new(size_t max, const struct seeded *seed)
{
	struct peers *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return NULL;
	p->max = max == 0 ? PEERS_MAX : max;
	p->seed = *seed;
	return p;
}

static void
peer_free(struct peer *peer)
{
	crypto_wipe(peer, sizeof(*peer));
	free(peer);
}

static void
list_free(struct list *l)
{
	for (struct peer *peer = l->newest, *older; peer != NULL; peer = older) {
		older = peer->older;
		peer_free(peer);
	}
}

void
peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	list_free(&p->met);
	list_free(&p->seen);
	free(p->slots);
	free(p);
}

size_t
peers_count(const struct peers *p)
{
	return p->met.count + p->seen.count;
}

size_t
peers_met(const struct peers *p)
{
	return p->met.count;
}

size_t
peers_bytes(const struct peers *p)
{
	return sizeof(*p) + p->slots_count * sizeof(*p->slots) +
	       peers_count(p) * sizeof(struct peer);
}

static uint32_t
tag_of(const struct peers *p, const struct pubkey *pub)
{
	static_assert(sizeof(pub->b) == SEEDED_KEY_BYTES, "hashed whole");
	return seeded_hash(&p->seed, pub->b) | TAG_SET;
}

static size_t
slot_of(const struct peers *p, const struct pubkey *pub)
{
	size_t mask = p->slots_count - 1;
	uint32_t tag;

	if (p->slots_count == 0)
		return NO_SLOT;
	tag = tag_of(p, pub);
	for (size_t i = tag & mask; p->slots[i].tag != 0; i = (i + 1) & mask)
		if (p->slots[i].tag == tag && pubkey_equal(&p->slots[i].peer->contact.pub, pub))
			return i;
	return NO_SLOT;
}

struct peer *
peers_find(const struct peers *p, const struct pubkey *pub)
{
	size_t slot = slot_of(p, pub);

	return slot == NO_SLOT ? NULL : p->slots[slot].peer;
}

static void
hash_add(struct peers *p, struct peer *peer)
{
	uint32_t tag = tag_of(p, &peer->contact.pub);
	size_t i = tag & (p->slots_count - 1);

	while (p->slots[i].tag != 0)
		i = (i + 1) & (p->slots_count - 1);
	p->slots[i] = (struct slot){ tag, peer };
}

/* What lies behind the gap moves into it, where its search would else end too early. */
static void
hash_remove(struct peers *p, size_t gap)
{
	size_t mask = p->slots_count - 1;

	for (size_t i = (gap + 1) & mask; p->slots[i].tag != 0; i = (i + 1) & mask) {
		size_t home = p->slots[i].tag & mask;

		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		p->slots[gap] = p->slots[i];
		gap = i;
	}
	p->slots[gap].tag = 0;
}

static bool
slots_grow(struct peers *p)
{
	size_t count = p->slots_count == 0 ? SLOTS_MIN : 2 * p->slots_count;
	struct slot *slots = calloc(count, sizeof(*slots));

	if (slots == NULL)
		return false;
	free(p->slots);
	p->slots = slots;
	p->slots_count = count;
	for (struct peer *peer = p->met.newest; peer != NULL; peer = peer->older)
		hash_add(p, peer);
	for (struct peer *peer = p->seen.newest; peer != NULL; peer = peer->older)
		hash_add(p, peer);
	return true;
}

/*
 * The oldest that is not pinned. Pinned ones on the way are in use and become the newest, so
 * that the next call does not meet them again; after a few of them the list grows by one instead,
 * which open sessions bound.
 */
static void
evict_from(struct peers *p, struct list *l)
{
	struct peer *victim = l->oldest;

	for (int i = 0; i < PINNED_SKIPS && victim != NULL && victim->sessions > 0; i++) {
		list_remove(l, victim);
		list_add(l, victim);
		victim = l->oldest;
	}
	if (victim == NULL || victim->sessions > 0)
		return;
	hash_remove(p, slot_of(p, &victim->contact.pub));
	list_remove(l, victim);
	peer_free(victim);
}

static void
make_room(struct peers *p)
{
	size_t seen_max = MAX(p->max / PEERS_SEEN_SHARE, 1);

	if (p->seen.count >= seen_max)
		evict_from(p, &p->seen);
	if (peers_count(p) >= p->max && p->seen.count > 0)
		evict_from(p, &p->seen);
	if (peers_count(p) >= p->max)
		evict_from(p, &p->met);
}

void
peers_used(struct peers *p, struct peer *peer)
{
	struct list *l = list_of(p, peer);

	if (l->newest == peer)
		return;
	list_remove(l, peer);
	list_add(l, peer);
}

struct peer *
peers_get(struct peers *p, const struct contact *contact)
{
	struct peer *peer = peers_find(p, &contact->pub);

	if (peer != NULL) {
		peers_used(p, peer);
		return peer;
	}
	make_room(p);
	/* One is always left free, at which searches end. */
	if (2 * (peers_count(p) + 1) > p->slots_count && !slots_grow(p) &&
	    peers_count(p) + 1 >= p->slots_count)
		return NULL;
	peer = calloc(1, sizeof(*peer));
	if (peer == NULL)
		return NULL;
	peer->contact = *contact;
	list_add(&p->seen, peer);
	hash_add(p, peer);
	return peer;
}

void
peers_set_met(struct peers *p, struct peer *peer)
{
	if (peer->met)
		return;
	list_remove(&p->seen, peer);
	peer->met = true;
	list_add(&p->met, peer);
}

void
peer_answered(struct peer *peer, uint64_t rtt)
{
	must(rtt > 0);
	peer->srtt = peer->srtt == 0 ? rtt : peer->srtt - peer->srtt / 8 + rtt / 8;
	if (peer->srtt == 0)
		peer->srtt = 1;
	peer->strikes = 0;
}

void
peer_clock(struct peer *peer, uint64_t their_ms, uint64_t own_ms, uint64_t now)
{
	uint64_t ahead = their_ms > own_ms ? their_ms - own_ms : 0;
	uint64_t behind = own_ms > their_ms ? own_ms - their_ms : 0;

	peer->clock_offset_ms = (int64_t)MIN(ahead, (uint64_t)PEER_CLOCK_OFF_MS_MAX) -
				(int64_t)MIN(behind, (uint64_t)PEER_CLOCK_OFF_MS_MAX);
	peer->has_clock = true;
	peer->clock_at = now;
}

struct peer *
peers_next(const struct peers *p, struct peer *cursor)
{
	if (cursor == NULL)
		return p->met.newest != NULL ? p->met.newest : p->seen.newest;
	if (cursor->older != NULL)
		return cursor->older;
	return cursor->met ? p->seen.newest : NULL;
}
