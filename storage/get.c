/*
 * Reading a chunk. The wanted rows are cut into windows of about WINDOW_BYTES; some run at
 * once. A window fetches one column (its leaves of one shard) from each of k holders, the data
 * shards' first; a column slower than usual is hedged by another one; a failed one is
 * replaced. A little of one row comes from the leaves that have it, if their holders are well. With
 * k columns the window is rebuilt, opened and delivered (get_deliver.c). When the holders run out
 * they are searched for again, until GET_REFUSE_TIMEOUT passes without progress.
 */
#include "storage/get_private.h"

#include <stdlib.h>

#define HEDGE_MIN        MILLISECONDS(250) /* below this a hedge costs more than the wait */
#define COLUMN_LOOK      MILLISECONDS(100) /* how exactly it is known when one last moved */
#define HEDGE_UNKNOWN    SECONDS(1)        /* until a column's usual time is known */
/* Times that a window is fetched anew after wrong bytes, per shard: each round finds one liar, and
 * shards may have been claimed by several. */
#define ROUNDS_PER_SHARD 2

static void
window_wake(struct window *w)
{
	if (w->waiting)
		wait_wake(&w->wait, ERR_OK);
}

/* ---- fetching one column ---- */

/* Looked at now and then, so that a slow line is told from a dead one. */
static int
read_column(struct column *col, struct stream *st)
{
	struct window *w = col->window;
	int err = ERR_OK;

	for (size_t at = 0, got; err == ERR_OK && at < w->bytes; at += got) {
		err = stream_read_for(st, col->data + at, w->bytes - at, COLUMN_LOOK, &got);
		if (got > 0)
			col->moved_at = w->get->moved_at = env_now(w->get->env);
	}
	return err;
}

static int
fetch_range(struct column *col, const struct shard_range *r)
{
	struct stream *st;
	struct buf tail;
	int err = shard_range_open(col->window->get->c, &col->from, METHOD_SHARD_GET, r, &st);

	if (err != ERR_OK)
		return err;
	buf_init(&tail, RPC_HEAD_BYTES_MAX);
	err = read_column(col, st);
	if (err == ERR_OK)
		err = stream_read_tail(st, &tail);
	stream_close(st);
	buf_fini(&tail);
	return err;
}

static void
column_time(struct chunks *c, uint64_t took)
{
	c->column_ns = c->column_ns == 0 ? took : c->column_ns - c->column_ns / 8 + took / 8;
}

static int
fetch_task(void *arg)
{
	struct column *col = arg;
	struct window *w = col->window;
	struct get *g = w->get;
	struct holder_slot *slot = &g->holders->at[col->index];
	struct shard_range range = {
		.chunk = g->ref->id,
		.index = col->index,
		.first = w->first_row,
		.count = w->rows,
	};
	int err;

	col->from = slot->contact;
	err = fetch_range(col, &range);
	if (err == ERR_OK) {
		col->state = COLUMN_DONE;
		if (pubkey_equal(&slot->contact.pub, &col->from.pub)) {
			slot->answered++;
			slot->failing = false;
		}
		column_time(g->c, env_now(g->env) - col->started_at);
	} else {
		col->state = COLUMN_FAILED;
		if (err != ERR_CANCELED) {
			holders_failed(g->holders, col->index, &col->from);
			log_info(
			    g->env, "a holder of shard %u fails: %s", col->index, err_text(err));
		}
	}
	window_wake(w);
	return err;
}

/* How much we would rather not ask this holder; lower is better. */
static uint64_t
reluctance(const struct get *g, uint8_t index)
{
	struct peer_info info;
	uint64_t cost = index < g->layout.k ? 0 : SECONDS(1); /* parity costs decoding */

	if (endpoint_peer(g->c->opts.endpoint, &g->holders->at[index].contact.pub, &info))
		cost += info.srtt + info.strikes * SECONDS(10) + info.blames * SECONDS(10);
	return cost;
}

