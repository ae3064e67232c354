/*
 * Records of all kinds: made, read, and refused after any change of a byte.
 */
#include "dht/record.h"

#include "overlay/base/err.h"
#include "overlay/peer_record.h"
#include "test/unit/suite.h"

static const struct network_id net = { { 1, 2, 3, 4 } };
static const struct network_id other_net = { { 1, 2, 3, 5 } };

static struct identity
identity(uint8_t n)
{
	struct identity who;
	struct key seed;

	memset(seed.b, n, sizeof(seed.b));
	identity_from_seed(&seed, &who);
	return who;
}

static struct hash
chunk(uint8_t n)
{
	struct hash h;

	memset(h.b, n, sizeof(h.b));
	return h;
}

static struct location
location(uint8_t count)
{
	struct location l = { .sequence = 1700000000000, .count = count };

	for (uint8_t i = 0; i < count; i++) {
		/* descending: location_make brings them in order */
		l.holders[i].index = (uint8_t)(count - 1 - i);
		memset(l.holders[i].prefix, i, sizeof(l.holders[i].prefix));
	}
	return l;
}

/* Every single changed byte, every shorter and one longer length must be refused. */
static void
refuses_changes(const struct record *r)
{
	struct record got;

	for (size_t i = 0; i < r->len; i++) {
		uint8_t bytes[RECORD_BYTES_MAX];

		memcpy(bytes, r->bytes, r->len);
		bytes[i] ^= 0x10;
		ck_assert_int_ne(record_read(bytes_of(bytes, r->len), net, &got), ERR_OK);
		ck_assert_int_ne(record_read(bytes_of(r->bytes, i), net, &got), ERR_OK);
	}
	if (r->len < RECORD_BYTES_MAX) {
		struct record longer = *r;

		longer.bytes[r->len] = 0;
		ck_assert_int_ne(
		    record_read(bytes_of(longer.bytes, r->len + 1u), net, &got), ERR_OK);
	}
	ck_assert_int_eq(
	    record_read(bytes_of(r->bytes, r->len), other_net, &got), ERR_WRONG_NETWORK);
}

static void
reads_back(const struct record *r)
{
	struct record got;

	ck_assert_int_eq(record_read(bytes_of(r->bytes, r->len), net, &got), ERR_OK);
	ck_assert_int_eq(got.kind, r->kind);
	ck_assert(id_equal(&got.key, &r->key));
	ck_assert(pubkey_equal(&got.publisher, &r->publisher));
	ck_assert_uint_eq(got.sequence, r->sequence);
	ck_assert_uint_eq(got.len, r->len);
	ck_assert_mem_eq(got.bytes, r->bytes, r->len);
}

START_TEST(location_round_trip)
{
	struct identity who = identity(7);
	struct hash c = chunk(9);
	struct location l = location((uint8_t)_i), got;
	struct record r;
	struct id key;

	ck_assert_int_eq(location_make(net, &c, &l, &who, &r), ERR_OK);
	reads_back(&r);
	location_key(net, &c, &key);
	ck_assert(id_equal(&key, &r.key));
	ck_assert_int_eq(location_open(&r, &got), ERR_OK);
	ck_assert_uint_eq(got.count, l.count);
	for (uint8_t i = 0; i < got.count; i++) {
		ck_assert_uint_eq(got.holders[i].index, i);
		ck_assert_uint_eq(got.holders[i].prefix[0], l.count - 1 - i);
	}
	if (_i <= 2)
		refuses_changes(&r);
}
END_TEST

START_TEST(location_limits)
{
	struct identity who = identity(7);
	struct hash c = chunk(9);
	struct location l = location(RECORD_HOLDERS_MAX);
	struct record r;

	l.count = RECORD_HOLDERS_MAX + 1;
	ck_assert_int_eq(location_make(net, &c, &l, &who, &r), ERR_INVALID);
	l.count = 0;
	ck_assert_int_eq(location_make(net, &c, &l, &who, &r), ERR_INVALID);
	l = location(2);
	l.holders[1] = l.holders[0];
	ck_assert_int_eq(location_make(net, &c, &l, &who, &r), ERR_INVALID);
}
END_TEST

START_TEST(location_keys_differ)
{
	struct hash a = chunk(1), b = chunk(2);
	struct id x, y, z;

	location_key(net, &a, &x);
	location_key(net, &b, &y);
	location_key(other_net, &a, &z);
	ck_assert(!id_equal(&x, &y));
	ck_assert(!id_equal(&x, &z));
}
END_TEST

