/*
 * Forgetting, over the whole index, in transactions that are short enough for others to come
 * between. Not while a segment is compacted: a copy of a shard that is on its way must find the
 * mark that may have overtaken it.
 */
#include "storage/store_compact.h"

#include <stdlib.h>

#include "storage/store_impl.h"

/* Some milliseconds of the one writer of the index. */
#define SWEEP_STEP 1024

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The segments that are there. NULL: no memory. */
static uint64_t *
list_segments(struct store *s, size_t *count)
{
	struct segment_info info;
	size_t most = seglog_count(s->log), n = 0;
	uint64_t *ids = malloc((most + 1) * sizeof(*ids));

	for (size_t i = 0; ids != NULL && n < most && seglog_segment(s->log, i, &info); i++)
		ids[n++] = info.id;
	if (ids != NULL)
		qsort(ids, n, sizeof(*ids), by_number);
	*count = n;
	return ids;
}

static SUSPENDS int
sweep(struct store *s, struct catalog_sweep *w)
{
	int err = ERR_OK;

	while (err == ERR_OK && !w->ended) {
		struct catalog_sweep at = *w;
		struct commit c = { .kind = COMMIT_SWEEP, .sweep_at = &at, .sweep_next = w };

		err = task_canceled(s->env) ? ERR_CANCELED : store_commit(s, &c);
	}
	return err;
}

int
store_sweep(struct store *s, uint64_t now_unix_s, struct store_swept *out)
{
	struct catalog_sweep *w;
	uint64_t *segments;
	int err;

	if (s->compacting)
		return ERR_BUSY;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return ERR_NOMEM;
	s->compacting = true;
	segments = list_segments(s, &w->segments_count);
	w->segments = segments;
	w->now_unix_s = now_unix_s;
	w->most = SWEEP_STEP;
	err = segments == NULL ? ERR_NOMEM : sweep(s, w);
	*out = (struct store_swept){ .seen = w->seen, .gone = w->gone, .bare = w->bare };
	free(segments);
	free(w);
	s->compacting = false;
	return err;
}
