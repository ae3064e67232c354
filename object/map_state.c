/*
 * What is known of the committed state. It only moves forward, by records (map_apply) and by roots
 * (map_install); a view holds the snapshot and the overlay that it began with, and sees of the
 * overlay what is newer than its snapshot and not newer than itself.
 */
#include <stdlib.h>

#include "object/map_chunks.h"

/* Old versions are looked for when there are so many bytes of them, and twice what then stayed. */
#define OLD_BYTES_MIN KIB(256)

static void
release_era(struct map_era *e)
{
	if (e == NULL || --e->refs > 0)
		return;
	overlay_fini(&e->overlay);
	free(e);
}

void
map_snapshot_release(struct map_snapshot *s)
{
	if (s == NULL || --s->refs > 0)
		return;
	map_list_fini(&s->list);
	free(s);
}

int
map_era_begin(struct map *m)
{
	struct map_era *era = calloc(1, sizeof(*era));
	struct map_snapshot *empty = calloc(1, sizeof(*empty));
	uint64_t seed;

	if (era == NULL || empty == NULL) {
		free(era);
		free(empty);
		return ERR_NOMEM;
	}
	env_random(m->env, &seed, sizeof(seed));
	overlay_init(&era->overlay, seed);
	map_list_init(&empty->list);
	era->refs = empty->refs = 1;
	release_era(m->era);
	map_snapshot_release(m->snapshot);
	m->era = era;
	m->snapshot = empty;
	map_root_fini(&m->root);
	blob_ref_fini(&m->root_ref);
	memset(&m->root_id, 0, sizeof(m->root_id));
	map_ids_fini(&m->ids);
	m->seq = m->record_seq = m->ids_from = 0;
	m->loaded = false;
	return ERR_OK;
}

int
map_state_init(struct map *m)
{
	semaphore_init(&m->following, 1);
	map_root_init(&m->root);
	map_ids_init(&m->ids);
	m->old_bytes_next = OLD_BYTES_MIN;
	return map_era_begin(m);
}

void
map_state_fini(struct map *m)
{
	must(m->views == NULL);
	release_era(m->era);
	map_snapshot_release(m->snapshot);
	map_root_fini(&m->root);
	blob_ref_fini(&m->root_ref);
	map_ids_fini(&m->ids);
}

bool
map_dirty(const struct map *m)
{
	return m->record_seq > m->snapshot->list.seq;
}

/* ---- views ---- */

int
map_view_new(struct map *m, struct map_view **out)
{
	struct map_view *v = calloc(1, sizeof(*v));

	if (v == NULL)
		return ERR_NOMEM;
	v->kv.ops = &map_view_ops;
	v->m = m;
	v->era = m->era;
	v->snapshot = m->snapshot;
	v->seq = m->seq;
	v->era->refs++;
	v->snapshot->refs++;
	v->next = m->views;
	if (v->next != NULL)
		v->next->prev = v;
	m->views = v;
	m->views_count++;
	*out = v;
	return ERR_OK;
}

void
map_view_release(struct map_view *v)
{
	struct map *m;
	bool frees;

	if (v == NULL)
		return;
	m = v->m;
	/* The last that reads an older snapshot: the overlay was kept for it. */
	frees = v->snapshot != m->snapshot && v->snapshot->refs == 1;
	map_cache_return(m, v->page);
	*(v->prev == NULL ? &m->views : &v->prev->next) = v->next;
	if (v->next != NULL)
		v->next->prev = v->prev;
	m->views_count--;
	map_snapshot_release(v->snapshot);
	release_era(v->era);
	free(v);
	if (frees || m->era->overlay.old_bytes > m->old_bytes_next)
		map_prune(m);
}

struct kv *
map_view_kv(struct map_view *v)
{
	return &v->kv;
}

uint64_t
map_view_seq(const struct map_view *v)
{
	return v->seq;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Nothing is lost when there is no memory for it: it is tried again later. */
void
map_prune(struct map *m)
{
	uint64_t *seqs = malloc(MAX(m->views_count, 1) * sizeof(*seqs));
	struct overlay_needs needs = { .floor = m->snapshot->list.seq, .seqs = seqs };

	if (seqs == NULL)
		return;
	for (struct map_view *v = m->views; v != NULL; v = v->next) {
		if (v->era != m->era)
			continue;
		needs.floor = MIN(needs.floor, v->snapshot->list.seq);
		seqs[needs.count++] = v->seq;
	}
	qsort(seqs, needs.count, sizeof(*seqs), by_number);
	overlay_prune(&m->era->overlay, &needs);
	m->old_bytes_next = OLD_BYTES_MIN + 2 * m->era->overlay.old_bytes;
	free(seqs);
}

/* ---- moving forward ---- */

struct applying {
	struct map *m;
	uint64_t seq;
};

static int
apply_txn(void *arg, const struct map_txn_id *id, struct bytes result)
{
	struct applying *a = arg;
	struct map *m = a->m;
	int err = map_ids_add(&m->ids, id, a->seq, result);

	if (err == ERR_FULL) {
		/* More than anybody asks for: the older half is not found any more. */
		m->ids_from = m->ids.at[m->ids.count / 2].seq;
		map_ids_forget(&m->ids, m->ids_from);
		err = map_ids_add(&m->ids, id, a->seq, result);
	}
	return err;
}

static int
apply_write(void *arg, struct bytes key, struct bytes value, bool deleted)
{
	struct applying *a = arg;
	struct overlay *o = &a->m->era->overlay;

	return deleted ? overlay_del(o, a->seq, key) : overlay_put(o, a->seq, key, value);
}

int
map_apply(struct map *m, uint64_t seq, struct bytes segment)
{
	struct applying a = { m, seq };
	struct map_log_visitor visitor = { apply_txn, apply_write, &a };
	struct buf records;
	int err;

	if (seq <= m->seq)
		return ERR_OK;
	buf_init(&records, MAP_RECORDS_MAX);
	err = map_segment_open_work(m, segment, &records);
	/* Short of memory in the middle: once more with the same seq gives the same. */
	if (err == ERR_OK)
		err = map_log_each(buf_bytes(&records), &visitor);
	buf_fini(&records);
	if (err != ERR_OK)
		return err == ERR_INVALID ? ERR_CORRUPT : err;
	m->seq = m->record_seq = seq;
	if (m->era->overlay.old_bytes > m->old_bytes_next)
		map_prune(m);
	return ERR_OK;
}

void
map_install(struct map *m, const struct hash *id, struct map_root *root, struct blob_ref *ref,
    struct map_snapshot *snapshot)
{
	const struct map_span *oldest;

	map_root_fini(&m->root);
	blob_ref_fini(&m->root_ref);
	m->root = *root;
	m->root_ref = *ref;
	m->root_id = *id;
	map_root_init(root);
	ref->hints = NULL;
	if (snapshot == NULL)
		return;
	map_snapshot_release(m->snapshot);
	m->snapshot = snapshot;
	timer_stop(&m->checkpoint_timer); /* its time counts from now on */
	if (snapshot->list.seq > m->seq) {
		/* The log between was never seen; the pages have it. */
		m->seq = m->ids_from = snapshot->list.seq;
		map_ids_fini(&m->ids);
	}
	/* The ids of this snapshot and of the one before are kept, as in its chunks. */
	oldest = &m->root.ids[MAX(m->root.ids_count, 1) - 1];
	if (m->root.ids_count > 0 && oldest->from > m->ids_from) {
		m->ids_from = oldest->from;
		map_ids_forget(&m->ids, m->ids_from);
	}
	map_prune(m);
}
