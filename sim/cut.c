/*
 * Who is cut off from whom: islands, outages, and the loss of poor lines. Asked for
 * every datagram, so the answers are a bit, a counter and at most two draws. An outage counts
 * itself at each node of its scope when it begins, and takes that back when it ends.
 */
#include "sim/world.h"

#include <stdlib.h>

struct outage {
	struct outage *next;
	struct sim_world *world;
	uint64_t number;
	struct sim_scope scope;
	struct timer over;
};

/* ---- partitions ---- */

void
sim_partition(struct sim_world *w,
    bool (*blocked)(void *arg, const struct addr *from, const struct addr *to), void *arg)
{
	w->blocked = blocked;
	w->blocked_arg = arg;
}

void
sim_node_island(struct env *env, unsigned island)
{
	must(island < SIM_ISLANDS);
	node_of(env)->island = (uint8_t)island;
}

void
sim_cut(struct sim_world *w, unsigned from, unsigned to)
{
	must(from < SIM_ISLANDS && to < SIM_ISLANDS);
	w->cuts[from] |= UINT64_C(1) << to;
}

void
sim_cut_off(struct sim_world *w, unsigned island)
{
	for (unsigned other = 0; other < SIM_ISLANDS; other++) {
		if (other == island)
			continue;
		sim_cut(w, island, other);
		sim_cut(w, other, island);
	}
}

void
sim_cut_all(struct sim_world *w)
{
	for (unsigned island = 0; island < SIM_ISLANDS; island++)
		sim_cut_off(w, island);
}

void
sim_heal(struct sim_world *w)
{
	memset(w->cuts, 0, sizeof(w->cuts));
}

bool
world_blocked(const struct sim_world *w, const struct sim_node *from, const struct sim_node *to)
{
	return (w->cuts[from->island] >> to->island & 1) != 0 ||
	       (w->blocked != NULL && w->blocked(w->blocked_arg, &from->ip, &to->ip));
}

/* ---- outages ---- */

static void
outage_count(void *arg, struct sim_node *n)
{
	const struct outage *o = arg;

	n->outages += sim_scope_holds(&o->scope, &n->ip, &n->place);
}

static void
outage_uncount(void *arg, struct sim_node *n)
{
	const struct outage *o = arg;

	n->outages -= sim_scope_holds(&o->scope, &n->ip, &n->place);
}

static void
outage_over(void *arg)
{
	struct outage *o = arg;
	struct outage **at = &o->world->outages;

	while (*at != o)
		at = &(*at)->next;
	*at = o->next;
	world_cancel(o->world, &o->over);
	world_each_node(o->world, outage_uncount, o);
	free(o);
}

uint64_t
sim_outage(struct sim_world *w, const struct sim_scope *scope, uint64_t ns)
{
	struct outage *o = calloc(1, sizeof(*o));

	must(o != NULL);
	*o = (struct outage){
		.next = w->outages, .world = w, .number = ++w->outages_begun, .scope = *scope
	};
	w->outages = o;
	event_init(&o->over, outage_over, o);
	if (ns != SIM_FOREVER)
		world_at(w, &o->over, w->now + ns);
	world_each_node(w, outage_count, o);
	return o->number;
}

void
sim_outage_end(struct sim_world *w, uint64_t number)
{
	struct outage *o = w->outages;

	while (o != NULL && o->number != number)
		o = o->next;
	if (o != NULL)
		outage_over(o);
}

bool
sim_node_in_outage(const struct env *env)
{
	return node_of((struct env *)(uintptr_t)env)->outages > 0;
}

void
outages_meet(struct sim_node *n)
{
	for (struct outage *o = n->world->outages; o != NULL; o = o->next)
		outage_count(o, n);
}

void
outages_clear(struct sim_world *w)
{
	while (w->outages != NULL)
		outage_over(w->outages);
}

/* ---- poor lines ---- */

void
sim_node_loss(struct env *env, const struct sim_line_loss *loss)
{
	struct sim_node *n = node_of(env);
	bool poor = loss->out_ppm != 0 || loss->in_ppm != 0 || loss->burst_start_ppm != 0;

	n->world->poor_lines -= n->loss != NULL;
	n->world->poor_lines += poor;
	if (!poor) {
		free(n->loss);
		n->loss = NULL;
		return;
	}
	if (n->loss == NULL)
		n->loss = calloc(1, sizeof(*n->loss));
	must(n->loss != NULL);
	n->loss->is = *loss;
}

/* One datagram on the line of n. */
static bool
line_loses(struct sim_random *r, struct line_loss *l, uint32_t ppm)
{
	l->bad = l->bad ? !sim_random_chance(r, l->is.burst_end_ppm)
			: sim_random_chance(r, l->is.burst_start_ppm);
	return sim_random_chance(r, ppm) || (l->bad && sim_random_chance(r, l->is.burst_loss_ppm));
}

bool
world_loses(struct sim_world *w, struct sim_node *from, struct sim_node *to)
{
	if (sim_random_chance(&w->random, w->faults.loss_ppm))
		return true;
	return (from->loss != NULL && line_loses(&w->random, from->loss, from->loss->is.out_ppm)) ||
	       (to->loss != NULL && line_loses(&w->random, to->loss, to->loss->is.in_ppm));
}

/* In the long run: what bursts lose by the share of time that they last. */
static uint64_t
mean_ppm(const struct line_loss *l, uint32_t ppm)
{
	uint64_t both = (uint64_t)l->is.burst_start_ppm + l->is.burst_end_ppm;

	if (l->is.burst_start_ppm == 0)
		return ppm;
	return ppm + (uint64_t)l->is.burst_loss_ppm * l->is.burst_start_ppm / both;
}

uint32_t
world_loss_ppm(const struct sim_world *w, const struct addr *from_ip, const struct addr *to_ip)
{
	uint64_t ppm = w->faults.loss_ppm;
	const struct sim_node *from, *to;

	if (w->poor_lines == 0)
		return (uint32_t)ppm;
	from = world_node(w, from_ip);
	to = world_node(w, to_ip);
	if (from != NULL && from->loss != NULL)
		ppm += mean_ppm(from->loss, from->loss->is.out_ppm);
	if (to != NULL && to->loss != NULL)
		ppm += mean_ppm(to->loss, to->loss->is.in_ppm);
	return (uint32_t)MIN(ppm, SIM_PPM);
}
