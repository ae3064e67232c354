/*
 * A new root on its way: put as a chunk, then *pending* until a commit has moved the head to it, or
 * until another writer's root came first. And rolling: when the tail is half full, what it has
 * becomes a log chunk that a new root names, while writing goes on into the other half.
 */
#include <stdlib.h>

#include "object/map_chunks.h"
#include "object/map_roots.h"
#include "object/map_space.h"

/* A commit comes to an end by then, so it is asked for again; so many times. */
#define PENDING_PATIENCE SECONDS(30)
#define PENDING_TRIES    4
/* Of a roll that others overtake: another one follows from the next head that is met. */
#define ROLL_TRIES       3

/* ---- who waits for a root ---- */

void
map_wake_waiters(struct map *m)
{
	while (m->waiters != NULL) {
		struct map_waiter *w = m->waiters;

		m->waiters = w->next;
		wait_wake(&w->wait, ERR_OK);
	}
}

static int
wait_a_while(struct map *m)
{
	struct map_waiter w = { .next = m->waiters };
	struct map_waiter **at = &m->waiters;
	int err;

	wait_init(&w.wait);
	m->waiters = &w;
	err = wait_for(m->env, &w.wait, 0);
	if (w.wait.done)
		return ERR_OK;
	while (*at != &w)
		at = &(*at)->next;
	*at = w.next;
	return err;
}

int
map_wait_root(struct map *m, enum map_work w)
{
	int err = ERR_OK;

	while (err == ERR_OK && m->pending == NULL && m->working[w])
		err = wait_a_while(m);
	return err != ERR_OK || m->pending != NULL ? err : m->work_err[w];
}

/* ---- what was put in vain ---- */

static bool
in_spans(const struct map_span *at, size_t count, const struct hash *id)
{
	for (size_t i = 0; i < count; i++) {
		if (hash_equal(&at[i].ref.id, id))
			return true;
	}
	return false;
}

static bool
in_retired(const struct map_retired *at, size_t count, const struct hash *id)
{
	for (size_t i = 0; i < count; i++) {
		if (hash_equal(&at[i].ref.id, id))
			return true;
	}
	return false;
}

static bool
is_named(const struct map *m, const struct hash *id)
{
	const struct map_root *r = &m->root;
	const struct map_list *l = &m->snapshot->list;

	if (hash_equal(&m->root_id, id) || (r->checkpoint > 0 && hash_equal(&r->list.id, id)))
		return true;
	if (in_spans(r->ids, r->ids_count, id) || in_spans(r->logs, r->logs_count, id) ||
	    in_retired(r->retired, r->retired_count, id) ||
	    in_retired(l->retired, l->retired_count, id))
		return true;
	for (size_t i = 0; i < l->pages_count; i++) {
		if (hash_equal(&l->pages[i].ref.id, id))
			return true;
	}
	return false;
}

void
map_orphan(struct map *m, const struct blob_ref *ref)
{
	struct blob_ref *more;

	if (is_named(m, &ref->id))
		return;
	more = realloc(m->orphans, (m->orphans_count + 1) * sizeof(*more));
	if (more != NULL)
		m->orphans = more;
	/* Without memory it is kept until its lease ends: 400 days, and no harm else. */
	if (more == NULL || blob_ref_copy(&more[m->orphans_count], ref) != ERR_OK)
		log_warn(m->env, "a chunk that nothing names stays until its lease ends");
	else
		m->orphans_count++;
}

void
map_orphans_named(struct map *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->orphans_count; i++) {
		if (is_named(m, &m->orphans[i].id))
			blob_ref_fini(&m->orphans[i]);
		else
			m->orphans[kept++] = m->orphans[i];
	}
	m->orphans_count = kept;
}

void
map_orphans_fini(struct map *m)
{
	for (size_t i = 0; i < m->orphans_count; i++)
		blob_ref_fini(&m->orphans[i]);
	free(m->orphans);
	m->orphans = NULL;
	m->orphans_count = 0;
}

/* ---- a root to the head ---- */

bool
map_pending_is(const struct map *m, const struct hash *id)
{
	return m->pending != NULL && hash_equal(&m->pending->ref.id, id);
}

void
map_pending_done(struct map *m, int err)
{
	struct map_pending *p = m->pending;

	m->pending = NULL;
	if (p != NULL)
		wait_wake(&p->done, err);
}

/* The root before this one, and what was put in vain, go with the snapshot of now. */
static int
retire_before(struct map *m, struct map_root *root)
{
	uint64_t checkpoint = m->root.checkpoint + 1;
	int err = ERR_OK;

	if (m->root_ref.hints != NULL)
		err = map_root_retire(root, checkpoint, &m->root_ref);
	for (size_t i = 0; err == ERR_OK && i < m->orphans_count; i++)
		err = map_root_retire(root, checkpoint, &m->orphans[i]);
	return err;
}

static int
put_root(struct map *m, struct map_pending *p)
{
	struct map_blob blob = { .kind = SEALING_ROOT, .publish = true };
	struct buf plain;
	int err;

	buf_init(&plain, MAP_ROOT_BYTES);
	err = map_root_pack(&p->root, &plain);
	blob.plain = buf_bytes(&plain);
	if (err == ERR_OK)
		err = map_blob_put(m, &blob, &p->ref, &m->counts.written_roots);
	buf_fini(&plain);
	return err;
}

