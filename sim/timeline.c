/*
 * Two timers of the director for each fault. Who is struck is drawn when it begins and remembered
 * until it ends. What needs the network (cuts, outages) is told to the world, what needs a machine
 * goes to its env or disk; a member that is offline is struck by what lasts when it comes back.
 */
#include "sim/timeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/scenario.h"
#include "sim/spoil.h"

#define SLOW_FACTOR  50  /* of a slow processor or disk */
#define CRASH_POINTS 200 /* of a disk: some seconds of work */
#define SYBIL_BITS   8   /* beyond log2 of the members: closer than anybody honest */

struct strike {
	struct timeline *timeline;
	const struct fault *fault;
	struct timer begin, end;
	uint64_t from, to;
	bool active;
	unsigned island; /* each fault has its own; 0 is the mainland */
	uint64_t outage;
	uint32_t *struck; /* indices of members */
	size_t count;
};

struct timeline {
	struct fleet *fleet;
	struct sim_random random;
	struct strike *strikes;
	size_t count;
	struct fault_clock clock;
};

/* ---- who ---- */

/* The place that a fault names; false: anywhere. net: of which /24 is meant. */
static bool
scope_of(const struct fault *f, const struct member *net, struct sim_scope *out)
{
	memset(out, 0, sizeof(*out));
	if (strncmp(f->where, "country ", 8) == 0) {
		out->kind = SIM_SCOPE_COUNTRY;
		(void)snprintf(out->country, sizeof(out->country), "%.2s", f->where + 8);
	} else if (strncmp(f->where, "region ", 7) == 0) {
		out->kind = SIM_SCOPE_REGION;
		while (out->region < SIM_REGIONS - 1 &&
		       strcmp(sim_region_name(out->region), f->where + 7) != 0)
			out->region++;
	} else if (strncmp(f->where, "as ", 3) == 0) {
		/* Of the country with the most members: number 0 is its largest provider. */
		out->kind = SIM_SCOPE_AS;
		out->as_number = sim_as_number(net->place.country,
		    (unsigned)strtoul(f->where + 3, NULL, 10) % SIM_AS_PER_COUNTRY);
	} else if (strcmp(f->where, "net24") == 0) {
		out->kind = SIM_SCOPE_NET;
		out->net = net->contact.addr;
	} else {
		return false;
	}
	return true;
}

/* A share of those it may strike, or so many; shuffled, so that the first are as good as any. */
static void
choose(struct strike *s)
{
	struct fleet *f = s->timeline->fleet;
	struct sim_random *r = &s->timeline->random;
	size_t n = fleet_count(f), fit = 0, want;
	struct sim_scope scope;
	bool anywhere = !scope_of(s->fault, fleet_member(f, sim_random_below(r, n)), &scope);

	free(s->struck);
	s->struck = calloc(n, sizeof(*s->struck));
	must(s->struck != NULL);
	for (size_t i = 0; i < n; i++) {
		const struct member *m = fleet_member(f, i);
		bool disk = s->fault->kind >= FAULT_DISK_FULL && s->fault->kind <= FAULT_DISK_ROT;

		if ((anywhere || sim_scope_holds(&scope, &m->contact.addr, &m->place)) &&
		    (m->storing || !disk))
			s->struck[fit++] = (uint32_t)i;
	}
	for (size_t i = fit; i > 1; i--) {
		size_t j = (size_t)sim_random_below(r, i);
		uint32_t swap = s->struck[i - 1];

		s->struck[i - 1] = s->struck[j];
		s->struck[j] = swap;
	}
	want = s->fault->count > 0
		   ? (size_t)s->fault->count
		   : (size_t)((fit * (uint64_t)s->fault->share_ppm + SIM_PPM - 1) / SIM_PPM);
	s->count = MIN(want, fit);
}

/* ---- what ---- */

static void
set_rates(struct strike *s, bool on)
{
	const struct scenario *sc = fleet_scenario(s->timeline->fleet);
	struct sim_faults faults = { sc->loss_ppm, sc->duplicate_ppm, sc->reorder_ppm };

	if (on)
		faults.loss_ppm = s->fault->rate_ppm;
	sim_set_faults(fleet_world(s->timeline->fleet), &faults);
}

static void
stop_one(const struct strike *s, struct member *m)
{
	switch (s->fault->kind) {
	case FAULT_POWER:
		m->power |= m->state != MEMBER_OFFLINE;
		fleet_hold(m, FLEET_SILENT, false);
		break;
	case FAULT_GONE:
		fleet_hold(m, FLEET_SILENT, true);
		break;
	default:
		fleet_hold(m, FLEET_KILLED, false);
	}
}

