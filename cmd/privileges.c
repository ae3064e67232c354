/*
 * Dropping is not trusted, it is tested: afterwards the ids are read back, and becoming root again
 * must fail. Ids change for all threads (the C library sees to that); capabilities belong to
 * a thread, and only this one keeps the one that lets a low port be bound.
 */
#include "cmd/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "overlay/base/err.h"

bool
privileges_harden(void)
{
	struct rlimit none = { 0, 0 };

	(void)umask(077);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 && setrlimit(RLIMIT_CORE, &none) == 0;
}

bool
privileges_find(const char *name, struct privileges_user *out)
{
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL || pw->pw_uid == 0)
		return false;
	*out = (struct privileges_user){ pw->pw_uid, pw->pw_gid };
	return true;
}

/* ---- what becomes the user's ---- */

static bool
next_part(const char **path, char out[PATH_MAX])
{
	size_t len;

	*path += strspn(*path, "/");
	len = strcspn(*path, "/");
	if (len == 0)
		return false;
	memcpy(out, *path, len);
	out[len] = '\0';
	*path += len;
	return true;
}

/* Follows no link, not even on the way: who owns a directory there could have put it in. */
static int
open_unlinked(const char *dir, int *out)
{
	const int how = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	char part[PATH_MAX];
	int at;

	if (strlen(dir) >= sizeof(part))
		return ERR_TOO_BIG;
	at = open(dir[0] == '/' ? "/" : ".", how);
	while (at >= 0 && next_part(&dir, part)) {
		int next = openat(at, part, how);

		(void)close(at);
		at = next;
	}
	if (at < 0)
		return errno == ENOTDIR || errno == ELOOP ? ERR_INVALID : err_from_errno(errno);
	*out = at;
	return ERR_OK;
}

/* A directory of the user's, or one of root's that nobody else has led us to. */
static int
open_to_give(const struct privileges_user *user, const char *dir, int *out, struct stat *st)
{
	int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC), err = ERR_OK;

	if (at < 0 || fstat(at, st) != 0)
		err = err_from_errno(errno);
	if (err == ERR_OK && st->st_uid != user->uid) {
		(void)close(at);
		at = -1;
		err = open_unlinked(dir, &at);
		if (err == ERR_OK && fstat(at, st) != 0)
			err = err_from_errno(errno);
	}
	if (err == ERR_OK && st->st_uid != user->uid && st->st_uid != 0)
		err = ERR_PERMISSION;
	if (err == ERR_OK)
		*out = at;
	else if (at >= 0)
		(void)close(at);
	return err;
}

/* What was looked at is what is given: by its descriptor. */
static int
give_file(const struct privileges_user *user, int dir, const char *file)
{
	struct stat st;
	int err = ERR_OK;
	int fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return ERR_OK;
	if (fd < 0)
		return errno == ELOOP ? ERR_INVALID : err_from_errno(errno);
	if (fstat(fd, &st) != 0)
		err = err_from_errno(errno);
	else if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		err = ERR_INVALID;
	else if (st.st_uid != user->uid && st.st_uid != 0)
		err = ERR_PERMISSION;
	else if (st.st_uid != user->uid && fchown(fd, user->uid, user->gid) != 0)
		err = err_from_errno(errno);
	(void)close(fd);
	return err;
}

int
privileges_give(const struct privileges_user *user, const char *dir, const char *file)
{
	struct stat st;
	int at, err = open_to_give(user, dir, &at, &st);

	if (err != ERR_OK)
		return err;
	err = give_file(user, at, file);
	if (err == ERR_OK && st.st_uid != user->uid &&
	    fchownat(at, "", user->uid, user->gid, AT_EMPTY_PATH) != 0)
		err = err_from_errno(errno);
	(void)close(at);
	return err;
}

/* ---- what the process gives up ---- */

/* Leaves this thread with the given capabilities and no others. */
static bool
capabilities_set(uint32_t mask)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{ .effective = mask, .permitted = mask, .inheritable = 0 },
	};

	return syscall(SYS_capset, &head, data) == 0;
}

static bool
dropped(const struct privileges_user *user)
{
	uid_t ruid, euid, suid;
	gid_t rgid, egid, sgid;

	return getresuid(&ruid, &euid, &suid) == 0 && getresgid(&rgid, &egid, &sgid) == 0 &&
	       ruid == user->uid && euid == user->uid && suid == user->uid && rgid == user->gid &&
	       egid == user->gid && sgid == user->gid && getgroups(0, NULL) <= 1;
}

bool
privileges_drop(const struct privileges_user *user, bool keep_ports)
{
	uint32_t keep = keep_ports ? 1u << CAP_NET_BIND_SERVICE : 0;
	gid_t group = user->gid;

	if (prctl(PR_SET_KEEPCAPS, keep_ports ? 1 : 0, 0, 0, 0) != 0 || setgroups(1, &group) != 0 ||
	    setresgid(user->gid, user->gid, user->gid) != 0 ||
	    setresuid(user->uid, user->uid, user->uid) != 0)
		return false;
	if (!capabilities_set(keep) || !dropped(user))
		return false;
	/* The way back must be closed, and a change of ids has made the process dumpable anew. */
	return setresuid(0, 0, 0) != 0 && setgroups(0, NULL) != 0 &&
	       prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

bool
privileges_done(void)
{
	return capabilities_set(0) && prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0;
}
