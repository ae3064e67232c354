/*
 * The one directory that a node or a client keeps everything in, and the names inside. A node's and
 * an account's may be the same.
 */
#ifndef CMD_DIRS_H
#define CMD_DIRS_H

#include "cmd/values.h"

#define DIRS_SOCKET  "skerry.sock"
#define DIRS_ACCOUNT "account"
#define DIRS_STORE   "store"
#define DIRS_CLIENT  "client" /* the client's own identity and table */
#define DIRS_CACHE   "cache"  /* pages of buckets, as sealed; may be deleted */

/*
 * --dir when it was given, else $SKERRY_DIR, else ~/.skerry. ERR_NOT_FOUND: neither it nor $HOME is
 * set; ERR_TOO_BIG. Both are said in the name of command.
 */
int dirs_find(const char *command, const char *given, char out[PATH_BYTES_MAX]);
/* "dir/name". ERR_TOO_BIG. */
int dirs_path(const char *dir, const char *name, char out[PATH_BYTES_MAX]);
/*
 * Makes the directory (0700), not its parents; ERR_OK when it is there, *made tells. ERR_EXISTS: it
 * is no directory, or something on the way to it is none. Blocks.
 */
int dirs_make(const char *dir, bool *made);
/* Why dirs_path() or dirs_make() gave err, in words. */
const char *dirs_why(int err);
bool dirs_exists(const char *path);

#endif
