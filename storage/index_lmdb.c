/*
 * The index in LMDB: one unnamed database. Readers see the last commit (MVCC) and never wait for
 * the writer. The map starts small and doubles when LMDB reports it full; the map may only change
 * while no transaction is open, so every transaction holds `map` for reading and growing
 * takes it for writing.
 *
 * MDB_NOMETASYNC: a power loss may take back the last commit, never tear one. The store
 * replays its segments from the position that the surviving commit names.
 *
 * How it can fail: a full disk or map limit gives ERR_NO_SPACE, damage ERR_CORRUPT. After an
 * error in a commit LMDB may refuse everything (MDB_PANIC): index_reopen.
 */
#include "storage/index.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES_MAX 1024
/* An index of 64 GiB describes some hundred million shards; more is a fault. */
#define INDEX_MAP_MAX  GIB(64)
/* The lock file with LMDB's 126 readers; its beginning is what every start writes. */
#define LOCK_BYTES     8192
#define LOCK_HEAD      4096

struct index_lmdb {
	struct index base;
	pthread_rwlock_t map; /* see the top; also guards env */
	MDB_env *env;         /* NULL after a reopening that failed */
	MDB_dbi dbi;
	uint64_t map_bytes;
	bool read_only;
	char dir[PATH_BYTES_MAX];
};

struct lmdb_txn {
	struct index_txn base;
	MDB_txn *txn;
	MDB_dbi dbi;
	MDB_cursor *cursor; /* opened by the first seek */
	int failed;         /* LMDB's code when a put hit the end of the map */
};

static const struct index_ops lmdb_ops;

static int
err_from_lmdb(int code)
{
	switch (code) {
	case MDB_SUCCESS:
		return ERR_OK;
	case MDB_NOTFOUND:
		return ERR_NOT_FOUND;
	case MDB_MAP_FULL:
		return ERR_NO_SPACE;
	case MDB_READERS_FULL:
		return ERR_BUSY;
	case MDB_CORRUPTED:
	case MDB_PAGE_NOTFOUND:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_INCOMPATIBLE:
		return ERR_CORRUPT;
	default:
		return code > 0 ? err_from_errno(code) : ERR_IO;
	}
}

static MDB_val
val_of(struct bytes b)
{
	return (MDB_val){ .mv_size = b.len, .mv_data = (void *)b.data };
}

static struct bytes
bytes_of_val(const MDB_val *v)
{
	return bytes_of(v->mv_data, v->mv_size);
}

/* ---- inside a transaction ---- */

static int
lmdb_get(struct index_txn *txn, struct bytes key, struct bytes *value)
{
	struct lmdb_txn *t = (struct lmdb_txn *)txn;
	MDB_val k = val_of(key), v;
	int code = mdb_get(t->txn, t->dbi, &k, &v);

	if (code != MDB_SUCCESS)
		return err_from_lmdb(code);
	*value = bytes_of_val(&v);
	return ERR_OK;
}

static int
lmdb_seek(struct index_txn *txn, struct bytes from, struct bytes *key, struct bytes *value)
{
	struct lmdb_txn *t = (struct lmdb_txn *)txn;
	MDB_val k = val_of(from), v;
	int code = MDB_SUCCESS;

	if (t->cursor == NULL)
		code = mdb_cursor_open(t->txn, t->dbi, &t->cursor);
	if (code == MDB_SUCCESS)
		code = mdb_cursor_get(t->cursor, &k, &v, MDB_SET_RANGE);
	if (code != MDB_SUCCESS)
		return err_from_lmdb(code);
	*key = bytes_of_val(&k);
	*value = bytes_of_val(&v);
	return ERR_OK;
}

/* What LMDB lent may move when pages are written: changes are copied out of the way first. */
static int
lmdb_put(struct index_txn *txn, struct bytes key, struct bytes value)
{
	struct lmdb_txn *t = (struct lmdb_txn *)txn;
	uint8_t key_copy[INDEX_KEY_MAX], value_copy[INDEX_VALUE_MAX];

	memcpy(key_copy, key.data, key.len);
	if (value.len > 0)
		memcpy(value_copy, value.data, value.len);

	MDB_val k = { .mv_size = key.len, .mv_data = key_copy };
	MDB_val v = { .mv_size = value.len, .mv_data = value_copy };
	int code = mdb_put(t->txn, t->dbi, &k, &v, 0);

	if (code == MDB_MAP_FULL)
		t->failed = code;
	return err_from_lmdb(code);
}

