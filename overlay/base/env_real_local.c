/*
 * Local sockets are files. Who holds the lock on "<path>.lock" owns the path:
 * only that process removes a socket that a crash left behind, so two that
 * start at once cannot take the path from each other. A socket that somebody
 * without the lock serves is found by connecting to it. The lock file stays.
 */
#include "overlay/base/env_real_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

int
local_sockaddr(const char *path, struct sockaddr_storage *out, socklen_t *len)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	if (path[0] == '\0')
		return ERR_INVALID;
	if (strlen(path) >= sizeof(un.sun_path))
		return ERR_TOO_BIG;
	strcpy(un.sun_path, path);
	memset(out, 0, sizeof(*out));
	memcpy(out, &un, sizeof(un));
	*len = sizeof(un);
	return ERR_OK;
}

/* ERR_BUSY when somebody answers, ERR_OK when the socket at path is dead or none is there. */
static int
probe(const struct sockaddr_storage *sa, socklen_t len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int n, err;

	if (fd < 0)
		return err_from_errno(errno);
	n = connect(fd, (const struct sockaddr *)sa, len);
	err = errno;
	(void)close(fd);
	if (n == 0 || err == EAGAIN || err == EINPROGRESS)
		return ERR_BUSY;
	return err == ECONNREFUSED || err == ENOENT ? ERR_OK : err_from_errno(err);
}

/* Removes what a crash left at path; anything but a socket is somebody's file. */
static int
clear_stale(const char *path, const struct sockaddr_storage *sa, socklen_t len)
{
	struct stat st;
	int err;

	if (lstat(path, &st) != 0)
		return errno == ENOENT ? ERR_OK : err_from_errno(errno);
	if (!S_ISSOCK(st.st_mode))
		return ERR_EXISTS;
	err = probe(sa, len);
	if (err != ERR_OK)
		return err;
	return unlink(path) == 0 || errno == ENOENT ? ERR_OK : err_from_errno(errno);
}

static int
bind_private(const struct sockaddr_storage *sa, socklen_t len, int *out)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return err_from_errno(errno);
	/* Linux gives the file the mode of the socket, so it is never open to others. */
	if (fchmod(fd, 0600) != 0 || bind(fd, (const struct sockaddr *)sa, len) != 0) {
		err = err_from_errno(errno);
		(void)close(fd);
		return err;
	}
	*out = fd;
	return ERR_OK;
}

static int
take_path(const char *path, struct local_path *l)
{
	size_t len = strlen(path);
	char *lock_path = malloc(len + sizeof(".lock"));
	int err;

	if (lock_path == NULL)
		return ERR_NOMEM;
	memcpy(lock_path, path, len);
	memcpy(lock_path + len, ".lock", sizeof(".lock"));
	err = disk_lock(disk_real(), lock_path, &l->lock);
	free(lock_path);
	return err;
}

int
local_bind(const char *path, struct local_path *out, int *fd)
{
	struct local_path l = { .path = NULL };
	struct sockaddr_storage sa;
	struct stat st;
	socklen_t len;
	int s = -1, err;

	err = local_sockaddr(path, &sa, &len);
	if (err != ERR_OK)
		return err;
	err = take_path(path, &l);
	if (err != ERR_OK)
		return err;
	err = clear_stale(path, &sa, len);
	if (err != ERR_OK)
		goto fail_lock;
	err = bind_private(&sa, len, &s);
	if (err != ERR_OK)
		goto fail_lock;
	l.path = strdup(path);
	if (l.path == NULL || lstat(path, &st) != 0) {
		err = l.path == NULL ? ERR_NOMEM : err_from_errno(errno);
		goto fail_socket;
	}
	l.device = st.st_dev;
	l.inode = st.st_ino;
	*out = l;
	*fd = s;
	return ERR_OK;
fail_socket:
	free(l.path);
	(void)close(s);
	(void)unlink(path);
fail_lock:
	file_close(l.lock);
	return err;
}

void
local_unbind(struct local_path *l)
{
	struct stat st;

	if (l->path == NULL)
		return;
	/* Somebody may have put another in its place; a failure only leaves a dead socket. */
	if (lstat(l->path, &st) == 0 && st.st_dev == l->device && st.st_ino == l->inode)
		(void)unlink(l->path);
	file_close(l->lock);
	free(l->path);
	*l = (struct local_path){ .path = NULL };
}
