/*
 * The table of segments behind seglog.h, shared by seglog.c and seglog_open.c.
 */
#ifndef STORAGE_SEGLOG_PRIVATE_H
#define STORAGE_SEGLOG_PRIVATE_H

#include <inttypes.h>
#include <pthread.h>

#include "storage/seglog.h"

#define PATH_BYTES_MAX 1024
#define NAME_BYTES     32 /* "segment-", 16 digits, NUL */
#define FILE_BYTES_MAX (PATH_BYTES_MAX + 1 + NAME_BYTES)
#define SEGLOG_NAME    "segment-%016" PRIx64

struct segment {
	uint64_t id, generation;
	uint64_t bytes; /* of the file */
	uint64_t tail;  /* where the next extent would go; = bytes when sealed */
	uint32_t extents;
	bool damaged, unread, partial;
	struct store_id store;
	struct file *file; /* NULL: not open */
	bool stale;        /* close at the last unpin */
	unsigned pins;
	uint64_t used_at; /* of l->clock: the file unused longest is closed first */
};

struct seglog {
	struct disk *disk;
	struct network_id net;
	uint64_t segment_bytes;
	bool read_only;
	pthread_mutex_t mutex; /* guards all below */
	struct segment **segments;
	size_t count, cap;
	struct segment *head; /* NULL: the next reservation begins a new one */
	uint64_t next_id;
	size_t files_open;
	uint64_t clock;
	char dir[PATH_BYTES_MAX];
};

void seglog_path(const struct seglog *l, uint64_t id, char out[FILE_BYTES_MAX]);
/* Takes the name away, durably. */
int seglog_remove_file(struct seglog *l, uint64_t id);

/* ---- with the mutex held, or before anybody else knows the log ---- */
int seglog_reserve_slot(struct seglog *l);               /* room in the table for one more */
void seglog_insert(struct seglog *l, struct segment *s); /* takes s */
int seglog_open_file(struct seglog *l, struct segment *s);
void seglog_close_file(struct seglog *l, struct segment *s);

#endif
