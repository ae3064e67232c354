/*
 * One open-addressed table of (local port, remote) with the time of the last
 * datagram sent. Lapsed entries stay in the way until the table is rebuilt, which
 * happens when it is three quarters full, so the work per datagram is constant.
 */
#include "sim/nat.h"

#include "overlay/base/err.h"
#include "sim/random.h"

#include <stdlib.h>

#define SLOTS_FIRST 16
#define FULL_PAUSE  SECONDS(1)
#define PORT_FIRST  1024 /* no router maps to a reserved port */

struct entry {
	uint8_t ip[16];
	uint16_t remote_port; /* 0: any */
	uint16_t port;        /* 0: empty slot */
	uint16_t seen;
	uint64_t last;
};

struct nat {
	enum sim_nat kind;
	uint64_t seed;
	struct entry *slots;
	size_t cap; /* a power of two, or 0 */
	size_t count;
	uint64_t full_until; /* not searched for lapsed entries before: keeps a flood cheap */
};

struct nat *
nat_new(enum sim_nat kind, uint64_t seed)
{
	struct nat *n = calloc(1, sizeof(*n));

	must(n != NULL && kind != SIM_NAT_NONE);
	n->kind = kind;
	n->seed = seed;
	return n;
}

void
nat_free(struct nat *n)
{
	if (n == NULL)
		return;
	free(n->slots);
	free(n);
}

static bool
lapsed(const struct entry *e, uint64_t now)
{
	return now - e->last >= SIM_NAT_LIFE;
}

static uint64_t
hash_of(const struct nat *n, const struct entry *key)
{
	uint64_t ports = (uint64_t)key->port << 16 | key->remote_port;

	return sim_mix(sim_mix_bytes(n->seed, bytes_of(key->ip, sizeof(key->ip))), ports);
}

static struct entry
key_of(const struct nat *n, uint16_t port, const struct addr *remote)
{
	struct entry key = { .port = port };

	memcpy(key.ip, remote->ip, sizeof(key.ip));
	key.remote_port = n->kind == SIM_NAT_CONE ? 0 : remote->port;
	return key;
}

/* The key's entry, or the empty slot where it belongs. */
static struct entry *
slot_of(const struct nat *n, const struct entry *key)
{
	size_t at = (size_t)hash_of(n, key) & (n->cap - 1);

	while (n->slots[at].port != 0 &&
	       (n->slots[at].port != key->port || n->slots[at].remote_port != key->remote_port ||
		   memcmp(n->slots[at].ip, key->ip, sizeof(key->ip)) != 0))
		at = (at + 1) & (n->cap - 1);
	return &n->slots[at];
}

/* Drops what has lapsed and makes room for at least one more entry, if there may be one. */
static void
rebuild(struct nat *n, uint64_t now)
{
	struct nat old = *n;
	size_t live = 0;

	for (size_t i = 0; i < old.cap; i++)
		live += old.slots[i].port != 0 && !lapsed(&old.slots[i], now);
	n->cap = SLOTS_FIRST;
	while (n->cap < live * 2)
		n->cap *= 2;
	n->count = live;
	n->slots = calloc(n->cap, sizeof(*n->slots));
	must(n->slots != NULL);
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slots[i].port != 0 && !lapsed(&old.slots[i], now))
			*slot_of(n, &old.slots[i]) = old.slots[i];
	}
	free(old.slots);
}

static uint16_t
port_from(uint64_t hash)
{
	return (uint16_t)(PORT_FIRST + hash % (65536 - PORT_FIRST));
}

uint16_t
nat_out(struct nat *n, uint64_t now, uint16_t port, const struct addr *to)
{
	struct entry key = key_of(n, port, to);
	struct entry *e = n->cap == 0 ? NULL : slot_of(n, &key);

	if (e == NULL || e->port == 0) {
		if (now < n->full_until)
			return 0;
		if ((n->count + 1) * 4 > n->cap * 3 || n->count == SIM_NAT_ENTRIES)
			rebuild(n, now);
		if (n->count == SIM_NAT_ENTRIES) {
			n->full_until = now + FULL_PAUSE;
			return 0;
		}
		e = slot_of(n, &key);
		*e = key;
		e->last = now;
		n->count++;
		e->seen = 0;
	}
	if (e->seen == 0 || lapsed(e, now))
		e->seen =
		    n->kind == SIM_NAT_SYMMETRIC ? port_from(sim_mix(hash_of(n, &key), now)) : port;
	e->last = now;
	return e->seen;
}

bool
nat_in(const struct nat *n, uint64_t now, uint16_t port, const struct addr *from, uint16_t seen)
{
	struct entry key = key_of(n, port, from);
	const struct entry *e = n->cap == 0 ? NULL : slot_of(n, &key);

	return e != NULL && e->port != 0 && !lapsed(e, now) && e->seen == seen;
}

uint16_t
nat_stream_port(const struct nat *n, uint16_t port, const struct addr *to)
{
	struct entry key = key_of(n, port, to);

	return n->kind == SIM_NAT_SYMMETRIC ? port_from(hash_of(n, &key)) : port;
}
