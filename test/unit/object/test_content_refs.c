/*
 * References and trash against a naive model: places name contents, some of them of one pack, some
 * shared; after each step the trash holds exactly the chunks that were named once and are not now.
 */
#include "object/content_refs.h"

#include <stdlib.h>

#include "object/block.h"
#include "object/content_private.h"
#include "overlay/base/err.h"
#include "test/unit/object/kv_mem.h"
#include "test/unit/suite.h"

/* ---- contents ---- */

static const struct code_params code = { 2, 3, 4 };

static void
add_chunk(struct content *c, uint32_t number, uint32_t bytes)
{
	uint8_t hints[SHARDS_MAX][8] = { { 1 } };
	struct hash id;

	crypto_sha256(&id, &number, sizeof(number));
	must(manifest_add_chunk(&c->list, &id, &code, bytes, (const uint8_t(*)[8])hints) == ERR_OK);
}

/* Of chunks first … first + count − 1. */
static void
make_chunks(struct content *c, uint32_t first, uint32_t count)
{
	struct manifest_segment s = { .plain_bytes = count * (uint64_t)BLOCK_PLAIN,
		.chunks = count };

	content_init(c);
	c->kind = CONTENT_CHUNKS;
	c->bytes = c->list.plain_bytes = s.plain_bytes;
	for (uint32_t i = 0; i < count; i++)
		add_chunk(c, first + i, KIB(64));
	must(manifest_add_segment(&c->list, &s) == ERR_OK);
}

static void
make_packed(struct content *c, uint32_t pack, uint32_t member)
{
	content_init(c);
	c->kind = CONTENT_PACKED;
	c->bytes = 1000;
	c->at = member * 2000;
	add_chunk(c, pack, 20000);
}

static void
make_listed(struct content *c, uint32_t top)
{
	content_init(c);
	c->kind = CONTENT_LISTED;
	c->bytes = GIB(9);
	memset(c->key.b, 7, sizeof(c->key.b));
	add_chunk(c, top, 5000);
}

/* ---- single rules ---- */

static size_t
trash_count(struct kv_mem *m)
{
	size_t count = 0;

	for (size_t i = 0; i < m->pairs.count; i++)
		count += m->pairs.at[i].key.data[0] == CONTENT_TABLE_TRASH;
	return count;
}

static void
first_of_trash(struct kv_mem *m, struct trash_item *t)
{
	trash_item_init(t);
	ck_assert_int_eq(content_trash_next(&m->kv, bytes_of(NULL, 0), t), ERR_OK);
}

START_TEST(one_reference_needs_no_record)
{
	struct kv_mem *m = kv_mem_new();
	struct content c;
	struct trash_item t;
	uint64_t count;

	make_chunks(&c, 1, 3);
	ck_assert_int_eq(content_named(&m->kv, &c, 1000, 2000), ERR_OK);
	ck_assert_uint_eq(m->pairs.count, 0);
	ck_assert_int_eq(content_ref(&m->kv, &c), ERR_OK);
	ck_assert_int_eq(content_references(&m->kv, &c, &count), ERR_OK);
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(m->pairs.count, 3);
	ck_assert_int_eq(content_unref(&m->kv, &c, 3000), ERR_OK);
	ck_assert_uint_eq(m->pairs.count, 0);
	ck_assert_int_eq(content_unref(&m->kv, &c, 4000), ERR_OK);
	ck_assert_uint_eq(trash_count(m), 1);
	first_of_trash(m, &t);
	ck_assert_uint_eq(t.since_ms, 4000);
	ck_assert_uint_eq(t.content.list.chunks_count, 3);
	ck_assert_int_eq(content_trash_done(&m->kv, &t), ERR_OK);
	ck_assert_int_eq(content_trash_done(&m->kv, &t), ERR_NOT_FOUND);
	ck_assert_uint_eq(m->pairs.count, 0);
	trash_item_fini(&t);
	content_fini(&c);
	kv_mem_free(m);
}
END_TEST

START_TEST(late_names_are_refused)
{
	struct kv_mem *m = kv_mem_new();
	uint64_t limit = CONTENT_NAMED_WITHIN_S * UINT64_C(1000);
	struct content c;

	make_packed(&c, 1, 0);
	ck_assert_int_eq(content_named(&m->kv, &c, 1000, 1000 + limit + 1), ERR_STALE);
	ck_assert_uint_eq(m->pairs.count, 0);
	ck_assert_int_eq(content_named(&m->kv, &c, 1000, 1000 + limit), ERR_OK);
	content_fini(&c);
	kv_mem_free(m);
}
END_TEST

