/*
 * One message at one register. Reading changes nothing and waits for nobody; everything else passes
 * the register's gate, so that the rules see one state after the other, each durable before the
 * next message is looked at. What an error of the store leaves in doubt was never answered, so
 * either state may be found at the next start.
 */
#include <stdlib.h>

#include "overlay/base/buf.h"
#include "storage/registers_private.h"

/* So often is a read begun anew whose tail has gone meanwhile; then the asker asks again. */
#define READ_TRIES 4

/* A change that is worked out. */
struct step {
	struct registers *r;
	struct register_entry *e;
	const struct register_message *m;
	struct register_answer *a;
	struct acceptor_sight sight;
	struct acceptor next;
};

/* The handover that next has and the state had not. */
static const struct handover *
new_handover(const struct step *s)
{
	const struct acceptor *was = &s->e->state, *is = &s->next;

	if (!is->handed ||
	    (was->handed && was->handover.stop.next.number == is->handover.stop.next.number))
		return NULL;
	return &is->handover;
}

static SUSPENDS int
change(struct step *s)
{
	const struct handover *l = new_handover(s);
	int err = ERR_OK;

	if (l != NULL)
		err = keep_handover(s->r, &s->e->bucket, s->next.epoch, l);
	if (err == ERR_OK)
		err = keep_state(s->r, s->e, &s->next, &s->m->tail);
	if (err != ERR_OK)
		return err;
	s->e->state = s->next;
	s->e->moved_at = entry_sealed(s->e) ? env_now(s->r->env) : 0;
	if (l != NULL)
		registers_health_reset(s->r, s->e);
	s->r->counters.changed++;
	return ERR_OK;
}

static SUSPENDS int
step_gated(struct step *s)
{
	int err = semaphore_acquire(s->r->env, &s->e->gate);

	if (err != ERR_OK)
		return err;
	if (s->e->gone) {
		semaphore_release(&s->e->gate);
		return ERR_BUSY;
	}
	switch (acceptor_step(&s->e->state, s->m, &s->sight, &s->next, s->a)) {
	case ACC_IGNORED:
		err = ERR_REFUSED;
		break;
	case ACC_ANSWERED:
		break;
	case ACC_CHANGED:
		err = change(s);
		break;
	}
	semaphore_release(&s->e->gate);
	return err;
}

/* Nothing is kept here: who asks may tell the handovers. */
static void
no_member(const struct register_message *m, struct register_answer *a)
{
	memset(a, 0, sizeof(*a));
	a->kind = ANS_NO_MEMBER;
	a->bucket = m->bucket;
	a->epoch = m->epoch;
	a->nonce = m->nonce;
	a->ballot = m->ballot;
}

static SUSPENDS int
step_at(struct registers *r, struct register_entry *e, const struct register_message *m,
    struct register_answer *a)
{
	struct step *s = calloc(1, sizeof(*s));
	int err = ERR_OK;

	if (s == NULL)
		return ERR_NOMEM;
	s->r = r;
	s->e = e;
	s->m = m;
	s->a = a;
	s->sight.incarnation = r->incarnation;
	if (m->kind == REG_READ) {
		if (acceptor_step(&e->state, m, &s->sight, &s->next, a) != ACC_ANSWERED)
			err = ERR_REFUSED;
	} else {
		if (m->kind == REG_PREPARE && m->replaces)
			err = registers_agree(r, e, m, &s->sight.agrees);
		if (err == ERR_OK)
			err = step_gated(s);
	}
	free(s);
	return err;
}

/* Too far behind, or the head is not the one that it would begin with: it must catch up. */
static bool
must_join(const struct register_entry *e, const struct register_message *m,
    const struct register_answer *a, int err)
{
	if (m->kind != REG_HANDOVER || m->epoch < e->state.epoch)
		return false;
	if (err == ERR_OK)
		return a->kind == ANS_BEHIND;
	return err == ERR_REFUSED && m->epoch == e->state.epoch &&
	       handover_ends(&m->handover,
		   entry_sealed(e) ? &e->state.handover.stop.next : &e->state.conf, &e->bucket,
		   e->state.epoch, &e->state.owner);
}

