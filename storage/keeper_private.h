/*
 * What the files of the keeper share: keeper.c (tours), keeper_judge.c (what a chunk's facts mean),
 * keeper_talk.c (questions and answers), and those of keeper_duties.h.
 */
#ifndef STORAGE_KEEPER_PRIVATE_H
#define STORAGE_KEEPER_PRIVATE_H

#include <sys/queue.h>

#include "storage/keeper.h"
#include "storage/keeper_times.h"
#include "storage/meter.h"
#include "storage/neighbours.h"
#include "storage/patience.h"
#include "storage/siblings.h"
#include "storage/store_facts.h"

#define INTAKE_MAX 1024

enum intake_kind {
	INTAKE_CHANGED, /* look at the chunk again */
	INTAKE_LOST,    /* the store found index not whole: it is gone */
	INTAKE_TOLD,    /* node holds index */
	INTAKE_DENIED,  /* node does not hold index any more */
	INTAKE_LEASES,  /* node knows other leases */
};
struct intake {
	STAILQ_ENTRY(intake) link; /* private: a queue's */
	enum intake_kind kind;
	struct hash chunk;
	uint8_t index;
	struct pubkey node;
};

/* A repair under way, in the list of what runs. */
struct repair_job {
	LIST_ENTRY(repair_job) link;
	const struct hash *chunk; /* lent by the job, as the others */
	const uint64_t *fetched, *sent;
	uint8_t alive, k, n;
	bool moving;
	uint64_t since;
};

struct auditor;

struct keeper {
	struct keeper_opts opts;
	struct env *env;
	struct network_id net;
	void (*siblings_told)(void *arg, const struct hash *chunk); /* may be NULL */
	void *siblings_arg;
	void (*repair_told)(void *arg, const struct hash *chunk); /* may be NULL */
	void *repair_arg;
	struct ledger *ledger;
	struct neighbours *neighbours;
	struct chunks *chunks; /* NULL until used */
	struct auditor *auditor;
	struct task_group group;
	struct timer tick;
	uint32_t tour; /* the running or last one */
	bool touring;
	bool stopped;
	bool booted;         /* a whole tour is done: the ledger is complete */
	bool alarm;          /* several fell silent at once: all are asked, whoever's turn it is */
	uint64_t tour_every; /* as documented: the shortest that a chunk wants */
	uint64_t tour_due, tick_at, alarm_at, compact_at;
	uint64_t paused_at;        /* 0: not; env_now scale */
	uint64_t resumed_at;       /* the last one ended: turns are counted from there */
	uint64_t resumed_until;    /* a pause has lasted PAUSE_MAX: none again before */
	struct chunk_facts *facts; /* of the running tour */
	STAILQ_HEAD(, intake) intake;
	size_t intake_count;
	bool taking_in, telling, tell_again, asking_silent, compacting;
	bool to_tell; /* somebody may have something to be told; false: nobody has */
	bool leaving, leave_runs;
	size_t (*leave_left)(void *arg); /* what else is to go; may be NULL */
	void *leave_left_arg;
	struct drain drain; /* what we said last */
	bool drain_saving, drain_telling;
	uint64_t leave_total;   /* shards when it began */
	uint8_t repairing;      /* tasks */
	uint64_t repair_due;    /* no turn of ours comes before; env_now scale */
	size_t collected_today; /* expired ones; a day is counted from day_at */
	uint64_t day_at;
	struct timer scrub;
	struct hash scrub_at; /* the next chunk */
	uint64_t scrub_saved_at;
	bool scrub_loaded;
	unsigned scrub_unread; /* tries at one shard that the disk refuses */
	struct byte_rate repair_rate;
	uint64_t swept_at; /* env_now scale; 0: not since the start */
	bool leased_due;   /* something was forgotten: chunks that only have leases are met again */
	struct parties *parties, *parties_touring; /* of the last tour, of the running one */
	uint64_t leases_touring;
	struct meter moved; /* bytes by repair */
	LIST_HEAD(, repair_job) jobs;
	struct keeper_status status;
};

/* A time of the documentation at this network's pace. */
static inline uint64_t
keeper_time(const struct keeper *k, uint64_t documented)
{
	return MAX(documented / MAX(k->opts.pace, (uint64_t)1), TIME_FLOOR);
}

/* Silent so long counts as gone where little is left, or where a code repairs at once. */
static inline uint64_t
keeper_short_grace(const struct keeper *k)
{
	return MAX(keeper_time(k, k->opts.grace != 0 ? k->opts.grace : GRACE_EAGER), GRACE_FLOOR);
}

static inline uint64_t
keeper_long_grace(const struct keeper *k)
{
	return MAX(
	    keeper_time(k, k->opts.grace != 0 ? k->opts.grace : GRACE_LAZY), 2 * GRACE_FLOOR);
}

static inline uint64_t
keeper_claim_time(const struct keeper *k)
{
	return MAX(keeper_time(k, CLAIM_TIME), CLAIM_FLOOR);
}

/* keeper_judge.c: whether its shards are to be counted: it has been heard of within the grace, and
 * audits have not shown that its word is worth nothing. */
bool keeper_counts_on(const struct keeper *k, const struct neighbour *one, uint64_t grace);
/* Whether it is silent, said that it would be, and its shards are to be waited for. */
bool keeper_waits_for(const struct keeper *k, const struct neighbour *one);

uint64_t keeper_now_unix_s(const struct keeper *k, bool *trusted); /* trusted may be NULL */
/* The client's side, for repair; made when first needed, lent. */
int keeper_chunks(struct keeper *k, struct chunks **out);
bool keeper_is_self(const struct keeper *k, const struct pubkey *pub);

/* keeper.c */
/* False: the queue is full. */
bool keeper_intake(struct keeper *k, const struct intake *what);
void keeper_tour_soon(struct keeper *k);
void keeper_tour_within(struct keeper *k, uint64_t every); /* a chunk wants them so often */
void keeper_tick_soon(struct keeper *k); /* something happens before the next tour */

/* keeper_judge.c */
/*
 * What the facts of one chunk mean, into the ledger and the neighbours' questions. Suspends only to
 * write siblings, to drop what has ended, or to ask a neighbour whose question is full.
 */
SUSPENDS int keeper_judge(struct keeper *k, struct chunk_facts *f);
/* Another holder of an index, or one less; written with the next sync. *news: it was not so. */
SUSPENDS int keeper_set_sibling(struct keeper *k, const struct chunk_facts *f, uint8_t index,
    const struct pubkey *node, bool holds, bool *news);

#include "storage/keeper_duties.h"

#endif
