/*
 * Getting a file: link → manifest → the chunks that the range touches → blocks opened in the
 * workers that rebuilt them, and written from there. A block that does not open makes the layer
 * below look for who lied (storage/chunks.h), and comes again from others.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "object/block.h"
#include "object/files_private.h"
#include "object/manifest_cursor.h"

#define PROGRESS_INTERVAL MILLISECONDS(100)

struct file_read {
	struct files *f;
	const struct file_get_opts *opts;
	struct manifest *m;
	uint64_t from, len; /* plaintext bytes of the object that are wanted */
	_Atomic uint64_t done;
	struct timer tick;
	struct manifest_cursor next; /* chunk to be fetched next */
	uint64_t failed_chunk;
	struct chunk_missing missing;
	int err;
};

struct chunk_read {
	struct file_read *read;
	struct chunk_place place;
};

/* The part of a block's plaintext that is wanted, written at its place in the target. */
static int
write_part(struct file_read *r, uint64_t at, const uint8_t *plain, size_t len)
{
	const struct file_target *t = &r->opts->target;
	uint64_t begin = MAX(at, r->from), end = MIN(at + len, r->from + r->len);
	int err;

	if (begin >= end)
		return ERR_OK;
	err = t->write(t->arg, begin - r->from, plain + (begin - at), (size_t)(end - begin));
	if (err == ERR_OK)
		atomic_fetch_add(&r->done, end - begin);
	return err;
}

/* In a worker: opens the blocks of the pieces into scratch memory, then writes them as one. */
static int
take_blocks(void *arg, uint64_t offset, const struct bytes *pieces, size_t count)
{
	const struct chunk_read *c = arg;
	struct file_read *r = c->read;
	struct aead *a = aead_borrow(&r->f->aeads);
	uint8_t *plain = scratch_borrow(&r->f->scratch);
	const struct chunk_place *p = &c->place;
	uint64_t block = p->first_block + offset / BLOCK_SEALED;
	uint64_t at = p->segment_at + block * BLOCK_PLAIN;
	size_t len = 0;
	int err = a == NULL || plain == NULL ? ERR_NOMEM : ERR_OK;

	for (size_t i = 0; err == ERR_OK && i < count; i++, block++) {
		err = block_open(a, &p->segment->key, p->segment->plain_bytes, block, 1,
		    pieces[i].data, plain + len);
		len += pieces[i].len - CRYPTO_TAG_BYTES;
	}
	if (err == ERR_OK)
		err = write_part(r, at, plain, len);
	scratch_return(&r->f->scratch, plain);
	aead_return(&r->f->aeads, a);
	return err;
}

/* ---- which bytes of which chunk ---- */

static int
get_chunk(struct file_read *r, const struct chunk_place *place, struct chunk_ref *ref)
{
	struct chunk_read c = { r, *place };
	struct chunk_sink sink = {
		.take = take_blocks, .arg = &c, .ordered = r->opts->target.ordered
	};
	struct chunk_missing missing = { 0 };
	int err;

	if (place->end <= r->from || place->begin >= r->from + r->len)
		return ERR_OK;

	/* In the chunk: first of its plaintext, then of its blocks. */
	uint64_t begin = MAX(r->from, place->begin) - place->begin;
	uint64_t end = MIN(r->from + r->len, place->end) - place->begin;
	uint64_t first = begin / BLOCK_PLAIN * BLOCK_SEALED;
	uint64_t last = ((end - 1) / BLOCK_PLAIN + 1) * BLOCK_SEALED;

	ref_of_chunk(&r->m->chunks[place->number], ref);
	last = MIN(last, ref->bytes);
	err = chunk_get(r->f->opts.chunks, ref, first, last - first, &sink, &missing);
	if (err == ERR_UNREACHABLE && r->err == ERR_OK) {
		r->failed_chunk = place->number;
		r->missing = missing;
	}
	return err;
}

