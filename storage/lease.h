/*
 * A lease: the owner's signed wish that a chunk be kept until a date. It names
 * a chunk, never a holder; the lease key is per bucket, derived and unlinkable. A holder
 * keeps one lease per (lease key, chunk), the one with the highest generation; the
 * shard lives while any is valid. Constraints travel with it, so that repair obeys the owner.
 *
 * A receipt: a node's signed word that it keeps a shard durably under a lease.
 */
#ifndef STORAGE_LEASE_H
#define STORAGE_LEASE_H

#include "overlay/base/crypto.h"
#include "overlay/identity.h"
#include "storage/layout.h"

#define LEASE_UPLOAD_S      (48 * 3600)                 /* uploads in progress */
#define LEASE_TERM_S        ((uint64_t)400 * 24 * 3600) /* full term: an owner may be away a year */
#define LEASE_RENEW_BELOW_S ((uint64_t)370 * 24 * 3600)
/* Farther ahead than this no node promises (clock faults would make it eternal). */
#define LEASE_AHEAD_MAX_S   ((uint64_t)800 * 24 * 3600)
/* Clock error that a lease may show against ours before it is called past or too far ahead. */
#define LEASE_CLOCK_SLACK_S 3600
/* Of one chunk, told at once: a chunk of two owners is rare, of eight unheard of. */
#define LEASES_KNOWN_MAX    8
#define LEASE_COUNTRIES_MAX 8
#define LEASE_BYTES_MAX     256
#define RECEIPT_BYTES       205

/* What every placement and every repair of the chunk must respect ([9]). */
struct constraints {
	uint8_t repair_at;                      /* r of k/r/n */
	uint8_t regions_min;                    /* at least so many regions; 0: none asked */
	uint8_t per_country_max;                /* threshold sovereignty; 0: a preference only */
	uint8_t per_operator_max;               /* 0: a preference only */
	uint8_t per_network_max;                /* per /24 or /64; 0: a preference only */
	uint8_t countries_count;                /* 0: any */
	bool countries_forbidden;               /* the list forbids instead of allowing */
	char countries[LEASE_COUNTRIES_MAX][2]; /* ISO 3166-1 alpha-2 */
};

struct lease {
	struct pubkey key;
	struct hash chunk;
	uint64_t generation;
	uint64_t until;      /* unix seconds; 0: deleted (a tombstone) */
	uint64_t lock_until; /* ≤ until; no deletion counts before it; 0: not locked */
	struct constraints constraints;
	struct sig sig;
};

/* Signs in place with the lease key (lease->key is set from it). */
void lease_sign(
    struct lease *l, struct network_id net, const struct sign_key *key, const struct pubkey *pub);
size_t lease_pack(
    const struct lease *l, struct network_id net, uint8_t *out); /* ≤ LEASE_BYTES_MAX */
/* Checks layout, ranges and the signature: ERR_INVALID, ERR_VERSION, ERR_WRONG_NETWORK, ERR_AUTH.
 */
int lease_unpack(struct bytes in, struct network_id net, struct lease *out);
/* The same without the signature, for what was checked when it came and is one's own since. */
int lease_read(struct bytes in, struct network_id net, struct lease *out);
/* What a node promises now. */
struct lease_terms {
	uint64_t now_unix_s;
	bool trusted;        /* the time is agreed */
	uint64_t term_max_s; /* no date farther ahead; 0: LEASE_AHEAD_MAX_S */
	uint64_t lock_max_s; /* the longest lock; 0: none */
};
/*
 * Whether l may be promised: ERR_REFUSED when it is past or too far ahead, ERR_UNSUPPORTED when its
 * lock is longer than is granted. A tombstone (until 0) promises nothing; one that comes before its
 * own lock_until, or while nobody is sure of the time, is ERR_LOCKED.
 */
int lease_acceptable(const struct lease *l, const struct lease_terms *terms);
/*
 * Which of two leases of one key and chunk counts: the one with the longer lock, else the higher
 * generation. Since no deletion counts before its own lock is over, a lock can only be raised: what
 * is signed later with less, by whoever has stolen the key, loses wherever both are known, in
 * whatever sequence they come.
 */
struct lease_rank {
	uint64_t lock_until, generation;
};
struct lease_rank lease_rank(const struct lease *l);
bool lease_supersedes(struct lease_rank l, struct lease_rank than);
/* For storing l over known: ERR_OK; ERR_STALE: older; ERR_LOCKED: it would lower the lock. */
int lease_follows(struct lease_rank l, struct lease_rank known);
/* lock_until of a packed lease, without checking it; 0 of what is too short to have one. */
uint64_t lease_packed_lock(struct bytes packed);
bool constraints_valid(const struct constraints *c);

struct receipt {
	struct hash chunk;
	uint8_t index;
	struct pubkey lease_key;
	uint64_t generation;
	uint64_t until;  /* of the lease it counts under */
	uint64_t issued; /* unix seconds by the node's clock */
	struct pubkey node;
	struct sig sig;
};
void receipt_sign(struct receipt *r, struct network_id net, const struct identity *node);
size_t receipt_pack(const struct receipt *r, struct network_id net, uint8_t out[RECEIPT_BYTES]);
int receipt_unpack(struct bytes in, struct network_id net, struct receipt *out);

#endif
