/*
 * Inside of the routing table, shared by table.c (what happens) and table_read.c.
 */
#ifndef DHT_TABLE_PRIVATE_H
#define DHT_TABLE_PRIVATE_H

#include "dht/distance.h"
#include "dht/table.h"
#include "overlay/base/err.h"

#define RTT_UNIT MICROSECONDS(100) /* 16 bits reach 6.5 s, twice RPC_TIMEOUT */

/* What changes while a contact is known. */
struct state {
	uint32_t checked_s; /* last sign of life or test, seconds */
	uint16_t rtt;       /* RTT_UNITs, 0 unknown */
	uint8_t strikes;
	bool inbound;
};

struct entry {
	uint8_t pub[32];
	uint8_t ip[16];
	uint16_t port;
	uint8_t family;
};
_Static_assert(sizeof(struct state) == 8 && sizeof(struct entry) == 52, "contacts stay compact");

/*
 * In one block three rows of cap: the tops of ids, their states, their entries. Most questions are
 * who is near, whether somebody is here, or who is due, and read a cache line for eight of them
 * instead of one for each.
 */
struct list {
	uint64_t *tops;
	uint8_t count, cap;
};

static inline struct state *
list_states(const struct list *l)
{
	return (struct state *)(l->tops + l->cap);
}

static inline struct entry *
list_entries(const struct list *l)
{
	return (struct entry *)(list_states(l) + l->cap);
}

struct bucket {
	struct list live, spare;
	uint32_t touched_s;
};

/* Live ones that are due for a test before all others, table_due.c. */
#define TABLE_DUE 16
struct due {
	uint32_t quiet_s, doubted_s; /* after checked_s: without strikes, and with */
	uint32_t bound_s;            /* whoever is not here is due no sooner, nobody here later */
	uint32_t count;
	uint32_t due_s[TABLE_DUE];
	uint64_t tops[TABLE_DUE];
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
	struct bucket *buckets; /* grows: a network of a million fills fifteen */
	struct due due;
	/* At least the entries of the networks that fall into each, see network_allows(). */
	uint8_t cells[TABLE_CELLS];
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

static inline uint32_t
table_due_s(const struct table *t, const struct state *s)
{
	uint32_t after_s = s->strikes > 0 ? t->due.doubted_s : t->due.quiet_s;

	return s->checked_s > UINT32_MAX - after_s ? UINT32_MAX : s->checked_s + after_s;
}

/* table_due.c: a live one came, or went, and was due then. When its due time changes, it goes and
 * comes. */
void table_due_add(struct table *t, uint64_t top, uint32_t due_s);
void table_due_forget(struct table *t, uint64_t top, uint32_t due_s);

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
