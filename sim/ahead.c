/*
 * The memory of coming events is fetched before they come. Among 10,000 nodes nearly every event
 * is at a node whose memory no cache holds, and what it reads there is found through what it has
 * just read; each such step is a wait of its own. But which events come next is known, so the steps
 * are made ahead, each for another event: its timer, the node, what the node always reads, and for
 * a datagram what depends on who sent it. Changes nothing that anybody could see.
 */
#include "sim/world.h"

/* Events ahead, for each step. What was asked for comes within one or two. */
#define TIMER_AT  20
#define NODE_AT   14
#define HOT_AT    9
#define EXPECT_AT 7 /* and two less for each further step */

#define TIMER_BYTES 256 /* with what is behind it: the rest of a datagram's head, of a ping */

static_assert(TIMER_AT < AGENDA_AHEAD, "sorted by then");
static_assert(EXPECT_AT >= 2 * UDP_EXPECT_STEPS - 1, "the last one is before the event");

static line_run
run_of(const void *at, size_t len)
{
	uintptr_t first = (uintptr_t)at / RUN_LINE, last = ((uintptr_t)at + len - 1) / RUN_LINE;

	return first * RUN_LINE | MIN(last - first, (uintptr_t)RUN_LINE - 1);
}

void
sim_hot(struct env *env, const void *at, size_t len)
{
	line_run *hot = node_of(env)->hot;

	for (size_t i = 0; i < HOT_RUNS; i++)
		if (hot[i] == 0) {
			hot[i] = run_of(at, len);
			return;
		}
}

void
sim_timer_expect(struct timer *t, void (*expect)(void *arg, unsigned step))
{
	struct sim_node *n = node_of(t->env);

	n->expected = expect == NULL ? NULL : t;
	n->expect = expect;
}

static void
fetch(struct fetches *f, line_run run)
{
	f->runs[f->added++ % FETCH_RUNS] = run;
	f->begun = MAX(f->begun, f->added - MIN(f->added, (size_t)FETCH_RUNS));
}

static const struct sim_node *
node_ahead(struct timer *t)
{
	return t->env != NULL ? container_of(t->env, struct sim_node, env) : packet_receiver(t);
}

/* Most datagrams are answered, so who sent one gets one. */
static void
answer_ahead(struct sim_world *w, struct timer *t, unsigned step)
{
	const struct addr *from = t == NULL ? NULL : packet_from(t);

	if (from != NULL)
		world_node_expect(w, from, step);
}

void
world_look_ahead(struct sim_world *w)
{
	struct fetches *f = &w->fetches;
	struct timer *t = agenda_ahead(&w->events, TIMER_AT);
	const struct sim_node *n;

	if (t != NULL)
		fetch(f, run_of(t, TIMER_BYTES));
	t = agenda_ahead(&w->events, NODE_AT);
	n = t == NULL ? NULL : node_ahead(t);
	if (n != NULL)
		fetch(f, run_of(n, offsetof(struct sim_node, kick)));
	t = agenda_ahead(&w->events, HOT_AT);
	n = t == NULL ? NULL : node_ahead(t);
	if (n != NULL)
		for (size_t i = 0; i < HOT_RUNS && n->hot[i] != 0; i++)
			fetch(f, n->hot[i]);
}

static void
expect(struct timer *t, unsigned step)
{
	const struct sim_node *n;

	if (t->env == NULL) {
		packet_expect(t, step);
		return;
	}
	n = container_of(t->env, struct sim_node, env);
	if (n->expected == t)
		n->expect(t->arg, step);
}

void
world_expect(struct sim_world *w)
{
	struct timer *t;

	answer_ahead(w, agenda_ahead(&w->events, HOT_AT), 0);
	answer_ahead(w, agenda_ahead(&w->events, HOT_AT - 2), 1);
	for (unsigned step = 0; step < UDP_EXPECT_STEPS; step++) {
		t = agenda_ahead(&w->events, EXPECT_AT - 2 * step);
		if (t != NULL)
			expect(t, step);
	}
}
