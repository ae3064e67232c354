/*
 * Whether a scenario makes sense: each number by itself against a table of bounds, then what only
 * several together get wrong, then its faults. Beyond the bounds arithmetic overflows, pauses are
 * shorter than a nanosecond, or nobody can join.
 */
#include <stdio.h>

#include "overlay/base/err.h"
#include "sim/scenario.h"
#include "sim/sim.h"

/* A request of the DHT fits into it, so that users find the network. */
#define RATE_LEAST   KIB(1)
/* The shortest interval of upkeep is a second: a millisecond remains. */
#define PACE_MOST    1000
/* A second's worth of them is still some thousands of tasks. */
#define HOURLY_MOST  UINT64_C(10000000)
#define BOOK_MOST    65535 /* whose places have two bytes, overlay/peers.c */
#define TIME_MOST    DAYS(400)
#define CLOCK_MOST   DAYS(365) /* worlds begin 56 years after zero, and clocks may jump often */
#define JUMP_MOST    ((int64_t)(CLOCK_MOST / MILLISECONDS(1)))
#define STORAGE_MOST GIB(1024 * 1024) /* 1024T */

struct bound {
	const char *key;
	size_t offset;
	uint64_t least, most;
	bool zero; /* is right, too: "unlimited", "by the code" */
	const char *right;
};

#define BOUND(key, field, least, most, zero, right)                                                \
	{                                                                                          \
		key, offsetof(struct scenario, field), least, most, zero, right                    \
	}
#define HOURLY(key, field) BOUND("workload." key, field, 0, HOURLY_MOST, true, "0 to 10000000")

static const struct bound bounds[] = {
	BOUND("network.up", up_bytes_s, RATE_LEAST, SIM_RATE_MAX, true,
	    "0 (unlimited), or 1K to 1T a second"),
	BOUND("network.down", down_bytes_s, RATE_LEAST, SIM_RATE_MAX, true,
	    "0 (unlimited), or 1K to 1T a second"),
	BOUND("nodes.capacity", capacity_bytes, 0, STORAGE_MOST, true, "0 to 1024T"),
	BOUND("nodes.book", book, 1, BOOK_MOST, true, "0 (by the number of nodes) to 65535"),
	BOUND(
	    "nodes.clock-skew", clock_skew_ms, 0, CLOCK_MOST / MILLISECONDS(1), true, "0 to 365d"),
	BOUND("nodes.warmup", warmup, 0, TIME_MOST, true, "0 to 400d"),
	BOUND("nodes.pace", pace, 1, PACE_MOST, false, "1 to 1000"),
	BOUND("nodes.repair-pace", repair_pace, 1, PACE_MOST, true, "0 (as pace) to 1000"),
	BOUND("nodes.repair-rate", repair_bytes_s, 1, SIM_RATE_MAX, true, "0 (25M) to 1T a second"),
	BOUND("nodes.grace", grace, 1, TIME_MOST, true, "0 (by the code) to 400d"),
	BOUND("nodes.calm", calm, 1, PACE_MOST, true, "0 to 1000"),
	BOUND("nodes.per-net24", per_net24, 1, 254, false, "1 to 254"),
	HOURLY("lookups-per-hour", lookups_per_hour),
	HOURLY("record-puts-per-hour", record_puts_per_hour),
	HOURLY("record-gets-per-hour", record_gets_per_hour),
	HOURLY("object-puts-per-hour", object_puts_per_hour),
	HOURLY("object-gets-per-hour", object_gets_per_hour),
	BOUND("workload.objects-max", objects_max, 0, 100000, true, "0 to 100000"),
	BOUND("workload.users", users, 0, 64, true, "0 to 64"),
};

static int
wrong(char error[SCENARIO_ERROR_MAX], const char *what)
{
	(void)snprintf(error, SCENARIO_ERROR_MAX, "%s", what);
	return ERR_INVALID;
}

static int
check_bounds(const struct scenario *s, char error[SCENARIO_ERROR_MAX])
{
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		const struct bound *b = &bounds[i];
		uint64_t v;

		memcpy(&v, (const char *)s + b->offset, sizeof(v));
		if ((v == 0 && b->zero) || (v >= b->least && v <= b->most))
			continue;
		(void)snprintf(error, SCENARIO_ERROR_MAX, "%s is too %s; right would be %s", b->key,
		    v < b->least ? "small" : "large", b->right);
		return ERR_INVALID;
	}
	return ERR_OK;
}

/* What strikes once and stays needs no end. */
static bool
lasts(const struct fault *f)
{
	return f->kind == FAULT_GONE || f->kind == FAULT_CLOCK || f->kind == FAULT_DISK_ROT ||
	       (f->span_ppm == UINT32_MAX ? f->span : f->span_ppm) > 0;
}

static bool
strikes_nobody(const struct fault *f)
{
	return scenario_fault_heeds(f->kind, "count") && f->count == 0 && f->share_ppm == 0;
}

