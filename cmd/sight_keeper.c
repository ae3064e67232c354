/* What a node tells of the chunks it keeps: how endangered they are, who could stop them, what is
 * being repaired. */
#include <stdlib.h>

#include "cmd/sight.h"
#include "storage/keeper_sight.h"

/* As many digits of a chunk's name as tell it from others. */
#define CHUNK_DIGITS 16

/* Chunks by alive − k, those numbers that occur. */
static struct json_value *
margins_answer(const struct keeper_status *s)
{
	struct json_value *list = json_make_array();

	for (size_t i = 0; i < KEEPER_MARGINS; i++) {
		struct json_value *o;

		if (s->by_margin[i] == 0)
			continue;
		o = json_make_object();
		json_put_number(o, "spare", i);
		json_put_number(o, "chunks", s->by_margin[i]);
		json_add_value(list, o);
	}
	return list;
}

static struct json_value *
party_answer(const struct parties_sum *s, enum party_kind kind)
{
	const struct traits *worst = &s->worst[kind].who;
	char text[MAX(ADDR_TEXT_MAX, 2 * sizeof(worst->operator_key.b) + 1)] = "";
	struct json_value *o = json_make_object();

	json_put_number(o, "chunks", s->stopped[kind]);
	if (s->worst_stops[kind] == 0)
		return o;
	if (kind == PARTY_OPERATOR)
		hex_encode(text, worst->operator_key.b, sizeof(worst->operator_key.b));
	else if (kind == PARTY_NETWORK)
		(void)addr_group_format(worst->network, text);
	else
		memcpy(text, worst->country, sizeof(worst->country));
	json_put_text(o, "worst", text);
	json_put_number(o, "worst_chunks", s->worst_stops[kind]);
	return o;
}

/* Who alone could make how many chunks unreadable. */
static struct json_value *
stoppable_answer(const struct keeper_status *s)
{
	struct json_value *o = json_make_object();

	json_put_number(o, "chunks", s->parties.chunks);
	json_put_value(o, "one_operator", party_answer(&s->parties, PARTY_OPERATOR));
	json_put_value(o, "one_network", party_answer(&s->parties, PARTY_NETWORK));
	json_put_value(o, "one_country", party_answer(&s->parties, PARTY_COUNTRY));
	return o;
}

struct json_value *
sight_keeper(const struct keeper *keeper)
{
	struct json_value *o = json_make_object();
	struct keeper_status s;

	keeper_status(keeper, &s);
	json_put_number(o, "chunks", s.chunks);
	json_put_value(o, "by_spare", margins_answer(&s));
	json_put_number(o, "unreadable", s.unreadable);
	json_put_number(o, "due", s.due);
	json_put_number(o, "waiting", s.waiting);
	json_put_number(o, "running", s.running);
	json_put_flag(o, "paused", s.paused);
	json_put_flag(o, "draining", s.drain_until != 0);
	json_put_number(o, "drain_until", s.drain_until);
	json_put_number(o, "drain_untold", s.drain_untold);
	json_put_flag(o, "leaving", s.leaving);
	json_put_number(o, "leave_left", s.leave_left);
	json_put_number(o, "leave_total", s.leave_total);
	json_put_number(o, "siblings", s.neighbours);
	json_put_number(o, "siblings_silent", s.silent);
	json_put_number(o, "siblings_away", s.away);
	json_put_number(o, "siblings_gone", s.gone);
	json_put_number(o, "siblings_described", s.described);
	json_put_value(o, "stoppable", stoppable_answer(&s));
	json_put_number(o, "leases", s.leases);
	json_put_number(o, "earliest_lease_end", s.earliest_until);
	json_put_number(o, "tours", s.tours);
	json_put_number(o, "repairs", s.repairs);
	json_put_number(o, "repairs_failed", s.repairs_failed);
	json_put_number(o, "shards_rebuilt", s.shards_rebuilt);
	json_put_number(o, "bytes_fetched", s.bytes_fetched);
	json_put_number(o, "bytes_sent", s.bytes_sent);
	json_put_number(o, "bytes_per_second", s.repair_rate);
	json_put_number(o, "deleted", s.collected_deleted);
	json_put_number(o, "expired", s.collected_expired);
	json_put_number(o, "duplicates_dropped", s.duplicates_dropped);
	json_put_number(o, "missing_at_siblings", s.denials);
	json_put_number(o, "leases_exchanged", s.leases_exchanged);
	json_put_number(o, "scrubbed", s.scrubbed);
	json_put_number(o, "scrubbed_at_ms", s.scrubbed_at_ms);
	json_put_number(o, "scrub_rot", s.scrub_rot);
	json_put_number(o, "scrub_tours", s.scrub_tours);
	json_put_number(o, "scrub_ended_ms", s.scrub_ended_ms);
	json_put_number(o, "audits", s.audits);
	json_put_number(o, "audits_passed", s.audits_passed);
	json_put_number(o, "audits_late", s.audits_late);
	json_put_number(o, "audits_failed", s.audits_failed);
	json_put_number(o, "audits_unanswered", s.audits_unanswered);
	json_put_number(o, "audited_at_s", s.audited_at_s);
	json_put_number(o, "audits_answered", s.audits_answered);
	json_put_number(o, "audits_busy", s.audits_busy);
	json_put_number(o, "nodes_doubted", s.nodes_doubted);
	json_put_number(o, "nodes_out", s.nodes_out);
	return o;
}

