/*
 * Tasks: stackful coroutines. A long operation reads as a straight function
 * that calls functions marked SUSPENDS; those return when their answer is
 * there. One thread runs all tasks of an env, so between two SUSPENDS calls
 * nothing else changes; after one, re-check what you hold.
 *
 * Cancellation and deadline arrive as ERR_CANCELED / ERR_TIMEOUT from the
 * suspended call; both are sticky for the task, so it unwinds through its normal
 * cleanup. Suspending outside a task is a must().
 *
 * Stacks are small: 128 KiB (256 under sanitizers). Keep buffers over 4 KiB off
 * them, and XML, zstd, LMDB, TLS, getaddrinfo and printf of floats too.
 */
#ifndef OVERLAY_BASE_TASK_H
#define OVERLAY_BASE_TASK_H

#include "overlay/base/env.h"

#define SUSPENDS /* may switch to other tasks before it returns */

/* Frames are several times larger under AddressSanitizer. */
#if defined(__SANITIZE_ADDRESS__)
#define TASK_STACK_BYTES KIB(256)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TASK_STACK_BYTES KIB(256)
#endif
#endif
#ifndef TASK_STACK_BYTES
#define TASK_STACK_BYTES KIB(128)
#endif
#define TASKS_MAX 4096 /* per env: 512 MiB of virtual stack at most */

struct task;

/* ---- the scheduler; made and freed by the environments ---- */
struct tasks *tasks_new(struct env *env, size_t live_max, bool guard_pages); /* NULL: no memory */
/* With stacks that many schedulers of one thread share (task_stack.h): a simulated world. */
struct task_stacks;
struct tasks *tasks_new_shared(struct env *env, size_t live_max, struct task_stacks *stacks);
void tasks_free(struct tasks *t); /* must have no live task */
void tasks_run(struct tasks *t);  /* runs what is ready, once; called by the loop after kick */
size_t tasks_live(const struct tasks *t);

/* True while the calling code runs on a task of env (and may suspend). */
bool task_inside(const struct env *env);

/* ---- groups: a task never outlives the group that spawned it ---- */
struct task_group {
	struct env *env;
	struct task *children; /* private from here */
	size_t live;
	struct task *waiter;
	size_t waiter_live_max;
	void (*on_empty)(void *arg);
	void *on_empty_arg;
	bool canceled;
};

void task_group_init(struct task_group *g, struct env *env);
/*
 * Starts fn(arg) in the group; it first runs on a later turn, never inside
 * this call. name is a literal for diagnosis. ERR_BUSY over the cap (fn never runs),
 * ERR_CANCELED when the group is cancelled already. A child spawned by a task inherits
 * that task's deadline. What fn returns is for the caller's own use via arg; it is not kept.
 */
int task_spawn(struct task_group *g, const char *name, int (*fn)(void *arg), void *arg);
size_t task_group_live(const struct task_group *g);
/* Returns when at most live_max children are left: 0 waits for all. */
SUSPENDS int task_group_wait(struct task_group *g, size_t live_max);
/*
 * The same task so many times at once, on one arg that they share (a cursor in it says what is
 * next), until all have ended. ERR_BUSY, or what ended the waiting; what the tasks found lies in
 * arg.
 */
SUSPENDS int task_together(
    struct env *env, const char *name, int (*fn)(void *arg), void *arg, size_t times);
/* Every child, and any spawned later, sees ERR_CANCELED. */
void task_group_cancel(struct task_group *g);
/* Cancels and waits for all, not cancellable itself. The end of every group used inside a task. */
SUSPENDS void task_group_fini(struct task_group *g);
/* For groups owned outside tasks: called once on the loop when cancelled and empty (maybe at once).
 */
void task_group_shutdown(struct task_group *g, void (*on_empty)(void *arg), void *arg);

/* ---- waiting ---- */

/* A one-shot: a callback or another task gives the result, one task waits for it. */
struct wait {
	struct task *task; /* private */
	bool done;
	int result;
};

void wait_init(struct wait *w);
/* First call wins; later ones are ignored. Safe before, during and without a waiter. */
void wait_wake(struct wait *w, int result);
/*
 * The result (it wins when it is there), or ERR_CANCELED / ERR_TIMEOUT. On the latter two the event
 * may still come: detach the callback (rpc_abandon, timer_stop) before the wait leaves scope.
 * timeout: ns from now, 0 for none but the task's own deadline.
 */
SUSPENDS int wait_for(struct env *env, struct wait *w, uint64_t timeout);
/*
 * Whether err is of a wait whose own time, at, has come. Before that ERR_TIMEOUT is of the task's
 * deadline, and every other wait of it would say so, too.
 */
bool wait_time_came(struct env *env, int err, uint64_t at);
/* Until the event, whatever happens: for work that cannot be taken back. */
SUSPENDS int wait_always(struct env *env, struct wait *w);

SUSPENDS int task_sleep(struct env *env, uint64_t delay); /* ERR_OK after delay */
SUSPENDS int task_yield(struct env *env);                 /* to the end of the ready queue */

/*
 * Absolute deadline (env_now scale; 0: none) of the running task for every
 * later suspension; returns the old one to be put back. Only ever tightens:
 * a later one than the current is ignored (and the current returned).
 */
uint64_t task_deadline(struct env *env, uint64_t deadline);
void task_deadline_restore(struct env *env, uint64_t old);
bool task_canceled(const struct env *env);

/* At most limit holders at once; first come, first served. */
struct semaphore {
	size_t free;
	struct semaphore_waiter *head, *tail; /* private */
};
void semaphore_init(struct semaphore *s, size_t limit);
SUSPENDS int semaphore_acquire(struct env *env, struct semaphore *s);
bool semaphore_try(struct semaphore *s); /* false when it would wait */
void semaphore_release(struct semaphore *s);

/* ---- work ---- */

/*
 * fn(arg) in a worker; returns its result. CPU work on fewer than
 * WORK_INLINE_MAX bytes runs inline, without suspending. Waits when the pool's
 * queue is full. Not cancellable once started (arg's buffers are in use), so the
 * answer is always fn's own; check task_canceled() where it matters.
 */
SUSPENDS int env_offload(
    struct env *env, enum work_pool pool, int (*fn)(void *arg), void *arg, size_t bytes);

#endif
