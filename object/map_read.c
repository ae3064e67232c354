/*
 * Views, and transactions over them: what the commit in the making wrote, over the overlay, over
 * the pages. Seeking takes the least key of the three; a deletion hides it, and the search goes on
 * behind it. Pages come first, since fetching one suspends, and the overlay may change meanwhile.
 */
#include <stdlib.h>

#include "object/map_chunks.h"
#include "object/map_follow.h"

/* Deleted keys that are passed without giving way to others. */
#define PASSED_MAX    256
/* Who goes from one page to the next will want those behind it; for all views together. */
#define AHEAD         2
#define AHEAD_AT_ONCE 4

struct ahead {
	struct map *m;
	struct map_snapshot *snapshot;
	size_t page;
};

static int
ahead_task(void *arg)
{
	struct ahead *a = arg;
	struct cached_page *page;
	int err = map_cache_get(a->m, &a->snapshot->list, a->page, &page);

	/* Whoever wants it finds it in the cache, or tries by himself. */
	if (err == ERR_OK)
		map_cache_return(a->m, page);
	a->m->ahead--;
	map_snapshot_release(a->snapshot);
	free(a);
	return err;
}

static void
fetch_ahead(struct map_view *v, size_t page)
{
	struct map *m = v->m;
	struct ahead *a;

	if (page >= v->snapshot->list.pages_count || m->ahead >= AHEAD_AT_ONCE ||
	    map_cache_has(m, &v->snapshot->list, page))
		return;
	a = malloc(sizeof(*a));
	if (a == NULL)
		return;
	*a = (struct ahead){ m, v->snapshot, page };
	if (task_spawn(&m->tasks, "page ahead", ahead_task, a) != ERR_OK) {
		free(a);
		return;
	}
	v->snapshot->refs++;
	m->ahead++;
}

static int
view_page(struct map_view *v, size_t i, const struct map_page **out)
{
	struct cached_page *page;
	int err;

	if (v->page == NULL || v->page_number != i) {
		bool next = v->page != NULL && i == v->page_number + 1;

		/* Where there is no room for them they would only push each other out. */
		for (size_t n = 1;
		     next && n <= AHEAD && v->m->opts.memory_bytes >= 16 * v->m->opts.page_bytes;
		     n++)
			fetch_ahead(v, i + n);
		map_cache_return(v->m, v->page);
		v->page = NULL;
		err = map_cache_get(v->m, &v->snapshot->list, i, &page);
		if (err != ERR_OK)
			return err;
		v->page = page;
		v->page_number = i;
	}
	*out = map_cached(v->page);
	return ERR_OK;
}

static bool
is_miss(int err)
{
	return err == ERR_UNREACHABLE || err == ERR_NOT_FOUND;
}

/*
 * A page that is not to be had may have been replaced and deleted long ago: the head is read again,
 * once. Where the newer snapshot is not newer than the view, the view goes on with it; else it is
 * too old.
 */
static int
rebase(struct map_view *v, int missed)
{
	struct map *m = v->m;
	int err = v->inside ? missed : map_read_head(m);

	if (err != ERR_OK || m->era != v->era || m->snapshot == v->snapshot)
		return missed;
	if (m->snapshot->list.seq > v->seq)
		return ERR_STALE;
	map_cache_return(m, v->page);
	v->page = NULL;
	map_snapshot_release(v->snapshot);
	v->snapshot = m->snapshot;
	v->snapshot->refs++;
	return ERR_OK;
}

static const struct overlay_version *
version_of(const struct map_view *v, const struct overlay *writes, struct bytes key)
{
	const struct overlay_item *i = writes == NULL ? NULL : overlay_seek(writes, key);

	if (i != NULL && kv_compare(overlay_key(i), key) == 0)
		return i->newest;
	i = overlay_seek(&v->era->overlay, key);
	if (i == NULL || kv_compare(overlay_key(i), key) != 0)
		return NULL;
	return overlay_at(i, v->snapshot->list.seq, v->seq);
}

static int
replace(struct buf *out, struct bytes with)
{
	if (out == NULL)
		return ERR_OK;
	buf_reset(out);
	return with.len == 0 ? ERR_OK : buf_append(out, with.data, with.len);
}

