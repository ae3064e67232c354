/*
 * Parts one behind the other, each of a length that follows from what it is; a byte says which are
 * there. Reading checks that they belong together, judging what they prove.
 */
#include "storage/evidence.h"

#include <stdlib.h>

#include "overlay/base/pack.h"

static const char evidence_domain[] = "skerry/evidence/1";
static const char word_domain[] = "skerry/audit-word/1";

#define WORD_SIGNED_MAX 128

enum part {
	PART_ANSWER = 1,
	PART_DESCRIPTOR = 2,
	PART_WORD = 4,
	PART_RECEIPT = 8,
	PART_BEFORE = 16,
	PARTS_ALL = 31,
};

/* ---- the auditor's word ---- */

static size_t
word_signed(const struct evidence *e, const struct audit_word *w, uint8_t out[WORD_SIGNED_MAX])
{
	struct packer p = packer_on(out, WORD_SIGNED_MAX);
	struct hash id;

	audit_challenge_id(&e->challenge, e->net, &id);
	pack_domain(&p, word_domain, &e->net);
	pack_raw(&p, id.b, sizeof(id.b));
	pack_u8(&p, (uint8_t)w->kind);
	pack_u8(&p, w->tries);
	pack_u64(&p, w->last);
	pack_u32(&p, w->waited_ms);
	must(pack_ok(&p));
	return p.len;
}

void
evidence_give_word(
    struct evidence *e, const struct audit_word *word, const struct identity *auditor)
{
	uint8_t text[WORD_SIGNED_MAX];

	must(pubkey_equal(&e->challenge.auditor, &auditor->pub));
	e->worded = true;
	e->word = *word;
	crypto_sign_data(&e->word.sig, &auditor->sign, text, word_signed(e, word, text));
}

static int
unpack_word(struct unpacker *u, struct evidence *e)
{
	uint8_t text[WORD_SIGNED_MAX], kind = unpack_u8(u);
	size_t len;

	e->worded = true;
	e->word = (struct audit_word){ .tries = unpack_u8(u) };
	e->word.last = unpack_u64(u);
	e->word.waited_ms = unpack_u32(u);
	unpack_raw(u, e->word.sig.b, sizeof(e->word.sig.b));
	if (u->failed || kind < WORD_SILENT || kind > WORD_REFUSED)
		return ERR_INVALID;
	e->word.kind = (enum audit_word_kind)kind;
	len = word_signed(e, &e->word, text);
	return crypto_verify(&e->word.sig, &e->challenge.auditor, text, len) ? ERR_OK : ERR_AUTH;
}

/* ---- writing ---- */

static void
pack_proofs(struct packer *p, const struct audit_proofs *proofs)
{
	uint8_t path[AUDIT_PATH_BYTES_MAX];

	pack_u8(p, proofs->count);
	for (uint8_t i = 0; i < proofs->count; i++) {
		pack_raw(p, proofs->at[i].leaf.b, sizeof(proofs->at[i].leaf.b));
		pack_raw(p, path, audit_path_pack(&proofs->at[i].path, path));
	}
}

static void
pack_promises(struct packer *p, const struct evidence *e)
{
	uint8_t receipt[RECEIPT_BYTES], challenge[AUDIT_CHALLENGE_BYTES],
	    answer[AUDIT_ANSWER_BYTES];

	if (e->receipted)
		pack_raw(p, receipt, receipt_pack(&e->receipt, e->net, receipt));
	if (!e->answered_before)
		return;
	pack_raw(p, challenge, audit_challenge_pack(&e->challenge_before, e->net, challenge));
	pack_raw(p, answer, audit_answer_pack(&e->answer_before, e->net, answer));
}

static void
pack_parts(struct packer *p, const struct evidence *e)
{
	uint8_t small[MAX(AUDIT_CHALLENGE_BYTES, AUDIT_ANSWER_BYTES)];
	uint8_t descriptor[DESCRIPTOR_BYTES_MAX];

	pack_domain(p, evidence_domain, &e->net);
	pack_u8(
	    p, (uint8_t)((e->answered ? PART_ANSWER : 0) | (e->described ? PART_DESCRIPTOR : 0) |
			 (e->worded ? PART_WORD : 0) | (e->receipted ? PART_RECEIPT : 0) |
			 (e->answered_before ? PART_BEFORE : 0)));
	pack_raw(p, small, audit_challenge_pack(&e->challenge, e->net, small));
	if (e->answered) {
		pack_raw(p, small, audit_answer_pack(&e->answer, e->net, small));
		pack_proofs(p, &e->proofs);
	}
	if (e->described) {
		size_t len = descriptor_pack(&e->descriptor, descriptor);

		pack_u16(p, (uint16_t)len);
		pack_raw(p, descriptor, len);
	}
	if (e->worded) {
		pack_u8(p, (uint8_t)e->word.kind);
		pack_u8(p, e->word.tries);
		pack_u64(p, e->word.last);
		pack_u32(p, e->word.waited_ms);
		pack_raw(p, e->word.sig.b, sizeof(e->word.sig.b));
	}
	pack_promises(p, e);
}

