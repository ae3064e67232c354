/*
 * Shared by registers.c (assembly, methods), registers_step.c (a message and its answer),
 * registers_keep.c (what lies in the store), registers_join.c (founding and joining) and
 * registers_mend.c (looks, replacing).
 */
#ifndef STORAGE_REGISTERS_PRIVATE_H
#define STORAGE_REGISTERS_PRIVATE_H

#include "storage/acceptor.h"
#include "storage/registers.h"
#include "storage/transfers.h"

/* What was seen of another anchor of a register. */
struct anchor_health {
	struct pubkey key;
	uint64_t incarnation;
	uint64_t good_at; /* env_now: it answered as a member; or since we look at all */
};

struct register_entry {
	struct hash bucket;
	struct acceptor state; /* durable */
	struct charter charter;
	bool granted;
	struct grant grant;
	bool vouched;          /* somebody who is accepted here vouches for the owner */
	bool gone;             /* being forgotten */
	struct semaphore gate; /* one change at a time */
	size_t users;          /* tasks inside; an entry is freed without any */
	struct anchor_health health[ANCHORS_MAX];
	uint64_t look_at;  /* env_now; the next look */
	uint64_t moved_at; /* left out since, or since the start; 0: a member */
	/* What was found of a proposal to replace somebody, for a short while. */
	struct hash judged;
	uint64_t judged_at;
	bool judging, judged_good;
};

struct registers {
	struct registers_opts opts;
	struct env *env;
	struct network_id net;
	struct transfers *places;
	struct register_entry **at; /* by bucket */
	size_t count, room;
	bool loaded, sweeping_off;
	uint64_t incarnation;
	struct semaphore taking; /* founding and joining, one at a time */
	struct task_group group;
	struct timer timer;
	bool looking, soon, stopped;
	struct chunks *chunks; /* knows the candidates; NULL until used */
	size_t silent;
	struct registers_status counters;
};

/* registers.c */
struct register_entry *registers_find(const struct registers *r, const struct hash *bucket);
struct register_entry *registers_after(const struct registers *r, const struct hash *bucket);
/* takes e; it replaces none. ERR_NOMEM: e is freed. */
int registers_insert(struct registers *r, struct register_entry *e);
void registers_remove(struct registers *r, struct register_entry *e); /* frees */
/* e with the state, charter and grant of another life of the same register. */
void registers_begin_again(
    struct registers *r, struct register_entry *e, const struct register_entry *as);
/* It is not of the present configuration: kept to say who is. */
bool entry_sealed(const struct register_entry *e);
bool entry_member(const struct registers *r, const struct register_entry *e);
uint64_t registers_time(const struct registers *r, uint64_t documented);
/* Whether one more of this owner's may come. group: of a stranger. */
int registers_admit(const struct registers *r, const struct pubkey *owner,
    const struct grant *grant, uint64_t group);

/* registers_keep.c: what lies in the store (doc/disk.md) */
/* Pieces that next needs and e's state has not, of the part that brought them; the state; and what
 * next needs no more goes. */
SUSPENDS int keep_state(struct registers *r, const struct register_entry *e,
    const struct acceptor *next, const struct tail_part *part);
SUSPENDS int keep_charter(struct registers *r, const struct charter *c, const struct grant *grant);
SUSPENDS int keep_handover(
    struct registers *r, const struct hash *bucket, uint64_t epoch, const struct handover *l);
/* Packed; ERR_NOT_FOUND. */
SUSPENDS int kept_handover(struct registers *r, const struct hash *bucket, uint64_t epoch,
    uint32_t number, struct buf *out);
/* Records of the segments of t from `first` on, one behind the other. */
SUSPENDS int kept_records(struct registers *r, const struct hash *bucket, const struct tail *t,
    uint16_t first, struct buf *out);
SUSPENDS int keep_forget(struct registers *r, struct register_entry *e); /* all of it */
SUSPENDS int registers_read_all(struct registers *r);
/* The number of this directory, made when it is first asked for. */
SUSPENDS int registers_incarnate(struct registers *r);

/* registers_step.c */
SUSPENDS int registers_step(
    struct registers *r, const struct register_message *m, struct register_answer *a);

/* registers_join.c */
SUSPENDS int registers_found(
    struct registers *r, const struct charter *c, const struct grant *grant, uint64_t group);
/* A handover to a configuration that we are in, of a register that is not here, or that we have
 * fallen behind of: ERR_OK, joined. */
SUSPENDS int registers_join(struct registers *r, const struct register_message *m);

/* registers_mend.c */
void registers_mend_init(struct registers *r);
void registers_mend_wake(struct registers *r); /* there is something to look at */
void registers_mend_soon(struct registers *r);
void registers_mend_stop(struct registers *r);
/* Whether m.next is right to be put in c's place, as far as this node can see. ERR_BUSY: it is
 * being found out; ask again. */
SUSPENDS int registers_agree(
    struct registers *r, struct register_entry *e, const struct register_message *m, bool *agrees);
void registers_health_reset(struct registers *r, struct register_entry *e);

#endif
