/*
 * Opening, closing and the state of a store.
 *
 *	begin ─┐                          ┌─ lease, drop, value, lazy siblings
 *	       ├→ gate → seglog (segments)┤
 *	append ┘                          └→ batch: records, sync, index → acknowledged
 *
 * Reading order: segment.h (formats), seglog.h (files), catalog.h (rules), store_write.c,
 *store_commit.c, store_resume.c (failures), recover.c (start).
 */
#include <stdio.h>
#include <stdlib.h>

#include "storage/recover.h"
#include "storage/store_facts.h"

struct seglog_fresh
store_fresh(struct store *s)
{
	struct seglog_fresh f = { .unix_s = env_wall_ms(s->env) / 1000, .store = s->meta.store };

	env_random(s->env, &f.generation, sizeof(f.generation));
	return f;
}

uint8_t *
store_buffer_get(struct store *s)
{
	if (s->spare_buffers_count > 0)
		return s->spare_buffers[--s->spare_buffers_count];
	return aligned_alloc(DISK_ALIGN, SHARD_CHECK_BYTES);
}

void
store_buffer_put(struct store *s, uint8_t *buffer)
{
	if (buffer != NULL && s->spare_buffers_count < SPARE_BUFFERS)
		s->spare_buffers[s->spare_buffers_count++] = buffer;
	else
		free(buffer);
}

/* ---- opening ---- */

static int
recover_run(void *arg)
{
	return store_recover(arg);
}

static void
report_recovery(struct store *s, const struct recovery *r)
{
	if (r->rebuilt)
		log_warn(s->env, "store %s: the index was rebuilt from the segments", s->dir);
	if (r->rot > 0 || r->missing > 0 || r->damaged > 0)
		log_error(s->env,
		    "store %s: lost: %llu shards with damaged frames, %llu in missing "
		    "segments, %llu segments without a header",
		    s->dir, (unsigned long long)r->rot, (unsigned long long)r->missing,
		    (unsigned long long)r->damaged);
	if (r->bad_ranges > 0 || r->read_errors > 0)
		log_warn(s->env,
		    "store %s: %llu damaged stretches, %llu blocks that cannot be read", s->dir,
		    (unsigned long long)r->bad_ranges, (unsigned long long)r->read_errors);
	log_info(s->env,
	    "store %s: %llu shards of %llu chunks; %llu extents read again, %llu "
	    "unfinished",
	    s->dir, (unsigned long long)s->meta.shards, (unsigned long long)s->meta.chunks,
	    (unsigned long long)r->records, (unsigned long long)r->dead);
}

static void
report_refusal(struct store *s, const struct recovery *r, int err)
{
	if (err == ERR_VERSION)
		log_error(s->env,
		    "store %s: written by format version %u, this program knows %u: "
		    "use a newer program",
		    s->dir, r->version, SEGMENT_VERSION);
	else if (err == ERR_BUSY)
		log_error(s->env, "store %s: in use by another process", s->dir);
	else if (err == ERR_WRONG_NETWORK)
		log_error(s->env, "store %s: belongs to another network", s->dir);
	else
		log_error(s->env, "store %s: cannot be opened: %s", s->dir, err_text(err));
}

static void
close_run(struct store *s)
{
	index_close(s->index);
	seglog_close(s->log);
	if (s->lock != NULL)
		file_close(s->lock);
	s->index = NULL;
	s->log = NULL;
	s->lock = NULL;
}

static struct store *
store_alloc(const struct store_opts *opts)
{
	struct store *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->env = opts->env;
	s->net = opts->net;
	s->capacity = opts->capacity_bytes;
	s->segment_bytes = opts->segment_bytes != 0 ? opts->segment_bytes : SEGMENT_BYTES;
	s->reserve = opts->reserve_bytes != UINT64_MAX ? opts->reserve_bytes : STORE_RESERVE_BYTES;
	s->read_only = opts->read_only;
	s->index_in_memory = opts->index_in_memory;
	strcpy(s->dir, opts->dir);
	must(s->segment_bytes >= SEGMENT_BYTES_MIN && s->segment_bytes <= SEGMENT_BYTES_MAX);
	must(s->segment_bytes % SEGMENT_BLOCK == 0);
	task_group_init(&s->tasks, s->env);
	store_lazy_init(s);
	young_init(&s->young);
	return s;
}