/* What lasts on a machine, also when the member comes up under it. */
static void
press(const struct strike *s, struct member *m)
{
	struct sim_disk *d = m->disk;
	const struct fault *f = s->fault;

	if (m->env == NULL || sim_node_dead(m->env))
		return;
	switch (f->kind) {
	case FAULT_DISK_FULL:
		sim_disk_set_capacity(d, 1);
		break;
	case FAULT_DISK_EIO:
		sim_disk_error_rate(d, SIM_DISK_WRITE | SIM_DISK_SYNC | SIM_DISK_READ, f->rate_ppm);
		break;
	case FAULT_DISK_SLOW:
		sim_disk_slow(d, SLOW_FACTOR);
		break;
	case FAULT_CPU_SLOW:
		sim_node_work_time(m->env, WORK_CPU, SLOW_FACTOR * SIM_WORK_CPU);
		break;
	case FAULT_PARTITION:
		sim_node_island(m->env, s->island);
		break;
	default:
		break;
	}
}

static void
release(const struct strike *s, struct member *m)
{
	switch (s->fault->kind) {
	case FAULT_KILL:
	case FAULT_POWER:
	case FAULT_GONE:
		fleet_let_go(m);
		return;
	case FAULT_DISK_CRASH:
		sim_disk_arm(m->disk, NULL);
		fleet_let_go(m);
		return;
	case FAULT_DISK_FULL:
		sim_disk_set_capacity(m->disk, SIM_DISK_CAPACITY);
		return;
	case FAULT_DISK_EIO:
		sim_disk_error_rate(m->disk, 0, 0);
		return;
	case FAULT_DISK_SLOW:
		sim_disk_slow(m->disk, 1);
		return;
	case FAULT_LIE:
		fleet_make_liar(m, 0);
		return;
	default:
		break;
	}
	if (m->env == NULL)
		return;
	if (s->fault->kind == FAULT_CPU_SLOW)
		sim_node_work_time(m->env, WORK_CPU, SIM_WORK_CPU);
	else if (s->fault->kind == FAULT_PARTITION)
		sim_node_island(m->env, 0);
}

/* At one of its next writes or syncs; what was not synced then is kept or not, as after any loss
 * of power. */
static void
arm_crash(struct strike *s, struct member *m)
{
	struct sim_random *r = &s->timeline->random;

	m->power = sim_random_chance(r, 500000);
	sim_disk_arm(m->disk, &(struct sim_disk_fault){ .at = sim_disk_points(m->disk) + 1 +
							      sim_random_below(r, CRASH_POINTS),
				  .crash = true });
}

/* The machine stays down until the fault ends. */
static void
hold_crashed(struct member *m)
{
	if (m->state != MEMBER_OFFLINE || sim_disk_strikes(m->disk) == 0)
		return;
	fleet_hold(m, FLEET_SILENT, false);
	m->due = true; /* it ran, or its disk would not have crashed */
}

static void
strike_one(struct strike *s, struct member *m)
{
	switch (s->fault->kind) {
	case FAULT_KILL:
	case FAULT_POWER:
	case FAULT_GONE:
		stop_one(s, m);
		break;
	case FAULT_DISK_CRASH:
		arm_crash(s, m);
		break;
	case FAULT_DISK_ROT:
		(void)spoil_shards(m->disk, FLEET_DIR "/store");
		break;
	case FAULT_CLOCK:
		if (m->env != NULL)
			sim_node_clock(m->env, s->fault->jump_ms);
		break;
	case FAULT_LIE:
		fleet_make_liar(m, s->fault->lies);
		break;
	default:
		press(s, m);
	}
}

static void
place_sybils(struct strike *s)
{
	struct fleet *f = s->timeline->fleet;
	struct id target;
	unsigned bits = SYBIL_BITS;

	for (size_t n = fleet_count(f); n > 1; n /= 2)
		bits++;
	sim_random_bytes(&s->timeline->random, target.b, sizeof(target.b));
	for (uint64_t i = 0; i < s->fault->count; i++)
		(void)fleet_add_sybil(f, &target, bits, s->fault->lies);
}

/* A line each for itself or, every other one, a link to somebody: swizzled by their own spans. */
static void
clog_lines(struct strike *s)
{
	struct fleet *f = s->timeline->fleet;
	struct sim_random *r = &s->timeline->random;
	uint64_t now = sim_now(fleet_world(f)), left = s->to > now ? s->to - now : 0;

	for (size_t i = 0; i < s->count; i++) {
		const struct addr *from = &fleet_member(f, s->struck[i])->contact.addr;
		const struct addr *to =
		    &fleet_member(f, sim_random_below(r, fleet_count(f)))->contact.addr;

		sim_clog(fleet_world(f), from, sim_random_chance(r, 500000) ? to : NULL,
		    left / 2 + sim_random_below(r, left / 2 + 1));
	}
}

/* The place falls silent as a whole. */
static void
outage(struct strike *s)
{
	struct fleet *f = s->timeline->fleet;
	uint64_t now = sim_now(fleet_world(f));
	struct sim_scope scope;
	const struct member *one =
	    fleet_member(f, sim_random_below(&s->timeline->random, fleet_count(f)));

	if (scope_of(s->fault, one, &scope))
		s->outage = sim_outage(fleet_world(f), &scope, s->to > now ? s->to - now : 0);
}