/* ---- the queue ---- */

static const char *
state_text(enum due_state state)
{
	switch (state) {
	case DUE_RUNNING:
		return "running";
	case DUE_OURS:
		return "next";
	case DUE_RETRY:
		return "waits for peers";
	case DUE_PAUSED:
		return "paused";
	default:
		return "another's turn";
	}
}

static struct json_value *
due_answer(const struct keeper_due *d)
{
	struct json_value *o = json_make_object();

	json_put_hex(o, "chunk", d->chunk.b, CHUNK_DIGITS / 2);
	json_put_signed(o, "spare", (int)d->alive - d->k);
	json_put_number(o, "alive", d->alive);
	json_put_number(o, "k", d->k);
	json_put_number(o, "r", d->r);
	json_put_number(o, "n", d->n);
	json_put_text(o, "state", state_text(d->state));
	json_put_number(o, "waits_s", d->waits / SECONDS(1));
	return o;
}

static struct json_value *
job_answer(const struct keeper_job *j)
{
	struct json_value *o = json_make_object();

	json_put_hex(o, "chunk", j->chunk.b, CHUNK_DIGITS / 2);
	json_put_number(o, "alive", j->alive);
	json_put_number(o, "k", j->k);
	json_put_number(o, "n", j->n);
	json_put_flag(o, "moving", j->moving);
	json_put_number(o, "runs_ms", j->runs / MILLISECONDS(1));
	json_put_number(o, "bytes_fetched", j->fetched);
	json_put_number(o, "bytes_sent", j->sent);
	return o;
}

struct json_value *
sight_repair(const struct keeper *keeper)
{
	struct keeper_due *due = calloc(SIGHT_QUEUE_MAX, sizeof(*due));
	struct keeper_job jobs[KEEPER_JOBS_MAX];
	struct json_value *o = json_make_object(), *queue = json_make_array();
	struct json_value *running = json_make_array();
	size_t count = 0, all;

	if (keeper != NULL && due != NULL) {
		count = keeper_due_list(keeper, due, SIGHT_QUEUE_MAX);
		all = keeper_jobs(keeper, jobs, ARRAY_LEN(jobs));
		for (size_t i = 0; i < MIN(all, ARRAY_LEN(jobs)); i++)
			json_add_value(running, job_answer(&jobs[i]));
		json_put_value(o, "repair", sight_keeper(keeper));
	}
	for (size_t i = 0; i < MIN(count, (size_t)SIGHT_QUEUE_MAX); i++)
		json_add_value(queue, due_answer(&due[i]));
	json_put_value(o, "running", running);
	json_put_value(o, "queue", queue);
	free(due);
	return o;
}