START_TEST(a_pack_comes_back_while_it_may)
{
	struct kv_mem *m = kv_mem_new();
	struct content a, b;
	struct pack_room room;
	struct trash_item t;

	make_packed(&a, 1, 0);
	make_packed(&b, 1, 1);
	ck_assert_int_eq(content_named(&m->kv, &a, 0, 10), ERR_OK);
	ck_assert_int_eq(content_unref(&m->kv, &a, 20), ERR_OK);
	ck_assert_uint_eq(trash_count(m), 1);
	first_of_trash(m, &t);
	ck_assert(t.pack);
	ck_assert_int_eq(content_named(&m->kv, &b, 0, 30), ERR_OK);
	ck_assert_uint_eq(trash_count(m), 0);
	ck_assert_int_eq(content_trash_done(&m->kv, &t), ERR_NOT_FOUND);
	ck_assert_int_eq(content_pack_room(&m->kv, &b.list.chunks[0].id, &room), ERR_OK);
	ck_assert_uint_eq(room.members, 1);
	ck_assert_uint_eq(room.live, 1016);
	ck_assert_uint_eq(room.bytes, 20000);
	ck_assert_int_eq(content_unref(&m->kv, &b, 40), ERR_OK);
	ck_assert_int_eq(content_unref(&m->kv, &b, 40), ERR_CORRUPT);
	trash_item_fini(&t);
	first_of_trash(m, &t);
	ck_assert_int_eq(content_trash_defer(&m->kv, &t, 500), ERR_OK);
	ck_assert_int_eq(content_trash_done(&m->kv, &t), ERR_NOT_FOUND);
	trash_item_fini(&t);
	first_of_trash(m, &t);
	ck_assert_uint_eq(t.since_ms, 500);
	ck_assert_int_eq(content_trash_done(&m->kv, &t), ERR_OK);
	ck_assert_uint_eq(m->pairs.count, 0);
	trash_item_fini(&t);
	content_fini(&a);
	content_fini(&b);
	kv_mem_free(m);
}
END_TEST

/* Nobody came to name it: it goes, unless others of its pack do. */
START_TEST(what_was_dropped_goes)
{
	struct kv_mem *m = kv_mem_new();
	struct content a, b, c;

	make_packed(&a, 1, 0);
	make_packed(&b, 1, 1);
	make_chunks(&c, 5, 2);
	ck_assert_int_eq(content_dropped(&m->kv, &a, 10), ERR_OK);
	ck_assert_int_eq(content_dropped(&m->kv, &b, 11), ERR_OK);
	ck_assert_uint_eq(trash_count(m), 1);
	ck_assert_int_eq(content_dropped(&m->kv, &c, 12), ERR_OK);
	ck_assert_uint_eq(trash_count(m), 2);
	ck_assert_int_eq(content_named(&m->kv, &b, 0, 13), ERR_OK);
	ck_assert_uint_eq(trash_count(m), 1);
	ck_assert_int_eq(content_dropped(&m->kv, &a, 14), ERR_OK);
	ck_assert_uint_eq(trash_count(m), 1);
	content_fini(&a);
	content_fini(&b);
	content_fini(&c);
	kv_mem_free(m);
}
END_TEST

START_TEST(a_listed_one_keeps_its_key_in_the_trash)
{
	struct kv_mem *m = kv_mem_new();
	struct content c;
	struct trash_item t;

	make_listed(&c, 1);
	ck_assert_int_eq(content_ref(&m->kv, &c), ERR_OK);
	ck_assert_int_eq(content_unref(&m->kv, &c, 5), ERR_OK);
	ck_assert_uint_eq(m->pairs.count, 0);
	ck_assert_int_eq(content_unref(&m->kv, &c, 6), ERR_OK);
	first_of_trash(m, &t);
	ck_assert_int_eq(t.content.kind, CONTENT_LISTED);
	ck_assert_uint_eq(t.content.bytes, c.bytes);
	ck_assert_mem_eq(&t.content.key, &c.key, sizeof(c.key));
	ck_assert(hash_equal(&t.content.list.chunks[0].id, &c.list.chunks[0].id));
	trash_item_fini(&t);
	content_fini(&c);
	kv_mem_free(m);
}
END_TEST

