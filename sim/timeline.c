/*
 * Two timers of the director for each fault. Who is struck is drawn when it begins and remembered
 * until it ends. What needs the network (cuts, outages) is told to the world, what needs a machine
 * goes to its env or disk; a member that is offline is struck by what lasts when it comes back.
 */
#include "sim/timeline.h"

#include <stdio.h>
#include <stdlib.h>

#include "dht/record.h"
#include "sim/scenario.h"
#include "sim/spoil.h"

#define SLOW_FACTOR  50  /* of a slow processor or disk */
#define CRASH_POINTS 200 /* of a disk: some seconds of work */
#define SYBIL_BITS   8   /* beyond log2 of the members: closer than anybody honest */

/* What a member has had from a strike. */
enum blow {
	BLOW_NONE,
	BLOW_STRUCK,
	BLOW_FELL, /* its disk did crash */
};

struct strike {
	struct timeline *timeline;
	const struct fault *fault;
	struct timer begin, end;
	uint64_t from, to;
	bool active;
	unsigned island; /* each fault has its own; 0 is the mainland */
	uint64_t outage;
	struct key owner;         /* of the record that Sybils surround */
	struct result_mark *mark; /* lent by the result */
	uint64_t order;           /* of its beginning, among all */
	uint32_t *struck;         /* indices of members */
	size_t count;
	uint8_t *blows; /* enum blow, by index of the member */
	size_t blows_count;
};

struct timeline {
	struct fleet *fleet;
	struct sim_random random;
	struct strike *strikes;
	size_t count;
	uint64_t begun;
	struct fault_clock clock;
};

/* ---- who ---- */

/* The place that a fault names now; nobody is in one that there is not. */
static struct sim_scope
scope_of(struct timeline *t, const struct fault *f)
{
	struct sim_scope s = { .kind = SIM_SCOPE_COUNTRY };
	size_t any = (size_t)sim_random_below(&t->random, fleet_count(t->fleet));

	if (strncmp(f->where, "country ", 8) == 0) {
		(void)snprintf(s.country, sizeof(s.country), "%.2s", f->where + 8);
	} else if (strncmp(f->where, "region ", 7) == 0) {
		s.kind = SIM_SCOPE_REGION;
		while (s.region < SIM_REGIONS - 1 &&
		       strcmp(sim_region_name(s.region), f->where + 7) != 0)
			s.region++;
	} else if (strncmp(f->where, "as ", 3) == 0) {
		s.kind = SIM_SCOPE_AS;
		(void)fleet_provider(
		    t->fleet, (unsigned)strtoul(f->where + 3, NULL, 10), &s.as_number);
	} else if (strcmp(f->where, "net24") == 0) {
		s.kind = SIM_SCOPE_NET;
		s.net = fleet_member(t->fleet, any)->contact.addr;
	}
	return s;
}

