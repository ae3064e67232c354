/*
 * Compression of small metadata (manifests, later pages and logs): zstd frames with a content
 * size. Run in workers: zstd wants more stack than a task has. The only adapter of zstd.
 */
#ifndef OBJECT_COMPRESS_H
#define OBJECT_COMPRESS_H

#include "overlay/base/buf.h"

/* Appends the compressed form of in. */
int compress_pack(struct bytes in, struct buf *out);
/*
 * Appends what in stands for. ERR_TOO_BIG when it says that it is longer than out's room, before
 * anything is allocated; ERR_CORRUPT for any other wrong input.
 */
int compress_unpack(struct bytes in, struct buf *out);
const char *compress_version(void);

#endif
