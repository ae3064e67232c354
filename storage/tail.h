/*
 * The log tail of a head: the records of each commit since the snapshot, as a chain of hashes. The
 * hash of the empty tail follows from the head's root, each further one from the one before and the
 * records; so a hash names a whole tail, and who has a tail can say how much of another it lacks.
 *
 * Anchors keep the records beside the register's state, since 256 KiB do not fit one value of the
 * store: each segment in pieces under keys that follow from its hash (tail_piece_key). Segments of
 * a head that lost lie beside those of the one that won. Pieces are written before the
 * state that needs them, and removed after the state that no longer does; what a crash leaves
 * between is found by no state and removed at the next start. Pure.
 */
#ifndef STORAGE_TAIL_H
#define STORAGE_TAIL_H

#include "storage/head.h"

struct tail_segment {
	struct hash hash; /* of the tail that ends with it */
	uint32_t bytes;
};
struct tail {
	struct hash empty; /* the hash before the first */
	uint16_t count;
	struct tail_segment at[TAIL_SEGMENTS_MAX];
};

void tail_begin(struct tail *t, const struct hash *root);
struct hash tail_hash(const struct tail *t);
/* sum: SHA-256 of the records. ERR_FULL: too many, or too many bytes; ERR_INVALID: none. */
int tail_append(struct tail *t, const struct hash *sum, uint32_t bytes);
/* How many segments make up the tail of that hash; -1: none of t's. */
int tail_find(const struct tail *t, const struct hash *h);
/* The number of leading segments that both have. */
uint16_t tail_shared(const struct tail *a, const struct tail *b);
bool tail_is_of(const struct tail *t, const struct head *h);

/* A piece leaves room for the store's limit. */
#define TAIL_PIECE_BYTES 10000
void tail_piece_key(
    const struct hash *bucket, const struct hash *segment, uint16_t piece, struct hash *out);

/* Segments on their way, to be put behind `extends`. */
struct tail_part {
	struct hash extends;
	uint16_t count;
	struct {
		struct hash sum;
		struct bytes records; /* lent */
	} at[TAIL_SEGMENTS_MAX];
};
/*
 * The tail of h, made of what t has and the part brings. ERR_NOT_FOUND: t lacks what the part
 * extends; ERR_INVALID: together they are not h's.
 */
int tail_extend(
    const struct tail *t, const struct tail_part *part, const struct head *h, struct tail *out);
void tail_part_pack(struct packer *p, const struct tail_part *part);
/* Records are lent from the input; their sums are computed. */
int tail_part_unpack(struct unpacker *u, struct tail_part *out);
#define TAIL_PART_BYTES_MAX (32 + 2 + TAIL_SEGMENTS_MAX * 4 + TAIL_BYTES_MAX)

#endif
