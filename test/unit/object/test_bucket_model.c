/*
 * Random histories against a model that is an array: keys in order, each with its versions, newest
 * first. After each step the key's versions are compared, and a listing with random parameters;
 * reads fail now and then, and then nothing has changed. References are counted in the end.
 */
#include <stdio.h>

#include "object/listing.h"
#include "object/settings.h"
#include "test/unit/object/kv_mem.h"
#include "test/unit/suite.h"

#define VERSIONS_MAX 600

static const char *const keys[] = { "\x01", "a", "a/", "a//", "a/b", "a/b/c", "a/b/d", "a/c", "a0",
	"ab", "b", "b::1", "b::2", "b::2::3", "b:::", "c/\xf4\x8f\xbf\xbf", "z/1", "z/2", "z/3",
	"z/4", "\xc3\xa4", "\xc3\xa4/x" };
static const char *const texts[] = { "", "a", "a/", "/", "b", "b:", "::", "z/", "x", "\xc3\xa4",
	"\xc3", "c/", "a/b/c", "zzz", "\xff" };

struct model_version {
	size_t key; /* of keys */
	char id[VERSION_TEXT_MAX];
	bool null, marker;
	int content;
};

struct model {
	struct kv_mem *mem;
	uint64_t random, now_ms;
	enum versioning versioning;
	/* By key, newest first: the order of a listing. */
	struct model_version versions[VERSIONS_MAX];
	size_t count;
	int contents;
};

static uint32_t
draw(struct model *m, uint32_t below)
{
	m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(m->random >> 33) % below;
}

static size_t
first_of(const struct model *m, size_t key)
{
	size_t i = 0;

	while (i < m->count && m->versions[i].key < key)
		i++;
	return i;
}

static const struct model_version *
latest_of(const struct model *m, size_t key)
{
	size_t i = first_of(m, key);

	return i < m->count && m->versions[i].key == key ? &m->versions[i] : NULL;
}

static void
model_drop(struct model *m, size_t at)
{
	memmove(
	    m->versions + at, m->versions + at + 1, (m->count - at - 1) * sizeof(m->versions[0]));
	m->count--;
}

static void
model_drop_null(struct model *m, size_t key)
{
	for (size_t i = 0; i < m->count; i++) {
		if (m->versions[i].key == key && m->versions[i].null) {
			model_drop(m, i);
			return;
		}
	}
}

static void
model_add(struct model *m, size_t key, const struct bucket_done *done, bool marker, int content)
{
	size_t at = first_of(m, key);
	struct model_version v = { .key = key, .marker = marker, .content = content };

	ck_assert_uint_lt(m->count, VERSIONS_MAX);
	v.null = m->versioning != VERSIONING_ENABLED;
	ck_assert_int_eq(done->null, v.null);
	version_text(v.null, &done->version, v.id);
	memmove(m->versions + at + 1, m->versions + at, (m->count - at) * sizeof(m->versions[0]));
	m->versions[at] = v;
	m->count++;
}

static struct bucket_txn
begin(struct model *m)
{
	struct bucket_txn t = {
		.kv = &m->mem->kv, .refs = &m->mem->counts.refs, .now_ms = m->now_ms
	};

	/* Mostly it goes on, at times it stands or goes back. */
	m->now_ms += draw(m, 3) == 0 ? 0 : draw(m, 2000);
	m->now_ms -= draw(m, 20) == 0 ? 5000 : 0;
	for (size_t i = 0; i < sizeof(t.random); i++)
		t.random[i] = (uint8_t)draw(m, 256);
	kv_mem_begin(m->mem);
	m->mem->fail_after = draw(m, 8) == 0 ? 1 + (int)draw(m, 6) : 0;
	return t;
}

/* false: a read has failed, and all is as before. */
static bool
end(struct model *m, int *err)
{
	m->mem->fail_after = 0;
	(void)kv_mem_end(m->mem, *err);
	return *err != ERR_UNREACHABLE;
}

