/*
 * The two parts of a manifest before they are compressed and sealed, and after they were opened:
 * for manifest.c, for content.c, whose lists are made of the same chunks and segments, and for the
 * tests and the fuzz target that go at the readers themselves.
 */
#ifndef OBJECT_MANIFEST_PRIVATE_H
#define OBJECT_MANIFEST_PRIVATE_H

#include "object/manifest.h"
#include "overlay/base/pack.h"

/* All of the inner part but name, inline data and segments. */
#define MANIFEST_INNER_FIXED   256
#define MANIFEST_SEGMENT_BYTES (32 + 8 + 4 + 4)
/* The longest inner part: its limit, and what a stranger's may unfold to. */
#define MANIFEST_INNER_MAX                                                                         \
	(MANIFEST_INNER_FIXED + MANIFEST_NAME_MAX + MANIFEST_INLINE_MAX +                          \
	    MANIFEST_SEGMENTS_MAX * MANIFEST_SEGMENT_BYTES)
/*
 * What an outer part of so many sealed bytes may unfold to, at most MANIFEST_BYTES_MAX. A chunk
 * has 32 bytes that do not shrink, its id, and at n = 255 another 2047 that may: 65 times. Only
 * chunks that are listed again and again do better, and MANIFEST_UNFOLD_FREE is for them: what
 * anybody's link may cost in memory whatever its length.
 */
#define MANIFEST_UNFOLD_FREE MIB(64)
#define MANIFEST_UNFOLD      128
uint64_t manifest_outer_max(uint64_t sealed_bytes);

/* Append. ERR_TOO_BIG, ERR_NOMEM. outer: the packed outer part, whose hash ties the two. */
int manifest_pack_outer(const struct manifest *m, struct network_id net, struct buf *out);
int manifest_pack_inner(
    const struct manifest *m, struct network_id net, struct bytes outer, struct buf *out);
/* ERR_INVALID, ERR_VERSION, ERR_WRONG_NETWORK, ERR_NOMEM; m is init'ed, and fini'ed by the caller
 * in any case. The outer part first: the inner is checked against it. */
int manifest_read_outer(struct bytes plain, struct network_id net, struct manifest *m);
int manifest_read_inner(
    struct bytes plain, struct network_id net, struct bytes outer, struct manifest *m);

/* ---- one chunk, one segment ---- */
#define MANIFEST_CHUNK_FIXED (32 + 3 + 4) /* of a chunk all but its hints */
size_t manifest_chunk_bytes(const struct manifest_chunk *c);
void manifest_pack_chunk(struct packer *p, const struct manifest_chunk *c);
/* Adds what is read. ERR_INVALID, ERR_NOMEM. */
int manifest_read_chunk(struct unpacker *u, struct manifest *m);
/*
 * A segment's chunks begin where those of the one before it end (at_chunk), and hold its sealed
 * bytes, all but the last whole blocks.
 */
bool manifest_segment_adds_up(
    const struct manifest *m, const struct manifest_segment *s, size_t at_chunk);

#endif
