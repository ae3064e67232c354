/*
 * The bytes of one simulated file. They live in pages, without the zeros at their ends; a change
 * first notes what it overwrites, so that a power loss can take any unsynced sector back. Versions
 * of a sector form a chain durable, v1 … vn (what reads see): walking the notes from newest to
 * oldest, the first one drawn as "kept" decides the sector. Fails only for want of simulated space
 * (ERR_NO_SPACE) or size (ERR_TOO_BIG).
 */
#include "sim/disk_impl.h"

#include <stdlib.h>

void *
sim_alloc(size_t bytes)
{
	void *out = calloc(1, bytes);

	must(out != NULL);
	return out;
}

static uint64_t
pages_for(uint64_t bytes)
{
	return (bytes + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES;
}

static struct sim_page *
page_at(const struct sim_inode *n, uint64_t page)
{
	return page < n->pages_cap ? n->pages[page] : NULL;
}

static void
page_read(const struct sim_page *p, size_t from, uint8_t *dst, size_t len)
{
	size_t held = p == NULL || from >= p->len ? 0 : MIN(len, p->len - from);

	if (held > 0)
		memcpy(dst, p->bytes + from, held);
	if (held < len)
		memset(dst + held, 0, len - held);
}

/* Rot goes with the bytes: sectors that lie wholly in [from, end) are sound again. */
static void
page_renewed(struct sim_page *p, size_t from, size_t end)
{
	for (unsigned i = 0; i < SIM_PAGE_SECTORS; i++) {
		size_t at = (size_t)i * SIM_SECTOR_BYTES;

		if (at >= from && at + SIM_SECTOR_BYTES <= end)
			p->rotten &= (uint8_t) ~(1u << i);
	}
}

static void
page_clear(struct sim_page *p, size_t from, size_t end)
{
	page_renewed(p, from, end);
	end = MIN(end, p->len);
	if (from < end)
		memset(p->bytes + from, 0, end - from);
}

/* The page to write bytes [0, end) of; the space is paid for already. */
static struct sim_page *
page_make(struct sim_inode *n, uint64_t page, size_t end)
{
	size_t len = (end + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES * SIM_SECTOR_BYTES;
	struct sim_page *p;

	if (page >= n->pages_cap) {
		size_t cap = MAX(n->pages_cap * 2, (size_t)page + 1);
		struct sim_page **pages = realloc(n->pages, cap * sizeof(*pages));

		must(pages != NULL);
		memset(pages + n->pages_cap, 0, (cap - n->pages_cap) * sizeof(*pages));
		n->pages = pages;
		n->pages_cap = cap;
	}
	p = n->pages[page];
	if (p == NULL || p->len < len) {
		size_t had = p == NULL ? 0 : p->len;

		p = realloc(p, sizeof(*p) + len);
		must(p != NULL);
		memset(p->bytes + had, 0, len - had);
		p->len = (uint16_t)len;
		if (had == 0)
			p->rotten = 0;
		n->pages[page] = p;
	}
	return p;
}

static void
page_write(struct sim_inode *n, uint64_t page, size_t at, const uint8_t *src, size_t len)
{
	struct sim_page *p = page_at(n, page);
	size_t held = p == NULL ? 0 : p->len, end = at + len;

	while (end > held && end > at && src[end - at - 1] == 0)
		end--;
	p = page_make(n, page, end > at ? end : 0);
	if (at < p->len)
		memcpy(p->bytes + at, src, MIN(len, p->len - at));
	page_renewed(p, at, at + len);
}

/* ---- space: pages that exist or were reserved ahead ---- */

static uint64_t
pages_missing(const struct sim_inode *n, uint64_t first, uint64_t end)
{
	uint64_t missing = 0;

	for (uint64_t page = first; page < end; page++)
		missing += page_at(n, page) == NULL;
	return missing;
}

static int
pay(struct sim_disk *d, struct sim_inode *n, uint64_t pages)
{
	if (d->used_pages + pages > d->capacity_pages)
		return ERR_NO_SPACE;
	d->used_pages += pages;
	n->charged_pages += pages;
	return ERR_OK;
}

void
inode_uncharge(struct sim_disk *d, struct sim_inode *n)
{
	must(d->used_pages >= n->charged_pages);
	d->used_pages -= n->charged_pages;
	n->charged_pages = 0;
}

void
inode_charge(struct sim_disk *d, struct sim_inode *n)
{
	inode_uncharge(d, n);
	n->charged_pages = n->reserved_pages;
	for (uint64_t page = n->reserved_pages; page < n->pages_cap; page++)
		n->charged_pages += n->pages[page] != NULL;
	d->used_pages += n->charged_pages;
}

/* ---- notes of what a change overwrites ---- */

static void
undo_free(struct sim_undo *u)
{
	for (size_t i = 0; i < u->parts_count; i++)
		free(u->parts[i].old);
	free(u);
}

static void
undo_drop_oldest(struct sim_inode *n)
{
	struct sim_undo *u = n->oldest;

	n->oldest = u->newer;
	if (n->oldest != NULL)
		n->oldest->older = NULL;
	else
		n->newest = NULL;
	n->unsynced_bytes -= u->bytes;
	undo_free(u);
}

static struct sim_undo *
undo_push(struct sim_inode *n, size_t parts_max, uint64_t new_size)
{
	struct sim_undo *u = sim_alloc(sizeof(*u) + parts_max * sizeof(u->parts[0]));

	u->old_size = n->size;
	u->new_size = new_size;
	u->resized = new_size != n->size;
	u->older = n->newest;
	if (n->newest != NULL)
		n->newest->newer = u;
	else
		n->oldest = u;
	n->newest = u;
	return u;
}

/* Notes sectors [first, end) of a page; an absent page was zeros. */
static void
undo_note(struct sim_inode *n, struct sim_undo *u, uint64_t page, unsigned first, unsigned end)
{
	struct sim_part *part = &u->parts[u->parts_count++];
	const struct sim_page *now = page_at(n, page);
	size_t bytes = (size_t)(end - first) * SIM_SECTOR_BYTES;

	*part = (struct sim_part){ .page = page, .first = first, .count = end - first };
	if (now != NULL) {
		part->old = sim_alloc(bytes);
		page_read(now, (size_t)first * SIM_SECTOR_BYTES, part->old, bytes);
	}
	u->bytes += bytes;
	n->unsynced_bytes += bytes;
}

/* ---- operations ---- */

void
inode_read(const struct sim_inode *n, uint64_t offset, void *dst, size_t len, size_t *got)
{
	uint8_t *to = dst;
	size_t done = 0;

	if (offset < n->size)
		len = (size_t)MIN((uint64_t)len, n->size - offset);
	else
		len = 0;
	while (done < len) {
		uint64_t at = offset + done;
		size_t inside = (size_t)(at % SIM_PAGE_BYTES);
		size_t part = MIN(len - done, SIM_PAGE_BYTES - inside);

		page_read(page_at(n, at / SIM_PAGE_BYTES), inside, to + done, part);
		done += part;
	}
	*got = len;
}

int
inode_write(struct sim_disk *d, struct sim_inode *n, uint64_t offset, const void *src, size_t len)
{
	const uint8_t *from = src;
	uint64_t first = offset / SIM_PAGE_BYTES;
	uint64_t end;
	struct sim_undo *u;
	int err;

	if (len == 0)
		return ERR_OK;
	if (offset > SIM_FILE_MAX || len > SIM_FILE_MAX - offset)
		return ERR_TOO_BIG;
	end = pages_for(offset + len);
	err = pay(d, n, pages_missing(n, MAX(first, n->reserved_pages), end));
	if (err != ERR_OK)
		return err;

	u = undo_push(n, (size_t)(end - first), MAX(n->size, offset + len));
	for (uint64_t page = first; page < end; page++) {
		uint64_t start = page * SIM_PAGE_BYTES;
		size_t low = (size_t)(MAX(offset, start) - start);
		size_t high = (size_t)(MIN(offset + len, start + SIM_PAGE_BYTES) - start);

		undo_note(n, u, page, (unsigned)(low / SIM_SECTOR_BYTES),
		    (unsigned)((high + SIM_SECTOR_BYTES - 1) / SIM_SECTOR_BYTES));
		page_write(n, page, low, from + (start + low - offset), high - low);
	}
	n->size = u->new_size;
	while (n->unsynced_bytes > SIM_UNSYNCED_MAX)
		undo_drop_oldest(n);
	return ERR_OK;
}

/* Clears everything from size on; the space of whole pages comes back. */
static void
cut(struct sim_inode *n, uint64_t size)
{
	uint64_t page = size / SIM_PAGE_BYTES;
	size_t inside = (size_t)(size % SIM_PAGE_BYTES);

	if (inside != 0 && page_at(n, page) != NULL)
		page_clear(n->pages[page], inside, SIM_PAGE_BYTES);
	for (page += inside != 0; page < n->pages_cap; page++) {
		free(n->pages[page]);
		n->pages[page] = NULL;
	}
	n->reserved_pages = MIN(n->reserved_pages, pages_for(size));
}

int
inode_resize(struct sim_disk *d, struct sim_inode *n, uint64_t size)
{
	uint64_t first = size / SIM_PAGE_BYTES;
	size_t present = 0;
	struct sim_undo *u;

	if (size > SIM_FILE_MAX)
		return ERR_TOO_BIG;
	if (size >= n->size) {
		undo_push(n, 0, size);
		n->size = size;
		return ERR_OK;
	}
	for (uint64_t page = first; page < n->pages_cap; page++)
		present += n->pages[page] != NULL;
	u = undo_push(n, present, size);
	u->cut = true;
	for (uint64_t page = first; page < n->pages_cap; page++) {
		size_t inside = page == first ? (size_t)(size % SIM_PAGE_BYTES) : 0;

		if (n->pages[page] != NULL)
			undo_note(
			    n, u, page, (unsigned)(inside / SIM_SECTOR_BYTES), SIM_PAGE_SECTORS);
	}
	cut(n, size);
	n->size = size;
	inode_charge(d, n);
	return ERR_OK;
}

int
inode_allocate(struct sim_disk *d, struct sim_inode *n, uint64_t size)
{
	uint64_t pages = pages_for(size);

	if (size > SIM_FILE_MAX)
		return ERR_TOO_BIG;
	if (pages > n->reserved_pages) {
		int err = pay(d, n, pages_missing(n, n->reserved_pages, pages));

		if (err != ERR_OK)
			return err;
		n->reserved_pages = pages;
	}
	if (size > n->size) {
		undo_push(n, 0, size);
		n->size = size;
	}
	return ERR_OK;
}

void
inode_sync(struct sim_inode *n)
{
	while (n->oldest != NULL)
		undo_drop_oldest(n);
}

/* ---- power loss ---- */

/* Which sectors of which pages have their final version already. */
struct decided {
	uint8_t *masks; /* a bit per sector of each page */
	size_t pages;
	bool size;
};

static uint64_t
highest_page(const struct sim_inode *n)
{
	uint64_t top = 0;

	for (const struct sim_undo *u = n->newest; u != NULL; u = u->older)
		for (size_t i = 0; i < u->parts_count; i++)
			top = MAX(top, u->parts[i].page);
	return top;
}

/* How a change fared: wholly, not at all, or sector by sector; extremes find most faults. */
enum fate { FATE_LOST, FATE_KEPT, FATE_TORN };

static enum fate
draw_fate(struct sim_random *r)
{
	uint64_t v = sim_random_below(r, 4);

	return v < FATE_TORN ? (enum fate)v : FATE_TORN;
}

static void
scatter_part(struct sim_inode *n, const struct sim_part *part, enum fate fate,
    struct decided *decided, struct sim_random *r)
{
	for (unsigned i = 0; i < part->count; i++) {
		uint8_t bit = (uint8_t)(1u << (part->first + i));
		bool kept = fate == FATE_KEPT || (fate == FATE_TORN && sim_random_below(r, 2) == 1);
		size_t at = (size_t)(part->first + i) * SIM_SECTOR_BYTES;

		if ((decided->masks[part->page] & bit) != 0)
			continue;
		if (kept)
			decided->masks[part->page] |= bit;
		else if (part->old != NULL)
			page_write(n, part->page, at, part->old + (size_t)i * SIM_SECTOR_BYTES,
			    SIM_SECTOR_BYTES);
		else if (page_at(n, part->page) != NULL)
			page_clear(n->pages[part->page], at, at + SIM_SECTOR_BYTES);
	}
}

void
inode_scatter(struct sim_disk *d, struct sim_inode *n, struct sim_random *r)
{
	struct decided decided = { .pages = (size_t)highest_page(n) + 1 };

	if (n->newest == NULL)
		return;
	decided.masks = sim_alloc(decided.pages);
	for (struct sim_undo *u = n->newest; u != NULL; u = u->older) {
		enum fate fate = draw_fate(r);

		/* A file system journals sizes in order: once one is kept, all before it are. */
		if (u->resized && !decided.size) {
			if (sim_random_below(r, 2) == 1)
				decided.size = true;
			else
				n->size = u->old_size;
		}
		if (u->cut)
			fate = decided.size ? FATE_KEPT : FATE_LOST;
		for (size_t i = 0; i < u->parts_count; i++)
			scatter_part(n, &u->parts[i], fate, &decided, r);
	}
	free(decided.masks);
	inode_sync(n);
	cut(n, n->size);
	inode_charge(d, n);
}

int
inode_flip(struct sim_inode *n, uint64_t offset, unsigned bit)
{
	if (offset >= n->size || bit > 7)
		return ERR_INVALID;
	page_make(n, offset / SIM_PAGE_BYTES, offset % SIM_PAGE_BYTES + 1)
	    ->bytes[offset % SIM_PAGE_BYTES] ^= (uint8_t)(1u << bit);
	return ERR_OK;
}

int
inode_rot(struct sim_inode *n, uint64_t offset, unsigned bit)
{
	uint8_t sector = (uint8_t)(1u << offset % SIM_PAGE_BYTES / SIM_SECTOR_BYTES);
	const struct sim_page *p = page_at(n, offset / SIM_PAGE_BYTES);
	int err;

	if (p != NULL && (p->rotten & sector) != 0)
		return ERR_OK;
	err = inode_flip(n, offset, bit);
	if (err == ERR_OK)
		n->pages[offset / SIM_PAGE_BYTES]->rotten |= sector;
	return err;
}

void
inode_content_free(struct sim_inode *n)
{
	inode_sync(n);
	for (size_t i = 0; i < n->pages_cap; i++)
		free(n->pages[i]);
	free(n->pages);
	n->pages = NULL;
	n->pages_cap = 0;
}
