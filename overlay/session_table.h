/*
 * Where sessions are found: by key, to be reused, and by network address, to be counted.
 * For the files of the sessions only (session_private.h).
 */
#ifndef OVERLAY_SESSION_TABLE_H
#define OVERLAY_SESSION_TABLE_H

#include <sys/queue.h>

#include "overlay/base/types.h"

struct session;
struct sessions;

LIST_HEAD(session_list, session);

struct session_table { /* chains by a seeded hash of 32 bytes; grows with its count */
	struct session_list *slots;
	size_t slots_count; /* a power of two */
	size_t count;
};

int session_table_init(struct session_table *t);
void session_table_fini(struct session_table *t);
void session_keys_add(struct sessions *ss, struct session *s); /* by s->peer.pub */
void session_ips_add(struct sessions *ss, struct session *s);  /* by s->seen */
void session_tables_remove(struct sessions *ss, struct session *s);
/* The live session to use for new streams, or the dial under way (dialing). NULL: none. */
struct session *session_keys_find(
    const struct sessions *ss, const struct pubkey *pub, bool dialing);
/* Incoming sessions from this IPv4 address or IPv6 /64. */
size_t session_ips_count(const struct sessions *ss, const struct addr *from);
/* Where those of the address group of from are counted: below SESSIONS_GROUP_SLOTS. */
uint16_t session_group_slot(const struct sessions *ss, const struct addr *from);

#endif
