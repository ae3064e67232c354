/* Multipart uploads: what S3 refuses, what is left behind, who references what. */
#include <stdio.h>

#include "object/bucket_contents.h"
#include "object/listing.h"
#include "object/settings.h"
#include "object/tables.h"
#include "object/upload.h"
#include "test/unit/object/kv_mem.h"
#include "test/unit/suite.h"

#define NOW UINT64_C(1700000000000)

struct world {
	struct kv_mem *m;
	struct upload u;
	uint8_t counter;
};

static struct bucket_txn
txn(struct world *w, uint64_t now_ms)
{
	struct bucket_txn t = { .kv = &w->m->kv, .refs = &w->m->counts.refs, .now_ms = now_ms };

	t.random[0] = ++w->counter;
	return t;
}

static struct world
start(struct checksum wanted)
{
	struct world w = { .m = kv_mem_new() };
	struct bucket_txn t = txn(&w, NOW);

	w.u = (struct upload){ .initiator = { "me" }, .entry.checksum = wanted };
	ck_assert_int_eq(crypto_init(), ERR_OK);
	ck_assert_int_eq(upload_create(&t, text("key"), &w.u), ERR_OK);
	return w;
}

/* Part n has the content "c<content>" and an ETag of n and content. */
static struct etag
etag_of(uint16_t number, int content)
{
	struct etag e = { .md5 = { (uint8_t)(number >> 8), (uint8_t)number, (uint8_t)content } };

	return e;
}

static int
put_part(struct world *w, uint16_t number, uint64_t size, int content)
{
	struct part p = { .number = number,
		.size = size,
		.etag = etag_of(number, content),
		.checksum = w->u.entry.checksum };
	struct bucket_txn t = txn(w, NOW + number);
	char name[16];

	p.checksum.value[0] = (uint8_t)number;
	(void)snprintf(name, sizeof(name), "c%d", content);
	p.content = text(name);
	return upload_put_part(&t, text("key"), &w->u.id, &p);
}

struct request {
	struct upload_part_named named[PART_NUMBER_MAX];
	char etags[PART_NUMBER_MAX][ETAG_TEXT_MAX + 2];
	size_t count;
};

static void
name_part(struct request *r, uint16_t number, int content, bool quoted)
{
	struct etag e = etag_of(number, content);
	char word[ETAG_TEXT_MAX], *out = r->etags[r->count];

	(void)snprintf(out, ETAG_TEXT_MAX + 2, quoted ? "\"%s\"" : "%s", etag_text(&e, word));
	r->named[r->count++] = (struct upload_part_named){ .number = number, .etag = text(out) };
}

static int
plan(struct world *w, const struct request *r, struct upload_plan *out)
{
	return upload_plan(&w->m->kv, text("key"), &w->u.id, r->named, r->count, NULL, NULL, out);
}

static int
complete(struct world *w, const struct upload_plan *p, struct bucket_done *done)
{
	static const struct checksum sum = { .algorithm = CHECKSUM_CRC32C,
		.value = { 4, 3, 2, 1 } };
	struct bucket_txn t = txn(w, NOW + 50000);
	int err;

	kv_mem_begin(w->m);
	err = upload_complete(&t, text("key"), &w->u.id, NULL, p, text("c9"), &sum, done);
	return kv_mem_end(w->m, err);
}

static void
sweep(struct world *w, uint64_t now_ms)
{
	struct bucket_txn t = txn(w, now_ms);
	bool more = true;

	for (int i = 0; more; i++) {
		ck_assert_int_lt(i, 1000);
		ck_assert_int_eq(upload_sweep(&t, &more), ERR_OK);
	}
}

static int
count_part(void *arg, const struct part *p)
{
	(void)p;
	(*(uint32_t *)arg)++;
	return ERR_OK;
}

