/*
 * A shard on its way to the disk: room and header (begin), leaves (append), trailer and group
 * commit (commit).
 *
 * Begins are gathered like commits: the first leads, takes all that wait, and one work reserves
 * their extents and writes their headers, under the gate, so that a header is on its way before any
 * later extent begins and recovery can always step over an unfinished one.
 *
 * Leaves go from the caller's buffer to the file in one write when it is aligned; the last,
 * partial block and unaligned buffers go through the writer's scratch.
 *
 * How it can fail: a failed write loses this shard only. After the store has recovered from a
 * failed sync every writer that was open is lost (ERR_IO): its earlier leaves may be.
 */
#include <stdlib.h>

#include "storage/store_impl.h"

/* ---- writers ---- */

static struct shard_writer *
writer_new(struct store *s)
{
	struct shard_writer *w = s->spare_writers;
	struct hash *leaves;
	uint8_t *scratch;

	if (w != NULL) {
		s->spare_writers = w->next;
		s->spare_writers_count--;
		leaves = w->leaves;
		scratch = w->scratch;
	} else {
		w = malloc(sizeof(*w));
		leaves = malloc(LEAVES_MAX * sizeof(struct hash));
		scratch = aligned_alloc(DISK_ALIGN, LEAF_BYTES);
		if (w == NULL || leaves == NULL || scratch == NULL) {
			free(w);
			free(leaves);
			free(scratch);
			return NULL;
		}
	}
	*w = (struct shard_writer){ .store = s, .leaves = leaves, .scratch = scratch };
	return w;
}

static void
writer_destroy(struct shard_writer *w)
{
	free(w->leaves);
	free(w->scratch);
	free(w);
}

static void
writer_free(struct shard_writer *w)
{
	struct store *s = w->store;

	writer_unlist(w);
	s->writers_count--;
	if (s->spare_writers_count >= SPARE_WRITERS) {
		writer_destroy(w);
		return;
	}
	w->next = s->spare_writers;
	s->spare_writers = w;
	s->spare_writers_count++;
}

void
store_writers_fini(struct store *s)
{
	must(s->writers_count == 0 && s->writers == NULL);
	while (s->spare_writers != NULL) {
		struct shard_writer *w = s->spare_writers;

		s->spare_writers = w->next;
		writer_destroy(w);
	}
}

static void
writer_list(struct shard_writer *w)
{
	struct store *s = w->store;

	w->listed = true;
	w->next = NULL;
	w->prev = s->writers_tail;
	if (w->prev != NULL)
		w->prev->next = w;
	else
		s->writers = w;
	s->writers_tail = w;
}

void
writer_unlist(struct shard_writer *w)
{
	struct store *s = w->store;

	if (!w->listed)
		return;
	w->listed = false;
	if (w->prev != NULL)
		w->prev->next = w->next;
	else
		s->writers = w->next;
	if (w->next != NULL)
		w->next->prev = w->prev;
	else
		s->writers_tail = w->prev;
}

/* ---- begin ---- */

struct begin {
	struct shard_writer *writer;
	struct wait wait;
	struct begin *next;
	struct seglog_fresh fresh;
	int result;
	bool settled;
};

/* All begins that one work handles. */
struct begin_group {
	struct store *store;
	struct begin *first;
	int failed; /* ends the group: the disk has refused a write */
	uint64_t disk_free;
	bool disk_low;
};

static int
write_header(struct seglog *log, struct shard_writer *w)
{
	struct extent_header h = { .kind = EXTENT_SHARD,
		.place = w->extent.place,
		.generation = w->extent.generation,
		.number = w->extent.number,
		.bytes = w->extent_bytes,
		.payload_bytes = w->layout.shard_bytes,
		.index = w->index,
		.k = w->layout.k,
		.n = w->layout.n,
		.chunk_bytes = w->layout.chunk_bytes };

	extent_header_pack(&h, w->scratch);
	memset(w->scratch + EXTENT_HEADER_BYTES, 0, SEGMENT_BLOCK - EXTENT_HEADER_BYTES);
	return seglog_write(log, w->extent.place, w->scratch, SEGMENT_BLOCK);
}

