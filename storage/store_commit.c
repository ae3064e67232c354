/*
 * Group commit. Whoever needs something durable queues a commit; the first to come leads and
 * runs batches until its own is settled, then hands the lead on. A batch is
 *
 *	(gate) look which records are news → write them as one extent → (gate open)
 *	→ one sync per segment touched → one index transaction → wake all
 *
 * so that 64 leases and trailers cost one sync. A batch of values alone leaves the transaction to a
 * later one (young.h). There is never more than one batch, thus one writer of the index.
 *
 * How it can fail. A segment that cannot be created fails the records of the batch and nothing
 *else. After a failed write, sync or index transaction nobody knows what is on the disk: all that
 *waits fails, all open writers are lost, and the store resumes: files and index are opened anew, a
 *new segment is begun (never a retried sync: the kernel may have dropped the pages and say
 *success). Of unknown fate are only writes that nobody was told of, and one of them may turn up
 *when the index is rebuilt. That is harmless for whatever carries its own generation. A deletion
 *mark that turns up could delete what was confirmed since, so marks of a failed batch are carried
 *and made durable before anything is acknowledged again (store_resume.c).
 */
#include <stdlib.h>

#include "storage/store_impl.h"

/* ---- gate ---- */

void
gate_enter(struct env *env, struct gate *g)
{
	struct gate_waiter me = { 0 };

	if (!g->busy) {
		g->busy = true;
		return;
	}
	wait_init(&me.wait);
	if (g->tail != NULL)
		g->tail->next = &me;
	else
		g->head = &me;
	g->tail = &me;
	wait_always(env, &me.wait);
}

void
gate_leave(struct gate *g)
{
	struct gate_waiter *next = g->head;

	if (next == NULL) {
		g->busy = false;
		return;
	}
	g->head = next->next;
	if (g->head == NULL)
		g->tail = NULL;
	wait_wake(&next->wait, ERR_OK); /* stays busy: it is the next one's now */
}

/* ---- what a batch is ---- */

struct batch {
	struct store *store;
	struct commit *first; /* linked by next; lazy ones among them */
	size_t count, marks;
	struct seglog_fresh fresh;
	/* Records of the batch. */
	uint8_t *text; /* aligned: the group as it is written */
	size_t text_cap;
	struct extent group;
	uint64_t group_bytes; /* 0: none was written */
	/* What the index transaction stores and gives. */
	struct catalog_meta meta;
	bool indexed; /* it was committed */
	bool synced;  /* with the write, in one job */
	uint64_t syncs;
	struct carried carried; /* room for the marks, filled when the batch fails */
	bool young; /* values alone, and each has its copy: a later batch takes them to the index */
};

/* ---- inside the first job: records ---- */

static int
check_records(void *arg, struct index_txn *txn)
{
	struct batch *b = arg;

	for (struct commit *c = b->first; c != NULL; c = c->next) {
		if (c->kind != COMMIT_RECORD || c->settled)
			continue;

		int err = commit_news(txn, b->first, c);

		if (err != ERR_OK && err != ERR_NOT_FOUND)
			return err;
	}
	return ERR_OK;
}

/* Packs what is left behind the room of the header; gives the length of all records. */
static size_t
pack_records(struct batch *b)
{
	size_t len = 0;

	for (struct commit *c = b->first; c != NULL; c = c->next) {
		if (c->kind != COMMIT_RECORD || c->settled)
			continue;

		size_t room = b->text_cap - EXTENT_HEADER_BYTES - len;
		size_t took = record_pack(&c->record, b->text + EXTENT_HEADER_BYTES + len, room);

		must(took > 0); /* take() counted */
		len += took;
	}
	return len;
}

static void
settle_records(struct batch *b, int result)
{
	for (struct commit *c = b->first; c != NULL; c = c->next) {
		if (c->kind == COMMIT_RECORD && !c->settled)
			commit_settle(c, result);
	}
}

static int
write_records(void *arg)
{
	struct batch *b = arg;
	struct store *s = b->store;
	int err = b->young ? ERR_OK : index_read(s->index, check_records, b);
	size_t len;

	if (err != ERR_OK)
		return err;
	len = pack_records(b);
	if (len == 0)
		return ERR_OK;
	err = seglog_reserve(s->log, block_ceil(EXTENT_HEADER_BYTES + len), &b->fresh, &b->group);
	if (err != ERR_OK) {
		settle_records(b, err); /* nothing was touched: the others go on */
		return ERR_OK;
	}
	b->group_bytes = block_ceil(EXTENT_HEADER_BYTES + len);
	return store_write_group(s->log, b->text, len, &b->group);
}

/* ---- inside the second job: durable, then known ---- */

