/*
 * The segment files of a store: finding, creating, reserving room in, reading, writing and
 * syncing them. Knows blocks and places, not what lies there (segment.h) nor what it means
 * (catalog.h).
 *
 * All functions block: inside WORK_DISK work only, but for the marked ones. Reading and writing
 * at reserved places may happen in many threads at once; seglog_reserve and seglog_seal change the
 * head and come one at a time (the store's gate sees to it).
 *
 * Room is given out strictly upwards in the newest segment; when the next extent does not fit, the
 * segment is sealed (cut to its used length) and a new one begun. A segment of an earlier
 * run is never continued: what an interrupted write left behind its end could pass for new.
 */
#ifndef STORAGE_SEGLOG_H
#define STORAGE_SEGLOG_H

#include "storage/segment.h"

/* Open files kept; a terabyte has 4,000 segments, the usual limit of a process is 1,024. */
#define SEGLOG_FILES_MAX 64

struct seglog; /* opaque */

struct seglog_opts {
	struct disk *disk;
	const char *dir; /* copied */
	struct network_id net;
	uint64_t segment_bytes; /* of new segments */
	bool read_only;
};
/* What a new segment needs and a worker cannot get: drawn on the loop before. */
struct seglog_fresh {
	uint64_t generation; /* random */
	uint64_t unix_s;
	struct store_id store;
};

/*
 * Reads the headers of all segments. A file that a crash left before its header was durable is
 * removed. ERR_VERSION (*version tells which), ERR_WRONG_NETWORK, ERR_IO.
 */
int seglog_open(const struct seglog_opts *opts, uint16_t *version, struct seglog **out); /* gives */
void seglog_close(struct seglog *l); /* nothing is in use; NULL is accepted */

struct segment_info {
	uint64_t id, generation;
	uint64_t bytes; /* size of the file */
	bool damaged;   /* both headers are gone: what it holds cannot be reached */
	bool unread;    /* damaged as the disk refused a header: another time it may be there */
	bool partial;   /* the index may lack something of it, until the next start */
	struct store_id store;
};
/* Any thread. The i-th in ascending order of ids; false when there are fewer. */
bool seglog_segment(struct seglog *l, size_t i, struct segment_info *out);
bool seglog_find(struct seglog *l, uint64_t id, struct segment_info *out);
/* Any thread. Bytes that are taken: whole sealed segments, the used part of the newest. */
uint64_t seglog_used(struct seglog *l);
size_t seglog_count(struct seglog *l);

/* What seglog_reserve gives out. */
struct extent {
	struct place place;
	uint64_t generation;
	uint32_t number;
};
/*
 * Room for an extent of so many bytes (a multiple of SEGMENT_BLOCK) at the head. ERR_TOO_BIG:
 * larger than an empty segment; ERR_NO_SPACE, ERR_IO: no new segment could be made, and the
 * head is as before.
 */
int seglog_reserve(
    struct seglog *l, uint64_t bytes, const struct seglog_fresh *fresh, struct extent *out);
/* Begins a new segment now: the proof that the disk still takes one. Errors as above. */
int seglog_roll(struct seglog *l, const struct seglog_fresh *fresh);
/* True when reserving so many bytes would begin a new segment. */
bool seglog_would_roll(struct seglog *l, uint64_t bytes);
/* Where the next extent goes; {0, 0} right after opening or sealing. */
struct place seglog_head(struct seglog *l);
/*
 * Ends the newest segment, so that the next reservation begins a new one. What is
 * reserved stays writable.
 */
void seglog_seal(struct seglog *l);
/* Closes all files, so that the next use opens them anew. */
void seglog_reopen(struct seglog *l);

/* Reads exactly len bytes: ERR_CORRUPT when the file ends before, ERR_NOT_FOUND: no such segment.
 */
int seglog_read(struct seglog *l, struct place at, void *dst, size_t len);
int seglog_write(struct seglog *l, struct place at, const void *src, size_t len);
int seglog_sync(struct seglog *l, uint64_t segment);
/* Recovery's verdict on a segment of an earlier run: nothing of worth lies behind `end`. */
int seglog_truncate(struct seglog *l, uint64_t segment, uint64_t end);
/* The disk refused some of it: nobody may take what the index lacks for dead. */
void seglog_set_partial(struct seglog *l, uint64_t segment);
/* ERR_BUSY: it is being read. */
int seglog_remove(struct seglog *l, uint64_t segment);
/* New segments get ids above this one. */
void seglog_skip_ids(struct seglog *l, uint64_t id);

#endif
