/*
 * A window over the segment file moves upwards; headers are looked for at its front. A read that
 * fails is tried again for the single block, and a block that cannot be read is taken for zeros:
 * it is no header, so the walk steps over it.
 */
#include "storage/segwalk.h"

#include <stdlib.h>

#include "storage/crc.h"
#include "storage/merkle.h"

int
segwalk_begin(struct segwalk *w, struct seglog *log, uint64_t segment, uint64_t from)
{
	*w = (struct segwalk){ .log = log, .at = from, .end = from };
	must(from >= SEGMENT_FIRST_EXTENT && from % SEGMENT_BLOCK == 0);
	if (!seglog_find(log, segment, &w->segment))
		return ERR_NOT_FOUND;
	w->window = aligned_alloc(DISK_ALIGN, SEGWALK_WINDOW_BYTES);
	return w->window != NULL ? ERR_OK : ERR_NOMEM;
}

void
segwalk_end(struct segwalk *w)
{
	free(w->window);
	w->window = NULL;
}

uint64_t
segwalk_position(const struct segwalk *w)
{
	return w->at;
}

/* Fills the window from offset on with `want` bytes, or a single block where that fails. */
static void
fill(struct segwalk *w, uint64_t offset, size_t want)
{
	struct place at = { w->segment.id, offset };

	w->window_at = offset;
	w->window_len = want;
	if (seglog_read(w->log, at, w->window, want) == ERR_OK)
		return;
	w->window_len = SEGMENT_BLOCK;
	if (want > SEGMENT_BLOCK && seglog_read(w->log, at, w->window, SEGMENT_BLOCK) == ERR_OK)
		return;
	w->read_errors++;
	memset(w->window, 0, SEGMENT_BLOCK);
}

/* len bytes at offset; NULL when they do not lie in the file or cannot be read. */
static const uint8_t *
look(struct segwalk *w, uint64_t offset, size_t len)
{
	uint64_t left;

	must(len <= SEGWALK_WINDOW_BYTES);
	if (offset > w->segment.bytes || len > w->segment.bytes - offset)
		return NULL;
	if (offset >= w->window_at && offset - w->window_at + len <= w->window_len)
		return w->window + (offset - w->window_at);
	left = w->segment.bytes - offset;
	fill(w, offset, MIN(left, SEGWALK_WINDOW_BYTES) / SEGMENT_BLOCK * SEGMENT_BLOCK);
	return len <= w->window_len ? w->window : NULL;
}

/* The next header at or behind w->at. */
static int
next_header(struct segwalk *w, struct extent_header *out)
{
	bool stepped = false;

	for (; w->at + SEGMENT_BLOCK <= w->segment.bytes; w->at += SEGMENT_BLOCK) {
		struct place at = { w->segment.id, w->at };
		const uint8_t *block = look(w, w->at, SEGMENT_BLOCK);

		if (block != NULL && extent_magic(block) &&
		    extent_header_unpack(block, at, w->segment.generation, w->segment.bytes, out) ==
			ERR_OK) {
			w->bad_ranges += stepped;
			return ERR_OK;
		}
		stepped = true;
	}
	return ERR_END;
}

static void
look_at_shard(struct segwalk *w, struct found *f)
{
	const struct extent_header *h = &f->header;
	struct layout l;

	must(layout_make(h->k, h->n, h->chunk_bytes, &l) == ERR_OK); /* unpacking checked it */

	uint64_t offset = extent_trailer_offset(&l);
	size_t len = h->bytes - offset;
	const uint8_t *text = look(w, h->place.offset + offset, len);

	if (text != NULL && trailer_unpack(bytes_of(text, len), h, &f->trailer) == ERR_OK)
		f->kind = FOUND_SHARD;
}

static void
look_at_records(struct segwalk *w, struct found *f)
{
	const struct extent_header *h = &f->header;
	const uint8_t *text = look(w, h->place.offset, h->bytes);

	if (text == NULL || crc32c(text + EXTENT_HEADER_BYTES, h->payload_bytes) != h->payload_crc)
		return;
	f->kind = FOUND_RECORDS;
	f->records = bytes_of(text + EXTENT_HEADER_BYTES, h->payload_bytes);
}

int
segwalk_next(struct segwalk *w, struct found *out)
{
	struct found f = { .kind = FOUND_DEAD };
	int err;

	if (w->segment.damaged)
		return ERR_END;
	err = next_header(w, &f.header);
	if (err != ERR_OK)
		return err;
	if (f.header.kind == EXTENT_SHARD)
		look_at_shard(w, &f);
	else
		look_at_records(w, &f);
	w->at = w->end = f.header.place.offset + f.header.bytes;
	*out = f;
	return ERR_OK;
}

/* ---- the payload ---- */

static int
check_leaves(struct seglog *log, const struct extent_header *h, const struct layout *l,
    const struct hash *leaves, uint8_t *buffer)
{
	uint32_t per_step = SHARD_CHECK_BYTES / LEAF_BYTES;

	for (uint32_t first = 0; first < l->rows; first += per_step) {
		uint64_t offset = (uint64_t)first * LEAF_BYTES;
		size_t len = MIN(l->shard_bytes - offset, SHARD_CHECK_BYTES);
		struct place at = { h->place.segment, h->place.offset + SEGMENT_BLOCK + offset };
		int err = seglog_read(log, at, buffer, block_ceil(len));

		if (err != ERR_OK)
			return err;
		for (uint32_t i = 0; i < per_step && first + i < l->rows; i++) {
			struct hash got;

			merkle_leaf(&got, buffer + i * LEAF_BYTES, layout_leaf_bytes(l, first + i));
			if (!hash_equal(&got, &leaves[first + i]))
				return ERR_CORRUPT;
		}
	}
	return ERR_OK;
}

int
shard_check(struct seglog *log, const struct extent_header *h, const struct trailer *t,
    uint8_t *buffer, struct hash *chunk)
{
	struct descriptor *d = malloc(sizeof(*d));
	struct hash name;
	struct layout l;
	int err;

	if (d == NULL)
		return ERR_NOMEM;
	err = layout_make(h->k, h->n, h->chunk_bytes, &l);
	if (err == ERR_OK)
		err = descriptor_unpack(t->descriptor, d);
	if (err == ERR_OK && (d->k != h->k || d->n != h->n || d->chunk_bytes != h->chunk_bytes))
		err = ERR_CORRUPT;
	if (err == ERR_OK)
		err = merkle_check(&d->roots[h->index], t->leaves, t->leaves_count, l.shard_bytes);
	if (err == ERR_OK)
		err = check_leaves(log, h, &l, t->leaves, buffer);
	if (err == ERR_OK) {
		descriptor_id(d, &name);
		*chunk = name;
	}
	free(d);
	return err == ERR_INVALID || err == ERR_VERSION ? ERR_CORRUPT : err;
}
