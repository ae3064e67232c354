/*
 * Dropping is not trusted, it is tested: afterwards the ids are read back, and becoming root again
 * must fail. Ids change for all threads (the C library sees to that); capabilities belong to
 * a thread, and only this one keeps the one that lets a low port be bound.
 */
#include "cmd/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

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
