/* Text to values and back: what is taken, what is refused, and that nothing is half-taken. */
#include "cmd/values.h"

#include <stdio.h>

#include "cmd/say.h"
#include "overlay/base/log.h"
#include "test/unit/suite.h"

START_TEST(sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = { { "0", 0 }, { "17", 17 }, { "4K", 4096 }, { "4k", 4096 }, { "500G", GIB(500) },
		{ "1T", GIB(1024) }, { "1TiB", GIB(1024) }, { "15E", (uint64_t)15 << 60 },
		{ "18446744073709551615", UINT64_MAX } };
	static const char *const bad[] = { "", "K", "-1", "+1", " 1", "1 ", "1X", "1KB", "1.5G",
		"16E", "18446744073709551616", "1Ki", "0x10", "1GG" };
	uint64_t v;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_msg(value_size(good[i].text, &v), "%s", good[i].text);
		ck_assert_uint_eq(v, good[i].bytes);
	}
	v = 7;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!value_size(bad[i], &v), "%s", bad[i]);
	ck_assert_uint_eq(v, 7);
}
END_TEST

START_TEST(sizes_return)
{
	static const uint64_t all[] = { 0, 1, 1023, 1024, 1536, GIB(10), GIB(1024), UINT64_MAX,
		(uint64_t)1 << 63 };
	char text[32];
	uint64_t v;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		ck_assert(get_size(&all[i], 0, text, sizeof(text)));
		ck_assert_msg(value_size(text, &v), "%s", text);
		ck_assert_uint_eq(v, all[i]);
		ck_assert(!get_size(&all[i], 1, text, sizeof(text)));
	}
}
END_TEST

/* Values that mean nothing: a node that keeps nothing, a rate at which nothing arrives, no day. */
START_TEST(least_values)
{
	uint64_t v = 7;

	ck_assert(set_capacity(&v, "0") && v == 0);
	ck_assert(set_capacity(&v, "16M") && v == CAPACITY_MIN);
	ck_assert(!set_capacity(&v, "1") && !set_capacity(&v, "16777215") && !set_capacity(&v, ""));
	ck_assert_uint_eq(v, CAPACITY_MIN);
	ck_assert(set_rate(&v, "0") && v == 0);
	ck_assert(set_rate(&v, "16K") && v == RATE_MIN);
	ck_assert(!set_rate(&v, "1") && !set_rate(&v, "16383") && !set_rate(&v, "x"));
	ck_assert_uint_eq(v, RATE_MIN);
	ck_assert(set_short_day(&v, "1s") && v == 1);
	ck_assert(set_short_day(&v, "24h") && v == 86400);
	ck_assert(!set_short_day(&v, "0") && !set_short_day(&v, "0s") && !set_short_day(&v, "25h"));
	ck_assert_uint_eq(v, 86400);
}
END_TEST