int
evidence_pack(const struct evidence *e, struct buf *out)
{
	uint8_t *text = malloc(EVIDENCE_BYTES_MAX);
	struct packer p = packer_on(text, EVIDENCE_BYTES_MAX);
	int err;

	if (text == NULL)
		return ERR_NOMEM;
	pack_parts(&p, e);
	must(pack_ok(&p));
	err = buf_append(out, text, p.len);
	free(text);
	return err;
}

/* ---- reading ---- */

static int
unpack_proofs(struct unpacker *u, struct audit_proofs *out)
{
	uint8_t count = unpack_u8(u);

	if (count > AUDIT_LEAVES_MAX)
		return ERR_INVALID;
	for (uint8_t i = 0; i < count; i++) {
		struct audit_proof *p = &out->at[i];

		unpack_raw(u, p->leaf.b, sizeof(p->leaf.b));
		p->path.count = unpack_u8(u);
		if (p->path.count > MERKLE_PATH_MAX)
			return ERR_INVALID;
		unpack_raw(u, p->path.path, p->path.count * sizeof(p->path.path[0]));
	}
	out->count = count;
	return u->failed ? ERR_INVALID : ERR_OK;
}

static int
unpack_answer(struct unpacker *u, struct evidence *e)
{
	int err = audit_answer_unpack(unpack_lend(u, AUDIT_ANSWER_BYTES), e->net, &e->answer);

	if (err == ERR_OK)
		err = unpack_proofs(u, &e->proofs);
	if (err != ERR_OK)
		return err;
	e->answered = true;
	return audit_answers(&e->answer, &e->challenge, e->net) ? ERR_OK : ERR_INVALID;
}

static int
unpack_described(struct unpacker *u, struct evidence *e)
{
	struct hash id;
	int err = descriptor_unpack(unpack_lend(u, unpack_u16(u)), &e->descriptor);

	if (err != ERR_OK)
		return err;
	e->described = true;
	descriptor_id(&e->descriptor, &id);
	return hash_equal(&id, &e->challenge.chunk) && e->challenge.index < e->descriptor.n
		   ? ERR_OK
		   : ERR_INVALID;
}

static int
unpack_receipt(struct unpacker *u, struct evidence *e)
{
	int err = receipt_unpack(unpack_lend(u, RECEIPT_BYTES), e->net, &e->receipt);

	if (err != ERR_OK)
		return err;
	e->receipted = true;
	return pubkey_equal(&e->receipt.node, &e->challenge.node) &&
		       hash_equal(&e->receipt.chunk, &e->challenge.chunk) &&
		       e->receipt.index == e->challenge.index
		   ? ERR_OK
		   : ERR_INVALID;
}

static int
unpack_before(struct unpacker *u, struct evidence *e)
{
	const struct audit_challenge *before = &e->challenge_before;
	int err = audit_challenge_unpack(
	    unpack_lend(u, AUDIT_CHALLENGE_BYTES), e->net, &e->challenge_before);

	if (err == ERR_OK)
		err = audit_answer_unpack(
		    unpack_lend(u, AUDIT_ANSWER_BYTES), e->net, &e->answer_before);
	if (err != ERR_OK)
		return err;
	e->answered_before = true;
	return audit_answers(&e->answer_before, before, e->net) &&
		       audit_same_shard(before, &e->challenge) &&
		       e->answer_before.verdict == AUDIT_HELD
		   ? ERR_OK
		   : ERR_INVALID;
}

static int
unpack_parts(struct unpacker *u, struct evidence *e)
{
	uint8_t parts;
	int err = unpack_domain(u, evidence_domain, NULL);

	if (err != ERR_OK)
		return err;
	unpack_raw(u, e->net.b, sizeof(e->net.b));
	parts = unpack_u8(u);
	if (u->failed || (parts & ~PARTS_ALL) != 0)
		return ERR_INVALID;
	err = audit_challenge_unpack(unpack_lend(u, AUDIT_CHALLENGE_BYTES), e->net, &e->challenge);
	if (err == ERR_OK && (parts & PART_ANSWER) != 0)
		err = unpack_answer(u, e);
	if (err == ERR_OK && (parts & PART_DESCRIPTOR) != 0)
		err = unpack_described(u, e);
	if (err == ERR_OK && (parts & PART_WORD) != 0)
		err = unpack_word(u, e);
	if (err == ERR_OK && (parts & PART_RECEIPT) != 0)
		err = unpack_receipt(u, e);
	if (err == ERR_OK && (parts & PART_BEFORE) != 0)
		err = unpack_before(u, e);
	return err == ERR_OK && !unpack_done(u) ? ERR_INVALID : err;
}

