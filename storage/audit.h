/*
 * What an auditor and a node say to each other, signed so that a third party can judge it later
 * (evidence.h). A challenge names a shard and a nonce; the nonce decides which leaves are to be
 * shown, so neither side can choose them. The answer is the node's signed word, held or lost; for a
 * shard that is held the leaves follow with their Merkle paths, and the word covers the hashes of
 * both. Fixed layouts in doc/protocol.md. Pure, fuzzed.
 */
#ifndef STORAGE_AUDIT_H
#define STORAGE_AUDIT_H

#include "overlay/identity.h"
#include "storage/merkle.h"

/* Of 64 KiB: half a megabyte in one answer at most; four are what a challenge commonly asks. */
#define AUDIT_LEAVES_MAX      8
#define AUDIT_LEAVES          4
#define AUDIT_CHALLENGE_BYTES (18 + 4 + 32 + 32 + 32 + 1 + 1 + 32 + 8 + 64)
#define AUDIT_ANSWER_BYTES    (21 + 4 + 32 + 32 + 1 + 8 + 8 + 32 + 64)
/* A path, and a leaf's hash with it: what is signed, and what evidence keeps. */
#define AUDIT_PATH_BYTES_MAX  (1 + 32 * MERKLE_PATH_MAX)
#define AUDIT_PROOF_BYTES_MAX (32 + AUDIT_PATH_BYTES_MAX)

struct audit_challenge {
	struct pubkey auditor, node;
	struct hash chunk;
	uint8_t index;
	uint8_t leaves; /* 1 … AUDIT_LEAVES_MAX */
	struct hash nonce;
	uint64_t issued; /* unix seconds by the auditor's clock */
	struct sig sig;  /* of the auditor */
};
void audit_challenge_sign(
    struct audit_challenge *c, struct network_id net, const struct identity *auditor);
size_t audit_challenge_pack(
    const struct audit_challenge *c, struct network_id net, uint8_t out[AUDIT_CHALLENGE_BYTES]);
/* Checks the signature. ERR_INVALID, ERR_VERSION, ERR_WRONG_NETWORK, ERR_AUTH. */
int audit_challenge_unpack(struct bytes in, struct network_id net, struct audit_challenge *out);
/* Whether both ask the same node for the same shard. */
bool audit_same_shard(const struct audit_challenge *a, const struct audit_challenge *b);
/* What the node's answer names. */
void audit_challenge_id(const struct audit_challenge *c, struct network_id net, struct hash *out);
/* The row that its leaf number i (< leaves) is of: HMAC(nonce, node, shard, i); may come twice. */
uint32_t audit_row(const struct audit_challenge *c, uint8_t i, uint32_t rows);

enum audit_verdict {
	AUDIT_HELD = 1, /* the leaves follow */
	AUDIT_LOST = 2, /* the node says itself that it has not that shard */
};
struct audit_answer {
	struct hash challenge; /* audit_challenge_id() */
	struct pubkey node;
	enum audit_verdict verdict;
	uint64_t until;     /* the latest lease known there, unix seconds; 0: none runs */
	uint64_t issued;    /* unix seconds by the node's clock */
	struct hash proofs; /* audit_proofs_sum(); zeros where lost */
	struct sig sig;     /* of the node */
};
void audit_answer_sign(struct audit_answer *a, struct network_id net, const struct identity *node);
size_t audit_answer_pack(
    const struct audit_answer *a, struct network_id net, uint8_t out[AUDIT_ANSWER_BYTES]);
int audit_answer_unpack(struct bytes in, struct network_id net, struct audit_answer *out);
/* Whether a is the answer to c, by whom it was asked. */
bool audit_answers(
    const struct audit_answer *a, const struct audit_challenge *c, struct network_id net);

/* The leaves that were shown, without their bytes, in the order of the challenge. */
struct audit_proofs {
	uint8_t count;
	struct audit_proof {
		struct hash leaf; /* of the bytes that came */
		struct merkle_proof path;
	} at[AUDIT_LEAVES_MAX];
};
/* u8 count and the hashes: what follows a leaf's bytes on the wire. */
size_t audit_path_pack(const struct merkle_proof *p, uint8_t out[AUDIT_PATH_BYTES_MAX]);
void audit_proofs_sum(const struct audit_proofs *p, struct hash *out);
/*
 * Whether the proofs show the leaves of the challenge under the shard's root: ERR_OK, or
 * ERR_CORRUPT.
 */
int audit_proofs_check(const struct audit_proofs *p, const struct audit_challenge *c,
    const struct layout *l, const struct hash *root);

#endif
