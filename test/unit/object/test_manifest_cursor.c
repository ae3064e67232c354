/* The walk over an object's chunks, against a naive search for each of them. */
#include "object/manifest_cursor.h"

#include "object/block.h"
#include "overlay/base/err.h"
#include "test/unit/suite.h"

#define MANY 200000

static void
add_segment(struct manifest *m, uint64_t plain, uint64_t chunk_bytes)
{
	const struct code_params code = { 1, 1, 1 };
	const uint8_t hints[1][8] = { { 0 } };
	struct manifest_segment s = { .plain_bytes = plain,
		.first_chunk = (uint32_t)m->chunks_count };

	for (uint64_t left = block_sealed_bytes(plain); left > 0; s.chunks++) {
		uint64_t bytes = MIN(left, chunk_bytes);

		ck_assert_int_eq(
		    manifest_add_chunk(m, &(struct hash){ { 0 } }, &code, (uint32_t)bytes, hints),
		    ERR_OK);
		left -= bytes;
	}
	ck_assert_int_eq(manifest_add_segment(m, &s), ERR_OK);
	m->plain_bytes += plain;
}

/* Block by block from the start of the object: which chunk has it, and which plaintext. */
static void
compare(const struct manifest *m)
{
	struct manifest_cursor c;
	struct chunk_place p = { 0 };
	uint64_t at = 0;

	manifest_cursor_init(&c, m);
	for (size_t s = 0; s < m->segments_count; s++) {
		const struct manifest_segment *seg = &m->segments[s];
		uint64_t in_segment = 0, block = 0;

		for (uint32_t i = 0; i < seg->chunks; i++) {
			uint64_t left = m->chunks[seg->first_chunk + i].bytes;
			uint64_t begin = at + in_segment, first = block;

			for (; left > 0; block++) {
				uint64_t sealed = MIN(left, BLOCK_SEALED);

				in_segment += sealed - CRYPTO_TAG_BYTES;
				left -= sealed;
			}
			ck_assert(manifest_cursor_next(&c, &p));
			ck_assert_uint_eq(p.number, seg->first_chunk + i);
			ck_assert_ptr_eq(p.segment, seg);
			ck_assert_uint_eq(p.segment_at, at);
			ck_assert_uint_eq(p.first_block, first);
			ck_assert_uint_eq(p.begin, begin);
			ck_assert_uint_eq(p.end, at + in_segment);
		}
		at += seg->plain_bytes;
	}
	ck_assert(!manifest_cursor_next(&c, &p));
	ck_assert(!manifest_cursor_next(&c, &p));
	ck_assert_uint_eq(at, m->plain_bytes);
}

START_TEST(each_chunk_is_where_it_belongs)
{
	static const uint64_t sizes[] = { 1, BLOCK_PLAIN - 1, BLOCK_PLAIN, BLOCK_PLAIN + 1,
		7 * BLOCK_PLAIN, 7 * BLOCK_PLAIN + 1, 8 * BLOCK_PLAIN - 1, 100 * BLOCK_PLAIN + 5 };
	struct manifest all;

	manifest_init(&all);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		for (uint64_t blocks = 1; blocks <= 4; blocks++) {
			struct manifest m;

			manifest_init(&m);
			add_segment(&m, sizes[i], blocks * BLOCK_SEALED);
			compare(&m);
			manifest_fini(&m);
			add_segment(&all, sizes[i], blocks * BLOCK_SEALED);
		}
	}
	compare(&all);
	manifest_fini(&all);
}
END_TEST

START_TEST(no_chunks_no_places)
{
	struct manifest m;

	manifest_init(&m);
	compare(&m);
	manifest_fini(&m);
}
END_TEST

/* 12 TiB in full chunks. A search for each of them would take minutes. */
START_TEST(many_chunks_in_one_pass)
{
	struct manifest m;
	struct manifest_cursor c;
	struct chunk_place p = { 0 };
	uint64_t end = 0;

	manifest_init(&m);
	add_segment(&m, MANY * BLOCK_PLAIN, BLOCK_SEALED);
	ck_assert_uint_eq(m.chunks_count, MANY);
	manifest_cursor_init(&c, &m);
	while (manifest_cursor_next(&c, &p)) {
		ck_assert(p.begin == end);
		end = p.end;
	}
	ck_assert_uint_eq(end, m.plain_bytes);
	manifest_fini(&m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/manifest_cursor");

	suite_add(s, "cursor", 30, each_chunk_is_where_it_belongs, no_chunks_no_places,
	    many_chunks_in_one_pass, NULL);
	return suite_main(s);
}
