/* Entries, pairs, grants, ETags, versions, keys: kept forms and rules without a bucket. */
#include <stdio.h>

#include "object/acl.h"
#include "object/conditions.h"
#include "object/refusal.h"
#include "object/tables.h"
#include "overlay/base/err.h"
#include "test/unit/object/kv_mem.h"
#include "test/unit/suite.h"

static struct entry
full_entry(struct buf *meta, struct buf *tags)
{
	struct entry e = { .null = true,
		.hold = true,
		.in_parts = true,
		.size = 48,
		.modified_ms = 7,
		.etag = { .md5 = { 1, 2 }, .parts = 10000 },
		.checksum = { .algorithm = CHECKSUM_SHA256,
		    .type = CHECKSUM_COMPOSITE,
		    .value = { 9 } },
		.storage_class = CLASS_GLACIER_IR,
		.lock_mode = LOCK_COMPLIANCE,
		.sse = SSE_CUSTOMER,
		.lock_until_ms = 99,
		.customer = { .salt = { 3 }, .check = { 4 } },
		.parts = { { 5 } },
		.owner = text("somebody"),
		.content = text("where it is"),
		.acl = text("grants") };

	for (size_t i = 0; i < TEXT_COUNT; i++)
		e.text[i] = text(&"a header"[i]);
	ck_assert_int_eq(pairs_add(meta, text("colour"), text("")), ERR_OK);
	ck_assert_int_eq(pairs_add(tags, text("tag"), text("value")), ERR_OK);
	e.meta = buf_bytes(meta);
	e.tags = buf_bytes(tags);
	return e;
}

START_TEST(entries_come_back)
{
	struct buf meta, tags, packed, again;
	struct entry e, out;

	buf_init(&meta, KIB(4));
	buf_init(&tags, KIB(4));
	buf_init(&packed, KV_VALUE_MAX);
	buf_init(&again, KV_VALUE_MAX);
	e = full_entry(&meta, &tags);
	ck_assert_int_eq(entry_pack(&e, &packed), ERR_OK);
	ck_assert_int_eq(entry_unpack(buf_bytes(&packed), &out), ERR_OK);
	ck_assert_int_eq(entry_pack(&out, &again), ERR_OK);
	ck_assert(bytes_equal(buf_bytes(&packed), buf_bytes(&again)));
	ck_assert(out.null && out.hold && out.in_parts && !out.marker);
	ck_assert_uint_eq(out.size, 48);
	ck_assert(etag_equal(&out.etag, &e.etag) && checksum_equal(&out.checksum, &e.checksum));
	ck_assert_uint_eq(out.checksum.type, CHECKSUM_COMPOSITE);
	ck_assert_uint_eq(out.lock_until_ms, 99);
	ck_assert_mem_eq(&out.customer, &e.customer, sizeof(e.customer));
	ck_assert(version_equal(&out.parts, &e.parts));
	for (size_t i = 0; i < TEXT_COUNT; i++)
		ck_assert(bytes_equal(out.text[i], e.text[i]));
	ck_assert(bytes_equal(out.meta, e.meta) && bytes_equal(out.tags, e.tags));
	ck_assert(bytes_equal(out.acl, e.acl) && bytes_equal(out.owner, e.owner));
	ck_assert(bytes_equal(out.content, e.content));

	/* Cut anywhere, or longer by one, it is none. */
	for (size_t len = 0; len < packed.len; len++)
		ck_assert_int_eq(entry_unpack(bytes_of(packed.data, len), &out), ERR_CORRUPT);
	ck_assert_int_eq(buf_append(&packed, "", 1), ERR_OK);
	ck_assert_int_eq(entry_unpack(buf_bytes(&packed), &out), ERR_CORRUPT);
	packed.data[0] = 2;
	ck_assert_int_eq(entry_unpack(buf_bytes(&packed), &out), ERR_VERSION);
	buf_fini(&meta);
	buf_fini(&tags);
	buf_fini(&packed);
	buf_fini(&again);
}
END_TEST

