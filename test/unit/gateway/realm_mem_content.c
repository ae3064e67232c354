/* Contents: a form is 'b' and the number of a blob, or nothing. */
#include "test/unit/gateway/realm_mem_private.h"

#include <stdlib.h>

#include "overlay/base/task.h"

#define READ_PIECE KIB(200)
#define FORM_BYTES 9

struct realm_writer {
	struct mem_bucket *b;
	struct buf data;
	struct key customer;
	bool has_customer;
};

struct realm_reader {
	struct buf data;
	size_t at;
};

static struct blob *
blob_of(struct realm_mem *m, struct bytes form)
{
	uint64_t n;

	must(form.len == FORM_BYTES && form.data[0] == 'b');
	memcpy(&n, form.data + 1, sizeof(n));
	must(n < m->blobs_count);
	return &m->blobs[n];
}

static int
add_blob(struct realm_mem *m, struct bytes data, struct buf *form)
{
	uint64_t n = m->blobs_count;
	uint8_t text[FORM_BYTES] = "b";

	if (data.len == 0)
		return ERR_OK;
	if (m->blobs_count == m->blobs_cap) {
		m->blobs_cap = m->blobs_cap * 2 + 64;
		m->blobs = realloc(m->blobs, m->blobs_cap * sizeof(*m->blobs));
		must(m->blobs != NULL);
	}
	m->blobs[m->blobs_count++] =
	    (struct blob){ .data = (uint8_t *)(uintptr_t)mem_duplicate(data).data,
		    .len = data.len };
	memcpy(text + 1, &n, sizeof(n));
	return buf_append(form, text, sizeof(text));
}

static int
count_refs(void *arg, struct bytes content, int by)
{
	struct mem_bucket *b = arg;

	if (content.len > 0)
		blob_of(b->m, content)->refs += by;
	return ERR_OK;
}

static int
mem_named(void *arg, struct kv *txn, struct bytes content, uint64_t written_ms, uint64_t now_ms)
{
	(void)txn;
	(void)written_ms;
	(void)now_ms;
	return count_refs(arg, content, 1);
}

static int
mem_ref(void *arg, struct kv *txn, struct bytes content)
{
	(void)txn;
	return count_refs(arg, content, 1);
}

static int
mem_unref(void *arg, struct kv *txn, struct bytes content, uint64_t now_ms)
{
	(void)txn;
	(void)now_ms;
	return count_refs(arg, content, -1);
}

struct content_refs
mem_refs(struct mem_bucket *b)
{
	return (struct content_refs){
		.named = mem_named, .ref = mem_ref, .unref = mem_unref, .arg = b
	};
}

SUSPENDS int
mem_writer_new(struct realm_bucket *b, const struct realm_write *w, struct realm_writer **out)
{
	*out = calloc(1, sizeof(**out));
	must(*out != NULL);
	(*out)->b = mem_bucket_of(b);
	(*out)->has_customer = w->customer != NULL;
	if (w->customer != NULL)
		(*out)->customer = *w->customer;
	buf_init(&(*out)->data, GIB(2));
	return ERR_OK;
}

SUSPENDS int
mem_write(struct realm_writer *w, struct bytes data)
{
	int err = task_yield(w->b->m->env);

	return err == ERR_OK ? buf_append(&w->data, data.data, data.len) : err;
}

/* One byte for all, so that parts may be read as they were joined, wherever each begins. */
static void
mask(uint8_t *data, size_t len, const struct key *customer)
{
	uint8_t all = 0;

	for (size_t i = 0; i < sizeof(customer->b); i++)
		all = (uint8_t)(all * 31 + customer->b[i]);
	for (size_t i = 0; i < len; i++)
		data[i] ^= all;
}

SUSPENDS int
mem_finish(struct realm_writer *w, struct buf *form)
{
	if (w->has_customer)
		mask(w->data.data, w->data.len, &w->customer);
	return add_blob(w->b->m, buf_bytes(&w->data), form);
}

SUSPENDS void
mem_writer_free(struct realm_writer *w)
{
	buf_fini(&w->data);
	free(w);
}

SUSPENDS void
mem_drop(struct realm_bucket *b, struct bytes form)
{
	(void)b;
	(void)form;
}

SUSPENDS int
mem_join(struct realm_bucket *b, const struct bytes *forms, size_t count, struct buf *form,
    struct realm_spare **spare)
{
	struct realm_mem *m = mem_bucket_of(b)->m;
	struct buf all;
	int err = ERR_OK;

	*spare = NULL;
	buf_init(&all, GIB(2));
	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		if (forms[i].len > 0)
			err =
			    buf_append(&all, blob_of(m, forms[i])->data, blob_of(m, forms[i])->len);
	}
	if (err == ERR_OK)
		err = add_blob(m, buf_bytes(&all), form);
	buf_fini(&all);
	return err;
}

SUSPENDS int
mem_joined(struct realm_spare *spare, struct kv *txn, uint64_t now_ms)
{
	(void)spare;
	(void)txn;
	(void)now_ms;
	return ERR_OK;
}

void
mem_spare_free(struct realm_spare *spare)
{
	must(spare == NULL);
}

SUSPENDS int
mem_reader_new(struct realm_bucket *b, struct bytes form, uint64_t from, uint64_t len,
    const struct key *customer, struct realm_reader **out)
{
	struct realm_reader *r = calloc(1, sizeof(*r));

	must(r != NULL);
	buf_init(&r->data, GIB(2));
	if (len > 0) {
		struct blob *blob = blob_of(mem_bucket_of(b)->m, form);

		must(from + len <= blob->len);
		must(buf_append(&r->data, blob->data, from + len) == ERR_OK);
		if (customer != NULL)
			mask(r->data.data, r->data.len, customer);
		buf_drop_front(&r->data, from);
	}
	*out = r;
	return ERR_OK;
}

SUSPENDS int
mem_read(struct realm_reader *r, struct bytes *lent)
{
	if (r->at == r->data.len)
		return ERR_END;
	*lent = bytes_of(r->data.data + r->at, MIN(READ_PIECE, r->data.len - r->at));
	r->at += lent->len;
	return ERR_OK;
}

SUSPENDS void
mem_reader_free(struct realm_reader *r)
{
	buf_fini(&r->data);
	free(r);
}
