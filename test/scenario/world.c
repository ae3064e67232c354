/*
 * Nodes are started and stopped as tasks of their own envs. A killed node's objects are freed the
 * way a test must: the world cuts it off, its tasks unwind, then the env goes; its disk stays.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/spoil.h"
#include "test/scenario/world_private.h"

#define WORLD_PORT 7000
#define WORLD_PACE 20 /* upkeep of hours in minutes: stories are short */

struct sim_world *
world_sim(struct world *w)
{
	return w->sim;
}

/* ---- nodes ---- */

struct start {
	struct node_opts opts;
	struct node *node;
};

static int
start_task(void *arg)
{
	struct start *s = arg;

	return node_start(&s->opts, &s->node);
}

static int
stop_task(void *arg)
{
	node_stop(arg);
	return ERR_OK;
}

static uint64_t
capacity_of(const struct world *w)
{
	return w->opts.capacity_bytes == 0 ? GIB(1) : w->opts.capacity_bytes;
}

static struct node *
start_node(struct world *w, struct env *env, const struct identity *who, const struct addr *bind,
    bool client, size_t number)
{
	static const char countries[][3] = { "DE", "FR", "US", "JP" };
	static const char *const regions[] = { "eu", "eu", "us", "asia" };
	struct owner_quota owner = { .bytes = w->opts.quota_bytes };
	struct start s = {
		.opts = {
			.env = env,
			.identity = who,
			.net = w->net,
			.bind = *bind,
			.client = client,
			.dir = client ? NULL : "/node",
			.capacity_bytes = client ? 0 : capacity_of(w),
			.accept = w->opts.accept,
			.upload_bytes_s = w->opts.upload_bytes_s,
			.download_bytes_s = w->opts.download_bytes_s,
			.owners = &owner,
			.owners_count = number >= w->opts.unknown_to,
			.bootstraps = w->bootstraps,
			.bootstraps_count = w->bootstraps_count,
			.loopback_net = true,
			.index_in_memory = true,
			.segment_bytes =
			    w->opts.segment_bytes == 0 ? MIB(8) : w->opts.segment_bytes,
			.reserve_bytes = MIB(1),
			.pace = WORLD_PACE,
			.neighbours_max = w->opts.neighbours_max,
			.lock_max_s = w->opts.lock_max_s,
			.software = "skerry test",
		},
	};
	int err;

	account_owner(&w->account, &owner.owner);
	memcpy(s.opts.country, countries[number % 4], 2);
	strcpy(s.opts.region, regions[number % 4]);
	err = sim_run_task(w->sim, env, start_task, &s);
	ck_assert_msg(err == ERR_OK, "seed %llu: node %zu does not start: %s",
	    (unsigned long long)w->opts.seed, number, err_text(err));
	return s.node;
}

static void
boot(struct world *w, size_t i)
{
	struct world_node *n = &w->nodes[i];
	struct addr ip = sim_addr((uint32_t)i + 1, WORLD_PORT);

	n->env = sim_node_add(
	    w->sim, &(struct sim_node_opts){ .ip = ip, .region = -1, .disk = n->disk });
	n->node = start_node(w, n->env, &n->identity, &ip, false, i);
	contact_init(&n->contact, &n->identity.pub, &ip);
}

static struct sim_disk *
empty_disk(uint64_t seed)
{
	struct sim_disk *d = sim_disk_new(&(struct sim_disk_opts){ .seed = seed });

	must(disk_mkdir(sim_disk_base(d), "/node") == ERR_OK);
	must(disk_sync_dir(sim_disk_base(d), "/") == ERR_OK);
	return d;
}

size_t
world_add(struct world *w)
{
	size_t i = w->opts.nodes++;
	struct world_node *n = &w->nodes[i];
	struct key seed = { { 0x11, (uint8_t)i } };

	must(i < WORLD_NODES_MAX);
	identity_from_seed(&seed, &n->identity);
	n->disk = empty_disk(w->opts.seed + i);
	boot(w, i);
	w->bootstraps[w->bootstraps_count++] = n->contact;
	return i;
}

void
world_kill(struct world *w, size_t i)
{
	struct world_node *n = &w->nodes[i];

	if (!sim_node_dead(n->env))
		sim_node_kill(n->env, SIM_KILLED);
	sim_run_task(w->sim, n->env, stop_task, n->node);
	sim_node_remove(n->env);
	n->env = NULL;
	n->node = NULL;
}

void
world_restart(struct world *w, size_t i)
{
	struct world_node *n = &w->nodes[i];

	if (n->env != NULL)
		world_kill(w, i);
	sim_disk_restart(n->disk);
	boot(w, i);
}

void
world_power_loss(struct world *w, size_t i, uint64_t seed)
{
	struct world_node *n = &w->nodes[i];

	if (n->env != NULL)
		world_kill(w, i);
	sim_disk_power_loss(n->disk, seed);
	boot(w, i);
}

struct sim_disk *
world_swap_disk(struct world *w, size_t i, struct sim_disk *disk)
{
	struct world_node *n = &w->nodes[i];
	struct sim_disk *old = n->disk;

	if (n->env != NULL)
		world_kill(w, i);
	sim_disk_restart(old);
	n->disk = disk == NULL ? empty_disk(w->opts.seed + i) : disk;
	boot(w, i);
	return old;
}

