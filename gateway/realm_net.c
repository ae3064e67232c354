/*
 * Accounts one after the other: whose a name is, is remembered, so that most requests ask the right
 * one first. Names are given out by one task at a time: of two that want the same, one gets it.
 */
#include "gateway/realm_net.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/realm_net_private.h"

#define HINTS 1024 /* names whose account is remembered */

struct realm_net {
	struct realm realm;
	struct realm_net_opts opts;
	struct cloud *accounts[REALM_ACCOUNTS_MAX];
	char names[REALM_ACCOUNTS_MAX][REALM_NAME_MAX];
	size_t count;
	uint8_t hints[HINTS];
	struct semaphore naming;
	struct memory_budget writing, reading;
};

static struct realm_net *
net_of(struct realm *r)
{
	return container_of(r, struct realm_net, realm);
}

static uint8_t *
hint_of(struct realm_net *n, const char *name)
{
	uint32_t h = 2166136261u; /* FNV-1a: who chooses names gains nothing by collisions */

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return &n->hints[h % HINTS];
}

static void
tell_account(const struct realm_net *n, size_t i, struct realm_account *out)
{
	memset(out, 0, sizeof(*out));
	(void)snprintf(out->id.text, sizeof(out->id.text), "%s", cloud_number(n->accounts[i]));
	(void)snprintf(out->name, sizeof(out->name), "%s", n->names[i]);
}

/* ---- accounts and keys ---- */

static SUSPENDS int
net_key(struct realm *realm, const char *access, struct realm_key *out)
{
	struct realm_net *n = net_of(realm);
	int err = ERR_NOT_FOUND;

	if (!access_id_valid(access, strlen(access)))
		return ERR_NOT_FOUND;
	for (size_t i = 0; i < n->count && err == ERR_NOT_FOUND; i++) {
		err = cloud_key_find(n->accounts[i], access, &out->key);
		if (err == ERR_OK)
			tell_account(n, i, &out->account);
	}
	return err;
}

