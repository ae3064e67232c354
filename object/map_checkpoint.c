/*
 * A new snapshot: what is due is discarded, changed pages are written, the ids of the log's
 * transactions, the list, at last a root that stands for the log up to the view's seq. Writing goes
 * on meanwhile. Where another gateway's checkpoint came first, all of this was in vain: it is
 * retired with the next root.
 */
#include <stdlib.h>

#include "object/map_chunks.h"
#include "object/map_follow.h"
#include "object/map_roots.h"

/*
 * A checkpoint that failed is tried again, later each time: each puts its pages under fresh keys,
 * and what the holders that are left have taken stays with them until a root gets through.
 */
#define RETRY_AFTER   MINUTES(1)
#define RETRY_MAX     MINUTES(30)
/* Of the log's memory that makes one due: from here on writers are refused … */
#define FULL_TIMES    4
/* … and wait for so many checkpoints before. */
#define MEMORY_TRIES  2
/* A writer that rolls meets a checkpoint's root now and then, not so often in a row. */
#define MOVE_TRIES    5
/* More log chunks make opening slow: each is fetched. */
#define LOGS_DUE      256
/* Refs are large; so many are handed over at once. */
#define DISCARD_BATCH 32

struct checkpoint {
	struct map *m;
	struct map_view *v;
	struct map_snapshot *next;
	struct blob_ref list, ids; /* hints NULL: not put */
	uint64_t number, seq, ids_from;
	size_t list_taken; /* of the root's retired, so many are in the list now */
	bool discarded;
};

/* ---- what is due ---- */

static bool
is_due(const struct checkpoint *c, const struct map_retired *r)
{
	return r->checkpoint + MAP_SNAPSHOTS_KEPT <= c->number;
}

static int
discard(struct checkpoint *c)
{
	struct map *m = c->m;
	struct map_snapshot *s = m->snapshot;
	struct chunk_ref *refs = malloc(DISCARD_BATCH * sizeof(*refs));
	size_t count = 0;
	int err = refs == NULL ? ERR_NOMEM : ERR_OK;

	s->refs++;
	for (size_t i = 0; err == ERR_OK && i < s->list.retired_count; i++) {
		if (!is_due(c, &s->list.retired[i]))
			continue;
		blob_ref_chunk(&s->list.retired[i].ref, &refs[count++]);
		if (count < DISCARD_BATCH)
			continue;
		if (m->opts.discard.fn != NULL)
			err = m->opts.discard.fn(m->opts.discard.arg, refs, count);
		count = 0;
	}
	if (err == ERR_OK && count > 0 && m->opts.discard.fn != NULL)
		err = m->opts.discard.fn(m->opts.discard.arg, refs, count);
	map_snapshot_release(s);
	free(refs);
	return err;
}

/* ---- the list ---- */

static int
retire_all(struct checkpoint *c, const bool *kept)
{
	const struct map_list *old = &c->v->snapshot->list;
	const struct map_root *root = &c->m->root;
	struct map_list *list = &c->next->list;
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < old->retired_count; i++) {
		if (!c->discarded || !is_due(c, &old->retired[i]))
			err =
			    map_list_retire(list, old->retired[i].checkpoint, &old->retired[i].ref);
	}
	for (size_t i = 0; err == ERR_OK && i < root->retired_count; i++) {
		err = map_list_retire(list, root->retired[i].checkpoint, &root->retired[i].ref);
		c->list_taken = i + 1;
	}
	for (size_t i = 0; err == ERR_OK && i < old->pages_count; i++) {
		if (!kept[i])
			err = map_list_retire(list, c->number, &old->pages[i].ref);
	}
	if (err == ERR_OK && root->checkpoint > 0)
		err = map_list_retire(list, c->number, &root->list);
	if (err == ERR_OK && root->ids_count == MAP_IDS_SNAPSHOTS)
		err = map_list_retire(list, c->number, &root->ids[MAP_IDS_SNAPSHOTS - 1].ref);
	return err;
}

static int
put_list(struct checkpoint *c, const bool *kept)
{
	struct map *m = c->m;
	struct map_blob blob = { .kind = SEALING_LIST };
	struct buf plain;
	int err = retire_all(c, kept);

	buf_init(&plain, MAP_LIST_BYTES);
	if (err == ERR_OK)
		err = map_list_pack(&c->next->list, &plain);
	blob.plain = buf_bytes(&plain);
	if (err == ERR_OK)
		err = map_blob_put(m, &blob, &c->list, &m->counts.written_lists);
	buf_fini(&plain);
	return err;
}