/* A share of those it may strike, or so many; shuffled, so that the first are as good as any. */
static void
choose(struct strike *s)
{
	struct fleet *f = s->timeline->fleet;
	struct sim_random *r = &s->timeline->random;
	size_t n = fleet_count(f), fit = 0, want;
	struct sim_scope scope = scope_of(s->timeline, s->fault);
	bool anywhere = s->fault->where[0] == '\0';

	free(s->struck);
	s->struck = calloc(n, sizeof(*s->struck));
	must(s->struck != NULL);
	for (size_t i = 0; i < n; i++) {
		const struct member *m = fleet_member(f, i);
		bool disk = s->fault->kind >= FAULT_DISK_FULL && s->fault->kind <= FAULT_DISK_ROT;

		if (m->ground == NULL &&
		    (anywhere || sim_scope_holds(&scope, &m->contact.addr, &m->place)) &&
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
	free(s->blows);
	s->blows = calloc(n, sizeof(*s->blows));
	must(s->blows != NULL);
	s->blows_count = n;
	for (size_t i = 0; i < s->count; i++)
		s->blows[s->struck[i]] = BLOW_STRUCK;
}

static enum blow
blow_to(const struct strike *s, uint32_t index)
{
	return index < s->blows_count ? (enum blow)s->blows[index] : BLOW_NONE;
}

/* ---- what ---- */

/* What all faults that strike a member now demand of it together. */
struct demand {
	bool held, disk_full, disk_slow, cpu_slow;
	uint32_t eio_ppm;
	unsigned lies, island;
	uint64_t island_order;
};

static void
add_demand(struct demand *d, const struct strike *s, enum blow blow)
{
	switch (s->fault->kind) {
	case FAULT_KILL:
	case FAULT_POWER:
	case FAULT_GONE:
		d->held = true;
		break;
	case FAULT_DISK_CRASH:
		d->held |= blow == BLOW_FELL;
		break;
	case FAULT_DISK_FULL:
		d->disk_full = true;
		break;
	case FAULT_DISK_EIO:
		d->eio_ppm = MAX(d->eio_ppm, s->fault->rate_ppm);
		break;
	case FAULT_DISK_SLOW:
		d->disk_slow = true;
		break;
	case FAULT_CPU_SLOW:
		d->cpu_slow = true;
		break;
	case FAULT_LIE:
		d->lies |= s->fault->lies;
		break;
	case FAULT_PARTITION:
		if (s->order >= d->island_order) {
			d->island_order = s->order;
			d->island = s->island;
		}
		break;
	default:
		break;
	}
}

static struct demand
demand_of(const struct timeline *t, const struct member *m)
{
	struct demand d = { .lies = m->own_lies };

	for (size_t i = 0; i < t->count; i++) {
		enum blow blow = blow_to(&t->strikes[i], m->index);

		if (t->strikes[i].active && blow != BLOW_NONE)
			add_demand(&d, &t->strikes[i], blow);
	}
	return d;
}

/* Of a kind that lasts on a machine: at its beginning, at its end, when the member comes up. */
static void
press(const struct timeline *t, enum fault_kind kind, struct member *m)
{
	struct demand d = demand_of(t, m);
	bool runs = m->env != NULL && !sim_node_dead(m->env);

	if (kind == FAULT_DISK_FULL)
		sim_disk_set_capacity(m->disk, d.disk_full ? 1 : SIM_DISK_CAPACITY);
	else if (kind == FAULT_DISK_EIO)
		sim_disk_error_rate(
		    m->disk, SIM_DISK_WRITE | SIM_DISK_SYNC | SIM_DISK_READ, d.eio_ppm);
	else if (kind == FAULT_DISK_SLOW)
		sim_disk_slow(m->disk, d.disk_slow ? SLOW_FACTOR : 1);
	else if (kind == FAULT_LIE && d.lies != m->lies)
		fleet_make_liar(m, d.lies);
	else if (kind == FAULT_CPU_SLOW && runs)
		sim_node_work_time(m->env, WORK_CPU, (d.cpu_slow ? SLOW_FACTOR : 1) * SIM_WORK_CPU);
	else if (kind == FAULT_PARTITION && runs)
		sim_node_island(m->env, d.island);
}

/* The network's own loss, or that of the worst fault. */
static void
set_rates(const struct timeline *t)
{
	const struct scenario *sc = fleet_scenario(t->fleet);
	struct sim_faults faults = { sc->loss_ppm, sc->duplicate_ppm, sc->reorder_ppm };

	for (size_t i = 0; i < t->count; i++) {
		const struct strike *s = &t->strikes[i];

		if (s->active && s->fault->kind == FAULT_LOSS)
			faults.loss_ppm = MAX(faults.loss_ppm, s->fault->rate_ppm);
	}
	sim_set_faults(fleet_world(t->fleet), &faults);
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

static bool
crash_waits(const struct timeline *t, const struct member *m)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct strike *s = &t->strikes[i];

		if (s->active && s->fault->kind == FAULT_DISK_CRASH &&
		    blow_to(s, m->index) == BLOW_STRUCK)
			return true;
	}
	return false;
}

/* What is left of it is what others that go on demand. */
static void
release(const struct strike *s, struct member *m)
{
	const struct timeline *t = s->timeline;

	switch (s->fault->kind) {
	case FAULT_SYBILS:
		fleet_retire(m);
		break;
	case FAULT_DISK_CRASH:
		if (!crash_waits(t, m))
			sim_disk_arm(m->disk, NULL);
		__attribute__((fallthrough)); /* it was held from the crash on */
	case FAULT_KILL:
	case FAULT_POWER:
	case FAULT_GONE:
		if (!demand_of(t, m).held)
			fleet_let_go(m);
		break;
	default:
		press(t, s->fault->kind, m);
	}
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
hold_crashed(struct strike *s, struct member *m)
{
	if (m->state != MEMBER_OFFLINE || sim_disk_strikes(m->disk) == 0)
		return;
	s->blows[m->index] = BLOW_FELL;
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
		fleet_jump(m, s->fault->jump_ms);
		break;
	default:
		press(s->timeline, s->fault->kind, m);
	}
}

static void
place_sybils(struct strike *s)
{
	struct fleet *f = s->timeline->fleet;
	const uint8_t salt[16] = { 0 };
	struct sign_key secret;
	struct pubkey owner;
	struct id target;
	unsigned bits = SYBIL_BITS;

	for (size_t n = fleet_count(f); n > 1; n /= 2)
		bits++;
	sim_random_bytes(&s->timeline->random, s->owner.b, sizeof(s->owner.b));
	crypto_sign_key_from_seed(&s->owner, &secret, &owner);
	crypto_wipe(&secret, sizeof(secret));
	signed_key(&owner, salt, &target);
	free(s->struck);
	s->struck = calloc(SCENARIO_SYBILS_MAX, sizeof(*s->struck));
	must(s->struck != NULL && s->fault->count <= SCENARIO_SYBILS_MAX);
	for (uint64_t i = 0; i < s->fault->count; i++) {
		const struct member *m = fleet_add_sybil(f, &target, bits, s->fault->lies);

		if (m != NULL)
			s->struck[s->count++] = m->index;
	}
	s->mark->struck = s->count;
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
		uint64_t ns;

		if (!sim_random_chance(r, 500000))
			to = NULL;
		ns = left / 2 + sim_random_below(r, left / 2 + 1);
		/* Another fault may have clogged it for longer. */
		sim_clog(
		    fleet_world(f), from, to, MAX(ns, sim_clog_left(fleet_world(f), from, to)));
	}
}

