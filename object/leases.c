/* A range of chunks by some tasks at once, three times: the thing's own, its lists', the top one.
 */
#include "object/leases.h"

#include <stdlib.h>

#include "object/content_private.h"
#include "storage/renew.h"

#define RENEWALS_IN_FLIGHT 8

struct walk {
	const struct leases_opts *opts;
	struct file_lease_result *result;
	uint64_t total;
	const struct manifest *m;
	bool backwards;
	size_t next, end; /* chunks in hand, counted in the direction of the walk */
	int err;
};

static SUSPENDS int
renew_one(struct walk *w, size_t number, struct chunk_ref *ref)
{
	const struct leases_opts *o = w->opts;
	struct file_lease_result *r = w->result;
	struct chunk_renewed told;
	int err;

	ref_of_chunk(&w->m->chunks[w->backwards ? w->m->chunks_count - 1 - number : number], ref);
	err = chunk_renew(o->files->opts.chunks, ref,
	    &(struct chunk_renew_opts){
		.signer = o->signer, .until = o->until, .lock_until = o->lock_until },
	    &told);
	r->locked_until = MAX(r->locked_until, told.locked_until);
	r->unlocked += told.unlocked;
	/* What is gone already is deleted well enough; a deletion that was broken off goes on. */
	if (o->until == 0 && (err == ERR_STALE || err == ERR_NOT_FOUND))
		err = ERR_OK;
	if (err == ERR_OK) {
		r->chunks++;
		r->live += told.live;
		r->told += told.told;
		r->told_least = MIN(r->told_least, told.told);
	} else if (err == ERR_UNREACHABLE) {
		r->unreached++;
		err = ERR_OK;
	}
	if (o->progress != NULL)
		o->progress(o->arg, r->chunks + r->unreached, w->total);
	return err;
}

static int
renew_task(void *arg)
{
	struct walk *w = arg;
	struct chunk_ref *ref = malloc(sizeof(*ref));
	int err = ref == NULL ? ERR_NOMEM : ERR_OK;

	while (err == ERR_OK && w->err == ERR_OK && w->next < w->end)
		err = renew_one(w, w->next++, ref);
	if (err != ERR_OK && w->err == ERR_OK)
		w->err = err;
	free(ref);
	return err;
}

static SUSPENDS int
renew_range(struct walk *w, const struct manifest *m, bool backwards, size_t from, size_t to)
{
	struct env *env = w->opts->files->env;
	int err;

	w->m = m;
	w->backwards = backwards;
	w->next = from;
	w->end = to;
	err = task_together(
	    env, "renew leases", renew_task, w, MIN(to - from, (size_t)RENEWALS_IN_FLIGHT));
	return err != ERR_OK ? err : w->err;
}

int
leases_set(const struct leases_opts *opts, const struct manifest *m, const struct manifest *above,
    struct file_lease_result *out)
{
	size_t lists = above == NULL ? 0 : above->chunks_count;
	struct walk w = { .opts = opts, .result = out, .total = m->chunks_count + lists };
	int err;

	memset(out, 0, sizeof(*out));
	out->told_least = SHARDS_MAX;
	err = renew_range(&w, m, false, 0, m->chunks_count);
	/* Lower lists first: they are named by the upper ones. */
	if (err == ERR_OK && lists > 1)
		err = renew_range(&w, above, true, 0, lists - 1);
	/* The top one still leads to what could not be told. */
	if (err == ERR_OK && out->unreached == 0 && lists > 0)
		err = renew_range(&w, above, true, lists - 1, lists);
	return err == ERR_OK && out->unreached > 0 ? ERR_UNREACHABLE : err;
}

int
content_set_lease(
    const struct leases_opts *opts, const struct content *c, struct file_lease_result *out)
{
	struct manifest *m;
	int err;

	if (c->kind != CONTENT_LISTED)
		return leases_set(opts, &c->list, NULL, out);
	m = calloc(2, sizeof(*m));
	if (m == NULL)
		return ERR_NOMEM;
	manifest_init(&m[0]);
	manifest_init(&m[1]);
	err = content_load(opts->files, c, &m[0], &m[1], NULL);
	if (err == ERR_OK)
		err = leases_set(opts, &m[0], &m[1], out);
	manifest_fini(&m[0]);
	manifest_fini(&m[1]);
	free(m);
	return err;
}
