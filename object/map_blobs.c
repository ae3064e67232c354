/* Sealing and opening in workers, since zstd wants more stack than a task has; chunks in and out.
 */
#include <stdlib.h>

#include "object/map_chunks.h"

struct seal_job {
	const struct sealing *sealing;
	struct sealing_text text;
	uint64_t seq; /* of a segment */
	uint8_t nonce[CRYPTO_XNONCE_BYTES];
	struct buf *out;
};

static int
seal_work(void *arg)
{
	struct seal_job *j = arg;

	return sealing_seal(j->sealing, &j->text, j->nonce, j->out);
}

static int
open_work(void *arg)
{
	struct seal_job *j = arg;

	return sealing_open(j->sealing, &j->text, j->out);
}

static int
segment_seal_work(void *arg)
{
	struct seal_job *j = arg;

	return map_segment_seal(j->sealing, j->seq, j->text.in, j->nonce, j->out);
}

static int
segment_open_work(void *arg)
{
	struct seal_job *j = arg;

	return map_segment_open(j->sealing, j->text.in, j->out);
}

int
map_segment_seal_work(struct map *m, uint64_t seq, struct bytes records, struct buf *out)
{
	struct seal_job j = { .sealing = &m->sealing, .text.in = records, .seq = seq, .out = out };

	env_random(m->env, j.nonce, sizeof(j.nonce));
	return env_offload(m->env, WORK_CPU, segment_seal_work, &j, WORK_INLINE_MAX);
}

int
map_segment_open_work(struct map *m, struct bytes segment, struct buf *records)
{
	struct seal_job j = { .sealing = &m->sealing, .text.in = segment, .out = records };

	return env_offload(m->env, WORK_CPU, segment_open_work, &j, WORK_INLINE_MAX);
}

int
map_blob_put(struct map *m, const struct map_blob *b, struct blob_ref *out, uint64_t *bytes)
{
	struct chunk_ref *ref = malloc(sizeof(*ref));
	struct seal_job j = { .sealing = &m->sealing, .text = { b->kind, 0, b->plain } };
	struct buf sealed;
	int err = ref == NULL ? ERR_NOMEM : ERR_OK;

	buf_init(&sealed, CHUNK_BYTES_MAX);
	j.out = &sealed;
	env_random(m->env, j.nonce, sizeof(j.nonce));
	if (err == ERR_OK)
		err = env_offload(m->env, WORK_CPU, seal_work, &j, WORK_INLINE_MAX);
	if (err == ERR_OK)
		err = m->opts.blobs->put(m->opts.blobs, buf_bytes(&sealed), b->publish, ref);
	if (err == ERR_OK) {
		*bytes += sealed.len;
		cache_dir_put(&m->cache_dir, &ref->id, buf_bytes(&sealed));
		err = blob_ref_init(out, ref);
	}
	buf_fini(&sealed);
	free(ref);
	return err;
}

static int
open_blob(struct map *m, enum sealing_kind kind, const struct buf *sealed, struct buf *plain)
{
	struct seal_job j = {
		.sealing = &m->sealing,
		.text = { kind, 0, buf_bytes(sealed) },
		.out = plain,
	};

	return env_offload(m->env, WORK_CPU, open_work, &j, WORK_INLINE_MAX);
}

int
map_blob_get(struct map *m, enum sealing_kind kind, const struct chunk_ref *ref, struct buf *plain)
{
	size_t before = plain->len;
	struct buf sealed;
	int err;

	buf_init(&sealed, CHUNK_BYTES_MAX);
	err = cache_dir_get(&m->cache_dir, &ref->id, &sealed);
	if (err == ERR_OK) {
		err = sealed.len == ref->bytes ? open_blob(m, kind, &sealed, plain) : ERR_CORRUPT;
		if (err != ERR_OK)
			cache_dir_drop(&m->cache_dir, &ref->id);
	}
	if (err != ERR_OK) {
		buf_reset(&sealed);
		plain->len = before;
		err = m->opts.blobs->get(m->opts.blobs, ref, &sealed);
		if (err == ERR_OK)
			err = open_blob(m, kind, &sealed, plain);
		if (err == ERR_OK) {
			m->counts.fetched_bytes += sealed.len;
			cache_dir_put(&m->cache_dir, &ref->id, buf_bytes(&sealed));
		}
	}
	buf_fini(&sealed);
	return err;
}
