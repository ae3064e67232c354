/*
 * Layouts of the register's messages and answers: a fixed beginning, then the parts that the kind
 * has. Each part checks its own signatures when it is read.
 */
#include "storage/register_private.h"

static const char message_domain[] = "skerry/register/1";
static const char answer_domain[] = "skerry/register-answer/1";

/* ---- warrants ---- */

static void
pack_claim(struct packer *p, const struct claim *c)
{
	pack_raw(p, c->anchor.b, sizeof(c->anchor.b));
	ballot_pack(p, &c->accepted);
	pack_u64(p, c->place);
	pack_raw(p, c->id.b, sizeof(c->id.b));
	pack_raw(p, c->sig.b, sizeof(c->sig.b));
}

static int
unpack_claim(struct unpacker *u, struct claim *c)
{
	int err;

	unpack_raw(u, c->anchor.b, sizeof(c->anchor.b));
	err = ballot_unpack(u, &c->accepted);
	c->place = unpack_u64(u);
	unpack_raw(u, c->id.b, sizeof(c->id.b));
	unpack_raw(u, c->sig.b, sizeof(c->sig.b));
	return err != ERR_OK || u->failed ? ERR_INVALID : ERR_OK;
}

void
warrant_pack(struct packer *p, const struct warrant *w)
{
	pack_u8(p, w->count);
	for (uint8_t i = 0; i < w->count; i++)
		pack_claim(p, &w->by[i]);
	pack_raw(p, w->accept_sig.b, sizeof(w->accept_sig.b));
}

int
warrant_unpack(
    struct unpacker *u, const struct place *at, const struct hash *next, struct warrant *out)
{
	int err = ERR_OK;

	out->count = unpack_u8(u);
	if (u->failed || out->count == 0 || out->count > ANCHORS_MAX)
		return ERR_INVALID;
	for (uint8_t i = 0; i < out->count && err == ERR_OK; i++)
		err = unpack_claim(u, &out->by[i]);
	unpack_raw(u, out->accept_sig.b, sizeof(out->accept_sig.b));
	if (err != ERR_OK || u->failed)
		return ERR_INVALID;
	return warrant_good(at, next, out) ? ERR_OK : ERR_AUTH;
}

/* ---- messages ---- */

int
register_message_pack(
    const struct register_message *m, struct network_id net, uint8_t *out, size_t cap, size_t *len)
{
	struct packer p = packer_on(out, cap);

	pack_domain(&p, message_domain, &net);
	pack_u8(&p, (uint8_t)m->kind);
	pack_raw(&p, m->bucket.b, sizeof(m->bucket.b));
	pack_u64(&p, m->epoch);
	pack_u32(&p, m->configuration);
	pack_u64(&p, m->nonce);
	if (m->kind == REG_PREPARE || m->kind == REG_ACCEPT) {
		ballot_pack(&p, &m->ballot);
		pack_u8(&p, m->replaces);
		if (m->replaces)
			configuration_pack(&p, &m->next);
	}
	if (m->kind == REG_HANDOVER)
		handover_pack(&p, &m->handover, net);
	if (m->kind == REG_ACCEPT || m->kind == REG_HANDOVER) {
		value_pack(&p, &m->value, net);
		tail_part_pack(&p, &m->tail);
	}
	if (m->kind == REG_READ)
		pack_raw(&p, m->tail.extends.b, sizeof(m->tail.extends.b));
	if (m->kind == REG_ACCEPT && m->replaces)
		warrant_pack(&p, &m->warrant);
	if (m->kind == REG_PREPARE || m->kind == REG_ACCEPT)
		pack_raw(&p, m->sig.b, sizeof(m->sig.b));
	if (!pack_ok(&p))
		return ERR_TOO_BIG;
	*len = p.len;
	return ERR_OK;
}

