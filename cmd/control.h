/*
 * A node's local socket, DIR/skerry.sock (mode 0600): one line of JSON in, one out, closed. Who may
 * open it is who may read the node's directory; nothing secret goes over it all the same.
 *
 *	{"command":"status"}\n  →  {…}\n   or  {"error":"…"}\n
 */
#ifndef CMD_CONTROL_H
#define CMD_CONTROL_H

#include "cmd/json.h"
#include "overlay/base/task.h"

#define CONTROL_REQUEST_MAX     1024
#define CONTROL_REPLY_MAX       MIB(4) /* every peer that a node knows, 16,384 of them */
#define CONTROL_CONNECTIONS_MAX 16     /* each holds a reply; nobody has more consoles open */
#define CONTROL_TIMEOUT         SECONDS(5)

struct control;

struct control_opts {
	struct env *env;
	const char *dir;
	/* Builds the answer to a command, whose request is lent; NULL: there is no such command. On
	 * the loop; gives. */
	struct json_value *(*answer)(
	    void *arg, const char *command, const struct json_value *request);
	void *arg;
};
/* ERR_BUSY: another process serves this directory. gives. */
int control_open(const struct control_opts *opts, struct control **out);
void control_close(struct control *c); /* NULL is accepted */

/*
 * Asks the node that runs in dir. ERR_NOT_FOUND: none does; ERR_TIMEOUT; ERR_INVALID: it answers
 * something else, or with an error. with: what else the request says, taken; may be NULL. gives
 * *reply.
 */
SUSPENDS int control_call(struct env *env, const char *dir, const char *command,
    struct json_value *with, struct json_value **reply);

#endif
