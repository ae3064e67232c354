/*
 * The run goes in steps of at most a 96th of the span: the world runs, then a sample is taken:
 * members, lookups of the interval, traffic, tables, shards. In the end the network is healed and
 * everything acknowledged must be there again, or is counted as lost.
 */
#include "sim/run.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/census.h"
#include "sim/churn.h"
#include "sim/risk.h"
#include "sim/timeline.h"
#include "sim/workload.h"

#define HEAL_TIME       MINUTES(10) /* for everybody to come back and be known again */
#define READ_BACK_MAX   200         /* objects read in the end; above, every so-manieth */
#define LOOKUPS_AT_ONCE 64
#define PROGRESS_EVERY  8    /* steps between two samples: a line moves while the world turns */
#define EVENTS_PER_LOOK 4096 /* some hundredths of a second: a step can take hours */

struct run {
	const struct run_opts *opts;
	struct result *result;
	struct fleet *fleet;
	struct workload *workload;
	struct churn *churn;
	struct timeline *timeline;
	struct census *census;
	struct risk *risk;
	uint64_t began; /* sim_now at the beginning of the span */
	uint64_t sent_before[TRAFFIC_CLASSES];
	struct fleet_repaired repaired_before;
	uint64_t up_since;               /* for node-hours */
	uint64_t kinds[SIM_EVENT_KINDS]; /* before the warm-up */
	const char *phase;
	uint32_t events; /* since somebody was told */
	bool stopped;
};

static struct sim_world *
world_of(const struct run *r)
{
	return fleet_world(r->fleet);
}

/* ---- what people and plots see ---- */

static void
tell(struct run *r, const char *phase)
{
	const struct run_host *h = &r->opts->host;
	uint64_t now = r->fleet == NULL ? 0 : sim_now(world_of(r));

	r->phase = phase;
	r->events = 0;
	if (h->stop != NULL && h->stop(h->arg))
		r->stopped = true;
	if (h->progress == NULL)
		return;
	h->progress(h->arg,
	    &(struct run_progress){ .done = now > r->began && r->began > 0 ? now - r->began : 0,
		.span = r->opts->span,
		.up = r->fleet == NULL ? 0 : fleet_up(r->fleet),
		.events = r->fleet == NULL ? 0 : sim_events(world_of(r)),
		.objects = r->workload == NULL ? 0 : workload_objects(r->workload),
		.objects_lost = r->result->objects_lost,
		.lookups = r->result->lookups,
		.phase = phase });
}

/* Asked after each event. */
static bool
halted(void *arg)
{
	struct run *r = arg;

	if (++r->events >= EVENTS_PER_LOOK)
		tell(r, r->phase);
	return r->stopped;
}

static void
sample_lookups(struct run *r, struct result_sample *s)
{
	struct interval *v = workload_interval(r->workload);

	s->lookups = v->lookups;
	s->lookups_failed = v->lookups_failed;
	s->first_p50 = histogram_percentile(&v->first, 500000);
	s->first_p95 = histogram_percentile(&v->first, 950000);
	s->done_p50 = histogram_percentile(&v->done, 500000);
	s->done_p95 = histogram_percentile(&v->done, 950000);
	s->recall_ppm = v->truth == 0 ? 0 : (uint32_t)(v->found * SIM_PPM / v->truth);
	memset(v, 0, sizeof(*v));
}

static void
sample_tables(struct run *r, struct result_sample *s)
{
	struct fleet_tables t;

	fleet_tables(r->fleet, &t);
	s->contacts_mean = t.members == 0 ? 0 : (uint32_t)(t.contacts / t.members);
	s->stale_ppm = t.contacts == 0 ? 0 : (uint32_t)(t.stale * SIM_PPM / t.contacts);
}

/* Fewer than k shards of any of its chunks on disks that exist. */
static void
sample_object(struct run *r, struct object *o, struct result_sample *s)
{
	bool lost = false;

	for (size_t i = 0; i < o->chunks_count; i++) {
		unsigned up, kept;
		int above;

		census_chunk(r->census, &o->chunks[i].id, &up, &kept);
		above = (int)up - (int)o->chunks[i].k;
		s->chunks[above < 0 ? 0 : MIN(above + 1, RESULT_ALIVE - 1)]++;
		lost |= kept < o->chunks[i].k;
	}
	s->objects_lost += lost;
	if (lost && !o->lost) {
		o->lost = true;
		r->result->objects_lost++;
	}
}

static void
sample_repair(struct run *r, struct result_sample *s)
{
	struct fleet_repaired repaired;

	fleet_repaired(r->fleet, &repaired);
	s->repair_bytes = repaired.moved - r->repaired_before.moved;
	risk_sample(r->risk, s->repair_bytes, repaired.own - r->repaired_before.own);
	r->repaired_before = repaired;
}

