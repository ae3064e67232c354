/*
 * Opening a store's segments: names, then headers. A file whose two headers are both no header was
 * either never used (a crash interrupted its creation: it goes) or has lost them (it stays,
 * damaged, for who knows more).
 */
#include <stdio.h>
#include <stdlib.h>

#include "storage/seglog_private.h"

/* True when a block of the file looks like an extent: then it was once in use. */
static int
holds_extents(struct file *f, uint64_t bytes, uint8_t *block, bool *out)
{
	*out = false;
	for (uint64_t at = SEGMENT_FIRST_EXTENT; at + SEGMENT_BLOCK <= bytes && !*out;
	     at += SEGMENT_BLOCK) {
		size_t got;
		int err = file_read(f, at, block, SEGMENT_BLOCK, &got);

		if (err != ERR_OK)
			return err;
		*out = got == SEGMENT_BLOCK && extent_magic(block);
	}
	return ERR_OK;
}

/*
 * Either of the two headers. ERR_CORRUPT when neither is one, ERR_VERSION when one says to be newer
 * and the other does not help: a version is read before its CRC, and may have rotted.
 */
static int
read_header(struct seglog *l, struct segment *s, uint8_t *block, uint16_t *version)
{
	struct segment_header h;
	int err = ERR_CORRUPT;

	for (uint64_t at = 0; at < SEGMENT_FIRST_EXTENT; at += SEGMENT_BLOCK) {
		size_t got;
		int one = file_read(s->file, at, block, SEGMENT_BLOCK, &got);

		s->unread |= one != ERR_OK;
		if (one != ERR_OK || got < SEGMENT_BLOCK)
			continue; /* a bad block: the other header may do */
		one = segment_header_unpack(block, &h, version);
		if (one == ERR_OK && h.segment == s->id) {
			err = ERR_OK;
			break;
		}
		if (one == ERR_VERSION)
			err = ERR_VERSION;
	}
	if (err != ERR_OK)
		return err;
	if (memcmp(h.net.b, l->net.b, sizeof(h.net.b)) != 0)
		return ERR_WRONG_NETWORK;
	s->generation = h.generation;
	s->store = h.store;
	return ERR_OK;
}

/* *unfinished: the file was never used, a crash interrupted its creation. */
static int
load_segment(struct seglog *l, struct segment *s, bool *unfinished, uint16_t *version)
{
	uint8_t *block = aligned_alloc(DISK_ALIGN, SEGMENT_BLOCK);
	int err;

	*unfinished = false;
	if (block == NULL)
		return ERR_NOMEM;
	err = seglog_open_file(l, s);
	if (err == ERR_OK)
		err = file_size(s->file, &s->bytes);
	if (err == ERR_OK)
		err = read_header(l, s, block, version);
	if (err == ERR_CORRUPT) {
		bool used;

		err = holds_extents(s->file, s->bytes, block, &used);
		s->damaged = err == ERR_OK && used;
		*unfinished = err == ERR_OK && !used;
	}
	s->unread &= s->damaged;
	s->tail = s->bytes;
	free(block);
	return err;
}

struct found_ids {
	uint64_t *ids;
	size_t count, cap;
};

static int
on_name(void *arg, const char *name)
{
	struct found_ids *f = arg;
	char again[NAME_BYTES];
	uint64_t id;

	if (sscanf(name, "segment-%16" SCNx64, &id) != 1 || id == 0)
		return ERR_OK;
	snprintf(again, sizeof(again), SEGLOG_NAME, id);
	if (strcmp(again, name) != 0)
		return ERR_OK;
	if (f->count == f->cap) {
		size_t cap = f->cap == 0 ? 64 : f->cap * 2;
		uint64_t *grown = realloc(f->ids, cap * sizeof(uint64_t));

		if (grown == NULL)
			return ERR_NOMEM;
		f->ids = grown;
		f->cap = cap;
	}
	f->ids[f->count++] = id;
	return ERR_OK;
}

static int
load_one(struct seglog *l, uint64_t id, uint16_t *version)
{
	struct segment *s = calloc(1, sizeof(*s));
	bool unfinished = false;
	int err = s == NULL ? ERR_NOMEM : seglog_reserve_slot(l);

	if (err == ERR_OK) {
		s->id = id;
		err = load_segment(l, s, &unfinished, version);
	}
	if (err == ERR_OK && !unfinished) {
		seglog_insert(l, s);
		return ERR_OK;
	}
	if (s != NULL && s->file != NULL)
		seglog_close_file(l, s);
	free(s);
	if (err == ERR_OK && !l->read_only)
		err = seglog_remove_file(l, id);
	return err;
}

int
seglog_open(const struct seglog_opts *opts, uint16_t *version, struct seglog **out)
{
	struct seglog *l = calloc(1, sizeof(*l));
	struct found_ids found = { 0 };
	int err;

	if (l == NULL)
		return ERR_NOMEM;
	must(pthread_mutex_init(&l->mutex, NULL) == 0);
	l->disk = opts->disk;
	l->net = opts->net;
	l->segment_bytes = opts->segment_bytes;
	l->read_only = opts->read_only;
	l->next_id = 1;
	err = strlen(opts->dir) < sizeof(l->dir) ? ERR_OK : ERR_TOO_BIG;
	if (err == ERR_OK) {
		strcpy(l->dir, opts->dir);
		err = disk_list(l->disk, l->dir, on_name, &found);
	}
	for (size_t i = 0; i < found.count && err == ERR_OK; i++)
		err = load_one(l, found.ids[i], version);
	free(found.ids);
	if (err != ERR_OK) {
		seglog_close(l);
		return err;
	}
	*out = l;
	return ERR_OK;
}

void
seglog_close(struct seglog *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->count; i++) {
		must(l->segments[i]->pins == 0);
		if (l->segments[i]->file != NULL)
			file_close(l->segments[i]->file);
		free(l->segments[i]);
	}
	free(l->segments);
	must(pthread_mutex_destroy(&l->mutex) == 0);
	free(l);
}