static int
unpack_proposal(struct unpacker *u, struct register_message *m)
{
	uint8_t replaces;
	int err = ballot_unpack(u, &m->ballot);

	replaces = unpack_u8(u);
	if (err != ERR_OK || u->failed || m->ballot.counter == 0 || replaces > 1)
		return ERR_INVALID;
	m->replaces = replaces == 1;
	return m->replaces ? configuration_unpack(u, &m->next) : ERR_OK;
}

/* The end of a PREPARE or an ACCEPT. */
static int
unpack_signed(struct unpacker *u, struct network_id net, struct register_message *m)
{
	struct place at = message_place(m, net);
	struct hash next = next_id(m), id = value_id(&m->value);
	uint8_t text[REGISTER_TEXT_MAX];
	size_t len;
	int err = ERR_OK;

	if (m->kind == REG_ACCEPT && m->replaces)
		err = warrant_unpack(u, &at, &next, &m->warrant);
	unpack_raw(u, m->sig.b, sizeof(m->sig.b));
	if (err != ERR_OK || u->failed)
		return err != ERR_OK ? err : ERR_INVALID;
	if (m->kind == REG_PREPARE)
		len = prepare_text(&at, &next, text);
	else
		len = accept_text(&at, value_place(&m->value), &id, text);
	return crypto_verify(&m->sig, &m->ballot.writer, text, len) ? ERR_OK : ERR_AUTH;
}

static int
unpack_message(struct unpacker *u, struct network_id net, struct register_message *m)
{
	int err = unpack_domain(u, message_domain, &net);
	uint8_t kind;

	if (err != ERR_OK)
		return err;
	kind = unpack_u8(u);
	unpack_raw(u, m->bucket.b, sizeof(m->bucket.b));
	m->epoch = unpack_u64(u);
	m->configuration = unpack_u32(u);
	m->nonce = unpack_u64(u);
	if (u->failed || kind < REG_PREPARE || kind > REG_HANDOVER || m->epoch == 0)
		return ERR_INVALID;
	m->kind = (enum register_kind)kind;
	if (m->kind == REG_READ)
		unpack_raw(u, m->tail.extends.b, sizeof(m->tail.extends.b));
	else if (m->kind == REG_HANDOVER)
		err = handover_unpack(u, net, &m->handover);
	else
		err = unpack_proposal(u, m);
	if (err == ERR_OK && (m->kind == REG_ACCEPT || m->kind == REG_HANDOVER)) {
		err = value_unpack(u, net, NULL, &m->value);
		if (err == ERR_OK)
			err = tail_part_unpack(u, &m->tail);
	}
	if (err == ERR_OK && (m->kind == REG_PREPARE || m->kind == REG_ACCEPT))
		err = unpack_signed(u, net, m);
	if (err != ERR_OK)
		return err;
	return unpack_done(u) ? ERR_OK : ERR_INVALID;
}

int
register_message_unpack(struct bytes in, struct network_id net, struct register_message *out)
{
	struct unpacker u = unpacker_on(in);

	memset(out, 0, sizeof(*out));
	return in.len > REGISTER_BYTES_MAX ? ERR_TOO_BIG : unpack_message(&u, net, out);
}

void
register_message_shown(const struct register_answer *shown, struct register_message *out)
{
	memset(out, 0, sizeof(*out));
	out->kind = REG_ACCEPT;
	out->ballot = shown->accepted;
	out->sig = shown->accepted_sig;
	out->replaces = shown->warranted;
	out->next = shown->value.stop.next;
	out->warrant = shown->warrant;
	out->value = shown->value;
	out->tail = shown->tail;
}

/* ---- answers ---- */

enum answer_part { PART_HANDOVER = 1, PART_COSIGNED = 2, PART_CLAIM = 4, PART_WARRANT = 8 };

static bool
has_state(enum answer_kind kind)
{
	return kind <= ANS_NEED_TAIL;
}

static bool
has_tail(enum answer_kind kind)
{
	return kind == ANS_STATE || kind == ANS_NEED_TAIL;
}

