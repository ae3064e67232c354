/*
 * One whole peer, without keys: endpoint, DHT, shard store, service and reachability put
 * together, the same in the real and the simulated world. With a directory and a
 * capacity it stores; with capacity 0 it only helps others to find each other (bootstrap); as
 * a client it only asks.
 */
#ifndef STORAGE_NODE_H
#define STORAGE_NODE_H

#include "dht/dht.h"
#include "overlay/endpoint.h"
#include "overlay/peer_record.h"
#include "overlay/reach.h"
#include "storage/admission.h"
#include "storage/keeper.h"
#include "storage/registers.h"
#include "storage/service.h"
#include "storage/store.h"

#define NODE_JOIN_TIMEOUT SECONDS(20)

struct node;

struct node_opts {
	struct env *env;
	const struct identity *identity; /* copied */
	struct network_id net;
	struct addr bind;
	bool client;     /* asks only: no listener, in nobody's table */
	const char *dir; /* DIR/store, DIR/table; copied; NULL for clients without a saved table */
	uint64_t capacity_bytes;          /* 0: stores nothing */
	const struct contact *bootstraps; /* copied */
	size_t bootstraps_count;
	uint8_t pow_bits;
	bool loopback_net;
	bool assume_reachable;
	bool port_mapping;
	bool index_in_memory; /* simulation */
	bool seeded;      /* simulation: the caller fills the table; no join, no first dial-back */
	size_t peers_max; /* of the peer book; 0: as endpoint_opts */
	uint64_t segment_bytes, reserve_bytes; /* as store_opts; reserve UINT64_MAX: the default */
	uint64_t records_bytes_max;
	uint64_t pace;        /* divides upkeep intervals on test networks; 0 or 1: as documented */
	uint64_t repair_pace; /* the same for what keeps chunks alive (keeper.h); 0: as pace */
	uint64_t repair_bytes_s; /* as keeper_opts */
	/* Whose data is taken (admission.h); zeros: everybody's, without locks. */
	enum accept accept;
	const struct owner_quota *owners; /* copied */
	size_t owners_count;
	uint64_t lock_max_s;
	uint64_t upload_bytes_s, download_bytes_s; /* for bulk; 0: no limit */
	uint64_t grace;                            /* as keeper_opts */
	uint64_t
	    calm; /* multiplies upkeep intervals, in simulations of something else; 0 or 1: not */
	bool unannounced; /* simulation: where chunks lie is not published */
	bool unaudited;   /* as keeper_opts */
	size_t neighbours_max;
	char country[2];
	char region[PEER_REGION_MAX + 1];
	bool countersigned;
	struct pubkey operator_key; /* when countersigned */
	struct sig operator_sig;
	const char *software; /* "skerry 0.1.0" */
};

/*
 * Opens the store, binds, then joins. ERR_NO_NETWORK is not fatal to a node (it keeps trying; *out
 * is given all the same) but to a client. Other errors leave nothing open. gives *out.
 */
SUSPENDS int node_start(const struct node_opts *opts, struct node **out);
/* Stops serving, saves the table, syncs and closes the store, frees. NULL is accepted. */
SUSPENDS void node_stop(struct node *n);

struct endpoint *node_endpoint(struct node *n);
struct dht *node_dht(struct node *n);
struct store *node_store(struct node *n); /* NULL: stores nothing */
struct service *node_service(struct node *n);
struct keeper *node_keeper(struct node *n);       /* NULL: stores nothing */
struct admission *node_admission(struct node *n); /* the same */
struct registers *node_registers(struct node *n); /* the same */
/* "PUBKEY@host:port" that others reach us at, as far as we know. */
void node_contact(struct node *n, struct contact *out);
bool node_joined(const struct node *n);
void node_reach(const struct node *n, struct reach_status *out);

#endif
