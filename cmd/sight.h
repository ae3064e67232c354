/*
 * What a running node tells of itself over its local socket: the answers to `status`, `peers`,
 * `repair`, `audits` and `audit`. Nothing in it is secret, and nothing in it waits.
 */
#ifndef CMD_SIGHT_H
#define CMD_SIGHT_H

#include "cmd/json.h"
#include "cmd/settings.h"
#include "storage/node.h"

/* node NULL: it is starting or stopping. NULL: there is no such command. gives. */
struct json_value *sight_answer(struct node *node, struct env *env, const struct settings *settings,
    const char *command, const struct json_value *request);

/* Of these the most endangered are told; all are counted. */
#define SIGHT_QUEUE_MAX 64

/* sight_keeper.c: what keeps data alive. gives */
struct json_value *sight_keeper(const struct keeper *keeper);
/* The same, and with it the queue and what runs. keeper NULL: it stores nothing. gives */
struct json_value *sight_repair(const struct keeper *keeper);

/* sight_audits.c: standings and the latest audits. gives */
struct json_value *sight_audits(const struct keeper *keeper);
/* Begins one, or tells what came of one. gives */
struct json_value *sight_audit(struct keeper *keeper, const struct json_value *request);

#endif
