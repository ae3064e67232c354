/*
 * Challenges, answers and what can be proven with them: round trips, every flipped bit, every kind
 * of finding, and evidence that an auditor has tampered with.
 */
#include "storage/evidence.h"

#include <stdlib.h>

#include "storage/standing.h"
#include "test/unit/suite.h"

enum { ROWS = 13 };

static const struct network_id net = { { 1, 2, 3, 4 } }, other_net = { { 1, 2, 3, 5 } };

/* A shard of 13 leaves, of which shard 1 of 3 is the audited one. */
struct story {
	struct identity auditor, node;
	struct layout layout;
	struct hash leaves[ROWS];
	struct evidence e;
};

static struct story *
story_new(void)
{
	struct story *s = calloc(1, sizeof(*s));
	struct descriptor *d;

	ck_assert_ptr_nonnull(s);
	d = &s->e.descriptor;
	identity_from_seed(&(struct key){ { 1 } }, &s->auditor);
	identity_from_seed(&(struct key){ { 2 } }, &s->node);
	d->k = 2;
	d->n = 3;
	d->chunk_bytes = (ROWS - 1) * 2 * LEAF_BYTES + 100;
	ck_assert_int_eq(layout_make(d->k, d->n, d->chunk_bytes, &s->layout), ERR_OK);
	ck_assert_uint_eq(s->layout.rows, ROWS);
	for (uint8_t i = 0; i < ROWS; i++)
		merkle_leaf(&s->leaves[i], &i, 1);
	ck_assert_int_eq(merkle_root(&d->roots[1], s->leaves, ROWS, s->layout.shard_bytes), ERR_OK);
	s->e.net = net;
	s->e.described = true;
	s->e.challenge = (struct audit_challenge){
		.node = s->node.pub, .index = 1, .leaves = AUDIT_LEAVES, .issued = 1000
	};
	descriptor_id(d, &s->e.challenge.chunk);
	memset(s->e.challenge.nonce.b, 7, 32);
	audit_challenge_sign(&s->e.challenge, net, &s->auditor);
	return s;
}

static void
sign_answer(struct story *s, enum audit_verdict verdict, uint64_t until)
{
	struct audit_answer *a = &s->e.answer;

	*a = (struct audit_answer){ .verdict = verdict, .until = until, .issued = 1010 };
	audit_challenge_id(&s->e.challenge, net, &a->challenge);
	if (verdict == AUDIT_HELD)
		audit_proofs_sum(&s->e.proofs, &a->proofs);
	audit_answer_sign(a, net, &s->node);
	s->e.answered = true;
}

static void
show_leaves(struct story *s)
{
	const struct audit_challenge *c = &s->e.challenge;

	for (uint8_t i = 0; i < c->leaves; i++) {
		uint32_t row = audit_row(c, i, ROWS);

		s->e.proofs.at[i].leaf = s->leaves[row];
		ck_assert_int_eq(
		    merkle_prove(&s->e.proofs.at[i].path, s->leaves, ROWS, row), ERR_OK);
	}
	s->e.proofs.count = c->leaves;
}

/* What a stranger finds who is given the file; 0: it is refused. */
static int
found(const struct evidence *e)
{
	struct evidence *read = malloc(sizeof(*read));
	enum evidence_finding f;
	struct buf file;
	int err;

	ck_assert_ptr_nonnull(read);
	buf_init(&file, EVIDENCE_BYTES_MAX);
	ck_assert_int_eq(evidence_pack(e, &file), ERR_OK);
	err = evidence_unpack(buf_bytes(&file), read);
	if (err == ERR_OK)
		err = evidence_judge(read, &f);
	buf_fini(&file);
	free(read);
	return err == ERR_OK ? (int)f : 0;
}

START_TEST(rows_follow_from_the_nonce)
{
	struct story *s = story_new();
	uint32_t seen[ROWS] = { 0 };

	for (int n = 0; n < 2000; n++) {
		memcpy(s->e.challenge.nonce.b, &n, sizeof(n));
		for (uint8_t i = 0; i < AUDIT_LEAVES; i++) {
			uint32_t row = audit_row(&s->e.challenge, i, ROWS);

			ck_assert_uint_lt(row, ROWS);
			seen[row]++;
		}
	}
	/* 615 each; six sigma are 143. */
	for (size_t i = 0; i < ROWS; i++)
		ck_assert(seen[i] > 470 && seen[i] < 760);
	free(s);
}
END_TEST

