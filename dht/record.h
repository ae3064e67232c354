/*
 * What the DHT keeps: three kinds of signed records, each ≤ RECORD_BYTES_MAX, checked
 * by every node before it keeps or relays one. Layouts are in doc/protocol.md.
 *
 * peer      key = the node's id; value = a peer record (overlay/peer_record.h); TTL 2 h
 * location  key = H(P), P = Ed25519 key derived from the chunk id; who holds which shard
 *           of a chunk; signed by P and by the publishing node, so that only who knows the
 *           chunk can publish and storers do not learn it; TTL 48 h; ≤ 4 publishers per key
 * signed    key = H(owner key, salt); owner's value with a sequence; the storing node's TTL
 */
#ifndef DHT_RECORD_H
#define DHT_RECORD_H

#include "overlay/base/crypto.h"
#include "overlay/base/types.h"
#include "overlay/identity.h"

#define RECORD_BYTES_MAX        1000 /* with its RPC envelope it fits one datagram */
#define RECORD_PUBLISHERS_MAX   4
#define RECORD_PEER_TTL         HOURS(2)
#define RECORD_LOCATION_TTL     HOURS(48)
#define RECORD_SIGNED_TTL       HOURS(48)
#define RECORD_HOLDERS_MAX      64 /* n of the largest shipped code is 50 */
#define RECORD_SIGNED_VALUE_MAX 768

enum record_kind { RECORD_PEER = 1, RECORD_LOCATION = 2, RECORD_SIGNED = 3 };

/* A packed, verified record: the bytes are the truth, the rest was read from them. */
struct record {
	enum record_kind kind;
	struct id key;
	struct pubkey publisher; /* who signed last: node or owner */
	uint64_t sequence;       /* higher replaces lower of the same publisher (and owner) */
	uint16_t len;
	uint8_t bytes[RECORD_BYTES_MAX];
};

/* Checks layout, network, signatures and limits of bytes from outside; fills out. */
int record_read(struct bytes in, struct network_id net, struct record *out);

/* ---- location ---- */
struct holder {
	uint8_t index;     /* of the shard */
	uint8_t prefix[8]; /* of the node's id */
};
struct location {
	uint64_t sequence; /* agreed unix ms */
	uint8_t count;
	struct holder holders[RECORD_HOLDERS_MAX];
};
/* The DHT key of a chunk; chunk ids are SHA-256 of descriptors. */
void location_key(struct network_id net, const struct hash *chunk, struct id *out);
int location_make(struct network_id net, const struct hash *chunk, const struct location *l,
    const struct identity *publisher, struct record *out);
int location_open(const struct record *r, struct location *out);

/* ---- signed ---- */
struct signed_value {
	struct pubkey owner;
	uint8_t salt[16];
	uint64_t sequence;
	uint16_t len;
	uint8_t value[RECORD_SIGNED_VALUE_MAX];
};
void signed_key(const struct pubkey *owner, const uint8_t salt[16], struct id *out);
int signed_make(struct network_id net, const struct sign_key *key, const struct signed_value *v,
    struct record *out);
int signed_open(const struct record *r, struct signed_value *out);

#endif
