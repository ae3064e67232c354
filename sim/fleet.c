/*
 * The life of members. Start and stop are tasks on the member's own env; what has to happen after
 * such a task is over (taking the env out of the world) is a timer of the director. A disk that
 * crashes takes its node with it at that very point: the world tells, and the member is cleared
 * away like any that was killed. Short of memory all of it aborts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sim/fleet_private.h"
#include "sim/sybil.h"

#define SEGMENT_BYTES_SMALL MIB(4) /* disks are memory of the host */
#define RESERVE_BYTES_SMALL MIB(1)
#define DOORS               3                   /* bootstraps that a newcomer knows */
#define START_TRIES_PAUSE   SECONDS(5)          /* after a start that failed, e.g. for its disk */
#define SYBIL_TRIES         (UINT64_C(1) << 22) /* two minutes of a real core; 20 bits and more */

struct sim_world *
fleet_world(struct fleet *f)
{
	return f->world;
}

struct env *
fleet_director(struct fleet *f)
{
	return f->director;
}

struct sim_random *
fleet_dice(struct fleet *f)
{
	return &f->dice;
}

const struct scenario *
fleet_scenario(const struct fleet *f)
{
	return f->scenario;
}

struct network_id
fleet_net(const struct fleet *f)
{
	return f->net;
}

size_t
fleet_count(const struct fleet *f)
{
	return f->count;
}

struct member *
fleet_member(struct fleet *f, size_t i)
{
	must(i < f->count);
	return &f->members[i];
}

const struct oracle *
fleet_oracle(const struct fleet *f)
{
	return &f->oracle;
}

struct member *
fleet_by_id(struct fleet *f, const struct id *id)
{
	uint32_t i = oracle_find(&f->oracle, id);

	return i == UINT32_MAX ? NULL : &f->members[i];
}

uint32_t
fleet_up(const struct fleet *f)
{
	return f->up;
}

uint32_t
fleet_offline(const struct fleet *f)
{
	return (uint32_t)f->count - f->up - f->retired;
}

uint64_t
fleet_gone(const struct fleet *f)
{
	return f->gone;
}

struct member *
fleet_any(struct fleet *f)
{
	/* Liars are few; a network of liars only has nobody to give. */
	for (int tries = 0; tries < 64 && f->oracle.count > 0; tries++) {
		size_t i = (size_t)sim_random_below(&f->dice, f->oracle.count);
		struct member *m = &f->members[f->oracle.at[i].member];

		if (m->lies == 0)
			return m;
	}
	return NULL;
}

size_t
fleet_doors(struct fleet *f, const struct member *without, struct contact *out, size_t cap)
{
	size_t count = 0;

	for (size_t tries = 0; tries < 4 * cap && count < cap && f->oracle.count > 0; tries++) {
		struct member *m = fleet_any(f);
		bool there = m == NULL || m == without;

		for (size_t i = 0; i < count && !there; i++)
			there = id_equal(&out[i].id, &m->contact.id);
		if (!there)
			out[count++] = m->contact;
	}
	return count;
}

/* ---- making ---- */

void
fleet_identity(const struct fleet *f, uint32_t slot, uint32_t generation, struct identity *out)
{
	struct sim_random random;
	struct key seed;

	sim_random_init(&random, f->opts.seed ^ ((uint64_t)generation << 40), 1000 + slot);
	sim_random_bytes(&random, seed.b, sizeof(seed.b));
	identity_from_seed(&seed, out);
}

static void reap(void *arg);

static struct sim_disk *
disk_new(struct fleet *f, const struct member *m)
{
	struct sim_disk *d = sim_disk_new(&(struct sim_disk_opts){
	    .seed = sim_mix(f->opts.seed, ((uint64_t)m->index << 32) + m->generation) });

	must(disk_mkdir(sim_disk_base(d), FLEET_DIR) == ERR_OK);
	must(disk_sync_dir(sim_disk_base(d), "/") == ERR_OK);
	return d;
}

