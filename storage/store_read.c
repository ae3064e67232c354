/*
 * Reading shards. One work looks the shard up and reads it, so that a read costs one wake-up. What
 * recovery has found and nobody has read since is proven first (store_prove).
 *
 * How it can fail: what the index says and the file does not hold is ERR_CORRUPT, what the disk
 * refuses ERR_IO. Damage of the index itself is ERR_IO too: it says nothing about a shard.
 */
#include "storage/store_impl.h"

/* What work on one shard needs; the rest of the struct is the caller's. */
struct shard_read {
	struct store *store;
	struct hash chunk;
	uint8_t index;
	struct shard_entry entry;
	struct layout layout;
};

static int
look_up(void *arg, struct index_txn *txn)
{
	struct shard_read *r = arg;
	int err = catalog_shard(txn, &r->chunk, r->index, &r->entry);

	if (err == ERR_OK && r->entry.state == SHARD_DROPPED)
		err = ERR_NOT_FOUND;
	return err;
}

/* In a worker: finds the entry of a shard. */
static int
find_entry(struct shard_read *r)
{
	int err = index_read(r->store->index, look_up, r);

	if (err == ERR_CORRUPT)
		return ERR_IO;
	if (err != ERR_OK)
		return err;
	must(layout_make(r->entry.k, r->entry.n, r->entry.chunk_bytes, &r->layout) == ERR_OK);
	return ERR_OK;
}

/* ---- readers: what they looked up stays readable until they have ended ---- */

unsigned
store_reader_begin(struct store *s)
{
	s->readers[s->epoch % 2]++;
	return s->epoch % 2;
}

void
store_reader_end(struct store *s, unsigned which)
{
	must(s->readers[which] > 0);
	s->readers[which]--;
}

static void
reader_wait_over(void *arg)
{
	wait_wake(arg, ERR_OK);
}

void
store_readers_drain(struct store *s)
{
	unsigned old = s->epoch++ % 2;

	/* A read takes milliseconds; who is cancelled here still may not pull the file away. */
	while (s->readers[old] > 0) {
		struct wait w;
		struct timer t;

		wait_init(&w);
		timer_init(&t, s->env, reader_wait_over, &w);
		timer_start(&t, MILLISECONDS(5));
		wait_always(s->env, &w);
	}
}

/*
 * Runs a work on a shard, which calls find_entry and returns at once when it is unproven; then
 * proves it and runs the work once more.
 */
static SUSPENDS int
run_on_shard(struct shard_read *r, int (*work)(void *arg), void *arg)
{
	struct store *s = r->store;
	unsigned reader = store_reader_begin(s);
	int err = env_offload(s->env, WORK_DISK, work, arg, 0);

	if (err == ERR_OK && r->entry.state == SHARD_UNPROVEN) {
		err = store_prove(s, &r->chunk, &r->entry);
		if (err == ERR_OK)
			err = env_offload(s->env, WORK_DISK, work, arg, 0);
	}
	store_reader_end(s, reader);
	return err;
}

/* ---- frames ---- */

