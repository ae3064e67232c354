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
	struct put_context *p = arg;
	const struct file_source *source = &p->opts->source;
	size_t got, want = (size_t)source->length;
	int err = source->read(source->arg, 0, p->inline_bytes, want, &got);

	return err == ERR_OK && got != want ? ERR_INVALID : err;
}

static int
put_inline(struct put_context *p, struct manifest *m)
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

int
file_put(struct files *f, const struct file_put_opts *opts, struct file_put_result *out)
{
	struct put_context *p = malloc(sizeof(*p));
	struct manifest *m = malloc(sizeof(*m));
	int err = ERR_NOMEM;

	if (p == NULL || m == NULL)
		goto out;
	manifest_init(m);
	env_random(f->env, m->file_id, sizeof(m->file_id));
	m->created_ms = env_wall_ms(f->env);
	set_name(m, opts->name);
	err = put_context_init(p, f, opts, m->file_id, out);
	if (err == ERR_OK) {
		if (!opts->source.length_known)
			err = file_put_stream(p, m);
		else if (opts->source.length <= MANIFEST_INLINE_MAX)
			err = put_inline(p, m);
		else
			err = file_put_known(p, m);
		if (err == ERR_OK)
			err = put_raise_all(p, 0);
		if (err == ERR_OK)
			err = put_manifest(p, m);
		if (err == ERR_OK)
			out->bytes = m->plain_bytes;
	}
	put_context_fini(p);
	manifest_fini(m);
out:
	free(p);
	free(m);
	return err;
}
