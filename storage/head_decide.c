/*
 * What becomes of the head: the caller is asked with what is committed at hand, so its records are
 * fetched first, and its answer is made the next head.
 */
#include <stdlib.h>

#include "storage/head_client_private.h"

/* Records of a committed head are asked for so often before the head counts as gone. */
#define TAIL_TRIES 3

int
head_wait_until(struct head_client *hc, uint64_t at)
{
	uint64_t now = env_now(hc->env);
	struct wait w;
	int err;

	if (at <= now)
		return ERR_OK;
	wait_init(&w);
	hc->event = &w;
	hc->sleeps_until = at;
	err = wait_for(hc->env, &w, at - now);
	hc->event = NULL;
	return wait_time_came(hc->env, err, at) ? ERR_OK : err;
}

/* ---- the view ---- */

void
head_show(struct head_client *hc)
{
	hc->shown = (struct value){ .present = hc->p.known.present, .head = hc->p.known.head };
	hc->shelf.pinned[0] = hc->shown.head.tail;
}

void
head_view_of(struct head_client *hc, struct head_view *out)
{
	const struct shelf_tail *t = NULL;

	*out = (struct head_view){ .current_at = hc->current_at, .stale = hc->stale };
	if (hc->shown.present)
		t = shelf_find(&hc->shelf, &hc->shown.head.tail);
	if (t == NULL)
		return;
	out->head = &hc->shown.head;
	out->tail = &t->tail;
	out->records = t->records;
}

int
head_have_tail(struct head_client *hc, uint64_t deadline)
{
	struct hash wanted = hc->p.known.head.tail;
	int err = ERR_OK;

	if (!hc->p.known.present)
		return ERR_OK;
	for (int i = 0; i < TAIL_TRIES && err == ERR_OK && !hc->overtaken; i++) {
		uint64_t until = MIN(env_now(hc->env) + TAIL_WAIT, deadline);

		if (shelf_find(&hc->shelf, &wanted) != NULL)
			return ERR_OK;
		if (env_now(hc->env) >= deadline)
			return ERR_NOT_FOUND;
		head_ask_tails(hc);
		while (err == ERR_OK && env_now(hc->env) < until && !hc->overtaken &&
		       shelf_find(&hc->shelf, &wanted) == NULL)
			err = head_wait_until(hc, until);
	}
	if (err == ERR_OK && shelf_find(&hc->shelf, &wanted) == NULL)
		err = ERR_NOT_FOUND;
	return err;
}

/* One more segment; the records are lent. */
static int
put_behind(struct tail_part *part, struct tail *made, struct bytes records)
{
	struct hash sum;
	int err;

	if (records.len > TAIL_BYTES_MAX)
		return ERR_FULL;
	crypto_sha256(&sum, records.data, records.len);
	err = tail_append(made, &sum, (uint32_t)records.len);
	if (err != ERR_OK)
		return err;
	part->at[part->count].sum = sum;
	part->at[part->count++].records = records;
	return ERR_OK;
}

/* The head that puts the proposal on what is committed; its records go to the shelf. */
static int
make_head(struct head_client *hc, const struct head_proposal *d, struct value *out)
{
	const struct value *base = &hc->p.known;
	const struct shelf_tail *old = NULL;
	struct tail_part *part = calloc(1, sizeof(*part));
	struct tail made;
	struct head *h = &out->head;
	int err = ERR_OK;

	if (part == NULL)
		return ERR_NOMEM;
	memset(out, 0, sizeof(*out));
	tail_begin(&made, &d->root);
	part->extends = made.empty;
	if (base->present)
		old = shelf_find(&hc->shelf, &base->head.tail);
	/* A new root keeps the segments that it does not cover. */
	for (uint16_t i = d->covered; old != NULL && i < old->tail.count && err == ERR_OK; i++)
		err = put_behind(part, &made, old->records[i]);
	for (uint16_t i = 0; d->carried != NULL && i < d->carried->count && err == ERR_OK; i++)
		err = put_behind(part, &made, d->carried->at[i].records);
	if (err == ERR_OK && d->records.len > 0)
		err = put_behind(part, &made, d->records);
	if (err == ERR_OK) {
		out->present = true;
		h->bucket = hc->p.bucket;
		h->epoch = hc->p.epoch;
		h->seq = (base->present ? base->head.seq : hc->p.base_seq) + 1;
		h->previous = base->present ? base->head.id : hc->p.charter;
		h->root = d->root;
		h->tail = tail_hash(&made);
		for (uint16_t i = 0; i < made.count; i++)
			h->tail_bytes += made.at[i].bytes;
		h->tail_segments = made.count;
		head_sign(h, hc->net, &hc->writer.sign, &hc->writer.pub);
		err = shelf_put(&hc->shelf, part, h);
		hc->shelf.pinned[1] = h->tail;
	}
	free(part);
	return err;
}

