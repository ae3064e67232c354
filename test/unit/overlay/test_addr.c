/* Addresses: text both ways, what is no address, scopes at their borders, groups, packing. */
#include "test/unit/suite.h"

#include <stdio.h>
#include <string.h>

#include "overlay/addr.h"
#include "overlay/base/err.h"

static struct addr
addr_of(const char *host)
{
	struct addr a;

	ck_assert_msg(addr_from_host(host, 1, &a) == ERR_OK, "%s", host);
	return a;
}

START_TEST(text_round_trip)
{
	static const char *const same[] = {
		"1.2.3.4:5",
		"0.0.0.0:0",
		"[::1]:5",
		"[::]:65535",
		"[2a01:4f8::1]:1",
		"[fe80:1:2:3:4:5:6:7]:7",
		"[1111:2222:3333:4444:5555:6666:7777:8888]:65535",
	};
	char text[ADDR_TEXT_MAX];
	struct addr a;

	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		ck_assert_int_eq(addr_parse(same[i], &a), ERR_OK);
		ck_assert_str_eq(addr_format(&a, text), same[i]);
	}
	ck_assert_str_eq(addr_format(&(struct addr){ 0 }, text), "none");

	/* IPv4 in IPv6 clothes is IPv4. */
	ck_assert_int_eq(addr_parse("[::ffff:1.2.3.4]:5", &a), ERR_OK);
	ck_assert_str_eq(addr_format(&a, text), "1.2.3.4:5");
}
END_TEST

