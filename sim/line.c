/*
 * Processor sharing by a virtual clock: it counts what each transfer has got since
 * the line was last idle, so a transfer of b bytes ends when the clock has moved
 * on by b, however many share meanwhile. Transfers are kept in order of their end;
 * most are of one size and enter at the tail. One timer waits for the first.
 */
#include "sim/line.h"

#include <stdlib.h>

#define UNIT  65536 /* parts of a byte: what rounding may cost per event */
#define FRAME 1500  /* Ethernet's payload: what one transfer sends before the next has its turn */

struct line {
	struct sim_world *world;
	uint64_t rate;
	uint64_t datagrams_end; /* when those that came have passed */
	/* transfers */
	struct flow *first, *last;
	size_t count;
	uint64_t clock; /* units that each got */
	uint64_t since; /* when clock was true */
	uint64_t owed;  /* units that datagrams take from the transfers */
	struct timer end;
	bool orphan, busy;
};

static void
settle(struct line *l)
{
	if (!l->orphan || l->busy || l->count > 0)
		return;
	world_cancel(l->world, &l->end);
	free(l);
}

/* Moves the virtual clock to now. */
static void
serve(struct line *l)
{
	uint64_t now = l->world->now;
	unsigned __int128 got = (unsigned __int128)l->rate * (now - l->since) * UNIT / SECONDS(1);
	uint64_t paid = (uint64_t)MIN(got, l->owed);

	l->since = now;
	l->owed -= paid;
	if (l->count > 0)
		l->clock += (uint64_t)((got - paid) / l->count);
}

static void
await_first(struct line *l)
{
	struct flow *f = l->first;
	unsigned __int128 need;
	uint64_t speed = l->rate * UNIT;

	if (f == NULL) {
		world_cancel(l->world, &l->end);
		return;
	}
	if (l->rate == 0 || f->finish <= l->clock) {
		world_at(l->world, &l->end, l->world->now);
		return;
	}
	need = (unsigned __int128)(f->finish - l->clock) * l->count + l->owed;
	need = (need * SECONDS(1) + speed - 1) / speed;
	world_at(l->world, &l->end, l->world->now + (uint64_t)need);
}

static void
unlink_flow(struct line *l, struct flow *f)
{
	if (f->prev != NULL)
		f->prev->next = f->next;
	else
		l->first = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
	else
		l->last = f->prev;
	f->prev = f->next = NULL;
	f->line = NULL;
	l->count--;
}

static void
end_fire(void *arg)
{
	struct line *l = arg;

	serve(l);
	l->busy = true;
	while (l->first != NULL && (l->rate == 0 || l->first->finish <= l->clock)) {
		struct flow *f = l->first;

		unlink_flow(l, f);
		f->done(f->arg);
	}
	l->busy = false;
	await_first(l);
	settle(l);
}

struct line *
line_new(struct sim_world *w, uint64_t bytes_s)
{
	struct line *l = calloc(1, sizeof(*l));

	must(l != NULL && bytes_s > 0 && bytes_s <= SIM_RATE_MAX);
	l->world = w;
	l->rate = bytes_s;
	event_init(&l->end, end_fire, l);
	return l;
}

void
line_orphan(struct line *l)
{
	if (l == NULL)
		return;
	l->orphan = true;
	line_set_rate(l, 0);
	settle(l);
}

void
line_set_rate(struct line *l, uint64_t bytes_s)
{
	must(bytes_s <= SIM_RATE_MAX);
	serve(l);
	l->rate = bytes_s;
	if (bytes_s == 0)
		l->datagrams_end = 0;
	await_first(l);
}

uint64_t
line_rate(const struct line *l)
{
	return l == NULL ? 0 : l->rate;
}

void
line_enter(struct line *l, struct flow *f, size_t bytes)
{
	struct flow *after;

	must(f->line == NULL && l->rate > 0);
	serve(l);
	if (l->count == 0) {
		uint64_t wait = l->datagrams_end - MIN(l->datagrams_end, l->world->now);

		l->clock = 0;
		l->owed = (uint64_t)((unsigned __int128)l->rate * wait * UNIT / SECONDS(1));
	}
	f->line = l;
	f->finish = l->clock + (uint64_t)bytes * UNIT;
	for (after = l->last; after != NULL && after->finish > f->finish;)
		after = after->prev;
	f->prev = after;
	f->next = after == NULL ? l->first : after->next;
	if (f->prev != NULL)
		f->prev->next = f;
	else
		l->first = f;
	if (f->next != NULL)
		f->next->prev = f;
	else
		l->last = f;
	l->count++;
	if (!l->busy)
		await_first(l);
}

void
line_leave(struct flow *f)
{
	struct line *l = f->line;

	if (l == NULL)
		return;
	serve(l);
	unlink_flow(l, f);
	if (!l->busy)
		await_first(l);
	settle(l);
}

uint64_t
line_datagram(struct line *l, uint64_t at, size_t bytes)
{
	uint64_t load, cost = bytes;

	if (l == NULL || l->rate == 0)
		return at;
	load = MIN(l->count, SIM_LINE_LOAD);
	if (load > 0) {
		l->owed += (uint64_t)bytes * UNIT;
		cost = bytes * (load + 1);
		if (l->datagrams_end <= at)
			cost += load * FRAME;
	}
	l->datagrams_end = MAX(l->datagrams_end, at) + cost * SECONDS(1) / l->rate;
	return l->datagrams_end;
}

bool
line_full(const struct line *l, uint64_t ns)
{
	return l != NULL && l->datagrams_end > l->world->now + ns;
}
