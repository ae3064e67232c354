/*
 * System calls behind the sources and targets of files.h. They run in workers and touch the
 * descriptors only. A pipe is waited for with poll beside a descriptor that asks to stop, because
 * a read from a silent terminal would never end.
 */
#include "cmd/stream_io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd/direct_out.h"

/* Below, the page cache costs less than the disk's round trips. */
#define DIRECT_MIN   MIB(4)
#define PART_FORMAT  ".part-%08x"
#define PART_LETTERS 14

/* ---- input ---- */

bool
input_open(struct input *in, const char *path)
{
	struct stat st;

	*in = (struct input){ .fd = STDIN_FILENO, .stop = -1 };
	if (strcmp(path, "-") != 0)
		in->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (in->fd < 0 || fstat(in->fd, &st) != 0)
		return false;
	if (S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return false;
	}
	in->stop = eventfd(0, EFD_CLOEXEC);
	if (in->stop < 0)
		return false;
	/* Standard input may stand in the middle of a file: then it is read on from there. */
	in->regular =
	    S_ISREG(st.st_mode) && (in->fd != STDIN_FILENO || lseek(in->fd, 0, SEEK_CUR) == 0);
	if (in->regular) {
		in->length = (uint64_t)st.st_size;
		in->changed_s = st.st_mtim.tv_sec;
		in->changed_ns = st.st_mtim.tv_nsec;
		(void)posix_fadvise(in->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	return true;
}

static int
read_at(void *arg, uint64_t offset, uint8_t *dst, size_t len, size_t *got)
{
	const struct input *in = arg;
	size_t n = 0;

	while (n < len) {
		ssize_t r = pread(in->fd, dst + n, len - n, (off_t)(offset + n));

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return err_from_errno(errno);
		if (r == 0)
			break;
		n += (size_t)r;
	}
	*got = n;
	return ERR_OK;
}

static int
read_next(void *arg, uint64_t offset, uint8_t *dst, size_t len, size_t *got)
{
	struct input *in = arg;
	struct pollfd fds[2] = { { in->fd, POLLIN, 0 }, { in->stop, POLLIN, 0 } };
	size_t n = 0;

	(void)offset;
	while (n < len) {
		ssize_t r;

		if (poll(fds, 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_from_errno(errno);
		}
		if (fds[1].revents != 0)
			return ERR_CANCELED;
		r = read(in->fd, dst + n, len - n);
		if (r < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (r < 0)
			return err_from_errno(errno);
		if (r == 0)
			break;
		n += (size_t)r;
	}
	*got = n;
	return ERR_OK;
}

void
input_source(struct input *in, struct file_source *out)
{
	*out = (struct file_source){
		.read = in->regular ? read_at : read_next,
		.arg = in,
		.length_known = in->regular,
		.length = in->length,
	};
}

bool
input_unchanged(const struct input *in)
{
	struct stat st;

	if (!in->regular)
		return true;
	return fstat(in->fd, &st) == 0 && (uint64_t)st.st_size == in->length &&
	       st.st_mtim.tv_sec == in->changed_s && st.st_mtim.tv_nsec == in->changed_ns;
}

bool
input_is_at(const struct input *in, const char *path)
{
	struct stat opened, there;

	return input_unchanged(in) && fstat(in->fd, &opened) == 0 && stat(path, &there) == 0 &&
	       opened.st_dev == there.st_dev && opened.st_ino == there.st_ino;
}

void
input_stop(struct input *in)
{
	uint64_t one = 1;

	if (in->stop >= 0)
		(void)!write(in->stop, &one, sizeof(one));
}

void
input_close(struct input *in)
{
	if (in->fd > STDIN_FILENO)
		(void)close(in->fd);
	if (in->stop >= 0)
		(void)close(in->stop);
	in->fd = in->stop = -1;
}

/* ---- output ---- */

/* Of a name that is as long as names may be, the part has the beginning. */
static bool
open_part(struct output *out, uint32_t random)
{
	const char *slash = strrchr(out->path, '/');
	size_t dir = slash != NULL ? (size_t)(slash + 1 - out->path) : 0;
	size_t name = MIN(strlen(out->path) - dir, (size_t)NAME_MAX - PART_LETTERS);

	(void)snprintf(
	    out->part, sizeof(out->part), "%.*s" PART_FORMAT, (int)(dir + name), out->path, random);
	out->fd = open(out->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (out->fd < 0)
		out->part[0] = '\0';
	return out->fd >= 0;
}

bool
output_open(struct output *out, const char *path, uint32_t random)
{
	struct stat st;

	*out = (struct output){ .fd = STDOUT_FILENO };
	if (path == NULL || strcmp(path, "-") == 0)
		return true;
	out->fd = -1;
	if (strlen(path) >= sizeof(out->path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(out->path, path, strlen(path) + 1);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return false;
	}
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		out->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return out->fd >= 0;
	}
	out->random = true;
	return open_part(out, random);
}

void
output_expect(struct output *out, uint64_t length)
{
	if (out->part[0] == '\0' || length < DIRECT_MIN)
		return;
	out->direct = direct_out_new(out->fd, out->part);
	if (out->direct != NULL)
		direct_out_expect(out->direct, length);
}

static int
write_error(const struct output *out)
{
	struct pollfd fd = { out->fd, POLLOUT, 0 };

	if (errno == EAGAIN)
		(void)poll(&fd, 1, -1);
	if (errno == EAGAIN || errno == EINTR)
		return ERR_OK;
	return errno == EPIPE ? ERR_CLOSED : err_from_errno(errno);
}

int
output_write(const struct output *out, uint64_t offset, const uint8_t *src, size_t len)
{
	if (out->direct != NULL)
		return direct_out_write(out->direct, offset, src, len);
	while (len > 0) {
		ssize_t r = out->random ? pwrite(out->fd, src, len, (off_t)offset)
					: write(out->fd, src, len);
		int err = r < 0 ? write_error(out) : ERR_OK;

		if (err != ERR_OK)
			return err;
		r = MAX(r, 0);
		src += r;
		len -= (size_t)r;
		offset += (uint64_t)r;
	}
	return ERR_OK;
}

/* The directory of a path, in place: "." where there is none. */
static int
sync_directory(const char *path)
{
	char dir[PATH_BYTES_MAX];
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		(void)snprintf(dir, sizeof(dir), ".");
	else if (slash == path)
		(void)snprintf(dir, sizeof(dir), "/");
	else
		(void)snprintf(dir, sizeof(dir), "%.*s", (int)(slash - path), path);
	return disk_sync_dir(disk_real(), dir);
}

/* Gives the name only where nobody has it. Some file systems cannot do it in one step. */
static bool
rename_keep(struct output *out)
{
	if (renameat2(AT_FDCWD, out->part, AT_FDCWD, out->path, RENAME_NOREPLACE) == 0)
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	return link(out->part, out->path) == 0 && unlink(out->part) == 0;
}

int
output_commit(struct output *out, uint64_t length, bool keep)
{
	int err = out->direct != NULL ? direct_out_finish(out->direct) : ERR_OK;

	if (out->part[0] == '\0' || err != ERR_OK)
		return err;
	if (ftruncate(out->fd, (off_t)length) != 0 || fsync(out->fd) != 0)
		return err_from_errno(errno);
	if (!keep && rename(out->part, out->path) != 0)
		return err_from_errno(errno);
	if (keep && !rename_keep(out))
		return err_from_errno(errno);
	out->part[0] = '\0';
	return sync_directory(out->path);
}

void
output_abandon(struct output *out)
{
	if (out->part[0] != '\0')
		(void)unlink(out->part);
	out->part[0] = '\0';
}

void
output_close(struct output *out)
{
	output_abandon(out);
	direct_out_free(out->direct);
	out->direct = NULL;
	if (out->fd > STDERR_FILENO)
		(void)close(out->fd);
	out->fd = -1;
}
