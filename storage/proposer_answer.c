/*
 * What an answer means: first whether its anchor may hold what it shows, then whether it answers
 * the present question, then whether enough have.
 */
#include "storage/proposer_private.h"

/* Whether an anchor may hold what it shows, by whom it was proposed. */
static bool
answer_sound(const struct proposer *p, const struct register_answer *a)
{
	const struct value *v = &a->value;
	struct hash initial = proposer_initial(p), id = value_head_id(v);

	if (a->kind > ANS_NEED_TAIL || !value_valid(v))
		return false;
	if (v->present &&
	    (!hash_equal(&v->head.bucket, &p->bucket) || v->head.epoch != p->epoch ||
		(!hash_equal(&id, &initial) && !configuration_writer(&p->conf, &v->head.writer))))
		return false;
	if (v->stops && !stop_may_end(&v->stop, &p->conf, &p->bucket, p->epoch, &p->owner))
		return false;
	if (a->accepted.counter == 0)
		return !v->stops && hash_equal(&id, &initial);
	return configuration_writer(&p->conf, &a->accepted.writer) ||
	       (a->warranted && configuration_anchor(&p->conf, &a->accepted.writer) >= 0 &&
		   warrant_covers(&a->warrant, v, &p->conf, &initial));
}

/* The answers that hold the same as anchor i. */
static uint8_t
agreeing(const struct proposer *p, uint8_t i)
{
	uint8_t who = 0;

	for (uint8_t j = 0; j < p->conf.anchors_count; j++)
		if ((p->answered & 1 << j) != 0 &&
		    ballot_compare(&p->seen[j].accepted, &p->seen[i].accepted) == 0 &&
		    hash_equal(&p->seen[j].id, &p->seen[i].id))
			who |= (uint8_t)(1 << j);
	return who;
}

/* The highest that an answer shows as promised; by a writer's, which it has signed. */
static void
meet(struct proposer *p, const struct ballot *promised)
{
	if (!p->watches || ballot_compare(promised, &p->met) <= 0 ||
	    !configuration_writer(&p->conf, &promised->writer))
		return;
	p->met = *promised;
	p->top = MAX(p->top, promised->counter);
}

static void
note(struct proposer *p, uint8_t i, const struct register_answer *a)
{
	p->answered |= (uint8_t)(1 << i);
	if (configuration_writer(&p->conf, &a->accepted.writer))
		p->top = MAX(p->top, a->accepted.counter);
	meet(p, &a->promised);
	p->seen[i].place = value_place(&a->value);
	p->seen[i].accepted = a->accepted;
	p->seen[i].id = value_id(&a->value);
	p->seen[i].cosigned =
	    a->cosigned && pubkey_equal(&a->cosignature.anchor, &p->conf.anchors[i].key);
	p->seen[i].cosignature = a->cosignature;
	p->seen[i].claim = a->claim;
}

static void
on_state(struct proposer *p, uint8_t i, const struct register_answer *a, uint64_t now,
    struct proposer_out *out)
{
	uint8_t n = p->conf.anchors_count, most = 0, who;

	if (p->phase != PH_READING || a->nonce != p->nonce || (p->answered & 1 << i) != 0)
		return;
	note(p, i, a);
	who = agreeing(p, i);
	if (mask_count(who) >= p->conf.quorum) {
		proposer_committed(p, &a->value, &a->accepted, who, now, out);
		return;
	}
	for (uint8_t j = 0; j < n; j++)
		if ((p->answered & 1 << j) != 0)
			most = MAX(most, mask_count(agreeing(p, j)));
	/* They differ: only a round can tell. Who may not make one reads again when woken. */
	if (most + n - mask_count(p->answered) < p->conf.quorum &&
	    configuration_writer(&p->conf, &p->self)) {
		proposer_differ(p, now, out);
	} else if (mask_count(p->answered) >= p->conf.quorum) {
		/* Whose answer would decide may be dead. */
		p->wake = MIN(p->wake, now + PROPOSER_DIFFER_NS);
	}
}

/* The claims of those who promised, if they let an anchor propose. */
static void
make_warrant(struct proposer *p)
{
	memset(&p->warrant, 0, sizeof(p->warrant));
	for (uint8_t i = 0; i < p->conf.anchors_count; i++)
		if ((p->answered & 1 << i) != 0)
			p->warrant.by[p->warrant.count++] = p->seen[i].claim;
	p->warrant.accept_sig = p->best_sig;
}

static void
on_promise(struct proposer *p, uint8_t i, const struct register_answer *a, uint64_t now,
    struct proposer_out *out)
{
	int order = ballot_compare(&a->accepted, &p->best_ballot);
	uint8_t who;

	if (p->phase != PH_PREPARING || ballot_compare(&a->ballot, &p->ballot) != 0 ||
	    ballot_compare(&a->promised, &p->ballot) != 0 || (p->answered & 1 << i) != 0 ||
	    (p->replaces &&
		(!a->claimed || !pubkey_equal(&a->claim.anchor, &p->conf.anchors[i].key))))
		return;
	note(p, i, a);
	if (p->answered == 1 << i || order > 0 ||
	    (order == 0 && value_place(&a->value) > value_place(&p->best))) {
		p->best = a->value;
		p->best_ballot = a->accepted;
		p->best_sig = a->accepted_sig;
	}
	if (mask_count(p->answered) < p->conf.quorum)
		return;
	who = agreeing(p, i);
	if (who == p->answered) {
		proposer_committed(p, &p->best, &p->best_ballot, who, now, out);
		if (p->replaces && p->phase == PH_ASKING)
			make_warrant(p);
	} else if (p->replaces && liars_of(p->conf.anchors_count) > 0) {
		proposer_finish(p, OUT_FAILED, out); /* see warrant_covers: a writer must come */
	} else if (p->replaces) {
		make_warrant(p);
		/* Not committed; but it is what this one must propose, and it has no other use. */
		p->knows = false;
		p->known = (struct value){ .present = p->best.present, .head = p->best.head };
		p->phase = PH_ASKING;
		out->evaluate = true;
	} else {
		proposer_propose(p, PH_CONFIRMING, &p->best, now, out);
	}
}