static int
chunks_task(void *arg)
{
	struct file_read *r = arg;
	struct chunk_place place;
	struct chunk_ref *ref = malloc(sizeof(*ref));
	int err = ref == NULL ? ERR_NOMEM : ERR_OK;

	while (err == ERR_OK && r->err == ERR_OK && manifest_cursor_next(&r->next, &place))
		err = get_chunk(r, &place, ref);
	if (err != ERR_OK && r->err == ERR_OK)
		r->err = err;
	free(ref);
	return err;
}

static int
get_chunks(struct file_read *r)
{
	struct task_group group;
	size_t tasks = r->opts->target.ordered ? 1 : CHUNKS_IN_FLIGHT;
	int err = ERR_OK;

	tasks = MIN(tasks, r->m->chunks_count);
	manifest_cursor_init(&r->next, r->m);
	task_group_init(&group, r->f->env);
	for (size_t i = 0; i < tasks && err == ERR_OK; i++)
		err = task_spawn(&group, "get chunks", chunks_task, r);
	for (size_t left = tasks; left-- > 0 && err == ERR_OK && r->err == ERR_OK;)
		err = task_group_wait(&group, left);
	task_group_fini(&group);
	return err != ERR_OK ? err : r->err;
}

/* ---- the whole ---- */

static int
write_inline(void *arg)
{
	struct file_read *r = arg;

	return write_part(r, 0, r->m->inline_data.data, r->m->inline_data.len);
}

static void
tick_fire(void *arg)
{
	struct file_read *r = arg;

	/* A piece that was wrong comes again, and counts twice until the end. */
	r->opts->progress(r->opts->arg, MIN(atomic_load(&r->done), r->len), r->len);
	timer_start(&r->tick, PROGRESS_INTERVAL);
}

static int
set_range(struct file_read *r)
{
	uint64_t bytes = r->m->plain_bytes;

	r->from = 0;
	r->len = bytes;
	if (r->opts->range == NULL)
		return ERR_OK;
	if (r->opts->range->from > r->opts->range->to || r->opts->range->from >= bytes)
		return ERR_INVALID;
	r->from = r->opts->range->from;
	r->len = MIN(r->opts->range->to, bytes - 1) - r->from + 1;
	return ERR_OK;
}

static int
read_object(struct file_read *r)
{
	int err = set_range(r);

	if (err != ERR_OK)
		return err;
	if (r->opts->started != NULL)
		r->opts->started(r->opts->arg, r->len, r->m->name);
	timer_init(&r->tick, r->f->env, tick_fire, r);
	if (r->opts->progress != NULL)
		tick_fire(r);
	if (r->m->inline_data.len > 0)
		err = env_offload(r->f->env, WORK_DISK, write_inline, r, WORK_INLINE_MAX);
	else if (r->len > 0)
		err = get_chunks(r);
	timer_stop(&r->tick);
	if (err == ERR_OK && r->opts->progress != NULL)
		r->opts->progress(r->opts->arg, r->len, r->len);
	return err;
}

int
file_get(struct files *f, const struct file_get_opts *opts, struct file_missing *missing)
{
	struct file_read *r = calloc(1, sizeof(*r));
	struct manifest *m = malloc(sizeof(*m));
	int err = ERR_NOMEM;

	if (r == NULL || m == NULL)
		goto out;
	manifest_init(m);
	r->f = f;
	r->opts = opts;
	r->m = m;
	err = opts->link->kind == LINK_READ ? manifest_fetch(f, opts->link, m, NULL, NULL, missing)
					    : ERR_INVALID;
	if (err == ERR_OK) {
		err = read_object(r);
		if (err == ERR_UNREACHABLE && missing != NULL)
			*missing =
			    (struct file_missing){ r->failed_chunk, m->chunks_count, r->missing };
	}
	manifest_fini(m);
out:
	free(m);
	free(r);
	return err;
}
