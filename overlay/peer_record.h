/*
 * A node's signed description of itself. Everything in it is a claim: the key
 * is proven, and that the operator's key agreed to run this node; country,
 * region, space and addresses are what the node says.
 *
 * A fixed layout (doc/protocol.md), signed by the node:
 *
 *	"skerry/peer/1", network id, public key, roles, addresses, country, region,
 *	operator and its countersignature if there is one, space, versions,
 *	sequence, time, signature
 *
 * Pure; the proof of work of the key and the age of the record are for the caller to check.
 */
#ifndef OVERLAY_PEER_RECORD_H
#define OVERLAY_PEER_RECORD_H

#include "overlay/addr.h"
#include "overlay/identity.h"

/* What the DHT keeps of one record ([6]): ~480 bytes are in use, the rest is room to grow. */
#define PEER_RECORD_BYTES_MAX 1000
/* IPv4 and IPv6, each inside and outside. */
#define PEER_RECORD_ADDRS_MAX 4
/* Enough for "eu-central-1"; it is compared, not read. */
#define PEER_REGION_MAX       16
/* "skerry 1.2.3-rc4+debian1" */
#define PEER_SOFTWARE_MAX     24

enum peer_role {
	PEER_SERVER = 1,    /* reachable: in tables, answers others */
	PEER_STORAGE = 2,   /* takes shards */
	PEER_BOOTSTRAP = 4, /* meant to be named to newcomers */
};

struct peer_record {
	struct pubkey pub;
	uint32_t roles; /* enum peer_role; unknown bits are kept */
	uint8_t addrs_count;
	struct addr addrs[PEER_RECORD_ADDRS_MAX];
	char country[2];                  /* ISO 3166-1, "DE"; both 0: not said */
	char region[PEER_REGION_MAX + 1]; /* printable ASCII without blanks; "": not said */
	bool countersigned;               /* by an operator other than the node */
	struct pubkey operator_key;       /* pub when not countersigned */
	struct sig operator_sig;          /* set when countersigned */
	uint64_t free_bytes;
	uint64_t capacity_bytes; /* ≥ free_bytes */
	uint16_t version_min;    /* of the protocol, 1 ≤ min ≤ max */
	uint16_t version_max;
	char software[PEER_SOFTWARE_MAX + 1]; /* printable ASCII */
	uint64_t sequence;                    /* Unix ms; a higher one replaces */
	uint64_t issued_ms;                   /* Unix ms by the node's clock */
};

/* What an operator signs so that a node may name it: {network, node's key}. */
void peer_record_countersign(const struct sign_key *operator_key, const struct network_id *net,
    const struct pubkey *node, struct sig *out);

/*
 * Packs and signs; r->pub must be who's key. ERR_INVALID: r breaks a rule that peer_record_unpack
 * checks (so a bad configuration is found at home); ERR_TOO_BIG: over cap.
 */
int peer_record_pack(const struct peer_record *r, const struct identity *who,
    const struct network_id *net, uint8_t *out, size_t cap, size_t *out_len);

/*
 * Checks all and verifies the signatures (50 µs each). ERR_TOO_BIG, ERR_INVALID, ERR_VERSION,
 * ERR_WRONG_NETWORK, ERR_AUTH.
 */
int peer_record_unpack(struct bytes in, const struct network_id *net, struct peer_record *out);

#endif
