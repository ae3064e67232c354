/*
 * When a writer of a head register that has lost its ballot to another takes the next one. Whoever
 * takes a ballot ends what the other has under way, and has two or three rounds to make before its
 * own first commit; so who is too quick leaves no time to anybody. A writer that was refused looks
 * on instead, by reads, which disturb nobody, and takes the ballot when the other has had its turn:
 *
 *	promised, nothing committed yet  its takeover is given time, as long as several of ours
 *	commits                          for its turn, several times as long as a takeover of ours
 *	rests                            at once
 *
 * Who has been looking on for longer draws less on top, so that it comes first among several.
 * Pure: times and what was seen in, the time of the next look out. Nothing that is safe stands on
 * it: a writer that is always at once, or never, costs others time only.
 */
#ifndef STORAGE_TURNS_H
#define STORAGE_TURNS_H

#include "storage/head.h"

/* Before one is measured: three rounds between neighbours, with their syncs. */
#define TURNS_TAKEOVER_NS     MILLISECONDS(50)
/* More than three rounds around the world and fetching a root is no measure, but a fault. */
#define TURNS_TAKEOVER_MAX_NS SECONDS(1)
/* A turn is worth so many takeovers: a fifth of the time goes into them then. */
#define TURNS_WORTH           4
/* Shorter ones would make writers on one machine do nothing else; longer ones would let others
 * wait for longer than people do. */
#define TURNS_MIN_NS          MILLISECONDS(100)
#define TURNS_MAX_NS          SECONDS(1)
/* One that died in the middle of its takeover is waited for so long at most. */
#define TURNS_PATIENCE_MAX_NS SECONDS(2)
/* From one look to the next: a part of a turn. */
#define TURNS_LOOK_MIN_NS     MILLISECONDS(20)
#define TURNS_LOOK_MAX_NS     MILLISECONDS(250)
/* Rivals that count; 7 writers more are not at one bucket. */
#define TURNS_RANK_MAX        8
/* Who was refused so long ago asks for a ballot without looking first. */
#define TURNS_FORGET_NS       SECONDS(5)

struct turns {
	uint64_t takeover;     /* ns, smoothed: from the first prepare to what it committed */
	uint64_t began;        /* of the own takeover that goes on; 0: none */
	struct ballot rival;   /* the highest one of others */
	uint64_t met, commits; /* it was first seen: at all, with a commit (0: not yet) */
	uint64_t seen;         /* last */
	uint64_t share;        /* on top of its turn */
	uint64_t place, moved; /* of the newest head; when that was new */
	uint64_t lost;         /* when the own ballot was last refused; 0: never */
	uint32_t waited;       /* rivals since the last own turn */
};

/* What one look has shown. */
struct turns_sight {
	struct ballot promised, accepted; /* the highest of both */
	uint64_t place;                   /* of the newest head */
	bool own;                         /* promised is the looker's own: nobody else is about */
};

/* A prepare goes out; also again, for the same takeover. */
void turns_begin(struct turns *t, uint64_t now);
/* The operation has ended, or what was prepared for has. */
void turns_end(struct turns *t, bool committed, uint64_t now);
/* Refused because of that ballot. The time of the first look. random: 64 fresh bits, also below. */
uint64_t turns_lost(struct turns *t, const struct ballot *by, uint64_t now, uint64_t random);
/* 0: take the ballot now; else look again at that time. */
uint64_t turns_look(struct turns *t, const struct turns_sight *s, uint64_t now, uint64_t random);
/* Of those who take a ballot at the same time who has waited for longest is to get it. */
uint8_t turns_rank(const struct turns *t);
/* Whether others have been about lately, so that it is worth a look before a ballot is taken. */
bool turns_crowded(const struct turns *t, uint64_t now);

#endif
