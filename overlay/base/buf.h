/*
 * A growable byte buffer with a limit. Growth never exceeds buf->max: who
 * creates the buffer names the bound. Embedded; buf_fini frees. A buffer for
 * secrets starts with buf_init_secret: it leaves no copy behind when it grows.
 */
#ifndef OVERLAY_BASE_BUF_H
#define OVERLAY_BASE_BUF_H

#include "overlay/base/types.h"

struct buf {
	uint8_t *data;
	size_t len;
	size_t cap;
	size_t max;  /* ERR_TOO_BIG beyond */
	bool secret; /* memory is wiped before it is freed */
	bool lent;   /* memory is somebody else's and stays as large as it is */
};

void buf_init(struct buf *b, size_t max);
void buf_init_secret(struct buf *b, size_t max);
/* Over memory on a stack, lent until buf_fini: holds size − 1 bytes at most, and never allocates.
 */
void buf_init_on(struct buf *b, void *memory, size_t size);
void buf_fini(struct buf *b);                 /* frees; a fini'ed buf may be init'ed again */
void buf_wipe(struct buf *b);                 /* like fini, for secrets */
void buf_reset(struct buf *b);                /* len = 0, memory kept */
int buf_reserve(struct buf *b, size_t extra); /* room for extra more bytes */
int buf_append(struct buf *b, const void *data, size_t len);
int buf_appendf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_drop_front(struct buf *b, size_t len);
struct bytes buf_bytes(const struct buf *b); /* lent until the next change */
/* Adds a terminating NUL that does not count; gives the text, lent. */
const char *buf_str(struct buf *b);

#endif
