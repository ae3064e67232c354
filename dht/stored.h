/*
 * One record as it lies in memory, and lists of them, nearest to us first. A key is found by
 * halving; an insert moves some hundred KB of pointers at worst (~20 µs at 50,000 records). Lists
 * own nothing: a record is in two of them (records.h, shares.h).
 */
#ifndef DHT_STORED_H
#define DHT_STORED_H

#include "dht/record.h"

/* For the struct share and its place: each record may be the only one of its network. */
#define STORED_SHARE_BYTES 64

struct share;

struct stored {
	struct id key;
	struct pubkey publisher;
	uint64_t sequence;
	uint64_t expires; /* env_now scale */
	struct share *by; /* to whom it is charged; NULL: to nobody */
	uint64_t also;    /* another network that has sent it; 0: none */
	uint16_t len;
	uint8_t kind;
	uint8_t bytes[];
};

/* Sorted by (distance of the key from self, kind, publisher). */
struct stored_list {
	const struct id *self; /* lent */
	struct stored **at;
	size_t count, cap;
};

struct stored *stored_new(const struct record *r); /* gives, charged to nobody; NULL: no memory */

/* Every byte that a record of this length costs: itself, its places and a share. */
uint64_t stored_cost(size_t len);

/* Order against (key, kind, publisher); publisher NULL sorts before all. */
int stored_compare(const struct stored_list *l, const struct stored *a, const struct id *key,
    unsigned kind, const struct pubkey *publisher);
/* The first place whose record is not before (key, kind, publisher). */
size_t stored_place(const struct stored_list *l, const struct id *key, unsigned kind,
    const struct pubkey *publisher);

/* Memory for one more; ERR_NOMEM. */
int stored_room(struct stored_list *l);
/* Room has been made and nothing else is at its place. */
void stored_insert(struct stored_list *l, struct stored *st);
void stored_remove(struct stored_list *l, const struct stored *st); /* it is in the list */

#endif
