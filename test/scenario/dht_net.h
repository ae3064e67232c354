/*
 * A simulated network of DHT nodes for scenarios: real endpoints, real records, real
 * cryptography; only time, wires and disks are made up. One seed decides everything.
 */
#ifndef TEST_SCENARIO_DHT_NET_H
#define TEST_SCENARIO_DHT_NET_H

#include <check.h>

#include "dht/dht_private.h"
#include "sim/random.h"
#include "sim/sim.h"

#define NET_PORT 4100

struct net_node {
	struct env *env; /* NULL: not running */
	struct endpoint *ep;
	struct dht *dht;
	struct identity identity;
	struct contact contact;
	struct sim_disk *disk; /* outlives restarts */
};

struct net_opts {
	uint64_t seed;
	size_t nodes; /* room; they start with net_start */
	bool regions; /* round trips of 20 to 310 ms */
	uint32_t loss_ppm;
	uint64_t pace;
};

struct net {
	struct net_opts opts;
	struct sim_world *world;
	struct sim_random dice;
	struct network_id id;
	size_t count;
	struct net_node *nodes;
};

struct net *net_new(const struct net_opts *opts);
/* Stops whatever runs. */
void net_free(struct net *n);

struct net_start {
	const struct contact *bootstraps;
	size_t bootstraps_count;
	const char *table_path;
	uint64_t records_bytes_max;
	bool no_dht; /* an endpoint only: the test gives it methods of its own */
	bool client; /* not a server */
	bool ip_limits;
};
/* The node's identity follows from seed and index; opts may be NULL. */
struct net_node *net_start(struct net *n, size_t i, const struct net_start *opts);
void net_stop(struct net *n, size_t i); /* farewell: saves its table */
void net_kill(struct net *n, size_t i); /* machine gone */
/* dht_join as a task; gives its result and, where asked for, how long it took. */
int net_join(struct net *n, size_t i, uint64_t timeout, uint64_t *took);

/* Everybody's table as in a network years old: all of all[] offered in random order. */
void net_seed_tables(struct net *n, const struct contact *all, size_t count);

int net_lookup(struct net *n, size_t i, const struct id *target, struct lookup_result *out);
int net_put(struct net *n, size_t i, const struct record *r, struct dht_put_result *out);
/* Stops at the first record found; took may be NULL. */
int net_get(struct net *n, size_t i, const struct id *key, enum record_kind kind,
    struct record *out, uint64_t *took);

/* The indices of the k running nodes closest to target, without `without` (SIZE_MAX: nobody). */
size_t net_closest(
    const struct net *n, const struct id *target, size_t without, size_t *out, size_t k);
bool net_keeps(const struct net *n, size_t i, const struct id *key, enum record_kind kind);

/* A record of a made-up owner. */
void net_signed(struct net *n, uint64_t number, struct record *out);

/* Sorts and gives the value at percent. */
uint64_t net_percentile(uint64_t *values, size_t count, unsigned percent);

#endif
