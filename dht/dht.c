/*
 * The service's life: made, joined (join.c), kept up (upkeep.c), shut down. Requests of
 * others come in through serve.c; our own operations run on the caller's task: find.c, place.c,
 * put.c, get.c. Everything that runs on its own belongs to d->group and ends in
 * dht_shutdown.
 */
#include <stdlib.h>

#include "dht/dht_private.h"

static int
copy_opts(struct dht *d, const struct dht_opts *opts)
{
	if (opts->bootstraps_count > DHT_BOOTSTRAPS_MAX)
		return ERR_TOO_BIG;
	if (opts->table_path != NULL) {
		d->table_path = strdup(opts->table_path);
		if (d->table_path == NULL)
			return ERR_NOMEM;
	}
	if (opts->bootstraps_count == 0)
		return ERR_OK;
	d->bootstraps = calloc(opts->bootstraps_count, sizeof(*d->bootstraps));
	if (d->bootstraps == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < opts->bootstraps_count; i++)
		if (!id_equal(&opts->bootstraps[i].id, &d->self)) /* one list serves all nodes */
			d->bootstraps[d->bootstraps_count++] = opts->bootstraps[i];
	return ERR_OK;
}

int
dht_new(const struct dht_opts *opts, struct dht **out)
{
	struct dht *d = calloc(1, sizeof(*d));
	int err = ERR_NOMEM;

	if (d == NULL)
		return ERR_NOMEM;
	d->ep = opts->endpoint;
	d->env = endpoint_env(d->ep);
	d->net = endpoint_net(d->ep);
	d->self = endpoint_identity(d->ep)->id;
	d->loopback_net = endpoint_loopback_net(d->ep);
	d->ip_limits = opts->ip_limits;
	d->pace = MAX(opts->pace, 1);
	d->calm = MAX(opts->calm, 1);
	d->on_joined = opts->joined;
	d->on_joined_arg = opts->joined_arg;
	task_group_init(&d->group, d->env);
	size_init(&d->size, d->pace);
	buf_init(&d->empty, RPC_DATAGRAM_BODY_MAX);
	d->table = table_new(&(struct table_opts){ .self = d->self,
	    .ip_limits = d->ip_limits,
	    .pace = (uint32_t)MIN(d->pace, (uint64_t)UINT32_MAX) });
	d->records = records_new(&(struct records_opts){ .self = d->self,
	    .bytes_max =
		opts->records_bytes_max == 0 ? MIB(DHT_RECORDS_MB) : opts->records_bytes_max });
	if (d->table == NULL || d->records == NULL)
		goto fail;
	env_hot(d->env, d, offsetof(struct dht, ping));
	table_hot(d->table, d->env);
	err = copy_opts(d, opts);
	if (err == ERR_OK)
		err = ping_pack(&d->empty);
	if (err != ERR_OK)
		goto fail;
	dht_upkeep_init(d);
	dht_serve_init(d);
	dht_observe(d);
	*out = d;
	return ERR_OK;
fail:
	dht_free(d);
	return err;
}

static int
save_at_end(void *arg)
{
	struct dht *d = arg;

	return dht_table_save(d);
}

void
dht_shutdown(struct dht *d, void (*done)(void *arg), void *arg)
{
	must(!d->stopping);
	d->stopping = true;
	dht_upkeep_stop(d);
	endpoint_set_observer(d->ep, &(struct endpoint_observer){ .arg = NULL });
	/* Cancelled like all others, but writing the file is work that cannot be taken back. */
	if (d->joined && task_spawn(&d->group, "dht save", save_at_end, d) != ERR_OK)
		log_warn(d->env, "the contacts are not saved: no task");
	task_group_shutdown(&d->group, done, arg);
}

void
dht_free(struct dht *d)
{
	if (d == NULL)
		return;
	table_free(d->table);
	records_free(d->records);
	buf_fini(&d->empty);
	free(d->table_path);
	free(d->bootstraps);
	free(d->verify);
	free(d->self_peer);
	free(d->peers);
	free(d->soon);
	free(d);
}

void
dht_status(const struct dht *d, struct dht_status *out)
{
	*out = d->status;
	out->contacts = table_count(d->table);
	out->replacements = table_spares(d->table);
	out->buckets = table_buckets(d->table);
	out->records = records_count(d->records);
	out->records_bytes = records_bytes(d->records);
	out->size_estimate = dht_size_estimate(d);
	out->joined = d->joined;
}