int
store_open(const struct store_opts *opts, struct store **out)
{
	struct recovery r = { 0 };
	struct store *s;
	int err;

	if (strlen(opts->dir) >= STORE_PATH_MAX)
		return ERR_TOO_BIG;
	s = store_alloc(opts);
	if (s == NULL)
		return ERR_NOMEM;
	r.store = s;
	env_random(s->env, &r.fresh_id, sizeof(r.fresh_id));
	err = env_offload(s->env, WORK_DISK, recover_run, &r, 0);
	if (err != ERR_OK) {
		report_refusal(s, &r, err);
		close_run(s);
		free(s);
		return err;
	}
	s->status.recovered_records = r.records;
	s->status.rot = r.rot + r.missing;
	s->head = s->meta.position;
	report_recovery(s, &r);
	*out = s;
	return ERR_OK;
}

static int
close_work(void *arg)
{
	struct store *s = arg;

	if (!s->read_only)
		seglog_seal(s->log); /* gives the rest of the newest segment back */
	close_run(s);
	return ERR_OK;
}

void
store_close(struct store *s)
{
	struct commit settle = { .kind = COMMIT_SETTLE };

	if (s == NULL)
		return;
	must(s->writers_count == 0);
	timer_stop(&s->lazy_timer);
	if (store_lazy_flush(s) != ERR_OK)
		log_warn(s->env, "store %s: siblings told last are lost", s->dir);
	if (s->young.count > 0)
		(void)store_commit(s, &settle); /* else the next start does it */
	task_group_fini(&s->tasks);
	must(s->commits == NULL && !s->batch_running);
	env_offload(s->env, WORK_DISK, close_work, s, 0);
	store_lazy_fini(s);
	young_clear(&s->young);
	store_writers_fini(s);
	while (s->spare_buffers_count > 0)
		free(s->spare_buffers[--s->spare_buffers_count]);
	free(s->carried.marks);
	free(s);
}

/* ---- shards that go by themselves ---- */

void
store_on_lost(
    struct store *s, void (*lost)(void *arg, const struct hash *chunk, uint8_t index), void *arg)
{
	s->lost = lost;
	s->lost_arg = arg;
}

void
store_lost(struct store *s, const struct hash *chunk, uint8_t index)
{
	if (s->lost != NULL)
		s->lost(s->lost_arg, chunk, index);
}

/* ---- refusing, and no more ---- */

struct probe {
	struct store *store;
	struct disk_space space;
};

static int
probe_run(void *arg)
{
	struct probe *p = arg;

	return disk_space(p->store->env->disk, p->store->dir, &p->space);
}

int
store_probe(struct store *s)
{
	struct probe p = { .store = s };
	int err = env_offload(s->env, WORK_DISK, probe_run, &p, 0);

	if (err != ERR_OK)
		return err;
	s->disk_free = p.space.free_bytes;
	/* The next shard may need a new segment. */
	s->disk_low = p.space.free_bytes < s->reserve + s->segment_bytes;
	return store_ready(s);
}

/* ---- sight ---- */

void
store_status(const struct store *s, struct store_status *out)
{
	uint64_t reserved = 0;

	*out = s->status;
	for (const struct shard_writer *w = s->writers; w != NULL; w = w->next)
		reserved += w->extent_bytes;
	out->shards = s->meta.shards;
	out->chunks = s->meta.chunks;
	out->bytes_used = seglog_used(s->log);
	out->segments = seglog_count(s->log);
	out->bytes_dead = out->bytes_used - out->segments * SEGMENT_FIRST_EXTENT - reserved -
			  s->meta.shard_bytes - s->meta.record_bytes;
	out->capacity = s->capacity;
	out->reserve = s->reserve;
	out->disk_free = s->disk_free;
	out->writers = s->writers_count;
	out->crowded = out->bytes_used / 100 > s->capacity / 100 * STORE_CROWDED_PERCENT / 100;
	out->refusing = s->failed != ERR_OK || s->disk_low || out->bytes_used >= s->capacity;
}