int
evidence_unpack(struct bytes in, struct evidence *out)
{
	struct unpacker u = unpacker_on(in);
	struct evidence *e = calloc(1, sizeof(*e));
	int err = e == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK)
		err = unpack_parts(&u, e);
	if (err == ERR_OK)
		*out = *e;
	free(e);
	return err;
}

/* ---- judging ---- */

static int
judge_held(const struct evidence *e, enum evidence_finding *out)
{
	const struct descriptor *d = &e->descriptor;
	struct layout l;
	struct hash sum;
	int err;

	/* Proofs that the node did not sign, or that were left out, say nothing against it. */
	audit_proofs_sum(&e->proofs, &sum);
	if (!e->described || !hash_equal(&sum, &e->answer.proofs))
		return ERR_INVALID;
	err = layout_make(d->k, d->n, d->chunk_bytes, &l);
	if (err != ERR_OK)
		return err;
	err = audit_proofs_check(&e->proofs, &e->challenge, &l, &d->roots[e->challenge.index]);
	*out = err == ERR_OK ? FOUND_HELD : FOUND_FORGED;
	return ERR_OK;
}

/* The latest date until which it had signed to keep the shard, before it said that it has it not.
 */
static uint64_t
promised(const struct evidence *e)
{
	uint64_t until = 0;

	if (e->receipted && e->receipt.issued <= e->answer.issued)
		until = e->receipt.until;
	if (e->answered_before && e->answer_before.issued <= e->answer.issued)
		until = MAX(until, e->answer_before.until);
	return until;
}

int
evidence_judge(const struct evidence *e, enum evidence_finding *out)
{
	if (e->worded) {
		*out = FOUND_WORD;
		return ERR_OK;
	}
	if (!e->answered)
		return ERR_INVALID;
	if (e->answer.verdict == AUDIT_HELD)
		return judge_held(e, out);
	if (promised(e) <= e->answer.issued)
		*out = FOUND_LOST;
	else
		*out = e->answer.until > e->answer.issued ? FOUND_BROKEN : FOUND_DISPUTED;
	return ERR_OK;
}

int
evidence_strength(enum evidence_finding f)
{
	static const int strengths[] = { [FOUND_HELD] = 0,
		[FOUND_WORD] = 1,
		[FOUND_LOST] = 2,
		[FOUND_DISPUTED] = 3,
		[FOUND_BROKEN] = 4,
		[FOUND_FORGED] = 5 };

	return strengths[f];
}

/* -1: it shows nothing. */
static int
strength_of(struct bytes packed)
{
	struct evidence *e = malloc(sizeof(*e));
	enum evidence_finding f;
	int strength = -1;

	if (e != NULL && evidence_unpack(packed, e) == ERR_OK && evidence_judge(e, &f) == ERR_OK)
		strength = evidence_strength(f);
	free(e);
	return strength;
}

bool
evidence_outweighs(struct bytes one, struct bytes other)
{
	return strength_of(one) > strength_of(other);
}

const char *
evidence_finding_text(enum evidence_finding f)
{
	switch (f) {
	case FOUND_HELD:
		return "proved: the node had the shard";
	case FOUND_LOST:
		return "proved: the node says that it has not the shard; no promise is shown";
	case FOUND_FORGED:
		return "proved: the node signed for bytes that are not the shard's";
	case FOUND_BROKEN:
		return "proved: the node signed to keep the shard and has it not";
	case FOUND_DISPUTED:
		return "proved, unless a deletion is shown: the node signed to keep the shard, and "
		       "says that its leases had ended";
	case FOUND_WORD:
		return "the auditor's word, no proof";
	}
	return "unknown";
}

const char *
audit_word_text(enum audit_word_kind k)
{
	switch (k) {
	case WORD_SILENT:
		return "no answer";
	case WORD_LATE:
		return "a late answer";
	case WORD_BYTES:
		return "bytes that are not those signed for";
	case WORD_REFUSED:
		return "would not be audited";
	}
	return "unknown";
}
