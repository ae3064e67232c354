/* Blocks: sizes around their border, and everything that can be done to a sealed segment. */
#include "object/block.h"

#include <stdlib.h>

#include "overlay/base/err.h"
#include "test/unit/suite.h"

static const struct key key = { { 42 } }, other_key = { { 43 } };
static const uint64_t sizes[] = { 1, 15, BLOCK_PLAIN - 1, BLOCK_PLAIN, BLOCK_PLAIN + 1,
	2 * BLOCK_PLAIN - 1, 2 * BLOCK_PLAIN, 2 * BLOCK_PLAIN + 1, 5 * BLOCK_PLAIN + 4321 };

/* A sealed segment, its plaintext, and room to open it into. */
struct segment {
	struct aead *aead;
	uint64_t plain, sealed, blocks;
	uint8_t *text, *box, *back;
};

static void
segment_make(struct segment *s, uint64_t plain)
{
	s->aead = aead_new();
	s->plain = plain;
	s->sealed = block_sealed_bytes(plain);
	s->blocks = block_count(plain);
	s->text = malloc(plain);
	s->box = malloc(s->sealed);
	s->back = malloc(s->sealed);
	ck_assert(s->aead != NULL && s->text != NULL && s->box != NULL && s->back != NULL);
	for (uint64_t i = 0; i < plain; i++)
		s->text[i] = (uint8_t)(i * 7 + i / 251);
	ck_assert_int_eq(block_seal(s->aead, &key, plain, 0, s->blocks, s->text, s->box), ERR_OK);
}

static void
segment_drop(struct segment *s)
{
	aead_free(s->aead);
	free(s->text);
	free(s->box);
	free(s->back);
}

/* Opens one block of a segment said to be plain bytes long. */
static int
open_one(struct segment *s, uint64_t plain, uint64_t block, const uint8_t *box)
{
	return block_open(s->aead, &key, plain, block, 1, box, s->back);
}

START_TEST(lengths)
{
	ck_assert_uint_eq(block_count(0), 0);
	ck_assert_uint_eq(block_sealed_bytes(0), 0);
	ck_assert_uint_eq(block_count(1), 1);
	ck_assert_uint_eq(block_sealed_bytes(1), 17);
	ck_assert_uint_eq(block_sealed_bytes(BLOCK_PLAIN), BLOCK_SEALED);
	ck_assert_uint_eq(block_sealed_bytes(BLOCK_PLAIN + 1), BLOCK_SEALED + 17);
	ck_assert_uint_eq(block_count(1000 * BLOCK_PLAIN), 1000);
	ck_assert_uint_eq(block_sealed_bytes(1000 * BLOCK_PLAIN), 1000 * BLOCK_SEALED);
	/* The largest a manifest may claim. */
	ck_assert_uint_gt(block_sealed_bytes(UINT64_MAX / 2), UINT64_MAX / 2);
}
END_TEST

START_TEST(round_trip)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct segment s;

		segment_make(&s, sizes[i]);
		ck_assert_int_eq(
		    block_open(s.aead, &key, s.plain, 0, s.blocks, s.box, s.back), ERR_OK);
		ck_assert_mem_eq(s.back, s.text, s.plain);
		/* One by one, and the tail alone. */
		for (uint64_t b = 0; b < s.blocks; b++) {
			uint64_t at = b * BLOCK_PLAIN, len = MIN(s.plain - at, BLOCK_PLAIN);

			memset(s.back, 0, s.sealed);
			ck_assert_int_eq(
			    open_one(&s, s.plain, b, s.box + b * BLOCK_SEALED), ERR_OK);
			ck_assert_mem_eq(s.back, s.text + at, len);
		}
		ck_assert_int_eq(
		    block_open(s.aead, &other_key, s.plain, 0, 1, s.box, s.back), ERR_AUTH);
		segment_drop(&s);
	}
}
END_TEST

START_TEST(in_place_gives_the_same)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct segment s;

		segment_make(&s, sizes[i]);
		/* Each block where it belongs in the sealed form, as the readers of files do it. */
		for (uint64_t b = 0; b < s.blocks; b++) {
			uint8_t *at = s.back + b * BLOCK_SEALED;

			memcpy(at, s.text + b * BLOCK_PLAIN,
			    MIN(s.plain - b * BLOCK_PLAIN, BLOCK_PLAIN));
			ck_assert_int_eq(block_seal(s.aead, &key, s.plain, b, 1, at, at), ERR_OK);
		}
		ck_assert_mem_eq(s.back, s.box, s.sealed);
		/* And all of them opened in place, one after the other. */
		ck_assert_int_eq(
		    block_open(s.aead, &key, s.plain, 0, s.blocks, s.back, s.back), ERR_OK);
		ck_assert_mem_eq(s.back, s.text, s.plain);
		segment_drop(&s);
	}
}
END_TEST

