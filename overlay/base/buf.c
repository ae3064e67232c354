/*
 * A growable byte buffer. Growth doubles, up to the named maximum. One byte
 * more than cap is always allocated, so buf_str() can terminate without being
 * able to fail.
 */
#include "overlay/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/base/err.h"

/* Smaller first allocations would only be followed by a second one. */
#define BUF_FIRST_BYTES 64

void
buf_init(struct buf *b, size_t max)
{
	must(max < SIZE_MAX / 2); /* doubling and the extra byte must not wrap */
	*b = (struct buf){ .max = max };
}

void
buf_init_secret(struct buf *b, size_t max)
{
	buf_init(b, max);
	b->secret = true;
}

void
buf_init_on(struct buf *b, void *memory, size_t size)
{
	must(size > 0);
	*b = (struct buf){ .data = memory, .cap = size - 1, .max = size - 1, .lent = true };
}

static void
release(struct buf *b, bool wipe)
{
	if (wipe && b->data != NULL)
		explicit_bzero(b->data, b->cap + 1);
	if (!b->lent)
		free(b->data);
	b->data = NULL;
	b->len = b->cap = 0;
}

void
buf_fini(struct buf *b)
{
	release(b, b->secret);
}

void
buf_wipe(struct buf *b)
{
	release(b, true);
}

void
buf_reset(struct buf *b)
{
	if (b->secret && b->data != NULL)
		explicit_bzero(b->data, b->len);
	b->len = 0;
}

/* realloc() would leave a secret behind in the block it gives up. */
static uint8_t *
regrow(struct buf *b, size_t cap)
{
	if (!b->secret)
		return realloc(b->data, cap + 1);

	uint8_t *data = malloc(cap + 1);

	if (data == NULL)
		return NULL;
	if (b->data != NULL) {
		memcpy(data, b->data, b->len);
		explicit_bzero(b->data, b->cap + 1);
		free(b->data);
	}
	return data;
}

int
buf_reserve(struct buf *b, size_t extra)
{
	if (extra > b->max - b->len)
		return ERR_TOO_BIG;

	size_t need = b->len + extra;

	if (b->data != NULL && need <= b->cap)
		return ERR_OK;
	must(!b->lent); /* what is more than it holds is too big */

	size_t cap = MIN(MAX(need, MAX(2 * b->cap, (size_t)BUF_FIRST_BYTES)), b->max);
	uint8_t *data = regrow(b, cap);

	if (data == NULL)
		return ERR_NOMEM;
	b->data = data;
	b->cap = cap;
	return ERR_OK;
}

int
buf_append(struct buf *b, const void *data, size_t len)
{
	if (len == 0)
		return ERR_OK;
	/* Messages are written in many small pieces, nearly all into what there is. */
	if (len > b->cap - b->len || b->data == NULL) {
		int err = buf_reserve(b, len);

		if (err != ERR_OK)
			return err;
	}
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return ERR_OK;
}

int
buf_appendf(struct buf *b, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0)
		return ERR_INVALID;

	int err = buf_reserve(b, (size_t)len);

	if (err != ERR_OK)
		return err;
	va_start(args, fmt);
	/* The terminating NUL goes into the byte behind cap at most. */
	int written = vsnprintf((char *)b->data + b->len, (size_t)len + 1, fmt, args);
	va_end(args);
	must(written == len);
	b->len += (size_t)len;
	return ERR_OK;
}

void
buf_drop_front(struct buf *b, size_t len)
{
	must(len <= b->len);
	if (len == 0)
		return;
	memmove(b->data, b->data + len, b->len - len);
	b->len -= len;
}

struct bytes
buf_bytes(const struct buf *b)
{
	return bytes_of(b->data, b->len);
}

const char *
buf_str(struct buf *b)
{
	if (b->data == NULL)
		return "";
	b->data[b->len] = '\0';
	return (const char *)b->data;
}