static int
lmdb_del(struct index_txn *txn, struct bytes key)
{
	struct lmdb_txn *t = (struct lmdb_txn *)txn;
	uint8_t key_copy[INDEX_KEY_MAX];

	memcpy(key_copy, key.data, key.len);

	MDB_val k = { .mv_size = key.len, .mv_data = key_copy };
	int code = mdb_del(t->txn, t->dbi, &k, NULL);

	if (code == MDB_MAP_FULL)
		t->failed = code;
	return code == MDB_NOTFOUND ? ERR_OK : err_from_lmdb(code);
}

/* ---- transactions ---- */

static int
lmdb_read(struct index *ix, index_fn *fn, void *arg)
{
	struct index_lmdb *l = (struct index_lmdb *)ix;
	struct lmdb_txn t = { .base.ops = &lmdb_ops, .dbi = l->dbi };
	int err = ERR_IO;

	must(pthread_rwlock_rdlock(&l->map) == 0);
	if (l->env != NULL) {
		err = err_from_lmdb(mdb_txn_begin(l->env, NULL, MDB_RDONLY, &t.txn));
		if (err == ERR_OK) {
			err = fn(arg, &t.base);
			if (t.cursor != NULL)
				mdb_cursor_close(t.cursor);
			mdb_txn_abort(t.txn);
		}
	}
	must(pthread_rwlock_unlock(&l->map) == 0);
	return err;
}

/* One attempt; *full tells that the map was too small. */
static int
try_update(struct index_lmdb *l, index_fn *fn, void *arg, bool *full)
{
	struct lmdb_txn t = { .base.ops = &lmdb_ops, .dbi = l->dbi };
	int code, err;

	*full = false;
	if (l->env == NULL)
		return ERR_IO;
	code = mdb_txn_begin(l->env, NULL, 0, &t.txn);
	if (code != MDB_SUCCESS) {
		*full = code == MDB_MAP_FULL || code == MDB_MAP_RESIZED;
		return err_from_lmdb(code);
	}
	err = fn(arg, &t.base);
	if (t.cursor != NULL)
		mdb_cursor_close(t.cursor);
	if (err != ERR_OK || t.failed != 0) {
		mdb_txn_abort(t.txn);
		*full = t.failed != 0;
		return err != ERR_OK ? err : ERR_NO_SPACE;
	}
	code = mdb_txn_commit(t.txn); /* frees the transaction whatever happens */
	*full = code == MDB_MAP_FULL;
	return err_from_lmdb(code);
}

static int
grow(struct index_lmdb *l)
{
	int code = 0;

	must(pthread_rwlock_wrlock(&l->map) == 0);
	if (l->map_bytes >= INDEX_MAP_MAX)
		code = ENOSPC;
	if (code == 0)
		code = mdb_env_set_mapsize(l->env, l->map_bytes * 2);
	if (code == 0)
		l->map_bytes *= 2;
	must(pthread_rwlock_unlock(&l->map) == 0);
	return err_from_lmdb(code);
}

static int
lmdb_update(struct index *ix, index_fn *fn, void *arg)
{
	struct index_lmdb *l = (struct index_lmdb *)ix;

	for (;;) {
		bool full;

		must(pthread_rwlock_rdlock(&l->map) == 0);

		int err = try_update(l, fn, arg, &full);

		must(pthread_rwlock_unlock(&l->map) == 0);
		if (!full)
			return err;
		err = grow(l);
		if (err != ERR_OK)
			return err;
	}
}

/* ---- opening ---- */

/* A file shorter than its own last page would be a SIGBUS at the first look beyond its end. */
static int
check_length(const struct index_lmdb *l, MDB_env *env)
{
	char path[PATH_BYTES_MAX + 16];
	struct stat st;
	MDB_envinfo info;
	MDB_stat pages;

	snprintf(path, sizeof(path), "%s/data.mdb", l->dir);
	if (stat(path, &st) != 0)
		return err_from_errno(errno);
	if (mdb_env_info(env, &info) != MDB_SUCCESS || mdb_env_stat(env, &pages) != MDB_SUCCESS)
		return ERR_CORRUPT;
	return (uint64_t)st.st_size / pages.ms_psize > info.me_last_pgno ? ERR_OK : ERR_CORRUPT;
}

static int
open_dbi(struct index_lmdb *l, MDB_env *env)
{
	MDB_txn *txn;
	int code = mdb_txn_begin(env, NULL, l->read_only ? MDB_RDONLY : 0, &txn);

	if (code != MDB_SUCCESS)
		return err_from_lmdb(code);
	code = mdb_dbi_open(txn, NULL, 0, &l->dbi);
	if (code != MDB_SUCCESS) {
		mdb_txn_abort(txn);
		return err_from_lmdb(code);
	}
	return err_from_lmdb(mdb_txn_commit(txn));
}