START_TEST(what_is_refused)
{
	static const struct checksum none,
	    crc = { .algorithm = CHECKSUM_CRC32, .type = CHECKSUM_COMPOSITE };
	struct request *r = calloc(1, sizeof(*r));
	struct world w = start(none);
	struct upload_plan p;

	ck_assert_ptr_nonnull(r);
	ck_assert_int_eq(plan(&w, r, &p), ERR_INVALID);
	ck_assert_int_eq(put_part(&w, 0, 1, 1), REFUSAL_ARGUMENT);
	ck_assert_int_eq(put_part(&w, PART_NUMBER_MAX + 1, 1, 1), REFUSAL_ARGUMENT);
	ck_assert_int_eq(put_part(&w, 1, PART_BYTES_MAX + 1, 1), REFUSAL_TOO_LARGE);
	ck_assert_int_eq(put_part(&w, 1, PART_BYTES_MIN, 1), ERR_OK);
	ck_assert_int_eq(put_part(&w, 2, PART_BYTES_MIN - 1, 2), ERR_OK);
	ck_assert_int_eq(put_part(&w, 3, 1, 3), ERR_OK);
	name_part(r, 1, 1, true);
	name_part(r, 3, 3, false);
	ck_assert_int_eq(plan(&w, r, &p), ERR_OK);
	ck_assert_uint_eq(p.size, PART_BYTES_MIN + 1);
	name_part(r, 2, 2, false);
	ck_assert_int_eq(plan(&w, r, &p), REFUSAL_PART_ORDER);
	r->count = 0;
	name_part(r, 1, 1, true);
	name_part(r, 1, 1, true);
	ck_assert_int_eq(plan(&w, r, &p), REFUSAL_PART_ORDER);
	r->count = 0;
	name_part(r, 2, 2, true);
	name_part(r, 3, 3, true);
	ck_assert_int_eq(plan(&w, r, &p), REFUSAL_PART_SMALL);
	r->count = 0;
	name_part(r, 1, 7, true); /* another ETag */
	ck_assert_int_eq(plan(&w, r, &p), REFUSAL_PART);
	r->count = 0;
	name_part(r, 4, 4, true); /* no such part */
	ck_assert_int_eq(plan(&w, r, &p), REFUSAL_PART);
	w.u.id.b[3] ^= 1;
	ck_assert_int_eq(plan(&w, r, &p), REFUSAL_NO_SUCH_UPLOAD);
	ck_assert_int_eq(put_part(&w, 1, 1, 1), REFUSAL_NO_SUCH_UPLOAD);
	kv_mem_free(w.m);

	w = start(crc);
	ck_assert_int_eq(put_part(&w, 1, 1, 1), ERR_OK);
	r->count = 0;
	name_part(r, 1, 1, true);
	ck_assert_int_eq(plan(&w, r, &p), ERR_OK); /* its checksum may be said, and need not */
	r->named[0].checksum = (struct checksum){ .algorithm = CHECKSUM_CRC32, .value = { 1 } };
	ck_assert_int_eq(plan(&w, r, &p), ERR_OK);
	r->named[0].checksum.value[0] = 2;
	ck_assert_int_eq(plan(&w, r, &p), REFUSAL_PART);
	r->named[0].checksum.algorithm = CHECKSUM_SHA1;
	ck_assert_int_eq(plan(&w, r, &p), REFUSAL_PART_CHECKSUM);
	w.u.entry.checksum.algorithm = CHECKSUM_SHA256;
	ck_assert_int_eq(put_part(&w, 2, 1, 2), REFUSAL_PART_CHECKSUM);
	kv_mem_free(w.m);
	free(r);
}
END_TEST

/* Of parts 1 and 3, which the object has. */
static int
named_by_parts(struct world *w, const struct version *id)
{
	struct table_key k = table_id(TABLE_PARTS, id, UINT32_MAX);
	int count = 0;

	for (size_t i = 0; i < w->m->pairs.count; i++) {
		struct bytes key = w->m->pairs.at[i].key;
		struct part p;

		if (key.len != k.len + 2 || memcmp(key.data, k.b, k.len) != 0)
			continue;
		ck_assert_int_eq(part_unpack(w->m->pairs.at[i].value, &p), ERR_OK);
		count +=
		    p.content.len > 0 && (key.data[k.len + 1] == 1 || key.data[k.len + 1] == 3);
	}
	return count;
}

