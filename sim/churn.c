/*
 * One timer of the director for each member: while it is up, the end of its session (or life);
 * while it is offline, its return. Draws come from a stream of their own.
 */
#include "sim/churn.h"

#include <stdlib.h>

#include "overlay/base/err.h"

struct churn {
	struct fleet *fleet;
	struct sim_random random;
	struct timer *timers; /* one for each slot, Sybils' not: they stay */
	uint64_t *life_ends;  /* on sim_now's scale; UINT64_MAX: never */
	size_t count;
	struct churn_slot {
		struct churn *churn;
		uint32_t index;
	} * slots;
	bool ended;
};

static uint64_t
draw(struct churn *c, const struct lifetime *l, const struct member *m)
{
	return lifetime_draw(
	    l, &c->random, sim_now(fleet_world(c->fleet)), sim_place_zone(&m->place));
}

/* first: the beginning of the run found it somewhere in the middle. */
static uint64_t
draw_first(struct churn *c, const struct lifetime *l, const struct member *m, bool first)
{
	if (!first)
		return draw(c, l, m);
	return lifetime_rest(
	    l, &c->random, sim_now(fleet_world(c->fleet)), sim_place_zone(&m->place));
}

/* The rest of an absence that the beginning of the run found somewhere in the middle. */
static void
plan_return(struct churn *c, const struct member *m)
{
	const struct lifetime *l = &fleet_scenario(c->fleet)->absence;

	/* By day all come at the end of what is left of it, whenever they went. */
	timer_start(&c->timers[m->index], draw_first(c, l, m, l->kind != LIFETIME_DIURNAL));
}

static bool
is_set(const struct lifetime *l)
{
	return l->kind != LIFETIME_NONE;
}

static void
born(struct churn *c, const struct member *m, bool first)
{
	const struct lifetime *l = &fleet_scenario(c->fleet)->life;

	c->life_ends[m->index] =
	    is_set(l) ? sim_now(fleet_world(c->fleet)) + draw_first(c, l, m, first) : UINT64_MAX;
}

static void
plan_end(struct churn *c, const struct member *m, bool first)
{
	const struct lifetime *l = &fleet_scenario(c->fleet)->session;
	uint64_t now = sim_now(fleet_world(c->fleet)), life = c->life_ends[m->index];
	uint64_t session = UINT64_MAX;

	if (is_set(l))
		session = draw_first(c, l, m, first);
	if (life != UINT64_MAX)
		session = MIN(session, life > now ? life - now : 0);
	if (session != UINT64_MAX)
		timer_start(&c->timers[m->index], session);
}

static void
end_session(struct churn *c, struct member *m)
{
	bool over = c->life_ends[m->index] <= sim_now(fleet_world(c->fleet));
	bool crash = sim_random_chance(&c->random, fleet_scenario(c->fleet)->crash_ppm);

	if (over)
		fleet_stop(m, FLEET_SILENT, true);
	else if (crash)
		fleet_stop(
		    m, sim_random_chance(&c->random, 500000) ? FLEET_KILLED : FLEET_SILENT, false);
	else
		fleet_stop(m, FLEET_FAREWELL, false);
}

static void
strike(void *arg)
{
	struct churn_slot *slot = arg;
	struct churn *c = slot->churn;
	struct member *m = fleet_member(c->fleet, slot->index);

	if (m->state == MEMBER_OFFLINE)
		fleet_start(m);
	else if (m->state == MEMBER_UP && !c->ended)
		end_session(c, m);
}

void
churn_changed(struct churn *c, struct member *m)
{
	const struct lifetime *absence = &fleet_scenario(c->fleet)->absence;
	uint64_t now = sim_now(fleet_world(c->fleet));

	if (m->index >= c->count)
		return;
	if (m->state == MEMBER_UP) {
		/* Of an absence that another cut short. */
		timer_stop(&c->timers[m->index]);
		if (!c->ended)
			plan_end(c, m, false);
		return;
	}
	if (m->state != MEMBER_OFFLINE)
		return;
	if (c->life_ends[m->index] <= now) { /* its heir */
		born(c, m, false);
		timer_start(&c->timers[m->index], 0);
	} else if (m->due) { /* who holds it down starts it */
		timer_stop(&c->timers[m->index]);
	} else {
		timer_start(
		    &c->timers[m->index], is_set(absence) && !c->ended ? draw(c, absence, m) : 0);
	}
}

struct churn *
churn_new(struct fleet *f)
{
	struct churn *c = calloc(1, sizeof(*c));

	must(c != NULL);
	c->fleet = f;
	c->count = fleet_count(f);
	c->timers = calloc(c->count, sizeof(*c->timers));
	c->life_ends = calloc(c->count, sizeof(*c->life_ends));
	c->slots = calloc(c->count, sizeof(*c->slots));
	must(c->timers != NULL && c->life_ends != NULL && c->slots != NULL);
	c->random = *fleet_dice(f);
	(void)sim_random_u64(fleet_dice(f));
	sim_random_init(&c->random, sim_random_u64(&c->random), 0xc4u);
	for (size_t i = 0; i < c->count; i++) {
		struct member *m = fleet_member(f, i);

		c->slots[i] = (struct churn_slot){ .churn = c, .index = (uint32_t)i };
		timer_init(&c->timers[i], fleet_director(f), strike, &c->slots[i]);
		born(c, m, true);
		if (m->state == MEMBER_UP)
			plan_end(c, m, true);
		else if (is_set(&fleet_scenario(f)->absence))
			plan_return(c, m);
	}
	return c;
}

void
churn_end(struct churn *c)
{
	c->ended = true;
	for (size_t i = 0; i < c->count; i++) {
		struct member *m = fleet_member(c->fleet, i);

		timer_stop(&c->timers[i]);
		if (m->state == MEMBER_OFFLINE)
			timer_start(&c->timers[i], 0);
	}
}

void
churn_free(struct churn *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->count; i++)
		timer_stop(&c->timers[i]);
	free(c->timers);
	free(c->life_ends);
	free(c->slots);
	free(c);
}
