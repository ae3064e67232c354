/*
 * Work of tasks for the worker pools: env_offload puts a struct work on the
 * task's stack, submits it and sleeps until done comes back on the loop. When
 * the pool's queue is full the task stands in line; each of our works that comes
 * back lets the next one in. Full of other people's work, the pool is asked
 * again every OFFLOAD_RETRY.
 *
 * Nothing here is cancelled: the worker holds the task's buffers.
 */
#include "overlay/base/task_private.h"

#define OFFLOAD_RETRY MILLISECONDS(1) /* some ten works of the size worth a wake-up */

struct offload {
	struct work work;
	enum work_pool pool;
	int (*fn)(void *arg);
	void *arg;
	int result;
	struct wait finished;
	struct offload *next;
};

static void
run(struct work *w)
{
	struct offload *o = container_of(w, struct offload, work);

	o->result = o->fn(o->arg);
}

/* True when o is inside the pool. */
static bool
try_submit(struct env *env, struct offload *o)
{
	int err = env_work_submit(env, o->pool, &o->work);

	if (err == ERR_OK) {
		env->tasks->offloads[o->pool].running++;
		return true;
	}
	must(err == ERR_BUSY); /* the only failure that env_work_submit knows */
	return false;
}

/* Lets in as many as there is room for. */
static void
advance(struct env *env, enum work_pool pool)
{
	struct offload_queue *q = &env->tasks->offloads[pool];

	while (q->head != NULL && try_submit(env, q->head)) {
		q->head = q->head->next;
		if (q->head == NULL)
			q->tail = NULL;
	}
	if (q->head != NULL && q->running == 0 && !timer_armed(&env->tasks->offload_retry))
		timer_start(&env->tasks->offload_retry, OFFLOAD_RETRY);
}

static void
done(struct work *w)
{
	struct offload *o = container_of(w, struct offload, work);
	struct env *env = w->env;
	enum work_pool pool = o->pool;

	env->tasks->offloads[pool].running--;
	wait_wake(&o->finished, o->result);
	advance(env, pool);
}

static void
on_retry(void *arg)
{
	struct tasks *t = arg;

	advance(t->env, WORK_CPU);
	advance(t->env, WORK_DISK);
}

void
task_offload_init(struct tasks *t)
{
	timer_init(&t->offload_retry, t->env, on_retry, t);
}

void
task_offload_fini(struct tasks *t)
{
	must(t->offloads[WORK_CPU].head == NULL && t->offloads[WORK_DISK].head == NULL);
	must(t->offloads[WORK_CPU].running == 0 && t->offloads[WORK_DISK].running == 0);
	timer_stop(&t->offload_retry);
}

int
env_offload(struct env *env, enum work_pool pool, int (*fn)(void *arg), void *arg, size_t bytes)
{
	struct task *t = task_current(env);
	struct offload_queue *q = &t->tasks->offloads[pool];
	struct offload o = {
		.work = { .run = run, .done = done }, .pool = pool, .fn = fn, .arg = arg
	};

	if (pool == WORK_CPU && bytes < WORK_INLINE_MAX)
		return fn(arg);
	wait_init(&o.finished);
	if (q->tail != NULL)
		q->tail->next = &o;
	else
		q->head = &o;
	q->tail = &o;
	advance(env, pool);
	return wait_always(env, &o.finished);
}
