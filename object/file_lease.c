/*
 * How long a file is kept, after it was put: prolonged, or deleted. Both go through every chunk:
 * the object's first, then those of the lists above it, the one that the link names last. So what
 * was broken off can be done again by the same link.
 */
#include <stdlib.h>

#include "object/files_private.h"
#include "storage/renew.h"

#define RENEWALS_IN_FLIGHT 8

struct renew_all {
	struct files *f;
	const struct manifest *m, *above;
	const struct chunk_ref *top;
	const struct file_lease_opts *opts;
	struct file_lease_result *result;
	struct lease_signing signing;
	size_t next, end; /* chunks in hand, counted over m, above and top */
	int err;
};

static void
ref_of(const struct renew_all *a, size_t number, struct chunk_ref *out)
{
	size_t lists = a->above->chunks_count;

	if (number < a->m->chunks_count)
		ref_of_chunk(&a->m->chunks[number], out);
	else if (number < a->m->chunks_count + lists)
		/* Lower lists first: they are named by the upper ones. */
		ref_of_chunk(&a->above->chunks[lists - 1 - (number - a->m->chunks_count)], out);
	else
		*out = *a->top;
}

static int
renew_one(struct renew_all *a, size_t number, struct chunk_ref *ref)
{
	struct file_lease_result *r = a->result;
	struct chunk_renewed told;
	int err;

	ref_of(a, number, ref);
	err = chunk_renew(a->f->opts.chunks, ref,
	    &(struct chunk_renew_opts){ .signer = lease_signing_signer(&a->signing),
		.until = a->opts->until,
		.lock_until = a->opts->lock_until },
	    &told);
	r->locked_until = MAX(r->locked_until, told.locked_until);
	r->unlocked += told.unlocked;
	/* What is gone already is deleted well enough; a deletion that was broken off goes on. */
	if (a->opts->until == 0 && (err == ERR_STALE || err == ERR_NOT_FOUND))
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
	if (a->opts->progress != NULL)
		a->opts->progress(a->opts->arg, r->chunks + r->unreached,
		    a->m->chunks_count + a->above->chunks_count + 1);
	return err;
}

static int
renew_task(void *arg)
{
	struct renew_all *a = arg;
	struct chunk_ref *ref = malloc(sizeof(*ref));
	int err = ref == NULL ? ERR_NOMEM : ERR_OK;

	while (err == ERR_OK && a->err == ERR_OK && a->next < a->end)
		err = renew_one(a, a->next++, ref);
	if (err != ERR_OK && a->err == ERR_OK)
		a->err = err;
	free(ref);
	return err;
}

/* Chunks up to end, several at once. */
static SUSPENDS int
renew_until(struct renew_all *a, size_t end)
{
	size_t tasks = MIN(end - a->next, RENEWALS_IN_FLIGHT);
	int err;

	a->end = end;
	err = task_together(a->f->env, "renew leases", renew_task, a, tasks);
	return err != ERR_OK ? err : a->err;
}

static SUSPENDS int
renew(struct renew_all *a)
{
	size_t below = a->m->chunks_count + a->above->chunks_count;
	int err = renew_until(a, below);

	/* The link still leads to what could not be told. */
	if (err == ERR_OK && a->result->unreached > 0)
		return ERR_UNREACHABLE;
	if (err == ERR_OK)
		err = renew_until(a, below + 1);
	if (err == ERR_OK && a->result->unreached > 0)
		err = ERR_UNREACHABLE;
	return err;
}

int
file_set_lease(struct files *f, const struct file_lease_opts *opts, struct file_lease_result *out,
    struct file_missing *missing)
{
	struct manifest *m = calloc(2, sizeof(*m));
	struct chunk_ref *top = malloc(sizeof(*top));
	struct renew_all a = { .f = f, .opts = opts, .result = out };
	int err = m == NULL || top == NULL ? ERR_NOMEM : ERR_OK;

	memset(out, 0, sizeof(*out));
	out->told_least = SHARDS_MAX;
	if (err == ERR_OK && (f->opts.account == NULL || opts->link->kind != LINK_READ))
		err = ERR_STATE;
	if (err != ERR_OK)
		goto out;
	manifest_init(&m[0]);
	manifest_init(&m[1]);
	err = manifest_fetch(f, opts->link, &m[0], top, &m[1], missing);
	if (err == ERR_OK) {
		a.m = &m[0];
		a.above = &m[1];
		a.top = top;
		lease_signing_init(&a.signing, f->env, f->opts.net, f->opts.account, m[0].file_id);
		err = renew(&a);
	}
	manifest_fini(&m[0]);
	manifest_fini(&m[1]);
	crypto_wipe(&a.signing, sizeof(a.signing));
out:
	free(top);
	free(m);
	return err;
}