/* Parts 1 and 3 of four become the object; a plan is stale when a part is written over. */
static void
complete_two(struct world *w, struct request *r, struct upload_plan *p, struct bucket_done *done)
{
	struct upload_plan stale;

	for (uint16_t n = 1; n <= 4; n++)
		ck_assert_int_eq(put_part(w, n, PART_BYTES_MIN + n, n), ERR_OK);
	name_part(r, 1, 1, true);
	name_part(r, 2, 2, true);
	ck_assert_int_eq(plan(w, r, &stale), ERR_OK);
	ck_assert_int_eq(put_part(w, 2, 1, 5), ERR_OK); /* over it */
	ck_assert_int_eq(w->m->counts.named[2], 0);
	ck_assert_int_eq(complete(w, &stale, done), ERR_STALE);
	ck_assert_int_eq(plan(w, r, p), REFUSAL_PART);
	r->count = 1;
	name_part(r, 3, 3, false);
	ck_assert_int_eq(plan(w, r, p), ERR_OK);
	w->m->counts.named[9]++;
	ck_assert_int_eq(complete(w, p, done), ERR_OK);
	w->m->counts.named[1]--; /* the joined content took over */
	w->m->counts.named[3]--;
	ck_assert_int_eq(complete(w, p, done), ERR_STALE);
}

/* The same again has the same result; another is for an upload that is no more. */
static void
complete_again(
    struct world *w, struct request *r, const struct upload_plan *p, const struct bucket_done *done)
{
	struct upload_plan again;

	r->count = 1;
	name_part(r, 3, 3, true);
	ck_assert_int_eq(plan(w, r, &again), ERR_OK);
	ck_assert(again.repeated && etag_equal(&again.etag, &p->etag));
	ck_assert_int_eq(again.checksum.algorithm, CHECKSUM_CRC32C);
	ck_assert_mem_eq(again.checksum.value, ((uint8_t[]){ 4, 3, 2, 1 }), 4);
	ck_assert_mem_eq(&again.done.version, &done->version, sizeof(done->version));
	r->count = 1;
	ck_assert_int_eq(plan(w, r, &again), REFUSAL_NO_SUCH_UPLOAD);
}

static void
read_by_parts(struct world *w, const struct entry *e)
{
	struct part part;
	uint64_t offset;
	uint32_t count = 0;
	bool truncated;

	ck_assert_int_eq(upload_object_part(&w->m->kv, e, 3, &offset, &part), ERR_OK);
	ck_assert_uint_eq(offset, PART_BYTES_MIN + 1);
	ck_assert_uint_eq(part.size, PART_BYTES_MIN + 3);
	ck_assert_int_eq(upload_object_part(&w->m->kv, e, 2, &offset, &part), REFUSAL_PART_NUMBER);
	ck_assert_int_eq(
	    upload_object_parts(&w->m->kv, e, 0, 1, count_part, &count, &truncated), ERR_OK);
	ck_assert(count == 1 && truncated);
	ck_assert_int_eq(
	    upload_object_parts(&w->m->kv, e, 1, 1, count_part, &count, &truncated), ERR_OK);
	ck_assert(count == 2 && !truncated);
}

