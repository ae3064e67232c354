/*
 * Nodes are started and stopped as tasks of their own envs. A killed node's objects are freed the
 * way a test must: the world cuts it off, its tasks unwind, then the env goes; its disk stays.
 */
#include "test/scenario/world.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/spoil.h"
#include "storage/store_facts.h"

struct world_node {
	struct identity identity;
	struct sim_disk *disk;
	struct env *env; /* NULL: dead */
	struct node *node;
	struct contact contact;
};

struct world_file {
	char name[32];
	uint64_t bytes, seed;
	struct link link;
};

struct world {
	struct world_opts opts;
	struct sim_world *sim;
	struct log *log;
	struct network_id net;
	struct world_node nodes[WORLD_NODES_MAX];
	struct contact bootstraps[WORLD_NODES_MAX];
	size_t bootstraps_count;
	struct env *client_env;
	uint32_t clients;
	struct node *client;
	struct chunks *chunks;
	struct files *files;
	struct account account;
	struct world_file kept[WORLD_FILES_MAX];
	size_t kept_count;
	void (*during)(void *arg, uint64_t done, uint64_t total);
	void *during_arg;
	uint64_t hurry; /* ns for each put and get; 0: any */
};

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

/* ---- files: their bytes follow from a seed ---- */

static uint8_t
byte_at(uint64_t seed, uint64_t offset)
{
	uint64_t z = seed + offset / 8 * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint8_t)((z ^ (z >> 31)) >> (offset % 8 * 8));
}

struct source {
	uint64_t seed, bytes, at;
	bool stream, changes;
	uint64_t highest; /* read so far up to here */
};

static int
read_source(void *arg, uint64_t offset, uint8_t *dst, size_t len, size_t *got)
{
	struct source *s = arg;
	uint64_t from = s->stream ? s->at : offset;
	size_t count = (size_t)MIN(len, s->bytes - MIN(from, s->bytes));

	for (size_t i = 0; i < count; i++)
		dst[i] = byte_at(s->seed, from + i) ^ (s->changes && from + i < s->highest);
	s->highest = MAX(s->highest, from + count);
	s->at = from + count;
	*got = count;
	return ERR_OK;
}

void
world_hurry(struct world *w, uint64_t time)
{
	w->hurry = time;
}

static void
hurry_up(const struct world *w)
{
	if (w->hurry != 0)
		task_deadline(w->client_env, env_now(w->client_env) + w->hurry);
}

struct put_run {
	struct world *w;
	struct file_put_opts opts;
	struct file_put_result *result;
};

static int
put_task(void *arg)
{
	struct put_run *r = arg;

	hurry_up(r->w);
	return file_put(r->w->files, &r->opts, r->result);
}

static void
during_put(void *arg, uint64_t done, uint64_t total)
{
	struct world *w = arg;

	if (w->during != NULL)
		w->during(w->during_arg, done, total);
}

void
world_during_put(
    struct world *w, void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg)
{
	w->during = progress;
	w->during_arg = arg;
}

int
world_put(struct world *w, const struct world_put_opts *opts, struct file_put_result *out)
{
	struct source source = { .seed = w->opts.seed * 1000 + w->kept_count,
		.bytes = opts->bytes,
		.stream = opts->stream,
		.changes = opts->changes };
	struct put_run run = {
		.w = w,
		.opts = {
			.source = {
				.read = read_source,
				.arg = &source,
				.length_known = !opts->stream,
				.length = opts->bytes,
			},
			.name = opts->name,
			.code = w->opts.code,
			.constraints = opts->constraints,
			.lock_s = opts->lock_s,
			.term_s = opts->term_s,
			.wait_s = opts->wait_s,
			.progress = during_put,
			.arg = w,
		},
		.result = out,
	};
	int err = sim_run_task(w->sim, w->client_env, put_task, &run);

	if (err == ERR_OK) {
		struct world_file *f = &w->kept[w->kept_count++];

		must(w->kept_count <= WORLD_FILES_MAX);
		snprintf(f->name, sizeof(f->name), "%s", opts->name);
		f->bytes = opts->bytes;
		f->seed = source.seed;
		f->link = out->link;
		ck_assert_uint_eq(out->bytes, opts->bytes);
	}
	return err;
}

static const struct world_file *
find_file(const struct world *w, const char *name)
{
	for (size_t i = 0; i < w->kept_count; i++) {
		if (strcmp(w->kept[i].name, name) == 0)
			return &w->kept[i];
	}
	must(!"no such file in this story");
	return NULL;
}

struct get_run {
	struct world *w;
	const struct world_file *file;
	struct file_range range;
	uint64_t from, expected, written, last;
	bool ordered, wrong;
	struct file_missing *missing;
};

static int
write_target(void *arg, uint64_t offset, const uint8_t *src, size_t len)
{
	struct get_run *r = arg;

	for (size_t i = 0; i < len; i++)
		r->wrong |= src[i] != byte_at(r->file->seed, r->from + offset + i);
	r->wrong |= r->ordered && offset != r->last;
	r->last = offset + len;
	r->written += len;
	return ERR_OK;
}

