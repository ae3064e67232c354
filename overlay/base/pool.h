/*
 * Reused buffers of one size, aligned for O_DIRECT: first use of fresh memory
 * costs 1–2.5 core-seconds per GB on virtual machines, so bulk paths never
 * allocate. A pool holds at most max buffers; pool_get suspends until one is
 * free. Loop thread only (workers use what they are given).
 */
#ifndef OVERLAY_BASE_POOL_H
#define OVERLAY_BASE_POOL_H

#include "overlay/base/task.h"

struct pool;

struct pool *pool_new(
    struct env *env, size_t buffer_bytes, size_t max); /* gives; NULL: no memory */
void pool_free(struct pool *p);                        /* all buffers are back */
SUSPENDS int pool_get(struct pool *p, uint8_t **out);
uint8_t *pool_try_get(struct pool *p); /* NULL when none is free */
void pool_put(struct pool *p, uint8_t *buffer);
size_t pool_buffer_bytes(const struct pool *p);
size_t pool_in_use(const struct pool *p);

#endif