/* The longest of everything fits a value of the map; one byte more of anything is refused. */
START_TEST(the_largest_entry_fits)
{
	struct buf meta, tags, packed;
	struct entry e = { .checksum.algorithm = CHECKSUM_SHA256,
		.lock_mode = 1,
		.sse = SSE_CUSTOMER,
		.in_parts = true };
	uint8_t *much = calloc(1, KIB(64)), name[TAG_NAME_CHARS_MAX * 4];

	ck_assert_ptr_nonnull(much);
	memset(much, 'x', KIB(64));
	memset(name, 'n', sizeof(name));
	buf_init(&meta, KIB(64));
	buf_init(&tags, KIB(64));
	buf_init(&packed, KV_VALUE_MAX);
	for (size_t i = 0; i < META_BYTES_MAX / 2; i++)
		ck_assert_int_eq(pairs_add(&meta, text("n"), text("v")), ERR_OK);
	for (size_t i = 0; i < TAGS_MAX; i++)
		ck_assert_int_eq(pairs_add(&tags, bytes_of(name, sizeof(name)),
				     bytes_of(much, TAG_VALUE_CHARS_MAX * 4)),
		    ERR_OK);
	e.meta = buf_bytes(&meta);
	e.tags = buf_bytes(&tags);
	e.owner = bytes_of(much, ENTRY_OWNER_BYTES_MAX);
	e.acl = bytes_of(much, ENTRY_ACL_BYTES_MAX);
	e.content = bytes_of(much, ENTRY_CONTENT_BYTES_MAX);
	e.text[TEXT_REDIRECT] = bytes_of(much, ENTRY_TEXTS_BYTES_MAX - 1);
	e.text[TEXT_EXPIRES] = bytes_of(much, 1);
	ck_assert_int_eq(pairs_check_meta(e.meta), ERR_OK);
	ck_assert_int_eq(entry_pack(&e, &packed), ERR_OK);
	e.text[TEXT_EXPIRES].len = 2;
	ck_assert_int_eq(entry_pack(&e, &packed), ERR_INVALID);
	e.text[TEXT_EXPIRES].len = 1;
	e.content.len++;
	ck_assert_int_eq(entry_pack(&e, &packed), ERR_INVALID);
	buf_fini(&meta);
	buf_fini(&tags);
	buf_fini(&packed);
	free(much);
}
END_TEST

