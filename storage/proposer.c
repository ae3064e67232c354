/*
 * From an operation to its end. A round is: ask all, count answers that agree, go on when a quorum
 * does, wait while it still can, back off when it cannot. What a quorum holds under one
 * ballot is committed; everything else is at most proposed.
 */
#include "storage/proposer_private.h"

void
proposer_init(struct proposer *p, const struct charter *c, const struct handover *handover,
    const struct pubkey *self, uint64_t session)
{
	memset(p, 0, sizeof(*p));
	p->owner = c->owner;
	p->self = *self;
	p->session = session;
	p->nonce = session;
	p->bucket = c->bucket;
	p->charter = c->id;
	p->epoch = c->epoch;
	p->base_seq = c->base_seq;
	p->conf = handover == NULL ? c->founding : handover->stop.next;
	p->handed = handover != NULL;
	if (handover != NULL)
		p->handover = *handover;
}

void
proposer_finish(struct proposer *p, enum proposer_outcome o, struct proposer_out *out)
{
	p->phase = PH_IDLE;
	p->sent = p->sent_stop = p->writing = p->declining = p->replaces = p->confirmed = false;
	p->wake = p->deadline = 0;
	out->done = true;
	out->outcome = o;
}

/* ---- rounds ---- */

static void
message_begin(const struct proposer *p, enum register_kind kind, struct register_message *m)
{
	memset(m, 0, sizeof(*m));
	m->kind = kind;
	m->bucket = p->bucket;
	m->epoch = p->epoch;
	m->configuration = p->conf.number;
}

/* The question of this phase, for whom it was not answered by. */
void
proposer_ask(struct proposer *p, uint8_t to, struct proposer_out *out)
{
	struct register_message *m = &out->message;

	switch (p->phase) {
	case PH_READING:
		message_begin(p, REG_READ, m);
		m->nonce = p->nonce;
		break;
	case PH_PREPARING:
		message_begin(p, REG_PREPARE, m);
		m->ballot = p->ballot;
		break;
	case PH_CONFIRMING:
	case PH_ACCEPTING:
		message_begin(p, REG_ACCEPT, m);
		m->ballot = p->ballot;
		m->value = p->pending;
		break;
	default:
		return;
	}
	if (p->replaces && m->kind != REG_READ) {
		m->replaces = true;
		m->next = p->next;
		if (m->kind == REG_ACCEPT)
			m->warrant = p->warrant;
	}
	if (p->known.present)
		m->tail.extends = p->known.head.tail;
	out->send_to = to;
}

void
proposer_tell_handover(const struct proposer *p, uint8_t to, struct proposer_out *out)
{
	if (!p->handed || !p->has_stopped || to == 0)
		return;
	message_begin(p, REG_HANDOVER, &out->handover);
	out->handover.handover = p->handover;
	out->handover.value = p->stopped;
	out->handover_to = to;
}

void
proposer_begin(
    struct proposer *p, enum proposer_phase phase, uint64_t now, struct proposer_out *out)
{
	p->phase = phase;
	p->answered = p->refused = 0;
	memset(&p->met, 0, sizeof(p->met));
	memset(p->seen, 0, sizeof(p->seen));
	p->wake = now + PROPOSER_ROUND_NS;
	if (phase == PH_READING)
		p->nonce++;
	if (phase == PH_PREPARING) {
		memset(&p->best, 0, sizeof(p->best));
		memset(&p->best_ballot, 0, sizeof(p->best_ballot));
		p->top++;
		p->ballot = (struct ballot){ p->top, p->self, p->session };
		p->leads = false;
	}
	proposer_ask(p, proposer_everyone(p), out);
}

void
proposer_propose(struct proposer *p, enum proposer_phase phase, const struct value *v, uint64_t now,
    struct proposer_out *out)
{
	p->pending = *v;
	proposer_begin(p, phase, now, out);
}

