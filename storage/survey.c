/*
 * Small questions to a chunk's holders, all of them at once: count what is live, find out what
 * a bare chunk id stands for; and publishing its location.
 */
#include <stdlib.h>

#include "storage/chunks_private.h"

/* One round trip to a live node takes less; a dead one should not hold the answer up. */
#define ASK_TIMEOUT SECONDS(10)

static int
ask_task(void *arg)
{
	struct asking *a = arg;

	return a->asks->ask(a->asks, a->index);
}

int
chunks_ask_all(struct asks *a, uint8_t n)
{
	struct task_group group;
	uint64_t old = task_deadline(a->c->env, env_now(a->c->env) + ASK_TIMEOUT);
	int err = ERR_OK;

	task_group_init(&group, a->c->env);
	for (uint8_t i = 0; i < n && err == ERR_OK; i++) {
		a->at[i] = (struct asking){ a, i };
		err = task_spawn(&group, "ask holder", ask_task, &a->at[i]);
	}
	if (err == ERR_OK)
		err = task_group_wait(&group, 0);
	task_group_fini(&group);
	task_deadline_restore(a->c->env, old);
	/* Those who did not answer in time are simply not counted. */
	return err == ERR_TIMEOUT ? ERR_OK : err;
}

/* ---- publishing ---- */

int
chunk_publish(struct chunks *c, const struct chunk_put_result *put)
{
	struct location *l = calloc(1, sizeof(*l));
	struct record *record = calloc(1, sizeof(*record));
	int err = l == NULL || record == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK) {
		l->sequence = chunks_now_ms(c);
		for (uint8_t i = 0; i < put->ref.code.n && l->count < RECORD_HOLDERS_MAX; i++) {
			if (!put->have[i])
				continue;
			l->holders[l->count].index = i;
			memcpy(l->holders[l->count++].prefix, put->holders[i].id.b, 8);
		}
		err = location_make(
		    c->net, &put->ref.id, l, endpoint_identity(c->opts.endpoint), record);
	}
	if (err == ERR_OK)
		err = dht_put(c->opts.dht, record, NULL);
	free(record);
	free(l);
	return err;
}

/* ---- what is live ---- */

/* A shard that moved twice since its records ended has two old names. */
#define SEARCHES 3

struct survey {
	struct asks asks;
	struct holders *holders;
	struct shard_state *out;
};

static int
survey_one(struct asks *a, uint8_t index)
{
	struct survey *s = a->arg;
	struct chunk_have *have;
	int err;

	if (s->holders->at[index].state != HOLDER_KNOWN || s->out[index].live)
		return ERR_OK;
	have = malloc(sizeof(*have));
	if (have == NULL)
		return ERR_NOMEM;
	s->out[index].holder = s->holders->at[index].contact;
	err = storage_ask_have(a->c, &s->out[index].holder, &s->holders->ref->id, have);
	for (size_t i = 0; err == ERR_OK && i < have->count; i++) {
		if (have->indices[i] == index) {
			s->out[index].live = true;
			s->out[index].lease_until = have->lease_until;
		}
	}
	/* Whoever says nothing or has it no more gives way to who is found to hold it instead. */
	if (!s->out[index].live)
		holders_failed(s->holders, index, &s->out[index].holder);
	free(have);
	return err;
}

static uint8_t
survey_count(const struct survey *s, uint8_t n)
{
	uint8_t live = 0;

	for (uint8_t i = 0; i < n; i++)
		live += s->out[i].live;
	return live;
}

/* Whether a shard that nobody showed has a holder who was not asked. */
static bool
anybody_new(const struct survey *s, uint8_t n)
{
	for (uint8_t i = 0; i < n; i++) {
		const struct holder_slot *slot = &s->holders->at[i];

		if (!s->out[i].live && slot->state == HOLDER_KNOWN &&
		    !pubkey_equal(&slot->contact.pub, &s->out[i].holder.pub))
			return true;
	}
	return false;
}

int
chunk_survey(struct chunks *c, const struct chunk_ref *ref, struct shard_state *out, uint8_t *live)
{
	struct survey *s = calloc(1, sizeof(*s));
	uint8_t n = ref->code.n;
	int err;

	if (s == NULL)
		return ERR_NOMEM;
	memset(out, 0, n * sizeof(*out));
	s->asks = (struct asks){ .c = c, .ask = survey_one, .arg = s };
	s->out = out;
	err = holders_new(c, ref, n, &s->holders);
	if (err == ERR_OK)
		err = holders_resolve(s->holders);
	if (err == ERR_OK)
		err = chunks_ask_all(&s->asks, n);
	/*
	 * Shards may have moved since the hints were written: those not live are asked for again. A
	 * record of before may name somebody who lives and has it no more, where a newer one names
	 * who has it: as long as there are others to be asked they are.
	 */
	for (int round = 0; err == ERR_OK && survey_count(s, n) < n && round < SEARCHES; round++) {
		err = holders_search(s->holders);
		if (round > 0 && !anybody_new(s, n))
			break;
		if (err == ERR_OK)
			err = chunks_ask_all(&s->asks, n);
	}
	if (err == ERR_OK)
		*live = survey_count(s, n);
	holders_free(s->holders);
	free(s);
	return err;
}

/* ---- what a bare id stands for ---- */

/* A stand-in of the widest kind: the search takes holders of whatever index, and one is enough. */
static void
unknown_ref(struct chunk_ref *ref, const struct hash *id)
{
	memset(ref, 0, sizeof(*ref));
	ref->id = *id;
	ref->code = (struct code_params){ .k = 1, .r = 1, .n = SHARDS_MAX };
	ref->bytes = 1;
}

/* Asks the known holders one by one until one tells code and length; the descriptor proves them. */
static int
discover_once(struct holders *h, struct chunk_ref *out)
{
	const struct descriptor *d;
	int err = holders_search(h);

	if (err == ERR_OK)
		err = holders_descriptor(h, &d);
	if (err != ERR_OK)
		return err;
	out->bytes = d->chunk_bytes;
	out->code = (struct code_params){ d->k, d->n > d->k ? (uint8_t)(d->n - 1) : d->n, d->n };
	for (uint8_t i = 0; i < d->n; i++) {
		if (h->at[i].state == HOLDER_KNOWN)
			memcpy(out->hints[i], h->at[i].contact.id.b, sizeof(out->hints[i]));
	}
	return ERR_OK;
}

int
chunk_discover(
    struct chunks *c, const struct hash *id, struct chunk_ref *out, struct chunk_missing *missing)
{
	uint64_t give_up = env_now(c->env) + GET_REFUSE_TIMEOUT;
	struct chunk_ref *ref = calloc(2, sizeof(*ref));
	struct holders *h = NULL;
	int err = ref == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK) {
		unknown_ref(&ref[0], id);
		ref[1].id = *id;
		err = holders_new(c, &ref[0], 1, &h);
	}
	if (err == ERR_OK) {
		do {
			err = discover_once(h, &ref[1]);
		} while (err == ERR_UNREACHABLE && env_now(c->env) < give_up);
	}
	if (err == ERR_OK)
		*out = ref[1];
	if (err == ERR_UNREACHABLE && missing != NULL)
		*missing = (struct chunk_missing){ 0 };
	holders_free(h);
	free(ref);
	return err;
}
