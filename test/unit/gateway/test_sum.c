/* Checksums: published check values, pieces, and combining against computing the whole. */
#include "gateway/sum.h"

#include <stdlib.h>

#include "overlay/base/crypto.h"
#include "test/unit/suite.h"

static void
sum(enum sum_algo algo, const void *data, size_t len, size_t step, uint8_t *out)
{
	struct sum *c = sum_new(algo);

	for (size_t at = 0; at < len; at += step)
		sum_update(c, (const uint8_t *)data + at, MIN(step, len - at));
	sum_final(c, out);
	sum_free(c);
}

/* The check value of each: of the digits 1 to 9. */
START_TEST(check_values)
{
	static const struct {
		enum sum_algo algo;
		const char *text;
	} cases[] = {
		{ SUM_CRC32, "y/Q5Jg==" },
		{ SUM_CRC32C, "4waSgw==" },
		{ SUM_CRC64NVME, "rosUhgp5mIg=" },
		{ SUM_SHA1, "98O8HYCOBHMq32eZZczDTKeuNEE=" },
		{ SUM_SHA256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=" },
	};
	char text[SUM_TEXT_MAX];
	uint8_t raw[SUM_BYTES_MAX], back[SUM_BYTES_MAX];

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step < 10; step++) {
			sum(cases[i].algo, "123456789", 9, step, raw);
			ck_assert_str_eq(sum_text(cases[i].algo, raw, 0, text), cases[i].text);
		}
		ck_assert_int_eq(sum_parse(cases[i].algo, text, back), ERR_OK);
		ck_assert_int_eq(memcmp(raw, back, sizeof(raw)), 0);
		ck_assert_int_eq(sum_parse(cases[i].algo, "AA==", back), ERR_INVALID);
	}
	ck_assert_str_eq(sum_text(SUM_CRC32, raw, 3, text) + 8, "-3");
	ck_assert_uint_eq(sum_crc64nvme(0, "123456789", 9), UINT64_C(0xae8b14860a799888));
}
END_TEST

START_TEST(tables_agree_with_bits)
{
	uint8_t data[1000], raw[SUM_BYTES_MAX];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * i + i / 7);
	for (size_t len = 0; len < sizeof(data); len += 13) {
		uint64_t want = sum_crc64nvme(0, data, len), got = 0;

		sum(SUM_CRC64NVME, data, len, 1 + len % 50, raw);
		for (int i = 0; i < 8; i++)
			got = got << 8 | raw[i];
		ck_assert_uint_eq(got, want);
	}
}
END_TEST

START_TEST(parts_combine_to_the_whole)
{
	uint8_t data[5000], a[SUM_BYTES_MAX], b[SUM_BYTES_MAX], whole[SUM_BYTES_MAX];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + i / 256);
	for (int algo = SUM_CRC32; algo <= SUM_CRC64NVME; algo++) {
		for (size_t cut = 0; cut <= sizeof(data); cut += 499) {
			sum(algo, data, cut, 4096, a);
			sum(algo, data + cut, sizeof(data) - cut, 4096, b);
			sum(algo, data, sizeof(data), 4096, whole);
			sum_combine(algo, a, a, b, sizeof(data) - cut);
			ck_assert_int_eq(memcmp(a, whole, sizeof(whole)), 0);
		}
	}
}
END_TEST

START_TEST(names)
{
	ck_assert_int_eq(sum_by_name("crc32c"), SUM_CRC32C);
	ck_assert_int_eq(sum_by_name("CRC64NVME"), SUM_CRC64NVME);
	ck_assert_int_eq(sum_by_name("MD5"), SUM_NONE);
	ck_assert_int_eq(sum_by_header("X-Amz-Checksum-SHA1"), SUM_SHA1);
	ck_assert_int_eq(sum_by_header("x-amz-checksum-type"), SUM_NONE);
	ck_assert_int_eq(sum_by_header(""), SUM_NONE);
	ck_assert(sum_header_unknown("X-Amz-Checksum-SHA512"));
	ck_assert(sum_header_unknown("x-amz-checksum-"));
	ck_assert(!sum_header_unknown("x-amz-checksum-sha256"));
	ck_assert(!sum_header_unknown("x-amz-checksum-Mode"));
	ck_assert(!sum_header_unknown("x-amz-checksum"));
	ck_assert(!sum_can(SUM_CRC64NVME, SUM_COMPOSITE));
	ck_assert(!sum_can(SUM_SHA256, SUM_FULL_OBJECT));
	ck_assert(sum_can(SUM_CRC32, SUM_FULL_OBJECT));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("gateway/sum");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "checksum", 0, check_values, tables_agree_with_bits,
	    parts_combine_to_the_whole, names, NULL);
	return suite_main(s);
}