/* Without the chunk's id nobody can sign for its key, nor take over another's signature. */
START_TEST(publisher_is_bound)
{
	struct identity a = identity(1), b = identity(2);
	struct hash c = chunk(9);
	struct location l = location(3);
	struct record of_a, of_b, got;
	size_t publisher_at = 17 + 4 + 32;

	ck_assert_int_eq(location_make(net, &c, &l, &a, &of_a), ERR_OK);
	ck_assert_int_eq(location_make(net, &c, &l, &b, &of_b), ERR_OK);
	memcpy(of_a.bytes + publisher_at, b.pub.b, 32);
	memcpy(of_a.bytes + of_a.len - 64, of_b.bytes + of_b.len - 64, 64);
	ck_assert_int_eq(record_read(bytes_of(of_a.bytes, of_a.len), net, &got), ERR_AUTH);
}
END_TEST

START_TEST(signed_round_trip)
{
	static const uint16_t lengths[] = { 0, 1, 100, RECORD_SIGNED_VALUE_MAX };
	struct identity who = identity(3), stranger = identity(4);
	struct signed_value v = { .owner = who.pub, .sequence = 42, .len = lengths[_i] }, got;
	struct record r;
	struct id key;

	memset(v.salt, 5, sizeof(v.salt));
	memset(v.value, 6, v.len);
	ck_assert_int_eq(signed_make(net, &stranger.sign, &v, &r), ERR_AUTH);
	ck_assert_int_eq(signed_make(net, &who.sign, &v, &r), ERR_OK);
	reads_back(&r);
	signed_key(&who.pub, v.salt, &key);
	ck_assert(id_equal(&key, &r.key));
	ck_assert_int_eq(signed_open(&r, &got), ERR_OK);
	ck_assert_uint_eq(got.len, v.len);
	ck_assert_mem_eq(got.value, v.value, v.len);
	ck_assert_int_eq(location_open(&r, &(struct location){ 0 }), ERR_INVALID);
	if (_i == 1)
		refuses_changes(&r);
	v.len = RECORD_SIGNED_VALUE_MAX + 1;
	ck_assert_int_eq(signed_make(net, &who.sign, &v, &r), ERR_TOO_BIG);
}
END_TEST

START_TEST(peer_is_a_record)
{
	struct identity who = identity(3);
	struct peer_record p = { .pub = who.pub,
		.roles = PEER_SERVER,
		.addrs_count = 1,
		.addrs = { { .family = ADDR_IPV4, .ip = { 127, 0, 0, 1 }, .port = 4000 } },
		.operator_key = who.pub,
		.version_min = 1,
		.version_max = 1,
		.sequence = 77,
		.issued_ms = 78 };
	uint8_t bytes[RECORD_BYTES_MAX];
	struct record r;
	size_t len;

	ck_assert_int_eq(peer_record_pack(&p, &who, &net, bytes, sizeof(bytes), &len), ERR_OK);
	ck_assert_int_eq(record_read(bytes_of(bytes, len), net, &r), ERR_OK);
	ck_assert_int_eq(r.kind, RECORD_PEER);
	ck_assert(id_equal(&r.key, &who.id));
	ck_assert_uint_eq(r.sequence, 77);
	refuses_changes(&r);
}
END_TEST

START_TEST(noise_and_future_are_told_apart)
{
	struct record r;
	uint8_t big[RECORD_BYTES_MAX + 1] = { 0 };

	ck_assert_int_eq(record_read(bytes_of("", 0), net, &r), ERR_INVALID);
	ck_assert_int_eq(record_read(bytes_of("skerry/location/2xxxx", 21), net, &r), ERR_VERSION);
	ck_assert_int_eq(record_read(bytes_of(big, sizeof(big)), net, &r), ERR_TOO_BIG);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("dht/record");
	TCase *tc = tcase_create("loops");

	must(crypto_init() == ERR_OK);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, location_round_trip, 1, RECORD_HOLDERS_MAX + 1);
	tcase_add_loop_test(tc, signed_round_trip, 0, 4);
	suite_add_tcase(s, tc);
	suite_add(s, "rules", 60, location_limits, location_keys_differ, publisher_is_bound,
	    peer_is_a_record, noise_and_future_are_told_apart, NULL);
	return suite_main(s);
}