static bool
fetch_column(struct window *w, struct column *col)
{
	struct get *g = w->get;

	if (col->data == NULL)
		col->data = chunks_buffer(g->c, g->column_bytes);
	if (col->data == NULL)
		return false;
	col->state = COLUMN_FETCHING;
	col->started_at = col->moved_at = env_now(g->env);
	if (task_spawn(&w->fetches, "fetch column", fetch_task, col) != ERR_OK) {
		col->state = COLUMN_UNUSED;
		return false;
	}
	return true;
}

/* Starts fetching the best index not yet used; false when there is none. */
static bool
start_column(struct window *w)
{
	struct get *g = w->get;
	struct column *best = NULL;
	uint64_t least = UINT64_MAX;

	for (uint8_t i = 0; i < g->layout.n; i++) {
		struct column *col = &w->columns[i];

		if (g->holders->at[i].state != HOLDER_KNOWN ||
		    (col->state != COLUMN_UNUSED && col->state != COLUMN_FAILED))
			continue;
		if (reluctance(g, i) < least) {
			least = reluctance(g, i);
			best = col;
		}
	}
	return best != NULL && fetch_column(w, best);
}

/* ---- one window ---- */

static uint8_t
columns_in(const struct window *w, enum column_state state)
{
	uint8_t count = 0;

	for (uint8_t i = 0; i < w->get->layout.n; i++)
		count += w->columns[i].state == state;
	return count;
}

static uint64_t
hedge_delay(const struct get *g)
{
	return g->c->column_ns == 0 ? HEDGE_UNKNOWN : MAX(3 * g->c->column_ns, HEDGE_MIN);
}

/*
 * Whether another column would help: one stands still, or lags behind those that are done. While
 * all come slowly it is our own line that is full, and one more would only make them slower.
 */
static bool
lagging(const struct window *w)
{
	uint64_t now = env_now(w->get->env), delay = hedge_delay(w->get);
	bool others_done = columns_in(w, COLUMN_DONE) > 0;

	for (uint8_t i = 0; i < w->get->layout.n; i++) {
		const struct column *col = &w->columns[i];

		if (col->state == COLUMN_FETCHING &&
		    now - (others_done ? col->started_at : col->moved_at) >= delay)
			return true;
	}
	return false;
}

/* Until a column ends, or the hedge's time comes (*late). */
static int
window_wait(struct window *w, bool *late)
{
	struct env *env = w->get->env;
	uint64_t end = env_now(env) + hedge_delay(w->get);

	wait_init(&w->wait);
	w->waiting = true;

	int err = wait_for(env, &w->wait, end - env_now(env));

	w->waiting = false;
	*late = wait_time_came(env, err, end);
	return *late ? ERR_OK : err;
}

/* Whether all narrow columns are there; one that cannot be had makes the window whole. */
static bool
narrow_done(struct window *w)
{
	const struct get *g = w->get;
	uint8_t done = 0;

	for (uint8_t i = g->leaf_first; i <= g->leaf_last; i++) {
		struct column *col = &w->columns[i];

		if (col->state == COLUMN_UNUSED && g->holders->at[i].state == HOLDER_KNOWN)
			(void)fetch_column(w, col);
		done += col->state == COLUMN_DONE;
		w->whole |= col->state == COLUMN_UNUSED || col->state == COLUMN_FAILED;
	}
	return done == g->leaf_last - g->leaf_first + 1;
}

/* From the holders of what is wanted alone, as long as none of them fails or is slow. */
static int
narrow_fetch(struct window *w)
{
	int err = ERR_OK;

	while (err == ERR_OK && !narrow_done(w) && !w->whole) {
		bool late;

		err = window_wait(w, &late);
		w->whole |= late && lagging(w);
	}
	return err;
}