static enum sim_nat
nat_of(struct fleet *f)
{
	const struct scenario *s = f->scenario;
	uint64_t u = sim_random_below(&f->dice, SIM_PPM);

	if (u < s->nat_cone_ppm)
		return SIM_NAT_CONE_PORT;
	return u < (uint64_t)s->nat_cone_ppm + s->nat_symmetric_ppm ? SIM_NAT_SYMMETRIC
								    : SIM_NAT_NONE;
}

/* How wrong it is follows from the slot. */
static void
clock_init(struct member *m)
{
	const struct scenario *s = m->fleet->scenario;
	struct sim_random r;

	m->clock_ms = 0;
	m->drift_ppm = 0;
	sim_random_init(&r, m->fleet->opts.seed, UINT64_C(0xc10c) << 32 | m->index);
	if (s->clock_skew_ms > 0)
		m->clock_ms = (int64_t)sim_random_below(&r, 2 * s->clock_skew_ms + 1) -
			      (int64_t)s->clock_skew_ms;
	if (s->clock_drift_ppm > 0)
		m->drift_ppm = (int32_t)sim_random_below(&r, UINT64_C(2) * s->clock_drift_ppm + 1) -
			       (int32_t)s->clock_drift_ppm;
}

static void
member_init(struct fleet *f, uint32_t slot)
{
	struct member *m = &f->members[slot];
	uint32_t per = (uint32_t)f->scenario->per_net24;
	struct addr addr = sim_addr_in(slot / per + 1, (uint8_t)(slot % per + 1), FLEET_PORT);
	struct identity who;

	m->fleet = f;
	m->index = slot;
	m->storing = slot < f->scenario->storing;
	clock_init(m);
	sim_place_draw(&m->place, true, f->opts.seed, &addr); /* as the world will */
	fleet_identity(f, slot, 0, &who);
	contact_init(&m->contact, &who.pub, &addr);
	identity_wipe(&who);
	if (m->storing)
		m->disk = disk_new(f, m);
	if (sim_random_chance(&f->dice, f->scenario->liars_ppm))
		m->lies = m->own_lies = f->scenario->lies;
	m->nat = nat_of(f);
	timer_init(&m->reap, f->director, reap, m);
}

struct fleet *
fleet_new(const struct fleet_opts *opts)
{
	const struct scenario *s = opts->scenario;
	struct fleet *f = calloc(1, sizeof(*f));

	must(f != NULL && opts->members > 0 && opts->members <= FLEET_MEMBERS_MAX);
	f->opts = *opts;
	f->scenario = s;
	f->world = sim_new(&(struct sim_opts){ .seed = opts->seed,
	    .regions = s->regions,
	    .faults = { s->loss_ppm, s->duplicate_ppm, s->reorder_ppm },
	    .log = opts->log,
	    .uptime = FLEET_UPTIME });
	f->director = sim_node_add(f->world,
	    &(struct sim_node_opts){ .ip = sim_addr(FLEET_ADDR_DIRECTOR, 0), .region = 0 });
	sim_random_init(&f->dice, opts->seed, 0xf1ee7);
	network_id_of_name("simulation", &f->net);
	f->members = calloc(opts->members + FLEET_SYBILS_MAX, sizeof(*f->members));
	must(f->members != NULL);
	for (size_t i = 0; i < opts->members; i++)
		member_init(f, (uint32_t)i);
	f->count = opts->members;
	return f;
}

/* ---- up ---- */

static void
went_up(struct member *m)
{
	struct fleet *f = m->fleet;

	m->state = MEMBER_UP;
	m->up_since = sim_now(f->world);
	m->server = endpoint_is_server(node_endpoint(m->node));
	f->up++;
	f->joined += !f->seeding && m->ground == NULL;
	if (m->server)
		oracle_add(&f->oracle, &m->contact.id, m->index);
	if (m->lies != 0)
		fleet_make_liar(m, m->lies);
	if (f->opts.changed != NULL)
		f->opts.changed(f->opts.arg, m);
}