/* A promise that came with an accept is proven by it. */
static bool
promise_signed(const struct register_answer *a)
{
	return a->promised.counter > 0 && ballot_compare(&a->promised, &a->accepted) != 0;
}

static void
pack_state(struct packer *p, const struct register_answer *a, struct network_id net)
{
	ballot_pack(p, &a->promised);
	ballot_pack(p, &a->accepted);
	if (promise_signed(a)) {
		pack_raw(p, a->promised_sig.b, sizeof(a->promised_sig.b));
		pack_raw(p, a->promised_next.b, sizeof(a->promised_next.b));
	}
	value_pack(p, &a->value, net);
	if (a->warranted)
		warrant_pack(p, &a->warrant);
	if (a->accepted.counter > 0)
		pack_raw(p, a->accepted_sig.b, sizeof(a->accepted_sig.b));
}

int
register_answer_pack(
    const struct register_answer *a, struct network_id net, uint8_t *out, size_t cap, size_t *len)
{
	struct packer p = packer_on(out, cap);

	pack_domain(&p, answer_domain, &net);
	pack_u8(&p, (uint8_t)a->kind);
	pack_raw(&p, a->bucket.b, sizeof(a->bucket.b));
	pack_u64(&p, a->epoch);
	pack_u32(&p, a->configuration);
	pack_u64(&p, a->nonce);
	ballot_pack(&p, &a->ballot);
	pack_u8(&p, (uint8_t)((a->handed ? PART_HANDOVER : 0) | (a->cosigned ? PART_COSIGNED : 0) |
			      (a->claimed ? PART_CLAIM : 0) | (a->warranted ? PART_WARRANT : 0)));
	if (has_state(a->kind))
		pack_state(&p, a, net);
	if (has_tail(a->kind))
		tail_part_pack(&p, &a->tail);
	if (a->handed)
		handover_pack(&p, &a->handover, net);
	if (a->cosigned) {
		pack_raw(&p, a->cosignature.anchor.b, sizeof(a->cosignature.anchor.b));
		pack_raw(&p, a->cosignature.sig.b, sizeof(a->cosignature.sig.b));
	}
	if (a->claimed) {
		pack_raw(&p, a->promised_next.b, sizeof(a->promised_next.b));
		pack_claim(&p, &a->claim);
	}
	if (!pack_ok(&p))
		return ERR_TOO_BIG;
	*len = p.len;
	return ERR_OK;
}

static int
unpack_accepted(
    struct unpacker *u, struct place *at, struct signatures *known, struct register_answer *a)
{
	struct hash id, next;
	uint8_t text[REGISTER_TEXT_MAX];
	size_t len;
	int err;

	at->ballot = a->accepted;
	if (a->warranted) {
		if (!a->value.stops || a->accepted.counter == 0)
			return ERR_INVALID;
		next = configuration_id(&a->value.stop.next);
		err = warrant_unpack(u, at, &next, &a->warrant);
		if (err != ERR_OK)
			return err;
	}
	if (a->accepted.counter == 0)
		return ERR_OK;
	unpack_raw(u, a->accepted_sig.b, sizeof(a->accepted_sig.b));
	if (u->failed)
		return ERR_INVALID;
	id = value_id(&a->value);
	len = accept_text(at, value_place(&a->value), &id, text);
	return signatures_good(known, &a->accepted_sig, &at->ballot.writer, bytes_of(text, len))
		   ? ERR_OK
		   : ERR_AUTH;
}

static int
unpack_state(
    struct unpacker *u, struct network_id net, struct signatures *known, struct register_answer *a)
{
	struct place at = { net, a->bucket, a->epoch, a->configuration, a->ballot };
	uint8_t text[REGISTER_TEXT_MAX];
	int err = ballot_unpack(u, &a->promised);

