/*
 * Walks the extents of one segment as they lie on disk: for recovery, rebuilding and checks.
 * Believes headers only; steps over what is unreadable or no header, block by block, until
 * the next header of this life or the end of the file, so one bad block hides one extent and
 * nothing behind it. Blocks: inside WORK_DISK work only.
 */
#ifndef STORAGE_SEGWALK_H
#define STORAGE_SEGWALK_H

#include "storage/seglog.h"

/* Holds any header, trailer or group of records, and some small extents at once. */
#define SEGWALK_WINDOW_BYTES KIB(512)

struct segwalk {
	struct seglog *log; /* private, as all but the counters */
	struct segment_info segment;
	uint64_t at;
	uint8_t *window;
	uint64_t window_at;
	size_t window_len;
	/* What was met so far. */
	uint64_t end;        /* behind the last extent with a valid header */
	uint64_t bad_ranges; /* stretches without a header between two headers */
	uint64_t read_errors;
};

enum found_kind {
	FOUND_SHARD,   /* header and trailer are whole; the payload was not looked at */
	FOUND_RECORDS, /* whole */
	FOUND_DEAD,    /* a header, and a trailer or records that are not whole */
};
struct found {
	enum found_kind kind;
	struct extent_header header;
	struct trailer trailer; /* lends until the next step */
	struct bytes records;   /* lends until the next step */
};

/* from: SEGMENT_FIRST_EXTENT or where an earlier walk stopped. ERR_NOT_FOUND, ERR_NOMEM. */
int segwalk_begin(struct segwalk *w, struct seglog *log, uint64_t segment, uint64_t from);
int segwalk_next(struct segwalk *w, struct found *out); /* ERR_END */
/* Where segwalk_next goes on. */
uint64_t segwalk_position(const struct segwalk *w);
void segwalk_end(struct segwalk *w);

/*
 * Reads the payload of a shard's extent in steps and checks every leaf against its hash, their root
 * against the descriptor: ERR_OK, ERR_CORRUPT, ERR_IO, ERR_NOMEM. *chunk is the descriptor's
 * name. buffer: aligned, SHARD_CHECK_BYTES.
 */
#define SHARD_CHECK_BYTES MIB(1)
int shard_check(struct seglog *log, const struct extent_header *h, const struct trailer *t,
    uint8_t *buffer, struct hash *chunk);

#endif
