/*
 * From k columns to the sink, in a worker: data leaves that were not fetched are rebuilt
 * from parity, then each leaf goes out with its place in the chunk. A full leaf is delivered where
 * it lies; the chunk's last row is put together first, because its leaves are short.
 */
#include <stdlib.h>

#include "storage/get_private.h"

struct deliver_job {
	struct window *window;
	uint8_t *rebuilt[SHARDS_MAX];     /* data columns that are missing; else NULL */
	struct bytes pieces[SINK_PIECES]; /* gathered for the sink */
	size_t count;
	uint32_t first;                                         /* piece */
	uint64_t offset;                                        /* of the first in the chunk */
	uint8_t leaf_first, leaf_last, piece_first, piece_last; /* of each row */
};

static uint8_t *
column_data(const struct deliver_job *job, uint8_t index)
{
	const struct column *col = &job->window->columns[index];

	return col->state == COLUMN_DONE ? col->data : job->rebuilt[index];
}

static int
rebuild(struct deliver_job *job)
{
	const struct window *w = job->window;
	const struct get *g = w->get;
	uint8_t have[SHARDS_MAX], want[SHARDS_MAX];
	const uint8_t *in[SHARDS_MAX];
	uint8_t *out[SHARDS_MAX];
	size_t have_count = 0, want_count = 0;
	struct decoder *d;

	for (uint8_t i = 0; i < g->layout.n && have_count < g->layout.k; i++) {
		if (w->columns[i].state != COLUMN_DONE)
			continue;
		in[have_count] = w->columns[i].data;
		have[have_count++] = i;
	}
	for (uint8_t i = 0; i < g->layout.k; i++) {
		if (job->rebuilt[i] == NULL)
			continue;
		out[want_count] = job->rebuilt[i];
		want[want_count++] = i;
	}
	must(have_count == g->layout.k);
	if (want_count == 0)
		return ERR_OK;

	int err = decoder_new(g->coder, have, want, want_count, &d);

	if (err == ERR_OK) {
		decoder_run(d, w->bytes, in, out);
		decoder_free(d);
	}
	return err;
}

/* Hands on what was gathered. */
static int
flush(struct deliver_job *job)
{
	struct window *w = job->window;
	const struct chunk_sink *sink = w->get->sink;
	int err;

	if (job->count == 0)
		return ERR_OK;
	err = sink->take(sink->arg, job->offset, job->pieces, job->count);
	if (err == ERR_OK)
		w->taken = job->first + (uint32_t)job->count;
	job->count = 0;
	return err;
}

/*
 * Pieces come in order. What was taken before wrong bytes came to light is not given twice: a pipe
 * cannot take it back.
 */
static int
give(struct deliver_job *job, uint32_t piece, uint64_t offset, const uint8_t *data, size_t len)
{
	if (piece < job->window->taken)
		return ERR_OK;
	if (job->count == 0) {
		job->first = piece;
		job->offset = offset;
	}
	job->pieces[job->count++] = bytes_of(data, len);
	return job->count == SINK_PIECES ? flush(job) : ERR_OK;
}

/* Pieces of a window are counted by leaf. */
static uint32_t
piece_at(const struct window *w, uint32_t row, uint8_t index)
{
	return (row - w->first_row) * w->get->layout.k + index;
}

static int
deliver_full_row(struct deliver_job *job, uint32_t row)
{
	const struct get *g = job->window->get;
	size_t at = (size_t)(row - job->window->first_row) * LEAF_BYTES;
	uint64_t offset = (uint64_t)row * g->layout.k * LEAF_BYTES;
	int err = ERR_OK;

	for (uint8_t i = job->leaf_first; err == ERR_OK && i <= job->leaf_last; i++)
		err = give(job, piece_at(job->window, row, i), offset + (uint64_t)i * LEAF_BYTES,
		    column_data(job, i) + at, LEAF_BYTES);
	return err;
}