static int
wait_moved(struct map *m, struct map_pending *p)
{
	int err = ERR_OK;

	wait_init(&p->done);
	m->pending = p;
	map_wake_waiters(m);
	for (int tries = 0; tries < PENDING_TRIES; tries++) {
		map_kick(m);
		err = wait_for(m->env, &p->done, PENDING_PATIENCE);
		if (p->done.done || task_canceled(m->env))
			break;
	}
	if (m->pending == p)
		m->pending = NULL;
	return err;
}

int
map_root_move(struct map *m, struct map_root *root, struct map_snapshot *snapshot, uint64_t covers)
{
	struct map_pending p = {
		.base = m->root_id, .root = *root, .snapshot = snapshot, .covers = covers
	};
	int err = retire_before(m, &p.root);

	map_root_init(root);
	if (err == ERR_OK)
		err = put_root(m, &p);
	if (err == ERR_OK) {
		err = hash_equal(&p.base, &m->root_id) ? wait_moved(m, &p) : ERR_STALE;
		if (err != ERR_OK)
			map_orphan(m, &p.ref);
		else
			map_orphans_named(m);
	}
	map_root_fini(&p.root);
	blob_ref_fini(&p.ref);
	map_snapshot_release(p.snapshot);
	return err;
}

/* ---- rolling ---- */

/* The tail as far as it is known, as a log chunk. */
static int
gather_tail(struct map *m, struct buf *out, uint64_t *from, uint64_t *to)
{
	struct map_register *reg = m->opts.reg;
	const struct map_head *h = reg->head(reg);
	int err = ERR_OK;

	*from = *to = 0;
	for (uint16_t i = 0; err == ERR_OK && i < h->segments; i++) {
		struct bytes segment = reg->segment(reg, i);
		uint64_t seq;

		err = map_segment_seq(segment, &seq);
		if (err != ERR_OK || seq > m->seq)
			break;
		if (seq <= m->snapshot->list.seq)
			continue; /* a checkpoint has it, and will take it from the tail */
		*from = *from == 0 ? seq : *from;
		*to = seq;
		err = map_log_chunk_add(out, segment);
	}
	return err;
}

/* The log as the root names it, and this span behind. ERR_STALE: a part of it is elsewhere now. */
static int
root_with_log(
    struct map *m, const struct blob_ref *log, uint64_t from, uint64_t to, struct map_root *root)
{
	const struct map_root *now = &m->root;
	int err;

	if (now->snapshot_seq >= from ||
	    (now->logs_count > 0 && now->logs[now->logs_count - 1].to >= from))
		return ERR_STALE;
	err = map_root_copy(root, now);
	if (err == ERR_OK) {
		err = map_root_add_log(root, log, from, to);
		if (err != ERR_OK)
			map_root_fini(root);
	}
	return err;
}

static int
roll(struct map *m)
{
	struct map_blob blob = { .kind = SEALING_LOG };
	struct blob_ref log = { .hints = NULL };
	struct map_root root;
	struct buf plain;
	uint64_t from, to;
	int err;

	buf_init(&plain, MAP_LOG_CHUNK_MAX);
	err = gather_tail(m, &plain, &from, &to);
	blob.plain = buf_bytes(&plain);
	if (err == ERR_OK && to == 0)
		err = ERR_STALE;
	if (err == ERR_OK)
		err = map_blob_put(m, &blob, &log, &m->counts.written_logs);
	buf_fini(&plain);
	if (err != ERR_OK)
		return err;
	err = semaphore_acquire(m->env, &m->rooting);
	if (err == ERR_OK) {
		err = root_with_log(m, &log, from, to, &root);
		if (err == ERR_OK)
			err = map_root_move(m, &root, NULL, to);
		semaphore_release(&m->rooting);
	}
	if (err == ERR_OK)
		m->counts.rolls++;
	else
		map_orphan(m, &log);
	blob_ref_fini(&log);
	return err;
}

static bool
is_due(const struct map *m)
{
	return map_tail_due(m->opts.reg->head(m->opts.reg));
}

void
map_roll_if_due(struct map *m)
{
	const struct map_head *h = m->opts.reg->head(m->opts.reg);

	/* Two that roll the same tail are in each other's way: who does is the one that has filled
	 * it. Where that has gone, the tail will be full, and a commit has it rolled. */
	if (map_leads(m) && !m->forked && is_due(m) &&
	    !(map_beside_others(m) && hash_equal(&m->others_due, &h->root)))
		map_start(m, MAP_WORK_ROLL);
}

int
map_roller(void *arg)
{
	struct map *m = arg;
	int err = ERR_OK;

	/* Stale: another root came first, perhaps one that has shortened the tail as well. */
	for (int tries = 0; tries < ROLL_TRIES && is_due(m); tries++) {
		err = roll(m);
		if (err != ERR_OK && err != ERR_STALE)
			break;
	}
	if (err == ERR_STALE)
		err = ERR_OK;
	m->work_err[MAP_WORK_ROLL] = err;
	if (err != ERR_OK && err != ERR_CANCELED)
		log_warn(m->env, "the log's tail cannot be moved to a chunk: %s", err_text(err));
	m->working[MAP_WORK_ROLL] = false;
	map_wake_waiters(m);
	return err;
}
