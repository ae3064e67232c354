/*
 * Reading a content, or a range of it, in order, as fast as its reader takes it:
 *
 *   windows (rows of one chunk) fetched and opened in workers, some ahead → content_read lends them
 *
 * The first windows are small, so that the first byte does not wait for a whole chunk; later ones
 * grow to READ_WINDOW_BYTES. A window's memory comes from a budget that all readers of a process
 * share: the first one of a reader waits for its turn, those ahead are fetched only while there is
 * room, so that many slow readers have one small window each. Wrong bytes are found out and worked
 * around as chunk_get() does; none comes out. A reader whose client takes nothing holds its window:
 * whoever serves clients must give up on such ones in time.
 */
#ifndef OBJECT_CONTENT_READ_H
#define OBJECT_CONTENT_READ_H

#include "object/budget.h"
#include "object/content.h"

#define READ_WINDOW_BYTES MIB(4)
#define READ_WINDOWS      4 /* of one reader at once: as many as chunk_get has for a chunk */

struct content_reader;

struct content_read_opts {
	struct files *files;           /* lent; it needs no account */
	struct memory_budget *memory;  /* lent */
	const struct content *content; /* lent until the reader is freed */
	const struct key *customer;    /* lent likewise; of SSE-C (sse.h); NULL: none */
	uint64_t from, len;            /* inside the content; ERR_INVALID when not; len may be 0 */
};
int content_reader_new(const struct content_read_opts *opts, struct content_reader **out);
/*
 * The next piece, lent until the next call; ERR_END behind the last. ERR_UNREACHABLE: see
 * content_reader_missing(). An error is final.
 */
SUSPENDS int content_read(struct content_reader *r, struct bytes *lent);
const struct file_missing *content_reader_missing(const struct content_reader *r); /* lends */
SUSPENDS void content_reader_free(struct content_reader *r);

#endif
