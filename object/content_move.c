/*
 * A batch of what the bucket names, and those of it that leave a pack which is mostly dead: their
 * bytes are read, added to new packs at the same time, and named there in one transaction, each
 * only if its version still names the old place.
 */
#include <stdlib.h>

#include "object/content_keep_private.h"
#include "object/content_read.h"

/* Enough that they share packs, few enough for memory: 8 MiB. */
#define MOVES_AT_ONCE 8

struct keep_batch *
keep_batch_new(struct content_keeper *k)
{
	struct keep_batch *b = calloc(1, sizeof(*b));

	if (b != NULL) {
		b->keeper = k;
		buf_init(&b->place, BUCKET_PLACE_MAX);
	}
	return b;
}

void
keep_batch_reset(struct keep_batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		struct keep_entry *e = &b->entries[i];

		buf_fini(&e->key);
		buf_wipe(&e->form);
		content_fini(&e->content);
		content_fini(&e->fresh);
	}
	b->count = 0;
	b->last = false;
}

void
keep_batch_free(struct keep_batch *b)
{
	if (b == NULL)
		return;
	keep_batch_reset(b);
	buf_fini(&b->place);
	free(b->entries);
	free(b);
}

static struct keep_entry *
next_entry(struct keep_batch *b)
{
	struct keep_entry *e;

	if (b->count == b->cap) {
		size_t cap = b->cap == 0 ? 16 : b->cap * 2;
		struct keep_entry *more = realloc(b->entries, cap * sizeof(*more));

		if (more == NULL)
			return NULL;
		b->entries = more;
		b->cap = cap;
	}
	e = &b->entries[b->count++];
	memset(e, 0, sizeof(*e));
	buf_init(&e->key, KV_KEY_MAX);
	buf_init(&e->form, CONTENT_FORM_MAX);
	content_init(&e->content);
	content_init(&e->fresh);
	return e;
}

/* Half of it: then a byte that moves frees another one at least. */
static SUSPENDS int
mostly_dead(struct kv *kv, const struct content *c, bool *dead)
{
	struct pack_room room;
	int err = content_pack_room(kv, &c->list.chunks[0].id, &room);

	*dead = err == ERR_OK && room.live * 2 <= room.bytes;
	return err == ERR_NOT_FOUND ? ERR_OK : err;
}

int
keep_batch_add(void *arg, const struct bucket_content *c)
{
	struct keep_batch *b = arg;
	struct keep_entry *e = next_entry(b);
	bool movable = c->key.len > 0 && b->keeper->opts.packs != NULL;
	int err = e == NULL ? ERR_NOMEM : content_unpack(c->content, &e->content);

	if (err != ERR_OK)
		return err;
	e->locked_until_ms = c->locked_until_ms;
	if (movable && e->content.kind == CONTENT_PACKED)
		err = mostly_dead(b->view, &e->content, &e->moves);
	if (err == ERR_OK && e->moves)
		err = buf_append(&e->key, c->key.data, c->key.len);
	if (err == ERR_OK && e->moves)
		err = buf_append(&e->form, c->content.data, c->content.len);
	return err;
}

/* ---- moving ---- */

static SUSPENDS int
read_whole(struct content_keeper *k, const struct content *c, struct buf *out)
{
	struct content_read_opts opts = {
		.files = k->opts.files, .memory = k->opts.memory, .content = c, .len = c->bytes
	};
	struct content_reader *r;
	struct bytes piece;
	int err = content_reader_new(&opts, &r);

	if (err != ERR_OK)
		return err;
	while ((err = content_read(r, &piece)) == ERR_OK) {
		err = buf_append(out, piece.data, piece.len);
		if (err != ERR_OK)
			break;
	}
	content_reader_free(r);
	return err == ERR_END ? ERR_OK : err;
}