static int
apply(struct index_txn *txn, struct commit *c)
{
	int err;

	switch (c->kind) {
	case COMMIT_SHARD:
		if (c->moves) {
			err = catalog_move_shard(txn, &c->record.chunk, &c->shard, c->from);
			c->result = err == ERR_STALE ? err : ERR_OK;
			return err == ERR_STALE ? ERR_OK : err;
		}
		err = catalog_add_shard(txn, &c->record.chunk, &c->shard);
		if (err == ERR_OK)
			err = catalog_add_record(txn, &c->record);
		return err == ERR_STALE ? ERR_OK : err; /* a newer lease overtook it */
	case COMMIT_RECORD:
		err = catalog_add_record(txn, &c->record);
		c->result = err == ERR_STALE ? err : ERR_OK;
		return err == ERR_STALE ? ERR_OK : err;
	case COMMIT_PROOF:
		return catalog_prove(
		    txn, &c->record.chunk, c->shard.index, c->shard.order, c->good);
	case COMMIT_RETIRE:
		err = catalog_retire(txn, c->segment);
		c->result = err == ERR_STATE ? err : ERR_OK;
		return err == ERR_STATE ? ERR_OK : err;
	case COMMIT_SWEEP:
		return catalog_sweep_step(txn, c->sweep_at, c->sweep_next);
	case COMMIT_FLUSH:
	case COMMIT_SETTLE:
		return ERR_OK;
	}
	return ERR_OK;
}

static int
apply_batch(void *arg, struct index_txn *txn)
{
	struct batch *b = arg;
	int err = young_apply(&b->store->young, txn);

	for (struct commit *c = b->first; c != NULL && err == ERR_OK; c = c->next) {
		if (!c->settled)
			err = apply(txn, c);
	}
	if (err == ERR_OK && b->group_bytes > 0)
		err = catalog_add_group(txn, b->group.place, b->group_bytes);
	if (err == ERR_OK)
		err = catalog_set_meta(txn, &b->meta);
	return err == ERR_OK ? catalog_meta(txn, &b->meta) : err;
}

/* Syncs a segment once; batches touch one or two. */
static int
sync_once(struct batch *b, uint64_t segment, uint64_t *last)
{
	if (*last == segment)
		return ERR_OK;
	*last = segment;
	b->syncs++;
	return seglog_sync(b->store->log, segment);
}

static int
make_durable(void *arg)
{
	struct batch *b = arg;
	uint64_t last = 0; /* no segment has this id */
	int err = ERR_OK;

	if (b->group_bytes > 0)
		err = sync_once(b, b->group.place.segment, &last);
	for (struct commit *c = b->first; c != NULL && err == ERR_OK; c = c->next) {
		if (c->kind == COMMIT_SHARD && !c->settled)
			err = sync_once(b, c->shard.place.segment, &last);
	}
	if (err == ERR_OK && !b->young) {
		err = index_update(b->store->index, apply_batch, b);
		b->indexed = err == ERR_OK;
	}
	return err;
}

/* Of values alone: nothing is left to do but the sync, and handing over costs more than it may. */
static int
write_durably(void *arg)
{
	struct batch *b = arg;
	int err = write_records(b);

	if (err == ERR_OK && b->group_bytes > 0) {
		err = make_durable(b);
		b->synced = err == ERR_OK;
	}
	return err;
}

/* ---- putting a batch together, on the loop ---- */

/* A record that takes something away, and so must not turn up by itself later. */
static bool
is_mark(const struct commit *c)
{
	return c->record.kind == RECORD_DROP || c->forgets;
}

static bool
record_waits(const struct store *s)
{
	if (s->lazy != NULL)
		return true;
	for (const struct commit *c = s->commits; c != NULL; c = c->next) {
		if (c->kind == COMMIT_RECORD)
			return true;
	}
	return false;
}

static void
add_to_batch(struct batch *b, struct commit ***end, struct commit *c)
{
	c->next = NULL;
	**end = c;
	*end = &c->next;
	b->count++;
	if (c->kind == COMMIT_RECORD) {
		if (!c->copies)
			c->record.order = b->store->order++;
		b->marks += is_mark(c);
	} else if (c->kind == COMMIT_SHARD) {
		c->writer->in_batch = true;
	}
}

