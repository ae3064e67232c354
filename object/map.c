/* Opening, closing, the work of its own, and what is to be seen of a map. */
#include "object/map.h"

#include <stdlib.h>

#include "object/map_chunks.h"
#include "object/map_follow.h"
#include "object/map_kept.h"
#include "object/map_roots.h"

/* Anchors that did not answer: asked again after so long, in the background … */
#define ASK_AGAIN     SECONDS(1)
/* … and waited for again by those who come so long after. */
#define AWAY_BELIEVED SECONDS(15)
/* No room for a task is over soon. */
#define START_AGAIN   MILLISECONDS(10)

static const struct {
	const char *name;
	int (*fn)(void *arg);
} works[MAP_WORKS] = {
	[MAP_WORK_COMMIT] = { "commit", map_committer },
	[MAP_WORK_ROLL] = { "roll the log", map_roller },
	[MAP_WORK_CHECKPOINT] = { "checkpoint", map_checkpointer },
	[MAP_WORK_KEEP] = { "keep the head", map_keeper },
	[MAP_WORK_ASK] = { "ask for the head", map_asker },
};

void
map_start(struct map *m, enum map_work w)
{
	if (m->working[w])
		return;
	m->working[w] = m->wanted[w] = true;
	timer_start(&m->starter, 0);
}

static void
start_wanted(void *arg)
{
	struct map *m = arg;

	for (size_t w = 0; w < MAP_WORKS; w++) {
		int err;

		if (!m->wanted[w])
			continue;
		err = task_spawn(&m->tasks, works[w].name, works[w].fn, m);
		if (err == ERR_OK)
			m->wanted[w] = false;
		else
			timer_start(&m->starter, START_AGAIN);
	}
}

static void
set_options(struct map *m, const struct map_opts *opts)
{
	m->opts = *opts;
	m->opts.secret = NULL;
	m->opts.cache_dir = NULL;
	if (m->opts.memory_bytes == 0)
		m->opts.memory_bytes = MAP_MEMORY_BYTES;
	if (m->opts.overlay_bytes == 0)
		m->opts.overlay_bytes = MAP_OVERLAY_BYTES;
	if (m->opts.page_bytes == 0)
		m->opts.page_bytes = MAP_PAGE_BYTES;
	if (m->opts.checkpoint_after == 0)
		m->opts.checkpoint_after = MAP_CHECKPOINT_AFTER;
	must(m->opts.page_bytes <= MAP_PAGE_TARGET_MAX);
}

int
map_open(const struct map_opts *opts, struct map **out)
{
	struct map *m = calloc(1, sizeof(*m));
	int err;

	if (m == NULL)
		return ERR_NOMEM;
	m->env = opts->env;
	set_options(m, opts);
	sealing_init(&m->sealing, opts->net, &opts->bucket, opts->secret);
	m->queue_end = &m->queue;
	semaphore_init(&m->rooting, 1);
	semaphore_init(&m->checkpoints, 1);
	timer_init(&m->checkpoint_timer, m->env, map_checkpoint_fire, m);
	timer_init(&m->starter, m->env, start_wanted, m);
	timer_init(&m->keep_timer, m->env, map_kept_fire, m);
	task_group_init(&m->tasks, m->env);
	err = map_state_init(m);
	if (err == ERR_OK)
		err = cache_dir_init(&m->cache_dir, m->env, opts->cache_dir,
		    opts->cache_bytes == 0 ? MAP_CACHE_BYTES : opts->cache_bytes);
	if (err != ERR_OK) {
		map_close(m);
		return err;
	}
	*out = m;
	return ERR_OK;
}

void
map_close(struct map *m)
{
	if (m == NULL)
		return;
	timer_stop(&m->checkpoint_timer);
	timer_stop(&m->starter);
	task_group_fini(&m->tasks);
	if (m->era != NULL)
		map_kept_write(m);
	timer_stop(&m->checkpoint_timer);
	timer_stop(&m->starter);
	timer_stop(&m->keep_timer);
	must(m->queue == NULL && m->waiters == NULL && m->pending == NULL);
	map_state_fini(m);
	map_cache_fini(m);
	map_orphans_fini(m);
	cache_dir_fini(&m->cache_dir);
	sealing_wipe(&m->sealing);
	free(m);
}

/*
 * *stale_ms as of a view. Nobody waits again for anchors that did not answer just now: they are
 * asked beside, and who comes after they are back is told what is current.
 */
static SUSPENDS int
ask_or_recall(struct map *m, uint64_t *stale_ms)
{
	int err = ERR_UNREACHABLE;

	if (!m->away || env_now(m->env) - m->away_at >= AWAY_BELIEVED)
		err = map_read_head(m);
	else if (env_now(m->env) - m->away_at >= ASK_AGAIN)
		map_start(m, MAP_WORK_ASK);
	if (err != ERR_UNREACHABLE || !m->away)
		return err;
	if (!m->loaded && map_kept_read(m) != ERR_OK)
		return err;
	*stale_ms = m->current_ms;
	return m->current_ms != 0 ? ERR_OK : err;
}

