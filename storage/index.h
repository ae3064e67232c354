/*
 * The store's index: an ordered map of short keys to short values that can always be rebuilt
 * from the segments. Two implementations: LMDB, and memory for tests and simulation. Callable from
 * any worker thread; readers never wait for the writer's disk, updates come one at a time. Calls
 * block: inside WORK_DISK work only, LMDB not on a task's stack.
 *
 * A transaction is a function: index_read runs it on one consistent view, index_update makes
 * all that it changed visible and durable, or nothing. An update's function may be run more than
 * once (after the map has grown), so it must begin from scratch each time. Its error ends the
 * transaction without effect and is returned.
 */
#ifndef STORAGE_INDEX_H
#define STORAGE_INDEX_H

#include <pthread.h>

#include "overlay/base/disk.h"
#include "overlay/base/err.h"
#include "overlay/base/types.h"

#define INDEX_KEY_MAX   96               /* kind, two 32-byte ids and a little */
#define INDEX_VALUE_MAX (512 + 40 * 255) /* the longest record and its bookkeeping */

struct index_ops;
struct index {
	const struct index_ops *ops;
};
/* Every implementation's transaction starts with this. */
struct index_txn {
	const struct index_ops *ops;
};
typedef int index_fn(void *arg, struct index_txn *txn);

int index_read(struct index *ix, index_fn *fn, void *arg);
/* ERR_NO_SPACE, ERR_IO, ERR_NOMEM; ERR_CORRUPT: delete it and rebuild. */
int index_update(struct index *ix, index_fn *fn, void *arg);
/*
 * After a failed update: forgets every assumption about the files and opens them anew. When
 * it fails, all calls fail until it has succeeded.
 */
int index_reopen(struct index *ix);
void index_close(struct index *ix); /* NULL is accepted */

/* *value is lent until the next call on txn. ERR_NOT_FOUND. */
int index_get(struct index_txn *txn, struct bytes key, struct bytes *value);
/* The entry with the smallest key ≥ from; both are lent as above. ERR_NOT_FOUND at the end. */
int index_seek(struct index_txn *txn, struct bytes from, struct bytes *key, struct bytes *value);
/* Both may point into what this transaction lent. */
int index_put(struct index_txn *txn, struct bytes key, struct bytes value);
int index_del(struct index_txn *txn, struct bytes key); /* ERR_OK too when it is not there */

struct index_ops {
	int (*read)(struct index *ix, index_fn *fn, void *arg);
	int (*update)(struct index *ix, index_fn *fn, void *arg);
	int (*reopen)(struct index *ix);
	void (*close)(struct index *ix);
	int (*get)(struct index_txn *txn, struct bytes key, struct bytes *value);
	int (*seek)(
	    struct index_txn *txn, struct bytes from, struct bytes *key, struct bytes *value);
	int (*put)(struct index_txn *txn, struct bytes key, struct bytes value);
	int (*del)(struct index_txn *txn, struct bytes key);
};

/* For the implementations: a lock whose writer does not wait for ever behind readers. */
void index_lock_init(pthread_rwlock_t *lock);

/* ---- LMDB: files in a directory of their own, made when missing ---- */
#define INDEX_MAP_BYTES MIB(64) /* where the map starts; doubles when full */

struct index_lmdb_opts {
	struct disk *disk; /* the real one: LMDB opens its files itself */
	const char *dir;
	uint64_t map_bytes; /* 0: INDEX_MAP_BYTES */
	bool read_only;     /* the directory must exist; writes nothing, not even locks */
};
/* ERR_CORRUPT when what lies there is no index of ours: index_lmdb_remove and open again. */
int index_lmdb_open(const struct index_lmdb_opts *opts, struct index **out); /* gives */
int index_lmdb_remove(struct disk *disk, const char *dir);
const char *index_lmdb_version(void);

/* ---- memory ---- */
int index_mem_new(struct index **out); /* gives */

#endif
