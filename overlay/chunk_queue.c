/*
 * A list of blocks of two sizes, or thrifty ones. Room is taken at the tail, bytes leave at the
 * head; an empty block goes back at once. Only the lack of memory can fail.
 */
#include "overlay/chunk_queue.h"

#include <stdlib.h>

#include "overlay/base/err.h"

struct queue_block {
	struct queue_block *next;
	uint32_t cap, start, end;
	uint8_t data[];
};

static struct queue_block *
block_get(struct queue_store *store, size_t cap)
{
	struct queue_block *b = NULL;

	if (cap == QUEUE_BLOCK_LARGE) {
		store->used = true;
		b = store->spare;
		if (b != NULL) {
			store->spare = b->next;
			store->spare_count--;
		}
	}
	if (b == NULL)
		b = malloc(sizeof(*b) + cap);
	if (b == NULL)
		return NULL;
	*b = (struct queue_block){ .cap = (uint32_t)cap };
	store->bytes_held += cap;
	return b;
}

static void
block_put(struct queue_store *store, struct queue_block *b)
{
	store->bytes_held -= b->cap;
	if (b->cap == QUEUE_BLOCK_LARGE && store->spare_count < QUEUE_STORE_MAX) {
		b->next = store->spare;
		store->spare = b;
		store->spare_count++;
		return;
	}
	free(b);
}

static void
spare_free(struct queue_store *store)
{
	struct queue_block *b;

	while ((b = store->spare) != NULL) {
		store->spare = b->next;
		free(b);
	}
	store->spare_count = 0;
}

bool
queue_store_trim(struct queue_store *store)
{
	if (!store->used)
		spare_free(store);
	store->used = false;
	return store->spare_count == 0;
}

void
queue_store_fini(struct queue_store *store)
{
	must(store->bytes_held == 0);
	spare_free(store);
}

static size_t
cap_for(const struct chunk_queue *q, size_t len)
{
	if (len <= QUEUE_BLOCK_SMALL)
		return QUEUE_BLOCK_SMALL;
	return q->thrifty ? len : QUEUE_BLOCK_LARGE;
}

uint8_t *
chunk_queue_room(struct chunk_queue *q, struct queue_store *store, size_t len)
{
	struct queue_block *b = q->tail;
	uint8_t *room;

	must(len <= QUEUE_BLOCK_LARGE);
	if (b == NULL || b->cap - b->end < len) {
		b = block_get(store, cap_for(q, len));
		if (b == NULL)
			return NULL;
		q->held += b->cap;
		if (q->tail != NULL)
			q->tail->next = b;
		else
			q->head = b;
		q->tail = b;
	}
	room = b->data + b->end;
	b->end += (uint32_t)len;
	q->len += len;
	return room;
}

int
chunk_queue_append(struct chunk_queue *q, struct queue_store *store, struct bytes data)
{
	uint8_t *room = chunk_queue_room(q, store, data.len);

	if (room == NULL)
		return ERR_NOMEM;
	if (data.len > 0)
		memcpy(room, data.data, data.len);
	return ERR_OK;
}

size_t
chunk_queue_parts(const struct chunk_queue *q, struct bytes *parts, size_t cap)
{
	size_t count = 0;

	for (const struct queue_block *b = q->head; b != NULL && count < cap; b = b->next)
		parts[count++] = bytes_of(b->data + b->start, b->end - b->start);
	return count;
}

void
chunk_queue_drop(struct chunk_queue *q, struct queue_store *store, size_t len)
{
	must(len <= q->len);
	q->len -= len;
	while (q->head != NULL) {
		struct queue_block *b = q->head;
		size_t n = MIN(len, (size_t)(b->end - b->start));

		b->start += (uint32_t)n;
		len -= n;
		if (b->start < b->end)
			break;
		q->head = b->next;
		if (q->head == NULL)
			q->tail = NULL;
		q->held -= b->cap;
		block_put(store, b);
	}
	must(len == 0);
}

void
chunk_queue_take(struct chunk_queue *q, struct queue_store *store, uint8_t *dst, size_t len)
{
	must(len <= q->len);
	while (len > 0) {
		const struct queue_block *b = q->head;
		size_t n = MIN(len, (size_t)(b->end - b->start));

		memcpy(dst, b->data + b->start, n);
		chunk_queue_drop(q, store, n);
		dst += n;
		len -= n;
	}
}
