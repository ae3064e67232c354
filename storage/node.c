/*
 * A whole peer: opened from the bottom up (store, endpoint, DHT, service, reachability), joined,
 * and taken down in the reverse order. What goes wrong on the way up takes down what is there. A
 * node that finds nobody goes on trying; a client gives up.
 */
#include "storage/node.h"

#include <stdio.h>
#include <stdlib.h>

/* What we say of our free space may be so old; divided by pace. */
#define SELF_INTERVAL       SECONDS(60)
/* Without a store nothing changes but the date, which only has to be younger than the record's
 * life. */
#define SELF_INTERVAL_STILL MINUTES(10)
#define PATH_BYTES_MAX      4096

struct node {
	struct node_opts opts; /* pointers inside are not kept, but for env */
	struct env *env;
	struct identity identity;
	struct store *store;
	struct endpoint *endpoint;
	struct dht *dht;
	struct admission *admission; /* NULL: without a store */
	struct bandwidth bandwidth;
	struct keeper *keeper;
	struct service *service;
	struct registers *registers;
	struct reach *reach;
	struct timer self_timer;
	struct task_group group;
	char software[PEER_SOFTWARE_MAX + 1];
	bool joined;
	bool probing; /* whether the store may take shards again */
};

/* ---- what we say of ourselves ---- */

static uint64_t
free_bytes(const struct node *n)
{
	struct store_status s;
	uint64_t reserve =
	    n->opts.reserve_bytes == UINT64_MAX ? STORE_RESERVE_BYTES : n->opts.reserve_bytes;

	if (n->store == NULL || (n->keeper != NULL && !keeper_takes_shards(n->keeper)))
		return 0;
	store_status(n->store, &s);
	if (s.refusing || s.bytes_used >= s.capacity || s.disk_free <= reserve)
		return 0;
	return MIN(s.capacity - s.bytes_used, s.disk_free - reserve);
}

static void
announce_self(struct node *n)
{
	struct peer_record *r = calloc(1, sizeof(*r));
	struct contact self;

	if (r == NULL)
		return;
	node_contact(n, &self);
	r->pub = n->identity.pub;
	if (endpoint_is_server(n->endpoint))
		r->roles |= PEER_SERVER;
	if (n->store != NULL)
		r->roles |= PEER_STORAGE;
	else if (!n->opts.client)
		r->roles |= PEER_BOOTSTRAP;
	if (self.addr.family != ADDR_NONE)
		r->addrs[r->addrs_count++] = self.addr;
	memcpy(r->country, n->opts.country, sizeof(r->country));
	memcpy(r->region, n->opts.region, sizeof(r->region));
	r->countersigned = n->opts.countersigned;
	r->operator_key = n->opts.countersigned ? n->opts.operator_key : n->identity.pub;
	r->operator_sig = n->opts.operator_sig;
	r->free_bytes = free_bytes(n);
	r->capacity_bytes = MAX(n->opts.capacity_bytes, r->free_bytes);
	r->version_min = r->version_max = 1;
	memcpy(r->software, n->software, sizeof(r->software));
	r->sequence = r->issued_ms = env_wall_ms(n->env);
	dht_set_self(n->dht, r);
	free(r);
}

static int
probe_run(void *arg)
{
	struct node *n = arg;
	int err = store_probe(n->store);

	n->probing = false;
	if (err == ERR_OK)
		announce_self(n);
	return err;
}

static void
self_fire(void *arg)
{
	struct node *n = arg;
	struct store_status s = { 0 };

	announce_self(n);
	if (n->store != NULL)
		store_status(n->store, &s);
	if (s.refusing && !n->probing)
		n->probing = task_spawn(&n->group, "store probe", probe_run, n) == ERR_OK;
	timer_start(&n->self_timer, (n->store == NULL ? SELF_INTERVAL_STILL : SELF_INTERVAL) /
					MAX(n->opts.pace, 1) * MAX(n->opts.calm, 1));
}

static void
reach_changed(void *arg)
{
	struct node *n = arg;

	if (n->dht != NULL)
		announce_self(n);
}

/* Who asks for room now is not to hear of the former state for a minute. */
static void
shards_changed(void *arg)
{
	announce_self(arg);
}

/* ---- up ---- */

static int
make_dir(void *arg)
{
	struct node *n = arg;
	char path[PATH_BYTES_MAX];
	int err;

	snprintf(path, sizeof(path), "%s/store", n->opts.dir);
	err = disk_mkdir(n->env->disk, path);
	if (err != ERR_OK && err != ERR_EXISTS)
		return err;
	/* Else the name, and with it every shard we give a receipt for, would not survive a loss of
	 * power. It may be there from a start that ended before this point. */
	return disk_sync_dir(n->env->disk, n->opts.dir);
}

