/*
 * What a bucket's state is written in: what is packed comes back, what is cut or altered is
 * refused, sealed strings are bound to what they are for; the overlay and the table of ids against
 * naive models.
 */
#include <stdio.h>
#include <stdlib.h>

#include "object/map_ids.h"
#include "object/map_log.h"
#include "object/map_overlay.h"
#include "object/map_page.h"
#include "object/map_root.h"
#include "overlay/base/err.h"
#include "test/unit/suite.h"

static const struct network_id net = { { 1, 2, 3, 4 } };
static const struct key secret = { { 5 } };
static const uint8_t nonce[CRYPTO_XNONCE_BYTES] = { 6 };

static uint32_t
draw(uint32_t *x, uint32_t bound)
{
	*x = *x * 1664525 + 1013904223;
	return (uint32_t)(((uint64_t)(*x >> 4) * bound) >> 28);
}

static struct bytes
text(const char *s)
{
	return bytes_of(s, strlen(s));
}

/* ---- sealing ---- */

START_TEST(sealed_strings_open_in_their_place_only)
{
	struct hash bucket = { { 1 } }, other_bucket = { { 2 } };
	struct sealing s, other;
	struct sealing_text t = { SEALING_PAGE, 0, text("some text, some text, some text") };
	struct buf sealed, out;

	must(crypto_init() == ERR_OK);
	sealing_init(&s, net, &bucket, &secret);
	sealing_init(&other, net, &other_bucket, &secret);
	buf_init(&sealed, KIB(64));
	ck_assert_int_eq(sealing_seal(&s, &t, nonce, &sealed), ERR_OK);
	for (int kind = 0; kind < SEALING_KINDS; kind++) {
		for (uint64_t position = 0; position < 2; position++) {
			struct sealing_text in = { kind, position, buf_bytes(&sealed) };

			buf_init(&out, KIB(64));
			ck_assert_int_eq(sealing_open(&s, &in, &out),
			    kind == SEALING_PAGE && position == 0 ? ERR_OK : ERR_AUTH);
			buf_fini(&out);
		}
	}
	t.in = buf_bytes(&sealed);
	buf_init(&out, KIB(64));
	ck_assert_int_eq(sealing_open(&other, &t, &out), ERR_AUTH);
	ck_assert_int_eq(sealing_open(&s, &t, &out), ERR_OK);
	ck_assert(bytes_equal(buf_bytes(&out), text("some text, some text, some text")));
	buf_fini(&out);
	buf_init(&out, 30); /* a byte too few */
	ck_assert_int_eq(sealing_open(&s, &t, &out), ERR_TOO_BIG);
	for (size_t i = 0; i < sealed.len; i++) {
		t.in.len = i;
		ck_assert_int_ne(sealing_open(&s, &t, &out), ERR_OK);
		t.in.len = sealed.len;
		sealed.data[i] ^= 1;
		ck_assert_int_eq(sealing_open(&s, &t, &out), i == 0 ? ERR_VERSION : ERR_AUTH);
		sealed.data[i] ^= 1;
	}
	buf_fini(&out);
	buf_fini(&sealed);
	sealing_wipe(&s);
	sealing_wipe(&other);
}
END_TEST

/* ---- records ---- */

struct visited {
	char text[4096];
	int stop_at, calls;
};

static int
saw_txn(void *arg, const struct map_txn_id *id, struct bytes result)
{
	struct visited *v = arg;
	size_t len = strlen(v->text);

	snprintf(v->text + len, sizeof(v->text) - len, "[%02x %.*s]", id->b[0], (int)result.len,
	    (const char *)result.data);
	return ++v->calls == v->stop_at ? ERR_BUSY : ERR_OK;
}

static int
saw_write(void *arg, struct bytes key, struct bytes value, bool deleted)
{
	struct visited *v = arg;
	size_t len = strlen(v->text);

	snprintf(v->text + len, sizeof(v->text) - len, "%c%.*s=%.*s;", deleted ? '-' : '+',
	    (int)key.len, (const char *)key.data, (int)value.len, (const char *)value.data);
	return ++v->calls == v->stop_at ? ERR_BUSY : ERR_OK;
}

static int
visit(struct bytes records, struct visited *v)
{
	struct map_log_visitor visitor = { saw_txn, saw_write, v };

	return map_log_each(records, &visitor);
}

