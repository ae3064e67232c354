/*
 * One segment at a time. Records are copied in groups, shards one by one through a writer like any
 * other, verified on the way: one that has rotted is dropped, not copied. Before the file goes, all
 * reads that may have looked its places up have ended (store_readers_drain), and the index has
 * committed once more, because it may lose its last transaction with the power.
 */
#include "storage/store_compact.h"

#include <stdlib.h>

#include "overlay/base/buf.h"
#include "storage/store_impl.h"

#define WORTH_PERCENT         50
#define WORTH_CROWDED_PERCENT 20
/* Records copied at once: one group of the log. */
#define COPY_BYTES            ((uint64_t)4 * RECORDS_EXTENT_MAX)
/* Leases may have notes by now that they were written without. */
#define EXTENT_BYTES_MOST     (2 * RECORDS_EXTENT_MAX)
/* No record is shorter than 32 bytes. */
#define EXTENT_RECORDS_MOST   (RECORDS_EXTENT_MAX / 32)
#define COPY_RECORDS          (2 * EXTENT_RECORDS_MOST)
/* Found to be mostly alive: not looked at again for a while. */
#define SPARED_FOR            HOURS(1)
#define MOVE_LEAVES           16

struct live_shard {
	struct hash chunk;
	uint8_t index;
};

/* The segment being compacted. */
struct victim {
	struct store *store;
	struct segment_info info;
	/* How to choose. */
	bool crowded;
	uint64_t below; /* segments from here on are in use */
	uint64_t spared[SPARED_MAX];
	uint64_t dead; /* of the chosen one, as the sums say; 0: none */
	/* Of a walk. */
	bool copying; /* else counting */
	uint64_t at;
	bool ended;
	uint64_t live_bytes;
	uint64_t unread; /* blocks that the disk refused */
	struct live_shard *shards;
	size_t shards_count, shards_cap;
	struct commit *copies;
	struct buf values; /* of the copies */
	size_t copies_count;
};

/* ---- choosing ---- */

/* On the loop: what a worker may not look at while it changes. */
static void
prepare_choice(struct victim *v)
{
	struct store *s = v->store;
	struct store_status now;

	store_status(s, &now);
	v->crowded = now.crowded;
	v->below = s->meta.position.segment;
	for (size_t i = 0; i < SPARED_MAX; i++)
		v->spared[i] = env_now(s->env) < s->spared[i].until ? s->spared[i].segment : 0;
}

/* Less of a segment than this is not worth its copying. */
static uint64_t
worth_percent(const struct victim *v)
{
	return v->crowded ? WORTH_CROWDED_PERCENT : WORTH_PERCENT;
}

static void
spare(struct store *s, uint64_t segment)
{
	s->spared[s->spared_next] = (struct spared){ segment, env_now(s->env) + SPARED_FOR };
	s->spared_next = (s->spared_next + 1) % SPARED_MAX;
}

static bool
may_be_chosen(const struct victim *v, const struct segment_info *info)
{
	/* Behind the position extents are being written, or may be. */
	if (info->damaged || info->partial || info->id >= v->below)
		return false;
	for (size_t i = 0; i < SPARED_MAX; i++) {
		if (v->spared[i] == info->id)
			return false;
	}
	return true;
}

static int
look_for_most(void *arg, struct index_txn *txn)
{
	struct victim *v = arg;
	struct segment_info info;

	v->dead = 0;
	for (size_t i = 0; seglog_segment(v->store->log, i, &info); i++) {
		struct segment_sums sums;
		uint64_t dead;
		int err = catalog_sums(txn, info.id, &sums);

		if (err != ERR_OK)
			return err;
		/* Of the records nobody knows yet how many still count. */
		dead = info.bytes - MIN(info.bytes, SEGMENT_FIRST_EXTENT + sums.shard_bytes);
		/* Each way back from a failed sync begins one; most never hold anything. */
		if (info.bytes <= SEGMENT_FIRST_EXTENT)
			dead = info.bytes;
		if (may_be_chosen(v, &info) && dead > v->dead &&
		    dead / worth_percent(v) >= info.bytes / 100) {
			v->dead = dead;
			v->info = info;
		}
	}
	return ERR_OK;
}

static int
choose_run(void *arg)
{
	struct victim *v = arg;

	return index_read(v->store->index, look_for_most, v);
}

/* ---- walking ---- */