static SUSPENDS int
rewrite(struct content_keeper *k, struct keep_entry *e)
{
	struct buf bytes;
	int err;

	buf_init_secret(&bytes, CONTENT_PACKED_MAX);
	err = read_whole(k, &e->content, &bytes);
	if (err == ERR_OK)
		err = packs_add(k->opts.packs, buf_bytes(&bytes), &e->fresh, NULL);
	buf_wipe(&bytes);
	e->written = err == ERR_OK;
	e->fresh_ms = keeper_now_ms(k);
	if (err != ERR_OK && err != ERR_CANCELED)
		log_warn(k->env, "what lives in a pack is not moved yet: %s", err_text(err));
	return err == ERR_CANCELED ? err : ERR_OK;
}

static int
rewrite_task(void *arg)
{
	struct keep_batch *b = arg;
	int err = ERR_OK;

	while (err == ERR_OK && b->next_move < b->count) {
		struct keep_entry *e = &b->entries[b->next_move++];

		if (e->moves)
			err = rewrite(b->keeper, e);
	}
	return err;
}

static SUSPENDS int
name_one(struct content_keeper *k, struct kv *txn, const struct keep_entry *e)
{
	uint64_t now_ms = keeper_now_ms(k);
	struct buf form;
	int err;

	buf_init(&form, CONTENT_FORM_MAX);
	err = content_pack(&e->fresh, &form);
	if (err == ERR_OK)
		err = bucket_content_move(
		    txn, buf_bytes(&e->key), buf_bytes(&e->form), buf_bytes(&form));
	buf_wipe(&form);
	/* Somebody wrote meanwhile: what we have written nobody needs. */
	if (err == ERR_STALE)
		return content_dropped(txn, &e->fresh, now_ms);
	if (err == ERR_OK)
		err = content_named(txn, &e->fresh, e->fresh_ms, now_ms);
	return err == ERR_OK ? content_unref(txn, &e->content, now_ms) : err;
}

struct naming {
	struct keep_batch *batch;
	size_t from, to;
};

static int
name_some(void *arg, struct kv *txn)
{
	const struct naming *n = arg;
	int err = ERR_OK;

	for (size_t i = n->from; err == ERR_OK && i < n->to; i++) {
		if (n->batch->entries[i].written)
			err = name_one(n->batch->keeper, txn, &n->batch->entries[i]);
	}
	return err;
}

/* A few in a transaction, and one alone where those are too much for a commit. */
static SUSPENDS int
name_all(struct keep_batch *b)
{
	struct content_state *state = &b->keeper->opts.state;
	int err = ERR_OK;

	for (size_t from = 0; err == ERR_OK && from < b->count; from += MOVES_AT_ONCE) {
		struct naming n = { b, from, MIN(from + MOVES_AT_ONCE, b->count) };
		size_t to = n.to;

		err = state->update(state->arg, name_some, &n);
		if (err != ERR_TOO_BIG)
			continue;
		err = ERR_OK;
		for (; err == ERR_OK && n.from < to; n.from++) {
			n.to = n.from + 1;
			err = state->update(state->arg, name_some, &n);
		}
	}
	return err;
}

int
keep_batch_move(struct keep_batch *b)
{
	struct content_keeper *k = b->keeper;
	size_t moves = 0, written = 0;
	int err;

	for (size_t i = 0; i < b->count; i++)
		moves += b->entries[i].moves;
	if (moves == 0)
		return ERR_OK;
	b->next_move = 0;
	err = task_together(
	    k->env, "move out of a pack", rewrite_task, b, MIN(moves, (size_t)MOVES_AT_ONCE));
	for (size_t i = 0; i < b->count; i++)
		written += b->entries[i].written;
	if (err == ERR_OK && written > 0)
		err = name_all(b);
	for (size_t i = 0; err == ERR_OK && i < b->count; i++) {
		k->sight.moved += b->entries[i].written;
		k->sight.moved_bytes += b->entries[i].written ? b->entries[i].content.bytes : 0;
	}
	return err;
}