static int
get_task(void *arg)
{
	struct get_run *r = arg;
	struct file_get_opts opts = {
		.link = &r->file->link,
		.range = r->expected == r->file->bytes ? NULL : &r->range,
		.target = { .write = write_target, .arg = r, .ordered = r->ordered },
	};

	hurry_up(r->w);
	return file_get(r->w->files, &opts, r->missing);
}

static int
get(struct world *w, struct get_run *r)
{
	int err;

	r->w = w;
	err = sim_run_task(w->sim, w->client_env, get_task, r);
	/* Wrong bytes may never come out, whatever else happens. */
	ck_assert_msg(!r->wrong, "seed %llu: wrong bytes of %s", (unsigned long long)w->opts.seed,
	    r->file->name);
	if (err == ERR_OK)
		ck_assert_uint_ge(r->written, r->expected);
	return err;
}

int
world_get(struct world *w, const char *name, struct file_missing *missing)
{
	const struct world_file *f = find_file(w, name);
	struct get_run r = { .file = f, .expected = f->bytes, .missing = missing };

	return get(w, &r);
}

int
world_get_ordered(struct world *w, const char *name)
{
	const struct world_file *f = find_file(w, name);
	struct get_run r = { .file = f, .expected = f->bytes, .ordered = true };

	return get(w, &r);
}

int
world_get_range(struct world *w, const char *name, uint64_t from, uint64_t to)
{
	const struct world_file *f = find_file(w, name);
	struct get_run r = {
		.file = f,
		.range = { from, to },
		.from = from,
		.expected = from >= f->bytes ? 0 : MIN(to, f->bytes - 1) - from + 1,
	};

	return get(w, &r);
}

struct survey_run {
	struct world *w;
	struct link link;
	struct file_info *info;
	int *least;
	uint64_t chunk;
	uint8_t index;
	struct pubkey holder;
	bool found;
};

static void
see_chunk(void *arg, const struct file_chunk_state *s)
{
	struct survey_run *r = arg;

	if (s->number == r->chunk && s->shards[r->index].live) {
		r->holder = s->shards[r->index].holder.pub;
		r->found = true;
	}
}

static int
survey_task(void *arg)
{
	struct survey_run *r = arg;

	return file_survey(r->w->files, &r->link, r->info, see_chunk, r, r->least, NULL);
}

int
world_survey(struct world *w, const char *name, struct file_info *info, int *least)
{
	struct survey_run r = { .w = w, .info = info, .least = least, .chunk = UINT64_MAX - 1 };

	link_to_verify(&find_file(w, name)->link, &r.link);
	return sim_run_task(w->sim, w->client_env, survey_task, &r);
}

size_t
world_holder(struct world *w, const char *name, uint64_t chunk, uint8_t index)
{
	struct file_info info;
	int least;
	struct survey_run r = {
		.w = w, .info = &info, .least = &least, .chunk = chunk, .index = index
	};

	r.link = find_file(w, name)->link;
	ck_assert_int_eq(sim_run_task(w->sim, w->client_env, survey_task, &r), ERR_OK);
	for (size_t i = 0; r.found && i < w->opts.nodes; i++) {
		if (pubkey_equal(&w->nodes[i].identity.pub, &r.holder))
			return i;
	}
	return SIZE_MAX;
}

uint32_t
world_blames(struct world *w, size_t i)
{
	struct peer_info info;

	return endpoint_peer(node_endpoint(w->client), &w->nodes[i].identity.pub, &info)
		   ? info.blames
		   : 0;
}

/* ---- leases ---- */

struct lease_run {
	struct world *w;
	const struct link *link;
	uint64_t until, lock_until;
	struct file_lease_result *result;
};

static int
lease_task(void *arg)
{
	struct lease_run *r = arg;

	hurry_up(r->w);
	return file_set_lease(r->w->files,
	    &(struct file_lease_opts){
		.link = r->link, .until = r->until, .lock_until = r->lock_until },
	    r->result, NULL);
}

int
world_keep(struct world *w, const char *name, uint64_t until, uint64_t lock_until,
    struct file_lease_result *out)
{
	struct lease_run r = { w, &find_file(w, name)->link, until, lock_until, out };

	return sim_run_task(w->sim, w->client_env, lease_task, &r);
}

int
world_delete(struct world *w, const char *name)
{
	struct file_lease_result result;

	return world_keep(w, name, 0, 0, &result);
}

/* ---- siblings ---- */

struct sibling_run {
	struct store *store;
	const struct hash *chunk;
	struct chunk_facts *facts;
};

static int
sibling_task(void *arg)
{
	struct sibling_run *r = arg;

	return store_facts(r->store, r->chunk, r->facts);
}

bool
world_sibling(struct world *w, size_t node, const struct hash *chunk, const struct pubkey *other)
{
	struct sibling_run r = {
		.store = node_store(world_peer(w, node)),
		.chunk = chunk,
		.facts = calloc(1, sizeof(*r.facts)),
	};
	bool found = false;

	must(r.facts != NULL);
	(void)sim_run_task(w->sim, w->nodes[node].env, sibling_task, &r); /* none: no sibling */
	for (size_t i = 0; i < r.facts->siblings.count; i++)
		found |= pubkey_equal(&r.facts->siblings.at[i].node, other);
	free(r.facts);
	return found;
}
