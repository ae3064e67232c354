/*
 * The DHT of one node: finds the live servers closest to a key, keeps and finds
 * small records. Kademlia over 256-bit ids; see dht/README.md for the files behind it
 * and doc/design.md for what was added to the paper and why.
 *
 * Not for data: records are ≤ 1000 bytes, in memory, expiring. Stands on
 * overlay/endpoint.h; datagrams only. All SUSPENDS calls run on tasks.
 */
#ifndef DHT_DHT_H
#define DHT_DHT_H

#include "dht/record.h"
#include "overlay/endpoint.h"
#include "overlay/peer_record.h"

#define DHT_K              20 /* bucket size and closest set (Kademlia, 2002, §2.2) */
#define DHT_ALPHA          5  /* requests in flight at the top of a path's list */
#define DHT_ALPHA_EACH     3  /* … of each of several paths */
#define DHT_PATHS          2  /* disjoint paths of a lookup; DHT_PATHS_RETRY after a failure */
#define DHT_PATHS_RETRY    4
#define DHT_REGION_MAX     60 /* three times K: what a put or get of records may address */
#define DHT_BOOTSTRAPS_MAX 32
#define DHT_RECORDS_MB     128 /* default of dht.records_mb */

struct dht;

struct dht_opts {
	struct endpoint *endpoint;        /* lent for the DHT's life */
	const char *table_path;           /* saved table (through env->disk); NULL: not saved */
	const struct contact *bootstraps; /* copied */
	size_t bootstraps_count;
	uint64_t records_bytes_max; /* 0: default */
	bool ip_limits; /* 2 per /24 or /64 in a bucket, 10 in the table; off on loopback nets */
	uint64_t pace;  /* divides the upkeep intervals on test networks; 0 or 1: as documented */
	uint64_t calm;  /* multiplies them, in simulations that ask about something else; 0 or 1 */
	/* Once, when somebody of the network has answered, inside dht_join() or later; may be NULL.
	 */
	void (*joined)(void *arg);
	void *joined_arg;
};
int dht_new(const struct dht_opts *opts, struct dht **out);
/*
 * Saves the table, cancels its own tasks, then calls done on the loop. Callers have ended theirs:
 * no SUSPENDS call below may be under way.
 */
void dht_shutdown(struct dht *d, void (*done)(void *arg), void *arg);
/* After its shutdown, and after the endpoint's, whose methods point here; NULL accepted. */
void dht_free(struct dht *d);

/*
 * Contacts the bootstraps and the saved table until one answers, then looks itself up.
 * ERR_NO_NETWORK when nobody answers in timeout. With no bootstraps and no saved table this
 * is a first node: ERR_OK at once. Upkeep runs from here on.
 */
SUSPENDS int dht_join(struct dht *d, uint64_t timeout);

/*
 * For simulations, which start with a network that is years old: takes ourselves for joined, and c
 * for a server that answered at some time since which it need not be pinged; one that is dead, and
 * that nobody has found dead yet, rather longer ago.
 */
void dht_seed_contact(struct dht *d, const struct contact *c, uint64_t rtt, bool dead);

/*
 * After those: upkeep starts, in the middle of its intervals, and the network is known to have
 * about size servers.
 */
void dht_seed_done(struct dht *d, uint64_t size);

/* ---- finding nodes ---- */
struct lookup_opts {
	size_t count;     /* closest wanted; 0: DHT_K */
	unsigned paths;   /* 0: DHT_PATHS */
	bool first_only;  /* return at the first answer of the closest known (hot path) */
	bool exact;       /* return at the answer of whose id begins as target does, in 64 bits */
	bool hasty;       /* who is slow is not waited for: some of the closest may be missing */
	uint64_t timeout; /* 0: 15 s */
};
struct lookup_result {
	struct contact closest[DHT_REGION_MAX]; /* live: each answered; nearest first */
	size_t count;
	uint64_t first_after; /* ns until the first of the final closest answered */
	uint64_t done_after;
	uint32_t rpcs, failures;
};
/* opts may be NULL. The result is large: keep it off task stacks (heap or owner). */
SUSPENDS int dht_lookup(struct dht *d, const struct id *target, const struct lookup_opts *opts,
    struct lookup_result *out);
/* From the table only, verified live servers, nearest first; how many. */
size_t dht_closest(const struct dht *d, const struct id *target, struct contact *out, size_t cap);
/* All verified servers in the table, in id order; how many there are (may exceed cap). */
size_t dht_contacts(const struct dht *d, struct contact *out, size_t cap);
/* Up to cap live servers spread over the key space, by table and lookups of random ids. */
SUSPENDS int dht_sample(struct dht *d, struct contact *out, size_t cap, size_t *count);
/* The live server whose id starts with prefix (holder hints); ERR_NOT_FOUND. */
SUSPENDS int dht_resolve(struct dht *d, const uint8_t prefix[8], struct contact *out);
/* Median over refreshes of own random targets; the table's own count while it holds all. */
uint64_t dht_size_estimate(const struct dht *d);

/* ---- records: validated by every holder before it keeps them (record.h) ---- */
struct dht_put_result {
	uint32_t region; /* nodes addressed */
	uint32_t stored; /* said yes */
	uint32_t full;   /* said full */
	uint32_t rpcs;   /* requests sent, the lookup's included */
	uint64_t done_after;
};
/* To the region of the record's key. ERR_OK when one of the closest stored it; out may be NULL. */
SUSPENDS int dht_put(struct dht *d, const struct record *r, struct dht_put_result *out);
/*
 * Asks the region; each distinct valid record is given once to found (lent), which
 * returns true to stop early. ERR_NOT_FOUND when none came.
 */
SUSPENDS int dht_get(struct dht *d, const struct id *key, enum record_kind kind,
    bool (*found)(void *arg, const struct record *r), void *arg);

/* The signed self-description of a peer: asked of it directly, cached for a minute. */
SUSPENDS int dht_peer_record(struct dht *d, const struct contact *who, struct peer_record *out);
/* What we say of ourselves; published under our id every ¾ TTL while we are a server. */
void dht_set_self(struct dht *d, const struct peer_record *self);
const struct peer_record *dht_self(const struct dht *d); /* lends; NULL: not set yet */

/* ---- keyspace-sweep announcing ---- */
/*
 * The storage layer lists what it would publish, in key order: next gives the smallest
 * key ≥ *from (ERR_NOT_FOUND at the end), make builds the record when its region is
 * visited (ERR_NOT_FOUND: no longer wanted). A sweep visits each region once and sends in
 * batches; at join, and then each RECORD_LOCATION_TTL/2 with jitter.
 */
struct announcer {
	int (*next)(void *arg, const struct id *from, struct id *key);
	int (*make)(void *arg, const struct id *key, struct record *out);
	void *arg;
};
void dht_set_announcer(struct dht *d, const struct announcer *a);
/* Brings one key forward: announced within seconds, gathered with others of its kind. */
void dht_announce_soon(struct dht *d, const struct id *key);

/* ---- sight ---- */
struct dht_status {
	size_t contacts, replacements, buckets, records;
	uint64_t records_bytes, size_estimate;
	uint64_t lookups, lookups_failed, puts, gets, sweeps, sweep_keys;
	bool joined;
};
void dht_status(const struct dht *d, struct dht_status *out);

#endif
