/* Buffers: growth up to the limit, text, dropping the front, secrets. */
#include "test/unit/suite.h"

#include "overlay/base/buf.h"
#include "overlay/base/err.h"

START_TEST(grows_to_the_limit_and_not_beyond)
{
	struct buf b;

	buf_init(&b, 1000);
	for (int i = 0; i < 1000; i++) {
		uint8_t byte = (uint8_t)i;

		ck_assert_int_eq(buf_append(&b, &byte, 1), ERR_OK);
	}
	ck_assert_int_eq(buf_append(&b, "x", 1), ERR_TOO_BIG);
	ck_assert_int_eq(buf_reserve(&b, SIZE_MAX), ERR_TOO_BIG);
	ck_assert_uint_eq(b.len, 1000);
	ck_assert_uint_le(b.cap, 1000);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(b.data[i], (uint8_t)i);
	ck_assert_uint_eq(strlen(buf_str(&b)), 0); /* the first byte is zero */
	buf_fini(&b);
	ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(text_is_terminated_even_when_full)
{
	struct buf b;

	buf_init(&b, 8);
	ck_assert_str_eq(buf_str(&b), "");
	ck_assert_int_eq(buf_appendf(&b, "%s-%d", "abc", 1234), ERR_OK);
	ck_assert_uint_eq(b.len, 8);
	ck_assert_str_eq(buf_str(&b), "abc-1234");
	ck_assert_int_eq(buf_appendf(&b, "%d", 5), ERR_TOO_BIG);
	ck_assert_int_eq(buf_appendf(&b, "%s", ""), ERR_OK);
	ck_assert_str_eq(buf_str(&b), "abc-1234");
	buf_drop_front(&b, 4);
	ck_assert_str_eq(buf_str(&b), "1234");
	buf_drop_front(&b, 4);
	ck_assert_uint_eq(buf_bytes(&b).len, 0);
	buf_reset(&b);
	ck_assert_int_eq(buf_append(&b, NULL, 0), ERR_OK);
	buf_fini(&b);
}
END_TEST

START_TEST(secrets_grow_and_go)
{
	struct buf b;

	buf_init_secret(&b, 4096);
	for (int i = 0; i < 64; i++)
		ck_assert_int_eq(buf_append(&b, "0123456789abcdef", 16), ERR_OK);
	ck_assert_mem_eq(b.data + 1008, "0123456789abcdef", 16);
	buf_reset(&b);
	ck_assert_uint_eq(b.data[0], 0);
	buf_wipe(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_int_eq(buf_append(&b, "again", 5), ERR_OK);
	buf_fini(&b);
}
END_TEST

START_TEST(a_limit_of_zero_takes_nothing)
{
	struct buf b;

	buf_init(&b, 0);
	ck_assert_int_eq(buf_reserve(&b, 0), ERR_OK);
	ck_assert_str_eq(buf_str(&b), "");
	ck_assert_int_eq(buf_appendf(&b, "%s", ""), ERR_OK);
	ck_assert_int_eq(buf_append(&b, "x", 1), ERR_TOO_BIG);
	buf_fini(&b);
}
END_TEST

START_TEST(lent_memory_is_filled_and_left)
{
	uint8_t memory[9];
	struct buf b;

	buf_init_on(&b, memory, sizeof(memory));
	ck_assert_int_eq(buf_append(&b, "12345", 5), ERR_OK);
	ck_assert_int_eq(buf_append(&b, "6789", 4), ERR_TOO_BIG);
	ck_assert_int_eq(buf_append(&b, "678", 3), ERR_OK);
	ck_assert_str_eq(buf_str(&b), "12345678");
	ck_assert_ptr_eq(b.data, memory);
	buf_wipe(&b);
	for (size_t i = 0; i < sizeof(memory); i++)
		ck_assert_uint_eq(memory[i], 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/buf");

	suite_add(s, "buf", 0, grows_to_the_limit_and_not_beyond, text_is_terminated_even_when_full,
	    secrets_grow_and_go, a_limit_of_zero_takes_nothing, lent_memory_is_filled_and_left,
	    NULL);
	return suite_main(s);
}
