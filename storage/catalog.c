/*
 * What is said of the whole, of segments and of shards, and the rules by which it changes.
 *
 * ERR_CORRUPT when an entry is not as this file writes it: the index is to be rebuilt.
 */
#include "storage/catalog_private.h"

/* ---- about the whole ---- */

int
catalog_meta(struct index_txn *txn, struct catalog_meta *out)
{
	struct catalog_meta m;
	struct bytes value;
	int err = index_get(txn, bytes_of("M", 1), &value);

	if (err != ERR_OK)
		return err;

	struct unpacker u = unpacker_on(value);

	if (unpack_u16(&u) != CATALOG_VERSION)
		return ERR_VERSION;
	unpack_raw(&u, m.store.b, sizeof(m.store.b));
	m.position.segment = unpack_u64(&u);
	m.position.offset = unpack_u64(&u);
	m.order = unpack_u64(&u);
	m.chunks = unpack_u64(&u);
	m.shards = unpack_u64(&u);
	m.shard_bytes = unpack_u64(&u);
	m.record_bytes = unpack_u64(&u);
	if (!unpack_done(&u))
		return ERR_CORRUPT;
	*out = m;
	return ERR_OK;
}

static int
put_meta(struct index_txn *txn, const struct catalog_meta *m)
{
	uint8_t text[80];
	struct packer p = packer_on(text, sizeof(text));

	pack_u16(&p, CATALOG_VERSION);
	pack_raw(&p, m->store.b, sizeof(m->store.b));
	pack_u64(&p, m->position.segment);
	pack_u64(&p, m->position.offset);
	pack_u64(&p, m->order);
	pack_u64(&p, m->chunks);
	pack_u64(&p, m->shards);
	pack_u64(&p, m->shard_bytes);
	pack_u64(&p, m->record_bytes);
	must(pack_ok(&p));
	return index_put(txn, bytes_of("M", 1), bytes_of(text, p.len));
}

int
catalog_set_meta(struct index_txn *txn, const struct catalog_meta *meta)
{
	struct catalog_meta m = { 0 };
	int err = catalog_meta(txn, &m);

	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	m.store = meta->store;
	m.position = meta->position;
	m.order = meta->order;
	return put_meta(txn, &m);
}

/* Adds to the totals; differences may be negative (two's complement). */
static int
count(struct index_txn *txn, uint64_t chunks, uint64_t shards, uint64_t shard_bytes,
    uint64_t record_bytes)
{
	struct catalog_meta m;
	int err = catalog_meta(txn, &m);

	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
	m.chunks += chunks;
	m.shards += shards;
	m.shard_bytes += shard_bytes;
	m.record_bytes += record_bytes;
	return put_meta(txn, &m);
}

/* ---- sums ---- */

static int
sums_unpack(struct bytes value, struct segment_sums *out)
{
	struct unpacker u = unpacker_on(value);
	struct segment_sums s;

	s.shards = unpack_u64(&u);
	s.shard_bytes = unpack_u64(&u);
	s.records = unpack_u64(&u);
	s.record_bytes = unpack_u64(&u);
	s.end = unpack_u64(&u);
	s.records_end = unpack_u64(&u);
	if (!unpack_done(&u))
		return ERR_CORRUPT;
	*out = s;
	return ERR_OK;
}

static void
key_segment(struct key_text *k, char kind, uint64_t segment)
{
	key_begin(k, kind);
	pack_u64(&k->p, segment);
}

int
catalog_sums(struct index_txn *txn, uint64_t segment, struct segment_sums *out)
{
	struct key_text k;
	struct bytes value;
	int err;

	key_segment(&k, 'G', segment);
	err = index_get(txn, key_bytes(&k), &value);
	if (err == ERR_NOT_FOUND) {
		*out = (struct segment_sums){ 0 };
		return ERR_OK;
	}
	return err == ERR_OK ? sums_unpack(value, out) : err;
}

static int
put_sums(struct index_txn *txn, uint64_t segment, const struct segment_sums *s)
{
	uint8_t text[48];
	struct packer p = packer_on(text, sizeof(text));
	struct key_text k;

	key_segment(&k, 'G', segment);
	pack_u64(&p, s->shards);
	pack_u64(&p, s->shard_bytes);
	pack_u64(&p, s->records);
	pack_u64(&p, s->record_bytes);
	pack_u64(&p, s->end);
	pack_u64(&p, s->records_end);
	must(pack_ok(&p));
	return index_put(txn, key_bytes(&k), bytes_of(text, p.len));
}