/* What was refused waits, since somebody else is at work. */
void
proposer_back_off(struct proposer *p, uint64_t now, uint64_t random)
{
	uint64_t span = PROPOSER_BACK_OFF_MAX_NS - PROPOSER_BACK_OFF_MIN_NS;

	p->leads = false;
	p->lost = p->watches;
	p->phase = PH_BACKING_OFF;
	p->wake = now + PROPOSER_BACK_OFF_MIN_NS + random % (span + 1);
}

/* After a wait, or in a new configuration. Only writers, and anchors that replace, make rounds. */
static void
again(struct proposer *p, uint64_t now, struct proposer_out *out)
{
	bool may = p->replaces || (configuration_writer(&p->conf, &p->self) && !p->watches);

	p->declining = false;
	proposer_begin(p, may && p->writing ? PH_PREPARING : PH_READING, now, out);
}

/* The answer that shows the most. */
static uint8_t
furthest(const struct proposer *p)
{
	uint8_t top = ANCHORS_MAX;

	for (uint8_t i = 0; i < p->conf.anchors_count; i++) {
		int order = top == ANCHORS_MAX
				? 1
				: ballot_compare(&p->seen[i].accepted, &p->seen[top].accepted);

		if ((p->answered & 1 << i) != 0 &&
		    (order > 0 || (order == 0 && p->seen[i].place > p->seen[top].place)))
			top = i;
	}
	return top;
}

/* Whether it is this writer's turn. Until the caller says so it disturbs nobody. */
static void
look(struct proposer *p, bool moving, struct proposer_out *out)
{
	const struct seen *top = &p->seen[furthest(p)];

	p->declining = false;
	p->changed = top->accepted;
	p->changed_place = top->place;
	p->moving = moving;
	p->phase = PH_LOOKING;
	p->wake = 0;
	out->look = true;
}

static bool
looks_on(const struct proposer *p)
{
	return p->watches && p->writing && !p->replaces && configuration_writer(&p->conf, &p->self);
}

void
proposer_differ(struct proposer *p, uint64_t now, struct proposer_out *out)
{
	const struct seen *top = &p->seen[furthest(p)];
	int order = ballot_compare(&top->accepted, &p->changed);

	if (looks_on(p)) {
		look(p, true, out);
		return;
	}
	p->declining = false;
	if (p->watches && p->rereads < PROPOSER_REREADS &&
	    (order > 0 || (order == 0 && top->place > p->changed_place))) {
		p->rereads++;
		p->changed = top->accepted;
		p->changed_place = top->place;
		proposer_begin(p, PH_READING, now, out);
	} else {
		proposer_begin(p, PH_PREPARING, now, out);
	}
}

/* ---- what is committed ---- */

/* False: it contradicts what was committed before. */
static bool
learn(struct proposer *p, const struct value *v, const struct ballot *b)
{
	struct hash id = value_head_id(v), own = value_head_id(&p->known);
	uint64_t seq = value_seq(v), own_seq = value_seq(&p->known);

	if (p->knows &&
	    (seq < own_seq || (seq == own_seq && !hash_equal(&id, &own)) ||
		(seq == own_seq + 1 && own_seq > 0 && !hash_equal(&v->head.previous, &own))))
		return false;
	p->knows = true;
	p->known = *v;
	p->known_ballot = *b;
	p->confirmed = true;
	return true;
}

/* Known is committed: what was it wanted for? */
static void
go_on(struct proposer *p, struct proposer_out *out)
{
	p->leads = !p->replaces;
	p->wake = 0;
	if (p->declining) {
		proposer_finish(p, OUT_DECLINED, out);
	} else if (p->writing) {
		p->phase = PH_ASKING;
		out->evaluate = true;
	} else {
		proposer_finish(p, OUT_READ, out);
	}
}

/* The configuration has ended. head: what it ended with; NULL: not known here. */
void
proposer_move(struct proposer *p, const struct handover *l, const struct value *head, uint64_t now,
    struct proposer_out *out)
{
	bool own = p->phase == PH_ACCEPTING && p->pending.stops &&
		   hash_equal(&p->pending.stop.id, &l->stop.id);

