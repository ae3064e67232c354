/* What S3 says in particular cases: locks, changes in place, conditions of deletes, settings. */
#include <stdio.h>

#include "object/listing.h"
#include "object/settings.h"
#include "test/unit/object/kv_mem.h"
#include "test/unit/suite.h"

#define NOW UINT64_C(1700000000000)
#define DAY UINT64_C(86400000)

static const struct version_ref latest = { .which = VERSION_LATEST };

static struct bucket_txn
txn(struct kv_mem *m, uint64_t now_ms)
{
	static uint8_t random;
	struct bucket_txn t = { .kv = &m->kv, .refs = &m->counts.refs, .now_ms = now_ms };

	t.random[0] = ++random;
	return t;
}

static int
put(struct kv_mem *m, const char *key, struct entry e, struct bucket_done *done)
{
	struct bucket_txn t = txn(m, NOW);

	return bucket_put(&t, text(key), NULL, &e, done);
}

static int
del(struct kv_mem *m, uint64_t now_ms, const char *key, const struct version *id, bool bypass)
{
	struct bucket_delete d = { .bypass_governance = bypass };
	struct bucket_txn t = txn(m, now_ms);
	struct bucket_done done;

	if (id != NULL)
		d.which = (struct version_ref){ .which = VERSION_ID, .id = *id };
	return bucket_delete(&t, text(key), &d, &done);
}

static struct version_ref
id_of(const struct bucket_done *done)
{
	return (struct version_ref){ .which = VERSION_ID, .id = done->version };
}

static struct kv_mem *
locked_bucket(enum lock_mode mode, uint32_t days)
{
	struct kv_mem *m = kv_mem_new();

	ck_assert_int_eq(settings_set_lock(&m->kv, LOCK_NONE, false, 0), REFUSAL_STATE);
	ck_assert_int_eq(settings_set_versioning(&m->kv, VERSIONING_ENABLED), ERR_OK);
	ck_assert_int_eq(settings_set_lock(&m->kv, mode, false, days), ERR_OK);
	ck_assert_int_eq(settings_set_versioning(&m->kv, VERSIONING_SUSPENDED), REFUSAL_STATE);
	return m;
}

START_TEST(locks_hold)
{
	static const struct {
		enum lock_mode mode;
		bool bypass;
		uint64_t at_ms;
		int err;
	} cases[] = {
		{ LOCK_GOVERNANCE, false, NOW + DAY - 1, REFUSAL_LOCKED },
		{ LOCK_GOVERNANCE, true, NOW + DAY - 1, ERR_OK },
		{ LOCK_GOVERNANCE, false, NOW + DAY, ERR_OK },
		{ LOCK_COMPLIANCE, false, NOW + DAY - 1, REFUSAL_LOCKED },
		{ LOCK_COMPLIANCE, true, NOW + DAY - 1, REFUSAL_LOCKED },
		{ LOCK_COMPLIANCE, false, NOW + DAY, ERR_OK },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kv_mem *m = locked_bucket(LOCK_NONE, 0);
		struct entry e = { .lock_mode = (uint8_t)cases[i].mode,
			.lock_until_ms = NOW + DAY };
		struct bucket_done done;

		ck_assert_int_eq(put(m, "a", e, &done), ERR_OK);
		/* A marker may come above it at any time. */
		ck_assert_int_eq(del(m, NOW, "a", NULL, false), ERR_OK);
		ck_assert_int_eq(
		    del(m, cases[i].at_ms, "a", &done.version, cases[i].bypass), cases[i].err);
		kv_mem_free(m);
	}
}
END_TEST

START_TEST(a_hold_holds_until_it_is_taken_away)
{
	struct kv_mem *m = locked_bucket(LOCK_NONE, 0);
	struct bucket_done done, changed;
	struct version_ref ref;
	struct bucket_txn t = txn(m, NOW);
	struct entry e = { .hold = true, .lock_mode = LOCK_GOVERNANCE, .lock_until_ms = NOW + DAY };

	ck_assert_int_eq(put(m, "a", e, &done), ERR_OK);
	ref = id_of(&done);
	ck_assert_int_eq(del(m, NOW + 1000 * DAY, "a", &done.version, true), REFUSAL_LOCKED);
	ck_assert_int_eq(bucket_set_hold(&t, text("a"), &ref, false, &changed), ERR_OK);
	ck_assert(version_equal(&changed.version, &done.version));
	ck_assert_int_eq(del(m, NOW, "a", &done.version, true), ERR_OK);
	ck_assert_int_eq(
	    bucket_set_hold(&t, text("a"), &ref, false, &changed), REFUSAL_NO_SUCH_VERSION);
	kv_mem_free(m);
}
END_TEST

