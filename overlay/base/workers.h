/*
 * A pool of threads with a bounded queue, and the inbox where finished work
 * comes back to the loop's thread. Knows nothing of the loop but a descriptor
 * that becomes readable. Part of the real environment; everybody else uses
 * env_work_submit() or env_offload().
 */
#ifndef OVERLAY_BASE_WORKERS_H
#define OVERLAY_BASE_WORKERS_H

#include "overlay/base/env.h"

/* ---- where finished work comes back; shared by the pools of an env ---- */
struct work_inbox;

int work_inbox_new(struct work_inbox **out);    /* gives */
void work_inbox_free(struct work_inbox *in);    /* empty, and no pool feeds it any more */
int work_inbox_fd(const struct work_inbox *in); /* readable when something is in it */
/* Calls done of everything that has come; how many. */
size_t work_inbox_drain(struct work_inbox *in);
/* Blocks until something is there. */
void work_inbox_wait(struct work_inbox *in);

/* ---- a pool ---- */
struct workers;

struct workers_opts {
	const char *name;         /* of the threads, at most 15 letters */
	unsigned threads;         /* at least 1 */
	size_t queue_max;         /* works that no thread has begun yet */
	struct work_inbox *inbox; /* lent for the pool's life */
};
int workers_new(const struct workers_opts *opts, struct workers **out); /* gives */
/* Works still queued are run before; what was finished lies in the inbox. */
void workers_free(struct workers *p);
int workers_submit(struct workers *p, struct work *w); /* ERR_BUSY: the queue is full */

/* Cores that this process may use, at least 1. */
unsigned workers_cores(void);

#endif
