/*
 * Identities are searched before the loop starts, because a proof of work takes seconds of one
 * core. Host names are looked up by tasks of their own, so that a dead name server is waited for
 * once and not for each.
 */
#include "cmd/setup.h"

#include <stdlib.h>

#include "cmd/command.h"
#include "config.h"

#define SMALL_CAPACITY    (SMALL_SEGMENTS * SEGMENT_BYTES)
#define SMALL_SEGMENTS    4
#define SMALL_SEGMENT_MIN MIB(4) /* a smaller one holds too few pieces of ordinary chunks */
/* A name's IPv4 and IPv6 address: more are the same peer again. */
#define ADDRS_PER_NAME    2
/* At 2^bits expected tries, a search that needs 64 times as many is a fault. */
#define TRIES_SPARE       6

/* Segments are reclaimed as wholes, so a small node needs smaller ones; 0: the usual. */
static uint64_t
segment_bytes(uint64_t capacity)
{
	if (capacity >= SMALL_CAPACITY || capacity == 0)
		return 0;
	return MAX(capacity / SMALL_SEGMENTS / MIB(1) * MIB(1), SMALL_SEGMENT_MIN);
}

static enum accept
accept_of(const struct settings *s)
{
	switch (s->accept) {
	case ACCEPT_WORD_ANYONE:
		return ACCEPT_ANYONE;
	case ACCEPT_WORD_OWNERS:
		return ACCEPT_OWNERS;
	case ACCEPT_WORD_NONE:
		return ACCEPT_NONE;
	case ACCEPT_WORD_USUAL:
		break;
	}
	return s->test_network ? ACCEPT_ALL : ACCEPT_OWNERS;
}

void
setup_node_opts(const struct settings *s, struct env *env, struct node_opts *out)
{
	bool quick = s->test_network && !s->real_pace;

	*out = (struct node_opts){
		.env = env,
		.bind = s->listen,
		.capacity_bytes = s->capacity,
		.pow_bits = s->pow_bits,
		.loopback_net = s->test_network,
		.assume_reachable = s->assume_reachable,
		.port_mapping = s->port_mapping,
		.segment_bytes = segment_bytes(s->capacity),
		.reserve_bytes = s->reserve,
		.repair_bytes_s = s->repair_rate == 0 ? UINT64_MAX : s->repair_rate,
		.upload_bytes_s = s->upload_rate,
		.download_bytes_s = s->download_rate,
		.accept = accept_of(s),
		.owners = s->owners.at,
		.owners_count = s->owners.count,
		.lock_max_s = s->lock_max,
		.pace = quick ? SETUP_TEST_PACE : 1,
		.repair_pace = quick ? SETUP_TEST_REPAIR_PACE : 1,
		.software = PROGRAM_NAME " " PACKAGE_VERSION,
	};
	network_id_of_name(s->network, &out->net);
	memcpy(out->country, s->country, sizeof(out->country));
	memcpy(out->region, s->region, sizeof(out->region));
}

/* ---- identity ---- */

static void
fill_random(void *arg, void *out, size_t len)
{
	env_random(arg, out, len);
}

static int
search(struct env *env, uint8_t pow_bits, struct identity *out)
{
	struct identity_random random = { fill_random, env };

	return identity_search(&random, pow_bits, UINT64_C(1) << (pow_bits + TRIES_SPARE), out);
}

int
setup_identity(struct env *env, const char *dir, uint8_t pow_bits, struct identity *out)
{
	int err = identity_load(env->disk, dir, out);

	if (err == ERR_OK && !identity_pow_ok(&out->id, pow_bits)) {
		identity_wipe(out);
		return ERR_AUTH;
	}
	if (err != ERR_NOT_FOUND)
		return err;
	if (pow_bits > SETTINGS_POW_BITS)
		log_info(env, "searching for an identity with %u bits of proof of work", pow_bits);
	err = search(env, pow_bits, out);
	if (err == ERR_OK)
		err = identity_create(env->disk, dir, out);
	return err;
}

int
setup_identity_fresh(struct env *env, struct identity *out)
{
	return search(env, 0, out);
}

/* ---- contacts ---- */

struct name {
	struct env *env;
	const char *text; /* lends */
	char host[ADDR_HOST_MAX];
	uint16_t port;
	struct pubkey pub;
	struct addr addrs[ADDRS_PER_NAME];
	size_t addrs_count;
};

static int
look_up(void *arg)
{
	struct name *n = arg;

	return env_resolve(
	    n->env, n->host, n->port, n->addrs, ARRAY_LEN(n->addrs), &n->addrs_count);
}

static SUSPENDS int
name_task(void *arg)
{
	struct name *n = arg;
	int err = env_offload(n->env, WORK_DISK, look_up, n, WORK_INLINE_MAX);

	if (err != ERR_OK) {
		n->addrs_count = 0;
		log_warn(
		    n->env, "the bootstrap's name %s has no address: %s", n->host, err_text(err));
	}
	return err;
}

/* Takes addresses as they are; names go to a task. */
static int
name_start(struct task_group *group, struct name *n)
{
	int err = contact_split(n->text, &n->pub, n->host, &n->port);

	if (err != ERR_OK)
		return err;
	if (addr_from_host(n->host, n->port, &n->addrs[0]) == ERR_OK) {
		n->addrs_count = 1;
		return ERR_OK;
	}
	return task_spawn(group, "resolve", name_task, n);
}

SUSPENDS int
setup_bootstraps(struct env *env, const struct contact_names *names, struct contact *out,
    size_t cap, size_t *count)
{
	struct name *all = calloc(MAX(names->count, 1), sizeof(*all));
	struct task_group group;
	size_t n = 0;
	int err = ERR_OK;

	if (all == NULL)
		return ERR_NOMEM;
	task_group_init(&group, env);
	for (size_t i = 0; i < names->count && err == ERR_OK; i++) {
		all[i].env = env;
		all[i].text = names->text[i];
		err = name_start(&group, &all[i]);
	}
	if (err == ERR_OK)
		err = task_group_wait(&group, 0);
	task_group_fini(&group);
	for (size_t i = 0; i < names->count && err == ERR_OK; i++) {
		for (size_t j = 0; j < all[i].addrs_count && n < cap; j++)
			contact_init(&out[n++], &all[i].pub, &all[i].addrs[j]);
	}
	free(all);
	if (err == ERR_OK)
		*count = n;
	return err;
}
