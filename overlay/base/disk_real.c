/*
 * The file system of this machine. Bytes flow by pread and pwrite until all
 * have moved; what the system says is translated where it says it. O_DIRECT is
 * set after opening: asked for at once, a file system without it creates the file
 * and then fails. Nothing is retried but interrupted calls and short moves.
 */
#include "overlay/base/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

struct real_file {
	struct file file; /* first */
	int fd;
	bool direct;
};

static struct real_file *
real(struct file *f)
{
	return container_of(f, struct real_file, file);
}

/* ---- opening ---- */

static int
system_flags(unsigned flags)
{
	int access = (flags & FILE_WRITE) == 0 ? O_RDONLY : O_WRONLY;

	if ((flags & FILE_READ) != 0 && (flags & FILE_WRITE) != 0)
		access = O_RDWR;
	return access | O_CLOEXEC | ((flags & FILE_CREATE) != 0 ? O_CREAT : 0) |
	       ((flags & FILE_EXCLUSIVE) != 0 ? O_EXCL : 0) |
	       ((flags & FILE_TRUNCATE) != 0 ? O_TRUNC : 0);
}

/* True when the file system takes direct access from now on. */
static bool
go_direct(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
}

/* Not O_NONBLOCK: a FIFO or device put in the place of a file is the user's own doing. */
static int
open_fd(const char *path, int flags, int *out)
{
	int fd;

	do
		fd = open(path, flags, 0600);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return err_from_errno(errno);
	*out = fd;
	return ERR_OK;
}

/* takes fd, and closes it on failure. */
static int
file_new(int fd, const struct disk_ops *ops, struct real_file **out)
{
	struct real_file *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		close(fd);
		return ERR_NOMEM;
	}
	f->file.ops = ops;
	f->fd = fd;
	*out = f;
	return ERR_OK;
}

static int
real_open(struct disk *d, const char *path, unsigned flags, struct file **out)
{
	struct real_file *f;
	int fd, err;

	err = open_fd(path, system_flags(flags), &fd);
	if (err != ERR_OK)
		return err;
	err = file_new(fd, d->ops, &f);
	if (err != ERR_OK)
		return err;
	f->direct = (flags & FILE_DIRECT) != 0 && go_direct(fd);
	*out = &f->file;
	return ERR_OK;
}

static void
real_close(struct file *file)
{
	struct real_file *f = real(file);

	/* What matters was synced; close has nothing to say about that. */
	(void)close(f->fd);
	free(f);
}

static bool
real_is_direct(const struct file *file)
{
	return container_of(file, const struct real_file, file)->direct;
}

/* ---- moving bytes ---- */

static bool
aligned(uint64_t offset, const void *data, size_t len)
{
	return offset % DISK_ALIGN == 0 && (uintptr_t)data % DISK_ALIGN == 0 &&
	       len % DISK_ALIGN == 0;
}

static bool
in_range(uint64_t offset, size_t len)
{
	return offset <= INT64_MAX && len <= INT64_MAX - offset;
}

