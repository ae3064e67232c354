/*
 * Keys of a bucket's tables in the map (doc/disk.md). An S3 key lies there with one added to each
 * byte and 0x00 behind it: so the order stays that of the bytes, a key comes before those that it
 * begins, and nothing gets longer. UTF-8 has no byte above 0xf4. For this folder only.
 */
#ifndef OBJECT_TABLES_H
#define OBJECT_TABLES_H

#include "object/entry.h"
#include "object/kv.h"

enum table {
	TABLE_SETTINGS = 'b',
	TABLE_DOCUMENTS = 'c',
	TABLE_DOOMED = 'd',
	TABLE_REPEATS = 'k',
	TABLE_PARTS = 'p',
	TABLE_REPEATS_DUE = 'q',
	TABLE_UPLOADS = 'u',
	TABLE_VERSIONS = 'v',
	TABLE_TALLIES = 'w',
	TABLE_NULLS = 'z',
};

struct table_key {
	uint8_t b[KV_KEY_MAX];
	size_t len;
};
static_assert(1 + (OBJECT_KEY_MAX + 1) + 1 + VERSION_BYTES + 1 <= KV_KEY_MAX,
    "a marker one longer than the longest key, a version, and the next behind");

struct bytes table_key_bytes(const struct table_key *k);
/* The letter alone: where the table begins. */
struct table_key table_start(enum table t);
/* The S3 key, its end, and if not NULL the version or upload. */
struct table_key table_key(enum table t, struct bytes key, const struct version *id);
/* Where the keys with this prefix begin; behind them all. A prefix longer than a key is cut. */
struct table_key table_prefix(enum table t, struct bytes prefix);
struct table_key table_past_prefix(enum table t, struct bytes prefix);
/* Behind all versions of the key; behind one. */
struct table_key table_past_key(enum table t, struct bytes key);
struct table_key table_past(enum table t, struct bytes key, const struct version *id);
/* By a 16-byte id, and if number is not UINT32_MAX two bytes of number. */
struct table_key table_id(enum table t, const struct version *id, uint32_t number);

/*
 * Takes a key of TABLE_VERSIONS or TABLE_UPLOADS apart. out has room for OBJECT_KEY_MAX.
 * ERR_NOT_FOUND: of another table; ERR_CORRUPT.
 */
int table_split(
    struct bytes kv_key, enum table t, uint8_t *out, size_t *out_len, struct version *id);

/* A key and a value of the map, with the room that it asks for. */
struct table_record {
	struct buf key, value;
};
void table_record_init(struct table_record *r);
void table_record_fini(struct table_record *r);
/* The smallest not below from, if it begins with `within`; else ERR_NOT_FOUND. */
SUSPENDS int table_seek(struct kv *kv, const struct table_key *from, const struct table_key *within,
    struct table_record *r);

#endif
