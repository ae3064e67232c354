/*
 * Manifests: random ones survive; wrong keys, cut and altered bytes are refused; and what is
 * properly sealed but does not add up, or unfolds without end, is refused as well.
 */
#include "object/manifest_private.h"

#include <stdlib.h>

#include "object/block.h"
#include "object/compress.h"
#include "overlay/base/err.h"
#include "overlay/base/pack.h"
#include "test/unit/suite.h"

static const struct network_id net = { { 1, 2, 3, 4 } }, other_net = { { 4, 3, 2, 1 } };
static const struct code_params code = { 2, 3, 4 };
static const uint8_t nonces[2][CRYPTO_XNONCE_BYTES] = { { 1 }, { 2 } };

static uint32_t
draw(uint32_t *x, uint32_t bound)
{
	*x = *x * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(*x >> 4) * bound) >> 28);
}

static struct manifest_keys
make_keys(uint8_t seed)
{
	struct manifest_keys k = { .read = { { seed, 1 } }, .can_read = true };

	crypto_derive(&k.verify, &k.read, "verify", NULL);
	return k;
}

static void
add_chunk(struct manifest *m, uint32_t bytes, struct code_params c)
{
	uint8_t hints[SHARDS_MAX][8];
	struct hash id;
	uint32_t n = (uint32_t)m->chunks_count;

	crypto_sha256(&id, &n, sizeof(n));
	memset(hints, (int)n, sizeof(hints));
	ck_assert_int_eq(manifest_add_chunk(m, &id, &c, bytes, (const uint8_t(*)[8])hints), ERR_OK);
}

/* A segment of some chunks, the last one shorter. */
static void
add_segment(struct manifest *m, uint64_t plain, uint32_t chunk_bytes, struct code_params c)
{
	struct manifest_segment s = { .key = { { (uint8_t)m->segments_count, 9 } },
		.plain_bytes = plain,
		.first_chunk = (uint32_t)m->chunks_count };
	uint64_t left = block_sealed_bytes(plain);

	while (left > 0) {
		uint32_t bytes = (uint32_t)MIN(left, chunk_bytes);

		add_chunk(m, bytes, c);
		s.chunks++;
		left -= bytes;
	}
	ck_assert_int_eq(manifest_add_segment(m, &s), ERR_OK);
	m->plain_bytes += plain;
}

static void
make_small(struct manifest *m)
{
	manifest_init(m);
	strcpy(m->name, "photo.jpg");
	m->created_ms = 1700000000000;
	memset(m->file_id, 0x77, sizeof(m->file_id));
	add_segment(m, 100000, (uint32_t)BLOCK_SEALED, code);
	add_segment(m, 5, (uint32_t)BLOCK_SEALED, code);
}

static void
make_random(struct manifest *m, uint32_t *x)
{
	manifest_init(m);
	for (size_t i = draw(x, 64); i-- > 0;)
		m->name[i] = (char)('a' + draw(x, 26));
	m->created_ms = draw(x, UINT32_MAX);
	m->file_id[0] = (uint8_t)draw(x, 256);
	switch (draw(x, 4)) {
	case 0: { /* inline, maybe of nothing */
		uint8_t data[MANIFEST_INLINE_MAX];
		size_t len = draw(x, sizeof(data) + 1);

		for (size_t i = 0; i < len; i++)
			data[i] = (uint8_t)draw(x, 256);
		ck_assert_int_eq(buf_append(&m->inline_data, data, len), ERR_OK);
		m->plain_bytes = len;
		break;
	}
	case 1: /* a list */
		m->level = (uint8_t)(1 + draw(x, MANIFEST_LEVEL_MAX));
		for (uint32_t i = 1 + draw(x, 20); i-- > 0;)
			add_chunk(m, 1 + draw(x, (uint32_t)CHUNK_BYTES_MAX), code);
		break;
	default:
		for (uint32_t i = 1 + draw(x, 5); i-- > 0;) {
			uint8_t k = (uint8_t)(1 + draw(x, 10));
			struct code_params c = { k, (uint8_t)(k + 1),
				(uint8_t)(k + 2 + draw(x, 20)) };

			add_segment(m, 1 + draw(x, (uint32_t)MIB(4)),
			    (uint32_t)BLOCK_SEALED * (1 + draw(x, 3)), c);
		}
	}
}

