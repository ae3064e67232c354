/* The queue against a naive model: bytes leave in the order they came, and memory goes back. */
#include <stdlib.h>

#include "overlay/base/err.h"
#include "overlay/chunk_queue.h"
#include "test/unit/suite.h"

#define MODEL_BYTES MIB(2)

struct model {
	struct queue_store store;
	struct chunk_queue q;
	uint8_t *bytes; /* all that ever goes in, in order */
	size_t in, out; /* how many went in and came out */
	uint32_t random;
};

static size_t
draw(struct model *m, size_t below)
{
	m->random = m->random * 1664525u + 1013904223u; /* Numerical Recipes */
	return (m->random >> 8) % below;
}

static void
put(struct model *m)
{
	size_t len = MIN(
	    draw(m, 5) == 0 ? draw(m, QUEUE_BLOCK_LARGE + 1) : draw(m, 300), MODEL_BYTES - m->in);
	uint8_t *room;

	if (draw(m, 2) == 0) {
		ck_assert_int_eq(
		    chunk_queue_append(&m->q, &m->store, bytes_of(m->bytes + m->in, len)), ERR_OK);
	} else {
		room = chunk_queue_room(&m->q, &m->store, len);
		ck_assert_ptr_nonnull(room);
		memcpy(room, m->bytes + m->in, len);
	}
	m->in += len;
	m->q.thrifty = draw(m, 4) == 0;
}

static void
take(struct model *m, uint8_t *scratch)
{
	size_t len = draw(m, m->q.len + 1);
	struct bytes parts[4];
	size_t count = chunk_queue_parts(&m->q, parts, ARRAY_LEN(parts)), at = m->out;

	for (size_t i = 0; i < count; i++) {
		ck_assert_mem_eq(parts[i].data, m->bytes + at, parts[i].len);
		at += parts[i].len;
	}
	if (draw(m, 2) == 0) {
		chunk_queue_drop(&m->q, &m->store, len);
	} else {
		chunk_queue_take(&m->q, &m->store, scratch, len);
		ck_assert_mem_eq(scratch, m->bytes + m->out, len);
	}
	m->out += len;
}

START_TEST(like_the_model)
{
	struct model m = { .bytes = malloc(MODEL_BYTES), .random = 7 };
	uint8_t *scratch = malloc(MODEL_BYTES);

	ck_assert(m.bytes != NULL && scratch != NULL);
	for (size_t i = 0; i < MODEL_BYTES; i++)
		m.bytes[i] = (uint8_t)(i ^ (i >> 8));
	while (m.in < MODEL_BYTES) {
		if (draw(&m, 3) > 0)
			put(&m);
		else
			take(&m, scratch);
		ck_assert_uint_eq(m.q.len, m.in - m.out);
		ck_assert_uint_ge(m.q.held, m.q.len);
		ck_assert_uint_eq(m.store.bytes_held, m.q.held);
		ck_assert_uint_le(m.store.spare_count, QUEUE_STORE_MAX);
	}
	while (m.q.len > 0)
		take(&m, scratch);
	ck_assert_uint_eq(m.store.bytes_held, 0);
	ck_assert_ptr_null(m.q.head);
	/* Kept while in use, given back when two looks apart nothing was asked for. */
	ck_assert_uint_gt(m.store.spare_count, 0);
	ck_assert(!queue_store_trim(&m.store));
	ck_assert(queue_store_trim(&m.store));
	ck_assert_uint_eq(m.store.spare_count, 0);
	queue_store_fini(&m.store);
	free(m.bytes);
	free(scratch);
}
END_TEST

/* A long message holds its own length where memory is scarce, else as much as will follow it. */
START_TEST(thrifty_blocks)
{
	enum { LONG = QUEUE_BLOCK_SMALL + 1 };
	static const uint8_t bytes[LONG];
	struct queue_store store = { .spare = NULL };
	struct chunk_queue q = { .thrifty = true };

	for (size_t i = 1; i <= 3; i++) {
		ck_assert_int_eq(chunk_queue_append(&q, &store, bytes_of(bytes, LONG)), ERR_OK);
		ck_assert_uint_eq(q.held, i * LONG);
	}
	ck_assert_int_eq(chunk_queue_append(&q, &store, bytes_of(bytes, 1)), ERR_OK);
	ck_assert_uint_eq(q.held, 3 * LONG + QUEUE_BLOCK_SMALL);
	q.thrifty = false;
	ck_assert_int_eq(chunk_queue_append(&q, &store, bytes_of(bytes, LONG)), ERR_OK);
	ck_assert_uint_eq(q.held, 3 * LONG + QUEUE_BLOCK_SMALL + QUEUE_BLOCK_LARGE);
	chunk_queue_drop(&q, &store, q.len);
	ck_assert_uint_eq(q.held, 0);
	queue_store_fini(&store);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("overlay/chunk_queue");

	suite_add(s, "queue", 0, like_the_model, thrifty_blocks, NULL);
	return suite_main(s);
}
