/* Lifecycle rules: kept, judged against a table of cases; and the walk against the judge. */
#include <stdio.h>

#include "object/lifecycle.h"
#include "object/settings.h"
#include "object/upload.h"
#include "test/unit/object/kv_mem.h"
#include "test/unit/suite.h"

#define DAY  LIFECYCLE_DAY_MS
#define NOON (UINT64_C(19700) * DAY + DAY / 2)

static struct bytes
pack(struct buf *out, const struct lifecycle_rule *rules, size_t count)
{
	buf_reset(out);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(lifecycle_rule_pack(&rules[i], out), ERR_OK);
	return buf_bytes(out);
}

START_TEST(rules_come_back)
{
	struct buf tags, packed, again;
	struct lifecycle_rule r = { .id = text("rule"),
		.bare_prefix = true,
		.enabled = true,
		.prefix = text("logs/"),
		.has_size_above = true,
		.size_above = 7,
		.has_size_below = true,
		.size_below = 9,
		.has_expire_date = true,
		.expire_date_ms = DAY,
		.expire_marker = true,
		.expire_days = 1,
		.noncurrent_days = 2,
		.newer_noncurrent = 3,
		.abort_days = 4 };
	struct lifecycle_rule out;
	struct bytes rest;

	buf_init(&tags, KIB(1));
	buf_init(&packed, KIB(1));
	buf_init(&again, KIB(1));
	ck_assert_int_eq(pairs_add(&tags, text("a"), text("b")), ERR_OK);
	r.tags = buf_bytes(&tags);
	ck_assert_int_eq(lifecycle_rule_pack(&r, &packed), ERR_OK);
	rest = buf_bytes(&packed);
	ck_assert_int_eq(lifecycle_rule_next(&rest, &out), ERR_OK);
	ck_assert_int_eq(lifecycle_rule_next(&rest, &out), ERR_END);
	ck_assert_int_eq(lifecycle_rule_pack(&out, &again), ERR_OK);
	ck_assert(bytes_equal(buf_bytes(&packed), buf_bytes(&again)));
	ck_assert(bytes_equal(out.prefix, r.prefix) && bytes_equal(out.tags, r.tags));
	ck_assert_uint_eq(out.size_below, 9);
	ck_assert_uint_eq(out.abort_days, 4);
	ck_assert(out.bare_prefix && out.enabled && out.expire_marker);
	for (size_t len = 1; len < packed.len; len++) {
		rest = bytes_of(packed.data, len);
		ck_assert_int_eq(lifecycle_rule_next(&rest, &out), ERR_CORRUPT);
	}
	packed.data[0] = 9;
	rest = buf_bytes(&packed);
	ck_assert_int_eq(lifecycle_rule_next(&rest, &out), ERR_VERSION);
	buf_fini(&tags);
	buf_fini(&packed);
	buf_fini(&again);
}
END_TEST

