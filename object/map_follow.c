/*
 * From what is known to the register's head:
 *
 *   head → root another one? fetch it → checkpoint another one? fetch its list → log chunks behind
 *   what is known → segments of the tail behind that
 *
 * Each step leaves a state that was committed once, so where one fails the next call goes on there.
 * One at a time. What the register lends is copied first, since fetching suspends.
 */
#include <stdlib.h>

#include "object/map_chunks.h"
#include "object/map_follow.h"
#include "object/map_kept.h"
#include "object/map_roots.h"
#include "object/map_space.h"

int
map_target_take(struct map *m, uint64_t seq, struct map_target *t)
{
	const struct map_head *h = m->opts.reg->head(m->opts.reg);
	int err = ERR_OK;

	t->head = *h;
	buf_init(&t->records, MAP_LOG_CHUNK_MAX);
	for (uint16_t i = 0; err == ERR_OK && i < h->segments; i++) {
		struct bytes segment = m->opts.reg->segment(m->opts.reg, i);
		uint64_t of;

		err = map_segment_seq(segment, &of);
		if (err == ERR_OK && of > seq)
			err = map_log_chunk_add(&t->records, segment);
	}
	return err == ERR_INVALID || err == ERR_TOO_BIG ? ERR_CORRUPT : err;
}

/* ---- fetching ---- */

static int
fetch_root(struct map *m, const struct hash *id, struct map_root *root, struct blob_ref *ref)
{
	struct chunk_ref *chunk = malloc(sizeof(*chunk));
	struct buf plain;
	int err = chunk == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&plain, MAP_ROOT_BYTES);
	if (err == ERR_OK)
		err = m->opts.blobs->find(m->opts.blobs, id, chunk);
	if (err == ERR_OK)
		err = map_blob_get(m, SEALING_ROOT, chunk, &plain);
	if (err == ERR_OK)
		err = map_root_unpack(buf_bytes(&plain), root);
	if (err == ERR_OK) {
		err = blob_ref_init(ref, chunk);
		if (err != ERR_OK)
			map_root_fini(root);
	}
	buf_fini(&plain);
	free(chunk);
	return err;
}

static int
fetch_list(struct map *m, const struct map_root *root, struct map_snapshot **out)
{
	struct chunk_ref *chunk = malloc(sizeof(*chunk));
	struct map_snapshot *s = calloc(1, sizeof(*s));
	struct buf plain;
	int err = chunk == NULL || s == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&plain, MAP_LIST_BYTES);
	if (err == ERR_OK) {
		blob_ref_chunk(&root->list, chunk);
		err = map_blob_get(m, SEALING_LIST, chunk, &plain);
	}
	if (err == ERR_OK)
		err = map_list_unpack(buf_bytes(&plain), &s->list);
	if (err == ERR_OK &&
	    (s->list.checkpoint != root->checkpoint || s->list.seq != root->snapshot_seq)) {
		map_list_fini(&s->list);
		err = ERR_CORRUPT;
	}
	buf_fini(&plain);
	free(chunk);
	if (err != ERR_OK) {
		free(s);
		return err;
	}
	s->refs = 1;
	*out = s;
	return ERR_OK;
}

/* A root that came by itself: ours, which is known already, or another one's. */
static int
take_root(struct map *m, const struct hash *id)
{
	struct map_snapshot *snapshot = NULL;
	struct map_root root;
	struct blob_ref ref;
	int err;

	if (map_pending_is(m, id)) {
		struct map_pending *p = m->pending;

		map_install(m, id, &p->root, &p->ref, p->snapshot);
		p->snapshot = NULL;
		map_pending_done(m, ERR_OK);
		return ERR_OK;
	}
	err = fetch_root(m, id, &root, &ref);
	if (err != ERR_OK)
		return err;
	if (root.checkpoint != m->snapshot->list.checkpoint)
		err = fetch_list(m, &root, &snapshot);
	if (err != ERR_OK) {
		map_root_fini(&root);
		blob_ref_fini(&ref);
		return err;
	}
	map_install(m, id, &root, &ref, snapshot);
	map_pending_done(m, ERR_STALE);
	map_orphans_named(m);
	return ERR_OK;
}

static int
apply_one(void *arg, uint64_t seq, struct bytes segment)
{
	return map_apply(arg, seq, segment);
}

static int
take_log(struct map *m, const struct map_span *span)
{
	struct chunk_ref *chunk = malloc(sizeof(*chunk));
	struct buf plain;
	int err = chunk == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&plain, MAP_LOG_CHUNK_MAX);
	if (err == ERR_OK) {
		blob_ref_chunk(&span->ref, chunk);
		err = map_blob_get(m, SEALING_LOG, chunk, &plain);
	}
	if (err == ERR_OK)
		err = map_log_chunk_each(buf_bytes(&plain), apply_one, m);
	buf_fini(&plain);
	free(chunk);
	return err;
}

static bool
is_zero(const struct hash *h)
{
	static const struct hash zero;

	return hash_equal(h, &zero);
}