static int
deliver_last_row(struct deliver_job *job, uint32_t row)
{
	const struct get *g = job->window->get;
	size_t at = (size_t)(row - job->window->first_row) * LEAF_BYTES;
	size_t leaf = g->layout.last_leaf;
	size_t bytes = (size_t)layout_row_bytes(&g->layout, row);
	uint8_t *flat = malloc(leaf * g->layout.k);
	int err = ERR_OK;

	if (flat == NULL)
		return ERR_NOMEM;
	for (uint8_t i = job->leaf_first; i <= job->leaf_last; i++)
		memcpy(flat + i * leaf, column_data(job, i) + at, leaf);

	/* By LEAF_BYTES like all other rows, so that a piece is taken as a whole or not at all. */
	bytes = MIN(bytes, (size_t)(job->piece_last + 1) * LEAF_BYTES);
	for (size_t from = job->piece_first * LEAF_BYTES; err == ERR_OK && from < bytes;
	     from += LEAF_BYTES)
		err = give(job, piece_at(job->window, row, (uint8_t)(from / LEAF_BYTES)),
		    (uint64_t)row * g->layout.k * LEAF_BYTES + from, flat + from,
		    MIN(bytes - from, (size_t)LEAF_BYTES));
	if (err == ERR_OK)
		err = flush(job);
	free(flat);
	return err;
}

static int
deliver_work(void *arg)
{
	struct deliver_job *job = arg;
	const struct window *w = job->window;
	const struct get *g = w->get;
	uint64_t full = (uint64_t)g->layout.k * LEAF_BYTES;
	int err = w->whole ? rebuild(job) : ERR_OK;

	for (uint32_t row = w->first_row; err == ERR_OK && row < w->first_row + w->rows; row++) {
		if (layout_row_bytes(&g->layout, row) == full)
			err = deliver_full_row(job, row);
		else
			err = deliver_last_row(job, row);
	}
	return err == ERR_OK ? flush(job) : err;
}

/* Ordered sinks: until all windows before this one are delivered. */
static int
wait_turn(struct window *w)
{
	struct get *g = w->get;

	while (g->sink->ordered && g->turn != w->number) {
		wait_init(&w->wait);
		w->waiting = true;

		int err = wait_for(g->env, &w->wait, 0);

		w->waiting = false;
		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

static void
pass_turn(struct window *w)
{
	struct get *g = w->get;

	g->turn = w->number + 1;
	for (size_t i = 0; i < WINDOWS_IN_FLIGHT; i++) {
		if (g->active[i] != NULL && g->active[i]->waiting)
			wait_wake(&g->active[i]->wait, ERR_OK);
	}
}

static void
set_range(struct deliver_job *job)
{
	const struct get *g = job->window->get;

	job->leaf_last = job->piece_last = (uint8_t)(g->layout.k - 1);
	if (job->window->whole)
		return;
	job->leaf_first = g->leaf_first;
	job->leaf_last = g->leaf_last;
	job->piece_first = g->piece_first;
	job->piece_last = g->piece_last;
}

int
window_deliver(struct window *w)
{
	struct get *g = w->get;
	struct deliver_job *job = calloc(1, sizeof(*job));
	int err = job == NULL ? ERR_NOMEM : wait_turn(w);

	for (uint8_t i = 0; err == ERR_OK && w->whole && i < g->layout.k; i++) {
		if (w->columns[i].state == COLUMN_DONE)
			continue;
		job->rebuilt[i] = chunks_buffer(g->c, g->column_bytes);
		if (job->rebuilt[i] == NULL)
			err = ERR_NOMEM;
	}
	if (err == ERR_OK) {
		job->window = w;
		set_range(job);
		/* The sink may write: where that blocks, the other disk workers go on. */
		err = env_offload(g->env, WORK_DISK, deliver_work, job,
		    MAX(w->bytes * g->layout.k, WORK_INLINE_MAX));
	}
	if (err == ERR_OK)
		pass_turn(w);
	for (uint8_t i = 0; job != NULL && i < g->layout.k; i++)
		chunks_buffer_put(g->c, job->rebuilt[i], g->column_bytes);
	free(job);
	return err;
}
