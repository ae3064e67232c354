/*
 * Formats of segment files: what is packed comes back; every flipped bit, cut and foreign place
 * is refused; random bytes never pass and never crash.
 */
#include "storage/crc.h"
#include "storage/segment.h"
#include "test/unit/storage/store_fixture.h"
#include "test/unit/suite.h"

START_TEST(crc_check_values)
{
	/* RFC 3720, B.4, and the usual check string */
	uint8_t zeros[32] = { 0 }, ones[32];

	memset(ones, 0xff, sizeof(ones));
	ck_assert_uint_eq(crc32c("123456789", 9), 0xe3069283);
	ck_assert_uint_eq(crc32c(zeros, 32), 0x8a9136aa);
	ck_assert_uint_eq(crc32c(ones, 32), 0x62a8ab43);
	ck_assert_uint_eq(crc32c_more(crc32c("1234", 4), "56789", 5), 0xe3069283);
	ck_assert_uint_eq(crc32c(NULL, 0), 0);
}
END_TEST

static struct segment_header
some_segment(void)
{
	return (struct segment_header){ .net = fx_net,
		.store = { { 5, 6 } },
		.segment = 7,
		.generation = UINT64_C(0x1122334455667788),
		.bytes = MIB(1),
		.created_unix_s = 1700000000 };
}