static int
go_to(struct map *m, const struct map_target *t)
{
	const struct map_head *h = &t->head;
	int err = ERR_OK;

	if (h->epoch != m->epoch && m->seq > 0) {
		/* A recovery: the log of the epoch before may have an end of its own. */
		map_pending_done(m, ERR_STALE);
		err = map_era_begin(m);
	} else if (h->seq < m->seq) {
		return ERR_CORRUPT; /* heads only move forward */
	}
	if (err != ERR_OK)
		return err;
	m->epoch = h->epoch;
	if (!hash_equal(&h->root, &m->root_id)) {
		if (is_zero(&h->root))
			return ERR_CORRUPT;
		err = take_root(m, &h->root);
	}
	for (size_t i = 0; err == ERR_OK && i < m->root.logs_count; i++) {
		if (m->root.logs[i].to > m->seq)
			err = take_log(m, &m->root.logs[i]);
	}
	if (err == ERR_OK && t->records.len > 0)
		err = map_log_chunk_each(buf_bytes(&t->records), apply_one, m);
	if (err != ERR_OK)
		return err == ERR_INVALID ? ERR_CORRUPT : err;
	if (h->seq < m->seq)
		return ERR_CORRUPT;
	m->seq = h->seq;
	m->head_id = h->id;
	m->loaded = true;
	if (!hash_equal(&h->id, &m->own_head_id)) {
		m->others_at = env_now(m->env);
		m->others_due = map_tail_due(h) ? h->root : (struct hash){ { 0 } };
	}
	return ERR_OK;
}

static int
follow_once(struct map *m)
{
	const struct map_head *h = m->opts.reg->head(m->opts.reg);
	struct map_target t;
	int err;

	if (!h->present) {
		/* A recovery that was broken off: its epoch does not stand on anything yet. */
		if (h->seq > 0)
			return ERR_UNREACHABLE;
		m->epoch = h->epoch;
		m->seq = h->seq;
		m->loaded = true;
		return ERR_OK;
	}
	if (m->loaded && m->epoch == h->epoch && hash_equal(&m->head_id, &h->id))
		return ERR_OK;
	err = map_target_take(m, h->epoch == m->epoch ? m->seq : 0, &t);
	if (err == ERR_OK)
		err = go_to(m, &t);
	buf_fini(&t.records);
	return err;
}

int
map_follow(struct map *m)
{
	int err = semaphore_acquire(m->env, &m->following);

	if (err != ERR_OK)
		return err;
	err = follow_once(m);
	semaphore_release(&m->following);
	if (err == ERR_OK) {
		map_checkpoint_arm(m);
		map_roll_if_due(m);
	}
	return err;
}

void
map_was_current(struct map *m, uint64_t at, uint64_t at_ms)
{
	m->current_at = MAX(m->current_at, at);
	m->current_ms = MAX(m->current_ms, at_ms);
	map_kept_arm(m);
}

int
map_follow_to(struct map *m, const struct map_target *t)
{
	int err = semaphore_acquire(m->env, &m->following);

	if (err != ERR_OK)
		return err;
	if (!m->loaded)
		err = go_to(m, t);
	semaphore_release(&m->following);
	return err;
}

int
map_read_head(struct map *m)
{
	int err = ERR_UNREACHABLE;

	/* A chunk that is missing may have been replaced: the head is read again, once. */
	for (int tries = 0; tries < 2 && (err == ERR_UNREACHABLE || err == ERR_NOT_FOUND);
	     tries++) {
		uint64_t began = env_now(m->env), now_ms = env_wall_ms(m->env);
		int asked = m->opts.reg->read(m->opts.reg);

		m->stale = asked != ERR_OK;
		m->forked |= asked == ERR_CORRUPT;
		if (asked != ERR_CANCELED && asked != ERR_TIMEOUT)
			m->away = asked == ERR_UNREACHABLE;
		m->away_at = env_now(m->env);
		if (asked != ERR_OK)
			return asked;
		err = map_follow(m);
		if (err == ERR_OK)
			map_was_current(m, began, now_ms);
	}
	return err == ERR_NOT_FOUND ? ERR_UNREACHABLE : err;
}

int
map_asker(void *map)
{
	struct map *m = map;
	int err = map_read_head(m);

	m->working[MAP_WORK_ASK] = false;
	return err;
}

/* ---- transactions of unknown fate ---- */

static int
look_in_chunk(
    struct map *m, const struct map_span *span, const struct map_txn_id *id, struct buf *result)
{
	struct chunk_ref *chunk = malloc(sizeof(*chunk));
	struct bytes found = { NULL, 0 };
	struct buf plain;
	int err = chunk == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&plain, MAP_IDS_BYTES_MAX);
	if (err == ERR_OK) {
		blob_ref_chunk(&span->ref, chunk);
		err = map_blob_get(m, SEALING_IDS, chunk, &plain);
	}
	if (err == ERR_OK)
		err = map_ids_look(buf_bytes(&plain), id, &found);
	else if (err == ERR_NOT_FOUND)
		err = ERR_UNREACHABLE; /* the chunk, not the id */
	if (err == ERR_OK && found.len > 0)
		err = buf_append(result, found.data, found.len);
	buf_fini(&plain);
	free(chunk);
	return err;
}

int
map_find_txn(struct map *m, const struct map_txn_id *id, uint64_t since, struct buf *result)
{
	const struct map_ids_entry *e = map_ids_find(&m->ids, id);
	uint64_t from = m->ids_from;

	if (e != NULL)
		return e->len == 0 ? ERR_OK : buf_append(result, e->result, e->len);
	for (uint8_t i = 0; from > since && i < m->root.ids_count; i++) {
		struct map_span span;
		int err;

		if (m->root.ids[i].from >= from)
			continue;
		if (m->root.ids[i].to < from)
			break;
		span = m->root.ids[i];
		err = blob_ref_copy(&span.ref, &m->root.ids[i].ref);
		if (err == ERR_OK) {
			err = look_in_chunk(m, &span, id, result);
			blob_ref_fini(&span.ref);
		}
		if (err != ERR_NOT_FOUND)
			return err;
		from = span.from;
	}
	return from > since ? ERR_UNKNOWN : ERR_NOT_FOUND;
}
