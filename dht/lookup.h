/*
 * The decisions of an iterative lookup: pure, no I/O. Candidates sorted by distance are
 * dealt to disjoint paths; each path keeps alpha requests at the top of its own list, so
 * a path of liars cannot stop the others (S/Kademlia, 2007, §4.4). A slow answer opens its place
 * to another request and still counts when it comes. The acting part is walk.c.
 */
#ifndef DHT_LOOKUP_H
#define DHT_LOOKUP_H

#include "overlay/contact.h"

#define LOOKUP_PATHS_MAX      8
/* Three times DHT_REGION_MAX: what a lookup hears of, it mostly need not ask. */
#define LOOKUP_CANDIDATES_MAX 192
/* Places of the index by key: over twice the candidates, so that a search ends soon. */
#define LOOKUP_PLACES         512
#define LOOKUP_REPLY_MAX      32 /* contacts taken from one answer; a datagram holds 26 */
/* Silent for this long, nobody waits for it any more: twice the farthest usual round trip. */
#define LOOKUP_PRESUMED_DEAD  MILLISECONDS(900)
/* And one that failed others lately, for this long. */
#define LOOKUP_SUSPECT_DEAD   MILLISECONDS(600)
/* The nearest so many have answered, and named nobody nearer: the rest can be asked at once. */
#define LOOKUP_SETTLED        3
#define LOOKUP_PER_NETWORK    2 /* candidates of one /24 or /64 taken from answers */

enum candidate_state {
	CANDIDATE_NEW,
	CANDIDATE_ASKED,
	CANDIDATE_SLOW, /* asked, takes no place any more */
	CANDIDATE_ANSWERED,
	CANDIDATE_FAILED,
};

struct candidate {
	struct contact contact;
	uint64_t top;     /* of its distance */
	uint64_t network; /* addr_group() */
	uint64_t asked_at, answered_at;
	uint8_t state;
	uint8_t path;
	bool suspect;
};

struct lookup_state {
	struct id target, self;
	size_t want;
	unsigned paths, alpha;
	bool first_only, exact, hasty, ip_limits;
	uint64_t started;
	uint32_t asked, failed, seeds;
	uint16_t count;
	uint16_t order[LOOKUP_CANDIDATES_MAX]; /* slots, nearest first */
	uint16_t of_path[LOOKUP_PATHS_MAX];    /* candidates of each */
	uint8_t places[LOOKUP_PLACES]; /* 1 + slot, where its key points or behind; 0: none */
	struct candidate at[LOOKUP_CANDIDATES_MAX]; /* a candidate keeps its slot */
};

struct lookup_plan {
	struct id target;
	struct id self; /* never a candidate */
	size_t want;
	unsigned paths, alpha;
	bool first_only; /* done at the answer of the nearest known */
	bool exact;      /* done at the answer of whose id begins as the target does, in 64 bits */
	bool hasty;      /* does not wait for the slow */
	bool ip_limits;
};
void lookup_init(struct lookup_state *s, const struct lookup_plan *plan, uint64_t now);

/* A contact of the own table; those given first go to different paths. */
void lookup_seed(struct lookup_state *s, const struct contact *c, bool suspect);
/* Whether it is a candidate already: most that answers name are. */
bool lookup_known(const struct lookup_state *s, const struct pubkey *pub);
/* A contact that the candidate in slot from told us of. */
void lookup_learn(struct lookup_state *s, size_t from, const struct contact *c, bool suspect);

/* Whether it may be among the nearest want: worth a second request when the first is lost. */
bool lookup_matters(const struct lookup_state *s, size_t slot);
/* The next one to ask; marks it asked. False: none now. */
bool lookup_next(struct lookup_state *s, uint64_t now, size_t *slot);
void lookup_slow(struct lookup_state *s, size_t slot);
void lookup_answered(struct lookup_state *s, size_t slot, uint64_t now);
void lookup_failed(struct lookup_state *s, size_t slot);

/* The nearest want that live have all answered, or nobody is left to ask. */
bool lookup_done(const struct lookup_state *s, uint64_t now);
/* When to look again though nothing came: a slow one will be presumed dead. 0: never. */
uint64_t lookup_wakeup(const struct lookup_state *s, uint64_t now);

/* Who answered, nearest first, at most cap; how many. */
size_t lookup_closest(const struct lookup_state *s, struct contact *out, size_t cap);
/* Time from the start to the first answer of one of the closest want; 0: none. */
uint64_t lookup_first_after(const struct lookup_state *s);
const struct contact *lookup_contact(const struct lookup_state *s, size_t slot); /* lends */

#endif
