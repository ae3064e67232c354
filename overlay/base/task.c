/*
 * The scheduler. task_spawn puts a task into its group and the ready queue and
 * kicks the loop; the loop calls tasks_run, which enters each ready task until
 * it suspends or ends. Whoever has what a suspended task waits for (a callback,
 * its timer, a cancellation, another task) puts it back into the ready queue.
 * Everything here runs on the one thread of the env.
 *
 * Failures: no memory for a stack or too many tasks when spawning. A stack that
 * ran over its end is found at the next switch and aborts.
 */
#include "overlay/base/task.h"

#include <stdlib.h>

#include "overlay/base/task_private.h"
#include "overlay/base/task_stack.h"

/* ---- the scheduler ---- */

struct tasks *
tasks_new_shared(struct env *env, size_t live_max, struct task_stacks *stacks)
{
	struct tasks *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->env = env;
	t->stacks = stacks;
	t->live_max = live_max;
	task_offload_init(t);
	return t;
}

struct tasks *
tasks_new(struct env *env, size_t live_max, bool guard_pages)
{
	struct task_stacks *stacks = task_stacks_new(guard_pages);
	struct tasks *t;

	if (stacks == NULL)
		return NULL;
	t = tasks_new_shared(env, live_max, stacks);
	if (t == NULL) {
		task_stacks_free(stacks);
		return NULL;
	}
	t->own_stacks = true;
	return t;
}

void
tasks_free(struct tasks *t)
{
	if (t == NULL)
		return;
	must(t->live == 0 && t->current == NULL);
	task_offload_fini(t);
	if (t->own_stacks)
		task_stacks_free(t->stacks);
	free(t);
}

size_t
tasks_live(const struct tasks *t)
{
	return t->live;
}

bool
task_inside(const struct env *env)
{
	return env->tasks->current != NULL;
}

struct task *
task_current(const struct env *env)
{
	must(env->tasks->current != NULL); /* a suspending function was called outside a task */
	return env->tasks->current;
}

static void
ready_push(struct task *t)
{
	struct tasks *tasks = t->tasks;

	t->state = TASK_READY;
	t->next_ready = NULL;
	if (tasks->ready_tail != NULL)
		tasks->ready_tail->next_ready = t;
	else
		tasks->ready_head = t;
	tasks->ready_tail = t;
	tasks->ready_count++;
	if (!tasks->kicked) {
		tasks->kicked = true;
		tasks->env->ops->kick(tasks->env);
	}
}

static struct task *
ready_pop(struct tasks *tasks)
{
	struct task *t = tasks->ready_head;

	tasks->ready_head = t->next_ready;
	if (tasks->ready_head == NULL)
		tasks->ready_tail = NULL;
	tasks->ready_count--;
	return t;
}

/* ---- end of a task: on the loop's stack ---- */

static void
group_unlink(struct task_group *g, struct task *t)
{
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		g->children = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	g->live--;
}

static void
group_tell_empty(struct task_group *g)
{
	void (*on_empty)(void *arg) = g->on_empty;

	if (on_empty == NULL || g->live > 0)
		return;
	g->on_empty = NULL;
	on_empty(g->on_empty_arg); /* may free the group */
}

static void
task_end(struct task *t)
{
	struct task_group *g = t->group;

	group_unlink(g, t);
	t->tasks->live--;
	task_stacks_put(t->tasks->stacks, t->fiber);
	free(t);
	if (g->waiter != NULL && g->live <= g->waiter_live_max)
		task_resume(g->waiter, ERR_OK);
	group_tell_empty(g);
}

static void
task_enter(struct task *t)
{
	struct tasks *tasks = t->tasks;
	bool ended;

	t->state = TASK_RUNNING;
	tasks->current = t;
	ended = fiber_resume(t->fiber);
	tasks->current = NULL;
	if (!task_stacks_intact(tasks->stacks, t->fiber)) {
		log_error(tasks->env, "task %s ran over the end of its stack", t->name);
		must(task_stacks_intact(tasks->stacks, t->fiber));
	}
	if (ended)
		task_end(t);
}

void
tasks_run(struct tasks *t)
{
	must(t->current == NULL);
	t->kicked = false;
	/* What becomes ready meanwhile waits for the next call, so that I/O gets its turn. */
	for (size_t n = t->ready_count; n > 0; n--)
		task_enter(ready_pop(t));
}

/* ---- suspending ---- */

int
task_sticky(const struct task *t)
{
	if (t->canceled)
		return ERR_CANCELED;
	if (t->deadline != 0 && t->deadline <= env_now(t->tasks->env))
		return ERR_TIMEOUT;
	return ERR_OK;
}

