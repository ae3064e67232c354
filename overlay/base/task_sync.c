/*
 * What tasks wait for: one-shots, time, and their turn at a semaphore. A result
 * that is there wins over cancellation and deadline, so that what was handed over
 * is never lost between the giver and a task that is told to stop.
 */
#include "overlay/base/task_private.h"

/* ---- one-shots ---- */

void
wait_init(struct wait *w)
{
	*w = (struct wait){ .result = ERR_OK };
}

void
wait_wake(struct wait *w, int result)
{
	if (w->done)
		return;
	w->done = true;
	w->result = result;
	if (w->task != NULL)
		task_resume(w->task, ERR_OK);
}

/* The absolute end of a span that starts now; 0 stays "none". */
static uint64_t
end_of(const struct env *env, uint64_t span)
{
	uint64_t now = env_now(env);

	if (span == 0)
		return 0;
	return span > UINT64_MAX - now ? UINT64_MAX : now + span;
}

int
wait_for(struct env *env, struct wait *w, uint64_t timeout)
{
	struct task *t = task_current(env);
	int err;

	if (w->done)
		return w->result;
	err = task_sticky(t);
	if (err != ERR_OK)
		return err;
	must(w->task == NULL);
	w->task = t;
	err = task_suspend(t, true, end_of(env, timeout));
	w->task = NULL;
	if (w->done)
		return w->result;
	must(err != ERR_OK);
	return err;
}

bool
wait_time_came(struct env *env, int err, uint64_t at)
{
	return err == ERR_TIMEOUT && env_now(env) >= at;
}

int
wait_always(struct env *env, struct wait *w)
{
	struct task *t = task_current(env);

	if (!w->done) {
		must(w->task == NULL);
		w->task = t;
		(void)task_suspend(t, false, 0); /* only wait_wake resumes it */
		w->task = NULL;
		must(w->done);
	}
	return w->result;
}

/* ---- time ---- */

int
task_sleep(struct env *env, uint64_t delay)
{
	struct task *t = task_current(env);
	uint64_t end = end_of(env, delay);
	int err;

	if (delay == 0)
		return task_yield(env);
	err = task_sticky(t);
	if (err != ERR_OK)
		return err;
	err = task_suspend(t, true, end);
	/* The task's own deadline came first, or the nap is over. */
	if (err == ERR_TIMEOUT && (t->deadline == 0 || end <= t->deadline))
		return ERR_OK;
	return err;
}

/* ---- semaphores ---- */

struct semaphore_waiter {   /* on the stack of the task that waits */
	struct wait handed; /* woken: holds the semaphore */
	struct semaphore_waiter *prev, *next;
};

void
semaphore_init(struct semaphore *s, size_t limit)
{
	*s = (struct semaphore){ .free = limit };
}

static void
waiter_unlink(struct semaphore *s, struct semaphore_waiter *w)
{
	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		s->head = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	else
		s->tail = w->prev;
}

bool
semaphore_try(struct semaphore *s)
{
	if (s->free == 0)
		return false;
	s->free--;
	return true;
}

int
semaphore_acquire(struct env *env, struct semaphore *s)
{
	int err = task_sticky(task_current(env));
	struct semaphore_waiter w;

	if (err != ERR_OK || semaphore_try(s))
		return err;
	wait_init(&w.handed);
	w.next = NULL;
	w.prev = s->tail;
	if (s->tail != NULL)
		s->tail->next = &w;
	else
		s->head = &w;
	s->tail = &w;
	err = wait_for(env, &w.handed, 0);
	if (err != ERR_OK)
		waiter_unlink(s, &w);
	return err;
}

void
semaphore_release(struct semaphore *s)
{
	struct semaphore_waiter *w = s->head;

	if (w == NULL) {
		s->free++;
		return;
	}
	waiter_unlink(s, w);
	wait_wake(&w->handed, ERR_OK);
}
