/*
 * Walks the chunks of an object's manifest in order and says where each lies: in its segment and
 * in the object. One pass over all chunks, however many: no chunk is looked for. Pure. For
 * manifests that manifest_open() gave or that add up as it asks for.
 */
#ifndef OBJECT_MANIFEST_CURSOR_H
#define OBJECT_MANIFEST_CURSOR_H

#include "object/manifest.h"

struct manifest_cursor {
	const struct manifest *manifest; /* lent */
	size_t chunk, segment;           /* next ones */
	uint64_t segment_at;             /* plaintext offset of the segment in the object */
	uint64_t sealed;                 /* bytes of the segment before the chunk */
};

struct chunk_place {
	size_t number;
	const struct manifest_segment *segment; /* lends from the manifest */
	uint64_t segment_at;                    /* plaintext offset of the segment in the object */
	uint64_t first_block;                   /* of the chunk, counted in the segment */
	uint64_t begin, end;                    /* of its plaintext, in the object */
};

void manifest_cursor_init(struct manifest_cursor *c, const struct manifest *m);
/* The next chunk; false behind the last one. */
bool manifest_cursor_next(struct manifest_cursor *c, struct chunk_place *out);

#endif
