/*
 * Every operation is a struct op on the heap, a task on its member, and a line of counting at the
 * end. Rates are whole numbers per hour; the pause between two is uniform around its mean, which
 * spreads them without a logarithm. Short of memory it aborts.
 */
#include <stdlib.h>

#include "dht/table.h"
#include "sim/workload_private.h"

#define LOOKUP_PATIENCE MINUTES(10) /* far above the deadline of a lookup */
#define PROBE_EVERY     SECONDS(30) /* a put and a get: an hour tells a percent, and costs little */

struct op {
	struct workload *w;
	struct member *m;
	enum op_kind kind;
	unsigned paths;
	struct id target;
	struct probe *probe; /* NULL: an operation like all others */
	bool measured, asked;
	struct fault_clock began;
	struct lookup_result lookup;
	struct dht_put_result put;
	struct record record;
};

/* ---- what operations meet ---- */

const char *
workload_op_name(enum op_kind kind)
{
	static const char *const names[OP_KINDS] = { "lookup", "record put", "record get",
		"object put", "object get" };

	return names[kind];
}

void
workload_watch(struct workload *w, const struct fault_clock *clock, struct coverage *out)
{
	w->clock = clock;
	w->coverage = out;
}

void
workload_op_begins(const struct workload *w, struct fault_clock *began)
{
	if (w->clock != NULL)
		*began = *w->clock;
}

void
workload_op_ends(struct workload *w, enum op_kind kind, const struct fault_clock *began, int err)
{
	bool quiet = true;

	if (w->clock == NULL)
		return;
	for (size_t i = 0; i < FAULT_KINDS; i++) {
		/* It went on at the beginning, or began since. */
		if (began->active[i] == 0 && began->begun[i] == w->clock->begun[i])
			continue;
		w->coverage->during[kind][i]++;
		quiet = false;
	}
	w->coverage->quiet[kind] += quiet;
	w->coverage->refused[kind] += err != ERR_OK;
}

/* ---- lookups ---- */

/* Of the true closest those that are honest, at the end of a lookup: what it could have found. */
static size_t
truth_of(const struct op *o, struct oracle_entry *out)
{
	struct fleet *f = o->w->fleet;
	struct oracle_entry near[DHT_K];
	size_t n = oracle_closest(fleet_oracle(f), &o->target, o->m->index, near, DHT_K);
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct member *m = fleet_member(f, near[i].member);

		/* Who came up a moment ago may be known to nobody yet: both sides of it are churn.
		 */
		if (m->lies == 0)
			out[count++] = near[i];
	}
	return count;
}

static bool
has(const struct lookup_result *r, const struct id *id)
{
	for (size_t i = 0; i < r->count; i++) {
		if (id_equal(&r->closest[i].id, id))
			return true;
	}
	return false;
}

static void
count_lookup(struct op *o, int err)
{
	struct result *r = o->w->result;
	struct interval *v = &o->w->interval;
	struct oracle_entry truth[DHT_K];
	size_t n = truth_of(o, truth), found = 0;
	bool good;

	for (size_t i = 0; err == ERR_OK && i < n; i++)
		found += has(&o->lookup, &truth[i].id);
	good = err == ERR_OK && n > 0 && has(&o->lookup, &truth[0].id);
	for (size_t i = 0; i < RESULT_PATHS; i++) {
		struct result_paths *p = &r->paths[i];

		if (p->paths != o->paths)
			continue;
		p->lookups++;
		p->succeeded += good;
		if (err == ERR_OK)
			histogram_add(&p->rpcs, o->lookup.rpcs);
	}
	if (o->paths != DHT_PATHS)
		return; /* the figures of the whole are those of the default */
	r->lookups++;
	v->lookups++;
	r->recall_true += n;
	v->truth += n;
	r->recall_found += found;
	v->found += found;
	if (err != ERR_OK) {
		r->lookups_failed++;
		v->lookups_failed++;
		return;
	}
	if (found > 0) {
		histogram_add(&r->lookup_first, o->lookup.first_after);
		histogram_add(&v->first, o->lookup.first_after);
	}
	histogram_add(&r->lookup_done, o->lookup.done_after);
	histogram_add(&v->done, o->lookup.done_after);
	histogram_add(&r->lookup_rpcs, o->lookup.rpcs);
	r->rpcs_total += o->lookup.rpcs;
}

/* ---- records ---- */

static int
make_record(struct op *o)
{
	/* Each of a probe's replaces the one before. */
	struct signed_value v = { .sequence = o->probe == NULL ? 1 : env_now(o->m->env),
		.len = 300 };
	struct sign_key secret;
	struct key seed;
	int err;

	env_random(o->m->env, seed.b, sizeof(seed.b));
	if (o->probe != NULL)
		seed = o->probe->owner;
	crypto_sign_key_from_seed(&seed, &secret, &v.owner);
	env_random(o->m->env, v.value, v.len);
	err = signed_make(fleet_net(o->w->fleet), &secret, &v, &o->record);
	crypto_wipe(&secret, sizeof(secret));
	return err;
}

