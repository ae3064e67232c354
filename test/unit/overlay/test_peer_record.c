/* Records: round trip, countersignatures, every rule, every damaged byte. */
#include "test/unit/suite.h"

#include <stdio.h>
#include <string.h>

#include "overlay/base/err.h"
#include "overlay/base/pack.h"
#include "overlay/peer_record.h"

static const struct network_id net = { { 1, 2, 3, 4 } }, other_net = { { 1, 2, 3, 5 } };

static void
identity_of(uint8_t number, struct identity *out)
{
	struct key seed = { { number } };

	identity_from_seed(&seed, out);
}

/* Everything at its longest, countersigned by identity 2. */
static void
full_record(struct identity *node, struct peer_record *r)
{
	struct identity operator_id;

	identity_of(1, node);
	identity_of(2, &operator_id);
	*r = (struct peer_record){
		.pub = node->pub,
		.roles = PEER_SERVER | PEER_STORAGE,
		.addrs_count = PEER_RECORD_ADDRS_MAX,
		.country = { 'D', 'E' },
		.region = "eu-central-1-abc",
		.countersigned = true,
		.operator_key = operator_id.pub,
		.free_bytes = GIB(100),
		.capacity_bytes = GIB(1000),
		.version_min = 1,
		.version_max = 3,
		.software = "skerry 1.2.3-rc4+debian1",
		.sequence = 1700000000000,
		.issued_ms = 1700000000001,
	};
	for (uint8_t i = 0; i < PEER_RECORD_ADDRS_MAX; i++)
		r->addrs[i] = (struct addr){ .family = i % 2 ? ADDR_IPV6 : ADDR_IPV4,
			.ip = { 0x20, 1, 2, i },
			.port = (uint16_t)(i + 1) };
	peer_record_countersign(&operator_id.sign, &net, &node->pub, &r->operator_sig);
}

static size_t
pack(const struct peer_record *r, const struct identity *node, uint8_t out[PEER_RECORD_BYTES_MAX])
{
	size_t len = 0;

	ck_assert_int_eq(peer_record_pack(r, node, &net, out, PEER_RECORD_BYTES_MAX, &len), ERR_OK);
	return len;
}

START_TEST(round_trip)
{
	struct identity node;
	struct peer_record r, back;
	uint8_t bytes[PEER_RECORD_BYTES_MAX], again[PEER_RECORD_BYTES_MAX];

	full_record(&node, &r);
	ck_assert_uint_eq(strlen(r.region), PEER_REGION_MAX);
	ck_assert_uint_eq(strlen(r.software), PEER_SOFTWARE_MAX);

	size_t len = pack(&r, &node, bytes);

	ck_assert_mem_eq(bytes, "skerry/peer/1\1\2\3\4", 17);
	ck_assert_int_eq(peer_record_unpack(bytes_of(bytes, len), &net, &back), ERR_OK);
	ck_assert(back.countersigned && pubkey_equal(&back.operator_key, &r.operator_key));
	ck_assert_uint_eq(back.addrs_count, 4);
	ck_assert(addr_equal(&back.addrs[3], &r.addrs[3]));
	ck_assert_str_eq(back.region, r.region);
	ck_assert_str_eq(back.software, r.software);
	ck_assert_mem_eq(back.country, "DE", 2);
	ck_assert_uint_eq(back.roles, r.roles);
	ck_assert(back.free_bytes == r.free_bytes && back.capacity_bytes == r.capacity_bytes);
	ck_assert(back.version_min == 1 && back.version_max == 3);
	ck_assert(back.sequence == r.sequence && back.issued_ms == r.issued_ms);
	ck_assert_uint_eq(pack(&back, &node, again), len);
	ck_assert_mem_eq(bytes, again, len);
}
END_TEST

START_TEST(the_least_one_can_say)
{
	struct identity node;
	struct peer_record r = { .version_min = 1, .version_max = 1 }, back;
	uint8_t bytes[PEER_RECORD_BYTES_MAX];

	identity_of(1, &node);
	r.pub = r.operator_key = node.pub;

	size_t len = pack(&r, &node, bytes);

	ck_assert_int_eq(peer_record_unpack(bytes_of(bytes, len), &net, &back), ERR_OK);
	ck_assert(!back.countersigned && pubkey_equal(&back.operator_key, &node.pub));
	ck_assert_uint_eq(back.addrs_count, 0);
	ck_assert_str_eq(back.region, "");
}
END_TEST

START_TEST(no_byte_can_be_changed)
{
	struct identity node;
	struct peer_record r, back = { .roles = 77 };
	uint8_t bytes[PEER_RECORD_BYTES_MAX + 1] = { 0 };

	full_record(&node, &r);

	size_t len = pack(&r, &node, bytes);

	for (size_t at = 0; at < len; at++) {
		bytes[at] ^= 0x01;
		ck_assert_int_ne(peer_record_unpack(bytes_of(bytes, len), &net, &back), ERR_OK);
		bytes[at] ^= 0x01;
		ck_assert_int_ne(peer_record_unpack(bytes_of(bytes, at), &net, &back), ERR_OK);
	}
	ck_assert_int_eq(peer_record_unpack(bytes_of(bytes, len + 1), &net, &back), ERR_INVALID);
	ck_assert_int_eq(
	    peer_record_unpack(bytes_of(bytes, sizeof(bytes)), &net, &back), ERR_TOO_BIG);
	ck_assert_int_eq(
	    peer_record_unpack(bytes_of(bytes, len), &other_net, &back), ERR_WRONG_NETWORK);
	bytes[12] = '2';
	ck_assert_int_eq(peer_record_unpack(bytes_of(bytes, len), &net, &back), ERR_VERSION);
	bytes[7] = 'x';
	ck_assert_int_eq(peer_record_unpack(bytes_of(bytes, len), &net, &back), ERR_INVALID);
	ck_assert_uint_eq(back.roles, 77);
}
END_TEST

