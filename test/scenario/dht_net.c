/* A network of DHT nodes in a simulated world, see the header. */
#include "test/scenario/dht_net.h"

#include <stdio.h>
#include <stdlib.h>

#include "dht/distance.h"

/* Nodes know at most some hundred others; a big book in each would be most of the memory. */
#define BOOK 2048

struct net *
net_new(const struct net_opts *opts)
{
	struct net *n = calloc(1, sizeof(*n));

	ck_assert_ptr_nonnull(n);
	printf("seed %llu\n", (unsigned long long)opts->seed);
	n->opts = *opts;
	n->count = opts->nodes;
	n->nodes = calloc(n->count, sizeof(*n->nodes));
	ck_assert_ptr_nonnull(n->nodes);
	n->world = sim_new(&(struct sim_opts){ .seed = opts->seed,
	    .regions = opts->regions,
	    .faults = { .loss_ppm = opts->loss_ppm } });
	ck_assert_ptr_nonnull(n->world);
	sim_random_init(&n->dice, opts->seed, 0xd47);
	network_id_of_name("scenario", &n->id);
	for (size_t i = 0; i < n->count; i++) {
		struct net_node *node = &n->nodes[i];
		struct addr addr = sim_addr((uint32_t)i, NET_PORT);
		struct sim_random of_node;
		struct key seed;

		sim_random_init(&of_node, opts->seed, 1000 + i);
		sim_random_bytes(&of_node, seed.b, sizeof(seed.b));
		identity_from_seed(&seed, &node->identity);
		contact_init(&node->contact, &node->identity.pub, &addr);
		node->disk = sim_disk_new(&(struct sim_disk_opts){ .seed = opts->seed + i });
		ck_assert_ptr_nonnull(node->disk);
	}
	return n;
}

struct net_node *
net_start(struct net *n, size_t i, const struct net_start *opts)
{
	static const struct net_start plain = { .table_path = NULL };
	struct net_node *node = &n->nodes[i];
	struct endpoint_opts eo = { .identity = &node->identity,
		.net = n->id,
		.bind = node->contact.addr,
		.peers_max = BOOK };

	opts = opts == NULL ? &plain : opts;
	ck_assert_ptr_null(node->env);
	node->env = sim_node_add(n->world,
	    &(struct sim_node_opts){ .ip = node->contact.addr, .region = -1, .disk = node->disk });
	ck_assert_ptr_nonnull(node->env);
	eo.env = node->env;
	ck_assert_int_eq(endpoint_new(&eo, &node->ep), ERR_OK);
	endpoint_set_server(node->ep, !opts->client);
	if (opts->no_dht)
		return node;
	ck_assert_int_eq(dht_new(&(struct dht_opts){ .endpoint = node->ep,
				     .table_path = opts->table_path,
				     .bootstraps = opts->bootstraps,
				     .bootstraps_count = opts->bootstraps_count,
				     .records_bytes_max = opts->records_bytes_max,
				     .ip_limits = opts->ip_limits,
				     .pace = n->opts.pace },
			     &node->dht),
	    ERR_OK);
	return node;
}

static void
set_flag(void *arg)
{
	*(bool *)arg = true;
}

static bool
is_set(void *arg)
{
	return *(bool *)arg;
}

void
net_stop(struct net *n, size_t i)
{
	struct net_node *node = &n->nodes[i];
	bool dht_ended = node->dht == NULL, ep_ended = false;

	if (!dht_ended) {
		dht_shutdown(node->dht, set_flag, &dht_ended);
		ck_assert(sim_run_until(n->world, is_set, &dht_ended, MINUTES(1)));
	}
	endpoint_shutdown(node->ep, set_flag, &ep_ended);
	ck_assert(sim_run_until(n->world, is_set, &ep_ended, MINUTES(1)));
	dht_free(node->dht);
	endpoint_free(node->ep);
	sim_node_remove(node->env);
	node->env = NULL;
	node->ep = NULL;
	node->dht = NULL;
}

void
net_kill(struct net *n, size_t i)
{
	sim_node_kill(n->nodes[i].env, SIM_SILENT);
	net_stop(n, i);
}

void
net_free(struct net *n)
{
	for (size_t i = 0; i < n->count; i++) {
		if (n->nodes[i].env != NULL)
			net_stop(n, i);
		sim_disk_free(n->nodes[i].disk);
		identity_wipe(&n->nodes[i].identity);
	}
	sim_free(n->world);
	free(n->nodes);
	free(n);
}

struct join {
	struct dht *dht;
	uint64_t timeout;
};

static int
join_task(void *arg)
{
	struct join *j = arg;

	return dht_join(j->dht, j->timeout);
}