/* One rule, one version; when something is to be done with it for the first time. */
START_TEST(when_what_is_done)
{
	static const struct {
		struct lifecycle_rule rule;
		struct lifecycle_subject s;
		enum lifecycle_action action;
		uint64_t at_ms; /* 0: never */
	} cases[] = {
		/* A day has passed at the first midnight that is a day behind. */
		{ { .enabled = true, .expire_days = 1 }, { .latest = true, .modified_ms = NOON },
		    LIFECYCLE_EXPIRE, NOON + DAY + DAY / 2 },
		{ { .enabled = true, .expire_days = 1 },
		    { .latest = true, .modified_ms = NOON + DAY / 2 }, LIFECYCLE_EXPIRE,
		    NOON + DAY / 2 + DAY },
		{ { .expire_days = 1 }, { .latest = true, .modified_ms = NOON }, LIFECYCLE_KEEP,
		    0 },
		{ { .enabled = true, .expire_days = 1 }, { .modified_ms = NOON }, LIFECYCLE_KEEP,
		    0 },
		{ { .enabled = true, .has_expire_date = true, .expire_date_ms = NOON + 5 },
		    { .latest = true, .modified_ms = NOON }, LIFECYCLE_EXPIRE, NOON + 5 },
		/* Filters. */
		{ { .enabled = true, .expire_days = 1, .prefix = { (const uint8_t *)"a/", 2 } },
		    { .latest = true, .key = { (const uint8_t *)"a", 1 } }, LIFECYCLE_KEEP, 0 },
		{ { .enabled = true, .expire_days = 1, .has_size_above = true, .size_above = 10 },
		    { .latest = true, .size = 10 }, LIFECYCLE_KEEP, 0 },
		{ { .enabled = true, .expire_days = 1, .has_size_above = true, .size_above = 10 },
		    { .latest = true, .size = 11 }, LIFECYCLE_EXPIRE, DAY },
		{ { .enabled = true, .expire_days = 1, .has_size_below = true, .size_below = 10 },
		    { .latest = true, .size = 10 }, LIFECYCLE_KEEP, 0 },
		{ { .enabled = true,
		      .expire_days = 1,
		      .tags = { (const uint8_t *)"\0\1a\0\1b", 6 } },
		    { .latest = true, .tags = { (const uint8_t *)"\0\1c\0\1d\0\1a\0\1b", 12 } },
		    LIFECYCLE_EXPIRE, DAY },
		{ { .enabled = true,
		      .expire_days = 1,
		      .tags = { (const uint8_t *)"\0\1a\0\1b", 6 } },
		    { .latest = true, .tags = { (const uint8_t *)"\0\1a\0\1c", 6 } },
		    LIFECYCLE_KEEP, 0 },
		/* Delete markers: only the last of a key, and none that a filter cannot mean. */
		{ { .enabled = true, .expire_marker = true },
		    { .latest = true, .marker = true, .only = true, .modified_ms = NOON },
		    LIFECYCLE_REMOVE, NOON },
		{ { .enabled = true, .expire_marker = true },
		    { .latest = true, .marker = true, .modified_ms = NOON }, LIFECYCLE_KEEP, 0 },
		{ { .enabled = true, .expire_days = 2 },
		    { .latest = true, .marker = true, .only = true, .modified_ms = 2 * DAY },
		    LIFECYCLE_REMOVE, 4 * DAY },
		{ { .enabled = true, .expire_days = 2, .has_size_above = true },
		    { .latest = true, .marker = true, .only = true }, LIFECYCLE_KEEP, 0 },
		/* Noncurrent ones count from when they were replaced. */
		{ { .enabled = true, .noncurrent_days = 1 },
		    { .modified_ms = 1, .noncurrent_ms = NOON }, LIFECYCLE_REMOVE,
		    NOON + DAY + DAY / 2 },
		{ { .enabled = true, .noncurrent_days = 1 }, { .latest = true }, LIFECYCLE_KEEP,
		    0 },
		{ { .enabled = true, .noncurrent_days = 1, .newer_noncurrent = 2 },
		    { .newer_noncurrent = 1 }, LIFECYCLE_KEEP, 0 },
		{ { .enabled = true, .noncurrent_days = 1, .newer_noncurrent = 2 },
		    { .newer_noncurrent = 2 }, LIFECYCLE_REMOVE, DAY },
		{ { .enabled = true, .noncurrent_days = 1 }, { .marker = true }, LIFECYCLE_REMOVE,
		    DAY },
	};
	struct buf packed;

	buf_init(&packed, KIB(4));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct bytes rules = pack(&packed, &cases[i].rule, 1);
		uint64_t at = cases[i].at_ms != 0 ? cases[i].at_ms : UINT64_MAX / 4;

		ck_assert_int_eq(lifecycle_judge(rules, &cases[i].s, at, DAY), cases[i].action);
		if (cases[i].at_ms != 0)
			ck_assert_int_eq(
			    lifecycle_judge(rules, &cases[i].s, at - 1, DAY), LIFECYCLE_KEEP);
	}
	buf_fini(&packed);
}
END_TEST

