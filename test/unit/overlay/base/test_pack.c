/* Cursors: values, order of bytes, overruns at every length, domains; and err.c. */
#include "test/unit/suite.h"

#include <errno.h>
#include <limits.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"

START_TEST(writes_big_endian)
{
	uint8_t out[18];
	struct packer p = packer_on(out, sizeof(out));

	pack_u8(&p, 0x01);
	pack_u16(&p, 0x0203);
	pack_u32(&p, 0x04050607);
	pack_u64(&p, UINT64_C(0x08090a0b0c0d0e0f));
	pack_str(&p, "ab");
	pack_zero(&p, 1);
	ck_assert(pack_ok(&p));
	ck_assert_uint_eq(p.len, sizeof(out));
	ck_assert_mem_eq(out,
	    "\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf"
	    "ab\0",
	    sizeof(out));

	struct unpacker u = unpacker_on(bytes_of(out, sizeof(out)));

	ck_assert_uint_eq(unpack_u8(&u), 0x01);
	ck_assert_uint_eq(unpack_u16(&u), 0x0203);
	ck_assert_uint_eq(unpack_u32(&u), 0x04050607);
	ck_assert_uint_eq(unpack_u64(&u), UINT64_C(0x08090a0b0c0d0e0f));
	unpack_expect(&u, "ab");
	ck_assert_uint_eq(unpack_left(&u), 1);
	ck_assert(!unpack_done(&u));
	ck_assert_uint_eq(unpack_u8(&u), 0);
	ck_assert(unpack_done(&u));
}
END_TEST

START_TEST(overruns_are_sticky_and_write_nothing)
{
	for (size_t cap = 0; cap < 15; cap++) {
		uint8_t *out = malloc(cap + 1); /* exact, so that sanitizers see a byte too far */

		ck_assert_ptr_nonnull(out);
		out[cap] = 0xee;

		struct packer p = packer_on(out, cap);

		pack_u64(&p, 1);
		pack_u32(&p, 2);
		pack_u16(&p, 3);
		pack_u8(&p, 4);
		ck_assert(!pack_ok(&p));
		ck_assert_uint_eq(out[cap], 0xee);
		ck_assert_uint_le(p.len, cap);
		pack_raw(&p, NULL, 0);
		ck_assert(!pack_ok(&p));

		struct unpacker u = unpacker_on(bytes_of(out, cap));

		memset(out, 0xff, cap);
		(void)unpack_u64(&u);
		(void)unpack_u32(&u);
		(void)unpack_u16(&u);
		(void)unpack_u8(&u);
		ck_assert(!unpack_done(&u));
		ck_assert_uint_eq(unpack_left(&u), 0);
		ck_assert_uint_eq(unpack_u8(&u), 0);
		ck_assert_ptr_null(unpack_lend(&u, 0).data);
		free(out);
	}
}
END_TEST

START_TEST(huge_lengths_do_not_wrap)
{
	uint8_t out[4] = { 0 };
	struct packer p = packer_on(out, sizeof(out));
	struct unpacker u = unpacker_on(bytes_of(out, sizeof(out)));

	pack_u8(&p, 1);
	pack_zero(&p, SIZE_MAX);
	ck_assert(!pack_ok(&p));
	(void)unpack_u8(&u);
	ck_assert_ptr_null(unpack_lend(&u, SIZE_MAX).data);
	ck_assert(!unpack_done(&u));
}
END_TEST

START_TEST(a_failed_read_leaves_zeros)
{
	uint8_t in[3] = { 1, 2, 3 }, out[4] = { 9, 9, 9, 9 };
	struct unpacker u = unpacker_on(bytes_of(in, sizeof(in)));

	unpack_raw(&u, out, sizeof(out));
	ck_assert(!unpack_done(&u));
	ck_assert_mem_eq(out, "\0\0\0\0", 4);
}
END_TEST

START_TEST(empty_input_is_done)
{
	struct unpacker u = unpacker_on(bytes_of(NULL, 0));

	ck_assert_uint_eq(unpack_lend(&u, 0).len, 0);
	unpack_raw(&u, NULL, 0);
	unpack_expect(&u, "");
	ck_assert(unpack_done(&u));
}
END_TEST

static int
domain_of(const char *written, const struct network_id *net, const struct network_id *expected)
{
	uint8_t out[64];
	struct packer p = packer_on(out, sizeof(out));

	pack_domain(&p, written, net);
	ck_assert(pack_ok(&p));

	struct unpacker u = unpacker_on(bytes_of(out, p.len));
	int err = unpack_domain(&u, "skerry/thing/2", expected);

	ck_assert(unpack_done(&u) == (err == ERR_OK));
	return err;
}

