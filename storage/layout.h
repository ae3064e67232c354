/*
 * How a chunk's ciphertext lies in shards: pure arithmetic. Rows of k data leaves,
 * then n−k parity leaves; shard i is leaf i of every row. Leaves are LEAF_BYTES; the last
 * row's are ⌈rest/k⌉ rounded up to LEAF_ALIGN, its data padded with zeros. Lengths are
 * always computed from chunk length and k, never read from a peer.
 */
#ifndef STORAGE_LAYOUT_H
#define STORAGE_LAYOUT_H

#include "overlay/base/err.h"
#include "overlay/base/types.h"

#define LEAF_BYTES      KIB(64) /* unit of hashing, proof and range read; two frames */
#define LEAF_ALIGN      64      /* one cache line: vector code needs no tail handling */
#define CHUNK_BYTES_MAX MIB(64)
#define SHARDS_MAX      255 /* GF(2^8) */
/* Rows of the longest chunk at k = 1; also the most leaves of one shard. */
#define LEAVES_MAX      (CHUNK_BYTES_MAX / LEAF_BYTES)

/* 1 ≤ k ≤ r ≤ n ≤ SHARDS_MAX; r = n only where n = k. */
struct code_params {
	uint8_t k; /* any k shards rebuild */
	uint8_t r; /* repair starts at ≤ r alive */
	uint8_t n; /* placed */
};

struct layout {
	uint8_t k, n;
	uint64_t chunk_bytes; /* 1 … CHUNK_BYTES_MAX */
	uint32_t rows;        /* = leaves per shard, 1 … LEAVES_MAX */
	uint32_t last_leaf;   /* bytes of a leaf of the last row */
	uint64_t shard_bytes; /* bytes of one shard */
};

/* ERR_INVALID for k = 0, k > n or a length of 0; ERR_TOO_BIG above CHUNK_BYTES_MAX. */
int layout_make(uint8_t k, uint8_t n, uint64_t chunk_bytes, struct layout *out);
/* Bytes of a leaf of the row. */
uint32_t layout_leaf_bytes(const struct layout *l, uint32_t row);
/* Chunk bytes that a row holds: k·LEAF_BYTES but for the last, which has the rest. */
uint64_t layout_row_bytes(const struct layout *l, uint32_t row);
/* Rows that hold chunk bytes [from, from + len): *first and *count; len > 0 and inside the chunk.
 */
void layout_rows_of(
    const struct layout *l, uint64_t from, uint64_t len, uint32_t *first, uint32_t *count);

/* s = ⌈(k+n)/2⌉: receipts that make a put succeed. */
uint8_t code_success(const struct code_params *c);
bool code_valid(const struct code_params *c);
/* "4/6/8"; ERR_INVALID. out of code_print: at least 12 bytes. */
int code_parse(const char *text, struct code_params *out);
const char *code_print(const struct code_params *c, char *out);
/*
 * The default code for a network of so many live servers ([7]'s table); chunk_bytes
 * matters only in networks of thousands. servers = 0 is taken as 1.
 */
struct code_params code_default(uint64_t servers, uint64_t chunk_bytes);

#endif