static void
some_records(struct buf *out)
{
	struct map_txn_id id = { { 0xab } };

	buf_init(out, MAP_RECORDS_MAX);
	ck_assert_int_eq(map_log_txn(out, &id, text("result")), ERR_OK);
	ck_assert_int_eq(map_log_put(out, text("key"), text("value")), ERR_OK);
	ck_assert_int_eq(map_log_del(out, text("gone")), ERR_OK);
	id.b[0] = 0xcd;
	ck_assert_int_eq(map_log_txn(out, &id, text("")), ERR_OK);
	ck_assert_int_eq(map_log_put(out, text("k"), text("")), ERR_OK);
}

START_TEST(records_come_back_in_order)
{
	struct visited v = { .calls = 0 };
	struct buf b;

	some_records(&b);
	ck_assert_int_eq(visit(buf_bytes(&b), &v), ERR_OK);
	ck_assert_str_eq(v.text, "[ab result]+key=value;-gone=;[cd ]+k=;");
	v = (struct visited){ .stop_at = 2 };
	ck_assert_int_eq(visit(buf_bytes(&b), &v), ERR_BUSY);
	ck_assert_int_eq(v.calls, 2);
	buf_fini(&b);
}
END_TEST

/* Nothing is visited of what is not whole. */
START_TEST(records_that_are_none_are_refused)
{
	struct buf b, first;
	int whole = 0;

	some_records(&b);
	for (size_t len = 0; len < b.len; len++) {
		struct visited v = { .calls = 0 };
		int err = visit(bytes_of(b.data, len), &v);

		ck_assert(err == ERR_OK || (err == ERR_INVALID && v.calls == 0));
		whole += err == ERR_OK;
	}
	ck_assert_int_eq(whole, 5); /* the empty one, and behind four of the five */
	buf_fini(&b);
	buf_init(&first, 100);
	ck_assert_int_eq(map_log_put(&first, text("k"), text("v")), ERR_OK);
	ck_assert_int_eq(visit(buf_bytes(&first), &(struct visited){ .calls = 0 }), ERR_INVALID);
	buf_fini(&first);
}
END_TEST

static int
count_segment(void *arg, uint64_t seq, struct bytes segment)
{
	*(uint64_t *)arg += seq;
	return segment.len > 8 ? ERR_OK : ERR_CORRUPT;
}

START_TEST(segments_know_their_seq)
{
	struct hash bucket = { { 1 } };
	struct sealing s;
	struct buf records, a, b, chunk, out;
	uint64_t seq, sum = 0;

	sealing_init(&s, net, &bucket, &secret);
	some_records(&records);
	buf_init(&a, KIB(64));
	buf_init(&b, KIB(64));
	buf_init(&chunk, MAP_LOG_CHUNK_MAX);
	buf_init(&out, MAP_RECORDS_MAX);
	ck_assert_int_eq(map_segment_seal(&s, 7, buf_bytes(&records), nonce, &a), ERR_OK);
	ck_assert_int_eq(map_segment_seal(&s, 9, buf_bytes(&records), nonce, &b), ERR_OK);
	ck_assert_int_eq(map_segment_seq(buf_bytes(&a), &seq), ERR_OK);
	ck_assert_uint_eq(seq, 7);
	ck_assert_int_eq(map_segment_open(&s, buf_bytes(&a), &out), ERR_OK);
	ck_assert(bytes_equal(buf_bytes(&out), buf_bytes(&records)));
	ck_assert_int_eq(map_log_chunk_add(&chunk, buf_bytes(&a)), ERR_OK);
	ck_assert_int_eq(map_log_chunk_add(&chunk, buf_bytes(&b)), ERR_OK);
	ck_assert_int_eq(map_log_chunk_each(buf_bytes(&chunk), count_segment, &sum), ERR_OK);
	ck_assert_uint_eq(sum, 16);
	for (size_t len = 0; len < chunk.len; len++) {
		if (len != 4 + a.len)
			ck_assert_int_eq(
			    map_log_chunk_each(bytes_of(chunk.data, len), count_segment, &sum),
			    ERR_INVALID);
	}
	ck_assert_int_eq(map_log_chunk_add(&chunk, buf_bytes(&a)), ERR_OK);
	ck_assert_int_eq(map_log_chunk_each(buf_bytes(&chunk), count_segment, &sum), ERR_INVALID);
	a.data[7] ^= 1; /* another seq */
	ck_assert_int_eq(map_segment_open(&s, buf_bytes(&a), &out), ERR_AUTH);
	buf_fini(&records);
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&chunk);
	buf_fini(&out);
	sealing_wipe(&s);
}
END_TEST

