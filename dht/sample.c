/*
 * Servers from all over the key space, for those who place things: first what the table knows,
 * spread over its sub-prefixes, then lookups of random ids until there are enough or new
 * ones no longer come.
 */
#include <stdlib.h>

#include "dht/walk.h"

#define SAMPLE_LOOKUPS_MAX 32 /* about 640 answers, more than a scatter set of 256 needs */
#define SAMPLE_DRY_MAX     3  /* lookups without anybody new: that was everybody */

static bool
add(struct contact *out, size_t cap, size_t *count, const struct contact *c)
{
	if (*count == cap)
		return false;
	for (size_t i = 0; i < *count; i++)
		if (id_equal(&out[i].id, &c->id))
			return false;
	out[(*count)++] = *c;
	return true;
}

/* A random rotation of the table, so that not everybody's samples start at id 0. */
static int
from_table(struct dht *d, struct contact *out, size_t cap, size_t *count)
{
	size_t total = dht_contacts(d, NULL, 0), start;
	struct contact *all;

	if (total == 0)
		return ERR_NO_NETWORK;
	all = calloc(total, sizeof(*all));
	if (all == NULL)
		return ERR_NOMEM;
	dht_contacts(d, all, total);
	start = (size_t)env_random_below(d->env, total);
	/* A stride through id order: near ones follow far ones. */
	for (size_t stride = MAX(total / MAX(cap, 1), 1), phase = 0; phase < stride; phase++)
		for (size_t i = phase; i < total; i += stride)
			add(out, cap, count, &all[(start + i) % total]);
	free(all);
	return ERR_OK;
}

int
dht_sample(struct dht *d, struct contact *out, size_t cap, size_t *count)
{
	/* Any servers will do, so the dead are not waited for: in a small network each of
	 * these lookups asks them all. */
	static const struct lookup_opts how = { .hasty = true };
	struct lookup_result *result;
	size_t n = 0, dry = 0;
	int err = from_table(d, out, cap, &n);

	if (err != ERR_OK)
		return err;
	result = calloc(1, sizeof(*result));
	if (result == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < SAMPLE_LOOKUPS_MAX && n < cap && dry < SAMPLE_DRY_MAX; i++) {
		struct id target;
		size_t before = n;

		env_random(d->env, target.b, sizeof(target.b));
		err = dht_lookup(d, &target, &how, result);
		if (err == ERR_CANCELED || err == ERR_TIMEOUT)
			break;
		for (size_t j = 0; err == ERR_OK && j < result->count; j++)
			add(out, cap, &n, &result->closest[j]);
		dry = n == before ? dry + 1 : 0;
	}
	free(result);
	/* Fewer than wished is an answer; being stopped is not. */
	if (err == ERR_CANCELED || err == ERR_TIMEOUT)
		return err;
	*count = n;
	return ERR_OK;
}
