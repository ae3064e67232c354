/* Messages: what writers put readers get; what no writer puts is refused. */
#include "test/unit/suite.h"

#include "overlay/base/err.h"
#include "overlay/base/msg.h"

static int
parse(const void *data, size_t len)
{
	struct msg *m = NULL;
	uint8_t *copy = malloc(len > 0 ? len : 1); /* exact, for the sanitizers */

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, data, len);

	int err = msg_parse(bytes_of(copy, len), &m);

	ck_assert((err == ERR_OK) == (m != NULL));
	msg_free(m);
	free(copy);
	return err;
}

#define PARSE(literal) parse(literal, sizeof(literal) - 1)

START_TEST(round_trip)
{
	static const uint64_t numbers[] = { 0, 127, 128, 255, 256, 65535, 65536, UINT32_MAX,
		1ull << 32, INT64_MAX, UINT64_MAX };
	static const int64_t signs[] = { 0, -1, -32, -33, -128, -129, INT32_MIN, INT64_MIN, 77 };
	struct buf b;
	struct msg *m;
	const struct msg_node *a, *root;
	size_t count;
	uint64_t u;
	int64_t i;
	bool flag;
	struct bytes bin;
	uint8_t fixed[3];
	char text[8];

	buf_init(&b, 4096);

	struct msg_writer w = msg_writer_on(&b);

	msg_put_map(&w, 8);
	msg_key(&w, 1);
	msg_put_array(&w, ARRAY_LEN(numbers));
	for (size_t n = 0; n < ARRAY_LEN(numbers); n++)
		msg_put_u64(&w, numbers[n]);
	msg_key(&w, 2);
	msg_put_map(&w, ARRAY_LEN(signs));
	for (uint32_t n = 0; n < ARRAY_LEN(signs); n++)
		msg_pair_i64(&w, n, signs[n]);
	msg_pair_bool(&w, 300, true);
	msg_pair_bool(&w, 4, false);
	msg_pair_bin(&w, 5, bytes_of("abc", 3));
	msg_pair_str(&w, 6, "sk\xc3\xa4r");
	msg_pair_bin(&w, 70000, bytes_of(NULL, 0));
	msg_pair_str(&w, 8, "");
	ck_assert_int_eq(msg_done(&w), ERR_OK);

	ck_assert_int_eq(msg_parse(buf_bytes(&b), &m), ERR_OK);
	root = msg_root(m);
	ck_assert_int_eq(msg_get_array(root, 1, 64, &a, &count), ERR_OK);
	ck_assert_uint_eq(count, ARRAY_LEN(numbers));
	for (size_t n = 0; n < count; n++) {
		ck_assert_int_eq(msg_node_u64(msg_item(a, n), UINT64_MAX, &u), ERR_OK);
		ck_assert(u == numbers[n]);
	}
	ck_assert_ptr_null(msg_item(a, count));
	for (uint32_t n = 0; n < ARRAY_LEN(signs); n++) {
		ck_assert_int_eq(msg_get_i64(msg_get(root, 2), n, &i), ERR_OK);
		ck_assert(i == signs[n]);
	}
	ck_assert_int_eq(msg_get_bool(root, 300, &flag), ERR_OK);
	ck_assert(flag);
	ck_assert_int_eq(msg_get_bool(root, 4, &flag), ERR_OK);
	ck_assert(!flag);
	ck_assert_int_eq(msg_get_bin(root, 5, 3, &bin), ERR_OK);
	ck_assert_mem_eq(bin.data, "abc", 3);
	ck_assert_int_eq(msg_get_fixed(root, 5, fixed, 3), ERR_OK);
	ck_assert_int_eq(msg_get_str(root, 6, text, sizeof(text)), ERR_OK);
	ck_assert_str_eq(text, "sk\xc3\xa4r");
	ck_assert_int_eq(msg_get_bin(root, 70000, 0, &bin), ERR_OK);
	ck_assert_int_eq(msg_get_fixed(root, 70000, NULL, 0), ERR_OK);
	ck_assert_int_eq(msg_get_str(root, 8, text, 1), ERR_OK);
	msg_free(m);
	buf_fini(&b);
}
END_TEST

