/*
 * The inside of struct dht, for the files of this folder that act.
 */
#ifndef DHT_DHT_PRIVATE_H
#define DHT_DHT_PRIVATE_H

#include "dht/ask.h"
#include "dht/dht.h"
#include "dht/lookup.h"
#include "dht/messages.h"
#include "dht/records.h"
#include "dht/region.h"
#include "dht/size.h"
#include "dht/table.h"
#include "overlay/base/task.h"

/* Strangers that called us and are being asked back; others have to call again. */
#define DHT_VERIFY_MAX     4
/* Of these such whose address is not proven, so that forged senders leave room for the others. */
#define DHT_VERIFY_FORGED  2
/* Peer records remembered for a minute: what one status page or placement looks at. */
#define DHT_PEER_CACHE     64
#define DHT_PEER_CACHE_TTL MINUTES(1)
/* Keys brought forward and not yet swept; beyond, the next full sweep has them. */
#define DHT_SOON_MAX       4096

/* Of a location record ([6]): one of millions, and siblings know each other anyway. */
#define DHT_LOCATION_COPIES 8

struct verify {
	struct ask ask;
	struct contact who;
	bool used, proven;
};

enum refresh {
	REFRESH_OWN,     /* the own neighbourhood, all of it */
	REFRESH_NEAREST, /* its inner part: who came lately and is nearest */
	REFRESH_SAMPLE,  /* a random target: fills its bucket, tells the network's size */
	REFRESH_RETRY,   /* nobody is known: bootstraps and the saved table again */
};

struct peer_cached {
	uint64_t at; /* 0: empty */
	struct peer_record record;
};

struct dht {
	/* Up to ping what each datagram reads, dht_new() says so; then what each ping does. */
	struct endpoint *ep;
	struct env *env;
	struct table *table;
	struct verify *verify; /* DHT_VERIFY_MAX, allocated with the first stranger */
	struct id self;
	struct network_id net;
	bool ip_limits, loopback_net, joined, stopping;
	uint8_t retries;   /* nobody has answered for so many */
	uint8_t verifying; /* how many of verify are used */
	uint64_t pace, calm;
	uint64_t ping_at; /* when the timer ping is due */
	struct timer ping;
	struct ask ping_ask;
	struct contact ping_to;
	struct buf empty; /* the body of PING and SELF */

	char *table_path;
	struct contact *bootstraps;
	size_t bootstraps_count;
	struct records *records;
	struct size size;
	struct task_group group; /* everything that runs on its own */
	struct timer minute, refresh, verifier, announce;
	void (*on_joined)(void *arg);
	void *on_joined_arg;
	bool refreshing, crowded;
	uint8_t short_refreshes; /* of the neighbourhood since the last full one */
	enum refresh refresh_what;
	struct id refresh_target;
	uint64_t neighbourhood_at, table_saved_at, retried_at, sampled_at,
	    knocked_at;       /* 0: never */
	uint64_t retry_after; /* of retried_at */

	uint8_t self_record[RECORD_BYTES_MAX]; /* packed by dht_set_self */
	size_t self_record_len;
	struct peer_record *self_peer;
	struct peer_cached *peers; /* DHT_PEER_CACHE, allocated with the first */

	struct announcer announcer;
	bool has_announcer, announcing, announce_started;
	struct id *soon; /* keys brought forward, sorted */
	size_t soon_count, soon_cap;
	uint64_t soon_at, sweep_at, publish_at; /* when due; 0: not */

	struct dht_status status; /* counters only */
};

/* An interval as this network wants it: shorter by pace. */
static inline uint64_t
dht_paced(const struct dht *d, uint64_t interval)
{
	return interval / d->pace * d->calm;
}

/* ---- serve.c ---- */
void dht_serve_init(struct dht *d); /* registers the methods */

/* ---- join.c ---- */
void dht_joined(struct dht *d); /* somebody of the network answers; tells it once */

/* ---- upkeep.c ---- */
void dht_upkeep_init(struct dht *d);
void dht_upkeep_start(struct dht *d);
void dht_upkeep_stop(struct dht *d);
/* All around the own id have just been asked, for another reason: as good as a whole refresh. */
void dht_neighbourhood_seen(struct dht *d);
void dht_observe(struct dht *d); /* the endpoint tells the table who answers */
/* Whether a contact can be one of this network at all: address, own id, proof of work. */
bool dht_contact_ok(const struct dht *d, const struct contact *c);
/* Failed others lately: not waited for. */
bool dht_suspect(const struct dht *d, const struct contact *c);

/* ---- join.c ---- */
SUSPENDS int dht_table_load(struct dht *d, struct contact *out, size_t cap, size_t *count);
SUSPENDS int dht_table_save(struct dht *d);
SUSPENDS int dht_rejoin(struct dht *d); /* knocks at all doors again */
/* Looks target up so that its bucket fills. */
SUSPENDS int dht_refresh(struct dht *d, const struct id *target, enum refresh what);

/* ---- put.c ---- */
struct place;
size_t dht_copies(enum record_kind kind); /* expected nodes of its region */
int dht_keep_own(struct dht *d, const struct record *r);
bool dht_holds(const struct dht *d, const struct place *p); /* this node is inside, too */

/* ---- announce.c ---- */
void dht_announce_init(struct dht *d);
void dht_announce_start(struct dht *d);
void dht_announce_stop(struct dht *d);
void dht_announce_plan(struct dht *d);   /* what it waits for may have changed */
void dht_announce_spread(struct dht *d); /* as if the last ones were made at random times */

#endif
