/*
 * The generator. Each story draws which kinds of faults it knows at all ("swarm testing": a story
 * that may do everything does little of each), how many, when, and how bad. What it makes
 * is a scenario like those in files.
 */
#include <stdarg.h>
#include <stdio.h>

#include "sim/liar.h"
#include "sim/story.h"

#define KINDS_CHANCE 400000 /* that a story knows a kind of fault, in ppm */
#define STORY_FAULTS 14

static uint64_t
between(struct sim_random *r, uint64_t least, uint64_t most)
{
	return least + sim_random_below(r, most - least + 1);
}

static bool
half(struct sim_random *r)
{
	return sim_random_chance(r, 500000);
}

static void
plan_network(struct story *s, struct sim_random *r)
{
	static const struct code_params codes[] = { { 1, 2, 3 }, { 2, 3, 4 }, { 2, 4, 5 },
		{ 3, 5, 6 }, { 4, 6, 8 }, { 4, 7, 12 } };
	struct scenario *sc = &s->scenario;
	uint8_t receipts;

	sc->code = codes[sim_random_below(r, ARRAY_LEN(codes))];
	receipts = code_success(&sc->code);
	s->spoils = (unsigned)sim_random_below(r, (uint64_t)(receipts - sc->code.k) + 1);
	s->nodes = sc->code.n + between(r, 2, 10);
	if (sim_random_chance(r, 100000))
		s->nodes += between(r, 10, 40); /* more than one bucket */
	sc->storing = s->nodes;
	sc->capacity_bytes = MIB(256);
	sc->regions = half(r);
	sc->pace = STORY_PACE;
	sc->warmup = SECONDS(30);
	sc->loss_ppm = half(r) ? (uint32_t)between(r, 0, 100000) : 10000;
	sc->duplicate_ppm = half(r) ? (uint32_t)between(r, 0, 200000) : 0;
	sc->reorder_ppm = half(r) ? (uint32_t)between(r, 0, 300000) : 0;
	sc->stale_ppm = half(r) ? 150000 : 0;
	sc->clock_skew_ms = half(r) ? between(r, 0, 600000) : 0;
	if (sim_random_chance(r, 300000)) {
		sc->up_bytes_s = between(r, KIB(200), MIB(20));
		sc->down_bytes_s = between(r, KIB(200), MIB(20));
	}
}

static void
plan_work(struct story *s, struct sim_random *r)
{
	struct scenario *sc = &s->scenario;

	sc->users = between(r, 1, 3);
	sc->object_puts_per_hour = between(r, 60, 1200);
	sc->object_gets_per_hour = between(r, 60, 1200);
	sc->objects_max = between(r, 4, 16);
	sc->object_least = 1;
	sc->object_most = half(r) ? KIB(100) : MIB(1);
	sc->lookups_per_hour = between(r, 0, 600);
	sc->record_puts_per_hour = between(r, 0, 600);
	sc->record_gets_per_hour = between(r, 0, 600);
	if (sc->record_puts_per_hour == 0) /* nothing to get */
		sc->record_gets_per_hour = 0;
	sc->all_paths = half(r);
}

static bool
spoils(enum fault_kind kind)
{
	return kind == FAULT_GONE || kind == FAULT_DISK_ROT || kind == FAULT_LIE;
}

/* What has been planned so far, and may not become more than what is survivable. */
struct planned {
	unsigned spoiled; /* shards of one chunk */
	uint64_t jumped;  /* clocks: whose median is wrong at most peers is not agreed on by any */
};

static void
plan_where(struct fault *f, struct sim_random *r)
{
	size_t countries = 0;

	while (sim_country(countries) != NULL)
		countries++;
	switch (sim_random_below(r, 4)) {
	case 0:
		(void)snprintf(f->where, sizeof(f->where), "region %s",
		    sim_region_name((unsigned)sim_random_below(r, SIM_REGIONS)));
		break;
	case 1:
		(void)snprintf(f->where, sizeof(f->where), "country %s",
		    sim_country((size_t)sim_random_below(r, countries)));
		break;
	case 2:
		(void)snprintf(f->where, sizeof(f->where), "as %u",
		    (unsigned)sim_random_below(r, SIM_AS_PER_COUNTRY));
		break;
	default:
		(void)snprintf(f->where, sizeof(f->where), "net24");
	}
}