START_TEST(readers_check_type_and_range)
{
	struct buf b;
	struct msg *m;
	uint64_t u = 5;
	int64_t i = 5;
	bool flag = true;
	struct bytes bin = { NULL, 5 };
	uint8_t fixed[4] = { 5 };
	char text[4] = "old";
	const struct msg_node *a = NULL;
	size_t count = 5;

	buf_init(&b, 256);

	struct msg_writer w = msg_writer_on(&b);

	msg_put_map(&w, 5);
	msg_pair_u64(&w, 1, UINT64_MAX);
	msg_pair_bin(&w, 2, bytes_of("abc", 3));
	msg_pair_str(&w, 3, "four");
	msg_pair_i64(&w, 4, -1);
	msg_key(&w, 5);
	msg_put_array(&w, 2);
	msg_put_bool(&w, true);
	msg_put_bin(&w, bytes_of("x", 1));
	ck_assert_int_eq(msg_parse(buf_bytes(&b), &m), ERR_OK);

	const struct msg_node *root = msg_root(m);

	ck_assert_int_eq(msg_get_u64(root, 1, UINT64_MAX - 1, &u), ERR_INVALID);
	ck_assert_int_eq(msg_get_u64(root, 4, UINT64_MAX, &u), ERR_INVALID);
	ck_assert_int_eq(msg_get_u64(root, 9, UINT64_MAX, &u), ERR_NOT_FOUND);
	ck_assert_int_eq(msg_get_i64(root, 1, &i), ERR_INVALID);
	ck_assert_int_eq(msg_get_i64(root, 2, &i), ERR_INVALID);
	ck_assert_int_eq(msg_get_bool(root, 1, &flag), ERR_INVALID);
	ck_assert_int_eq(msg_get_bin(root, 2, 2, &bin), ERR_INVALID);
	ck_assert_int_eq(msg_get_bin(root, 3, 9, &bin), ERR_INVALID);
	ck_assert_int_eq(msg_get_fixed(root, 2, fixed, 4), ERR_INVALID);
	ck_assert_int_eq(msg_get_fixed(root, 2, fixed, 2), ERR_INVALID);
	ck_assert_int_eq(msg_get_str(root, 3, text, 4), ERR_INVALID);
	ck_assert_int_eq(msg_get_str(root, 2, text, 4), ERR_INVALID);
	ck_assert_int_eq(msg_get_array(root, 5, 1, &a, &count), ERR_INVALID);
	ck_assert_int_eq(msg_get_array(root, 1, 1, &a, &count), ERR_INVALID);
	ck_assert_ptr_null(msg_get(msg_get(root, 1), 1));
	ck_assert_ptr_null(msg_get(NULL, 1));
	ck_assert_ptr_null(msg_item(root, 0));
	ck_assert_int_eq(msg_node_u64(NULL, 1, &u), ERR_NOT_FOUND);
	ck_assert(u == 5 && i == 5 && flag && bin.len == 5 && fixed[0] == 5 && count == 5);
	ck_assert_str_eq(text, "old");
	msg_free(m);
	buf_fini(&b);

	/* A NUL inside text. */
	ck_assert_int_eq(msg_parse(bytes_of("\x81\x01\xa2\x61\x00", 5), &m), ERR_OK);
	ck_assert_int_eq(msg_get_str(msg_root(m), 1, text, 4), ERR_INVALID);
	msg_free(m);
}
END_TEST

