/*
 * A source of unknown length (a pipe): a content (content_write.h), whose list goes into the file's
 * manifest. The next chunk is read in a worker while one goes out.
 */
#include <stdlib.h>

#include "object/content_write.h"
#include "object/file_put_private.h"

struct read_job {
	const struct file_source *source;
	uint8_t *to;
	size_t len, got;
};

/* In a worker: until the room is full or the source is at its end. */
static int
read_room(void *arg)
{
	struct read_job *j = arg;

	while (j->got < j->len) {
		size_t got;
		int err = j->source->read(j->source->arg, 0, j->to + j->got, j->len - j->got, &got);

		if (err != ERR_OK)
			return err;
		if (got == 0)
			break;
		j->got += got;
	}
	return ERR_OK;
}

static SUSPENDS int
read_all(struct file_put *p, struct content_writer *w)
{
	const struct file_put_opts *o = p->opts;
	uint64_t done = 0;

	for (;;) {
		struct read_job job = { .source = &o->source };
		int err = content_room(w, &job.to, &job.len);

		if (err == ERR_OK)
			err = env_offload(p->f->env, WORK_DISK, read_room, &job, WORK_INLINE_MAX);
		if (err == ERR_OK)
			err = content_filled(w, job.got);
		if (err != ERR_OK)
			return err;
		done += job.got;
		if (o->progress != NULL)
			o->progress(o->arg, done, 0);
		if (job.got < job.len)
			return ERR_OK;
	}
}

/* Segments, chunks and what lies inline. */
static int
take_over(const struct content *c, struct manifest *m)
{
	int err = manifest_append(m, &c->list);

	if (err == ERR_OK)
		err =
		    buf_append(&m->inline_data, c->list.inline_data.data, c->list.inline_data.len);
	m->plain_bytes = c->bytes;
	return err;
}

static SUSPENDS int
write_stream(struct file_put *p, struct memory_budget *memory, struct content *c)
{
	struct content_writer *w;
	struct content_write_opts opts = {
		.files = p->f,
		.memory = memory,
		.may_inline = true,
		.whole_list = true,
		.bytes = CONTENT_BYTES_UNKNOWN,
		.placing = p->placing.opts,
	};
	int err = content_writer_new(&opts, &w);

	if (err != ERR_OK)
		return err;
	err = read_all(p, w);
	if (err == ERR_OK)
		err = content_finish(w, c);
	placing_tell(&p->placing, content_writer_told(w));
	if (err == ERR_OK)
		err = content_hand_over(w, &p->placing);
	content_writer_free(w);
	return err;
}

int
file_put_stream(struct file_put *p, struct manifest *m)
{
	struct memory_budget *memory = malloc(sizeof(*memory));
	struct content c;
	int err;

	if (memory == NULL)
		return ERR_NOMEM;
	budget_init(memory, p->f->env, 0); /* no other writer is in it: two chunks fit */
	content_init(&c);
	err = write_stream(p, memory, &c);
	if (err == ERR_OK)
		err = take_over(&c, m);
	content_fini(&c);
	budget_fini(memory);
	free(memory);
	return err;
}
