/*
 * Who a node is: an Ed25519 key, the id that follows from it, and the X25519
 * key pair converted from it for agreement. A network may ask for a light
 * proof of work: SHA-256(id) starts with so many zero bits, while the id
 * itself stays uniform. Secret: wipe every copy.
 */
#ifndef OVERLAY_IDENTITY_H
#define OVERLAY_IDENTITY_H

#include "overlay/base/crypto.h"
#include "overlay/base/types.h"

struct disk;

struct identity {
	struct sign_key sign; /* secret */
	struct pubkey pub;
	struct id id;             /* SHA-256(pub) */
	struct key x25519_secret; /* secret */
	uint8_t x25519_public[32];
};

/* Beyond this a search takes days on one core; a network that asks for more is a mistake. */
#define IDENTITY_POW_BITS_MAX 32

/* Inside a node's directory; 0600. Layout: doc/disk.md. */
#define IDENTITY_FILE "node.key"

/* First four bytes of SHA-256("skerry/network/1" ‖ name). */
void network_id_of_name(const char *name, struct network_id *out);

void id_of_pubkey(const struct pubkey *pub, struct id *out);

void identity_from_seed(const struct key *seed, struct identity *out);
void identity_wipe(struct identity *who);

bool identity_pow_ok(const struct id *id, uint8_t pow_bits);

/* Where a search gets its seeds: env_random() in a wrapper. */
struct identity_random {
	void (*fill)(void *arg, void *out, size_t len);
	void *arg;
};

/*
 * Tries seeds until one has the proof of work: about 2^pow_bits tries of 20 µs each, so more than
 * 8 bits belong in a worker or before the loop starts. ERR_NOT_FOUND after tries_max.
 */
int identity_search(const struct identity_random *random, uint8_t pow_bits, uint64_t tries_max,
    struct identity *out);

/*
 * Writes dir/node.key, durably. ERR_EXISTS when there is one: a key is never overwritten. Blocks.
 */
int identity_create(struct disk *d, const char *dir, const struct identity *who);

/* ERR_NOT_FOUND: no file; ERR_VERSION: written by a newer program; ERR_CORRUPT. Blocks. */
int identity_load(struct disk *d, const char *dir, struct identity *out);

#endif