static int
open_store(struct node *n)
{
	char path[PATH_BYTES_MAX];
	int err;

	if (n->opts.capacity_bytes == 0 || n->opts.client)
		return ERR_OK;
	if (n->opts.dir == NULL)
		return ERR_INVALID;
	snprintf(path, sizeof(path), "%s/store", n->opts.dir);
	err = env_offload(n->env, WORK_DISK, make_dir, n, WORK_INLINE_MAX);
	if (err != ERR_OK)
		return err;
	return store_open(
	    &(struct store_opts){
		.env = n->env,
		.dir = path,
		.net = n->opts.net,
		.capacity_bytes = n->opts.capacity_bytes,
		.segment_bytes = n->opts.segment_bytes,
		.reserve_bytes = n->opts.reserve_bytes,
		.index_in_memory = n->opts.index_in_memory,
	    },
	    &n->store);
}

static int
open_endpoint(struct node *n)
{
	return endpoint_new(
	    &(struct endpoint_opts){
		.env = n->env,
		.identity = &n->identity,
		.net = n->opts.net,
		.bind = n->opts.bind,
		.client_only = n->opts.client,
		.pow_bits = n->opts.pow_bits,
		.loopback_net = n->opts.loopback_net,
		.peers_max = n->opts.peers_max,
	    },
	    &n->endpoint);
}

/* Lists of bootstraps are shared by all nodes of a test network: our own entry is left out. */
static size_t
others(const struct node *n, const struct contact *in, size_t count, struct contact *out)
{
	size_t kept = 0;

	for (size_t i = 0; i < count && kept < DHT_BOOTSTRAPS_MAX; i++) {
		if (!pubkey_equal(&in[i].pub, &n->identity.pub))
			out[kept++] = in[i];
	}
	return kept;
}

static void
joined(void *arg)
{
	struct node *n = arg;

	n->joined = true;
	if (n->reach != NULL && !n->opts.seeded)
		reach_check_soon(n->reach);
}

static int
open_dht(struct node *n, const struct contact *bootstraps, size_t count)
{
	char path[PATH_BYTES_MAX];

	if (n->opts.dir != NULL)
		snprintf(path, sizeof(path), "%s/table", n->opts.dir);
	return dht_new(
	    &(struct dht_opts){
		.endpoint = n->endpoint,
		.table_path = n->opts.dir == NULL || n->opts.client ? NULL : path,
		.bootstraps = bootstraps,
		.bootstraps_count = count,
		.records_bytes_max = n->opts.records_bytes_max,
		.ip_limits = !n->opts.loopback_net,
		.pace = n->opts.pace,
		.calm = n->opts.calm,
		.joined = joined,
		.joined_arg = n,
	    },
	    &n->dht);
}

static SUSPENDS int
open_registers(struct node *n)
{
	int err = registers_new(
	    &(struct registers_opts){
		.endpoint = n->endpoint,
		.dht = n->dht,
		.store = n->store,
		.keeper = n->keeper,
		.admission = n->admission,
		.pace = n->opts.repair_pace == 0 ? n->opts.pace : n->opts.repair_pace,
	    },
	    &n->registers);

	if (err == ERR_OK)
		registers_load(n->registers);
	return err;
}

static int
open_services(struct node *n, bool first)
{
	int err = ERR_OK;

	if (n->store != NULL)
		err = admission_new(
		    &(struct admission_opts){
			.accept = n->opts.accept,
			.net = n->opts.net,
			.owners = n->opts.owners,
			.owners_count = n->opts.owners_count,
			.capacity = n->opts.capacity_bytes,
			.lock_max_s = n->opts.lock_max_s,
		    },
		    &n->admission);
	if (err == ERR_OK && n->store != NULL)
		err = keeper_new(
		    &(struct keeper_opts){
			.endpoint = n->endpoint,
			.dht = n->dht,
			.store = n->store,
			.pace = n->opts.repair_pace == 0 ? n->opts.pace : n->opts.repair_pace,
			.repair_bytes_s = n->opts.repair_bytes_s,
			.admission = n->admission,
			.bandwidth = &n->bandwidth,
			.grace = n->opts.grace,
			.unaudited = n->opts.unaudited,
			.neighbours_max = n->opts.neighbours_max,
			.turned = shards_changed,
			.arg = n,
		    },
		    &n->keeper);
	if (err == ERR_OK && n->store != NULL)
		keeper_load(n->keeper);
	if (err == ERR_OK && n->store != NULL)
		err = service_new(
		    &(struct service_opts){
			.endpoint = n->endpoint,
			.dht = n->dht,
			.store = n->store,
			.keeper = n->keeper,
			.admission = n->admission,
			.bandwidth = &n->bandwidth,
			.pace = n->opts.pace,
			.unannounced = n->opts.unannounced,
		    },
		    &n->service);
	if (err == ERR_OK && n->store != NULL)
		err = open_registers(n);
	if (err == ERR_OK)
		err = reach_new(
		    &(struct reach_opts){
			.endpoint = n->endpoint,
			.first_node = first && !n->opts.client,
			/* One machine reaches itself; and nobody could be first after a full stop.
			 */
			.assume_reachable = n->opts.assume_reachable || n->opts.loopback_net,
			.seeded = n->opts.seeded,
			.portmap = n->opts.port_mapping && !n->opts.loopback_net && !n->opts.client,
			.pace = n->opts.pace,
			.changed = reach_changed,
			.arg = n,
		    },
		    &n->reach);
	return err;
}

