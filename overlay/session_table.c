/*
 * Where sessions are found: by key (to be reused) and by network address (to be
 * counted). Chains keyed by a seeded hash, since strangers choose both. A table that
 * cannot grow for want of memory goes on with longer chains.
 */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/session_private.h"

#define SLOTS_FIRST 16 /* a simulated node has few sessions */

static_assert(sizeof(struct pubkey) == SEEDED_KEY_BYTES, "keys are hashed whole");

int
session_table_init(struct session_table *t)
{
	t->slots = calloc(SLOTS_FIRST, sizeof(*t->slots));
	if (t->slots == NULL)
		return ERR_NOMEM;
	t->slots_count = SLOTS_FIRST;
	return ERR_OK;
}

void
session_table_fini(struct session_table *t)
{
	must(t->count == 0);
	free(t->slots);
	t->slots = NULL;
}

/* IPv6 hosts own a /64 at least: that is one address. */
static void
ip_key(const struct addr *a, uint8_t key[SEEDED_KEY_BYTES])
{
	memset(key, 0, SEEDED_KEY_BYTES);
	key[0] = a->family;
	memcpy(key + 1, a->ip, a->family == ADDR_IPV6 ? 8 : 4);
}

static struct session_list *
key_slot(const struct sessions *ss, const struct session_table *t, const struct pubkey *pub)
{
	return &t->slots[seeded_hash(&ss->seed, pub->b) & (t->slots_count - 1)];
}

static struct session_list *
ip_slot(const struct sessions *ss, const struct session_table *t, const struct addr *a)
{
	uint8_t key[SEEDED_KEY_BYTES];

	ip_key(a, key);
	return &t->slots[seeded_hash(&ss->seed, key) & (t->slots_count - 1)];
}

/* Twice the slots; the caller moves the sessions. NULL: stay as it is. */
static bool
wants_growth(const struct session_table *t, struct session_table *bigger)
{
	if (t->count < t->slots_count)
		return false;
	*bigger = (struct session_table){ .slots_count = t->slots_count * 2, .count = t->count };
	bigger->slots = calloc(bigger->slots_count, sizeof(*bigger->slots));
	return bigger->slots != NULL;
}

void
session_keys_add(struct sessions *ss, struct session *s)
{
	struct session_table bigger;

	must(!s->in_keys);
	if (wants_growth(&ss->keys, &bigger)) {
		for (size_t i = 0; i < ss->keys.slots_count; i++) {
			struct session *each;

			while ((each = LIST_FIRST(&ss->keys.slots[i])) != NULL) {
				LIST_REMOVE(each, key_link);
				LIST_INSERT_HEAD(
				    key_slot(ss, &bigger, &each->peer.pub), each, key_link);
			}
		}
		free(ss->keys.slots);
		ss->keys = bigger;
	}
	LIST_INSERT_HEAD(key_slot(ss, &ss->keys, &s->peer.pub), s, key_link);
	ss->keys.count++;
	s->in_keys = true;
}

void
session_ips_add(struct sessions *ss, struct session *s)
{
	struct session_table bigger;

	must(!s->in_ips);
	if (wants_growth(&ss->ips, &bigger)) {
		for (size_t i = 0; i < ss->ips.slots_count; i++) {
			struct session *each;

			while ((each = LIST_FIRST(&ss->ips.slots[i])) != NULL) {
				LIST_REMOVE(each, ip_link);
				LIST_INSERT_HEAD(ip_slot(ss, &bigger, &each->seen), each, ip_link);
			}
		}
		free(ss->ips.slots);
		ss->ips = bigger;
	}
	LIST_INSERT_HEAD(ip_slot(ss, &ss->ips, &s->seen), s, ip_link);
	ss->ips.count++;
	s->in_ips = true;
}

void
session_tables_remove(struct sessions *ss, struct session *s)
{
	if (s->in_keys) {
		LIST_REMOVE(s, key_link);
		ss->keys.count--;
	}
	if (s->in_ips) {
		LIST_REMOVE(s, ip_link);
		ss->ips.count--;
	}
	s->in_keys = s->in_ips = false;
}

struct session *
session_keys_find(const struct sessions *ss, const struct pubkey *pub, bool dialing)
{
	enum session_state state = dialing ? SESSION_DIALING : SESSION_LIVE;
	struct session *s, *best = NULL;

	LIST_FOREACH(s, key_slot(ss, &ss->keys, pub), key_link)
	{
		if (s->state != state || s->closing || !pubkey_equal(&s->peer.pub, pub))
			continue;
		if (best == NULL || s->heard > best->heard)
			best = s;
	}
	return best;
}

size_t
session_ips_count(const struct sessions *ss, const struct addr *from)
{
	uint8_t wanted[SEEDED_KEY_BYTES], key[SEEDED_KEY_BYTES];
	const struct session *s;
	size_t count = 0;

	ip_key(from, wanted);
	LIST_FOREACH(s, ip_slot(ss, &ss->ips, from), ip_link)
	{
		ip_key(&s->seen, key);
		count += memcmp(key, wanted, sizeof(key)) == 0;
	}
	return count;
}

uint16_t
session_group_slot(const struct sessions *ss, const struct addr *from)
{
	uint64_t group = addr_group(from);
	uint8_t key[SEEDED_KEY_BYTES] = { 0 };

	memcpy(key, &group, sizeof(group));
	return (uint16_t)(seeded_hash(&ss->seed, key) % SESSIONS_GROUP_SLOTS);
}
