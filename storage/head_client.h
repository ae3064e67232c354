/*
 * One client of one bucket's head register, in the network: drives proposer.h against the anchors.
 * Reads without writing, commits, follows a register whose members have changed, changes them. Loop
 * thread; the calls suspend; any number of tasks may call: reads that wait together share one
 *round, commits come one after the other (the caller gathers).
 *
 *	read     ask all anchors → q equal answers → view (head, tail, its records)
 *	commit   view → decide() → accept to all → q accepted → new view
 *	moved    handover → the next members are asked, old ones told, the finder record renewed
 *
 * Which anchors there are, and how a register is founded and found: storage/anchors.h.
 */
#ifndef STORAGE_HEAD_CLIENT_H
#define STORAGE_HEAD_CLIENT_H

#include "dht/dht.h"
#include "storage/proposer.h"
#include "storage/publications.h"

struct head_client;
struct registers;

struct head_client_opts {
	struct endpoint *endpoint;   /* lent */
	struct dht *dht;             /* lent: where anchors are, and the finder record */
	struct registers *registers; /* lent: of this very node, which may be an anchor; or NULL */
	const struct charter *charter;   /* copied, as the others; the newest that is known */
	const struct handover *handover; /* the newest known; NULL: the founding members */
	const struct identity *writer;   /* NULL: can only read */
	const struct identity *finder;   /* renews the finder record; NULL: does not */
	/* Lent: when earlier clients have renewed it; NULL: this one begins with that. */
	struct publications *publications;
};
int head_client_new(const struct head_client_opts *opts, struct head_client **out); /* gives */
/* Whoever waits in a call gets ERR_CANCELED by its own task; none may be inside. NULL accepted. */
SUSPENDS void head_client_free(struct head_client *hc);

/* What the register holds, as known here. */
struct head_view {
	const struct head *head;     /* NULL: nothing was ever committed (or read) */
	const struct tail *tail;     /* of the head; NULL without one */
	const struct bytes *records; /* of each of the tail's segments */
	uint64_t
	    current_at; /* it was the committed one at that time (env_now) or later; 0: unknown */
	bool stale;     /* the last try to learn more failed: it may be old */
};
/* Lent until the next call that suspends. */
void head_client_view(const struct head_client *hc, struct head_view *out);

/*
 * Learns the committed head, current at some moment after the call. ERR_UNREACHABLE: no quorum
 * answers within the time (ns; the view stays, and says that it is stale); ERR_CORRUPT: committed
 * heads contradict; ERR_STALE: the owner has begun a later epoch: find the register anew.
 */
SUSPENDS int head_client_read(struct head_client *hc, uint64_t timeout);

struct head_proposal {
	enum proposer_reply reply; /* propose, found (done before), decline */
	struct hash root;          /* REPLY_PROPOSE: the view's, or a new one … */
	uint16_t covered;          /* … that covers so many leading segments of the tail */
	struct bytes records;      /* one new segment, lent until the call ends; empty: none */
	/* An epoch's first head: the tail that it goes on with, before records; NULL: none. */
	const struct tail_part *carried;
};
/*
 * May suspend (reads pages); called with the committed view, again whenever that has changed; the
 * last call's proposal counts. An error ends the commit and is its result, nothing is written then
 * (unless an earlier call's proposal was sent: ERR_OK with OUT_UNKNOWN tells that).
 */
struct head_decide {
	int (*decide)(void *arg, const struct head_view *now, struct head_proposal *out);
	void *arg;
	/*
	 * Called while another writer has its turn, with what that has committed. So what decide
	 * needs can be fetched while it disturbs nobody. *found: as REPLY_FOUND. May be NULL.
	 */
	void (*watch)(void *arg, const struct head_view *now, bool *found);
};
/*
 * ERR_OK: see *outcome; for OUT_COMMITTED and OUT_DECLINED the view is current. ERR_FULL: the tail
 * has no room for the records (checkpoint first). ERR_PERMISSION: no writer of this register.
 * ERR_STALE as of a read.
 */
SUSPENDS int head_client_commit(struct head_client *hc, const struct head_decide *decide,
    uint64_t timeout, enum proposer_outcome *outcome);

/*
 * Ends this configuration; next: its members and writers, the number is set here. owner: must sign
 * when the writers are others; else NULL. ERR_OK with OUT_COMMITTED: a quorum of the next has
 * begun.
 */
SUSPENDS int head_client_reconfigure(struct head_client *hc, const struct configuration *next,
    const struct identity *owner, uint64_t timeout, enum proposer_outcome *outcome);
/* By an anchor (opts.writer is its identity): next puts one new member in a silent one's place. */
SUSPENDS int head_client_replace(struct head_client *hc, const struct configuration *next,
    uint64_t timeout, enum proposer_outcome *outcome);

/* What is known now; lent until the next call that suspends. */
const struct configuration *head_client_configuration(const struct head_client *hc);
const struct charter *head_client_charter(const struct head_client *hc);
const struct handover *head_client_handover(const struct head_client *hc); /* NULL: founding */

struct head_client_counters {
	uint64_t reads, reads_shared, reads_failed; /* rounds; calls that shared one; no quorum */
	uint64_t commits, declined, failed, unknown, forks;
	uint64_t asked, answered, moves; /* messages, answers; configurations followed */
	uint64_t signatures;             /* checked, of those in answers that were not known */
};
const struct head_client_counters *head_client_counters(const struct head_client *hc); /* lends */

#endif