START_TEST(segment_header_round_trip)
{
	struct segment_header h = some_segment(), got;
	uint8_t block[SEGMENT_BLOCK];
	uint16_t version = 0;

	segment_header_pack(&h, block);
	ck_assert_int_eq(segment_header_unpack(block, &got, &version), ERR_OK);
	ck_assert_uint_eq(version, SEGMENT_VERSION);
	ck_assert_uint_eq(got.segment, 7);
	ck_assert_uint_eq(got.generation, h.generation);
	ck_assert_uint_eq(got.bytes, h.bytes);
	ck_assert_mem_eq(&got.store, &h.store, sizeof(h.store));
	for (size_t bit = 0; bit < 68 * 8; bit++) {
		int err;

		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
		err = segment_header_unpack(block, &got, &version);
		ck_assert(err == ERR_CORRUPT || err == ERR_VERSION);
		block[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

START_TEST(newer_segment_is_named)
{
	struct segment_header h = some_segment(), got;
	uint8_t block[SEGMENT_BLOCK];
	uint16_t version = 0;

	segment_header_pack(&h, block);
	block[9] = 9;
	ck_assert_int_eq(segment_header_unpack(block, &got, &version), ERR_VERSION);
	ck_assert_uint_eq(version, 9);
}
END_TEST

static struct extent_header
some_shard(void)
{
	struct extent_header h = { .kind = EXTENT_SHARD,
		.place = { 7, 8192 },
		.generation = 99,
		.number = 3,
		.index = 2,
		.k = 2,
		.n = 5,
		.chunk_bytes = 300000 };
	struct layout l;

	must(layout_make(h.k, h.n, h.chunk_bytes, &l) == ERR_OK);
	h.bytes = extent_shard_bytes(&l);
	h.payload_bytes = l.shard_bytes;
	return h;
}

START_TEST(extent_header_round_trip)
{
	struct extent_header h = some_shard(), got;
	uint8_t text[EXTENT_HEADER_BYTES];

	extent_header_pack(&h, text);
	ck_assert(extent_magic(text));
	ck_assert_int_eq(extent_header_unpack(text, h.place, 99, MIB(1), &got), ERR_OK);
	ck_assert_uint_eq(got.bytes, h.bytes);
	ck_assert_uint_eq(got.payload_bytes, h.payload_bytes);
	ck_assert_uint_eq(got.number, 3);
	ck_assert_uint_eq(got.index, 2);
	/* another place, life, or a file that ends before */
	ck_assert_int_eq(
	    extent_header_unpack(text, (struct place){ 7, 4096 }, 99, MIB(1), &got), ERR_CORRUPT);
	ck_assert_int_eq(
	    extent_header_unpack(text, (struct place){ 8, 8192 }, 99, MIB(1), &got), ERR_CORRUPT);
	ck_assert_int_eq(extent_header_unpack(text, h.place, 98, MIB(1), &got), ERR_CORRUPT);
	ck_assert_int_eq(
	    extent_header_unpack(text, h.place, 99, 8192 + h.bytes - 1, &got), ERR_CORRUPT);
	for (size_t bit = 0; bit < sizeof(text) * 8; bit++) {
		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_ne(extent_header_unpack(text, h.place, 99, MIB(1), &got), ERR_OK);
		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}
END_TEST

START_TEST(extent_lengths_must_follow)
{
	struct extent_header h = some_shard(), got;
	uint8_t text[EXTENT_HEADER_BYTES];

	h.bytes += SEGMENT_BLOCK; /* a whole CRC over a lie */
	extent_header_pack(&h, text);
	ck_assert_int_eq(extent_header_unpack(text, h.place, 99, MIB(1), &got), ERR_CORRUPT);
	h = some_shard();
	h.index = h.n;
	extent_header_pack(&h, text);
	ck_assert_int_eq(extent_header_unpack(text, h.place, 99, MIB(1), &got), ERR_CORRUPT);
	h = (struct extent_header){ .kind = EXTENT_RECORDS,
		.place = { 7, 8192 },
		.generation = 99,
		.payload_bytes = RECORDS_EXTENT_MAX + 1 };
	h.bytes = block_ceil(EXTENT_HEADER_BYTES + h.payload_bytes);
	extent_header_pack(&h, text);
	ck_assert_int_eq(extent_header_unpack(text, h.place, 99, MIB(1), &got), ERR_CORRUPT);
}
END_TEST

START_TEST(trailer_round_trip)
{
	struct fx_chunk c;
	struct extent_header h;
	struct trailer t, got;
	struct lease lease;
	struct hash leaves[8];
	uint8_t *text = malloc(KIB(64)), descriptor[DESCRIPTOR_BYTES_MAX], packed[LEASE_BYTES_MAX];
	size_t len, covered;

	fx_chunk_init(&c, 1, 2, 5, 300000);
	fx_lease(&lease, 1, &c.id, 4);
	fx_fill(5, (uint8_t *)leaves, sizeof(leaves));
	h = some_shard();
	t = (struct trailer){ .place = h.place,
		.generation = 99,
		.index = 2,
		.order = 55,
		.stored_unix_s = 17,
		.lease_key = lease.key,
		.lease_generation = 4,
		.leaves_count = c.layout.rows,
		.leaves = leaves };
	t.descriptor = bytes_of(descriptor, descriptor_pack(c.descriptor, descriptor));
	t.lease = bytes_of(packed, lease_pack(&lease, fx_net, packed));
	len = trailer_pack(&t, text, KIB(64));
	ck_assert_uint_eq(len % SEGMENT_BLOCK, 0);
	ck_assert_uint_le(extent_trailer_offset(&c.layout) + len, h.bytes);
	ck_assert_int_eq(trailer_unpack(bytes_of(text, len), &h, &got), ERR_OK);
	ck_assert_uint_eq(got.order, 55);
	ck_assert_mem_eq(got.lease.data, packed, t.lease.len);
	ck_assert_mem_eq(got.descriptor.data, descriptor, t.descriptor.len);
	ck_assert_mem_eq(got.leaves, leaves, c.layout.rows * 32);
	covered = TRAILER_FIXED_BYTES + t.descriptor.len + t.lease.len + 32 * c.layout.rows + 4;
	for (size_t bit = 0; bit < covered * 8; bit += 5) {
		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_ne(trailer_unpack(bytes_of(text, len), &h, &got), ERR_OK);
		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < covered; cut += 3)
		ck_assert_int_eq(trailer_unpack(bytes_of(text, cut), &h, &got), ERR_CORRUPT);
	h.place.offset += SEGMENT_BLOCK;
	ck_assert_int_eq(trailer_unpack(bytes_of(text, len), &h, &got), ERR_CORRUPT);
	fx_chunk_fini(&c);
	free(text);
}
END_TEST

START_TEST(records_round_trip)
{
	static const enum record_kind kinds[] = { RECORD_LEASE, RECORD_SIBLINGS, RECORD_DROP,
		RECORD_VALUE };
	uint8_t text[4096];
	size_t len = 0;
	struct bytes left;
	struct record r;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		bool plain = kinds[i] == RECORD_DROP;
		struct record in = { .kind = kinds[i],
			.order = 100 + i,
			.chunk = { { 1 } },
			.index = 9,
			.lease_key = { { 2 } },
			.generation = 77,
			.value = bytes_of("value", plain ? 0 : 5) };
		size_t took = record_pack(&in, text + len, sizeof(text) - len);

		ck_assert_uint_gt(took, 0);
		ck_assert_uint_eq(record_pack(&in, text + len, took - 1), 0);
		len += record_pack(&in, text + len, took);
	}
	left = bytes_of(text, len);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		ck_assert_int_eq(record_unpack(&left, &r), ERR_OK);
		ck_assert_int_eq(r.kind, kinds[i]);
		ck_assert_uint_eq(r.order, 100 + i);
		ck_assert_uint_eq(r.chunk.b[0], 1);
	}
	ck_assert_int_eq(record_unpack(&left, &r), ERR_END);
	left = bytes_of(text, len - 1);
	for (size_t i = 0; i + 1 < ARRAY_LEN(kinds); i++)
		ck_assert_int_eq(record_unpack(&left, &r), ERR_OK);
	ck_assert_int_eq(record_unpack(&left, &r), ERR_CORRUPT);
	text[0] = 200;
	left = bytes_of(text, len);
	ck_assert_int_eq(record_unpack(&left, &r), ERR_VERSION);
}
END_TEST

START_TEST(noise_never_passes)
{
	struct extent_header h = some_shard(), got;
	uint64_t state = 3;
	uint8_t block[SEGMENT_BLOCK];
	struct segment_header segment;
	struct trailer t;
	uint16_t version;

	for (size_t i = 0; i < 20000; i++) {
		struct bytes left = bytes_of(block, fx_random(&state) % 300);
		struct record r;

		fx_fill(i, block, 512);
		if (i % 2 == 0)
			memcpy(block, i % 4 == 0 ? "SKRYEXTN" : "SKRYTRLR", 8);
		ck_assert_int_ne(extent_header_unpack(block, h.place, 99, MIB(1), &got), ERR_OK);
		ck_assert_int_ne(trailer_unpack(bytes_of(block, 512), &h, &t), ERR_OK);
		ck_assert_int_ne(segment_header_unpack(block, &segment, &version), ERR_OK);
		while (record_unpack(&left, &r) == ERR_OK)
			ck_assert_uint_le(r.value.len, RECORD_VALUE_MAX);
	}
}
END_TEST

START_TEST(largest_extents_fit)
{
	struct layout l;

	ck_assert_int_eq(layout_make(1, 255, CHUNK_BYTES_MAX, &l), ERR_OK);
	ck_assert_uint_le(extent_shard_bytes(&l), SEGMENT_BYTES - SEGMENT_FIRST_EXTENT);
	ck_assert_uint_le(
	    extent_shard_bytes(&l) - extent_trailer_offset(&l), block_ceil(TRAILER_BYTES_MAX));
	ck_assert_int_eq(layout_make(255, 255, 1, &l), ERR_OK);
	ck_assert_uint_le(extent_shard_bytes(&l), KIB(32));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("storage/segment");

	must(crypto_init() == ERR_OK);
	suite_add(s, "formats", 20, crc_check_values, segment_header_round_trip,
	    newer_segment_is_named, extent_header_round_trip, extent_lengths_must_follow,
	    trailer_round_trip, records_round_trip, noise_never_passes, largest_extents_fit, NULL);
	return suite_main(s);
}