START_TEST(host_names)
{
	static const char *const good[] = { "localhost", "s3.example.com", "S3.Example.COM",
		"a-b.c", "3com.net", "1.2.3.x4", "xn--bcher-kva.example" };
	static const char *const bad[] = { "", "a b", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b",
		"a_b", "a:80", "http://a", "10.0.0.1", "[::1]", "b\xc3\xbc.example", "a/b", "*" };
	char text[300];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(value_host_name(good[i]), "%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!value_host_name(bad[i]), "%s", bad[i]);
	memset(text, 'a', sizeof(text));
	text[63] = '\0';
	ck_assert(value_host_name(text));
	text[63] = 'a';
	text[64] = '\0';
	ck_assert(!value_host_name(text));
	memset(text, 'a', sizeof(text));
	for (size_t i = 50; i < sizeof(text); i += 50)
		text[i] = '.';
	text[253] = '\0';
	ck_assert(value_host_name(text));
	text[253] = 'a';
	text[254] = '\0';
	ck_assert(!value_host_name(text));
}
END_TEST

START_TEST(names_and_types)
{
	static const char *const bad_names[] = { "", "a/b", "/", ".", "..", "a\nb", "\x7f",
		"\xff" };
	static const char *const bad_types[] = { "", "text", "text/", "/plain", "a/b\nc: d",
		"t\xc3\xa4xt/plain", " a/b" };
	const char *out = NULL;
	char text[300];

	memset(text, 'x', sizeof(text));
	text[255] = '\0';
	ck_assert(set_file_name(&out, text) && out == text);
	ck_assert(set_file_name(&out, "gr\xc3\xbc\xc3\x9f"
				      "e.txt") &&
		  set_file_name(&out, ".a b"));
	text[255] = 'x';
	text[256] = '\0';
	ck_assert(!set_file_name(&out, text));
	for (size_t i = 0; i < ARRAY_LEN(bad_names); i++)
		ck_assert_msg(!set_file_name(&out, bad_names[i]), "%s", bad_names[i]);
	ck_assert(set_media_type(&out, "image/jpeg"));
	ck_assert(set_media_type(&out, "text/plain; charset=utf-8"));
	for (size_t i = 0; i < ARRAY_LEN(bad_types); i++)
		ck_assert_msg(!set_media_type(&out, bad_types[i]), "%s", bad_types[i]);
	ck_assert_str_eq(out, "text/plain; charset=utf-8");
}
END_TEST

START_TEST(durations)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} good[] = { { "0", 0 }, { "30d", 2592000 }, { "12h", 43200 }, { "45m", 2700 },
		{ "10s", 10 }, { "800d", 69120000 }, { "0s", 0 } };
	static const char *const bad[] = { "", "d", "30", "-1d", "1w", "801d", "1d ", "1dd",
		"99999999999999999999d", "1152921504606846976h" };
	char text[32];
	uint64_t v, back;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		ck_assert_msg(set_duration(&v, good[i].text), "%s", good[i].text);
		ck_assert_uint_eq(v, good[i].seconds);
		ck_assert(get_duration(&v, 0, text, sizeof(text)));
		ck_assert_msg(set_duration(&back, text), "%s", text);
		ck_assert_uint_eq(v, back);
		ck_assert(!get_duration(&v, 1, text, sizeof(text)));
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!set_duration(&v, bad[i]), "%s", bad[i]);
}
END_TEST

START_TEST(ranges)
{
	static const char *const bad[] = { "", "-", "5", "-5", "9-5", "1-2-3", "a-b", "1-2x",
		" 1-2", "99999999999999999999-" };
	uint64_t from = 1, to = 1;

	ck_assert(value_range("0-0", &from, &to));
	ck_assert(from == 0 && to == 0);
	ck_assert(value_range("500-", &from, &to));
	ck_assert(from == 500 && to == UINT64_MAX);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!value_range(bad[i], &from, &to), "%s", bad[i]);
	ck_assert(from == 500 && to == UINT64_MAX);
}
END_TEST

START_TEST(countries)
{
	struct country_list list = { 0 };

	ck_assert(set_countries(&list, "de,FR"));
	ck_assert(set_countries(&list, "US"));
	ck_assert_uint_eq(list.count, 3);
	ck_assert_mem_eq(list.code, "DEFRUS", 6);
	ck_assert(!set_countries(&list, "D"));
	ck_assert(!set_countries(&list, "DE,"));
	ck_assert(!set_countries(&list, "DE,F"));
	ck_assert(!set_countries(&list, "DE;FR"));
	ck_assert(!set_countries(&list, ""));
	ck_assert_uint_eq(list.count, 3);
	while (list.count < VALUES_COUNTRIES)
		ck_assert(set_countries(&list, "AA"));
	ck_assert(!set_countries(&list, "BB"));
	ck_assert_uint_eq(list.count, VALUES_COUNTRIES);
	ck_assert(set_countries(&list, NULL));
	ck_assert_uint_eq(list.count, 0);
}
END_TEST