int
net_join(struct net *n, size_t i, uint64_t timeout, uint64_t *took)
{
	struct join j = { .dht = n->nodes[i].dht, .timeout = timeout };
	uint64_t start = sim_now(n->world);
	int err = sim_run_task(n->world, n->nodes[i].env, join_task, &j);

	if (took != NULL)
		*took = sim_now(n->world) - start;
	return err;
}

void
net_seed_tables(struct net *n, const struct contact *all, size_t count)
{
	size_t *order = calloc(count, sizeof(*order));

	ck_assert_ptr_nonnull(order);
	for (size_t i = 0; i < count; i++)
		order[i] = i;
	for (size_t i = 0; i < n->count; i++) {
		if (n->nodes[i].dht == NULL)
			continue;
		for (size_t j = count; j > 1; j--) {
			size_t k = (size_t)sim_random_below(&n->dice, j), swap = order[j - 1];

			order[j - 1] = order[k];
			order[k] = swap;
		}
		for (size_t j = 0; j < count; j++)
			dht_seed_contact(n->nodes[i].dht, &all[order[j]], 0, false);
	}
	free(order);
}

struct lookup {
	struct dht *dht;
	const struct id *target;
	struct lookup_result *out;
};

static int
lookup_task(void *arg)
{
	struct lookup *l = arg;

	return dht_lookup(l->dht, l->target, NULL, l->out);
}

int
net_lookup(struct net *n, size_t i, const struct id *target, struct lookup_result *out)
{
	struct lookup l = { .dht = n->nodes[i].dht, .target = target, .out = out };

	return sim_run_task(n->world, n->nodes[i].env, lookup_task, &l);
}

struct put {
	struct dht *dht;
	const struct record *r;
	struct dht_put_result *out;
};

static int
put_task(void *arg)
{
	struct put *p = arg;

	return dht_put(p->dht, p->r, p->out);
}

int
net_put(struct net *n, size_t i, const struct record *r, struct dht_put_result *out)
{
	struct put p = { .dht = n->nodes[i].dht, .r = r, .out = out };

	return sim_run_task(n->world, n->nodes[i].env, put_task, &p);
}

struct fetch {
	struct dht *dht;
	const struct id *key;
	enum record_kind kind;
	struct record *out;
};

static bool
get_found(void *arg, const struct record *r)
{
	*(struct record *)arg = *r;
	return true;
}

static int
get_task(void *arg)
{
	struct fetch *g = arg;

	return dht_get(g->dht, g->key, g->kind, get_found, g->out);
}

int
net_get(struct net *n, size_t i, const struct id *key, enum record_kind kind, struct record *out,
    uint64_t *took)
{
	struct fetch g = { .dht = n->nodes[i].dht, .key = key, .kind = kind, .out = out };
	uint64_t start = sim_now(n->world);
	int err = sim_run_task(n->world, n->nodes[i].env, get_task, &g);

	if (took != NULL)
		*took = sim_now(n->world) - start;
	return err;
}

size_t
net_closest(const struct net *n, const struct id *target, size_t without, size_t *out, size_t k)
{
	size_t count = 0;

	for (size_t i = 0; i < n->count; i++) {
		size_t at = count;

		if (n->nodes[i].dht == NULL || i == without)
			continue;
		while (at > 0 && id_compare_distance(target, &n->nodes[i].identity.id,
				     &n->nodes[out[at - 1]].identity.id) < 0)
			at--;
		if (at == k)
			continue;
		count = MIN(count + 1, k);
		memmove(&out[at + 1], &out[at], (count - at - 1) * sizeof(*out));
		out[at] = i;
	}
	return count;
}

static bool
any_record(void *arg, const struct record *r)
{
	(void)arg;
	(void)r;
	return false;
}

bool
net_keeps(const struct net *n, size_t i, const struct id *key, enum record_kind kind)
{
	struct dht *d = n->nodes[i].dht;

	return records_get(d->records, key, kind, env_now(d->env), any_record, NULL) > 0;
}

void
net_signed(struct net *n, uint64_t number, struct record *out)
{
	struct signed_value v = { .sequence = 1, .len = 300 };
	struct sign_key secret;
	struct key seed = { { 0 } };

	memcpy(seed.b, &number, sizeof(number));
	crypto_sign_key_from_seed(&seed, &secret, &v.owner);
	memset(v.value, (int)number, v.len);
	ck_assert_int_eq(signed_make(n->id, &secret, &v, out), ERR_OK);
}

static int
compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t
net_percentile(uint64_t *values, size_t count, unsigned percent)
{
	ck_assert_uint_gt(count, 0);
	qsort(values, count, sizeof(*values), compare_u64);
	return values[MIN(count - 1, count * percent / 100)];
}
