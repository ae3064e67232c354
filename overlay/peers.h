/*
 * The peer book: what an endpoint knows of the others it has dealt with. Bounded; two
 * lists by age of use. *Met* peers answered a request of ours or finished a session; the
 * others only wrote to us, which costs them a fresh key each, so they hold at most a
 * quarter of the book and never push out one that was met.
 *
 * Pure bookkeeping: no I/O, no clock. Keyed by public key. A pointer to a peer is valid
 * until the next peers_get.
 */
#ifndef OVERLAY_PEERS_H
#define OVERLAY_PEERS_H

#include "overlay/base/env.h"
#include "overlay/contact.h"
#include "overlay/sealed.h"
#include "overlay/seeded.h"

/* About 5 MiB when full; a node of a network of 100,000 talks to fewer in a day. */
#define PEERS_MAX        16384
#define PEERS_SEEN_SHARE 4  /* a quarter for those never met */
#define PEER_ALIGN       64 /* a line of memory */

/* By use: what each datagram touches is in the first three lines, a token in the fourth. */
struct peer {
	_Alignas(PEER_ALIGN) struct contact contact; /* address: last proven one, or first seen */
	uint16_t place;                              /* private */
	bool met : 1;
	bool addr_proven : 1;
	bool server : 1;   /* by its own word */
	bool has_keys : 1; /* keys below are set */
	bool has_token : 1;
	bool has_clock : 1;
	uint16_t version;
	uint16_t sessions;   /* open ones, ≤ SESSIONS_MAX */
	uint32_t strikes;    /* hard failures since the last answer */
	uint64_t srtt;       /* ns, RFC 6298; 0: unknown */
	uint64_t last_heard; /* 0: never from a proven address */
	uint64_t bytes_in, bytes_out;
	struct sealed_keys keys;
	uint8_t token[SEALED_COOKIE_BYTES]; /* proves our address to it */
	uint64_t token_at;                  /* when the token came */
	uint64_t requests_full_at;          /* rate of requests from unproven addresses, limits.h */
	int64_t clock_offset_ms;
	uint64_t clock_at; /* when the offset was measured */
	uint16_t blames;
};

struct peers;

/* max 0: PEERS_MAX. gives; NULL: out of memory. Nearly nothing is allocated until used. */
struct peers *peers_new(size_t max, const struct seeded *seed);
void peers_free(struct peers *p); /* wipes the keys */
size_t peers_count(const struct peers *p);
size_t peers_met(const struct peers *p);
size_t peers_bytes(const struct peers *p); /* memory held */
size_t peers_gone(const struct peers *p);  /* ever; unchanged: all pointers are still good */

struct peer *peers_find(const struct peers *p, const struct pubkey *pub); /* NULL: not there */
void peers_hot(const struct peers *p, struct env *env); /* tells env_hot() what questions read */
/* A hint: the next question is for pub, or it comes in. */
void peers_expect(const struct peers *p, const struct pubkey *pub);
/*
 * Finds or adds, and marks as used just now; contact->id is taken on trust. When full the least
 * recently used goes, never a pinned one (sessions > 0) while another is there. NULL: out of
 * memory.
 */
struct peer *peers_get(struct peers *p, const struct contact *contact);
void peers_used(struct peers *p, struct peer *peer); /* as peers_get() of one that is there */
void peers_set_met(struct peers *p, struct peer *peer);
/* Smoothed round trip, RFC 6298 section 2; also clears the strikes. rtt > 0. */
void peer_answered(struct peer *peer, uint64_t rtt);
/* What its clock says and ours at the same moment. A lie is kept within bounds, so that sums fit.
 */
#define PEER_CLOCK_OFF_MS_MAX (INT64_C(1) << 50)
void peer_clock(struct peer *peer, uint64_t their_ms, uint64_t own_ms, uint64_t now);
/* Newest used first, met before others: *cursor starts NULL; NULL at the end. */
struct peer *peers_next(const struct peers *p, struct peer *cursor);

#endif
