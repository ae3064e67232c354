/*
 * A hash table that doubles as it fills, and two lists in order of use. The only failure is lack
 * of memory.
 *
 * Each peer has a place, a small number. Hashes, chains and both lists are kept in a node of 12
 * bytes for each place, all nodes in one block and those of a small book right behind its head. So
 * who is not there, who goes and what moves in the order of use is told without reading a peer:
 * where many books share a memory, each peer read is one to wait for.
 */
#include "overlay/peers.h"

#include <assert.h>
#include <stdlib.h>

#include "overlay/base/crypto.h"
#include "overlay/base/err.h"

#define PLACES_MIN   16
#define PLACES_MAX   UINT16_MAX
#define PLACES_INNER 32 /* a book of at most so many has its nodes behind its head */
#define NOWHERE      UINT16_MAX
#define CHUNK        32 /* peers allocated at once, never moved */
#define PINNED_SKIPS 16 /* per eviction, so that a crowd of sessions costs no scan */

struct list {
	uint16_t newest, oldest, count;
};

struct node {
	uint32_t tag;  /* the hash; its low bits choose the chain */
	uint16_t next; /* of the chain, or of the free ones */
	uint16_t newer, older;
};

struct peers {
	_Alignas(PEER_ALIGN) struct seeded seed;
	struct node *nodes;
	uint16_t *chains;    /* behind the nodes; as many, rounded up to a power of two */
	struct peer *first;  /* the first CHUNK */
	struct peer **later; /* CHUNK each */
	uint16_t max, mask;
	uint16_t places, used; /* nodes there are, and that ever were taken */
	uint16_t free;
	struct list met, seen;
	uint16_t gone;       /* wraps */
	struct node inner[]; /* of a small book */
};

#define BYTES_INNER (sizeof(struct peers) + PLACES_INNER * (sizeof(struct node) + sizeof(uint16_t)))
static_assert(sizeof(struct peers) == (size_t)2 * PEER_ALIGN, "the seed and a line");
static_assert(BYTES_INNER % PEER_ALIGN == 0, "as aligned_alloc() wants it");

static struct peer *
peer_at(const struct peers *p, uint16_t at)
{
	return at < CHUNK ? p->first + at : p->later[at / CHUNK - 1] + at % CHUNK;
}

static void
list_add(struct peers *p, struct list *l, uint16_t at)
{
	p->nodes[at].newer = NOWHERE;
	p->nodes[at].older = l->newest;
	if (l->newest != NOWHERE)
		p->nodes[l->newest].newer = at;
	else
		l->oldest = at;
	l->newest = at;
	l->count++;
}

static void
list_remove(struct peers *p, struct list *l, uint16_t at)
{
	const struct node *n = &p->nodes[at];

	if (n->newer != NOWHERE)
		p->nodes[n->newer].older = n->older;
	else
		l->newest = n->older;
	if (n->older != NOWHERE)
		p->nodes[n->older].newer = n->newer;
	else
		l->oldest = n->newer;
	l->count--;
}

static size_t
chains_for(size_t places)
{
	size_t n = PLACES_MIN;

	while (n < places)
		n *= 2;
	return n;
}

static size_t
nodes_bytes(size_t places)
{
	return places * sizeof(struct node) + chains_for(places) * sizeof(uint16_t);
}

static void
chain_add(struct peers *p, uint16_t at)
{
	uint16_t *chain = &p->chains[p->nodes[at].tag & p->mask];

	p->nodes[at].next = *chain;
	*chain = at;
}

static void
chain_remove(struct peers *p, uint16_t at)
{
	uint16_t *from = &p->chains[p->nodes[at].tag & p->mask];

	while (*from != at)
		from = &p->nodes[*from].next;
	*from = p->nodes[at].next;
}

/* Nodes for so many places; those in use are there already. */
static void
nodes_set(struct peers *p, struct node *nodes, size_t places)
{
	size_t chains = chains_for(places);

	p->nodes = nodes;
	p->places = (uint16_t)places;
	p->chains = (uint16_t *)(nodes + places);
	p->mask = (uint16_t)(chains - 1);
	memset(p->chains, 0xff, chains * sizeof(*p->chains)); /* NOWHERE */
}

struct peers *
peers_new(size_t max, const struct seeded *seed)
{
	bool small = max != 0 && max <= PLACES_INNER;
	struct peers *p = aligned_alloc(PEER_ALIGN, small ? BYTES_INNER : sizeof(*p));

	if (p == NULL)
		return NULL;
	memset(p, 0, sizeof(*p));
	p->max = (uint16_t)(max == 0 ? PEERS_MAX : MIN(max, PLACES_MAX));
	p->seed = *seed;
	p->free = NOWHERE;
	p->met = p->seen = (struct list){ .newest = NOWHERE, .oldest = NOWHERE };
	if (small)
		nodes_set(p, p->inner, PLACES_INNER);
	return p;
}

void
peers_hot(const struct peers *p, struct env *env)
{
	env_hot(env, p, p->nodes == p->inner ? BYTES_INNER : sizeof(*p));
}

static size_t
chunks_of(const struct peers *p)
{
	return ((size_t)p->used + CHUNK - 1) / CHUNK;
}

void
peers_free(struct peers *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < chunks_of(p); i++) {
		struct peer *chunk = peer_at(p, (uint16_t)(i * CHUNK));

		crypto_wipe(chunk, CHUNK * sizeof(*chunk));
		free(chunk);
	}
	free(p->later);
	if (p->nodes != p->inner)
		free(p->nodes);
	free(p);
}

size_t
peers_count(const struct peers *p)
{
	return (size_t)p->met.count + p->seen.count;
}

