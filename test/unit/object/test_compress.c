/* The adapter of zstd: round trips, and frames that lie. */
#include "object/compress.h"

#include <stdlib.h>

#include "overlay/base/err.h"
#include "test/unit/suite.h"

static void
fill(uint8_t *to, size_t len, unsigned kind)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		to[i] = kind == 0 ? 0 : kind == 1 ? (uint8_t)(i % 61) : (uint8_t)(x >> 24);
	}
}

START_TEST(round_trip)
{
	static const size_t sizes[] = { 0, 1, 100, 4096, 65537, 1 << 20 };

	for (size_t i = 0; i < ARRAY_LEN(sizes) * 3; i++) {
		size_t len = sizes[i / 3];
		uint8_t *plain = malloc(len + 1);
		struct buf box, back;

		fill(plain, len, i % 3);
		buf_init(&box, 2 << 20);
		buf_init(&back, len + 3);
		ck_assert_int_eq(buf_append(&box, "ab", 2), ERR_OK);
		ck_assert_int_eq(buf_append(&back, "xyz", 3), ERR_OK);
		ck_assert_int_eq(compress_pack(bytes_of(plain, len), &box), ERR_OK);
		ck_assert_int_eq(
		    compress_unpack(bytes_of(box.data + 2, box.len - 2), &back), ERR_OK);
		ck_assert_uint_eq(back.len, len + 3);
		ck_assert_mem_eq(box.data, "ab", 2);
		ck_assert_mem_eq(back.data, "xyz", 3);
		if (len > 0)
			ck_assert_mem_eq(back.data + 3, plain, len);
		buf_fini(&box);
		buf_fini(&back);
		free(plain);
	}
}
END_TEST

START_TEST(a_bomb_is_refused_before_memory_is_taken)
{
	size_t len = 32 << 20;
	uint8_t *zeros = calloc(1, len);
	struct buf box, back;

	buf_init(&box, 2 << 20);
	ck_assert_ptr_nonnull(zeros);
	buf_init(&back, len);
	ck_assert_int_eq(compress_pack(bytes_of(zeros, len), &back), ERR_TOO_BIG);
	ck_assert_uint_eq(back.len, 0);
	buf_fini(&back);
	buf_init(&box, len + (1 << 20));
	ck_assert_int_eq(compress_pack(bytes_of(zeros, len), &box), ERR_OK);
	ck_assert_uint_lt(box.len, len / 5000);
	buf_init(&back, len - 1);
	ck_assert_int_eq(compress_unpack(buf_bytes(&box), &back), ERR_TOO_BIG);
	ck_assert_ptr_null(back.data);
	buf_fini(&back);
	/* What is in the buffer already counts. */
	buf_init(&back, len);
	ck_assert_int_eq(buf_append(&back, "x", 1), ERR_OK);
	ck_assert_int_eq(compress_unpack(buf_bytes(&box), &back), ERR_TOO_BIG);
	buf_fini(&back);
	buf_fini(&box);
	free(zeros);
}
END_TEST

/* A frame whose header says another length than its blocks hold. */
START_TEST(lengths_that_lie_are_refused)
{
	uint8_t plain[200];
	struct buf box, back;

	fill(plain, sizeof(plain), 2);
	buf_init(&box, 1024);
	ck_assert_int_eq(compress_pack(bytes_of(plain, sizeof(plain)), &box), ERR_OK);
	/* Single segment, one byte of content size (RFC 8878 §3.1.1.1). */
	ck_assert_uint_eq(box.data[4], 0x20);
	ck_assert_uint_eq(box.data[5], 200);
	for (unsigned says = 0; says < 256; says++) {
		if (says == 200)
			continue;
		box.data[5] = (uint8_t)says;
		buf_init(&back, 4096);
		ck_assert_int_eq(compress_unpack(buf_bytes(&box), &back), ERR_CORRUPT);
		ck_assert_uint_eq(back.len, 0);
		buf_fini(&back);
	}
	buf_fini(&box);
}
END_TEST

START_TEST(wrong_frames_are_refused)
{
	uint8_t plain[3000];
	struct buf box, back;
	size_t len;

	fill(plain, sizeof(plain), 1);
	buf_init(&box, 8192);
	buf_init(&back, 65536);
	ck_assert_int_eq(compress_pack(bytes_of(plain, sizeof(plain)), &box), ERR_OK);
	len = box.len;
	ck_assert_int_eq(compress_unpack(bytes_of(NULL, 0), &back), ERR_CORRUPT);
	for (size_t cut = 0; cut < len; cut++)
		ck_assert_int_ne(compress_unpack(bytes_of(box.data, cut), &back), ERR_OK);
	ck_assert_int_eq(buf_append(&box, "", 1), ERR_OK);
	ck_assert_int_eq(compress_unpack(buf_bytes(&box), &back), ERR_CORRUPT);
	/* A second frame behind the first, and an empty (skippable) one. */
	box.len = len;
	ck_assert_int_eq(compress_pack(bytes_of(plain, sizeof(plain)), &box), ERR_OK);
	ck_assert_int_eq(compress_unpack(buf_bytes(&box), &back), ERR_CORRUPT);
	box.len = len;
	ck_assert_int_eq(buf_append(&box, "\x50\x2a\x4d\x18\0\0\0\0", 8), ERR_OK);
	ck_assert_int_eq(compress_unpack(buf_bytes(&box), &back), ERR_CORRUPT);
	ck_assert_uint_eq(back.len, 0);
	buf_fini(&box);
	buf_fini(&back);
}
END_TEST

START_TEST(the_library_has_a_version)
{
	ck_assert_uint_gt(strlen(compress_version()), 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/compress");

	suite_add(s, "compress", 30, round_trip, a_bomb_is_refused_before_memory_is_taken,
	    lengths_that_lie_are_refused, wrong_frames_are_refused, the_library_has_a_version,
	    NULL);
	return suite_main(s);
}