START_TEST(long_lists_make_several_records)
{
	struct kv_mem *m = kv_mem_new();
	struct content c;
	struct trash_item t;
	size_t chunks = 0;

	make_chunks(&c, 0, 1000);
	ck_assert_int_eq(content_trash_chunks(&m->kv, &c.list, 9), ERR_OK);
	ck_assert_int_eq(content_trash_chunks(&m->kv, &c.list, 9), ERR_OK);
	ck_assert_uint_gt(m->pairs.count, 3);
	ck_assert_uint_lt(m->pairs.count, 10);
	while (m->pairs.count > 0) {
		first_of_trash(m, &t);
		chunks += t.content.list.chunks_count;
		ck_assert_int_eq(content_trash_done(&m->kv, &t), ERR_OK);
		trash_item_fini(&t);
	}
	ck_assert_uint_eq(chunks, 1000);
	content_fini(&c);
	kv_mem_free(m);
}
END_TEST

/* ---- a long random walk ---- */

#define CONTENTS 24
#define STEPS    4000

static uint32_t
draw(uint32_t *x, uint32_t bound)
{
	*x = *x * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(*x >> 4) * bound) >> 28);
}

/* What of the chunks numbered below 200 lies in the trash. */
static void
see_trash(struct kv_mem *m, unsigned in_trash[200])
{
	struct trash_item t;
	struct buf from;

	memset(in_trash, 0, 200 * sizeof(*in_trash));
	trash_item_init(&t);
	buf_init(&from, KV_KEY_MAX);
	while (content_trash_next(&m->kv, buf_bytes(&from), &t) == ERR_OK) {
		for (size_t i = 0; i < t.content.list.chunks_count; i++) {
			for (uint32_t n = 0; n < 200; n++) {
				struct hash id;

				crypto_sha256(&id, &n, sizeof(n));
				in_trash[n] += hash_equal(&id, &t.content.list.chunks[i].id);
			}
		}
		buf_reset(&from);
		must(buf_append(&from, t.key, sizeof(t.key)) == ERR_OK);
		must(buf_append(&from, "", 1) == ERR_OK);
	}
	buf_fini(&from);
	trash_item_fini(&t);
}

/* Kinds by number: 0 … 7 chunks of their own, 8 … 19 four packs of three, 20 … listed. */
static void
make_any(struct content *c, uint32_t i)
{
	if (i < 8)
		make_chunks(c, i * 5, 1 + i % 4);
	else if (i < 20)
		make_packed(c, 100 + i / 3, i % 3);
	else
		make_listed(c, 150 + i);
}

static uint32_t
first_chunk(uint32_t i)
{
	return i < 8 ? i * 5 : i < 20 ? 100 + i / 3 : 150 + i;
}

START_TEST(a_walk_agrees_with_the_model)
{
	struct kv_mem *m = kv_mem_new();
	struct content c[CONTENTS];
	unsigned named[CONTENTS] = { 0 };
	bool ever[CONTENTS] = { 0 };
	uint32_t x = (uint32_t)_i + 1;

	for (uint32_t i = 0; i < CONTENTS; i++)
		make_any(&c[i], i);
	for (uint64_t step = 1; step <= STEPS; step++) {
		uint32_t i = draw(&x, CONTENTS);
		unsigned in_trash[200];

		if (named[i] == 0 && !ever[i]) {
			ck_assert_int_eq(content_named(&m->kv, &c[i], 0, step), ERR_OK);
			named[i] = 1;
			ever[i] = true;
		} else if (named[i] > 0 && draw(&x, 2) == 0) {
			ck_assert_int_eq(content_ref(&m->kv, &c[i]), ERR_OK);
			named[i]++;
		} else if (named[i] > 0) {
			ck_assert_int_eq(content_unref(&m->kv, &c[i], step), ERR_OK);
			named[i]--;
		}
		if (step % 50 != 0)
			continue;
		see_trash(m, in_trash);
		for (uint32_t j = 0; j < CONTENTS; j++) {
			unsigned all = 0;
			bool once = false;

			for (uint32_t o = 0; o < CONTENTS; o++) {
				all += first_chunk(o) == first_chunk(j) ? named[o] : 0;
				once |= first_chunk(o) == first_chunk(j) && ever[o];
			}
			ck_assert_uint_eq(in_trash[first_chunk(j)], once && all == 0);
		}
	}
	for (uint32_t i = 0; i < CONTENTS; i++)
		content_fini(&c[i]);
	kv_mem_free(m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/content_refs");
	TCase *tc = tcase_create("walk");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	tcase_add_loop_test(tc, a_walk_agrees_with_the_model, 0, 4);
	suite_add_tcase(s, tc);
	suite_add(s, "rules", 0, one_reference_needs_no_record, late_names_are_refused,
	    a_pack_comes_back_while_it_may, what_was_dropped_goes,
	    a_listed_one_keeps_its_key_in_the_trash, long_lists_make_several_records, NULL);
	return suite_main(s);
}