/* Room on the disk for this extent and the reserve behind it? */
static int
check_room(struct begin_group *g, uint64_t extent_bytes)
{
	struct store *s = g->store;
	uint64_t need = s->reserve;
	struct disk_space space;
	int err = disk_space(s->env->disk, s->dir, &space);

	if (err != ERR_OK)
		return err;
	if (seglog_would_roll(s->log, extent_bytes))
		need += s->segment_bytes;
	g->disk_free = space.free_bytes;
	g->disk_low = space.free_bytes < need;
	return g->disk_low ? ERR_FULL : ERR_OK;
}

static int
begin_one(struct begin_group *g, struct begin *b)
{
	struct seglog *log = g->store->log;
	struct shard_writer *w = b->writer;
	int err = w->moves ? ERR_OK : check_room(g, w->extent_bytes);

	if (err == ERR_OK)
		err = seglog_reserve(log, w->extent_bytes, &b->fresh, &w->extent);
	if (err != ERR_OK)
		return err;
	err = write_header(log, w);
	/* Whether the header is there is unknown then: nothing may follow it in its segment. */
	if (err != ERR_OK) {
		seglog_seal(log);
		g->failed = err;
	}
	return err;
}

static int
begin_run(void *arg)
{
	struct begin_group *g = arg;

	for (struct begin *b = g->first; b != NULL; b = b->next)
		b->result = g->failed != ERR_OK ? g->failed : begin_one(g, b);
	return ERR_OK;
}

/* Takes all that wait through the disk. Their tasks sleep meanwhile, so their structs stay. */
static SUSPENDS void
run_begins(struct store *s)
{
	struct begin_group g = { .store = s };

	gate_enter(s->env, &s->gate);
	g.first = s->begins;
	g.failed = s->failed;
	s->begins = s->begins_tail = NULL;
	env_offload(s->env, WORK_DISK, begin_run, &g, 0);
	for (struct begin *b = g.first, *next; b != NULL; b = next) {
		next = b->next;
		if (b->result == ERR_OK)
			writer_list(b->writer);
		b->settled = true;
		wait_wake(&b->wait, b->result);
	}
	s->head = seglog_head(s->log).segment != 0 ? seglog_head(s->log) : s->head;
	if (g.disk_free != 0)
		s->disk_free = g.disk_free;
	s->disk_low = g.disk_low;
	gate_leave(&s->gate);
}

/* Runs b with the others that come along; its result. */
static SUSPENDS int
begin_through(struct store *s, struct begin *b)
{
	wait_init(&b->wait);
	if (s->begins_tail != NULL)
		s->begins_tail->next = b;
	else
		s->begins = b;
	s->begins_tail = b;
	if (s->beginning && wait_always(s->env, &b->wait) != LEAD)
		return b->result;
	s->beginning = true;
	while (!b->settled)
		run_begins(s);
	if (s->begins != NULL)
		wait_wake(&s->begins->wait, LEAD);
	else
		s->beginning = false;
	return b->result;
}

static SUSPENDS int
begin_shard(struct store *s, const struct layout *layout, uint8_t index, bool moves,
    struct shard_writer **out)
{
	uint64_t bytes = extent_shard_bytes(layout);
	struct begin b = { .fresh = store_fresh(s) };
	int err;

	must(!s->read_only && index < layout->n);
	if (bytes > s->segment_bytes - SEGMENT_FIRST_EXTENT)
		return ERR_TOO_BIG;
	if (s->writers_count >= STORE_WRITERS_MAX)
		return ERR_BUSY;
	if (!moves && seglog_used(s->log) + s->begin_bytes + bytes > s->capacity)
		return ERR_FULL;
	b.writer = writer_new(s);
	if (b.writer == NULL)
		return ERR_NOMEM;
	b.writer->moves = moves;
	b.writer->layout = *layout;
	b.writer->index = index;
	b.writer->extent_bytes = bytes;
	s->writers_count++;
	s->begin_bytes += bytes;
	err = store_ready(s);
	if (err == ERR_OK)
		err = begin_through(s, &b);
	s->begin_bytes -= bytes;
	if (err != ERR_OK) {
		writer_free(b.writer);
		return err;
	}
	*out = b.writer;
	return ERR_OK;
}

