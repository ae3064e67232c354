/*
 * A new snapshot's pages: those without a write in their range stay, the others are written anew
 * from the view, split where they have grown and joined with a neighbour where little is left. What
 * is read passes through one buffer of two pages; sealing and putting go on beside, some at a time.
 */
#include <stdlib.h>

#include "object/map_chunks.h"
#include "object/map_roots.h"

/* Pages on their way: each with its text and its sealed form in memory. */
#define PUTS_IN_FLIGHT  4
/* Below this part of a page it is joined with a neighbour, when it is written anyway. */
#define SMALL_PART      4
/* Entries that are read before others get their turn. */
#define ENTRIES_AT_ONCE 256

struct merge {
	struct map *m;
	struct map_view *v;
	const struct map_list *old;
	struct map_list *out;
	bool *kept;
	struct buf plain; /* entries that are not in a page yet */
	struct buf from;  /* where the page that begins with them begins */
	struct task_group puts;
	int err; /* of those that were put beside */
};

/* ---- putting a page ---- */

struct page_put {
	struct merge *g;
	size_t page; /* of out */
	struct buf plain;
};

static int
put_task(void *arg)
{
	struct page_put *p = arg;
	struct merge *g = p->g;
	struct map_blob blob = { .kind = SEALING_PAGE, .plain = buf_bytes(&p->plain) };
	struct blob_ref ref = { .hints = NULL };
	int err = map_blob_put(g->m, &blob, &ref, &g->m->counts.written_pages);

	if (err == ERR_OK)
		g->out->pages[p->page].ref = ref;
	else if (g->err == ERR_OK)
		g->err = err;
	buf_fini(&p->plain);
	free(p);
	return err;
}

/* Its ref follows when it is put. */
static int
list_page(struct merge *g, struct bytes plain)
{
	struct map_list_page page = { .plain_bytes = (uint32_t)plain.len,
		.entries = map_page_count(plain) };
	struct bytes from = buf_bytes(&g->from);

	page.from = malloc(MAX(from.len, 1));
	if (page.from == NULL)
		return ERR_NOMEM;
	if (from.len > 0)
		memcpy(page.from, from.data, from.len);
	page.from_len = (uint16_t)from.len;
	return map_list_add(g->out, &page);
}

/*
 * The first len bytes of what was gathered become a page; what is left begins the next. 0: there is
 * no place to cut yet.
 */
static int
emit(struct merge *g, size_t len)
{
	struct page_put *p;
	struct bytes plain = bytes_of(g->plain.data, len), rest;
	int err = len == 0 ? ERR_OK : task_group_wait(&g->puts, PUTS_IN_FLIGHT - 1);

	if (len == 0)
		return ERR_OK;
	if (err == ERR_OK)
		err = g->err;
	if (err != ERR_OK)
		return err;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ERR_NOMEM;
	p->g = g;
	buf_init(&p->plain, MAP_PAGE_PLAIN_MAX);
	err = buf_append(&p->plain, plain.data, plain.len);
	if (err == ERR_OK)
		err = list_page(g, plain);
	if (err == ERR_OK) {
		p->page = g->out->pages_count - 1;
		err = task_spawn(&g->puts, "put page", put_task, p);
	}
	if (err != ERR_OK) {
		buf_fini(&p->plain);
		free(p);
		return err;
	}
	rest = bytes_of(g->plain.data + len, g->plain.len - len);
	if (rest.len > 0) {
		struct bytes key = map_page_first_key(rest);

		buf_reset(&g->from);
		err = buf_append(
		    &g->from, key.data, map_page_separator(map_page_last_key(plain), key));
	}
	buf_drop_front(&g->plain, len);
	return err;
}

/* ---- reading ---- */

static bool
is_dirty(const struct merge *g, size_t i)
{
	const struct map_view *v = g->v;
	const struct overlay_item *item = overlay_seek(&v->era->overlay, map_list_from(g->old, i));

	for (; item != NULL; item = overlay_next(item)) {
		if (i + 1 < g->old->pages_count &&
		    kv_compare(overlay_key(item), map_list_from(g->old, i + 1)) >= 0)
			return false;
		if (overlay_at(item, v->snapshot->list.seq, v->seq) != NULL)
			return true;
	}
	return false;
}

