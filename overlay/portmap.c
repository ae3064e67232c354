/*
 * A timer submits one blocking attempt at a time to a worker; what comes back is compared
 * with what was known. A failed attempt is tried again later, and an earlier mapping is
 * then taken for lost. Shutdown waits for the attempt under way and sends one last job.
 */
#include "overlay/portmap.h"

#include <stdlib.h>

struct portmap {
	struct portmap_opts opts;
	struct timer timer;
	struct work work;
	bool running, unmapping;
	uint16_t outside_port;
	struct portmap_result attempt; /* the worker's while running */
	struct portmap_result now;
	void (*done)(void *arg);
	void *done_arg;
};

static void submit(struct portmap *p);

static void
run(struct work *w)
{
	struct portmap *p = container_of(w, struct portmap, work);

	if (p->unmapping) {
		p->opts.ops->unmap(p->opts.port, &p->attempt);
		return;
	}
	memset(&p->attempt, 0, sizeof(p->attempt));
	p->opts.ops->map(p->opts.port, p->outside_port, &p->attempt);
}

static void
finish(struct portmap *p)
{
	void (*done)(void *arg) = p->done;

	p->done = NULL;
	done(p->done_arg);
}

static bool
same(const struct portmap_result *a, const struct portmap_result *b)
{
	return a->method == b->method &&
	       (a->method == PORTMAP_NONE || addr_equal(&a->external, &b->external));
}

static void
ran(struct work *w)
{
	struct portmap *p = container_of(w, struct portmap, work);
	bool changed;

	p->running = false;
	if (p->unmapping) {
		finish(p);
		return;
	}
	changed = !same(&p->attempt, &p->now);
	p->now = p->attempt;
	p->outside_port = p->now.method != PORTMAP_NONE ? p->now.external.port : p->opts.port;
	if (p->done != NULL) {
		submit(p);
		return;
	}
	timer_start(&p->timer, p->now.method == PORTMAP_NONE ? PORTMAP_RETRY : PORTMAP_RENEW);
	if (changed)
		p->opts.changed(p->opts.arg, &p->now);
}

static void
submit(struct portmap *p)
{
	p->unmapping = p->done != NULL;
	if (p->unmapping && p->now.method == PORTMAP_NONE) {
		finish(p);
		return;
	}
	p->attempt = p->now;
	p->running = true;
	if (env_work_submit(p->opts.env, WORK_DISK, &p->work) == ERR_OK)
		return;
	/* The pool is full of more important work; a lease ends by itself. */
	p->running = false;
	if (p->unmapping)
		finish(p);
	else
		timer_start(&p->timer, PORTMAP_RETRY);
}

static void
due(void *arg)
{
	submit(arg);
}

int
portmap_new(const struct portmap_opts *opts, struct portmap **out)
{
	struct portmap *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return ERR_NOMEM;
	p->opts = *opts;
	if (p->opts.ops == NULL)
		p->opts.ops = &portmap_libraries;
	p->outside_port = opts->port;
	p->work.run = run;
	p->work.done = ran;
	timer_init(&p->timer, opts->env, due, p);
	timer_start(&p->timer, 0);
	*out = p;
	return ERR_OK;
}

const struct portmap_result *
portmap_now(const struct portmap *p)
{
	return &p->now;
}

void
portmap_shutdown(struct portmap *p, void (*done)(void *arg), void *arg)
{
	must(p->done == NULL);
	timer_stop(&p->timer);
	p->done = done;
	p->done_arg = arg;
	if (!p->running)
		submit(p);
}

void
portmap_free(struct portmap *p)
{
	if (p == NULL)
		return;
	must(!p->running);
	timer_stop(&p->timer);
	free(p);
}