START_TEST(etags_in_words)
{
	struct etag e, other;
	char word[ETAG_TEXT_MAX];

	ck_assert_int_eq(
	    etag_parse(text("\"d41d8cd98f00b204e9800998ecf8427e-10000\""), &e), ERR_OK);
	ck_assert_uint_eq(e.parts, 10000);
	ck_assert_str_eq(etag_text(&e, word), "d41d8cd98f00b204e9800998ecf8427e-10000");
	ck_assert_int_eq(etag_parse(text("d41d8cd98f00b204e9800998ecf8427e"), &other), ERR_OK);
	ck_assert(!etag_equal(&e, &other));
	ck_assert_str_eq(etag_text(&other, word), "d41d8cd98f00b204e9800998ecf8427e");
	static const char *const bad[] = { "", "\"\"", "d41d8cd98f00b204e9800998ecf8427",
		"d41d8cd98f00b204e9800998ecf8427e-", "d41d8cd98f00b204e9800998ecf8427e-01",
		"d41d8cd98f00b204e9800998ecf8427e-10001", "d41d8cd98f00b204e9800998ecf8427e-1x",
		"d41d8cd98f00b204e9800998ecf8427g", "d41d8cd98f00b204e9800998ecf8427e1" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_int_eq(etag_parse(text(bad[i]), &e), ERR_INVALID);
}
END_TEST

START_TEST(conditions_as_http_has_them)
{
	struct entry e = { .modified_ms = 100500 };
	struct conditions c = { .has_modified_since = false };
	const char *mine = "\"00000000000000000000000000000000\"", *other = "\"11\"";

	ck_assert(conditions_names(text("*"), &e.etag));
	ck_assert(
	    conditions_names(text("\"x\" , W/\"00000000000000000000000000000000\""), &e.etag));
	ck_assert(conditions_names(text("00000000000000000000000000000000"), &e.etag));
	ck_assert(!conditions_names(text(""), &e.etag));
	/* An ETag that matches outweighs the date. */
	c = (struct conditions){
		.if_match = text(mine), .has_unmodified_since = true, .unmodified_since_s = 1
	};
	ck_assert_int_eq(conditions_read(&c, &e), ERR_OK);
	c.if_match = text(other);
	ck_assert_int_eq(conditions_read(&c, &e), REFUSAL_PRECONDITION);
	c = (struct conditions){
		.if_none_match = text(other), .has_modified_since = true, .modified_since_s = 1000
	};
	ck_assert_int_eq(conditions_read(&c, &e), ERR_OK);
	c.if_none_match = text(mine);
	ck_assert_int_eq(conditions_read(&c, &e), REFUSAL_NOT_MODIFIED);
	ck_assert_int_eq(conditions_copy(&c, &e), REFUSAL_PRECONDITION);
	/* Whole seconds: what Last-Modified said is not older. */
	c = (struct conditions){ .has_modified_since = true, .modified_since_s = 100 };
	ck_assert_int_eq(conditions_read(&c, &e), REFUSAL_NOT_MODIFIED);
	c.modified_since_s = 99;
	ck_assert_int_eq(conditions_read(&c, &e), ERR_OK);
	c = (struct conditions){ .has_unmodified_since = true, .unmodified_since_s = 100 };
	ck_assert_int_eq(conditions_read(&c, &e), ERR_OK);
	c.unmodified_since_s = 99;
	ck_assert_int_eq(conditions_read(&c, &e), REFUSAL_PRECONDITION);
	/* A write over nothing: any object, or the one that has this ETag. */
	c = (struct conditions){ .if_match = text("*") };
	ck_assert_int_eq(conditions_write(&c, &e), ERR_OK);
	ck_assert_int_eq(conditions_write(&c, NULL), REFUSAL_PRECONDITION);
	c.if_match = text(mine);
	ck_assert_int_eq(conditions_write(&c, NULL), REFUSAL_NO_SUCH_KEY);
}
END_TEST

START_TEST(keys_are_utf8)
{
	static const struct {
		const char *key;
		int err;
	} cases[] = { { "a", ERR_OK }, { "\xc3\xa4/\xe2\x82\xac\xf0\x9f\x98\x80", ERR_OK },
		{ "", REFUSAL_KEY }, { "\x80", REFUSAL_KEY }, { "\xc0\xaf", REFUSAL_KEY },
		{ "\xed\xa0\x80", REFUSAL_KEY }, { "\xe0\x80\xaf", REFUSAL_KEY },
		{ "\xf4\x90\x80\x80", REFUSAL_KEY }, { "\xf5\x80\x80\x80", REFUSAL_KEY },
		{ "a\xc3", REFUSAL_KEY }, { "\x01\x7f\n", ERR_OK },
		{ "\xf4\x8f\xbf\xbf", ERR_OK } };
	uint8_t key[OBJECT_KEY_MAX + 1] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ck_assert_int_eq(object_key_check(text(cases[i].key)), cases[i].err);
	ck_assert_int_eq(object_key_check(bytes_of(key, OBJECT_KEY_MAX)), ERR_OK);
	ck_assert_int_eq(object_key_check(bytes_of(key, OBJECT_KEY_MAX + 1)), REFUSAL_KEY_LONG);
}
END_TEST

/* In the map keys have the order of their bytes, and come back. */
START_TEST(table_keys_keep_the_order)
{
	static const struct {
		const char *key;
		size_t len;
	} keys[] = { { "\0", 1 }, { "\0\0", 2 }, { "\0\x01", 2 }, { "\x01", 1 }, { "a", 1 },
		{ "a\0", 2 }, { "a/", 2 }, { "aa", 2 }, { "b", 1 }, { "\xf4\x8f\xbf\xbf", 4 } };
	struct version v = { { 0xff, 0xff } }, id;
	struct table_key before, k;
	uint8_t out[OBJECT_KEY_MAX];
	size_t len;

	memset(v.b, 0xff, sizeof(v.b));
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct bytes key = bytes_of(keys[i].key, keys[i].len);

		k = table_key(TABLE_VERSIONS, key, &v);
		ck_assert_int_eq(
		    table_split(table_key_bytes(&k), TABLE_VERSIONS, out, &len, &id), ERR_OK);
		ck_assert(bytes_equal(bytes_of(out, len), key) && version_equal(&id, &v));
		ck_assert_int_eq(
		    table_split(table_key_bytes(&k), TABLE_UPLOADS, out, &len, &id), ERR_NOT_FOUND);
		k = table_key(TABLE_VERSIONS, key, NULL);
		if (i > 0)
			ck_assert_int_lt(
			    kv_compare(table_key_bytes(&before), table_key_bytes(&k)), 0);
		k = table_past_key(TABLE_VERSIONS, key);
		before = table_key(TABLE_VERSIONS, key, &v);
		ck_assert_int_lt(kv_compare(table_key_bytes(&before), table_key_bytes(&k)), 0);
	}
}
END_TEST