static void
same(const struct manifest *a, const struct manifest *b, bool inner)
{
	ck_assert_uint_eq(a->level, b->level);
	ck_assert_uint_eq(a->chunks_count, b->chunks_count);
	for (size_t i = 0; i < a->chunks_count; i++) {
		const struct manifest_chunk *x = &a->chunks[i], *y = &b->chunks[i];

		ck_assert(hash_equal(&x->id, &y->id));
		ck_assert_mem_eq(&x->code, &y->code, sizeof(x->code));
		ck_assert_uint_eq(x->bytes, y->bytes);
		ck_assert_mem_eq(x->hints, y->hints, (size_t)x->code.n * 8);
	}
	ck_assert(b->opened == inner);
	if (!inner) {
		ck_assert_uint_eq(b->segments_count, 0);
		ck_assert_uint_eq(b->plain_bytes, 0);
		ck_assert_uint_eq(b->inline_data.len, 0);
		ck_assert_str_eq(b->name, "");
		return;
	}
	ck_assert_str_eq(a->name, b->name);
	ck_assert_uint_eq(a->plain_bytes, b->plain_bytes);
	ck_assert_uint_eq(a->created_ms, b->created_ms);
	ck_assert_mem_eq(a->file_id, b->file_id, sizeof(a->file_id));
	ck_assert_uint_eq(a->inline_data.len, b->inline_data.len);
	if (a->inline_data.len > 0)
		ck_assert_mem_eq(a->inline_data.data, b->inline_data.data, a->inline_data.len);
	ck_assert_uint_eq(a->segments_count, b->segments_count);
	for (size_t i = 0; i < a->segments_count; i++) {
		const struct manifest_segment *x = &a->segments[i], *y = &b->segments[i];

		ck_assert_mem_eq(x->key.b, y->key.b, 32);
		ck_assert_uint_eq(x->plain_bytes, y->plain_bytes);
		ck_assert_uint_eq(x->first_chunk, y->first_chunk);
		ck_assert_uint_eq(x->chunks, y->chunks);
	}
}

static void
seal(const struct manifest *m, const struct manifest_keys *k, struct buf *out)
{
	buf_init(out, MIB(64));
	ck_assert_int_eq(manifest_seal(m, net, k, nonces, out), ERR_OK);
}

static int
open_as(struct bytes sealed, struct network_id in, const struct manifest_keys *k)
{
	struct manifest m;
	int err;

	manifest_init(&m);
	err = manifest_open(sealed, in, k, &m);
	manifest_fini(&m);
	return err;
}

START_TEST(random_ones_survive)
{
	uint32_t x = 1;

	for (int i = 0; i < 200; i++) {
		struct manifest_keys k = make_keys((uint8_t)i), v = { .verify = k.verify };
		struct manifest m, back;
		struct buf sealed;

		make_random(&m, &x);
		seal(&m, &k, &sealed);
		manifest_init(&back);
		ck_assert_int_eq(manifest_open(buf_bytes(&sealed), net, &k, &back), ERR_OK);
		same(&m, &back, true);
		manifest_fini(&back);
		/* With the verify key: the chunks, and nothing of what they mean. */
		manifest_init(&back);
		ck_assert_int_eq(manifest_open(buf_bytes(&sealed), net, &v, &back), ERR_OK);
		same(&m, &back, false);
		manifest_fini(&back);
		manifest_fini(&m);
		buf_fini(&sealed);
	}
}
END_TEST

START_TEST(many_chunks)
{
	struct manifest_keys k = make_keys(3);
	struct manifest m, back;
	struct buf sealed;

	manifest_init(&m);
	/* 20 TiB in full chunks would be 320,000: a part of it, with the widest shipped code. */
	add_segment(
	    &m, 30000 * BLOCK_PLAIN, (uint32_t)BLOCK_SEALED, (struct code_params){ 20, 32, 50 });
	ck_assert_uint_eq(m.chunks_count, 30000);
	seal(&m, &k, &sealed);
	manifest_init(&back);
	ck_assert_int_eq(manifest_open(buf_bytes(&sealed), net, &k, &back), ERR_OK);
	same(&m, &back, true);
	manifest_fini(&back);
	manifest_fini(&m);
	buf_fini(&sealed);
}
END_TEST

