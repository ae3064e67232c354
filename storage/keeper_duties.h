/*
 * What a keeper asks, and does about what its tours find: the second part of keeper_private.h,
 * which includes it; include that.
 */
#ifndef STORAGE_KEEPER_DUTIES_H
#define STORAGE_KEEPER_DUTIES_H

#include "storage/keeper_private.h"
#include "storage/placement.h"

/* keeper_talk.c */
void keeper_talk_serve(struct keeper *k);
void keeper_talk_stop(struct keeper *k); /* abandons questions */
/* Puts a hold into the next question, as neighbour_offer(). */
bool keeper_offer(struct keeper *k, struct neighbour *one, const struct hold *h);
/* Sends the batch; waits for an earlier question first. What fails only shows in silence. */
SUSPENDS int keeper_ask(struct keeper *k, struct neighbour *one);
/* What is known of its address, or where it is not and seek: found; as it was otherwise. */
SUSPENDS int keeper_locate(struct keeper *k, struct contact *to, bool seek);
SUSPENDS int keeper_ask_all(struct keeper *k);  /* behind a tour */
SUSPENDS int keeper_ask_told(struct keeper *k); /* those who have something to be told */
SUSPENDS int keeper_ask_those(
    struct keeper *k, bool (*wanted)(const struct keeper *k, const struct neighbour *one));
bool keeper_anybody(
    const struct keeper *k, bool (*wanted)(const struct keeper *k, const struct neighbour *one));
void keeper_ask_silent(struct keeper *k); /* in a task of its own */
uint64_t keeper_ask_again_at(const struct keeper *k, const struct neighbour *silent);
/* Tells a sibling that the repair of a chunk has begun; nobody waits for its answer. */
void keeper_claim(struct keeper *k, const struct contact *to, const struct hash *chunk);
SUSPENDS int keeper_fetch_leases(
    struct keeper *k, const struct hash *chunk, const struct pubkey *node);

/* collect.c */
/* A shard goes, from the store and the ledger; ERR_OK as well when it was gone. */
SUSPENDS int keeper_drop(struct keeper *k, const struct hash *chunk, uint8_t index);
/* Drops the shards of a chunk whose leases are over: f is what there is of it behind that. */
SUSPENDS int keeper_collect(struct keeper *k, struct chunk_facts *f);
void keeper_compact_soon(struct keeper *k);

/*
 * keeper_places.c: ERR_OK: the rules of the chunk's lease let node hold index beside those who
 * live; ERR_PLACEMENT: they do not; others: it has not said what it is.
 */
SUSPENDS int keeper_may_hold(
    struct keeper *k, const struct chunk_facts *f, uint8_t index, const struct pubkey *node);
/* We as one who holds a shard; false: it is not known yet what we are. */
bool keeper_self_candidate(const struct keeper *k, struct candidate *out);

/* scrub.c: a timer's; verifies the next chunk's shards. */
void keeper_scrub_fire(void *arg);
/* Drops a shard and tells its siblings so. */
SUSPENDS int keeper_let_go(struct keeper *k, const struct chunk_facts *f, uint8_t index);
/* The same of one whose bytes are not its own any more: that is counted and said. */
SUSPENDS int keeper_rotted(struct keeper *k, const struct chunk_facts *f, uint8_t index);
/* The store has dropped one that was not whole: its siblings are to be told. room is for the
 * chunk's facts. */
SUSPENDS int keeper_lost(
    struct keeper *k, const struct hash *chunk, uint8_t index, struct chunk_facts *room);

/* twin.c: gives up a shard that somebody else holds, when it is time and he has shown it. */
SUSPENDS int keeper_settle_twin(struct keeper *k, const struct chunk_facts *f, uint8_t index);
/* Two others hold the same shard, and may still not know each other: told again and again. */
SUSPENDS int keeper_introduce_again(struct keeper *k, const struct chunk_facts *f);
/* node has told that it holds index: when another one does, both are to know each other. */
SUSPENDS int keeper_introduce(
    struct keeper *k, const struct chunk_facts *f, uint8_t index, const struct pubkey *node);

/* keeper_parties.c */
/* One chunk of a tour, judged: who could stop it. */
void keeper_tally(struct keeper *k, const struct chunk_facts *f);
/* The tour is complete: what it has counted is what is told. */
void keeper_tallied(struct keeper *k);
/* addr_group(); 0 where networks are not told apart. */
uint64_t keeper_network_of(const struct keeper *k, const struct addr *addr);
/* Asks neighbours what they say of themselves, some at a time. */
SUSPENDS int keeper_describe(struct keeper *k);

/* keeper_drain.c */
void keeper_turned(struct keeper *k); /* tells the owner that it takes shards, or none */
SUSPENDS void keeper_drain_load(struct keeper *k); /* what was said before the last start */
/* What goes into each question and answer; issued_ms 0: nothing. */
void keeper_drain_word(const struct keeper *k, struct drain *out);
/* one has said this; nothing changes when it is no news. */
void keeper_drain_hear(struct keeper *k, struct neighbour *one, const struct drain *said);
bool keeper_drain_unheard(const struct keeper *k, const struct neighbour *one);
void keeper_drain_tell(struct keeper *k); /* those who live and have not heard it */

/* leave.c: goes on with a leave, also one that was begun before the last start; behind a tour. */
void keeper_leave_resume(struct keeper *k);
uint64_t keeper_leave_left(const struct keeper *k); /* shards, and what else must go */

/* repair.c */
void keeper_repair_soon(struct keeper *k);
uint64_t keeper_repair_at(struct keeper *k); /* the next turn of ours; UINT64_MAX: none */
/* Its turn may be earlier than it was. */
void keeper_repair_note(struct keeper *k, const struct held *h);
/* repair_chunk.c: all leases and siblings of a chunk to one of its holders. */
SUSPENDS int keeper_hand_over(
    struct keeper *k, const struct chunk_facts *f, const struct contact *to);
bool keeper_paused(const struct keeper *k);

#endif
