/*
 * From files to a store that knows what it holds. In a worker, before anything else runs:
 *
 *	lock → segment headers → index, made anew when it is no use → for every segment from
 *	the index's position on: sync, walk, merge into the index → cut unused ends off
 *
 * The sync comes before anything found is believed: after a mere kill of the process the bytes may
 * still be in a cache, and what is indexed is taken for durable. A shard found here was perhaps
 * not written as a whole, so it enters unproven (catalog.h).
 *
 * Segments of earlier runs are never written again, so a walked segment is cut behind its last
 * extent (never before what the index knows), and removed when it holds none.
 */
#include <stdio.h>
#include <stdlib.h>

#include "storage/recover.h"

/* Extents per index transaction: bounds its memory, and what a full map makes us repeat. */
#define REPLAY_STEP 512

/* ---- one segment into the index ---- */

static void
learn_order(struct replay *r, uint64_t order)
{
	/* An order at the very end of its range can only be damage that the CRC let through. */
	if (order < UINT64_MAX / 2)
		r->meta.order = MAX(r->meta.order, order + 1);
}

int
recover_add_shard(
    struct index_txn *txn, const struct hash *chunk, const struct found *f, enum shard_state state)
{
	const struct trailer *t = &f->trailer;
	struct shard_entry e = { .state = state,
		.order = t->order,
		.index = t->index,
		.k = f->header.k,
		.n = f->header.n,
		.place = f->header.place,
		.chunk_bytes = f->header.chunk_bytes,
		.stored_unix_s = t->stored_unix_s };
	struct record lease = { .kind = RECORD_LEASE,
		.order = t->order,
		.chunk = *chunk,
		.lease_key = t->lease_key,
		.generation = t->lease_generation,
		.value = t->lease };
	int err = catalog_add_shard(txn, chunk, &e);

	if (err == ERR_OK)
		err = catalog_add_record(txn, &lease);
	return err == ERR_STALE ? ERR_OK : err;
}

/*
 * Two of one order: compaction was interrupted, and has moved the original since, or not yet. A
 * copy that was never synced may have a whole trailer over leaves that were not written, so the one
 * that is known is read: only whole leaves decide which one stays.
 */
static int
settle_copies(struct replay *r, struct index_txn *txn, const struct hash *chunk,
    const struct shard_entry *known, const struct found *f)
{
	uint8_t *frame = aligned_alloc(DISK_ALIGN, SHARD_CHECK_BYTES);
	uint8_t *buffer = aligned_alloc(DISK_ALIGN, SHARD_CHECK_BYTES);
	struct shard_entry other = *known;
	int err = ERR_NOMEM;

	other.place = f->header.place;
	if (frame != NULL && buffer != NULL)
		err = shard_check_entry(r->log, chunk, known, frame, buffer);
	free(frame);
	free(buffer);
	if (err == ERR_OK)
		return catalog_prove(txn, chunk, known->index, known->order, true);
	if (err == ERR_NOMEM)
		return err;
	return catalog_move_shard(txn, chunk, &other, known->place);
}

static int
add_shard(struct replay *r, struct index_txn *txn, const struct found *f)
{
	const struct trailer *t = &f->trailer;
	struct shard_entry known;
	struct hash chunk;
	int err;

	learn_order(r, t->order);
	crypto_sha256(&chunk, t->descriptor.data, t->descriptor.len);
	err = catalog_shard(txn, &chunk, t->index, &known);
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	if (err == ERR_OK && known.state == SHARD_UNPROVEN && known.order == t->order &&
	    place_compare(known.place, f->header.place) != 0)
		return settle_copies(r, txn, &chunk, &known, f);
	return recover_add_shard(txn, &chunk, f, SHARD_UNPROVEN);
}

static int
add_records(struct replay *r, struct index_txn *txn, const struct found *f)
{
	struct bytes left = f->records;
	struct record rec;
	int err = catalog_add_group(txn, f->header.place, f->header.bytes);

	while (err == ERR_OK && (err = record_unpack(&left, &rec)) == ERR_OK) {
		learn_order(r, rec.order);
		err = catalog_add_record(txn, &rec);
		if (err == ERR_STALE)
			err = ERR_OK;
	}
	/* Whole by CRC, yet not to be read: what follows in this group cannot be found. */
	if (err == ERR_CORRUPT || err == ERR_VERSION)
		r->bad_ranges++;
	else if (err != ERR_END)
		return err;
	return ERR_OK;
}