START_TEST(retention_only_grows)
{
	static const struct {
		enum lock_mode was, mode;
		int64_t days; /* against what it was */
		bool bypass;
		int err;
	} cases[] = {
		{ LOCK_NONE, LOCK_GOVERNANCE, 0, false, ERR_OK },
		{ LOCK_GOVERNANCE, LOCK_GOVERNANCE, 1, false, ERR_OK },
		{ LOCK_GOVERNANCE, LOCK_GOVERNANCE, -1, false, REFUSAL_LOCKED },
		{ LOCK_GOVERNANCE, LOCK_GOVERNANCE, -1, true, ERR_OK },
		{ LOCK_GOVERNANCE, LOCK_NONE, 0, false, REFUSAL_LOCKED },
		{ LOCK_GOVERNANCE, LOCK_NONE, 0, true, ERR_OK },
		{ LOCK_GOVERNANCE, LOCK_COMPLIANCE, 1, false, REFUSAL_LOCKED },
		{ LOCK_GOVERNANCE, LOCK_COMPLIANCE, 1, true, ERR_OK },
		{ LOCK_COMPLIANCE, LOCK_COMPLIANCE, 1, false, ERR_OK },
		{ LOCK_COMPLIANCE, LOCK_COMPLIANCE, -1, true, REFUSAL_LOCKED },
		{ LOCK_COMPLIANCE, LOCK_GOVERNANCE, 1, true, REFUSAL_LOCKED },
		{ LOCK_COMPLIANCE, LOCK_NONE, 0, true, REFUSAL_LOCKED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kv_mem *m = locked_bucket(LOCK_NONE, 0);
		uint64_t until = NOW + 5 * DAY;
		struct entry e = { .lock_mode = (uint8_t)cases[i].was,
			.lock_until_ms = cases[i].was != LOCK_NONE ? until : 0 };
		struct bucket_done done;
		struct bucket_txn t;

		ck_assert_int_eq(put(m, "a", e, &done), ERR_OK);
		t = txn(m, NOW);
		ck_assert_int_eq(
		    bucket_set_retention(&t, text("a"), &latest, cases[i].mode,
			until + (uint64_t)(cases[i].days * (int64_t)DAY), cases[i].bypass, &done),
		    cases[i].err);
		ck_assert_int_eq(
		    bucket_set_retention(&t, text("a"), &latest, LOCK_GOVERNANCE, NOW, true, &done),
		    REFUSAL_PAST);
		kv_mem_free(m);
	}
}
END_TEST

START_TEST(default_retention_is_given_to_who_says_nothing)
{
	struct kv_mem *m = locked_bucket(LOCK_GOVERNANCE, 3);
	struct bucket_done done;
	struct settings s;
	struct buf value;
	struct entry e;

	buf_init(&value, KV_VALUE_MAX);
	ck_assert_int_eq(put(m, "a", (struct entry){ .size = 1 }, &done), ERR_OK);
	ck_assert_int_eq(bucket_get(&m->kv, text("a"), &latest, &value, &e), ERR_OK);
	ck_assert_int_eq(e.lock_mode, LOCK_GOVERNANCE);
	ck_assert_uint_eq(e.lock_until_ms, NOW + 3 * DAY);
	e = (struct entry){ .lock_mode = LOCK_COMPLIANCE, .lock_until_ms = NOW + 1 };
	ck_assert_int_eq(put(m, "a", e, &done), ERR_OK);
	ck_assert_int_eq(bucket_get(&m->kv, text("a"), &latest, &value, &e), ERR_OK);
	ck_assert_int_eq(e.lock_mode, LOCK_COMPLIANCE);
	ck_assert_uint_eq(e.lock_until_ms, NOW + 1);
	e.lock_until_ms = NOW;
	ck_assert_int_eq(put(m, "a", e, &done), REFUSAL_PAST);
	ck_assert_int_eq(settings_set_lock(&m->kv, LOCK_GOVERNANCE, true, 2), ERR_OK);
	ck_assert_int_eq(settings_get(&m->kv, &value, &s), ERR_OK);
	ck_assert_uint_eq(settings_default_until_ms(&s, NOW), NOW + 730 * DAY);
	ck_assert_int_eq(settings_set_lock(&m->kv, LOCK_GOVERNANCE, true, 0), REFUSAL_ARGUMENT);
	ck_assert_int_eq(settings_set_lock(&m->kv, LOCK_GOVERNANCE, true, 101), REFUSAL_ARGUMENT);
	ck_assert_int_eq(settings_set_lock(&m->kv, LOCK_NONE, true, 1), REFUSAL_ARGUMENT);
	buf_fini(&value);
	kv_mem_free(m);

	m = kv_mem_new(); /* a bucket without lock takes none */
	ck_assert_int_eq(put(m, "a", (struct entry){ .hold = true }, &done), REFUSAL_NO_LOCK);
	kv_mem_free(m);
}
END_TEST

START_TEST(tags_and_grants_change_in_place)
{
	struct kv_mem *m = kv_mem_new();
	struct bucket_done done, changed;
	struct bucket_txn t = txn(m, NOW + 9);
	struct version_ref null = { .which = VERSION_NULL };
	struct buf value, tags;
	struct settings s;
	struct entry e;

	buf_init(&value, KV_VALUE_MAX);
	buf_init(&tags, KIB(1));
	ck_assert_int_eq(pairs_add(&tags, text("a"), text("b")), ERR_OK);
	e = (struct entry){ .size = 5, .content = text("c1"), .owner = text("me") };
	ck_assert_int_eq(put(m, "k", e, &done), ERR_OK);
	ck_assert_int_eq(bucket_set_tags(&t, text("k"), &null, buf_bytes(&tags), &changed), ERR_OK);
	ck_assert_int_eq(bucket_set_acl(&t, text("k"), &latest, text("grants"), &changed), ERR_OK);
	ck_assert(changed.null && !changed.versioned);
	ck_assert_int_eq(bucket_get(&m->kv, text("k"), &latest, &value, &e), ERR_OK);
	ck_assert(bytes_equal(e.tags, buf_bytes(&tags)) && bytes_equal(e.acl, text("grants")));
	ck_assert_uint_eq(e.modified_ms, NOW); /* it is no new object */
	ck_assert(version_equal(&e.version, &done.version));
	ck_assert_int_eq(m->counts.named[1], 1);
	ck_assert_int_eq(pairs_add(&tags, text("a"), text("c")), ERR_OK);
	ck_assert_int_eq(
	    bucket_set_tags(&t, text("k"), &null, buf_bytes(&tags), &changed), REFUSAL_TAG);
	ck_assert_int_eq(bucket_set_tags(&t, text("none"), &latest, bytes_of("", 0), &changed),
	    REFUSAL_NO_SUCH_KEY);
	ck_assert_int_eq(settings_get(&m->kv, &value, &s), ERR_OK);
	memcpy(s.owner.text, "them", 5);
	ck_assert_int_eq(settings_put(&m->kv, &s), ERR_OK);
	ck_assert_int_eq(settings_set_versioning(&m->kv, VERSIONING_ENABLED), ERR_OK);
	ck_assert_int_eq(del(m, NOW, "k", NULL, false), ERR_OK);
	ck_assert_int_eq(bucket_get(&m->kv, text("k"), &latest, &value, &e), ERR_OK);
	ck_assert(e.marker && bytes_equal(e.owner, text("them")));
	ck_assert_int_eq(
	    bucket_set_tags(&t, text("k"), &latest, bytes_of("", 0), &changed), REFUSAL_MARKER);
	ck_assert_int_eq(bucket_set_tags(&t, text("k"), &null, bytes_of("", 0), &changed), ERR_OK);
	buf_fini(&value);
	buf_fini(&tags);
	kv_mem_free(m);
}
END_TEST

START_TEST(deletes_on_condition)
{
	static const struct {
		struct conditions c;
		int err, err_marker;
	} cases[] = {
		{ { .has_size = true, .size = 5 }, ERR_OK, REFUSAL_PRECONDITION },
		{ { .has_size = true, .size = 6 }, REFUSAL_PRECONDITION, REFUSAL_PRECONDITION },
		{ { .has_modified = true, .modified_s = NOW / 1000 }, ERR_OK, ERR_OK },
		{ { .has_modified = true, .modified_s = 1 }, REFUSAL_PRECONDITION,
		    REFUSAL_PRECONDITION },
		{ { .if_match = { (const uint8_t *)"*", 1 } }, ERR_OK, ERR_OK },
		{ { .if_match = { (const uint8_t *)"\"x\"", 3 } }, REFUSAL_PRECONDITION,
		    REFUSAL_PRECONDITION },
		{ { .if_match = { (const uint8_t *)"00000000000000000000000000000000", 32 } },
		    ERR_OK, REFUSAL_PRECONDITION },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kv_mem *m = kv_mem_new();
		struct bucket_delete d = { .conditions = cases[i].c };
		struct bucket_done done;
		struct bucket_txn t = txn(m, NOW);

		ck_assert_int_eq(bucket_delete(&t, text("a"), &d, &done), ERR_OK); /* not there */
		ck_assert_int_eq(put(m, "a", (struct entry){ .size = 5 }, &done), ERR_OK);
		ck_assert_int_eq(bucket_delete(&t, text("a"), &d, &done), cases[i].err);
		ck_assert_int_eq(settings_set_versioning(&m->kv, VERSIONING_ENABLED), ERR_OK);
		ck_assert_int_eq(del(m, NOW, "a", NULL, false), ERR_OK);
		ck_assert_int_eq(bucket_delete(&t, text("a"), &d, &done), cases[i].err_marker);
		kv_mem_free(m);
	}
}
END_TEST

/* A copy onto itself without versioning: the old version's reference goes, the content stays. */
START_TEST(copies_share_their_content)
{
	struct kv_mem *m = kv_mem_new();
	struct entry e = { .size = 5, .content = text("c1") };
	struct bucket_done done;
	struct bucket_txn t = txn(m, NOW);

	ck_assert_int_eq(put(m, "a", e, &done), ERR_OK);
	ck_assert_int_eq(bucket_put_shared(&t, text("a"), NULL, &e, &done), ERR_OK);
	ck_assert_int_eq(m->counts.named[1], 1);
	ck_assert_int_eq(bucket_put_shared(&t, text("b"), NULL, &e, &done), ERR_OK);
	ck_assert_int_eq(m->counts.named[1], 2);
	ck_assert_int_eq(del(m, NOW, "a", NULL, false), ERR_OK);
	ck_assert_int_eq(del(m, NOW, "b", NULL, false), ERR_OK);
	ck_assert_int_eq(m->counts.named[1], 0);
	ck_assert_uint_eq(m->pairs.count, 0);
	kv_mem_free(m);
}
END_TEST

START_TEST(what_is_refused_of_an_entry)
{
	struct kv_mem *m = kv_mem_new();
	struct bucket_done done;
	char long_key[OBJECT_KEY_MAX + 2];
	struct buf meta;

	memset(long_key, 'a', sizeof(long_key));
	long_key[OBJECT_KEY_MAX + 1] = 0;
	ck_assert_int_eq(put(m, long_key, (struct entry){ 0 }, &done), REFUSAL_KEY_LONG);
	long_key[OBJECT_KEY_MAX] = 0;
	ck_assert_int_eq(put(m, long_key, (struct entry){ 0 }, &done), ERR_OK);
	ck_assert_int_eq(put(m, "\xff", (struct entry){ 0 }, &done), REFUSAL_KEY);
	buf_init(&meta, KIB(8));
	ck_assert_int_eq(pairs_add(&meta, text("name"), bytes_of(long_key, 1022)), ERR_OK);
	ck_assert_int_eq(pairs_add(&meta, text("more"), bytes_of(long_key, 1018)), ERR_OK);
	ck_assert_int_eq(put(m, "a", (struct entry){ .meta = buf_bytes(&meta) }, &done), ERR_OK);
	ck_assert_int_eq(pairs_add(&meta, text("x"), text("")), ERR_OK);
	ck_assert_int_eq(
	    put(m, "a", (struct entry){ .meta = buf_bytes(&meta) }, &done), REFUSAL_METADATA);
	buf_fini(&meta);
	kv_mem_free(m);
}
END_TEST

/* ---- listings ---- */

static int
count_items(void *arg, const struct list_item *item)
{
	(void)item;
	(*(uint32_t *)arg)++;
	return ERR_OK;
}

/* Nobody walks over what is below a common prefix, or over a key's old versions. */
START_TEST(listings_skip_by_seeking)
{
	struct kv_mem *m = kv_mem_new();
	struct list_query q = { .delimiter = text("/"), .max = LIST_MAX };
	struct list_result r;
	struct bucket_done done;
	uint32_t count = 0;
	char key[32];

	ck_assert_int_eq(settings_set_versioning(&m->kv, VERSIONING_ENABLED), ERR_OK);
	for (int i = 0; i < 300; i++) {
		(void)snprintf(key, sizeof(key), "%c/%d", 'a' + i % 3, i);
		ck_assert_int_eq(put(m, key, (struct entry){ 0 }, &done), ERR_OK);
		ck_assert_int_eq(put(m, "z", (struct entry){ 0 }, &done), ERR_OK);
	}
	list_result_init(&r);
	m->seeks = 0;
	ck_assert_int_eq(list_run(&m->kv, &q, count_items, &count, &r), ERR_OK);
	ck_assert_uint_eq(count, 4);
	ck_assert_uint_eq(m->seeks, 5);
	/* And none is asked for: none is read, and nothing is truncated. */
	q.max = 0;
	ck_assert_int_eq(list_run(&m->kv, &q, count_items, &count, &r), ERR_OK);
	ck_assert(!r.truncated && r.count == 0);
	list_result_fini(&r);
	kv_mem_free(m);
}
END_TEST

START_TEST(markers_of_versions)
{
	struct kv_mem *m = kv_mem_new();
	struct list_query q = { .what = LIST_VERSIONS, .max = LIST_MAX };
	struct list_result r;
	uint32_t count = 0;

	list_result_init(&r);
	q.after_id = text("null");
	ck_assert_int_eq(list_run(&m->kv, &q, count_items, &count, &r), REFUSAL_MARKER_ALONE);
	q.after = text("a");
	ck_assert_int_eq(list_run(&m->kv, &q, count_items, &count, &r), ERR_OK);
	q.after_id = text("x");
	ck_assert_int_eq(list_run(&m->kv, &q, count_items, &count, &r), REFUSAL_BAD_VERSION);
	list_result_fini(&r);
	kv_mem_free(m);
}
END_TEST

/* ---- settings ---- */

START_TEST(documents_of_any_length)
{
	static const size_t lengths[] = { 0, 1, KIB(48) - 1, KIB(48), KIB(48) + 1, KIB(96),
		SETTING_BYTES_MAX, 7 };
	struct kv_mem *m = kv_mem_new();
	uint8_t *much = malloc(SETTING_BYTES_MAX + 1);
	struct buf out;

	ck_assert_ptr_nonnull(much);
	for (size_t i = 0; i <= SETTING_BYTES_MAX; i++)
		much[i] = (uint8_t)(i * 31 >> 3);
	buf_init(&out, SETTING_BYTES_MAX);
	ck_assert_int_eq(setting_get(&m->kv, "cors", &out), REFUSAL_NO_SETTING);
	ck_assert_int_eq(setting_put(&m->kv, "cors-x", text("other")), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		ck_assert_int_eq(setting_put(&m->kv, "cors", bytes_of(much, lengths[i])), ERR_OK);
		ck_assert_uint_eq(m->pairs.count, 1 + lengths[i] / KIB(48) + 1);
		buf_reset(&out);
		ck_assert_int_eq(setting_get(&m->kv, "cors", &out), ERR_OK);
		ck_assert(bytes_equal(buf_bytes(&out), bytes_of(much, lengths[i])));
	}
	ck_assert_int_eq(
	    setting_put(&m->kv, "cors", bytes_of(much, SETTING_BYTES_MAX + 1)), ERR_TOO_BIG);
	ck_assert_int_eq(setting_del(&m->kv, "cors"), ERR_OK);
	ck_assert_int_eq(setting_get(&m->kv, "cors", &out), REFUSAL_NO_SETTING);
	ck_assert_uint_eq(m->pairs.count, 1);
	buf_fini(&out);
	free(much);
	kv_mem_free(m);
}
END_TEST

START_TEST(settings_come_back)
{
	struct kv_mem *m = kv_mem_new();
	struct settings s, out;
	struct buf value;

	buf_init(&value, KV_VALUE_MAX);
	ck_assert_int_eq(settings_get(&m->kv, &value, &s), ERR_OK);
	ck_assert_int_eq(s.versioning, VERSIONING_NEVER);
	ck_assert_uint_eq(s.public_block, 15);
	s.ownership = OWNERSHIP_WRITER;
	s.ownership_set = s.public_block_set = true;
	s.public_block = IGNORE_PUBLIC_ACLS;
	s.created_ms = NOW;
	s.region = text("eu");
	memcpy(s.owner.text, "me", 3);
	ck_assert_int_eq(settings_put(&m->kv, &s), ERR_OK);
	ck_assert_int_eq(settings_get(&m->kv, &value, &out), ERR_OK);
	ck_assert(bytes_equal(out.region, s.region));
	ck_assert(out.ownership_set && out.public_block_set && !out.lock);
	ck_assert_uint_eq(out.ownership, OWNERSHIP_WRITER);
	ck_assert_uint_eq(out.public_block, IGNORE_PUBLIC_ACLS);
	ck_assert_uint_eq(out.created_ms, NOW);
	ck_assert_str_eq(out.owner.text, "me");
	s.lock = true; /* without versioning */
	ck_assert_int_eq(settings_put(&m->kv, &s), ERR_INVALID);
	for (size_t len = 0; len < value.len; len++) {
		struct buf other;

		buf_init(&other, KV_VALUE_MAX);
		ck_assert_int_eq(
		    kv_put(&m->kv, bytes_of("b", 1), bytes_of(value.data, len)), ERR_OK);
		ck_assert_int_eq(settings_get(&m->kv, &other, &out), ERR_CORRUPT);
		buf_fini(&other);
	}
	buf_fini(&value);
	kv_mem_free(m);
}
END_TEST

START_TEST(what_was_done_comes_back)
{
	struct bucket_done d = { .versioned = true, .marker = true, .version = { { 1, 2 } } }, out;
	uint8_t packed[BUCKET_DONE_BYTES];

	bucket_done_pack(&d, packed);
	ck_assert_int_eq(bucket_done_unpack(bytes_of(packed, sizeof(packed)), &out), ERR_OK);
	ck_assert(out.versioned && out.marker && !out.null && !out.existed);
	ck_assert(version_equal(&out.version, &d.version));
	ck_assert_int_eq(
	    bucket_done_unpack(bytes_of(packed, sizeof(packed) - 1), &out), ERR_CORRUPT);
	packed[0] = 16;
	ck_assert_int_eq(bucket_done_unpack(bytes_of(packed, sizeof(packed)), &out), ERR_CORRUPT);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/bucket");

	suite_add(s, "locks", 0, locks_hold, a_hold_holds_until_it_is_taken_away,
	    retention_only_grows, default_retention_is_given_to_who_says_nothing, NULL);
	suite_add(s, "objects", 0, tags_and_grants_change_in_place, deletes_on_condition,
	    copies_share_their_content, what_is_refused_of_an_entry, what_was_done_comes_back,
	    NULL);
	suite_add(s, "listings", 0, listings_skip_by_seeking, markers_of_versions, NULL);
	suite_add(s, "settings", 0, documents_of_any_length, settings_come_back, NULL);
	return suite_main(s);
}