static void
plan_fault(struct story *s, struct sim_random *r, enum fault_kind kind, struct planned *p)
{
	struct scenario *sc = &s->scenario;
	struct fault *f = &sc->faults[sc->faults_count];
	uint64_t most = MAX(s->nodes / 3, (uint64_t)1);

	memset(f, 0, sizeof(*f));
	f->kind = kind;
	(void)snprintf(
	    f->name, sizeof(f->name), "%s-%zu", scenario_fault_name(kind), sc->faults_count);
	f->at_ppm = f->span_ppm = UINT32_MAX;
	f->at = sim_random_below(r, s->span);
	/* Short ones strike between two steps of one operation. */
	f->span = half(r) ? between(r, MILLISECONDS(100), SECONDS(10))
			  : between(r, SECONDS(10), s->span / 2);
	f->count = between(r, 1, most);
	f->one_way = half(r);
	f->jump_ms = (int64_t)between(r, 1, 2 * 3600000) - 3600000;
	f->rate_ppm = kind == FAULT_LOSS ? (uint32_t)between(r, 50000, 300000)
					 : (uint32_t)between(r, 1000, 300000);
	if (kind == FAULT_LIE)
		f->lies = 1u << sim_random_below(r, LIAR_KINDS);
	if (kind == FAULT_OUTAGE)
		plan_where(f, r);
	if (spoils(kind)) {
		if (p->spoiled >= s->spoils)
			return;
		f->count = between(r, 1, s->spoils - p->spoiled);
		p->spoiled += (unsigned)f->count;
	}
	if (kind == FAULT_CLOCK) {
		f->count = MIN(f->count, most - p->jumped);
		if (f->count == 0)
			return;
		p->jumped += f->count;
	}
	sc->faults_count++;
}

void
story_plan(uint64_t seed, struct story *out)
{
	struct sim_random r;
	enum fault_kind kinds[FAULT_KINDS];
	size_t kinds_count = 0, faults;
	struct planned planned = { 0 };

	memset(out, 0, sizeof(*out));
	sim_random_init(&r, seed, 0x5709);
	out->seed = seed;
	scenario_init(&out->scenario);
	(void)snprintf(
	    out->scenario.name, sizeof(out->scenario.name), "story-%llu", (unsigned long long)seed);
	out->span = between(&r, MINUTES(2), MINUTES(20));
	plan_network(out, &r);
	plan_work(out, &r);
	if (sim_random_chance(&r, 200000)) {
		out->scenario.churn = true;
		(void)lifetime_parse("exponential mean 10m", &out->scenario.session, NULL);
		(void)lifetime_parse("exponential mean 30s", &out->scenario.absence, NULL);
	}
	for (size_t i = 0; i < FAULT_KINDS; i++) {
		/* Sybils need no peer that exists, so they spoil nobody: but their lies are
		 * unbounded. */
		if (i != FAULT_SYBILS && sim_random_chance(&r, KINDS_CHANCE))
			kinds[kinds_count++] = (enum fault_kind)i;
	}
	faults = (size_t)sim_random_below(&r, STORY_FAULTS + 1);
	for (size_t i = 0; i < faults && kinds_count > 0; i++)
		plan_fault(out, &r, kinds[sim_random_below(&r, kinds_count)], &planned);
}

void
story_edit(struct story *s, const struct story_edit *edit)
{
	struct scenario *sc = &s->scenario;
	size_t kept = 0;

	for (size_t i = 0; i < sc->faults_count; i++) {
		if ((edit->faults & (1u << i)) == 0)
			sc->faults[kept++] = sc->faults[i];
	}
	sc->faults_count = kept;
	if (edit->weather)
		sc->loss_ppm = sc->duplicate_ppm = sc->reorder_ppm = sc->stale_ppm = 0;
	if (edit->churn)
		sc->churn = false;
	if (edit->records)
		sc->lookups_per_hour = sc->record_puts_per_hour = sc->record_gets_per_hour = 0;
}