START_TEST(completed_and_read)
{
	static const struct checksum none;
	static const struct version_ref latest = { .which = VERSION_LATEST };
	struct request *r = calloc(1, sizeof(*r));
	struct world w = start(none);
	struct bucket_done done;
	struct upload_plan p;
	struct buf value;
	struct entry e;

	ck_assert_ptr_nonnull(r);
	buf_init(&value, KV_VALUE_MAX);
	complete_two(&w, r, &p, &done);
	complete_again(&w, r, &p, &done);
	ck_assert_int_eq(bucket_get(&w.m->kv, text("key"), &latest, &value, &e), ERR_OK);
	ck_assert_uint_eq(e.size, 2 * PART_BYTES_MIN + 4);
	ck_assert_uint_eq(e.etag.parts, 2);
	for (int swept = 0; swept < 2; swept++) {
		read_by_parts(&w, &e);
		/* Unswept, a record of the object's parts still names what the object has. */
		ck_assert_int_eq(named_by_parts(&w, &e.parts), swept == 0 ? 2 : 0);
		sweep(&w, NOW);
		ck_assert_int_eq(w.m->counts.named[4], 0);
		ck_assert_int_eq(w.m->counts.named[5], 0);
	}
	ck_assert_int_eq(w.m->counts.named[1], 0);

	/* The object gone, its parts go, their contents have gone with it. */
	ck_assert_int_eq(
	    bucket_delete(&(struct bucket_txn){ .kv = &w.m->kv, .refs = &w.m->counts.refs },
		text("key"), &(struct bucket_delete){ .bypass_governance = false }, &done),
	    ERR_OK);
	ck_assert_int_eq(w.m->counts.named[9], 0);
	sweep(&w, NOW);
	ck_assert_uint_eq(w.m->pairs.count, 2); /* the result that may be asked for again */
	sweep(&w, NOW + 50000 + UPLOAD_REPEAT_MS);
	ck_assert_uint_eq(w.m->pairs.count, 0);
	buf_fini(&value);
	kv_mem_free(w.m);
	free(r);
}
END_TEST

/* Deleted before what was not used has been swept: still each goes once. */
START_TEST(deleted_before_it_was_swept)
{
	static const struct checksum none;
	struct request *r = calloc(1, sizeof(*r));
	struct world w = start(none);
	struct bucket_done done;
	struct upload_plan p;

	ck_assert_ptr_nonnull(r);
	for (uint16_t n = 1; n <= 1000; n++)
		ck_assert_int_eq(put_part(&w, n, PART_BYTES_MIN, n), ERR_OK);
	for (uint16_t n = 1; n <= 1000; n += 2)
		name_part(r, n, n, true);
	ck_assert_int_eq(plan(&w, r, &p), ERR_OK);
	w.m->counts.named[9]++;
	ck_assert_int_eq(complete(&w, &p, &done), ERR_OK);
	for (uint16_t n = 1; n <= 1000; n += 2)
		w.m->counts.named[n]--;
	ck_assert_int_eq(
	    upload_sweep(
		&(struct bucket_txn){ .kv = &w.m->kv, .refs = &w.m->counts.refs }, &(bool){ 0 }),
	    ERR_OK);
	ck_assert_int_eq(
	    bucket_delete(&(struct bucket_txn){ .kv = &w.m->kv, .refs = &w.m->counts.refs },
		text("key"), &(struct bucket_delete){ .bypass_governance = false }, &done),
	    ERR_OK);
	sweep(&w, NOW + 50001 + UPLOAD_REPEAT_MS);
	ck_assert_uint_eq(w.m->pairs.count, 0);
	for (size_t i = 0; i < ARRAY_LEN(w.m->counts.named); i++)
		ck_assert_int_eq(w.m->counts.named[i], 0);
	kv_mem_free(w.m);
	free(r);
}
END_TEST