START_TEST(what_is_no_address)
{
	static const char *const bad[] = {
		"",
		":5",
		"1.2.3.4",
		"1.2.3.4:",
		"1.2.3.4:65536",
		"1.2.3.4:-1",
		"1.2.3.4:+1",
		"1.2.3.4: 1",
		"1.2.3.4:1 ",
		"1.2.3.4:01",
		"1.2.3:5",
		"1.2.3.4.5:6",
		"01.2.3.4:5",
		"1.2.3.256:5",
		"::1:5",
		"[::1]",
		"[::1]5",
		"[::1:5",
		"[]:5",
		"[1.2.3.4]:5",
		"[host]:5",
		"host:5",
		"1.2.3.4:5:6",
		"[fe80::1%lo]:5",
		"none",
		"[::1]:5x",
		"0x7f.1:5",
		"1.2.3.4\n:5",
		"1.2.3.4:99999999999999999999",
	};
	struct addr a = { .family = 99 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(addr_parse(bad[i], &a) == ERR_INVALID, "%s", bad[i]);
	ck_assert_uint_eq(a.family, 99);
}
END_TEST

START_TEST(names_are_split_off)
{
	char host[ADDR_HOST_MAX], longest[ADDR_HOST_MAX + 8];
	uint16_t port = 7;

	ck_assert_int_eq(addr_split("node-1.example.org:7777", host, &port), ERR_OK);
	ck_assert_str_eq(host, "node-1.example.org");
	ck_assert_uint_eq(port, 7777);
	ck_assert_int_eq(addr_split("[::1]:5", host, &port), ERR_OK);
	ck_assert_str_eq(host, "::1");
	ck_assert_int_eq(addr_split("exa mple:5", host, &port), ERR_INVALID);
	ck_assert_int_eq(addr_split("m\xc3\xbc:5", host, &port), ERR_INVALID);
	ck_assert_int_eq(addr_split("host", host, &port), ERR_INVALID);
	ck_assert_str_eq(host, "::1");
	ck_assert_uint_eq(port, 5);

	for (int len = ADDR_HOST_MAX - 1; len <= ADDR_HOST_MAX; len++) {
		memset(longest, 'a', sizeof(longest));
		snprintf(longest + len, sizeof(longest) - (size_t)len, ":1");
		ck_assert_int_eq(
		    addr_split(longest, host, &port), len < ADDR_HOST_MAX ? ERR_OK : ERR_INVALID);
	}
}
END_TEST

START_TEST(scopes_at_their_borders)
{
	static const struct {
		const char *host;
		enum addr_scope scope;
	} cases[] = {
		{ "0.0.0.0", ADDR_MARTIAN },
		{ "0.255.255.255", ADDR_MARTIAN },
		{ "1.0.0.0", ADDR_GLOBAL },
		{ "9.255.255.255", ADDR_GLOBAL },
		{ "10.0.0.0", ADDR_PRIVATE },
		{ "10.255.255.255", ADDR_PRIVATE },
		{ "11.0.0.0", ADDR_GLOBAL },
		{ "100.63.255.255", ADDR_GLOBAL },
		{ "100.64.0.0", ADDR_PRIVATE },
		{ "100.127.255.255", ADDR_PRIVATE },
		{ "100.128.0.0", ADDR_GLOBAL },
		{ "127.0.0.1", ADDR_LOOPBACK },
		{ "127.255.255.255", ADDR_LOOPBACK },
		{ "128.0.0.0", ADDR_GLOBAL },
		{ "169.254.0.1", ADDR_LINK },
		{ "172.15.255.255", ADDR_GLOBAL },
		{ "172.16.0.0", ADDR_PRIVATE },
		{ "172.31.255.255", ADDR_PRIVATE },
		{ "172.32.0.0", ADDR_GLOBAL },
		{ "192.0.0.1", ADDR_MARTIAN },
		{ "192.0.1.0", ADDR_GLOBAL },
		{ "192.0.2.1", ADDR_MARTIAN },
		{ "192.88.99.1", ADDR_MARTIAN },
		{ "192.168.0.1", ADDR_PRIVATE },
		{ "192.169.0.0", ADDR_GLOBAL },
		{ "198.17.255.255", ADDR_GLOBAL },
		{ "198.18.0.0", ADDR_MARTIAN },
		{ "198.19.255.255", ADDR_MARTIAN },
		{ "198.51.100.9", ADDR_MARTIAN },
		{ "203.0.113.9", ADDR_MARTIAN },
		{ "223.255.255.255", ADDR_GLOBAL },
		{ "224.0.0.1", ADDR_MARTIAN },
		{ "240.0.0.1", ADDR_MARTIAN },
		{ "255.255.255.255", ADDR_MARTIAN },
		{ "::", ADDR_MARTIAN },
		{ "::1", ADDR_LOOPBACK },
		{ "::2", ADDR_MARTIAN },
		{ "64:ff9b::1", ADDR_MARTIAN },
		{ "2001::1", ADDR_MARTIAN },
		{ "2001:1ff::1", ADDR_MARTIAN },
		{ "2001:200::1", ADDR_GLOBAL },
		{ "2001:db8::1", ADDR_MARTIAN },
		{ "2002:102:304::1", ADDR_MARTIAN },
		{ "2003::1", ADDR_GLOBAL },
		{ "3fff:1::1", ADDR_MARTIAN },
		{ "3fff:1000::1", ADDR_GLOBAL },
		{ "4000::1", ADDR_MARTIAN },
		{ "fc00::1", ADDR_PRIVATE },
		{ "fdff::1", ADDR_PRIVATE },
		{ "fe80::1", ADDR_LINK },
		{ "febf::1", ADDR_LINK },
		{ "fec0::1", ADDR_MARTIAN },
		{ "ff02::1", ADDR_MARTIAN },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct addr a = addr_of(cases[i].host);

		ck_assert_msg(addr_scope(&a) == cases[i].scope, "%s", cases[i].host);
		ck_assert(addr_is_loopback(&a) == (cases[i].scope == ADDR_LOOPBACK));
		ck_assert(addr_is_private(&a) == (cases[i].scope == ADDR_PRIVATE));
		ck_assert(addr_is_global(&a) == (cases[i].scope == ADDR_GLOBAL));
		ck_assert(addr_usable(&a, false) == (cases[i].scope >= ADDR_PRIVATE));
		ck_assert(addr_usable(&a, true) ==
			  (cases[i].scope >= ADDR_PRIVATE || cases[i].scope == ADDR_LOOPBACK));
		a.port = 0;
		ck_assert(!addr_usable(&a, true));
	}
	ck_assert(!addr_usable(&(struct addr){ .port = 1 }, true));
}
END_TEST

START_TEST(insides_stay_inside)
{
	struct addr global = addr_of("8.8.8.8"), private = addr_of("10.0.0.1"),
		    local = addr_of("::1"), link = addr_of("fe80::1"), none = { 0 };

	ck_assert(addr_tellable(&global, &global) && addr_tellable(&global, &local));
	ck_assert(addr_tellable(&private, &private) && addr_tellable(&private, &local));
	ck_assert(!addr_tellable(&private, &global));
	ck_assert(addr_tellable(&local, &local) && !addr_tellable(&local, &private));
	ck_assert(!addr_tellable(&link, &local) && !addr_tellable(&none, &global));
}
END_TEST

START_TEST(groups_are_24_and_64_bits)
{
	char text[ADDR_TEXT_MAX];
	struct addr a = addr_of("1.2.3.4"), b = addr_of("1.2.3.255"), c = addr_of("1.2.4.4");

	ck_assert(addr_group(&a) == addr_group(&b));
	ck_assert(addr_group(&a) != addr_group(&c));
	a = addr_of("2a01:4f8:1:2::1");
	b = addr_of("2a01:4f8:1:2:ffff::");
	c = addr_of("2a01:4f8:1:3::1");
	ck_assert(addr_group(&a) == addr_group(&b));
	ck_assert(addr_group(&a) != addr_group(&c));
	a = addr_of("::1");
	b = addr_of("0.0.0.0");
	ck_assert(addr_group(&a) != 0 && addr_group(&b) != 0 && addr_group(&a) != addr_group(&b));
	ck_assert(addr_group(&(struct addr){ 0 }) == 0);
	a = addr_of("2a01:4f8:1:2::1");
	ck_assert(addr_group(&a) == UINT64_C(0x2a0104f800010002));
	a = addr_of("1.2.3.4");
	ck_assert(addr_group(&a) == UINT64_C(0xffffffffff010203));
	ck_assert_str_eq(addr_group_format(addr_group(&a), text), "1.2.3.0/24");
	ck_assert_str_eq(
	    addr_group_format(UINT64_C(0x2a0104f800010002), text), "2a01:4f8:1:2::/64");
	ck_assert_str_eq(addr_group_format(1, text), "0:0:0:1::/64");
	ck_assert_str_eq(addr_group_format(0, text), "none");
}
END_TEST

static bool
unpacks(const struct addr *raw)
{
	uint8_t bytes[ADDR_PACKED_BYTES];
	struct packer p = packer_on(bytes, sizeof(bytes));
	struct addr back;

	addr_pack(&p, raw);
	ck_assert(pack_ok(&p));
	ck_assert_uint_eq(p.len, ADDR_PACKED_BYTES);

	struct unpacker u = unpacker_on(bytes_of(bytes, sizeof(bytes)));

	addr_unpack(&u, &back);
	if (unpack_done(&u))
		ck_assert(addr_equal(raw, &back));
	else
		ck_assert_uint_eq(back.family, ADDR_NONE);
	return unpack_done(&u);
}

START_TEST(one_address_has_one_packed_form)
{
	struct addr a = addr_of("1.2.3.4");

	ck_assert(unpacks(&a));
	a.ip[15] = 1;
	ck_assert(!unpacks(&a));
	a = addr_of("2a01::1");
	ck_assert(unpacks(&a));
	a.family = 5;
	ck_assert(!unpacks(&a));
	memset(&a, 0, sizeof(a));
	ck_assert(unpacks(&a));
	a.port = 1;
	ck_assert(!unpacks(&a));
	a = (struct addr){ .family = ADDR_IPV6, .ip = { [10] = 0xff, [11] = 0xff, [12] = 8 } };
	ck_assert(!unpacks(&a));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/addr");

	suite_add(s, "text", 0, text_round_trip, what_is_no_address, names_are_split_off, NULL);
	suite_add(s, "kinds", 0, scopes_at_their_borders, insides_stay_inside,
	    groups_are_24_and_64_bits, one_address_has_one_packed_form, NULL);
	return suite_main(s);
}
