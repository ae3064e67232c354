/*
 * The rules by which an anchor answers for one bucket's head register: CASPaxos' acceptor (Rystsov,
 * arXiv 1802.07000) with several values under one ballot, since the writer whose ballot holds
 * commits one head after the other. Pure: state and message in, state and answer out. No rule
 * depends on time; what is judged by clocks (is an anchor silent?) the caller brings along.
 *
 * The caller must make the new state durable before the answer leaves, and the pieces of the tail
 * before the state (tail.h). Messages have passed register_message_unpack.
 */
#ifndef STORAGE_ACCEPTOR_H
#define STORAGE_ACCEPTOR_H

#include "storage/register.h"

/*
 * A ballot may be so much above the last: the counters of 64 bits then outlast whoever wants to use
 * them up with one message.
 */
#define BALLOT_JUMP_MAX (UINT64_C(1) << 32)

struct acceptor {
	struct pubkey owner;
	struct hash bucket, charter; /* ids */
	uint64_t epoch, base_seq;
	struct configuration conf;
	struct anchor self; /* one of its anchors, unless the handover says that it was left out */
	struct ballot promised, accepted;
	struct sig promised_sig, accepted_sig;
	struct hash promised_next;
	struct value value;
	bool warranted; /* accepted is an anchor's ballot: by this */
	struct warrant warrant;
	/*
	 * How conf came about (next.number is conf's), or how it ended without this anchor in the
	 * next (conf's + 1). Older handovers are values of their own.
	 */
	bool handed;
	struct handover handover;
	struct tail tail; /* of value.head */
};

/* The state of a founding anchor. ERR_NOT_FOUND: this key and incarnation are not among them. */
int acceptor_found(const struct charter *c, const struct anchor *self, struct acceptor *out);
/*
 * The same after `recover`: known is what was kept. ERR_STALE: no later epoch. ERR_AUTH: another
 * owner's.
 */
int acceptor_refound(const struct acceptor *known, const struct charter *c,
    const struct anchor *self, struct acceptor *out);
/*
 * The state of one that joins. The caller has followed the handovers from the charter to `before`,
 * which the handover of m ends. ERR_NOT_FOUND as above; ERR_AUTH; ERR_INVALID: the head or its tail
 * is not the one that was stopped with.
 */
int acceptor_join(const struct charter *c, const struct configuration *before,
    const struct register_message *m, const struct anchor *self, struct acceptor *out);

/*
 * The same for one that comes late, when nobody has that head any more: shown is what a member of
 * the configuration that l led to has accepted there, with the whole tail. As if it had joined and
 * then been told that accept, which is its writer's word whoever brings it. ERR_NOT_FOUND, ERR_AUTH
 * as above; ERR_INVALID: nothing is accepted there, or nothing that may be.
 */
int acceptor_catch_up(const struct charter *c, const struct configuration *before,
    const struct handover *l, const struct register_answer *shown, const struct anchor *self,
    struct acceptor *out);

/* What the caller knows that no message can say. */
struct acceptor_sight {
	uint64_t incarnation; /* of the directory that the state was found in */
	bool agrees;          /* this anchor finds m.next right: the old one silent for as long as
				 the charter says, the new one fit ([12]) */
};
enum acceptor_verdict {
	ACC_IGNORED,  /* foreign, forged or senseless: no answer */
	ACC_ANSWERED, /* the state is the same */
	ACC_CHANGED,  /* *next must be durable before the answer leaves */
};
/* next may be s. *next and *answer are set as the verdict says; the answer is not signed yet. */
enum acceptor_verdict acceptor_step(const struct acceptor *s, const struct register_message *m,
    const struct acceptor_sight *sight, struct acceptor *next, struct register_answer *answer);

/* As one value of the store (doc/disk.md); read back it is the same. */
#define ACCEPTOR_BYTES_MAX 9200
size_t acceptor_pack(
    const struct acceptor *s, struct network_id net, uint8_t out[ACCEPTOR_BYTES_MAX]);
/* ERR_INVALID, ERR_VERSION, ERR_WRONG_NETWORK, ERR_AUTH. */
int acceptor_unpack(struct bytes in, struct network_id net, struct acceptor *out);

#endif
