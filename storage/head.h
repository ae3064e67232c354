/*
 * What a head register holds: the head of a bucket, or the head together with the word that this
 * configuration ends (a stop); the ballots that decide between proposals; and the handover, which
 * proves that a stop was committed. Pure; fixed layouts, fuzzed (doc/protocol.md).
 *
 * A head is signed without its ballot, so that another writer can propose it again unchanged.
 */
#ifndef STORAGE_HEAD_H
#define STORAGE_HEAD_H

#include "storage/charter.h"
#include "storage/signatures.h"

/* The records behind the snapshot that anchors keep; older ones are in chunks ([12]). */
#define TAIL_BYTES_MAX    KIB(256)
/* Commits in it: their list must fit, with everything else, one value of the store. */
#define TAIL_SEGMENTS_MAX 96

/*
 * Who proposes, ordered by counter, then writer, then session. The session is drawn at random
 * whenever a writer starts: it may have forgotten its counters, and a ballot must never be used
 * for two values. counter 0: none.
 */
struct ballot {
	uint64_t counter;
	struct pubkey writer;
	uint64_t session;
};
int ballot_compare(const struct ballot *a, const struct ballot *b); /* < 0, 0, > 0 */
#define BALLOT_BYTES (8 + 32 + 8)
void ballot_pack(struct packer *p, const struct ballot *b);
/* ERR_INVALID, also for a counter 0 that is not all zero. */
int ballot_unpack(struct unpacker *u, struct ballot *out);

struct head {
	struct hash bucket;
	uint64_t epoch, seq;  /* 1 ≤ seq ≤ HEAD_SEQ_MAX */
	struct hash previous; /* id of the head before; of the charter for an epoch's first */
	struct hash root;     /* of the snapshot and what of the log is in chunks */
	struct hash tail;     /* of the records since (storage/tail.h) */
	uint32_t tail_bytes;
	uint16_t tail_segments;
	struct pubkey writer;
	struct sig sig;
	struct hash id; /* SHA-256 of the signed part */
};
#define HEAD_SEQ_MAX (UINT64_MAX / 4) /* so that places do not overflow */
#define HEAD_BYTES   263
/* Signs in place: writer and id are set. */
void head_sign(
    struct head *h, struct network_id net, const struct sign_key *key, const struct pubkey *pub);
void head_pack(struct packer *p, const struct head *h, struct network_id net);
/*
 * Checks layout, bounds and signature; whether the writer may write, acceptor and proposer see.
 * known: signatures that need no check, and those that were good now; NULL: all are checked.
 */
int head_unpack(
    struct unpacker *u, struct network_id net, struct signatures *known, struct head *out);

/* Ends the configuration before `next`; `head` goes over to it. */
struct stop {
	struct hash bucket;
	uint64_t epoch;
	struct hash head; /* id; zeros: the register is empty */
	struct configuration next;
	/* Other writers than before are the owner's to name. */
	bool owned;
	struct pubkey owner;
	struct sig owner_sig;
	struct hash id;
};
#define STOP_BYTES_MAX (13 + 4 + 32 + 8 + 32 + CONFIGURATION_BYTES_MAX + 1 + 32 + 64)
/* Sets id; owner NULL: unsigned. */
void stop_seal(struct stop *s, struct network_id net, const struct identity *owner);
/*
 * Whether it may end c, of this bucket, epoch and owner, if it is committed: the next number, and
 * other writers only by the owner's word.
 */
bool stop_may_end(const struct stop *s, const struct configuration *c, const struct hash *bucket,
    uint64_t epoch, const struct pubkey *owner);
void stop_pack(struct packer *p, const struct stop *s, struct network_id net);
int stop_unpack(struct unpacker *u, struct network_id net, struct stop *out);

/*
 * A register's content. Its id is the stop's if it is one, else the head's, else zeros. Under one
 * ballot a writer proposes the next when the last is committed: by place, which is twice the seq
 * (0: empty) and one more for a stop.
 */
struct value {
	bool present, stops;
	struct head head; /* if present */
	struct stop stop; /* if stops */
};
#define VALUE_BYTES_MAX (1 + HEAD_BYTES + STOP_BYTES_MAX)
struct hash value_id(const struct value *v);
uint64_t value_seq(const struct value *v);
uint64_t value_place(const struct value *v);
struct hash value_head_id(const struct value *v);
/* A stop names the head beside it, and bucket and epoch are the same. */
bool value_valid(const struct value *v);
void value_pack(struct packer *p, const struct value *v, struct network_id net);
int value_unpack(
    struct unpacker *u, struct network_id net, struct signatures *known, struct value *out);

/* An anchor's word that it has accepted a stop under a ballot. */
struct cosignature {
	struct pubkey anchor;
	struct sig sig;
};
void cosign_stop(struct cosignature *out, const struct stop *s, const struct ballot *b,
    struct network_id net, const struct identity *anchor);
bool cosignature_good(const struct cosignature *c, const struct stop *s, const struct ballot *b,
    struct network_id net);

/* A quorum's word, which anybody can check: the stop is committed. */
struct handover {
	struct ballot ballot;
	struct stop stop;
	uint8_t count;
	struct cosignature by[ANCHORS_MAX];
};
#define HANDOVER_BYTES_MAX (BALLOT_BYTES + STOP_BYTES_MAX + 1 + ANCHORS_MAX * 96)
void handover_pack(struct packer *p, const struct handover *l, struct network_id net);
/* Checks every signature, not whose they are. */
int handover_unpack(struct unpacker *u, struct network_id net, struct handover *out);
/*
 * Whether it ends c, of this bucket, epoch and owner: a quorum of c's anchors has signed. From the
 * charter's founding configuration a chain of handovers leads to the one that holds now.
 */
bool handover_ends(const struct handover *l, const struct configuration *c,
    const struct hash *bucket, uint64_t epoch, const struct pubkey *owner);

#endif