static SUSPENDS int
net_account(struct realm *realm, const char *id, struct realm_account *out)
{
	struct realm_net *n = net_of(realm);

	for (size_t i = 0; i < n->count; i++) {
		if (strcmp(cloud_number(n->accounts[i]), id) == 0) {
			tell_account(n, i, out);
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

static SUSPENDS int
net_account_named(struct realm *realm, const char *name, struct realm_account *out)
{
	struct realm_net *n = net_of(realm);

	for (size_t i = 0; i < n->count; i++) {
		if (strcmp(n->names[i], name) == 0) {
			tell_account(n, i, out);
			return ERR_OK;
		}
	}
	return ERR_NOT_FOUND;
}

/* ---- buckets ---- */

static SUSPENDS int
open_in(struct realm_net *n, size_t i, const char *name, struct realm_bucket **out)
{
	struct net_bucket_opts opts = { .env = n->opts.env,
		.files = n->opts.files,
		.writing = &n->writing,
		.reading = &n->reading };
	int err = cloud_bucket_open(n->accounts[i], name, &opts.bucket);

	if (err != ERR_OK)
		return err;
	tell_account(n, i, &opts.owner);
	return net_bucket_new(&opts, out);
}

static SUSPENDS int
net_bucket(struct realm *realm, const char *name, struct realm_bucket **out)
{
	struct realm_net *n = net_of(realm);
	uint8_t *hint = hint_of(n, name);
	size_t first = *hint < n->count ? *hint : 0;
	int err = open_in(n, first, name, out);

	for (size_t i = 0; i < n->count && err == ERR_NOT_FOUND; i++) {
		if (i == first)
			continue;
		err = open_in(n, i, name, out);
		if (err == ERR_OK)
			*hint = (uint8_t)i;
	}
	return err;
}

/* Nobody else's name. */
static SUSPENDS int
create_in(struct realm_net *n, size_t mine, const struct cloud_create *w)
{
	struct cloud_facts *facts = malloc(sizeof(*facts));
	int err = facts == NULL ? ERR_NOMEM : ERR_NOT_FOUND;

	for (size_t i = 0; i < n->count && err == ERR_NOT_FOUND; i++)
		err = cloud_bucket_facts(n->accounts[i], w->name, facts);
	free(facts);
	if (err == ERR_OK)
		return ERR_EXISTS;
	return err == ERR_NOT_FOUND ? cloud_bucket_create(n->accounts[mine], w) : err;
}

static SUSPENDS int
net_create(struct realm *realm, const struct realm_account *owner, const char *name,
    const char *region, int (*fn)(void *arg, struct kv *txn), void *arg, struct realm_bucket **out)
{
	struct realm_net *n = net_of(realm);
	struct cloud_create w = {
		.name = name, .location = *region == '\0' ? NULL : region, .first = fn, .arg = arg
	};
	size_t mine = 0;
	int err;

	while (mine < n->count && strcmp(cloud_number(n->accounts[mine]), owner->id.text) != 0)
		mine++;
	if (mine == n->count)
		return ERR_PERMISSION;
	err = semaphore_acquire(n->opts.env, &n->naming);
	if (err != ERR_OK)
		return err;
	err = create_in(n, mine, &w);
	semaphore_release(&n->naming);
	if (err != ERR_OK)
		return err;
	*hint_of(n, name) = (uint8_t)mine;
	return open_in(n, mine, name, out);
}

static SUSPENDS int
net_remove(struct realm *realm, struct realm_bucket *b)
{
	struct realm_net *n = net_of(realm);

	for (size_t i = 0; i < n->count; i++) {
		if (strcmp(cloud_number(n->accounts[i]), b->owner.id.text) == 0)
			return cloud_bucket_delete(n->accounts[i], b->name, bucket_empty);
	}
	return ERR_NOT_FOUND;
}

struct listing {
	int (*each)(void *arg, const struct realm_listed *b);
	void *arg;
};

static int
each_facts(void *arg, const struct cloud_facts *f)
{
	const struct listing *l = arg;
	struct realm_listed b = {
		.name = f->name, .region = f->location.text, .created_ms = f->created_ms
	};

	return l->each(l->arg, &b);
}

static SUSPENDS int
net_list(struct realm *realm, const struct account_id *owner, uint64_t *stale_ms,
    int (*each)(void *arg, const struct realm_listed *b), void *arg)
{
	struct realm_net *n = net_of(realm);
	struct listing l = { each, arg };
	uint64_t oldest = 0;
	int err = ERR_OK;

	for (size_t i = 0; i < n->count && err == ERR_OK; i++) {
		uint64_t stale = 0;

		if (owner != NULL && strcmp(cloud_number(n->accounts[i]), owner->text) != 0)
			continue;
		err =
		    cloud_buckets(n->accounts[i], stale_ms != NULL ? &stale : NULL, each_facts, &l);
		oldest = realm_staler(oldest, stale);
	}
	if (stale_ms != NULL)
		*stale_ms = oldest;
	return err;
}

static bool
net_region_known(struct realm *realm, const char *region)
{
	struct bucket_location l;

	(void)realm;
	return bucket_location_parse(region, &l) == ERR_OK;
}

static const struct realm_ops net_ops = {
	.key = net_key,
	.account = net_account,
	.account_named = net_account_named,
	.bucket = net_bucket,
	.create = net_create,
	.remove = net_remove,
	.list = net_list,
	.region_known = net_region_known,
};

/* ---- life ---- */

int
realm_net_new(const struct realm_net_opts *opts, struct realm_net **out)
{
	struct realm_net *n = calloc(1, sizeof(*n));

	if (n == NULL)
		return ERR_NOMEM;
	n->realm.ops = &net_ops;
	n->opts = *opts;
	semaphore_init(&n->naming, 1);
	budget_init(&n->writing, opts->env, opts->write_memory);
	budget_init(&n->reading, opts->env, opts->read_memory);
	*out = n;
	return ERR_OK;
}

void
realm_net_free(struct realm_net *n)
{
	if (n == NULL)
		return;
	budget_fini(&n->writing);
	budget_fini(&n->reading);
	free(n);
}

SUSPENDS int
realm_net_add(struct realm_net *n, struct cloud *account)
{
	char name[CLOUD_NAME_MAX + 1];
	int err;

	if (n->count == REALM_ACCOUNTS_MAX)
		return ERR_FULL;
	err = cloud_name(account, name);
	if (err != ERR_OK)
		return err;
	(void)snprintf(n->names[n->count], REALM_NAME_MAX, "%s", name);
	n->accounts[n->count++] = account;
	return ERR_OK;
}

struct realm *
realm_net_realm(struct realm_net *n)
{
	return &n->realm;
}
