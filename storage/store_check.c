/*
 * The offline check: walks every segment, reads every leaf, builds a catalog of its own in
 * memory from what is whole, and compares the index with it. Works in steps, so that findings and
 * progress come to the loop while it runs.
 *
 * What is no finding: extents that were never finished, and shards that recovery has found and
 * whose leaves were never written as a whole; nobody was told that they are kept.
 */
#include "storage/store_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "storage/recover.h"
#include "storage/store_impl.h"

#define STEP_BYTES MIB(64) /* a moment's work even on a slow disk */
#define LINES_MAX  64      /* of one step; it ends early when they are full */
#define LINE_BYTES 192

struct check {
	const struct store_opts *opts;
	struct file *lock;
	struct seglog *log;
	struct index *own;   /* from the segments */
	struct index *index; /* the store's; NULL: there is none */
	struct catalog_meta own_meta, index_meta;
	uint8_t *buffer;
	size_t segment; /* the next one to begin */
	bool walking;
	struct segwalk walk;
	uint64_t done, total;
	bool finished;
	struct store_check_result result;
	char lines[LINES_MAX][LINE_BYTES];
	size_t lines_count;
};

__attribute__((format(printf, 2, 3))) static void
find(struct check *c, const char *fmt, ...)
{
	va_list ap;

	if (c->lines_count == LINES_MAX)
		return; /* counted all the same */
	va_start(ap, fmt);
	vsnprintf(c->lines[c->lines_count++], LINE_BYTES, fmt, ap);
	va_end(ap);
}

static void
find_at(struct check *c, struct place at, const char *what)
{
	find(c, "segment %llu, offset %llu: %s", (unsigned long long)at.segment,
	    (unsigned long long)at.offset, what);
}

/* ---- one extent ---- */

struct merge {
	struct check *check;
	const struct found *found;
	struct hash chunk;
	/* What the store's index says of a shard that is not whole. */
	struct shard_entry known;
};

static int
get_known(void *arg, struct index_txn *txn)
{
	struct merge *m = arg;

	return catalog_shard(txn, &m->chunk, m->found->trailer.index, &m->known);
}

/* True when somebody was told that this shard is kept. */
static bool
was_confirmed(struct merge *m)
{
	const struct found *f = m->found;

	crypto_sha256(&m->chunk, f->trailer.descriptor.data, f->trailer.descriptor.len);
	if (m->check->index == NULL)
		return true; /* cannot be told: better one finding too many */
	return index_read(m->check->index, get_known, m) == ERR_OK &&
	       m->known.state == SHARD_LIVE && m->known.order == f->trailer.order;
}

static int
merge_shard(void *arg, struct index_txn *txn)
{
	struct merge *m = arg;

	return recover_add_shard(txn, &m->chunk, m->found, SHARD_LIVE);
}

static int
merge_records(void *arg, struct index_txn *txn)
{
	struct merge *m = arg;
	struct bytes left = m->found->records;
	struct record r;
	int err;

	while ((err = record_unpack(&left, &r)) == ERR_OK) {
		err = catalog_add_record(txn, &r);
		if (err != ERR_OK && err != ERR_STALE)
			return err;
	}
	return err == ERR_END ? ERR_OK : err;
}

static int
check_shard_extent(struct check *c, const struct found *f)
{
	struct merge m = { .check = c, .found = f };
	int err = shard_check(c->log, &f->header, &f->trailer, c->buffer, &m.chunk);

	if (err == ERR_OK) {
		c->result.bytes += f->header.payload_bytes;
		return index_update(c->own, merge_shard, &m);
	}
	if (err == ERR_NOMEM)
		return err;
	if (was_confirmed(&m)) {
		c->result.bad_shards++;
		find_at(c, f->header.place, "a shard fails its hashes");
	} else {
		c->result.dead_extents++;
	}
	return ERR_OK;
}

static int
check_extent(struct check *c, const struct found *f)
{
	struct merge m = { .check = c, .found = f };
	int err;

	switch (f->kind) {
	case FOUND_SHARD:
		return check_shard_extent(c, f);
	case FOUND_RECORDS:
		err = index_update(c->own, merge_records, &m);
		if (err != ERR_CORRUPT && err != ERR_VERSION)
			return err;
		c->result.bad_records++;
		find_at(c, f->header.place, "records that cannot be read");
		return ERR_OK;
	case FOUND_DEAD:
		c->result.dead_extents++;
		return ERR_OK;
	}
	return ERR_OK;
}