static int
check_fault(const struct fault *f, char error[SCENARIO_ERROR_MAX])
{
	const char *what = NULL, *unheeded = NULL;

	if (f->kind == FAULT_KINDS)
		what = "has no kind";
	else if (scenario_fault_heeds(f->kind, "lies") && f->lies == 0)
		what = "has no lies";
	else if (scenario_fault_heeds(f->kind, "rate") && f->rate_ppm == 0)
		what = "has no rate";
	else if (f->kind == FAULT_CLOCK && f->jump_ms == 0)
		what = "has no jump";
	else if (f->kind == FAULT_CLOCK && (f->jump_ms < -JUMP_MOST || f->jump_ms > JUMP_MOST))
		what = "jumps by more than 365d";
	else if (f->kind == FAULT_OUTAGE && f->where[0] == '\0')
		what = "has no where";
	else if (f->kind == FAULT_SYBILS && f->count == 0)
		what = "has no count";
	else if (!lasts(f))
		what = "does not last; right would be a \"for\" such as 10m, or 25% of the run";
	else if (strikes_nobody(f))
		what = "strikes nobody: its share is 0";
	else
		unheeded = scenario_fault_unheeded(f);
	if (unheeded != NULL) {
		(void)snprintf(error, SCENARIO_ERROR_MAX,
		    "[fault %s] says \"%s\", which means nothing to kind \"%s\"", f->name, unheeded,
		    scenario_fault_name(f->kind));
		return ERR_INVALID;
	}
	if (what == NULL)
		return ERR_OK;
	(void)snprintf(error, SCENARIO_ERROR_MAX, "[fault %s] %s", f->name, what);
	return ERR_INVALID;
}

static int
check_faults(const struct scenario *s, char error[SCENARIO_ERROR_MAX])
{
	uint64_t sybils = 0;

	for (size_t i = 0; i < s->faults_count; i++) {
		const struct fault *f = &s->faults[i];
		int err = check_fault(f, error);

		if (err != ERR_OK)
			return err;
		/* Each is at most 2^40: 32 of them do not overflow. */
		sybils += f->kind == FAULT_SYBILS ? f->count : 0;
		if (sybils > SCENARIO_SYBILS_MAX) {
			(void)snprintf(error, SCENARIO_ERROR_MAX,
			    "[fault %s] count: at most %d Sybils, those of all faults together",
			    f->name, SCENARIO_SYBILS_MAX);
			return ERR_INVALID;
		}
	}
	return ERR_OK;
}

/* Gets choose among what was put. */
static int
check_gets(const struct scenario *s, char error[SCENARIO_ERROR_MAX])
{
	if (s->record_gets_per_hour > 0 && s->record_puts_per_hour == 0)
		return wrong(error,
		    "workload.record-gets-per-hour is over 0, but nothing is put that could be "
		    "got; right would be a record-puts-per-hour over 0, or no gets");
	if (s->object_gets_per_hour > 0 && (s->object_puts_per_hour == 0 || s->objects_max == 0))
		return wrong(error,
		    "workload.object-gets-per-hour is over 0, but nothing is put that could be "
		    "got; right would be object-puts-per-hour and objects-max over 0, or no gets");
	return ERR_OK;
}

int
scenario_check(const struct scenario *s, char error[SCENARIO_ERROR_MAX])
{
	int err = check_bounds(s, error);

	if (err != ERR_OK)
		return err;
	if (s->loss_ppm > 500000 || s->duplicate_ppm > 500000 || s->reorder_ppm > 1000000)
		return wrong(
		    error, "a network that loses or doubles more than half of all is none");
	if (s->stale_ppm > 900000)
		return wrong(error, "nodes.stale is over 90%");
	if ((uint64_t)s->nat_cone_ppm + s->nat_symmetric_ppm > 900000)
		return wrong(
		    error, "more than 90% are behind routers: nobody would be left to serve");
	if (s->liars_ppm > 900000 || (s->liars_ppm > 0 && s->lies == 0))
		return wrong(error, "liars.share is over 90%, or liars.lies says nothing");
	if (s->object_least == 0 || s->object_least > s->object_most || s->object_most > MIB(64))
		return wrong(
		    error, "workload: right would be 1 <= object-least <= object-most <= 64M");
	if (s->object_puts_per_hour > 0 && (s->users == 0 || s->storing == 0))
		return wrong(error, "objects are put, but there are no users or no storing nodes");
	err = check_gets(s, error);
	return err != ERR_OK ? err : check_faults(s, error);
}

int
scenario_fits(const struct scenario *s, uint64_t run, char error[SCENARIO_ERROR_MAX])
{
	for (size_t i = 0; i < s->faults_count; i++) {
		uint64_t from, to;

		scenario_fault_span(&s->faults[i], run, &from, &to);
		if (from < run)
			continue;
		(void)snprintf(error, SCENARIO_ERROR_MAX,
		    "[fault %s] begins when the run is over; right would be an earlier \"at\", or "
		    "a longer run",
		    s->faults[i].name);
		return ERR_INVALID;
	}
	return ERR_OK;
}