START_TEST(bad_bytes_are_refused)
{
	ck_assert_int_eq(PARSE(""), ERR_INVALID);
	ck_assert_int_eq(PARSE("\x81\x01\x02"), ERR_OK);
	ck_assert_int_eq(PARSE("\x81\x01\x02\x00"), ERR_INVALID); /* trailing byte */
	ck_assert_int_eq(PARSE("\x81\x01"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\x82\x01\x02"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\x82\x01\x02\x01\x03"), ERR_INVALID);     /* duplicate */
	ck_assert_int_eq(PARSE("\x82\x01\x02\xcc\x01\x03"), ERR_INVALID); /* in other clothes */
	ck_assert_int_eq(PARSE("\x82\x01\x02\xcf\0\0\0\0\0\0\0\x01\x03"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\x81\xff\x02"), ERR_INVALID);     /* key -1 */
	ck_assert_int_eq(PARSE("\x81\xd0\x01\x02"), ERR_INVALID); /* signed key */
	ck_assert_int_eq(PARSE("\x81\xa1x\x02"), ERR_INVALID);    /* text key */
	ck_assert_int_eq(PARSE("\x81\xc2\x02"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\xc0"), ERR_INVALID);                 /* nil */
	ck_assert_int_eq(PARSE("\xc1"), ERR_INVALID);                 /* unused */
	ck_assert_int_eq(PARSE("\xca\0\0\0\0"), ERR_INVALID);         /* float */
	ck_assert_int_eq(PARSE("\xcb\0\0\0\0\0\0\0\0"), ERR_INVALID); /* double */
	ck_assert_int_eq(PARSE("\xd4\x01\x02"), ERR_INVALID);         /* fixext */
	ck_assert_int_eq(PARSE("\xc7\x01\x01\x02"), ERR_INVALID);     /* ext */
	ck_assert_int_eq(PARSE("\xdd\xff\xff\xff\xff"), ERR_INVALID); /* count over the bytes */
	ck_assert_int_eq(PARSE("\xdf\xff\xff\xff\xff"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\xde\x00\x41"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\xc6\xff\xff\xff\xff"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\xc4\x02x"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\xdb\x00\x00\x00\x02x"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\xc5\x00"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\xd3\0\0\0"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\xdc\x00\x01\xdd\0\0\0\x01\xc3"), ERR_OK);
	ck_assert_int_eq(PARSE("\xdf\0\0\0\x01\x05\xda\x00\x01x"), ERR_OK);
}
END_TEST

START_TEST(depth_ends_at_the_limit)
{
	uint8_t nested[MSG_DEPTH_MAX + 2];

	memset(nested, 0x91, sizeof(nested));
	nested[MSG_DEPTH_MAX] = 0x01;
	ck_assert_int_eq(parse(nested, MSG_DEPTH_MAX + 1), ERR_OK);
	nested[MSG_DEPTH_MAX] = 0x91;
	nested[MSG_DEPTH_MAX + 1] = 0x01;
	ck_assert_int_eq(parse(nested, MSG_DEPTH_MAX + 2), ERR_INVALID);
	nested[MSG_DEPTH_MAX] = 0x80;
	ck_assert_int_eq(parse(nested, MSG_DEPTH_MAX + 1), ERR_INVALID);

	/* A megabyte of openings must not use up the stack. */
	uint8_t *deep = malloc(MIB(1));

	ck_assert_ptr_nonnull(deep);
	memset(deep, 0x91, MIB(1));
	ck_assert_int_eq(parse(deep, MIB(1)), ERR_INVALID);
	free(deep);
}
END_TEST

START_TEST(maps_are_as_wide_as_the_limit)
{
	for (uint32_t pairs = MSG_PAIRS_MAX; pairs <= MSG_PAIRS_MAX + 1; pairs++) {
		uint8_t map[3 + 2 * (MSG_PAIRS_MAX + 1)] = { 0xde, 0, (uint8_t)pairs };

		for (uint32_t i = 0; i < pairs; i++)
			map[3 + 2 * i] = (uint8_t)i;
		ck_assert_int_eq(
		    parse(map, 3 + 2 * pairs), pairs <= MSG_PAIRS_MAX ? ERR_OK : ERR_INVALID);
	}
}
END_TEST

/* A key twice is refused where it is small and where it is large. */
START_TEST(keys_are_there_once)
{
	ck_assert_int_eq(PARSE("\x82\x05\x01\x06\x01"), ERR_OK);
	ck_assert_int_eq(PARSE("\x82\x05\x01\x05\x01"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\x82\x3f\x01\x40\x01"), ERR_OK);
	ck_assert_int_eq(PARSE("\x83\x40\x01\x00\x01\x40\x01"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\x83\x40\x01\x00\x01\xcc\x40\x01"), ERR_INVALID);
	ck_assert_int_eq(PARSE("\x82\x00\x01\xce\x00\x01\x00\x00\x01"), ERR_OK);
}
END_TEST

/* What is read in one pass are the maps that parse, with the values that are found one by one. */
static bool
read_agrees(const uint8_t *data, size_t len)
{
	struct bytes in = bytes_of(data, len);
	bool map = len > 0 && ((data[0] & 0xf0) == 0x80 || data[0] == 0xde || data[0] == 0xdf);
	const struct msg_node *at[9];
	struct msg *m = NULL;
	bool sound = msg_parse(in, &m) == ERR_OK && map;

	ck_assert_int_eq(msg_read(in, at, ARRAY_LEN(at)), sound ? ERR_OK : ERR_INVALID);
	for (uint32_t key = 0; sound && key < ARRAY_LEN(at); key++)
		ck_assert_ptr_eq(at[key], msg_get(msg_root(m), key));
	msg_free(m);
	return sound;
}

/* Random bytes and damaged messages: no crash, and the tree is only made of what was scanned. */
START_TEST(noise_is_survived)
{
	static const uint8_t good[] = "\x83\x01\x92\xc4\x02xy\x05\x02\x81\x07\xa3"
				      "abc\x03\xcd\x01\x00";
	uint32_t seed = 1, sound = 0;

	ck_assert(!read_agrees(NULL, 0));
	ck_assert(!read_agrees((const uint8_t[]){ 0x05 }, 1));
	ck_assert_int_eq(parse(good, sizeof(good) - 1), ERR_OK);
	for (int round = 0; round < 20000; round++) {
		uint8_t bytes[sizeof(good) - 1];

		memcpy(bytes, good, sizeof(bytes));
		for (int hit = 0; hit < 1 + round % 4; hit++) {
			seed = seed * 1664525 + 1013904223;
			bytes[(seed >> 8) % sizeof(bytes)] = (uint8_t)(seed >> 24);
		}
		(void)parse(bytes, 1 + (seed >> 3) % sizeof(bytes));
		sound += read_agrees(bytes, sizeof(bytes));
	}
	ck_assert_uint_gt(sound, 100);
}
END_TEST

START_TEST(writer_error_sticks)
{
	struct buf b;

	buf_init(&b, 8);

	struct msg_writer w = msg_writer_on(&b);

	msg_put_map(&w, 2);
	msg_pair_str(&w, 1, "too long for eight");
	ck_assert_int_eq(msg_done(&w), ERR_TOO_BIG);

	size_t len = b.len;

	msg_pair_u64(&w, 2, 3);
	ck_assert_int_eq(msg_done(&w), ERR_TOO_BIG);
	ck_assert_uint_eq(b.len, len);
	buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/msg");

	suite_add(s, "msg", 60, round_trip, readers_check_type_and_range, bad_bytes_are_refused,
	    depth_ends_at_the_limit, maps_are_as_wide_as_the_limit, keys_are_there_once,
	    noise_is_survived, writer_error_sticks, NULL);
	return suite_main(s);
}
