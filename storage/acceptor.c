/*
 * One message, one answer. First where the message belongs (bucket, epoch, configuration), then by
 * kind. What is foreign is not answered; what is late is told what is newer.
 */
#include "storage/acceptor.h"

#include "storage/register_private.h"

/* ---- beginnings ---- */

/* What the charter says; the rest is zero. */
static void
begin(const struct charter *c, struct acceptor *out)
{
	memset(out, 0, sizeof(*out));
	out->owner = c->owner;
	out->bucket = c->bucket;
	out->charter = c->id;
	out->epoch = c->epoch;
	out->base_seq = c->base_seq;
}

int
acceptor_found(const struct charter *c, const struct anchor *self, struct acceptor *out)
{
	if (!configuration_member(&c->founding, self))
		return ERR_NOT_FOUND;
	begin(c, out);
	out->conf = c->founding;
	out->self = *self;
	return ERR_OK;
}

int
acceptor_refound(const struct acceptor *known, const struct charter *c, const struct anchor *self,
    struct acceptor *out)
{
	if (!hash_equal(&known->bucket, &c->bucket) || !pubkey_equal(&known->owner, &c->owner))
		return ERR_AUTH;
	if (c->epoch <= known->epoch)
		return ERR_STALE;
	return acceptor_found(c, self, out);
}

/* The tail of m's head, zeros without one. Errors as of tail_extend. */
static int
next_tail(const struct acceptor *s, const struct register_message *m, struct tail *out)
{
	memset(out, 0, sizeof(*out));
	return m->value.present ? tail_extend(&s->tail, &m->tail, &m->value.head, out) : ERR_OK;
}

/*
 * s, whose present members the handover of m ends, becomes one of the next: nothing is promised or
 * accepted there, and the value is the head that was stopped with. All begin with the same.
 */
static int
join(struct acceptor *s, const struct register_message *m, const struct anchor *self)
{
	const struct configuration *next = &m->handover.stop.next;
	struct hash head = value_head_id(&m->value);
	struct tail tail;
	int err;

	if (!configuration_member(next, self))
		return ERR_NOT_FOUND;
	if (m->value.stops || !hash_equal(&head, &m->handover.stop.head) ||
	    (m->value.present && (!hash_equal(&m->value.head.bucket, &s->bucket) ||
				     m->value.head.epoch != s->epoch)))
		return ERR_INVALID;
	err = next_tail(s, m, &tail);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_STATE : err;
	memset(&s->promised, 0, sizeof(s->promised));
	memset(&s->accepted, 0, sizeof(s->accepted));
	memset(&s->promised_sig, 0, sizeof(s->promised_sig));
	memset(&s->accepted_sig, 0, sizeof(s->accepted_sig));
	memset(&s->promised_next, 0, sizeof(s->promised_next));
	memset(&s->warrant, 0, sizeof(s->warrant));
	s->warranted = false;
	s->conf = *next;
	s->self = *self;
	s->value = m->value;
	s->tail = tail;
	s->handed = true;
	s->handover = m->handover;
	return ERR_OK;
}

int
acceptor_join(const struct charter *c, const struct configuration *before,
    const struct register_message *m, const struct anchor *self, struct acceptor *out)
{
	struct acceptor s;
	int err;

	if (!handover_ends(&m->handover, before, &c->bucket, c->epoch, &c->owner))
		return ERR_AUTH;
	begin(c, &s);
	err = join(&s, m, self);
	if (err == ERR_OK)
		*out = s;
	return err == ERR_STATE ? ERR_INVALID : err;
}

/* ---- proposals ---- */

static bool
sealed(const struct acceptor *s)
{
	return s->handed && s->handover.stop.next.number == s->conf.number + 1;
}

/* The head that the configuration began with. */
static struct hash
initial_head(const struct acceptor *s)
{
	return s->handed && !sealed(s) ? s->handover.stop.head : (struct hash){ { 0 } };
}

static void
show_state(const struct acceptor *s, enum answer_kind kind, struct register_answer *a)
{
	a->kind = kind;
	a->promised = s->promised;
	a->promised_sig = s->promised_sig;
	a->promised_next = s->promised_next;
	a->accepted = s->accepted;
	a->accepted_sig = s->accepted_sig;
	a->value = s->value;
	a->warranted = s->warranted;
	a->warrant = s->warrant;
	a->cosigned = s->value.stops && s->accepted.counter > 0;
}

static enum acceptor_verdict
need_tail(const struct acceptor *s, struct register_answer *a)
{
	show_state(s, ANS_NEED_TAIL, a);
	a->tail.extends = tail_hash(&s->tail);
	return ACC_ANSWERED;
}