START_TEST(contacts)
{
	char text[CONTACT_NAME_MAX], key[65], out[CONTACT_NAME_MAX];
	struct contact_names *list = calloc(1, sizeof(*list));

	ck_assert_ptr_nonnull(list);
	memset(key, 'a', 64);
	key[64] = '\0';
	(void)snprintf(text, sizeof(text), "%s@node.example:7730", key);
	for (size_t i = 0; i < VALUES_CONTACTS; i++)
		ck_assert(set_contacts(list, text));
	ck_assert(!set_contacts(list, text)); /* one too many */
	ck_assert(get_contacts(list, VALUES_CONTACTS - 1, out, sizeof(out)));
	ck_assert_str_eq(out, text);
	ck_assert(!get_contacts(list, VALUES_CONTACTS, out, sizeof(out)));
	ck_assert(set_contacts(list, NULL));
	ck_assert(!set_contacts(list, "node.example:7730"));
	ck_assert(!set_contacts(list, key));
	(void)snprintf(text, sizeof(text), "%s@node.example:0", key);
	ck_assert(!set_contacts(list, text));
	free(list);
}
END_TEST

START_TEST(small_ones)
{
	enum log_level level = LOG_INFO;
	struct code_params code = { 0 };
	uint8_t byte = 9;
	bool flag = false;
	char region[17], network[NETWORK_NAME_MAX];

	ck_assert(set_byte(&byte, "255") && byte == 255);
	ck_assert(!set_byte(&byte, "0") && !set_byte(&byte, "256") && byte == 255);
	ck_assert(set_pow_bits(&byte, "0") && byte == 0);
	ck_assert(!set_pow_bits(&byte, "33"));
	ck_assert(set_switch(&flag, "yes") && flag);
	ck_assert(!set_switch(&flag, "true") && !set_switch(&flag, "") && flag);
	ck_assert(set_code(&code, "4/6/8") && code.n == 8);
	ck_assert(!set_code(&code, "4/3/8") && !set_code(&code, "4/6/8/") && code.n == 8);
	ck_assert(set_level(&level, "debug") && level == LOG_DEBUG);
	ck_assert(set_region(region, "0123456789abcdef"));
	ck_assert(!set_region(region, "0123456789abcdefg") && !set_region(region, "a b"));
	ck_assert(!set_region(region, ""));
	ck_assert(set_network(network, "my-net.2"));
	ck_assert(!set_network(network, "My") && !set_network(network, "a b"));
}
END_TEST

START_TEST(clean_text)
{
	char out[64];

	ck_assert_str_eq(say_clean("plain \xc3\xa4", out, sizeof(out)), "plain \xc3\xa4");
	ck_assert_str_eq(say_clean("a\nb\x1b[31m", out, sizeof(out)), "a\\x0ab\\x1b[31m");
	ck_assert_str_eq(say_clean("\xff\xc3", out, sizeof(out)), "\\xff\\xc3");
	/* U+202E turns what follows around; U+009B is an escape of its own. */
	ck_assert_str_eq(say_clean("x\xe2\x80\xaey", out, sizeof(out)), "x\\xe2\\x80\\xaey");
	ck_assert_str_eq(say_clean("\xc2\x9b", out, sizeof(out)), "\\xc2\\x9b");
	/* Cut between characters, never inside one. */
	ck_assert_str_eq(say_clean("ab\xc3\xa4", out, 4), "ab");
	ck_assert_str_eq(say_clean("\n\n", out, 8), "\\x0a");
}
END_TEST

START_TEST(sizes_for_people)
{
	char out[SAY_SIZE_MAX];

	ck_assert_str_eq(say_size(0, out), "0 bytes");
	ck_assert_str_eq(say_size(1, out), "1 byte");
	ck_assert_str_eq(say_size(1023, out), "1023 bytes");
	ck_assert_str_eq(say_size(1536, out), "1.5 KiB");
	ck_assert_str_eq(say_size(GIB(1) - 1, out), "1023.9 MiB");
	ck_assert_str_eq(say_size(UINT64_MAX, out), "15.9 EiB");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cmd/values");

	suite_add(s, "numbers", 0, sizes, sizes_return, least_values, host_names, names_and_types,
	    durations, ranges, NULL);
	suite_add(s, "lists", 0, countries, contacts, NULL);
	suite_add(s, "others", 0, small_ones, NULL);
	suite_add(s, "for people", 0, clean_text, sizes_for_people, NULL);
	return suite_main(s);
}