START_TEST(wrong_keys_and_networks)
{
	struct manifest_keys k = make_keys(1), wrong = make_keys(2), mixed = k;
	struct manifest m;
	struct buf sealed;

	make_small(&m);
	seal(&m, &k, &sealed);
	ck_assert_int_eq(open_as(buf_bytes(&sealed), net, &wrong), ERR_AUTH);
	mixed.read = wrong.read;
	ck_assert_int_eq(open_as(buf_bytes(&sealed), net, &mixed), ERR_AUTH);
	mixed = k;
	mixed.verify = k.read;
	ck_assert_int_eq(open_as(buf_bytes(&sealed), net, &mixed), ERR_AUTH);
	mixed = k;
	mixed.read = k.verify; /* who may verify cannot read */
	ck_assert_int_eq(open_as(buf_bytes(&sealed), net, &mixed), ERR_AUTH);
	/* The network is under the seal. */
	ck_assert_int_eq(open_as(buf_bytes(&sealed), other_net, &k), ERR_AUTH);
	manifest_fini(&m);
	buf_fini(&sealed);
}
END_TEST

/* With either key: what a verify link can see is checked as far. */
START_TEST(cut_altered_and_longer_ones_are_refused)
{
	struct manifest_keys k = make_keys(1), v = { .verify = k.verify };
	struct manifest m;
	struct buf sealed;
	size_t len;

	make_small(&m);
	seal(&m, &k, &sealed);
	len = sealed.len;
	for (size_t cut = 0; cut < len; cut++) {
		ck_assert_int_ne(open_as(bytes_of(sealed.data, cut), net, &k), ERR_OK);
		ck_assert_int_ne(open_as(bytes_of(sealed.data, cut), net, &v), ERR_OK);
	}
	for (size_t bit = 0; bit < len * 8; bit++) {
		sealed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_ne(open_as(buf_bytes(&sealed), net, &k), ERR_OK);
		sealed.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_int_eq(buf_append(&sealed, "", 1), ERR_OK);
	ck_assert_int_eq(open_as(buf_bytes(&sealed), net, &k), ERR_INVALID);
	ck_assert_int_eq(open_as(buf_bytes(&sealed), net, &v), ERR_INVALID);
	sealed.len = len;
	sealed.data[16] = '2'; /* skerry/manifest/2 */
	ck_assert_int_eq(open_as(buf_bytes(&sealed), net, &k), ERR_VERSION);
	sealed.data[7] = 'M';
	ck_assert_int_eq(open_as(buf_bytes(&sealed), net, &k), ERR_INVALID);
	manifest_fini(&m);
	buf_fini(&sealed);
}
END_TEST

/* ---- crafted parts: properly compressed and sealed, by somebody who has the keys ---- */

static void
seal_raw(struct bytes plain, const char *domain, const struct key *k, struct buf *out)
{
	uint8_t ad[64], head[4 + CRYPTO_XNONCE_BYTES] = { 0 };
	struct packer a = packer_on(ad, sizeof(ad)), h = packer_on(head, sizeof(head));
	struct buf squeezed;

	buf_init(&squeezed, MIB(700));
	ck_assert_int_eq(compress_pack(plain, &squeezed), ERR_OK);
	pack_domain(&a, domain, &net);
	pack_u32(&h, (uint32_t)(CRYPTO_XNONCE_BYTES + squeezed.len + CRYPTO_TAG_BYTES));
	ck_assert_int_eq(buf_append(out, head, sizeof(head)), ERR_OK);
	ck_assert_int_eq(buf_reserve(out, squeezed.len + CRYPTO_TAG_BYTES), ERR_OK);
	crypto_xseal(
	    out->data + out->len, k, head + 4, bytes_of(ad, a.len), squeezed.data, squeezed.len);
	out->len += squeezed.len + CRYPTO_TAG_BYTES;
	buf_fini(&squeezed);
}

static int
open_crafted(struct bytes outer, struct bytes inner)
{
	struct manifest_keys k = make_keys(1);
	struct buf sealed;
	int err;

	buf_init(&sealed, MIB(64));
	ck_assert_int_eq(buf_append(&sealed, "skerry/manifest/1", 17), ERR_OK);
	seal_raw(outer, "skerry/manifest/outer/1", &k.verify, &sealed);
	seal_raw(inner, "skerry/manifest/inner/1", &k.read, &sealed);
	err = open_as(buf_bytes(&sealed), net, &k);
	buf_fini(&sealed);
	return err;
}

/* Packs m as it is, with nothing checked, and opens that. */
static int
open_packed(const struct manifest *m)
{
	struct buf outer, inner;
	int err;

	buf_init(&outer, MIB(64));
	buf_init(&inner, MIB(64));
	ck_assert_int_eq(manifest_pack_outer(m, net, &outer), ERR_OK);
	ck_assert_int_eq(manifest_pack_inner(m, net, buf_bytes(&outer), &inner), ERR_OK);
	err = open_crafted(buf_bytes(&outer), buf_bytes(&inner));
	buf_fini(&outer);
	buf_fini(&inner);
	return err;
}

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		struct manifest m;                                                                 \
		make_small(&m);                                                                    \
		ck_assert_int_eq(open_packed(&m), ERR_OK);                                         \
		change;                                                                            \
		ck_assert_int_eq(open_packed(&m), ERR_INVALID);                                    \
		manifest_fini(&m);                                                                 \
	} while (0)

