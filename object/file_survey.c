/*
 * What a link stands for and how it fares: the manifest's facts, and a count of the live shards
 * of every chunk, some chunks at a time. Works with a verify link, too: it only needs the list.
 */
#include <limits.h>
#include <stdlib.h>

#include "object/block.h"
#include "object/files_private.h"

#define SURVEYS_IN_FLIGHT 8

struct survey_all {
	struct files *f;
	const struct manifest *m, *lists;
	const struct chunk_ref *top;
	void (*each)(void *arg, const struct file_chunk_state *s);
	void *arg;
	size_t next; /* 0 is the manifest's own chunk, then those of its lists */
	int least, err;
};

static size_t
total(const struct manifest *m, const struct manifest *lists)
{
	return 1 + lists->chunks_count + m->chunks_count;
}

static int
survey_one(struct survey_all *s, size_t number, struct chunk_ref *ref, struct shard_state *shards)
{
	struct file_chunk_state state = { .number = UINT64_MAX, .ref = ref, .shards = shards };
	int err;

	if (number == 0) {
		*ref = *s->top;
	} else if (number <= s->lists->chunks_count) {
		ref_of_chunk(&s->lists->chunks[number - 1], ref);
	} else {
		state.number = number - 1 - s->lists->chunks_count;
		ref_of_chunk(&s->m->chunks[state.number], ref);
	}
	err = chunk_survey(s->f->opts.chunks, ref, shards, &state.live);
	if (err == ERR_OK) {
		s->least = MIN(s->least, (int)state.live - (int)ref->code.k);
		s->each(s->arg, &state);
	}
	return err;
}

static int
survey_task(void *arg)
{
	struct survey_all *s = arg;
	struct chunk_ref *ref = malloc(sizeof(*ref));
	struct shard_state *shards = calloc(SHARDS_MAX, sizeof(*shards));
	int err = ref == NULL || shards == NULL ? ERR_NOMEM : ERR_OK;

	while (err == ERR_OK && s->err == ERR_OK && s->next < total(s->m, s->lists))
		err = survey_one(s, s->next++, ref, shards);
	if (err != ERR_OK && s->err == ERR_OK)
		s->err = err;
	free(shards);
	free(ref);
	return err;
}

static int
survey_chunks(struct survey_all *s)
{
	size_t tasks = MIN(total(s->m, s->lists), SURVEYS_IN_FLIGHT);
	int err = task_together(s->f->env, "survey chunks", survey_task, s, tasks);

	return err != ERR_OK ? err : s->err;
}

static uint64_t
stored_bytes(const struct manifest *m)
{
	uint64_t sum = 0;
	struct layout l;

	for (size_t i = 0; i < m->chunks_count; i++) {
		const struct manifest_chunk *c = &m->chunks[i];

		must(layout_make(c->code.k, c->code.n, c->bytes, &l) == ERR_OK);
		sum += l.shard_bytes * c->code.n;
	}
	return sum;
}

static void
fill_info(const struct manifest *m, const struct manifest *lists, const struct chunk_ref *top,
    const struct link *link, struct file_info *info)
{
	struct layout l;

	memset(info, 0, sizeof(*info));
	info->readable = m->opened;
	memcpy(info->name, m->name, sizeof(info->name));
	info->bytes = m->plain_bytes;
	info->created_ms = m->created_ms;
	info->parts = m->chunks_count;
	info->chunks = total(m, lists);
	info->code = m->chunks_count > 0 ? m->chunks[0].code : top->code;
	must(layout_make(top->code.k, top->code.n, top->bytes, &l) == ERR_OK);
	info->stored_bytes = stored_bytes(m) + stored_bytes(lists) + l.shard_bytes * top->code.n;
	link_to_verify(link, &info->verify);
}

int
file_survey(struct files *f, const struct link *link, struct file_info *info,
    void (*each)(void *arg, const struct file_chunk_state *s), void *arg, int *least,
    struct file_missing *missing)
{
	struct manifest *m = malloc(sizeof(*m)), lists;
	struct chunk_ref *top = malloc(sizeof(*top));
	int err = ERR_NOMEM;

	if (m == NULL || top == NULL)
		goto out;
	manifest_init(m);
	manifest_init(&lists);
	err = manifest_fetch(f, link, m, top, &lists, missing);
	if (err == ERR_OK) {
		struct survey_all s = {
			.f = f, .m = m, .lists = &lists, .top = top, .each = each, .arg = arg
		};

		s.least = INT_MAX;
		fill_info(m, &lists, top, link, info);
		if (each != NULL)
			err = survey_chunks(&s);
		if (err == ERR_OK && each != NULL && least != NULL)
			*least = s.least;
	}
	manifest_fini(&lists);
	manifest_fini(m);
out:
	free(top);
	free(m);
	return err;
}
