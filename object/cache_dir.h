/*
 * A directory of sealed chunks that were fetched before, by id. It may be deleted, cut or spoilt at
 * any time, and full: nothing but speed depends on it. What is read from it must be checked as if
 * it came from a stranger. Bounded; what was used longest ago goes first.
 */
#ifndef OBJECT_CACHE_DIR_H
#define OBJECT_CACHE_DIR_H

#include "overlay/base/buf.h"
#include "overlay/base/task.h"

/* More are removed as if they were too large: they are looked for one by one. */
#define CACHE_FILES_MAX 16384

struct cache_file {
	struct hash id;
	uint64_t bytes, used;
};
struct cache_dir {
	struct env *env;
	char *path; /* owned; NULL: there is no cache */
	uint64_t bytes_max, bytes, tick;
	struct cache_file *files;
	size_t count, cap;
};

/* path NULL: no cache. ERR_NOMEM; a directory that cannot be used is said in the log. */
SUSPENDS int cache_dir_init(
    struct cache_dir *c, struct env *env, const char *path, uint64_t bytes_max);
void cache_dir_fini(struct cache_dir *c);
/* Appends. ERR_NOT_FOUND, or why it cannot be read: then it is forgotten. */
SUSPENDS int cache_dir_get(struct cache_dir *c, const struct hash *id, struct buf *out);
SUSPENDS void cache_dir_put(struct cache_dir *c, const struct hash *id, struct bytes data);
SUSPENDS void cache_dir_drop(struct cache_dir *c, const struct hash *id);

#endif
