/*
 * The nodes that hold shards of the same chunks as this one: a node watches sibling *nodes*, not
 * shards ([10]). Who left a question and its repetition unanswered is silent; who stays silent
 * longer than a grace counts as gone for the chunks that have that grace. The table holds no more
 * than the tours put in; it decides nothing but who is gone, whether too many went at once, and who
 * makes room when it is full. Pure.
 */
#ifndef STORAGE_NEIGHBOURS_H
#define STORAGE_NEIGHBOURS_H

#include "overlay/endpoint.h"
#include "overlay/seeded.h"
#include "storage/holds.h"
#include "storage/parties.h"

struct neighbour {
	struct contact contact; /* addr ADDR_NONE: not known yet */
	uint64_t since;         /* known since; env_now scale, as the others */
	uint64_t silent_at;     /* of the first question that it left unanswered; 0: it lives */
	uint64_t asked_at;      /* 0: never */
	uint32_t tour;          /* the last one that met it */
	struct drain drain;     /* what it said last */
	uint64_t away_until;    /* as it said, env_now scale; may be over; 0: never said */
	uint64_t drain_told;    /* the number of what it heard of ours */
	uint64_t every;         /* between two questions: what the shared chunks want */
	uint64_t sought_at;     /* when its address was last looked up, or it fell silent */
	bool back;              /* it says that it is: to be asked although it is silent */
	bool tell_all;          /* it may have forgotten what we hold; see neighbour_unheard() */
	uint32_t unheard;       /* the tour in which, or behind which, that was noticed last */
	struct holds *batch;    /* to be asked; NULL: nothing */
	uint32_t offered;       /* holds offered for the batch: a fair sample is kept */
	struct traits traits;   /* as its record says; the network: as contact says */
	uint64_t described_at;  /* when its record was asked for; 0: never */
	bool described;         /* and it was given once */
	/* A question under way. */
	bool asking;
	bool repeated;       /* asked once more, as no answer came */
	struct holds *asked; /* the last question */
	struct rpc_call call;
	void *owner; /* of the call */
	/* The table's own. */
	bool heard;          /* it has answered once */
	uint16_t share;      /* it counts in: its sponsor's, its network's once it is heard */
	uint32_t luck, look; /* for a place; the last look that holds it */
};

struct neighbours;

/* Far more than anybody shares chunks with; lists of siblings may name whoever they like. */
#define NEIGHBOURS_MAX 4096

/* most: NEIGHBOURS_MAX, or fewer. gives; NULL: no memory */
struct neighbours *neighbours_new(const struct seeded *seed, size_t most);
/* No question is under way. NULL accepted. */
void neighbours_free(struct neighbours *n);
size_t neighbours_count(const struct neighbours *n);
struct neighbour *neighbours_find(const struct neighbours *n, const struct pubkey *pub);
/* A new look: whoever is held or got from here on stays at least until the next one. */
void neighbours_look(struct neighbours *n);
struct neighbour *neighbours_hold(struct neighbours *n, const struct pubkey *pub); /* as find */
struct newcomer {
	const struct pubkey *pub;
	uint64_t now;
	uint32_t tour;
	uint64_t sponsor; /* whose chunk names it; what lists may name costs nothing else */
};
/*
 * Finds or adds; lent until it is removed. In a full table one that has never answered makes room,
 * by fair shares: of a sponsor who has more of those than the newcomer's, or of the same one, where
 * it was asked in vain (some in each tour) or has less luck, so that in each tour others have a
 * place. Who has answered stays, unless its network has more than a sixteenth of the places. Who is
 * being asked, or held, stays. Looks at a few, whatever the size. NULL: no memory, or no place.
 */
struct neighbour *neighbours_get(struct neighbours *n, const struct newcomer *who);
/* Of those that never answered, about how many the sponsor has. */
size_t neighbours_share(const struct neighbours *n, uint64_t sponsor);
/* It has answered, from this network; 0: they are not told apart. */
void neighbours_heard(struct neighbours *n, struct neighbour *one, uint64_t network);
void neighbours_remove(struct neighbours *n, struct neighbour *one);
/* All: *cursor starts at 0; NULL at the end. Nothing may be added or removed meanwhile. */
struct neighbour *neighbours_next(const struct neighbours *n, size_t *cursor);

/* Whatever it said. */
static inline bool
neighbour_silent_for(const struct neighbour *one, uint64_t now, uint64_t grace)
{
	return one->silent_at != 0 && now - one->silent_at > grace;
}

/* Silent, and said that it would be. */
static inline bool
neighbour_away(const struct neighbour *one, uint64_t now)
{
	return one->silent_at != 0 && one->away_until > now;
}

/* The same, but who said that it would be away is given that time first. */
static inline bool
neighbour_gone(const struct neighbour *one, uint64_t now, uint64_t grace)
{
	uint64_t from = MAX(one->silent_at, one->away_until);

	return one->silent_at != 0 && now > from && now - from > grace;
}

/*
 * Whether more than max(2, a tenth) of those known for longer than age have gone, silent longer
 * than grace, and did so within the last window: then it is rather we, or a cable, than they.
 */
bool neighbours_vanished(
    const struct neighbours *n, uint64_t now, uint64_t grace, uint64_t window, uint64_t age);

/* Whether more than max(2, a twentieth) of all have fallen silent within the window, and still are.
 */
bool neighbours_fell_silent(const struct neighbours *n, uint64_t now, uint64_t window);

/* A tour meets it on a chunk that wants questions this often; the first time forgets the last
 * tour's questions, unless they tell something. */
void neighbour_meet(struct neighbour *one, uint32_t tour, uint64_t every);

/* What it was told did not arrive, or it could not be told: a whole tour tells it again. */
void neighbour_unheard(struct neighbour *one, uint32_t tour);
/* The tour is over: who lives has been offered all, if it was to be so from the tour's beginning.
 */
void neighbour_toured(struct neighbour *one, uint32_t tour);

/*
 * Puts a hold into the next question. Those to be told come first and are never displaced (false:
 * no room is left, ask first); of the others a fair sample stays: below gives a number under its
 * bound. False also for want of memory.
 */
bool neighbour_offer(struct neighbour *one, const struct hold *h,
    uint64_t (*below)(void *arg, uint64_t bound), void *arg);

#endif
