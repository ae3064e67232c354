/*
 * Segment files on disk. The table of segments is an array in ascending order of ids behind one
 * mutex, which is held for look-ups, for opening a file, and while the head moves, never
 * during reads, writes and syncs of data: those pin their segment, and a pinned file is not closed.
 *
 * How it can fail: creating a segment (no space, I/O) leaves no trace that matters: a file without
 * a durable header is removed now or when the store is opened again. Errors of reading and writing
 * are the caller's to judge.
 */
#include <stdio.h>
#include <stdlib.h>

#include "storage/seglog_private.h"

static void
lock(struct seglog *l)
{
	must(pthread_mutex_lock(&l->mutex) == 0);
}

static void
unlock(struct seglog *l)
{
	must(pthread_mutex_unlock(&l->mutex) == 0);
}

void
seglog_path(const struct seglog *l, uint64_t id, char out[FILE_BYTES_MAX])
{
	char name[NAME_BYTES];

	snprintf(name, sizeof(name), SEGLOG_NAME, id);
	snprintf(out, FILE_BYTES_MAX, "%s/%s", l->dir, name);
}

int
seglog_remove_file(struct seglog *l, uint64_t id)
{
	char path[FILE_BYTES_MAX];
	int err;

	seglog_path(l, id, path);
	err = disk_unlink(l->disk, path);
	return err == ERR_OK ? disk_sync_dir(l->disk, l->dir) : err;
}

/* ---- the table; mutex held ---- */

static size_t
lower(const struct seglog *l, uint64_t id)
{
	size_t lo = 0, hi = l->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->segments[mid]->id < id)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct segment *
find(const struct seglog *l, uint64_t id)
{
	size_t at = lower(l, id);

	return at < l->count && l->segments[at]->id == id ? l->segments[at] : NULL;
}

int
seglog_reserve_slot(struct seglog *l)
{
	if (l->count < l->cap)
		return ERR_OK;

	size_t cap = l->cap == 0 ? 16 : l->cap * 2;
	struct segment **grown = realloc(l->segments, cap * sizeof(struct segment *));

	if (grown == NULL)
		return ERR_NOMEM;
	l->segments = grown;
	l->cap = cap;
	return ERR_OK;
}

void
seglog_insert(struct seglog *l, struct segment *s)
{
	size_t at = lower(l, s->id);

	must(l->count < l->cap);
	memmove(l->segments + at + 1, l->segments + at, (l->count - at) * sizeof(struct segment *));
	l->segments[at] = s;
	l->count++;
	l->next_id = MAX(l->next_id, s->id + 1);
}

/* ---- open files; mutex held ---- */

void
seglog_close_file(struct seglog *l, struct segment *s)
{
	file_close(s->file);
	s->file = NULL;
	s->stale = false;
	l->files_open--;
}

/* Makes room for one more open file where an idle one can go. */
static void
evict(struct seglog *l)
{
	struct segment *oldest = NULL;

	if (l->files_open < SEGLOG_FILES_MAX)
		return;
	for (size_t i = 0; i < l->count; i++) {
		struct segment *s = l->segments[i];

		if (s->file != NULL && s->pins == 0 && s != l->head &&
		    (oldest == NULL || s->used_at < oldest->used_at))
			oldest = s;
	}
	if (oldest != NULL)
		seglog_close_file(l, oldest);
}

int
seglog_open_file(struct seglog *l, struct segment *s)
{
	unsigned flags = FILE_READ | FILE_DIRECT | (l->read_only ? 0 : FILE_WRITE);
	char path[FILE_BYTES_MAX];
	int err;

	evict(l);
	seglog_path(l, s->id, path);
	err = disk_open(l->disk, path, flags, &s->file);
	if (err == ERR_OK)
		l->files_open++;
	return err;
}

static void
unpin(struct seglog *l, struct segment *s)
{
	lock(l);
	must(s->pins > 0);
	s->pins--;
	if (s->pins == 0 && s->stale)
		seglog_close_file(l, s);
	unlock(l);
}

/* Gives a segment whose file is open and stays so until unpin. */
static int
pin(struct seglog *l, uint64_t id, struct segment **out)
{
	int err = ERR_OK;

	lock(l);

	struct segment *s = find(l, id);

	if (s == NULL)
		err = ERR_NOT_FOUND;
	else if (s->file == NULL)
		err = seglog_open_file(l, s);
	if (err == ERR_OK) {
		s->pins++;
		s->used_at = ++l->clock;
		*out = s;
	}
	unlock(l);
	return err;
}

