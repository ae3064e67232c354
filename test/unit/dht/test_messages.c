/*
 * Messages of the DHT: there and back, what fits, and what is refused.
 */
#include "dht/messages.h"

#include "overlay/base/err.h"
#include "overlay/base/msg.h"
#include "test/unit/dht/nodes.h"
#include "test/unit/suite.h"

#define BODY 1024

static struct contacts
contacts(struct dice *d, size_t count, bool v6)
{
	struct contacts c = { .count = count };

	for (size_t i = 0; i < count; i++) {
		c.at[i] = node_random(d);
		if (v6) {
			c.at[i].addr.family = ADDR_IPV6;
			dice_bytes(d, c.at[i].addr.ip, 16);
			c.at[i].addr.ip[0] = 0x20;
		}
	}
	return c;
}

START_TEST(requests_round_trip)
{
	struct dice d = { 1 };
	struct buf b;
	struct find_node n, n2;
	struct find_region r = { .bits = 17, .has_after = _i == 1 }, r2;
	struct get g = { .kind = RECORD_LOCATION, .skip = 3 }, g2;

	buf_init(&b, BODY);
	dice_bytes(&d, n.target.b, 32);
	ck_assert_int_eq(find_node_pack(&n, &b), ERR_OK);
	ck_assert_int_eq(find_node_unpack(buf_bytes(&b), &n2), ERR_OK);
	ck_assert(id_equal(&n.target, &n2.target));

	buf_reset(&b);
	dice_bytes(&d, r.prefix.b, 32);
	if (r.has_after)
		dice_bytes(&d, r.after.b, 32);
	ck_assert_int_eq(find_region_pack(&r, &b), ERR_OK);
	ck_assert_int_eq(find_region_unpack(buf_bytes(&b), &r2), ERR_OK);
	ck_assert(r2.bits == 17 && r2.has_after == r.has_after);
	ck_assert(id_equal(&r.prefix, &r2.prefix));
	ck_assert(!r.has_after || id_equal(&r.after, &r2.after));

	buf_reset(&b);
	dice_bytes(&d, g.key.b, 32);
	ck_assert_int_eq(get_pack(&g, &b), ERR_OK);
	ck_assert_int_eq(get_unpack(buf_bytes(&b), &g2), ERR_OK);
	ck_assert(id_equal(&g.key, &g2.key) && g2.kind == g.kind && g2.skip == 3);
	buf_fini(&b);
}
END_TEST

START_TEST(as_many_contacts_as_fit)
{
	struct dice d = { 2 };
	struct nodes_reply m = { .contacts = contacts(&d, CONTACTS_MAX, _i == 1) }, got;
	struct buf b;

	buf_init(&b, BODY);
	ck_assert_int_eq(nodes_reply_pack(&m, &b), ERR_OK);
	ck_assert_uint_le(b.len, BODY);
	ck_assert_int_eq(nodes_reply_unpack(buf_bytes(&b), &got), ERR_OK);
	ck_assert_uint_ge(got.contacts.count, 16);
	ck_assert_uint_eq(got.contacts.count, _i == 1 ? 19 : 26);
	ck_assert_int_eq(got.more, _i == 1);
	for (size_t i = 0; i < got.contacts.count; i++)
		ck_assert(contact_equal(&got.contacts.at[i], &m.contacts.at[i]));
	buf_fini(&b);
	/* An unproven asker leaves less room. */
	buf_init(&b, 200);
	ck_assert_int_eq(nodes_reply_pack(&m, &b), ERR_OK);
	ck_assert_int_eq(nodes_reply_unpack(buf_bytes(&b), &got), ERR_OK);
	ck_assert(got.more);
	ck_assert_uint_ge(got.contacts.count, 3);
	buf_fini(&b);
}
END_TEST

START_TEST(records_and_contacts_share_the_room)
{
	static uint8_t bytes[RECORD_BYTES_MAX];
	struct dice d = { 3 };
	struct get_reply m = { .total = 4, .contacts = contacts(&d, 20, false) }, got;
	struct buf b;

	buf_init(&b, BODY);
	m.records.count = 3;
	m.records.at[0] = m.records.at[1] = bytes_of(bytes, 420);
	m.records.at[2] = bytes_of(bytes, 300);
	ck_assert_int_eq(get_reply_pack(&m, &b), ERR_OK);
	ck_assert_int_eq(get_reply_unpack(buf_bytes(&b), &got), ERR_OK);
	ck_assert_uint_eq(got.records.count, 2);
	ck_assert_uint_eq(got.total, 4);
	ck_assert_uint_eq(got.contacts.count, 4);

	buf_reset(&b);
	m.records.count = 1;
	m.records.at[0] = bytes_of(bytes, RECORD_BYTES_MAX);
	ck_assert_int_eq(get_reply_pack(&m, &b), ERR_OK);
	ck_assert_int_eq(get_reply_unpack(buf_bytes(&b), &got), ERR_OK);
	ck_assert_uint_eq(got.records.count, 1);
	ck_assert_uint_eq(got.records.at[0].len, RECORD_BYTES_MAX);
	buf_fini(&b);
}
END_TEST