START_TEST(aborted)
{
	static const struct checksum none;
	struct world w = start(none);
	struct bucket_txn t = txn(&w, NOW);
	uint32_t count = 0;
	bool truncated;

	for (uint16_t n = 1; n <= 600; n++)
		ck_assert_int_eq(put_part(&w, n, 1, n), ERR_OK);
	ck_assert_int_eq(
	    upload_parts(&w.m->kv, text("key"), &w.u.id, 100, 7, count_part, &count, &truncated),
	    ERR_OK);
	ck_assert(count == 7 && truncated);
	ck_assert_int_eq(upload_abort(&t, text("key"), &w.u.id), ERR_OK);
	ck_assert_int_eq(upload_abort(&t, text("key"), &w.u.id), REFUSAL_NO_SUCH_UPLOAD);
	ck_assert_int_eq(put_part(&w, 1, 1, 1), REFUSAL_NO_SUCH_UPLOAD);
	ck_assert_int_eq(
	    upload_parts(&w.m->kv, text("key"), &w.u.id, 0, 7, count_part, &count, &truncated),
	    REFUSAL_NO_SUCH_UPLOAD);
	sweep(&w, NOW);
	ck_assert_uint_eq(w.m->pairs.count, 0);
	for (size_t i = 0; i < ARRAY_LEN(w.m->counts.named); i++)
		ck_assert_int_eq(w.m->counts.named[i], 0);
	kv_mem_free(w.m);
}
END_TEST

/* Ten thousand parts: what one transaction writes stays small. */
START_TEST(the_most_parts)
{
	static const struct checksum none;
	struct request *r = calloc(1, sizeof(*r));
	struct world w = start(none);
	struct bucket_done done;
	struct upload_plan p;
	struct part part;
	struct buf value;
	struct entry e;
	uint64_t offset;
	static const struct version_ref latest = { .which = VERSION_LATEST };

	ck_assert_ptr_nonnull(r);
	buf_init(&value, KV_VALUE_MAX);
	for (uint16_t n = 1; n <= PART_NUMBER_MAX; n++) {
		ck_assert_int_eq(put_part(&w, n, PART_BYTES_MIN, n % 200), ERR_OK);
		name_part(r, n, n % 200, false);
	}
	ck_assert_int_eq(plan(&w, r, &p), ERR_OK);
	ck_assert_int_eq(complete(&w, &p, &done), ERR_OK);
	ck_assert_int_eq(bucket_get(&w.m->kv, text("key"), &latest, &value, &e), ERR_OK);
	ck_assert_uint_lt(value.len, 200);
	ck_assert_int_eq(upload_object_part(&w.m->kv, &e, PART_NUMBER_MAX, &offset, &part), ERR_OK);
	ck_assert_uint_eq(offset, (PART_NUMBER_MAX - 1) * PART_BYTES_MIN);
	buf_fini(&value);
	kv_mem_free(w.m);
	free(r);
}
END_TEST

/* ---- listing uploads ---- */

static int
note_upload(void *arg, const struct list_item *item)
{
	struct buf *out = arg;

	if (item->kind == LIST_PREFIX)
		return buf_appendf(out, "P%.*s ", (int)item->key.len, (const char *)item->key.data);
	return buf_appendf(out, "%.*s@%d ", (int)item->key.len, (const char *)item->key.data,
	    (int)(item->upload->created_ms - NOW));
}

START_TEST(uploads_are_listed_by_key_and_age)
{
	static const struct checksum none;
	static const char *const keys[] = { "b/1", "a", "b/2", "a", "c", "a" };
	struct world w = start(none);
	struct list_query q = { .what = LIST_UPLOADS, .max = 2 };
	struct bucket_txn t = txn(&w, NOW);
	struct list_result r;
	struct buf out;
	char last[8], id[VERSION_TEXT_MAX];

	buf_init(&out, KIB(1));
	list_result_init(&r);
	ck_assert_int_eq(upload_abort(&t, text("key"), &w.u.id), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		t = txn(&w, NOW + i);
		ck_assert_int_eq(upload_create(&t, text(keys[i]), &w.u), ERR_OK);
	}
	q.delimiter = text("/");
	do {
		ck_assert_int_eq(list_run(&w.m->kv, &q, note_upload, &out, &r), ERR_OK);
		(void)snprintf(last, sizeof(last), "%s", buf_str(&r.next));
		memcpy(id, r.next_id, sizeof(id));
		q.after = text(last);
		q.after_id = r.next_has_id ? text(id) : bytes_of(NULL, 0);
	} while (r.truncated);
	ck_assert_str_eq(buf_str(&out), "a@1 a@3 a@5 Pb/ c@4 ");
	q = (struct list_query){
		.what = LIST_UPLOADS, .max = 9, .prefix = text("b/"), .after = text("b/1")
	};
	buf_reset(&out);
	ck_assert_int_eq(list_run(&w.m->kv, &q, note_upload, &out, &r), ERR_OK);
	ck_assert_str_eq(buf_str(&out), "b/2@2 ");
	q = (struct list_query){
		.what = LIST_UPLOADS, .max = 9, .after = text("a"), .after_id = text("x")
	};
	ck_assert_int_eq(list_run(&w.m->kv, &q, note_upload, &out, &r), REFUSAL_ARGUMENT);
	list_result_fini(&r);
	buf_fini(&out);
	kv_mem_free(w.m);
}
END_TEST