static void
went_down(struct member *m)
{
	struct fleet *f = m->fleet;

	if (m->state != MEMBER_UP)
		return;
	f->up--;
	f->left += !m->gone && m->ground == NULL;
	oracle_remove(&f->oracle, &m->contact.id);
}

static size_t
book_of(const struct fleet *f)
{
	if (f->scenario->book != 0)
		return f->scenario->book;
	return f->opts.members > FLEET_SMALL ? FLEET_BOOK : 0;
}

/* Those whom a member of a network that is years old was once told: any, up or not. */
static size_t
old_doors(const struct member *m, struct contact out[DOORS])
{
	struct fleet *f = m->fleet;
	size_t count = 0;

	for (size_t i = 0; i < DOORS && f->count > 1; i++) {
		const struct member *other =
		    &f->members[sim_random_below(&f->dice, f->opts.members)];

		if (other != m)
			out[count++] = other->contact;
	}
	return count;
}

static int
start_run(void *arg)
{
	struct member *m = arg;
	struct fleet *f = m->fleet;
	const struct scenario *s = f->scenario;
	struct contact doors[DOORS];
	struct addr any = { .family = ADDR_IPV4, .port = FLEET_PORT };
	struct identity who;
	struct node_opts opts = { .env = m->env,
		.identity = &who,
		.net = f->net,
		/* Behind a router a machine does not have the address that others see. */
		.bind = m->nat == SIM_NAT_NONE ? m->contact.addr : any,
		.dir = m->storing ? FLEET_DIR : NULL,
		.capacity_bytes = m->storing ? s->capacity_bytes : 0,
		.bootstraps = doors,
		.seeded = f->seeding,
		.assume_reachable = m->nat == SIM_NAT_NONE,
		.index_in_memory = true,
		.segment_bytes = SEGMENT_BYTES_SMALL,
		.reserve_bytes = RESERVE_BYTES_SMALL,
		.pace = s->pace,
		.repair_pace = s->repair_pace,
		.repair_bytes_s = s->repair_bytes_s,
		.grace = s->grace,
		.calm = s->calm,
		.unannounced = !s->announce,
		.unaudited = !s->audits,
		.peers_max = book_of(f),
		.software = "skerry sim" };
	int err;

	opts.bootstraps_count = f->seeding ? old_doors(m, doors) : fleet_doors(f, m, doors, DOORS);
	if (m->ground != NULL)
		who = *m->ground;
	else
		fleet_identity(f, m->index, m->generation, &who);
	if (s->tell_place) {
		memcpy(opts.country, m->place.country, sizeof(opts.country));
		snprintf(opts.region, sizeof(opts.region), "%s", sim_region_name(m->place.region));
	}
	err = node_start(&opts, &m->node);
	identity_wipe(&who);
	if (err == ERR_OK && m->state == MEMBER_STARTING && !sim_node_dead(m->env)) {
		went_up(m);
		return ERR_OK;
	}
	if (err == ERR_OK)
		node_stop(m->node);
	m->node = NULL;
	if (err != ERR_OK)
		log_warn(m->env, "member %u does not start: %s", m->index, err_text(err));
	/* Not wished any more, or it failed; then it is tried again later. */
	m->again |= m->state == MEMBER_STARTING;
	timer_start(&m->reap, 0);
	return err;
}

/* Its machine died by itself: a crash of its disk. On any stack; cleared away by the director. */
static void
died(void *arg)
{
	struct member *m = arg;

	if ((m->state == MEMBER_UP || m->state == MEMBER_STARTING) && !timer_armed(&m->reap))
		timer_start(&m->reap, 0);
}

void
fleet_start(struct member *m)
{
	struct fleet *f = m->fleet;
	const struct scenario *s = f->scenario;

	if (m->held) {
		m->due = true;
		return;
	}
	if (m->state != MEMBER_OFFLINE) {
		m->again = m->state == MEMBER_STOPPING;
		return;
	}
	m->env = sim_node_add(f->world, &(struct sim_node_opts){ .ip = m->contact.addr,
					    .region = -1,
					    .clock_offset_ms = m->clock_ms,
					    .clock_drift_ppm = m->drift_ppm,
					    .nat = m->nat,
					    .up_bytes_s = s->up_bytes_s,
					    .down_bytes_s = s->down_bytes_s,
					    .disk = m->disk,
					    .died = died,
					    .died_arg = m });
	m->place = *sim_node_place(m->env);
	m->state = MEMBER_STARTING;
	m->again = false;
	task_group_init(&m->life, m->env);
	task_group_init(&m->work, m->env);
	must(task_spawn(&m->life, "member start", start_run, m) == ERR_OK);
}