static void
do_put(struct model *m)
{
	size_t key = draw(m, ARRAY_LEN(keys));
	const struct model_version *latest = latest_of(m, key);
	bool there = latest != NULL && !latest->marker;
	int content = m->contents++, expected = ERR_OK, err;
	struct conditions c = { .has_size = false };
	struct entry e = { .size = (uint64_t)content };
	char name[16], etag[ETAG_TEXT_MAX];
	struct etag wanted = { .parts = 0 };
	struct bucket_done done;
	struct bucket_txn t;

	(void)snprintf(name, sizeof(name), "c%d", content);
	memcpy(e.etag.md5, &content, sizeof(content));
	e.content = text(name);
	switch (draw(m, 6)) {
	case 0:
		c.if_none_match = text("*");
		expected = there ? REFUSAL_PRECONDITION : ERR_OK;
		break;
	case 1: /* of the latest, or of none */
		if (there)
			memcpy(wanted.md5, &latest->content, sizeof(latest->content));
		c.if_match = text(etag_text(&wanted, etag));
		expected = there ? ERR_OK : REFUSAL_NO_SUCH_KEY;
		break;
	case 2:
		c.if_match = text("\"other\"");
		expected = there ? REFUSAL_PRECONDITION : REFUSAL_NO_SUCH_KEY;
		break;
	default:
		break;
	}
	t = begin(m);
	err = bucket_put(&t, text(keys[key]), &c, &e, &done);
	if (!end(m, &err))
		return;
	ck_assert_int_eq(err, expected);
	ck_assert_int_eq(m->mem->counts.named[content], err == ERR_OK ? 1 : 0);
	if (err != ERR_OK)
		return;
	ck_assert_int_eq(done.versioned, m->versioning != VERSIONING_NEVER);
	if (m->versioning != VERSIONING_ENABLED)
		model_drop_null(m, key);
	model_add(m, key, &done, false, content);
}

static void
do_delete_latest(struct model *m)
{
	size_t key = draw(m, ARRAY_LEN(keys));
	struct bucket_delete d = { .which.which = VERSION_LATEST };
	bool existed = latest_of(m, key) != NULL;
	struct bucket_done done;
	struct bucket_txn t = begin(m);
	int err = bucket_delete(&t, text(keys[key]), &d, &done);

	if (!end(m, &err))
		return;
	ck_assert_int_eq(err, ERR_OK);
	ck_assert_int_eq(done.existed, existed);
	ck_assert_int_eq(done.marker, m->versioning != VERSIONING_NEVER);
	if (m->versioning != VERSIONING_ENABLED)
		model_drop_null(m, key);
	if (m->versioning != VERSIONING_NEVER)
		model_add(m, key, &done, true, -1);
}

static void
do_delete_version(struct model *m)
{
	bool null = draw(m, 3) == 0;
	size_t at = m->count == 0 ? 0 : draw(m, (uint32_t)m->count);
	size_t key = m->count == 0 ? 0 : m->versions[at].key;
	struct bucket_delete d = { .which.which = VERSION_NULL };
	bool there = m->count > 0, marker;
	struct bucket_done done;
	struct bucket_txn t;
	int err;

	if (null) {
		for (at = 0; at < m->count; at++)
			if (m->versions[at].key == key && m->versions[at].null)
				break;
		there = at < m->count;
	} else if (there) {
		ck_assert_int_eq(version_parse(text(m->versions[at].id), &d.which), ERR_OK);
	}
	marker = there && m->versions[at].marker;
	t = begin(m);
	err = bucket_delete(&t, text(keys[key]), &d, &done);
	if (!end(m, &err))
		return;
	ck_assert_int_eq(err, ERR_OK);
	ck_assert_int_eq(done.existed, there);
	ck_assert_int_eq(done.marker, marker);
	if (there)
		model_drop(m, at);
}

static void
do_versioning(struct model *m)
{
	enum versioning v = draw(m, 2) == 0 ? VERSIONING_ENABLED : VERSIONING_SUSPENDED;

	ck_assert_int_eq(settings_set_versioning(&m->mem->kv, v), ERR_OK);
	m->versioning = v;
}

/* ---- looking ---- */

static void
check_version(
    struct model *m, const struct version_ref *ref, const struct model_version *v, const char *key)
{
	char id[VERSION_TEXT_MAX];
	struct buf value;
	struct entry e;
	int err;

	buf_init(&value, KV_VALUE_MAX);
	err = bucket_get(&m->mem->kv, text(key), ref, &value, &e);
	if (v == NULL) {
		ck_assert_int_eq(err,
		    ref->which == VERSION_LATEST ? REFUSAL_NO_SUCH_KEY : REFUSAL_NO_SUCH_VERSION);
	} else {
		ck_assert_int_eq(err, ERR_OK);
		ck_assert_str_eq(version_text(e.null, &e.version, id), v->id);
		ck_assert_int_eq(e.marker, v->marker);
		ck_assert_int_eq(bucket_readable(&e, ref), !v->marker ? ERR_OK
							   : ref->which == VERSION_LATEST
							       ? REFUSAL_NO_SUCH_KEY
							       : REFUSAL_MARKER);
		if (!v->marker)
			ck_assert_uint_eq(e.size, (uint64_t)v->content);
	}
	buf_fini(&value);
}