/* Takes commits while their records fit one group. with_records: the gate is held. */
static void
take(struct batch *b, bool with_records)
{
	struct store *s = b->store;
	struct commit **end = &b->first;
	size_t bytes = 0;

	while (s->commits != NULL && b->count < BATCH_MAX) {
		struct commit *c = s->commits;
		size_t need = 96 + (c->kept == NULL ? c->record.value.len : LEASE_KEPT_MAX);

		if (c->kind == COMMIT_RECORD &&
		    (!with_records || bytes + need > RECORDS_EXTENT_MAX))
			break;
		if (c->kind == COMMIT_RECORD)
			bytes += need;
		s->commits = c->next;
		if (s->commits == NULL)
			s->commits_tail = NULL;
		add_to_batch(b, &end, c);
		if (c->kind == COMMIT_SHARD && c->writer->lost)
			commit_settle(c, ERR_IO);
		/* That one's batch has failed; within one batch all fail. */
		if (c->after != NULL && c->after->settled && c->after->result != ERR_OK)
			commit_settle(c, c->after->result);
	}
	while (with_records && s->lazy != NULL && b->count < BATCH_MAX) {
		struct commit *c = s->lazy;
		size_t need = 96 + c->record.value.len;

		if (bytes + need > RECORDS_EXTENT_MAX)
			break;
		bytes += need;
		s->lazy = c->next;
		if (s->lazy == NULL)
			s->lazy_tail = NULL;
		s->lazy_count--;
		add_to_batch(b, &end, c);
	}
	b->text_cap = bytes > 0 ? block_ceil(EXTENT_HEADER_BYTES + bytes) : 0;
}

static_assert(5 + 8 + 32 + 32 + 8 + 1 <= 96, "a record without its value takes at most 96 bytes");

/* Whether nothing of the batch needs the index to be acknowledged. */
static bool
values_alone(const struct batch *b, size_t *values, size_t *bytes)
{
	*values = *bytes = 0;
	for (const struct commit *c = b->first; c != NULL; c = c->next) {
		if (c->kind == COMMIT_FLUSH || c->settled)
			continue;
		if (c->kind != COMMIT_RECORD || c->record.kind != RECORD_VALUE || c->copies)
			return false;
		++*values;
		*bytes += c->record.value.len;
	}
	return *values > 0;
}

static bool
copy_values(struct batch *b)
{
	for (struct commit *c = b->first; c != NULL; c = c->next) {
		if (c->kind != COMMIT_RECORD || c->settled)
			continue;
		c->young = young_value_new(&c->record);
		if (c->young == NULL)
			return false;
	}
	return true;
}

/* Without room or memory the batch goes by the index, and takes the young there. */
static void
prepare_young(struct batch *b)
{
	struct young *y = &b->store->young;
	size_t values, bytes;

	b->young = values_alone(b, &values, &bytes) && young_fits(y, values, bytes) &&
		   young_prepare(y) == ERR_OK && copy_values(b);
}

/* Once the batch is durable. */
static void
settle_young(struct batch *b)
{
	struct young *y = &b->store->young;

	if (b->indexed)
		young_clear(y);
	if (!b->young || b->group_bytes == 0)
		return;
	for (struct commit *c = b->first; c != NULL; c = c->next) {
		if (c->young != NULL)
			young_put(y, c->young);
		c->young = NULL;
	}
	young_add_group(y, b->group.place, b->group_bytes);
}

/* Memory for the records, or no records at all. */
static void
prepare_text(struct batch *b)
{
	if (b->text_cap == 0)
		return;
	b->text = aligned_alloc(DISK_ALIGN, b->text_cap);
	b->carried.marks = malloc((b->marks + 1) * sizeof(struct record));
	if (b->text == NULL || b->carried.marks == NULL)
		settle_records(b, ERR_NOMEM);
	else
		prepare_young(b);
}

/* All extents before it are in the index once this batch is, or will never be. */
static struct place
position(const struct store *s)
{
	for (const struct shard_writer *w = s->writers; w != NULL; w = w->next) {
		if (!w->in_batch)
			return w->extent.place;
	}
	return s->head;
}

static bool
open_work(const struct batch *b)
{
	for (const struct commit *c = b->first; c != NULL; c = c->next) {
		if (!c->settled && c->kind != COMMIT_FLUSH)
			return true;
	}
	return false;
}

/* Tells everybody; a commit must not be touched afterwards. */
static void
finish(struct batch *b)
{
	struct store *s = b->store;
	struct commit *c = b->first;

	while (c != NULL) {
		struct commit *next = c->next;

		if (!c->settled)
			commit_settle(c, c->result);
		if (c->kind == COMMIT_SHARD && !c->writer->lost) {
			writer_unlist(c->writer);
			c->writer->in_batch = false;
		}
		young_value_free(c->young);
		if (c->lazy)
			free(c);
		else
			wait_wake(&c->wait, c->result);
		c = next;
	}
	s->status.commits += b->count;
	free(b->text);
	free(b->carried.marks);
}

/* ---- failing and coming back ---- */

static void
fail_waiting(struct store *s, int err)
{
	while (s->commits != NULL) {
		struct commit *c = s->commits;

		s->commits = c->next;
		commit_settle(c, err);
		wait_wake(&c->wait, err);
	}
	s->commits_tail = NULL;
}

