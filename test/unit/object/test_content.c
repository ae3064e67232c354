/*
 * The form of a content: every kind comes back as it was; what is cut, longer, of another version
 * or does not add up is refused.
 */
#include "object/content.h"

#include <stdlib.h>

#include "object/block.h"
#include "object/content_private.h"
#include "overlay/base/err.h"
#include "test/unit/suite.h"

static void
add_chunk(struct content *c, uint32_t bytes, struct code_params code)
{
	uint8_t hints[SHARDS_MAX][8];
	struct hash id;
	uint32_t n = (uint32_t)c->list.chunks_count;

	crypto_sha256(&id, &n, sizeof(n));
	memset(hints, (int)n + 1, sizeof(hints));
	ck_assert_int_eq(
	    manifest_add_chunk(&c->list, &id, &code, bytes, (const uint8_t(*)[8])hints), ERR_OK);
}

static void
add_segment(struct content *c, uint64_t plain, uint32_t chunk_bytes, struct code_params code)
{
	struct manifest_segment s = { .key = { { (uint8_t)(c->list.segments_count + 1) } },
		.plain_bytes = plain,
		.first_chunk = (uint32_t)c->list.chunks_count };

	for (uint64_t left = block_sealed_bytes(plain); left > 0; s.chunks++) {
		uint32_t bytes = (uint32_t)MIN(left, chunk_bytes);

		add_chunk(c, bytes, code);
		left -= bytes;
	}
	ck_assert_int_eq(manifest_add_segment(&c->list, &s), ERR_OK);
	c->kind = CONTENT_CHUNKS;
	c->bytes += plain;
	c->list.plain_bytes += plain;
}

static const struct code_params code = { 4, 6, 8 };

static void
make(struct content *c, enum content_kind kind)
{
	uint8_t bytes[5000] = { 7 };

	content_init(c);
	c->kind = kind;
	memset(c->key.b, kind == CONTENT_PACKED || kind == CONTENT_LISTED ? 9 : 0, 32);
	switch (kind) {
	case CONTENT_EMPTY:
		break;
	case CONTENT_INLINE:
		c->bytes = 4096;
		ck_assert_int_eq(buf_append(&c->list.inline_data, bytes, 4096), ERR_OK);
		break;
	case CONTENT_PACKED:
		c->bytes = 100000;
		c->at = 300000;
		add_chunk(c, 300000 + 100000 + 32, code);
		break;
	case CONTENT_CHUNKS:
		add_segment(c, 1000000, KIB(256), code);
		add_segment(c, 1, KIB(64), (struct code_params){ 1, 1, 2 });
		add_segment(c, BLOCK_PLAIN, KIB(64), code);
		break;
	case CONTENT_LISTED:
		c->bytes = UINT64_C(5) << 40;
		add_chunk(c, 20000, (struct code_params){ 20, 32, 255 });
		break;
	}
}

static void
same(const struct content *a, const struct content *b)
{
	struct buf x, y;

	buf_init(&x, CONTENT_FORM_MAX);
	buf_init(&y, CONTENT_FORM_MAX);
	ck_assert_int_eq(content_pack(a, &x), ERR_OK);
	ck_assert_int_eq(content_pack(b, &y), ERR_OK);
	ck_assert(bytes_equal(buf_bytes(&x), buf_bytes(&y)));
	ck_assert_int_eq(a->kind, b->kind);
	ck_assert_uint_eq(a->bytes, b->bytes);
	ck_assert_uint_eq(a->at, b->at);
	ck_assert_uint_eq(a->list.chunks_count, b->list.chunks_count);
	ck_assert_uint_eq(a->list.segments_count, b->list.segments_count);
	for (size_t i = 0; i < a->list.segments_count; i++)
		ck_assert_mem_eq(&a->list.segments[i].key, &b->list.segments[i].key, 32);
	buf_fini(&x);
	buf_fini(&y);
}

