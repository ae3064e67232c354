/*
 * Audits, both sides of one node ([10]): as an auditor it challenges a sibling node now and then to
 * show leaves that neither of them can choose (audit.h), remembers how each has stood up to it
 * (standing.h) and keeps what it can prove (evidence.h); as a node it answers, within a budget. A
 * sibling that is out counts as lost: its shards are repaired and its word is not taken. Shared by
 * the keeper's files only.
 *
 *	timer → a shard of a sibling, by weight of leaves → challenge → answer, leaves, paths
 *	     → finding → standing, evidence → out? → tour, repair
 */
#ifndef STORAGE_AUDITOR_H
#define STORAGE_AUDITOR_H

#include "storage/evidence.h"
#include "storage/keeper_private.h"
#include "storage/standing.h"

/* Each node challenges so often; its siblings together give it about as many: 64 leaves a day. */
#define AUDIT_STEP            MINUTES(90)
/* One auditor is answered once in this time … */
#define AUDIT_PER_AUDITOR     HOURS(1)
/* … and all of them so many leaves a day: 16 MB read and sent; strangers a quarter of it. */
#define AUDIT_LEAVES_A_DAY    256
#define AUDIT_LEAVES_STRANGER 64
/* No answer: the same leaves are asked for again. */
#define AUDIT_TRIES           3
#define AUDIT_RETRY           MINUTES(5)
/* Half a megabyte over a poor line; what takes longer is no answer. */
#define AUDIT_TIMEOUT         SECONDS(60)
/* Who has the shard reads four leaves in a second; the rest is for his line and a disk at sleep. */
#define AUDIT_LATE            SECONDS(10)
/* So often in a row may a node have no time for us; then it is read from instead, which it cannot
 * refuse without refusing readers. */
#define AUDIT_BUSY_MAX        4
/* So often in a row may a shard that a node has not be found elsewhere: two that claim the same
 * shard would excuse each other for ever. */
#define AUDIT_EXCUSES_MAX     2

/* What it had promised: kept from audits passed, so that a later loss can be proven. */
#define PROMISES_MAX 64

struct auditor {
	struct keeper *k;
	struct audit_desk *desk;
	struct standings *standings;
	struct timer timer;
	bool running;
	struct promise {
		struct audit_challenge challenge;
		struct audit_answer answer;
	} * promises; /* a ring; NULL: none yet */
	size_t promises_next, promises_count;
	size_t evidence_count;    /* nodes in STORE_EVIDENCE */
	struct audit_entry *list; /* a ring of AUDITS_LISTED; NULL: none yet */
	size_t list_next;
	uint64_t tickets;
};

int auditor_new(struct keeper *k, struct auditor **out); /* gives; serves from here on */
void auditor_stop(struct auditor *a);
void auditor_free(struct auditor *a); /* NULL accepted */
/* There is something to be asked about: starts the timer that is not running. */
void auditor_wake(struct auditor *a);
/* What was known before the last start; behind the first tour. */
SUSPENDS int auditor_load(struct auditor *a);

/* Under which the store has what is said of a node. */
static inline struct hash
auditor_key(const struct pubkey *node)
{
	struct hash key;

	memcpy(key.b, node->b, sizeof(key.b));
	return key;
}

/* Its shards count as lost and its word for nothing. */
bool auditor_out(const struct auditor *a, const struct pubkey *node);
/* The observations of a node have changed: written down, and acted upon where it is out now. */
SUSPENDS int auditor_noted(struct auditor *a, const struct pubkey *node);
/* What a read has shown, as if it had been an audit: bytes that were right or wrong. */
SUSPENDS int auditor_note_read(struct auditor *a, const struct pubkey *node, bool good);

/* Into the list of the latest, with a copy of the evidence; for want of memory without. */
void auditor_list(struct auditor *a, const struct audit_entry *e, struct bytes evidence);
void auditor_sum_up(const struct auditor *a, struct keeper_status *out);

/*
 * audit_ask.c: challenges who holds index of the chunk, a shard of which is here, and draws the
 * consequences. ticket 0: on our own account; no answer is asked for AUDIT_TRIES times and counts
 * then. Else at somebody's wish: once, and silence does not count. With an error nothing was found
 * out, and nothing listed.
 */
SUSPENDS int auditor_challenge(struct auditor *a, const struct chunk_facts *f, uint8_t index,
    const struct contact *node, uint64_t ticket);

/*
 * audit_probe.c: reads a leaf and all hashes of a shard as anybody would. ERR_CORRUPT: they are not
 * the shard's; ERR_NOT_FOUND: it has no such shard.
 */
SUSPENDS int auditor_probe(
    struct keeper *k, const struct chunk_facts *f, uint8_t index, const struct contact *who);

/* audit_serve.c: answers challenges. */
struct audit_desk;
int audit_desk_new(struct keeper *k, struct audit_desk **out); /* gives */
void audit_desk_free(struct audit_desk *d);                    /* NULL accepted */

#endif
