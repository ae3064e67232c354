/*
 * What lies on disk of a test network: DIR is an account's directory, DIR/peer-N a node's. A peer's
 * address is its own for good: 127.A.N.1 with A drawn once for each network, so that networks do
 * not meet, and a port that is free for UDP and TCP, below those that the kernel gives to whoever
 * asks for any, who could have it at the next start. Everything is known before the first peer
 * starts, and a second start of the same network is no special case.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cmd/command.h"
#include "cmd/dirs.h"
#include "cmd/init.h"
#include "cmd/operator.h"
#include "cmd/say.h"
#include "cmd/setup.h"
#include "cmd/testnet.h"

#define OPERATOR_FILE "operator.key"
#define PORT_LEAST    16384
#define PORTS         16384 /* Linux gives away 32768 and above (ip-sysctl, ip_local_port_range) */
#define PORT_TRIES    32

static const struct {
	const char *country, *region;
} places[] = { { "DE", "eu" }, { "US", "na" }, { "FR", "eu" }, { "JP", "as" } };

static int
peer_dir(const char *dir, unsigned number, char out[PATH_BYTES_MAX])
{
	char name[32];

	(void)snprintf(name, sizeof(name), "peer-%u", number);
	return dirs_path(dir, name, out);
}

size_t
testnet_count(const char *dir)
{
	char path[PATH_BYTES_MAX];
	unsigned n = 0;

	while (n < TESTNET_PEERS_MAX && peer_dir(dir, n + 1, path) == ERR_OK && dirs_exists(path))
		n++;
	return n;
}

/* ---- ports ---- */

static void
ignore_datagram(void *arg, const struct addr *from, struct bytes data)
{
	(void)arg;
	(void)from;
	(void)data;
}

static void
ignore_connection(void *arg, struct conn *conn, const struct addr *from)
{
	(void)arg;
	(void)from;
	conn_close(conn);
}

static int
try_port(struct env *env, const struct addr *addr)
{
	struct udp_opts udp_opts = { .bind = *addr, .receive = ignore_datagram };
	struct listen_opts tcp_opts = { .bind = *addr, .accepted = ignore_connection };
	struct listener *listener;
	struct udp *udp;
	int err = env_udp_open(env, &udp_opts, &udp);

	if (err != ERR_OK)
		return err;
	err = env_listen(env, &tcp_opts, &listener);
	if (err == ERR_OK)
		listener_close(listener);
	udp_close(udp);
	return err;
}

/* A port of addr that is free for both, left in addr. */
static int
find_port(struct env *env, struct addr *addr)
{
	int err = ERR_BUSY;

	for (unsigned i = 0; i < PORT_TRIES && err != ERR_OK; i++) {
		addr->port = (uint16_t)(PORT_LEAST + env_random_below(env, PORTS));
		err = try_port(env, addr);
	}
	return err;
}

/* ---- peers ---- */

/* What a former start left: address and port; false: nothing. */
static bool
peer_known(const struct testnet_peer *p, struct settings *s)
{
	char why[SETTINGS_ERROR_MAX];

	settings_default(s);
	return settings_load(p->dir, s, why) == ERR_OK && s->listen.port != 0 &&
	       addr_is_loopback(&s->listen);
}

static int
peer_operator(struct testnet *t, const struct testnet_peer *p, char path[PATH_BYTES_MAX])
{
	struct key seed;
	int err = dirs_path(p->dir, OPERATOR_FILE, path);

	if (err != ERR_OK || dirs_exists(path))
		return err;
	env_random(t->env, seed.b, sizeof(seed.b));
	err = operator_create(t->env->disk, path, &seed);
	crypto_wipe(&seed, sizeof(seed));
	return err;
}

/* Directory, identity, address: what others must know of it. */
static int
peer_prepare(struct testnet *t, struct testnet_peer *p, uint8_t net_byte, struct settings *s)
{
	struct identity who;
	bool made;
	int err = peer_dir(t->dir, p->number, p->dir);

	if (err == ERR_OK)
		err = dirs_make(p->dir, &made);
	if (err == ERR_OK)
		err = setup_identity(t->env, p->dir, 0, &who);
	if (err != ERR_OK)
		return err;
	p->listen =
	    (struct addr){ .family = ADDR_IPV4, .ip = { 127, net_byte, (uint8_t)p->number, 1 } };
	if (peer_known(p, s))
		p->listen = s->listen;
	else
		err = find_port(t->env, &p->listen);
	contact_init(&p->contact, &who.pub, &p->listen);
	identity_wipe(&who);
	return err;
}

