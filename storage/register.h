/*
 * What is said between proposers and the anchors of a head register. Pure; fixed layouts, fuzzed
 * (doc/protocol.md). Unpacking checks every signature that is in a message; whether its signer may
 * say so in this configuration is for acceptor.h and proposer.h.
 *
 * Answers are not signed: they come on the session of the anchor that gives them. What an anchor
 * says of ballots and values carries the signature of the writer whose they are, so it can hide
 * or repeat, not invent.
 */
#ifndef STORAGE_REGISTER_H
#define STORAGE_REGISTER_H

#include "storage/tail.h"

/*
 * What an anchor had accepted when it promised a ballot to another anchor, which wants to put a new
 * one in a silent one's place. Signed by it: a quorum of claims is a warrant.
 */
struct claim {
	struct pubkey anchor;
	struct ballot accepted;
	uint64_t place;
	struct hash id; /* of the value */
	struct sig sig;
};
/*
 * Lets an anchor propose, in one ballot, the stop that follows from the claims and nothing else:
 * the head of the highest claim, unchanged. So no writer is needed, and who runs it cannot lie.
 */
struct warrant {
	uint8_t count;
	struct claim by[ANCHORS_MAX];
	struct sig accept_sig; /* of the highest claim's ballot and value; unused for ballot 0 */
};

enum register_kind { REG_PREPARE = 1, REG_ACCEPT, REG_READ, REG_HANDOVER };
struct register_message {
	enum register_kind kind;
	struct hash bucket;
	uint64_t epoch;
	uint32_t configuration;
	uint64_t nonce; /* READ, HANDOVER: comes back, so that an old answer answers nothing new */
	struct ballot ballot; /* PREPARE, ACCEPT */
	struct sig sig;
	bool replaces; /* PREPARE and ACCEPT by an anchor: */
	struct configuration next;
	struct warrant warrant;   /* ACCEPT */
	struct value value;       /* ACCEPT; HANDOVER: the head that goes over */
	struct handover handover; /* HANDOVER */
	struct tail_part
	    tail; /* ACCEPT, HANDOVER: records; READ: extends is the tail that is known */
};

enum answer_kind {
	ANS_PROMISED = 1,
	ANS_ACCEPTED,
	ANS_STATE,      /* to READ */
	ANS_REFUSED,    /* a higher ballot is promised */
	ANS_NEED_TAIL,  /* tail.extends: what it has */
	ANS_MOVED,      /* that configuration has ended: handover */
	ANS_JOINED,     /* to HANDOVER: it is in force here, or here is no part of the next */
	ANS_BEHIND,     /* here an earlier configuration is known: send the handovers since */
	ANS_SUPERSEDED, /* a higher epoch: ask for its charter */
	ANS_NO_MEMBER,  /* the state is gone, or was never here */
};
struct register_answer {
	enum answer_kind kind;
	struct hash bucket;
	uint64_t epoch;
	uint32_t configuration; /* the anchor's */
	uint64_t nonce;
	struct ballot ballot; /* that was asked about */
	/* PROMISED, ACCEPTED, STATE, REFUSED, NEED_TAIL: */
	struct ballot promised, accepted;
	struct sig promised_sig, accepted_sig; /* of Prepare (unless equal) and Accept */
	struct hash promised_next;             /* what promised_sig covers of next */
	struct value value;
	bool warranted; /* accepted is an anchor's ballot */
	struct warrant warrant;
	bool cosigned; /* value stops: this anchor's word that it has accepted it */
	struct cosignature cosignature;
	bool claimed; /* PROMISED to an anchor */
	struct claim claim;
	bool handed; /* MOVED */
	struct handover handover;
	struct tail_part tail; /* STATE: records newer than the asker's */
};

/* Largest of both, for whoever reads them off a stream. */
#define REGISTER_BYTES_MAX (MIB(1) / 2)

/* SHA-256 of a configuration; what a prepare and its claims say of the next one. */
struct hash configuration_id(const struct configuration *c);

/* Signs a PREPARE or an ACCEPT in place; ballot.writer must be the key's. */
void register_message_sign(
    struct register_message *m, struct network_id net, const struct identity *who);
/* What an anchor adds: its cosignature and its claim, where the answer has them. */
void register_answer_sign(struct register_answer *a, const struct register_message *m,
    struct network_id net, const struct identity *anchor);

/* ERR_TOO_BIG: no room in out; *len is set otherwise. */
int register_message_pack(
    const struct register_message *m, struct network_id net, uint8_t *out, size_t cap, size_t *len);
/* *out is undefined after an error: it is large. Records are lent from the input. */
int register_message_unpack(struct bytes in, struct network_id net, struct register_message *out);
/*
 * What a state shows as accepted, as its writer had sent it; of which configuration that is, the
 * caller says.
 */
void register_message_shown(const struct register_answer *shown, struct register_message *out);
int register_answer_pack(
    const struct register_answer *a, struct network_id net, uint8_t *out, size_t cap, size_t *len);
/* known: as of head_unpack; of a promise, an accept and its head. */
int register_answer_unpack(
    struct bytes in, struct network_id net, struct signatures *known, struct register_answer *out);

/*
 * Whether the warrant lets an anchor of c propose v, which must be a stop: claims by a quorum, of
 * which the highest names its head (seven anchors: claims that agree). initial: id of the head that
 * c began with. Signatures were checked on arrival. A claim by an anchor's own ballot cannot be the
 * highest: a replacement left halfway is finished by sending its accept again, or by any writer.
 */
bool warrant_covers(const struct warrant *w, const struct value *v, const struct configuration *c,
    const struct hash *initial);

#endif