static void
sample(struct run *r)
{
	struct result *out = r->result;
	struct result_sample *s = &out->samples[out->samples_count];
	uint64_t sent[TRAFFIC_CLASSES];

	must(out->samples_count <= RESULT_SAMPLES);
	out->samples_count++;
	s->at = sim_now(world_of(r)) - r->began;
	s->up = fleet_up(r->fleet);
	s->gone = (uint32_t)fleet_gone(r->fleet);
	s->offline = fleet_offline(r->fleet);
	sample_lookups(r, s);
	sample_tables(r, s);
	fleet_traffic(r->fleet, sent);
	for (size_t i = 0; i < TRAFFIC_CLASSES; i++) {
		s->sent_bytes[i] = sent[i] - r->sent_before[i];
		r->sent_before[i] = sent[i];
	}
	s->objects = workload_objects(r->workload);
	if (s->objects == 0)
		return;
	sample_repair(r, s);
	census_take(r->census);
	for (size_t i = 0; i < s->objects; i++)
		sample_object(r, workload_object(r->workload, i), s);
}

/* ---- the span ---- */

static void
changed(void *arg, struct member *m)
{
	struct run *r = arg;

	if (r->churn != NULL)
		churn_changed(r->churn, m);
	if (r->timeline != NULL)
		timeline_changed(r->timeline, m);
	if (r->risk != NULL)
		risk_changed(r->risk, m);
}

/* Since then, when so many were up. */
static void
count_node_time(struct run *r, uint64_t then, uint32_t up)
{
	uint64_t ms = (sim_now(world_of(r)) - then) / MILLISECONDS(1);

	r->result->node_ms += ((uint64_t)up + fleet_up(r->fleet)) * ms / 2;
}

static void
run_for(struct run *r, uint64_t span, const char *phase)
{
	for (int i = 0; i < PROGRESS_EVERY && !r->stopped; i++) {
		uint64_t part = span / PROGRESS_EVERY + (i == 0 ? span % PROGRESS_EVERY : 0);
		uint64_t then = sim_now(world_of(r));
		uint32_t up = fleet_up(r->fleet);

		r->phase = phase;
		(void)sim_run_until(world_of(r), halted, r, part);
		count_node_time(r, then, up);
		tell(r, phase);
	}
}

static void
start(struct run *r)
{
	const struct scenario *s = r->opts->scenario;

	tell(r, "starting");
	r->fleet = fleet_new(&(struct fleet_opts){ .seed = r->opts->seed,
	    .members = r->opts->nodes,
	    .scenario = s,
	    .log = r->opts->log,
	    .changed = changed,
	    .arg = r });
	fleet_start_all(r->fleet);
	r->census = census_new(r->fleet);
	r->workload = workload_new(r->fleet, r->result);
}

static void
warm_up(struct run *r)
{
	const struct scenario *s = r->opts->scenario;

	workload_start(r->workload, false);
	run_for(r, s->warmup, "warm-up");
	fleet_traffic(r->fleet, r->sent_before);
	memset(workload_interval(r->workload), 0, sizeof(struct interval));
	r->began = sim_now(world_of(r));
	fleet_repaired(r->fleet, &r->repaired_before);
	r->risk = risk_new(r->fleet, r->workload, r->result);
	if (s->churn)
		r->churn = churn_new(r->fleet);
	r->timeline = timeline_new(r->fleet, r->opts->span, r->result);
	workload_probe(r->workload, r->timeline);
	workload_start(r->workload, true);
}

static void
look_up_more(struct run *r)
{
	uint64_t then = sim_now(world_of(r));
	uint32_t up = fleet_up(r->fleet);

	tell(r, "looking up");
	workload_lookups(r->workload, r->opts->lookups, LOOKUPS_AT_ONCE, halted, r);
	count_node_time(r, then, up);
}

static void
measure(struct run *r)
{
	uint64_t step = r->opts->span / RESULT_SAMPLES;

	sample(r);
	for (int i = 0; i < RESULT_SAMPLES && !r->stopped; i++) {
		run_for(r, step, "running");
		sample(r);
	}
	r->result->ran = r->stopped ? sim_now(world_of(r)) - r->began : r->opts->span;
	if (r->opts->lookups > 0 && !r->stopped)
		look_up_more(r);
}

/* ---- healing and the verdict ---- */

struct read_back {
	struct user *user;
	struct object *object;
	bool wrong;
	int err;
};

static int
look_again_run(void *arg)
{
	struct read_back *b = arg;

	b->err = user_look(b->user, b->object);
	return b->err;
}

static int
read_back_run(void *arg)
{
	struct read_back *b = arg;

	b->err = user_get(b->user, b->object, &b->wrong);
	return b->err;
}

static bool
nothing_runs(void *arg)
{
	return workload_running(((struct run *)arg)->workload) == 0;
}

static void
heal(struct run *r)
{
	workload_stop(r->workload);
	timeline_end(r->timeline);
	if (r->churn != NULL)
		churn_end(r->churn);
	fleet_wake_all(r->fleet);
	(void)sim_run_until(world_of(r), nothing_runs, r, HEAL_TIME);
	run_for(r, HEAL_TIME, "healing");
}