/* A file that ends too soon or is gone: the shard is damaged. */
static int
read_block(struct seglog *log, struct place at, uint8_t *dst, size_t len)
{
	int err = seglog_read(log, at, dst, len);

	return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

int
shard_trailer(struct seglog *log, const struct shard_entry *e, uint8_t *buffer,
    struct extent_header *h, struct trailer *out)
{
	struct segment_info info;
	struct layout l;
	int err;

	must(layout_make(e->k, e->n, e->chunk_bytes, &l) == ERR_OK);
	if (!seglog_find(log, e->place.segment, &info) || info.damaged)
		return ERR_CORRUPT;
	*h = (struct extent_header){ .kind = EXTENT_SHARD,
		.place = e->place,
		.generation = info.generation,
		.bytes = extent_shard_bytes(&l),
		.payload_bytes = l.shard_bytes,
		.index = e->index,
		.k = e->k,
		.n = e->n,
		.chunk_bytes = e->chunk_bytes };

	struct place at = { e->place.segment, e->place.offset + extent_trailer_offset(&l) };
	size_t len = h->bytes - extent_trailer_offset(&l);

	err = read_block(log, at, buffer, len);
	return err == ERR_OK ? trailer_unpack(bytes_of(buffer, len), h, out) : err;
}

int
shard_check_entry(struct seglog *log, const struct hash *chunk, const struct shard_entry *e,
    uint8_t *frame, uint8_t *buffer)
{
	struct extent_header expected, h;
	struct segment_info info;
	struct trailer t;
	struct hash name;
	int err = read_block(log, e->place, frame, SEGMENT_BLOCK);

	if (err == ERR_OK && !seglog_find(log, e->place.segment, &info))
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		err = extent_header_unpack(frame, e->place, info.generation, info.bytes, &h);
	if (err == ERR_OK)
		err = shard_trailer(log, e, frame, &expected, &t);
	if (err == ERR_OK && (h.k != e->k || h.n != e->n || h.index != e->index ||
				 h.chunk_bytes != e->chunk_bytes || t.order != e->order))
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		err = shard_check(log, &h, &t, buffer, &name);
	if (err == ERR_OK && !hash_equal(&name, chunk))
		err = ERR_CORRUPT;
	return err == ERR_VERSION || err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
}

struct check_work {
	struct store *store;
	const struct hash *chunk;
	struct shard_entry entry;
	uint8_t *frame, *buffer;
};

static int
check_run(void *arg)
{
	struct check_work *c = arg;

	return shard_check_entry(c->store->log, c->chunk, &c->entry, c->frame, c->buffer);
}

/* shard_check_entry with buffers from the store, in a worker. */
static SUSPENDS int
check_shard(struct store *s, const struct hash *chunk, const struct shard_entry *e)
{
	struct check_work c = { .store = s, .chunk = chunk, .entry = *e };
	int err = ERR_NOMEM;

	c.frame = store_buffer_get(s);
	c.buffer = store_buffer_get(s);
	if (c.frame != NULL && c.buffer != NULL)
		err = env_offload(s->env, WORK_DISK, check_run, &c, 0);
	store_buffer_put(s, c.frame);
	store_buffer_put(s, c.buffer);
	return err;
}

int
store_prove(struct store *s, const struct hash *chunk, const struct shard_entry *e)
{
	struct commit c = { .kind = COMMIT_PROOF, .shard = *e, .record.chunk = *chunk };
	int err = check_shard(s, chunk, e);

	if (err != ERR_OK && err != ERR_CORRUPT)
		return err;
	c.good = err == ERR_OK;
	if (!c.good)
		log_warn(s->env,
		    "store %s: a shard found by recovery is not whole: it was never "
		    "confirmed, or has rotted",
		    s->dir);
	err = s->read_only ? ERR_OK : store_commit(s, &c);
	if (err != ERR_OK)
		return err;
	if (c.good)
		return ERR_OK;
	if (!s->read_only)
		store_lost(s, chunk, e->index);
	return ERR_NOT_FOUND;
}

/* ---- what a chunk has here ---- */

struct find_work {
	struct store *store;
	const struct hash *chunk;
	uint8_t *indices;
	size_t cap, count;
	struct shard_entry unproven; /* the first one; state 0: none */
};

static int
list_shards(void *arg, struct index_txn *txn)
{
	struct find_work *f = arg;
	struct shard_entry e;
	unsigned next = 0;
	int err;

	f->count = 0;
	f->unproven = (struct shard_entry){ 0 };
	while ((err = catalog_next_shard(txn, f->chunk, next, &e)) == ERR_OK) {
		if (e.state == SHARD_UNPROVEN && f->unproven.state == 0)
			f->unproven = e;
		if (f->count < f->cap)
			f->indices[f->count++] = e.index;
		next = e.index + 1u;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
find_run(void *arg)
{
	struct find_work *f = arg;
	int err = index_read(f->store->index, list_shards, f);

	return err == ERR_CORRUPT ? ERR_IO : err;
}

int
store_find(struct store *s, const struct hash *chunk, uint8_t *indices, size_t cap, size_t *count)
{
	struct find_work f = { .store = s, .chunk = chunk, .indices = indices, .cap = cap };

	for (;;) {
		unsigned reader = store_reader_begin(s);
		int err = env_offload(s->env, WORK_DISK, find_run, &f, 0);
		bool prove = err == ERR_OK && f.unproven.state != 0 && !s->read_only;

		if (prove)
			err = store_prove(s, chunk, &f.unproven);
		store_reader_end(s, reader);
		if (prove && (err == ERR_OK || err == ERR_NOT_FOUND))
			continue;
		if (err == ERR_OK)
			*count = f.count;
		return err;
	}
}

static int
shard_run(void *arg)
{
	return find_entry(arg);
}

int
store_shard(struct store *s, const struct hash *chunk, uint8_t index, struct shard_info *out)
{
	struct shard_read r = { .store = s, .chunk = *chunk, .index = index };
	int err = run_on_shard(&r, shard_run, &r);

	if (err == ERR_OK)
		*out = (struct shard_info){ .chunk = *chunk,
			.index = index,
			.layout = r.layout,
			.stored_unix_s = r.entry.stored_unix_s };
	return err;
}

/* ---- trailers: descriptor and leaf hashes ---- */

struct trailer_work {
	struct shard_read read;
	uint8_t *buffer;
	struct descriptor *descriptor; /* or NULL */
	struct hash *leaves;           /* or NULL */
	uint32_t leaves_count;
};

static int
trailer_run(void *arg)
{
	struct trailer_work *w = arg;
	struct extent_header h;
	struct trailer t;
	int err = find_entry(&w->read);

	if (err != ERR_OK || w->read.entry.state == SHARD_UNPROVEN)
		return err;
	err = shard_trailer(w->read.store->log, &w->read.entry, w->buffer, &h, &t);
	if (err == ERR_OK && w->descriptor != NULL)
		err = descriptor_unpack(t.descriptor, w->descriptor);
	if (err == ERR_OK && w->leaves != NULL)
		memcpy(w->leaves, t.leaves, t.leaves_count * sizeof(t.leaves[0]));
	if (err == ERR_OK)
		w->leaves_count = t.leaves_count;
	return err == ERR_INVALID || err == ERR_VERSION ? ERR_CORRUPT : err;
}

static SUSPENDS int
read_trailer(struct trailer_work *w)
{
	struct store *s = w->read.store;
	int err = ERR_NOMEM;

	w->buffer = store_buffer_get(s);
	if (w->buffer != NULL)
		err = run_on_shard(&w->read, trailer_run, w);
	store_buffer_put(s, w->buffer);
	return err;
}

int
store_descriptor(struct store *s, const struct hash *chunk, struct descriptor *out)
{
	struct trailer_work w = { .read = { .store = s, .chunk = *chunk }, .descriptor = out };
	uint8_t indices[SHARDS_MAX];
	size_t count;
	int err = store_find(s, chunk, indices, sizeof(indices), &count);

	if (err != ERR_OK)
		return err;
	err = ERR_NOT_FOUND;
	for (size_t i = 0; i < count; i++) {
		w.read.index = indices[i];
		err = read_trailer(&w);
		if (err == ERR_OK)
			break;
	}
	return err;
}

int
store_leaf_hashes(
    struct store *s, const struct hash *chunk, uint8_t index, struct hash *out, uint32_t *count)
{
	struct trailer_work w = { .read = { .store = s, .chunk = *chunk, .index = index },
		.leaves = out };
	int err = read_trailer(&w);

	if (err == ERR_OK)
		*count = w.leaves_count;
	return err;
}

/* ---- leaves ---- */

struct leaves_work {
	struct shard_read read;
	uint32_t first, count;
	uint8_t *dst;
	size_t len;
};

static int
leaves_run(void *arg)
{
	struct leaves_work *w = arg;
	const struct layout *l = &w->read.layout;
	const struct shard_entry *e = &w->read.entry;
	int err = find_entry(&w->read);

	if (err != ERR_OK || e->state == SHARD_UNPROVEN)
		return err;
	if (w->count == 0 || w->first >= l->rows || w->count > l->rows - w->first)
		return ERR_INVALID;

	uint64_t offset = (uint64_t)w->first * LEAF_BYTES;
	struct place at = { e->place.segment, e->place.offset + SEGMENT_BLOCK + offset };

	w->len =
	    (size_t)(w->count - 1) * LEAF_BYTES + layout_leaf_bytes(l, w->first + w->count - 1);
	return read_block(w->read.store->log, at, w->dst, block_ceil(w->len));
}

int
store_read(struct store *s, const struct hash *chunk, uint8_t index, uint32_t first, uint32_t count,
    uint8_t *dst, size_t *len)
{
	struct leaves_work w = { .read = { .store = s, .chunk = *chunk, .index = index },
		.first = first,
		.count = count,
		.dst = dst };
	int err;

	must((uintptr_t)dst % DISK_ALIGN == 0);
	err = run_on_shard(&w.read, leaves_run, &w);
	if (err == ERR_OK)
		*len = w.len;
	return err;
}

int
store_verify(struct store *s, const struct hash *chunk, uint8_t index)
{
	struct shard_read r = { .store = s, .chunk = *chunk, .index = index };
	unsigned reader = store_reader_begin(s);
	int err = env_offload(s->env, WORK_DISK, shard_run, &r, 0);

	if (err == ERR_OK && r.entry.state == SHARD_UNPROVEN) {
		err = store_prove(s, chunk, &r.entry);
	} else if (err == ERR_OK) {
		err = check_shard(s, chunk, &r.entry);
		s->status.rot += err == ERR_CORRUPT;
	}
	store_reader_end(s, reader);
	return err;
}
