/*
 * Children of ours: the same program with other arguments. A child ends when the thread that made
 * it does, even by SIGKILL, and gets no Ctrl-C of the terminal. No link or phrase goes through
 * argv.
 */
#ifndef CMD_SPAWN_H
#define CMD_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "cmd/values.h"

struct spawn_opts {
	const char *program;     /* spawn_self() */
	const char *const *argv; /* with NULL at the end */
	int in, out, err;        /* descriptors the child gets; -1: /dev/null */
};

/* The path of the running program. False: errno says why. */
bool spawn_self(char out[PATH_BYTES_MAX]);
/* The child's process id; −1: errno says why. An exec that fails ends the child with status 127. */
pid_t spawn(const struct spawn_opts *opts);
/* How a child ended, from waitpid's status: "ended with code 1", "was killed by signal 9". */
#define SPAWN_ENDED_MAX 64
const char *spawn_ended(int status, char out[SPAWN_ENDED_MAX]);

#endif