static void
read_all_back(struct run *r)
{
	size_t count = workload_objects(r->workload);
	size_t every = count / READ_BACK_MAX + 1;
	/* Whose places nobody publishes is not found by somebody new. */
	bool findable = !r->stopped && r->opts->scenario->announce;
	struct user *fresh;

	if (count == 0 || fleet_up(r->fleet) == 0)
		return;
	census_take(r->census);
	fresh = user_new(r->fleet, (uint32_t)r->opts->scenario->users);
	for (size_t i = 0; i < count; i++) {
		struct object *o = workload_object(r->workload, i);
		struct read_back b = { .user = fresh, .object = o };
		struct result_sample none = { 0 };

		if (o->chunks == NULL && findable)
			(void)sim_run_task(world_of(r), user_env(fresh), look_again_run, &b);
		sample_object(r, o, &none);
		if (o->chunks == NULL) { /* nobody knows what to count */
			r->result->objects_unseen++;
			continue;
		}
		r->result->objects_kept += !o->lost;
		if (i % every != 0 || o->lost || !findable)
			continue;
		(void)sim_run_task(world_of(r), user_env(fresh), read_back_run, &b);
		r->result->objects_read++;
		r->result->objects_unread += b.err != ERR_OK;
		r->result->objects_wrong += b.wrong;
		tell(r, "reading back");
	}
	user_free(fresh);
}

static void
see_code(struct result *out, const struct object_chunk *c)
{
	size_t i = 0;

	while (i < out->codes_count &&
	       (out->codes[i].k != c->k || out->codes[i].r != c->r || out->codes[i].n != c->n))
		i++;
	if (i == RESULT_CODES)
		return;
	out->codes[i].k = c->k;
	out->codes[i].r = c->r;
	out->codes[i].n = c->n;
	out->codes[i].chunks++;
	out->codes_count = MAX(out->codes_count, i + 1);
}

/* Where the network chose the codes there may be one after all. */
static void
see_codes(struct run *r)
{
	struct result *out = r->result;

	for (size_t i = 0; i < workload_objects(r->workload); i++) {
		const struct object *o = workload_object(r->workload, i);

		for (size_t j = 0; j < o->chunks_count; j++)
			see_code(out, &o->chunks[j]);
	}
	if (out->n > 0 || out->codes_count != 1)
		return;
	out->k = out->codes[0].k;
	out->r = out->codes[0].r;
	out->n = out->codes[0].n;
}

static void
sum_up(struct run *r)
{
	struct result *out = r->result;
	struct sim_traffic traffic;

	out->event_hash = sim_event_hash(world_of(r));
	sim_traffic(world_of(r), &traffic);
	out->datagrams_sent = traffic.datagrams_sent;
	out->datagram_bytes = traffic.datagram_bytes_sent;
	out->stream_bytes = traffic.stream_bytes_sent;
	fleet_moves(r->fleet, &out->joins, &out->leaves); /* by churn and by faults … */
	out->deaths = fleet_gone(r->fleet);               /* … as these */
	out->interrupted = r->stopped;
	see_codes(r);
}

static void
end(struct run *r)
{
	workload_free(r->workload);
	timeline_free(r->timeline);
	churn_free(r->churn);
	r->churn = NULL;
	r->timeline = NULL;
	census_free(r->census);
	fleet_free(r->fleet);
}

static void
begin_result(struct run *r)
{
	const struct scenario *s = r->opts->scenario;
	struct result *out = r->result;

	(void)snprintf(out->scenario, sizeof(out->scenario), "%s", s->name);
	out->seed = r->opts->seed;
	out->nodes = r->opts->nodes;
	out->span = r->opts->span;
	out->stand_in = r->opts->stand_in;
	out->liars_ppm = s->liars_ppm;
	out->k = s->code.k;
	out->r = s->code.r;
	out->n = s->code.n;
}

int
run_scenario(const struct run_opts *opts, struct result *out)
{
	const struct run_host *h = &opts->host;
	struct run r = { .opts = opts, .result = out };
	uint64_t cpu = h->cpu_ms(h->arg), wall, events, node_ms;

	begin_result(&r);
	start(&r);
	out->setup_cpu_ms = h->cpu_ms(h->arg) - cpu;
	wall = h->wall_ms(h->arg);
	cpu = h->cpu_ms(h->arg);
	events = sim_events(world_of(&r));
	sim_events_by_kind(world_of(&r), r.kinds);
	warm_up(&r);
	measure(&r);
	out->cpu_ms = h->cpu_ms(h->arg) - cpu;
	out->wall_ms = h->wall_ms(h->arg) - wall;
	out->events = sim_events(world_of(&r)) - events;
	sim_events_by_kind(world_of(&r), out->events_by_kind);
	for (size_t i = 0; i < SIM_EVENT_KINDS; i++)
		out->events_by_kind[i] -= r.kinds[i];
	out->resident_peak_bytes = h->resident_peak(h->arg);
	risk_sum_up(r.risk);
	risk_free(r.risk); /* what heals is no part of it */
	r.risk = NULL;
	node_ms = out->node_ms; /* healing is no part of what was measured */
	heal(&r);
	out->node_ms = node_ms;
	read_all_back(&r);
	sum_up(&r);
	end(&r);
	return r.stopped ? ERR_CANCELED : ERR_OK;
}
