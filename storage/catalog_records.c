/*
 * Leases, siblings and values, and the rules by which they change.
 */
#include "storage/catalog_private.h"

/* ---- leases, siblings, values: two numbers and the packed text ---- */

struct text_entry {
	uint64_t rank; /* generation or sequence; 0 where orders alone decide */
	uint64_t order;
	struct bytes text;
};

static int
get_text(struct index_txn *txn, struct bytes key, struct text_entry *out)
{
	struct bytes value;
	struct text_entry e;
	int err = index_get(txn, key, &value);

	if (err != ERR_OK)
		return err;

	struct unpacker u = unpacker_on(value);

	e.rank = unpack_u64(&u);
	e.order = unpack_u64(&u);
	e.text = unpack_lend(&u, unpack_left(&u));
	if (!unpack_done(&u))
		return ERR_CORRUPT;
	*out = e;
	return ERR_OK;
}

static int
put_text(struct index_txn *txn, struct bytes key, const struct text_entry *e)
{
	uint8_t text[INDEX_VALUE_MAX];
	struct packer p = packer_on(text, sizeof(text));

	pack_u64(&p, e->rank);
	pack_u64(&p, e->order);
	pack_raw(&p, e->text.data, e->text.len);
	must(pack_ok(&p));
	return index_put(txn, key, bytes_of(text, p.len));
}

/* A lease's place among those of its key, see lease.h; what is forgotten has no lock. */
static struct lease_rank
rank_of(const struct text_entry *e)
{
	return (struct lease_rank){ lease_kept_lock(e->text), e->rank };
}

/* One that is forgotten, or has rotted, has nothing to add. */
static struct bytes
join_texts(const struct text_entry *top, const struct text_entry *other, uint8_t *joined)
{
	size_t len = lease_kept_join(top->text, other->text, joined);

	return len == 0 ? top->text : bytes_of(joined, len);
}

static int
add_lease(struct index_txn *txn, const struct record *r)
{
	struct text_entry new = { r->generation, r->order, r->value }, old, top;
	uint8_t joined[LEASE_KEPT_MAX];
	bool stale, wins;
	struct key_text k;
	int err;

	key_lease(&k, &r->chunk, &r->lease_key);
	err = get_text(txn, key_bytes(&k), &old);
	if (err == ERR_NOT_FOUND)
		return put_text(txn, key_bytes(&k), &new);
	if (err != ERR_OK)
		return err;
	stale = lease_supersedes(rank_of(&old), rank_of(&new));
	wins = !stale && (lease_supersedes(rank_of(&new), rank_of(&old)) || new.order > old.order);
	top = wins ? new : old;
	/* What was promised, and who vouches, outlives the lease that said so. */
	top.text = join_texts(&top, wins ? &old : &new, joined);
	if (wins || !bytes_equal(top.text, old.text))
		err = put_text(txn, key_bytes(&k), &top);
	return err == ERR_OK && stale ? ERR_STALE : err;
}

/* Siblings: the highest rank, then the highest order. */
static int
add_ranked(struct index_txn *txn, struct bytes key, const struct record *r)
{
	struct text_entry new = { r->generation, r->order, r->value }, old;
	int err = get_text(txn, key, &old);

	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	if (err == ERR_OK && old.rank > new.rank)
		return ERR_STALE;
	if (err == ERR_OK && old.rank == new.rank &&old.order >= new.order)
		return ERR_OK;
	return put_text(txn, key, &new);
}

static int
add_value(struct index_txn *txn, const struct record *r)
{
	struct text_entry new = { 0, r->order, r->value }, old;
	struct key_text k;
	int err;

	key_value(&k, r->index, &r->chunk);
	err = get_text(txn, key_bytes(&k), &old);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	if (err == ERR_OK && old.order >= r->order)
		return ERR_OK;
	return put_text(txn, key_bytes(&k), &new);
}

static int
add_drop(struct index_txn *txn, const struct record *r)
{
	struct shard_entry e = { .state = SHARD_DROPPED, .order = r->order, .index = r->index };

	return catalog_add_shard(txn, &r->chunk, &e);
}

int
catalog_add_record(struct index_txn *txn, const struct record *r)
{
	struct key_text k;

	switch (r->kind) {
	case RECORD_LEASE:
		return add_lease(txn, r);
	case RECORD_SIBLINGS:
		key_chunk(&k, 'B', &r->chunk);
		return add_ranked(txn, key_bytes(&k), r);
	case RECORD_DROP:
		return add_drop(txn, r);
	case RECORD_VALUE:
		return add_value(txn, r);
	}
	return ERR_INVALID;
}

static int
is_current_drop(struct index_txn *txn, const struct record *r)
{
	struct shard_entry e;
	int err = catalog_shard(txn, &r->chunk, r->index, &e);

	if (err == ERR_OK && (e.state != SHARD_DROPPED || e.order != r->order))
		err = ERR_NOT_FOUND;
	return err;
}

