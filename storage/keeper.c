/*
 * Tours and what starts them. A tour reads the facts of every chunk, in the order of their names,
 * and leaves a ledger and a set of questions; the questions are asked behind it. A tick looks every
 * few minutes whether a tour is due, asks the silent again, and starts a tour early when somebody
 * has passed his grace. What comes in between is judged chunk by chunk (intake).
 *
 * How it can fail: a store that refuses ends the tour, the next one comes; a queue that is full
 * refuses, and who told us tells again.
 */
#include "storage/keeper.h"

#include <stdlib.h>

#include "storage/auditor.h"

uint64_t
keeper_now_unix_s(const struct keeper *k, bool *trusted)
{
	struct agreed_time t;

	endpoint_agreed_time(k->opts.endpoint, &t);
	if (trusted != NULL)
		*trusted = t.trusted;
	return t.unix_ms / 1000;
}

int
keeper_chunks(struct keeper *k, struct chunks **out)
{
	int err = ERR_OK;

	if (k->chunks == NULL)
		err =
		    chunks_new(&(struct chunks_opts){ k->opts.endpoint, k->opts.dht }, &k->chunks);
	*out = k->chunks;
	return err;
}

bool
keeper_is_self(const struct keeper *k, const struct pubkey *pub)
{
	return pubkey_equal(&endpoint_identity(k->opts.endpoint)->pub, pub);
}

/* ---- what a tour leaves ---- */

/* Entries whose chunks the tour has not met are gone from the store. */
static void
forget_unmet(struct keeper *k, bool leased_too)
{
	size_t cursor = 0;
	struct held *h;

	while ((h = ledger_next(k->ledger, &cursor)) != NULL) {
		if (h->tour == k->tour || (h->index == INDEX_NONE && !leased_too))
			continue;
		/* Removing moves later entries up, at most onto the place just looked at. */
		ledger_remove(k->ledger, h);
		cursor--;
	}
}

static void
forget_neighbours(struct keeper *k)
{
	struct neighbour *one, *last = NULL;
	size_t cursor = 0;

	/* One at a time, because a removal ends the walk. */
	do {
		if (last != NULL)
			neighbours_remove(k->neighbours, last);
		last = NULL;
		cursor = 0;
		while (last == NULL && (one = neighbours_next(k->neighbours, &cursor)) != NULL) {
			if (one->tour != k->tour && !one->asking)
				last = one;
		}
	} while (last != NULL);
}

/* Whose space it takes. */
static void
admit_count(struct keeper *k, const struct chunk_facts *f)
{
	struct layout l;

	if (layout_make(f->k, f->n, f->chunk_bytes, &l) != ERR_OK)
		return;
	for (size_t i = 0; i < f->count; i++)
		admission_count(k->opts.admission, f->leases, f->leases_count,
		    keeper_now_unix_s(k, NULL), l.shard_bytes);
}

static SUSPENDS int
visit_held(struct keeper *k)
{
	uint64_t until = facts_until(k->facts);
	int err;

	admit_count(k, k->facts);
	if (until != 0 && (k->status.earliest_until == 0 || until < k->status.earliest_until))
		k->status.earliest_until = until;
	for (size_t i = 0; i < k->facts->leases_count; i++)
		k->leases_touring += k->facts->leases[i].until != 0;
	err = keeper_judge(k, k->facts);
	if (err == ERR_OK)
		keeper_tally(k, k->facts);
	return err;
}

/* Those with a shard are met by the other walk. */
static SUSPENDS int
visit_leased(struct keeper *k)
{
	return k->facts->count == 0 ? keeper_judge(k, k->facts) : ERR_OK;
}