/* ---- as a file ---- */

static void add(char *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
add(char *out, const char *fmt, ...)
{
	size_t used = strlen(out);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(out + used, STORY_TEXT_MAX - used, fmt, ap);
	va_end(ap);
}

static void
add_fault(char *out, const struct fault *f)
{
	char lies[128];

	add(out, "\n[fault %s]\nkind = %s\nat = %llums\nfor = %llums\n", f->name,
	    scenario_fault_name(f->kind), (unsigned long long)(f->at / MILLISECONDS(1)),
	    (unsigned long long)(f->span / MILLISECONDS(1)));
	if (f->where[0] != '\0')
		add(out, "where = %s\n", f->where);
	else if (f->kind != FAULT_LOSS)
		add(out, "count = %llu\n", (unsigned long long)f->count);
	if (scenario_fault_heeds(f->kind, "rate"))
		add(out, "rate = %uppm\n", f->rate_ppm);
	if (f->kind == FAULT_CLOCK)
		add(out, "jump = %lldms\n", (long long)f->jump_ms);
	if (f->kind == FAULT_PARTITION && f->one_way)
		add(out, "one-way = yes\n");
	if (f->kind == FAULT_LIE)
		add(out, "lies = %s\n", liar_kinds_text(f->lies, lies, sizeof(lies)));
}

const char *
story_text(const struct story *s, char out[STORY_TEXT_MAX])
{
	const struct scenario *sc = &s->scenario;

	out[0] = '\0';
	add(out, "; %llu nodes, %llu s\n", (unsigned long long)s->nodes,
	    (unsigned long long)(s->span / SECONDS(1)));
	add(out, "[scenario]\nname = %s\n\n", sc->name);
	add(out, "[network]\nregions = %s\nloss = %uppm\nduplicate = %uppm\nreorder = %uppm\n",
	    sc->regions ? "yes" : "no", sc->loss_ppm, sc->duplicate_ppm, sc->reorder_ppm);
	add(out, "up = %llu\ndown = %llu\n\n", (unsigned long long)sc->up_bytes_s,
	    (unsigned long long)sc->down_bytes_s);
	add(out, "[nodes]\nstoring = %llu\ncode = %u/%u/%u\nstale = %uppm\npace = %llu\n",
	    (unsigned long long)sc->storing, sc->code.k, sc->code.r, sc->code.n, sc->stale_ppm,
	    (unsigned long long)sc->pace);
	add(out, "clock-skew = %llums\ncapacity = %llu\nwarmup = %llums\n\n",
	    (unsigned long long)sc->clock_skew_ms, (unsigned long long)sc->capacity_bytes,
	    (unsigned long long)(sc->warmup / MILLISECONDS(1)));
	if (sc->churn)
		add(out,
		    "[churn]\nsession = exponential mean 10m\nabsence = exponential mean 30s\n\n");
	add(out,
	    "[workload]\nusers = %llu\nobjects-max = %llu\nobject-least = %llu\nobject-most = "
	    "%llu\n",
	    (unsigned long long)sc->users, (unsigned long long)sc->objects_max,
	    (unsigned long long)sc->object_least, (unsigned long long)sc->object_most);
	add(out, "object-puts-per-hour = %llu\nobject-gets-per-hour = %llu\n",
	    (unsigned long long)sc->object_puts_per_hour,
	    (unsigned long long)sc->object_gets_per_hour);
	add(out,
	    "lookups-per-hour = %llu\nrecord-puts-per-hour = %llu\nrecord-gets-per-hour = %llu\n",
	    (unsigned long long)sc->lookups_per_hour, (unsigned long long)sc->record_puts_per_hour,
	    (unsigned long long)sc->record_gets_per_hour);
	add(out, "all-paths = %s\n", sc->all_paths ? "yes" : "no");
	for (size_t i = 0; i < sc->faults_count; i++)
		add_fault(out, &sc->faults[i]);
	return out;
}