int
catalog_unread(struct index_txn *txn, uint64_t segment, uint64_t *from)
{
	struct unpacker u;
	struct key_text k;
	struct bytes value;
	int err;

	*from = 0;
	key_segment(&k, 'U', segment);
	err = index_get(txn, key_bytes(&k), &value);
	if (err != ERR_OK)
		return err == ERR_NOT_FOUND ? ERR_OK : err;
	u = unpacker_on(value);
	*from = unpack_u64(&u);
	return unpack_done(&u) ? ERR_OK : ERR_CORRUPT;
}

int
catalog_set_unread(struct index_txn *txn, uint64_t segment, uint64_t from)
{
	uint8_t text[8];
	struct packer p = packer_on(text, sizeof(text));
	struct key_text k;
	uint64_t known;
	int err = catalog_unread(txn, segment, &known);

	if (err != ERR_OK || known == from)
		return err;
	key_segment(&k, 'U', segment);
	if (from == 0)
		return index_del(txn, key_bytes(&k));
	pack_u64(&p, from);
	return index_put(txn, key_bytes(&k), bytes_of(text, p.len));
}

int
catalog_retire(struct index_txn *txn, uint64_t segment)
{
	struct segment_sums s;
	struct key_text k;
	int err = catalog_sums(txn, segment, &s);

	if (err == ERR_OK && s.shards > 0)
		return ERR_STATE;
	if (err == ERR_OK)
		err = catalog_set_unread(txn, segment, 0);
	if (err == ERR_OK)
		err = count(txn, 0, 0, 0, -s.record_bytes);
	key_segment(&k, 'G', segment);
	return err == ERR_OK ? index_del(txn, key_bytes(&k)) : err;
}

int
catalog_next_sums(struct index_txn *txn, uint64_t *segment, struct segment_sums *out)
{
	struct key_text k;
	struct bytes key, value;
	int err;

	key_segment(&k, 'G', *segment);
	err = index_seek(txn, key_bytes(&k), &key, &value);
	if (err != ERR_OK)
		return err;
	if (key.data[0] != 'G')
		return ERR_NOT_FOUND;

	struct unpacker u = unpacker_on(key);

	unpack_u8(&u);

	uint64_t id = unpack_u64(&u);

	if (!unpack_done(&u))
		return ERR_CORRUPT;
	err = sums_unpack(value, out);
	if (err == ERR_OK)
		*segment = id;
	return err;
}

int
catalog_add_group(struct index_txn *txn, struct place place, uint64_t bytes)
{
	struct segment_sums s;
	int err = catalog_sums(txn, place.segment, &s);

	/* Groups of a segment become known in ascending order: what lies lower was counted. */
	if (err != ERR_OK || place.offset < s.records_end)
		return err;
	s.records++;
	s.record_bytes += bytes;
	s.records_end = place.offset + bytes;
	s.end = MAX(s.end, s.records_end);
	err = put_sums(txn, place.segment, &s);
	return err == ERR_OK ? count(txn, 0, 0, 0, bytes) : err;
}

/* ---- shards ---- */

static uint64_t
entry_bytes(const struct shard_entry *e)
{
	struct layout l;

	must(layout_make(e->k, e->n, e->chunk_bytes, &l) == ERR_OK);
	return extent_shard_bytes(&l);
}

static int
shard_unpack(struct bytes value, uint8_t index, struct shard_entry *out)
{
	struct unpacker u = unpacker_on(value);
	struct shard_entry e = { .index = index };
	struct layout l;

	e.state = (enum shard_state)unpack_u8(&u);
	e.order = unpack_u64(&u);
	e.k = unpack_u8(&u);
	e.n = unpack_u8(&u);
	e.place.segment = unpack_u64(&u);
	e.place.offset = unpack_u64(&u);
	e.chunk_bytes = unpack_u64(&u);
	e.stored_unix_s = unpack_u64(&u);
	e.copies_more = unpack_u8(&u) != 0;
	e.copies_count = unpack_u8(&u);
	if (e.copies_count > COPIES_MAX)
		return ERR_CORRUPT;
	for (size_t i = 0; i < e.copies_count; i++)
		e.copies[i] = unpack_u64(&u);
	if (!unpack_done(&u) || e.state < SHARD_LIVE || e.state > SHARD_DROPPED)
		return ERR_CORRUPT;
	if (e.state != SHARD_DROPPED && layout_make(e.k, e.n, e.chunk_bytes, &l) != ERR_OK)
		return ERR_CORRUPT;
	*out = e;
	return ERR_OK;
}