int
task_suspend(struct task *t, bool cancelable, uint64_t until)
{
	if (cancelable && t->deadline != 0 && (until == 0 || t->deadline < until))
		until = t->deadline;
	if (until != 0) {
		uint64_t now = env_now(t->tasks->env);

		timer_start(&t->timer, until > now ? until - now : 0);
	}
	t->cancelable = cancelable;
	t->state = TASK_SUSPENDED;
	fiber_suspend(t->fiber);
	return t->woken;
}

void
task_resume(struct task *t, int woken)
{
	if (t->state != TASK_SUSPENDED)
		return;
	timer_stop(&t->timer);
	t->woken = woken;
	ready_push(t);
}

static void
on_timer(void *arg)
{
	task_resume(arg, ERR_TIMEOUT);
}

int
task_yield(struct env *env)
{
	struct task *t = task_current(env);
	int err = task_sticky(t);

	if (err != ERR_OK)
		return err;
	ready_push(t);
	fiber_suspend(t->fiber);
	return task_sticky(t);
}

/* ---- deadline and cancellation of the running task ---- */

uint64_t
task_deadline(struct env *env, uint64_t deadline)
{
	struct task *t = task_current(env);
	uint64_t old = t->deadline;

	if (deadline != 0 && (old == 0 || deadline < old))
		t->deadline = deadline;
	return old;
}

void
task_deadline_restore(struct env *env, uint64_t old)
{
	task_current(env)->deadline = old;
}

bool
task_canceled(const struct env *env)
{
	return task_current(env)->canceled;
}

/* ---- groups ---- */

void
task_group_init(struct task_group *g, struct env *env)
{
	*g = (struct task_group){ .env = env };
}

static void
task_main(void *arg)
{
	struct task *t = arg;

	(void)t->fn(t->arg); /* by contract the answer lies in arg */
}

int
task_spawn(struct task_group *g, const char *name, int (*fn)(void *arg), void *arg)
{
	struct tasks *tasks = g->env->tasks;
	struct task *t;

	if (g->canceled)
		return ERR_CANCELED;
	if (tasks->live >= tasks->live_max)
		return ERR_BUSY;
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return ERR_NOMEM;
	t->fiber = task_stacks_get(tasks->stacks);
	if (t->fiber == NULL) {
		free(t);
		return ERR_NOMEM;
	}
	t->fiber->entry = task_main;
	t->fiber->arg = t;
	t->tasks = tasks;
	t->group = g;
	t->name = name;
	t->fn = fn;
	t->arg = arg;
	t->deadline = tasks->current != NULL ? tasks->current->deadline : 0;
	timer_init(&t->timer, g->env, on_timer, t);
	t->next = g->children;
	if (t->next != NULL)
		t->next->prev = t;
	g->children = t;
	g->live++;
	tasks->live++;
	ready_push(t);
	return ERR_OK;
}

size_t
task_group_live(const struct task_group *g)
{
	return g->live;
}

int
task_group_wait(struct task_group *g, size_t live_max)
{
	while (g->live > live_max) {
		struct task *t = task_current(g->env);
		int err = task_sticky(t);

		if (err != ERR_OK)
			return err;
		must(g->waiter == NULL && t->group != g);
		g->waiter = t;
		g->waiter_live_max = live_max;
		err = task_suspend(t, true, 0);
		g->waiter = NULL;
		if (err != ERR_OK && g->live > live_max)
			return err;
	}
	return ERR_OK;
}

void
task_group_cancel(struct task_group *g)
{
	g->canceled = true;
	for (struct task *t = g->children; t != NULL; t = t->next) {
		t->canceled = true;
		if (t->state == TASK_SUSPENDED && t->cancelable)
			task_resume(t, ERR_CANCELED);
	}
}

void
task_group_fini(struct task_group *g)
{
	task_group_cancel(g);
	must(g->waiter == NULL);
	while (g->live > 0) {
		struct task *t = task_current(g->env);

		must(t->group != g);
		g->waiter = t;
		g->waiter_live_max = 0;
		(void)task_suspend(t, false, 0); /* only the last child's end resumes it */
		g->waiter = NULL;
	}
}

int
task_together(struct env *env, const char *name, int (*fn)(void *arg), void *arg, size_t times)
{
	struct task_group group;
	int err = ERR_OK;

	task_group_init(&group, env);
	for (size_t i = 0; i < times && err == ERR_OK; i++)
		err = task_spawn(&group, name, fn, arg);
	if (err == ERR_OK)
		err = task_group_wait(&group, 0);
	task_group_fini(&group);
	return err;
}

void
task_group_shutdown(struct task_group *g, void (*on_empty)(void *arg), void *arg)
{
	must(g->on_empty == NULL && g->waiter == NULL);
	task_group_cancel(g);
	g->on_empty = on_empty;
	g->on_empty_arg = arg;
	group_tell_empty(g);
}