/* ---- pages ---- */

START_TEST(pages_are_searched)
{
	struct map_page p;
	struct buf b;

	buf_init(&b, KIB(64));
	for (char c = 'b'; c <= 'y'; c += 2) {
		char key[2] = { c, c };

		ck_assert_int_eq(
		    map_page_append(&b, bytes_of(key, c == 'd' ? 1 : 2), bytes_of(&c, 1)), ERR_OK);
	}
	ck_assert_int_eq(map_page_parse(&b, &p), ERR_OK);
	ck_assert_uint_eq(p.count, 12);
	ck_assert_uint_eq(map_page_seek(&p, text("")), 0);
	ck_assert_uint_eq(map_page_seek(&p, text("bb")), 0);
	ck_assert_uint_eq(map_page_seek(&p, text("bba")), 1);
	ck_assert_uint_eq(map_page_seek(&p, text("d")), 1);
	ck_assert_uint_eq(map_page_seek(&p, text("d ")), 2);
	ck_assert_uint_eq(map_page_seek(&p, text("z")), 12);
	ck_assert(bytes_equal(map_page_value(&p, 1), text("d")));
	map_page_fini(&p);
	buf_fini(&b);
}
END_TEST

START_TEST(pages_that_are_none_are_refused)
{
	struct map_page p;
	struct buf whole, b;

	buf_init(&whole, KIB(64));
	ck_assert_int_eq(map_page_append(&whole, text("a"), text("1")), ERR_OK);
	ck_assert_int_eq(map_page_append(&whole, text("ab"), text("22")), ERR_OK);
	for (size_t len = 1; len < whole.len; len++) {
		if (len == 8)
			continue;
		buf_init(&b, KIB(64));
		ck_assert_int_eq(buf_append(&b, whole.data, len), ERR_OK);
		ck_assert_int_eq(map_page_parse(&b, &p), ERR_INVALID);
		buf_fini(&b);
	}
	ck_assert_int_eq(map_page_append(&whole, text("ab"), text("")), ERR_OK);
	ck_assert_int_eq(map_page_parse(&whole, &p), ERR_INVALID);
	buf_fini(&whole);
}
END_TEST

START_TEST(pages_are_cut_between_entries)
{
	struct buf b;

	buf_init(&b, KIB(64));
	ck_assert_uint_eq(map_page_cut(buf_bytes(&b), 10), 0);
	ck_assert_int_eq(map_page_append(&b, text("a"), text("1234567")), ERR_OK); /* 14 */
	ck_assert_uint_eq(map_page_cut(buf_bytes(&b), 1), 0);
	ck_assert_int_eq(map_page_append(&b, text("b"), text("1234567")), ERR_OK);
	ck_assert_int_eq(map_page_append(&b, text("c"), text("1234567")), ERR_OK);
	ck_assert_uint_eq(map_page_cut(buf_bytes(&b), 1), 14);
	ck_assert_uint_eq(map_page_cut(buf_bytes(&b), 14), 14);
	ck_assert_uint_eq(map_page_cut(buf_bytes(&b), 15), 28);
	ck_assert_uint_eq(map_page_cut(buf_bytes(&b), 1000), 28);
	ck_assert_uint_eq(map_page_count(buf_bytes(&b)), 3);
	ck_assert(bytes_equal(map_page_first_key(buf_bytes(&b)), text("a")));
	ck_assert(bytes_equal(map_page_last_key(buf_bytes(&b)), text("c")));
	ck_assert_uint_eq(map_page_separator(text("abc"), text("abd")), 3);
	ck_assert_uint_eq(map_page_separator(text("abc"), text("abcd")), 4);
	ck_assert_uint_eq(map_page_separator(text("abc"), text("b")), 1);
	buf_fini(&b);
}
END_TEST