int
catalog_put_shard(struct index_txn *txn, const struct hash *chunk, const struct shard_entry *e)
{
	uint8_t text[64 + 8 * COPIES_MAX];
	struct packer p = packer_on(text, sizeof(text));
	struct key_text k;

	key_shard(&k, chunk, e->index);
	pack_u8(&p, (uint8_t)e->state);
	pack_u64(&p, e->order);
	pack_u8(&p, e->k);
	pack_u8(&p, e->n);
	pack_u64(&p, e->place.segment);
	pack_u64(&p, e->place.offset);
	pack_u64(&p, e->chunk_bytes);
	pack_u64(&p, e->stored_unix_s);
	pack_u8(&p, e->copies_more);
	pack_u8(&p, e->copies_count);
	for (size_t i = 0; i < e->copies_count; i++)
		pack_u64(&p, e->copies[i]);
	must(pack_ok(&p));
	return index_put(txn, key_bytes(&k), bytes_of(text, p.len));
}

int
catalog_shard(
    struct index_txn *txn, const struct hash *chunk, uint8_t index, struct shard_entry *out)
{
	struct key_text k;
	struct bytes value;
	int err;

	key_shard(&k, chunk, index);
	err = index_get(txn, key_bytes(&k), &value);
	return err == ERR_OK ? shard_unpack(value, index, out) : err;
}

/* The first entry ≥ (chunk, index) that is a shard and not dropped. */
static int
seek_shard(struct index_txn *txn, const struct hash *from, uint8_t index, struct hash *chunk,
    struct shard_entry *out)
{
	struct key_text k;

	key_shard(&k, from, index);
	for (;;) {
		struct bytes key, value;
		int err = index_seek(txn, key_bytes(&k), &key, &value);

		if (err != ERR_OK)
			return err;
		if (key.data[0] != 'S')
			return ERR_NOT_FOUND;
		if (key.len != 1 + 32 + 1)
			return ERR_CORRUPT;
		err = shard_unpack(value, key.data[33], out);
		if (err != ERR_OK)
			return err;
		memcpy(chunk->b, key.data + 1, sizeof(chunk->b));
		if (out->state != SHARD_DROPPED)
			return ERR_OK;
		key_shard(&k, chunk, out->index);
		pack_u8(&k.p, 0); /* the smallest key behind this one */
	}
}

int
catalog_next_shard(
    struct index_txn *txn, const struct hash *chunk, unsigned index, struct shard_entry *out)
{
	struct hash found;
	struct shard_entry e;

	if (index >= SHARDS_MAX)
		return ERR_NOT_FOUND;

	int err = seek_shard(txn, chunk, (uint8_t)index, &found, &e);

	if (err != ERR_OK)
		return err;
	if (!hash_equal(&found, chunk))
		return ERR_NOT_FOUND;
	*out = e;
	return ERR_OK;
}

int
catalog_next_chunk(struct index_txn *txn, const struct hash *from, struct hash *chunk)
{
	struct shard_entry e;
	struct hash found;
	int err = seek_shard(txn, from, 0, &found, &e);

	if (err == ERR_OK)
		*chunk = found;
	return err;
}

static bool
is_there(const struct shard_entry *e)
{
	return e->state == SHARD_LIVE || e->state == SHARD_UNPROVEN;
}

static int
count_shard(struct index_txn *txn, const struct shard_entry *e, bool more)
{
	struct segment_sums s;
	uint64_t bytes = entry_bytes(e), one = more ? 1 : UINT64_MAX;
	int err = catalog_sums(txn, e->place.segment, &s);

	if (err != ERR_OK)
		return err;
	if (!more && (s.shards == 0 || s.shard_bytes < bytes))
		return ERR_CORRUPT;
	s.shards += one;
	s.shard_bytes += more ? bytes : -bytes;
	if (more)
		s.end = MAX(s.end, e->place.offset + bytes);
	err = put_sums(txn, e->place.segment, &s);
	return err == ERR_OK ? count(txn, 0, one, more ? bytes : -bytes, 0) : err;
}

