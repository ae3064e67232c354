/*
 * Access keys as `skerry gateway` shows them: of each account the one that it made, and lines that
 * clients can take as they are.
 */
#ifndef CMD_GATEWAY_KEYS_H
#define CMD_GATEWAY_KEYS_H

#include "cmd/json.h"
#include "object/cloud.h"

/* Adds {name, id} and, with make, {access_key, secret_key} of a key for everything, which is made
 * when the account has none that was made here. */
SUSPENDS int gateway_keys_tell(struct cloud *account, bool make, struct json_value *list);
/* The same for people, on stdout: {endpoint, region, accounts}. */
void gateway_keys_say(const struct json_value *o);

#endif