int
shard_begin(struct store *s, const struct layout *layout, uint8_t index, struct shard_writer **out)
{
	return begin_shard(s, layout, index, false, out);
}

int
shard_begin_moving(
    struct store *s, const struct layout *layout, uint8_t index, struct shard_writer **out)
{
	return begin_shard(s, layout, index, true, out);
}

/* ---- append ---- */

struct append {
	struct shard_writer *w;
	const uint8_t *data;
	uint32_t count;
	size_t len;
};

static int
write_at(struct shard_writer *w, uint64_t payload_offset, const uint8_t *data, size_t len)
{
	struct place at = { w->extent.place.segment,
		w->extent.place.offset + SEGMENT_BLOCK + payload_offset };

	return seglog_write(w->store->log, at, data, len);
}

/* At most LEAF_BYTES by way of the scratch, zeros up to a block. */
static int
write_staged(struct shard_writer *w, uint64_t offset, const uint8_t *data, size_t len)
{
	size_t whole = block_ceil(len);

	memcpy(w->scratch, data, len);
	memset(w->scratch + len, 0, whole - len);
	return write_at(w, offset, w->scratch, whole);
}

static int
append_run(void *arg)
{
	struct append *a = arg;
	struct shard_writer *w = a->w;
	uint64_t offset = (uint64_t)w->done * LEAF_BYTES;
	int err = ERR_OK;
	size_t direct =
	    (uintptr_t)a->data % DISK_ALIGN == 0 ? a->len / SEGMENT_BLOCK * SEGMENT_BLOCK : 0;

	for (uint32_t i = 0; i < a->count; i++)
		merkle_leaf(&w->leaves[w->done + i], a->data + (size_t)i * LEAF_BYTES,
		    layout_leaf_bytes(&w->layout, w->done + i));
	if (direct > 0)
		err = write_at(w, offset, a->data, direct);
	for (size_t at = direct; at < a->len && err == ERR_OK; at += LEAF_BYTES)
		err = write_staged(w, offset + at, a->data + at, MIN(a->len - at, LEAF_BYTES));
	return err;
}

int
shard_append(struct shard_writer *w, const uint8_t *data, uint32_t count)
{
	struct store *s = w->store;
	struct append a = { .w = w, .data = data, .count = count };
	int err;

	must(!w->busy && count > 0 && count <= w->layout.rows - w->done);
	if (w->lost)
		return ERR_IO;
	if (w->failed != ERR_OK)
		return w->failed;
	a.len =
	    (size_t)(count - 1) * LEAF_BYTES + layout_leaf_bytes(&w->layout, w->done + count - 1);
	w->busy = true;
	err = env_offload(s->env, WORK_DISK, append_run, &a, a.len);
	w->busy = false;
	w->done += count;
	w->failed = err;
	return err;
}

/* ---- commit ---- */

/* BEHIND: a drop has come with a later order, which would count. From UNPROVEN on: once more. */
enum finish_outcome { FINISH_WRITTEN, FINISH_THERE, FINISH_UNPROVEN, FINISH_BEHIND };

struct finish {
	struct shard_writer *w;
	const struct descriptor *descriptor;
	const struct lease *lease;
	bool replace; /* what is there could not be read: a new one takes its place */
	uint64_t order, unix_s;
	enum finish_outcome outcome;
	struct shard_entry known; /* where THERE or UNPROVEN */
	size_t lease_len;         /* packed, in the scratch */
};

/* Whether the leaves written are what the descriptor promises. */
static int
check_root(const struct finish *f)
{
	const struct shard_writer *w = f->w;

	return merkle_check(
	    &f->descriptor->roots[w->index], w->leaves, w->layout.rows, w->layout.shard_bytes);
}

