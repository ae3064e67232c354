/*
 * Operations at one register: one at a time, driven by the task that wants it, while answers come
 * by other tasks. What the caller is asked with (the committed head, its records) is fetched first.
 * An operation ends at its deadline at the latest; what it may have left behind is told as unknown.
 */
#include "storage/head_client.h"

#include <stdlib.h>

#include "storage/head_client_private.h"

/* A reader that must lead a round by itself now. */
#define LEAD 1

/* ---- life ---- */

static void
use_publications(struct head_client *hc, struct publications *all)
{
	struct publication *shared = all == NULL ? NULL : publications_use(all, &hc->finder.pub);

	hc->opts.publications = shared == NULL ? NULL : all;
	hc->published = shared == NULL ? &hc->by_itself : shared;
}

int
head_client_new(const struct head_client_opts *opts, struct head_client **out)
{
	static const struct pubkey nobody;
	struct head_client *hc = calloc(1, sizeof(*hc));
	uint64_t session;

	if (hc == NULL)
		return ERR_NOMEM;
	hc->opts.endpoint = opts->endpoint;
	hc->opts.dht = opts->dht;
	hc->opts.registers = opts->registers;
	hc->env = endpoint_env(opts->endpoint);
	hc->net = endpoint_net(opts->endpoint);
	hc->charter = *opts->charter;
	hc->writes = opts->writer != NULL;
	if (hc->writes)
		hc->writer = *opts->writer;
	hc->finds = opts->finder != NULL;
	if (hc->finds) {
		hc->finder = *opts->finder;
		use_publications(hc, opts->publications);
	}
	env_random(hc->env, &session, sizeof(session));
	proposer_init(
	    &hc->p, opts->charter, opts->handover, hc->writes ? &hc->writer.pub : &nobody, session);
	hc->p.watches = hc->writes;
	hc->conf = hc->p.conf;
	shelf_init(&hc->shelf);
	semaphore_init(&hc->op, 1);
	task_group_init(&hc->group, hc->env);
	*out = hc;
	return ERR_OK;
}

void
head_client_free(struct head_client *hc)
{
	if (hc == NULL)
		return;
	task_group_fini(&hc->group);
	if (hc->opts.publications != NULL)
		publications_leave(hc->opts.publications, hc->published);
	shelf_fini(&hc->shelf);
	identity_wipe(&hc->writer);
	identity_wipe(&hc->finder);
	free(hc);
}

/* ---- driving ---- */

/* Now, whatever is about: as if its time were over. */
static void
give_up(struct head_client *hc)
{
	bool asked = hc->p.phase == PH_ASKING;
	uint64_t now = env_now(hc->env);

	if (hc->done)
		return;
	hc->p.deadline = now;
	proposer_tick(&hc->p, now, 0, &hc->out);
	head_act(hc);
	/* Nothing is about under the ballot of who was only asked (a tail that is full, say): it
	 * can go on, and is told when another has taken the next one. */
	if (!asked)
		hc->p.leads = false;
	must(hc->done);
}

static SUSPENDS int
drive(struct head_client *hc, struct head_op *op)
{
	int err = ERR_OK;

	while (err == ERR_OK && !hc->done) {
		uint64_t now = env_now(hc->env), next = hc->p.deadline, random;

		if (hc->superseded)
			err = ERR_STALE;
		else if ((op->kind == OP_COMMIT || op->kind == OP_STOP) &&
			 !configuration_writer(&hc->p.conf, &hc->writer.pub))
			err = ERR_PERMISSION; /* taken away meanwhile */
		if (err != ERR_OK)
			break;
		if (hc->evaluate) {
			err = head_evaluate(hc, op);
			continue;
		}
		if (hc->look) {
			err = head_look(hc, op);
			continue;
		}
		if (hc->p.wake != 0)
			next = MIN(next, hc->p.wake);
		if (now < next) {
			err = head_wait_until(hc, next);
			continue;
		}
		env_random(hc->env, &random, sizeof(random));
		proposer_tick(&hc->p, now, random, &hc->out);
		head_act(hc);
	}
	give_up(hc);
	return err;
}

