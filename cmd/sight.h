/*
 * What a running node tells of itself over its local socket: the answers to `status` and `peers`.
 * Nothing in it is secret, and nothing in it waits.
 */
#ifndef CMD_SIGHT_H
#define CMD_SIGHT_H

#include "cmd/json.h"
#include "cmd/settings.h"
#include "storage/node.h"

/* node NULL: it is starting or stopping. NULL: there is no such command. gives. */
struct json_value *sight_answer(
    struct node *node, struct env *env, const struct settings *settings, const char *command);

#endif
