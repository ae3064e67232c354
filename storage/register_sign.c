/* What is signed in the register's messages, by whom, and what a quorum of claims proves. */
#include "storage/register_private.h"

static const char prepare_domain[] = "skerry/prepare/1";
static const char accept_domain[] = "skerry/accept/1";
static const char claim_domain[] = "skerry/claim/1";
static const char configuration_domain[] = "skerry/configuration/1";

struct hash
configuration_id(const struct configuration *c)
{
	uint8_t text[sizeof(configuration_domain) + CONFIGURATION_BYTES_MAX];
	struct packer p = packer_on(text, sizeof(text));
	struct hash id;

	pack_domain(&p, configuration_domain, NULL);
	configuration_pack(&p, c);
	must(pack_ok(&p));
	crypto_sha256(&id, text, p.len);
	return id;
}

static void
pack_place(struct packer *p, const char *domain, const struct place *at)
{
	pack_domain(p, domain, &at->net);
	pack_raw(p, at->bucket.b, sizeof(at->bucket.b));
	pack_u64(p, at->epoch);
	pack_u32(p, at->configuration);
	ballot_pack(p, &at->ballot);
}

size_t
prepare_text(const struct place *at, const struct hash *next, uint8_t out[REGISTER_TEXT_MAX])
{
	struct packer p = packer_on(out, REGISTER_TEXT_MAX);

	pack_place(&p, prepare_domain, at);
	pack_raw(&p, next->b, sizeof(next->b));
	must(pack_ok(&p));
	return p.len;
}

size_t
accept_text(
    const struct place *at, uint64_t place, const struct hash *id, uint8_t out[REGISTER_TEXT_MAX])
{
	struct packer p = packer_on(out, REGISTER_TEXT_MAX);

	pack_place(&p, accept_domain, at);
	pack_u64(&p, place);
	pack_raw(&p, id->b, sizeof(id->b));
	must(pack_ok(&p));
	return p.len;
}

static size_t
claim_text(const struct place *at, const struct hash *next, const struct claim *c,
    uint8_t out[REGISTER_TEXT_MAX])
{
	struct packer p = packer_on(out, REGISTER_TEXT_MAX);

	pack_place(&p, claim_domain, at);
	pack_raw(&p, next->b, sizeof(next->b));
	ballot_pack(&p, &c->accepted);
	pack_u64(&p, c->place);
	pack_raw(&p, c->id.b, sizeof(c->id.b));
	must(pack_ok(&p));
	return p.len;
}

bool
claim_good(const struct place *at, const struct hash *next, const struct claim *c)
{
	uint8_t text[REGISTER_TEXT_MAX];
	size_t len = claim_text(at, next, c, text);

	return crypto_verify(&c->sig, &c->anchor, text, len);
}

/* Of the highest place; NULL: none. */
static const struct claim *
warrant_highest(const struct warrant *w)
{
	const struct claim *top = NULL;

	for (uint8_t i = 0; i < w->count; i++) {
		const struct claim *c = &w->by[i];
		int order = top == NULL ? 1 : ballot_compare(&c->accepted, &top->accepted);

		if (order > 0 || (order == 0 && c->place > top->place))
			top = c;
	}
	return top;
}

bool
warrant_good(const struct place *at, const struct hash *next, const struct warrant *w)
{
	const struct claim *top = warrant_highest(w);
	uint8_t text[REGISTER_TEXT_MAX];
	struct place then = *at;
	size_t len;

	for (uint8_t i = 0; i < w->count; i++)
		if (!claim_good(at, next, &w->by[i]))
			return false;
	if (top == NULL || top->accepted.counter == 0)
		return top != NULL;
	then.ballot = top->accepted;
	len = accept_text(&then, top->place, &top->id, text);
	return crypto_verify(&w->accept_sig, &then.ballot.writer, text, len);
}

bool
warrant_covers(const struct warrant *w, const struct value *v, const struct configuration *c,
    const struct hash *initial)
{
	const struct claim *top = warrant_highest(w);
	uint8_t signers = 0; /* a mask */

	if (top == NULL || !v->stops || !configuration_replaces_one(c, &v->stop.next))
		return false;
	for (uint8_t i = 0; i < w->count; i++) {
		/*
		 * Where anchors may lie, the one that runs this may: with two warrants for one
		 * ballot it could propose two stops. Claims of a quorum that agree name one head.
		 */
		if (liars_of(c->anchors_count) > 0 &&
		    (ballot_compare(&w->by[i].accepted, &top->accepted) != 0 ||
			!hash_equal(&w->by[i].id, &top->id)))
			continue;
		signers |= configuration_bit(c, &w->by[i].anchor);
	}
	if (mask_count(signers) < c->quorum)
		return false;
	if (top->accepted.counter == 0)
		return hash_equal(&v->stop.head, initial) && hash_equal(&top->id, initial);
	return configuration_writer(c, &top->accepted.writer) &&
	       (hash_equal(&v->stop.head, &top->id) || hash_equal(&v->stop.id, &top->id));
}

void
register_message_sign(struct register_message *m, struct network_id net, const struct identity *who)
{
	struct place at = message_place(m, net);
	struct hash next = next_id(m), id = value_id(&m->value);
	uint8_t text[REGISTER_TEXT_MAX];
	size_t len;

	must(m->kind == REG_PREPARE || m->kind == REG_ACCEPT);
	must(pubkey_equal(&m->ballot.writer, &who->pub));
	if (m->kind == REG_PREPARE)
		len = prepare_text(&at, &next, text);
	else
		len = accept_text(&at, value_place(&m->value), &id, text);
	crypto_sign_data(&m->sig, &who->sign, text, len);
}

void
register_answer_sign(struct register_answer *a, const struct register_message *m,
    struct network_id net, const struct identity *anchor)
{
	if (a->cosigned)
		cosign_stop(&a->cosignature, &a->value.stop, &a->accepted, net, anchor);
	if (a->claimed) {
		struct place at = message_place(m, net);
		struct hash next = next_id(m);
		uint8_t text[REGISTER_TEXT_MAX];

		a->claim.anchor = anchor->pub;
		crypto_sign_data(
		    &a->claim.sig, &anchor->sign, text, claim_text(&at, &next, &a->claim, text));
	}
}