START_TEST(messages_round_trip_and_no_bit_may_change)
{
	struct story *s = story_new();
	uint8_t c[AUDIT_CHALLENGE_BYTES], a[AUDIT_ANSWER_BYTES];
	struct audit_challenge challenge;
	struct audit_answer answer;

	show_leaves(s);
	sign_answer(s, AUDIT_HELD, 5000);
	ck_assert_uint_eq(audit_challenge_pack(&s->e.challenge, net, c), sizeof(c));
	ck_assert_uint_eq(audit_answer_pack(&s->e.answer, net, a), sizeof(a));
	ck_assert_int_eq(audit_challenge_unpack(bytes_of(c, sizeof(c)), net, &challenge), ERR_OK);
	ck_assert_int_eq(audit_answer_unpack(bytes_of(a, sizeof(a)), net, &answer), ERR_OK);
	ck_assert(audit_answers(&answer, &challenge, net));
	ck_assert_int_eq(audit_challenge_unpack(bytes_of(c, sizeof(c)), other_net, &challenge),
	    ERR_WRONG_NETWORK);
	for (size_t i = 0; i < sizeof(c); i++) {
		c[i] ^= 4;
		ck_assert_int_ne(
		    audit_challenge_unpack(bytes_of(c, sizeof(c)), net, &challenge), ERR_OK);
		c[i] ^= 4;
		ck_assert_int_ne(audit_challenge_unpack(bytes_of(c, i), net, &challenge), ERR_OK);
	}
	for (size_t i = 0; i < sizeof(a); i++) {
		a[i] ^= 4;
		ck_assert_int_ne(audit_answer_unpack(bytes_of(a, sizeof(a)), net, &answer), ERR_OK);
		a[i] ^= 4;
		ck_assert_int_ne(audit_answer_unpack(bytes_of(a, i), net, &answer), ERR_OK);
	}
	free(s);
}
END_TEST

START_TEST(what_is_shown_is_proven)
{
	struct story *s = story_new();

	show_leaves(s);
	sign_answer(s, AUDIT_HELD, 5000);
	ck_assert_int_eq(found(&s->e), FOUND_HELD);
	/* Leaves that are not the shard's, and signed for. */
	s->e.proofs.at[2].leaf.b[5] ^= 1;
	ck_assert_int_eq(found(&s->e), 0); /* the auditor changed them */
	sign_answer(s, AUDIT_HELD, 5000);
	ck_assert_int_eq(found(&s->e), FOUND_FORGED);
	/* The right leaf of another row. */
	show_leaves(s);
	s->e.proofs.at[0] = s->e.proofs.at[1];
	if (audit_row(&s->e.challenge, 0, ROWS) != audit_row(&s->e.challenge, 1, ROWS)) {
		sign_answer(s, AUDIT_HELD, 5000);
		ck_assert_int_eq(found(&s->e), FOUND_FORGED);
	}
	free(s);
}
END_TEST

/* An auditor who leaves something out proves nothing against an honest node. */
START_TEST(who_tampers_proves_nothing)
{
	struct story *s = story_new();
	struct identity other;

	show_leaves(s);
	sign_answer(s, AUDIT_HELD, 5000);
	s->e.proofs.count = 0;
	ck_assert_int_eq(found(&s->e), 0);
	show_leaves(s);
	s->e.proofs.count--;
	ck_assert_int_eq(found(&s->e), 0);
	show_leaves(s);
	s->e.described = false;
	ck_assert_int_eq(found(&s->e), 0);
	/* Another chunk's descriptor. */
	s->e.described = true;
	s->e.descriptor.roots[0].b[0] ^= 1;
	ck_assert_int_eq(found(&s->e), 0);
	s->e.descriptor.roots[0].b[0] ^= 1;
	ck_assert_int_eq(found(&s->e), FOUND_HELD);
	/* An answer to another challenge, of another node. */
	s->e.challenge.nonce.b[0] ^= 1;
	audit_challenge_sign(&s->e.challenge, net, &s->auditor);
	ck_assert_int_eq(found(&s->e), 0);
	identity_from_seed(&(struct key){ { 3 } }, &other);
	s->e.challenge.nonce.b[0] ^= 1;
	s->e.challenge.node = other.pub;
	audit_challenge_sign(&s->e.challenge, net, &s->auditor);
	sign_answer(s, AUDIT_HELD, 5000);
	ck_assert_int_eq(found(&s->e), 0);
	free(s);
}
END_TEST

START_TEST(a_broken_promise_is_proven)
{
	struct story *s = story_new();
	struct receipt *r = &s->e.receipt;

	sign_answer(s, AUDIT_LOST, 0);
	ck_assert_int_eq(found(&s->e), FOUND_LOST);
	*r = (struct receipt){
		.chunk = s->e.challenge.chunk, .index = 1, .until = 9000, .issued = 500
	};
	receipt_sign(r, net, &s->node);
	s->e.receipted = true;
	ck_assert_int_eq(found(&s->e), FOUND_DISPUTED);
	sign_answer(s, AUDIT_LOST, 9000);
	ck_assert_int_eq(found(&s->e), FOUND_BROKEN);
	/* It had ended before, or was given later, or is of another shard. */
	r->until = 1000;
	receipt_sign(r, net, &s->node);
	ck_assert_int_eq(found(&s->e), FOUND_LOST);
	r->until = 9000;
	r->issued = 1011;
	receipt_sign(r, net, &s->node);
	ck_assert_int_eq(found(&s->e), FOUND_LOST);
	r->index = 0;
	receipt_sign(r, net, &s->node);
	ck_assert_int_eq(found(&s->e), 0);
	r->index = 1;
	receipt_sign(r, net, &s->auditor);
	ck_assert_int_eq(found(&s->e), 0);
	free(s);
}
END_TEST