int
registers_step(struct registers *r, const struct register_message *m, struct register_answer *a)
{
	struct register_entry *e = registers_find(r, &m->bucket);
	bool joins = m->kind == REG_HANDOVER;
	int err = ERR_OK;

	if (e != NULL) {
		e->users++;
		err = step_at(r, e, m, a);
		joins = must_join(e, m, a, err);
		e->users--;
	} else {
		no_member(m, a);
	}
	if (!joins)
		return err;
	err = registers_join(r, m);
	if (err == ERR_OK) {
		no_member(m, a);
		a->kind = ANS_JOINED;
		a->configuration = m->handover.stop.next.number;
	}
	/* No member: the answer says so. */
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* ---- packed ---- */

/* Records that the asker lacks go along with a state. */
static SUSPENDS int
add_records(struct registers *r, const struct register_message *m, struct register_answer *a,
    struct buf *records)
{
	struct register_entry *e = registers_find(r, &m->bucket);
	struct tail tail;
	size_t at = 0;
	int from, err;

	if (e == NULL)
		return ERR_NOT_FOUND;
	tail = e->state.tail;
	/* The state may have moved on since it was shown. */
	if (!a->value.present || !tail_is_of(&tail, &a->value.head))
		return a->value.present ? ERR_NOT_FOUND : ERR_OK;
	from = tail_find(&tail, &m->tail.extends);
	if (from < 0)
		from = 0;
	a->tail.extends = from == 0 ? tail.empty : tail.at[from - 1].hash;
	err = kept_records(r, &m->bucket, &tail, (uint16_t)from, records);
	if (err != ERR_OK)
		return err;
	for (uint16_t i = (uint16_t)from; i < tail.count; i++) {
		a->tail.at[a->tail.count++].records =
		    bytes_of(records->data + at, tail.at[i].bytes);
		at += tail.at[i].bytes;
	}
	return ERR_OK;
}

struct question {
	struct register_message message;
	struct register_answer answer;
	struct bytes in;
	struct network_id net;
};

/* In a worker where the message is long: hashes of records, signatures. */
static int
unpack_work(void *arg)
{
	struct question *q = arg;

	return register_message_unpack(q->in, q->net, &q->message);
}

static SUSPENDS int
answer(struct registers *r, struct question *q, struct buf *records)
{
	int err = ERR_NOT_FOUND;

	for (int i = 0; err == ERR_NOT_FOUND && i < READ_TRIES; i++) {
		err = registers_step(r, &q->message, &q->answer);
		if (err != ERR_OK || q->answer.kind != ANS_STATE)
			return err;
		buf_reset(records);
		err = add_records(r, &q->message, &q->answer, records);
	}
	return err == ERR_NOT_FOUND ? ERR_BUSY : err;
}

static int
pack_answer(struct registers *r, struct question *q, size_t records, struct buf *reply)
{
	/* All parts but the tail, each at its longest, are less. */
	size_t cap = MIN(KIB(12) + records + TAIL_SEGMENTS_MAX * 4, REGISTER_BYTES_MAX);
	int err;

	register_answer_sign(&q->answer, &q->message, r->net, endpoint_identity(r->opts.endpoint));
	buf_reset(reply);
	err = buf_reserve(reply, cap);
	if (err == ERR_OK)
		err = register_answer_pack(&q->answer, r->net, reply->data, cap, &reply->len);
	return err;
}

int
registers_answer(struct registers *r, struct bytes message, struct buf *reply)
{
	struct question *q;
	struct buf records;
	int err;

	if (!r->loaded)
		return ERR_BUSY;
	q = malloc(sizeof(*q));
	if (q == NULL)
		return ERR_NOMEM;
	q->in = message;
	q->net = r->net;
	buf_init(&records, TAIL_BYTES_MAX);
	err = env_offload(r->env, WORK_CPU, unpack_work, q, message.len);
	if (err == ERR_OK)
		err = answer(r, q, &records);
	if (err == ERR_OK)
		err = pack_answer(r, q, records.len, reply);
	if (err == ERR_OK)
		r->counters.answered++;
	else
		r->counters.refused++;
	buf_fini(&records);
	free(q);
	return err;
}