/* The state from a key on to the end of page i's range, if that is not the last. */
static int
read_range(struct merge *g, struct bytes from, size_t i)
{
	bool last = i + 1 >= g->old->pages_count;
	size_t target = (size_t)g->m->opts.page_bytes, entries = 0;
	struct buf key, value;
	int err;

	buf_init(&key, KV_KEY_MAX + 1);
	buf_init(&value, KV_VALUE_MAX);
	err = map_layers_seek(g->v, NULL, from, &key, &value);
	while (err == ERR_OK &&
	       (last || kv_compare(buf_bytes(&key), map_list_from(g->old, i + 1)) < 0)) {
		err = map_page_append(&g->plain, buf_bytes(&key), buf_bytes(&value));
		if (err == ERR_OK && g->plain.len >= 2 * target)
			err = emit(g, map_page_cut(buf_bytes(&g->plain), target));
		if (err == ERR_OK && ++entries % ENTRIES_AT_ONCE == 0)
			err = task_yield(g->m->env);
		if (err == ERR_OK)
			err = kv_next(&g->v->kv, &key, &value);
	}
	buf_fini(&key);
	buf_fini(&value);
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* Little is left of this run: the page before it, which was to stay, is written with it. */
static int
join_before(struct merge *g, size_t *first)
{
	struct map_list_page *p;
	struct buf rest = g->plain;
	int err;

	if (*first == 0 || !g->kept[*first - 1])
		return ERR_OK;
	p = &g->out->pages[--g->out->pages_count];
	map_list_page_fini(p);
	g->kept[--*first] = false;
	buf_init(&g->plain, rest.max);
	buf_reset(&g->from);
	err = buf_append(&g->from, g->old->pages[*first].from, g->old->pages[*first].from_len);
	if (err == ERR_OK)
		err = read_range(g, map_list_from(g->old, *first), *first);
	if (err == ERR_OK)
		err = buf_append(&g->plain, rest.data, rest.len);
	buf_fini(&rest);
	return err;
}

static int
end_run(struct merge *g, size_t first)
{
	size_t target = (size_t)g->m->opts.page_bytes;
	int err = ERR_OK;

	if (g->plain.len > 0 && g->plain.len < target / SMALL_PART)
		err = join_before(g, &first);
	if (err == ERR_OK && g->plain.len > target + target / 2)
		err = emit(g, map_page_cut(buf_bytes(&g->plain), g->plain.len / 2));
	if (err == ERR_OK && g->plain.len > 0)
		err = emit(g, g->plain.len);
	return err;
}

/* Pages from *i on that are written anew; *i is then behind them. */
static int
run(struct merge *g, size_t *i)
{
	size_t first = *i, small = (size_t)g->m->opts.page_bytes / SMALL_PART;
	struct bytes from =
	    g->old->pages_count == 0 ? bytes_of(NULL, 0) : map_list_from(g->old, first);
	int err = ERR_OK;

	buf_reset(&g->from);
	if (from.len > 0)
		err = buf_append(&g->from, from.data, from.len);
	do {
		if (err == ERR_OK)
			err = read_range(g, from, *i);
		++*i;
		if (*i < g->old->pages_count)
			from = map_list_from(g->old, *i);
	} while (err == ERR_OK && *i < g->old->pages_count &&
		 (is_dirty(g, *i) || (g->plain.len > 0 && g->plain.len < small)));
	return err != ERR_OK ? err : end_run(g, first);
}

static int
merge_all(struct merge *g)
{
	size_t i = 0;
	int err = ERR_OK;

	if (g->old->pages_count == 0)
		return run(g, &i);
	while (err == ERR_OK && i < g->old->pages_count) {
		if (is_dirty(g, i)) {
			err = run(g, &i);
			continue;
		}
		err = map_list_copy_page(g->out, &g->old->pages[i]);
		g->kept[i] = err == ERR_OK;
		i++;
	}
	return err;
}

static void
orphan_new(struct merge *g)
{
	for (size_t i = 0; i < g->out->pages_count; i++) {
		if (g->out->pages[i].ref.hints != NULL)
			map_orphan(g->m, &g->out->pages[i].ref);
	}
}

int
map_merge(struct map_view *v, struct map_list *out, bool *kept)
{
	struct merge g = { .m = v->m, .v = v, .old = &v->snapshot->list, .out = out, .kept = kept };
	int err, ended;

	buf_init(&g.plain, MAP_PAGE_PLAIN_MAX);
	buf_init(&g.from, KV_KEY_MAX);
	task_group_init(&g.puts, v->m->env);
	err = merge_all(&g);
	ended = err == ERR_OK ? task_group_wait(&g.puts, 0) : ERR_OK;
	task_group_fini(&g.puts);
	if (err == ERR_OK)
		err = ended != ERR_OK ? ended : g.err;
	/* Where the first pages have gone, the next one begins before everything. */
	if (err == ERR_OK && out->pages_count > 0)
		out->pages[0].from_len = 0;
	if (err != ERR_OK)
		orphan_new(&g);
	buf_fini(&g.plain);
	buf_fini(&g.from);
	return err;
}