	if (err == ERR_OK)
		err = ballot_unpack(u, &a->accepted);
	if (err != ERR_OK || ballot_compare(&a->promised, &a->accepted) < 0)
		return ERR_INVALID;
	if (promise_signed(a)) {
		unpack_raw(u, a->promised_sig.b, sizeof(a->promised_sig.b));
		unpack_raw(u, a->promised_next.b, sizeof(a->promised_next.b));
		at.ballot = a->promised;
		if (u->failed)
			return ERR_INVALID;
		if (!signatures_good(known, &a->promised_sig, &at.ballot.writer,
			bytes_of(text, prepare_text(&at, &a->promised_next, text))))
			return ERR_AUTH;
	}
	err = value_unpack(u, net, known, &a->value);
	return err == ERR_OK ? unpack_accepted(u, &at, known, a) : err;
}

static int
unpack_words(struct unpacker *u, struct network_id net, struct register_answer *a)
{
	struct place at = { net, a->bucket, a->epoch, a->configuration, a->ballot };

	if (a->cosigned) {
		unpack_raw(u, a->cosignature.anchor.b, sizeof(a->cosignature.anchor.b));
		unpack_raw(u, a->cosignature.sig.b, sizeof(a->cosignature.sig.b));
		if (u->failed || !a->value.stops)
			return ERR_INVALID;
		if (!cosignature_good(&a->cosignature, &a->value.stop, &a->accepted, net))
			return ERR_AUTH;
	}
	if (a->claimed) {
		struct hash next = a->promised_next;
		int err;

		unpack_raw(u, a->promised_next.b, sizeof(a->promised_next.b));
		err = unpack_claim(u, &a->claim);
		if (err != ERR_OK || a->kind != ANS_PROMISED ||
		    (promise_signed(a) && !hash_equal(&next, &a->promised_next)))
			return ERR_INVALID;
		if (!claim_good(&at, &a->promised_next, &a->claim))
			return ERR_AUTH;
	}
	return ERR_OK;
}

static int
unpack_answer(
    struct unpacker *u, struct network_id net, struct signatures *known, struct register_answer *a)
{
	int err = unpack_domain(u, answer_domain, &net);
	uint8_t kind, parts;

	if (err != ERR_OK)
		return err;
	kind = unpack_u8(u);
	unpack_raw(u, a->bucket.b, sizeof(a->bucket.b));
	a->epoch = unpack_u64(u);
	a->configuration = unpack_u32(u);
	a->nonce = unpack_u64(u);
	err = ballot_unpack(u, &a->ballot);
	parts = unpack_u8(u);
	if (err != ERR_OK || u->failed || kind < ANS_PROMISED || kind > ANS_NO_MEMBER ||
	    parts > 15 || (!has_state((enum answer_kind)kind) && (parts & ~PART_HANDOVER) != 0))
		return ERR_INVALID;
	a->kind = (enum answer_kind)kind;
	a->handed = (parts & PART_HANDOVER) != 0;
	a->cosigned = (parts & PART_COSIGNED) != 0;
	a->claimed = (parts & PART_CLAIM) != 0;
	a->warranted = (parts & PART_WARRANT) != 0;
	if (has_state(a->kind))
		err = unpack_state(u, net, known, a);
	if (err == ERR_OK && has_tail(a->kind))
		err = tail_part_unpack(u, &a->tail);
	if (err == ERR_OK && a->handed)
		err = handover_unpack(u, net, &a->handover);
	if (err == ERR_OK)
		err = unpack_words(u, net, a);
	if (err != ERR_OK)
		return err;
	return unpack_done(u) ? ERR_OK : ERR_INVALID;
}

int
register_answer_unpack(
    struct bytes in, struct network_id net, struct signatures *known, struct register_answer *out)
{
	struct unpacker u = unpacker_on(in);

	memset(out, 0, sizeof(*out));
	return in.len > REGISTER_BYTES_MAX ? ERR_TOO_BIG : unpack_answer(&u, net, known, out);
}
