/*
 * Records of the log: what the transactions of one commit wrote, in their order; sealed as a
 * segment of the tail; and segments together as a log chunk (layouts: doc/disk.md). The log is
 * physical, puts and deletions of keys: replaying it needs no rule of S3. Pure; sealing runs in
 * workers.
 */
#ifndef OBJECT_MAP_LOG_H
#define OBJECT_MAP_LOG_H

#include "object/kv.h"
#include "object/map.h"
#include "object/sealing.h"
#include "storage/head.h"

#define MAP_ID_BYTES 16
struct map_txn_id {
	uint8_t b[MAP_ID_BYTES];
};

/* Unpacked, of one segment: a transaction of the largest size and what stands around it. */
#define MAP_RECORDS_MAX   (MAP_TXN_BYTES_MAX + KIB(4))
/* Beyond this no further transaction joins a commit: so several seldom need to be parted. */
#define MAP_BATCH_BYTES   KIB(96)
/* A log chunk: a whole tail, with lengths. */
#define MAP_LOG_CHUNK_MAX (TAIL_BYTES_MAX + TAIL_SEGMENTS_MAX * 4 + 2)

static_assert(2 * MAP_SEGMENT_MAX <= TAIL_BYTES_MAX, "one may be written while one is rolled");
static_assert(MAP_BATCH_BYTES + KIB(8) <= MAP_SEGMENT_MAX, "what does not compress fits, too");

/* ---- writing: records are appended to one buffer ---- */
/* Begins a transaction: result is its own, at most MAP_RESULT_MAX. */
int map_log_txn(struct buf *out, const struct map_txn_id *id, struct bytes result);
int map_log_put(struct buf *out, struct bytes key, struct bytes value);
int map_log_del(struct buf *out, struct bytes key);
#define MAP_LOG_TXN_BYTES 19 /* beside the result */
#define MAP_LOG_PUT_BYTES 7  /* beside key and value */
#define MAP_LOG_DEL_BYTES 3

/* ---- reading ---- */
/* Bytes are lent from the input. An error of either ends it and is returned. */
struct map_log_visitor {
	int (*txn)(void *arg, const struct map_txn_id *id, struct bytes result);
	int (*write)(void *arg, struct bytes key, struct bytes value, bool deleted);
	void *arg;
};
/* ERR_INVALID: not records; found before anything is visited. */
int map_log_each(struct bytes records, const struct map_log_visitor *v);

/* ---- segments: u64 seq, then the sealed records ---- */
int map_segment_seal(const struct sealing *s, uint64_t seq, struct bytes records,
    const uint8_t nonce[CRYPTO_XNONCE_BYTES], struct buf *out);
/* ERR_INVALID: too short, or seq 0. */
int map_segment_seq(struct bytes segment, uint64_t *seq);
int map_segment_open(const struct sealing *s, struct bytes segment, struct buf *records);

/* ---- log chunks ---- */
int map_log_chunk_add(struct buf *out, struct bytes segment); /* out begins empty */
/* ERR_INVALID: not segments with seqs that ascend; found before anything is visited. */
int map_log_chunk_each(
    struct bytes chunk, int (*each)(void *arg, uint64_t seq, struct bytes segment), void *arg);

#endif
