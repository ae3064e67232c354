/*
 * A ring of windows: the first is lent or waited for, those behind it are fetched ahead. Each is a
 * read of some rows of one chunk; its blocks are opened in the workers that rebuilt them, straight
 * to their place. A packed content is one window, gathered first, since its blocks begin anywhere.
 */
#include "object/content_read.h"

#include <stdlib.h>

#include "object/block.h"
#include "object/content_private.h"
#include "object/manifest_cursor.h"
#include "object/sse.h"

/* The first byte comes after so much, or a row; then each window is twice the one before. */
#define WINDOW_FIRST KIB(256)
/* A read of more than this leaves to short ones what is kept for them, however small its windows.
 */
#define SHORT_READ   MIB(1)
/* Beside a window's plaintext: its columns, k to n of them, and leaves that are rebuilt. */
#define FETCH_BESIDE 2

struct read_window {
	struct content_reader *reader;
	struct budget_share share;
	struct chunk_place place;
	struct chunk_ref ref;
	struct key key; /* opens its blocks */
	uint64_t from;  /* plaintext offset in the content */
	size_t len;     /* of its plaintext that is wanted, at share.data + skip */
	size_t skip;
	uint64_t first, last; /* ciphertext bytes of the chunk that cover it */
	struct wait done;
	bool waiting, ended;
	int err;
};

struct content_reader {
	struct content_read_opts opts;
	struct env *env;
	const struct manifest *list; /* of chunks and listed ones; NULL: not yet known */
	struct list_loan loan;       /* of listed ones */
	struct manifest_cursor cursor;
	struct chunk_place place; /* of the chunk that the next window begins in */
	bool placed;
	uint64_t next, end; /* plaintext offsets: not yet asked for */
	uint64_t window;    /* bytes that the next one shall have */
	struct read_window *ring[READ_WINDOWS];
	size_t head, count;
	bool lent; /* the first one */
	struct task_group fetches;
	struct file_missing missing;
	int err;
};

int
content_reader_new(const struct content_read_opts *opts, struct content_reader **out)
{
	struct content_reader *r;

	if (opts->from > opts->content->bytes || opts->len > opts->content->bytes - opts->from)
		return ERR_INVALID;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return ERR_NOMEM;
	r->opts = *opts;
	r->env = opts->files->env;
	r->next = opts->from;
	r->end = opts->from + opts->len;
	r->window = WINDOW_FIRST;
	task_group_init(&r->fetches, r->env);
	*out = r;
	return ERR_OK;
}

static void
drop_first(struct content_reader *r)
{
	struct read_window *w = r->ring[r->head];

	budget_give(&w->share);
	crypto_wipe(w, sizeof(*w));
	free(w);
	r->head = (r->head + 1) % READ_WINDOWS;
	r->count--;
	r->lent = false;
}

void
content_reader_free(struct content_reader *r)
{
	if (r == NULL)
		return;
	task_group_fini(&r->fetches);
	while (r->count > 0)
		drop_first(r);
	list_cache_return(&r->loan);
	free(r);
}

const struct file_missing *
content_reader_missing(const struct content_reader *r)
{
	return &r->missing;
}

/* ---- a window of a chunk ---- */

/* One block to its place; the ends of the window lie inside of blocks, and go through scratch. */
static int
open_one(
    struct aead *a, struct read_window *w, uint64_t block, struct bytes sealed, uint8_t *scratch)
{
	const struct manifest_segment *s = w->place.segment;
	uint64_t at = w->place.segment_at + block * BLOCK_PLAIN;
	size_t plain = sealed.len - CRYPTO_TAG_BYTES;
	uint64_t begin = MAX(at, w->from), end = MIN(at + plain, w->from + w->len);
	int err;

	if (begin >= end)
		return ERR_OK;
	if (begin == at && end == at + plain)
		return block_open(a, &w->key, s->plain_bytes, block, 1, sealed.data,
		    w->share.data + (at - w->from));
	err = block_open(a, &w->key, s->plain_bytes, block, 1, sealed.data, scratch);
	if (err == ERR_OK)
		memcpy(w->share.data + (begin - w->from), scratch + (begin - at),
		    (size_t)(end - begin));
	return err;
}