/* With hc->op held. What the errors mean, see the callers. */
static SUSPENDS int
run_once(struct head_client *hc, struct head_op *op)
{
	uint64_t now = env_now(hc->env);

	hc->done = hc->evaluate = hc->look = hc->overtaken = op->lost = false;
	switch (op->kind) {
	case OP_READ:
		proposer_read(&hc->p, now, op->deadline, &hc->out);
		break;
	case OP_COMMIT:
	case OP_STOP:
		if (!hc->p.leads && turns_crowded(&hc->turns, now))
			proposer_write_later(&hc->p, now, op->deadline, &hc->out);
		else
			proposer_write(&hc->p, now, op->deadline, &hc->out);
		break;
	case OP_REPLACE:
		proposer_replace(&hc->p, op->next, now, op->deadline, &hc->out);
		break;
	}
	head_act(hc);
	return drive(hc, op);
}

/* Known is committed and was current after the start. */
static SUSPENDS int
learnt(struct head_client *hc, uint64_t began, uint64_t deadline)
{
	int err = head_have_tail(hc, deadline);

	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_UNREACHABLE : err;
	head_show(hc);
	hc->current_at = began;
	hc->stale = false;
	head_publish(hc);
	return ERR_OK;
}

/* ERR_OK: hc->outcome. */
static SUSPENDS int
run(struct head_client *hc, struct head_op *op)
{
	uint64_t began;
	int err;

	do {
		began = env_now(hc->env);
		err = run_once(hc, op);
		/* The head that was committed has been followed by others: look again. */
	} while (op->lost && hc->outcome == OUT_FAILED && env_now(hc->env) < op->deadline);
	if (op->lost)
		err = ERR_OK;
	if (err != ERR_OK && hc->outcome == OUT_UNKNOWN && err != ERR_CANCELED)
		err = ERR_OK;
	if (err != ERR_OK)
		return err;
	switch (hc->outcome) {
	case OUT_READ:
	case OUT_COMMITTED:
	case OUT_DECLINED:
		err = learnt(hc, began, op->deadline + TAIL_WAIT);
		/* It is committed, though its records are not to be had now. */
		if (err != ERR_OK && hc->outcome == OUT_COMMITTED && err != ERR_CANCELED) {
			hc->stale = true;
			err = ERR_OK;
		}
		break;
	case OUT_FORKED:
		hc->counters.forks++;
		log_error(hc->env, "committed heads of a bucket contradict each other");
		hc->stale = true;
		break;
	case OUT_FAILED:
	case OUT_UNKNOWN:
		hc->stale = true;
		break;
	}
	return err;
}

/* ---- reading ---- */

static SUSPENDS int
lead_round(struct head_client *hc, uint64_t deadline)
{
	struct head_op op = { .kind = OP_READ, .deadline = deadline };
	int err;

	hc->counters.reads++;
	err = run(hc, &op);
	if (err == ERR_OK && hc->outcome == OUT_FORKED)
		err = ERR_CORRUPT;
	else if (err == ERR_OK && hc->outcome != OUT_READ)
		err = ERR_UNREACHABLE;
	if (err != ERR_OK) {
		hc->counters.reads_failed++;
		hc->stale = true;
	}
	return err;
}

/* Each takes itself off the list when its time is over. */
static void
wake_all(struct head_reader **list, int result)
{
	struct head_reader *at = *list;

	*list = NULL;
	while (at != NULL) {
		struct head_reader *next = at->next;

		wait_wake(&at->wait, result);
		at = next;
	}
}

static SUSPENDS int
lead(struct head_client *hc, uint64_t deadline)
{
	uint64_t old = task_deadline(hc->env, deadline);
	int err;

	hc->gathering = true;
	err = semaphore_acquire(hc->env, &hc->op);
	task_deadline_restore(hc->env, old);
	/* Who comes from here on is not served by this round. */
	hc->gathering = false;
	if (err != ERR_OK) {
		wake_all(&hc->readers, LEAD);
		return err == ERR_TIMEOUT ? ERR_UNREACHABLE : err;
	}
	must(hc->led == NULL);
	hc->led = hc->readers;
	hc->readers = NULL;
	err = lead_round(hc, deadline);
	/* With the leader's patience or life at an end, others look for themselves. */
	wake_all(&hc->led, err == ERR_CANCELED || err == ERR_TIMEOUT ? LEAD : err);
	semaphore_release(&hc->op);
	return err == ERR_TIMEOUT ? ERR_UNREACHABLE : err;
}

static void
unlink_reader(struct head_reader **at, const struct head_reader *me)
{
	while (*at != NULL && *at != me)
		at = &(*at)->next;
	if (*at == me)
		*at = me->next;
}