/* Collects k columns; ERR_UNREACHABLE when too few holders answer for too long. */
static int
window_fetch(struct window *w)
{
	struct get *g = w->get;
	uint8_t k = g->layout.k, done, hedges = 0;
	int narrow = w->whole ? ERR_OK : narrow_fetch(w);

	if (narrow != ERR_OK || !w->whole)
		return narrow;
	done = columns_in(w, COLUMN_DONE);
	g->moved_at = env_now(g->env);

	while (done < k) {
		while (columns_in(w, COLUMN_FETCHING) + done < k + hedges && start_column(w))
			;

		int err;

		if (columns_in(w, COLUMN_FETCHING) + done < k) {
			if (env_now(g->env) - g->moved_at > GET_REFUSE_TIMEOUT)
				return ERR_UNREACHABLE;
			/* Too few even if all answer: look for more, and let running ones go on. */
			err = holders_search(g->holders);
		} else {
			bool late;

			err = window_wait(w, &late);
			if (late && lagging(w))
				hedges = (uint8_t)MIN(hedges + 1, g->layout.n - k);
		}
		if (err != ERR_OK)
			return err;
		done = columns_in(w, COLUMN_DONE);
		/* Whom a search of that length has found shall have been asked, too. */
		if (done < k && env_now(g->env) - g->moved_at > 2 * GET_REFUSE_TIMEOUT)
			return ERR_UNREACHABLE;
	}
	return ERR_OK;
}

static int
window_run(struct window *w)
{
	unsigned rounds = ROUNDS_PER_SHARD * w->get->layout.n;
	int err;

	task_group_init(&w->fetches, w->get->env);
	for (;;) {
		size_t dropped = 0;

		if (rounds-- == 0) {
			err = ERR_UNREACHABLE;
			break;
		}

		err = window_fetch(w);
		/* Hedges that lost the race end here: their buffers are ours again. */
		task_group_fini(&w->fetches);
		task_group_init(&w->fetches, w->get->env);
		if (err == ERR_OK && w->get->sink->verify)
			err = window_check(w, &dropped);
		if (err == ERR_OK && dropped > 0)
			continue;
		if (err == ERR_OK)
			err = window_deliver(w);
		if (err != ERR_AUTH && err != ERR_CORRUPT)
			break;
		w->whole = true;

		int checked = window_check(w, &dropped);

		/* Nobody lied: the chunk was made so, and its reader is told. */
		if (checked != ERR_OK || dropped == 0) {
			err = checked == ERR_OK ? ERR_CORRUPT : checked;
			break;
		}
	}
	task_group_fini(&w->fetches);
	for (uint8_t i = 0; i < w->get->layout.n; i++)
		chunks_buffer_put(w->get->c, w->columns[i].data, w->get->column_bytes);
	return err;
}

static void
window_init(struct window *w, struct get *g, uint32_t number)
{
	memset(w, 0, sizeof(*w));
	w->get = g;
	w->number = number;
	w->first_row = g->first_row + number * g->window_rows;
	w->rows = MIN(g->window_rows, g->end_row - w->first_row);
	w->whole = !g->narrow;
	w->bytes = (size_t)(w->rows - 1) * LEAF_BYTES +
		   layout_leaf_bytes(&g->layout, w->first_row + w->rows - 1);
	for (uint8_t i = 0; i < g->layout.n; i++) {
		w->columns[i].window = w;
		w->columns[i].index = i;
	}
}

struct runner {
	struct get *get;
	size_t slot;
};

static int
runner_task(void *arg)
{
	struct runner *r = arg;
	struct get *g = r->get;
	struct window *w = malloc(sizeof(*w));
	int err = w == NULL ? ERR_NOMEM : ERR_OK;

	while (err == ERR_OK && g->err == ERR_OK && g->next_window < g->windows) {
		window_init(w, g, g->next_window++);
		g->active[r->slot] = w;
		err = window_run(w);
		g->active[r->slot] = NULL;
	}
	free(w);
	if (err != ERR_OK && g->err == ERR_OK)
		g->err = err;
	return err;
}

/* ---- the whole ---- */