static int
page_get(struct map_view *v, struct bytes key, struct buf *value)
{
	const struct map_page *p;
	uint32_t at;
	int err;

	if (v->snapshot->list.pages_count == 0)
		return ERR_NOT_FOUND;
	err = view_page(v, map_list_find(&v->snapshot->list, key), &p);
	if (err != ERR_OK)
		return is_miss(err) ? ERR_UNREACHABLE : err;
	at = map_page_seek(p, key);
	if (at == p->count || kv_compare(map_page_key(p, at), key) != 0)
		return ERR_NOT_FOUND;
	return replace(value, map_page_value(p, at));
}

int
map_layers_get(
    struct map_view *v, const struct overlay *writes, struct bytes key, struct buf *value)
{
	const struct overlay_version *version = version_of(v, writes, key);
	int err;

	if (version != NULL)
		return version->deleted ? ERR_NOT_FOUND : replace(value, overlay_value(version));
	err = page_get(v, key, value);
	if (err == ERR_UNREACHABLE)
		err = rebase(v, err);
	else
		return err;
	return err != ERR_OK ? err : page_get(v, key, value);
}

/* ---- seeking ---- */

struct found {
	struct bytes key, value;
	bool there, deleted;
};

/* Lent while the page is pinned. */
static int
page_seek(struct map_view *v, struct bytes from, struct found *out)
{
	const struct map_list *l = &v->snapshot->list;

	out->there = false;
	for (size_t i = map_list_find(l, from); i < l->pages_count; i++) {
		const struct map_page *p;
		int err = view_page(v, i, &p);
		uint32_t at;

		if (err != ERR_OK)
			return is_miss(err) ? ERR_UNREACHABLE : err;
		at = map_page_seek(p, from);
		if (at < p->count) {
			*out = (struct found){ map_page_key(p, at), map_page_value(p, at), true,
				false };
			return ERR_OK;
		}
	}
	return ERR_OK;
}

static void
take_version(
    struct found *best, const struct overlay_item *i, const struct overlay_version *version)
{
	struct bytes key = overlay_key(i);

	/* The newer layer has the word about a key that both have. */
	if (best->there && kv_compare(key, best->key) > 0)
		return;
	*best = (struct found){ key, overlay_value(version), true, version->deleted };
}

static void
overlays_seek(
    const struct map_view *v, const struct overlay *writes, struct bytes from, struct found *best)
{
	const struct overlay_item *i = overlay_seek(&v->era->overlay, from);
	const struct overlay_version *version = NULL;

	for (; i != NULL; i = overlay_next(i)) {
		version = overlay_at(i, v->snapshot->list.seq, v->seq);
		if (version != NULL)
			break;
	}
	if (i != NULL)
		take_version(best, i, version);
	i = writes == NULL ? NULL : overlay_seek(writes, from);
	if (i != NULL)
		take_version(best, i, i->newest);
}

int
map_layers_seek(struct map_view *v, const struct overlay *writes, struct bytes from,
    struct buf *key, struct buf *value)
{
	uint8_t cursor[KV_KEY_MAX + 1];
	size_t len = from.len, passed = 0;
	bool rebased = false;

	if (len > 0)
		memcpy(cursor, from.data, len);
	for (;;) {
		struct found best;
		int err = page_seek(v, bytes_of(cursor, len), &best);

		if (err == ERR_UNREACHABLE && !rebased) {
			rebased = true;
			err = rebase(v, err);
			if (err == ERR_OK)
				continue;
		}
		if (err != ERR_OK)
			return err;
		overlays_seek(v, writes, bytes_of(cursor, len), &best);
		if (!best.there)
			return ERR_NOT_FOUND;
		if (!best.deleted) {
			err = replace(key, best.key);
			return err != ERR_OK ? err : replace(value, best.value);
		}
		len = best.key.len;
		memcpy(cursor, best.key.data, len);
		cursor[len++] = 0;
		if (++passed % PASSED_MAX == 0)
			err = task_yield(v->m->env);
		if (err != ERR_OK)
			return err;
	}
}

/* ---- a view as its user sees it ---- */

static int
view_get(struct kv *kv, struct bytes key, struct buf *value)
{
	return map_layers_get(container_of(kv, struct map_view, kv), NULL, key, value);
}

static int
view_seek(struct kv *kv, struct bytes from, struct buf *key, struct buf *value)
{
	return map_layers_seek(container_of(kv, struct map_view, kv), NULL, from, key, value);
}

const struct kv_ops map_view_ops = { .get = view_get, .seek = view_seek };