int
head_client_read(struct head_client *hc, uint64_t timeout)
{
	uint64_t deadline = env_now(hc->env) + timeout;
	int err;

	for (;;) {
		struct head_reader me = { .next = hc->readers };

		if (!hc->gathering)
			return lead(hc, deadline);
		if (env_now(hc->env) >= deadline)
			return ERR_UNREACHABLE;
		wait_init(&me.wait);
		hc->readers = &me;
		hc->counters.reads_shared++;
		err = wait_for(hc->env, &me.wait, deadline - env_now(hc->env));
		unlink_reader(&hc->readers, &me);
		unlink_reader(&hc->led, &me);
		if (err == ERR_TIMEOUT)
			return ERR_UNREACHABLE;
		/* The leader's time may have been shorter. */
		if (err != LEAD && (err != ERR_UNREACHABLE || env_now(hc->env) >= deadline))
			return err;
	}
}

/* ---- writing ---- */

static void
count(struct head_client *hc)
{
	switch (hc->outcome) {
	case OUT_COMMITTED:
		hc->counters.commits++;
		break;
	case OUT_DECLINED:
		hc->counters.declined++;
		break;
	case OUT_UNKNOWN:
		hc->counters.unknown++;
		break;
	default:
		hc->counters.failed++;
	}
}

static SUSPENDS int
write_gated(struct head_client *hc, struct head_op *op)
{
	struct head_op read = { .kind = OP_READ, .deadline = op->deadline };
	int err;

	if (op->kind == OP_REPLACE) {
		if (configuration_anchor(&hc->p.conf, &hc->writer.pub) < 0 ||
		    !configuration_replaces_one(&hc->p.conf, op->next))
			return ERR_INVALID;
		return run(hc, op);
	}
	if (!configuration_writer(&hc->p.conf, &hc->writer.pub)) {
		/* It may have been let in since. */
		err = run(hc, &read);
		if (err != ERR_OK)
			return err;
		if (hc->outcome != OUT_READ)
			return ERR_UNREACHABLE;
		if (!configuration_writer(&hc->p.conf, &hc->writer.pub))
			return ERR_PERMISSION;
	}
	return run(hc, op);
}

static SUSPENDS int
write_op(struct head_client *hc, struct head_op *op, enum proposer_outcome *outcome)
{
	uint64_t old;
	int err;

	if (!hc->writes)
		return ERR_PERMISSION;
	old = task_deadline(hc->env, op->deadline);
	err = semaphore_acquire(hc->env, &hc->op);
	task_deadline_restore(hc->env, old);
	if (wait_time_came(hc->env, err, op->deadline)) {
		*outcome = OUT_FAILED;
		return ERR_OK;
	}
	if (err != ERR_OK)
		return err;
	err = write_gated(hc, op);
	if (err == ERR_OK) {
		count(hc);
		*outcome = hc->outcome;
	}
	semaphore_release(&hc->op);
	return err;
}

int
head_client_commit(struct head_client *hc, const struct head_decide *decide, uint64_t timeout,
    enum proposer_outcome *outcome)
{
	struct head_op op = {
		.kind = OP_COMMIT, .decide = decide, .deadline = env_now(hc->env) + timeout
	};

	return write_op(hc, &op, outcome);
}

int
head_client_reconfigure(struct head_client *hc, const struct configuration *next,
    const struct identity *owner, uint64_t timeout, enum proposer_outcome *outcome)
{
	struct head_op op = { .kind = OP_STOP,
		.next = next,
		.owner = owner,
		.deadline = env_now(hc->env) + timeout };

	return write_op(hc, &op, outcome);
}

int
head_client_replace(struct head_client *hc, const struct configuration *next, uint64_t timeout,
    enum proposer_outcome *outcome)
{
	struct head_op op = {
		.kind = OP_REPLACE, .next = next, .deadline = env_now(hc->env) + timeout
	};

	return write_op(hc, &op, outcome);
}

/* ---- sight ---- */

void
head_client_view(const struct head_client *hc, struct head_view *out)
{
	head_view_of((struct head_client *)hc, out);
}

const struct configuration *
head_client_configuration(const struct head_client *hc)
{
	return &hc->p.conf;
}

const struct charter *
head_client_charter(const struct head_client *hc)
{
	return &hc->charter;
}

const struct handover *
head_client_handover(const struct head_client *hc)
{
	return hc->p.handed ? &hc->p.handover : NULL;
}

const struct head_client_counters *
head_client_counters(const struct head_client *hc)
{
	return &hc->counters;
}