static void
list_contacts(const struct testnet *t, struct contact_names *out)
{
	out->count = 0;
	for (size_t i = 0; i < t->peers_count && i < VALUES_CONTACTS; i++)
		(void)contact_format(&t->peers[i].contact, out->text[out->count++]);
}

static int
peer_settings(struct testnet *t, const struct testnet_peer *p, struct settings *s)
{
	char operator_file[PATH_BYTES_MAX];
	int err = peer_operator(t, p, operator_file);
	bool known = peer_known(p, s);
	uint64_t capacity = t->capacity_given || !known ? t->capacity : s->capacity;
	uint64_t rate = t->repair_rate_given ? t->repair_rate : s->repair_rate;

	settings_default(s);
	s->repair_rate = rate;
	memcpy(s->network, t->network, sizeof(s->network));
	s->pow_bits = 0;
	s->test_network = true;
	s->real_pace = t->real_pace;
	s->port_mapping = false;
	s->listen = p->listen;
	s->capacity = capacity;
	s->reserve = TESTNET_RESERVE;
	memcpy(s->country, p->country, sizeof(s->country));
	(void)snprintf(s->region, sizeof(s->region), "%s", p->region);
	(void)snprintf(s->operator_file, sizeof(s->operator_file), "%s", OPERATOR_FILE);
	list_contacts(t, &s->bootstraps);
	return err == ERR_OK ? settings_save(p->dir, s) : err;
}

/* ---- the account ---- */

/* The network's name: of a former start, or a new one that no other network has. */
static int
network_settings(struct testnet *t, struct settings *s)
{
	char why[SETTINGS_ERROR_MAX], hex[9];
	uint32_t random;
	int err;

	settings_default(s);
	err = settings_load(t->dir, s, why);
	if (err == ERR_OK && !s->test_network) {
		say_error(t->command,
		    "%s is set up for the network \"%s\", which is not a test network; give "
		    "another "
		    "--dir",
		    t->dir, s->network);
		return ERR_EXISTS;
	}
	if (err != ERR_OK && err != ERR_NOT_FOUND) {
		say_error(t->command, "%s", why);
		return err;
	}
	if (err == ERR_NOT_FOUND) {
		env_random(t->env, &random, sizeof(random));
		hex_encode(hex, &random, sizeof(random));
		(void)snprintf(s->network, sizeof(s->network), "test-%s", hex);
	}
	memcpy(t->network, s->network, sizeof(t->network));
	s->test_network = true;
	s->port_mapping = false;
	s->pow_bits = 0;
	if (t->code.k != 0)
		s->code = t->code;
	return ERR_OK;
}

static int
account_prepare(struct testnet *t)
{
	struct account account;
	char path[PATH_BYTES_MAX];
	int err = dirs_path(t->dir, DIRS_ACCOUNT, path);

	if (err != ERR_OK || dirs_exists(path))
		return err;
	env_random(t->env, account.seed.b, sizeof(account.seed.b));
	err = init_account(t->dir, t->env, &account, "");
	account_wipe(&account);
	return err;
}

static int
prepare_all(struct testnet *t, struct settings *own, struct settings *peers)
{
	uint8_t net_byte = (uint8_t)(1 + env_random_below(t->env, 254));
	int err = network_settings(t, own);

	if (err != ERR_OK)
		return err == ERR_EXISTS || err == ERR_INVALID ? ERR_CANCELED : err;
	for (size_t i = 0; i < t->peers_count && err == ERR_OK; i++) {
		struct testnet_peer *p = &t->peers[i];

		p->number = (unsigned)i + 1;
		p->country = places[i % ARRAY_LEN(places)].country;
		p->region = places[i % ARRAY_LEN(places)].region;
		err = peer_prepare(t, p, net_byte, peers);
	}
	for (size_t i = 0; i < t->peers_count && err == ERR_OK; i++)
		err = peer_settings(t, &t->peers[i], peers);
	list_contacts(t, &own->bootstraps);
	if (err == ERR_OK)
		err = settings_save(t->dir, own);
	return err == ERR_OK ? account_prepare(t) : err;
}

int
testnet_prepare(struct testnet *t)
{
	struct settings *own = malloc(sizeof(*own)), *peers = malloc(sizeof(*peers));
	int err = own == NULL || peers == NULL ? ERR_NOMEM : prepare_all(t, own, peers);

	if (err != ERR_OK && err != ERR_CANCELED)
		say_error(t->command, "cannot prepare the peers in %s: %s", t->dir, err_text(err));
	free(peers);
	free(own);
	return err;
}
