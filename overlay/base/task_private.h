/*
 * What the files of the scheduler (task.c, task_sync.c, task_offload.c) know of
 * each other. Nobody else includes this.
 */
#ifndef OVERLAY_BASE_TASK_PRIVATE_H
#define OVERLAY_BASE_TASK_PRIVATE_H

#include "overlay/base/env_ops.h"
#include "overlay/base/task.h"
#include "overlay/base/task_switch.h"

enum task_state { TASK_READY, TASK_RUNNING, TASK_SUSPENDED };

struct task {
	struct fiber *fiber;
	struct tasks *tasks;
	struct task_group *group;
	struct task *prev, *next; /* siblings in the group */
	struct task *next_ready;
	const char *name;
	int (*fn)(void *arg);
	void *arg;
	struct timer timer; /* armed only while suspended with an end */
	uint64_t deadline;  /* 0: none */
	enum task_state state;
	bool cancelable; /* the suspension that it is in ends when cancelled */
	bool canceled;   /* sticky */
	int woken;       /* why the suspension ended */
};

struct offload; /* task_offload.c */

struct offload_queue {               /* of one pool */
	struct offload *head, *tail; /* wait for room, first come first served */
	size_t running;              /* ours inside the pool: each makes room when done */
};

struct tasks {
	struct env *env;
	struct task_stacks *stacks;
	bool own_stacks;
	size_t live, live_max;
	struct task *current;
	struct task *ready_head, *ready_tail;
	size_t ready_count;
	bool kicked;
	struct offload_queue offloads[WORK_DISK + 1];
	struct timer offload_retry;
};

/* The running task of env; must() be inside one. */
struct task *task_current(const struct env *env);

/* ERR_CANCELED or ERR_TIMEOUT when the task has to unwind, else ERR_OK. */
int task_sticky(const struct task *t);

/*
 * Leaves the running task until task_resume, or for a cancelable suspension until
 * cancelled or the time until (0: none) or its deadline has come. ERR_OK,
 * ERR_CANCELED or ERR_TIMEOUT.
 */
SUSPENDS int task_suspend(struct task *t, bool cancelable, uint64_t until);

/* To the end of the ready queue; no-op unless suspended. */
void task_resume(struct task *t, int woken);

void task_offload_init(struct tasks *t);
void task_offload_fini(struct tasks *t);

#endif