static void
count_record_put(struct op *o, int err)
{
	struct workload *w = o->w;

	if (o->probe != NULL) {
		w->result->attacked_puts++;
		w->result->attacked_puts_failed += err != ERR_OK;
		o->probe->stored |= err == ERR_OK;
		return;
	}
	if (err == ERR_OK)
		w->records[w->records_count++ % WORKLOAD_RECORDS] = o->record.key;
	if (!o->measured)
		return;
	w->result->record_puts++;
	w->result->record_puts_failed += err != ERR_OK;
	if (err != ERR_OK)
		return;
	histogram_add(&w->result->put, o->put.done_after);
	histogram_add(&w->result->put_rpcs, o->put.rpcs);
	w->result->rpcs_total += o->put.rpcs;
}

static bool
first_will_do(void *arg, const struct record *r)
{
	(void)arg;
	(void)r;
	return true;
}

static void
count_record_get(struct op *o, int err, uint64_t took)
{
	if (o->probe != NULL) {
		o->w->result->attacked_gets++;
		o->w->result->attacked_gets_failed += err != ERR_OK;
		return;
	}
	if (!o->measured)
		return;
	o->w->result->record_gets++;
	o->w->result->record_gets_failed += err != ERR_OK;
	if (err == ERR_OK)
		histogram_add(&o->w->result->record_get, took);
}

/* ---- one operation ---- */

static int
op_run(void *arg)
{
	struct op *o = arg;
	struct workload *w = o->w;
	struct env *env = o->m->env;
	struct dht *d = node_dht(o->m->node);
	uint64_t start = env_now(env);
	int err = ERR_OK;

	switch (o->kind) {
	case OP_LOOKUP:
		err = dht_lookup(
		    d, &o->target, &(struct lookup_opts){ .paths = o->paths }, &o->lookup);
		if (o->measured && !task_canceled(env))
			count_lookup(o, err);
		break;
	case OP_RECORD_PUT:
		err = make_record(o);
		if (err == ERR_OK)
			err = dht_put(d, &o->record, &o->put);
		if (!task_canceled(env))
			count_record_put(o, err);
		break;
	default:
		err = dht_get(d, &o->target, RECORD_SIGNED, first_will_do, NULL);
		if (!task_canceled(env))
			count_record_get(o, err, env_now(env) - start);
	}
	if (!task_canceled(env))
		workload_op_ends(w, o->kind, &o->began, err);
	w->running--;
	w->asked -= o->asked;
	free(o);
	return err;
}

static bool
choose_target(struct workload *w, struct op *o)
{
	uint64_t kept = MIN(w->records_count, (uint64_t)WORKLOAD_RECORDS);

	if (o->kind != OP_RECORD_GET) {
		sim_random_bytes(&w->random, o->target.b, sizeof(o->target.b));
		return true;
	}
	if (kept == 0)
		return false;
	o->target = w->records[sim_random_below(&w->random, kept)];
	return true;
}

static void
op_spawn(struct workload *w, struct op *o)
{
	bool asked = o->asked; /* it may have ended when the spawn returns */

	if (task_spawn(&o->m->work, "operation", op_run, o) != ERR_OK) {
		free(o);
		return;
	}
	w->running++;
	w->asked += asked;
}

static void
op_start(struct workload *w, enum op_kind kind, bool asked)
{
	static const unsigned paths[RESULT_PATHS] = { 2, 1, 4 };
	struct op *o = calloc(1, sizeof(*o));

	must(o != NULL);
	*o = (struct op){ .w = w,
		.m = fleet_any(w->fleet),
		.kind = kind,
		.paths = DHT_PATHS,
		.measured = w->measured,
		.asked = asked };
	if (fleet_scenario(w->fleet)->all_paths)
		o->paths = paths[w->made % RESULT_PATHS];
	w->made++;
	workload_op_begins(w, &o->began);
	if (o->m == NULL || !choose_target(w, o))
		free(o);
	else
		op_spawn(w, o);
}

/* ---- attacked keys ---- */

static void
probe_start(struct workload *w, enum op_kind kind, struct probe *probe)
{
	const uint8_t salt[16] = { 0 };
	struct op *o = calloc(1, sizeof(*o));
	struct sign_key secret;
	struct pubkey owner;

	must(o != NULL);
	*o = (struct op){ .w = w, .m = fleet_any(w->fleet), .kind = kind, .probe = probe };
	crypto_sign_key_from_seed(&probe->owner, &secret, &owner);
	crypto_wipe(&secret, sizeof(secret));
	signed_key(&owner, salt, &o->target);
	workload_op_begins(w, &o->began);
	if (o->m == NULL)
		free(o);
	else
		op_spawn(w, o);
}