static bool
note_shard(struct victim *v, const struct hash *chunk, uint8_t index)
{
	if (v->shards_count == v->shards_cap) {
		size_t cap = v->shards_cap == 0 ? 64 : v->shards_cap * 2;
		struct live_shard *more = realloc(v->shards, cap * sizeof(*more));

		if (more == NULL)
			return false;
		v->shards = more;
		v->shards_cap = cap;
	}
	v->shards[v->shards_count++] = (struct live_shard){ *chunk, index };
	return true;
}

/* One record that still counts. The room was looked at before its extent. */
static int
note_record(struct victim *v, const struct record *r)
{
	struct commit *c;
	int err;

	v->live_bytes += 96 + r->value.len;
	if (!v->copying)
		return ERR_OK;
	c = &v->copies[v->copies_count++];
	*c = (struct commit){ .kind = COMMIT_RECORD, .copies = true, .record = *r };
	/* The buffer was reserved whole: it does not move. */
	c->record.value = bytes_of(v->values.data + v->values.len, r->value.len);
	err = buf_append(&v->values, r->value.data, r->value.len);
	return err;
}

static int
look_at_record(struct victim *v, struct index_txn *txn, const struct record *r)
{
	struct record copy = *r;
	struct lease_entry known;
	int err = catalog_is_current(txn, r);

	/* With all that has become known beside it. */
	if (err == ERR_OK && r->kind == RECORD_LEASE) {
		err = catalog_lease(txn, &r->chunk, &r->lease_key, &known);
		if (err == ERR_OK)
			copy.value = known.packed;
	}
	return err == ERR_OK ? note_record(v, &copy) : err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* A shard that is here, and the lease in the trailer of any shard, dead or not. */
static int
look_at_shard(struct victim *v, struct index_txn *txn, const struct found *f)
{
	const struct trailer *t = &f->trailer;
	struct record lease = { .kind = RECORD_LEASE,
		.order = t->order,
		.lease_key = t->lease_key,
		.generation = t->lease_generation,
		.value = t->lease };
	struct shard_entry e;
	int err;

	crypto_sha256(&lease.chunk, t->descriptor.data, t->descriptor.len);
	err = catalog_shard(txn, &lease.chunk, t->index, &e);
	if (err == ERR_OK && e.state != SHARD_DROPPED &&
	    place_compare(e.place, f->header.place) == 0) {
		v->live_bytes += f->header.bytes;
		/* Its lease goes with it. */
		return v->copying || note_shard(v, &lease.chunk, t->index) ? ERR_OK : ERR_NOMEM;
	}
	if (err != ERR_OK && err != ERR_NOT_FOUND)
		return err;
	return look_at_record(v, txn, &lease);
}

static int
look_at_group(struct victim *v, struct index_txn *txn, const struct found *f)
{
	struct bytes left = f->records;
	struct record r;
	int err;

	while ((err = record_unpack(&left, &r)) == ERR_OK) {
		err = look_at_record(v, txn, &r);
		if (err != ERR_OK)
			return err;
	}
	/* What cannot be read is lost already. */
	return err == ERR_END || err == ERR_CORRUPT || err == ERR_VERSION ? ERR_OK : err;
}

/* Room for all that one extent may bring. */
static bool
has_room(const struct victim *v)
{
	return !v->copying || (v->copies_count + EXTENT_RECORDS_MOST <= COPY_RECORDS &&
				  v->values.len + EXTENT_BYTES_MOST <= v->values.cap);
}

static int
walk_some(void *arg, struct index_txn *txn)
{
	struct victim *v = arg;
	struct segwalk w;
	struct found f;
	int err = segwalk_begin(&w, v->store->log, v->info.id, v->at);

	while (err == ERR_OK && has_room(v)) {
		err = segwalk_next(&w, &f);
		if (err == ERR_OK && f.kind == FOUND_SHARD)
			err = look_at_shard(v, txn, &f);
		else if (err == ERR_OK && f.kind == FOUND_RECORDS)
			err = look_at_group(v, txn, &f);
	}
	v->at = segwalk_position(&w);
	v->ended = err == ERR_END;
	v->unread += w.read_errors;
	segwalk_end(&w);
	return err == ERR_END ? ERR_OK : err;
}

static int
walk_run(void *arg)
{
	struct victim *v = arg;
	int err = index_read(v->store->index, walk_some, v);

	return err == ERR_CORRUPT ? ERR_IO : err;
}

/*
 * Live shards by the index, where the walk has not met all of them: a header or trailer has gone
 * bad. Left out, they would hold the segment for ever, and all else would be copied out of it again
 * and again. Moving settles what is left of each.
 */
static int
note_by_index(void *arg, struct index_txn *txn)
{
	struct victim *v = arg;
	struct segment_sums sums;
	struct hash chunk = { { 0 } };
	struct shard_entry e;
	int err = catalog_sums(txn, v->info.id, &sums);

	if (err != ERR_OK || sums.shards == v->shards_count)
		return err;
	v->shards_count = 0;
	while ((err = catalog_next_chunk(txn, &chunk, &chunk)) == ERR_OK) {
		unsigned index = 0;

		for (; catalog_next_shard(txn, &chunk, index, &e) == ERR_OK; index = e.index + 1u) {
			if (e.place.segment == v->info.id && !note_shard(v, &chunk, e.index))
				return ERR_NOMEM;
		}
		if (!catalog_hash_next(&chunk))
			return ERR_OK;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
note_run(void *arg)
{
	struct victim *v = arg;
	int err = index_read(v->store->index, note_by_index, v);

	return err == ERR_CORRUPT ? ERR_IO : err;
}

/* ---- records ---- */

static SUSPENDS int
copy_records(struct victim *v)
{
	struct store *s = v->store;
	int err = ERR_OK;

	v->copying = true;
	v->at = SEGMENT_FIRST_EXTENT;
	v->ended = false;
	v->copies = calloc(COPY_RECORDS, sizeof(*v->copies));
	buf_init(&v->values, COPY_BYTES);
	if (v->copies == NULL || buf_reserve(&v->values, COPY_BYTES) != ERR_OK)
		return ERR_NOMEM;
	while (err == ERR_OK && !v->ended) {
		v->copies_count = 0;
		buf_reset(&v->values);
		err = env_offload(s->env, WORK_DISK, walk_run, v, 0);
		if (err == ERR_OK && v->unread > 0)
			err = ERR_IO;
		if (err == ERR_OK && v->copies_count > 0)
			err = store_commit_all(s, v->copies, v->copies_count);
		if (err == ERR_OK && task_canceled(s->env))
			err = ERR_CANCELED;
	}
	return err;
}

/* ---- shards ---- */

struct move {
	struct store *store;
	const struct live_shard *shard;
	uint64_t segment;
	struct shard_entry entry;
	struct layout layout;
	struct descriptor descriptor;
	struct lease lease;
	uint8_t *buffer;
};

static int
get_entry(void *arg, struct index_txn *txn)
{
	struct move *m = arg;
	int err = catalog_shard(txn, &m->shard->chunk, m->shard->index, &m->entry);

	if (err == ERR_OK &&
	    (m->entry.state == SHARD_DROPPED || m->entry.place.segment != m->segment))
		err = ERR_NOT_FOUND;
	return err;
}

static int
prepare_run(void *arg)
{
	struct move *m = arg;
	struct extent_header h;
	struct trailer t;
	int err = index_read(m->store->index, get_entry, m);

	if (err != ERR_OK || m->entry.state == SHARD_UNPROVEN)
		return err == ERR_CORRUPT ? ERR_IO : err;
	must(layout_make(m->entry.k, m->entry.n, m->entry.chunk_bytes, &m->layout) == ERR_OK);
	err = shard_trailer(m->store->log, &m->entry, m->buffer, &h, &t);
	if (err == ERR_OK)
		err = descriptor_unpack(t.descriptor, &m->descriptor);
	if (err == ERR_OK)
		err = lease_read(t.lease, m->store->net, &m->lease);
	return err == ERR_INVALID || err == ERR_VERSION ? ERR_CORRUPT : err;
}

static SUSPENDS int
copy_leaves(struct move *m, struct shard_writer *w)
{
	int err = ERR_OK;

	for (uint32_t row = 0; err == ERR_OK && row < m->layout.rows;) {
		uint32_t count = MIN(m->layout.rows - row, MOVE_LEAVES);
		size_t len;

		err = store_read(
		    m->store, &m->shard->chunk, m->shard->index, row, count, m->buffer, &len);
		if (err == ERR_OK)
			err = shard_append(w, m->buffer, count);
		row += count;
	}
	return err;
}

static SUSPENDS int
move_prepared(struct move *m)
{
	struct shard_writer *w;
	int err = shard_begin_moving(m->store, &m->layout, m->shard->index, &w);

	if (err != ERR_OK)
		return err;
	err = copy_leaves(m, w);
	if (err != ERR_OK) {
		shard_abort(w);
		return err;
	}
	return shard_commit_moved(w, &m->descriptor, &m->lease, &m->entry);
}

/* ERR_OK as well when it is not there any more. */
static SUSPENDS int
move_shard(struct victim *v, const struct live_shard *shard)
{
	struct store *s = v->store;
	struct move *m = calloc(1, sizeof(*m));
	int err = ERR_NOMEM;

	if (m == NULL)
		return ERR_NOMEM;
	m->store = s;
	m->shard = shard;
	m->segment = v->info.id;
	m->buffer = store_buffer_get(s);
	if (m->buffer != NULL)
		err = env_offload(s->env, WORK_DISK, prepare_run, m, 0);
	if (err == ERR_OK && m->entry.state == SHARD_UNPROVEN) {
		err = store_prove(s, &shard->chunk, &m->entry);
		if (err == ERR_OK)
			err = env_offload(s->env, WORK_DISK, prepare_run, m, 0);
	}
	if (err == ERR_OK)
		err = move_prepared(m);
	store_buffer_put(s, m->buffer);
	free(m);
	/* Whatever went wrong while it was copied: dropped is only what is really bad. */
	if (err == ERR_CORRUPT) {
		err = store_verify(s, &shard->chunk, shard->index);
		if (err == ERR_OK)
			return ERR_IO;
	}
	if (err == ERR_CORRUPT) {
		log_error(
		    s->env, "store %s: a shard has gone bad on the disk and is dropped", s->dir);
		err = store_drop(s, &shard->chunk, shard->index);
		if (err == ERR_OK)
			store_lost(s, &shard->chunk, shard->index);
	}
	return err == ERR_NOT_FOUND || err == ERR_STALE ? ERR_OK : err;
}

/* ---- the whole ---- */

static int
remove_run(void *arg)
{
	struct victim *v = arg;

	return seglog_remove(v->store->log, v->info.id);
}

static SUSPENDS int
retire(struct victim *v)
{
	struct store *s = v->store;
	struct commit c = { .kind = COMMIT_RETIRE, .segment = v->info.id };
	int err = store_commit(s, &c);

	if (err != ERR_OK)
		return err;
	store_readers_drain(s);
	return env_offload(s->env, WORK_DISK, remove_run, v, 0);
}

static SUSPENDS int
compact(struct victim *v, uint64_t *gained)
{
	struct store *s = v->store;
	uint64_t dead;
	int err = ERR_OK;

	v->at = SEGMENT_FIRST_EXTENT;
	while (err == ERR_OK && !v->ended)
		err = env_offload(s->env, WORK_DISK, walk_run, v, 0);
	if (err == ERR_OK)
		err = env_offload(s->env, WORK_DISK, note_run, v, 0);
	if (err != ERR_OK)
		return err;
	dead = v->info.bytes - MIN(v->info.bytes, v->live_bytes);
	/* What the disk does not give cannot be copied, and may count: the segment stays. */
	if (v->unread > 0 || dead < v->info.bytes / 100 * worth_percent(v)) {
		spare(s, v->info.id);
		return ERR_OK;
	}
	for (size_t i = 0; err == ERR_OK && i < v->shards_count; i++)
		err = task_canceled(s->env) ? ERR_CANCELED : move_shard(v, &v->shards[i]);
	/* One that the disk does not give holds the segment: others come first for a while. */
	if (err == ERR_IO)
		spare(s, v->info.id);
	/* Last: a shard that has moved has left, while records copied again lie there twice. */
	if (err == ERR_OK)
		err = copy_records(v);
	if (err == ERR_OK)
		err = retire(v);
	if (err == ERR_OK)
		*gained = dead;
	return err;
}

int
store_compact(struct store *s, uint64_t *gained)
{
	struct victim v = { .store = s };
	int err;

	*gained = 0;
	if (s->compacting)
		return ERR_BUSY;
	s->compacting = true;
	prepare_choice(&v);
	err = store_ready(s);
	if (err == ERR_OK)
		err = env_offload(s->env, WORK_DISK, choose_run, &v, 0);
	if (err == ERR_OK && v.dead > 0)
		err = compact(&v, gained);
	if (err == ERR_OK && *gained > 0) {
		s->status.compactions++;
		s->status.compacted_bytes += *gained;
	}
	free(v.shards);
	free(v.copies);
	buf_fini(&v.values);
	s->compacting = false;
	return err;
}