static int
replay_step(void *arg, struct index_txn *txn)
{
	struct replay *out = arg, r = *out;
	struct segwalk w;
	int err = segwalk_begin(&w, r.log, r.segment, r.at);

	for (size_t i = 0; i < REPLAY_STEP && err == ERR_OK; i++) {
		struct found f;

		err = segwalk_next(&w, &f);
		if (err != ERR_OK)
			break;
		r.extents++;
		if (f.kind == FOUND_SHARD) {
			err = add_shard(&r, txn, &f);
		} else if (f.kind == FOUND_RECORDS) {
			err = add_records(&r, txn, &f);
		} else {
			r.dead++;
			r.first_dead = MIN(r.first_dead, f.header.place.offset);
		}
	}
	r.at = segwalk_position(&w);
	r.end = MAX(r.end, w.end);
	r.bad_ranges += w.bad_ranges;
	r.read_errors += w.read_errors;
	r.finished = err == ERR_END;
	segwalk_end(&w);
	if (err != ERR_OK && err != ERR_END)
		return err;
	if (place_compare(r.meta.position, (struct place){ r.segment, r.end }) < 0)
		r.meta.position = (struct place){ r.segment, r.end };
	err = catalog_set_meta(txn, &r.meta);
	/* With the position, which may lie behind what was refused. */
	if (err == ERR_OK && (r.read_errors > 0 || r.finished))
		err = catalog_set_unread(txn, r.segment, r.read_errors > 0 ? r.from : 0);
	if (err == ERR_OK)
		*out = r; /* only now: the step may be run again from the start */
	return err;
}

int
replay_segment(struct replay *r)
{
	int err = ERR_OK;

	r->finished = false;
	while (err == ERR_OK && !r->finished)
		err = index_update(r->index, replay_step, r);
	return err;
}

/* ---- what the index knows and the segment no longer has ---- */

struct rot_search {
	struct recovery *r;
	const struct replay *replay;
	uint64_t from; /* offset where the walk began */
	uint8_t *buffer;
	uint64_t found;
};

/* Header and trailer of an entry: ERR_OK or ERR_CORRUPT. */
static int
check_frame(struct rot_search *q, const struct shard_entry *e)
{
	struct segment_info info;
	struct extent_header h;
	struct trailer t;
	struct layout l;
	int err;

	must(layout_make(e->k, e->n, e->chunk_bytes, &l) == ERR_OK); /* the catalog checked it */
	if (!seglog_find(q->replay->log, e->place.segment, &info))
		return ERR_CORRUPT;
	err = seglog_read(q->replay->log, e->place, q->buffer, SEGMENT_BLOCK);
	if (err == ERR_OK)
		err = extent_header_unpack(q->buffer, e->place, info.generation, info.bytes, &h);
	if (err != ERR_OK)
		return ERR_CORRUPT;

	struct place at = { e->place.segment, e->place.offset + extent_trailer_offset(&l) };
	size_t len = extent_shard_bytes(&l) - extent_trailer_offset(&l);

	if (h.bytes != extent_shard_bytes(&l) ||
	    seglog_read(q->replay->log, at, q->buffer, len) != ERR_OK)
		return ERR_CORRUPT;
	return trailer_unpack(bytes_of(q->buffer, len), &h, &t);
}

