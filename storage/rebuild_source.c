/*
 * A source of a rebuild: its leaf hashes first, checked against the root that the descriptor names,
 * then its leaves as one stream from the first to the last. A source that does not open gives way
 * to the next; one that fails later ends the rebuild, which is begun again without it.
 */
#include <stdlib.h>

#include "storage/rebuild_private.h"

/* A handshake, a queue of transfers on the other side, and the hashes. */
#define SOURCE_OPEN_TIMEOUT SECONDS(15)
/* Without a group of leaves for so long it is taken for gone. */
#define SOURCE_READ_TIMEOUT SECONDS(30)

static SUSPENDS int
open_leaves(struct source *s)
{
	const struct rebuild *r = s->w->r;
	struct shard_range range = {
		.chunk = *r->chunk, .index = s->shard->index, .count = s->w->layout.rows
	};

	return shard_range_open(
	    r->chunks, &s->shard->holder, METHOD_SHARD_GET, &range, &s->lane.stream);
}

static SUSPENDS int
fetch_hashes(struct source *s)
{
	const struct rebuild *r = s->w->r;

	return shard_hashes(r->chunks, &s->shard->holder, r->chunk, s->shard->index,
	    s->w->layout.rows, s->lane.leaves);
}

static SUSPENDS int
own_hashes(struct source *s)
{
	uint32_t count;
	int err = store_leaf_hashes(
	    s->w->r->store, s->w->r->chunk, s->shard->index, s->lane.leaves, &count);

	return err == ERR_OK && count != s->w->layout.rows ? ERR_CORRUPT : err;
}

static int
check_root(const struct source *s)
{
	const struct layout *l = &s->w->layout;

	return merkle_check(
	    &s->w->r->descriptor->roots[s->shard->index], s->lane.leaves, l->rows, l->shard_bytes);
}

static SUSPENDS int
open_one(struct source *s)
{
	uint64_t old = task_deadline(s->w->env, env_now(s->w->env) + SOURCE_OPEN_TIMEOUT);
	int err = s->shard->own ? own_hashes(s) : fetch_hashes(s);

	if (err == ERR_OK)
		err = check_root(s);
	if (err == ERR_CORRUPT && !s->shard->own) {
		s->shard->lied = true;
		endpoint_blame(s->w->r->chunks->opts.endpoint, &s->shard->holder,
		    "hashes of a shard do not lead to its root");
	}
	if (err == ERR_OK && !s->shard->own)
		err = open_leaves(s);
	task_deadline_restore(s->w->env, old);
	return err;
}

int
source_open_task(void *arg)
{
	struct source *s = arg;
	struct rebuilding *w = s->w;

	s->err = ERR_UNREACHABLE;
	while (w->next_source < w->r->sources_count) {
		s->shard = &w->r->sources[w->next_source++];
		if (s->shard->failed)
			continue;
		s->err = open_one(s);
		if (s->err == ERR_OK || s->err == ERR_CANCELED)
			break;
		stream_close(s->lane.stream);
		s->lane.stream = NULL;
		s->shard->failed = true;
		log_info(w->env, "shard %u is no source of a repair: %s", s->shard->index,
		    err_text(s->err));
	}
	return s->err;
}

static SUSPENDS int
read_own(struct source *s, uint8_t *dst)
{
	struct rebuilding *w = s->w;
	size_t len;
	int err = store_read(w->r->store, w->r->chunk, s->shard->index, w->reading * w->step,
	    work_rows(w, w->reading), dst, &len);

	return err == ERR_OK && len != work_bytes(w, w->reading) ? ERR_CORRUPT : err;
}

int
source_read_task(void *arg)
{
	struct source *s = arg;
	struct rebuilding *w = s->w;
	uint8_t *dst = s->lane.slot[w->reading % SLOTS];
	uint64_t old;

	if (s->shard->own) {
		s->err = read_own(s, dst);
		if (s->err == ERR_OK)
			w->r->own += work_bytes(w, w->reading);
	} else {
		old = task_deadline(w->env, env_now(w->env) + SOURCE_READ_TIMEOUT);
		s->err = stream_read(s->lane.stream, dst, work_bytes(w, w->reading));
		task_deadline_restore(w->env, old);
		if (s->err == ERR_OK)
			w->r->fetched += work_bytes(w, w->reading);
	}
	s->shard->failed = s->err != ERR_OK;
	return s->err;
}