static void
check_key(struct model *m, size_t key)
{
	struct version_ref latest = { .which = VERSION_LATEST }, null = { .which = VERSION_NULL };
	const struct model_version *of_null = NULL;

	check_version(m, &latest, latest_of(m, key), keys[key]);
	for (size_t i = 0; i < m->count; i++) {
		const struct model_version *v = &m->versions[i];
		struct version_ref ref;

		if (v->key != key)
			continue;
		if (v->null)
			of_null = v;
		ck_assert_int_eq(version_parse(text(v->id), &ref), ERR_OK);
		check_version(m, &ref, v, keys[key]);
	}
	check_version(m, &null, of_null, keys[key]);
}

/* What a listing must give, found out one by one; and what it gave. */
struct shown {
	char lines[VERSIONS_MAX * 2][64];
	size_t count;
};

static void
show(struct shown *s, bool prefix, struct bytes key, const char *id, bool latest)
{
	ck_assert_uint_lt(s->count, ARRAY_LEN(s->lines));
	(void)snprintf(s->lines[s->count++], sizeof(s->lines[0]), "%c %.*s %s%s",
	    prefix ? 'P' : 'K', (int)key.len, (const char *)key.data, id, latest ? " latest" : "");
}

static int
take(void *arg, const struct list_item *item)
{
	char id[VERSION_TEXT_MAX] = "";

	if (item->kind == LIST_ENTRY)
		version_text(item->entry->null, &item->entry->version, id);
	show(arg, item->kind == LIST_PREFIX, item->key, id, item->latest);
	return ERR_OK;
}

static bool
begins(struct bytes s, struct bytes with)
{
	return s.len >= with.len && memcmp(s.data, with.data, with.len) == 0;
}

static bool
rolled(const struct list_query *q, struct bytes key, struct bytes *out)
{
	for (size_t i = q->prefix.len; q->delimiter.len > 0 && i + q->delimiter.len <= key.len;
	     i++) {
		if (memcmp(key.data + i, q->delimiter.data, q->delimiter.len) != 0)
			continue;
		*out = bytes_of(key.data, i + q->delimiter.len);
		return true;
	}
	return false;
}

/* Behind the marker? */
static bool
is_after(const struct model *m, const struct list_query *q, size_t at)
{
	struct bytes key = text(keys[m->versions[at].key]);
	int order = kv_compare(key, q->after);

	if (q->after.len == 0)
		return true;
	if (order != 0 || q->after_id.data == NULL)
		return order > 0;
	for (size_t i = first_of(m, m->versions[at].key); i < at; i++)
		if (bytes_equal(text(m->versions[i].id), q->after_id))
			return true;
	return false;
}

static bool
expected(const struct model *m, const struct list_query *q, struct shown *s)
{
	struct bytes before = bytes_of(NULL, 0), prefix;

	for (size_t i = 0; i < m->count; i++) {
		const struct model_version *v = &m->versions[i];
		struct bytes key = text(keys[v->key]);
		bool latest = latest_of(m, v->key) == v;

		if (!begins(key, q->prefix) || !is_after(m, q, i) ||
		    (q->what == LIST_OBJECTS && (v->marker || !latest)))
			continue;
		if (rolled(q, key, &prefix)) {
			if (begins(q->after, prefix) ||
			    (before.data != NULL && bytes_equal(before, prefix)))
				continue;
			before = prefix;
			if (s->count == q->max)
				return q->max > 0;
			show(s, true, prefix, "", false);
		} else {
			if (s->count == q->max)
				return q->max > 0;
			show(s, false, key, v->id, latest);
		}
	}
	return false;
}

static void
compare(const struct shown *a, const struct shown *b)
{
	ck_assert_uint_eq(a->count, b->count);
	for (size_t i = 0; i < a->count; i++)
		ck_assert_str_eq(a->lines[i], b->lines[i]);
}

