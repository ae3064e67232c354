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

/* Ignores SIGPIPE for the process: a peer that has gone is an error of the write. */
int env_real_new(const struct env_real_opts *opts, struct env **out); /* gives */
/* All handles closed, timers stopped and tasks ended before; work still out is waited for. */
void env_real_free(struct env *env);

/* Runs main(arg) as a task and the loop until it has returned; gives its result. */
int env_real_run(struct env *env, int (*main)(void *arg), void *arg);

/*
 * Calls back on the loop when a signal has arrived; at most 8 signals, and one env of a process
 * at a time (a rule of libevent). ERR_FULL, ERR_INVALID.
 */
int env_real_on_signal(struct env *env, int signo, void (*cb)(void *arg, int signo), void *arg);

/*
 * A foreign descriptor in the loop: of a library that waits for its own descriptors with an epoll
 * of its own. ready runs on the loop whenever it is readable, and may unwatch. The descriptor stays
 * the caller's, who unwatches before it is closed. gives
 */
struct env_real_watch;
int env_real_watch(
    struct env *env, int fd, void (*ready)(void *arg), void *arg, struct env_real_watch **out);
void env_real_unwatch(struct env_real_watch *w); /* NULL is accepted */

/*
 * A connected TCP socket: if its peer is this machine, its bytes meet no queue, and congestion
 * control that paces (BBR, where that is the default) only costs CPU time: a twelfth of a put
 * through a gateway, measured. Other sockets are left alone. For those that are not the env's.
 */
void env_real_unpace_local(int fd);

/* Name and version of the loop's library, for --version. */
const char *env_real_version(void);

#endif