/* ---- sight ---- */

static void
describe(const struct segment *s, struct segment_info *out)
{
	*out = (struct segment_info){ .id = s->id,
		.generation = s->generation,
		.bytes = s->bytes,
		.damaged = s->damaged,
		.unread = s->unread,
		.partial = s->partial,
		.store = s->store };
}

bool
seglog_segment(struct seglog *l, size_t i, struct segment_info *out)
{
	lock(l);

	bool there = i < l->count;

	if (there)
		describe(l->segments[i], out);
	unlock(l);
	return there;
}

bool
seglog_find(struct seglog *l, uint64_t id, struct segment_info *out)
{
	lock(l);

	const struct segment *s = find(l, id);

	if (s != NULL)
		describe(s, out);
	unlock(l);
	return s != NULL;
}

uint64_t
seglog_used(struct seglog *l)
{
	uint64_t sum = 0;

	lock(l);
	for (size_t i = 0; i < l->count; i++)
		sum += l->segments[i] == l->head ? l->head->tail : l->segments[i]->bytes;
	unlock(l);
	return sum;
}

size_t
seglog_count(struct seglog *l)
{
	lock(l);

	size_t count = l->count;

	unlock(l);
	return count;
}

struct place
seglog_head(struct seglog *l)
{
	struct place p = { 0 };

	lock(l);
	if (l->head != NULL)
		p = (struct place){ l->head->id, l->head->tail };
	unlock(l);
	return p;
}

bool
seglog_would_roll(struct seglog *l, uint64_t bytes)
{
	lock(l);

	bool roll = l->head == NULL || bytes > l->head->bytes - l->head->tail;

	unlock(l);
	return roll;
}

/* ---- the head ---- */

/* Allocates and makes durable: the file with its headers, then its name. */
static int
prepare_file(struct seglog *l, struct segment *s, const struct seglog_fresh *fresh)
{
	struct segment_header h = { .net = l->net,
		.store = fresh->store,
		.segment = s->id,
		.generation = s->generation,
		.bytes = s->bytes,
		.created_unix_s = fresh->unix_s };
	uint8_t *block = aligned_alloc(DISK_ALIGN, SEGMENT_BLOCK);
	int err;

	if (block == NULL)
		return ERR_NOMEM;
	segment_header_pack(&h, block);
	err = file_allocate(s->file, s->bytes);
	for (uint64_t at = 0; at < SEGMENT_FIRST_EXTENT && err == ERR_OK; at += SEGMENT_BLOCK)
		err = file_write(s->file, at, block, SEGMENT_BLOCK);
	if (err == ERR_OK)
		err = file_sync(s->file);
	if (err == ERR_OK)
		err = disk_sync_dir(l->disk, l->dir);
	free(block);
	return err;
}

/* Makes a new segment the head. Only here the head changes, so no lock is held during I/O. */
static int
begin_segment(struct seglog *l, const struct seglog_fresh *fresh)
{
	struct segment *s = calloc(1, sizeof(*s));
	char path[FILE_BYTES_MAX];
	int err;

	if (s == NULL)
		return ERR_NOMEM;
	s->id = l->next_id;
	s->generation = fresh->generation;
	s->store = fresh->store;
	s->bytes = l->segment_bytes;
	s->tail = SEGMENT_FIRST_EXTENT;
	seglog_path(l, s->id, path);
	err = disk_open(l->disk, path,
	    FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EXCLUSIVE | FILE_DIRECT, &s->file);
	/* A name left by a creation that failed and could not be undone: leave it behind. */
	if (err == ERR_EXISTS)
		l->next_id++;
	if (err != ERR_OK)
		goto fail_open;
	err = prepare_file(l, s, fresh);
	lock(l);
	if (err == ERR_OK)
		err = seglog_reserve_slot(l);
	if (err == ERR_OK) {
		evict(l);
		l->files_open++;
		seglog_insert(l, s);
		l->head = s;
	}
	unlock(l);
	if (err != ERR_OK)
		goto fail_prepare;
	return ERR_OK;

fail_prepare:
	file_close(s->file);
	/* What cannot be removed now has no use: it is recognised as unfinished when found. */
	(void)seglog_remove_file(l, s->id);
	l->next_id++;
fail_open:
	free(s);
	return err;
}