	p->handover = *l;
	p->handed = true;
	p->conf = l->stop.next;
	p->leads = false;
	p->behind = 0;
	p->has_stopped = head != NULL;
	memset(&p->stopped, 0, sizeof(p->stopped));
	if (head != NULL) {
		p->stopped.present = head->present;
		p->stopped.head = head->head;
	}
	out->moved = true;
	if (p->replaces && !own) {
		proposer_finish(p, OUT_FAILED, out);
		return;
	}
	/* Whatever became of another stop, that configuration is no more. */
	p->sent_stop = own;
	if (own) {
		p->answered = 0;
		p->phase = PH_HANDING_OVER;
		p->wake = now + PROPOSER_ROUND_NS;
		proposer_tell_handover(p, proposer_everyone(p), out);
		return;
	}
	again(p, now, out);
	proposer_tell_handover(p, proposer_everyone(p), out);
}

/* A quorum has accepted v under b; those in the mask of answers agree on it. */
void
proposer_committed(struct proposer *p, const struct value *v, const struct ballot *b, uint8_t who,
    uint64_t now, struct proposer_out *out)
{
	struct hash known = value_head_id(&p->known), id = value_head_id(v);
	enum proposer_phase phase = p->phase;
	bool same = p->knows && hash_equal(&known, &id);
	struct value head = { .present = v->present, .head = v->head };
	struct handover l;

	if (!learn(p, &head, b)) {
		proposer_finish(p, OUT_FORKED, out);
		return;
	}
	if (v->stops) {
		memset(&l, 0, sizeof(l));
		l.ballot = *b;
		l.stop = v->stop;
		for (uint8_t i = 0; i < p->conf.anchors_count; i++)
			if ((who & 1 << i) != 0 && p->seen[i].cosigned)
				l.by[l.count++] = p->seen[i].cosignature;
		if (handover_ends(&l, &p->conf, &p->bucket, p->epoch, &p->owner))
			proposer_move(p, &l, v, now, out);
		else
			proposer_back_off(p, now, 0);
		return;
	}
	if (phase == PH_READING) {
		bool leads = p->leads && same;

		if (p->writing && !(p->declining && same)) {
			if (looks_on(p))
				look(p, false, out);
			else
				again(p, now, out);
			return;
		}
		proposer_finish(p, p->writing ? OUT_DECLINED : OUT_READ, out);
		p->leads = leads;
	} else if (phase == PH_ACCEPTING) {
		p->leads = true;
		proposer_finish(p, OUT_COMMITTED, out);
	} else {
		go_on(p, out);
	}
}

/* ---- starting ---- */

static void
start(struct proposer *p, bool writing, uint64_t deadline, struct proposer_out *out)
{
	must(p->phase == PH_IDLE);
	memset(out, 0, sizeof(*out));
	p->writing = writing;
	p->confirmed = false;
	p->deadline = deadline;
	p->behind = 0;
	p->rereads = 0;
	memset(&p->changed, 0, sizeof(p->changed));
	p->changed_place = 0;
}

void
proposer_read(struct proposer *p, uint64_t now, uint64_t deadline, struct proposer_out *out)
{
	start(p, false, deadline, out);
	proposer_begin(p, PH_READING, now, out);
}

void
proposer_write(struct proposer *p, uint64_t now, uint64_t deadline, struct proposer_out *out)
{
	start(p, true, deadline, out);
	if (!configuration_writer(&p->conf, &p->self)) {
		/* It may have been let in since: a read would be told of it. */
		proposer_begin(p, PH_READING, now, out);
	} else if (p->leads) {
		p->phase = PH_ASKING;
		out->evaluate = true;
	} else {
		proposer_begin(p, PH_PREPARING, now, out);
	}
}

void
proposer_write_later(struct proposer *p, uint64_t now, uint64_t deadline, struct proposer_out *out)
{
	start(p, true, deadline, out);
	proposer_begin(p, PH_READING, now, out);
}

void
proposer_take(struct proposer *p, uint8_t ahead, uint64_t now, struct proposer_out *out)
{
	must(p->phase == PH_LOOKING);
	memset(out, 0, sizeof(*out));
	p->top += ahead;
	proposer_begin(p, PH_PREPARING, now, out);
}

