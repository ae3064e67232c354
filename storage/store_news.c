/*
 * Which of the records that wait for a batch are news: looked at in the batch's first job, by what
 * the index knows. What is not is settled without being written.
 */
#include "storage/store_impl.h"

/* What the disk gets: the lease, and all that is known beside it. */
static bool
keep_note(struct commit *c, struct bytes known)
{
	size_t len = c->kept == NULL ? 0 : lease_kept_join(c->record.value, known, c->kept);

	if (len > 0)
		c->record.value = bytes_of(c->kept, len);
	return len > 0;
}

static int
check_lease(struct index_txn *txn, struct commit *c)
{
	struct lease_entry known;
	struct lease_rank new = { lease_kept_lock(c->record.value), c->record.generation };
	int err = catalog_lease(txn, &c->record.chunk, &c->record.lease_key, &known), follows;

	if (err != ERR_OK)
		return err;
	follows = lease_follows(new, known.rank);
	if (c->forgets && known.rank.generation <= new.generation)
		return ERR_OK;
	if (follows == ERR_OK) {
		keep_note(c, known.packed);
		return ERR_OK;
	}
	/* The same one again is no error, unless it was forgotten; its note may be news. */
	if (follows == ERR_STALE && !lease_supersedes(known.rank, new) && known.packed.len > 0) {
		if (keep_note(c, known.packed) && !bytes_equal(c->record.value, known.packed))
			return ERR_OK;
		follows = ERR_OK;
	}
	commit_settle(c, follows);
	return ERR_OK;
}

static int
check_siblings(struct index_txn *txn, struct commit *c)
{
	struct bytes value;
	uint64_t sequence;
	int err = catalog_siblings(txn, &c->record.chunk, &sequence, &value);

	if (err == ERR_OK && sequence > c->record.generation)
		commit_settle(c, ERR_STALE);
	else if (err == ERR_OK && sequence == c->record.generation && !c->forgets)
		commit_settle(c, ERR_OK);
	return err;
}

/*
 * Whether a lease of the chunk asks for more than the drop was decided on: a known one, or one that
 * comes with the same batch, before or behind it. One batch runs at a time, so none comes between
 * this look and the index.
 */
static int
look_renewed(
    struct index_txn *txn, const struct commit *batch, const struct commit *drop, bool *renewed)
{
	const struct hash *chunk = &drop->record.chunk;
	struct lease_entry e = { 0 };
	int err = catalog_next_lease(txn, chunk, NULL, &e);

	*renewed = false;
	for (; err == ERR_OK && !*renewed; err = catalog_next_lease(txn, chunk, &e.key, &e))
		*renewed = lease_kept_until(e.packed) > drop->until;
	for (const struct commit *c = batch; c != NULL && !*renewed; c = c->next) {
		if (!c->settled && c->record.kind == RECORD_LEASE &&
		    hash_equal(&c->record.chunk, chunk))
			*renewed = lease_kept_until(c->record.value) > drop->until;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
check_drop(struct index_txn *txn, const struct commit *batch, struct commit *c)
{
	struct shard_entry e;
	bool renewed = false;
	int err = catalog_shard(txn, &c->record.chunk, c->record.index, &e);

	if (err == ERR_NOT_FOUND || (err == ERR_OK && e.state == SHARD_DROPPED)) {
		commit_settle(c, ERR_NOT_FOUND);
		return err;
	}
	if (err == ERR_OK && c->ended)
		err = look_renewed(txn, batch, c, &renewed);
	if (err == ERR_OK && renewed)
		commit_settle(c, ERR_STATE);
	return err;
}

int
commit_news(struct index_txn *txn, const struct commit *batch, struct commit *c)
{
	struct shard_entry any;
	int err;

	if (c->copies) {
		err = catalog_is_current(txn, &c->record);
		if (err == ERR_NOT_FOUND)
			commit_settle(c, ERR_OK);
		return err;
	}
	err = catalog_next_shard(txn, &c->record.chunk, 0, &any);

	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	if (err == ERR_NOT_FOUND && c->needs_chunk) {
		commit_settle(c, ERR_NOT_FOUND);
		return ERR_OK;
	}
	if (err == ERR_OK && c->forgets) {
		commit_settle(c, ERR_STATE);
		return ERR_OK;
	}
	switch (c->record.kind) {
	case RECORD_LEASE:
		return check_lease(txn, c);
	case RECORD_SIBLINGS:
		return check_siblings(txn, c);
	case RECORD_DROP:
		return check_drop(txn, batch, c);
	case RECORD_VALUE:
		return ERR_OK;
	}
	return ERR_OK;
}