void
world_lose_disk(struct world *w, size_t i)
{
	sim_disk_free(world_swap_disk(w, i, NULL));
}

bool
world_alive(struct world *w, size_t i)
{
	return w->nodes[i].env != NULL && !sim_node_dead(w->nodes[i].env);
}

struct sim_disk *
world_disk(struct world *w, size_t i)
{
	return w->nodes[i].disk;
}

struct node *
world_peer(struct world *w, size_t i)
{
	return w->nodes[i].node;
}

struct env *
world_env(struct world *w, size_t i)
{
	return w->nodes[i].env;
}

void
world_spoil(struct world *w, size_t i)
{
	ck_assert_uint_gt(spoil_shards(w->nodes[i].disk, "/node/store"), 0);
}

/* ---- the client ---- */

static void
stop_client(struct world *w)
{
	if (w->client_env == NULL)
		return;
	files_free(w->files);
	chunks_free(w->chunks);
	sim_run_task(w->sim, w->client_env, stop_task, w->client);
	sim_node_remove(w->client_env);
	w->client_env = NULL;
}

void
world_new_client(struct world *w)
{
	struct addr ip = sim_addr(1000 + w->clients, WORLD_PORT);
	struct identity who;
	struct key seed = { { 0xcc, (uint8_t)++w->clients } };

	stop_client(w);
	identity_from_seed(&seed, &who);
	w->client_env = sim_node_add(w->sim, &(struct sim_node_opts){ .ip = ip, .region = -1 });
	w->client = start_node(w, w->client_env, &who, &ip, true, 0);
	must(chunks_new(&(struct chunks_opts){ .endpoint = node_endpoint(w->client),
			    .dht = node_dht(w->client) },
		 &w->chunks) == ERR_OK);
	must(files_new(
		 &(struct files_opts){
		     .env = w->client_env,
		     .chunks = w->chunks,
		     .dht = node_dht(w->client),
		     .net = w->net,
		     .account = &w->account,
		     .chunk_bytes = w->opts.chunk_bytes,
		 },
		 &w->files) == ERR_OK);
}

struct node *
world_client_start(struct world *w, uint8_t name, struct env **env)
{
	struct addr ip = sim_addr(1000 + ++w->clients, WORLD_PORT);
	struct key seed = { { 0xcd, name } };
	struct identity who;

	identity_from_seed(&seed, &who);
	*env = sim_node_add(w->sim, &(struct sim_node_opts){ .ip = ip, .region = -1 });
	return start_node(w, *env, &who, &ip, true, 0);
}

void
world_client_stop(struct world *w, struct env *env, struct node *client)
{
	sim_run_task(w->sim, env, stop_task, client);
	sim_node_remove(env);
}

struct node *
world_client(struct world *w)
{
	return w->client;
}

struct env *
world_client_env(struct world *w)
{
	return w->client_env;
}

struct contact
world_contact(const struct world *w, size_t i)
{
	return w->nodes[i].contact;
}

size_t
world_node_of(const struct world *w, const struct pubkey *key)
{
	for (size_t i = 0; i < w->opts.nodes; i++) {
		if (pubkey_equal(&w->nodes[i].identity.pub, key))
			return i;
	}
	return SIZE_MAX;
}

int
world_run(struct world *w, int (*fn)(void *arg), void *arg)
{
	return sim_run_task(w->sim, w->client_env, fn, arg);
}

static void
print_line(void *arg, enum log_level level, const char *line)
{
	const struct world *w = arg;

	(void)level;
	fprintf(stderr, "%9.3f %s\n", w->sim == NULL ? 0.0 : (double)sim_now(w->sim) / 1e9, line);
}

static struct log *
story_log(struct world *w)
{
	const char *text = getenv("SKERRY_LOG");
	struct log_opts opts = { .write = print_line, .arg = w };

	if (text == NULL || log_level_parse(text, &opts.level) != ERR_OK)
		return NULL;
	return log_new(&opts);
}

struct world *
world_new(const struct world_opts *opts)
{
	struct world *w = calloc(1, sizeof(*w));

	must(w != NULL && opts->nodes <= WORLD_NODES_MAX && crypto_init() == ERR_OK);
	w->opts = *opts;
	memset(w->account.seed.b, 7, sizeof(w->account.seed.b));
	if (w->opts.chunk_bytes == 0)
		w->opts.chunk_bytes = KIB(256);
	network_id_of_name("scenario", &w->net);
	w->log = story_log(w);
	w->sim = sim_new(&(struct sim_opts){
	    .seed = opts->seed, .regions = opts->regions, .faults = opts->faults, .log = w->log });
	w->opts.nodes = 0;
	for (size_t i = 0; i < opts->nodes; i++)
		world_add(w);
	world_new_client(w);
	return w;
}

void
world_free(struct world *w)
{
	stop_client(w);
	for (size_t i = 0; i < w->opts.nodes; i++) {
		struct world_node *n = &w->nodes[i];

		if (n->env != NULL) {
			sim_run_task(w->sim, n->env, stop_task, n->node);
			sim_node_remove(n->env);
		}
		sim_disk_free(n->disk);
	}
	sim_free(w->sim);
	w->sim = NULL;
	log_free(w->log);
	free(w);
}