START_TEST(an_earlier_answer_is_a_promise)
{
	struct story *s = story_new();

	s->e.challenge.issued = 400;
	audit_challenge_sign(&s->e.challenge, net, &s->auditor);
	show_leaves(s);
	sign_answer(s, AUDIT_HELD, 9000);
	s->e.challenge_before = s->e.challenge;
	s->e.answer_before = s->e.answer;
	s->e.answered_before = true;
	s->e.challenge.nonce.b[0]++;
	audit_challenge_sign(&s->e.challenge, net, &s->auditor);
	s->e.proofs.count = 0;
	sign_answer(s, AUDIT_LOST, 9000);
	ck_assert_int_eq(found(&s->e), FOUND_BROKEN);
	/* A loss is no promise. */
	s->e.challenge_before = s->e.challenge;
	s->e.answer_before = s->e.answer;
	ck_assert_int_eq(found(&s->e), 0);
	free(s);
}
END_TEST

START_TEST(a_word_is_a_word)
{
	struct story *s = story_new();
	struct audit_word w = { .kind = WORD_SILENT, .tries = 3, .last = 1300 };

	s->e.described = false;
	ck_assert_int_eq(found(&s->e), 0); /* a challenge alone */
	evidence_give_word(&s->e, &w, &s->auditor);
	ck_assert_int_eq(found(&s->e), FOUND_WORD);
	s->e.word.tries = 9;
	ck_assert_int_eq(found(&s->e), 0);
	free(s);
}
END_TEST

/* Of what is kept against a node a later and weaker one takes nothing away. */
START_TEST(the_stronger_evidence_outweighs)
{
	struct audit_word w = { .kind = WORD_SILENT, .tries = 3, .last = 1300 };
	struct story *s = story_new();
	struct receipt *r = &s->e.receipt;
	struct buf kept[5];

	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		buf_init(&kept[i], EVIDENCE_BYTES_MAX);
	/* The first stays empty: nothing. */
	sign_answer(s, AUDIT_LOST, 0);
	ck_assert_int_eq(evidence_pack(&s->e, &kept[2]), ERR_OK);
	*r = (struct receipt){
		.chunk = s->e.challenge.chunk, .index = 1, .until = 9000, .issued = 500
	};
	receipt_sign(r, net, &s->node);
	s->e.receipted = true;
	ck_assert_int_eq(evidence_pack(&s->e, &kept[3]), ERR_OK);
	sign_answer(s, AUDIT_LOST, 9000);
	ck_assert_int_eq(evidence_pack(&s->e, &kept[4]), ERR_OK);
	s->e.receipted = s->e.answered = s->e.described = false;
	evidence_give_word(&s->e, &w, &s->auditor);
	ck_assert_int_eq(evidence_pack(&s->e, &kept[1]), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(kept); i++) {
		for (size_t j = 0; j < ARRAY_LEN(kept); j++)
			ck_assert_int_eq(
			    evidence_outweighs(buf_bytes(&kept[i]), buf_bytes(&kept[j])), i > j);
	}
	for (size_t i = 0; i < ARRAY_LEN(kept); i++)
		buf_fini(&kept[i]);
	free(s);
}
END_TEST

START_TEST(no_bit_of_evidence_may_change)
{
	struct story *s = story_new();
	struct evidence *read = malloc(sizeof(*read));
	enum evidence_finding f;
	struct buf file;

	ck_assert_ptr_nonnull(read);
	show_leaves(s);
	sign_answer(s, AUDIT_HELD, 5000);
	buf_init(&file, EVIDENCE_BYTES_MAX);
	ck_assert_int_eq(evidence_pack(&s->e, &file), ERR_OK);
	for (size_t i = 0; i < file.len; i++) {
		file.data[i] ^= 1;
		ck_assert_msg(evidence_unpack(buf_bytes(&file), read) != ERR_OK ||
				  evidence_judge(read, &f) != ERR_OK || f == FOUND_HELD,
		    "byte %zu", i);
		file.data[i] ^= 1;
		ck_assert_int_ne(evidence_unpack(bytes_of(file.data, i), read), ERR_OK);
	}
	buf_fini(&file);
	free(read);
	free(s);
}
END_TEST