static void
on_accepted(struct proposer *p, uint8_t i, const struct register_answer *a, uint64_t now,
    struct proposer_out *out)
{
	struct hash id = value_id(&a->value), pending = value_id(&p->pending);

	if ((p->phase != PH_CONFIRMING && p->phase != PH_ACCEPTING) ||
	    ballot_compare(&a->ballot, &p->ballot) != 0 ||
	    ballot_compare(&a->accepted, &p->ballot) != 0 || !hash_equal(&id, &pending))
		return;
	note(p, i, a);
	if (mask_count(p->answered) >= p->conf.quorum)
		proposer_committed(p, &p->pending, &p->ballot, p->answered, now, out);
}

static void
on_refused(
    struct proposer *p, uint8_t i, const struct register_answer *a, uint64_t now, uint64_t random)
{
	bool writer = configuration_writer(&p->conf, &a->promised.writer);

	if ((p->phase != PH_PREPARING && p->phase != PH_CONFIRMING && p->phase != PH_ACCEPTING) ||
	    ballot_compare(&a->ballot, &p->ballot) != 0 ||
	    ballot_compare(&a->promised, &p->ballot) <= 0 ||
	    (!writer && configuration_anchor(&p->conf, &a->promised.writer) < 0))
		return;
	p->refused |= (uint8_t)(1 << i);
	meet(p, &a->promised);
	/* Ballots of anchors are not proven by a writer: more must tell of them than may lie. */
	if (writer || mask_count(p->refused) > liars_of(p->conf.anchors_count))
		p->top = MAX(p->top, a->promised.counter);
	if (mask_count(p->refused) > p->conf.anchors_count - p->conf.quorum)
		proposer_back_off(p, now, random);
}

/* Answers that are not of this configuration. */
static void
on_elsewhere(struct proposer *p, uint8_t i, const struct register_answer *a, uint64_t now,
    struct proposer_out *out)
{
	switch (a->kind) {
	case ANS_MOVED:
		if (a->handed && p->phase != PH_IDLE &&
		    handover_ends(&a->handover, &p->conf, &p->bucket, p->epoch, &p->owner))
			proposer_move(p, &a->handover, NULL, now, out);
		else
			out->missing = a->configuration > p->conf.number;
		break;
	case ANS_SUPERSEDED:
		out->missing = true;
		break;
	case ANS_BEHIND:
	case ANS_NO_MEMBER:
		if (p->handed && a->configuration < p->conf.number) {
			p->behind |= (uint8_t)(1 << i);
			proposer_tell_handover(p, (uint8_t)(1 << i), out);
		}
		break;
	case ANS_JOINED:
		if (a->configuration < p->conf.number)
			break;
		p->behind &= (uint8_t) ~(1 << i);
		if (p->phase == PH_HANDING_OVER) {
			p->answered |= (uint8_t)(1 << i);
			if (mask_count(p->answered) >= p->conf.quorum)
				proposer_finish(p, OUT_COMMITTED, out);
		} else if ((p->answered & 1 << i) == 0) {
			proposer_ask(p, (uint8_t)(1 << i), out);
		}
		break;
	default:
		break;
	}
}

void
proposer_answer(struct proposer *p, uint8_t i, const struct register_answer *a, uint64_t now,
    uint64_t random, struct proposer_out *out)
{
	memset(out, 0, sizeof(*out));
	if (i >= p->conf.anchors_count || !hash_equal(&a->bucket, &p->bucket))
		return;
	if (a->kind > ANS_NEED_TAIL) {
		on_elsewhere(p, i, a, now, out);
		return;
	}
	if (a->epoch != p->epoch || a->configuration != p->conf.number) {
		/* Its state is of an earlier configuration: only for its tail was it asked. */
		if (a->kind == ANS_NEED_TAIL && a->configuration < p->conf.number) {
			proposer_tell_handover(p, (uint8_t)(1 << i), out);
			out->handover.tail.extends = a->tail.extends;
		}
		return;
	}
	if (!answer_sound(p, a))
		return;
	if (a->accepted.counter == 0 && p->handed && !p->has_stopped) {
		p->has_stopped = true;
		p->stopped = a->value;
		proposer_tell_handover(p, p->behind, out);
	}
	switch (a->kind) {
	case ANS_STATE:
		on_state(p, i, a, now, out);
		break;
	case ANS_PROMISED:
		on_promise(p, i, a, now, out);
		break;
	case ANS_ACCEPTED:
		on_accepted(p, i, a, now, out);
		break;
	case ANS_REFUSED:
		on_refused(p, i, a, now, random);
		break;
	case ANS_NEED_TAIL:
		if ((p->phase == PH_CONFIRMING || p->phase == PH_ACCEPTING) &&
		    ballot_compare(&a->ballot, &p->ballot) == 0) {
			proposer_ask(p, (uint8_t)(1 << i), out);
			out->message.tail.extends = a->tail.extends;
		}
		break;
	default:
		break;
	}
}
