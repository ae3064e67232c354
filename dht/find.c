/*
 * Finding nodes: lookups for callers, and what the table alone can tell. A lookup that reaches
 * nobody is tried once more on four paths before it fails.
 */
#include <stdlib.h>

#include "dht/walk.h"

size_t
dht_closest(const struct dht *d, const struct id *target, struct contact *out, size_t cap)
{
	struct table_view views[DHT_REGION_MAX];
	size_t n =
	    table_near(d->table, target, TABLE_STRIKES_SILENT, views, MIN(cap, ARRAY_LEN(views)));

	for (size_t i = 0; i < n; i++)
		table_contact(&views[i], &out[i]);
	return n;
}

size_t
dht_contacts(const struct dht *d, struct contact *out, size_t cap)
{
	struct table_view page[32];
	struct id from = { { 0 } };
	size_t n = 0, total, left;

	total = table_range(d->table, &from, 0, NULL, page, ARRAY_LEN(page));
	for (left = total; n < MIN(cap, total);) {
		for (size_t i = 0; i < MIN(left, ARRAY_LEN(page)) && n < cap; i++)
			table_contact(&page[i], &out[n++]);
		if (left <= ARRAY_LEN(page) || n == cap)
			break;
		left = table_range(d->table, &from, 0, &out[n - 1].id, page, ARRAY_LEN(page));
	}
	return total;
}

uint64_t
dht_size_estimate(const struct dht *d)
{
	/* Without ourselves in the samples and the table. Before the first samples, a guess. */
	uint64_t size = d->size.taken < SIZE_SAMPLES_MIN
			    ? table_size_guess(d->table) + 1
			    : size_estimate(&d->size, env_now(d->env)) + 1;
	uint64_t known = table_count(d->table) + 1;

	/* A table that had room for all it met is the network, unless the samples know better. */
	if (table_holds_all(d->table) && size < 2 * known)
		return known;
	return MAX(size, known);
}

static int
lookup_once(struct dht *d, const struct id *target, const struct lookup_opts *opts, unsigned paths,
    struct lookup_result *out)
{
	uint64_t start = env_now(d->env);
	struct walk *w = NULL;
	int err = walk_run(d,
	    &(struct walk_opts){ .target = *target,
		.want = opts->count == 0 ? DHT_K : MIN(opts->count, DHT_REGION_MAX),
		.paths = paths,
		.first_only = opts->first_only,
		.exact = opts->exact,
		.hasty = opts->hasty,
		.timeout = opts->timeout,
		.method = DHT_FIND_NODE },
	    &w);

	if (err == ERR_OK) {
		out->count = lookup_closest(&w->state, out->closest, w->state.want);
		out->first_after = lookup_first_after(&w->state);
		out->done_after = env_now(d->env) - start;
		out->rpcs = w->sent;
		out->failures = w->state.failed;
	}
	walk_free(w);
	return err;
}

int
dht_lookup(struct dht *d, const struct id *target, const struct lookup_opts *opts,
    struct lookup_result *out)
{
	static const struct lookup_opts none = { .count = 0 };
	int err;

	opts = opts == NULL ? &none : opts;
	if (opts->paths > LOOKUP_PATHS_MAX)
		return ERR_INVALID;
	err = lookup_once(d, target, opts, opts->paths, out);
	if (err == ERR_UNREACHABLE)
		err = lookup_once(d, target, opts, DHT_PATHS_RETRY, out);
	return err;
}

static bool
starts_with(const struct contact *c, const uint8_t prefix[8])
{
	return memcmp(c->id.b, prefix, 8) == 0;
}

int
dht_resolve(struct dht *d, const uint8_t prefix[8], struct contact *out)
{
	struct id target = { { 0 } };
	struct contact near;
	struct lookup_result *result;
	int err;

	memcpy(target.b, prefix, 8);
	if (dht_closest(d, &target, &near, 1) == 1 && starts_with(&near, prefix)) {
		*out = near;
		return ERR_OK;
	}
	result = calloc(1, sizeof(*result));
	if (result == NULL)
		return ERR_NOMEM;
	err = dht_lookup(d, &target, &(struct lookup_opts){ .exact = true }, result);
	if (err == ERR_OK) {
		err = ERR_NOT_FOUND;
		for (size_t i = 0; i < result->count && err != ERR_OK; i++)
			if (starts_with(&result->closest[i], prefix)) {
				*out = result->closest[i];
				err = ERR_OK;
			}
	}
	free(result);
	return err;
}
