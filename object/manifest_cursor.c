/* Nothing fails here: what a stranger's manifest says was made to add up when it was read. */
#include "object/manifest_cursor.h"

#include "object/block.h"
#include "overlay/base/err.h"

void
manifest_cursor_init(struct manifest_cursor *c, const struct manifest *m)
{
	*c = (struct manifest_cursor){ .manifest = m };
}

/* All chunks of a segment but its last are whole blocks, so any begins with a whole one. */
static uint64_t
plain_before(uint64_t sealed)
{
	return sealed / BLOCK_SEALED * BLOCK_PLAIN;
}

bool
manifest_cursor_next(struct manifest_cursor *c, struct chunk_place *out)
{
	const struct manifest *m = c->manifest;

	if (c->chunk == m->chunks_count)
		return false;
	must(c->segment < m->segments_count);

	const struct manifest_segment *s = &m->segments[c->segment];
	uint64_t end = c->sealed + m->chunks[c->chunk].bytes;
	bool last = c->chunk + 1 == (size_t)s->first_chunk + s->chunks;

	must(c->chunk >= s->first_chunk && c->sealed % BLOCK_SEALED == 0);
	*out = (struct chunk_place){
		.number = c->chunk,
		.segment = s,
		.segment_at = c->segment_at,
		.first_block = c->sealed / BLOCK_SEALED,
		.begin = c->segment_at + plain_before(c->sealed),
		.end = c->segment_at + (last ? s->plain_bytes : plain_before(end)),
	};
	c->chunk++;
	c->sealed = end;
	if (last) {
		c->segment++;
		c->segment_at += s->plain_bytes;
		c->sealed = 0;
	}
	return true;
}
