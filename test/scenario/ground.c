/* Reads headers as the store wrote them; the test's own disk is whole at that time. */
#include "test/scenario/ground.h"

#include <stdio.h>
#include <stdlib.h>

#include "storage/segment.h"

static void
add(struct ground *g, const char *path, enum region region, uint64_t from, uint64_t bytes)
{
	struct stretch *s = &g->at[g->count];

	if (bytes == 0)
		return;
	must(g->count < STRETCHES_MAX);
	g->count++;
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->region = region;
	s->live = g->adding_live;
	s->from = from;
	s->bytes = bytes;
}

/* Whether its trailer names a chunk that is here: each shard was written once. */
static bool
is_live(struct ground *g, struct file *f, uint64_t trailer, const struct extent_header *h)
{
	size_t len = (size_t)(h->place.offset + h->bytes - trailer), got;
	uint8_t *text = malloc(len);
	struct hash chunk;
	struct trailer t;
	bool live = false;

	must(text != NULL && file_read(f, trailer, text, len, &got) == ERR_OK && got == len);
	if (trailer_unpack(bytes_of(text, len), h, &t) == ERR_OK) {
		crypto_sha256(&chunk, t.descriptor.data, t.descriptor.len);
		for (size_t i = 0; i < g->live_count; i++)
			live |= hash_equal(&g->live[i], &chunk);
	}
	free(text);
	return live;
}

static void
add_shard(struct ground *g, const char *path, struct file *f, const struct extent_header *h)
{
	uint64_t at = h->place.offset;
	uint64_t payload = at + SEGMENT_BLOCK, filled = block_ceil(h->payload_bytes);
	uint64_t trailer = payload + filled, end = at + h->bytes;

	g->adding_live = is_live(g, f, trailer, h);
	add(g, path, R_HEADER, at, EXTENT_HEADER_BYTES);
	add(g, path, R_FILL, at + EXTENT_HEADER_BYTES, SEGMENT_BLOCK - EXTENT_HEADER_BYTES);
	add(g, path, R_PAYLOAD, payload, h->payload_bytes);
	add(g, path, R_FILL, payload + h->payload_bytes, filled - h->payload_bytes);
	/* Behind the fixed part: descriptor, lease and hashes, to somewhere in its last block. */
	add(g, path, R_TRAILER, trailer, TRAILER_FIXED_BYTES);
	add(g, path, R_FILL, end - SEGMENT_BLOCK / 4, SEGMENT_BLOCK / 4);
	g->adding_live = false;
}

static int
add_segment(void *arg, const char *name)
{
	struct ground *g = arg;
	struct segment_header segment;
	struct extent_header h;
	uint8_t block[SEGMENT_BLOCK];
	struct place at = { .offset = SEGMENT_FIRST_EXTENT };
	uint16_t version;
	char path[80];
	struct file *f;
	size_t got;

	if (strncmp(name, "segment-", 8) != 0)
		return ERR_OK;
	snprintf(path, sizeof(path), "%s/%.40s", g->dir, name);
	must(disk_open(sim_disk_base(g->disk), path, FILE_READ, &f) == ERR_OK);
	must(file_read(f, 0, block, sizeof(block), &got) == ERR_OK);
	must(segment_header_unpack(block, &segment, &version) == ERR_OK);
	at.segment = segment.segment;
	add(g, path, R_SEGMENT, 0, 68);
	while (file_read(f, at.offset, block, sizeof(block), &got) == ERR_OK &&
	       got == sizeof(block) &&
	       extent_header_unpack(block, at, segment.generation, segment.bytes, &h) == ERR_OK) {
		if (h.kind == EXTENT_SHARD)
			add_shard(g, path, f, &h);
		else
			add(g, path, R_RECORDS, at.offset, EXTENT_HEADER_BYTES + h.payload_bytes);
		at.offset += h.bytes;
	}
	file_close(f);
	return ERR_OK;
}

void
ground_survey(struct ground *g, const char *dir)
{
	g->count = 0;
	g->dir = dir;
	must(disk_list(sim_disk_base(g->disk), dir, add_segment, g) == ERR_OK);
}

const struct stretch *
ground_choose(const struct ground *g, struct sim_random *r, uint64_t number)
{
	enum region wanted = (enum region)(number % REGIONS);
	size_t of_kind = 0, nth;

	for (size_t i = 0; i < g->count; i++)
		of_kind += g->at[i].region == wanted;
	must(of_kind > 0);
	nth = (size_t)sim_random_below(r, of_kind);
	for (size_t i = 0; i < g->count; i++) {
		if (g->at[i].region == wanted && nth-- == 0)
			return &g->at[i];
	}
	return NULL;
}
