/*
 * The storage protocol: one struct, pack and unpack per message (doc/protocol.md). All
 * go over sessions; requests are the head of a stream, answers its tail. pack
 * appends to a buf that bounds it; unpack lends from the input, allocates nothing that
 * outlives the call, and bounds every length. Pure, fuzzed.
 */
#ifndef STORAGE_MESSAGES_H
#define STORAGE_MESSAGES_H

#include "overlay/base/buf.h"
#include "overlay/base/msg.h"
#include "storage/descriptor.h"
#include "storage/lease.h"

enum storage_method {
	METHOD_CHUNK_HAVE = 64, /* chunk_query → tail: chunk_have */
	METHOD_CHUNK_INFO = 65, /* chunk_query → u16 length and descriptor; tail: siblings_note */
	/*
	 * shard_put; then the node sends a shard_go (there is room); then the shard's bytes,
	 * then a commit as u32 length and packed shard_commit; the tail is a packed receipt.
	 */
	METHOD_SHARD_PUT = 66,
	METHOD_SHARD_GET = 67,    /* shard_range → the leaves' bytes */
	METHOD_SHARD_HASHES = 68, /* shard_range → 32 bytes per leaf */
	METHOD_LEASE = 69,        /* lease_update → tail: packed receipt */
	METHOD_HOLDS = 70,        /* holds (holds.h) → holds_reply; datagram */
	METHOD_LEASES = 71,       /* chunk_query → tail: leases */
	METHOD_CLAIM = 72,        /* chunk_query → nothing: its repair has begun; datagram */
	METHOD_AUDIT = 73,        /* audit_challenge (audit.h) → answer, leaves and paths */
};

struct chunk_query {
	struct hash chunk;
};
int chunk_query_pack(const struct chunk_query *m, struct buf *out);
int chunk_query_unpack(struct bytes in, struct chunk_query *out);

/* What a node holds of a chunk. */
struct chunk_have {
	uint8_t k, r, n; /* r from the newest lease */
	uint64_t chunk_bytes;
	uint64_t lease_until; /* the latest of its leases, unix seconds */
	uint8_t count;        /* of indices */
	uint8_t indices[SHARDS_MAX];
};
int chunk_have_pack(const struct chunk_have *m, struct buf *out);
int chunk_have_unpack(struct bytes in, struct chunk_have *out);

struct shard_put {
	uint8_t k, n, index;
	uint64_t chunk_bytes;
	struct pubkey lease_key; /* zeros: not told */
	bool granted;
	struct grant grant; /* of the lease key */
};
int shard_put_pack(const struct shard_put *m, struct buf *out);
int shard_put_unpack(struct bytes in, struct shard_put *out);

/* There is room, and what may be asked for it: u8 1, u64 longest term, u64 longest lock, seconds.
 */
struct shard_go {
	uint64_t term_max_s, lock_max_s;
};
#define SHARD_GO_BYTES 17
void shard_go_pack(const struct shard_go *m, uint8_t out[SHARD_GO_BYTES]);
int shard_go_unpack(const uint8_t in[SHARD_GO_BYTES], struct shard_go *out);

#define SHARD_COMMIT_BYTES_MAX (4 + DESCRIPTOR_BYTES_MAX + LEASE_BYTES_MAX)
/* Fixed layout: u16 length and packed descriptor, u16 length and packed lease. */
int shard_commit_pack(
    const struct descriptor *d, const struct lease *l, struct network_id net, struct buf *out);
int shard_commit_unpack(
    struct bytes in, struct network_id net, struct descriptor *d, struct lease *l);

struct shard_range {
	struct hash chunk;
	uint8_t index;
	uint32_t first, count; /* leaves */
};
int shard_range_pack(const struct shard_range *m, struct buf *out);
int shard_range_unpack(struct bytes in, struct shard_range *out);

struct sibling {
	uint8_t index;
	struct pubkey node;
};
#define SIBLING_BYTES 33
struct siblings {
	uint8_t count;
	struct sibling at[SHARDS_MAX];
};
/* Fixed layout: count entries of SIBLING_BYTES. ERR_INVALID: not a multiple, index ≥ n, twice the
 * same pair. */
size_t siblings_pack(const struct siblings *s, uint8_t *out);
int siblings_unpack(struct bytes in, uint8_t n, struct siblings *out);

/* Siblings as of a moment (agreed unix ms): the higher sequence wins; 0: none known. */
struct siblings_note {
	uint64_t sequence;
	struct siblings siblings;
};
int siblings_note_pack(const struct siblings_note *m, struct buf *out);
int siblings_note_unpack(struct bytes in, uint8_t n, struct siblings_note *out);

struct lease_update {
	struct lease lease;
	struct siblings_note note;
};
/* The leases that a node keeps of a chunk: each u16 length and packed lease, and the same of its
 * grant, which may be none. */
int leases_pack(const struct lease *leases, size_t count, struct network_id net, struct buf *out);
/* Checks every signature; more than cap: ERR_TOO_BIG. */
int leases_unpack(
    struct bytes in, struct network_id net, struct lease *out, size_t cap, size_t *count);

int lease_update_pack(const struct lease_update *m, struct network_id net, struct buf *out);
int lease_update_unpack(struct bytes in, struct network_id net, struct lease_update *out);

#endif