static int
join(struct node *n)
{
	int err = n->opts.seeded ? ERR_OK : dht_join(n->dht, NODE_JOIN_TIMEOUT);

	if (err == ERR_OK)
		joined(n);
	if (err != ERR_NO_NETWORK || n->opts.client)
		return err;
	log_warn(n->env, "nobody of the network answers; trying on");
	return ERR_OK;
}

int
node_start(const struct node_opts *opts, struct node **out)
{
	struct node *n = calloc(1, sizeof(*n));
	struct contact *bootstraps = calloc(DHT_BOOTSTRAPS_MAX, sizeof(*bootstraps));
	size_t count;
	int err = ERR_NOMEM;

	if (n == NULL || bootstraps == NULL) {
		free(bootstraps);
		free(n);
		return ERR_NOMEM;
	}
	n->opts = *opts;
	n->env = opts->env;
	n->identity = *opts->identity;
	n->bandwidth.up.bytes_s = opts->upload_bytes_s;
	n->bandwidth.down.bytes_s = opts->download_bytes_s;
	if (opts->software != NULL)
		snprintf(n->software, sizeof(n->software), "%s", opts->software);
	task_group_init(&n->group, n->env);
	timer_init(&n->self_timer, n->env, self_fire, n);
	count = others(n, opts->bootstraps, opts->bootstraps_count, bootstraps);
	err = open_store(n);
	if (err == ERR_OK)
		err = open_endpoint(n);
	if (err == ERR_OK)
		err = open_dht(n, bootstraps, count);
	if (err == ERR_OK)
		err = open_services(n, count == 0);
	free(bootstraps);
	if (err == ERR_OK) {
		self_fire(n);
		err = join(n);
	}
	n->opts.dir = NULL; /* lent for the start only */
	n->opts.owners = NULL;
	if (err != ERR_OK) {
		node_stop(n);
		return err;
	}
	*out = n;
	return ERR_OK;
}

/* ---- down ---- */

static void
wake(void *arg)
{
	wait_wake(arg, ERR_OK);
}

#define SHUT_DOWN(n, part)                                                                         \
	do {                                                                                       \
		if ((n)->part != NULL) {                                                           \
			struct wait w;                                                             \
                                                                                                   \
			wait_init(&w);                                                             \
			part##_shutdown((n)->part, wake, &w);                                      \
			wait_always((n)->env, &w);                                                 \
		}                                                                                  \
	} while (0)

void
node_stop(struct node *n)
{
	if (n == NULL)
		return;
	timer_stop(&n->self_timer);
	task_group_fini(&n->group);
	/* All of them stop asking before the endpoint, which they ask through, ends what is served.
	 */
	SHUT_DOWN(n, registers);
	SHUT_DOWN(n, keeper);
	SHUT_DOWN(n, service);
	SHUT_DOWN(n, reach);
	SHUT_DOWN(n, dht);
	SHUT_DOWN(n, endpoint);
	service_free(n->service);
	registers_free(n->registers);
	keeper_free(n->keeper);
	admission_free(n->admission);
	reach_free(n->reach);
	dht_free(n->dht);
	endpoint_free(n->endpoint);
	if (n->store != NULL)
		store_close(n->store);
	identity_wipe(&n->identity);
	free(n);
}

/* ---- parts ---- */

struct endpoint *
node_endpoint(struct node *n)
{
	return n->endpoint;
}

struct dht *
node_dht(struct node *n)
{
	return n->dht;
}

struct store *
node_store(struct node *n)
{
	return n->store;
}

struct service *
node_service(struct node *n)
{
	return n->service;
}

struct keeper *
node_keeper(struct node *n)
{
	return n->keeper;
}

struct admission *
node_admission(struct node *n)
{
	return n->admission;
}

struct registers *
node_registers(struct node *n)
{
	return n->registers;
}

void
node_contact(struct node *n, struct contact *out)
{
	struct reach_status s = { 0 };
	struct addr local;

	endpoint_local(n->endpoint, &local);
	if (n->reach != NULL)
		reach_status(n->reach, &s);
	contact_init(out, &n->identity.pub, s.external.family != ADDR_NONE ? &s.external : &local);
}

bool
node_joined(const struct node *n)
{
	return n->joined;
}

void
node_reach(const struct node *n, struct reach_status *out)
{
	reach_status(n->reach, out);
}