/* ---- root and list ---- */

static void
make_ref(uint32_t *x, struct chunk_ref *out)
{
	memset(out, 0, sizeof(*out));
	out->id.b[0] = (uint8_t)draw(x, 256);
	out->code.k = (uint8_t)(1 + draw(x, 8));
	out->code.r = (uint8_t)(out->code.k + 1);
	out->code.n = (uint8_t)(out->code.r + 1 + draw(x, 8));
	out->bytes = 1 + draw(x, 1000000);
	for (uint8_t i = 0; i < out->code.n; i++)
		out->hints[i][0] = (uint8_t)draw(x, 256);
}

static void
make_root(uint32_t *x, struct map_root *r)
{
	struct chunk_ref ref;
	struct blob_ref blob;
	uint64_t seq = 1;

	map_root_init(r);
	make_ref(x, &ref);
	ck_assert_int_eq(blob_ref_init(&blob, &ref), ERR_OK);
	if (draw(x, 3) > 0) {
		r->checkpoint = 1 + draw(x, 100);
		r->snapshot_seq = draw(x, 1000);
		ck_assert_int_eq(blob_ref_init(&r->list, &ref), ERR_OK);
	}
	while (r->ids_count < draw(x, 3)) {
		r->ids[r->ids_count].from = draw(x, 100);
		r->ids[r->ids_count].to = 100 + draw(x, 100);
		ck_assert_int_eq(blob_ref_init(&r->ids[r->ids_count++].ref, &ref), ERR_OK);
	}
	for (uint32_t i = draw(x, 20); i > 0; i--) {
		uint64_t to = seq + draw(x, 10);

		ck_assert_int_eq(map_root_add_log(r, &blob, seq, to), ERR_OK);
		seq = to + 1 + draw(x, 3);
	}
	for (uint32_t i = draw(x, 20); i > 0; i--)
		ck_assert_int_eq(map_root_retire(r, draw(x, 50), &blob), ERR_OK);
	blob_ref_fini(&blob);
}