int
seglog_roll(struct seglog *l, const struct seglog_fresh *fresh)
{
	seglog_seal(l);
	return begin_segment(l, fresh);
}

int
seglog_reserve(
    struct seglog *l, uint64_t bytes, const struct seglog_fresh *fresh, struct extent *out)
{
	must(bytes > 0 && bytes % SEGMENT_BLOCK == 0 && !l->read_only);
	if (bytes > l->segment_bytes - SEGMENT_FIRST_EXTENT)
		return ERR_TOO_BIG;
	if (seglog_would_roll(l, bytes)) {
		int err = seglog_roll(l, fresh);

		if (err != ERR_OK)
			return err;
	}
	lock(l);

	struct segment *s = l->head;

	out->place = (struct place){ s->id, s->tail };
	out->generation = s->generation;
	out->number = s->extents++;
	s->tail += bytes;
	unlock(l);
	return ERR_OK;
}

void
seglog_seal(struct seglog *l)
{
	lock(l);

	struct segment *s = l->head;

	l->head = NULL;
	if (s != NULL)
		s->pins++;
	unlock(l);
	if (s == NULL)
		return;
	/* The rest goes back to the file system; that it stays is no harm but for its room. */
	if (file_truncate(s->file, s->tail) == ERR_OK) {
		lock(l);
		s->bytes = s->tail;
		unlock(l);
	}
	unpin(l, s);
}

void
seglog_reopen(struct seglog *l)
{
	lock(l);
	for (size_t i = 0; i < l->count; i++) {
		struct segment *s = l->segments[i];

		if (s->file != NULL && s->pins > 0)
			s->stale = true;
		else if (s->file != NULL)
			seglog_close_file(l, s);
	}
	unlock(l);
}

void
seglog_skip_ids(struct seglog *l, uint64_t id)
{
	lock(l);
	l->next_id = MAX(l->next_id, id + 1);
	unlock(l);
}

/* ---- data ---- */

int
seglog_read(struct seglog *l, struct place at, void *dst, size_t len)
{
	struct segment *s;
	size_t got = 0;
	int err = pin(l, at.segment, &s);

	if (err != ERR_OK)
		return err;
	err = file_read(s->file, at.offset, dst, len, &got);
	unpin(l, s);
	if (err == ERR_OK && got < len)
		err = ERR_CORRUPT;
	return err;
}

int
seglog_write(struct seglog *l, struct place at, const void *src, size_t len)
{
	struct segment *s;
	int err = pin(l, at.segment, &s);

	if (err != ERR_OK)
		return err;
	err = file_write(s->file, at.offset, src, len);
	unpin(l, s);
	return err;
}

int
seglog_sync(struct seglog *l, uint64_t segment)
{
	struct segment *s;
	int err = pin(l, segment, &s);

	if (err != ERR_OK)
		return err;
	err = file_sync(s->file);
	unpin(l, s);
	return err;
}

int
seglog_truncate(struct seglog *l, uint64_t segment, uint64_t end)
{
	struct segment *s;
	int err = pin(l, segment, &s);

	if (err != ERR_OK)
		return err;
	must(s != l->head);
	if (end < s->bytes) {
		err = file_truncate(s->file, end);
		if (err == ERR_OK) {
			lock(l);
			s->bytes = s->tail = end;
			unlock(l);
		}
	}
	unpin(l, s);
	return err;
}

void
seglog_set_partial(struct seglog *l, uint64_t segment)
{
	struct segment *s;

	lock(l);
	s = find(l, segment);
	if (s != NULL)
		s->partial = true;
	unlock(l);
}

int
seglog_remove(struct seglog *l, uint64_t segment)
{
	lock(l);

	size_t at = lower(l, segment);

	must(at < l->count && l->segments[at]->id == segment);

	struct segment *s = l->segments[at];

	must(s != l->head);
	if (s->pins > 0) {
		unlock(l);
		return ERR_BUSY;
	}
	if (s->file != NULL)
		seglog_close_file(l, s);
	l->count--;
	memmove(l->segments + at, l->segments + at + 1, (l->count - at) * sizeof(struct segment *));
	unlock(l);
	free(s);
	return seglog_remove_file(l, segment);
}
