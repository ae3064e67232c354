/*
 * Clogged links and lines, found by address: a table of (from, to), a whole line is
 * (its address, nobody). Events that arrive while it lasts are held in a row
 * and armed again, all for one instant, when it ends: equal times fire in order of arming.
 * Nothing is looked up while there is no clog.
 */
#include "sim/stream.h"

#include <stdlib.h>

#define BUCKETS 256 /* of hundreds of links at once, in a world that has any */

struct clog {
	struct clog *next;
	struct sim_world *world;
	struct addr from, to; /* to.family 0: the whole line */
	struct timer over;
	struct timer **held; /* datagrams */
	size_t held_count, held_cap;
	struct pipe *pipes;
};

static struct clog **
clog_slot(const struct sim_world *w, const struct addr *from, const struct addr *to)
{
	static const struct addr nobody;
	uint64_t hash = sim_mix_bytes(from->family, bytes_of(from->ip, sizeof(from->ip)));
	struct clog **at;

	if (to == NULL)
		to = &nobody;
	hash = sim_mix_bytes(hash, bytes_of(to->ip, sizeof(to->ip)));
	at = &w->clogs[hash % BUCKETS];
	while (*at != NULL && (memcmp((*at)->from.ip, from->ip, sizeof(from->ip)) != 0 ||
				  (*at)->from.family != from->family ||
				  memcmp((*at)->to.ip, to->ip, sizeof(to->ip)) != 0 ||
				  (*at)->to.family != to->family))
		at = &(*at)->next;
	return at;
}

struct clog *
world_clog(const struct sim_world *w, const struct addr *from, const struct addr *to)
{
	struct clog *c;

	if (w->clogs_count == 0)
		return NULL;
	c = *clog_slot(w, from, NULL);
	if (c == NULL)
		c = *clog_slot(w, to, NULL);
	if (c == NULL)
		c = *clog_slot(w, from, to);
	return c;
}

bool
clog_hold(struct clog *c, struct timer *datagram)
{
	if (c->held_count == SIM_CLOG_QUEUE)
		return false;
	if (c->held_count == c->held_cap) {
		c->held_cap = MAX(2 * c->held_cap, (size_t)8);
		c->held = realloc(c->held, c->held_cap * sizeof(*c->held));
		must(c->held != NULL);
	}
	c->held[c->held_count++] = datagram;
	return true;
}

void
clog_hold_pipe(struct clog *c, struct pipe *p)
{
	must(p->held_at == NULL);
	p->held_next = c->pipes;
	p->held_at = &c->pipes;
	if (c->pipes != NULL)
		c->pipes->held_at = &p->held_next;
	c->pipes = p;
}

void
clog_forget_pipe(struct pipe *p)
{
	if (p->held_at == NULL)
		return;
	*p->held_at = p->held_next;
	if (p->held_next != NULL)
		p->held_next->held_at = p->held_at;
	p->held_next = NULL;
	p->held_at = NULL;
}

static void
clog_over(void *arg)
{
	struct clog *c = arg;
	struct sim_world *w = c->world;
	struct clog **at = clog_slot(w, &c->from, &c->to);

	must(*at == c);
	*at = c->next;
	w->clogs_count--;
	world_cancel(w, &c->over);
	for (size_t i = 0; i < c->held_count; i++)
		world_at(w, c->held[i], w->now);
	while (c->pipes != NULL) {
		struct pipe *p = c->pipes;

		clog_forget_pipe(p);
		world_at(w, &p->arrive, w->now);
	}
	free(c->held);
	free(c);
}

void
sim_clog(struct sim_world *w, const struct addr *from, const struct addr *to, uint64_t ns)
{
	struct clog **at, *c;

	if (w->clogs == NULL)
		w->clogs = calloc(BUCKETS, sizeof(struct clog *));
	must(w->clogs != NULL);
	at = clog_slot(w, from, to);
	if (*at == NULL) {
		c = calloc(1, sizeof(*c));
		must(c != NULL);
		c->world = w;
		c->from = *from;
		if (to != NULL)
			c->to = *to;
		event_init(&c->over, clog_over, c);
		*at = c;
		w->clogs_count++;
	}
	c = *at;
	world_cancel(w, &c->over);
	if (ns != SIM_FOREVER)
		world_at(w, &c->over, w->now + ns);
}

uint64_t
sim_clog_left(const struct sim_world *w, const struct addr *from, const struct addr *to)
{
	const struct clog *c = w->clogs == NULL ? NULL : *clog_slot(w, from, to);

	if (c == NULL)
		return 0;
	return timer_armed(&c->over) ? c->over.due - w->now : SIM_FOREVER;
}

void
sim_unclog(struct sim_world *w, const struct addr *from, const struct addr *to)
{
	struct clog *c = w->clogs == NULL ? NULL : *clog_slot(w, from, to);

	if (c != NULL)
		clog_over(c);
}

void
sim_unclog_all(struct sim_world *w)
{
	for (size_t i = 0; w->clogs != NULL && i < BUCKETS; i++) {
		while (w->clogs[i] != NULL)
			clog_over(w->clogs[i]);
	}
}