static int
note_content(void *arg, const struct bucket_content *c)
{
	return buf_appendf(arg, "%.*s%s ", (int)c->content.len, (const char *)c->content.data,
	    c->locked_until_ms == 0            ? ""
	    : c->locked_until_ms == UINT64_MAX ? "!"
					       : "+");
}

/* In steps of any length, and with uploads that go meanwhile, each is given once. */
START_TEST(all_contents)
{
	static const struct checksum none;

	for (size_t step = 1; step < 9; step++) {
		struct world w = start(none);
		struct bucket_txn t = txn(&w, NOW);
		struct buf place, out;
		struct upload other = { .initiator = { "me" } };
		int err;

		buf_init(&place, BUCKET_PLACE_MAX);
		buf_init(&out, KIB(1));
		ck_assert_int_eq(settings_set_versioning(&w.m->kv, VERSIONING_ENABLED), ERR_OK);
		ck_assert_int_eq(settings_set_lock(&w.m->kv, LOCK_NONE, false, 0), ERR_OK);
		for (int i = 1; i < 5; i++) {
			struct entry e = { .hold = i == 2,
				.lock_mode = i == 1 ? 1 : 0,
				.lock_until_ms = i == 1 ? NOW + 9 : 0 };
			struct bucket_done done;

			t = txn(&w, NOW + 10 - (uint64_t)i * 3);
			e.content = i == 3 ? bytes_of("", 0) : text(i % 2 ? "c1" : "c2");
			ck_assert_int_eq(bucket_put(&t, text("a"), NULL, &e, &done), ERR_OK);
		}
		ck_assert_int_eq(put_part(&w, 3, 1, 3), ERR_OK);
		ck_assert_int_eq(put_part(&w, 7, 1, 4), ERR_OK);
		t = txn(&w, NOW + 1);
		ck_assert_int_eq(upload_create(&t, text("key"), &other), ERR_OK);
		t = txn(&w, NOW + 1);
		ck_assert_int_eq(upload_create(&t, text("key2"), &w.u), ERR_OK);
		t = txn(&w, NOW);
		struct part p = { .number = 1, .content = text("c5") };
		ck_assert_int_eq(upload_put_part(&t, text("key2"), &w.u.id, &p), ERR_OK);
		while (
		    (err = bucket_contents(&w.m->kv, &place, step, note_content, &out)) == ERR_OK)
			if (strstr(buf_str(&out), "c4") != NULL)
				(void)upload_abort(&t, text("key"), &other.id);
		ck_assert_int_eq(err, ERR_END);
		ck_assert_str_eq(buf_str(&out), "c2 c2! c1+ c3 c4 c5 ");
		buf_fini(&place);
		buf_fini(&out);
		kv_mem_free(w.m);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("object/upload");

	suite_add(s, "upload", 30, what_is_refused, completed_and_read, deleted_before_it_was_swept,
	    aborted, the_most_parts, uploads_are_listed_by_key_and_age, all_contents, NULL);
	return suite_main(s);
}
