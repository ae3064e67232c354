/*
 * How long a file is kept, after it was put: prolonged, or deleted. Both go through every chunk:
 * the object's first, then those of the lists above it, the one that the link names last. So what
 * was broken off can be done again by the same link.
 */
#include <stdlib.h>

#include "object/files_private.h"
#include "object/leases.h"

/* The lists as leases_set() wants them: the one that the link names before the others. */
static int
add_top(const struct chunk_ref *top, const struct manifest *lists, struct manifest *above)
{
	int err = manifest_add_chunk(above, &top->id, &top->code, (uint32_t)top->bytes, top->hints);

	return err == ERR_OK ? manifest_add_copies(above, lists) : err;
}

static SUSPENDS int
set_lease(struct files *f, const struct file_lease_opts *opts, const struct manifest *m,
    const struct manifest *above, struct file_lease_result *out)
{
	struct lease_signing signing;
	int err;

	lease_signing_init(&signing, f->env, f->opts.net, f->opts.account, m->file_id);
	err = leases_set(
	    &(struct leases_opts){
		.files = f,
		.signer = lease_signing_signer(&signing),
		.until = opts->until,
		.lock_until = opts->lock_until,
		.progress = opts->progress,
		.arg = opts->arg,
	    },
	    m, above, out);
	crypto_wipe(&signing, sizeof(signing));
	return err;
}

int
file_set_lease(struct files *f, const struct file_lease_opts *opts, struct file_lease_result *out,
    struct file_missing *missing)
{
	struct manifest *m; /* the file's, its lists, these with the top one */
	struct chunk_ref *top;
	int err;

	memset(out, 0, sizeof(*out));
	out->told_least = SHARDS_MAX;
	if (f->opts.account == NULL || opts->link->kind != LINK_READ)
		return ERR_STATE;
	m = calloc(3, sizeof(*m));
	top = malloc(sizeof(*top));
	err = m == NULL || top == NULL ? ERR_NOMEM : ERR_OK;
	for (size_t i = 0; err == ERR_OK && i < 3; i++)
		manifest_init(&m[i]);
	if (err == ERR_OK)
		err = manifest_fetch(f, opts->link, &m[0], top, &m[1], missing);
	if (err == ERR_OK)
		err = add_top(top, &m[1], &m[2]);
	if (err == ERR_OK)
		err = set_lease(f, opts, &m[0], &m[2], out);
	for (size_t i = 0; m != NULL && i < 3; i++)
		manifest_fini(&m[i]);
	free(top);
	free(m);
	return err;
}
