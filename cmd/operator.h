/*
 * Operators: who runs nodes has a key, and countersigns each node's. A file of one line holds
 * either; `skerry node --operator FILE` takes both:
 *
 *	skerry-operator-key SEED                    secret, 0600: countersigns any node of its own
 *	skerry-countersignature OPERATOR NODE SIG   for one node and network; not secret
 */
#ifndef CMD_OPERATOR_H
#define CMD_OPERATOR_H

#include "overlay/base/env.h"
#include "overlay/peer_record.h"

#define OPERATOR_ERROR_MAX 512

/* Writes a new key. ERR_EXISTS: there is a file already, it is left alone. Blocks. */
int operator_create(struct disk *d, const char *path, const struct key *seed);
/* Reads a key. ERR_INVALID: another file. Blocks. */
int operator_load(const char *path, struct sign_key *key, struct pubkey *pub);
/* From either kind of file. error says what is wrong with it and what would be right. Blocks. */
int operator_countersign(const char *path, const struct network_id *net, const struct pubkey *node,
    struct pubkey *operator_key, struct sig *sig, char error[OPERATOR_ERROR_MAX]);
/* The text of a countersignature's file, with newline. */
#define COUNTERSIGNATURE_TEXT_MAX 320
const char *operator_print(const struct pubkey *operator_key, const struct pubkey *node,
    const struct sig *sig, char out[COUNTERSIGNATURE_TEXT_MAX]);

#endif
