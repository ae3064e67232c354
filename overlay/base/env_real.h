/*
 * The real environment: libevent, sockets, threads, files. Not a singleton;
 * tests may make several in one process, each on its own thread or in turn.
 */
#ifndef OVERLAY_BASE_ENV_REAL_H
#define OVERLAY_BASE_ENV_REAL_H

#include "overlay/base/env.h"

#define WORK_DISK_THREADS 4    /* O_DIRECT, sync and LMDB block; 4 keep a disk busy */
#define WORK_QUEUE_MAX    1024 /* per pool: beyond, submitters wait (env_offload) */

struct env_real_opts {
	struct log *log;      /* lent for the env's life; may be NULL */
	unsigned cpu_threads; /* 0: one per core */
	size_t tasks_max;     /* 0: TASKS_MAX */
};

int env_real_new(const struct env_real_opts *opts, struct env **out); /* gives */
void env_real_free(struct env *env); /* all handles closed, all tasks ended before */

/* Runs main(arg) as a task and the loop until it has returned; gives its result. */
int env_real_run(struct env *env, int (*main)(void *arg), void *arg);

/* Calls back on the loop for each arrival of a signal; at most 8 signals. */
int env_real_on_signal(struct env *env, int signo, void (*cb)(void *arg, int signo), void *arg);

/* Name and version of the loop's library, for --version. */
const char *env_real_version(void);

#endif
