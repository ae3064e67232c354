/*
 * A piece is cut at block borders: its middle goes through an aligned buffer straight to the disk,
 * its two ends into edge blocks, where they meet the ends of their neighbours. An edge block is
 * written when it is full; only the file's last one may stay incomplete.
 */
#include "cmd/direct_out.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "overlay/base/crypto.h"
#include "overlay/base/disk.h"

#define BLOCK        DISK_ALIGN
#define BOUNCE_BYTES MIB(1)

struct edge {
	struct edge *next;
	uint8_t *data; /* a block, aligned */
	uint64_t number;
	size_t filled;
};

struct bounce {
	struct bounce *next;
	uint8_t *data;
};

struct direct_out {
	int fd, direct;
	pthread_mutex_t lock;
	struct edge *edges;
	struct bounce *spare;
	uint64_t length;
	bool reserved;
};

struct direct_out *
direct_out_new(int fd, const char *path)
{
	struct direct_out *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	d->fd = fd;
	d->direct = open(path, O_WRONLY | O_DIRECT | O_CLOEXEC | O_NOFOLLOW);
	if (d->direct < 0 || pthread_mutex_init(&d->lock, NULL) != 0) {
		if (d->direct >= 0)
			(void)close(d->direct);
		free(d);
		return NULL;
	}
	return d;
}

void
direct_out_expect(struct direct_out *d, uint64_t length)
{
	d->length = length;
}

static int
write_all(int fd, uint64_t offset, const uint8_t *src, size_t len)
{
	while (len > 0) {
		ssize_t r = pwrite(fd, src, len, (off_t)offset);

		if (r < 0 && errno != EINTR)
			return err_from_errno(errno);
		if (r > 0) {
			src += r;
			offset += (uint64_t)r;
			len -= (size_t)r;
		}
	}
	return ERR_OK;
}

/* Under the lock. Blocks known beforehand keep writers from waiting for each other at the end. */
static int
reserve(struct direct_out *d)
{
	if (d->reserved || d->length == 0)
		return ERR_OK;
	d->reserved = true;
	if (fallocate(d->fd, 0, 0, (off_t)d->length) == 0 || errno == EOPNOTSUPP)
		return ERR_OK;
	return err_from_errno(errno);
}

static uint8_t *
aligned(size_t bytes)
{
	void *data;

	return posix_memalign(&data, BLOCK, bytes) == 0 ? data : NULL;
}

/* ---- edges ---- */

static struct edge *
edge_find(struct direct_out *d, uint64_t number)
{
	struct edge *e = d->edges;

	while (e != NULL && e->number != number)
		e = e->next;
	if (e != NULL)
		return e;
	e = calloc(1, sizeof(*e));
	if (e == NULL)
		return NULL;
	e->data = aligned(BLOCK);
	if (e->data == NULL) {
		free(e);
		return NULL;
	}
	memset(e->data, 0, BLOCK);
	e->number = number;
	e->next = d->edges;
	d->edges = e;
	return e;
}

static void
edge_unlink(struct direct_out *d, struct edge *e)
{
	struct edge **at = &d->edges;

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
}

static void
edge_free(struct edge *e)
{
	crypto_wipe(e->data, BLOCK);
	free(e->data);
	free(e);
}

/* Less than a block, inside one block. */
static int
edge_write(struct direct_out *d, uint64_t offset, const uint8_t *src, size_t len)
{
	struct edge *e;
	bool full = false;
	int err = ERR_NOMEM;

	if (len == 0)
		return ERR_OK;
	pthread_mutex_lock(&d->lock);
	e = edge_find(d, offset / BLOCK);
	if (e != NULL) {
		memcpy(e->data + offset % BLOCK, src, len);
		e->filled += len;
		must(e->filled <= BLOCK);
		full = e->filled == BLOCK;
		if (full)
			edge_unlink(d, e);
		err = ERR_OK;
	}
	pthread_mutex_unlock(&d->lock);
	if (full) {
		err = write_all(d->direct, e->number * BLOCK, e->data, BLOCK);
		edge_free(e);
	}
	return err;
}

/* ---- middles ---- */

static struct bounce *
bounce_get(struct direct_out *d)
{
	struct bounce *b;

	pthread_mutex_lock(&d->lock);
	b = d->spare;
	if (b != NULL)
		d->spare = b->next;
	pthread_mutex_unlock(&d->lock);
	if (b != NULL)
		return b;
	b = calloc(1, sizeof(*b));
	if (b != NULL && (b->data = aligned(BOUNCE_BYTES)) == NULL) {
		free(b);
		b = NULL;
	}
	return b;
}

static int
blocks_write(struct direct_out *d, uint64_t offset, const uint8_t *src, size_t len)
{
	struct bounce *b;
	int err = ERR_OK;

	if (len == 0)
		return ERR_OK;
	b = bounce_get(d);
	if (b == NULL)
		return ERR_NOMEM;
	for (size_t at = 0; err == ERR_OK && at < len; at += BOUNCE_BYTES) {
		size_t part = MIN(len - at, (size_t)BOUNCE_BYTES);

		memcpy(b->data, src + at, part);
		err = write_all(d->direct, offset + at, b->data, part);
	}
	pthread_mutex_lock(&d->lock);
	b->next = d->spare;
	d->spare = b;
	pthread_mutex_unlock(&d->lock);
	return err;
}

int
direct_out_write(struct direct_out *d, uint64_t offset, const uint8_t *src, size_t len)
{
	size_t head = MIN(len, (size_t)((BLOCK - offset % BLOCK) % BLOCK));
	size_t middle = (len - head) / BLOCK * BLOCK;
	int err;

	pthread_mutex_lock(&d->lock);
	err = reserve(d);
	pthread_mutex_unlock(&d->lock);
	if (err == ERR_OK)
		err = edge_write(d, offset, src, head);
	if (err == ERR_OK)
		err = blocks_write(d, offset + head, src + head, middle);
	if (err == ERR_OK)
		err =
		    edge_write(d, offset + head + middle, src + head + middle, len - head - middle);
	return err;
}

int
direct_out_finish(struct direct_out *d)
{
	int err = ERR_OK;

	/* The end is no whole block: what lies behind it is cut off by who names the file. */
	for (struct edge *e = d->edges; e != NULL && err == ERR_OK; e = e->next)
		err = write_all(d->fd, e->number * BLOCK, e->data, e->filled);
	return err;
}

void
direct_out_free(struct direct_out *d)
{
	if (d == NULL)
		return;
	while (d->edges != NULL) {
		struct edge *e = d->edges;

		d->edges = e->next;
		edge_free(e);
	}
	while (d->spare != NULL) {
		struct bounce *b = d->spare;

		d->spare = b->next;
		crypto_wipe(b->data, BOUNCE_BYTES);
		free(b->data);
		free(b);
	}
	(void)close(d->direct);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