int
map_view(struct map *m, enum map_fresh fresh, struct map_view **out)
{
	bool old = m->stale || env_now(m->env) - m->current_at > MAP_RECENT_AGE;
	uint64_t stale_ms = 0;
	int err = ERR_OK;

	if (fresh == MAP_RECALL)
		err = ask_or_recall(m, &stale_ms);
	else if (fresh == MAP_CURRENT || (fresh == MAP_RECENT && old) || !m->loaded)
		err = map_read_head(m);
	if (err == ERR_OK)
		err = map_view_new(m, out);
	if (err == ERR_OK)
		(*out)->stale_ms = stale_ms;
	return err;
}

uint64_t
map_view_stale_ms(const struct map_view *v)
{
	return v->stale_ms;
}

bool
map_leads(const struct map *m)
{
	return m->loaded && m->seq > 0 && hash_equal(&m->own_head_id, &m->head_id);
}

/* ---- sight ---- */

static int
visit(int (*each)(void *arg, const struct chunk_ref *ref), void *arg, const struct blob_ref *ref,
    struct chunk_ref *chunk)
{
	blob_ref_chunk(ref, chunk);
	return each(arg, chunk);
}

static int
each_of_root(const struct map_root *r, int (*each)(void *arg, const struct chunk_ref *ref),
    void *arg, struct chunk_ref *chunk)
{
	int err = r->checkpoint > 0 ? visit(each, arg, &r->list, chunk) : ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < r->ids_count; i++)
		err = visit(each, arg, &r->ids[i].ref, chunk);
	for (size_t i = 0; err == ERR_OK && i < r->logs_count; i++)
		err = visit(each, arg, &r->logs[i].ref, chunk);
	for (size_t i = 0; err == ERR_OK && i < r->retired_count; i++)
		err = visit(each, arg, &r->retired[i].ref, chunk);
	return err;
}

int
map_each_chunk(struct map *m, int (*each)(void *arg, const struct chunk_ref *ref), void *arg)
{
	struct map_snapshot *s;
	struct map_root root;
	struct blob_ref self = { .hints = NULL };
	struct chunk_ref *chunk;
	int err = m->loaded ? ERR_OK : map_read_head(m);

	if (err != ERR_OK)
		return err;
	/* each may suspend: what is visited must not move meanwhile. */
	err = map_root_copy(&root, &m->root);
	if (err != ERR_OK)
		return err;
	s = m->snapshot;
	s->refs++;
	chunk = malloc(sizeof(*chunk));
	err = chunk == NULL ? ERR_NOMEM : ERR_OK;
	if (err == ERR_OK && m->root_ref.hints != NULL)
		err = blob_ref_copy(&self, &m->root_ref);
	if (err == ERR_OK && self.hints != NULL)
		err = visit(each, arg, &self, chunk);
	if (err == ERR_OK)
		err = each_of_root(&root, each, arg, chunk);
	for (size_t i = 0; err == ERR_OK && i < s->list.pages_count; i++)
		err = visit(each, arg, &s->list.pages[i].ref, chunk);
	for (size_t i = 0; err == ERR_OK && i < s->list.retired_count; i++)
		err = visit(each, arg, &s->list.retired[i].ref, chunk);
	free(chunk);
	blob_ref_fini(&self);
	map_snapshot_release(s);
	map_root_fini(&root);
	return err;
}

void
map_sight(const struct map *m, struct map_sight *out)
{
	const struct map_head *h = m->opts.reg->head(m->opts.reg);
	const struct map_list *l = &m->snapshot->list;

	*out = m->counts;
	out->loaded = m->loaded;
	out->stale = m->stale;
	out->forked = m->forked;
	out->epoch = m->epoch;
	out->seq = m->seq;
	out->snapshot_seq = l->seq;
	out->checkpoints = l->checkpoint;
	out->pages = l->pages_count;
	for (size_t i = 0; i < l->pages_count; i++) {
		out->page_plain_bytes += l->pages[i].plain_bytes;
		out->page_bytes += l->pages[i].ref.bytes;
	}
	out->overlay_entries = m->era->overlay.items;
	out->overlay_bytes = map_log_memory(m);
	out->log_chunks = m->root.logs_count;
	out->tail_segments = h->segments;
	out->tail_bytes = h->tail_bytes;
	out->cached_pages = m->pages_count;
	out->cached_bytes = m->pages_bytes;
	out->cached_files = m->cache_dir.count;
	out->views = m->views_count;
	out->retired = m->root.retired_count + l->retired_count;
}
