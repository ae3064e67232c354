/*
 * From the seam's functions to the disk's implementation, and whole small
 * files made of them: written beside the target, synced, renamed over it, and
 * the directory synced, so that a crash leaves the old content or the new.
 */
#include "overlay/base/disk.h"

#include <stdlib.h>
#include <string.h>

#include "overlay/base/buf.h"

int
disk_open(struct disk *d, const char *path, unsigned flags, struct file **out)
{
	must((flags & (FILE_READ | FILE_WRITE)) != 0);
	must((flags & FILE_WRITE) != 0 || (flags & (FILE_CREATE | FILE_TRUNCATE)) == 0);
	must((flags & FILE_CREATE) != 0 || (flags & FILE_EXCLUSIVE) == 0);
	return d->ops->open(d, path, flags, out);
}

void
file_close(struct file *f)
{
	if (f != NULL)
		f->ops->close(f);
}

bool
file_is_direct(const struct file *f)
{
	return f->ops->is_direct(f);
}

int
file_read(struct file *f, uint64_t offset, void *dst, size_t len, size_t *got)
{
	return f->ops->read(f, offset, dst, len, got);
}

int
file_write(struct file *f, uint64_t offset, const void *src, size_t len)
{
	return f->ops->write(f, offset, src, len);
}

int
file_sync(struct file *f)
{
	return f->ops->sync(f);
}

int
file_size(struct file *f, uint64_t *out)
{
	return f->ops->size(f, out);
}

int
file_truncate(struct file *f, uint64_t size)
{
	return f->ops->truncate(f, size);
}

int
file_allocate(struct file *f, uint64_t size)
{
	return f->ops->allocate(f, size);
}

int
disk_mkdir(struct disk *d, const char *path)
{
	return d->ops->mkdir(d, path);
}

int
disk_unlink(struct disk *d, const char *path)
{
	return d->ops->unlink(d, path);
}

int
disk_rename(struct disk *d, const char *from, const char *to)
{
	return d->ops->rename(d, from, to);
}

int
disk_sync_dir(struct disk *d, const char *path)
{
	return d->ops->sync_dir(d, path);
}

int
disk_list(struct disk *d, const char *path, int (*each)(void *arg, const char *name), void *arg)
{
	return d->ops->list(d, path, each, arg);
}

int
disk_space(struct disk *d, const char *path, struct disk_space *out)
{
	return d->ops->space(d, path, out);
}

int
disk_lock(struct disk *d, const char *path, struct file **out)
{
	return d->ops->lock(d, path, out);
}

/* ---- whole small files ---- */

/* gives a ‖ b. */
static char *
joined(const char *a, size_t a_len, const char *b)
{
	size_t b_len = strlen(b);
	char *s = malloc(a_len + b_len + 1);

	if (s == NULL)
		return NULL;
	memcpy(s, a, a_len);
	memcpy(s + a_len, b, b_len + 1);
	return s;
}

/* gives the directory that holds path: what stands before the last slash, or "." or "/". */
static char *
directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		return joined("", 0, ".");
	return joined(path, slash == path ? 1 : (size_t)(slash - path), "");
}

/* A new file with this content; synced: as durable as the file system makes it. */
static int
write_new(struct disk *d, const char *path, struct bytes data, bool synced)
{
	struct file *f;
	int err = disk_open(d, path, FILE_WRITE | FILE_CREATE | FILE_TRUNCATE, &f);

	if (err != ERR_OK)
		return err;
	err = file_write(f, 0, data.data, data.len);
	if (err == ERR_OK && synced)
		err = file_sync(f);
	file_close(f);
	return err;
}

static int
replace(struct disk *d, const char *path, struct bytes data, bool synced)
{
	char *beside = joined(path, strlen(path), ".new");
	int err;

	if (beside == NULL)
		return ERR_NOMEM;
	err = write_new(d, beside, data, synced);
	if (err == ERR_OK)
		err = disk_rename(d, beside, path);
	/* The first error counts; a left-over is overwritten by the next attempt. */
	if (err != ERR_OK)
		(void)disk_unlink(d, beside);
	free(beside);
	return err;
}

int
disk_write_file(struct disk *d, const char *path, struct bytes data)
{
	char *directory = directory_of(path);
	int err = directory == NULL ? ERR_NOMEM : replace(d, path, data, true);

	if (err == ERR_OK)
		err = disk_sync_dir(d, directory);
	free(directory);
	return err;
}

int
disk_replace_file(struct disk *d, const char *path, struct bytes data)
{
	return replace(d, path, data, false);
}

static int
read_all(struct file *f, struct buf *out)
{
	uint64_t size;
	size_t got;
	int err = file_size(f, &size);

	if (err != ERR_OK)
		return err;
	if (size > out->max - out->len)
		return ERR_TOO_BIG;
	err = buf_reserve(out, (size_t)size);
	if (err != ERR_OK)
		return err;
	err = file_read(f, 0, out->data + out->len, (size_t)size, &got);
	if (err != ERR_OK)
		return err;
	if (got != size)
		return ERR_IO; /* shrank while it was read */
	out->len += got;
	return ERR_OK;
}

int
disk_read_file(struct disk *d, const char *path, struct buf *out)
{
	struct file *f;
	int err = disk_open(d, path, FILE_READ, &f);

	if (err != ERR_OK)
		return err;
	err = read_all(f, out);
	file_close(f);
	return err;
}