/* In a worker. */
static int
take_blocks(void *arg, uint64_t offset, const struct bytes *pieces, size_t count)
{
	struct read_window *w = arg;
	struct files *f = w->reader->opts.files;
	struct aead *a = aead_borrow(&f->aeads);
	uint8_t *scratch = scratch_borrow(&f->scratch);
	uint64_t block = w->place.first_block + offset / BLOCK_SEALED;
	int err = a == NULL || scratch == NULL ? ERR_NOMEM : ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < count; i++)
		err = open_one(a, w, block + i, pieces[i], scratch);
	scratch_return(&f->scratch, scratch);
	aead_return(&f->aeads, a);
	return err;
}

static SUSPENDS int
fetch_blocks(struct read_window *w, struct chunk_missing *missing)
{
	struct chunk_sink sink = { .take = take_blocks, .arg = w };

	return chunk_get(w->reader->opts.files->opts.chunks, &w->ref, w->first, w->last - w->first,
	    &sink, missing);
}

/* ---- a place in a pack ---- */

struct gather {
	uint8_t *to;
	uint64_t first, last; /* bytes of the chunk that are wanted */
};

/* In a worker: pieces are leaves; of those at the ends a part is wanted. */
static int
take_pieces(void *arg, uint64_t offset, const struct bytes *pieces, size_t count)
{
	const struct gather *g = arg;

	for (size_t i = 0; i < count; offset += pieces[i++].len) {
		uint64_t begin = MAX(offset, g->first);
		uint64_t end = MIN(offset + pieces[i].len, g->last);

		if (begin < end)
			memcpy(g->to + (begin - g->first), pieces[i].data + (begin - offset),
			    (size_t)(end - begin));
	}
	return ERR_OK;
}

struct open_job {
	const struct read_window *window;
	struct aead *aead;
};

/* Opened in place, one block behind the other, so that the tags between them close up. */
static int
open_gathered(void *arg)
{
	const struct open_job *j = arg;
	const struct read_window *w = j->window;
	const struct content *c = w->reader->opts.content;
	uint64_t block = w->place.first_block;
	uint8_t *in = w->share.data, *to = w->share.data;
	int err = ERR_OK;

	for (uint64_t at = w->first; err == ERR_OK && at < w->last; block++) {
		size_t len = (size_t)MIN(w->last - at, BLOCK_SEALED);

		err = block_open(j->aead, &w->key, c->bytes, block, 1, in, in);
		if (err == ERR_OK)
			memmove(to, in, len - CRYPTO_TAG_BYTES);
		to += len - CRYPTO_TAG_BYTES;
		in += len;
		at += len;
	}
	return err;
}

/*
 * A sink that only gathers cannot tell wrong bytes. So the first try believes, and where the blocks
 * do not open all is fetched again with proof, which finds out who lied.
 */
static SUSPENDS int
fetch_packed(struct read_window *w, struct chunk_missing *missing)
{
	struct files *f = w->reader->opts.files;
	struct gather g = { w->share.data, w->first, w->last };
	struct chunk_sink sink = { .take = take_pieces, .arg = &g };
	int err = ERR_AUTH;

	for (int proof = 0; proof < 2 && err == ERR_AUTH; proof++) {
		struct open_job job = { w, NULL };

		sink.verify = proof == 1;
		err = chunk_get(
		    f->opts.chunks, &w->ref, w->first, w->last - w->first, &sink, missing);
		if (err != ERR_OK)
			break;
		job.aead = aead_borrow(&f->aeads);
		err = job.aead == NULL ? ERR_NOMEM
				       : env_offload(w->reader->env, WORK_CPU, open_gathered, &job,
					     (size_t)(w->last - w->first));
		aead_return(&f->aeads, job.aead);
	}
	return err;
}

/* ---- fetching ---- */

static int
fetch_task(void *arg)
{
	struct read_window *w = arg;
	struct content_reader *r = w->reader;
	struct chunk_missing missing = { 0 };
	int err = r->opts.content->kind == CONTENT_PACKED ? fetch_packed(w, &missing)
							  : fetch_blocks(w, &missing);

	if (err == ERR_UNREACHABLE)
		r->missing = (struct file_missing){ w->place.number,
			r->list == NULL ? 1 : r->list->chunks_count, missing };
	budget_lower(&w->share);
	w->err = err;
	w->ended = true;
	if (w->waiting)
		wait_wake(&w->done, ERR_OK);
	return err;
}

