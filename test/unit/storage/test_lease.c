/* Descriptors, leases and receipts: round trips, and every kind of wrong bytes. */
#include "storage/lease.h"

#include "storage/descriptor.h"
#include "test/unit/suite.h"

static const struct network_id net = { { 1, 2, 3, 4 } }, other_net = { { 1, 2, 3, 5 } };

static struct lease
make_lease(struct sign_key *key)
{
	struct pubkey pub;
	struct lease l = {
		.generation = 7,
		.until = 2000000000,
		.lock_until = 1900000000,
		.constraints = { .repair_at = 6,
		    .regions_min = 2,
		    .per_country_max = 3,
		    .countries_count = 2,
		    .countries = { "DE", "FR" } },
	};

	crypto_sign_key_from_seed(&(struct key){ { 9 } }, key, &pub);
	memset(l.chunk.b, 0xaa, sizeof(l.chunk.b));
	lease_sign(&l, net, key, &pub);
	return l;
}

START_TEST(lease_round_trip)
{
	struct sign_key key;
	struct lease l = make_lease(&key), back;
	uint8_t packed[LEASE_BYTES_MAX], again[LEASE_BYTES_MAX];
	size_t len = lease_pack(&l, net, packed);

	ck_assert_int_eq(lease_unpack(bytes_of(packed, len), net, &back), ERR_OK);
	ck_assert_uint_eq(lease_pack(&back, net, again), len);
	ck_assert_mem_eq(packed, again, len);
	ck_assert_uint_eq(back.constraints.per_country_max, 3);
	ck_assert_mem_eq(back.constraints.countries, "DEFR", 4);
}
END_TEST

START_TEST(lease_wrong_bytes_are_refused)
{
	struct sign_key key;
	struct lease l = make_lease(&key), back;
	uint8_t packed[LEASE_BYTES_MAX + 1] = { 0 };
	size_t len = lease_pack(&l, net, packed);

	for (size_t cut = 0; cut < len; cut++)
		ck_assert_int_ne(lease_unpack(bytes_of(packed, cut), net, &back), ERR_OK);
	ck_assert_int_eq(lease_unpack(bytes_of(packed, len + 1), net, &back), ERR_INVALID);
	ck_assert_int_eq(lease_unpack(bytes_of(packed, len), other_net, &back), ERR_WRONG_NETWORK);
	for (size_t i = 0; i < len; i++) {
		packed[i] ^= 0x20;
		ck_assert_int_ne(lease_unpack(bytes_of(packed, len), net, &back), ERR_OK);
		packed[i] ^= 0x20;
	}
}
END_TEST

START_TEST(terms_of_a_node)
{
	const uint64_t now = 1800000000, day = 86400;
	struct lease_terms t = { .now_unix_s = now, .trusted = true, .lock_max_s = 10 * day };
	struct lease l = { .until = now + 20 * day };

	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_OK);
	l.lock_until = now + 10 * day;
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_OK);
	l.lock_until = now + 11 * day;
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_UNSUPPORTED);
	t.lock_max_s = 0;
	l.lock_until = now + 1;
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_UNSUPPORTED);
	l.lock_until = now; /* over */
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_OK);
	l.until = now - 2 * LEASE_CLOCK_SLACK_S;
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_REFUSED);
	l.until = UINT64_MAX;
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_REFUSED);
	l.until = now + 20 * day;
	t.term_max_s = 19 * day;
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_REFUSED);
	/* Deletions: not before their lock is over, and never when nobody knows the time. */
	l.until = 0;
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_OK);
	l.lock_until = now + 1;
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_LOCKED);
	l.lock_until = now;
	t.trusted = false;
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_LOCKED);
	l.lock_until = 0;
	ck_assert_int_eq(lease_acceptable(&l, &t), ERR_OK);
}
END_TEST

/* In whatever sequence leases of one key come, what counts in the end is the same. */
START_TEST(leases_join)
{
	struct lease_rank all[12], top[3] = { { 0 } };

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		all[i] = (struct lease_rank){ i / 4 * 100, 1 + i * 7 % 5 };
	for (size_t turn = 0; turn < ARRAY_LEN(top); turn++) {
		for (size_t i = 0; i < ARRAY_LEN(all); i++) {
			struct lease_rank l = all[(i * (turn == 0 ? 1 : 5 + 2 * turn)) % 12];

			if (lease_follows(l, top[turn]) == ERR_OK)
				top[turn] = l;
			else
				ck_assert(!lease_supersedes(l, top[turn]));
		}
		ck_assert_uint_eq(top[turn].lock_until, 200);
		ck_assert_uint_eq(top[turn].generation, top[0].generation);
	}
	ck_assert_int_eq(
	    lease_follows((struct lease_rank){ 5, 9 }, (struct lease_rank){ 6, 8 }), ERR_LOCKED);
	ck_assert_int_eq(
	    lease_follows((struct lease_rank){ 5, 8 }, (struct lease_rank){ 6, 8 }), ERR_STALE);
}
END_TEST