static int
put_ids(struct checkpoint *c)
{
	struct map *m = c->m;
	struct map_blob blob = { .kind = SEALING_IDS };
	struct buf plain;
	int err;

	c->ids_from = MAX(c->v->snapshot->list.seq, m->ids_from);
	buf_init(&plain, MAP_IDS_BYTES_MAX);
	err = map_ids_pack(&m->ids, c->ids_from, c->seq, &plain);
	blob.plain = buf_bytes(&plain);
	if (err == ERR_OK && plain.len > 0)
		err = map_blob_put(m, &blob, &c->ids, &m->counts.written_lists);
	buf_fini(&plain);
	return err;
}

/* ---- the root ---- */

static int
name_ids(struct checkpoint *c, struct map_root *root)
{
	const struct map_root *now = &c->m->root;
	int err = ERR_OK;

	if (c->ids.hints == NULL)
		return ERR_OK; /* nothing to be found: what is asked for is older, or unknown */
	err = blob_ref_copy(&root->ids[0].ref, &c->ids);
	if (err != ERR_OK)
		return err;
	root->ids[0].from = c->ids_from;
	root->ids[0].to = c->seq;
	root->ids_count = 1;
	if (now->ids_count == 0)
		return ERR_OK;
	err = blob_ref_copy(&root->ids[1].ref, &now->ids[0].ref);
	if (err != ERR_OK)
		return err;
	root->ids[1].from = now->ids[0].from;
	root->ids[1].to = now->ids[0].to;
	root->ids_count = 2;
	return ERR_OK;
}

static int
name_logs(struct checkpoint *c, struct map_root *root)
{
	const struct map_root *now = &c->m->root;
	int err = ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < now->logs_count; i++) {
		const struct map_span *s = &now->logs[i];

		if (s->to <= c->seq)
			err = map_root_retire(root, c->number, &s->ref);
		else
			err = map_root_add_log(root, &s->ref, s->from, s->to);
	}
	return err;
}

/* Rolls may have moved the root since the list was written: it is of the root of now. */
static int
build_root(struct checkpoint *c, struct map_root *root)
{
	const struct map_root *now = &c->m->root;
	int err;

	map_root_init(root);
	root->checkpoint = c->number;
	root->snapshot_seq = c->seq;
	err = blob_ref_copy(&root->list, &c->list);
	if (err == ERR_OK)
		err = name_ids(c, root);
	if (err == ERR_OK)
		err = name_logs(c, root);
	for (size_t i = c->list_taken; err == ERR_OK && i < now->retired_count; i++)
		err = map_root_retire(root, now->retired[i].checkpoint, &now->retired[i].ref);
	if (err != ERR_OK)
		map_root_fini(root);
	return err;
}

static int
move_root(struct checkpoint *c)
{
	struct map *m = c->m;
	struct map_root root;
	int err = semaphore_acquire(m->env, &m->rooting);

	if (err != ERR_OK)
		return err;
	err = ERR_STALE;
	/* Another gateway's roll may come first: its root names the same snapshot, so ours can be
	 * built on it. */
	for (int tries = 0; tries < MOVE_TRIES && err == ERR_STALE; tries++) {
		if (m->snapshot != c->v->snapshot)
			break;
		err = build_root(c, &root);
		if (err == ERR_OK) {
			c->next->refs++;
			err = map_root_move(m, &root, c->next, c->seq);
		}
	}
	semaphore_release(&m->rooting);
	return err;
}

/* ---- the whole ---- */

/* Pages that stay are named by the state of now, and so are no orphans. */
static void
orphan_all(struct checkpoint *c)
{
	const struct map_list *list = &c->next->list;

	for (size_t i = 0; i < list->pages_count; i++)
		map_orphan(c->m, &list->pages[i].ref);
	if (c->list.hints != NULL)
		map_orphan(c->m, &c->list);
	if (c->ids.hints != NULL)
		map_orphan(c->m, &c->ids);
}

static int
write_all(struct checkpoint *c)
{
	struct map_list *list = &c->next->list;
	bool *kept = calloc(MAX(c->v->snapshot->list.pages_count, 1), sizeof(*kept));
	int err = kept == NULL ? ERR_NOMEM : ERR_OK;

	list->checkpoint = c->number;
	list->seq = c->seq;
	if (err == ERR_OK)
		err = map_merge(c->v, list, kept);
	if (err == ERR_OK) {
		err = put_ids(c);
		if (err == ERR_OK)
			err = put_list(c, kept);
		if (err == ERR_OK)
			err = move_root(c);
		if (err != ERR_OK)
			orphan_all(c);
	}
	free(kept);
	return err;
}

static int
checkpoint(struct map *m)
{
	struct checkpoint c = { .m = m, .number = m->snapshot->list.checkpoint + 1 };
	int err = discard(&c);

	c.discarded = err == ERR_OK;
	if (err == ERR_CANCELED)
		return err;
	if (err != ERR_OK)
		log_info(m->env, "old pages are not discarded yet: %s", err_text(err));
	if (m->snapshot->list.checkpoint + 1 != c.number)
		return ERR_STALE;
	c.next = calloc(1, sizeof(*c.next));
	if (c.next == NULL)
		return ERR_NOMEM;
	c.next->refs = 1;
	err = map_view_new(m, &c.v);
	if (err == ERR_OK) {
		c.v->inside = true; /* it stays with the snapshot that it is made from */
		c.seq = c.v->seq;
		err = write_all(&c);
		map_view_release(c.v);
	}
	blob_ref_fini(&c.list);
	blob_ref_fini(&c.ids);
	map_snapshot_release(c.next);
	return err;
}