void
fleet_jump(struct member *m, int64_t by_ms)
{
	m->clock_ms += by_ms;
	if (m->env != NULL)
		sim_node_clock(m->env, m->clock_ms);
}

/* ---- down ---- */

static int
stop_run(void *arg)
{
	struct member *m = arg;

	task_group_fini(&m->work);
	node_stop(m->node);
	m->node = NULL;
	timer_start(&m->reap, 0);
	return ERR_OK;
}

static void
clear_away(struct member *m)
{
	struct fleet *f = m->fleet;

	must(m->state != MEMBER_OFFLINE);
	went_down(m);
	fleet_count_traffic(m, f->sent);
	fleet_count_repair(m, &f->repaired);
	liar_free(m->liar);
	m->liar = NULL;
	if (m->state == MEMBER_UP) {
		must(task_spawn(&m->life, "member stop", stop_run, m) == ERR_OK);
	} else {
		/* The start sees it, unwinds, and has the rest reaped. */
		task_group_cancel(&m->life);
	}
	m->state = MEMBER_STOPPING;
}

/* Somebody new takes the slot: another identity at the same place, an empty disk. */
static void
replace(struct member *m)
{
	struct fleet *f = m->fleet;
	struct addr addr = m->contact.addr;
	struct identity who;

	m->generation++;
	m->gone = false;
	m->power = false;
	clock_init(m);
	free(m->ground);
	m->ground = NULL;
	f->gone++;
	fleet_identity(f, m->index, m->generation, &who);
	contact_init(&m->contact, &who.pub, &addr);
	identity_wipe(&who);
	if (m->disk != NULL) {
		sim_disk_free(m->disk);
		m->disk = disk_new(f, m);
	}
}

static void
reap(void *arg)
{
	struct member *m = arg;
	struct fleet *f = m->fleet;
	bool starts = m->state == MEMBER_STARTING && task_group_live(&m->life) > 0;

	if (m->state == MEMBER_OFFLINE) { /* the pause after a failed start is over */
		fleet_start(m);
		return;
	}
	if (m->state == MEMBER_UP || starts) { /* it died by itself and has not been stopped yet */
		clear_away(m);
		return;
	}
	if (m->state == MEMBER_STOPPING && task_group_live(&m->life) > 0)
		return; /* its end reaps */
	must(task_group_live(&m->life) == 0 && task_group_live(&m->work) == 0);
	sim_node_remove(m->env);
	m->env = NULL;
	if (m->disk != NULL && sim_disk_crashed(m->disk)) {
		if (m->power)
			sim_disk_power_loss(m->disk, sim_random_u64(&f->dice));
		else
			sim_disk_restart(m->disk);
	}
	m->power = false;
	if (m->gone)
		replace(m);
	m->state = MEMBER_OFFLINE;
	if (m->again)
		timer_start(&m->reap, START_TRIES_PAUSE);
	m->again = false;
	if (f->opts.changed != NULL)
		f->opts.changed(f->opts.arg, m);
}

void
fleet_stop(struct member *m, enum fleet_end how, bool gone)
{
	m->gone |= gone;
	m->again = false;
	if (m->state == MEMBER_OFFLINE) {
		timer_stop(&m->reap);
		if (m->gone)
			replace(m);
		return;
	}
	if (m->state == MEMBER_STOPPING)
		return;
	if (how != FLEET_FAREWELL && !sim_node_dead(m->env))
		sim_node_kill(m->env, how == FLEET_KILLED ? SIM_KILLED : SIM_SILENT);
	timer_stop(&m->reap);
	clear_away(m);
}