START_TEST(puts_round_trip)
{
	static uint8_t bytes[RECORD_BYTES_MAX];
	struct raw_records m = { .count = 2 }, got;
	struct put_reply r = { .count = 3, .err = { ERR_OK, ERR_FULL, ERR_PLACEMENT } }, r2;
	struct bytes self;
	struct buf b;

	buf_init(&b, BODY);
	m.at[0] = bytes_of(bytes, 500);
	m.at[1] = bytes_of(bytes, 480);
	ck_assert_int_eq(put_pack(&m, &b), ERR_OK);
	ck_assert_uint_le(b.len, put_bytes(&m));
	ck_assert_int_eq(put_unpack(buf_bytes(&b), &got), ERR_OK);
	ck_assert_uint_eq(got.count, 2);
	ck_assert_uint_eq(got.at[1].len, 480);

	buf_reset(&b);
	ck_assert_int_eq(put_reply_pack(&r, &b), ERR_OK);
	ck_assert_int_eq(put_reply_unpack(buf_bytes(&b), &r2), ERR_OK);
	ck_assert_uint_eq(r2.count, 3);
	ck_assert_int_eq(r2.err[1], ERR_FULL);
	ck_assert_int_eq(r2.err[2], ERR_PLACEMENT);

	buf_reset(&b);
	ck_assert_int_eq(self_reply_pack(bytes_of(bytes, RECORD_BYTES_MAX), &b), ERR_OK);
	ck_assert_int_eq(self_reply_unpack(buf_bytes(&b), &self), ERR_OK);
	ck_assert_uint_eq(self.len, RECORD_BYTES_MAX);
	buf_fini(&b);
}
END_TEST

/* A contacts field of these bytes, in a reply. */
static int
reply_with(const void *contacts, size_t len)
{
	struct nodes_reply got;
	struct msg_writer w;
	struct buf b;
	int err;

	buf_init(&b, 4096);
	w = msg_writer_on(&b);
	msg_put_map(&w, 2);
	msg_pair_bin(&w, 1, bytes_of(contacts, len));
	msg_pair_bool(&w, 2, false);
	ck_assert_int_eq(msg_done(&w), ERR_OK);
	err = nodes_reply_unpack(buf_bytes(&b), &got);
	buf_fini(&b);
	return err;
}

START_TEST(bad_contacts_are_refused)
{
	uint8_t c[27 * 39] = { ADDR_IPV4, 127, 0, 0, 1, 0x10, 0x00 };
	struct find_node n;

	ck_assert_int_eq(reply_with(c, 0), ERR_OK);
	ck_assert_int_eq(reply_with(c, 39), ERR_OK);
	ck_assert_int_eq(reply_with(c, 38), ERR_INVALID);
	ck_assert_int_eq(reply_with(c, 40), ERR_INVALID);
	for (size_t i = 1; i < 27; i++)
		memcpy(c + i * 39, c, 39);
	ck_assert_int_eq(reply_with(c, 26 * 39), ERR_OK);
	ck_assert_int_eq(reply_with(c, 27 * 39), ERR_INVALID);
	c[5] = 0; /* port 0 */
	ck_assert_int_eq(reply_with(c, 39), ERR_INVALID);
	c[5] = 0x10;
	c[0] = 5; /* no such family */
	ck_assert_int_eq(reply_with(c, 39), ERR_INVALID);
	ck_assert_int_eq(find_node_unpack(bytes_of("\x80", 1), &n), ERR_INVALID);
	ck_assert_int_ne(find_node_unpack(bytes_of("", 0), &n), ERR_OK);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht/messages");
	TCase *tc = tcase_create("loops");

	must(crypto_init() == ERR_OK);
	tcase_add_loop_test(tc, requests_round_trip, 0, 2);
	tcase_add_loop_test(tc, as_many_contacts_as_fit, 0, 2);
	suite_add_tcase(s, tc);
	suite_add(s, "rules", 0, records_and_contacts_share_the_room, puts_round_trip,
	    bad_contacts_are_refused, NULL);
	return suite_main(s);
}
