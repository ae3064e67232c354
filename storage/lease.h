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
#include "storage/grant.h"
#include "storage/layout.h"

#define LEASE_UPLOAD_S      (48 * 3600)                 /* uploads in progress */
#define LEASE_TERM_S        ((uint64_t)400 * 24 * 3600) /* full term: an owner may be away a year */
#define LEASE_RENEW_BELOW_S ((uint64_t)370 * 24 * 3600)
/* Farther ahead than this no node promises (clock faults would make it eternal). */
#define LEASE_AHEAD_MAX_S   ((uint64_t)800 * 24 * 3600)
/* Clock error that a lease may show against ours before it is called past or too far ahead. */
#define LEASE_CLOCK_SLACK_S 3600
/* What has merely run out is kept so much longer, while there is room. */
#define LEASE_COURTESY_S    ((uint64_t)30 * 24 * 3600)
/* Of one chunk, told at once: a chunk of two owners is rare, of eight unheard of. */
#define LEASES_KNOWN_MAX    8
#define LEASE_COUNTRIES_MAX 30 /* the European Economic Area; a lease with 39 is the longest */
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

/* What a node keeps beside a lease; not signed with it, and but for the grant never sent. */
struct lease_note {
	uint64_t promised;   /* the latest until that was promised under this key; 0: the lease's */
	uint64_t group;      /* addr_group() of the stranger who brought it; 0: none */
	struct pubkey owner; /* who is accepted here and vouches for the key; zeros: nobody */
	bool granted;
	struct grant grant;
};

struct lease {
	struct pubkey key;
	struct hash chunk;
	uint64_t generation;
	uint64_t until;      /* unix seconds; 0: deleted (a tombstone) */
	uint64_t lock_until; /* ≤ until; no deletion counts before it; 0: not locked */
	struct constraints constraints;
	struct sig sig;
	struct lease_note note;
};

/* Signs in place with the lease key (lease->key is set from it). */
void lease_sign(
    struct lease *l, struct network_id net, const struct sign_key *key, const struct pubkey *pub);
size_t lease_pack(
    const struct lease *l, struct network_id net, uint8_t *out); /* ≤ LEASE_BYTES_MAX */
/* Checks layout, ranges and the signature: ERR_INVALID, ERR_VERSION, ERR_WRONG_NETWORK, ERR_AUTH.
 */
int lease_unpack(struct bytes in, struct network_id net, struct lease *out);

/* ---- as a node keeps it: packed, and the note behind it where it says anything ---- */
#define LEASE_NOTE_BYTES (1 + 8 + 8 + 32 + GRANT_BYTES)
#define LEASE_KEPT_MAX   (LEASE_BYTES_MAX + LEASE_NOTE_BYTES)
size_t lease_keep(
    const struct lease *l, struct network_id net, uint8_t *out); /* ≤ LEASE_KEPT_MAX */
bool lease_note_empty(const struct lease_note *n);
/* What is known of the same key beside it: who vouches, and the grant, where n has none. */
void lease_note_join(struct lease_note *n, const struct lease_note *known);
/* The signature is not checked: it was when it came. */
int lease_read(struct bytes kept, struct network_id net, struct lease *out);
/* Without checking anything; 0 of what is too short; promised: the latest date that was. */
uint64_t lease_kept_until(struct bytes kept);
uint64_t lease_kept_lock(struct bytes kept);
uint64_t lease_kept_promised(struct bytes kept);
/* The same with another promise; its length, 0: it is no lease. */
size_t lease_kept_promise(struct bytes kept, uint64_t promised, uint8_t out[LEASE_KEPT_MAX]);
/*
 * The lease of winner with all that either note knows: the later promise, the grant and the owner.
 * Both are kept forms of leases of one key and chunk. Returns the length; 0: one of them is none.
 */
size_t lease_kept_join(struct bytes winner, struct bytes loser, uint8_t out[LEASE_KEPT_MAX]);
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
