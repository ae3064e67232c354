/*
 * What the process gives up: always new privileges, core dumps and being looked into, and with
 * --user everything that root may do.
 */
#ifndef CMD_PRIVILEGES_H
#define CMD_PRIVILEGES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * First thing in main(): no_new_privs, not dumpable (memory holds keys), no core files, umask 077.
 * False: the kernel refused one; errno says why.
 */
bool privileges_harden(void);

struct privileges_user {
	uid_t uid;
	gid_t gid;
};
/* False: there is no such user, or it is root. */
bool privileges_find(const char *name, struct privileges_user *out);
/*
 * Root's directory, and root's file of that name in it, if there is one, become the user's; nothing
 * else does, whatever links the user has put there. ERR_PERMISSION: one belongs to somebody else;
 * ERR_INVALID: root's directory is reached by a link, or the file is one, has another name as well,
 * or is no regular one; or why it failed.
 */
int privileges_give(const struct privileges_user *user, const char *dir, const char *file);
/*
 * From root to user for good: groups, ids, capabilities. keep_ports: this thread may still bind
 * ports below 1024 until privileges_done(). Checks that there is no way back. False: refused, and
 * the process must end.
 */
bool privileges_drop(const struct privileges_user *user, bool keep_ports);
bool privileges_done(void);

#endif