size_t
peers_met(const struct peers *p)
{
	return p->met.count;
}

size_t
peers_gone(const struct peers *p)
{
	return p->gone;
}

size_t
peers_bytes(const struct peers *p)
{
	size_t chunks = chunks_of(p);

	return sizeof(*p) + (p->places > 0 ? nodes_bytes(p->places) : 0) +
	       chunks * (CHUNK * sizeof(struct peer) + sizeof(p->first));
}

static uint32_t
tag_of(const struct peers *p, const struct pubkey *pub)
{
	static_assert(sizeof(pub->b) == SEEDED_KEY_BYTES, "hashed whole");
	return seeded_hash(&p->seed, pub->b);
}

struct peer *
peers_find(const struct peers *p, const struct pubkey *pub)
{
	uint32_t tag;

	if (p->places == 0)
		return NULL;
	tag = tag_of(p, pub);
	for (uint16_t at = p->chains[tag & p->mask]; at != NOWHERE; at = p->nodes[at].next) {
		struct peer *peer = peer_at(p, at);

		if (p->nodes[at].tag == tag && pubkey_equal(&peer->contact.pub, pub))
			return peer;
	}
	return NULL;
}

void
peers_expect(const struct peers *p, const struct pubkey *pub)
{
	uint32_t tag = tag_of(p, pub);
	uint16_t at = p->places == 0 ? NOWHERE : p->chains[tag & p->mask];

	while (at != NOWHERE && p->nodes[at].tag != tag)
		at = p->nodes[at].next;
	/* One that is not there takes the place of another, or soon the next. */
	if (at == NOWHERE)
		at = p->seen.oldest != NOWHERE ? p->seen.oldest : p->met.oldest;
	if (at == NOWHERE)
		return;
	prefetch_all(peer_at(p, at), sizeof(struct peer));
}

/* Twice as many places, unless there is still one. */
static bool
nodes_grow(struct peers *p)
{
	size_t places = MIN(MAX(2 * (size_t)p->places, PLACES_MIN), PLACES_MAX);
	struct node *nodes;

	if (p->free != NOWHERE || p->used < p->places)
		return true;
	if (p->places == PLACES_MAX)
		return false;
	nodes = malloc(nodes_bytes(places));
	if (nodes == NULL)
		return false;
	if (p->used > 0)
		memcpy(nodes, p->nodes, p->used * sizeof(*nodes));
	if (p->nodes != p->inner)
		free(p->nodes);
	nodes_set(p, nodes, places);
	for (uint16_t at = 0; at < p->used; at++) /* none is free */
		chain_add(p, at);
	return true;
}

/* Room for the peer of the place that was never used and comes next. */
static bool
chunks_grow(struct peers *p)
{
	size_t chunks = chunks_of(p);
	struct peer *chunk, **later = p->later;

	if (p->used % CHUNK != 0)
		return true;
	chunk = aligned_alloc(PEER_ALIGN, CHUNK * sizeof(*chunk));
	if (chunk == NULL)
		return false;
	if (chunks == 0) {
		p->first = chunk;
		return true;
	}
	later = realloc(p->later, chunks * sizeof(*later));
	if (later == NULL) {
		free(chunk);
		return false;
	}
	later[chunks - 1] = chunk;
	p->later = later;
	return true;
}

static uint16_t
place_take(struct peers *p)
{
	uint16_t at = p->free;

	if (at != NOWHERE)
		p->free = p->nodes[at].next;
	else if (nodes_grow(p) && chunks_grow(p))
		at = p->used++;
	return at;
}

/*
 * The oldest that is not pinned. Pinned ones on the way are in use and become the newest, so
 * that the next call does not meet them again; after a few of them the list grows by one instead,
 * which open sessions bound.
 */
static void
evict_from(struct peers *p, struct list *l)
{
	uint16_t victim = l->oldest;

	for (int i = 0; i < PINNED_SKIPS && victim != NOWHERE && peer_at(p, victim)->sessions > 0;
	     i++) {
		list_remove(p, l, victim);
		list_add(p, l, victim);
		victim = l->oldest;
	}
	if (victim == NOWHERE || peer_at(p, victim)->sessions > 0)
		return;
	chain_remove(p, victim);
	list_remove(p, l, victim);
	crypto_wipe(peer_at(p, victim), sizeof(struct peer));
	p->nodes[victim].next = p->free;
	p->free = victim;
	p->gone++;
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
	struct list *l = peer->met ? &p->met : &p->seen;

	if (l->newest == peer->place)
		return;
	list_remove(p, l, peer->place);
	list_add(p, l, peer->place);
}

struct peer *
peers_get(struct peers *p, const struct contact *contact)
{
	struct peer *peer = peers_find(p, &contact->pub);
	uint16_t at;

	if (peer != NULL) {
		peers_used(p, peer);
		return peer;
	}
	make_room(p);
	at = place_take(p);
	if (at == NOWHERE)
		return NULL;
	peer = peer_at(p, at);
	memset(peer, 0, sizeof(*peer));
	peer->contact = *contact;
	peer->place = at;
	p->nodes[at].tag = tag_of(p, &contact->pub);
	list_add(p, &p->seen, at);
	chain_add(p, at);
	return peer;
}

void
peers_set_met(struct peers *p, struct peer *peer)
{
	if (peer->met)
		return;
	list_remove(p, &p->seen, peer->place);
	peer->met = true;
	list_add(p, &p->met, peer->place);
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
	uint16_t at = cursor == NULL ? p->met.newest : p->nodes[cursor->place].older;

	if (at == NOWHERE && (cursor == NULL || cursor->place == p->met.oldest))
		at = p->seen.newest;
	return at == NOWHERE ? NULL : peer_at(p, at);
}