/* ---- the index against the segments ---- */

struct compare {
	struct check *check;
	struct index *other;
	bool other_is_index; /* else: the own catalog */
	/* of the entry looked at */
	struct hash chunk;
	struct shard_entry entry, found;
};

static int
get_other(void *arg, struct index_txn *txn)
{
	struct compare *q = arg;

	return catalog_shard(txn, &q->chunk, q->entry.index, &q->found);
}

static void
compare_entry(struct compare *q)
{
	struct check *c = q->check;
	bool same = index_read(q->other, get_other, q) == ERR_OK &&
		    q->found.state != SHARD_DROPPED && q->found.order == q->entry.order;

	if (same)
		return;
	if (!q->other_is_index) {
		c->result.index_stray++;
		find_at(c, q->entry.place, "the index names a shard that is not whole here");
	} else if (place_compare(q->entry.place, c->index_meta.position) < 0) {
		c->result.index_missing++;
		find_at(c, q->entry.place, "a shard that the index does not know");
	}
}

/* Every live shard of one catalog against the other. */
static int
compare_all(void *arg, struct index_txn *txn)
{
	struct compare *q = arg;
	int err;

	memset(&q->chunk, 0, sizeof(q->chunk));
	while ((err = catalog_next_chunk(txn, &q->chunk, &q->chunk)) == ERR_OK) {
		unsigned next = 0;

		while ((err = catalog_next_shard(txn, &q->chunk, next, &q->entry)) == ERR_OK) {
			if (q->entry.state == SHARD_LIVE)
				compare_entry(q);
			next = q->entry.index + 1u;
		}
		if (err != ERR_NOT_FOUND)
			return err;
		if (!catalog_hash_next(&q->chunk))
			break;
	}
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static int
count_leases(void *arg, struct index_txn *txn)
{
	struct check *c = arg;
	struct hash chunk = { { 0 } };

	while (catalog_next_leased(txn, &chunk, &chunk) == ERR_OK) {
		struct lease_entry e;
		struct pubkey after;

		for (bool first = true;
		     catalog_next_lease(txn, &chunk, first ? NULL : &after, &e) == ERR_OK;
		     first = false) {
			after = e.key;
			c->result.leases += e.packed.len > 0;
		}
		if (!catalog_hash_next(&chunk))
			break;
	}
	return catalog_meta(txn, &c->own_meta);
}

static int
check_index(struct check *c)
{
	struct compare forward = { .check = c, .other = c->index, .other_is_index = true };
	struct compare back = { .check = c, .other = c->own };
	int err = index_read(c->own, count_leases, c);

	c->result.shards = c->own_meta.shards;
	if (err != ERR_OK)
		return err;
	if (c->index == NULL) {
		if (!c->opts->index_in_memory)
			find(c, "there is no index: the next start rebuilds it");
		return ERR_OK;
	}
	err = index_read(c->own, compare_all, &forward);
	if (err == ERR_OK)
		err = index_read(c->index, compare_all, &back);
	if (err == ERR_CORRUPT) {
		find(c, "the index is damaged: remove it, the next start rebuilds it");
		c->result.index_stray++;
		err = ERR_OK;
	}
	return err;
}

/* ---- steps, in a worker ---- */

/* Begins the walk of the next segment; false when there is none. */
static int
next_segment(struct check *c, bool *more)
{
	struct segment_info info;

	*more = seglog_segment(c->log, c->segment, &info);
	if (!*more)
		return ERR_OK;
	c->segment++;
	c->result.segments++;
	if (info.damaged) {
		c->result.bad_records++;
		find(c, "segment %llu: both headers are damaged", (unsigned long long)info.id);
		c->done += info.bytes;
		return ERR_OK;
	}
	c->walking = true;
	return segwalk_begin(&c->walk, c->log, info.id, SEGMENT_FIRST_EXTENT);
}

static void
end_segment(struct check *c)
{
	if (c->walk.bad_ranges > 0 || c->walk.read_errors > 0) {
		c->result.bad_records += c->walk.bad_ranges + c->walk.read_errors;
		find(c, "segment %llu: %llu stretches without a header, %llu unreadable blocks",
		    (unsigned long long)c->walk.segment.id, (unsigned long long)c->walk.bad_ranges,
		    (unsigned long long)c->walk.read_errors);
	}
	segwalk_end(&c->walk);
	c->walking = false;
}

static int
step(void *arg)
{
	struct check *c = arg;
	uint64_t until = c->done + STEP_BYTES;
	bool more = true;

	while (c->done < until && c->lines_count < LINES_MAX / 2) {
		struct found f;
		uint64_t before;
		int err = ERR_OK;

		if (!c->walking) {
			err = next_segment(c, &more);
			if (err == ERR_OK && !more) {
				c->finished = true;
				return check_index(c);
			}
			if (err != ERR_OK)
				return err;
			continue;
		}
		before = segwalk_position(&c->walk);
		err = segwalk_next(&c->walk, &f);
		c->done += segwalk_position(&c->walk) - before;
		if (err == ERR_END)
			end_segment(c);
		else
			err = check_extent(c, &f);
		if (err != ERR_OK && err != ERR_END)
			return err;
	}
	return ERR_OK;
}

/* ---- opening ---- */

static int
set_meta(void *arg, struct index_txn *txn)
{
	return catalog_set_meta(txn, arg);
}

static int
get_meta(void *arg, struct index_txn *txn)
{
	return catalog_meta(txn, arg);
}

static int
open_store_index(struct check *c)
{
	char path[STORE_PATH_MAX + 8];
	struct index_lmdb_opts opts = {
		.disk = c->opts->env->disk, .dir = path, .read_only = true
	};
	int err;

	if (c->opts->index_in_memory)
		return ERR_OK;
	snprintf(path, sizeof(path), "%s/index", c->opts->dir);
	err = index_lmdb_open(&opts, &c->index);
	if (err == ERR_OK)
		err = index_read(c->index, get_meta, &c->index_meta);
	if (err == ERR_OK)
		return ERR_OK;
	if (err != ERR_NOT_FOUND) {
		find(c, "the index cannot be read (%s): remove it, the next start rebuilds it",
		    err_text(err));
		c->result.index_stray++;
	}
	index_close(c->index);
	c->index = NULL;
	return ERR_OK;
}

static int
open_all(void *arg)
{
	struct check *c = arg;
	const struct store_opts *o = c->opts;
	struct seglog_opts opts = { .disk = o->env->disk,
		.dir = o->dir,
		.net = o->net,
		.segment_bytes = SEGMENT_BYTES,
		.read_only = true };
	char path[STORE_PATH_MAX + 8];
	struct segment_info info;
	uint16_t version = 0;
	int err;

	snprintf(path, sizeof(path), "%s/lock", o->dir);
	err = disk_lock(o->env->disk, path, &c->lock);
	if (err == ERR_OK)
		err = seglog_open(&opts, &version, &c->log);
	if (err == ERR_OK)
		err = index_mem_new(&c->own);
	if (err == ERR_OK)
		err = index_update(c->own, set_meta, &c->own_meta);
	if (err == ERR_OK)
		err = open_store_index(c);
	for (size_t i = 0; err == ERR_OK && seglog_segment(c->log, i, &info); i++)
		c->total += info.bytes;
	return err;
}

static int
close_all(void *arg)
{
	struct check *c = arg;

	if (c->walking)
		segwalk_end(&c->walk);
	index_close(c->own);
	index_close(c->index);
	seglog_close(c->log);
	if (c->lock != NULL)
		file_close(c->lock);
	return ERR_OK;
}

int
store_check(const struct store_opts *opts, void (*report)(void *arg, const char *line),
    void (*progress)(void *arg, uint64_t done, uint64_t total), void *arg,
    struct store_check_result *out)
{
	struct check *c = calloc(1, sizeof(*c));
	int err;

	if (c == NULL)
		return ERR_NOMEM;
	if (strlen(opts->dir) >= STORE_PATH_MAX) {
		free(c);
		return ERR_TOO_BIG;
	}
	c->opts = opts;
	c->own_meta.order = 1;
	c->buffer = aligned_alloc(DISK_ALIGN, SHARD_CHECK_BYTES);
	err = c->buffer == NULL ? ERR_NOMEM : env_offload(opts->env, WORK_DISK, open_all, c, 0);
	while (err == ERR_OK && !c->finished) {
		err = env_offload(opts->env, WORK_DISK, step, c, STEP_BYTES);
		for (size_t i = 0; i < c->lines_count && report != NULL; i++)
			report(arg, c->lines[i]);
		c->lines_count = 0;
		if (progress != NULL)
			progress(arg, MIN(c->done, c->total), c->total);
	}
	if (err == ERR_OK)
		*out = c->result;
	env_offload(opts->env, WORK_DISK, close_all, c, 0);
	free(c->buffer);
	free(c);
	return err;
}
