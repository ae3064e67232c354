/*
 * What a storing node does for others: takes shards, gives leaves, proofs, descriptors
 * and siblings, keeps leases, announces chunks to the DHT. The node's side of chunks.h.
 * Messages: storage/messages.h, doc/protocol.md.
 */
#ifndef STORAGE_SERVICE_H
#define STORAGE_SERVICE_H

#include "dht/dht.h"
#include "storage/store.h"

struct admission;
struct bandwidth;
struct keeper;
struct service;

struct service_opts {
	struct endpoint *endpoint; /* lent, as the others */
	struct dht *dht;
	struct store *store;
	struct keeper *keeper; /* hears of what comes; may be NULL in tests */
	struct admission *admission;
	struct bandwidth *bandwidth;
	uint64_t pace;    /* divides announcing delays on test networks; 0 or 1: as documented */
	bool unannounced; /* simulation: nothing is */
};
int service_new(const struct service_opts *opts, struct service **out);
void service_shutdown(struct service *s, void (*done)(void *arg), void *arg);
void service_free(struct service *s);

struct service_counters {
	uint64_t puts, puts_refused, puts_failed, gets, get_bytes, put_bytes, proofs, leases,
	    leases_refused;
	uint64_t gets_refused; /* no place among the transfers */
	uint64_t stalled;      /* streams given up because the other side did nothing */
};
const struct service_counters *service_counters(const struct service *s); /* lends */

#endif
