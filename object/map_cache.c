/*
 * Unpacked pages, the one used last first. Whoever wants one that is just being fetched waits for
 * it; if its fetcher was cancelled, the next one fetches.
 */
#include <stdlib.h>

#include "object/map_chunks.h"

/* They are looked for one by one. */
#define PAGES_MAX 1024

struct cached_page {
	struct hash id;
	struct map_page page;
	size_t pins;
	bool loading;
	struct map_waiter *waiters;
	struct cached_page *next, *prev;
};

const struct map_page *
map_cached(const struct cached_page *p)
{
	return &p->page;
}

static void
unlink_page(struct map *m, struct cached_page *p)
{
	*(p->prev == NULL ? &m->pages : &p->prev->next) = p->next;
	*(p->next == NULL ? &m->pages_end : &p->next->prev) = p->prev;
	m->pages_count--;
}

static void
link_first(struct map *m, struct cached_page *p)
{
	p->prev = NULL;
	p->next = m->pages;
	*(p->next == NULL ? &m->pages_end : &p->next->prev) = p;
	m->pages = p;
	m->pages_count++;
}

static void
free_page(struct map *m, struct cached_page *p)
{
	unlink_page(m, p);
	m->pages_bytes -= map_page_memory(&p->page);
	map_page_fini(&p->page);
	free(p);
}

/* Pinned ones stay whatever the limit. */
static void
shrink(struct map *m)
{
	struct cached_page *p = m->pages_end;

	while (p != NULL && (m->pages_bytes > m->opts.memory_bytes || m->pages_count > PAGES_MAX)) {
		struct cached_page *prev = p->prev;

		if (p->pins == 0)
			free_page(m, p);
		p = prev;
	}
}

void
map_cache_fini(struct map *m)
{
	while (m->pages != NULL) {
		must(m->pages->pins == 0);
		free_page(m, m->pages);
	}
}

void
map_cache_return(struct map *m, struct cached_page *p)
{
	if (p == NULL)
		return;
	must(p->pins > 0);
	p->pins--;
	shrink(m);
}

static struct cached_page *
find(struct map *m, const struct hash *id)
{
	for (struct cached_page *p = m->pages; p != NULL; p = p->next) {
		if (hash_equal(&p->id, id))
			return p;
	}
	return NULL;
}

bool
map_cache_has(struct map *m, const struct map_list *l, size_t i)
{
	return find(m, &l->pages[i].ref.id) != NULL;
}

/* Whether it is what the list says: another page of the same map would open, too. */
static int
check(const struct map_page *p, const struct map_list *l, size_t i)
{
	if (p->count != l->pages[i].entries || p->plain.len != l->pages[i].plain_bytes)
		return ERR_CORRUPT;
	if (p->count == 0)
		return ERR_OK;
	if (kv_compare(map_page_key(p, 0), map_list_from(l, i)) < 0)
		return ERR_CORRUPT;
	if (i + 1 < l->pages_count &&
	    kv_compare(map_page_key(p, p->count - 1), map_list_from(l, i + 1)) >= 0)
		return ERR_CORRUPT;
	return ERR_OK;
}

/* The view holds the snapshot, so the list stays. */
static int
load(struct map *m, const struct map_list *l, size_t i, struct map_page *out)
{
	struct chunk_ref *ref = malloc(sizeof(*ref));
	struct buf plain;
	int err = ref == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&plain, MAP_PAGE_PLAIN_MAX);
	if (err == ERR_OK) {
		blob_ref_chunk(&l->pages[i].ref, ref);
		err = map_blob_get(m, SEALING_PAGE, ref, &plain);
	}
	free(ref);
	if (err != ERR_OK) {
		buf_fini(&plain);
		return err;
	}
	err = map_page_parse(&plain, out);
	if (err == ERR_OK)
		err = check(out, l, i);
	if (err == ERR_OK)
		m->counts.fetched_pages++;
	else
		map_page_fini(out);
	return err == ERR_INVALID ? ERR_CORRUPT : err;
}

static void
wake(struct cached_page *p, int err)
{
	while (p->waiters != NULL) {
		struct map_waiter *w = p->waiters;

		p->waiters = w->next;
		wait_wake(&w->wait, err);
	}
}

/* false: *err is what ended our own waiting. */
static bool
wait_loaded(struct map *m, struct cached_page *p, int *err)
{
	struct map_waiter w = { .next = p->waiters };

	wait_init(&w.wait);
	p->waiters = &w;
	*err = wait_for(m->env, &w.wait, 0);
	if (w.wait.done)
		return true;

	struct map_waiter **at = &p->waiters; /* nobody may wake what is gone */

	while (*at != &w)
		at = &(*at)->next;
	*at = w.next;
	return false;
}

static int
load_new(struct map *m, const struct map_list *l, size_t i, struct cached_page **out)
{
	struct cached_page *p = calloc(1, sizeof(*p));
	int err;

	if (p == NULL)
		return ERR_NOMEM;
	p->id = l->pages[i].ref.id;
	p->loading = true;
	p->pins = 1;
	link_first(m, p);
	err = load(m, l, i, &p->page);
	p->loading = false;
	if (err != ERR_OK) {
		wake(p, err);
		p->pins--;
		free_page(m, p);
		return err;
	}
	m->pages_bytes += map_page_memory(&p->page);
	wake(p, ERR_OK);
	shrink(m);
	*out = p;
	return ERR_OK;
}

int
map_cache_get(struct map *m, const struct map_list *l, size_t i, struct cached_page **out)
{
	for (;;) {
		struct cached_page *p = find(m, &l->pages[i].ref.id);
		int err;

		if (p == NULL)
			return load_new(m, l, i, out);
		if (!p->loading) {
			unlink_page(m, p);
			link_first(m, p);
			p->pins++;
			*out = p;
			return ERR_OK;
		}
		/* Who fetches it may be cancelled, or have less patience than we. */
		if (!wait_loaded(m, p, &err) ||
		    (err != ERR_OK && err != ERR_CANCELED && err != ERR_TIMEOUT))
			return err;
	}
}