START_TEST(the_earliest_rule_is_named)
{
	static const struct lifecycle_rule some[] = {
		{ .enabled = true,
		    .id = { (const uint8_t *)"late", 4 },
		    .expire_days = 9,
		    .abort_days = 3 },
		{ .enabled = true,
		    .id = { (const uint8_t *)"soon", 4 },
		    .expire_days = 2,
		    .abort_days = 5 },
		{ .id = { (const uint8_t *)"off", 3 }, .expire_days = 1, .abort_days = 1 },
	};
	struct lifecycle_subject s = { .latest = true, .modified_ms = 1 };
	struct buf packed;
	struct bytes rules, id;
	uint64_t at;

	buf_init(&packed, KIB(4));
	rules = pack(&packed, some, ARRAY_LEN(some));
	ck_assert(lifecycle_expires(rules, &s, DAY, &at, &id));
	ck_assert(bytes_equal(id, text("soon")));
	ck_assert_uint_eq(at, 3 * DAY);
	ck_assert(lifecycle_aborts(rules, text("k"), 1, 1000, &at, &id));
	ck_assert(bytes_equal(id, text("late")));
	ck_assert_uint_eq(at, 3001);
	s.latest = false;
	ck_assert(!lifecycle_expires(rules, &s, DAY, &at, &id));
	buf_fini(&packed);
}
END_TEST

/* ---- the walk ---- */

static void
put(struct kv_mem *m, const char *key, uint64_t at_ms, int content)
{
	static uint8_t random;
	struct bucket_txn t = { .kv = &m->kv, .refs = &m->counts.refs, .now_ms = at_ms };
	char name[16];
	struct bucket_done done;
	struct entry e = { .size = 1 };

	(void)snprintf(name, sizeof(name), "c%d", content);
	e.content = text(name);
	t.random[0] = ++random;
	ck_assert_int_eq(bucket_put(&t, text(key), NULL, &e, &done), ERR_OK);
}

static void
walk(struct kv_mem *m, struct bytes rules, uint64_t now_ms, struct lifecycle_walk *w)
{
	struct bucket_txn t = { .kv = &m->kv, .refs = &m->counts.refs, .now_ms = now_ms };
	struct buf key;
	bool due, more, upload = false;
	int err;

	buf_init(&key, OBJECT_KEY_MAX);
	lifecycle_walk_init(w, DAY);
	while ((err = lifecycle_step(w, &m->kv, rules, now_ms, &key, &due)) == ERR_OK) {
		for (more = due; more;)
			ck_assert_int_eq(
			    lifecycle_do(w, &t, upload, rules, buf_bytes(&key), &more), ERR_OK);
		upload = w->uploads;
	}
	ck_assert_int_eq(err, ERR_END);
	lifecycle_walk_fini(w);
	buf_fini(&key);
}

START_TEST(the_walk_does_what_is_due)
{
	static const struct lifecycle_rule some[] = {
		{ .enabled = true,
		    .expire_days = 10,
		    .noncurrent_days = 2,
		    .newer_noncurrent = 1,
		    .expire_marker = true,
		    .abort_days = 1 },
	};
	struct kv_mem *m = kv_mem_new();
	struct lifecycle_walk w;
	struct bytes rules;
	struct buf packed;
	char key[16];
	int content = 1;

	buf_init(&packed, KIB(4));
	rules = pack(&packed, some, ARRAY_LEN(some));
	ck_assert_int_eq(settings_set_versioning(&m->kv, VERSIONING_ENABLED), ERR_OK);
	/* Ten keys with two hundred versions each, and ten that are young. */
	for (int i = 0; i < 20; i++) {
		(void)snprintf(key, sizeof(key), "k%02d", i);
		for (int v = 0; v < (i % 2 == 0 ? 200 : 1); v++)
			put(m, key, DAY * (i % 2 == 0 ? 1 : 9), content++);
	}
	for (uint64_t i = 0; i < 100; i++) {
		struct upload u = { .initiator = { "me" } };
		struct bucket_txn t = { .kv = &m->kv, .now_ms = DAY * (1 + i % 2 * 8) };

		t.random[0] = (uint8_t)i;
		ck_assert_int_eq(upload_create(&t, text("up"), &u), ERR_OK);
	}
	walk(m, rules, 9 * DAY, &w);
	ck_assert_uint_eq(w.expired, 0);
	ck_assert_uint_eq(w.removed, 10 * 198);
	ck_assert_uint_eq(w.aborted, 50);
	/* Later the latest expire; the marker is above what was the latest. */
	walk(m, rules, 12 * DAY, &w);
	ck_assert_uint_eq(w.expired, 10);
	ck_assert_uint_eq(w.aborted, 50);
	walk(m, rules, 15 * DAY, &w);
	ck_assert_uint_eq(w.removed, 10); /* one noncurrent stays beside the marker */
	walk(m, rules, 30 * DAY, &w);
	ck_assert_uint_eq(w.expired, 10); /* the ten young ones */
	buf_fini(&packed);
	kv_mem_free(m);
}
END_TEST