void
proposer_wait(struct proposer *p, uint64_t until)
{
	must(p->phase == PH_LOOKING || p->phase == PH_BACKING_OFF || p->phase == PH_ASKING);
	p->leads = false;
	p->phase = PH_BACKING_OFF;
	p->wake = until;
}

void
proposer_replace(struct proposer *p, const struct configuration *next, uint64_t now,
    uint64_t deadline, struct proposer_out *out)
{
	start(p, true, deadline, out);
	p->replaces = true;
	p->next = *next;
	proposer_begin(p, PH_PREPARING, now, out);
}

/* What was sent and may still be about, also by an earlier operation, is outranked first. */
static void
decline(struct proposer *p, uint64_t now, struct proposer_out *out)
{
	p->declining = true;
	/* What was sent under this ballot is committed: one that failed to commit leads no more. */
	if (!p->floats || ballot_compare(&p->known_ballot, &p->ballot) == 0) {
		if (p->confirmed)
			proposer_finish(p, OUT_DECLINED, out);
		else
			proposer_begin(p, PH_READING, now, out);
	} else if (p->known.present) {
		proposer_propose(p, PH_CONFIRMING, &p->known, now, out);
	} else {
		proposer_finish(p, OUT_UNKNOWN, out);
	}
}

void
proposer_reply(struct proposer *p, enum proposer_reply r, const struct value *v, uint64_t now,
    struct proposer_out *out)
{
	struct hash known = value_head_id(&p->known);

	must(p->phase == PH_ASKING || (p->phase == PH_LOOKING && !p->moving && r == REPLY_FOUND));
	memset(out, 0, sizeof(*out));
	if (r == REPLY_FOUND) {
		proposer_finish(p, OUT_COMMITTED, out);
		return;
	}
	/* Another head is at the place of the earlier proposal, so that will never be chosen. */
	if (p->floats && value_seq(&p->known) >= p->sent_seq)
		p->sent = p->floats = false;
	if (r == REPLY_DECLINE) {
		decline(p, now, out);
		return;
	}
	if (v->stops) {
		must(hash_equal(&v->stop.head, &known));
		p->sent_stop = true;
	} else {
		must(v->head.seq == (p->known.present ? p->known.head.seq : p->base_seq) + 1);
		must(hash_equal(&v->head.previous, p->known.present ? &known : &p->charter));
		p->sent = p->floats = true;
		p->sent_seq = v->head.seq;
	}
	proposer_propose(p, PH_ACCEPTING, v, now, out);
}

/* ---- time ---- */

void
proposer_tick(struct proposer *p, uint64_t now, uint64_t random, struct proposer_out *out)
{
	memset(out, 0, sizeof(*out));
	if (p->phase == PH_IDLE)
		return;
	if (now >= p->deadline) {
		/* The own ballot may hold what was sent: it must not carry another value. */
		if (p->phase != PH_READING && p->phase != PH_ASKING)
			p->leads = false;
		proposer_finish(p, p->sent || p->sent_stop ? OUT_UNKNOWN : OUT_FAILED, out);
		return;
	}
	if (p->wake == 0 || now < p->wake)
		return;
	if (p->phase == PH_BACKING_OFF) {
		again(p, now, out);
	} else if (p->phase == PH_HANDING_OVER) {
		proposer_tell_handover(p, (uint8_t)(proposer_everyone(p) & ~p->answered), out);
		p->wake = now + PROPOSER_ROUND_NS;
	} else if (p->phase == PH_READING) {
		/* A quorum answered and differs: it may stay so as long as others are dead. */
		if (mask_count(p->answered) >= p->conf.quorum &&
		    configuration_writer(&p->conf, &p->self))
			proposer_differ(p, now, out);
		else
			proposer_begin(p, PH_READING, now, out);
	} else if (p->refused != 0) {
		proposer_back_off(p, now, random);
	} else {
		proposer_ask(p, (uint8_t)(proposer_everyone(p) & ~p->answered), out);
		p->wake = now + PROPOSER_ROUND_NS;
	}
}
