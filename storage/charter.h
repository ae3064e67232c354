/*
 * Who runs a bucket's head register, and by whose word: the charter that the owner signs once, and
 * the configurations that follow from it. Pure; fixed layouts, fuzzed (doc/protocol.md).
 *
 * A bucket's id is a hash of its owner's key for it and a salt, so nobody else can write a charter
 * for it. Anchors and writers are different keys: what a writer may do, an anchor may not.
 */
#ifndef STORAGE_CHARTER_H
#define STORAGE_CHARTER_H

#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "overlay/base/pack.h"
#include "overlay/identity.h"

#define ANCHORS_MAX      7
/* Gateways that write to one bucket; each is asked for by the owner, and all contend for one head.
 */
#define WRITERS_MAX      16
/* An anchor is called silent after a day by default; below an hour a reboot would count as death.
 */
#define SILENT_S_DEFAULT (24 * 3600)
#define SILENT_S_MIN     3600
#define SILENT_S_MAX     (30 * 24 * 3600)

/* One storing node of a register. It is a member only with the state of this incarnation. */
struct anchor {
	struct pubkey key;
	uint64_t incarnation; /* of its directory */
};

struct configuration {
	uint32_t number; /* 0 founds */
	uint8_t anchors_count, quorum, writers_count;
	struct anchor anchors[ANCHORS_MAX];
	struct pubkey writers[WRITERS_MAX];
};

/*
 * Answers that decide: 3/2, 5/3, 7/5; 0 for other counts. Any two quorums share more anchors than
 * may lie: 2q > n + liars. Seven anchors bear two that lie or two that are dead.
 */
uint8_t quorum_of(uint8_t anchors_count);
uint8_t liars_of(uint8_t anchors_count);
/* The anchors in a mask. */
static inline uint8_t
mask_count(uint8_t mask)
{
	uint8_t n = 0;

	for (; mask != 0; mask &= (uint8_t)(mask - 1))
		n++;
	return n;
}

/* Counts and quorum as above, at least one writer, no key twice, whatever its part. */
bool configuration_valid(const struct configuration *c);
bool configuration_equal(const struct configuration *a, const struct configuration *b);
/* Index of an anchor, -1: none. */
int configuration_anchor(const struct configuration *c, const struct pubkey *key);
/* Anchors as a mask: bit i for anchor i; 0: none of them. */
uint8_t configuration_bit(const struct configuration *c, const struct pubkey *key);
/* Whether the anchor is in it, with this incarnation. */
bool configuration_member(const struct configuration *c, const struct anchor *a);
bool configuration_writer(const struct configuration *c, const struct pubkey *key);
/* The same keys may write, in whatever sequence. */
bool configuration_same_writers(const struct configuration *a, const struct configuration *b);
/* What anchors may do by themselves: next puts one new anchor in the place of one old. */
bool configuration_replaces_one(const struct configuration *c, const struct configuration *next);
#define CONFIGURATION_BYTES_MAX (4 + 3 + ANCHORS_MAX * 40 + WRITERS_MAX * 32)
void configuration_pack(struct packer *p, const struct configuration *c);
int configuration_unpack(struct unpacker *u, struct configuration *out); /* ERR_INVALID */

/* Whom anchors may take in another's place. 0: not asked. */
struct candidate_rules {
	uint32_t silent_s;
	uint8_t regions_min, per_country_max, per_operator_max, per_network_max;
};

struct charter {
	struct pubkey owner;
	uint8_t salt[16];
	struct hash bucket; /* follows from both */
	uint64_t epoch;     /* ≥ 1; the owner begins another with `recover` */
	/* The head that the epoch begins from; seq 0 and zeros: an empty bucket. */
	uint64_t base_seq;
	struct hash base;
	struct configuration founding;
	struct candidate_rules rules;
	struct sig sig;
	struct hash id; /* SHA-256 of the signed part: "previous" of the epoch's first head */
};

#define CHARTER_BYTES_MAX (16 + 4 + 32 + 16 + 8 + 8 + 32 + CONFIGURATION_BYTES_MAX + 8 + 64)
void bucket_id(const struct pubkey *owner, const uint8_t salt[16], struct hash *out);
/* Signs in place: owner, bucket and id are set. */
void charter_sign(
    struct charter *c, struct network_id net, const struct sign_key *key, const struct pubkey *pub);
size_t charter_pack(const struct charter *c, struct network_id net, uint8_t out[CHARTER_BYTES_MAX]);
/* ERR_INVALID, ERR_VERSION, ERR_WRONG_NETWORK, ERR_AUTH. */
int charter_unpack(struct bytes in, struct network_id net, struct charter *out);

#endif