START_TEST(domains_are_told_apart)
{
	const struct network_id net = { { 1, 2, 3, 4 } }, other = { { 1, 2, 3, 5 } };

	ck_assert_int_eq(domain_of("skerry/thing/2", &net, &net), ERR_OK);
	ck_assert_int_eq(domain_of("skerry/thing/2", NULL, NULL), ERR_OK);
	ck_assert_int_eq(domain_of("skerry/thing/3", &net, &net), ERR_VERSION);
	ck_assert_int_eq(domain_of("skerry/thong/2", &net, &net), ERR_INVALID);
	ck_assert_int_eq(domain_of("skerry/thing/2", &other, &net), ERR_WRONG_NETWORK);
	ck_assert_int_eq(domain_of("skerry/thing/2", NULL, &net), ERR_INVALID);
	ck_assert_int_eq(domain_of("skerry", NULL, &net), ERR_INVALID);
}
END_TEST

START_TEST(texts_come_back_and_fit)
{
	char long_text[UINT8_MAX + 2], back[UINT8_MAX + 1];
	uint8_t out[1 + UINT8_MAX];

	memset(long_text, 'a', sizeof(long_text) - 1);
	for (size_t len = 0; len <= UINT8_MAX + 1; len++) {
		struct packer p = packer_on(out, sizeof(out));

		long_text[len] = '\0';
		pack_text(&p, long_text);
		ck_assert_int_eq(pack_ok(&p), len <= UINT8_MAX);
		if (len <= UINT8_MAX) {
			struct unpacker u = unpacker_on(bytes_of(out, p.len));

			ck_assert_uint_eq(p.len, 1 + len);
			unpack_text(&u, back, len + 1);
			ck_assert(unpack_done(&u));
			ck_assert_str_eq(back, long_text);
			/* A field that is too small, an input that is cut. */
			u = unpacker_on(bytes_of(out, p.len));
			unpack_text(&u, back, MAX(len, (size_t)1));
			ck_assert_int_eq(unpack_done(&u), len == 0);
			ck_assert_str_eq(back, "");
			u = unpacker_on(bytes_of(out, p.len - 1));
			unpack_text(&u, back, sizeof(back));
			ck_assert(u.failed);
			ck_assert_str_eq(back, "");
		}
		long_text[len] = 'a';
	}
}
END_TEST

START_TEST(no_nul_inside_a_text)
{
	static const uint8_t in[] = { 3, 'a', 0, 'b' };
	char back[4];

	struct unpacker u = unpacker_on(bytes_of(in, sizeof(in)));

	unpack_text(&u, back, sizeof(back));
	ck_assert(u.failed);
	ck_assert_str_eq(back, "");
	u = unpacker_on(bytes_of(in + 1, 3));
	unpack_str(&u, back, 3);
	ck_assert(u.failed);
	u = unpacker_on(bytes_of(in + 1, 3));
	unpack_str(&u, back, 1);
	ck_assert_str_eq(back, "a");
	ck_assert_uint_eq(unpack_left(&u), 2);
}
END_TEST

START_TEST(a_peer_tells_of_itself_only)
{
	static const int own[] = { ERR_NOMEM, ERR_TIMEOUT, ERR_CANCELED, ERR_CLOSED };
	static const int told[] = { ERR_OK, ERR_BUSY, ERR_END, ERR_STALE, ERR_PLACEMENT, ERR_LOCKED,
		ERR_STRANGER, ERR_QUOTA };
	static const int others[] = { ERR_UNKNOWN, ERR_UNKNOWN - 1, INT_MIN, 1, INT_MAX };

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		ck_assert_int_eq(err_foreign(own[i]), ERR_BUSY);
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		ck_assert_int_eq(err_foreign(told[i]), told[i]);
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		ck_assert_int_eq(err_foreign(others[i]), ERR_REFUSED);
}
END_TEST

START_TEST(every_error_has_name_and_text)
{
	ck_assert_str_eq(err_name(ERR_OK), "OK");
	ck_assert_str_eq(err_name(ERR_TIMEOUT), "TIMEOUT");
	ck_assert_str_eq(err_text(ERR_NO_SPACE), "no space left on the device");
	for (int err = ERR_PLACEMENT; err <= ERR_OK; err++)
		ck_assert_str_ne(err_name(err), "UNKNOWN");
	ck_assert_str_eq(err_name(1), "UNKNOWN");
	ck_assert_str_eq(err_text(-10000), "unknown error");
	ck_assert_int_eq(err_from_errno(0), ERR_OK);
	ck_assert_int_eq(err_from_errno(ENOENT), ERR_NOT_FOUND);
	ck_assert_int_eq(err_from_errno(ENOSPC), ERR_NO_SPACE);
	ck_assert_int_eq(err_from_errno(ECONNRESET), ERR_CLOSED);
	ck_assert_int_eq(err_from_errno(99999), ERR_IO);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/base/pack");

	suite_add(s, "pack", 0, writes_big_endian, overruns_are_sticky_and_write_nothing,
	    huge_lengths_do_not_wrap, a_failed_read_leaves_zeros, empty_input_is_done,
	    domains_are_told_apart, texts_come_back_and_fit, no_nul_inside_a_text,
	    a_peer_tells_of_itself_only, every_error_has_name_and_text, NULL);
	return suite_main(s);
}