START_TEST(versions_newest_first)
{
	struct version a, b, c;
	struct version_ref ref;
	char word[VERSION_TEXT_MAX];

	a = version_next(NULL, 1000, (const uint8_t *)"12345678");
	b = version_next(&a, 1000, (const uint8_t *)"12345678");
	c = version_next(&b, 10, (const uint8_t *)"99999999"); /* the clock went back */
	ck_assert_int_lt(memcmp(b.b, a.b, sizeof(a.b)), 0);
	ck_assert_int_lt(memcmp(c.b, b.b, sizeof(a.b)), 0);
	ck_assert_uint_eq(version_ms(&a), 1000);
	ck_assert_uint_eq(version_ms(&c), 1000);
	version_text(false, &a, word);
	ck_assert_int_eq(version_parse(text(word), &ref), ERR_OK);
	ck_assert(ref.which == VERSION_ID && version_equal(&ref.id, &a));
	ck_assert_int_eq(version_parse(bytes_of(NULL, 0), &ref), ERR_OK);
	ck_assert(ref.which == VERSION_LATEST);
	ck_assert_int_eq(version_parse(text("null"), &ref), ERR_OK);
	ck_assert(ref.which == VERSION_NULL);
	ck_assert_int_eq(version_parse(text(""), &ref), REFUSAL_BAD_VERSION);
	ck_assert_int_eq(version_parse(text("nulL"), &ref), REFUSAL_BAD_VERSION);
	/* Times that nobody means do not wrap about. */
	a = version_next(NULL, UINT64_MAX, (const uint8_t *)"12345678");
	b = version_next(&a, UINT64_MAX, (const uint8_t *)"12345678");
	ck_assert_int_lt(memcmp(b.b, a.b, sizeof(a.b)), 0);
}
END_TEST

START_TEST(tags_as_s3_takes_them)
{
	struct buf list;
	char name[TAG_NAME_CHARS_MAX + 2];

	buf_init(&list, KIB(32));
	for (int i = 0; i < TAGS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "k%d +-=._:/@\xc3\xa4", i);
		ck_assert_int_eq(pairs_add(&list, text(name), text("")), ERR_OK);
	}
	ck_assert_int_eq(pairs_check_tags(buf_bytes(&list), TAGS_MAX), ERR_OK);
	ck_assert_int_eq(pairs_add(&list, text("one more"), text("")), ERR_OK);
	ck_assert_int_eq(pairs_check_tags(buf_bytes(&list), TAGS_MAX), REFUSAL_TAGS_MANY);
	static const char *const bad[] = { "", "aws:x", "a;b", "a\"", "twice" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		buf_reset(&list);
		ck_assert_int_eq(pairs_add(&list, text("twice"), text("1")), ERR_OK);
		ck_assert_int_eq(pairs_add(&list, text(bad[i]), text("2")), ERR_OK);
		ck_assert_int_eq(pairs_check_tags(buf_bytes(&list), TAGS_MAX), REFUSAL_TAG);
	}
	memset(name, 'n', sizeof(name));
	for (size_t extra = 0; extra < 2; extra++) {
		buf_reset(&list);
		ck_assert_int_eq(
		    pairs_add(&list, bytes_of(name, TAG_NAME_CHARS_MAX + extra), text("")), ERR_OK);
		ck_assert_int_eq(pairs_check_tags(buf_bytes(&list), TAGS_MAX),
		    extra == 0 ? ERR_OK : REFUSAL_TAG);
	}
	buf_fini(&list);
}
END_TEST

START_TEST(tags_are_a_set)
{
	static const char *const given[] = { "b", "a", "ab", "", "\xc3\xa4", "B" };
	static const char *const wanted[] = { "", "B", "a", "ab", "b", "\xc3\xa4" };
	struct bytes rest;
	struct buf list;
	struct pair p;

	buf_init(&list, KIB(1));
	ck_assert_int_eq(pairs_sort_tags(&list), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(given); i++)
		ck_assert_int_eq(pairs_add(&list, text(given[i]), text(given[i])), ERR_OK);
	ck_assert_int_eq(pairs_sort_tags(&list), ERR_OK);
	rest = buf_bytes(&list);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		ck_assert(pairs_next(&rest, &p));
		ck_assert(bytes_equal(p.name, text(wanted[i])) && bytes_equal(p.value, p.name));
	}
	ck_assert(!pairs_next(&rest, &p));
	buf_fini(&list);
}
END_TEST