/* ---- what the next window is ---- */

/* Moves on to the chunk that has r->next. */
static void
find_place(struct content_reader *r)
{
	while (!r->placed || r->place.end <= r->next) {
		must(manifest_cursor_next(&r->cursor, &r->place));
		r->placed = true;
	}
}

/* Whole rows of the chunk, from the one on that has r->next, of about so many bytes. */
static void
cut_rows(struct content_reader *r, uint64_t bytes, struct read_window *w)
{
	uint64_t row, block, rows;

	find_place(r);
	w->place = r->place;
	w->key = r->place.segment->key;
	if (r->opts.customer != NULL)
		sse_data_key(&w->key, r->opts.customer, &r->place.segment->key);
	ref_of_chunk(&r->list->chunks[r->place.number], &w->ref);
	row = (uint64_t)w->ref.code.k * LEAF_BYTES;
	rows = MAX(bytes / row, 1);
	block = (r->next - r->place.begin) / BLOCK_PLAIN;
	w->from = r->next;
	w->first = block * BLOCK_SEALED;
	w->last = MIN((w->first / row + rows) * row, w->ref.bytes);

	uint64_t end = w->last == w->ref.bytes
			   ? r->place.end
			   : r->place.begin + w->last / BLOCK_SEALED * BLOCK_PLAIN;

	if (end > r->end) {
		end = r->end;
		block = (end - 1 - r->place.begin) / BLOCK_PLAIN;
		w->last = MIN((block + 1) * BLOCK_SEALED, w->ref.bytes);
	}
	w->len = (size_t)(end - w->from);
}

/* The blocks that have the range, wherever in the pack they lie. */
static void
cut_packed(struct content_reader *r, struct read_window *w)
{
	const struct content *c = r->opts.content;
	uint64_t block = r->next / BLOCK_PLAIN, behind = (r->end - 1) / BLOCK_PLAIN + 1;

	ref_of_chunk(&c->list.chunks[0], &w->ref);
	w->place = (struct chunk_place){ .first_block = block };
	w->key = c->key;
	w->from = r->next;
	w->len = (size_t)(r->end - r->next);
	w->skip = (size_t)(r->next - block * BLOCK_PLAIN);
	w->first = c->at + block * BLOCK_SEALED;
	w->last = c->at + MIN(behind * BLOCK_SEALED, content_sealed_bytes(c));
}

/* A column's leaves are whole, however little is wanted. */
static struct budget_need
need_of(const struct content_reader *r, const struct read_window *w)
{
	bool packed = r->opts.content->kind == CONTENT_PACKED;
	uint64_t row = (uint64_t)w->ref.code.k * LEAF_BYTES;
	size_t room = packed ? (size_t)(w->last - w->first) : w->len;

	return (
	    struct budget_need){ .kind = r->opts.len > SHORT_READ ? BUDGET_LARGE : BUDGET_BY_SIZE,
		.data_bytes = room,
		.beside = FETCH_BESIDE * MAX(room, row) };
}

/* ahead: only if there is room for it now. ERR_BUSY: there is none. */
static SUSPENDS int
reserve(struct content_reader *r, bool ahead, struct read_window *w)
{
	bool packed = r->opts.content->kind == CONTENT_PACKED;
	struct budget_need need;

	if (packed)
		cut_packed(r, w);
	else
		cut_rows(r, r->window, w);
	need = need_of(r, w);
	if (budget_try(r->opts.memory, &need, &w->share))
		return ERR_OK;
	if (ahead)
		return ERR_BUSY;
	/* Too many read at once for large ones: this one goes on in smaller steps. Not smaller than
	 * needed, since each asks k holders. */
	while (!packed && r->window > WINDOW_FIRST) {
		r->window = MAX(r->window / 2, WINDOW_FIRST);
		cut_rows(r, r->window, w);
		need = need_of(r, w);
		if (budget_try(r->opts.memory, &need, &w->share))
			return ERR_OK;
	}
	return budget_take(r->opts.memory, &need, &w->share);
}

