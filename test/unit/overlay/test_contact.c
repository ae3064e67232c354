/* Contacts: text and bytes both ways, and what is refused. */
#include "test/unit/suite.h"

#include <stdio.h>
#include <string.h>

#include "overlay/base/crypto.h"
#include "overlay/base/err.h"
#include "overlay/contact.h"

#define KEY_HEX "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

START_TEST(text_round_trip)
{
	static const char *const texts[] = { KEY_HEX "@1.2.3.4:5", KEY_HEX "@[2a01:4f8::1]:65535" };
	char out[CONTACT_TEXT_MAX];
	struct contact c, again;
	struct hash h;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		ck_assert_int_eq(contact_parse(texts[i], &c), ERR_OK);
		ck_assert_str_eq(contact_format(&c, out), texts[i]);
		crypto_sha256(&h, c.pub.b, sizeof(c.pub.b));
		ck_assert_mem_eq(c.id.b, h.b, sizeof(h.b));
		contact_init(&again, &c.pub, &c.addr);
		ck_assert(contact_equal(&c, &again));
		again.addr.port++;
		ck_assert(!contact_equal(&c, &again));
	}
	contact_init(&c, &c.pub, NULL); /* out may hold pub */
	ck_assert_uint_eq(c.addr.family, ADDR_NONE);
	ck_assert_mem_eq(c.id.b, again.id.b, sizeof(c.id.b));
	ck_assert_str_eq(contact_format(&c, out), KEY_HEX "@none");
}
END_TEST

START_TEST(bad_text)
{
	static const char *const bad[] = {
		"",
		"@",
		KEY_HEX,
		KEY_HEX "@",
		KEY_HEX "@1.2.3.4",
		KEY_HEX "@1.2.3.4:0",
		KEY_HEX "@none",
		KEY_HEX "0@1.2.3.4:5",
		KEY_HEX "00@1.2.3.4:5",
		KEY_HEX "@@1.2.3.4:5",
		" " KEY_HEX "@1.2.3.4:5",
		"x75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a@1.2.3.4:5",
		"d75a@1.2.3.4:5",
		KEY_HEX "@node.example.org:5",
	};
	struct contact c = { .addr.family = 99 };
	struct pubkey pub;
	char host[ADDR_HOST_MAX];
	uint16_t port;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(contact_parse(bad[i], &c) == ERR_INVALID, "%s", bad[i]);
	ck_assert_uint_eq(c.addr.family, 99);
	/* A name is for the caller to look up. */
	ck_assert_int_eq(contact_split(KEY_HEX "@node.example.org:5", &pub, host, &port), ERR_OK);
	ck_assert_str_eq(host, "node.example.org");
	ck_assert_uint_eq(port, 5);
	ck_assert_uint_eq(pub.b[0], 0xd7);
	ck_assert_int_eq(contact_split("d7@node:5", &pub, host, &port), ERR_INVALID);
	ck_assert_int_eq(contact_split(KEY_HEX "@node", &pub, host, &port), ERR_INVALID);
}
END_TEST

START_TEST(packed_round_trip)
{
	uint8_t bytes[CONTACT_PACKED_BYTES + 1] = { 0 };
	struct packer p = packer_on(bytes, sizeof(bytes));
	struct contact c, back;

	ck_assert_int_eq(contact_parse(KEY_HEX "@[2a01::1]:77", &c), ERR_OK);
	contact_pack(&p, &c);
	ck_assert(pack_ok(&p));
	ck_assert_uint_eq(p.len, CONTACT_PACKED_BYTES);

	struct unpacker u = unpacker_on(bytes_of(bytes, CONTACT_PACKED_BYTES));

	contact_unpack(&u, &back);
	ck_assert(unpack_done(&u));
	ck_assert(contact_equal(&c, &back));
	ck_assert_mem_eq(c.id.b, back.id.b, sizeof(c.id.b));

	for (size_t len = 0; len < CONTACT_PACKED_BYTES; len++) {
		u = unpacker_on(bytes_of(bytes, len));
		contact_unpack(&u, &back);
		ck_assert(!unpack_done(&u));
	}

	/* No port; no address. */
	bytes[CONTACT_PACKED_BYTES - 1] = 0;
	u = unpacker_on(bytes_of(bytes, CONTACT_PACKED_BYTES));
	contact_unpack(&u, &back);
	ck_assert(!unpack_done(&u));
	memset(bytes + 32, 0, ADDR_PACKED_BYTES);
	u = unpacker_on(bytes_of(bytes, CONTACT_PACKED_BYTES));
	contact_unpack(&u, &back);
	ck_assert(!unpack_done(&u));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/contact");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "contact", 0, text_round_trip, bad_text, packed_round_trip, NULL);
	return suite_main(s);
}