static int
real_read(struct file *file, uint64_t offset, void *dst, size_t len, size_t *got)
{
	struct real_file *f = real(file);
	size_t done = 0;

	if (!in_range(offset, len))
		return ERR_INVALID;
	must(!f->direct || aligned(offset, dst, len));
	while (done < len) {
		ssize_t n = pread(f->fd, (uint8_t *)dst + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_from_errno(errno);
		done += (size_t)n;
		/* A direct read ends unaligned only where the file ends. */
		if (n == 0 || (f->direct && n % DISK_ALIGN != 0))
			break;
	}
	*got = done;
	return ERR_OK;
}

static int
real_write(struct file *file, uint64_t offset, const void *src, size_t len)
{
	struct real_file *f = real(file);
	size_t done = 0;

	if (!in_range(offset, len))
		return ERR_TOO_BIG;
	must(!f->direct || aligned(offset, src, len));
	while (done < len) {
		ssize_t n =
		    pwrite(f->fd, (const uint8_t *)src + done, len - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_from_errno(errno);
		if (n == 0)
			return ERR_IO; /* no progress and no reason */
		done += (size_t)n;
	}
	return ERR_OK;
}

static int
real_sync(struct file *file)
{
	/* Not even EINTR is retried: the kernel reports a lost write only once. */
	return fdatasync(real(file)->fd) == 0 ? ERR_OK : err_from_errno(errno);
}

static int
real_size(struct file *file, uint64_t *out)
{
	struct stat st;

	if (fstat(real(file)->fd, &st) != 0)
		return err_from_errno(errno);
	*out = (uint64_t)st.st_size;
	return ERR_OK;
}

static int
real_truncate(struct file *file, uint64_t size)
{
	int n;

	if (size > INT64_MAX)
		return ERR_TOO_BIG;
	do
		n = ftruncate(real(file)->fd, (off_t)size);
	while (n != 0 && errno == EINTR);
	return n == 0 ? ERR_OK : err_from_errno(errno);
}

static int
real_allocate(struct file *file, uint64_t size)
{
	uint64_t now;
	int n, err;

	if (size > INT64_MAX)
		return ERR_TOO_BIG;
	if (size == 0)
		return ERR_OK;
	do
		n = fallocate(real(file)->fd, 0, 0, (off_t)size);
	while (n != 0 && errno == EINTR);
	if (n == 0)
		return ERR_OK;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return err_from_errno(errno);
	/* Without reservation: at least the size is set; a full disk shows when writing. */
	err = real_size(file, &now);
	if (err != ERR_OK || now >= size)
		return err;
	return real_truncate(file, size);
}

/* ---- names ---- */

static int
real_mkdir(struct disk *d, const char *path)
{
	(void)d;
	return mkdir(path, 0700) == 0 ? ERR_OK : err_from_errno(errno);
}

static int
real_unlink(struct disk *d, const char *path)
{
	(void)d;
	return unlink(path) == 0 ? ERR_OK : err_from_errno(errno);
}

static int
real_rename(struct disk *d, const char *from, const char *to)
{
	(void)d;
	return rename(from, to) == 0 ? ERR_OK : err_from_errno(errno);
}

static int
real_sync_dir(struct disk *d, const char *path)
{
	int fd, err;

	(void)d;
	err = open_fd(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, &fd);
	if (err != ERR_OK)
		return err;
	if (fsync(fd) != 0)
		err = err_from_errno(errno);
	(void)close(fd);
	return err;
}

static int
real_list(struct disk *d, const char *path, int (*each)(void *arg, const char *name), void *arg)
{
	DIR *dir = opendir(path);
	int result = ERR_OK;

	(void)d;
	if (dir == NULL)
		return err_from_errno(errno);
	while (result == ERR_OK) {
		const struct dirent *entry;

		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			result = err_from_errno(errno);
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			result = each(arg, entry->d_name);
	}
	(void)closedir(dir);
	return result;
}

static int
real_space(struct disk *d, const char *path, struct disk_space *out)
{
	struct statvfs fs;
	int n;

	(void)d;
	do
		n = statvfs(path, &fs);
	while (n != 0 && errno == EINTR);
	if (n != 0)
		return err_from_errno(errno);
	out->total_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	out->free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	return ERR_OK;
}

/*
 * The lock belongs to this opening of the file, not to the process, so a second one in the
 * same process conflicts too, and closing an unrelated descriptor does not drop it.
 */
static int
real_lock(struct disk *d, const char *path, struct file **out)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct real_file *f;
	int fd, err;

	err = open_fd(path, O_RDWR | O_CREAT | O_CLOEXEC, &fd);
	if (err != ERR_OK)
		return err;
	if (fcntl(fd, F_OFD_SETLK, &whole) != 0) {
		err = errno == EAGAIN || errno == EACCES ? ERR_BUSY : err_from_errno(errno);
		(void)close(fd);
		return err;
	}
	err = file_new(fd, d->ops, &f);
	if (err == ERR_OK)
		*out = &f->file;
	return err;
}

struct disk *
disk_real(void)
{
	static const struct disk_ops ops = {
		.open = real_open,
		.close = real_close,
		.is_direct = real_is_direct,
		.read = real_read,
		.write = real_write,
		.sync = real_sync,
		.size = real_size,
		.truncate = real_truncate,
		.allocate = real_allocate,
		.mkdir = real_mkdir,
		.unlink = real_unlink,
		.rename = real_rename,
		.sync_dir = real_sync_dir,
		.list = real_list,
		.space = real_space,
		.lock = real_lock,
	};
	static struct disk disk = { .ops = &ops };

	return &disk;
}