static SUSPENDS int
start_window(struct content_reader *r, bool ahead)
{
	struct read_window *w = calloc(1, sizeof(*w));
	int err = w == NULL ? ERR_NOMEM : ERR_OK;

	if (err == ERR_OK) {
		w->reader = r;
		err = reserve(r, ahead, w);
	}
	if (err == ERR_OK)
		err = task_spawn(&r->fetches, "read content", fetch_task, w);
	if (err != ERR_OK) {
		if (w != NULL)
			budget_give(&w->share);
		free(w);
		return err;
	}
	r->ring[(r->head + r->count++) % READ_WINDOWS] = w;
	r->next = w->from + w->len;
	r->window = MIN(r->window * 2, READ_WINDOW_BYTES);
	return ERR_OK;
}

/* The first window in its turn, the others while there is room. */
static SUSPENDS int
read_ahead(struct content_reader *r)
{
	int err = ERR_OK;

	while (err == ERR_OK && r->count < READ_WINDOWS && r->next < r->end)
		err = start_window(r, r->count > 0);
	return err == ERR_BUSY && r->count > 0 ? ERR_OK : err;
}

/* ---- reading ---- */

static SUSPENDS int
fetch_list(struct content_reader *r)
{
	const struct content *c = r->opts.content;
	struct manifest *list = malloc(sizeof(*list));
	int err = ERR_NOMEM;

	if (list == NULL)
		return err;
	manifest_init(list);
	err = content_load(r->opts.files, c, list, NULL, &r->missing);
	if (err == ERR_OK) {
		list_cache_add(
		    &r->opts.files->lists, &c->list.chunks[0].id, &c->key, list, &r->loan);
	} else {
		manifest_fini(list);
		free(list);
	}
	return err;
}

/* Where the list lies in the entry it is used there. */
static SUSPENDS int
load(struct content_reader *r)
{
	const struct content *c = r->opts.content;
	int err = ERR_OK;

	if (r->list != NULL || (c->kind != CONTENT_CHUNKS && c->kind != CONTENT_LISTED))
		return ERR_OK;
	if (c->kind == CONTENT_LISTED &&
	    !list_cache_find(&r->opts.files->lists, &c->list.chunks[0].id, &c->key, &r->loan))
		err = fetch_list(r);
	if (err != ERR_OK)
		return err;
	r->list = c->kind == CONTENT_LISTED ? r->loan.list : &c->list;
	manifest_cursor_init(&r->cursor, r->list);
	return ERR_OK;
}

static SUSPENDS int
wait_first(struct content_reader *r)
{
	struct read_window *w = r->ring[r->head];
	int err = ERR_OK;

	if (!w->ended) {
		wait_init(&w->done);
		w->waiting = true;
		err = wait_for(r->env, &w->done, 0);
		w->waiting = false;
	}
	return err != ERR_OK ? err : w->err;
}

static SUSPENDS int
next_piece(struct content_reader *r, struct bytes *lent)
{
	const struct read_window *w;
	int err = load(r);

	if (r->lent)
		drop_first(r);
	if (err == ERR_OK)
		err = read_ahead(r);
	if (err == ERR_OK && r->count == 0)
		err = ERR_END;
	if (err == ERR_OK)
		err = wait_first(r);
	if (err != ERR_OK)
		return err;
	w = r->ring[r->head];
	r->lent = true;
	*lent = bytes_of(w->share.data + w->skip, w->len);
	return ERR_OK;
}

/* The entry has the bytes: lent as they are, once. */
static int
inline_piece(struct content_reader *r, struct bytes *lent)
{
	if (r->next == r->end)
		return ERR_END;
	*lent =
	    bytes_of(r->opts.content->list.inline_data.data + r->next, (size_t)(r->end - r->next));
	r->next = r->end;
	return ERR_OK;
}

int
content_read(struct content_reader *r, struct bytes *lent)
{
	if (r->err == ERR_OK)
		r->err = r->opts.content->kind == CONTENT_INLINE ? inline_piece(r, lent)
								 : next_piece(r, lent);
	return r->err;
}