START_TEST(grants_come_back_and_allow)
{
	struct account_id me = { "me" }, you = { "you" }, they = { "they" };
	struct acl *a = calloc(2, sizeof(*a));
	struct buf packed;

	ck_assert_ptr_nonnull(a);
	buf_init(&packed, ENTRY_ACL_BYTES_MAX);
	ck_assert_int_eq(acl_canned(a, "public-read", &me, &you), ERR_OK);
	ck_assert(acl_public(a));
	ck_assert_uint_eq(acl_allows(a, NULL), ACL_READ);
	ck_assert_uint_eq(acl_allows(a, &me), ACL_FULL_CONTROL);
	ck_assert_int_eq(acl_canned(a, "authenticated-read", &me, &you), ERR_OK);
	ck_assert_uint_eq(acl_allows(a, NULL), 0);
	ck_assert_uint_eq(acl_allows(a, &they), ACL_READ);
	ck_assert_int_eq(acl_canned(a, "bucket-owner-full-control", &me, &you), ERR_OK);
	ck_assert_uint_eq(acl_allows(a, &you), ACL_FULL_CONTROL);
	ck_assert_uint_eq(acl_allows(a, &they), 0);
	ck_assert_int_eq(acl_canned(a, "bucket-owner-read", &me, &me), ERR_OK);
	ck_assert_uint_eq(a->count, 1);
	ck_assert(!acl_public(a));
	ck_assert_int_eq(acl_canned(a, "no-such", &me, &you), ERR_INVALID);
	ck_assert_int_eq(acl_grant(a, ACL_ACCOUNT, NULL, ACL_READ), ERR_INVALID);
	ck_assert_int_eq(acl_grant(a, ACL_ALL_USERS, NULL, 3), ERR_INVALID);
	while (a->count < ACL_GRANTS_MAX) {
		struct account_id longest = { "" };

		memset(longest.text, 'a', ACCOUNT_ID_MAX);
		ck_assert_int_eq(acl_grant(a, ACL_ACCOUNT, longest.text, ACL_WRITE), ERR_OK);
	}
	ck_assert_int_eq(acl_grant(a, ACL_ALL_USERS, NULL, ACL_READ), ERR_FULL);
	ck_assert_int_eq(acl_pack(a, &packed), ERR_OK);
	ck_assert_int_eq(acl_unpack(buf_bytes(&packed), a + 1), ERR_OK);
	ck_assert_mem_eq(a->grants, a[1].grants, sizeof(a->grants));
	ck_assert_str_eq(a->owner.text, a[1].owner.text);
	for (size_t len = 0; len < packed.len; len += 7)
		ck_assert_int_eq(acl_unpack(bytes_of(packed.data, len), a + 1), ERR_CORRUPT);
	buf_fini(&packed);
	free(a);
}
END_TEST

START_TEST(customers_keys)
{
	struct key mine = { { 1 } }, other = { { 2 } }, segment = { { 3 } }, one, two;
	struct sse_customer c;
	uint8_t salt[16] = { 7 };

	sse_customer_set(&c, &mine, salt);
	ck_assert_int_eq(sse_check(SSE_CUSTOMER, &c, &mine), ERR_OK);
	ck_assert_int_eq(sse_check(SSE_CUSTOMER, &c, &other), REFUSAL_SSE_WRONG);
	ck_assert_int_eq(sse_check(SSE_CUSTOMER, &c, NULL), REFUSAL_SSE_MISSING);
	ck_assert_int_eq(sse_check(SSE_DEFAULT, &c, &mine), REFUSAL_SSE_MISSING);
	ck_assert_int_eq(sse_check(SSE_AES256, &c, NULL), ERR_OK);
	sse_data_key(&one, &mine, &segment);
	sse_data_key(&two, &other, &segment);
	ck_assert_mem_ne(one.b, two.b, sizeof(one.b));
	ck_assert_mem_ne(one.b, c.check, sizeof(one.b));
}
END_TEST

START_TEST(classes_and_refusals_in_words)
{
	uint8_t class;

	for (uint8_t i = 0; i < CLASS_COUNT; i++) {
		ck_assert_int_eq(storage_class_parse(text(storage_class_name(i)), &class), ERR_OK);
		ck_assert_uint_eq(class, i);
	}
	ck_assert_int_eq(storage_class_parse(text("standard"), &class), ERR_INVALID);
	ck_assert_str_eq(refusal_code(REFUSAL_NO_SUCH_KEY), "NoSuchKey");
	ck_assert(refusal_is(REFUSAL_SSE_WRONG));
	ck_assert(!refusal_is(ERR_NOT_FOUND) && !refusal_is(ERR_OK));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/entry");

	suite_add(s, "kept", 0, entries_come_back, the_largest_entry_fits,
	    grants_come_back_and_allow, table_keys_keep_the_order, NULL);
	suite_add(s, "rules", 0, etags_in_words, conditions_as_http_has_them, keys_are_utf8,
	    versions_newest_first, tags_as_s3_takes_them, tags_are_a_set, customers_keys,
	    classes_and_refusals_in_words, NULL);
	return suite_main(s);
}
