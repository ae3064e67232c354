/* A bucket whose contents are counted by who counts them in the product. */
#include "object/bucket_refs.h"

#include "object/content_refs.h"
#include "overlay/base/crypto.h"
#include "test/unit/object/kv_mem.h"
#include "test/unit/suite.h"

#define NOW UINT64_C(1700000000000)

/* One chunk of 4+2, one segment. */
static void
make(struct content *c, struct buf *form)
{
	static const uint8_t hints[6][8] = { { 1 } };
	struct code_params code = { .k = 4, .r = 5, .n = 6 };
	struct manifest_segment s = { .plain_bytes = 1000, .chunks = 1 };
	struct hash id = { { 7 } };

	content_init(c);
	c->kind = CONTENT_CHUNKS;
	c->bytes = s.plain_bytes;
	ck_assert_int_eq(manifest_add_chunk(&c->list, &id, &code, 1016, hints), ERR_OK);
	ck_assert_int_eq(manifest_add_segment(&c->list, &s), ERR_OK);
	ck_assert_int_eq(content_pack(c, form), ERR_OK);
}

static uint64_t
count(struct kv_mem *m, const struct content *c)
{
	uint64_t n;

	ck_assert_int_eq(content_references(&m->kv, c, &n), ERR_OK);
	return n;
}

static bool
in_trash(struct kv_mem *m)
{
	struct trash_item item;
	int err;

	trash_item_init(&item);
	err = content_trash_next(&m->kv, bytes_of("t", 1), &item);
	trash_item_fini(&item);
	ck_assert(err == ERR_OK || err == ERR_NOT_FOUND);
	return err == ERR_OK;
}

START_TEST(named_shared_let_go)
{
	struct kv_mem *m = kv_mem_new();
	struct bucket_txn t = { .kv = &m->kv, .refs = &bucket_refs, .now_ms = NOW };
	struct bucket_delete d = { .bypass_governance = false };
	struct bucket_done done;
	struct content c;
	struct entry e = { .size = 1000 };
	struct buf form;

	ck_assert_int_eq(crypto_init(), ERR_OK);
	buf_init(&form, ENTRY_CONTENT_BYTES_MAX);
	make(&c, &form);
	e.content = buf_bytes(&form);
	/* Too long ago: it may have been let go. */
	t.written_ms = NOW - (CONTENT_NAMED_WITHIN_S + 1) * UINT64_C(1000);
	ck_assert_int_eq(bucket_put(&t, text("a"), NULL, &e, &done), ERR_STALE);
	t.written_ms = 0;
	ck_assert_int_eq(bucket_put(&t, text("a"), NULL, &e, &done), ERR_OK);
	ck_assert_uint_eq(count(m, &c), 1);
	ck_assert_int_eq(bucket_put_shared(&t, text("b"), NULL, &e, &done), ERR_OK);
	ck_assert_int_eq(bucket_put_shared(&t, text("b"), NULL, &e, &done), ERR_OK);
	ck_assert_uint_eq(count(m, &c), 2);
	ck_assert_int_eq(bucket_delete(&t, text("a"), &d, &done), ERR_OK);
	ck_assert_uint_eq(count(m, &c), 1);
	ck_assert(!in_trash(m));
	ck_assert_int_eq(bucket_delete(&t, text("b"), &d, &done), ERR_OK);
	ck_assert(in_trash(m));
	e.content = text("no content");
	ck_assert_int_ne(bucket_put_shared(&t, text("c"), NULL, &e, &done), ERR_OK);
	content_fini(&c);
	buf_fini(&form);
	kv_mem_free(m);
}
END_TEST

/* Every content that can be made fits an entry. */
static_assert(CONTENT_FORM_MAX <= ENTRY_CONTENT_BYTES_MAX, "the longest form of a content");

int
main(void)
{
	Suite *s = suite_create("object/bucket_refs");

	suite_add(s, "refs", 0, named_shared_let_go, NULL);
	return suite_main(s);
}