/* Every chunk that next gives, one after the other. */
static SUSPENDS int
walk(struct keeper *k,
    int (*next)(struct store *s, const struct hash *from, struct chunk_facts *out),
    int (*visit)(struct keeper *k))
{
	struct hash from = { { 0 } };
	int err;

	while ((err = next(k->opts.store, &from, k->facts)) == ERR_OK) {
		from = k->facts->chunk;
		err = visit(k);
		if (err != ERR_OK)
			return err;
		if (!store_name_after(&from))
			return ERR_OK;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static SUSPENDS int
tour(struct keeper *k)
{
	bool leased_too = !k->booted || k->leased_due;
	int err = ERR_OK;

	/* What only has leases any more: once is enough, others come as shards are dropped, until
	 * something is forgotten. */
	k->leased_due = false;
	if (leased_too)
		err = walk(k, store_next_leased_facts, visit_leased);
	k->status.earliest_until = k->leases_touring = 0;
	parties_clear(k->parties_touring);
	admission_count_begin(k->opts.admission);
	if (err == ERR_OK)
		err = walk(k, store_next_facts, visit_held);
	if (err != ERR_OK)
		return err;
	admission_count_end(k->opts.admission);
	if (!k->booted) {
		err = auditor_load(k->auditor);
		if (err != ERR_OK)
			return err;
		k->booted = true;
		keeper_leave_resume(k);
	}
	forget_unmet(k, leased_too);
	forget_neighbours(k);
	keeper_tallied(k);
	k->status.tours++;
	k->status.toured_at = env_now(k->env);
	err = keeper_ask_all(k);
	return err == ERR_OK ? keeper_describe(k) : err;
}

/* ---- when the next one is ---- */

static bool
nothing_here(const struct keeper *k)
{
	struct store_status s;

	store_status(k->opts.store, &s);
	return ledger_count(k->ledger) == 0 && s.bytes_used == 0;
}

/* When something is to be done that no tour does: silent ones asked, a grace over, a repair begun.
 */
static uint64_t
next_tick(struct keeper *k)
{
	uint64_t now = env_now(k->env), soon = now + keeper_time(k, TOUR_EAGER);
	uint64_t at = MIN(k->tour_due, now + keeper_time(k, TOUR_LAZY));
	uint64_t graces[] = { keeper_short_grace(k), keeper_long_grace(k) };
	const struct neighbour *one;
	size_t cursor = 0;

	if (!k->booted || k->paused_at != 0)
		return soon;
	while ((one = neighbours_next(k->neighbours, &cursor)) != NULL && at > soon) {
		if (one->silent_at == 0)
			continue;
		at = MIN(at, keeper_ask_again_at(k, one));
		for (size_t i = 0; i < ARRAY_LEN(graces); i++) {
			if (!neighbour_gone(one, now, graces[i]))
				at = MIN(at, one->silent_at + graces[i] + 1);
		}
	}
	at = MIN(at, keeper_repair_at(k));
	return MAX(at, soon);
}

/* Who keeps nothing has nothing to look after, until something comes. */
static void
arm_tick(struct keeper *k)
{
	if (k->stopped || (k->booted && nothing_here(k)))
		return;
	k->tick_at = next_tick(k);
	timer_start(&k->tick, k->tick_at - env_now(k->env));
}

void
keeper_tick_soon(struct keeper *k)
{
	uint64_t soon = env_now(k->env) + keeper_time(k, TOUR_EAGER);

	if (k->stopped || (timer_armed(&k->tick) && k->tick_at <= soon))
		return;
	k->tick_at = soon;
	timer_start(&k->tick, keeper_time(k, TOUR_EAGER));
}

void
keeper_tour_soon(struct keeper *k)
{
	k->tour_due = MIN(k->tour_due, env_now(k->env));
	keeper_tick_soon(k);
}

void
keeper_tour_within(struct keeper *k, uint64_t every)
{
	uint64_t due = env_now(k->env) + keeper_time(k, every);

	k->tour_every = MIN(k->tour_every, every);
	/* The last tour may have met nothing, or only what can wait. */
	if (due >= k->tour_due)
		return;
	k->tour_due = due;
	if (!k->touring)
		keeper_tick_soon(k);
}

static int
tour_task(void *arg)
{
	struct keeper *k = arg;
	int err;

	k->tour++;
	k->tour_every = TOUR_MOST;
	k->tour_due = UINT64_MAX; /* what is found meanwhile may bring the next one forward */
	k->facts = malloc(sizeof(*k->facts));
	err = k->facts == NULL ? ERR_NOMEM : tour(k);
	free(k->facts);
	k->facts = NULL;
	k->touring = false;
	if (err == ERR_CANCELED)
		return err;
	if (err != ERR_OK)
		log_warn(k->env, "looking through the chunks ended early: %s", err_text(err));
	k->tour_due = MIN(k->tour_due,
	    env_now(k->env) + keeper_time(k, err != ERR_OK ? TOUR_EAGER : k->tour_every));
	arm_tick(k);
	if (ledger_count(k->ledger) > 0 && !timer_armed(&k->scrub))
		timer_start(&k->scrub, keeper_time(k, TOUR_LAZY));
	if (ledger_count(k->ledger) > 0 && !k->opts.unaudited)
		auditor_wake(k->auditor);
	keeper_repair_soon(k);
	return err;
}

/* ---- the tick ---- */

bool
keeper_paused(const struct keeper *k)
{
	return k->paused_at != 0;
}

static void
look_for_outage(struct keeper *k)
{
	uint64_t now = env_now(k->env), grace = keeper_short_grace(k);
	uint64_t window = keeper_time(k, PAUSE_WINDOW), most = keeper_time(k, PAUSE_MAX);

	if (k->paused_at == 0) {
		if (now >= k->resumed_until &&
		    neighbours_vanished(k->neighbours, now, grace, window, window)) {
			k->paused_at = now;
			log_warn(k->env, "many nodes vanished at once: repair waits, but for the "
					 "most endangered chunks");
		}
		return;
	}
	if (now - k->paused_at < most &&
	    neighbours_vanished(k->neighbours, now, grace, most + window, window))
		return;
	/* They stay away: it is a loss, and they shall not stop us again. */
	if (now - k->paused_at >= most)
		k->resumed_until = now + window;
	k->paused_at = 0;
	k->resumed_at = now;
	k->repair_due = 0;
	keeper_tour_soon(k);
}

/* Whether a time of silence has gone on longer than grace only since the last tour. */
static bool
passed(uint64_t from, uint64_t grace, uint64_t now, uint64_t since)
{
	return now > from && now - from > grace && now - from - grace <= since;
}

/* Whether somebody has passed a grace since the last tour: his chunks are to be counted anew. Who
 * said that he would be away passes it twice: for the most endangered ones at once. */
static bool
somebody_went(const struct keeper *k)
{
	uint64_t now = env_now(k->env), since = now - k->status.toured_at;
	uint64_t graces[] = { keeper_short_grace(k), keeper_long_grace(k) };
	const struct neighbour *one;
	size_t cursor = 0;

	while ((one = neighbours_next(k->neighbours, &cursor)) != NULL) {
		for (size_t i = 0; one->silent_at != 0 && i < ARRAY_LEN(graces); i++) {
			if (passed(one->silent_at, graces[i], now, since) ||
			    passed(MAX(one->silent_at, one->away_until), graces[i], now, since))
				return true;
		}
	}
	return false;
}

static void
tick_fire(void *arg)
{
	struct keeper *k = arg;

	arm_tick(k);
	if (k->touring)
		return;
	look_for_outage(k);
	keeper_compact_soon(k);
	keeper_drain_tell(k);
	if (env_now(k->env) >= k->tour_due || somebody_went(k)) {
		k->touring = task_spawn(&k->group, "tour", tour_task, k) == ERR_OK;
		return;
	}
	/* The silent are asked again, so that they are noticed when they are back. */
	keeper_ask_silent(k);
	keeper_repair_soon(k);
}

/* ---- intake ---- */

/* One that was judged: as a tour would, and its questions go out at once where something is told.
 */
static SUSPENDS int
take_in(struct keeper *k, const struct intake *what, struct chunk_facts *f)
{
	bool news = false;
	int err;

	if (what->kind == INTAKE_LEASES)
		return keeper_fetch_leases(k, &what->chunk, &what->node);
	if (what->kind == INTAKE_LOST)
		return keeper_lost(k, &what->chunk, what->index, f);
	err = store_facts(k->opts.store, &what->chunk, f);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	if (f->count > 0 && what->kind != INTAKE_CHANGED) {
		if (what->index >= f->n)
			return ERR_OK;
		if (what->kind == INTAKE_TOLD)
			err = keeper_may_hold(k, f, what->index, &what->node);
		/* Who could not be asked now is believed: a shard too many harms nobody. */
		if (err == ERR_PLACEMENT || err == ERR_CANCELED || err == ERR_NOMEM)
			return err;
		err = keeper_set_sibling(
		    k, f, what->index, &what->node, what->kind == INTAKE_TOLD, &news);
		/* What is no news is not passed on: two that tell each other would never end. */
		if (err == ERR_OK && !news)
			return ERR_OK;
		if (err == ERR_OK)
			err = store_facts(k->opts.store, &what->chunk, f);
	}
	if (err == ERR_OK)
		err = keeper_judge(k, f);
	if (err == ERR_OK && what->kind == INTAKE_TOLD)
		err = keeper_introduce(k, f, what->index, &what->node);
	return err;
}

/* One at a time: with many words at once each would wait for the same slow answers. */
static SUSPENDS int
tell_those(struct keeper *k)
{
	int err = ERR_OK;

	k->tell_again = true;
	if (k->telling)
		return ERR_OK;
	k->telling = true;
	while (err == ERR_OK && k->tell_again) {
		k->tell_again = false;
		err = keeper_ask_told(k);
	}
	k->telling = false;
	return err;
}

static int
intake_task(void *arg)
{
	struct keeper *k = arg;
	struct chunk_facts *f = malloc(sizeof(*f));
	int err = f == NULL ? ERR_NOMEM : ERR_OK;

	while (err != ERR_CANCELED && err != ERR_NOMEM && k->intake_count > 0) {
		struct intake *what = STAILQ_FIRST(&k->intake);

		STAILQ_REMOVE_HEAD(&k->intake, link);
		k->intake_count--;
		k->status.words += what->kind != INTAKE_CHANGED && what->kind != INTAKE_LOST;
		err = take_in(k, what, f);
		free(what);
		if (err != ERR_OK && err != ERR_CANCELED)
			log_debug(k->env, "a word about a chunk led nowhere: %s", err_text(err));
	}
	free(f);
	k->taking_in = false;
	if (err == ERR_CANCELED)
		return err;
	keeper_repair_soon(k);
	return tell_those(k);
}

bool
keeper_intake(struct keeper *k, const struct intake *what)
{
	struct intake *kept = k->intake_count < INTAKE_MAX ? malloc(sizeof(*kept)) : NULL;

	if (kept == NULL)
		return false;
	*kept = *what;
	STAILQ_INSERT_TAIL(&k->intake, kept, link);
	k->intake_count++;
	if (!k->taking_in)
		k->taking_in = task_spawn(&k->group, "keeper intake", intake_task, k) == ERR_OK;
	return true;
}

void
keeper_changed(struct keeper *k, const struct hash *chunk)
{
	/* Lost when the queue is full: the next tour sees it. */
	keeper_intake(k, &(struct intake){ .kind = INTAKE_CHANGED, .chunk = *chunk });
	if (!timer_armed(&k->tick))
		keeper_tick_soon(k);
}

/* A store's; as above when the queue is full. */
static void
shard_lost(void *arg, const struct hash *chunk, uint8_t index)
{
	struct intake what = { .kind = INTAKE_LOST, .chunk = *chunk, .index = index };

	keeper_intake(arg, &what);
}

/* ---- assembly ---- */

int
keeper_new(const struct keeper_opts *opts, struct keeper **out)
{
	struct keeper *k = calloc(1, sizeof(*k));
	struct seeded seed;

	if (k == NULL)
		return ERR_NOMEM;
	k->opts = *opts;
	k->repair_rate.bytes_s = opts->repair_bytes_s == 0 ? REPAIR_BYTES_S : opts->repair_bytes_s;
	k->env = endpoint_env(opts->endpoint);
	k->net = endpoint_net(opts->endpoint);
	STAILQ_INIT(&k->intake);
	LIST_INIT(&k->jobs);
	task_group_init(&k->group, k->env);
	timer_init(&k->tick, k->env, tick_fire, k);
	timer_init(&k->scrub, k->env, keeper_scrub_fire, k);
	env_random(k->env, &seed, sizeof(seed));
	k->ledger = ledger_new(&seed);
	k->neighbours = neighbours_new(
	    &seed, opts->neighbours_max == 0 ? NEIGHBOURS_MAX : opts->neighbours_max);
	k->parties = parties_new();
	k->parties_touring = parties_new();
	if (k->ledger == NULL || k->neighbours == NULL || k->parties == NULL ||
	    k->parties_touring == NULL || auditor_new(k, &k->auditor) != ERR_OK) {
		keeper_free(k);
		return ERR_NOMEM;
	}
	keeper_talk_serve(k);
	store_on_lost(k->opts.store, shard_lost, k);
	/* The first tour at once: siblings shall know that we are back. */
	k->tick_at = env_now(k->env) + TIME_FLOOR;
	timer_start(&k->tick, TIME_FLOOR);
	*out = k;
	return ERR_OK;
}

void
keeper_on_siblings(struct keeper *k, void (*told)(void *arg, const struct hash *chunk), void *arg)
{
	k->siblings_told = told;
	k->siblings_arg = arg;
}

void
keeper_shutdown(struct keeper *k, void (*done)(void *arg), void *arg)
{
	k->stopped = true;
	timer_stop(&k->tick);
	timer_stop(&k->scrub);
	auditor_stop(k->auditor);
	keeper_talk_stop(k);
	task_group_shutdown(&k->group, done, arg);
}

void
keeper_free(struct keeper *k)
{
	if (k == NULL)
		return;
	timer_stop(&k->tick);
	timer_stop(&k->scrub);
	keeper_talk_stop(k);
	store_on_lost(k->opts.store, NULL, NULL);
	chunks_free(k->chunks);
	auditor_free(k->auditor);
	ledger_free(k->ledger);
	neighbours_free(k->neighbours);
	parties_free(k->parties);
	parties_free(k->parties_touring);
	while (!STAILQ_EMPTY(&k->intake)) {
		struct intake *first = STAILQ_FIRST(&k->intake);

		STAILQ_REMOVE_HEAD(&k->intake, link);
		free(first);
	}
	free(k);
}