static void
make_stop(struct head_client *hc, const struct head_op *op, struct value *out)
{
	const struct value *base = &hc->p.known;

	memset(out, 0, sizeof(*out));
	out->present = base->present;
	out->head = base->head;
	out->stops = true;
	out->stop.bucket = hc->p.bucket;
	out->stop.epoch = hc->p.epoch;
	out->stop.head = value_head_id(base);
	out->stop.next = *op->next;
	out->stop.next.number = hc->p.conf.number + 1;
	stop_seal(&out->stop, hc->net, op->owner);
}

/* The members that are wanted are there already: it was done before. */
static bool
is_there(const struct head_client *hc, const struct configuration *next)
{
	struct configuration as = *next;

	as.number = hc->p.conf.number;
	return configuration_equal(&hc->p.conf, &as);
}

/* As if the ballot had been refused. */
static void
give_way(struct head_client *hc)
{
	uint64_t random;

	hc->overtaken = false;
	hc->p.top = MAX(hc->p.top, hc->by.counter);
	env_random(hc->env, &random, sizeof(random));
	proposer_wait(&hc->p, turns_lost(&hc->turns, &hc->by, env_now(hc->env), random));
}

int
head_evaluate(struct head_client *hc, struct head_op *op)
{
	struct head_proposal d = { .reply = REPLY_DECLINE };
	struct head_view view;
	struct value v;
	int err;

	hc->evaluate = false;
	err = head_have_tail(hc, op->deadline);
	if (hc->done || hc->evaluate || hc->p.phase != PH_ASKING)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	if (err == ERR_NOT_FOUND && hc->overtaken) {
		give_way(hc);
		return ERR_OK;
	}
	if (err == ERR_NOT_FOUND)
		op->lost = true;
	if (err != ERR_OK)
		return err;
	if (op->kind == OP_COMMIT) {
		head_show(hc);
		head_view_of(hc, &view);
		d.root = hc->shown.head.root;
		err = op->decide->decide(op->decide->arg, &view, &d);
		if (hc->done || hc->evaluate || hc->p.phase != PH_ASKING)
			return hc->done || err == ERR_CANCELED ? err : ERR_OK;
		if (err == ERR_OK && d.reply == REPLY_PROPOSE)
			err = make_head(hc, &d, &v);
	} else if (is_there(hc, op->next)) {
		d.reply = REPLY_FOUND;
	} else {
		d.reply = REPLY_PROPOSE;
		make_stop(hc, op, &v);
		if (!stop_may_end(&v.stop, &hc->p.conf, &hc->p.bucket, hc->p.epoch, &hc->p.owner))
			err = ERR_INVALID;
	}
	if (err != ERR_OK)
		return err;
	proposer_reply(&hc->p, d.reply, &v, env_now(hc->env), &hc->out);
	head_act(hc);
	return ERR_OK;
}

/* ---- beside other writers ---- */

static bool
still_looks(const struct head_client *hc)
{
	return !hc->done && !hc->evaluate && !hc->look && hc->p.phase == PH_LOOKING;
}

static void
take_or_wait(struct head_client *hc)
{
	const struct proposer *p = &hc->p;
	struct turns_sight sight = { .promised = p->met,
		.accepted = p->changed,
		.place = p->changed_place,
		.own = pubkey_equal(&p->met.writer, &p->self) && p->met.session == p->session };
	uint64_t now = env_now(hc->env), at, random;

	env_random(hc->env, &random, sizeof(random));
	at = turns_look(&hc->turns, &sight, now, random);
	if (at == 0) {
		proposer_take(&hc->p, turns_rank(&hc->turns), now, &hc->out);
		head_act(hc);
	} else {
		proposer_wait(&hc->p, at);
	}
}

int
head_look(struct head_client *hc, const struct head_op *op)
{
	struct head_view view;
	bool found = false;
	int err = ERR_OK;

	hc->look = false;
	if (!hc->p.moving)
		err = head_have_tail(hc, op->deadline);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	if (!still_looks(hc))
		return ERR_OK;
	if (err == ERR_OK && !hc->p.moving && op->kind == OP_COMMIT && op->decide->watch != NULL) {
		head_show(hc);
		head_view_of(hc, &view);
		op->decide->watch(op->decide->arg, &view, &found);
		if (!still_looks(hc))
			return ERR_OK;
	}
	if (!found) {
		take_or_wait(hc);
		return ERR_OK;
	}
	proposer_reply(&hc->p, REPLY_FOUND, NULL, env_now(hc->env), &hc->out);
	head_act(hc);
	return ERR_OK;
}
