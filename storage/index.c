/*
 * From the index's functions to the implementation. Sizes are checked here, once for all.
 */
#include "storage/index.h"

int
index_read(struct index *ix, index_fn *fn, void *arg)
{
	return ix->ops->read(ix, fn, arg);
}

int
index_update(struct index *ix, index_fn *fn, void *arg)
{
	return ix->ops->update(ix, fn, arg);
}

int
index_reopen(struct index *ix)
{
	return ix->ops->reopen(ix);
}

void
index_close(struct index *ix)
{
	if (ix != NULL)
		ix->ops->close(ix);
}

int
index_get(struct index_txn *txn, struct bytes key, struct bytes *value)
{
	must(key.len > 0 && key.len <= INDEX_KEY_MAX);
	return txn->ops->get(txn, key, value);
}

int
index_seek(struct index_txn *txn, struct bytes from, struct bytes *key, struct bytes *value)
{
	must(from.len > 0 && from.len <= INDEX_KEY_MAX);
	return txn->ops->seek(txn, from, key, value);
}

int
index_put(struct index_txn *txn, struct bytes key, struct bytes value)
{
	must(key.len > 0 && key.len <= INDEX_KEY_MAX && value.len <= INDEX_VALUE_MAX);
	return txn->ops->put(txn, key, value);
}

int
index_del(struct index_txn *txn, struct bytes key)
{
	must(key.len > 0 && key.len <= INDEX_KEY_MAX);
	return txn->ops->del(txn, key);
}

void
index_lock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	must(pthread_rwlockattr_init(&attr) == 0);
	must(pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) ==
	     0);
	must(pthread_rwlock_init(lock, &attr) == 0);
	must(pthread_rwlockattr_destroy(&attr) == 0);
}
