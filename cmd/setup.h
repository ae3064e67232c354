/*
 * From settings to what storage/node.h wants, for node and client alike: identity from its
 * directory (made at the first time), contacts from names, the operator's countersignature.
 */
#ifndef CMD_SETUP_H
#define CMD_SETUP_H

#include "cmd/settings.h"
#include "storage/node.h"

/* On a network of one machine an hour's upkeep happens every three minutes. */
#define SETUP_TEST_PACE        20
/* … and of what keeps chunks alive: who is gone is replaced within half a minute. */
#define SETUP_TEST_REPAIR_PACE 480

/* All but identity, bootstraps, dir and client. software lends. */
void setup_node_opts(const struct settings *s, struct env *env, struct node_opts *out);

/*
 * Loads dir's identity, or makes it, with the proof of work that the network asks (seconds). Before
 * the loop runs: it blocks. ERR_*: as identity_load and identity_create; ERR_AUTH: the one that is
 * there has too little proof of work.
 */
int setup_identity(struct env *env, const char *dir, uint8_t pow_bits, struct identity *out);
/* One that is kept nowhere. */
int setup_identity_fresh(struct env *env, struct identity *out);

/*
 * Looks up the names of contacts, all at once, in workers; at most cap contacts, how many in
 * *count. A name without an address is logged and left out.
 */
SUSPENDS int setup_bootstraps(struct env *env, const struct contact_names *names,
    struct contact *out, size_t cap, size_t *count);

#endif
