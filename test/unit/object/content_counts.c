/* Counters by the number in a text; one that falls below nothing, or comes back, fails the test. */
#include "test/unit/object/content_counts.h"

#include <check.h>
#include <stdlib.h>

#include "overlay/base/err.h"

static int
count(struct content_counts *c, struct bytes content, int by)
{
	unsigned long n;
	char text[16] = "";

	ck_assert_uint_lt(content.len, sizeof(text));
	memcpy(text, content.data, content.len);
	ck_assert_int_eq(text[0], 'c');
	n = strtoul(text + 1, NULL, 10);
	ck_assert_uint_lt(n, ARRAY_LEN(c->named));
	c->named[n] += by;
	ck_assert_int_ge(c->named[n], 0);
	return ERR_OK;
}

static int
on_named(void *arg, struct kv *txn, struct bytes content, uint64_t written_ms, uint64_t now_ms)
{
	(void)txn;
	ck_assert_uint_eq(written_ms, now_ms);
	return count(arg, content, 1);
}

static int
on_ref(void *arg, struct kv *txn, struct bytes content)
{
	(void)txn;
	/* What nobody names any more is gone: a reference can only be added to others. */
	count(arg, content, -1);
	return count(arg, content, 2);
}

static int
on_unref(void *arg, struct kv *txn, struct bytes content, uint64_t now_ms)
{
	(void)txn;
	(void)now_ms;
	return count(arg, content, -1);
}

void
content_counts_init(struct content_counts *c)
{
	*c = (struct content_counts){
		.refs = { .named = on_named, .ref = on_ref, .unref = on_unref, .arg = c }
	};
}

void
content_counts_begin(struct content_counts *c)
{
	memcpy(c->before, c->named, sizeof(c->before));
}

void
content_counts_back(struct content_counts *c)
{
	memcpy(c->named, c->before, sizeof(c->named));
}