static enum acceptor_verdict
on_prepare(const struct acceptor *s, const struct register_message *m, bool agrees,
    struct acceptor *next, struct register_answer *a)
{
	int order = ballot_compare(&m->ballot, &s->promised);
	struct acceptor now;

	if (m->replaces ? (!agrees || configuration_anchor(&s->conf, &m->ballot.writer) < 0 ||
			      !configuration_replaces_one(&s->conf, &m->next))
			: !configuration_writer(&s->conf, &m->ballot.writer))
		return ACC_IGNORED;
	if (order < 0) {
		show_state(s, ANS_REFUSED, a);
		return ACC_ANSWERED;
	}
	if (m->ballot.counter - s->promised.counter > BALLOT_JUMP_MAX)
		return ACC_IGNORED;
	now = *s;
	if (order > 0) {
		now.promised = m->ballot;
		now.promised_sig = m->sig;
		now.promised_next = next_id(m);
	}
	show_state(&now, ANS_PROMISED, a);
	if (m->replaces) {
		a->claimed = true;
		a->claim.accepted = s->accepted;
		a->claim.place = value_place(&s->value);
		a->claim.id = value_id(&s->value);
	}
	if (order == 0)
		return ACC_ANSWERED;
	*next = now;
	return ACC_CHANGED;
}

/* May whoever owns the ballot propose this here at all? */
static bool
may_propose(const struct acceptor *s, const struct register_message *m)
{
	const struct value *v = &m->value;
	struct hash initial = initial_head(s), id = value_head_id(v),
		    own = value_head_id(&s->value);

	if (!value_valid(v) || (!v->present && !v->stops))
		return false;
	if (v->present &&
	    (!hash_equal(&v->head.bucket, &s->bucket) || v->head.epoch != s->epoch ||
		v->head.seq <= s->base_seq ||
		(v->head.seq == s->base_seq + 1 && !hash_equal(&v->head.previous, &s->charter))))
		return false;
	/* A head of a writer who has been removed since is not proposed anew, but may stay. */
	if (v->present && !hash_equal(&id, &own) && !hash_equal(&id, &initial) &&
	    !configuration_writer(&s->conf, &v->head.writer))
		return false;
	if (v->stops && !stop_may_end(&v->stop, &s->conf, &s->bucket, s->epoch, &s->owner))
		return false;
	if (configuration_writer(&s->conf, &m->ballot.writer))
		return true;
	return m->replaces && configuration_anchor(&s->conf, &m->ballot.writer) >= 0 && v->stops &&
	       configuration_equal(&m->next, &v->stop.next) &&
	       warrant_covers(&m->warrant, v, &s->conf, &initial);
}

/*
 * Under one ballot heads follow each other, each proposed when the last was committed, and a stop
 * is the end. ACC_CHANGED: v goes on from what is accepted; ACC_ANSWERED: it is that.
 */
static enum acceptor_verdict
same_ballot(const struct acceptor *s, const struct value *v)
{
	struct hash id = value_id(v), own = value_id(&s->value),
		    own_head = value_head_id(&s->value), head = value_head_id(v);
	uint64_t seq = value_seq(v), own_seq = value_seq(&s->value);

	if (hash_equal(&id, &own))
		return ACC_ANSWERED;
	if (s->value.stops || seq < own_seq)
		return ACC_IGNORED;
	if (seq == own_seq)
		return v->stops && hash_equal(&head, &own_head) ? ACC_CHANGED : ACC_IGNORED;
	if (seq == own_seq + 1 && s->value.present && !hash_equal(&v->head.previous, &own_head))
		return ACC_IGNORED;
	return ACC_CHANGED;
}

static enum acceptor_verdict
on_accept(const struct acceptor *s, const struct register_message *m, struct acceptor *next,
    struct register_answer *a)
{
	struct acceptor now = *s;
	int err;

	if (!may_propose(s, m))
		return ACC_IGNORED;
	if (ballot_compare(&m->ballot, &s->promised) < 0) {
		show_state(s, ANS_REFUSED, a);
		return ACC_ANSWERED;
	}
	if (m->ballot.counter - s->promised.counter > BALLOT_JUMP_MAX)
		return ACC_IGNORED;
	if (ballot_compare(&m->ballot, &s->accepted) == 0) {
		enum acceptor_verdict v = same_ballot(s, &m->value);

		if (v == ACC_ANSWERED)
			show_state(s, ANS_ACCEPTED, a);
		if (v != ACC_CHANGED)
			return v;
	}
	err = next_tail(s, m, &now.tail);
	if (err == ERR_NOT_FOUND)
		return need_tail(s, a);
	if (err != ERR_OK)
		return ACC_IGNORED;
	now.promised = m->ballot;
	memset(&now.promised_sig, 0, sizeof(now.promised_sig));
	memset(&now.promised_next, 0, sizeof(now.promised_next));
	now.accepted = m->ballot;
	now.accepted_sig = m->sig;
	now.value = m->value;
	now.warranted = !configuration_writer(&s->conf, &m->ballot.writer);
	memset(&now.warrant, 0, sizeof(now.warrant));
	if (now.warranted)
		now.warrant = m->warrant;
	show_state(&now, ANS_ACCEPTED, a);
	*next = now;
	return ACC_CHANGED;
}