START_TEST(what_does_not_add_up_is_refused)
{
	REFUSED(m.plain_bytes++);
	REFUSED(m.plain_bytes = UINT64_MAX);
	REFUSED(m.segments[0].plain_bytes++);
	REFUSED(m.segments[0].plain_bytes = 0);
	REFUSED(m.segments[0].plain_bytes = UINT64_MAX);
	REFUSED(m.segments[0].plain_bytes = UINT64_MAX / 2);
	REFUSED(m.segments[0].chunks = 0);
	REFUSED(m.segments[0].chunks = 3);
	REFUSED(m.segments[1].chunks = 2);
	REFUSED(m.segments[1].chunks = UINT32_MAX);
	REFUSED(m.segments[1].first_chunk = UINT32_MAX);
	REFUSED(m.chunks[0].bytes--);
	REFUSED(m.chunks[0].bytes = 0);
	REFUSED(m.chunks[0].bytes = UINT32_MAX);
	REFUSED(m.chunks[2].bytes += 1);
	REFUSED(m.chunks[0].code.k = 0);
	REFUSED(m.chunks[0].code.k = 4);
	REFUSED(m.chunks[0].code.r = 1);
	REFUSED(m.chunks[0].code.r = 5);
	REFUSED(m.segments_count = 1);
	REFUSED(m.chunks_count = 2; free(m.chunks[2].hints));
	REFUSED(add_chunk(&m, 100, code)); /* a chunk of nobody */
	REFUSED(m.level = MANIFEST_LEVEL_MAX + 1);
	REFUSED(m.level = 255);
}
END_TEST

/* The same chunks for two segments: the second one's bytes would be found nowhere. */
START_TEST(segments_share_no_chunks)
{
	struct manifest m;
	struct manifest_segment s;

	make_small(&m);
	s = m.segments[1];
	ck_assert_int_eq(manifest_add_segment(&m, &s), ERR_OK);
	m.plain_bytes += s.plain_bytes;
	ck_assert_int_eq(open_packed(&m), ERR_INVALID);
	/* Nor do they come in another order than the chunks. */
	m.segments_count = 2;
	m.plain_bytes -= s.plain_bytes;
	ck_assert_int_eq(open_packed(&m), ERR_OK);
	m.segments[1] = m.segments[0];
	m.segments[0] = s;
	ck_assert_int_eq(open_packed(&m), ERR_INVALID);
	manifest_fini(&m);
}
END_TEST

/* Bytes here or in chunks, not both: a reader takes one of the two. */
START_TEST(inline_and_segments_exclude_each_other)
{
	struct manifest m;

	make_small(&m);
	ck_assert_int_eq(buf_append(&m.inline_data, "abc", 3), ERR_OK);
	m.plain_bytes += 3;
	ck_assert_int_eq(open_packed(&m), ERR_INVALID);
	manifest_fini(&m);
	/* Inline bytes beside chunks that nobody names. */
	manifest_init(&m);
	ck_assert_int_eq(buf_append(&m.inline_data, "abc", 3), ERR_OK);
	m.plain_bytes = 3;
	ck_assert_int_eq(open_packed(&m), ERR_OK);
	add_chunk(&m, 100, code);
	ck_assert_int_eq(open_packed(&m), ERR_INVALID);
	manifest_fini(&m);
}
END_TEST