START_TEST(every_kind_comes_back)
{
	struct content c, back, copy;
	struct buf form;

	make(&c, (enum content_kind)_i);
	content_init(&back);
	content_init(&copy);
	buf_init(&form, CONTENT_FORM_MAX);
	ck_assert_int_eq(content_pack(&c, &form), ERR_OK);
	ck_assert_uint_eq(form.len, content_form_bytes(&c));
	ck_assert_int_eq(content_unpack(buf_bytes(&form), &back), ERR_OK);
	same(&c, &back);
	ck_assert_int_eq(content_copy(&c, &copy), ERR_OK);
	same(&c, &copy);
	content_fini(&back);
	for (size_t len = 0; len < form.len; len += 1 + len / 50) {
		content_init(&back);
		ck_assert_int_eq(content_unpack(bytes_of(form.data, len), &back), ERR_INVALID);
		content_fini(&back);
	}
	content_init(&back);
	ck_assert_int_eq(buf_append(&form, "", 1), ERR_OK);
	ck_assert_int_eq(content_unpack(buf_bytes(&form), &back), ERR_INVALID);
	content_fini(&back);
	content_init(&back);
	form.data[0]++;
	form.len--;
	ck_assert_int_eq(content_unpack(buf_bytes(&form), &back), ERR_VERSION);
	content_fini(&back);
	content_fini(&c);
	content_fini(&copy);
	buf_fini(&form);
}
END_TEST

static int
again(const struct content *c)
{
	struct content back;
	struct buf form;
	int err;

	content_init(&back);
	buf_init(&form, CONTENT_FORM_MAX);
	ck_assert_int_eq(content_pack(c, &form), ERR_OK);
	err = content_unpack(buf_bytes(&form), &back);
	content_fini(&back);
	buf_fini(&form);
	return err;
}

START_TEST(what_does_not_add_up_is_refused)
{
	struct content c;

	make(&c, CONTENT_CHUNKS);
	c.bytes++;
	ck_assert_int_eq(again(&c), ERR_INVALID);
	c.bytes--;
	c.list.chunks[1].bytes--; /* not whole blocks in the middle */
	ck_assert_int_eq(again(&c), ERR_INVALID);
	c.list.chunks[1].bytes++;
	c.list.segments[1].plain_bytes++;
	c.bytes++;
	ck_assert_int_eq(again(&c), ERR_INVALID);
	c.list.segments[1].plain_bytes = UINT64_MAX;
	ck_assert_int_eq(again(&c), ERR_INVALID);
	content_fini(&c);
	make(&c, CONTENT_PACKED);
	c.at++; /* over the end of the pack */
	ck_assert_int_eq(again(&c), ERR_INVALID);
	c.at--;
	c.bytes = 0;
	ck_assert_int_eq(again(&c), ERR_INVALID);
	content_fini(&c);
	make(&c, CONTENT_INLINE);
	c.bytes--;
	ck_assert_int_eq(again(&c), ERR_INVALID);
	content_fini(&c);
	make(&c, CONTENT_EMPTY);
	c.bytes = 1;
	ck_assert_int_eq(again(&c), ERR_INVALID);
	content_fini(&c);
	make(&c, CONTENT_LISTED);
	c.list.chunks[0].code.k = 0;
	ck_assert_int_eq(again(&c), ERR_INVALID);
	content_fini(&c);
}
END_TEST

START_TEST(a_long_list_is_not_for_an_entry)
{
	struct content c;
	struct buf form;

	content_init(&c);
	add_segment(&c, 12000000, KIB(64), code);
	buf_init(&form, MIB(1));
	ck_assert_uint_gt(content_form_bytes(&c), CONTENT_FORM_MAX);
	ck_assert_int_eq(content_pack(&c, &form), ERR_TOO_BIG);
	ck_assert_uint_eq(form.len, 0);
	content_fini(&c);
	buf_fini(&form);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/content");
	TCase *tc = tcase_create("kinds");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	tcase_add_loop_test(tc, every_kind_comes_back, CONTENT_EMPTY, CONTENT_LISTED + 1);
	suite_add_tcase(s, tc);
	suite_add(
	    s, "form", 0, what_does_not_add_up_is_refused, a_long_list_is_not_for_an_entry, NULL);
	return suite_main(s);
}