static int
search_rot(void *arg, struct index_txn *txn)
{
	struct rot_search *q = arg;
	struct hash chunk = { { 0 } };
	struct shard_entry e;
	unsigned index = 0;
	int err;

	q->found = 0;
	while ((err = catalog_next_chunk(txn, &chunk, &chunk)) == ERR_OK) {
		for (index = 0; catalog_next_shard(txn, &chunk, index, &e) == ERR_OK;
		     index = e.index + 1u) {
			if (e.place.segment == q->replay->segment && e.place.offset >= q->from &&
			    check_frame(q, &e) != ERR_OK)
				q->found++;
		}
		if (!catalog_hash_next(&chunk))
			break;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
count_rot(struct recovery *r, const struct replay *replay, uint64_t from)
{
	struct rot_search q = { .r = r, .replay = replay, .from = from };
	int err;

	q.buffer = aligned_alloc(DISK_ALIGN, KIB(64));
	if (q.buffer == NULL)
		return ERR_NOMEM;
	err = index_read(r->store->index, search_rot, &q);
	r->rot += q.found;
	free(q.buffer);
	return err;
}

/* ---- all segments ---- */

/* What the index knows of a segment before it is walked. */
struct known {
	uint64_t segment, unread;
	struct segment_sums sums;
};

static int
get_known(void *arg, struct index_txn *txn)
{
	struct known *q = arg;
	int err = catalog_sums(txn, q->segment, &q->sums);

	return err == ERR_OK ? catalog_unread(txn, q->segment, &q->unread) : err;
}

static int
put_unread(void *arg, struct index_txn *txn)
{
	const struct known *q = arg;

	return catalog_set_unread(txn, q->segment, q->unread);
}

/* Where to walk it from; UINT64_MAX: all of it is in the index. */
static uint64_t
walk_from(const struct recovery *r, const struct known *known)
{
	struct place done = r->store->meta.position;
	uint64_t from = SEGMENT_FIRST_EXTENT;

	if (known->segment < done.segment)
		from = UINT64_MAX;
	else if (known->segment == done.segment)
		from = MAX(from, done.offset);
	return known->unread > 0 ? MIN(from, known->unread) : from;
}

/* Cuts what lies behind the last extent; removes a segment that has none. */
static int
trim(struct recovery *r, uint64_t segment, uint64_t end)
{
	struct store *s = r->store;

	if (s->read_only)
		return ERR_OK;
	if (end > SEGMENT_FIRST_EXTENT)
		return seglog_truncate(s->log, segment, end);
	return seglog_remove(s->log, segment);
}

static int
recover_segment(struct recovery *r, const struct segment_info *info)
{
	struct store *s = r->store;
	struct known before = { .segment = info->id };
	int err = index_read(s->index, get_known, &before);
	uint64_t from = err == ERR_OK ? walk_from(r, &before) : UINT64_MAX;
	struct replay p = { .log = s->log,
		.index = s->index,
		.meta = s->meta,
		.segment = info->id,
		.from = from,
		.at = from,
		.end = from,
		.first_dead = UINT64_MAX };

	if (from == UINT64_MAX)
		return err;
	if (info->damaged) {
		/* Refused today; tomorrow it is walked from its beginning. */
		before.unread = SEGMENT_FIRST_EXTENT;
		return index_update(s->index, put_unread, &before);
	}
	if (!s->read_only)
		err = seglog_sync(s->log, info->id);
	if (err == ERR_OK)
		err = replay_segment(&p);
	if (err != ERR_OK)
		return err;
	if (p.read_errors > 0)
		seglog_set_partial(s->log, info->id);
	s->meta = p.meta;
	r->records += p.extents;
	r->dead += p.dead;
	r->bad_ranges += p.bad_ranges;
	r->read_errors += p.read_errors;
	if (before.sums.end > MIN(p.first_dead, p.end) || p.bad_ranges > 0)
		err = count_rot(r, &p, from);
	/* What the disk would not read today may be there tomorrow: nothing is cut behind it. */
	if (err == ERR_OK && p.read_errors == 0)
		err = trim(r, info->id, MAX(p.end, before.sums.end));
	return err;
}

static int
recover_segments(struct recovery *r)
{
	struct store *s = r->store;
	struct segment_info info;
	size_t i = 0;

	while (seglog_segment(s->log, i, &info)) {
		size_t count = seglog_count(s->log);
		int err = ERR_OK;

		r->damaged += info.damaged;
		if (!info.damaged || info.unread)
			err = recover_segment(r, &info);
		if (err != ERR_OK)
			return err;
		i += seglog_count(s->log) == count; /* else it was removed */
	}
	return ERR_OK;
}

/* Shards whose segment is gone, and the highest id that was ever in use. */
static int
search_missing(void *arg, struct index_txn *txn)
{
	struct recovery *r = arg;
	struct segment_sums sums;
	uint64_t id = 0;
	int err;

	r->missing = 0;
	while ((err = catalog_next_sums(txn, &id, &sums)) == ERR_OK) {
		struct segment_info info;

		if (!seglog_find(r->store->log, id, &info) || info.damaged)
			r->missing += sums.shards;
		seglog_skip_ids(r->store->log, id);
		id++;
	}
	return err == ERR_NOT_FOUND ? catalog_meta(txn, &r->store->meta) : err;
}

/* ---- the index ---- */

static int
open_index(struct store *s)
{
	char path[STORE_PATH_MAX + 8];
	struct index_lmdb_opts opts = { .disk = s->env->disk, .dir = path };
	int err;

	/* A check must not change anything, so it makes an index of its own. */
	if (s->index_in_memory || s->read_only)
		return index_mem_new(&s->index);
	snprintf(path, sizeof(path), "%s/index", s->dir);
	err = index_lmdb_open(&opts, &s->index);
	if (err != ERR_CORRUPT)
		return err;
	err = index_lmdb_remove(s->env->disk, path);
	return err == ERR_OK ? index_lmdb_open(&opts, &s->index) : err;
}

static int
get_meta(void *arg, struct index_txn *txn)
{
	return catalog_meta(txn, arg);
}

static int
put_meta(void *arg, struct index_txn *txn)
{
	return catalog_set_meta(txn, arg);
}

static int
wipe(void *arg, struct index_txn *txn)
{
	struct bytes key, value;
	uint8_t zero = 0;
	int err;

	(void)arg;
	while ((err = index_seek(txn, bytes_of(&zero, 1), &key, &value)) == ERR_OK) {
		err = index_del(txn, key);
		if (err != ERR_OK)
			return err;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* All segments must be of one store: files of two in one directory are somebody's mistake. unread:
 * of some it is not known, as the disk refused to say. */
static int
store_id_of_segments(struct recovery *r, struct store_id *out, bool *any, bool *unread)
{
	struct segment_info info;

	*any = *unread = false;
	for (size_t i = 0; seglog_segment(r->store->log, i, &info); i++) {
		*unread |= info.unread;
		if (info.damaged)
			continue;
		if (*any && memcmp(out, &info.store, sizeof(*out)) != 0)
			return ERR_CORRUPT;
		*out = info.store;
		*any = true;
	}
	return ERR_OK;
}

/* An index that is not ours, too new or unreadable is emptied: the segments have everything. */
static int
load_index(struct recovery *r)
{
	struct store *s = r->store;
	struct store_id id = r->fresh_id;
	bool any, unread;
	int err = store_id_of_segments(r, &id, &any, &unread);

	if (err == ERR_OK)
		err = open_index(s);
	if (err != ERR_OK)
		return err;
	err = index_read(s->index, get_meta, &s->meta);
	if (err == ERR_OK && any && memcmp(&s->meta.store, &id, sizeof(id)) != 0)
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		return ERR_OK;
	if (err != ERR_NOT_FOUND && err != ERR_CORRUPT && err != ERR_VERSION)
		return err;
	/* Under a new name what can be read again tomorrow would be another store's. */
	if (!any && unread)
		return ERR_IO;
	r->rebuilt = any;
	s->meta = (struct catalog_meta){ .store = id, .order = 1 };
	err = index_update(s->index, wipe, NULL);
	return err == ERR_OK ? index_update(s->index, put_meta, &s->meta) : err;
}

int
store_recover(struct recovery *r)
{
	struct store *s = r->store;
	struct seglog_opts opts = { .disk = s->env->disk,
		.dir = s->dir,
		.net = s->net,
		.segment_bytes = s->segment_bytes,
		.read_only = s->read_only };
	char path[STORE_PATH_MAX + 8];
	struct disk_space space;
	int err;

	snprintf(path, sizeof(path), "%s/lock", s->dir);
	err = disk_lock(s->env->disk, path, &s->lock);
	if (err == ERR_OK)
		err = seglog_open(&opts, &r->version, &s->log);
	if (err == ERR_OK)
		err = load_index(r);
	if (err == ERR_OK)
		err = recover_segments(r);
	if (err == ERR_OK)
		err = index_read(s->index, search_missing, r);
	if (err == ERR_OK)
		err = disk_space(s->env->disk, s->dir, &space);
	if (err != ERR_OK)
		return err;
	seglog_skip_ids(s->log, s->meta.position.segment);
	s->order = s->meta.order;
	s->disk_free = space.free_bytes;
	return ERR_OK;
}