static void
cut(struct strike *s)
{
	struct sim_world *w = fleet_world(s->timeline->fleet);

	sim_cut(w, s->island, 0);
	if (!s->fault->one_way)
		sim_cut(w, 0, s->island);
}

static void
begin(void *arg)
{
	struct strike *s = arg;
	struct fault_clock *c = &s->timeline->clock;

	s->active = true;
	c->active[s->fault->kind]++;
	c->begun[s->fault->kind]++;
	if (s->fault->kind == FAULT_LOSS) {
		set_rates(s, true);
		return;
	}
	if (s->fault->kind == FAULT_SYBILS) {
		place_sybils(s);
		return;
	}
	if (s->fault->kind == FAULT_OUTAGE) {
		outage(s);
		return;
	}
	if (s->fault->kind == FAULT_PARTITION)
		cut(s);
	choose(s);
	if (s->fault->kind == FAULT_CLOG) {
		clog_lines(s);
		return;
	}
	for (size_t i = 0; i < s->count; i++)
		strike_one(s, fleet_member(s->timeline->fleet, s->struck[i]));
}

static void
end(void *arg)
{
	struct strike *s = arg;

	if (!s->active)
		return;
	s->active = false;
	s->timeline->clock.active[s->fault->kind]--;
	if (s->fault->kind == FAULT_LOSS)
		set_rates(s, false);
	if (s->fault->kind == FAULT_OUTAGE)
		sim_outage_end(fleet_world(s->timeline->fleet), s->outage);
	if (s->fault->kind == FAULT_CLOG)
		sim_unclog_all(fleet_world(s->timeline->fleet));
	/* The way to an island stays cut; nobody is left on it. */
	for (size_t i = 0; i < s->count; i++)
		release(s, fleet_member(s->timeline->fleet, s->struck[i]));
}

void
timeline_changed(struct timeline *t, struct member *m)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct strike *s = &t->strikes[i];

		for (size_t j = 0; s->active && j < s->count; j++) {
			if (s->struck[j] != m->index)
				continue;
			if (m->state == MEMBER_UP)
				press(s, m);
			else if (s->fault->kind == FAULT_DISK_CRASH)
				hold_crashed(m);
		}
	}
}

const struct fault_clock *
timeline_clock(const struct timeline *t)
{
	return &t->clock;
}

static bool
tears(enum fault_kind kind)
{
	return kind == FAULT_DISK_ROT || kind == FAULT_LIE || kind == FAULT_DISK_EIO ||
	       kind == FAULT_DISK_CRASH || kind == FAULT_POWER;
}

bool
timeline_torn(const struct timeline *t, uint32_t index)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct strike *s = &t->strikes[i];

		for (size_t j = 0; tears(s->fault->kind) && j < s->count; j++) {
			if (s->struck[j] == index)
				return true;
		}
	}
	return false;
}

/* ---- life ---- */

static void
mark(struct result *r, const struct strike *s)
{
	struct result_mark *m = &r->marks[r->marks_count];

	if (r->marks_count == RESULT_MARKS)
		return;
	r->marks_count++;
	m->from = s->from;
	m->to = s->to;
	(void)snprintf(m->text, sizeof(m->text), "%s", s->fault->name);
}

struct timeline *
timeline_new(struct fleet *f, uint64_t span, struct result *r)
{
	const struct scenario *sc = fleet_scenario(f);
	struct timeline *t = calloc(1, sizeof(*t));

	must(t != NULL);
	t->fleet = f;
	t->count = sc->faults_count;
	t->strikes = calloc(MAX(t->count, (size_t)1), sizeof(*t->strikes));
	must(t->strikes != NULL);
	sim_random_init(&t->random, sim_random_u64(fleet_dice(f)), 0x71e);
	for (size_t i = 0; i < t->count; i++) {
		struct strike *s = &t->strikes[i];

		s->timeline = t;
		s->fault = &sc->faults[i];
		s->island = (unsigned)i + 1;
		scenario_fault_span(s->fault, span, &s->from, &s->to);
		timer_init(&s->begin, fleet_director(f), begin, s);
		timer_init(&s->end, fleet_director(f), end, s);
		timer_start(&s->begin, s->from);
		timer_start(&s->end, s->to);
		mark(r, s);
		s->to += sim_now(fleet_world(f));
		s->from += sim_now(fleet_world(f));
	}
	return t;
}

void
timeline_end(struct timeline *t)
{
	for (size_t i = 0; i < t->count; i++) {
		timer_stop(&t->strikes[i].begin);
		timer_stop(&t->strikes[i].end);
		end(&t->strikes[i]);
	}
}

void
timeline_free(struct timeline *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++) {
		timer_stop(&t->strikes[i].begin);
		timer_stop(&t->strikes[i].end);
		free(t->strikes[i].struck);
	}
	free(t->strikes);
	free(t);
}
