/*
 * A source of unknown length (a pipe): a reader fills one of two buffers while the other one's
 * chunk is put; one byte is read ahead, because the last block of an object is sealed differently.
 */
#include <stdlib.h>

#include "object/block.h"
#include "object/file_put_private.h"

/* Seals like a block in the middle: no object is as long. */
#define LENGTH_UNKNOWN (UINT64_MAX / 4)

struct stream_buffer {
	uint8_t *data; /* STREAM_PLAIN and one byte of the next */
	size_t len;    /* without that byte */
	bool full, last;
};

struct stream_put {
	struct file_put *p;
	struct key key;
	size_t plain_max;
	struct stream_buffer buffers[2];
	uint64_t total; /* known with the last buffer */
	struct read_job *job;
};

struct read_job {
	const struct file_source *source;
	struct stream_buffer *into;
	size_t plain_max;
	size_t have; /* carried over from the buffer before: 0 or 1 */
	int err;
	struct wait wait;
};

/* In a worker: fills the buffer and one byte more, which tells whether it is the last. */
static int
read_ahead(void *arg)
{
	struct read_job *j = arg;
	size_t len = j->have, want = j->plain_max + 1;

	while (len < want) {
		size_t got;
		int err = j->source->read(j->source->arg, 0, j->into->data + len, want - len, &got);

		if (err != ERR_OK)
			return err;
		if (got == 0)
			break;
		len += got;
	}
	j->into->last = len < want;
	j->into->len = MIN(len, j->plain_max);
	return ERR_OK;
}

static int
read_task(void *arg)
{
	struct stream_put *s = arg;

	s->job->err = env_offload(s->p->f->env, WORK_DISK, read_ahead, s->job, WORK_INLINE_MAX);
	wait_wake(&s->job->wait, s->job->err);
	return s->job->err;
}

struct stream_chunk {
	struct stream_put *put;
	const struct stream_buffer *from;
	uint64_t first_block, length;
};

static int
fill_stream(void *arg, uint64_t offset, uint8_t *dst, size_t len)
{
	const struct stream_chunk *c = arg;
	uint64_t block = offset / BLOCK_SEALED;

	for (size_t at = 0; at < len; at += BLOCK_SEALED, block++) {
		int err = placing_seal_block(c->put->p->f, &c->put->key, c->length,
		    c->first_block + block, c->from->data + block * BLOCK_PLAIN, dst + at);

		if (err != ERR_OK)
			return err;
	}
	return ERR_OK;
}

/* Puts what lies in one buffer while the next one fills. */
static int
put_buffer(struct stream_put *s, const struct stream_buffer *b, uint64_t before, struct manifest *m)
{
	struct stream_chunk c = { s, b, before / BLOCK_PLAIN, LENGTH_UNKNOWN };
	struct chunk_source source = { fill_stream, &c };
	size_t slot;
	int err;

	if (b->last)
		c.length = before + b->len;
	err = placing_put(&s->p->placing, block_sealed_bytes(b->len), &source, NULL, NULL, &slot);
	if (err == ERR_OK)
		err = manifest_add_placed(m, &s->p->placing.placed[slot]);
	if (err == ERR_OK && s->p->opts->progress != NULL)
		s->p->opts->progress(s->p->opts->arg, before + b->len, 0);
	return err;
}

static int
stream_chunks(
    struct stream_put *s, struct task_group *group, struct read_job *job, struct manifest *m)
{
	struct env *env = s->p->f->env;
	int err = ERR_OK;

	for (size_t turn = 0; err == ERR_OK; turn++) {
		struct stream_buffer *b = &s->buffers[turn % 2],
				     *next = &s->buffers[(turn + 1) % 2];

		if (turn == 0) {
			job->into = b;
			err = env_offload(env, WORK_DISK, read_ahead, job, WORK_INLINE_MAX);
		} else {
			err = wait_for(env, &job->wait, 0);
		}
		if (err != ERR_OK)
			break;
		if (turn == 0 && b->last && b->len <= MANIFEST_INLINE_MAX) {
			m->plain_bytes = b->len;
			return buf_append(&m->inline_data, b->data, b->len);
		}
		if (!b->last) {
			next->data[0] = b->data[s->plain_max];
			job->into = next;
			job->have = 1;
			wait_init(&job->wait);
			err = task_spawn(group, "read ahead", read_task, s);
		}
		if (err == ERR_OK)
			err = put_buffer(s, b, s->total, m);
		s->total += b->len;
		if (b->last)
			break;
	}
	return err;
}

int
file_put_stream(struct file_put *p, struct manifest *m)
{
	uint64_t sealed = MIN(p->f->chunk_bytes, STREAM_CHUNK_BYTES);
	struct stream_put s = { .p = p, .plain_max = sealed / BLOCK_SEALED * BLOCK_PLAIN };
	struct read_job job = { .source = &p->opts->source, .plain_max = s.plain_max };
	struct manifest_segment segment = { 0 };
	struct task_group group;
	int err = ERR_OK;

	s.job = &job;
	env_random(p->f->env, s.key.b, sizeof(s.key.b));
	for (size_t i = 0; i < ARRAY_LEN(s.buffers); i++) {
		s.buffers[i].data = malloc(s.plain_max + 1);
		if (s.buffers[i].data == NULL)
			err = ERR_NOMEM;
	}
	task_group_init(&group, p->f->env);
	if (err == ERR_OK)
		err = stream_chunks(&s, &group, &job, m);
	task_group_fini(&group);
	if (err == ERR_OK && m->chunks_count > 0) {
		segment.key = s.key;
		segment.plain_bytes = m->plain_bytes = s.total;
		segment.chunks = (uint32_t)m->chunks_count;
		err = manifest_add_segment(m, &segment);
	}
	for (size_t i = 0; i < ARRAY_LEN(s.buffers); i++)
		free(s.buffers[i].data);
	crypto_wipe(&s, sizeof(s));
	crypto_wipe(&segment, sizeof(segment));
	return err;
}