START_TEST(an_operator_must_agree)
{
	struct identity node, other;
	struct peer_record r, back;
	uint8_t bytes[PEER_RECORD_BYTES_MAX];
	size_t len;

	/* A countersignature for another node, for another network, or by somebody else. */
	full_record(&node, &r);
	identity_of(2, &other);
	peer_record_countersign(&other.sign, &net, &other.pub, &r.operator_sig);
	ck_assert_int_eq(
	    peer_record_pack(&r, &node, &net, bytes, sizeof(bytes), &len), ERR_INVALID);
	peer_record_countersign(&other.sign, &other_net, &node.pub, &r.operator_sig);
	ck_assert_int_eq(
	    peer_record_pack(&r, &node, &net, bytes, sizeof(bytes), &len), ERR_INVALID);
	peer_record_countersign(&node.sign, &net, &node.pub, &r.operator_sig);
	ck_assert_int_eq(
	    peer_record_pack(&r, &node, &net, bytes, sizeof(bytes), &len), ERR_INVALID);

	/* What the node's own signature covers is still not the operator's word: sign it anyway. */
	full_record(&node, &r);
	len = pack(&r, &node, bytes);

	size_t sig_at = 17 + 32 + 4 + 1 + 4 * ADDR_PACKED_BYTES + 2 + 1 + PEER_REGION_MAX + 1 + 32;
	struct sig sig;

	ck_assert_mem_eq(bytes + sig_at, r.operator_sig.b, 64);
	bytes[sig_at + 5] ^= 1;
	crypto_sign_data(&sig, &node.sign, bytes, len - 64);
	memcpy(bytes + len - 64, sig.b, 64);
	ck_assert_int_eq(peer_record_unpack(bytes_of(bytes, len), &net, &back), ERR_AUTH);
}
END_TEST

START_TEST(every_rule)
{
	struct identity node;
	struct peer_record good, r, back;
	uint8_t bytes[PEER_RECORD_BYTES_MAX];
	size_t len = 0;

	full_record(&node, &good);
#define REFUSED(change)                                                                            \
	do {                                                                                       \
		r = good;                                                                          \
		change;                                                                            \
		ck_assert_msg(                                                                     \
		    peer_record_pack(&r, &node, &net, bytes, sizeof(bytes), &len) == ERR_INVALID,  \
		    #change);                                                                      \
	} while (0)
	REFUSED(r.addrs_count = PEER_RECORD_ADDRS_MAX + 1);
	REFUSED(r.addrs[1].port = 0);
	REFUSED(memset(&r.addrs[1], 0, sizeof(r.addrs[1])));
	REFUSED(r.addrs[1].family = 7);
	REFUSED(r.addrs[0].ip[9] = 1);
	REFUSED(r.country[0] = 'd');
	REFUSED(r.country[1] = '\0');
	REFUSED(r.country[0] = '\0');
	REFUSED(r.region[2] = '\n');
	REFUSED(r.region[2] = ' ');
	REFUSED(memset(r.region, 'x', sizeof(r.region)));
	REFUSED(r.software[2] = '\x7f');
	REFUSED(memset(r.software, 'x', sizeof(r.software)));
	REFUSED(r.free_bytes = r.capacity_bytes + 1);
	REFUSED(r.version_min = 0);
	REFUSED(r.version_min = r.version_max + 1);
	REFUSED(r.operator_key = r.pub);
	REFUSED(r.countersigned = false);
#undef REFUSED
	ck_assert_int_eq(peer_record_pack(&good, &node, &net, bytes, 100, &len), ERR_TOO_BIG);

	/* The same rules on the way in, from a node that signs what it should not. */
	static const struct {
		size_t at;
		uint8_t value;
	} forged[] = {
		{ 17 + 32 + 4, 5 },     /* addresses */
		{ 17 + 32 + 4 + 1, 5 }, /* family */
		{ 130, 'd' },           /* country */
		{ 132, 17 },            /* length of region */
		{ 133, ' ' },           /* region */
		{ 133, '\0' },
		{ 149, 2 }, /* countersigned */
		{ 149, 0 },
	};

	len = pack(&good, &node, bytes);
	ck_assert_mem_eq(bytes + 130,
	    "DE\x10"
	    "eu",
	    5);
	ck_assert_uint_eq(bytes[149], 1);
	for (size_t i = 0; i < ARRAY_LEN(forged); i++) {
		uint8_t copy[PEER_RECORD_BYTES_MAX];
		struct sig sig;

		memcpy(copy, bytes, len);
		copy[forged[i].at] = forged[i].value;
		crypto_sign_data(&sig, &node.sign, copy, len - 64);
		memcpy(copy + len - 64, sig.b, 64);
		ck_assert_int_eq(peer_record_unpack(bytes_of(copy, len), &net, &back), ERR_INVALID);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/peer_record");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "peer_record", 60, round_trip, the_least_one_can_say, no_byte_can_be_changed,
	    an_operator_must_agree, every_rule, NULL);
	return suite_main(s);
}
