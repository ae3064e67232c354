/* What rebuild.c (the flow), rebuild_source.c and rebuild_target.c share. */
#ifndef STORAGE_REBUILD_PRIVATE_H
#define STORAGE_REBUILD_PRIVATE_H

#include "storage/rebuild.h"

#define SLOTS 2

struct rebuilding;

/* What a source and a target have alike. */
struct lane {
	struct stream *stream;
	struct hash *leaves; /* of the whole shard */
	uint8_t *slot[SLOTS];
};

struct source {
	struct rebuilding *w;
	struct rebuild_shard *shard;
	struct lane lane; /* stream NULL: own; leaves: checked against the root */
	int err;
};

struct target {
	struct rebuilding *w;
	struct rebuild_shard *shard;
	struct lane lane; /* stream NULL: not open; leaves: of what was built */
	size_t candidate;
};

/* One rebuild under way. */
struct rebuilding {
	struct rebuild *r;
	struct env *env;
	struct layout layout;
	const struct coder *coder;
	struct decoder *decoder;
	uint32_t step; /* rows of a group */
	uint32_t groups;
	uint32_t reading, writing; /* groups in hand */
	struct source *sources;
	size_t sources_count; /* k */
	size_t next_source;   /* of r->sources, to be tried */
	struct target *targets;
	size_t targets_count;
	struct constraints constraints;
};

static inline uint32_t
work_rows(const struct rebuilding *w, uint32_t group)
{
	return MIN(w->step, w->layout.rows - group * w->step);
}

/* Bytes of one shard's leaves of the group. */
static inline size_t
work_bytes(const struct rebuilding *w, uint32_t group)
{
	uint32_t rows = work_rows(w, group);

	return (size_t)(rows - 1) * LEAF_BYTES +
	       layout_leaf_bytes(&w->layout, group * w->step + rows - 1);
}

/* rebuild_source.c: opens a source, the next ones when it fails. Tasks, arg: struct source. */
int source_open_task(void *arg);
int source_read_task(void *arg); /* group w->reading into its slot */
/* rebuild_target.c */
int target_open_task(void *arg);
int target_write_task(void *arg); /* group w->writing from its slot */
int target_commit_task(void *arg);

#endif