START_TEST(altered_bytes_are_refused)
{
	struct segment s;

	segment_make(&s, 300);
	for (size_t bit = 0; bit < s.sealed * 8; bit++) {
		s.box[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(open_one(&s, s.plain, 0, s.box), ERR_AUTH);
		s.box[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	segment_drop(&s);
	segment_make(&s, 3 * BLOCK_PLAIN);
	for (size_t at = 0; at < s.sealed; at += 4099) {
		s.box[at] ^= 0x10;
		ck_assert_int_eq(block_open(s.aead, &key, s.plain, 0, 3, s.box, s.back), ERR_AUTH);
		s.box[at] ^= 0x10;
	}
	segment_drop(&s);
}
END_TEST

START_TEST(moved_blocks_are_refused)
{
	struct segment s;

	segment_make(&s, 4 * BLOCK_PLAIN);
	for (uint64_t at = 0; at < 4; at++) {
		for (uint64_t from = 0; from < 4; from++)
			ck_assert_int_eq(open_one(&s, s.plain, at, s.box + from * BLOCK_SEALED),
			    at == from ? ERR_OK : ERR_AUTH);
	}
	segment_drop(&s);
}
END_TEST

/* Who cuts or lengthens a segment must say another length, and then the last block is wrong. */
START_TEST(cut_and_appended_blocks_are_refused)
{
	struct segment s, longer;

	segment_make(&s, 3 * BLOCK_PLAIN);
	/* Cut: block 1 as the last one. */
	ck_assert_int_eq(open_one(&s, 2 * BLOCK_PLAIN, 1, s.box + BLOCK_SEALED), ERR_AUTH);
	ck_assert_int_eq(open_one(&s, 2 * BLOCK_PLAIN, 0, s.box), ERR_OK);
	/* Appended: block 2 is not the last one any more. */
	ck_assert_int_eq(open_one(&s, 3 * BLOCK_PLAIN + 1, 2, s.box + 2 * BLOCK_SEALED), ERR_AUTH);
	/* Cut inside the last block. */
	for (uint64_t less = 1; less < 40; less++)
		ck_assert_int_eq(
		    open_one(&s, s.plain - less, 2, s.box + 2 * BLOCK_SEALED), ERR_AUTH);
	/* The blocks of a longer segment under the same key, beginning with the same bytes. */
	segment_make(&longer, 3 * BLOCK_PLAIN + 10);
	ck_assert_mem_eq(longer.box, s.box, 2 * BLOCK_SEALED);
	ck_assert_mem_ne(longer.box + 2 * BLOCK_SEALED, s.box + 2 * BLOCK_SEALED, BLOCK_SEALED);
	ck_assert_int_eq(open_one(&s, s.plain, 2, longer.box + 2 * BLOCK_SEALED), ERR_AUTH);
	segment_drop(&longer);
	segment_drop(&s);
}
END_TEST

/* A file that changes while it is put: the second reading of a block does not get out. */
START_TEST(a_block_is_sealed_to_one_text_only)
{
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct block_seen seen = { 0 };
		struct segment s;
		size_t len;

		segment_make(&s, sizes[i]);
		len = (size_t)MIN(s.sealed, BLOCK_SEALED);
		ck_assert_int_eq(block_same(&seen, s.box, len), ERR_OK);
		memcpy(s.back, s.box, len);
		ck_assert_int_eq(block_same(&seen, s.box, len), ERR_OK);
		ck_assert_mem_eq(s.back, s.box, len);
		s.text[0] ^= 1;
		ck_assert_int_eq(block_seal(s.aead, &key, s.plain, 0, 1, s.text, s.box), ERR_OK);
		ck_assert_int_eq(block_same(&seen, s.box, len), ERR_INVALID);
		for (size_t at = 0; at < len; at++)
			ck_assert_uint_eq(s.box[at], 0);
		/* The text of before is still fine. */
		ck_assert_int_eq(block_same(&seen, s.back, len), ERR_OK);
		segment_drop(&s);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/block");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "sizes", 30, lengths, round_trip, in_place_gives_the_same, NULL);
	suite_add(s, "wrong", 30, altered_bytes_are_refused, moved_blocks_are_refused,
	    cut_and_appended_blocks_are_refused, a_block_is_sealed_to_one_text_only, NULL);
	return suite_main(s);
}
