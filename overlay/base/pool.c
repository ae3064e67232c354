/*
 * Buffers are allocated when first asked for and kept until the pool is freed,
 * the last returned first, while it is warm in the cache. The semaphore counts
 * what may still be handed out, so waiters are served in order.
 */
#include "overlay/base/pool.h"

#include <stdlib.h>

#include "overlay/base/disk.h"

struct pool {
	struct env *env;
	size_t buffer_bytes;
	struct semaphore room;
	size_t in_use;
	size_t kept;
	size_t max;
	uint8_t *free[]; /* kept of them */
};

struct pool *
pool_new(struct env *env, size_t buffer_bytes, size_t max)
{
	struct pool *p;

	must(buffer_bytes > 0 && buffer_bytes <= SIZE_MAX - DISK_ALIGN);
	must(max > 0 && max <= SIZE_MAX / 2 / sizeof(p->free[0]));
	p = calloc(1, sizeof(*p) + max * sizeof(p->free[0]));
	if (p == NULL)
		return NULL;
	p->env = env;
	p->buffer_bytes = buffer_bytes;
	p->max = max;
	semaphore_init(&p->room, max);
	return p;
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	must(p->in_use == 0);
	while (p->kept > 0)
		free(p->free[--p->kept]);
	free(p);
}

/* A kept buffer, or a new one; NULL: no memory. Room has been taken already. */
static uint8_t *
take(struct pool *p)
{
	/* aligned_alloc wants whole units */
	size_t bytes = (p->buffer_bytes + DISK_ALIGN - 1) / DISK_ALIGN * DISK_ALIGN;
	uint8_t *buffer = p->kept > 0 ? p->free[--p->kept] : aligned_alloc(DISK_ALIGN, bytes);

	if (buffer == NULL) {
		semaphore_release(&p->room);
		return NULL;
	}
	p->in_use++;
	return buffer;
}

int
pool_get(struct pool *p, uint8_t **out)
{
	int err = semaphore_acquire(p->env, &p->room);
	uint8_t *buffer;

	if (err != ERR_OK)
		return err;
	buffer = take(p);
	if (buffer == NULL)
		return ERR_NOMEM;
	*out = buffer;
	return ERR_OK;
}

uint8_t *
pool_try_get(struct pool *p)
{
	return semaphore_try(&p->room) ? take(p) : NULL;
}

void
pool_put(struct pool *p, uint8_t *buffer)
{
	if (buffer == NULL)
		return;
	must(p->in_use > 0 && p->kept < p->max);
	p->in_use--;
	p->free[p->kept++] = buffer;
	semaphore_release(&p->room);
}

size_t
pool_buffer_bytes(const struct pool *p)
{
	return p->buffer_bytes;
}

size_t
pool_in_use(const struct pool *p)
{
	return p->in_use;
}