int
acceptor_catch_up(const struct charter *c, const struct configuration *before,
    const struct handover *l, const struct register_answer *shown, const struct anchor *self,
    struct acceptor *out)
{
	struct register_message m;
	struct register_answer a;
	struct acceptor s;

	if (!handover_ends(l, before, &c->bucket, c->epoch, &c->owner))
		return ERR_AUTH;
	if (!configuration_member(&l->stop.next, self))
		return ERR_NOT_FOUND;
	begin(c, &s);
	s.conf = l->stop.next;
	s.self = *self;
	s.handed = true;
	s.handover = *l;
	register_message_shown(shown, &m);
	if (shown->accepted.counter == 0 || on_accept(&s, &m, out, &a) != ACC_CHANGED)
		return ERR_INVALID;
	return ERR_OK;
}

/* ---- the next configuration ---- */

static enum acceptor_verdict
on_handover(const struct acceptor *s, const struct register_message *m, uint64_t incarnation,
    struct acceptor *next, struct register_answer *a)
{
	/* Who was left out may be taken in again later. */
	const struct configuration *end = sealed(s) ? &s->handover.stop.next : &s->conf;
	struct anchor self = { s->self.key, incarnation };
	struct acceptor now;
	int err;

	a->kind = ANS_JOINED;
	if (m->handover.stop.next.number <= end->number)
		return ACC_ANSWERED;
	if (m->handover.stop.next.number > end->number + 1) {
		a->kind = ANS_BEHIND;
		a->configuration = end->number;
		return ACC_ANSWERED;
	}
	if (!handover_ends(&m->handover, end, &s->bucket, s->epoch, &s->owner))
		return ACC_IGNORED;
	now = *s;
	err = join(&now, m, &self);
	if (err == ERR_STATE)
		return need_tail(s, a);
	if (err == ERR_INVALID)
		return ACC_IGNORED;
	if (err == ERR_NOT_FOUND) {
		/* Left out: what is kept of the configuration serves only to say so. */
		now.handover = m->handover;
		now.handed = true;
		now.conf = *end;
	}
	a->configuration = m->handover.stop.next.number;
	*next = now;
	return ACC_CHANGED;
}

enum acceptor_verdict
acceptor_step(const struct acceptor *s, const struct register_message *m,
    const struct acceptor_sight *sight, struct acceptor *next, struct register_answer *a)
{
	memset(a, 0, sizeof(*a));
	if (!hash_equal(&m->bucket, &s->bucket))
		return ACC_IGNORED;
	a->bucket = s->bucket;
	a->epoch = s->epoch;
	a->configuration = s->conf.number;
	a->nonce = m->nonce;
	a->ballot = m->ballot;
	if (m->epoch != s->epoch) {
		a->kind = m->epoch < s->epoch ? ANS_SUPERSEDED : ANS_BEHIND;
		return ACC_ANSWERED;
	}
	if (m->kind == REG_HANDOVER)
		return on_handover(s, m, sight->incarnation, next, a);
	if (!sealed(s) && s->self.incarnation != sight->incarnation) {
		a->kind = ANS_NO_MEMBER;
		return ACC_ANSWERED;
	}
	if (m->configuration > s->conf.number) {
		a->kind = ANS_BEHIND;
		return ACC_ANSWERED;
	}
	if (m->configuration < s->conf.number || sealed(s)) {
		a->kind = ANS_MOVED;
		a->handed = s->handed && s->handover.stop.next.number == m->configuration + 1;
		if (a->handed)
			a->handover = s->handover;
		return ACC_ANSWERED;
	}
	switch (m->kind) {
	case REG_PREPARE:
		return on_prepare(s, m, sight->agrees, next, a);
	case REG_ACCEPT:
		return on_accept(s, m, next, a);
	case REG_READ:
		show_state(s, ANS_STATE, a);
		return ACC_ANSWERED;
	case REG_HANDOVER:
		break;
	}
	return ACC_IGNORED;
}