/* ---- standings ---- */

START_TEST(standings_against_a_model)
{
	struct standings *s = standings_new();
	uint32_t goods[50] = { 0 };
	struct pubkey node = { { 0 } };

	for (int i = 0; i < 2000; i++) {
		uint8_t who = (uint8_t)(i * 37 % 50);
		struct standing *one;

		node.b[0] = (uint8_t)(who * 5);
		one = standings_get(s, &node);
		ck_assert_ptr_nonnull(one);
		standing_note(one, STANDING_INTEGRITY, true);
		goods[who]++;
	}
	ck_assert_uint_eq(standings_count(s), 50);
	for (uint8_t who = 0; who < 50; who++) {
		node.b[0] = (uint8_t)(who * 5);
		/* Forgetting takes less than a twentieth of forty. */
		ck_assert_uint_gt(standings_find(s, &node)->of[STANDING_INTEGRITY].good,
		    goods[who] * STANDING_UNIT * 19 / 20);
	}
	for (size_t i = 1; i < 50; i++)
		ck_assert_int_lt(
		    memcmp(&standings_at(s, i - 1)->node, &standings_at(s, i)->node, sizeof(node)),
		    0);
	ck_assert_ptr_null(standings_at(s, 50));
	standings_free(s);
}
END_TEST

START_TEST(who_is_out)
{
	struct standing one = { .busy = 0 };

	ck_assert(!standing_out(&one) && !standing_doubted(&one));
	standing_note(&one, STANDING_INTEGRITY, false);
	ck_assert(!standing_out(&one) && standing_doubted(&one)); /* one bad sector */
	standing_note(&one, STANDING_INTEGRITY, false);
	ck_assert(standing_out(&one));
	for (int i = 0; i < 45; i++)
		standing_note(&one, STANDING_INTEGRITY, true);
	ck_assert(!standing_out(&one));

	one = (struct standing){ .busy = 0 };
	for (int i = 0; i < 20; i++)
		standing_note(&one, STANDING_AVAILABILITY, i % 3 != 0);
	ck_assert(!standing_out(&one)); /* a third of failures is no reason */
	for (int i = 0; i < 12; i++)
		standing_note(&one, STANDING_LATENCY, i % 4 == 0);
	ck_assert(standing_out(&one));
}
END_TEST

START_TEST(standing_is_bounded_and_kept)
{
	struct standing one = { .busy = 0 }, back = { .busy = 3 };
	uint8_t packed[STANDING_BYTES];

	for (int i = 0; i < 100000; i++)
		standing_note(&one, STANDING_INTEGRITY, true);
	ck_assert_uint_le(one.of[STANDING_INTEGRITY].good, STANDING_FORGET * STANDING_UNIT * 2);
	standing_note(&one, STANDING_LATENCY, false);
	standing_pack(&one, packed);
	ck_assert_int_eq(standing_unpack(bytes_of(packed, sizeof(packed)), &back), ERR_OK);
	ck_assert_mem_eq(one.of, back.of, sizeof(one.of));
	ck_assert_uint_eq(back.busy, 3);
	ck_assert_int_eq(standing_unpack(bytes_of(packed, sizeof(packed) - 1), &back), ERR_INVALID);
	memset(packed, 0xff, sizeof(packed));
	ck_assert_int_eq(standing_unpack(bytes_of(packed, sizeof(packed)), &back), ERR_INVALID);
}
END_TEST

/* The least known makes room, never one that is in doubt. */
START_TEST(too_many_nodes_push_out_the_least_known)
{
	struct standings *s = standings_new();
	struct pubkey node = { { 0 } }, bad = { { 0xff } };

	standing_note(standings_get(s, &bad), STANDING_AVAILABILITY, false);
	for (uint32_t i = 0; i < STANDINGS_MAX + 100; i++) {
		memcpy(node.b, &i, sizeof(i));
		standing_note(standings_get(s, &node), STANDING_INTEGRITY, true);
	}
	ck_assert_uint_eq(standings_count(s), STANDINGS_MAX);
	ck_assert_ptr_nonnull(standings_find(s, &bad));
	ck_assert_ptr_nonnull(standings_find(s, &node));
	standings_free(s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/audit");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "audit", 30, rows_follow_from_the_nonce,
	    messages_round_trip_and_no_bit_may_change, what_is_shown_is_proven,
	    who_tampers_proves_nothing, a_broken_promise_is_proven, an_earlier_answer_is_a_promise,
	    a_word_is_a_word, the_stronger_evidence_outweighs, no_bit_of_evidence_may_change, NULL);
	suite_add(s, "standing", 10, standings_against_a_model, who_is_out,
	    standing_is_bounded_and_kept, too_many_nodes_push_out_the_least_known, NULL);
	return suite_main(s);
}
