/*
 * One client of a head register as a state machine: reads without writing, commits in one round
 * while its ballot is the highest, takes over with a higher one, finishes what others began,
 * changes the members. CASPaxos' proposer (Rystsov, arXiv 1802.07000). Pure: events in, messages to
 * send out. The caller sends, signs, keeps time, adds the records of the tail to messages (behind
 * tail.extends, or all of them), and decides what is written: the machine asks it with the
 * committed head at hand (`evaluate`), as often as that changes.
 *
 * A writer beside others (`watches`) looks on before it takes a ballot from another: it reads, and
 * asks its caller whether it is its turn (`look`). Nothing that is safe stands on the answer.
 *
 * Not durable: after a restart there is a new session, so no ballot is ever used twice. Answers
 * have passed register_answer_unpack, and come from the anchor that they are given in the name of.
 */
#ifndef STORAGE_PROPOSER_H
#define STORAGE_PROPOSER_H

#include "storage/register.h"

/* A round trip around the world and a sync; then who has not answered is asked again. */
#define PROPOSER_ROUND_NS        SECONDS(2)
/* A quorum has answered a read, and differs: those who are left, if they live, have so long. */
#define PROPOSER_DIFFER_NS       MILLISECONDS(300)
/* Whoever was refused, and does not look on, waits that long, at random: one of two gets through.
 */
#define PROPOSER_BACK_OFF_MIN_NS MILLISECONDS(50)
#define PROPOSER_BACK_OFF_MAX_NS MILLISECONDS(500)
/* Answers to a read that differ may be those of a commit on its way: it is read again, as long as
 * they change, but not more often. */
#define PROPOSER_REREADS         3

enum proposer_phase {
	PH_IDLE,
	PH_READING,
	PH_PREPARING,
	PH_CONFIRMING, /* proposes again what was found, unchanged */
	PH_ASKING,     /* the caller, what to write */
	PH_ACCEPTING,
	PH_BACKING_OFF,
	PH_LOOKING,      /* the caller, whether it is its turn to take a ballot */
	PH_HANDING_OVER, /* a new configuration, until a quorum of it has begun */
};
enum proposer_outcome {
	OUT_READ = 1,  /* known is committed and was current after the start */
	OUT_COMMITTED, /* what was proposed, or found in the log */
	OUT_DECLINED,  /* nothing was written; known as for OUT_READ, and it has all that was
			* ever written of what ended unknown before */
	OUT_FAILED,    /* nothing of this operation was written nor will be */
	OUT_UNKNOWN,   /* it may have been written, or still be: neither done nor failed */
	OUT_FORKED, /* committed heads contradict: more lie than the quorum bears. Stop writing. */
};

/* What one anchor answered in this phase. */
struct seen {
	struct ballot accepted;
	struct hash id;
	bool cosigned;
	struct cosignature cosignature;
	struct claim claim;
	uint64_t place;
};

struct proposer {
	struct pubkey owner, self;
	uint64_t session, nonce;
	struct hash bucket, charter;
	uint64_t epoch, base_seq;
	struct configuration conf;
	bool handed; /* handover led to conf; with the head, others can be told */
	struct handover handover;
	bool has_stopped;
	struct value stopped;

	uint64_t top; /* highest counter used or met */
	bool leads;   /* ballot is promised by a quorum and known is what it last committed */
	struct ballot ballot;
	bool knows;
	struct value known; /* committed */
	struct ballot known_ballot;

	enum proposer_phase phase;
	bool writing, declining, replaces;
	struct configuration next; /* if replaces */
	bool confirmed;            /* known was current at some time since the start */
	bool sent, sent_stop;      /* a proposal of this operation may be about; */
	bool floats;               /* or of an earlier one; here: */
	uint64_t sent_seq;
	uint32_t sent_in;     /* configuration */
	struct value pending; /* CONFIRMING, ACCEPTING */
	struct value best;    /* PREPARING: of the highest place */
	struct ballot best_ballot;
	struct sig best_sig;
	struct warrant warrant;
	uint8_t answered, refused, behind; /* bit i: anchor i of conf */
	struct seen seen[ANCHORS_MAX];
	bool watches;           /* set by the caller, and stays */
	bool moving;            /* LOOKING: no quorum agrees, somebody is at work */
	bool lost;              /* a ballot was refused: the caller takes note, and takes it back */
	struct ballot met;      /* the highest that an answer to this round shows as promised */
	struct ballot changed;  /* what was accepted highest when answers differed, or LOOKING, */
	uint64_t changed_place; /* and where */
	uint8_t rereads;
	uint64_t wake, deadline; /* call proposer_tick then; wake 0: not armed */
};

struct proposer_out {
	uint8_t send_to; /* bit i: anchor i of conf */
	struct register_message message;
	uint8_t handover_to;              /* the same, for: */
	struct register_message handover; /* who does not know the configuration */
	bool evaluate;                    /* call proposer_reply */
	bool look;    /* call proposer_take or proposer_wait; or reply FOUND, unless moving */
	bool moved;   /* conf is new: tell the old members and the finder (message handover) */
	bool missing; /* an answer spoke of a later epoch or of handovers not shown: look them up */
	bool done;
	enum proposer_outcome outcome;
};

/* conf: the newest known, followed from the charter by handovers; handover NULL for the founding
 * one. */
void proposer_init(struct proposer *p, const struct charter *c, const struct handover *handover,
    const struct pubkey *self, uint64_t session);
/* One operation at a time. */
void proposer_read(struct proposer *p, uint64_t now, uint64_t deadline, struct proposer_out *out);
void proposer_write(struct proposer *p, uint64_t now, uint64_t deadline, struct proposer_out *out);
/* The same where others have been about: a look comes before the ballot is taken. */
void proposer_write_later(
    struct proposer *p, uint64_t now, uint64_t deadline, struct proposer_out *out);
/* After `look`: takes a ballot now, which outranks others of this moment by so much; or looks again
 * at that time, also after `evaluate`, when another one's higher ballot was met. */
void proposer_take(struct proposer *p, uint8_t ahead, uint64_t now, struct proposer_out *out);
void proposer_wait(struct proposer *p, uint64_t until);
/* By an anchor: next puts one in a silent one's place. `evaluate` wants the stop. */
void proposer_replace(struct proposer *p, const struct configuration *next, uint64_t now,
    uint64_t deadline, struct proposer_out *out);

enum proposer_reply {
	REPLY_PROPOSE, /* v: the head after known, or known's head and a stop */
	REPLY_FOUND,   /* known's log or snapshots have the mutations: done before */
	REPLY_DECLINE, /* nothing is to be written (a condition does not hold) */
};
void proposer_reply(struct proposer *p, enum proposer_reply r, const struct value *v, uint64_t now,
    struct proposer_out *out);
/* random: 64 fresh bits. */
void proposer_answer(struct proposer *p, uint8_t anchor, const struct register_answer *a,
    uint64_t now, uint64_t random, struct proposer_out *out);
void proposer_tick(struct proposer *p, uint64_t now, uint64_t random, struct proposer_out *out);

#endif
