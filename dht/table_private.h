/*
 * Inside of the routing table, shared by table.c (what happens) and table_read.c.
 */
#ifndef DHT_TABLE_PRIVATE_H
#define DHT_TABLE_PRIVATE_H

#include "dht/distance.h"
#include "dht/table.h"
#include "overlay/base/err.h"

#define RTT_UNIT MICROSECONDS(100) /* 16 bits reach 6.5 s, twice RPC_TIMEOUT */

struct entry {
	uint8_t pub[32];
	uint8_t ip[16];
	uint16_t port;
	uint16_t rtt;       /* RTT_UNITs, 0 unknown */
	uint32_t checked_s; /* last sign of life or test, seconds */
	uint8_t family;
	uint8_t strikes;
	bool inbound;
};
_Static_assert(sizeof(struct entry) == 60, "contacts stay compact");

/*
 * The tops of ids by themselves: most questions are who is near, or whether somebody is here, and
 * read a cache line for eight entries instead of one for each. Both in one block, tops first.
 */
struct list {
	uint64_t *tops;
	struct entry *at;
	uint8_t count, cap;
};

struct bucket {
	struct list live, spare;
	uint32_t touched_s;
	/* No live one's checked_s is less; of those with strikes, and of the others. Contacts are
	 * heard of far oftener than the stalest is looked for, and nobody looks at all for that. */
	uint32_t doubted_s, quiet_s;
};

#define TABLE_CELLS 256 /* as many as a table has entries */

struct table {
	struct id self;
	uint64_t self_top;
	bool ip_limits;
	uint32_t pace;
	bool turned_away;    /* somebody found no room, so the table is not the network */
	uint32_t answered_s; /* anybody's last answer */
	uint8_t buckets_count, buckets_cap;
	/* At least the entries of the networks that fall into each, see network_allows(). */
	uint8_t cells[TABLE_CELLS];
	struct bucket *buckets; /* grows: a network of a million fills fifteen */
};

static inline uint32_t
table_seconds(uint64_t now)
{
	return (uint32_t)(now / SECONDS(1)) + 1;
}

static inline struct addr
entry_addr(const struct entry *e)
{
	struct addr a = { .family = e->family, .port = e->port };

	memcpy(a.ip, e->ip, sizeof(a.ip));
	return a;
}

/* A live one has come, or its strikes or checked_s have changed, other than to be heard of later.
 */
static inline void
table_bound(struct bucket *b, const struct entry *e)
{
	uint32_t *bound = e->strikes > 0 ? &b->doubted_s : &b->quiet_s;

	*bound = MIN(*bound, e->checked_s);
}

static inline struct bucket *
table_bucket_of(const struct table *t, uint64_t top)
{
	unsigned shared = top_shared_bits(t->self_top, top);

	return (struct bucket *)&t->buckets[MIN(shared, t->buckets_count - 1u)];
}

/* How many a bucket may hold now. */
static inline uint8_t
table_bucket_max(const struct table *t, const struct bucket *b)
{
	size_t nearer = 0;

	for (const struct bucket *n = b + 1; n < t->buckets + t->buckets_count; n++)
		nearer += n->live.count;
	return b + 1 < t->buckets + t->buckets_count && nearer < TABLE_BUCKET ? TABLE_BUCKET_WIDE
									      : TABLE_BUCKET;
}

#endif