START_TEST(a_packed_lock_is_read)
{
	struct sign_key key;
	struct lease l = make_lease(&key);
	uint8_t packed[LEASE_BYTES_MAX];
	size_t len = lease_pack(&l, net, packed);

	ck_assert_uint_eq(lease_kept_lock(bytes_of(packed, len)), l.lock_until);
	ck_assert_uint_eq(lease_kept_lock(bytes_of(packed, 105)), 0);
	ck_assert_uint_eq(lease_kept_lock(bytes_of(NULL, 0)), 0);
}
END_TEST

START_TEST(constraints_have_ranges)
{
	struct constraints c = { .repair_at = 1 };

	ck_assert(constraints_valid(&c));
	c.countries_forbidden = true;
	ck_assert(!constraints_valid(&c));
	c.countries_count = 1;
	memcpy(c.countries[0], "de", 2);
	ck_assert(!constraints_valid(&c));
	memcpy(c.countries[0], "DE", 2);
	ck_assert(constraints_valid(&c));
	c.countries_count = LEASE_COUNTRIES_MAX + 1;
	ck_assert(!constraints_valid(&c));
	c.countries_count = 1;
	c.repair_at = 0;
	ck_assert(!constraints_valid(&c));
}
END_TEST

START_TEST(receipt_round_trip_and_forgery)
{
	struct identity node, forger;
	struct receipt r = { .index = 3, .generation = 1, .until = 5, .issued = 4 }, back;
	uint8_t packed[RECEIPT_BYTES];

	identity_from_seed(&(struct key){ { 1 } }, &node);
	identity_from_seed(&(struct key){ { 2 } }, &forger);
	receipt_sign(&r, net, &node);
	ck_assert_uint_eq(receipt_pack(&r, net, packed), RECEIPT_BYTES);
	ck_assert_int_eq(receipt_unpack(bytes_of(packed, RECEIPT_BYTES), net, &back), ERR_OK);
	ck_assert_uint_eq(back.index, 3);
	ck_assert(pubkey_equal(&back.node, &node.pub));
	ck_assert_int_eq(
	    receipt_unpack(bytes_of(packed, RECEIPT_BYTES), other_net, &back), ERR_WRONG_NETWORK);
	/* Signed by one, named as another. */
	r.node = forger.pub;
	receipt_pack(&r, net, packed);
	ck_assert_int_eq(receipt_unpack(bytes_of(packed, RECEIPT_BYTES), net, &back), ERR_AUTH);
	for (size_t cut = 0; cut < RECEIPT_BYTES; cut++)
		ck_assert_int_ne(receipt_unpack(bytes_of(packed, cut), net, &back), ERR_OK);
}
END_TEST

START_TEST(descriptor_round_trip_and_wrong_bytes)
{
	struct descriptor d = { .k = 4, .n = 6, .chunk_bytes = 1000 }, back;
	uint8_t packed[DESCRIPTOR_BYTES_MAX + 1] = { 0 };
	size_t len;

	for (size_t i = 0; i < 6; i++)
		d.roots[i].b[0] = (uint8_t)i;
	len = descriptor_pack(&d, packed);
	ck_assert_uint_eq(len, DESCRIPTOR_BYTES(6));
	ck_assert_int_eq(descriptor_unpack(bytes_of(packed, len), &back), ERR_OK);
	ck_assert_uint_eq(back.chunk_bytes, 1000);
	ck_assert_mem_eq(back.roots, d.roots, 6 * sizeof(d.roots[0]));
	ck_assert_int_eq(descriptor_unpack(bytes_of(packed, len + 1), &back), ERR_INVALID);
	for (size_t cut = 0; cut < len; cut++)
		ck_assert_int_ne(descriptor_unpack(bytes_of(packed, cut), &back), ERR_OK);
	packed[14] = 2; /* another code */
	ck_assert_int_eq(descriptor_unpack(bytes_of(packed, len), &back), ERR_VERSION);
	packed[14] = DESCRIPTOR_CODE_CAUCHY;
	packed[15] = 0; /* k */
	ck_assert_int_eq(descriptor_unpack(bytes_of(packed, len), &back), ERR_INVALID);
	packed[15] = 4;
	memset(packed + 17, 0xff, 8); /* length */
	ck_assert_int_eq(descriptor_unpack(bytes_of(packed, len), &back), ERR_INVALID);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/lease");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "lease", 0, lease_round_trip, lease_wrong_bytes_are_refused,
	    constraints_have_ranges, terms_of_a_node, leases_join, a_packed_lock_is_read, NULL);
	suite_add(s, "receipt", 0, receipt_round_trip_and_forgery, NULL);
	suite_add(s, "descriptor", 0, descriptor_round_trip_and_wrong_bytes, NULL);
	return suite_main(s);
}
