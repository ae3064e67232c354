/*
 * Putting a file: its chunks (file_put_known.c, file_put_stream.c, or none for what fits in the
 * manifest), then the leases are raised, the manifest is stored and raised, and its place is
 * published: only now there is a link.
 */
#include <stdlib.h>

#include "object/file_put_private.h"

static int
read_inline(void *arg)
{
	struct file_put *p = arg;
	const struct file_source *source = &p->opts->source;
	size_t got, want = (size_t)source->length;
	int err = source->read(source->arg, 0, p->inline_bytes, want, &got);

	return err == ERR_OK && got != want ? ERR_INVALID : err;
}

static int
put_inline(struct file_put *p, struct manifest *m)
{
	size_t len = (size_t)p->opts->source.length;
	int err =
	    len == 0 ? ERR_OK : env_offload(p->f->env, WORK_DISK, read_inline, p, WORK_INLINE_MAX);

	m->plain_bytes = len;
	return err != ERR_OK ? err : buf_append(&m->inline_data, p->inline_bytes, len);
}

/* The base name, so that the manifest opens (manifest_name_valid); too long a one is cut. */
static void
set_name(struct manifest *m, const char *name)
{
	const char *slash = name == NULL ? NULL : strrchr(name, '/');
	size_t len;

	if (slash != NULL)
		name = slash + 1;
	len = name == NULL ? 0 : MIN(strlen(name), (size_t)MANIFEST_NAME_MAX);
	if (len > 0)
		memcpy(m->name, name, len);
	m->name[len] = '\0';
	if (!manifest_name_valid(m->name))
		m->name[0] = '\0';
}

/* The link leads to it at once; the holders announce it, too. */
static SUSPENDS int
publish(struct file_put *p, const struct placed_chunk *c)
{
	int err = placing_publish(&p->placing, c);

	/* Without a record now the link works a little later. */
	if (err != ERR_OK && err != ERR_CANCELED) {
		log_warn(
		    p->f->env, "the manifest's location is not published yet: %s", err_text(err));
		err = ERR_OK;
	}
	return err;
}

/* The manifest, and the link to it. */
static SUSPENDS int
put_manifest(struct file_put *p, const struct manifest *m, struct link *link)
{
	struct manifest_keys keys;
	int err = manifest_store(&p->placing, m, &keys);
	const struct placed_chunk *top = &p->placing.placed[p->placing.placed_count - 1];

	if (err == ERR_OK)
		err = publish(p, top);
	if (err == ERR_OK)
		*link = (struct link){ LINK_READ, p->f->opts.net, top->ref.id, keys.read };
	crypto_wipe(&keys, sizeof(keys));
	return err;
}

static SUSPENDS int
put_known(struct file_put *p, struct manifest *m)
{
	int err = file_put_known(p, m);

	return err == ERR_OK ? placing_raise(&p->placing, 0) : err;
}

static SUSPENDS int
put_all(struct file_put *p, struct manifest *m, struct file_put_result *out)
{
	int err;

	if (!p->opts->source.length_known)
		err = file_put_stream(p, m);
	else if (p->opts->source.length <= MANIFEST_INLINE_MAX)
		err = put_inline(p, m);
	else
		err = put_known(p, m);
	if (err == ERR_OK)
		err = put_manifest(p, m, &out->link);
	if (err == ERR_OK)
		out->bytes = m->plain_bytes;
	return err;
}

static SUSPENDS int
begin(struct file_put *p, struct files *f, const struct file_put_opts *opts, struct manifest *m)
{
	memset(p, 0, sizeof(*p));
	p->f = f;
	p->opts = opts;
	env_random(f->env, m->file_id, sizeof(m->file_id));
	m->created_ms = env_wall_ms(f->env);
	set_name(m, opts->name);
	lease_signing_init(&p->signing, f->env, f->opts.net, f->opts.account, m->file_id);
	return placing_init(&p->placing, f,
	    &(struct placing_opts){
		.code = opts->code,
		.constraints = opts->constraints,
		.term_s = opts->term_s,
		.lock_s = opts->lock_s,
		.wait_s = opts->wait_s,
		.signer = lease_signing_signer(&p->signing),
	    });
}

static void
tell(const struct placing_told *told, struct file_put_result *out)
{
	out->chunks = told->chunks;
	out->code = told->code;
	out->placed_min = told->placed_min;
	out->report = told->report;
	out->refusals = told->refusals;
}

int
file_put(struct files *f, const struct file_put_opts *opts, struct file_put_result *out)
{
	struct file_put *p;
	struct manifest *m;
	int err;

	memset(out, 0, sizeof(*out));
	if (f->opts.account == NULL)
		return ERR_STATE;
	p = malloc(sizeof(*p));
	m = malloc(sizeof(*m));
	if (p == NULL || m == NULL) {
		err = ERR_NOMEM;
		goto out;
	}
	manifest_init(m);
	err = begin(p, f, opts, m);
	if (err == ERR_OK)
		err = put_all(p, m, out);
	tell(&p->placing.told, out);
	placing_end(&p->placing, err);
	crypto_wipe(p, sizeof(*p));
	manifest_fini(m);
out:
	free(p);
	free(m);
	return err;
}