void
fleet_hold(struct member *m, enum fleet_end how, bool gone)
{
	/* Of the offline one whose start failed waits for the next try. */
	m->due |= m->state == MEMBER_UP || m->state == MEMBER_STARTING || m->again ||
		  (m->state == MEMBER_OFFLINE && timer_armed(&m->reap));
	m->held = true;
	fleet_stop(m, how, gone);
}

void
fleet_let_go(struct member *m)
{
	bool due = m->due;

	if (!m->held)
		return;
	m->held = m->due = false;
	if (due)
		fleet_start(m);
}

void
fleet_retire(struct member *m)
{
	must(m->ground != NULL && !m->held);
	m->fleet->retired++;
	fleet_hold(m, FLEET_SILENT, false);
}

void
fleet_wake_all(struct fleet *f)
{
	for (size_t i = 0; i < f->count; i++) {
		struct member *m = &f->members[i];

		if (m->state == MEMBER_OFFLINE || m->state == MEMBER_STOPPING)
			fleet_start(m);
	}
}

static bool
all_offline(void *arg)
{
	const struct fleet *f = arg;

	for (size_t i = 0; i < f->count; i++) {
		if (f->members[i].state != MEMBER_OFFLINE)
			return false;
	}
	return true;
}

void
fleet_free(struct fleet *f)
{
	if (f == NULL)
		return;
	f->opts.changed = NULL;
	for (size_t i = 0; i < f->count; i++)
		fleet_stop(&f->members[i], FLEET_FAREWELL, false);
	for (int minutes = 0; minutes < 60 && !all_offline(f); minutes++)
		sim_run_for(f->world, MINUTES(1));
	must(all_offline(f));
	for (size_t i = 0; i < f->count; i++) {
		timer_stop(&f->members[i].reap);
		sim_disk_free(f->members[i].disk);
		free(f->members[i].ground);
	}
	sim_node_remove(f->director);
	sim_free(f->world);
	oracle_fini(&f->oracle);
	free(f->members);
	free(f);
}

/* ---- liars ---- */

#define LIAR_TRIES 200 /* to find some among the honest */

static size_t
other_liars(void *arg, struct contact *out, size_t cap)
{
	const struct member *m = arg;
	struct fleet *f = m->fleet;
	size_t count = 0;

	for (int i = 0; i < LIAR_TRIES && count < cap; i++) {
		const struct member *other = &f->members[sim_random_below(&f->dice, f->count)];

		if (other != m && other->lies != 0 && other->state == MEMBER_UP)
			out[count++] = other->contact;
	}
	return count;
}

void
fleet_make_liar(struct member *m, unsigned lies)
{
	struct fleet *f = m->fleet;

	m->lies = lies;
	if (m->state != MEMBER_UP)
		return;
	liar_free(m->liar);
	m->liar = NULL;
	if (lies != 0)
		must(liar_new(&(struct liar_opts){ .world = f->world,
				  .node = m->node,
				  .kinds = lies,
				  .rate_ppm = f->scenario->lie_rate_ppm,
				  .seed = sim_random_u64(&f->dice),
				  .store_dir = FLEET_DIR "/store",
				  .others = other_liars,
				  .arg = m },
			 &m->liar) == ERR_OK);
}

struct member *
fleet_add_sybil(struct fleet *f, const struct id *target, unsigned bits, unsigned lies)
{
	struct identity *who = calloc(1, sizeof(*who));
	struct member *m = &f->members[f->count];

	must(who != NULL);
	if (f->count == f->opts.members + FLEET_SYBILS_MAX ||
	    sybil_grind(sim_random_u64(&f->dice), target, bits, SYBIL_TRIES, who) != ERR_OK) {
		free(who);
		return NULL;
	}
	member_init(f, (uint32_t)f->count);
	f->count++;
	contact_init(&m->contact, &who->pub, &m->contact.addr);
	m->ground = who;
	m->lies = m->own_lies = lies;
	fleet_start(m);
	return m;
}