int
catalog_is_current(struct index_txn *txn, const struct record *r)
{
	struct text_entry e;
	struct key_text k;
	int err;

	switch (r->kind) {
	case RECORD_LEASE:
		key_lease(&k, &r->chunk, &r->lease_key);
		break;
	case RECORD_SIBLINGS:
		key_chunk(&k, 'B', &r->chunk);
		break;
	case RECORD_VALUE:
		key_value(&k, r->index, &r->chunk);
		break;
	case RECORD_DROP:
	default:
		return is_current_drop(txn, r);
	}
	err = get_text(txn, key_bytes(&k), &e);
	if (err == ERR_OK && e.order != r->order)
		err = ERR_NOT_FOUND;
	return err;
}

int
catalog_promise(
    struct index_txn *txn, const struct hash *chunk, const struct pubkey *key, uint64_t promised)
{
	uint8_t text[LEASE_KEPT_MAX];
	struct text_entry e;
	struct key_text k;
	size_t len;
	int err;

	key_lease(&k, chunk, key);
	err = get_text(txn, key_bytes(&k), &e);
	if (err != ERR_OK)
		return err;
	len = lease_kept_promise(e.text, promised, text);
	if (len == 0)
		return ERR_OK; /* it has rotted */
	e.text = bytes_of(text, len);
	return put_text(txn, key_bytes(&k), &e);
}

/* ---- looking up ---- */

int
catalog_lease(struct index_txn *txn, const struct hash *chunk, const struct pubkey *key,
    struct lease_entry *out)
{
	struct text_entry e;
	struct key_text k;
	int err;

	key_lease(&k, chunk, key);
	err = get_text(txn, key_bytes(&k), &e);
	if (err == ERR_OK)
		*out = (struct lease_entry){ *key, rank_of(&e), e.order, e.text };
	return err;
}

int
catalog_next_lease(struct index_txn *txn, const struct hash *chunk, const struct pubkey *after,
    struct lease_entry *out)
{
	struct bytes key, value;
	struct key_text k;
	struct pubkey found;
	int err;

	key_chunk(&k, 'L', chunk);
	if (after != NULL) {
		pack_raw(&k.p, after->b, sizeof(after->b));
		pack_u8(&k.p, 0); /* the smallest key behind this one */
	}
	err = index_seek(txn, key_bytes(&k), &key, &value);
	if (err != ERR_OK)
		return err;
	if (key.len != 1 + 32 + 32 || key.data[0] != 'L' || memcmp(key.data + 1, chunk->b, 32) != 0)
		return ERR_NOT_FOUND;
	memcpy(found.b, key.data + 33, sizeof(found.b));
	return catalog_lease(txn, chunk, &found, out);
}

int
catalog_next_leased(struct index_txn *txn, const struct hash *from, struct hash *chunk)
{
	struct key_text k;

	key_chunk(&k, 'L', from);
	for (;;) {
		struct lease_entry e;
		struct bytes key, value;
		struct hash at;
		int err = index_seek(txn, key_bytes(&k), &key, &value);

		if (err != ERR_OK)
			return err;
		if (key.len != 1 + 32 + 32 || key.data[0] != 'L')
			return ERR_NOT_FOUND;
		memcpy(at.b, key.data + 1, sizeof(at.b));
		memcpy(e.key.b, key.data + 33, sizeof(e.key.b));
		err = catalog_lease(txn, &at, &e.key, &e);
		if (err != ERR_OK)
			return err;
		if (e.packed.len > 0) {
			*chunk = at;
			return ERR_OK;
		}
		key_lease(&k, &at, &e.key);
		pack_u8(&k.p, 0); /* the smallest key behind this one */
	}
}

int
catalog_siblings(
    struct index_txn *txn, const struct hash *chunk, uint64_t *sequence, struct bytes *value)
{
	struct text_entry e;
	struct key_text k;
	int err;

	key_chunk(&k, 'B', chunk);
	err = get_text(txn, key_bytes(&k), &e);
	if (err == ERR_OK && e.text.len == 0)
		err = ERR_NOT_FOUND; /* forgotten */
	if (err != ERR_OK)
		return err;
	*sequence = e.rank;
	*value = e.text;
	return ERR_OK;
}

int
catalog_value(struct index_txn *txn, uint8_t space, const struct hash *key, struct bytes *value)
{
	struct text_entry e;
	struct key_text k;
	int err;

	key_value(&k, space, key);
	err = get_text(txn, key_bytes(&k), &e);
	if (err != ERR_OK)
		return err;
	if (e.text.len == 0)
		return ERR_NOT_FOUND; /* a tombstone */
	*value = e.text;
	return ERR_OK;
}

int
catalog_next_value(struct index_txn *txn, uint8_t space, const struct hash *from, struct hash *key,
    struct bytes *value)
{
	struct key_text k;

	key_value(&k, space, from);
	for (;;) {
		struct bytes found, ignored;
		int err = index_seek(txn, key_bytes(&k), &found, &ignored);

		if (err != ERR_OK)
			return err;
		if (found.len != 1 + 1 + 32 || found.data[0] != 'V' || found.data[1] != space)
			return ERR_NOT_FOUND;

		struct hash at;

		memcpy(at.b, found.data + 2, sizeof(at.b));
		err = catalog_value(txn, space, &at, value);
		if (err == ERR_OK)
			*key = at;
		if (err != ERR_NOT_FOUND)
			return err;
		key_value(&k, space, &at);
		pack_u8(&k.p, 0);
	}
}