static int
has_shard(struct index_txn *txn, const struct hash *chunk, bool *out)
{
	struct shard_entry any;
	int err = catalog_next_shard(txn, chunk, 0, &any);

	*out = err == ERR_OK;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/*
 * Whether it was not known yet that this segment has an extent of the shard. The lowest ones are
 * kept, in order: so the set does not depend on the sequence in which they are told.
 */
static bool
add_copy(struct shard_entry *e, uint64_t segment)
{
	size_t i = e->copies_count;
	bool more = e->copies_more;

	for (size_t j = 0; j < e->copies_count; j++) {
		if (e->copies[j] == segment)
			return false;
	}
	if (i == COPIES_MAX) {
		e->copies_more = true;
		if (e->copies[i - 1] < segment)
			return !more;
		i--;
	} else {
		e->copies_count++;
	}
	for (; i > 0 && e->copies[i - 1] > segment; i--)
		e->copies[i] = e->copies[i - 1];
	e->copies[i] = segment;
	return true;
}

/* All that old knew of extents, and where new itself lies. */
static struct shard_entry
with_copies(const struct shard_entry *old, const struct shard_entry *new)
{
	struct shard_entry e = *new;

	e.copies_count = 0;
	e.copies_more = old != NULL && old->copies_more;
	for (size_t i = 0; old != NULL && i < old->copies_count; i++)
		(void)add_copy(&e, old->copies[i]);
	if (is_there(new))
		(void)add_copy(&e, new->place.segment);
	return e;
}

/* What was told of is not what counts; it lies there all the same. */
static int
note_copy(struct index_txn *txn, const struct hash *chunk, struct shard_entry *old,
    const struct shard_entry *told)
{
	if (!is_there(told) || !add_copy(old, told->place.segment))
		return ERR_OK;
	return catalog_put_shard(txn, chunk, old);
}

/* Replaces old (NULL: nothing was there) by new and keeps the sums. */
static int
replace_shard(struct index_txn *txn, const struct hash *chunk, const struct shard_entry *old,
    const struct shard_entry *told)
{
	struct shard_entry entry = with_copies(old, told);
	const struct shard_entry *new = &entry;
	bool had, has;
	int err = has_shard(txn, chunk, &had);

	if (err == ERR_OK)
		err = catalog_put_shard(txn, chunk, new);
	if (err == ERR_OK && old != NULL && is_there(old))
		err = count_shard(txn, old, false);
	if (err == ERR_OK && is_there(new))
		err = count_shard(txn, new, true);
	if (err == ERR_OK)
		err = has_shard(txn, chunk, &has);
	if (err != ERR_OK || had == has)
		return err;
	return count(txn, has ? 1 : UINT64_MAX, 0, 0, 0);
}

int
catalog_add_shard(struct index_txn *txn, const struct hash *chunk, const struct shard_entry *e)
{
	struct shard_entry old;
	int err = catalog_shard(txn, chunk, e->index, &old);

	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	if (err == ERR_OK && old.order >= e->order)
		return note_copy(txn, chunk, &old, e);
	return replace_shard(txn, chunk, err == ERR_OK ? &old : NULL, e);
}

int
catalog_move_shard(
    struct index_txn *txn, const struct hash *chunk, const struct shard_entry *e, struct place from)
{
	struct shard_entry old;
	int err = catalog_shard(txn, chunk, e->index, &old);

	if (err == ERR_NOT_FOUND)
		return ERR_STALE;
	if (err != ERR_OK)
		return err;
	if (!is_there(&old) || old.order != e->order || place_compare(old.place, from) != 0) {
		err = note_copy(txn, chunk, &old, e);
		return err == ERR_OK ? ERR_STALE : err;
	}
	return replace_shard(txn, chunk, &old, e);
}

int
catalog_prove(
    struct index_txn *txn, const struct hash *chunk, uint8_t index, uint64_t order, bool good)
{
	struct shard_entry old;
	int err = catalog_shard(txn, chunk, index, &old);

	if (err == ERR_NOT_FOUND)
		return ERR_OK;
	if (err != ERR_OK || old.state != SHARD_UNPROVEN || old.order != order)
		return err;

	struct shard_entry new = old;

	new.state = good ? SHARD_LIVE : SHARD_DROPPED;
	return replace_shard(txn, chunk, &old, &new);
}

bool
catalog_hash_next(struct hash *h)
{
	for (size_t i = sizeof(h->b); i-- > 0;) {
		if (++h->b[i] != 0)
			return true;
	}
	return false;
}