/* The place falls silent as a whole. */
static void
outage(struct strike *s)
{
	struct fleet *f = s->timeline->fleet;
	uint64_t now = sim_now(fleet_world(f));
	struct sim_scope scope = scope_of(s->timeline, s->fault);

	for (size_t i = 0; i < fleet_count(f); i++) {
		const struct member *m = fleet_member(f, i);

		s->mark->struck += sim_scope_holds(&scope, &m->contact.addr, &m->place);
	}
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
	s->order = ++s->timeline->begun;
	c->active[s->fault->kind]++;
	c->begun[s->fault->kind]++;
	if (s->fault->kind == FAULT_LOSS) {
		s->mark->struck = fleet_count(s->timeline->fleet);
		set_rates(s->timeline);
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
	s->mark->struck = s->count;
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
		set_rates(s->timeline);
	if (s->fault->kind == FAULT_OUTAGE)
		sim_outage_end(fleet_world(s->timeline->fleet), s->outage);
	/* Clogs end by themselves before their fault does, unless all faults end at once. */
	if (s->fault->kind == FAULT_CLOG && s->timeline->clock.active[FAULT_CLOG] == 0)
		sim_unclog_all(fleet_world(s->timeline->fleet));
	/* The way to an island stays cut; nobody is left on it. */
	for (size_t i = 0; i < s->count; i++)
		release(s, fleet_member(s->timeline->fleet, s->struck[i]));
}

void
timeline_changed(struct timeline *t, struct member *m)
{
	for (size_t i = 0; i < t->count; i++) {
		struct strike *s = &t->strikes[i];

		if (!s->active || blow_to(s, m->index) == BLOW_NONE)
			continue;
		if (m->state == MEMBER_UP)
			press(t, s->fault->kind, m);
		else if (s->fault->kind == FAULT_DISK_CRASH)
			hold_crashed(s, m);
	}
}

bool
timeline_attacked(const struct timeline *t, size_t i, struct key *owner)
{
	const struct strike *s = &t->strikes[i];

	must(i < t->count);
	if (!s->active || s->fault->kind != FAULT_SYBILS)
		return false;
	*owner = s->owner;
	return true;
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

		if (tears(s->fault->kind) && blow_to(s, index) != BLOW_NONE)
			return true;
	}
	return false;
}

/* ---- life ---- */

static_assert(SCENARIO_FAULTS_MAX <= RESULT_MARKS, "each fault has its mark");

static void
mark(struct result *r, struct strike *s)
{
	struct result_mark *m = &r->marks[r->marks_count];

	must(r->marks_count < RESULT_MARKS);
	r->marks_count++;
	s->mark = m;
	m->kind = scenario_fault_name(s->fault->kind);
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
		free(t->strikes[i].blows);
	}
	free(t->strikes);
	free(t);
}
