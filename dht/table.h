/*
 * The routing table: pure, no I/O; the caller says what happened and when. Buckets of
 * DHT_K contacts by shared prefix with the own id, with spare contacts behind each; only
 * the bucket around the own id splits. One is wide while those nearer to us hold fewer than
 * DHT_K together: the DHT_K nearest to us are in it, and must all be known (irregular trees,
 * section 2.4 of the Kademlia paper). What is put in has been verified by the caller: it is
 * a server and answered us at that address.
 *
 * Contacts are kept in 68 bytes (the full id is derived again when asked for), so that
 * the table of an idle node in a network of 10,000 is below 24 KiB.
 */
#ifndef DHT_TABLE_H
#define DHT_TABLE_H

#include "overlay/base/env.h"
#include "overlay/contact.h"

#define TABLE_BUCKET             20 /* = DHT_K */
#define TABLE_BUCKET_WIDE        40
#define TABLE_SPARES             8 /* enough for the ~5 of 20 that leave between two refreshes */
/* Of a bucket; who calls us must not choose whom we know. */
#define TABLE_INBOUND_SHARE      2
#define TABLE_BUCKETS_MAX        48 /* 2^48 nodes; deeper ones are ground ids */
#define TABLE_PER_NETWORK_BUCKET 2  /* of one /24 or /64 in a bucket, spares included */
#define TABLE_PER_NETWORK        10 /* and in the whole table */
#define TABLE_STRIKES_SILENT     2  /* not relayed, not used first */
#define TABLE_STRIKES_DEAD       3  /* replaced when somebody waits */
#define TABLE_STRIKES_GONE       8  /* dropped even without a replacement */
#define TABLE_STRIKE_GAP_S       2  /* between two strikes: a request is sent twice when slow */
/* Someone must have answered this recently, else our own line is down, not theirs. */
#define TABLE_ONLINE_WITHIN      SECONDS(60)

enum table_source {
	TABLE_OUTBOUND, /* others told us about it */
	TABLE_INBOUND,  /* it called us first */
};

enum table_result {
	TABLE_ADDED,
	TABLE_KNOWN,   /* was there: address, time and round trip are up to date now */
	TABLE_SPARED,  /* waits for a place */
	TABLE_REFUSED, /* own id, full, or too many of its network */
};

struct table;

struct table_opts {
	struct id self;
	bool ip_limits;
	uint32_t pace; /* divides TABLE_ONLINE_WITHIN, as the pauses of pings; 0 or 1: none */
};
struct table *table_new(const struct table_opts *opts); /* gives; NULL: out of memory */
void table_free(struct table *t);

/* rtt 0: unknown. A known contact takes the new address: it answered there, now or a while ago. */
enum table_result table_offer(
    struct table *t, const struct contact *c, uint64_t rtt, enum table_source source, uint64_t now);
/* Whether there is room for it: spares the price of verifying one that would not be taken. */
bool table_wants(const struct table *t, const struct contact *c, enum table_source source);
/* It answered (strikes end) or sent something; unknown ones are ignored. Heard: whether it is here.
 */
void table_answered(struct table *t, const struct contact *c, uint64_t rtt, uint64_t now);
bool table_heard(struct table *t, const struct contact *c, uint64_t now);
/* It did not answer: a strike; see TABLE_STRIKES_*. */
void table_failed(struct table *t, const struct contact *c, uint64_t now);
void table_hot(
    const struct table *t, struct env *env); /* tells env_hot() what all questions read */
/* A hint: it is heard soon. Steps 0 to 2, each finds what the one before asked for. */
void table_expect(const struct table *t, uint64_t top, unsigned step);
void table_expect_stalest(const struct table *t, unsigned step); /* table_stalest() comes; 0 to 3 */
bool table_has(const struct table *t, const struct contact *c);

/* ---- reading ---- */
struct table_view { /* lent until the next change */
	const struct pubkey *pub;
	uint64_t top; /* of its id */
	struct addr addr;
	uint64_t rtt; /* 0: unknown */
	uint8_t strikes;
};
#define TABLE_VIEWS_MAX 512 /* of one call, whatever its cap: no table has so many */
/* Nearest to target first, at most cap; those below max_strikes strikes. */
size_t table_near(const struct table *t, const struct id *target, uint8_t max_strikes,
    struct table_view *out, size_t cap);
/* Ids that start with prefix and are > after, ascending; returns how many exist (may exceed cap).
 */
size_t table_range(const struct table *t, const struct id *prefix, unsigned bits,
    const struct id *after, struct table_view *out, size_t cap);
void table_contact(const struct table_view *v, struct contact *out);

/* Whether any live contact is not silent: else nobody is known, however many there are. */
bool table_answers(const struct table *t);
size_t table_count(const struct table *t); /* without spares */
size_t table_spares(const struct table *t);
size_t table_buckets(const struct table *t);
size_t table_bytes(const struct table *t);
/*
 * The network's size by how full the buckets are: the members around the own id, as far as no
 * bucket had to turn anybody away, scaled up. Within a fifth; a sample of one, see size.h.
 */
uint64_t table_size_guess(const struct table *t);
/* True while nobody was turned away for lack of room: the table is the network. */
bool table_holds_all(const struct table *t);

/* ---- upkeep ---- */
/*
 * The contact to test next, and when: min_age after its last sign of life or test, or doubted_age
 * if it failed that one. next: when the one after it is; UINT64_MAX: there is only one. False: the
 * table is empty.
 */
bool table_stalest(struct table *t, uint64_t min_age, uint64_t doubted_age, struct contact *out,
    uint64_t *due, uint64_t *next);
/*
 * A bucket no lookup went into for idle; gives a target in it from 32 random bytes. poor_only: not
 * one that is full and has spares.
 */
bool table_idle_bucket(const struct table *t, uint64_t idle, bool poor_only, uint64_t now,
    const struct id *random, struct id *target);
/* Whether it would be in one of the two buckets around ourselves. */
bool table_close(const struct table *t, const struct contact *c);
/* A lookup of target is under way: its bucket is not idle. */
void table_touch(struct table *t, const struct id *target, uint64_t now);

#endif