START_TEST(roots_come_back)
{
	uint32_t x = 1;

	for (int i = 0; i < 50; i++) {
		struct map_root r, copy, back;
		struct buf a, b;

		make_root(&x, &r);
		buf_init(&a, MAP_ROOT_BYTES);
		buf_init(&b, MAP_ROOT_BYTES);
		ck_assert_int_eq(map_root_copy(&copy, &r), ERR_OK);
		ck_assert_int_eq(map_root_pack(&copy, &a), ERR_OK);
		ck_assert_int_eq(map_root_unpack(buf_bytes(&a), &back), ERR_OK);
		ck_assert_int_eq(map_root_pack(&back, &b), ERR_OK);
		ck_assert(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
		map_root_fini(&back);
		for (size_t len = 0; len < a.len; len += i < 5 ? 1 : 1 + draw(&x, 50))
			ck_assert_int_eq(
			    map_root_unpack(bytes_of(a.data, len), &back), ERR_INVALID);
		map_root_fini(&r);
		map_root_fini(&copy);
		buf_fini(&a);
		buf_fini(&b);
	}
}
END_TEST

static void
add_page(struct map_list *l, uint32_t *x, const char *from)
{
	struct map_list_page p = { .from_len = (uint16_t)strlen(from),
		.plain_bytes = draw(x, 1000),
		.entries = draw(x, 10) };
	struct chunk_ref ref;

	make_ref(x, &ref);
	p.from = malloc(64);
	memcpy(p.from, from, strlen(from));
	ck_assert_int_eq(blob_ref_init(&p.ref, &ref), ERR_OK);
	ck_assert_int_eq(map_list_add(l, &p), ERR_OK);
}

START_TEST(lists_come_back)
{
	struct map_list l, back;
	struct buf a, b;
	uint32_t x = 2;

	map_list_init(&l);
	l.checkpoint = 7;
	l.seq = 8;
	add_page(&l, &x, "");
	add_page(&l, &x, "b");
	add_page(&l, &x, "bb");
	add_page(&l, &x, "x");
	ck_assert_int_eq(map_list_copy_page(&l, &l.pages[0]), ERR_OK);
	buf_init(&a, MAP_LIST_BYTES);
	buf_init(&b, MAP_LIST_BYTES);
	ck_assert_int_eq(map_list_pack(&l, &a), ERR_OK);
	ck_assert_int_eq(map_list_unpack(buf_bytes(&a), &back), ERR_INVALID); /* does not ascend */
	map_list_page_fini(&l.pages[--l.pages_count]);
	ck_assert_int_eq(map_list_retire(&l, 5, &l.pages[1].ref), ERR_OK);
	buf_reset(&a);
	ck_assert_int_eq(map_list_pack(&l, &a), ERR_OK);
	ck_assert_int_eq(map_list_unpack(buf_bytes(&a), &back), ERR_OK);
	ck_assert_int_eq(map_list_pack(&back, &b), ERR_OK);
	ck_assert(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
	ck_assert_uint_eq(map_list_find(&back, text("")), 0);
	ck_assert_uint_eq(map_list_find(&back, text("azzz")), 0);
	ck_assert_uint_eq(map_list_find(&back, text("b")), 1);
	ck_assert_uint_eq(map_list_find(&back, text("ba")), 1);
	ck_assert_uint_eq(map_list_find(&back, text("bb")), 2);
	ck_assert_uint_eq(map_list_find(&back, text("zz")), 3);
	map_list_fini(&back);
	for (size_t len = 0; len < a.len; len++)
		ck_assert_int_eq(map_list_unpack(bytes_of(a.data, len), &back), ERR_INVALID);
	map_list_fini(&l);
	buf_fini(&a);
	buf_fini(&b);
}
END_TEST

/* ---- ids ---- */

START_TEST(ids_are_found_and_forgotten)
{
	struct map_ids t;
	struct buf packed;
	struct bytes result;

	map_ids_init(&t);
	for (uint32_t i = 0; i < 1000; i++) {
		struct map_txn_id id = { { 0 } };

		memcpy(id.b, &i, sizeof(i));
		ck_assert_int_eq(
		    map_ids_add(&t, &id, 1 + i / 10, bytes_of(&i, i % 3 == 0 ? 4 : 0)), ERR_OK);
		/* The same again is no second one. */
		ck_assert_int_eq(map_ids_add(&t, &id, 1 + i / 10, text("other")), ERR_OK);
	}
	ck_assert_uint_eq(t.count, 1000);
	buf_init(&packed, MAP_IDS_BYTES_MAX);
	ck_assert_int_eq(map_ids_pack(&t, 20, 60, &packed), ERR_OK);
	map_ids_forget(&t, 50);
	ck_assert_uint_eq(t.count, 500);
	for (uint32_t i = 0; i < 1010; i++) {
		const struct map_ids_entry *e;
		struct map_txn_id id = { { 0 } };

		memcpy(id.b, &i, sizeof(i));
		e = map_ids_find(&t, &id);
		ck_assert((e != NULL) == (i >= 500 && i < 1000));
		if (e != NULL) {
			ck_assert_uint_eq(e->seq, 1 + i / 10);
			ck_assert_uint_eq(e->len, i % 3 == 0 ? 4 : 0);
		}
		ck_assert_int_eq(map_ids_look(buf_bytes(&packed), &id, &result),
		    i >= 200 && i < 600 ? ERR_OK : ERR_NOT_FOUND);
		ck_assert_int_eq(
		    map_ids_look(bytes_of(packed.data, packed.len - 1), &id, &result), ERR_INVALID);
	}
	map_ids_forget(&t, UINT64_MAX);
	ck_assert_uint_eq(t.count + t.bytes, 0);
	map_ids_fini(&t);
	buf_fini(&packed);
}
END_TEST

/* ---- the overlay against every version of every key ---- */

#define KEYS 40
#define SEQS 200

struct naive {
	/* 0: as before; 1: deleted; else a value */
	uint32_t at[KEYS][SEQS + 1];
};

static uint32_t
naive_at(const struct naive *n, size_t key, uint64_t after, uint64_t until)
{
	for (uint64_t seq = until; seq > after; seq--) {
		if (n->at[key][seq] != 0)
			return n->at[key][seq];
	}
	return 0;
}

static void
compare(const struct overlay *o, const struct naive *n, uint64_t after, uint64_t until)
{
	const struct overlay_item *i = overlay_seek(o, text(""));

	for (size_t k = 0; k < KEYS; k++) {
		uint32_t want = naive_at(n, k, after, until);
		const struct overlay_version *v = NULL;
		uint8_t key = (uint8_t)k;

		while (i != NULL && overlay_key(i).data[0] < key)
			i = overlay_next(i);
		ck_assert_ptr_eq(i, overlay_seek(o, bytes_of(&key, 1)));
		if (i != NULL && overlay_key(i).data[0] == key)
			v = overlay_at(i, after, until);
		ck_assert((v != NULL) == (want != 0));
		if (v == NULL)
			continue;
		ck_assert(v->deleted == (want == 1));
		if (!v->deleted)
			ck_assert_mem_eq(overlay_value(v).data, &want, sizeof(want));
	}
}

START_TEST(the_overlay_keeps_what_is_needed)
{
	for (uint32_t seed = 1; seed < 10; seed++) {
		struct naive *n = calloc(1, sizeof(*n));
		uint64_t seqs[4] = { 0 }, floor = 0;
		struct overlay o;
		uint32_t x = seed;

		overlay_init(&o, seed);
		for (uint64_t seq = 1; seq <= SEQS; seq++) {
			for (uint32_t w = draw(&x, 4); w > 0; w--) {
				uint8_t key = (uint8_t)draw(&x, KEYS);
				uint32_t value = 1 + draw(&x, 1000);

				n->at[key][seq] = value;
				ck_assert_int_eq(value == 1
						     ? overlay_del(&o, seq, bytes_of(&key, 1))
						     : overlay_put(&o, seq, bytes_of(&key, 1),
							   bytes_of(&value, sizeof(value))),
				    ERR_OK);
			}
			if (seq % 50 == 10) {
				seqs[draw(&x, 2)] = seq;
				seqs[2 + draw(&x, 2)] = seq;
			}
			if (seq % 60 == 0) {
				uint64_t needed[4];
				size_t count = 0;

				floor += draw(&x, 20);
				for (uint64_t s = floor; s <= SEQS; s++) {
					for (size_t i = 0; i < 4; i++) {
						if (seqs[i] == s &&
						    (count == 0 || needed[count - 1] != s))
							needed[count++] = s;
					}
				}
				overlay_prune(&o, &(struct overlay_needs){ floor, needed, count });
				for (size_t i = 0; i < count; i++)
					compare(&o, n, floor, needed[i]);
			}
			if (seq % 7 == 0)
				compare(&o, n, floor, seq);
		}
		overlay_prune(&o, &(struct overlay_needs){ SEQS, NULL, 0 });
		ck_assert_uint_eq(o.items + o.bytes + o.old_bytes, 0);
		overlay_fini(&o);
		free(n);
	}
}
END_TEST

START_TEST(what_was_written_can_be_taken_back)
{
	struct overlay o;

	overlay_init(&o, 1);
	ck_assert_int_eq(overlay_put(&o, 1, text("a"), text("1")), ERR_OK);
	ck_assert_int_eq(overlay_put(&o, 2, text("a"), text("2")), ERR_OK);
	ck_assert_int_eq(overlay_put(&o, 2, text("b"), text("2")), ERR_OK);
	ck_assert_int_eq(overlay_put(&o, 2, text("a"), text("3")), ERR_OK);
	overlay_take_back(&o, 2);
	ck_assert_uint_eq(o.items, 1);
	ck_assert_uint_eq(o.old_bytes, 0);
	ck_assert(bytes_equal(overlay_value(overlay_seek(&o, text(""))->newest), text("1")));
	overlay_fini(&o);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/map formats");

	suite_add(s, "sealing", 30, sealed_strings_open_in_their_place_only, NULL);
	suite_add(s, "log", 30, records_come_back_in_order, records_that_are_none_are_refused,
	    segments_know_their_seq, NULL);
	suite_add(s, "page", 30, pages_are_searched, pages_that_are_none_are_refused,
	    pages_are_cut_between_entries, NULL);
	suite_add(s, "root", 30, roots_come_back, lists_come_back, NULL);
	suite_add(s, "memory", 30, ids_are_found_and_forgotten, the_overlay_keeps_what_is_needed,
	    what_was_written_can_be_taken_back, NULL);
	return suite_main(s);
}