/* Which pieces of the one row are wanted, and which leaves have them. */
static void
set_narrow(struct get *g, uint64_t from, uint64_t len)
{
	uint64_t row_at = (uint64_t)g->first_row * g->layout.k * LEAF_BYTES;
	uint64_t row_bytes = layout_row_bytes(&g->layout, g->first_row);
	uint64_t first = (from - row_at) / LEAF_BYTES,
		 last = (from + len - 1 - row_at) / LEAF_BYTES;
	uint32_t leaf = layout_leaf_bytes(&g->layout, g->first_row);

	g->piece_first = (uint8_t)first;
	g->piece_last = (uint8_t)last;
	g->leaf_first = (uint8_t)(first * LEAF_BYTES / leaf);
	g->leaf_last = (uint8_t)((MIN((last + 1) * LEAF_BYTES, row_bytes) - 1) / leaf);
	g->narrow = g->leaf_last - g->leaf_first + 1 < g->layout.k;
}

static int
get_init(struct get *g, struct chunks *c, const struct chunk_ref *ref, uint64_t from, uint64_t len,
    const struct chunk_sink *sink)
{
	uint32_t rows;
	int err = layout_make(ref->code.k, ref->code.n, ref->bytes, &g->layout);

	g->c = c;
	g->env = c->env;
	g->ref = ref;
	g->sink = sink;
	if (err == ERR_OK && (len == 0 || from >= ref->bytes || len > ref->bytes - from))
		err = ERR_INVALID;
	if (err == ERR_OK)
		err = chunks_coder(c, ref->code.k, ref->code.n, &g->coder);
	if (err == ERR_OK)
		err = holders_new(c, ref, ref->code.k, &g->holders);
	if (err != ERR_OK)
		return err;
	layout_rows_of(&g->layout, from, len, &g->first_row, &rows);
	g->end_row = g->first_row + rows;
	g->window_rows = (uint32_t)MAX(WINDOW_BYTES / (g->layout.k * LEAF_BYTES), 1);
	g->window_rows = MIN(g->window_rows, rows);
	g->windows = (rows + g->window_rows - 1) / g->window_rows;
	g->column_bytes = (size_t)g->window_rows * LEAF_BYTES;
	/* Proof is asked of each column against the others. */
	if (rows == 1 && !sink->verify)
		set_narrow(g, from, len);
	return holders_resolve(g->holders);
}

static int
get_run(struct get *g)
{
	struct runner runners[WINDOWS_IN_FLIGHT];
	struct task_group group;
	size_t count = MIN(WINDOWS_IN_FLIGHT, g->windows);
	int err = ERR_OK;

	task_group_init(&group, g->env);
	for (size_t i = 0; i < count && err == ERR_OK; i++) {
		runners[i] = (struct runner){ g, i };
		err = task_spawn(&group, "get window", runner_task, &runners[i]);
	}
	/* The first failure ends all: what the others would deliver is of no use. */
	for (size_t left = count; left-- > 0 && err == ERR_OK && g->err == ERR_OK;)
		err = task_group_wait(&group, left);
	task_group_fini(&group);
	/* What ended us first: the others were cancelled for it. */
	return err != ERR_OK ? err : g->err;
}

int
chunk_get(struct chunks *c, const struct chunk_ref *ref, uint64_t from, uint64_t len,
    const struct chunk_sink *sink, struct chunk_missing *missing)
{
	struct get *g = calloc(1, sizeof(*g));
	int err;

	if (g == NULL)
		return ERR_NOMEM;
	err = get_init(g, c, ref, from, len, sink);
	if (err == ERR_OK)
		err = get_run(g);
	if (err == ERR_UNREACHABLE && missing != NULL)
		*missing = (struct chunk_missing){
			.answered = holders_answered(g->holders),
			.needed = ref->code.k,
			.placed = ref->code.n,
		};
	holders_free(g->holders);
	free(g);
	return err;
}
