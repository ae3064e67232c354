/*
 * Which network brought how much of what is kept (records.h): pure. By distance alone one stranger
 * could drive all others out with records ground near our id. So, when room is needed,
 *
 * 1. the network that has the most gives its farthest, when that is more than a share and more
 *    than the sender would have;
 * 2. else a sender that would have more than a share gives of its own what is farther;
 * 3. else of all that is farther the farthest goes.
 *
 * A record is charged to the network (addr_group()) that brought it. Another that sends it, too, is
 * remembered, and it is charged to that one where it would have to go by rule 1 or 2 and is within
 * the other's share: so whoever brings what others publish cannot take it down with him, nor put
 * his own on them. Network 0 (ourselves; all, on a network of one machine) pays for nothing.
 */
#ifndef DHT_SHARES_H
#define DHT_SHARES_H

#include "dht/stored.h"

/*
 * A share is this part of the store. So many networks together can flush it; of the default that is
 * 4 MiB, some 5,000 records, and a network may have more where there is room.
 */
#define SHARES_PARTS     32
/* At least one message of RECORDS_MAX full records, in the smallest stores. */
#define SHARES_BYTES_MIN (10 * 1024)

struct share {
	uint64_t network;
	uint64_t bytes; /* stored_cost() of the records */
	uint64_t pins;  /* while a record is on its way in: not freed when empty */
	struct stored_list records;
};

struct shares {
	const struct id *self; /* lent */
	uint64_t limit;        /* bytes of one share */
	struct share **at;     /* by network */
	size_t count, cap;
	struct share *over[SHARES_PARTS]; /* those above the limit: fewer than SHARES_PARTS fit */
	size_t over_count;
};

void shares_init(struct shares *sh, const struct id *self, uint64_t store_bytes_max);
void shares_fini(struct shares *sh); /* not the records */

/* Pinned; NULL: no memory. For network 0 there is none. */
struct share *shares_open(struct shares *sh, uint64_t network);
void shares_close(struct shares *sh, struct share *b); /* NULL accepted */

/* Charges st, for which stored_room() is made; b NULL: to nobody. */
void shares_add(struct shares *sh, struct share *b, struct stored *st);
void shares_remove(struct shares *sh, struct stored *st);

/* Network has sent st, which another brought. */
void shares_note(struct shares *sh, struct stored *st, uint64_t network);
/* Charges st to the other network that has sent it; false: there is none with room in its share. */
bool shares_pass_on(struct shares *sh, struct stored *st);

/* Who has the most, of those above the limit; NULL: nobody is. */
struct share *shares_most(const struct shares *sh);

/* Forgets what has expired, without freeing it. */
void shares_expire(struct shares *sh, uint64_t now);

#endif