/*
 * Keeps the marks of a failed batch for repetition; they take the place of none before. What was
 * not written cannot turn up, nor has anybody looked whether it may.
 */
static void
carry_marks(struct batch *b)
{
	struct carried *k = &b->carried;

	for (struct commit *c = b->first; c != NULL && b->group_bytes > 0; c = c->next) {
		if (c->kind == COMMIT_RECORD && !c->settled && is_mark(c))
			k->marks[k->count++] = c->record;
	}
	must(b->store->carried.count == 0); /* no batch runs while some are left */
	free(b->store->carried.marks);
	b->store->carried = *k;
	b->carried.marks = NULL;
}

static SUSPENDS void
fail_batch(struct batch *b, int err)
{
	struct store *s = b->store;

	log_error(s->env,
	    "store %s: a write or sync failed (%s): nothing is confirmed until the "
	    "store has recovered",
	    s->dir, err_text(err));
	s->failed = err;
	s->resume_at = 0;
	s->status.sync_failures++;
	carry_marks(b);
	for (struct commit *c = b->first; c != NULL; c = c->next) {
		if (!c->settled)
			commit_settle(c, err);
	}
	store_lose_writers(s);
	fail_waiting(s, ERR_IO);
	finish(b);
	store_resume(s);
}

/* ---- batches ---- */

static SUSPENDS int
write_batch_records(struct batch *b)
{
	struct store *s = b->store;
	int err = ERR_OK;

	prepare_text(b);
	/* Who begins a shard meanwhile waits for that sync; with some waiting it is not done. */
	if (b->text != NULL && b->carried.marks != NULL)
		err = env_offload(s->env, WORK_DISK,
		    b->young && s->gate.head == NULL ? write_durably : write_records, b,
		    b->text_cap);
	if (seglog_head(s->log).segment != 0)
		s->head = seglog_head(s->log);
	return err;
}

static SUSPENDS void
run_batch(struct store *s)
{
	struct batch b = { .store = s };
	bool with_records = record_waits(s);
	int err = ERR_OK;

	if (s->failed != ERR_OK && env_now(s->env) < s->resume_at) {
		fail_waiting(s, s->failed);
		return;
	}
	if (s->failed != ERR_OK) {
		err = store_resume(s);
		if (err != ERR_OK)
			fail_waiting(s, err);
		return;
	}
	if (with_records)
		gate_enter(s->env, &s->gate);
	b.fresh = store_fresh(s);
	take(&b, with_records);
	s->batch = b.first;
	if (with_records) {
		err = write_batch_records(&b);
		gate_leave(&s->gate);
	}
	if (err == ERR_OK && open_work(&b)) {
		b.meta = s->meta;
		b.meta.position = position(s);
		b.meta.order = s->order;
		if (!b.synced)
			err = env_offload(s->env, WORK_DISK, make_durable, &b, 0);
		s->status.syncs += b.syncs;
		if (b.indexed)
			s->meta = b.meta;
		if (err == ERR_OK)
			settle_young(&b);
	}
	s->batch = NULL;
	if (err == ERR_OK)
		finish(&b);
	else
		fail_batch(&b, err);
}

static void
enqueue(struct store *s, struct commit *c)
{
	wait_init(&c->wait);
	c->next = NULL;
	if (s->commits_tail != NULL)
		s->commits_tail->next = c;
	else
		s->commits = c;
	s->commits_tail = c;
}

/* Runs batches until c is settled, and with it all that were queued before it. */
static SUSPENDS void
lead(struct store *s, const struct commit *c)
{
	s->batch_running = true;
	while (!c->settled)
		run_batch(s);
	if (s->commits != NULL)
		wait_wake(&s->commits->wait, LEAD);
	else
		s->batch_running = false;
}

int
store_commit(struct store *s, struct commit *c)
{
	enqueue(s, c);
	if (!s->batch_running || wait_always(s->env, &c->wait) == LEAD)
		lead(s, c);
	return c->result;
}

int
store_commit_all(struct store *s, struct commit *c, size_t count)
{
	bool ours = !s->batch_running;
	int err = ERR_OK;

	for (size_t i = 0; i < count; i++)
		enqueue(s, &c[i]);
	for (size_t i = 0; i < count && !ours; i++)
		ours = wait_always(s->env, &c[i].wait) == LEAD;
	if (ours && count > 0)
		lead(s, &c[count - 1]);
	for (size_t i = 0; i < count && err == ERR_OK; i++)
		err = c[i].result;
	return err;
}

int
store_ready(struct store *s)
{
	struct commit c = { .kind = COMMIT_FLUSH };

	if (s->failed == ERR_OK)
		return ERR_OK;
	return env_now(s->env) < s->resume_at ? s->failed : store_commit(s, &c);
}
