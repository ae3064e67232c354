/*
 * A command's talk with the node that runs in a directory: chooses the directory, opens an
 * environment for the while, and says what hindered it. What goes over the socket is in control.h.
 */
#ifndef CMD_CONSOLE_H
#define CMD_CONSOLE_H

#include "cmd/json.h"
#include "cmd/options.h"
#include "cmd/values.h"
#include "overlay/base/task.h"

struct console {
	const char *command; /* set by who talks: its name, for sentences */
	const char *dir_option;
	/* While it talks; dir also afterwards. */
	char dir[PATH_BYTES_MAX];
	struct env *env;
};
extern const struct option console_options[]; /* --dir; their target is a struct console */

/* Runs talk; *err is what it gave. False: it could not even begin, which is told. */
bool console_run(struct console *c, int (*talk)(void *arg), void *arg, int *err);
/* As control_call(). */
SUSPENDS int console_call(
    struct console *c, const char *command, struct json_value *with, struct json_value **reply);
/* Tells why nothing was heard; hint: and that a node can be started. */
void console_tell(const struct console *c, int err, bool hint);

#endif