static struct list_query
random_query(struct model *m)
{
	struct list_query q = { .what = draw(m, 2) == 0 ? LIST_OBJECTS : LIST_VERSIONS,
		.prefix = text(texts[draw(m, ARRAY_LEN(texts))]),
		.delimiter = text(texts[draw(m, ARRAY_LEN(texts))]),
		.max = draw(m, 12) };

	if (draw(m, 2) == 0)
		q.prefix.len = 0;
	if (draw(m, 2) == 0)
		q.delimiter.len = 0;
	if (draw(m, 2) == 0)
		q.after = text(draw(m, 2) == 0 ? texts[draw(m, ARRAY_LEN(texts))]
					       : keys[draw(m, ARRAY_LEN(keys))]);
	if (q.what == LIST_VERSIONS && draw(m, 2) == 0 && m->count > 0) {
		const struct model_version *v = &m->versions[draw(m, (uint32_t)m->count)];

		q.after = text(keys[v->key]);
		q.after_id = text(v->id);
	}
	return q;
}

/* Page by page it is the same as at once. */
static void
check_pages(struct model *m, struct list_query q)
{
	struct shown *want = calloc(1, sizeof(*want)), *got = calloc(1, sizeof(*got));
	uint8_t last[OBJECT_KEY_MAX];
	char id[VERSION_TEXT_MAX];
	struct list_result r;

	ck_assert(want != NULL && got != NULL);
	list_result_init(&r);
	q.after = q.after_id = bytes_of(NULL, 0);
	q.max = LIST_MAX;
	ck_assert(!expected(m, &q, want));
	q.max = 1 + draw(m, 7);
	do {
		ck_assert_int_eq(list_run(&m->mem->kv, &q, take, got, &r), ERR_OK);
		memcpy(last, r.next.data == NULL ? last : r.next.data, r.next.len);
		memcpy(id, r.next_id, sizeof(id));
		q.after = bytes_of(last, r.next.len);
		q.after_id = r.next_has_id ? text(id) : bytes_of(NULL, 0);
	} while (r.truncated);
	compare(want, got);
	list_result_fini(&r);
	free(want);
	free(got);
}

static void
check_listing(struct model *m)
{
	struct list_query q = random_query(m);
	struct shown *want = calloc(1, sizeof(*want)), *got = calloc(1, sizeof(*got));
	struct list_result r;
	bool truncated;

	ck_assert(want != NULL && got != NULL);
	list_result_init(&r);
	truncated = expected(m, &q, want);
	ck_assert_int_eq(list_run(&m->mem->kv, &q, take, got, &r), ERR_OK);
	compare(want, got);
	ck_assert_int_eq(r.truncated, truncated);
	ck_assert_uint_eq(r.count, want->count);
	list_result_fini(&r);
	free(want);
	free(got);
	check_pages(m, q);
}

/* Each content that was ever put has as many references as versions name it. */
static void
check_references(struct model *m)
{
	int *named = calloc((size_t)m->contents + 1, sizeof(*named));

	ck_assert_ptr_nonnull(named);
	for (size_t i = 0; i < m->count; i++)
		if (!m->versions[i].marker)
			named[m->versions[i].content]++;
	for (int i = 0; i < m->contents; i++)
		ck_assert_int_eq(m->mem->counts.named[i], named[i]);
	free(named);
}

START_TEST(random_histories)
{
	struct model *m = calloc(1, sizeof(*m));

	ck_assert_ptr_nonnull(m);
	m->mem = kv_mem_new();
	m->random = (uint64_t)_i + 1;
	m->now_ms = UINT64_C(1700000000000);
	for (int step = 0; step < 800; step++) {
		uint32_t what = draw(m, 100);

		if (what < 45)
			do_put(m);
		else if (what < 65)
			do_delete_latest(m);
		else if (what < 97 || step < 100 * _i % 400)
			do_delete_version(m);
		else
			do_versioning(m);
		check_key(m, draw(m, ARRAY_LEN(keys)));
		check_listing(m);
	}
	check_references(m);
	/* Nothing is left of what goes. */
	m->versioning = VERSIONING_ENABLED;
	while (m->count > 0)
		do_delete_version(m);
	ck_assert_int_eq(bucket_empty(&m->mem->kv), ERR_OK);
	check_references(m);
	for (size_t i = 0; i < m->mem->pairs.count; i++)
		ck_assert_int_ne(m->mem->pairs.at[i].key.data[0], 'z');
	kv_mem_free(m->mem);
	free(m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/bucket, object/listing");
	TCase *tc = tcase_create("model");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, random_histories, 0, 6);
	suite_add_tcase(s, tc);
	return suite_main(s);
}