/*
 * LMDB maps its lock file and leaves it sparse: a page that a full disk has no room for would end
 * the process by SIGBUS. Of an old one, made before the disk was full, the beginning will do.
 */
static int
lock_file_room(const struct index_lmdb *l)
{
	char path[PATH_BYTES_MAX + 16];
	struct stat st;
	int fd, code;

	snprintf(path, sizeof(path), "%s/lock.mdb", l->dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_from_errno(errno);
	code = posix_fallocate(fd, 0, LOCK_BYTES);
	if (code == ENOSPC && fstat(fd, &st) == 0 && st.st_blocks >= LOCK_HEAD / 512)
		code = 0;
	(void)close(fd);
	return code == 0 ? ERR_OK : err_from_errno(code);
}

/* Sets l->env and l->map_bytes. */
static int
open_env(struct index_lmdb *l)
{
	unsigned flags = MDB_NOTLS | (l->read_only ? MDB_RDONLY | MDB_NOLOCK : MDB_NOMETASYNC);
	MDB_envinfo info;
	MDB_env *env;
	int err = err_from_lmdb(mdb_env_create(&env));

	if (err != ERR_OK)
		return err;
	err = err_from_lmdb(mdb_env_set_mapsize(env, l->map_bytes));
	if (err == ERR_OK && !l->read_only)
		err = lock_file_room(l);
	if (err == ERR_OK)
		err = err_from_lmdb(mdb_env_open(env, l->dir, flags, 0600));
	if (err == ERR_OK)
		err = check_length(l, env);
	if (err == ERR_OK)
		err = open_dbi(l, env);
	if (err == ERR_OK)
		err = err_from_lmdb(mdb_env_info(env, &info));
	if (err != ERR_OK) {
		mdb_env_close(env);
		return err;
	}
	l->env = env;
	l->map_bytes = info.me_mapsize; /* LMDB raises it to what is used */
	return ERR_OK;
}

static int
lmdb_reopen(struct index *ix)
{
	struct index_lmdb *l = (struct index_lmdb *)ix;

	must(pthread_rwlock_wrlock(&l->map) == 0);
	if (l->env != NULL)
		mdb_env_close(l->env);
	l->env = NULL;

	int err = open_env(l);

	must(pthread_rwlock_unlock(&l->map) == 0);
	return err;
}

static void
lmdb_close(struct index *ix)
{
	struct index_lmdb *l = (struct index_lmdb *)ix;

	if (l->env != NULL) {
		if (!l->read_only)
			mdb_env_sync(l->env, 1); /* a failure costs a longer replay, no more */
		mdb_env_close(l->env);
	}
	must(pthread_rwlock_destroy(&l->map) == 0);
	free(l);
}

static const struct index_ops lmdb_ops = {
	.read = lmdb_read,
	.update = lmdb_update,
	.reopen = lmdb_reopen,
	.close = lmdb_close,
	.get = lmdb_get,
	.seek = lmdb_seek,
	.put = lmdb_put,
	.del = lmdb_del,
};

int
index_lmdb_open(const struct index_lmdb_opts *opts, struct index **out)
{
	struct index_lmdb *l = calloc(1, sizeof(*l));
	int err;

	if (l == NULL)
		return ERR_NOMEM;
	l->base.ops = &lmdb_ops;
	l->read_only = opts->read_only;
	l->map_bytes = opts->map_bytes != 0 ? opts->map_bytes : INDEX_MAP_BYTES;
	err = strlen(opts->dir) < sizeof(l->dir) ? ERR_OK : ERR_TOO_BIG;
	if (err == ERR_OK && !l->read_only)
		err = disk_mkdir(opts->disk, opts->dir);
	if (err == ERR_OK || err == ERR_EXISTS) {
		strcpy(l->dir, opts->dir);
		err = open_env(l);
	}
	if (err != ERR_OK) {
		free(l);
		return err;
	}
	index_lock_init(&l->map);
	*out = &l->base;
	return ERR_OK;
}

int
index_lmdb_remove(struct disk *disk, const char *dir)
{
	static const char *const names[] = { "data.mdb", "lock.mdb" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char path[PATH_BYTES_MAX + 16];

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);

		int err = disk_unlink(disk, path);

		if (err != ERR_OK && err != ERR_NOT_FOUND)
			return err;
	}
	return ERR_OK;
}

const char *
index_lmdb_version(void)
{
	return mdb_version(NULL, NULL, NULL);
}
