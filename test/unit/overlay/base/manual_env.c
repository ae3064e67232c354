/* See manual_env.h. */
#include "test/unit/overlay/base/manual_env.h"

#include <stdlib.h>

#include "overlay/base/task.h"

static uint64_t
now(const struct env *env)
{
	return container_of(env, struct manual_env, env)->now;
}

static void
start(struct timer *t, uint64_t delay)
{
	struct manual_env *m = container_of(t->env, struct manual_env, env);

	must(timer_heap_add(&m->timers, t, m->now + delay) == ERR_OK);
}

static void
stop(struct timer *t)
{
	timer_heap_remove(&container_of(t->env, struct manual_env, env)->timers, t);
}

static void
kick(struct env *env)
{
	struct manual_env *m = container_of(env, struct manual_env, env);

	m->kicked = true;
	m->kicks++;
}

static int
submit(struct env *env, enum work_pool pool, struct work *w)
{
	struct manual_env *m = container_of(env, struct manual_env, env);

	(void)pool;
	if (m->queued >= m->queue_max)
		return ERR_BUSY;
	w->next = NULL;
	if (m->queue_tail != NULL)
		m->queue_tail->next = w;
	else
		m->queue_head = w;
	m->queue_tail = w;
	m->queued++;
	return ERR_OK;
}

struct manual_env *
manual_env_new(size_t live_max, bool guard_pages, size_t queue_max)
{
	struct manual_env *m = calloc(1, sizeof(*m));

	must(m != NULL);
	m->ops = (struct env_ops){
		.now = now,
		.timer_start = start,
		.timer_stop = stop,
		.kick = kick,
		.work_submit = submit,
	};
	m->env.ops = &m->ops;
	m->now = SECONDS(1);
	m->queue_max = queue_max;
	timer_heap_init(&m->timers);
	m->env.tasks = tasks_new(&m->env, live_max, guard_pages);
	must(m->env.tasks != NULL);
	return m;
}

void
manual_env_free(struct manual_env *m)
{
	tasks_free(m->env.tasks);
	must(timer_heap_count(&m->timers) == 0);
	timer_heap_fini(&m->timers);
	must(m->queued == 0);
	free(m);
}

static bool
run_work(struct manual_env *m)
{
	struct work *w = m->queue_head;

	if (w == NULL)
		return false;
	m->queue_head = w->next;
	if (m->queue_head == NULL)
		m->queue_tail = NULL;
	m->queued--;
	w->run(w);
	w->done(w);
	return true;
}

bool
manual_env_turn(struct manual_env *m)
{
	struct timer *t;

	if (m->kicked) {
		m->kicked = false;
		tasks_run(m->env.tasks);
		return true;
	}
	if (run_work(m))
		return true;
	t = timer_heap_first(&m->timers);
	if (t == NULL)
		return false;
	m->now = MAX(m->now, t->due);
	t = timer_heap_pop(&m->timers, m->now);
	t->fire(t->arg);
	return true;
}

void
manual_env_run(struct manual_env *m)
{
	while (manual_env_turn(m))
		;
}