static void
on_probe(void *arg)
{
	struct workload *w = arg;

	timer_start(&w->probe, PROBE_EVERY);
	for (size_t i = 0; i < fleet_scenario(w->fleet)->faults_count; i++) {
		struct probe *p = &w->probes[i];

		if (!timeline_attacked(w->timeline, i, &p->owner))
			continue;
		if (p->stored)
			probe_start(w, OP_RECORD_GET, p);
		probe_start(w, OP_RECORD_PUT, p);
	}
}

void
workload_probe(struct workload *w, const struct timeline *t)
{
	const struct scenario *s = fleet_scenario(w->fleet);

	w->timeline = t;
	for (size_t i = 0; i < s->faults_count; i++) {
		if (s->faults[i].kind == FAULT_SYBILS)
			timer_start(&w->probe, PROBE_EVERY);
	}
}

/* ---- rates ---- */

static uint64_t
rate_of(const struct workload *w, enum op_kind kind)
{
	const struct scenario *s = fleet_scenario(w->fleet);
	const uint64_t rates[OP_KINDS] = { s->lookups_per_hour, s->record_puts_per_hour,
		s->record_gets_per_hour, s->object_puts_per_hour, s->object_gets_per_hour };

	return rates[kind];
}

static void
arm(struct pace *p)
{
	uint64_t rate = rate_of(p->workload, p->kind);

	if (rate > 0)
		timer_start(&p->timer, sim_random_below(&p->workload->random, HOURS(2) / rate + 1));
}

static void
strike(void *arg)
{
	struct pace *p = arg;

	arm(p);
	if (p->kind == OP_OBJECT_PUT)
		workload_object_put(p->workload);
	else if (p->kind == OP_OBJECT_GET)
		workload_object_get(p->workload);
	else
		op_start(p->workload, p->kind, false);
}

void
workload_start(struct workload *w, bool measured)
{
	w->measured = measured;
	for (size_t i = 0; i < OP_KINDS; i++) {
		if (!timer_armed(&w->paces[i].timer))
			arm(&w->paces[i]);
	}
}

void
workload_stop(struct workload *w)
{
	for (size_t i = 0; i < OP_KINDS; i++)
		timer_stop(&w->paces[i].timer);
	timer_stop(&w->probe);
}

struct asking {
	const struct workload *w;
	size_t limit;
	bool (*halted)(void *arg);
	void *arg;
};

static bool
is_below(void *arg)
{
	const struct asking *a = arg;

	return a->halted(a->arg) || a->w->asked < a->limit;
}

void
workload_lookups(
    struct workload *w, uint64_t count, size_t at_once, bool (*halted)(void *arg), void *arg)
{
	struct asking a = { .w = w, .limit = at_once, .halted = halted, .arg = arg };

	w->measured = true;
	for (uint64_t i = 0; i < count && !halted(arg); i++) {
		(void)sim_run_until(fleet_world(w->fleet), is_below, &a, LOOKUP_PATIENCE);
		op_start(w, OP_LOOKUP, true);
	}
	a.limit = 1;
	(void)sim_run_until(fleet_world(w->fleet), is_below, &a, LOOKUP_PATIENCE);
}

size_t
workload_running(const struct workload *w)
{
	return w->running;
}

struct interval *
workload_interval(struct workload *w)
{
	return &w->interval;
}

/* ---- life ---- */

struct workload *
workload_new(struct fleet *f, struct result *r)
{
	const struct scenario *s = fleet_scenario(f);
	struct workload *w = calloc(1, sizeof(*w));

	must(w != NULL);
	w->fleet = f;
	w->result = r;
	sim_random_init(&w->random, sim_random_u64(fleet_dice(f)), 0x0b5);
	for (size_t i = 0; i < OP_KINDS; i++) {
		w->paces[i] = (struct pace){ .workload = w, .kind = (enum op_kind)i };
		timer_init(&w->paces[i].timer, fleet_director(f), strike, &w->paces[i]);
	}
	timer_init(&w->probe, fleet_director(f), on_probe, w);
	w->records = calloc(WORKLOAD_RECORDS, sizeof(*w->records));
	must(w->records != NULL);
	if (s->object_puts_per_hour > 0) {
		w->users = calloc(s->users, sizeof(struct user *));
		must(w->users != NULL);
		for (; w->users_count < s->users; w->users_count++)
			w->users[w->users_count] = user_new(f, (uint32_t)w->users_count);
	}
	return w;
}

void
workload_free(struct workload *w)
{
	if (w == NULL)
		return;
	workload_stop(w);
	for (size_t i = 0; i < w->users_count; i++)
		user_free(w->users[i]);
	free(w->users);
	workload_objects_free(w);
	free(w->records);
	free(w);
}

size_t
workload_users(const struct workload *w)
{
	return w->users_count;
}

struct user *
workload_user(struct workload *w, size_t i)
{
	must(i < w->users_count);
	return w->users[i];
}