START_TEST(lists_hold_nothing_but_chunks)
{
	struct manifest m;

	manifest_init(&m);
	m.level = 1;
	ck_assert_int_eq(open_packed(&m), ERR_INVALID); /* of nothing */
	add_chunk(&m, 100, code);
	ck_assert_int_eq(open_packed(&m), ERR_OK);
	m.plain_bytes = 1;
	ck_assert_int_eq(open_packed(&m), ERR_INVALID);
	ck_assert_int_eq(buf_append(&m.inline_data, "a", 1), ERR_OK);
	ck_assert_int_eq(open_packed(&m), ERR_INVALID);
	manifest_fini(&m);
	make_small(&m);
	m.level = 1;
	ck_assert_int_eq(open_packed(&m), ERR_INVALID);
	manifest_fini(&m);
}
END_TEST

START_TEST(names_stay_in_their_directory)
{
	static const char *const bad[] = { ".", "..", "/", "../x", "a/b", "/etc/passwd", "a/" };
	static const char *const good[] = { "", "...", ".profile", "a..b", "caf\xc3\xa9", " " };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert(!manifest_name_valid(bad[i]));
		REFUSED(strcpy(m.name, bad[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct manifest m;

		make_small(&m);
		strcpy(m.name, good[i]);
		ck_assert_int_eq(open_packed(&m), ERR_OK);
		manifest_fini(&m);
	}
}
END_TEST

/* The inner part of one manifest does not go with the outer part of another. */
START_TEST(parts_are_tied)
{
	struct manifest a, b;
	struct buf outer_a, outer_b, inner_a;

	make_small(&a);
	make_small(&b);
	b.chunks[0].hints[0][0] ^= 1;
	buf_init(&outer_a, MIB(1));
	buf_init(&outer_b, MIB(1));
	buf_init(&inner_a, MIB(1));
	ck_assert_int_eq(manifest_pack_outer(&a, net, &outer_a), ERR_OK);
	ck_assert_int_eq(manifest_pack_outer(&b, net, &outer_b), ERR_OK);
	ck_assert_int_eq(manifest_pack_inner(&a, net, buf_bytes(&outer_a), &inner_a), ERR_OK);
	ck_assert_int_eq(open_crafted(buf_bytes(&outer_a), buf_bytes(&inner_a)), ERR_OK);
	ck_assert_int_eq(open_crafted(buf_bytes(&outer_b), buf_bytes(&inner_a)), ERR_INVALID);
	/* Cut and lengthened, each part, under a good seal. */
	for (size_t cut = 0; cut < outer_a.len; cut++)
		ck_assert_int_ne(
		    open_crafted(bytes_of(outer_a.data, cut), buf_bytes(&inner_a)), ERR_OK);
	for (size_t cut = 0; cut < inner_a.len; cut++)
		ck_assert_int_ne(
		    open_crafted(buf_bytes(&outer_a), bytes_of(inner_a.data, cut)), ERR_OK);
	ck_assert_int_eq(buf_append(&inner_a, "", 1), ERR_OK);
	ck_assert_int_eq(open_crafted(buf_bytes(&outer_a), buf_bytes(&inner_a)), ERR_INVALID);
	inner_a.len--;
	/* A byte more under the tie as well. */
	ck_assert_int_eq(buf_append(&outer_a, "", 1), ERR_OK);
	buf_reset(&inner_a);
	ck_assert_int_eq(manifest_pack_inner(&a, net, buf_bytes(&outer_a), &inner_a), ERR_OK);
	ck_assert_int_eq(open_crafted(buf_bytes(&outer_a), buf_bytes(&inner_a)), ERR_INVALID);
	buf_fini(&outer_a);
	buf_fini(&outer_b);
	buf_fini(&inner_a);
	manifest_fini(&a);
	manifest_fini(&b);
}
END_TEST

START_TEST(counts_beyond_the_bytes_are_refused)
{
	uint8_t text[64];
	struct manifest m;

	for (int i = 0; i < 3; i++) {
		static const uint32_t counts[] = { 1, MANIFEST_CHUNKS_MAX, UINT32_MAX };
		struct packer p = packer_on(text, sizeof(text));

		pack_domain(&p, "skerry/manifest/outer/1", &net);
		pack_u8(&p, 0);
		pack_u32(&p, counts[i]);
		manifest_init(&m);
		ck_assert_int_eq(manifest_read_outer(bytes_of(text, p.len), net, &m), ERR_INVALID);
		ck_assert_ptr_null(m.chunks);
		ck_assert_int_eq(
		    manifest_read_outer(bytes_of(text, p.len), other_net, &m), ERR_WRONG_NETWORK);
		text[22] = '2';
		ck_assert_int_eq(manifest_read_outer(bytes_of(text, p.len), net, &m), ERR_VERSION);
		manifest_fini(&m);
	}
}
END_TEST

START_TEST(bombs_cost_what_they_weigh)
{
	struct manifest m;
	struct buf outer, inner;
	size_t len = (size_t)MANIFEST_UNFOLD_FREE + 1;
	uint8_t *zeros = calloc(1, len);

	ck_assert_ptr_nonnull(zeros);
	make_small(&m);
	buf_init(&outer, MIB(1));
	buf_init(&inner, MIB(1));
	ck_assert_int_eq(manifest_pack_outer(&m, net, &outer), ERR_OK);
	ck_assert_int_eq(manifest_pack_inner(&m, net, buf_bytes(&outer), &inner), ERR_OK);
	ck_assert_int_eq(open_crafted(bytes_of(zeros, len), buf_bytes(&inner)), ERR_TOO_BIG);
	ck_assert_int_eq(
	    open_crafted(buf_bytes(&outer), bytes_of(zeros, MANIFEST_INNER_MAX + 1)), ERR_TOO_BIG);
	ck_assert_int_eq(
	    open_crafted(buf_bytes(&outer), bytes_of(zeros, MANIFEST_INNER_MAX)), ERR_INVALID);
	ck_assert_uint_eq(manifest_outer_max(0), MANIFEST_UNFOLD_FREE);
	ck_assert_uint_eq(manifest_outer_max(MIB(1)), MIB(128));
	ck_assert_uint_eq(manifest_outer_max(UINT64_MAX), MANIFEST_BYTES_MAX);
	buf_fini(&outer);
	buf_fini(&inner);
	manifest_fini(&m);
	free(zeros);
}
END_TEST

/* What would be refused by its readers is not stored at all. */
START_TEST(nothing_is_sealed_that_does_not_open)
{
	struct manifest_keys k = make_keys(1);
	uint8_t hints[SHARDS_MAX][8] = { { 0 } };
	struct code_params wide = { 20, 32, 255 };
	struct manifest m;
	struct buf sealed;

	manifest_init(&m);
	m.level = 1;
	/* The same chunk all over again shrinks to nearly nothing. */
	for (size_t i = 0; i * 2079 < MANIFEST_UNFOLD_FREE; i++)
		ck_assert_int_eq(manifest_add_chunk(&m, &(struct hash){ { 1 } }, &wide, 100,
				     (const uint8_t(*)[8])hints),
		    ERR_OK);
	buf_init(&sealed, MIB(64));
	ck_assert_int_eq(manifest_seal(&m, net, &k, nonces, &sealed), ERR_TOO_BIG);
	manifest_fini(&m);
	buf_fini(&sealed);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/manifest");

	if (crypto_init() != ERR_OK)
		return EXIT_FAILURE;
	suite_add(s, "sealed", 60, random_ones_survive, many_chunks, wrong_keys_and_networks,
	    cut_altered_and_longer_ones_are_refused, NULL);
	suite_add(s, "crafted", 60, what_does_not_add_up_is_refused, segments_share_no_chunks,
	    inline_and_segments_exclude_each_other, lists_hold_nothing_but_chunks,
	    names_stay_in_their_directory, parts_are_tied, counts_beyond_the_bytes_are_refused,
	    NULL);
	suite_add(s, "limits", 60, bombs_cost_what_they_weigh, nothing_is_sealed_that_does_not_open,
	    NULL);
	return suite_main(s);
}