int
map_checkpoint(struct map *m)
{
	int err;

	if (m->opts.reg->commit == NULL)
		return ERR_STATE;
	if (m->forked)
		return ERR_CORRUPT;
	err = m->loaded ? ERR_OK : map_read_head(m);
	if (err == ERR_OK)
		err = semaphore_acquire(m->env, &m->checkpoints);
	if (err != ERR_OK)
		return err;
	if (map_dirty(m)) {
		err = checkpoint(m);
		m->counts.own_checkpoints += err == ERR_OK;
		m->counts.failed_checkpoints += err != ERR_OK;
		/* Another gateway's has done it. */
		if (err == ERR_STALE)
			err = ERR_OK;
		m->checkpoint_failures = err == ERR_OK ? 0 : m->checkpoint_failures + 1;
		if (err == ERR_OK)
			m->retry_pause = 0;
	}
	semaphore_release(&m->checkpoints);
	map_checkpoint_arm(m);
	return err;
}

/* ---- when ---- */

uint64_t
map_log_memory(const struct map *m)
{
	return m->era->overlay.bytes + m->ids.bytes;
}

static bool
log_full(const struct map *m)
{
	return map_log_memory(m) >= FULL_TIMES * m->opts.overlay_bytes;
}

/* Where writers are refused they are not so for longer than the shortest pause. */
static bool
may_begin(const struct map *m)
{
	uint64_t pause = m->retry_pause;

	if (log_full(m))
		pause = MIN(pause, RETRY_AFTER);
	return pause == 0 || env_now(m->env) - m->failed_at >= pause;
}

int
map_checkpointer(void *arg)
{
	struct map *m = arg;
	int err = map_checkpoint(m);

	m->work_err[MAP_WORK_CHECKPOINT] = err;
	if (err != ERR_OK && err != ERR_CANCELED) {
		log_warn(m->env, "no checkpoint: %s", err_text(err));
		m->failed_at = env_now(m->env);
		m->retry_pause = env_backoff(m->env, RETRY_AFTER, RETRY_MAX,
		    (unsigned)MAX(m->checkpoint_failures, (uint64_t)1) - 1);
		timer_start(&m->checkpoint_timer, m->retry_pause);
	}
	m->working[MAP_WORK_CHECKPOINT] = false;
	map_wake_waiters(m);
	return err;
}

void
map_checkpoint_fire(void *arg)
{
	struct map *m = arg;

	if (map_dirty(m))
		map_start(m, MAP_WORK_CHECKPOINT);
}

/* Who wrote last does it; the others later, in case he is gone. */
void
map_checkpoint_arm(struct map *m)
{
	uint64_t after = m->opts.checkpoint_after, memory = m->opts.overlay_bytes;
	bool leads = map_leads(m);

	if (m->opts.reg->commit == NULL || m->forked || !map_dirty(m))
		return;
	if (after != UINT64_MAX && !timer_armed(&m->checkpoint_timer))
		timer_start(&m->checkpoint_timer,
		    (leads ? after / 2 : after / 4 * 3) + env_random_below(m->env, after / 4 + 1));
	if (may_begin(m) && (map_log_memory(m) >= (leads ? memory : memory + memory / 2) ||
				m->root.logs_count >= (leads ? LOGS_DUE : LOGS_DUE + LOGS_DUE / 2)))
		map_start(m, MAP_WORK_CHECKPOINT);
}

/*
 * Memory of the log is bounded: writers wait for the checkpoint that frees it, then are refused.
 * Where the last one has failed they go on as long as there is room, whether or not one is tried.
 */
int
map_wait_memory(struct map *m)
{
	uint64_t max = m->opts.overlay_bytes;
	int tries = 0;

	while (map_log_memory(m) >= 2 * max && m->pending == NULL) {
		bool began = m->working[MAP_WORK_CHECKPOINT];

		/* Where views hold what was written, another checkpoint frees nothing. */
		if (!began && tries++ == MEMORY_TRIES)
			break;
		if (!began && !may_begin(m))
			break;
		map_start(m, MAP_WORK_CHECKPOINT);
		if (m->checkpoint_failures > 0 && !log_full(m))
			break;
		if (map_wait_root(m, MAP_WORK_CHECKPOINT) != ERR_OK)
			break;
	}
	return log_full(m) && m->pending == NULL ? ERR_BUSY : ERR_OK;
}
