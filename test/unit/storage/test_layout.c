/* Row arithmetic against a naive walk, and the texts of codes. */
#include "storage/layout.h"

#include "test/unit/suite.h"

START_TEST(lengths_add_up)
{
	static const uint64_t lengths[] = { 1, 63, 64, 65, 65535, 65536, 65537, 262144, 262145,
		1000000, CHUNK_BYTES_MAX - 1, CHUNK_BYTES_MAX };
	static const uint8_t ks[] = { 1, 2, 3, 4, 10, 20, 255 };

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		for (size_t j = 0; j < ARRAY_LEN(ks); j++) {
			struct layout l;
			uint64_t chunk = 0, shard = 0;

			ck_assert_int_eq(layout_make(ks[j], 255, lengths[i], &l), ERR_OK);
			for (uint32_t row = 0; row < l.rows; row++) {
				uint32_t leaf = layout_leaf_bytes(&l, row);

				ck_assert_uint_le(leaf, LEAF_BYTES);
				ck_assert_uint_eq(leaf % LEAF_ALIGN, 0);
				ck_assert_uint_ge(
				    (uint64_t)leaf * ks[j], layout_row_bytes(&l, row));
				shard += leaf;
				chunk += layout_row_bytes(&l, row);
			}
			ck_assert_uint_eq(chunk, lengths[i]);
			ck_assert_uint_eq(shard, l.shard_bytes);
			ck_assert_uint_le(l.rows, LEAVES_MAX);
		}
	}
}
END_TEST

START_TEST(out_of_range_is_refused)
{
	struct layout l;

	ck_assert_int_eq(layout_make(0, 4, 1, &l), ERR_INVALID);
	ck_assert_int_eq(layout_make(5, 4, 1, &l), ERR_INVALID);
	ck_assert_int_eq(layout_make(4, 4, 0, &l), ERR_INVALID);
	ck_assert_int_eq(layout_make(4, 4, CHUNK_BYTES_MAX + 1, &l), ERR_TOO_BIG);
	ck_assert_int_eq(layout_make(4, 4, UINT64_MAX, &l), ERR_TOO_BIG);
}
END_TEST

START_TEST(rows_of_ranges)
{
	struct layout l;
	uint32_t first, count;

	ck_assert_int_eq(layout_make(4, 8, 5 * 4 * LEAF_BYTES + 7, &l), ERR_OK);
	layout_rows_of(&l, 0, 1, &first, &count);
	ck_assert_uint_eq(first, 0);
	ck_assert_uint_eq(count, 1);
	layout_rows_of(&l, 4 * LEAF_BYTES - 1, 2, &first, &count);
	ck_assert_uint_eq(first, 0);
	ck_assert_uint_eq(count, 2);
	layout_rows_of(&l, 0, l.chunk_bytes, &first, &count);
	ck_assert_uint_eq(count, 6);
	layout_rows_of(&l, l.chunk_bytes - 1, 1, &first, &count);
	ck_assert_uint_eq(first, 5);
	ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(code_texts)
{
	static const char *const bad[] = { "", "4", "4/6", "4/6/8/", "4/6/8 ", " 4/6/8", "0/0/0",
		"4/3/8", "4/9/8", "4/8/8", "a/b/c", "4//8", "4/6/256", "0004/6/8", "-4/6/8" };
	struct code_params c;
	char text[12];

	ck_assert_int_eq(code_parse("4/6/8", &c), ERR_OK);
	ck_assert_uint_eq(c.k, 4);
	ck_assert_uint_eq(c.r, 6);
	ck_assert_uint_eq(c.n, 8);
	ck_assert_uint_eq(code_success(&c), 6);
	ck_assert_str_eq(code_print(&c, text), "4/6/8");
	ck_assert_int_eq(code_parse("1/1/1", &c), ERR_OK);
	ck_assert_int_eq(code_parse("255/255/255", &c), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(code_parse(bad[i], &c) == ERR_INVALID, "%s", bad[i]);
}
END_TEST

START_TEST(default_codes)
{
	char text[12];
	struct code_params c;

	for (uint64_t servers = 0; servers < 5000; servers++) {
		c = code_default(servers, CHUNK_BYTES_MAX);
		ck_assert(code_valid(&c));
		ck_assert_uint_le(c.n, servers == 0 ? 1 : servers);
	}
	c = code_default(8, MIB(64));
	ck_assert_str_eq(code_print(&c, text), "4/7/8");
	c = code_default(5000, MIB(64));
	ck_assert_str_eq(code_print(&c, text), "20/32/50");
	c = code_default(5000, MIB(1));
	ck_assert_str_eq(code_print(&c, text), "4/7/12");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/layout");

	suite_add(s, "layout", 0, lengths_add_up, out_of_range_is_refused, rows_of_ranges, NULL);
	suite_add(s, "code", 0, code_texts, default_codes, NULL);
	return suite_main(s);
}
