/*
 * Which chunks this node announces to the DHT, and what it says: the bridge from
 * the store to dht.h's keyspace sweep. A chunk's record is published by the two live siblings
 * with the lowest H(chunk, node): two, so that the death of one does not hide the chunk.
 */
#ifndef STORAGE_ANNOUNCE_H
#define STORAGE_ANNOUNCE_H

#include "dht/dht.h"
#include "storage/store.h"

struct announce;

struct announce_opts {
	struct endpoint *endpoint; /* lent, as the others */
	struct dht *dht;
	struct store *store;
	uint64_t pace; /* divides the interval of re-reading the store; 0 or 1: as documented */
};
int announce_new(const struct announce_opts *opts, struct announce **out);
void announce_shutdown(struct announce *a, void (*done)(void *arg), void *arg);
void announce_free(struct announce *a);
/* A chunk came in or its siblings changed: it is announced soon. */
void announce_chunk(struct announce *a, const struct hash *chunk);
size_t announce_count(const struct announce *a); /* keys known */

#endif
