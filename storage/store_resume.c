/*
 * The way back after a failed write, sync or index transaction (store_commit.c says why): files
 * and index are opened anew, a new segment is begun, marks of unknown fate are written into it.
 * When any of it fails the store stays as it is, refuses, and tries again when asked
 * after RESUME_DELAY.
 */
#include <stdlib.h>

#include "storage/crc.h"
#include "storage/store_impl.h"

/* Finishes the header of a group of len bytes in text, and writes it. */
int
store_write_group(struct seglog *log, uint8_t *text, size_t len, const struct extent *at)
{
	struct extent_header h = { .kind = EXTENT_RECORDS,
		.place = at->place,
		.generation = at->generation,
		.number = at->number,
		.bytes = block_ceil(EXTENT_HEADER_BYTES + len),
		.payload_bytes = len,
		.payload_crc = crc32c(text + EXTENT_HEADER_BYTES, len) };

	extent_header_pack(&h, text);
	memset(text + EXTENT_HEADER_BYTES + len, 0, h.bytes - EXTENT_HEADER_BYTES - len);
	return seglog_write(log, at->place, text, h.bytes);
}

void
store_lose_writers(struct store *s)
{
	while (s->writers != NULL) {
		s->writers->lost = true;
		writer_unlist(s->writers);
	}
}

struct resume {
	struct store *store;
	struct seglog_fresh fresh;
	struct catalog_meta meta;
};

static int
apply_marks(void *arg, struct index_txn *txn)
{
	struct resume *r = arg;
	struct carried *k = &r->store->carried;
	int err = young_apply(&r->store->young, txn);

	for (size_t i = 0; i < k->count && err == ERR_OK; i++)
		err = catalog_add_record(txn, &k->marks[i]);
	if (err == ERR_OK)
		err = catalog_set_meta(txn, &r->meta);
	return err == ERR_OK ? catalog_meta(txn, &r->meta) : err;
}

/* Writes the carried marks as a group of their own and syncs it. */
static int
write_marks(struct resume *r)
{
	struct carried *k = &r->store->carried;
	size_t cap = block_ceil(EXTENT_HEADER_BYTES + k->count * 96), len = 0;
	uint8_t *text = aligned_alloc(DISK_ALIGN, cap);
	struct extent at;
	int err;

	if (text == NULL)
		return ERR_NOMEM;
	for (size_t i = 0; i < k->count; i++)
		len += record_pack(&k->marks[i], text + EXTENT_HEADER_BYTES + len,
		    cap - EXTENT_HEADER_BYTES - len);
	err = seglog_reserve(r->store->log, block_ceil(EXTENT_HEADER_BYTES + len), &r->fresh, &at);
	if (err == ERR_OK)
		err = store_write_group(r->store->log, text, len, &at);
	if (err == ERR_OK)
		err = seglog_sync(r->store->log, at.place.segment);
	free(text);
	return err;
}

static int
resume_run(void *arg)
{
	struct resume *r = arg;
	struct store *s = r->store;
	int err;

	seglog_seal(s->log);
	seglog_reopen(s->log);
	err = index_reopen(s->index);
	if (err == ERR_OK)
		err = seglog_roll(s->log, &r->fresh);
	if (err == ERR_OK && s->carried.count > 0)
		err = write_marks(r);
	if (err != ERR_OK)
		return err;
	r->meta.position = seglog_head(s->log);
	return index_update(s->index, apply_marks, r);
}

/* Called by the leader. Everything durable and told of stays; nothing else does. */
int
store_resume(struct store *s)
{
	struct resume r = { .store = s };
	int err;

	gate_enter(s->env, &s->gate);
	store_lose_writers(s); /* also those that began while we waited for the gate */
	for (size_t i = 0; i < s->carried.count; i++)
		s->carried.marks[i].order = s->order++;
	r.fresh = store_fresh(s);
	r.meta = s->meta;
	r.meta.order = s->order;
	err = env_offload(s->env, WORK_DISK, resume_run, &r, 0);
	if (err == ERR_OK) {
		s->meta = r.meta;
		s->head = seglog_head(s->log);
		s->carried.count = 0;
		young_clear(&s->young);
		log_info(s->env, "store %s: recovered, writing again", s->dir);
	} else {
		s->resume_at = env_now(s->env) + RESUME_DELAY;
		log_error(s->env, "store %s: cannot recover: %s", s->dir, err_text(err));
	}
	s->failed = err;
	gate_leave(&s->gate);
	return err;
}