static int
look_up(void *arg, struct index_txn *txn)
{
	struct finish *f = arg;
	struct lease_rank new = lease_rank(f->lease);
	struct lease_entry lease;
	int err = catalog_lease(txn, &f->w->chunk, &f->lease->key, &lease);

	if (err == ERR_OK && lease_supersedes(lease.rank, new))
		return lease_follows(new, lease.rank);
	if (err == ERR_OK || err == ERR_NOT_FOUND)
		err = catalog_shard(txn, &f->w->chunk, f->w->index, &f->known);
	if (err == ERR_OK && f->known.state == SHARD_DROPPED && f->known.order >= f->order)
		f->outcome = FINISH_BEHIND;
	else if (err == ERR_NOT_FOUND || (err == ERR_OK && f->known.state == SHARD_DROPPED))
		f->outcome = FINISH_WRITTEN;
	else if (err == ERR_OK)
		f->outcome = f->known.state == SHARD_UNPROVEN ? FINISH_UNPROVEN : FINISH_THERE;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
write_trailer(struct finish *f)
{
	struct shard_writer *w = f->w;
	uint8_t *descriptor = w->scratch + SCRATCH_DESCRIPTOR, *lease = w->scratch + SCRATCH_LEASE;
	struct trailer t = { .place = w->extent.place,
		.generation = w->extent.generation,
		.index = w->index,
		.order = f->order,
		.stored_unix_s = f->unix_s,
		.lease_key = f->lease->key,
		.lease_generation = f->lease->generation,
		.leaves_count = w->layout.rows,
		.leaves = w->leaves };
	size_t len;

	t.descriptor = bytes_of(descriptor, descriptor_pack(f->descriptor, descriptor));
	t.lease = bytes_of(lease, f->lease_len);
	len = trailer_pack(&t, w->scratch, SCRATCH_DESCRIPTOR);

	struct place at = { w->extent.place.segment,
		w->extent.place.offset + extent_trailer_offset(&w->layout) };

	return seglog_write(w->store->log, at, w->scratch, len);
}

static int
finish_run(void *arg)
{
	struct finish *f = arg;
	int err = check_root(f);

	f->lease_len = lease_pack(f->lease, f->w->store->net, f->w->scratch + SCRATCH_LEASE);
	if (err == ERR_OK)
		err = index_read(f->w->store->index, look_up, f);
	if (err == ERR_OK && f->replace && f->outcome != FINISH_BEHIND)
		f->outcome = FINISH_WRITTEN;
	if (err == ERR_OK && f->outcome == FINISH_WRITTEN)
		err = write_trailer(f);
	return err;
}

/* Until nobody else commits the same shard: two whole copies would be one too many. */
static SUSPENDS void
claim(struct shard_writer *w)
{
	struct store *s = w->store;
	struct shard_writer *other = s->committing;

	while (other != NULL) {
		struct gate_waiter me = { 0 };

		if (other->index != w->index || !hash_equal(&other->chunk, &w->chunk)) {
			other = other->committing_next;
			continue;
		}
		wait_init(&me.wait);
		me.next = other->conflicts;
		other->conflicts = &me;
		wait_always(s->env, &me.wait);
		other = s->committing;
	}
	w->committing_next = s->committing;
	s->committing = w;
}

static void
unclaim(struct shard_writer *w)
{
	struct shard_writer **at = &w->store->committing;

	while (*at != w)
		at = &(*at)->committing_next;
	*at = w->committing_next;
	while (w->conflicts != NULL) {
		struct gate_waiter *first = w->conflicts;

		w->conflicts = first->next;
		wait_wake(&first->wait, ERR_OK);
	}
}

/* The trailer is written, or the shard was there: makes that durable. */
static SUSPENDS int
commit_finished(struct finish *f)
{
	struct shard_writer *w = f->w;
	uint8_t text[LEASE_KEPT_MAX], kept[LEASE_KEPT_MAX];
	/* A trailer has room for the bare lease only: its note is a record of its own. */
	struct commit both[] = { { .writer = w }, { .kind = COMMIT_RECORD, .kept = kept } };
	struct commit *c = &both[0], *note = &both[1];
	int err;

	c->record = (struct record){ .kind = RECORD_LEASE,
		.order = f->order,
		.chunk = w->chunk,
		.lease_key = f->lease->key,
		.generation = f->lease->generation,
		.value = bytes_of(w->scratch + SCRATCH_LEASE, f->lease_len) };
	note->record = c->record;
	note->record.value = bytes_of(text, lease_keep(f->lease, w->store->net, text));
	if (f->outcome == FINISH_THERE) {
		note->needs_chunk = true;
		err = store_commit(w->store, note);
		return err == ERR_NOT_FOUND ? ERR_BUSY : err; /* dropped meanwhile */
	}
	if (w->lost)
		return ERR_IO;
	c->shard = (struct shard_entry){ .state = SHARD_LIVE,
		.order = f->order,
		.index = w->index,
		.k = w->layout.k,
		.n = w->layout.n,
		.place = w->extent.place,
		.chunk_bytes = w->layout.chunk_bytes,
		.stored_unix_s = f->unix_s };
	return store_commit_all(w->store, both, lease_note_empty(&f->lease->note) ? 1 : 2);
}

static SUSPENDS int
commit_claimed(struct finish *f)
{
	struct shard_writer *w = f->w;
	struct store *s = w->store;

	for (;;) {
		unsigned reader = store_reader_begin(s);
		int err;

		f->order = s->order++;
		f->unix_s = env_wall_ms(s->env) / 1000;
		err = env_offload(s->env, WORK_DISK, finish_run, f, 0);
		/* Found by recovery and never read since: whole, or no reason to give ours up? */
		if (err == ERR_OK && f->outcome == FINISH_UNPROVEN) {
			int proof = store_prove(s, &w->chunk, &f->known);

			f->replace = proof != ERR_OK && proof != ERR_NOT_FOUND;
		}
		store_reader_end(s, reader);
		if (err != ERR_OK || f->outcome < FINISH_UNPROVEN)
			return err != ERR_OK ? err : commit_finished(f);
	}
}

int
shard_commit(struct shard_writer *w, const struct descriptor *d, const struct lease *lease)
{
	struct finish f = { .w = w, .descriptor = d, .lease = lease };
	int err = w->lost ? ERR_IO : w->failed;

	must(!w->busy);
	if (err == ERR_OK && (w->done != w->layout.rows || d->k != w->layout.k ||
				 d->n != w->layout.n || d->chunk_bytes != w->layout.chunk_bytes))
		err = ERR_INVALID;
	if (err == ERR_OK) {
		descriptor_id(d, &w->chunk);
		err = hash_equal(&w->chunk, &lease->chunk) ? ERR_OK : ERR_INVALID;
	}
	if (err == ERR_OK) {
		w->busy = true;
		claim(w);
		err = commit_claimed(&f);
		unclaim(w);
	}
	writer_free(w);
	return err;
}

/* ---- moving ---- */

static int
finish_moved_run(void *arg)
{
	struct finish *f = arg;
	int err = check_root(f);

	f->lease_len = lease_pack(f->lease, f->w->store->net, f->w->scratch + SCRATCH_LEASE);
	return err == ERR_OK ? write_trailer(f) : err;
}

static SUSPENDS int
commit_moved(struct finish *f, const struct shard_entry *from)
{
	struct shard_writer *w = f->w;
	struct commit c = { .kind = COMMIT_SHARD,
		.writer = w,
		.moves = true,
		.from = from->place,
		.shard = *from };
	int err = env_offload(w->store->env, WORK_DISK, finish_moved_run, f, 0);

	if (err == ERR_OK && w->lost)
		err = ERR_IO;
	if (err != ERR_OK)
		return err;
	c.shard.state = SHARD_LIVE;
	c.shard.place = w->extent.place;
	c.record.chunk = w->chunk;
	return store_commit(w->store, &c);
}

int
shard_commit_moved(struct shard_writer *w, const struct descriptor *d, const struct lease *lease,
    const struct shard_entry *from)
{
	struct finish f = { .w = w,
		.descriptor = d,
		.lease = lease,
		.order = from->order,
		.unix_s = from->stored_unix_s };
	int err = w->lost ? ERR_IO : w->failed;

	must(!w->busy && w->done == w->layout.rows);
	if (err == ERR_OK) {
		descriptor_id(d, &w->chunk);
		w->busy = true;
		claim(w);
		err = commit_moved(&f, from);
		unclaim(w);
	}
	writer_free(w);
	return err;
}

void
shard_abort(struct shard_writer *w)
{
	if (w == NULL)
		return;
	must(!w->busy);
	writer_free(w);
}
