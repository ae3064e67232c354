/*
 * Runs a story: start, faults and work, heal, check. Checkers of moments are asked by a
 * timer of the director, the others when the network has had time to settle. Everything is taken
 * down again in the end, where the world's own promises (no timer, task, work or handle left)
 * are checked by must().
 */
#include "sim/story.h"

#include <malloc.h>
#include <stdlib.h>

#include "sim/churn.h"
#include "sim/timeline.h"

#define LOOK_EVERY  SECONDS(5)
#define SETTLE_TIME MINUTES(4)  /* eighty minutes of upkeep at the stories' pace */
#define DRAIN_TIME  MINUTES(30) /* for what is under way when the faults end */
#define QUIET_TIME  MINUTES(4)  /* twice as long as an idle session lives */

struct play {
	const struct story *story;
	struct fleet *fleet;
	struct result *result;
	struct workload *workload;
	struct churn *churn;
	struct timeline *timeline;
	struct census *census;
	struct checks checks;
	struct timer look;
};

static void
changed(void *arg, struct member *m)
{
	struct play *p = arg;

	if (p->churn != NULL)
		churn_changed(p->churn, m);
	if (p->timeline != NULL)
		timeline_changed(p->timeline, m);
}

static void
on_look(void *arg)
{
	struct play *p = arg;

	timer_start(&p->look, LOOK_EVERY);
	checks_limits(&p->checks);
	if (p->result->objects_wrong > 0)
		checks_fail(&p->checks, "bytes", "a get gave bytes that were never put");
}

static void
begin(struct play *p, struct log *log, struct story_outcome *out)
{
	const struct story *s = p->story;

	p->fleet = fleet_new(&(struct fleet_opts){ .seed = s->seed,
	    .members = s->nodes,
	    .scenario = &s->scenario,
	    .log = log,
	    .changed = changed,
	    .arg = p });
	p->checks.fleet = p->fleet;
	fleet_start_all(p->fleet);
	p->census = census_new(p->fleet);
	p->workload = workload_new(p->fleet, p->result);
	sim_run_for(fleet_world(p->fleet), s->scenario.warmup);
	if (s->scenario.churn)
		p->churn = churn_new(p->fleet);
	p->timeline = timeline_new(p->fleet, s->span, p->result);
	workload_watch(p->workload, timeline_clock(p->timeline), &out->coverage);
	timer_init(&p->look, fleet_director(p->fleet), on_look, p);
	timer_start(&p->look, LOOK_EVERY);
	workload_start(p->workload, true);
}

static bool
nothing_runs(void *arg)
{
	return workload_running(((struct play *)arg)->workload) == 0;
}

static void
heal(struct play *p)
{
	struct sim_world *world = fleet_world(p->fleet);
	struct sim_faults fair = { .loss_ppm = 10000 };

	workload_stop(p->workload);
	timeline_end(p->timeline);
	if (p->churn != NULL)
		churn_end(p->churn);
	fleet_wake_all(p->fleet);
	sim_set_faults(world, &fair);
	if (!sim_run_until(world, nothing_runs, p, DRAIN_TIME))
		checks_fail(&p->checks, "pending",
		    "%zu operations of users do not end after healing",
		    workload_running(p->workload));
	sim_run_for(world, SETTLE_TIME);
	fleet_wake_all(p->fleet);
	sim_run_for(world, SETTLE_TIME);
}

static void
check(struct play *p)
{
	struct checks *c = &p->checks;

	if (!c->failed)
		checks_tables(c);
	if (!c->failed)
		checks_objects(c, p->workload, p->census);
	if (!c->failed && workload_users(p->workload) > 0)
		checks_alive(c, workload_user(p->workload, 0));
	sim_run_for(fleet_world(p->fleet), QUIET_TIME);
	if (!c->failed)
		checks_pending(c);
	if (!c->failed)
		checks_secrets(c, p->workload);
}

static bool
is_offline(void *arg)
{
	return ((const struct member *)arg)->state == MEMBER_OFFLINE;
}

static void
check_stores(struct play *p)
{
	churn_free(p->churn); /* or who stops would be started again */
	p->churn = NULL;
	for (size_t i = 0; i < fleet_count(p->fleet) && !p->checks.failed; i++) {
		struct member *m = fleet_member(p->fleet, i);

		if (m->disk == NULL || timeline_torn(p->timeline, m->index))
			continue;
		fleet_stop(m, FLEET_FAREWELL, false);
		if (!sim_run_until(fleet_world(p->fleet), is_offline, m, MINUTES(5))) {
			checks_fail(&p->checks, "pending", "member %zu does not stop", i);
			return;
		}
		checks_store(&p->checks, m);
	}
}

static void
end(struct play *p, struct story_outcome *out)
{
	timer_stop(&p->look);
	out->objects = workload_objects(p->workload);
	out->gets = p->result->objects_got;
	out->gets_failed = p->result->objects_get_failed;
	out->puts_refused = p->result->objects_refused;
	workload_free(p->workload);
	check_stores(p);
	out->event_hash = sim_event_hash(fleet_world(p->fleet));
	out->events = sim_events(fleet_world(p->fleet));
	out->simulated = sim_now(fleet_world(p->fleet));
	timeline_free(p->timeline);
	p->timeline = NULL;
	census_free(p->census);
	fleet_free(p->fleet);
}

/* What libraries set up at first use and keep is no leak. */
static void
use_libraries(void)
{
	uint8_t text[CRYPTO_TAG_BYTES + 1] = { 0 }, nonce[CRYPTO_NONCE_BYTES] = { 0 };
	struct key key = { { 0 } };
	struct sha256 *sha = sha256_new();
	struct aead *aead = aead_new();
	struct hash hash;

	must(sha != NULL && aead != NULL);
	sha256_update(sha, text, sizeof(text));
	sha256_final(sha, &hash);
	must(aead_seal(aead, text, &key, nonce, bytes_of(NULL, 0), text, 1) == ERR_OK);
	sha256_free(sha);
	aead_free(aead);
}

void
story_run(const struct story *s, struct log *log, struct story_outcome *out)
{
	struct play p = { .story = s, .result = calloc(1, sizeof(*p.result)) };
	size_t before, after;

	use_libraries();
	before = mallinfo2().uordblks - sizeof(*p.result);
	must(p.result != NULL);
	memset(out, 0, sizeof(*out));
	result_init(p.result);
	begin(&p, log, out);
	sim_run_for(fleet_world(p.fleet), s->span);
	heal(&p);
	check(&p);
	end(&p, out);
	result_fini(p.result);
	free(p.result);
	after = mallinfo2().uordblks;
	out->leaked_bytes = after > before ? after - before : 0;
	out->failed = p.checks.failed;
	out->looked = p.checks.looked;
	memcpy(out->checker, p.checks.checker, sizeof(out->checker));
	memcpy(out->text, p.checks.text, sizeof(out->text));
}