START_TEST(a_marker_that_is_alone_goes)
{
	static const struct lifecycle_rule some[] = {
		{ .enabled = true, .expire_days = 1, .noncurrent_days = 1 },
		{ .enabled = true, .expire_marker = true },
	};
	struct kv_mem *m = kv_mem_new();
	struct lifecycle_walk w;
	struct bytes rules;
	struct buf packed;

	buf_init(&packed, KIB(4));
	rules = pack(&packed, some, ARRAY_LEN(some));
	ck_assert_int_eq(settings_set_versioning(&m->kv, VERSIONING_ENABLED), ERR_OK);
	put(m, "a", DAY, 1);
	walk(m, rules, 2 * DAY, &w);
	ck_assert_uint_eq(w.expired, 1);
	walk(m, rules, 3 * DAY, &w);
	ck_assert_uint_eq(w.removed, 1);
	ck_assert_int_eq(m->counts.named[1], 0);
	walk(m, rules, 3 * DAY, &w);
	ck_assert_uint_eq(w.removed, 1);
	ck_assert_int_eq(bucket_empty(&m->kv), ERR_OK);
	buf_fini(&packed);
	kv_mem_free(m);
}
END_TEST

/* What is locked stays, and does not stop the walk. */
START_TEST(locks_outweigh_rules)
{
	static const struct lifecycle_rule some[] = {
		{ .enabled = true, .noncurrent_days = 1 },
	};
	struct kv_mem *m = kv_mem_new();
	struct lifecycle_walk w;
	struct bytes rules;
	struct buf packed;

	buf_init(&packed, KIB(4));
	rules = pack(&packed, some, ARRAY_LEN(some));
	ck_assert_int_eq(settings_set_versioning(&m->kv, VERSIONING_ENABLED), ERR_OK);
	ck_assert_int_eq(settings_set_lock(&m->kv, LOCK_COMPLIANCE, false, 5), ERR_OK);
	put(m, "a", DAY, 1);
	put(m, "a", DAY, 2);
	put(m, "b", DAY, 3);
	put(m, "b", DAY, 4);
	walk(m, rules, 4 * DAY, &w);
	ck_assert_uint_eq(w.removed, 0);
	walk(m, rules, 6 * DAY, &w);
	ck_assert_uint_eq(w.removed, 2);
	ck_assert_int_eq(m->counts.named[1] + m->counts.named[3], 0);
	ck_assert_int_eq(m->counts.named[2] + m->counts.named[4], 2);
	buf_fini(&packed);
	kv_mem_free(m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/lifecycle");

	suite_add(
	    s, "rules", 0, rules_come_back, when_what_is_done, the_earliest_rule_is_named, NULL);
	suite_add(s, "walk", 20, the_walk_does_what_is_due, a_marker_that_is_alone_goes,
	    locks_outweigh_rules, NULL);
	return suite_main(s);
}
